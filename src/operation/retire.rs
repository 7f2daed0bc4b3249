// SPDX-License-Identifier: GPL-2.0-only
//! Retire: the buffers that an application had for itself, after its end.
//!
//! What the application left in them is written, its losses are added to those of the session, and its metadata
//! ends. There is no client: the application is gone, and nobody waits.
//!
//! What the daemon holds of the buffers keeps them alive in the consumer daemon. It must not let go of them while a
//! consumer daemon is asked to write or to clear them: 2.13's goes through the streams of a channel without output
//! while another of its threads frees them, and crashes (observed; the original lets go after the command, too).

use std::task::{Poll, ready};

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::steps::losses::{self, Asked, Losses};
use super::steps::removal::Removal;
use super::task::Task;
use crate::consumer::verb::{Content, Verb};
use crate::model::{Occasion, Place};
use crate::state::{State, channels_in, shared_memory_folder};
use crate::turn::ids::BuffersKey;
use crate::ust::buffers::Buffers;

/// Giving up one application's buffers.
#[derive(Debug)]
pub struct Retire {
    key: BuffersKey,
    /// The session was stopped before, and what was found then includes these buffers.
    in_findings: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// Packets are closed, losses counted.
    Flush(Asked),
    /// Metadata is pushed.
    Metadata,
    /// Metadata ends.
    Close,
    /// Folders of buffers that were to outlive a crash are removed.
    Removal(Option<Removal>),
}

impl Task for Retire {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        loop {
            if let Phase::Removal(removal) = &mut self.phase {
                if let Some(removal) = removal {
                    ready!(removal.step(cx));
                }
                return Poll::Ready(Ok(Answer::Done));
            }
            // The session may be destroyed meanwhile, and all its buffers with it.
            let Some(buffers) = cx.state.buffers.get(&self.key) else {
                return Poll::Ready(Ok(Answer::Done));
            };
            let giving_up = matches!(self.phase, Phase::Metadata | Phase::Close);
            if giving_up && cx.buffers_in_use(self.key.session) {
                cx.renew();
                return Poll::Pending;
            }
            self.phase = match &self.phase {
                // Dealt with above, where the buffers need not exist.
                Phase::Removal(_) => return Poll::Pending,
                Phase::Begin => {
                    for channel in channels_in(buffers, Content::Data) {
                        cx.ask(channel, Verb::Flush, 0);
                    }
                    let such = |place: Place, _: Option<&Buffers>| place.buffers == Some(self.key);
                    Phase::Flush(losses::ask(cx, self.key.session, such))
                }
                Phase::Flush(asked) => {
                    let answers = ready!(cx.answers());
                    let lost = losses::take(cx, self.key.session, asked, &answers);
                    cx.state.tell_losses(self.key.session, Occasion::Reminded);
                    self.move_losses(cx, &lost);
                    Phase::Metadata
                }
                Phase::Metadata if !buffers.is_behind() || cx.expired() => {
                    for channel in channels_in(buffers, Content::Metadata) {
                        cx.ask(channel, Verb::Close, 0);
                    }
                    Phase::Close
                }
                Phase::Metadata => {
                    if buffers.can_push() {
                        // There may be hundreds before it.
                        cx.renew();
                    }
                    cx.state.push_when_quiet(self.key);
                    return Poll::Pending;
                }
                Phase::Close => {
                    ready!(cx.answers());
                    Phase::Removal(self.free(cx))
                }
            }
        }
    }
}

impl Retire {
    /// Gives up these buffers.
    pub fn new(key: BuffersKey, state: &State) -> Self {
        let session = state.sessions.get(key.session);
        let in_findings = session.is_some_and(|session| session.recording.at_rest.is_some());
        Retire { key, in_findings, phase: Phase::Begin }
    }

    /// The losses are now those of an application that has exited, and nobody else's.
    fn move_losses(&self, cx: &mut Cx<'_>, lost: &Losses) {
        if let Some(session) = cx.state.sessions.get_mut(self.key.session) {
            session.recording.move_losses(lost, self.in_findings);
            session.recording.losses.forget_place(self.key);
        }
        if let Some(buffers) = cx.state.buffers.get_mut(&self.key) {
            buffers.counted = true;
            buffers.forget_refusal();
        }
    }

    /// The buffers are given up: the consumer daemon frees them.
    fn free(&self, cx: &mut Cx<'_>) -> Option<Removal> {
        let buffers = cx.state.buffers.remove(&self.key)?;
        // Its application may be traced again.
        cx.state.touch_all_applications();
        let session = cx.session(self.key.session).ok()?;
        let folder = shared_memory_folder(session, &buffers.cause.path)?;
        let root = session.wanted.shm_path.clone()?;
        Some(Removal::new(session.wanted.owner, root.into(), vec![folder.into()]))
    }
}
