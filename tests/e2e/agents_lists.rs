// SPDX-License-Identifier: GPL-2.0-only
//! `lttng list` of loggers, and of sessions with rules about them.

use crate::agents_rules::create;
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::loggers::{DOMAINS, Domain, JAVA, Logging, no_agents, no_java};
use crate::support::{Sandbox, side_by_side};

/// The loggers of each domain, as text and as documents.
fn list(s: &Sandbox) {
    for domain in DOMAINS {
        s.lttng_unordered(&["list", domain.option()]);
        s.lttng_xml(&["list", domain.option()]);
    }
}

#[test]
fn loggers_of_several_programs() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        list(s);
        let first = Logging::all(s).map(|program| program.listed(s));
        list(s);
        let [mut java, mut python] = Logging::all(s).map(|program| program.listed(s));
        for name in ["one", "one.two", "one.two.three", "caf\u{e9}", "with:colon", "x*"] {
            for domain in JAVA {
                java.make(domain, name);
            }
            python.make(Domain::Python, name);
        }
        list(s);
        s.lttng_unordered(&["list", "--jul", "--fields"]);
        s.lttng_unordered(&["list", "--jul", "--log4j", "--python"]);
        let _app = App::start(s);
        s.lttng_unordered(&["list", "-u"]);
        first.into_iter().for_each(Logging::exit);
        eventually("they are not listed any more", || {
            DOMAINS.iter().all(|d| s.run("lttng", &["list", d.option()]).stdout.matches("PID: ").count() == 1)
        });
        list(s);
        java.kill();
        python.kill();
        eventually("nobody is listed any more", || {
            DOMAINS.iter().all(|d| !s.run("lttng", &["list", d.option()]).stdout.contains("PID: "))
        });
        list(s);
        daemon.stop();
    });
}

/// Enough loggers for an answer of several packets.
#[test]
fn many_loggers() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let [mut java, mut python] = Logging::all(s).map(|program| program.listed(s));
        for n in 0..2000 {
            java.make(Domain::Jul, &format!("logger.with.a.rather.long.name.{n}"));
            python.make(Domain::Python, &format!("logger_with_a_rather_long_name_{n}"));
        }
        s.lttng_unordered(&["list", "--jul"]).ok();
        s.lttng_unordered(&["list", "--python"]).ok();
        s.lttng_xml(&["list", "--jul"]).ok();
        daemon.stop();
    });
}

#[test]
fn two_agents_in_one_process() {
    if no_java() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let both = Logging::java(s, &JAVA).listed(s);
        let one = Logging::java(s, &JAVA[1..]).listed(s);
        list(s);
        both.exit();
        eventually("it is not listed any more", || {
            !s.run("lttng", &["list", "--jul"]).stdout.contains("PID: ")
        });
        list(s);
        one.is_listed(s);
        daemon.stop();
    });
}

#[test]
fn sessions_with_rules_in_every_domain() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        create(s, "empty");
        create(s, "s");
        s.lttng(&["enable-channel", "-u", "own"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "own", "a:b"]).ok();
        let look = || {
            s.lttng_unordered(&["list", "s"]);
            s.lttng_xml(&["list", "s"]);
            s.lttng_unordered(&["list", "s", "--domain"]);
            s.lttng_xml(&["list", "s", "--domain"]);
            s.lttng(&["list"]);
            s.lttng_unordered(&["status"]);
            s.lttng_xml(&["status"]);
            for domain in DOMAINS {
                s.lttng_unordered(&["list", "s", domain.option()]);
                s.lttng_unordered(&["list", "s", domain.option(), "--channel", &domain.channel()]);
            }
        };
        look();
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "a.b", "--filter=msg == \"x\""]).ok();
            s.lttng(&["enable-event", domain.option(), "c", "--loglevel=INFO"]).ok();
            s.lttng(&["enable-event", domain.option(), "d", "--loglevel-only=DEBUG"]);
            look();
        }
        s.lttng(&["disable-event", "--log4j", "c"]).ok();
        s.lttng(&["start"]).ok();
        look();
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}
