// SPDX-License-Identifier: GPL-2.0-only
//! What is counted since the daemon began, for those who ask how it is.
//!
//! Numbers only: commands and codes are counted under the numbers that clients know them by, and what these mean is not
//! known here. Nothing here may cost more than adding one, since it is done all the time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::ids::ConsumerKind;

/// Upper bounds of the places of a histogram, microseconds. What takes longer is in one more place.
pub const BOUNDS_US: [u64; PLACES - 1] =
    [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 10_000_000];
/// Places of a histogram.
const PLACES: usize = 11;

/// How often a command was served, and how long that took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    pub count: u64,
    /// How many of these failed.
    pub failed: u64,
    /// All the time together, microseconds.
    pub total_us: u64,
    /// How many took as long as each place says.
    pub latency: [u64; PLACES],
}

impl Served {
    fn took(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.count = self.count.saturating_add(1);
        self.total_us = self.total_us.saturating_add(us);
        let place = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        if let Some(count) = self.latency.get_mut(place) {
            *count = count.saturating_add(1);
        }
    }
}

/// What was counted.
#[derive(Debug)]
pub struct Tally {
    /// When the daemon began.
    pub began: Instant,
    /// The same, seconds since the Epoch.
    pub started: i64,
    /// Turns of the loop.
    pub turns: u64,
    /// The longest of them.
    pub longest_turn: Duration,
    /// Applications that have registered.
    pub applications: u64,
    /// Kinds of events that applications have registered.
    pub events: u64,
    /// Agents that have registered.
    pub agents: u64,
    /// Consumer daemons that were lost.
    pub consumers_lost: BTreeMap<ConsumerKind, u64>,
    /// Commands, by number; those that there are not are together under the last.
    commands: BTreeMap<u32, Served>,
    /// Commands that failed, by code.
    errors: BTreeMap<u32, u64>,
    /// Commands that were answered in this turn, and since when they were there: what is left of the turn counts.
    answered: Vec<(u32, Instant)>,
}

impl Tally {
    /// Nothing was counted yet.
    pub fn new(now: Instant, wall: i64) -> Self {
        Tally {
            began: now,
            started: wall,
            turns: 0,
            longest_turn: Duration::ZERO,
            applications: 0,
            events: 0,
            agents: 0,
            consumers_lost: BTreeMap::new(),
            commands: BTreeMap::new(),
            errors: BTreeMap::new(),
            answered: Vec::new(),
        }
    }

    /// A turn is over that took so long.
    pub fn turn(&mut self, took: Duration) {
        self.turns = self.turns.saturating_add(1);
        self.longest_turn = self.longest_turn.max(took);
    }

    /// A command was answered that was there since `begun`; with this code, if it failed.
    pub fn answered(&mut self, command: u32, begun: Instant, error: Option<u32>) {
        self.answered.push((command, begun));
        if let Some(code) = error {
            let served = self.commands.entry(command).or_default();
            served.failed = served.failed.saturating_add(1);
            let count = self.errors.entry(code).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// What was answered until now is on its way.
    pub fn worked(&mut self, until: Instant) {
        for (command, begun) in self.answered.drain(..) {
            self.commands.entry(command).or_default().took(until.saturating_duration_since(begun));
        }
    }

    /// A consumer daemon was lost.
    pub fn lost_consumer(&mut self, kind: ConsumerKind) {
        let lost = self.consumers_lost.entry(kind).or_default();
        *lost = lost.saturating_add(1);
    }

    /// Commands that were served, by number.
    pub fn commands(&self) -> impl Iterator<Item = (u32, &Served)> {
        self.commands.iter().map(|(&number, served)| (number, served))
    }

    /// How often commands failed, by code.
    pub fn errors(&self) -> impl Iterator<Item = (u32, u64)> {
        self.errors.iter().map(|(&code, &count)| (code, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_counted_in_the_place_of_their_time() {
        let start = Instant::now();
        let mut tally = Tally::new(start, 0);
        tally.answered(7, start, None);
        tally.answered(7, start, Some(30));
        tally.worked(start + Duration::from_micros(100));
        tally.answered(7, start, None);
        tally.worked(start + Duration::from_micros(101));
        tally.answered(7, start, None);
        tally.worked(start + Duration::from_secs(11));
        // Nothing is counted twice.
        tally.worked(start + Duration::from_secs(99));
        let (number, served) = tally.commands().next().unwrap();
        assert_eq!((number, served.count, served.failed, served.total_us), (7, 4, 1, 11_000_301));
        assert_eq!(served.latency, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(tally.errors().collect::<Vec<_>>(), [(30, 1)]);
    }
}
