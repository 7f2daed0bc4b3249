// SPDX-License-Identifier: GPL-2.0-only
//! Rules of logging agents: which records of Java's and Python's loggers are recorded.

use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::loggers::{
    DOMAINS, Domain, JAVA, LEVELS, Level, Logging, lines, no_agents, records, settle,
};
use crate::support::normalise::Order;
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, ours_only, side_by_side};

/// Creates a session with its trace in a folder of its name.
pub fn create(s: &Sandbox, session: &str) -> String {
    let trace = s.path(session);
    s.lttng(&["create", session, "--output", &trace]).ok();
    trace
}

/// Has each program log this in each of its domains.
pub fn log_all(programs: &mut [Logging], logger: &str, level: Level, text: &str) {
    for program in programs {
        for &domain in program.domains() {
            program.log(domain, logger, level, text);
        }
    }
}

#[test]
fn every_record_arrives_with_every_field() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "--all"]).ok();
        }
        s.lttng(&["start"]).ok();
        let mut programs = Logging::all(s);
        for program in &mut programs {
            for &domain in program.domains() {
                for level in LEVELS {
                    program.log(domain, "some.logger", level, "a \"quoted\" text");
                }
                program.burst(domain, "other", 0, 100);
            }
        }
        programs.into_iter().for_each(Logging::exit);
        s.lttng(&["destroy"]).ok();
        let got = events(s, &trace);
        assert_eq!(records(&got).len(), 3 * 104);
        s.note("events", &lines(&got), Order::Fixed);
        daemon.stop();
    });
}

/// What rules of one session each choose from the records of one program.
#[test]
fn names_levels_and_filters_select() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        // Rule, and how many of the records below it chooses in each domain.
        let cases: &[(&str, &[&str], usize)] = &[
            ("all", &["--all"], 16),
            ("name", &["a.b"], 4),
            ("names", &["a.b,c"], 8),
            ("prefix", &["a.*"], 8),
            ("inside", &["a*c"], 4),
            ("suffix", &["*.b"], 4),
            ("warnings", &["--all", "--loglevel=WARN"], 8),
            ("infos-of", &["a.b.c", "--loglevel-only=INFO"], 1),
            ("text", &["--all", "--filter=msg == \"info *\""], 4),
            ("text-of", &["a.*", "--filter=msg == \"*o a.b\" || msg == \"debug*\""], 3),
            ("each", &["a.*", "--loglevel=INFO", "--filter=logger_name != \"a.b\""], 3),
            ("all-each", &["--all", "--loglevel=INFO", "--filter=logger_name == \"c\""], 3),
        ];
        let level = |domain: Domain, argument: &str| {
            if domain == Domain::Log4j { argument.to_owned() } else { argument.replace("=WARN", "=WARNING") }
        };
        let mut early = Logging::all(s).map(|program| program.listed(s));
        for (session, rule, _) in cases {
            create(s, session);
            for domain in DOMAINS {
                let rule: Vec<String> = rule.iter().map(|argument| level(domain, argument)).collect();
                let rule: Vec<&str> = rule.iter().map(String::as_str).collect();
                s.lttng(&[&["enable-event", domain.option()], &rule[..]].concat()).ok();
            }
            s.lttng(&["start"]).ok();
        }
        for program in &mut early {
            for &domain in program.domains() {
                for logger in ["a.b", "a.b.c", "c", "d"] {
                    for (name, level) in ["debug", "info", "warning", "error"].into_iter().zip(LEVELS) {
                        program.log(domain, logger, level, &format!("{name} {logger}"));
                    }
                }
            }
        }
        for (session, rule, count) in cases {
            s.lttng_unordered(&["list", session]).ok();
            s.lttng(&["destroy", session]).ok();
            let got = records(&events(s, &s.path(session)));
            s.note(session, &got.join("\n"), Order::Fixed);
            assert_eq!(got.len(), 3 * count, "{rule:?}: {got:?}");
        }
        daemon.stop();
    });
}

/// All names that `lttng` takes, and some that it does not.
#[test]
fn names_of_levels() {
    let of_java = ["OFF", "SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER", "FINEST", "ALL"];
    let of_log4j = ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"];
    let of_python = ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"];
    for (domain, names) in DOMAINS.into_iter().zip([&of_java[..], &of_log4j, &of_python]) {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            create(s, "s");
            for name in names {
                let long = format!("{}_{name}", domain.name()).to_uppercase();
                for option in ["--loglevel", "--loglevel-only"] {
                    for name in [&long, *name] {
                        s.lttng(&["enable-event", domain.option(), "x", &format!("{option}={name}")]);
                    }
                }
                let small = format!("--loglevel={}", name.to_lowercase());
                s.lttng(&["enable-event", domain.option(), "small", &small]);
            }
            for name in ["NONE", "5", "", "EMERG"] {
                s.lttng(&["enable-event", domain.option(), "y", &format!("--loglevel={name}")]).fails();
            }
            s.lttng_unordered(&["list", "s"]);
            s.lttng_xml(&["list", "s"]);
            daemon.stop();
        });
    }
}

/// No program is needed for any of this.
#[test]
fn rules_are_enabled_and_disabled_once() {
    for domain in DOMAINS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let option = domain.option();
            let list = || {
                s.lttng_unordered(&["list", "s"]);
                s.lttng_xml(&["list", "s"]);
            };
            // No session, no agent in it.
            s.lttng(&["enable-event", option, "a"]).fails();
            create(s, "s");
            s.lttng(&["enable-event", option, "a"]).ok();
            s.lttng(&["enable-event", option, "a"]).fails();
            s.lttng_xml(&["enable-event", option, "a"]).fails();
            s.lttng(&["enable-event", option, "a", "--filter=msg == \"x\""]).ok();
            s.lttng(&["enable-event", option, "a", "--filter=msg == \"y\""]).ok();
            s.lttng(&["enable-event", option, "a", "--filter=msg == \"y\""]).fails();
            s.lttng(&["enable-event", option, "a", "--loglevel=INFO"]).ok();
            s.lttng(&["enable-event", option, "a", "--loglevel=INFO"]).fails();
            s.lttng(&["enable-event", option, "a", "--loglevel-only=INFO"]).ok();
            s.lttng(&["enable-event", option, "b,a,c"]).fails();
            s.lttng_xml(&["enable-event", option, "d,a,e"]).fails();
            list();
            s.lttng(&["disable-event", option, "b"]).ok();
            s.lttng(&["disable-event", option, "b"]);
            s.lttng(&["disable-event", option, "unknown"]).fails();
            s.lttng_xml(&["disable-event", option, "unknown"]).fails();
            list();
            // All of this name.
            s.lttng(&["disable-event", option, "a"]).ok();
            list();
            s.lttng(&["enable-event", option, "a"]).ok();
            s.lttng(&["enable-event", option, "a", "--loglevel=INFO"]).ok();
            list();
            s.lttng(&["disable-event", option, "--all-events"]).ok();
            list();
            s.lttng(&["disable-event", option, "--all-events"]);
            s.lttng(&["enable-event", option, "a,b,c"]).ok();
            list();
            s.lttng(&["destroy"]).ok();
            daemon.stop();
        });
    }
}

#[test]
fn there_is_nothing_to_disable() {
    for domain in DOMAINS {
        ours_only("it closes before the client has sent all of its request", |s| {
            let daemon = Daemon::start(s);
            create(s, "s");
            s.lttng(&["disable-event", domain.option(), "a"]).fails();
            s.lttng(&["disable-event", domain.option(), "--all-events"]);
            s.lttng(&["list", "s"]).ok();
            daemon.stop();
        });
    }
}

#[test]
fn all_loggers_are_a_rule_of_their_own() {
    for domain in DOMAINS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            create(s, "s");
            s.lttng(&["enable-event", domain.option(), "--all"]).ok();
            s.lttng(&["enable-event", domain.option(), "*"]).fails();
            s.lttng(&["enable-event", domain.option(), "--all"]).fails();
            s.lttng(&["enable-event", domain.option(), "--all", "--filter=msg == \"x\""]).ok();
            s.lttng(&["enable-event", domain.option(), "--all", "--loglevel=INFO"]).ok();
            s.lttng_unordered(&["list", "s"]).ok();
            s.lttng_xml(&["list", "s"]).ok();
            s.lttng(&["destroy"]).ok();
            daemon.stop();
        });
    }
}

#[test]
fn what_a_rule_may_not_be() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        create(s, "s");
        for domain in DOMAINS {
            let option = domain.option();
            let reserved = format!("lttng_{}:*", domain.name());
            for arguments in [
                &["a", "--exclude=b"][..],
                &["a", "--channel=other"],
                &["a", &format!("--channel={}", domain.channel())],
                &["a:b", "--tracepoint"],
                &["a", "--probe=x"],
                &["a", "--syscall"],
                &["a", "--filter=x ="],
                &["a", "--filter="],
                &[""],
                &["a b"],
                &["caf\u{e9}"],
                &["quote\"d"],
                &[&reserved],
                &[&"n".repeat(255)],
                &[&"n".repeat(256)],
                &[&"n".repeat(300)],
            ] {
                s.lttng(&[&["enable-event", option], arguments].concat());
            }
            s.lttng(&["disable-event", option, "a", "--channel=other"]);
            s.lttng(&["disable-event", option, &"n".repeat(255)]);
        }
        s.lttng_unordered(&["list", "s"]);
        s.lttng_xml(&["list", "s"]);
        daemon.stop();
    });
}

#[test]
fn rules_change_while_programs_log() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        let mut programs = Logging::all(s).map(|program| program.listed(s));
        let each = |verb: &str, rest: &[&str]| {
            for domain in DOMAINS {
                s.lttng(&[&[verb, domain.option()], rest].concat()).ok();
            }
        };
        let mut number = 0;
        let mut both = || {
            log_all(&mut programs, "a", Level::Info, &number.to_string());
            log_all(&mut programs, "b", Level::Info, &number.to_string());
            settle(s);
            for program in &mut programs {
                for &domain in program.domains() {
                    let enabled = program.enabled(domain);
                    s.note(&format!("{number}: enabled in {domain:?}"), &enabled, Order::Fixed);
                }
            }
            number += 1;
        };
        each("enable-event", &["a"]);
        both();
        s.lttng(&["start"]).ok();
        both();
        each("enable-event", &["b"]);
        both();
        each("disable-event", &["a"]);
        both();
        each("enable-event", &["a"]);
        both();
        s.lttng(&["stop"]).ok();
        both();
        each("disable-event", &["b"]);
        s.lttng(&["start"]).ok();
        both();
        each("disable-event", &["--all-events"]);
        both();
        each("enable-event", &["*", "--filter=msg != \"9\""]);
        both();
        both();
        both();
        s.lttng(&["destroy"]).ok();
        let got = records(&events(s, &trace));
        s.note("records", &got.join("\n"), Order::Fixed);
        let count = |text: &str| got.iter().filter(|record| record.ends_with(text)).count();
        let per_turn: Vec<usize> = (0..11).map(|turn| count(&format!(": {turn}")) / 3).collect();
        assert_eq!(per_turn, [0, 1, 2, 1, 2, 0, 1, 0, 2, 0, 2], "{got:?}");
        daemon.stop();
    });
}

#[test]
fn programs_may_start_at_any_time() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut programs = vec![Logging::python(s).listed(s), Logging::java(s, &JAVA).listed(s)];
        let trace = create(s, "s");
        programs.push(Logging::python(s).listed(s));
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "a"]).ok();
        }
        // As soon as it runs, it is traced.
        programs.push(Logging::python(s));
        log_all(&mut programs, "a", Level::Info, "too early");
        s.lttng(&["start"]).ok();
        programs.push(Logging::python(s));
        programs.push(Logging::java(s, &JAVA));
        for (number, program) in programs.iter_mut().enumerate() {
            log_all(std::slice::from_mut(program), "a", Level::Info, &number.to_string());
            log_all(std::slice::from_mut(program), "b", Level::Info, "not asked for");
        }
        s.lttng(&["stop"]).ok();
        log_all(&mut programs, "a", Level::Info, "too late");
        s.lttng(&["destroy"]).ok();
        let want: Vec<String> = [0, 1, 1, 2, 3, 4, 5, 5].iter().map(|n| format!("a: {n}")).collect();
        assert_eq!(records(&events(s, &trace)), want);
        daemon.stop();
    });
}

#[test]
fn sessions_share_a_logger() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut programs = Logging::all(s).map(|program| program.listed(s));
        let enabled = |programs: &mut [Logging], when: &str| {
            settle(s);
            for program in programs {
                for &domain in program.domains() {
                    s.note(&format!("{when}: enabled in {domain:?}"), &program.enabled(domain), Order::Fixed);
                }
            }
        };
        for session in ["one", "two"] {
            create(s, session);
            for domain in DOMAINS {
                s.lttng(&["enable-event", domain.option(), "a"]).ok();
            }
            enabled(&mut programs, session);
            s.lttng(&["start"]).ok();
        }
        s.lttng(&["enable-event", "--jul", "--session=one", "b"]).ok();
        log_all(&mut programs, "a", Level::Info, "both");
        s.lttng(&["disable-event", "--jul", "--session=two", "a"]).ok();
        s.lttng(&["disable-event", "--log4j", "--session=two", "a"]).ok();
        s.lttng(&["disable-event", "--python", "--session=two", "a"]).ok();
        log_all(&mut programs, "a", Level::Info, "one");
        log_all(&mut programs, "b", Level::Info, "one");
        enabled(&mut programs, "after the disabling");
        s.lttng(&["destroy", "one"]).ok();
        enabled(&mut programs, "after the first session's end");
        log_all(&mut programs, "a", Level::Info, "none");
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "--session=two", "a"]).ok();
        }
        log_all(&mut programs, "a", Level::Info, "two");
        s.lttng(&["destroy", "two"]).ok();
        enabled(&mut programs, "at the end");
        log_all(&mut programs, "a", Level::Info, "nobody listens");
        let one = records(&events(s, &s.path("one")));
        let two = records(&events(s, &s.path("two")));
        s.note("one", &one.join("\n"), Order::Fixed);
        s.note("two", &two.join("\n"), Order::Fixed);
        assert_eq!((one.len(), two.len()), (7, 6), "{one:?} {two:?}");
        daemon.stop();
    });
}

#[test]
fn loggers_and_tracepoints_in_one_session() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        let mut app = App::start(s);
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["enable-event", "--python", "a"]).ok();
        s.lttng(&["enable-event", "--log4j", "a"]).ok();
        s.lttng(&["enable-event", "--jul", "a"]).ok();
        // The tracepoints of agents are tracepoints, too.
        s.lttng(&["create", "raw", "--output", &s.path("raw")]).ok();
        s.lttng(&["enable-event", "-u", "*", "--session=raw"]).ok();
        let mut programs = Logging::all(s);
        s.lttng(&["start", "s"]).ok();
        s.lttng(&["start", "raw"]).ok();
        for turn in 0..3 {
            app.tell(&format!("tick {turn} 1"));
            log_all(&mut programs, "a", Level::Info, &turn.to_string());
            log_all(&mut programs, "b", Level::Info, &turn.to_string());
        }
        s.lttng(&["list"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng_unordered(&["list", "raw"]).ok();
        s.lttng(&["destroy", "--all"]).ok();
        let got = events(s, &trace);
        assert_eq!((numbers(&got, "testapp:tick").len(), records(&got).len()), (3, 9));
        s.note("events", &lines(&got), Order::Fixed);
        let raw = events(s, &s.path("raw"));
        assert_eq!(numbers(&raw, "testapp:tick"), [0, 1, 2]);
        s.note("raw", &lines(&raw), Order::Fixed);
        daemon.stop();
    });
}
