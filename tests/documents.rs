// SPDX-License-Identifier: GPL-2.0-only
//! What the documents refer to is there: files, and the tests that SECURITY.md names.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder that end so, but for what is built or fetched.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') || name == "target" || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if name.ends_with(end) {
            found.push(path);
        }
    }
    found
}

/// Where the links of a text lead that are neither to another host nor to a place in the same text.
fn links(text: &str) -> Vec<String> {
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let plain = inline.filter_map(|link| link.split('#').next());
    plain.filter(|link| !link.is_empty() && !link.contains("://")).map(str::to_owned).collect()
}

/// The tests that a text names like `module::test`, each in backquotes of its own.
fn named(text: &str) -> BTreeSet<(String, String)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let names = quoted.filter_map(|name| name.split_once("::"));
    let is_name = |name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    names
        .filter(|(module, test)| is_name(module) && is_name(test))
        .map(|(module, test)| (module.to_owned(), test.to_owned()))
        .collect()
}

/// Whether a source has this test.
fn has_test(source: &str, test: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| pair[0] == "#[test]" && pair[1].starts_with(&format!("fn {test}(")))
}

#[test]
fn links_lead_somewhere() {
    let mut checked = 0;
    for file in files(root(), ".md") {
        let text = fs::read_to_string(&file).unwrap();
        for link in links(&text) {
            checked += 1;
            let target = file.parent().unwrap().join(&link);
            assert!(target.exists(), "{} leads to {link}, which is not there", file.display());
        }
    }
    assert!(checked > 20, "only {checked} links were found");
}

#[test]
fn the_tests_that_are_named_are_there() {
    let named = named(&fs::read_to_string(root().join("SECURITY.md")).unwrap());
    assert!(named.len() > 20, "{named:?}");
    let sources: Vec<(PathBuf, String)> = files(&root().join("tests"), ".rs")
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    for (module, test) in named {
        let mut of_module = sources.iter().filter(|(path, _)| path.file_stem().unwrap() == module.as_str());
        assert!(of_module.any(|(_, source)| has_test(source, &test)), "there is no test {module}::{test}");
    }
}

/// The project stands on its own: nothing in it knows where it was written.
#[test]
fn no_document_names_a_place_of_its_author() {
    let places = [["/wo", "rk/"], ["/ro", "ot/.cargo"]].map(|parts| parts.concat());
    for end in [".md", ".rs", ".toml", ".sh", ".c", ".py", ".8", ".7", ".json"] {
        for file in files(root(), end) {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            for place in &places {
                assert!(!text.contains(place.as_str()), "{} names {place}", file.display());
            }
        }
    }
}

#[test]
fn what_is_missing_is_found() {
    let text = "[a](b/c.md#d) [e](https://example.org/f) ![g](h.svg) [i](#j)";
    assert_eq!(links(text), ["b/c.md", "h.svg"]);
    let text = "`a::b`, `c::D`, `std::fs::read`, `e` and `f_1::g_2`";
    let pair = |module: &str, test: &str| (module.to_owned(), test.to_owned());
    assert_eq!(named(text), BTreeSet::from([pair("a", "b"), pair("f_1", "g_2")]));
    assert!(
        has_test("#[test]\n    fn a() {", "a")
            && !has_test("fn a() {", "a")
            && !has_test("#[test]\nfn ab() {", "a")
    );
}
