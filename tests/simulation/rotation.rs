// SPDX-License-Identifier: GPL-2.0-only
//! Rotation and clearing, when everything goes wrong that can: consumer daemons and helpers that fail at any step,
//! applications that come in the middle, clients that leave.

use std::time::Duration;

use lttng_protocol::client::{ErrorCode, RotationInfo, RotationState};
use lttng_protocol::consumer::UstRequest;
use lttng_sessiond::helper::PathJob;
use lttng_sessiond::turn::ids::ConsumerKind;
use lttng_sessiond::turn::machine::Machine;

use crate::client::{self, Request};
use crate::consumer::{Channel, Kind, Trouble};
use crate::helper;
use crate::life;
use crate::world::{USER, World};

pub const SESSION: &str = "s";
/// Statuses that a consumer daemon can answer, and one that it can't.
const STATUSES: [i32; 3] = [118, 119, -1];

fn commands() -> Vec<(&'static str, Request)> {
    let (start, stop) = (client::start(SESSION), client::stop(SESSION));
    let (rotate, clear) = (client::rotate(SESSION), client::clear(SESSION));
    vec![
        ("create", client::create(SESSION)),
        ("enable channel", client::enable_channel(SESSION, "c")),
        ("enable event", client::enable_event(SESSION, "c", client::rule("app:*"))),
        ("start", start.clone()),
        ("clear", clear.clone()),
        ("rotate", rotate.clone()),
        ("rotate", rotate.clone()),
        ("clear", clear.clone()),
        ("stop", stop.clone()),
        ("rotate", rotate.clone()),
        ("start", start.clone()),
        ("stop", stop.clone()),
        ("clear", clear),
        ("start", start),
        ("rotate", rotate),
        ("stop", stop),
        ("destroy", client::destroy(SESSION)),
    ]
}

/// Asks for the state of a rotation as clients do, until it is over.
#[track_caller]
fn wait_for_rotation(world: &mut World, id: u64) -> RotationInfo {
    for _ in 0..1000 {
        let reply = world.must(&client::rotation_info(SESSION, id));
        let info = RotationInfo::decode(&reply.payload).unwrap();
        if info.state != RotationState::Ongoing {
            return info;
        }
        world.pass(Duration::from_millis(100));
    }
    panic!("the rotation does not end: {:?}", world.consumer());
}

/// A whole rotation, whose chunk must be archived.
#[track_caller]
fn rotate(world: &mut World, id: u64) {
    let reply = world.must(&client::rotate(SESSION));
    assert_eq!(reply.payload, id.to_ne_bytes());
    assert_eq!(wait_for_rotation(world, id).state, RotationState::Completed);
}

/// Runs the script; after each rotation that was begun, its end is waited for.
fn run(world: &mut World, mut after: impl FnMut(&mut World, &str, ErrorCode)) {
    for (name, request) in commands() {
        let reply = world.ask_fully(&request);
        if name == "rotate" && reply.code == ErrorCode::Ok {
            let id = u64::from_ne_bytes(reply.payload[..8].try_into().unwrap());
            wait_for_rotation(world, id);
        }
        after(world, name, reply.code);
    }
}

/// Channels of the consumer daemon that are in use.
pub fn in_use(world: &World) -> impl Iterator<Item = &Channel> {
    let consumer = &world.consumers[&ConsumerKind::Ust64];
    consumer.channels.values().filter(|channel| !channel.is_abandoned())
}

#[test]
fn a_life_with_rotations_and_clears() {
    let mut world = World::new();
    let app = world.start_application();
    let mut active = false;
    run(&mut world, |world, name, code| {
        assert_eq!(code, ErrorCode::Ok, "{name}");
        active = name == "start" || (active && !["stop", "destroy"].contains(&name));
        assert_eq!(world.apps[app].records(), active, "after {name}");
        world.check_applications();
    });
    assert_eq!(world.consumer().refused, []);
    world.end_of_everything();
}

#[test]
fn in_pieces_and_disorder() {
    for seed in 1..40 {
        let mut world = World::new();
        world.shuffle(seed * 7919);
        world.launch();
        run(&mut world, |world, name, code| {
            assert_eq!(code, ErrorCode::Ok, "{name}");
            world.launch();
            world.check_applications();
        });
        assert_eq!(world.consumer().refused, []);
        world.end_of_everything();
    }
}

/// Whether a command may fail like this when the consumer daemon is in trouble.
fn may_fail(name: &str, code: ErrorCode) -> bool {
    use ErrorCode::{
        ClearFailConsumer, CloseTraceChunkFailConsumer, CreateTraceChunkFailConsumer, NoChannel,
        NoUstconsumerd, RotationFailConsumer, RotationMultipleAfterStop, RotationPending, StartSessionOnce,
        TraceAlreadyStarted, TraceAlreadyStopped, Unk, UstConsumer64Fail,
    };
    let rotation = [CreateTraceChunkFailConsumer, RotationFailConsumer, CloseTraceChunkFailConsumer];
    // A consumer daemon that says nothing more has time until it is given up.
    let pending = code == RotationPending;
    match name {
        "rotate" => {
            let state = [StartSessionOnce, RotationMultipleAfterStop].contains(&code);
            rotation.contains(&code) || state || pending
        }
        "clear" => rotation.contains(&code) || code == ClearFailConsumer,
        "start" => {
            pending || rotation.contains(&code) || [Unk, NoChannel, TraceAlreadyStarted].contains(&code)
        }
        "stop" => code == TraceAlreadyStopped,
        "destroy" => rotation.contains(&code),
        "create" => false,
        _ => [NoUstconsumerd, UstConsumer64Fail, NoChannel].contains(&code),
    }
}

/// Runs the script with a consumer daemon in trouble. Returns how many messages it got.
fn live_with(trouble: Trouble) -> usize {
    life::with_trouble(trouble, |world| {
        let mut told = Vec::new();
        run(world, |world, name, code| {
            told.push((name.to_owned(), code));
            assert!(code == ErrorCode::Ok || may_fail(name, code), "{trouble:?}: {told:?}");
            assert_eq!(world.ask(&client::list_sessions()), ErrorCode::Ok);
        });
    })
}

fn at_every_step(trouble: impl Fn(usize) -> Trouble) {
    life::at_every_step(60, |at| live_with(trouble(at)));
}

#[test]
fn the_consumer_daemon_dies_at_any_step() {
    at_every_step(Trouble::Die);
    at_every_step(Trouble::DieSlowly);
}

#[test]
fn the_consumer_daemon_refuses_any_step() {
    for status in STATUSES {
        at_every_step(|at| Trouble::Refuse(at, status));
    }
}

#[test]
fn the_consumer_daemon_answers_nonsense_at_any_step() {
    at_every_step(Trouble::Babble);
    at_every_step(Trouble::Chatter);
    at_every_step(Trouble::Report);
}

#[test]
fn the_consumer_daemon_hangs_at_any_step() {
    at_every_step(Trouble::Hang);
}

#[test]
fn the_consumer_daemon_is_slow_or_curious() {
    for milliseconds in [1, 30, 700] {
        live_with(Trouble::Slow(Duration::from_millis(milliseconds)));
    }
    live_with(Trouble::Curious);
}

/// A session that records, with metadata that has its channel.
pub fn recording() -> World {
    let mut world = World::new();
    world.start_application();
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    world.pass(Duration::from_secs(1));
    world
}

/// It goes on: is stopped, started, rotated, destroyed.
#[track_caller]
pub fn goes_on(mut world: World) {
    assert!(world.apps[0].records());
    world.must(&client::stop(SESSION));
    world.must(&client::start(SESSION));
    assert!(world.apps[0].records());
    let reply = world.must(&client::rotate(SESSION));
    let id = u64::from_ne_bytes(reply.payload[..8].try_into().unwrap());
    assert_eq!(wait_for_rotation(&mut world, id).state, RotationState::Completed);
    world.must(&client::clear(SESSION));
    assert!(world.apps[0].records());
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn each_refusal_of_the_consumer_daemon_has_its_code() {
    let create: Kind = |request| matches!(request, UstRequest::CreateTraceChunk(_));
    let data: Kind = |request| matches!(request, UstRequest::RotateChannel { metadata: false, .. });
    let metadata: Kind = |request| matches!(request, UstRequest::RotateChannel { metadata: true, .. });
    let close: Kind = |request| matches!(request, UstRequest::CloseTraceChunk(_));
    let buffers: Kind = |request| matches!(request, UstRequest::ClearChannel { .. });
    let (rotate, clear) = (client::rotate(SESSION), client::clear(SESSION));
    for (command, kind, status, code) in [
        (&rotate, create, 118, ErrorCode::CreateTraceChunkFailConsumer),
        (&rotate, data, 123, ErrorCode::RotationFailConsumer),
        (&rotate, metadata, 123, ErrorCode::RotationFailConsumer),
        (&rotate, close, 123, ErrorCode::CloseTraceChunkFailConsumer),
        (&clear, buffers, 123, ErrorCode::ClearFailConsumer),
        (&clear, buffers, 129, ErrorCode::ClearRelayDisallowed),
        (&clear, create, 118, ErrorCode::CreateTraceChunkFailConsumer),
        (&clear, data, 123, ErrorCode::RotationFailConsumer),
        (&clear, close, 123, ErrorCode::CloseTraceChunkFailConsumer),
    ] {
        let mut world = recording();
        world.consumer().refuse_next = Some((kind, status));
        assert_eq!(world.ask(command), code);
        assert!(world.consumer().refuse_next.is_none(), "it was asked");
        if command.header.command == rotate.header.command {
            assert_eq!(wait_for_rotation(&mut world, 0).state, RotationState::Error);
        }
        goes_on(world);
    }
}

#[test]
fn what_only_one_consumer_daemon_has_is_taken_back() {
    for command in [client::rotate(SESSION), client::clear(SESSION)] {
        let mut world = World::with_consumers(&ConsumerKind::USER_SPACE);
        for bits in [64, 32] {
            world.launch_as(USER, bits);
        }
        world.create_session_with_channel(SESSION);
        world.must(&client::start(SESSION));
        let other = world.consumers.get_mut(&ConsumerKind::Ust32).unwrap();
        other.refuse_next = Some((|request| matches!(request, UstRequest::CreateTraceChunk(_)), 118));
        assert_eq!(world.ask(&command), ErrorCode::CreateTraceChunkFailConsumer);
        world.pump();
        for consumer in world.consumers.values() {
            let open = consumer.chunks.iter().filter(|(_, chunk)| !chunk.closed);
            assert_eq!(open.map(|(&(_, chunk), _)| chunk).collect::<Vec<_>>(), [0]);
        }
        goes_on(world);
    }
}

/// A world in which the consumer daemon has lost a channel when it is asked next to clear it, or to leave its chunk.
fn without_a_channel(per_process: bool) -> World {
    let mut world = World::new();
    world.start_application();
    world.must(&client::create(SESSION));
    let request = client::enable_channel(SESSION, "c");
    world.must(&if per_process { client::per_process(request) } else { request });
    let request = client::enable_event(SESSION, "c", client::rule("app:*"));
    world.must(&if per_process { client::per_process(request) } else { request });
    world.must(&client::start(SESSION));
    world.pass(Duration::from_secs(2));
    let kind = |request: &UstRequest| {
        matches!(request, UstRequest::ClearChannel { .. } | UstRequest::RotateChannel { .. })
    };
    world.consumer().refuse_next = Some((kind, 119));
    world
}

#[test]
fn a_channel_of_a_process_that_is_gone_has_nothing_to_leave() {
    for command in [client::rotate(SESSION), client::clear(SESSION), client::destroy(SESSION)] {
        let mut world = without_a_channel(true);
        world.must(&command);
        world.ask(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

/// The buffers of a user are there as long as the session: what was in them is lost.
#[test]
fn a_channel_of_a_user_that_is_gone_is_an_error() {
    let rotation = ErrorCode::RotationFailConsumer;
    let codes = [
        (client::rotate(SESSION), rotation),
        (client::clear(SESSION), ErrorCode::ClearFailConsumer),
        (client::destroy(SESSION), rotation),
    ];
    for (command, code) in codes {
        let mut world = without_a_channel(false);
        assert_eq!(world.ask(&command), code);
        world.ask(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

/// Has the helper in trouble at each of its requests. Returns what the clients were told.
fn helper_trouble(trouble: impl Fn(usize) -> helper::Trouble) -> Vec<(&'static str, ErrorCode)> {
    let mut codes = Vec::new();
    life::at_every_step(10, |at| {
        let mut world = World::new();
        world.helper.trouble = Some(trouble(at));
        let app = world.start_application();
        run(&mut world, |world, name, code| {
            let refused =
                [ErrorCode::CreateDirFail, ErrorCode::TraceAlreadyStopped, ErrorCode::StartSessionOnce];
            let twice = [ErrorCode::RotationMultipleAfterStop, ErrorCode::TraceAlreadyStarted];
            // Folders that are never made or removed.
            let waited = [
                ErrorCode::CreateTraceChunkFailConsumer,
                ErrorCode::CloseTraceChunkFailConsumer,
                ErrorCode::ClearFailConsumer,
                ErrorCode::RotationPending,
            ];
            let hung = waited.contains(&code) && matches!(trouble(at), helper::Trouble::Hang(_));
            let known = refused.contains(&code) || twice.contains(&code) || hung;
            assert!(code == ErrorCode::Ok || known, "{at}: {name} gave {code:?}");
            let known = commands().into_iter().find(|(known, _)| *known == name).unwrap().0;
            codes.push((known, code));
            assert_eq!(world.ask(&client::list_sessions()), ErrorCode::Ok);
        });
        assert_eq!(world.apps[app].objects(), 0, "{at}");
        let requests = world.helper.requests.len();
        life::end(&mut world, matches!(trouble(at), helper::Trouble::Hang(_)));
        requests
    });
    codes
}

#[test]
fn the_helper_refuses_dies_or_hangs() {
    let codes = helper_trouble(|at| helper::Trouble::Refuse(at, libc::EACCES));
    for name in ["start", "rotate", "clear"] {
        assert!(codes.contains(&(name, ErrorCode::CreateDirFail)), "{name}");
    }
    helper_trouble(helper::Trouble::Die);
    helper_trouble(helper::Trouble::Hang);
}

#[test]
fn a_chunk_that_cant_be_moved_is_an_error_of_that_rotation() {
    let mut world = recording();
    // One for the old folder, one for the new one, and one for the application's folder in that, then the move.
    world.helper.trouble = Some(helper::Trouble::Refuse(world.helper.requests.len() + 4, libc::EACCES));
    world.must(&client::rotate(SESSION));
    assert_eq!(wait_for_rotation(&mut world, 0).state, RotationState::Error);
    assert!(matches!(world.helper.requests.last().unwrap().job, PathJob::MoveChunk { .. }));
    rotate(&mut world, 1);
    goes_on(world);
}

/// An application comes in every turn of a command.
fn joins_in_turn(command: &Request, per_process: bool) {
    for turn in 0..60 {
        let mut world = World::new();
        world.must(&client::create(SESSION));
        if per_process {
            world.must(&client::enable_channel_per_process(SESSION, "c"));
        } else {
            world.must(&client::enable_channel(SESSION, "c"));
        }
        world.must(&client::enable_event(SESSION, "c", client::rule("app:*")));
        world.start_application();
        world.must(&client::start(SESSION));
        world.shuffle(turn + 1);
        let id = world.send(command);
        world.turns(usize::try_from(turn).unwrap());
        // Another user's: it needs buffers of its own in any case.
        let late = world.launch_as(USER + 1, 64);
        assert_eq!(world.wait_for(id).code, ErrorCode::Ok);
        world.pass(Duration::from_secs(2));
        world.check_applications();
        let holdings = world.apps[late].holdings();
        assert_eq!(holdings, world.apps[0].holdings(), "turn {turn}");
        assert!(world.apps[late].records() && holdings[&Some(0)].channels.contains_key("c"), "turn {turn}");
        assert_eq!(world.consumer().refused, []);
        assert!(world.consumer().data_channels() >= 2);
        assert!(
            in_use(&world).all(|channel| channel.files == Some(1)),
            "turn {turn}: files of another chunk"
        );
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

#[test]
fn applications_that_come_in_the_middle_get_buffers_of_the_new_chunk() {
    for command in [client::rotate(SESSION), client::clear(SESSION)] {
        joins_in_turn(&command, false);
        joins_in_turn(&command, true);
    }
}

#[test]
fn applications_that_end_in_the_middle() {
    for command in [client::rotate(SESSION), client::clear(SESSION)] {
        for turn in 0..60 {
            let mut world = World::new();
            world.must(&client::create(SESSION));
            world.must(&client::enable_channel_per_process(SESSION, "c"));
            world.must(&client::enable_event(SESSION, "c", client::rule("app:*")));
            let (ends, stays) = (world.start_application(), world.start_application());
            world.must(&client::start(SESSION));
            world.shuffle(turn + 1);
            let id = world.send(&command);
            world.turns(usize::try_from(turn).unwrap());
            world.kill_application(ends);
            assert_eq!(world.wait_for(id).code, ErrorCode::Ok, "turn {turn}");
            world.pass(Duration::from_secs(2));
            assert!(world.apps[stays].records());
            assert!(in_use(&world).all(|channel| channel.files == Some(1)), "turn {turn}");
            world.must(&client::destroy(SESSION));
            world.end_of_everything();
        }
    }
}

#[test]
fn a_client_that_leaves_while_its_command_goes_on() {
    for command in [client::rotate(SESSION), client::clear(SESSION)] {
        for turn in 0..40 {
            let mut world = recording();
            world.shuffle(turn + 1);
            let id = world.send(&command);
            world.turns(usize::try_from(turn).unwrap());
            world.leave(id);
            world.pass(Duration::from_secs(1));
            world.calm();
            goes_on(world);
        }
    }
}

#[test]
fn two_clients_clear_and_rotate_at_once() {
    for seed in 1..80 {
        let mut world = recording();
        world.shuffle(seed);
        let requests = [client::rotate(SESSION), client::clear(SESSION), client::rotate(SESSION)];
        let ids = requests.map(|request| world.send(&request));
        let [first, clear, second] = ids.map(|id| world.wait_for(id).code);
        let expected = |code| matches!(code, ErrorCode::Ok | ErrorCode::RotationPending);
        assert!(expected(first) && expected(second), "{first:?}, {second:?}");
        assert_eq!(clear, ErrorCode::Ok);
        assert!([first, second].contains(&ErrorCode::Ok), "one of them comes first");
        world.calm();
        world.pass(Duration::from_secs(1));
        goes_on(world);
    }
}

#[test]
fn a_stopped_session_is_rotated_or_cleared_once() {
    for (first, second, code) in [
        (client::rotate(SESSION), client::rotate(SESSION), ErrorCode::RotationMultipleAfterStop),
        (client::rotate(SESSION), client::clear(SESSION), ErrorCode::Ok),
        (client::clear(SESSION), client::clear(SESSION), ErrorCode::Ok),
        (client::clear(SESSION), client::rotate(SESSION), ErrorCode::RotationMultipleAfterStop),
    ] {
        let mut world = recording();
        world.must(&client::stop(SESSION));
        world.must(&first);
        world.pass(Duration::from_secs(1));
        let requests = world.consumer().requests.len();
        assert_eq!(world.ask(&second), code);
        assert_eq!(world.consumer().requests.len(), requests, "nothing is done");
        assert!(in_use(&world).all(|channel| channel.files.is_none()));
        world.must(&client::start(SESSION));
        goes_on(world);
    }
}

#[test]
fn rotations_while_one_goes_on() {
    let mut world = recording();
    world.must(&client::rotate(SESSION));
    assert_eq!(world.ask(&client::rotate(SESSION)), ErrorCode::RotationPending);
    world.must(&client::stop(SESSION));
    assert_eq!(wait_for_rotation(&mut world, 0).state, RotationState::Completed);
    world.must(&client::rotate(SESSION));
    // There is nothing to record to before it is over.
    assert_eq!(world.ask(&client::start(SESSION)), ErrorCode::RotationPending);
    assert_eq!(wait_for_rotation(&mut world, 1).state, RotationState::Completed);
    assert_eq!(wait_for_rotation(&mut world, 0).state, RotationState::Expired);
    world.must(&client::start(SESSION));
    goes_on(world);
}

#[test]
fn an_answer_that_a_rotation_goes_on_is_held_back() {
    let mut world = recording();
    world.consumer().trouble = Some(Trouble::Slow(Duration::from_millis(30)));
    world.must(&client::rotate(SESSION));
    let before = world.age();
    let reply = world.must(&client::rotation_info(SESSION, 0));
    assert_eq!(RotationInfo::decode(&reply.payload).unwrap().state, RotationState::Completed);
    assert!(world.age() - before < Duration::from_millis(250));

    world.consumer().trouble = Some(Trouble::Slow(Duration::from_secs(2)));
    world.must(&client::rotate(SESSION));
    let before = world.age();
    let reply = world.must(&client::rotation_info(SESSION, 1));
    assert_eq!(RotationInfo::decode(&reply.payload).unwrap().state, RotationState::Ongoing);
    assert_eq!(world.age() - before, Duration::from_millis(250));
    world.consumer().trouble = None;
    assert_eq!(wait_for_rotation(&mut world, 1).state, RotationState::Completed);
    goes_on(world);
}

#[test]
fn the_daemon_ends_in_the_middle() {
    for command in [client::rotate(SESSION), client::clear(SESSION)] {
        for turn in 0..60 {
            let mut world = recording();
            world.shuffle(turn + 1);
            let id = world.send(&command);
            world.turns(usize::try_from(turn).unwrap());
            world.daemon.end();
            assert!(world.run_until(Duration::from_secs(31), |world| world.exited), "turn {turn}");
            assert!(world.clients[id.0].ended, "turn {turn}: no reply before the end");
        }
    }
}

#[test]
fn the_session_is_destroyed_in_the_middle() {
    for command in [client::rotate(SESSION), client::clear(SESSION)] {
        for turn in 0..60 {
            let mut world = recording();
            world.shuffle(turn + 1);
            let first = world.send(&command);
            world.turns(usize::try_from(turn).unwrap());
            let second = world.send(&client::destroy(SESSION));
            let codes = [first, second].map(|id| world.wait_for(id).code);
            assert!(matches!(codes[0], ErrorCode::Ok | ErrorCode::SessNotFound), "{codes:?}");
            assert_eq!(codes[1], ErrorCode::Ok);
            world.end_of_everything();
        }
    }
}
