// SPDX-License-Identifier: GPL-2.0-only
//! What the requests to consumer daemons are for, so that whoever asked can be found when the answer comes.

use crate::turn::Ticket;
use crate::turn::ids::{BuffersKey, ChannelId, RelayEnd};

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
    /// Something whose outcome changes nothing.
    Nothing,
}
