// SPDX-License-Identifier: GPL-2.0-only
//! The examples of the crate `lttng-protocol`: what others can do with it, on either daemon.

use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::sandbox::OTHER;
use crate::support::{Sandbox, is_root, side_by_side};

/// What `list_sessions` says, with the status that it ends with.
fn listed(s: &Sandbox, args: &[&str]) -> String {
    let output = s.run(&s.example("list_sessions").to_string_lossy(), args);
    s.note("list_sessions", &format!("status {}\n{}", output.code, output.stdout), Order::AnyText);
    output.stdout
}

#[test]
fn sessions_are_listed() {
    side_by_side(|s| {
        assert_eq!(listed(s, &[]), "", "nobody is there to be asked");
        let daemon = Daemon::start(s);
        assert_eq!(listed(s, &[]), "");
        let (first, second) = (s.path("first"), s.path("second"));
        s.lttng(&["create", "first", "--output", &first]).ok();
        s.lttng(&["enable-event", "--userspace", "--all"]).ok();
        s.lttng(&["start"]).ok();
        s.lttng(&["create", "second", "--output", &second]).ok();
        let all = listed(s, &["/run/lttng/client-lttng-sessiond"]);
        let lines = [format!("first [active] {first}"), format!("second [inactive] {second}")];
        for line in &lines {
            assert!(all.lines().any(|listed| listed == line), "no {line}: {all}");
        }
        assert_eq!(all.lines().count(), lines.len());
        daemon.stop();
    });
}

/// A user's own daemon is found where there is none of root's; who may not see a session is not told of it.
#[test]
fn sessions_of_a_user_are_listed() {
    if !is_root() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start_as(s, OTHER, &[]);
        s.lttng_as(OTHER, &["create", "own", "--output", &s.home_of(OTHER).join("own").to_string_lossy()])
            .ok();
        let example = s.example("list_sessions").to_string_lossy().into_owned();
        let output = s.run_as(OTHER, &example, &[]).ok().stdout;
        assert!(output.starts_with("own [inactive] "), "{output}");
        daemon.stop();
    });
}

#[test]
fn an_application_registers() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let _app = App::start_file(s, &s.example("register"), &[]);
        let list = s.lttng_unordered(&["list", "--userspace", "--fields"]).ok().stdout;
        assert!(list.contains("example:hello (loglevel: TRACE_INFO (6)) (type: tracepoint)"), "{list}");
        assert!(list.contains("field: greeting (string)"), "{list}");
        daemon.stop();
    });
}

/// It agrees to everything, so that no command fails for it.
#[test]
fn an_application_that_registered_is_asked_for_all_there_is() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let _app = App::start_file(s, &s.example("register"), &[]);
        s.lttng(&["create", "s", "--output", &s.path("s")]).ok();
        s.lttng(&[
            "enable-event",
            "--userspace",
            "example:*",
            "--filter",
            "greeting == \"a\"",
            "--exclude",
            "example:b",
        ])
        .ok();
        s.lttng(&["add-context", "--userspace", "--type", "vpid"]).ok();
        s.lttng(&["start"]).ok();
        s.lttng(&[
            "add-trigger",
            "--name",
            "t",
            "--condition",
            "event-rule-matches",
            "--type",
            "user",
            "--name",
            "example:*",
            "--action",
            "notify",
        ])
        .ok();
        s.lttng(&["list", "--userspace"]).ok();
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        s.lttng(&["remove-trigger", "t"]).ok();
        daemon.stop();
    });
}
