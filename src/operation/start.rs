// SPDX-License-Identifier: GPL-2.0-only
//! Start: a trace chunk to record to, the applications, and the reply once each of them records.

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::UstRequest;

use super::rotation::{Leave, Rotation};
use super::{Context, Progress};
use crate::consumer::Tail;
use crate::daemon::{Purpose, Reached};
use crate::model::SessionId;
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
    /// There is no trace chunk: it is made.
    Chunk(Rotation),
    /// The session has a chunk, or needs none.
    Ready,
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
                Phase::Begin => {
                    context.daemon.at_rest.remove(&self.session);
                    let session = context.daemon.model.get(self.session);
                    if session.is_some_and(|session| session.chunk.is_none() && session.has_output()) {
                        Phase::Relay
                    } else {
                        Phase::Ready
                    }
                }
                Phase::Relay => {
                    let relay = context.daemon.relay_of(self.session).map(|(id, _)| id);
                    let reached = relay.map(|id| context.daemon.relay_reached(id));
                    if reached == Some(Reached::Pending) && !context.expired() {
                        return Progress::Pending;
                    }
                    Phase::Chunk(Rotation::new(self.session, Leave::Keep, true))
                }
                Phase::Chunk(rotation) => match rotation.step(context) {
                    None => return Progress::Pending,
                    Some(Ok(_)) => Phase::Ready,
                    Some(Err(code)) => return self.fail(context, code),
                },
                Phase::Ready if lost_what_it_had(context, self.session) => {
                    return self.fail(context, ErrorCode::Unk);
                }
                Phase::Ready => Phase::Applications(resume(context, self.session)),
                Phase::Applications(apps) => {
                    if context.unsettled(apps, self.session) && !context.expired() {
                        return Progress::Pending;
                    }
                    if context.daemon.lost_consumer() {
                        return self.fail(context, ErrorCode::Unk);
                    }
                    open_packets(context, self.session);
                    self.started(context);
                    return context.reply(ErrorCode::Ok);
                }
            };
            self.phase = next;
        }
    }

    fn started(&self, context: &mut Context<'_>) {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.rotations.rotated_after_stop = false;
            session.rotations.cleared_after_stop = false;
        }
        context.daemon.begin_rotation_timer(self.session);
    }

    fn fail(&self, context: &mut Context<'_>, code: ErrorCode) -> Progress {
        if let Some(session) = context.daemon.model.get_mut(self.session) {
            session.active = false;
        }
        context.daemon.touch_all_applications();
        context.reply(code)
    }
}

fn lost_what_it_had(context: &Context<'_>, id: SessionId) -> bool {
    let session = context.daemon.model.get(id);
    session.is_some_and(|session| session.started) && context.daemon.lost_consumer()
}

/// From here on the session records, and applications get hold of it as they come. Returns those that are there.
pub(super) fn resume(context: &mut Context<'_>, id: SessionId) -> Vec<AppId> {
    // Flushed channels are made to hand over packets again. Nobody waits for it: whatever flushes them next is asked
    // later.
    tell_channels(context, id, |key| UstRequest::ClearQuiescentChannel { key });
    if let Some(session) = context.daemon.model.get_mut(id) {
        session.active = true;
        session.started = true;
    }
    context.touch_all_applications()
}

/// Has the beginning of the trace known.
pub(super) fn open_packets(context: &mut Context<'_>, id: SessionId) {
    tell_channels(context, id, |key| UstRequest::OpenChannelPackets { key });
}

/// Has the consumer daemons do something about every data channel. What comes of it changes nothing here.
fn tell_channels(context: &mut Context<'_>, id: SessionId, request: impl Fn(u64) -> UstRequest) {
    for (kind, _, key) in context.daemon.data_keys(id) {
        // One that is gone is noticed by other means.
        let _ = context.daemon.ask_consumer(kind, request(key), Tail::None, Purpose::Nothing);
    }
}
