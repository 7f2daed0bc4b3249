// SPDX-License-Identifier: GPL-2.0-only
//! What the user of a session asked for. Plain data: clients' commands edit it, and nothing else does.
//!
//! Two sessions for which the same was asked are equal here, whatever became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::channel::{BufferingScheme, Channel};
use super::kernel::KernelDomain;
use super::logger::{LoggerDomain, Loggers};
use super::output::Output;
use super::snapshot::SnapshotOutput;
use super::tracker::Trackers;
use crate::turn::ids::{ChannelId, Identity};

/// A tracing domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Domain {
    /// The Linux kernel.
    Kernel,
    /// Applications with LTTng-UST.
    UserSpace,
    /// `java.util.logging`.
    Jul,
    /// Apache log4j.
    Log4j,
    /// Python's `logging`.
    Python,
}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionKind {
    /// Records while it is active.
    Regular,
    /// Keeps data in memory until a snapshot is asked for.
    Snapshot,
    /// Can be read while it records.
    Live {
        /// Period of the live timer, microseconds; never 0.
        timer: u64,
    },
}

/// When a session rotates by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedules {
    /// Period, microseconds.
    pub periodic: Option<u64>,
    /// Bytes recorded since the last rotation.
    pub size: Option<u64>,
}

/// What a session is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub name: String,
    /// Whether the daemon made the name up.
    pub generated_name: bool,
    /// Who owns the session and its files.
    pub owner: Identity,
    /// Seconds since the Epoch at creation.
    pub created: i64,
    /// What it is for.
    pub kind: SessionKind,
    /// Where it records to; nowhere for snapshot sessions, whose data stays in the buffers.
    pub output: Output,
    /// Where its snapshots go.
    pub snapshot_outputs: Vec<SnapshotOutput>,
    /// Number of the last output for snapshots that was asked for, be it refused: numbers are not used twice.
    pub last_snapshot_output: u32,
    /// Folder of the buffers, if they are to outlive a crash.
    pub shm_path: Option<String>,
    /// When it rotates by itself.
    pub schedules: Schedules,
    /// User space part, once a command named that domain.
    pub ust: Option<UstDomain>,
    /// Kernel part, once a command named that domain.
    pub kernel: Option<KernelDomain>,
}

impl Wanted {
    /// The id for the next channel, of whichever domain.
    pub fn next_channel(&self) -> ChannelId {
        let ust = self.ust.iter().flat_map(|ust| &ust.channels).map(|channel| channel.id);
        let kernel = self.kernel.iter().flat_map(|kernel| &kernel.channels).map(|channel| channel.id);
        ChannelId(ust.chain(kernel).max().map_or(0, |last| last.0.saturating_add(1)))
    }

    /// Whether it has a channel.
    pub fn has_channels(&self) -> bool {
        self.ust.as_ref().is_some_and(|ust| !ust.channels.is_empty())
            || self.kernel.as_ref().is_some_and(|kernel| !kernel.channels.is_empty())
    }
}

#[cfg(test)]
impl Wanted {
    /// For tests of parts that don't care: a session of user 1000 that records nowhere, and of which nothing was said yet.
    pub fn for_tests(name: &str) -> Self {
        Wanted {
            name: name.to_owned(),
            generated_name: false,
            owner: Identity { uid: 1000, gid: 1000 },
            created: 0,
            kind: SessionKind::Regular,
            output: Output::None,
            snapshot_outputs: Vec::new(),
            last_snapshot_output: 0,
            shm_path: None,
            schedules: Schedules::default(),
            ust: None,
            kernel: None,
        }
    }
}

/// The user space part of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UstDomain {
    /// Who shares buffers.
    pub scheme: BufferingScheme,
    /// The first channel was made: the scheme can't be changed any more.
    pub scheme_fixed: bool,
    /// Which processes it follows.
    pub trackers: Trackers,
    /// Its channels in order of creation.
    pub channels: Vec<Channel>,
    /// A client asked for a channel by name: from then on event rules must name theirs.
    pub named_channel: bool,
    /// What it wants of loggers, by domain.
    pub loggers: BTreeMap<LoggerDomain, Loggers>,
}

impl UstDomain {
    /// The channel of this name; the empty name means `channel0`.
    pub fn find(&self, name: &str) -> Option<&Channel> {
        let name = channel_name(name);
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// Like [`UstDomain::find`], to be changed.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Channel> {
        let name = channel_name(name);
        self.channels.iter_mut().find(|channel| channel.name == name)
    }
}

/// The name that a request's channel name stands for: the empty one is the default channel.
pub fn channel_name(requested: &str) -> &str {
    if requested.is_empty() { "channel0" } else { requested }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tracker::{Included, Policy, Value};
    use crate::model::{
        Address, Attributes, Context, Endpoint, EventRule, Filter, LogLevels, RuleKind, SnapshotOutput,
    };
    use crate::turn::ids::RuleId;

    fn rich() -> Wanted {
        let end = |port| Endpoint { address: Address::Ipv6("::1".into()), port, subdir: "sub".into() };
        let filter =
            Filter { expression: "a > 1".into(), bytecode: vec![1, 2, 3], reloc_offset: 2, seqnum: 9 };
        let rule = EventRule {
            id: RuleId(0),
            name: "app:*".into(),
            kind: RuleKind::Tracepoint,
            levels: LogLevels::AtLeast(6),
            filter: Some(filter),
            exclusions: vec!["app:noise".into()],
            enabled: false,
        };
        let contexts = vec![
            Context::Vpid,
            Context::Perf { kind: 1, config: 2, name: "n".into() },
            Context::App { provider: "p".into(), name: "c".into() },
        ];
        let channel = Channel {
            id: ChannelId(0),
            name: "c".into(),
            enabled: true,
            attributes: Attributes::default_for(BufferingScheme::PerProcess, true, 4096),
            contexts,
            rules: vec![rule],
        };
        let mut ust = UstDomain { channels: vec![channel], ..UstDomain::default() };
        ust.trackers.uid.set_policy(Policy::IncludeSet);
        ust.trackers.uid.add(Included { value: Value::UserName("root".into()), id: 0 });
        Wanted {
            name: "s".into(),
            generated_name: true,
            owner: Identity { uid: 1000, gid: 7 },
            created: 1_700_000_000,
            kind: SessionKind::Live { timer: 5 },
            output: Output::Network { control: Some(end(1)), data: None },
            snapshot_outputs: vec![SnapshotOutput {
                id: 1,
                name: SnapshotOutput::default_name(1),
                max_size: 4,
                output: Output::Local("/tmp".into()),
            }],
            last_snapshot_output: 3,
            shm_path: Some("/shm".into()),
            schedules: Schedules { periodic: Some(9), size: None },
            ust: Some(ust),
            kernel: Some(KernelDomain::default()),
        }
    }

    /// What is wanted outlives the daemon once it is written down.
    #[test]
    fn what_is_wanted_can_be_written_down_and_compared() {
        let wanted = rich();
        let bytes = postcard::to_allocvec(&wanted).unwrap();
        let read: Wanted = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(read, wanted);
        let other = Wanted { shm_path: None, ..rich() };
        assert_ne!(other, wanted);
    }
}
