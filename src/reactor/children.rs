// SPDX-License-Identifier: GPL-2.0-only
//! Programs as child processes: starting them, ending them, noticing their end. Nothing here waits for one, and nothing
//! here knows what a program is for.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sys::signal;
use crate::turn::output::Program;

/// Starts a program. Returns its process id.
///
/// # Errors
/// It can't be started; also when the program is not there.
pub fn start(program: &Program) -> io::Result<i32> {
    let mut command = Command::new(&program.path);
    command.arg0(&program.arg0).args(&program.args);
    command.envs(program.env.iter().map(|(name, value)| (name, value)));
    signal::start_afresh(&mut command);
    let child = command.spawn()?;
    Ok(child.id().cast_signed())
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
