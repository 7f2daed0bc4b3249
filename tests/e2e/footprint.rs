// SPDX-License-Identifier: GPL-2.0-only
//! What the daemon costs: threads, memory, descriptors.

use std::path::{Path, PathBuf};

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::emulator::not_emulated;
use crate::support::{ours, ours_only, skip};

/// Bound on the resident memory of the idle static binary, in KiB (2.75 MiB). Nearly all of it is the program itself, its
/// commands that ask a daemon among it: the kernel maps what lies around what is used, as long as it is in memory anyway.
const IDLE_KIB: u64 = 2816;

#[test]
fn one_thread() {
    if not_emulated("the emulator has a thread of its own") {
        return;
    }
    ours_only("it has many", |s| {
        let daemon = Daemon::start(s);
        assert_eq!(daemon.process().threads(), 1, "idle");
        let apps = App::start_many(s, 10);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-event", "-u", "--all"]).ok();
        s.lttng(&["start"]).ok();
        assert_eq!(daemon.process().threads(), 1, "recording");
        s.lttng(&["list", "-u"]).ok();
        s.lttng(&["destroy"]).ok();
        assert_eq!(daemon.process().threads(), 1, "afterwards");
        drop(apps);
        daemon.stop();
    });
}

#[test]
fn descriptors_are_given_back() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let process = daemon.process();
        let round = || {
            s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
            s.lttng(&["enable-event", "-u", "--all"]).ok();
            s.lttng(&["start"]).ok();
            for mut app in App::start_many(s, 10) {
                app.tell("tick 0 1");
                app.exit();
            }
            s.lttng(&["list", "-u"]).ok();
            s.lttng(&["destroy"]).ok();
            std::fs::remove_dir_all(s.path("trace")).unwrap();
        };
        // The first round also starts the consumer daemon.
        round();
        let after_one = process.descriptors();
        for _ in 0..3 {
            round();
        }
        eventually("no more descriptors than after the first round", || process.descriptors() <= after_one);
        daemon.stop();
    });
}

/// Where `make static` puts the static binary.
fn static_binary() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let path = target.join("static/lttng-sessiond");
    path.exists().then_some(path)
}

#[test]
fn resident_memory_of_the_idle_static_binary() {
    ours_only("there is no static build of it", |s| {
        let Some(binary) = static_binary() else { return skip("`make static` was not run") };
        let mut daemon = Daemon::launch_binary(s, &binary, &[], &["--no-kernel"]);
        daemon.expect("ready");
        s.lttng(&["list"]).ok();
        let resident = daemon.process().resident_kib();
        assert!(resident > 0 && resident <= IDLE_KIB, "{resident} KiB");
        daemon.stop();
    });
}

#[test]
fn the_static_binary_records() {
    ours_only("there is no static build of it", |s| {
        let Some(binary) = static_binary() else { return skip("`make static` was not run") };
        let mut daemon = Daemon::launch_binary(s, &binary, &[], &["--no-kernel"]);
        daemon.expect("ready");
        s.lttng(&["create", "s"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        App::start(s).tell("tick 0 3");
        s.lttng(&["destroy"]).ok();
        let traces = s.home().join("lttng-traces");
        let events = crate::support::trace::events(s, &traces.to_string_lossy());
        assert_eq!(crate::support::trace::numbers(&events, "testapp:tick"), [0, 1, 2]);
        daemon.stop();
    });
}
