// SPDX-License-Identifier: GPL-2.0-only
//! The daemon's report is described once, beside its fields in `src/report/mod.rs`: the manual page
//! lttng-sessiond-status(7) and the JSON schema are made of that. With `LTTNG_TEST_REWRITE=1` they are written anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "man/lttng-sessiond-status.7";
/// Bytes of a line of the page.
const WIDTH: usize = 80;
const SCHEMA: &str = "man/lttng-sessiond-status.schema.json";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A `struct` or an `enum` of the source, with the first paragraph of its description.
struct Item {
    name: String,
    doc: String,
    fields: Vec<Field>,
    is_enum: bool,
}

/// A field, or a value without a type.
struct Field {
    name: String,
    doc: String,
    kind: String,
}

/// The types of a report, in the order of the source.
fn items() -> Vec<Item> {
    let source = fs::read_to_string(path("src/report/mod.rs")).unwrap();
    let mut items: Vec<Item> = Vec::new();
    let (mut doc, mut open) = (String::new(), false);
    for line in source.lines() {
        let text = line.trim();
        if let Some(said) = text.strip_prefix("///") {
            if !doc.is_empty() {
                doc.push(' ');
            }
            doc.push_str(said.trim());
            continue;
        }
        if text.starts_with("#[") {
            continue;
        }
        let begun = ["pub struct ", "pub enum "].iter().find_map(|begin| text.strip_prefix(begin));
        if let Some(rest) = begun {
            let name = rest.trim_end_matches(" {").to_owned();
            let is_enum = text.starts_with("pub enum");
            items.push(Item { name, doc: std::mem::take(&mut doc), fields: Vec::new(), is_enum });
            open = true;
        } else if line == "}" {
            open = false;
        } else if open && let Some(item) = items.last_mut() {
            let text = text.trim_end_matches(',');
            let (name, kind) = match text.strip_prefix("pub ") {
                Some(field) => field.split_once(": ").unwrap(),
                None => (text, ""),
            };
            let doc = std::mem::take(&mut doc);
            // What a reader takes values for that it does not know is never said.
            if !(item.is_enum && name == "Unknown") {
                item.fields.push(Field { name: name.to_owned(), doc, kind: kind.to_owned() });
            }
        }
        doc.clear();
    }
    items
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// `Option<X>` or `Vec<X>`: what is in it.
fn inside<'a>(kind: &'a str, of: &str) -> Option<&'a str> {
    kind.strip_prefix(of)?.strip_prefix('<')?.strip_suffix('>')
}

/// A type in the words of the page.
fn words(kind: &str, items: &[Item]) -> String {
    if let Some(inner) = inside(kind, "Option") {
        return format!("{} or null", words(inner, items));
    }
    if let Some(inner) = inside(kind, "Vec") {
        return format!("array of {}", words(inner, items));
    }
    match kind {
        "String" => "string".to_owned(),
        "bool" => "boolean".to_owned(),
        "u32" | "u64" => "number".to_owned(),
        "i32" | "i64" => "signed number".to_owned(),
        other => {
            let item = items.iter().find(|item| item.name == other).unwrap();
            if item.is_enum { "string".to_owned() } else { format!("object, see {}", title(other)) }
        }
    }
}

/// The heading of a type's section.
fn title(name: &str) -> String {
    snake(name).replace('_', " ").replacen(|_: char| true, &name[..1], 1)
}

/// Text of a description for mdoc: one sentence a line.
fn roff(doc: &str) -> String {
    let plain = doc.replace(['`', '[', ']'], "").replace('\\', "\\e").replace('-', "\\-");
    let mut sentences = plain.replace(". ", ".\n");
    if !sentences.is_empty() && !sentences.ends_with('.') {
        sentences.push('.');
    }
    let mut lines: Vec<String> = Vec::new();
    for sentence in sentences.lines() {
        lines.push(String::new());
        for word in sentence.split(' ') {
            let line = lines.last_mut().unwrap();
            if !line.is_empty() && line.len() + word.len() >= WIDTH {
                lines.push(word.to_owned());
            } else {
                line.push_str(if line.is_empty() { "" } else { " " });
                line.push_str(word);
            }
        }
    }
    lines.join("\n")
}

fn fields_of_page(items: &[Item]) -> String {
    let mut page = String::new();
    let mut write = |text: &str| page.push_str(text);
    for item in items.iter().filter(|item| !item.is_enum) {
        write(&format!(".Ss {}\n", title(&item.name)));
        let doc = roff(&item.doc);
        write(&format!("{doc}\n.Bl -tag -width Ds\n"));
        for field in &item.fields {
            write(&format!(".It Li {} Pq {}\n", field.name, words(&field.kind, items)));
            let doc = match field.doc.as_str() {
                "[`SCHEMA`]." => "The version of the report.",
                doc => doc,
            };
            let inner = ["Option", "Vec"].iter().find_map(|of| inside(&field.kind, of));
            let kind = items.iter().find(|item| item.name == inner.unwrap_or(&field.kind));
            let doc = match (doc, kind) {
                ("", Some(kind)) => &kind.doc,
                (doc, _) => doc,
            };
            if doc.is_empty() {
                let name = field.name.replace('_', " ");
                write(&format!("{}{}.\n", name[..1].to_uppercase(), &name[1..]));
            } else {
                write(&format!("{}\n", roff(doc)));
            }
            for value in kind.filter(|kind| kind.is_enum).iter().flat_map(|kind| &kind.fields) {
                let doc = value.doc.trim_end_matches('.');
                let doc = if doc.is_empty() { String::new() } else { format!(": {doc}") };
                write(&format!(".br\n.Li {}{}\n", snake(&value.name), roff_inline(&doc)));
            }
        }
        write(".El\n");
    }
    page
}

/// What follows a word on its line.
fn roff_inline(doc: &str) -> String {
    match doc.strip_prefix(": ") {
        Some(doc) => format!(" :\n{}", roff(doc)),
        None => String::new(),
    }
}

fn schema_of(kind: &str) -> String {
    if let Some(inner) = inside(kind, "Option") {
        return format!("{{\"anyOf\": [{}, {{\"type\": \"null\"}}]}}", schema_of(inner));
    }
    if let Some(inner) = inside(kind, "Vec") {
        return format!("{{\"type\": \"array\", \"items\": {}}}", schema_of(inner));
    }
    match kind {
        "String" => "{\"type\": \"string\"}".to_owned(),
        "bool" => "{\"type\": \"boolean\"}".to_owned(),
        "u32" | "u64" => "{\"type\": \"integer\", \"minimum\": 0}".to_owned(),
        "i32" | "i64" => "{\"type\": \"integer\"}".to_owned(),
        other => format!("{{\"$ref\": \"#/$defs/{}\"}}", snake(other)),
    }
}

fn schema(items: &[Item]) -> String {
    let object = |item: &Item, indent: &str| {
        let mut text = format!("{indent}\"description\": {},\n", json(&item.doc));
        if item.is_enum {
            let values: Vec<String> = item.fields.iter().map(|value| json(&snake(&value.name))).collect();
            writeln!(text, "{indent}\"enum\": [{}]", values.join(", ")).unwrap();
            return text;
        }
        let required: Vec<String> = item.fields.iter().map(|field| json(&field.name)).collect();
        write!(text, "{indent}\"type\": \"object\",\n{indent}\"required\": [{}],\n", required.join(", "))
            .unwrap();
        let fields: Vec<String> = item
            .fields
            .iter()
            .map(|field| format!("{indent}  {}: {}", json(&field.name), schema_of(&field.kind)))
            .collect();
        write!(text, "{indent}\"properties\": {{\n{}\n{indent}}}\n", fields.join(",\n")).unwrap();
        text
    };
    let (report, others): (Vec<&Item>, Vec<&Item>) = items.iter().partition(|item| item.name == "Report");
    let definitions: Vec<String> = others
        .iter()
        .map(|item| format!("    {}: {{\n{}    }}", json(&snake(&item.name)), object(item, "      ")))
        .collect();
    format!(
        "{{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \
         \"title\": \"lttng-sessiond-status\",\n{},\n  \"$defs\": {{\n{}\n  }}\n}}\n",
        object(report[0], "  ").trim_end(),
        definitions.join(",\n")
    )
}

fn json(text: &str) -> String {
    serde_json::to_string(&text.replace('`', "")).unwrap()
}

/// The file is this text, or is made so.
fn keep(name: &str, text: &str) {
    if std::env::var_os("LTTNG_TEST_REWRITE").is_some() {
        fs::write(path(name), text).unwrap();
    }
    let found = fs::read_to_string(path(name)).unwrap_or_default();
    assert!(
        found == text,
        "{name} is not what src/report/mod.rs says: write it anew with LTTNG_TEST_REWRITE=1"
    );
}

#[test]
fn the_manual_page_describes_every_field() {
    let page = fs::read_to_string(path(PAGE)).unwrap();
    let (begin, end) = (".\\\" fields\n", ".\\\" end of fields\n");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    keep(PAGE, &format!("{before}{begin}{}{end}{after}", fields_of_page(&items())));
}

#[test]
fn the_schema_has_every_field() {
    keep(SCHEMA, &schema(&items()));
}

/// What the source is taken for here is what is written: the fields of an empty report, and no others.
#[test]
fn an_empty_report_has_these_fields() {
    let report = serde_json::to_value(lttng_sessiond::report::Report::default()).unwrap();
    let items = items();
    let fields = |name: &str| -> Vec<String> {
        let item = items.iter().find(|item| item.name == name).unwrap();
        let mut fields: Vec<String> = item.fields.iter().map(|field| field.name.clone()).collect();
        fields.sort();
        fields
    };
    let keys =
        |value: &serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&report), fields("Report"));
    assert_eq!(keys(&report["daemon"]), fields("Daemon"));
    assert_eq!(keys(&report["counters"]), fields("Counters"));
    let life = items.iter().find(|item| item.name == "Life").unwrap();
    assert_eq!(life.fields.len(), 4);
}
