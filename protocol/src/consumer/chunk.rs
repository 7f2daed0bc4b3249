// SPDX-License-Identifier: GPL-2.0-only
//! Requests about trace chunks, the same for every kind of consumer daemon.
//!
//! The directory of a local chunk travels as a descriptor after the first status; it is not part of the bytes.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h`.

use super::{CHUNK_NAME_LEN, optional_u64, put_optional_u64};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;

/// Makes a chunk known. A local one is answered with a status, wants the directory's descriptor and is
/// answered again; a remote one is answered once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTraceChunk {
    /// The relay daemon; without, the chunk is local.
    pub relayd_id: Option<u64>,
    /// Name that replaces the one made of times (snapshots); empty for none. At most 254 bytes.
    pub override_name: String,
    /// The session daemon's number of the session.
    pub session_id: u64,
    /// Number of the chunk in its session.
    pub chunk_id: u64,
    /// Begin of the chunk, seconds since the epoch.
    pub created: u64,
    /// User and group that own a local chunk's files.
    pub credentials: Option<(u32, u32)>,
}

impl CreateTraceChunk {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<CreateTraceChunk> {
        Ok(CreateTraceChunk {
            relayd_id: optional_u64(reader)?,
            override_name: reader.fixed_string(CHUNK_NAME_LEN)?,
            session_id: reader.u64()?,
            chunk_id: reader.u64()?,
            created: reader.u64()?,
            credentials: {
                let set = reader.u8()? != 0;
                let ids = (reader.u32()?, reader.u32()?);
                set.then_some(ids)
            },
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        put_optional_u64(writer, self.relayd_id);
        writer.fixed_string(&self.override_name, CHUNK_NAME_LEN);
        writer.u64(self.session_id).u64(self.chunk_id).u64(self.created);
        let (uid, gid) = self.credentials.unwrap_or((0, 0));
        writer.u8(self.credentials.is_some().into()).u32(uid).u32(gid);
    }
}

numbered! {
    /// What becomes of a closed chunk's files.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum CloseCommand: u32 {
        /// They are archived.
        MoveToCompleted = 0,
        /// They are removed.
        Delete = 2,
    }
    /// The command with this number.
    from_number;
}

/// Closes a chunk; it ends when its last stream has left it. Answered with a [`CloseReply`](super::CloseReply).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseTraceChunk {
    /// The relay daemon; without, the chunk is local.
    pub relayd_id: Option<u64>,
    /// The session daemon's number of the session.
    pub session_id: u64,
    /// Number of the chunk in its session.
    pub chunk_id: u64,
    /// End of the chunk, seconds since the epoch.
    pub closed: u64,
    /// What becomes of its files; without, they stay where they are.
    pub command: Option<CloseCommand>,
}

impl CloseTraceChunk {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<CloseTraceChunk> {
        let relayd_id = optional_u64(reader)?;
        let session_id = reader.u64()?;
        let chunk_id = reader.u64()?;
        let closed = reader.u64()?;
        let command = match (reader.u8()?, reader.u32()?) {
            (0, _) => None,
            (_, number) => {
                let command = CloseCommand::from_number(number);
                Some(command.ok_or_else(|| reader.error(ErrorKind::BadValue(number.into())))?)
            }
        };
        Ok(CloseTraceChunk { relayd_id, session_id, chunk_id, closed, command })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        put_optional_u64(writer, self.relayd_id);
        writer.u64(self.session_id).u64(self.chunk_id).u64(self.closed);
        let command = self.command.map_or(0, CloseCommand::number);
        writer.u8(self.command.is_some().into()).u32(command);
    }
}

/// Asks whether streams still use a chunk. The status is the answer: [`Status::CHUNK_EXISTS_LOCAL`],
/// [`Status::CHUNK_EXISTS_REMOTE`] or [`Status::UNKNOWN_TRACE_CHUNK`].
///
/// [`Status::CHUNK_EXISTS_LOCAL`]: super::Status::CHUNK_EXISTS_LOCAL
/// [`Status::CHUNK_EXISTS_REMOTE`]: super::Status::CHUNK_EXISTS_REMOTE
/// [`Status::UNKNOWN_TRACE_CHUNK`]: super::Status::UNKNOWN_TRACE_CHUNK
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceChunkExists {
    /// The relay daemon; without, the chunk is local.
    pub relayd_id: Option<u64>,
    /// The session daemon's number of the session.
    pub session_id: u64,
    /// Number of the chunk in its session.
    pub chunk_id: u64,
}

impl TraceChunkExists {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<TraceChunkExists> {
        Ok(TraceChunkExists {
            relayd_id: optional_u64(reader)?,
            session_id: reader.u64()?,
            chunk_id: reader.u64()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        put_optional_u64(writer, self.relayd_id);
        writer.u64(self.session_id).u64(self.chunk_id);
    }
}
