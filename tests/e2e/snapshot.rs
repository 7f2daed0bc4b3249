// SPDX-License-Identifier: GPL-2.0-only
//! Snapshots: what they hold, and where they are.

use std::fs;
use std::time::Duration;

use crate::identity::{FIRST, SECOND, members};
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::foreign::Foreign;
use crate::support::normalise::{Order, dates};
use crate::support::session::{BUFFERS, create};
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, is_root, ours, ours_only, side_by_side, skip};

/// The folders of a place and the files for CPU 0, without process ids, dates and sizes.
pub fn layout(s: &Sandbox, place: &str) -> String {
    let found = s.run("find", &[place, "-mindepth", "1", "-printf", "%P %y %m %U:%G\n"]).ok();
    let mut lines: Vec<String> = found
        .stdout
        .lines()
        .filter(|line| !line.contains("/c_") || line.contains("/c_0"))
        .map(|line| match line.split_once("pid/emitter-") {
            Some((before, rest)) => {
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
                format!("{before}pid/emitter-N-DATE{rest}")
            }
            None => line.to_owned(),
        })
        .map(|line| dates(&line))
        .collect();
    lines.sort();
    lines.join("\n")
}

/// The snapshots of a place by their numbers.
fn snapshots(place: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(place) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_by(|a, b| number(a).cmp(&number(b)).then_with(|| a.cmp(b)));
    names.into_iter().map(|name| format!("{place}/{name}")).collect()
}

/// The number of the snapshot in a folder of this name.
fn number(snapshot: &str) -> Option<u32> {
    snapshot.rsplit('-').next()?.parse().ok()
}

/// The numbers that `testapp:tick` carries in each snapshot of a place.
pub fn recorded(s: &Sandbox, place: &str) -> Vec<Vec<i64>> {
    snapshots(place).iter().map(|snapshot| numbers(&events(s, snapshot), "testapp:tick")).collect()
}

/// Creates session `s`, whose snapshots go to the folder that is returned, with a channel and an event rule.
fn session(s: &Sandbox, channel: &[&str]) -> String {
    let place = s.path("place");
    create(|args| s.lttng(args), &["--snapshot", "--output", &place], channel);
    place
}

#[test]
fn recorded_while_active_and_stopped() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let mut early = App::start(s);
            let place = session(s, &[buffers]);
            s.lttng(&["start"]).ok();
            let mut late = App::start(s);
            s.lttng(&["snapshot", "record"]).ok();
            early.tell("tick 0 3");
            late.tell("tick 10 3");
            s.lttng(&["snapshot", "record"]).ok();
            early.tell("tick 3 1");
            s.lttng_xml(&["snapshot", "record"]).ok();
            s.lttng(&["stop"]).ok();
            s.lttng(&["snapshot", "record"]).ok();
            s.lttng(&["snapshot", "record"]).ok();
            s.lttng(&["start"]).ok();
            early.tell("tick 4 1");
            s.lttng(&["snapshot", "record", "s"]).fails();
            s.lttng(&["snapshot", "record", "-s", "s"]).ok();
            s.note("layout", &layout(s, &place), Order::Fixed);
            let (first, second) = (vec![0, 1, 2, 10, 11, 12], vec![0, 1, 2, 10, 11, 12, 3]);
            let want = [vec![], first, second.clone(), second.clone(), second];
            let all = recorded(s, &place);
            assert_eq!(all[..5], want);
            // Each snapshot begins new packets: the oldest ones are gone by now.
            s.note("recorded last", &format!("{:?}", &all[5..]), Order::Fixed);
            s.lttng(&["destroy"]).ok();
            daemon.stop();
        });
    }
}

/// A CPU that the tests may use, and how many there may be.
fn cpus() -> (usize, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let first = allowed.trim().split([',', '-']).next().unwrap().parse().unwrap();
    let possible = fs::read_to_string("/sys/devices/system/cpu/possible").unwrap();
    let last: u64 = possible.trim().rsplit(['-', ',']).next().unwrap().parse().unwrap();
    (first, last + 1)
}

/// Has an application run on one CPU only.
fn pin(s: &Sandbox, app: &App, cpu: usize) {
    s.run("taskset", &["--all-tasks", "--cpu-list", "--pid", &cpu.to_string(), &app.pid().to_string()]).ok();
}

#[test]
fn sizes() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let (cpu, possible) = cpus();
            let place = session(s, &[buffers, "--subbuf-size=4k", "--num-subbuf=4"]);
            s.lttng(&["enable-channel", "-u", buffers, "d", "--subbuf-size=8k", "--num-subbuf=2"]).ok();
            s.lttng(&["enable-event", "-u", "-c", "d", "testapp:tick"]).ok();
            s.lttng(&["start"]).ok();
            let mut app = App::start(s);
            pin(s, &app, cpu);
            // Many times what the buffers hold.
            app.tell("tick 0 20000");
            let round = (4 + 8) * 1024 * possible;
            let sizes = [round - 1, round, 2 * round - 1, 2 * round, 2 * round + 4096 * possible, 1 << 40];
            for size in sizes {
                let output = s.run("lttng", &["snapshot", "record", "--max-size", &size.to_string()]);
                s.note(
                    "record",
                    &format!("{}\n{}{}", output.code, output.stdout, output.stderr),
                    Order::Fixed,
                );
            }
            s.lttng(&["snapshot", "del-output", "1"]).ok();
            let size = format!("--max-size={round}");
            s.lttng(&["snapshot", "add-output", &place, "--name=limited", &size]);
            s.lttng(&["snapshot", "record"]).ok();
            s.lttng(&["snapshot", "record", "-m", "0"]).ok();
            let mut all = snapshots(&place);
            // The one that was refused has the number of the next, and its folder if both are of the same second.
            if all.len() > 1 && number(&all[0]) == number(&all[1]) {
                all.remove(0);
            }
            let mut notes = String::new();
            for (at, snapshot) in all.iter().enumerate() {
                // On a busy machine 2.13.9's consumer daemon was seen to write no metadata for the first one, with either
                // session daemon.
                let metadata = [snapshot.as_str(), "-name", "metadata", "-size", "+0"];
                let read = at > 0 || !s.run("find", &metadata).ok().stdout.is_empty();
                let events = if read { events(s, snapshot) } else { Vec::new() };
                let ticks = numbers(&events, "testapp:tick");
                assert!(ticks.is_empty() || ticks.last() == Some(&19999), "{ticks:?}");
                let told = if at > 0 { ticks.len().to_string() } else { "some".to_owned() };
                let files = ["c", "d"].map(|channel| format!("{channel}_{cpu}"));
                let names = ["-name", &files[0], "-o", "-name", &files[1]];
                let found =
                    s.run("find", &[&[snapshot.as_str()], &names[..], &["-printf", "%f %s\n"]].concat()).ok();
                let mut lines: Vec<&str> = found.stdout.lines().collect();
                lines.sort_unstable();
                notes.push_str(&format!("{told} events, {lines:?}\n"));
            }
            s.note("sizes", &notes, Order::Fixed);
            let layout = layout(s, &place);
            let mut lines: Vec<&str> = layout.lines().collect();
            lines.dedup();
            s.note("layout", &lines.join("\n"), Order::Fixed);
            s.lttng(&["destroy"]).ok();
            app.exit();
            daemon.stop();
        });
    }
}

#[test]
fn a_hundred_times() {
    for buffers in BUFFERS {
        ours(|s| {
            let daemon = Daemon::start(s);
            let place = session(s, &[buffers, "--subbuf-size=4k", "--num-subbuf=2"]);
            let consumer = s.processes("lttng-consumerd")[0];
            let idle = consumer.descriptors();
            s.lttng(&["start"]).ok();
            let mut apps = App::start_many(s, 2);
            s.lttng(&["snapshot", "record"]).ok();
            let open = || (daemon.process().descriptors(), consumer.descriptors());
            let before = open();
            for number in 1..100 {
                let app = &mut apps[number % 2];
                app.tell(&format!("tick {} 200", number * 200));
                s.run("lttng", &["snapshot", "record"]).ok();
                let last = snapshots(&place).pop().unwrap();
                assert!(last.ends_with(&format!("-{number}")), "{last}");
                let ticks = numbers(&events(s, &last), "testapp:tick");
                let newest = i64::try_from(number * 200 + 199).unwrap();
                assert_eq!(ticks.last(), Some(&newest));
            }
            assert_eq!(snapshots(&place).len(), 100);
            // Connections of `lttng` may be closed a moment later.
            eventually("no descriptor is left over", || {
                let now = open();
                now.0 <= before.0 && now.1 <= before.1
            });
            s.lttng(&["destroy"]).ok();
            eventually("it closes everything", || consumer.descriptors() == idle);
            daemon.stop();
        });
    }
}

#[test]
fn users_and_applications() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            if !is_root() {
                return skip("only root can act as another user");
            }
            let daemon = Daemon::start(s);
            let place = session(s, &[buffers]);
            s.lttng(&["enable-channel", "-u", buffers, "c_second", "--discard"]).ok();
            s.lttng(&["enable-event", "-u", "-c", "c_second", "testapp:note"]).ok();
            let mut apps = vec![App::start_as(s, FIRST), App::start_as(s, SECOND)];
            s.lttng(&["start"]).ok();
            apps.extend([App::start(s), App::start_as(s, FIRST)]);
            for (number, app) in apps.iter_mut().enumerate() {
                app.tell(&format!("tick {} 2", number * 10));
                app.tell(&format!("note {} 2", number * 10));
            }
            s.lttng(&["snapshot", "record"]).ok();
            // The data of one that has ended goes with it, if it had buffers of its own.
            apps.remove(0).exit();
            eventually("it leaves", || {
                s.run("lttng", &["list", "-u"]).ok().stdout.matches("PID").count() == 3
            });
            s.lttng(&["snapshot", "record"]).ok();
            s.note("layout", &layout(s, &place), Order::Fixed);
            let mut ticks = vec![0, 1, 10, 11, 20, 21, 30, 31];
            let all = snapshots(&place);
            let check = |snapshot: &str, ticks: &[i64]| {
                let events = events(s, snapshot);
                assert_eq!(numbers(&events, "testapp:tick"), ticks);
                assert_eq!(numbers(&events, "testapp:note"), ticks);
            };
            check(&all[0], &ticks);
            if buffers == "--buffers-pid" {
                ticks.drain(..2);
            }
            check(&all[1], &ticks);
            s.lttng(&["destroy"]).ok();
            daemon.stop();
        });
    }
}

#[test]
fn a_users_daemon_writes_as_that_user() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start_as(s, FIRST, &[]);
        let place = s.home_of(FIRST).join("place").to_string_lossy().into_owned();
        create(|args| s.lttng_as(FIRST, args), &["--snapshot", "--output", &place], &[]);
        s.lttng_as(FIRST, &["start"]).ok();
        let mut app = App::start_as(s, FIRST);
        app.tell("tick 7 1");
        s.lttng_as(FIRST, &["snapshot", "record"]).ok();
        // The folder above it is root's.
        let not_mine = s.path("not-mine");
        s.lttng_as(FIRST, &["snapshot", "record", &not_mine]).fails();
        assert!(!std::path::Path::new(&not_mine).exists());
        assert_eq!(recorded(s, &place), [[7]]);
        s.note("layout", &layout(s, &place), Order::Fixed);
        s.lttng_as(FIRST, &["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn snapshots_are_the_session_owners() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let Some([member, _]) = members() else { return skip("needs root and a group `tracing`") };
            let daemon = Daemon::start(s);
            let place = s.home_of(member).join("place").to_string_lossy().into_owned();
            let lttng = |args: &[&str]| s.lttng_as(member, args);
            create(lttng, &["--snapshot", "--output", &place], &[buffers]);
            lttng(&["start"]).ok();
            let mut apps = [App::start_as(s, SECOND), App::start(s), App::start_as(s, member)];
            for (number, app) in apps.iter_mut().enumerate() {
                app.tell(&format!("tick {} 2", number * 10));
            }
            lttng(&["snapshot", "record"]).ok();
            // Root's folders are not the member's.
            let not_mine = s.path("not-mine");
            lttng(&["snapshot", "record", &not_mine]).fails();
            assert!(!std::path::Path::new(&not_mine).exists());
            lttng(&["snapshot", "record"]).ok();
            assert_eq!(recorded(s, &place), vec![vec![0, 1, 10, 11, 20, 21]; 2]);
            s.note("layout", &layout(s, &place), Order::Fixed);
            lttng(&["destroy"]).ok();
            daemon.stop();
        });
    }
}

#[test]
fn the_metadata_goes_with_the_data() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let place = session(s, &[]);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 1");
        s.lttng(&["snapshot", "record"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:note"]).ok();
        app.tell("note 1 1");
        s.lttng(&["snapshot", "record"]).ok();
        s.lttng(&["regenerate", "metadata"]).ok();
        s.lttng(&["snapshot", "record"]).ok();
        app.tell("note 2 1");
        s.lttng(&["stop"]).ok();
        s.lttng(&["snapshot", "record"]).ok();
        let all = snapshots(&place);
        let notes: Vec<_> = all.iter().map(|one| numbers(&events(s, one), "testapp:note")).collect();
        assert_eq!(notes, [vec![], vec![1], vec![1], vec![1, 2]]);
        s.lttng(&["destroy"]).ok();
        app.exit();
        daemon.stop();
    });
}

#[test]
fn what_was_cleared_is_in_no_snapshot() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let place = session(s, &[buffers]);
            s.lttng(&["start"]).ok();
            let mut app = App::start(s);
            app.tell("tick 0 2");
            s.lttng(&["clear"]).ok();
            s.lttng(&["snapshot", "record"]).ok();
            app.tell("tick 2 2");
            s.lttng(&["snapshot", "record"]).ok();
            s.lttng(&["clear"]).ok();
            s.lttng(&["rotate"]).fails();
            app.tell("tick 4 1");
            s.lttng(&["stop"]).ok();
            s.lttng(&["snapshot", "record"]).ok();
            s.lttng(&["clear"]).ok();
            s.lttng(&["snapshot", "record"]).ok();
            s.lttng(&["start"]).ok();
            app.tell("tick 5 1");
            s.lttng(&["snapshot", "record"]).ok();
            assert_eq!(recorded(s, &place), [vec![], vec![2, 3], vec![4], vec![], vec![5]]);
            s.note("layout", &layout(s, &place), Order::Fixed);
            s.lttng(&["destroy"]).ok();
            daemon.stop();
        });
    }
}

#[test]
fn buffers_in_a_folder_of_the_users() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let (place, memory) = (s.path("place"), s.path("memory"));
        let shm = format!("--shm-path={memory}");
        s.lttng(&["create", "s", "--snapshot", "--output", &place, &shm]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 2");
        s.lttng(&["snapshot", "record"]).ok();
        assert_eq!(recorded(s, &place), [[0, 1]]);
        s.note("place", &layout(s, &place), Order::Fixed);
        s.note("memory", &layout(s, &memory), Order::Fixed);
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn without_its_consumer_daemon() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let place = session(s, &[]);
        s.lttng(&["start"]).ok();
        let app = App::start(s);
        s.kill_all("lttng-consumerd");
        for _ in 0..2 {
            s.lttng(&["snapshot", "record"]);
        }
        s.lttng(&["stop"]).ok();
        s.lttng(&["snapshot", "record"]);
        s.lttng(&["snapshot", "list-output"]).ok();
        // What fails does not count: within one second, the folders have the same name.
        let layout = layout(s, &place);
        let mut lines: Vec<&str> = layout.lines().collect();
        lines.dedup();
        s.note("layout", &lines.join("\n"), Order::Fixed);
        s.lttng(&["destroy"]).ok();
        app.exit();
        daemon.stop();
    });
}

#[test]
fn applications_that_stand_still_or_die_meanwhile() {
    for buffers in BUFFERS {
        ours_only("it waits 5 s for an application that stands still", |s| {
            let daemon = Daemon::start(s);
            let place = session(s, &[buffers]);
            s.lttng(&["start"]).ok();
            let mut frozen = App::start(s);
            frozen.tell("tick 0 2");
            frozen.freeze();
            s.lttng(&["snapshot", "record"]).ok().within(Duration::from_secs(3));
            assert_eq!(recorded(s, &place), [[0, 1]]);
            frozen.thaw();
            for _ in 0..10 {
                let mut dying = App::start_many(s, 3);
                dying.iter_mut().for_each(|app| app.tell("tick 0 2"));
                let record = std::thread::scope(|scope| {
                    let record = scope.spawn(|| s.run("lttng", &["snapshot", "record"]));
                    dying.into_iter().for_each(App::kill);
                    record.join().unwrap()
                });
                record.ok();
            }
            s.lttng(&["destroy"]).ok();
            frozen.exit();
            daemon.stop();
        });
    }
}

#[test]
fn sessions_end_with_snapshots_in_their_places() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        for (name, stop) in [("active", false), ("stopped", true)] {
            let place = s.path(name);
            s.lttng(&["create", name, "--snapshot", "--output", &place]).ok();
            s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
            s.lttng(&["start"]).ok();
            app.tell("tick 0 2");
            if stop {
                s.lttng(&["stop"]).ok();
            }
            s.lttng(&["snapshot", "record"]).ok();
            s.lttng(&["destroy"]).ok();
            assert_eq!(recorded(s, &place), [[0, 1]]);
            // The name, the place and its numbers are free again.
            s.lttng(&["create", name, "--snapshot", "--output", &place]).ok();
            s.lttng(&["snapshot", "list-output"]).ok();
            s.lttng(&["destroy"]).ok();
        }
        daemon.stop();
    });
}

fn start_with_both(s: &Sandbox, foreign: &Foreign) -> Daemon {
    let options = foreign.consumer_options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Daemon::start_with(s, &[&["--no-kernel"], &*options].concat())
}

#[test]
fn applications_of_both_word_sizes() {
    let Some(foreign) = Foreign::bits_32() else { return };
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = start_with_both(s, &foreign);
            let place = session(s, &[buffers]);
            s.lttng(&["start"]).ok();
            let mut apps = [App::start_foreign(s, &foreign, "emitter"), App::start(s)];
            s.lttng(&["snapshot", "record"]).ok();
            for (number, app) in (0..).zip(&mut apps) {
                app.tell(&format!("tick {} 2", number * 10));
            }
            s.lttng(&["snapshot", "record"]).ok();
            s.note("layout", &layout(s, &place), Order::Fixed);
            assert_eq!(recorded(s, &place), [vec![], vec![0, 1, 10, 11]]);
            s.lttng(&["destroy"]).ok();
            daemon.stop();
        });
    }
}

#[test]
fn one_consumer_daemon_of_two_dies() {
    let Some(foreign) = Foreign::bits_32() else { return };
    ours_only("it records no snapshot at all any more", |s| {
        let daemon = start_with_both(s, &foreign);
        let place = session(s, &[]);
        s.lttng(&["start"]).ok();
        let narrow = App::start_foreign(s, &foreign, "emitter");
        let mut wide = App::start(s);
        s.kill_all("ld-linux");
        wide.tell("tick 0 2");
        s.lttng(&["snapshot", "record"]).ok();
        assert_eq!(recorded(s, &place), [[0, 1]]);
        s.lttng(&["destroy"]).ok();
        narrow.exit();
        daemon.stop();
    });
}

#[test]
fn many_applications_with_buffers_of_their_own() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let place = session(s, &["--buffers-pid", "--subbuf-size=4k", "--num-subbuf=2"]);
        s.lttng(&["start"]).ok();
        let mut apps = App::start_many(s, 100);
        for (number, app) in apps.iter_mut().enumerate() {
            app.tell(&format!("tick {number} 1"));
        }
        s.lttng(&["snapshot", "record"]).ok();
        let found = s.run("find", &[&place, "-name", "metadata", "-size", "+0"]).ok();
        assert_eq!(found.stdout.lines().count(), 100);
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}
