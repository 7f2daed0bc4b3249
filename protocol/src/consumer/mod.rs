// SPDX-License-Identifier: GPL-2.0-only
//! What the session daemon and a consumer daemon (`lttng-consumerd`) say to each other.
//!
//! Four conversations: requests and replies on the command socket ([`UstRequest`], [`KernelRequest`]; [`Status`],
//! [`ChannelStatus`], [`CloseReply`] and plain numbers), metadata requests on the metadata socket
//! ([`MetadataRequest`], answered with [`UstRequest::PushMetadata`] or [`UstRequest::NoMetadata`]), one word on
//! the error socket ([`READY`]) and samples on the monitor pipe ([`MonitorSample`]).
//!
//! A consumer daemon does not answer a request that its kind does not know, and the reply queue then hangs for
//! ever. So there is one request type per kind of consumer daemon, and the wrong request cannot be said.
//!
//! Reference: `protocol/doc/consumer-protocol.md`.

mod channel;
mod chunk;
mod kernel;
mod reply;
mod request;

pub use channel::{AskChannel, ChannelKind, RelaySocket, RelaySocketKind, SnapshotChannel};
pub use chunk::{CloseCommand, CloseTraceChunk, CreateTraceChunk, TraceChunkExists};
pub use kernel::{AddChannel, KernelRequest};
pub use reply::{
    ChannelHead, ChannelStatus, CloseReply, END_OF_STREAMS, MetadataRequest, MonitorSample, READY, Status,
    StreamHead, decode_count,
};
pub use request::{REQUEST_LEN, UstRequest};

use crate::codec::{Reader, Result, Writer};

/// Bytes of a path field, NUL included. Longer text is cut when encoded: check it before.
pub const PATH_LEN: usize = 4096;
/// Bytes of a channel name field, NUL included.
pub const CHANNEL_NAME_LEN: usize = 256;
/// Bytes of a chunk name field, NUL included.
pub const CHUNK_NAME_LEN: usize = 255;

/// `relayd_id` of a local output, in the fields that have no flag of their own.
const NO_RELAYD: u64 = u64::MAX;

/// Reads an optional u64: a flag byte, then the value, which is there either way.
fn optional_u64(reader: &mut Reader<'_>) -> Result<Option<u64>> {
    let set = reader.u8()? != 0;
    let value = reader.u64()?;
    Ok(set.then_some(value))
}

fn put_optional_u64(writer: &mut Writer, value: Option<u64>) {
    writer.u8(value.is_some().into()).u64(value.unwrap_or(0));
}

/// Reads a `relayd_id` of which all bits set mean "local".
fn relayd_id(reader: &mut Reader<'_>) -> Result<Option<u64>> {
    let id = reader.u64()?;
    Ok((id != NO_RELAYD).then_some(id))
}

fn put_relayd_id(writer: &mut Writer, id: Option<u64>) {
    writer.u64(id.unwrap_or(NO_RELAYD));
}
