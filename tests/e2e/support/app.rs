// SPDX-License-Identifier: GPL-2.0-only
//! Instrumented applications that emit what the test tells them.

use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::sys::signal::Signal;

use super::daemon::{Lines, eventually};
use super::foreign::Foreign;
use super::process::Process;
use super::sandbox::{Sandbox, User};

/// A running `emitter`.
pub struct App {
    entrance: Child,
    stdin: Option<ChildStdin>,
    lines: Lines,
    pid: i32,
    process: Process,
}

impl App {
    /// Starts one as root. When a daemon runs, the application is registered, and traced by all active
    /// sessions, when this returns.
    pub fn start(sandbox: &Sandbox) -> Self {
        Self::spawn(sandbox, sandbox.command(sandbox.program("emitter")))
    }

    /// Starts one as another user.
    pub fn start_as(sandbox: &Sandbox, user: User) -> Self {
        Self::spawn(sandbox, sandbox.command_as(user, sandbox.program("emitter")))
    }

    /// Starts one as root with further environment variables.
    pub fn start_with(sandbox: &Sandbox, environment: &[(&str, &str)]) -> Self {
        let mut command = sandbox.command(sandbox.program("emitter"));
        command.envs(environment.iter().copied());
        Self::spawn(sandbox, command)
    }

    /// Starts one that stays on one CPU: its events are in one stream.
    pub fn start_on(sandbox: &Sandbox, cpu: u32) -> Self {
        let mut command = sandbox.command("taskset");
        command.args(["--cpu-list", &cpu.to_string()]).arg(sandbox.program("emitter"));
        Self::spawn(sandbox, command)
    }

    /// Starts another program of `tests/apps` that says `ready PID` first and answers each line.
    pub fn start_program(sandbox: &Sandbox, name: &str, args: &[&str]) -> Self {
        let mut command = sandbox.command(sandbox.program(name));
        command.args(args);
        Self::spawn(sandbox, command)
    }

    /// The same as another user.
    pub fn start_program_as(sandbox: &Sandbox, user: User, name: &str) -> Self {
        Self::spawn(sandbox, sandbox.command_as(user, sandbox.program(name)))
    }

    /// Starts one whose process has this name, at most 15 bytes.
    pub fn start_named(sandbox: &Sandbox, name: &str) -> Self {
        // A process is named after the file that it was started from.
        let file = sandbox.path(name);
        std::os::unix::fs::symlink(sandbox.program("emitter"), &file).unwrap();
        Self::spawn(sandbox, sandbox.command(&file))
    }

    /// Starts the program in a file of the sandbox that says `ready PID` first.
    pub fn start_file(sandbox: &Sandbox, file: &Path, args: &[&str]) -> Self {
        let mut command = sandbox.command(file);
        command.args(args);
        Self::spawn(sandbox, command)
    }

    /// Starts such a program that was compiled for foreign libraries.
    pub fn start_foreign(sandbox: &Sandbox, foreign: &Foreign, name: &str) -> Self {
        Self::spawn(sandbox, sandbox.command(sandbox.foreign_program(foreign, name)))
    }

    /// Starts what this command of the sandbox runs, which says `ready PID` first and answers each line.
    pub fn start_command(sandbox: &Sandbox, command: Command) -> Self {
        Self::spawn(sandbox, command)
    }

    /// Starts a program of `tests/apps` that brings LTTng-UST to complain, without what it says.
    pub fn start_complaining(sandbox: &Sandbox, name: &str, args: &[&str]) -> Self {
        let mut command = sandbox.command(sandbox.program(name));
        command.args(args).stderr(Stdio::null());
        Self::spawn(sandbox, command)
    }

    /// The same with a library loaded before all others.
    pub fn start_preloaded(sandbox: &Sandbox, name: &str, library: &str, args: &[&str]) -> Self {
        let mut command = sandbox.command("env");
        command.arg(format!("LD_PRELOAD={library}")).arg(sandbox.program(name)).args(args);
        Self::spawn(sandbox, command)
    }

    /// Starts a `peer` that holds `count` connections to `path` on which it has sent `bytes`.
    pub fn hold(sandbox: &Sandbox, path: &str, count: usize, bytes: &[u8]) -> Self {
        let file = sandbox.path("bytes");
        std::fs::write(&file, bytes).unwrap();
        let mut command = sandbox.command(sandbox.program("peer"));
        command.args(["hold", path, &count.to_string(), &file]);
        Self::spawn(sandbox, command)
    }

    /// Starts several at the same time.
    pub fn start_many(sandbox: &Sandbox, count: usize) -> Vec<Self> {
        let started: Vec<_> =
            (0..count).map(|_| launch(sandbox.command(sandbox.program("emitter")))).collect();
        started.into_iter().map(|parts| Self::ready(sandbox, parts)).collect()
    }

    fn spawn(sandbox: &Sandbox, command: Command) -> Self {
        Self::ready(sandbox, launch(command))
    }

    fn ready(sandbox: &Sandbox, (mut entrance, lines): (Child, Lines)) -> Self {
        let pid = lines.number("ready");
        let process = Process::new(sandbox.outer_pid(pid).unwrap());
        App { stdin: entrance.stdin.take(), entrance, lines, pid, process }
    }

    /// Its pid inside the sandbox, as `lttng list -u` shows it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a command line and returns the answer.
    pub fn ask(&mut self, command: &str) -> String {
        self.send(command);
        self.answer()
    }

    /// Sends a command line without waiting for the answer.
    pub fn send(&mut self, command: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{command}").unwrap();
    }

    /// Waits for the answer to an earlier [`Self::send`].
    pub fn answer(&self) -> String {
        self.lines.next()
    }

    /// Sends a command line that must be answered `done`.
    pub fn tell(&mut self, command: &str) {
        assert_eq!(self.ask(command), "done", "`{command}`");
    }

    /// Lets it end by itself.
    pub fn exit(mut self) {
        assert_eq!(self.ask("exit"), "bye");
        assert!(self.entrance.wait().unwrap().success());
    }

    /// Ends its input, and waits until it has ended.
    pub fn close(mut self) {
        drop(self.stdin.take());
        assert!(self.entrance.wait().unwrap().success());
    }

    /// Waits until it sleeps and wakes up again and again, as LTTng-UST does when a buffer is full.
    pub fn blocks(&self) {
        let before = self.process.sleeps();
        eventually("the application blocks", || self.process.sleeps() >= before + 10);
    }

    /// Stops it with SIGSTOP and waits until it stands still.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        // `nsenter` stops itself when its child stops.
        let entrance = Process::new(i32::try_from(self.entrance.id()).unwrap());
        self.process.signal(Signal::SIGCONT);
        eventually("the application goes on", || {
            entrance.signal(Signal::SIGCONT);
            self.process.state() != 'T' && entrance.state() != 'T'
        });
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.process.signal(Signal::SIGKILL);
        let _ = self.entrance.wait();
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // A stopped `nsenter` would never collect its child, and the sandbox could not end before that. The
        // application itself ends at the end of its input, or with the sandbox.
        let _ = self.entrance.kill();
        let _ = self.entrance.wait();
    }
}

fn launch(mut command: Command) -> (Child, Lines) {
    let mut entrance = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = Lines::new(entrance.stdout.take().unwrap(), "application");
    (entrance, lines)
}
