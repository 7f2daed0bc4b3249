// SPDX-License-Identifier: GPL-2.0-only
//! The reactor when descriptors run out: real sockets in a process of their own, which may have few of them.

use std::io::IoSlice;

use nix::sys::resource::{Resource, setrlimit};

use super::*;
use crate::sys::{emulation, socket};

/// Set in the process that may have few descriptors.
const SMALL: &str = "LTTNG_TEST_SMALL_TABLE";
/// How many those are.
const TABLE: u64 = 96;

/// Runs a test in a process of its own with a small table of descriptors.
fn with_small_table(name: &str, test: impl FnOnce()) {
    if std::env::var_os(SMALL).is_some() {
        setrlimit(Resource::RLIMIT_NOFILE, TABLE, TABLE).unwrap();
        return test();
    }
    let mut again = emulation::command(&std::env::current_exe().unwrap());
    let name = format!("reactor::tests::shortage::{name}");
    let output = again.args(["--exact", &name, "--nocapture"]).env(SMALL, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "no such test: {text}");
}

/// Takes every descriptor that there still is.
fn fill() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

fn send_with_descriptors(to: &UnixStream, bytes: &[u8], descriptor: &File, count: usize) {
    let sent = socket::send(to.as_fd(), &[IoSlice::new(bytes)], &vec![descriptor.as_fd(); count]).unwrap();
    assert_eq!(sent, bytes.len());
}

impl Bench {
    /// Looks after one end of a new connection.
    fn pair(&mut self) -> (ConnId, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        self.reactor.adopt(Errand::ANY[0], ours.into(), Kind::Stream).unwrap();
        match self.next() {
            Input::Adopted(_, Ok(conn)) => (conn, theirs),
            other => panic!("{other:?}"),
        }
    }

    /// How many descriptors came with the next bytes, and whether some were lost.
    fn attached(&mut self, conn: ConnId) -> (usize, bool) {
        self.receive(conn);
        self.reactor.machine.attached.remove(0)
    }
}

#[test]
fn no_more_descriptors_are_taken_than_expected() {
    let mut bench = Bench::new();
    let (conn, mut peer) = bench.pair();
    let file = File::open("/dev/null").unwrap();
    if emulation::leaves_out("more descriptors than there is room for") {
        return;
    }
    // Unasked for, they count as not sent.
    for (expected, sent, taken) in
        [(0, 9, (0, false)), (1, 0, (0, false)), (1, 1, (1, false)), (1, 2, (1, true)), (3, 253, (3, true))]
    {
        bench.reactor.machine.expected = Expected { descriptors: expected, ..Expected::BYTES };
        send_with_descriptors(&peer, b"x", &file, sent);
        // What is behind them is not forgotten, although nobody announces it again.
        peer.write_all(b"y").unwrap();
        assert_eq!(bench.attached(conn), taken, "{sent} of {expected}");
        if sent > 0 {
            assert_eq!(bench.attached(conn), (0, false));
        }
    }
    exchange(&mut bench, conn, &mut peer);
}

#[test]
fn what_is_expected_later_is_not_read_before() {
    let mut bench = Bench::new();
    let (conn, mut peer) = bench.pair();
    bench.reactor.machine.expected = Expected { bytes: 4, ..Expected::BYTES };
    peer.write_all(b"headpayl..").unwrap();
    for piece in [&b"head"[..], b"payl", b".."] {
        assert_eq!(bench.receive(conn), piece);
    }
}

#[test]
fn descriptors_for_what_is_irreplaceable_have_room_in_a_full_table() {
    with_small_table("descriptors_for_what_is_irreplaceable_have_room_in_a_full_table", || {
        let mut bench = Bench::new();
        let (conn, mut peer) = bench.pair();
        let file = File::open("/dev/null").unwrap();
        let full = fill();
        let expected = Expected { descriptors: 2, ..Expected::BYTES };
        for irreplaceable in [false, true] {
            bench.reactor.machine.attached.clear();
            bench.reactor.machine.expected = Expected { irreplaceable, ..expected };
            send_with_descriptors(&peer, b"x", &file, 2);
            let taken = if irreplaceable { (2, false) } else { (0, true) };
            assert_eq!(bench.attached(conn), taken);
            exchange(&mut bench, conn, &mut peer);
        }
        // What came is closed again in this test, so that the reserve is never used up. Without it, that is told, and
        // that is all.
        bench.reactor.reserve.lend(usize::MAX);
        let fuller = fill();
        bench.reactor.machine.attached.clear();
        send_with_descriptors(&peer, b"x", &file, 2);
        assert_eq!(bench.attached(conn), (0, true));
        exchange(&mut bench, conn, &mut peer);
        drop((full, fuller));
        bench.reactor.machine.attached.clear();
        send_with_descriptors(&peer, b"x", &file, 2);
        assert_eq!(bench.attached(conn), (2, false));
        assert!(bench.reactor.reserve.is_full());
    });
}

#[test]
fn what_the_machine_wants_is_begun_in_a_full_table() {
    with_small_table("what_the_machine_wants_is_begun_in_a_full_table", || {
        let folder = Folder::new("begun");
        let _listener = UnixListener::bind(folder.socket()).unwrap();
        let mut bench = Bench::new();
        let full = fill();
        let [errand, other] = Errand::ANY;
        let program = Program { path: "/bin/true".into(), arg0: "true".into(), args: vec![], env: vec![] };
        assert!(matches!(bench.want(Output::Spawn { errand, program }), Some(Input::Spawned(_, Ok(_)))));
        bench.connected(errand, Address::Unix(folder.socket()));
        assert!(matches!(bench.want(Output::Pipe { errand: other }), Some(Input::PipeMade(..))));
        drop(full);
    });
}

#[test]
fn a_process_is_not_gone_because_the_table_is_full() {
    with_small_table("a_process_is_not_gone_because_the_table_is_full", || {
        let mut bench = Bench::new();
        let _full = fill();
        let own = std::process::id().cast_signed();
        bench.want(Output::Inspect { conn: ConnId(9), pid: own });
        assert_eq!(bench.reactor.machine.inspected.pop(), Some(ProcessState::Running));
        bench.reactor.reserve.lend(usize::MAX);
        let _fuller = fill();
        bench.want(Output::Inspect { conn: ConnId(9), pid: own });
        assert_eq!(bench.reactor.machine.inspected.pop(), Some(ProcessState::Running));
    });
}

#[test]
fn newcomers_are_taken_in_a_full_table() {
    with_small_table("newcomers_are_taken_in_a_full_table", || {
        let folder = Folder::new("newcomers");
        let socket = UnixListener::bind(folder.socket()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut bench = Bench::new();
        bench.reactor.listen(Listener::ANY[0], socket.into()).unwrap();
        let (idle, mut left) = bench.pair();
        let mut peers: Vec<UnixStream> =
            (0..3).map(|_| UnixStream::connect(folder.socket()).unwrap()).collect();
        let full = fill();
        // The first one has the place of the connection that can be missed; the others use what is kept.
        bench.reactor.machine.dispensable.push_back(idle);
        let conns = [(); 3].map(|()| match bench.next() {
            Input::Accepted(_, conn, _) => conn,
            other => panic!("{other:?}"),
        });
        for (peer, conn) in peers.iter_mut().zip(conns) {
            exchange(&mut bench, conn, peer);
        }
        assert_eq!(left.read(&mut [0]).unwrap(), 0);
        assert!(!bench.has(idle));
        drop((full, peers));
    });
}

/// Whoever waits, and can't be taken, is told of as long as that is so.
#[test]
fn who_can_not_be_taken_is_told_of() {
    with_small_table("who_can_not_be_taken_is_told_of", || {
        let folder = Folder::new("deaf");
        let socket = UnixListener::bind(folder.socket()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut bench = Bench::new();
        let listener = Listener::ANY[0];
        bench.reactor.machine.alone = false;
        bench.reactor.listen(listener, socket.into()).unwrap();
        let _peer = UnixStream::connect(folder.socket()).unwrap();
        bench.reactor.reserve.lend(usize::MAX);
        let full = fill();
        while bench.reactor.machine.heard != [(listener, false)] {
            bench.turn();
        }
        drop(full);
        while bench.reactor.machine.heard.last() != Some(&(listener, true)) {
            bench.turn();
        }
        assert!(matches!(bench.reactor.machine.inputs.front(), Some(Input::Accepted(..))));
    });
}

/// What the pieces of a turn were spent on can be told from when they were done.
#[test]
fn each_piece_of_work_is_told_of_when_it_is_done() {
    let mut bench = Bench::new();
    let (first, mut peers) = (bench.pair(), vec![]);
    peers.push(first);
    let second = bench.pair();
    peers.push(second);
    for (_, peer) in &mut peers {
        peer.write_all(b"x").unwrap();
    }
    bench.reactor.machine.pieces.clear();
    bench.turn();
    // Two were read from, then the machine settled, and then its wishes were carried out.
    let pieces = &bench.reactor.machine.pieces;
    assert_eq!(pieces.len(), 4);
    assert!(pieces.is_sorted());
}
