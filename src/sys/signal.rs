// SPDX-License-Identifier: GPL-2.0-only
//! Signals as bytes on a descriptor, and children that start with a clean signal state.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Blocks TERM, INT and CHLD and returns the descriptor on which they are read instead. PIPE is ignored.
///
/// # Errors
/// What `sigprocmask` or `signalfd` gives.
pub fn listen() -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    for number in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        set.add(number);
    }
    set.thread_block()?;
    ignore_pipe()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

fn ignore_pipe() -> io::Result<()> {
    // SAFETY: SIG_IGN installs no code of ours.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) }?;
    Ok(())
}

/// Makes `command` start with no signal blocked: a consumer daemon must see the TERM and INT sent to it.
pub fn start_unblocked(command: &mut Command) {
    let unblock = || SigSet::empty().thread_set_mask().map_err(io::Error::from);
    // SAFETY: between fork and exec the closure only calls sigprocmask, which is async-signal-safe.
    unsafe { command.pre_exec(unblock) };
}
