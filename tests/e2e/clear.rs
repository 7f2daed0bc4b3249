// SPDX-License-Identifier: GPL-2.0-only
//! Clear: what was recorded is thrown away.

use std::fs;

use nix::sys::signal::Signal;

use crate::lifecycle::member;
use crate::support::app::App;
use crate::support::chunk::{all_numbers, archived, current, note, tree};
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::sandbox::OTHER;
use crate::support::session::{BUFFERS, create, recording, session, session_of};
use crate::support::xml;
use crate::support::{is_root, ours, ours_only, side_by_side, skip};

#[test]
fn while_it_records() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let (daemon, trace, mut app) = recording(s, &[buffers]);
            for turn in 0..3 {
                app.tell(&format!("tick {} 5", turn * 10));
                s.lttng(&["clear"]).ok();
                s.note("cleared", &tree(s, &trace), Order::Fixed);
            }
            app.tell("tick 30 5");
            s.lttng_xml(&["clear", "s"]).ok();
            s.lttng(&["list", "s"]).ok();
            app.tell("tick 40 5");
            s.lttng(&["stop"]).ok();
            note(s, "after stop", &trace);
            s.lttng(&["destroy"]).ok();
            note(s, "in the end", &trace);
            assert_eq!(all_numbers(s, &trace), [40, 41, 42, 43, 44]);
            app.exit();
            daemon.stop();
        });
    }
}

#[test]
fn while_it_is_stopped() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers]);
            let mut app = App::start(s);
            for turn in 0..3 {
                s.lttng(&["start"]).ok();
                app.tell(&format!("tick {} 5", turn * 10));
                s.lttng(&["stop"]).ok();
                s.lttng(&["clear"]).ok();
                s.note("cleared", &tree(s, &trace), Order::Fixed);
                s.lttng(&["clear"]).ok();
                s.lttng_xml(&["clear"]).ok();
                s.lttng(&["rotate"]).fails();
            }
            s.lttng(&["start"]).ok();
            app.tell("tick 30 5");
            s.lttng(&["stop"]).ok();
            s.lttng(&["start"]).ok();
            app.tell("tick 40 5");
            s.lttng(&["destroy"]).ok();
            note(s, "in the end", &trace);
            assert_eq!(all_numbers(s, &trace), [30, 31, 32, 33, 34, 40, 41, 42, 43, 44]);
            daemon.stop();
        });
    }
}

#[test]
fn what_was_archived_stays() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let (daemon, trace, mut app) = recording(s, &[buffers]);
            app.tell("tick 0 2");
            s.lttng(&["rotate"]).ok();
            app.tell("tick 10 2");
            s.lttng(&["clear"]).ok();
            s.note("cleared", &tree(s, &trace), Order::Fixed);
            app.tell("tick 20 2");
            s.lttng(&["rotate"]).ok();
            app.tell("tick 30 2");
            s.lttng(&["stop"]).ok();
            s.lttng(&["clear"]).ok();
            s.note("stopped and cleared", &tree(s, &trace), Order::Fixed);
            s.lttng(&["start"]).ok();
            app.tell("tick 40 2");
            s.lttng(&["stop"]).ok();
            s.lttng(&["rotate"]).ok();
            s.lttng(&["clear"]).ok();
            s.lttng(&["start"]).ok();
            app.tell("tick 50 2");
            s.lttng(&["destroy"]).ok();
            note(s, "in the end", &trace);
            assert_eq!(all_numbers(s, &trace), [0, 1, 20, 21, 40, 41, 50, 51]);
            daemon.stop();
        });
    }
}

#[test]
fn cleared_first_and_rotated_then() {
    side_by_side(|s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        app.tell("tick 0 2");
        s.lttng(&["clear"]).ok();
        app.tell("tick 10 2");
        s.lttng(&["rotate"]).ok();
        note(s, "rotated", &trace);
        app.tell("tick 20 2");
        s.lttng(&["stop"]).ok();
        s.lttng(&["clear"]).ok();
        s.lttng_xml(&["destroy"]).ok();
        note(s, "in the end", &trace);
        daemon.stop();
    });
}

#[test]
fn sessions_with_nothing_on_disk() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["clear"]).fails();
        s.lttng(&["clear", "none"]).fails();
        s.lttng_xml(&["clear", "none"]).fails();
        s.lttng(&["create", "n", "--no-output"]).ok();
        // The command lists its outputs next, which is another matter.
        s.run("lttng", &["create", "snap", "--snapshot", "--output", &s.path("snap")]);
        s.lttng(&["create", "never", "--output", &s.path("never")]).ok();
        for name in ["n", "snap", "never"] {
            s.lttng(&["clear", name]).ok();
            s.lttng(&["enable-event", "-u", "-s", name, "testapp:tick"]).ok();
            s.lttng(&["clear", name]).ok();
        }
        let mut app = App::start(s);
        for name in ["n", "snap"] {
            s.lttng(&["start", name]).ok();
            app.tell("tick 0 100");
            s.lttng(&["clear", name]).ok();
            app.tell("tick 0 100");
            s.lttng(&["stop", name]).ok();
            s.lttng(&["clear", name]).ok();
            s.lttng_xml(&["clear", name]).ok();
            s.lttng(&["start", name]).ok();
            s.lttng(&["clear", name]).ok();
            s.lttng(&["destroy", name]).ok();
        }
        s.lttng(&["clear", "--all"]).ok();
        assert!(!std::path::Path::new(&s.path("never")).exists());
        daemon.stop();
    });
}

#[test]
fn several_channels_and_applications_that_come_and_go() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers, "--overwrite"]);
            let sizes = ["--subbuf-size=4096", "--tracefile-size=8192", "--tracefile-count=3"];
            s.lttng(&[&["enable-channel", "-u", buffers], &sizes[..], &["d"]].concat()).ok();
            s.lttng(&["enable-event", "-u", "-c", "d", "testapp:note"]).ok();
            let mut first = App::start(s);
            s.lttng(&["start"]).ok();
            first.tell("tick 0 100");
            first.tell("note 0 1000");
            let mut second = App::start(s);
            second.tell("note 0 10");
            s.lttng(&["clear"]).ok();
            first.exit();
            second.tell("note 2000 3");
            let mut third = App::start(s);
            third.tell("tick 2010 3");
            s.lttng(&["clear", "s"]).ok();
            third.tell("note 2020 3");
            second.tell("tick 2030 3");
            // On the stock daemon, a packet that is closed and not read when it is cleared counts as lost,
            // or not, as it happens.
            s.run("lttng", &["stop"]).ok();
            s.lttng(&["destroy"]).ok();
            note(s, "in the end", &trace);
            daemon.stop();
        });
    }
}

#[test]
fn after_losses() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &["--discard", "--subbuf-size=4096", "--num-subbuf=2"]);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        let consumer = s.processes("lttng-consumerd");
        // Nobody reads: what does not fit is discarded.
        consumer.iter().for_each(|process| process.freeze());
        app.tell("tick 0 20000");
        consumer.iter().for_each(|process| process.signal(Signal::SIGCONT));
        s.lttng(&["clear"]).ok();
        app.tell("tick 30000 3");
        s.run("lttng", &["stop"]).ok();
        let listed = s.run("lttng", &["--mi", "xml", "list", "s"]).ok().stdout;
        let discarded = xml::parse(&listed).unwrap().texts("discarded_events").concat();
        assert!(discarded.parse::<u64>().unwrap() > 10_000, "they stay counted: {discarded}");
        s.run("lttng", &["destroy"]).ok();
        // The trace tells of a loss, if at all, at its beginning; what was recorded before the clear is gone.
        let shown = s.run("babeltrace2", &[&trace]).ok();
        assert_eq!(shown.stdout.lines().count(), 3, "{}", shown.stdout);
        assert!(shown.stderr.lines().all(|line| line.contains("discarded events")), "{}", shown.stderr);
        daemon.stop();
    });
}

#[test]
fn buffers_in_a_folder() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let (trace, memory) = (s.path("trace"), s.path("memory"));
        create(|args| s.lttng(args), &["--output", &trace, &format!("--shm-path={memory}")], &[]);
        let mut app = App::start(s);
        s.lttng(&["start"]).ok();
        app.tell("tick 0 2");
        s.lttng(&["clear"]).ok();
        app.tell("tick 10 2");
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        eventually("the folders go", || s.run("find", &[&memory, "-mindepth", "2"]).stdout.is_empty());
        note(s, "in the end", &trace);
        daemon.stop();
    });
}

#[test]
fn what_belongs_to_the_user_stays() {
    side_by_side(|s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        app.tell("tick 0 2");
        fs::write(format!("{trace}/notes"), "mine").unwrap();
        fs::create_dir(format!("{trace}/folder")).unwrap();
        s.lttng(&["clear"]).ok();
        s.note("cleared", &tree(s, &trace), Order::Fixed);
        s.lttng(&["rotate"]).ok();
        s.note("rotated", &tree(s, &trace), Order::Fixed);
        s.lttng(&["stop"]).ok();
        s.lttng(&["clear"]).ok();
        s.lttng(&["destroy"]).ok();
        s.note("in the end", &tree(s, &trace), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn the_session_of_a_user_under_roots_daemon() {
    side_by_side(|s| {
        let Some(member) = member() else { return skip("needs root and a group `tracing`") };
        let daemon = Daemon::start(s);
        let trace = session_of(s, member, &[]);
        s.lttng_as(member, &["start"]).ok();
        let mut apps = [App::start_as(s, member), App::start(s)];
        for turn in 0..2 {
            for app in &mut apps {
                app.tell(&format!("tick {} 2", turn * 10));
            }
            s.lttng_as(member, &["clear"]).ok();
            s.note("cleared", &tree(s, &trace), Order::Fixed);
        }
        s.lttng_as(OTHER, &["clear", "s"]).fails();
        s.lttng_as(member, &["stop"]).ok();
        s.lttng_as(member, &["clear"]).ok();
        s.note("stopped and cleared", &tree(s, &trace), Order::Fixed);
        s.lttng_as(member, &["destroy"]).ok();
        note(s, "in the end", &trace);
        daemon.stop();
    });
}

#[test]
fn a_daemon_of_a_user() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start_as(s, OTHER, &[]);
        let trace = session_of(s, OTHER, &[]);
        s.lttng_as(OTHER, &["start"]).ok();
        let mut app = App::start_as(s, OTHER);
        app.tell("tick 0 2");
        s.lttng_as(OTHER, &["clear"]).ok();
        app.tell("tick 10 2");
        s.lttng_as(OTHER, &["rotate"]).ok();
        app.tell("tick 20 2");
        s.lttng_as(OTHER, &["clear"]).ok();
        s.lttng_as(OTHER, &["destroy"]).ok();
        note(s, "in the end", &trace);
        daemon.stop();
    });
}

#[test]
fn while_an_application_emits() {
    for buffers in BUFFERS {
        ours(|s| {
            let (daemon, trace, mut app) = recording(s, &[buffers, "--num-subbuf=8"]);
            app.send("pace 0 10000 100");
            for _ in 0..10 {
                s.run("lttng", &["clear"]).ok();
            }
            assert_eq!(app.answer(), "done");
            app.tell("tick 20000 5");
            s.lttng(&["destroy"]).ok();
            let got = all_numbers(s, &trace);
            assert!(got.ends_with(&[20000, 20001, 20002, 20003, 20004]), "{got:?}");
            assert!(archived(&trace).is_empty() && current(&trace).is_some());
            daemon.stop();
        });
    }
}

#[test]
fn while_a_rotation_goes_on() {
    ours_only("it stops recording, and does not say so", |s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        app.tell("tick 0 2");
        s.lttng(&["rotate", "--no-wait"]).ok();
        app.tell("tick 10 2");
        s.lttng(&["clear"]).ok();
        app.tell("tick 20 2");
        s.lttng(&["rotate", "--no-wait"]).ok();
        s.lttng(&["stop"]).ok();
        s.lttng(&["clear"]).ok();
        s.lttng(&["destroy"]).ok();
        assert_eq!(all_numbers(s, &trace), [0, 1, 20, 21]);
        assert_eq!((archived(&trace).len(), current(&trace).is_none()), (2, true));
        daemon.stop();
    });
}
