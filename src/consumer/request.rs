// SPDX-License-Identifier: GPL-2.0-only
//! A request to a consumer daemon, of the kind that the consumer daemon answers: one of the other kind gets no answer at
//! all.

use lttng_protocol::consumer::{KernelRequest, RelaySocket, UstRequest};

use crate::turn::ids::ConsumerKind;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    UserSpace(UstRequest),
    Kernel(KernelRequest),
}

/// What comes after the request itself, and how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A status, and another one after what follows the request.
    Status,
    /// The status of a channel that is made.
    Channel,
    /// A channel's buffers.
    Buffers,
    /// Whether data is pending.
    Pending,
    Count,
    /// A status and the path of a closed trace chunk.
    Path,
}

impl From<UstRequest> for Request {
    fn from(request: UstRequest) -> Self {
        Request::UserSpace(request)
    }
}

impl From<KernelRequest> for Request {
    fn from(request: KernelRequest) -> Self {
        Request::Kernel(request)
    }
}

/// A request that all kinds answer, as the one that this kind does.
macro_rules! to {
    ($kind:expr, $request:ident $($fields:tt)*) => {
        match $kind {
            ConsumerKind::Ust64 | ConsumerKind::Ust32 => Request::UserSpace(UstRequest::$request $($fields)*),
            ConsumerKind::Kernel => Request::Kernel(KernelRequest::$request $($fields)*),
        }
    };
}
pub(super) use to;

impl Request {
    /// The first one.
    pub fn init(kind: ConsumerKind, uuid: [u8; 16]) -> Self {
        to!(kind, Init { uuid })
    }

    /// It gets a pipe for its samples.
    pub fn monitor_pipe(kind: ConsumerKind) -> Self {
        to!(kind, SetChannelMonitorPipe)
    }

    /// It gets a connection to a relay daemon.
    pub fn relay_socket(kind: ConsumerKind, socket: RelaySocket) -> Self {
        to!(kind, AddRelaySocket(socket))
    }

    /// It forgets a relay daemon.
    pub fn forget_relay(kind: ConsumerKind, relayd_id: u64) -> Self {
        to!(kind, DestroyRelayd { relayd_id })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Request::UserSpace(request) => request.encode(),
            Request::Kernel(request) => request.encode(),
        }
    }

    /// How it is answered.
    pub fn shape(&self) -> Shape {
        match self {
            Request::UserSpace(UstRequest::AskChannelCreation(_)) => Shape::Channel,
            Request::UserSpace(UstRequest::GetChannel { .. }) => Shape::Buffers,
            Request::UserSpace(UstRequest::DataPending { .. })
            | Request::Kernel(KernelRequest::DataPending { .. }) => Shape::Pending,
            Request::UserSpace(UstRequest::DiscardedEvents { .. } | UstRequest::LostPackets { .. })
            | Request::Kernel(KernelRequest::DiscardedEvents { .. } | KernelRequest::LostPackets { .. }) => {
                Shape::Count
            }
            Request::UserSpace(UstRequest::CloseTraceChunk(_))
            | Request::Kernel(KernelRequest::CloseTraceChunk(_)) => Shape::Path,
            Request::UserSpace(_) | Request::Kernel(_) => Shape::Status,
        }
    }
}
