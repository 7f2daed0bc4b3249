// SPDX-License-Identifier: GPL-2.0-only
//! Stop: the applications, then what they left in the buffers.

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::UstRequest;

use super::Context;
use crate::consumer::Tail;
use crate::model::SessionId;
use crate::ust::app::AppId;
use crate::ust::buffers::BuffersKey;

/// Stopping a session.
#[derive(Debug)]
pub struct Stop {
    session: SessionId,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Applications(Vec<AppId>),
    Flush,
}

impl Stop {
    /// Stops this session, which must be active.
    pub fn new(session: SessionId) -> Self {
        Stop { session, phase: Phase::Begin }
    }

    /// The code for the client once the session is stopped. What goes wrong with a flush is not its business
    /// (lttng-tools 2.13: `src/bin/lttng-sessiond/ust-app.c`).
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Option<ErrorCode> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Begin => {
                    if let Some(session) = context.daemon.model.get_mut(self.session) {
                        session.active = false;
                    }
                    context.daemon.touch_all_applications();
                    Phase::Applications(context.daemon.apps.keys().copied().collect())
                }
                Phase::Applications(apps) => {
                    if context.unsettled(apps, self.session) && !context.expired() {
                        return None;
                    }
                    for (kind, _, key) in context.daemon.data_keys(self.session) {
                        context.ask_consumer(kind, UstRequest::FlushChannel { key }, Tail::None, 0);
                    }
                    push_all(context, self.session);
                    Phase::Flush
                }
                Phase::Flush => {
                    if context.answered().is_none() && !context.expired() {
                        return None;
                    }
                    return Some(ErrorCode::Ok);
                }
            }
        }
    }
}

/// Pushes the metadata of a session that the consumer daemons do not have. Nobody waits for the outcome: whatever
/// is asked of a consumer daemon afterwards is answered after it.
pub(super) fn push_all(context: &mut Context<'_>, session: SessionId) {
    let keys: Vec<BuffersKey> = context.daemon.buffers_of(session).map(|(&key, _)| key).collect();
    for key in keys {
        context.daemon.push_metadata(key);
    }
}
