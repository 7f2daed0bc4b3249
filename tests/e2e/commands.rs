// SPDX-License-Identifier: GPL-2.0-only
//! What `lttng` prints when all is well: creating, configuring, listing, starting, stopping, destroying.

use std::fs;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::{Sandbox, side_by_side, trace, xml};

#[test]
fn generated_names_and_default_paths() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        // Twice: the first alone, then two that may share the second of their names (auto-, auto1-).
        let first = s.run("lttng", &["create"]).ok();
        s.note("create", &first.stdout, Order::Fixed);
        for _ in 0..2 {
            let more = s.run("lttng", &["create"]).ok();
            s.note(
                "create",
                &more.stdout.replace("auto1-", "auto-").replace("auto2-", "auto-"),
                Order::Fixed,
            );
        }
        s.lttng(&["create", "named"]).ok();
        s.lttng(&["create", "with space"]).ok();
        s.lttng(&["create", ".dot"]).ok();
        s.lttng(&["create", "long".repeat(60).as_str()]).ok();
        let list = s.run("lttng", &["list"]).ok().stdout;
        s.note("list", &list.replace("auto1-", "auto-").replace("auto2-", "auto-"), Order::Fixed);
        let destroyed = s.run("lttng", &["destroy", "--all"]).ok();
        assert_eq!(destroyed.stdout.matches("destroyed").count(), 7);
        s.lttng(&["list"]).ok();
        daemon.stop();
    });
}

#[test]
fn a_default_path_holds_the_trace() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "here"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 5 2");
        s.lttng(&["destroy"]).ok();
        let traces = s.home().join("lttng-traces");
        let names: Vec<_> = fs::read_dir(&traces).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        s.note("directory", &names[0].to_string_lossy(), Order::Fixed);
        let trace_path = traces.join(&names[0]);
        assert_eq!(trace::numbers(&trace::events(s, &trace_path.to_string_lossy()), "testapp:tick"), [5, 6]);
        daemon.stop();
    });
}

#[test]
fn the_session_file_of_the_client_names_the_current_session() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "a", "--output", &s.path("a")]).ok();
        s.lttng(&["create", "b", "--output", &s.path("b")]).ok();
        s.lttng(&["status"]).ok();
        s.lttng(&["set-session", "a"]).ok();
        s.lttng(&["status"]).ok();
        s.lttng(&["destroy"]).ok();
        s.lttng(&["status"]).fails();
        s.lttng(&["set-session", "gone"]).fails();
        s.lttng(&["destroy", "b"]).ok();
        daemon.stop();
    });
}

#[test]
fn channels_with_every_option() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-channel", "-u", "plain"]).ok();
        s.lttng(&["list", "s"]).ok();
        s.lttng(&["enable-channel", "-u", "sizes", "--subbuf-size=64k", "--num-subbuf=8"]).ok();
        s.lttng(&["enable-channel", "-u", "overwrite", "--overwrite"]).ok();
        s.lttng(&["enable-channel", "-u", "discard", "--discard"]).ok();
        s.lttng(&["enable-channel", "-u", "timers", "--switch-timer=100000", "--read-timer=200000"]).ok();
        s.lttng(&["enable-channel", "-u", "monitor", "--monitor-timer=0"]).ok();
        s.lttng(&["enable-channel", "-u", "blocking", "--blocking-timeout=500"]).ok();
        s.lttng(&["enable-channel", "-u", "forever", "--blocking-timeout=inf"]).ok();
        s.lttng(&["enable-channel", "-u", "files", "--tracefile-size=1M", "--tracefile-count=3"]).ok();
        s.lttng(&["enable-channel", "-u", "mmap", "--output=mmap"]).ok();
        s.lttng(&["enable-channel", "-u", "one,two,three"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_unordered(&["list", "s", "--channel", "files"]).ok();
        s.lttng_unordered(&["list", "s", "--domain"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["disable-channel", "-u", "one,two"]).ok();
        s.lttng(&["disable-channel", "-u", "one"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["enable-channel", "-u", "one"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn buffers_of_each_process_can_be_asked_for() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "c"]).ok();
        s.lttng(&["list", "s"]).ok();
        // The scheme is fixed by the first channel; a rule that needs a new channel asks for the other one.
        s.lttng(&["enable-channel", "-u", "--buffers-uid", "d"]).fails();
        s.lttng(&["enable-event", "-u", "-c", "new", "a:b"]).fails();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "e"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn event_rules_of_every_kind() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        for rule in [
            &["a:b"][..],
            &["a:c,a:d"],
            &["a:*"],
            &["*"],
            &["a:star**s"],
            &["a:level", "--loglevel=WARNING"],
            &["a:level", "--loglevel=ERR"],
            &["a:level", "--loglevel-only=DEBUG"],
            &["a:filter", "--filter=x > 1"],
            &["a:filter", "--filter=x > 2"],
            &["no_provider"],
        ] {
            s.lttng(&[&["enable-event", "-u", "-c", "c"], rule].concat()).ok();
        }
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["disable-event", "-u", "-c", "c", "a:level"]).ok();
        s.lttng(&["disable-event", "-u", "-c", "c", "a:b,a:*"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "a:b"]).ok();
        s.lttng(&["disable-event", "-u", "-c", "c", "--all-events"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn a_channel_is_made_when_a_rule_needs_one() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "implicit", "--output", &s.path("a")]).ok();
        s.lttng(&["enable-event", "-u", "a:b"]).ok();
        s.lttng(&["enable-event", "-u", "a:c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "named", "a:c"]).ok();
        s.lttng_unordered(&["list", "implicit"]).ok();
        // From now on a rule must say its channel.
        s.lttng(&["enable-event", "-u", "a:d"]).fails();
        s.lttng(&["enable-event", "-u", "-c", "channel0", "a:d"]).ok();
        s.lttng_unordered(&["list", "implicit"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn listings_through_the_life_of_a_session() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        let everything = |s: &Sandbox| {
            s.lttng(&["list"]);
            s.lttng(&["list", "s"]);
            s.lttng(&["status"]);
            s.lttng_xml(&["list"]);
            s.lttng_xml(&["list", "s"]);
            s.lttng_xml(&["status"]);
        };
        everything(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        everything(s);
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        everything(s);
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        everything(s);
        s.lttng(&["start"]).ok();
        app.tell("tick 0 10");
        everything(s);
        s.lttng(&["stop"]).ok();
        everything(s);
        s.lttng(&["start"]).ok();
        everything(s);
        s.lttng(&["destroy"]).ok();
        everything(s);
        daemon.stop();
    });
}

#[test]
fn commands_answer_in_xml_too() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let output = s.path("trace");
        for command in [
            &["create", "s", "--output", &output][..],
            &["create", "s", "--output", &output],
            &["enable-channel", "-u", "c,d"],
            &["enable-event", "-u", "-c", "c", "a:b,a:c"],
            &["enable-event", "-u", "-c", "d", "--all"],
            &["disable-event", "-u", "-c", "c", "a:b"],
            &["disable-channel", "-u", "d"],
            &["set-session", "s"],
            &["start"],
            &["start"],
            &["stop"],
            &["stop"],
            &["destroy"],
            &["destroy", "s"],
            &["version"],
        ] {
            s.lttng_xml(command);
        }
        daemon.stop();
    });
}

#[test]
fn tracepoints_and_fields_of_applications() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["list", "-u"]).ok();
        s.lttng(&["list", "-u", "-f"]).ok();
        s.lttng_xml(&["list", "-u"]).ok();
        let apps = App::start_many(s, 2);
        s.lttng_unordered(&["list", "-u"]).ok();
        s.lttng_unordered(&["list", "-u", "-f"]).ok();
        s.lttng_xml(&["list", "-u"]).ok();
        s.lttng_xml(&["list", "-u", "-f"]).ok();
        let document = s.run("lttng", &["--mi", "xml", "list", "-u"]).ok().stdout;
        let names = xml::parse(&document).unwrap();
        let mut ids: Vec<String> = apps.iter().map(|app| app.pid().to_string()).collect();
        ids.sort();
        let mut listed = names.texts("id");
        listed.sort_unstable();
        assert_eq!(listed, ids);
        apps.into_iter().for_each(App::exit);
        eventually("they leave the list", || !s.run("lttng", &["list", "-u"]).ok().stdout.contains("PID: "));
        s.lttng(&["list", "-u"]).ok();
        daemon.stop();
    });
}

#[test]
fn destroying_with_and_without_waiting() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let make = |name: &str| {
            s.lttng(&["create", name, "--output", &s.path(name)]).ok();
            s.lttng(&["enable-event", "-u", "--all", "-s", name]).ok();
        };
        make("never-started");
        s.lttng(&["destroy", "never-started"]).ok();
        make("active");
        s.lttng(&["start", "active"]).ok();
        s.lttng(&["destroy", "active", "--no-wait"]).ok();
        // The name is free at once.
        make("active");
        s.lttng(&["list"]).ok();
        make("third");
        s.lttng(&["start", "third"]).ok();
        s.lttng(&["stop", "third", "--no-wait"]).ok();
        s.lttng(&["destroy", "--all"]).ok();
        s.lttng(&["list"]).ok();
        s.lttng(&["destroy", "--all"]).ok();
        daemon.stop();
    });
}

#[test]
fn the_output_directory_may_be_given_in_several_ways() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let deep = s.path("not/there/yet");
        s.lttng(&["create", "deep", "--output", &deep]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        App::start(s).tell("tick 3 1");
        s.lttng(&["destroy"]).ok();
        assert_eq!(trace::numbers(&trace::events(s, &deep), "testapp:tick"), [3]);
        s.lttng(&["create", "url", "--set-url", &format!("file://{}", s.path("by-url"))]).ok();
        s.lttng(&["list"]).ok();
        s.lttng(&["destroy", "--all"]).ok();
        daemon.stop();
    });
}

#[test]
fn fields_of_every_type_are_listed() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let values = App::start_program(s, "values", &["wait"]);
        let clash = App::start_program(s, "clash-text", &[]);
        let provider = App::start_program(s, "provider", &[]);
        s.lttng_unordered(&["list", "-u"]).ok();
        s.lttng_unordered(&["list", "-u", "--fields"]).ok();
        s.lttng_xml(&["list", "-u"]).ok();
        s.lttng_xml(&["list", "-u", "--fields"]).ok();
        drop((values, clash, provider));
        daemon.stop();
    });
}

#[test]
fn status_in_every_state() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng_xml(&["status"]).fails();
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["create", "other", "--output", &s.path("other")]).ok();
        s.lttng(&["set-session", "s"]).ok();
        let show = |s: &Sandbox| {
            s.lttng_unordered(&["status"]).ok();
            s.lttng_xml(&["status"]).ok();
            s.lttng_unordered(&["list", "s", "--domain"]).ok();
            s.lttng_xml(&["list", "s", "--domain"]).ok();
            s.lttng_unordered(&["list", "s", "--userspace"]);
            s.lttng_xml(&["list"]).ok();
        };
        show(s);
        s.lttng(&["enable-channel", "-u", "a,b"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "a", "testapp:tick,testapp:note", "--loglevel=INFO"]).ok();
        s.lttng(&["disable-event", "-u", "-c", "a", "testapp:note"]).ok();
        s.lttng(&["add-context", "-u", "-c", "b", "-t", "vpid"]).ok();
        s.lttng(&["disable-channel", "-u", "b"]).ok();
        s.lttng(&["track", "-u", "--vpid", "1"]).ok();
        show(s);
        s.lttng_unordered(&["list", "s", "-c", "a"]).ok();
        s.lttng_xml(&["list", "s", "-c", "b"]).ok();
        s.lttng(&["start"]).ok();
        show(s);
        s.lttng(&["stop"]).ok();
        show(s);
        s.lttng(&["destroy"]).ok();
        s.lttng(&["status"]).fails();
        daemon.stop();
    });
}
