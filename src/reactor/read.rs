// SPDX-License-Identifier: GPL-2.0-only
//! What comes in: a bounded amount from each source in one turn, passed on as it is. Nothing here may know what the
//! bytes mean, or wait for more of them.

use std::io::{self, ErrorKind};

use nix::sys::signal::Signal;

use super::{BUFFER, Kind, Reactor, Source, children};
use crate::sys::socket::MAX_MESSAGE;
use crate::turn::ids::ConnId;
use crate::turn::machine::{Attached, Machine};

/// Reads from one peer in one turn.
pub const READS: usize = 8;
/// Reads from one peer before something else that it sent later: more than a socket holds, and not without end.
const FIRST_READS: usize = 64;

impl<M: Machine> Reactor<M> {
    /// Something may be there to be read.
    pub(super) fn read(&mut self, conn: ConnId) {
        match self.sources.get(&conn) {
            None => {}
            Some(Source::Signals(_)) => self.read_signals(conn),
            Some(Source::Listener(..)) => self.accept(conn),
            Some(Source::Connecting(_)) => self.finish_connecting(conn),
            Some(Source::Connection(_)) => {
                self.read_connection(conn, READS);
                self.pace(conn);
            }
            Some(Source::Rest(_)) => self.end_of_rest(),
            Some(Source::Foreign(_)) => self.machine.ready(conn),
        }
    }

    /// Reads so many times, or until nothing is there.
    pub(super) fn read_connection(&mut self, conn: ConnId, reads: usize) {
        for _ in 0..reads {
            let Some(Source::Connection(connection)) = self.sources.get_mut(&conn) else { return };
            if connection.is_held_back() && !self.hung_up.contains(&conn) {
                connection.unread = true;
                return;
            }
            let (is_stream, is_pipe) = (connection.kind() == Kind::Stream, connection.kind() == Kind::Pipe);
            let expected = self.machine.expected(conn);
            if expected.bytes == 0 && self.unpolled.contains(&conn) {
                // If it stays, the kernel announces what is there.
                return;
            }
            let limit = match connection.kind() {
                Kind::Stream if expected.bytes > 0 => expected.bytes.min(BUFFER),
                Kind::Stream | Kind::Pipe => BUFFER,
                Kind::Messages => MAX_MESSAGE,
            };
            let buffer = self.buffer.get_mut(..limit).unwrap_or_default();
            let mut descriptors = Vec::new();
            let lent = expected.irreplaceable && expected.descriptors > 0;
            if lent {
                self.reserve.lend(expected.descriptors);
            }
            let read = connection.read(buffer, expected.descriptors, &mut descriptors);
            if lent {
                self.reserve.refill();
            }
            // Whoever sends descriptors without being asked has sent none.
            connection.pace.came =
                connection.pace.came.saturating_add(read.as_ref().map_or(0, |read| read.bytes));
            let truncated = matches!(&read, Ok(received) if received.truncated);
            let lost = truncated && expected.descriptors > 0;
            let mut read = read.map(|received| received.bytes);
            if let Some(first) = connection.read_first
                && self.machine.awaits(first)
                && !matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock)
            {
                read = self.read_first(first, read);
            }
            match read {
                Ok(0) => return self.end_of_input(conn),
                Ok(count) => {
                    self.silent.remove(&conn);
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    // Less than there was room for is all there was, unless descriptors cut it short. More will be
                    // announced; only the end, if it was announced already, will not be again.
                    let all = count < limit && descriptors.is_empty() && !truncated && (is_stream || is_pipe);
                    self.machine.received(conn, bytes, Attached { descriptors, lost });
                    if all && !self.ending.contains(&conn) {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.lose(conn),
            }
        }
        self.readable.insert(conn);
    }

    /// The peer sends no more. It may have closed only that side, to wait for what it is owed; that it is gone, or goes
    /// later, is told by the kernel.
    fn end_of_input(&mut self, conn: ConnId) {
        let there = !self.hung_up.contains(&conn);
        if !(there && (self.closing.contains_key(&conn) || self.machine.ended(conn))) {
            self.lose(conn);
        }
    }

    /// Deals with all that came on `first` before what was just read from another connection. Only now is all there that
    /// its peer had sent before that.
    fn read_first(&mut self, first: ConnId, read: io::Result<usize>) -> io::Result<usize> {
        let count = read?;
        let bytes = self.buffer.get(..count).unwrap_or_default().to_vec();
        self.read_connection(first, FIRST_READS);
        if let Some(buffer) = self.buffer.get_mut(..count) {
            buffer.copy_from_slice(&bytes);
        }
        Ok(count)
    }

    fn read_signals(&mut self, conn: ConnId) {
        let Some(Source::Signals(signals)) = self.sources.get_mut(&conn) else { return };
        let mut numbers = Vec::new();
        while let Ok(Some(signal)) = signals.read_signal() {
            numbers.push(signal.ssi_signo.cast_signed());
        }
        for number in numbers {
            match Signal::try_from(number) {
                Ok(Signal::SIGCHLD) => {
                    for pid in children::ended() {
                        self.machine.child_ended(pid);
                    }
                }
                Ok(_) => self.machine.end(),
                Err(_) => {}
            }
        }
    }
}
