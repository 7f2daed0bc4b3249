// SPDX-License-Identifier: GPL-2.0-only
//! Relay daemons of all versions, and those that fail at every possible moment. Clients get the documented codes in
//! bounded time, nobody else notices, sessions can be destroyed, nothing is left.

use std::time::Duration;

use lttng_protocol::client::{ErrorCode, SnapshotOutput};
use lttng_protocol::consumer::{RelaySocketKind, UstRequest};
use lttng_protocol::relayd::CreateSession;
use lttng_sessiond::model::NetworkOutput;
use lttng_sessiond::relayd::conversation::Refusal;
use lttng_sessiond::relayd::relay::Reached;
use lttng_sessiond::turn::ids::{ConsumerKind, SessionId};

use crate::client;
use crate::consumer;
use crate::relay::Trouble;
use crate::world::World;

/// What comes of a session whose relay daemon is in trouble: the codes of enabling an event rule twice.
fn live_with(trouble: Trouble, kinds: &[ConsumerKind], seed: Option<u64>) -> ([ErrorCode; 2], usize) {
    let mut world = World::with_consumers(kinds);
    if let Some(seed) = seed {
        world.shuffle(seed);
    }
    let app = world.start_application();
    world.relay.trouble = Some(trouble);
    world.must(&client::create_remote("s", None));
    let before = world.age();
    let enable = client::enable_event("s", "", client::rule("app:*"));
    let waiting = world.send(&enable);
    world.pump();
    // Nobody else waits.
    let at = world.age();
    world.must(&client::list_sessions());
    assert_eq!(world.age(), at, "{trouble:?}");
    let first = world.wait_for(waiting).code;
    assert!(world.age() - before <= Duration::from_secs(11), "{trouble:?}: {:?}", world.age() - before);
    let steps = world.relay.steps;
    let second = world.ask(&enable);
    let start = world.ask(&client::start("s"));
    let wanted = if first == ErrorCode::EnableConsumerFail {
        ErrorCode::CreateTraceChunkFailConsumer
    } else {
        ErrorCode::Ok
    };
    assert_eq!(start, wanted, "{trouble:?}");
    assert_eq!(world.apps[app].records(), wanted == ErrorCode::Ok);
    world.must(&client::destroy("s"));
    world.end_of_everything();
    ([first, second], steps)
}

/// Steps of reaching a relay daemon: connect, version, configuration, session, connect.
const STEPS: usize = 5;

#[test]
fn trouble_at_every_step() {
    let kinds = [Trouble::Refuse, Trouble::Die, Trouble::DieHalfway, Trouble::Stall, Trouble::Babble];
    for trouble in kinds {
        for at in 1..=STEPS + 1 {
            for seed in [None, Some(3), Some(4)] {
                let trouble = trouble(at);
                let ([first, second], _) = live_with(trouble, &[ConsumerKind::Ust64], seed);
                let connecting = at == 1 || at == STEPS;
                let code = match trouble {
                    _ if at > STEPS => ErrorCode::Ok,
                    Trouble::Babble(_) if connecting => ErrorCode::Ok,
                    // It depends on when it is noticed.
                    Trouble::Babble(_) => first,
                    Trouble::Refuse(2) => ErrorCode::RelaydVersionFail,
                    _ if at == 4 => ErrorCode::EnableConsumerFail,
                    _ => ErrorCode::RelaydConnectFail,
                };
                assert_eq!(first, code, "{trouble:?}");
                let again = if first == ErrorCode::Ok { ErrorCode::UstEventEnabled } else { ErrorCode::Ok };
                assert_eq!(second, again, "{trouble:?}");
            }
        }
    }
}

#[test]
fn two_consumer_daemons_have_connections_of_their_own() {
    let kinds = [ConsumerKind::Ust64, ConsumerKind::Ust32];
    let mut world = World::with_consumers(&kinds);
    world.must(&client::create_remote("s", None));
    world.must(&client::enable_event("s", "", client::rule("app:*")));
    assert_eq!((world.relay.sessions.len(), world.relay.addresses.len()), (2, 4));
    let given = |world: &World, kind| {
        let requests = world.consumers[&kind].requests.iter();
        let sockets = requests.filter_map(|request| match request {
            UstRequest::AddRelaySocket(socket) => Some((socket.relayd_id, socket.kind)),
            _ => None,
        });
        sockets.collect::<Vec<_>>()
    };
    let wanted = [(1, RelaySocketKind::Control), (1, RelaySocketKind::Data)];
    for kind in kinds {
        assert_eq!(given(&world, kind), wanted);
    }
    world.must(&client::start("s"));
    world.must(&client::destroy("s"));
    world.end_of_everything();
    for at in 1..=2 * STEPS {
        live_with(Trouble::Die(at), &kinds, None);
        live_with(Trouble::Stall(at), &kinds, Some(5));
    }
}

#[test]
fn every_version() {
    for minor in [1, 3, 4, 10, 11, 12, 13, 14] {
        let mut world = World::new();
        world.start_application();
        world.relay.minor = minor;
        world.must(&client::create_remote("s", None));
        world.must(&client::enable_event("s", "", client::rule("app:*")));
        world.must(&client::start("s"));
        let channel = world.consumer().channels.values().next().unwrap();
        let (pathname, relay) = (channel.asked.pathname.clone(), channel.asked.relayd_id);
        assert_eq!(relay, Some(1));
        if minor < 11 {
            assert!(pathname.starts_with("/host/s-2023"), "{pathname}");
            assert!(pathname.ends_with("//ust/uid/1000/64-bit"), "{pathname}");
        } else {
            assert_eq!(pathname, "uid/1000/64-bit");
        }
        let full = matches!(world.relay.sessions[0], CreateSession::Full(_));
        assert_eq!(full, minor >= 11);
        world.must(&client::stop("s"));
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

#[test]
fn a_consumer_daemon_that_does_not_take_the_connections() {
    let mut world = World::new();
    world.must(&client::create_remote("s", None));
    // It is greeted in three messages, then come the two connections in two each.
    for at in 4..=7 {
        let mut world = World::new();
        world.consumer().trouble = Some(consumer::Trouble::Refuse(at, 117));
        world.must(&client::create_remote("s", None));
        let enable = client::enable_event("s", "", client::rule("app:*"));
        assert_eq!(world.ask(&enable), ErrorCode::EnableConsumerFail, "at {at}");
        world.must(&enable);
        assert_eq!(world.ask(&client::start("s")), ErrorCode::CreateTraceChunkFailConsumer);
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
    for at in 4..=7 {
        let mut world = World::new();
        world.consumer().trouble = Some(consumer::Trouble::Die(at));
        world.must(&client::create_remote("s", None));
        let enable = client::enable_event("s", "", client::rule("app:*"));
        assert_eq!(world.ask(&enable), ErrorCode::NoUstconsumerd, "at {at}");
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

#[test]
fn several_clients_wait_for_the_same_relay_daemon() {
    let mut world = World::new();
    world.relay.trouble = Some(Trouble::Stall(1));
    world.must(&client::create_remote("s", None));
    let names = ["a:*", "b:*", "c:*"];
    let ids = names.map(|name| {
        let id = world.send(&client::enable_event("s", "", client::rule(name)));
        world.pump();
        id
    });
    // Only the first one is told; the second one is the next to try.
    assert_eq!(world.wait_for(ids[0]).code, ErrorCode::RelaydConnectFail);
    assert_eq!(world.wait_for(ids[1]).code, ErrorCode::Ok);
    assert_eq!(world.wait_for(ids[2]).code, ErrorCode::Ok);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn what_does_not_need_the_relay_daemon_does_not_wait_for_it() {
    let mut world = World::new();
    world.relay.trouble = Some(Trouble::Stall(2));
    world.must(&client::create_remote("s", None));
    let waiting = world.send(&client::enable_event("s", "", client::rule("app:*")));
    world.pump();
    let at = world.age();
    assert_eq!(world.ask(&client::start("s")), ErrorCode::NoChannel);
    world.must(&client::data_pending("s"));
    world.must(&client::destroy("s"));
    assert_eq!(world.wait_for(waiting).code, ErrorCode::SessNotFound);
    assert_eq!(world.age(), at);
    world.end_of_everything();
}

#[test]
fn a_client_that_leaves_while_it_waits() {
    let mut world = World::new();
    world.relay.trouble = Some(Trouble::Stall(1));
    world.must(&client::create_remote("s", None));
    let waiting = world.send(&client::enable_event("s", "", client::rule("app:*")));
    world.pump();
    world.leave(waiting);
    world.pass(Duration::from_secs(11));
    world.must(&client::enable_event("s", "", client::rule("app:*")));
    world.must(&client::start("s"));
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn the_metadata_of_a_live_session_is_there_at_once() {
    let mut world = World::new();
    world.must(&client::create_remote("s", Some(100_000)));
    world.must(&client::enable_event("s", "", client::rule("app:*")));
    world.must(&client::start("s"));
    world.start_application();
    let metadata = world.consumer().channels.values().filter(|channel| channel.set_up).count();
    assert_eq!(metadata, 1, "the channel is there before anything is pushed");
    world.ask_metadata(ConsumerKind::Ust64);
    world.pump();
    assert!(world.consumer().metadata_of(0).contains("trace {"));
    assert!(world.consumer().channels.values().all(|channel| channel.asked.live_timer == 100_000));
    world.must(&client::stop("s"));
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn a_relay_daemon_for_one_snapshot() {
    for trouble in [None, Some(Trouble::Refuse(1)), Some(Trouble::Refuse(4)), Some(Trouble::Stall(5))] {
        let mut world = World::new();
        world.create_session("s");
        world.relay.trouble = trouble;
        let session = SessionId(0);
        let id = world.daemon.state().reach_relay(session, NetworkOutput::local());
        assert_eq!(world.daemon.state().relay_reached(id), Reached::Pending);
        world.pass(Duration::from_secs(11));
        let wanted = match trouble {
            None => Reached::Yes,
            Some(Trouble::Refuse(4)) => Reached::No(Refusal::Session),
            Some(_) => Reached::No(Refusal::Unreachable),
        };
        assert_eq!(world.daemon.state().relay_reached(id), wanted);
        assert_eq!(world.consumer().relays.len(), usize::from(trouble.is_none()));
        world.daemon.state().drop_relay(id);
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

#[test]
fn a_snapshot_to_a_relay_daemon_in_trouble() {
    let kinds = [Trouble::Refuse, Trouble::Die, Trouble::DieHalfway, Trouble::Stall];
    for trouble in kinds {
        for at in 1..=STEPS + 1 {
            let mut world = World::new();
            world.must(&client::create_for_snapshots("s"));
            world.must(&client::enable_event("s", "", client::rule("app:*")));
            world.must(&client::start("s"));
            world.start_application();
            world.relay.trouble = Some(trouble(at));
            let to = |url: &str| SnapshotOutput { control_url: url.to_owned(), ..client::output() };
            let record = client::record_snapshot("s", to("net://127.0.0.1/below"));
            let code = world.ask(&record);
            let failed =
                [ErrorCode::RelaydConnectFail, ErrorCode::RelaydVersionFail, ErrorCode::EnableConsumerFail];
            if at > STEPS {
                assert_eq!(code, ErrorCode::Ok);
            } else {
                assert!(failed.contains(&code), "{:?}: {code:?}", trouble(at));
            }
            assert!(world.consumer().relays.is_empty(), "{:?}", trouble(at));
            world.relay.trouble = None;
            world.must(&record);
            world.must(&client::destroy("s"));
            world.end_of_everything();
        }
    }
}
