// SPDX-License-Identifier: GPL-2.0-only
//! Applications that do not answer: those that can't are not waited for and catch up later, those that could are
//! given their time.

use std::time::Duration;

use lttng_protocol::client::{ErrorCode, Event};

use crate::application::{Fault, What};
use crate::client;
use crate::world::World;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Runs a command and returns how long it took.
fn time(world: &mut World, request: &client::Request) -> Duration {
    let before = world.age();
    world.must(request);
    world.age() - before
}

#[test]
fn a_suspended_application_costs_one_look_and_catches_up() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    let (awake, asleep) = (world.start_application(), world.start_application());
    world.suspend(asleep);

    let taken = time(&mut world, &client::start("s"));
    assert!(taken >= 15 * MILLISECOND && taken <= 40 * MILLISECOND, "{taken:?}");
    assert_eq!(world.inspections.len(), 1);
    assert!(world.apps[awake].records());
    let late = client::enable_event("s", "c", client::filtered("other:three", "number == 1"));
    assert_eq!(time(&mut world, &late), Duration::ZERO, "known not to answer");
    assert_eq!(time(&mut world, &client::disable_event("s", "c", "app:*")), Duration::ZERO);
    let listed = world.must(&client::list_tracepoints()).elements(Event::decode).unwrap();
    assert_eq!(listed.len(), 3, "of the one that answers");

    world.pass(Duration::from_secs(3600));
    assert!(world.apps[asleep].alive, "nobody gives up a suspended application");
    world.resume(asleep);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.apps[asleep].holdings(), world.apps[awake].holdings());
    assert!(world.apps[asleep].records());
    world.check_applications();

    world.suspend(asleep);
    assert!(time(&mut world, &client::stop("s")) <= 40 * MILLISECOND);
    assert!(time(&mut world, &client::start("s")) <= 10 * MILLISECOND);
    assert!(time(&mut world, &client::stop("s")) <= 10 * MILLISECOND);
    world.must(&client::destroy("s"));
    world.resume(asleep);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.apps[asleep].objects(), 0, "let go of what was destroyed meanwhile");
    world.check_applications();
    world.end_of_everything();
}

#[test]
fn suspended_at_its_first_command_it_is_released_when_it_wakes_up() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    world.must(&client::start("s"));
    let app = world.launch();
    world.suspend(app);
    world.pass(Duration::from_secs(10));
    assert!(!world.apps[app].released);
    world.resume(app);
    world.pass(Duration::from_secs(3));
    assert!(world.apps[app].released && world.apps[app].records());
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn one_that_could_answer_is_given_five_seconds() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    let (well, hung) = (world.start_application(), world.start_application());
    world.apps[hung].hung = true;
    let taken = time(&mut world, &client::start("s"));
    assert!(taken > Duration::from_secs(4) && taken <= Duration::from_secs(6), "{taken:?}");
    assert!(!world.apps[hung].alive, "dropped");
    assert!(world.apps[well].records());
    assert!(world.inspections.len() > 1 && world.inspections.len() < 100, "{}", world.inspections.len());
    assert!(time(&mut world, &client::stop("s")) <= 10 * MILLISECOND);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn slow_is_not_dead() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    let app = world.start_application();
    world.apps[app].hung = true;
    let started = world.send(&client::start("s"));
    world.pass(Duration::from_secs(4));
    assert!(!world.clients[started.0].ended, "it is waited for");
    world.resume(app);
    assert_eq!(world.wait_for(started).code, ErrorCode::Ok);
    assert!(world.apps[app].records());
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn suspended_while_somebody_waits_for_it() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    let app = world.start_application();
    world.apps[app].hung = true;
    let started = world.send(&client::start("s"));
    world.pass(Duration::from_secs(1));
    assert!(!world.clients[started.0].ended);
    world.suspend(app);
    world.pass(200 * MILLISECOND);
    assert!(world.clients[started.0].ended, "found suspended at the next look");
    world.resume(app);
    world.pass(Duration::from_secs(1));
    assert!(world.apps[app].records());
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

/// It runs again for the kernel but does not answer: after the look that finds that, its time is limited.
#[test]
fn continued_but_hung_it_is_given_up() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    let app = world.start_application();
    world.suspend(app);
    world.must(&client::start("s"));
    world.apps[app].hung = true;
    world.apps[app].state = lttng_sessiond::turn::output::ProcessState::Running;
    world.pass(Duration::from_secs(7));
    assert!(!world.apps[app].alive);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn dozens_of_suspended_applications_cost_no_more_than_one() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    for index in 0..100 {
        world.start_application();
        if index % 2 == 0 {
            world.suspend(index);
        }
    }
    assert!(time(&mut world, &client::start("s")) <= 40 * MILLISECOND);
    assert_eq!(world.apps.iter().filter(|app| app.records()).count(), 50);
    for request in [client::stop("s"), client::start("s"), client::stop("s")] {
        assert!(time(&mut world, &request) <= 10 * MILLISECOND);
    }
    let before = world.inspections.len();
    world.pass(Duration::from_secs(10));
    assert!(world.inspections.len() - before <= 50 * 45, "looked at every 250 ms at most");
    world.must(&client::start("s"));
    for index in 0..100 {
        world.resume(index);
    }
    world.pass(Duration::from_secs(1));
    assert!(world.apps.iter().all(|app| app.records()));
    world.check_applications();
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn nobody_looks_at_applications_that_answer() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    for _ in 0..10 {
        world.start_application();
    }
    world.must(&client::start("s"));
    world.pass(Duration::from_secs(60));
    world.must(&client::destroy("s"));
    assert_eq!(world.inspections, []);
    world.end_of_everything();
}

/// Its answers arrive one by one, when what they answer is not wanted any more.
#[test]
fn waking_up_after_everything_was_destroyed() {
    for (at, seed) in (1..16).flat_map(|at| (1..6).map(move |seed| (at, seed))) {
        let mut world = World::new();
        world.create_session_with_channel("s");
        world.must(&client::enable_event("s", "c", client::filtered("other:*", "number == 1")));
        world.must(&client::start("s"));
        let app = world.launch();
        world.apps[app].fault = Some(Fault { at, what: What::Suspend });
        world.pass(Duration::from_secs(1));
        world.must(&client::destroy("s"));
        world.shuffle(seed);
        world.resume(app);
        world.pass(Duration::from_secs(4));
        assert!(world.apps[app].alive && world.apps[app].released, "asleep at {at}");
        assert_eq!(world.apps[app].objects(), 0, "asleep at {at}");
        // The start that it was asked for last fails by right: its channels are gone.
        world.end_of_everything();
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// Each single answer comes in time.
const PACE: Duration = Duration::from_millis(4500);

#[test]
fn slow_answers_do_not_add_up() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    let (well, slow) = (world.start_application(), world.start_application());
    world.slow_down(slow, PACE);
    assert_eq!(time(&mut world, &client::start("s")), 5 * SECOND);
    assert!(world.apps[well].records());
    // It still owes what was waited for.
    let late = client::enable_event("s", "c", client::rule("other:three"));
    assert_eq!(time(&mut world, &late), Duration::ZERO);
    world.pass(120 * SECOND);
    assert!(world.apps[slow].alive, "it answers in time, each time");
    assert_eq!(world.apps[slow].holdings(), world.apps[well].holdings());
    // Having caught up, it is waited for again.
    let more = client::enable_event("s", "c", client::rule("app:one"));
    assert_eq!(time(&mut world, &more), 5 * SECOND);
    world.pass(120 * SECOND);
    // Pausing and going on are two steps of one command; its files take some milliseconds.
    let taken = time(&mut world, &client::clear("s"));
    assert!(taken >= 5 * SECOND && taken <= 5010 * MILLISECOND, "{taken:?}");
    world.pass(120 * SECOND);
    world.must(&client::destroy("s"));
    world.pass(120 * SECOND);
    assert_eq!(world.apps[slow].objects(), 0);
    world.end_of_everything();
}

#[test]
fn the_slow_cost_a_command_no_more_than_one_of_them() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    for index in 0..20 {
        world.start_application();
        world.slow_down(index, PACE);
    }
    let taken = time(&mut world, &client::start("s"));
    assert!(taken >= 5 * SECOND && taken <= 5200 * MILLISECOND, "{taken:?}");
    world.pass(600 * SECOND);
    assert!(world.apps.iter().all(|app| app.records()));
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn one_that_lists_slowly_is_left_out_and_held_against_no_command() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    world.must(&client::start("s"));
    let (well, slow) = (world.start_application(), world.start_application());
    world.slow_down(slow, PACE);
    let before = world.age();
    let listed = world.must(&client::list_tracepoints()).elements(Event::decode).unwrap();
    assert_eq!((world.age() - before, listed.len()), (5 * SECOND, 3));
    let late = client::enable_event("s", "c", client::rule("other:three"));
    assert_eq!(time(&mut world, &late), Duration::ZERO, "what the listing asked is not waited for");
    assert_eq!(time(&mut world, &client::list_tracepoints()), Duration::ZERO);
    world.pass(120 * SECOND);
    assert!(
        world.apps[slow].alive && world.apps[slow].objects() == world.apps[well].objects(),
        "the list is let go"
    );
    assert_eq!(world.apps[slow].holdings(), world.apps[well].holdings());
    world.must(&client::destroy("s"));
    world.pass(120 * SECOND);
    world.end_of_everything();
}

#[test]
fn many_that_list_slowly_take_the_time_of_two() {
    let mut world = World::new();
    for index in 0..200 {
        world.start_application();
        world.slow_down(index, PACE);
    }
    let before = world.age();
    // Each has begun, and none came so far as to say anything: that is not the same as having nothing.
    assert_eq!(world.ask(&client::list_tracepoints()), ErrorCode::UstListFail);
    assert_eq!(world.age() - before, 10 * SECOND);
    world.pass(120 * SECOND);
    world.end_of_everything();
}

#[test]
fn half_a_request_costs_an_application_its_connection_unless_it_is_suspended() {
    let mut world = World::new();
    let (well, stuck, asleep) =
        (world.start_application(), world.start_application(), world.start_application());
    for index in [stuck, asleep] {
        let half = [&2u32.to_ne_bytes()[..], &[0; 100]].concat();
        world.say(world.apps[index].notify, &half);
        world.pump();
    }
    world.suspend(asleep);
    world.pass(4 * SECOND);
    // More of it does not give it more time.
    world.say(world.apps[stuck].notify, &[0]);
    world.pass(999 * MILLISECOND);
    assert!(world.apps[stuck].alive);
    world.pass(MILLISECOND);
    assert!(!world.apps[stuck].alive && world.apps[asleep].alive && world.apps[well].alive);
    world.pass(3600 * SECOND);
    assert!(world.apps[asleep].alive);
    world.resume(asleep);
    world.pass(2 * SECOND);
    assert!(!world.apps[asleep].alive);
    assert!(world.apps[well].alive);
    world.end_of_everything();
}

/// What it is asked comes in portions, and all of it comes.
#[test]
fn hundreds_of_rules_are_made_and_let_go() {
    let mut world = World::new();
    world.must(&client::create("s"));
    world.must(&client::enable_channel("s", "c"));
    for number in 0..400 {
        world.must(&client::enable_event(
            "s",
            "c",
            client::filtered(&format!("app:{number}"), "number == 1"),
        ));
    }
    world.must(&client::start("s"));
    let app = world.start_application();
    assert!(world.apps[app].records());
    world.check_applications();
    for number in 0..400 {
        assert!(world.apps[app].holdings().values().all(|holding| {
            holding.channels["c"].1.iter().any(|((name, ..), on)| *on && *name == format!("app:{number}"))
        }));
    }
    world.must(&client::destroy("s"));
    assert_eq!(world.apps[app].objects(), 0);
    world.end_of_everything();
}
