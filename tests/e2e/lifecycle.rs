// SPDX-License-Identifier: GPL-2.0-only
//! Start, readiness, files, options, users and end of the daemon.

use std::fs;
use std::os::unix::fs::FileTypeExt;

use nix::sys::signal::Signal;

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::process::Process;
use crate::support::sandbox::User;
use crate::support::socket::{ask, request};
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, Which, is_root, ours, ours_only, side_by_side, skip};

const RUN: &str = "/run/lttng";

/// `nobody`, a user with nothing to do with the tracing group.
const STRANGER: User = User { uid: 65_534, gid: 65_534, groups: &[] };

/// A member of the tracing group: the user `daemon`, which Debian always has.
pub fn member() -> Option<User> {
    if !is_root() {
        return None;
    }
    Some(User { uid: 1, gid: 1, groups: Box::leak(Box::new([tracing_group()?])) })
}

/// Lists run directory and shared memory.
fn run_files(s: &Sandbox) -> Vec<String> {
    s.files(&["/run/lttng", "/dev/shm"])
}

/// What must not be left when no daemon runs: all but the run directory's own directories and the wait pages.
fn leftovers(s: &Sandbox) -> Vec<String> {
    let mut files = s.files(&["/run/lttng", "/dev/shm"]);
    files.retain(|line| !line.starts_with("/dev/shm/lttng-ust-wait-8"));
    if s.which() == Which::Stock {
        // It does not wait for the consumer daemon to remove its own socket.
        files.retain(|line| !line.starts_with("/run/lttng/ustconsumerd64"));
    }
    files
}

/// The first word of root's wait page: 1 while a daemon runs.
fn wait_word(s: &Sandbox) -> u32 {
    let page = fs::read(s.outside("/dev/shm/lttng-ust-wait-8")).unwrap();
    u32::from_ne_bytes([page[0], page[1], page[2], page[3]])
}

fn start_recording(s: &Sandbox) {
    s.run("lttng", &["create", "s", "--output", &s.path("trace")]).ok();
    s.run("lttng", &["enable-event", "-u", "--all"]).ok();
    s.run("lttng", &["start"]).ok();
}

/// The daemon that left its pid in the pid file.
fn daemon_of_pid_file(s: &Sandbox) -> Process {
    let text = fs::read_to_string(s.outside("/run/lttng/lttng-sessiond.pid")).unwrap();
    let inner = text.strip_suffix('\n').unwrap().parse().unwrap();
    Process::new(s.outer_pid(inner).unwrap())
}

/// Ends a daemon that is nobody's child.
fn terminate(s: &Sandbox, daemon: Process) {
    daemon.signal(Signal::SIGTERM);
    eventually("the daemon ends", || s.processes("lttng-").is_empty());
}

#[test]
fn the_run_directory() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.note("idle", &run_files(s).join("\n"), Order::Fixed);
        s.note("itself", &s.run("stat", &["-c", "%F %a %u:%g", RUN]).ok().stdout, Order::Fixed);
        assert_eq!(daemon_of_pid_file(s).pid(), daemon.process().pid());
        assert_eq!(wait_word(s), 1);
        start_recording(s);
        s.note("recording", &run_files(s).join("\n"), Order::Fixed);
        s.run("lttng", &["destroy"]).ok();
        s.note("idle again", &run_files(s).join("\n"), Order::Fixed);
        daemon.stop();
        assert_eq!(wait_word(s), 0);
        assert_eq!(leftovers(s), [""; 0]);
        // The run directory itself stays.
        s.note("itself", &s.run("stat", &["-c", "%F %a %u:%g", RUN]).ok().stdout, Order::Fixed);
    });
}

#[test]
fn the_run_directory_under_another_umask() {
    side_by_side(|s| {
        let daemon = s.which().path();
        let script = format!("umask 077; exec {} --no-kernel --daemonize", daemon.display());
        s.run("bash", &["-c", &script]).ok();
        s.note("idle", &run_files(s).join("\n"), Order::Fixed);
        terminate(s, daemon_of_pid_file(s));
    });
}

#[test]
fn signals_end_it_cleanly() {
    ours(|s| {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let daemon = Daemon::start(s);
            let mut app = App::start(s);
            start_recording(s);
            app.tell("tick 0 10");
            assert_eq!(s.processes("lttng-consumerd").len(), 1);
            daemon.end(signal);
            eventually("all of its processes end", || s.processes("lttng-").is_empty());
            assert_eq!(leftovers(s), [""; 0]);
            assert_eq!(wait_word(s), 0);
            assert_eq!(numbers(&events(s, &s.path("trace")), "testapp:tick").len(), 10);
            // The application does not mind.
            app.tell("tick 10 10");
            app.exit();
            fs::remove_dir_all(s.path("trace")).unwrap();
        }
    });
}

#[test]
fn files_of_a_killed_daemon_are_no_obstacle() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        start_recording(s);
        daemon.kill();
        eventually("its consumer daemon ends", || s.processes("lttng-consumerd").is_empty());
        // A longer number than any pid: the file has to be truncated or replaced.
        s.lttng(&["list"]).fails();
        let daemon = Daemon::start(s);
        s.lttng(&["list"]).ok();
        s.note("idle", &run_files(s).join("\n"), Order::Fixed);
        daemon.stop();
    });
}

#[test]
fn a_stale_pid_file_is_truncated() {
    ours_only("it leaves the rest of a longer content", |s| {
        fs::create_dir(s.outside(RUN)).unwrap();
        fs::write(s.outside("/run/lttng/lttng-sessiond.pid"), "1234567890123\nmore\n").unwrap();
        let daemon = Daemon::start(s);
        assert_eq!(daemon_of_pid_file(s).pid(), daemon.process().pid());
        daemon.stop();
    });
}

#[test]
fn a_second_instance_is_refused() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let before = run_files(s);
        let binary = s.which().path().to_string_lossy().into_owned();
        for options in [
            &["--no-kernel"][..],
            &["--no-kernel", "--daemonize"],
            &["--no-kernel", "--background"],
            &["--no-kernel", "--client-sock", "/run/other"],
        ] {
            let second = s.run(&binary, options);
            assert_eq!(second.code, 1, "{options:?}: {}", second.stderr);
            assert!(
                second.stderr.contains("Error: A session daemon is already running."),
                "{}",
                second.stderr
            );
        }
        assert_eq!(run_files(s), before);
        s.lttng(&["list"]).ok();
        daemon.stop();
    });
}

#[test]
fn the_lock_is_kept_in_the_background() {
    ours_only("its lock does not survive the fork", |s| {
        let binary = s.which().path().to_string_lossy().into_owned();
        s.run(&binary, &["--no-kernel", "--daemonize"]).ok();
        let daemon = daemon_of_pid_file(s);
        // Nobody answers on the client socket any more: only the lock tells.
        fs::remove_file(s.outside("/run/lttng/client-lttng-sessiond")).unwrap();
        let second = s.run(&binary, &["--no-kernel"]);
        assert_eq!(second.code, 1);
        assert!(second.stderr.contains("Could not get lock file"), "{}", second.stderr);
        assert!(second.stderr.contains("Error: A session daemon is already running."), "{}", second.stderr);
        terminate(s, daemon);
        assert_eq!(leftovers(s), [""; 0]);
    });
}

#[test]
fn to_the_background() {
    ours(|s| {
        let binary = s.which().path().to_string_lossy().into_owned();
        // `--background` keeps standard output: a pipe to the test would never end.
        for (options, output) in [("--daemonize", "/dev/null"), ("--background", "out"), ("-d -b", "out")] {
            let file = s.path("out");
            let script = format!("exec {binary} --no-kernel {options} >{file} 2>&1 </dev/null");
            s.run("bash", &["-c", &script]).ok();
            // It is ready the moment the command returns.
            s.run("lttng", &["list"]).ok();
            let daemon = daemon_of_pid_file(s);
            let link = |name: &str| fs::read_link(format!("/proc/{}/{name}", daemon.pid())).unwrap();
            assert_eq!(link("cwd").to_str(), Some("/"));
            assert!(link("fd/1").ends_with(output.trim_start_matches('/')), "{options}: {:?}", link("fd/1"));
            // A session leader, of its own session.
            let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
            let session = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap();
            assert_eq!(session.parse::<i32>().unwrap(), daemon.pid());
            terminate(s, daemon);
            assert_eq!(leftovers(s), [""; 0]);
        }
    });
}

#[test]
fn a_client_starts_it() {
    side_by_side(|s| {
        let binary = s.which().path().to_string_lossy().into_owned();
        let create = ["create", "s", "--output", "/run/trace"];
        let output = s.run_with(&[("LTTNG_SESSIOND_PATH", &binary)], "lttng", &create).ok();
        s.note("by variable", &output.stdout, Order::Fixed);
        s.lttng(&["list"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        App::start(s).tell("tick 1 1");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, "/run/trace"), "testapp:tick"), [1]);
        terminate(s, daemon_of_pid_file(s));

        let output =
            s.run("lttng", &[&format!("--sessiond-path={binary}"), "create", "t", "--output=/run/t"]).ok();
        s.note("by option", &output.stdout, Order::Fixed);
        terminate(s, daemon_of_pid_file(s));
    });
}

#[test]
fn given_paths() {
    side_by_side(|s| {
        let options = [
            "--no-kernel",
            "--pidfile=/run/my.pid",
            "--client-sock=/run/my-client",
            "--apps-sock",
            "/run/my-apps",
            "--ustconsumerd64-cmd-sock=/run/my-command",
            "--ustconsumerd64-err-sock=/run/my-error",
        ];
        let daemon = Daemon::start_with(s, &options);
        let files = s.files(&["/run"]);
        let mine: Vec<&str> =
            files.iter().map(String::as_str).filter(|line| line.starts_with("/run/my")).collect();
        s.note("given", &mine.join("\n"), Order::Fixed);
        s.note("default", &run_files(s).join("\n"), Order::Fixed);
        // LIST_SESSIONS.
        assert_eq!(ask(s, "/run/my-client", &request(13)), 10);
        assert!(fs::metadata(s.outside("/run/my-apps")).unwrap().file_type().is_socket());
        daemon.stop();
        let files = s.files(&["/run"]);
        assert!(!files.iter().any(|line| line.starts_with("/run/my")), "{files:?}");
    });
}

#[test]
fn short_options() {
    ours(|s| {
        let daemon =
            Daemon::start_with(s, &["--no-kernel", "-q", "-p", "/run/p", "-c/run/c", "-a", "/run/a"]);
        for path in ["/run/p", "/run/c", "/run/a"] {
            assert!(s.outside(path).exists(), "{path}");
        }
        assert_eq!(fs::read_to_string(s.path("daemon.log")).unwrap(), "", "-q is quiet");
        daemon.stop();
        let daemon = Daemon::start_with(s, &["--no-kernel", "-vvv"]);
        s.run("lttng", &["list"]).ok();
        assert!(!fs::read_to_string(s.path("daemon.log")).unwrap().is_empty(), "-vvv is not");
        daemon.stop();
    });
}

#[test]
fn another_tracing_group() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can give files away");
        }
        for group in ["daemon", "no-such-group"] {
            let daemon = Daemon::start_with(s, &["--no-kernel", "--group", group]);
            start_recording(s);
            s.note(group, &run_files(s).join("\n"), Order::Fixed);
            s.run("lttng", &["destroy"]).ok();
            daemon.stop();
            eventually("all of its processes end", || s.processes("lttng-").is_empty());
        }
    });
}

#[test]
fn the_version() {
    ours(|s| {
        let binary = s.which().path().to_string_lossy().into_owned();
        for option in ["-V", "--version"] {
            let output = s.run(&binary, &[option]).ok();
            let version = output.stdout.strip_suffix('\n').unwrap();
            assert!(
                version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.'),
                "`{version}`"
            );
            assert!(!version.contains('\n'), "`{version}`");
        }
        assert!(!s.outside(RUN).exists());
    });
}

#[test]
fn the_help() {
    ours_only("it needs the man program and its page", |s| {
        let binary = s.which().path().to_string_lossy().into_owned();
        for option in ["-h", "--help"] {
            let output = s.run(&binary, &[option]).ok();
            for word in ["lttng-sessiond", "--daemonize", "--no-kernel", "--consumerd64-path"] {
                assert!(output.stdout.contains(word), "no {word} in: {}", output.stdout);
            }
        }
        assert!(!s.outside(RUN).exists());
    });
}

#[test]
fn bad_options_are_refused_before_anything_is_made() {
    side_by_side(|s| {
        let binary = s.which().path().to_string_lossy().into_owned();
        for option in [
            "--bogus",
            "-Z",
            "--group",
            "--daemonize=yes",
            "--client-sock=",
            "--agent-tcp-port=0",
            "--agent-tcp-port=65535",
            "--agent-tcp-port=x",
            "--event-notifier-error-buffer-size-kernel=0",
            "--config=/no/such/file",
        ] {
            let output = s.run(&binary, &["--no-kernel", option]);
            assert_ne!(output.stderr, "", "{option}");
            s.note(option, &format!("status {}", output.code), Order::Fixed);
            assert!(!s.outside(RUN).exists(), "{option}");
        }
    });
}

#[test]
fn a_pid_file_that_cannot_be_written() {
    ours_only("it aborts", |s| {
        let mut daemon = Daemon::launch(s, &[], &["--no-kernel", "--pidfile=/no/such/directory/pid"]);
        daemon.expect("exit 1");
        assert!(fs::read_to_string(s.path("daemon.log")).unwrap().contains("Error: "));
        assert_eq!(leftovers(s), [""; 0]);
    });
}

#[test]
fn a_given_run_directory() {
    ours_only("LTTNG_RUNDIR came with 2.14", |s| {
        let mut daemon = Daemon::launch(s, &[("LTTNG_RUNDIR", "/run/elsewhere")], &["--no-kernel"]);
        daemon.expect("ready");
        assert_eq!(ask(s, "/run/elsewhere/client-lttng-sessiond", &request(13)), 10);
        assert!(!s.outside(RUN).exists());
        daemon.stop();
        assert_eq!(s.files(&["/run/elsewhere"]), [""; 0]);
    });
}

#[test]
fn a_consumer_daemon_that_is_not_there() {
    ours_only("it never answers", |s| {
        let daemon = Daemon::start_with(s, &["--no-kernel", "--consumerd64-path=/no/such/lttng-consumerd"]);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).fails();
        s.lttng(&["list"]).ok();
        s.lttng(&["destroy", "s"]).ok();
        daemon.stop();
    });
}

#[test]
fn the_consumer_daemon_may_be_given_by_the_environment() {
    ours(|s| {
        let marker = s.path("ran");
        let real = "/usr/lib/x86_64-linux-gnu/lttng/libexec/lttng-consumerd";
        let script = s.script("consumerd", &format!("echo \"$@\" >{marker}\nexec {real} \"$@\""));
        let mut daemon = Daemon::launch(s, &[("LTTNG_CONSUMERD64_BIN", &script)], &["--no-kernel"]);
        daemon.expect("ready");
        start_recording(s);
        App::start(s).tell("tick 0 3");
        s.run("lttng", &["destroy"]).ok();
        assert_eq!(numbers(&events(s, &s.path("trace")), "testapp:tick"), [0, 1, 2]);
        let arguments = fs::read_to_string(&marker).unwrap();
        assert!(arguments.contains("-u --consumerd-cmd-sock"), "{arguments}");
        daemon.stop();
    });
}

#[test]
fn a_user_has_an_own_daemon() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start_as(s, STRANGER, &[]);
        let home = s.home_of(STRANGER).to_string_lossy().into_owned();
        let run = format!("{home}/.lttng");
        let files = |title: &str| {
            let files = s.files(&[&run, "/dev/shm", "/run"]);
            s.note(title, &files.join("\n"), Order::Fixed);
        };
        files("idle");
        s.lttng_as(STRANGER, &["create", "mine"]).ok();
        s.lttng_as(STRANGER, &["enable-event", "-u", "testapp:*"]).ok();
        s.lttng_as(STRANGER, &["start"]).ok();
        files("recording");
        let mut own = App::start_as(s, STRANGER);
        own.tell("tick 0 5");
        // Root's applications are none of this daemon's business.
        let mut roots = App::start(s);
        roots.tell("tick 100 5");
        s.lttng_as(STRANGER, &["list"]).ok();
        s.lttng_as(STRANGER, &["destroy"]).ok();
        let traces = fs::read_dir(format!("{home}/lttng-traces")).unwrap().next().unwrap().unwrap().path();
        assert_eq!(numbers(&events(s, &traces.to_string_lossy()), "testapp:tick"), [0, 1, 2, 3, 4]);
        daemon.stop();
        eventually("all of its processes end", || s.processes("lttng-").is_empty());
        let mut left = s.files(&[&run]);
        left.retain(|line| !line.contains("/ustconsumerd64") || s.which() == Which::Ours);
        assert_eq!(left, [""; 0]);
    });
}

#[test]
fn a_user_may_choose_another_home() {
    ours(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let other = s.home_of(STRANGER).join("other").to_string_lossy().into_owned();
        s.run_as(STRANGER, "mkdir", &[&other]).ok();
        let daemon = Daemon::start_as(s, STRANGER, &[("LTTNG_HOME", &other)]);
        assert!(s.outside(&format!("{other}/.lttng/client-lttng-sessiond")).exists());
        s.run_as(STRANGER, "lttng", &["list"]).fails();
        s.run_as(STRANGER, "env", &[&format!("LTTNG_HOME={other}"), "lttng", "list"]).ok();
        daemon.stop();
    });
}

/// The tracing group, if the machine has one.
pub fn tracing_group() -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find_map(|line| line.strip_prefix("tracing:"))?;
    line.split(':').nth(1)?.parse().ok()
}

#[test]
fn a_member_of_the_tracing_group_uses_the_daemon_of_root() {
    side_by_side(|s| {
        let Some(member) = member() else { return skip("needs root and a group `tracing`") };
        let daemon = Daemon::start(s);
        s.lttng(&["create", "roots", "--output", &s.path("roots")]).ok();
        let trace = s.home_of(member).join("trace").to_string_lossy().into_owned();
        let lttng = |args: &[&str]| s.lttng_as(member, args);
        lttng(&["create", "members", "--output", &trace]).ok();
        lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        lttng(&["start"]).ok();
        let mut own = App::start_as(s, member);
        own.tell("tick 0 2");
        let mut roots = App::start(s);
        roots.tell("tick 10 2");
        lttng(&["list"]).ok();
        s.lttng(&["list"]).ok();
        // Sessions of others are neither seen nor touched; root may do everything.
        for command in
            [&["list", "roots"][..], &["start", "roots"], &["stop", "roots"], &["destroy", "roots"]]
        {
            lttng(command).fails();
        }
        lttng(&["create", "roots", "--output", &trace]).fails();
        lttng(&["stop"]).ok();
        s.lttng(&["destroy", "members"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 11]);
        let list = s.run("find", &[&trace, "-type", "d", "-printf", "%P %m %U:%G\n"]).ok();
        s.note("directories", &list.stdout, Order::AnyText);
        // Everybody else stays outside.
        s.run_as(STRANGER, "lttng", &["list"]).fails();
        daemon.stop();
    });
}

#[test]
fn the_daemon_of_root_traces_applications_of_all_users() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        start_recording(s);
        let mut stranger = App::start_as(s, STRANGER);
        stranger.tell("tick 0 2");
        let mut root = App::start(s);
        root.tell("tick 10 2");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 11]);
        let list = s.run("find", &[&trace, "-type", "d", "-printf", "%P %m %U:%G\n"]).ok();
        let mut list: Vec<&str> = list.stdout.lines().collect();
        list.sort_unstable();
        s.note("directories", &list.join("\n"), Order::Fixed);
        daemon.stop();
    });
}
