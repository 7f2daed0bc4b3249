// SPDX-License-Identifier: GPL-2.0-only
//! Replies: `struct lttcomm_lttng_msg`, then the command's header and payload.
//!
//! A client gets exactly one. It reads the sizes from the first 24 bytes, and nothing after them when the code
//! is not [`ErrorCode::Ok`].
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h`.

use super::command::Command;
use super::error::ErrorCode;
use super::header::{Header, bad_value};
use super::rotation::RotationState;
use crate::codec::{Reader, Result, Writer};

/// A reply.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | `command` |
/// | 4 | u32 | `code` |
/// | 8 | u32 | `pid` |
/// | 12 | u32 | length of the command header: 0 or 4 |
/// | 16 | u32 | length of the payload |
/// | 20 | u32 | `fd_count` |
/// | 24 | | command header, payload |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The request's command.
    pub command: u32,
    /// The result.
    pub code: ErrorCode,
    /// The request's `domain_word`, or [`Reply::DEFERRED_PID`].
    pub pid: u32,
    /// The command header: the number of listed elements, or the rotation state of a destruction.
    pub header: Option<u32>,
    /// What the command answers.
    pub payload: Vec<u8>,
    /// Number of descriptors that follow, with one byte of their own.
    pub fd_count: u32,
}

impl Reply {
    /// Size of the fixed part.
    pub const LEN: usize = 24;
    /// `pid` of the replies that DESTROY_SESSION and CLEAR_SESSION send late.
    pub const DEFERRED_PID: u32 = u32::MAX;

    /// The reply of a command that worked and answers nothing.
    pub fn ok(request: &Header) -> Reply {
        Reply::error(request, ErrorCode::Ok)
    }

    /// The reply of a command that failed.
    pub fn error(request: &Header, code: ErrorCode) -> Reply {
        Reply {
            command: request.command,
            code,
            pid: request.domain_word,
            header: None,
            payload: Vec::new(),
            fd_count: 0,
        }
    }

    /// The late reply of DESTROY_SESSION and CLEAR_SESSION.
    pub fn deferred(command: Command, code: ErrorCode) -> Reply {
        Reply {
            command: command.number(),
            code,
            pid: Reply::DEFERRED_PID,
            header: None,
            payload: Vec::new(),
            fd_count: 0,
        }
    }

    /// Sets the payload.
    #[must_use]
    pub fn with_payload(self, payload: Vec<u8>) -> Reply {
        Reply { payload, ..self }
    }

    /// Sets the command header of a listing.
    #[must_use]
    pub fn with_count(self, count: u32) -> Reply {
        Reply { header: Some(count), ..self }
    }

    /// Sets the command header of a destruction.
    #[must_use]
    pub fn with_rotation_state(self, state: RotationState) -> Reply {
        Reply { header: Some(state.number() as u32), ..self }
    }

    /// Sets the payload of SNAPSHOT_ADD_OUTPUT: the output's number.
    #[must_use]
    pub fn with_snapshot_output(self, id: u32) -> Reply {
        self.with_payload(id.to_ne_bytes().to_vec())
    }

    /// Sets the payload of ROTATE_SESSION: the number of the chunk that is being archived.
    #[must_use]
    pub fn with_rotation(self, id: u64) -> Reply {
        self.with_payload(id.to_ne_bytes().to_vec())
    }

    /// Sets count and payload from the elements of a listing; `encode` appends one element.
    #[must_use]
    pub fn with_list<T>(self, elements: &[T], encode: impl Fn(&T, &mut Writer)) -> Reply {
        let mut writer = Writer::default();
        for element in elements {
            encode(element, &mut writer);
        }
        self.with_count(u32::try_from(elements.len()).unwrap_or(u32::MAX)).with_payload(writer.into_bytes())
    }

    /// All bytes of the reply.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_begin(0)
    }

    /// The bytes of the reply, whose payload goes on for `more` bytes after them.
    pub fn encode_begin(&self, more: usize) -> Vec<u8> {
        let header_len = if self.header.is_some() { 4 } else { 0 };
        let mut writer = Writer::with_capacity(self.payload.len().saturating_add(Reply::LEN + 4));
        writer.u32(self.command).u32(self.code.number()).u32(self.pid).u32(header_len);
        writer
            .u32(u32::try_from(self.payload.len().saturating_add(more)).unwrap_or(u32::MAX))
            .u32(self.fd_count);
        if let Some(header) = self.header {
            writer.u32(header);
        }
        writer.bytes(&self.payload);
        writer.into_bytes()
    }

    /// Size of the reply at the beginning of `buffered`, its fixed part included; `None` if more bytes are needed to know
    /// it. [`Reply::LEN`] bytes are always enough. Descriptors, with the byte that carries them, come after it.
    ///
    /// The size is the sender's claim, of up to 8 GiB: a client that trusts its daemon reads so much, as the client
    /// library does.
    pub fn length(buffered: &[u8]) -> Option<usize> {
        let mut reader = Reader::new("client reply", buffered.get(..Reply::LEN)?);
        reader.seek(12).ok()?;
        let (header_len, payload_len) = (reader.u32().ok()?, reader.u32().ok()?);
        Some(Reply::LEN.saturating_add(header_len as usize).saturating_add(payload_len as usize))
    }

    /// The reply of a command that worked.
    ///
    /// # Errors
    ///
    /// The code of one that failed.
    pub fn into_result(self) -> std::result::Result<Reply, ErrorCode> {
        if self.code == ErrorCode::Ok { Ok(self) } else { Err(self.code) }
    }

    /// Decodes a whole reply.
    pub fn decode(bytes: &[u8]) -> Result<Reply> {
        let mut reader = Reader::new("client reply", bytes);
        let command = reader.u32()?;
        let code = reader.u32()?;
        let code = ErrorCode::from_number(code).ok_or_else(|| bad_value(&reader, code))?;
        let pid = reader.u32()?;
        let header_len = reader.u32()?;
        let payload_len = reader.u32()?;
        let fd_count = reader.u32()?;
        let header = match header_len {
            0 => None,
            4 => Some(reader.u32()?),
            other => return Err(bad_value(&reader, other)),
        };
        let payload = reader.bytes(payload_len as usize)?.to_vec();
        reader.finish()?;
        Ok(Reply { command, code, pid, header, payload, fd_count })
    }

    /// Decodes the elements of a listing, which must fill the payload exactly.
    pub fn elements<T>(&self, decode: impl Fn(&mut Reader<'_>) -> Result<T>) -> Result<Vec<T>> {
        let mut reader = Reader::new("listing", &self.payload);
        let mut elements = Vec::new();
        for _ in 0..self.header.unwrap_or(0) {
            // Every element has bytes, so a false count ends with the payload.
            elements.push(decode(&mut reader)?);
        }
        reader.finish()?;
        Ok(elements)
    }
}
