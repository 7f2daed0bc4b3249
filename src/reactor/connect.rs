// SPDX-License-Identifier: GPL-2.0-only
//! Connections that the daemon makes: begun without waiting, watched like any other once they are there, and handed out
//! again as they were before. What is said on them, and to whom, is not known here.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::connection::{Connection, Kind};
use super::{Reactor, Source};
use crate::turn::errand::Errand;
use crate::turn::ids::ConnId;
use crate::turn::machine::Machine;
use crate::turn::output::Address;

/// Connects to a socket in the file system. That does not take time: there is room for the connection, or it fails.
fn connect_unix(path: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(descriptor.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(descriptor)
}

/// Begins to connect to an address. Most of what can fail does so later.
fn begin_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    mio::net::TcpStream::connect(address).map(TcpStream::from)
}

/// Whether a connection is there now.
fn outcome(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Has a descriptor wait again: its next owner has the flags and timeouts of this very socket.
fn give_back(connection: Connection, timeout: Option<Duration>) -> io::Result<OwnedFd> {
    // These options are the same for all sockets.
    let stream = TcpStream::from(connection.into_descriptor());
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)?;
    Ok(stream.into())
}

impl<M: Machine> Reactor<M> {
    /// Begins to connect.
    pub(super) fn connect(&mut self, errand: Errand, to: &Address) {
        match to {
            Address::Unix(path) => {
                let made = self.reserve.insist(|| connect_unix(path));
                let made = made.and_then(|socket| self.add_connection(socket, Kind::Stream));
                let conn = made.as_ref().ok().copied();
                self.machine.connecting(errand, made);
                if let Some(conn) = conn {
                    self.machine.connected(conn, Ok(()));
                }
            }
            Address::Tcp(address) => {
                let begun = self.reserve.insist(|| begin_tcp(*address));
                let begun = begun.and_then(|stream| self.add(Source::Connecting(stream)));
                self.machine.connecting(errand, begun);
            }
        }
    }

    pub(super) fn is_connecting(&self, conn: ConnId) -> bool {
        matches!(self.sources.get(&conn), Some(Source::Connecting(_)))
    }

    /// Something happened to a connection that is being made.
    pub(super) fn finish_connecting(&mut self, conn: ConnId) {
        let Some(Source::Connecting(stream)) = self.sources.get(&conn) else { return };
        match outcome(stream) {
            Ok(false) => {}
            Ok(true) => {
                if let Some(Source::Connecting(stream)) = self.sources.remove(&conn) {
                    let mut connection = Connection::new(stream.into(), Kind::Stream);
                    // It was polled for room to find out that it is there.
                    connection.lacks_room = true;
                    self.sources.insert(conn, Source::Connection(connection));
                    self.watch_for_room(conn, false);
                }
                // What came with it will not be announced again.
                self.readable.insert(conn);
                self.machine.connected(conn, Ok(()));
            }
            Err(error) => {
                self.remove(conn);
                self.machine.connected(conn, Err(error));
            }
        }
    }

    /// Stops looking after connections. All are closed if one is lost.
    pub(super) fn hand_out(
        &mut self,
        conns: &[ConnId],
        timeout: Option<Duration>,
    ) -> io::Result<Vec<OwnedFd>> {
        let taken: Vec<Option<Source>> = conns.iter().map(|&conn| self.take(conn)).collect();
        let given = taken.into_iter().map(|source| match source {
            Some(Source::Connection(connection)) => give_back(connection, timeout),
            _ => Err(ErrorKind::NotConnected.into()),
        });
        given.collect()
    }
}
