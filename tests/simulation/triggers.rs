// SPDX-License-Identifier: GPL-2.0-only
//! What triggers do to sessions, when they get in each other's way, and when everything goes wrong meanwhile: clients
//! are served all the same, and nothing is left.

use std::num::NonZeroU64;
use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::UstRequest;
use lttng_protocol::trigger::channel::DaemonMessage;
use lttng_protocol::trigger::{Action, Condition, ErrorResult, RatePolicy, Trigger};
use lttng_sessiond::accounts::{Limit, Limits, Resource};
use lttng_sessiond::turn::facts::Fact;
use lttng_sessiond::turn::ids::{ConsumerKind, TriggerId};
use lttng_sessiond::turn::machine::Machine;

use crate::client;
use crate::consumer;
use crate::helper;
use crate::rotation::{SESSION, recording};
use crate::subscribers::{matches, notify};
use crate::world::{USER, World};

/// Firings that may wait.
const MOST: usize = 8192;

fn every(number: u64) -> RatePolicy {
    RatePolicy::EveryN(NonZeroU64::new(number).unwrap())
}

fn start(session: &str) -> Action {
    Action::StartSession { session: session.to_owned(), rate: every(1) }
}

fn stop(session: &str) -> Action {
    Action::StopSession { session: session.to_owned(), rate: every(1) }
}

fn rotate(session: &str) -> Action {
    Action::RotateSession { session: session.to_owned(), rate: every(1) }
}

fn completed(session: &str) -> Condition {
    Condition::RotationCompleted { session: session.to_owned() }
}

fn ongoing(session: &str) -> Condition {
    Condition::RotationOngoing { session: session.to_owned() }
}

/// Registers a trigger of this name; its number is for the caller to know.
fn register(world: &mut World, name: &str, condition: Condition, action: Action) -> Trigger {
    let trigger = client::trigger(name, condition, action);
    world.must(&client::register(&trigger));
    trigger
}

fn fire(world: &mut World, trigger: u64) {
    world.happens(Fact::Matched(TriggerId(trigger), Vec::new()));
}

fn failures(world: &mut World, trigger: &Trigger) -> Vec<u64> {
    let reply = world.must(&client::failures(trigger));
    ErrorResult::decode_list(&reply.payload).unwrap().iter().map(|result| result.value).collect()
}

fn is_active(world: &World) -> bool {
    world.apps[0].records()
}

fn end(mut world: World, triggers: &[Trigger]) {
    triggers.iter().for_each(|trigger| drop(world.must(&client::unregister(trigger))));
    world.ask(&client::destroy(SESSION));
    world.end_of_everything();
}

/// How many trace chunks a session has had.
fn chunks(world: &World) -> usize {
    let created = |request: &&UstRequest| matches!(request, UstRequest::CreateTraceChunk(_));
    world.consumers[&ConsumerKind::Ust64].requests.iter().filter(created).count()
}

#[test]
fn what_is_asked_for_is_done() {
    let mut world = recording();
    let trigger = register(
        &mut world,
        "t",
        matches("a:*"),
        Action::List(vec![stop(SESSION), notify(), start(SESSION)]),
    );
    let id = world.subscribe(USER, &[matches("a:*")]);
    for _ in 0..3 {
        fire(&mut world, 1);
    }
    world.pass(Duration::from_secs(5));
    assert_eq!(world.told(id).len(), 3);
    assert!(is_active(&world));
    assert_eq!(failures(&mut world, &trigger), [0, 0, 0]);
    end(world, &[trigger]);
}

/// Each rotation of one session starts or stops the other, and has it rotated.
#[test]
fn two_that_undo_what_the_other_has_done() {
    let mut world = recording();
    let stopping = Action::List(vec![stop(SESSION), rotate(SESSION)]);
    let starting = Action::List(vec![start(SESSION), rotate(SESSION)]);
    let triggers = [
        register(&mut world, "stopping", completed(SESSION), stopping),
        register(&mut world, "starting", completed(SESSION), starting),
    ];
    let before = chunks(&world);
    world.must(&client::rotate(SESSION));
    for _ in 0..20 {
        world.pass(Duration::from_secs(1));
        world.must(&client::list_sessions());
    }
    assert!(chunks(&world) > before + 5, "it goes on: {}", chunks(&world));
    // Whoever asks has its turn.
    world.ask(&client::stop(SESSION));
    world.must(&client::unregister(&triggers[0]));
    world.must(&client::unregister(&triggers[1]));
    world.pass(Duration::from_secs(5));
    world.ask(&client::start(SESSION));
    world.pass(Duration::from_secs(5));
    assert!(is_active(&world));
    end(world, &[]);
}

/// Each session's rotations stop and start the other one, and rotate it.
#[test]
fn two_sessions_that_act_on_each_other() {
    const OTHER: &str = "other";
    let mut world = recording();
    world.create_session_with_channel(OTHER);
    world.must(&client::start(OTHER));
    let act = |session| Action::List(vec![stop(session), start(session), rotate(session), notify()]);
    let triggers = [
        register(&mut world, "first", completed(SESSION), act(OTHER)),
        register(&mut world, "second", completed(OTHER), act(SESSION)),
    ];
    let id = world.subscribe(USER, &[completed(SESSION), completed(OTHER)]);
    world.must(&client::rotate(SESSION));
    for _ in 0..20 {
        world.pass(Duration::from_secs(1));
        world.must(&client::list_sessions());
    }
    let told = world.told(id).len();
    assert!(told > 5, "it goes on: {told}");
    for trigger in &triggers {
        assert!(failures(&mut world, trigger).iter().all(|count| *count == 0));
        world.must(&client::unregister(trigger));
    }
    world.pass(Duration::from_secs(5));
    world.told(id);
    for session in [SESSION, OTHER] {
        // Whatever was under way when the triggers went was done to its end.
        world.ask(&client::start(session));
        world.must(&client::stop(session));
        world.must(&client::start(session));
    }
    world.must(&client::rotate(SESSION));
    world.pass(Duration::from_secs(5));
    assert!(world.told(id).is_empty() && is_active(&world));
    world.must(&client::destroy(OTHER));
    end(world, &[]);
}

#[test]
fn a_rotation_that_leads_to_the_next_one() {
    for condition in [completed(SESSION), ongoing(SESSION)] {
        let mut world = recording();
        let trigger = register(&mut world, "t", condition, rotate(SESSION));
        let before = chunks(&world);
        world.must(&client::rotate(SESSION));
        let answered = |world: &mut World| {
            let (began, turns) = (world.now, world.turns);
            world.must(&client::list_sessions());
            (world.now - began, world.turns - turns)
        };
        for _ in 0..20 {
            let (time, turns) = answered(&mut world);
            assert!(time < Duration::from_secs(1) && turns < 1000, "{time:?}, {turns} turns");
            world.pass(Duration::from_millis(500));
        }
        assert!(chunks(&world) > before);
        world.must(&client::stop(SESSION));
        world.must(&client::destroy(SESSION));
        assert_eq!(world.apps[0].objects(), 0);
        end(world, &[trigger]);
    }
}

/// Without a helper nothing can be made, and everything fails at once: that must not go on within one turn.
#[test]
fn what_fails_at_once_is_not_done_again_and_again() {
    for condition in [completed(SESSION), ongoing(SESSION)] {
        let mut world = recording();
        let trigger = register(&mut world, "t", condition, rotate(SESSION));
        world.helper.trouble = Some(helper::Trouble::NoFork);
        world.kill_helper(false);
        world.pass(Duration::from_secs(1));
        for _ in 0..5 {
            world.ask(&client::rotate(SESSION));
            world.pass(Duration::from_secs(1));
            world.must(&client::list_sessions());
        }
        end(world, &[trigger]);
    }
}

#[test]
fn a_trigger_is_removed_while_its_action_runs() {
    for turn in 0..40 {
        let mut world = recording();
        let actions = Action::List(vec![rotate(SESSION), stop(SESSION)]);
        let trigger = register(&mut world, "t", matches("a:*"), actions);
        fire(&mut world, 1);
        fire(&mut world, 1);
        world.turns(turn);
        world.must(&client::unregister(&trigger));
        world.pass(Duration::from_secs(5));
        // What was begun is finished, and the session is free.
        let active = is_active(&world);
        assert_eq!(world.ask(&client::stop(SESSION)) == ErrorCode::Ok, active);
        end(world, &[]);
    }
}

/// A session that a client has to itself: what triggers want of it waits, and is not done to another one of its name.
#[test]
fn a_session_is_destroyed_while_an_action_waits() {
    for recreated in [false, true] {
        let mut world = recording();
        let trigger = register(&mut world, "t", matches("a:*"), stop(SESSION));
        world.apps[0].hung = true;
        let waiting = [client::enable_event(SESSION, "c", client::rule("other:*")), client::destroy(SESSION)]
            .map(|request| {
                let id = world.send(&request);
                world.pump();
                id
            });
        fire(&mut world, 1);
        world.pass(Duration::from_millis(10));
        let created = recreated.then(|| {
            world.resume(0);
            waiting.iter().for_each(|id| drop(world.wait_for(*id)));
            world.create_session_with_channel(SESSION);
            world.must(&client::start(SESSION));
        });
        world.resume(0);
        waiting.iter().for_each(|id| drop(world.wait_for(*id)));
        world.pass(Duration::from_secs(1));
        assert_eq!(is_active(&world), created.is_some(), "another session is not meant");
        end(world, &[trigger]);
    }
}

/// The condition is met, the session goes, and comes again, all before the action's turn.
#[test]
fn another_session_of_the_same_name_is_not_meant() {
    let mut world = recording();
    let trigger =
        register(&mut world, "t", matches("a:*"), Action::List(vec![rotate(SESSION), stop(SESSION)]));
    world.consumer().trouble = Some(consumer::Trouble::Slow(Duration::from_millis(300)));
    let held = world.send(&client::clear(SESSION));
    world.pump();
    let destroyed = world.send(&client::destroy(SESSION));
    world.pump();
    fire(&mut world, 1);
    world.pump();
    world.wait_for(held);
    world.wait_for(destroyed);
    world.consumer().trouble = None;
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    world.pass(Duration::from_secs(5));
    assert!(is_active(&world));
    end(world, &[trigger]);
}

#[test]
fn a_storm_is_bounded_and_what_is_lost_is_told() {
    let mut world = recording();
    let trigger = register(&mut world, "t", matches("a:*"), Action::List(vec![rotate(SESSION), notify()]));
    let quick = register(&mut world, "quick", matches("b:*"), notify());
    let [id, other] = ["a:*", "b:*"].map(|pattern| world.subscribe(USER, &[matches(pattern)]));
    world.apps[0].hung = true;
    let holder = world.send(&client::enable_event(SESSION, "c", client::rule("other:*")));
    world.pump();
    for _ in 0..10_000 {
        fire(&mut world, 1);
    }
    world.pump();
    assert_eq!(world.told(id), [DaemonMessage::NotificationDropped]);
    fire(&mut world, 1);
    world.must(&client::list_sessions());
    world.resume(0);
    world.wait_for(holder);
    // The first of them rotates; all that come while it is pending fail.
    assert!(world.run_until(Duration::from_secs(60), |world| world.subscribers[id.0].received.len() > 100));
    world.pass(Duration::from_secs(60));
    let told = world.told(id);
    assert_eq!(told.first(), Some(&DaemonMessage::NotificationDropped), "another one was lost");
    assert_eq!(told.len(), 1 + MOST, "all that waited is told of");
    fire(&mut world, 2);
    world.pump();
    assert_eq!(world.told(other).len(), 1);
    assert_eq!(failures(&mut world, &trigger).len(), 2);
    end(world, &[trigger, quick]);
}

#[test]
fn what_fails_is_counted_and_the_rest_is_done() {
    let mut world = recording();
    let trigger = register(
        &mut world,
        "t",
        matches("a:*"),
        Action::List(vec![start("unknown"), rotate(SESSION), rotate(SESSION), start(SESSION), notify()]),
    );
    let id = world.subscribe(USER, &[matches("a:*")]);
    fire(&mut world, 1);
    world.pass(Duration::from_secs(5));
    // The second rotation comes while the first one goes on; that a session is started already is as it is to be.
    assert_eq!(failures(&mut world, &trigger), [1, 0, 1, 0, 0]);
    assert_eq!(world.told(id).len(), 1);
    end(world, &[trigger]);
}

#[test]
fn rates() {
    let mut world = recording();
    let third = RatePolicy::OnceAfterN(NonZeroU64::new(3).unwrap());
    let actions = vec![Action::Notify { rate: every(4) }, Action::Notify { rate: third }];
    let trigger = register(&mut world, "t", matches("a:*"), Action::List(actions));
    let id = world.subscribe(USER, &[matches("a:*")]);
    let mut told = Vec::new();
    for _ in 0..9 {
        fire(&mut world, 1);
        world.pump();
        told.push(world.told(id).len());
    }
    assert_eq!(told, [0, 0, 1, 1, 0, 0, 0, 1, 0]);
    end(world, &[trigger]);
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let mut world = recording();
    for (uid, stops) in [(USER + 1, false), (0, true)] {
        let trigger = Trigger { owner: uid, ..client::trigger("t", matches("a:*"), stop(SESSION)) };
        let as_owner = |world: &mut World, request: &client::Request| {
            let id = world.connect(uid);
            world.say(world.clients[id.0].conn, &request.bytes());
            assert_eq!(world.wait_for(id).code, ErrorCode::Ok);
        };
        assert_eq!(world.ask(&client::register(&trigger)), ErrorCode::InvalidTrigger);
        as_owner(&mut world, &client::register(&trigger));
        fire(&mut world, 1);
        fire(&mut world, 2);
        world.pass(Duration::from_secs(1));
        assert_eq!(is_active(&world), !stops);
        assert_eq!(world.ask(&client::unregister(&trigger)), ErrorCode::InvalidTrigger);
        as_owner(&mut world, &client::unregister(&trigger));
    }
    end(world, &[]);
}

/// What triggers ask for does not keep the daemon from ending, nor sessions from being ended as they should be.
#[test]
fn the_daemon_ends_with_actions_under_way() {
    for turn in 0..40 {
        let mut world = recording();
        register(&mut world, "t", completed(SESSION), Action::List(vec![rotate(SESSION), start(SESSION)]));
        register(
            &mut world,
            "u",
            matches("a:*"),
            Action::List(vec![stop(SESSION), start(SESSION), rotate(SESSION)]),
        );
        world.must(&client::rotate(SESSION));
        for _ in 0..1000 {
            fire(&mut world, 2);
        }
        world.consumer().trouble = Some(consumer::Trouble::Slow(Duration::from_millis(100)));
        world.turns(turn);
        world.pass(Duration::from_millis(50) * u32::try_from(turn).unwrap());
        let began = world.now;
        world.daemon.end();
        assert!(world.run_until(Duration::from_secs(60), |world| world.exited), "it does not end");
        let took = world.now - began;
        assert!(took < Duration::from_secs(10), "it took {took:?}");
        assert!(world.killed.is_empty(), "the consumer daemon ends by itself");
    }
}

#[test]
fn peers_die_while_an_action_runs() {
    for turn in 0..50 {
        for helper in [false, true] {
            let mut world = recording();
            let actions = Action::List(vec![rotate(SESSION), stop(SESSION), start(SESSION), notify()]);
            let trigger = register(&mut world, "t", matches("a:*"), actions);
            let id = world.subscribe(USER, &[matches("a:*")]);
            fire(&mut world, 1);
            world.turns(turn);
            if helper {
                world.kill_helper(false);
            } else {
                world.kill_consumer(ConsumerKind::Ust64);
            }
            world.pass(Duration::from_secs(60));
            assert_eq!(world.told(id).len(), 1, "turn {turn}: what comes after it is done");
            fire(&mut world, 1);
            world.pass(Duration::from_secs(60));
            assert_eq!(world.told(id).len(), 1);
            end(world, &[trigger]);
        }
    }
}

/// The consumer daemon has to be started first, and takes its time; the trigger, or the session, does not wait for it.
#[test]
fn what_waits_for_a_peer_is_forgotten_with_its_trigger() {
    for removed in [false, true] {
        let mut world = World::new();
        world.start_application();
        world.create_session_with_channel(SESSION);
        let trigger = register(&mut world, "t", matches("a:*"), start(SESSION));
        world.kill_consumer(ConsumerKind::Ust64);
        world.pass(Duration::from_secs(1));
        world.must(&client::create("other"));
        world.must(&client::enable_channel("other", "c"));
        world.kill_consumer(ConsumerKind::Ust64);
        world.consumer().trouble = Some(consumer::Trouble::Silent);
        world.pass(Duration::from_secs(1));
        fire(&mut world, 1);
        world.pump();
        if removed {
            world.must(&client::unregister(&trigger));
        } else {
            world.must(&client::destroy(SESSION));
        }
        world.must(&client::destroy("other"));
        world.consumer().trouble = None;
        world.kill_consumer(ConsumerKind::Ust64);
        world.pass(Duration::from_secs(60));
        end(world, if removed { &[] } else { std::slice::from_ref(&trigger) });
    }
}

/// Nobody starves: one that has much to do to a session takes turns with another one.
#[test]
fn triggers_take_turns() {
    let mut world = recording();
    let busy =
        register(&mut world, "busy", matches("a:*"), Action::List(vec![stop(SESSION), start(SESSION)]));
    let other = register(&mut world, "other", matches("b:*"), Action::List(vec![stop(SESSION), notify()]));
    let id = world.subscribe(USER, &[matches("b:*")]);
    for _ in 0..1000 {
        fire(&mut world, 1);
    }
    fire(&mut world, 2);
    let told = |world: &World| !world.subscribers[id.0].received.is_empty();
    world.consumer().trouble = Some(consumer::Trouble::Slow(Duration::from_millis(20)));
    assert!(world.run_until(Duration::from_secs(3), told), "the other one has no turn");
    world.consumer().trouble = None;
    world.pass(Duration::from_secs(60));
    end(world, &[busy, other]);
}

#[test]
fn triggers_are_charged_to_their_owner() {
    let memory = Limit { user: 100_000, all: 1_000_000 };
    let limits = Limits::for_applications(100, 100).with(Resource::Memory, memory);
    let mut world = World::with_limits(limits);
    let trigger = |number: u32| {
        let session = format!("{number:0>200}");
        client::notifying(&number.to_string(), Condition::RotationOngoing { session })
    };
    let registered =
        (0..1000).take_while(|number| world.ask(&client::register(&trigger(*number))) == ErrorCode::Ok);
    let registered = registered.count() as u32;
    assert!((20..200).contains(&registered), "{registered}");
    // One goes, and there is room for one.
    world.must(&client::unregister(&trigger(0)));
    world.must(&client::register(&trigger(1001)));
    (1..registered).chain([1001]).for_each(|number| drop(world.must(&client::unregister(&trigger(number)))));
    world.end_of_everything();
}
