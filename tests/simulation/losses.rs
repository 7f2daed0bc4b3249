// SPDX-License-Identifier: GPL-2.0-only
//! What sessions lose is found out while they record, whatever else goes on, and costs nothing when nothing does.

use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::MonitorSample;
use lttng_sessiond::turn::ids::ConsumerKind;
use lttng_sessiond::turn::messages::Topic;

use crate::client;
use crate::consumer::Trouble;
use crate::rotation::{SESSION, goes_on, in_use, recording};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// A session that records, whose channels have lost nothing so far.
fn quiet() -> (World, u64) {
    let mut world = recording();
    world.consumer().lost = 0;
    let key = in_use(&world).find(|channel| channel.handed_over).unwrap().asked.key;
    world.pass(SECOND);
    world.consumer().counted = 0;
    (world, key)
}

/// The consumer daemon says that the channel has written so much in all. Time does not go on.
fn sample(world: &mut World, key: u64, total_consumed: u64) {
    let samples = world.consumer().samples.unwrap();
    let sample = MonitorSample { key, highest: 0, lowest: 0, total_consumed };
    world.say(samples, &sample.encode());
}

/// What was said of losses.
fn told(world: &mut World) -> Vec<String> {
    let messages = world.daemon.state().turn.messages().kept();
    messages.filter(|message| message.topic == Topic::Losses).map(|message| message.text.clone()).collect()
}

/// What is known of the session's losses.
fn known(world: &mut World) -> u64 {
    let sessions = &world.daemon.state().sessions;
    sessions.find(SESSION).map_or(0, |session| session.recording.losses.total())
}

#[test]
fn losses_are_told_while_a_session_records() {
    let (mut world, key) = quiet();
    let mut written = 0;
    let mut grow = |world: &mut World, lost: u64| {
        world.consumer().lost = lost;
        written += 4096;
        sample(world, key, written);
        world.pass(SECOND);
    };
    grow(&mut world, 0);
    assert_eq!((told(&mut world), world.consumer().counted), (vec![], 1));
    grow(&mut world, 12_345);
    let said = told(&mut world);
    let [first] = said.as_slice() else { panic!("{said:?}") };
    assert!(first.contains("channel \"c\": 12,345 events discarded in the last"), "{first}");
    assert!(first.contains("--subbuf-size="), "{first}");
    grow(&mut world, 25_000);
    assert_eq!(told(&mut world).len(), 2);
    // A count that goes down is nothing lost, nor does it hide what comes then.
    grow(&mut world, 10);
    assert_eq!((told(&mut world).len(), known(&mut world)), (2, 25_000));
    // Whoever goes on losing is told of less often, and at the stop of the rest.
    for lost in 1..=20 {
        grow(&mut world, 10 + lost);
    }
    assert!((3..=7).contains(&told(&mut world).len()), "{:?}", told(&mut world));
    world.must(&client::stop(SESSION));
    let said = told(&mut world);
    assert!(said.last().unwrap().contains("(25,020 in all)"), "{said:?}");
    assert_eq!(known(&mut world), 25_020);
    // Who asks how the daemon is sees the same.
    let report = world.daemon.state().report(0);
    let session = &report.sessions[0];
    let channel = session.channels.iter().find(|channel| channel.name == "c").unwrap();
    assert_eq!((session.lost, channel.lost), (25_020, 25_020));
    assert!(channel.suggested_subbuf_size.is_some_and(|size| size > channel.subbuf_size));
    let last = report.messages.last().unwrap();
    assert_eq!(
        (last.topic.as_str(), last.level.as_str(), Some(&last.text)),
        ("losses", "warning", said.last())
    );
    // Whoever is somebody else does not.
    let others = world.daemon.state().report(4242);
    assert_eq!((others.sessions.len(), others.messages.len()), (0, 0));
    world.must(&client::start(SESSION));
    goes_on(world);
}

#[test]
fn nobody_is_asked_about_a_session_that_writes_nothing() {
    let (mut world, key) = quiet();
    for _ in 0..100 {
        sample(&mut world, key, 0);
        world.pass(SECOND);
    }
    assert_eq!(world.consumer().counted, 0);
    // Nor more than about once a second about one that does.
    for total in 1..=100 {
        sample(&mut world, key, total * 4096);
        world.pass(SECOND / 10);
    }
    let counted = world.consumer().counted;
    assert!((9..=12).contains(&counted), "{counted}");
    world.must(&client::stop(SESSION));
    let counted = world.consumer().counted;
    sample(&mut world, key, 1 << 30);
    world.pass(SECOND * 3);
    assert_eq!(world.consumer().counted, counted, "one that does not record");
    world.must(&client::start(SESSION));
    goes_on(world);
}

#[test]
fn a_command_that_has_the_session_is_not_disturbed() {
    let (mut world, key) = quiet();
    world.consumer().trouble = Some(Trouble::Slow(Duration::from_millis(700)));
    let id = world.send(&client::clear(SESSION));
    let counted = world.consumer().counted;
    for total in 1..=3 {
        sample(&mut world, key, total * 4096);
        world.pass(SECOND / 4);
    }
    assert!(!world.clients[id.0].ended);
    assert_eq!(world.consumer().counted, counted);
    world.consumer().trouble = None;
    assert_eq!(world.wait_for(id).code, ErrorCode::Ok);
    // What was written meanwhile is asked about later.
    world.pass(SECOND);
    sample(&mut world, key, 3 * 4096);
    world.pass(SECOND);
    assert_eq!(world.consumer().counted, counted + 1);
    goes_on(world);
}

#[test]
fn a_slow_consumer_daemon_is_asked_once_and_delays_no_command_by_more() {
    let (mut world, key) = quiet();
    world.consumer().trouble = Some(Trouble::Slow(SECOND * 5));
    for total in 1..=4 {
        sample(&mut world, key, total * 4096);
        world.pass(SECOND);
    }
    assert!(world.consumer().counted <= 1);
    world.consumer().trouble = None;
    world.must(&client::stop(SESSION));
    assert_eq!(known(&mut world), 0);
    world.must(&client::start(SESSION));
    goes_on(world);
}

#[test]
fn a_consumer_daemon_that_dies_or_falls_silent_over_the_question() {
    for trouble in [Trouble::Die, Trouble::Hang, Trouble::Babble] {
        let (mut world, key) = quiet();
        world.consumer().lost = 99;
        let next = world.consumer().steps + 1;
        world.consumer().trouble = Some(trouble(next));
        sample(&mut world, key, 4096);
        world.pass(SECOND * 90);
        world.consumer().trouble = None;
        if trouble(0) == Trouble::Hang(0) {
            world.kill_consumer(ConsumerKind::Ust64);
        }
        let _ = world.ask(&client::stop(SESSION));
        world.pass(SECOND * 90);
        let _ = world.ask(&client::destroy(SESSION));
        world.pass(SECOND * 90);
        world.end_of_everything();
    }
}
