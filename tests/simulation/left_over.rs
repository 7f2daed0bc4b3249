// SPDX-License-Identifier: GPL-2.0-only
//! Sessions that record and to which nothing happens any more.

use std::time::Duration;

use lttng_protocol::consumer::MonitorSample;
use lttng_sessiond::turn::machine::Machine;
use lttng_sessiond::turn::messages::Topic;
use lttng_sessiond::turn::timers::Timer;

use crate::client;
use crate::rotation::in_use;
use crate::world::World;

const SESSION: &str = "s";
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What was said of sessions that may be left over. The same text twice is kept once.
fn told(world: &mut World) -> Vec<String> {
    let messages = world.daemon.state().turn.messages().kept();
    let such = messages.filter(|message| message.topic == Topic::LeftOver);
    such.map(|message| message.text.clone()).collect()
}

/// How long the daemon would sleep if nothing came.
fn sleeps(world: &mut World) -> Option<Duration> {
    let now = world.daemon.state().turn.now;
    world.daemon.next_deadline().map(|next| next.saturating_duration_since(now))
}

#[test]
fn a_session_that_is_left_alone_is_told_of_once_a_day() {
    let mut world = World::new();
    world.create_session_with_channel(SESSION);
    world.pass(DAY * 3);
    assert_eq!(told(&mut world), [""; 0], "one that does not record");
    world.must(&client::start(SESSION));
    world.pass(DAY - HOUR);
    assert_eq!(told(&mut world), [""; 0]);
    world.pass(HOUR * 2);
    let said = told(&mut world);
    let [text] = said.as_slice() else { panic!("{said:?}") };
    let session = &world.daemon.state().report(0).sessions[0];
    assert!(
        session.left_over && (DAY + HOUR / 2..DAY + HOUR * 2).contains(&Duration::from_secs(session.idle))
    );
    for part in ["Session \"s\" of user ", "may be left over", "for a day (since", "lttng destroy s"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(sleeps(&mut world).is_some_and(|time| time > HOUR * 20), "{:?}", sleeps(&mut world));
    world.pass(DAY - HOUR * 3);
    assert_eq!(told(&mut world).len(), 1);
    world.pass(DAY * 3);
    assert_eq!(told(&mut world).len(), 4);
    // Whoever asks about it has not forgotten it.
    world.must(&client::list_channels(SESSION));
    world.pass(DAY - HOUR);
    assert_eq!(told(&mut world).len(), 4);
    world.pass(HOUR * 2);
    assert_eq!(told(&mut world).len(), 5);
    world.must(&client::stop(SESSION));
    assert_eq!(sleeps(&mut world), None);
    world.pass(DAY * 3);
    assert_eq!(told(&mut world).len(), 5);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn a_session_that_records_something_is_not_left_over() {
    let mut world = World::new();
    world.start_application();
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    let key = in_use(&world).find(|channel| channel.handed_over).unwrap().asked.key;
    for hours in 1..=60 {
        let samples = world.consumer().samples.unwrap();
        let sample = MonitorSample { key, highest: 0, lowest: 0, total_consumed: hours * 4096 };
        world.say(samples, &sample.encode());
        world.pass(HOUR);
    }
    assert_eq!(told(&mut world), [""; 0]);
    let session = world.daemon.state().sessions.find(SESSION).unwrap().recording.activity;
    let now = world.daemon.state().turn.now;
    assert!(session.idle(now) <= HOUR, "{:?}", session.idle(now));
    world.pass(DAY + HOUR);
    assert_eq!(told(&mut world).len(), 1);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn a_flight_recorder_is_told_of_once_after_a_week() {
    let mut world = World::new();
    world.must(&client::create_for_snapshots(SESSION));
    world.must(&client::enable_event(SESSION, "", client::rule("app:*")));
    world.must(&client::start(SESSION));
    world.pass(DAY * 7 - HOUR);
    assert_eq!(told(&mut world), [""; 0]);
    world.pass(HOUR * 2);
    assert_eq!(told(&mut world).len(), 1);
    assert_eq!(sleeps(&mut world), None);
    world.pass(DAY * 30);
    assert_eq!(told(&mut world).len(), 1);
    // It was heard of again, and is watched again.
    world.must(&client::list_channels(SESSION));
    world.pass(DAY * 7 + HOUR);
    assert_eq!(told(&mut world).len(), 2);
    world.must(&client::destroy(SESSION));
    assert_eq!(world.daemon.state().turn.timers.get(Timer::LeftOver), None);
    world.end_of_everything();
}

#[test]
fn many_sessions_are_looked_at_together() {
    let mut world = World::new();
    for number in 0..10 {
        let name = format!("s{number}");
        world.create_session_with_channel(&name);
        world.must(&client::start(&name));
        world.pass(Duration::from_secs(60));
    }
    world.pass(DAY + HOUR);
    assert_eq!(told(&mut world).len(), 10);
    assert!(sleeps(&mut world).is_some_and(|time| time >= HOUR), "{:?}", sleeps(&mut world));
    for number in 0..10 {
        world.must(&client::destroy(&format!("s{number}")));
    }
    world.end_of_everything();
}

#[test]
fn those_who_come_do_not_put_off_what_is_said_of_others() {
    let mut world = World::new();
    world.must(&client::create_for_snapshots("recorder"));
    world.must(&client::enable_event("recorder", "", client::rule("app:*")));
    world.must(&client::start("recorder"));
    world.pass(DAY);
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    world.create_session_with_channel("busy");
    for _ in 0..150 {
        world.must(&client::start("busy"));
        world.pass(HOUR / 6);
        world.must(&client::stop("busy"));
    }
    world.must(&client::destroy("busy"));
    assert_eq!(told(&mut world).len(), 1, "{:?}", told(&mut world));
    world.must(&client::destroy(SESSION));
    world.must(&client::destroy("recorder"));
    world.end_of_everything();
}
