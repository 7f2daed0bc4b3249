// SPDX-License-Identifier: GPL-2.0-only
//! The life of a helper process as the daemon sees it: started when something is asked, missed when it dies, followed by
//! another one as soon as something is asked again.
//!
//! What is said with it is the business of its [`Link`]. Nothing here knows what it is for.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use log::Level;

use super::link::{Link, Protocol};
use crate::turn::Turn;
use crate::turn::attempts::Attempts;
use crate::turn::errand::Errand;
use crate::turn::facts::Fact;
use crate::turn::ids::ConnId;
use crate::turn::machine::Attached;
use crate::turn::messages::Topic;
use crate::turn::output::{Output, SharedFd};
use crate::turn::progress;

/// How many helpers may die without having answered anything, and in which time, before no more are started for as
/// long.
const ATTEMPTS: (usize, Duration) = (5, Duration::from_secs(10));

/// A helper process. `T` is what the asking part wants back with each answer.
#[derive(Debug)]
pub struct Helper<P, T> {
    link: Link<P, T>,
    pid: Option<i32>,
    stage: Stage,
    attempts: Attempts,
    errand: Errand,
    life: fn(OwnedFd) -> u8,
    /// Its name in messages to people.
    name: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is none: the next request has one started.
    Gone,
    /// It is being started.
    Starting,
    /// It is there; whether it has answered anything.
    Working { proven: bool },
    /// The daemon ends.
    Over,
}

impl<P: Protocol, T> Helper<P, T> {
    /// One that is not started yet. It lives `life`; `errand` is what the reactor carries back of it.
    pub fn new(errand: Errand, life: fn(OwnedFd) -> u8, name: &'static str) -> Self {
        let (limit, period) = ATTEMPTS;
        Helper {
            link: Link::default(),
            pid: None,
            stage: Stage::Gone,
            attempts: Attempts::new(limit, period),
            errand,
            life,
            name,
        }
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// Whether no answer is owed.
    pub fn is_idle(&self) -> bool {
        self.link.is_idle()
    }

    /// Whether it does what it is there for: it answers in time, and can be started if it is needed.
    pub fn is_well(&self, now: Instant) -> bool {
        let answers = self.link.owes_since().is_none_or(|since| !progress::is_late(since, now));
        answers && (self.stage != Stage::Gone || self.attempts.may_try(now))
    }

    /// It was forked as this process. Its connection is there next.
    pub fn forked(&mut self, result: io::Result<i32>) {
        self.pid = result.ok();
    }

    /// Its connection is there, or it could not be started. Says whether the connection is taken; otherwise it is closed.
    pub fn connected(&mut self, result: io::Result<ConnId>, turn: &mut Turn) -> Option<ConnId> {
        match result {
            Ok(conn) if matches!(self.stage, Stage::Gone | Stage::Starting) => {
                self.stage = Stage::Working { proven: false };
                self.link.connect(conn, &mut turn.outputs);
                return Some(conn);
            }
            Ok(conn) => turn.outputs.push(Output::Close(conn)),
            Err(error) if self.stage == Stage::Starting => {
                let text = format_args!("Can't start {}: {error}", self.name);
                turn.say(Level::Error, Topic::Helper, None, text);
                self.stage = Stage::Gone;
                self.attempts.failed(turn.now);
                self.link.give_up(error.raw_os_error().unwrap_or(libc::EIO));
                turn.changed = true;
            }
            Err(_) => {}
        }
        None
    }

    /// Descriptors that its next answer may bring, at most.
    pub fn expected_descriptors(&self) -> usize {
        self.link.expected_descriptors()
    }

    /// Asks something. The answer comes later, in any case.
    pub fn ask(&mut self, job: P::Job, descriptors: Vec<SharedFd>, tag: T, turn: &mut Turn) {
        self.link.ask(job, descriptors, tag, turn.now, &mut turn.outputs);
        self.need(turn);
        turn.changed = true;
    }

    /// Has one started if something waits for it.
    fn need(&mut self, turn: &mut Turn) {
        if !self.link.needs_helper() || self.stage == Stage::Starting {
            return;
        }
        if self.stage == Stage::Gone && self.attempts.may_try(turn.now) {
            self.stage = Stage::Starting;
            turn.outputs.push(Output::Fork { errand: self.errand, life: self.life });
        } else {
            self.link.give_up(libc::EIO);
        }
    }

    /// The requests that could not be sent, each with an errno value.
    pub fn take_unsent(&mut self) -> Vec<(T, i32)> {
        self.link.take_unsent()
    }

    /// Input: a message. Who asked, and what came of it; `None` if nobody waits for that.
    pub fn received(&mut self, bytes: &[u8], attached: Attached) -> Option<(T, Result<P::Success, i32>)> {
        let answer = self.link.received(bytes, attached)?;
        if matches!(self.stage, Stage::Working { .. }) {
            self.stage = Stage::Working { proven: true };
        }
        Some(answer)
    }

    /// It is gone. What it owed is asked of the next one.
    pub fn lost(&mut self, turn: &mut Turn) {
        let Stage::Working { proven } = self.stage else { return };
        let text = format_args!("{} is gone: another one is started when it is needed", self.name);
        turn.say(Level::Warn, Topic::Helper, None, text);
        turn.facts.push(Fact::HelperLost);
        self.pid = None;
        self.stage = Stage::Gone;
        if !proven {
            self.attempts.failed(turn.now);
        }
        self.link.lost();
        self.need(turn);
        turn.changed = true;
    }

    /// None is needed any more.
    pub fn end(&mut self) {
        self.stage = Stage::Over;
    }
}
