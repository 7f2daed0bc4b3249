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

mod shortage;

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
    fn time(&mut self, _: Instant, _: i64) {}
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
        };
        // No signal at all: other tests of this process have children, too.
        let reactor = Reactor::new(machine, SignalFd::new(&SigSet::empty()).unwrap()).unwrap();
        Bench { reactor, events: Events::with_capacity(EVENTS), stopped: Vec::new() }
    }

    /// The machine wants something, and what is told of it at once.
    fn want(&mut self, output: Output) -> Option<Input> {
        self.reactor.machine.outputs.push(output);
        self.reactor.carry_out(&mut |listener| self.stopped.push(listener));
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
        self.reactor.turn(&mut self.events, &mut |listener| self.stopped.push(listener)).unwrap();
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

#[test]
fn a_process_connects_and_is_known_by_its_credentials() {
    let folder = Folder::new("process");
    let socket = UnixListener::bind(folder.socket()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut bench = Bench::new();
    bench.reactor.listen(Listener::ANY[0], socket.into()).unwrap();
    let mut peer = UnixStream::connect(folder.socket()).unwrap();
    let Input::Accepted(listener, conn, caller) = bench.next() else { panic!("not taken") };
    assert_eq!(listener, Listener::ANY[0]);
    let pid = std::process::id().cast_signed();
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    assert_eq!(caller, Caller::Process(Credentials { pid, uid, gid }));
    exchange(&mut bench, conn, &mut peer);
    drop(peer);
    assert!(matches!(bench.next(), Input::Closed(told) if told == conn));
}

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
fn a_peer_elsewhere_connects_and_is_known_by_its_address() {
    let (socket, address) = local_tcp_listener();
    socket.set_nonblocking(true).unwrap();
    let mut bench = Bench::new();
    bench.reactor.listen(Listener::ANY[0], socket.into()).unwrap();
    let mut peers = [0; 3].map(|_| TcpStream::connect(address).unwrap());
    for peer in &mut peers {
        let Input::Accepted(listener, conn, caller) = bench.next() else { panic!("not taken") };
        assert_eq!(listener, Listener::ANY[0]);
        assert_eq!(caller, Caller::Address(peer.local_addr().unwrap()));
        assert!(bench.has(conn));
    }
    bench.want(Output::StopListening(Listener::ANY[0]));
    assert_eq!(bench.stopped, [Listener::ANY[0]]);
    assert_refused(|| TcpStream::connect(address));
}

#[test]
fn what_comes_from_an_address_is_read_and_answered() {
    let (socket, address) = local_tcp_listener();
    socket.set_nonblocking(true).unwrap();
    let mut bench = Bench::new();
    bench.reactor.listen(Listener::ANY[0], socket.into()).unwrap();
    let mut peer = TcpStream::connect(address).unwrap();
    let Input::Accepted(_, conn, _) = bench.next() else { panic!("not taken") };
    exchange(&mut bench, conn, &mut peer);
    bench.want(Output::CloseWhenSent(conn));
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    assert!(!bench.has(conn));
}

#[test]
fn the_socket_that_is_stopped_is_the_one_that_was_meant() {
    let folder = Folder::new("stopped");
    let unix = UnixListener::bind(folder.socket()).unwrap();
    unix.set_nonblocking(true).unwrap();
    let (tcp, address) = local_tcp_listener();
    tcp.set_nonblocking(true).unwrap();
    let mut bench = Bench::new();
    bench.reactor.listen(Listener::ANY[0], tcp.into()).unwrap();
    bench.reactor.listen(Listener::ANY[1], unix.into()).unwrap();
    bench.want(Output::StopListening(Listener::ANY[0]));
    assert_refused(|| TcpStream::connect(address));
    let _peer = UnixStream::connect(folder.socket()).unwrap();
    assert!(matches!(bench.next(), Input::Accepted(listener, ..) if listener == Listener::ANY[1]));
}

#[test]
fn a_connection_to_a_socket_file_is_there_at_once() {
    let folder = Folder::new("file");
    let listener = UnixListener::bind(folder.socket()).unwrap();
    let mut bench = Bench::new();
    let to = || Address::Unix(folder.socket());
    // Peers may tell connections apart by the order in which they come.
    let conns = Errand::ANY.map(|errand| bench.connected(errand, to()));
    let mut peers = conns.map(|_| listener.accept().unwrap().0);
    for (conn, peer) in conns.into_iter().zip(&mut peers) {
        exchange(&mut bench, conn, peer);
    }
    drop(listener);
    assert_refused(|| UnixStream::connect(folder.socket()));
    let refused = bench.want(Output::Connect { errand: Errand::ANY[1], to: to() });
    assert!(
        matches!(refused, Some(Input::Connecting(errand, Err(ErrorKind::ConnectionRefused))) if errand == Errand::ANY[1])
    );
    let nowhere = Address::Unix(folder.0.join("nothing"));
    let refused = bench.want(Output::Connect { errand: Errand::ANY[0], to: nowhere });
    assert!(matches!(refused, Some(Input::Connecting(_, Err(ErrorKind::NotFound)))));
    let long = Address::Unix("x".repeat(200).into());
    assert!(matches!(
        bench.want(Output::Connect { errand: Errand::ANY[0], to: long }),
        Some(Input::Connecting(_, Err(_)))
    ));
}

#[test]
fn a_connection_to_an_address_is_told_when_it_is_there() {
    let (listener, address) = local_tcp_listener();
    let mut bench = Bench::new();
    let conn = bench.connected(Errand::ANY[1], Address::Tcp(address));
    let (mut peer, _) = listener.accept().unwrap();
    exchange(&mut bench, conn, &mut peer);
}

#[test]
fn a_connection_that_is_refused_is_closed_and_told_why() {
    let (listener, address) = local_tcp_listener();
    drop(listener);
    assert_refused(|| TcpStream::connect(address));
    let mut bench = Bench::new();
    let errand = Errand::ANY[0];
    match bench.want(Output::Connect { errand, to: Address::Tcp(address) }) {
        Some(Input::Connecting(told, Ok(conn))) if told == errand => {
            let told = bench.next();
            assert!(
                matches!(told, Input::Connected(of, Err(ErrorKind::ConnectionRefused)) if of == conn),
                "{told:?}"
            );
            assert!(!bench.has(conn));
        }
        // The system may know at once.
        other => assert!(matches!(other, Some(Input::Connecting(_, Err(ErrorKind::ConnectionRefused))))),
    }
}

#[test]
fn a_connection_may_be_given_up_while_it_is_made() {
    let (_listener, address) = local_tcp_listener();
    let mut bench = Bench::new();
    let conn = bench.connecting(Errand::ANY[0], Address::Tcp(address));
    bench.want(Output::Close(conn));
    let other = bench.connected(Errand::ANY[1], Address::Tcp(address));
    assert!(!bench.has(conn) && bench.has(other));
}

#[test]
fn connections_are_handed_out_in_order_and_wait_again() {
    let (listener, address) = local_tcp_listener();
    let mut bench = Bench::new();
    let conns = Errand::ANY.map(|errand| bench.connected(errand, Address::Tcp(address)));
    let peers = conns.map(|_| listener.accept().unwrap().0);
    let output = Output::HandOut {
        errand: Errand::ANY[0],
        conns: conns.into(),
        timeout: Some(Duration::from_secs(7)),
    };
    let Some(Input::HandedOut(errand, Ok(descriptors))) = bench.want(output) else {
        panic!("not handed out")
    };
    assert_eq!((errand, descriptors.len()), (Errand::ANY[0], 2));
    for ((descriptor, peer), conn) in descriptors.into_iter().zip(peers).zip(conns) {
        assert!(!bench.has(conn));
        let flags = OFlag::from_bits_retain(fcntl(&descriptor, FcntlArg::F_GETFL).unwrap());
        assert!(!flags.contains(OFlag::O_NONBLOCK));
        let stream = TcpStream::from(descriptor);
        assert_eq!(stream.read_timeout().unwrap(), Some(Duration::from_secs(7)));
        assert_eq!(stream.write_timeout().unwrap(), Some(Duration::from_secs(7)));
        assert_eq!(stream.local_addr().unwrap(), peer.peer_addr().unwrap());
    }
}

#[test]
fn nothing_is_handed_out_if_not_all_is_there() {
    let (listener, address) = local_tcp_listener();
    let mut bench = Bench::new();
    let conns = Errand::ANY.map(|errand| bench.connected(errand, Address::Tcp(address)));
    let mut peers = conns.map(|_| listener.accept().unwrap().0);
    bench.want(Output::Close(conns[1]));
    let output = Output::HandOut { errand: Errand::ANY[1], conns: conns.into(), timeout: None };
    let told = bench.want(output);
    assert!(
        matches!(told, Some(Input::HandedOut(errand, Err(ErrorKind::NotConnected))) if errand == Errand::ANY[1])
    );
    for peer in &mut peers {
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "it is still open");
    }
}

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

/// A connection that is looked after, and its other end.
fn adopted(bench: &mut Bench, errand: Errand) -> (ConnId, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    bench.reactor.adopt(errand, ours.into(), Kind::Stream).unwrap();
    let Input::Adopted(told, Ok(conn)) = bench.next() else { panic!("not adopted") };
    assert_eq!(told, errand);
    (conn, theirs)
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

#[test]
fn what_was_said_before_the_connection_was_taken_is_read_with_it() {
    let folder = Folder::new("said");
    let listener = UnixListener::bind(folder.socket()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut bench = Bench::new();
    bench.reactor.listen(Listener::ANY[0], listener.into()).unwrap();
    let mut early = UnixStream::connect(folder.socket()).unwrap();
    early.write_all(b"request").unwrap();
    let mut late = UnixStream::connect(folder.socket()).unwrap();
    bench.reactor.turn(&mut bench.events, &mut |_| ()).unwrap();
    let inputs = &mut bench.reactor.machine.inputs;
    let Some(Input::Accepted(_, first, _)) = inputs.pop_front() else { panic!("not taken") };
    let Some(Input::Received(from, bytes)) = inputs.pop_front() else { panic!("not read") };
    assert_eq!((from, bytes), (first, b"request".to_vec()));
    let Some(Input::Accepted(_, second, _)) = inputs.pop_front() else { panic!("not taken") };
    assert!(inputs.is_empty());
    // Both are polled from now on, also for their end.
    late.write_all(b"later").unwrap();
    assert_eq!(bench.receive(second), b"later");
    drop(early);
    assert!(matches!(bench.next(), Input::Closed(conn) if conn == first));
}

/// A program that asks and does not wait for the answer, and then another one: they come in this order.
#[test]
fn who_was_there_before_is_read_before_who_comes() {
    let folder = Folder::new("before");
    let listener = UnixListener::bind(folder.socket()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut bench = Bench::new();
    bench.reactor.listen(Listener::ANY[0], listener.into()).unwrap();
    let mut before = UnixStream::connect(folder.socket()).unwrap();
    bench.reactor.turn(&mut bench.events, &mut |_| ()).unwrap();
    before.write_all(b"first").unwrap();
    drop(before);
    let mut after = UnixStream::connect(folder.socket()).unwrap();
    after.write_all(b"second").unwrap();
    let mut said = Vec::new();
    while said.len() < 2 {
        if let Input::Received(_, bytes) = bench.next() {
            said.push(bytes);
        }
    }
    assert_eq!(said, [b"first".to_vec(), b"second".to_vec()]);
}

#[test]
fn what_is_said_on_two_connections_of_one_peer_is_read_in_order() {
    let folder = Folder::new("order");
    let listener = UnixListener::bind(folder.socket()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut bench = Bench::new();
    bench.reactor.machine.alone = false;
    bench.reactor.listen(Listener::ANY[0], listener.into()).unwrap();
    let mut first = UnixStream::connect(folder.socket()).unwrap();
    first.write_all(b"first").unwrap();
    let mut second = UnixStream::connect(folder.socket()).unwrap();
    second.write_all(b"second").unwrap();
    bench.reactor.turn(&mut bench.events, &mut |_| ()).unwrap();
    let inputs = &mut bench.reactor.machine.inputs;
    assert_eq!(inputs.len(), 2);
    let Some(Input::Accepted(_, one, _)) = inputs.pop_front() else { panic!("not taken") };
    let Some(Input::Accepted(_, other, _)) = inputs.pop_front() else { panic!("not taken") };
    for (conn, bytes) in [(one, &b"first"[..]), (other, b"second")] {
        let Input::Received(from, received) = bench.next() else { panic!("not read") };
        assert_eq!((from, &received[..]), (conn, bytes));
    }
}
