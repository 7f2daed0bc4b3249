// SPDX-License-Identifier: GPL-2.0-only
//! Which events a condition is about.
//!
//! Filters are text, neither parsed nor compiled here; a location's symbol or binary is not looked for.
//!
//! Source: `lttng-tools 2.13: src/common/event-rule/`, `src/common/kernel-probe.c`, `src/common/userspace-probe.c`.

use serde::{Deserialize, Serialize};

use super::text;
use crate::client::{Domain, ProbeLocation, SYMBOL_LEN, bad_value, check_length, wire_len};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;
use crate::text::Text;

numbered! {
    /// Where in a system call. `enum lttng_event_rule_kernel_syscall_emission_site`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum EmissionSite: u32 {
        /// At its entry and at its exit.
        EntryExit = 0,
        /// At its entry.
        Entry = 1,
        /// At its exit.
        Exit = 2,
    }
    /// The site with this number.
    from_number;
}

numbered! {
    /// A domain of loggers. The number is that of its event rules.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum LoggingDomain: u8 {
        /// `java.util.logging`.
        Jul = 5,
        /// Apache log4j 1.
        Log4j = 6,
        /// Python's `logging`.
        Python = 7,
    }
    /// The domain of the rules with this number.
    from_number;
    /// All of them.
    ALL;
}

impl LoggingDomain {
    /// The tracing domain.
    pub fn domain(self) -> Domain {
        match self {
            LoggingDomain::Jul => Domain::Jul,
            LoggingDomain::Log4j => Domain::Log4j,
            LoggingDomain::Python => Domain::Python,
        }
    }
}

/// Which log levels are meant. 8 bytes: u8 type, 3 bytes of padding, which the original does not clear, i32 level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogLevelRule {
    /// 0: this one.
    Exactly(i32),
    /// 1: this one and all that are more severe.
    AtLeast(i32),
}

impl LogLevelRule {
    /// Size on the wire.
    const LEN: usize = 8;

    /// The level.
    pub fn level(self) -> i32 {
        let (LogLevelRule::Exactly(level) | LogLevelRule::AtLeast(level)) = self;
        level
    }

    /// Reads a rule of `length` bytes; a length of 0 means none.
    fn decode(reader: &mut Reader<'_>, length: u32) -> Result<Option<LogLevelRule>> {
        if length == 0 {
            return Ok(None);
        }
        text::exact_length(reader, length, LogLevelRule::LEN)?;
        let kind = reader.u8()?;
        reader.skip(3)?;
        let level = reader.i32()?;
        match kind {
            0 => Ok(Some(LogLevelRule::Exactly(level))),
            1 => Ok(Some(LogLevelRule::AtLeast(level))),
            other => Err(bad_value(reader, other)),
        }
    }

    fn encode(rule: Option<LogLevelRule>, writer: &mut Writer) {
        match rule {
            None => writer,
            Some(LogLevelRule::Exactly(level)) => writer.u8(0).zeros(3).i32(level),
            Some(LogLevelRule::AtLeast(level)) => writer.u8(1).zeros(3).i32(level),
        };
    }

    fn wire_len(rule: Option<LogLevelRule>) -> u32 {
        if rule.is_some() { text::count(LogLevelRule::LEN) } else { 0 }
    }
}

/// Where a kprobe sits: i8 type, then the body.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KernelLocation {
    /// 0: at a symbol. u32 length of the symbol, u64 offset, symbol.
    Symbol {
        /// The symbol. At most 255 bytes.
        symbol: String,
        /// Bytes from the symbol.
        offset: u64,
    },
    /// 1: at an address. u64 address.
    Address(u64),
}

impl KernelLocation {
    /// Reads a location of `length` bytes.
    fn decode(reader: &mut Reader<'_>, length: u32) -> Result<KernelLocation> {
        let start = reader.offset();
        let location = match reader.u8()? {
            0 => {
                let symbol_len = reader.u32()?;
                let offset = reader.u64()?;
                KernelLocation::Symbol { symbol: text::limited(reader, symbol_len, SYMBOL_LEN)?, offset }
            }
            1 => KernelLocation::Address(reader.u64()?),
            other => return Err(bad_value(reader, other)),
        };
        check_length(reader, start, length)?;
        Ok(location)
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            KernelLocation::Symbol { symbol, offset } => {
                writer.u8(0).u32(wire_len(symbol)).u64(*offset).c_string(symbol)
            }
            KernelLocation::Address(address) => writer.u8(1).u64(*address),
        };
    }
}

/// Tells a file from others, whatever their paths: `st_dev` and `st_ino`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The device.
    pub device: u64,
    /// The file's number on it.
    pub inode: u64,
}

/// Where a uprobe sits. One descriptor travels beside its bytes, that of the binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserspaceLocation {
    /// The place in the binary. The symbol of a function is always looked up as an ELF one.
    pub place: ProbeLocation,
    /// The binary behind the descriptor. Not on the wire: whoever holds the descriptor sets it before two
    /// locations are compared, as the same path can lead to different files.
    pub binary: Option<FileId>,
}

impl UserspaceLocation {
    /// Reads a location of `length` bytes.
    fn decode(reader: &mut Reader<'_>, length: u32) -> Result<UserspaceLocation> {
        let place = ProbeLocation::decode(reader, length)?;
        if matches!(place, ProbeLocation::Function { elf: false, .. }) {
            return Err(reader.error(ErrorKind::BadValue(0)));
        }
        Ok(UserspaceLocation { place, binary: None })
    }
}

/// An event rule: u8 type, then lengths, then what they are the lengths of.
///
/// Patterns and names have at least one byte, and are kept byte for byte as filters are. Runs of `*` in a pattern become one. A filter that is there is not
/// empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventRule {
    /// 0: system calls. u32 site, lengths of pattern and filter.
    KernelSyscall {
        /// Where in the call. Rules that differ only in it are the same one.
        site: EmissionSite,
        /// Name or pattern.
        pattern: Text,
        /// Filter expression.
        filter: Option<Text>,
    },
    /// 1: a kprobe. Lengths of name and location.
    KernelKprobe {
        /// Name of the event, not a pattern.
        name: Text,
        /// Where it sits.
        location: KernelLocation,
    },
    /// 2: tracepoints of the kernel. Lengths of pattern and filter.
    KernelTracepoint {
        /// Name or pattern.
        pattern: Text,
        /// Filter expression.
        filter: Option<Text>,
    },
    /// 3: a uprobe. Lengths of name and location.
    KernelUprobe {
        /// Name of the event, not a pattern.
        name: Text,
        /// Where it sits.
        location: UserspaceLocation,
    },
    /// 4: tracepoints of applications. Lengths of pattern, filter and log level rule (0 or 8), number of exclusions,
    /// length of them all; an exclusion has its own length before it. That length of them all is ignored, as the
    /// original does.
    UserTracepoint {
        /// Name or pattern. It may be longer than what an application takes.
        pattern: Text,
        /// Filter expression.
        filter: Option<Text>,
        /// Log levels, from 0 to 14; all if there is none.
        log_level: Option<LogLevelRule>,
        /// Names and patterns that are not meant after all, as they were sent. At most 255 bytes each.
        exclusions: Vec<Text>,
    },
    /// 5 to 7: loggers. Lengths of pattern, filter and log level rule (0 or 8).
    Logging {
        /// Whose loggers.
        domain: LoggingDomain,
        /// Name or pattern of the logger.
        pattern: Text,
        /// Filter expression.
        filter: Option<Text>,
        /// Log levels; all if there is none.
        log_level: Option<LogLevelRule>,
    },
}

impl EventRule {
    /// Levels that tracepoints of applications have: 0 (emergency) to this one (debug).
    pub const MAX_USER_LOG_LEVEL: i32 = 14;

    /// Reads one event rule.
    ///
    /// # Errors
    ///
    /// What the reference calls malformed.
    pub fn decode(reader: &mut Reader<'_>) -> Result<EventRule> {
        match reader.u8()? {
            0 => {
                let site = reader.u32()?;
                let site = EmissionSite::from_number(site).ok_or_else(|| bad_value(reader, site))?;
                let (pattern, filter) = decode_tracepoint(reader)?;
                Ok(EventRule::KernelSyscall { site, pattern, filter })
            }
            1 => {
                let (name, location_len) = decode_probe(reader)?;
                let location = KernelLocation::decode(reader, location_len)?;
                Ok(EventRule::KernelKprobe { name, location })
            }
            2 => {
                let (pattern, filter) = decode_tracepoint(reader)?;
                Ok(EventRule::KernelTracepoint { pattern, filter })
            }
            3 => {
                let (name, location_len) = decode_probe(reader)?;
                let location = UserspaceLocation::decode(reader, location_len)?;
                Ok(EventRule::KernelUprobe { name, location })
            }
            4 => decode_user_tracepoint(reader),
            kind => {
                let domain = LoggingDomain::from_number(kind).ok_or_else(|| bad_value(reader, kind))?;
                let [pattern_len, filter_len, level_len] = lengths(reader)?;
                let pattern = text::pattern(reader, pattern_len)?;
                let filter = text::filter(reader, filter_len)?;
                let log_level = LogLevelRule::decode(reader, level_len)?;
                Ok(EventRule::Logging { domain, pattern, filter, log_level })
            }
        }
    }

    /// Appends the event rule.
    pub fn encode(&self, writer: &mut Writer) {
        match self {
            EventRule::KernelSyscall { site, pattern, filter } => {
                writer.u8(0).u32(site.number());
                encode_tracepoint(writer, pattern, filter.as_ref());
            }
            EventRule::KernelKprobe { name, location } => {
                let mut body = Writer::default();
                location.encode(&mut body);
                encode_probe(writer.u8(1), name, &body.into_bytes());
            }
            EventRule::KernelTracepoint { pattern, filter } => {
                encode_tracepoint(writer.u8(2), pattern, filter.as_ref());
            }
            EventRule::KernelUprobe { name, location } => {
                let mut body = Writer::default();
                location.place.encode(&mut body);
                encode_probe(writer.u8(3), name, &body.into_bytes());
            }
            EventRule::UserTracepoint { pattern, filter, log_level, exclusions } => {
                let mut excluded = Writer::default();
                for exclusion in exclusions {
                    excluded.u32(wire_len(exclusion)).c_string(exclusion);
                }
                let excluded = excluded.into_bytes();
                writer.u8(4).u32(wire_len(pattern)).u32(text::optional_len(filter.as_ref()));
                writer.u32(LogLevelRule::wire_len(*log_level));
                writer.u32(text::count(exclusions.len())).u32(text::count(excluded.len()));
                encode_texts(writer, pattern, filter.as_ref());
                LogLevelRule::encode(*log_level, writer);
                writer.bytes(&excluded);
            }
            EventRule::Logging { domain, pattern, filter, log_level } => {
                writer.u8(domain.number()).u32(wire_len(pattern));
                writer.u32(text::optional_len(filter.as_ref())).u32(LogLevelRule::wire_len(*log_level));
                encode_texts(writer, pattern, filter.as_ref());
                LogLevelRule::encode(*log_level, writer);
            }
        }
    }

    /// The domain whose events are meant.
    pub fn domain(&self) -> Domain {
        match self {
            EventRule::KernelSyscall { .. }
            | EventRule::KernelKprobe { .. }
            | EventRule::KernelTracepoint { .. }
            | EventRule::KernelUprobe { .. } => Domain::Kernel,
            EventRule::UserTracepoint { .. } => Domain::Ust,
            EventRule::Logging { domain, .. } => domain.domain(),
        }
    }

    /// The filter, where there can be one and is one.
    pub fn filter(&self) -> Option<&Text> {
        match self {
            EventRule::KernelSyscall { filter, .. }
            | EventRule::KernelTracepoint { filter, .. }
            | EventRule::UserTracepoint { filter, .. }
            | EventRule::Logging { filter, .. } => filter.as_ref(),
            EventRule::KernelKprobe { .. } | EventRule::KernelUprobe { .. } => None,
        }
    }

    /// Whether its events have anything that can be captured: those of probes have not.
    pub fn can_capture(&self) -> bool {
        !matches!(self, EventRule::KernelKprobe { .. } | EventRule::KernelUprobe { .. })
    }

    /// The location in a user space program, to set its [`binary`](UserspaceLocation::binary).
    pub fn userspace_location_mut(&mut self) -> Option<&mut UserspaceLocation> {
        match self {
            EventRule::KernelUprobe { location, .. } => Some(location),
            _ => None,
        }
    }

    /// How many descriptors travel with it: one for a uprobe.
    pub fn fd_count(&self) -> u32 {
        u32::from(matches!(self, EventRule::KernelUprobe { .. }))
    }

    /// Whether both are the same rule: equal but for the emission site, which the original does not compare.
    pub fn same_as(&self, other: &EventRule) -> bool {
        match (self, other) {
            (
                EventRule::KernelSyscall { pattern, filter, .. },
                EventRule::KernelSyscall { pattern: other_pattern, filter: other_filter, .. },
            ) => pattern == other_pattern && filter == other_filter,
            _ => self == other,
        }
    }
}

fn lengths<const N: usize>(reader: &mut Reader<'_>) -> Result<[u32; N]> {
    let mut lengths = [0; N];
    for length in &mut lengths {
        *length = reader.u32()?;
    }
    Ok(lengths)
}

fn decode_tracepoint(reader: &mut Reader<'_>) -> Result<(Text, Option<Text>)> {
    let [pattern_len, filter_len] = lengths(reader)?;
    Ok((text::pattern(reader, pattern_len)?, text::filter(reader, filter_len)?))
}

/// Reads the name of a probe, and the length of its location.
fn decode_probe(reader: &mut Reader<'_>) -> Result<(Text, u32)> {
    let [name_len, location_len] = lengths(reader)?;
    Ok((text::non_empty_kept(reader, name_len)?, location_len))
}

fn decode_user_tracepoint(reader: &mut Reader<'_>) -> Result<EventRule> {
    let [pattern_len, filter_len, level_len, exclusion_count, _exclusions_len] = lengths(reader)?;
    let pattern = text::pattern(reader, pattern_len)?;
    let filter = text::filter(reader, filter_len)?;
    let log_level = LogLevelRule::decode(reader, level_len)?;
    if let Some(level) = log_level.map(LogLevelRule::level)
        && !(0..=EventRule::MAX_USER_LOG_LEVEL).contains(&level)
    {
        return Err(bad_value(reader, level));
    }
    let mut exclusions = Vec::new();
    // Not reserved ahead: the count is the sender's claim, the bytes are the proof.
    for _ in 0..exclusion_count {
        let length = reader.u32()?;
        exclusions.push(text::kept(reader, length, SYMBOL_LEN)?);
    }
    Ok(EventRule::UserTracepoint { pattern, filter, log_level, exclusions })
}

fn encode_tracepoint(writer: &mut Writer, pattern: &Text, filter: Option<&Text>) {
    writer.u32(wire_len(pattern)).u32(text::optional_len(filter));
    encode_texts(writer, pattern, filter);
}

fn encode_texts(writer: &mut Writer, pattern: &Text, filter: Option<&Text>) {
    writer.c_string(pattern);
    if let Some(filter) = filter {
        writer.c_string(filter);
    }
}

fn encode_probe(writer: &mut Writer, name: &Text, location: &[u8]) {
    writer.u32(wire_len(name)).u32(text::count(location.len())).c_string(name).bytes(location);
}

#[cfg(test)]
mod tests;
