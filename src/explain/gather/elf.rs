// SPDX-License-Identifier: GPL-2.0-only
//! What a program's or a library's file says about tracing.
//!
//! Only headers, the names for the dynamic linker and the names of tracepoints are read, each with a limit: files are
//! others', and there may be many. What makes no sense is nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::super::evidence::Program;

/// Names for the dynamic linker that are read, in bytes.
const MOST_NAMES: u64 = 16 << 20;
/// Names of tracepoints that are read, in bytes.
const MOST_TRACEPOINTS: u64 = 1 << 20;
/// The most headers of either kind.
const MOST_HEADERS: u64 = 4096;
/// The most entries for the dynamic linker.
const MOST_ENTRIES: usize = 4096;

/// Functions by which a file registers its tracepoint provider: of LTTng-UST 2.13, and of 2.12 and older.
const REGISTER: [&[u8]; 2] = [b"lttng_ust_probe_register", b"lttng_probe_register"];
/// Sections with the names of the tracepoints that a file calls, in the same order.
const TRACEPOINTS: [&[u8]; 2] = [b"lttng_ust_tracepoints_strings", b"__tracepoints_strings"];

const LOADED: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;
const NEEDED: u64 = 1;
const STRINGS: u64 = 5;
const STRINGS_SIZE: u64 = 10;

/// How numbers are written in a file.
#[derive(Clone, Copy)]
struct Format {
    /// Addresses have 64 bits, not 32.
    wide: bool,
    /// The most significant byte comes first.
    big_endian: bool,
}

/// A number of at most 8 bytes.
pub fn number(bytes: &[u8], big_endian: bool) -> u64 {
    let append = |number, byte: &u8| number << 8 | u64::from(*byte);
    let bytes = bytes.iter();
    if big_endian { bytes.fold(0, append) } else { bytes.rev().fold(0, append) }
}

/// Numbers in a file.
struct Numbers<'a> {
    bytes: &'a [u8],
    format: Format,
}

impl Numbers<'_> {
    fn number(&self, at: usize, size: usize) -> Option<u64> {
        Some(number(self.bytes.get(at..at.checked_add(size)?)?, self.format.big_endian))
    }

    /// A number of the size of an address: where it is in files of either kind.
    fn word(&self, narrow: usize, wide: usize) -> Option<u64> {
        if self.format.wide { self.number(wide, 8) } else { self.number(narrow, 4) }
    }

    fn small(&self, narrow: usize, wide: usize, size: usize) -> Option<u64> {
        self.number(if self.format.wide { wide } else { narrow }, size)
    }
}

struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

fn read(file: &File, offset: u64, length: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

/// Reads it, whatever machine it is for. None: it is no ELF file.
pub fn examine(file: &File) -> Option<Program> {
    let mut header = vec![0; 64];
    let length = file.read_at(&mut header, 0).ok()?;
    header.truncate(length);
    let (magic, class, order) = (header.get(..4)?, *header.get(4)?, *header.get(5)?);
    if magic != b"\x7fELF" || !(1..=2).contains(&order) || !(1..=2).contains(&class) {
        return None;
    }
    let format = Format { wide: class == 2, big_endian: order == 2 };
    let header = Numbers { bytes: &header, format };
    let segments = segments(file, &header)?;
    let interpreter = segments.iter().any(|segment| segment.kind == INTERPRETER);
    let dynamic = segments.iter().find(|segment| segment.kind == DYNAMIC);
    let (names, needed) =
        dynamic.and_then(|dynamic| linked(file, format, dynamic, &segments)).unwrap_or_default();
    let provides = names.split(|byte| *byte == 0).any(|name| REGISTER.contains(&name));
    Some(Program {
        bits: if format.wide { 64 } else { 32 },
        is_static: !interpreter && needed.is_empty(),
        needed,
        provides,
        tracepoints: tracepoints(file, &header).unwrap_or_default(),
        set_id: false,
    })
}

fn segments(file: &File, header: &Numbers<'_>) -> Option<Vec<Segment>> {
    let at = header.word(28, 32)?;
    let size = header.small(42, 54, 2)?;
    let number = header.small(44, 56, 2)?.min(MOST_HEADERS);
    let bytes = read(file, at, size.checked_mul(number)?)?;
    let size = usize::try_from(size).ok().filter(|size| *size > 0)?;
    let segment = |bytes: &[u8]| {
        let numbers = Numbers { bytes, format: header.format };
        Some(Segment {
            kind: u32::try_from(numbers.number(0, 4)?).ok()?,
            offset: numbers.word(4, 8)?,
            address: numbers.word(8, 16)?,
            size: numbers.word(16, 32)?,
        })
    };
    bytes.chunks_exact(size).map(segment).collect()
}

/// The names for the dynamic linker, and the libraries that are needed.
fn linked(
    file: &File,
    format: Format,
    dynamic: &Segment,
    segments: &[Segment],
) -> Option<(Vec<u8>, Vec<String>)> {
    let word: usize = if format.wide { 8 } else { 4 };
    let limit = u64::try_from(MOST_ENTRIES * word * 2).ok()?;
    let bytes = read(file, dynamic.offset, dynamic.size.min(limit))?;
    let entries: Vec<(u64, u64)> = bytes
        .chunks_exact(word * 2)
        .map_while(|entry| {
            let numbers = Numbers { bytes: entry, format };
            Some((numbers.number(0, word)?, numbers.number(word, word)?))
        })
        .take_while(|(tag, _)| *tag != 0)
        .collect();
    let value = |wanted: u64| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let address = value(STRINGS)?;
    let inside = |segment: &&Segment| {
        segment.kind == LOADED && address.checked_sub(segment.address).is_some_and(|at| at < segment.size)
    };
    let segment = segments.iter().find(inside)?;
    let offset = segment.offset.checked_add(address - segment.address)?;
    let names = read(file, offset, value(STRINGS_SIZE)?.min(MOST_NAMES))?;
    let name = |at: u64| {
        let rest = names.get(usize::try_from(at).ok()?..)?;
        let name = rest.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(name).into_owned())
    };
    let needed = entries.iter().filter(|(tag, _)| *tag == NEEDED).filter_map(|(_, at)| name(*at)).collect();
    Some((names, needed))
}

/// The names of the tracepoints that are called.
fn tracepoints(file: &File, header: &Numbers<'_>) -> Option<Vec<String>> {
    let at = header.word(32, 40)?;
    let size = header.small(46, 58, 2)?;
    let number = header.small(48, 60, 2)?.min(MOST_HEADERS);
    let names_at = usize::try_from(header.small(50, 62, 2)?).ok()?;
    let bytes = read(file, at, size.checked_mul(number)?)?;
    let size = usize::try_from(size).ok().filter(|size| *size > 0)?;
    // Where a section's name is among the names, where the section is, and how long.
    let section = |bytes: &[u8]| {
        let numbers = Numbers { bytes, format: header.format };
        Some((numbers.number(0, 4)?, numbers.word(16, 24)?, numbers.word(20, 32)?))
    };
    let sections: Vec<(u64, u64, u64)> = bytes.chunks_exact(size).filter_map(section).collect();
    let (_, offset, length) = *sections.get(names_at)?;
    let names = read(file, offset, length.min(MOST_TRACEPOINTS))?;
    let is_called = |at: u64, wanted: &[u8]| {
        let rest = usize::try_from(at).ok().and_then(|at| names.get(at..));
        rest.is_some_and(|rest| rest.split(|byte| *byte == 0).next() == Some(wanted))
    };
    let [parts, whole] = TRACEPOINTS;
    for (name, offset, length) in &sections {
        let is_parts = is_called(*name, parts);
        if is_parts || is_called(*name, whole) {
            let bytes = read(file, *offset, (*length).min(MOST_TRACEPOINTS))?;
            let texts: Vec<String> = bytes
                .split(|byte| *byte == 0)
                .filter(|text| !text.is_empty())
                .map(|text| String::from_utf8_lossy(text).into_owned())
                .collect();
            return Some(if is_parts { joined(&texts) } else { unique(texts) });
        }
    }
    None
}

/// Each event's name stands before its provider's.
fn joined(texts: &[String]) -> Vec<String> {
    let pairs = texts.chunks_exact(2).filter_map(|pair| match pair {
        [event, provider] => Some(format!("{provider}:{event}")),
        _ => None,
    });
    unique(pairs.collect())
}

fn unique(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_read() {
        let own = File::open("/proc/self/exe").unwrap();
        let program = examine(&own).unwrap();
        assert_eq!(program.bits, usize::BITS);
        assert!(!program.provides);
        assert_eq!(program.tracepoints, [""; 0]);
    }

    /// A file header and the header of one segment, the interpreter's, as a machine of either order and class has them.
    #[test]
    fn programs_of_all_machines_are_read() {
        for (wide, big_endian) in [(false, false), (false, true), (true, false), (true, true)] {
            let number = |value: u64, size: usize| {
                let mut bytes = value.to_le_bytes()[..size].to_vec();
                if big_endian {
                    bytes.reverse();
                }
                bytes
            };
            let (size, segment_size) = if wide { (64, 56) } else { (52, 32) };
            let mut bytes = vec![0; size + segment_size];
            bytes[..6].copy_from_slice(&[
                0x7f,
                b'E',
                b'L',
                b'F',
                1 + u8::from(wide),
                1 + u8::from(big_endian),
            ]);
            let [table, sizes] = if wide { [32, 54] } else { [28, 42] };
            let places =
                [(table, size, if wide { 8 } else { 4 }), (sizes, segment_size, 2), (sizes + 2, 1, 2)];
            for (at, value, size) in places.into_iter().chain([(size, INTERPRETER as usize, 4)]) {
                bytes[at..at + size].copy_from_slice(&number(value as u64, size));
            }
            let path = std::env::temp_dir().join(format!("elf-{wide}-{big_endian}-{}", std::process::id()));
            std::fs::write(&path, &bytes).unwrap();
            let program = examine(&File::open(&path).unwrap());
            std::fs::remove_file(path).unwrap();
            let program = program.unwrap();
            assert_eq!((program.bits, program.is_static), (if wide { 64 } else { 32 }, false));
        }
    }

    #[test]
    fn what_is_no_program_is_nothing() {
        assert_eq!(examine(&File::open("/proc/self/status").unwrap()), None);
        assert_eq!(examine(&File::open("/dev/null").unwrap()), None);
    }

    #[test]
    fn names_come_in_pairs() {
        let texts = ["tick", "app", "note", "app", "tick", "app"].map(str::to_owned);
        assert_eq!(joined(&texts), ["app:note", "app:tick"]);
        assert_eq!(joined(&texts[..1]), [""; 0]);
    }
}
