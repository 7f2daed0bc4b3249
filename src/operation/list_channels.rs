// SPDX-License-Identifier: GPL-2.0-only
//! Listing channels: what the user asked for, and what the consumer daemons know of losses.

use lttng_protocol::client::{self, ChannelOutput, ErrorCode, Overwrite};
use lttng_protocol::consumer::UstRequest;

use super::{Context, Progress};
use crate::consumer::Tail;
use crate::model::{Channel, ChannelId, SessionId};

/// Listing a session's channels.
#[derive(Debug)]
pub struct ListChannels {
    session: SessionId,
    asked: bool,
}

impl ListChannels {
    /// Lists this session's user space channels.
    pub fn new(session: SessionId) -> Self {
        ListChannels { session, asked: false }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        if !self.asked {
            self.asked = true;
            self.ask(context);
        }
        let Some(jobs) = context.answered() else {
            return if context.expired() { context.reply(ErrorCode::Unk) } else { Progress::Pending };
        };
        let Some(session) = context.daemon.model.get(self.session) else {
            return context.reply(ErrorCode::SessNotFound);
        };
        let losses = |id: ChannelId| {
            let of_channel = jobs.counts.iter().filter(|(item, _)| *item as u64 == id.0);
            of_channel.map(|(_, count)| *count).sum()
        };
        let listed: Vec<client::Channel> =
            session.channels().iter().map(|channel| list(channel, losses(channel.id))).collect();
        Progress::Done(context.success().with_list(&listed, client::Channel::encode))
    }

    fn ask(&self, context: &mut Context<'_>) {
        let daemon = &mut *context.daemon;
        let Some(session) = daemon.model.get(self.session).filter(|session| session.started) else { return };
        let overwrites = |id| session.channel(id).is_some_and(|channel| channel.attributes.overwrite);
        let session_id = self.session.0;
        let questions: Vec<_> = daemon
            .data_keys(self.session)
            .into_iter()
            .map(|(kind, id, key)| {
                let request = if overwrites(id) {
                    UstRequest::LostPackets { session_id, key }
                } else {
                    UstRequest::DiscardedEvents { session_id, key }
                };
                (kind, request, usize::try_from(id.0).unwrap_or(usize::MAX))
            })
            .collect();
        for (kind, request, item) in questions {
            context.ask_consumer(kind, request, Tail::None, item);
        }
    }
}

fn list(channel: &Channel, losses: u64) -> client::Channel {
    let attributes = &channel.attributes;
    let (discarded_events, lost_packets) = if attributes.overwrite { (0, losses) } else { (losses, 0) };
    client::Channel {
        name: channel.name.clone(),
        enabled: channel.enabled,
        overwrite: if attributes.overwrite { Overwrite::Overwrite } else { Overwrite::Discard },
        subbuf_size: attributes.subbuf_size,
        num_subbuf: attributes.num_subbuf,
        switch_timer: attributes.switch_timer,
        read_timer: attributes.read_timer,
        output: ChannelOutput::Mmap,
        tracefile_size: attributes.tracefile_size,
        tracefile_count: attributes.tracefile_count,
        live_timer: 0,
        discarded_events,
        lost_packets,
        monitor_timer: attributes.monitor_timer,
        blocking_timeout: attributes.blocking_timeout,
    }
}
