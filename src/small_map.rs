// SPDX-License-Identifier: GPL-2.0-only
//! A map for a handful of entries.
//!
//! Each application has a few of them, and mostly with one entry. A `BTreeMap` makes room for eleven at once:
//! with hundreds of applications, that is most of what the daemon would hold.

/// So many take no more room than their own.
const HANDFUL: usize = 16;

/// Entries in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        SmallMap { entries: Vec::new() }
    }
}

impl<K: Copy + Ord, V> SmallMap<K, V> {
    fn find(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by_key(key, |(known, _)| *known)
    }

    /// The value under `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(key).ok().and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    /// The value under `key`, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.find(key).ok().and_then(|at| self.entries.get_mut(at)).map(|(_, value)| value)
    }

    /// Whether there is something under `key`.
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    /// Puts `value` under `key`. What was there is dropped.
    pub fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(at) => self.entries.splice(at..=at, [(key, value)]).for_each(drop),
            Err(at) => self.add(at, key, value),
        }
    }

    /// The value under `key`, which is made if there is none.
    #[expect(clippy::indexing_slicing, reason = "the position was found or filled just now")]
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.find(&key).unwrap_or_else(|at| {
            self.add(at, key, V::default());
            at
        });
        &mut self.entries[at].1
    }

    fn add(&mut self, at: usize, key: K, value: V) {
        // More than a handful: moved each time, all of them together would cost their square.
        if self.entries.len() < HANDFUL {
            self.entries.reserve_exact(1);
        }
        self.entries.insert(at, (key, value));
    }

    /// Takes the value under `key` away.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (_, value) = self.entries.remove(self.find(key).ok()?);
        if self.entries.is_empty() {
            self.entries = Vec::new();
        }
        Some(value)
    }

    /// All entries, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// All entries from `key` on, by key.
    pub fn iter_from(&self, key: &K) -> impl Iterator<Item = (&K, &V)> {
        let at = self.find(key).unwrap_or_else(|at| at);
        self.entries.get(at..).unwrap_or_default().iter().map(|(key, value)| (key, value))
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// All values, by key.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All values, by key, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// Drops all entries but those with such values.
    pub fn retain(&mut self, such: impl Fn(&V) -> bool) {
        self.entries.retain(|(_, value)| such(value));
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_does_what_a_map_does(steps: Vec<(u8, u8, u16)>) {
            let mut map = SmallMap::default();
            let mut model = BTreeMap::new();
            for (what, key, value) in steps {
                let key = key % 16;
                match what % 3 {
                    0 => {
                        map.insert(key, value);
                        model.insert(key, value);
                    }
                    1 => prop_assert_eq!(map.or_default(key), model.entry(key).or_default()),
                    _ => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                }
                prop_assert_eq!(map.get(&key).copied(), model.get(&key).copied());
                prop_assert_eq!(map.get_mut(&key).copied(), model.get(&key).copied());
                prop_assert_eq!(map.contains_key(&key), model.contains_key(&key));
                prop_assert_eq!(map.is_empty(), model.is_empty());
                prop_assert!(map.iter().eq(model.iter()));
            }
        }
    }
}
