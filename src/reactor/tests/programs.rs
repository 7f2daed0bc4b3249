// SPDX-License-Identifier: GPL-2.0-only
//! Programs and companions that are started, and end.

use super::*;

fn spawned(bench: &mut Bench, program: Program) -> Pid {
    match bench.want(Output::Spawn { errand: Errand::ANY[0], program }) {
        Some(Input::Spawned(errand, Ok(pid))) if errand == Errand::ANY[0] => Pid::from_raw(pid),
        other => panic!("{other:?}"),
    }
}

/// A shell that runs a script with `$TARGET` set, which tells what it wrote there.
fn shell(name: &str, script: &str, args: &[&str], mut env: Vec<(OsString, OsString)>) -> String {
    let folder = Folder::new(name);
    let target = folder.0.join("target");
    env.push(("TARGET".into(), target.clone().into()));
    let args = ["-c", script].iter().chain(args).map(OsString::from).collect();
    let program = Program { path: "/bin/sh".into(), arg0: "another".into(), args, env };
    let pid = spawned(&mut Bench::new(), program);
    assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 0));
    std::fs::read_to_string(target).unwrap()
}

#[test]
fn a_program_is_started_with_its_arguments_and_environment() {
    let script = r#"printf '%s|' "$0" "$WORD" "$HOME" "$@" > "$TARGET""#;
    let env = vec![("WORD".into(), "of its own".into())];
    let written = shell("program", script, &["name", "", "two words"], env);
    let home = std::env::var("HOME").unwrap_or_default();
    assert_eq!(written, format!("name|of its own|{home}||two words|"));
}

#[test]
fn a_program_sees_the_name_that_it_is_given() {
    let written = shell("name", "cat /proc/$$/cmdline > \"$TARGET\"", &[], Vec::new());
    assert!(written.starts_with("another\0-c\0"), "{written}");
}

#[test]
fn a_program_is_killed() {
    let (arg0, args) = ("sleep".into(), vec!["1000".into()]);
    let mut bench = Bench::new();
    let pid = spawned(&mut bench, Program { path: "/bin/sleep".into(), arg0, args, env: Vec::new() });
    bench.want(Output::Kill(pid.as_raw()));
    assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Signaled(pid, Signal::SIGKILL, false));
}

#[test]
fn a_program_that_is_not_there_is_told_at_once() {
    let folder = Folder::new("no-program");
    let path = folder.0.join("nothing");
    let program = Program { path, arg0: "x".into(), args: Vec::new(), env: Vec::new() };
    let told = Bench::new().want(Output::Spawn { errand: Errand::ANY[1], program });
    assert!(
        matches!(told, Some(Input::Spawned(errand, Err(ErrorKind::NotFound))) if errand == Errand::ANY[1]),
        "{told:?}"
    );
}

#[test]
fn a_companion_lives_as_long_as_it_takes() {
    let mut bench = Bench::new();
    let told = bench.want(Output::Fork { errand: Errand::ANY[1], life: |_| 7 });
    let Some(Input::Spawned(errand, Ok(pid))) = told else { panic!("{told:?}") };
    let Input::Adopted(adopted, Ok(conn)) = bench.next() else { panic!("not adopted") };
    assert_eq!((errand, adopted), (Errand::ANY[1], Errand::ANY[1]));
    assert!(matches!(bench.next(), Input::Closed(closed) if closed == conn));
    let pid = Pid::from_raw(pid);
    assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 7));
}
