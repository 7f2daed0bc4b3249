// SPDX-License-Identifier: GPL-2.0-only
//! Sessions that rotate by themselves: after a time, or after so many bytes.
//!
//! A rotation that is refused, because another one goes on or the session was rotated since its stop, is not made up
//! for (lttng-tools 2.13: `src/bin/lttng-sessiond/rotation-thread.c`). Unlike there, a refusal never ends the schedule.

use std::time::{Duration, Instant};

use lttng_protocol::consumer::MonitorSample;

use super::Daemon;
use crate::inbox::Inbox;
use crate::model::{ChannelId, SessionId};
use crate::operation::{ReplyTo, Rotate, Work};
use crate::output::ConsumerKind;
use crate::sys::clock::after;
use crate::ust::buffers::BuffersKey;

impl Daemon {
    /// Begins to count the time of a session with a periodic schedule, unless it is being counted.
    pub(crate) fn begin_rotation_timer(&mut self, id: SessionId) {
        if let Some(first) = self.one_period_from_now(id) {
            self.rotation_timers.entry(id).or_insert(first);
        }
    }

    /// A schedule of no time is none: it is not kept.
    fn one_period_from_now(&self, id: SessionId) -> Option<Instant> {
        let period = self.model.get(id)?.rotations.schedules.periodic?;
        Some(after(self.now, Duration::from_micros(period)))
    }

    /// The time does not count any more.
    pub(crate) fn end_rotation_timer(&mut self, id: SessionId) {
        self.rotation_timers.remove(&id);
    }

    /// When the next session rotates because of the time.
    pub(super) fn next_rotation(&self) -> Option<Instant> {
        self.rotation_timers.values().min().copied()
    }

    /// Rotates the sessions whose time has come.
    pub(super) fn rotate_in_time(&mut self) {
        let due: Vec<SessionId> =
            self.rotation_timers.iter().filter(|(_, at)| self.now >= **at).map(|(&id, _)| id).collect();
        for id in due {
            let Some(next) = self.one_period_from_now(id) else {
                self.end_rotation_timer(id);
                continue;
            };
            // What was missed is not made up for.
            self.rotation_timers.insert(id, next);
            self.rotate_by_itself(id);
        }
    }

    /// Rotates a session now, or once the operation that holds it is over.
    fn rotate_by_itself(&mut self, id: SessionId) {
        self.rotations_due.insert(id);
        self.changed = true;
    }

    /// Begins the rotations that are due, as far as their sessions are free.
    pub(super) fn begin_due_rotations(&mut self) {
        let held = |id: &SessionId| self.held.contains_key(id);
        let (later, now) = std::mem::take(&mut self.rotations_due).into_iter().partition(held);
        self.rotations_due = later;
        for id in now {
            match self.check_rotation(id) {
                Ok(()) => self.begin(Work::Rotate(Rotate::new(id)), ReplyTo::nobody(), Some(id)),
                Err(code) => log::debug!("Session {} does not rotate by itself now: {code:?}", id.0),
            }
        }
    }

    /// A consumer daemon says what its channels have written.
    pub(super) fn samples_received(&mut self, kind: ConsumerKind, bytes: &[u8]) {
        let mut inbox = Inbox::default();
        inbox.push(bytes);
        while let Some(sample) = inbox.take(MonitorSample::LEN, MonitorSample::decode) {
            if let Ok(sample) = sample {
                self.sampled(kind, &sample);
            }
        }
    }

    fn sampled(&mut self, kind: ConsumerKind, sample: &MonitorSample) {
        let of_kind = self.buffers.iter().filter(|(_, buffers)| buffers.consumer == kind);
        let found: Option<(BuffersKey, ChannelId)> =
            of_kind.filter_map(|(&key, buffers)| Some((key, buffers.channel_by_key(sample.key)?))).next();
        let Some((key, channel)) = found else { return };
        let Some(buffers) = self.buffers.get_mut(&key) else { return };
        let grown = buffers.consumed(channel, sample.total_consumed);
        let Some(session) = self.model.get_mut(key.session) else { return };
        let rotations = &mut session.rotations;
        rotations.consumed = rotations.consumed.saturating_add(grown);
        if let Some(size) = rotations.schedules.size
            && rotations.consumed >= rotations.rotate_at
        {
            rotations.rotate_at = rotations.consumed.saturating_add(size);
            self.rotate_by_itself(key.session);
        }
    }
}
