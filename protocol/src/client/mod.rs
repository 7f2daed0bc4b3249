// SPDX-License-Identifier: GPL-2.0-only
//! The control protocol of `liblttng-ctl` and the `lttng` command, as versions 2.13.5 and later speak it.
//!
//! A client connects, sends one request and reads one reply. A request is a [`Header`], then
//! [`Header::payload_len`] bytes, then one byte with descriptors when [`Header::fd_count`] is not 0. Read all of
//! it before anything is answered: the stock command dies of `SIGPIPE` when the daemon closes between its
//! writes. [`decode_body`] turns it into a [`Body`] or into the [`ErrorCode`] to answer; a [`Reply`] is the
//! answer.
//!
//! This module holds one dialect: no version is ever said on this socket, and 2.12, 2.13.0 to 2.13.4 and 2.14
//! have other numbers and layouts. Nothing here decides anything about sessions.
//!
//! Reference: `protocol/doc/client-protocol.md`.

mod channel;
mod command;
mod context;
mod error;
mod error_text;
mod event;
mod header;
mod probe;
mod reply;
mod request;
mod rotation;
mod session;
mod snapshot;
mod text;
mod tracker;
mod uri;
mod url;

pub use channel::{Channel, ChannelOutput, Overwrite};
pub use command::Command;
pub use context::Context;
pub use error::ErrorCode;
pub use event::{Bytecode, Event, EventField, EventType, FieldType, LogLevelType};
pub use header::{BufferType, Domain, Header, MAX_FDS, PARAMETERS_LEN};
pub use probe::{Instrumentation, KernelProbe, ProbeLocation};
pub use reply::Reply;
pub use request::{Body, decode_body, decode_body_of};
pub use rotation::{ArchiveLocation, RotationInfo, RotationSchedules, RotationState, ScheduleKind};
pub use session::{DomainEntry, NetworkOutput, Session, SessionDescriptor, SessionKind, SessionOutput};
pub use snapshot::SnapshotOutput;
pub use text::{FILTER_LEN, NAME_LEN, PATH_LEN, SYMBOL_LEN};
pub use tracker::TrackerValue;
pub use uri::{Destination, StreamType, Uri};
pub use url::{Endpoint, Family, OutputUrl, UrlError};

// What the serialized objects of triggers share with those of sessions.
pub(crate) use header::bad_value;
pub(crate) use probe::check_length;
pub(crate) use text::{name, text as kept_text, wire_len};
