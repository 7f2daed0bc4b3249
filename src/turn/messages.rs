// SPDX-License-Identifier: GPL-2.0-only
//! What the daemon says about its peers, and how much of it.
//!
//! Everything that a peer can bring the daemon to say at will goes through here: what one user causes is one topic's
//! burst, and then one line for each interval, which says how many were left out. Otherwise any process could fill the
//! disk with root's log. The last warnings and errors are kept for who asks how the daemon is, also if it is to be quiet.
//! It must never ask the system for the time.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::{Duration, Instant};

use log::Level;

use super::kept::Kept;

/// Lines about one topic and user that are said at once.
const BURST: u32 = 20;
/// After a burst, one line is said in this time.
const INTERVAL: Duration = Duration::from_secs(5);
/// Topics and users that are kept apart: a process may have many user ids.
const MAX_APART: usize = 1024;
/// Characters of a line. Names and expressions in it are the users'.
const MAX_LENGTH: usize = 1000;
/// Warnings and errors that are kept for who asks.
pub const KEPT: usize = 32;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Connections can't be taken, or kept.
    Connections,
    /// A user has all that a user may have.
    Limits,
    /// Who connected as an application does not behave as one.
    Registration,
    /// An application can't be recorded.
    Unserved,
    /// An application refuses a request.
    Refusal,
    /// An application can't answer for a while.
    Lagging,
    /// An application is given up.
    Silence,
    /// A client's request makes no sense.
    Request,
    /// A filter is refused.
    Filter,
    /// A consumer daemon can't be had.
    Consumer,
    /// The kernel's tracer can't be had, or refuses something.
    Tracer,
    /// A relay daemon can't be had.
    Relay,
    /// A host is not known.
    Host,
    /// Folders can't be made or moved.
    Folders,
    /// Something of an application's buffers can't be had.
    Buffers,
    /// A recording session configuration can't be loaded.
    Load,
    /// The helper process.
    Helper,
    /// Channels lose what is recorded.
    Losses,
    /// A recording session seems to be left over.
    LeftOver,
    /// A mistake in the daemon.
    Internal,
}

impl Topic {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Connections => "connections",
            Topic::Limits => "limits",
            Topic::Registration => "registration",
            Topic::Unserved => "unserved",
            Topic::Refusal => "refusal",
            Topic::Lagging => "lagging",
            Topic::Silence => "silence",
            Topic::Request => "request",
            Topic::Filter => "filter",
            Topic::Consumer => "consumer",
            Topic::Tracer => "tracer",
            Topic::Relay => "relay",
            Topic::Host => "host",
            Topic::Folders => "folders",
            Topic::Buffers => "buffers",
            Topic::Load => "load",
            Topic::Helper => "helper",
            Topic::Losses => "losses",
            Topic::LeftOver => "left_over",
            Topic::Internal => "internal",
        }
    }
}

/// A warning or an error that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Seconds since the Epoch when it was said last: who repeats the same is kept once.
    pub at: i64,
    pub level: Level,
    pub topic: Topic,
    /// The user whose doing it is, if it is one's.
    pub user: Option<u32>,
    /// On one line, of a bounded length.
    pub text: String,
}

/// What was said about a topic and a user.
#[derive(Debug)]
struct Said {
    /// Lines that may still be said at once.
    left: u32,
    /// Up to when `left` counts.
    since: Instant,
    left_out: u64,
}

impl Said {
    fn new(now: Instant) -> Self {
        Said { left: BURST, since: now, left_out: 0 }
    }

    /// Counts what time has brought.
    fn renew(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let intervals = u32::try_from(passed.as_secs() / INTERVAL.as_secs()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(intervals).min(BURST);
        if self.left == BURST {
            self.since = now;
        } else if let Some(since) = self.since.checked_add(INTERVAL.saturating_mul(intervals)) {
            self.since = since;
        }
    }
}

/// Who has been told what.
#[derive(Debug)]
pub struct Messages {
    said: BTreeMap<(Topic, Option<u32>), Said>,
    /// When it was last looked who has been quiet for long.
    swept: Option<Instant>,
    /// The last warnings and errors.
    kept: Kept<Message>,
    /// Lines that were not said, of all topics and users.
    left_out: u64,
}

impl Default for Messages {
    fn default() -> Self {
        Messages { said: BTreeMap::new(), swept: None, kept: Kept::at_most(KEPT), left_out: 0 }
    }
}

impl Messages {
    /// Says `text`, unless `user`, or whoever it may be, has caused too much of this kind. `wall` is the time in seconds
    /// since the Epoch.
    pub fn say(
        &mut self,
        (now, wall): (Instant, i64),
        level: Level,
        topic: Topic,
        user: Option<u32>,
        text: fmt::Arguments<'_>,
    ) {
        let kept = level <= Level::Warn;
        if !kept && level > log::max_level() {
            return;
        }
        let Some(more) = self.admit(now, topic, user) else { return };
        let text = line(text);
        match more {
            0 => log::log!(target: "lttng_sessiond", level, "{text}"),
            _ => {
                log::log!(target: "lttng_sessiond", level, "{text} ({more} more of this kind were left out)");
            }
        }
        if kept {
            self.kept
                .take(|_, message| message.topic == topic && message.user == user && message.text == text);
            self.kept.push(user, Message { at: wall, level, topic, user, text });
        }
    }

    /// The last warnings and errors that were said, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &Message> {
        self.kept.iter().map(|(_, message)| message)
    }

    /// Lines that were not said so far, since there were too many of their kind.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Forgets those that have been quiet for long. It takes a while, so not each time that one more comes.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < INTERVAL) {
            return;
        }
        self.swept = Some(now);
        self.said.retain(|_, said| {
            said.renew(now);
            said.left < BURST
        });
    }

    /// Whether a line may be said now; then, how many were left out before it.
    fn admit(&mut self, now: Instant, topic: Topic, user: Option<u32>) -> Option<u64> {
        let mut key = (topic, user);
        if !self.said.contains_key(&key) && self.said.len() >= MAX_APART {
            self.sweep(now);
            if self.said.len() >= MAX_APART {
                key = (topic, None);
            }
        }
        let said = self.said.entry(key).or_insert_with(|| Said::new(now));
        said.renew(now);
        if said.left == 0 {
            said.left_out = said.left_out.saturating_add(1);
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        said.left = said.left.saturating_sub(1);
        Some(std::mem::take(&mut said.left_out))
    }
}

/// The text on one line, whatever is in it.
fn line(text: fmt::Arguments<'_>) -> String {
    let text = text.to_string();
    let mut line = String::new();
    for character in text.chars().take(MAX_LENGTH) {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    if text.chars().nth(MAX_LENGTH).is_some() {
        // Writing to a string can't fail.
        let _ = write!(line, "...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Option<u32> = Some(1000);

    fn flood(messages: &mut Messages, now: Instant, lines: usize) -> Vec<u64> {
        (0..lines).filter_map(|_| messages.admit(now, Topic::Registration, USER)).collect()
    }

    #[test]
    fn a_burst_is_said_and_then_one_line_in_an_interval() {
        let start = Instant::now();
        let mut messages = Messages::default();
        assert_eq!(flood(&mut messages, start, 10_000), vec![0; BURST as usize]);
        let left_out = 10_000 - u64::from(BURST);
        assert_eq!(flood(&mut messages, start + INTERVAL / 2, 100), [0; 0]);
        assert_eq!(flood(&mut messages, start + INTERVAL, 100), [left_out + 100]);
        assert_eq!(flood(&mut messages, start + INTERVAL * 2, 1), [99]);
        assert_eq!(flood(&mut messages, start + INTERVAL * 2, 1), [0; 0]);
        // Three quiet intervals are three lines.
        assert_eq!(flood(&mut messages, start + INTERVAL * 5, 9), [1, 0, 0]);
    }

    #[test]
    fn a_quiet_time_brings_one_burst_and_no_more() {
        let start = Instant::now();
        let mut messages = Messages::default();
        flood(&mut messages, start, 50);
        let said = flood(&mut messages, start + INTERVAL * 1000, 50);
        assert_eq!((said.len(), said[0]), (BURST as usize, 30));
        // Time that seems to go back brings nothing.
        assert_eq!(flood(&mut messages, start, 1), [0; 0]);
    }

    #[test]
    fn topics_and_users_do_not_silence_each_other() {
        let now = Instant::now();
        let mut messages = Messages::default();
        flood(&mut messages, now, 1000);
        assert_eq!(messages.admit(now, Topic::Registration, Some(1001)), Some(0));
        assert_eq!(messages.admit(now, Topic::Registration, None), Some(0));
        assert_eq!(messages.admit(now, Topic::Request, USER), Some(0));
    }

    #[test]
    fn many_users_share_what_is_left() {
        let now = Instant::now();
        let mut messages = Messages::default();
        let said = (0..100_000).filter(|user| messages.admit(now, Topic::Limits, Some(*user)).is_some());
        assert_eq!(said.count(), MAX_APART + BURST as usize);
        assert!(messages.said.len() <= MAX_APART + 1);
        // Those that have been quiet for long make room.
        let later = now + INTERVAL * BURST;
        assert_eq!(messages.admit(later, Topic::Limits, Some(7_000_000)), Some(0));
        assert!(messages.said.len() < MAX_APART);
    }

    #[test]
    fn the_last_warnings_are_kept_each_once() {
        let now = Instant::now();
        let mut messages = Messages::default();
        let mut say = |wall: i64, level, user, text: &str| {
            messages.say((now, wall), level, Topic::Limits, user, format_args!("{text}"));
        };
        say(1, Level::Error, USER, "first");
        say(2, Level::Info, USER, "of no interest");
        for wall in 3..9 {
            say(wall, Level::Warn, USER, "again\nand again");
        }
        for user in 0..100 {
            say(9, Level::Warn, Some(5000 + user), "mine");
        }
        let kept: Vec<&Message> = messages.kept().collect();
        assert_eq!((kept.len(), messages.left_out()), (KEPT, 0));
        assert_eq!(kept.last().and_then(|message| message.user), Some(5099));
        let mut messages = Messages::default();
        for wall in 0..30 {
            messages.say((now, wall), Level::Warn, Topic::Limits, USER, format_args!("a\nb"));
        }
        let kept: Vec<&Message> = messages.kept().collect();
        let [message] = kept.as_slice() else { panic!("{kept:?}") };
        assert_eq!((message.at, message.text.as_str(), messages.left_out()), (19, "a\\nb", 10));
    }

    #[test]
    fn a_message_is_one_line_of_a_bounded_length() {
        assert_eq!(line(format_args!("a\nError: b\x1b[m\u{e9}")), "a\\nError: b\\u{1b}[m\u{e9}");
        let long = line(format_args!("{}", "x".repeat(1 << 20)));
        assert_eq!(long.len(), MAX_LENGTH + 3);
    }
}
