// SPDX-License-Identifier: GPL-2.0-only
//! Channels of logging agents: each domain has one, whose name and domain are its own.

use crate::agents_rules::{create, log_all};
use crate::support::app::App;
use crate::support::chunk::archived;
use crate::support::daemon::Daemon;
use crate::support::loggers::{DOMAINS, Domain, Level, Logging, lines, no_agents, no_python, records};
use crate::support::normalise::Order;
use crate::support::session::BUFFERS;
use crate::support::trace::events;
use crate::support::{Sandbox, side_by_side};

/// The sessions' content as text and as a document.
fn list(s: &Sandbox) {
    s.lttng_unordered(&["list", "s"]);
    s.lttng_xml(&["list", "s"]);
}

#[test]
fn the_only_name_of_each_domain() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        create(s, "s");
        // The command has no words for it.
        for domain in DOMAINS {
            s.lttng(&["enable-channel", domain.option(), &domain.channel()]).fails();
            s.lttng(&["disable-channel", domain.option(), &domain.channel()]).fails();
        }
        let mut library = App::start_program(s, "domains", &["s"]);
        let mut ask = |line: &str| {
            let answer = library.ask(line);
            // Lists come in any order.
            let mut words: Vec<&str> = answer.split(' ').collect();
            words[1..].sort_unstable();
            s.note(line, &words.join(" "), Order::Fixed);
        };
        for name in DOMAINS.map(Domain::name) {
            let own = format!("lttng_{name}_channel");
            ask(&format!("enable-channel {name} other"));
            ask(&format!("enable-channel {name} lttng_jul_channel"));
            ask(&format!("enable-channel {name} {own}"));
            ask(&format!("enable-channel {name} {own}"));
            ask(&format!("channels {name}"));
            ask("channels ust");
            list(s);
            ask(&format!("disable-channel {name} other"));
            ask(&format!("disable-channel {name} {own}"));
            list(s);
            ask(&format!("enable-channel {name} {own}"));
            ask(&format!("enable {name} anything a"));
            ask(&format!("enable {name} {own} b"));
            ask(&format!("events {name} {own}"));
            ask(&format!("events {name} other"));
            ask(&format!("events ust {own}"));
            ask(&format!("disable {name} anything b"));
            ask(&format!("context {name} other"));
            ask(&format!("context {name} {own}"));
            ask(&format!("app-context {name} {own}"));
            list(s);
        }
        // What goes to all channels, in a domain that has no contexts and in those that have. There, the client is told what
        // came of the channel that happens to be the last.
        for what in ["context", "app-context"] {
            ask(&format!("{what} {} -", Domain::Python.name()));
        }
        for name in [Domain::Jul, Domain::Log4j].map(Domain::name) {
            for what in ["context", "app-context"] {
                library.ask(&format!("{what} {name} -"));
            }
        }
        list(s);
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn attributes_of_ones_own_choice() {
    if no_agents() {
        return;
    }
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = create(s, "s");
            for (domain, size) in
                DOMAINS.into_iter().zip(["--subbuf-size=64k", "--subbuf-size=128k", "--overwrite"])
            {
                s.lttng(&["enable-channel", "-u", buffers, size, "--num-subbuf=8", &domain.channel()]).ok();
                list(s);
                s.lttng(&["enable-event", domain.option(), "a"]).ok();
                // It belongs to the loggers.
                s.lttng(&["enable-event", "-u", "-c", &domain.channel(), "testapp:tick"]).fails();
            }
            // No channel of that name is for it.
            s.lttng(&["enable-event", "-u", "testapp:tick"]).fails();
            s.lttng(&["enable-channel", "-u", buffers, "own"]).ok();
            s.lttng(&["enable-event", "-u", "-c", "own", "testapp:tick"]).ok();
            list(s);
            s.lttng(&["start"]).ok();
            let mut app = App::start(s);
            let mut programs = Logging::all(s);
            log_all(&mut programs, "a", Level::Info, "x");
            app.tell("tick 0 2");
            s.lttng_unordered(&["list", "s"]).ok();
            s.lttng(&["destroy"]).ok();
            let got = events(s, &trace);
            assert_eq!(records(&got).len(), 3);
            s.note("events", &lines(&got), Order::Fixed);
            app.exit();
            programs.into_iter().for_each(Logging::exit);
            daemon.stop();
        });
    }
}

#[test]
fn names_that_are_reserved() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        create(s, "s");
        for prefix in DOMAINS.map(|domain| format!("lttng_{}", domain.name())) {
            for rest in ["", ":event", ":*", "x", "*", "_more:event"] {
                s.lttng(&["enable-event", "-u", &format!("{prefix}{rest}")]);
            }
            s.lttng(&["enable-event", "-u", &format!("x{prefix}:event")]);
            s.lttng(&["enable-event", "-u", &prefix[..prefix.len() - 1]]);
        }
        list(s);
        daemon.stop();
    });
}

#[test]
fn a_session_that_was_started_has_all_its_channels() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        s.lttng(&["start"]).ok();
        let mut python = Logging::python(s);
        s.lttng(&["enable-event", "--jul", "a"]).fails();
        s.lttng(&["enable-event", "--python", "b"]).ok();
        python.log(Domain::Python, "a", Level::Info, "x");
        python.log(Domain::Python, "b", Level::Info, "x");
        list(s);
        s.lttng(&["stop"]).ok();
        s.lttng(&["enable-event", "--log4j", "a"]).fails();
        list(s);
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: x", "b: x"]);
        daemon.stop();
    });
}

#[test]
fn a_channel_that_is_disabled_records_nothing() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        let mut python = Logging::python(s);
        s.lttng(&["start"]).ok();
        for (turn, verb) in ["list", "disable-channel", "enable-channel"].into_iter().enumerate() {
            if verb != "list" {
                // The loggers' domain has no such command.
                s.lttng(&[verb, "-u", "lttng_python_channel"]);
            }
            list(s);
            python.log(Domain::Python, "a", Level::Info, &turn.to_string());
        }
        s.lttng(&["destroy"]).ok();
        s.note("events", &records(&events(s, &trace)).join("\n"), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn buffers_of_each_process() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        for domain in DOMAINS {
            s.lttng(&["enable-channel", "-u", "--buffers-pid", &domain.channel()]).ok();
            s.lttng(&["enable-event", domain.option(), "*"]).ok();
        }
        s.lttng(&["start"]).ok();
        let mut programs = Logging::all(s);
        log_all(&mut programs, "a", Level::Info, "first");
        s.lttng(&["rotate"]).ok();
        log_all(&mut programs, "a", Level::Info, "second");
        programs.into_iter().for_each(Logging::exit);
        let mut later = Logging::python(s);
        later.log(Domain::Python, "a", Level::Info, "third");
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        for chunk in archived(&trace) {
            let got = chunk.events(s);
            s.note(&format!("chunk {:?}", chunk.number), &lines(&got), Order::Fixed);
        }
        daemon.stop();
    });
}

#[test]
fn rotations_and_clearings() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "*"]).ok();
        }
        let mut programs = Logging::all(s);
        s.lttng(&["start"]).ok();
        for turn in 0..3 {
            log_all(&mut programs, "a", Level::Info, &turn.to_string());
            s.lttng(&["rotate"]).ok();
        }
        log_all(&mut programs, "a", Level::Info, "cleared");
        s.lttng(&["clear"]).ok();
        log_all(&mut programs, "a", Level::Info, "last");
        s.lttng(&["destroy"]).ok();
        for chunk in archived(&trace) {
            s.note(&format!("chunk {:?}", chunk.number), &records(&chunk.events(s)).join("\n"), Order::Fixed);
        }
        daemon.stop();
    });
}

#[test]
fn snapshots() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let place = s.path("place");
        s.lttng(&["create", "s", "--snapshot", "--output", &place]).ok();
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "*"]).ok();
        }
        s.lttng_unordered(&["list", "s"]).ok();
        let mut programs = Logging::all(s);
        s.lttng(&["start"]).ok();
        for turn in 0..2 {
            log_all(&mut programs, "a", Level::Info, &turn.to_string());
            let folder = s.path(&format!("snapshot-{turn}"));
            let recorded = s.run("lttng", &["snapshot", "record", &folder]).ok();
            assert!(recorded.stdout.contains("recorded"));
            s.note(&folder, &records(&events(s, &folder)).join("\n"), Order::Fixed);
        }
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn tracked_processes() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "*"]).ok();
        let mut one = Logging::python(s).listed(s);
        let mut two = Logging::python(s).listed(s);
        let tracked = s.run("lttng", &["track", "-u", "--vpid", &one.pid().to_string()]);
        s.note("track", &tracked.code.to_string(), Order::Fixed);
        s.lttng(&["track", "--python", "--vpid=1"]);
        s.lttng(&["start"]).ok();
        let both = |one: &mut Logging, two: &mut Logging, text: &str| {
            one.log(Domain::Python, "one", Level::Info, text);
            two.log(Domain::Python, "two", Level::Info, text);
        };
        both(&mut one, &mut two, "0");
        s.run("lttng", &["track", "-u", "--vpid", &two.pid().to_string()]).ok();
        both(&mut one, &mut two, "1");
        s.run("lttng", &["untrack", "-u", "--vpid", &one.pid().to_string()]).ok();
        both(&mut one, &mut two, "2");
        s.lttng(&["destroy"]).ok();
        let got = records(&events(s, &trace));
        assert_eq!(got, ["one: 0", "one: 1", "two: 1", "two: 2"]);
        daemon.stop();
    });
}

#[test]
fn a_second_state_dump() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "-u", "lttng_ust_statedump:start"]).ok();
        s.lttng(&["enable-event", "--python", "*"]).ok();
        let mut python = Logging::python(s);
        s.lttng(&["start"]).ok();
        python.log(Domain::Python, "a", Level::Info, "0");
        s.lttng(&["regenerate", "statedump"]).ok();
        s.lttng(&["regenerate", "metadata"]).ok();
        python.log(Domain::Python, "a", Level::Info, "1");
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: 0", "a: 1"]);
        daemon.stop();
    });
}

#[test]
fn the_network() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = crate::support::relay::Relay::start(s);
        s.lttng(&["create", "s", "--set-url=net://localhost"]).ok();
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "*"]).ok();
        }
        s.lttng_unordered(&["list", "s"]).ok();
        let mut programs = Logging::all(s);
        s.lttng(&["start"]).ok();
        log_all(&mut programs, "a", Level::Info, "x");
        s.lttng(&["destroy"]).ok();
        let got = records(&events(s, &relay.output));
        assert_eq!(got, ["a: x", "a: x", "a: x"]);
        daemon.stop();
    });
}
