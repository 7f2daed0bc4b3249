// SPDX-License-Identifier: GPL-2.0-only
//! What tasks ask of channels and of consumer daemons, whichever tracer fills them, and the table that turns it into
//! the request at hand.
//!
//! A new kind of consumer daemon, or a tracer that does some of it itself, is another column of this table; tasks do not
//! notice. Nothing here sends anything.

use super::request::{Request, to};
use crate::turn::ids::{ConsumerId, ConsumerKind, RelayId, SessionId};
use lttng_protocol::consumer::{
    CloseTraceChunk, CreateTraceChunk, KernelRequest, SnapshotChannel, TraceChunkExists, UstRequest,
};

/// What a channel holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Events.
    Data,
    /// The description of events.
    Metadata,
}

/// One channel of a session at its consumer daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelRef {
    /// Which consumer daemon has it.
    pub consumer: ConsumerId,
    /// The number by which that one knows it.
    pub key: u64,
    /// What it holds.
    pub content: Content,
}

/// What may be asked of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Close its packets.
    Flush,
    /// Drop what its buffers hold.
    Clear,
    /// Leave the trace chunk for the one made last.
    Rotate {
        /// The relay daemon that has the chunk; else it is on this machine.
        relay: Option<RelayId>,
    },
    /// Open packets, so that the beginning of the trace is known.
    OpenPackets,
    /// Hand over packets again after it was flushed.
    ClearQuiescent,
    /// End it: nothing more will come.
    Close,
    /// Count the events that found no room.
    CountDiscarded(SessionId),
    /// Count the packets that were overwritten before they were read.
    CountOverwritten(SessionId),
    /// Write what its buffers hold.
    Snapshot {
        /// Folder of the streams, relative to the trace chunk.
        folder: String,
        /// The relay daemon that has the chunk; else it is on this machine.
        relay: Option<RelayId>,
        /// Packets of each stream at most; 0 is all.
        packets: u64,
    },
}

/// What may be asked of a consumer daemon about a session as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionVerb {
    /// Is data still to be written?
    DataPending(SessionId),
    /// A trace chunk is recorded to from now on.
    CreateChunk(CreateTraceChunk),
    /// A trace chunk is left: nothing more will be recorded to it.
    CloseChunk(CloseTraceChunk),
    /// Does anything still use a trace chunk?
    ChunkExists(TraceChunkExists),
}

/// Which tracer's data a consumer daemon moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tracer {
    /// LTTng-UST.
    UserSpace,
    /// LTTng-modules.
    Kernel,
}

impl Tracer {
    /// The tracer whose data this consumer daemon moves.
    pub fn of(consumer: ConsumerKind) -> Self {
        match consumer {
            ConsumerKind::Ust64 | ConsumerKind::Ust32 => Tracer::UserSpace,
            ConsumerKind::Kernel => Tracer::Kernel,
        }
    }

    /// The folder of its files in a trace chunk.
    pub fn folder(self) -> &'static str {
        match self {
            Tracer::UserSpace => "ust",
            Tracer::Kernel => "kernel",
        }
    }
}

impl Verb {
    /// The request that asks this of a channel; `None` if that is not the consumer daemon's business.
    pub fn request(self, channel: ChannelRef) -> Option<Request> {
        let ChannelRef { consumer: ConsumerId { kind, .. }, key, content } = channel;
        let metadata = content == Content::Metadata;
        Some(match (self, Tracer::of(kind)) {
            // The kernel's tracer does that itself, when a session stops.
            (Verb::Flush | Verb::ClearQuiescent, Tracer::Kernel) => return None,
            (Verb::Flush, Tracer::UserSpace) => UstRequest::FlushChannel { key }.into(),
            (Verb::ClearQuiescent, Tracer::UserSpace) => UstRequest::ClearQuiescentChannel { key }.into(),
            // In the kernel it ends with its session.
            (Verb::Close, Tracer::Kernel) if metadata => return None,
            (Verb::Close, Tracer::UserSpace) if metadata => UstRequest::CloseMetadata { key }.into(),
            // A data channel ends with the last descriptor that is held of it; until then it may be taken back. In the
            // kernel, this is for sessions without output, of which nothing is taken meanwhile.
            (Verb::Close, _) => to!(kind, DestroyChannel { key }),
            (Verb::Clear, _) => to!(kind, ClearChannel { key }),
            (Verb::Rotate { relay }, _) => {
                to!(kind, RotateChannel { metadata, relayd_id: relay.map(|relay| relay.0), key })
            }
            (Verb::OpenPackets, _) => to!(kind, OpenChannelPackets { key }),
            (Verb::CountDiscarded(session), _) => to!(kind, DiscardedEvents { session_id: session.0, key }),
            (Verb::CountOverwritten(session), _) => to!(kind, LostPackets { session_id: session.0, key }),
            (Verb::Snapshot { folder, relay, packets }, _) => {
                let snapshot = SnapshotChannel {
                    pathname: folder,
                    metadata,
                    relayd_id: relay.map(|relay| relay.0),
                    key,
                    packets_per_stream: packets,
                };
                to!(kind, SnapshotChannel(snapshot))
            }
        })
    }
}

impl SessionVerb {
    /// The session that it is about.
    pub fn session(&self) -> SessionId {
        match self {
            SessionVerb::DataPending(session) => *session,
            SessionVerb::CreateChunk(chunk) => SessionId(chunk.session_id),
            SessionVerb::CloseChunk(chunk) => SessionId(chunk.session_id),
            SessionVerb::ChunkExists(chunk) => SessionId(chunk.session_id),
        }
    }

    /// The request that asks this of a consumer daemon.
    pub fn request(self, consumer: ConsumerKind) -> Request {
        match self {
            SessionVerb::DataPending(session) => to!(consumer, DataPending { session_id: session.0 }),
            SessionVerb::CreateChunk(chunk) => to!(consumer, CreateTraceChunk(chunk)),
            SessionVerb::CloseChunk(chunk) => to!(consumer, CloseTraceChunk(chunk)),
            SessionVerb::ChunkExists(chunk) => to!(consumer, TraceChunkExists(chunk)),
        }
    }
}
