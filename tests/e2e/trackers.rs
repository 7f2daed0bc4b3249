// SPDX-License-Identifier: GPL-2.0-only
//! Trackers: which processes a session records, what the commands and listings say of it.

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::sandbox::User;
use crate::support::trace::{events, numbers};
use crate::support::xml;
use crate::support::{Sandbox, is_root, ours_only, side_by_side, skip};

/// A user without a name.
const STRANGER: User = User { uid: 54321, gid: 54322, groups: &[] };

/// `nobody` and a group that every machine has.
const NOBODY: User = User { uid: 65534, gid: 65534, groups: &[] };

/// Creates session `s` with its trace in `trace` and an event rule.
fn session(s: &Sandbox) -> String {
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
    trace
}

/// Records the listing as text and as XML. The values of a set come in no defined order.
fn list(s: &Sandbox) {
    let text = s.run("lttng", &["list", "s"]).ok().stdout;
    let lines: Vec<String> = text.lines().map(sort_values).collect();
    s.note("list", &lines.join("\n"), Order::Fixed);
    s.lttng_xml(&["list", "s"]).ok();
    // The comparison above leaves the numbers out.
    let document = s.run("lttng", &["--mi", "xml", "list", "s"]).ok().stdout;
    let document = xml::parse(&document).unwrap();
    for tracker in ["vpid", "vuid", "vgid"] {
        let mut values = document.texts_below(&format!("{tracker}_process_attr_tracker"));
        values.sort_unstable();
        s.note(tracker, &values.join(" "), Order::Fixed);
    }
}

/// `  Virtual ... IDs:  1, 2`: with the values sorted.
fn sort_values(line: &str) -> String {
    match line.split_once(" IDs: ") {
        Some((head, values)) => {
            let mut values: Vec<&str> = values.trim().split(", ").collect();
            values.sort_unstable();
            format!("{head} IDs: {}", values.join(", "))
        }
        None => line.to_owned(),
    }
}

/// `track` or `untrack` of one process, whose number differs from run to run.
fn change(s: &Sandbox, command: &str, app: &App) {
    let output = s.run("lttng", &[command, "-u", "--vpid", &app.pid().to_string()]).ok();
    s.note(command, &output.stdout.replace(&app.pid().to_string(), "PID"), Order::Fixed);
}

#[test]
fn commands_and_listings() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["track", "-u", "--vpid", "1"]).fails();
        session(s);
        list(s);
        s.lttng(&["track", "-u", "--vpid", "1"]).ok();
        s.lttng_xml(&["track", "-u", "--vpid", "12"]).ok();
        list(s);
        s.lttng(&["track", "-u", "--vpid", "1"]);
        s.lttng_xml(&["track", "-u", "--vpid", "1"]);
        s.lttng(&["untrack", "-u", "--vpid", "13"]);
        s.lttng_xml(&["untrack", "-u", "--vpid", "12"]).ok();
        s.lttng(&["untrack", "-u", "--vpid", "12"]);
        list(s);
        s.lttng(&["untrack", "-u", "--vpid", "1"]).ok();
        list(s);
        s.lttng(&["track", "-u", "--all", "--vpid"]).ok();
        list(s);
        s.lttng(&["untrack", "-u", "--vpid", "1"]);
        s.lttng(&["untrack", "-u", "--all", "--vpid"]).ok();
        list(s);
        s.lttng(&["untrack", "-u", "--vpid", "1"]);
        s.lttng(&["track", "-u", "--vpid", "1"]);
        list(s);
        s.lttng(&["untrack", "-u", "--all", "--vpid", "--vuid", "--vgid"]);
        list(s);
        s.lttng(&["track", "-u", "--all", "--vpid", "--all", "--vuid", "--all", "--vgid"]);
        list(s);
        // The old name, for the number of the process.
        s.lttng(&["track", "-u", "--pid", "1"]);
        s.lttng(&["untrack", "-u", "--pid", "1"]);
        list(s);
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn users_and_groups_by_number_and_by_name() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        session(s);
        for (option, name, number) in [("--vuid", "nobody", "65534"), ("--vgid", "nogroup", "65534")] {
            s.lttng(&["track", "-u", option, name]).ok();
            list(s);
            s.lttng(&["track", "-u", option, name]);
            s.lttng(&["untrack", "-u", option, name]).ok();
            s.lttng(&["untrack", "-u", option, name]);
            s.lttng(&["track", "-u", option, number]).ok();
            s.lttng_xml(&["track", "-u", option, "54321"]).ok();
            list(s);
            s.lttng(&["track", "-u", option, "no-such-name"]);
            s.lttng_xml(&["track", "-u", option, "no-such-name"]);
            s.lttng(&["untrack", "-u", option, "no-such-name"]);
            s.lttng(&["untrack", "-u", option, number]).ok();
            list(s);
        }
        // Several in one command, one of them bad.
        s.lttng(&["track", "-u", "--vuid", "1,2,root"]);
        list(s);
        s.lttng(&["track", "-u", "--vuid", "3,no-such-name,4"]);
        list(s);
        s.lttng(&["track", "-u", "--vuid=5", "--vgid=6", "--vpid=7"]);
        list(s);
        daemon.stop();
    });
}

#[test]
fn what_is_refused() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        // Before there is anything of the domain.
        s.lttng(&["track", "-u", "--vpid", "1"]);
        s.lttng(&["list", "s"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["track", "-u", "--uid", "1"]).fails();
        s.lttng(&["track", "-u", "--gid", "1"]).fails();
        s.lttng(&["track", "-u", "--uid", "root"]).fails();
        s.lttng(&["track", "-u", "-s", "none", "--vpid", "1"]).fails();
        s.lttng(&["track", "-k", "--vpid", "1"]).fails();
        s.lttng(&["track", "-u", "--vpid", "nonsense"]).fails();
        s.lttng(&["track", "-u", "--vpid", "-7"]);
        list(s);
        daemon.stop();
    });
}

#[test]
fn odd_numbers_and_lists() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        session(s);
        for option in ["--vpid", "--vuid", "--vgid"] {
            for value in ["0", "1,2,3", "3,4", "2147483647", "-1", "1,,2", "", ",", " 5", "0x10", "007"] {
                s.lttng(&["track", "-u", &format!("{option}={value}")]);
            }
            list(s);
            for value in ["0", "1,2,3", "99"] {
                s.lttng(&["untrack", "-u", &format!("{option}={value}")]);
            }
            list(s);
        }
        s.lttng(&["track", "-u", "--vuid", &"x".repeat(300)]);
        s.lttng(&["track", "-u"]);
        s.lttng(&["track", "-u", "--all"]);
        s.lttng(&["track", "-u", "--vpid"]);
        s.lttng(&["untrack", "-u"]);
        list(s);
        daemon.stop();
    });
}

#[test]
fn the_process_that_is_tracked_is_recorded() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut chosen = App::start(s);
        let mut other = App::start(s);
        let trace = session(s);
        change(s, "track", &chosen);
        s.lttng(&["start"]).ok();
        chosen.tell("tick 0 2");
        other.tell("tick 10 2");
        let mut late = App::start(s);
        late.tell("tick 20 2");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1]);
        daemon.stop();
    });
}

#[test]
fn nothing_is_recorded_when_nobody_is_tracked() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        let trace = session(s);
        s.lttng(&["untrack", "-u", "--all", "--vuid"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 0 2");
        App::start(s).tell("tick 10 2");
        // From now on everybody.
        s.lttng(&["track", "-u", "--all", "--vuid"]).ok();
        app.tell("tick 20 2");
        App::start(s).tell("tick 30 2");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [20, 21, 30, 31]);
        daemon.stop();
    });
}

#[test]
fn trackers_change_while_recording() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut first = App::start(s);
        let mut second = App::start(s);
        let trace = session(s);
        s.lttng(&["start"]).ok();
        first.tell("tick 0 1");
        second.tell("tick 1 1");
        change(s, "track", &first);
        eventually("the other is let go", || second.ask("enabled tick") == "no");
        first.tell("tick 10 1");
        second.tell("tick 11 1");
        change(s, "track", &second);
        first.tell("tick 20 1");
        second.tell("tick 21 1");
        change(s, "untrack", &first);
        eventually("the first is let go", || first.ask("enabled tick") == "no");
        first.tell("tick 30 1");
        second.tell("tick 31 1");
        s.lttng(&["stop"]).ok();
        s.lttng(&["track", "-u", "--all", "--vpid"]).ok();
        s.lttng(&["start"]).ok();
        first.tell("tick 40 1");
        second.tell("tick 41 1");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 20, 21, 31, 40, 41]);
        daemon.stop();
    });
}

#[test]
fn users_and_groups_are_recorded_as_tracked() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start(s);
        let trace = session(s);
        s.lttng(&["track", "-u", "--vuid", "nobody,54321"]).ok();
        s.lttng(&["start"]).ok();
        let mut root = App::start(s);
        let mut nobody = App::start_as(s, NOBODY);
        let mut stranger = App::start_as(s, STRANGER);
        let everyone = |root: &mut App, nobody: &mut App, stranger: &mut App, first: i32| {
            for (number, app) in (first..).zip([root, nobody, stranger]) {
                app.tell(&format!("tick {number} 1"));
            }
        };
        everyone(&mut root, &mut nobody, &mut stranger, 0);
        // A process must be in all of the sets.
        s.lttng(&["track", "-u", "--vgid", "nogroup"]).ok();
        eventually("the stranger is let go", || stranger.ask("enabled tick") == "no");
        everyone(&mut root, &mut nobody, &mut stranger, 10);
        s.lttng(&["track", "-u", "--all", "--vuid"]).ok();
        everyone(&mut root, &mut nobody, &mut stranger, 20);
        s.lttng(&["track", "-u", "--vgid", "54322"]).ok();
        everyone(&mut root, &mut nobody, &mut stranger, 30);
        let mut late = App::start_as(s, STRANGER);
        late.tell("tick 40 1");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [1, 2, 11, 21, 31, 32, 40]);
        daemon.stop();
    });
}

#[test]
fn tracking_keeps_what_a_process_recorded_before() {
    ours_only("it makes the process's buffers and files again", |s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 2");
        change(s, "track", &app);
        app.tell("tick 10 2");
        change(s, "untrack", &app);
        eventually("it is let go", || app.ask("enabled tick") == "no");
        change(s, "track", &app);
        app.tell("tick 20 2");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 11, 20, 21]);
        daemon.stop();
    });
}
