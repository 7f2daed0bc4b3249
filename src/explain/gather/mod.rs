// SPDX-License-Identifier: GPL-2.0-only
//! Everything that is looked at: `/proc`, and the daemons.
//!
//! The only part that reads anything. It may block, since it is not the daemon, but waits for nobody without a limit, and
//! changes nothing. What may not be seen is told apart from what is not there.

mod daemon;
mod elf;
mod process;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{getgid, getgroups, getuid};

use super::Places;
use super::evidence::{
    Asker, Daemon, DaemonProcess, FileId, KernelSide, Machine, Process, Reach, Running, Scene, Seen, Whose,
};
use crate::boot::options::STATUS_SOCK;
use crate::sys::clock;
use crate::sys::shared_memory::Space;
use crate::users;

/// The name of a session daemon's process.
const DAEMON: &str = "lttng-sessiond";
/// Where shared memory is.
const SHM: &str = "/dev/shm";

/// All that is the same for all processes. The daemons are asked how they are.
pub fn scene(places: &Places) -> Scene {
    let passwd = users::read(Path::new(users::PASSWD)).unwrap_or_default();
    let group = users::read(Path::new(users::GROUP)).unwrap_or_default();
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let groups = getgroups().unwrap_or_default().iter().map(|group| group.as_raw()).chain([gid]).collect();
    let running = running();
    let own = std::process::id().cast_signed();
    let asker = Asker {
        uid,
        groups,
        listed_groups: users::groups_of(&passwd, &group, uid, gid),
        rundir: places.rundir.clone(),
        pid_namespace: process::namespaces(own).pid,
    };
    let machine = Machine {
        gid: users::group_id(&group, &places.group),
        group: places.group.clone(),
        system_rundir: places.system_rundir.clone(),
        shm: Space::at(Path::new(SHM)).ok(),
        kernel: kernel(),
        passwd,
    };
    let mut scene = Scene { asker, machine, daemons: Vec::new(), running };
    for (whose, rundir) in candidates(&scene) {
        add_daemon(&mut scene, whose, rundir);
    }
    scene
}

/// Processes that are session daemons.
fn running() -> Vec<Running> {
    let own = std::process::id().cast_signed();
    let daemons = pids().filter(|pid| *pid != own && process::name(*pid).as_deref() == Some(DAEMON));
    // One that asks as this does is none.
    let asks = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word.starts_with(b"--explain")))
    };
    daemons
        .filter(|pid| !asks(pid))
        .filter_map(|pid| Some(Running { pid, uid: process::user(pid)? }))
        .collect()
}

/// All processes.
pub fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Where daemons may be: at the usual places, and where those are that run.
fn candidates(scene: &Scene) -> Vec<(Whose, PathBuf)> {
    let (asker, machine) = (&scene.asker, &scene.machine);
    let whose = |uid: u32| if uid == 0 { Whose::Root } else { Whose::User(uid) };
    let mut found = vec![(Whose::Root, machine.system_rundir.clone())];
    found.extend(asker.rundir.clone().map(|rundir| (whose(asker.uid), rundir)));
    for running in &scene.running {
        let environment = process::environment(running.pid);
        let rundir = match (running.uid, environment.known()) {
            (0, Some(environment)) => environment.get("LTTNG_RUNDIR").map(PathBuf::from),
            (_, Some(environment)) if environment.rundir().is_some() => environment.rundir(),
            (0, None) => None,
            (uid, _) => users::home_of(&machine.passwd, uid).map(|home| home.join(".lttng")),
        };
        found.extend(rundir.map(|rundir| (whose(running.uid), rundir)));
    }
    found
}

/// Also looks where the users of processes have their daemons.
pub fn add_daemons_of(scene: &mut Scene, processes: &[Process]) {
    for process in processes.iter().filter(|process| process.uids.real != 0 && !process.kernel_thread) {
        let homes = [
            process.environment.known().and_then(super::evidence::Environment::rundir),
            process.passwd_home.as_ref().map(|home| home.join(".lttng")),
        ];
        for rundir in homes.into_iter().flatten() {
            // What is not there is worth no word.
            if fs::symlink_metadata(rundir.join(process::APPS_SOCKET)).is_ok() {
                add_daemon(scene, Whose::User(process.uids.real), rundir);
            }
        }
    }
}

fn add_daemon(scene: &mut Scene, whose: Whose, rundir: PathBuf) {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if scene.daemons.iter().any(|daemon| real(&daemon.rundir) == real(&rundir)) {
        return;
    }
    let (status, report, of_status) = daemon::ask_status(&rundir.join(STATUS_SOCK));
    let (clients, of_clients) = daemon::try_clients(&rundir.join("client-lttng-sessiond"));
    // What is said on the socket counts.
    let whose = match report.as_ref().map(|report| report.daemon.uid) {
        Some(0) => Whose::Root,
        Some(uid) => Whose::User(uid),
        None => whose,
    };
    let uid = match whose {
        Whose::Root => 0,
        Whose::User(uid) => uid,
    };
    let pid = of_status.or(of_clients);
    let apps_socket = fs::symlink_metadata(rundir.join(process::APPS_SOCKET)).ok();
    scene.daemons.push(Daemon {
        whose,
        clients,
        status,
        report,
        offers: Ok(Vec::new()),
        process: pid.map(|pid| daemon_process(pid, uid)),
        apps_socket: apps_socket.map(|data| FileId { device: data.dev(), inode: data.ino() }),
        rundir,
    });
}

fn daemon_process(pid: i32, uid: u32) -> DaemonProcess {
    let name = if uid == 0 { "lttng-ust-wait-8".to_owned() } else { format!("lttng-ust-wait-8-{uid}") };
    let wait_file = process::file_of(pid, &Path::new(SHM).join(name));
    DaemonProcess {
        pid,
        namespaces: process::namespaces(pid),
        depth: process::pids(pid).len(),
        wait_file: wait_file.known().copied().flatten(),
    }
}

/// Asks the daemons for tracepoints, where that can tell something about one of these processes.
pub fn add_offers(scene: &mut Scene, processes: &[Process]) {
    let asker = scene.asker.clone();
    for daemon in &mut scene.daemons {
        let knows = |process: &Process| process.registered(daemon, &asker).is_some();
        // Without a report it is the only thing to be known.
        if daemon.clients == Reach::Answered && (daemon.report.is_none() || processes.iter().any(knows)) {
            daemon.offers = daemon::list_tracepoints(&daemon.rundir.join("client-lttng-sessiond"));
            if daemon.report.is_none() && daemon.offers.is_err() {
                daemon.clients = Reach::Silent;
            }
        }
    }
}

/// What is known of these processes; those that are gone are left out.
pub fn processes(scene: &Scene, pids: impl Iterator<Item = i32>) -> Vec<Process> {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
    let ticks = clock::ticks();
    let context = process::Context {
        boot,
        ticks,
        passwd: &scene.machine.passwd,
        system_rundir: &scene.machine.system_rundir,
    };
    pids.filter_map(|pid| process::examine(pid, &context)).collect()
}

/// The processes of this name: of their own, of their program's file, or of their registration.
pub fn named(scene: &Scene, wanted: &str) -> Vec<i32> {
    let registered: BTreeSet<i32> = scene
        .daemons
        .iter()
        .filter_map(|daemon| daemon.report.as_ref())
        .flat_map(|report| &report.applications)
        .filter(|app| app.name == wanted)
        .map(|app| app.pid)
        .collect();
    let own = std::process::id().cast_signed();
    let is_it = |pid: &i32| {
        registered.contains(pid)
            || process::name(*pid).as_deref() == Some(wanted)
            || process::exe(*pid).known().and_then(|exe| exe.file_name()).is_some_and(|file| file == wanted)
    };
    let mut found: Vec<i32> = pids().filter(|pid| *pid != own).filter(is_it).collect();
    found.sort_unstable();
    found
}

/// The processes that have LTTng-UST, and the number of those that may not be looked at.
pub fn instrumented(scene: &Scene) -> (Vec<i32>, usize) {
    let registered: BTreeSet<i32> = scene
        .daemons
        .iter()
        .filter_map(|daemon| daemon.report.as_ref())
        .flat_map(|report| &report.applications)
        .map(|app| app.pid)
        .collect();
    let mut hidden = 0;
    let mut found: Vec<i32> = pids()
        .filter(|pid| {
            let maps = process::has_library(*pid);
            hidden += usize::from(maps.is_denied() && !registered.contains(pid));
            registered.contains(pid) || maps == Seen::Known(true)
        })
        .collect();
    found.sort_unstable();
    (found, hidden)
}

/// What can be seen of the kernel's tracer.
fn kernel() -> KernelSide {
    let line = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let release = line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let loaded = line("/proc/modules");
    let has_modules = |release: &str| {
        // All modules of a kernel are listed there.
        fs::read_to_string(format!("/lib/modules/{release}/modules.dep"))
            .is_ok_and(|text| text.contains("lttng-tracer.ko"))
    };
    let mut others: Vec<String> = fs::read_dir("/lib/modules")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| *name != release && has_modules(name))
        .collect();
    others.sort_unstable();
    let lockdown = line("/sys/kernel/security/lockdown");
    let lockdown =
        lockdown.as_deref().and_then(|text| Some(text.split_once('[')?.1.split_once(']')?.0.to_owned()));
    KernelSide {
        modules: has_modules(&release),
        modules_for: others,
        modular: loaded.is_some(),
        loaded: loaded.is_some_and(|text| text.lines().any(|line| line.starts_with("lttng_tracer "))),
        lockdown,
        signed_only: line("/sys/module/module/parameters/sig_enforce").as_deref() == Some("Y"),
        release,
    }
}
