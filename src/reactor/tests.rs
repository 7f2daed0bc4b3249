// SPDX-License-Identifier: GPL-2.0-only
//! The reactor with real sockets, pipes and processes, and a machine that only notes what it is told.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write, pipe};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::*;
use crate::sys::socket::Credentials;
use crate::turn::machine::{Attached, Caller, Expected};
use crate::turn::output::{Address, Output, ProcessState, Program};

mod connecting;
mod descriptors;
mod listening;
mod programs;
mod shortage;
mod traffic;

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the machine was told. Errors by their kind, descriptors as they are.
#[derive(Debug)]
enum Input {
    Accepted(Listener, ConnId, Caller),
    Received(ConnId, Vec<u8>),
    Closed(ConnId),
    Spawned(Errand, Result<i32, ErrorKind>),
    Connecting(Errand, Result<ConnId, ErrorKind>),
    Connected(ConnId, Result<(), ErrorKind>),
    PipeMade(Errand, ConnId, SharedFd),
    Adopted(Errand, Result<ConnId, ErrorKind>),
    Ready(ConnId),
    HandedOut(Errand, Result<Vec<OwnedFd>, ErrorKind>),
}

#[derive(Debug)]
struct Notes {
    inputs: VecDeque<Input>,
    /// Something is to come for a peer that sends nothing more.
    owes: bool,
    /// What was told last of bytes to be sent.
    unsent: usize,
    outputs: Vec<Output>,
    /// It always wants something more.
    insatiable: bool,
    awaiting: bool,
    /// Nobody has two connections.
    alone: bool,
    patience: Instant,
    /// What is expected of everybody.
    expected: Expected,
    /// How many descriptors came with the bytes, and whether some were lost.
    attached: Vec<(usize, bool)>,
    /// What is given up for want of descriptors, in this order.
    dispensable: VecDeque<ConnId>,
    /// What was found of processes.
    inspected: Vec<ProcessState>,
    /// When the turn began, and when its pieces of work were done.
    woke: Option<Instant>,
    pieces: Vec<Instant>,
    /// Who could be taken, or not.
    heard: Vec<(Listener, bool)>,
}

impl Notes {
    fn note(&mut self, input: Input) {
        self.inputs.push_back(input);
    }
}

fn kind<T>(result: io::Result<T>) -> Result<T, ErrorKind> {
    result.map_err(|error| error.kind())
}

impl Machine for Notes {
    fn time(&mut self, now: Instant, _: i64) {
        self.woke = Some(now);
    }
    fn worked(&mut self, until: Instant) {
        assert!(self.woke.is_some_and(|woke| woke <= until), "work before the turn began");
        self.pieces.push(until);
    }
    fn complain(&mut self, _: Level, _: fmt::Arguments<'_>) {}
    fn hears(&mut self, listener: Listener, able: bool) {
        self.heard.push((listener, able));
    }
    fn accepted(&mut self, listener: Listener, conn: ConnId, caller: Caller) {
        self.note(Input::Accepted(listener, conn, caller));
    }
    fn stands_alone(&self, _: Listener) -> bool {
        self.alone
    }
    fn expected(&self, _: ConnId) -> Expected {
        self.expected
    }
    fn make_room(&mut self) -> bool {
        let given_up = self.dispensable.pop_front();
        self.outputs.extend(given_up.map(Output::Close));
        given_up.is_some()
    }
    fn received(&mut self, conn: ConnId, bytes: &[u8], attached: Attached) {
        self.attached.push((attached.descriptors.len(), attached.lost));
        self.note(Input::Received(conn, bytes.to_vec()));
    }
    fn unsent(&mut self, _: ConnId, bytes: usize) {
        self.unsent = bytes;
    }
    fn awaits(&self, _: ConnId) -> bool {
        self.awaiting
    }
    fn ended(&mut self, _: ConnId) -> bool {
        self.owes
    }
    fn closed(&mut self, conn: ConnId) {
        self.note(Input::Closed(conn));
    }
    fn spawned(&mut self, errand: Errand, result: io::Result<i32>) {
        self.note(Input::Spawned(errand, kind(result)));
    }
    fn child_ended(&mut self, pid: i32) {
        panic!("no signal is listened to, but {pid} was waited for");
    }
    fn connecting(&mut self, errand: Errand, result: io::Result<ConnId>) {
        self.note(Input::Connecting(errand, kind(result)));
    }
    fn connected(&mut self, conn: ConnId, result: io::Result<()>) {
        self.note(Input::Connected(conn, kind(result)));
    }
    fn pipe_made(&mut self, errand: Errand, result: io::Result<(ConnId, SharedFd)>) {
        let (conn, writing) = result.unwrap();
        self.note(Input::PipeMade(errand, conn, writing));
    }
    fn adopted(&mut self, errand: Errand, result: io::Result<ConnId>) {
        self.note(Input::Adopted(errand, kind(result)));
    }
    fn ready(&mut self, conn: ConnId) {
        self.note(Input::Ready(conn));
    }
    fn handed_out(&mut self, errand: Errand, result: io::Result<Vec<OwnedFd>>) {
        self.note(Input::HandedOut(errand, kind(result)));
    }
    fn inspected(&mut self, _: ConnId, state: ProcessState) {
        self.inspected.push(state);
    }
    fn end(&mut self) {}
    fn next_deadline(&self) -> Option<Instant> {
        Some(self.patience)
    }
    fn settle(&mut self) {}
    fn take_outputs(&mut self) -> Vec<Output> {
        if self.insatiable {
            self.outputs.push(Output::Close(ConnId(u64::MAX)));
        }
        std::mem::take(&mut self.outputs)
    }
}

/// What is not listened to any more.
fn note(stopped: &mut Vec<Listener>, told: Told) {
    if let Told::Stopped(listener) = told {
        stopped.push(listener);
    }
}

/// A reactor with its machine, one step at a time.
struct Bench {
    reactor: Reactor<Notes>,
    events: Events,
    stopped: Vec<Listener>,
}

impl Bench {
    fn new() -> Self {
        let patience = Instant::now() + PATIENCE;
        let machine = Notes {
            inputs: VecDeque::new(),
            owes: false,
            unsent: 0,
            outputs: Vec::new(),
            insatiable: false,
            awaiting: false,
            alone: true,
            patience,
            expected: Expected::BYTES,
            attached: Vec::new(),
            dispensable: VecDeque::new(),
            inspected: Vec::new(),
            woke: None,
            pieces: Vec::new(),
            heard: Vec::new(),
        };
        // No signal at all: other tests of this process have children, too.
        let reactor = Reactor::new(machine, SignalFd::new(&SigSet::empty()).unwrap()).unwrap();
        Bench { reactor, events: Events::with_capacity(EVENTS), stopped: Vec::new() }
    }

    /// The machine wants something, and what is told of it at once.
    fn want(&mut self, output: Output) -> Option<Input> {
        self.reactor.machine.outputs.push(output);
        self.reactor.carry_out(&mut |told| note(&mut self.stopped, told));
        self.reactor.machine.inputs.pop_front()
    }

    /// The next that the machine is told, which must come.
    fn next(&mut self) -> Input {
        loop {
            if let Some(input) = self.reactor.machine.inputs.pop_front() {
                return input;
            }
            self.turn();
        }
    }

    /// Waits until something happens.
    fn turn(&mut self) {
        assert!(Instant::now() < self.reactor.machine.patience, "nothing happens");
        self.reactor.turn(&mut self.events, &mut |told| note(&mut self.stopped, told)).unwrap();
    }

    fn connecting(&mut self, errand: Errand, to: Address) -> ConnId {
        match self.want(Output::Connect { errand, to }) {
            Some(Input::Connecting(told, Ok(conn))) if told == errand => conn,
            other => panic!("{other:?}"),
        }
    }

    fn connected(&mut self, errand: Errand, to: Address) -> ConnId {
        let conn = self.connecting(errand, to);
        assert!(matches!(self.next(), Input::Connected(told, Ok(())) if told == conn));
        conn
    }

    fn receive(&mut self, conn: ConnId) -> Vec<u8> {
        match self.next() {
            Input::Received(from, bytes) if from == conn => bytes,
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, to: ConnId, bytes: &[u8]) {
        let told = self.want(Output::Send { to, bytes: bytes.to_vec(), descriptors: Vec::new() });
        assert!(told.is_none(), "{told:?}");
    }

    /// Whether a descriptor is looked after.
    fn has(&self, conn: ConnId) -> bool {
        self.reactor.sources.contains_key(&conn)
    }
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("reactor-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn exchange(bench: &mut Bench, conn: ConnId, peer: &mut (impl Read + Write)) {
    peer.write_all(b"question").unwrap();
    assert_eq!(bench.receive(conn), b"question");
    bench.send(conn, b"answer");
    let mut answer = [0; 6];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
}

/// At an address of its own: a port that is closed must not be somebody else's meanwhile.
fn local_tcp_listener() -> (TcpListener, SocketAddr) {
    static LAST: AtomicU8 = AtomicU8::new(1);
    let host = Ipv4Addr::new(127, 0, 1, LAST.fetch_add(1, Ordering::Relaxed));
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Nobody takes connections there any more. It may take a moment: a child that another test forked has the listening
/// socket until it runs its own program.
fn assert_refused<T>(connect: impl Fn() -> io::Result<T>) {
    let limit = Instant::now() + PATIENCE;
    while !connect().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
        assert!(Instant::now() < limit, "connections are still taken");
        std::thread::yield_now();
    }
}

/// A connection that is looked after, and its other end.
fn adopted(bench: &mut Bench, errand: Errand) -> (ConnId, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    bench.reactor.adopt(errand, ours.into(), Kind::Stream).unwrap();
    let Input::Adopted(told, Ok(conn)) = bench.next() else { panic!("not adopted") };
    assert_eq!(told, errand);
    (conn, theirs)
}
