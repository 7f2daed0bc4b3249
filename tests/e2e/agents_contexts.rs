// SPDX-License-Identifier: GPL-2.0-only
//! Contexts in the domains of logging agents: those of every application, and those that Java programs provide.

use crate::agents_rules::create;
use crate::support::daemon::Daemon;
use crate::support::loggers::{
    DOMAINS, Domain, JAVA, Level, Logging, lines, no_agents, no_java, no_python, records, settle,
};
use crate::support::normalise::Order;
use crate::support::session::BUFFERS;
use crate::support::trace::{Value, events};
use crate::support::{Sandbox, ours_only, side_by_side};

/// What the test program's providers know, by the type of the value, and what they do not.
const KINDS: [&str; 10] =
    ["int", "long", "short", "byte", "double", "float", "yes", "text", "object", "unknown"];

/// Notes what the agent has enabled.
fn note_enabled(s: &Sandbox, program: &mut Logging, when: &str) {
    settle(s);
    for &domain in program.domains() {
        let contexts = program.contexts(domain);
        s.note(&format!("{when}: contexts in {domain:?}"), &contexts, Order::Fixed);
        s.note(&format!("{when}: rules in {domain:?}"), &program.enabled(domain), Order::Fixed);
    }
}

#[test]
fn those_of_every_application() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        for domain in JAVA {
            s.lttng(&["enable-event", domain.option(), "a"]).ok();
            let channel = format!("--channel={}", domain.channel());
            s.lttng(&["add-context", domain.option(), &channel, "--type=vpid", "--type=procname"]).ok();
            s.lttng(&["add-context", domain.option(), &channel, "--type=vpid"]).fails();
        }
        s.lttng(&["start"]).ok();
        let mut java = Logging::java(s, &JAVA);
        for domain in JAVA {
            java.log(domain, "a", Level::Info, "x");
        }
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        let mut got = events(s, &trace);
        assert_eq!(got.len(), 2);
        for event in &mut got {
            let mut pids = event.context.iter_mut().filter(|(name, _)| name == "vpid").peekable();
            assert!(pids.peek().is_some());
            for (_, pid) in pids {
                assert_eq!(*pid, Value::Number(java.pid().to_string()));
                *pid = Value::Number("PID".into());
            }
        }
        s.note("events", &lines(&got), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn what_can_be_added_where() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        create(s, "s");
        // Before there is anything in the domain.
        for domain in DOMAINS {
            for name in ["vpid", "$app.prov:name"] {
                s.lttng(&["add-context", domain.option(), "--type", name]);
                s.lttng_xml(&["add-context", domain.option(), "--type", name]);
            }
        }
        for domain in DOMAINS {
            let option = domain.option();
            s.lttng(&["enable-event", option, "a"]).ok();
            let channel = format!("--channel={}", domain.channel());
            s.lttng(&["add-context", option, &channel, "--type=vtid"]);
            s.lttng(&["add-context", option, "--channel=other", "--type=vtid"]).fails();
            s.lttng(&["add-context", option, "--channel=lttng_jul_channel", "--type=ip"]);
            // One that is in some of all channels depends, with the stock daemon, on which comes last.
            let own = format!("$app.prov:{}", domain.name());
            for name in [&own, "$app.prov", "$app.:x", "$app.prov:", "cpu_id", "pid", "perf:cpu:cycles"] {
                s.lttng(&["add-context", option, "--type", name]);
                s.lttng(&["add-context", option, &channel, "--type", name]);
            }
            s.lttng_unordered(&["list", "s"]);
        }
        s.lttng_xml(&["list", "s"]);
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn one_that_user_space_does_not_have_is_refused_without_channels() {
    for domain in JAVA {
        ours_only("it fails an assertion", |s| {
            let daemon = Daemon::start(s);
            create(s, "s");
            s.lttng(&["add-context", domain.option(), "--type=pid"]).fails();
            s.lttng(&["list", "s"]).ok();
            daemon.stop();
        });
    }
}

#[test]
fn values_that_java_provides() {
    if no_java() {
        return;
    }
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let trace = create(s, "s");
            for domain in JAVA {
                s.lttng(&["enable-channel", "-u", buffers, &domain.channel()]).ok();
                s.lttng(&["enable-event", domain.option(), "a"]).ok();
            }
            let mut java = Logging::java(s, &JAVA).listed(s);
            java.tell("provide prov");
            for domain in JAVA {
                let channel = format!("--channel={}", domain.channel());
                for kind in KINDS {
                    let name = format!("$app.prov:{kind}");
                    s.lttng(&["add-context", domain.option(), &channel, "--type", &name]).ok();
                }
            }
            note_enabled(s, &mut java, "before the start");
            s.lttng(&["start"]).ok();
            for domain in JAVA {
                java.log(domain, "a", Level::Info, "provided");
            }
            java.tell("withdraw prov");
            java.log(Domain::Jul, "a", Level::Info, "withdrawn");
            java.tell("provide prov");
            java.log(Domain::Jul, "a", Level::Info, "provided again");
            s.lttng_unordered(&["list", "s"]).ok();
            s.lttng(&["destroy"]).ok();
            note_enabled(s, &mut java, "after the end");
            let got = events(s, &trace);
            assert_eq!(got.len(), 4);
            s.note("events", &lines(&got), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn programs_from_before_and_after_a_context() {
    if no_java() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut before = Logging::java(s, &JAVA).listed(s);
        let trace = create(s, "s");
        // Without a channel's name it goes to all channels, and the agents count.
        for domain in JAVA {
            s.lttng(&["enable-event", domain.option(), "a"]).ok();
        }
        note_enabled(s, &mut before, "before the contexts");
        s.lttng(&["add-context", "--jul", "--type=$app.prov:int"]).ok();
        note_enabled(s, &mut before, "after the first");
        s.lttng(&["add-context", "--log4j", "--type=$app.prov:text"]).ok();
        note_enabled(s, &mut before, "after the second");
        s.lttng(&["start"]).ok();
        let mut after = Logging::java(s, &JAVA);
        note_enabled(s, &mut after, "in one that came later");
        for (name, program) in [("before", &mut before), ("after", &mut after)] {
            program.tell("provide prov");
            for domain in JAVA {
                program.log(domain, "a", Level::Info, name);
            }
        }
        s.lttng(&["destroy"]).ok();
        note_enabled(s, &mut before, "at the end");
        note_enabled(s, &mut after, "at the end of the later one");
        let got = events(s, &trace);
        assert_eq!(got.len(), 4);
        s.note("events", &lines(&got), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn rules_ask_for_the_values() {
    if no_java() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let mut java = Logging::java(s, &JAVA).listed(s);
        java.tell("provide prov");
        // How many of three records, one without the provider.
        let cases = [
            ("text", "$app.prov:text == \"some*\" && msg == \"1\"", 1),
            ("both", "$app.prov:int > 40 && $app.prov:long > 4999999999", 2),
            ("unknown", "$app.nobody:int == 42", 0),
            ("process", "$ctx.procname == \"java\"", 3),
        ];
        for (session, filter, _) in cases {
            create(s, session);
            for domain in JAVA {
                s.lttng(&["enable-event", domain.option(), "a", "--filter", filter]).ok();
                s.lttng(&["enable-event", domain.option(), "a", "--filter", filter]).fails();
            }
            s.lttng(&["start"]).ok();
            s.lttng_unordered(&["list", session]).ok();
        }
        note_enabled(s, &mut java, "while they record");
        for text in ["0", "1", "2"] {
            if text == "2" {
                java.tell("withdraw prov");
            }
            for domain in JAVA {
                java.log(domain, "a", Level::Info, text);
            }
        }
        let mut late = Logging::java(s, &JAVA);
        note_enabled(s, &mut late, "in one that came later");
        for (session, filter, count) in cases {
            s.lttng(&["destroy", session]).ok();
            let got = records(&events(s, &s.path(session)));
            s.note(session, &got.join("\n"), Order::Fixed);
            assert_eq!(got.len(), 2 * count, "{filter}: {got:?}");
        }
        note_enabled(s, &mut java, "at the end");
        daemon.stop();
    });
}

#[test]
fn python_has_those_of_every_application_only() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a", "--filter=$ctx.procname == \"python3\""]).ok();
        s.lttng(&["add-context", "--python", "--type=vpid"]).fails();
        s.lttng(&["add-context", "-u", "--channel=lttng_python_channel", "--type=procname"]);
        s.lttng(&["add-context", "-u", "--type=vuid"]);
        s.lttng(&["start"]).ok();
        let mut python = Logging::python(s);
        python.log(Domain::Python, "a", Level::Info, "x");
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng(&["destroy"]).ok();
        let got = events(s, &trace);
        assert_eq!(got.len(), 1);
        s.note("events", &lines(&got), Order::Fixed);
        daemon.stop();
    });
}
