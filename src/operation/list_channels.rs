// SPDX-License-Identifier: GPL-2.0-only
//! Listing channels: what the user asked for, and what the consumer daemons know of losses.

use std::task::{Poll, ready};

use super::answer::{Answer, AnyChannel, Failure, ListedChannel};
use super::cx::Cx;
use super::steps::losses::{self, Losses};
use super::task::Task;
use crate::model::Session;
use crate::turn::ids::{ChannelId, SessionId};

/// Listing a session's channels.
#[derive(Debug)]
pub struct ListChannels {
    session: SessionId,
    /// The kernel's channels, not those of user space.
    kernel: bool,
    asked: bool,
    /// What applications that have exited had lost when the others were asked about.
    exited: Losses,
}

impl ListChannels {
    /// Lists this session's user space channels.
    pub fn new(session: SessionId) -> Self {
        ListChannels { session, kernel: false, asked: false, exited: Losses::new() }
    }

    /// Lists this session's kernel channels.
    pub fn of_kernel(session: SessionId) -> Self {
        ListChannels { kernel: true, ..ListChannels::new(session) }
    }

    /// The channels, in the order in which they are listed.
    fn channels(&self, session: &Session) -> Vec<(ChannelId, AnyChannel)> {
        if self.kernel {
            let kernel = session.wanted.kernel.iter().flat_map(|kernel| kernel.channels.iter().rev());
            kernel.map(|channel| (channel.id, AnyChannel::Kernel(channel.clone()))).collect()
        } else {
            let channels = session.channels().iter();
            channels.map(|channel| (channel.id, AnyChannel::UserSpace(channel.clone()))).collect()
        }
    }
}

impl Task for ListChannels {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        if !self.asked {
            self.asked = true;
            let recording = &cx.session(self.session)?.recording;
            self.exited.clone_from(&recording.losses_of_exited);
            if recording.at_rest.is_none() {
                // What the kernel's channels have lost is not in buffers of applications.
                let applications = !self.kernel;
                losses::ask(cx, self.session, |_, buffers| applications && !buffers.counted);
            }
        }
        let answers = ready!(cx.answers());
        if answers.late {
            return Poll::Ready(Err(Failure::LossesUnknown));
        }
        let now = losses::of(&answers);
        let session = cx.session(self.session)?;
        let known = session.recording.at_rest.as_ref().map_or(&now, |at_rest| &at_rest.losses);
        let of = |losses: &Losses, id| losses.get(&id).copied().unwrap_or(0);
        let listed = self.channels(session).into_iter().map(|(id, channel)| ListedChannel {
            channel,
            losses: of(known, id).saturating_add(of(&self.exited, id)),
        });
        Poll::Ready(Ok(Answer::Channels(listed.collect())))
    }
}
