// SPDX-License-Identifier: GPL-2.0-only
//! The answer as text for people.

use std::fmt::Write;

use super::evidence::{Process, Reach, Scene};
use super::finding::{Finding, Verdict, Weight, some_of};

/// Columns of a line.
const WIDTH: usize = 80;

/// What was found about the machine, before any process.
pub fn of_scene(findings: &[Finding]) -> String {
    let mut text = String::new();
    if !findings.is_empty() {
        text.push_str("About session daemons:\n");
        findings.iter().for_each(|finding| add(&mut text, finding));
        text.push('\n');
    }
    text
}

/// A process, in full.
pub fn of_process(scene: &Scene, process: &Process, verdict: &Verdict) -> String {
    let mut text = format!("{}: {}\n", heading(scene, process), state(scene, verdict));
    verdict.findings.iter().for_each(|finding| add(&mut text, finding));
    text
}

/// A process with which all is well, in a line.
pub fn in_a_line(scene: &Scene, process: &Process, verdict: &Verdict) -> String {
    format!("{}: {}\n", heading(scene, process), state(scene, verdict))
}

/// The kernel.
pub fn of_kernel(verdict: &Verdict) -> String {
    let state = match verdict.recorded_by.as_slice() {
        [] => "not traced.".to_owned(),
        names => format!("traced by {}.", some_of(names, 5)),
    };
    let mut text = format!("The kernel: {}\n", clean(&state));
    verdict.findings.iter().for_each(|finding| add(&mut text, finding));
    text
}

fn heading(scene: &Scene, process: &Process) -> String {
    let user = scene.machine.user(process.uids.real);
    clean(&format!("{} (process {}, {user})", process.title(), process.pid))
}

fn state(scene: &Scene, verdict: &Verdict) -> String {
    let partly = verdict.findings.iter().any(|finding| finding.weight == Weight::Partial);
    let hidden = scene.daemons.iter().any(|daemon| {
        daemon.report.is_none() && daemon.clients != Reach::Absent && daemon.clients != Reach::Abandoned
    });
    let text = match (verdict.recorded_by.as_slice(), verdict.registered) {
        ([], true) if hidden => "registered; whether it is traced can't be told.".to_owned(),
        ([], true) => "registered, and not traced.".to_owned(),
        ([], false) if hidden => "not traced, as far as can be told.".to_owned(),
        ([], false) => "not traced.".to_owned(),
        (names, _) if partly => format!("traced by {}, in part.", sessions(names)),
        (names, _) => format!("traced by {}.", sessions(names)),
    };
    clean(&text)
}

fn sessions(names: &[String]) -> String {
    let word = if names.len() == 1 { "session" } else { "sessions" };
    format!("{word} {}", some_of(names, 5))
}

fn add(text: &mut String, finding: &Finding) {
    let sign = if finding.weight == Weight::Note { "-" } else { "*" };
    wrap(text, &format!("{sign} "), "  ", &finding.what);
    if !finding.seen.is_empty() {
        wrap(text, "  ", "  ", &finding.seen);
    }
    if !finding.todo.is_empty() {
        wrap(text, "  > ", "    ", &finding.todo);
    }
    for command in &finding.commands {
        // To be copied: never broken.
        let _ = writeln!(text, "        {}", clean(command));
    }
}

/// Text in lines. Names in it are others' and may hold anything.
fn wrap(text: &mut String, first: &str, further: &str, content: &str) {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in clean(content).split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            further.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(text, "{line}");
}

/// Without what a terminal would take for a command.
fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::About;
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_commands_are_not() {
        let long = "word ".repeat(40);
        let finding = Finding::new(About::NoRule, Weight::Decisive, long.trim())
            .seen("seen")
            .todo("do it")
            .run("command ".repeat(20).trim());
        let mut text = String::new();
        add(&mut text, &finding);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("* word word"));
        assert!(lines[1].starts_with("  word"));
        assert!(lines[..lines.len() - 1].iter().all(|line| line.len() <= WIDTH), "{text}");
        assert!(lines.contains(&"  seen") && lines.contains(&"  > do it"));
        assert!(lines.last().unwrap().len() > WIDTH);
    }

    #[test]
    fn names_do_not_reach_the_terminal_as_they_are() {
        let process = Process { name: "a\x1b[2Jb\nc".into(), pid: 7, ..Process::default() };
        let shown = in_a_line(&Scene::default(), &process, &Verdict::default());
        assert_eq!(shown, "a?[2Jb?c (process 7, user 0): not traced.\n");
    }
}
