// SPDX-License-Identifier: GPL-2.0-only
//! Why a process has not registered, though a daemon is there.

use super::super::evidence::{Daemon, Process, Scene, Seen};
use super::super::finding::{About, Finding, Weight};
use super::asker::capital;
use super::{place, program};
use crate::report::Report;

/// Room of `/dev/shm` below which buffers can't be made, in bytes.
const LITTLE: u64 = 1 << 20;
/// Descriptors that a daemon needs for another application.
const FOR_AN_APPLICATION: u64 = 4;

/// Whether a daemon knows the process, by its report or by its list of tracepoints.
pub fn is_with(scene: &Scene, daemon: &Daemon, process: &Process) -> bool {
    process.registered(daemon, &scene.asker).is_some()
        || (daemon.report.is_none()
            && daemon.offers.as_ref().is_ok_and(|offers| offers.iter().any(|offer| offer.pid == process.pid)))
}

/// Whether a daemon that gives no report lists the process.
pub fn is_listed(scene: &Scene, process: &Process) -> bool {
    scene.daemons.iter().any(|daemon| daemon.report.is_none() && is_with(scene, daemon, process))
}

/// Why it has not.
pub fn missing(scene: &Scene, process: &Process) -> Vec<Finding> {
    let mut found = program::library(process);
    let without = |finding: &Finding| {
        matches!(
            finding.about,
            About::Static | About::NotInstrumented | About::LibraryMissing | About::OtherLibrary
        )
    };
    if found.iter().any(without) {
        return found;
    }
    found.extend(stopped(process));
    if let Some(finding) = forked(process) {
        found.push(finding);
        return found;
    }
    let mut reachable: Vec<&Daemon> = Vec::new();
    for daemon in scene.daemons.iter().filter(|daemon| daemon.is_running()) {
        let apart = place::apart(scene, daemon, process);
        if apart.is_empty() {
            reachable.push(daemon);
        }
        found.extend(apart);
    }
    if !reachable.is_empty() {
        // It should have found one: that others are not for it explains nothing.
        for finding in &mut found {
            if is_of_place(finding.about) {
                finding.weight = Weight::Note;
            }
        }
        found.extend(reachable.iter().flat_map(|daemon| refused(scene, daemon, process)));
        found.extend(shortage(scene, process));
    }
    let wrong = found.iter().any(|finding| finding.weight < Weight::Note);
    if !reachable.is_empty() && !wrong {
        found.extend(confined(process));
    }
    found
}

fn is_of_place(about: About) -> bool {
    matches!(
        about,
        About::OtherUser
            | About::SecureExecution
            | About::OtherHome
            | About::HomeUnset
            | About::OtherRunDirectory
            | About::Container
            | About::PidNamespace
            | About::WaitFile
    )
}

/// It does not run.
pub fn stopped(process: &Process) -> Option<Finding> {
    let finding = |what: &str| {
        Finding::new(About::Stopped, Weight::Decisive, what)
            .seen("It answers nobody while it stands still; a daemon that waited too long for its answers lets it go, and it registers again when it goes on.")
    };
    match (process.state, process.debugger) {
        ('T', _) => Some(
            finding("The process is stopped by a signal.")
                .todo("Let it go on.")
                .run(format!("kill -CONT {}", process.pid)),
        ),
        ('t', Some(debugger)) => Some(
            finding("The process is stopped by a debugger.")
                .todo(format!("Let it go on there (process {debugger}), or detach.")),
        ),
        ('t', None) => {
            Some(finding("The process is stopped by a debugger.").todo("Let it go on there, or detach."))
        }
        _ => None,
    }
}

/// A copy of its parent, without the threads of LTTng-UST.
fn forked(process: &Process) -> Option<Finding> {
    let maps = process.maps.known()?;
    if maps.ust.is_empty() || process.listeners > 0 || process.state == 'X' {
        return None;
    }
    let parent = process.ancestors.iter().find(|ancestor| ancestor.same_program);
    let what = match parent {
        Some(parent) => format!(
            "The process was made by fork(2) from process {} ({}), and LTTng-UST does not run in it.",
            parent.pid, parent.name
        ),
        None => "LTTng-UST is loaded but does not run in this process; probably it was made by fork(2) or daemon(3).".to_owned(),
    };
    let finding = Finding::new(About::Forked, Weight::Decisive, what).seen(
        "The library is mapped, and none of the process's threads is one of LTTng-UST's: a child of a fork gets no threads of its parent. It may go on writing into buffers that its parent had then, as if it were the parent, and learns of nothing that changes.",
    );
    Some(if maps.fork {
        finding.todo("liblttng-ust-fork is loaded, but was not asked: the child was made by clone(2) or vfork(2) itself. Use fork(2), or start the program anew with exec(3).")
    } else {
        finding
            .todo("Start the program with liblttng-ust-fork preloaded, which has children register on their own.")
            .run(format!("LD_PRELOAD=liblttng-ust-fork.so {}", process.title()))
    })
}

/// The daemon does not want it, or can't have it.
fn refused(scene: &Scene, daemon: &Daemon, process: &Process) -> Vec<Finding> {
    let Some(report) = &daemon.report else { return Vec::new() };
    let title = daemon.title(&scene.machine);
    let mut found = Vec::new();
    let last = report
        .refused
        .iter()
        .rev()
        .find(|refused| refused.pid == process.pid || process.pids.contains(&refused.pid));
    if let Some(refused) = last {
        let what =
            format!("{} has refused the process: {}.", capital(&title), refused.why.trim_end_matches('.'));
        found.push(
            Finding::new(About::Refused, Weight::Decisive, what)
                .seen(format!("That was {} ago.", ago(report.daemon.now.saturating_sub(refused.at))))
                .todo("When the cause is gone, the program registers again by itself within some seconds, or when it is started anew."),
        );
    }
    if found.is_empty() {
        found.extend(said_of(report, &title, process));
    }
    found.extend(limits(scene, report, process));
    let daemon = &report.daemon;
    if daemon.descriptors_limit > 0
        && daemon.descriptors.saturating_add(FOR_AN_APPLICATION) > daemon.descriptors_limit
    {
        let what = format!("{} has no descriptors left for further programs.", capital(&title));
        found.push(
            Finding::new(About::DaemonDescriptors, Weight::Decisive, what)
                .seen(format!("It has {} open of {}.", daemon.descriptors.min(daemon.descriptors_limit), daemon.descriptors_limit))
                .todo("Raise the limit (LimitNOFILE= in its systemd unit) and restart it; or end programs, or destroy sessions, that are not needed.")
                .run(format!("prlimit --pid {} --nofile", daemon.pid)),
        );
    }
    found
}

/// What the daemon has warned of last that names the process.
fn said_of(report: &Report, title: &str, process: &Process) -> Option<Finding> {
    let names = |text: &str| {
        let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<&str> = words.collect();
        words.windows(2).any(|pair| match pair {
            [kind, number] => {
                kind.eq_ignore_ascii_case("process")
                    && number.parse::<i32>().is_ok_and(|pid| pid == process.pid)
            }
            _ => false,
        })
    };
    let message = report.messages.iter().rev().find(|message| names(&message.text))?;
    // What was said before it began was said of another one.
    if process.started.is_some_and(|started| message.at < started) {
        return None;
    }
    let what =
        format!("{} has said of this process: {}.", capital(title), message.text.trim_end_matches('.'));
    Some(
        Finding::new(About::Refused, Weight::Likely, what)
            .seen(format!("That was {} ago.", ago(report.daemon.now.saturating_sub(message.at))))
            .todo("When the cause is gone, the program registers again by itself within some seconds, or when it is started anew."),
    )
}

fn limits(scene: &Scene, report: &Report, process: &Process) -> Option<Finding> {
    let user = report.users.iter().find(|user| user.uid == process.uids.real)?;
    let held = user.holds.iter().find(|held| held.limit > 0 && held.amount >= held.limit)?;
    let name = scene.machine.user(user.uid);
    let (things, todo) = match held.resource.as_str() {
        "applications" => (
            "registered programs",
            "End programs that need not be traced, or raise the daemon's limit of descriptors (LimitNOFILE=), from which this one follows.",
        ),
        "connections" => (
            "connections",
            "See which programs hold them; those that register are let in again when some are closed.",
        ),
        "descriptors" => (
            "descriptors",
            "See which programs hold them; raise the daemon's limit of descriptors (LimitNOFILE=).",
        ),
        "memory" => {
            ("bytes of memory", "Start the daemon with a greater LTTNG_SESSIOND_USER_MEMORY (in MiB).")
        }
        other => (other, "See lttng-sessiond(8) for the limits."),
    };
    let what =
        format!("{name} has reached a limit of the daemon: {} of {} {things}.", held.amount, held.limit);
    Some(
        Finding::new(About::Limit, Weight::Likely, what)
            .seen("What goes beyond is refused, so that nobody takes all.")
            .todo(todo),
    )
}

/// Something has run out that a registration needs.
fn shortage(scene: &Scene, process: &Process) -> Vec<Finding> {
    let mut found = Vec::new();
    if let (Seen::Known(open), Some(limit)) = (&process.descriptors, process.descriptors_limit)
        && open.saturating_add(FOR_AN_APPLICATION) > limit
    {
        let what = format!("The program has no descriptors left: {open} are open of {limit}.");
        found.push(
            Finding::new(About::Descriptors, Weight::Decisive, what)
                .seen("LTTng-UST needs some for its connections, and two for each buffer.")
                .todo("Raise its limit (ulimit -n, LimitNOFILE=), or see which descriptors it forgets to close.")
                .run(format!("sudo prlimit --pid {} --nofile=4096:", process.pid))
                .run(format!("ls -l /proc/{}/fd", process.pid)),
        );
    }
    found.extend(shared_memory(scene));
    found
}

/// No room for buffers.
pub fn shared_memory(scene: &Scene) -> Option<Finding> {
    let space = scene.machine.shm?;
    (space.total > 0 && space.free < LITTLE).then(|| {
        let what = format!("/dev/shm is full: {} KiB are free of {} MiB.", space.free >> 10, space.total >> 20);
        Finding::new(About::SharedMemory, Weight::Likely, what)
            .seen("Buffers of traces are there, and so is the file in which programs wait for a daemon.")
            .todo("Remove what is not needed there, make buffers smaller or fewer (lttng enable-channel --subbuf-size, --num-subbuf), or make it larger.")
            .run("sudo mount -o remount,size=2G /dev/shm")
    })
}

/// A security module looks after it.
fn confined(process: &Process) -> Option<Finding> {
    let label = process.label.as_deref()?.trim_end_matches(['\0', '\n']);
    let apparmor = label.ends_with("(enforce)");
    let selinux =
        label.split(':').nth(2).is_some_and(|kind| !kind.starts_with("unconfined") && kind != "kernel_t");
    if !apparmor && !selinux {
        return None;
    }
    let module = if apparmor { "AppArmor" } else { "SELinux" };
    let what = format!("The program is confined by {module} ({label}), which may keep it from the daemon.");
    let finding = Finding::new(About::SecurityModule, Weight::Likely, what)
        .seen("It has to connect to the socket lttng-ust-sock-8, and to read and make files /dev/shm/lttng-ust-wait-8*. No other reason was found.");
    Some(if apparmor {
        finding
            .todo("Look into the kernel's log for DENIED, and allow these in the profile; for a test, let the profile only complain.")
            .run("sudo journalctl --dmesg --grep 'apparmor=\"DENIED\".*lttng'")
            .run(format!("sudo aa-complain {}", process.exe.known().map_or("PROGRAM".into(), |exe| exe.display().to_string())))
    } else {
        finding
            .todo("Look into the audit log for what was denied, and allow it.")
            .run(format!("sudo ausearch --message avc --comm {}", process.name))
    })
}

/// Seconds in words.
pub fn ago(seconds: i64) -> String {
    let words =
        |number: i64, one: &str| if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") };
    match seconds {
        ..0 => "a moment".to_owned(),
        0..120 => words(seconds, "second"),
        120..7200 => words(seconds / 60, "minute"),
        7200..172_800 => words(seconds / 3600, "hour"),
        _ => words(seconds / 86_400, "day"),
    }
}
