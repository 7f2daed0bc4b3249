// SPDX-License-Identifier: GPL-2.0-only
//! Requests to the consumer daemon of the kernel tracer: the same 12690 bytes as for user space.
//!
//! Only what such a consumer daemon answers is here. It never asks for metadata: that is in a stream like any other.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h`,
//! `src/common/kernel-consumer/kernel-consumer.c`.

use super::channel::{ChannelKind, RelaySocket, SnapshotChannel};
use super::chunk::{CloseTraceChunk, CreateTraceChunk, TraceChunkExists};
use super::request::REQUEST_LEN;
use super::{CHANNEL_NAME_LEN, PATH_LEN, optional_u64, put_optional_u64, put_relayd_id, relayd_id};
use crate::client::ChannelOutput;
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// Makes a channel known whose buffers the kernel has. The status comes before the work and says nothing about it: what
/// fails later shows as [`Status::CHANNEL_NOT_FOUND`](super::Status::CHANNEL_NOT_FOUND) for its streams, or as a code on
/// the error socket.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 4 | 8 | `key` |
/// | 12 | 8 | `session_id` |
/// | 20 | 1 + 8 | `chunk_id` |
/// | 29 | 4096 | `pathname` |
/// | 4125 | 8 | `relayd_id` |
/// | 4133 | 4 | `stream_count` |
/// | 4137 | 256 | `name` |
/// | 4393 | 4 | `output` |
/// | 4397 | 4 | `kind`: 0 metadata, 1 data |
/// | 4401 | 8 | `tracefile_size` |
/// | 4409 | 4 | `tracefile_count` |
/// | 4413 | 4 | `monitor` |
/// | 4417 | 4 | `live_timer` |
/// | 4421 | 1 | `is_live` |
/// | 4422 | 4 | `monitor_timer` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddChannel {
    /// Key of the channel, never used before and never 0.
    pub key: u64,
    /// The session daemon's number of the session.
    pub session_id: u64,
    /// Current chunk; without, the channel is written nowhere until a snapshot names one.
    pub chunk_id: Option<u64>,
    /// Empty, which is the chunk's `kernel` folder; for data and a relay daemon before 2.11 the whole folder, see
    /// [`legacy_stream_folder`](crate::relayd::legacy_stream_folder).
    pub pathname: String,
    /// The relay daemon; without, the output is local.
    pub relayd_id: Option<u64>,
    /// How many streams follow.
    pub stream_count: u32,
    /// Name of the channel, `metadata` for metadata.
    pub name: String,
    /// How data is taken out; by mmap for metadata and in snapshot sessions.
    pub output: ChannelOutput,
    /// Data or metadata.
    pub kind: ChannelKind,
    /// Bytes after which a new trace file is begun; 0 is never.
    pub tracefile_size: u64,
    /// Trace files that are kept; 0 is all.
    pub tracefile_count: u32,
    /// Whether the consumer daemon writes what it consumes (not in a snapshot session).
    pub monitor: bool,
    /// Microseconds; 0 is off, as for metadata. Of no account in a session that is not live.
    pub live_timer: u32,
    /// Whether the session is live.
    pub is_live: bool,
    /// Microseconds; 0 is off, as for metadata.
    pub monitor_timer: u32,
}

/// Data and metadata, in the consumer daemon's own numbers.
const KINDS: [(u32, ChannelKind); 2] = [(0, ChannelKind::Metadata), (1, ChannelKind::Data)];

impl AddChannel {
    fn decode(reader: &mut Reader<'_>) -> Result<AddChannel> {
        let bad = |reader: &Reader<'_>, value: u32| reader.error(ErrorKind::BadValue(value.into()));
        Ok(AddChannel {
            key: reader.u64()?,
            session_id: reader.u64()?,
            chunk_id: optional_u64(reader)?,
            pathname: reader.fixed_string(PATH_LEN)?,
            relayd_id: relayd_id(reader)?,
            stream_count: reader.u32()?,
            name: reader.fixed_string(CHANNEL_NAME_LEN)?,
            output: {
                let number = reader.u32()?;
                let output = u8::try_from(number).ok().and_then(ChannelOutput::from_number);
                output.ok_or_else(|| bad(reader, number))?
            },
            kind: {
                let number = reader.u32()?;
                let kind = KINDS.iter().find(|kind| kind.0 == number);
                kind.ok_or_else(|| bad(reader, number))?.1
            },
            tracefile_size: reader.u64()?,
            tracefile_count: reader.u32()?,
            monitor: reader.u32()? != 0,
            live_timer: reader.u32()?,
            is_live: reader.u8()? != 0,
            monitor_timer: reader.u32()?,
        })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u64(self.key).u64(self.session_id);
        put_optional_u64(writer, self.chunk_id);
        writer.fixed_string(&self.pathname, PATH_LEN);
        put_relayd_id(writer, self.relayd_id);
        writer.u32(self.stream_count).fixed_string(&self.name, CHANNEL_NAME_LEN);
        writer.u32(self.output.number().into());
        writer.u32(KINDS.iter().find(|kind| kind.1 == self.kind).map_or(0, |kind| kind.0));
        writer.u64(self.tracefile_size).u32(self.tracefile_count).u32(self.monitor.into());
        writer.u32(self.live_timer).u8(self.is_live.into()).u32(self.monitor_timer);
    }
}

/// A request to the consumer daemon of the kernel tracer. "Status" means four bytes, [`Status`](super::Status).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelRequest {
    /// 0: makes a channel known. Status. A key that is known already is ignored.
    AddChannel(Box<AddChannel>),
    /// 1: a stream of a channel. Status, descriptor of the ring buffer, status. After a failed first status nothing
    /// follows.
    AddStream {
        /// Any number that no other stream has.
        stream_key: u64,
        /// Key of the channel.
        key: u64,
        /// Position of the stream in its channel, which is not the number of its CPU; 0 for metadata.
        cpu: i32,
    },
    /// 4: a relay daemon socket. Status, descriptor, status.
    AddRelaySocket(RelaySocket),
    /// 5: forgets a pair of relay daemon sockets once its streams are gone. Status.
    DestroyRelayd {
        /// The pair.
        relayd_id: u64,
    },
    /// 6: is data of a session still to be written? Answered with an i32, 0 or 1.
    DataPending {
        /// The session daemon's number of the session.
        session_id: u64,
    },
    /// 9: destroys a channel that is not monitored. Status. With one that is, the consumer daemon dies.
    DestroyChannel {
        /// Key of the channel.
        key: u64,
    },
    /// 14: writes what a channel holds. Status.
    SnapshotChannel(SnapshotChannel),
    /// 16: there are no more streams for now. For monitored data channels. Status.
    StreamsSent {
        /// Key of the channel.
        key: u64,
        /// The relay daemon; without, the output is local.
        relayd_id: Option<u64>,
    },
    /// 17: events that found no room. Answered with a u64, see [`decode_count`](super::decode_count).
    DiscardedEvents {
        /// The session daemon's number of the session.
        session_id: u64,
        /// Key of the channel.
        key: u64,
    },
    /// 18: packets overwritten before they were read. Answered with a u64, see
    /// [`decode_count`](super::decode_count).
    LostPackets {
        /// The session daemon's number of the session.
        session_id: u64,
        /// Key of the channel.
        key: u64,
    },
    /// 20: the write end of the monitor pipe. Status, descriptor, status.
    SetChannelMonitorPipe,
    /// 21: moves a channel's streams to the newest chunk. Status.
    RotateChannel {
        /// Whether it is the metadata channel.
        metadata: bool,
        /// The relay daemon; without, the output is local.
        relayd_id: Option<u64>,
        /// Key of the channel.
        key: u64,
    },
    /// 22: the first request. Status.
    Init {
        /// Random identifier of the session daemon's run.
        uuid: [u8; 16],
    },
    /// 23: makes a chunk known. Status; for a local chunk then descriptor, status.
    CreateTraceChunk(CreateTraceChunk),
    /// 24: closes a chunk. Answered with a [`CloseReply`](super::CloseReply) and a path.
    CloseTraceChunk(CloseTraceChunk),
    /// 25: is a chunk still in use? The status is the answer.
    TraceChunkExists(TraceChunkExists),
    /// 26: drops what a channel holds. Status.
    ClearChannel {
        /// Key of the channel.
        key: u64,
    },
    /// 27: tries to open a packet in each stream. Status.
    OpenChannelPackets {
        /// Key of the channel.
        key: u64,
    },
}

impl KernelRequest {
    /// The command number.
    pub fn number(&self) -> u32 {
        match self {
            KernelRequest::AddChannel(_) => 0,
            KernelRequest::AddStream { .. } => 1,
            KernelRequest::AddRelaySocket(_) => 4,
            KernelRequest::DestroyRelayd { .. } => 5,
            KernelRequest::DataPending { .. } => 6,
            KernelRequest::DestroyChannel { .. } => 9,
            KernelRequest::SnapshotChannel(_) => 14,
            KernelRequest::StreamsSent { .. } => 16,
            KernelRequest::DiscardedEvents { .. } => 17,
            KernelRequest::LostPackets { .. } => 18,
            KernelRequest::SetChannelMonitorPipe => 20,
            KernelRequest::RotateChannel { .. } => 21,
            KernelRequest::Init { .. } => 22,
            KernelRequest::CreateTraceChunk(_) => 23,
            KernelRequest::CloseTraceChunk(_) => 24,
            KernelRequest::TraceChunkExists(_) => 25,
            KernelRequest::ClearChannel { .. } => 26,
            KernelRequest::OpenChannelPackets { .. } => 27,
        }
    }

    /// Encodes to [`REQUEST_LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(REQUEST_LEN);
        writer.u32(self.number());
        match self {
            KernelRequest::AddChannel(channel) => channel.encode(&mut writer),
            KernelRequest::AddStream { stream_key, key, cpu } => {
                writer.u64(*stream_key).u64(*key).i32(*cpu);
            }
            KernelRequest::AddRelaySocket(socket) => socket.encode(&mut writer),
            KernelRequest::SnapshotChannel(snapshot) => snapshot.encode(&mut writer),
            KernelRequest::CreateTraceChunk(chunk) => chunk.encode(&mut writer),
            KernelRequest::CloseTraceChunk(chunk) => chunk.encode(&mut writer),
            KernelRequest::TraceChunkExists(chunk) => chunk.encode(&mut writer),
            KernelRequest::DestroyRelayd { relayd_id: word }
            | KernelRequest::DataPending { session_id: word }
            | KernelRequest::DestroyChannel { key: word }
            | KernelRequest::ClearChannel { key: word }
            | KernelRequest::OpenChannelPackets { key: word } => {
                writer.u64(*word);
            }
            KernelRequest::StreamsSent { key, relayd_id } => {
                writer.u64(*key);
                put_relayd_id(&mut writer, *relayd_id);
            }
            KernelRequest::DiscardedEvents { session_id, key }
            | KernelRequest::LostPackets { session_id, key } => {
                writer.u64(*session_id).u64(*key);
            }
            KernelRequest::RotateChannel { metadata, relayd_id, key } => {
                writer.u32((*metadata).into());
                put_relayd_id(&mut writer, *relayd_id);
                writer.u64(*key);
            }
            KernelRequest::Init { uuid } => {
                writer.bytes(uuid);
            }
            KernelRequest::SetChannelMonitorPipe => {}
        }
        writer.pad_to(REQUEST_LEN);
        writer.into_bytes()
    }

    /// Decodes exactly [`REQUEST_LEN`] bytes, as a simulated consumer daemon needs it. Fails on a number that the
    /// kernel's consumer daemon does not answer.
    pub fn decode(bytes: &[u8]) -> Result<KernelRequest> {
        let mut reader = Reader::new("kernel consumer request", bytes);
        let number = reader.u32()?;
        let request = match number {
            0 => KernelRequest::AddChannel(Box::new(AddChannel::decode(&mut reader)?)),
            1 => {
                KernelRequest::AddStream { stream_key: reader.u64()?, key: reader.u64()?, cpu: reader.i32()? }
            }
            4 => KernelRequest::AddRelaySocket(RelaySocket::decode(&mut reader)?),
            5 => KernelRequest::DestroyRelayd { relayd_id: reader.u64()? },
            6 => KernelRequest::DataPending { session_id: reader.u64()? },
            9 => KernelRequest::DestroyChannel { key: reader.u64()? },
            14 => KernelRequest::SnapshotChannel(SnapshotChannel::decode(&mut reader)?),
            16 => KernelRequest::StreamsSent { key: reader.u64()?, relayd_id: relayd_id(&mut reader)? },
            17 => KernelRequest::DiscardedEvents { session_id: reader.u64()?, key: reader.u64()? },
            18 => KernelRequest::LostPackets { session_id: reader.u64()?, key: reader.u64()? },
            20 => KernelRequest::SetChannelMonitorPipe,
            21 => KernelRequest::RotateChannel {
                metadata: reader.u32()? != 0,
                relayd_id: relayd_id(&mut reader)?,
                key: reader.u64()?,
            },
            22 => KernelRequest::Init { uuid: reader.array()? },
            23 => KernelRequest::CreateTraceChunk(CreateTraceChunk::decode(&mut reader)?),
            24 => KernelRequest::CloseTraceChunk(CloseTraceChunk::decode(&mut reader)?),
            25 => KernelRequest::TraceChunkExists(TraceChunkExists::decode(&mut reader)?),
            26 => KernelRequest::ClearChannel { key: reader.u64()? },
            27 => KernelRequest::OpenChannelPackets { key: reader.u64()? },
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        };
        reader.seek(REQUEST_LEN)?;
        reader.finish()?;
        Ok(request)
    }
}
