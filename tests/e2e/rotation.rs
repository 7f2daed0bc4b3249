// SPDX-License-Identifier: GPL-2.0-only
//! Rotation: what a session recorded so far is archived, and it goes on in a new trace chunk.

use std::io::{Read, Write};

use lttng_protocol::client::{Body, Reply, RotationInfo, RotationState};

use crate::lifecycle::member;
use crate::support::app::App;
use crate::support::chunk::{self, all_numbers, archived, current, note};
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::sandbox::OTHER;
use crate::support::session::{BUFFERS, create, recording, session, session_of};
use crate::support::trace::{Event, events, numbers};
use crate::support::{Sandbox, Which, is_root, ours, ours_only, side_by_side, skip, socket};

#[test]
fn while_it_records() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let (daemon, trace, mut app) = recording(s, &[buffers]);
            for turn in 0..3 {
                app.tell(&format!("tick {} 3", turn * 10));
                s.lttng(&["rotate"]).ok();
                note(s, "after a rotation", &trace);
            }
            app.tell("tick 30 3");
            s.lttng_xml(&["rotate"]).ok();
            s.lttng(&["rotate", "s"]).ok();
            app.tell("tick 40 3");
            s.lttng(&["stop"]).ok();
            note(s, "after stop", &trace);
            s.lttng(&["destroy"]).ok();
            note(s, "after destroy", &trace);
            assert_eq!(archived(&trace).len(), 6);
            assert_eq!(all_numbers(s, &trace), [0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42]);
            app.exit();
            daemon.stop();
        });
    }
}

#[test]
fn while_it_is_stopped_and_started_again() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers]);
            let mut app = App::start(s);
            for turn in 0..3 {
                s.lttng(&["start"]).ok();
                app.tell(&format!("tick {} 3", turn * 10));
                s.lttng(&["stop"]).ok();
                s.lttng(&["rotate"]).ok();
                note(s, "stopped and rotated", &trace);
                s.lttng(&["rotate"]).fails();
                s.lttng_xml(&["rotate"]).fails();
            }
            // Without a rotation in between.
            s.lttng(&["start"]).ok();
            app.tell("tick 30 3");
            s.lttng(&["stop"]).ok();
            s.lttng(&["start"]).ok();
            app.tell("tick 40 3");
            s.lttng(&["rotate"]).ok();
            s.lttng(&["stop"]).ok();
            note(s, "rotated and stopped", &trace);
            s.lttng(&["rotate"]).ok();
            note(s, "rotated while empty", &trace);
            s.lttng(&["destroy"]).ok();
            note(s, "destroyed", &trace);
            assert_eq!(all_numbers(s, &trace).len(), 15);
            daemon.stop();
        });
    }
}

#[test]
fn without_waiting() {
    side_by_side(|s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        app.tell("tick 0 3");
        s.lttng(&["rotate", "--no-wait"]).ok();
        eventually("it is archived", || archived(&trace).len() == 1);
        app.tell("tick 10 3");
        s.lttng_xml(&["rotate", "--no-wait"]).ok();
        eventually("it is archived", || archived(&trace).len() == 2);
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        note(s, "in the end", &trace);
        daemon.stop();
    });
}

#[test]
fn what_is_refused() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["rotate"]).fails();
        s.lttng(&["rotate", "none"]).fails();
        s.lttng(&["create", "n", "--no-output"]).ok();
        // The command lists its outputs next, which is another matter.
        s.run("lttng", &["create", "snap", "--snapshot", "--output", &s.path("snap")]);
        session(s, &[]);
        // Sessions that were never started, and that have nothing to archive.
        for name in ["n", "snap", "s"] {
            s.lttng(&["rotate", name]).fails();
            s.lttng_xml(&["rotate", name]).fails();
            s.lttng(&["enable-event", "-u", "-s", name, "-c", "c", "testapp:tick"]);
            s.lttng(&["start", name]).ok();
        }
        s.lttng(&["rotate", "n"]).fails();
        s.lttng(&["rotate", "snap"]).fails();
        s.lttng(&["rotate", "s", "too", "many"]);
        s.lttng(&["rotate", "--nonsense"]).fails();
        s.lttng(&["stop", "s"]).ok();
        s.lttng(&["clear", "s"]).ok();
        s.lttng(&["rotate", "s"]).fails();
        s.lttng(&["start", "s"]).ok();
        s.lttng(&["rotate", "s"]).ok();
        daemon.stop();
    });
}

#[test]
fn without_an_application() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s, &[]);
        s.lttng(&["start"]).ok();
        s.lttng(&["rotate"]).ok();
        note(s, "empty", &trace);
        let mut app = App::start(s);
        app.tell("tick 0 3");
        s.lttng(&["rotate"]).ok();
        app.exit();
        s.lttng(&["rotate"]).ok();
        s.lttng(&["stop"]).ok();
        s.lttng(&["rotate"]).ok();
        s.lttng(&["destroy"]).ok();
        note(s, "in the end", &trace);
        daemon.stop();
    });
}

#[test]
fn several_channels() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers]);
            s.lttng(&["enable-channel", "-u", buffers, "--overwrite", "d"]).ok();
            s.lttng(&["enable-channel", "-u", buffers, "--subbuf-size=4096", "e"]).ok();
            s.lttng(&["enable-event", "-u", "-c", "d", "testapp:note"]).ok();
            s.lttng(&["enable-event", "-u", "-c", "e", "otherapp:tick"]).ok();
            s.lttng(&["add-context", "-u", "-c", "e", "-t", "vpid"]).ok();
            let mut app = App::start(s);
            s.lttng(&["start"]).ok();
            for turn in 0..3 {
                app.tell(&format!("tick {} 2", turn * 10));
                app.tell(&format!("note {} 2", turn * 10 + 2));
                app.tell(&format!("other {} 2", turn * 10 + 4));
                s.lttng(&["rotate"]).ok();
            }
            s.lttng(&["stop"]).ok();
            s.lttng_unordered(&["list", "s"]).ok();
            s.lttng(&["destroy"]).ok();
            note(s, "in the end", &trace);
            daemon.stop();
        });
    }
}

#[test]
fn applications_that_come_and_go_in_between() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers]);
            let mut early = App::start(s);
            s.lttng(&["start"]).ok();
            early.tell("tick 0 2");
            let mut second = App::start(s);
            second.tell("tick 10 2");
            s.lttng(&["rotate"]).ok();
            let mut third = App::start(s);
            third.tell("tick 20 2");
            early.exit();
            s.lttng(&["rotate"]).ok();
            second.tell("tick 30 2");
            third.kill();
            s.lttng(&["rotate"]).ok();
            s.lttng(&["stop"]).ok();
            s.lttng(&["rotate"]).ok();
            let mut fourth = App::start(s);
            s.lttng(&["start"]).ok();
            fourth.tell("tick 40 2");
            second.tell("tick 50 2");
            s.lttng(&["destroy"]).ok();
            assert_eq!(all_numbers(s, &trace), [0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51]);
            // How long the stock daemon keeps the buffers of a process that has ended differs from run to run.
            if buffers == "--buffers-uid" {
                note(s, "in the end", &trace);
            }
            daemon.stop();
        });
    }
}

#[test]
fn applications_of_two_users() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            if !is_root() {
                return skip("only root can act as another user");
            }
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers]);
            let mut first = App::start(s);
            s.lttng(&["start"]).ok();
            first.tell("tick 0 2");
            s.lttng(&["rotate"]).ok();
            let mut second = App::start_as(s, OTHER);
            second.tell("tick 10 2");
            first.tell("tick 20 2");
            s.lttng(&["rotate"]).ok();
            second.tell("tick 30 2");
            s.lttng(&["stop"]).ok();
            s.lttng(&["rotate"]).ok();
            s.lttng(&["destroy"]).ok();
            note(s, "in the end", &trace);
            daemon.stop();
        });
    }
}

#[test]
fn the_session_of_a_user_under_roots_daemon() {
    side_by_side(|s| {
        let Some(member) = member() else { return skip("needs root and a group `tracing`") };
        let daemon = Daemon::start(s);
        let trace = session_of(s, member, &[]);
        s.lttng_as(member, &["start"]).ok();
        let mut app = App::start_as(s, member);
        for turn in 0..2 {
            app.tell(&format!("tick {} 2", turn * 10));
            s.lttng_as(member, &["rotate"]).ok();
        }
        s.lttng_as(member, &["stop"]).ok();
        s.lttng_as(OTHER, &["rotate", "s"]).fails();
        s.lttng_as(member, &["destroy"]).ok();
        note(s, "in the end", &trace);
        daemon.stop();
    });
}

#[test]
fn buffers_in_a_folder_and_files_of_limited_size() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let (trace, memory) = (s.path("trace"), s.path("memory"));
            let sizes = ["--subbuf-size=4096", "--tracefile-size=8192", "--tracefile-count=3", "--discard"];
            let how = ["--output", &trace, &format!("--shm-path={memory}")];
            create(|args| s.lttng(args), &how, &[&[buffers], &sizes[..]].concat());
            s.lttng(&["start"]).ok();
            let mut app = App::start_on(s, crate::support::process::first_cpu());
            for turn in 0..3 {
                app.tell(&format!("tick {} 20", turn * 100));
                s.lttng(&["rotate"]).ok();
            }
            s.lttng(&["destroy"]).ok();
            eventually("the folders go", || s.run("find", &[&memory, "-mindepth", "2"]).stdout.is_empty());
            note(s, "in the end", &trace);
            daemon.stop();
        });
    }
}

#[test]
fn metadata_is_regenerated_before_and_after() {
    side_by_side(|s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        app.tell("tick 0 2");
        s.lttng(&["regenerate", "metadata"]).ok();
        s.lttng(&["rotate"]).ok();
        app.tell("tick 10 2");
        s.lttng(&["regenerate", "metadata"]).ok();
        app.tell("tick 20 2");
        s.lttng(&["rotate"]).ok();
        s.lttng(&["regenerate", "statedump"]).ok();
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        note(s, "in the end", &trace);
        daemon.stop();
    });
}

#[test]
fn destroying_says_where_the_last_chunk_is() {
    for (stop, rotate) in [(false, true), (true, true), (false, false), (true, false)] {
        side_by_side(|s| {
            let (daemon, trace, mut app) = recording(s, &[]);
            app.tell("tick 0 2");
            if rotate {
                s.lttng(&["rotate"]).ok();
            }
            app.tell("tick 10 2");
            if stop {
                s.lttng(&["stop"]).ok();
            }
            s.lttng_xml(&["destroy"]).ok();
            note(s, "in the end", &trace);
            // The same, rotated while stopped: nothing is left to archive.
            let trace = s.path("second");
            s.lttng(&["create", "t", "--output", &trace]).ok();
            s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
            s.lttng(&["start"]).ok();
            app.tell("tick 20 2");
            s.lttng(&["stop"]).ok();
            s.lttng(&["rotate"]).ok();
            s.lttng(&["destroy"]).ok();
            assert_eq!((archived(&trace).len(), current(&trace).is_some()), (1, false));
            daemon.stop();
        });
    }
}

#[test]
fn destroying_while_a_rotation_goes_on() {
    side_by_side(|s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        app.tell("tick 0 2");
        s.lttng(&["rotate", "--no-wait"]).ok();
        app.tell("tick 10 2");
        s.lttng(&["destroy"]).ok();
        note(s, "in the end", &trace);
        daemon.stop();
    });
    ours_only("it leaves the last chunk where it is", |s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        app.tell("tick 0 2");
        s.lttng(&["rotate", "--no-wait"]).ok();
        app.tell("tick 10 2");
        s.lttng(&["destroy", "--no-wait"]).ok();
        eventually("both are archived", || archived(&trace).len() == 2 && current(&trace).is_none());
        assert_eq!(chunk::numbers(s, &trace), "Some(0): [0, 1]\nSome(1): [10, 11]");
        daemon.stop();
    });
}

#[test]
fn destroying_without_waiting() {
    side_by_side(|s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        app.tell("tick 0 2");
        s.lttng(&["rotate"]).ok();
        app.tell("tick 10 2");
        s.lttng(&["destroy", "--no-wait"]).ok();
        eventually("both are archived", || archived(&trace).len() == 2 && current(&trace).is_none());
        note(s, "in the end", &trace);
        daemon.stop();
    });
}

#[test]
fn the_end_of_the_daemon_archives_what_is_there() {
    ours(|s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        app.tell("tick 0 2");
        s.lttng(&["rotate"]).ok();
        app.tell("tick 10 2");
        daemon.stop();
        assert_eq!(chunk::numbers(s, &trace), "Some(0): [0, 1]\nSome(1): [10, 11]");
        assert!(current(&trace).is_none());
    });
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    for buffers in BUFFERS {
        ours(|s| {
            let daemon = Daemon::start(s);
            let trace = session(s, &[buffers, "--num-subbuf=8"]);
            let mut apps = [App::start(s), App::start(s)];
            s.lttng(&["start"]).ok();
            for (number, app) in apps.iter_mut().enumerate() {
                app.send(&format!("pace {} 15000 100", number * 100_000));
            }
            for _ in 0..20 {
                s.run("lttng", &["rotate"]).ok();
            }
            for app in &apps {
                assert_eq!(app.answer(), "done");
            }
            s.lttng(&["destroy"]).ok();
            assert_eq!(archived(&trace).len(), 21);
            let filled = archived(&trace).iter().filter(|chunk| !chunk.events(s).is_empty()).count();
            assert!(filled > 10, "the applications emit all the time, not only in {filled} chunks");
            let want: Vec<i64> = (0..15_000).chain(100_000..115_000).collect();
            assert!(all_numbers(s, &trace) == want);
            daemon.stop();
        });
    }
}

/// What the daemon says of a rotation. The stock daemon takes a client for nobody when its first bytes come before
/// the daemon has asked the kernel for the client's identity.
fn info(s: &Sandbox, session: &str, id: u64) -> Result<RotationInfo, u32> {
    const REFUSED: u32 = 32;
    let mut answers = std::iter::repeat_with(|| info_once(s, session, id));
    answers.find(|answer| s.which() == Which::Ours || *answer != Err(REFUSED)).unwrap()
}

fn info_once(s: &Sandbox, session: &str, id: u64) -> Result<RotationInfo, u32> {
    let (header, payload) = Body::RotationInfo { id }.encode(session, 0, 0);
    let mut stream = socket::connect(s, "/run/lttng/client-lttng-sessiond");
    stream.write_all(&[header.encode(), payload].concat()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let reply = Reply::decode(&bytes).unwrap();
    RotationInfo::decode(&reply.payload).map_err(|_| reply.code.number())
}

#[test]
fn what_is_known_of_rotations() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let note = |when: &str| {
            for id in [0, 1, 2, 7, u64::MAX] {
                s.note(&format!("{when}: {id}"), &format!("{:?}", info(s, "s", id)), Order::Fixed);
            }
        };
        note("no session");
        session(s, &[]);
        note("never started");
        s.lttng(&["start"]).ok();
        note("never rotated");
        for _ in 0..2 {
            s.lttng(&["rotate"]).ok();
            note("rotated");
        }
        s.lttng(&["clear"]).ok();
        note("cleared");
        s.lttng(&["stop"]).ok();
        s.lttng(&["rotate"]).ok();
        note("rotated and stopped");
        s.lttng(&["start"]).ok();
        note("started again");
        s.lttng(&["destroy"]).ok();
        note("destroyed");
        daemon.stop();
    });
}

#[test]
fn after_the_death_of_the_consumer_daemon() {
    for stop in [false, true] {
        side_by_side(|s| {
            let (daemon, trace, mut app) = recording(s, &[]);
            app.tell("tick 0 2");
            s.lttng(&["rotate"]).ok();
            if stop {
                s.lttng(&["stop"]).ok();
            }
            s.kill_all("lttng-consumerd");
            s.lttng(&["rotate"]);
            s.lttng(&["clear"]);
            s.lttng(&["rotate"]);
            s.lttng(&["destroy"]);
            s.lttng(&["list"]).ok();
            let first = &archived(&trace)[0];
            assert_eq!(first.events(s).iter().map(Event::n).collect::<Vec<_>>(), [0, 1]);
            app.exit();
            daemon.stop();
        });
    }
}

#[test]
fn where_the_archives_cant_be_made() {
    ours_only("it says that the chunk is archived, and leaves it in a hidden folder", |s| {
        let (daemon, trace, mut app) = recording(s, &[]);
        std::fs::write(format!("{trace}/archives"), "not a folder").unwrap();
        for turn in 0..3 {
            app.tell(&format!("tick {} 2", turn * 10));
            s.lttng(&["rotate"]).fails();
            assert_eq!(info(s, "s", turn).unwrap().state, RotationState::Error);
        }
        std::fs::remove_file(format!("{trace}/archives")).unwrap();
        app.tell("tick 30 2");
        s.lttng(&["rotate"]).ok();
        app.tell("tick 40 2");
        s.lttng(&["destroy"]).ok();
        assert_eq!(archived(&trace).iter().map(|chunk| chunk.number).collect::<Vec<_>>(), [Some(3), Some(4)]);
        // What could not be moved is where it was recorded.
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 11, 20, 21, 30, 31, 40, 41]);
        daemon.stop();
    });
}
