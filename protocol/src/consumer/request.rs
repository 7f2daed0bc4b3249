// SPDX-License-Identifier: GPL-2.0-only
//! Requests to a UST consumer daemon: always 12690 bytes, a command number and a union.
//!
//! Only what such a consumer daemon answers is here. What each request is answered with, and whether data or a
//! descriptor goes between two statuses, is said with the variant; sending it is the caller's business.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h`,
//! `src/common/ust-consumer/ust-consumer.c`.

use super::channel::{AskChannel, RelaySocket, SnapshotChannel};
use super::chunk::{CloseTraceChunk, CreateTraceChunk, TraceChunkExists};
use super::{put_relayd_id, relayd_id};
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// Size of every request, `struct lttcomm_consumer_msg`.
pub const REQUEST_LEN: usize = 12690;

/// A request to a UST consumer daemon. "Status" means four bytes, [`Status`](super::Status).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UstRequest {
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
    /// 7: creates a channel. Answered with a [`ChannelStatus`](super::ChannelStatus).
    AskChannelCreation(Box<AskChannel>),
    /// 8: takes a channel's memory and descriptors. Status, [`ChannelHead`](super::ChannelHead), object,
    /// descriptor; per stream [`StreamHead`](super::StreamHead), descriptors;
    /// [`END_OF_STREAMS`](super::END_OF_STREAMS), status. After a failed first status nothing follows.
    GetChannel {
        /// Key of the channel.
        key: u64,
    },
    /// 9: destroys a channel that GET_CHANNEL never took. Status.
    DestroyChannel {
        /// Key of the channel.
        key: u64,
    },
    /// 10: metadata text. Status; then, when that is 0 and `len` is not, the text and a second status.
    PushMetadata {
        /// Key of the metadata channel.
        key: u64,
        /// Where the text starts in the registry's whole text, bytes.
        target_offset: u64,
        /// Bytes of text.
        len: u64,
        /// Version of the registry's text; grows when it is generated anew.
        version: u64,
    },
    /// 11: ends the metadata stream. Status.
    CloseMetadata {
        /// Key of the metadata channel.
        key: u64,
    },
    /// 12: begins the metadata stream. Status.
    SetupMetadata {
        /// Key of the metadata channel; never 0, see [`UstRequest::NoMetadata`].
        key: u64,
    },
    /// Also 12, all other bytes 0 (`LTTNG_ERR_UND`): answer to a metadata request that nothing matches. On the
    /// metadata socket only. Status.
    NoMetadata,
    /// 13: closes the current packet of every stream. Status.
    FlushChannel {
        /// Key of the channel.
        key: u64,
    },
    /// 14: writes what a channel holds. Status.
    SnapshotChannel(SnapshotChannel),
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
    /// 19: lets the next flush emit a packet again. Status.
    ClearQuiescentChannel {
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

impl UstRequest {
    /// The command number.
    pub fn number(&self) -> u32 {
        match self {
            UstRequest::AddRelaySocket(_) => 4,
            UstRequest::DestroyRelayd { .. } => 5,
            UstRequest::DataPending { .. } => 6,
            UstRequest::AskChannelCreation(_) => 7,
            UstRequest::GetChannel { .. } => 8,
            UstRequest::DestroyChannel { .. } => 9,
            UstRequest::PushMetadata { .. } => 10,
            UstRequest::CloseMetadata { .. } => 11,
            UstRequest::SetupMetadata { .. } | UstRequest::NoMetadata => 12,
            UstRequest::FlushChannel { .. } => 13,
            UstRequest::SnapshotChannel(_) => 14,
            UstRequest::DiscardedEvents { .. } => 17,
            UstRequest::LostPackets { .. } => 18,
            UstRequest::ClearQuiescentChannel { .. } => 19,
            UstRequest::SetChannelMonitorPipe => 20,
            UstRequest::RotateChannel { .. } => 21,
            UstRequest::Init { .. } => 22,
            UstRequest::CreateTraceChunk(_) => 23,
            UstRequest::CloseTraceChunk(_) => 24,
            UstRequest::TraceChunkExists(_) => 25,
            UstRequest::ClearChannel { .. } => 26,
            UstRequest::OpenChannelPackets { .. } => 27,
        }
    }

    /// Encodes to [`REQUEST_LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(REQUEST_LEN);
        writer.u32(self.number());
        match self {
            UstRequest::AddRelaySocket(socket) => socket.encode(&mut writer),
            UstRequest::AskChannelCreation(channel) => channel.encode(&mut writer),
            UstRequest::SnapshotChannel(snapshot) => snapshot.encode(&mut writer),
            UstRequest::CreateTraceChunk(chunk) => chunk.encode(&mut writer),
            UstRequest::CloseTraceChunk(chunk) => chunk.encode(&mut writer),
            UstRequest::TraceChunkExists(chunk) => chunk.encode(&mut writer),
            UstRequest::DestroyRelayd { relayd_id: word } | UstRequest::DataPending { session_id: word } => {
                writer.u64(*word);
            }
            UstRequest::GetChannel { key }
            | UstRequest::DestroyChannel { key }
            | UstRequest::CloseMetadata { key }
            | UstRequest::SetupMetadata { key }
            | UstRequest::FlushChannel { key }
            | UstRequest::ClearQuiescentChannel { key }
            | UstRequest::ClearChannel { key }
            | UstRequest::OpenChannelPackets { key } => {
                writer.u64(*key);
            }
            UstRequest::PushMetadata { key, target_offset, len, version } => {
                writer.u64(*key).u64(*target_offset).u64(*len).u64(*version);
            }
            UstRequest::DiscardedEvents { session_id, key } | UstRequest::LostPackets { session_id, key } => {
                writer.u64(*session_id).u64(*key);
            }
            UstRequest::RotateChannel { metadata, relayd_id, key } => {
                writer.u32((*metadata).into());
                put_relayd_id(&mut writer, *relayd_id);
                writer.u64(*key);
            }
            UstRequest::Init { uuid } => {
                writer.bytes(uuid);
            }
            UstRequest::SetChannelMonitorPipe | UstRequest::NoMetadata => {}
        }
        writer.pad_to(REQUEST_LEN);
        writer.into_bytes()
    }

    /// Decodes exactly [`REQUEST_LEN`] bytes, as a simulated consumer daemon needs it. Fails on a number that
    /// a UST consumer daemon does not answer.
    pub fn decode(bytes: &[u8]) -> Result<UstRequest> {
        let mut reader = Reader::new("consumer request", bytes);
        let number = reader.u32()?;
        let request = match number {
            4 => UstRequest::AddRelaySocket(RelaySocket::decode(&mut reader)?),
            5 => UstRequest::DestroyRelayd { relayd_id: reader.u64()? },
            6 => UstRequest::DataPending { session_id: reader.u64()? },
            7 => UstRequest::AskChannelCreation(Box::new(AskChannel::decode(&mut reader)?)),
            8 => UstRequest::GetChannel { key: reader.u64()? },
            9 => UstRequest::DestroyChannel { key: reader.u64()? },
            10 => UstRequest::PushMetadata {
                key: reader.u64()?,
                target_offset: reader.u64()?,
                len: reader.u64()?,
                version: reader.u64()?,
            },
            11 => UstRequest::CloseMetadata { key: reader.u64()? },
            12 => match reader.u64()? {
                0 => UstRequest::NoMetadata,
                key => UstRequest::SetupMetadata { key },
            },
            13 => UstRequest::FlushChannel { key: reader.u64()? },
            14 => UstRequest::SnapshotChannel(SnapshotChannel::decode(&mut reader)?),
            17 => UstRequest::DiscardedEvents { session_id: reader.u64()?, key: reader.u64()? },
            18 => UstRequest::LostPackets { session_id: reader.u64()?, key: reader.u64()? },
            19 => UstRequest::ClearQuiescentChannel { key: reader.u64()? },
            20 => UstRequest::SetChannelMonitorPipe,
            21 => UstRequest::RotateChannel {
                metadata: reader.u32()? != 0,
                relayd_id: relayd_id(&mut reader)?,
                key: reader.u64()?,
            },
            22 => UstRequest::Init { uuid: reader.array()? },
            23 => UstRequest::CreateTraceChunk(CreateTraceChunk::decode(&mut reader)?),
            24 => UstRequest::CloseTraceChunk(CloseTraceChunk::decode(&mut reader)?),
            25 => UstRequest::TraceChunkExists(TraceChunkExists::decode(&mut reader)?),
            26 => UstRequest::ClearChannel { key: reader.u64()? },
            27 => UstRequest::OpenChannelPackets { key: reader.u64()? },
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        };
        reader.seek(REQUEST_LEN)?;
        reader.finish()?;
        Ok(request)
    }
}
