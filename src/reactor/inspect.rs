// SPDX-License-Identifier: GPL-2.0-only
//! Why a process does not answer: a look at /proc. These files are the kernel's own, nobody can hold them up.

use std::fs;

use crate::output::ProcessState;

/// Where control groups are mounted, version 2 and the freezer of version 1.
const CGROUP2: &str = "/sys/fs/cgroup";
const FREEZER: &str = "/sys/fs/cgroup/freezer";

/// The state of a process.
pub fn inspect(pid: i32) -> ProcessState {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return ProcessState::Gone };
    match state_letter(&stat) {
        Some('T' | 't') => ProcessState::Suspended,
        Some('Z' | 'X' | 'x') | None => ProcessState::Gone,
        Some(_) if is_frozen(pid) || is_held_by_debugger(pid) => ProcessState::Suspended,
        Some(_) => ProcessState::Running,
    }
}

/// The state follows the name, which is in parentheses and may itself hold parentheses.
fn state_letter(stat: &str) -> Option<char> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.trim_start().chars().next()
}

/// A debugger may hold any thread of the process, not only the first one.
fn is_held_by_debugger(pid: i32) -> bool {
    let traced = fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| has_tracer(&status));
    let threads = || fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    traced
        && threads().any(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat"));
            stat.is_ok_and(|stat| state_letter(&stat) == Some('t'))
        })
}

fn has_tracer(status: &str) -> bool {
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}

fn is_frozen(pid: i32) -> bool {
    let Ok(groups) = fs::read_to_string(format!("/proc/{pid}/cgroup")) else { return false };
    groups.lines().any(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        if controllers.is_empty() {
            let events = fs::read_to_string(format!("{CGROUP2}{path}/cgroup.events"));
            events.is_ok_and(|events| events.lines().any(|line| line == "frozen 1"))
        } else if controllers.split(',').any(|controller| controller == "freezer") {
            let state = fs::read_to_string(format!("{FREEZER}{path}/freezer.state"));
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
    fn the_state_follows_the_last_parenthesis() {
        assert_eq!(state_letter("12 (a) T (b)) S 1 2"), Some('S'));
        assert_eq!(state_letter("12 (name) t 1"), Some('t'));
        assert_eq!(state_letter("nonsense"), None);
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
