// SPDX-License-Identifier: GPL-2.0-only
//! Which LTTng is here, for tests of what its later releases do otherwise. Debian 12 has lttng-tools 2.13.9 and LTTng-UST
//! 2.13.5, Debian 13 has 2.13.15 and 2.13.9.

use std::process::Command;

use super::Which;

/// Major and minor number and patch level.
pub type Version = [u32; 3];

/// That of the stock daemon, as it says it.
pub fn stock() -> Version {
    said_by(Command::new(Which::Stock.path()).arg("--version"))
}

/// That of the LTTng-UST that applications are compiled for, as its header says it.
pub fn ust() -> Version {
    let script = "echo LTTNG_UST_VERSION | gcc -E -P -include lttng/ust-version.h -";
    said_by(Command::new("sh").args(["-c", script]))
}

/// What this prints, perhaps in quotation marks.
fn said_by(command: &mut Command) -> Version {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Option<Vec<u32>> =
        text.trim().trim_matches('"').split('.').map(|number| number.parse().ok()).collect();
    numbers
        .and_then(|numbers| numbers.try_into().ok())
        .unwrap_or_else(|| panic!("{command:?}: no version: {output:?}"))
}
