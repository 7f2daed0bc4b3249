// SPDX-License-Identifier: GPL-2.0-only
//! Triggers on events of applications: they get what is wanted, tell of events, and count what they can't tell; whatever
//! goes wrong in one of them concerns nobody else.

use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::trigger::channel::DaemonMessage;
use lttng_protocol::trigger::{ErrorResult, Evaluation, Trigger};
use lttng_protocol::ust::command::code;
use lttng_protocol::ust::event_notifier::EventNotification;
use lttng_protocol::ust::registration::SocketKind;
use lttng_sessiond::accounts::Resource;
use lttng_sessiond::turn::machine::Machine;

use crate::application::{Fault, What};
use crate::client;
use crate::life;
use crate::subscriber::SubscriberId;
use crate::world::{COUNTERS, CPUS, NO_MEMORY, USER, World};

fn all() -> Trigger {
    client::notifying("all", client::matching("app:*", true))
}

fn plain() -> Trigger {
    client::notifying("plain", client::matching("app:two", false))
}

/// How many events of a trigger could not be told.
#[track_caller]
fn untold(world: &mut World, trigger: &Trigger) -> u64 {
    let reply = world.must(&client::untold(trigger));
    ErrorResult::decode_list(&reply.payload).unwrap()[0].value
}

/// Names of the triggers that somebody was told of, and what was captured, since the last call.
#[track_caller]
fn told(world: &mut World, subscriber: SubscriberId) -> Vec<(String, Vec<u8>)> {
    let notification = |message| {
        let DaemonMessage::Notification(notification) = message else { panic!("{message:?}") };
        let Evaluation::EventRuleMatches { captures } = notification.evaluation else {
            panic!("no event: {notification:?}")
        };
        (notification.trigger.name.unwrap(), captures)
    };
    world.told(subscriber).into_iter().map(notification).collect()
}

/// The names alone.
#[track_caller]
fn names(world: &mut World, subscriber: SubscriberId) -> Vec<String> {
    told(world, subscriber).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn applications_tell_of_events_from_before_and_after_the_trigger() {
    let mut world = World::new();
    let before = world.start_application();
    assert_eq!(world.apps[before].notifier_objects(), [0; 3], "it costs nothing as long as nobody wants it");
    world.must(&client::register(&all()));
    // When the client is told, those that ran have it.
    assert_eq!(world.apps[before].notifiers(), [("app:*".to_owned(), true)]);
    let after = world.launch();
    world.pump();
    assert!(world.apps[after].released && world.apps[after].notifiers() == world.apps[before].notifiers());
    // The group; counter and notifier; the rest, with its `main`.
    assert_eq!(world.apps[after].bursts_until_released, 3);
    let subscriber = world.subscribe(USER, &[all().condition]);
    for app in [before, after] {
        world.emit(app, "app:one");
        world.emit(app, "app:two");
        world.emit(app, "other:three");
    }
    world.pump();
    assert_eq!(told(&mut world, subscriber), vec![("all".to_owned(), vec![0x92, 0xc0, 0xc0]); 2]);
    world.must(&client::unregister(&all()));
    world.pump();
    for app in [before, after] {
        // The group stays to the end: the pipe must not be closed.
        assert_eq!(world.apps[app].notifier_objects(), [1, 1, 0]);
    }
    world.check_applications();
    world.end_of_everything();
}

#[test]
fn what_could_not_be_told_is_counted_by_trigger_and_begins_anew_with_the_next_one() {
    let mut world = World::new();
    let apps = [USER, USER, USER + 1].map(|uid| world.launch_as(uid, 64));
    world.must(&client::register(&all()));
    world.must(&client::register(&plain()));
    assert_eq!(untold(&mut world, &all()), 0);
    for (cpu, app) in (0..).zip(apps) {
        for _ in 0..=cpu {
            world.apps[app].lose("app:one", cpu);
        }
    }
    world.apps[apps[0]].lose("app:two", 0);
    assert_eq!((untold(&mut world, &all()), untold(&mut world, &plain())), (6, 1));
    // It is not forgotten with the application.
    apps.into_iter().for_each(|app| world.kill_application(app));
    world.pump();
    assert_eq!(untold(&mut world, &all()), 6);
    world.must(&client::unregister(&all()));
    // All places are given out once: one of them is that of the first trigger.
    let others: Vec<Trigger> = (1..COUNTERS)
        .map(|number| {
            client::notifying(&format!("t{number}"), client::matching(&format!("e{number}:*"), false))
        })
        .collect();
    for trigger in &others {
        world.must(&client::register(trigger));
        assert_eq!(untold(&mut world, trigger), 0);
    }
    assert_eq!(world.ask(&client::register(&all())), ErrorCode::EventNotifierErrorAccountingFull);
    assert_eq!(untold(&mut world, &plain()), 1);
    for trigger in others.iter().chain([&plain()]) {
        world.must(&client::unregister(trigger));
    }
    world.end_of_everything();
}

/// A life with triggers, one healthy application and one with a fault. Returns how far the faulty one came.
fn live_with(what: What, at: usize, late: bool) -> usize {
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
    world.must(&client::register(&all()));
    let subscriber = world.subscribe(USER, &[all().condition]);
    if late {
        launch(&mut world);
    }
    world.must(&client::register(&plain()));
    world.must(&client::unregister(&plain()));
    world.must(&client::register(&plain()));
    world.emit(healthy, "app:one");
    world.pump();
    assert_eq!(names(&mut world, subscriber), ["all"], "{what:?} at {at}");
    world.apps.iter().for_each(|app| app.check_conditions());
    for trigger in [all(), plain()] {
        world.must(&client::unregister(&trigger));
    }
    world.pump();
    assert_eq!(world.apps[healthy].notifier_objects(), [1, 1, 0], "{what:?} at {at}");
    assert_eq!(world.apps[healthy].refused, []);
    let steps = world.apps[1].steps;
    world.end_of_everything();
    steps
}

#[test]
fn a_fault_at_any_step_concerns_nobody_else() {
    let faults = [
        What::Die,
        What::DieHalfway,
        What::DieAfter,
        What::Hang,
        What::Suspend,
        What::Babble,
        What::RefuseToGoOn,
        What::Refuse(code::ERR),
        What::RefuseAll(code::INVAL),
    ];
    for what in faults {
        for late in [false, true] {
            life::at_every_step(12, |at| live_with(what, at, late));
        }
    }
}

#[test]
fn who_does_not_take_what_follows_a_command_is_let_go() {
    let mut world = World::new();
    let [faulty, healthy] = [world.start_application(), world.start_application()];
    // Its next command makes the group.
    world.apps[faulty].fault = Some(Fault { at: world.apps[faulty].steps + 1, what: What::RefuseToGoOn });
    world.must(&client::register(&all()));
    assert!(!world.apps[faulty].alive && world.apps[healthy].alive);
    assert_eq!(world.apps[healthy].notifier_objects(), [1, 1, 1]);
    world.must(&client::unregister(&all()));
    world.end_of_everything();
}

#[test]
fn a_trigger_is_removed_while_applications_get_it() {
    for turns in 0..40 {
        let mut world = World::new();
        world.shuffle(turns as u64 + 1);
        let first = world.launch();
        let register = world.send(&client::register(&all()));
        world.turns(turns);
        let second = world.launch();
        let unregister = world.send(&client::unregister(&all()));
        world.wait_for(register);
        let code = world.wait_for(unregister).code;
        if code != ErrorCode::Ok {
            // It came first.
            assert_eq!(code, ErrorCode::TriggerNotFound);
            world.must(&client::unregister(&all()));
        }
        world.calm();
        world.pass(Duration::from_secs(3));
        for app in [first, second] {
            assert_eq!(world.apps[app].notifier_objects()[2], 0, "after {turns} turns");
            assert!(world.apps[app].released);
        }
        world.check_applications();
        world.end_of_everything();
    }
}

#[test]
fn many_triggers_come_and_go_in_many_applications() {
    const APPLICATIONS: usize = 1000;
    let mut world = World::new();
    let apps: Vec<usize> = (0..APPLICATIONS).map(|_| world.launch()).collect();
    world.must(&client::register(&plain()));
    let subscriber = world.subscribe(USER, &[plain().condition]);
    for &app in &apps {
        assert_eq!(world.apps[app].notifiers().len(), 1);
        world.emit(app, "app:two");
    }
    world.pump();
    assert_eq!(names(&mut world, subscriber).len(), APPLICATIONS);
    for &app in apps.iter().step_by(2) {
        world.apps[app].lose("app:two", u32::try_from(app).unwrap() % CPUS);
        world.emit(app, "app:two");
        world.kill_application(app);
    }
    world.must(&client::register(&all()));
    world.pump();
    assert_eq!(names(&mut world, subscriber).len(), APPLICATIONS / 2, "what the dead have said counts");
    assert_eq!(untold(&mut world, &plain()), APPLICATIONS as u64 / 2);
    for trigger in [all(), plain()] {
        world.must(&client::unregister(&trigger));
    }
    world.pump();
    for &app in apps.iter().skip(1).step_by(2) {
        assert_eq!(world.apps[app].notifier_objects(), [1, 1, 0]);
    }
    world.check_applications();
    world.end_of_everything();
}

#[test]
fn an_application_with_too_much_to_do_gets_the_rest_later() {
    let mut world = World::new();
    let app = world.start_application();
    world.suspend(app);
    world.pass(Duration::from_secs(1));
    let triggers: Vec<Trigger> = (0..COUNTERS)
        .map(|number| {
            client::notifying(&format!("t{number}"), client::matching(&format!("e{number}:*"), true))
        })
        .collect();
    for trigger in &triggers {
        world.must(&client::register(trigger));
    }
    world.resume(app);
    world.pump();
    assert_eq!(world.apps[app].notifiers().len(), triggers.len());
    for trigger in &triggers {
        world.must(&client::unregister(trigger));
    }
    world.pump();
    assert_eq!(world.apps[app].notifier_objects(), [1, 1, 0]);
    world.check_applications();
    world.end_of_everything();
}

#[test]
fn nonsense_on_a_pipe_costs_that_pipe_only() {
    let mut world = World::new();
    let [bad, good] = [world.start_application(), world.start_application()];
    world.must(&client::register(&all()));
    world.must(&client::register(&plain()));
    let subscriber = world.subscribe(USER, &[all().condition]);
    let pipe = |world: &World, app: usize| *world.apps[app].pipes.last().unwrap();
    // A trigger that is not there, and one of which nothing was captured although it should.
    for token in [77, 1] {
        world.say(pipe(&world, good), &EventNotification { token, captures: &[] }.encode());
    }
    world.emit(bad, "app:one");
    let mut nonsense = EventNotification { token: 1, captures: &[] }.encode();
    nonsense[8..10].copy_from_slice(&5000u16.to_ne_bytes());
    world.say(pipe(&world, bad), &nonsense);
    world.emit(bad, "app:one");
    world.emit(good, "app:one");
    world.pump();
    assert_eq!(names(&mut world, subscriber), ["all", "all"]);
    assert!(world.apps[bad].alive, "it is not cut off from what it writes to");
    // Half a message is dropped with its sender.
    world.say(pipe(&world, good), &EventNotification { token: 1, captures: &[0x90] }.encode()[..20]);
    world.pump();
    world.kill_application(good);
    for trigger in [all(), plain()] {
        world.must(&client::unregister(&trigger));
    }
    assert_eq!(names(&mut world, subscriber), [""; 0]);
    world.end_of_everything();
}

#[test]
fn what_was_written_before_the_end_is_told_in_pieces_too() {
    for seed in 1..40 {
        let mut world = World::new();
        let app = world.start_application();
        world.must(&client::register(&all()));
        let subscriber = world.subscribe(USER, &[all().condition]);
        world.shuffle(seed);
        (0..50).for_each(|_| world.emit(app, "app:one"));
        world.kill_application(app);
        world.pump();
        assert_eq!(names(&mut world, subscriber).len(), 50);
        world.calm();
        world.must(&client::unregister(&all()));
        world.end_of_everything();
    }
}

#[test]
fn without_a_pipe_an_application_does_without_until_there_is_one() {
    let mut world = World::new();
    let early = world.start_application();
    world.no_pipes = true;
    world.must(&client::register(&all()));
    let late = world.start_application();
    assert!(world.apps[late].released);
    for app in [early, late] {
        assert_eq!(world.apps[app].notifier_objects(), [0; 3]);
    }
    world.pass(Duration::from_secs(10));
    world.no_pipes = false;
    world.pass(Duration::from_secs(3));
    for app in [early, late] {
        assert_eq!(world.apps[app].notifier_objects(), [1, 1, 1]);
    }
    world.must(&client::register(&plain()));
    for app in [early, late] {
        assert_eq!(world.apps[app].notifier_objects(), [1, 1, 2]);
    }
    for trigger in [all(), plain()] {
        world.must(&client::unregister(&trigger));
    }
    world.end_of_everything();
}

#[test]
fn without_memory_for_counters_a_trigger_is_refused_and_a_later_application_does_without() {
    let mut world = World::new();
    let early = world.start_application();
    NO_MEMORY.set(true);
    assert_eq!(world.ask(&client::register(&all())), ErrorCode::EventNotifierErrorAccounting);
    assert_eq!(world.apps[early].notifier_objects(), [0; 3]);
    world.kill_application(early);
    world.pump();
    // Without applications there is nothing to be counted.
    world.must(&client::register(&all()));
    let late = world.start_application();
    assert!(world.apps[late].released);
    assert_eq!(world.apps[late].notifier_objects(), [1, 0, 1]);
    world.pass(Duration::from_secs(10));
    NO_MEMORY.set(false);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.apps[late].notifier_objects(), [1, 1, 1]);
    world.must(&client::register(&plain()));
    assert_eq!(world.apps[late].notifier_objects(), [1, 1, 2]);
    for trigger in [all(), plain()] {
        world.must(&client::unregister(&trigger));
    }
    world.end_of_everything();
}

/// A user who has used up what it may have keeps nobody else from registering triggers, and goes without until it has
/// given something back.
#[test]
fn somebody_else_has_no_memory_left() {
    const OTHER: u32 = USER + 1;
    let mut world = World::new();
    let app = world.start_application();
    let accounts = &mut world.daemon.state().accounts;
    let mut held = accounts.charge(USER, Resource::Memory, 0).unwrap();
    while held.set(held.amount() + 1024).is_ok() {}
    let trigger = Trigger { owner: OTHER, ..all() };
    let as_other = |world: &mut World, request: &client::Request| {
        let id = world.connect(OTHER);
        world.say(world.clients[id.0].conn, &request.bytes());
        world.wait_for(id).code
    };
    assert_eq!(as_other(&mut world, &client::register(&trigger)), ErrorCode::Ok);
    assert_eq!(world.apps[app].notifier_objects(), [1, 0, 1]);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.apps[app].notifier_objects(), [1, 0, 1]);
    drop(held);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.apps[app].notifier_objects(), [1, 1, 1]);
    assert_eq!(as_other(&mut world, &client::unregister(&trigger)), ErrorCode::Ok);
    world.end_of_everything();
}

#[test]
fn an_old_application_is_asked_for_nothing() {
    let mut world = World::new();
    let (old, conns) = world.connect_application(USER, 64);
    world.apps[old].abi = 8;
    for (conn, socket) in conns.into_iter().zip([SocketKind::Command, SocketKind::Notify]) {
        let registration = world.apps[old].registration(socket);
        world.say(conn, &registration);
    }
    world.pump();
    world.must(&client::register(&all()));
    assert!(world.apps[old].released);
    assert_eq!(world.apps[old].notifier_objects(), [0; 3]);
    world.must(&client::unregister(&all()));
    world.end_of_everything();
}

#[test]
fn what_does_not_compile_is_refused() {
    let mut world = World::new();
    let condition = |filter: &str| {
        let mut condition = client::matching("app:*", true);
        if let lttng_protocol::trigger::Condition::EventRuleMatches { rule, .. } = &mut condition
            && let lttng_protocol::trigger::EventRule::UserTracepoint { filter: text, .. } = rule
        {
            *text = Some(filter.into());
        }
        condition
    };
    let bad = client::notifying("bad", condition("number >"));
    assert_eq!(world.ask(&client::register(&bad)), ErrorCode::FilterInval);
    world.must(&client::register(&client::notifying("bad", condition("number > 1"))));
    // This is found out before the name is looked at.
    assert_eq!(world.ask(&client::register(&bad)), ErrorCode::FilterInval);
    world.must(&client::unregister(&client::notifying("bad", condition("number > 1"))));
    world.end_of_everything();
}

#[test]
fn the_daemon_ends_when_applications_have_noticed() {
    let mut world = World::new();
    let apps = [world.start_application(), world.start_application()];
    world.must(&client::register(&all()));
    world.emit(apps[0], "app:one");
    world.daemon.end();
    assert!(world.run_until(Duration::from_millis(100), |world| world.exited));
    assert!(apps.into_iter().all(|app| !world.apps[app].alive));
}
