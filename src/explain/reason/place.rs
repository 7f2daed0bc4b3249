// SPDX-License-Identifier: GPL-2.0-only
//! Whether a process and a daemon can find each other: users, directories, namespaces.

use std::path::{Path, PathBuf};

use super::super::evidence::{Daemon, Environment, FileId, Process, Scene, Seen, Whose};
use super::super::finding::{About, Finding, Weight};
use super::asker::capital;
use super::registration;

/// Why a process can't find a daemon that is running. Nothing: it should.
pub fn apart(scene: &Scene, daemon: &Daemon, process: &Process) -> Vec<Finding> {
    let mut found = match daemon.whose {
        Whose::Root => of_root(scene, daemon, process),
        Whose::User(uid) => of_user(scene, daemon, uid, process),
    };
    if found.is_empty() {
        found.extend(invisible(scene, daemon, process));
    }
    if found.is_empty() {
        found.extend(wait_file(scene, daemon, process));
    }
    found
}

/// It has registered, but with none that has a session; there is a daemon that has.
pub fn other_daemons(scene: &Scene, process: &Process) -> Vec<Finding> {
    let has_rules = |daemon: &&Daemon| {
        daemon.report.as_ref().is_some_and(|report| {
            report
                .sessions
                .iter()
                .any(|session| session.channels.iter().any(|channel| channel.domain == "user_space"))
        })
    };
    let (with, without): (Vec<&Daemon>, Vec<&Daemon>) = scene
        .daemons
        .iter()
        .filter(|daemon| daemon.is_running())
        .partition(|daemon| registration::is_with(scene, daemon, process));
    if with.iter().any(has_rules) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for daemon in without.into_iter().filter(has_rules) {
        let names: Vec<String> = with.iter().map(|daemon| daemon.title(&scene.machine)).collect();
        let (its, title) = (names.join(" and "), daemon.title(&scene.machine));
        let what = format!("The program is with {its}, and the sessions are with {title}.");
        let finding = Finding::new(About::OtherDaemon, Weight::Decisive, what).seen(which_is_used(scene));
        found.push(match daemon.whose {
            Whose::Root => finding.todo(
                "Make the session with the daemon that the program is with, or see below why it is not with the other.",
            ),
            Whose::User(_) => finding.todo(
                "Make the session with the daemon that the program is with; a daemon of a user's own traces that user's programs only.",
            ),
        });
        found.extend(apart(scene, daemon, process));
    }
    found
}

/// Which daemon the `lttng` command of whoever asks talks to.
fn which_is_used(scene: &Scene) -> String {
    let member = scene.machine.gid.is_some_and(|gid| scene.asker.groups.contains(&gid));
    match (scene.asker.uid, member) {
        (0, _) => "Your lttng command talks to root's session daemon, since you are root.".to_owned(),
        (_, true) => format!(
            "Your lttng command talks to root's session daemon if there is one, since you are a member of the group {}.",
            scene.machine.group
        ),
        (_, false) => "Your lttng command talks to a session daemon of your own.".to_owned(),
    }
}

/// `/run` and `/var/run` are the same on today's systems.
fn plain(path: &Path) -> PathBuf {
    path.strip_prefix("/var").map_or_else(|_| path.to_path_buf(), |rest| Path::new("/").join(rest))
}

/// The file at the place where the process looks is not the daemon's.
fn elsewhere(socket: &Seen<Option<FileId>>, daemon: &Daemon) -> Option<&'static str> {
    match (socket.known()?, daemon.apps_socket) {
        (None, _) => Some("it has no such socket there"),
        (Some(its), Some(own)) if *its != own => Some("it finds another socket there"),
        _ => None,
    }
}

/// Whether the process sees other files than whoever asks.
fn secluded(daemon: &Daemon, process: &Process) -> bool {
    let rooted = process.root.known().is_some_and(|root| root != Path::new("/"));
    let mount = daemon.process.as_ref().and_then(|its| its.namespaces.mount).zip(process.namespaces.mount);
    rooted || mount.is_some_and(|(its, own)| its != own)
}

fn of_root(scene: &Scene, daemon: &Daemon, process: &Process) -> Vec<Finding> {
    let system = &scene.machine.system_rundir;
    if plain(&daemon.rundir) != plain(system) {
        let what = format!(
            "Root's session daemon has its sockets in {}; programs look for it in {} only.",
            daemon.rundir.display(),
            system.display()
        );
        return vec![
            Finding::new(About::OtherRunDirectory, Weight::Decisive, what)
                .seen("LTTNG_RUNDIR moves the daemon; LTTng-UST 2.13 does not know that variable.")
                .todo("Start the daemon without LTTNG_RUNDIR, or with --apps-sock at the place where programs look.")
                .run(format!("lttng-sessiond --daemonize --apps-sock={}/lttng-ust-sock-8", system.display())),
        ];
    }
    let Some(how) = elsewhere(&process.system_socket, daemon) else { return Vec::new() };
    if !secluded(daemon, process) {
        let what = format!(
            "Root's session daemon does not listen where programs look, {}/lttng-ust-sock-8.",
            system.display()
        );
        return vec![
            Finding::new(About::OtherRunDirectory, Weight::Decisive, what)
                .seen(format!("The process looks there, and {how}. Maybe the daemon was started with --apps-sock, or somebody removed the file."))
                .todo("Restart the daemon without --apps-sock."),
        ];
    }
    vec![container(system, how, "root's session daemon")]
}

/// The process sees other files.
fn container(place: &Path, how: &str, title: &str) -> Finding {
    let place = place.display();
    let what = format!(
        "The program runs in a container or below another root directory, where {title} can't be reached."
    );
    Finding::new(About::Container, Weight::Decisive, what)
        .seen(format!("It looks for {place}/lttng-ust-sock-8 among its own files, and {how}."))
        .todo(
            "Let it see that directory and /dev/shm of the host (and keep the daemon in a PID namespace from which it sees the \
             process, as the host's is); or run a session daemon inside. For example:",
        )
        .run(format!("docker run --volume {place}:{place} --volume /dev/shm:/dev/shm ..."))
}

fn of_user(scene: &Scene, daemon: &Daemon, uid: u32, process: &Process) -> Vec<Finding> {
    let owner = scene.machine.user(uid);
    if process.uids.real != uid {
        let user = scene.machine.user(process.uids.real);
        let what = format!(
            "The program runs as {user}, and the session daemon is {owner}'s, which traces only programs of {owner}."
        );
        return vec![
            Finding::new(About::OtherUser, Weight::Decisive, what)
                .seen("A program looks for root's session daemon and for one of its own user, and for no other.")
                .todo(format!(
                    "Use root's session daemon, which traces the programs of all users (as root, or as a member of the group {}); \
                     or start one as {user}.",
                    scene.machine.group
                ))
                .run("sudo lttng-sessiond --daemonize"),
        ];
    }
    if process.is_secure() {
        return vec![secure(process, &owner)];
    }
    let wanted = &daemon.rundir;
    if let Seen::Known(environment) = &process.environment {
        let Some(rundir) = environment.rundir() else {
            let what = "The program was started without HOME and LTTNG_HOME: it does not know where its user's session daemon is.";
            return vec![
                Finding::new(About::HomeUnset, Weight::Decisive, what)
                    .seen("That is usual for services and for programs started with an empty environment. LTTng-UST does not ask the user database.")
                    .todo("Start it with HOME set; in a systemd unit, with a line Environment=.")
                    .run(format!("LTTNG_HOME={} {}", wanted.parent().unwrap_or(wanted).display(), process.title())),
            ];
        };
        if plain(&rundir) != plain(wanted) {
            return vec![other_home(environment, &rundir, wanted, process)];
        }
    }
    match elsewhere(&process.own_socket, daemon) {
        Some(how) if secluded(daemon, process) => {
            vec![container(wanted, how, &daemon.title(&scene.machine))]
        }
        Some(how) => {
            let what = format!(
                "{} does not listen where the program looks.",
                capital(&daemon.title(&scene.machine))
            );
            vec![
                Finding::new(About::OtherHome, Weight::Decisive, what)
                    .seen(format!("It looks for {}/lttng-ust-sock-8, and {how}.", wanted.display()))
                    .todo("Restart the daemon without --apps-sock."),
            ]
        }
        None => Vec::new(),
    }
}

fn other_home(environment: &Environment, rundir: &Path, wanted: &Path, process: &Process) -> Finding {
    let variable = if environment.lttng_home.is_some() { "LTTNG_HOME" } else { "HOME" };
    let what = format!(
        "The program looks for its user's session daemon in {}, and that is in {}.",
        rundir.display(),
        wanted.display()
    );
    Finding::new(About::OtherHome, Weight::Decisive, what)
        .seen(format!("{variable} was other for the program than for the daemon when they were started (sudo, su and services change it)."))
        .todo("Start both with the same one, for example:")
        .run(format!("LTTNG_HOME={} {}", wanted.parent().unwrap_or(wanted).display(), process.title()))
}

fn secure(process: &Process, owner: &str) -> Finding {
    let ids = process.uids.real != process.uids.effective || process.gids.real != process.gids.effective;
    let why = if ids {
        "Its real and effective ids differ (it is a set-user-id or set-group-id program)."
    } else if process.capable {
        "Its file gives it capabilities."
    } else {
        "The kernel started it in the mode for programs that get more rights than their caller had."
    };
    let what = format!(
        "The program runs with more rights than its caller, and so LTTng-UST does not look for the session daemon of {owner}."
    );
    Finding::new(About::SecureExecution, Weight::Decisive, what)
        .seen(format!("{why} It does not trust HOME, LTTNG_HOME and LD_PRELOAD then, and registers with root's session daemon only."))
        .todo("Use root's session daemon; or, for a test, start the program without these rights.")
        .run("sudo lttng-sessiond --daemonize")
}

/// The daemon is in a PID namespace from which the process can't be seen.
fn invisible(scene: &Scene, daemon: &Daemon, process: &Process) -> Option<Finding> {
    let its = daemon.process.as_ref()?;
    let (own, its_namespace) = (process.namespaces.pid?, its.namespaces.pid?);
    if own == its_namespace
        || Some(its_namespace) == scene.asker.pid_namespace
        || process.pids.len() > its.depth
    {
        return None;
    }
    let what = format!(
        "{} runs in a PID namespace of its own, from which this process can't be seen.",
        capital(&daemon.title(&scene.machine))
    );
    Some(
        Finding::new(About::PidNamespace, Weight::Decisive, what)
            .seen("A daemon refuses whose process id the kernel can't tell it. Probably it runs in a container, whose home or /run the process shares.")
            .todo("Run the session daemon on the host, or in the PID namespace of the program (docker run --pid=host, or --pid=container:NAME)."),
    )
}

/// It waits for the daemon in another file, or can't open it.
fn wait_file(scene: &Scene, daemon: &Daemon, process: &Process) -> Option<Finding> {
    let maps = process.maps.known()?;
    // Only while its LTTng-UST is at work there must be something.
    if process.listeners == 0 || maps.ust.is_empty() {
        return None;
    }
    let (mapped, name) = match daemon.whose {
        Whose::Root => (maps.global_wait, "/dev/shm/lttng-ust-wait-8".to_owned()),
        Whose::User(uid) => (maps.local_wait, format!("/dev/shm/lttng-ust-wait-8-{uid}")),
    };
    let title = daemon.title(&scene.machine);
    match (mapped, daemon.process.as_ref()?.wait_file?) {
        (None, _) => {
            let what = format!("LTTng-UST could not open {name}, and without it does not look for {title}.");
            Some(
                Finding::new(About::WaitFile, Weight::Decisive, what)
                    .seen("The file is there, but the process has not mapped it. It must be readable; that of a user's daemon must belong to the program's user, also inside of a user namespace.")
                    .todo("See whose the file is. If it is not as it should be, stop the daemon, remove the file, start the daemon, then the program.")
                    .run(format!("ls -l {name}")),
            )
        }
        (Some(its), own) if its != own => {
            let what = format!(
                "The program waits for {title} in another file than the daemon's: {name} is not the same for both."
            );
            Some(
                Finding::new(About::WaitFile, Weight::Decisive, what)
                    .seen("Their /dev/shm differs, as in containers, or somebody has removed the file. A program that was there before the daemon is not told of it then.")
                    .todo("Share /dev/shm between the two; or start the program after the daemon."),
            )
        }
        _ => None,
    }
}
