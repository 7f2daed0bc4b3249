// SPDX-License-Identifier: GPL-2.0-only
//! Sessions that rotate by themselves.

use std::time::Duration;

use lttng_protocol::client::{ErrorCode, ScheduleKind};
use lttng_protocol::consumer::{CloseCommand, MonitorSample, UstRequest};

use crate::client;
use crate::consumer::Trouble;
use crate::rotation::{SESSION, goes_on, in_use, recording};
use crate::world::World;

/// How many chunks were archived.
fn archived(world: &mut World) -> usize {
    let archives = |request: &&UstRequest| {
        let UstRequest::CloseTraceChunk(close) = request else { return false };
        close.command == Some(CloseCommand::MoveToCompleted)
    };
    world.consumer().requests.iter().filter(archives).count()
}

#[test]
fn sessions_rotate_in_time_until_they_are_destroyed() {
    let mut world = recording();
    world.must(&client::schedule(SESSION, ScheduleKind::Periodic, true, 1_000_000));
    world.pass(Duration::from_millis(3_500));
    assert_eq!(archived(&mut world), 3);
    world.must(&client::stop(SESSION));
    // Once more, for what was recorded until then.
    world.pass(Duration::from_secs(5));
    assert_eq!(archived(&mut world), 4);
    world.must(&client::start(SESSION));
    world.pass(Duration::from_millis(2_500));
    assert!((6..=7).contains(&archived(&mut world)));
    world.must(&client::destroy(SESSION));
    let until_now = archived(&mut world);
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    world.pass(Duration::from_secs(5));
    assert_eq!(archived(&mut world), until_now, "the next session of that name has no schedule");
    goes_on(world);
}

#[test]
fn a_rotation_in_time_waits_for_the_command_that_holds_the_session() {
    let mut world = recording();
    world.must(&client::schedule(SESSION, ScheduleKind::Periodic, true, 1_000_000));
    world.consumer().trouble = Some(Trouble::Slow(Duration::from_millis(700)));
    let id = world.send(&client::clear(SESSION));
    world.pass(Duration::from_secs(3));
    assert!(!world.clients[id.0].ended);
    assert_eq!(archived(&mut world), 0);
    world.consumer().trouble = None;
    assert_eq!(world.wait_for(id).code, ErrorCode::Ok);
    world.pass(Duration::from_millis(200));
    assert_eq!(archived(&mut world), 1, "several that were missed are one");
    world.must(&client::schedule(SESSION, ScheduleKind::Periodic, false, 1_000_000));
    world.pass(Duration::from_secs(3));
    goes_on(world);
}

#[test]
fn sessions_rotate_when_they_have_grown() {
    let mut world = recording();
    world.must(&client::schedule(SESSION, ScheduleKind::Size, true, 10_000));
    let key = in_use(&world).find(|channel| channel.handed_over).unwrap().asked.key;
    let grow = |world: &mut World, key: u64, total_consumed: u64| {
        let samples = world.consumer().samples.unwrap();
        let sample = MonitorSample { key, highest: 0, lowest: 0, total_consumed };
        world.say(samples, &sample.encode());
        world.pass(Duration::from_millis(300));
        archived(world)
    };
    for (total, rotations) in [(9_999, 0), (10_000, 1), (19_999, 1), (25_000, 2), (34_999, 2), (35_000, 3)] {
        assert_eq!(grow(&mut world, key, total), rotations, "at {total}");
    }
    // What is not its channel does not count, and what shrinks neither.
    assert_eq!(grow(&mut world, 9999, 1 << 40), 3);
    assert_eq!(grow(&mut world, key, 0), 3);
    world.must(&client::schedule(SESSION, ScheduleKind::Size, false, 10_000));
    assert_eq!(grow(&mut world, key, 1 << 40), 3);
    goes_on(world);
}
