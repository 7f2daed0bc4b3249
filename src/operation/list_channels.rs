// SPDX-License-Identifier: GPL-2.0-only
//! Listing channels: what the user asked for, and what the consumer daemons know of losses.

use std::task::{Poll, ready};

use super::answer::{Answer, AnyChannel, Failure, ListedChannel};
use super::cx::Cx;
use super::steps::losses::{self, Asked, Losses};
use super::task::Task;
use crate::model::Session;
use crate::turn::ids::{ChannelId, SessionId};

/// Listing a session's channels.
#[derive(Debug)]
pub struct ListChannels {
    session: SessionId,
    /// The kernel's channels, not those of user space.
    kernel: bool,
    asked: Option<Asked>,
    /// What applications that have exited had lost when the others were asked about.
    exited: Losses,
}

impl ListChannels {
    /// Lists this session's user space channels.
    pub fn new(session: SessionId) -> Self {
        ListChannels { session, kernel: false, asked: None, exited: Losses::new() }
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
        if self.asked.is_none() {
            let mut asked = Asked::default();
            let recording = &cx.session(self.session)?.recording;
            self.exited.clone_from(&recording.losses_of_exited);
            if recording.at_rest.is_none() {
                let kernel = self.kernel;
                asked = losses::ask(cx, self.session, |_, buffers| match buffers {
                    Some(buffers) => !kernel && !buffers.counted,
                    None => kernel,
                });
            }
            self.asked = Some(asked);
        }
        let answers = ready!(cx.answers());
        if answers.late {
            return Poll::Ready(Err(Failure::LossesUnknown));
        }
        let asked = self.asked.get_or_insert_default();
        let now = losses::take(cx, self.session, asked, &answers);
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
