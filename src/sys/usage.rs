// SPDX-License-Identifier: GPL-2.0-only
//! What this process takes of the system. Read from /proc/self, which never waits for anybody.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};

/// What a process takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory that are resident.
    pub resident: u64,
    /// Bytes of these that are its own: neither of files nor shared.
    pub anonymous: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// How many there may be.
    pub descriptors_limit: u64,
}

/// What this process takes now; zero for what the system does not tell.
pub fn of_this_process() -> Usage {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    Usage {
        resident: kib("VmRSS").saturating_mul(1024),
        anonymous: kib("RssAnon").saturating_mul(1024),
        descriptors: descriptors(),
        descriptors_limit: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
    }
}

/// How many descriptors are open. Linux 6.2 and later says so as the size of the folder; before, they are counted, less
/// the one that counting takes.
fn descriptors() -> u64 {
    const FOLDER: &str = "/proc/self/fd";
    match fs::metadata(FOLDER).map(|folder| folder.len()) {
        Ok(number) if number > 0 => number,
        _ => fs::read_dir(FOLDER).map_or(0, |entries| (entries.count() as u64).saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_something() {
        let usage = of_this_process();
        assert!(usage.resident > usage.anonymous && usage.anonymous > 0, "{usage:?}");
        assert!((3..usage.descriptors_limit).contains(&usage.descriptors), "{usage:?}");
    }
}
