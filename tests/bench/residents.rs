// SPDX-License-Identifier: GPL-2.0-only
//! Many applications that stay.

use std::process::{Child, ChildStdin, Stdio};

use nix::sys::signal::Signal;

use crate::support::daemon::{Lines, eventually};
use crate::support::process::Process;
use crate::support::sandbox::Sandbox;

/// Starts `$1` times the program `$2`. All share the shell's standard input, by another number: the shell gives
/// `/dev/null` to what it starts in the background.
const LAUNCHER: &str = r#"
exec 3<&0
i=0
while [ $i -lt "$1" ]; do
    "$2" <&3 3<&- &
    i=$((i + 1))
done
wait
"#;

/// Running programs with twenty events that wait for the end of their input.
pub struct Residents {
    launcher: Child,
    stdin: Option<ChildStdin>,
    /// One of them, by its pid inside the sandbox.
    one: i32,
}

impl Residents {
    /// Starts them; all are registered, and traced by all active sessions, when this returns.
    pub fn start(sandbox: &Sandbox, count: usize) -> Self {
        let mut command = sandbox.command("sh");
        command.args(["-c", LAUNCHER, "launcher", &count.to_string()]).arg(sandbox.program("node"));
        let mut launcher = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = Lines::new(launcher.stdout.take().unwrap(), "applications");
        let mut one = 0;
        for _ in 0..count {
            one = lines.number("ready");
        }
        Residents { stdin: launcher.stdin.take(), launcher, one }
    }

    /// Stops one of them; it goes on when what is returned is dropped.
    pub fn freeze_one(&self, sandbox: &Sandbox) -> Frozen {
        let process = Process::new(sandbox.outer_pid(self.one).unwrap());
        process.signal(Signal::SIGSTOP);
        eventually("the application stops", || process.state() == 'T');
        Frozen(process)
    }

    /// Lets all end.
    pub fn end(mut self) {
        drop(self.stdin.take());
        self.launcher.wait().unwrap();
    }
}

/// An application that stands still.
pub struct Frozen(Process);

impl Drop for Frozen {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGCONT);
    }
}
