// SPDX-License-Identifier: GPL-2.0-only
//! How long a command waits for one application, or one agent.
//!
//! Each request that is answered in time may make way for the next one, so a limit on single answers bounds nothing.
//! Here is counted how much of a command's time each follower has taken: all that it takes together may not be more
//! than the time that an application is given. Nothing here may drop an application: it is only not waited for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::turn::ids::{AgentId, AppId};

/// Somebody who is to have what commands change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Follower {
    Application(AppId),
    /// An agent of a logging library.
    Agent(AgentId),
}

/// How much of one command's time each follower has taken.
#[derive(Debug, Clone, Default)]
pub struct Patience {
    taken: BTreeMap<Follower, Duration>,
    /// Who is waited for, and since when.
    waiting: Option<(Follower, Instant)>,
}

impl Patience {
    /// The command waits for this one and nobody before it. Returns what is left of `limit` for it; nothing is
    /// left when the command must go on without it.
    pub fn wait_for(&mut self, follower: Follower, now: Instant, limit: Duration) -> Option<Duration> {
        self.stop(now);
        self.waiting = Some((follower, now));
        let taken = self.taken.get(&follower).copied().unwrap_or_default();
        Some(limit.saturating_sub(taken)).filter(|left| !left.is_zero())
    }

    /// The command does not wait for anybody any more.
    pub fn stop(&mut self, now: Instant) {
        if let Some((follower, since)) = self.waiting.take() {
            let more = now.saturating_duration_since(since);
            if !more.is_zero() {
                let taken = self.taken.entry(follower).or_default();
                *taken = taken.saturating_add(more);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::ids::ConnId;

    #[test]
    fn what_one_follower_takes_adds_up_and_counts_for_no_other() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let one = Follower::Application(AppId(ConnId(1)));
        let other = Follower::Agent(AgentId(ConnId(1)));
        let mut patience = Patience::default();
        assert_eq!(patience.wait_for(one, start, 5 * second), Some(5 * second));
        assert_eq!(patience.wait_for(one, start + second, 5 * second), Some(4 * second));
        patience.stop(start + 2 * second);
        // Time in which nobody waits is nobody's.
        assert_eq!(patience.wait_for(other, start + 60 * second, 5 * second), Some(5 * second));
        assert_eq!(patience.wait_for(one, start + 62 * second, 5 * second), Some(3 * second));
        assert_eq!(patience.wait_for(one, start + 65 * second, 5 * second), None);
        assert_eq!(patience.wait_for(other, start + 65 * second, 5 * second), Some(3 * second));
    }
}
