// SPDX-License-Identifier: GPL-2.0-only
//! Sessions that seem to be left over are told of: see `model/idle` for what that means.
//!
//! There is a timer only while some session records, and it comes once a day, or once an hour if there are many: an idle
//! daemon has to wake up for nothing else.

use std::time::Duration;

use log::Level;

use super::State;
use crate::model::idle::DAY;
use crate::sys::clock;
use crate::turn::ids::SessionId;
use crate::turn::messages::Topic;
use crate::turn::timers::Timer;

/// Least time between two looks.
const PAUSE: Duration = Duration::from_secs(60 * 60);

impl State {
    /// Something happens to a session: somebody asks for something of it, or it has written something.
    pub fn touch_session(&mut self, id: SessionId) {
        let now = self.turn.now;
        let session = self.sessions.get_mut(id);
        if session.is_some_and(|session| session.recording.activity.happens(now)) {
            self.watch_for_left_over();
        }
    }

    /// A session records, or was heard of again: it is watched whether it is left alone.
    pub fn watch_for_left_over(&mut self) {
        let before = self.turn.timers.get(Timer::LeftOver);
        self.look_for_left_over_next();
        let next = self.turn.timers.get(Timer::LeftOver);
        // Those who come again and again must not put it off.
        self.turn.timers.arrange(Timer::LeftOver, before.into_iter().chain(next).min());
    }

    /// A session records no more, or is gone: if no other one records, there is nothing to watch.
    pub fn end_watch_for_left_over(&mut self) {
        if self.turn.timers.get(Timer::LeftOver).is_some()
            && !self.sessions.iter().any(|session| session.is_active())
        {
            self.turn.timers.clear(Timer::LeftOver);
        }
    }

    /// Tells of those that seem to be left over, when it is time for that.
    pub(super) fn look_for_left_over(&mut self) {
        let now = self.turn.now;
        let due = self.sessions.iter().filter(|session| {
            session.left_over_said_next().is_some_and(|next| next <= now) && session.seems_left_over(now)
        });
        let due: Vec<SessionId> = due.map(|session| session.id).collect();
        for id in due {
            self.say_left_over(id);
        }
        self.look_for_left_over_next();
    }

    fn look_for_left_over_next(&mut self) {
        let next = self.sessions.iter().filter_map(|session| session.left_over_said_next()).min();
        let soonest = self.turn.after(PAUSE);
        self.turn.timers.arrange(Timer::LeftOver, next.map(|next| next.max(soonest)));
    }

    fn say_left_over(&mut self, id: SessionId) {
        let (now, wall) = (self.turn.now, self.turn.wall);
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.recording.activity.say(now);
        let idle = session.recording.activity.idle(now);
        let seconds = i64::try_from(idle.as_secs()).unwrap_or(i64::MAX);
        let since = clock::iso_date(wall.saturating_sub(seconds));
        let created = clock::iso_date(session.wanted.created);
        let (name, owner) = (session.wanted.name.clone(), session.wanted.owner.uid);
        let days = idle.as_secs().checked_div(DAY.as_secs()).unwrap_or_default();
        let what = if session.is_snapshot() {
            "nobody has asked for anything of it"
        } else {
            "nobody has asked for anything of it, and nothing was recorded,"
        };
        let days = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
        let text = format_args!(
            "Session \"{name}\" of user {owner}, created at {created}, may be left over: it is active, but {what} for \
             {days} (since {since}). Whoever does not need it any more can say lttng destroy {name}"
        );
        self.turn.say(Level::Warn, Topic::LeftOver, Some(owner), text);
    }
}
