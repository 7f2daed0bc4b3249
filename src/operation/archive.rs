// SPDX-License-Identifier: GPL-2.0-only
//! What becomes of a trace chunk that a session has left: its data reaches its files, then they are archived, or
//! removed.
//!
//! It goes on by itself; the session can be used meanwhile. Its end can be seen in the session's rotations, and only
//! once the files are where they belong.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lttng_protocol::client::{ErrorCode, RotationState};
use lttng_protocol::consumer::{Status, TraceChunkExists, UstRequest};

use super::rotation::Leave;
use super::{Context, Jobs, Progress};
use crate::daemon::FOLDER_MODE;
use crate::helper::Operation as PathOperation;
use crate::model::{Archived, Chunk, SessionId};
use crate::sys::clock;

/// Pause before the consumer daemons are asked for the first time again whether they still write.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long a relay daemon is waited for, once the consumer daemons have sent it everything, by who can't be sure that
/// it ends: one of 2.13 that has another live session says for ever that a chunk of this one is in use.
const RELAY_PATIENCE: Duration = Duration::from_secs(10);

/// Seeing a chunk to its end.
#[derive(Debug)]
pub struct Archive {
    session: SessionId,
    chunk: Chunk,
    leave: Leave,
    closed: i64,
    /// Where a relay daemon has it.
    remote_path: String,
    /// Until when the relay daemon is waited for.
    relay_until: Option<Instant>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Ask {
        pause: Duration,
    },
    Asked {
        pause: Duration,
    },
    Wait {
        pause: Duration,
        until: Instant,
    },
    /// Its folders are moved or removed.
    Folders,
    /// The place of the removed chunk is free for the one that follows it: its buffers get ready.
    Settle,
    /// The chunk that follows takes the place.
    Replace,
}

impl Archive {
    /// `closed` is when it was closed, `remote_path` where a relay daemon has it.
    pub fn new(session: SessionId, chunk: Chunk, leave: Leave, closed: i64, remote_path: String) -> Self {
        let phase = Phase::Ask { pause: FIRST_PAUSE };
        Archive { session, chunk, leave, closed, remote_path, relay_until: None, phase }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        loop {
            let next = match self.phase {
                Phase::Ask { pause } => {
                    context.renew();
                    let relayd_id =
                        context.daemon.model.get(self.session).and_then(|session| session.relayd_id);
                    let (session_id, chunk_id) = (self.session.0, self.chunk.id);
                    let request = TraceChunkExists { relayd_id, session_id, chunk_id };
                    context.demand_of_consumers(&UstRequest::TraceChunkExists(request));
                    Phase::Asked { pause }
                }
                Phase::Asked { pause } => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    None => return self.end(context, RotationState::Error),
                    Some(jobs) if jobs.lost => return self.end(context, RotationState::Error),
                    Some(jobs)
                        if jobs.failures.iter().all(|&status| status == Status::UNKNOWN_TRACE_CHUNK.0) =>
                    {
                        match self.folders(context) {
                            Some(phase) => phase,
                            None => return self.end(context, RotationState::Completed),
                        }
                    }
                    Some(jobs) => match self.state(context, &jobs) {
                        RotationState::Ongoing => {
                            Phase::Wait { pause, until: context.look_again_after(pause) }
                        }
                        state => return self.end(context, state),
                    },
                },
                Phase::Wait { until, .. } if context.daemon.now < until => return Progress::Pending,
                Phase::Wait { pause, .. } => Phase::Ask { pause: pause.saturating_mul(2).min(LONGEST_PAUSE) },
                Phase::Folders => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    Some(jobs) if !jobs.failed() && self.makes_room(context) => Phase::Settle,
                    jobs => return self.folders_done(context, jobs.is_some_and(|jobs| !jobs.failed())),
                },
                Phase::Settle if self.is_unsettled(context) && !context.expired() => {
                    return Progress::Pending;
                }
                Phase::Settle => self.replace(context),
                Phase::Replace => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    jobs => {
                        let done = jobs.is_some_and(|jobs| !jobs.failed());
                        self.replaced(context, done);
                        return self.folders_done(context, done);
                    }
                },
            };
            self.phase = next;
        }
    }

    /// How far a chunk is that not everybody has left.
    fn state(&mut self, context: &Context<'_>, jobs: &Jobs) -> RotationState {
        let any = |status: Status| jobs.failures.contains(&status.0);
        if any(Status::CHUNK_EXISTS_LOCAL) {
            return RotationState::Ongoing;
        }
        if !any(Status::CHUNK_EXISTS_REMOTE) {
            // The relay daemon is gone.
            return RotationState::Error;
        }
        let session = context.daemon.model.get(self.session);
        let endless = session.is_none_or(|session| session.destroyed || session.live_timer() > 0);
        let until = *self.relay_until.get_or_insert_with(|| context.daemon.after(RELAY_PATIENCE));
        if endless && context.daemon.now >= until { RotationState::Completed } else { RotationState::Ongoing }
    }

    /// The chunk's place among the archives of a session's directory.
    fn archive(&self, directory: &str) -> String {
        let (begin, end) = (clock::iso_date(self.chunk.created), clock::iso_date(self.closed));
        format!("{directory}/archives/{begin}-{end}-{}", self.chunk.id)
    }

    /// Has the folders moved or removed. `None` if there is nothing to do.
    fn folders(&self, context: &mut Context<'_>) -> Option<Phase> {
        let session = context.daemon.model.get(self.session)?;
        let directory = session.directory().filter(|_| !self.chunk.folder.is_empty())?;
        let whole = self.chunk.folder != directory;
        let path = PathBuf::from(&self.chunk.folder);
        let operation = match self.leave {
            Leave::Keep => return None,
            Leave::Archive => {
                let to = self.archive(directory).into();
                PathOperation::MoveChunk { path, to, whole, mode: FOLDER_MODE }
            }
            Leave::Delete => PathOperation::RemoveChunk { path, whole },
        };
        let owner = (session.uid, session.gid);
        context.path_operation(owner, operation);
        Some(Phase::Folders)
    }

    /// Whether the session's chunk is to have the place of this one.
    fn makes_room(&self, context: &Context<'_>) -> bool {
        let Some(session) = context.daemon.model.get(self.session) else { return false };
        let current = session.chunk.as_ref();
        self.leave == Leave::Delete
            && !session.rotations.moved
            && current.is_some_and(|current| Some(current.folder.as_str()) != session.directory())
    }

    /// While its folder is moved, nothing may be made in it.
    fn is_unsettled(&self, context: &mut Context<'_>) -> bool {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.rotations.changing = true;
        }
        context.is_making_buffers(self.session)
    }

    fn replace(&self, context: &mut Context<'_>) -> Phase {
        let Some(session) = context.daemon.model.get(self.session) else { return Phase::Replace };
        if let (Some(chunk), Some(directory)) = (&session.chunk, session.directory()) {
            let (path, to) = (PathBuf::from(&chunk.folder), PathBuf::from(directory));
            let operation = PathOperation::MoveChunk { path, to, whole: false, mode: FOLDER_MODE };
            let owner = (session.uid, session.gid);
            context.path_operation(owner, operation);
        }
        Phase::Replace
    }

    fn replaced(&self, context: &mut Context<'_>, done: bool) {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.rotations.changing = false;
            let directory = session.directory().map(str::to_owned);
            if let (Some(chunk), Some(directory), true) = (&mut session.chunk, directory, done) {
                chunk.folder = directory;
            }
        }
        context.daemon.touch_all_applications();
    }

    fn folders_done(&self, context: &mut Context<'_>, done: bool) -> Progress {
        if !done {
            log::error!("The trace chunk in {} could not be moved or removed", self.chunk.folder);
        }
        self.end(context, if done { RotationState::Completed } else { RotationState::Error })
    }

    fn end(&self, context: &mut Context<'_>, state: RotationState) -> Progress {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            let path = match session.directory().filter(|_| !self.chunk.folder.is_empty()) {
                Some(directory) => self.archive(directory),
                None => self.remote_path.clone(),
            };
            let rotations = &mut session.rotations;
            rotations.state = state;
            rotations.leaving = None;
            if state == RotationState::Completed {
                rotations.archived = Some(Archived { id: self.chunk.id, path });
            }
        }
        context.daemon.changed = true;
        context.reply(ErrorCode::Ok)
    }
}
