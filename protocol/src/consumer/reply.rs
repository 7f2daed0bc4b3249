// SPDX-License-Identifier: GPL-2.0-only
//! What a consumer daemon sends: statuses, other replies, metadata requests and monitor samples.
//!
//! Every message here has a fixed size; what follows one (a path, a channel object) is announced in it and is
//! the caller's to read, within the limits given here.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h`, `src/common/consumer/consumer.h`.

use crate::codec::{ErrorKind, Reader, Result, Writer};

/// `LTTCOMM_CONSUMERD_COMMAND_SOCK_READY`: the first message on the error socket, an i32. Anything else there,
/// or anything after it, means that the consumer daemon is lost.
pub const READY: i32 = 100;

/// A reply of four bytes: 0, a code of the consumer daemon, or one of two `LTTNG_ERR_*` that leak through.
///
/// Any number is a status; the ones with a name are those the original can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub i32);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Status = Status($number);)*

            /// Name of the status, for logs; "unknown" without.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)*
                    _ => "unknown",
                }
            }
        }
    };
}

statuses! {
    /// It worked.
    SUCCESS = 0,
    /// `LTTNG_ERR_UST_CHAN_NOT_FOUND`: CLOSE_METADATA, SETUP_METADATA, FLUSH_CHANNEL and
    /// CLEAR_QUIESCENT_CHANNEL with an unknown key.
    UST_CHANNEL_NOT_FOUND = 59,
    /// The command socket exists (error socket only, see [`READY`]).
    COMMAND_SOCK_READY = 100,
    /// A descriptor arrived.
    SUCCESS_RECV_FD = 101,
    /// A descriptor did not arrive.
    ERROR_RECV_FD = 102,
    /// A request did not arrive.
    ERROR_RECV_CMD = 103,
    /// Polling failed.
    POLL_ERROR = 104,
    /// A polled descriptor is closed.
    POLL_NVAL = 105,
    /// A polled descriptor hung up.
    POLL_HUP = 106,
    /// The consumer daemon ends.
    EXIT_SUCCESS = 107,
    /// The consumer daemon ends after an error.
    EXIT_FAILURE = 108,
    /// Trace data could not be written out.
    OUTFD_ERROR = 109,
    /// `splice()` failed with EBADF.
    SPLICE_EBADF = 110,
    /// `splice()` failed with EINVAL.
    SPLICE_EINVAL = 111,
    /// `splice()` failed with ENOMEM.
    SPLICE_ENOMEM = 112,
    /// `splice()` failed with ESPIPE.
    SPLICE_ESPIPE = 113,
    /// Out of memory.
    ENOMEM = 114,
    /// A metadata stream failed.
    ERROR_METADATA = 115,
    /// Fatal error.
    FATAL = 116,
    /// The relay daemon failed.
    RELAYD_FAIL = 117,
    /// A channel could not be made; PUSH_METADATA: unknown key.
    CHANNEL_FAIL = 118,
    /// Unknown channel key.
    CHANNEL_NOT_FOUND = 119,
    /// It was set before.
    ALREADY_SET = 120,
    /// A rotation failed.
    ROTATION_FAIL = 121,
    /// A snapshot failed.
    SNAPSHOT_FAILED = 122,
    /// A chunk could not be made.
    CREATE_TRACE_CHUNK_FAILED = 123,
    /// A chunk could not be closed.
    CLOSE_TRACE_CHUNK_FAILED = 124,
    /// Invalid parameters.
    INVALID_PARAMETERS = 125,
    /// Answer of TRACE_CHUNK_EXISTS: the consumer daemon still uses it.
    CHUNK_EXISTS_LOCAL = 126,
    /// Answer of TRACE_CHUNK_EXISTS: the relay daemon still uses it.
    CHUNK_EXISTS_REMOTE = 127,
    /// The chunk is unknown: every stream has left it.
    UNKNOWN_TRACE_CHUNK = 128,
    /// The relay daemon does not allow clears.
    RELAYD_CLEAR_DISALLOWED = 129,
    /// Unknown error.
    UNKNOWN_ERROR = 130,
    /// `LTTNG_ERR_BUFFER_FLUSH_FAILED`.
    BUFFER_FLUSH_FAILED = 170,
}

impl Status {
    /// Size on the wire.
    pub const LEN: usize = 4;

    /// Whether it worked.
    pub fn is_success(self) -> bool {
        self == Status::SUCCESS
    }

    /// Decodes exactly [`Status::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Status> {
        let mut reader = Reader::new("consumer status", bytes);
        let status = Status(reader.i32()?);
        reader.finish()?;
        Ok(status)
    }

    /// Encodes to [`Status::LEN`] bytes.
    pub fn encode(self) -> Vec<u8> {
        self.0.to_ne_bytes().to_vec()
    }
}

/// Decodes the u64 that DISCARDED_EVENTS and LOST_PACKETS are answered with.
pub fn decode_count(bytes: &[u8]) -> Result<u64> {
    let mut reader = Reader::new("consumer count", bytes);
    let count = reader.u64()?;
    reader.finish()?;
    Ok(count)
}

macro_rules! fixed_messages {
    ($($(#[$doc:meta])* $name:ident, $len:literal, $what:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ident,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $name {
            /// Size on the wire.
            pub const LEN: usize = $len;

            /// Decodes exactly as many bytes; any other number is an error.
            pub fn decode(bytes: &[u8]) -> Result<$name> {
                let mut reader = Reader::new($what, bytes);
                let message = $name { $($field: reader.$type()?,)* };
                reader.finish()?;
                Ok(message)
            }

            /// Encodes the message.
            pub fn encode(&self) -> Vec<u8> {
                let mut writer = Writer::with_capacity($name::LEN);
                $(writer.$type(self.$field);)*
                writer.into_bytes()
            }
        }
    )*};
}

fixed_messages! {
    /// Reply of ASK_CHANNEL_CREATION: i32, u64, u32.
    ChannelStatus, 16, "consumer channel status" {
        /// 0, or a [`Status`] number; then the other fields are 0.
        code: i32,
        /// The key that was asked for.
        key: u64,
        /// How many streams GET_CHANNEL will send.
        stream_count: u32,
    }

    /// Head of the memory object in GET_CHANNEL's reply, after the status: u64, u32. `size` bytes of object
    /// follow, then one byte with one descriptor.
    ChannelHead, 12, "consumer channel object" {
        /// Bytes of the object; applications get it unchanged.
        size: u64,
        /// Channel type of the application's ABI; 0 for data.
        kind: u32,
    }

    /// One stream in GET_CHANNEL's reply: u64, u32. One byte with two descriptors follows: shared memory and
    /// wake-up pipe. In place of a stream, [`END_OF_STREAMS`] (8 bytes) ends the list; a status follows it.
    StreamHead, 12, "consumer stream object" {
        /// Bytes of the stream's shared memory.
        size: u64,
        /// Number of the stream: its CPU.
        number: u32,
    }

    /// Request on the metadata socket: u64, u64, u32, u32, u64.
    MetadataRequest, 32, "metadata request" {
        /// The session daemon's number of the session.
        session_id: u64,
        /// Number of the application's session; decides when no per-user registry matches.
        session_id_per_pid: u64,
        /// 32 or 64.
        bits_per_long: u32,
        /// User of the application that caused the registry.
        uid: u32,
        /// Key of the metadata channel.
        key: u64,
    }

    /// Record of the monitor pipe: four u64. One write each, so never in pieces.
    MonitorSample, 32, "monitor sample" {
        /// Key of the channel. The key spaces of UST and kernel overlap: the pipe tells the domain.
        key: u64,
        /// Smallest use of its streams' buffers, bytes.
        lowest: u64,
        /// Largest use of its streams' buffers, bytes.
        highest: u64,
        /// Bytes consumed since the channel was made, sum of its streams.
        total_consumed: u64,
    }
}

/// `size` of a stream that is none: the end of GET_CHANNEL's list.
pub const END_OF_STREAMS: u64 = u64::MAX;

impl ChannelHead {
    /// The largest object worth reading, bytes. Stock consumer daemons send about 1 KiB.
    pub const MAX_SIZE: u64 = 1 << 20;
}

/// Head of CLOSE_TRACE_CHUNK's reply: u32 code, u32 length of the path that follows, NUL included.
///
/// The path means something only with a relay daemon, and is then its own ([`decode_path`](crate::relayd::decode_path)
/// reads it); a kernel consumer daemon sends stale memory for a local
/// chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseReply {
    /// 0, or a [`Status`] number.
    pub code: i32,
    /// Bytes that follow, at most [`CloseReply::MAX_PATH`].
    pub path_length: u32,
}

impl CloseReply {
    /// Size on the wire, without the path.
    pub const LEN: usize = 8;
    /// `LTTNG_PATH_MAX`: the longest path, NUL included.
    pub const MAX_PATH: u32 = 4096;

    /// Decodes exactly [`CloseReply::LEN`] bytes. A path over the limit is an error.
    pub fn decode(bytes: &[u8]) -> Result<CloseReply> {
        let mut reader = Reader::new("chunk close reply", bytes);
        let code = reader.i32()?;
        let path_length = reader.u32()?;
        if path_length > CloseReply::MAX_PATH {
            return Err(reader.error(ErrorKind::TooLong(path_length.into())));
        }
        reader.finish()?;
        Ok(CloseReply { code, path_length })
    }

    /// Encodes to [`CloseReply::LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(CloseReply::LEN);
        writer.i32(self.code).u32(self.path_length);
        writer.into_bytes()
    }
}
