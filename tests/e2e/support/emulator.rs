// SPDX-License-Identifier: GPL-2.0-only
//! Our daemon, built for another architecture, run by an emulator of programs (QEMU's user mode) among programs of this
//! machine's. All that a test sees is a script in the daemon's place: whoever starts it, `lttng` among them, starts the
//! emulator.
//!
//! `LTTNG_TEST_RUNNER` names the emulator, `LTTNG_TEST_DAEMON` the binary. Nothing is told to the machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::build::once;
use super::{find_program, skip, succeeds};

/// How many times as long as a daemon of the machine's own may an emulated one take. What it does takes longer; what
/// it waits for on purpose does not, and the bound must tell that it did.
const SLOWNESS: u32 = 4;

/// The emulator, and the binary that it runs.
struct Emulator {
    program: PathBuf,
    binary: PathBuf,
}

/// None: our daemon is a program of this machine's.
fn emulator() -> Option<&'static Emulator> {
    static FOUND: OnceLock<Option<Emulator>> = OnceLock::new();
    let find = || {
        let runner = env::var_os("LTTNG_TEST_RUNNER").filter(|runner| !runner.is_empty())?;
        let named = PathBuf::from(&runner);
        let program = if named.components().count() > 1 {
            named.canonicalize().ok()
        } else {
            find_program(&runner.to_string_lossy())
        };
        let binary = env::var_os("LTTNG_TEST_DAEMON").expect("LTTNG_TEST_RUNNER wants LTTNG_TEST_DAEMON, too");
        Some(Emulator {
            program: program.unwrap_or_else(|| panic!("LTTNG_TEST_RUNNER: there is no {named:?}")),
            binary: fs::canonicalize(&binary).unwrap_or_else(|error| panic!("{binary:?}: {error}")),
        })
    };
    FOUND.get_or_init(find).as_ref()
}

/// Whether our daemon is run by an emulator.
pub fn is_emulated() -> bool {
    emulator().is_some()
}

/// Skips a test, or a part of one, that says nothing about an emulated daemon, for this reason.
pub fn not_emulated(reason: &str) -> bool {
    let emulated = is_emulated();
    if emulated {
        skip(&format!("not for an emulated daemon: {reason}"));
    }
    emulated
}

/// How long something may take that a daemon of the machine's own does within `limit`.
pub fn bound(limit: std::time::Duration) -> std::time::Duration {
    if is_emulated() { limit * SLOWNESS } else { limit }
}

/// The script that starts the emulated daemon.
pub fn daemon() -> Option<PathBuf> {
    let emulator = emulator()?;
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("emulated-{}", name(emulator)));
    once(&cache, || emulator.install(&cache));
    Some(cache.join("lttng-sessiond"))
}

/// The same with a copy of the binary, in a folder where every user may run it. What the daemon looks for beside itself, it
/// looks for there.
pub fn copy_daemon(folder: &Path) -> Option<PathBuf> {
    let emulator = emulator()?;
    if !folder.join("lttng-sessiond").exists() {
        copy(&emulator.binary, &folder.join("lttng-sessiond.foreign"));
        Emulator { program: emulator.program.clone(), binary: folder.join("lttng-sessiond.foreign") }
            .install(folder);
    }
    Some(folder.join("lttng-sessiond"))
}

/// Names the two.
fn name(emulator: &Emulator) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (&emulator.program, &emulator.binary).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl Emulator {
    /// Makes the script in a folder.
    fn install(&self, folder: &Path) {
        // A process is named after the file that it was started from.
        let named = folder.join("emulator").join("lttng-sessiond");
        fs::create_dir_all(named.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&self.program, &named).unwrap();
        let text = folder.join("lttng-sessiond.text");
        let line = format!("exec '{}' -0 \"$0\" '{}' \"$@\"", named.display(), self.binary.display());
        fs::write(&text, format!("#!/bin/sh\n{line}\n")).unwrap();
        copy(&text, &folder.join("lttng-sessiond"));
    }
}

/// Copies a file so that every user may read and run it.
pub fn copy(from: &Path, to: &Path) {
    // Not by this process: a child that another test forks meanwhile would hold the file open for writing, and it could not
    // be executed.
    assert!(succeeds(Command::new("install").args(["-m", "755"]).arg(from).arg(to)), "{from:?}");
}
