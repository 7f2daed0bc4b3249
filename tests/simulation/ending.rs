// SPDX-License-Identifier: GPL-2.0-only
//! The daemon is asked to end, in the middle of anything.

use std::time::Duration;

use lttng_sessiond::turn::errand::Listener;
use lttng_sessiond::turn::machine::Machine;

use crate::application::{Fault, What};
use crate::client;
use crate::consumer;
use crate::helper;
use crate::script;
use crate::world::World;

/// Sessions may take 15 s to end, consumer daemons as long.
const LIMIT: Duration = Duration::from_secs(31);

/// Runs the script until the daemon ends. Returns whether it was asked to before the script was over.
fn end_in_turn(turn: usize, mut world: World) -> bool {
    world.start_application();
    world.end_at = Some(world.turns + turn);
    let mut asked_at = None;
    for (_, request) in script::commands() {
        let id = world.send(&request);
        while !world.clients[id.0].ended && !world.exited {
            world.run_until(Duration::from_secs(1), |world| world.clients[id.0].ended);
            if asked_at.is_none() && world.end_at.is_some_and(|end| world.turns >= end) {
                asked_at = Some(world.age());
            }
            assert!(asked_at.is_none_or(|at| world.age() - at <= LIMIT + Duration::from_secs(2)), "no end");
        }
        if world.exited {
            break;
        }
    }
    let early = asked_at.is_some();
    if !early {
        world.daemon.end();
    }
    assert!(
        world.exited || {
            world.run_until(LIMIT, |world| world.exited);
            world.exited
        },
        "turn {turn}"
    );
    assert!(world.stopped.contains(&Listener::Clients) && world.stopped.contains(&Listener::Applications));
    assert!(
        world.consumers.values().all(|consumer| !consumer.running),
        "turn {turn}: a consumer daemon runs on"
    );
    early
}

#[test]
fn in_the_middle_of_anything() {
    let mut turn = 1;
    while end_in_turn(turn, World::new()) {
        turn += 1;
    }
    assert!(turn > 50);
}

#[test]
fn with_a_hung_application() {
    for turn in (1..200).step_by(9) {
        let mut world = World::new();
        let hung = world.launch();
        world.apps[hung].fault = Some(Fault { at: 4, what: What::Hang });
        end_in_turn(turn, world);
    }
}

#[test]
fn with_a_hung_consumer_daemon() {
    for turn in (1..200).step_by(9) {
        for at in [1, 4, 7, 12, 16] {
            let mut world = World::new();
            world.consumer().trouble = Some(consumer::Trouble::Hang(at));
            end_in_turn(turn, world);
        }
    }
}

#[test]
fn with_a_hung_helper() {
    for turn in (1..150).step_by(9) {
        for at in 1..4 {
            let mut world = World::new();
            world.helper.trouble = Some(helper::Trouble::Hang(at));
            end_in_turn(turn, world);
        }
    }
}

#[test]
fn asked_twice_it_leaves_at_once() {
    let mut world = World::new();
    world.consumer().trouble = Some(consumer::Trouble::Hang(9));
    world.start_application();
    world.create_session("s");
    world.send(&client::start("s"));
    world.pump();
    world.daemon.end();
    world.pump();
    assert!(!world.exited);
    world.daemon.end();
    world.pump();
    assert!(world.exited);
}

#[test]
fn sessions_are_destroyed_before_the_end() {
    let mut world = World::new();
    let app = world.start_application();
    for name in ["a", "b"] {
        world.create_session(name);
        world.must(&client::start(name));
    }
    world.daemon.end();
    assert!(world.run_until(Duration::from_secs(5), |world| world.exited));
    let quiescent = |app: &crate::application::Application| app.objects() == 0;
    assert!(quiescent(&world.apps[app]), "the application was told to let go");
}

#[test]
fn without_anything_to_end() {
    let mut world = World::new();
    world.daemon.end();
    world.pump();
    assert!(world.exited);
}
