// SPDX-License-Identifier: GPL-2.0-only
//! Clients of all kinds: each complete request gets exactly one reply.

use std::time::Duration;

use lttng_protocol::client::{ErrorCode, Header, Session};

use crate::client::{self, Request};
use crate::script;
use crate::world::{ClientId, USER, World};
use lttng_sessiond::turn::machine::{Attached, Machine};

#[test]
fn a_request_in_single_bytes() {
    let mut world = World::new();
    for request in [client::create("s"), client::enable_event("s", "", client::rule("app:*"))] {
        let id = world.connect(USER);
        let conn = world.clients[id.0].conn;
        for byte in request.bytes() {
            assert!(!world.clients[id.0].ended);
            world.say(conn, &[byte]);
            world.pump();
        }
        assert_eq!(world.wait_for(id).code, ErrorCode::Ok);
    }
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn a_rule_that_is_refused_leaves_no_channel_behind() {
    let mut world = World::new();
    world.must(&client::create("s"));
    for (channel, rule, code) in [
        ("metadata", "app:*", ErrorCode::InvalidChannelName),
        ("c", "lttng_jul:*", ErrorCode::InvalidEventName),
    ] {
        let refused = client::per_process(client::enable_event("s", channel, client::rule(rule)));
        let id = world.send(&refused);
        assert_eq!(world.wait_for(id).code, code);
    }
    // After a channel with a name, the next one would have to have one, and the same kind of buffers.
    world.must(&client::enable_event("s", "", client::rule("app:*")));
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn half_a_request_is_dropped_after_ten_seconds() {
    let mut world = World::new();
    let whole = client::create("s").bytes();
    let lengths = [0, 1, Header::LEN / 2, Header::LEN - 1, Header::LEN, whole.len() - 1];
    let ids = lengths.map(|length| {
        let id = world.connect(USER);
        world.say(world.clients[id.0].conn, &whole[..length]);
        id
    });
    world.pass(Duration::from_millis(9_900));
    world.must(&client::list_sessions());
    assert!(ids.iter().all(|id| !world.clients[id.0].ended));
    world.pass(Duration::from_millis(200));
    for id in ids {
        assert!(world.clients[id.0].ended);
        assert_eq!(world.clients[id.0].reply(), None);
        world.clients[id.0].left = true;
    }
    world.end_of_everything();
}

#[test]
fn who_sends_no_more_after_its_request_is_answered_all_the_same() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    let app = world.start_application();
    world.apps[app].hung = true;
    let served = world.send(&client::start("s"));
    let waiting = world.send(&client::stop("s"));
    let half = world.connect(USER);
    world.say(world.clients[half.0].conn, &[0]);
    world.pump();
    assert!(world.shut_down(served) && world.shut_down(waiting));
    assert!(!world.shut_down(half), "its request will never be whole");
    world.leave(half);
    world.resume(app);
    assert_eq!(world.wait_for(served).code, ErrorCode::Ok);
    assert_eq!(world.wait_for(waiting).code, ErrorCode::Ok);
    assert!(!world.shut_down(served), "nothing more is owed");
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

/// What was asked is answered before it is known that nothing more comes, and the answer is still on its way here.
#[test]
fn who_sends_no_more_is_owed_an_answer_until_it_is_on_its_way() {
    let mut world = World::new();
    let id = world.connect(USER);
    let conn = world.clients[id.0].conn;
    world.daemon.received(conn, &client::list_sessions().bytes(), Attached::default());
    assert!(world.shut_down(id));
    assert_eq!(world.wait_for(id).code, ErrorCode::Ok);
    assert!(!world.shut_down(id));
    world.end_of_everything();
}

#[test]
fn garbage() {
    for length in [1, Header::LEN, 2 * Header::LEN, 100_000] {
        let mut world = World::new();
        for byte in [0x00, 0x01, 0x7F, 0xEE, 0xFF] {
            let id = world.connect(USER);
            world.say(world.clients[id.0].conn, &vec![byte; length]);
            world.pump();
            world.must(&client::list_sessions());
            world.clients[id.0].left = true;
        }
        world.pass(Duration::from_secs(11));
        world.end_of_everything();
    }
}

/// Commands whose payload has a length in the header, and where that is.
const LENGTHS: [(u32, usize); 7] = [(0, 256), (3, 256), (5, 0), (6, 256), (32, 16), (43, 0), (52, 0)];

#[test]
fn payloads_that_are_too_long() {
    let mut world = World::new();
    world.create_session("s");
    for (command, offset) in LENGTHS {
        for length in [70_000u32, 1_500_000, 4 << 20, (4 << 20) + 1, u32::MAX] {
            let Request { mut header, .. } = client::bare(command, "s", 2);
            header.parameters[offset..offset + 4].copy_from_slice(&length.to_ne_bytes());
            let id = world.connect(USER);
            let conn = world.clients[id.0].conn;
            world.say(conn, &header.encode());
            world.pump();
            if length <= 4 << 20 {
                assert!(!world.clients[id.0].ended, "it is read to its end first");
                for piece in vec![0; length as usize].chunks(60_000) {
                    world.say(conn, piece);
                    world.pump();
                }
                assert_ne!(world.wait_for(id).code, ErrorCode::Ok);
            } else {
                assert!(world.clients[id.0].ended, "cut off at once");
                world.clients[id.0].left = true;
            }
        }
    }
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn every_command_without_content_gets_one_reply() {
    for started in [false, true] {
        let mut world = World::new();
        world.start_application();
        for command in 0..=60 {
            for domain in 0..=6 {
                if world.ask(&client::create("s")) == ErrorCode::Ok {
                    world.must(&client::enable_event("s", "c", client::rule("app:*")));
                }
                if started {
                    world.ask(&client::start("s"));
                }
                for session in ["s", "unknown", ""] {
                    world.ask(&client::bare(command, session, domain));
                    world.must(&client::list_sessions());
                }
            }
        }
        world.ask(&client::destroy("s"));
        world.check_applications();
        world.end_of_everything();
    }
}

#[test]
fn announced_descriptors_that_never_come() {
    let mut world = World::new();
    let mut request = client::list_sessions();
    request.header.fd_count = 1;
    let id = world.send(&request);
    world.pass(Duration::from_secs(9));
    assert!(!world.clients[id.0].ended);
    world.pass(Duration::from_secs(2));
    assert!(world.clients[id.0].ended);
    world.clients[id.0].left = true;
    world.end_of_everything();
}

#[test]
fn a_client_that_leaves_right_after_its_request() {
    let mut world = World::new();
    let app = world.start_application();
    let expected = [
        (client::create("s"), 0),
        (client::enable_event("s", "", client::rule("app:*")), 0),
        (client::start("s"), 1),
    ];
    for (request, recording) in expected {
        let id = world.send(&request);
        world.leave(id);
        world.pass(Duration::from_millis(10));
        assert_eq!(usize::from(world.apps[app].records()), recording);
    }
    let id = world.send(&client::destroy("s"));
    world.leave(id);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.apps[app].objects(), 0);
    assert_eq!(world.ask(&client::stop("s")), ErrorCode::SessNotFound);
    world.end_of_everything();
}

#[test]
fn requests_that_have_to_wait_are_done_although_their_clients_leave() {
    let mut world = World::new();
    world.create_session("s");
    let app = world.start_application();
    world.apps[app].hung = true;
    let started = world.send(&client::start("s"));
    world.pass(Duration::from_millis(10));
    let (stopped, destroyed) = (world.send(&client::stop("s")), world.send(&client::destroy("s")));
    world.pump();
    world.leave(stopped);
    world.leave(destroyed);
    world.pass(Duration::from_millis(10));
    world.resume(app);
    assert_eq!(world.wait_for(started).code, ErrorCode::Ok);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.apps[app].objects(), 0);
    assert_eq!(world.ask(&client::stop("s")), ErrorCode::SessNotFound);
    world.end_of_everything();
}

#[test]
fn commands_on_one_session_go_one_after_the_other() {
    let mut world = World::new();
    world.create_session("s");
    let app = world.start_application();
    world.apps[app].hung = true;
    let requests = [
        client::start("s"),
        client::enable_event("s", "", client::rule("other:*")),
        client::stop("s"),
        client::start("s"),
        client::list_channels("s"),
        client::destroy("s"),
    ];
    let ids: Vec<ClientId> = requests
        .iter()
        .map(|request| {
            let id = world.send(request);
            world.pump();
            id
        })
        .collect();
    let before = world.replied.len();
    world.must(&client::list_sessions());
    world.must(&client::create("other"));
    world.resume(app);
    for &id in &ids {
        assert_eq!(world.wait_for(id).code, ErrorCode::Ok);
    }
    assert_eq!(world.replied[before + 2..], ids);
    world.check_applications();
    world.must(&client::destroy("other"));
    world.end_of_everything();
}

#[test]
fn other_users_see_and_touch_nothing() {
    let mut world = World::new();
    world.create_session("s");
    let as_other = |world: &mut World, request: &Request| {
        let id = world.connect(USER + 1);
        world.say(world.clients[id.0].conn, &request.bytes());
        world.wait_for(id)
    };
    let listed = as_other(&mut world, &client::list_sessions());
    assert_eq!(Session::decode_list(&listed.payload).unwrap(), []);
    for request in [client::start("s"), client::destroy("s"), client::list_channels("s")] {
        assert_eq!(as_other(&mut world, &request).code, ErrorCode::Eperm);
    }
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn a_crowd_of_clients_in_disorder() {
    for seed in 1..20 {
        let mut world = World::new();
        world.shuffle(seed);
        for _ in 0..3 {
            world.launch();
        }
        let ids: Vec<ClientId> = script::commands().iter().map(|(_, request)| world.send(request)).collect();
        for id in ids {
            world.wait_for(id);
        }
        world.ask(&client::destroy(script::SESSION));
        world.check_applications();
        world.end_of_everything();
    }
}
