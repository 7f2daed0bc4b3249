// SPDX-License-Identifier: GPL-2.0-only
//! Event rules: patterns, log levels, exclusions, rules that differ in one attribute only, switching them off and on.

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::trace::events;
use crate::support::{Sandbox, ours_only, side_by_side};

/// Every log level of user space, from the most to the least severe.
const LEVELS: [&str; 15] = [
    "EMERG",
    "ALERT",
    "CRIT",
    "ERR",
    "WARNING",
    "NOTICE",
    "INFO",
    "DEBUG_SYSTEM",
    "DEBUG_PROGRAM",
    "DEBUG_PROCESS",
    "DEBUG_MODULE",
    "DEBUG_UNIT",
    "DEBUG_FUNCTION",
    "DEBUG_LINE",
    "DEBUG",
];

/// Emits one event of each kind: tick (DEBUG_LINE), note (INFO), alarm (ALERT), and the other provider's.
fn one_of_each(app: &mut App, n: i32) {
    for event in ["tick", "note", "alarm", "other"] {
        app.tell(&format!("{event} {n} 1"));
    }
}

/// What is in a trace: `EVENT:N`, sorted.
fn recorded(s: &Sandbox, trace: &str) -> String {
    let mut all: Vec<String> = events(s, trace)
        .iter()
        .map(|event| {
            format!("{}:{}", event.name.replace("otherapp:tick", "other").replace("testapp:", ""), event.n())
        })
        .collect();
    all.sort();
    all.join(" ")
}

/// Records one round of events with each of these rules, in sessions of their own.
fn with_each(s: &Sandbox, cases: &[(&[&str], &str)]) {
    let daemon = Daemon::start(s);
    let mut early = App::start(s);
    // A rule that lets one event through, so that there always is a trace.
    for (number, (rule, _)) in cases.iter().enumerate() {
        let name = format!("s{number}");
        s.lttng(&["create", &name, "--output", &s.path(&name)]).ok();
        s.lttng(&["enable-channel", "-u", "--subbuf-size=4k", "c"]).ok();
        s.lttng(&[&["enable-event", "-u", "-c", "c"], *rule].concat());
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:full"]).ok();
        s.lttng(&["start"]).ok();
    }
    let mut late = App::start(s);
    one_of_each(&mut early, 1);
    one_of_each(&mut late, 2);
    for (number, (rule, want)) in cases.iter().enumerate() {
        let name = format!("s{number}");
        if !(s.which() == crate::support::Which::Stock && rule.contains(&"--exclude")) {
            s.run("lttng", &["list", &name]).ok();
        }
        s.run("lttng", &["stop", &name]).ok();
        let want: Vec<String> =
            (1..3).flat_map(|n| want.split_whitespace().map(move |event| format!("{event}:{n}"))).collect();
        let mut want = want;
        want.sort();
        assert_eq!(recorded(s, &s.path(&name)), want.join(" "), "{rule:?}");
    }
    daemon.stop();
}

#[test]
fn patterns() {
    side_by_side(|s| {
        with_each(
            s,
            &[
                (&["testapp:tick"], "tick"),
                (&["testapp:t*"], "tick"),
                (&["*k"], "tick other"),
                (&["*app:*"], "tick note alarm other"),
                (&["t*p:*o*e"], "note"),
                (&["testapp:*t*"], "tick note"),
                (&["testapp:tick*"], "tick"),
                (&["*testapp:tick"], "tick"),
                (&["testapp:**"], "tick note alarm"),
                (&["**"], "tick note alarm other"),
                (&["testapp:\\*"], ""),
                (&["test\\app:tick"], ""),
                (&["testapp:t?ck"], ""),
                (&["testapp:[t]ick"], ""),
                (&["TESTAPP:tick"], ""),
                (&["testapp"], ""),
                (&["testapp:"], ""),
                (&[":tick"], ""),
                (&["*:*:*"], ""),
                (&["testapp:tick,testapp:note"], "tick note"),
            ],
        );
    });
}

#[test]
fn log_levels() {
    side_by_side(|s| {
        with_each(
            s,
            &[
                (&["*", "--loglevel=EMERG"], ""),
                (&["*", "--loglevel=ALERT"], "alarm"),
                (&["*", "--loglevel=NOTICE"], "alarm"),
                (&["*", "--loglevel=INFO"], "alarm note"),
                (&["*", "--loglevel=DEBUG_FUNCTION"], "alarm note"),
                (&["*", "--loglevel=DEBUG_LINE"], "alarm note tick other"),
                (&["*", "--loglevel=DEBUG"], "alarm note tick other"),
                (&["*", "--loglevel-only=ALERT"], "alarm"),
                (&["*", "--loglevel-only=DEBUG_LINE"], "tick other"),
                (&["*", "--loglevel-only=DEBUG"], ""),
                (&["testapp:tick", "--loglevel=INFO"], ""),
                (&["testapp:note", "--loglevel-only=INFO"], "note"),
                (&["--all", "--loglevel=INFO"], "alarm note"),
                (&["--all", "--loglevel-only=INFO", "--filter=n < 3"], "note"),
            ],
        );
    });
}

#[test]
fn names_of_log_levels() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        for level in LEVELS {
            s.lttng(&["enable-event", "-u", "-c", "c", &format!("range:{level}"), "--loglevel", level]).ok();
            s.lttng(&["enable-event", "-u", "-c", "c", "same", "--loglevel-only", level]).ok();
            s.lttng_xml(&["enable-event", "-u", "-c", "c", "same:xml", "--loglevel", level]).ok();
        }
        for level in
            ["TRACE_INFO", "info", "6", "14", "15", "-1", "", "INFO.", "INFO..ERR", "..INFO", "INFO.."]
        {
            s.lttng(&["enable-event", "-u", "-c", "c", "odd", "--loglevel", level]);
            s.lttng(&["enable-event", "-u", "-c", "c", "odd-only", "--loglevel-only", level]);
        }
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        daemon.stop();
    });
}

#[test]
fn names_of_every_length() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        for length in [1, 250, 254, 255, 256, 300] {
            let name = "x".repeat(length);
            // Longer ones than this can't be recorded.
            if !(250..255).contains(&length) {
                s.lttng(&["enable-channel", "-u", "--subbuf-size=4k", &name]);
            }
            s.lttng(&["enable-event", "-u", "-c", "c", &name]);
            s.lttng_unordered(&["list", "s"]);
            s.lttng(&["disable-event", "-u", "-c", "c", &name]);
            s.lttng(&["disable-channel", "-u", &name]);
        }
        for name in ["a\\*b", "a:b\\*\\*c**", "end\\", "***", "*"] {
            s.lttng(&["enable-event", "-u", "-c", "c", name]);
        }
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        daemon.stop();
    });
}

#[test]
fn exclusions() {
    side_by_side(|s| {
        with_each(
            s,
            &[
                (&["testapp:*", "--exclude", "testapp:tick"], "note alarm"),
                (&["*", "--exclude", "testapp:*"], "other"),
                (&["*", "--exclude", "*:t*"], "note alarm"),
                (&["testapp:*", "--exclude", "testapp:tick,testapp:alarm"], "note"),
                (&["testapp:*", "--exclude", "*"], ""),
                (&["testapp:*", "--exclude", "otherapp:tick"], "tick note alarm"),
                (&["--all", "--exclude", "otherapp:*,testapp:n*e"], "tick alarm"),
                (&["testapp:*", "--exclude", "testapp:tick", "--loglevel", "INFO"], "note alarm"),
                (&["testapp:*", "--exclude", "testapp:note", "--filter", "n < 3"], "tick alarm"),
            ],
        );
    });
}

#[test]
fn exclusions_are_listed() {
    ours_only("it aborts when it lists a rule with exclusions", |s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&[
            "enable-event",
            "-u",
            "a:*",
            "--exclude",
            "a:b,a:c*",
            "--filter",
            "n > 1",
            "--loglevel",
            "INFO",
        ])
        .ok();
        let text = s.lttng(&["list", "s"]).ok().stdout;
        assert!(text.contains("[exclusions: a:b,a:c*] [filter: 'n > 1']"), "{text}");
        let document = s.lttng_xml(&["list", "s"]).ok().stdout;
        let document = crate::support::xml::parse(&document).unwrap();
        assert_eq!(document.texts_below("exclusions"), ["a:b", "a:c*"]);
        assert_eq!(document.texts("filter_expression"), ["n &gt; 1"]);
        daemon.stop();
    });
}

#[test]
fn rules_that_differ_in_one_attribute_are_rules_of_their_own() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        for rule in [
            &["testapp:tick", "--filter=n == 1"][..],
            &["testapp:tick", "--filter=n == 2"],
            &["testapp:tick", "--filter=n==2"],
            &["testapp:tick", "--loglevel=INFO"],
            &["testapp:tick", "--loglevel-only=INFO"],
            &["testapp:tick", "--loglevel=INFO", "--filter=n == 3"],
            &["testapp:tick", "--loglevel=DEBUG_LINE", "--filter=n == 3"],
            &["testapp:tick", "--loglevel-only=DEBUG_LINE", "--filter=n == 4"],
        ] {
            s.lttng(&[&["enable-event", "-u", "-c", "c"], rule].concat());
            s.lttng(&[&["enable-event", "-u", "-c", "c"], rule].concat());
        }
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 0 8");
        // One without a condition, while the session is active; all of them match some events twice.
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        app.tell("tick 0 8");
        App::start(s).tell("tick 10 2");
        s.lttng_unordered(&["list", "s"]).ok();
        // By name: all of them.
        s.lttng(&["disable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        app.tell("tick 20 2");
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick", "--filter=n == 2"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        app.tell("tick 0 8");
        s.lttng(&["destroy"]).ok();
        let all: Vec<i64> = events(s, &trace).iter().map(crate::support::trace::Event::n).collect();
        assert_eq!(all, [1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 2]);
        daemon.stop();
    });
}

#[test]
fn switched_off_and_on_while_recording() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick,testapp:note,otherapp:*"]).ok();
        s.lttng(&["start"]).ok();
        one_of_each(&mut app, 0);
        for (round, command) in (1..).zip([
            &["disable-event", "-u", "-c", "c", "testapp:tick,otherapp:*"][..],
            &["disable-event", "-u", "-c", "c", "testapp:tick"],
            &["disable-event", "-u", "-c", "c", "otherapp:tick"],
            &["enable-event", "-u", "-c", "c", "testapp:tick"],
            &["disable-event", "-u", "-c", "c", "-a"],
            &["disable-event", "-u", "-c", "c", "--all-events"],
            &["enable-event", "-u", "-c", "c", "--all"],
            &["disable-event", "-u", "-c", "c", "*"],
            &["disable-event", "-u", "-c", "c", "*"],
            &["enable-event", "-u", "-c", "c", "testapp:alarm", "--tracepoint"],
            &["disable-event", "-u", "-c", "c", "--tracepoint", "testapp:alarm"],
            &["disable-event", "-u", "-c", "c", "--tracepoint", "-a"],
            &["disable-event", "-u", "-c", "c", "--syscall", "-a"],
            &["disable-event", "-u", "-c", "c", "--probe", "testapp:note"],
            &["enable-event", "-u", "-c", "c", "--probe=foo", "testapp:note"],
            &["enable-event", "-u", "-c", "c", "--syscall", "open"],
            &["disable-event", "-u", "-c", "none", "-a"],
            &["disable-event", "-u", "-s", "none", "-a"],
        ]) {
            s.lttng(command);
            s.lttng_unordered(&["list", "s"]).ok();
            one_of_each(&mut app, round);
        }
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        let got = recorded(s, &trace);
        s.note("events", &got, Order::Fixed);
        // The stock command cannot name the type: the last of the rules stays on.
        let alarms = (10..19).map(|n| format!("alarm:{n} ")).collect::<String>();
        assert_eq!(
            got,
            alarms + "alarm:7 note:0 note:1 note:2 note:3 note:4 note:7 other:0 other:7 tick:0 tick:4 tick:7"
        );
        daemon.stop();
    });
}

#[test]
fn a_rule_reaches_applications_at_any_time() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        let mut early = App::start(s);
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["start"]).ok();
        let mut middle = App::start(s);
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:*", "--filter", "n < 2"]).ok();
        let mut late = App::start(s);
        for app in [&mut early, &mut middle, &mut late] {
            app.tell("tick 0 3");
        }
        s.lttng(&["stop"]).ok();
        // While the session is stopped, too.
        s.lttng(&["enable-event", "-u", "-c", "c", "otherapp:tick"]).ok();
        s.lttng(&["disable-event", "-u", "-c", "c", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        for app in [&mut early, &mut middle, &mut late] {
            eventually("the rule is off", || app.ask("enabled tick") == "no");
            app.tell("tick 0 1");
            app.tell("other 7 1");
        }
        s.lttng(&["destroy"]).ok();
        assert_eq!(recorded(s, &trace), "other:7 other:7 other:7 tick:0 tick:0 tick:0 tick:1 tick:1 tick:1");
        daemon.stop();
    });
}
