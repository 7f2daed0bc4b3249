// SPDX-License-Identifier: GPL-2.0-only
//! Why the kernel is not traced.

use super::super::evidence::{Daemon, Reach, Scene, Whose};
use super::super::finding::{About, Finding, Verdict, Weight, quoted, some_of};
use crate::report::{Life, Report};

/// What `--explain kernel` says.
pub fn of_kernel(scene: &Scene) -> Verdict {
    let mut verdict = Verdict::default();
    let root = scene.daemons.iter().find(|daemon| daemon.whose == Whose::Root);
    let report = root.and_then(|daemon| daemon.report.as_ref());
    match (root, report) {
        (Some(_), Some(report)) => with_report(scene, report, &mut verdict),
        (Some(root), None) => without_report(scene, root, &mut verdict),
        (None, _) => verdict.findings.extend(modules(scene)),
    }
    verdict.findings.sort_by_key(|finding| finding.weight);
    verdict
}

fn without_report(scene: &Scene, root: &Daemon, verdict: &mut Verdict) {
    let own = scene.daemons.iter().any(|daemon| daemon.whose != Whose::Root && daemon.is_running());
    if !root.is_running() && root.clients != Reach::Denied && own {
        verdict.findings.push(
            Finding::new(
                About::KernelOfUser,
                Weight::Decisive,
                "Only root's session daemon traces the kernel, and there is none; the one that runs is a user's.",
            )
            .todo("Start one as root; members of the tracing group use it with their lttng command.")
            .run("sudo lttng-sessiond --daemonize"),
        );
    }
    verdict.findings.extend(modules(scene));
}

fn with_report(scene: &Scene, report: &Report, verdict: &mut Verdict) {
    let kernel = &report.kernel;
    match kernel.state.as_str() {
        "ready" => {}
        "looking" => {
            verdict.findings.push(
                Finding::new(
                    About::KernelOff,
                    Weight::Note,
                    "The session daemon is loading the kernel's tracer.",
                )
                .todo("Ask again in a moment."),
            );
            return;
        }
        "off" => {
            verdict.findings.push(
                Finding::new(About::KernelOff, Weight::Decisive, "Root's session daemon was started with --no-kernel: it does not trace the kernel.")
                    .todo("Restart it without that option (also look into /etc/lttng/lttng.conf and its systemd unit)."),
            );
            return;
        }
        "not_root" => {
            verdict.findings.push(
                Finding::new(
                    About::KernelOfUser,
                    Weight::Decisive,
                    "The session daemon does not run as root: only root's traces the kernel.",
                )
                .todo("Start one as root.")
                .run("sudo lttng-sessiond --daemonize"),
            );
            return;
        }
        "unfit" => {
            let version = kernel.version.as_deref().or(kernel.abi.as_deref()).unwrap_or("unknown");
            verdict.findings.push(
                Finding::new(
                    About::KernelUnfit,
                    Weight::Decisive,
                    format!("LTTng's kernel modules are of a version that is not served: {version}."),
                )
                .seen("Version 2 of the modules and of their interface is needed.")
                .todo("Install lttng-modules 2.13, unload the old ones, and restart the session daemon.")
                .run("sudo modprobe -r lttng_tracer"),
            );
            return;
        }
        _ => {
            verdict.findings.extend(not_loaded(scene));
            return;
        }
    }
    sessions(report, verdict);
}

/// The daemon could not load the modules.
fn not_loaded(scene: &Scene) -> Vec<Finding> {
    let mut found = modules(scene);
    if found.is_empty() {
        found.push(
            Finding::new(
                About::KernelModules,
                Weight::Decisive,
                "The session daemon could not load LTTng's kernel modules.",
            )
            .seen("They are there for the running kernel. The kernel's log says why it does not take them.")
            .todo("Try by hand, and read what is said; then any command about the kernel lets the daemon try again.")
            .run("sudo modprobe lttng_tracer")
            .run("sudo dmesg | tail"),
        );
    }
    found
}

/// What is recorded of the kernel.
fn sessions(report: &Report, verdict: &mut Verdict) {
    let mut found = Vec::new();
    for session in report.sessions.iter().filter(|session| session.life != Life::Ending) {
        let channels: Vec<_> = session.channels.iter().filter(|channel| channel.domain == "kernel").collect();
        let rules = channels.iter().filter(|channel| channel.enabled).flat_map(|channel| &channel.rules);
        let on = rules.filter(|rule| rule.enabled).count();
        let word = quoted(&session.name);
        if on == 0 {
            found.push(
                Finding::new(
                    About::KernelRule,
                    Weight::Decisive,
                    format!("Session {} has no enabled event rule about the kernel.", session.name),
                )
                .todo("Say what it is to record.")
                .run(format!("lttng enable-event --kernel --session {word} sched_switch,sched_process_fork"))
                .run(format!("lttng enable-event --kernel --session {word} --syscall --all")),
            );
        } else if session.life != Life::Active {
            found.push(
                Finding::new(
                    About::NotStarted,
                    Weight::Decisive,
                    format!("Session {} would record the kernel, and is not active.", session.name),
                )
                .todo("Start it.")
                .run(format!("lttng start {word}")),
            );
        } else {
            verdict.recorded_by.push(session.name.clone());
        }
    }
    if verdict.recorded_by.is_empty() && report.sessions.is_empty() {
        found.push(
            Finding::new(
                About::NoSession,
                Weight::Decisive,
                "The kernel's tracer is ready, and no session of yours records with it.",
            )
            .todo("Make one.")
            .run("lttng create")
            .run("lttng enable-event --kernel --syscall --all")
            .run("lttng start"),
        );
    }
    let light = !verdict.recorded_by.is_empty();
    verdict
        .findings
        .extend(found.into_iter().map(|finding| if light { finding.at_most(Weight::Note) } else { finding }));
}

/// What can be seen of the modules.
fn modules(scene: &Scene) -> Vec<Finding> {
    let kernel = &scene.machine.kernel;
    let mut found = Vec::new();
    if kernel.loaded {
        return found;
    }
    let release = &kernel.release;
    if !kernel.modular {
        found.push(
            Finding::new(About::KernelModules, Weight::Decisive, "This kernel can't load modules, and LTTng's kernel tracer consists of modules.")
                .seen("There is no /proc/modules.")
                .todo("Use a kernel that was built with CONFIG_MODULES. In a container or a virtual machine, the kernel is the host's affair."),
        );
        return found;
    }
    if !kernel.modules {
        let what = format!("LTTng's kernel modules are not there for the running kernel, {release}.");
        let finding = Finding::new(About::KernelModules, Weight::Decisive, what);
        found.push(if kernel.modules_for.is_empty() {
            finding
                .seen("In /lib/modules they are for no kernel at all.")
                .todo("Install them. They are built for the running kernel, whose headers are needed.")
                .run("sudo apt-get install lttng-modules-dkms linux-headers-$(uname -r)")
        } else {
            finding
                .seen(format!("They are there for {}: the kernel was probably updated since they were built.", some_of(&kernel.modules_for, 4)))
                .todo("Build them for this kernel (its headers must be installed), or boot one for which they are there.")
                .run("sudo apt-get install linux-headers-$(uname -r)")
                .run(format!("sudo dkms autoinstall -k {release}"))
        });
    }
    let locked = kernel.lockdown.as_deref().filter(|mode| *mode != "none");
    if locked.is_some() || kernel.signed_only {
        let seen = match locked {
            Some(mode) => format!("The kernel is locked down ({mode}), usually because of Secure Boot."),
            None => "The kernel was told to enforce signatures (sig_enforce).".to_owned(),
        };
        let weight = if found.is_empty() { Weight::Likely } else { Weight::Note };
        found.push(
            Finding::new(About::KernelSigned, weight, "This kernel takes signed modules only, and modules that were built on this machine may not be signed by a key that it trusts.")
                .seen(seen)
                .todo("Enrol the key that DKMS signs with, reboot and confirm; or switch off Secure Boot. \"Key was rejected by service\" in the kernel's log is the sign of it.")
                .run("sudo mokutil --import /var/lib/dkms/mok.pub"),
        );
    }
    found
}
