// SPDX-License-Identifier: GPL-2.0-only
//! Event notifiers: the descriptions that follow the commands which make them and their error counter, and what
//! arrives on their pipe.
//!
//! Filters and captures are bytecode and not made here. Which trigger a token belongs to is known to the daemon
//! only.

use super::NAME_SIZE;
use super::command::{EventRule, LogLevel};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::trigger::{self, LogLevelRule, LoggingDomain};

/// Description of an event notifier, 612 bytes: event rule (572 bytes), index of its error counter (u64),
/// padding. `lttng-ust 2.13: include/lttng/ust-abi.h`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventNotifier {
    /// When to notify; the token says which notifier it was.
    pub rule: EventRule,
    /// The counter that is incremented when a notification could not be sent.
    pub error_counter_index: u64,
}

impl EventNotifier {
    /// Size of the description in bytes.
    pub const LEN: usize = 612;

    /// What every application is told about the event rule of a trigger: pattern and log levels, or for loggers
    /// the tracepoint that brings their events, whose filter has to ask for logger and level.
    ///
    /// `None` for rules about the kernel, and for a pattern that no application takes because it has more than 255
    /// bytes: cut off, it would be another one.
    pub fn for_rule(rule: &trigger::EventRule, token: u64, error_counter_index: u64) -> Option<Self> {
        let (name, loglevel) = match rule {
            trigger::EventRule::UserTracepoint { pattern, log_level, .. } => {
                let loglevel = match *log_level {
                    None => LogLevel::All,
                    Some(LogLevelRule::Exactly(level)) => LogLevel::Single(level),
                    Some(LogLevelRule::AtLeast(level)) => LogLevel::Range(level),
                };
                (pattern.clone(), loglevel)
            }
            trigger::EventRule::Logging { domain, .. } => (logger_tracepoints(*domain).into(), LogLevel::All),
            trigger::EventRule::KernelSyscall { .. }
            | trigger::EventRule::KernelKprobe { .. }
            | trigger::EventRule::KernelTracepoint { .. }
            | trigger::EventRule::KernelUprobe { .. } => return None,
        };
        (name.len() < NAME_SIZE)
            .then_some(EventNotifier { rule: EventRule { name, loglevel, token }, error_counter_index })
    }

    /// The description as it follows [`Command::EventNotifier`](super::command::Command::EventNotifier).
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Self::LEN);
        self.rule.encode(&mut writer);
        writer.u64(self.error_counter_index).pad_to(Self::LEN);
        writer.into_bytes()
    }

    /// Decodes a description.
    ///
    /// # Errors
    ///
    /// Another size than [`EventNotifier::LEN`], or a rule that no application accepts.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("event notifier", bytes);
        let rule = EventRule::decode(&mut reader)?;
        let error_counter_index = reader.u64()?;
        reader.seek(Self::LEN)?;
        reader.finish()?;
        Ok(EventNotifier { rule, error_counter_index })
    }
}

/// Configuration of the error counter, 192 bytes: one dimension of 32 bit counters that wrap around, each
/// index counted for itself. Arithmetic, bitness, number of dimensions (u32 each), step (i64), then at 20
/// the size of the dimension (u64); everything else is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterConfiguration {
    /// Number of counters.
    pub size: u64,
}

impl CounterConfiguration {
    /// Size of the configuration in bytes.
    pub const LEN: usize = 192;

    /// The configuration as it follows [`Command::Counter`](super::command::Command::Counter).
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.u32(0).u32(0).u32(1).i64(0).u64(self.size).pad_to(Self::LEN);
        writer.into_bytes()
    }

    /// Decodes a configuration.
    ///
    /// # Errors
    ///
    /// Another size than [`CounterConfiguration::LEN`], or a counter of another shape.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("counter configuration", bytes);
        for expected in [0, 0, 1, 0, 0] {
            let value = reader.u32()?;
            if value != expected {
                return Err(reader.error(ErrorKind::BadValue(value.into())));
            }
        }
        let size = reader.u64()?;
        reader.seek(Self::LEN)?;
        reader.finish()?;
        Ok(CounterConfiguration { size })
    }
}

/// The tracepoints that bring the events of loggers.
fn logger_tracepoints(domain: LoggingDomain) -> &'static str {
    match domain {
        LoggingDomain::Jul => "lttng_jul:*",
        LoggingDomain::Log4j => "lttng_log4j:*",
        LoggingDomain::Python => "lttng_python:*",
    }
}

/// What an application writes to the pipe when an event matched: token (u64), size of the captures (u16), 32
/// bytes of padding, then at 42 the captures. One write each and never more than a page, so never in pieces.
///
/// The kernel tracer's notifications have the same layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventNotification<'a> {
    /// Token of the event notifier.
    pub token: u64,
    /// The captured values, a MessagePack array; empty when the notifier captures nothing.
    pub captures: &'a [u8],
}

impl<'a> EventNotification<'a> {
    /// Size of a notification in bytes, without the captures.
    pub const HEADER_LEN: usize = 42;
    /// The most bytes of captures that are taken. Applications send 4053 at most, the kernel 512.
    pub const MAX_CAPTURES: u16 = 4096;

    /// Size of the notification at the beginning of `buffered`, its captures included; `None` if more bytes are
    /// needed to know it.
    ///
    /// # Errors
    ///
    /// More captures than [`EventNotification::MAX_CAPTURES`]. What follows in the pipe can then no longer be told
    /// apart.
    pub fn length(buffered: &[u8]) -> Result<Option<usize>> {
        let mut reader = Reader::new("event notification", buffered);
        if buffered.len() < Self::HEADER_LEN {
            return Ok(None);
        }
        reader.skip(8)?;
        let size = Self::captures_len(&mut reader)?;
        Ok(Some(Self::HEADER_LEN.saturating_add(size)))
    }

    /// Decodes one whole notification.
    ///
    /// # Errors
    ///
    /// More captures than [`EventNotification::MAX_CAPTURES`], or another size than the notification says.
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new("event notification", bytes);
        let token = reader.u64()?;
        let size = Self::captures_len(&mut reader)?;
        reader.seek(Self::HEADER_LEN)?;
        let captures = reader.bytes(size)?;
        reader.finish()?;
        Ok(EventNotification { token, captures })
    }

    fn captures_len(reader: &mut Reader<'_>) -> Result<usize> {
        let size = reader.u16()?;
        if size > Self::MAX_CAPTURES {
            return Err(reader.error(ErrorKind::TooLong(size.into())));
        }
        Ok(size.into())
    }

    /// The notification as an application sends it.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Self::HEADER_LEN.saturating_add(self.captures.len()));
        writer.u64(self.token).u16(u16::try_from(self.captures.len()).unwrap_or(u16::MAX));
        writer.pad_to(Self::HEADER_LEN).bytes(self.captures);
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::KernelLocation;

    fn user(pattern: &str, log_level: Option<LogLevelRule>) -> trigger::EventRule {
        let (filter, exclusions) = (None, Vec::new());
        trigger::EventRule::UserTracepoint { pattern: pattern.into(), filter, log_level, exclusions }
    }

    fn told(rule: &trigger::EventRule) -> Option<(String, LogLevel)> {
        let notifier = EventNotifier::for_rule(rule, 7, 9)?;
        assert_eq!((notifier.rule.token, notifier.error_counter_index), (7, 9));
        Some((notifier.rule.name.to_string(), notifier.rule.loglevel))
    }

    #[test]
    fn applications_are_told_pattern_and_level() {
        for (log_level, loglevel) in [
            (None, LogLevel::All),
            (Some(LogLevelRule::Exactly(3)), LogLevel::Single(3)),
            (Some(LogLevelRule::AtLeast(14)), LogLevel::Range(14)),
        ] {
            assert_eq!(told(&user("a:*", log_level)), Some(("a:*".to_owned(), loglevel)));
        }
        let longest = "p".repeat(255);
        assert_eq!(told(&user(&longest, None)), Some((longest.clone(), LogLevel::All)));
        assert_eq!(told(&user(&format!("{longest}p"), None)), None);
    }

    #[test]
    fn loggers_come_by_tracepoints_of_their_domain() {
        for (domain, name) in
            LoggingDomain::ALL.iter().zip(["lttng_jul:*", "lttng_log4j:*", "lttng_python:*"])
        {
            let rule = trigger::EventRule::Logging {
                domain: *domain,
                pattern: "p".repeat(300).into(),
                filter: None,
                log_level: Some(LogLevelRule::AtLeast(800)),
            };
            assert_eq!(told(&rule), Some((name.to_owned(), LogLevel::All)));
        }
    }

    #[test]
    fn applications_are_told_nothing_of_the_kernel() {
        let location = KernelLocation::Address(1);
        assert_eq!(told(&trigger::EventRule::KernelKprobe { name: "k".into(), location }), None);
        let tracepoint = trigger::EventRule::KernelTracepoint { pattern: "*".into(), filter: None };
        assert_eq!(told(&tracepoint), None);
    }

    #[test]
    fn notifications_are_told_apart_in_a_stream() {
        let first = EventNotification { token: 1, captures: b"\x91\x01" }.encode();
        let stream = [&first[..], &EventNotification { token: 2, captures: b"" }.encode()].concat();
        assert_eq!(EventNotification::length(&stream[..41]), Ok(None));
        assert_eq!(EventNotification::length(&stream[..42]), Ok(Some(44)));
        assert_eq!(EventNotification::length(&stream[44..]), Ok(Some(42)));
        assert_eq!(EventNotification::decode(&stream[44..]).map(|told| told.token), Ok(2));
        let kind = |bytes: &[u8]| EventNotification::decode(bytes).unwrap_err().kind;
        assert_eq!(kind(&stream), ErrorKind::TrailingBytes);
        assert_eq!(kind(&first[..43]), ErrorKind::Truncated);
        assert_eq!(kind(&first[..41]), ErrorKind::Truncated);
    }

    #[test]
    fn captures_are_limited() {
        let captures = [0; 4097];
        let largest = EventNotification { token: 1, captures: &captures[..4096] };
        assert_eq!(EventNotification::decode(&largest.encode()), Ok(largest));
        let too_large = EventNotification { token: 1, captures: &captures }.encode();
        for error in [
            EventNotification::length(&too_large).unwrap_err(),
            EventNotification::decode(&too_large).unwrap_err(),
        ] {
            assert_eq!((error.kind, error.offset), (ErrorKind::TooLong(4097), 10));
        }
    }
}
