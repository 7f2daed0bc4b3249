// SPDX-License-Identifier: GPL-2.0-only
//! Pipes on which something comes again and again are left alone for a moment.
//!
//! A peer writes each of its messages by itself, and to be woken for each costs more than all that is done with it. What has
//! come twice at short intervals will come again: such a pipe is not polled until a little later, and then read to its end,
//! with all that has come meanwhile. What comes after a silence is read at once, and so is everything when much has come, for
//! a pipe must never be full because of this. That nobody can write to it any more is still announced.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::{Kind, Reactor, Source};
use crate::turn::ids::ConnId;
use crate::turn::machine::Machine;

/// For how long a pipe is left alone. The deadlines of the poll loop have no fractions of a millisecond.
const REST: Duration = Duration::from_micros(600);

/// The pipes that are left alone, and the timer that ends it.
#[derive(Debug)]
pub struct Rest {
    timer: TimerFd,
    pipes: BTreeSet<ConnId>,
}

impl Rest {
    /// None yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        Ok(Rest { timer: TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?, pipes: BTreeSet::new() })
    }

    /// The timer, to be polled.
    pub fn raw(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }

    /// Leaves a pipe alone. False if it can't be ended again.
    fn begin(&mut self, conn: ConnId) -> bool {
        let after = Expiration::OneShot(TimeSpec::from_duration(REST));
        let timed = !self.pipes.is_empty() || self.timer.set(after, TimerSetTimeFlags::empty()).is_ok();
        if timed {
            self.pipes.insert(conn);
        }
        timed
    }

    /// A pipe is closed.
    pub fn forget(&mut self, conn: ConnId) {
        self.pipes.remove(&conn);
    }
}

impl<M: Machine> Reactor<M> {
    /// A pipe was read: it is left alone, or polled again. Other connections always are.
    pub(super) fn pace(&mut self, conn: ConnId) {
        let more = self.readable.contains(&conn) || self.ending.contains(&conn);
        let Some(Source::Connection(connection)) = self.sources.get_mut(&conn) else { return };
        if connection.kind() != Kind::Pipe {
            return;
        }
        let rests = connection.pace.tires(Instant::now()) && !more && self.rest.begin(conn);
        if std::mem::replace(&mut connection.pace.rests, rests) != rests
            && self.poll_again(conn).is_err()
            && !rests
        {
            // Without being told when there is something, it is looked at again and again.
            if let Some(Source::Connection(connection)) = self.sources.get_mut(&conn) {
                connection.pace.rests = true;
            }
            if !self.rest.begin(conn) {
                self.readable.insert(conn);
            }
        }
    }

    /// The rest of all pipes is over.
    pub(super) fn end_of_rest(&mut self) {
        for conn in std::mem::take(&mut self.rest.pipes) {
            self.read(conn);
        }
    }
}
