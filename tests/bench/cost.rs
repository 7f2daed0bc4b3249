// SPDX-License-Identifier: GPL-2.0-only
//! What a process costs, beyond what the end-to-end tests look at: CPU time and peak memory.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::support::daemon::eventually;
use crate::support::process::Process;

/// User and system time of all threads, also of those that ended. Nanoseconds, where `/proc/PID/stat` has ticks
/// of 10 ms.
pub fn cpu(process: Process) -> Duration {
    let clock = clock_getcpuclockid(Pid::from_raw(process.pid())).unwrap();
    clock_gettime(clock).unwrap().into()
}

/// CPU time once the process has nothing left to do: what it does after its reply counts too.
pub fn settled_cpu(process: Process) -> Duration {
    // The stock daemon has threads that wake up now and then.
    const QUIET: Duration = Duration::from_micros(500);
    let mut last = cpu(process);
    eventually("the daemon is quiet", || {
        sleep(Duration::from_millis(100));
        let before = std::mem::replace(&mut last, cpu(process));
        last - before < QUIET
    });
    last
}

/// The greatest resident memory so far, in KiB.
pub fn peak_kib(process: Process) -> f64 {
    let text = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
