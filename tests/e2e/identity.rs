// SPDX-License-Identifier: GPL-2.0-only
//! Applications of several users, and processes that become other processes.

use std::fs;
use std::path::Path;

use crate::lifecycle::tracing_group;
use crate::processes::layout;
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::sandbox::User;
use crate::support::session::{BUFFERS, create, session, session_of};
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, is_root, side_by_side, skip};

pub const FIRST: User = User { uid: 54321, gid: 54321, groups: &[] };
pub const SECOND: User = User { uid: 54322, gid: 54322, groups: &[] };

/// Creates session `s` with its trace in `trace` and an event rule, and starts it.
fn start(s: &Sandbox, channel: &[&str]) -> String {
    let trace = session(s, channel);
    s.lttng(&["start"]).ok();
    trace
}

#[test]
fn each_user_has_buffers_and_the_files_are_the_session_owners() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            if !is_root() {
                return skip("only root can act as another user");
            }
            let daemon = Daemon::start(s);
            let mut early = App::start_as(s, FIRST);
            let trace = start(s, &[buffers]);
            let mut apps = [App::start_as(s, SECOND), App::start(s), App::start_as(s, FIRST)];
            early.tell("tick 0 2");
            for (number, app) in apps.iter_mut().enumerate() {
                app.tell(&format!("tick {} 2", number * 10 + 10));
            }
            s.lttng_unordered(&["list", "-u"]).ok();
            s.lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 11, 20, 21, 30, 31]);
            s.note("layout", &layout(s, &trace), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn a_daemon_of_a_user_owns_what_it_writes() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start_as(s, FIRST, &[]);
        let trace = session_of(s, FIRST, &[]);
        s.lttng_as(FIRST, &["start"]).ok();
        let mut own = App::start_as(s, FIRST);
        own.tell("tick 0 2");
        let mut foreign = App::start_as(s, SECOND);
        foreign.tell("tick 10 2");
        s.lttng_as(FIRST, &["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1]);
        s.note("layout", &layout(s, &trace), Order::Fixed);
        daemon.stop();
    });
}

/// The library that lets the child of a `fork` register on its own.
const FORK_LIBRARY: &[&str] = &["LD_PRELOAD=liblttng-ust-fork.so"];

/// Runs `forker` with and without the fork library and records what arrives.
fn become_another(s: &Sandbox, args: &[&str], want: &[i64], finished: impl Fn(&Sandbox) -> bool) {
    let daemon = Daemon::start(s);
    for (number, environment) in [&[][..], FORK_LIBRARY].into_iter().enumerate() {
        let trace = s.path(&format!("trace-{number}"));
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["add-context", "-u", "-t", "procname"]).ok();
        s.lttng(&["start"]).ok();
        let forker = s.program("forker");
        s.run("env", &[environment, &[&*forker.to_string_lossy()], args].concat()).ok();
        eventually("it is done", || finished(s));
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(numbers(&all, "testapp:tick"), want, "{environment:?}");
        let names: Vec<String> = all.iter().map(|event| format!("{:?}", event.context.last())).collect();
        s.note("names", &names.join("\n"), Order::Fixed);
    }
    eventually("nobody is left", || !s.run("lttng", &["list", "-u"]).ok().stdout.contains("PID: "));
    daemon.stop();
}

#[test]
fn fork() {
    side_by_side(|s| become_another(s, &["fork"], &[0, 1, 2, 100, 101, 102, 200, 201, 202], |_| true));
}

#[test]
fn exec() {
    side_by_side(|s| {
        let burst = s.program("burst");
        become_another(s, &["exec", &burst.to_string_lossy()], &[0, 1, 2, 100, 101, 102], |_| true);
    });
}

#[test]
fn to_the_background() {
    side_by_side(|s| {
        let file = s.path("done");
        become_another(s, &["daemon", &file], &[0, 1, 2, 100, 101, 102], |_| {
            let done = fs::read_to_string(&file).is_ok_and(|text| text == "done\n");
            if done {
                fs::remove_file(&file).unwrap();
            }
            done
        });
    });
}

#[test]
fn a_child_of_a_fork_has_buffers_of_its_own() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = start(s, &["--buffers-pid"]);
        let forker = s.program("forker");
        s.run("env", &[FORK_LIBRARY, &[&*forker.to_string_lossy(), "fork"]].concat()).ok();
        s.lttng(&["destroy"]).ok();
        let want = [0, 1, 2, 100, 101, 102, 200, 201, 202];
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), want);
        assert_eq!(fs::read_dir(format!("{trace}/ust/pid")).unwrap().count(), 2);
        daemon.stop();
    });
}

/// Two members of the tracing group, with users of their own.
pub fn members() -> Option<[User; 2]> {
    let groups: &'static [u32] = Box::leak(Box::new([tracing_group()?]));
    is_root().then_some([User { uid: 1, gid: 1, groups }, User { uid: 54323, gid: 54323, groups }])
}

#[test]
fn members_of_the_tracing_group_record_everybody_and_own_the_files() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let Some([member, _]) = members() else { return skip("needs root and a group `tracing`") };
            let daemon = Daemon::start(s);
            let lttng = |args: &[&str]| s.lttng_as(member, args);
            let mut early = App::start_as(s, FIRST);
            let trace = session_of(s, member, &[buffers]);
            lttng(&["start"]).ok();
            let mut apps = [App::start_as(s, SECOND), App::start(s), App::start_as(s, member)];
            early.tell("tick 0 2");
            for (number, app) in apps.iter_mut().enumerate() {
                app.tell(&format!("tick {} 2", number * 10 + 10));
            }
            // The applications of all users are listed.
            let listed = s.run_as(member, "lttng", &["list", "-u"]).ok().stdout;
            assert_eq!(listed.matches("PID: ").count(), 4, "{listed}");
            lttng(&["regenerate", "statedump"]).ok();
            lttng(&["status"]).ok();
            lttng(&["stop"]).ok();
            lttng(&["destroy"]).ok();
            assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 11, 20, 21, 30, 31]);
            s.note("layout", &layout(s, &trace), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn a_member_cannot_write_where_the_member_may_not() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let Some([member, _]) = members() else { return skip("needs root and a group `tracing`") };
            let daemon = Daemon::start(s);
            // The directory above is root's.
            let trace = s.path("trace");
            create(|args| s.lttng_as(member, args), &["--output", &trace], &[buffers]);
            let mut app = App::start(s);
            s.lttng_as(member, &["start"]);
            app.tell("tick 0 2");
            s.lttng_as(member, &["destroy"]);
            assert!(!Path::new(&trace).exists());
            app.exit();
            daemon.stop();
        });
    }
}

#[test]
fn members_see_and_control_their_own_sessions_only() {
    side_by_side(|s| {
        let Some([first, second]) = members() else { return skip("needs root and a group `tracing`") };
        let daemon = Daemon::start(s);
        s.lttng(&["create", "roots", "--output", &s.path("roots")]).ok();
        // (The stock daemon makes a session's user space part before it looks at who asks.)
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        for (user, name) in [(first, "firsts"), (second, "seconds")] {
            let trace = s.home_of(user).join("trace").to_string_lossy().into_owned();
            s.lttng_as(user, &["create", name, "--output", &trace]).ok();
            s.lttng_as(user, &["enable-event", "-u", "testapp:tick"]).ok();
        }
        for user in [first, second] {
            s.lttng_as(user, &["list"]).ok();
            s.lttng_as(user, &["--mi", "xml", "list"]).ok();
        }
        s.lttng(&["list"]).ok();
        s.lttng_xml(&["list"]).ok();
        for name in ["roots", "firsts"] {
            for command in [
                &["list", name][..],
                &["start", name],
                &["stop", name],
                &["destroy", name],
                &["enable-channel", "-u", "-s", name, "c"],
                &["disable-channel", "-u", "-s", name, "channel0"],
                &["enable-event", "-u", "-s", name, "testapp:note"],
                &["disable-event", "-u", "-s", name, "testapp:tick"],
                &["add-context", "-u", "-s", name, "-t", "vpid"],
                &["track", "-u", "-s", name, "--vpid", "1"],
                &["untrack", "-u", "-s", name, "--vpid", "1"],
                &["regenerate", "metadata", "-s", name],
                &["regenerate", "statedump", "-s", name],
                &["set-session", name],
            ] {
                s.lttng_as(second, command);
            }
        }
        // Nothing of it has changed.
        s.lttng_unordered(&["list", "roots"]).ok();
        s.lttng_unordered(&["list", "firsts"]).ok();
        // `--all` means all that a user may see.
        s.lttng_as(second, &["destroy", "--all"]).ok();
        s.lttng(&["list"]).ok();
        // Root may change everything, and the files stay the owner's.
        s.lttng(&["enable-event", "-u", "-s", "firsts", "testapp:note"]).ok();
        s.lttng(&["start", "firsts"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 1");
        app.tell("note 1 1");
        s.lttng(&["destroy", "firsts"]).ok();
        let trace = s.home_of(first).join("trace").to_string_lossy().into_owned();
        let all = events(s, &trace);
        assert_eq!((numbers(&all, "testapp:tick"), numbers(&all, "testapp:note")), (vec![0], vec![1]));
        app.exit();
        daemon.stop();
    });
}

#[test]
fn an_application_is_recorded_by_both_daemons() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let roots = Daemon::start(s);
        let own = Daemon::start_as(s, FIRST, &[]);
        let trace = start(s, &[]);
        let mine = s.home_of(FIRST).join("trace").to_string_lossy().into_owned();
        s.lttng_as(FIRST, &["create", "mine", "--output", &mine]).ok();
        s.lttng_as(FIRST, &["enable-event", "-u", "testapp:*"]).ok();
        s.lttng_as(FIRST, &["start"]).ok();
        let mut app = App::start_as(s, FIRST);
        let mut other = App::start_as(s, SECOND);
        app.tell("tick 0 2");
        app.tell("note 1 1");
        other.tell("tick 10 2");
        s.lttng_as(FIRST, &["list", "-u"]).ok();
        s.lttng_as(FIRST, &["destroy"]).ok();
        own.stop();
        app.tell("tick 20 2");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick"), [0, 1, 10, 11, 20, 21]);
        let all = events(s, &mine);
        assert_eq!((numbers(&all, "testapp:tick"), numbers(&all, "testapp:note")), (vec![0, 1], vec![1]));
        roots.stop();
    });
}
