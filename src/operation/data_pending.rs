// SPDX-License-Identifier: GPL-2.0-only
//! Data pending: whether a stopped session's data is still on its way to disk.
//!
//! Clients ask again after 200 ms as long as the answer is yes. A yes is therefore held back for a moment, in
//! which the consumer daemons are asked again: usually it becomes a no.

use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::steps::delivery::push_next;
use super::steps::leaving::is_leaving;
use super::task::Task;
use crate::consumer::verb::SessionVerb;
use crate::turn::ids::SessionId;

/// How long a yes is held back.
const PATIENCE: Duration = Duration::from_millis(250);
/// Pause between two questions to the consumer daemons.
const PAUSE: Duration = Duration::from_millis(5);

/// Finding out about pending data.
#[derive(Debug)]
pub struct DataPending {
    session: SessionId,
    phase: Phase,
    patient_until: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    Ask,
    Asked,
    Wait(Instant),
}

impl Task for DataPending {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let pending = |pending| Poll::Ready(Ok(Answer::DataPending(pending)));
        // The data of a chunk that the session has left is on its way, too.
        if is_leaving(cx, self.session) || self.is_undescribed(cx)? {
            let until = *self.patient_until.get_or_insert_with(|| cx.look_again_after(PATIENCE));
            return if cx.now() < until { Poll::Pending } else { pending(true) };
        }
        if cx.session(self.session)?.recording.at_rest.as_ref().is_some_and(|at_rest| at_rest.drained) {
            return pending(false);
        }
        loop {
            let patient_until = *self.patient_until.get_or_insert(cx.after(PATIENCE));
            self.phase = match self.phase {
                Phase::Ask => {
                    cx.each_consumer(&SessionVerb::DataPending(self.session));
                    Phase::Asked
                }
                Phase::Asked => {
                    let answers = ready!(cx.answers());
                    // A consumer daemon that does not answer has nothing pending that would ever come.
                    if answers.late || !answers.data_pending || cx.now() >= patient_until {
                        return pending(answers.data_pending && !answers.late);
                    }
                    Phase::Wait(cx.look_again_after(PAUSE))
                }
                Phase::Wait(until) if cx.now() < until => return Poll::Pending,
                Phase::Wait(_) => Phase::Ask,
            }
        }
    }
}

impl DataPending {
    /// Asks about this session, which must not be active.
    pub fn new(session: SessionId) -> Self {
        DataPending { session, phase: Phase::Ask, patient_until: None }
    }

    /// Whether metadata is still on its way that had not arrived when the session was stopped. It is part of what the
    /// client wants to read.
    fn is_undescribed(&self, cx: &mut Cx<'_>) -> Result<bool, Failure> {
        let at_rest = cx.session(self.session)?.recording.at_rest.as_ref();
        if at_rest.is_none_or(|at_rest| at_rest.described) {
            return Ok(false);
        }
        let behind = push_next(cx, self.session) > 0;
        if let Some(session) = cx.state.sessions.get_mut(self.session)
            && let Some(at_rest) = &mut session.recording.at_rest
        {
            at_rest.described = !behind;
        }
        Ok(behind)
    }
}
