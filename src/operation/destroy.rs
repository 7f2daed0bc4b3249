// SPDX-License-Identifier: GPL-2.0-only
//! Destroy: stop, have everything written, let go of applications and buffers.
//!
//! Clients see nothing of the session from the moment it is stopped; the reply comes when the trace is whole on
//! disk.

use std::path::PathBuf;

use lttng_protocol::client::{Command, ErrorCode, Reply, RotationState};
use lttng_protocol::consumer::UstRequest;

use super::clear::is_leaving;
use super::removal::Removal;
use super::rotate::archive_location;
use super::rotation::{Leave, Rotation};
use super::stop::Stop;
use super::{Context, Progress};
use crate::consumer::Tail;
use crate::daemon::{Purpose, shared_memory_folder};
use crate::model::SessionId;
use crate::output::ConsumerKind;
use crate::ust::app::AppId;

/// Ending a session.
#[derive(Debug)]
pub struct Destroy {
    session: SessionId,
    phase: Phase,
    code: ErrorCode,
    /// What it recorded last is archived.
    archives: bool,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Stop(Stop),
    /// An earlier rotation comes to its end.
    Stopped,
    /// The channels leave the trace chunk.
    Rotate(Rotation),
    /// The chunk comes to its end.
    Leave,
    /// The applications let go.
    Applications(Vec<AppId>),
    /// The metadata of these channels ends.
    Close(Vec<(ConsumerKind, u64)>),
    /// Folders of buffers that were to outlive a crash are removed.
    Removal(Option<Removal>),
}

impl Destroy {
    /// Ends this session.
    pub fn new(session: SessionId) -> Self {
        Destroy { session, phase: Phase::Begin, code: ErrorCode::Ok, archives: false }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        loop {
            let next = match &mut self.phase {
                Phase::Begin => match context.daemon.model.get(self.session) {
                    Some(session) if session.active => Phase::Stop(Stop::new(self.session)),
                    _ => Phase::Stopped,
                },
                Phase::Stop(stop) => match stop.step(context) {
                    None => return Progress::Pending,
                    Some(code) => {
                        self.code = code;
                        Phase::Stopped
                    }
                },
                Phase::Stopped if is_leaving(context, self.session) => return Progress::Pending,
                Phase::Stopped => self.rotate(context),
                Phase::Rotate(rotation) => match rotation.step(context) {
                    None => return Progress::Pending,
                    // Also what a relay daemon that is gone makes fail; the session ends all the same.
                    Some(Err(code)) if self.archives || is_remote(context, self.session) => {
                        self.code = code;
                        self.release(context)
                    }
                    Some(_) => Phase::Leave,
                },
                Phase::Leave if is_leaving(context, self.session) => return Progress::Pending,
                Phase::Leave => self.release(context),
                Phase::Applications(apps) => {
                    if context.unsettled(apps, self.session) && !context.expired() {
                        return Progress::Pending;
                    }
                    self.close_metadata(context)
                }
                Phase::Close(ended) => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    _ => {
                        let ended = std::mem::take(ended);
                        self.free(context, &ended)
                    }
                },
                Phase::Removal(removal) => {
                    if removal.as_mut().is_some_and(|removal| !removal.step(context)) {
                        return Progress::Pending;
                    }
                    return self.finish(context);
                }
            };
            self.phase = next;
        }
    }

    /// The chunk is left: where it is, or for the archives if the session was rotated before.
    fn rotate(&mut self, context: &mut Context<'_>) -> Phase {
        context.daemon.end_rotation_timer(self.session);
        let served = !context.daemon.ready_consumers().is_empty();
        let lost = context.daemon.lost_consumer();
        let Some(session) = context.daemon.model.get_mut(self.session) else { return Phase::Leave };
        session.destroyed = true;
        if session.chunk.is_none() {
            return Phase::Leave;
        }
        if lost && session.rotations.state != RotationState::Error {
            // What it had not written is missing; the session ends all the same. After a rotation that failed nobody
            // is told once more.
            self.code = ErrorCode::CloseTraceChunkFailConsumer;
        }
        if !served {
            return Phase::Leave;
        }
        self.archives = session.rotations.moved;
        let leave = if self.archives { Leave::Archive } else { Leave::Keep };
        Phase::Rotate(Rotation::new(self.session, leave, false))
    }

    fn release(&self, context: &mut Context<'_>) -> Phase {
        // Answers to an unfinished step are of no interest any more.
        *context.jobs = super::Jobs::default();
        // The consumer daemons keep their connections until the last stream is gone.
        context.daemon.drop_relays_of(self.session);
        Phase::Applications(context.touch_all_applications())
    }

    fn close_metadata(&self, context: &mut Context<'_>) -> Phase {
        let ended = context.metadata_keys(self.session);
        for &(kind, key) in &ended {
            context.ask_consumer(kind, UstRequest::CloseMetadata { key }, Tail::None, 0);
        }
        Phase::Close(ended)
    }

    /// The buffers are given up: the consumer daemon frees them.
    fn free(&self, context: &mut Context<'_>, ended: &[(ConsumerKind, u64)]) -> Phase {
        // Metadata channels that were put to use only now.
        let late = context.metadata_keys(self.session).into_iter().filter(|key| !ended.contains(key));
        for (kind, key) in late {
            let request = UstRequest::CloseMetadata { key };
            let _ = context.daemon.ask_consumer(kind, request, Tail::None, Purpose::Nothing);
        }
        let removal = context.daemon.model.get(self.session).and_then(|session| {
            let root = session.shm_path.clone()?;
            let paths = context.daemon.buffers_of(session.id).map(|(_, buffers)| &buffers.cause.path);
            let folders = paths.filter_map(|path| shared_memory_folder(session, path)).map(PathBuf::from);
            Some(Removal::new((session.uid, session.gid), root.into(), folders.collect()))
        });
        let session = self.session;
        context.daemon.buffers.retain(|key| key.session != session);
        Phase::Removal(removal)
    }

    /// What the client is told of the last rotation, and where the chunk is.
    fn rotation_state(&self, context: &Context<'_>) -> (RotationState, Vec<u8>) {
        let Some(session) = context.daemon.model.get(self.session).filter(|_| self.archives) else {
            return (RotationState::NoRotation, Vec::new());
        };
        let state = session.rotations.state;
        let location = archive_location(session).filter(|_| state == RotationState::Completed);
        (state, location.map(|location| location.encode()).unwrap_or_default())
    }

    fn finish(&self, context: &mut Context<'_>) -> Progress {
        let session = self.session;
        let (state, location) = self.rotation_state(context);
        context.daemon.at_rest.remove(&session);
        context.daemon.losses_of_the_gone.remove(&session);
        if let Some(session) = context.daemon.model.remove(session) {
            log::debug!("Session {} is destroyed", session.name);
        }
        let reply = Reply::deferred(Command::DestroySession, self.code);
        Progress::Done(reply.with_rotation_state(state).with_payload(location))
    }
}

fn is_remote(context: &Context<'_>, session: SessionId) -> bool {
    context.daemon.model.get(session).is_some_and(|session| !session.is_local())
}
