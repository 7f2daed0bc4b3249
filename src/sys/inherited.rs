// SPDX-License-Identifier: GPL-2.0-only
//! What a process has of whoever started it: variables and open descriptors, taken over so that programs which this
//! process starts do not have them, too.
//!
//! To be used at the very beginning only, by the one thread that there is, before anything else is opened.

use std::ffi::OsString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The first descriptor behind standard input, output and error.
const FIRST: RawFd = 3;

/// Takes a variable out of the environment.
pub fn variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name);
    // SAFETY: this process has one thread, so nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) };
    value
}

/// Takes over so many descriptors behind standard error. Programs that are started do not inherit them.
///
/// # Errors
/// One of them is not open. Then none is taken.
pub fn descriptors(count: usize) -> io::Result<Vec<OwnedFd>> {
    let count = RawFd::try_from(count).map_err(io::Error::other)?;
    let numbers = FIRST..FIRST.saturating_add(count);
    for number in numbers.clone() {
        // SAFETY: the call takes three numbers; it fails for a descriptor that is not open.
        if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: they are open, as was just seen, and nobody in this process has opened them: it has only begun.
    Ok(numbers.map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;
    use crate::sys::fork::{Fork, close_all_but, exit_now, fork};

    #[test]
    fn descriptors_are_taken_over_or_refused() {
        let Fork::Parent(child) = fork().unwrap() else {
            close_all_but(&[]);
            let nothing = descriptors(1).is_err() && descriptors(0).is_ok_and(|none| none.is_empty());
            let pipe = nix::unistd::pipe();
            let too_many = descriptors(3).is_err();
            let taken = descriptors(2).map(|both| both.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>());
            let good = nothing && pipe.is_ok() && too_many && taken.is_ok_and(|both| both == [3, 4]);
            std::mem::forget(pipe);
            exit_now(u8::from(!good));
        };
        assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
    }
}
