// SPDX-License-Identifier: GPL-2.0-only
//! What the health socket says: what is measured is told once, what is so is told as long as it is.

use std::num::NonZeroU64;
use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::health::Component::{
    self, ActionExecutor, AppRegistration, AppRegistrationDispatch, Command, Consumer, Kernel, Notification,
    Rotation, Timer,
};
use lttng_protocol::trigger::{Action, RatePolicy};
use lttng_sessiond::turn::errand::Listener;
use lttng_sessiond::turn::facts::Fact;
use lttng_sessiond::turn::ids::{ConnId, ConsumerKind, TriggerId};
use lttng_sessiond::turn::machine::{Attached, Machine};

use crate::consumer::Trouble;
use crate::world::World;
use crate::{client, helper, tracer};

const GOOD: [Component; 0] = [];
/// A little more than anything may take, and a little less.
const LONG: Duration = Duration::from_secs(21);
const SHORT: Duration = Duration::from_secs(19);

/// A session of one application that records, on a daemon that is well.
fn recording() -> World {
    let mut world = World::new();
    world.start_application();
    world.create_session("s");
    world.must(&client::start("s"));
    assert_eq!(world.health(), GOOD);
    world
}

/// The consumer daemon answers nothing any more.
fn hang(world: &mut World) {
    let consumer = world.consumer();
    consumer.trouble = Some(Trouble::Hang(consumer.steps + 1));
}

/// A turn begins in which what comes from this connection takes so long.
fn stall(world: &mut World, conn: ConnId, bytes: &[u8], length: Duration) {
    world.daemon.time(world.now, 1_700_000_000);
    world.daemon.received(conn, bytes, Attached::default());
    world.now += length;
    world.daemon.worked(world.now);
    // The next turn begins at once.
    world.daemon.time(world.now, 1_700_000_000);
    world.pump();
}

#[test]
fn a_turn_that_took_too_long_is_told_once_and_of_whom() {
    let mut world = recording();
    let app = world.apps[0].notify;
    stall(&mut world, app, &[], SHORT);
    assert_eq!(world.health(), GOOD);
    stall(&mut world, app, &[], LONG);
    assert_eq!((world.health(), world.health()), (vec![Component::AppManageNotify], vec![]));
    let client = world.connect(0);
    let conn = world.clients[client.0].conn;
    stall(&mut world, conn, &[0], LONG);
    assert_eq!((world.health(), world.health()), (vec![Command], vec![]));
    let subscriber = world.connect_subscriber(0);
    let conn = world.subscribers[subscriber.0].conn;
    stall(&mut world, conn, &[0], LONG);
    assert_eq!((world.health(), world.health()), (vec![Notification], vec![]));
    world.leave(client);
    world.unsubscribe(subscriber);
}

/// The process was stopped, or the machine had no time for it, while something was due.
#[test]
fn timers_that_come_too_late_are_told() {
    let mut world = World::new();
    // Who has half a query has a timer.
    let half = world.send_query(&[1]);
    world.pump();
    let due = world.daemon.next_deadline().unwrap();
    world.now = due + SHORT;
    world.daemon.time(world.now, 1_700_000_000);
    assert_eq!(world.health(), GOOD);
    assert!(world.clients[half.0].bytes().is_empty());
    world.send_query(&[1]);
    world.pump();
    world.now = world.daemon.next_deadline().unwrap() + LONG;
    world.daemon.time(world.now, 1_700_000_000);
    assert_eq!((world.health(), world.health()), (vec![Timer], vec![]));
}

#[test]
fn a_helper_that_owes_an_answer() {
    let mut world = recording();
    world.must(&client::stop("s"));
    world.helper.trouble = Some(helper::Trouble::Hang(world.helper.requests.len() + 1));
    let rotating = world.send(&client::rotate("s"));
    world.pass(SHORT);
    assert_eq!(world.health(), GOOD);
    world.pass(LONG - SHORT);
    // The rotation waits for it; everybody else is served.
    assert_eq!(world.health(), [Command, Rotation]);
    assert_eq!(world.ask(&client::list_sessions()), ErrorCode::Ok);
    world.wait_for(rotating);
    assert_eq!(world.health(), [Command], "it owes the answer still");
    world.kill_helper(false);
    world.pump();
    world.helper.trouble = None;
    world.pump();
    assert_eq!(world.health(), GOOD);
}

#[test]
fn a_helper_that_can_not_be_started() {
    let mut world = recording();
    world.must(&client::stop("s"));
    world.helper.trouble = Some(helper::Trouble::Die(0));
    world.kill_helper(false);
    for turn in 0..5 {
        let name = format!("s{turn}");
        world.create_session(&name);
        world.ask(&client::start(&name));
    }
    assert_eq!(world.health(), [Command]);
    world.helper.trouble = None;
    world.pass(Duration::from_secs(10));
    assert_eq!(world.health(), GOOD, "it is tried again");
}

#[test]
fn the_kernel_tracers_helper_hangs() {
    let mut world = World::with_kernel();
    world.create_kernel_session("k");
    assert_eq!(world.health(), GOOD);
    world.tracer.trouble = Some(tracer::Trouble::Hang(world.tracer.jobs.len() + 1));
    let starting = world.send(&client::start("k"));
    world.pass(SHORT);
    assert_eq!(world.health(), GOOD);
    world.pass(LONG - SHORT);
    assert_eq!(world.health(), [Kernel]);
    world.resume_tracer();
    world.wait_for(starting);
    assert_eq!(world.health(), GOOD);
}

#[test]
fn a_consumer_daemon_that_is_lost_until_there_is_another() {
    let mut world = recording();
    world.kill_consumer(ConsumerKind::Ust64);
    world.pump();
    for _ in 0..2 {
        assert_eq!(world.health(), [Consumer]);
    }
    world.create_session("t");
    world.must(&client::start("t"));
    assert_eq!(world.health(), GOOD);
}

#[test]
fn a_consumer_daemon_that_owes_an_answer() {
    let mut world = recording();
    hang(&mut world);
    let rotating = world.send(&client::rotate("s"));
    world.pass(SHORT);
    assert_eq!(world.health(), GOOD);
    world.pass(LONG - SHORT);
    assert_eq!(world.health(), [Consumer, Rotation]);
    world.wait_for(rotating);
    assert_eq!(world.health(), [Consumer], "nothing has come yet");
}

/// A command that waits for it is the affair of who has asked; an action of a trigger is the daemon's own.
#[test]
fn an_action_that_waits_for_a_consumer_daemon() {
    let mut world = recording();
    let rate = RatePolicy::EveryN(NonZeroU64::MIN);
    let action = Action::RotateSession { session: "s".to_owned(), rate };
    let trigger = client::trigger("t", client::matching("never", false), action);
    world.must(&client::register(&trigger));
    hang(&mut world);
    world.happens(Fact::Matched(TriggerId(1), Vec::new()));
    world.pass(LONG);
    assert_eq!(world.health(), [Consumer, Rotation, ActionExecutor]);
}

#[test]
fn whom_nobody_hears() {
    let mut world = World::new();
    for (listener, bad) in [
        (Listener::Applications, vec![AppRegistration, AppRegistrationDispatch]),
        (Listener::Clients, vec![Command]),
        (Listener::Notifications, vec![Notification]),
    ] {
        world.daemon.hears(listener, false);
        world.pass(LONG);
        world.daemon.hears(listener, false);
        assert_eq!((world.health(), world.health()), (bad.clone(), bad));
        world.daemon.hears(listener, true);
        assert_eq!(world.health(), GOOD);
    }
}

/// Whoever asks in pieces, says too little, or says too much: all others are answered.
#[test]
fn queries_of_any_length() {
    let mut world = World::new();
    let half = world.send_query(&[1]);
    let [pieces, long] = [world.send_query(&[1, 1, 1, 1]), world.send_query(&[8])];
    let silent = world.send_query(&[]);
    world.pump();
    for id in [pieces, long] {
        assert_eq!(world.clients[id.0].bytes(), [0; 8]);
    }
    assert!(!world.clients[half.0].ended && !world.clients[silent.0].ended);
    world.pass(Duration::from_secs(10));
    for id in [half, silent] {
        assert!(world.clients[id.0].bytes().is_empty());
    }
}
