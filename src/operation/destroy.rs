// SPDX-License-Identifier: GPL-2.0-only
//! Destroy: stop, have everything written, let go of applications and buffers.
//!
//! Clients see nothing of the session from the moment that this begins, and its name is free when it is stopped; the reply
//! comes when the trace is whole on disk.

use std::path::PathBuf;
use std::task::{Poll, ready};

use super::answer::{Answer, Failure, Location};
use super::archive::Leave;
use super::cx::{Cx, Followers};
use super::rotate::archive_location;
use super::steps::leaving;
use super::steps::removal::Removal;
use super::steps::rotation::Rotation;
use super::stop::Stop;
use super::task::Task;
use crate::consumer::purpose::Purpose;
use crate::consumer::verb::{ChannelRef, Content, Verb};
use crate::model::RotationState;
use crate::state::shared_memory_folder;
use crate::turn::ids::SessionId;

/// Ending a session.
#[derive(Debug)]
pub struct Destroy {
    session: SessionId,
    phase: Phase,
    /// What went wrong on the way. The session ends all the same.
    trouble: Option<Failure>,
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
    /// The kernel's consumer daemon forgets channels of which it takes nothing by itself.
    Kernel,
    /// The applications and the kernel let go.
    Applications(Followers),
    /// The metadata of these channels ends.
    Close(Vec<ChannelRef>),
    /// Folders of buffers that were to outlive a crash are removed.
    Removal(Option<Removal>),
}

impl Task for Destroy {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Begin if cx.session(self.session)?.is_active() => Phase::Stop(Stop::new(self.session)),
                Phase::Begin => Phase::Stopped,
                Phase::Stop(stop) => {
                    // What the tracer would not stop ends with the session.
                    if let Err(why) = ready!(stop.go(cx)) {
                        match why {
                            Failure::Kernel(_) => self.trouble = Some(why),
                            why => return Poll::Ready(Err(why)),
                        }
                    }
                    Phase::Stopped
                }
                Phase::Stopped => {
                    ready!(leaving::settled(cx, self.session));
                    self.rotate(cx)?
                }
                Phase::Rotate(rotation) => match ready!(rotation.step(cx)) {
                    // Also what a relay daemon that is gone makes fail; the session ends all the same.
                    Err(why)
                        if self.archives
                            || why == Failure::ChannelsNotRotated
                            || !cx.session(self.session)?.is_local() =>
                    {
                        self.trouble = Some(why);
                        self.release(cx)
                    }
                    _ => Phase::Leave,
                },
                Phase::Leave => {
                    ready!(leaving::settled(cx, self.session));
                    self.release(cx)
                }
                Phase::Kernel => {
                    ready!(cx.answers());
                    cx.state.release_kernel(self.session);
                    // What it wanted of loggers counts no more since its end began.
                    cx.state.touch_agents();
                    Phase::Applications(cx.touch_followers())
                }
                Phase::Applications(followers) => {
                    ready!(cx.settled(followers, self.session));
                    self.close_metadata(cx)
                }
                Phase::Close(ended) => {
                    ready!(cx.answers());
                    let ended = std::mem::take(ended);
                    self.free(cx, &ended)?
                }
                Phase::Removal(removal) => {
                    if let Some(removal) = removal {
                        ready!(removal.step(cx));
                    }
                    return Poll::Ready(self.finish(cx));
                }
            };
        }
    }

    fn ends_session(&self) -> bool {
        true
    }
}

impl Destroy {
    /// Ends this session.
    pub fn new(session: SessionId) -> Self {
        Destroy { session, phase: Phase::Begin, trouble: None, archives: false }
    }

    /// The chunk is left: where it is, or for the archives if the session was rotated before.
    fn rotate(&mut self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        cx.state.end_rotation_timer(self.session);
        let served = !cx.state.consumers_of(self.session).is_empty();
        let lost = cx.state.lost_consumer(self.session);
        cx.record(self.session)?.end();
        let recording = &cx.session(self.session)?.recording;
        if recording.chunk().is_none() {
            return Ok(Phase::Leave);
        }
        if lost && recording.rotation() != RotationState::Error {
            // What it had not written is missing; the session ends all the same. After a rotation that failed nobody
            // is told once more.
            self.trouble = Some(Failure::ChunkNotClosed);
        }
        if !served {
            return Ok(Phase::Leave);
        }
        self.archives = recording.has_archives();
        let leave = if self.archives { Leave::Archive } else { Leave::Keep };
        Ok(Phase::Rotate(Rotation::new(self.session, leave, false)))
    }

    fn release(&self, cx: &mut Cx<'_>) -> Phase {
        // Answers to an unfinished step are of no interest any more.
        cx.forget_answers();
        // The consumer daemons keep their connections until the last stream is gone.
        cx.state.drop_relays_of(self.session);
        if cx.session(self.session).is_ok_and(|session| !session.has_output()) {
            for (_, channel) in cx.state.kernel_data(self.session) {
                cx.ask(channel, Verb::Close, 0);
            }
        }
        Phase::Kernel
    }

    fn close_metadata(&self, cx: &mut Cx<'_>) -> Phase {
        cx.each_channel(self.session, Content::Metadata, &Verb::Close);
        Phase::Close(cx.state.channels_of(self.session, Content::Metadata))
    }

    /// The buffers are given up: the consumer daemon frees them.
    fn free(&self, cx: &mut Cx<'_>, ended: &[ChannelRef]) -> Result<Phase, Failure> {
        // Metadata channels that were put to use only now.
        let late = cx.state.channels_of(self.session, Content::Metadata);
        for channel in late.into_iter().filter(|channel| !ended.contains(channel)) {
            let _ = cx.state.ask_channel(channel, Verb::Close, Purpose::Nothing);
        }
        let session = cx.session(self.session)?;
        let removal = session.wanted.shm_path.as_ref().map(|root| {
            let paths = cx.state.buffers_of(self.session).map(|(_, buffers)| &buffers.cause.path);
            let folders = paths.filter_map(|path| shared_memory_folder(session, path)).map(PathBuf::from);
            Removal::new(session.wanted.owner, root.into(), folders.collect())
        });
        let session = self.session;
        cx.state.buffers.retain(|key| key.session != session);
        Ok(Phase::Removal(removal))
    }

    /// How the last rotation went, and where the chunk is.
    fn rotation(&self, cx: &Cx<'_>) -> Result<(RotationState, Option<Location>), Failure> {
        let session = cx.session(self.session)?;
        if !self.archives {
            return Ok((RotationState::NoRotation, None));
        }
        let state = session.recording.rotation();
        let location = if state == RotationState::Completed { archive_location(session) } else { None };
        Ok((state, location))
    }

    fn finish(&self, cx: &mut Cx<'_>) -> Result<Answer, Failure> {
        let (rotation, location) = self.rotation(cx)?;
        if let Some(session) = cx.state.forget_session(self.session) {
            log::debug!("Session {} is destroyed", session.wanted.name);
        }
        Ok(Answer::Destroyed { trouble: self.trouble, rotation, location })
    }
}
