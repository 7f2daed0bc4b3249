// SPDX-License-Identifier: GPL-2.0-only
//! What is not of the machine's own kind: 32-bit applications, ones linked with LTTng-UST 2.12, Prometheus' checker.
//!
//! `tests/scripts/foreign` fetches their libraries. Where it could not, it left the reason.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{build, skip};

const BITS_32: &str = "32";

/// Unpacked libraries and headers that programs can be compiled for.
pub struct Foreign {
    kind: &'static str,
    folder: PathBuf,
    options: Vec<String>,
}

impl Foreign {
    /// 32-bit x86, LTTng 2.13. None, after it was said why, when it is not here.
    pub fn bits_32() -> Option<Self> {
        let folder = unpacked("i386")?;
        let root = folder.display();
        let compiler = format!("{root}/usr/lib/gcc/i686-linux-gnu/12");
        let options = vec![
            "-m32".to_owned(),
            format!("--sysroot={root}"),
            format!("-B{compiler}"),
            format!("-L{compiler}"),
            format!("-B{root}/usr/lib/i386-linux-gnu"),
            format!("-isystem{root}/usr/include/i386-linux-gnu"),
            format!("-Wl,--dynamic-linker={root}/run/ld-linux.so.2"),
            // The old kind of run path is also for the libraries that libraries need.
            format!("-Wl,--disable-new-dtags,-rpath={root}/run"),
        ];
        Some(Foreign { kind: BITS_32, folder, options })
    }

    /// LTTng-UST 2.12. None, after it was said why, when it is not here.
    pub fn ust_2_12() -> Option<Self> {
        let folder = unpacked("ust-2.12")?;
        let root = folder.display();
        let options = vec![
            "-Iust-2.12".to_owned(),
            format!("-isystem{root}/usr/include/x86_64-linux-gnu"),
            format!("-isystem{root}/usr/include"),
            format!("-L{root}/usr/lib/x86_64-linux-gnu"),
            format!("-Wl,--disable-new-dtags,-rpath={root}/usr/lib/x86_64-linux-gnu"),
        ];
        Some(Foreign { kind: "2.12", folder, options })
    }

    /// A program of `tests/apps`, compiled for these libraries.
    pub fn program(&self, name: &str) -> PathBuf {
        build::foreign_program(self.kind, name, &self.options)
    }

    /// The options that give a session daemon a consumer daemon for these applications, if it needs another one.
    pub fn consumer_options(&self) -> Vec<String> {
        if self.kind != BITS_32 {
            return Vec::new();
        }
        let [program, libraries] = self.consumer_paths();
        vec![format!("--consumerd32-path={program}"), format!("--consumerd32-libdir={libraries}")]
    }

    /// The 32-bit consumer daemon, and the folder with its libraries.
    pub fn consumer_paths(&self) -> [String; 2] {
        let run = self.folder.join("run");
        [run.join("lttng-consumerd"), run].map(|path| path.display().to_string())
    }
}

/// Prometheus' `promtool`. None, after it was said why, when it is not here.
pub fn promtool() -> Option<PathBuf> {
    Some(unpacked("prometheus")?.join("promtool"))
}

/// The folder `name` below `TARGET/foreign`.
fn unpacked(name: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let foreign = target.join("foreign");
    if foreign.join(name).join("complete").exists() {
        return Some(foreign.join(name));
    }
    match fs::read_to_string(foreign.join(format!("{name}.missing"))) {
        // It was tried: that is nothing that a test could be blamed for.
        Ok(reason) => skip(reason.trim_end()),
        Err(_) => {
            let reason = "run tests/scripts/foreign first";
            assert!(env::var_os("LTTNG_TEST_REQUIRE").is_none(), "cannot run: {reason}");
            skip(reason);
        }
    }
    None
}
