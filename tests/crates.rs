// SPDX-License-Identifier: GPL-2.0-only
//! What this project stands on: which crates, under which licences, once each, from where; and whether its own two can be
//! published. What `cargo deny` does, as far as it matters here, without another program to trust.
//!
//! Advisories (RustSec) are on GitHub only and are not looked up here; versions that their authors have withdrawn are. That
//! the packages build by themselves is seen by `tests/scripts/test`, which has Cargo go through the publishing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Licences under which something may be a part of a program that as a whole is GPL-2.0-only. Apache-2.0 is not among them:
/// its terms about patents are further restrictions. What is "MIT OR Apache-2.0" is taken as MIT.
const COMPATIBLE: &[&str] = &[
    "GPL-2.0-only",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unlicense",
    // Of libFuzzer, which is a part of the fuzz targets only.
    "NCSA",
    // Of the tables that are generated from Unicode's data, in what compiles only.
    "Unicode-3.0",
];

/// Whether an SPDX expression leaves a way to use it: one of the alternatives, all of whose parts are compatible.
fn is_compatible(expression: &str) -> bool {
    let plain = |part: &str| part.replace(['(', ')'], "").trim().to_owned();
    // "(A OR B) AND C" binds as it is written, and nothing deeper is in use.
    let all: Vec<&str> = expression.split(" AND ").collect();
    all.iter().all(|part| {
        let mut alternatives = part.split(" OR ").flat_map(|part| part.split('/'));
        alternatives.any(|alternative| COMPATIBLE.contains(&plain(alternative).as_str()))
    })
}

/// This workspace.
const OWN: &str = "Cargo.toml";
/// That of the fuzz targets.
const FUZZ: &str = "fuzz/Cargo.toml";

/// What Cargo says, or why it says nothing.
fn attempt(args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO"));
    let output = command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}

fn cargo(args: &[&str]) -> String {
    attempt(args).unwrap_or_else(|error| panic!("cargo {args:?}: {error}"))
}

/// What Cargo knows of a workspace. A build fetches no crates of other systems: where they can't be had, it is what this
/// system needs.
fn metadata_of(manifest: &str) -> Result<Value, String> {
    let ask = |more: &[&str]| {
        let usual = ["metadata", "--locked", "--format-version=1", "--manifest-path", manifest];
        attempt(&[&usual[..], more].concat())
    };
    let text = ask(&["--offline"]).or_else(|_| ask(&[])).or_else(|_| {
        let about = cargo(&["-vV"]);
        let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let text = ask(&["--offline", "--filter-platform", host])?;
        println!("SKIPPED: crates that only other systems need: they can't be fetched");
        Ok::<_, String>(text)
    })?;
    Ok(serde_json::from_str(&text).unwrap())
}

/// What it knows of this one.
fn metadata() -> Value {
    metadata_of(OWN).unwrap()
}

/// Of this one and of the fuzz targets, if those were ever built here.
fn all_metadata() -> Vec<Value> {
    let mut all = vec![metadata()];
    match metadata_of(FUZZ) {
        Ok(fuzz) => all.push(fuzz),
        Err(why) => {
            let stale = why.contains("lock file") && why.contains("--locked");
            assert!(!stale, "{FUZZ} is to be built once without --locked: {why}");
            println!("SKIPPED: the fuzz targets: {why}");
        }
    }
    all
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

/// Names and versions of what the daemon's binary consists of, which is less than what some feature might bring: neither
/// what only builds or tests it, nor macros, which run at the build.
fn shipped() -> BTreeSet<(String, String)> {
    let edges = ["--edges", "normal,no-proc-macro"];
    let tree = cargo(&[&["tree", "--locked", "--offline", "--prefix=none"][..], &edges].concat());
    let package = |line: &str| {
        let mut words = line.split(' ');
        (words.next().unwrap().to_owned(), words.next().unwrap().trim_start_matches('v').to_owned())
    };
    tree.lines().filter(|line| !line.is_empty()).map(package).collect()
}

/// What is wrong with the packages of a workspace.
fn objections(metadata: &Value, shipped: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut found = Vec::new();
    for package in list(metadata, "packages") {
        let (name, version, licence) =
            (text(package, "name"), text(package, "version"), text(package, "license"));
        if !is_compatible(licence) {
            found.push(format!("{name} {version} is {licence:?}"));
        }
        let source = text(package, "source");
        // What has no source is a folder.
        let own = text(package, "manifest_path").starts_with(env!("CARGO_MANIFEST_DIR"));
        if !(source.starts_with("registry+") || package["source"].is_null() && own) {
            found.push(format!("{name} {version} is from {source:?}"));
        }
        if shipped.contains(&(name.to_owned(), version.to_owned())) {
            versions.entry(name).or_default().insert(version);
        }
    }
    for (name, versions) in versions.into_iter().filter(|(_, versions)| versions.len() > 1) {
        found.push(format!("{name} is there more than once: {versions:?}"));
    }
    found
}

#[test]
fn licences_sources_and_versions_are_right() {
    let shipped = shipped();
    assert!(shipped.len() > 10, "{shipped:?}");
    for metadata in all_metadata() {
        assert_eq!(objections(&metadata, &shipped), [""; 0]);
    }
}

#[test]
fn what_is_wrong_is_found() {
    for good in ["MIT", "Apache-2.0/MIT", "Unlicense OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
        assert!(is_compatible(good), "{good}");
    }
    for bad in ["", "Apache-2.0", "GPL-3.0-or-later", "MIT AND Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(!is_compatible(bad), "{bad}");
    }
    let package = |name: &str, version: &str, license: &str, source: &str| {
        let mut package = json!({"name": name, "version": version, "license": license, "source": source});
        if let Some(folder) = source.strip_prefix("path ") {
            package["source"] = Value::Null;
            package["manifest_path"] = folder.into();
        }
        package
    };
    let registry = "registry+https://example.org";
    let metadata = json!({
        "packages": [
            package("d", "1", "GPL-2.0-only", concat!("path ", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
            package("a", "1", "Apache-2.0", registry),
            package("b", "1", "MIT", registry),
            package("b", "2", "MIT", "git+https://example.org"),
            package("b", "3", "MIT", registry),
            package("c", "1", "MIT", "path /elsewhere/Cargo.toml"),
            json!({"name": "e", "version": "1", "license": null, "source": registry}),
        ],
    });
    let shipped = [("d", "1"), ("a", "1"), ("b", "1"), ("b", "2")];
    let shipped = shipped.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
    assert_eq!(
        objections(&metadata, &shipped),
        [
            "a 1 is \"Apache-2.0\"",
            "b 2 is from \"git+https://example.org\"",
            "c 1 is from \"\"",
            "e 1 is \"\"",
            "b is there more than once: {\"1\", \"2\"}"
        ]
    );
}

/// What is wrong with what is depended on directly, if these are the reasons: a Markdown table, whose first column names
/// crates, and in brackets what they bring.
fn unjustified(workspaces: &[Value], table: &str) -> Vec<String> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    let justified: BTreeSet<&str> = rows
        .map(|(cell, _)| cell.split(" (").next().unwrap())
        .filter(|cell| *cell != "crate")
        .flat_map(|cell| cell.split(", "))
        .collect();
    let (mut found, mut depended) = (Vec::new(), BTreeSet::new());
    for metadata in workspaces {
        let members = list(metadata, "workspace_members");
        let own = list(metadata, "packages").iter().filter(|package| members.contains(&package["id"]));
        for dependency in own.flat_map(|package| list(package, "dependencies")) {
            // The crates of this repository have no features.
            if !dependency["path"].is_null() {
                continue;
            }
            let name = text(dependency, "name");
            if dependency["uses_default_features"] != false {
                found.push(format!("{name} brings its default features"));
            }
            depended.insert(name);
        }
    }
    found.extend(depended.difference(&justified).map(|name| format!("nobody says why {name} is there")));
    found.extend(justified.difference(&depended).map(|name| format!("{name} is not there any more")));
    found
}

/// ARCHITECTURE has each crate that is depended on, with the reason, and says that none brings more than is needed.
#[test]
fn each_dependency_is_justified_and_brings_what_is_needed_only() {
    let architecture =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let table = architecture.split_once("\n## Dependencies\n").unwrap().1.split("\n## ").next().unwrap();
    let workspaces = all_metadata();
    // Whether or not the fuzz targets were looked at.
    let fuzz_is_there = workspaces.len() > 1;
    let table: Vec<&str> =
        table.lines().filter(|line| fuzz_is_there || !line.contains(" (fuzz) |")).collect();
    assert_eq!(unjustified(&workspaces, &table.join("\n")), [""; 0]);
}

#[test]
fn a_dependency_without_a_reason_is_found() {
    let dependency = |name: &str, default: bool| json!({"name": name, "uses_default_features": default});
    let metadata = json!({
        "workspace_members": ["own"],
        "packages": [
            {"id": "own", "dependencies": [
                dependency("a", false),
                dependency("b", true),
                dependency("new", false),
                {"name": "sister", "uses_default_features": true, "path": "/sister"},
            ]},
            // What others depend on is their affair.
            {"id": "a", "dependencies": [dependency("z", true)]},
        ],
    });
    let table = "| crate | for |\n|---|---|\n| a, b (with z) | x |\n| gone (tests) | y |\n";
    assert_eq!(
        unjustified(&[metadata], table),
        ["b brings its default features", "nobody says why new is there", "gone is not there any more"]
    );
}

/// No version in use was withdrawn by its author.
#[test]
fn no_version_was_withdrawn() {
    const PROGRAM: &str = "
import json, sys, urllib.request
def entry(name):
    low = name.lower()
    folder = {1: '1', 2: '2', 3: '3/' + low[:1]}.get(len(low), low[:2] + '/' + low[2:4])
    with urllib.request.urlopen('https://index.crates.io/' + folder + '/' + low, timeout=20) as reply:
        return [json.loads(line) for line in reply.read().decode().splitlines()]
try:
    entry('libc')
except OSError as error:
    print('unreachable:', error)
    sys.exit()
for line in sys.stdin:
    name, version = line.split()
    found = [known for known in entry(name) if known['vers'] == version]
    if not found or found[0]['yanked']:
        print(name, version, 'was withdrawn' if found else 'is not known')
";
    let metadata = metadata();
    let registry = |package: &&Value| text(package, "source").starts_with("registry+");
    let all: Vec<String> = list(&metadata, "packages")
        .iter()
        .filter(registry)
        .map(|package| format!("{} {}\n", text(package, "name"), text(package, "version")))
        .collect();
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", PROGRAM]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let Ok(mut child) = command.spawn() else { return println!("SKIPPED: no python3") };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), all.concat().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if said.starts_with("unreachable") {
        return println!("SKIPPED: crates.io can't be asked: {said}");
    }
    assert!(output.status.success(), "it could not be found out");
    assert_eq!(said, "");
}

/// What would be published of each crate is small, and has what it needs.
#[test]
fn the_crates_can_be_packed() {
    for (name, wanted, unwanted) in [
        ("lttng-protocol", &["README.md", "examples/list_sessions.rs", "src/lib.rs"][..], "tests/"),
        ("lttng-sessiond", &["README.md", "LICENSE", "src/main.rs", "man/lttng-sessiond.8"][..], "tests/"),
    ] {
        let listed =
            cargo(&["package", "--list", "--allow-dirty", "--locked", "--offline", "--package", name]);
        for file in wanted {
            assert!(listed.lines().any(|line| line == *file), "{name} has no {file}: {listed}");
        }
        assert!(!listed.lines().any(|line| line.starts_with(unwanted)), "{name}: {listed}");
    }
}
