// SPDX-License-Identifier: GPL-2.0-only
//! What stands before each request.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/relayd.h`.

use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;

numbered! {
    /// Number of a request. `enum lttcomm_relayd_command`, those of this module only.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Number: u32 {
        /// RELAYD_CREATE_SESSION.
        CreateSession = 2,
        /// RELAYD_VERSION.
        Version = 5,
        /// RELAYD_CREATE_TRACE_CHUNK.
        CreateTraceChunk = 19,
        /// RELAYD_CLOSE_TRACE_CHUNK.
        CloseTraceChunk = 20,
        /// RELAYD_TRACE_CHUNK_EXISTS.
        TraceChunkExists = 21,
        /// RELAYD_GET_CONFIGURATION.
        GetConfiguration = 22,
    }
    /// The request with this number. None for what only consumer daemons say of streams and data.
    from_number;
}

/// `struct lttcomm_relayd_hdr`.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u64 | circuit, always 0; ignored when decoded |
/// | 8 | u64 | `data_size` |
/// | 16 | u32 | `number` |
/// | 20 | u32 | version of the request, always 0; ignored when decoded |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of payload that follow, at most [`Header::MAX_DATA`].
    pub data_size: u64,
    /// The request's number, which may be unknown.
    pub number: u32,
}

impl Header {
    /// Size on the wire.
    pub const LEN: usize = 24;
    /// The longest payload of the requests here: a session with the longest names.
    pub const MAX_DATA: u64 = 8192;

    /// Decodes exactly [`Header::LEN`] bytes. A payload over the limit is an error.
    pub fn decode(bytes: &[u8]) -> Result<Header> {
        let mut reader = Reader::new("relay daemon request header", bytes);
        reader.skip(8)?;
        let data_size = reader.u64_be()?;
        if data_size > Header::MAX_DATA {
            return Err(reader.error(ErrorKind::TooLong(data_size)));
        }
        let number = reader.u32_be()?;
        reader.skip(4)?;
        reader.finish()?;
        Ok(Header { data_size, number })
    }

    /// Appends [`Header::LEN`] bytes.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u64_be(0).u64_be(self.data_size).u32_be(self.number).u32_be(0);
    }
}
