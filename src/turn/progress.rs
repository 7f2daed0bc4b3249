// SPDX-License-Identifier: GPL-2.0-only
//! Whether the daemon gets on: what the turns of the loop are spent on, how late timers are, whom nobody hears.
//!
//! It is measured, not assumed: whoever drives the daemon says when it woke up and when each piece of work was done, and
//! whoever works says on what. Nothing here knows the time, who asks, or what is to be done about it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A part of the daemon that may be stuck while others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Clients' commands, and whatever is nobody else's.
    Commands,
    /// What applications are asked.
    Applications,
    /// Applications come.
    Registration,
    /// What applications tell.
    Notify,
    /// The kernel's tracer.
    Kernel,
    /// The consumer daemons.
    Consumers,
    /// Those who are told of triggers' conditions.
    Subscribers,
    /// Rotations.
    Rotations,
    /// Timers.
    Timers,
    /// What triggers have done to sessions.
    Actions,
}

/// How long anything may take, or be late, before that is bad health: the original's limit, as it works there
/// (lttng-tools 2.13: `src/common/health/health.c`).
pub const LIMIT: Duration = Duration::from_secs(20);

/// Whether something that goes on since then has taken too long.
pub fn is_late(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) > LIMIT
}

/// What was measured.
#[derive(Debug)]
pub struct Progress {
    /// When the turn began.
    began: Instant,
    /// Up to here it is known what it was spent on.
    until: Instant,
    /// What it is being spent on.
    on: Part,
    /// The longest piece of work of this turn.
    longest: (Duration, Part),
    /// What was late since somebody asked last.
    late: BTreeSet<Part>,
    /// Who can't be listened to, and since when.
    deaf: BTreeMap<Part, Instant>,
}

impl Progress {
    /// Nothing was done yet.
    pub fn new(now: Instant) -> Self {
        Progress {
            began: now,
            until: now,
            on: Part::Commands,
            longest: (Duration::ZERO, Part::Commands),
            late: BTreeSet::new(),
            deaf: BTreeMap::new(),
        }
    }

    /// A turn begins; the first timer was due at `due`.
    pub fn begin(&mut self, now: Instant, due: Option<Instant>) {
        (self.began, self.until, self.on) = (now, now, Part::Commands);
        self.longest = (Duration::ZERO, Part::Commands);
        if due.is_some_and(|due| is_late(due, now)) {
            self.late.insert(Part::Timers);
        }
    }

    /// How long this turn has taken so far.
    pub fn took(&self) -> Duration {
        self.until.saturating_duration_since(self.began)
    }

    /// What comes now is work of this part.
    pub fn work_on(&mut self, part: Part) {
        self.on = part;
    }

    /// A piece of work is done. When a turn takes too long, the part with its longest piece is to blame.
    pub fn worked(&mut self, until: Instant) {
        let on = std::mem::replace(&mut self.on, Part::Commands);
        let took = until.saturating_duration_since(self.until);
        self.until = self.until.max(until);
        self.longest = self.longest.max((took, on));
        if is_late(self.began, self.until) {
            self.late.insert(self.longest.1);
        }
    }

    /// Those who want to connect to this part can't be taken, or can again.
    pub fn hears(&mut self, part: Part, able: bool, now: Instant) {
        if able {
            self.deaf.remove(&part);
        } else {
            self.deaf.entry(part).or_insert(now);
        }
    }

    /// What is late, or was since this was asked last.
    pub fn take_late(&mut self, now: Instant) -> BTreeSet<Part> {
        let deaf = self.deaf.iter().filter(|(_, since)| is_late(**since, now)).map(|(&part, _)| part);
        let mut late: BTreeSet<Part> = deaf.collect();
        late.append(&mut self.late);
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_piece_of_a_long_turn_is_to_blame_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut progress = Progress::new(start);
        // Waiting for something to happen is no work.
        progress.begin(at(1000), None);
        progress.worked(at(1020));
        assert!(progress.take_late(at(1020)).is_empty());
        progress.begin(at(2000), Some(at(1981)));
        for (part, until) in [(Part::Kernel, 2005), (Part::Consumers, 2014), (Part::Notify, 2021)] {
            progress.work_on(part);
            progress.worked(at(until));
        }
        assert_eq!(progress.take_late(at(2021)), [Part::Consumers].into());
        assert!(progress.take_late(at(2021)).is_empty());
        // Who says nothing works for clients.
        progress.begin(at(3000), None);
        progress.worked(at(3021));
        assert_eq!(progress.take_late(at(3021)), [Part::Commands].into());
    }

    #[test]
    fn timers_may_be_late_a_little() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        progress.begin(start + LIMIT, Some(start));
        assert!(progress.take_late(start + LIMIT).is_empty());
        let late = start + LIMIT + Duration::from_millis(1);
        progress.begin(late, Some(start));
        progress.begin(late, None);
        assert_eq!(progress.take_late(late), [Part::Timers].into());
    }

    #[test]
    fn who_is_not_heard_for_long_is_told_until_it_is() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut progress = Progress::new(start);
        progress.hears(Part::Registration, false, at(0));
        progress.hears(Part::Registration, false, at(15));
        assert!(progress.take_late(at(20)).is_empty());
        for _ in 0..2 {
            assert_eq!(progress.take_late(at(21)), [Part::Registration].into());
        }
        progress.hears(Part::Registration, true, at(21));
        assert!(progress.take_late(at(50)).is_empty());
    }
}
