// SPDX-License-Identifier: GPL-2.0-only
//! Triggers on records of loggers: who is told what, and what is captured.

use crate::agents_rules::{create, log_all};
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::loggers::{
    DOMAINS, Domain, JAVA, LEVELS, Level, Logging, no_agents, no_java, no_python, records,
};
use crate::support::normalise::Order;
use crate::support::trace::events;
use crate::support::{Sandbox, ours_only, side_by_side};

/// Adds a trigger on records that tells of them.
fn add(s: &Sandbox, name: &str, domain: Domain, rule: &[&str]) {
    let name = format!("--name={name}");
    let kind = format!("--type={}:logging", domain.name());
    let first = ["add-trigger", &name, "--condition=event-rule-matches", &kind];
    s.lttng(&[&first, rule, &["--action=notify"]].concat()).ok();
}

/// The sentinel of a domain: a record of its logger `last` is told to everybody who listens.
fn last(domain: Domain) -> String {
    format!("last-{}", domain.name())
}

fn add_last(s: &Sandbox) {
    for domain in DOMAINS {
        add(s, &last(domain), domain, &["--name=last"]);
    }
    // The stock daemon tells applications that are there already of triggers on loggers when there is one on tracepoints.
    let rule = ["--condition=event-rule-matches", "--type=user", "--name=none:none"];
    s.lttng(&[&["add-trigger", "--name=user"], &rule[..], &["--action=notify"]].concat()).ok();
}

/// What is told of a domain until the sentinel is, so many lines. A program's records are told in their order, and one of
/// them by several triggers in any.
fn told(
    s: &Sandbox,
    title: &str,
    (program, domain): (&mut Logging, Domain),
    listener: &mut App,
    count: usize,
) {
    program.log(domain, "last", Level::Info, "last");
    let (mut lines, mut ended) = (Vec::new(), false);
    while !ended || lines.len() < count {
        let line = listener.ask("next");
        if line.split(' ').next() == Some(&last(domain)) {
            ended = true;
        } else {
            lines.push(line);
        }
    }
    assert_eq!(listener.ask("pending"), "no");
    lines.sort();
    assert_eq!(lines.len(), count, "{title}: {lines:?}");
    s.note(&format!("{title}, told of {domain:?}"), &lines.join("\n"), Order::Fixed);
}

/// The programs end before the daemon: the stock one fails an assertion when it ends with applications that have event
/// notifiers.
fn end(s: &Sandbox, daemon: Daemon, programs: impl IntoIterator<Item = Logging>) {
    programs.into_iter().for_each(Logging::exit);
    eventually("no application is left", || {
        let listed = s.run("lttng", &["list", "-u"]).stdout;
        !listed.contains("lttng_jul:event") && !listed.contains("lttng_python:event")
    });
    daemon.stop();
}

#[test]
fn programs_from_before_and_after_a_trigger() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut before = Logging::all(s).map(|program| program.listed(s));
        for domain in DOMAINS {
            add(s, &format!("plain-{}", domain.name()), domain, &["--name=a"]);
            add(s, &format!("all-{}", domain.name()), domain, &["--name=*"]);
        }
        add_last(s);
        s.lttng(&["list-triggers"]).ok();
        s.lttng_xml(&["list-triggers"]).ok();
        let mut after = Logging::all(s);
        let plain = DOMAINS.map(|domain| format!("plain-{}", domain.name()));
        let lasts = DOMAINS.map(last);
        let names: Vec<&str> = plain.iter().chain(&lasts).map(String::as_str).collect();
        let mut listener = App::start_program(s, "notified", &names);
        for (title, programs) in [("before", &mut before), ("after", &mut after)] {
            for program in programs {
                for &domain in program.domains() {
                    for logger in ["a", "b", "a.b", "a"] {
                        program.log(domain, logger, Level::Info, "x");
                    }
                    told(s, title, (program, domain), &mut listener, 2);
                }
            }
        }
        end(s, daemon, before.into_iter().chain(after));
    });
}

#[test]
fn names_levels_and_filters_select() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut early = Logging::all(s).map(|program| program.listed(s));
        // Rule, and how many of the records below it chooses.
        let cases: [(&str, &[&str], usize); 10] = [
            ("name", &["--name=a.b"], 4),
            ("prefix", &["--name=a.*"], 8),
            ("all", &["--name=*"], 13),
            ("severe", &["--name=*", "--log-level=WARN"], 3),
            ("level", &["--name=c", "--log-level=INFO"], 1),
            ("any", &["--name=*.c", "--log-level=.."], 4),
            ("text", &["--name=c", "--filter=msg == \"info*\""], 1),
            ("number", &["--name=a.*", "--filter=int_loglevel >= 0 && msg != \"*a.b\""], 4),
            ("each", &["--name=a.*", "--log-level=WARN", "--filter=logger_name == \"a.b.c\""], 1),
            ("nothing", &["--name=a"], 0),
        ];
        let level = |domain: Domain, argument: &str| {
            if domain == Domain::Log4j { argument.to_owned() } else { argument.replace("=WARN", "=WARNING") }
        };
        for (name, rule, _) in cases {
            for domain in DOMAINS {
                let rule: Vec<String> = rule.iter().map(|argument| level(domain, argument)).collect();
                let rule: Vec<&str> = rule.iter().map(String::as_str).collect();
                add(s, &format!("{name}-{}", domain.name()), domain, &rule);
            }
        }
        add_last(s);
        s.lttng_unordered(&["list-triggers"]).ok();
        s.lttng_xml(&["list-triggers"]).ok();
        for program in &mut early {
            for &domain in program.domains() {
                for (name, _, count) in cases {
                    let name = format!("{name}-{}", domain.name());
                    let mut listener = App::start_program(s, "notified", &[&name, &last(domain)]);
                    for logger in ["a.b", "a.b.c", "c"] {
                        for (word, level) in ["debug", "info", "warning", "error"].into_iter().zip(LEVELS) {
                            program.log(domain, logger, level, &format!("{word} {logger}"));
                        }
                    }
                    told(s, &name, (program, domain), &mut listener, count);
                    listener.close();
                }
            }
        }
        end(s, daemon, early);
    });
}

/// `lttng` has no words for levels from one on, and fails an assertion when it lists them.
#[test]
fn levels_from_one_on() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut library = App::start_program(s, "domains", &["none"]);
        for (domain, level) in DOMAINS.into_iter().zip([900, 30000, 30]) {
            assert_eq!(library.ask(&format!("trigger {} a* {level}", domain.name())), "10");
        }
        add_last(s);
        let mut programs = Logging::all(s);
        for program in &mut programs {
            for &domain in program.domains() {
                let mut listener = App::start_program(s, "notified", &[domain.name(), &last(domain)]);
                for level in LEVELS {
                    program.log(domain, "a.b", level, "x");
                }
                told(s, "from a warning on", (program, domain), &mut listener, 2);
                listener.close();
            }
        }
        end(s, daemon, programs);
    });
}

#[test]
fn a_program_that_is_there_is_told_of_a_trigger_on_loggers_alone() {
    ours_only("it tells it when there is a trigger on tracepoints, too", |s| {
        if no_agents() {
            return;
        }
        let daemon = Daemon::start(s);
        let mut programs = Logging::all(s).map(|program| program.listed(s));
        for program in &mut programs {
            for &domain in program.domains() {
                add(s, domain.name(), domain, &["--name=a"]);
                let mut listener = App::start_program(s, "notified", &[domain.name()]);
                program.log(domain, "a", Level::Info, "x");
                assert_eq!(listener.ask("next"), format!("{} nothing", domain.name()));
                listener.close();
            }
        }
        daemon.stop();
    });
}

#[test]
fn values_are_captured() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for domain in DOMAINS {
            let own: &[&str] = match domain {
                Domain::Jul => &["--capture=class_name", "--capture=method_name"],
                Domain::Log4j => &["--capture=filename", "--capture=$app.prov:int"],
                Domain::Python => &["--capture=funcName", "--capture=threadName"],
            };
            let all = ["--name=a", "--capture=msg", "--capture=logger_name", "--capture=int_loglevel"];
            let more = ["--capture=$ctx.procname", "--capture=nothing"];
            add(s, domain.name(), domain, &[&all[..], &more, own].concat());
        }
        add_last(s);
        s.lttng(&["list-triggers"]).ok();
        let mut programs = Logging::all(s);
        let lasts = DOMAINS.map(last);
        let names: Vec<&str> =
            DOMAINS.iter().map(|domain| domain.name()).chain(lasts.iter().map(String::as_str)).collect();
        let mut listener = App::start_program(s, "notified", &names);
        for program in &mut programs {
            for &domain in program.domains() {
                for level in LEVELS {
                    program.log(domain, "a", level, "a \"text\"");
                }
                told(s, "captured", (program, domain), &mut listener, 4);
            }
        }
        end(s, daemon, programs);
    });
}

#[test]
fn a_record_acts_on_sessions() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        for (action, logger) in [("start-session", "begin"), ("stop-session", "end")] {
            let (name, rule) = (format!("--name={action}"), format!("--name={logger}"));
            let action = format!("--action={action}");
            let condition = ["--condition=event-rule-matches", "--type=python", &rule];
            s.lttng(&[&["add-trigger", &name], &condition[..], &[&action, "s"]].concat()).ok();
        }
        let mut python = Logging::python(s);
        let is_active = || s.run("lttng", &["list", "s"]).stdout.contains("[active]");
        python.log(Domain::Python, "a", Level::Info, "0");
        python.log(Domain::Python, "begin", Level::Info, "begin");
        eventually("it is started", is_active);
        python.log(Domain::Python, "a", Level::Info, "1");
        python.log(Domain::Python, "end", Level::Info, "end");
        eventually("it is stopped", || !is_active());
        python.log(Domain::Python, "a", Level::Info, "2");
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: 1"]);
        end(s, daemon, [python]);
    });
}

/// Neither takes from the agent what the other has enabled there.
#[test]
fn a_rule_and_a_trigger_of_the_same_name() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut programs = Logging::all(s).map(|program| program.listed(s));
        let trace = create(s, "s");
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "a"]).ok();
            add(s, domain.name(), domain, &["--name=a"]);
        }
        add_last(s);
        s.lttng(&["start"]).ok();
        let lasts = DOMAINS.map(last);
        let names: Vec<&str> =
            DOMAINS.iter().map(|domain| domain.name()).chain(lasts.iter().map(String::as_str)).collect();
        let mut listener = App::start_program(s, "notified", &names);
        let mut each = |programs: &mut [Logging], text: &str| {
            for program in programs {
                for &domain in program.domains() {
                    program.log(domain, "a", Level::Info, text);
                    told(s, text, (program, domain), &mut listener, 1);
                }
            }
        };
        each(&mut programs, "both");
        for domain in DOMAINS {
            s.lttng(&["disable-event", domain.option(), "a"]).ok();
        }
        each(&mut programs, "the trigger alone");
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "a"]).ok();
        }
        each(&mut programs, "both again");
        s.lttng(&["destroy"]).ok();
        each(&mut programs, "after the session");
        let got = records(&events(s, &trace));
        s.note("recorded", &got.join("\n"), Order::Fixed);
        assert_eq!(got.len(), 6);
        end(s, daemon, programs);
    });
}

#[test]
fn removed_triggers_leave_nothing_enabled() {
    ours_only("it says that there is no such event, leaves it enabled, and aborts later", |s| {
        if no_agents() {
            return;
        }
        let daemon = Daemon::start(s);
        let mut programs = Logging::all(s).map(|program| program.listed(s));
        let rules: [(&str, &[&str]); 4] = [
            ("name", &["--name=a"]),
            ("all", &["--name=*"]),
            ("level", &["--name=b", "--log-level=INFO"]),
            ("filter", &["--name=a", "--filter=msg == \"x\""]),
        ];
        for _ in 0..2 {
            for domain in DOMAINS {
                for (name, rule) in rules {
                    add(s, &format!("{name}-{}", domain.name()), domain, rule);
                }
            }
            for program in &mut programs {
                for &domain in program.domains() {
                    let want = if domain == Domain::Python { "1" } else { "* a b" };
                    assert_eq!(program.enabled(domain), want);
                }
            }
            for domain in DOMAINS {
                for (name, _) in rules {
                    s.lttng(&["remove-trigger", &format!("{name}-{}", domain.name())]).ok();
                }
            }
            for program in &mut programs {
                for &domain in program.domains() {
                    let want = if domain == Domain::Python { "0" } else { "" };
                    assert_eq!(program.enabled(domain), want);
                }
            }
            log_all(&mut programs, "a", Level::Info, "x");
        }
        s.lttng(&["list-triggers"]).ok();
        // With the programs.
        daemon.stop();
    });
}

#[test]
fn a_filter_on_all_loggers_is_a_filter() {
    ours_only("it composes no filter for it", |s| {
        if no_agents() {
            return;
        }
        let daemon = Daemon::start(s);
        let mut programs = Logging::all(s).map(|program| program.listed(s));
        for domain in DOMAINS {
            add(s, domain.name(), domain, &["--name=*", "--filter=msg == \"x\""]);
        }
        add_last(s);
        for program in &mut programs {
            for &domain in program.domains() {
                let mut listener = App::start_program(s, "notified", &[domain.name(), &last(domain)]);
                for text in ["w", "x", "y", "x"] {
                    program.log(domain, "a", Level::Info, text);
                }
                told(s, "a filter", (program, domain), &mut listener, 2);
                listener.close();
            }
        }
        daemon.stop();
    });
}

#[test]
fn a_trigger_that_asks_for_a_programs_values() {
    if no_java() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut java = Logging::java(s, &JAVA).listed(s);
        java.tell("provide prov");
        for domain in JAVA {
            add(s, domain.name(), domain, &["--name=a", "--filter=$app.prov:int == 42"]);
            add(s, &format!("none-{}", domain.name()), domain, &["--name=a", "--filter=$app.prov:int == 43"]);
        }
        add_last(s);
        for domain in JAVA {
            s.note(&format!("contexts in {domain:?}"), &java.contexts(domain), Order::Fixed);
            let none = format!("none-{}", domain.name());
            let mut listener = App::start_program(s, "notified", &[domain.name(), &none, &last(domain)]);
            java.log(domain, "a", Level::Info, "x");
            told(s, "with values", (&mut java, domain), &mut listener, 1);
            listener.close();
        }
        end(s, daemon, [java]);
    });
}
