// SPDX-License-Identifier: GPL-2.0-only
//! How often something is started again that fails at once.
//!
//! What failed is tried again when it is needed, since the cause may be gone; but what fails each time must not be
//! started as often as somebody asks. Nothing here knows the time or what is started.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Attempts that failed, as far as they count.
#[derive(Debug)]
pub struct Attempts {
    limit: usize,
    period: Duration,
    failed: VecDeque<Instant>,
}

impl Attempts {
    /// At most `limit` attempts may fail in each `period`.
    pub fn new(limit: usize, period: Duration) -> Self {
        Attempts { limit, period, failed: VecDeque::new() }
    }

    /// Whether another attempt may be made now.
    pub fn may_try(&self, now: Instant) -> bool {
        let counts = |at: &&Instant| now.saturating_duration_since(**at) < self.period;
        self.failed.iter().filter(counts).count() < self.limit
    }

    /// An attempt has failed.
    pub fn failed(&mut self, now: Instant) {
        self.failed.push_back(now);
        if self.failed.len() > self.limit {
            self.failed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_for_a_while() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut attempts = Attempts::new(2, Duration::from_secs(60));
        attempts.failed(at(0));
        assert!(attempts.may_try(at(1)));
        attempts.failed(at(10));
        assert!(!attempts.may_try(at(10)) && !attempts.may_try(at(59)));
        assert!(attempts.may_try(at(60)));
        attempts.failed(at(60));
        assert!(!attempts.may_try(at(69)));
        assert!(attempts.may_try(at(70)));
    }
}
