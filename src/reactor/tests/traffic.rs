// SPDX-License-Identifier: GPL-2.0-only
//! What peers send and take, or do not take, and in which order it is read.

use super::*;

/// It asks and does not read: after a while it is not read from, either, until it has taken its answers.
#[test]
fn who_does_not_take_its_answers_is_not_read_from() {
    let mut bench = Bench::new();
    let (conn, mut peer) = adopted(&mut bench, Errand::ANY[0]);
    bench.want(Output::ReadWhenSent(conn));
    let answer = vec![7; 1 << 20];
    bench.send(conn, &answer);
    let waiting = bench.reactor.machine.unsent;
    assert!(waiting > 0 && waiting < answer.len(), "{waiting}");
    // Another peer's question shows that turns go by.
    let (other, mut asker) = adopted(&mut bench, Errand::ANY[0]);
    peer.write_all(b"question").unwrap();
    for _ in 0..3 {
        asker.write_all(b"?").unwrap();
        assert!(matches!(bench.next(), Input::Received(from, _) if from == other));
    }
    let mut got = vec![0; answer.len()];
    let mut length = 0;
    while length < got.len() {
        length += peer.read(&mut got[length..]).unwrap();
        while bench.reactor.machine.unsent > 0 && !peer_has_more(&peer) {
            bench.turn();
        }
    }
    assert_eq!(bench.receive(conn), b"question", "nothing is lost");
    assert_eq!(bench.reactor.machine.unsent, 0);
    // One that goes is noticed, whatever waits for it.
    bench.send(conn, &answer);
    drop(peer);
    assert!(matches!(bench.next(), Input::Closed(told) if told == conn));
}

/// The machine may have counted what it sent: it must learn that nothing of it waits, also when nothing ever did.
#[test]
fn what_is_taken_at_once_is_told_of() {
    let mut bench = Bench::new();
    let (conn, _peer) = adopted(&mut bench, Errand::ANY[0]);
    for _ in 0..2 {
        bench.reactor.machine.unsent = 6;
        bench.send(conn, b"notice");
        assert_eq!(bench.reactor.machine.unsent, 0);
    }
}

#[test]
fn a_peer_that_only_sends_no_more_gets_what_it_is_owed() {
    let mut bench = Bench::new();
    let (conn, mut peer) = adopted(&mut bench, Errand::ANY[0]);
    bench.reactor.machine.owes = true;
    peer.write_all(b"question").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(bench.receive(conn), b"question");
    // More than fits into the socket, so that the rest is sent while the peer's end is known.
    let answer = vec![7; 1 << 20];
    bench.send(conn, &answer);
    bench.want(Output::CloseWhenSent(conn));
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match peer.read(&mut buffer).unwrap() {
            0 => break,
            count => got.extend_from_slice(&buffer[..count]),
        }
        while bench.has(conn) && got.len() < answer.len() && !peer_has_more(&peer) {
            bench.turn();
        }
    }
    assert_eq!(got.len(), answer.len());
    assert!(!bench.has(conn));
}

fn peer_has_more(peer: &UnixStream) -> bool {
    let mut poll = [nix::poll::PollFd::new(peer.as_fd(), nix::poll::PollFlags::POLLIN)];
    nix::poll::poll(&mut poll, nix::poll::PollTimeout::ZERO).unwrap() > 0
}

#[test]
fn a_peer_that_goes_after_it_sent_no_more_is_gone() {
    let mut bench = Bench::new();
    let (conn, peer) = adopted(&mut bench, Errand::ANY[0]);
    bench.reactor.machine.owes = true;
    peer.shutdown(Shutdown::Write).unwrap();
    while !bench.reactor.ending.contains(&conn) {
        bench.turn();
    }
    assert!(bench.has(conn));
    drop(peer);
    assert!(matches!(bench.next(), Input::Closed(told) if told == conn));
    // Nothing is owed to this one.
    bench.reactor.machine.owes = false;
    let (conn, peer) = adopted(&mut bench, Errand::ANY[0]);
    peer.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(bench.next(), Input::Closed(told) if told == conn));
}

#[test]
fn what_is_awaited_comes_before_what_may_refer_to_it() {
    let mut bench = Bench::new();
    let (second, mut asking) = adopted(&mut bench, Errand::ANY[0]);
    let (first, mut answering) = adopted(&mut bench, Errand::ANY[1]);
    assert!(bench.want(Output::ReadFirst { conn: second, first }).is_none());
    for awaiting in [true, false] {
        bench.reactor.machine.awaiting = awaiting;
        answering.write_all(b"handle").unwrap();
        asking.write_all(b"about it").unwrap();
        let order = if awaiting { [first, second] } else { [second, first] };
        for conn in order {
            assert_eq!(bench.receive(conn), if conn == first { &b"handle"[..] } else { b"about it" });
        }
    }
}

#[test]
fn a_peer_that_takes_what_it_is_sent_wakes_nobody() {
    let mut bench = Bench::new();
    let (conn, mut peer) = adopted(&mut bench, Errand::ANY[0]);
    bench.send(conn, b"taken");
    peer.read_exact(&mut [0; 5]).unwrap();
    bench.reactor.poll.poll(&mut bench.events, Some(Duration::ZERO)).unwrap();
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn a_slow_peer_gets_everything_and_wakes_nobody_afterwards() {
    const MANY: usize = 4 << 20;
    let mut bench = Bench::new();
    let (conn, mut peer) = adopted(&mut bench, Errand::ANY[0]);
    bench.send(conn, &vec![7; MANY]);
    peer.set_nonblocking(true).unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut taken = 0;
    while taken < MANY {
        match peer.read(&mut buffer) {
            Ok(count) => taken += count,
            Err(_) => {
                bench.reactor.turn(&mut bench.events, &mut |_| ()).unwrap();
            }
        }
    }
    bench.send(conn, b"taken");
    peer.read_exact(&mut [0; 5]).unwrap();
    bench.reactor.poll.poll(&mut bench.events, Some(Duration::ZERO)).unwrap();
    bench.reactor.poll.poll(&mut bench.events, Some(Duration::ZERO)).unwrap();
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn a_machine_that_always_wants_more_does_not_keep_peers_waiting() {
    let mut bench = Bench::new();
    let (conn, mut peer) = adopted(&mut bench, Errand::ANY[0]);
    bench.reactor.machine.insatiable = true;
    bench.want(Output::Close(ConnId(u64::MAX)));
    // It does not wait either.
    assert_eq!(bench.reactor.timeout(), Some(Duration::ZERO));
    peer.write_all(b"hello").unwrap();
    assert_eq!(bench.receive(conn), b"hello");
    bench.reactor.machine.insatiable = false;
    bench.turn();
    assert_ne!(bench.reactor.timeout(), Some(Duration::ZERO));
}

/// A pipe on which something comes again and again is left alone, and nothing of it is lost; its end is told meanwhile, too.
#[test]
fn a_pipe_on_which_something_comes_again_and_again() {
    let mut bench = Bench::new();
    let Some(Input::PipeMade(_, conn, writing)) = bench.want(Output::Pipe { errand: Errand::ANY[1] }) else {
        panic!("no pipe")
    };
    let rests = |bench: &Bench| match bench.reactor.sources.get(&conn) {
        Some(Source::Connection(connection)) => connection.pace.rests,
        _ => false,
    };
    let mut written = 0_u8;
    let mut write = || {
        written = written.wrapping_add(1);
        assert_eq!(nix::unistd::write(&writing, &[written]).unwrap(), 1);
        written
    };
    // On a busy machine the first ones may be far apart.
    while !rests(&bench) {
        let number = write();
        assert_eq!(bench.receive(conn), [number]);
    }
    let together = [write(), write(), write()];
    assert_eq!(bench.receive(conn), together);
    while rests(&bench) {
        bench.turn();
    }
    assert!(bench.reactor.machine.inputs.is_empty());
    let number = write();
    assert_eq!(bench.receive(conn), [number], "it is polled again");
    while !rests(&bench) {
        let number = write();
        assert_eq!(bench.receive(conn), [number]);
    }
    let last = write();
    drop(writing);
    assert_eq!(bench.receive(conn), [last]);
    assert!(matches!(bench.next(), Input::Closed(closed) if closed == conn));
}
