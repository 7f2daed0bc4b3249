// SPDX-License-Identifier: GPL-2.0-only
//! Where agents find the daemon, and how they come, go and come again.

use std::fs;

use crate::agents_rules::{create, log_all};
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::loggers::{
    DOMAINS, Domain, JAVA, Level, Logging, fake_agent, no_agents, no_java, no_python, records, settle,
};
use crate::support::normalise::Order;
use crate::support::sandbox::OTHER;
use crate::support::trace::events;
use crate::support::{Sandbox, is_root, side_by_side, skip};

const PORT_FILE: &str = "/run/lttng/agent.port";

/// The file that says where agents connect to: type, mode and owner, and content.
fn note_port_file(s: &Sandbox, when: &str) {
    let found: Vec<String> =
        s.files(&["/run/lttng"]).into_iter().filter(|line| line.starts_with(PORT_FILE)).collect();
    let content = fs::read_to_string(s.outside(PORT_FILE)).unwrap_or_default();
    s.note(&format!("{when}: port file"), &format!("{}\n{content:?}", found.join("\n")), Order::Fixed);
}

/// Who listens where.
fn note_ports(s: &Sandbox, when: &str) {
    let table = s.run("cat", &["/proc/net/tcp", "/proc/net/tcp6"]).ok().stdout;
    let mut listening: Vec<&str> = table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words.get(3) == Some(&"0A")).then(|| words[1])
        })
        .collect();
    listening.sort_unstable();
    s.note(&format!("{when}: ports"), &listening.join("\n"), Order::Fixed);
}

/// What the daemon has said about agents, without the date.
fn note_log(s: &Sandbox) {
    let log = fs::read_to_string(s.path("daemon.log")).unwrap();
    let about: Vec<&str> = log.lines().filter(|line| line.to_lowercase().contains("agent")).collect();
    assert_eq!(about.len(), 1, "{log}");
    let warning = about[0].split_once("Warning: ").or_else(|| about[0].split_once("WARN")).is_some();
    assert!(warning, "{log}");
}

/// What works without a port for agents, and what does not.
fn note_commands(s: &Sandbox) {
    create(s, "s");
    for domain in DOMAINS {
        s.lttng(&["enable-event", domain.option(), "a"]).fails();
        s.lttng_xml(&["enable-event", domain.option(), "--all"]).fails();
        s.lttng(&["disable-event", domain.option(), "a"]).fails();
        s.lttng(&["list", domain.option()]).fails();
        if domain != Domain::Python {
            s.lttng(&["add-context", domain.option(), "--type=vpid"]).fails();
        }
    }
    s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
    s.lttng(&["enable-channel", "-u", "lttng_jul_channel"]);
    s.lttng_unordered(&["list", "s"]).ok();
    s.lttng_xml(&["list", "s"]).ok();
    for domain in DOMAINS {
        let kind = format!("--type={}", domain.name());
        let name = format!("--name={}", domain.name());
        let rule = ["--condition=event-rule-matches", &kind, "--name=*", "--action=notify"];
        s.lttng(&[&["add-trigger", &name], &rule[..]].concat());
    }
    s.lttng(&["list-triggers"]).ok();
    s.lttng(&["destroy", "s"]).ok();
}

#[test]
fn the_first_port_of_the_range() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        note_port_file(s, "running");
        note_ports(s, "running");
        daemon.stop();
        note_port_file(s, "ended");
        note_ports(s, "ended");
    });
}

#[test]
fn ports_that_are_taken_are_passed_over() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let mut others = fake_agent(s);
        others.tell("listen 5345 5346 5347");
        let daemon = Daemon::start(s);
        note_port_file(s, "running");
        note_ports(s, "running");
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        s.lttng(&["start"]).ok();
        let mut python = Logging::python(s);
        python.log(Domain::Python, "a", Level::Info, "x");
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: x"]);
        daemon.stop();
        note_port_file(s, "ended");
    });
}

#[test]
fn no_port_is_left() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let mut others = fake_agent(s);
        others.tell("listen 5345 5346 5347 5348 5349 5350 5351 5352 5353 5354");
        let daemon = Daemon::start(s);
        note_port_file(s, "running");
        note_log(s);
        note_commands(s);
        daemon.stop();
    });
}

#[test]
fn a_port_of_ones_own_choice() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start_with(s, &["--no-kernel", "--agent-tcp-port=12345"]);
        note_port_file(s, "running");
        note_ports(s, "running");
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        s.lttng(&["start"]).ok();
        let mut python = Logging::python(s);
        python.log(Domain::Python, "a", Level::Info, "x");
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: x"]);
        daemon.stop();
    });
}

#[test]
fn a_chosen_port_that_is_taken() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let mut others = fake_agent(s);
        others.tell("listen 5350");
        let daemon = Daemon::start_with(s, &["--no-kernel", "--agent-tcp-port=5350"]);
        note_port_file(s, "running");
        note_log(s);
        note_commands(s);
        daemon.stop();
    });
}

#[test]
fn what_a_port_may_be() {
    side_by_side(|s| {
        for port in ["0", "-1", "65536", "99999999999"] {
            let option = format!("--agent-tcp-port={port}");
            let mut daemon = Daemon::launch(s, &[], &["--no-kernel", &option]);
            daemon.expect("exit 1");
        }
    });
}

#[test]
fn a_port_file_that_is_there_already() {
    side_by_side(|s| {
        s.run("mkdir", &["/run/lttng"]).ok();
        s.run("sh", &["-c", "echo 5345 >/run/lttng/agent.port"]).ok();
        let daemon = Daemon::start_with(s, &["--no-kernel", "--agent-tcp-port=54321"]);
        note_port_file(s, "running");
        daemon.stop();
        note_port_file(s, "ended");
    });
}

#[test]
fn a_program_from_before_the_daemon_connects_to_it() {
    if no_java() {
        return;
    }
    side_by_side(|s| {
        let mut java = Logging::java(s, &JAVA);
        log_all(std::slice::from_mut(&mut java), "a", Level::Info, "nobody is there");
        let daemon = Daemon::start(s);
        java.is_listed(s);
        let trace = create(s, "s");
        for domain in JAVA {
            s.lttng(&["enable-event", domain.option(), "a"]).ok();
        }
        s.lttng(&["start"]).ok();
        log_all(std::slice::from_mut(&mut java), "a", Level::Info, "x");
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: x", "a: x"]);
        daemon.stop();
    });
}

#[test]
fn programs_outlive_the_daemon_and_register_with_the_next() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for domain in DOMAINS {
            s.run("lttng", &["create", "first", "--output", &s.path("first")]);
            s.lttng(&["enable-event", domain.option(), "--session=first", "a"]).ok();
        }
        s.lttng(&["start", "first"]).ok();
        let mut programs = Logging::all(s);
        log_all(&mut programs, "a", Level::Info, "the first");
        daemon.stop();
        log_all(&mut programs, "a", Level::Info, "nobody is there");
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "a"]).ok();
        }
        s.lttng(&["start"]).ok();
        programs.iter().for_each(|program| program.is_listed(s));
        // It is an application as well, which has to find the daemon again, too.
        eventually("the tracepoints are there", || {
            let listed = s.run("lttng", &["list", "-u"]).ok().stdout;
            ["lttng_jul:event", "lttng_log4j:event", "lttng_python:event"].iter().all(|e| listed.contains(e))
        });
        s.lttng(&["stop"]).ok();
        s.lttng(&["start"]).ok();
        log_all(&mut programs, "a", Level::Info, "the next");
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &s.path("first"))), ["a: the first"; 3]);
        assert_eq!(records(&events(s, &trace)), ["a: the next"; 3]);
        daemon.stop();
    });
}

#[test]
fn an_agent_that_went_gets_the_rules_again() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "a"]).ok();
        }
        s.lttng(&["start"]).ok();
        for turn in 0..3 {
            let mut programs = Logging::all(s);
            log_all(&mut programs, "a", Level::Info, &turn.to_string());
            if turn == 1 {
                programs.into_iter().for_each(Logging::kill);
            } else {
                programs.into_iter().for_each(Logging::exit);
            }
            s.lttng(&["enable-event", "--python", &format!("more-{turn}")]).ok();
        }
        s.lttng(&["destroy"]).ok();
        let want: Vec<String> = [0, 0, 0, 1, 1, 1, 2, 2, 2].iter().map(|turn| format!("a: {turn}")).collect();
        assert_eq!(records(&events(s, &trace)), want);
        daemon.stop();
    });
}

#[test]
fn the_end_of_a_session_leaves_nothing_enabled() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut programs = Logging::all(s).map(|program| program.listed(s));
        for turn in 0..2 {
            create(s, "s");
            for domain in DOMAINS {
                s.lttng(&["enable-event", domain.option(), "a,b"]).ok();
                s.lttng(&["enable-event", domain.option(), "a", "--filter=msg == \"x\""]).ok();
                s.lttng(&["enable-event", domain.option(), "c*", "--loglevel=INFO"]).ok();
                s.lttng(&["disable-event", domain.option(), "b"]).ok();
                if domain != Domain::Python {
                    let channel = format!("--channel={}", domain.channel());
                    s.lttng(&["add-context", domain.option(), &channel, "--type=$app.prov:int"]).ok();
                }
            }
            if turn == 0 {
                s.lttng(&["start"]).ok();
            }
            let mut look = |when: &str| {
                settle(s);
                for program in &mut programs {
                    for &domain in program.domains() {
                        let mut found = program.enabled(domain);
                        if domain != Domain::Python {
                            found = format!("{found}; {}", program.contexts(domain));
                        }
                        s.note(&format!("{when}: {domain:?}"), &found, Order::Fixed);
                    }
                }
            };
            look("before the end");
            s.lttng(&["destroy"]).ok();
            look("after the end");
        }
        daemon.stop();
    });
}

#[test]
fn a_users_program_is_recorded_by_both_daemons() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let root = Daemon::start(s);
        let user = Daemon::start_as(s, OTHER, &[]);
        let port = s.home_of(OTHER).join(".lttng/agent.port");
        s.note("the user's port", &fs::read_to_string(&port).unwrap(), Order::Fixed);
        let mode = s.run("stat", &["-c", "%F %a %u:%g", &port.to_string_lossy()]).ok().stdout;
        s.note("the user's port file", &mode, Order::Fixed);
        note_ports(s, "running");
        let of_root = create(s, "s");
        let of_user = s.home_of(OTHER).join("trace").to_string_lossy().into_owned();
        s.lttng_as(OTHER, &["create", "u", "--output", &of_user]).ok();
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "a"]).ok();
            s.lttng_as(OTHER, &["enable-event", domain.option(), "*"]).ok();
        }
        s.lttng(&["start"]).ok();
        s.lttng_as(OTHER, &["start"]).ok();
        let mut theirs = [Logging::java_as(s, OTHER, &JAVA), Logging::python_as(s, OTHER)];
        let mut roots = Logging::python(s);
        for logger in ["a", "b"] {
            log_all(&mut theirs, logger, Level::Info, "the user's");
            log_all(std::slice::from_mut(&mut roots), logger, Level::Info, "root's");
        }
        theirs.iter().for_each(|program| program.is_listed(s));
        for domain in DOMAINS {
            s.lttng_unordered(&["list", domain.option()]).ok();
            s.lttng_as(OTHER, &["list", domain.option()]).ok();
        }
        s.lttng(&["destroy"]).ok();
        s.lttng_as(OTHER, &["destroy"]).ok();
        // Python's agent has one handler for each daemon, and each of them records for both.
        let recorded = records(&events(s, &of_root));
        s.note("recorded by root's", &recorded.join("\n"), Order::Fixed);
        assert_eq!(recorded.len(), 5);
        let recorded = records(&events(s, &of_user));
        s.note("recorded by the user's", &recorded.join("\n"), Order::Fixed);
        assert_eq!(recorded.len(), 8);
        user.stop();
        assert!(!port.exists());
        root.stop();
    });
}

#[test]
fn a_users_daemon_alone() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start_as(s, OTHER, &[]);
        let trace = s.home_of(OTHER).join("trace").to_string_lossy().into_owned();
        s.lttng_as(OTHER, &["create", "u", "--output", &trace]).ok();
        for domain in DOMAINS {
            s.lttng_as(OTHER, &["enable-event", domain.option(), "*"]).ok();
        }
        s.lttng_as(OTHER, &["start"]).ok();
        let mut programs = [Logging::java_as(s, OTHER, &JAVA), Logging::python_as(s, OTHER)];
        log_all(&mut programs, "a", Level::Info, "x");
        s.lttng_as(OTHER, &["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: x"; 3]);
        daemon.stop();
    });
}

/// Whoever waits for the registration's end may log at once.
#[test]
fn a_short_program_loses_nothing() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "*", "--loglevel=WARNING"]).ok();
        s.lttng(&["start"]).ok();
        let script = "import logging, lttngust; logging.error('one'); logging.getLogger('a').warning('two'); \
                      logging.info('none')";
        for _ in 0..5 {
            s.run("python3", &["-B", "-c", script]).ok();
        }
        let mut later = Logging::python_later(s);
        later.log(Domain::Python, "a", Level::Error, "without the agent");
        later.tell("load");
        later.log(Domain::Python, "a", Level::Error, "with it");
        s.lttng(&["destroy"]).ok();
        let got = records(&events(s, &trace));
        assert_eq!(got.len(), 11, "{got:?}");
        s.note("records", &got.join("\n"), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn the_daemon_ends_while_programs_run() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "*"]).ok();
        }
        s.lttng(&["start"]).ok();
        let mut programs = Logging::all(s);
        log_all(&mut programs, "a", Level::Info, "x");
        let mut app = App::start(s);
        app.tell("tick 0 1");
        daemon.stop();
        log_all(&mut programs, "a", Level::Info, "nobody is there");
        assert_eq!(records(&events(s, &trace)), ["a: x"; 3]);
        programs.into_iter().for_each(Logging::exit);
    });
}
