// SPDX-License-Identifier: GPL-2.0-only
//! In February 2040, which seconds of 32 bits can't tell: a daemon whose clock says so, and a 32-bit one above all.
//!
//! libfaketime sets the clock of what it is loaded into. A 32-bit daemon is run by an emulator that is dynamically linked, and
//! has its clock; the monotonic clock, by which applications tell the time, stays as it is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::app::App;
use crate::support::chunk::{all_numbers, archived};
use crate::support::daemon::{Daemon, eventually};
use crate::support::emulator::Foreign;
use crate::support::normalise::Order;
use crate::support::trace::events;
use crate::support::{Sandbox, Which, find_program, is_missing, lacks, ours_only, side_by_side, skip};

/// 2040-02-03 04:05:06, UTC.
const THEN: u64 = 2_211_854_706;
/// Seconds that a test may take.
const LONG: u64 = 600;

/// The library that sets a clock. None, after it was said why, when it is not here.
fn library() -> Option<PathBuf> {
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    let found = Path::new(&library).exists();
    (found || !lacks("no libfaketime.so.1 (package libfaketime)")).then(|| library.into())
}

/// What makes a clock say that it is then, and what it starts stay so. File times, which the kernel makes, stay as they are.
fn environment(library: &Path) -> Vec<(&'static str, String)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", format!("+{}", THEN - now)),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("NO_FAKE_STAT", "1".to_owned()),
        ("FAKETIME_DISABLE_SHM", "1".to_owned()),
    ]
}

/// The day, as names of sessions, chunks and folders have it.
const DAY: &str = "20400203";

/// Whether a time in seconds is one at which the test runs.
fn is_then(seconds: u64) -> bool {
    (THEN..THEN + LONG).contains(&seconds)
}

/// Records with this daemon.
fn record(s: &Sandbox, binary: &Path, environment: &[(&str, &str)]) {
    let mut daemon = Daemon::launch_binary(s, binary, environment, &["--no-kernel"]);
    daemon.expect("ready");
    let mut app = App::start(s);

    // The daemon names the session, its folder, and what is in it.
    let created = s.lttng(&["create"]).ok().stdout;
    assert!(created.contains(&format!("Session auto-{DAY}-0")), "{created}");
    let name = created.split_whitespace().nth(1).unwrap().to_owned();
    s.lttng(&["enable-channel", "-u", "--buffers-pid", "c"]).ok();
    s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
    s.lttng(&["start"]).ok();
    app.tell("tick 0 3");
    s.lttng(&["destroy"]).ok();
    let trace = s.home().join("lttng-traces").join(&name).to_string_lossy().into_owned();
    let files = s.run("find", &[&trace, "-name", "metadata"]).ok().stdout;
    assert!(files.contains(&format!("/ust/pid/emitter-{}-{DAY}-0", app.pid())), "{files}");
    assert_recorded(s, &trace, &[0, 1, 2]);

    // Chunks, by hand and by time.
    let trace = s.path("chunks");
    s.lttng(&["create", "chunks", "--output", &trace]).ok();
    s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
    s.lttng(&["start"]).ok();
    app.tell("tick 0 2");
    s.run("lttng", &["rotate"]).ok();
    app.tell("tick 2 2");
    s.lttng(&["enable-rotation", "--timer=500000us"]).ok();
    eventually("it rotates because it is time", || archived(&trace).len() >= 3);
    s.lttng(&["disable-rotation", "--timer"]).ok();
    eventually("the rotation ends", || s.run("lttng", &["rotate"]).code == 0);
    s.run("lttng", &["destroy"]).ok();
    let chunks = archived(&trace);
    for chunk in &chunks {
        let name = chunk.path.file_name().unwrap().to_string_lossy().into_owned();
        let parts: Vec<&str> = name.split('-').collect();
        let [from, to, _number] = parts[..] else { panic!("{name}") };
        let is_right = |date: &str| date.starts_with(&format!("{DAY}T0")) && date.ends_with("+0000");
        assert!(is_right(from) && is_right(to) && from <= to, "{name}");
    }
    assert_recorded(s, &chunks[0].path.to_string_lossy(), &[0, 1]);
    assert_eq!(all_numbers(s, &trace), [0, 1, 2, 3]);

    // A snapshot.
    let folder = s.path("snap");
    s.lttng(&["create", "snap", "--snapshot", "--output", &folder]).ok();
    s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
    s.lttng(&["start"]).ok();
    app.tell("tick 7 1");
    s.run("lttng", &["snapshot", "record"]).ok();
    s.lttng(&["destroy"]).ok();
    let names = s.run("ls", &[&folder]).ok().stdout;
    assert!(names.starts_with(&format!("snapshot-1-{DAY}-0")), "{names}");
    assert_recorded(s, &folder, &[7]);

    if s.which() == Which::Ours {
        let output = s.run_with(environment, &binary.to_string_lossy(), &["--status=json"]).ok();
        let report: Value = serde_json::from_str(&output.stdout).unwrap();
        let number = |key: &str| report["daemon"][key].as_u64().unwrap();
        assert!(is_then(number("started")) && number("uptime") < LONG, "{}", report["daemon"]);
    }
    s.note("chunks", &format!("{}", chunks.len() > 3), Order::Fixed);
    app.exit();
    daemon.stop();
}

/// The trace has these events, of that time, and says when it was made.
fn assert_recorded(s: &Sandbox, path: &str, numbers: &[i64]) {
    let events = events(s, path);
    assert_eq!(events.iter().map(|event| event.n()).collect::<Vec<_>>(), numbers);
    for event in &events {
        assert!(is_then(event.time / 1_000_000_000), "{}", event.time);
    }
    let shown = s.run("babeltrace2", &["--clock-gmt", "--clock-date", path]).ok().stdout;
    assert!(shown.lines().all(|line| line.starts_with("[2040-02-03 04:")), "{shown}");
    let made = s.run("grep", &["-r", "-a", "-h", "-o", "creation_datetime = \"[^\"]*\"", path]).ok().stdout;
    assert!(!made.is_empty() && made.lines().all(|line| line.contains(&format!("\"{DAY}T0"))), "{made}");
}

fn borrowed<'a>(environment: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn a_daemon_of_32_bits_records_in_2040() {
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let binary = std::env::var_os("LTTNG_TEST_ARMV7")
        .map_or_else(|| beside.join("static/armv7/lttng-sessiond"), PathBuf::from);
    let Ok(binary) = binary.canonicalize() else { return skip("`make static ARCH=armv7` was not run") };
    if is_missing("qemu-arm", "qemu-user") {
        return;
    }
    // As that of Debian 13 is.
    if !Command::new("ldd").arg(find_program("qemu-arm").unwrap()).output().unwrap().stdout.contains(&b'>') {
        return skip("qemu-arm is statically linked, and no other clock can be loaded into it");
    }
    let Some(library) = library() else { return };
    ours_only("there is none of it", |s| {
        let daemon = Foreign::new(find_program("qemu-arm"), binary.clone());
        let script = daemon.install(Path::new(&s.path("armv7")));
        record(s, &script, &borrowed(&environment(&library)));
    });
}

#[test]
fn a_daemon_of_the_machine_s_own_records_in_2040() {
    if std::env::var_os("LTTNG_TEST_DAEMON").is_some() {
        return skip("nothing can be loaded into LTTNG_TEST_DAEMON");
    }
    let Some(library) = library() else { return };
    side_by_side(|s| record(s, &s.which().path(), &borrowed(&environment(&library))));
}
