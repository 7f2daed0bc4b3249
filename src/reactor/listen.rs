// SPDX-License-Identifier: GPL-2.0-only
//! Listening sockets: connections are taken from them, a bounded number in each turn. Who may connect is not decided
//! here; the machine is told who it is, as far as the kernel knows.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use log::Level;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{MORE_DESCRIPTORS, Reactor, Source};
use crate::sys::connection_owner::ConnectionOwners;
use crate::sys::socket::{is_shortage, peer_credentials};
use crate::turn::errand::Listener;
use crate::turn::ids::ConnId;
use crate::turn::machine::{Caller, Machine};

/// Connections taken from one listening socket in one turn.
const ACCEPTS: usize = 64;
/// Pause when no more connections can be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A non-blocking socket to which peers connect.
#[derive(Debug)]
pub enum Socket {
    /// In the file system.
    Unix(mio::net::UnixListener),
    /// At an address and a port. The kernel may be able to say whose processes connect.
    Tcp(TcpListener, Option<ConnectionOwners>),
}

impl From<UnixListener> for Socket {
    fn from(socket: UnixListener) -> Self {
        Socket::Unix(mio::net::UnixListener::from_std(socket))
    }
}

impl From<TcpListener> for Socket {
    fn from(socket: TcpListener) -> Self {
        Socket::Tcp(socket, None)
    }
}

impl Socket {
    pub(super) fn raw(&self) -> RawFd {
        match self {
            Socket::Unix(socket) => socket.as_raw_fd(),
            Socket::Tcp(socket, _) => socket.as_raw_fd(),
        }
    }

    /// Whether a connection can be taken. True if that can't be known.
    fn is_waited_at(&self) -> bool {
        let descriptor = match self {
            Socket::Unix(socket) => socket.as_fd(),
            Socket::Tcp(socket, _) => socket.as_fd(),
        };
        poll(&mut [PollFd::new(descriptor, PollFlags::POLLIN)], PollTimeout::ZERO) != Ok(0)
    }

    /// Takes the next connection.
    fn accept(&mut self) -> io::Result<Taken> {
        match self {
            Socket::Unix(socket) => socket.accept().map(|(stream, _)| Taken::Unix(stream.into())),
            Socket::Tcp(socket, owners) => {
                let (stream, address) = socket.accept()?;
                // Somebody who is not of this host, or is gone, is nobody's.
                let owner = owners.as_mut().and_then(|owners| owner(owners, &stream, address));
                Ok(Taken::Tcp(stream, Caller::Address(address, owner)))
            }
        }
    }
}

/// The user whose process has connected.
fn owner(owners: &mut ConnectionOwners, stream: &TcpStream, peer: SocketAddr) -> Option<u32> {
    match (peer, stream.local_addr().ok()?) {
        (SocketAddr::V4(peer), SocketAddr::V4(here)) => owners.owner(peer, here).ok().flatten(),
        _ => None,
    }
}

/// A connection that was just taken.
enum Taken {
    /// It does not wait.
    Unix(UnixStream),
    Tcp(TcpStream, Caller),
}

impl Taken {
    /// Makes it one that does not wait, and says who is at its other end.
    fn prepare(self) -> io::Result<(OwnedFd, Caller)> {
        match self {
            Taken::Unix(stream) => {
                let credentials = peer_credentials(stream.as_fd())?;
                Ok((stream.into(), Caller::Process(credentials)))
            }
            Taken::Tcp(stream, caller) => {
                stream.set_nonblocking(true)?;
                // What is sent is whole, and never waits for what was sent before it.
                stream.set_nodelay(true)?;
                Ok((stream.into(), caller))
            }
        }
    }
}

impl<M: Machine> Reactor<M> {
    /// Has connections taken from a non-blocking listening socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen(&mut self, listener: Listener, socket: Socket) -> io::Result<()> {
        self.add(Source::Listener(listener, socket)).map(drop)
    }

    pub(super) fn accept(&mut self, listening: ConnId) {
        for _ in 0..ACCEPTS {
            let Some(Source::Listener(listener, socket)) = self.sources.get_mut(&listening) else { return };
            let listener = *listener;
            match socket.accept() {
                Ok(taken) => {
                    if !self.take_in(listening, listener, taken) {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.machine.hears(listener, true);
                    return;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                // One that can be missed is closed at the end of this turn.
                Err(error) if is_shortage(&error) && self.make_room() => {
                    self.readable.insert(listening);
                    return;
                }
                Err(error) if is_shortage(&error) && self.reserve.lend_to_newcomer() => {}
                Err(error) => {
                    // Out of descriptors, most likely. Whoever waits is taken when some are free again.
                    let more = if is_shortage(&error) { MORE_DESCRIPTORS } else { "" };
                    let text = format_args!("Can't take connections for the moment: {error}. {more}");
                    self.say(Level::Error, text);
                    self.machine.hears(listener, false);
                    self.postponed.insert(listening);
                    self.accept_again = Instant::now().checked_add(ACCEPT_PAUSE);
                    return;
                }
            }
        }
        self.readable.insert(listening);
    }

    /// Takes in a connection. Returns whether there may be another one.
    fn take_in(&mut self, listening: ConnId, listener: Listener, taken: Taken) -> bool {
        let (descriptor, caller) = match taken.prepare() {
            Ok(prepared) => prepared,
            Err(error) => {
                self.say(Level::Warn, format_args!("Can't take a connection: {error}"));
                return true;
            }
        };
        let conn = self.add_unpolled(descriptor);
        self.machine.accepted(listener, conn, caller);
        if !self.machine.stands_alone(listener) {
            return true;
        }
        // Who connects has mostly said what it wants by now. That may be meant to come after what somebody before it has
        // said meanwhile, which is read first.
        let first = self.silent.is_empty();
        self.silent.insert(conn);
        if first {
            self.read(conn);
        }
        // Such peers mostly come one at a time, and to try in vain costs as much as to succeed.
        self.has_another(listening)
    }

    /// Whether somebody else waits to be taken.
    fn has_another(&self, listening: ConnId) -> bool {
        matches!(self.sources.get(&listening), Some(Source::Listener(_, socket)) if socket.is_waited_at())
    }

    /// Listens no more: whoever connects from now on is refused.
    pub(super) fn stop_listening(&mut self, listener: Listener) {
        let is_it = |source: &Source| matches!(source, Source::Listener(of, _) if *of == listener);
        self.sources.retain(|_, source| !is_it(source));
    }
}
