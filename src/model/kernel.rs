// SPDX-License-Identifier: GPL-2.0-only
//! The kernel part of what the user of a session asked for. Plain data, like all of it.
//!
//! Nothing here knows the tracer: what it was actually given is in its mirror (`kernel/mirror.rs`), and the open files
//! that belong to user space probes are there, too.

use serde::{Deserialize, Serialize};

use super::channel::Attributes;
use super::rule::Filter;
use super::tracker::Tracker;
use super::wanted::channel_name;
use crate::text::Text;
use crate::turn::ids::{ChannelId, RuleId};

/// The kernel part of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelDomain {
    /// Which processes it follows.
    pub trackers: KernelTrackers,
    /// Its channels in order of creation.
    pub channels: Vec<KernelChannel>,
    /// A client asked for a channel by name: from then on event rules must name theirs.
    pub named_channel: bool,
}

impl KernelDomain {
    /// The channel of this name; the empty name means `channel0`.
    pub fn find(&self, name: &str) -> Option<&KernelChannel> {
        let name = channel_name(name);
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// Like [`KernelDomain::find`], to be changed.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut KernelChannel> {
        let name = channel_name(name);
        self.channels.iter_mut().find(|channel| channel.name == name)
    }

    /// The channel with this number.
    pub fn channel(&self, id: ChannelId) -> Option<&KernelChannel> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    /// Like [`KernelDomain::channel`], to be changed.
    pub fn channel_mut(&mut self, id: ChannelId) -> Option<&mut KernelChannel> {
        self.channels.iter_mut().find(|channel| channel.id == id)
    }
}

/// How a consumer daemon gets at what the tracer has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transfer {
    /// The pages are moved into a pipe and from there into a file.
    Splice,
    /// They are mapped.
    Mmap,
}

/// One kernel channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelChannel {
    /// Its number in the session, which no channel of another domain has.
    pub id: ChannelId,
    /// Its name, unique among the session's kernel channels.
    pub name: String,
    /// Whether the user wants it on.
    pub enabled: bool,
    /// Whether it is listed as enabled: it is so for good if a client asked for the channel, and never if an event rule or
    /// a context brought it about (lttng-tools 2.13: `src/bin/lttng-sessiond/cmd.c`, `list_lttng_channels`).
    pub listed_enabled: bool,
    /// Buffer settings, fixed at creation. Nobody can wait for room.
    pub attributes: Attributes,
    /// Period of the live timer as it is listed, microseconds: outside live sessions it is what the client said, and means
    /// nothing.
    pub live_timer: u32,
    /// How its data is taken.
    pub transfer: Transfer,
    /// Contexts that every event carries, in order; fixed at the first start.
    pub contexts: Vec<KernelContext>,
    /// Its event rules in order of creation; rules are disabled but never removed.
    pub rules: Vec<KernelRule>,
}

impl KernelChannel {
    /// Whether it has the rule with this number.
    pub fn has_rule(&self, rule: RuleId) -> bool {
        self.rules.iter().any(|known| known.id == rule)
    }

    /// The id for the next rule.
    pub fn next_rule(&self) -> RuleId {
        let last = self.rules.last().map(|rule| rule.id.0);
        RuleId(last.map_or(0, |last| last.saturating_add(1)))
    }
}

/// Where in the kernel a probe sits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbePlace {
    /// The symbol; empty for a bare address.
    pub symbol: String,
    pub address: u64,
    /// Bytes behind the symbol or the address.
    pub offset: u64,
}

/// Where in a program a probe of the kernel sits, as users say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramPlace {
    /// The entry of a function, found in the file's symbols.
    Function { binary: String, function: String },
    /// An SDT probe.
    Tracepoint { binary: String, provider: String, probe: String },
}

/// What a kernel event rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KernelRuleKind {
    /// Tracepoints.
    Tracepoint,
    /// Entry and exit of system calls.
    Syscall,
    /// An instruction.
    Probe(ProbePlace),
    /// Entry and return of a function.
    Function(ProbePlace),
    /// A place in a program, and where that is in its file: bytes from the file's beginning.
    UserspaceProbe { place: ProgramPlace, offsets: Vec<u64> },
}

impl KernelRuleKind {
    /// Whether it is one probe, and no pattern of what there is: the tracer refuses to disable one twice.
    pub fn is_probe(&self) -> bool {
        match self {
            KernelRuleKind::Probe(_)
            | KernelRuleKind::Function(_)
            | KernelRuleKind::UserspaceProbe { .. } => true,
            KernelRuleKind::Tracepoint | KernelRuleKind::Syscall => false,
        }
    }
}

/// One event rule of a kernel channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelRule {
    /// Its number in the channel.
    pub id: RuleId,
    /// Name or star pattern, normalised; the events' name, for probes.
    pub name: Text,
    pub kind: KernelRuleKind,
    /// Filter, if the user gave one.
    pub filter: Option<Filter>,
    /// Whether the user wants it on.
    pub enabled: bool,
}

impl KernelRule {
    /// Whether `self` and `other` are the same rule to a user: kind, name and filter bytecode; neither where a probe sits
    /// nor the expression's text takes part (lttng-tools 2.13: `src/bin/lttng-sessiond/trace-kernel.c`).
    pub fn same_identity(&self, other: &KernelRule) -> bool {
        std::mem::discriminant(&self.kind) == std::mem::discriminant(&other.kind)
            && self.name == other.name
            && self.filter.as_ref().map(|filter| &filter.bytecode)
                == other.filter.as_ref().map(|filter| &filter.bytecode)
    }
}

/// A process attribute that the kernel tracer has a tracker for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProcessAttribute {
    Pid,
    Vpid,
    Uid,
    Vuid,
    Gid,
    Vgid,
}

impl ProcessAttribute {
    /// All of them.
    pub const ALL: [ProcessAttribute; 6] = [
        ProcessAttribute::Pid,
        ProcessAttribute::Vpid,
        ProcessAttribute::Uid,
        ProcessAttribute::Vuid,
        ProcessAttribute::Gid,
        ProcessAttribute::Vgid,
    ];
}

/// The trackers of the kernel. A process is followed if all of them follow it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelTrackers {
    pub pid: Tracker,
    pub vpid: Tracker,
    pub uid: Tracker,
    pub vuid: Tracker,
    pub gid: Tracker,
    pub vgid: Tracker,
}

impl KernelTrackers {
    /// The tracker of an attribute.
    pub fn of(&self, attribute: ProcessAttribute) -> &Tracker {
        match attribute {
            ProcessAttribute::Pid => &self.pid,
            ProcessAttribute::Vpid => &self.vpid,
            ProcessAttribute::Uid => &self.uid,
            ProcessAttribute::Vuid => &self.vuid,
            ProcessAttribute::Gid => &self.gid,
            ProcessAttribute::Vgid => &self.vgid,
        }
    }

    /// The tracker of an attribute, to be changed.
    pub fn of_mut(&mut self, attribute: ProcessAttribute) -> &mut Tracker {
        match attribute {
            ProcessAttribute::Pid => &mut self.pid,
            ProcessAttribute::Vpid => &mut self.vpid,
            ProcessAttribute::Uid => &mut self.uid,
            ProcessAttribute::Vuid => &mut self.vuid,
            ProcessAttribute::Gid => &mut self.gid,
            ProcessAttribute::Vgid => &mut self.vgid,
        }
    }
}

/// A context that the kernel tracer knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KernelContext {
    Pid,
    Procname,
    Prio,
    Nice,
    Vpid,
    Tid,
    Vtid,
    Ppid,
    Vppid,
    Hostname,
    Interruptible,
    Preemptible,
    NeedReschedule,
    Migratable,
    CallstackKernel,
    CallstackUser,
    CgroupNs,
    IpcNs,
    MntNs,
    NetNs,
    PidNs,
    UserNs,
    UtsNs,
    TimeNs,
    Uid,
    Euid,
    Suid,
    Gid,
    Egid,
    Sgid,
    Vuid,
    Veuid,
    Vsuid,
    Vgid,
    Vegid,
    Vsgid,
    /// A perf counter of the CPU.
    Perf {
        /// `type` of the kernel's `perf_event_attr`.
        kind: u32,
        /// `config` of the kernel's `perf_event_attr`.
        config: u64,
        /// Name of the field.
        name: Text,
    },
}
