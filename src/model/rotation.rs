// SPDX-License-Identifier: GPL-2.0-only
//! What a session knows of its rotations.

use lttng_protocol::client::{RotationSchedules, RotationState};

/// A chunk that was archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its number.
    pub id: u64,
    /// Where it is: an absolute path on this machine, or a path below the relay daemon's output.
    pub path: String,
}

/// Rotations of a session, past and present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotations {
    /// How the last one went, or that one goes on.
    pub state: RotationState,
    /// The chunk being left: its data is on the way to its files, or its files to their place.
    pub leaving: Option<u64>,
    /// The chunk is being changed: no buffers may be made before it was.
    pub changing: bool,
    /// The chunk that was archived last.
    pub archived: Option<Archived>,
    /// A chunk was moved to the archives: from then on, chunks have folders of their own.
    pub moved: bool,
    /// Rotated since it was stopped.
    pub rotated_after_stop: bool,
    /// Cleared since it was stopped.
    pub cleared_after_stop: bool,
    /// When it rotates by itself.
    pub schedules: RotationSchedules,
    /// Bytes that its channels wrote, as far as they told.
    pub consumed: u64,
    /// The number of bytes at which it rotates next.
    pub rotate_at: u64,
}

impl Default for Rotations {
    fn default() -> Self {
        Rotations {
            state: RotationState::NoRotation,
            leaving: None,
            changing: false,
            archived: None,
            moved: false,
            rotated_after_stop: false,
            cleared_after_stop: false,
            schedules: RotationSchedules::default(),
            consumed: 0,
            rotate_at: 0,
        }
    }
}
