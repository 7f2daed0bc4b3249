// SPDX-License-Identifier: GPL-2.0-only
//! What clients ask for, free of how they say it. A field is `None` where the client named something that there is not:
//! when that matters, and with which code, is for the command to say.

use lttng_protocol::client;
use lttng_protocol::trigger::{ErrorQuery, Trigger};

use crate::model::tracker::{Policy, Value};
use crate::model::{
    Attributes, BufferingScheme, Context, Filter, KernelContext, LogLevels, NetworkOutput, ProbePlace,
    ProcessAttribute, ProgramPlace, SessionKind, Target,
};
use crate::text::Text;

/// Nothing but the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nothing;

/// A channel by its name; the empty name means the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelName(pub String);

/// A context for a channel, or for all of them if none is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddContext {
    /// The channel's name.
    pub channel: String,
    /// The context, if it is one that user space has.
    pub context: Option<Context>,
    /// The context, if it is one that the kernel has.
    pub of_kernel: Option<KernelContext>,
}

/// A channel to be made or enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnableChannel {
    pub name: String,
    /// Who shares its buffers.
    pub scheme: Option<BufferingScheme>,
    /// Whether the newest data is kept; without, as it is usual in the session.
    pub overwrite: Option<bool>,
    /// Its data is to be spliced.
    pub spliced: bool,
    /// Period of the live timer, microseconds. Means nothing; the session's is what counts.
    pub live_timer: u32,
    /// All else; `overwrite` has no meaning in it.
    pub attributes: Attributes,
}

/// What kind of instrumentation a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Everything the domain has.
    All,
    /// Tracepoints.
    Tracepoint,
    /// System calls.
    Syscall,
    /// An instruction of the kernel.
    Probe(ProbePlace),
    /// Entry and return of a function of the kernel.
    Function(ProbePlace),
    /// Entry of a function of the kernel, in a way that no tracer offers any more.
    FunctionEntry,
    /// A place in a program, which the kernel traces. Its binary comes as a descriptor.
    UserspaceProbe {
        place: ProgramPlace,
        /// It is said how the place is to be found.
        findable: bool,
    },
    /// Nothing.
    Noop,
}

/// An event rule to be made or enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnableEvent {
    /// The channel's name.
    pub channel: String,
    /// Who shares the channel's buffers, if it has to be made.
    pub scheme: Option<BufferingScheme>,
    /// Name or star pattern.
    pub name: Text,
    /// What kind of rule it is.
    pub kind: EventKind,
    /// Log level condition.
    pub levels: Option<LogLevels>,
    /// The log level as it was said, also if it limits nothing.
    pub level: i32,
    /// The filter, not validated.
    pub filter: Option<Filter>,
    /// Patterns of names that are left out.
    pub exclusions: Vec<Text>,
}

/// Event rules to be disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisableEvent {
    /// The channel's name.
    pub channel: String,
    /// Name or star pattern; empty means all.
    pub name: Text,
    /// What kind of rules are meant; where a probe sits takes no part.
    pub kind: EventKind,
}

/// A session to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSession {
    /// The client's home directory, if the daemon must choose the output directory.
    pub home: Option<String>,
    /// What it is for.
    pub kind: SessionKind,
    /// Its name; without, the daemon makes one.
    pub name: Option<String>,
    /// Where it records to.
    pub output: RequestedOutput,
}

/// Where a session that is created is to record to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedOutput {
    /// Nowhere.
    None,
    /// A directory of this machine; without path, the daemon chooses.
    Local(Option<String>),
    /// A relay daemon; without addresses, the default one of this machine.
    Network(Option<Box<NetworkOutput>>),
}

/// Parts of a session's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetOutput(pub Vec<Target>);

/// Folder of the buffers; empty for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetShmPath(pub String);

/// Sessions whose configurations are to be written to files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveSession {
    /// The session; without, all that the client may control.
    pub session: Option<String>,
    /// Where the files are to be; without, below the client's home.
    pub directory: Option<String>,
    /// Files that exist are replaced.
    pub overwrite: bool,
}

/// The rotation that left the chunk of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationInfo(pub u64);

/// What makes a session rotate by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleKind {
    /// The bytes recorded.
    Size,
    /// The time.
    Periodic,
}

/// A rotation schedule to be set or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetSchedule {
    /// What kind.
    pub kind: Option<ScheduleKind>,
    /// Whether it is set, not removed.
    pub set: bool,
    /// Bytes or microseconds. To remove a schedule, it must be the schedule's.
    pub value: u64,
}

/// An output for snapshots, as users name one. URLs are as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotTarget {
    /// Number in its session, from 1; 0 when it is meant by name, or has no number yet.
    pub id: u32,
    /// Bytes that one snapshot may have, 0 for any number; without, whatever the output has.
    pub max_size: Option<u64>,
    /// The name; empty for the default one, or when the output is meant by number.
    pub name: String,
    /// Path or URL; empty when none is given.
    pub control_url: String,
    /// URL of the data connection; empty unless `control_url` is for the control connection only.
    pub data_url: String,
}

impl SnapshotTarget {
    /// The session's own outputs.
    pub fn any() -> Self {
        let nothing = String::new;
        SnapshotTarget { id: 0, max_size: None, name: nothing(), control_url: nothing(), data_url: nothing() }
    }
}

impl From<client::SnapshotOutput> for SnapshotTarget {
    fn from(output: client::SnapshotOutput) -> Self {
        let client::SnapshotOutput { id, max_size, name, control_url, data_url } = output;
        SnapshotTarget { id, max_size, name, control_url, data_url }
    }
}

/// The tracker of a process attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackerOf(pub Option<ProcessAttribute>);

/// A policy for a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetPolicy {
    /// Which tracker.
    pub attribute: Option<ProcessAttribute>,
    pub policy: Option<Policy>,
}

/// A value to be added to a tracker, or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerValue {
    /// Which tracker.
    pub attribute: Option<ProcessAttribute>,
    pub value: Value,
}

/// A trigger to be registered. It means the same in all dialects.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterTrigger {
    pub trigger: Box<Trigger>,
    /// It is to have no name, not even a made-up one.
    pub anonymous: bool,
}

/// The trigger that is the same as this one.
#[derive(Debug, Clone, PartialEq)]
pub struct SameTrigger(pub Box<Trigger>);

/// What a trigger is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct AskErrors(pub Box<ErrorQuery>);
