// SPDX-License-Identifier: GPL-2.0-only
//! Sessions that rotate by themselves: after a time, or after so many bytes.
//!
//! A rotation that is refused, because another one goes on or the session was rotated since its stop, is not made up
//! for (lttng-tools 2.13: `src/bin/lttng-sessiond/rotation-thread.c`). Unlike there, a refusal never ends the schedule.

use std::time::{Duration, Instant};

use lttng_protocol::consumer::MonitorSample;

use super::State;
use crate::model::{Place, Sampled};
use crate::sys::clock::after;
use crate::turn::Begin;
use crate::turn::ids::{BuffersKey, ChannelId, ConsumerKind, SessionId};
use crate::turn::timers::Timer;

impl State {
    /// Begins to count the time of a session with a periodic schedule, unless it is being counted.
    pub fn begin_rotation_timer(&mut self, id: SessionId) {
        if self.turn.timers.get(Timer::Rotation(id)).is_none() {
            let first = self.one_period_from_now(id);
            self.turn.timers.arrange(Timer::Rotation(id), first);
        }
    }

    /// A schedule of no time is none: it is not kept.
    fn one_period_from_now(&self, id: SessionId) -> Option<Instant> {
        let period = self.sessions.get(id)?.wanted.schedules.periodic?;
        Some(after(self.turn.now, Duration::from_micros(period)))
    }

    /// The time does not count any more.
    pub fn end_rotation_timer(&mut self, id: SessionId) {
        self.turn.timers.clear(Timer::Rotation(id));
    }

    /// Rotates a session whose time has come. What was missed is not made up for.
    pub(super) fn rotate_in_time(&mut self, id: SessionId) {
        if let Some(next) = self.one_period_from_now(id) {
            self.turn.timers.set(Timer::Rotation(id), next);
            self.turn.begin(Begin::Rotate(id));
        }
    }

    /// A session has written more: it rotates now if it does so by size, and has grown that much.
    pub fn rotate_if_outgrown(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.wanted.schedules.size.is_some_and(|size| session.recording.outgrew(size)) {
            self.turn.begin(Begin::Rotate(id));
        }
    }

    /// A consumer daemon says what its channels have written.
    pub(super) fn samples_received(&mut self, kind: ConsumerKind, bytes: &[u8]) {
        let Some(consumer) = self.consumers.all.get_mut(&kind) else { return };
        for sample in consumer.monitor_received(bytes) {
            self.sampled(kind, &sample);
        }
    }

    /// Bytes in use in the fullest stream of a channel, in all buffers that have one and that were told of.
    pub fn used(&self, session: SessionId, channel: ChannelId) -> Vec<u64> {
        let of_session = self.buffers.iter().filter(|(key, _)| key.session == session);
        let kernel = self.kernel_used(session, channel);
        kernel.into_iter().chain(of_session.filter_map(|(_, buffers)| buffers.used(channel))).collect()
    }

    fn sampled(&mut self, kind: ConsumerKind, sample: &MonitorSample) {
        let found = match kind {
            ConsumerKind::Kernel => self.kernel_sampled(sample).map(|(id, channel, written, used_before)| {
                (id, Place { buffers: None, channel }, written, used_before)
            }),
            ConsumerKind::Ust64 | ConsumerKind::Ust32 => self.user_space_sampled(kind, sample),
        };
        let Some((id, place, written, used_before)) = found else { return };
        let channel = place.channel;
        let capacity =
            self.sessions.get(id).and_then(|session| session.capacity(channel)).unwrap_or_default();
        if let Some(mut session) = self.record(id) {
            session.sampled(channel, Sampled { written, used: sample.highest, used_before, capacity });
        }
        if written > 0
            && let Some(session) = self.sessions.get_mut(id)
        {
            session.recording.losses.wrote(place);
            self.touch_session(id);
        }
        self.count_losses_in_time(id);
    }

    /// Whose sample it is, what was written since the last one, and what was in use then.
    fn user_space_sampled(
        &mut self,
        kind: ConsumerKind,
        sample: &MonitorSample,
    ) -> Option<(SessionId, Place, u64, Option<u64>)> {
        let of_kind = self.buffers.iter().filter(|(_, buffers)| buffers.consumer.kind == kind);
        let found: Option<(BuffersKey, ChannelId)> =
            of_kind.filter_map(|(&key, buffers)| Some((key, buffers.channel_by_key(sample.key)?))).next();
        let (key, channel) = found?;
        let (written, used_before) =
            self.buffers.get_mut(&key)?.sampled(channel, sample.total_consumed, sample.highest);
        Some((key.session, Place { buffers: Some(key), channel }, written, used_before))
    }
}
