// SPDX-License-Identifier: GPL-2.0-only
//! Chunks at the relay daemon, 2.11 and later. Said by consumer daemons.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/relayd.h`, `src/common/relayd/relayd.c`.

use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::consumer::{CHUNK_NAME_LEN, CloseCommand};

/// CREATE_TRACE_CHUNK. Answered with a [`Code`](super::Code).
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u64 | `chunk_id` |
/// | 8 | u64 | `created` |
/// | 16 | u32 | length of the name, NUL included; 0 without |
/// | 20 | | name |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTraceChunk {
    /// Number of the chunk in its session.
    pub chunk_id: u64,
    /// Begin of the chunk, seconds since the epoch.
    pub created: u64,
    /// Name that replaces the one made of times (snapshots). At most 254 bytes.
    pub override_name: Option<String>,
}

impl CreateTraceChunk {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<CreateTraceChunk> {
        let chunk_id = reader.u64_be()?;
        let created = reader.u64_be()?;
        let override_name = match reader.u32_be()? {
            0 => None,
            length if length as usize > CHUNK_NAME_LEN => {
                return Err(reader.error(ErrorKind::TooLong(length.into())));
            }
            length => Some(reader.c_string(length as usize)?),
        };
        Ok(CreateTraceChunk { chunk_id, created, override_name })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u64_be(self.chunk_id).u64_be(self.created);
        match &self.override_name {
            None => {
                writer.u32_be(0);
            }
            Some(name) => {
                let length = u32::try_from(name.len().saturating_add(1)).unwrap_or(u32::MAX);
                writer.u32_be(length).c_string(name);
            }
        }
    }
}

/// CLOSE_TRACE_CHUNK. Answered with a [`CloseTraceChunkReply`](super::CloseTraceChunkReply) and a path.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u64 | `chunk_id` |
/// | 8 | u64 | `closed` |
/// | 16 | u8 + u32 | `command`: set, value (0 archive, 2 delete) |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseTraceChunk {
    /// Number of the chunk in its session.
    pub chunk_id: u64,
    /// End of the chunk, seconds since the epoch.
    pub closed: u64,
    /// What becomes of its files; without, they stay where they are.
    pub command: Option<CloseCommand>,
}

impl CloseTraceChunk {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<CloseTraceChunk> {
        let chunk_id = reader.u64_be()?;
        let closed = reader.u64_be()?;
        let command = match (reader.u8()?, reader.u32_be()?) {
            (0, _) => None,
            (_, 0) => Some(CloseCommand::MoveToCompleted),
            (_, 2) => Some(CloseCommand::Delete),
            (_, other) => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        };
        Ok(CloseTraceChunk { chunk_id, closed, command })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let command = match self.command {
            None | Some(CloseCommand::MoveToCompleted) => 0,
            Some(CloseCommand::Delete) => 2,
        };
        writer.u64_be(self.chunk_id).u64_be(self.closed);
        writer.u8(self.command.is_some().into()).u32_be(command);
    }
}
