// SPDX-License-Identifier: GPL-2.0-only
//! Recording to relay daemons.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::{Order, dates};
use crate::support::relay::Relay;
use crate::support::trace::{Event, events};
use crate::support::{Sandbox, Which, ours_only, side_by_side, skip};

fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(Event::line).collect()
}

/// Records what a relay daemon has written, with the events.
fn note_relay(s: &Sandbox, relay: &Relay) -> Vec<Event> {
    // Sessions of one name have one folder when they were made within one second.
    let tree = relay.tree(s);
    let mut folders: Vec<String> = tree.lines().map(dates).collect();
    folders.sort_unstable();
    folders.dedup();
    s.note("relay", &folders.join("\n"), Order::Fixed);
    // There is nothing to be read in an empty folder.
    let events = if relay.tree(s).contains("metadata") { events(s, &relay.output) } else { Vec::new() };
    s.note("events", &lines(&events).join("\n"), Order::Fixed);
    events
}

#[test]
fn a_session_from_its_beginning_to_its_end() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        s.lttng(&["create", "s", "--set-url", "net://127.0.0.1"]).ok();
        s.lttng(&["list"]).ok();
        s.lttng(&["list", "s"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["status"]).ok();
        s.note("before", &relay.tree(s), Order::Fixed);
        s.lttng(&["start"]).ok();
        s.note("started", &relay.tree(s), Order::Fixed);
        let mut app = App::start(s);
        app.tell("tick 0 1000");
        app.tell("full 0 20");
        s.lttng(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["stop"]).ok();
        assert_eq!(note_relay(s, &relay).len(), 1020);
        s.lttng_xml(&["status"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 1000 100");
        app.exit();
        s.lttng(&["destroy"]).ok();
        assert_eq!(note_relay(s, &relay).len(), 1120);
        daemon.stop();
    });
}

/// A daemon, a relay daemon, and session `s` which records to it.
fn session(s: &Sandbox) -> (Daemon, Relay) {
    let daemon = Daemon::start(s);
    let relay = Relay::start(s);
    s.lttng(&["create", "s", "--set-url=net://127.0.0.1"]).ok();
    s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
    (daemon, relay)
}

/// Creates a session with further options and records ten events.
fn record(s: &Sandbox, name: &str, create: &[&str], relays: &[&Relay]) {
    s.lttng(&[&["create", name], create].concat()).ok();
    s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
    s.lttng(&["start"]).ok();
    let mut app = App::start(s);
    app.tell("tick 0 10");
    app.exit();
    s.lttng(&["list"]).ok();
    s.lttng_xml(&["list", name]).ok();
    s.lttng(&["destroy"]).ok();
    for relay in relays {
        note_relay(s, relay);
    }
}

#[test]
fn urls_of_all_kinds() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let own_ports = Relay::start_with(s, "own", [7001, 7002, 7003], &[]);
        let relay = Relay::start(s);
        for (name, options) in [
            ("a", &["--set-url=net://localhost"][..]),
            ("b", &["--set-url=net4://127.0.0.1/some/folder"]),
            ("c", &["--set-url=NET://127.0.0.1//folder/"]),
            ("d", &["--set-url=net://127.0.0.1:7001:7002"]),
            ("e", &["--set-url=net://127.0.0.1:7001:7002/folder"]),
            ("f", &["--ctrl-url=tcp://127.0.0.1", "--data-url=tcp://127.0.0.1"]),
            ("g", &["-C", "tcp4://127.0.0.1:7001/ctrl", "-D", "tcp4://127.0.0.1:7002/data"]),
        ] {
            record(s, name, options, &[&relay, &own_ports]);
        }
        daemon.stop();
    });
}

#[test]
fn over_ipv6() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let folder = s.path("relay");
        let urls = ["-C", "tcp6://[::1]:5342", "-D", "tcp6://[::1]:5343", "-L", "tcp6://[::1]:5344"];
        let options = [&["--daemonize", "--output", &folder][..], &urls].concat();
        let relay = Relay::launch(s, &options, folder.clone());
        record(s, "a", &["--set-url=net6://localhost"], &[&relay]);
        record(s, "b", &["--set-url=net6://[::1]/six"], &[&relay]);
        record(s, "c", &["-C", "tcp6://[::1]:5342", "-D", "tcp6://[::1]:5343"], &[&relay]);
        daemon.stop();
    });
}

#[test]
fn urls_that_are_refused() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for options in [
            &["--set-url=net://127.0.0.1:5342:5342"][..],
            &["--set-url=net://127.0.0.1/../folder"],
            &["--set-url=net://127.0.0.1/folder/../../x"],
            &["--set-url=net://127.0.0.1:0"],
            &["--set-url=net://127.0.0.1:70000"],
            &["--set-url=net://"],
            &["--set-url=net://127.0.0.1:1:2:3"],
            &["--ctrl-url=tcp://127.0.0.1"],
            &["--data-url=tcp://127.0.0.1"],
            &["-C", "tcp://127.0.0.1", "-D", "tcp://127.0.0.2"],
            &["-C", "tcp://127.0.0.1:5342", "-D", "tcp://127.0.0.1:5342"],
            &["-C", "tcp://127.0.0.1", "-D", "tcp6://[::1]"],
            &["--set-url=tcp://127.0.0.1"],
        ] {
            s.lttng(&[&["create", "s"], options].concat()).fails();
        }
        s.lttng(&["list"]).ok();
        daemon.stop();
    });
}

#[test]
fn buffers_of_each_process_and_several_users_of_a_relay_daemon() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start_with(s, "relay", [5342, 5343, 5344], &["--group-output-by-session"]);
        let other = Relay::start_with(s, "other", [7001, 7002, 7003], &[]);
        s.lttng(&["create", "one", "--set-url=net://127.0.0.1"]).ok();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:*"]).ok();
        s.lttng(&["create", "two", "--set-url=net://127.0.0.1/below"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["create", "three", "--set-url=net://127.0.0.1:7001:7002"]).ok();
        s.lttng(&["enable-event", "-u", "otherapp:*"]).ok();
        s.lttng(&["create", "four", "--output", &s.path("local")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        for session in ["one", "two", "three", "four"] {
            s.lttng(&["start", session]).ok();
        }
        let mut first = App::start(s);
        first.tell("tick 0 5");
        first.exit();
        let mut second = App::start(s);
        second.tell("other 5 5");
        s.lttng(&["stop", "one"]).ok();
        second.tell("tick 5 5");
        for session in ["two", "three", "four", "one"] {
            s.lttng(&["destroy", session]).ok();
        }
        second.exit();
        let text = |relay: &Relay| {
            let tree = relay.tree(s);
            // Process ids differ.
            let lines = tree.lines().map(|line| match line.split_once("emitter-") {
                Some((before, after)) => {
                    format!("{before}emitter-{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
                }
                None => line.to_owned(),
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        for relay in [&relay, &other] {
            s.note("relay", &text(relay), Order::Fixed);
            s.note("events", &lines(&events(s, &relay.output)).join("\n"), Order::Fixed);
        }
        assert_eq!(events(s, &s.path("local")).len(), 10);
        daemon.stop();
    });
}

/// Sets URLs with liblttng-ctl and records what came of it.
fn set_url(s: &Sandbox, args: &[&str]) {
    let program = s.program("set-url").to_string_lossy().into_owned();
    let output = s.run(&program, args).ok();
    s.note(&format!("set-url {}", args.join(" ")), &output.stdout, Order::Fixed);
    s.lttng(&["list"]).ok();
}

#[test]
fn the_output_set_later() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        for domain in ["ust", "none"] {
            s.lttng(&["create", "s", "--output", &s.path(domain)]).ok();
            set_url(s, &["s", domain, "net://127.0.0.1/later"]);
            set_url(s, &["s", domain, "net://127.0.0.1/later"]);
            s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
            s.lttng(&["start"]).ok();
            set_url(s, &["s", domain, &s.path("elsewhere")]);
            let mut app = App::start(s);
            app.tell("tick 0 10");
            app.exit();
            s.lttng(&["destroy"]).ok();
            note_relay(s, &relay);
        }
        s.lttng(&["create", "s", "--no-output"]).ok();
        set_url(s, &["s", "ust", &s.path("given")]);
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 10");
        app.exit();
        s.lttng(&["destroy"]).ok();
        s.note("given", &lines(&events(s, &s.path("given"))).join("\n"), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn half_an_output() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        let half = &s.path("half");
        s.lttng(&["create", "s", "--output", half]).ok();
        set_url(s, &["s", "ust", "tcp://127.0.0.1"]);
        s.lttng(&["enable-event", "-u", "testapp:*"]);
        s.lttng(&["start"]);
        s.lttng(&["list", "s"]);
        if s.which() == Which::Ours {
            // The stock daemon closes the connection before it has read the request: its client may not live to see
            // the answer.
            let program = s.program("set-url").to_string_lossy().into_owned();
            s.run(&program, &["s", "none", "tcp://127.0.0.1"]).ok();
        }
        s.lttng(&["destroy"]);
        note_relay(s, &relay);
        daemon.stop();
    });
}

#[test]
fn nobody_there() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--set-url=net://127.0.0.1"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).fails();
        s.lttng(&["list", "s"]);
        s.lttng(&["enable-channel", "-u", "c"]).fails();
        s.lttng(&["start"]).fails();
        let relay = Relay::start(s);
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 10");
        app.exit();
        s.lttng(&["destroy"]).ok();
        note_relay(s, &relay);
        s.lttng(&["create", "s", "--set-url=net://127.0.0.1:5342:9999"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).fails();
        s.lttng(&["destroy"]).ok();
        note_relay(s, &relay);
        daemon.stop();
    });
}

#[test]
fn a_relay_daemon_that_dies() {
    side_by_side(|s| {
        let (daemon, relay) = session(s);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 10");
        relay.kill();
        app.tell("tick 10 10");
        s.lttng(&["list", "s"]).ok();
        s.lttng(&["enable-event", "-u", "otherapp:*"]).ok();
        s.lttng(&["stop"]).ok();
        // The command ends with the code of the error, 141, which is not a signal here.
        let destroyed = s.run("lttng", &["destroy"]);
        s.note("destroy", &format!("{} {}", destroyed.code, destroyed.stderr), Order::Fixed);
        s.lttng(&["list"]).ok();
        daemon.stop();
    });
}

#[test]
fn a_relay_daemon_that_dies_before_the_start() {
    side_by_side(|s| {
        let (daemon, relay) = session(s);
        relay.kill();
        s.lttng(&["start"]).fails();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

/// Starts `lttng` without waiting for it.
fn begin(s: &Sandbox, args: &[&str]) -> std::process::Child {
    s.command("lttng").args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_silent_relay_daemon_costs_its_own_client_time_and_nobody_else() {
    ours_only("everything waits for the relay daemon, for ever", |s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        s.lttng(&["create", "other", "--output", &s.path("other")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["create", "s", "--set-url=net://127.0.0.1"]).ok();
        relay.freeze();
        let began = Instant::now();
        let waiting = begin(s, &["enable-event", "-s", "s", "-u", "testapp:*"]);
        for _ in 0..3 {
            let limit = Duration::from_secs(3);
            s.lttng(&["list"]).ok().within(limit);
            s.lttng(&["start", "other"]).ok().within(limit);
            s.lttng(&["stop", "other"]).ok().within(limit);
        }
        let output = waiting.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(104), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
        // Alive again, it is reached by the next command.
        relay.thaw();
        s.lttng(&["enable-event", "-s", "s", "-u", "testapp:*"]).ok();
        s.lttng(&["start", "s"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 10");
        app.exit();
        s.lttng(&["destroy", "s"]).ok();
        assert_eq!(note_relay(s, &relay).len(), 10);
        daemon.stop();
    });
}

#[test]
fn a_session_can_be_destroyed_while_its_relay_daemon_is_silent() {
    ours_only("everything waits for the relay daemon, for ever", |s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        s.lttng(&["create", "s", "--set-url=net://127.0.0.1"]).ok();
        relay.freeze();
        let waiting = begin(s, &["enable-event", "-s", "s", "-u", "testapp:*"]);
        eventually("the consumer daemon runs", || !s.processes("lttng-consumerd").is_empty());
        s.lttng(&["destroy", "s"]).ok().within(Duration::from_secs(5));
        assert_eq!(waiting.wait_with_output().unwrap().status.code(), Some(23));
        relay.thaw();
        daemon.stop();
    });
}

#[test]
fn the_timeout_of_the_user() {
    side_by_side(|s| {
        let environment = [("LTTNG_NETWORK_SOCKET_TIMEOUT", "700")];
        let mut daemon = Daemon::launch(s, &environment, &["--no-kernel"]);
        daemon.expect("ready");
        let relay = Relay::start(s);
        s.lttng(&["create", "s", "--set-url=net://127.0.0.1"]).ok();
        relay.freeze();
        s.lttng(&["enable-event", "-u", "testapp:*"]).fails().within(Duration::from_secs(6));
        relay.thaw();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 10");
        app.exit();
        s.lttng(&["destroy"]).ok();
        note_relay(s, &relay);
        daemon.stop();
    });
}

/// Makes 10.9.9.2 an address from which nothing ever comes back. False when the kernel has no such devices.
fn make_void(s: &Sandbox) -> bool {
    let script = "ip link add v0 type veth peer name v1 && ip addr add 10.9.9.1/24 dev v0 && ip link set v0 up && \
                  ip link set v1 up && ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:02 dev v0";
    s.run("bash", &["-c", script]).code == 0
}

#[test]
fn an_address_that_leads_nowhere() {
    side_by_side(|s| {
        let environment = [("LTTNG_NETWORK_SOCKET_TIMEOUT", "700")];
        let mut daemon = Daemon::launch(s, &environment, &["--no-kernel"]);
        daemon.expect("ready");
        // Without a route it is known at once.
        s.lttng(&["create", "s", "--set-url=net://10.1.2.3"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).fails();
        s.lttng(&["destroy"]).ok();
        if make_void(s) {
            s.lttng(&["create", "s", "--set-url=net://10.9.9.2"]).ok();
            s.lttng(&["enable-event", "-u", "testapp:*"]).fails().within(Duration::from_secs(6));
            s.lttng(&["destroy"]).ok();
        } else {
            skip("no virtual network devices");
        }
        daemon.stop();
    });
}

#[test]
fn an_address_that_leads_nowhere_without_a_timeout() {
    ours_only("it waits for two minutes, and everybody with it", |s| {
        let daemon = Daemon::start(s);
        if !make_void(s) {
            return skip("no virtual network devices");
        }
        s.lttng(&["create", "s", "--set-url=net://10.9.9.2"]).ok();
        let waiting = begin(s, &["enable-event", "-s", "s", "-u", "testapp:*"]);
        s.lttng(&["list"]).ok().within(Duration::from_secs(3));
        assert_eq!(waiting.wait_with_output().unwrap().status.code(), Some(104));
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn a_session_that_the_relay_daemon_refuses() {
    ours_only("it waits for a relay daemon that has said everything", |s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        s.lttng(&["create", ".dot", "--set-url=net://127.0.0.1"]).ok();
        let refused = s.run("lttng", &["enable-event", "-u", "testapp:*"]);
        assert_eq!(refused.code, 103, "{}", refused.stderr);
        // It is not asked again, and the session can't be started.
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        let start = s.run("lttng", &["start"]);
        assert_eq!(start.code, 149, "{}", start.stderr);
        s.lttng(&["destroy"]).ok();
        assert_eq!(relay.tree(s), "");
        daemon.stop();
    });
}

#[test]
fn snapshots_to_a_relay_daemon() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        s.lttng(&["create", "s", "--snapshot", "--set-url=net://127.0.0.1"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 10");
        s.lttng(&["snapshot", "record"]).ok();
        note_relay(s, &relay);
        app.tell("tick 10 10");
        s.lttng(&["snapshot", "record", "--name=mine", "net://127.0.0.1/below"]).ok();
        s.lttng(&["snapshot", "record", "net://127.0.0.1:1:2"]).fails();
        s.lttng(&["destroy"]).ok();
        app.exit();
        // Sessions of one name have one folder when they were made within one second.
        let tree = relay.tree(s);
        let mut folders: Vec<String> = tree.lines().map(dates).collect();
        folders.sort_unstable();
        folders.dedup();
        s.note("relay", &folders.join("\n"), Order::Fixed);
        daemon.stop();
    });
}

/// Replaces every `YYYYmmddTHHMMSS+hhmm`.
fn without_times(tree: &str) -> String {
    let mut text = String::new();
    for piece in tree.split_inclusive(['/', '-', ' ']) {
        let is_time = piece.len() >= 20 && piece.as_bytes().get(8) == Some(&b'T');
        text.push_str(if is_time { "TIME" } else { piece });
    }
    text
}

#[test]
fn rotation_and_clearing_at_a_relay_daemon() {
    side_by_side(|s| {
        let (daemon, relay) = session(s);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 10");
        let rotated = s.run("lttng", &["rotate"]).ok();
        assert!(rotated.stdout.contains("tcp://127.0.0.1"), "{}", rotated.stdout);
        app.tell("tick 10 10");
        s.run("lttng", &["clear"]).ok();
        app.tell("tick 20 10");
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        app.exit();
        s.note("relay", &without_times(&relay.tree(s)), Order::Fixed);
        // The packets that were cleared are missing, and the reader says so.
        let read = s.run("babeltrace2", &["--no-delta", &relay.output]).ok();
        let ticks: Vec<&str> = read.stdout.lines().filter_map(|line| line.rsplit(", ").next()).collect();
        assert_eq!(ticks.len(), 20);
        s.note("events", &ticks.join("\n"), Order::Fixed);
        let strict = Relay::start_with(s, "strict", [7001, 7002, 7003], &["--disallow-clear"]);
        s.lttng(&["create", "t", "--set-url=net://127.0.0.1:7001:7002"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["clear"]).ok();
        s.lttng(&["start"]).ok();
        s.lttng(&["clear"]).fails();
        s.lttng(&["destroy"]).ok();
        s.note("relay", &strict.tree(s), Order::Fixed);
        daemon.stop();
    });
}
