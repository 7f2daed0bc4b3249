// SPDX-License-Identifier: GPL-2.0-only
//! Recording sessions.

use lttng_protocol::client::{Output, SessionKind};

use super::channel::{Channel, ChannelId};
use super::rotation::Rotations;
use super::snapshot::SnapshotOutput;
use super::tracker::Trackers;

/// Number of a session for the daemon's life; consumer daemons know sessions by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// A trace chunk: one generation of a session's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its number in the session.
    pub id: u64,
    /// Seconds since the Epoch when it was made.
    pub created: i64,
    /// Where its files are now, absolute; empty when they are on another machine.
    pub folder: String,
}

/// A recording session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Its name.
    pub name: String,
    /// Whether the daemon made the name up.
    pub generated_name: bool,
    /// User that owns the session and its files.
    pub uid: u32,
    /// Group of its files.
    pub gid: u32,
    /// Seconds since the Epoch at creation.
    pub created: i64,
    /// What it is for.
    pub kind: SessionKind,
    /// Where it records to; nowhere for snapshot sessions, whose data stays in the buffers.
    pub output: Output,
    /// Number by which consumer daemons know the connections to the relay daemon, once they have them.
    pub relayd_id: Option<u64>,
    /// Where its snapshots go.
    pub snapshot_outputs: Vec<SnapshotOutput>,
    /// Number of the last output for snapshots that was asked for, be it refused: numbers are not used twice.
    pub last_snapshot_output: u32,
    /// Snapshots recorded so far, which number their names.
    pub snapshots: u64,
    /// Folder of the buffers, if they are to outlive a crash.
    pub shm_path: Option<String>,
    /// User space part, once a command named that domain.
    pub ust: Option<UstDomain>,
    /// Recording now.
    pub active: bool,
    /// Was started at least once: from then on its channels are fixed.
    pub started: bool,
    /// The trace chunk that the consumer daemons write to, once there is one.
    pub chunk: Option<Chunk>,
    /// Number of the next chunk.
    pub next_chunk: u64,
    /// Its rotations.
    pub rotations: Rotations,
    /// Destroyed: clients do not see it any more, its end is under way.
    pub destroyed: bool,
}

impl Session {
    /// Whether a client of user `uid` may see and control the session
    /// (lttng-tools 2.13: `src/bin/lttng-sessiond/session.c`).
    pub fn accessible_to(&self, uid: u32) -> bool {
        uid == 0 || uid == self.uid
    }

    /// The channel with this number.
    pub fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.ust.as_ref()?.channels.iter().find(|channel| channel.id == id)
    }

    /// The session's user space channels.
    pub fn channels(&self) -> &[Channel] {
        self.ust.as_ref().map_or(&[], |ust| &ust.channels)
    }

    /// Whether it follows a process with these ids. Without a user space part it follows nothing there anyway.
    pub fn follows(&self, pid: i32, uid: u32, gid: u32) -> bool {
        let Some(trackers) = self.ust.as_ref().map(|ust| &ust.trackers) else { return true };
        let by_pid = u32::try_from(pid).is_ok_and(|pid| trackers.pid.follows(pid));
        by_pid && trackers.uid.follows(uid) && trackers.gid.follows(gid)
    }

    /// Who shares the buffers of its user space channels.
    pub fn scheme(&self) -> BufferingScheme {
        self.ust.as_ref().map(|ust| ust.scheme).unwrap_or_default()
    }

    /// Whether it records to somewhere all the time.
    pub fn has_output(&self) -> bool {
        self.output != Output::None
    }

    /// The directory of the data, if it is on this machine.
    pub fn directory(&self) -> Option<&str> {
        match &self.output {
            Output::Local(path) => Some(path),
            Output::None | Output::Network { .. } => None,
        }
    }

    /// Whether what it records, if anything, is on this machine: its channels know of no relay daemon.
    pub fn is_local(&self) -> bool {
        self.relayd_id.is_none()
    }

    /// Whether it keeps data for snapshots.
    pub fn is_snapshot(&self) -> bool {
        self.kind == SessionKind::Snapshot
    }

    /// Period in microseconds in which readers of a live session are served; 0 for other sessions.
    pub fn live_timer(&self) -> u32 {
        match self.kind {
            SessionKind::Live { timer } => u32::try_from(timer).unwrap_or(u32::MAX),
            SessionKind::Regular | SessionKind::Snapshot => 0,
        }
    }
}

/// Who shares buffers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BufferingScheme {
    /// The applications of one user.
    #[default]
    PerUser,
    /// Nobody: each application has its own.
    PerProcess,
}

/// The user space part of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

    /// The id for the next channel.
    pub fn next_channel(&self) -> ChannelId {
        ChannelId(self.channels.len() as u64)
    }
}

/// The name that a request's channel name stands for: the empty one is the default channel.
pub fn channel_name(requested: &str) -> &str {
    if requested.is_empty() { "channel0" } else { requested }
}
