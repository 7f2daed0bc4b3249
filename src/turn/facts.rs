// SPDX-License-Identifier: GPL-2.0-only
//! What happened to sessions and peers, as far as others may want to know of it.
//!
//! A fact is pushed by who makes it true, in the moment in which it becomes true, and is read in one place
//! (`daemon.rs`). Nothing that reads facts may be known to those who push them.

use super::ids::{AppId, ChannelId, ConsumerKind, SessionId};

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// A session was created.
    Created(SessionId),
    /// A session records.
    Started(SessionId),
    /// A session does not record any more.
    Stopped(SessionId),
    /// A session records to a new trace chunk.
    ChunkMade(SessionId, u64),
    /// A session has left a trace chunk, whose data is still on its way.
    ChunkLeft(SessionId, u64),
    /// A trace chunk that was left is where it is to stay.
    Archived(SessionId, u64),
    /// A trace chunk could not be left, or could not be brought to where it was to stay.
    RotationFailed(SessionId),
    /// What a session had recorded was thrown away.
    Cleared(SessionId),
    /// A snapshot of a session was recorded.
    SnapshotRecorded(SessionId),
    /// So many bytes of a session's channel were written.
    Consumed(SessionId, ChannelId, u64),
    /// Nothing is left of a session.
    Destroyed(SessionId),
    /// An application registered.
    ApplicationCame(AppId),
    /// An application has all that sessions want of it: it records what they say.
    ApplicationConverged(AppId),
    /// An application is gone.
    ApplicationLeft(AppId),
    /// A consumer daemon is in service.
    ConsumerReady(ConsumerKind),
    /// A consumer daemon is gone; why.
    ConsumerLost(ConsumerKind, &'static str),
    /// The helper process is gone.
    HelperLost,
}

/// Facts that were not read yet, in the order in which they happened.
#[derive(Debug, Default)]
pub struct Facts {
    unread: Vec<Fact>,
}

impl Facts {
    /// Something happened.
    pub fn push(&mut self, fact: Fact) {
        self.unread.push(fact);
    }

    /// Takes all that were not read.
    pub fn take(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.unread)
    }
}
