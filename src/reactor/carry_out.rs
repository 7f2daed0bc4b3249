// SPDX-License-Identifier: GPL-2.0-only
//! What the machine wants is carried out, in order, and what came of it is told at once, or later where it takes time.
//! Nothing here may decide whether something is done, or wait until it is.

use std::io;
use std::time::{Duration, Instant};

use log::Level;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::connection::{Connection, Flushed, Kind};
use super::read::READS;
use super::{Reactor, Source, children, inspect};
use crate::sys::fork::companion;
use crate::sys::{clock, memory};
use crate::turn::ids::ConnId;
use crate::turn::machine::Machine;
use crate::turn::output::{Output, SharedFd, Told};

/// How long a peer may take to fetch its last bytes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Rounds in one turn. What wants more is not done without end: peers are read from in between.
const ROUNDS: usize = 256;

impl<M: Machine> Reactor<M> {
    /// Carries out what the machine wants, until it wants nothing more, or the next turn is to go on with it. `tell`
    /// is told what is nobody's affair here.
    pub(super) fn carry_out(&mut self, tell: &mut impl FnMut(Told)) {
        self.unfinished = false;
        for _ in 0..ROUNDS {
            let outputs = self.machine.take_outputs();
            if outputs.is_empty() && self.unflushed.is_empty() {
                return;
            }
            for output in outputs {
                self.carry_out_one(output, tell);
            }
            for conn in std::mem::take(&mut self.unflushed) {
                self.flush(conn);
            }
            self.machine.settle();
        }
        self.unfinished = true;
    }

    fn carry_out_one(&mut self, output: Output, tell: &mut impl FnMut(Told)) {
        match output {
            Output::Send { to, bytes, descriptors } => {
                self.write(to, |connection| connection.queue(bytes, descriptors));
            }
            Output::Supply { to, supply } => self.write(to, |connection| connection.queue_supply(supply)),
            Output::Close(conn) => self.remove(conn),
            Output::CloseWhenSent(conn) => {
                if self.sources.contains_key(&conn) {
                    self.closing.insert(conn, clock::after(Instant::now(), CLOSE_TIMEOUT));
                    self.unflushed.insert(conn);
                }
            }
            Output::ReadFirst { conn, first } => {
                if let Some(Source::Connection(connection)) = self.sources.get_mut(&conn) {
                    connection.read_first = Some(first);
                }
            }
            Output::ReadWhenSent(conn) => {
                if let Some(Source::Connection(connection)) = self.sources.get_mut(&conn) {
                    connection.hold_back = true;
                }
            }
            Output::GiveMemoryBack => memory::give_back(),
            Output::Spawn { errand, program } => {
                let result = self.reserve.insist(|| children::start(&program));
                self.machine.spawned(errand, result);
            }
            Output::Fork { errand, life } => {
                let forked = self.reserve.insist(|| companion(life));
                if let Err(error) = forked.and_then(|forked| self.adopt_companion(errand, forked)) {
                    self.machine.adopted(errand, Err(error));
                }
            }
            Output::Connect { errand, to } => self.connect(errand, &to),
            Output::Pipe { errand } => {
                let result = self.make_pipe();
                self.machine.pipe_made(errand, result);
            }
            Output::Poll { errand, descriptor } => {
                let result = self.add(Source::Foreign(descriptor));
                self.machine.adopted(errand, result);
            }
            Output::HandOut { errand, conns, timeout } => {
                let result = self.hand_out(&conns, timeout);
                self.machine.handed_out(errand, result);
            }
            Output::Kill(pid) => children::kill(pid),
            Output::Inspect { conn, pid } => {
                // A look that fails for want of descriptors would tell nothing about the process.
                self.reserve.lend(inspect::DESCRIPTORS);
                let found = inspect::inspect(pid);
                self.reserve.refill();
                self.machine.inspected(conn, found);
            }
            Output::StopListening(listener) => {
                self.stop_listening(listener);
                tell(Told::Stopped(listener));
            }
            Output::Ready => tell(Told::Ready),
            Output::Failed => tell(Told::Failed),
            Output::Alive => tell(Told::Alive),
            Output::Standing(standing) => tell(Told::Standing(standing)),
            Output::Exit => self.over = true,
        }
    }

    /// Makes a pipe that nobody waits on, at either end.
    fn make_pipe(&mut self) -> io::Result<(ConnId, SharedFd)> {
        let pipe = || Ok(pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?);
        let (reading, writing) = self.reserve.insist(pipe)?;
        Ok((self.add_connection(reading, Kind::Pipe)?, writing.into()))
    }

    /// Adds to what is sent on a connection, if it is there.
    fn write(&mut self, to: ConnId, add: impl FnOnce(&mut Connection)) {
        if let Some(Source::Connection(connection)) = self.sources.get_mut(&to) {
            add(connection);
            self.unflushed.insert(to);
        }
    }

    /// Has the kernel say when a peer takes more, or not any longer.
    pub(super) fn watch_for_room(&mut self, conn: ConnId, lacks_room: bool) {
        let Some(Source::Connection(connection)) = self.sources.get_mut(&conn) else { return };
        if std::mem::replace(&mut connection.lacks_room, lacks_room) == lacks_room {
            return;
        }
        if let Err(error) = self.poll_again(conn) {
            self.say(Level::Error, format_args!("Can't poll a connection any more: {error}"));
            self.lose(conn);
        }
    }

    fn flush(&mut self, conn: ConnId) {
        let Some(Source::Connection(connection)) = self.sources.get_mut(&conn) else { return };
        let closing = self.closing.contains_key(&conn);
        let flushed = connection.flush();
        if !connection.is_held_back() && std::mem::take(&mut connection.unread) {
            self.readable.insert(conn);
        }
        if let Some(bytes) = connection.unsent_changed() {
            self.machine.unsent(conn, bytes);
        }
        match flushed {
            Flushed::Everything if closing => self.remove(conn),
            Flushed::Everything => self.watch_for_room(conn, false),
            Flushed::Partly => self.watch_for_room(conn, true),
            // There may still be something to read, a last answer for example.
            Flushed::Broken if closing => self.remove(conn),
            Flushed::Broken => {
                self.read_connection(conn, READS);
                if self.sources.contains_key(&conn) {
                    self.lose(conn);
                }
            }
        }
    }
}
