// SPDX-License-Identifier: GPL-2.0-only
//! Connections that the machine asks for: made, refused, given up, handed out.

use super::*;

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
