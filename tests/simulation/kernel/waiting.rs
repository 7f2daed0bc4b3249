// SPDX-License-Identifier: GPL-2.0-only
//! The tracer takes its time: nobody waits but who asked, and nobody for ever.

use std::time::Duration;

use lttng_protocol::client::ErrorCode;

use super::life::SESSION;
use crate::client::{self, kernel};
use crate::tracer::Trouble;
use crate::world::World;

/// From the next job on, the tracer's helper hangs.
fn hang(world: &mut World) {
    world.tracer.trouble = Some(Trouble::Hang(world.tracer.jobs.len() + 1));
}

#[test]
fn others_are_served_while_a_start_takes_long() {
    let mut world = World::with_kernel();
    let app = world.start_application();
    world.create_kernel_session(SESSION);
    world.create_session("other");
    hang(&mut world);
    let started = world.send(&client::start(SESSION));
    world.pump();
    assert!(world.tracer.is_hung());
    let begun = world.age();
    world.must(&client::list_sessions());
    world.must(&client::start("other"));
    assert!(world.apps[app].records());
    world.must(&client::stop("other"));
    world.must(&client::destroy("other"));
    assert_eq!(world.ask(&kernel::list_syscalls()), ErrorCode::Ok);
    assert!(world.age() - begun < Duration::from_millis(200), "they waited");
    let same = world.send(&kernel::enable_event(SESSION, "c", client::rule("irq_*")));
    world.pass(Duration::from_secs(5));
    assert!(!world.clients[started.0].ended && !world.clients[same.0].ended);
    world.resume_tracer();
    assert_eq!(world.wait_for(started).code, ErrorCode::Ok);
    assert_eq!(world.wait_for(same).code, ErrorCode::Ok);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

/// What a client has asked for is done, although it does not wait for it.
#[test]
fn a_client_leaves_while_the_tracer_is_at_work() {
    for request in [kernel::enable_event(SESSION, "c", client::rule("irq_*")), client::start(SESSION)] {
        let mut world = World::with_kernel();
        world.create_kernel_session(SESSION);
        hang(&mut world);
        let id = world.send(&request);
        world.pump();
        world.leave(id);
        world.pass(Duration::from_secs(1));
        world.resume_tracer();
        world.pump();
        world.must(&kernel::list_channels(SESSION));
        let recorded = world.tracer.objects.recorded(SESSION);
        let active = world.tracer.objects.session(SESSION).active;
        assert!(active || recorded == ["sched_*", "irq_*"], "{recorded:?}");
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

#[test]
fn a_client_leaves_while_the_tracer_is_looked_for() {
    let mut world = World::with_kernel();
    world.must(&client::create(SESSION));
    hang(&mut world);
    let id = world.send(&kernel::enable_channel(SESSION, "c"));
    world.pump();
    world.leave(id);
    world.pass(Duration::from_secs(1));
    world.resume_tracer();
    world.pump();
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

/// A tracer that does not answer costs a client its time, and it is told so: nothing that was not done is called done.
#[test]
fn a_tracer_that_hangs_is_not_waited_for_without_end() {
    for (request, code) in [
        (kernel::enable_event(SESSION, "c", client::rule("irq_*")), ErrorCode::Unk),
        (kernel::enable_channel(SESSION, "d"), ErrorCode::Unk),
        (client::start(SESSION), ErrorCode::KernStartFail),
    ] {
        let mut world = World::with_kernel();
        world.create_kernel_session(SESSION);
        hang(&mut world);
        let begun = world.age();
        assert_eq!(world.ask(&request), code);
        assert!(world.age() - begun < Duration::from_secs(65));
        world.resume_tracer();
        world.pass(Duration::from_secs(1));
        world.must(&request);
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

#[test]
fn a_stop_and_a_destroy_come_to_an_end_all_the_same() {
    for request in [client::stop(SESSION), client::destroy(SESSION)] {
        let mut world = World::with_kernel();
        world.create_kernel_session(SESSION);
        world.must(&client::start(SESSION));
        hang(&mut world);
        assert_eq!(world.ask(&request), ErrorCode::KernStopFail);
        world.resume_tracer();
        world.pass(Duration::from_secs(1));
        if request.header.command == client::stop(SESSION).header.command {
            assert!(!world.tracer.objects.session(SESSION).active);
            world.must(&client::destroy(SESSION));
        }
        world.end_of_everything();
    }
}
