// SPDX-License-Identifier: GPL-2.0-only
//! What the requests to consumer daemons are for, so that whoever asked can be found when the answer comes.

use crate::turn::Ticket;
use crate::turn::ids::{BuffersKey, ChannelId, RelayEnd, SessionId};

/// What of the kernel a consumer daemon was given; channels by their numbers there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The description of a channel.
    Channel(u64),
    /// The stream in this place of a channel.
    Stream(u64, usize),
    /// That a channel has no more streams for now.
    End(u64),
}

/// What a request to a consumer daemon was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A task's step.
    Task(Ticket),
    /// A data channel.
    Channel(BuffersKey, ChannelId),
    /// The buffers of a data channel.
    Handover(BuffersKey, ChannelId),
    /// A metadata channel.
    Metadata(BuffersKey),
    /// A metadata channel, of this number, put to use.
    SetUpMetadata(BuffersKey, u64),
    /// Metadata text.
    Push(BuffersKey),
    /// A connection to a relay daemon.
    Relay(RelayEnd),
    /// A part of what the kernel's tracer has of a session.
    KernelHandover(SessionId, Part),
    /// Something whose outcome changes nothing.
    Nothing,
}
