// SPDX-License-Identifier: GPL-2.0-only
//! Places of probes in ELF files: made-up ones of every class and byte order, damaged ones, and programs of this machine.

// Helpers and strategies stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lttng_protocol::elf::{Error, MAX_OFFSETS, Source, function_offset, probe_offsets};
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes in memory. Counts what is read.
struct Bytes<'a> {
    bytes: &'a [u8],
    read: &'a Cell<usize>,
}

impl Source for Bytes<'_> {
    type Error = &'static str;

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Self::Error> {
        let offset = usize::try_from(offset).map_err(|_| "far away")?;
        let bytes = self.bytes.get(offset..offset + buffer.len()).ok_or("asked for more than there is")?;
        buffer.copy_from_slice(bytes);
        self.read.set(self.read.get() + buffer.len());
        Ok(())
    }
}

struct OnDisk(File);

impl Source for OnDisk {
    type Error = std::io::ErrorKind;

    fn size(&self) -> u64 {
        self.0.metadata().unwrap().len()
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read_exact_at(buffer, offset).map_err(|error| error.kind())
    }
}

fn function(bytes: &[u8], name: &str) -> Result<u64, Error<&'static str>> {
    function_offset(Bytes { bytes, read: &Cell::new(0) }, name.as_bytes())
}

fn probe(bytes: &[u8], provider: &str, name: &str) -> Result<Vec<u64>, Error<&'static str>> {
    probe_offsets(Bytes { bytes, read: &Cell::new(0) }, provider.as_bytes(), name.as_bytes())
}

/// How numbers are written.
#[derive(Debug, Clone, Copy)]
struct Format {
    wide: bool,
    big: bool,
}

const FORMATS: [Format; 4] = [
    Format { wide: true, big: false },
    Format { wide: true, big: true },
    Format { wide: false, big: false },
    Format { wide: false, big: true },
];

impl Format {
    fn number(self, value: u64, size: usize) -> Vec<u8> {
        let mut bytes = value.to_le_bytes()[..size].to_vec();
        if self.big {
            bytes.reverse();
        }
        bytes
    }

    fn word(self, value: u64) -> Vec<u8> {
        self.number(value, if self.wide { 8 } else { 4 })
    }

    fn symbol(self, name: usize, info: u8, value: u64) -> Vec<u8> {
        let name = self.number(name as u64, 4);
        if self.wide {
            [name, vec![info, 0, 1, 0], self.word(value), self.word(0)].concat()
        } else {
            [name, self.word(value), self.word(0), vec![info, 0, 1, 0]].concat()
        }
    }

    fn note(self, kind: u64, name: &[u8], description: &[u8]) -> Vec<u8> {
        let padded = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let sizes = [name.len(), description.len()].map(|size| self.number(size as u64, 4)).concat();
        [sizes, self.number(kind, 4), padded(name), padded(description)].concat()
    }

    fn sdt(self, address: u64, semaphore: u64, provider: &str, probe: &str) -> Vec<u8> {
        let words = [address, 0x5000, semaphore].map(|word| self.word(word)).concat();
        let text = format!("{provider}\0{probe}\0-4@%edi\0");
        self.note(3, b"stapsdt\0", &[&words, text.as_bytes()].concat())
    }

    /// A file with these sections, of name, address and contents, behind one without a name. Symbols have their size.
    fn file(self, sections: &[(&str, u64, Vec<u8>)]) -> Vec<u8> {
        let (header, stride, symbol) = if self.wide { (64, 64, 24) } else { (52, 40, 16) };
        let mut names = vec![0];
        let mut places = Vec::new();
        for (name, ..) in sections {
            places.push(names.len() as u64);
            names.extend(name.bytes().chain([0]));
        }
        places.push(names.len() as u64);
        names.extend(b".shstrtab\0");
        let mut contents: Vec<u8> = Vec::new();
        let mut headers = vec![0; stride];
        let last = (".shstrtab", 0, names);
        for ((name, address, bytes), place) in sections.iter().chain([&last]).zip(places) {
            let entry = if name.ends_with("sym") || *name == ".symtab" { symbol } else { 0 };
            let offset = (header + contents.len()) as u64;
            headers.extend([self.number(place, 4), self.number(1, 4), self.word(0)].concat());
            headers.extend([*address, offset, bytes.len() as u64].map(|word| self.word(word)).concat());
            headers.extend([self.number(0, 8), self.word(1), self.word(entry)].concat());
            contents.extend(bytes);
        }
        let table = (header + contents.len()) as u64;
        let count = headers.len() / stride;
        let mut file = vec![0x7F, b'E', b'L', b'F', 1 + u8::from(self.wide), 1 + u8::from(self.big), 1];
        file.resize(16, 0);
        file.extend([self.number(2, 2), self.number(62, 2), self.number(1, 4)].concat());
        file.extend([0, 0, table].map(|word| self.word(word)).concat());
        file.extend(self.number(0, 4));
        let numbers = [header, 0, 0, stride, count, count - 1];
        file.extend(numbers.map(|number| self.number(number as u64, 2)).concat());
        assert_eq!(file.len(), header);
        [file, contents, headers].concat()
    }

    fn with_symbols(self, table: &str, strings: &str, symbols: &[Vec<u8>], names: &[u8]) -> Vec<u8> {
        self.file(&[
            (".text", 0x1000, vec![0x90; 64]),
            (table, 0, symbols.concat()),
            (strings, 0, names.to_vec()),
        ])
    }

    fn with_notes(self, notes: &[Vec<u8>]) -> Vec<u8> {
        self.file(&[(".text", 0x1000, vec![0x90; 64]), (".note.stapsdt", 0, notes.concat())])
    }

    /// Where the text of these files is.
    fn text(self) -> u64 {
        if self.wide { 64 } else { 52 }
    }
}

#[test]
fn functions_are_found_in_every_format() {
    for format in FORMATS {
        let names = b"\0other\0main\0";
        let symbols = [
            format.symbol(0, 0, 0),
            format.symbol(1, 0x12, 0x1004),
            format.symbol(7, 0x11, 0x1008), // an object
            format.symbol(7, 0x12, 0x1010),
            format.symbol(7, 0x02, 0x1020), // the first counts
            format.symbol(3, 0x12, 0x1030), // "her", the end of another name
        ];
        for (table, strings) in [(".symtab", ".strtab"), (".dynsym", ".dynstr")] {
            let file = format.with_symbols(table, strings, &symbols, names);
            assert_eq!(function(&file, "main"), Ok(format.text() + 0x10), "{format:?}");
            assert_eq!(function(&file, "other"), Ok(format.text() + 4));
            assert_eq!(function(&file, "her"), Ok(format.text() + 0x30));
            for name in ["", "mai", "ain", "main2", "main\0", "r\0main"] {
                assert_eq!(function(&file, name), Err(Error::NotFound), "{name:?}");
            }
        }
    }
}

#[test]
fn the_dynamic_table_is_for_files_without_another() {
    let format = FORMATS[0];
    let tables = |first: &str, second: &str| {
        format.file(&[
            (".text", 0x1000, vec![0; 64]),
            (first, 0, format.symbol(1, 2, 0x1001)),
            (second, 0, format.symbol(3, 2, 0x1002)),
            (".strtab", 0, b"\0a\0b\0".to_vec()),
            (".dynstr", 0, b"\0a\0b\0".to_vec()),
        ])
    };
    let both = tables(".symtab", ".dynsym");
    assert_eq!(function(&both, "a"), Ok(format.text() + 1));
    assert_eq!(function(&both, "b"), Err(Error::NotFound));
    assert_eq!(function(&tables(".dynsym", ".symtab"), "b"), Ok(format.text() + 2));
    assert_eq!(function(&tables(".symtab", ".symtab"), "b"), Err(Error::NotFound));
    let none = format.file(&[(".text", 0x1000, vec![0; 64])]);
    assert_eq!(function(&none, "a"), Err(Error::NotFound));
    let nameless = format.with_symbols(".symtab", ".dynstr", &[format.symbol(1, 2, 0x1001)], b"\0a\0");
    assert!(matches!(function(&nameless, "a"), Err(Error::Malformed(_))));
}

#[test]
fn only_text_is_probed() {
    for format in FORMATS {
        let at = |value| {
            let names = b"\0f\0";
            function(&format.with_symbols(".symtab", ".strtab", &[format.symbol(1, 2, value)], names), "f")
        };
        assert_eq!([at(0x1000), at(0x1040)], [Ok(format.text()), Ok(format.text() + 64)]);
        let outside = Err(Error::OutsideText);
        assert_eq!([at(0), at(0xFFF), at(0x1041), at(u64::MAX)], [outside; 4]);
    }
    let format = FORMATS[0];
    let symbol = format.symbol(1, 2, 0x1000);
    let file = format.file(&[(".symtab", 0, symbol), (".strtab", 0, b"\0f\0".to_vec())]);
    assert_eq!(function(&file, "f"), Err(Error::OutsideText));
}

#[test]
fn names_are_found_across_pieces() {
    let format = FORMATS[0];
    for shift in 65_500..65_560 {
        let names = [&b"\0"[..], &vec![b'x'; shift], b"\0needle\0"].concat();
        let symbols = [format.symbol(1, 2, 0x1001), format.symbol(shift + 2, 2, 0x1002)];
        let file = format.with_symbols(".symtab", ".strtab", &symbols, &names);
        assert_eq!(function(&file, "needle"), Ok(format.text() + 2), "{shift}");
    }
    // A name that has no end is none.
    let symbols = [format.symbol(1, 2, 0x1001)];
    assert_eq!(
        function(&format.with_symbols(".symtab", ".strtab", &symbols, b"\0f"), "f"),
        Err(Error::NotFound)
    );
}

#[test]
fn every_part_is_read_once() {
    let format = FORMATS[0];
    let names = [&b"\0"[..], &b"ab\0".repeat(100_000), b"last\0"].concat();
    let mut symbols: Vec<Vec<u8>> =
        (0..100_000).map(|number| format.symbol((number * 7919 % 100_000) * 3 + 1, 2, 0x1001)).collect();
    symbols.push(format.symbol(300_001, 2, 0x1002));
    let file = format.with_symbols(".symtab", ".strtab", &symbols, &names);
    let read = Cell::new(0);
    let found = function_offset(Bytes { bytes: &file, read: &read }, b"last");
    assert_eq!(found, Ok(format.text() + 2));
    assert!(read.get() < file.len() + 500_000, "{} of {}", read.get(), file.len());
}

#[test]
fn probes_are_found_in_every_format() {
    for format in FORMATS {
        let notes = [
            format.sdt(0x1005, 0, "p", "a"),
            format.note(3, b"stapsdt\0", b"short"),
            format.note(2, b"stapsdt\0", &[0; 64]),
            format.note(3, b"GNU\0", &[0; 64]),
            format.sdt(0x1006, 0, "p", "ab"),
            format.sdt(0x1007, 0x3000, "p", "guarded"),
            format.sdt(0x1003, 0, "p", "a"),
            format.sdt(0x2000, 0, "p", "outside"),
        ];
        let file = format.with_notes(&notes);
        assert_eq!(probe(&file, "p", "a"), Ok(vec![format.text() + 5, format.text() + 3]), "{format:?}");
        assert_eq!(probe(&file, "p", "ab"), Ok(vec![format.text() + 6]));
        assert_eq!(probe(&file, "p", "guarded"), Err(Error::Semaphore));
        assert_eq!(probe(&file, "p", "outside"), Err(Error::OutsideText));
        for (provider, name) in
            [("p", "b"), ("", "a"), ("p", ""), ("q", "a"), ("p\0a", "-4@%edi"), ("P", "a")]
        {
            assert_eq!(probe(&file, provider, name), Err(Error::NotFound));
        }
        assert_eq!(function(&file, "a"), Err(Error::NotFound));
    }
}

#[test]
fn the_places_of_a_probe_are_limited() {
    let format = FORMATS[0];
    let places = |count| {
        let notes: Vec<Vec<u8>> =
            (0..count).map(|number| format.sdt(0x1000 + number as u64, 0, "p", "a")).collect();
        probe(&format.with_notes(&notes), "p", "a").map(|offsets| offsets.len())
    };
    assert_eq!(places(MAX_OFFSETS), Ok(MAX_OFFSETS));
    assert_eq!(places(MAX_OFFSETS + 1), Err(Error::TooMany));
    assert_eq!(probe(&format.with_notes(&[]), "p", "a"), Err(Error::NotFound));
    assert_eq!(probe(&format.file(&[]), "p", "a"), Err(Error::NotFound));
}

#[test]
fn damaged_notes_are_refused() {
    let format = FORMATS[0];
    let whole = format.sdt(0x1005, 0, "p", "ab");
    let file = |note: Vec<u8>| probe(&format.with_notes(&[whole.clone(), note]), "p", "ab");
    for cut in 1..whole.len() {
        // The last three bytes are padding.
        assert_eq!(file(whole[..cut].to_vec()).is_ok(), cut + 3 >= whole.len(), "{cut}");
    }
    assert!(matches!(file(format.note(3, b"", b"abc")), Err(Error::Malformed(_))));
    assert!(matches!(file([[0xFF; 8], [3, 0, 0, 0, 0, 0, 0, 0]].concat()), Err(Error::Malformed(_))));
}

#[test]
fn other_files_are_refused() {
    let malformed = |bytes: &[u8]| matches!(function(bytes, "f"), Err(Error::Malformed(_)));
    assert!(malformed(b"") && malformed(b"#!/bin/sh\nexit 0\n") && malformed(b"\x7FELF"));
    for format in FORMATS {
        let names = b"\0f\0";
        let whole = format.with_symbols(".symtab", ".strtab", &[format.symbol(1, 2, 0x1000)], names);
        assert_eq!(function(&whole, "f"), Ok(format.text()));
        for length in 0..whole.len() {
            assert!(malformed(&whole[..length]), "{length}");
        }
        for (offset, value) in [(0, 0), (4, 3), (4, 0), (5, 0), (5, 3), (6, 2)] {
            let mut other = whole.clone();
            other[offset] = value;
            assert!(malformed(&other), "{offset}");
        }
    }
}

#[test]
fn the_instruction_set_is_no_part_of_an_address() {
    let format = FORMATS[2];
    let names = b"\0f\0";
    let mut file = format.with_symbols(".symtab", ".strtab", &[format.symbol(1, 2, 0x1005)], names);
    assert_eq!(function(&file, "f"), Ok(format.text() + 5));
    file[18] = 40;
    assert_eq!(function(&file, "f"), Ok(format.text() + 4));
}

/// A program in a folder of its own, if there is a compiler.
fn compiled(name: &str, flags: &[&str]) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("elf-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    let (code, program) = (folder.join("program.c"), folder.join("program"));
    std::fs::write(&code, CODE).unwrap();
    let status = Command::new("cc").args(flags).arg("-o").arg(&program).arg(&code).status().ok()?;
    assert!(status.success(), "cc {flags:?}");
    Some(program)
}

/// The notes are as `sys/sdt.h` makes them.
const CODE: &str = r#"
#define SDT(name, semaphore) \
    __asm__ volatile ("990: nop\n.pushsection .note.stapsdt,\"?\",\"note\"\n.balign 4\n" \
        ".4byte 992f-991f, 994f-993f, 3\n991: .asciz \"stapsdt\"\n992: .balign 4\n" \
        "993: .8byte 990b, 0, " semaphore "\n.asciz \"prog\"\n.asciz \"" name "\"\n.asciz \"\"\n" \
        "994: .balign 4\n.popsection\n")
__attribute__((noinline)) int probed_function(int value) { SDT("twice", "0"); return value + 1; }
int main(int argc, char **argv) { SDT("twice", "0"); SDT("guarded", "4"); return probed_function(argc); }
"#;

fn of_file(path: &Path, name: &str) -> Result<u64, Error<std::io::ErrorKind>> {
    function_offset(OnDisk(File::open(path).unwrap()), name.as_bytes())
}

/// The functions that `readelf` shows, in its order, with their offsets; outside of the text they have none. Nothing if
/// there is no `readelf`, or it shows a file with two tables of symbols. On arm the lowest bit of an address is none of its
/// place: it says which instruction set the function is in.
fn by_readelf(path: &Path) -> Vec<(String, Option<u64>)> {
    let run = |flags: &str| {
        let output = Command::new("readelf").args([flags, "-W"]).arg(path).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (Some(sections), Some(symbols)) = (run("-S"), run("-s")) else { return Vec::new() };
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let text = sections.lines().find_map(|line| line.split(" .text ").nth(1)).unwrap();
    let text: Vec<&str> = text.split_whitespace().collect();
    let (address, offset, size) = (number(text[1]), number(text[2]), number(text[3]));
    let is_arm = run("-h").is_some_and(|header| header.lines().any(|line| line.ends_with(" ARM")));
    // The table of all symbols comes last. Versions stand in its names; those of dynamic ones are elsewhere.
    let symbols = symbols.rsplit("Symbol table").next().unwrap();
    let dynamic = symbols.starts_with(" '.dynsym'");
    let functions = symbols.lines().map(|line| line.split_whitespace().collect::<Vec<&str>>());
    functions
        .filter(|fields| fields.get(3) == Some(&"FUNC") && fields.len() >= 8)
        .map(|fields| {
            let inside = number(fields[1]).checked_sub(address).filter(|inside| *inside <= size);
            let name = if dynamic { fields[7].split('@').next().unwrap() } else { fields[7] };
            (name.to_owned(), inside.map(|inside| (offset + inside) & !u64::from(is_arm)))
        })
        .collect()
}

/// Checks every `step`th function of a program.
fn like_readelf(path: &Path, step: usize) {
    let functions = by_readelf(path);
    for (name, _) in functions.iter().step_by(step) {
        let first = functions.iter().find(|(other, _)| other == name).unwrap();
        let expected = first.1.ok_or(Error::OutsideText);
        assert_eq!(of_file(path, name), expected, "{name} of {}", path.display());
    }
}

#[test]
fn functions_of_a_compiled_program() {
    for (name, flags) in [("default", &[][..]), ("fixed", &["-no-pie", "-O2"])] {
        let Some(program) = compiled(name, flags) else { return };
        assert!(of_file(&program, "probed_function").is_ok());
        like_readelf(&program, 1);
        assert_eq!(of_file(&program, "no_such_function"), Err(Error::NotFound));
        // What a shared library has is not in this file's text.
        assert!(of_file(&program, "__libc_start_main").is_err());
    }
}

#[test]
fn probes_of_a_compiled_program() {
    let Some(program) = compiled("probes", &["-no-pie"]) else { return };
    let find = |name: &str| probe_offsets(OnDisk(File::open(&program).unwrap()), b"prog", name.as_bytes());
    let offsets = find("twice").unwrap();
    let nops: Vec<u8> = offsets
        .iter()
        .map(|&offset| {
            let mut byte = [0];
            File::open(&program).unwrap().read_exact_at(&mut byte, offset).unwrap();
            byte[0]
        })
        .collect();
    assert_eq!(nops.len(), 2);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(nops, [0x90, 0x90]);
    }
    assert_eq!(find("guarded"), Err(Error::Semaphore));
    assert_eq!(find("missing"), Err(Error::NotFound));
}

#[test]
fn functions_of_the_machines_programs() {
    for path in ["/bin/bash", "/lib/x86_64-linux-gnu/libc.so.6"] {
        let path = Path::new(path);
        if path.exists() {
            like_readelf(path, 100);
        }
    }
    // Has a table of all symbols, and a large one.
    like_readelf(&std::env::current_exe().unwrap(), 3000);
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(bytes in vec(any::<u8>(), 0..300), wide in any::<bool>(), big in any::<bool>()) {
        let mut file = bytes;
        for (at, byte) in [0x7F, b'E', b'L', b'F', 1 + u8::from(wide), 1 + u8::from(big), 1].into_iter().enumerate() {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        let _ = (function(&file, "f"), probe(&file, "p", "a"));
    }

    #[test]
    fn damaged_files_have_an_answer(
        format in prop::sample::select(FORMATS.to_vec()),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = format.file(&[
            (".text", 0x1000, vec![0x90; 16]),
            (".symtab", 0, format.symbol(1, 2, 0x1001)),
            (".strtab", 0, b"\0f\0".to_vec()),
            (".note.stapsdt", 0, format.sdt(0x1005, 0, "p", "a")),
        ]);
        for (at, value) in damage {
            let at = at.index(file.len());
            file[at] = value;
        }
        // Never an error of the source: it is asked for what there is only.
        let (found, places) = (function(&file, "f"), probe(&file, "p", "a"));
        prop_assert!(!matches!(found, Err(Error::Read(_))) && !matches!(places, Err(Error::Read(_))));
    }
}
