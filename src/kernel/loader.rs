// SPDX-License-Identifier: GPL-2.0-only
//! Loading and unloading modules of the kernel, which a program of the system does: it knows what they depend on, and what
//! its administrator wants of them. Never a shell, and never for ever.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sys::{clock, signal};

/// The programs, the first that is there. What the kernel itself runs comes last: to keep it from loading anything by
/// itself, administrators put a program there that does nothing.
const PROGRAMS: [&str; 2] = ["/sbin/modprobe", "/usr/sbin/modprobe"];
/// What the kernel itself runs.
const KERNELS_OWN: &str = "/proc/sys/kernel/modprobe";

/// Where the program finds others, which its configuration may name.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// How long it may take. With all modules, on a slow machine, it is a few seconds.
const LIMIT: Duration = Duration::from_secs(120);
/// How long it may take to die.
const DEATH: Duration = Duration::from_secs(5);

/// Bytes of the longest name. The kernel's own limit is 56.
const MAX_NAME: usize = 64;

/// How modules are loaded.
#[derive(Debug, Clone)]
pub struct Modules {
    /// The programs that may do it.
    pub programs: Vec<PathBuf>,
    /// How long they may take.
    pub limit: Duration,
}

impl Modules {
    /// As on this system.
    pub fn system() -> Modules {
        let own = fs::read_to_string(KERNELS_OWN).unwrap_or_default();
        let own = Path::new(own.trim_end_matches('\n'));
        let own = own.is_absolute().then(|| own.to_path_buf());
        Modules { programs: PROGRAMS.iter().map(PathBuf::from).chain(own).collect(), limit: LIMIT }
    }
}

/// What loads modules.
#[derive(Debug)]
pub struct Loader<'a> {
    modules: &'a Modules,
    children: SignalFd,
}

impl<'a> Loader<'a> {
    /// One that uses the first of these programs that is there. SIGCHLD must be blocked.
    ///
    /// # Errors
    /// There is no descriptor for it.
    pub fn new(modules: &'a Modules) -> io::Result<Self> {
        let mut watched = SigSet::empty();
        watched.add(Signal::SIGCHLD);
        let children = SignalFd::with_flags(&watched, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Loader { modules, children })
    }

    /// Loads modules, with what they need. Whether all are there now; nothing, if there is no program that could tell. Names
    /// that no module can have are those of missing ones.
    ///
    /// # Errors
    /// NotConnected: `daemon`, the socket to it, was closed meanwhile.
    pub fn load(
        &self,
        modules: &[String],
        quietly: bool,
        daemon: BorrowedFd<'_>,
    ) -> io::Result<Option<bool>> {
        let how: &[&str] = if quietly { &["-a", "-q"] } else { &["-a"] };
        let all = modules.iter().all(|module| is_name(module));
        Ok(self.run(how, modules, daemon)?.map(|well| well && all))
    }

    /// Unloads modules, and what they needed, as far as nothing uses them.
    ///
    /// # Errors
    /// As with [`Loader::load`].
    pub fn unload(&self, modules: &[String], daemon: BorrowedFd<'_>) -> io::Result<()> {
        self.run(&["-r", "-q"], modules, daemon).map(drop)
    }

    /// Runs the program, if there is one. Whether it succeeded.
    fn run(&self, how: &[&str], modules: &[String], daemon: BorrowedFd<'_>) -> io::Result<Option<bool>> {
        let modules: Vec<&String> = modules.iter().filter(|module| is_name(module)).collect();
        if modules.is_empty() {
            return Ok(Some(true));
        }
        // One that would not die may have died since.
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG))
            && status != WaitStatus::StillAlive
        {}
        for program in &self.modules.programs {
            let mut command = Command::new(program);
            command.args(how).args(&modules).env_clear().env("PATH", PATH);
            command.stdin(Stdio::null()).stdout(output()).stderr(output());
            // Its own programs die with it.
            command.process_group(0);
            signal::start_afresh(&mut command);
            match command.spawn() {
                Ok(child) => return self.wait(child, daemon).map(Some),
                Err(error) => log::debug!("Can't run {}: {error}", program.display()),
            }
        }
        Ok(None)
    }

    /// Waits for the end of the program, which is killed if it takes too long, or if the daemon is gone.
    fn wait(&self, mut child: Child, daemon: BorrowedFd<'_>) -> io::Result<bool> {
        let mut deadline = clock::after(Instant::now(), self.modules.limit);
        let mut killed = false;
        loop {
            while self.children.read_signal()?.is_some() {}
            if let Some(status) = child.try_wait()? {
                log::debug!("Modules: {status}");
                return Ok(status.success());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let (ended, gone) = wait_for(&self.children, daemon, left)?;
            if gone {
                kill(&child);
                return Err(io::ErrorKind::NotConnected.into());
            }
            if !ended && left.is_zero() {
                if std::mem::replace(&mut killed, true) {
                    return Ok(false);
                }
                log::error!("The program that loads modules takes too long, and is killed");
                kill(&child);
                deadline = clock::after(Instant::now(), DEATH);
            }
        }
    }
}

/// Kills the program and those that it started.
fn kill(program: &Child) {
    // It may have ended meanwhile.
    let _ = killpg(Pid::from_raw(program.id().cast_signed()), Signal::SIGKILL);
}

/// Waits until a child ends or the daemon is gone, or until it took too long.
fn wait_for(children: &SignalFd, daemon: BorrowedFd<'_>, left: Duration) -> io::Result<(bool, bool)> {
    let mut watched = [
        PollFd::new(children.as_fd(), PollFlags::POLLIN),
        // Only that it is hung up is of interest.
        PollFd::new(daemon, PollFlags::empty()),
    ];
    // Rounded up: not to turn in a circle for the last millisecond.
    let left = left.as_millis().saturating_add(u128::from(!left.is_zero()));
    let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    match poll(&mut watched, left) {
        Err(Errno::EINTR) => return Ok((false, false)),
        other => other?,
    };
    let [ended, gone] = watched.map(|fd| fd.any().unwrap_or(true));
    Ok((ended, gone))
}

/// What it says is for those who look for faults.
fn output() -> Stdio {
    if log::log_enabled!(log::Level::Debug) { Stdio::inherit() } else { Stdio::null() }
}

/// Whether a module can have this name. It is never taken for an option, or for a file.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('-') && !name.contains(['/', '\0'])
}
