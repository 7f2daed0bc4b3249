// SPDX-License-Identifier: GPL-2.0-only
//! Connections to a daemon's sockets, for processes that may wait.
//!
//! Whoever listens may be stopped, or be another program: everything has a time and a size that it does not go beyond.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use crate::report::{Report, SCHEMA};
use crate::sys::socket::peer_credentials;

/// How often it is tried whether there is a place in the queue of connections.
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes of an answer that are read: more than a report about as many applications as there may be.
const MOST: usize = 256 << 20;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Why nobody has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// There is no socket.
    Absent,
    /// There is a socket, and nobody listens on it.
    Abandoned,
    /// Whoever asks may not.
    Forbidden,
    /// Nothing was said in time.
    Silent,
    /// The connection could not be made, or ended early.
    Lost(String),
    /// What came is no report, or one of another kind.
    Nonsense(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Absent | Unanswered::Abandoned => write!(f, "nobody listens there"),
            Unanswered::Forbidden => write!(f, "you may not ask: that is for root and for the tracing group"),
            Unanswered::Silent => write!(f, "it does not answer in time"),
            Unanswered::Lost(why) => write!(f, "{why}"),
            Unanswered::Nonsense(why) => write!(f, "what was answered can't be understood: {why}"),
        }
    }
}

impl std::error::Error for Unanswered {}

impl From<Errno> for Unanswered {
    fn from(error: Errno) -> Self {
        match error {
            Errno::ENOENT | Errno::ENOTDIR => Unanswered::Absent,
            Errno::ECONNREFUSED => Unanswered::Abandoned,
            Errno::EACCES | Errno::EPERM => Unanswered::Forbidden,
            other => Unanswered::Lost(other.desc().to_owned()),
        }
    }
}

impl From<io::Error> for Unanswered {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Unanswered::Silent,
            _ => Unanswered::Lost(error.to_string()),
        }
    }
}

/// A connection, and the pid of who listens; 0: not visible.
///
/// # Errors
/// Why there is none.
pub fn reach(path: &Path, deadline: Instant) -> Result<(UnixStream, i32), Unanswered> {
    let address = UnixAddr::new(path)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    loop {
        match connect(socket.as_raw_fd(), &address) {
            Ok(()) => break,
            Err(Errno::EAGAIN) if Instant::now() < deadline => sleep(PAUSE),
            Err(Errno::EAGAIN) => return Err(Unanswered::Silent),
            Err(error) => return Err(error.into()),
        }
    }
    let pid = peer_credentials(socket.as_fd()).map_or(0, |peer| peer.pid);
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok((stream, pid))
}

/// Reads to the end.
///
/// # Errors
/// Why the end was not reached.
pub fn read(stream: &mut UnixStream, deadline: Instant) -> Result<Vec<u8>, Unanswered> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; PIECE];
    while bytes.len() < MOST {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Unanswered::Silent);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(read) => bytes.extend_from_slice(piece.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Unanswered::Nonsense("it has no end".to_owned()))
}

/// The report that a daemon has sent.
///
/// # Errors
/// What is wrong with it.
pub fn understand(said: &[u8]) -> Result<Report, Unanswered> {
    if said.is_empty() {
        return Err(Unanswered::Nonsense("it said nothing: too much may be going on already".to_owned()));
    }
    let report: Report =
        serde_json::from_slice(said).map_err(|error| Unanswered::Nonsense(error.to_string()))?;
    if report.schema != SCHEMA {
        let text = format!("its version is {}, not {SCHEMA}", report.schema);
        return Err(Unanswered::Nonsense(text));
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_other_versions_are_read_as_far_as_they_are_alike() {
        let report = understand(
            br#"{"schema":1,"tomorrow":[1,{"a":null}],"sessions":[{"name":"s","life":"dreaming"}],"daemon":{}}"#,
        )
        .unwrap();
        assert_eq!(report.sessions[0].name, "s");
        assert_eq!(report.sessions[0].life, crate::report::Life::Unknown);
        for nonsense in ["", "{", "[]", r#"{"schema":2}"#, "{}"] {
            assert!(matches!(understand(nonsense.as_bytes()), Err(Unanswered::Nonsense(_))), "{nonsense}");
        }
    }
}
