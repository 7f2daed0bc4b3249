// SPDX-License-Identifier: GPL-2.0-only
//! Applications that die, or worse, at every possible moment. Clients get their replies, other applications and
//! the trace are not touched, nothing is left behind.

use std::time::Duration;

use lttng_protocol::ust::registration::SocketKind;

use crate::application::{Fault, What};
use crate::client;
use crate::life;
use crate::script;
use crate::world::{USER, World};

/// Runs the script with one healthy application and one that has a fault, which starts before or after the
/// session. Returns how far the faulty one came.
pub fn live_with(what: What, at: usize, late: bool) -> usize {
    let mut world = World::new();
    let healthy = world.start_application();
    let launch = |world: &mut World| {
        let index = world.launch();
        world.apps[index].fault = Some(Fault { at, what });
        world.pump();
    };
    if !late {
        launch(&mut world);
    }
    script::run_well(&mut world, |world, name| {
        let app = &world.apps[healthy];
        match name {
            "start" | "start again" => assert!(app.records(), "{what:?} at {at}"),
            "stop" => assert!(!app.records(), "{what:?} at {at}"),
            "destroy" => assert_eq!(app.objects(), 0, "{what:?} at {at}"),
            _ => {}
        }
        world.apps.iter().for_each(|app| app.check_conditions());
        if name == "start" && late {
            launch(world);
        }
    });
    assert_eq!(world.apps[healthy].refused, []);
    let steps = world.apps[1].steps;
    world.end_of_everything();
    steps
}

/// Tries a fault at every step that there is.
fn at_every_step(what: What) {
    for late in [false, true] {
        life::at_every_step(30, |at| live_with(what, at, late));
    }
}

#[test]
fn dying_instead_of_an_answer() {
    at_every_step(What::Die);
}

#[test]
fn dying_in_the_middle_of_an_answer() {
    at_every_step(What::DieHalfway);
}

#[test]
fn dying_after_an_answer() {
    at_every_step(What::DieAfter);
}

#[test]
fn answering_nonsense() {
    at_every_step(What::Babble);
}

#[test]
fn hanging_without_a_reason() {
    at_every_step(What::Hang);
}

#[test]
fn being_suspended_for_ever() {
    at_every_step(What::Suspend);
}

/// All that an application says at first, cut anywhere.
#[test]
fn dying_while_registering() {
    for said in (0..=272).step_by(17) {
        let mut world = World::new();
        let (index, [command, notify]) = world.connect_application(USER, 64);
        let first = world.apps[index].registration(SocketKind::Command);
        let second = world.apps[index].registration(SocketKind::Notify);
        world.say(command, &first[..said.min(136)]);
        world.say(notify, &second[..said.saturating_sub(136)]);
        world.pump();
        world.must(&client::list_tracepoints());
        world.kill_application(index);
        world.pump();
        world.check_empty();
    }
}

#[test]
fn saying_nothing_after_connecting() {
    for said in [0, 1, 135, 136, 137, 271] {
        let mut world = World::new();
        let (index, [command, notify]) = world.connect_application(USER, 64);
        let first = world.apps[index].registration(SocketKind::Command);
        let second = world.apps[index].registration(SocketKind::Notify);
        world.say(command, &first[..said.min(136)]);
        world.say(notify, &second[..said.saturating_sub(136)]);
        world.must(&client::list_tracepoints());
        world.pass(Duration::from_secs(6));
        // The daemon has closed both: an application sees that on the command connection.
        assert!(!world.apps[index].alive, "{said} bytes said");
        world.check_empty();
    }
}

#[test]
fn registering_in_ways_that_no_application_does() {
    let mut world = World::new();
    let app = &world.connect_application(USER, 64);
    let (command, notify) = (app.1[0], app.1[1]);
    let registration = world.apps[app.0].registration(SocketKind::Notify);
    // Notify connections only.
    world.say(command, &registration);
    world.say(notify, &registration);
    world.pump();
    world.check_empty();
    // More than a registration.
    let (index, [command, _]) = world.connect_application(USER, 64);
    let registration = world.apps[index].registration(SocketKind::Command);
    world.say(command, &[registration.as_slice(), &[0]].concat());
    world.pass(Duration::from_secs(6));
    world.check_empty();
    // Garbage.
    let (_, [command, notify]) = world.connect_application(USER, 64);
    world.say(command, &[0xEE; 200]);
    world.say(notify, &[0xEE; 5]);
    world.pass(Duration::from_secs(6));
    world.check_empty();
}

#[test]
fn the_same_process_registers_again_before_its_end_is_noticed() {
    let mut world = World::new();
    world.create_session("s");
    let old = world.start_application();
    world.must(&client::start("s"));
    let new = world.launch_again(old);
    world.pump();
    assert!(world.apps[old].records() && world.apps[new].records());
    world.kill_application(old);
    world.pump();
    world.must(&client::stop("s"));
    assert!(!world.apps[new].records());
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn a_notify_connection_alone_can_be_lost() {
    let mut world = World::new();
    world.create_session("s");
    let app = world.start_application();
    let notify = world.apps[app].notify;
    world.hang_up(notify);
    world.pump();
    world.must(&client::list_tracepoints());
    assert!(world.apps[app].alive);
    world.kill_application(app);
    world.must(&client::start("s"));
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn garbage_on_the_notify_connection() {
    for garbage in [vec![0xEE; 4], vec![0; 316], [1u32, 5, 5, 920 * 100_000].map(u32::to_ne_bytes).concat()] {
        let mut world = World::new();
        let app = world.start_application();
        let notify = world.apps[app].notify;
        world.say(notify, &garbage);
        world.pass(Duration::from_secs(1));
        world.must(&client::list_tracepoints());
        world.end_of_everything();
    }
}
