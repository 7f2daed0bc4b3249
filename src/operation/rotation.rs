// SPDX-License-Identifier: GPL-2.0-only
//! Changing the trace chunk that a session records to: what start, rotate, clear and destroy have in common.
//!
//! The steps are those of lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c`, except for folders: a new chunk has its
//! final one from the beginning. Only the first one after a clear is made elsewhere, because the files that it
//! replaces are still there.
//!
//! The channels leave the old chunk here. That their data has reached it, and what becomes of its files, is the
//! business of [`Archive`](super::archive::Archive), which goes on when this is over.

use std::rc::Rc;

use lttng_protocol::client::{ErrorCode, RotationState};
use lttng_protocol::consumer::{CloseCommand, CloseTraceChunk, CreateTraceChunk, Status, UstRequest};

use super::archive::Archive;
use super::delivery::{forget_refusals, push_all, push_next};
use super::folders::{Folders, NotMade};
use super::{Context, ReplyTo, Work};
use crate::consumer::Tail;
use crate::daemon::Purpose;
use crate::model::{Chunk, Session, SessionId};
use crate::output::SharedFd;
use crate::sys::clock;

/// Folder of a chunk whose place is not free yet.
const TEMPORARY: &str = ".tmp_new_chunk";

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

/// Changing a session's chunk.
#[derive(Debug)]
pub struct Rotation {
    session: SessionId,
    leave: Leave,
    /// Recording goes on in a new chunk.
    go_on: bool,
    old: Option<Chunk>,
    new: Option<Chunk>,
    closed: i64,
    /// Of how many buffers metadata is on its way.
    behind: usize,
    error: Option<ErrorCode>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// What is being made for the old chunk gets ready.
    Settle,
    /// Folders of the new chunk.
    Folder(Folders),
    /// The consumer daemons are told of the new chunk.
    Chunk,
    /// The channels leave the old chunk.
    Channels,
    /// The old chunk is closed.
    Close,
}

impl Rotation {
    /// Has the session record to a new chunk if `go_on`, to none otherwise.
    pub fn new(session: SessionId, leave: Leave, go_on: bool) -> Self {
        let (old, new, error) = (None, None, None);
        Rotation { session, leave, go_on, old, new, closed: 0, behind: 0, error, phase: Phase::Begin }
    }

    /// Goes on; in the end, the number of the chunk that was left, if there was one, or why it was not.
    pub fn step(&mut self, context: &mut Context<'_>) -> Option<Result<Option<u64>, ErrorCode>> {
        loop {
            let next = match self.phase {
                Phase::Begin => self.begin(context),
                Phase::Settle => {
                    let unsettled = self.is_unsettled(context);
                    match (unsettled && context.expired(), self.go_on) {
                        (true, true) => {
                            // A consumer daemon owes an answer about the buffers: it would owe the next ones, too.
                            let code = ErrorCode::CreateTraceChunkFailConsumer;
                            return Some(Err(self.fail(context, code)));
                        }
                        (false, _) if unsettled => return None,
                        (_, true) => self.make_folders(context),
                        (_, false) => self.leave_chunk(context),
                    }
                }
                Phase::Folder(ref mut folders) => match folders.step(context)? {
                    Ok(folder) => self.tell_chunk(context, Some(Rc::new(folder))),
                    Err(NotMade) => return Some(Err(self.fail(context, ErrorCode::CreateDirFail))),
                },
                Phase::Chunk => match context.answered() {
                    None if !context.expired() => return None,
                    Some(jobs) if !jobs.failed() => {
                        self.set_chunk(context);
                        self.leave_chunk(context)
                    }
                    _ => {
                        self.withdraw(context);
                        let code = ErrorCode::CreateTraceChunkFailConsumer;
                        return Some(Err(self.fail(context, code)));
                    }
                },
                Phase::Channels => match context.answered() {
                    None if !context.expired() => return None,
                    jobs => {
                        // One that is gone has nothing to leave.
                        if jobs.is_none_or(|jobs| jobs.failed_but_for(Status::CHANNEL_NOT_FOUND)) {
                            self.error = Some(ErrorCode::RotationFailConsumer);
                        }
                        match self.old.clone() {
                            None => return Some(self.finish(context, "")),
                            Some(old) => self.close(context, &old),
                        }
                    }
                },
                Phase::Close => match context.answered() {
                    None if !context.expired() => return None,
                    // That a relay daemon could not close it is nothing that the original looks at.
                    Some(jobs) if !jobs.failed_but_for(Status::CLOSE_TRACE_CHUNK_FAILED) => {
                        return Some(self.finish(context, &jobs.closed_path));
                    }
                    _ => {
                        let code = ErrorCode::CloseTraceChunkFailConsumer;
                        return Some(Err(self.fail(context, code)));
                    }
                },
            };
            self.phase = next;
        }
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Phase {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.rotations.changing = true;
            self.old.clone_from(&session.chunk);
        }
        forget_refusals(context, self.session);
        Phase::Settle
    }

    /// Whether buffers are still being made, or metadata is on its way: what is made later would belong to another chunk
    /// than what it describes.
    fn is_unsettled(&mut self, context: &mut Context<'_>) -> bool {
        let behind = if self.old.is_some() { push_next(context, self.session) } else { 0 };
        if behind < std::mem::replace(&mut self.behind, behind) {
            // It gets on. There may be hundreds.
            context.renew();
        }
        behind > 0 || context.is_making_buffers(self.session)
    }

    fn make_folders(&mut self, context: &mut Context<'_>) -> Phase {
        let created = context.daemon.wall;
        let Some(session) = context.daemon.model.get(self.session) else { return Phase::Chunk };
        let (id, owner) = (session.next_chunk, (session.uid, session.gid));
        // A session that was started stays where it records to.
        let directory = session.directory().filter(|_| session.is_local());
        let folder = directory.map(|directory| self.new_folder(session, directory, created));
        self.new = Some(Chunk { id, created, folder: folder.clone().unwrap_or_default() });
        let Some(folder) = folder else { return self.tell_chunk(context, None) };
        let of_session = context.daemon.buffers_of(self.session);
        let paths: Vec<String> = of_session.map(|(_, buffers)| buffers.cause.path.clone()).collect();
        Phase::Folder(Folders::make(owner, &folder, paths.into_iter(), context))
    }

    fn new_folder(&self, session: &Session, directory: &str, created: i64) -> String {
        let own = || format!("{directory}/{}-{}", clock::iso_date(created), session.next_chunk);
        match (&self.old, self.leave) {
            _ if session.rotations.moved => own(),
            (None, _) => directory.to_owned(),
            (Some(_), Leave::Archive | Leave::Keep) => own(),
            (Some(_), Leave::Delete) => format!("{directory}/{TEMPORARY}"),
        }
    }

    fn tell_chunk(&self, context: &mut Context<'_>, folder: Option<SharedFd>) -> Phase {
        let Some(session) = context.daemon.model.get(self.session) else { return Phase::Chunk };
        let Some(new) = &self.new else { return Phase::Chunk };
        let chunk = CreateTraceChunk {
            relayd_id: session.relayd_id,
            override_name: String::new(),
            session_id: self.session.0,
            chunk_id: new.id,
            created: new.created.max(0).cast_unsigned(),
            // Files at a relay daemon belong to its user.
            credentials: folder.is_some().then_some((session.uid, session.gid)),
        };
        if folder.is_none() && session.is_local() {
            // The relay daemon was never reached.
            context.jobs.lost = true;
            return Phase::Chunk;
        }
        context.create_chunk(&chunk, folder.as_ref());
        Phase::Chunk
    }

    /// Not every consumer daemon has the new chunk: those that do forget it. They would take the next attempt, which
    /// has the same number, for it.
    fn withdraw(&self, context: &mut Context<'_>) {
        let Some(session) = context.daemon.model.get(self.session) else { return };
        let Some(new) = &self.new else { return };
        let request = UstRequest::CloseTraceChunk(CloseTraceChunk {
            relayd_id: session.relayd_id,
            session_id: self.session.0,
            chunk_id: new.id,
            closed: context.daemon.wall.max(0).cast_unsigned(),
            command: None,
        });
        for kind in context.daemon.ready_consumers() {
            // It may not know it.
            let _ = context.daemon.ask_consumer(kind, request.clone(), Tail::None, Purpose::Nothing);
        }
    }

    fn set_chunk(&mut self, context: &mut Context<'_>) {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.chunk = self.new.take();
            session.next_chunk = session.next_chunk.saturating_add(1);
        }
    }

    /// The data channels first, then all that describes what they held, then the metadata channels.
    fn leave_chunk(&mut self, context: &mut Context<'_>) -> Phase {
        if let Some(session) = context.daemon.model.get_mut(self.session)
            && !self.go_on
        {
            session.chunk = None;
        }
        let relayd_id = context.daemon.model.get(self.session).and_then(|session| session.relayd_id);
        let rotate = |metadata| move |key| UstRequest::RotateChannel { metadata, relayd_id, key };
        context.ask_data_channels(self.session, rotate(false));
        push_all(context, self.session);
        context.ask_metadata_channels(self.session, rotate(true));
        Phase::Channels
    }

    fn close(&mut self, context: &mut Context<'_>, old: &Chunk) -> Phase {
        let Some(session) = context.daemon.model.get_mut(self.session) else { return Phase::Close };
        session.rotations.moved |= self.leave == Leave::Archive;
        self.closed = context.daemon.wall;
        let request = CloseTraceChunk {
            relayd_id: session.relayd_id,
            session_id: self.session.0,
            chunk_id: old.id,
            closed: self.closed.max(0).cast_unsigned(),
            command: match self.leave {
                Leave::Archive => Some(CloseCommand::MoveToCompleted),
                Leave::Keep => None,
                Leave::Delete => Some(CloseCommand::Delete),
            },
        };
        context.demand_of_consumers(&UstRequest::CloseTraceChunk(request));
        Phase::Close
    }

    fn finish(&mut self, context: &mut Context<'_>, closed_path: &str) -> Result<Option<u64>, ErrorCode> {
        if let Some(code) = self.error {
            return Err(self.fail(context, code));
        }
        self.let_go_on(context);
        let Some(old) = self.old.take() else { return Ok(None) };
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.rotations.state = RotationState::Ongoing;
            session.rotations.leaving = Some(old.id);
        }
        let id = old.id;
        let archive = Archive::new(self.session, old, self.leave, self.closed, closed_path.to_owned());
        context.daemon.begin(Work::Archive(archive), ReplyTo::nobody(), None);
        Ok(Some(id))
    }

    /// Buffers may be made again.
    fn let_go_on(&self, context: &mut Context<'_>) {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.rotations.changing = false;
        }
        context.daemon.touch_all_applications();
    }

    fn fail(&self, context: &mut Context<'_>, code: ErrorCode) -> ErrorCode {
        self.let_go_on(context);
        if let Some(session) = context.daemon.model.get_mut(self.session)
            && self.old.is_some()
        {
            log::error!("Session {} could not leave its trace chunk: {code:?}", session.name);
            session.rotations.state = RotationState::Error;
        }
        code
    }
}
