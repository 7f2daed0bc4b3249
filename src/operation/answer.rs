// SPDX-License-Identifier: GPL-2.0-only
//! What comes of a command: an [`Answer`], or a [`Failure`] that says what went wrong.
//!
//! Neither knows how a client is told: numbers, codes and layouts are the business of the client's dialect.

use std::rc::Rc;

use lttng_protocol::agent::Names;
use lttng_protocol::client::ArchiveLocation;
use lttng_protocol::trigger::{ErrorResult, Trigger};

use crate::kernel;
use crate::model::tracker::{Policy, Value};
use crate::model::{
    BufferingScheme, Channel, Domain, EventRule, KernelChannel, KernelRule, LoggerRule, NetworkOutput,
    RotationState, Schedules, SessionKind, SnapshotOutput,
};
use crate::relayd::conversation::Refusal;
use crate::text::Text;
use crate::turn::output::SharedFd;
use crate::ust::listing::Entries;

/// What a command that worked has to tell.
#[derive(Debug)]
pub enum Answer {
    /// Nothing but that.
    Done,
    /// Whether data is still to be written.
    DataPending(bool),
    /// The tracepoints of applications, or their fields, by process id.
    Entries(Vec<(i32, Rc<Entries>)>),
    /// The loggers of programs, by the process ids that their agents say, oldest agent first.
    Loggers(Vec<(i32, Names)>),
    /// Channels in the order in which they are listed, with what each has lost.
    Channels(Vec<ListedChannel>),
    /// A rotation has begun; the number of the trace chunk that was left.
    RotationBegun(u64),
    /// How a rotation went, and where its chunk is.
    Rotation(RotationState, Option<Location>),
    /// What was recorded is thrown away, its files too.
    Cleared,
    /// A session was created.
    Created {
        /// What it is for.
        kind: SessionKind,
        name: String,
        /// Where it records to.
        output: CreatedOutput,
    },
    /// Sessions, newest first.
    Sessions(Vec<ListedSession>),
    /// The domains in which a session has something, and who shares buffers there; in the kernel, nobody has any.
    Domains(Vec<(Domain, Option<BufferingScheme>)>),
    /// The rules of a channel.
    EventRules(Vec<EventRule>),
    /// The rules about loggers of a domain.
    LoggerRules(Vec<LoggerRule>),
    /// The rules of a kernel channel in the order in which they are listed, each with the program in which its probe sits.
    KernelRules(Vec<(KernelRule, Option<SharedFd>)>),
    /// The tracepoints of the kernel, by their names.
    KernelTracepoints(Vec<Text>),
    /// The system calls of the kernel: names, and whether they are there for 32-bit programs (bit 0) and for 64-bit ones
    /// (bit 1).
    Syscalls(Vec<(Text, u32)>),
    /// When a session rotates by itself.
    Schedules(Schedules),
    /// The number of an output for snapshots that was added.
    SnapshotOutput(u32),
    /// The outputs for snapshots.
    SnapshotOutputs(Vec<SnapshotOutput>),
    /// A trigger as it was registered, and the program that its probe is in.
    Trigger(Box<Trigger>, Option<SharedFd>),
    /// Triggers, oldest first, each with the program that its probe is in.
    Triggers(Vec<(Trigger, Option<SharedFd>)>),
    /// What went wrong with a part of a trigger.
    Errors(Vec<ErrorResult>),
    /// The policy of a tracker.
    TrackerPolicy(Policy),
    /// The values of a tracker.
    TrackerValues(Vec<Value>),
    /// A session is no more.
    Destroyed {
        /// What went wrong on the way.
        trouble: Option<Failure>,
        /// How its last rotation went.
        rotation: RotationState,
        /// Where the chunk of that rotation is.
        location: Option<Location>,
    },
}

/// Where a session that was created records to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatedOutput {
    /// Nowhere.
    None,
    /// A directory of this machine.
    Local(String),
    /// A relay daemon.
    Network(NetworkOutput),
}

/// A session as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    pub name: String,
    /// Where it records to, as text.
    pub output: String,
    /// Whether it records.
    pub active: bool,
    /// Whether it keeps data for snapshots.
    pub snapshot: bool,
    /// Period of the live timer, microseconds; 0 when it is no live session.
    pub live_timer: u32,
    /// Seconds since the Epoch at creation.
    pub created: i64,
    /// Folder of the buffers, if they are to outlive a crash.
    pub shm_path: Option<String>,
}

/// A channel as it is listed.
#[derive(Debug, PartialEq, Eq)]
pub struct ListedChannel {
    pub channel: AnyChannel,
    /// Events that it lost, or packets if it overwrites.
    pub losses: u64,
}

/// A channel of one domain or another.
#[derive(Debug, PartialEq, Eq)]
pub enum AnyChannel {
    UserSpace(Channel),
    Kernel(KernelChannel),
}

/// Where an archived trace chunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On this machine.
    Local {
        /// Absolute.
        path: String,
    },
    /// At a relay daemon.
    Relay {
        /// The relay daemon's address.
        host: String,
        /// Port of its control connection.
        control_port: u16,
        /// Port of its data connection.
        data_port: u16,
        /// Below the relay daemon's output.
        path: String,
    },
}

impl From<Location> for ArchiveLocation {
    fn from(location: Location) -> Self {
        match location {
            Location::Local { path } => ArchiveLocation::Local { path },
            Location::Relay { host, control_port, data_port, path } => {
                ArchiveLocation::Relay { host, control_port, data_port, path }
            }
        }
    }
}

/// Why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The session is gone.
    SessionGone,
    /// A consumer daemon is gone with what the session had there.
    ConsumerLost,
    /// A consumer daemon did not say what its channels have lost.
    LossesUnknown,
    /// The folders of a trace chunk can't be made, or are not there any more.
    FolderNotMade,
    /// Nothing of what applications, or agents, list could be taken.
    NotListed,
    /// Some applications can't have the buffers that they are to record to.
    BuffersNotMade,
    /// Not every consumer daemon takes a trace chunk.
    ChunkRefused,
    /// A consumer daemon does not close a trace chunk.
    ChunkNotClosed,
    /// Not every channel has left a trace chunk.
    ChannelsNotRotated,
    /// Not everything was thrown away.
    NotCleared,
    /// The relay daemon does not let sessions be cleared.
    ClearDisallowed,
    /// A snapshot could not be written.
    SnapshotFailed,
    /// There is not even room for one packet of each stream in a snapshot.
    SnapshotTooSmall,
    /// A consumer daemon does not know a channel.
    ChannelUnknown,
    /// There is nowhere to record to.
    NoOutput,
    /// A relay daemon can't be used.
    Relay(Refusal),
    /// How often a tracer could not tell of an event is not known.
    ErrorsUnknown,
    /// The kernel's tracer would not do something.
    Kernel(kernel::refusal::Refusal),
    /// A place in a program, where a probe was to sit, is not there, or can't have one.
    NoSuchPlace,
    /// The configuration of a session could not be saved.
    NotSaved(Unsaved),
    /// The session was never started.
    NeverStarted,
    /// Sessions like this one do not rotate.
    CanNotRotate,
    /// The relay daemon knows no trace chunks.
    RelayCanNotRotate,
    /// The kernel's tracer is too old for rotations.
    TracerTooOld,
    /// The kernel's tracer does not number packets, so that nothing of it can be rotated.
    TracerCanNotRotate,
    /// Another rotation goes on.
    RotationPending,
    /// The session was rotated since it was stopped: there is nothing more to archive.
    RotatedSinceStop,
    /// The session was cleared since it was stopped: there is nothing to archive.
    ClearedSinceStop,
}

/// Why the configuration of a session could not be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaved {
    /// There is no folder for it.
    NoFolder,
    /// There is such a file.
    Exists,
    /// The client may not write there.
    Denied,
    /// The file could not be written, or the session was busy all the time.
    NotWritten,
    /// The file's format can't express it.
    Inexpressible,
    /// The control connection of its output is not set.
    NoControl,
    /// The data connection of its output is not set.
    NoData,
}
