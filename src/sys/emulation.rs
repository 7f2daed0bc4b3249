// SPDX-License-Identifier: GPL-2.0-only
//! Tests alone: what an emulator that runs them process by process answers otherwise than the kernel would.
//!
//! `LTTNG_TEST_RUNNER` names it. QEMU knows each `ioctl(2)` that it passes on and refuses the others itself; it takes more
//! descriptors with a message than its program has room for; and what `/proc` says of signals is said of QEMU.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// The emulator, if one runs these tests.
fn runner() -> Option<OsString> {
    std::env::var_os("LTTNG_TEST_RUNNER").filter(|runner| !runner.is_empty())
}

/// A command that runs a program that is built as these tests are.
pub fn command(program: &Path) -> Command {
    match runner() {
        None => Command::new(program),
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(program);
            command
        }
    }
}

/// What an `ioctl(2)` is answered that nobody knows: an error code.
pub fn unknown_ioctl() -> i32 {
    if runner().is_some() { libc::ENOSYS } else { libc::ENOTTY }
}

/// Whether the test is to leave something out because an emulator runs it, which is said.
pub fn leaves_out(what: &str) -> bool {
    let emulated = runner().is_some();
    if emulated {
        // The harness captures what `eprintln!` writes, not what is written to the stream itself.
        let _ = writeln!(std::io::stderr(), "LEFT OUT under emulation: {what}");
    }
    emulated
}
