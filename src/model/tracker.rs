// SPDX-License-Identifier: GPL-2.0-only
//! Trackers: which processes a session follows.

use serde::{Deserialize, Serialize};

/// A value of a process attribute, as users give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Process id.
    Pid(i64),
    /// User id.
    Uid(u64),
    /// User name.
    UserName(String),
    /// Group id.
    Gid(u64),
    /// Group name.
    GroupName(String),
}

/// Which values of a process attribute are followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// All.
    #[default]
    IncludeAll,
    /// None.
    ExcludeAll,
    /// Those in the inclusion set.
    IncludeSet,
}

/// A value in an inclusion set: as the user gave it, and the number that it stood for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Included {
    /// As given, for listings.
    pub value: Value,
    /// Process, user or group id.
    pub id: u32,
}

/// The tracker of one process attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracker {
    policy: Policy,
    included: Vec<Included>,
}

impl Tracker {
    /// The policy.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Changes the policy. Another one than before empties the inclusion set.
    pub fn set_policy(&mut self, policy: Policy) {
        if policy != self.policy {
            self.included.clear();
            self.policy = policy;
        }
    }

    /// The inclusion set, in order of addition.
    pub fn included(&self) -> &[Included] {
        &self.included
    }

    /// Adds a value. False if its number is in the set already, however it was given.
    pub fn add(&mut self, included: Included) -> bool {
        let new = !self.included.iter().any(|known| known.id == included.id);
        if new {
            self.included.push(included);
        }
        new
    }

    /// Removes a value given in the same way. False if it is not in the set.
    pub fn remove(&mut self, value: &Value) -> bool {
        let before = self.included.len();
        self.included.retain(|known| known.value != *value);
        self.included.len() < before
    }

    /// Whether a process with this id is followed.
    pub fn follows(&self, id: u32) -> bool {
        match self.policy {
            Policy::IncludeAll => true,
            Policy::ExcludeAll => false,
            Policy::IncludeSet => self.included.iter().any(|known| known.id == id),
        }
    }
}

/// The trackers of the user space domain. A process is followed if all three follow it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trackers {
    /// By process id.
    pub pid: Tracker,
    /// By user id.
    pub uid: Tracker,
    /// By group id.
    pub gid: Tracker,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_policy_empties_the_set() {
        let mut tracker = Tracker::default();
        assert!(tracker.follows(5));
        tracker.set_policy(Policy::IncludeSet);
        assert!(!tracker.follows(5));
        assert!(tracker.add(Included { value: Value::Pid(5), id: 5 }));
        tracker.set_policy(Policy::IncludeSet);
        assert!(tracker.follows(5));
        tracker.set_policy(Policy::ExcludeAll);
        tracker.set_policy(Policy::IncludeSet);
        assert!(!tracker.follows(5));
    }

    #[test]
    fn a_name_and_its_number_are_the_same_value_but_are_removed_as_given() {
        let mut tracker = Tracker::default();
        tracker.set_policy(Policy::IncludeSet);
        let root = Value::UserName("root".into());
        assert!(tracker.add(Included { value: root.clone(), id: 0 }));
        assert!(!tracker.add(Included { value: Value::Uid(0), id: 0 }));
        assert!(!tracker.remove(&Value::Uid(0)));
        assert!(tracker.remove(&root) && !tracker.follows(0));
    }
}
