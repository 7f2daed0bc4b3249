// SPDX-License-Identifier: GPL-2.0-only
//! How a consumer daemon is started: its argument list and environment. Nothing is started here.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::turn::output::Program;

/// Where programs look for libraries first.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// A consumer daemon that is configured.
#[derive(Debug, Clone, Default)]
pub struct ConsumerProgram {
    pub path: PathBuf,
    /// Whose data it moves: `-u` for applications', `-k` for the kernel's.
    pub mode: &'static str,
    /// Folder to go in front of its library path.
    pub libdir: Option<PathBuf>,
    /// The library path that this process has.
    pub library_path: Option<OsString>,
    /// `--verbose`, `--quiet` or nothing, which is an argument too.
    pub verbosity: &'static str,
    /// Where it will listen.
    pub command_socket: PathBuf,
    /// Where it reports.
    pub error_socket: PathBuf,
    /// Name of the tracing group.
    pub group: String,
    /// Clock plug-in, for its environment.
    pub clock_plugin: Option<PathBuf>,
}

impl ConsumerProgram {
    /// What is to be started (argument list: lttng-tools 2.13, `src/bin/lttng-sessiond/client.c`).
    pub fn program(&self) -> Program {
        let args = [
            OsString::from(self.verbosity),
            OsString::from(self.mode),
            OsString::from("--consumerd-cmd-sock"),
            OsString::from(&self.command_socket),
            OsString::from("--consumerd-err-sock"),
            OsString::from(&self.error_socket),
            OsString::from("--group"),
            OsString::from(&self.group),
        ];
        let mut env = Vec::new();
        if let Some(folder) = &self.libdir {
            let mut path = OsString::from(folder);
            if let Some(old) = &self.library_path {
                path.push(":");
                path.push(old);
            }
            env.push((OsString::from(LIBRARY_PATH), path));
        }
        if let Some(plugin) = &self.clock_plugin {
            env.push((OsString::from("LTTNG_UST_CLOCK_PLUGIN"), OsString::from(plugin)));
        }
        Program { path: self.path.clone(), arg0: OsString::from("lttng-consumerd"), args: args.into(), env }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured() -> ConsumerProgram {
        ConsumerProgram {
            path: "/lib/consumerd".into(),
            mode: "-u",
            command_socket: "/run/command".into(),
            error_socket: "/run/error".into(),
            group: "tracing".to_owned(),
            ..ConsumerProgram::default()
        }
    }

    #[test]
    fn the_argument_list_is_that_of_the_original() {
        let Program { path, arg0, args, env } = configured().program();
        assert_eq!((path, arg0), (PathBuf::from("/lib/consumerd"), OsString::from("lttng-consumerd")));
        let sockets = ["--consumerd-cmd-sock", "/run/command", "--consumerd-err-sock", "/run/error"];
        // Without a word for it, verbosity is an empty argument.
        assert_eq!(args, [&["", "-u"][..], &sockets[..], &["--group", "tracing"]].concat());
        assert_eq!(env, []);
    }

    #[test]
    fn its_own_libraries_come_before_those_of_this_process() {
        let with_libdir = ConsumerProgram { libdir: Some("/own".into()), ..configured() };
        assert_eq!(with_libdir.program().env, [(LIBRARY_PATH.into(), "/own".into())]);
        let with_both = ConsumerProgram {
            library_path: Some("/inherited".into()),
            clock_plugin: Some("/clock.so".into()),
            ..with_libdir
        };
        let expected: [(OsString, OsString); 2] = [
            (LIBRARY_PATH.into(), "/own:/inherited".into()),
            ("LTTNG_UST_CLOCK_PLUGIN".into(), "/clock.so".into()),
        ];
        assert_eq!(with_both.program().env, expected);
    }
}
