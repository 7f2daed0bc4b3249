// SPDX-License-Identifier: GPL-2.0-only
//! The last things of a kind, few of them, for who asks later. What one user causes must not push out all that others did.

use std::collections::{BTreeMap, VecDeque};

/// The last things of a kind, each with the user whose doing it is, if it is one's.
#[derive(Debug)]
pub struct Kept<T> {
    most: usize,
    entries: VecDeque<(Option<u32>, T)>,
}

impl<T> Kept<T> {
    /// None so far, and at most so many.
    pub fn at_most(most: usize) -> Self {
        Kept { most, entries: VecDeque::new() }
    }

    /// Keeps one more. If there are too many then, the oldest one of the user goes of whom there are most.
    pub fn push(&mut self, user: Option<u32>, entry: T) {
        self.entries.push_back((user, entry));
        if self.entries.len() <= self.most {
            return;
        }
        let mut counts = BTreeMap::new();
        for (user, _) in &self.entries {
            let count: &mut usize = counts.entry(*user).or_default();
            *count = count.saturating_add(1);
        }
        // Of users of whom there are as many, the one whose oldest is oldest.
        let most = counts.values().max().copied();
        let victim = self.entries.iter().position(|(user, _)| counts.get(user).copied() == most);
        victim.and_then(|victim| self.entries.remove(victim));
    }

    /// Takes out the first one that is `such`.
    pub fn take(&mut self, such: impl Fn(Option<u32>, &T) -> bool) -> Option<T> {
        let position = self.entries.iter().position(|(user, entry)| such(*user, entry))?;
        self.entries.remove(position).map(|(_, entry)| entry)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Option<u32>, &T)> {
        self.entries.iter().map(|(user, entry)| (*user, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept() {
        let mut kept = Kept::at_most(3);
        for number in 0..10 {
            kept.push(None, number);
        }
        assert_eq!(kept.iter().map(|(_, &number)| number).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(
            (kept.take(|_, &number| number == 8), kept.take(|_, &number| number == 8)),
            (Some(8), None)
        );
        kept.push(None, 10);
        assert_eq!(kept.iter().map(|(_, &number)| number).collect::<Vec<_>>(), [7, 9, 10]);
    }

    #[test]
    fn a_user_who_causes_much_pushes_out_what_is_his_own() {
        let mut kept = Kept::at_most(4);
        kept.push(Some(1), 'a');
        kept.push(Some(2), 'b');
        for letter in 'c'..='z' {
            kept.push(Some(3), letter);
        }
        let all: Vec<_> = kept.iter().map(|(user, &letter)| (user, letter)).collect();
        assert_eq!(all, [(Some(1), 'a'), (Some(2), 'b'), (Some(3), 'y'), (Some(3), 'z')]);
        // Many users push out each other's, oldest first.
        for user in 10..100 {
            kept.push(Some(user), 'n');
        }
        assert_eq!(kept.iter().map(|(user, _)| user).collect::<Vec<_>>(), [96, 97, 98, 99].map(Some));
    }
}
