// SPDX-License-Identifier: GPL-2.0-only
//! Changing the trace chunk that a session records to: what start, rotate, clear and destroy have in common.
//!
//! The steps are those of lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c`, except for folders: a new chunk has its
//! final one from the beginning. Only the first one after a clear is made elsewhere, because the files that it
//! replaces are still there.
//!
//! The channels leave the old chunk here. That their data has reached it, and what becomes of its files, is the
//! business of [`Archive`], which goes on when this is over.

use std::task::{Poll, ready};

use log::Level;

use lttng_protocol::consumer::{CloseCommand, CloseTraceChunk, CreateTraceChunk, Status};

use super::delivery::{forget_refusals, push_all, push_next};
use super::folders::{Folders, TracerFolders};
use crate::consumer::verb::{Content, SessionVerb, Verb};
use crate::helper::PathJob;
use crate::model::{Chunk, Session};
use crate::operation::answer::Failure;
use crate::operation::archive::{Archive, Leave};
use crate::operation::cx::Cx;
use crate::sys::clock;
use crate::turn::ids::{BuffersKey, SessionId};
use crate::turn::messages::Topic;
use crate::ust::buffers::Buffers;

/// Folder of a chunk whose place is not free yet.
const TEMPORARY: &str = ".tmp_new_chunk";

/// Folders of the old chunk that are looked for: there may be hundreds.
const LOOK_AT: usize = 16;

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
    /// Why the old chunk is not whole.
    failure: Option<Failure>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// What is being made for the old chunk gets ready.
    Settle,
    /// The folders of the old chunk are looked for.
    Look,
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
        let (old, new, failure) = (None, None, None);
        Rotation { session, leave, go_on, old, new, closed: 0, behind: 0, failure, phase: Phase::Begin }
    }

    /// Goes on; in the end, the number of the chunk that was left, if there was one, or why it was not.
    pub fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Option<u64>, Failure>> {
        let result = ready!(self.go(cx));
        if let Err(why) = result {
            self.fail(cx, why);
        }
        Poll::Ready(result)
    }

    fn go(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Option<u64>, Failure>> {
        loop {
            self.phase = match self.phase {
                Phase::Begin => self.begin(cx)?,
                Phase::Settle => {
                    let settled = self.settled(cx);
                    if self.go_on && settled.is_pending() && cx.expired() {
                        // A consumer daemon owes an answer about the buffers: it would owe the next ones, too.
                        return Poll::Ready(Err(Failure::ChunkRefused));
                    }
                    if !cx.expired() {
                        ready!(settled);
                    }
                    self.look(cx)?
                }
                Phase::Look => {
                    let answers = ready!(cx.answers());
                    if answers.failures.iter().any(|errno| [libc::ENOENT, libc::ENOTDIR].contains(errno)) {
                        self.failure = Some(Failure::FolderNotMade);
                    }
                    if self.go_on { self.make_folders(cx)? } else { self.leave_chunk(cx)? }
                }
                Phase::Folder(ref mut folders) => {
                    let folders = ready!(folders.step(cx))?;
                    self.tell_chunk(cx, Some(&folders))?
                }
                Phase::Chunk => {
                    // One that took it may have died since.
                    let taken = ready!(cx.answers()).all_well();
                    let lost = self.old.is_none() && cx.state.lost_consumer(self.session);
                    if !taken || lost {
                        self.withdraw(cx);
                        return Poll::Ready(Err(Failure::ChunkRefused));
                    }
                    self.set_chunk(cx)?;
                    self.leave_chunk(cx)?
                }
                Phase::Channels => {
                    let answers = ready!(cx.answers());
                    if !answers.all_did(cx.session(self.session)?) || self.is_undescribed(cx) {
                        // What is to be cleared may be gone only now.
                        let gone = answers.contains(Status::CHANNEL_NOT_FOUND);
                        let uncleared = gone && self.leave == Leave::Delete;
                        let why = if uncleared { Failure::NotCleared } else { Failure::ChannelsNotRotated };
                        self.failure.get_or_insert(why);
                    }
                    match self.old.clone() {
                        None => return Poll::Ready(self.finish(cx, String::new())),
                        Some(old) => self.close(cx, &old)?,
                    }
                }
                Phase::Close => {
                    let answers = ready!(cx.answers());
                    // That a relay daemon could not close it is nothing that the original looks at.
                    if !answers.all_well_but_for(Status::CLOSE_TRACE_CHUNK_FAILED) {
                        return Poll::Ready(Err(Failure::ChunkNotClosed));
                    }
                    return Poll::Ready(self.finish(cx, answers.closed_path));
                }
            };
        }
    }

    fn begin(&mut self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        self.old = cx.record(self.session)?.begin_change();
        forget_refusals(cx, self.session);
        Ok(Phase::Settle)
    }

    /// Whether no buffers are being made, and no metadata is on its way: what is made later would belong to another chunk
    /// than what it describes.
    fn settled(&mut self, cx: &mut Cx<'_>) -> Poll<()> {
        let behind = if self.old.is_some() { push_next(cx, self.session) } else { 0 };
        if behind < std::mem::replace(&mut self.behind, behind) {
            // It gets on. There may be hundreds.
            cx.renew();
        }
        if behind > 0 || cx.is_making_buffers(self.session) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Has the old chunk looked for, which is to be archived: somebody may have removed it.
    fn look(&self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        let session = cx.session(self.session)?;
        let owner = session.wanted.owner;
        let archived = self.leave == Leave::Archive && !session.is_destroyed() && session.is_local();
        if let Some(old) = self.old.as_ref().filter(|_| archived) {
            let of_session = cx.state.buffers_of(self.session).map(|(_, buffers)| buffers);
            let used = of_session.filter(|buffers| buffers.data_keys().next().is_some());
            // If one is there, so are those that are as old.
            let folders: Vec<String> = used.take(LOOK_AT).map(Buffers::folder).collect();
            for folder in folders {
                let path = format!("{}/{folder}", old.folder).into();
                cx.ask_helper(owner, PathJob::OpenDirectory { path }, 0);
            }
        }
        Ok(Phase::Look)
    }

    /// Whether the old chunk is kept and can't be read, since a consumer daemon did not take all metadata.
    fn is_undescribed(&self, cx: &Cx<'_>) -> bool {
        let kept = self.old.is_some() && self.leave != Leave::Delete;
        kept && cx.state.buffers_of(self.session).any(|(_, buffers)| buffers.is_refused())
    }

    fn make_folders(&mut self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        let created = cx.state.turn.wall;
        let session = cx.session(self.session)?;
        let id = session.recording.next_chunk();
        // A session that was started stays where it records to.
        let directory = session.directory().filter(|_| session.is_local());
        let folder = directory.map(|directory| self.new_folder(session, directory, created));
        self.new = Some(Chunk { id, created, folder: folder.clone().unwrap_or_default() });
        let Some(folder) = folder else { return self.tell_chunk(cx, None) };
        let buffers: Vec<BuffersKey> = cx.state.buffers_of(self.session).map(|(&key, _)| key).collect();
        Folders::make(cx, self.session, folder, &buffers).map(Phase::Folder)
    }

    fn new_folder(&self, session: &Session, directory: &str, created: i64) -> String {
        let number = session.recording.next_chunk();
        let own = || format!("{directory}/{}-{number}", clock::iso_date(created));
        match (&self.old, self.leave) {
            _ if session.recording.has_archives() => own(),
            (None, _) => directory.to_owned(),
            (Some(_), Leave::Archive | Leave::Keep) => own(),
            (Some(_), Leave::Delete) => format!("{directory}/{TEMPORARY}"),
        }
    }

    fn tell_chunk(&self, cx: &mut Cx<'_>, folders: Option<&TracerFolders>) -> Result<Phase, Failure> {
        let session = cx.session(self.session)?;
        let Some(new) = &self.new else { return Ok(Phase::Chunk) };
        let owner = session.wanted.owner;
        let chunk = CreateTraceChunk {
            relayd_id: session.recording.relay.map(|relay| relay.0),
            override_name: String::new(),
            session_id: self.session.0,
            chunk_id: new.id,
            created: new.created.max(0).cast_unsigned(),
            // Files at a relay daemon belong to its user.
            credentials: folders.map(|_| (owner.uid, owner.gid)),
        };
        if folders.is_none() && session.is_local() {
            // The relay daemon was never reached.
            cx.count_as_lost();
            return Ok(Phase::Chunk);
        }
        cx.create_chunk(&chunk, folders.map(Vec::as_slice));
        Ok(Phase::Chunk)
    }

    /// Not every consumer daemon has the new chunk: those that do forget it. They would take the next attempt, which
    /// has the same number, for it.
    fn withdraw(&self, cx: &mut Cx<'_>) {
        let Ok(session) = cx.session(self.session) else { return };
        let Some(new) = &self.new else { return };
        let request = CloseTraceChunk {
            relayd_id: session.recording.relay.map(|relay| relay.0),
            session_id: self.session.0,
            chunk_id: new.id,
            closed: cx.state.turn.wall.max(0).cast_unsigned(),
            command: None,
        };
        // Some may not know it.
        cx.tell_each_consumer(&SessionVerb::CloseChunk(request));
    }

    fn set_chunk(&mut self, cx: &mut Cx<'_>) -> Result<(), Failure> {
        let mut session = cx.record(self.session)?;
        match self.new.take() {
            Some(new) => session.enter_chunk(new),
            None => session.enter_no_chunk(),
        }
        Ok(())
    }

    /// The data channels first, then all that describes what they held, then the metadata channels.
    fn leave_chunk(&mut self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        if !self.go_on {
            cx.record(self.session)?.enter_no_chunk();
        }
        let rotate = Verb::Rotate { relay: cx.session(self.session)?.recording.relay };
        cx.each_channel(self.session, Content::Data, &rotate);
        push_all(cx, self.session);
        cx.each_channel(self.session, Content::Metadata, &rotate);
        Ok(Phase::Channels)
    }

    fn close(&mut self, cx: &mut Cx<'_>, old: &Chunk) -> Result<Phase, Failure> {
        if self.leave == Leave::Archive {
            cx.record(self.session)?.begin_archives();
        }
        self.closed = cx.state.turn.wall;
        let request = CloseTraceChunk {
            relayd_id: cx.session(self.session)?.recording.relay.map(|relay| relay.0),
            session_id: self.session.0,
            chunk_id: old.id,
            closed: self.closed.max(0).cast_unsigned(),
            command: match self.leave {
                Leave::Archive => Some(CloseCommand::MoveToCompleted),
                Leave::Keep => None,
                Leave::Delete => Some(CloseCommand::Delete),
            },
        };
        cx.demand_of_consumers(&SessionVerb::CloseChunk(request));
        Ok(Phase::Close)
    }

    fn finish(&mut self, cx: &mut Cx<'_>, closed_path: String) -> Result<Option<u64>, Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.let_go_on(cx);
        let Some(old) = self.old.take() else { return Ok(None) };
        let id = old.id;
        let asked_for = self.leave == Leave::Archive;
        cx.record(self.session)?.leave_chunk(id, asked_for);
        cx.begin(Archive::new(self.session, old, self.leave, self.closed, closed_path));
        Ok(Some(id))
    }

    /// Buffers may be made again.
    fn let_go_on(&self, cx: &mut Cx<'_>) {
        if let Ok(mut session) = cx.record(self.session) {
            session.end_change();
        }
        cx.state.touch_all_applications();
        cx.state.touch_kernel(self.session);
    }

    fn fail(&self, cx: &mut Cx<'_>, why: Failure) {
        self.let_go_on(cx);
        let Ok(session) = cx.session(self.session) else { return };
        if self.old.is_some() {
            let (owner, name) = (session.wanted.owner.uid, session.wanted.name.clone());
            let text = format_args!("Session {name} could not leave its trace chunk: {why:?}");
            cx.state.turn.say(Level::Error, Topic::Folders, Some(owner), text);
            if let Ok(mut session) = cx.record(self.session) {
                session.rotation_failed();
            }
        }
    }
}
