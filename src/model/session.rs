// SPDX-License-Identifier: GPL-2.0-only
//! A session: what its user asked for, and what goes on.

use std::time::{Duration, Instant};

use super::channel::{Attributes, BufferingScheme, Channel};
use super::idle::{DAY, WEEK};
use super::kernel::{KernelChannel, Transfer};
use super::output::Output;
use super::recording::Recording;
use super::wanted::{SessionKind, Wanted};
use crate::turn::ids::{ChannelId, SessionId};

/// A recording session.
#[derive(Debug)]
pub struct Session {
    pub id: SessionId,
    /// What its user asked for. Only clients' commands change it.
    pub wanted: Wanted,
    /// What goes on. Only the daemon's own work changes it.
    pub recording: Recording,
}

impl Session {
    /// A session that has recorded nothing yet.
    pub fn new(id: SessionId, wanted: Wanted) -> Self {
        Session { id, wanted, recording: Recording::default() }
    }

    /// Whether a client of user `uid` may see and control the session
    /// (lttng-tools 2.13: `src/bin/lttng-sessiond/session.c`).
    pub fn accessible_to(&self, uid: u32) -> bool {
        uid == 0 || uid == self.wanted.owner.uid
    }

    /// Whether it records.
    pub fn is_active(&self) -> bool {
        self.recording.is_active()
    }

    /// Whether it was started at least once: from then on its channels are fixed.
    pub fn was_started(&self) -> bool {
        self.recording.was_started()
    }

    /// Whether clients do not see it any more, because its end is under way.
    pub fn is_destroyed(&self) -> bool {
        self.recording.is_ending()
    }

    /// Whether its end is under way, or is what the task is that holds it: it is listed no more.
    pub fn is_going(&self) -> bool {
        self.is_destroyed() || self.recording.holder.is_some_and(|holder| holder.ends_session)
    }

    /// The user space channel with this number.
    pub fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.channels().iter().find(|channel| channel.id == id)
    }

    /// The kernel channel with this number.
    pub fn kernel_channel(&self, id: ChannelId) -> Option<&KernelChannel> {
        self.wanted.kernel.as_ref()?.channel(id)
    }

    /// Buffer settings of a channel, of either tracer.
    pub fn attributes(&self, id: ChannelId) -> Option<&Attributes> {
        let kernel = || self.kernel_channel(id).map(|channel| &channel.attributes);
        self.channel(id).map(|channel| &channel.attributes).or_else(kernel)
    }

    /// Name of a channel, of either tracer.
    pub fn name_of_channel(&self, id: ChannelId) -> Option<&str> {
        let kernel = || self.kernel_channel(id).map(|channel| channel.name.as_str());
        self.channel(id).map(|channel| channel.name.as_str()).or_else(kernel)
    }

    /// Bytes that one buffer of a channel has.
    pub fn capacity(&self, id: ChannelId) -> Option<u64> {
        let attributes = self.attributes(id)?;
        Some(attributes.subbuf_size.saturating_mul(attributes.num_subbuf))
    }

    /// The session's user space channels.
    pub fn channels(&self) -> &[Channel] {
        self.wanted.ust.as_ref().map_or(&[], |ust| &ust.channels)
    }

    /// Whether it wants something of loggers.
    pub fn has_loggers(&self) -> bool {
        self.wanted.ust.as_ref().is_some_and(|ust| !ust.loggers.is_empty())
    }

    /// Whether data of some channel is moved into files, not copied: of that there are no snapshots.
    pub fn has_spliced_channel(&self) -> bool {
        let kernel = self.wanted.kernel.iter().flat_map(|kernel| &kernel.channels);
        kernel.into_iter().any(|channel| channel.transfer == Transfer::Splice)
    }

    /// Whether it follows a process with these ids. Without a user space part it follows nothing there anyway.
    pub fn follows(&self, pid: i32, uid: u32, gid: u32) -> bool {
        let Some(trackers) = self.wanted.ust.as_ref().map(|ust| &ust.trackers) else { return true };
        let by_pid = u32::try_from(pid).is_ok_and(|pid| trackers.pid.follows(pid));
        by_pid && trackers.uid.follows(uid) && trackers.gid.follows(gid)
    }

    /// Who shares the buffers of its user space channels.
    pub fn scheme(&self) -> BufferingScheme {
        self.wanted.ust.as_ref().map(|ust| ust.scheme).unwrap_or_default()
    }

    /// Whether it records to somewhere all the time.
    pub fn has_output(&self) -> bool {
        self.wanted.output != Output::None
    }

    /// The directory of the data, if it is on this machine.
    pub fn directory(&self) -> Option<&str> {
        match &self.wanted.output {
            Output::Local(path) => Some(path),
            Output::None | Output::Network { .. } => None,
        }
    }

    /// Whether what it records, if anything, is on this machine: its channels know of no relay daemon.
    pub fn is_local(&self) -> bool {
        self.recording.relay.is_none()
    }

    /// Whether it keeps data for snapshots.
    pub fn is_snapshot(&self) -> bool {
        self.wanted.kind == SessionKind::Snapshot
    }

    /// How long nothing may happen to it before it seems to be left over; nothing if that is not known.
    fn patience(&self) -> Option<Duration> {
        if !self.is_active() {
            return None;
        }
        if self.is_snapshot() {
            return Some(WEEK);
        }
        let user_space = self.channels().iter().map(|channel| &channel.attributes);
        let kernel = self.wanted.kernel.iter().flat_map(|kernel| &kernel.channels);
        let mut channels = user_space.chain(kernel.map(|channel| &channel.attributes));
        channels.all(|attributes| attributes.monitor_timer > 0).then_some(DAY)
    }

    /// Whether it seems to be left over: see [`idle`](super::idle).
    pub fn seems_left_over(&self, now: Instant) -> bool {
        let ends = self.patience().and_then(|limit| self.recording.activity.ends(limit));
        ends.is_some_and(|ends| ends <= now)
    }

    /// When it is to be said next that it seems to be left over, if nothing happens until then.
    pub fn left_over_said_next(&self) -> Option<Instant> {
        let again = if self.is_snapshot() { None } else { Some(DAY) };
        self.recording.activity.said_next(self.patience()?, again)
    }

    /// Period in microseconds in which readers of a live session are served; 0 for other sessions.
    pub fn live_timer(&self) -> u32 {
        match self.wanted.kind {
            SessionKind::Live { timer } => u32::try_from(timer).unwrap_or(u32::MAX),
            SessionKind::Regular | SessionKind::Snapshot => 0,
        }
    }
}
