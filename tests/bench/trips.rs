// SPDX-License-Identifier: GPL-2.0-only
//! How many round trips the daemon makes with an application, counted in a trace of the daemon's system calls.
//!
//! Requests that are sent one behind the other, before an answer is read, are one round trip.

use std::collections::HashMap;
use std::fs;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::daemon::Lines;
use crate::support::process::Process;
use crate::support::sandbox::Sandbox;

/// A running `strace` of the daemon.
pub struct Tracing {
    strace: Child,
    file: String,
}

impl Tracing {
    /// Attaches to all threads of the daemon.
    pub fn attach(sandbox: &Sandbox, daemon: Process) -> Self {
        let file = sandbox.path("strace");
        let mut strace = Command::new("strace")
            .args(["-f", "-e", "trace=network", "-e", "signal=none", "-s", "0", "-o", &file, "-p"])
            .arg(daemon.pid().to_string())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Lines::new(strace.stderr.take().unwrap(), "strace");
        let line = lines.next();
        assert!(line.contains("attached"), "strace: {line}");
        Tracing { strace, file }
    }

    /// Detaches. Returns the bursts that the daemon sent on each connection that it accepted, in the order of
    /// their beginning: an application's command socket comes before its notify socket.
    pub fn bursts(mut self) -> Vec<usize> {
        kill(Pid::from_raw(i32::try_from(self.strace.id()).unwrap()), Signal::SIGINT).unwrap();
        self.strace.wait().unwrap();
        count(&fs::read_to_string(&self.file).unwrap())
    }
}

#[derive(Default)]
struct Connection {
    bursts: usize,
    sending: bool,
}

fn count(trace: &str) -> Vec<usize> {
    let mut connections: Vec<Connection> = Vec::new();
    let mut by_descriptor: HashMap<u32, usize> = HashMap::new();
    // System call and descriptor of the calls that have not returned, by thread.
    let mut begun: HashMap<&str, (&str, u32)> = HashMap::new();
    for line in trace.lines() {
        let Some((thread, event)) = line.split_once(' ') else { continue };
        let event = event.trim_start();
        let call = if event.starts_with("<... ") { begun.remove(thread) } else { parse(event) };
        let Some((name, descriptor)) = call else { continue };
        if event.ends_with("<unfinished ...>") {
            begun.insert(thread, (name, descriptor));
            continue;
        }
        let Some(result) = result(event) else { continue };
        if name.starts_with("accept") {
            by_descriptor.insert(result, connections.len());
            connections.push(Connection::default());
        } else if let Some(connection) =
            by_descriptor.get(&descriptor).and_then(|index| connections.get_mut(*index))
        {
            let sends = name.starts_with("send");
            if result > 0 && sends && !connection.sending {
                connection.bursts += 1;
            }
            if result > 0 {
                connection.sending = sends;
            }
        }
    }
    connections.into_iter().map(|connection| connection.bursts).collect()
}

/// System call and first argument of `NAME(DESCRIPTOR, ...`.
fn parse(event: &str) -> Option<(&str, u32)> {
    let (name, arguments) = event.split_once('(')?;
    let end = arguments.find(|c: char| !c.is_ascii_digit())?;
    Some((name, arguments[..end].parse().ok()?))
}

/// The result of `...) = NUMBER`, unless it failed.
fn result(event: &str) -> Option<u32> {
    event.rsplit_once(" = ")?.1.split(' ').next()?.parse().ok()
}
