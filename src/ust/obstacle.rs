// SPDX-License-Identifier: GPL-2.0-only
//! What stood in the way of buffers, for messages and for what clients are told. Nothing is decided here.

use std::fmt;
use std::io;

use lttng_protocol::consumer::Status;

/// Why buffers could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// A folder can't be made: the system's error.
    Folder(i32),
    /// The consumer daemon refused, with this status.
    Refused(i32),
    /// The consumer daemon handed over a channel without streams.
    NoStreams,
    /// The process has no room for the descriptors that the consumer daemon handed over.
    NoRoom,
    /// The consumer daemon is gone.
    ConsumerLost,
}

impl Obstacle {
    /// Whether it may be gone by itself.
    pub fn may_pass(self) -> bool {
        self != Obstacle::ConsumerLost
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Obstacle::Folder(errno) => {
                write!(f, "folders can't be made: {}", io::Error::from_raw_os_error(errno))
            }
            Obstacle::Refused(status) => {
                write!(f, "the consumer daemon refused with status {status} ({})", Status(status).name())
            }
            Obstacle::NoStreams => write!(f, "the consumer daemon gave no streams"),
            Obstacle::NoRoom => write!(f, "there is no room for their descriptors"),
            Obstacle::ConsumerLost => write!(f, "the consumer daemon is gone"),
        }
    }
}
