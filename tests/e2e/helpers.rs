// SPDX-License-Identifier: GPL-2.0-only
//! LTTng-UST's own providers: formatted messages, and the libraries that are loaded before all others.

use crate::metadata::{blocks, text};
use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::trace::{Event, events};
use crate::support::{Sandbox, side_by_side};

/// Creates session `s` with its trace in `trace` and these rules, and starts it.
fn start(s: &Sandbox, rules: &[&[&str]]) -> String {
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    // Room for everything: a wrapper's events come in floods.
    s.lttng(&["enable-channel", "-u", "--subbuf-size=1M", "--num-subbuf=8", "c"]).ok();
    for rule in rules {
        s.lttng(&[&["enable-event", "-u", "-c", "c"], *rule].concat()).ok();
    }
    s.lttng(&["start"]).ok();
    trace
}

#[test]
fn formatted_messages() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut early = App::start_program(s, "format", &[]);
        let rules = [
            &["lttng_ust_tracef:*"][..],
            &["lttng_ust_tracelog:*", "--loglevel=WARNING", "--filter", "line > 0 && msg != \"*1\""],
            &["lttng_ust_tracelog:*", "--loglevel-only=DEBUG"],
        ];
        let trace = start(s, &rules);
        let mut late = App::start_program(s, "format", &[]);
        for app in [&mut early, &mut late] {
            app.tell("now");
            app.tell("now");
        }
        s.lttng_unordered(&["list", "-u"]).ok();
        s.lttng_unordered(&["list", "-u", "--fields"]).ok();
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(all.len(), 2 * (2 + 1 + 2));
        s.note("events", &all.iter().map(Event::line).collect::<Vec<_>>().join("\n"), Order::Fixed);
        s.note("metadata", &blocks(&text(s, &trace)), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn libraries_that_are_loaded_before_all_others() {
    for (library, provider, expected) in [
        ("liblttng-ust-dl.so", "lttng_ust_dl:*", "lttng_ust_dl:dlopen"),
        ("liblttng-ust-libc-wrapper.so", "lttng_ust_libc:*", "lttng_ust_libc:malloc"),
        ("liblttng-ust-pthread-wrapper.so", "lttng_ust_pthread:*", ""),
    ] {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = start(s, &[&[provider], &["libraryapp:tick"]]);
            let loaded = s.program("library.so").to_string_lossy().into_owned();
            let mut app = App::start_preloaded(s, "loader", library, &[&loaded]);
            app.tell("load");
            app.tell("emit 0 2");
            app.tell("unload");
            app.exit();
            s.lttng(&["destroy"]).ok();
            let all = events(s, &trace);
            assert!(all.iter().any(|event| event.name.starts_with(expected)), "{}", all.len());
            let own: Vec<String> =
                all.iter().filter(|event| event.name == "libraryapp:tick").map(Event::line).collect();
            assert_eq!(own, ["libraryapp:tick n=0", "libraryapp:tick n=1"]);
            s.note("metadata", &blocks(&text(s, &trace)), Order::Fixed);
            daemon.stop();
        });
    }
}
