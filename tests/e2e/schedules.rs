// SPDX-License-Identifier: GPL-2.0-only
//! Sessions that rotate by themselves, after a time or after so many bytes.

use crate::support::app::App;
use crate::support::chunk::{all_numbers, archived, current, note};
use crate::support::daemon::{Daemon, eventually};
use crate::support::emulator::is_emulated;
use crate::support::session::{recording, session};
use crate::support::{Sandbox, Which, side_by_side};

/// Bytes after which the session rotates; one sub-buffer of the tests is 4096.
const SIZE: &str = "--size=64k";

#[test]
fn what_is_set_is_listed() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        session(s, &[]);
        let list = || {
            s.lttng_unordered(&["list", "s"]).ok();
            s.lttng_xml(&["list", "s"]).ok();
            s.lttng_xml(&["list"]).ok();
        };
        list();
        s.lttng(&["enable-rotation", "--timer=100s"]).ok();
        list();
        s.lttng_xml(&["enable-rotation", "--size=100M", "-s", "s"]).ok();
        list();
        s.lttng(&["enable-rotation", "--timer=100s"]).fails();
        s.lttng(&["enable-rotation", "--timer=101s"]).fails();
        s.lttng_xml(&["enable-rotation", "--size=1M"]).fails();
        s.lttng(&["start"]).ok();
        list();
        s.lttng(&["stop"]).ok();
        s.lttng_xml(&["disable-rotation", "--timer"]).ok();
        list();
        s.lttng(&["disable-rotation", "--timer"]).fails();
        s.lttng(&["disable-rotation", "--size"]).ok();
        s.lttng_xml(&["disable-rotation", "--size"]).fails();
        list();
        s.lttng(&["enable-rotation", "--timer=1h", "--size=4G"]).ok();
        list();
        s.lttng(&["disable-rotation", "--timer", "--size"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn what_is_refused() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["enable-rotation", "--timer=1s"]).fails();
        s.lttng(&["disable-rotation", "--timer"]).fails();
        s.lttng(&["create", "n", "--no-output"]).ok();
        // The command lists its outputs next, which is another matter.
        s.run("lttng", &["create", "snap", "--snapshot", "--output", &s.path("snap")]);
        session(s, &[]);
        for name in ["n", "snap", "none"] {
            s.lttng(&["enable-rotation", "-s", name, "--timer=1s"]).fails();
            s.lttng(&["enable-rotation", "-s", name, "--size=1M"]).fails();
            s.lttng_xml(&["disable-rotation", "-s", name, "--timer"]).fails();
            s.lttng(&["disable-rotation", "-s", name, "--size"]).fails();
        }
        s.lttng(&["enable-rotation"]).fails();
        s.lttng(&["disable-rotation"]).fails();
        for value in ["--timer=0", "--timer=x", "--timer=-1", "--size=0", "--size=x", "--size=-1"] {
            s.lttng(&["enable-rotation", value]);
        }
        // The periods that are just short enough and just too long.
        for value in ["4294967294us", "4294967295us", "1193h", "1194h"] {
            s.lttng(&["enable-rotation", &format!("--timer={value}")]);
            s.lttng(&["disable-rotation", "--timer"]);
        }
        s.lttng(&["list", "s"]).ok();
        daemon.stop();
    });
}

#[test]
fn by_time_while_it_records_and_after_stop_and_start() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &[]);
        let mut app = App::start(s);
        s.lttng(&["enable-rotation", "--timer=1000000us"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 0 3");
        eventually("it rotates twice", || archived(&trace).len() >= 2);
        s.lttng(&["stop"]).ok();
        // The time goes on: what was recorded until the stop is archived, once.
        eventually("the last chunk is archived", || current(&trace).is_none());
        let before = archived(&trace).len();
        s.lttng(&["rotate"]).fails();
        s.lttng(&["start"]).ok();
        app.tell("tick 10 3");
        eventually("it rotates again", || archived(&trace).len() > before);
        s.lttng(&["disable-rotation", "--timer"]).ok();
        // It says which archive is the last one: how many there are depends on when the time was up.
        let destroyed = s.run("lttng", &["destroy"]).ok();
        assert!(
            destroyed.stdout.contains(&format!("now readable at {trace}/archives/")),
            "{}",
            destroyed.stdout
        );
        assert_eq!(all_numbers(s, &trace), [0, 1, 2, 10, 11, 12]);
        daemon.stop();
    });
}

#[test]
fn by_time_set_while_it_records_and_taken_back() {
    side_by_side(|s| {
        let (daemon, trace, mut app) = recording(s, &["--buffers-pid"]);
        app.tell("tick 0 3");
        s.lttng(&["enable-rotation", "--timer=600000us"]).ok();
        eventually("it rotates", || !archived(&trace).is_empty());
        s.lttng(&["disable-rotation", "--timer"]).ok();
        app.tell("tick 10 3");
        // What was under way comes to its end: after that, a rotation by hand is the next one.
        eventually("a rotation by hand", || s.run("lttng", &["rotate"]).code == 0);
        let last = archived(&trace).last().and_then(|chunk| chunk.number);
        s.run("lttng", &["rotate"]).ok();
        assert_eq!(archived(&trace).last().and_then(|chunk| chunk.number), last.map(|last| last + 1));
        destroy(s, &trace);
        assert_eq!(all_numbers(s, &trace), [0, 1, 2, 10, 11, 12]);
        daemon.stop();
    });
}

/// Ends the session. Which archive is the last one depends on when the time was up, and the stock daemon does not name it
/// if a rotation is going on just then. Nor is it named if the time was up after the stop that the command begins with,
/// which a slow daemon gives it time for.
fn destroy(s: &Sandbox, trace: &str) {
    let destroyed = s.run("lttng", &["destroy"]).ok();
    let names_it = destroyed.stdout.contains(&format!("now readable at {trace}/archives/"));
    assert!(names_it || s.which() == Which::Stock || is_emulated(), "{}", destroyed.stdout);
}

/// A thousand events from this number on. While a rotation goes on, which a slow daemon takes long for, the buffers must not
/// overflow.
fn many(first: i64) -> String {
    if is_emulated() { format!("pace {first} 1000 20") } else { format!("tick {first} 1000") }
}

/// Emits until there are so many archived chunks. Returns the number for the next event.
fn fill(app: &mut App, trace: &str, mut next: i64, chunks: usize) -> i64 {
    eventually("it rotates because of the size", || {
        if archived(trace).len() < chunks {
            app.tell(&many(next));
            next += 1000;
        }
        archived(trace).len() >= chunks
    });
    next
}

fn by_size(s: &Sandbox, buffers: &str) {
    let daemon = Daemon::start(s);
    let trace = session(s, &[buffers, "--subbuf-size=4096", "--num-subbuf=64", "--monitor-timer=100000"]);
    let mut app = App::start(s);
    s.lttng(&["enable-rotation", SIZE]).ok();
    s.lttng(&["start"]).ok();
    let next = fill(&mut app, &trace, 0, 2);
    s.lttng(&["stop"]).ok();
    // Refused as long as a rotation goes on.
    eventually("it starts again", || s.run("lttng", &["start"]).code == 0);
    let before = archived(&trace).len();
    let next = fill(&mut app, &trace, next, before + 1);
    s.lttng(&["disable-rotation", "--size"]).ok();
    destroy(s, &trace);
    for chunk in archived(&trace).iter().take(2) {
        assert!(!chunk.events(s).is_empty(), "a chunk is archived because it has grown");
    }
    assert!(all_numbers(s, &trace) == (0..next).collect::<Vec<i64>>(), "something is missing, or twice");
    daemon.stop();
}

#[test]
fn by_size_with_buffers_of_each_user() {
    side_by_side(|s| by_size(s, "--buffers-uid"));
}

#[test]
fn by_size_with_buffers_of_each_process() {
    side_by_side(|s| by_size(s, "--buffers-pid"));
}

#[test]
fn by_time_and_by_size_at_once() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &["--subbuf-size=4096", "--num-subbuf=64", "--monitor-timer=100000"]);
        let mut app = App::start(s);
        s.lttng(&["enable-rotation", "--timer=1200000us", SIZE]).ok();
        s.lttng(&["start"]).ok();
        let next = fill(&mut app, &trace, 0, 3);
        s.lttng(&["stop"]).ok();
        destroy(s, &trace);
        assert!(all_numbers(s, &trace) == (0..next).collect::<Vec<i64>>(), "something is missing, or twice");
        daemon.stop();
    });
}

#[test]
fn a_destroyed_session_rotates_no_more() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &[]);
        let mut app = App::start(s);
        s.lttng(&["enable-rotation", "--timer=1000000us"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 0 3");
        eventually("a rotation by hand, or in time", || s.run("lttng", &["rotate"]).code == 0);
        destroy(s, &trace);
        let chunks = archived(&trace).len();
        // Another session of that name and at that place begins anew, without a schedule.
        s.lttng(&["create", "t", "--output", &s.path("second")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["enable-rotation", "--timer=1000000us"]).ok();
        s.lttng(&["start"]).ok();
        eventually("it rotates", || archived(&s.path("second")).len() >= 2);
        assert_eq!(archived(&trace).len(), chunks);
        s.run("lttng", &["destroy", "t"]).ok();
        daemon.stop();
    });
}

#[test]
fn a_session_that_waits_to_be_started() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &[]);
        let mut app = App::start(s);
        s.lttng(&["enable-rotation", "--timer=500000us", "--size=1M"]).ok();
        s.lttng(&["disable-rotation", "--timer"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 0 3");
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        note(s, "in the end", &trace);
        daemon.stop();
    });
}
