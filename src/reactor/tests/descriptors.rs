// SPDX-License-Identifier: GPL-2.0-only
//! Pipes, descriptors that are adopted, and those that belong to somebody else.

use super::*;

#[test]
fn what_is_written_to_a_pipe_is_read_until_its_end() {
    let mut bench = Bench::new();
    let Some(Input::PipeMade(errand, conn, writing)) = bench.want(Output::Pipe { errand: Errand::ANY[1] })
    else {
        panic!("no pipe")
    };
    assert_eq!(errand, Errand::ANY[1]);
    nix::unistd::write(writing.as_fd(), b"sample").unwrap();
    assert_eq!(bench.receive(conn), b"sample");
    drop(writing);
    assert!(matches!(bench.next(), Input::Closed(told) if told == conn));
}

#[test]
fn a_foreign_descriptor_is_polled_and_left_to_its_owner() {
    let mut bench = Bench::new();
    let (mut reading, mut writing) = pipe().unwrap();
    let descriptor: SharedFd = Rc::new(reading.try_clone().unwrap().into());
    let output = Output::Poll { errand: Errand::ANY[0], descriptor: descriptor.clone() };
    let Some(Input::Adopted(errand, Ok(conn))) = bench.want(output) else { panic!("not polled") };
    assert_eq!(errand, Errand::ANY[0]);
    for word in [b"one", b"two"] {
        writing.write_all(word).unwrap();
        assert!(matches!(bench.next(), Input::Ready(told) if told == conn));
        let mut bytes = [0; 3];
        reading.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, word, "the reactor must not read it");
    }
    // What is sent there goes nowhere: it is not the reactor's.
    bench.send(conn, b"x");
    bench.want(Output::Close(conn));
    assert!(!bench.has(conn));
    assert_eq!(Rc::strong_count(&descriptor), 1);
    // Its owner still has it, and may have it polled again: what is there is told anew.
    writing.write_all(b"end").unwrap();
    let output = Output::Poll { errand: Errand::ANY[1], descriptor: descriptor.clone() };
    let Some(Input::Adopted(_, Ok(again))) = bench.want(output) else { panic!("not polled again") };
    assert!(matches!(bench.next(), Input::Ready(told) if told == again && again != conn));
    drop(writing);
    assert!(matches!(bench.next(), Input::Ready(told) if told == again), "its end is told, too");
}

#[test]
fn what_can_not_be_polled_is_refused() {
    let mut bench = Bench::new();
    let file: SharedFd = Rc::new(File::open("/proc/self/exe").unwrap().into());
    let told = bench.want(Output::Poll { errand: Errand::ANY[0], descriptor: file.clone() });
    assert!(matches!(told, Some(Input::Adopted(errand, Err(_))) if errand == Errand::ANY[0]), "{told:?}");
    assert_eq!(Rc::strong_count(&file), 1);
}

#[test]
fn an_adopted_descriptor_is_a_connection() {
    let mut bench = Bench::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    bench.reactor.adopt(Errand::ANY[1], ours.into(), Kind::Stream).unwrap();
    let Input::Adopted(errand, Ok(conn)) = bench.next() else { panic!("not adopted") };
    assert_eq!(errand, Errand::ANY[1]);
    exchange(&mut bench, conn, &mut theirs);
}
