// SPDX-License-Identifier: GPL-2.0-only
//! Each kind of finding, from evidence made by hand: what is found, and with what words it is told.

use std::collections::HashSet;
use std::path::PathBuf;

use super::super::evidence::{
    Ancestor, Asker, Daemon, DaemonProcess, Environment, FileId, Ids, KernelSide, Machine, Maps, Namespaces,
    Offer, Process, Program, Reach, Running, Scene, Seen, Whose,
};
use super::super::finding::{About, Finding, Verdict, Weight};
use super::{of_kernel, of_process, of_scene};
use crate::report::{
    Application, ApplicationSession, Channel, Consumer, Held, Kernel, Life, Message, Progress, Refused,
    Report, Rule, Session, SessionKind, Tracker, User,
};
use crate::sys::shared_memory::Space;

const ALICE: u32 = 1000;
const BOB: u32 = 1001;
const GROUP: u32 = 120;
const PID: i32 = 4711;
const DAEMON: i32 = 77;
const HOST: Namespaces = Namespaces { pid: Some(1), mount: Some(2), user: Some(3) };
const SOCKET: FileId = FileId { device: 5, inode: 100 };
const WAIT: FileId = FileId { device: 6, inode: 200 };
const OTHER: FileId = FileId { device: 7, inode: 300 };

/// Root asks; root's daemon runs.
fn scene() -> Scene {
    Scene {
        asker: Asker { uid: 0, groups: vec![0], listed_groups: vec![0], rundir: None, pid_namespace: HOST.pid },
        machine: Machine {
            passwd: "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n"
                .into(),
            group: "tracing".into(),
            gid: Some(GROUP),
            system_rundir: "/var/run/lttng".into(),
            shm: Some(Space { total: 1 << 30, free: 1 << 29 }),
            kernel: KernelSide { release: "6.1.0-1".into(), modular: true, modules: true, ..KernelSide::default() },
        },
        daemons: vec![daemon(Whose::Root)],
        running: vec![Running { pid: DAEMON, uid: 0 }],
    }
}

fn daemon(whose: Whose) -> Daemon {
    let (uid, rundir) = match whose {
        Whose::Root => (0, "/run/lttng"),
        Whose::User(ALICE) => (ALICE, "/home/alice/.lttng"),
        Whose::User(uid) => (uid, "/home/bob/.lttng"),
    };
    Daemon {
        whose,
        rundir: rundir.into(),
        clients: Reach::Answered,
        status: Reach::Answered,
        report: Some(report(uid)),
        offers: Ok(Vec::new()),
        process: Some(DaemonProcess { pid: DAEMON, namespaces: HOST, depth: 1, wait_file: Some(WAIT) }),
        apps_socket: Some(SOCKET),
    }
}

fn report(uid: u32) -> Report {
    let consumer = Consumer {
        kind: "user_space_64".into(),
        state: "ready".into(),
        path: "/usr/lib/c".into(),
        ..Consumer::default()
    };
    Report {
        daemon: crate::report::Daemon {
            pid: DAEMON,
            uid,
            now: 10_000,
            descriptors: 30,
            descriptors_limit: 1024,
            ..crate::report::Daemon::default()
        },
        consumers: vec![consumer],
        kernel: Kernel { state: "ready".into(), ..Kernel::default() },
        ..Report::default()
    }
}

/// An instrumented program of alice's, with all as it should be.
fn process() -> Process {
    Process {
        pid: PID,
        name: "server".into(),
        exe: Seen::Known("/opt/server".into()),
        state: 'S',
        uids: Ids::of(ALICE),
        gids: Ids::of(ALICE),
        secure: Seen::Known(false),
        started: Some(5000),
        pids: vec![PID],
        environment: Seen::Known(Environment { home: Some("/home/alice".into()), ..Environment::default() }),
        namespaces: HOST,
        root: Seen::Known("/".into()),
        maps: Seen::Known(Maps {
            ust: vec![1],
            tracepoint: true,
            providers: vec!["/opt/server".into()],
            tracepoints: vec!["app:tick".into(), "app:tock".into()],
            global_wait: Some(WAIT),
            local_wait: Some(WAIT),
            ..Maps::default()
        }),
        program: Seen::Known(Program { bits: 64, ..Program::default() }),
        listeners: 2,
        descriptors: Seen::Known(20),
        descriptors_limit: Some(1024),
        system_socket: Seen::Known(Some(SOCKET)),
        own_socket: Seen::Known(Some(SOCKET)),
        passwd_home: Some("/home/alice".into()),
        ..Process::default()
    }
}

fn app() -> Application {
    Application {
        pid: PID,
        uid: ALICE,
        gid: ALICE,
        bits: 64,
        progress: Progress::Converged,
        ..Application::default()
    }
}

fn rule(name: &str) -> Rule {
    Rule { name: name.into(), kind: "tracepoint".into(), enabled: true, ..Rule::default() }
}

fn channel(rules: Vec<Rule>) -> Channel {
    Channel {
        name: "c".into(),
        domain: "user_space".into(),
        enabled: true,
        subbuf_size: 4096,
        num_subbuf: 4,
        rules,
        ..Channel::default()
    }
}

/// An active session, older than the program.
fn session(rules: Vec<Rule>) -> Session {
    Session {
        name: "s".into(),
        created: 4000,
        life: Life::Active,
        kind: SessionKind::Regular,
        channels: vec![channel(rules)],
        ..Session::default()
    }
}

/// A scene in which the program has registered with root's daemon, and this session is there.
fn with(sessions: Vec<Session>) -> Scene {
    let mut scene = scene();
    let daemon = &mut scene.daemons[0];
    let report = daemon.report.as_mut().unwrap();
    report.applications = vec![app()];
    report.sessions = sessions;
    let offer = |name: &str, level| Offer { pid: PID, name: name.into(), level };
    daemon.offers =
        Ok(vec![offer("app:tick", 13), offer("app:tock", 6), offer("lttng_ust_tracef:event", 14)]);
    scene
}

fn report_of(scene: &mut Scene) -> &mut Report {
    scene.daemons[0].report.as_mut().unwrap()
}

/// The first of what is found in one text.
fn told(findings: &[Finding]) -> String {
    for finding in findings {
        assert!(finding.what.ends_with(['.', ':']), "{finding:?}");
        assert!(!finding.todo.is_empty(), "nothing to be done: {finding:?}");
    }
    findings.first().map_or_else(String::new, |first| {
        format!("{} {} {} {}", first.what, first.seen, first.todo, first.commands.join(" ; "))
    })
}

/// Demands that this is the first finding, and that these words are in it.
#[track_caller]
fn first(scene: &Scene, process: &Process, about: About, words: &[&str]) -> Verdict {
    let verdict = of_process(scene, process);
    let text = told(&verdict.findings);
    assert_eq!(verdict.findings.first().map(|finding| finding.about), Some(about), "{:#?}", verdict.findings);
    for word in words {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
    assert!(verdict.is_wrong() || verdict.findings[0].weight == Weight::Note);
    verdict
}

#[track_caller]
fn first_of(findings: &[Finding], about: About, words: &[&str]) {
    let text = told(findings);
    assert_eq!(findings.first().map(|finding| finding.about), Some(about), "{findings:#?}");
    for word in words {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
}

/// Demands that there is such a finding.
#[track_caller]
fn among(verdict: &Verdict, about: About, weight: Weight) {
    told(&verdict.findings);
    let found = verdict.findings.iter().find(|finding| finding.about == about);
    assert_eq!(found.map(|finding| finding.weight), Some(weight), "{:#?}", verdict.findings);
}

#[test]
fn a_program_that_is_traced() {
    let verdict = of_process(&with(vec![session(vec![rule("app:*")])]), &process());
    assert_eq!(verdict.recorded_by, ["s"]);
    assert_eq!(verdict.findings, []);
    assert!(!verdict.is_wrong());
}

#[test]
fn what_other_sessions_do_not_record_is_a_note() {
    let other = Session { name: "other".into(), ..session(vec![rule("database:*")]) };
    let verdict = of_process(&with(vec![session(vec![rule("app:tick")]), other]), &process());
    assert_eq!(verdict.recorded_by, ["s"]);
    among(&verdict, About::NoMatch, Weight::Note);
    assert!(!verdict.is_wrong());
}

mod daemons {
    use super::*;

    #[test]
    fn none() {
        let mut scene = scene();
        scene.daemons[0] = Daemon {
            clients: Reach::Absent,
            status: Reach::Absent,
            report: None,
            process: None,
            ..daemon(Whose::Root)
        };
        scene.running.clear();
        first_of(
            &of_scene(&scene),
            About::NoDaemon,
            &["Nobody listens in /run/lttng", "lttng-sessiond --daemonize"],
        );
        let verdict = of_process(&scene, &process());
        assert_eq!(verdict.findings, []);
        assert!(verdict.is_wrong());
        scene.daemons[0].clients = Reach::Abandoned;
        first_of(&of_scene(&scene), About::NoDaemon, &["was left by one that ended"]);
        scene.running = vec![Running { pid: 9, uid: BOB }];
        first_of(&of_scene(&scene), About::NoDaemon, &["that you can talk to", "process 9 of bob"]);
    }

    #[test]
    fn one_that_does_not_answer() {
        let mut scene = scene();
        scene.daemons[0] =
            Daemon { clients: Reach::Silent, status: Reach::Absent, report: None, ..daemon(Whose::Root) };
        first_of(&of_scene(&scene), About::DaemonSilent, &["does not answer", "ps -o", "-p 77"]);
    }

    #[test]
    fn one_that_has_no_status() {
        let mut scene = scene();
        scene.daemons[0] = Daemon { status: Reach::Absent, report: None, ..daemon(Whose::Root) };
        first_of(&of_scene(&scene), About::StockDaemon, &["no status socket", "lttng list"]);
        // It lists the program.
        scene.daemons[0].offers = Ok(vec![Offer { pid: PID, name: "app:tick".into(), level: 13 }]);
        let verdict =
            first(&scene, &process(), About::Unexplained, &["has registered", "can't be asked for more"]);
        assert!(verdict.registered);
        scene.daemons[0].offers = Ok(Vec::new());
        first(&scene, &process(), About::Unexplained, &["can't be told"]);
    }

    #[test]
    fn one_for_members_of_a_group() {
        let mut scene = scene();
        scene.asker = Asker { uid: ALICE, groups: vec![ALICE], listed_groups: vec![ALICE], ..scene.asker };
        scene.daemons[0] = Daemon {
            clients: Reach::Denied,
            status: Reach::Denied,
            report: None,
            process: None,
            ..daemon(Whose::Root)
        };
        first_of(
            &of_scene(&scene),
            About::NotInGroup,
            &["alice is not one", "usermod --append --groups tracing alice"],
        );
        scene.asker.listed_groups.push(GROUP);
        first_of(&of_scene(&scene), About::GroupNotYet, &["this login began before", "newgrp tracing"]);
        scene.asker.groups.push(GROUP);
        first_of(&of_scene(&scene), About::NotInGroup, &["belongs to another group"]);
        scene.machine.gid = None;
        first_of(&of_scene(&scene), About::NoGroup, &["no such group", "groupadd --system tracing"]);
    }

    #[test]
    fn of_another_user() {
        let mut scene = scene();
        scene.daemons = vec![daemon(Whose::User(BOB))];
        first(&scene, &process(), About::OtherUser, &["runs as alice", "bob's", "group tracing"]);
    }

    /// Elsewhere, numbers are other processes'.
    #[test]
    fn pids_are_those_of_the_daemons_namespace() {
        let mut scene = with(vec![session(vec![rule("app:*")])]);
        let its = scene.daemons[0].process.as_mut().unwrap();
        (its.namespaces.pid, its.depth) = (Some(50), 2);
        let registered = |process: &Process| process.registered(&scene.daemons[0], &scene.asker).is_some();
        assert!(!registered(&process()));
        let inside = |namespace, pids: &[i32]| Process {
            pid: 9000,
            pids: pids.to_vec(),
            namespaces: Namespaces { pid: Some(namespace), ..HOST },
            ..process()
        };
        assert!(registered(&inside(50, &[9000, PID])));
        assert!(registered(&inside(60, &[9000, PID, 1])));
        assert!(!registered(&inside(51, &[9000, PID])));
        assert!(!registered(&inside(50, &[PID, 9000])));
    }

    #[test]
    fn one_of_two_records_it() {
        let mut scene = with(Vec::new());
        let mut own = with(vec![session(vec![rule("app:*")])]).daemons.remove(0);
        own.whose = Whose::User(ALICE);
        scene.daemons.push(own);
        let verdict = of_process(&scene, &process());
        assert_eq!((verdict.recorded_by, verdict.findings), (vec!["s".to_owned()], vec![]));
    }

    #[test]
    fn the_other_one_has_the_sessions() {
        let mut scene = with(Vec::new());
        let mut own = daemon(Whose::User(BOB));
        own.report.as_mut().unwrap().sessions = vec![session(vec![rule("app:*")])];
        scene.daemons.push(own);
        let verdict = of_process(&scene, &process());
        among(&verdict, About::OtherDaemon, Weight::Decisive);
        among(&verdict, About::OtherUser, Weight::Decisive);
        among(&verdict, About::NoSession, Weight::Decisive);
        let found = verdict.findings.iter().find(|finding| finding.about == About::OtherDaemon).unwrap();
        assert_eq!(
            found.what,
            "The program is with root's session daemon, and the sessions are with the session daemon of bob."
        );
        assert!(found.seen.contains("talks to root's session daemon, since you are root"));
    }
}

mod places {
    use super::*;

    fn own_daemon() -> Scene {
        let mut scene = scene();
        scene.daemons = vec![daemon(Whose::User(ALICE))];
        scene
    }

    #[test]
    fn secure_execution() {
        for process in [
            Process { secure: Seen::Known(true), capable: true, ..process() },
            Process {
                secure: Seen::Denied,
                uids: Ids { effective: 0, saved: 0, ..Ids::of(ALICE) },
                ..process()
            },
            Process {
                secure: Seen::Unknown,
                program: Seen::Known(Program { set_id: true, ..Program::default() }),
                ..process()
            },
        ] {
            first(
                &own_daemon(),
                &process,
                About::SecureExecution,
                &["more rights than its caller", "LTTNG_HOME"],
            );
        }
        let capable = Process { secure: Seen::Known(true), capable: true, ..process() };
        first(&own_daemon(), &capable, About::SecureExecution, &["gives it capabilities"]);
        // Root's daemon is not concerned.
        let verdict = of_process(&scene(), &capable);
        assert!(verdict.findings.iter().all(|finding| finding.about != About::SecureExecution));
    }

    #[test]
    fn another_home() {
        let environment = |home: Option<&str>, lttng_home: Option<&str>| {
            let path = |text: Option<&str>| text.map(PathBuf::from);
            let environment =
                Environment { home: path(home), lttng_home: path(lttng_home), ..Environment::default() };
            Process { environment: Seen::Known(environment), own_socket: Seen::Known(None), ..process() }
        };
        first(
            &own_daemon(),
            &environment(Some("/root"), None),
            About::OtherHome,
            &["in /root/.lttng", "HOME was other", "LTTNG_HOME=/home/alice server"],
        );
        first(
            &own_daemon(),
            &environment(Some("/home/alice"), Some("/tmp/x")),
            About::OtherHome,
            &["in /tmp/x/.lttng", "LTTNG_HOME was other"],
        );
        first(&own_daemon(), &environment(None, None), About::HomeUnset, &["without HOME", "Environment="]);
        // The file was removed, or is another's.
        let gone = Process { own_socket: Seen::Known(None), ..process() };
        first(&own_daemon(), &gone, About::OtherHome, &["does not listen where the program looks"]);
    }

    #[test]
    fn another_run_directory() {
        let mut scene = scene();
        scene.daemons[0].rundir = "/srv/lttng".into();
        first(
            &scene,
            &process(),
            About::OtherRunDirectory,
            &["/srv/lttng", "LTTNG_RUNDIR", "--apps-sock=/var/run/lttng/lttng-ust-sock-8"],
        );
        let lost = Process { system_socket: Seen::Known(None), ..process() };
        first(&super::scene(), &lost, About::OtherRunDirectory, &["it has no such socket there"]);
    }

    #[test]
    fn a_container() {
        let inside = Process {
            namespaces: Namespaces { pid: Some(91), mount: Some(92), user: Some(93) },
            pids: vec![PID, 1],
            system_socket: Seen::Known(None),
            ..process()
        };
        first(
            &scene(),
            &inside,
            About::Container,
            &["container", "docker run --volume /var/run/lttng", "/dev/shm"],
        );
        let rooted = Process {
            root: Seen::Known("/srv/jail".into()),
            system_socket: Seen::Known(Some(OTHER)),
            ..process()
        };
        first(&scene(), &rooted, About::Container, &["another socket there"]);
        let home = Process { own_socket: Seen::Known(None), ..inside };
        first(&own_daemon(), &home, About::Container, &["/home/alice/.lttng"]);
    }

    #[test]
    fn a_daemon_that_can_not_see_it() {
        let mut scene = own_daemon();
        let its = scene.daemons[0].process.as_mut().unwrap();
        its.namespaces.pid = Some(50);
        its.depth = 2;
        first(&scene, &process(), About::PidNamespace, &["can't be seen", "--pid=host"]);
        // The other way round, it can.
        let inside =
            Process { namespaces: Namespaces { pid: Some(91), ..HOST }, pids: vec![PID, 1], ..process() };
        let verdict = of_process(&own_daemon(), &inside);
        assert!(verdict.findings.iter().all(|finding| finding.about != About::PidNamespace), "{verdict:#?}");
    }

    #[test]
    fn another_network_namespace_is_worth_no_word() {
        // It is not even looked at: sockets that have a path do not care.
        assert_eq!(of_process(&with(vec![session(vec![rule("app:*")])]), &process()).findings, []);
    }

    #[test]
    fn the_wait_file() {
        let maps = |global_wait| {
            let maps = Maps { global_wait, ..process().maps.known().unwrap().clone() };
            Process { maps: Seen::Known(maps), ..process() }
        };
        first(&scene(), &maps(None), About::WaitFile, &["could not open /dev/shm/lttng-ust-wait-8", "ls -l"]);
        first(&scene(), &maps(Some(OTHER)), About::WaitFile, &["in another file", "/dev/shm"]);
    }
}

mod programs {
    use super::*;

    fn without_ust() -> Maps {
        Maps::default()
    }

    #[test]
    fn a_kernel_thread() {
        let thread = Process { kernel_thread: true, name: "kworker/0:1".into(), ..Process::default() };
        first(&scene(), &thread, About::KernelThread, &["thread of the kernel", "--explain kernel"]);
    }

    #[test]
    fn an_ended_process() {
        first(&scene(), &Process { state: 'Z', ..process() }, About::Ended, &["has ended"]);
    }

    #[test]
    fn a_static_program() {
        let program = Seen::Known(Program { is_static: true, bits: 64, ..Program::default() });
        let process = Process { maps: Seen::Known(without_ust()), program, ..process() };
        first(&scene(), &process, About::Static, &["statically linked"]);
        first(&scene(), &Process { maps: Seen::Denied, ..process }, About::Static, &["statically linked"]);
    }

    #[test]
    fn a_program_without_tracepoints() {
        let process = Process { maps: Seen::Known(without_ust()), ..process() };
        first(
            &scene(),
            &process,
            About::NotInstrumented,
            &["not instrumented", "liblttng-ust-libc-wrapper.so"],
        );
        let java = Process { name: "java".into(), ..process };
        first(&scene(), &java, About::NotInstrumented, &["agent", "--jul"]);
    }

    #[test]
    fn a_provider_that_is_not_loaded() {
        let maps = Maps { tracepoints: vec!["app:tick".into()], ..without_ust() };
        let process = Process { maps: Seen::Known(maps), ..process() };
        first(
            &scene(),
            &process,
            About::LibraryMissing,
            &["app:tick", "TRACEPOINT_PROBE_DYNAMIC_LINKAGE", "LD_PRELOAD=./libapp-tp.so server"],
        );
        let environment = Environment { preload: Some("./libapp-tp.so".into()), ..Environment::default() };
        let process =
            Process { maps: Seen::Known(without_ust()), environment: Seen::Known(environment), ..process };
        first(&scene(), &process, About::LibraryMissing, &["LD_PRELOAD is ./libapp-tp.so", "standard error"]);
        let process = Process { secure: Seen::Known(true), ..process };
        first(&scene(), &process, About::LibraryMissing, &["more rights than its caller"]);
    }

    #[test]
    fn lttng_ust_without_a_provider() {
        let maps = Maps { providers: Vec::new(), ..process().maps.known().unwrap().clone() };
        let process = Process { maps: Seen::Known(maps), ..process() };
        first(&scene(), &process, About::NoProvider, &["2 tracepoints, app:tick and app:tock"]);
        let maps = Maps { tracepoints: Vec::new(), ..process.maps.known().unwrap().clone() };
        let process = Process { maps: Seen::Known(maps), ..process };
        first(&scene(), &process, About::NoProvider, &["tracef()"]);
        // It has registered all the same, and has what all have.
        let mut scene = with(vec![session(vec![rule("app:*")])]);
        scene.daemons[0].offers =
            Ok(vec![Offer { pid: PID, name: "lttng_ust_statedump:start".into(), level: 13 }]);
        first(&scene, &process, About::NoProvider, &["no events of its own"]);
    }

    #[test]
    fn versions_of_the_library() {
        let maps = |ust: &[u32]| {
            let maps = Maps { ust: ust.to_vec(), ..process().maps.known().unwrap().clone() };
            Process { maps: Seen::Known(maps), ..process() }
        };
        first(&scene(), &maps(&[2]), About::OtherLibrary, &["liblttng-ust.so.2"]);
        first(&scene(), &maps(&[0, 1]), About::TwoLibraries, &["liblttng-ust.so.0 and liblttng-ust.so.1"]);
        // Either is served.
        for one in [0, 1] {
            let verdict = of_process(&with(vec![session(vec![rule("app:*")])]), &maps(&[one]));
            assert_eq!(verdict.findings, []);
        }
    }

    #[test]
    fn a_child_of_a_fork() {
        let child = Process {
            listeners: 0,
            ancestors: vec![
                Ancestor { pid: 4000, name: "server".into(), same_program: true },
                Ancestor { pid: 1, name: "init".into(), same_program: false },
            ],
            ..process()
        };
        first(
            &scene(),
            &child,
            About::Forked,
            &["from process 4000 (server)", "LD_PRELOAD=liblttng-ust-fork.so"],
        );
        let orphan = Process { ancestors: Vec::new(), ..child };
        first(&scene(), &orphan, About::Forked, &["fork(2) or daemon(3)"]);
        let maps = Maps { fork: true, ..orphan.maps.known().unwrap().clone() };
        let cloned = Process { maps: Seen::Known(maps), ..orphan };
        first(&scene(), &cloned, About::Forked, &["clone(2)"]);
    }
}

mod registrations {
    use super::*;

    #[test]
    fn a_stopped_process() {
        first(
            &scene(),
            &Process { state: 'T', ..process() },
            About::Stopped,
            &["by a signal", "kill -CONT 4711"],
        );
        let traced = Process { state: 't', debugger: Some(8), ..process() };
        first(&scene(), &traced, About::Stopped, &["by a debugger", "process 8"]);
        first(&with(vec![session(vec![rule("app:*")])]), &traced, About::Stopped, &["by a debugger"]);
    }

    #[test]
    fn refused() {
        let mut scene = scene();
        let refused = |why: &str, pid| Refused { at: 9_990, pid, uid: ALICE, why: why.into() };
        report_of(&mut scene).refused = vec![refused("too many of this user", PID), refused("other", 1)];
        first(
            &scene,
            &process(),
            About::Refused,
            &["has refused the process: too many of this user.", "10 seconds ago"],
        );
    }

    #[test]
    fn what_the_daemon_has_said() {
        let mut scene = scene();
        let message =
            |text: &str, at| Message { at, level: "warning".into(), text: text.into(), ..Message::default() };
        report_of(&mut scene).messages = vec![
            message("Refused process 4711: out of connections", 9_900),
            message("Refused process 47110: other", 9_901),
            message("4711 is no process", 9_902),
        ];
        first(
            &scene,
            &process(),
            About::Refused,
            &["has said of this process: Refused process 4711: out of connections."],
        );
        // Another process had the number then.
        let young = Process { started: Some(9_950), ..process() };
        first(&scene, &young, About::Unexplained, &[]);
    }

    #[test]
    fn limits_of_a_user() {
        for (resource, word) in [
            ("applications", "registered programs"),
            ("connections", "connections"),
            ("descriptors", "descriptors"),
            ("memory", "LTTNG_SESSIOND_USER_MEMORY"),
            ("agents", "agents"),
        ] {
            let mut scene = scene();
            let held = |amount| Held { resource: resource.into(), amount, limit: 10 };
            report_of(&mut scene).users =
                vec![User { uid: BOB, holds: vec![held(10)] }, User { uid: ALICE, holds: vec![held(10)] }];
            first(&scene, &process(), About::Limit, &["alice has reached a limit", "10 of 10", word]);
            report_of(&mut scene).users = vec![User { uid: ALICE, holds: vec![held(9)] }];
            first(&scene, &process(), About::Unexplained, &["LTTNG_UST_DEBUG=1 server"]);
        }
    }

    #[test]
    fn what_has_run_out() {
        let mut full = scene();
        report_of(&mut full).daemon.descriptors = 1022;
        first(&full, &process(), About::DaemonDescriptors, &["1022 open of 1024", "prlimit --pid 77"]);
        let greedy = Process { descriptors: Seen::Known(1024), ..process() };
        first(&scene(), &greedy, About::Descriptors, &["1024 are open of 1024", "prlimit --pid 4711"]);
        let mut scene = scene();
        scene.machine.shm = Some(Space { total: 64 << 20, free: 4096 });
        first(&scene, &process(), About::SharedMemory, &["4 KiB are free of 64 MiB", "remount"]);
        let mut scene = with(vec![session(vec![rule("x:*")])]);
        scene.machine.shm = Some(Space { total: 64 << 20, free: 0 });
        among(&of_process(&scene, &process()), About::SharedMemory, Weight::Likely);
    }

    #[test]
    fn a_security_module() {
        let labelled = |label: &str| Process { label: Some(label.into()), ..process() };
        first(
            &scene(),
            &labelled("/opt/server (enforce)\n"),
            About::SecurityModule,
            &["AppArmor", "aa-complain /opt/server"],
        );
        first(
            &scene(),
            &labelled("system_u:system_r:httpd_t:s0\0"),
            About::SecurityModule,
            &["SELinux", "ausearch"],
        );
        for label in ["unconfined\n", "/opt/server (complain)", "unconfined_u:unconfined_r:unconfined_t:s0"] {
            first(&scene(), &labelled(label), About::Unexplained, &[]);
        }
    }

    #[test]
    fn what_may_not_be_seen() {
        let hidden = Process {
            maps: Seen::Denied,
            environment: Seen::Denied,
            system_socket: Seen::Denied,
            ..process()
        };
        let verdict = first(&scene(), &hidden, About::Unexplained, &["has not registered"]);
        among(&verdict, About::Unseen, Weight::Note);
        let one = Process { environment: Seen::Denied, ..process() };
        let verdict = of_process(&scene(), &one);
        let found = verdict.findings.iter().find(|finding| finding.about == About::Unseen).unwrap();
        assert_eq!(
            found.what,
            "You may not see everything of this process: its environment is hidden from you."
        );
        // Where all is well it does not matter.
        assert_eq!(of_process(&with(vec![session(vec![rule("app:*")])]), &hidden).findings, []);
    }
}

mod conduct {
    use super::*;

    fn scene_with(app: Application) -> Scene {
        let mut scene = with(vec![session(vec![rule("app:*")])]);
        report_of(&mut scene).applications = vec![app];
        scene
    }

    #[test]
    fn it_does_not_answer() {
        let lagging = Application {
            progress: Progress::Lagging,
            waiting_ms: Some(9000),
            owes: 3,
            owes_first: Some("channel c".into()),
            ..app()
        };
        let verdict = first(
            &scene_with(lagging),
            &process(),
            About::Lagging,
            &["suspended 9 s ago", "owes 3 answers", "channel c"],
        );
        assert_eq!(verdict.findings[0].weight, Weight::Partial);
        let behind = Application { progress: Progress::Behind, waiting_ms: Some(4000), ..app() };
        first(&scene_with(behind.clone()), &process(), About::Behind, &["for 4 s"]);
        let short = Application { waiting_ms: Some(10), ..behind };
        assert_eq!(of_process(&scene_with(short), &process()).findings, []);
    }

    #[test]
    fn it_has_refused_something() {
        let refused = ApplicationSession {
            name: "s".into(),
            converged: false,
            refused: vec!["filter of app:tick: no such field".into()],
        };
        let app = Application { progress: Progress::Refused, sessions: vec![refused], ..app() };
        first(&scene_with(app), &process(), About::RuleRefused, &["1 thing of session s", "no such field"]);
    }

    #[test]
    fn its_consumer_daemon() {
        let narrow = Application { bits: 32, ..app() };
        first(&scene_with(narrow), &process(), About::Consumer, &["32-bit", "--consumerd32-path=PATH"]);
        let mut scene = scene_with(app());
        report_of(&mut scene).consumers[0].state = "lost".into();
        let verdict = first(&scene, &process(), About::Consumer, &["was lost", "/usr/lib/c"]);
        assert!(verdict.recorded_by.is_empty());
    }
}

mod sessions {
    use super::*;

    #[test]
    fn there_is_none() {
        first(
            &with(Vec::new()),
            &process(),
            About::NoSession,
            &["has no recording session.", "'app:*'", "lttng start"],
        );
        let mut scene = with(Vec::new());
        report_of(&mut scene).daemon.asker = ALICE;
        first(&scene, &process(), About::NoSession, &["no recording session of yours", "not shown to you"]);
    }

    #[test]
    fn it_is_not_active() {
        for (life, word) in [(Life::New, "never started"), (Life::Stopped, "is stopped")] {
            let session = Session { life, name: "my session".into(), ..session(vec![rule("app:*")]) };
            first(&with(vec![session]), &process(), About::NotStarted, &[word, "lttng start 'my session'"]);
        }
    }

    #[test]
    fn it_follows_others() {
        for (attribute, values, own) in
            [("vpid", vec![1, 2], "4711"), ("vuid", vec![BOB], "1000"), ("vgid", vec![], "1000")]
        {
            let tracker =
                |values| Tracker { domain: "user_space".into(), attribute: attribute.into(), values };
            let session =
                |values| Session { trackers: vec![tracker(values)], ..session(vec![rule("app:*")]) };
            let words = [&*format!("that of the program is {own}"), &*format!("--{attribute}={own}")];
            first(&with(vec![session(values)]), &process(), About::Tracker, &words);
            let followed = session(vec![own.parse().unwrap()]);
            assert_eq!(of_process(&with(vec![followed]), &process()).recorded_by, ["s"]);
        }
        let kernel = Tracker { domain: "kernel".into(), attribute: "pid".into(), values: vec![] };
        let session = Session { trackers: vec![kernel], ..session(vec![rule("app:*")]) };
        assert_eq!(of_process(&with(vec![session]), &process()).findings, []);
    }

    #[test]
    fn it_has_no_rule() {
        let empty = session(Vec::new());
        first(
            &with(vec![empty]),
            &process(),
            About::NoRule,
            &["no rule in it", "lttng enable-event --userspace --session s 'app:*'"],
        );
        let bare = Session { channels: Vec::new(), ..session(Vec::new()) };
        first(&with(vec![bare]), &process(), About::NoRule, &["no channel yet"]);
        let loggers = session(vec![Rule { kind: "jul".into(), ..rule("*") }]);
        first(&with(vec![loggers]), &process(), About::NoRule, &["about others: jul"]);
        let kernel = Session {
            channels: vec![Channel {
                domain: "kernel".into(),
                ..channel(vec![Rule { kind: "syscall".into(), ..rule("*") }])
            }],
            ..session(Vec::new())
        };
        first(&with(vec![kernel]), &process(), About::NoRule, &["about others: syscall"]);
    }

    #[test]
    fn no_name_matches() {
        let found = |name: &str, words: &[&str]| {
            first(&with(vec![session(vec![rule(name)])]), &process(), About::NoMatch, words);
        };
        found("database:*", &["about database:*", "offers app:tick and app:tock", "--channel c 'app:*'"]);
        found("tick", &["Maybe app:tick was meant", "provider is missing", "app:tick"]);
        found("ap:*", &["Maybe app:* was meant", "slip of the pen"]);
        found("App:tick", &["capital"]);
        // What is called only where it is named.
        let all = session(vec![rule("*")]);
        assert_eq!(of_process(&with(vec![all]), &process()).recorded_by, ["s"]);
        let called = session(vec![rule("lttng_ust_tracef:*")]);
        assert_eq!(of_process(&with(vec![called]), &process()).recorded_by, ["s"]);
    }

    #[test]
    fn one_of_two_rules_is_a_slip() {
        let scene = with(vec![session(vec![rule("app:tick"), rule("app:tokk")])]);
        first(
            &scene,
            &process(),
            About::NoMatch,
            &["app:tokk", "matches no event of any program", "Maybe app:tock"],
        );
        // It was seen, and made good.
        let mended = with(vec![session(vec![rule("app:*"), rule("app:tokk")])]);
        assert_eq!(of_process(&mended, &process()).findings, []);
    }

    #[test]
    fn log_levels() {
        let severe = Rule { level_at_least: Some(4), ..rule("app:*") };
        first(
            &with(vec![session(vec![severe])]),
            &process(),
            About::LogLevel,
            &["WARNING and what is more severe", "app:tick has DEBUG_LINE", "--loglevel=DEBUG_LINE"],
        );
        let only = Rule { level_exactly: Some(5), ..rule("app:*") };
        first(&with(vec![session(vec![only])]), &process(), About::LogLevel, &["NOTICE only"]);
        let fitting = Rule { level_exactly: Some(6), ..rule("app:*") };
        assert_eq!(of_process(&with(vec![session(vec![fitting])]), &process()).recorded_by, ["s"]);
    }

    #[test]
    fn exclusions() {
        let without = Rule { exclusions: vec!["app:t*".into()], ..rule("app:*") };
        first(
            &with(vec![session(vec![without])]),
            &process(),
            About::Exclusion,
            &["It excludes app:t*", "app:tick"],
        );
    }

    #[test]
    fn what_is_disabled() {
        let off = Rule { enabled: false, ..rule("app:*") };
        first(
            &with(vec![session(vec![off])]),
            &process(),
            About::RuleDisabled,
            &["app:* of session s is disabled", "enable-event"],
        );
        let session = Session {
            channels: vec![Channel { enabled: false, ..channel(vec![rule("app:*")]) }],
            ..session(vec![])
        };
        first(
            &with(vec![session]),
            &process(),
            About::ChannelDisabled,
            &["Channel c of session s", "enable-channel"],
        );
    }

    #[test]
    fn what_it_offers_is_not_known() {
        let mut scene = with(vec![session(vec![rule("app:*")])]);
        scene.daemons[0].offers = Err("The daemon did not list them in time.".into());
        // Its files tell.
        assert_eq!(of_process(&scene, &process()).recorded_by, ["s"]);
        let hidden = Process { maps: Seen::Denied, ..process() };
        first(&scene, &hidden, About::Unseen, &["could not be found out", "in time"]);
    }

    #[test]
    fn what_may_be_missing() {
        let filtered = session(vec![Rule { filter: Some("n > 3".into()), ..rule("app:*") }]);
        first(&with(vec![filtered]), &process(), About::Filter, &["n > 3"]);
        let late = Session { created: 9000, ..session(vec![rule("app:*")]) };
        first(&with(vec![late]), &process(), About::Early, &["older than session s", "66 minutes"]);
        let snapshot = Session { kind: SessionKind::Snapshot, ..session(vec![rule("app:*")]) };
        first(&with(vec![snapshot]), &process(), About::Snapshot, &["lttng snapshot record --session s"]);
        let losing = Channel { lost: 5, suggested_subbuf_size: Some(65536), ..channel(vec![rule("app:*")]) };
        let session = Session { channels: vec![losing], ..session(vec![]) };
        let verdict = first(
            &with(vec![session.clone()]),
            &process(),
            About::Lost,
            &["5 events were discarded", "--subbuf-size=65536"],
        );
        assert!(verdict.is_wrong());
        // That is found out when it stops.
        let stopped = Session { life: Life::Stopped, ..session.clone() };
        let verdict = first(&with(vec![stopped]), &process(), About::NotStarted, &["is stopped"]);
        among(&verdict, About::Lost, Weight::Partial);
        let overwriting =
            Session { channels: vec![Channel { overwrite: true, ..session.channels[0].clone() }], ..session };
        assert!(!first(&with(vec![overwriting]), &process(), About::Lost, &["overwritten"]).is_wrong());
    }

    #[test]
    fn it_did_not_wait() {
        let lttng = vec![("LTTNG_UST_REGISTER_TIMEOUT".to_owned(), "0".to_owned())];
        let environment = Environment { lttng, ..process().environment.known().unwrap().clone() };
        let process = Process { environment: Seen::Known(environment), ..process() };
        let scene = with(vec![session(vec![rule("app:*")])]);
        let verdict = first(&scene, &process, About::RegisterTimeout, &["does not wait"]);
        assert_eq!(verdict.findings[0].weight, Weight::Partial);
        // Before the session there was nothing to be waited for.
        let older = Process { started: Some(100), ..process };
        first(&scene, &older, About::Early, &[]);
    }
}

mod kernel {
    use super::*;

    #[track_caller]
    fn first(scene: &Scene, about: About, words: &[&str]) {
        let verdict = of_kernel(scene);
        first_of(&verdict.findings, about, words);
        assert!(verdict.is_wrong());
    }

    fn in_state(state: &str) -> Scene {
        let mut scene = scene();
        report_of(&mut scene).kernel.state = state.into();
        scene
    }

    #[test]
    fn daemons() {
        first(&in_state("off"), About::KernelOff, &["--no-kernel"]);
        first(&in_state("not_root"), About::KernelOfUser, &["only root's"]);
        let mut unfit = in_state("unfit");
        report_of(&mut unfit).kernel.version = Some("3.0.0".into());
        first(&unfit, About::KernelUnfit, &["3.0.0"]);
        first(&in_state("looking"), About::KernelOff, &["Ask again"]);
        let mut users = scene();
        users.daemons[0] =
            Daemon { clients: Reach::Absent, status: Reach::Absent, report: None, ..daemon(Whose::Root) };
        users.daemons.push(daemon(Whose::User(ALICE)));
        first(&users, About::KernelOfUser, &["a user's"]);
    }

    #[test]
    fn modules() {
        let with = |kernel: KernelSide| {
            let mut scene = in_state("absent");
            scene.machine.kernel = KernelSide { release: "6.1.0-1".into(), ..kernel };
            scene
        };
        let modular = KernelSide { modular: true, ..KernelSide::default() };
        first(&with(KernelSide::default()), About::KernelModules, &["can't load modules"]);
        first(&with(modular.clone()), About::KernelModules, &["for no kernel at all", "lttng-modules-dkms"]);
        let updated = KernelSide { modules_for: vec!["6.0.0-9".into()], ..modular.clone() };
        first(
            &with(updated),
            About::KernelModules,
            &["They are there for 6.0.0-9", "dkms autoinstall -k 6.1.0-1"],
        );
        let there = KernelSide { modules: true, ..modular };
        first(&with(there.clone()), About::KernelModules, &["could not load", "modprobe lttng_tracer"]);
        let locked = KernelSide { lockdown: Some("integrity".into()), ..there.clone() };
        first(&with(locked), About::KernelSigned, &["locked down (integrity)", "mokutil"]);
        let signed = KernelSide { signed_only: true, lockdown: Some("none".into()), ..there };
        first(&with(signed), About::KernelSigned, &["sig_enforce"]);
    }

    #[test]
    fn sessions() {
        first(&scene(), About::NoSession, &["enable-event --kernel --syscall --all"]);
        let kernel = |rules, life| Session {
            life,
            channels: vec![Channel { domain: "kernel".into(), ..channel(rules) }],
            ..session(vec![])
        };
        let with = |session| {
            let mut scene = scene();
            report_of(&mut scene).sessions = vec![session];
            scene
        };
        first(
            &with(kernel(vec![], Life::Active)),
            About::KernelRule,
            &["no enabled event rule about the kernel"],
        );
        first(&with(kernel(vec![rule("*")], Life::Stopped)), About::NotStarted, &["is not active"]);
        let verdict = of_kernel(&with(kernel(vec![rule("*")], Life::Active)));
        assert_eq!(verdict.recorded_by, ["s"]);
        assert!(!verdict.is_wrong());
    }
}

/// Each kind has a line in the manual page, and a test here.
#[test]
fn every_kind_is_in_the_manual_page_and_tested() {
    let page = include_str!("../../../man/lttng-sessiond.8");
    let tests = include_str!("tests.rs");
    for (about, words) in About::ALL {
        assert!(page.contains(&format!(".It {words}\n")), "{about:?}: {words}");
        assert!(tests.contains(&format!("About::{about:?},")), "{about:?} has no test");
    }
    let kinds: HashSet<About> = About::ALL.iter().map(|(about, _)| *about).collect();
    assert_eq!(kinds.len(), About::ALL.len());
}
