// SPDX-License-Identifier: GPL-2.0-only
//! Destroy: stop, have everything written, let go of applications and buffers.
//!
//! Clients see nothing of the session from the moment it is stopped; the reply comes when the trace is whole on
//! disk.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lttng_protocol::client::{Command, ErrorCode, Reply, RotationState};
use lttng_protocol::consumer::{CloseTraceChunk, Status, TraceChunkExists, UstRequest};

use super::removal::Removal;
use super::stop::{Stop, push_all};
use super::{Context, Jobs, Progress};
use crate::consumer::Tail;
use crate::daemon::shared_memory_folder;
use crate::model::SessionId;
use crate::output::ConsumerKind;
use crate::ust::app::AppId;

/// Pause before the consumer daemons are asked for the first time again whether they still write.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long a relay daemon is waited for once the consumer daemons have sent it everything. Some say for ever that a
/// chunk is in use: those of 2.13 that have another live session.
const RELAY_PATIENCE: Duration = Duration::from_secs(10);

/// Ending a session.
#[derive(Debug)]
pub struct Destroy {
    session: SessionId,
    phase: Phase,
    code: ErrorCode,
    /// Until when the relay daemon is waited for.
    relay_until: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Stop(Stop),
    /// The channels leave the trace chunk, and the chunk is closed.
    Rotate,
    /// The consumer daemons are asked whether they are done with the chunk.
    Exists {
        pause: Duration,
    },
    /// They are not; they are asked again in a while.
    Wait {
        pause: Duration,
        until: Instant,
    },
    /// The applications let go.
    Applications(Vec<AppId>),
    /// The metadata ends.
    Close,
    /// Folders of buffers that were to outlive a crash are removed.
    Removal(Option<Removal>),
}

impl Destroy {
    /// Ends this session.
    pub fn new(session: SessionId) -> Self {
        Destroy { session, phase: Phase::Begin, code: ErrorCode::Ok, relay_until: None }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        loop {
            let next = match &mut self.phase {
                Phase::Begin => match context.daemon.model.get(self.session) {
                    Some(session) if session.active => Phase::Stop(Stop::new(self.session)),
                    _ => self.rotate(context),
                },
                Phase::Stop(stop) => match stop.step(context) {
                    None => return Progress::Pending,
                    Some(code) => {
                        self.code = code;
                        self.rotate(context)
                    }
                },
                Phase::Rotate => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    Some(jobs) if !jobs.lost => {
                        self.blame_relay(context, &jobs);
                        self.ask_whether_done(context, FIRST_PAUSE)
                    }
                    _ => self.release(context),
                },
                Phase::Exists { pause } => {
                    let pause = *pause;
                    match context.answered() {
                        None if !context.expired() => return Progress::Pending,
                        Some(jobs) if self.is_in_use(context, &jobs) => {
                            Phase::Wait { pause, until: context.look_again_after(pause) }
                        }
                        _ => self.release(context),
                    }
                }
                Phase::Wait { until, .. } if context.daemon.now < *until && !context.expired() => {
                    return Progress::Pending;
                }
                Phase::Wait { .. } if context.expired() => self.release(context),
                Phase::Wait { pause, .. } => {
                    let longer = pause.saturating_mul(2).min(LONGEST_PAUSE);
                    self.ask_whether_done(context, longer)
                }
                Phase::Applications(apps) => {
                    if context.unsettled(apps, self.session) && !context.expired() {
                        return Progress::Pending;
                    }
                    self.close_metadata(context)
                }
                Phase::Close => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    _ => self.free(context),
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

    /// The chunk is left and closed where it is: the session was never rotated.
    fn rotate(&self, context: &mut Context<'_>) -> Phase {
        let Some(session) = context.daemon.model.get_mut(self.session) else { return Phase::Close };
        session.destroyed = true;
        let relayd_id = session.relayd_id;
        let Some(chunk_id) = session.chunk.as_ref().map(|chunk| chunk.id) else { return Phase::Rotate };
        for (kind, _, key) in context.daemon.data_keys(self.session) {
            let request = UstRequest::RotateChannel { metadata: false, relayd_id, key };
            context.ask_consumer(kind, request, Tail::None, 0);
        }
        push_all(context, self.session);
        for (kind, key) in self.metadata_keys(context) {
            let request = UstRequest::RotateChannel { metadata: true, relayd_id, key };
            context.ask_consumer(kind, request, Tail::None, 0);
        }
        let closed = context.daemon.wall.max(0).cast_unsigned();
        context.ask_consumers(&UstRequest::CloseTraceChunk(CloseTraceChunk {
            relayd_id,
            session_id: self.session.0,
            chunk_id,
            closed,
            command: None,
        }));
        Phase::Rotate
    }

    /// What a relay daemon that is gone makes fail is told to the client, as in the original; the session ends all
    /// the same.
    fn blame_relay(&mut self, context: &Context<'_>, jobs: &Jobs) {
        let remote = context.daemon.model.get(self.session).is_some_and(|session| !session.is_local());
        // That the chunk could not be closed is nothing that it looks at.
        let rotated = jobs.failures.iter().all(|status| *status == Status::CLOSE_TRACE_CHUNK_FAILED.0);
        if remote && !rotated {
            log::error!("The relay daemon of a session is gone: {:?}", jobs.failures);
            self.code = ErrorCode::RotationFailConsumer;
        }
    }

    fn ask_whether_done(&self, context: &mut Context<'_>, pause: Duration) -> Phase {
        let session = context.daemon.model.get(self.session);
        let chunk = session.and_then(|session| Some((session.relayd_id, session.chunk.as_ref()?.id)));
        if let Some((relayd_id, chunk_id)) = chunk {
            let request = TraceChunkExists { relayd_id, session_id: self.session.0, chunk_id };
            context.ask_consumers(&UstRequest::TraceChunkExists(request));
        }
        Phase::Exists { pause }
    }

    /// Whether the chunk is still in use, by what the consumer daemons answered.
    fn is_in_use(&mut self, context: &Context<'_>, jobs: &Jobs) -> bool {
        if jobs.failures.contains(&Status::CHUNK_EXISTS_LOCAL.0) {
            return true;
        }
        let until = *self.relay_until.get_or_insert_with(|| context.daemon.after(RELAY_PATIENCE));
        jobs.failures.contains(&Status::CHUNK_EXISTS_REMOTE.0) && context.daemon.now < until
    }

    fn release(&self, context: &mut Context<'_>) -> Phase {
        // Answers to an unfinished step are of no interest any more.
        *context.jobs = super::Jobs::default();
        // The consumer daemons keep their connections until the last stream is gone.
        context.daemon.drop_relays_of(self.session);
        Phase::Applications(context.touch_all_applications())
    }

    fn close_metadata(&self, context: &mut Context<'_>) -> Phase {
        for (kind, key) in self.metadata_keys(context) {
            context.ask_consumer(kind, UstRequest::CloseMetadata { key }, Tail::None, 0);
        }
        Phase::Close
    }

    fn metadata_keys(&self, context: &Context<'_>) -> Vec<(ConsumerKind, u64)> {
        let ready = context.daemon.buffers_of(self.session).filter(|(_, buffers)| buffers.metadata_ready());
        ready.map(|(_, buffers)| (buffers.consumer, buffers.metadata_key)).collect()
    }

    /// The buffers are given up: the consumer daemon frees them.
    fn free(&self, context: &mut Context<'_>) -> Phase {
        let removal = context.daemon.model.get(self.session).and_then(|session| {
            let root = session.shm_path.clone()?;
            let paths = context.daemon.buffers_of(session.id).map(|(_, buffers)| &buffers.cause.path);
            let folders = paths.filter_map(|path| shared_memory_folder(session, path)).map(PathBuf::from);
            Some(Removal::new((session.uid, session.gid), root.into(), folders.collect()))
        });
        let session = self.session;
        context.daemon.buffers.retain(|key, _| key.session != session);
        Phase::Removal(removal)
    }

    fn finish(&self, context: &mut Context<'_>) -> Progress {
        let session = self.session;
        context.daemon.at_rest.remove(&session);
        context.daemon.losses_of_the_gone.remove(&session);
        if let Some(session) = context.daemon.model.remove(session) {
            log::debug!("Session {} is destroyed", session.name);
        }
        let reply = Reply::deferred(Command::DestroySession, self.code);
        Progress::Done(reply.with_rotation_state(RotationState::NoRotation))
    }
}
