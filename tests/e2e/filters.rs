// SPDX-License-Identifier: GPL-2.0-only
//! Filter expressions: every operator on every kind of field, each in a channel of its own, so that one recording
//! shows what all of them let through.

use std::fs;
use std::path::Path;

use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::trace::{Value, events};
use crate::support::{Sandbox, side_by_side};

/// Applies each filter to `testapp:full` of `n` from 0 to 19 and returns which of them each one lets through.
/// What the command says of a filter is recorded; one that is refused lets nothing through.
fn select(s: &Sandbox, filters: &[&str]) -> Vec<Vec<i64>> {
    let daemon = Daemon::start(s);
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    for (number, filter) in filters.iter().enumerate() {
        let channel = channel_name(number);
        s.lttng(&["enable-channel", "-u", "--subbuf-size=4k", "--num-subbuf=4", &channel]).ok();
        s.lttng(&["enable-event", "-u", "-c", &channel, "testapp:full", "--filter", filter]);
    }
    s.lttng_unordered(&["list", "s"]).ok();
    s.lttng(&["start"]).ok();
    let mut app = App::start(s);
    app.tell("full 0 20");
    s.lttng(&["destroy"]).ok();
    let let_through = (0..filters.len()).map(|number| recorded(s, &trace, &channel_name(number))).collect();
    daemon.stop();
    let_through
}

fn channel_name(number: usize) -> String {
    format!("ch{number:02}")
}

/// The numbers of the events in one channel: its files are read in a directory of their own.
fn recorded(s: &Sandbox, trace: &str, channel: &str) -> Vec<i64> {
    let from = Path::new(trace).join("ust/uid").join(uid(trace)).join("64-bit");
    let alone = s.path(&format!("alone-{channel}"));
    fs::create_dir(&alone).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "metadata" || name.starts_with(channel) {
            fs::copy(entry.path(), Path::new(&alone).join(name)).unwrap();
        }
    }
    let number = |event: &crate::support::trace::Event| match event.field("small") {
        Some(Value::Number(number)) => number.parse().unwrap(),
        other => panic!("{other:?}"),
    };
    events(s, &alone).iter().map(number).collect()
}

/// The only user whose buffers a trace has.
fn uid(trace: &str) -> String {
    let mut users = fs::read_dir(Path::new(trace).join("ust/uid")).unwrap();
    users.next().unwrap().unwrap().file_name().to_string_lossy().into_owned()
}

/// Runs the filters on both daemons; what they select is as given.
fn check(cases: &[(&str, &[i64])]) {
    side_by_side(|s| {
        let filters: Vec<&str> = cases.iter().map(|(filter, _)| *filter).collect();
        let got = select(s, &filters);
        let differ: Vec<String> = cases
            .iter()
            .zip(&got)
            .filter(|((_, want), got)| got != want)
            .map(|((filter, want), got)| format!("{filter}: {got:?}, not {want:?}"))
            .collect();
        assert!(differ.is_empty(), "{}", differ.join("\n"));
    });
}

#[test]
fn numbers() {
    let all: Vec<i64> = (0..20).collect();
    check(&[
        ("small == 3", &[3]),
        ("small != 3 && small < 6", &[0, 1, 2, 4, 5]),
        ("small < 2", &[0, 1]),
        ("small <= 2", &[0, 1, 2]),
        ("small > 17", &[18, 19]),
        ("small >= 17", &[17, 18, 19]),
        ("3 > small", &[0, 1, 2]),
        ("small == 1 || small == 2 && small == 3", &[1]),
        ("(small == 1 || small == 2) && small != 1", &[2]),
        ("!(small > 1)", &[0, 1]),
        ("!small", &[0]),
        ("small", &all[1..]),
        ("negative == -4", &[4]),
        ("-negative == 4", &[4]),
        ("negative > -2", &[0, 1]),
        ("small == 0x0a || small == 013", &[10, 11]),
        ("hex == 0xabc5", &[5]),
        ("big == 0xffffffffffffffff", &[0]),
        ("half == 2.5", &[5]),
        ("half > 9 && quarter < 4.75", &[]),
        ("half > 8.5 && quarter <= 4.75", &[18, 19]),
        ("half == small", &[0]),
        ("small == small", &all),
        ("1 == 1", &all),
        ("small & 16", &[16, 17, 18, 19]),
        ("(small & 3) == 3 && small < 8", &[3, 7]),
        ("(small | 1) == 5", &[4, 5]),
        ("(small ^ 6) == 1", &[7]),
        ("(small << 2) == 12", &[3]),
        ("(small >> 2) == 4", &[16, 17, 18, 19]),
        ("~small == 0xfffffffffffffffc", &[3]),
        ("+small == 5", &[5]),
    ]);
}

#[test]
fn texts_lists_and_enumerations() {
    let all: Vec<i64> = (0..20).collect();
    check(&[
        // The client's parser knows no escapes but those of the tracer's patterns.
        ("text == \"\\x74ext 7*\"", &[]),
        ("text == \"text 7*\"", &[7]),
        ("text == \"*7 *\"", &[7, 17]),
        ("text == \"*\"", &all),
        ("text != \"text 1*\"", &[0, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("text == \"text 7 \\\\\"", &[]),
        ("text == \"text 7 \\*quoted*\"", &[]),
        ("text == \"text\"", &[]),
        ("\"text 8*\" == text", &[8]),
        ("letters == \"abcd\" && small < 2", &[0, 1]),
        ("letters == \"ab*\" && small < 2", &[0, 1]),
        ("letters == \"abcdef\"", &[]),
        ("pair[0] == 6", &[6]),
        ("pair[1] == 6", &[5]),
        ("numbers[0] == 6", &[6]),
        ("numbers[2] == 6", &[4]),
        ("pair[0] == 3 || numbers[1] == 8", &[3, 7]),
        ("shade == 1", &[1, 11]),
        ("shade > 7", &[8, 9, 18, 19]),
    ]);
}

#[test]
fn contexts() {
    let all: Vec<i64> = (0..20).collect();
    check(&[
        ("$ctx.procname == \"emitter\" && small == 4", &[4]),
        ("$ctx.procname == \"emi*\" && small == 4", &[4]),
        ("$ctx.procname != \"emitter\"", &[]),
        ("$ctx.vpid > 1 && $ctx.vtid == $ctx.vpid", &all),
        ("$ctx.cpu_id >= 0 && small > 18", &[19]),
        ("$ctx.vuid == 0 || $ctx.veuid != 0 || $ctx.vsgid >= 0", &all),
        ("$ctx.pid_ns > 0 && $ctx.uts_ns != 0 && small == 2", &[2]),
        ("$ctx.pthread_id != 0 && small == 2", &[2]),
        // It has a value in events only.
        ("$ctx.ip != 0", &[]),
        ("$ctx.unknown == 1", &[]),
        ("$ctx.perf_thread_page_fault == 1", &[]),
        ("$app.none:such == 1", &[]),
        ("$app.none:such == \"x\" || small == 1", &[]),
    ]);
}

#[test]
fn what_cannot_be_linked_records_nothing() {
    check(&[
        ("unknown == 1", &[]),
        ("unknown == 1 || small == 1", &[]),
        ("text == 1", &[]),
        ("small == \"1\"", &[]),
        ("pair == 1", &[]),
        ("pair[2] == 1", &[]),
        ("pair[100000] == 1", &[]),
        ("text[0] == 116", &[]),
        ("small[0] == 1", &[]),
        ("small.x == 1", &[]),
        ("half & 1", &[]),
        ("shade == \"RED\"", &[]),
        ("small", &(1..20).collect::<Vec<i64>>()),
    ]);
}

#[test]
fn what_is_refused() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        for filter in [
            "",
            " ",
            "=",
            "a ==",
            "a == ==",
            "a + 1 == 2",
            "a * 2 == 2",
            "a / 2",
            "a % 2 == 0",
            "a == 'x'",
            "(a",
            "a)",
            "\"x\"",
            "\"a*b\"",
            "\"a\" == \"a\"",
            "\"a*\" == \"b*\"",
            "a == \"unterminated",
            "a[",
            "a[b] == 1",
            "a[-1] == 1",
            "$ctx",
            "$ctx. == 1",
            "$foo.bar == 1",
            "$app.x == 1",
            "a < \"b\"",
            "a > \"b*\"",
            "a && \"b\"",
            "!\"b\"",
            "-\"b\"",
            "a = 1",
            "a === 1",
            "a -> b",
            "a.b.c == 1",
            "a == 1;",
            "a == 1 b",
            "a & \"b\"",
            "1.5 & 2",
            "a & 1.5",
            "a == 1e3",
            "a == 99999999999999999999",
            "a == 0x",
            "a == \"\\x\"",
            "a == \"\\n\"",
            "caf\u{e9} == 1",
            "a == \"caf\u{e9}\"",
            "sizeof(a) == 1",
            "a ? b : c",
            "a << -1",
            "a == -0",
            "a == \"a \\\"quoted\\\" text\"",
        ] {
            s.lttng(&["enable-event", "-u", "-c", "c", "a:b", "--filter", filter]);
        }
        let long = |length: usize| format!("a == \"{}\"", "x".repeat(length));
        s.lttng(&["enable-event", "-u", "-c", "c", "a:l", "--filter", &long(1000)]);
        s.lttng(&["enable-event", "-u", "-c", "c", "a:l", "--filter", &long(70_000)]);
        let many = (0..100).map(|n| format!("a == {n}")).collect::<Vec<_>>().join(" || ");
        s.lttng(&["enable-event", "-u", "-c", "c", "a:m", "--filter", &many]);
        let deep = format!("{}a{}", "(".repeat(50), ")".repeat(50));
        s.lttng(&["enable-event", "-u", "-c", "c", "a:d", "--filter", &deep]);
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        daemon.stop();
    });
}
