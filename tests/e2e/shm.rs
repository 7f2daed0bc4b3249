// SPDX-License-Identifier: GPL-2.0-only
//! Buffers in a folder of the user's (`--shm-path`), so that they outlive a crash.

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::session::BUFFERS;
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, side_by_side};

/// What is below a folder, without dates, process ids and the files of other CPUs than the first.
fn below(s: &Sandbox, folder: &str) -> String {
    let found = s.run("find", &[folder, "-mindepth", "2", "-printf", "%P %y %m\n"]);
    let mut lines: Vec<String> = found
        .stdout
        .lines()
        .filter(|line| !line.contains("/c_") || line.contains("/c_0"))
        .filter_map(|line| line.split_once('/'))
        .map(|(_, rest)| match rest.split_once("pid/emitter-") {
            Some((before, after)) => {
                let after = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
                format!("{before}pid/emitter-N-DATE{after}")
            }
            None => rest.to_owned(),
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn buffers_are_kept_there_and_go_with_the_session() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let (trace, memory) = (s.path("trace"), s.path("memory"));
            let shm = format!("--shm-path={memory}");
            s.lttng(&["create", "s", "--output", &trace, &shm]).ok();
            s.lttng(&["enable-channel", "-u", buffers, "c"]).ok();
            s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
            s.lttng(&["start"]).ok();
            let mut app = App::start(s);
            app.tell("tick 0 3");
            s.note("while it records", &below(s, &memory), Order::Fixed);
            s.lttng(&["stop"]).ok();
            app.exit();
            s.lttng(&["destroy"]).ok();
            // The stock daemon answers before the folders are gone.
            eventually("the folders go", || below(s, &memory).is_empty());
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 2]);
            daemon.stop();
        });
    }
}

#[test]
fn the_copy_of_the_metadata_is_the_metadata() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let (trace, memory) = (s.path("trace"), s.path("memory"));
        let shm = format!("--shm-path={memory}");
        s.lttng(&["create", "s", "--output", &trace, &shm]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        let mut app = App::start(s);
        s.lttng(&["start"]).ok();
        app.tell("tick 0 1");
        let blocks = ["trace {", "env {", "clock {", "stream {", "name = \"testapp:tick\";"];
        // Ours is written by the helper, which may be at it still when `start` is answered.
        eventually("all of it is there", || {
            let copy = s.run("sh", &["-c", &format!("cat {memory}/*/ust/uid/*/64-bit/metadata")]);
            blocks.map(|block| copy.stdout.matches(block).count()) == [1; 5]
        });
        s.lttng(&["destroy"]).ok();
        app.exit();
        daemon.stop();
    });
}
