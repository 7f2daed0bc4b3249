// SPDX-License-Identifier: GPL-2.0-only
//! The run-as process: path operations under a user's identity.
//!
//! A path may lead to a network file system that answers never, and only a process of its own can have
//! the identity of a user. So the daemon forks a helper before it has opened anything, and another one when that dies;
//! the helper forks a child for each request: one dead file system stops only the operations that go there, and a
//! child that became a user never comes back. A child does not outlive its helper: what it had not answered is asked
//! again.
//!
//! The helper's own code must never touch a path. The daemon's side is a nonblocking SOCK_SEQPACKET
//! socket, one message for each request and response; it must never wait here.

mod chunk;
pub mod companion;
pub mod link;
mod metadata;
pub mod names;
mod probe;
pub mod request;
mod save;
mod shared_memory;
mod worker;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, getpid};

use request::MAX_DESCRIPTORS;
pub use request::{FileStart, MAX_MESSAGE, Malformed, PathJob, ProbeLookup, Request, Response};
pub use worker::AccountFiles;

pub use crate::sys::fork::Companion;
use crate::sys::fork::{Fork, companion, exit_now, fork};
use crate::sys::signal;
use crate::sys::socket::{self, Received};

/// Operations of one user at the same time; more are answered with EAGAIN. A dead file system costs one
/// process for each operation that hangs.
const MAX_PER_USER: usize = 256;
/// Operations of all users at the same time.
const MAX_OPERATIONS: usize = 1024;

/// The name that `ps` shows, that of the original's.
const PROCESS_NAME: &std::ffi::CStr = c"lttng-runas";

/// Starts the first helper. To be called right after the daemon went to the background, before it opens anything and
/// while it has one thread. Its successors, if it dies, are forked from the running daemon and live the same [`life`].
///
/// # Errors
/// What the system says about a socket pair and a fork.
pub fn start() -> io::Result<Companion> {
    start_with(AccountFiles::system())
}

/// [`start`] with other files of users and groups.
///
/// # Errors
/// See [`start`].
pub fn start_with(accounts: AccountFiles) -> io::Result<Companion> {
    companion(move |socket| u8::from(serve(socket, &accounts).is_err()))
}

/// What a helper does, from its fork to its end, and the status with which it exits.
pub fn life(socket: OwnedFd) -> u8 {
    u8::from(serve(socket, &AccountFiles::system()).is_err())
}

/// The helper's life.
fn serve(socket: OwnedFd, accounts: &AccountFiles) -> io::Result<()> {
    nix::sys::prctl::set_name(PROCESS_NAME)?;
    signal::prepare_helper()?;
    // Not to keep the folder busy in which the daemon was started.
    chdir("/")?;
    umask(Mode::empty());
    let mut watched = SigSet::empty();
    watched.add(Signal::SIGCHLD);
    let children = SignalFd::with_flags(&watched, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let mut zygote = Zygote { socket, children, accounts, running: HashMap::new() };
    while zygote.turn()? {}
    Ok(())
}

/// What a child works on.
struct Running {
    id: u64,
    uid: u32,
}

/// The process that forks a child for each request, and never does anything else.
struct Zygote<'a> {
    socket: OwnedFd,
    children: SignalFd,
    accounts: &'a AccountFiles,
    running: HashMap<Pid, Running>,
}

impl Zygote<'_> {
    /// Waits and does what there is to do. False: the daemon is gone. Children that still hang in the
    /// system are left to init.
    fn turn(&mut self) -> io::Result<bool> {
        let mut watched = [
            PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut watched, PollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok(true),
            other => other?,
        };
        let [children, socket] = watched.map(|fd| fd.any().unwrap_or(true));
        if children {
            while self.children.read_signal()?.is_some() {}
            self.reap()?;
        }
        if socket { self.receive() } else { Ok(true) }
    }

    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; MAX_MESSAGE];
        let mut descriptors = Vec::new();
        let received =
            socket::receive_message(self.socket.as_fd(), &mut buffer, MAX_DESCRIPTORS, &mut descriptors);
        let received = match received {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
            Ok(Received { bytes: 0, .. }) => return Ok(false),
            other => other?,
        };
        let Some(message) = buffer.get(..received.bytes) else {
            let id = Request::decode_id(&buffer).map_err(io::Error::other)?;
            self.refuse(id, libc::ENAMETOOLONG)?;
            return Ok(true);
        };
        // Only the daemon writes here: what does not decode is a fault in this program.
        let request = Request::decode(message).map_err(io::Error::other)?;
        if received.truncated {
            self.refuse(request.id, libc::EMFILE)?;
        } else {
            self.launch(&request, descriptors)?;
        }
        Ok(true)
    }

    /// Forks a child that does it. What came with it is the child's, and closed here.
    fn launch(&mut self, request: &Request, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let of_user = self.running.values().filter(|running| running.uid == request.uid).count();
        if of_user >= MAX_PER_USER || self.running.len() >= MAX_OPERATIONS {
            return self.refuse(request.id, libc::EAGAIN);
        }
        let helper = getpid();
        match fork() {
            Ok(Fork::Parent(pid)) => {
                self.running.insert(pid, Running { id: request.id, uid: request.uid });
                Ok(())
            }
            Ok(Fork::Child) => {
                let done = worker::run(self.socket.as_fd(), request, descriptors, self.accounts, helper);
                exit_now(u8::from(done.is_err()))
            }
            Err(error) => self.refuse(request.id, error.raw_os_error().unwrap_or(libc::EAGAIN)),
        }
    }

    /// Answers for the children that did not live to do it.
    fn reap(&mut self) -> io::Result<()> {
        loop {
            let (pid, answered) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) => (pid, status == 0),
                Ok(WaitStatus::Signaled(pid, ..)) => (pid, false),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let ended = self.running.remove(&pid);
            if let Some(running) = ended.filter(|_| !answered) {
                self.refuse(running.id, libc::EIO)?;
            }
        }
    }

    fn refuse(&self, id: u64, error: i32) -> io::Result<()> {
        worker::respond(self.socket.as_fd(), id, Err(error))
    }
}

#[cfg(test)]
mod tests;
