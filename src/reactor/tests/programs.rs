// SPDX-License-Identifier: GPL-2.0-only
//! Programs and companions that are started, and end.

use std::io::IoSlice;

use super::*;
use crate::sys::socket::{self, Received};

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

/// A companion that sends back what it was sent, with its descriptors.
fn echo(socket: OwnedFd) -> u8 {
    let (mut buffer, mut descriptors) = (vec![0; MAX_MESSAGE + 1], Vec::new());
    while let Ok(received @ Received { bytes: 1.., .. }) =
        socket::receive_message(socket.as_fd(), &mut buffer, socket::MAX_DESCRIPTORS, &mut descriptors)
    {
        let descriptors = std::mem::take(&mut descriptors);
        let attached: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        if socket::send(socket.as_fd(), &[IoSlice::new(&buffer[..received.bytes])], &attached).is_err() {
            return 1;
        }
    }
    0
}

#[test]
fn the_longest_messages_go_whole_both_ways_with_many_descriptors() {
    let mut bench = Bench::new();
    bench.reactor.machine.expected.descriptors = 240;
    let told = bench.want(Output::Fork { errand: Errand::ANY[1], life: echo });
    let Some(Input::Spawned(_, Ok(pid))) = told else { panic!("{told:?}") };
    let Input::Adopted(_, Ok(conn)) = bench.next() else { panic!("not adopted") };
    let descriptor: SharedFd = Rc::new(File::open("/dev/null").unwrap().into());
    // So many that they do not all fit into the socket at once.
    for number in 1..=4 {
        let descriptors = vec![descriptor.clone(); 240];
        bench.reactor.machine.outputs.push(Output::Send {
            to: conn,
            bytes: vec![number; MAX_MESSAGE],
            descriptors,
        });
    }
    assert!(bench.want(Output::GiveMemoryBack).is_none());
    for number in 1..=4 {
        let Input::Received(_, bytes) = bench.next() else { panic!("nothing received") };
        assert!(bytes == vec![number; MAX_MESSAGE], "message {number}: {}", bytes.len());
    }
    assert_eq!(bench.reactor.machine.attached, [(240, false); 4]);
    assert_eq!(Rc::strong_count(&descriptor), 1);
    bench.want(Output::Close(conn));
    let pid = Pid::from_raw(pid);
    assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 0));
}
