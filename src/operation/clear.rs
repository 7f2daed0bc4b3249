// SPDX-License-Identifier: GPL-2.0-only
//! Clear: what a session has recorded is thrown away, in the buffers and on disk. A session that records does so
//! again afterwards.

use std::task::{Poll, ready};

use lttng_protocol::consumer::Status;

use super::answer::{Answer, Failure};
use super::archive::Leave;
use super::cx::{Answers, Cx, Followers};
use super::steps::leaving::{self, is_leaving};
use super::steps::recording::{open_packets, resume};
use super::steps::rotation::Rotation;
use super::task::Task;
use crate::consumer::verb::{Content, Verb};
use crate::kernel::refusal::Asked;
use crate::model::Session;
use crate::turn::ids::SessionId;

/// Clearing a session.
#[derive(Debug)]
pub struct Clear {
    session: SessionId,
    was_active: bool,
    /// What went wrong.
    failure: Option<Failure>,
    /// The session has files, and the client is told when they are gone.
    has_files: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// A rotation comes to its end.
    Begin,
    /// The applications stop.
    Pause(Followers),
    /// Unfinished packets are closed.
    Flush,
    /// What the buffers hold is dropped.
    Buffers,
    /// The files are left.
    Files(Rotation),
    /// The applications go on.
    Resume(Followers),
    /// The files are removed.
    Removal,
}

impl Task for Clear {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Begin => {
                    ready!(leaving::settled(cx, self.session));
                    match self.begin(cx)? {
                        Some(phase) => phase,
                        None => return Poll::Ready(Ok(Answer::Done)),
                    }
                }
                Phase::Pause(followers) => {
                    ready!(cx.settled(followers, self.session));
                    self.note_refusals(cx, Asked::Stop);
                    cx.each_channel(self.session, Content::Data, &Verb::Flush);
                    Phase::Flush
                }
                Phase::Flush => {
                    ready!(cx.answers());
                    self.clear_buffers(cx)?
                }
                Phase::Buffers => {
                    let answers = ready!(cx.answers());
                    self.failure = self.failure.or(what_failed(cx.session(self.session)?, &answers));
                    self.leave_files(cx)?
                }
                Phase::Files(rotation) => {
                    self.failure = ready!(rotation.step(cx)).err();
                    self.left(cx)?
                }
                Phase::Resume(followers) => {
                    ready!(cx.settled(followers, self.session));
                    self.note_refusals(cx, Asked::Start);
                    open_packets(cx, self.session);
                    Phase::Removal
                }
                Phase::Removal => {
                    ready!(leaving::settled(cx, self.session));
                    if self.was_active {
                        cx.state.retry_buffers(self.session);
                    }
                    return Poll::Ready(self.finish(cx));
                }
            };
        }
    }

    fn uses_buffers(&self) -> bool {
        true
    }
}

impl Clear {
    /// Clears this session, which was started before.
    pub fn new(session: SessionId) -> Self {
        Clear { session, was_active: false, failure: None, has_files: false, phase: Phase::Begin }
    }

    fn begin(&mut self, cx: &mut Cx<'_>) -> Result<Option<Phase>, Failure> {
        let session = cx.session(self.session)?;
        let nothing_since = session.recording.rotated_since_stop() || session.recording.cleared_since_stop();
        self.was_active = session.is_active();
        self.has_files = session.has_output();
        if !self.was_active {
            return if nothing_since { Ok(None) } else { self.clear_buffers(cx).map(Some) };
        }
        cx.record(self.session)?.stop();
        Ok(Some(Phase::Pause(cx.touch_followers())))
    }

    /// The kernel's tracer would not stop, or go on.
    fn note_refusals(&mut self, cx: &mut Cx<'_>, asked: Asked) {
        let mut refusals = cx.kernel_refusals(self.session, asked).into_iter();
        let refusal = refusals.find(|refusal| refusal.asked == asked);
        self.failure = self.failure.or(refusal.map(Failure::Kernel));
    }

    fn clear_buffers(&self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        cx.each_channel(self.session, Content::Data, &Verb::Clear);
        cx.each_channel(self.session, Content::Metadata, &Verb::Clear);
        if cx.state.lost_consumer(self.session) {
            // One that is gone has no channels any more that could say so.
            cx.count_as_lost();
        }
        // What was found out when it stopped is not true any more, except that nothing is on its way.
        cx.record(self.session)?.forget_findings();
        Ok(Phase::Buffers)
    }

    fn leave_files(&mut self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        if cx.session(self.session)?.recording.chunk().is_some() && self.failure.is_none() {
            return Ok(Phase::Files(Rotation::new(self.session, Leave::Delete, self.was_active)));
        }
        self.left(cx)
    }

    /// The files are left, or there are none. Also after a failure, a session that recorded goes on.
    fn left(&self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        if self.failure.is_none() {
            cx.record(self.session)?.cleared(self.was_active);
        }
        if self.was_active { resume(cx, self.session).map(Phase::Resume) } else { Ok(Phase::Removal) }
    }

    fn finish(&self, cx: &Cx<'_>) -> Result<Answer, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None if is_leaving(cx, self.session) => Err(Failure::NotCleared),
            None if self.has_files => Ok(Answer::Cleared),
            None => Ok(Answer::Done),
        }
    }
}

fn what_failed(session: &Session, answers: &Answers) -> Option<Failure> {
    if answers.contains(Status::RELAYD_CLEAR_DISALLOWED) && !answers.late {
        Some(Failure::ClearDisallowed)
    } else if answers.all_did(session) {
        None
    } else {
        Some(Failure::NotCleared)
    }
}
