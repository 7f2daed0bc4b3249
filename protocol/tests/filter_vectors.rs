// SPDX-License-Identifier: GPL-2.0-only
//! The check of filter bytecode against what the stock library compiled, damaged code and arbitrary bytes.

// Helpers and strategies stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use lttng_protocol::filter::{Error, Fault, MAX_CODE, MAX_DATA, MAX_NAME, MAX_STACK, validate};
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
            data: unhex(hex),
        })
    })
    .collect()
}

fn all_recorded() -> Vec<Recorded> {
    ["filters.tsv", "filters-special-characters.tsv", "agent-enable-event.tsv", "trigger-agent-filters.tsv"]
        .into_iter()
        .flat_map(recorded)
        .collect()
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
    assert_eq!(validate(data, number(4)), Ok(()));
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
    validate(&[code.as_slice(), table.as_slice()].concat(), code.len() as u32)
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
    let number: Vec<u8> = unhex("410100000000000000");
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
}
