// SPDX-License-Identifier: GPL-2.0-only
//! How many CPUs this machine may have, as LTTng-UST counts them: every one has memory of its own in what is shared with
//! applications.

use std::fs;
use std::path::Path;

/// Where the kernel says which CPUs there may be.
const CPUS: &str = "/sys/devices/system/cpu";
/// More than any kernel is built for.
const MOST: u32 = 1 << 16;

/// One more than the highest number that a CPU of this machine may have.
pub fn possible() -> u32 {
    let folder = Path::new(CPUS);
    let said = fs::read_to_string(folder.join("possible")).ok().and_then(|mask| count(&mask));
    said.or_else(|| listed(folder)).or_else(running).unwrap_or(1)
}

/// The same from a mask, for example `0-3,8-11`.
fn count(mask: &str) -> Option<u32> {
    let numbers = mask.trim().split([',', '-']).map(|number| number.parse::<u32>().ok());
    let highest = numbers.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    highest.checked_add(1).filter(|count| *count <= MOST)
}

/// The same from the folders of the CPUs.
fn listed(folder: &Path) -> Option<u32> {
    let names = fs::read_dir(folder).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let highest = names.filter_map(|name| name.strip_prefix("cpu")?.parse::<u32>().ok()).max()?;
    highest.checked_add(1).filter(|count| *count <= MOST)
}

/// Those that this process may run on.
fn running() -> Option<u32> {
    u32::try_from(std::thread::available_parallelism().ok()?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_counts() {
        for (mask, cpus) in [
            ("0\n", Some(1)),
            ("0-3\n", Some(4)),
            ("0-3,8-11", Some(12)),
            ("0,2", Some(3)),
            ("", None),
            ("0-", None),
            ("x", None),
            ("0-4294967295", None),
        ] {
            assert_eq!(count(mask), cpus, "{mask:?}");
        }
        assert!(possible() > 0 && running().is_some());
    }
}
