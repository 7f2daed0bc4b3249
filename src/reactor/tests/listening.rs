// SPDX-License-Identifier: GPL-2.0-only
//! Peers that connect to a socket which is listened to.

use std::net::SocketAddr;

use super::*;
use crate::sys::connection_owner::ConnectionOwners;

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
        assert_eq!(caller, Caller::Address(peer.local_addr().unwrap(), None));
        assert!(bench.has(conn));
    }
    bench.want(Output::StopListening(Listener::ANY[0]));
    assert_eq!(bench.stopped, [Listener::ANY[0]]);
    assert_refused(|| TcpStream::connect(address));
}

#[test]
fn whose_process_connects_over_tcp_is_told_as_far_as_the_kernel_knows() {
    let (socket, address) = local_tcp_listener();
    socket.set_nonblocking(true).unwrap();
    let SocketAddr::V4(here) = address else { panic!("{address}") };
    // A kernel without this may be in use; then nothing can be tested.
    let Ok(owners) = ConnectionOwners::open(here) else { return };
    let mut bench = Bench::new();
    bench.reactor.listen(Listener::ANY[0], Socket::Tcp(socket, Some(owners))).unwrap();
    let peers = [0; 3].map(|_| TcpStream::connect(address).unwrap());
    let gone = TcpStream::connect(address).unwrap();
    let gone_address = gone.local_addr().unwrap();
    drop(gone);
    let me = Some(nix::unistd::getuid().as_raw());
    for peer in &peers {
        let Input::Accepted(_, _, caller) = bench.next() else { panic!("not taken") };
        assert_eq!(caller, Caller::Address(peer.local_addr().unwrap(), me));
    }
    let Input::Accepted(_, _, caller) = bench.next() else { panic!("not taken") };
    assert_eq!(caller, Caller::Address(gone_address, None), "no process has it any more");
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
