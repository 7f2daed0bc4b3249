// SPDX-License-Identifier: GPL-2.0-only
//! Clients that hold more than their user may.

use std::time::Instant;

use lttng_protocol::client::{Body, Header};

use super::*;
use crate::accounts::{Limit, Limits, Resource};
use crate::model::{KernelRule, KernelRuleKind, ProgramPlace};
use crate::state::Settings;
use crate::turn::ids::RuleId;
use crate::turn::output::SharedFd;

struct World {
    state: State,
    triggers: Triggers,
    tasks: Tasks,
    clients: Clients,
    next: u64,
}

impl World {
    fn new(limits: Limits) -> Self {
        let settings = Settings { limits, ..Settings::for_tests() };
        let state = State::new(settings, Instant::now(), 0);
        let triggers = Triggers::new(1, 1);
        World { state, triggers, tasks: Tasks::default(), clients: Clients::default(), next: 0 }
    }

    fn connect(&mut self, uid: u32) -> Option<ConnId> {
        let conn = ConnId(self.next);
        self.next += 1;
        self.clients.accepted(&mut self.state, conn, Credentials { pid: 1, uid, gid: uid });
        let closed = self.state.turn.outputs.take().iter().any(|output| matches!(output, Output::Close(_)));
        assert_eq!(self.clients.has(conn), !closed);
        (!closed).then_some(conn)
    }

    /// What became of the connection after it said this: `None` if it goes on.
    fn say(&mut self, conn: ConnId, bytes: &[u8]) -> Option<&'static str> {
        let World { state, triggers, tasks, clients, .. } = self;
        clients.received(state, triggers, tasks, conn, bytes, Attached::default());
        let outputs = self.state.turn.outputs.take();
        let answered = outputs.iter().any(|output| matches!(output, Output::Send { .. }));
        let closed = outputs.iter().any(|output| matches!(output, Output::Close(_)));
        if answered { Some("answered") } else { closed.then_some("closed") }
    }
}

fn request() -> Vec<u8> {
    let (header, payload) = Body::ListSessions.encode("", 0, 0);
    [header.encode(), payload].concat()
}

#[test]
fn who_holds_too_many_connections_locks_out_nobody_else() {
    let limit = Limit { user: 2, all: 10 };
    let mut world = World::new(Limits::for_applications(10, 10).with(Resource::Connections, limit));
    let first = world.connect(1000).unwrap();
    let second = world.connect(1000).unwrap();
    assert_eq!(world.connect(1000), None);
    let other = world.connect(1001).unwrap();
    assert_eq!(world.say(other, &request()), Some("answered"));
    assert_eq!(world.say(first, &request()), Some("answered"));
    assert!(world.connect(1000).is_some(), "there is room when a connection is gone");
    world.clients.closed(&mut world.state, second);
    assert!(world.connect(1000).is_some());
    world.clients.close_all(&mut world.state);
    assert_eq!(world.state.accounts.total().of(Resource::Connections), 0);
}

#[test]
fn what_is_half_received_is_charged_until_it_is_whole() {
    let limit = Limit { user: 2 * Header::LEN as u64 - 1, all: u64::MAX };
    let mut world = World::new(Limits::for_applications(10, 10).with(Resource::Memory, limit));
    let conns: Vec<ConnId> = (0..3).map(|_| world.connect(1000).unwrap()).collect();
    let request = request();
    let (most, last) = request.split_at(request.len() - 1);
    assert_eq!(world.say(conns[0], most), None);
    assert_eq!(world.say(conns[1], most), None);
    assert_eq!(world.say(conns[2], most), Some("closed"), "there is no room for a third half");
    assert_eq!(world.say(conns[1], last), Some("answered"));
    assert_eq!(world.say(conns[0], last), Some("answered"));
    assert_eq!(world.state.accounts.total().of(Resource::Memory), 0);
}

#[test]
fn replies_are_charged_until_they_are_read() {
    let limit = Limit { user: 20_000, all: u64::MAX };
    let mut world = World::new(Limits::for_applications(10, 10).with(Resource::Memory, limit));
    let (name, path) = ("s".to_owned(), "/t".to_owned());
    let output = lttng_protocol::client::SessionOutput::Local(Some(path));
    let descriptor = lttng_protocol::client::SessionDescriptor {
        kind: lttng_protocol::client::SessionKind::Regular,
        name: Some(name),
        output,
    };
    let (header, payload) = Body::CreateSession { home: None, descriptor }.encode("", 0, 0);
    let creator = world.connect(0).unwrap();
    assert_eq!(world.say(creator, &[header.encode(), payload].concat()), Some("answered"));
    // The replies stay in the queue of the reactor, a few of which are all that there may be.
    let mut replies = Vec::new();
    let mut ask = |world: &mut World| {
        let conn = world.connect(0).unwrap();
        let World { state, triggers, tasks, clients, .. } = world;
        clients.received(state, triggers, tasks, conn, &request(), Vec::new().into());
        replies.push(world.state.turn.outputs.take());
        let reply = replies.last().unwrap().iter().find_map(|output| match output {
            Output::Send { bytes, .. } => Some(i32::from_ne_bytes(bytes[4..8].try_into().unwrap())),
            _ => None,
        });
        (reply.unwrap(), world.state.accounts.total().of(Resource::Connections))
    };
    let (code, connections) = ask(&mut world);
    assert!((code, connections) == (10, 1), "{code} {connections}");
    let mut answered = 0;
    while ask(&mut world).0 == 10 {
        answered += 1;
        assert!(answered < 10, "no limit");
    }
    assert!(world.state.accounts.total().of(Resource::Memory) <= 20_000);
    drop(replies);
    assert_eq!(world.state.accounts.total().of(Resource::Memory), 0);
    assert_eq!(world.state.accounts.total().of(Resource::Connections), 0);
}

/// A client reads the bytes of a reply, and then one more with the descriptors.
#[test]
fn descriptors_follow_the_reply_on_a_byte_of_their_own() {
    let mut world = World::new(Limits::for_applications(10, 10));
    let conn = world.connect(0).unwrap();
    // Any request on which a task goes on.
    let (header, _) = Body::ListTracepoints.encode("", 2, 0);
    assert_eq!(world.say(conn, &header.encode()), None);
    let file: SharedFd = std::rc::Rc::new(std::fs::File::open("/dev/null").unwrap().into());
    let place = ProgramPlace::Function { binary: "/b".into(), function: "main".into() };
    let rule = KernelRule {
        id: RuleId(0),
        name: "u".into(),
        kind: KernelRuleKind::UserspaceProbe { place, offsets: vec![1] },
        filter: None,
        enabled: true,
    };
    world.clients.tell(&mut world.state, conn, Ok(Answer::KernelRules(vec![(rule, Some(file))])));
    let outputs = world.state.turn.outputs.take();
    let [
        Output::Send { bytes, descriptors: none, .. },
        Output::Send { bytes: one, descriptors, .. },
        Output::Supply { .. },
        Output::CloseWhenSent(_),
    ] = outputs.as_slice()
    else {
        panic!("{outputs:?}")
    };
    assert_eq!((lttng_protocol::client::Reply::decode(bytes).unwrap().fd_count, none.len()), (1, 0));
    assert_eq!((one.as_slice(), descriptors.len()), (&[0][..], 1));
}
