// SPDX-License-Identifier: GPL-2.0-only
//! `flock(2)` without an owner that unlocks when it is dropped.
//!
//! Such a lock belongs to the open file, which a forked process shares: an explicit unlock by the parent
//! would take it away from the child. So it is released only by closing the last copy.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Tries to take the exclusive lock. False: another open file holds it.
///
/// # Errors
/// What `flock(2)` says, other than "would block".
pub fn try_exclusive(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: the call takes two numbers, and the descriptor is open for as long as it is borrowed.
    let done = unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if done == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) }
}
