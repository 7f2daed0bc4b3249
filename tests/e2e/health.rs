// SPDX-License-Identifier: GPL-2.0-only
//! What liblttng-ctl's `lttng_health_…` functions say of the daemon and of its consumer daemons.

use std::io::{Read, Write};
use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::socket::connect;
use crate::support::{Sandbox, ours, ours_only, side_by_side};

const HEALTH: &str = "/run/lttng/sessiond-health";
const CONSUMER: &str = "Session daemon consumer manager";

/// What the library says of all.
fn health(s: &Sandbox) -> String {
    s.run(&s.program("health").to_string_lossy(), &[]).ok().stdout
}

/// The components of the session daemon that are in bad health.
fn bad(s: &Sandbox) -> Vec<String> {
    let alone = s.run(&s.program("health").to_string_lossy(), &["alone"]).ok().stdout;
    let bad = alone.lines().skip(2).filter_map(|line| line.trim().strip_suffix(": -1"));
    bad.map(str::to_owned).collect()
}

fn record(s: &Sandbox, session: &str) {
    s.lttng(&["create", session, "--output", &s.path(session)]).ok();
    s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
    s.lttng(&["start"]).ok();
}

#[test]
fn of_a_daemon_that_is_well() {
    side_by_side(|s| {
        s.note("without a daemon", &health(s), Order::Fixed);
        let daemon = Daemon::start(s);
        s.note("idle", &health(s), Order::Fixed);
        record(s, "s");
        App::start(s).tell("tick 0 3");
        let recording = health(s);
        assert!(
            recording.contains("  Consumer daemon data: 0\n"),
            "the consumer daemon answers: {recording}"
        );
        s.note("recording", &recording, Order::Fixed);
        s.lttng(&["rotate"]).ok();
        s.lttng(&["destroy"]).ok();
        s.note("destroyed", &health(s), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn of_a_consumer_daemon_that_was_killed() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        record(s, "s");
        s.kill_all("lttng-consumerd");
        eventually("its loss is told", || !bad(s).is_empty());
        assert_eq!(bad(s), [CONSUMER]);
        daemon.kill();
    });
}

#[test]
fn another_consumer_daemon_makes_up_for_it() {
    ours_only("it starts no other one", |s| {
        let daemon = Daemon::start(s);
        record(s, "s");
        s.kill_all("lttng-consumerd");
        eventually("its loss is told", || !bad(s).is_empty());
        s.lttng(&["destroy", "s"]);
        record(s, "t");
        assert_eq!(bad(s), [""; 0]);
        s.lttng(&["destroy", "t"]).ok();
        daemon.stop();
    });
}

/// It is found out after 20 s, and only then.
#[test]
fn of_a_consumer_daemon_that_is_stopped() {
    ours_only("commands wait for it", |s| {
        let daemon = Daemon::start(s);
        record(s, "s");
        let consumers = s.processes("lttng-consumerd");
        consumers.iter().for_each(|consumer| consumer.freeze());
        let mut rotate = s.command("lttng");
        let mut rotate = rotate.args(["rotate", "s"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        eventually("it is waited for in vain", || !bad(s).is_empty());
        assert_eq!(bad(s), [CONSUMER, "Session daemon rotation manager"]);
        consumers.iter().for_each(|consumer| consumer.signal(Signal::SIGCONT));
        rotate.wait().unwrap();
        assert_eq!(bad(s), [""; 0]);
        s.lttng(&["destroy", "s"]).ok();
        daemon.stop();
    });
}

/// More than a query, at once or after the reply, costs nobody the reply, and the end is an orderly one.
#[test]
fn queries_that_are_too_long() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/tests/vectors/health");
        let request = std::fs::read(vectors.join("check.request.bin")).unwrap();
        for pieces in [&[4][..], &[8], &[1, 3], &[1, 7], &[3, 5, 100], &[4, 4]] {
            let mut stream = connect(s, HEALTH);
            for &length in pieces {
                // The daemon may have gone by the last piece.
                let _ = stream.write_all(&request.repeat(length)[..length]);
            }
            let mut reply = [1; 8];
            stream.read_exact(&mut reply).unwrap_or_else(|error| panic!("{pieces:?}: {error}"));
            assert_eq!(reply, [0; 8], "{pieces:?}");
        }
        daemon.stop();
    });
}

#[test]
fn a_query_that_is_too_long_is_not_answered_by_a_reset() {
    ours_only("it resets the connection", |s| {
        let daemon = Daemon::start(s);
        let mut stream = connect(s, HEALTH);
        stream.write_all(&[0; 8]).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        assert_eq!(reply, [0; 8]);
        daemon.stop();
    });
}
