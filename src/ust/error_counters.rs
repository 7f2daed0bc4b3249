// SPDX-License-Identifier: GPL-2.0-only
//! How many notifications applications could not send, by the place of their trigger's counter.
//!
//! The counters are in memory that all applications of one user share with the daemon, one piece for each CPU. It is
//! never mapped here: an application may do with it what it wants, and none of another user sees it.
//!
//! Layout, which LTTng-UST maps without being told: a counter of 32 bits for each place, then one bit for each place that
//! says whether it has overflowed, then one for underflows. `lttng-ust 2.13: src/common/counter/counter.c`

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use crate::accounts::Charge;
use crate::sys::shared_memory;
use crate::turn::output::SharedFd;

/// Bytes of one counter.
const COUNTER: u64 = 4;

/// The counters of one user's applications, by CPU.
#[derive(Debug)]
pub struct CounterSet {
    cpus: Vec<SharedFd>,
    _paid: [Charge; 2],
}

impl CounterSet {
    /// The memory for one CPU.
    pub fn cpu(&self, cpu: u32) -> Option<&SharedFd> {
        self.cpus.get(usize::try_from(cpu).ok()?)
    }
}

/// The counters of all users.
#[derive(Debug)]
pub struct ErrorCounters {
    places: u32,
    cpus: u32,
    sets: BTreeMap<u32, Rc<CounterSet>>,
}

impl ErrorCounters {
    /// None yet; with so many places, for each of so many CPUs.
    pub fn new(places: u32, cpus: u32) -> Self {
        ErrorCounters { places, cpus, sets: BTreeMap::new() }
    }

    /// How many places there are.
    pub fn places(&self) -> u32 {
        self.places
    }

    /// How many CPUs there may be.
    pub fn cpus(&self) -> u32 {
        self.cpus
    }

    /// Bytes of the memory for one CPU.
    pub fn length(&self) -> u64 {
        let places = u64::from(self.places);
        COUNTER.saturating_mul(places).saturating_add(places.div_ceil(8).saturating_mul(2))
    }

    /// Bytes that a user's counters take in all.
    pub fn length_of_set(&self) -> u64 {
        self.length().saturating_mul(self.cpus.into())
    }

    /// The counters of a user, if there are some.
    pub fn get(&self, uid: u32) -> Option<&Rc<CounterSet>> {
        self.sets.get(&uid)
    }

    /// Makes the counters of a user, all zero. For memory and descriptors was `paid`.
    ///
    /// # Errors
    /// There is no room for them.
    pub fn make(
        &mut self,
        uid: u32,
        paid: [Charge; 2],
        create: fn(u64) -> io::Result<OwnedFd>,
    ) -> io::Result<Rc<CounterSet>> {
        let length = self.length();
        let cpus = (0..self.cpus).map(|_| Ok(Rc::new(create(length)?))).collect::<io::Result<_>>()?;
        let set = Rc::new(CounterSet { cpus, _paid: paid });
        self.sets.insert(uid, Rc::clone(&set));
        Ok(set)
    }

    /// Gives up the counters that no application has.
    pub fn give_up_unused(&mut self) {
        self.sets.retain(|_, set| Rc::strong_count(set) > 1);
    }

    /// How many notifications were lost at this place, by all applications.
    ///
    /// # Errors
    /// A counter can't be read.
    pub fn sum(&self, place: u32) -> io::Result<u64> {
        let mut sum: i64 = 0;
        for memory in self.sets.values().flat_map(|set| &set.cpus) {
            let count = shared_memory::read(memory.as_fd(), COUNTER.saturating_mul(place.into()))?;
            sum = sum.saturating_add(count.into());
        }
        // What applications say of themselves may be anything.
        Ok(u64::try_from(sum).unwrap_or(0))
    }

    /// Begins anew at this place.
    ///
    /// # Errors
    /// A counter can't be written; the others are zero all the same.
    pub fn clear(&mut self, place: u32) -> io::Result<()> {
        let offset = COUNTER.saturating_mul(place.into());
        let mut result = Ok(());
        for memory in self.sets.values().flat_map(|set| &set.cpus) {
            result = result.and(shared_memory::write(memory.as_fd(), offset, 0));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Accounts, Limits, Resource};

    #[test]
    fn the_size_is_what_tracers_map() {
        let sizes = [
            (1, 6),
            (2, 10),
            (7, 30),
            (8, 34),
            (9, 40),
            (10, 44),
            (15, 64),
            (33, 142),
            (100, 426),
            (4096, 17408),
            (4097, 17414),
            (65534, 278520),
        ];
        for (places, length) in sizes {
            assert_eq!(ErrorCounters::new(places, 2).length(), length);
        }
    }

    #[test]
    fn all_users_and_cpus_count_and_unused_sets_are_given_up() {
        let mut accounts = Accounts::new(Limits::for_applications(2, 2));
        let mut counters = ErrorCounters::new(9, 2);
        let mut make = |counters: &mut ErrorCounters, uid| {
            let memory = accounts.charge(uid, Resource::Memory, counters.length_of_set()).unwrap();
            let descriptors = accounts.charge(uid, Resource::Applications, 2).unwrap();
            counters.make(uid, [memory, descriptors], shared_memory::create).unwrap()
        };
        let (one, other) = (make(&mut counters, 1), make(&mut counters, 2));
        let count = |set: &CounterSet, cpu, place: u64, value| {
            shared_memory::write(set.cpu(cpu).unwrap().as_fd(), 4 * place, value).unwrap();
        };
        count(&one, 0, 3, 5);
        count(&one, 1, 3, 6);
        count(&other, 1, 3, 7);
        count(&other, 1, 4, -1);
        assert_eq!([2, 3, 4].map(|place| counters.sum(place).unwrap()), [0, 18, 0]);
        counters.clear(3).unwrap();
        assert_eq!(counters.sum(3).unwrap(), 0);
        assert_eq!(accounts.total().of(Resource::Memory), 2 * 2 * 40);
        drop(one);
        counters.give_up_unused();
        assert!(counters.get(1).is_none() && counters.get(2).is_some());
        assert_eq!(accounts.total().of(Resource::Memory), 80);
    }

    #[test]
    fn nothing_is_left_of_a_set_that_can_not_be_made() {
        let mut accounts = Accounts::new(Limits::for_applications(2, 2));
        let mut counters = ErrorCounters::new(9, 2);
        let paid = [(Resource::Memory, 80), (Resource::Applications, 2)]
            .map(|(resource, amount)| accounts.charge(1, resource, amount).unwrap());
        let made = counters.make(1, paid, |_| Err(io::ErrorKind::OutOfMemory.into()));
        assert!(made.is_err() && counters.get(1).is_none());
        assert_eq!(accounts.total().of(Resource::Memory), 0);
        assert_eq!(accounts.total().of(Resource::Applications), 0);
    }
}
