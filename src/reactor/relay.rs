// SPDX-License-Identifier: GPL-2.0-only
//! Connections to relay daemons: made without waiting, watched like any other, and given back as they were before.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::connection::{Connection, Kind};
use super::{Reactor, Source};
use crate::turn::ids::ConnId;

/// Begins to connect.
///
/// # Errors
/// What the system says at once; most of it comes later.
pub fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    mio::net::TcpStream::connect(address).map(TcpStream::from)
}

/// Whether a connection is there now.
fn outcome(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Has a descriptor wait again. The consumer daemon has the flags and timeouts of this very socket.
fn give_back(connection: Connection, timeout: Option<Duration>) -> io::Result<OwnedFd> {
    let stream = TcpStream::from(connection.into_descriptor());
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)?;
    Ok(stream.into())
}

impl Reactor {
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
                    let connection = Connection::new(stream.into(), Kind::Stream);
                    self.sources.insert(conn, Source::Connection(connection));
                }
                // What came with it will not be announced again.
                self.readable.insert(conn);
                self.daemon.state().connected(conn);
            }
            Err(error) => {
                log::error!("Can't connect to a relay daemon: {error}");
                self.lose(conn);
            }
        }
    }

    /// Stops looking after both connections. Both are closed if one is lost.
    pub(super) fn hand_over(
        &mut self,
        conns: [ConnId; 2],
        timeout: Option<Duration>,
    ) -> io::Result<[OwnedFd; 2]> {
        let [control, data] = conns.map(|conn| match self.take(conn) {
            Some(Source::Connection(connection)) => give_back(connection, timeout),
            _ => Err(io::ErrorKind::NotConnected.into()),
        });
        Ok([control?, data?])
    }
}
