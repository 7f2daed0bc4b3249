// SPDX-License-Identifier: GPL-2.0-only
//! Signals: those that were ignored or blocked when the daemon was started, and those that mean nothing to it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::emulator::is_emulated;
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, ours_only, succeeds};

/// Longer than an end takes, shorter than anything that is given up in the end.
const AT_ONCE: Duration = Duration::from_secs(5);

fn start_recording(s: &Sandbox, name: &str) {
    s.run("lttng", &["create", name, "--output", &s.path(name)]).ok();
    s.run("lttng", &["enable-event", "-u", "--all"]).ok();
    s.run("lttng", &["start"]).ok();
}

/// The daemon, its helper, its consumer daemon and that one's helper: what each blocks and ignores. Workers have what
/// their helper has. An emulator's process handles what the daemon ignores in it, so that only the names are left.
fn signal_state(s: &Sandbox) -> Vec<String> {
    let mut all: Vec<String> = s
        .processes("lttng-")
        .iter()
        .map(|process| {
            let sets = ["SigBlk", "SigIgn"].map(|set| process.status(set).unwrap());
            format!("{} {}", process.name(), if is_emulated() { String::new() } else { sets.join(" ") })
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

fn has_ended(s: &Sandbox, name: &str) -> bool {
    eventually("its end was noticed", || !s.has_zombies());
    s.processes(name).is_empty()
}

#[test]
fn those_that_it_was_started_with_do_not_matter() {
    ours_only("with CHLD ignored or TERM blocked it never ends", |s| {
        let daemon = Daemon::start(s);
        start_recording(s, "first");
        let plain = signal_state(s);
        assert_eq!(plain.len(), if is_emulated() { 3 } else { 4 }, "{plain:?}");
        daemon.stop();
        eventually("all of its processes end", || s.processes("lttng-").is_empty());

        let binary = s.which().path().to_string_lossy().into_owned();
        let mut daemon = Daemon::launch_binary(s, &s.program("burdened"), &[], &[&binary, "--no-kernel"]);
        daemon.expect("ready");
        let mut app = App::start(s);
        start_recording(s, "second");
        assert_eq!(signal_state(s), plain);
        app.tell("tick 3 4");
        s.run("lttng", &["stop"]).ok();
        assert_eq!(numbers(&events(s, &s.path("second")), "testapp:tick"), [3, 4, 5, 6]);
        // Helpers and consumer daemons that end are noticed.
        s.kill_all("lttng-consumerd");
        assert!(has_ended(s, "lttng-consumerd"));
        s.run("lttng", &["list"]).ok();
        s.run("lttng", &["destroy"]);
        // The next one starts as clean.
        start_recording(s, "late");
        assert_eq!(signal_state(s), plain);
        app.tell("tick 7 8");
        s.run("lttng", &["stop"]).ok();
        assert_eq!(numbers(&events(s, &s.path("late")), "testapp:tick"), [7, 8, 9, 10, 11, 12, 13, 14]);
        app.exit();
        let begin = Instant::now();
        daemon.end(Signal::SIGTERM);
        assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
        eventually("all of its processes end", || s.processes("lttng-").is_empty());
    });
}

#[test]
fn in_the_background_neither() {
    ours_only("with CHLD ignored or TERM blocked it never ends", |s| {
        let binary = s.which().path().to_string_lossy().into_owned();
        let burdened = s.program("burdened").to_string_lossy().into_owned();
        s.run(&burdened, &[&binary, "--no-kernel", "--daemonize"]).ok();
        start_recording(s, "t");
        assert_eq!(s.processes("lttng-consumerd").len(), 1);
        let text = fs::read_to_string(s.outside("/run/lttng/lttng-sessiond.pid")).unwrap();
        s.run("bash", &["-c", &format!("kill {}", text.trim())]).ok();
        let begin = Instant::now();
        eventually("all of its processes end", || s.processes("lttng-").is_empty());
        assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
        assert_eq!(s.files(&["/run/lttng"]), [""; 0]);
    });
}

#[test]
fn those_that_mean_nothing_end_nothing() {
    ours_only("most of them end it, and leave its files", |s| {
        let daemon = Daemon::start(s);
        start_recording(s, "t");
        // Its workers came later.
        let helper = s.processes("lttng-runas").into_iter().min_by_key(|process| process.pid()).unwrap();
        let idle = "HUP USR1 USR2 ALRM VTALRM PROF IO PIPE PWR STKFLT XCPU XFSZ RTMAX";
        // QEMU has this one for itself.
        let idle = if is_emulated() { idle.to_owned() } else { format!("{idle} RTMIN") };
        for process in [daemon.process(), helper] {
            let script = format!("for name in {idle}; do kill -s $name {} || exit 1; done", process.pid());
            assert!(succeeds(Command::new("bash").args(["-c", &script])));
        }
        // Ctrl-C in a terminal reaches the helper as well.
        helper.signal(Signal::SIGINT);
        helper.signal(Signal::SIGTERM);
        let mut app = App::start(s);
        app.tell("tick 8 1");
        // Its folders are the helper's work.
        s.run("lttng", &["rotate"]).ok();
        s.run("lttng", &["stop"]).ok();
        assert_eq!(numbers(&events(s, &s.path("t")), "testapp:tick"), [8]);
        assert!(Path::new(&s.path("t/archives")).exists());
        assert!(!matches!(helper.state(), 'Z' | 'X'));
        app.exit();
        daemon.stop();
    });
}
