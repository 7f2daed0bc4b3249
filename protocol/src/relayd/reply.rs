// SPDX-License-Identifier: GPL-2.0-only
//! Replies of a relay daemon.
//!
//! Every type has a fixed size. A path that follows one is announced in it; a length of 0 means that nothing
//! follows, whatever the code: the original waits for those 0 bytes until the relay daemon closes.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/relayd.h`, `src/bin/lttng-relayd/main.c`.

use super::version::SessionLayout;
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// The longest path of a reply, NUL included: `LTTNG_PATH_MAX`.
pub const MAX_PATH: u32 = 4096;

/// How a request went: an `LTTNG_ERR_*` number, and the whole reply of a request that answers nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u32);

impl Code {
    /// It worked.
    pub const OK: Code = Code(10);
    /// `LTTNG_ERR_FATAL`: what most refusals have, as of a session name that starts with a dot.
    pub const REFUSED: Code = Code(25);
    /// Size on the wire.
    pub const LEN: usize = 4;

    /// Whether the request worked.
    pub fn is_ok(self) -> bool {
        self == Code::OK
    }

    /// Decodes exactly [`Code::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Code> {
        let mut reader = Reader::new("relay daemon code", bytes);
        let code = Code(reader.u32_be()?);
        reader.finish()?;
        Ok(code)
    }

    /// Encodes to [`Code::LEN`] bytes.
    pub fn encode(self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
}

/// Reply of GET_CONFIGURATION: u32 code, u64 flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration {
    /// How it went.
    pub code: Code,
    /// All flags as sent.
    pub flags: u64,
}

impl Configuration {
    /// Size on the wire.
    pub const LEN: usize = 12;
    /// Flag of a relay daemon that lets sessions be cleared.
    pub const CLEAR_ALLOWED: u64 = 1;

    /// Whether sessions may be cleared.
    pub fn clear_allowed(&self) -> bool {
        self.flags & Configuration::CLEAR_ALLOWED != 0
    }

    /// Decodes exactly [`Configuration::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Configuration> {
        let mut reader = Reader::new("relay daemon configuration", bytes);
        let configuration = Configuration { code: Code(reader.u32_be()?), flags: reader.u64_be()? };
        reader.finish()?;
        Ok(configuration)
    }

    /// Encodes to [`Configuration::LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Configuration::LEN);
        writer.u32_be(self.code.0).u64_be(self.flags);
        writer.into_bytes()
    }
}

/// Reply of CREATE_SESSION: u64 session, u32 code; 2.11 and later also u32 length of the path that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateSessionReply {
    /// The relay daemon's number of the session, which the consumer daemon is told.
    pub session_id: u64,
    /// How it went.
    pub code: Code,
    /// Bytes of output path that follow, NUL included, at most [`MAX_PATH`]; 0 before 2.11. The path is relative to
    /// the relay daemon's output folder and for logs only.
    pub path_length: u32,
}

impl CreateSessionReply {
    /// Size on the wire, without the path.
    pub fn len(layout: SessionLayout) -> usize {
        match layout {
            SessionLayout::Unnamed | SessionLayout::Named => 12,
            SessionLayout::Full => 16,
        }
    }

    /// Decodes exactly [`CreateSessionReply::len`] bytes. A path over the limit is an error.
    pub fn decode(bytes: &[u8], layout: SessionLayout) -> Result<CreateSessionReply> {
        let mut reader = Reader::new("relay daemon session", bytes);
        let session_id = reader.u64_be()?;
        let code = Code(reader.u32_be()?);
        let path_length = match layout {
            SessionLayout::Unnamed | SessionLayout::Named => 0,
            SessionLayout::Full => path_length(&mut reader)?,
        };
        reader.finish()?;
        Ok(CreateSessionReply { session_id, code, path_length })
    }

    /// Encodes to [`CreateSessionReply::len`] bytes.
    pub fn encode(&self, layout: SessionLayout) -> Vec<u8> {
        let mut writer = Writer::with_capacity(CreateSessionReply::len(layout));
        writer.u64_be(self.session_id).u32_be(self.code.0);
        if layout == SessionLayout::Full {
            writer.u32_be(self.path_length);
        }
        writer.into_bytes()
    }
}

/// Head of CLOSE_TRACE_CHUNK's reply: u32 code, u32 length of the path that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseTraceChunkReply {
    /// How it went.
    pub code: Code,
    /// Bytes of path that follow, NUL included, at most [`MAX_PATH`]. The path is relative to the relay daemon's
    /// output folder; a consumer daemon passes it on, and clients read it as the archive's location.
    pub path_length: u32,
}

impl CloseTraceChunkReply {
    /// Size on the wire, without the path.
    pub const LEN: usize = 8;

    /// Decodes exactly [`CloseTraceChunkReply::LEN`] bytes. A path over the limit is an error.
    pub fn decode(bytes: &[u8]) -> Result<CloseTraceChunkReply> {
        let mut reader = Reader::new("relay daemon chunk", bytes);
        let code = Code(reader.u32_be()?);
        let path_length = path_length(&mut reader)?;
        reader.finish()?;
        Ok(CloseTraceChunkReply { code, path_length })
    }

    /// Encodes to [`CloseTraceChunkReply::LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(CloseTraceChunkReply::LEN);
        writer.u32_be(self.code.0).u32_be(self.path_length);
        writer.into_bytes()
    }
}

/// Reply of TRACE_CHUNK_EXISTS: u32 code, u8 `exists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceChunkExistsReply {
    /// How it went.
    pub code: Code,
    /// Whether the relay daemon still uses the chunk.
    pub exists: bool,
}

impl TraceChunkExistsReply {
    /// Size on the wire.
    pub const LEN: usize = 5;

    /// Decodes exactly [`TraceChunkExistsReply::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<TraceChunkExistsReply> {
        let mut reader = Reader::new("relay daemon chunk state", bytes);
        let reply = TraceChunkExistsReply { code: Code(reader.u32_be()?), exists: reader.u8()? != 0 };
        reader.finish()?;
        Ok(reply)
    }

    /// Encodes to [`TraceChunkExistsReply::LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(TraceChunkExistsReply::LEN);
        writer.u32_be(self.code.0).u8(self.exists.into());
        writer.into_bytes()
    }
}

/// Reads the path that a reply announced, all its bytes. It names nothing on this machine, so what is not UTF-8 is
/// replaced and what has no NUL is taken whole.
pub fn decode_path(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

fn path_length(reader: &mut Reader<'_>) -> Result<u32> {
    let length = reader.u32_be()?;
    if length > MAX_PATH { Err(reader.error(ErrorKind::TooLong(length.into()))) } else { Ok(length) }
}
