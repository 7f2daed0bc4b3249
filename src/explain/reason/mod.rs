// SPDX-License-Identifier: GPL-2.0-only
//! From what is known about a process to why it is not traced.
//!
//! Pure functions: all that they know is in their arguments. They must never take for a reason what was only not seen.

mod asker;
mod conduct;
mod kernel;
mod place;
mod program;
mod record;
mod registration;

pub use asker::of_scene;
pub use kernel::of_kernel;

use super::evidence::{Process, Scene};
use super::finding::{About, Finding, Verdict, Weight, some_of};

/// Why a process is not traced, or is traced in part.
pub fn of_process(scene: &Scene, process: &Process) -> Verdict {
    let mut verdict = Verdict::default();
    if let Some(finding) = program::no_program(process) {
        verdict.findings = vec![finding];
        return verdict;
    }
    let registered: Vec<_> = scene
        .daemons
        .iter()
        .filter_map(|daemon| process.registered(daemon, &scene.asker).map(|app| (daemon, app)))
        .collect();
    let listed = registration::is_listed(scene, process);
    verdict.registered = !registered.is_empty() || listed;
    let examined: Vec<Verdict> =
        registered.iter().map(|(daemon, app)| record::examine(scene, daemon, app, process)).collect();
    let recorded = examined.iter().any(|verdict| !verdict.recorded_by.is_empty());
    for one in examined {
        // What a daemon does not do that another one does is not missed.
        if !recorded || !one.recorded_by.is_empty() {
            verdict.recorded_by.extend(one.recorded_by);
            verdict.findings.extend(one.findings);
        }
    }
    if verdict.recorded_by.is_empty() {
        if registered.is_empty() && !listed {
            verdict.findings.extend(registration::missing(scene, process));
        } else {
            verdict.findings.extend(program::library(process));
            verdict.findings.extend(place::other_daemons(scene, process));
        }
    }
    verdict.findings.extend(unseen(process, &verdict));
    if verdict.recorded_by.is_empty() && verdict.findings.iter().all(|finding| finding.weight == Weight::Note)
    {
        verdict.findings.extend(unexplained(scene, process, &verdict));
    }
    // The same may have been found for several sessions; the order is kept otherwise.
    verdict.findings.sort_by_key(|finding| finding.weight);
    let mut known: Vec<Finding> = Vec::new();
    for finding in std::mem::take(&mut verdict.findings) {
        if !known.iter().any(|other| other.about == finding.about && other.what == finding.what) {
            known.push(finding);
        }
    }
    verdict.findings = known;
    verdict
}

/// What whoever asks may not see of it.
fn unseen(process: &Process, verdict: &Verdict) -> Option<Finding> {
    let hidden: Vec<&str> = [
        (process.maps.is_denied(), "the libraries that it has loaded"),
        (process.environment.is_denied(), "its environment"),
        (process.system_socket.is_denied(), "its root directory"),
    ]
    .into_iter()
    .filter_map(|(denied, what)| denied.then_some(what))
    .collect();
    let wanted = verdict.recorded_by.is_empty() && !hidden.is_empty();
    wanted.then(|| {
        let what = format!(
            "You may not see everything of this process: {} are hidden from you.",
            some_of(&hidden, 3)
        );
        let what = if hidden.len() == 1 && !process.maps.is_denied() {
            format!("You may not see everything of this process: {} is hidden from you.", some_of(&hidden, 3))
        } else {
            what
        };
        Finding::new(About::Unseen, Weight::Note, what)
            .seen("What follows from that can't be told.")
            .todo("Ask again as root or as the user of the process.")
            .run(format!("sudo lttng-sessiond --explain {}", process.pid))
    })
}

/// Nothing was found, and yet it is not traced.
fn unexplained(scene: &Scene, process: &Process, verdict: &Verdict) -> Option<Finding> {
    let nobody = !scene.daemons.iter().any(super::evidence::Daemon::is_running);
    // That there is no daemon is said once for all processes.
    if nobody && !verdict.registered {
        return None;
    }
    let blind = scene.daemons.iter().all(|daemon| daemon.report.is_none());
    let finding = if blind {
        let what = match verdict.registered {
            true => "The process has registered with a session daemon that can't be asked for more.",
            false => "Whether the process has registered can't be told: no session daemon says how it is.",
        };
        Finding::new(About::Unexplained, Weight::Likely, what)
            .todo("See whether it is listed, and what the sessions record.")
            .run("lttng list --userspace")
            .run("lttng list SESSION")
    } else {
        let what = match verdict.registered {
            true => "The process has registered, and no reason was found why nothing of it is recorded.",
            false => "No reason was found why the process has not registered.",
        };
        Finding::new(About::Unexplained, Weight::Likely, what)
            .todo("Start the program once more with messages of LTTng-UST, which say what it tries and what fails.")
            .run(format!("LTTNG_UST_DEBUG=1 {}", process.title()))
    };
    Some(finding)
}

#[cfg(test)]
mod tests;
