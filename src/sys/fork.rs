// SPDX-License-Identifier: GPL-2.0-only
//! Forking, and what a forked process does before anything else.
//!
//! It must never be used once the process has a second thread: the child would run with whatever locks
//! that thread held.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{ForkResult, Pid};

use super::socket;

/// Which side of the fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The process that forked, with the id of its new child.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Forks. The caller has one thread.
///
/// # Errors
/// What `fork(2)` says: no memory, or the limit of processes.
pub fn fork() -> io::Result<Fork> {
    // SAFETY: the daemon and its helper have one thread each, so the child holds no lock that nobody
    // will release, and everything that is allowed in the parent is allowed in the child.
    let side = unsafe { nix::unistd::fork() }.map_err(io::Error::from)?;
    Ok(match side {
        ForkResult::Parent { child } => Fork::Parent(child),
        ForkResult::Child => Fork::Child,
    })
}

/// A process of this program that has nothing of its parent's but one end of a socket.
#[derive(Debug)]
pub struct Companion {
    /// The parent's end: SOCK_SEQPACKET, nonblocking. At its end of file the companion is gone.
    pub socket: OwnedFd,
    /// Its process id, a child's.
    pub pid: Pid,
}

/// Forks a companion, which lives as long as `life` takes and exits with the status that it returns. The caller has one
/// thread.
///
/// # Errors
/// What the system says about a socket pair and a fork.
pub fn companion(life: impl FnOnce(OwnedFd) -> u8) -> io::Result<Companion> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    for socket in [&ours, &theirs] {
        socket::make_room_for_messages(socket.as_fd())?;
    }
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    match fork()? {
        Fork::Parent(pid) => Ok(Companion { socket: ours, pid }),
        Fork::Child => {
            // The daemon's lock in particular must not stay held by a companion that outlives it. What else the parent
            // owns is never dropped here: this does not return.
            close_all_but(&[theirs.as_fd()]);
            exit_now(life(theirs))
        }
    }
}

/// Ends the process without running destructors or exit handlers: in a forked process these belong to
/// the parent (they would remove its files and flush its buffers a second time).
pub fn exit_now(status: u8) -> ! {
    // SAFETY: `_exit` takes no pointer and does not return.
    unsafe { libc::_exit(i32::from(status)) }
}

/// Closes every descriptor above 2 but those in `keep`, for a process just forked.
///
/// The caller gives up every other descriptor it owns: an `OwnedFd` that is still held would later close
/// a number that may belong to something else by then.
pub fn close_all_but(keep: &[BorrowedFd<'_>]) {
    use std::os::fd::AsRawFd;
    let mut kept: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).filter(|fd| *fd > 2).collect();
    kept.sort_unstable();
    let mut first: libc::c_uint = 3;
    for fd in kept {
        let Ok(fd) = libc::c_uint::try_from(fd) else { continue };
        if fd > first {
            close_range(first, fd - 1);
        }
        first = fd.saturating_add(1);
    }
    close_range(first, libc::c_uint::MAX);
}

/// Closes `first..=last`; descriptors that are not open are skipped.
fn close_range(first: libc::c_uint, last: libc::c_uint) {
    // SAFETY: the call takes three numbers. It closes descriptors whose owners the caller has given up.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0 as libc::c_uint) };
    if done == 0 {
        return;
    }
    // Before Linux 5.9 there is no such call: ask the kernel which descriptors are open.
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<libc::c_uint> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for fd in open.into_iter().filter(|fd| (first..=last).contains(fd)) {
        let Ok(fd) = RawFd::try_from(fd) else { continue };
        // SAFETY: as above; the descriptor of the directory itself is closed by now, which only gives
        // EBADF because the process has one thread.
        unsafe { libc::close(fd) };
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;

    #[test]
    fn only_kept_descriptors_stay_open() {
        let (kept, _other) = nix::unistd::pipe().unwrap();
        let (dropped, _fourth) = nix::unistd::pipe().unwrap();
        let Fork::Parent(child) = fork().unwrap() else {
            use std::os::fd::AsRawFd;
            close_all_but(&[kept.as_fd()]);
            let open = |fd: RawFd| std::fs::read_link(format!("/proc/self/fd/{fd}")).is_ok();
            exit_now(u8::from(open(kept.as_raw_fd())) + 2 * u8::from(open(dropped.as_raw_fd())));
        };
        assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 1));
    }
}
