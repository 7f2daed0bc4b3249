// SPDX-License-Identifier: GPL-2.0-only
//! Buffers of each process.

use std::time::Duration;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::session;
use crate::support::trace::{events, numbers};
use crate::support::xml;
use crate::support::{Sandbox, Which, ours_only, side_by_side, version};

/// Creates session `s` with a channel `c` of per-process buffers and an event rule; the trace is in `trace`.
fn session(s: &Sandbox, options: &[&str]) -> String {
    session::session(s, &[&["--buffers-pid"], options].concat())
}

/// The directories of a trace and the files for CPU 0, with their owners, sorted, without process ids and dates.
pub fn layout(s: &Sandbox, trace: &str) -> String {
    let found = s.run("find", &[trace, "-printf", "%P %y %m %U:%G\n"]).ok();
    let mut lines: Vec<String> = found
        .stdout
        .lines()
        .filter(|line| !line.contains("/c_") || line.contains("/c_0"))
        .map(|line| match line.strip_prefix("ust/pid/").and_then(|rest| rest.split_once('-')) {
            Some((program, rest)) => {
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
                format!("ust/pid/{program}-N-DATE{rest}")
            }
            None => line.to_owned(),
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn layout_listing_and_events() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut early = App::start(s);
        let trace = session(s, &[]);
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng_xml(&["list", "-d", "s"]).ok();
        s.lttng(&["list", "-d", "s"]).ok();
        s.lttng(&["start"]).ok();
        let mut late = App::start_many(s, 3);
        early.tell("tick 0 3");
        for (number, app) in late.iter_mut().enumerate() {
            app.tell(&format!("tick {} 3", 10 * (number + 1)));
        }
        s.lttng(&["stop"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        let want = [0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32];
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), want);
        s.note("layout", &layout(s, &trace), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn applications_that_end_while_recording() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &[]);
        s.lttng(&["start"]).ok();
        let mut stays = App::start(s);
        for number in 0..3 {
            let mut app = App::start(s);
            app.tell(&format!("tick {} 2", number * 10));
            app.exit();
        }
        let mut killed = App::start(s);
        killed.tell("tick 30 2");
        killed.kill();
        stays.tell("tick 40 2");
        s.lttng(&["stop"]).ok();
        s.lttng(&["start"]).ok();
        stays.tell("tick 50 2");
        s.lttng(&["destroy"]).ok();
        let want = [0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51];
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), want);
        s.note("layout", &layout(s, &trace), Order::Fixed);
        daemon.stop();
    });
}

/// Discarded events and lost packets as the XML listing counts them.
fn losses(s: &Sandbox) -> (u64, u64) {
    let output = s.run("lttng", &["--mi", "xml", "list", "s"]).ok();
    let document = xml::parse(&output.stdout).unwrap();
    let sum = |name: &str| document.texts(name).iter().map(|text| text.parse::<u64>().unwrap()).sum();
    (sum("discarded_events"), sum("lost_packets"))
}

#[test]
fn losses_of_several_applications_add_up() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &["--discard", "--subbuf-size", "4096", "--num-subbuf", "2"]);
        s.lttng(&["start"]).ok();
        let (mut previous, mut emitted) = (0, 0);
        for _ in 0..3 {
            let mut app = App::start(s);
            let consumer = s.processes("lttng-consumerd");
            consumer.iter().for_each(|process| process.freeze());
            app.tell("tick 0 20000");
            consumer.iter().for_each(|process| process.signal(nix::sys::signal::Signal::SIGCONT));
            // The consumer daemon counts what it has read.
            s.run("lttng", &["stop"]).ok();
            s.lttng(&["start"]).ok();
            app.exit();
            eventually("it is gone", || !s.run("lttng", &["list", "-u"]).ok().stdout.contains("PID: "));
            eventually("its losses are counted", || losses(s).0 > previous);
            previous = losses(s).0;
            emitted += 20_000;
        }
        assert_eq!(losses(s).1, 0);
        s.run("lttng", &["destroy"]).ok();
        // Everything was either written or counted, once.
        let shown = s.run("babeltrace2", &[&trace]).ok();
        assert_eq!(shown.stdout.lines().count() as u64 + previous, emitted);
        daemon.stop();
    });
}

#[test]
fn the_two_kinds_of_buffers_do_not_mix() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        session(s, &[]);
        s.lttng(&["enable-channel", "-u", "--buffers-uid", "d"]).fails();
        s.lttng_xml(&["enable-channel", "-u", "--buffers-uid", "d"]).fails();
        s.lttng(&["enable-event", "-u", "-c", "d", "testapp:tick"]).fails();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).fails();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "d"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "d", "testapp:note"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["create", "t", "--output", &s.path("other")]).ok();
        s.lttng(&["enable-channel", "-u", "d"]).ok();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "e"]).fails();
        s.lttng_unordered(&["list", "t"]).ok();
        // The pseudo channel counts as well; its buffers are listed nowhere.
        s.lttng(&["create", "u", "--output", &s.path("third")]).ok();
        s.lttng(&["add-context", "-u", "-t", "vpid"]).ok();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "e"]).fails();
        s.lttng_unordered(&["list", "u"]).ok();
        daemon.stop();
    });
}

#[test]
fn contexts_and_trackers_with_buffers_of_each_process() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &[]);
        s.lttng(&["add-context", "-u", "-c", "c", "-t", "procname", "-t", "vuid"]).ok();
        let mut chosen = App::start(s);
        let mut other = App::start(s);
        s.run("lttng", &["track", "-u", "--vpid", &chosen.pid().to_string()]).ok();
        s.lttng(&["start"]).ok();
        chosen.tell("tick 0 2");
        other.tell("tick 10 2");
        s.lttng(&["track", "-u", "--all", "--vpid"]).ok();
        chosen.tell("tick 20 2");
        other.tell("tick 30 2");
        s.lttng(&["untrack", "-u", "--all", "--vpid"]).ok();
        eventually("both are let go", || {
            chosen.ask("enabled tick") == "no" && other.ask("enabled tick") == "no"
        });
        chosen.tell("tick 40 2");
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(numbers(&all, "testapp:tick"), [0, 1, 20, 21, 30, 31]);
        let fields: Vec<String> = all.iter().map(|event| format!("{:?}", &event.context[1..])).collect();
        s.note("contexts", &fields.join("\n"), Order::Fixed);
        s.note("layout", &layout(s, &trace), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn discarded_events_stay_counted_after_the_end() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        session(s, &["--discard", "--subbuf-size", "4096", "--num-subbuf", "2"]);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        let consumer = s.processes("lttng-consumerd");
        // Nobody reads: what does not fit is discarded.
        consumer.iter().for_each(|process| process.freeze());
        app.tell("tick 0 20000");
        consumer.iter().for_each(|process| process.signal(nix::sys::signal::Signal::SIGCONT));
        s.run("lttng", &["stop"]).ok();
        let before = losses(s);
        assert!(before.0 > 10_000 && before.0 < 20_000 && before.1 == 0, "{before:?}");
        app.exit();
        eventually("it is gone", || !s.run("lttng", &["list", "-u"]).ok().stdout.contains("PID: "));
        if s.which() == Which::Stock {
            // It forgets the application before it adds up what that has lost.
            eventually("its losses are added up", || losses(s) == before);
        }
        assert_eq!(losses(s), before);
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

/// As many applications as metadata can't be written for in one go.
const SEVERAL: usize = 12;

/// The numbers that were recorded.
fn sorted(s: &Sandbox, trace: &str) -> Vec<i64> {
    let mut numbers = numbers(&events(s, trace), "testapp:tick");
    numbers.sort_unstable();
    numbers
}

/// Starts so many, each of which records its number in the session.
fn several(s: &Sandbox, first: usize) -> Vec<App> {
    let mut apps = App::start_many(s, SEVERAL);
    for (number, app) in apps.iter_mut().enumerate() {
        app.tell(&format!("tick {} 1", first + number));
    }
    apps
}

#[test]
fn what_many_applications_recorded_is_readable_at_once() {
    let all = |from: usize, to: usize| Vec::from_iter(from as i64..to as i64);
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &[]);
        s.lttng(&["start"]).ok();
        let first = several(s, 0);
        s.lttng(&["stop"]).ok();
        let ticks = || sorted(s, &trace);
        assert_eq!(ticks(), all(0, SEVERAL));
        s.lttng(&["start"]).ok();
        let second = several(s, SEVERAL);
        s.run("lttng", &["rotate"]).ok();
        let archives = format!("{trace}/archives");
        assert_eq!(sorted(s, &archives), all(0, 2 * SEVERAL));
        first.into_iter().for_each(App::exit);
        let third = several(s, 2 * SEVERAL);
        s.lttng(&["destroy"]).ok();
        assert_eq!(ticks(), all(0, 3 * SEVERAL));
        second.into_iter().chain(third).for_each(App::exit);
        daemon.stop();
    });
}

#[test]
fn the_metadata_of_many_applications_keeps_nobody_else_waiting() {
    ours_only("everybody waits for it", |s| {
        let limit = Duration::from_secs(2);
        let daemon = Daemon::start(s);
        session(s, &[]);
        s.lttng(&["start"]).ok();
        let apps: Vec<App> = (0..4).flat_map(|_| several(s, 0)).collect();
        std::thread::scope(|scope| {
            let stop = scope.spawn(|| s.run("lttng", &["stop", "s"]));
            s.run("lttng", &["create", "other", "--output", &s.path("other")]).ok().within(limit);
            s.run("lttng", &["enable-event", "-s", "other", "-u", "testapp:*"]).ok().within(limit);
            s.run("lttng", &["start", "other"]).ok().within(limit);
            s.run("lttng", &["list", "s"]).ok().within(limit);
            // Consumer daemons from 2.13.11 on are done before.
            if version::stock() < [2, 13, 11] {
                assert!(!stop.is_finished(), "it takes long: otherwise this shows nothing");
            }
            stop.join().unwrap().ok();
        });
        apps.into_iter().for_each(App::exit);
        daemon.stop();
    });
}
