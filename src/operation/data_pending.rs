// SPDX-License-Identifier: GPL-2.0-only
//! Data pending: whether a stopped session's data is still on its way to disk.
//!
//! Clients ask again after 200 ms as long as the answer is yes. A yes is therefore held back for a moment, in
//! which the consumer daemons are asked again: usually it becomes a no.

use std::time::{Duration, Instant};

use lttng_protocol::consumer::UstRequest;

use super::delivery::push_next;
use super::{AtRest, Context, Progress};
use crate::model::SessionId;

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

impl DataPending {
    /// Asks about this session, which must not be active.
    pub fn new(session: SessionId) -> Self {
        DataPending { session, phase: Phase::Ask, patient_until: None }
    }

    /// Whether metadata is still on its way that had not arrived when the session was stopped. It is part of what the
    /// client wants to read.
    fn is_undescribed(&self, context: &mut Context<'_>) -> bool {
        let described = |at_rest: &AtRest| at_rest.described;
        if context.daemon.at_rest.get(&self.session).is_none_or(described) {
            return false;
        }
        let behind = push_next(context, self.session) > 0;
        if let Some(at_rest) = context.daemon.at_rest.get_mut(&self.session) {
            at_rest.described = !behind;
        }
        behind
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        let session = context.daemon.model.get(self.session);
        let leaving = session.is_some_and(|session| session.rotations.leaving.is_some());
        // The data of a chunk that the session has left is on its way, too.
        if leaving || self.is_undescribed(context) {
            let until = *self.patient_until.get_or_insert_with(|| context.look_again_after(PATIENCE));
            if context.daemon.now < until {
                return Progress::Pending;
            }
            return Progress::Done(context.success().with_payload(vec![1]));
        }
        if context.daemon.at_rest.get(&self.session).is_some_and(|at_rest| at_rest.drained) {
            return Progress::Done(context.success().with_payload(vec![0]));
        }
        loop {
            let now = context.daemon.now;
            let patient_until = *self.patient_until.get_or_insert(context.daemon.after(PATIENCE));
            self.phase = match self.phase {
                Phase::Ask => {
                    context.ask_consumers(&UstRequest::DataPending { session_id: self.session.0 });
                    Phase::Asked
                }
                Phase::Asked => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    Some(jobs) if jobs.data_pending && now < patient_until => {
                        Phase::Wait(context.look_again_after(PAUSE))
                    }
                    // A consumer daemon that does not answer has nothing pending that would ever come.
                    jobs => {
                        let pending = jobs.is_some_and(|jobs| jobs.data_pending);
                        return Progress::Done(context.success().with_payload(vec![pending.into()]));
                    }
                },
                Phase::Wait(until) if now < until => return Progress::Pending,
                Phase::Wait(_) => Phase::Ask,
            }
        }
    }
}
