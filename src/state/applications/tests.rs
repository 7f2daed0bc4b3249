// SPDX-License-Identifier: GPL-2.0-only
//! Who becomes an application, and what its user is charged until it is gone.

use std::time::Instant;

use lttng_protocol::ust::registration::{Alignments, ByteOrder, Registration, SocketKind};

use super::*;
use crate::accounts::{Accounts, Limit, Limits};
use crate::state::Settings;
use crate::turn::ids::ConnId;
use crate::turn::machine::Attached;

const ALICE: u32 = 1000;
const BOB: u32 = 1001;

/// Takes two applications, but one only of each user.
fn state() -> State {
    let settings = Settings { limits: Limits::for_applications(2, 1), ..Settings::for_tests() };
    State::new(settings, Instant::now(), 0)
}

fn registration(socket: SocketKind) -> Vec<u8> {
    let alignments = Alignments { uint8: 8, uint16: 16, uint32: 32, uint64: 64, long: 64 };
    let registration = Registration {
        byte_order: ByteOrder::NATIVE,
        major: 9,
        minor: 0,
        pid: 1,
        ppid: 1,
        uid: 0,
        gid: 0,
        bits_per_long: 64,
        alignments,
        socket,
        name: "app".into(),
    };
    registration.encode()
}

/// Connects, and says whether it was let in.
fn connects(state: &mut State, conn: u64, uid: u32) -> bool {
    let pid = i32::try_from(uid + 1).unwrap();
    state.application_connected(ConnId(conn), Credentials { pid, uid, gid: uid });
    state.roles.contains_key(&ConnId(conn))
}

fn charged(state: &State, uid: u32) -> u64 {
    state.accounts.usage(uid).of(Resource::Applications)
}

#[test]
fn each_connection_counts_until_it_or_its_application_is_gone() {
    let mut state = state();
    assert!(connects(&mut state, 1, ALICE) && connects(&mut state, 2, ALICE));
    assert!(!connects(&mut state, 3, ALICE), "one application of each user");
    state.received(ConnId(1), &registration(SocketKind::Command), Attached::default());
    state.received(ConnId(2), &registration(SocketKind::Notify), Attached::default());
    assert_eq!(state.applications.all.len(), 1);
    assert_eq!(charged(&state, ALICE), 2);
    // It has two connections for good, also if it closes the second.
    state.closed(ConnId(2));
    assert!(!connects(&mut state, 4, ALICE));
    assert!(connects(&mut state, 5, BOB) && connects(&mut state, 6, BOB));
    assert!(!connects(&mut state, 7, 0), "two applications of all users");
    state.closed(ConnId(1));
    assert_eq!(charged(&state, ALICE), 0);
    assert!(connects(&mut state, 8, 0));
    // Who talks nonsense, and who says nothing, is not kept either.
    state.received(ConnId(5), &[0; Registration::LEN], Attached::default());
    assert_eq!(charged(&state, BOB), 1);
    state.expired(Timer::Connection(ConnId(6)));
    assert_eq!(charged(&state, BOB), 0);
    state.closed(ConnId(8));
    assert_eq!(state.accounts.users().count(), 0);
}

/// An application of this user.
fn registered(state: &mut State, conns: [u64; 2], uid: u32) -> AppId {
    for (conn, socket) in conns.into_iter().zip([SocketKind::Command, SocketKind::Notify]) {
        assert!(connects(state, conn, uid));
        state.received(ConnId(conn), &registration(socket), Vec::new().into());
    }
    AppId(ConnId(conns[0]))
}

fn memory(state: &State, uid: u32) -> u64 {
    state.accounts.usage(uid).of(Resource::Memory)
}

#[test]
fn who_makes_the_daemon_hold_too_much_is_dropped_and_nobody_else() {
    let mut state = state();
    state.accounts = Accounts::new(
        Limits::for_applications(4, 2).with(Resource::Memory, Limit { user: 1000, all: 10_000 }),
    );
    let apps = [[1, 2], [3, 4]].map(|conns| registered(&mut state, conns, ALICE));
    let other = registered(&mut state, [5, 6], BOB);
    // Half a request here, unread answers there.
    let half = [&2u32.to_ne_bytes()[..], &[0; 296]].concat();
    state.received(ConnId(2), &half[..200], Vec::new().into());
    state.unsent(ConnId(4), 700);
    state.unsent(ConnId(3), 100);
    assert_eq!((memory(&state, ALICE), state.applications.all.len()), (1000, 3));
    state.unsent(ConnId(4), 300);
    state.unsent(ConnId(4), 500);
    assert_eq!(memory(&state, ALICE), 800);
    state.unsent(ConnId(5), 900);
    state.unsent(ConnId(3), 301);
    assert!(!state.applications.all.contains_key(&apps[1]), "its user has no more");
    assert!(state.applications.all.contains_key(&apps[0]) && state.applications.all.contains_key(&other));
    assert_eq!((memory(&state, ALICE), memory(&state, BOB)), (200, 900));
    state.closed(ConnId(1));
    state.closed(ConnId(5));
    assert_eq!(state.accounts.total().of(Resource::Memory), 0);
}

#[test]
fn only_connections_of_the_same_user_and_group_make_an_application() {
    let process = |uid, gid| Credentials { pid: 7, uid, gid };
    for other in [process(BOB, ALICE), process(ALICE, BOB)] {
        let mut state = state();
        state.application_connected(ConnId(1), process(ALICE, ALICE));
        state.application_connected(ConnId(2), other);
        state.received(ConnId(1), &registration(SocketKind::Command), Attached::default());
        state.received(ConnId(2), &registration(SocketKind::Notify), Attached::default());
        assert!(state.applications.all.is_empty(), "{other:?} was taken for the same process");
        assert!(!state.roles.contains_key(&ConnId(2)));
        // The one that came first still waits for its counterpart.
        state.application_connected(ConnId(3), process(ALICE, ALICE));
        state.received(ConnId(3), &registration(SocketKind::Notify), Attached::default());
        assert_eq!(state.applications.all.len(), 1);
    }
}
