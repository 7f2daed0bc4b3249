// SPDX-License-Identifier: GPL-2.0-only
//! What a file says, typed. What it leaves out is `None` here: which default that means is for whoever loads it to say,
//! since those of the schema are not the ones that the original applies.

use crate::model::tracker::Value;
use crate::model::{Context, Domain, KernelContext, ProbePlace, ProcessAttribute, ProgramPlace};
use crate::text::Text;

/// All that a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// At least one, in the order of the file.
    pub sessions: Vec<SessionConfiguration>,
}

/// A recording session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfiguration {
    pub name: String,
    /// Folder of the buffers; never empty.
    pub shm_path: Option<String>,
    pub domains: Vec<DomainConfiguration>,
    /// Whether it records.
    pub started: Option<bool>,
    /// It is for snapshots.
    pub snapshot_mode: bool,
    /// Period of the live timer, microseconds; 0 when it is no live session.
    pub live_timer: u32,
    /// When it rotates by itself, in the order of the file.
    pub schedules: Vec<Schedule>,
    /// Where it records to; `None` when that is not said.
    pub output: Option<OutputConfiguration>,
}

/// What makes a session rotate by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Microseconds.
    Periodic(Option<u64>),
    /// Bytes.
    Size(Option<u64>),
}

/// Where a session records to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputConfiguration {
    /// All the time.
    Continuous(Destination),
    /// When a snapshot is taken.
    Snapshots(Vec<SnapshotConfiguration>),
}

/// A place for data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A directory. An empty path is how a session without output is written.
    Path(String),
    /// A relay daemon, by its URLs as they are written.
    Network { control: String, data: String },
}

/// An output for snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotConfiguration {
    pub name: String,
    /// Bytes that one snapshot may have, 0 for any number.
    pub max_size: u64,
    pub destination: Destination,
}

/// Who shares buffers, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buffers {
    PerPid,
    PerUid,
    /// There is one set of them, the kernel's.
    Global,
}

/// What a session has of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainConfiguration {
    pub domain: Domain,
    pub buffers: Buffers,
    /// `None` when nothing is said of channels: the original then looks at nothing else of the domain.
    pub channels: Option<Vec<ChannelConfiguration>>,
    /// Those that do not follow everybody.
    pub trackers: Vec<TrackerConfiguration>,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfiguration {
    pub name: String,
    pub enabled: Option<bool>,
    /// Whether the newest data is kept.
    pub overwrite: Option<bool>,
    /// Bytes.
    pub subbuf_size: Option<u64>,
    pub num_subbuf: Option<u64>,
    /// Microseconds, as all periods.
    pub switch_timer: Option<u32>,
    pub read_timer: u32,
    /// Its data is moved into files, not copied.
    pub spliced: bool,
    /// Microseconds; -1 is for ever.
    pub blocking_timeout: Option<i64>,
    pub monitor_timer: Option<u64>,
    /// Bytes.
    pub tracefile_size: Option<u64>,
    pub tracefile_count: Option<u64>,
    pub live_timer: Option<u32>,
    pub events: Vec<EventConfiguration>,
    pub contexts: Vec<ContextConfiguration>,
}

/// What kind of instrumentation a rule is about, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    All,
    Tracepoint,
    Probe,
    UserspaceProbe,
    Function,
    FunctionEntry,
    Noop,
    Syscall,
    /// Names that the schema knows and nothing understands.
    Kprobe,
    Kretprobe,
}

/// Which log levels, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelType {
    All,
    Range,
    Single,
}

/// Where a probe of the kernel sits in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramProbe(pub ProgramPlace);

impl ProgramProbe {
    /// The program's file.
    pub fn binary(&self) -> &str {
        match &self.0 {
            ProgramPlace::Function { binary, .. } | ProgramPlace::Tracepoint { binary, .. } => binary,
        }
    }
}

/// An event rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventConfiguration {
    pub name: Option<Text>,
    pub enabled: Option<bool>,
    pub kind: Option<EventType>,
    pub levels: Option<LevelType>,
    pub level: Option<i32>,
    /// The text of the filter; in domains of loggers with what picks the logger and the levels.
    pub filter: Option<Text>,
    /// Patterns of names that are left out.
    pub exclusions: Vec<Text>,
    /// Where in the kernel it is.
    pub place: Option<ProbePlace>,
    /// Where in a program it is.
    pub program: Option<ProgramProbe>,
}

/// A context: what it is in user space and in the kernel, where it may be known or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextConfiguration {
    pub of_user_space: Option<Context>,
    pub of_kernel: Option<KernelContext>,
}

/// A tracker that has an inclusion set. An empty one follows nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerConfiguration {
    pub attribute: ProcessAttribute,
    pub values: Vec<Value>,
}
