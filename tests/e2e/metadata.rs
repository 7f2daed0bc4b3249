// SPDX-License-Identifier: GPL-2.0-only
//! The metadata of traces: the same text as the stock daemon's, and the values that the application gave.

use std::fs;
use std::path::{Path, PathBuf};

use crate::contexts::BUILT_IN;
use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::session::{BUFFERS, session};
use crate::support::trace::{Event, events, numbers};
use crate::support::{Sandbox, ours, ours_only, side_by_side};

/// Directories below `path` that hold a metadata file, sorted.
fn trace_dirs(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if path.join("metadata").exists() {
        found.push(path.to_owned());
    }
    for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(trace_dirs(&entry));
        }
    }
    found.sort();
    found
}

/// The metadata text of all traces below `path`, without what differs from run to run.
pub fn text(s: &Sandbox, path: &str) -> String {
    let mut text = String::new();
    for dir in trace_dirs(Path::new(path)) {
        let output = s.run("babeltrace2", &["-o", "ctf-metadata", &dir.to_string_lossy()]).ok();
        // With buffers of each process this is the process.
        let per_process = output.stdout.contains("tracer_buffering_scheme = \"pid\"");
        for line in output.stdout.lines() {
            if !per_process || !line.contains("tracer_buffering_id = ") {
                text.push_str(&format!("{}\n", without_varying(line)));
            }
        }
    }
    assert!(text.contains("/* CTF 1.8 */"), "{text}");
    text
}

/// Keys of the metadata whose value differs from run to run.
const VARYING: &[&str] =
    &["uuid", "offset", "vpid", "creation_datetime", "trace_creation_datetime", "vpid_datetime"];

fn without_varying(line: &str) -> String {
    match line.split_once(" = ") {
        Some((key, value)) if VARYING.contains(&key.trim()) && value.ends_with(';') => format!("{key} = N;"),
        _ => line.to_owned(),
    }
}

/// The blocks of a metadata text in an order that does not depend on which channel got which number.
pub fn blocks(text: &str) -> String {
    let is_number = |line: &&str| line.starts_with("\tid = ") || line.starts_with("\tstream_id = ");
    let mut blocks: Vec<String> = text
        .split("\n\n")
        .map(|block| block.lines().filter(|line| !is_number(line)).collect::<Vec<_>>().join("\n"))
        .collect();
    blocks.sort();
    blocks.join("\n\n")
}

fn lines(events: &[Event]) -> String {
    events.iter().map(Event::line).collect::<Vec<_>>().join("\n")
}

/// Records one run of the program `values` with these buffers and returns the trace's path.
fn record_values(s: &Sandbox, buffers: &str, contexts: &[&str]) -> String {
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    s.lttng(&["enable-channel", "-u", buffers, "c"]).ok();
    s.lttng(&["enable-event", "-u", "-c", "c", "valuesapp:*"]).ok();
    for context in contexts {
        s.lttng(&["add-context", "-u", "-c", "c", "-t", context]).ok();
    }
    s.lttng(&["start"]).ok();
    s.run(&s.program("values").to_string_lossy(), &[]).ok();
    s.lttng(&["destroy"]).ok();
    trace
}

#[test]
fn every_type_of_field() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = record_values(s, buffers, &[]);
            s.note("metadata", &text(s, &trace), Order::Fixed);
            s.note("events", &lines(&events(s, &trace)), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn every_context() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let more = ["$app.some:thing", "perf:thread:page-fault", "perf:thread:cpu-clock", "$app.a_b:c.d"];
            let contexts = [BUILT_IN, &more].concat();
            let trace = record_values(s, buffers, &contexts);
            s.note("metadata", &text(s, &trace), Order::Fixed);
            s.note("events", &lines(&events(s, &trace)), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn names_with_special_characters() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = s.path("trace");
            let (session, channel) = ("a \"quoted\" \\ n\u{e4}me", "c \"h\" {");
            s.lttng(&["create", session, "--output", &trace]).ok();
            s.lttng(&["enable-channel", "-u", buffers, "-s", session, channel]).ok();
            s.lttng(&["enable-event", "-u", "-s", session, "-c", channel, "testapp:tick"]).ok();
            s.lttng(&["start", session]).ok();
            App::start(s).tell("tick 0 2");
            s.lttng(&["list"]).ok();
            s.lttng(&["destroy", "--all"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1]);
            s.note("metadata", &text(s, &trace), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn names_of_processes_with_special_characters() {
    ours_only("it writes them as they are: the trace can't be read", |s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &["--buffers-pid"]);
        s.lttng(&["start"]).ok();
        let names = ["a\"b\\c", "\"\n};\nINJECTED {", "\u{1b}[31m\t\r1", "\u{e9}\u{540d}", "%s%n", "\\"];
        for (number, name) in names.into_iter().enumerate() {
            let mut app = App::start_named(s, name);
            app.tell(&format!("tick {number} 1"));
            app.exit();
        }
        s.lttng(&["destroy"]).ok();
        // (Its usual output has the name of the process in each line.)
        let details = s.run("babeltrace2", &["-c", "sink.text.details", &trace]).ok().stdout;
        assert_eq!(details.matches("Event `testapp:tick`").count(), names.len(), "{details}");
        for name in names {
            assert!(details.contains(&format!("procname: {name}\n")), "{name:?}: {details}");
        }
        daemon.stop();
    });
}

/// babeltrace2 aborts on the contexts of a channel that has no event, if one of them refers to another.
#[test]
fn contexts_of_an_application_without_events() {
    for buffers in BUFFERS {
        ours_only("the trace can't be read", |s| {
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers]);
            s.lttng(&["enable-channel", "-u", buffers, "quiet"]).ok();
            s.lttng(&["enable-event", "-u", "-c", "quiet", "no:such_event"]).ok();
            s.lttng(&["add-context", "-u", "-c", "quiet", "-t", "$app.some:thing"]).ok();
            s.lttng(&["start"]).ok();
            let mut app = App::start(s);
            app.tell("tick 0 3");
            app.exit();
            s.lttng(&["destroy"]).ok();
            assert!(text(s, &trace).contains("lttng_sessiond:none"));
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 2]);
            daemon.stop();
        });
    }
}

#[test]
fn several_channels_and_the_state_dump() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        for channel in ["a", "b", "c"] {
            s.lttng(&["enable-channel", "-u", channel]).ok();
        }
        s.lttng(&["enable-event", "-u", "-c", "b", "testapp:*"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "--all"]).ok();
        s.lttng(&["add-context", "-u", "-c", "a", "-t", "vpid"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 1");
        s.lttng(&["enable-event", "-u", "-c", "a", "otherapp:tick"]).ok();
        app.tell("other 7 1");
        s.lttng(&["destroy"]).ok();
        s.note("metadata", &blocks(&text(s, &trace)), Order::Fixed);
        s.note("events", &lines(&events(s, &trace)), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn the_values_that_the_application_gave() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let all = events(s, &record_values(s, "--buffers-uid", &[]));
        let named = |name: &str| -> Vec<String> {
            all.iter().filter(|event| event.name == name).map(Event::line).collect()
        };
        let integers = named("valuesapp:integers");
        let want: Vec<String> = [0, 1, -1, 127, 128, -32768, 65535, 0x1234_5678, i64::MIN, i64::MAX]
            .map(expected_integers)
            .into();
        assert_eq!(integers, want);
        let lists = named("valuesapp:lists");
        assert_eq!(lists.len(), 4);
        assert_eq!(
            lists[2],
            "valuesapp:lists string=\"text\" array=[258,-2,32767] array_hex=[0x102,0xFFFE] array_net=[513,-257] \
             array_net_hex=[0x201,0xFEFF] array_text=\"text\" _sequence_length=2 sequence=[258,-2] _bytes_length=2 \
             bytes=[116,101] _sequence_hex_length=2 sequence_hex=[0x102,0xFFFE] _sequence_net_length=2 \
             sequence_net=[513,-257] _sequence_net_hex_length=2 sequence_net_hex=[0x201,0xFEFF] \
             _sequence_text_length=2 sequence_text=\"te\""
        );
        let labels = [
            (-128, "below"),
            (-2, "below"),
            (-1, "minus one"),
            (0, "zero"),
            (1, "first auto"),
            (2, "second auto"),
            (10, "a \\\"quoted\\\" \\\\ label"),
            (11, "after ten"),
            (20, "many"),
            (29, "many"),
        ];
        let enums = named("valuesapp:enums");
        assert_eq!(enums.len(), 12);
        for ((value, label), line) in labels.iter().zip(&enums) {
            let want = format!(
                "valuesapp:enums sign=\"{label}\":{value} small_sign=\"{label}\":{value} \
                 size=\"most\":18446744073709551615"
            );
            assert_eq!(line, &want);
        }
        assert!(enums[10].contains("<unknown>") && enums[10].contains(":50"), "{}", enums[10]);
        assert!(enums[11].ends_with("size=\"half\":9223372036854775808"), "{}", enums[11]);
        assert_eq!(numbers(&all, "valuesapp:one_instance"), [1]);
        assert_eq!(numbers(&all, "valuesapp:other_instance"), [2]);
        daemon.stop();
    });
}

/// What the event `integers` of `n` shows.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn expected_integers(n: i64) -> String {
    let (s8, u8, s16, u16) = (n as i8, n as u8, n as i16, n as u16);
    let (s32, u32, u64) = (n as i32, n as u32, n as u64);
    // The program hands over the bytes in its own order.
    let (net_u16, net_s32, net_u64, net_hex) = (u16.to_be(), s32.to_be(), u64.to_be(), u32.to_be());
    format!(
        "valuesapp:integers s8={s8} u8={u8} s16={s16} u16={u16} s32={s32} u32={u32} s64={n} u64={u64} native={n} \
         hex_s8=0x{u8:X} hex_u16=0x{u16:X} hex_u32=0x{u32:X} hex_u64=0x{u64:X} net_u16={net_u16} net_s32={net_s32} \
         net_u64={net_u64} net_hex=0x{net_hex:X} single={} twice={}",
        float(f64::from(n as f32)),
        float(n as f64 / 8.0),
    )
}

/// A number as C's `%g` writes it.
fn float(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let exponent = value.abs().log10().floor() as i32;
    let scaled = format!("{value:.5e}");
    let (mantissa, _) = scaled.split_once('e').unwrap();
    let exponent = scaled.split_once('e').map_or(exponent, |(_, e)| e.parse().unwrap());
    let trim = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    if (-4..6).contains(&exponent) {
        trim(&format!("{value:.*}", usize::try_from(5 - exponent).unwrap()))
    } else {
        format!("{}e{}{:02}", trim(mantissa), if exponent < 0 { '-' } else { '+' }, exponent.abs())
    }
}

#[test]
fn an_event_with_different_fields_in_two_programs() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = s.path("trace");
            s.lttng(&["create", "s", "--output", &trace]).ok();
            s.lttng(&["enable-channel", "-u", buffers, "c"]).ok();
            s.lttng(&["enable-event", "-u", "-c", "c", "clashapp:event"]).ok();
            s.lttng(&["start"]).ok();
            let mut number = App::start_program(s, "clash-number", &[]);
            let mut text_app = App::start_program(s, "clash-text", &[]);
            for _ in 0..2 {
                number.tell("now");
                text_app.tell("now");
            }
            s.lttng_unordered(&["list", "-u"]).ok();
            s.lttng_unordered(&["list", "-u", "--fields"]).ok();
            s.lttng(&["destroy"]).ok();
            let got = events(s, &trace);
            let numeric = "clashapp:event kind=\"number\":1 value=42";
            let textual = "clashapp:event kind=\"text\":1 value=\"forty-two\"";
            assert_eq!(lines(&got), [numeric, textual, numeric, textual].join("\n"));
            s.note("metadata", &text(s, &trace), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn a_library_that_comes_and_goes() {
    side_by_side(|s| load_and_unload(s, "--buffers-uid"));
    ours_only("it loses the events of a provider that comes back", |s| load_and_unload(s, "--buffers-pid"));
}

fn load_and_unload(s: &Sandbox, buffers: &str) {
    let daemon = Daemon::start(s);
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    s.lttng(&["enable-channel", "-u", buffers, "c"]).ok();
    s.lttng(&["enable-event", "-u", "-c", "c", "libraryapp:tick"]).ok();
    s.lttng(&["start"]).ok();
    let library = s.program("library.so");
    let mut app = App::start_program(s, "loader", &[&library.to_string_lossy()]);
    assert_eq!(app.ask("emit 0 1"), "not loaded");
    for round in 0..5 {
        app.tell("load");
        app.tell(&format!("emit {} 2", round * 10));
        s.run("lttng", &["list", "-u"]).ok();
        app.tell("unload");
    }
    app.tell("load");
    app.tell("emit 100 2");
    s.lttng_unordered(&["list", "-u"]).ok();
    app.tell("unload");
    s.lttng_unordered(&["list", "-u"]).ok();
    app.exit();
    s.lttng(&["destroy"]).ok();
    assert_eq!(
        numbers(&events(s, &trace), "libraryapp:tick"),
        [0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 100, 101]
    );
    s.note("metadata", &text(s, &trace), Order::Fixed);
    daemon.stop();
}
