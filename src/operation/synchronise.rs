// SPDX-License-Identifier: GPL-2.0-only
//! Waiting until those who follow a session have what a command changed in it while it records.

use std::collections::BTreeSet;
use std::task::{Poll, ready};

use super::answer::{Answer, Failure};
use super::cx::{Cx, Followers};
use super::task::Task;
use crate::turn::ids::{BuffersKey, SessionId};

/// Bringing a change to those who follow a session.
#[derive(Debug)]
pub struct Synchronise {
    session: SessionId,
    /// Those that are waited for, and the buffers that could not be had before: that was told already.
    begun: Option<(Followers, BTreeSet<BuffersKey>)>,
}

impl Synchronise {
    /// Waits as far as this session goes.
    pub fn new(session: SessionId) -> Self {
        Synchronise { session, begun: None }
    }
}

impl Task for Synchronise {
    /// One application's failure is logged where it happens; it does not fail the command of a client. What fails buffers
    /// does.
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let (followers, known) = match &mut self.begun {
            Some(begun) => begun,
            None => {
                let known = cx.state.missing_buffers(self.session);
                self.begun.insert((cx.touch_followers(), known))
            }
        };
        ready!(cx.settled(followers, self.session));
        let mut failed = cx.failed_buffers(self.session);
        failed.retain(|key, _| !known.contains(key));
        Poll::Ready(failed.pop_first().map_or(Ok(Answer::Done), |(_, failure)| Err(failure)))
    }
}
