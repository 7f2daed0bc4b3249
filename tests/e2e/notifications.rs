// SPDX-License-Identifier: GPL-2.0-only
//! Notifications and the other actions of triggers, with the stock library: conditions on sessions and channels, who is
//! told, what an action does and what is counted when it can't.

use std::io::{Read, Write};

use nix::sys::signal::Signal;

use crate::identity::members;
use crate::support::app::App;
use crate::support::chunk::archived;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::session::recording;
use crate::support::socket::connect;
use crate::support::trace::events;
use crate::support::{Sandbox, Which, ours_only, side_by_side, skip, version};

/// Where the daemon of root tells of conditions.
const SOCKET: &str = "/run/lttng/sessiond-notification";

/// Starts a `subscriber` with a notification channel.
pub fn subscriber(s: &Sandbox) -> App {
    let mut app = App::start_program(s, "subscriber", &[]);
    app.tell("channel 0");
    app
}

/// Has it carry out a line and records the answer.
pub fn note(s: &Sandbox, subscriber: &mut App, line: &str) -> String {
    let answer = subscriber.ask(line);
    s.note(line, &answer, Order::Fixed);
    answer
}

pub fn note_all(s: &Sandbox, subscriber: &mut App, lines: &[&str]) {
    for line in lines {
        note(s, subscriber, line);
    }
}

/// All that it is told until a trigger of this name fires.
fn until(subscriber: &mut App, name: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let told = subscriber.ask("next");
        assert!(!told.starts_with("status"), "{told}");
        let last = told.starts_with(&format!("{name} "));
        all.push(told);
        if last {
            return all;
        }
    }
}

/// Session `z`, whose rotation ends what [`until`] waits for.
fn end_marker(s: &Sandbox, subscriber: &mut App) {
    s.lttng(&["create", "z", "--output", &s.path("z")]).ok();
    s.lttng(&["enable-event", "-u", "-s", "z", "testapp:tick"]).ok();
    s.lttng(&["start", "z"]).ok();
    assert_eq!(subscriber.ask("register end notify if completed z"), "10 end");
    assert_eq!(subscriber.ask("subscribe completed z"), "0");
}

#[test]
fn rotations() {
    side_by_side(|s| {
        let (daemon, _, mut app) = recording(s, &[]);
        let mut subscriber = subscriber(s);
        end_marker(s, &mut subscriber);
        note_all(
            s,
            &mut subscriber,
            &[
                "register begins notify if ongoing s",
                "register ends notify if completed s",
                "subscribe ongoing s",
                "subscribe completed s",
            ],
        );
        for n in 0..3 {
            app.tell(&format!("tick {n} 1"));
            s.lttng(&["rotate", "s"]).ok();
            note_all(s, &mut subscriber, &["next", "next"]);
        }
        s.lttng(&["stop", "s"]).ok();
        s.lttng(&["rotate", "s"]).ok();
        s.lttng(&["rotate", "s"]).fails();
        note_all(s, &mut subscriber, &["next", "next"]);
        s.lttng(&["start", "s"]).ok();
        app.tell("tick 3 1");
        // What was recorded since is archived, which is a rotation, too.
        s.lttng(&["destroy", "s"]).ok();
        // Another session of the name is meant as well.
        s.lttng(&["create", "s", "--output", &s.path("another")]).ok();
        s.lttng(&["enable-event", "-u", "-s", "s", "testapp:tick"]).ok();
        s.lttng(&["start", "s"]).ok();
        app.tell("tick 4 1");
        s.lttng(&["rotate", "s"]).ok();
        s.lttng(&["rotate", "z"]).ok();
        s.note("told", &until(&mut subscriber, "end").join("\n"), Order::Fixed);
        subscriber.exit();
        daemon.stop();
    });
}

#[test]
fn rotations_that_nobody_asked_for() {
    side_by_side(|s| {
        let (daemon, _, mut app) = recording(s, &[]);
        let mut subscriber = subscriber(s);
        note_all(s, &mut subscriber, &["register ends notify if completed s", "subscribe completed s"]);
        app.tell("tick 0 1");
        s.lttng(&["enable-rotation", "-s", "s", "--timer=200000us"]).ok();
        note_all(s, &mut subscriber, &["next", "next"]);
        subscriber.exit();
        daemon.stop();
    });
}

#[test]
fn an_archive_on_a_relay_daemon() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = crate::support::relay::Relay::start(s);
        s.lttng(&["create", "s", "--set-url=net://localhost"]);
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start", "s"]).ok();
        let mut app = App::start(s);
        let mut subscriber = subscriber(s);
        note_all(s, &mut subscriber, &["register ends notify if completed s", "subscribe completed s"]);
        app.tell("tick 0 1");
        s.lttng(&["rotate", "s"]).ok();
        note(s, &mut subscriber, "next");
        subscriber.exit();
        daemon.stop();
        drop(relay);
    });
}

#[test]
fn triggers_are_registered_in_several_ways() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut subscriber = subscriber(s);
        note_all(
            s,
            &mut subscriber,
            &[
                "register a notify if ongoing s",
                "register a notify if ongoing t",
                "register b notify if ongoing s",
                "register auto notify if ongoing s",
                "register auto notify if ongoing s",
                "register legacy notify if ongoing s",
                "register legacy notify if ongoing s",
                "register legacy notify notify if ongoing s",
                "register c notify start:s/every:2 snapshot:s/after:9 if high s c 0.5",
                "register d notify if low s c 4096",
                "register e notify if consumed s 0",
                "register f notify if consumed s 18446744073709551615",
                "register g notify if high s c 0.0",
                "register h notify if low s c 1.0",
                "list",
            ],
        );
        for number in [0, 1, 3, 5, 6, 7, 8, 0] {
            note(s, &mut subscriber, &format!("errors {number}"));
            note(s, &mut subscriber, &format!("unregister {number}"));
            note(s, &mut subscriber, &format!("unregister {number}"));
            note(s, &mut subscriber, &format!("errors {number}"));
            note(s, &mut subscriber, "list");
        }
        subscriber.exit();
        daemon.stop();
    });
}

#[test]
fn subscriptions() {
    side_by_side(|s| {
        let (daemon, _, _app) = recording(s, &[]);
        let mut subscriber = subscriber(s);
        end_marker(s, &mut subscriber);
        note_all(
            s,
            &mut subscriber,
            &[
                // No trigger is needed for it, nor the session.
                "subscribe completed s",
                "subscribe completed s",
                "subscribe completed none",
                "subscribe high s c 0.5",
                "subscribe high s c 0.50",
                "subscribe high s c 0.51",
                "unsubscribe ongoing s",
                "unsubscribe completed none",
                "unsubscribe completed none",
                "register t notify if completed s",
                "register u notify if ongoing s",
            ],
        );
        s.lttng(&["rotate", "s"]).ok();
        note(s, &mut subscriber, "next");
        note(s, &mut subscriber, "unsubscribe completed s");
        s.lttng(&["rotate", "s"]).ok();
        s.lttng(&["rotate", "z"]).ok();
        s.note("told", &until(&mut subscriber, "end").join("\n"), Order::Fixed);
        note(s, &mut subscriber, "pending");
        subscriber.exit();
        daemon.stop();
    });
}

#[test]
fn a_trigger_is_removed_and_the_session_goes_on() {
    ours_only("it crashes at the next rotation of the session", |s| {
        let (daemon, _, _app) = recording(s, &[]);
        let mut subscriber = subscriber(s);
        end_marker(s, &mut subscriber);
        assert_eq!(subscriber.ask("register t notify if completed s"), "10 t");
        // The trigger goes, the subscription stays.
        assert_eq!(subscriber.ask("subscribe completed s"), "0");
        assert_eq!(subscriber.ask("unregister 1"), "0");
        s.lttng(&["rotate", "s"]).ok();
        assert_eq!(subscriber.ask("register u notify if completed s"), "10 u");
        s.lttng(&["rotate", "s"]).ok();
        s.lttng(&["rotate", "z"]).ok();
        let told = until(&mut subscriber, "end");
        assert!(told.len() == 2 && told[0].starts_with("u condition=104 completed id=1 "), "{told:?}");
        subscriber.exit();
        daemon.stop();
    });
}

#[test]
fn fifty_subscribers() {
    side_by_side(|s| {
        let (daemon, _, _app) = recording(s, &[]);
        let mut subscriber = subscriber(s);
        note(s, &mut subscriber, "register t notify if completed s");
        for number in 0..50 {
            subscriber.tell(&format!("channel {number}"));
            assert_eq!(subscriber.ask("subscribe completed s"), "0");
        }
        for _ in 0..2 {
            s.lttng(&["rotate", "s"]).ok();
            for number in 0..50 {
                subscriber.tell(&format!("channel {number}"));
                note(s, &mut subscriber, "next");
            }
        }
        subscriber.exit();
        daemon.stop();
    });
}

#[test]
fn what_a_session_has_consumed() {
    side_by_side(|s| {
        let (daemon, _, mut app) =
            recording(s, &["--subbuf-size=4096", "--num-subbuf=64", "--monitor-timer=50000"]);
        let mut subscriber = subscriber(s);
        end_marker(s, &mut subscriber);
        note_all(
            s,
            &mut subscriber,
            &[
                "register many notify if consumed s 20000",
                "register more notify if consumed s 1000000000",
                "subscribe consumed s 20000",
                "subscribe consumed s 1000000000",
                "pending",
            ],
        );
        let size = |told: &str| told.rsplit_once("size=").unwrap().1.parse::<u64>().unwrap();
        app.tell("tick 0 10000");
        let told = subscriber.ask("next");
        assert!(told.starts_with("many condition=100 consumed") && size(&told) >= 20_000, "{told}");
        // It is so already: those who subscribe are told at once, and a trigger fires at once.
        subscriber.tell("channel 1");
        note(s, &mut subscriber, "subscribe consumed s 20000");
        let told = subscriber.ask("next");
        assert!(told.starts_with("many condition=100 consumed") && size(&told) >= 20_000, "{told}");
        note(s, &mut subscriber, "register again notify if consumed s 20000");
        let told = subscriber.ask("next");
        assert!(told.starts_with("again condition=100 consumed") && size(&told) >= 20_000, "{told}");
        subscriber.tell("channel 0");
        // Once crossed, it is not told again.
        app.tell("tick 10000 1000");
        s.lttng(&["rotate", "s"]).ok();
        s.lttng(&["rotate", "z"]).ok();
        let told: Vec<String> = until(&mut subscriber, "end")
            .iter()
            .map(|told| told.split(" size").next().unwrap().to_owned())
            .collect();
        s.note("told", &told.join("\n"), Order::Fixed);
        subscriber.exit();
        daemon.stop();
    });
}

#[test]
fn how_full_a_channel_is() {
    for (high, low) in [("0.75", "0.25"), ("24576", "8192")] {
        side_by_side(|s| {
            // Four CPUs or more: the fullest buffer counts.
            let (daemon, _, mut app) =
                recording(s, &["--subbuf-size=4096", "--num-subbuf=8", "--monitor-timer=5000"]);
            let mut subscriber = subscriber(s);
            note_all(
                s,
                &mut subscriber,
                &[
                    &format!("register full notify if high s c {high}"),
                    &format!("register empty notify if low s c {low}"),
                    &format!("subscribe high s c {high}"),
                    &format!("subscribe low s c {low}"),
                ],
            );
            let size = |told: &str| {
                told.rsplit_once("size=").unwrap().1.split(' ').next().unwrap().parse::<u64>().unwrap()
            };
            let told = |subscriber: &mut App| {
                let told = subscriber.ask("next");
                let full = told.starts_with("full condition=101 high") && size(&told) >= 24_576;
                let empty = told.starts_with("empty condition=102 low") && size(&told) <= 8192;
                assert!(full || empty, "{told}");
                full
            };
            assert!(!told(&mut subscriber), "at first it is empty");
            // The consumer daemon is late: its timer finds full buffers before it has read them, or a little later.
            let consumer = s.processes("lttng-consumerd");
            eventually("it is full", || {
                consumer.iter().for_each(|process| process.freeze());
                app.tell("tick 0 5000");
                consumer.iter().for_each(|process| process.signal(Signal::SIGCONT));
                subscriber.ask("pending") == "0 yes" && told(&mut subscriber)
            });
            while told(&mut subscriber) {}
            subscriber.exit();
            daemon.stop();
        });
    }
}

#[test]
fn users_are_told_of_their_own_triggers() {
    side_by_side(|s| {
        let Some([member, _]) = members() else { return skip("needs root and a group `tracing`") };
        let (daemon, _, _app) = recording(s, &[]);
        let mut roots = subscriber(s);
        let mut members = App::start_program_as(s, member, "subscriber");
        members.tell("channel 0");
        s.lttng_as(member, &["create", "m", "--output", &s.home_of(member).join("m").to_string_lossy()]).ok();
        s.lttng_as(member, &["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng_as(member, &["start"]).ok();
        for (who, name) in [(&mut roots, "roots"), (&mut members, "members")] {
            for condition in ["completed s", "completed m"] {
                note(s, who, &format!("register {name}-{} notify if {condition}", &condition[10..]));
                note(s, who, &format!("subscribe {condition}"));
            }
            note(s, who, "list");
        }
        s.lttng(&["rotate", "s"]).ok();
        s.lttng(&["rotate", "m"]).ok();
        s.note("members", &until(&mut members, "members-m").join("\n"), Order::Fixed);
        // The original of Debian 12 tells root of its own triggers only, the one of Debian 13 of everybody's, like ours.
        let of_everybody = version::stock() >= [2, 13, 15];
        let count = if of_everybody || s.which() == Which::Ours { 4 } else { 2 };
        let mut told: Vec<String> = (0..count).map(|_| roots.ask("next")).collect();
        told.retain(|told| of_everybody || !told.starts_with("members-"));
        told.sort();
        s.note("root", &told.join("\n"), Order::Fixed);
        // A member's trigger does nothing to a session of root.
        note(s, &mut members, "register theirs stop:s rotate:s notify if completed m");
        s.lttng(&["rotate", "m"]).ok();
        s.note("theirs", &until(&mut members, "theirs").len().min(1).to_string(), Order::Fixed);
        note(s, &mut members, "errors 2");
        s.lttng(&["list", "s"]).ok();
        members.exit();
        roots.exit();
        daemon.stop();
    });
}

/// A message of a client: kind, length of the payload, number of descriptors, payload.
pub fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u32::try_from(payload.len()).unwrap().to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(payload);
    bytes
}

/// What comes back to each of these: so many bytes, or less when the connection is closed.
pub fn answers(s: &Sandbox, said: &[(&[u8], usize)]) -> String {
    let mut stream = connect(s, SOCKET);
    let mut all = Vec::new();
    for (bytes, most) in said {
        // It may be closed in the middle.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let end = (&mut stream).take(*most as u64).read_to_end(&mut answer);
        let waits = end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!waits, "neither an answer nor the end: {answer:?}");
        all.push(format!("{answer:?} {}", if answer.len() < *most { "closed" } else { "open" }));
    }
    all.join("\n")
}

#[test]
fn clients_that_make_no_sense() {
    side_by_side(|s| {
        let (daemon, _, _app) = recording(s, &[]);
        let mut subscriber = subscriber(s);
        note_all(s, &mut subscriber, &["register t notify if completed s", "subscribe completed s"]);
        let hello = message(0, &[1, 1]);
        // What it says to that: its version, and that all is well.
        let both = 21;
        let condition = |session: &str| {
            let mut payload = vec![104];
            payload.extend(u32::try_from(session.len() + 1).unwrap().to_ne_bytes());
            payload.extend(session.as_bytes());
            payload.push(0);
            payload
        };
        for (name, said, most) in [
            ("a handshake", hello.clone(), both),
            ("another minor version", message(0, &[1, 9]), both),
            ("another major version", message(0, &[2, 0]), both),
            ("version 0", message(0, &[0, 0]), both),
            ("half a version", message(0, &[1]), both),
            ("more than a version", message(0, &[1, 1, 7]), both),
            ("garbage after a handshake", [message(0, &[1, 1]), message(77, &[0])].concat(), both + 1),
            ("no payload", message(0, &[]), 1),
            ("a reply", message(3, &[0]), 1),
            ("a notification", message(4, &[0]), 1),
            ("nothing that there is", message(77, &[0]), 1),
            ("noise", vec![0xff; 4096], 1),
            ("too much", [&[0u8][..], &u32::MAX.to_ne_bytes(), &[0; 4]].concat(), 1),
            ("a subscription before the handshake", message(1, &condition("s")), 1),
        ] {
            s.note(name, &answers(s, &[(&said, most)]), Order::Fixed);
        }
        for (name, said) in
            [("no condition", message(1, &[0; 30])), ("half a condition", message(1, &condition("s")[..5]))]
        {
            s.note(name, &answers(s, &[(&hello, both), (&said, 1)]), Order::Fixed);
        }
        // Nobody else has noticed.
        s.lttng(&["rotate", "s"]).ok();
        note(s, &mut subscriber, "next");
        subscriber.exit();
        daemon.stop();
    });
}

/// Sessions `a`, whose rotations are the condition, `b` and `snap`.
fn sessions(s: &Sandbox) -> (Daemon, App, App) {
    let daemon = Daemon::start(s);
    for name in ["a", "b"] {
        s.lttng(&["create", name, "--output", &s.path(name)]).ok();
        s.lttng(&["enable-event", "-u", "-s", name, "testapp:tick"]).ok();
    }
    s.run("lttng", &["create", "snap", "--snapshot", "--output", &s.path("snap")]).ok();
    s.lttng(&["enable-event", "-u", "-s", "snap", "testapp:tick"]).ok();
    s.lttng(&["start", "a"]).ok();
    let app = App::start(s);
    let mut subscriber = subscriber(s);
    assert_eq!(subscriber.ask("subscribe completed a"), "0");
    (daemon, app, subscriber)
}

/// A rotation of `a`, and what is told of it.
fn fire(s: &Sandbox, subscriber: &mut App) {
    s.lttng(&["rotate", "a"]).ok();
    let told = subscriber.ask("next");
    s.note("told", &told, Order::Fixed);
}

fn state(s: &Sandbox) {
    let listed = s.lttng_xml(&["list"]).ok();
    assert!(listed.stdout.contains("<name>a</name>"));
}

#[test]
fn actions() {
    side_by_side(|s| {
        let (daemon, mut app, mut subscriber) = sessions(s);
        for (number, action) in
            ["start", "start", "rotate", "stop", "stop", "rotate", "rotate"].iter().enumerate()
        {
            // Once each: triggers of the stock daemon can't be removed ([`a_trigger_is_removed_and_the_session_goes_on`]).
            let once = "/after:1";
            note(
                s,
                &mut subscriber,
                &format!("register {number} {action}:b{once} notify{once} if completed a"),
            );
            app.tell(&format!("tick {number} 1"));
            fire(s, &mut subscriber);
            if *action == "rotate" {
                let count = if number == 2 { 1 } else { 2 };
                eventually("it is archived", || archived(&s.path("b")).len() == count);
                eventually("it is over", || !s.run("lttng", &["list", "b"]).stdout.contains("ongoing"));
            }
            state(s);
            note(s, &mut subscriber, &format!("errors {number}"));
        }
        s.lttng(&["start", "snap"]).ok();
        app.tell("tick 100 3");
        note(s, &mut subscriber, "register snapshot snapshot:snap notify if completed a");
        fire(s, &mut subscriber);
        let numbers: Vec<i64> =
            events(s, &s.path("snap")).iter().map(crate::support::trace::Event::n).collect();
        assert_eq!(numbers, [100, 101, 102]);
        note(s, &mut subscriber, "errors 7");
        subscriber.exit();
        daemon.stop();
    });
}

#[test]
fn actions_that_fail() {
    side_by_side(|s| {
        let (daemon, mut app, mut subscriber) = sessions(s);
        app.tell("tick 0 1");
        for (number, action) in [
            "start:none",
            "stop:none",
            "rotate:none",
            "snapshot:none",
            "rotate:b",
            "snapshot:b",
            "snapshot:snap",
            "stop:b",
            "rotate:snap",
        ]
        .iter()
        .enumerate()
        {
            note(
                s,
                &mut subscriber,
                &format!("register {number} {action}/after:1 notify/after:1 if completed a"),
            );
            fire(s, &mut subscriber);
            note(s, &mut subscriber, &format!("errors {number}"));
        }
        // Each action is counted for itself, and by what was really tried.
        note(
            s,
            &mut subscriber,
            "register x start:none rotate:b/every:2 stop:b/after:3 notify if completed a",
        );
        for _ in 0..4 {
            fire(s, &mut subscriber);
            note(s, &mut subscriber, "errors 9");
        }
        state(s);
        subscriber.exit();
        daemon.stop();
    });
}

#[test]
fn rate_policies() {
    side_by_side(|s| {
        let (daemon, _app, mut subscriber) = sessions(s);
        note_all(
            s,
            &mut subscriber,
            &[
                "register all notify if completed a",
                "register third notify/every:3 if completed a",
                "register second notify/after:2 if completed a",
                "register both notify/every:2 notify/after:5 if completed a",
                "register begins notify/every:4 if ongoing a",
                "subscribe ongoing a",
            ],
        );
        let mut told = Vec::new();
        for _ in 0..7 {
            s.lttng(&["rotate", "a"]).ok();
            told.extend(until(&mut subscriber, "all"));
        }
        // Those of one condition come in no order.
        told.sort();
        s.note("told", &told.join("\n"), Order::Fixed);
        subscriber.exit();
        daemon.stop();
    });
}
