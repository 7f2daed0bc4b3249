// SPDX-License-Identifier: GPL-2.0-only
//! Whether a session that records seems to be left over: whoever began it is gone, and it goes on taking memory, and time of
//! applications. That can't be known; what can be is that nobody asks for anything of it any more, and that nothing comes.
//!
//! A session of which nothing was heard for a day is worth a word a day. A snapshot session is there to wait for what
//! happens rarely, and what it holds is not told of before somebody asks for it: it is worth one word, after a week. Of one with
//! a channel whose consumer daemon tells nothing (`--monitor-timer=0`), it is not known whether anything comes, and nothing
//! is said. Pure data; nothing here knows the time.

use std::time::{Duration, Instant};

/// A day: how long nothing may happen to a session, and how long nothing more is said then.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long nobody may ask for a snapshot.
pub const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// When something happened to a session last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// Somebody asked for something of it, or it has written something.
    at: Option<Instant>,
    /// Since then it was said that nothing happens any more.
    said: Option<Instant>,
}

impl Activity {
    /// Something happens. Returns whether it had been said that nothing does.
    pub fn happens(&mut self, now: Instant) -> bool {
        self.at = Some(now);
        self.said.take().is_some()
    }

    /// It is said that nothing happens.
    pub fn say(&mut self, now: Instant) {
        self.said = Some(now);
    }

    /// How long nothing has happened.
    pub fn idle(&self, now: Instant) -> Duration {
        self.at.map(|at| now.saturating_duration_since(at)).unwrap_or_default()
    }

    /// When nothing will have happened for so long, if nothing does until then.
    pub fn ends(&self, limit: Duration) -> Option<Instant> {
        self.at?.checked_add(limit)
    }

    /// When it is to be said next that nothing has happened for so long, if nothing does until then; once only, or `again`
    /// and again.
    pub fn said_next(&self, limit: Duration, again: Option<Duration>) -> Option<Instant> {
        match self.said {
            None => self.ends(limit),
            Some(said) => said.checked_add(again?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_ends_what_was_said() {
        let start = Instant::now();
        let mut activity = Activity::default();
        assert_eq!(activity.idle(start + DAY), Duration::ZERO);
        assert!(!activity.happens(start));
        assert_eq!(activity.idle(start + DAY), DAY);
        activity.say(start + DAY);
        assert!(activity.happens(start + DAY * 2) && !activity.happens(start + DAY * 2));
        assert_eq!(activity.idle(start), Duration::ZERO);
    }

    #[test]
    fn it_is_said_once_or_again_and_again() {
        let start = Instant::now();
        let mut activity = Activity::default();
        assert_eq!(activity.said_next(WEEK, Some(DAY)), None);
        activity.happens(start);
        assert_eq!(activity.said_next(WEEK, None), Some(start + WEEK));
        activity.say(start + WEEK);
        assert_eq!(activity.said_next(WEEK, None), None);
        assert_eq!(activity.said_next(WEEK, Some(DAY)), Some(start + WEEK + DAY));
        assert_eq!(activity.ends(DAY), Some(start + DAY));
    }
}
