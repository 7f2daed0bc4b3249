// SPDX-License-Identifier: GPL-2.0-only
//! What the options of a channel do: sizes, event-loss modes, timers, trace files, blocking.

use nix::sys::signal::Signal;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::process::first_cpu;
use crate::support::session::{BUFFERS, session};
use crate::support::trace::{events, numbers};
use crate::support::xml;
use crate::support::{Sandbox, side_by_side};

/// Discarded events and lost packets as the XML listing counts them.
fn losses(s: &Sandbox) -> (u64, u64) {
    let output = s.run("lttng", &["--mi", "xml", "list", "s"]).ok();
    let document = xml::parse(&output.stdout).unwrap();
    let sum = |name: &str| document.texts(name).iter().map(|text| text.parse::<u64>().unwrap()).sum();
    (sum("discarded_events"), sum("lost_packets"))
}

/// Lets the application emit while nobody reads the buffers.
fn unread(s: &Sandbox, app: &mut App, command: &str) {
    let consumer = s.processes("lttng-consumerd");
    consumer.iter().for_each(|process| process.freeze());
    app.tell(command);
    consumer.iter().for_each(|process| process.signal(Signal::SIGCONT));
}

/// The events of a trace whose losses `babeltrace2` may mention.
fn survivors(s: &Sandbox, trace: &str) -> Vec<i64> {
    let shown = s.run("babeltrace2", &[trace]).ok();
    let number = |line: &str| line.rsplit_once("n = ").unwrap().1.trim_end_matches(" }").parse().unwrap();
    shown.stdout.lines().map(number).collect()
}

#[test]
fn values_are_rounded_and_checked() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        for (number, options) in [
            &["--subbuf-size=4095"][..],
            &["--subbuf-size=4097"],
            &["--subbuf-size=100"],
            &["--subbuf-size=0"],
            &["--subbuf-size=-1"],
            &["--subbuf-size=64K"],
            &["--subbuf-size=1M"],
            &["--subbuf-size=1G"],
            &["--subbuf-size=4294967296"],
            &["--num-subbuf=0"],
            &["--num-subbuf=1"],
            &["--num-subbuf=3"],
            &["--num-subbuf=5"],
            &["--num-subbuf=-2"],
            &["--overwrite", "--num-subbuf=1"],
            &["--overwrite", "--num-subbuf=2"],
            &["--switch-timer=0"],
            &["--switch-timer=1"],
            &["--switch-timer=10000000000"],
            &["--switch-timer=-1"],
            &["--switch-timer=10ms"],
            &["--switch-timer=2s"],
            &["--read-timer=0"],
            &["--read-timer=3m"],
            &["--monitor-timer=1"],
            &["--monitor-timer=5s"],
            &["--tracefile-size=4096"],
            &["--tracefile-size=4096", "--subbuf-size=4096"],
            &["--tracefile-size=100", "--subbuf-size=4096"],
            &["--tracefile-size=1000000"],
            &["--tracefile-count=3"],
            &["--tracefile-count=0", "--tracefile-size=1M"],
            &["--tracefile-count=1", "--tracefile-size=1M"],
            &["--tracefile-count=-1", "--tracefile-size=1M"],
            &["--blocking-timeout=0"],
            &["--blocking-timeout=1"],
            &["--blocking-timeout=-1"],
            &["--blocking-timeout=1s"],
            &["--blocking-timeout=10s", "--overwrite"],
            &["--blocking-timeout=99999999999"],
            &["--discard", "--overwrite"],
            &["--output=splice"],
            &["--output=nonsense"],
            &["--buffers-global"],
        ]
        .iter()
        .enumerate()
        {
            s.lttng(&[&["enable-channel", "-u"], *options, &[&format!("ch{number:02}")]].concat());
        }
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        daemon.stop();
    });
}

#[test]
fn defaults_of_both_kinds_of_buffers() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for (name, options) in [
            ("user", &["--buffers-uid"][..]),
            ("process", &["--buffers-pid"]),
            ("overwriting", &["--buffers-pid", "--overwrite"]),
            ("other", &["--overwrite"]),
        ] {
            s.lttng(&["create", name, "--output", &s.path(name)]).ok();
            s.lttng(&[&["enable-channel", "-u"], options, &["c"]].concat()).ok();
            s.lttng(&["list", name]).ok();
            s.lttng_xml(&["list", name]).ok();
            s.lttng(&["list", name, "-c", "c"]).ok();
            s.lttng_xml(&["list", name, "-c", "c"]).ok();
            s.lttng(&["list", name, "-c", "unknown"]);
        }
        daemon.stop();
    });
}

/// The text with a word for a number that differs from run to run. Parts of names and paths are not numbers.
fn without(text: &str, number: u64) -> String {
    let number = number.to_string();
    let mut parts = text.split(&number);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let alone = !out.ends_with(char::is_alphanumeric) && !part.starts_with(char::is_alphanumeric);
        out.push_str(if alone { "LOST" } else { &number });
        out.push_str(part);
    }
    out
}

#[test]
fn discarded_events_are_counted() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &["--discard", "--subbuf-size=4k", "--num-subbuf=2"]);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        unread(s, &mut app, "tick 0 20000");
        s.run("lttng", &["stop"]).ok();
        let (discarded, lost) = losses(s);
        assert!(discarded > 10_000 && lost == 0, "{discarded} {lost}");
        let text = s.run("lttng", &["list", "s"]).ok().stdout;
        assert!(text.contains(&format!("Discarded events: {discarded}\n")), "{text}");
        assert!(!text.contains("Lost packets"), "{text}");
        // What `stop`, `status` and `destroy` say of it, without the number.
        let said = |command: &[&str]| {
            let output = s.run("lttng", command).ok();
            let text = format!("{}{}", output.stdout, output.stderr);
            s.note(command[0], &without(&text, discarded), Order::Fixed);
        };
        said(&["list", "s", "-c", "c"]);
        said(&["status"]);
        said(&["start"]);
        said(&["stop"]);
        said(&["destroy"]);
        let left = survivors(s, &trace);
        assert_eq!(left.len() as u64 + discarded, 20_000);
        assert!(left.is_sorted() && left[0] == 0, "the first events stay");
        daemon.stop();
    });
}

#[test]
fn the_oldest_packets_are_overwritten_and_counted() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers, "--overwrite", "--subbuf-size=4k", "--num-subbuf=4"]);
            s.lttng(&["start"]).ok();
            let mut app = App::start(s);
            // Without a packet before it, a gap is not seen.
            app.tell("tick 0 10");
            s.lttng(&["stop"]).ok();
            assert_eq!(losses(s), (0, 0));
            s.lttng(&["start"]).ok();
            unread(s, &mut app, "tick 10 19990");
            s.run("lttng", &["stop"]).ok();
            let (discarded, lost) = losses(s);
            assert!(discarded == 0 && lost > 10, "{discarded} {lost}");
            let text = s.run("lttng", &["list", "s"]).ok().stdout;
            assert!(text.contains(&format!("Lost packets:     {lost}\n")), "{text}");
            let said = |command: &[&str]| {
                let output = s.run("lttng", command).ok();
                let text = format!("{}{}", output.stdout, output.stderr);
                s.note(command[0], &without(&text, lost), Order::Fixed);
            };
            said(&["status"]);
            app.exit();
            said(&["destroy"]);
            let left = survivors(s, &trace);
            assert!(left.len() < 5_000, "{}", left.len());
            assert_eq!(left.last(), Some(&19_999), "the last events stay");
            daemon.stop();
        });
    }
}

#[test]
fn an_application_that_may_block_loses_nothing() {
    for (buffers, timeout) in [("--buffers-uid", "inf"), ("--buffers-pid", "20s")] {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let timeout = format!("--blocking-timeout={timeout}");
            let trace = session(s, &[buffers, &timeout, "--subbuf-size=4k", "--num-subbuf=2"]);
            s.lttng(&["start"]).ok();
            let mut app = App::start_with(s, &[("LTTNG_UST_ALLOW_BLOCKING", "1")]);
            // It stands still until somebody reads.
            let consumer = s.processes("lttng-consumerd");
            consumer.iter().for_each(|process| process.freeze());
            app.send("tick 0 20000");
            app.blocks();
            consumer.iter().for_each(|process| process.signal(Signal::SIGCONT));
            assert_eq!(app.answer(), "done");
            s.lttng(&["stop"]).ok();
            assert_eq!(losses(s), (0, 0));
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), (0..20_000).collect::<Vec<i64>>());
            daemon.stop();
        });
    }
}

#[test]
fn an_application_that_may_not_block_goes_on() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        session(s, &["--blocking-timeout=inf", "--subbuf-size=4k", "--num-subbuf=2"]);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        unread(s, &mut app, "tick 0 20000");
        s.run("lttng", &["stop"]).ok();
        assert!(losses(s).0 > 10_000);
        s.run("lttng", &["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn the_switch_timer_lets_a_running_trace_be_read() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers, "--switch-timer=20000"]);
            s.lttng(&["start"]).ok();
            let mut app = App::start(s);
            app.tell("tick 0 3");
            // The stock daemon writes the metadata at the end: sizes of files tell that packets are written.
            let written = |least: u64| {
                let found = s.run("find", &[&trace, "-name", "c_*", "-size", "+0", "-printf", "%s\\n"]).ok();
                found.stdout.lines().map(|size| size.parse::<u64>().unwrap()).sum::<u64>() >= least
            };
            eventually("a packet is written", || written(4096));
            app.tell("tick 3 3");
            eventually("another packet is written", || written(8192));
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 2, 3, 4, 5]);
            daemon.stop();
        });
    }
}

#[test]
fn trace_files_of_a_limited_size_and_count() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = session(
                s,
                &[
                    buffers,
                    "--subbuf-size=4k",
                    "--num-subbuf=64",
                    "--tracefile-size=8k",
                    "--tracefile-count=3",
                ],
            );
            s.lttng(&["start"]).ok();
            let mut app = App::start_on(s, first_cpu());
            app.tell("pace 0 8000 10");
            s.lttng(&["destroy"]).ok();
            let found = s
                .run("find", &[&trace, "-name", &format!("c_{}_*", first_cpu()), "-printf", "%f %s\\n"])
                .ok();
            let mut files: Vec<&str> = found.stdout.lines().filter(|line| !line.contains(".idx")).collect();
            files.sort_unstable();
            assert_eq!(files.len(), 3, "{files:?}");
            s.note("files", &files.join("\n"), Order::Fixed);
            let left = survivors(s, &trace);
            assert!(left.len() < 4_000 && left.last() == Some(&7_999), "{} {:?}", left.len(), left.last());
            daemon.stop();
        });
    }
}

#[test]
fn trace_files_of_a_limited_size() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &["--subbuf-size=4k", "--num-subbuf=32", "--tracefile-size=8k"]);
        s.lttng(&["start"]).ok();
        let mut app = App::start_on(s, first_cpu());
        app.tell("pace 0 4000 10");
        s.lttng(&["destroy"]).ok();
        let found =
            s.run("find", &[&trace, "-name", &format!("c_{}_*", first_cpu()), "-printf", "%f %s\\n"]).ok();
        let mut files: Vec<&str> = found.stdout.lines().filter(|line| !line.contains(".idx")).collect();
        files.sort_unstable();
        assert!(files.len() > 3, "{files:?}");
        s.note("files", &files.join("\n"), Order::Fixed);
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), (0..4000).collect::<Vec<i64>>());
        daemon.stop();
    });
}

#[test]
fn channels_of_several_sessions_over_the_same_applications() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut apps = App::start_many(s, 2);
        for (name, buffers) in
            [("first", "--buffers-uid"), ("second", "--buffers-pid"), ("third", "--overwrite")]
        {
            s.lttng(&["create", name, "--output", &s.path(name)]).ok();
            for channel in ["a", "b"] {
                s.lttng(&["enable-channel", "-u", "-s", name, buffers, channel]).ok();
            }
            s.lttng(&["enable-event", "-u", "-s", name, "-c", "a", "testapp:tick"]).ok();
            s.lttng(&["enable-event", "-u", "-s", name, "-c", "b", "testapp:note"]).ok();
            s.lttng(&["start", name]).ok();
        }
        apps.extend(App::start_many(s, 2));
        for (number, app) in apps.iter_mut().enumerate() {
            app.tell(&format!("tick {} 2", number * 10));
            app.tell(&format!("note {} 1", number * 10));
        }
        s.lttng(&["disable-channel", "-u", "-s", "second", "b"]).ok();
        s.lttng(&["stop", "first"]).ok();
        apps[3].tell("note 50 1");
        apps[3].tell("tick 60 1");
        for (name, ticks, notes) in
            [("first", &[][..], &[][..]), ("second", &[60], &[]), ("third", &[60], &[50])]
        {
            s.lttng_unordered(&["list", name]).ok();
            s.lttng(&["destroy", name]).ok();
            let all = events(s, &s.path(name));
            assert_eq!(numbers(&all, "testapp:tick"), [&[0, 1, 10, 11, 20, 21, 30, 31], ticks].concat());
            assert_eq!(numbers(&all, "testapp:note"), [&[0, 10, 20, 30], notes].concat());
        }
        daemon.stop();
    });
}
