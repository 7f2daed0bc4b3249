// SPDX-License-Identifier: GPL-2.0-only
//! Asking the kernel's tracer how often it could not tell of an event.

use std::task::{Poll, ready};

use lttng_protocol::kernel::CounterValue;
use lttng_protocol::trigger::ErrorResult;

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::task::Task;

/// Asking for one error counter.
#[derive(Debug)]
pub struct CountUntold {
    place: u32,
    asked: bool,
}

impl CountUntold {
    /// The counter at this place.
    pub fn new(place: u32) -> Self {
        CountUntold { place, asked: false }
    }
}

impl Task for CountUntold {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        if !std::mem::replace(&mut self.asked, true) {
            let Some(asked) = cx.state.kernel_count(self.place) else {
                return Poll::Ready(Err(Failure::ErrorsUnknown));
            };
            cx.ask_tracer(asked);
        }
        let answers = ready!(cx.answers());
        let step = answers.job.and_then(Result::ok).and_then(|done| done.steps.into_iter().next());
        let value = step.and_then(Result::ok).and_then(|bytes| CounterValue::decode(&bytes).ok());
        let count = value.and_then(|value| u64::try_from(value.value).ok());
        let told = |count| Answer::Errors(vec![ErrorResult::discarded_messages(count)]);
        Poll::Ready(count.map(told).ok_or(Failure::ErrorsUnknown))
    }
}
