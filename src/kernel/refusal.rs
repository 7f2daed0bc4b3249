// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel's tracer would not do, and why there is none.

/// Why nothing of the kernel can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no tracer, or it can't be used.
    Absent,
    /// There is one of another generation.
    Version,
}

/// What the tracer was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Session,
    Channel,
    /// That a channel goes on, or pauses.
    EnableChannel,
    DisableChannel,
    /// An event rule, or an event notifier.
    Event,
    Filter,
    /// A place in a program.
    Callsite,
    Capture,
    /// That a new rule begins to match.
    EnableNew,
    /// That a rule goes on, or pauses.
    EnableEvent,
    DisableEvent,
    Context,
    /// Another policy of a tracker, or a value more or less in its set.
    Track,
    Metadata,
    /// A ring buffer.
    Stream,
    /// The consumer daemon was to take the channels.
    Handover,
    Start,
    Stop,
    StateDump,
    MetadataAgain,
    Listing,
    /// What a command has changed, as a whole: it took too long.
    Change,
}

impl Asked {
    /// Whether it is a part of what commands change, and not of what starting and stopping bring about.
    pub fn is_of_change(self) -> bool {
        !matches!(self, Asked::Metadata | Asked::Stream | Asked::Handover | Asked::Start | Asked::Stop)
    }
}

/// A request that the tracer refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub asked: Asked,
    /// An errno value.
    pub errno: i32,
}
