// SPDX-License-Identifier: GPL-2.0-only
//! The check of filter bytecode against what the stock library compiled, damaged code and arbitrary bytes; and
//! the compiler of filters and captures against the same recordings, refused ones included.

// Helpers and strategies stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use lttng_protocol::expression::EventExpression;
use lttng_protocol::filter::agent::{self, Level};
use lttng_protocol::filter::{
    Bytecode, CompileErrorKind, Error, Fault, MAX_CODE, MAX_DATA, MAX_NAME, MAX_STACK, capture, compile,
    validate,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::path::PathBuf;

/// A recorded bytecode: the expression it came from, the size of its code, its data.
#[derive(Debug, Clone)]
struct Recorded {
    expression: String,
    reloc_offset: u32,
    data: Vec<u8>,
}

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/filter").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Code and table as a compiler on this machine makes them, from what one on a little-endian machine has made: where need
/// be, the numbers in operands (`protocol/doc/filter-bytecode.md`) and the offsets in the table are turned round.
fn of_this_machine(data: &[u8], reloc_offset: usize) -> Vec<u8> {
    if cfg!(target_endian = "little") {
        return data.to_vec();
    }
    let (mut code, mut table) = data.split_at(reloc_offset.min(data.len()));
    let mut turned = Vec::with_capacity(data.len());
    let mut take = |bytes: &mut &[u8], count: usize, is_number: bool| {
        let (part, rest) = bytes.split_at(count.min(bytes.len()));
        *bytes = rest;
        turned.extend(part);
        if is_number && part.len() == count {
            let start = turned.len() - count;
            turned[start..].reverse();
        }
    };
    let text = |bytes: &[u8]| bytes.iter().position(|&byte| byte == 0).map_or(bytes.len(), |end| end + 1);
    while let Some(&opcode) = code.first() {
        take(&mut code, 1, false);
        match opcode {
            // A skip, the place of a field or context, a symbol.
            57..=63 | 70..=73 | 82..=84 => take(&mut code, 2, true),
            // A number, an index.
            65 | 66 | 85 => take(&mut code, 8, true),
            64 | 76 => {
                let length = text(code);
                take(&mut code, length, false);
            }
            _ => {}
        }
    }
    while !table.is_empty() {
        take(&mut table, 2, true);
        let length = text(table);
        take(&mut table, length, false);
    }
    turned
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The bytecodes of a file whose last three columns are expression, offset and data. `-` is no bytecode.
fn recorded(name: &str) -> Vec<Recorded> {
    let text = String::from_utf8(file(name)).unwrap();
    let rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter_map(|row| {
        let [.., expression, offset, hex] = row[..] else { panic!("{name}: {row:?}") };
        (hex != "-").then(|| Recorded {
            expression: expression.to_owned(),
            reloc_offset: offset.parse().unwrap(),
            data: of_this_machine(&unhex(hex), offset.parse().unwrap()),
        })
    })
    .collect()
}

fn all_recorded() -> Vec<Recorded> {
    [
        "filters.tsv",
        "filters-special-characters.tsv",
        "filters-generated.tsv",
        "agent-enable-event.tsv",
        "trigger-agent-filters.tsv",
    ]
    .into_iter()
    .flat_map(recorded)
    .collect()
}

/// The rows of a file, as columns.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = String::from_utf8(file(name)).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

impl Recorded {
    /// The expression of a file that has it in hexadecimal.
    fn unhexed(self) -> (Vec<u8>, Bytecode) {
        (unhex(&self.expression), Bytecode { data: self.data, reloc_offset: self.reloc_offset })
    }

    fn plain(self) -> (Vec<u8>, Bytecode) {
        (self.expression.into_bytes(), Bytecode { data: self.data, reloc_offset: self.reloc_offset })
    }
}

#[test]
fn every_recorded_filter_is_accepted() {
    let filters = all_recorded();
    for filter in &filters {
        assert_eq!(validate(&filter.data, filter.reloc_offset), Ok(()), "{}", filter.expression);
    }
    assert_eq!(recorded("filters.tsv").len() + recorded("filters-special-characters.tsv").len(), 334);
    assert!(filters.len() > 345, "{}", filters.len());
}

#[test]
fn the_recorded_message_holds_an_accepted_filter() {
    let message = file("filter-full-example.bin");
    let (header, data) = message.split_at(48);
    let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
    assert_eq!(number(0) as usize, data.len());
    let data = of_this_machine(data, number(4) as usize);
    assert_eq!(validate(&data, number(4)), Ok(()));
}

/// A capture ends with a path that the tracer loads by itself: right for a capture, wrong for a filter.
#[test]
fn recorded_captures_are_no_filters() {
    let captures = recorded("captures.tsv");
    assert_eq!(captures.len(), 28);
    for capture in captures {
        let fault = validate(&capture.data, capture.reloc_offset).unwrap_err().fault;
        assert_eq!(fault, Fault::StackEntry, "{}", capture.expression);
        // The same path, loaded, with what that moves.
        let (code, table) = capture.data.split_at(capture.reloc_offset as usize);
        let filter = [&code[..code.len() - 1], &[86, 1], table].concat();
        assert_eq!(validate(&filter, capture.reloc_offset + 1), Ok(()), "{}", capture.expression);
    }
}

#[test]
fn every_truncated_filter_is_refused() {
    for Recorded { expression, reloc_offset, data } in all_recorded() {
        for length in 0..data.len() {
            assert!(validate(&data[..length], reloc_offset).is_err(), "{expression}: {length} bytes");
        }
        let code = &data[..reloc_offset as usize];
        for length in 0..code.len() {
            let cut = [&code[..length], &data[code.len()..]].concat();
            assert!(validate(&cut, length as u32).is_err(), "{expression}: {length} bytes of code");
        }
    }
}

/// `FIELD` in the tables below stands for the load of a field, whose operand is not known before linking.
const FIELD: &str = "3bffff";

/// Checks code and table, given in hexadecimal with spaces.
fn check(code: &str, table: &str) -> Result<(), Error> {
    let bytes = |text: &str| unhex(&text.replace("FIELD", FIELD).replace(' ', ""));
    let (code, table) = (bytes(code), bytes(table));
    let data = of_this_machine(&[code.as_slice(), table.as_slice()].concat(), code.len());
    validate(&data, code.len() as u32)
}

#[test]
fn sound_code_is_accepted() {
    for (code, table) in [
        ("FIELD 01", "0000 6100"),
        ("46ffff 01", "0000 6100"),
        // Skip to the return and, nested, to the instruction before it.
        ("FIELD 43 39 0b00 FIELD 43 01", "0000 6100 0700 6200"),
        ("FIELD 43 3a 1300 FIELD 43 39 1200 FIELD 43 43 01", "0000 6100 0700 6200 0e00 6300"),
        // Text with escapes; empty text; pattern.
        ("FIELD 40 5c2a 5c5c 00 0c 01", "0000 6100"),
        ("FIELD 40 00 0c 01", "0000 6100"),
        ("FIELD 4c 2a61 00 0c 01", "0000 6100"),
        // Paths.
        ("51 52 0200 56 01", "0100 6100"),
        ("50 52 0200 55 0000000000000000 56 01", "0100 6100"),
        ("4f 52 0200 52 0600 55 ffffffffffffffff 56 01", "0100 6100 0400 6200"),
        // No field, no table.
        ("41 0100000000000000 31 32 62 43 01", ""),
        ("42 0000000000000000 44 01", ""),
    ] {
        assert_eq!(check(code, table), Ok(()), "{code} / {table}");
    }
}

#[test]
fn damaged_code_is_refused() {
    for (code, table, offset, fault) in [
        // Opcodes: none, arithmetic, a tracer's own, beyond the last.
        ("00 01", "", 0, Fault::Opcode(0)),
        ("FIELD FIELD 02 01", "0000 6100 0300 6200", 6, Fault::Opcode(2)),
        ("3c0000 01", "0000 6100", 0, Fault::Opcode(60)),
        ("FIELD 63", "0000 6100", 3, Fault::Opcode(99)),
        ("ff 01", "", 0, Fault::Opcode(255)),
        // Operands cut off by the end of the code, whatever the table holds.
        ("3bff", "ff01", 0, Fault::Operand),
        ("41 01000000000000", "0001", 0, Fault::Operand),
        ("42 00000000000000", "0001", 0, Fault::Operand),
        ("40 6162", "0001", 0, Fault::Operand),
        ("4c 2a", "0001", 0, Fault::Operand),
        ("FIELD 39 07", "0001", 3, Fault::Operand),
        ("51 52 02", "0001", 1, Fault::Operand),
        ("51 52 0200 55 00000000000000", "0001", 4, Fault::Operand),
        // Texts.
        ("40 615c 00 01", "", 0, Fault::Escape),
        ("40 5c61 00 01", "", 0, Fault::Escape),
        ("4c 2a5c5c5c 00 01", "", 0, Fault::Escape),
        // References linked already.
        ("3b0000 01", "0000 6100", 0, Fault::Placeholder(0)),
        ("46feff 01", "0000 6100", 0, Fault::Placeholder(0xfffe)),
        // End of the code.
        ("FIELD", "0000 6100", 3, Fault::NoReturn),
        ("FIELD 01 01", "0000 6100", 4, Fault::CodeAfterReturn),
        ("FIELD 01 FIELD 01", "0000 6100 0400 6200", 4, Fault::CodeAfterReturn),
    ] {
        assert_eq!(check(code, table), Err(Error { offset, fault }), "{code} / {table}");
    }
}

#[test]
fn bad_skips_are_refused() {
    let one = "0000 6100 0700 6200";
    let two = "0000 6100 0700 6200 0e00 6300";
    for (code, table, offset, fault) in [
        // Backwards, to itself, into itself, past an empty operand.
        ("FIELD 43 39 0000 FIELD 43 01", one, 4, Fault::SkipTarget(0)),
        ("FIELD 43 39 0400 FIELD 43 01", one, 4, Fault::SkipTarget(4)),
        ("FIELD 43 3a 0500 FIELD 43 01", one, 4, Fault::SkipTarget(5)),
        ("FIELD 43 39 0700 FIELD 43 01", one, 4, Fault::SkipTarget(7)),
        // Into an operand, to the end of the code, into the table, beyond everything.
        ("FIELD 43 39 0800 FIELD 43 01", one, 4, Fault::SkipTarget(8)),
        ("FIELD 43 39 0c00 FIELD 43 01", one, 4, Fault::SkipTarget(12)),
        ("FIELD 43 39 1000 FIELD 43 01", one, 4, Fault::SkipTarget(16)),
        ("FIELD 43 39 ffff FIELD 43 01", one, 4, Fault::SkipTarget(0xffff)),
        // Inner operator beyond the end of the outer's operand.
        ("FIELD 43 3a 1200 FIELD 43 39 1300 FIELD 43 43 01", two, 11, Fault::SkipCrosses(0x13)),
        // Where the ways meet, the stack is one lower, or holds a path instead of a value.
        ("FIELD FIELD 39 0b00 32 32 01", "0000 6100 0300 6200", 11, Fault::StackDiffers),
        ("51 52 0200 FIELD 39 0e00 56 FIELD 0c 01", "0100 6100 0400 6200 0b00 6300", 14, Fault::StackDiffers),
    ] {
        assert_eq!(check(code, table), Err(Error { offset, fault }), "{code} / {table}");
    }
}

#[test]
fn stack_faults_are_refused() {
    let one = "0000 6100";
    for (code, table, offset, fault) in [
        ("01", "", 0, Fault::StackEmpty),
        ("32 01", "", 0, Fault::StackEmpty),
        ("0c 01", "", 0, Fault::StackEmpty),
        ("FIELD 0c 01", one, 3, Fault::StackEmpty),
        ("43 01", "", 0, Fault::StackEmpty),
        ("39 0400 01 01", "", 0, Fault::StackEmpty),
        ("52 0200 01", one, 0, Fault::StackEmpty),
        ("55 0000000000000000 01", "", 0, Fault::StackEmpty),
        ("56 01", "", 0, Fault::StackEmpty),
        ("FIELD FIELD 01", "0000 6100 0300 6200", 6, Fault::ValuesLeft),
        // A path where a value must be.
        ("51 01", "", 1, Fault::StackEntry),
        ("51 52 0200 01", "0100 6100", 4, Fault::StackEntry),
        ("51 52 0200 32 01", "0100 6100", 4, Fault::StackEntry),
        ("51 52 0200 FIELD 0c 01", "0100 6100 0400 6200", 7, Fault::StackEntry),
        // A path without a name, and a value where a path must be.
        ("51 56 01", "", 1, Fault::StackEntry),
        ("51 55 0000000000000000 56 01", "", 1, Fault::StackEntry),
        ("FIELD 56 01", one, 3, Fault::StackEntry),
        ("FIELD 55 0000000000000000 01", one, 3, Fault::StackEntry),
        ("FIELD 52 0600 01", "0000 6100 0300 6200", 3, Fault::StackEntry),
    ] {
        assert_eq!(check(code, table), Err(Error { offset, fault }), "{code} / {table}");
    }
}

#[test]
fn the_stack_is_as_deep_as_that_of_a_tracer() {
    // 1 & (1 & (1 & ...
    let nested = |depth: usize| {
        let literal = "41 0100000000000000 ".repeat(depth);
        check(&format!("{literal} {} 01", "09 ".repeat(depth - 1)), "")
    };
    assert_eq!(nested(MAX_STACK), Ok(()));
    let offset = MAX_STACK * 9;
    assert_eq!(nested(MAX_STACK + 1), Err(Error { offset, fault: Fault::StackFull }));
    // The same operators without parentheses, and however many nested logical ones, need no depth.
    let flat = format!("{0} {1} 01", "41 0100000000000000", "41 0100000000000000 09 ".repeat(500));
    assert_eq!(check(&flat, ""), Ok(()));
    let operators = 5000;
    let end = (operators * 12 + 9) as u16;
    let number = [&[65][..], &1_i64.to_ne_bytes()].concat();
    let skip = [&[58], &end.to_ne_bytes()[..]].concat();
    let chain = [[number.as_slice(), &skip].concat().repeat(operators), number, vec![1]].concat();
    assert_eq!(validate(&chain, chain.len() as u32), Ok(()));
}

#[test]
fn bad_relocation_tables_are_refused() {
    let path = "51 52 0200 52 0600 56 01";
    for (code, table, offset, fault) in [
        ("FIELD 01", "", 0, Fault::NotRelocated),
        ("46ffff 01", "", 0, Fault::NotRelocated),
        ("51 52 0200 56 01", "", 1, Fault::NotRelocated),
        ("FIELD FIELD 0c 01", "0000 6100", 3, Fault::NotRelocated),
        // Cut off.
        ("FIELD 01", "00", 4, Fault::Entry),
        ("FIELD 01", "0000", 4, Fault::Entry),
        ("FIELD 01", "0000 61", 4, Fault::Entry),
        // Another instruction, an operand, beyond the code; twice, or not in the order of the code.
        ("FIELD 01", "0300 6100", 4, Fault::EntryOffset(3)),
        ("FIELD 01", "0100 6100", 4, Fault::EntryOffset(1)),
        ("FIELD 01", "ffff 6100", 4, Fault::EntryOffset(0xffff)),
        ("FIELD FIELD 0c 01", "0000 6100 0000 6200", 12, Fault::EntryOffset(0)),
        ("FIELD FIELD 0c 01", "0300 6100 0000 6200", 8, Fault::EntryOffset(3)),
        ("FIELD 01", "0000 00", 4, Fault::NameLength(0)),
        // More than is needed.
        ("FIELD 01", "0000 6100 0000 6200", 8, Fault::TrailingBytes),
        ("FIELD 01", "0000 6100 00", 8, Fault::TrailingBytes),
        ("41 0000000000000000 01", "0000 6100", 10, Fault::TrailingBytes),
        // Symbols: outside of the table, inside of a name, at an offset, at another's name.
        ("51 52 ffff 56 01", "0100 6100", 1, Fault::Symbol(0xffff)),
        ("51 52 0300 56 01", "0100 6100", 1, Fault::Symbol(3)),
        ("51 52 0000 56 01", "0100 6100", 1, Fault::Symbol(0)),
        ("51 52 0600 52 0600 56 01", "0100 6100 0400 6200", 1, Fault::Symbol(6)),
        (path, "0100 616100 0400 6200", 4, Fault::Symbol(6)),
    ] {
        assert_eq!(check(code, table), Err(Error { offset, fault }), "{code} / {table}");
    }
    let named = |length: usize| check("FIELD 01", &format!("0000 {} 00", "61".repeat(length)));
    assert_eq!(named(MAX_NAME), Ok(()));
    assert_eq!(named(MAX_NAME + 1), Err(Error { offset: 4, fault: Fault::NameLength(MAX_NAME + 1) }));
}

#[test]
fn sizes_are_limited() {
    let refused = |fault| Err(Error { offset: 0, fault });
    assert_eq!(validate(&[], 0), refused(Fault::DataSize(0)));
    assert_eq!(validate(&[1; MAX_DATA + 1], 1), refused(Fault::DataSize(MAX_DATA + 1)));
    assert_eq!(validate(&[1], 0), refused(Fault::TableOffset(0)));
    assert_eq!(validate(&[1], 2), refused(Fault::TableOffset(2)));
    assert_eq!(validate(&[1], u32::MAX), refused(Fault::TableOffset(u32::MAX)));
    // A text that makes the code as long as can be, and one byte longer.
    let long = |size: usize| [&[64][..], &vec![b'a'; size - 3], &[0, 1]].concat();
    assert_eq!(validate(&long(MAX_CODE), MAX_CODE as u32), Ok(()));
    assert_eq!(validate(&long(MAX_DATA), MAX_DATA as u32), refused(Fault::TableOffset(MAX_DATA as u32)));
}

#[test]
fn errors_say_what_and_where() {
    let error = check("FIELD 01", "0000 61").unwrap_err();
    assert_eq!(error.to_string(), "filter bytecode at byte 4: incomplete relocation");
}

/// Every recorded expression that compiles, with its bytecode.
fn accepted() -> Vec<(Vec<u8>, Bytecode)> {
    let plain = ["filters.tsv", "agent-enable-event.tsv", "trigger-agent-filters.tsv"];
    let hexadecimal = ["filters-special-characters.tsv", "filters-generated.tsv"];
    let plain = plain.into_iter().flat_map(recorded).map(Recorded::plain);
    plain.chain(hexadecimal.into_iter().flat_map(recorded).map(Recorded::unhexed)).collect()
}

/// Every recorded expression that does not compile, with the name of the reason where it was given one.
fn refused() -> Vec<(Vec<u8>, Option<String>)> {
    let named = rows("filters-rejected.tsv").into_iter().map(|row| {
        let [expression, class] = &row[..] else { panic!("{row:?}") };
        let expression = expression.strip_prefix("hex:").map_or(expression.clone().into_bytes(), unhex);
        (expression, Some(class.clone()))
    });
    let generated = rows("filters-generated.tsv").into_iter().filter(|row| row[2] == "-");
    named.chain(generated.map(|row| (unhex(&row[0]), None))).collect()
}

#[test]
fn every_recorded_filter_compiles_to_the_recorded_bytes() {
    let accepted = accepted();
    for (expression, bytecode) in &accepted {
        assert_eq!(compile(expression).as_ref(), Ok(bytecode), "{}", expression.escape_ascii());
    }
    assert_eq!(accepted.len(), 322 + 12 + 18 + 3 + 368);
}

#[test]
fn every_refused_filter_is_refused_for_its_reason() {
    use CompileErrorKind as Kind;
    let refused = refused();
    for (expression, class) in &refused {
        let error = compile(expression).expect_err(&expression.escape_ascii().to_string());
        assert!(error.position <= expression.len(), "{error}");
        let is_syntax = matches!(
            error.kind,
            Kind::UnexpectedByte(_)
                | Kind::UnterminatedText
                | Kind::EmptyQuotes
                | Kind::ExpectedOperand
                | Kind::ExpectedOperator
                | Kind::ExpectedName
                | Kind::ExpectedBracket
                | Kind::UnclosedParenthesis
                | Kind::Unopened(_)
        );
        let is_reason = match class.as_deref() {
            None => true,
            Some("syntax") => is_syntax,
            Some("number-hex-prefix") => error.kind == Kind::HexadecimalPrefix,
            Some("number-octal-suffix") => error.kind == Kind::SuffixOfZero,
            Some("string-ESCSEQ-token") => error.kind == Kind::ReservedText,
            Some("string-escape") => error.kind == Kind::Escape,
            Some("index-not-constant") => error.kind == Kind::IndexNotConstant,
            Some("context-without-name") => error.kind == Kind::ContextWithoutName,
            Some("unknown-dollar-root") => error.kind == Kind::UnknownRoot,
            Some("root-string") => error.kind == Kind::TextResult,
            Some("root-float") => error.kind == Kind::FloatResult,
            Some("compare-string-with-number") => error.kind == Kind::TextAndNumber,
            Some("bitwise-float") => error.kind == Kind::FloatOperand,
            Some("bitwise-string" | "logical-string" | "unary-string") => error.kind == Kind::TextOperand,
            Some("arithmetic-operator") => error.kind == Kind::Arithmetic,
            Some("glob-both-sides") => error.kind == Kind::TwoPatterns,
            Some("glob-operator") => error.kind == Kind::PatternOperator,
            Some(other) => panic!("{other}"),
        };
        assert!(is_reason, "{}: {class:?} {error}", expression.escape_ascii());
    }
    assert_eq!(refused.len(), 128 + 212);
}

#[test]
fn recorded_messages_hold_what_is_compiled() {
    let message = file("filter-full-example.bin");
    let bytecode = compile("intfield == 42 && strfield == \"abc\"").unwrap();
    assert_eq!(of_this_machine(&message[48..], bytecode.reloc_offset as usize), bytecode.data);
    assert_eq!(message[4..8], bytecode.reloc_offset.to_le_bytes());
}

/// Reads the textual form of an expression.
fn event_expression(text: &str) -> EventExpression {
    if let Some((parent, index)) = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) {
        let parent = Box::new(event_expression(parent));
        return EventExpression::ArrayElement { index: index.parse().unwrap(), parent };
    }
    if let Some((provider, kind)) = text.strip_prefix("$app.").and_then(|text| text.split_once(':')) {
        return EventExpression::AppContext { provider: provider.to_owned(), kind: kind.to_owned() };
    }
    match text.strip_prefix("$ctx.") {
        Some(name) => EventExpression::ChannelContext(name.to_owned()),
        None => EventExpression::PayloadField(text.to_owned()),
    }
}

#[test]
fn every_recorded_capture_compiles_to_the_recorded_bytes() {
    let captures = recorded("captures.tsv");
    for Recorded { expression: text, reloc_offset, data } in &captures {
        let expression = event_expression(text);
        assert_eq!(expression.to_string(), *text);
        let bytecode = Bytecode { data: data.clone(), reloc_offset: *reloc_offset };
        assert_eq!(capture::compile(&expression), Ok(bytecode), "{text}");
    }
    assert_eq!(captures.len(), 28);
}

#[test]
fn every_recorded_rule_of_an_agent_compiles_to_the_recorded_bytes() {
    let check = |logger: &str, level, filter: Option<&str>, [text, offset, hex]: [&str; 3]| {
        let made = agent::compile_rule(logger.as_bytes(), level, filter.map(str::as_bytes)).unwrap();
        let made = made.map(|filter| (filter.text.to_string(), filter.bytecode));
        let bytecode = || {
            let reloc_offset: u32 = offset.parse().unwrap();
            Bytecode { data: of_this_machine(&unhex(hex), reloc_offset as usize), reloc_offset }
        };
        assert_eq!(
            made,
            (hex != "-").then(|| (text.to_owned(), bytecode())),
            "{logger} {level:?} {filter:?}"
        );
    };
    // The recording does not say which filter the user gave: it is one of these, or none.
    let filters =
        ["msg == \"x\" || int_loglevel == 3", "msg == \"x\"", "msg == \"a*b\"", "$app.prov:ctx == 1"];
    let enabled = rows("agent-enable-event.tsv");
    for row in &enabled {
        let [_, logger, level_type, level, text, offset, hex] = &row[..] else { panic!("{row:?}") };
        let level = match level_type.as_str() {
            "0" => None,
            "1" => Some(Level::AtLeast(level.parse().unwrap())),
            _ => Some(Level::Exactly(level.parse().unwrap())),
        };
        let filter = filters.into_iter().find(|filter| text.contains(filter));
        check(logger, level, filter, [text, offset, hex]);
    }
    let triggers = rows("trigger-agent-filters.tsv");
    for row in &triggers {
        let [_, logger, level, filter, text, offset, hex] = &row[..] else { panic!("{row:?}") };
        let level = level.strip_prefix("exactly ").map(|level| Level::Exactly(level.parse().unwrap()));
        check(logger, level, Some(filter.as_str()).filter(|&filter| filter != "-"), [text, offset, hex]);
    }
    assert_eq!((enabled.len(), triggers.len()), (19, 3));
}

/// Whatever compiles is sound; whatever does not has a mistake with a place.
fn compiles_soundly_or_not(text: &[u8]) {
    match compile(text) {
        Ok(bytecode) => {
            let text = text.escape_ascii();
            assert_eq!(validate(&bytecode.data, bytecode.reloc_offset), Ok(()), "{text}");
        }
        Err(error) => {
            assert!(error.position <= text.len(), "{error}");
            assert!(error.to_string().ends_with('.'));
        }
    }
}

/// Words of the language, so that a sequence of them now and then is an expression.
fn words() -> Vec<&'static str> {
    let operands = ["a", "$ctx.vpid", "$app.p:t", "b[1]", "1", "0x1f", "1.5", "\"x\"", "\"x*\"", "'a*b'"];
    let operators = ["&&", "||", "==", "!=", "<", ">=", "&", "|", "^", "<<", "!", "-", "~", "+"];
    let others =
        ["(", ")", "[", "]", ".", "->", "$ctx", "$foo", "0u", "\"\\x\"", ":", "//", "/*", "*/", "\n"];
    [operands.as_slice(), &operators, &operands, &operators, &others].concat()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(data in vec(any::<u8>(), 0..300), reloc_offset in 0..310_u32) {
        let _ = validate(&data, reloc_offset).map_err(|error| error.to_string());
    }

    /// Bytes that are opcodes more often than not get further.
    #[test]
    fn arbitrary_instructions_never_panic(
        code in vec(select(vec![
            &[1_u8][..], &[12], &[9], &[50], &[57, 20, 0], &[58, 9, 0], &[59, 255, 255], &[64, 97, 0],
            &[65, 1, 0, 0, 0, 0, 0, 0, 0], &[67], &[70, 255, 255], &[81], &[82, 2, 0],
            &[85, 0, 0, 0, 0, 0, 0, 0, 0], &[86],
        ]), 1..30),
        table in vec(any::<u8>(), 0..20),
    ) {
        let code = code.concat();
        let data = [code.as_slice(), &table].concat();
        let _ = validate(&data, code.len() as u32);
    }

    /// Whatever changes in a recorded filter, the check ends with an answer; and what it still accepts has no
    /// byte too many or too few.
    #[test]
    fn changed_filters_are_whole_or_refused(
        filter in select(all_recorded()),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        shift in -2..=2_i64,
    ) {
        let mut data = filter.data;
        for (index, byte) in changes {
            let at = index.index(data.len());
            data[at] = byte;
        }
        let reloc_offset = (i64::from(filter.reloc_offset) + shift) as u32;
        if validate(&data, reloc_offset).is_ok() {
            prop_assert!(validate(&data[..data.len() - 1], reloc_offset).is_err());
            data.push(0);
            prop_assert!(validate(&data, reloc_offset).is_err());
        }
    }

    #[test]
    fn arbitrary_text_compiles_soundly_or_not(text in vec(any::<u8>(), 0..200)) {
        compiles_soundly_or_not(&text);
    }

    #[test]
    fn arbitrary_words_compile_soundly_or_not(words in vec(select(words()), 0..30), separator in " ?") {
        compiles_soundly_or_not(words.join(&separator).as_bytes());
    }

    /// Alternating operands and operators, which most often compiles.
    #[test]
    fn arbitrary_operators_compile_soundly_or_not(
        pairs in vec((
            select(vec!["", "(", "(", "(", "!", "-("]),
            select(vec!["a", "a", "b[2].c", "3", "2.5"]),
            select(vec!["", "", "", ")", "))"]),
            select(vec!["==", "<", "&", "<<", "==", "<=", "&&", "||"]),
        ), 1..30),
        last in select(vec!["a", "0", "1.5"]),
    ) {
        let mut text = String::new();
        for (prefix, operand, suffix, operator) in pairs {
            text.extend([prefix, operand, suffix, operator]);
        }
        let open = text.matches('(').count();
        let close = text.matches(')').count();
        text = format!("{}{text}{last}{}", "(".repeat(close), ")".repeat(open));
        compiles_soundly_or_not(text.as_bytes());
    }

    #[test]
    fn changed_texts_compile_soundly_or_not(
        (mut text, _) in select(accepted()),
        changes in vec((any::<Index>(), any::<u8>(), any::<bool>()), 1..4),
    ) {
        for (index, byte, insert) in changes {
            let at = index.index(text.len());
            if insert { text.insert(at, byte) } else { text[at] = byte }
        }
        compiles_soundly_or_not(&text);
    }

    /// A captured path that is loaded is a sound filter.
    #[test]
    fn arbitrary_captures_are_sound_paths(
        kind in 0..3, name in "[^\0]{1,40}", other in "[^\0]{0,40}", indexes in vec(any::<u32>(), 0..4),
    ) {
        let root = match kind {
            0 => EventExpression::PayloadField(name),
            1 => EventExpression::ChannelContext(name),
            _ => EventExpression::AppContext { provider: name, kind: other },
        };
        let expression = indexes.into_iter().fold(root, |parent, index| {
            EventExpression::ArrayElement { index, parent: Box::new(parent) }
        });
        let Ok(Bytecode { data, reloc_offset }) = capture::compile(&expression) else { return Ok(()) };
        let (code, table) = data.split_at(reloc_offset as usize);
        let filter = [&code[..code.len() - 1], &[86, 1], table].concat();
        prop_assert_eq!(validate(&filter, reloc_offset + 1), Ok(()));
    }
}
