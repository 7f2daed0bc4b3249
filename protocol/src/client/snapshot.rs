// SPDX-License-Identifier: GPL-2.0-only
//! Outputs of snapshots.
//!
//! URLs come as the user typed them: unlike for a session's own output, the client library does not parse them. See
//! [`OutputUrl`](super::OutputUrl).
//!
//! Source: `lttng-tools 2.13: include/lttng/snapshot-internal.h`.

use super::text::{self, NAME_LEN, PATH_LEN};
use crate::codec::{Reader, Result, Writer};

/// `struct lttng_snapshot_output`, 8459 bytes: parameter of SNAPSHOT_ADD_OUTPUT, SNAPSHOT_DEL_OUTPUT and
/// SNAPSHOT_RECORD, element of SNAPSHOT_LIST_OUTPUT's reply.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 4 | `id` |
/// | 4 | 8 | `max_size`; all bits set when not given |
/// | 12 | 255 | `name` |
/// | 267 | 4096 | `control_url` |
/// | 4363 | 4096 | `data_url` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotOutput {
    /// Number in its session, from 1; 0 when the output is meant by name, or has no number yet.
    pub id: u32,
    /// Bytes that one snapshot may have, 0 for any number; without, whatever the output has.
    pub max_size: Option<u64>,
    /// The name; empty for the default one, or when the output is meant by number. At most 254 bytes.
    pub name: String,
    /// Path or URL; empty when none is given. At most 4095 bytes.
    pub control_url: String,
    /// URL of the data connection; empty unless `control_url` is for the control connection only. At most 4095 bytes.
    pub data_url: String,
}

/// `max_size` that is not given.
const UNSET: u64 = u64::MAX;

impl SnapshotOutput {
    /// Size on the wire.
    pub const LEN: usize = 8459;

    /// Reads one output. Fails on URLs that are not UTF-8.
    pub fn decode(reader: &mut Reader<'_>) -> Result<SnapshotOutput> {
        Ok(SnapshotOutput {
            id: reader.u32()?,
            max_size: Some(reader.u64()?).filter(|&size| size != UNSET),
            name: text::fixed_name(reader, NAME_LEN)?,
            control_url: reader.fixed_string(PATH_LEN)?,
            data_url: reader.fixed_string(PATH_LEN)?,
        })
    }

    /// Appends [`SnapshotOutput::LEN`] bytes.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u32(self.id).u64(self.max_size.unwrap_or(UNSET)).fixed_string(&self.name, NAME_LEN);
        writer.fixed_string(&self.control_url, PATH_LEN).fixed_string(&self.data_url, PATH_LEN);
    }

    /// The payload of SNAPSHOT_LIST_OUTPUT's reply, which says no number of elements.
    pub fn encode_list(outputs: &[SnapshotOutput]) -> Vec<u8> {
        let mut writer = Writer::with_capacity(outputs.len().saturating_mul(SnapshotOutput::LEN));
        for output in outputs {
            output.encode(&mut writer);
        }
        writer.into_bytes()
    }

    /// Reads the payload of SNAPSHOT_LIST_OUTPUT's reply.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<SnapshotOutput>> {
        let mut reader = Reader::new("snapshot output list", bytes);
        let mut outputs = Vec::new();
        while reader.remaining() > 0 {
            outputs.push(SnapshotOutput::decode(&mut reader)?);
        }
        Ok(outputs)
    }
}
