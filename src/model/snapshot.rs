// SPDX-License-Identifier: GPL-2.0-only
//! Where snapshots go.

use lttng_protocol::client::Output;

/// An output for snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotOutput {
    /// Its number in the session, from 1.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Bytes that one snapshot may have; 0 for any number.
    pub max_size: u64,
    /// Where.
    pub output: Output,
}

impl SnapshotOutput {
    /// The name of an output that was given none.
    pub fn default_name(id: u32) -> String {
        format!("snapshot-{id}")
    }
}
