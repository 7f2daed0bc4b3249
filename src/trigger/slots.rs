// SPDX-License-Identifier: GPL-2.0-only
//! Places of error counters, given out and taken back. In increasing order first; then those that came back, the one
//! that came back first before the others (lttng-tools 2.13: `event-notifier-error-accounting.c`).

use std::collections::VecDeque;

/// Places from 0 up to some number.
#[derive(Debug)]
pub struct Slots {
    all: u32,
    unused: u32,
    back: VecDeque<u32>,
}

impl Slots {
    /// So many places, all free.
    pub fn new(all: u32) -> Self {
        Slots { all, unused: 0, back: VecDeque::new() }
    }

    /// Takes a place.
    pub fn take(&mut self) -> Option<u32> {
        if self.unused < self.all {
            let slot = self.unused;
            self.unused = self.unused.saturating_add(1);
            return Some(slot);
        }
        self.back.pop_front()
    }

    /// A place is free again.
    pub fn give_back(&mut self, slot: u32) {
        self.back.push_back(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_never_used_come_first() {
        let mut slots = Slots::new(3);
        assert_eq!((slots.take(), slots.take()), (Some(0), Some(1)));
        slots.give_back(1);
        slots.give_back(0);
        let taken: Vec<_> = std::iter::from_fn(|| slots.take()).collect();
        assert_eq!(taken, [2, 1, 0]);
    }
}
