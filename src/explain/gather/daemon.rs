// SPDX-License-Identifier: GPL-2.0-only
//! Daemons, asked: how they are, on the status socket, and what their applications offer, as any client does.
//!
//! Each may be stopped, or be another program: everything has a time and a size that it does not go beyond.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lttng_protocol::client::{Body, Domain, Event, Instrumentation, Reply};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::super::evidence::{Offer, Reach};
use crate::report::Report;
use crate::sys::socket::peer_credentials;

/// How long a daemon may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take to list tracepoints: it gives its applications five seconds.
const PATIENCE_WITH_LISTS: Duration = Duration::from_secs(8);
/// How often it is tried whether there is a place in the queue of connections.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest answer, in bytes.
const MOST: u64 = 256 << 20;

/// A connection, and the pid of who listens; 0: not visible.
fn reach(path: &Path, deadline: Instant) -> Result<(UnixStream, i32), Reach> {
    let failed = |error: Errno| match error {
        Errno::ENOENT | Errno::ENOTDIR => Reach::Absent,
        Errno::EACCES | Errno::EPERM => Reach::Denied,
        Errno::ECONNREFUSED => Reach::Abandoned,
        other => Reach::Failed(other.desc().to_owned()),
    };
    let address = UnixAddr::new(path).map_err(failed)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed)?;
    loop {
        match connect(socket.as_raw_fd(), &address) {
            Ok(()) => break,
            Err(Errno::EAGAIN) if Instant::now() < deadline => sleep(PAUSE),
            Err(Errno::EAGAIN) => return Err(Reach::Silent),
            Err(error) => return Err(failed(error)),
        }
    }
    let pid = peer_credentials(socket.as_fd()).map_or(0, |peer| peer.pid);
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false).map_err(|error| Reach::Failed(error.to_string()))?;
    Ok((stream, pid))
}

/// Reads to the end, or so many bytes.
fn read(stream: &mut UnixStream, most: u64, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    while (bytes.len() as u64) < most {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let wanted = usize::try_from(most - bytes.len() as u64).unwrap_or(usize::MAX).min(piece.len());
        match stream.read(piece.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => return Ok(bytes),
            Ok(read) => bytes.extend_from_slice(piece.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// What a daemon says on its status socket, and its pid.
pub fn ask_status(path: &Path) -> (Reach, Option<Report>, Option<i32>) {
    let deadline = Instant::now() + PATIENCE;
    let (mut stream, pid) = match reach(path, deadline) {
        Ok(reached) => reached,
        Err(reach) => return (reach, None, None),
    };
    let pid = (pid > 0).then_some(pid);
    match read(&mut stream, MOST, deadline) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(report) => (Reach::Answered, Some(report), pid),
            Err(error) => (Reach::Failed(error.to_string()), None, pid),
        },
        Err(error) if is_late(&error) => (Reach::Silent, None, pid),
        Err(error) => (Reach::Failed(error.to_string()), None, pid),
    }
}

/// Whether somebody answers at a client socket, and who. Nothing is asked: who gives no report may be slow.
pub fn try_clients(path: &Path) -> (Reach, Option<i32>) {
    match reach(path, Instant::now() + PATIENCE) {
        Ok((_, pid)) => (Reach::Answered, (pid > 0).then_some(pid)),
        Err(reach) => (reach, None),
    }
}

/// The tracepoints of all applications.
///
/// # Errors
/// Why they are not known.
pub fn list_tracepoints(path: &Path) -> Result<Vec<Offer>, String> {
    let deadline = Instant::now() + PATIENCE_WITH_LISTS;
    let failed = |error: &io::Error| match is_late(error) {
        true => "The daemon did not list them in time; an application may be keeping it waiting.".to_owned(),
        false => format!("The daemon could not be asked: {error}."),
    };
    let (mut stream, _) = reach(path, deadline).map_err(|why| match why {
        Reach::Denied => "You may not ask the daemon for them.".to_owned(),
        Reach::Failed(why) => format!("The daemon can't be asked: {why}."),
        _ => "The daemon can't be asked.".to_owned(),
    })?;
    let (header, body) = Body::ListTracepoints.encode("", Domain::Ust as u32, 0);
    stream.set_write_timeout(Some(PATIENCE)).map_err(|error| failed(&error))?;
    stream.write_all(&[header.encode(), body].concat()).map_err(|error| failed(&error))?;
    let bytes = read(&mut stream, MOST, deadline).map_err(|error| failed(&error))?;
    let strange = |why: &dyn std::fmt::Display| format!("The daemon's list can't be understood: {why}.");
    let reply = Reply::decode(&bytes).map_err(|error| strange(&error))?;
    if reply.header.is_none() {
        return Err(format!("The daemon lists none: {}.", reply.code.text()));
    }
    let events = reply.elements(Event::decode).map_err(|error| strange(&error))?;
    let offer = |event: &Event| Offer { pid: event.pid, name: event.name.to_string(), level: event.loglevel };
    let is_tracepoint = |event: &&Event| matches!(event.instrumentation, Instrumentation::Tracepoint);
    Ok(events.iter().filter(is_tracepoint).map(offer).collect())
}
