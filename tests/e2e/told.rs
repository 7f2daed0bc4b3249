// SPDX-License-Identifier: GPL-2.0-only
//! What the daemon says by itself, at the usual level: losses, shortages, who is refused.

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::sandbox::{OTHER, User};
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, ours_only};

/// What the daemon of this user has said so far.
fn said_by(s: &Sandbox, user: User) -> String {
    std::fs::read_to_string(s.home_of(user).join("daemon.log")).unwrap_or_default()
}

#[test]
fn a_users_daemon_takes_all_descriptors_that_it_may_have_and_says_when_they_run_out() {
    ours_only("keeps its soft limit, and says nothing of what raises it", |s| {
        let daemon = Daemon::start_limited(s, OTHER, "64:128");
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.process().pid())).unwrap();
        let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
        let numbers: Vec<&str> = files.split_whitespace().skip(3).take(2).collect();
        assert_eq!(numbers, ["128", "128"]);
        let socket = s.home_of(OTHER).join(".lttng/lttng-ust-sock-8");
        let crowd = App::hold(s, socket.to_str().unwrap(), 150, b"");
        eventually("it says what raises the limit", || said_by(s, OTHER).contains("LimitNOFILE="));
        drop(crowd);
        s.lttng_as(OTHER, &["list"]).ok();
        daemon.stop();
    });
}

/// What root's daemon has said so far of this topic.
fn said_of(s: &Sandbox, what: &str) -> Vec<String> {
    let log = std::fs::read_to_string(s.path("daemon.log")).unwrap_or_default();
    log.lines().filter(|line| line.contains(what)).map(str::to_owned).collect()
}

/// The number before these words in a line, whose thousands are apart.
fn number_before(line: &str, words: &str) -> u64 {
    let before = line.split(words).next().unwrap_or_default();
    let digits = before.rsplit([' ', '(']).next().unwrap_or_default().replace(',', "");
    digits.parse().unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn events_that_find_no_room_are_told_while_they_are_lost() {
    ours_only("it says nothing before somebody asks", |s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "--subbuf-size=4k", "--num-subbuf=2", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.ask("flood 1500");
        eventually("it says so while the session records", || !said_of(s, "events discarded").is_empty());
        let first = said_of(s, "events discarded").remove(0);
        for part in ["Warning: Session \"s\", channel \"c\": ", "of 2 x 4 KiB for each CPU", "--subbuf-size="]
        {
            assert!(first.contains(part), "{part}: {first}");
        }
        app.ask("flood 200");
        s.lttng(&["stop"]).ok();
        let last = said_of(s, "events discarded").pop().unwrap();
        let listed = s.run("lttng", &["list", "s"]).ok().stdout;
        let listed = listed.lines().find_map(|line| line.trim().strip_prefix("Discarded events: ")).unwrap();
        assert_eq!(number_before(&last, " in all)"), listed.trim().parse::<u64>().unwrap(), "{last}");
        s.lttng(&["destroy"]).ok();
        app.exit();
        daemon.stop();
    });
}

#[test]
fn a_flight_recorder_may_overwrite_what_it_holds() {
    ours_only("it says nothing of losses", |s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--snapshot", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-channel", "-u", "--subbuf-size=4k", "--num-subbuf=2", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.ask("flood 1500");
        s.lttng(&["snapshot", "record"]).ok();
        s.lttng(&["stop"]).ok();
        s.lttng(&["list", "s"]).ok();
        assert_eq!(said_of(s, "packets overwritten"), [""; 0]);
        s.lttng(&["destroy"]).ok();
        app.exit();
        daemon.stop();
    });
}

/// A session whose channel needs 40 MiB for two CPUs, in a sandbox whose shared memory has 8.
fn start_without_memory(s: &Sandbox, create: &[&str]) {
    s.run("mount", &["-o", "remount,size=8m", "/dev/shm"]).ok();
    s.lttng(&[&["create", "s", "--output", &s.path("trace")], create].concat()).ok();
    s.lttng(&["enable-channel", "-u", "--subbuf-size=4M", "--num-subbuf=4", "c"]).ok();
    s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
    s.lttng(&["start"]).fails();
}

#[test]
fn shared_memory_that_is_too_small_is_told_before_it_fails() {
    ours_only("says that it has started, and records nothing", |s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        start_without_memory(s, &[]);
        let [warning] = &said_of(s, "will take up to ")[..] else { panic!("{:?}", said_of(s, "")) };
        let [error] = &said_of(s, "these buffers need")[..] else { panic!("{:?}", said_of(s, "")) };
        for part in [
            "Warning: ",
            "session \"s\"",
            "\"c\" 4 x 4 MiB",
            "1 user",
            "/dev/shm has 8.0 MiB left of 8.0 MiB",
        ] {
            assert!(warning.contains(part), "{part}: {warning}");
        }
        for part in ["Error: ", "CHANNEL_FAIL", "/dev/shm has 8.0 MiB left of 8.0 MiB"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        // What it says helps.
        s.run("mount", &["-o", "remount,size=256m", "/dev/shm"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 0 3");
        s.lttng(&["destroy"]).ok();
        assert_eq!(said_of(s, "will take up to ").len(), 1);
        assert_eq!(numbers(&events(s, &s.path("trace")), "testapp:tick"), [0, 1, 2]);
        app.exit();
        daemon.stop();
    });
}

#[test]
fn a_folder_for_buffers_that_is_too_small_is_told_before_it_fails() {
    ours_only("says that it has started, and records nothing", |s| {
        let daemon = Daemon::start(s);
        let app = App::start(s);
        start_without_memory(s, &["--shm-path=/dev/shm/buffers"]);
        let [warning] = &said_of(s, "will take up to ")[..] else { panic!("{:?}", said_of(s, "")) };
        assert!(warning.contains(", and /dev/shm/buffers/s-"), "{warning}");
        eventually("the helper is asked", || !said_of(s, "these buffers need").is_empty());
        s.lttng(&["destroy"]).ok();
        app.exit();
        daemon.stop();
    });
}
