// SPDX-License-Identifier: GPL-2.0-only
//! Going to the background, and telling who started the daemon that it is ready.
//!
//! With `--daemonize` or `--background` the command returns exactly when the daemon is ready: status 0
//! then, 1 if the daemon ended before. `lttng create` relies on it. (`lttng-tools 2.13:
//! src/common/daemonize.c`, `src/bin/lttng-sessiond/main.c`)
//!
//! The process that stays in the foreground must never do anything but wait, and must never run
//! destructors: the files it knows of belong to the child.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, getppid, pipe2, setsid};

use crate::sys::fork::{Fork, close_all_but, exit_now, fork};

/// How the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the process that was started.
    Foreground,
    /// `-d`: in a child, with `/dev/null` as standard input, output and error.
    Daemon,
    /// `-b`, alone or with `-d`: in a child which keeps the three.
    Background,
}

impl Mode {
    /// The mode for the two options.
    pub fn new(daemonize: bool, background: bool) -> Mode {
        match (daemonize, background) {
            (_, true) => Mode::Background,
            (true, false) => Mode::Daemon,
            (false, false) => Mode::Foreground,
        }
    }
}

/// Who wants to know that the daemon is ready. Dropped without [`Readiness::announce`] it means failure
/// to the process that waits in the foreground.
#[derive(Debug)]
pub struct Readiness {
    /// Where the process in the foreground reads.
    foreground: Option<OwnedFd>,
    /// Who started this process in the foreground.
    spawner: Option<Pid>,
}

impl Readiness {
    /// Tells the process that waits in the foreground, which then exits with 0. With `sig_parent` and
    /// without daemonizing, the process that started the daemon gets SIGUSR1.
    ///
    /// A daemonized daemon sends no signal: its spawner waits for an exit status, and SIGUSR1 would
    /// kill one that does not expect it. (The original's signal goes to the process in the foreground.)
    ///
    /// # Errors
    /// The process in the foreground, or the spawner, is gone. Nothing is lost by ignoring it.
    pub fn announce(self, sig_parent: bool) -> io::Result<()> {
        if let Some(foreground) = self.foreground {
            return File::from(foreground).write_all(b"R");
        }
        match self.spawner {
            Some(spawner) if sig_parent => kill(spawner, Signal::SIGUSR1).map_err(io::Error::from),
            _ => Ok(()),
        }
    }
}

/// Goes to the background if `mode` says so. Returns in the process that is to be the daemon; the other
/// one waits and exits.
///
/// It is called before the process has threads, children or descriptors of its own other than `keep`
/// (the lock): in the child every descriptor above 2 but `keep` is closed, also the ones that whoever
/// started the daemon left open by mistake.
///
/// # Errors
/// What the system says; the process is then still the one that was started, or a child whose end the
/// process in the foreground notices.
pub fn detach(mode: Mode, keep: &[BorrowedFd<'_>]) -> io::Result<Readiness> {
    if mode == Mode::Foreground {
        // Init did not start this daemon in order to be signalled.
        let spawner = Some(getppid()).filter(|pid| pid.as_raw() > 1);
        return Ok(Readiness { foreground: None, spawner });
    }
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    if let Fork::Parent(_) = fork()? {
        drop(writer);
        exit_now(wait_for_readiness(reader));
    }
    drop(reader);
    setsid()?;
    chdir("/")?;
    if mode == Mode::Daemon {
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
    }
    let mut kept = vec![writer.as_fd()];
    kept.extend_from_slice(keep);
    close_all_but(&kept);
    Ok(Readiness { foreground: Some(writer), spawner: None })
}

/// Waits for the daemon's byte or for its end, whichever comes first, and returns the exit status. The
/// pipe closes when the daemon ends for whatever reason, so no signal can be missed and nothing is polled.
fn wait_for_readiness(reader: OwnedFd) -> u8 {
    // Whatever the daemon does about signals, this process only waits and can be interrupted.
    let _ = SigSet::empty().thread_set_mask();
    let mut byte = [0];
    match File::from(reader).read_exact(&mut byte) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;

    /// Runs `daemon` as the detached process of a forked command; returns the command's end.
    fn run(mode: Mode, daemon: impl FnOnce(Readiness)) -> WaitStatus {
        match fork().unwrap() {
            Fork::Parent(command) => waitpid(command, None).unwrap(),
            Fork::Child => {
                match detach(mode, &[]) {
                    Ok(readiness) => daemon(readiness),
                    Err(_) => exit_now(7),
                }
                exit_now(9)
            }
        }
    }

    fn exited(status: WaitStatus) -> Option<i32> {
        if let WaitStatus::Exited(_, code) = status { Some(code) } else { None }
    }

    #[test]
    fn modes() {
        assert_eq!(Mode::new(false, false), Mode::Foreground);
        assert_eq!(Mode::new(true, false), Mode::Daemon);
        assert_eq!(Mode::new(false, true), Mode::Background);
        assert_eq!(Mode::new(true, true), Mode::Background);
    }

    #[test]
    fn the_command_succeeds_when_the_daemon_is_ready() {
        let (reader, writer) = pipe2(OFlag::empty()).unwrap();
        let status = run(Mode::Daemon, |readiness| {
            let null = std::fs::read_link("/proc/self/fd/2").is_ok_and(|to| to.as_os_str() == "/dev/null");
            let root = std::env::current_dir().is_ok_and(|here| here.as_os_str() == "/");
            let leader = nix::unistd::getsid(None).is_ok_and(|id| id == nix::unistd::getpid());
            if null && root && leader && readiness.announce(true).is_ok() {
                exit_now(0);
            }
        });
        assert_eq!(exited(status), Some(0));
        // The daemon did not keep this test's pipe.
        drop(writer);
        let mut rest = Vec::new();
        File::from(reader).read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }

    #[test]
    fn the_command_fails_at_once_when_the_daemon_ends_or_is_killed() {
        assert_eq!(exited(run(Mode::Background, |_| exit_now(0))), Some(1));
        let killed = run(Mode::Background, |_readiness| {
            let _ = kill(nix::unistd::getpid(), Signal::SIGKILL);
        });
        assert_eq!(exited(killed), Some(1));
    }

    #[test]
    fn in_the_foreground_the_spawner_gets_a_signal() {
        // The spawner is a process of its own: SIGUSR1 would end the test.
        let Fork::Parent(spawner) = fork().unwrap() else {
            let mut wanted = SigSet::empty();
            wanted.add(Signal::SIGUSR1);
            let _ = wanted.thread_block();
            match fork() {
                Ok(Fork::Child) => {
                    let readiness = detach(Mode::Foreground, &[]);
                    exit_now(readiness.and_then(|it| it.announce(true)).map_or(1, |()| 0));
                }
                Ok(Fork::Parent(_)) => exit_now(wanted.wait().map_or(1, |_| 0)),
                Err(_) => exit_now(2),
            }
        };
        assert_eq!(waitpid(spawner, None).unwrap(), WaitStatus::Exited(spawner, 0));
    }
}
