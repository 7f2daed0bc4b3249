// SPDX-License-Identifier: GPL-2.0-only
//! The same work on the stock daemon and on ours: what it costs. Run by `make bench`; prints a table.
//!
//! The daemons take turns, each in a sandbox of its own, and a figure is the median of the rounds. Nothing is
//! asserted of the values: that the work was done is.
//!
//! Environment, beside that of the end-to-end tests:
//!
//! * `LTTNG_BENCH_DAEMON=PATH`: the binary that is ours; without it the static one if it was built, else the
//!   one that Cargo has just built.
//! * `LTTNG_BENCH_ROUNDS=N`: 3 if not given.
//! * `LTTNG_BENCH_ONLY=triggers`: only what triggers cost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod cost;
mod crowd;
mod residents;
mod table;
mod triggers;
mod trips;

// The end-to-end tests use the rest of it.
#[allow(dead_code)]
#[path = "../e2e/support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cost::{cpu, peak_kib, settled_cpu};
use residents::Residents;
use support::daemon::Daemon;
use support::relay::Relay;
use support::sandbox::{Output, Sandbox};
use support::{Which, find_program, ours_only, side_by_side, skip, trace};
use table::{Commands, Figure, Table};
use trips::Tracing;

/// Applications.
const COUNT: usize = 300;

#[test]
#[ignore = "takes minutes and wants the machine alone: `make bench`"]
fn bench() {
    let rounds = env::var("LTTNG_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let table = RefCell::new(Table::default());
    let recorded = crowd::Recorded::default();
    let only_triggers = env::var("LTTNG_BENCH_ONLY").is_ok_and(|only| only == "triggers");
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for measure in triggers::ALL {
            side_by_side(|s| measure(&Bench { sandbox: s, table: &table }));
        }
        ours_only("its threads lock each other out", |s| {
            triggers::storm(&Bench { sandbox: s, table: &table });
        });
        if only_triggers {
            continue;
        }
        side_by_side(|s| resident_applications(&Bench { sandbox: s, table: &table }));
        side_by_side(|s| short_lived_applications(&Bench { sandbox: s, table: &table }));
        side_by_side(|s| idle_session(&Bench { sandbox: s, table: &table }));
        side_by_side(|s| crowd::real(&Bench { sandbox: s, table: &table }));
        side_by_side(|s| crowd::simulated(&Bench { sandbox: s, table: &table }, &recorded));
        ours_only("it is no daemon", |s| crowd::floor(s, &table, &recorded));
        // The stock daemon answers nobody meanwhile.
        ours_only("a silent relay daemon", |s| silent_relay(&Bench { sandbox: s, table: &table }));
    }
    if only_triggers {
        eprintln!("only triggers: nothing else is measured");
    } else if find_program("strace").is_some() {
        side_by_side(|s| joining_application(&Bench { sandbox: s, table: &table }));
    } else {
        skip("no strace: round trips are not counted");
    }
    let table = table.into_inner();
    if !table.is_empty() {
        println!("\n{table}\n{}", conditions(rounds));
    }
}

/// One daemon in one round.
struct Bench<'a> {
    sandbox: &'a Sandbox,
    table: &'a RefCell<Table>,
}

impl Bench<'_> {
    fn daemon(&self) -> Daemon {
        let binary = daemon_binary(self.sandbox.which());
        let mut daemon = Daemon::launch_binary(self.sandbox, &binary, &[], &["--no-kernel"]);
        daemon.expect("ready");
        daemon
    }

    fn add(&self, figure: Figure, value: f64) {
        self.table.borrow_mut().add(self.sandbox.which().into(), figure, value);
    }

    fn add_count(&self, figure: Figure, value: usize) {
        self.add(figure, f64::from(u32::try_from(value).unwrap()));
    }

    fn add_memory(&self, figure: Figure, process: support::process::Process) {
        self.add(figure, f64::from(u32::try_from(process.resident_kib()).unwrap()));
    }

    /// Runs `lttng`, which must succeed.
    fn lttng(&self, args: &[&str]) -> Output {
        self.sandbox.run("lttng", args).ok()
    }

    /// Runs `lttng` and notes how long it takes.
    fn time(&self, figure: Figure, args: &[&str]) -> Output {
        let output = self.lttng(args);
        self.add(figure, output.took.as_secs_f64());
        output
    }

    /// A session with a filtered event rule and two contexts, not started.
    fn create_session(&self, name: &str) {
        self.lttng(&["create", name, "--output", &self.sandbox.path(name)]);
        self.lttng(&["enable-event", "-u", "-a", "--filter", "handle > 10 && handle < 1000"]);
        self.lttng(&["add-context", "-u", "-t", "vpid", "-t", "procname"]);
    }
}

fn resident_applications(bench: &Bench) {
    let daemon = bench.daemon();
    let process = daemon.process();
    bench.lttng(&["list"]);
    let idle = settled_cpu(process);
    bench.add_memory(table::IDLE_MEMORY, process);
    bench.add_count(table::IDLE_THREADS, process.threads());
    bench.add_count(table::IDLE_DESCRIPTORS, process.descriptors());
    bench.time(table::NO_COMMAND, &["--version"]);

    let residents = Residents::start(bench.sandbox, COUNT);
    let registered = settled_cpu(process);
    bench.add(table::REGISTER_CPU, (registered - idle).as_secs_f64());
    bench.add_memory(table::RESIDENT_MEMORY, process);
    bench.add_count(table::RESIDENT_DESCRIPTORS, process.descriptors());

    let commands = table::RUNNING;
    list(bench, commands.list);
    bench.create_session("running");
    bench.time(commands.start, &["start"]);
    bench.add_memory(table::TRACED_MEMORY, process);
    bench.add_count(table::TRACED_DESCRIPTORS, process.descriptors());
    bench.time(commands.enable, &["enable-event", "-u", "nodeapp:publish"]);
    bench.time(commands.stop, &["stop"]);
    bench.time(commands.destroy, &["destroy"]);
    settled_cpu(process);
    bench.add(table::PEAK_MEMORY, peak_kib(process));

    // The stock daemon waits for seconds in each of these; it is left out to keep the whole short.
    if bench.sandbox.which() == Which::Ours {
        one_frozen(bench, &residents);
    }
    residents.end();
    daemon.stop();
}

/// The commands again while one application stands still.
fn one_frozen(bench: &Bench, residents: &Residents) {
    let Commands { list: list_figure, start, enable, stop, destroy } = table::ONE_FROZEN;
    let _frozen = residents.freeze_one(bench.sandbox);
    let output = bench.time(list_figure, &["list", "-u"]);
    assert!(listed(&output) >= COUNT - 1, "applications in the list");
    bench.create_session("frozen");
    bench.time(start, &["start"]);
    bench.time(enable, &["enable-event", "-u", "nodeapp:publish"]);
    bench.time(stop, &["stop"]);
    bench.time(destroy, &["destroy"]);
}

fn list(bench: &Bench, figure: Figure) {
    let output = bench.time(figure, &["list", "-u"]);
    assert_eq!(listed(&output), COUNT, "applications in the list");
}

/// The applications that `lttng list -u` shows.
fn listed(output: &Output) -> usize {
    output.stdout.lines().filter(|line| line.starts_with("PID:")).count()
}

fn short_lived_applications(bench: &Bench) {
    let daemon = bench.daemon();
    let process = daemon.process();
    let sandbox = bench.sandbox;
    let output = sandbox.path("trace");
    bench.lttng(&["create", "short", "--output", &output]);
    bench.lttng(&["enable-event", "-u", "testapp:tick"]);
    bench.lttng(&["start"]);
    let burst = sandbox.program("burst");
    // The first one makes the buffers.
    sandbox.run(&burst.to_string_lossy(), &["0", "1"]).ok();

    let before = settled_cpu(process);
    let begin = Instant::now();
    let crowd =
        sandbox.command(sandbox.program("crowd")).arg(COUNT.to_string()).arg(&burst).output().unwrap();
    bench.add(table::SHORT_WALL, begin.elapsed().as_secs_f64());
    assert_eq!(String::from_utf8_lossy(&crowd.stdout), format!("ended {COUNT} 0\n"));
    bench.add(table::SHORT_CPU, (settled_cpu(process) - before).as_secs_f64());
    bench.add(table::SHORT_PEAK, peak_kib(process));

    bench.lttng(&["destroy"]);
    assert_eq!(trace::events(sandbox, &output).len(), COUNT + 1, "recorded events");
    daemon.stop();
}

fn idle_session(bench: &Bench) {
    // What comes after a start is over by then.
    const IDLE: Duration = Duration::from_millis(1500);
    let daemon = bench.daemon();
    let residents = Residents::start(bench.sandbox, 1);
    let begin = |name: &str| {
        bench.lttng(&["create", name, "--output", &bench.sandbox.path(name)]);
        bench.lttng(&["enable-event", "-u", "nodeapp:*"]);
        bench.lttng(&["start"]);
        sleep(IDLE);
    };
    begin("stopped");
    bench.time(table::IDLE_STOP, &["stop"]);
    bench.time(table::IDLE_DESTROY, &["destroy"]);
    begin("rotated");
    bench.time(table::IDLE_ROTATE, &["rotate"]);
    sleep(IDLE);
    bench.time(table::IDLE_CLEAR, &["clear"]);
    bench.lttng(&["destroy"]);
    residents.end();
    daemon.stop();
}

/// Commands while another one waits for a relay daemon that takes its connection and says nothing.
fn silent_relay(bench: &Bench) {
    let s = bench.sandbox;
    let daemon = bench.daemon();
    let relay = Relay::start(s);
    bench.lttng(&["create", "other", "--output", &s.path("other")]);
    bench.lttng(&["enable-event", "-u", "testapp:*"]);
    bench.lttng(&["create", "remote", "--set-url=net://127.0.0.1"]);
    relay.freeze();
    let mut waiting = s.command("lttng");
    waiting.args(["enable-event", "-s", "remote", "-u", "testapp:*"]).stderr(Stdio::null());
    let mut waiting = waiting.stdout(Stdio::null()).spawn().unwrap();
    sleep(Duration::from_millis(500));
    let others: [&[&str]; 4] =
        [&["list"], &["enable-event", "-s", "other", "-u", "x:y"], &["start", "other"], &["stop", "other"]];
    let took = others.map(|command| bench.lttng(command).took.as_secs_f64());
    assert!(waiting.try_wait().unwrap().is_none(), "the relay daemon is waited for");
    bench.add(table::SILENT_RELAY, took.into_iter().fold(0.0, f64::max));
    relay.kill();
    waiting.wait().unwrap();
    daemon.stop();
}

fn joining_application(bench: &Bench) {
    let daemon = bench.daemon();
    let process = daemon.process();
    let sandbox = bench.sandbox;
    bench.create_session("joined");
    bench.lttng(&["start"]);
    let burst = sandbox.program("burst");
    let join = || sandbox.run(&burst.to_string_lossy(), &["0", "1"]).ok();
    // The first one makes the buffers.
    join();
    let before = settled_cpu(process);
    let tracing = Tracing::attach(sandbox, process);
    join();
    assert!(cpu(process) > before, "the daemon had something to do");
    settled_cpu(process);
    let bursts = tracing.bursts();
    assert_eq!(bursts.len(), 2, "connections of one application: {bursts:?}");
    bench.add_count(table::JOIN_COMMAND_TRIPS, bursts[0]);
    bench.add_count(table::JOIN_NOTIFY_TRIPS, bursts[1]);
    bench.lttng(&["destroy"]);
    daemon.stop();
}

/// The binary that is measured.
fn daemon_binary(which: Which) -> PathBuf {
    if which == Which::Stock {
        return which.path();
    }
    if let Some(path) = env::var_os("LTTNG_BENCH_DAEMON") {
        return path.into();
    }
    // Where `make static` puts it.
    let fixed = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("static/lttng-sessiond");
    if fixed.exists() { fixed } else { which.path() }
}

/// On what it was measured.
fn conditions(rounds: usize) -> String {
    let first_line = |command: &mut Command| {
        let output = command.output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).lines().next().unwrap_or("?").to_owned()
    };
    let version = |which| first_line(Command::new(daemon_binary(which)).arg("--version"));
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!(
        "Median of {rounds} rounds on {} cores ({}), Linux {}. Stock: lttng-sessiond {}; ours: {} ({} KiB).",
        std::thread::available_parallelism().map_or(0, usize::from),
        model.map_or("?", |(_, model)| model),
        first_line(Command::new("uname").arg("-r")),
        version(Which::Stock),
        version(Which::Ours),
        std::fs::metadata(daemon_binary(Which::Ours)).map_or(0, |file| file.len() / 1024),
    )
}
