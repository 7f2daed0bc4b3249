// SPDX-License-Identifier: GPL-2.0-only
//! CPUs come up.

use lttng_protocol::consumer::KernelRequest;

use super::life::SESSION;
use crate::client;
use crate::world::World;

fn streams(world: &mut World) -> usize {
    let channels = world.kernel_consumer().kernel.values().filter(|channel| channel.asked.name == "c");
    channels.map(|channel| channel.streams.len()).sum()
}

fn prepared() -> World {
    let mut world = World::with_kernel();
    world.create_kernel_session(SESSION);
    world
}

fn end(mut world: World) {
    world.kernel_consumer().check_kernel();
    world.must(&client::destroy(SESSION));
    assert_eq!(world.polled_channels(), 0);
    world.end_of_everything();
}

#[test]
fn before_the_start() {
    let mut world = prepared();
    assert_eq!(world.polled_channels(), 0, "a channel is readable as long as it has no streams");
    world.plug_in(2);
    world.must(&client::start(SESSION));
    assert_eq!((streams(&mut world), world.polled_channels()), (5, 1));
    end(world);
}

#[test]
fn while_it_records() {
    let mut world = prepared();
    world.must(&client::start(SESSION));
    for cpus in 1..4 {
        world.plug_in(cpus);
        world.pump();
    }
    assert_eq!(streams(&mut world), 9);
    let keys = world.kernel_consumer().kernel_requests.iter().filter_map(|request| match request {
        KernelRequest::AddStream { cpu, .. } => Some(*cpu),
        _ => None,
    });
    let mut cpus: Vec<i32> = keys.collect();
    cpus.sort_unstable();
    assert_eq!(cpus, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8], "places in the channel; the metadata has one");
    end(world);
}

#[test]
fn while_it_is_stopped() {
    let mut world = prepared();
    world.must(&client::start(SESSION));
    world.must(&client::stop(SESSION));
    world.plug_in(1);
    world.pump();
    world.must(&client::start(SESSION));
    assert_eq!(streams(&mut world), 4);
    world.must(&client::stop(SESSION));
    let flushes = world.tracer.transcript(0).iter().filter(|line| *line == "R.FLUSH").count();
    assert_eq!(flushes, 4 + 5, "all that there were, each time");
    end(world);
}

/// What comes in the middle of a change of trace chunks is handed over after it.
#[test]
fn while_it_is_rotated() {
    for turn in 0..60 {
        let mut world = prepared();
        world.must(&client::start(SESSION));
        let rotated = world.send(&client::rotate(SESSION));
        world.turns(turn);
        world.plug_in(1);
        assert_eq!(world.wait_for(rotated).code, lttng_protocol::client::ErrorCode::Ok);
        world.pass(std::time::Duration::from_secs(1));
        assert_eq!(streams(&mut world), 4, "turn {turn}");
        end(world);
    }
}

#[test]
fn a_stream_that_is_refused_is_not_lost_for_good() {
    let mut world = prepared();
    world.must(&client::start(SESSION));
    world.kernel_consumer().refuse_kernel =
        Some((|request| matches!(request, KernelRequest::AddStream { .. }), 118));
    world.plug_in(1);
    world.pump();
    assert_eq!(streams(&mut world), 3);
    // Commands that have nothing to do with it.
    world.must(&client::kernel::enable_event(SESSION, "c", client::rule("irq_*")));
    world.must(&client::stop(SESSION));
    world.must(&client::start(SESSION));
    assert_eq!(streams(&mut world), 4);
    end(world);
}
