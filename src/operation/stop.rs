// SPDX-License-Identifier: GPL-2.0-only
//! Stop: the applications, then what they left in the buffers.
//!
//! What clients ask next (is data pending? what was lost?) is found out on the way and kept until the session
//! starts again. Metadata comes last: taking it keeps the 2.13 consumer daemon from answering for 200 ms,
//! although the text is on disk after one. That it is there is seen on the disk itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use super::answer::{Answer, Failure};
use super::cx::{Cx, Followers};
use super::steps::delivery::{forget_refusals, push_next};
use super::steps::losses::{self, Asked as Counted};
use super::task::Task;
use crate::consumer::verb::{Content, SessionVerb, Verb};
use crate::helper::PathJob;
use crate::kernel::refusal::{Asked, Refusal};
use crate::model::{AtRest, Occasion, Place};
use crate::turn::ids::{BuffersKey, SessionId};
use crate::ust::buffers::Buffers;

/// How long is waited for data to be written. What takes longer is left to the client's own question.
const DRAIN_TIME: Duration = Duration::from_millis(100);
/// Pause between two questions about it.
const DRAIN_PAUSE: Duration = Duration::from_millis(2);
/// Milliseconds to look for metadata on disk: by then the consumer daemon has answered by itself.
const METADATA_TIME: u64 = 250;
/// How long is waited for all the metadata of a session. What takes longer is left to the client's own question.
const DELIVERY_TIME: Duration = Duration::from_secs(1);

/// Stopping a session.
#[derive(Debug)]
pub struct Stop {
    session: SessionId,
    phase: Phase,
    at_rest: AtRest,
    /// The kernel's tracer would not stop.
    refused: Option<Refusal>,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// The applications stop.
    Applications(Followers),
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
    Count(Counted),
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

impl Task for Stop {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        self.go(cx).map_ok(|()| Answer::Done)
    }
}

impl Stop {
    /// Stops this session, which must be active.
    pub fn new(session: SessionId) -> Self {
        Stop { session, phase: Phase::Begin, at_rest: AtRest::default(), refused: None }
    }

    /// Ready once the session is stopped. What goes wrong with its buffers is not the client's business
    /// (lttng-tools 2.13: `src/bin/lttng-sessiond/ust-app.c`).
    pub fn go(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Failure>> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Begin => {
                    cx.record(self.session)?.stop();
                    cx.state.end_watch_for_left_over();
                    cx.state.take_kernel_refusals(self.session);
                    Phase::Applications(cx.touch_followers())
                }
                Phase::Applications(followers) => {
                    ready!(cx.settled(followers, self.session));
                    let refused = cx.kernel_refusals(self.session, Asked::Stop);
                    self.refused = refused.into_iter().find(|refusal| refusal.asked == Asked::Stop);
                    cx.each_channel(self.session, Content::Data, &Verb::Flush);
                    Phase::Flush
                }
                Phase::Flush => {
                    ready!(cx.answers());
                    self.ask_drained(cx);
                    Phase::Drain { until: cx.after(DRAIN_TIME) }
                }
                Phase::Drain { until } => {
                    let answers = ready!(cx.answers());
                    if answers.data_pending && !answers.late && cx.now() < *until {
                        Phase::Wait { until: *until, next: cx.look_again_after(DRAIN_PAUSE) }
                    } else {
                        // A relay daemon may still have metadata to write: it is asked when a client asks.
                        let local = cx.session(self.session)?.is_local();
                        let drained = !answers.late && !answers.data_pending && !answers.lost;
                        self.at_rest.drained = local && drained;
                        // Those being given up are counted when they are.
                        let such = |_: Place, buffers: Option<&Buffers>| {
                            buffers.is_none_or(|buffers| !buffers.retired)
                        };
                        Phase::Count(losses::ask(cx, self.session, such))
                    }
                }
                Phase::Wait { next, .. } if cx.now() < *next => return Poll::Pending,
                Phase::Wait { until, .. } => {
                    let until = *until;
                    self.ask_drained(cx);
                    Phase::Drain { until }
                }
                Phase::Count(asked) => {
                    let answers = ready!(cx.answers());
                    self.at_rest.losses = losses::take(cx, self.session, asked, &answers);
                    cx.state.tell_losses(self.session, Occasion::Stopped);
                    forget_refusals(cx, self.session);
                    let until = cx.look_again_after(DELIVERY_TIME);
                    Phase::Metadata(Sight { looked_for: BTreeSet::new(), missed: false, until })
                }
                Phase::Metadata(sight) => {
                    self.at_rest.described = ready!(deliver_metadata(cx, self.session, sight));
                    let at_rest = std::mem::take(&mut self.at_rest);
                    cx.record(self.session)?.found(at_rest);
                    return Poll::Ready(self.refused.map_or(Ok(()), |refusal| Err(Failure::Kernel(refusal))));
                }
            }
        }
    }

    fn ask_drained(&self, cx: &mut Cx<'_>) {
        cx.each_consumer(&SessionVerb::DataPending(self.session));
    }
}

/// Pushes what there is to push, and has the helper look whether it has arrived. When there is nothing left to wait for, or
/// it takes too long: whether all is there.
fn deliver_metadata(cx: &mut Cx<'_>, session: SessionId, sight: &mut Sight) -> Poll<bool> {
    let in_time = cx.now() < sight.until;
    if push_next(cx, session) > 0 && in_time {
        look_for_metadata(cx, session, sight);
    }
    let answers = ready!(cx.answers());
    if answers.late {
        return Poll::Ready(false);
    }
    sight.missed |= !answers.all_well();
    let waiting =
        |(key, buffers): (&BuffersKey, &Buffers)| buffers.is_behind() && !sight.looked_for.contains(key);
    match cx.state.buffers_of(session).any(waiting) {
        false => Poll::Ready(!sight.missed),
        true if in_time && !cx.expired() => Poll::Pending,
        true => Poll::Ready(false),
    }
}

/// Has the helper look for what is being pushed, unless it goes to another machine.
fn look_for_metadata(cx: &mut Cx<'_>, id: SessionId, sight: &mut Sight) {
    let Ok(session) = cx.session(id) else { return };
    let Some(chunk) = session.recording.chunk().filter(|chunk| !chunk.folder.is_empty()) else { return };
    let (owner, folder) = (session.wanted.owner, chunk.folder.clone());
    let pushed: Vec<(BuffersKey, String, usize)> = cx
        .state
        .buffers_of(id)
        .filter(|(key, _)| !sight.looked_for.contains(key))
        .filter_map(|(&key, buffers)| Some((key, buffers.folder(), buffers.being_pushed()?)))
        .collect();
    for (key, path, length) in pushed {
        let path = PathBuf::from(format!("{folder}/{path}/metadata"));
        let (length, limit) = (length as u64, METADATA_TIME);
        cx.ask_helper(owner, PathJob::AwaitMetadata { path, length, limit }, 0);
        sight.looked_for.insert(key);
    }
}
