// SPDX-License-Identifier: GPL-2.0-only
//! The poll loop: the only place where the daemon waits.
//!
//! One turn: wait for the kernel; read what is there, a bounded amount from each peer; let the machine that is driven
//! settle; carry out what it wants. The reactor knows connections, listening sockets, programs and descriptors. It must
//! never know what the bytes mean, or what anything is for: that is in the errands that it carries back.

mod carry_out;
mod children;
mod connect;
mod connection;
mod inspect;
mod listen;
mod pace;
mod read;
mod reserve;
mod rest;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use log::Level;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::signalfd::SignalFd;

use self::connection::Connection;
pub use self::connection::Kind;
pub use self::listen::Socket;
use self::reserve::Reserve;
use self::rest::Rest;
use crate::sys::clock;
use crate::sys::fork::Companion;
use crate::sys::socket::MAX_MESSAGE;
use crate::turn::errand::{Errand, Listener};
use crate::turn::ids::ConnId;
use crate::turn::machine::Machine;
use crate::turn::output::{SharedFd, Told};

/// Bytes read at once. A message is read whole.
const BUFFER: usize = 64 << 10;
/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// How often it is looked whether there is room for the descriptors that are to be kept.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// What stands behind a token.
/// How there can be more descriptors, for messages.
const MORE_DESCRIPTORS: &str = "LimitNOFILE= in the daemon's systemd unit raises the limit of its open files, or ulimit -n in \
                                the shell that starts it";

#[derive(Debug)]
enum Source {
    Signals(SignalFd),
    Listener(Listener, Socket),
    Connection(Connection),
    /// A connection that is being made.
    Connecting(TcpStream),
    /// A descriptor that somebody else reads.
    Foreign(SharedFd),
    /// The timer, by its number, that ends the rest of pipes.
    Rest(RawFd),
}

impl Source {
    fn raw(&self) -> RawFd {
        match self {
            Source::Signals(signals) => signals.as_fd().as_raw_fd(),
            Source::Listener(_, socket) => socket.raw(),
            Source::Connection(connection) => connection.descriptor().as_raw_fd(),
            Source::Connecting(stream) => stream.as_raw_fd(),
            Source::Foreign(descriptor) => descriptor.as_raw_fd(),
            Source::Rest(timer) => *timer,
        }
    }

    fn interest(&self) -> Interest {
        match self {
            Source::Connecting(_) => Interest::READABLE | Interest::WRITABLE,
            // Each message that a peer takes makes room for another: that is only of interest when there was none.
            Source::Connection(connection) if connection.lacks_room => {
                Interest::READABLE | Interest::WRITABLE
            }
            // What the kernel tells of events has priority when there is too much of it, and then nothing else.
            Source::Foreign(_) => Interest::READABLE | Interest::PRIORITY,
            // Nothing of that kind ever comes on a pipe.
            Source::Connection(connection) if connection.pace.rests => Interest::PRIORITY,
            _ => Interest::READABLE,
        }
    }
}

/// The loop and everything that it looks after.
#[derive(Debug)]
pub struct Reactor<M> {
    poll: Poll,
    machine: M,
    sources: BTreeMap<ConnId, Source>,
    /// Sources that may have more to read, although the kernel will not say so again.
    readable: BTreeSet<ConnId>,
    /// Connections just taken: who is answered at once and goes is never polled.
    unpolled: BTreeSet<ConnId>,
    /// Connections on which nothing was said yet, of peers that have no other one.
    silent: BTreeSet<ConnId>,
    /// Connections whose peer will send nothing more: they are read to their end.
    ending: BTreeSet<ConnId>,
    /// Connections whose peer can't be sent anything any more, either.
    hung_up: BTreeSet<ConnId>,
    /// Connections to be closed when all is sent, or at this time.
    closing: BTreeMap<ConnId, Instant>,
    /// Connections with something new to write.
    unflushed: BTreeSet<ConnId>,
    /// Listening sockets that had to be left alone, and until when.
    postponed: BTreeSet<ConnId>,
    accept_again: Option<Instant>,
    /// Descriptors for what can't be done without.
    reserve: Reserve,
    rest: Rest,
    next: u64,
    buffer: Vec<u8>,
    /// The machine may want more than was carried out.
    unfinished: bool,
    over: bool,
}

impl<M: Machine> Reactor<M> {
    /// A loop that drives `machine`. `signals` delivers TERM, INT and CHLD.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(machine: M, signals: SignalFd) -> io::Result<Self> {
        let mut reactor = Reactor {
            poll: Poll::new()?,
            machine,
            sources: BTreeMap::new(),
            readable: BTreeSet::new(),
            unpolled: BTreeSet::new(),
            silent: BTreeSet::new(),
            ending: BTreeSet::new(),
            hung_up: BTreeSet::new(),
            closing: BTreeMap::new(),
            unflushed: BTreeSet::new(),
            postponed: BTreeSet::new(),
            accept_again: None,
            reserve: Reserve::new()?,
            rest: Rest::new()?,
            next: 0,
            // What is not used takes no memory: it is zero.
            buffer: vec![0; MAX_MESSAGE.max(BUFFER)],
            unfinished: false,
            over: false,
        };
        reactor.add(Source::Signals(signals))?;
        reactor.add(Source::Rest(reactor.rest.raw()))?;
        Ok(reactor)
    }

    /// Takes over a non-blocking descriptor.
    ///
    /// # Errors
    /// What the system says.
    pub fn adopt(&mut self, errand: Errand, descriptor: OwnedFd, kind: Kind) -> io::Result<()> {
        let conn = self.add_connection(descriptor, kind)?;
        self.machine.adopted(errand, Ok(conn));
        Ok(())
    }

    /// Takes over a companion process.
    ///
    /// # Errors
    /// What the system says.
    pub fn adopt_companion(&mut self, errand: Errand, companion: Companion) -> io::Result<()> {
        let conn = self.add_connection(companion.socket, Kind::Messages)?;
        self.machine.spawned(errand, Ok(companion.pid.as_raw()));
        self.machine.adopted(errand, Ok(conn));
        Ok(())
    }

    /// Runs until the machine is over. `tell` is told what the process has to know.
    ///
    /// # Errors
    /// What the system says about waiting: nothing can go on without.
    pub fn run(mut self, mut tell: impl FnMut(Told)) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.over {
            self.turn(&mut events, &mut tell)?;
        }
        Ok(())
    }

    /// Waits until something happens, and deals with it.
    fn turn(&mut self, events: &mut Events, tell: &mut impl FnMut(Told)) -> io::Result<()> {
        let timeout = self.timeout();
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        self.machine.time(Instant::now(), clock::wall());
        self.expire();
        if !self.reserve.refill() {
            self.make_room();
        }
        for conn in self.take_readable(events) {
            self.read(conn);
            self.machine.worked(Instant::now());
        }
        self.machine.settle();
        self.machine.worked(Instant::now());
        self.carry_out(tell);
        if !self.poll_new_ones() {
            self.machine.settle();
            self.carry_out(tell);
        }
        self.machine.worked(Instant::now());
        Ok(())
    }

    /// Has the connections polled that were taken in this turn and are still there. Returns whether that is possible for
    /// all; the others are lost.
    fn poll_new_ones(&mut self) -> bool {
        let mut all = true;
        for conn in std::mem::take(&mut self.unpolled) {
            let polled = self.sources.get(&conn).map_or(Ok(()), |source| self.register(conn, source));
            if let Err(error) = polled {
                self.say(Level::Error, format_args!("Can't poll a connection: {error}"));
                self.lose(conn);
                all = false;
            }
        }
        all
    }

    /// Notes what the kernel says. Returns the sources that there may be something to read from.
    fn take_readable(&mut self, events: &Events) -> BTreeSet<ConnId> {
        let mut readable = std::mem::take(&mut self.readable);
        for event in events {
            let conn = ConnId(event.token().0 as u64);
            if !self.sources.contains_key(&conn) {
                continue;
            }
            if is_readable(event) || self.is_connecting(conn) {
                readable.insert(conn);
            }
            if event.is_read_closed() || event.is_error() {
                self.ending.insert(conn);
            }
            if event.is_write_closed() || event.is_error() {
                self.hung_up.insert(conn);
            }
            if event.is_writable() {
                self.unflushed.insert(conn);
            }
        }
        readable
    }

    fn timeout(&mut self) -> Option<Duration> {
        if self.unfinished || !self.readable.is_empty() {
            return Some(Duration::ZERO);
        }
        let closing = self.closing.values().copied();
        // Nobody tells when there is room again.
        let refill = (!self.reserve.is_full()).then(|| clock::after(Instant::now(), SHORTAGE_PAUSE));
        let deadlines = closing.chain(self.accept_again).chain(refill).chain(self.machine.next_deadline());
        let deadline = deadlines.min();
        // The kernel counts milliseconds: rounded down, the last one would be spent turning.
        deadline.map(|deadline| {
            deadline.saturating_duration_since(Instant::now()).saturating_add(Duration::from_micros(999))
        })
    }

    fn expire(&mut self) {
        let now = Instant::now();
        if self.accept_again.is_some_and(|again| now >= again) {
            self.accept_again = None;
            self.readable.append(&mut self.postponed);
        }
        let overdue = self.closing.iter().filter(|(_, deadline)| now >= **deadline);
        for conn in overdue.map(|(&conn, _)| conn).collect::<Vec<_>>() {
            self.remove(conn);
        }
    }

    /// Gives up a connection because descriptors have run out. One that only waits for its peer to fetch the last bytes
    /// comes after all that the machine can do without. False if there is none.
    fn make_room(&mut self) -> bool {
        self.say(
            Level::Warn,
            format_args!("Hardly any descriptors are left: idle connections make room. {MORE_DESCRIPTORS}"),
        );
        if self.machine.make_room() {
            return true;
        }
        let oldest = self.closing.iter().min_by_key(|(_, deadline)| **deadline).map(|(&conn, _)| conn);
        oldest.into_iter().for_each(|conn| self.remove(conn));
        oldest.is_some()
    }

    /// Has it said why connections can't be taken or kept, unless it has been said often enough.
    fn say(&mut self, level: Level, text: fmt::Arguments<'_>) {
        self.machine.complain(level, text);
    }

    fn add(&mut self, source: Source) -> io::Result<ConnId> {
        let conn = self.next_id();
        self.register(conn, &source)?;
        self.sources.insert(conn, source);
        Ok(conn)
    }

    fn add_connection(&mut self, descriptor: OwnedFd, kind: Kind) -> io::Result<ConnId> {
        self.add(Source::Connection(Connection::new(descriptor, kind)))
    }

    /// Adds a connection that is polled after this turn, if it is still there.
    fn add_unpolled(&mut self, descriptor: OwnedFd) -> ConnId {
        let conn = self.next_id();
        self.sources.insert(conn, Source::Connection(Connection::new(descriptor, Kind::Stream)));
        self.unpolled.insert(conn);
        conn
    }

    fn next_id(&mut self) -> ConnId {
        let conn = ConnId(self.next);
        self.next = self.next.saturating_add(1);
        conn
    }

    /// Has the kernel announce what is there already, and what comes.
    fn register(&self, conn: ConnId, source: &Source) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&source.raw()), token(conn)?, source.interest())
    }

    /// What is polled for has changed. What is there already is announced once more.
    fn poll_again(&self, conn: ConnId) -> io::Result<()> {
        match self.sources.get(&conn) {
            Some(source) if !self.unpolled.contains(&conn) => {
                let registry = self.poll.registry();
                registry.reregister(&mut SourceFd(&source.raw()), token(conn)?, source.interest())
            }
            _ => Ok(()),
        }
    }

    /// The peer is gone.
    fn lose(&mut self, conn: ConnId) {
        self.remove(conn);
        self.machine.closed(conn);
    }

    fn remove(&mut self, conn: ConnId) {
        match self.forget(conn) {
            // Nobody else has a connection open: closed, it is not polled any more.
            Some(Source::Connection(_)) | None => {}
            Some(source) => self.deregister(&source),
        }
    }

    /// Forgets a descriptor and hands it out.
    fn take(&mut self, conn: ConnId) -> Option<Source> {
        let source = self.forget(conn)?;
        self.deregister(&source);
        Some(source)
    }

    fn deregister(&self, source: &Source) {
        // Fails only for what was never registered.
        let _ = self.poll.registry().deregister(&mut SourceFd(&source.raw()));
    }

    fn forget(&mut self, conn: ConnId) -> Option<Source> {
        self.closing.remove(&conn);
        self.readable.remove(&conn);
        self.unpolled.remove(&conn);
        self.silent.remove(&conn);
        self.ending.remove(&conn);
        self.hung_up.remove(&conn);
        self.unflushed.remove(&conn);
        self.rest.forget(conn);
        self.sources.remove(&conn)
    }
}

fn token(conn: ConnId) -> io::Result<Token> {
    usize::try_from(conn.0).map(Token).map_err(io::Error::other)
}

fn is_readable(event: &Event) -> bool {
    event.is_readable() || event.is_read_closed() || event.is_error()
}
