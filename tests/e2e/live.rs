// SPDX-License-Identifier: GPL-2.0-only
//! Live sessions: read while they record.

use std::process::{Child, Stdio};

use crate::support::app::App;
use crate::support::daemon::{Daemon, Lines, eventually};
use crate::support::loggers::{DOMAINS, Domain, JAVA, Level, Logging, no_agents, records, settle};
use crate::support::normalise::Order;
use crate::support::relay::Relay;
use crate::support::trace::events;
use crate::support::{Sandbox, Which, side_by_side};

/// A `babeltrace2` that reads a live session.
struct Reader {
    child: Child,
    lines: Lines,
}

impl Reader {
    fn start(s: &Sandbox, session: &str) -> Self {
        let host = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
        let mut command = s.command("babeltrace2");
        command.args(["--no-delta", "-i", "lttng-live"]);
        command.arg(format!("net://localhost/host/{host}/{session}"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = Lines::new(child.stdout.take().unwrap(), "reader");
        Reader { child, lines }
    }

    /// Waits for so many events called `testapp:tick`, which must count from `first`.
    fn expect_ticks(&self, first: i64, count: i64) {
        for n in first..first + count {
            let line = loop {
                let line = self.lines.next();
                if line.contains(" testapp:tick: ") {
                    break line;
                }
            };
            assert!(line.ends_with(&format!("{{ n = {n} }}")), "{n} is expected: {line}");
        }
    }

    /// Waits for an event with this text of a logger of a domain, and of no other one first.
    fn expect_record(&self, domain: Domain, text: &str) {
        let line = loop {
            let line = self.lines.next();
            if line.contains(" msg = \"") {
                break line;
            }
        };
        let event = format!(" lttng_{}:event: ", domain.name());
        assert!(line.contains(&event) && line.contains(&format!(" msg = \"{text}\"")), "{text}: {line}");
    }

    /// Waits for its end, which must be a good one.
    fn end(mut self) {
        let mut status = None;
        eventually("the reader ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(status.unwrap().success());
    }
}

/// What a reader is offered.
fn note_offer(s: &Sandbox) {
    let host = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
    let offer = s.run("babeltrace2", &["-i", "lttng-live", "net://localhost"]).ok();
    let mut sessions: Vec<&str> = offer.stdout.lines().collect();
    sessions.sort_unstable();
    s.note("offer", &sessions.join("\n").replace(&host, "HOST"), Order::Fixed);
}

fn live_session(s: &Sandbox, options: &[&str]) {
    s.lttng(&[&["create", "s"], options].concat()).ok();
    s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
    s.lttng(&["start"]).ok();
    s.lttng_xml(&["list", "s"]).ok();
}

#[test]
fn read_while_it_records() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        live_session(s, &["--live", "--set-url=net://localhost"]);
        s.lttng(&["list"]).ok();
        s.lttng(&["status"]).ok();
        note_offer(s);
        let mut app = App::start(s);
        let reader = Reader::start(s, "s");
        app.tell("tick 0 10");
        reader.expect_ticks(0, 10);
        app.tell("tick 10 10");
        reader.expect_ticks(10, 10);
        s.lttng(&["regenerate", "metadata"]).fails();
        s.lttng(&["stop"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 20 10");
        reader.expect_ticks(20, 10);
        // What comes later than the reader is described in time, too.
        app.tell("full 0 1");
        s.lttng(&["destroy"]).ok();
        app.exit();
        reader.end();
        s.note("relay", &relay.tree(s), Order::Fixed);
        assert_eq!(events(s, &relay.output).len(), 31);
        daemon.stop();
    });
}

#[test]
fn a_relay_daemon_that_the_command_starts() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        // The relay daemon keeps what the command has open.
        let script = "lttng create s --live=200000 > $HOME/said 2>&1; echo $?; cat $HOME/said";
        let created = s.run("bash", &["-c", script]).ok();
        s.note("create", &created.stdout, Order::Fixed);
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        let reader = Reader::start(s, "s");
        app.tell("tick 0 10");
        reader.expect_ticks(0, 10);
        s.lttng(&["destroy"]).ok();
        app.exit();
        reader.end();
        daemon.stop();
    });
}

#[test]
fn buffers_of_each_process_live() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let _relay = Relay::start(s);
        s.lttng(&["create", "s", "--live"]).ok();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        let (mut first, mut second) = (App::start(s), App::start(s));
        let reader = Reader::start(s, "s");
        first.tell("tick 0 10");
        reader.expect_ticks(0, 10);
        second.tell("tick 10 10");
        reader.expect_ticks(10, 10);
        first.exit();
        second.tell("tick 20 10");
        reader.expect_ticks(20, 10);
        s.lttng(&["destroy"]).ok();
        second.exit();
        reader.end();
        daemon.stop();
    });
}

#[test]
fn channels_of_a_live_session() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let _relay = Relay::start(s);
        s.lttng(&["create", "s", "--live=500000"]).ok();
        s.lttng(&["enable-channel", "-u", "--switch-timer=1000", "--read-timer=2000", "c"]).ok();
        s.lttng(&["enable-channel", "-u", "--overwrite", "d"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:*"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["start"]).ok();
        s.lttng(&["destroy"]).ok();
        for options in [
            &["--live=0"][..],
            &["--live=x"],
            &["--live", "--output", "/nowhere"],
            &["--live", "--snapshot"],
            &["--live", "--no-output"],
        ] {
            s.lttng(&[&["create", "t"], options].concat());
        }
        s.lttng(&["list"]).ok();
        daemon.stop();
    });
}

#[test]
fn loggers_read_while_they_record() {
    if no_agents() {
        return;
    }
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        s.lttng(&["create", "s", "--live", "--set-url=net://localhost"]).ok();
        for domain in DOMAINS {
            s.lttng(&["enable-event", domain.option(), "a*"]).ok();
        }
        s.lttng(&["start"]).ok();
        s.lttng_unordered(&["list", "s"]).ok();
        note_offer(s);
        let [mut java, mut python] = Logging::all(s).map(|logging| logging.listed(s));
        let reader = Reader::start(s, "s");
        let mut log = |domain, text: &str| {
            let program = if domain == Domain::Python { &mut python } else { &mut java };
            program.log(domain, "a.b", Level::Info, text);
            program.log(domain, "b", Level::Info, "not wanted");
            reader.expect_record(domain, text);
        };
        for domain in DOMAINS {
            log(domain, "one");
        }
        s.lttng(&["disable-event", "--python", "a*"]).ok();
        s.lttng(&["stop"]).ok();
        s.lttng(&["start"]).ok();
        // What comes while it is read.
        s.lttng(&["enable-event", "--python", "a.b", "--filter=int_loglevel > 0"]).ok();
        settle(s);
        for domain in DOMAINS {
            log(domain, "two");
        }
        let mut later = Logging::java(s, &JAVA).listed(s);
        later.log(Domain::Log4j, "a", Level::Warning, "three");
        reader.expect_record(Domain::Log4j, "three");
        s.lttng(&["destroy"]).ok();
        [java, python, later].into_iter().for_each(Logging::exit);
        reader.end();
        s.note("relay", &relay.tree(s), Order::Fixed);
        let all = records(&events(s, &relay.output));
        assert_eq!(
            all,
            ["one", "one", "one", "two", "two", "two", "three"]
                .map(|text| { if text == "three" { "a: three".to_owned() } else { format!("a.b: {text}") } })
        );
        daemon.stop();
    });
}

#[test]
fn live_sessions_beside_each_other() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let _relay = Relay::start(s);
        for name in ["one", "two"] {
            s.lttng(&["create", name, "--live"]).ok();
            s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
            s.lttng(&["start", name]).ok();
        }
        let mut app = App::start(s);
        note_offer(s);
        let readers = [Reader::start(s, "one"), Reader::start(s, "two")];
        app.tell("tick 0 10");
        readers.iter().for_each(|reader| reader.expect_ticks(0, 10));
        app.tell("tick 10 10");
        readers.iter().for_each(|reader| reader.expect_ticks(10, 10));
        app.exit();
        drop(readers);
        if s.which() == Which::Ours {
            // The relay daemon says for ever that it is not done with the one as long as there is the other: the
            // stock daemon never replies.
            s.run("lttng", &["destroy", "one"]).ok();
            s.run("lttng", &["destroy", "two"]).ok();
        }
        daemon.stop();
    });
}
