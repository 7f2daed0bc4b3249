// SPDX-License-Identifier: GPL-2.0-only
//! `--explain`: each reason why a program is not traced that can be brought about here, brought about, and found.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::identity::{FIRST, SECOND, members};
use crate::lifecycle::tracing_group;
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::foreign::Foreign;
use crate::support::sandbox::{OTHER, Output, User};
use crate::support::{Sandbox, Which, is_root, ours_only, skip};

const WHY: &str = "it can't be asked";

/// Asks as root.
fn explain(s: &Sandbox, asked: &str) -> Output {
    s.run(&s.shared_daemon().to_string_lossy(), &["--explain", asked])
}

fn explain_as(s: &Sandbox, user: User, asked: &str) -> Output {
    s.run_as(user, &s.shared_daemon().to_string_lossy(), &["--explain", asked])
}

/// Text without its line ends.
fn flat(output: &Output) -> String {
    output.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Demands that something was found, and these words.
#[track_caller]
fn found(output: Output, words: &[&str]) -> String {
    let text = flat(&output);
    assert_eq!(output.code, 1, "{}{}", output.stdout, output.stderr);
    for word in words {
        assert!(text.contains(word), "`{word}` is not in:\n{}", output.stdout);
    }
    text
}

/// Demands that all is well.
#[track_caller]
fn well(output: Output, words: &[&str]) {
    let text = flat(&output);
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    for word in words {
        assert!(text.contains(word), "`{word}` is not in:\n{}", output.stdout);
    }
}

/// What `command` starts, which says that it is ready.
fn start(s: &Sandbox, command: Command) -> App {
    App::start_command(s, command)
}

/// The emitter, started by a shell that does something first.
fn start_after(s: &Sandbox, before: &str) -> App {
    let mut command = s.command("unshare");
    let emitter = s.program("emitter");
    command.args(["--mount", "bash", "-c", &format!("set -e; {before}; exec {}", emitter.display())]);
    start(s, command)
}

fn record(s: &Sandbox, rules: &[&[&str]]) {
    s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
    for rule in rules {
        s.lttng(&[&["enable-event", "-u", "-s", "s"], *rule].concat()).ok();
    }
}

#[test]
fn a_program_that_is_traced_and_one_that_is_not() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, &[&["testapp:*"]]);
        s.lttng(&["start"]).ok();
        let app = App::start(s);
        well(explain(s, &app.pid().to_string()), &["emitter", "traced by session s."]);
        well(explain(s, "emitter"), &["traced by session s."]);
        let all = s.run(&s.shared_daemon().to_string_lossy(), &["--explain"]);
        well(all, &["emitter", "traced by session s."]);
        let idle = App::start_program(s, "idle", &[]);
        found(explain(s, "idle"), &["idle", "not instrumented"]);
        let gone = explain(s, "nothing-of-that-name");
        assert_eq!((gone.code, gone.stdout.contains("No process is called")), (2, true), "{}", gone.stdout);
        assert_eq!(explain(s, "999999").code, 2);
        drop(idle);
        daemon.stop();
    });
}

#[test]
fn sessions_and_rules_that_do_not_record_it() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        let app = App::start(s);
        let pid = app.pid().to_string();
        let ask = || explain(s, &pid);
        found(ask(), &["has no recording session", "lttng create"]);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        found(ask(), &["no event rule about tracepoints", "never started"]);
        s.lttng(&["enable-event", "-u", "testap:*"]).ok();
        found(ask(), &["No event rule of session s matches", "Maybe testapp:* was meant"]);
        s.lttng(&["disable-event", "-u", "testap:*"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "channel0", "testapp:tick", "--loglevel=WARNING"]).ok();
        let level = found(ask(), &["leaves out the log levels", "testapp:tick has DEBUG_LINE"]);
        assert!(level.contains("--loglevel=DEBUG_LINE"), "{level}");
        s.lttng(&["disable-event", "-u", "-c", "channel0", "testapp:tick"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "channel0", "otherapp:*", "--exclude=otherapp:t*"]).ok();
        found(ask(), &["It excludes otherapp:t*"]);
        s.lttng(&["enable-event", "-u", "-c", "channel0", "testapp:note"]).ok();
        s.lttng(&["start"]).ok();
        well(ask(), &["traced by session s."]);
        s.lttng(&["disable-event", "-u", "-c", "channel0", "testapp:note"]).ok();
        found(ask(), &["Event rule testapp:note of session s is disabled"]);
        s.lttng(&["enable-event", "-u", "-c", "channel0", "testapp:note"]).ok();
        s.lttng(&["disable-channel", "-u", "channel0"]).ok();
        found(ask(), &["Channel channel0 of session s is disabled"]);
        s.lttng(&["enable-channel", "-u", "channel0"]).ok();
        well(ask(), &["traced by session s."]);
        s.lttng(&["track", "-u", "--vpid", "1"]).ok();
        found(ask(), &["follows only some processes", &format!("that of the program is {pid}")]);
        s.lttng(&["track", "-u", "--vpid", &pid]).ok();
        well(ask(), &["traced by session s."]);
        s.lttng(&["stop"]).ok();
        found(ask(), &["Session s is stopped", "lttng start s"]);
        daemon.stop();
    });
}

/// What is told helps: the command that it names is run.
#[test]
fn the_command_that_is_named_helps() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, &[&["tick"]]);
        s.lttng(&["start"]).ok();
        let app = App::start(s);
        let said = explain(s, "emitter").stdout;
        let command = said.lines().find_map(|line| line.trim().strip_prefix("lttng enable-event")).unwrap();
        s.run("sh", &["-c", &format!("lttng enable-event{command}")]).ok();
        well(explain(s, &app.pid().to_string()), &["traced by session s."]);
        daemon.stop();
    });
}

#[test]
fn no_daemon_another_one_and_one_that_stands_still() {
    ours_only(WHY, |s| {
        let app = App::start_with(s, &[("LTTNG_UST_REGISTER_TIMEOUT", "0")]);
        let pid = app.pid().to_string();
        found(
            explain(s, &pid),
            &["No session daemon is running", "lttng-sessiond --daemonize", "not traced"],
        );
        let mut stock = Daemon::launch_binary(s, &Which::Stock.path(), &[], &["--no-kernel"]);
        stock.expect("ready");
        eventually("it registers", || s.run("lttng", &["list", "-u"]).stdout.contains("testapp:tick"));
        found(
            explain(s, &pid),
            &["no status socket", "daemon of lttng-tools", "has registered with a session daemon"],
        );
        stock.stop();
        let daemon = Daemon::start(s);
        daemon.process().freeze();
        found(explain(s, &pid), &["does not answer"]);
        daemon.process().signal(nix::sys::signal::Signal::SIGCONT);
        daemon.kill();
        found(explain(s, &pid), &["was left by one that ended"]);
    });
}

#[test]
fn programs_that_are_none_or_half_instrumented() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, &[&["testapp:*"]]);
        s.lttng(&["start"]).ok();
        let ask = |app: &App| explain(s, &app.pid().to_string());
        let app = App::start_program(s, "idle-static", &[]);
        found(ask(&app), &["statically linked"]);
        let app = App::start_program(s, "probeless", &[]);
        found(
            ask(&app),
            &[
                "has tracepoints, but no tracepoint provider",
                "libraryapp:tick",
                "LD_PRELOAD=./liblibraryapp-tp.so",
            ],
        );
        let app = App::start_preloaded(s, "probeless", &s.program("library.so").to_string_lossy(), &[]);
        found(ask(&app), &["No event rule of session s matches", "libraryapp:tick"]);
        let app = App::start_preloaded(s, "idle", "liblttng-ust.so.1", &[]);
        found(ask(&app), &["no tracepoint provider"]);
        let app = App::start_program(s, "kin", &[]);
        found(ask(&app), &["was made by fork(2) from process", "LD_PRELOAD=liblttng-ust-fork.so"]);
        let app = App::start_preloaded(s, "kin", "liblttng-ust-fork.so", &[]);
        well(ask(&app), &["traced by session s."]);
        daemon.stop();
    });
}

#[test]
fn a_provider_is_loaded_later() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, &[&["libraryapp:*"]]);
        s.lttng(&["start"]).ok();
        let library = s.program("library.so");
        let mut app = App::start_program(s, "loader", &[&library.to_string_lossy()]);
        let pid = app.pid().to_string();
        found(explain(s, &pid), &["not instrumented"]);
        app.tell("load");
        well(explain(s, &pid), &["traced by session s."]);
        daemon.stop();
    });
}

#[test]
fn programs_of_the_older_lttng_ust_and_of_32_bits() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, &[&["testapp:*"]]);
        s.lttng(&["start"]).ok();
        if let Some(foreign) = Foreign::ust_2_12() {
            let app = App::start_foreign(s, &foreign, "emitter");
            well(explain(s, &app.pid().to_string()), &["traced by session s."]);
        }
        if let Some(foreign) = Foreign::bits_32() {
            let app = App::start_foreign(s, &foreign, "emitter");
            found(explain(s, &app.pid().to_string()), &["no 32-bit consumer daemon", "--consumerd32-path"]);
        }
        daemon.stop();
    });
}

#[test]
fn a_stopped_program() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, &[&["testapp:*"]]);
        s.lttng(&["start"]).ok();
        let app = App::start(s);
        let pid = app.pid().to_string();
        app.freeze();
        found(explain(s, &pid), &["stopped by a signal", &format!("kill -CONT {pid}")]);
        app.thaw();
        eventually("it has answered", || explain(s, &pid).code == 0);
        daemon.stop();
    });
}

#[test]
fn a_start_that_does_not_wait() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        record(s, &[&["testapp:*"]]);
        s.lttng(&["start"]).ok();
        // Times have whole seconds, and are rounded.
        std::thread::sleep(std::time::Duration::from_millis(2100));
        let app = App::start_with(s, &[("LTTNG_UST_REGISTER_TIMEOUT", "0")]);
        eventually("it is traced", || {
            explain(s, &app.pid().to_string()).stdout.contains("traced by session s")
        });
        found(explain(s, &app.pid().to_string()), &["in part", "LTTNG_UST_REGISTER_TIMEOUT=0"]);
        daemon.stop();
    });
}

#[test]
fn daemons_of_other_users() {
    ours_only(WHY, |s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start_as(s, FIRST, &[]);
        let app = App::start_as(s, SECOND);
        let pid = app.pid().to_string();
        found(
            explain(s, &pid),
            &["runs as user 54322, and the session daemon is user 54321's", "sudo lttng-sessiond"],
        );
        // Who may see less says so.
        let text = found(explain_as(s, FIRST, &pid), &["runs as user 54322"]);
        assert!(text.contains("hidden from you"), "{text}");
        let own = App::start_as(s, FIRST);
        let own_pid = own.pid().to_string();
        found(explain_as(s, FIRST, &own_pid), &["has no recording session"]);
        found(explain(s, &own_pid), &["has no recording session"]);
        daemon.stop();
    });
}

/// The program is with root's daemon, and the session is with the user's own.
#[test]
fn the_session_is_with_the_other_daemon() {
    ours_only(WHY, |s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let roots = Daemon::start(s);
        let own = Daemon::start_as(s, FIRST, &[]);
        let trace = s.home_of(FIRST).join("trace").to_string_lossy().into_owned();
        s.lttng_as(FIRST, &["create", "mine", "--output", &trace]).ok();
        s.lttng_as(FIRST, &["enable-event", "-u", "testapp:*"]).ok();
        s.lttng_as(FIRST, &["start"]).ok();
        let app = App::start_as(s, SECOND);
        let pid = app.pid().to_string();
        found(
            explain(s, &pid),
            &["is with root's session daemon, and the sessions are with the session daemon of user 54321"],
        );
        let app = App::start_as(s, FIRST);
        well(explain(s, &app.pid().to_string()), &["traced by session mine."]);
        own.stop();
        roots.stop();
    });
}

#[test]
fn the_tracing_group() {
    ours_only(WHY, |s| {
        let (Some([member, _]), Some(group)) = (members(), tracing_group()) else {
            return skip("needs root and a group `tracing`");
        };
        let daemon = Daemon::start(s);
        let app = App::start_as(s, OTHER);
        let pid = app.pid().to_string();
        found(explain_as(s, OTHER, &pid), &["you may not use it", "user 54321 is not one", "usermod"]);
        found(explain_as(s, member, &pid), &["no recording session of yours"]);
        // The database says so, this login does not.
        let (users, groups) = (s.path("passwd"), s.path("group"));
        fs::write(&users, "root:x:0:0::/root:/bin/sh\nnew:x:54321:54321::/nowhere:/bin/sh\n").unwrap();
        fs::write(&groups, format!("tracing:x:{group}:new\n")).unwrap();
        let script = format!(
            "mount --bind {users} /etc/passwd; mount --bind {groups} /etc/group; \
             exec setpriv --reuid=54321 --regid=54321 --clear-groups {} --explain {pid}",
            s.shared_daemon().display()
        );
        let asked = s.run("unshare", &["--mount", "bash", "-c", &script]);
        found(asked, &["this login began before", "newgrp tracing"]);
        daemon.stop();
    });
}

#[test]
fn other_homes_and_more_rights() {
    ours_only(WHY, |s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start_as(s, FIRST, &[]);
        let ask = |app: &App| explain(s, &app.pid().to_string());
        let emitter = s.program("emitter");
        let mut command = s.command_as(FIRST, "env");
        command.args(["HOME=/nowhere"]).arg(&emitter);
        found(ask(&start(s, command)), &["in /nowhere/.lttng", "HOME was other for the program"]);
        let mut command = s.command_as(FIRST, "env");
        command.args(["LTTNG_HOME=/elsewhere"]).arg(&emitter);
        found(ask(&start(s, command)), &["in /elsewhere/.lttng", "LTTNG_HOME was other"]);
        let mut command = s.command_as(FIRST, "env");
        command.args(["--unset=HOME"]).arg(&emitter);
        found(ask(&start(s, command)), &["without HOME and LTTNG_HOME"]);
        // Set-user-id; a program of the user SECOND.
        let program = s.path("more");
        fs::copy(&emitter, &program).unwrap();
        nix::unistd::chown(program.as_str(), Some(SECOND.uid.into()), None).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        let app = start(s, s.command_as(FIRST, &program));
        found(ask(&app), &["more rights than its caller", "real and effective ids differ"]);
        found(explain_as(s, FIRST, &app.pid().to_string()), &["more rights than its caller"]);
        daemon.stop();
    });
}

#[test]
fn containers() {
    ours_only(WHY, |s| {
        if !is_root() {
            return skip("only root can make one");
        }
        let ask = |app: &App| explain(s, &app.pid().to_string());
        let waits_for_nobody = "export LTTNG_UST_REGISTER_TIMEOUT=0";
        let early = start_after(s, &format!("{waits_for_nobody}; mount -t tmpfs tmpfs /dev/shm"));
        let daemon = Daemon::start(s);
        found(ask(&early), &["waits for root's session daemon in another file", "/dev/shm"]);
        let inside = start_after(s, "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /dev/shm");
        found(
            ask(&inside),
            &["in a container or below another root", "it has no such socket there", "--volume"],
        );
        daemon.stop();
    });
}

/// A daemon in a container cannot be told who comes from outside.
#[test]
fn a_daemon_in_a_pid_namespace_of_its_own() {
    ours_only(WHY, |s| {
        if !is_root() {
            return skip("only root can make one");
        }
        let mut command = s.command("unshare");
        command.args(["--pid", "--fork", "--kill-child", "bash", "-c"]);
        command.arg(format!(
            "{} --no-kernel --background && echo ready $PPID && read -r line",
            s.shared_daemon().display()
        ));
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut holder = command.spawn().unwrap();
        eventually("it listens", || s.outside("/run/lttng/lttng-ust-sock-8").exists());
        eventually("it answers", || s.run("lttng", &["list"]).code == 0);
        let app = App::start_with(s, &[("LTTNG_UST_REGISTER_TIMEOUT", "0")]);
        found(explain(s, &app.pid().to_string()), &["in a PID namespace of its own", "--pid=host"]);
        drop(holder.stdin.take());
        let _ = holder.wait();
    });
}

#[test]
fn the_daemon_is_elsewhere() {
    ours_only(WHY, |s| {
        let rundir = s.path("rundir");
        let mut daemon = Daemon::launch(s, &[("LTTNG_RUNDIR", &rundir)], &["--no-kernel"]);
        daemon.expect("ready");
        let app = App::start_with(s, &[("LTTNG_UST_REGISTER_TIMEOUT", "0")]);
        let pid = app.pid().to_string();
        found(
            explain(s, &pid),
            &["has its sockets in", "programs look for it in /var/run/lttng only", "--apps-sock"],
        );
        daemon.stop();
        let socket = format!("--apps-sock={}", s.path("apps"));
        let daemon = Daemon::start_with(s, &["--no-kernel", &socket]);
        found(explain(s, &pid), &["does not listen where programs look"]);
        daemon.stop();
    });
}

#[test]
fn what_has_run_out() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        let mut command = s.command("prlimit");
        // Standard streams, and nothing more once the libraries are loaded.
        command.args(["--nofile=4", "env", "LTTNG_UST_REGISTER_TIMEOUT=0"]).arg(s.program("emitter"));
        command.stderr(std::process::Stdio::null());
        let app = start(s, command);
        found(explain(s, &app.pid().to_string()), &["has no descriptors left", "of 4"]);
        daemon.stop();
    });
}

/// Starts applications of one user under a daemon with so few descriptors until one is not taken, and asks about that one.
fn crowd_out(s: &Sandbox, descriptors: usize, words: &[&str]) {
    let daemon = s.shared_daemon();
    let limit = format!("--nofile={descriptors}:{descriptors}");
    let lines = format!("exec prlimit {limit} {} \"$@\"", daemon.display());
    let wrapper = s.script(&format!("few-{descriptors}"), &lines);
    let mut daemon = Daemon::launch_binary(s, wrapper.as_ref(), &[], &["--no-kernel"]);
    daemon.expect("ready");
    let mut apps = Vec::new();
    let said = (0..descriptors).find_map(|_| {
        let mut command = s.command_as(FIRST, "env");
        command.arg("LTTNG_UST_REGISTER_TIMEOUT=2000").arg(s.program("emitter"));
        let app = start(s, command);
        let said = explain(s, &app.pid().to_string());
        apps.push(app);
        (!flat(&said).contains("registered, and not traced")).then_some(said)
    });
    found(said.expect("all were taken"), words);
    daemon.stop();
}

#[test]
fn a_limit_is_reached() {
    ours_only(WHY, |s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let limit = "user 54321 has reached a limit of the daemon";
        crowd_out(s, 48, &["has no descriptors left for further programs", limit]);
        crowd_out(s, 120, &[limit]);
    });
}

#[test]
fn the_kernel() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        found(explain(s, "kernel"), &["The kernel: not traced.", "started with --no-kernel"]);
        daemon.stop();
        let daemon = Daemon::start_with(s, &[]);
        eventually("it has looked", || !flat(&explain(s, "kernel")).contains("Ask again"));
        // Which of the reasons it is depends on the machine.
        let asked = explain(s, "kernel");
        assert!(asked.code <= 1 && asked.stdout.starts_with("The kernel: "), "{}", asked.stdout);
        daemon.stop();
        found(explain(s, "kernel"), &["No session daemon is running"]);
    });
}

#[test]
fn events_that_are_lost_and_snapshots() {
    ours_only(WHY, |s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--snapshot", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        let app = App::start(s);
        let pid = app.pid().to_string();
        well(explain(s, &pid), &["is in snapshot mode", "lttng snapshot record --session s"]);
        s.lttng(&["destroy"]).ok();
        drop(app);
        s.lttng(&["create", "s", "--output", &s.path("other")]).ok();
        s.lttng(&["enable-channel", "-u", "--subbuf-size=4096", "--num-subbuf=2", "--switch-timer=0", "c"])
            .ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:*"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.send("flood 300");
        assert!(app.answer().starts_with("flooded"));
        let pid = app.pid().to_string();
        // Consumer daemons tell at the latest when the session stops.
        s.lttng(&["stop"]);
        found(
            explain(s, &pid),
            &["Session s is stopped", "were discarded, since the buffers were full", "--subbuf-size="],
        );
        daemon.stop();
    });
}
