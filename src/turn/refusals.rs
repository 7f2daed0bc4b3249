// SPDX-License-Identifier: GPL-2.0-only
//! Processes that were refused: the last ones, and how many for each reason. It is noted here and told by whoever refuses;
//! nothing here decides about anybody.

use std::collections::BTreeMap;

use super::kept::Kept;
use crate::sys::socket::Credentials;

/// Refused processes that are kept for who asks.
pub const KEPT: usize = 64;

/// Why a process is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// There are as many connections of applications as there may be.
    Applications,
    /// There are as many connections of agents as there may be.
    Agents,
    /// There are as many connections of clients as there may be.
    Connections,
    /// Clients have sent as many descriptors as they may.
    Descriptors,
    /// As much memory is held as may be.
    Memory,
    /// The process can't be seen from the daemon's PID namespace.
    Invisible,
    /// What it said makes no sense.
    Nonsense,
    /// The daemon's table of descriptors is full: nobody can be taken for a while, and who waits is taken later.
    TableFull,
}

impl Reason {
    /// In one word, for counters.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Applications => "applications",
            Reason::Agents => "agents",
            Reason::Connections => "connections",
            Reason::Descriptors => "descriptors",
            Reason::Memory => "memory",
            Reason::Invisible => "invisible",
            Reason::Nonsense => "nonsense",
            Reason::TableFull => "table_full",
        }
    }
}

/// A process that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Seconds since the Epoch.
    pub at: i64,
    /// 0 if it is not known.
    pub pid: i32,
    pub uid: u32,
    pub reason: Reason,
    /// The same in words.
    pub why: String,
}

/// Processes that were refused.
#[derive(Debug)]
pub struct Refusals {
    last: Kept<Refusal>,
    counts: BTreeMap<Reason, u64>,
}

impl Default for Refusals {
    fn default() -> Self {
        Refusals { last: Kept::at_most(KEPT), counts: BTreeMap::new() }
    }
}

impl Refusals {
    /// One more was.
    pub fn add(&mut self, at: i64, Credentials { pid, uid, .. }: Credentials, reason: Reason, why: String) {
        self.count(reason);
        self.last.push(Some(uid), Refusal { at, pid, uid, reason, why });
    }

    /// Somebody was, and it is not known who.
    pub fn count(&mut self, reason: Reason) {
        let count = self.counts.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// The last ones, oldest first.
    pub fn last(&self) -> impl Iterator<Item = &Refusal> {
        self.last.iter().map(|(_, refusal)| refusal)
    }

    /// How many there were, for each reason for which there were any.
    pub fn counts(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.counts.iter().map(|(&reason, &count)| (reason, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_last_ones_kept() {
        let mut refusals = Refusals::default();
        for pid in 0..1000 {
            let reason = if pid % 4 == 0 { Reason::Memory } else { Reason::Applications };
            refusals.add(pid.into(), Credentials { pid, uid: 5, gid: 5 }, reason, format!("{pid}"));
        }
        refusals.count(Reason::TableFull);
        let counts: Vec<_> = refusals.counts().map(|(reason, count)| (reason.name(), count)).collect();
        assert_eq!(counts, [("applications", 750), ("memory", 250), ("table_full", 1)]);
        let last: Vec<_> = refusals.last().map(|refusal| refusal.pid).collect();
        assert_eq!(last, (936..1000).collect::<Vec<_>>());
    }
}
