// SPDX-License-Identifier: GPL-2.0-only
//! Support for the end-to-end tests: sandboxes, daemons, applications, the `lttng` command, traces.
//!
//! A test never touches the machine's own `/run`, `/dev/shm` or home directory, never waits by sleeping, and
//! leaves no process behind. It is written once, as a closure over a [`Sandbox`], and started by one of:
//!
//! * [`side_by_side`]: on the stock daemon and on ours, what was recorded on both must be equal;
//! * [`ours`]: on our daemon;
//! * [`ours_only`]: on our daemon, for what the stock daemon is known to do badly;
//! * [`ours_quiet`]: the same while no other test runs, for bounds on durations.
//!
//! Environment:
//!
//! * `LTTNG_TEST_ONLY=stock|ours`: use only this daemon; with `stock`, [`ours`] tests run on the stock daemon
//!   (the test itself is on trial) and [`ours_only`] ones are skipped.
//! * `LTTNG_TEST_DAEMON=PATH`: another binary as our daemon.
//! * `LTTNG_TEST_RUNNER=PROGRAM`: an emulator that runs this binary, which is of another architecture:
//!   `qemu-aarch64-static`. What says nothing about an emulated daemon is skipped ([`emulator::not_emulated`]).
//! * `LTTNG_TEST_REQUIRE=1`: a test that cannot run here fails instead of being skipped.
//! * `LTTNG_TEST_EXAMPLES=built`: the examples are compiled already, and cargo is not asked to.

pub mod app;
pub mod asker;
pub mod build;
pub mod chunk;
pub mod daemon;
pub mod emulator;
pub mod foreign;
pub mod loggers;
pub mod normalise;
pub mod process;
pub mod relay;
pub mod sandbox;
pub mod session;
pub mod socket;
pub mod trace;
pub mod version;
pub mod xml;

use std::env;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{OnceLock, RwLock};

pub use sandbox::Sandbox;

/// The two daemons that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Debian's `lttng-sessiond`.
    Stock,
    /// The binary that this crate builds.
    Ours,
}

impl Which {
    /// The daemon's binary.
    pub fn path(self) -> PathBuf {
        match self {
            Which::Stock => {
                find_program("lttng-sessiond").unwrap_or_else(|| "/usr/bin/lttng-sessiond".into())
            }
            Which::Ours => emulator::daemon().unwrap_or_else(|| {
                env::var_os("LTTNG_TEST_DAEMON")
                    .map_or_else(|| env!("CARGO_BIN_EXE_lttng-sessiond").into(), PathBuf::from)
            }),
        }
    }
}

/// Tests share the machine; a test with a bound on durations wants it alone.
static MACHINE: RwLock<()> = RwLock::new(());

fn only() -> Option<Which> {
    match env::var("LTTNG_TEST_ONLY").as_deref() {
        Ok("stock") => Some(Which::Stock),
        Ok("ours") => Some(Which::Ours),
        _ => None,
    }
}

/// Runs the steps on both daemons and compares what [`Sandbox`] recorded of them.
pub fn side_by_side(steps: impl Fn(&Sandbox)) {
    if cannot_run() {
        return;
    }
    let _shared = MACHINE.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    match only() {
        Some(which) => drop(run(which, &steps)),
        None => {
            let stock = run(Which::Stock, &steps);
            let ours = run(Which::Ours, &steps);
            normalise::compare(&stock, &ours);
        }
    }
}

/// Runs the steps on our daemon.
pub fn ours(steps: impl Fn(&Sandbox)) {
    if cannot_run() {
        return;
    }
    let _shared = MACHINE.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    run(only().unwrap_or(Which::Ours), &steps);
}

/// Runs the steps on our daemon only: `why` says what the stock one does with them.
pub fn ours_only(why: &str, steps: impl Fn(&Sandbox)) {
    if cannot_run() || stock_is_asked(why) {
        return;
    }
    let _shared = MACHINE.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    run(Which::Ours, &steps);
}

/// Like [`ours_only`], with no other test of this program at work: for bounds on durations.
pub fn ours_quiet(why: &str, steps: impl Fn(&Sandbox)) {
    if cannot_run() || stock_is_asked(why) {
        return;
    }
    let _alone = MACHINE.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    run(Which::Ours, &steps);
}

fn stock_is_asked(why: &str) -> bool {
    let asked = only() == Some(Which::Stock);
    if asked {
        say(&format!("not for the stock daemon: {why}"));
    }
    asked
}

fn run(which: Which, steps: &impl Fn(&Sandbox)) -> Vec<normalise::Step> {
    let sandbox = Sandbox::new(which);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| steps(&sandbox))) {
        sandbox.explain_failure();
        resume_unwind(panic);
    }
    sandbox.into_steps()
}

/// Prints the reason and says true when this machine cannot run the tests.
fn cannot_run() -> bool {
    static REASON: OnceLock<Option<String>> = OnceLock::new();
    let Some(reason) = REASON.get_or_init(what_is_missing) else { return false };
    assert!(env::var_os("LTTNG_TEST_REQUIRE").is_none(), "cannot run: {reason}");
    skip(reason);
    true
}

/// The same for a test that needs one program only.
pub fn is_missing(program: &str, package: &str) -> bool {
    let missing = find_program(program).is_none();
    missing && lacks(&format!("no {program} (package {package})"))
}

/// Skips a test that can't run for this reason. Always true, unless that is an error.
pub fn lacks(reason: &str) -> bool {
    assert!(env::var_os("LTTNG_TEST_REQUIRE").is_none(), "cannot run: {reason}");
    skip(reason);
    true
}

/// Tells the user, past the test harness's capture, that this test did not run.
pub fn skip(reason: &str) {
    say(&format!("SKIPPED: {reason}"));
}

fn say(text: &str) {
    let thread = std::thread::current();
    // The harness captures what `eprintln!` writes, not what is written to the stream itself.
    let _ = writeln!(std::io::stderr(), "{}: {text}", thread.name().unwrap_or("test"));
}

fn what_is_missing() -> Option<String> {
    for (program, package) in [
        ("unshare", "util-linux"),
        ("nsenter", "util-linux"),
        ("setpriv", "util-linux"),
        ("timeout", "coreutils"),
        ("ip", "iproute2"),
        ("gcc", "gcc"),
        ("lttng", "lttng-tools"),
        ("lttng-sessiond", "lttng-tools"),
        ("lttng-relayd", "lttng-tools"),
        ("babeltrace2", "babeltrace2"),
    ] {
        if find_program(program).is_none() {
            return Some(format!("no {program} (package {package})"));
        }
    }
    let headers = ["-E", "-include", "lttng/tracepoint.h", "-x", "c", "/dev/null"];
    if !succeeds(Command::new("gcc").args(headers)) {
        return Some("no lttng/tracepoint.h (package liblttng-ust-dev)".into());
    }
    let probe =
        Command::new("unshare").args(sandbox::UNSHARE).args(sandbox::unshare_user()).arg("true").output();
    match probe {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "mount, PID and network namespaces are not allowed here: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

/// Looks a program up in `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// True when the tests run as root (they need it to act as several users).
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// True when `command` succeeds; its output is thrown away.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
