// SPDX-License-Identifier: GPL-2.0-only
//! Applications that close the tracer's descriptors, unmap its buffers, become another user, change their root.

use crate::processes::layout;
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::session::{BUFFERS, session};
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, is_root, side_by_side, skip};

/// Creates session `s` with its trace in `trace` and an event rule, and starts it.
fn start(s: &Sandbox, buffers: &str) -> String {
    let trace = session(s, &[buffers]);
    s.lttng(&["add-context", "-u", "-c", "c", "-t", "vuid"]).ok();
    s.lttng(&["start"]).ok();
    trace
}

#[test]
fn the_descriptor_library_keeps_the_connections() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = start(s, buffers);
            let mut app = App::start_preloaded(s, "reckless", "liblttng-ust-fd.so", &[]);
            app.tell("tick 0 2");
            app.tell("close");
            app.tell("tick 10 2");
            s.lttng_unordered(&["list", "-u"]).ok();
            s.lttng(&["stop"]).ok();
            s.lttng(&["start"]).ok();
            app.tell("tick 20 2");
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 11, 20, 21]);
            app.exit();
            daemon.stop();
        });
    }
}

#[test]
fn without_it_the_application_leaves() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = start(s, buffers);
            let mut other = App::start(s);
            let mut app = App::start_complaining(s, "reckless", &[]);
            app.tell("tick 0 2");
            app.tell("close");
            // Its buffers are mapped: it goes on writing into them until its channel is gone.
            eventually("it leaves", || !s.run("lttng", &["list", "-u"]).ok().stdout.contains("reckless"));
            other.tell("tick 10 2");
            s.lttng(&["stop"]).ok();
            s.lttng(&["start"]).ok();
            other.tell("tick 20 2");
            s.lttng(&["destroy"]).ok();
            let got = numbers(&events(s, &trace), "testapp:tick");
            assert_eq!(got, [0, 1, 10, 11, 20, 21]);
            daemon.stop();
        });
    }
}

#[test]
fn an_application_without_its_buffers_dies_alone() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = start(s, buffers);
            let mut other = App::start(s);
            let mut app = App::start_complaining(s, "reckless", &[]);
            app.tell("tick 0 2");
            app.tell("unmap");
            app.send("tick 10 2");
            eventually("it dies", || s.processes("reckless").is_empty());
            other.tell("tick 20 2");
            s.lttng(&["stop"]).ok();
            s.lttng(&["start"]).ok();
            App::start(s).tell("tick 30 2");
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 20, 21, 30, 31]);
            daemon.stop();
        });
    }
}

#[test]
fn an_application_that_becomes_another_user() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            if !is_root() {
                return skip("only root can act as another user");
            }
            let daemon = Daemon::start(s);
            let mut early = App::start_complaining(s, "reckless", &[]);
            early.tell("become 54321");
            let trace = start(s, buffers);
            let mut late = App::start_complaining(s, "reckless", &[]);
            early.tell("tick 0 2");
            late.tell("tick 10 2");
            late.tell("become 54322");
            late.tell("tick 20 2");
            s.lttng_unordered(&["list", "-u"]).ok();
            // The user at the time of the registration counts. (With buffers of each process the stock daemon
            // overwrites what it recorded before.)
            if buffers == "--buffers-uid" {
                s.lttng(&["track", "-u", "--vuid", "0"]).ok();
            }
            early.tell("tick 30 1");
            late.tell("tick 40 1");
            s.lttng(&["destroy"]).ok();
            let all = events(s, &trace);
            assert_eq!(numbers(&all, "testapp:tick"), [0, 1, 10, 11, 20, 21, 30, 40]);
            let users: Vec<String> = all.iter().map(|event| event.contexts()).collect();
            s.note("contexts", &users.join("\n"), Order::Fixed);
            s.note("layout", &layout(s, &trace), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn an_application_in_another_root_directory() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            if !is_root() {
                return skip("only root can change the root directory");
            }
            let daemon = Daemon::start(s);
            let mut app = App::start_complaining(s, "reckless", &[]);
            app.tell(&format!("chroot {}", s.home().to_string_lossy()));
            let trace = start(s, buffers);
            app.tell("tick 0 2");
            s.lttng(&["stop"]).ok();
            s.lttng(&["start"]).ok();
            app.tell("tick 10 2");
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 11]);
            daemon.stop();
        });
    }
}
