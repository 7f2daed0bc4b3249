// SPDX-License-Identifier: GPL-2.0-only
use super::*;
use crate::report::{Command, Count, Counters, Daemon, Held, Message, User};

#[test]
fn bytes_and_times_as_people_say_them() {
    let sizes = [0, 1023, 1024, 1536, 1 << 20, (5 << 30) + (1 << 29), u64::MAX];
    let texts: Vec<String> = sizes.map(bytes).into();
    assert_eq!(texts[..6], ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.5 GiB"]);
    let times: Vec<String> = [0, 59, 61, 3_700, 90_000].map(duration).into();
    assert_eq!(times, ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
    let short: Vec<String> = [4096, 1 << 20, 3 << 30, 1500].map(short_size).into();
    assert_eq!(short, ["4k", "1M", "3G", "1500"]);
}

fn report() -> Report {
    let application = |pid, progress| Application {
        pid,
        uid: 1000,
        name: "app".into(),
        abi: "9.1".into(),
        bits: 64,
        progress,
        ..Application::default()
    };
    let lagging = Application {
        owes: 3,
        owes_first: Some("the start of a session".into()),
        waiting_ms: Some(12_000),
        tracer: Some("2.13.5".into()),
        ..application(7, Progress::Lagging)
    };
    let mut applications: Vec<_> = (100..140).map(|pid| application(pid, Progress::Converged)).collect();
    applications.push(lagging);
    Report {
        daemon: Daemon {
            version: "2.13.0+rs.0.1.0".into(),
            pid: 14,
            uptime: 3_700,
            now: 1_000,
            run_directory: "/var/run/lttng".into(),
            descriptors: 31,
            descriptors_limit: 1024,
            ..Daemon::default()
        },
        sessions: vec![Session {
            name: "s".into(),
            uid: 1000,
            life: Life::Active,
            kind: SessionKind::Regular,
            output: "/tmp/s".into(),
            lost: 9,
            left_over: true,
            idle: 90_000,
            channels: vec![Channel {
                name: "c".into(),
                lost: 9,
                subbuf_size: 4096,
                num_subbuf: 2,
                suggested_subbuf_size: Some(1 << 20),
                ..Channel::default()
            }],
            ..Session::default()
        }],
        applications,
        users: vec![User {
            uid: 1000,
            holds: vec![Held { resource: "memory".into(), amount: 63 << 20, limit: 64 << 20 }],
        }],
        counters: Counters {
            latency_bounds_us: vec![100, 1000],
            errors: vec![Count { name: "LTTNG_ERR_UND".into(), count: 2 }],
            commands: vec![Command {
                name: "start_trace".into(),
                served: 4,
                failed: 2,
                total_us: 4_000,
                latency: vec![3, 0, 1],
            }],
            ..Counters::default()
        },
        messages: vec![Message {
            at: 940,
            level: "warning".into(),
            text: "beware\x1b[2J".into(),
            ..Message::default()
        }],
        ..Report::default()
    }
}

fn name_of(uid: u32) -> Option<String> {
    (uid == 1000).then(|| "anna".to_owned())
}

#[test]
fn what_needs_attention_is_said_and_comes_first() {
    let text = text(&report(), &name_of, Room::ENDLESS);
    for part in [
        "lttng-sessiond 2.13.0+rs.0.1.0, 0's, process 14, up 1 h 1 min, in /var/run/lttng\n",
        "Sessions: 1\n",
        "s seems to be left over: nothing has happened to it for 1 d 1 h\n",
        "s, channel c: 9 events discarded with 2 x 4.0 KiB; --subbuf-size=1M would have held them\n",
        "Applications: 41 (40 converged, 1 lagging)\n",
        "lagging    its process is suspended; owes 3 answers for 12 s, the first about the start of a session\n",
        "63.0 MiB / 64.0 MiB\n",
        "Failures: 2 LTTNG_ERR_UND\n",
        "  start_trace       4       2  1 ms         longer\n",
        "1 min 0 s ago  warning  beware\\u{1b}[2J\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let row = |pid: &str| text.lines().position(|line| line.trim_start().starts_with(pid)).unwrap();
    assert!(row("7  anna") < row("100  anna"));
}

#[test]
fn it_keeps_to_one_screen() {
    let room = Room { width: Some(80), height: Some(30), colour: true };
    let text = text(&report(), &name_of, room);
    assert!(text.lines().count() <= 30, "{text}");
    assert!(text.contains("\x1b[31mlagging"), "{text}");
    assert!(text.contains("more"), "{text}");
}
