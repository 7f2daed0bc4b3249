// SPDX-License-Identifier: GPL-2.0-only
//! Waiting until those who run have what a new trigger wants of them.

use std::task::{Poll, ready};

use super::answer::{Answer, Failure};
use super::cx::{Cx, Followers};
use super::task::Task;

/// Bringing a trigger to those whose events it is about.
#[derive(Debug)]
pub struct Install {
    /// What is told in the end.
    answer: Option<Answer>,
    waiting: Option<Followers>,
}

impl Install {
    /// Waits, and then tells this.
    pub fn new(answer: Answer) -> Self {
        Install { answer: Some(answer), waiting: None }
    }
}

impl Task for Install {
    /// One application's failure is logged where it happens; it does not fail the command of a client.
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let followers = self.waiting.get_or_insert_with(|| cx.touch_followers());
        ready!(cx.notified(followers));
        Poll::Ready(Ok(self.answer.take().unwrap_or(Answer::Done)))
    }
}
