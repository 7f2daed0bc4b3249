// SPDX-License-Identifier: GPL-2.0-only
//! `--explain`: why a program is not traced, or is traced in part, and what to do about it.
//!
//! A command of its own, not the daemon: it looks at the processes and at what the daemons report, as far as whoever asks
//! may, concludes, and ends. It must never change anything, nor import what the daemon holds.
//!
//! `gather` reads; [`reason`] is pure functions from [`evidence`] to [`finding`]s; `show` makes text of them.

pub mod evidence;
pub mod finding;
mod gather;
mod pattern;
pub mod reason;
mod show;

use std::ffi::OsStr;
use std::path::PathBuf;

use evidence::{Process, Scene};
use finding::{Finding, Verdict, Weight};

/// Where daemons are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Run directory of root's daemon.
    pub system_rundir: PathBuf,
    /// Run directory of a daemon of the one who asks, if that can be told.
    pub rundir: Option<PathBuf>,
    /// Name of the tracing group.
    pub group: String,
}

/// What is printed in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    /// The exit status: 0, all is well; 1, something was found; 2, it can't be told, since there is no such process.
    pub status: u8,
}

/// The word for the kernel in the place of a process.
const KERNEL: &str = "kernel";

/// Answers for a process id, a name, the kernel, or without any for all programs that have LTTng-UST.
pub fn run(asked: Option<&OsStr>, places: &Places) -> Answer {
    let mut scene = gather::scene(places);
    let Some(asked) = asked else { return all(&mut scene) };
    let asked = asked.to_string_lossy();
    if asked == KERNEL {
        return kernel(&scene);
    }
    let pids = match asked.parse::<i32>() {
        Ok(pid) => vec![pid],
        Err(_) => gather::named(&scene, &asked),
    };
    let processes = examine(&mut scene, pids);
    if processes.is_empty() {
        let what = match asked.parse::<i32>() {
            Ok(pid) => format!("There is no process {pid}."),
            Err(_) => format!("No process is called {asked} now."),
        };
        let hint = "A program that has ended can't be looked at; it is traced only if a session was active while it ran.";
        return Answer { text: format!("{what}\n{hint}\n"), status: 2 };
    }
    conclude(&scene, &processes, |text, process, verdict| {
        text.push_str(&show::of_process(&scene, process, verdict));
    })
}

/// Processes, and all that has to do with them.
fn examine(scene: &mut Scene, pids: Vec<i32>) -> Vec<Process> {
    let processes = gather::processes(scene, pids.into_iter());
    gather::add_daemons_of(scene, &processes);
    gather::add_offers(scene, &processes);
    processes
}

fn conclude(scene: &Scene, processes: &[Process], show: impl Fn(&mut String, &Process, &Verdict)) -> Answer {
    let verdicts: Vec<Verdict> = processes.iter().map(|process| reason::of_process(scene, process)).collect();
    let all_well = verdicts.iter().all(|verdict| !verdict.recorded_by.is_empty());
    let of_scene: Vec<Finding> = reason::of_scene(scene)
        .into_iter()
        // Another daemon than those that one can talk to is not missed then.
        .map(
            |finding| if all_well && !processes.is_empty() { finding.at_most(Weight::Note) } else { finding },
        )
        .collect();
    let mut text = show::of_scene(&of_scene);
    for (number, (process, verdict)) in processes.iter().zip(&verdicts).enumerate() {
        if number > 0 && verdict.is_wrong() {
            text.push('\n');
        }
        show(&mut text, process, verdict);
    }
    let wrong = of_scene.iter().any(|finding| finding.weight < Weight::Note)
        || verdicts.iter().any(Verdict::is_wrong);
    Answer { text, status: u8::from(wrong) }
}

/// All programs that have LTTng-UST.
fn all(scene: &mut Scene) -> Answer {
    let (pids, hidden) = gather::instrumented(scene);
    let processes = examine(scene, pids);
    let mut answer = conclude(scene, &processes, |text, process, verdict| {
        let shown = if verdict.is_wrong() {
            show::of_process(scene, process, verdict)
        } else {
            show::in_a_line(scene, process, verdict)
        };
        text.push_str(&shown);
    });
    if processes.is_empty() {
        answer.text.push_str("No program that you may look at has LTTng-UST loaded.\n");
        answer.status = answer.status.max(1);
    }
    if hidden > 0 {
        let them = finding::count(hidden, "process", "processes");
        answer.text.push_str(&format!(
            "\n{them} could not be looked at; ask as root to have them looked at, too.\n"
        ));
    }
    answer
}

fn kernel(scene: &Scene) -> Answer {
    let verdict = reason::of_kernel(scene);
    let of_scene: Vec<Finding> =
        if verdict.recorded_by.is_empty() { reason::of_scene(scene) } else { Vec::new() };
    let text = show::of_scene(&of_scene) + &show::of_kernel(&verdict);
    Answer { text, status: u8::from(verdict.is_wrong()) }
}
