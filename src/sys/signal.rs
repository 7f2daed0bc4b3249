// SPDX-License-Identifier: GPL-2.0-only
//! What becomes of signals: in the daemon, in its helper, and in the programs that it starts.
//!
//! A process inherits which signals are ignored and which are blocked, and supervisors, shells and `nohup` hand on the
//! oddest combinations. So each of the three says what it wants of every signal, and relies on nothing it was given.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Read from a descriptor by the daemon.
const AWAITED: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD];

/// Would end a process that does nothing about them, and tell this one nothing: whoever sends them means somebody else,
/// or a terminal, a timer or a limit that does not matter. Those of the real-time signals are ignored, too.
const IDLE: [Signal; 12] = [
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPIPE,
    Signal::SIGPWR,
    Signal::SIGSTKFLT,
    // The system call that went over the limit fails, which is noticed where it matters.
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
];

/// Signals have numbers below this.
const END: libc::c_int = 65;

/// The first real-time signal that programs with glibc can send by name. musl keeps this one for itself, too, for processes
/// with several threads; whoever sends it to this one does not know that.
const FIRST_REAL_TIME: libc::c_int = 34;

/// The beginning of the daemon, before it does anything that can fail: TERM and INT that come from now on are not lost,
/// but read once [`listen`] has made the descriptor.
///
/// # Errors
/// What `sigprocmask` gives.
pub fn prepare_daemon() -> io::Result<()> {
    set_dispositions(|number| IDLE.iter().any(|idle| *idle as libc::c_int == number) || is_real_time(number));
    set_mask(&AWAITED)
}

/// The beginning of the helper, which lives exactly as long as its socket: a terminal's Ctrl-C reaches it, too, while
/// the daemon still needs it in order to end. Only CHLD is blocked, to be read from a descriptor.
///
/// # Errors
/// What `sigprocmask` gives.
pub fn prepare_helper() -> io::Result<()> {
    let outlived = [Signal::SIGTERM, Signal::SIGINT];
    set_dispositions(|number| {
        let idle = IDLE.iter().chain(&outlived).any(|idle| *idle as libc::c_int == number);
        idle || is_real_time(number)
    });
    set_mask(&[Signal::SIGCHLD])
}

/// The descriptor on which TERM, INT and CHLD are read, blocked from now on at the latest.
///
/// # Errors
/// What `sigprocmask` or `signalfd` gives.
pub fn listen() -> io::Result<SignalFd> {
    set_mask(&AWAITED)?;
    Ok(SignalFd::with_flags(&set_of(&AWAITED), SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Makes `command` start as if from a login: nothing ignored, nothing blocked. A consumer daemon must see the TERM and
/// INT sent to it.
pub fn start_afresh(command: &mut Command) {
    let afresh = || {
        set_dispositions(|_| false);
        set_mask(&[])
    };
    // SAFETY: between fork and exec the closure only calls sigaction and sigprocmask, which are async-signal-safe.
    unsafe { command.pre_exec(afresh) };
}

fn is_real_time(number: libc::c_int) -> bool {
    number >= FIRST_REAL_TIME
}

/// Ignores the signals that `ignored` says, and has the default done for all others that were ignored. Handlers, which
/// only the runtime has and which no program inherits, stay.
///
/// There is nothing to be done about failures: they mean that a signal can't be caught (KILL, STOP).
fn set_dispositions(ignored: impl Fn(libc::c_int) -> bool) {
    for number in 1..END {
        match (is_ignored(number), ignored(number)) {
            (false, true) => dispose(number, libc::SIG_IGN),
            (true, false) => dispose(number, libc::SIG_DFL),
            _ => {}
        }
    }
}

/// The kernel's `struct sigaction`, whatever the architecture: the handler is first on all that this is built for, and what
/// follows (flags, a restorer on some of them, 8 bytes of mask) is 0 for a handler that is no code.
type Action = [usize; 8];

/// Bytes of the kernel's set of signals.
const SET_LEN: usize = 8;

/// Asks the kernel: a C library says nothing of the signals that it keeps for itself, and changes nothing of them.
fn is_ignored(number: libc::c_int) -> bool {
    let mut now: Action = [0; 8];
    let none = std::ptr::null::<Action>();
    // SAFETY: nothing is changed; the second pointer is valid for the call, and what it points to is larger than what is
    // written there.
    let known = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, none, &raw mut now, SET_LEN) } == 0;
    known && now.first() == Some(&libc::SIG_IGN)
}

/// Has a signal ignored, or the default done.
fn dispose(number: libc::c_int, handler: libc::sighandler_t) {
    let action: Action = [handler, 0, 0, 0, 0, 0, 0, 0];
    let none = std::ptr::null_mut::<Action>();
    // SAFETY: the first pointer is valid for the call; "ignore" and "default" are no code of ours, so that no flag and no
    // restorer is needed.
    let _ = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, &raw const action, none, SET_LEN) };
}

fn set_mask(blocked: &[Signal]) -> io::Result<()> {
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&set_of(blocked)), None)?)
}

fn set_of(signals: &[Signal]) -> SigSet {
    signals.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;
    use crate::sys::emulation;
    use crate::sys::fork::{Fork, exit_now, fork};

    /// What the kernel says is blocked and ignored in the process that reads it, without what no program can send by name.
    fn state_in(status: &str) -> [u64; 2] {
        let own = 0b11 << (32 - 1);
        ["SigBlk:", "SigIgn:"].map(|name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap() & !own
        })
    }

    fn bits(signals: &[Signal]) -> u64 {
        signals.iter().map(|signal| 1 << (*signal as u32 - 1)).sum()
    }

    /// Runs `check` in a process of its own that was started with everything ignored and blocked.
    fn burdened(check: impl FnOnce() -> bool) {
        let Fork::Parent(child) = fork().unwrap() else {
            set_dispositions(|_| true);
            let all = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None);
            exit_now(u8::from(all.is_err() || !check()));
        };
        assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
    }

    fn own_state() -> [u64; 2] {
        state_in(&fs::read_to_string("/proc/self/status").unwrap())
    }

    fn real_time() -> u64 {
        u64::MAX << (FIRST_REAL_TIME - 1)
    }

    #[test]
    fn what_was_inherited_does_not_matter() {
        if emulation::leaves_out("signals that are ignored and blocked") {
            return;
        }
        burdened(|| prepare_daemon().is_ok() && own_state() == [bits(&AWAITED), bits(&IDLE) | real_time()]);
        burdened(|| {
            let ignored = bits(&IDLE) | bits(&[Signal::SIGTERM, Signal::SIGINT]) | real_time();
            prepare_helper().is_ok() && own_state() == [bits(&[Signal::SIGCHLD]), ignored]
        });
    }

    #[test]
    fn a_program_starts_with_nothing_ignored_or_blocked() {
        burdened(|| {
            let mut command = Command::new("cat");
            command.arg("/proc/self/status");
            start_afresh(&mut command);
            // With CHLD ignored nobody could be waited for.
            prepare_daemon().is_ok()
                && command.output().is_ok_and(|output| {
                    output.status.success() && state_in(&String::from_utf8_lossy(&output.stdout)) == [0, 0]
                })
        });
    }
}
