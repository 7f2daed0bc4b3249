// SPDX-License-Identifier: GPL-2.0-only
//! Processes of the daemon that are killed are followed by others: the helper, and the consumer daemon.

use nix::sys::signal::Signal;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::process::Process;
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, ours_only};

/// The helper. Its children have its name, too, and so have those of consumer daemons.
fn helper(s: &Sandbox) -> Process {
    let daemons = s.processes("lttng-sessiond");
    let of_daemon = |process: &Process| daemons.iter().any(|daemon| process.parent() == Some(daemon.pid()));
    s.processes("lttng-runas").into_iter().find(of_daemon).expect("there is a helper")
}

/// What sessions go through, with an application: at each of these commands, the helper is killed once.
const LIFE: &[&[&str]] = &[
    &["start", "s"],
    &["enable-channel", "-u", "-s", "other", "late"],
    &["rotate", "s"],
    &["clear", "cleared"],
    &["stop", "s"],
    &["snapshot", "record", "-s", "snap"],
    &["destroy", "s"],
];

/// Lives it once for each of its commands, with which `kill` does what it wants.
fn live_with(s: &Sandbox, kill: impl Fn(&Sandbox, &mut dyn FnMut())) {
    let daemon = Daemon::start(s);
    let mut app = App::start(s);
    for (turn, at) in (0i32..).zip(0..LIFE.len()) {
        let trace = s.path(&format!("trace{at}"));
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-event", "-u", "-s", "s", "testapp:tick"]).ok();
        s.lttng(&["create", "snap", "--snapshot", "--output", &s.path(&format!("snap{at}"))]).ok();
        s.lttng(&["enable-event", "-u", "-s", "snap", "testapp:tick"]).ok();
        s.lttng(&["start", "snap"]).ok();
        s.lttng(&["create", "other", "--output", &s.path("other")]).ok();
        s.lttng(&["create", "cleared", "--output", &s.path(&format!("cleared{at}"))]).ok();
        s.lttng(&["enable-event", "-u", "-s", "cleared", "testapp:tick"]).ok();
        s.lttng(&["start", "cleared"]).ok();
        s.lttng(&["stop", "cleared"]).ok();
        for (number, command) in LIFE.iter().enumerate() {
            let mut run = || drop(s.lttng(command).ok());
            if number == at {
                kill(s, &mut run)
            } else {
                run()
            }
            if command[0] == "rotate" {
                app.tell(&format!("tick {} 3", turn * 10));
            }
        }
        let expected = Vec::from_iter(turn * 10..turn * 10 + 3).into_iter().map(i64::from);
        assert_eq!(
            numbers(&events(s, &trace), "testapp:tick"),
            Vec::from_iter(expected),
            "at {:?}",
            LIFE[at]
        );
        s.lttng(&["destroy", "snap"]).ok();
        s.lttng(&["destroy", "cleared"]).ok();
        s.lttng(&["destroy", "other"]).ok();
    }
    app.exit();
    daemon.stop();
    assert!(s.processes("lttng-runas").is_empty(), "the last helper is waited for");
}

#[test]
fn the_helper_is_killed_before_any_command() {
    ours_only("the command fails", |s| {
        live_with(s, |s, run| {
            helper(s).signal(Signal::SIGKILL);
            run();
        });
    });
}

#[test]
fn the_helper_is_killed_during_any_command() {
    ours_only("the command fails", |s| {
        live_with(s, |s, run| {
            let helper = helper(s);
            // It stands still, the command that needs it waits, then it dies.
            helper.freeze();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // Whether a command waits for it can't be seen from here; most do by then.
                    std::thread::sleep(std::time::Duration::from_millis(300));
                    helper.signal(Signal::SIGKILL);
                });
                run();
            });
        });
    });
}

#[test]
fn the_helper_is_killed_after_any_command() {
    ours_only("the next command fails", |s| {
        live_with(s, |s, run| {
            run();
            helper(s).signal(Signal::SIGKILL);
        });
    });
}

#[test]
fn the_consumer_daemon_is_killed_again_and_again() {
    ours_only("no session records any more", |s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        for turn in 0..20 {
            let trace = s.path(&format!("trace{turn}"));
            s.lttng(&["create", "s", "--output", &trace]).ok();
            s.lttng(&["enable-event", "-u", "-s", "s", "testapp:tick"]).ok();
            s.lttng(&["create", "unused", "--output", &s.path("unused")]).ok();
            s.lttng(&["enable-event", "-u", "-s", "unused", "testapp:tick"]).ok();
            s.lttng(&["start", "s"]).ok();
            app.tell("tick 0 3");
            if turn % 2 == 0 {
                s.lttng(&["stop", "s"]).ok();
            }
            let consumers = s.processes("lttng-consumerd");
            assert_eq!(consumers.len(), 1, "one at a time");
            consumers[0].signal(Signal::SIGKILL);
            // What was recorded there is lost, and the user is told.
            eventually("the daemon knows", || {
                let log = std::fs::read_to_string(s.path("daemon.log")).unwrap();
                log.matches("Lost the 64-bit").count() == turn + 1
            });
            s.lttng(&["enable-channel", "-u", "-s", "s", "c"]).fails();
            // A session that was not started goes on with the next one.
            s.lttng(&["start", "unused"]).ok();
            app.tell("tick 10 3");
            s.lttng(&["destroy", "s"]).fails();
            s.lttng(&["destroy", "unused"]).ok();
            assert_eq!(numbers(&events(s, &s.path("unused")), "testapp:tick"), [10, 11, 12], "turn {turn}");
            s.run("rm", &["-rf", &s.path("unused")]).ok();
        }
        app.exit();
        daemon.stop();
    });
}
