// SPDX-License-Identifier: GPL-2.0-only
//! Triggers on events of applications: who is told what, and what is counted that could not be told.

use nix::sys::signal::Signal;

use crate::support::app::App;
use crate::support::chunk::{archived, numbers};
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::{Sandbox, ours_only, side_by_side};

/// Adds a trigger on events of applications that tells of them.
fn add(s: &Sandbox, name: &str, rule: &[&str]) {
    let name = format!("--name={name}");
    let first = ["add-trigger", &name, "--condition=event-rule-matches"];
    s.lttng(&[&first, rule, &["--action=notify"]].concat()).ok();
}

/// The applications end, and then the daemon: the stock one fails an assertion when it ends with applications that have
/// event notifiers.
fn end(s: &Sandbox, daemon: Daemon, apps: impl IntoIterator<Item = App>) {
    apps.into_iter().for_each(App::exit);
    eventually("no application is left", || !s.run("lttng", &["list", "-u"]).stdout.contains("emitter"));
    daemon.stop();
}

/// The sentinel: the last event of a series, which everybody who listens is told of.
const LAST: &str = "last";

fn add_last(s: &Sandbox) {
    add(s, LAST, &["--type=user", "--name=otherapp:tick", "--capture=n"]);
}

/// What is told until the sentinel is. An application's events are told in their order.
fn told(app: &mut App, listener: &mut App) -> String {
    app.tell("other 1000 1");
    let mut lines = Vec::new();
    while lines.last() != Some(&format!("{LAST} [u1000]")) {
        lines.push(listener.ask("next"));
    }
    assert_eq!(listener.ask("pending"), "no");
    lines.join("\n")
}

#[test]
fn applications_from_before_and_after_a_trigger_tell_of_its_events() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut before = App::start(s);
        add(s, "plain", &["--type=user", "--name=testapp:tick"]);
        add(s, "number", &["--type=user", "--name=testapp:t*", "--capture=n"]);
        add_last(s);
        let mut after = App::start(s);
        let mut listener = App::start_program(s, "notified", &["plain", "number", LAST]);
        for (name, app) in [("before", &mut before), ("after", &mut after)] {
            app.tell("tick 1 3");
            app.tell("alarm 1 1");
            // Which of two triggers tells first of an event is the tracer's choice.
            let mut lines: Vec<String> = told(app, &mut listener).lines().map(str::to_owned).collect();
            lines.sort();
            s.note(&format!("told by the one from {name}"), &lines.join("\n"), Order::Fixed);
        }
        assert_eq!(listener.ask("errors number"), "0");
        s.lttng(&["list-triggers"]).ok();
        s.lttng(&["remove-trigger", "number"]).ok();
        for app in [&mut before, &mut after] {
            // Nobody is told any more.
            app.tell("alarm 1 1");
            app.tell("tick 7 2");
            s.note("told without it", &told(app, &mut listener), Order::Fixed);
        }
        s.lttng(&["remove-trigger", "plain"]).ok();
        s.lttng(&["remove-trigger", LAST]).ok();
        eventually("nobody wants the event", || before.ask("enabled tick") == "no");
        end(s, daemon, [before, after]);
    });
}

#[test]
fn filters_exclusions_and_log_levels_say_which_events_are_told() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut before = App::start(s);
        let triggers: &[(&str, &[&str])] = &[
            ("filter", &["--name=testapp:tick", "--filter=n > 2 && n != 4"]),
            ("text", &["--name=testapp:full", "--filter=text == \"text 3*\""]),
            ("context", &["--name=testapp:tick", "--filter=$ctx.procname == \"emitter\" && n == 5"]),
            ("exclusion", &["--name=testapp:*", "--exclude-name=testapp:t*", "--exclude-name=testapp:full"]),
            ("severe", &["--name=testapp:*", "--log-level=ERR.."]),
            ("level", &["--name=testapp:*", "--log-level=ALERT"]),
            ("everything", &["--name=*", "--filter=n == 5"]),
            ("nothing", &["--name=testapp:nothing"]),
        ];
        for (name, rule) in triggers {
            add(s, name, &[&["--type=user"], *rule].concat());
        }
        add_last(s);
        let mut after = App::start(s);
        for app in [&mut before, &mut after] {
            for (name, _) in triggers {
                let mut listener = App::start_program(s, "notified", &[name, LAST]);
                for event in ["tick 0 8", "full 0 6", "alarm 4 2", "note 4 2"] {
                    app.tell(event);
                }
                s.note(&format!("told of {name}"), &told(app, &mut listener), Order::Fixed);
                listener.close();
            }
        }
        s.lttng(&["list-triggers"]).ok();
        end(s, daemon, [before, after]);
    });
}

#[test]
fn values_are_captured() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let captures = [
            "small",
            "negative",
            "big",
            "hex",
            "text",
            "numbers",
            "numbers[1]",
            "pair",
            "pair[0]",
            "letters",
            "shade",
            "half",
            "quarter",
            "none",
            "$ctx.procname",
            "$app.none:none",
        ];
        let captures: Vec<String> = captures.iter().map(|name| format!("--capture={name}")).collect();
        let captures: Vec<&str> = captures.iter().map(String::as_str).collect();
        let mut before = App::start(s);
        add(s, "full", &[&["--type=user", "--name=testapp:full"], &captures[..]].concat());
        let values = ["s8", "u16", "hex_u32", "net_s32", "net_u64", "unseen", "single", "twice"];
        let values = values.map(|name| format!("--capture={name}"));
        let values = values.each_ref().map(String::as_str);
        add(s, "values", &[&["--type=user", "--name=valuesapp:integers"], &values[..]].concat());
        add_last(s);
        let mut after = App::start(s);
        let mut listener = App::start_program(s, "notified", &["full", LAST]);
        for app in [&mut before, &mut after] {
            app.tell("full 0 12");
            s.note("captured", &told(app, &mut listener), Order::Fixed);
        }
        let mut listener = App::start_program(s, "notified", &["values"]);
        // All is told that was written before an application's end.
        s.run(&s.program("values").to_string_lossy(), &[]).ok();
        let lines: Vec<String> = (0..10).map(|_| listener.ask("next")).collect();
        s.note("captured of another program", &lines.join("\n"), Order::Fixed);
        assert_eq!(listener.ask("pending"), "no");
        end(s, daemon, [before, after]);
    });
}

#[test]
fn a_bad_expression_is_refused() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for filter in ["n >", "n + 1 == 2", "\"x\" == 1"] {
            let filter = format!("--filter={filter}");
            let rule = ["--condition=event-rule-matches", "--type=user", "--name=a:b"];
            s.lttng(&[&["add-trigger"], &rule[..], &[&filter, "--action=notify"]].concat()).fails();
        }
        s.lttng(&["list-triggers"]).ok();
        daemon.stop();
    });
}

#[test]
fn rules_of_loggers_are_rules_of_applications() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        add(s, "jul", &["--type=jul", "--name=my.logger", "--log-level=WARNING"]);
        add(s, "log4j", &["--type=log4j", "--name=*"]);
        add(s, "python", &["--type=python", "--name=*", "--filter=msg == \"x\""]);
        add_last(s);
        let mut listener = App::start_program(s, "notified", &["jul", "log4j", "python", LAST]);
        app.tell("tick 0 3");
        s.note("told", &told(&mut app, &mut listener), Order::Fixed);
        end(s, daemon, [app]);
    });
}

#[test]
fn what_a_full_pipe_does_not_take_is_counted() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut before = App::start(s);
        add(s, "tick", &["--type=user", "--name=testapp:tick"]);
        add_last(s);
        let mut after = App::start(s);
        let mut listener = App::start_program(s, "notified", &[LAST]);
        daemon.process().freeze();
        before.tell("tick 0 3000");
        after.tell("tick 0 2000");
        daemon.process().signal(Signal::SIGCONT);
        // 1552 events of 42 bytes fill a pipe.
        s.note("lost", &listener.ask("errors tick"), Order::Fixed);
        // It is not forgotten with the applications, but with the trigger.
        before.exit();
        after.exit();
        s.note("still lost", &listener.ask("errors tick"), Order::Fixed);
        s.lttng(&["remove-trigger", "tick"]).ok();
        add(s, "again", &["--type=user", "--name=testapp:tick"]);
        s.note("lost of the next one", &listener.ask("errors again"), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn applications_outlive_a_daemon_that_they_tell_of_events() {
    ours_only("it fails an assertion when it ends with applications that have event notifiers", |s| {
        for _ in 0..5 {
            let daemon = Daemon::start(s);
            let mut apps = App::start_many(s, 8);
            add(s, "tick", &["--type=user", "--name=testapp:tick"]);
            for app in &mut apps {
                app.send("tick 0 300000");
            }
            daemon.stop();
            for mut app in apps {
                assert_eq!(app.answer(), "done");
                app.tell("tick 0 1");
                app.exit();
            }
        }
    });
}

#[test]
fn events_act_on_sessions() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for name in ["started", "rotated", "stopped"] {
            s.lttng(&["create", name, "--output", &s.path(name)]).ok();
            s.lttng(&["enable-event", "-u", "-s", name, "testapp:tick"]).ok();
        }
        s.run("lttng", &["create", "snap", "--snapshot", "--output", &s.path("snap")]).ok();
        s.lttng(&["enable-event", "-u", "-s", "snap", "testapp:tick"]).ok();
        for name in ["rotated", "stopped", "snap"] {
            s.lttng(&["start", name]).ok();
        }
        let mut app = App::start(s);
        for (action, session, event) in [
            ("start-session", "started", "testapp:alarm"),
            ("rotate-session", "rotated", "testapp:note"),
            ("stop-session", "stopped", "testapp:empty"),
            ("snapshot-session", "snap", "testapp:full"),
        ] {
            let name = format!("--name={action}");
            let rule = format!("--name={event}");
            let action = format!("--action={action}");
            let condition = ["--condition=event-rule-matches", "--type=user", &rule];
            s.lttng(&[&["add-trigger", &name], &condition[..], &[&action, session]].concat()).ok();
        }
        let listed = |name: &str| s.run("lttng", &["list", name]).stdout;
        let is_active = |name| listed(name).contains("[active]");
        app.tell("tick 0 3");
        assert!(!is_active("started") && is_active("stopped"));
        app.tell("alarm 0 1");
        eventually("it is started", || is_active("started"));
        app.tell("note 0 1");
        eventually("it is rotated", || archived(&s.path("rotated")).len() == 1);
        app.tell("empty 1");
        eventually("it is stopped", || !is_active("stopped"));
        app.tell("full 0 1");
        let recorded = |path: &str| {
            let files = s.files(&[path]);
            files.iter().any(|file| file.contains("metadata")) && listed("snap").contains("snap")
        };
        eventually("the snapshot is there", || recorded(&s.path("snap")));
        eventually("its rotation is over", || !listed("rotated").contains("ongoing"));
        app.tell("tick 3 2");
        s.lttng(&["stop", "started"]).ok();
        s.lttng(&["stop", "rotated"]).ok();
        for name in ["started", "rotated", "stopped", "snap"] {
            s.note(&format!("recorded in {name}"), &numbers(s, &s.path(name)), Order::Fixed);
        }
        s.lttng(&["list-triggers"]).ok();
        for name in ["started", "rotated", "stopped", "snap"] {
            s.lttng(&["destroy", name]).ok();
        }
        end(s, daemon, [app]);
    });
}

/// What an application has written before it is killed is told, however late the daemon reads it.
#[test]
fn applications_are_killed_while_they_tell() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut apps = App::start_many(s, 4);
        add(s, "number", &["--type=user", "--name=testapp:tick", "--capture=n"]);
        add_last(s);
        let mut listener = App::start_program(s, "notified", &["number", LAST]);
        let mut last = App::start(s);
        daemon.process().freeze();
        for (app, first) in apps.iter_mut().zip([0, 1000, 2000, 3000]) {
            app.tell(&format!("tick {first} 500"));
        }
        let survivor = apps.pop().unwrap();
        apps.into_iter().for_each(App::kill);
        daemon.process().signal(Signal::SIGCONT);
        eventually("the daemon has noticed", || {
            s.run("lttng", &["list", "-u"]).stdout.matches("PID:").count() == 2
        });
        let told = told(&mut last, &mut listener);
        let mut numbers: Vec<&str> = told.lines().filter(|line| line.starts_with("number ")).collect();
        numbers.sort_unstable();
        assert_eq!(numbers.len(), 2000, "{numbers:?}");
        numbers.dedup();
        assert_eq!(numbers.len(), 2000);
        end(s, daemon, [last, survivor]);
    });
}

#[test]
fn places_of_error_counters_are_limited() {
    side_by_side(|s| {
        let daemon =
            Daemon::start_with(s, &["--no-kernel", "--event-notifier-error-buffer-size-userspace=2"]);
        let all = |name: &str| {
            let (name, rule) = (format!("--name={name}"), format!("--name=testapp:{name}"));
            let rest = ["--condition=event-rule-matches", "--type=user", &rule, "--action=notify"];
            s.lttng(&[&["add-trigger", &name], &rest[..]].concat())
        };
        all("tick").ok();
        all("alarm").ok();
        all("note").fails();
        // What is not about events needs none.
        let mut subscriber = crate::notifications::subscriber(s);
        crate::notifications::note(s, &mut subscriber, "register other notify if ongoing s");
        s.lttng(&["remove-trigger", "tick"]).ok();
        all("note").ok();
        all("tick").fails();
        crate::notifications::note(s, &mut subscriber, "list");
        subscriber.exit();
        daemon.stop();
    });
}
