// SPDX-License-Identifier: GPL-2.0-only
//! Requests, and how long their replies are.
//!
//! Source: `lttng-tools 2.13: src/common/relayd/relayd.c`.

use super::chunk::{CloseTraceChunk, CreateTraceChunk};
use super::header::{Header, Number};
use super::reply::{CloseTraceChunkReply, Code, Configuration, CreateSessionReply, TraceChunkExistsReply};
use super::session::CreateSession;
use super::version::Version;
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// A request on the control connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// 5, first of all: the sender's version. Answered with the relay daemon's [`Version`], which need not be the
    /// one that both then speak.
    Version(Version),
    /// 22, 2.12 and later: u64 flags of the question, 0. Answered with a [`Configuration`].
    GetConfiguration,
    /// 2. Answered with a [`CreateSessionReply`] and, 2.11 and later, a path.
    CreateSession(CreateSession),
    /// 19. Answered with a [`Code`].
    CreateTraceChunk(CreateTraceChunk),
    /// 20. Answered with a [`CloseTraceChunkReply`] and a path.
    CloseTraceChunk(CloseTraceChunk),
    /// 21. Answered with a [`TraceChunkExistsReply`].
    TraceChunkExists {
        /// Number of the chunk in its session: a u64, the whole payload.
        chunk_id: u64,
    },
}

impl Request {
    /// The number in the header.
    pub fn number(&self) -> Number {
        match self {
            Request::Version(_) => Number::Version,
            Request::GetConfiguration => Number::GetConfiguration,
            Request::CreateSession(_) => Number::CreateSession,
            Request::CreateTraceChunk(_) => Number::CreateTraceChunk,
            Request::CloseTraceChunk(_) => Number::CloseTraceChunk,
            Request::TraceChunkExists { .. } => Number::TraceChunkExists,
        }
    }

    /// Bytes of the reply, without the path that it may announce.
    pub fn reply_len(&self) -> usize {
        match self {
            Request::Version(_) => Version::LEN,
            Request::GetConfiguration => Configuration::LEN,
            Request::CreateSession(session) => CreateSessionReply::len(session.layout()),
            Request::CreateTraceChunk(_) => Code::LEN,
            Request::CloseTraceChunk(_) => CloseTraceChunkReply::LEN,
            Request::TraceChunkExists { .. } => TraceChunkExistsReply::LEN,
        }
    }

    /// The whole message, header included.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Writer::default();
        match self {
            Request::Version(version) => {
                payload.bytes(&version.encode());
            }
            Request::GetConfiguration => {
                payload.u64_be(0);
            }
            Request::CreateSession(session) => session.encode(&mut payload),
            Request::CreateTraceChunk(chunk) => chunk.encode(&mut payload),
            Request::CloseTraceChunk(chunk) => chunk.encode(&mut payload),
            Request::TraceChunkExists { chunk_id } => {
                payload.u64_be(*chunk_id);
            }
        }
        let header = Header { data_size: payload.len() as u64, number: self.number().number() };
        let mut writer = Writer::with_capacity(payload.len().saturating_add(Header::LEN));
        header.encode(&mut writer);
        writer.bytes(&payload.into_bytes());
        writer.into_bytes()
    }

    /// Decodes a payload, as a simulated relay daemon needs it; `version` is the agreed one. Fails on numbers that
    /// have no type here.
    pub fn decode(header: &Header, payload: &[u8], version: Version) -> Result<Request> {
        let mut reader = Reader::new("relay daemon request", payload);
        if payload.len() as u64 != header.data_size {
            return Err(reader.error(ErrorKind::Truncated));
        }
        let number = Number::from_number(header.number)
            .ok_or_else(|| reader.error(ErrorKind::BadValue(header.number.into())))?;
        let request = match number {
            Number::Version => Request::Version(Version { major: reader.u32_be()?, minor: reader.u32_be()? }),
            Number::GetConfiguration => match reader.u64_be()? {
                0 => Request::GetConfiguration,
                other => return Err(reader.error(ErrorKind::BadValue(other))),
            },
            Number::CreateSession => {
                Request::CreateSession(CreateSession::decode(&mut reader, version.session_layout())?)
            }
            Number::CreateTraceChunk => Request::CreateTraceChunk(CreateTraceChunk::decode(&mut reader)?),
            Number::CloseTraceChunk => Request::CloseTraceChunk(CloseTraceChunk::decode(&mut reader)?),
            Number::TraceChunkExists => Request::TraceChunkExists { chunk_id: reader.u64_be()? },
        };
        reader.finish()?;
        Ok(request)
    }
}
