// SPDX-License-Identifier: GPL-2.0-only
//! The poll loop: the only place where the daemon waits.
//!
//! One turn: wait for the kernel; read what is there, a bounded amount from each peer; let the daemon settle;
//! carry out what it wants. Nothing here knows what the bytes mean.

pub mod children;
mod connection;
mod inspect;
mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use self::children::{ConsumerConnections, ConsumerProgram};
use self::connection::{Connection, Flushed, Kind};
use crate::daemon::Daemon;
use crate::sys::clock;
use crate::sys::socket::peer_credentials;
use crate::turn::ids::{ConnId, ConsumerKind};
use crate::turn::output::{Listener, Output};

/// Bytes read at once.
const BUFFER: usize = 64 << 10;
/// Reads from one peer in one turn.
const READS: usize = 8;
/// Reads from one peer before something else that it sent later: more than a socket holds, and not without end.
const FIRST_READS: usize = 64;
/// Connections taken from one listening socket in one turn.
const ACCEPTS: usize = 64;
/// Pause when no more connections can be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a peer may take to fetch its last bytes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Events taken from the kernel at once.
const EVENTS: usize = 16;

/// What stands behind a token.
#[derive(Debug)]
enum Source {
    Signals(SignalFd),
    Listener(Listener, UnixListener),
    Connection(Connection),
    /// A connection to a relay daemon that is being made.
    Connecting(TcpStream),
}

/// The loop and everything that it looks after.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    daemon: Daemon,
    sources: BTreeMap<ConnId, Source>,
    programs: BTreeMap<ConsumerKind, ConsumerProgram>,
    /// Sources that may have more to read, although the kernel will not say so again.
    readable: BTreeSet<ConnId>,
    /// Connections whose peer will send nothing more: they are read to their end.
    ending: BTreeSet<ConnId>,
    /// Connections to be closed when all is sent, or at this time.
    closing: BTreeMap<ConnId, Instant>,
    /// Connections with something new to write.
    unflushed: BTreeSet<ConnId>,
    /// Listening sockets that had to be left alone, and until when.
    postponed: BTreeSet<ConnId>,
    accept_again: Option<Instant>,
    next: u64,
    buffer: Vec<u8>,
    over: bool,
}

impl Reactor {
    /// A loop around `daemon`. `signals` delivers TERM, INT and CHLD.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(
        daemon: Daemon,
        signals: SignalFd,
        programs: BTreeMap<ConsumerKind, ConsumerProgram>,
    ) -> io::Result<Self> {
        let mut reactor = Reactor {
            poll: Poll::new()?,
            daemon,
            sources: BTreeMap::new(),
            programs,
            readable: BTreeSet::new(),
            ending: BTreeSet::new(),
            closing: BTreeMap::new(),
            unflushed: BTreeSet::new(),
            postponed: BTreeSet::new(),
            accept_again: None,
            next: 0,
            buffer: vec![0; BUFFER],
            over: false,
        };
        reactor.add(Source::Signals(signals))?;
        Ok(reactor)
    }

    /// Has connections taken from a non-blocking listening socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen(&mut self, listener: Listener, socket: UnixListener) -> io::Result<()> {
        self.add(Source::Listener(listener, socket)).map(drop)
    }

    /// Takes over the connection to the helper process.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect_helper(&mut self, socket: OwnedFd) -> io::Result<()> {
        let conn = self.add_connection(socket, Kind::Messages)?;
        self.daemon.state().helper_connected(conn);
        Ok(())
    }

    /// Runs until the daemon is over. `stopped` is told of each socket that is not listened to any more.
    ///
    /// # Errors
    /// What the system says about waiting: nothing can go on without.
    pub fn run(mut self, mut stopped: impl FnMut(Listener)) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.over {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.daemon.time(Instant::now(), clock::wall());
            self.expire();
            let mut turn = std::mem::take(&mut self.readable);
            for event in &events {
                let conn = ConnId(event.token().0 as u64);
                if is_readable(event) {
                    turn.insert(conn);
                }
                if event.is_read_closed() || event.is_error() {
                    self.ending.insert(conn);
                }
                if event.is_writable() {
                    self.unflushed.insert(conn);
                }
                if self.is_connecting(conn) {
                    turn.insert(conn);
                }
            }
            for conn in turn {
                self.read(conn);
            }
            self.daemon.settle();
            self.carry_out(&mut stopped);
        }
        Ok(())
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.readable.is_empty() {
            return Some(Duration::ZERO);
        }
        let closing = self.closing.values().copied();
        let deadline = closing.chain(self.accept_again).chain(self.daemon.next_deadline()).min();
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

    fn add(&mut self, source: Source) -> io::Result<ConnId> {
        let conn = ConnId(self.next);
        let token = Token(usize::try_from(self.next).map_err(io::Error::other)?);
        self.next = self.next.saturating_add(1);
        let (raw, interest) = match &source {
            Source::Signals(signals) => (signals.as_fd().as_raw_fd(), Interest::READABLE),
            Source::Listener(_, socket) => (socket.as_raw_fd(), Interest::READABLE),
            Source::Connection(connection) => {
                (connection.descriptor().as_raw_fd(), Interest::READABLE | Interest::WRITABLE)
            }
            Source::Connecting(stream) => (stream.as_raw_fd(), Interest::READABLE | Interest::WRITABLE),
        };
        self.poll.registry().register(&mut SourceFd(&raw), token, interest)?;
        self.sources.insert(conn, source);
        Ok(conn)
    }

    fn add_connection(&mut self, descriptor: OwnedFd, kind: Kind) -> io::Result<ConnId> {
        self.add(Source::Connection(Connection::new(descriptor, kind)))
    }

    fn read(&mut self, conn: ConnId) {
        match self.sources.get(&conn) {
            None => {}
            Some(Source::Signals(_)) => self.read_signals(conn),
            Some(Source::Listener(..)) => self.accept(conn),
            Some(Source::Connecting(_)) => self.finish_connecting(conn),
            Some(Source::Connection(_)) => self.read_connection(conn, READS),
        }
    }

    fn read_connection(&mut self, conn: ConnId, reads: usize) {
        for _ in 0..reads {
            let Some(Source::Connection(connection)) = self.sources.get(&conn) else { return };
            let is_stream = connection.is_stream();
            let mut descriptors = Vec::new();
            let mut read = connection.read(&mut self.buffer, &mut descriptors);
            if let Some(first) = connection.read_first
                && !matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock)
            {
                read = self.read_first(first, read);
            }
            match read {
                Ok(0) => return self.lose(conn),
                Ok(count) => {
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    // Less than there was room for is all there was, unless descriptors cut it short. More will be
                    // announced; only the end, if it was announced already, will not be again.
                    let all = count < BUFFER && descriptors.is_empty() && is_stream;
                    self.daemon.received(conn, bytes, descriptors);
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
                        self.daemon.state().child_ended(pid);
                    }
                }
                Ok(_) => self.daemon.end(),
                Err(_) => {}
            }
        }
    }

    fn accept(&mut self, conn: ConnId) {
        for _ in 0..ACCEPTS {
            let Some(Source::Listener(listener, socket)) = self.sources.get(&conn) else { return };
            let listener = *listener;
            match socket.accept() {
                Ok((peer, _)) => {
                    let accepted = peer_credentials(peer.as_fd()).and_then(|credentials| {
                        peer.set_nonblocking(true)?;
                        Ok((self.add_connection(peer.into(), Kind::Stream)?, credentials))
                    });
                    match accepted {
                        Ok((conn, credentials)) => self.daemon.accepted(listener, conn, credentials),
                        Err(error) => log::warn!("Can't take a connection: {error}"),
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of descriptors, most likely. Whoever waits is taken when some are free again.
                    log::error!("Can't take connections for the moment: {error}");
                    self.postponed.insert(conn);
                    self.accept_again = Instant::now().checked_add(ACCEPT_PAUSE);
                    return;
                }
            }
        }
        self.readable.insert(conn);
    }

    /// The peer is gone.
    fn lose(&mut self, conn: ConnId) {
        self.remove(conn);
        self.daemon.closed(conn);
    }

    fn remove(&mut self, conn: ConnId) {
        drop(self.take(conn));
    }

    /// Forgets a descriptor and hands it out.
    fn take(&mut self, conn: ConnId) -> Option<Source> {
        let source = self.sources.remove(&conn);
        let raw = match &source {
            Some(Source::Connection(connection)) => Some(connection.descriptor().as_raw_fd()),
            Some(Source::Connecting(stream)) => Some(stream.as_raw_fd()),
            _ => None,
        };
        if let Some(raw) = raw {
            // Fails only for what was never registered.
            let _ = self.poll.registry().deregister(&mut SourceFd(&raw));
        }
        self.closing.remove(&conn);
        self.readable.remove(&conn);
        self.ending.remove(&conn);
        self.unflushed.remove(&conn);
        source
    }

    /// Carries out what the daemon wants, until it wants nothing more.
    fn carry_out(&mut self, stopped: &mut impl FnMut(Listener)) {
        loop {
            let outputs = self.daemon.take_outputs();
            if outputs.is_empty() && self.unflushed.is_empty() {
                return;
            }
            for output in outputs {
                self.carry_out_one(output, stopped);
            }
            for conn in std::mem::take(&mut self.unflushed) {
                self.flush(conn);
            }
            self.daemon.settle();
        }
    }

    fn carry_out_one(&mut self, output: Output, stopped: &mut impl FnMut(Listener)) {
        match output {
            Output::Send { to, bytes, descriptors } => {
                if let Some(Source::Connection(connection)) = self.sources.get_mut(&to) {
                    connection.queue(bytes, descriptors);
                    self.unflushed.insert(to);
                }
            }
            Output::Supply { to, supply } => {
                if let Some(Source::Connection(connection)) = self.sources.get_mut(&to) {
                    connection.queue_supply(supply);
                    self.unflushed.insert(to);
                }
            }
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
            Output::SpawnConsumer(kind) => {
                let program = self.programs.get(&kind);
                let result = program.map_or(Err(ErrorKind::NotFound.into()), ConsumerProgram::start);
                self.daemon.state().consumer_spawned(kind, result);
            }
            Output::ConnectConsumer { kind, path } => {
                let result = ConsumerConnections::make(&path).and_then(|made| {
                    let command = self.add_connection(made.command, Kind::Stream)?;
                    let metadata = self.add_connection(made.metadata, Kind::Stream)?;
                    let samples = self.add_connection(made.samples, Kind::Pipe)?;
                    Ok(([command, metadata, samples], made.samples_in))
                });
                self.daemon.state().consumer_connected(kind, result);
            }
            Output::ConnectRelay { end, address } => {
                let result = relay::begin(address).and_then(|stream| self.add(Source::Connecting(stream)));
                self.daemon.state().relay_connecting(end, result);
            }
            Output::HandOver { end, conns, timeout } => {
                let result = self.hand_over(conns, timeout);
                self.daemon.state().handed_over(end, result);
            }
            Output::Kill(pid) => children::kill(pid),
            Output::Inspect { conn, pid } => self.daemon.state().inspected(conn, inspect::inspect(pid)),
            Output::StopListening(listener) => {
                let is_it = |source: &Source| matches!(source, Source::Listener(of, _) if *of == listener);
                self.sources.retain(|_, source| !is_it(source));
                stopped(listener);
            }
            Output::Exit => self.over = true,
        }
    }

    fn flush(&mut self, conn: ConnId) {
        let Some(Source::Connection(connection)) = self.sources.get_mut(&conn) else { return };
        let closing = self.closing.contains_key(&conn);
        match connection.flush() {
            Flushed::Everything if closing => self.remove(conn),
            Flushed::Everything | Flushed::Partly => {}
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

fn is_readable(event: &Event) -> bool {
    event.is_readable() || event.is_read_closed() || event.is_error()
}
