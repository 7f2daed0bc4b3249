// SPDX-License-Identifier: GPL-2.0-only
//! Descriptors and memory that there is no room for, and clients that leave none to others. What a shortage spoils is
//! reported, and nothing of it is left when it is over.

use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_sessiond::accounts::{Limit, Limits, Resource};
use lttng_sessiond::turn::machine::{Expected, Machine};

use crate::client;
use crate::wire::Peer;
use crate::world::{ClientId, USER, World};

/// The consumer daemon's messages with descriptors come after the helper's first one: the wake-up pipe of a channel, then
/// its two streams.
const LOSSES: [fn(&Peer, usize) -> bool; 4] =
    [|peer, _| !matches!(peer, Peer::Helper), |_, at| at == 1, |_, at| at == 2, |_, at| at == 3];

/// Channels that an application has, in all sessions.
fn channels(world: &World, app: usize) -> usize {
    world.apps[app].holdings().values().map(|holding| holding.channels.len()).sum()
}

#[test]
fn buffers_that_arrive_without_their_descriptors_cost_that_session_only() {
    for (number, is_full) in LOSSES.into_iter().enumerate() {
        for seed in [None, Some(7)] {
            let mut world = World::new();
            seed.into_iter().for_each(|seed| world.shuffle(seed));
            let app = world.start_application();
            world.create_session_with_channel("s");
            world.is_full = is_full;
            world.deliveries = 0;
            // The client is told.
            assert_eq!(world.ask(&client::start("s")), ErrorCode::Unk);
            world.pump();
            let why = format!("loss {number}");
            assert!(world.deliveries > 1 && world.consumer().running, "{why}");
            assert_eq!(channels(&world, app), 0, "{why}");
            world.is_full = |_, _| false;
            // Everything works again, with the same consumer daemon.
            world.create_session_with_channel("t");
            world.must(&client::start("t"));
            assert!(channels(&world, app) > 0, "{why}");
            world.must(&client::stop("t"));
            for session in ["s", "t"] {
                world.must(&client::destroy(session));
            }
            world.end_of_everything();
        }
    }
}

#[test]
fn a_folder_that_the_helper_could_not_hand_over_fails_the_command_and_only_that() {
    let mut world = World::new();
    let app = world.start_application();
    world.create_session_with_channel("s");
    world.is_full = |_, _| true;
    assert_eq!(world.ask(&client::start("s")), ErrorCode::CreateDirFail);
    world.is_full = |_, _| false;
    world.must(&client::start("s"));
    assert!(world.apps[app].records());
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

/// A request that says that it brings so many descriptors.
fn with_descriptors(world: &mut World, count: u32) -> ClientId {
    let mut request = client::list_sessions();
    request.header.fd_count = count;
    let id = world.connect(USER);
    world.say(world.clients[id.0].conn, &request.bytes());
    id
}

fn charged(world: &mut World) -> u64 {
    world.daemon.state().accounts.usage(USER).of(Resource::Descriptors)
}

#[test]
fn a_client_can_hand_in_what_it_has_announced() {
    let mut world = World::new();
    let id = world.connect(USER);
    let conn = world.clients[id.0].conn;
    let expected = world.daemon.expected(conn);
    assert_eq!((expected.descriptors, expected.irreplaceable), (0, false));
    world.leave(id);
    for (is_full, code) in [(false, ErrorCode::Ok), (true, ErrorCode::Nomem)] {
        let id = with_descriptors(&mut world, 2);
        let conn = world.clients[id.0].conn;
        world.pump();
        assert_eq!(world.daemon.expected(conn), Expected { descriptors: 2, ..Expected::BYTES });
        assert_eq!(charged(&mut world), 2);
        world.is_full = if is_full { |_, _| true } else { |_, _| false };
        let null = || std::fs::File::open("/dev/null").unwrap().into();
        world.hand_in(conn, vec![null(), null()]);
        assert_eq!(world.wait_for(id).code, code);
        assert_eq!(charged(&mut world), 0);
    }
    world.end_of_everything();
}

#[test]
fn a_client_that_announces_more_than_its_user_may_have_is_sent_away_before() {
    let mut world = World::new();
    let limit = world.daemon.state().accounts.limits().of(Resource::Descriptors).user;
    let mut ids: Vec<ClientId> = Vec::new();
    while charged(&mut world) + 250 <= limit {
        ids.push(with_descriptors(&mut world, 250));
        world.pump();
    }
    let last = with_descriptors(&mut world, 250);
    world.pump();
    assert!(world.clients[last.0].ended);
    assert!(ids.iter().all(|id| !world.clients[id.0].ended));
    ids.push(last);
    ids.into_iter().for_each(|id| world.leave(id));
    world.end_of_everything();
}

#[test]
fn who_leaves_most_connections_half_open_makes_room() {
    const OTHER: u32 = USER + 1;
    let mut world = World::new();
    let modest = world.connect(OTHER);
    let idle = [0; 3].map(|_| world.connect(USER));
    // Who waits for an answer, or is being answered, is not in the way.
    let busy = world.send(&client::list_sessions());
    let ended = |world: &World| idle.map(|id| world.clients[id.0].ended);
    for expected in [[true, false, false], [true, true, false]] {
        assert!(world.daemon.make_room());
        world.pump();
        assert_eq!(ended(&world), expected);
    }
    assert_eq!(world.wait_for(busy).code, ErrorCode::Ok);
    // One each: the older one.
    assert!(world.daemon.make_room() && world.daemon.make_room() && !world.daemon.make_room());
    world.pump();
    assert!(world.clients[modest.0].ended);
    for id in idle.into_iter().chain([modest]) {
        world.clients[id.0].left = true;
    }
    world.end_of_everything();
}

#[test]
fn a_user_with_too_many_idle_connections_can_still_ask() {
    let mut world = World::new();
    let limit = world.daemon.state().accounts.limits().of(Resource::Connections).user;
    let idle: Vec<ClientId> = (0..limit).map(|_| world.connect(USER)).collect();
    world.pump();
    world.must(&client::list_sessions());
    assert!(world.clients[idle[0].0].ended);
    assert_eq!(idle.iter().filter(|id| world.clients[id.0].ended).count(), 1);
    idle.into_iter().for_each(|id| world.leave(id));
    world.end_of_everything();
}

/// One of the other user's applications registers more than the user may have: it is recorded with what there is room for,
/// and nobody else lacks anything.
#[test]
fn what_applications_register_is_charged_to_their_user() {
    const OTHER: u32 = USER + 1;
    for per_process in [false, true] {
        let limit = Limit { user: 200_000, all: 1 << 20 };
        let limits = Limits::for_applications(10_000, 10_000).with(Resource::Memory, limit);
        let mut world = World::with_limits(limits);
        let charged = |world: &mut World, uid| world.daemon.state().accounts.usage(uid).of(Resource::Memory);
        let scheme = |request| if per_process { client::per_process(request) } else { request };
        world.must(&client::create("s"));
        world.must(&scheme(client::enable_channel("s", "c")));
        world.must(&scheme(client::enable_event("s", "c", client::rule("app:*"))));
        world.must(&client::start("s"));
        let modest = world.start_application();
        let before = charged(&mut world, USER);
        assert!((100..10_000).contains(&before), "{before}");
        let greedy = world.launch_as(OTHER, 64);
        world.apps[greedy].tracepoints = (0..3000).map(|number| (format!("app:{number}"), 13)).collect();
        world.pump();
        assert!(world.apps[greedy].released && world.apps[greedy].records());
        assert!((150_000..=200_000).contains(&charged(&mut world, OTHER)));
        let late = world.start_application();
        assert!(world.apps[modest].records() && world.apps[late].records());
        world.pass(Duration::from_secs(4));
        let text = world.consumer().metadata_of(0);
        assert!(text.contains("app:100\"") && !text.contains("app:2999\""), "{} {text}", text.len());
        // What single applications have made is given back when they go, what they share at the end.
        world.kill_application(greedy);
        world.pass(Duration::from_secs(6));
        assert_eq!(charged(&mut world, OTHER) == 0, per_process);
        world.must(&client::destroy("s"));
        world.pump();
        assert_eq!(charged(&mut world, OTHER), 0);
        world.end_of_everything();
    }
}

#[test]
fn who_is_refused_is_kept_with_the_limit_and_what_raises_it() {
    let mut world = World::with_limits(Limits::for_applications(200, 3));
    for _ in 0..100 {
        world.connect_application(5000, 64);
    }
    world.connect_application(6000, 64);
    let report = world.daemon.state().report(0);
    let refused: Vec<(&str, u64)> =
        report.counters.refused.iter().map(|count| (count.name.as_str(), count.count)).collect();
    assert_eq!(refused, [("applications", 194)]);
    assert_eq!(report.refused.len(), 64);
    assert!(report.refused.iter().all(|refused| refused.uid == 5000 && refused.why.contains("(6)")));
    assert!(report.messages.iter().all(|message| message.text.contains("LimitNOFILE=")), "{report:?}");
    assert!(report.counters.messages_left_out > 100);
    assert_eq!(world.daemon.state().report(6000).refused, []);
}
