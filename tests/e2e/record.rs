// SPDX-License-Identifier: GPL-2.0-only
//! From an application's tracepoint to the decoded event.

use std::fs;
use std::path::Path;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::trace::{Event, Value, all_events, events, numbers};
use crate::support::{Sandbox, ours, side_by_side};

/// Creates session `s` with its trace in `trace` and every user space event enabled.
fn session_with_all_events(s: &Sandbox) -> String {
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    s.lttng(&["enable-event", "-u", "--all"]).ok();
    trace
}

fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(Event::line).collect()
}

/// What `full FIRST COUNT` emits, as decoded.
fn expected_full(n: i64) -> String {
    let numbers: Vec<String> = (0..n % 5).map(|i| (n + i).to_string()).collect();
    let shade = match n % 10 {
        0 => "RED",
        1 => "GREEN",
        _ => "BLUES",
    };
    format!(
        "testapp:full small={n} negative={} big={} hex=0x{:X} text=\"text {n} \\\"quoted\\\"\" _numbers_length={} \
         numbers=[{}] pair=[{n},{}] letters=\"abcd\" shade=\"{shade}\":{} half={} quarter={}",
        -n,
        u64::MAX - n.unsigned_abs(),
        0xabc0 + n,
        n % 5,
        numbers.join(","),
        n + 1,
        n % 10,
        n as f64 / 2.0,
        n as f64 / 4.0,
    )
}

#[test]
fn every_event_arrives_with_every_field() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session_with_all_events(s);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 1000");
        app.tell("full 0 20");
        app.tell("empty 3");
        app.tell("alarm 7 1");
        app.tell("other 8 2");
        app.exit();
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();

        let mut want: Vec<String> = (0..1000).map(|n| format!("testapp:tick n={n}")).collect();
        want.extend((0..20).map(expected_full));
        want.extend(std::iter::repeat_n("testapp:empty ".to_owned(), 3));
        want.extend(["testapp:alarm n=7", "otherapp:tick n=8", "otherapp:tick n=9"].map(str::to_owned));
        let got = events(s, &trace);
        assert_eq!(lines(&got), want);
        s.note("events", &lines(&got).join("\n"), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn the_trace_directory_is_laid_out_as_stock_does_it() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session_with_all_events(s);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 10");
        app.exit();
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        let list = s.run("find", &[&trace, "-printf", "%P %y %m %u %g\n"]).ok();
        let mut list: Vec<&str> = list.stdout.lines().filter(|line| !per_cpu(line, 1)).collect();
        list.sort_unstable();
        s.note("files", &list.join("\n"), Order::Fixed);
        daemon.stop();
    });
}

/// Stream files of the CPUs from `first` on: how many there are depends on the machine.
fn per_cpu(line: &str, first: u32) -> bool {
    let name = line.split(' ').next().unwrap_or("").trim_end_matches(".idx");
    name.rsplit_once('_').and_then(|(_, cpu)| cpu.parse().ok()).is_some_and(|cpu: u32| cpu >= first)
}

#[test]
fn the_state_dump_of_an_application_is_recorded() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let trace = session_with_all_events(s);
        let app = App::start(s);
        s.lttng(&["start"]).ok();
        // The state dump is the application's own work after the start; nothing waits for it.
        app.exit();
        s.lttng(&["destroy"]).ok();
        let all = all_events(s, &trace);
        assert!(all.iter().any(|event| event.name == "lttng_ust_statedump:start"));
        daemon.stop();
    });
}

#[test]
fn an_application_may_start_at_any_time() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut before_session = App::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        let mut before_channel = App::start(s);
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        let mut before_event = App::start(s);
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        let mut before_start = App::start(s);
        before_start.tell("tick 1 5");
        s.lttng(&["start"]).ok();
        let mut after_start = App::start(s);
        // As soon as `start` has returned, each of them is traced.
        let apps = [
            &mut before_session,
            &mut before_channel,
            &mut before_event,
            &mut before_start,
            &mut after_start,
        ];
        for (number, app) in (0..).zip(apps) {
            app.tell(&format!("tick {} 10", number * 100));
        }
        s.lttng(&["stop"]).ok();
        after_start.tell("tick 900 5");
        s.lttng(&["destroy"]).ok();
        let want: Vec<i64> = (0..5).flat_map(|app| app * 100..app * 100 + 10).collect();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), want);
        daemon.stop();
    });
}

#[test]
fn an_application_that_waits_for_a_daemon_is_woken_and_traced() {
    side_by_side(|s| {
        let mut early = App::start(s);
        early.tell("tick 0 3");
        let daemon = Daemon::start(s);
        eventually("the application registers", || {
            s.run("lttng", &["list", "-u"]).ok().stdout.contains("testapp:tick")
        });
        let trace = session_with_all_events(s);
        s.lttng(&["start"]).ok();
        early.tell("tick 10 5");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [10, 11, 12, 13, 14]);
        daemon.stop();
    });
}

#[test]
fn an_application_survives_its_daemon_and_registers_with_the_next() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        daemon.stop();
        app.tell("tick 0 3");
        let daemon = Daemon::start(s);
        let trace = session_with_all_events(s);
        s.lttng(&["start"]).ok();
        app.tell("await tick");
        // `await` returns when the tracepoint is armed, a moment before the session is active in the application.
        app.tell("pace 100 500 1000");
        s.lttng(&["destroy"]).ok();
        let got = numbers(&events(s, &trace), "testapp:tick");
        assert_eq!(got.last(), Some(&599));
        daemon.stop();
    });
}

#[test]
fn several_applications_at_once() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session_with_all_events(s);
        let mut apps = App::start_many(s, 8);
        s.lttng(&["start"]).ok();
        apps.extend(App::start_many(s, 8));
        for (number, app) in apps.iter_mut().enumerate() {
            app.send(&format!("tick {} 500", number * 1000));
        }
        for app in &mut apps {
            assert_eq!(app.answer(), "done");
        }
        apps.into_iter().for_each(App::exit);
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        let mut got = numbers(&events(s, &trace), "testapp:tick");
        got.sort_unstable();
        let want: Vec<i64> = (0..16).flat_map(|app| app * 1000..app * 1000 + 500).collect();
        assert_eq!(got, want);
        daemon.stop();
    });
}

#[test]
fn short_lived_applications_lose_nothing() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session_with_all_events(s);
        s.lttng(&["start"]).ok();
        let burst = s.program("burst");
        for run in 0..10 {
            s.run(&burst.to_string_lossy(), &[&(run * 100).to_string(), "100"]).ok();
        }
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        let want: Vec<i64> = (0..1000).collect();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), want);
        daemon.stop();
    });
}

#[test]
fn more_data_than_the_buffers_hold() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "small", "--subbuf-size=16k", "--num-subbuf=4"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "small", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        // 20 bytes or so each; in portions that fit, so that the consumer daemon keeps up.
        for portion in 0..40 {
            app.tell(&format!("pace {} 500 20", portion * 500));
        }
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        let want: Vec<i64> = (0..20_000).collect();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), want);
        daemon.stop();
    });
}

#[test]
fn tracing_goes_on_after_stop_and_start() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session_with_all_events(s);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 5");
        s.lttng(&["stop"]).ok();
        app.tell("tick 100 5");
        s.lttng(&["start"]).ok();
        app.tell("tick 200 5");
        s.lttng(&["stop"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 300 5");
        s.lttng(&["destroy"]).ok();
        let want: Vec<i64> = [0, 200, 300].into_iter().flat_map(|first| first..first + 5).collect();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), want);
        daemon.stop();
    });
}

#[test]
fn two_sessions_record_side_by_side() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let (first, second) = (s.path("first"), s.path("second"));
        let mut app = App::start(s);
        s.lttng(&["create", "one", "--output", &first]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["create", "two", "--output", &second]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*", "-s", "two"]).ok();
        s.lttng(&["list"]).ok();
        s.lttng(&["start", "one"]).ok();
        app.tell("tick 0 2");
        s.lttng(&["start", "two"]).ok();
        s.lttng(&["list"]).ok();
        app.tell("tick 2 2");
        app.tell("note 1 1");
        s.lttng(&["stop", "one"]).ok();
        app.tell("tick 4 2");
        s.lttng(&["destroy", "one"]).ok();
        app.tell("tick 6 2");
        s.lttng(&["list"]).ok();
        s.lttng(&["destroy", "two"]).ok();
        s.lttng(&["list"]).ok();
        assert_eq!(lines(&events(s, &first)), [0, 1, 2, 3].map(|n| format!("testapp:tick n={n}")));
        let got = events(s, &second);
        assert_eq!(numbers(&got, "testapp:tick"), [2, 3, 4, 5, 6, 7]);
        assert_eq!(numbers(&got, "testapp:note"), [1]);
        daemon.stop();
    });
}

#[test]
fn rules_and_channels_act_while_the_session_is_active() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        let mut app = App::start(s);
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "a"]).ok();
        s.lttng(&["enable-channel", "-u", "b"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "a", "testapp:tick"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "b", "testapp:note"]).ok();
        s.lttng(&["start"]).ok();
        let mut both = |first: i32| {
            app.tell(&format!("tick {first} 1"));
            app.tell(&format!("note {first} 1"));
        };
        both(0);
        s.lttng(&["disable-event", "-u", "-c", "a", "testapp:tick"]).ok();
        both(1);
        s.lttng(&["enable-event", "-u", "-c", "a", "testapp:tick"]).ok();
        both(2);
        s.lttng(&["disable-channel", "-u", "a"]).ok();
        both(3);
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["enable-channel", "-u", "a"]).ok();
        both(4);
        s.lttng(&["disable-event", "-u", "-c", "b", "--all-events"]).ok();
        both(5);
        s.lttng(&["enable-event", "-u", "-c", "b", "testapp:*"]).ok();
        both(6);
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        let got = events(s, &trace);
        assert_eq!(numbers(&got, "testapp:note"), [0, 1, 2, 3, 4, 6]);
        // The last one twice: once in each channel.
        assert_eq!(numbers(&got, "testapp:tick"), [0, 2, 4, 5, 6, 6]);
        daemon.stop();
    });
}

#[test]
fn rules_and_channels_act_when_changed_before_the_start() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        let mut app = App::start(s);
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "on"]).ok();
        s.lttng(&["enable-channel", "-u", "off"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "on", "testapp:tick,testapp:note,testapp:alarm"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "off", "testapp:*"]).ok();
        s.lttng(&["disable-channel", "-u", "off"]).ok();
        s.lttng(&["disable-event", "-u", "-c", "on", "testapp:note,testapp:alarm"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "on", "testapp:alarm"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 1 1");
        app.tell("note 2 1");
        app.tell("alarm 3 1");
        s.lttng(&["destroy"]).ok();
        assert_eq!(lines(&events(s, &trace)), ["testapp:tick n=1", "testapp:alarm n=3"]);
        daemon.stop();
    });
}

#[test]
fn wildcards_and_log_levels_select() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("everything", &["--all"], &["alarm 2", "note 3", "tick 1", "tick 4"]),
            ("star", &["*"], &["alarm 2", "note 3", "tick 1", "tick 4"]),
            ("provider", &["testapp:*"], &["alarm 2", "note 3", "tick 1"]),
            ("inside", &["test*:ti*k"], &["tick 1"]),
            ("suffix", &["*:tick"], &["tick 1", "tick 4"]),
            ("nothing", &["testapp:tic"], &[]),
            ("range", &["testapp:*", "--loglevel=INFO"], &["alarm 2", "note 3"]),
            ("only", &["testapp:*", "--loglevel-only=INFO"], &["note 3"]),
        ];
        for (name, rule, _) in cases {
            s.lttng(&["create", name, "--output", &s.path(name)]).ok();
            s.lttng(&[&["enable-event", "-u"], *rule].concat()).ok();
            s.lttng(&["start"]).ok();
        }
        app.tell("tick 1 1");
        app.tell("alarm 2 1");
        app.tell("note 3 1");
        app.tell("other 4 1");
        for (name, _, want) in cases {
            s.lttng_unordered(&["list", name]).ok();
            s.lttng(&["destroy", name]).ok();
            let mut got: Vec<String> = Vec::new();
            if !want.is_empty() || Path::new(&s.path(name)).join("ust").exists() {
                let all = events(s, &s.path(name));
                got =
                    all.iter().map(|e| format!("{} {}", e.name.split(':').nth(1).unwrap(), e.n())).collect();
            }
            got.sort();
            assert_eq!(got, *want, "{name}");
        }
        daemon.stop();
    });
}

#[test]
fn filters_and_exclusions_select() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        let mut app = App::start(s);
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick", "--filter", "n > 3 && n != 5"]).ok();
        s.lttng(&["start"]).ok();
        let mut late = App::start(s);
        app.tell("tick 0 8");
        late.tell("tick 10 1");
        s.lttng(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [4, 6, 7, 10]);

        let trace = s.path("excluded");
        s.lttng(&["create", "t", "--output", &trace]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*", "--exclude", "testapp:n*,testapp:alarm"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 1 1");
        app.tell("note 1 1");
        app.tell("alarm 1 1");
        // No listing: the stock daemon aborts on rules with exclusions.
        s.lttng(&["stop"]).ok();
        s.run("lttng", &["destroy", "--no-wait"]).ok();
        eventually("the session ends", || !s.run("lttng", &["list"]).stdout.contains(") t "));
        assert_eq!(lines(&events(s, &trace)), ["testapp:tick n=1"]);
        daemon.stop();
    });
}

#[test]
fn a_killed_application_loses_nothing_that_it_emitted() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session_with_all_events(s);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 100");
        app.kill();
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        let want: Vec<i64> = (0..100).collect();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), want);
        daemon.stop();
    });
}

#[test]
fn contexts_are_recorded() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng(&["add-context", "-u", "-c", "c", "-t", "vpid", "-t", "procname"]).ok();
        let mut first = App::start(s);
        s.lttng(&["start"]).ok();
        let mut second = App::start(s);
        first.tell("tick 1 1");
        second.tell("tick 2 1");
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(numbers(&all, "testapp:tick"), [1, 2]);
        for (event, app) in all.iter().zip([&first, &second]) {
            let context =
                |name: &str| event.context.iter().find(|(field, _)| field == name).map(|(_, value)| value);
            assert_eq!(context("vpid"), Some(&Value::Number(app.pid().to_string())));
            assert_eq!(context("procname"), Some(&Value::Text("emitter".to_owned())));
        }
        daemon.stop();
    });
}

#[test]
fn each_process_may_have_its_own_buffers() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        let mut before = App::start(s);
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        let mut after = App::start(s);
        before.tell("tick 0 10");
        after.tell("full 0 3");
        after.exit();
        let burst = s.program("burst");
        s.run(&burst.to_string_lossy(), &["100", "10"]).ok();
        before.tell("note 1 1");
        s.lttng(&["destroy"]).ok();
        let got = lines(&events(s, &trace));
        assert_eq!(got.len(), 10 + 3 + 10 + 1);
        s.note("events", &got.join("\n"), Order::Fixed);
        // NAME-PID-DATE, one directory each.
        let directories = fs::read_dir(Path::new(&trace).join("ust/pid")).unwrap();
        let mut names: Vec<String> =
            directories.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.iter_mut().for_each(|name| *name = name.split('-').next().unwrap().to_owned());
        names.sort();
        assert_eq!(names, ["burst", "emitter", "emitter"]);
        daemon.stop();
    });
}
