// SPDX-License-Identifier: GPL-2.0-only
//! What happened to sessions and peers, as far as others may want to know of it.
//!
//! A fact is pushed by who makes it true, in the moment in which it becomes true, and is read in one place
//! (`daemon.rs`). Nothing that reads facts may be known to those who push them.

use std::time::Duration;

use super::ids::{AppId, ChannelId, ConsumerKind, SessionId, TriggerId};

/// How full a channel is, in the buffers of one user or of one application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub session: SessionId,
    pub channel: ChannelId,
    /// Bytes in use in the fullest of its buffers.
    pub used: u64,
    /// The same of the sample before this, if there was one.
    pub used_before: Option<u64>,
    /// Bytes that one buffer has.
    pub capacity: u64,
    /// Bytes of the whole session that were written until now.
    pub consumed: u64,
    /// The same before this sample.
    pub consumed_before: u64,
}

/// Something that a channel was to record was lost: events that found no room, or, if it overwrites, packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    pub session: SessionId,
    pub channel: ChannelId,
    /// How much since that was told last.
    pub more: u64,
    /// How much in all.
    pub total: u64,
    /// How long ago it was told last, or the session began to record.
    pub in_last: Duration,
    /// Bytes of a sub-buffer that would have held it, about; none if no sensible one would have.
    pub suggested: Option<u64>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// A rotation that somebody asked for has begun: the session has left this trace chunk.
    RotationBegun(SessionId, u64),
    /// A rotation that somebody asked for is over, and where its chunk is to stay it is.
    RotationCompleted(SessionId, u64),
    /// A consumer daemon has told how full a channel is, and what was written of it.
    Sampled(Sample),
    /// A channel has lost something. It is told less and less often while it goes on.
    Lost(Loss),
    /// An event matched the rule of this trigger. What was captured of it is as the tracer has written it.
    Matched(TriggerId, Vec<u8>),
    /// The kernel's tracer would not have what this trigger wants of it.
    NotifierRefused(TriggerId),
    /// An error counter of the kernel's tracer begins anew: its place is free.
    KernelPlaceFree(u32),
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
