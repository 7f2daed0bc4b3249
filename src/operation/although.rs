// SPDX-License-Identifier: GPL-2.0-only
//! Something that is done, although a part of what was asked for could not be: the part that could is kept, and what
//! was wrong with the other one is told in the end.

use std::task::Poll;

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::task::Task;

/// A task, and what is told when it has succeeded.
#[derive(Debug)]
pub struct Although<T> {
    task: T,
    failure: Failure,
}

impl<T: Task> Although<T> {
    /// Does this, and then tells of this failure.
    pub fn new(task: T, failure: Failure) -> Self {
        Although { task, failure }
    }
}

impl<T: Task> Task for Although<T> {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        self.task.step(cx).map(|result| result.and(Err(self.failure)))
    }

    fn uses_buffers(&self) -> bool {
        self.task.uses_buffers()
    }

    fn ends_session(&self) -> bool {
        self.task.ends_session()
    }
}
