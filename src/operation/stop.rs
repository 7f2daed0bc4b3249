// SPDX-License-Identifier: GPL-2.0-only
//! Stop: the applications, then what they left in the buffers.
//!
//! What clients ask next (is data pending? what was lost?) is found out on the way and kept until the session
//! starts again. Metadata comes last: taking it keeps the 2.13 consumer daemon from answering for 200 ms,
//! although the text is on disk after one. That it is there is seen on the disk itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::UstRequest;

use super::{Context, list_channels};
use crate::helper::Operation as PathOperation;
use crate::model::{ChannelId, Session, SessionId};
use crate::ust::app::AppId;
use crate::ust::buffers::BuffersKey;

/// How long is waited for data to be written. What takes longer is left to the client's own question.
const DRAIN_TIME: Duration = Duration::from_millis(100);
/// Pause between two questions about it.
const DRAIN_PAUSE: Duration = Duration::from_millis(2);
/// Milliseconds to wait for metadata on disk: by then the consumer daemon has answered by itself.
const METADATA_TIME: u64 = 250;

/// What is known of a session that does not record, until it starts again.
#[derive(Debug, Default)]
pub struct AtRest {
    /// All data is written.
    pub drained: bool,
    /// What its channels lost: events, or packets of those that overwrite.
    pub losses: BTreeMap<ChannelId, u64>,
}

/// Stopping a session.
#[derive(Debug)]
pub struct Stop {
    session: SessionId,
    phase: Phase,
    at_rest: AtRest,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// The applications stop.
    Applications(Vec<AppId>),
    /// Unfinished packets are closed.
    Flush,
    /// The consumer daemons are asked whether they still write.
    Drain {
        until: Instant,
    },
    /// They do; they are asked again in a while.
    Wait {
        until: Instant,
        next: Instant,
    },
    /// They are asked what was lost.
    Count,
    /// Metadata is pushed, and looked for on disk.
    Metadata {
        looked_for: BTreeSet<BuffersKey>,
    },
}

impl Stop {
    /// Stops this session, which must be active.
    pub fn new(session: SessionId) -> Self {
        Stop { session, phase: Phase::Begin, at_rest: AtRest::default() }
    }

    /// The code for the client once the session is stopped. What goes wrong with its buffers is not the
    /// client's business (lttng-tools 2.13: `src/bin/lttng-sessiond/ust-app.c`).
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Option<ErrorCode> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Begin => {
                    if let Some(session) = context.daemon.model.get_mut(self.session) {
                        session.active = false;
                    }
                    Phase::Applications(context.touch_all_applications())
                }
                Phase::Applications(apps) => {
                    if context.unsettled(apps, self.session) && !context.expired() {
                        return None;
                    }
                    context.ask_data_channels(self.session, |key| UstRequest::FlushChannel { key });
                    Phase::Flush
                }
                Phase::Flush => {
                    if context.answered().is_none() && !context.expired() {
                        return None;
                    }
                    self.ask_drained(context);
                    Phase::Drain { until: context.daemon.after(DRAIN_TIME) }
                }
                Phase::Drain { until } => match context.answered() {
                    None if !context.expired() => return None,
                    Some(jobs) if jobs.data_pending && context.daemon.now < *until => {
                        Phase::Wait { until: *until, next: context.look_again_after(DRAIN_PAUSE) }
                    }
                    jobs => {
                        // A relay daemon may still have metadata to write: it is asked when a client asks.
                        let local = context.daemon.model.get(self.session).is_none_or(Session::is_local);
                        self.at_rest.drained =
                            local && jobs.is_some_and(|jobs| !jobs.data_pending && !jobs.lost);
                        // Those being given up are counted when they are.
                        let keys = context.daemon.data_keys_if(self.session, |buffers| !buffers.retired);
                        list_channels::ask_losses(context, self.session, keys);
                        Phase::Count
                    }
                },
                Phase::Wait { next, .. } if context.daemon.now < *next => return None,
                Phase::Wait { until, .. } => {
                    let until = *until;
                    self.ask_drained(context);
                    Phase::Drain { until }
                }
                Phase::Count => match context.answered() {
                    None if !context.expired() => return None,
                    jobs => {
                        self.at_rest.losses = jobs.map(list_channels::losses).unwrap_or_default();
                        Phase::Metadata { looked_for: BTreeSet::new() }
                    }
                },
                Phase::Metadata { looked_for } => {
                    let mut known = std::mem::take(looked_for);
                    if !self.deliver_metadata(context, &mut known) && !context.expired() {
                        self.phase = Phase::Metadata { looked_for: known };
                        return None;
                    }
                    let at_rest = std::mem::take(&mut self.at_rest);
                    context.daemon.at_rest.insert(self.session, at_rest);
                    return Some(ErrorCode::Ok);
                }
            }
        }
    }

    fn ask_drained(&self, context: &mut Context<'_>) {
        context.ask_consumers(&UstRequest::DataPending { session_id: self.session.0 });
    }

    /// Pushes what there is to push, and has the helper look whether it has arrived. True when there is nothing left
    /// to wait for.
    fn deliver_metadata(&self, context: &mut Context<'_>, looked_for: &mut BTreeSet<BuffersKey>) -> bool {
        let Some(session) = context.daemon.model.get(self.session) else { return true };
        let owner = (session.uid, session.gid);
        // Only what is on this machine's disk can be looked at.
        let chunk = session.chunk.as_ref().filter(|chunk| !chunk.folder.is_empty());
        let directory = chunk.map(|chunk| chunk.folder.clone());
        if directory.is_none() && session.chunk.is_some() {
            return deliver_to_relay(context, self.session, looked_for);
        }
        push_all(context, self.session);
        let Some(directory) = directory else { return true };
        let of_session = context.daemon.buffers_of(self.session);
        let left: Vec<(BuffersKey, String, Option<usize>)> = of_session
            .filter(|(key, buffers)| buffers.has_undelivered() && !looked_for.contains(key))
            .map(|(&key, buffers)| (key, buffers.cause.path.clone(), buffers.being_pushed()))
            .collect();
        for (key, path, pushed) in &left {
            let Some(length) = *pushed else { continue };
            let path = PathBuf::from(format!("{directory}/ust/{path}/metadata"));
            let (length, limit) = (length as u64, METADATA_TIME);
            context.path_operation(owner, PathOperation::AwaitMetadata { path, length, limit });
            looked_for.insert(*key);
        }
        left.is_empty() && context.answered().is_some()
    }
}

/// Pushes what there is to push to a relay daemon, once: the answer says that it is on its way. True when there is
/// nothing left to wait for.
fn deliver_to_relay(
    context: &mut Context<'_>,
    session: SessionId,
    pushed: &mut BTreeSet<BuffersKey>,
) -> bool {
    let of_session = context.daemon.buffers_of(session).filter(|(_, buffers)| buffers.has_undelivered());
    let left: Vec<(BuffersKey, bool, bool)> = of_session
        .map(|(&key, buffers)| (key, buffers.can_push(), buffers.being_pushed().is_some()))
        .collect();
    let mut waiting = false;
    for (key, can_push, being_pushed) in left {
        if pushed.contains(&key) {
            waiting |= being_pushed;
            continue;
        }
        // The first time it may only be the channel that is asked for.
        context.daemon.push_metadata(key);
        if can_push {
            pushed.insert(key);
        }
        waiting = true;
    }
    !waiting
}

/// Pushes the metadata of a session that the consumer daemons do not have. Nobody waits for the outcome: whatever
/// is asked of a consumer daemon afterwards is answered after it.
pub(super) fn push_all(context: &mut Context<'_>, session: SessionId) {
    let keys: Vec<BuffersKey> = context.daemon.buffers_of(session).map(|(&key, _)| key).collect();
    for key in keys {
        context.daemon.push_metadata(key);
    }
}
