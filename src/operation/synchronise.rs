// SPDX-License-Identifier: GPL-2.0-only
//! Waiting until those who follow a session have what a command changed in it while it records.

use std::task::{Poll, ready};

use super::answer::{Answer, Failure};
use super::cx::{Cx, Followers};
use super::task::Task;
use crate::turn::ids::SessionId;

/// Bringing a change to those who follow a session.
#[derive(Debug)]
pub struct Synchronise {
    session: SessionId,
    followers: Option<Followers>,
}

impl Synchronise {
    /// Waits as far as this session goes.
    pub fn new(session: SessionId) -> Self {
        Synchronise { session, followers: None }
    }
}

impl Task for Synchronise {
    /// One application's failure is logged where it happens; it does not fail the command of a client.
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let followers = match &mut self.followers {
            Some(followers) => followers,
            None => self.followers.insert(cx.touch_followers()),
        };
        ready!(cx.settled(followers, self.session));
        Poll::Ready(Ok(Answer::Done))
    }
}
