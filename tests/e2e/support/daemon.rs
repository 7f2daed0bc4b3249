// SPDX-License-Identifier: GPL-2.0-only
//! Starting and ending the daemon under test.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::process::Process;
use super::sandbox::{Sandbox, User};

/// How long a test waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Lines of a child's output, read by a thread so that waiting for one has a limit.
pub struct Lines {
    receiver: Receiver<String>,
    what: String,
}

impl Lines {
    /// Takes over the reading end.
    pub fn new(stream: impl Read + Send + 'static, what: &str) -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Lines { receiver, what: what.to_owned() }
    }

    /// The next line.
    pub fn next(&self) -> String {
        self.receiver
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("{}: no answer: {error}", self.what))
    }

    /// The next line, which must be `PREFIX NUMBER`.
    pub fn number(&self, prefix: &str) -> i32 {
        let line = self.next();
        let number = line.strip_prefix(prefix).and_then(|rest| rest.trim().parse().ok());
        number.unwrap_or_else(|| panic!("{}: expected `{prefix} N`, got `{line}`", self.what))
    }
}

/// A daemon in the foreground.
pub struct Daemon {
    entrance: Child,
    lines: Lines,
    process: Process,
}

impl Daemon {
    /// Starts the sandbox's daemon as root with `--no-kernel` and waits until it says that it is ready.
    pub fn start(sandbox: &Sandbox) -> Self {
        Self::start_with(sandbox, &["--no-kernel"])
    }

    /// Starts it with these options (`--sig-parent` is added) and waits until it is ready.
    pub fn start_with(sandbox: &Sandbox, options: &[&str]) -> Self {
        let mut daemon = Self::launch(sandbox, &[], options);
        daemon.expect("ready");
        daemon
    }

    /// Starts it as another user and waits until it is ready.
    pub fn start_as(sandbox: &Sandbox, user: User, environment: &[(&str, &str)]) -> Self {
        let mut command = sandbox.command_as(user, sandbox.program("supervise"));
        let log = sandbox.home_of(user).join("daemon.log");
        command.envs(environment.iter().copied());
        command.arg(log).arg(sandbox.shared_daemon()).args(["--no-kernel", "--sig-parent"]);
        let mut daemon = Self::spawn(sandbox, command);
        daemon.expect("ready");
        daemon
    }

    /// Starts it as another user who may have so many open files (soft:hard), and waits until it is ready.
    pub fn start_limited(sandbox: &Sandbox, user: User, files: &str) -> Self {
        let mut command = sandbox.command_as(user, "prlimit");
        let log = sandbox.home_of(user).join("daemon.log");
        command.arg(format!("--nofile={files}")).arg(sandbox.program("supervise")).arg(log);
        command.arg(sandbox.shared_daemon()).args(["--no-kernel", "--sig-parent"]);
        let mut daemon = Self::spawn(sandbox, command);
        daemon.expect("ready");
        daemon
    }

    /// Starts it with these environment variables and options, without waiting.
    pub fn launch(sandbox: &Sandbox, environment: &[(&str, &str)], options: &[&str]) -> Self {
        Self::launch_binary(sandbox, &sandbox.which().path(), environment, options)
    }

    /// Starts another binary in the place of the daemon.
    pub fn launch_binary(
        sandbox: &Sandbox,
        binary: &Path,
        environment: &[(&str, &str)],
        options: &[&str],
    ) -> Self {
        let mut command = sandbox.command(sandbox.program("supervise"));
        command.envs(environment.iter().copied());
        command.arg(sandbox.path("daemon.log")).arg(binary).args(options).arg("--sig-parent");
        Self::spawn(sandbox, command)
    }

    fn spawn(sandbox: &Sandbox, mut command: Command) -> Self {
        let mut entrance = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = Lines::new(entrance.stdout.take().unwrap(), "daemon");
        let inner = lines.number("pid");
        let process = Process::new(sandbox.outer_pid(inner).unwrap_or(0));
        Daemon { entrance, lines, process }
    }

    /// The daemon's process.
    pub fn process(&self) -> Process {
        self.process
    }

    /// The next thing that happens to it: `ready`, `exit N`, `signal N`.
    pub fn expect(&mut self, event: &str) {
        let line = self.lines.next();
        assert_eq!(line, event, "of the daemon");
    }

    /// Sends SIGTERM and waits for a clean end.
    pub fn stop(self) {
        self.end(Signal::SIGTERM);
    }

    /// Sends a signal and waits for a clean end.
    pub fn end(mut self, signal: Signal) {
        self.process.signal(signal);
        self.expect("exit 0");
        let _ = self.entrance.wait();
    }

    /// Waits for the end that it comes to by itself, and says it: `exit N`, `signal N`.
    pub fn fallen(mut self) -> String {
        let end = self.lines.next();
        let _ = self.entrance.wait();
        end
    }

    /// Kills it without a chance to clean up.
    pub fn kill(mut self) {
        self.process.signal(Signal::SIGKILL);
        self.expect("signal 9");
        let _ = self.entrance.wait();
    }
}

/// Looks again every few milliseconds until `condition` holds. Only for what nobody announces.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
