// SPDX-License-Identifier: GPL-2.0-only
//! A running daemon that is asked how it is: what it says, to whom, and what that costs the others. The original can't be
//! asked.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::identity::members;
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::foreign::promtool;
use crate::support::sandbox::{OTHER, User};
use crate::support::socket::connect;
use crate::support::{Sandbox, is_missing, ours_only, skip};

const WHY: &str = "it can't be asked";
const SOCKET: &str = "/run/lttng/sessiond-status";

fn daemon(s: &Sandbox) -> String {
    s.which().path().to_string_lossy().into_owned()
}

fn status(s: &Sandbox, args: &[&str]) -> String {
    s.run(&daemon(s), args).ok().stdout
}

fn report(s: &Sandbox) -> Value {
    serde_json::from_str(&status(s, &["--status=json"])).unwrap()
}

/// Has a checker read `text`.
fn check(mut checker: Command, text: &str) {
    checker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = checker.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success() && said.concat().trim().is_empty(), "{said:?} about\n{text}");
}

fn check_metrics(text: &str) {
    if let Some(promtool) = promtool() {
        let mut command = Command::new(promtool);
        command.args(["check", "metrics"]);
        check(command, text);
    }
}

/// Checks a report against its schema, in which nothing more than it says is allowed here: what is new must be described.
fn check_schema(text: &str) {
    const PROGRAM: &str = "
import json, jsonschema, sys
schema = json.load(open(sys.argv[1]))
for kind in [schema, *schema['$defs'].values()]:
    if 'properties' in kind:
        kind['additionalProperties'] = False
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.validate(json.load(sys.stdin), schema)
";
    if is_missing("python3", "python3") {
        return;
    }
    let has = Command::new("/usr/bin/python3").args(["-c", "import jsonschema"]).output().unwrap();
    if !has.status.success() {
        return skip("no Python module jsonschema (package python3-jsonschema)");
    }
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/lttng-sessiond-status.schema.json");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", PROGRAM]).arg(schema);
    check(command, text);
}

fn record(s: &Sandbox, session: &str) {
    s.lttng(&["create", session, "--output", &s.path(session)]).ok();
    s.lttng(&["enable-event", "-u", "testapp:tick", "--filter", "n > 1"]).ok();
    s.lttng(&["track", "-u", "--vpid=1,2"]).ok();
    s.lttng(&["untrack", "-u", "--vpid", "--all"]).ok();
    s.lttng(&["track", "-u", "--vpid", "--all"]).ok();
    s.lttng(&["start"]).ok();
}

#[test]
fn of_a_daemon_that_has_something_of_everything() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, "snap\"shot");
        let condition = ["--condition=event-rule-matches", "--type=user", "--name=testapp:tick"];
        s.lttng(&[&["add-trigger", "--name=t"], &condition[..], &["--action=notify"]].concat()).ok();
        s.lttng(&["start", "no such session"]).fails();
        let mut app = App::start(s);
        app.tell("tick 0 10");

        let text = status(s, &["--status=json"]);
        check_schema(&text);
        // As the client socket.
        let sockets = s.files(&["/run/lttng"]);
        let like = |name: &str| {
            let line = sockets.iter().find_map(|line| line.split_once(&format!("/{name} ")));
            line.map(|(_, rest)| rest.to_owned())
        };
        assert!(like("sessiond-status").is_some_and(|status| status.starts_with("s 660 ")), "{sockets:?}");
        assert_eq!(like("sessiond-status"), like("client-lttng-sessiond"));
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["schema"], 1);
        assert_eq!(report["daemon"]["asker"], 0);
        let session = &report["sessions"][0];
        assert_eq!((&session["name"], &session["life"]), (&"snap\"shot".into(), &"active".into()));
        assert_eq!(session["applications"], 1);
        let rule = &session["channels"][0]["rules"][0];
        assert_eq!((&rule["name"], &rule["filter"]), (&"testapp:tick".into(), &"n > 1".into()));
        let application = &report["applications"][0];
        assert_eq!(application["pid"], app.pid());
        assert_eq!((&application["progress"], &application["bits"]), (&"converged".into(), &64.into()));
        assert_eq!(application["sessions"][0]["converged"], true);
        assert!(application["tracer"].as_str().unwrap().starts_with("2.13."), "{application}");
        let consumer = &report["consumers"][0];
        assert_eq!((&consumer["kind"], &consumer["state"]), (&"user_space_64".into(), &"ready".into()));
        eventually("the trigger has fired", || {
            let report = self::report(s);
            report["triggers"][0]["fired"].as_u64() == Some(10)
        });
        let counters = &report["counters"];
        assert_eq!(counters["applications"], 1);
        assert!(counters["events"].as_u64().unwrap() > 0, "{counters}");
        assert_eq!(counters["errors"][0]["name"], "LTTNG_ERR_SESS_NOT_FOUND");
        let commands = counters["commands"].as_array().unwrap();
        let start = commands.iter().find(|command| command["name"] == "start_trace").unwrap();
        assert_eq!((&start["served"], &start["failed"]), (&2.into(), &1.into()));
        let places: u64 = start["latency"].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
        assert_eq!(places, 2);

        check_metrics(&status(s, &["--status=prometheus"]));
        let text = status(s, &["--status"]);
        for part in ["Sessions: 1\n", "snap\"shot", "Applications: 1\n", "user space event testapp:tick"] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(!text.contains('\x1b'), "colours are for terminals");
        app.exit();
        daemon.stop();
        assert!(!s.outside(SOCKET).exists(), "the socket goes with the daemon");
    });
}

#[test]
fn of_an_application_that_stands_still_and_of_a_consumer_daemon_that_died() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, "s");
        let app = App::start(s);
        app.freeze();
        s.lttng(&["enable-event", "-u", "testapp:late"]).ok();
        let application = || report(s)["applications"][0].clone();
        eventually("it is found to be suspended", || application()["progress"] == "lagging");
        assert!(application()["owes"].as_u64() > Some(0));
        assert!(status(s, &["--status"]).contains("its process is suspended; owes"));
        app.thaw();
        eventually("it has caught up", || application()["progress"] == "converged");
        s.kill_all("lttng-consumerd");
        eventually("the consumer daemon is gone", || {
            let consumer = report(s)["consumers"][0].clone();
            consumer["deaths"] == 1 && consumer["state"] != "ready" && consumer["pid"].is_null()
        });
        app.exit();
        daemon.stop();
    });
}

/// What was lost, and with which buffers it would not have been, is said and shown.
#[test]
fn of_buffers_that_are_too_small() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("s")]).ok();
        s.lttng(&["enable-channel", "-u", "--subbuf-size=4k", "--num-subbuf=2", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        App::start(s).tell("tick 0 200000");
        let channel = || report(s)["sessions"][0]["channels"][0].clone();
        eventually("it is known while the session records", || channel()["lost"].as_u64() > Some(0));
        let suggested = channel()["suggested_subbuf_size"].as_u64().unwrap();
        assert!(suggested > 4096 && suggested.is_power_of_two(), "{suggested}");
        let report = report(s);
        check_schema(&report.to_string());
        let message =
            report["messages"].as_array().unwrap().iter().find(|it| it["topic"] == "losses").unwrap();
        assert!(message["text"].as_str().unwrap().contains("events discarded"), "{message}");
        let text = status(s, &["--status"]);
        assert!(text.contains("s, channel c: ") && text.contains("would have held them"), "{text}");
        let metrics = status(s, &["--status=prometheus"]);
        check_metrics(&metrics);
        let sample = "channel_discarded_events_total{session=\"s\",domain=\"user_space\",channel=\"c\"} ";
        let lost = metrics.split_once(sample).unwrap().1.lines().next().unwrap();
        assert!(lost.parse::<u64>().unwrap() > 0, "{lost}");
        daemon.stop();
    });
}

#[test]
fn others_are_told_of_what_is_theirs() {
    ours_only(WHY, |s| {
        let Some([anna, bert]) = members() else {
            return skip("needs root and a tracing group");
        };
        let daemon = Daemon::start(s);
        record(s, "roots");
        for (user, name) in [(anna, "annas"), (bert, "berts")] {
            s.lttng_as(user, &["create", name, "--output", &s.path(name)]).ok();
        }
        let seen_by = |user: User| -> Value {
            let output = s.run_as(user, &s.shared_daemon().to_string_lossy(), &["--status=json"]).ok();
            check_schema(&output.stdout);
            serde_json::from_str(&output.stdout).unwrap()
        };
        let names = |report: &Value| {
            let sessions = report["sessions"].as_array().unwrap().iter();
            sessions.map(|session| session["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&report(s)), ["roots", "annas", "berts"]);
        let annas = seen_by(anna);
        assert_eq!(names(&annas), ["annas"]);
        assert_eq!(annas["daemon"]["asker"], anna.uid);
        let users = annas["users"].as_array().unwrap().iter();
        assert!(users.map(|user| &user["uid"]).all(|uid| *uid == anna.uid), "{annas}");
        assert_eq!(names(&seen_by(bert)), ["berts"]);
        // Others may not ask root's daemon, and have none of their own.
        let output = s.run_as(OTHER, &s.shared_daemon().to_string_lossy(), &["--status"]).fails();
        assert!(output.stderr.contains("sessiond-status: you may not ask"), "{}", output.stderr);
        daemon.stop();
    });
}

#[test]
fn nobody_is_there_to_be_asked() {
    ours_only(WHY, |s| {
        let output = s.run(&daemon(s), &["--status"]).fails();
        assert_eq!(
            output.stderr,
            "Error: No session daemon says how it is:\n  /var/run/lttng/sessiond-status: nobody listens there\n"
        );
        assert!(output.stdout.is_empty());
    });
}

/// Somebody who sends what nobody reads is told all the same; somebody who reads nothing holds up nobody.
#[test]
fn whoever_connects_is_told_and_holds_up_nobody() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, "s");
        let idle: Vec<_> = (0..20).map(|_| connect(s, SOCKET)).collect();
        let mut text = String::new();
        let mut talker = connect(s, SOCKET);
        let _ = std::io::Write::write_all(&mut talker, &[b'x'; 100]);
        // What was not read is lost with the connection, which may be an error to whoever has sent it.
        let _ = talker.read_to_string(&mut text);
        check_schema(&text);
        s.lttng(&["list"]).ok().within(Duration::from_secs(2));
        drop(idle);
        eventually("nothing is left of them", || {
            let report = report(s);
            let holds = report["users"][0]["holds"].as_array().unwrap().clone();
            holds.iter().any(|held| held["resource"] == "connections" && held["amount"] == 1)
        });
        daemon.stop();
    });
}

#[test]
fn it_is_shown_again_and_again() {
    ours_only(WHY, |s| {
        let running = Daemon::start(s);
        let mut command = s.command(daemon(s));
        command.args(["--status=json", "--watch=1"]).stdout(Stdio::piped());
        let mut watcher = command.spawn().unwrap();
        let mut out = std::io::BufReader::new(watcher.stdout.take().unwrap());
        let mut turns = Vec::new();
        for _ in 0..2 {
            let mut line = String::new();
            std::io::BufRead::read_line(&mut out, &mut line).unwrap();
            let report: Value = serde_json::from_str(&line).unwrap();
            turns.push(report["counters"]["turns"].as_u64().unwrap());
        }
        assert!(turns[0] < turns[1], "{turns:?}");
        running.stop();
        // It ends with the daemon.
        assert_eq!(watcher.wait().unwrap().code(), Some(1));
    });
}

/// On a terminal: one screen, in colour, drawn over what was there.
#[test]
fn on_a_terminal() {
    ours_only(WHY, |s| {
        if is_missing("script", "bsdutils") {
            return;
        }
        let running = Daemon::start(s);
        let apps = App::start_many(s, 40);
        let shown = |args: &str| {
            let line = format!("stty rows 24 cols 90; {} {args}", daemon(s));
            let output = s.run_with(&[("TERM", "xterm")], "script", &["-qec", &line, "/dev/null"]);
            output.stdout.replace('\r', "")
        };
        let text = shown("--status");
        assert!(text.lines().count() <= 23, "{} lines:\n{text}", text.lines().count());
        assert!(text.contains("\x1b[32mconverged") && text.contains("more\x1b[m"), "{text}");
        let plain = |line: &str| {
            let mut inside = false;
            let visible = line.chars().filter(|letter| {
                inside = inside && *letter != 'm' || *letter == '\x1b';
                !inside && *letter != 'm'
            });
            visible.count()
        };
        assert!(text.lines().all(|line| plain(line) <= 90), "{text}");
        drop(apps);
        running.stop();
    });
}

/// Whoever asks all the time while programs come and go is told what is so, and nothing is left of it.
#[test]
fn while_300_applications_come_and_go() {
    ours_only(WHY, |s| {
        let running = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("s")]).ok();
        s.lttng(&["enable-event", "-u", "--all"]).ok();
        s.lttng(&["start"]).ok();
        let (crowd, burst) = (s.program("crowd"), s.program("burst"));
        let mut command = s.command(&crowd);
        let mut crowd = command.arg("300").arg(&burst).stdout(Stdio::piped()).spawn().unwrap();
        let (mut most, mut last, mut scrapes) = (0, 0, 0);
        let mut samples = Vec::new();
        let mut over = false;
        while !over {
            // Once more after the end.
            over = crowd.try_wait().unwrap().is_some();
            let report = report(s);
            let applications = report["applications"].as_array().unwrap();
            most = most.max(applications.len());
            let registered = report["counters"]["applications"].as_u64().unwrap();
            assert!(registered >= last && registered >= applications.len() as u64, "{last} {registered}");
            last = registered;
            scrapes += 1;
            if scrapes % 10 == 1 {
                samples.push(status(s, &["--status=prometheus"]));
            }
        }
        assert!(crowd.wait().unwrap().success());
        println!("{scrapes} reports, of up to {most} applications");
        assert!(scrapes >= 3 && most > 0, "{scrapes} reports, of up to {most} applications");
        samples.iter().for_each(|text| check_metrics(text));
        eventually("all have left", || report(s)["applications"].as_array().unwrap().is_empty());
        let report = report(s);
        assert_eq!(report["counters"]["applications"], 300);
        assert_eq!(report["sessions"][0]["applications"], 0);
        running.stop();
    });
}
