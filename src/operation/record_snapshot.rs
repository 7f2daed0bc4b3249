// SPDX-License-Identifier: GPL-2.0-only
//! Record a snapshot: what the buffers of a session hold is written to a folder of its own.
//!
//! The consumer daemons do the writing, into a trace chunk that exists for the snapshot only. Whatever goes wrong
//! after they were told of it, they are told of its end. They are asked for one channel after the other, not for
//! all at once: the requests of other sessions go between.

use std::collections::VecDeque;
use std::task::{Poll, ready};

use lttng_protocol::consumer::{CloseTraceChunk, CreateTraceChunk, Status};

use super::answer::{Answer, Failure};
use super::cx::{Answers, Cx};
use super::steps::folders::{Folders, TracerFolders};
use super::steps::kernel_metadata::KernelMetadata;
use super::task::Task;
use crate::consumer::Tail;
use crate::consumer::verb::{ChannelRef, Content, SessionVerb, Verb};
use crate::model::{Output, Room, Session, packets_per_stream};
use crate::relayd::conversation::Refusal;
use crate::relayd::relay::Reached;
use crate::state::channels_in;
use crate::turn::ids::{BuffersKey, ChannelId, ConsumerId, Owner, RelayId, SessionId};
use crate::ust::buffers::Buffers;

/// Recording a snapshot.
#[derive(Debug)]
pub struct RecordSnapshot {
    session: SessionId,
    /// Name of the trace chunk and of its folder.
    name: String,
    max_size: u64,
    output: Output,
    /// Buffers whose content is written: those that were in use when the command came.
    buffers: Vec<BuffersKey>,
    chunk: u64,
    /// The relay daemon, if the output is there.
    relay: Option<RelayId>,
    /// The kernel's metadata, if the session records the kernel.
    kernel: Option<KernelMetadata>,
    /// Consumer daemons that were told of the trace chunk.
    told: Vec<ConsumerId>,
    /// Channels that are still to be written, data before the metadata of the same buffers.
    channels: VecDeque<Piece>,
    phase: Phase,
    /// The first thing that went wrong after the consumer daemons were told of the trace chunk.
    failure: Option<Failure>,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// The last metadata channels are made.
    Metadata,
    /// The folders of the snapshot are made and opened.
    Folders(Folders),
    /// The relay daemon is being connected to.
    Relay(RelayId),
    /// The consumer daemons are told of the trace chunk.
    Chunk,
    /// The kernel's metadata is made.
    KernelMetadata,
    /// A channel is written; this says whether it may have vanished.
    Channel {
        may_be_gone: bool,
    },
    /// The consumer daemons are told that the trace chunk ends.
    Close,
}

/// One channel to be written.
#[derive(Debug)]
struct Piece {
    channel: ChannelRef,
    folder: String,
    packets: u64,
    /// Its buffers go with their application.
    may_be_gone: bool,
}

impl Task for RecordSnapshot {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let result = ready!(self.go(cx));
        if let Some(kernel) = &mut self.kernel {
            kernel.give_up(cx);
        }
        if let Some(relay) = self.relay {
            // The consumer daemons have sent everything by now.
            cx.state.drop_relay(relay);
        }
        Poll::Ready(result.map(|()| Answer::Done))
    }

    fn uses_buffers(&self) -> bool {
        true
    }
}

impl RecordSnapshot {
    /// Records what this session's buffers hold under this name. `max_size` is in bytes, 0 for any number.
    pub fn new(session: SessionId, name: String, max_size: u64, output: Output) -> Self {
        RecordSnapshot {
            session,
            name,
            max_size,
            output,
            buffers: Vec::new(),
            chunk: 0,
            relay: None,
            kernel: None,
            told: Vec::new(),
            channels: VecDeque::new(),
            phase: Phase::Begin,
            failure: None,
        }
    }

    fn go(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Failure>> {
        loop {
            self.phase = match self.phase {
                Phase::Begin => {
                    cx.state.retry_metadata(self.session);
                    let of_session = cx.state.buffers_of(self.session);
                    let in_use = of_session.filter(|(_, buffers)| !buffers.retired);
                    self.buffers = in_use.map(|(&key, _)| key).collect();
                    Phase::Metadata
                }
                Phase::Metadata if cx.expired() => return Poll::Ready(Err(Failure::SnapshotFailed)),
                Phase::Metadata if !self.metadata_settled(cx) => return Poll::Pending,
                Phase::Metadata => self.make_place(cx)?,
                Phase::Folders(ref mut folders) => {
                    let folders = ready!(folders.step(cx))?;
                    self.tell_chunk(cx, Some(&folders))?
                }
                Phase::Relay(relay) => match cx.state.relay_reached(relay) {
                    Reached::Pending if !cx.expired() => return Poll::Pending,
                    Reached::Pending => return Poll::Ready(Err(Failure::Relay(Refusal::Unreachable))),
                    Reached::No(refusal) => return Poll::Ready(Err(Failure::Relay(refusal))),
                    Reached::Yes => self.tell_chunk(cx, None)?,
                },
                Phase::Chunk => {
                    if !ready!(cx.answers()).all_well() {
                        self.close(cx, Some(Failure::ChunkRefused))
                    } else if cx.state.kernel_data(self.session).is_empty() {
                        self.begin_writing(cx, None)?
                    } else {
                        self.kernel = Some(KernelMetadata::new(self.session, self.chunk));
                        Phase::KernelMetadata
                    }
                }
                Phase::KernelMetadata => {
                    let Some(kernel) = &mut self.kernel else {
                        return Poll::Ready(Err(Failure::SnapshotFailed));
                    };
                    match ready!(kernel.step(cx)) {
                        Ok(metadata) => self.begin_writing(cx, Some(metadata))?,
                        Err(why) => self.close(cx, Some(why)),
                    }
                }
                Phase::Channel { may_be_gone } => match what_failed(&ready!(cx.answers()), may_be_gone) {
                    None => self.write_next(cx),
                    Some(failure) => self.close(cx, Some(failure)),
                },
                Phase::Close => {
                    let closed = ready!(cx.answers()).all_well();
                    return Poll::Ready(self.outcome(cx, closed));
                }
            };
        }
    }

    /// Whether all the buffers that can hold something have their metadata channel, or will never have one.
    fn metadata_settled(&self, cx: &Cx<'_>) -> bool {
        let mut existing = self.buffers.iter().filter_map(|key| cx.state.buffers.get(key));
        existing.all(|buffers| buffers.metadata_settled() || buffers.data_keys().next().is_none())
    }

    /// The buffers that can be written. What those hold whose metadata channel could not be made can't be read by anybody.
    fn readable<'a>(&'a self, cx: &'a Cx<'_>) -> impl Iterator<Item = (&'a BuffersKey, &'a Buffers)> {
        let existing = self.buffers.iter().filter_map(|key| Some((key, cx.state.buffers.get(key)?)));
        existing.filter(|(_, buffers)| buffers.metadata_ready())
    }

    /// Has the place made that the snapshot goes to.
    fn make_place(&mut self, cx: &mut Cx<'_>) -> Result<Phase, Failure> {
        if let Output::Local(path) = &self.output {
            // It names a folder, and consumer daemons take neither character in it.
            if self.name.contains(['/', '.']) {
                return Err(Failure::FolderNotMade);
            }
            let folder = format!("{path}/{}", self.name);
            return Folders::make(cx, self.session, folder, &self.buffers).map(Phase::Folders);
        }
        // The one place where a relay daemon comes in: all else goes by its number. Unlike in the original, the
        // connections are given up in the end.
        let network = self.output.network().ok_or(Failure::NoOutput)?;
        cx.renew();
        let relay = cx.state.reach_relay(self.session, network);
        self.relay = Some(relay);
        Ok(Phase::Relay(relay))
    }

    /// Tells the consumer daemons of the trace chunk: its folder is on this machine, or known to the relay daemon.
    fn tell_chunk(&mut self, cx: &mut Cx<'_>, folders: Option<&TracerFolders>) -> Result<Phase, Failure> {
        cx.renew();
        let created = cx.state.turn.wall.max(0).cast_unsigned();
        self.chunk = cx.record(self.session)?.number_chunk();
        let owner = cx.session(self.session)?.wanted.owner;
        let chunk = CreateTraceChunk {
            relayd_id: self.relay.map(|relay| relay.0),
            override_name: self.name.clone(),
            session_id: self.session.0,
            chunk_id: self.chunk,
            created,
            credentials: folders.map(|_| (owner.uid, owner.gid)),
        };
        self.told = cx.create_chunk(&chunk, folders.map(Vec::as_slice));
        Ok(Phase::Chunk)
    }

    /// Finds out what has to be written, and begins with the first channel.
    /// `kernel` is the kernel's metadata.
    fn begin_writing(&mut self, cx: &mut Cx<'_>, kernel: Option<ChannelRef>) -> Result<Phase, Failure> {
        let session = cx.session(self.session)?;
        let of_kernel = cx.state.kernel_data(self.session).into_iter();
        let of_kernel = of_kernel.filter_map(|(id, _)| kernel_room(cx, session, id));
        let of_applications = self.readable(cx).flat_map(|(_, buffers)| rooms(session, buffers));
        let rooms: Vec<Room> = of_kernel.chain(of_applications).collect();
        let Some(packets) = packets_per_stream(self.max_size, &rooms) else {
            return Ok(self.close(cx, Some(Failure::SnapshotTooSmall)));
        };
        let mut existing = self.buffers.iter().filter_map(|key| cx.state.buffers.get(key));
        if existing.any(|buffers| buffers.is_undescribable() && buffers.data_keys().next().is_some()) {
            self.failure = Some(Failure::SnapshotFailed);
        }
        let folder = cx.state.kernel_folder(session, self.relay, &self.name);
        let data = cx.state.kernel_data(self.session).into_iter().map(|(_, channel)| (channel, packets));
        let of_kernel = data.chain(kernel.map(|metadata| (metadata, 0))).map(|(channel, packets)| Piece {
            channel,
            folder: folder.clone(),
            packets,
            may_be_gone: false,
        });
        let readable = self.readable(cx);
        let pieces = readable.flat_map(|(key, buffers)| self.pieces(cx, session, key, buffers, packets));
        self.channels = of_kernel.chain(pieces).collect();
        Ok(self.write_next(cx))
    }

    /// The channels of one set of buffers.
    fn pieces(
        &self,
        cx: &Cx<'_>,
        session: &Session,
        key: &BuffersKey,
        buffers: &Buffers,
        packets: u64,
    ) -> Vec<Piece> {
        let folder = cx.state.stream_folder(session, self.relay, &self.name, &buffers.cause.path);
        let may_be_gone = matches!(key.owner, Owner::Application(_));
        let piece = |channel, packets| Piece { channel, folder: folder.clone(), packets, may_be_gone };
        let data = channels_in(buffers, Content::Data).into_iter().map(|channel| piece(channel, packets));
        let metadata = channels_in(buffers, Content::Metadata).into_iter().map(|channel| piece(channel, 0));
        data.chain(metadata).collect()
    }

    /// Has the next channel written, or ends the trace chunk after the last one.
    fn write_next(&mut self, cx: &mut Cx<'_>) -> Phase {
        let Some(Piece { channel, folder, packets, may_be_gone }) = self.channels.pop_front() else {
            return self.close(cx, None);
        };
        cx.renew();
        cx.ask(channel, Verb::Snapshot { folder, relay: self.relay, packets }, 0);
        Phase::Channel { may_be_gone }
    }

    /// Tells every consumer daemon that was told of the trace chunk that it ends.
    fn close(&mut self, cx: &mut Cx<'_>, failure: Option<Failure>) -> Phase {
        self.failure = self.failure.or(failure);
        // What hangs is not waited for again.
        if !cx.expired() {
            cx.renew();
        }
        let request = CloseTraceChunk {
            relayd_id: self.relay.map(|relay| relay.0),
            session_id: self.session.0,
            chunk_id: self.chunk,
            closed: cx.state.turn.wall.max(0).cast_unsigned(),
            command: None,
        };
        for &consumer in &self.told {
            cx.ask_consumer(consumer, SessionVerb::CloseChunk(request.clone()), Tail::None);
        }
        Phase::Close
    }

    /// What came of it, and what is remembered of it.
    fn outcome(&self, cx: &mut Cx<'_>, closed: bool) -> Result<(), Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if !closed {
            return Err(Failure::ChunkNotClosed);
        }
        cx.record(self.session)?.snapshot_recorded();
        Ok(())
    }
}

/// What went wrong with one channel.
fn what_failed(answers: &Answers, may_be_gone: bool) -> Option<Failure> {
    if answers.late || answers.lost {
        return Some(Failure::SnapshotFailed);
    }
    match answers.failures.first().copied().map(Status) {
        None => None,
        Some(Status::CHANNEL_NOT_FOUND) if may_be_gone => None,
        Some(Status::CHANNEL_NOT_FOUND) => Some(Failure::ChannelUnknown),
        Some(_) => Some(Failure::SnapshotFailed),
    }
}

/// What a channel of the kernel takes.
fn kernel_room(cx: &Cx<'_>, session: &Session, id: ChannelId) -> Option<Room> {
    let attributes = &session.kernel_channel(id)?.attributes;
    let streams = cx.state.kernel_streams(session.id, id) as u64;
    Some(Room { packets: attributes.num_subbuf, bytes: attributes.subbuf_size.saturating_mul(streams) })
}

/// What the data channels of one set of buffers take.
fn rooms(session: &Session, buffers: &Buffers) -> Vec<Room> {
    let room = |(id, _)| {
        let attributes = &session.channel(id)?.attributes;
        let streams = u64::from(buffers.channel(id)?.streams);
        Some(Room { packets: attributes.num_subbuf, bytes: attributes.subbuf_size.saturating_mul(streams) })
    };
    buffers.data_keys().filter_map(room).collect()
}
