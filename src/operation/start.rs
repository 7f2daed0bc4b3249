// SPDX-License-Identifier: GPL-2.0-only
//! Start: a trace chunk to record to, the applications, and the reply once each of them records.

use std::task::{Poll, ready};

use super::answer::{Answer, Failure};
use super::archive::Leave;
use super::cx::{Cx, Followers};
use super::steps::recording::{open_packets, resume};
use super::steps::rotation::Rotation;
use super::task::Task;
use crate::kernel::refusal::Asked;
use crate::relayd::relay::Reached;
use crate::sys::shared_memory::Space;
use crate::turn::ids::SessionId;

/// Starting a session.
#[derive(Debug)]
pub struct Start {
    session: SessionId,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// The relay daemon is being connected to, on behalf of another command.
    Relay,
    /// There is no trace chunk: it is made.
    Chunk(Rotation),
    /// The session has a chunk, or needs none.
    Ready,
    /// It is found out whether there is memory for its buffers.
    Memory,
    /// The applications get hold of the session.
    Applications(Followers),
}

impl Task for Start {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let result = ready!(self.go(cx));
        if result.is_err() {
            self.fail(cx);
        }
        Poll::Ready(result.map(|()| Answer::Done))
    }
}

impl Start {
    /// Starts this session, which must have a channel and not be active.
    pub fn new(session: SessionId) -> Self {
        Start { session, phase: Phase::Begin }
    }

    fn go(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Failure>> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Begin => {
                    cx.record(self.session)?.forget_findings();
                    let session = cx.session(self.session)?;
                    let needs_chunk = session.recording.chunk().is_none() && session.has_output();
                    if needs_chunk {
                        Phase::Relay
                    } else {
                        self.choose_consumers(cx)?;
                        Phase::Ready
                    }
                }
                Phase::Relay => {
                    let relay = cx.state.relay_of(self.session).map(|(id, _)| id);
                    let reached = relay.map(|id| cx.state.relay_reached(id));
                    if reached == Some(Reached::Pending) && !cx.expired() {
                        return Poll::Pending;
                    }
                    self.choose_consumers(cx)?;
                    Phase::Chunk(Rotation::new(self.session, Leave::Keep, true))
                }
                Phase::Chunk(rotation) => {
                    ready!(rotation.step(cx))?;
                    Phase::Ready
                }
                Phase::Ready => {
                    if cx.state.lost_consumer(self.session) {
                        // What it had is lost.
                        return Poll::Ready(Err(Failure::ConsumerLost));
                    }
                    if let Some(job) = cx.state.memory_to_ask_about(self.session) {
                        let owner = cx.session(self.session)?.wanted.owner;
                        cx.ask_helper(owner, job, 0);
                    }
                    Phase::Memory
                }
                Phase::Memory => {
                    // It is there to be told of, not to be waited for at length.
                    let offsets = ready!(cx.answers()).offsets;
                    let space = match *offsets.as_slice() {
                        [free, total] => Some(Space { free, total }),
                        _ => None,
                    };
                    cx.state.warn_of_memory(self.session, space);
                    cx.state.retry_buffers(self.session);
                    cx.state.forget_refusals(self.session);
                    cx.state.take_kernel_refusals(self.session);
                    Phase::Applications(resume(cx, self.session)?)
                }
                Phase::Applications(followers) => {
                    ready!(cx.settled(followers, self.session));
                    if cx.state.lost_consumer(self.session) {
                        return Poll::Ready(Err(Failure::ConsumerLost));
                    }
                    if let Some(refusal) = cx.kernel_refusals(self.session, Asked::Start).into_iter().next() {
                        return Poll::Ready(Err(Failure::Kernel(refusal)));
                    }
                    if let Some((_, failure)) = cx.failed_buffers(self.session).pop_first() {
                        return Poll::Ready(Err(failure));
                    }
                    open_packets(cx, self.session);
                    cx.record(self.session)?.begun();
                    cx.state.begin_rotation_timer(self.session);
                    return Poll::Ready(Ok(()));
                }
            };
        }
    }

    /// The first time that it starts, it is settled with which consumer daemons it records: those that come after them
    /// know nothing of it.
    fn choose_consumers(&self, cx: &mut Cx<'_>) -> Result<(), Failure> {
        if !cx.session(self.session)?.was_started() {
            let consumers = cx.state.consumers_for(self.session);
            cx.record(self.session)?.record_with(consumers);
        }
        Ok(())
    }

    fn fail(&self, cx: &mut Cx<'_>) {
        if let Ok(mut session) = cx.record(self.session) {
            session.stop();
            session.start_failed();
        }
        cx.state.end_watch_for_left_over();
        cx.state.touch_all_applications();
        cx.state.take_kernel_refusals(self.session);
        cx.state.touch_kernel(self.session);
    }
}
