// SPDX-License-Identifier: GPL-2.0-only
//! Listing channels: what the user asked for, and what the consumer daemons know of losses.

use std::task::{Poll, ready};

use super::answer::{Answer, Failure, ListedChannel};
use super::cx::Cx;
use super::steps::losses::{self, Losses};
use super::task::Task;
use crate::turn::ids::SessionId;

/// Listing a session's channels.
#[derive(Debug)]
pub struct ListChannels {
    session: SessionId,
    asked: bool,
    /// What applications that have exited had lost when the others were asked about.
    exited: Losses,
}

impl ListChannels {
    /// Lists this session's user space channels.
    pub fn new(session: SessionId) -> Self {
        ListChannels { session, asked: false, exited: Losses::new() }
    }
}

impl Task for ListChannels {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        if !self.asked {
            self.asked = true;
            let recording = &cx.session(self.session)?.recording;
            self.exited.clone_from(&recording.losses_of_exited);
            if recording.at_rest.is_none() {
                losses::ask(cx, self.session, |_, buffers| !buffers.counted);
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
        let listed = session.channels().iter().map(|channel| ListedChannel {
            channel: channel.clone(),
            losses: of(known, channel.id).saturating_add(of(&self.exited, channel.id)),
        });
        Poll::Ready(Ok(Answer::Channels(listed.collect())))
    }
}
