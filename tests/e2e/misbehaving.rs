// SPDX-License-Identifier: GPL-2.0-only
//! Applications that come and go in great numbers, and ones that never answer.

use std::time::Duration;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, ours_only, ours_quiet};

const APPS: &str = "/run/lttng/lttng-ust-sock-8";

/// How long an application may leave the daemon without an answer (`lttng-tools 2.13:
/// DEFAULT_APP_SOCKET_RW_TIMEOUT`), and a second for the rest of the command.
const ANSWER_LIMIT: Duration = Duration::from_secs(6);

/// The registration of a command (0) or notify (1) socket (`lttng-ust 2.13: struct ustctl_reg_msg`, 136 bytes).
/// The daemon takes pid, uid and gid from the kernel.
fn registration(socket_type: u32) -> Vec<u8> {
    // magic, major, minor, pid, ppid, uid, gid, bits of a long, alignments, type
    let words = [0xC57C_57C5, 9, 0, 1, 1, 0, 0, 64, 8, 8, 8, 8, 8, socket_type];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
    bytes.extend(b"mute\0");
    bytes.resize(136, 0);
    bytes
}

/// Starts a process that holds `count` connections, registered like this, and never answers.
fn mute(s: &Sandbox, socket_type: u32, count: usize) -> App {
    App::hold(s, APPS, count, &registration(socket_type))
}

/// Records `app`, which is well, in session `name`; every command keeps to the limit.
fn record(s: &Sandbox, name: &str, app: &mut App) {
    let trace = s.path(name);
    let lttng = |args: &[&str]| s.lttng(args).ok().within(ANSWER_LIMIT);
    lttng(&["create", name, "--output", &trace]);
    lttng(&["enable-event", "-u", "testapp:tick"]);
    lttng(&["list", "-u"]);
    lttng(&["start"]);
    app.tell("tick 0 3");
    lttng(&["enable-event", "-u", "testapp:note"]);
    lttng(&["stop"]);
    lttng(&["destroy"]);
    assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 2]);
}

#[test]
fn applications_that_register_and_never_answer() {
    ours_quiet("it waits for each of them in turn", |s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        for (round, socket_type) in ["command", "notify"].into_iter().zip(0..) {
            let silent = mute(s, socket_type, 20);
            record(s, round, &mut app);
            drop(silent);
        }
        app.exit();
        daemon.stop();
    });
}

/// Starts a process with both sockets: a whole application as far as the daemon can tell.
fn mute_application(s: &Sandbox, how: &[&str]) -> App {
    let files = [0, 1].map(|socket_type| {
        let file = s.path(&format!("registration-{socket_type}"));
        std::fs::write(&file, registration(socket_type)).unwrap();
        file
    });
    App::start_program(s, "mute", &[&[APPS, &files[0], &files[1]], how].concat())
}

#[test]
fn applications_that_send_without_end() {
    ours_quiet("its answers to them are its own", |s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        for number in 0..5 {
            let mut floods: Vec<App> = (0..2).map(|_| mute_application(s, &["flood"])).collect();
            floods.iter_mut().for_each(|flood| flood.send("now"));
            record(s, &format!("session{number}"), &mut app);
            eventually("they are given up", || {
                !s.run("lttng", &["list", "-u"]).ok().within(ANSWER_LIMIT).stdout.contains("mute")
            });
        }
        app.exit();
        daemon.stop();
    });
}

#[test]
fn whole_applications_that_never_answer() {
    ours_quiet("it waits for each of them in turn", |s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        let first = mute_application(s, &[]);
        record(s, "one", &mut app);
        // Five at the same time, and a session that is active already.
        let trace = s.path("several");
        s.lttng(&["create", "several", "--output", &trace]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let more: Vec<App> = (0..5).map(|_| mute_application(s, &[])).collect();
        s.lttng(&["enable-event", "-u", "testapp:note"]).ok().within(ANSWER_LIMIT);
        s.lttng(&["list", "-u"]).ok().within(ANSWER_LIMIT);
        // Another application is not kept waiting by them.
        App::start(s).tell("tick 10 2");
        s.lttng(&["stop"]).ok().within(ANSWER_LIMIT);
        s.lttng(&["destroy"]).ok().within(ANSWER_LIMIT);
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [10, 11]);
        // Once they ran out of time they are no applications any more.
        eventually("the daemon gives them up", || {
            !s.run("lttng", &["list", "-u"]).ok().stdout.contains("mute")
        });
        drop((first, more));
        app.exit();
        eventually("they are gone", || !s.run("lttng", &["list", "-u"]).ok().stdout.contains("PID: "));
        daemon.stop();
    });
}

/// Runs `count` applications one after the other; each emits one event.
fn one_by_one(s: &Sandbox, first: usize, count: usize) {
    // No command may take long.
    const AT_ONCE: usize = 250;
    let burst = s.program("burst");
    for begin in (first..first + count).step_by(AT_ONCE) {
        let end = (first + count).min(begin + AT_ONCE);
        let script = format!(
            "for ((i = {begin}; i < {end}; i++)); do {} $i 1 || exit 1; done",
            burst.to_string_lossy()
        );
        s.run("bash", &["-c", &script]).ok();
    }
}

/// A daemon's resident memory in KiB and its descriptors, once all applications have left it.
fn cost(s: &Sandbox, daemon: &Daemon) -> (u64, usize) {
    eventually("nobody is left", || !s.run("lttng", &["list", "-u"]).ok().stdout.contains("PID: "));
    (daemon.process().resident_kib(), daemon.process().descriptors())
}

/// Records short-lived applications in five rounds: nothing is left of those of the later rounds.
fn come_and_go(s: &Sandbox, buffers: &str, round: usize) -> String {
    let daemon = Daemon::start(s);
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    s.lttng(&["enable-channel", "-u", buffers, "--subbuf-size", "4096", "--num-subbuf", "2", "c"]).ok();
    s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
    s.lttng(&["start"]).ok();
    one_by_one(s, 0, round);
    let (memory, descriptors) = cost(s, &daemon);
    for number in 1..5 {
        one_by_one(s, number * round, round);
    }
    eventually("descriptors are given back", || cost(s, &daemon).1 <= descriptors);
    let (memory_after, _) = cost(s, &daemon);
    // The allocator's own moods, not a page for each application.
    assert!(memory_after <= memory + 256, "{memory} KiB, then {memory_after} KiB");
    s.lttng(&["destroy"]).ok();
    daemon.stop();
    trace
}

#[test]
fn ten_thousand_short_lived_applications() {
    ours_only("its memory grows", |s| {
        let trace = come_and_go(s, "--buffers-uid", 2000);
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), (0..10_000).collect::<Vec<i64>>());
    });
}

/// Fewer: the consumer daemon takes a fifth of a second for each.
#[test]
fn short_lived_applications_with_buffers_of_their_own() {
    ours_only("its memory grows", |s| {
        let trace = come_and_go(s, "--buffers-pid", 30);
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), (0..150).collect::<Vec<i64>>());
    });
}
