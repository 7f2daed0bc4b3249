// SPDX-License-Identifier: GPL-2.0-only
//! Clear: what a session has recorded is thrown away, in the buffers and on disk. A session that records does so
//! again afterwards.

use lttng_protocol::client::{Command, ErrorCode, Reply};
use lttng_protocol::consumer::{Status, UstRequest};

use super::rotation::{Leave, Rotation};
use super::start::{open_packets, resume};
use super::{Context, Jobs, Progress};
use crate::model::SessionId;
use crate::ust::app::AppId;

/// Clearing a session.
#[derive(Debug)]
pub struct Clear {
    session: SessionId,
    was_active: bool,
    /// What the client will be told.
    code: ErrorCode,
    /// It is told so late: the session has files.
    deferred: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// A rotation comes to its end.
    Begin,
    /// The applications stop.
    Pause(Vec<AppId>),
    /// Unfinished packets are closed.
    Flush,
    /// What the buffers hold is dropped.
    Buffers,
    /// The files are left.
    Files(Rotation),
    /// The applications go on.
    Resume(Vec<AppId>),
    /// The files are removed.
    Removal,
}

impl Clear {
    /// Clears this session, which was started before.
    pub fn new(session: SessionId) -> Self {
        Clear { session, was_active: false, code: ErrorCode::Ok, deferred: false, phase: Phase::Begin }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        loop {
            let next = match &mut self.phase {
                Phase::Begin if is_leaving(context, self.session) => return Progress::Pending,
                Phase::Begin => match self.begin(context) {
                    Some(phase) => phase,
                    None => return context.reply(ErrorCode::Ok),
                },
                Phase::Pause(apps) => {
                    if context.unsettled(apps, self.session) && !context.expired() {
                        return Progress::Pending;
                    }
                    context.ask_data_channels(self.session, |key| UstRequest::FlushChannel { key });
                    Phase::Flush
                }
                Phase::Flush if context.answered().is_none() && !context.expired() => {
                    return Progress::Pending;
                }
                Phase::Flush => self.clear_buffers(context),
                Phase::Buffers => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    jobs => {
                        self.code = jobs.map_or(ErrorCode::ClearFailConsumer, |jobs| outcome(&jobs));
                        self.leave_files(context)
                    }
                },
                Phase::Files(rotation) => match rotation.step(context) {
                    None => return Progress::Pending,
                    Some(result) => {
                        self.code = result.err().unwrap_or(ErrorCode::Ok);
                        self.left(context)
                    }
                },
                Phase::Resume(apps) => {
                    if context.unsettled(apps, self.session) && !context.expired() {
                        return Progress::Pending;
                    }
                    open_packets(context, self.session);
                    Phase::Removal
                }
                Phase::Removal if is_leaving(context, self.session) => return Progress::Pending,
                Phase::Removal => return self.finish(context),
            };
            self.phase = next;
        }
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Option<Phase> {
        let session = context.daemon.model.get_mut(self.session)?;
        let rotations = &session.rotations;
        let nothing_since = rotations.rotated_after_stop || rotations.cleared_after_stop;
        if !session.active && nothing_since {
            return None;
        }
        self.was_active = session.active;
        self.deferred = session.has_output();
        if !session.active {
            return Some(self.clear_buffers(context));
        }
        session.active = false;
        Some(Phase::Pause(context.touch_all_applications()))
    }

    fn clear_buffers(&self, context: &mut Context<'_>) -> Phase {
        context.ask_data_channels(self.session, |key| UstRequest::ClearChannel { key });
        context.ask_metadata_channels(self.session, |key| UstRequest::ClearChannel { key });
        // One that is gone has no channels any more that could say so.
        context.jobs.lost |= context.daemon.lost_consumer();
        // What was found out when it stopped is not true any more, except that nothing is on its way.
        context.daemon.at_rest.remove(&self.session);
        Phase::Buffers
    }

    fn leave_files(&mut self, context: &mut Context<'_>) -> Phase {
        let has_chunk = context.daemon.model.get(self.session).is_some_and(|session| session.chunk.is_some());
        if has_chunk && self.code == ErrorCode::Ok {
            return Phase::Files(Rotation::new(self.session, Leave::Delete, self.was_active));
        }
        self.left(context)
    }

    /// The files are left, or there are none. Also after a failure, a session that recorded goes on.
    fn left(&self, context: &mut Context<'_>) -> Phase {
        if !self.was_active {
            if let Some(session) = context.daemon.model.get_mut(self.session)
                && self.code == ErrorCode::Ok
            {
                session.rotations.cleared_after_stop = true;
                session.rotations.rotated_after_stop |= session.has_output();
            }
            return Phase::Removal;
        }
        Phase::Resume(resume(context, self.session))
    }

    fn finish(&self, context: &Context<'_>) -> Progress {
        if self.code == ErrorCode::Ok && still_leaving(context, self.session) {
            return context.reply(ErrorCode::ClearFailConsumer);
        }
        if self.deferred && self.code == ErrorCode::Ok {
            return Progress::Done(Reply::deferred(Command::ClearSession, self.code));
        }
        context.reply(self.code)
    }
}

/// Whether a chunk that the session has left is still on its way, and may be waited for.
pub(super) fn is_leaving(context: &Context<'_>, session: SessionId) -> bool {
    still_leaving(context, session) && !context.expired()
}

fn still_leaving(context: &Context<'_>, session: SessionId) -> bool {
    let session = context.daemon.model.get(session);
    session.is_some_and(|session| session.rotations.leaving.is_some())
}

fn outcome(jobs: &Jobs) -> ErrorCode {
    if jobs.failures.contains(&Status::RELAYD_CLEAR_DISALLOWED.0) {
        ErrorCode::ClearRelayDisallowed
    } else if jobs.failed_but_for(Status::CHANNEL_NOT_FOUND) {
        ErrorCode::ClearFailConsumer
    } else {
        ErrorCode::Ok
    }
}
