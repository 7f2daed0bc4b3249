// SPDX-License-Identifier: GPL-2.0-only
//! What a service manager is told, and the sockets that it passes. The manager is the test; systemd itself is in
//! `tests/kernel/systemd`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::trace::events;
use crate::support::{Sandbox, ours_only};

const STOCK: &str = "it knows nothing of service managers";
const CLIENT: &str = "/run/lttng/client-lttng-sessiond";
const APPS: &str = "/run/lttng/lttng-ust-sock-8";

/// A manager that listens.
struct Manager(UnixDatagram);

impl Manager {
    fn new(s: &Sandbox) -> Manager {
        let socket = UnixDatagram::bind(s.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Manager(socket)
    }

    /// The next thing that it is told, if that comes in time.
    fn told(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        let length = loop {
            match self.0.recv(&mut buffer) {
                Ok(length) => break length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("the manager can't listen: {error}"),
            }
        };
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    /// Waits until it is told this.
    fn wait_for(&self, what: &str) {
        let mut all = Vec::new();
        while let Some(told) = self.told() {
            if told.contains(what) {
                return;
            }
            all.push(told);
        }
        panic!("was never told {what}, but {all:?}");
    }
}

/// The programs that the daemon starts have nothing of what was for the daemon alone.
fn is_clean(s: &Sandbox, program: &str) {
    let process = s.processes(program)[0];
    let environment = fs::read(format!("/proc/{}/environ", process.pid())).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    for name in ["NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_"] {
        assert!(!environment.contains(name), "{environment}");
    }
}

#[test]
fn the_manager_hears_how_the_daemon_is_from_its_beginning_to_its_end() {
    ours_only(STOCK, |s| {
        let manager = Manager::new(s);
        let path = s.path("notify");
        let environment = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "600000")];
        let mut daemon = Daemon::launch(s, &environment, &["--no-kernel"]);
        daemon.expect("ready");
        manager.wait_for("READY=1\nSTATUS=LTTng 2.13.");
        for _ in 0..4 {
            manager.wait_for("WATCHDOG=1");
        }
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        manager.wait_for("1 recording sessions, 1 of them active");
        let app = App::start(s);
        is_clean(s, "lttng-consumerd");
        // One that stands still is silent as long as it does. What it said before is read first.
        daemon.process().freeze();
        manager.0.set_nonblocking(true).unwrap();
        while manager.told().is_some() {}
        manager.0.set_nonblocking(false).unwrap();
        manager.0.set_read_timeout(Some(Duration::from_millis(1200))).unwrap();
        assert_eq!(manager.told(), None);
        daemon.process().signal(Signal::SIGCONT);
        manager.0.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        manager.wait_for("WATCHDOG=1");
        app.close();
        daemon.stop();
        manager.wait_for("STOPPING=1");
    });
}

#[test]
fn without_a_watchdog_the_daemon_sleeps() {
    ours_only(STOCK, |s| {
        let manager = Manager::new(s);
        let path = s.path("notify");
        // The signs of life are for another process.
        let environment =
            [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "30000"), ("WATCHDOG_PID", "1")];
        let mut daemon = Daemon::launch(s, &environment, &["--no-kernel"]);
        daemon.expect("ready");
        manager.wait_for("READY=1");
        manager.0.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        // Its start is over some time.
        assert_eq!(manager.told(), None);
        let before = daemon.process().sleeps();
        assert_eq!(manager.told(), None);
        assert_eq!(daemon.process().sleeps(), before);
        daemon.stop();
    });
}

#[test]
fn a_manager_that_is_not_there_is_no_reason_to_end() {
    ours_only(STOCK, |s| {
        let path = s.path("nobody");
        let mut daemon = Daemon::launch(s, &[("NOTIFY_SOCKET", &path)], &["--no-kernel"]);
        daemon.expect("ready");
        s.lttng(&["list"]).ok();
        daemon.stop();
        let log = fs::read_to_string(s.path("daemon.log")).unwrap();
        assert_eq!(log.matches("Can't tell the service manager").count(), 1, "{log}");
    });
}

/// Makes these sockets and starts the daemon with them, as soon as somebody connects to the first one.
fn activate(s: &Sandbox, sockets: &[&str]) -> Daemon {
    s.run("mkdir", &["-p", "/run/lttng"]).ok();
    let says = s.path("says");
    let daemon = s.which().path();
    let mut options = sockets.to_vec();
    options.extend(["--", daemon.to_str().unwrap(), "--no-kernel"]);
    let environment = [("ACTIVATOR_SAYS", says.as_str()), ("ACTIVATOR_WAITS", "1")];
    let daemon = Daemon::launch_binary(s, &s.program("activator"), &environment, &options);
    eventually("the sockets are there", || Path::new(&says).exists());
    daemon
}

fn listen(name: &str, path: &str) -> String {
    format!("{name}listen:{path}")
}

#[test]
fn the_first_command_starts_the_daemon() {
    ours_only(STOCK, |s| {
        let (client, apps) = (listen("client=", CLIENT), listen("", APPS));
        let health = listen("some.socket=", "/run/lttng/sessiond-health");
        let mut daemon = activate(s, &[&client, &apps, &health]);
        assert!(s.processes("lttng-sessiond").is_empty());
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        daemon.expect("ready");
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 3");
        is_clean(s, "lttng-consumerd");
        app.close();
        s.lttng(&["destroy"]).ok();
        assert_eq!(events(s, &s.path("trace")).len(), 3);
        let modes = || s.files(&["/run/lttng"]);
        let passed = |lines: &[String]| lines.iter().filter(|line| line.contains(" s 666 ")).count();
        assert_eq!(passed(&modes()), 3, "{:?}", modes());
        daemon.stop();
        let left = modes();
        assert_eq!((left.len(), passed(&left)), (3, 3), "{left:?}");
    });
}

#[test]
fn the_first_application_starts_the_daemon() {
    ours_only(STOCK, |s| {
        let mut daemon = activate(s, &[&listen("apps=", APPS)]);
        // It waits until it is registered.
        let app = App::start(s);
        daemon.expect("ready");
        assert!(s.lttng(&["list", "-u"]).ok().stdout.contains("testapp:tick"));
        app.close();
        daemon.stop();
        assert_eq!(s.files(&["/run/lttng"]).len(), 1);
    });
}

#[test]
fn sockets_that_are_not_the_daemons_are_refused() {
    ours_only(STOCK, |s| {
        s.run("mkdir", &["-p", "/run/lttng"]).ok();
        let daemon = s.which().path();
        for (socket, text) in [
            (listen("", "/run/lttng/other"), "/run/lttng/other is none of those that this daemon listens on"),
            (listen("apps=", CLIENT), "\"apps\" is /run/lttng/client-lttng-sessiond, but this daemon's is"),
            (format!("client=deaf:{CLIENT}"), "\"client\" is no listening Unix stream socket"),
            (format!("client=datagram:{CLIENT}"), "\"client\" is no listening Unix stream socket"),
        ] {
            let output = s.run(
                &s.program("activator").to_string_lossy(),
                &[&socket, "--", daemon.to_str().unwrap(), "--no-kernel"],
            );
            assert_eq!(output.code, 1, "{socket}");
            assert!(output.stderr.contains(text), "{socket}: {}", output.stderr);
        }
    });
}

#[test]
fn a_daemon_that_runs_keeps_another_one_away_and_lost_sockets_are_made_anew() {
    ours_only(STOCK, |s| {
        let first = Daemon::start(s);
        let daemon = s.which().path();
        let arguments = [&listen("", CLIENT), "--", daemon.to_str().unwrap(), "--no-kernel"];
        let activator = s.program("activator");
        let output = s.run(&activator.to_string_lossy(), &arguments);
        assert!(output.stderr.contains("A session daemon is already running."), "{}", output.stderr);
        assert_eq!(output.code, 1);
        first.stop();
        // The file of the socket goes while the manager has it.
        let mut second = activate(s, &[&listen("", APPS), &listen("", CLIENT)]);
        s.run("rm", &[CLIENT]).ok();
        let begin = Instant::now();
        let app = App::start(s);
        second.expect("ready");
        assert!(begin.elapsed() < Duration::from_secs(20));
        s.lttng(&["list"]).ok();
        app.close();
        second.stop();
        let log = fs::read_to_string(s.path("daemon.log")).unwrap();
        assert!(log.contains(&format!("Nobody can connect to {CLIENT}")), "{log}");
    });
}

#[test]
fn messages_for_the_journal_are_marked_and_others_are_not() {
    ours_only(STOCK, |s| {
        let log = s.path("stderr");
        let daemon = s.which().path();
        let run = |stream: &str| {
            let script = format!(
                "exec 2>{log}; export JOURNAL_STREAM={stream}; exec {} --no-kernel --group=no-such-group --load=/none",
                daemon.display()
            );
            assert_eq!(s.run("sh", &["-c", &script]).code, 1);
            fs::read_to_string(&log).unwrap()
        };
        let plain = run("1:2");
        assert!(plain.contains("Warning: No tracing group detected\n"), "{plain}");
        assert!(plain.contains("\nError: Session load failed: "), "{plain}");
        let marked = run("$(stat -L -c %d:%i /proc/self/fd/2)");
        let marks = plain.lines().map(|line| if line.starts_with("Error: ") { "<3>" } else { "<4>" });
        let expected: Vec<String> =
            marks.zip(plain.lines()).map(|(mark, line)| format!("{mark}{line}")).collect();
        assert_eq!(marked.lines().collect::<Vec<_>>(), expected);
    });
}
