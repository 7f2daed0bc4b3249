// SPDX-License-Identifier: GPL-2.0-only
//! The tasks under way.

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Instant;

use super::answer::{Answer, Failure};
use super::count_losses::CountLosses;
use super::cx::{Clock, Cx, Jobs};
use super::retire::Retire;
use super::rotate::Rotate;
use super::task::Task;
use crate::model::Holder;
use crate::state::State;
use crate::turn::ids::{Requester, SessionId, TaskId};
use crate::turn::progress::{self, Part};
use crate::turn::timers::Timer;
use crate::turn::{Answered, Begin, Ticket};

/// A task under way.
#[derive(Debug)]
struct Running {
    task: Box<dyn Task>,
    jobs: Jobs,
    clock: Clock,
    /// Who is to be told, if the task is done for somebody.
    requester: Option<Requester>,
    /// The session that it has to itself.
    session: Option<SessionId>,
}

/// All tasks.
#[derive(Debug, Default)]
pub struct Tasks {
    under_way: BTreeMap<TaskId, Running>,
}

impl Tasks {
    /// Begins a task. While it is under way, it has `session` to itself. In the end `requester` is told.
    pub fn begin(
        &mut self,
        state: &mut State,
        task: Box<dyn Task>,
        requester: Option<Requester>,
        session: Option<SessionId>,
    ) {
        let id = state.counters.task();
        if let Some(session) = session.and_then(|session| state.sessions.get_mut(session)) {
            let (uses_buffers, ends_session) = (task.uses_buffers(), task.ends_session());
            session.recording.holder = Some(Holder { task: id, uses_buffers, ends_session });
        }
        let clock = Clock::begin(state);
        state.turn.timers.set(Timer::Task(id), clock.next());
        state.turn.changed = true;
        self.under_way.insert(id, Running { task, jobs: Jobs::default(), clock, requester, session });
    }

    /// Begins what the state wants done.
    pub fn begin_wanted(&mut self, state: &mut State, wanted: Begin) {
        match wanted {
            Begin::Retire(key) => {
                let task = Retire::new(key, state);
                self.begin(state, Box::new(task), None, None);
            }
            Begin::Rotate(session) => self.begin_rotation(state, session),
            Begin::CountLosses(session) => {
                self.begin(state, Box::new(CountLosses::new(session)), None, None);
            }
        }
    }

    /// Rotates a session now, or once the task that holds it is over.
    fn begin_rotation(&mut self, state: &mut State, id: SessionId) {
        let held = state.is_held(id);
        if let Some(session) = state.sessions.get_mut(id) {
            session.recording.rotation_due = held;
        }
        if held {
            return;
        }
        match Rotate::check(state, id) {
            Ok(()) => self.begin(state, Box::new(Rotate::new(id)), None, Some(id)),
            Err(why) => log::debug!("Session {} does not rotate by itself now: {why:?}", id.0),
        }
    }

    /// A request of a task is answered.
    pub fn answered(&mut self, ticket: Ticket, answered: Answered, now: Instant) {
        if let Some(running) = self.under_way.get_mut(&ticket.task) {
            running.clock.moved = now;
            running.jobs.answered(ticket, answered);
        }
    }

    /// The parts of the daemon that have a task which does not get on.
    pub fn stuck(&self, now: Instant) -> impl Iterator<Item = Part> {
        let late = move |running: &&Running| progress::is_late(running.clock.moved, now);
        self.under_way.values().filter(late).flat_map(|Running { task, requester, .. }| {
            let rotation = task.rotates().then_some(Part::Rotations);
            let action = matches!(requester, Some(Requester::Trigger(_))).then_some(Part::Actions);
            rotation.into_iter().chain(action)
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Lets every task look at what has changed. `tell` is given what came of one that was done for somebody.
    pub fn run(
        &mut self,
        state: &mut State,
        mut tell: impl FnMut(&mut State, Requester, Result<Answer, Failure>),
    ) {
        let ids: Vec<TaskId> = self.under_way.keys().copied().collect();
        for id in ids {
            let Some(running) = self.under_way.get_mut(&id) else { continue };
            let mut cx = Cx::new(state, &mut running.jobs, &mut running.clock, id);
            let result = running.task.step(&mut cx);
            let begun = cx.into_begun();
            match result {
                Poll::Pending => state.turn.timers.set(Timer::Task(id), running.clock.next()),
                Poll::Ready(result) => self.end(state, id, result, &mut tell),
            }
            for task in begun {
                self.begin(state, task, None, None);
            }
        }
    }

    fn end(
        &mut self,
        state: &mut State,
        id: TaskId,
        result: Result<Answer, Failure>,
        tell: &mut impl FnMut(&mut State, Requester, Result<Answer, Failure>),
    ) {
        let Some(running) = self.under_way.remove(&id) else { return };
        state.turn.timers.clear(Timer::Task(id));
        state.turn.changed = true;
        if let Some(session) = running.session.and_then(|session| state.sessions.get_mut(session)) {
            session.recording.holder = None;
            if session.recording.rotation_due {
                state.turn.begin(Begin::Rotate(session.id));
            }
        }
        match (running.requester, result) {
            (Some(requester), result) => tell(state, requester, result),
            (None, Ok(_)) => {}
            (None, Err(why)) => log::debug!("Nobody is told that {:?} failed: {why:?}", running.task),
        }
    }
}

#[cfg(test)]
mod tests;
