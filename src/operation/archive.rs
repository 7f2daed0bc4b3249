// SPDX-License-Identifier: GPL-2.0-only
//! What becomes of a trace chunk that a session has left: its data reaches its files, then they are archived, or
//! removed.
//!
//! It goes on by itself; the session can be used meanwhile. Its end can be seen in the session's recording, and only
//! once the files are where they belong.

use std::path::PathBuf;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use log::Level;

use lttng_protocol::consumer::{Status, TraceChunkExists};

use super::answer::{Answer, Failure};
use super::cx::{Answers, Cx};
use super::task::Task;
use crate::consumer::verb::SessionVerb;
use crate::helper::PathJob;
use crate::model::{Archived, Chunk, RotationState};
use crate::state::FOLDER_MODE;
use crate::sys::clock;
use crate::turn::ids::SessionId;
use crate::turn::messages::Topic;

/// Pause before the consumer daemons are asked for the first time again whether they still write.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long a relay daemon is waited for, once the consumer daemons have sent it everything, by who can't be sure that
/// it ends: one of 2.13 that has another live session says for ever that a chunk of this one is in use.
const RELAY_PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of the chunk that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It is moved to the archives.
    Archive,
    /// It stays where it is.
    Keep,
    /// Its files are removed.
    Delete,
}

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

#[derive(Debug, Clone, Copy)]
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

impl Task for Archive {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let state = ready!(self.go(cx))?;
        Poll::Ready(self.end(cx, state))
    }

    fn rotates(&self) -> bool {
        self.leave == Leave::Archive
    }
}

impl Archive {
    /// `closed` is when it was closed, `remote_path` where a relay daemon has it.
    pub fn new(session: SessionId, chunk: Chunk, leave: Leave, closed: i64, remote_path: String) -> Self {
        let phase = Phase::Ask { pause: FIRST_PAUSE };
        Archive { session, chunk, leave, closed, remote_path, relay_until: None, phase }
    }

    /// Goes on; in the end, how it went.
    fn go(&mut self, cx: &mut Cx<'_>) -> Poll<Result<RotationState, Failure>> {
        let done = |well| Poll::Ready(Ok(if well { RotationState::Completed } else { RotationState::Error }));
        loop {
            self.phase = match self.phase {
                Phase::Ask { pause } => {
                    cx.renew();
                    let request = TraceChunkExists {
                        relayd_id: cx.session(self.session)?.recording.relay.map(|relay| relay.0),
                        session_id: self.session.0,
                        chunk_id: self.chunk.id,
                    };
                    cx.demand_of_consumers(&SessionVerb::ChunkExists(request));
                    Phase::Asked { pause }
                }
                Phase::Asked { pause } => {
                    let answers = ready!(cx.answers());
                    if answers.late || answers.lost {
                        return done(false);
                    }
                    if answers.all_well_but_for(Status::UNKNOWN_TRACE_CHUNK) {
                        match self.folders(cx)? {
                            Some(phase) => phase,
                            None => return done(true),
                        }
                    } else {
                        match self.state(cx, &answers) {
                            RotationState::Ongoing => {
                                Phase::Wait { pause, until: cx.look_again_after(pause) }
                            }
                            state => return Poll::Ready(Ok(state)),
                        }
                    }
                }
                Phase::Wait { until, .. } if cx.now() < until => return Poll::Pending,
                Phase::Wait { pause, .. } => Phase::Ask { pause: pause.saturating_mul(2).min(LONGEST_PAUSE) },
                Phase::Folders => {
                    let well = ready!(cx.answers()).all_well();
                    if !well {
                        self.say_that_it_failed(cx);
                    }
                    if !well || !self.makes_room(cx)? {
                        return done(well);
                    }
                    Phase::Settle
                }
                Phase::Settle => {
                    // While its folder is moved, nothing may be made in it.
                    cx.record(self.session)?.begin_change();
                    if cx.is_making_buffers(self.session) && !cx.expired() {
                        return Poll::Pending;
                    }
                    self.replace(cx)?
                }
                Phase::Replace => {
                    let well = ready!(cx.answers()).all_well();
                    self.replaced(cx, well)?;
                    if !well {
                        self.say_that_it_failed(cx);
                    }
                    return done(well);
                }
            };
        }
    }

    fn say_that_it_failed(&self, cx: &mut Cx<'_>) {
        let owner = cx.session(self.session).map(|session| session.wanted.owner.uid).ok();
        let folder = &self.chunk.folder;
        let text = format_args!("The trace chunk in {folder} could not be moved or removed");
        cx.state.turn.say(Level::Error, Topic::Folders, owner, text);
    }

    /// How far a chunk is that not everybody has left.
    fn state(&mut self, cx: &Cx<'_>, answers: &Answers) -> RotationState {
        if answers.contains(Status::CHUNK_EXISTS_LOCAL) {
            return RotationState::Ongoing;
        }
        if !answers.contains(Status::CHUNK_EXISTS_REMOTE) {
            // The relay daemon is gone.
            return RotationState::Error;
        }
        let endless = cx
            .session(self.session)
            .map_or(true, |session| session.is_destroyed() || session.live_timer() > 0);
        let until = *self.relay_until.get_or_insert_with(|| cx.after(RELAY_PATIENCE));
        if endless && cx.now() >= until { RotationState::Completed } else { RotationState::Ongoing }
    }

    /// The chunk's place among the archives of a session's directory.
    fn archive(&self, directory: &str) -> String {
        let (begin, end) = (clock::iso_date(self.chunk.created), clock::iso_date(self.closed));
        format!("{directory}/archives/{begin}-{end}-{}", self.chunk.id)
    }

    /// Has the folders moved or removed. `None` if there is nothing to do.
    fn folders(&self, cx: &mut Cx<'_>) -> Result<Option<Phase>, Failure> {
        let session = cx.session(self.session)?;
        let Some(directory) = session.directory().filter(|_| !self.chunk.folder.is_empty()) else {
            return Ok(None);
        };
        let whole = self.chunk.folder != directory;
        let path = PathBuf::from(&self.chunk.folder);
        let job = match self.leave {
            Leave::Keep => return Ok(None),
            Leave::Archive => {
                let to = self.archive(directory).into();
                PathJob::MoveChunk { path, to, whole, mode: FOLDER_MODE }
            }
            Leave::Delete => PathJob::RemoveChunk { path, whole },
        };
        cx.ask_helper(session.wanted.owner, job, 0);
        Ok(Some(Phase::Folders))
    }

    /// Whether the session's chunk is to have the place of this one.
    fn makes_room(&self, cx: &Cx<'_>) -> Result<bool, Failure> {
        let session = cx.session(self.session)?;
        let current = session.recording.chunk();
        let elsewhere = current.is_some_and(|current| Some(current.folder.as_str()) != session.directory());
        Ok(self.leave == Leave::Delete && !session.recording.has_archives() && elsewhere)
    }

    fn replace(&self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        let session = cx.session(self.session)?;
        if let (Some(chunk), Some(directory)) = (session.recording.chunk(), session.directory()) {
            let (path, to) = (PathBuf::from(&chunk.folder), PathBuf::from(directory));
            let job = PathJob::MoveChunk { path, to, whole: false, mode: FOLDER_MODE };
            cx.ask_helper(session.wanted.owner, job, 0);
        }
        Ok(Phase::Replace)
    }

    fn replaced(&self, cx: &mut Cx<'_>, done: bool) -> Result<(), Failure> {
        let directory = cx.session(self.session)?.directory().map(str::to_owned);
        let mut session = cx.record(self.session)?;
        session.end_change();
        if let Some(directory) = directory.filter(|_| done) {
            session.chunk_moved(directory);
        }
        cx.state.touch_all_applications();
        Ok(())
    }

    fn end(&self, cx: &mut Cx<'_>, state: RotationState) -> Result<Answer, Failure> {
        let path = match cx.session(self.session)?.directory().filter(|_| !self.chunk.folder.is_empty()) {
            Some(directory) => self.archive(directory),
            None => self.remote_path.clone(),
        };
        cx.record(self.session)?.chunk_left(Archived { id: self.chunk.id, path }, state);
        Ok(Answer::Done)
    }
}
