// SPDX-License-Identifier: GPL-2.0-only
//! The control connection to a relay daemon (`lttng-relayd`), spoken by versions 2.1 to 2.13 of it.
//!
//! A message is a [`Header`] and its payload; a reply has no header, so whoever reads it must know its size:
//! [`Request::reply_len`] bytes, then, where the reply announces one, a path. Never read more than that. The
//! connection is handed to a consumer daemon after CREATE_SESSION, and what was read too much would be lost to it.
//!
//! The session daemon says [`Request::Version`], [`Request::GetConfiguration`] to relay daemons of 2.12 and later,
//! and [`Request::CreateSession`]; on the data connection it says nothing. The requests about chunks are said by
//! the consumer daemon, when the session daemon asks it to: they are here because their replies decide what clients
//! see, and for simulated relay daemons. Streams, indexes and data are the consumer daemon's alone and not here.
//!
//! All integers are big-endian.
//!
//! Reference: `protocol/doc/relayd-protocol.md`.

mod chunk;
mod header;
mod path;
mod reply;
mod request;
mod session;
mod version;

pub use chunk::{CloseTraceChunk, CreateTraceChunk};
pub use header::{Header, Number};
pub use path::{legacy_base_folder, legacy_stream_folder};
pub use reply::{
    CloseTraceChunkReply, Code, Configuration, CreateSessionReply, MAX_PATH, TraceChunkExistsReply,
    decode_path,
};
pub use request::Request;
pub use session::{CreateSession, NamedSession, Session};
pub use version::{SessionLayout, Version};
