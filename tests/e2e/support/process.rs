// SPDX-License-Identifier: GPL-2.0-only
//! Other processes as `/proc` shows them.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use super::daemon::eventually;

/// A process, by its pid in the test's own namespace.
#[derive(Clone, Copy, Debug)]
pub struct Process(i32);

/// Every process that the test can see.
pub fn all() -> impl Iterator<Item = Process> {
    fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        Some(Process(pid))
    })
}

/// The first CPU that this process may use.
pub fn first_cpu() -> u32 {
    let list = Process(std::process::id().cast_signed()).status("Cpus_allowed_list").unwrap();
    list.split([',', '-']).next().unwrap().parse().unwrap()
}

impl Process {
    /// The process with this pid.
    pub fn new(pid: i32) -> Self {
        Process(pid)
    }

    /// Its pid in the test's namespace.
    pub fn pid(self) -> i32 {
        self.0
    }

    /// Its pid in the PID namespace `namespace` (text of the `ns/pid` link), if it lives there.
    pub fn pid_in(self, namespace: &str) -> Option<i32> {
        let link = fs::read_link(format!("/proc/{}/ns/pid", self.0)).ok()?;
        if link.to_str() != Some(namespace) {
            return None;
        }
        self.status("NSpid")?.split_whitespace().last()?.parse().ok()
    }

    /// The command name (15 bytes at most); empty when it is gone.
    pub fn name(self) -> String {
        fs::read_to_string(format!("/proc/{}/comm", self.0)).unwrap_or_default().trim_end().to_owned()
    }

    /// The state letter of `/proc/PID/stat`; `X` when it is gone.
    pub fn state(self) -> char {
        self.status("State").and_then(|state| state.chars().next()).unwrap_or('X')
    }

    /// The pid of its parent.
    pub fn parent(self) -> Option<i32> {
        self.status("PPid")?.parse().ok()
    }

    /// Number of threads.
    pub fn threads(self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.0)).map_or(0, Iterator::count)
    }

    /// Number of open descriptors.
    pub fn descriptors(self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.0)).map_or(0, Iterator::count)
    }

    /// From now on it may have so many descriptors.
    pub fn limit_descriptors(self, count: usize) {
        let pid = self.0.to_string();
        let limit = format!("--nofile={count}:{count}");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// Resident memory in KiB.
    pub fn resident_kib(self) -> u64 {
        self.status("VmRSS").and_then(|size| size.trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }

    /// How often its first thread gave the CPU away.
    pub fn sleeps(self) -> u64 {
        self.status("voluntary_ctxt_switches").and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Sends a signal.
    pub fn signal(self, signal: Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0), signal).unwrap();
    }

    /// Stops it with SIGSTOP, and waits until each of its threads stands still.
    pub fn freeze(self) {
        self.signal(Signal::SIGSTOP);
        eventually("it stands still", || {
            let threads = fs::read_dir(format!("/proc/{}/task", self.0)).into_iter().flatten().flatten();
            let mut threads =
                threads.filter_map(|thread| thread.file_name().to_str()?.parse().ok().map(Process));
            threads.all(|thread| matches!(thread.state(), 'T' | 'X' | 'Z'))
        });
    }

    /// A line of `/proc/PID/status`.
    pub fn status(self, key: &str) -> Option<String> {
        // The process's name is in there, and may be anything.
        let bytes = fs::read(format!("/proc/{}/status", self.0)).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        Some(line.trim().to_owned())
    }
}
