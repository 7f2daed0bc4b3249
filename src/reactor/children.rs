// SPDX-License-Identifier: GPL-2.0-only
//! Consumer daemons as processes: starting them, connecting to them, noticing their end.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use crate::sys::signal;
use crate::turn::output::SharedFd;

/// How a consumer daemon is started.
#[derive(Debug, Clone)]
pub struct ConsumerProgram {
    /// The program.
    pub path: PathBuf,
    /// Folder to go in front of its library path.
    pub libdir: Option<PathBuf>,
    /// `--verbose`, `--quiet` or nothing, which is an argument too.
    pub verbosity: &'static str,
    /// Where it will listen.
    pub command_socket: PathBuf,
    /// Where it reports.
    pub error_socket: PathBuf,
    /// Name of the tracing group.
    pub group: String,
    /// Clock plug-in, for its environment.
    pub clock_plugin: Option<PathBuf>,
}

impl ConsumerProgram {
    /// Starts it (argument list: lttng-tools 2.13, `src/bin/lttng-sessiond/client.c`). Returns its process id.
    ///
    /// # Errors
    /// It can't be started; also when the program is not there.
    pub fn start(&self) -> io::Result<i32> {
        let mut command = Command::new(&self.path);
        command.arg0("lttng-consumerd").arg(self.verbosity).arg("-u");
        command.arg("--consumerd-cmd-sock").arg(&self.command_socket);
        command.arg("--consumerd-err-sock").arg(&self.error_socket);
        command.arg("--group").arg(&self.group);
        if let Some(folder) = &self.libdir {
            let mut path = OsString::from(folder);
            if let Some(old) = std::env::var_os("LD_LIBRARY_PATH") {
                path.push(":");
                path.push(old);
            }
            command.env("LD_LIBRARY_PATH", path);
        }
        if let Some(plugin) = &self.clock_plugin {
            command.env("LTTNG_UST_CLOCK_PLUGIN", plugin);
        }
        signal::start_unblocked(&mut command);
        let child = command.spawn()?;
        Ok(child.id().cast_signed())
    }
}

/// Both connections to a consumer daemon, and the two ends of the pipe for its samples.
#[derive(Debug)]
pub struct ConsumerConnections {
    /// First connection: commands.
    pub command: OwnedFd,
    /// Second connection: metadata.
    pub metadata: OwnedFd,
    /// Where samples are read.
    pub samples: OwnedFd,
    /// Where the consumer daemon writes them.
    pub samples_in: SharedFd,
}

impl ConsumerConnections {
    /// Connects. The consumer daemon tells the two connections apart by their order.
    ///
    /// # Errors
    /// What the system says; never waits.
    pub fn make(path: &Path) -> io::Result<Self> {
        let command = connect_to(path)?;
        let metadata = connect_to(path)?;
        let (samples, samples_in) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(ConsumerConnections { command, metadata, samples, samples_in: Rc::new(samples_in) })
    }
}

fn connect_to(path: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(descriptor.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(descriptor)
}

/// Kills a child.
pub fn kill(pid: i32) {
    // It may have ended meanwhile.
    let _ = nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// The process ids of all children that have ended since the last call.
pub fn ended() -> Vec<i32> {
    let mut pids = Vec::new();
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        match status {
            WaitStatus::StillAlive => break,
            WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _) => pids.push(pid.as_raw()),
            _ => {}
        }
    }
    pids
}
