// SPDX-License-Identifier: GPL-2.0-only
//! Descriptions that follow the commands which make event notifiers and their error counter.
//!
//! The notifications themselves arrive on a pipe and are not handled here.

use super::command::EventRule;
use crate::codec::{ErrorKind, Reader, Result, Writer};

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
