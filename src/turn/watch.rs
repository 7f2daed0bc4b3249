// SPDX-License-Identifier: GPL-2.0-only
//! Peers that owe an answer: when their processes are looked at, and when they have had their time.
//!
//! Whether a peer is slow or unable to answer is decided by looking at its process, never by guessing from the time alone.
//! Nothing here knows what a peer is, or what becomes of it.

use std::time::{Duration, Instant};

use super::output::ProcessState;
use crate::sys::clock::after;

/// Unanswered for this long, while no other peer of its kind answers either, a peer's process is looked at.
const SUSPICION: Duration = Duration::from_millis(20);
/// Unanswered for this long, it is looked at although others answer: they may all be waiting for the CPU.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often a suspended process is looked at. It shows by answering that it goes on; this is for one that does
/// not even then.
pub const SUSPENDED_CHECK: Duration = Duration::from_secs(2);
/// How many times as long as a silent peer one may take that says something else meanwhile.
const LONGEST: u32 = 6;
/// How often one that is merely slow is looked at.
const SLOW_CHECK: Duration = Duration::from_millis(100);

/// When a peer that owes an answer is looked at, or given up.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// When the oldest unanswered request was written, or the one before it was answered.
    asked: Instant,
    /// Its last sign of life, or when it was asked.
    since: Instant,
    /// When its process is looked at next.
    check: Instant,
}

impl Watch {
    /// It was just asked, or has just answered and owes another answer.
    pub fn new(now: Instant) -> Self {
        Watch { asked: now, since: now, check: after(now, SUSPICION) }
    }

    /// It said something that is no answer.
    pub fn shows_life(&mut self, now: Instant) {
        self.since = now;
        self.check = self.check.max(after(now, SUSPICION));
    }

    /// When the oldest unanswered request was written, or the one before it was answered, or the peer was found to be
    /// suspended.
    pub fn asked(&self) -> Instant {
        self.asked
    }

    /// Whether it has given no sign of life for so long.
    pub fn is_silent(&self, now: Instant, duration: Duration) -> bool {
        now >= after(self.since, duration)
    }

    /// When a peer that could answer has had its time. One that says something else meanwhile is getting on, but
    /// not for ever.
    fn end(&self, timeout: Duration) -> Instant {
        after(self.since, timeout).min(after(self.asked, timeout.saturating_mul(LONGEST)))
    }

    fn next_check(&self, attention: Attention) -> Instant {
        let quiet = after(attention.progress, SUSPICION);
        self.check.max(quiet.min(after(self.since, PATIENCE))).max(attention.next)
    }

    /// When [`Watch::overdue`] must be asked.
    pub fn next_due(&self, attention: Attention, timeout: Option<Duration>, lagging: bool) -> Instant {
        let check = self.next_check(attention);
        let end = timeout.filter(|_| !lagging).map(|timeout| self.end(timeout));
        end.map_or(check, |end| end.min(check))
    }

    /// What to do about the peer at this time. `timeout` is what a process that could answer is given; none is for ever.
    pub fn overdue(
        &self,
        now: Instant,
        attention: Attention,
        timeout: Option<Duration>,
        lagging: bool,
    ) -> Option<Overdue> {
        if !lagging && timeout.is_some_and(|timeout| now >= self.end(timeout)) {
            return Some(Overdue::GiveUp);
        }
        (now >= self.next_check(attention)).then_some(Overdue::Inspect(self.since))
    }

    /// Its process is being looked at: not again for a while.
    pub fn inspecting(&mut self, now: Instant, lagging: bool) {
        self.check = after(now, if lagging { SUSPENDED_CHECK } else { SLOW_CHECK });
    }

    /// Its process was looked at. Returns whether it was found newly suspended or newly able to run, which `lagging`
    /// says from then on.
    pub fn inspected(&mut self, state: ProcessState, now: Instant, lagging: &mut bool) -> bool {
        let suspended = state == ProcessState::Suspended;
        if suspended == *lagging {
            return false;
        }
        *lagging = suspended;
        (self.asked, self.since) = (now, now);
        self.check = after(now, if suspended { SUSPENDED_CHECK } else { SUSPICION });
        true
    }
}

/// When processes are looked at. A look costs as much as dozens of messages, so a crowd of peers that all wait for the
/// CPU must not have each of them looked at: the one that has waited longest is, and the next one after a while, or at
/// once if that one turns out to be suspended.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// When a peer has last answered.
    progress: Instant,
    /// When the next one may be looked at.
    next: Instant,
}

impl Attention {
    /// For a daemon that begins now.
    pub fn new(now: Instant) -> Self {
        Attention { progress: now, next: now }
    }

    /// A peer has answered.
    pub fn answered(&mut self, now: Instant) {
        self.progress = now;
    }

    /// A process is looked at.
    pub fn look(&mut self, now: Instant) {
        self.next = after(now, SUSPICION);
    }

    /// It was suspended: others may be, too.
    pub fn found(&mut self, now: Instant) {
        self.next = now;
    }
}

/// What to do about a peer that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// Look at its process, which has been silent since then.
    Inspect(Instant),
    /// It had its time.
    GiveUp,
}

/// A peer that may owe an answer.
pub trait Watched {
    /// When it is looked at, if it owes an answer, and whether it is known to be suspended.
    fn watch(&self) -> (Option<&Watch>, bool);

    /// The same, to be changed.
    fn watch_mut(&mut self) -> (Option<&mut Watch>, &mut bool);

    /// When [`Watched::overdue`] must be asked.
    fn next_check(&self, attention: Attention, timeout: Option<Duration>) -> Option<Instant> {
        let (watch, lagging) = self.watch();
        Some(watch?.next_due(attention, timeout, lagging))
    }

    /// What to do about what it owes at this time. `timeout` is what a process that could answer is given; none is for
    /// ever.
    fn overdue(&self, now: Instant, attention: Attention, timeout: Option<Duration>) -> Option<Overdue> {
        let (watch, lagging) = self.watch();
        watch?.overdue(now, attention, timeout, lagging)
    }

    /// Its process is being looked at: not again for a while.
    fn inspecting(&mut self, now: Instant) {
        if let (Some(watch), lagging) = self.watch_mut() {
            watch.inspecting(now, *lagging);
        }
    }

    /// Its process was looked at. Returns whether it was found newly suspended or newly able to run.
    fn inspected(&mut self, state: ProcessState, now: Instant) -> bool {
        let (watch, lagging) = self.watch_mut();
        watch.is_some_and(|watch| watch.inspected(state, now, lagging))
    }
}

/// What is to be done about peers that owe answers.
#[derive(Debug)]
pub struct Survey<Id> {
    /// Whose process is to be looked at: that of the one that has been silent longest.
    pub inspect: Option<Id>,
    /// Those that have had their time.
    pub late: Vec<Id>,
}

/// Goes through peers that owe answers.
pub fn survey<'a, Id: Copy + Ord, Peer: Watched + 'a>(
    peers: impl Iterator<Item = (Id, &'a Peer)>,
    now: Instant,
    attention: Attention,
    timeout: Option<Duration>,
) -> Survey<Id> {
    let mut late = Vec::new();
    let mut longest: Option<(Instant, Id)> = None;
    for (id, peer) in peers {
        match peer.overdue(now, attention, timeout) {
            None => {}
            Some(Overdue::GiveUp) => late.push(id),
            Some(Overdue::Inspect(since)) => {
                longest = Some(longest.map_or((since, id), |longest| longest.min((since, id))));
            }
        }
    }
    Survey { inspect: longest.map(|(_, id)| id), late }
}
