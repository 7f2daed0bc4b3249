// SPDX-License-Identifier: GPL-2.0-only
//! Why a process does not answer: a look at /proc. These files are the kernel's own, nobody can hold them up.

use std::fs::{self, File};
use std::io::{self, Read};

use crate::sys::socket::is_shortage;
use crate::turn::output::ProcessState;

/// Where control groups are mounted, version 2 and the freezer of version 1.
const CGROUP2: &str = "/sys/fs/cgroup";
const FREEZER: &str = "/sys/fs/cgroup/freezer";

/// Descriptors that are open at once during a look.
pub const DESCRIPTORS: usize = 2;

/// Bytes read of a file: more than any of these files has before what is looked for.
const ENOUGH: usize = 4096;

/// The state of a process.
pub fn inspect(pid: i32) -> ProcessState {
    let status = match read(&format!("/proc/{pid}/status")) {
        Ok(status) => status,
        // That there is no room for a descriptor here says nothing about the process.
        Err(error) if is_shortage(&error) => return ProcessState::Running,
        Err(_) => return ProcessState::Gone,
    };
    match state(&status) {
        Some('T' | 't') => ProcessState::Suspended,
        Some('Z' | 'X' | 'x') | None => ProcessState::Gone,
        Some(_) if has_tracer(&status) && is_held(pid) => ProcessState::Suspended,
        Some(_) if is_frozen(pid) => ProcessState::Suspended,
        Some(_) => ProcessState::Running,
    }
}

/// The beginning of a file, in one go.
fn read(path: &str) -> io::Result<String> {
    let mut bytes = vec![0; ENOUGH];
    let count = File::open(path)?.read(&mut bytes)?;
    bytes.truncate(count);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn state(status: &str) -> Option<char> {
    field(status, "State")?.chars().next()
}

fn has_tracer(status: &str) -> bool {
    field(status, "TracerPid").is_some_and(|tracer| tracer != "0")
}

/// A debugger may hold any thread of the process, not only the first one.
fn is_held(pid: i32) -> bool {
    let mut threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.any(|thread| {
        let status = read(&format!("/proc/{pid}/task/{}/status", thread.file_name().display()));
        status.is_ok_and(|status| state(&status) == Some('t'))
    })
}

fn is_frozen(pid: i32) -> bool {
    let Ok(groups) = read(&format!("/proc/{pid}/cgroup")) else { return false };
    groups.lines().any(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        if controllers.is_empty() {
            let events = read(&format!("{CGROUP2}{path}/cgroup.events"));
            events.is_ok_and(|events| events.lines().any(|line| line == "frozen 1"))
        } else if controllers.split(',').any(|controller| controller == "freezer") {
            let state = read(&format!("{FREEZER}{path}/freezer.state"));
            state.is_ok_and(|state| state.trim() != "THAWED")
        } else {
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    #[test]
    fn the_state_is_a_letter() {
        assert_eq!(state("Name:\tState: x\nState:\tT (stopped)\n"), Some('T'));
        assert_eq!(state("nonsense"), None);
    }

    #[test]
    fn a_tracer_is_told_from_none() {
        assert!(has_tracer("Name:\tx\nTracerPid:\t17\n"));
        assert!(!has_tracer("Name:\tx\nTracerPid:\t0\n"));
    }

    #[test]
    fn a_stopped_process_is_told_from_a_running_one() {
        use nix::sys::signal::{Signal, kill};
        let mut child = Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        let becomes = |wanted| {
            let limit = Instant::now() + Duration::from_secs(10);
            while inspect(pid.as_raw()) != wanted {
                assert!(Instant::now() < limit, "never {wanted:?}");
                std::thread::yield_now();
            }
        };
        becomes(ProcessState::Running);
        kill(pid, Signal::SIGSTOP).unwrap();
        becomes(ProcessState::Suspended);
        kill(pid, Signal::SIGCONT).unwrap();
        becomes(ProcessState::Running);
        child.kill().unwrap();
        becomes(ProcessState::Gone);
        child.wait().unwrap();
    }
}
