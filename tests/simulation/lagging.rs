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
