// SPDX-License-Identifier: GPL-2.0-only
//! Listing channels: what the user asked for, and what the consumer daemons know of losses.

use std::collections::BTreeMap;

use lttng_protocol::client::{self, ChannelOutput, ErrorCode, Overwrite};
use lttng_protocol::consumer::UstRequest;

use super::{Context, Jobs, Progress};
use crate::consumer::Tail;
use crate::model::{Channel, ChannelId, SessionId};
use crate::output::ConsumerKind;

/// Listing a session's channels.
#[derive(Debug)]
pub struct ListChannels {
    session: SessionId,
    asked: bool,
    /// What applications that are gone had lost when the others were asked about.
    gone: BTreeMap<ChannelId, u64>,
}

impl ListChannels {
    /// Lists this session's user space channels.
    pub fn new(session: SessionId) -> Self {
        ListChannels { session, asked: false, gone: BTreeMap::new() }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        if !self.asked {
            self.asked = true;
            let gone = context.daemon.losses_of_the_gone.get(&self.session);
            self.gone = gone.cloned().unwrap_or_default();
            if !context.daemon.at_rest.contains_key(&self.session) {
                let keys = context.daemon.data_keys_if(self.session, |buffers| !buffers.counted);
                ask_losses(context, self.session, keys);
            }
        }
        let Some(jobs) = context.answered() else {
            return if context.expired() { context.reply(ErrorCode::Unk) } else { Progress::Pending };
        };
        let Some(session) = context.daemon.model.get(self.session) else {
            return context.reply(ErrorCode::SessNotFound);
        };
        let now = losses(jobs);
        let known = context.daemon.at_rest.get(&self.session).map_or(&now, |at_rest| &at_rest.losses);
        let gone = &self.gone;
        let of = |losses: &BTreeMap<ChannelId, u64>, id| losses.get(&id).copied().unwrap_or(0);
        let losses = |id: ChannelId| of(known, id).saturating_add(of(gone, id));
        let listed: Vec<client::Channel> =
            session.channels().iter().map(|channel| list(channel, losses(channel.id))).collect();
        Progress::Done(context.success().with_list(&listed, client::Channel::encode))
    }
}

/// Asks the consumer daemons what channels of a session have lost so far.
pub(super) fn ask_losses(
    context: &mut Context<'_>,
    id: SessionId,
    keys: Vec<(ConsumerKind, ChannelId, u64)>,
) {
    let Some(session) = context.daemon.model.get(id).filter(|session| session.started) else { return };
    let overwrites = |id| session.channel(id).is_some_and(|channel| channel.attributes.overwrite);
    let session_id = id.0;
    let questions: Vec<_> = keys
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

/// The answers to [`ask_losses`]: of each channel, the sum over all users.
pub(super) fn losses(jobs: Jobs) -> BTreeMap<ChannelId, u64> {
    let mut losses = BTreeMap::new();
    for (item, count) in jobs.counts {
        let of_channel: &mut u64 = losses.entry(ChannelId(item as u64)).or_default();
        *of_channel = of_channel.saturating_add(count);
    }
    losses
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
