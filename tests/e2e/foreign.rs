// SPDX-License-Identifier: GPL-2.0-only
//! Applications of another kind than the daemon: 32-bit ones with a 32-bit consumer daemon, and ones linked with
//! LTTng-UST 2.12, which speak the older protocol (ABI 8).

use crate::contexts::BUILT_IN;
use crate::metadata;
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::foreign::Foreign;
use crate::support::normalise::Order;
use crate::support::session::BUFFERS;
use crate::support::trace::{Event, all_events, events, numbers};
use crate::support::{Sandbox, ours_only, side_by_side, version};

/// Both ways of sharing buffers.
/// Starts the daemon with the consumer daemon that such applications need.
fn start_with_consumer(s: &Sandbox, foreign: &Foreign) -> Daemon {
    let options = foreign.consumer_options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Daemon::start_with(s, &[&["--no-kernel"], &*options].concat())
}

/// Creates session `s` with a channel that takes all events of the test applications, and starts it.
fn record(s: &Sandbox, buffers: &str, contexts: &[&str]) -> String {
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    s.lttng(&["enable-channel", "-u", buffers, "c"]).ok();
    for rule in ["testapp:*", "otherapp:*", "valuesapp:*"] {
        s.lttng(&["enable-event", "-u", "-c", "c", rule]).ok();
    }
    for context in contexts {
        s.lttng(&["add-context", "-u", "-c", "c", "-t", context]).ok();
    }
    s.lttng(&["start"]).ok();
    trace
}

fn lines(events: &[Event]) -> String {
    events.iter().map(Event::line).collect::<Vec<_>>().join("\n")
}

/// Records what is in the trace: files, metadata, events. Returns metadata text and events.
fn note_trace(s: &Sandbox, trace: &str) -> (String, Vec<Event>) {
    let found = s.run("find", &[trace, "-type", "d", "-printf", "%P\n"]).ok();
    let mut folders: Vec<String> = found.stdout.lines().map(without_process).collect();
    folders.sort_unstable();
    s.note("folders", &folders.join("\n"), Order::Fixed);
    let text = metadata::text(s, trace);
    // Which of several channels' or applications' blocks comes first is not defined.
    s.note("metadata", &metadata::blocks(&text), Order::Fixed);
    let events = events(s, trace);
    s.note("events", &lines(&events), Order::Fixed);
    (text, events)
}

/// A folder of the trace, `pid/NAME-PID-DATE` without number and date.
fn without_process(folder: &str) -> String {
    let parts = folder.split('/').map(|part| {
        let pieces: Vec<&str> = part.split('-').collect();
        match pieces.as_slice() {
            [name @ .., pid, date, _] if date.len() == 8 && !pid.is_empty() => {
                format!("{}-PID-DATE", name.join("-"))
            }
            _ => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Runs the emitter through every kind of event.
fn emit_everything(app: &mut App) {
    app.tell("tick 0 100");
    app.tell("full 0 20");
    app.tell("empty 3");
    app.tell("alarm 7 1");
    app.tell("other 8 2");
}

/// Has one foreign program after the other recorded and listed, and notes everything.
fn record_and_list(s: &Sandbox, foreign: &Foreign, buffers: &str) -> (String, Vec<Event>) {
    let trace = record(s, buffers, &[]);
    let mut app = App::start_foreign(s, foreign, "emitter");
    emit_everything(&mut app);
    s.lttng_unordered(&["list", "-u"]).ok();
    s.lttng_unordered(&["list", "-u", "--fields"]).ok();
    s.lttng_xml(&["list", "-u", "--fields"]).ok();
    app.exit();
    s.run(&s.foreign_program(foreign, "values").to_string_lossy(), &[]).ok();
    s.lttng_unordered(&["list", "s"]).ok();
    s.lttng(&["destroy"]).ok();
    note_trace(s, &trace)
}

#[test]
fn a_32_bit_application_is_recorded() {
    let Some(foreign) = Foreign::bits_32() else { return };
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = start_with_consumer(s, &foreign);
            let (text, events) = record_and_list(s, &foreign, buffers);
            assert!(text.contains("architecture_bit_width = 32;"), "{text}");
            assert!(!text.contains("architecture_bit_width = 64;"), "{text}");
            assert_eq!(numbers(&events, "testapp:tick"), Vec::from_iter(0..100));
            daemon.stop();
        });
    }
}

#[test]
fn applications_of_both_word_sizes_in_one_session() {
    let Some(foreign) = Foreign::bits_32() else { return };
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = start_with_consumer(s, &foreign);
            let mut early = App::start_foreign(s, &foreign, "emitter");
            let trace = record(s, buffers, &["vpid", "procname"]);
            let mut wide = App::start(s);
            let mut narrow = App::start_foreign(s, &foreign, "emitter");
            let mut apps = [&mut early, &mut wide, &mut narrow];
            for (number, app) in (0..).zip(&mut apps) {
                app.tell(&format!("tick {} 10", number * 100));
                app.tell(&format!("full {} 5", number * 100));
            }
            s.lttng_unordered(&["list", "-u"]).ok();
            s.lttng(&["disable-event", "-u", "-c", "c", "testapp:*"]).ok();
            apps.iter_mut().for_each(|app| app.tell("tick 500 10"));
            s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick", "--filter=n & 1"]).ok();
            for (number, app) in (0..).zip(&mut apps) {
                app.tell(&format!("tick {} 10", number * 100 + 20));
            }
            s.lttng(&["stop"]).ok();
            apps.iter_mut().for_each(|app| app.tell("tick 600 10"));
            s.lttng(&["start"]).ok();
            for (number, app) in (0..).zip(&mut apps) {
                app.tell(&format!("tick {} 10", number * 100 + 40));
            }
            s.lttng(&["destroy"]).ok();
            let (text, events) = note_trace(s, &trace);
            for bits in [32, 64] {
                assert!(text.contains(&format!("architecture_bit_width = {bits};")), "{text}");
            }
            let every_second = |first: i64| (first + 1..first + 10).step_by(2);
            let of_app = |app: i64| {
                let first = app * 100;
                (first..first + 10).chain(every_second(first + 20)).chain(every_second(first + 40))
            };
            let mut got = numbers(&events, "testapp:tick");
            got.sort_unstable();
            assert_eq!(got, Vec::from_iter((0..3).flat_map(of_app)));
            daemon.stop();
        });
    }
}

#[test]
fn contexts_of_a_32_bit_application() {
    let Some(foreign) = Foreign::bits_32() else { return };
    side_by_side(|s| {
        let daemon = start_with_consumer(s, &foreign);
        let contexts = [BUILT_IN, &["$app.some:thing"]].concat();
        let trace = record(s, "--buffers-uid", &contexts);
        s.run(&s.foreign_program(&foreign, "values").to_string_lossy(), &[]).ok();
        s.lttng(&["destroy"]).ok();
        note_trace(s, &trace);
        daemon.stop();
    });
}

#[test]
fn a_32_bit_application_without_its_consumer_daemon_is_listed() {
    let Some(foreign) = Foreign::bits_32() else { return };
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let app = App::start_foreign(s, &foreign, "emitter");
        s.lttng_unordered(&["list", "-u"]).ok();
        s.lttng_unordered(&["list", "-u", "--fields"]).ok();
        app.exit();
        daemon.stop();
    });
}

#[test]
fn a_32_bit_application_without_its_consumer_daemon_disturbs_no_other() {
    let Some(foreign) = Foreign::bits_32() else { return };
    let why = "its `start`, `enable-event` and `destroy` fail when one such application is there";
    for buffers in BUFFERS {
        ours_only(why, |s| {
            let daemon = Daemon::start(s);
            let mut narrow = App::start_foreign(s, &foreign, "emitter");
            let mut wide = App::start(s);
            let trace = record(s, buffers, &[]);
            let mut late = App::start_foreign(s, &foreign, "emitter");
            narrow.tell("tick 0 5");
            late.tell("tick 0 5");
            wide.tell("tick 10 5");
            s.lttng(&["enable-event", "-u", "-c", "c", "some:thing"]).ok();
            s.lttng(&["stop"]).ok();
            s.lttng(&["start"]).ok();
            narrow.tell("tick 0 5");
            wide.tell("tick 15 5");
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), Vec::from_iter(10..20));
            let log = std::fs::read_to_string(s.path("daemon.log")).unwrap();
            let said = "can't be recorded: there is no 32-bit user space consumer daemon";
            assert_eq!(log.matches(said).count(), 2, "{log}");
            daemon.stop();
        });
    }
}

#[test]
fn a_32_bit_consumer_daemon_that_cannot_be_started() {
    let Some(foreign) = Foreign::bits_32() else { return };
    ours_only("it waits for the consumer daemon for ever", |s| {
        let daemon = Daemon::start_with(s, &["--no-kernel", "--consumerd32-path=/bin/false"]);
        let app = App::start_foreign(s, &foreign, "emitter");
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).fails();
        s.lttng(&["enable-event", "-u", "testapp:*"]).fails();
        assert!(s.lttng(&["list", "-u"]).ok().stdout.contains("testapp:tick"));
        s.lttng(&["destroy"]).ok();
        app.exit();
        daemon.stop();
    });
}

#[test]
fn the_32_bit_consumer_daemon_may_be_given_by_the_environment() {
    let Some(foreign) = Foreign::bits_32() else { return };
    side_by_side(|s| {
        let [path, libraries] = foreign.consumer_paths();
        let environment: [(&str, &str); 2] =
            [("LTTNG_CONSUMERD32_BIN", &path), ("LTTNG_CONSUMERD32_LIBDIR", &libraries)];
        let mut daemon = Daemon::launch(s, &environment, &["--no-kernel"]);
        daemon.expect("ready");
        let trace = record(s, "--buffers-uid", &[]);
        App::start_foreign(s, &foreign, "emitter").tell("tick 0 5");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 2, 3, 4]);
        daemon.stop();
    });
}

#[test]
fn the_32_bit_consumer_daemon_dies() {
    let Some(foreign) = Foreign::bits_32() else { return };
    side_by_side(|s| {
        let daemon = start_with_consumer(s, &foreign);
        let trace = record(s, "--buffers-uid", &[]);
        let mut narrow = App::start_foreign(s, &foreign, "emitter");
        let mut wide = App::start(s);
        narrow.tell("tick 0 5");
        wide.tell("tick 10 5");
        assert_eq!(s.processes("ld-linux").len(), 1);
        s.kill_all("ld-linux");
        wide.tell("tick 15 5");
        narrow.tell("tick 5 5");
        s.lttng(&["stop"]).ok();
        // The trace was not brought to its end.
        s.lttng(&["destroy"]).fails();
        let wide = format!("{trace}/ust/uid/0/64-bit");
        assert_eq!(numbers(&events(s, &wide), "testapp:tick"), Vec::from_iter(10..20));
        daemon.stop();
    });
}

#[test]
fn the_next_32_bit_consumer_daemon() {
    let Some(foreign) = Foreign::bits_32() else { return };
    ours_only("no session records any more", |s| {
        let daemon = start_with_consumer(s, &foreign);
        let mut narrow = App::start_foreign(s, &foreign, "emitter");
        let mut wide = App::start(s);
        let trace = record(s, "--buffers-uid", &[]);
        s.kill_all("ld-linux");
        narrow.tell("tick 0 5");
        s.lttng(&["destroy"]).fails();
        let other = s.path("other");
        assert_ne!(trace, other);
        s.lttng(&["create", "t", "--output", &other]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        narrow.tell("tick 5 5");
        wide.tell("tick 10 5");
        s.lttng(&["destroy"]).ok();
        let mut recorded = numbers(&events(s, &other), "testapp:tick");
        recorded.sort_unstable();
        assert_eq!(recorded, Vec::from_iter(5..15));
        daemon.stop();
    });
}

/// What daemon and application do together beside the recording of events.
fn rules_regeneration_and_trackers(s: &Sandbox, foreign: &Foreign) {
    let daemon = start_with_consumer(s, foreign);
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace, "--shm-path", &s.path("shm")]).ok();
    for (rule, options) in [
        ("lttng_ust_statedump:*", "--loglevel=DEBUG_LINE"),
        ("testapp:tick", "--filter=n > 2 && n < 6"),
        ("testapp:full", "--filter=text == \"text 3*\" && big > 0 && half == 1.5"),
        ("testapp:*", "--exclude=testapp:t*,testapp:full"),
        ("valuesapp:integers", "--filter=native < 0 || hex_u64 == 127"),
        ("valuesapp:lists", "--filter=array[1] == -2 && sequence_text == \"te\""),
        ("valuesapp:enums", "--loglevel=WARNING"),
        ("valuesapp:one_instance", "--filter=$ctx.procname == \"values*\""),
    ] {
        s.lttng(&["enable-event", "-u", rule, options]).ok();
    }
    s.lttng(&["start"]).ok();
    let mut app = App::start_foreign(s, foreign, "emitter");
    emit_everything(&mut app);
    s.lttng(&["regenerate", "metadata"]).ok();
    s.lttng(&["regenerate", "statedump"]).ok();
    s.run(&s.foreign_program(foreign, "values").to_string_lossy(), &[]).ok();
    let pid = app.pid().to_string();
    s.run("lttng", &["untrack", "-u", "--vpid", "--all"]).ok();
    app.tell("tick 4 1");
    s.run("lttng", &["track", "-u", "--vpid", &pid]).ok();
    app.tell("tick 5 1");
    s.lttng(&["destroy"]).ok();
    let (_, events) = note_trace(s, &trace);
    assert_eq!(numbers(&events, "testapp:tick"), [3, 4, 5, 5]);
    let dumps =
        all_events(s, &trace).into_iter().filter(|event| event.name == "lttng_ust_statedump:start").count();
    assert!(dumps >= 3, "{dumps}: of each program, and once more");
    app.kill();
    daemon.stop();
}

#[test]
fn rules_regeneration_and_trackers_with_a_32_bit_application() {
    let Some(foreign) = Foreign::bits_32() else { return };
    side_by_side(|s| rules_regeneration_and_trackers(s, &foreign));
}

#[test]
fn rules_regeneration_and_trackers_with_the_older_protocol() {
    let Some(foreign) = Foreign::ust_2_12() else { return };
    side_by_side(|s| rules_regeneration_and_trackers(s, &foreign));
}

#[test]
fn an_application_with_the_older_protocol_is_recorded() {
    let Some(foreign) = Foreign::ust_2_12() else { return };
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let (text, events) = record_and_list(s, &foreign, buffers);
            assert!(text.contains("tracer_minor = 12;"), "{text}");
            assert_eq!(numbers(&events, "testapp:tick"), Vec::from_iter(0..100));
            daemon.stop();
        });
    }
}

#[test]
fn applications_with_both_protocols_in_one_session() {
    let Some(foreign) = Foreign::ust_2_12() else { return };
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let mut early = App::start_foreign(s, &foreign, "emitter");
            let trace = record(s, buffers, &["vpid", "procname"]);
            let mut new = App::start(s);
            let mut old = App::start_foreign(s, &foreign, "emitter");
            for (number, app) in (0..).zip([&mut early, &mut new, &mut old]) {
                app.tell(&format!("tick {} 10", number * 100));
                app.tell(&format!("full {} 5", number * 100));
            }
            s.lttng_unordered(&["list", "-u"]).ok();
            s.lttng_unordered(&["list", "-u", "--fields"]).ok();
            s.lttng(&["destroy"]).ok();
            let (_, events) = note_trace(s, &trace);
            let of_app = |app: i64| app * 100..app * 100 + 10;
            assert_eq!(numbers(&events, "testapp:tick"), Vec::from_iter((0..3).flat_map(of_app)));
            daemon.stop();
        });
    }
}

#[test]
fn contexts_of_an_application_with_the_older_protocol() {
    let Some(foreign) = Foreign::ust_2_12() else { return };
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            // It knows all but one of the contexts of 2.13.
            let contexts: Vec<&str> = BUILT_IN.iter().copied().filter(|name| *name != "time_ns").collect();
            let contexts = [&*contexts, &["$app.some:thing"]].concat();
            let trace = record(s, buffers, &contexts);
            s.run(&s.foreign_program(&foreign, "values").to_string_lossy(), &[]).ok();
            s.lttng(&["destroy"]).ok();
            note_trace(s, &trace);
            daemon.stop();
        });
    }
}

#[test]
fn a_context_that_an_application_does_not_know() {
    let Some(foreign) = Foreign::ust_2_12() else { return };
    for buffers in BUFFERS {
        ours_only("it forgets the contexts after that one and the event rules", |s| {
            let daemon = Daemon::start(s);
            let trace = record(s, buffers, &["vpid", "time_ns", "procname"]);
            let mut app = App::start_foreign(s, &foreign, "emitter");
            app.tell("tick 0 5");
            s.lttng(&["destroy"]).ok();
            let events = events(s, &trace);
            assert_eq!(numbers(&events, "testapp:tick"), [0, 1, 2, 3, 4]);
            for event in events {
                let names: Vec<&str> = event.context.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(names, ["cpu_id", "vpid", "procname"]);
            }
            daemon.stop();
        });
    }
}

#[test]
fn contexts_that_both_protocols_know_differently() {
    let Some(foreign) = Foreign::ust_2_12() else { return };
    let cases = [
        ("ip", false),
        ("ip", true),
        ("$app.some:thing", false),
        ("$app.some:thing", true),
        ("time_ns", false),
    ];
    for (context, old_first) in cases {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = record(s, "--buffers-uid", &[context]);
            let start = |old: bool| {
                if old { App::start_foreign(s, &foreign, "emitter") } else { App::start(s) }
            };
            // The first application says what the channel is like, the other one can't join it.
            let mut first = start(old_first);
            first.tell("tick 0 5");
            let mut second = start(!old_first);
            second.tell("tick 5 5");
            s.lttng(&["destroy"]).ok();
            let (_, events) = note_trace(s, &trace);
            // 2.13.6 went back to how 2.12 describes this one.
            let alike = context == "ip" && version::ust() >= [2, 13, 6];
            assert_eq!(numbers(&events, "testapp:tick"), Vec::from_iter(0..if alike { 10 } else { 5 }));
            daemon.stop();
        });
    }
}

#[test]
fn foreign_applications_that_wait_for_a_daemon() {
    let kinds = [Foreign::bits_32(), Foreign::ust_2_12()];
    for foreign in kinds.iter().flatten() {
        side_by_side(|s| {
            let mut early = App::start_foreign(s, foreign, "emitter");
            early.tell("tick 0 3");
            let daemon = start_with_consumer(s, foreign);
            eventually("the application registers", || {
                s.run("lttng", &["list", "-u"]).ok().stdout.contains("testapp:tick")
            });
            let trace = record(s, "--buffers-uid", &[]);
            early.tell("tick 10 5");
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [10, 11, 12, 13, 14]);
            daemon.stop();
        });
    }
}
