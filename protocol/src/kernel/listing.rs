// SPDX-License-Identifier: GPL-2.0-only
//! The texts in which the tracer lists its tracepoints and the system calls.
//!
//! They are read to their end before they get here. A line that is not like the others ends the list, as it does for
//! the original; what comes after it is not looked at.

use std::collections::{BTreeMap, HashMap};

use super::NAME_SIZE;
use crate::text::Text;

/// A system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syscall {
    /// Its name. At most 255 bytes.
    pub name: Text,
    /// 32 bit programs can make it.
    pub bits32: bool,
    /// 64 bit programs can make it.
    pub bits64: bool,
}

impl Syscall {
    /// The `flags` of a listed [`Event`](crate::client::Event).
    pub fn flags(&self) -> u32 {
        u32::from(self.bits32) | u32::from(self.bits64) << 1
    }
}

/// The names in a list of tracepoints, one in each line: `event { name = NAME; };`. In the tracer's order, which is that
/// of addresses; cut to 255 bytes.
pub fn tracepoints(list: &[u8]) -> Vec<Text> {
    let mut scanner = Scanner { rest: list };
    let mut names = Vec::new();
    while let Some(name) = scanner.tracepoint() {
        names.push(name);
    }
    names
}

/// The system calls in a list, one in each line: `syscall { index = N; name = NAME; bitness = B; };`. In the order of the
/// indexes. A name that comes more than once is listed where it came first, for all that can make it.
pub fn syscalls(list: &[u8]) -> Vec<Syscall> {
    let mut scanner = Scanner { rest: list };
    let mut table = BTreeMap::new();
    while let Some((index, name, bitness)) = scanner.syscall() {
        table.insert(index, (name, bitness));
    }
    let mut places: HashMap<Text, usize> = HashMap::new();
    let mut syscalls: Vec<Syscall> = Vec::new();
    for (name, bitness) in table.into_values() {
        let place = *places.entry(name.clone()).or_insert(syscalls.len());
        if place == syscalls.len() {
            syscalls.push(Syscall { name, bits32: false, bits64: false });
        }
        if let Some(syscall) = syscalls.get_mut(place) {
            syscall.bits32 |= bitness == 32;
            syscall.bits64 |= bitness != 32;
        }
    }
    syscalls
}

/// Takes a text apart in the manner of `scanf`: white space stands for any amount of it, and for none.
struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    fn tracepoint(&mut self) -> Option<Text> {
        self.literal("event { name = ")?;
        let name = self.name()?;
        self.literal("; };\n");
        Some(name)
    }

    fn syscall(&mut self) -> Option<(u64, Text, u64)> {
        self.literal("syscall { index = ")?;
        let index = self.number()?;
        self.literal("; name = ")?;
        let name = self.name()?;
        self.literal("; bitness = ")?;
        let bitness = self.number()?;
        self.literal("; };\n");
        Some((index, name, bitness))
    }

    fn literal(&mut self, text: &str) -> Option<()> {
        for byte in text.bytes() {
            self.rest = if byte.is_ascii_whitespace() {
                self.rest.trim_ascii_start()
            } else {
                self.rest.strip_prefix(&[byte])?
            };
        }
        Some(())
    }

    /// At least one byte, up to a semicolon or the end.
    fn name(&mut self) -> Option<Text> {
        let text = self.take(|byte| byte != b';')?;
        Some(text.get(..NAME_SIZE - 1).unwrap_or(text).into())
    }

    fn number(&mut self) -> Option<u64> {
        std::str::from_utf8(self.take(|byte| byte.is_ascii_digit())?).ok()?.parse().ok()
    }

    fn take(&mut self, belongs: impl Fn(u8) -> bool) -> Option<&'a [u8]> {
        let length = self.rest.iter().position(|&byte| !belongs(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        (!taken.is_empty()).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<String> {
        tracepoints(list.as_bytes()).iter().map(Text::to_string).collect()
    }

    #[test]
    fn tracepoints_come_in_their_order() {
        let list = "event { name = sched_switch; };\nevent { name = lttng_logger; };\n";
        assert_eq!(names(list), ["sched_switch", "lttng_logger"]);
        assert_eq!(names(""), [""; 0]);
        let long = format!("event {{ name = {}; }};\n", "n".repeat(300));
        assert_eq!(names(&long), ["n".repeat(255)]);
    }

    #[test]
    fn a_list_ends_where_it_is_damaged() {
        for (list, expected) in [
            ("event { name = a; };\nevent { nam = b; };\nevent { name = c; };\n", &["a"][..]),
            ("event { name = a; };\n\n  event {name=b;};event { name = c", &["a", "b", "c"]),
            ("event { name = a; }\nevent { name = b; };\n", &["a"]),
            ("event { name = ; };\nevent { name = b; };\n", &[]),
            ("event { name = a; };\nevent { name = ", &["a"]),
        ] {
            assert_eq!(names(list), expected, "{list:?}");
        }
    }

    #[test]
    fn system_calls_are_listed_once() {
        let list = "syscall { index = 0; name = read; bitness = 64; };\n\
                    syscall { index = 1; name = write; bitness = 64; };\n\
                    syscall { index = 548; name = restart_syscall; bitness = 32; };\n\
                    syscall { index = 551; name = read; bitness = 32; };\n\
                    syscall { index = x; name = open; bitness = 32; };\n\
                    syscall { index = 552; name = write; bitness = 32; };\n";
        let listed: Vec<(String, u32)> = syscalls(list.as_bytes())
            .iter()
            .map(|syscall| (syscall.name.to_string(), syscall.flags()))
            .collect();
        let expected = [("read", 3), ("write", 2), ("restart_syscall", 1)];
        assert_eq!(listed, expected.map(|(name, flags)| (name.to_owned(), flags)));
    }

    #[test]
    fn indexes_decide_about_the_order_and_cost_nothing() {
        let list = "syscall { index = 18446744073709551615; name = b; bitness = 64; };\
                    syscall { index = 3; name = a; bitness = 64; };\
                    syscall { index = 18446744073709551616; name = c; bitness = 64; };";
        let listed = syscalls(list.as_bytes());
        assert_eq!(listed.iter().map(|syscall| syscall.name.to_string()).collect::<Vec<_>>(), ["a", "b"]);
    }
}
