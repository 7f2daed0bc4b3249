// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's channels are handed to its consumer daemon: channels by description, streams as descriptors. New CPUs
//! bring new streams, which follow.

use std::io;
use std::rc::Rc;

use log::Level;
use lttng_protocol::client::ChannelOutput;
use lttng_protocol::consumer::{AddChannel, ChannelKind, KernelRequest, MonitorSample};

use crate::consumer::purpose::{Part, Purpose};
use crate::consumer::{Outcome, Tail};
use crate::kernel::mirror::{Handed, Thing};
use crate::kernel::refusal::Asked;
use crate::model::Session;
use crate::model::kernel::{KernelChannel, Transfer};
use crate::state::{Role, State};
use crate::turn::errand::Errand;
use crate::turn::ids::{ChannelId, ConnId, ConsumerId, SessionId};
use crate::turn::messages::Topic;
use crate::turn::output::{Output, SharedFd};

/// Name of the metadata channel.
const METADATA: &str = "metadata";

impl State {
    /// Hands over what the consumer daemon does not have yet. What comes of it is told by [`State::handed_over`].
    pub(super) fn hand_over(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let Some(mirror) = self.kernel.mirrors.get(&id) else { return };
        // What is made now would belong to another chunk than what it describes; the end of the change is followed by a
        // look.
        if mirror.owed > 0
            || !mirror.is_open(session.has_output())
            || mirror.is_refused(Thing::Handover)
            || session.recording.is_changing_chunk()
        {
            return;
        }
        let Some(consumer) = self.kernel_consumer(id) else {
            if let Some(mirror) = self.kernel.mirrors.get_mut(&id) {
                mirror.refuse(Thing::Handover, Asked::Handover, libc::ENOTCONN);
            }
            return;
        };
        let mut requests = Vec::new();
        if let Some(metadata) = &mirror.metadata {
            let (key, handed) = (metadata.key, &metadata.handed);
            if !handed.known {
                let added = self.metadata_channel(session, key);
                requests.push((Part::Channel(key), KernelRequest::AddChannel(Box::new(added)), None));
            }
            for at in handed.missing(1) {
                let stream_key = self.counters.consumer_key();
                let request = KernelRequest::AddStream { stream_key, key, cpu: 0 };
                requests.push((Part::Stream(key, at), request, Some(Rc::clone(&metadata.stream))));
            }
        }
        for channel in session.wanted.kernel.iter().flat_map(|kernel| &kernel.channels).rev() {
            let Some(known) = mirror.channels.get(&channel.id) else { continue };
            let (key, handed, streams) = (known.key, &known.handed, known.streams.len());
            if !handed.known {
                let added = self.data_channel(session, channel, key, streams);
                requests.push((Part::Channel(key), KernelRequest::AddChannel(Box::new(added)), None));
            }
            for at in handed.missing(streams) {
                let cpu = i32::try_from(at).unwrap_or(i32::MAX);
                let stream_key = self.counters.consumer_key();
                let request = KernelRequest::AddStream { stream_key, key, cpu };
                requests.push((Part::Stream(key, at), request, known.streams.get(at).cloned()));
            }
            if !handed.ended && session.has_output() {
                let relayd_id = session.recording.relay.map(|relay| relay.0);
                requests.push((Part::End(key), KernelRequest::StreamsSent { key, relayd_id }, None));
            }
        }
        let asked = requests.len();
        if let Some(mirror) = self.kernel.mirrors.get_mut(&id) {
            mirror.owed = asked;
            mirror.all_handed();
        }
        for (part, request, stream) in requests {
            self.hand(id, consumer, part, request, stream);
        }
    }

    fn hand(
        &mut self,
        id: SessionId,
        consumer: ConsumerId,
        part: Part,
        request: KernelRequest,
        stream: Option<SharedFd>,
    ) {
        let tail = stream.map_or(Tail::None, Tail::Descriptor);
        if !self.ask_consumer(consumer, request, tail, Purpose::KernelHandover(id, part)) {
            self.handed_over(id, part, &Outcome::Lost);
        }
    }

    /// A part of what was handed over is taken, or refused. Then it, and nothing else, is handed over once more when the
    /// refusal was taken.
    pub(in crate::state) fn handed_over(&mut self, id: SessionId, part: Part, outcome: &Outcome) {
        let Some(mirror) = self.kernel.mirrors.get_mut(&id) else { return };
        mirror.owed = mirror.owed.saturating_sub(1);
        if !matches!(outcome, Outcome::Status(0)) {
            let (Part::Channel(key) | Part::Stream(key, _) | Part::End(key)) = part;
            match (part, mirror.handed_mut(key)) {
                (_, None) => {}
                (Part::Channel(_), Some(handed)) => handed.known = false,
                (Part::Stream(_, place), Some(handed)) => handed.again.push(place),
                (Part::End(_), Some(handed)) => handed.ended = false,
            }
            mirror.refuse(Thing::Handover, Asked::Handover, libc::EIO);
            let text = format_args!("The kernel's consumer daemon would not take a part of session {}", id.0);
            self.turn.say(Level::Warn, Topic::Consumer, None, text);
        }
        if mirror.owed == 0 {
            self.kernel.dirty.insert(id);
            self.turn.changed = true;
        }
    }

    /// A metadata channel as the consumer daemon is told of it.
    pub fn metadata_channel(&self, session: &Session, key: u64) -> AddChannel {
        AddChannel {
            key,
            session_id: session.id.0,
            chunk_id: session.recording.chunk().map(|chunk| chunk.id),
            pathname: String::new(),
            relayd_id: session.recording.relay.map(|relay| relay.0),
            stream_count: 1,
            name: METADATA.to_owned(),
            output: ChannelOutput::Mmap,
            kind: ChannelKind::Metadata,
            tracefile_size: 0,
            tracefile_count: 0,
            monitor: session.has_output(),
            live_timer: 0,
            is_live: session.live_timer() > 0,
            monitor_timer: 0,
        }
    }

    fn data_channel(
        &self,
        session: &Session,
        channel: &KernelChannel,
        key: u64,
        streams: usize,
    ) -> AddChannel {
        let attributes = &channel.attributes;
        let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        AddChannel {
            // A relay daemon without trace chunks wants the whole folder, the others none.
            pathname: self.kernel_folder(session, session.recording.relay, ""),
            stream_count: u32::try_from(streams).unwrap_or(u32::MAX),
            name: channel.name.clone(),
            output: match channel.transfer {
                Transfer::Splice => ChannelOutput::Splice,
                Transfer::Mmap => ChannelOutput::Mmap,
            },
            kind: ChannelKind::Data,
            tracefile_size: attributes.tracefile_size,
            tracefile_count: word(attributes.tracefile_count),
            live_timer: session.live_timer(),
            monitor_timer: word(attributes.monitor_timer),
            ..self.metadata_channel(session, key)
        }
    }

    /// Has channels looked after that tell of new CPUs, once their first streams are open.
    pub(super) fn watch_for_cpus(&mut self, id: SessionId) {
        let Some(mirror) = self.kernel.mirrors.get_mut(&id).filter(|mirror| mirror.recording) else { return };
        for (&channel, known) in mirror.channels.iter_mut().filter(|(_, channel)| !channel.watched) {
            known.watched = true;
            let (errand, descriptor) = (Errand::NewCpus(id, channel), Rc::clone(&known.object));
            self.turn.outputs.push(Output::Poll { errand, descriptor });
        }
    }

    /// A channel is looked after, or can't be: then streams of new CPUs are missed until the session is started again.
    pub(in crate::state) fn new_cpus_polled(
        &mut self,
        id: SessionId,
        channel: ChannelId,
        result: io::Result<ConnId>,
    ) {
        let Ok(conn) = result else {
            let mirror = self.kernel.mirrors.get_mut(&id);
            let known = mirror.and_then(|mirror| mirror.channels.get_mut(&channel));
            return known.into_iter().for_each(|channel| channel.watched = false);
        };
        let known = self.kernel.mirrors.get(&id).is_some_and(|mirror| mirror.channels.contains_key(&channel));
        if known {
            self.roles.insert(conn, Role::NewCpus(id, channel));
        } else {
            self.turn.outputs.push(Output::Close(conn));
        }
    }

    /// A CPU has come up, and a channel has a stream for it.
    pub(in crate::state) fn look_for_streams(&mut self, id: SessionId, channel: ChannelId) {
        if let Some(mirror) = self.kernel.mirrors.get_mut(&id) {
            mirror.has_more_streams(channel);
            self.touch_kernel(id);
        }
    }

    /// Bytes in use in the fullest stream of a channel, as it was told last.
    pub(in crate::state) fn kernel_used(&self, session: SessionId, channel: ChannelId) -> Option<u64> {
        self.kernel.mirrors.get(&session)?.channels.get(&channel)?.told.map(|(_, used)| used)
    }

    /// Whose sample it is, what was written since the last one, and what was in use then.
    pub(in crate::state) fn kernel_sampled(
        &mut self,
        sample: &MonitorSample,
    ) -> Option<(SessionId, ChannelId, u64, Option<u64>)> {
        let mut mirrors = self.kernel.mirrors.iter_mut();
        let (session, (channel, known)) =
            mirrors.find_map(|(&session, mirror)| Some((session, mirror.channel_by_key(sample.key)?)))?;
        let before = known.told.replace((sample.total_consumed, sample.highest));
        let written = sample.total_consumed.saturating_sub(before.map_or(0, |(total, _)| total));
        Some((session, channel, written, before.map(|(_, used)| used)))
    }

    /// The consumer daemon is gone, with all that it had been handed.
    pub(in crate::state) fn forget_handovers(&mut self) {
        for mirror in self.kernel.mirrors.values_mut() {
            mirror.owed = 0;
            for channel in mirror.channels.values_mut() {
                channel.handed = Handed::default();
            }
            if let Some(metadata) = &mut mirror.metadata {
                metadata.handed = Handed::default();
            }
        }
        self.kernel.dirty.extend(self.kernel.mirrors.keys());
    }
}
