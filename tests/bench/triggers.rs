// SPDX-License-Identifier: GPL-2.0-only
//! What triggers on events cost: telling of events, having many triggers, many applications that are to know them, and a
//! storm of events that nobody could tell all of.

use std::thread;
use std::time::Duration;

use crate::Bench;
use crate::cost::{peak_kib, settled_cpu};
use crate::residents::Residents;
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::process::Process;
use crate::table;

/// Events that the stock daemon keeps up with.
const RATE: usize = 5000;
/// For how long events come at that rate, in seconds.
const STEADY: usize = 5;
/// Events that come at once, and how many times: threads of the stock daemon lock each other out for ever once 8,192
/// notifications wait.
const BURST: usize = 8000;
const BURSTS: usize = 10;
/// Events in a second of a burst: more than can be told of.
const BURST_RATE: usize = 100_000;
/// Triggers, and triggers again.
const FEW: usize = 10;
const MANY: usize = 1000;
/// Triggers that are registered beyond those.
const FURTHER: usize = 50;
/// Applications that are to know of a trigger.
const APPLICATIONS: usize = 300;
/// Events of a storm.
const STORM: usize = 1_000_000;

/// What a subscriber was told of a series of events.
struct Told {
    told: usize,
    /// It was told so often that some are missing.
    missing: usize,
    /// From the first to the last.
    took: Duration,
}

/// A subscriber to all events of the series, and to the one that ends it.
fn subscriber(bench: &Bench) -> App {
    let mut app = App::start_program(bench.sandbox, "subscriber", &[]);
    app.tell("channel 0");
    assert_eq!(app.ask("register tick notify if event testapp:tick"), "10 tick");
    assert_eq!(app.ask("register last notify if event otherapp:tick"), "10 last");
    listen(&mut app);
    app
}

fn listen(app: &mut App) {
    for condition in ["event testapp:tick", "event otherapp:tick"] {
        assert_eq!(app.ask(&format!("subscribe {condition}")), "0");
    }
}

/// What a subscriber is told of what `emit` has the application emit, and the daemon's CPU time for that.
fn series<T>(
    process: Process,
    app: &mut App,
    subscriber: &mut App,
    emit: impl FnOnce(&mut App) -> T,
) -> (Told, Duration, T) {
    let before = settled_cpu(process);
    subscriber.send("count last");
    let emitted = emit(app);
    // What ends the series comes after all that was told, and finds room.
    let cpu = settled_cpu(process) - before;
    app.tell("other 0 1");
    let answer = subscriber.answer();

    let mut numbers = answer.split(' ').map(|number| number.parse::<usize>().expect(&answer));
    let mut number = || numbers.next().unwrap();
    let (told, missing) = (number(), number());
    let took = Duration::from_micros(u64::try_from(number()).unwrap());
    (Told { told, missing, took }, cpu, emitted)
}

fn each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() / f64::from(u32::try_from(count).unwrap())
}

/// Events of one application, as fast as it can, and at a rate that everybody keeps up with.
fn events(bench: &Bench) {
    let daemon = bench.daemon();
    let process = daemon.process();
    let mut app = App::start(bench.sandbox);
    let mut subscriber = subscriber(bench);

    let (mut told, mut took, mut spent) = (0, Duration::ZERO, Duration::ZERO);
    for _ in 0..BURSTS {
        let emit = |app: &mut App| app.tell(&format!("steady {BURST} {BURST_RATE}"));
        let (burst, cpu, ()) = series(process, &mut app, &mut subscriber, emit);
        (told, took, spent) = (told + burst.told, took + burst.took, spent + cpu);
    }
    assert!(told > BURST, "notifications: {told}");
    bench.add(table::BURST_WALL, each(took, told));
    bench.add(table::BURST_CPU, each(spent, told));
    bench.add_count(table::BURST_LOST, BURST * BURSTS - told);

    let all = RATE * STEADY;
    let (told, cpu, ()) =
        series(process, &mut app, &mut subscriber, |app| app.tell(&format!("steady {all} {RATE}")));
    bench.add_count(table::STEADY_LOST, all - told.told);
    bench.add(table::STEADY_CPU, each(cpu, told.told));
    end(bench, daemon, [subscriber, app]);
}

/// Registers so many triggers on events that no application has; returns the daemon's CPU time.
fn register(process: Process, subscriber: &mut App, numbers: std::ops::Range<usize>) -> Duration {
    let before = settled_cpu(process);
    for number in numbers {
        let answer = subscriber.ask(&format!("register t{number} notify if event none:t{number}"));
        assert_eq!(answer, format!("10 t{number}"));
    }
    settled_cpu(process) - before
}

/// One application, and few triggers or many.
fn many(bench: &Bench) {
    let figures =
        [(FEW, [table::FEW_REGISTER, table::FEW_MATCH]), (MANY, [table::MANY_REGISTER, table::MANY_MATCH])];
    let daemon = bench.daemon();
    let process = daemon.process();
    let mut app = App::start(bench.sandbox);
    let mut subscriber = subscriber(bench);
    let mut registered = 2;
    let measured = figures.map(|(count, [register_figure, match_figure])| {
        register(process, &mut subscriber, registered..count);
        registered = count + FURTHER;
        let registering = each(register(process, &mut subscriber, count..registered), FURTHER);
        bench.add(register_figure, registering);
        let emit = |app: &mut App| app.tell(&format!("steady {RATE} {RATE}"));
        let (told, cpu, ()) = series(process, &mut app, &mut subscriber, emit);
        assert!(told.told > RATE / 2, "notifications: {}", told.told);
        let matching = each(cpu, told.told);
        bench.add(match_figure, matching);
        [registering, matching]
    });
    let [few, many] = measured;
    bench.add(table::REGISTER_GROWTH, many[0] / few[0]);
    bench.add(table::MATCH_GROWTH, many[1] / few[1]);
    end(bench, daemon, [subscriber, app]);
}

/// Many applications that are to know of one more trigger.
fn crowd(bench: &Bench) {
    let daemon = bench.daemon();
    let process = daemon.process();
    let residents = Residents::start(bench.sandbox, APPLICATIONS);
    let mut subscriber = subscriber(bench);
    register(process, &mut subscriber, 2..FEW);
    let cpu = register(process, &mut subscriber, FEW..FEW + FURTHER);
    bench.add(table::CROWD_REGISTER, each(cpu, FURTHER));
    residents.end();
    end(bench, daemon, [subscriber]);
}

/// More events than anybody can tell of, while one of two subscribers does not read.
pub fn storm(bench: &Bench) {
    let daemon = bench.daemon();
    let process = daemon.process();
    let mut app = App::start(bench.sandbox);
    let mut subscriber = subscriber(bench);
    let mut deaf = App::start_program(bench.sandbox, "subscriber", &[]);
    deaf.tell("channel 0");
    listen(&mut deaf);
    let (mut slowest, mut slowest_nothing): (f64, f64) = (0.0, 0.0);
    let (told, _, lists) = series(process, &mut app, &mut subscriber, |app| {
        let mut lists = 0;
        app.send(&format!("tick 0 {STORM}"));
        thread::scope(|scope| {
            let answer = scope.spawn(move || app.answer());
            while !answer.is_finished() {
                slowest = slowest.max(bench.lttng(&["list"]).took.as_secs_f64());
                slowest_nothing = slowest_nothing.max(bench.lttng(&["--version"]).took.as_secs_f64());
                lists += 1;
            }
            assert_eq!(answer.join().unwrap(), "done");
        });
        lists
    });
    let untold: usize = {
        let answer = subscriber.ask("errors 0");
        let counter = answer.rsplit_once(": ").map(|(_, rest)| rest.trim_end_matches(']'));
        counter.and_then(|number| number.parse().ok()).expect(&answer)
    };
    bench.add_count(table::STORM_TOLD, told.told);
    bench.add_count(table::STORM_UNTOLD, untold);
    bench.add_count(table::STORM_MISSING, told.missing);
    bench.add(table::STORM_PEAK, peak_kib(process));
    bench.add_count(table::STORM_LISTS, lists);
    bench.add(table::STORM_LIST, slowest);
    bench.add(table::STORM_NO_COMMAND, slowest_nothing);
    if told.missing == 0 {
        assert_eq!(told.told + untold, STORM, "told, and counted as lost by the application");
    } else {
        assert!(told.told + untold < STORM, "{} told, {untold} lost, and some missing", told.told);
    }
    end(bench, daemon, [subscriber, deaf, app]);
}

/// The applications end, and then the daemon: the stock one fails an assertion when it ends with applications that have
/// event notifiers.
fn end(bench: &Bench, daemon: Daemon, apps: impl IntoIterator<Item = App>) {
    apps.into_iter().for_each(App::exit);
    let listed = || bench.lttng(&["list", "-u"]).stdout;
    eventually("no application is left", || !listed().contains("PID:"));
    daemon.stop();
}

/// All that both daemons can do, in the order of the table.
pub const ALL: [fn(&Bench); 3] = [events, many, crowd];
