// SPDX-License-Identifier: GPL-2.0-only
//! How long a command waits for one application.
//!
//! Each request that is answered in time may make way for the next one, so a limit on single answers bounds nothing.
//! Here is counted how much of a command's time each application has taken: all that it takes together may not be more
//! than the time that an application is given. Nothing here may drop an application: it is only not waited for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::turn::ids::AppId;

/// How much of one command's time each application has taken.
#[derive(Debug, Clone, Default)]
pub struct Patience {
    taken: BTreeMap<AppId, Duration>,
    /// Who is waited for, and since when.
    waiting: Option<(AppId, Instant)>,
}

impl Patience {
    /// The command waits for this application and nobody before it. Returns what is left of `limit` for it; nothing is
    /// left when the command must go on without it.
    pub fn wait_for(&mut self, app: AppId, now: Instant, limit: Duration) -> Option<Duration> {
        self.stop(now);
        self.waiting = Some((app, now));
        let taken = self.taken.get(&app).copied().unwrap_or_default();
        Some(limit.saturating_sub(taken)).filter(|left| !left.is_zero())
    }

    /// The command does not wait for an application any more.
    pub fn stop(&mut self, now: Instant) {
        if let Some((app, since)) = self.waiting.take() {
            let more = now.saturating_duration_since(since);
            if !more.is_zero() {
                let taken = self.taken.entry(app).or_default();
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
    fn what_one_application_takes_adds_up_and_counts_for_no_other() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let [one, other] = [AppId(ConnId(1)), AppId(ConnId(2))];
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
