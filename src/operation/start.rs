// SPDX-License-Identifier: GPL-2.0-only
//! Start: folders, the trace chunk, the applications, and the reply once each of them records.

use std::path::PathBuf;
use std::rc::Rc;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::{CreateTraceChunk, UstRequest};

use super::{Context, Progress};
use crate::consumer::Tail;
use crate::daemon::{FOLDER_MODE, Purpose, Reached};
use crate::helper::Operation as PathOperation;
use crate::model::{Chunk, SessionId};
use crate::output::SharedFd;
use crate::ust::app::AppId;

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
    /// The folder of the chunk is made and opened.
    Folder,
    /// The consumer daemons are told of the chunk.
    Chunk,
    /// The session starts again: there is a chunk.
    Restart,
    /// The applications get hold of the session.
    Applications(Vec<AppId>),
}

impl Start {
    /// Starts this session, which must have a channel and not be active.
    pub fn new(session: SessionId) -> Self {
        Start { session, phase: Phase::Begin }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        loop {
            let next = match &mut self.phase {
                Phase::Begin => self.begin(context),
                Phase::Relay => {
                    let relay = context.daemon.relay_of(self.session).map(|(id, _)| id);
                    match relay.map(|id| context.daemon.relay_reached(id)) {
                        Some(Reached::Pending) if !context.expired() => return Progress::Pending,
                        Some(Reached::Yes) => {
                            self.tell_chunk(context, None);
                            Phase::Chunk
                        }
                        _ => return self.fail(context, ErrorCode::CreateTraceChunkFailConsumer),
                    }
                }
                Phase::Folder => match context.answered() {
                    None if context.expired() => return self.fail(context, ErrorCode::CreateDirFail),
                    None => return Progress::Pending,
                    Some(jobs) => match jobs.descriptor {
                        Some(folder) if jobs.failures.is_empty() => {
                            self.tell_chunk(context, Some(&Rc::new(folder)));
                            Phase::Chunk
                        }
                        _ => return self.fail(context, ErrorCode::CreateDirFail),
                    },
                },
                Phase::Chunk => match context.answered() {
                    None if context.expired() => {
                        return self.fail(context, ErrorCode::CreateTraceChunkFailConsumer);
                    }
                    None => return Progress::Pending,
                    Some(jobs) if jobs.failed() => {
                        return self.fail(context, ErrorCode::CreateTraceChunkFailConsumer);
                    }
                    Some(_) => {
                        let created = context.daemon.wall;
                        if let Some(session) = context.daemon.model.get_mut(self.session) {
                            let folder = session.directory().unwrap_or_default().to_owned();
                            session.chunk = Some(Chunk { id: session.next_chunk, created, folder });
                            session.next_chunk = session.next_chunk.saturating_add(1);
                        }
                        self.activate(context)
                    }
                },
                Phase::Restart if context.daemon.lost_consumer() => {
                    return self.fail(context, ErrorCode::Unk);
                }
                Phase::Restart => {
                    // Flushed channels are made to hand over packets again. Nobody waits for it: whatever flushes
                    // them next is asked later.
                    self.tell_channels(context, |key| UstRequest::ClearQuiescentChannel { key });
                    self.activate(context)
                }
                Phase::Applications(apps) => {
                    if context.unsettled(apps, self.session) && !context.expired() {
                        return Progress::Pending;
                    }
                    if context.daemon.lost_consumer() {
                        return self.fail(context, ErrorCode::Unk);
                    }
                    // So that the beginning of the trace is known.
                    self.tell_channels(context, |key| UstRequest::OpenChannelPackets { key });
                    return context.reply(ErrorCode::Ok);
                }
            };
            self.phase = next;
        }
    }

    fn begin(&self, context: &mut Context<'_>) -> Phase {
        context.daemon.at_rest.remove(&self.session);
        let Some(session) = context.daemon.model.get(self.session) else {
            return Phase::Applications(Vec::new());
        };
        if session.chunk.is_some() || (session.started && !session.has_output()) {
            return Phase::Restart;
        }
        let Some(directory) = session.directory() else {
            return if session.has_output() { Phase::Relay } else { self.activate(context) };
        };
        let path = PathBuf::from(format!("{directory}/ust"));
        let owner = (session.uid, session.gid);
        context.path_operation(owner, PathOperation::MakeAndOpenDirectory { path, mode: FOLDER_MODE });
        Phase::Folder
    }

    /// A chunk at a relay daemon has neither folder nor owner here.
    fn tell_chunk(&self, context: &mut Context<'_>, folder: Option<&SharedFd>) {
        let Some(session) = context.daemon.model.get(self.session) else { return };
        let chunk = CreateTraceChunk {
            relayd_id: session.relayd_id.filter(|_| folder.is_none()),
            override_name: String::new(),
            session_id: self.session.0,
            chunk_id: session.next_chunk,
            created: context.daemon.wall.max(0).cast_unsigned(),
            credentials: folder.map(|_| (session.uid, session.gid)),
        };
        let consumers = context.daemon.ready_consumers();
        context.jobs.lost |= consumers.is_empty();
        for kind in consumers {
            let request = UstRequest::CreateTraceChunk(chunk.clone());
            let tail = folder.map_or(Tail::None, |folder| Tail::Descriptor(folder.clone()));
            context.ask_consumer(kind, request, tail, 0);
        }
    }

    /// Has the consumer daemons do something about every data channel. What comes of it changes nothing here.
    fn tell_channels(&self, context: &mut Context<'_>, request: impl Fn(u64) -> UstRequest) {
        for (kind, _, key) in context.daemon.data_keys(self.session) {
            // One that is gone is noticed by other means.
            let _ = context.daemon.ask_consumer(kind, request(key), Tail::None, Purpose::Nothing);
        }
    }

    /// From here on the session records, and applications get hold of it as they come.
    fn activate(&self, context: &mut Context<'_>) -> Phase {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.active = true;
            session.started = true;
        }
        Phase::Applications(context.touch_all_applications())
    }

    fn fail(&self, context: &mut Context<'_>, code: ErrorCode) -> Progress {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.active = false;
            // Without a chunk nothing was recorded: the session is as before.
            session.started &= session.chunk.is_some() || !session.has_output();
        }
        context.daemon.touch_all_applications();
        context.reply(code)
    }
}
