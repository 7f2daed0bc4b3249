// SPDX-License-Identifier: GPL-2.0-only
//! What whoever supervises the daemon is told: that it works, and how it is.
//!
//! A sign of life is due at a time like anything else, so it is the working loop that gives it: a daemon that stands still
//! anywhere gives none. Nothing is done, and nobody woken up, for who has not asked.

use std::time::Duration;

use super::State;
use crate::turn::output::{Output, Standing};
use crate::turn::timers::Timer;

/// How long what is told of sessions may be out of date: several changes are told as one.
const STANDING_PAUSE: Duration = Duration::from_secs(1);

/// What a supervisor wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Supervision {
    /// How often it is to have a sign of life.
    pub sign_of_life: Option<Duration>,
    /// It shows how the daemon is.
    pub standing: bool,
}

impl State {
    /// A sign of life is due; and when the next one is. The first call begins.
    pub fn live(&mut self) {
        if let Some(pause) = self.settings.supervision.sign_of_life {
            self.turn.outputs.push(Output::Alive);
            self.turn.timers.set(Timer::SignOfLife, self.turn.after(pause));
        }
    }

    /// Sessions came, went, or began or ceased to record.
    pub fn standing_changed(&mut self) {
        if self.settings.supervision.standing && self.turn.timers.get(Timer::Standing).is_none() {
            self.turn.timers.set(Timer::Standing, self.turn.after(STANDING_PAUSE));
        }
    }

    /// It is time to tell how the daemon is.
    pub(super) fn tell_standing(&mut self) {
        let sessions = self.sessions.iter().count();
        let recording = self.sessions.iter().filter(|session| session.is_active()).count();
        self.turn.outputs.push(Output::Standing(Standing { sessions, recording }));
    }
}
