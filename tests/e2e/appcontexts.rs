// SPDX-License-Identifier: GPL-2.0-only
//! Contexts that an application provides itself (`$app.PROVIDER:TYPE`).

use crate::metadata::{blocks, text};
use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::session::{self, BUFFERS};
use crate::support::trace::{Event, events, numbers};
use crate::support::{Sandbox, ours_only, side_by_side};

/// Creates session `s` with its trace in `trace`, channel `c`, an event rule and these contexts.
fn session(s: &Sandbox, buffers: &str, contexts: &[&str]) -> String {
    let trace = session::session(s, &[buffers]);
    for context in contexts {
        s.lttng(&["add-context", "-u", "-c", "c", "-t", context]).ok();
    }
    trace
}

/// The contexts of all events, one event a line.
fn contexts(events: &[Event]) -> Vec<String> {
    events.iter().map(Event::contexts).collect()
}

/// Label and value of each type, in the order of the types' numbers; `S64` is the s64, `N` the event's number.
const KINDS: [(&str, &str); 12] = [
    ("_none", "{}"),
    ("_int8", "-8"),
    ("_int16", "-1600"),
    ("_int32", "-2147483648"),
    ("_int64", "S64"),
    ("_uint8", "200"),
    ("_uint16", "60000"),
    ("_uint32", "4000000000"),
    ("_uint64", "18446744073709551615"),
    ("_float", "1.5"),
    ("_double", "-0.25"),
    ("_string", "\"text N\""),
];

#[test]
fn values_of_every_type() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let mut early = App::start_program(s, "provider", &[]);
            let trace = session(s, buffers, &["$app.own:kinds", "procname", "$app.own:text"]);
            s.lttng(&["start"]).ok();
            let mut late = App::start_program(s, "provider", &[]);
            early.tell("tick 0 12");
            late.tell("tick 12 12");
            s.lttng_unordered(&["list", "s"]).ok();
            s.lttng_xml(&["list", "s"]).ok();
            s.lttng(&["destroy"]).ok();
            let lines = contexts(&events(s, &trace));
            assert_eq!(lines.len(), 24);
            for (n, line) in lines.iter().enumerate() {
                let (kind, value) = KINDS[n % KINDS.len()];
                let value = value
                    .replace("S64", &format!("{}", 5_000_000_000 + n as u64))
                    .replace('N', &n.to_string());
                assert_eq!(
                    *line,
                    format!(
                        "_app_own_kinds_tag=\"{kind}\":{} _app_own_kinds=<{value}> procname=\"provider\" \
                         _app_own_text_tag=\"_string\":11 _app_own_text=<\"text {n}\">",
                        n % KINDS.len()
                    )
                );
            }
            s.note("events", &lines.join("\n"), Order::Fixed);
            s.note("metadata", &blocks(&text(s, &trace)), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn an_application_without_the_provider_is_recorded_too() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, "--buffers-uid", &["$app.own:number"]);
        let mut without = App::start(s);
        s.lttng(&["start"]).ok();
        let mut with = App::start_program(s, "provider", &[]);
        without.tell("tick 0 2");
        with.tell("tick 10 2");
        s.lttng(&["destroy"]).ok();
        let lines = contexts(&events(s, &trace));
        assert_eq!(lines.len(), 4);
        assert!(lines[1].ends_with("<{}>") && lines[3].ends_with("<5000000011>"), "{lines:?}");
        s.note("events", &lines.join("\n"), Order::Fixed);
        s.note("metadata", &blocks(&text(s, &trace)), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn the_provider_comes_and_goes_while_recording() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, "--buffers-uid", &["$app.own:number"]);
        s.lttng(&["start"]).ok();
        let mut app = App::start_program(s, "provider", &["later"]);
        app.tell("tick 0 1");
        app.tell("register");
        app.tell("tick 1 1");
        app.tell("unregister");
        app.tell("tick 2 1");
        s.lttng(&["destroy"]).ok();
        let lines = contexts(&events(s, &trace));
        let has_value: Vec<bool> =
            lines.iter().map(|line| line.ends_with("_app_own_number=<5000000001>")).collect();
        assert_eq!(has_value, [false, true, false], "{lines:?}");
        s.note("events", &lines.join("\n"), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn filters_see_the_values() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for (name, filter, want) in [
            ("number", "$app.own:number >= 5000000003 && $app.own:number != 5000000005", &[3, 4, 6, 7][..]),
            ("text", "$app.own:text == \"text 4\" || $app.own:text == \"* 6\"", &[4, 6]),
            ("either", "$app.own:number < 5000000002 || $app.own:text == \"text 7\"", &[0, 1, 7]),
            ("field", "$app.own:number > 5000000005 && n < 7", &[6]),
            ("none", "$app.own:nothing == 0", &[]),
            ("other", "$app.other:number == 1", &[]),
        ] {
            let trace = s.path(name);
            s.lttng(&["create", name, "--output", &trace]).ok();
            s.lttng(&["enable-event", "-u", "testapp:tick", "--filter", filter]);
            s.lttng(&["enable-event", "-u", "testapp:note"]).ok();
            s.lttng(&["start"]).ok();
            let mut app = App::start_program(s, "provider", &[]);
            let mut without = App::start(s);
            without.tell("tick 50 3");
            without.tell("note 1 1");
            app.tell("tick 0 8");
            s.lttng_unordered(&["list", name]).ok();
            s.lttng(&["destroy"]).ok();
            let all = events(s, &trace);
            s.note(name, &format!("{:?}", numbers(&all, "testapp:tick")), Order::Fixed);
            assert_eq!(numbers(&all, "testapp:tick"), want, "{filter}");
        }
        daemon.stop();
    });
}

#[test]
fn names() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        session(s, "--buffers-uid", &[]);
        for name in [
            "$app.own:a b",
            "$app.own:",
            "$app.:type",
            "$app.own",
            "$app.a.b:c",
            "$app.a:b:c",
            "$app.",
            "$app",
            "$APP.own:x",
            "app.own:x",
            "$ctx.vpid",
            "$app.own:caf\u{e9}",
            "cpu_id",
        ] {
            s.lttng(&["add-context", "-u", "-c", "c", "-t", name]);
            s.lttng_xml(&["add-context", "-u", "-c", "c", "-t", name]);
        }
        // The longest that applications take.
        let (provider, name) = ("p".repeat(124), "n".repeat(125));
        s.lttng(&["add-context", "-u", "-c", "c", "-t", &format!("$app.{provider}:{name}")]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["add-context", "--list"]).ok();
        s.lttng_xml(&["add-context", "--list"]).ok();
        daemon.stop();
    });
}

#[test]
fn any_name_leaves_the_trace_readable() {
    ours_only("it writes the names as they are, and nothing can read the trace", |s| {
        let daemon = Daemon::start(s);
        let trace = session(
            s,
            "--buffers-uid",
            &["$app.own:x-y", "$app.own:a b", "$app.own:caf\u{e9};}", "$app.own:text"],
        );
        s.lttng(&["start"]).ok();
        App::start_program(s, "provider", &[]).tell("tick 5 1");
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(numbers(&all, "testapp:tick"), [5]);
        assert!(all[0].contexts().ends_with("_app_own_text=<\"text 5\">"), "{}", all[0].contexts());
        daemon.stop();
    });
}
