// SPDX-License-Identifier: GPL-2.0-only
//! All sets of buffers, and which of them may need something.
//!
//! Whoever changes buffers has them looked at afterwards, without having to remember it: with buffers for each
//! process there are hundreds, and looking at all of them after each message would cost more than the messages.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::buffers::Buffers;
use crate::turn::ids::BuffersKey;

/// All sets of buffers.
#[derive(Debug, Default)]
pub struct BufferTable {
    all: BTreeMap<BuffersKey, Buffers>,
    touched: BTreeSet<BuffersKey>,
    pushes: BTreeMap<BuffersKey, Instant>,
    retries: BTreeMap<BuffersKey, Instant>,
}

impl BufferTable {
    /// The buffers under `key`.
    pub fn get(&self, key: &BuffersKey) -> Option<&Buffers> {
        self.all.get(key)
    }

    /// The buffers under `key`, to be changed, and looked at afterwards.
    pub fn get_mut(&mut self, key: &BuffersKey) -> Option<&mut Buffers> {
        let buffers = self.all.get_mut(key)?;
        self.touched.insert(*key);
        Some(buffers)
    }

    /// The buffers under `key`, for whoever looks at them.
    pub fn serve(&mut self, key: &BuffersKey) -> Option<&mut Buffers> {
        self.all.get_mut(key)
    }

    /// One that was changed since it was looked at.
    pub fn next_touched(&mut self) -> Option<BuffersKey> {
        self.touched.pop_first()
    }

    /// Notes when metadata is to be pushed without being asked for, if it is.
    pub fn set_push(&mut self, key: BuffersKey, due: Option<Instant>) {
        match due.filter(|_| self.all.contains_key(&key)) {
            Some(due) => drop(self.pushes.insert(key, due)),
            None => drop(self.pushes.remove(&key)),
        }
    }

    /// When which metadata is to be pushed.
    pub fn pushes(&self) -> impl Iterator<Item = (BuffersKey, Instant)> {
        self.pushes.iter().map(|(&key, &due)| (key, due))
    }

    /// Notes when what is missing is to be asked for again, if it is.
    pub fn set_retry(&mut self, key: BuffersKey, due: Option<Instant>) {
        match due.filter(|_| self.all.contains_key(&key)) {
            Some(due) => drop(self.retries.insert(key, due)),
            None => drop(self.retries.remove(&key)),
        }
    }

    /// When what is missing of which buffers is to be asked for again.
    pub fn retries(&self) -> impl Iterator<Item = (BuffersKey, Instant)> {
        self.retries.iter().map(|(&key, &due)| (key, due))
    }

    /// Whether there are buffers under `key`.
    pub fn contains_key(&self, key: &BuffersKey) -> bool {
        self.all.contains_key(key)
    }

    /// Adds buffers.
    pub fn insert(&mut self, key: BuffersKey, buffers: Buffers) {
        self.all.insert(key, buffers);
        self.touched.insert(key);
    }

    /// Takes buffers away.
    pub fn remove(&mut self, key: &BuffersKey) -> Option<Buffers> {
        self.touched.remove(key);
        self.pushes.remove(key);
        self.retries.remove(key);
        self.all.remove(key)
    }

    /// Drops all buffers but those with such keys.
    pub fn retain(&mut self, such: impl Fn(&BuffersKey) -> bool) {
        self.all.retain(|key, _| such(key));
        self.touched.retain(|key| such(key));
        self.pushes.retain(|key, _| such(key));
        self.retries.retain(|key, _| such(key));
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &BuffersKey> {
        self.all.keys()
    }

    /// All buffers.
    pub fn iter(&self) -> impl Iterator<Item = (&BuffersKey, &Buffers)> {
        self.all.iter()
    }

    /// The buffers whose metadata channel has this number at its consumer daemon.
    pub fn with_metadata_key(&self, key: u64) -> Option<BuffersKey> {
        self.all.iter().find(|(_, buffers)| buffers.metadata_key == key).map(|(&key, _)| key)
    }
}
