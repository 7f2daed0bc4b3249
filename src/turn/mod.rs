// SPDX-License-Identifier: GPL-2.0-only
//! What one turn of the loop passes between the parts of the daemon: names of things ([`ids`]), what happened to
//! sessions and peers ([`facts`]), what the reactor is to do ([`output`]), what for ([`errand`]), what it tells
//! ([`machine`]), what is said of peers ([`messages`]), when something is to be looked at ([`timers`]), how often
//! something is tried ([`attempts`]), whether the loop gets on ([`progress`]), who was refused ([`refusals`]), what is
//! counted ([`tally`]), and what the parts say to those that stand above them ([`Turn`]).
//!
//! Nothing here decides anything, and nothing here knows who uses it.

pub mod attempts;
pub mod errand;
pub mod facts;
pub mod ids;
pub mod inbox;
mod kept;
pub mod machine;
pub mod messages;
pub mod output;
pub mod progress;
pub mod refusals;
pub mod tally;
pub mod timers;
pub mod watch;

use std::fmt;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use self::facts::Facts;
use self::ids::{BuffersKey, SessionId, TaskId};
use self::messages::{Messages, Topic};
use self::output::Outputs;
use self::progress::Progress;
use self::refusals::{Reason, Refusals};
use self::tally::Tally;
use self::timers::Timers;
use crate::sys::clock;
use crate::sys::socket::Credentials;
use log::Level;

/// Where the answer to a request goes: to one task, and to what that task asked together with it. An answer that comes
/// after the task went on belongs to a batch that is over, and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Who asked.
    pub task: TaskId,
    /// With what else.
    pub batch: u32,
    /// What it was, in the task's own terms.
    pub item: usize,
}

/// A job that was not refused as a whole.
#[derive(Debug, Default)]
pub struct JobDone {
    /// Of each step the bytes that came back, or an errno value.
    pub steps: Vec<Result<Vec<u8>, i32>>,
    /// The descriptors that were made, in order.
    pub made: Vec<OwnedFd>,
}

/// What came of a request.
#[derive(Debug)]
pub enum Answered {
    /// A status; 0 is success.
    Status(i32),
    /// A trace chunk was closed: the status, and where it is for those who read it.
    Closed(i32, String),
    /// Whether data is pending.
    DataPending(bool),
    /// A count of events or packets.
    Count(u64),
    /// Work on a path is done, perhaps with an open descriptor, or failed with an errno value.
    Path(Result<Option<OwnedFd>, i32>),
    /// The places of a probe in a program, in bytes from its file's beginning.
    Places(Vec<u64>),
    /// What came of a job of the kernel tracer's helper: of each step, or an errno value for the whole.
    Job(Result<JobDone, i32>),
    /// Who was asked is gone.
    Lost,
}

/// Work that begins without a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// The buffers of an application that is gone are given up.
    Retire(BuffersKey),
    /// A session's schedule says that it rotates.
    Rotate(SessionId),
    /// A session that records may have lost something: consumer daemons are asked.
    CountLosses(SessionId),
}

/// What the state has to say to those above it, who are not its business.
#[derive(Debug)]
pub enum Post {
    /// Something has to be done that takes several steps.
    Begin(Begin),
    /// A request of a task is answered.
    Answered(Ticket, Answered),
}

/// The turn of the loop that goes on.
#[derive(Debug)]
pub struct Turn {
    /// The time, the same for the whole turn.
    pub now: Instant,
    /// Seconds since the Epoch.
    pub wall: i64,
    /// What the reactor is to do.
    pub outputs: Outputs,
    /// When something has to be looked at.
    pub timers: Timers,
    /// What happened.
    pub facts: Facts,
    /// What is to be dealt with above the state.
    pub posts: Vec<Post>,
    /// Whether the loop gets on.
    pub progress: Progress,
    /// What is counted.
    pub tally: Tally,
    /// What has been said.
    messages: Messages,
    /// Who was refused.
    refusals: Refusals,
    /// Something happened that tasks or waiting clients may have been waiting for.
    pub changed: bool,
}

impl Turn {
    /// A turn in which nothing has happened.
    pub fn new(now: Instant, wall: i64) -> Self {
        Turn {
            now,
            wall,
            outputs: Outputs::default(),
            timers: Timers::default(),
            facts: Facts::default(),
            posts: Vec::new(),
            progress: Progress::new(now),
            tally: Tally::new(now, wall),
            messages: Messages::default(),
            refusals: Refusals::default(),
            changed: false,
        }
    }

    /// The point in time `duration` from now.
    pub fn after(&self, duration: Duration) -> Instant {
        clock::after(self.now, duration)
    }

    /// Says something that `user` has caused, or whoever it may be, unless it is too much of this kind.
    pub fn say(&mut self, level: Level, topic: Topic, user: Option<u32>, text: fmt::Arguments<'_>) {
        self.messages.say((self.now, self.wall), level, topic, user, text);
    }

    /// What was said of late.
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Notes that a process is refused. Whoever does so says it, too.
    pub fn refuse(&mut self, who: Credentials, reason: Reason, why: String) {
        self.refusals.add(self.wall, who, reason, why);
    }

    /// Notes that somebody can't be served, and it is not known who.
    pub fn refuse_somebody(&mut self, reason: Reason) {
        self.refusals.count(reason);
    }

    /// Who was refused of late, and how often that was.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Has work begun.
    pub fn begin(&mut self, work: Begin) {
        self.posts.push(Post::Begin(work));
        self.changed = true;
    }

    /// Passes an answer on.
    pub fn answered(&mut self, ticket: Ticket, answered: Answered) {
        self.posts.push(Post::Answered(ticket, answered));
        self.changed = true;
    }
}
