// SPDX-License-Identifier: GPL-2.0-only
//! Contexts: what `add-context` says, and that the fields hold what the application says of itself.

use std::collections::HashMap;

use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::trace::{Event, Value, events, numbers};
use crate::support::{Sandbox, ours_only, side_by_side};

/// Every built-in context of user space.
pub const BUILT_IN: &[&str] = &[
    "vpid",
    "vtid",
    "procname",
    "pthread_id",
    "ip",
    "cgroup_ns",
    "ipc_ns",
    "mnt_ns",
    "net_ns",
    "pid_ns",
    "time_ns",
    "user_ns",
    "uts_ns",
    "vuid",
    "veuid",
    "vsuid",
    "vgid",
    "vegid",
    "vsgid",
];

/// Creates session `s` with its trace in `trace`.
fn session(s: &Sandbox) -> String {
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    trace
}

/// Reads what the program `contexts` says of itself.
fn facts(app: &App) -> HashMap<String, String> {
    let mut facts = HashMap::new();
    loop {
        let line = app.answer();
        let Some((name, value)) = line.split_once(' ') else { return facts };
        facts.insert(name.to_owned(), value.to_owned());
    }
}

/// Names of all fields of an event but the payload's, in order.
fn context_names(event: &Event) -> String {
    let names: Vec<&str> = event.context.iter().map(|(name, _)| name.as_str()).collect();
    names.join(" ")
}

fn context<'a>(event: &'a Event, name: &str) -> &'a Value {
    let found = event.context.iter().find(|(field, _)| field == name);
    &found.unwrap_or_else(|| panic!("no {name} in {}", context_names(event))).1
}

fn number(value: &Value) -> u64 {
    match value {
        Value::Number(text) => match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
            None => text.parse().unwrap(),
        },
        other => panic!("no number: {other:?}"),
    }
}

#[test]
fn every_context_holds_what_is_true() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s);
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        for name in BUILT_IN {
            s.lttng(&["add-context", "-u", "-c", "c", "-t", name]).ok();
        }
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        // One that is there at the start and one that comes later.
        let mut early = App::start_program(s, "contexts", &[]);
        s.lttng(&["start"]).ok();
        let mut late = App::start_program(s, "contexts", &[]);
        let truths = [facts(&early), facts(&late)];
        early.tell("tick 0");
        late.tell("tick 1");
        s.lttng(&["destroy"]).ok();

        let all = events(s, &trace);
        assert_eq!(numbers(&all, "testapp:tick"), [0, 1]);
        for (event, truth) in all.iter().zip(&truths) {
            s.note("fields", &context_names(event), Order::Fixed);
            assert_eq!(truth.len(), BUILT_IN.len() - 2, "{truth:?}");
            for (name, value) in truth {
                assert_eq!(number(context(event, name)).to_string(), *value, "{name}");
            }
            assert_eq!(context(event, "procname"), &Value::Text("contexts".into()));
            assert_ne!(number(context(event, "ip")), 0);
        }
        daemon.stop();
    });
}

#[test]
fn several_contexts_in_one_command() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s);
        for channel in ["a", "b"] {
            s.lttng(&["enable-channel", "-u", channel]).ok();
        }
        s.lttng(&["enable-event", "-u", "-c", "a", "testapp:tick"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "b", "testapp:note"]).ok();
        // Two to all channels, then two more to one of them.
        s.lttng(&["add-context", "-u", "-t", "vpid", "-t", "procname"]).ok();
        s.lttng(&["add-context", "-u", "-c", "b", "-t", "vtid", "-t", "vuid"]).ok();
        s.lttng_xml(&["add-context", "-u", "-c", "a", "-t", "ip"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 1 1");
        app.tell("note 2 1");
        let pid = u64::try_from(app.pid()).unwrap();
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(all.len(), 2);
        for event in &all {
            s.note(&event.name, &context_names(event), Order::Fixed);
            assert_eq!(number(context(event, "vpid")), pid);
            assert_eq!(context(event, "procname"), &Value::Text("emitter".into()));
        }
        assert_eq!(number(context(&all[1], "vtid")), pid);
        daemon.stop();
    });
}

#[test]
fn what_is_refused() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["add-context", "-u", "-t", "vpid"]).fails();
        session(s);
        s.lttng(&["enable-channel", "-u", "a"]).ok();
        s.lttng(&["enable-channel", "-u", "b"]).ok();
        s.lttng(&["add-context", "-u", "-c", "none", "-t", "vpid"]).fails();
        s.lttng(&["add-context", "-u", "-s", "none", "-t", "vpid"]).fails();
        // Twice the same; then together with a new one; then to all channels.
        s.lttng(&["add-context", "-u", "-c", "a", "-t", "vpid"]).ok();
        s.lttng(&["add-context", "-u", "-c", "a", "-t", "vpid"]).fails();
        s.lttng_xml(&["add-context", "-u", "-c", "a", "-t", "vpid"]).fails();
        s.lttng(&["add-context", "-u", "-c", "a", "-t", "vtid", "-t", "vpid", "-t", "vuid"]);
        s.lttng_unordered(&["list", "s"]).ok();
        // Contexts of the kernel only.
        for name in ["pid", "tid", "ppid", "vppid", "prio", "nice", "hostname", "uid", "euid", "preemptible"]
        {
            s.lttng(&["add-context", "-u", "-c", "a", "-t", name]).fails();
        }
        s.lttng(&["add-context", "-u", "-c", "a", "-t", "perf:cpu:page-fault"]).fails();
        s.lttng(&["add-context", "-u", "-c", "a", "-t", "nonsense"]).fails();
        s.lttng(&["add-context", "-k", "-t", "pid"]).fails();
        // Contexts of nothing that is known yet.
        s.lttng(&["add-context", "-u", "-c", "a", "-t", "$app.some:thing"]).ok();
        s.lttng(&["add-context", "-u", "-c", "a", "-t", "$app.some:thing"]).fails();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        daemon.stop();
    });
}

#[test]
fn not_once_the_session_was_started() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        session(s);
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        s.lttng(&["add-context", "-u", "-t", "vpid"]).fails();
        s.lttng_xml(&["add-context", "-u", "-t", "vpid"]).fails();
        s.lttng(&["stop"]).ok();
        s.lttng(&["add-context", "-u", "-t", "vpid"]).fails();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn without_a_channel_the_default_one_is_created() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s);
        s.lttng(&["add-context", "-u", "-t", "vpid"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 3 1");
        let pid = u64::try_from(app.pid()).unwrap();
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(number(context(&all[0], "vpid")), pid);
        // A failure takes the channel away again.
        s.lttng(&["create", "t", "--output", &s.path("again")]).ok();
        s.lttng(&["add-context", "-u", "-t", "hostname"]).fails();
        s.lttng(&["list", "t"]);
        s.lttng(&["add-context", "-u", "-c", "named", "-t", "vpid"]);
        s.lttng(&["list", "t"]);
        daemon.stop();
    });
}

#[test]
fn names_of_counters() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        session(s);
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["add-context", "-u", "-t", "perf:thread:page-fault"]).ok();
        s.lttng(&["add-context", "-u", "-t", "perf:thread:page-fault"]).fails();
        // Another name of the same counter.
        s.lttng(&["add-context", "-u", "-t", "perf:thread:faults"]);
        s.lttng(&["add-context", "-u", "-t", "perf:thread:L1-dcache-loads"]);
        s.lttng(&["add-context", "-u", "-t", "perf:thread:raw:rff:mine"]);
        s.lttng(&["add-context", "-u", "-t", "perf:thread:raw:rff:other"]);
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        daemon.stop();
    });
}

#[test]
fn an_application_that_refuses_a_context_is_recorded_without_it() {
    ours_only("it records no event of such an application", |s| {
        let daemon = Daemon::start(s);
        let trace = session(s);
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        // A raw counter that no processor has.
        s.lttng(&["add-context", "-u", "-t", "vpid", "-t", "perf:thread:raw:rffffffffffff:mine"]).ok();
        s.lttng(&["add-context", "-u", "-t", "vtid"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 2");
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(numbers(&all, "testapp:tick"), [0, 1]);
        assert_eq!(context_names(&all[0]), "cpu_id vpid vtid");
        daemon.stop();
    });
}

#[test]
fn a_software_counter_counts() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s);
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["add-context", "-u", "-t", "perf:thread:page-fault"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 20");
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        s.note("number of events", &all.len().to_string(), Order::Fixed);
        s.note("fields", &all.first().map(context_names).unwrap_or_default(), Order::Fixed);
        let counts: Vec<u64> = all
            .iter()
            .flat_map(|event| &event.context)
            .filter(|(name, _)| name == "perf_thread_page_fault")
            .map(|(_, value)| number(value))
            .collect();
        assert!(counts.is_sorted(), "{counts:?}");
        daemon.stop();
    });
}

#[test]
fn a_context_of_an_application_that_does_not_provide_it() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s);
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["add-context", "-u", "-t", "vpid", "-t", "$app.some:thing", "-t", "$app.other:thing"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 2");
        s.lttng(&["destroy"]).ok();
        let shown = s.run("babeltrace2", &[&trace, "--names=all", "--no-delta"]).ok();
        assert_eq!(shown.stderr, "");
        let fields: Vec<&str> = shown
            .stdout
            .lines()
            .filter_map(|line| line.split_once("_app_some_thing_tag"))
            .map(|parts| parts.1)
            .collect();
        assert_eq!(fields.len(), 2, "{}", shown.stdout);
        s.note("fields", &fields.join("\n"), Order::Fixed);
        daemon.stop();
    });
}
