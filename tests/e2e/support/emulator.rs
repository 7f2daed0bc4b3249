// SPDX-License-Identifier: GPL-2.0-only
//! Our daemon, built for another architecture than the tests and all other programs: run by an emulator of programs (QEMU's
//! user mode), or, if it merely has another word size, by this machine itself. All that a test sees is a script in the
//! daemon's place: whoever starts it, `lttng` among them, starts the emulator. The machine is told nothing.
//!
//! `LTTNG_TEST_RUNNER` names the emulator, `LTTNG_TEST_DAEMON` the binary.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::build::once;
use super::{find_program, skip, succeeds};

/// How many times as long as a daemon of the machine's own may an emulated one take. What it does takes longer; what it
/// waits for on purpose does not, and the bound must tell that it did.
const SLOWNESS: u32 = 4;

/// Where the fifth byte of a program says its word size.
const WORDS: usize = 4;
const BITS_32: u8 = 1;

/// A daemon's binary of another architecture, and what runs it: none if this machine can.
pub struct Foreign {
    emulator: Option<PathBuf>,
    binary: PathBuf,
}

/// None: our daemon is built like the tests.
fn foreign() -> Option<&'static Foreign> {
    static FOUND: OnceLock<Option<Foreign>> = OnceLock::new();
    FOUND.get_or_init(Foreign::find).as_ref()
}

/// Whether our daemon is run by an emulator.
pub fn is_emulated() -> bool {
    foreign().is_some_and(|foreign| foreign.emulator.is_some())
}

/// Skips a test, or a part of one, that says nothing about an emulated daemon, for this reason.
pub fn not_emulated(reason: &str) -> bool {
    let emulated = is_emulated();
    if emulated {
        skip(&format!("not for an emulated daemon: {reason}"));
    }
    emulated
}

/// What a program wrote, without what its emulator says when a signal ends it.
pub fn without_emulator(text: &str) -> String {
    let own = |line: &&str| !(is_emulated() && line.starts_with("qemu: uncaught target signal"));
    text.split_inclusive('\n').filter(own).collect()
}

/// How long something may take that a daemon of the machine's own does within `limit`.
pub fn bound(limit: Duration) -> Duration {
    if is_emulated() { limit * SLOWNESS } else { limit }
}

/// The script that starts the foreign daemon.
pub fn daemon() -> Option<PathBuf> {
    let foreign = foreign()?;
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("foreign-{}", foreign.fingerprint()));
    once(&cache, || drop(foreign.install(&cache)));
    Some(cache.join(NAME))
}

/// The same with a copy of the binary, in a folder where every user may run it. What the daemon looks for beside itself is
/// looked for there.
pub fn copy_daemon(folder: &Path) -> Option<PathBuf> {
    let (foreign, script) = (foreign()?, folder.join(NAME));
    Some(if script.exists() { script } else { foreign.install(folder) })
}

/// A process is named after the file that it was started from.
const NAME: &str = "lttng-sessiond";

impl Foreign {
    /// This binary, run by this emulator.
    pub fn new(emulator: Option<PathBuf>, binary: PathBuf) -> Self {
        Foreign { emulator, binary }
    }

    fn find() -> Option<Self> {
        let runner = env::var_os("LTTNG_TEST_RUNNER").filter(|runner| !runner.is_empty());
        let Some(binary) = env::var_os("LTTNG_TEST_DAEMON") else {
            assert!(runner.is_none(), "LTTNG_TEST_RUNNER wants LTTNG_TEST_DAEMON");
            return None;
        };
        let binary = fs::canonicalize(&binary).unwrap_or_else(|error| panic!("{binary:?}: {error}"));
        let emulator = runner.map(|runner| {
            // A name, or a path.
            let found = find_program(&runner.to_string_lossy());
            found.unwrap_or_else(|| panic!("LTTNG_TEST_RUNNER: there is no {runner:?}"))
        });
        let foreign = Foreign { emulator, binary };
        (foreign.emulator.is_some() || foreign.is_narrow()).then_some(foreign)
    }

    /// Whether it has 32 bits: the consumer daemon of its own word size is not this machine's.
    fn is_narrow(&self) -> bool {
        let mut head = [0; WORDS + 1];
        let read = fs::File::open(&self.binary).and_then(|mut file| file.read_exact(&mut head));
        read.is_ok() && head[WORDS] == BITS_32
    }

    /// Names what it is, and how it is started.
    fn fingerprint(&self) -> String {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.emulator, &self.binary, self.script(Path::new(""))).hash(&mut hasher);
        fs::metadata(&self.binary).unwrap().modified().unwrap().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Makes the script that starts it by its usual name in a folder, and what is needed below. Returns the script.
    pub fn install(&self, folder: &Path) -> PathBuf {
        let [binary, emulator] = Self::places(folder);
        fs::create_dir_all(binary.parent().unwrap()).unwrap();
        copy(&self.binary, &binary);
        let beside = "lttng-sessiond-clock";
        std::os::unix::fs::symlink(Path::new("..").join(beside), binary.with_file_name(beside)).unwrap();
        if let Some(program) = &self.emulator {
            fs::create_dir_all(emulator.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(program, &emulator).unwrap();
        }
        let script = folder.join(NAME);
        write_program(&script, &self.script(folder));
        script
    }

    /// Where the binary and the emulator are below that folder.
    fn places(folder: &Path) -> [PathBuf; 2] {
        ["foreign", "emulator"].map(|place| folder.join(place).join(NAME))
    }

    fn script(&self, folder: &Path) -> String {
        let [binary, emulator] = Self::places(folder);
        let mut lines = "#!/bin/bash\n".to_owned();
        if self.is_narrow() {
            let library = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
            lines += &format!(
                ": ${{LTTNG_CONSUMERD64_BIN={library}/lttng/libexec/lttng-consumerd}}\n\
                 : ${{LTTNG_CONSUMERD64_LIBDIR={library}}}\n\
                 export LTTNG_CONSUMERD64_BIN LTTNG_CONSUMERD64_LIBDIR\n"
            );
        }
        let emulator = format!("'{}' -0 {NAME} ", emulator.display());
        let runner = if self.emulator.is_some() { &*emulator } else { "" };
        lines + &format!("exec -a {NAME} {runner}'{}' \"$@\"\n", binary.display())
    }
}

/// Makes a script that every user may read and run.
pub fn write_program(path: &Path, text: &str) {
    let beside = path.with_extension("text");
    fs::write(&beside, text).unwrap();
    copy(&beside, path);
}

/// Copies a file so that every user may read and run it.
pub fn copy(from: &Path, to: &Path) {
    // Not by this process: a child that another test forks meanwhile would hold the file open for writing, and it could not
    // be executed.
    assert!(succeeds(Command::new("install").args(["-m", "755"]).arg(from).arg(to)), "{from:?}");
}
