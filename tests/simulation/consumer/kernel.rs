// SPDX-License-Identifier: GPL-2.0-only
//! What a simulated consumer daemon of the kernel makes of each request. What it has in common with those of user space
//! is asked in their words.

use std::collections::BTreeSet;

use lttng_protocol::consumer::AddChannel;
use lttng_sessiond::turn::output::SharedFd;

use super::*;
use crate::tracer;

/// A channel of the kernel.
#[derive(Debug)]
pub struct KernelChannel {
    pub asked: AddChannel,
    /// Ring buffers: key and place in the channel, inode, and what keeps them open.
    pub streams: Vec<((u64, i32), u64, OwnedFd)>,
    /// It was said that there are no more for now.
    pub sent: bool,
    /// The trace chunk that its files are in, and the one that they go to when it rotates.
    pub files: Option<u64>,
    pub next_files: Option<u64>,
    /// How often it was cleared, and written as a snapshot.
    pub cleared: usize,
    pub written: usize,
}

impl Consumer {
    pub(super) fn requested_of_kernel(
        &mut self,
        request: KernelRequest,
        trouble: Option<Trouble>,
    ) -> Vec<Message> {
        self.kernel_requests.push(request.clone());
        let next = self.refuse_kernel.take_if(|(is_it, _)| is_it(&request));
        let forced = next.map_or_else(|| refusal(trouble), |(_, status)| status);
        if let Some(same) = in_user_space(&request) {
            let trouble = if forced != 0 { Some(Trouble::Refuse(0, forced)) } else { trouble };
            return self.requested(same, trouble);
        }
        let status = match request {
            // Refused on purpose, it has left all the same.
            KernelRequest::RotateChannel { key, .. } => {
                let status = self.of_kernel(key, 119, KernelChannel::rotate);
                if forced != 0 { forced } else { status }
            }
            KernelRequest::DestroyChannel { key } if forced != 0 => {
                self.kernel.remove(&key);
                forced
            }
            _ if forced != 0 => forced,
            KernelRequest::AddChannel(asked) => self.add_channel(*asked),
            KernelRequest::AddStream { stream_key, key, cpu } => match self.kernel.get(&key) {
                None => 119,
                Some(channel) => {
                    assert!(channel.streams.iter().all(|((_, of), ..)| *of != cpu), "a place is taken once");
                    self.expect = Expect::Stream { key, stream_key, cpu };
                    0
                }
            },
            KernelRequest::StreamsSent { key, relayd_id } => self.of_kernel(key, 119, |channel| {
                assert!(channel.asked.monitor && channel.asked.kind == ChannelKind::Data);
                assert_eq!(channel.asked.relayd_id, relayd_id);
                assert!(!channel.sent, "said twice");
                channel.sent = true;
            }),
            KernelRequest::DestroyChannel { key } => {
                if let Some(channel) = self.kernel.remove(&key) {
                    assert!(!channel.asked.monitor, "a real one would die of it");
                }
                0
            }
            KernelRequest::ClearChannel { key } => self.of_kernel(key, 119, |channel| channel.cleared += 1),
            KernelRequest::OpenChannelPackets { key } => self.of_kernel(key, 119, |_| ()),
            KernelRequest::SnapshotChannel(wanted) => self.write_kernel_snapshot(&wanted),
            other => panic!("{other:?} is not expected"),
        };
        vec![(status.to_ne_bytes().to_vec(), Vec::new())]
    }

    fn of_kernel(&mut self, key: u64, unknown: i32, act: impl FnOnce(&mut KernelChannel)) -> i32 {
        let Some(channel) = self.kernel.get_mut(&key) else { return unknown };
        act(channel);
        0
    }

    pub(super) fn kernel_of(&mut self, session: u64) -> impl Iterator<Item = &mut KernelChannel> {
        self.kernel.values_mut().filter(move |channel| channel.asked.session_id == session)
    }

    fn add_channel(&mut self, asked: AddChannel) -> i32 {
        assert_ne!(asked.key, 0, "keys are never 0");
        assert!(!self.kernel.contains_key(&asked.key), "a channel is added once");
        if let Some(id) = asked.relayd_id {
            assert_eq!(self.relays.get(&id), Some(&2), "an unknown relay daemon");
        }
        let chunk = asked.chunk_id.map(|chunk| self.chunks.get(&(asked.session_id, chunk)));
        assert!(
            chunk.is_none_or(|chunk| chunk.is_some_and(|it| !it.closed)),
            "an unknown trace chunk: {asked:?}"
        );
        assert!(!asked.monitor || chunk.is_some(), "a trace chunk for what is written all the time");
        let (files, next_files) = (asked.chunk_id, asked.chunk_id);
        let streams = Vec::new();
        let channel =
            KernelChannel { streams, sent: false, files, next_files, cleared: 0, written: 0, asked };
        self.kernel.insert(channel.asked.key, channel);
        0
    }

    pub(super) fn take_stream(
        &mut self,
        key: u64,
        (stream_key, cpu): (u64, i32),
        descriptor: &SharedFd,
        trouble: Option<Trouble>,
    ) -> Vec<Message> {
        let status = refusal(trouble);
        if status == 0 {
            let inode = tracer::inode(descriptor.as_fd());
            assert!(tracer::is_stream(inode), "no ring buffer of the tracer");
            let mut taken = self.kernel.values().flat_map(|channel| &channel.streams);
            assert!(
                taken.all(|((known, _), of, _)| *known != stream_key && *of != inode),
                "a stream comes once"
            );
            let channel = self.kernel.get_mut(&key).unwrap();
            channel.streams.push(((stream_key, cpu), inode, descriptor.try_clone().unwrap()));
        }
        vec![(status.to_ne_bytes().to_vec(), Vec::new())]
    }

    fn write_kernel_snapshot(&mut self, wanted: &SnapshotChannel) -> i32 {
        let Some(channel) = self.kernel.get_mut(&wanted.key) else { return 119 };
        assert!(!channel.asked.monitor, "what is written all the time has no snapshots");
        assert_eq!(wanted.metadata, channel.asked.kind == ChannelKind::Metadata);
        let session = channel.asked.session_id;
        channel.written += 1;
        let mut chunks = self.chunks.iter_mut().filter(|((of, _), chunk)| *of == session && !chunk.closed);
        let (_, chunk) = chunks.next().expect("a trace chunk");
        assert!(!chunk.name.is_empty(), "the trace chunk of a snapshot has a name");
        0
    }

    /// The tracer has given up these ring buffers: what has lost all of its own, and is written all the time, ends.
    pub fn finalise(&mut self, gone: &BTreeSet<u64>) {
        for channel in self.kernel.values_mut().filter(|channel| channel.asked.monitor) {
            channel.streams.retain(|(_, inode, _)| !gone.contains(inode));
        }
        let ended = |channel: &KernelChannel| channel.asked.monitor && channel.streams.is_empty();
        if !gone.is_empty() {
            self.kernel.retain(|_, channel| !ended(channel));
        }
    }

    /// What there is of the kernel, for messages: names, and how many streams.
    pub fn kernel_channels(&self) -> Vec<(&str, usize)> {
        let channel = |channel: &'_ KernelChannel| channel.streams.len();
        let mut all: Vec<_> = self.kernel.values().map(|it| (it.asked.name.as_str(), channel(it))).collect();
        all.sort_unstable();
        all
    }

    /// All channels have what was said of them.
    pub fn check_kernel(&self) {
        for channel in self.kernel.values() {
            let data = channel.asked.kind == ChannelKind::Data;
            assert!(
                channel.streams.len() >= usize::try_from(channel.asked.stream_count).unwrap(),
                "{channel:?}"
            );
            assert_eq!(channel.sent, data && channel.asked.monitor, "{channel:?}");
        }
    }
}

impl KernelChannel {
    fn rotate(&mut self) {
        self.files = self.next_files.filter(|next| self.files != Some(*next));
    }
}

/// The request of user space that means the same.
fn in_user_space(request: &KernelRequest) -> Option<UstRequest> {
    Some(match request.clone() {
        KernelRequest::Init { uuid } => UstRequest::Init { uuid },
        KernelRequest::SetChannelMonitorPipe => UstRequest::SetChannelMonitorPipe,
        KernelRequest::AddRelaySocket(socket) => UstRequest::AddRelaySocket(socket),
        KernelRequest::DestroyRelayd { relayd_id } => UstRequest::DestroyRelayd { relayd_id },
        KernelRequest::DataPending { session_id } => UstRequest::DataPending { session_id },
        KernelRequest::CreateTraceChunk(chunk) => UstRequest::CreateTraceChunk(chunk),
        KernelRequest::CloseTraceChunk(chunk) => UstRequest::CloseTraceChunk(chunk),
        KernelRequest::TraceChunkExists(chunk) => UstRequest::TraceChunkExists(chunk),
        KernelRequest::DiscardedEvents { session_id, key } => UstRequest::DiscardedEvents { session_id, key },
        KernelRequest::LostPackets { session_id, key } => UstRequest::LostPackets { session_id, key },
        _ => return None,
    })
}
