// SPDX-License-Identifier: GPL-2.0-only
//! What the daemon costs the more, the more others there are: real applications, simulated ones, clients.

use std::cell::RefCell;
use std::fs;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit};

use crate::cost::settled_cpu;
use crate::residents::Residents;
use crate::support::Which;
use crate::support::daemon::{Lines, eventually};
use crate::support::process::Process;
use crate::support::sandbox::{OTHER, Sandbox, User};
use crate::support::socket::{REPLY_SIZE, REQUEST_SIZE};
use crate::table::{self, Column, Crowd, Figure, Table};
use crate::{Bench, COUNT};

/// Where root's applications connect to.
const APPLICATIONS: &str = "/var/run/lttng/lttng-ust-sock-8";
/// Where root's clients connect to.
const CLIENTS: &str = "/var/run/lttng/client-lttng-sessiond";
/// Requests of clients.
const REQUESTS: usize = 2000;
/// Real applications.
const CROWDS: [usize; 3] = [COUNT, 1000, 3000];
/// Simulated applications that both daemons have enough descriptors for.
const SIMULATED: [usize; 2] = [COUNT, 3000];
/// Simulated applications, if there are enough descriptors.
const MOST: usize = 10_000;

const ROOT: User = User { uid: 0, gid: 0, groups: &[] };

/// What a simulated application was told, and what a client was: for the floor.
#[derive(Default)]
pub struct Recorded(RefCell<Vec<u8>>);

/// Real applications that join, and that are there already.
pub fn real(bench: &Bench) {
    for count in CROWDS {
        let figures = Crowd::of(count);
        let daemon = bench.daemon();
        let process = daemon.process();
        begin(bench, "joined");
        // The first one makes the buffers.
        Residents::start(bench.sandbox, 1).end();

        let before = settled_cpu(process);
        let begun = Instant::now();
        let residents = Residents::start(bench.sandbox, count);
        bench.add(figures.join, begun.elapsed().as_secs_f64());
        bench.add(figures.join_cpu, (settled_cpu(process) - before).as_secs_f64());
        time(bench, process, [figures.stop, figures.stop_cpu], &["stop"]);
        bench.lttng(&["destroy"]);

        bench.create_session("running");
        time(bench, process, [figures.start, figures.start_cpu], &["start"]);
        bench.add_memory(figures.memory, process);
        if count == COUNT {
            let before = settled_cpu(process);
            bench.lttng(&["list", "-u", "-f"]);
            bench.add(table::LIST_FIELDS_CPU, (settled_cpu(process) - before).as_secs_f64());
            let before = settled_cpu(process);
            bench.lttng(&["list", "-u"]);
            bench.add(table::LIST_CPU, (settled_cpu(process) - before).as_secs_f64());
            let sandbox = bench.sandbox;
            if sandbox.which() == Which::Ours {
                let before = settled_cpu(process);
                let binary = crate::daemon_binary(Which::Ours).to_string_lossy().into_owned();
                sandbox.run(&binary, &["--status=json"]).ok();
                bench.add(table::REPORT_CPU, (settled_cpu(process) - before).as_secs_f64());
            }
        }
        bench.lttng(&["destroy"]);
        residents.end();
        daemon.stop();
    }
}

/// A session that records all there is.
fn begin(bench: &Bench, name: &str) {
    bench.lttng(&["create", name, "--output", &bench.sandbox.path(name)]);
    bench.lttng(&["enable-event", "-u", "-a"]);
    bench.lttng(&["start"]);
}

/// Runs `lttng` and notes how long it takes, and the daemon's CPU time for it and what follows from it.
fn time(bench: &Bench, process: Process, [wall, cpu]: [Figure; 2], args: &[&str]) {
    let before = settled_cpu(process);
    bench.time(wall, args);
    bench.add(cpu, (settled_cpu(process) - before).as_secs_f64());
}

/// Simulated applications that join, and clients that only ask once.
pub fn simulated(bench: &Bench, recorded: &Recorded) {
    let sandbox = bench.sandbox;
    let daemon = bench.daemon();
    let process = daemon.process();
    clients(sandbox, bench.table, sandbox.which().into(), process);
    begin(bench, "joined");
    join(sandbox, process, &[ROOT], 1);
    let ours = sandbox.which() == Which::Ours;
    if ours && recorded.0.borrow().is_empty() {
        let file = sandbox.path("recorded");
        let mut command = sandbox.command(sandbox.program("simulated"));
        Simulated::start(command.args(["1", APPLICATIONS, &file]), 1).end();
        *recorded.0.borrow_mut() = fs::read(file).unwrap();
    }
    for count in SIMULATED {
        bench.add(table::simulated(count), join(sandbox, process, &[ROOT], count));
    }
    let most = most();
    if ours && most > SIMULATED[1] {
        // No user may have all descriptors.
        join(sandbox, process, &[OTHER], 1);
        bench.add(table::simulated(most), join(sandbox, process, &[ROOT, OTHER], most));
    }
    bench.lttng(&["destroy"]);
    daemon.stop();
}

/// The same on the floor.
pub fn floor(sandbox: &Sandbox, table: &RefCell<Table>, recorded: &Recorded) {
    let [record, reply] = ["recorded", "reply"].map(|name| sandbox.path(name));
    fs::write(&record, &*recorded.0.borrow()).unwrap();
    // No sessions: the number of the command and the code of success, and nothing else.
    let numbers = [13_u32, 10].map(u32::to_ne_bytes).concat();
    fs::write(&reply, [numbers, vec![0; REPLY_SIZE - 8]].concat()).unwrap();
    fs::create_dir_all(sandbox.outside("/run/lttng")).unwrap();
    let mut command = sandbox.command(sandbox.program("floor"));
    command.args([&record, APPLICATIONS, CLIENTS, &REQUEST_SIZE.to_string(), &reply]);
    let mut floor = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = Lines::new(floor.stdout.take().unwrap(), "floor");
    let process = Process::new(sandbox.outer_pid(lines.number("ready")).unwrap());
    clients(sandbox, table, Column::Floor, process);
    for count in SIMULATED.into_iter().chain([most()]) {
        let each = join(sandbox, process, &[ROOT], count);
        table.borrow_mut().add(Column::Floor, table::simulated(count), each);
    }
    process.signal(nix::sys::signal::Signal::SIGKILL);
    floor.wait().unwrap();
}

/// Requests of clients, one after the other.
fn clients(sandbox: &Sandbox, table: &RefCell<Table>, column: Column, process: Process) {
    let program = sandbox.program("clients");
    let ask = || sandbox.run(&program.to_string_lossy(), &[&REQUESTS.to_string()]).ok();
    ask();
    let before = settled_cpu(process);
    let output = ask();
    assert_eq!(output.stdout, "listed 0\n");
    let cpu = settled_cpu(process) - before;
    table.borrow_mut().add(column, table::CLIENTS, output.took.as_secs_f64());
    table.borrow_mut().add(column, table::CLIENTS_CPU, cpu.as_secs_f64());
}

/// How many simulated applications can be had here.
fn most() -> usize {
    let (_, limit) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // A part of the daemon's descriptors is not for applications, of which each takes two.
    MOST.min(usize::try_from(limit / 8 * 3).unwrap_or(MOST) / 100 * 100)
}

/// Lets so many join, in equal parts of these users, and end. Returns the daemon's CPU time for each, in seconds.
fn join(sandbox: &Sandbox, process: Process, users: &[User], count: usize) -> f64 {
    let before = settled_cpu(process);
    let each = count / users.len();
    let all: Vec<Simulated> = users
        .iter()
        .map(|&user| {
            let mut command = sandbox.command_as(user, sandbox.program("simulated"));
            Simulated::start(command.args([&each.to_string(), APPLICATIONS]), each)
        })
        .collect();
    let spent = settled_cpu(process) - before;
    let descriptors = process.descriptors();
    all.into_iter().for_each(Simulated::end);
    eventually("their connections are closed", || process.descriptors() + 2 * count <= descriptors);
    spent.as_secs_f64() / Duration::from_secs(u64::try_from(count).unwrap()).as_secs_f64()
}

/// A running `simulated`.
struct Simulated {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Simulated {
    /// Starts it; all of its applications are released when this returns.
    fn start(command: &mut std::process::Command, count: usize) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = Lines::new(child.stdout.take().unwrap(), "simulated applications");
        for _ in 0..count {
            lines.number("ready");
        }
        Simulated { stdin: child.stdin.take(), child }
    }

    fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}
