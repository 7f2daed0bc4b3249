// SPDX-License-Identifier: GPL-2.0-only
//! What C compilers for the machines that LTTng runs on make of the table.
//!
//! Nothing is run: the compilers check offsets and sizes, and say no if one is another.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::table::{Structure, Table};

/// Compilers for the machines that a daemon is built for. Those that are not installed are not asked.
const COMPILERS: [&str; 6] = [
    "gcc",
    "aarch64-linux-gnu-gcc",
    "arm-linux-gnueabihf-gcc",
    "i686-linux-gnu-gcc",
    "riscv64-linux-gnu-gcc",
    "s390x-linux-gnu-gcc",
];

/// Where a compiler says no; `None` if it is not installed.
fn complaints(compiler: &str, source: &str) -> Option<String> {
    let mut command = Command::new(compiler);
    command.args(["-std=c11", "-fsyntax-only", "-x", "c", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), said.is_empty(), "{compiler}: {said}");
    Some(said)
}

/// A name without dots.
fn plain(name: &str) -> String {
    name.replace('.', "__")
}

fn c_type(table: &Table, kind: &str) -> String {
    match kind {
        "char" | "pad" => "char".into(),
        "pointer" => "void *".into(),
        "enum" => "enum number".into(),
        "f64" => "double".into(),
        _ if Table::width(kind).is_some() => {
            format!("{}int{}_t", if kind.starts_with('u') { "u" } else { "" }, &kind[1..])
        }
        _ => format!("{} t_{}", keyword(table.structure(kind)), plain(kind)),
    }
}

fn keyword(structure: &Structure) -> &'static str {
    if structure.is_union { "union" } else { "struct" }
}

/// The table in C, with what it says of offsets and sizes.
fn source(table: &Table) -> String {
    let mut text = String::from("#include <stddef.h>\n#include <stdint.h>\nenum number { ONE = 1 };\n");
    for name in &table.order {
        let structure = table.structure(name);
        let tag = format!("{} t_{}", keyword(structure), plain(name));
        writeln!(text, "{tag} {{").unwrap();
        for member in &structure.members {
            let count = member.count.map(|count| format!("[{count}]")).unwrap_or_default();
            writeln!(text, "\t{} {}{count};", c_type(table, &member.kind), plain(&member.name)).unwrap();
        }
        writeln!(text, "}}{};", if structure.is_packed { " __attribute__((packed))" } else { "" }).unwrap();
        writeln!(text, "_Static_assert(sizeof({tag}) == {}, \"size of {name}\");", structure.size).unwrap();
        for member in &structure.members {
            let (place, offset) = (plain(&member.name), member.offset);
            writeln!(text, "_Static_assert(offsetof({tag}, {place}) == {offset}, \"{name} {place}\");")
                .unwrap();
        }
    }
    text
}

#[test]
fn compilers_for_all_machines_agree_with_the_table() {
    let source = source(Table::shared());
    let mut asked = Vec::new();
    for compiler in COMPILERS {
        if let Some(complaints) = complaints(compiler, &source) {
            assert_eq!(complaints, "", "{compiler}");
            asked.push(compiler);
        }
    }
    println!("asked: {asked:?}");
}

/// What would be said if there were a mistake in the table, or a structure that differs among machines.
#[test]
fn compilers_do_not_agree_with_anything() {
    let mut table = Table::read();
    let field = table.structures.get_mut("lttng_log_level_rule_comm").unwrap();
    field.members[1].offset = 1;
    let damaged = source(&table);
    let differing = "#include <stdint.h>\nstruct s { uint32_t a; uint64_t b; };\n\
                     _Static_assert(sizeof(struct s) == 16, \"here it is another\");\n";
    for compiler in COMPILERS {
        let Some(said) = complaints(compiler, &damaged) else { continue };
        assert!(said.contains("lttng_log_level_rule_comm level"), "{compiler}: {said}");
        let differs = complaints(compiler, differing).unwrap().contains("here it is another");
        assert!(compiler == "gcc" || differs == compiler.starts_with("i686"), "{compiler}");
    }
}
