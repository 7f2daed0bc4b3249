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

use super::delivery::{forget_refusals, push_next};
use super::{Context, list_channels};
use crate::helper::Operation as PathOperation;
use crate::model::{ChannelId, Session, SessionId};
use crate::ust::app::AppId;
use crate::ust::buffers::{Buffers, BuffersKey};

/// How long is waited for data to be written. What takes longer is left to the client's own question.
const DRAIN_TIME: Duration = Duration::from_millis(100);
/// Pause between two questions about it.
const DRAIN_PAUSE: Duration = Duration::from_millis(2);
/// Milliseconds to look for metadata on disk: by then the consumer daemon has answered by itself.
const METADATA_TIME: u64 = 250;
/// How long is waited for all the metadata of a session. What takes longer is left to the client's own question.
const DELIVERY_TIME: Duration = Duration::from_secs(1);

/// What is known of a session that does not record, until it starts again.
#[derive(Debug, Default)]
pub struct AtRest {
    /// All data is written.
    pub drained: bool,
    /// All metadata is written, too, or can't be.
    pub described: bool,
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
    Metadata(Sight),
}

/// What is known of metadata on its way.
#[derive(Debug)]
struct Sight {
    /// Buffers whose text is looked for on disk, or was seen there.
    looked_for: BTreeSet<BuffersKey>,
    /// Some of it was not seen in time.
    missed: bool,
    /// When the client is answered, even if there is more to push.
    until: Instant,
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
                        forget_refusals(context, self.session);
                        let until = context.look_again_after(DELIVERY_TIME);
                        Phase::Metadata(Sight { looked_for: BTreeSet::new(), missed: false, until })
                    }
                },
                Phase::Metadata(sight) => {
                    self.at_rest.described = deliver_metadata(context, self.session, sight)?;
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
}

/// Pushes what there is to push, and has the helper look whether it has arrived. When there is nothing left to wait for, or
/// it takes too long: whether all is there.
fn deliver_metadata(context: &mut Context<'_>, session: SessionId, sight: &mut Sight) -> Option<bool> {
    let in_time = context.daemon.now < sight.until;
    if push_next(context, session) > 0 && in_time {
        look_for_metadata(context, session, sight);
    }
    let Some(jobs) = context.answered() else { return context.expired().then_some(false) };
    sight.missed |= jobs.failed();
    let waiting =
        |(key, buffers): (&BuffersKey, &Buffers)| buffers.is_behind() && !sight.looked_for.contains(key);
    match context.daemon.buffers_of(session).any(waiting) {
        false => Some(!sight.missed),
        true if in_time => None,
        true => Some(false),
    }
}

/// Has the helper look for what is being pushed, unless it goes to another machine.
fn look_for_metadata(context: &mut Context<'_>, id: SessionId, sight: &mut Sight) {
    let Some(session) = context.daemon.model.get(id) else { return };
    let Some(chunk) = session.chunk.as_ref().filter(|chunk| !chunk.folder.is_empty()) else { return };
    let (owner, folder) = ((session.uid, session.gid), chunk.folder.clone());
    let pushed: Vec<(BuffersKey, String, usize)> = context
        .daemon
        .buffers_of(id)
        .filter(|(key, _)| !sight.looked_for.contains(key))
        .filter_map(|(&key, buffers)| Some((key, buffers.cause.path.clone(), buffers.being_pushed()?)))
        .collect();
    for (key, path, length) in pushed {
        let path = PathBuf::from(format!("{folder}/ust/{path}/metadata"));
        let (length, limit) = (length as u64, METADATA_TIME);
        context.path_operation(owner, PathOperation::AwaitMetadata { path, length, limit });
        sight.looked_for.insert(key);
    }
}
