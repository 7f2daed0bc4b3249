// SPDX-License-Identifier: GPL-2.0-only
//! Whether there is a daemon, and whether whoever asks gets at it.

use super::super::evidence::{Daemon, Reach, Scene, Whose};
use super::super::finding::{About, Finding, Weight, some_of};

/// What holds for all processes.
pub fn of_scene(scene: &Scene) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        scene.daemons.iter().filter_map(|daemon| of_daemon(scene, daemon)).collect();
    if !scene.daemons.iter().any(Daemon::is_running) && found.is_empty() {
        found.push(no_daemon(scene));
    }
    found.sort_by_key(|finding| finding.weight);
    found
}

fn no_daemon(scene: &Scene) -> Finding {
    let begin = "lttng-sessiond --daemonize";
    let places: Vec<String> =
        scene.daemons.iter().map(|daemon| daemon.rundir.display().to_string()).collect();
    let abandoned: Vec<&Daemon> =
        scene.daemons.iter().filter(|daemon| daemon.clients == Reach::Abandoned).collect();
    let left = match abandoned.first() {
        Some(daemon) => {
            format!(
                " The socket in {} was left by one that ended without cleaning up.",
                daemon.rundir.display()
            )
        }
        None => String::new(),
    };
    if scene.running.is_empty() {
        return Finding::new(
            About::NoDaemon,
            Weight::Decisive,
            "No session daemon is running: nothing is traced.",
        )
        .seen(format!("Nobody listens in {}.{left}", some_of(&places, 4)))
        .todo("Start one. Programs that are running already register by themselves.")
        .run(begin);
    }
    let others: Vec<String> = scene
        .running
        .iter()
        .map(|running| format!("process {} of {}", running.pid, scene.machine.user(running.uid)))
        .collect();
    Finding::new(About::NoDaemon, Weight::Decisive, "No session daemon is running that you can talk to.")
        .seen(format!("Nobody listens in {}.{left} There is a session daemon elsewhere: {}.", some_of(&places, 4), some_of(&others, 3)))
        .todo("Start one of your own, or ask again as the user of the one that is running, with the same LTTNG_HOME.")
        .run(begin)
}

fn of_daemon(scene: &Scene, daemon: &Daemon) -> Option<Finding> {
    let title = daemon.title(&scene.machine);
    if daemon.clients == Reach::Denied {
        return match daemon.whose {
            Whose::Root => Some(not_in_group(scene)),
            // Nobody but root asks for another user's.
            Whose::User(_) => None,
        };
    }
    if daemon.clients == Reach::Silent && daemon.report.is_none() {
        let what = format!("There is {title}, but it does not answer.");
        let finding = Finding::new(About::DaemonSilent, Weight::Likely, what)
            .seen(format!(
                "Nothing came from {} in time.",
                daemon.rundir.join("client-lttng-sessiond").display()
            ))
            .todo("Look whether its process is stopped or very busy; if it does not recover, restart it.");
        return Some(match &daemon.process {
            Some(process) => finding.run(format!("ps -o pid,stat,time,cmd -p {}", process.pid)),
            None => finding.run("ps -o pid,stat,time,cmd -C lttng-sessiond"),
        });
    }
    if daemon.clients == Reach::Answered && daemon.report.is_none() {
        let (seen, todo) = match &daemon.status {
            Reach::Denied => (
                "You may not connect to its status socket.".to_owned(),
                "Ask again as root, or as the daemon's user.",
            ),
            Reach::Absent => (
                format!(
                    "It answers on its client socket and has no status socket in {}: it is the daemon of lttng-tools, \
                     or an older one of this implementation.",
                    daemon.rundir.display()
                ),
                "What is said below is from looking at processes only. Sessions and rules you can list yourself.",
            ),
            other => (
                format!("Its status socket says nothing that can be understood ({}).", reach(other)),
                "What is said below is from looking at processes only. Sessions and rules you can list yourself.",
            ),
        };
        let what = format!("{} can't be asked how it is.", capital(&title));
        return Some(
            Finding::new(About::StockDaemon, Weight::Likely, what).seen(seen).todo(todo).run("lttng list"),
        );
    }
    None
}

fn reach(reach: &Reach) -> String {
    match reach {
        Reach::Absent => "it is not there".to_owned(),
        Reach::Denied => "no permission".to_owned(),
        Reach::Abandoned => "nobody listens".to_owned(),
        Reach::Silent => "no answer in time".to_owned(),
        Reach::Failed(why) => why.clone(),
        Reach::Answered => "it answers".to_owned(),
    }
}

/// Root's daemon is there, and whoever asks may not use it.
fn not_in_group(scene: &Scene) -> Finding {
    let group = &scene.machine.group;
    let user = scene.machine.user(scene.asker.uid);
    let what = "Root's session daemon is running, and you may not use it.";
    let own = "Without it, the lttng command talks to a session daemon of your own, which traces your programs only.";
    let Some(gid) = scene.machine.gid else {
        return Finding::new(About::NoGroup, Weight::Likely, what)
            .seen(format!("Its socket is for members of the group {group}, and there is no such group on this machine. {own}"))
            .todo("Make the group, become a member, restart root's session daemon, and log in again.")
            .run(format!("sudo groupadd --system {group}"))
            .run(format!("sudo usermod --append --groups {group} {user}"));
    };
    if scene.asker.groups.contains(&gid) {
        return Finding::new(About::NotInGroup, Weight::Likely, what)
            .seen(format!(
                "You are a member of the group {group}, yet the socket can't be connected to: it belongs to another group. {own}"
            ))
            .todo("See which group the socket has, and with which --group the daemon was started.")
            .run(format!("ls -l {}/", scene.machine.system_rundir.display()));
    }
    if scene.asker.listed_groups.contains(&gid) {
        return Finding::new(About::GroupNotYet, Weight::Likely, what)
            .seen(format!(
                "You were added to the group {group}, but this login began before: its processes are not in the group yet. {own}"
            ))
            .todo("Log out and in again; or, for one shell:")
            .run(format!("newgrp {group}"));
    }
    Finding::new(About::NotInGroup, Weight::Likely, what)
        .seen(format!(
            "Its socket is for root and members of the group {group}, and {user} is not one. {own}"
        ))
        .todo("Have yourself added to the group, then log out and in again.")
        .run(format!("sudo usermod --append --groups {group} {user}"))
}

/// With a capital letter at its beginning.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
