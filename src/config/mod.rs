// SPDX-License-Identifier: GPL-2.0-only
//! Recording session configurations: the XML files that `lttng save` makes and `lttng load` takes.
//!
//! [`read`](read::read) makes a typed [`Configuration`] of a file's bytes, with all the rules of the format built in; the
//! XML itself is behind [`document`]. Whoever loads one gets either all that a file says or a [`Fault`], before anything is
//! done. [`save`](save::save) makes the text of such a file of what is wanted of a session. Nothing here opens a file.
//!
//! Reference: `protocol/doc/session-config.md`, sections 3 to 5.

pub mod configuration;
mod context;
pub mod document;
pub mod read;
pub mod save;
mod save_kernel;
mod save_text;

pub use configuration::{
    Buffers, ChannelConfiguration, Configuration, ContextConfiguration, Destination, DomainConfiguration,
    EventConfiguration, EventType, LevelType, OutputConfiguration, ProgramProbe, Schedule,
    SessionConfiguration, SnapshotConfiguration, TrackerConfiguration,
};
pub use document::{Fault, FaultKind};

#[cfg(test)]
mod save_tests;
#[cfg(test)]
mod tests;
