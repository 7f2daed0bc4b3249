// SPDX-License-Identifier: GPL-2.0-only
//! Clock plug-ins: applications take their time stamps from them, and traces say so.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::metadata::text;
use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::session::{BUFFERS, session};
use crate::support::trace::events;
use crate::support::{Sandbox, Which, ours_only, side_by_side};

const PLUGIN: &str = "LTTNG_UST_CLOCK_PLUGIN";

/// The daemon with a plug-in, and beside it the program that loads it: that is how they are installed.
fn launch(s: &Sandbox, plugin: &str) -> Daemon {
    let binary = match s.which() {
        Which::Stock => s.which().path(),
        Which::Ours => {
            s.program("lttng-sessiond-clock");
            s.shared_daemon()
        }
    };
    Daemon::launch_binary(s, &binary, &[(PLUGIN, plugin)], &["--no-kernel"])
}

fn nanoseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}

/// Records with a plug-in that has a tick of so many nanoseconds. Times must be those at which it was recorded, as far as
/// the tick allows.
fn record(s: &Sandbox, plugin: &str, buffers: &str, tick: u64) {
    let plugin = s.program(plugin).to_string_lossy().into_owned();
    let mut daemon = launch(s, &plugin);
    daemon.expect("ready");
    let trace = session(s, &[buffers]);
    s.lttng(&["start"]).ok();
    let mut app = App::start_with(s, &[(PLUGIN, &plugin)]);
    let before = nanoseconds();
    app.tell("tick 0 10");
    let after = nanoseconds();
    // It is refused where each process has buffers of its own.
    s.lttng(&["regenerate", "metadata"]);
    s.lttng(&["destroy"]).ok();
    app.exit();
    daemon.stop();
    s.note("metadata", &text(s, &trace), Order::Fixed);
    let tolerance = 2 * tick + 10_000_000;
    let ticks = events(s, &trace).into_iter().filter(|event| event.name == "testapp:tick");
    let times: Vec<u64> = ticks.map(|event| event.time).collect();
    assert_eq!(times.len(), 10);
    for time in times {
        assert!((before - tolerance..=after + tolerance).contains(&time), "{before} <= {time} <= {after}");
    }
}

#[test]
fn time_stamps_of_a_plug_in_are_right_and_traces_describe_its_clock() {
    for (number, (plugin, tick)) in
        [("clock-khz.so", 1_000_000), ("clock-mhz.so", 1_000), ("clock-partly.so", 1_000)]
            .into_iter()
            .enumerate()
    {
        side_by_side(|s| record(s, plugin, BUFFERS[number % 2], tick));
    }
}

#[test]
fn without_its_clock_the_daemon_does_not_start() {
    ours_only("it goes on with the usual clock", |s| {
        let refused = |plugin: &str, why: &str| {
            let mut daemon = launch(s, plugin);
            daemon.expect("exit 1");
            let log = fs::read_to_string(s.path("daemon.log")).unwrap();
            let line = log.lines().last().unwrap();
            for part in ["Error: ", PLUGIN, plugin, why] {
                assert!(line.contains(part), "no {part}: {line}");
            }
        };
        let plugin = |name: &str| s.program(name).to_string_lossy().into_owned();
        refused("/nowhere/clock.so", "cannot open shared object file");
        refused(&plugin("library.so"), "lttng_ust_clock_plugin_init");
        refused(&plugin("clock-unnamed.so"), "not a name");
        fs::remove_file(s.path("lttng-sessiond-clock")).unwrap();
        let missing = plugin("clock-khz.so");
        let mut daemon =
            Daemon::launch_binary(s, &s.shared_daemon(), &[(PLUGIN, &missing)], &["--no-kernel"]);
        daemon.expect("exit 1");
        let log = fs::read_to_string(s.path("daemon.log")).unwrap();
        assert!(log.contains("lttng-sessiond-clock, which is to load it: No such file"), "{log}");
    });
}
