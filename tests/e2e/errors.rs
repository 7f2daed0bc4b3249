// SPDX-License-Identifier: GPL-2.0-only
//! What `lttng` prints when something is wrong: the daemon's error codes, seen by their texts.

use crate::support::daemon::Daemon;
use crate::support::socket::{ask, request, set_text};
use crate::support::{Sandbox, ours, ours_only, side_by_side};

/// Commands that have to fail in the same way; each is recorded.
fn all_fail(s: &Sandbox, commands: &[&[&str]]) {
    for command in commands {
        s.lttng(command).fails();
    }
}

#[test]
fn without_a_daemon() {
    side_by_side(|s| {
        all_fail(
            s,
            &[&["list"], &["start", "s"], &["destroy", "s"], &["enable-event", "-u", "--all", "-s", "s"]],
        );
        s.lttng(&["--no-sessiond", "create", "s"]).fails();
    });
}

#[test]
fn sessions_that_do_not_exist() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        all_fail(
            s,
            &[
                &["start", "nobody"],
                &["stop", "nobody"],
                &["destroy", "nobody"],
                &["list", "nobody"],
                &["enable-channel", "-u", "-s", "nobody", "c"],
                &["disable-channel", "-u", "-s", "nobody", "c"],
                &["enable-event", "-u", "-s", "nobody", "a:b"],
                &["enable-event", "-u", "-s", "nobody", "--all"],
                &["disable-event", "-u", "-s", "nobody", "a:b"],
                &["start"],
                &["status"],
            ],
        );
        daemon.stop();
    });
}

#[test]
fn names_of_sessions() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let output = s.path("trace");
        s.lttng(&["create", "twice", "--output", &output]).ok();
        let too_long = "x".repeat(255);
        let longest = "x".repeat(254);
        all_fail(
            s,
            &[
                &["create", "twice", "--output", &output],
                &["create", "a/b", "--output", &output],
                &["create", &too_long, "--output", &output],
            ],
        );
        s.lttng(&["create", &longest, "--output", &output]).ok();
        s.lttng(&["destroy", &longest]).ok();
        s.lttng(&["create", "relative", "--output", "/run/../run/x"]);
        s.lttng(&["destroy", "twice"]).ok();
        s.lttng(&["create", "twice", "--output", &output]).ok();
        daemon.stop();
    });
}

#[test]
fn starting_and_stopping_out_of_turn() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["start"]).fails();
        s.lttng(&["stop"]);
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["start"]).ok();
        s.lttng(&["start"]);
        s.lttng(&["stop"]).ok();
        s.lttng(&["stop"]);
        s.lttng(&["start"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn channels_that_cannot_be() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        let too_long = "c".repeat(256);
        all_fail(
            s,
            &[
                &["enable-channel", "-u", ".hidden"],
                &["enable-channel", "-u", "a/b"],
                &["enable-channel", "-u", &too_long],
                &["enable-channel", "-u", "c", "--overwrite", "--num-subbuf=1"],
                &["enable-channel", "-u", "c", "--subbuf-size=1"],
                &["enable-channel", "-u", "c", "--output=splice"],
                &["disable-channel", "-u", "unknown"],
            ],
        );
        s.lttng(&["enable-channel", "-u", "c", "--subbuf-size=5000", "--num-subbuf=3"]);
        s.lttng(&["enable-channel", "-u", "c"]);
        s.lttng(&["enable-channel", "-u", "d,c,e"]);
        s.lttng(&["enable-channel", "-u", "metadata"]);
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["start"]).ok();
        all_fail(
            s,
            &[
                &["enable-channel", "-u", "late"],
                &["enable-event", "-u", "-c", "late", "a:b"],
                &["disable-channel", "-u", "unknown"],
            ],
        );
        s.lttng(&["disable-channel", "-u", "c"]).ok();
        s.lttng(&["stop"]).ok();
        s.lttng(&["enable-channel", "-u", "later"]).fails();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn rules_that_cannot_be() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["disable-event", "-u", "a:b"]).fails();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "a:b"]).ok();
        for command in [
            // Twice the same: a warning, not a failure.
            &["enable-event", "-u", "-c", "c", "a:b"][..],
            &["enable-event", "-u", "-c", "c", "a:b,a:new"],
            &["enable-event", "-u", "-c", "c", "a:f", "--filter=x == 1"],
            &["enable-event", "-u", "-c", "c", "a:f", "--filter=x == 1"],
            &["enable-event", "-u", "-c", "c", "a:f", "--filter=x =="],
            &["enable-event", "-u", "-c", "c", "a:f", "--filter="],
            &["enable-event", "-u", "-c", "c", "a:l", "--loglevel=NONSENSE"],
            &["enable-event", "-u", "-c", "c", "a:x", "--exclude=a:y"],
            &["enable-event", "-u", "-c", "c", "lttng_jul:x"],
            &["enable-event", "-u", "-c", "c", "lttng_log4j:x"],
            &["enable-event", "-u", "-c", "c", "lttng_python:x"],
            &["enable-event", "-u", "-c", ".bad", "a:b"],
            &["enable-event", "-u", "a:b"],
            &["disable-event", "-u", "-c", "c", "a:unknown"],
            &["disable-event", "-u", "-c", "c", "a:*"],
            &["disable-event", "-u", "-c", "c", "lttng_jul:x"],
            &["disable-event", "-u", "-c", "unknown", "a:b"],
            &["disable-event", "-u", "a:b"],
            &["disable-event", "-u", "-c", "c", "a:b"],
            &["disable-event", "-u", "-c", "c", "a:b"],
        ] {
            s.lttng(command);
        }
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn excluding_the_same_name_twice() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-event", "-u", "a:*", "--exclude=a:x,a:x"]).fails();
        s.lttng(&["enable-event", "-u", "a:*", "--exclude=a:x,a:y"]).ok();
        // The order of the exclusions does not matter: the same rule.
        s.lttng(&["enable-event", "-u", "a:*", "--exclude=a:y,a:x"]);
        s.lttng(&["enable-event", "-u", "a:*", "--exclude=a:x"]).ok();
        daemon.stop();
    });
}

#[test]
fn what_is_not_there_yet_is_refused_with_a_reason() {
    ours_only("it has all of it", |s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        for command in [&["save", "s"][..], &["snapshot", "list-output", "-s", "s"]] {
            let refused = s.lttng(command).fails();
            assert_ne!(refused.stderr, "", "{command:?}");
        }
        s.lttng(&["destroy", "s"]).ok();
        daemon.stop();
    });
}

#[test]
fn the_kernel_domain_without_a_kernel_tracer() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        all_fail(s, &[&["enable-channel", "-k", "c"], &["list", "-k"], &["list", "-k", "--syscall"]]);
        daemon.stop();
    });
}

#[test]
fn a_refused_request_is_read_to_its_end() {
    ours_only("it answers before the request is read; `lttng` may die of SIGPIPE", |s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        for _ in 0..20 {
            s.lttng(&["enable-event", "-k", "--all"]).fails();
            s.lttng(&["enable-event", "-u", "-s", "nobody", "--all", "--filter=a > 1"]).fails();
        }
        daemon.stop();
    });
}

const CLIENT: &str = "/run/lttng/client-lttng-sessiond";

#[test]
fn unknown_command_numbers_are_refused() {
    ours(|s| {
        let daemon = Daemon::start(s);
        for number in [53, 54, 1000, u32::MAX] {
            assert_eq!(ask(s, CLIENT, &request(number)), 12, "command {number}");
        }
        daemon.stop();
    });
}

#[test]
fn holes_in_the_command_numbers_are_refused() {
    ours(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        for number in [1, 7, 8, 22, 23, 29, 30, 37, 38, 39] {
            let mut bytes = request(number);
            set_text(&mut bytes, 4, "s");
            assert_eq!(ask(s, CLIENT, &bytes), 12, "command {number}");
        }
        daemon.stop();
    });
}

/// Offset of the domain's type in a request.
const DOMAIN: usize = 4380;
/// Offset of the command's own parameters in a request.
const PARAMETERS: usize = 4688;

#[test]
fn requests_that_abort_the_stock_daemon_are_answered() {
    ours_only("it aborts", |s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-event", "-u", "a:*", "--exclude=a:b"]).ok();
        // LIST_TRACEPOINTS and LIST_TRACEPOINT_FIELDS of domains that are none.
        for domain in [0_u32, 6, 99] {
            for number in [14, 18] {
                let mut bytes = request(number);
                bytes[DOMAIN..DOMAIN + 4].copy_from_slice(&domain.to_ne_bytes());
                assert_eq!(ask(s, CLIENT, &bytes), 12, "command {number}, domain {domain}");
            }
        }
        // LIST_EVENTS of a channel that does not exist.
        let mut bytes = request(12);
        set_text(&mut bytes, 4, "s");
        bytes[DOMAIN..DOMAIN + 4].copy_from_slice(&2_u32.to_ne_bytes());
        set_text(&mut bytes, PARAMETERS, "nowhere");
        assert_eq!(ask(s, CLIENT, &bytes), 59);
        // LIST_EVENTS of a rule with exclusions.
        let list = s.lttng(&["list", "s"]).ok();
        assert!(
            list.stdout.contains("a:* (type: tracepoint) [enabled] [exclusions: a:b]"),
            "{}",
            list.stdout
        );
        // DATA_PENDING of an active session.
        s.lttng(&["start"]).ok();
        let mut bytes = request(24);
        set_text(&mut bytes, 4, "s");
        assert_eq!(ask(s, CLIENT, &bytes), 13);
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn every_command_is_answered() {
    ours_only("it aborts on some", |s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        // Without parameters; DESTROY_SESSION (9) last. Whatever the answer: there is one.
        for number in (0..=60).filter(|number| *number != 9).chain([9]) {
            for session in ["", "s", "nobody"] {
                for domain in 0..7_u32 {
                    let mut bytes = request(number);
                    set_text(&mut bytes, 4, session);
                    bytes[DOMAIN..DOMAIN + 4].copy_from_slice(&domain.to_ne_bytes());
                    let code = ask(s, CLIENT, &bytes);
                    assert!(
                        (10..=170).contains(&code),
                        "command {number}, `{session}`, domain {domain}: {code}"
                    );
                }
            }
        }
        s.lttng(&["list"]).ok();
        daemon.stop();
    });
}
