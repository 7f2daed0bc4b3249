// SPDX-License-Identifier: GPL-2.0-only
//! Everything that has to be looked at when a time has come, in one ordered set.
//!
//! A timer is named after what it is for, so that setting it again replaces it. Nothing here knows the time: the
//! caller says which it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::ids::{AppId, ConnId, ConsumerKind, RelayId, SessionId, TaskId};

/// What a time is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A connection must have introduced itself, or said what it wants; or an agent's program is let run.
    Connection(ConnId),
    /// An application's `main` is let run.
    Release(AppId),
    /// Silent applications are looked at.
    Watch,
    /// Silent agents are looked at.
    Agents,
    /// A consumer daemon must have started.
    Consumer(ConsumerKind),
    /// A relay daemon must have answered.
    Relay(RelayId),
    /// It is looked whether sessions seem to be left over.
    LeftOver,
    /// A session rotates.
    Rotation(SessionId),
    /// Metadata is pushed without being asked for.
    Push,
    /// Buffers that could not be had are asked for again.
    Retry,
    /// Pipes and counters for events that could not be had are asked for again.
    Notifiers,
    /// A task is looked at even if nothing changed.
    Task(TaskId),
    /// Loading recording session configurations goes on: others have had their turn.
    Load,
    /// Who supervises the daemon is to have a sign of life.
    SignOfLife,
    /// How the daemon is has changed, which is to be told.
    Standing,
    /// The daemon has had its time to end.
    End,
}

/// All timers.
#[derive(Debug, Default)]
pub struct Timers {
    set: BTreeMap<Timer, Instant>,
    order: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Sets a timer, or sets it anew.
    pub fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(old) = self.set.insert(timer, at) {
            if old == at {
                return;
            }
            self.order.remove(&(old, timer));
        }
        self.order.insert((at, timer));
    }

    /// Takes a timer back, if it is set.
    pub fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.set.remove(&timer) {
            self.order.remove(&(at, timer));
        }
    }

    /// Sets a timer, or takes it back.
    pub fn arrange(&mut self, timer: Timer, at: Option<Instant>) {
        match at {
            Some(at) => self.set(timer, at),
            None => self.clear(timer),
        }
    }

    /// When a timer is due, if it is set.
    pub fn get(&self, timer: Timer) -> Option<Instant> {
        self.set.get(&timer).copied()
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.order.first().map(|&(at, _)| at)
    }

    /// Takes all that are due, the longest overdue first.
    pub fn take_due(&mut self, now: Instant) -> Vec<Timer> {
        let mut due = Vec::new();
        while let Some(&(at, timer)) = self.order.first()
            && at <= now
        {
            self.clear(timer);
            due.push(timer);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn timers_come_in_order_and_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.set(Timer::Push, at(3));
        timers.set(Timer::Watch, at(1));
        timers.set(Timer::Task(TaskId(7)), at(2));
        timers.set(Timer::End, at(9));
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.take_due(start), []);
        assert_eq!(timers.take_due(at(3)), [Timer::Watch, Timer::Task(TaskId(7)), Timer::Push]);
        assert_eq!((timers.next(), timers.get(Timer::Push)), (Some(at(9)), None));
    }

    #[test]
    fn setting_a_timer_again_moves_it() {
        let start = Instant::now();
        let later = start + Duration::from_secs(5);
        let mut timers = Timers::default();
        timers.set(Timer::Push, start);
        timers.set(Timer::Push, later);
        assert_eq!((timers.take_due(start), timers.next()), (Vec::new(), Some(later)));
        timers.arrange(Timer::Push, None);
        timers.clear(Timer::Push);
        assert_eq!((timers.next(), timers.take_due(later)), (None, Vec::new()));
    }
}
