// SPDX-License-Identifier: GPL-2.0-only
//! What can't be recorded, or is lost: full disks, folders that are removed or can't be made, too few descriptors.
//! Whoever asked is told, and when the cause is gone, all goes on.

use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::chunk::all_numbers;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::sandbox::OTHER;
use crate::support::session::{BUFFERS, create, recording};
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, ours_only, side_by_side, version};

/// Starts must fail long before a task has had its time.
const SOON: Duration = Duration::from_secs(5);

/// A session on a file system that is full by now.
fn on_a_full_disk(s: &Sandbox) -> Daemon {
    let disk = s.path("disk");
    std::fs::create_dir(&disk).unwrap();
    s.run("mount", &["-t", "tmpfs", "-o", "size=600k", "none", &disk]).ok();
    let daemon = Daemon::start(s);
    create(
        |args| s.lttng(args),
        &["--output", &format!("{disk}/trace")],
        &["--subbuf-size=64k", "--num-subbuf=4"],
    );
    s.lttng(&["start"]).ok();
    let mut app = App::start(s);
    // More than there is room for, at a pace at which it is written, and what a busy machine has discarded once more.
    let is_full = || s.run("stat", &["--file-system", "--format=%a", &disk]).ok().stdout == "0\n";
    for turn in 0.. {
        if turn >= 100 && turn % 20 == 0 && is_full() {
            break;
        }
        assert!(turn < 2000, "the disk does not become full");
        app.tell(&format!("tick {} 2000", turn * 2000));
    }
    app.exit();
    daemon
}

#[test]
fn a_full_disk_is_told_by_rotate() {
    side_by_side(|s| {
        let daemon = on_a_full_disk(s);
        let rotated = s.run("lttng", &["rotate"]).fails();
        if !consumer_may_abort() {
            s.note("rotate", &format!("{} {}", rotated.code, rotated.stderr), Order::Fixed);
        }
        daemon.stop();
    });
}

/// Whether a consumer daemon may fail an assertion (`consumer_wait_metadata_cache_flushed`) when there is no room for metadata.
/// Whoever asks for something then is told so, by another code.
fn consumer_may_abort() -> bool {
    version::stock() >= [2, 13, 11]
}

#[test]
fn a_full_disk_is_told_by_destroy() {
    ours_only("gives the same code, or says that the session does not exist", |s| {
        let daemon = on_a_full_disk(s);
        s.lttng(&["stop"]).ok();
        // The code, which happens to be that of a program killed by SIGPIPE.
        let destroyed = s.lttng(&["destroy"]);
        let is_lost = consumer_may_abort() && destroyed.code == 150;
        assert!(is_lost || destroyed.code == 141 && destroyed.stderr.contains("Rotation failure"));
        daemon.stop();
    });
}

#[test]
fn a_full_disk_is_told_by_clear() {
    ours_only("answers with the same code, but not in the same step", |s| {
        let daemon = on_a_full_disk(s);
        s.lttng(&["clear"]).fails();
        daemon.stop();
    });
}

#[test]
fn an_output_that_was_removed_is_told_by_rotate() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let (daemon, trace, mut app) = recording(s, &[buffers]);
            app.tell("tick 0 3");
            std::fs::remove_dir_all(&trace).unwrap();
            s.lttng(&["rotate"]).fails();
            app.exit();
            daemon.stop();
        });
    }
}

#[test]
fn after_its_output_was_removed_a_session_goes_on_with_the_next_chunk() {
    for buffers in BUFFERS {
        ours_only("fails each rotation from then on", |s| {
            let (daemon, trace, mut app) = recording(s, &[buffers]);
            // Gone before its metadata channel is made.
            std::fs::remove_dir_all(&trace).unwrap();
            s.lttng(&["rotate"]).fails();
            app.tell("tick 10 3");
            s.lttng(&["rotate"]).ok();
            app.tell("tick 20 3");
            s.lttng(&["destroy"]).ok();
            assert_eq!(all_numbers(s, &trace), [10, 11, 12, 20, 21, 22]);
            app.exit();
            daemon.stop();
        });
    }
}

#[test]
fn a_folder_for_buffers_that_cant_be_made_fails_the_start_at_once() {
    for buffers in BUFFERS {
        ours_only("says that it has started, and records nothing", |s| {
            let daemon = Daemon::start(s);
            let (trace, obstacle) = (s.path("trace"), s.path("obstacle"));
            std::fs::write(&obstacle, "").unwrap();
            let shm = format!("--shm-path={obstacle}/shm");
            create(|args| s.lttng(args), &["--output", &trace, &shm], &[buffers]);
            let mut app = App::start(s);
            for _ in 0..3 {
                let begin = Instant::now();
                s.lttng(&["start"]).fails();
                assert!(begin.elapsed() < SOON);
            }
            std::fs::remove_file(&obstacle).unwrap();
            s.lttng(&["start"]).ok();
            app.tell("tick 0 3");
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 2]);
            app.exit();
            daemon.stop();
        });
    }
}

/// Limits how many descriptors consumer daemons may have, soft and hard.
fn limit_consumers(s: &Sandbox, count: &str) {
    let consumers = "$(pgrep -f lttng-consumerd)";
    let command = format!("for pid in {consumers}; do prlimit --nofile={count} --pid $pid; done");
    s.run("sh", &["-c", &command]).ok();
}

#[test]
fn a_channel_whose_files_have_no_names_is_refused() {
    ours_only("takes it, and records nothing of applications in any channel", |s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        let names = [249, 247].map(|length| "n".repeat(length));
        let [longest, longest_with_numbers] = &names;
        let in_pieces = ["enable-channel", "-u", "--tracefile-size=1M"];
        s.lttng(&["enable-channel", "-u", &format!("{longest}x")]).fails();
        s.lttng(&["enable-event", "-u", "-c", &format!("{longest}x"), "testapp:tick"]).fails();
        s.lttng(&[&in_pieces[..], &[&format!("{longest_with_numbers}x")]].concat()).fails();
        s.lttng(&["enable-channel", "-u", longest]).ok();
        s.lttng(&[&in_pieces[..], &[longest_with_numbers]].concat()).ok();
        for name in &names {
            s.lttng(&["enable-event", "-u", "-c", name, "testapp:tick"]).ok();
        }
        let mut app = App::start(s);
        s.lttng(&["start"]).ok();
        app.tell("tick 7 1");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [7, 7]);
        app.exit();
        daemon.stop();
    });
}

#[test]
fn more_channels_than_the_consumer_daemon_has_descriptors_for() {
    const CHANNELS: usize = 60;
    for buffers in BUFFERS {
        ours_only("says that it has started, and records to some of them", |s| {
            let daemon = Daemon::start(s);
            let trace = s.path("trace");
            s.lttng(&["create", "s", "--output", &trace]).ok();
            let names: Vec<String> = (0..CHANNELS).map(|number| format!("c{number}")).collect();
            for name in &names {
                let size = ["--subbuf-size=4k", "--num-subbuf=2"];
                s.lttng(&[&["enable-channel", "-u", buffers], &size[..], &[name]].concat()).ok();
                s.lttng(&["enable-event", "-u", "-c", name, "testapp:tick"]).ok();
            }
            let mut app = App::start(s);
            limit_consumers(s, "100:4096");
            s.lttng(&["start"]).fails();
            let log = std::fs::read_to_string(s.path("daemon.log")).unwrap();
            let told = log.lines().find(|line| line.contains("Session s records nothing"));
            assert!(told.is_some_and(|line| line.contains("c59: ") && line.contains("status")), "{log}");
            limit_consumers(s, "4096:4096");
            s.lttng(&["start"]).ok();
            app.tell("tick 7 1");
            s.lttng(&["destroy"]).ok();
            let recorded = numbers(&events(s, &trace), "testapp:tick");
            assert_eq!(recorded, vec![7; CHANNELS], "one event in each channel");
            app.exit();
            daemon.stop();
        });
    }
}

#[test]
fn what_a_shortage_spoils_comes_by_itself_when_it_is_over() {
    for buffers in BUFFERS {
        ours_only("never records the application", |s| {
            let (daemon, trace, mut app) = recording(s, &[buffers]);
            app.tell("tick 0 1");
            limit_consumers(s, "10:4096");
            let mut late = App::start_as(s, OTHER);
            late.tell("tick 10 1");
            let log = || std::fs::read_to_string(s.path("daemon.log")).unwrap();
            eventually("it is told", || log().contains(" records nothing of "));
            limit_consumers(s, "4096:4096");
            eventually("it is asked for again", || log().contains(" after all; channels: "));
            app.tell("tick 1 1");
            // The application has what it needs a moment later: any command waits for that.
            s.lttng(&["enable-event", "-u", "-c", "c", "no:such_event"]).ok();
            late.tell("tick 11 1");
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 11]);
            assert_eq!(log().matches(" after all; channels: ").count(), 1, "{}", log());
            app.exit();
            late.exit();
            daemon.stop();
        });
    }
}
