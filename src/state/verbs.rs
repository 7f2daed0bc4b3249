// SPDX-License-Identifier: GPL-2.0-only
//! The channels of sessions, and what tasks ask of them. Which request that is, and who is sent it, is found here.

use super::State;
use crate::consumer::Tail;
use crate::consumer::purpose::Purpose;
use crate::consumer::verb::{ChannelRef, Content, Tracer, Verb};
use crate::turn::ids::SessionId;
use crate::ust::buffers::Buffers;

impl State {
    /// The channels of a session that consumer daemons have.
    pub fn channels_of(&self, session: SessionId, content: Content) -> Vec<ChannelRef> {
        let of_applications = self.buffers_of(session).flat_map(|(_, buffers)| channels_in(buffers, content));
        self.kernel_channels(session, content).into_iter().chain(of_applications).collect()
    }

    /// The tracers that a session has something of.
    pub fn tracers_of(&self, session: SessionId) -> Vec<Tracer> {
        let session = self.sessions.get(session);
        let Some(wanted) = session.map(|session| &session.wanted) else { return Vec::new() };
        let kernel = wanted.kernel.as_ref().map(|_| Tracer::Kernel);
        let user_space = wanted.ust.as_ref().map(|_| Tracer::UserSpace);
        kernel.into_iter().chain(user_space).collect()
    }

    /// Asks something of a channel. False if there is nobody to ask; otherwise the outcome comes later, in any case.
    #[must_use]
    pub fn ask_channel(&mut self, channel: ChannelRef, verb: Verb, purpose: Purpose) -> bool {
        let Some(request) = verb.request(channel) else { return false };
        self.ask_consumer(channel.consumer, request, Tail::None, purpose)
    }
}

/// The channels of one set of buffers.
pub fn channels_in(buffers: &Buffers, content: Content) -> Vec<ChannelRef> {
    let channel = |key| ChannelRef { consumer: buffers.consumer, key, content };
    match content {
        Content::Data => buffers.data_keys().map(|(_, key)| channel(key)).collect(),
        Content::Metadata if buffers.metadata_ready() => vec![channel(buffers.metadata_key)],
        Content::Metadata => Vec::new(),
    }
}
