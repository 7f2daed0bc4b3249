// SPDX-License-Identifier: GPL-2.0-only
//! Processes of the daemon that are killed are followed by others: the helper, and the consumer daemon.

use nix::sys::signal::Signal;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::process::Process;
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, ours_only};

/// The helper, whose name its children have, too.
fn helper(s: &Sandbox) -> Option<Process> {
    s.processes("lttng-runas").into_iter().min_by_key(|process| process.pid())
}

/// What a session goes through, with an application. The command after which the helper is killed, or at which it
/// is killed, is one of these.
const LIFE: &[&[&str]] = &[
    &["start", "s"],
    &["enable-channel", "-u", "-s", "other", "late"],
    &["clear", "s"],
    &["rotate", "s"],
    &["stop", "s"],
    &["snapshot", "record", "-s", "snap"],
    &["destroy", "s"],
];

/// Lives it, with the helper killed `when` at each of its commands.
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
        for (number, command) in LIFE.iter().enumerate() {
            let mut run = || drop(s.lttng(command).ok());
            if number == at {
                kill(s, &mut run)
            } else {
                run()
            }
            if command[0] == "clear" {
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
        s.lttng(&["destroy", "other"]).ok();
    }
    app.exit();
    daemon.stop();
    assert!(helper(s).is_none(), "the last helper is waited for");
}

#[test]
fn the_helper_is_killed_before_any_command() {
    ours_only("the command fails", |s| {
        live_with(s, |s, run| {
            if let Some(helper) = helper(s) {
                helper.signal(Signal::SIGKILL);
            }
            run();
        });
    });
}

#[test]
fn the_helper_is_killed_during_any_command() {
    ours_only("the command fails", |s| {
        live_with(s, |s, run| {
            let Some(helper) = helper(s) else { return run() };
            // It stands still, the command that needs it waits, then it dies.
            helper.signal(Signal::SIGSTOP);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    eventually("somebody waits for it", || helper.state() == 'T');
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
            if let Some(helper) = helper(s) {
                helper.signal(Signal::SIGKILL);
            }
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
            let lost = || s.run("lttng", &["enable-event", "-u", "-s", "s", "testapp:note"]).code != 0;
            eventually("the daemon knows", lost);
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
