// SPDX-License-Identifier: GPL-2.0-only
//! Recording when nothing goes wrong.

use std::time::Duration;

use lttng_protocol::client::{self as wire, ErrorCode, Event};

use crate::application::Holding;
use crate::client;
use crate::script;
use crate::world::{USER, World};
use lttng_sessiond::turn::ids::ConsumerKind;

fn records_one_rule() -> Holding {
    let rules = [(("app:*".to_owned(), String::new(), Vec::new()), true)].into();
    Holding { recording: true, channels: [("c".to_owned(), (true, rules))].into() }
}

#[test]
fn an_application_joins_a_running_session_in_four_bursts() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    let first = world.start_application();
    world.must(&client::start("s"));
    assert_eq!(world.apps[first].holdings(), [(Some(0), records_one_rule())].into());

    let second = world.start_application();
    let app = &world.apps[second];
    assert!(app.released);
    assert_eq!(app.holdings(), [(Some(0), records_one_rule())].into());
    assert!(app.bursts_until_released <= 4, "{} bursts", app.bursts_until_released);
    world.check_applications();

    world.must(&client::stop("s"));
    assert!(world.apps.iter().all(|app| !app.records()));
    world.must(&client::destroy("s"));
    assert!(world.apps.iter().all(|app| app.objects() == 0));
    assert_eq!(world.consumer().refused, []);
    world.end_of_everything();
}

#[test]
fn the_metadata_describes_what_was_registered() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    world.start_application();
    world.must(&client::start("s"));
    world.pass(Duration::from_secs(1));
    let text = world.consumer().metadata_of(0);
    for piece in ["name = \"app:one\"", "name = \"app:two\"", "_number", "stream {", "hostname = \"host\""] {
        assert!(text.contains(piece), "{piece} is missing: {text}");
    }
    assert!(!text.contains("other:three"));
    world.must(&client::enable_event("s", "c", client::rule("other:*")));
    world.must(&client::stop("s"));
    assert!(world.consumer().metadata_of(0).contains("other:three"), "pushed at stop at the latest");
}

#[test]
fn a_whole_life_of_a_session() {
    let mut world = World::new();
    world.start_application();
    script::run_well(&mut world, |world, _| world.check_applications());
    assert_eq!(world.consumer().refused, []);
    world.end_of_everything();
}

#[test]
fn a_whole_life_of_a_session_in_pieces_and_disorder() {
    for seed in 1..40 {
        let mut world = World::new();
        world.shuffle(seed * 7919);
        world.launch();
        script::run_well(&mut world, |world, name| {
            if name == "start" {
                world.launch();
            }
            world.check_applications();
        });
        assert_eq!(world.consumer().refused, []);
        world.end_of_everything();
    }
}

#[test]
fn users_and_word_sizes_have_buffers_of_their_own() {
    let mut world = World::with_consumers(&ConsumerKind::USER_SPACE);
    world.create_session_with_channel("s");
    for (uid, bits) in [(USER, 64), (USER, 32), (USER + 1, 64), (USER + 1, 64)] {
        world.launch_as(uid, bits);
    }
    world.must(&client::start("s"));
    assert!(world.apps.iter().all(|app| app.holdings() == [(Some(0), records_one_rule())].into()));
    let channels = |kind| world.consumers[&kind].data_channels();
    assert_eq!((channels(ConsumerKind::Ust64), channels(ConsumerKind::Ust32)), (2, 1));
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn applications_without_a_consumer_daemon_run_on() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    world.must(&client::start("s"));
    let app = world.launch_as(USER, 32);
    world.pump();
    assert!(world.apps[app].released);
    assert!(world.apps[app].holdings().values().all(|holding| holding.channels.is_empty()));
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn tracepoints_of_all_applications_are_listed() {
    let mut world = World::new();
    for _ in 0..3 {
        world.start_application();
    }
    // More than one burst, and exactly one burst.
    world.apps[1].tracepoints = (0..100).map(|number| (format!("many:{number}"), 13)).collect();
    world.apps[2].tracepoints = (0..16).map(|number| (format!("some:{number}"), 13)).collect();
    let reply = world.must(&client::list_tracepoints());
    let events = reply.elements(Event::decode).unwrap();
    assert_eq!(events.len(), 119);
    assert!(events.iter().all(|event| world.apps.iter().any(|app| app.pid == event.pid)));
    let reply = world.must(&client::list_fields());
    assert_eq!(reply.elements(wire::EventField::decode).unwrap().len(), 119);
    assert!(world.apps.iter().all(|app| app.objects() == 0));
    world.end_of_everything();
}

#[test]
fn a_list_without_end_is_cut() {
    let mut world = World::new();
    for entries in [5, 100_001] {
        let app = world.start_application();
        world.apps[app].tracepoints = (0..entries).map(|number| (format!("many:{number}"), 13)).collect();
    }
    let reply = world.must(&client::list_tracepoints());
    assert_eq!(reply.elements(Event::decode).unwrap().len(), 100_005);
    world.end_of_everything();
}

#[test]
fn sessions_do_not_touch_one_another() {
    let mut world = World::new();
    let app = world.start_application();
    for name in ["a", "b"] {
        world.create_session(name);
        world.must(&client::start(name));
    }
    world.must(&client::stop("a"));
    let holdings = world.apps[app].holdings();
    assert_eq!((holdings[&Some(0)].recording, holdings[&Some(1)].recording), (false, true));
    world.must(&client::destroy("a"));
    assert_eq!(world.apps[app].holdings().len(), 1);
    assert_eq!(world.ask(&client::start("a")), ErrorCode::SessNotFound);
    world.must(&client::destroy("b"));
    world.end_of_everything();
}

/// `lttng destroy --no-wait` leaves without its answer: the next command may be there by the time its request is read.
#[test]
fn a_name_is_free_as_soon_as_a_destroy_was_asked_for() {
    for before in [&[][..], &["start"], &["start", "stop"]] {
        let mut world = World::new();
        world.start_application();
        world.create_session_with_channel("s");
        for command in before {
            world.must(&if *command == "start" { client::start("s") } else { client::stop("s") });
        }
        let destroyed = world.send(&client::destroy("s"));
        let listed = world.send(&client::list_sessions());
        let again = world.send(&client::create("s"));
        assert_eq!(world.wait_for(destroyed).code, ErrorCode::Ok);
        assert_eq!(wire::Session::decode_list(&world.wait_for(listed).payload).unwrap(), []);
        assert_eq!(world.wait_for(again).code, ErrorCode::Ok);
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

#[test]
fn a_name_can_be_used_again_while_the_old_session_ends() {
    let mut world = World::new();
    let app = world.start_application();
    world.create_session_with_channel("s");
    world.must(&client::start("s"));
    world.suspend(app);
    let destroyed = world.send(&client::destroy("s"));
    world.pass(Duration::from_millis(5));
    let again = world.send(&client::create("s"));
    world.resume(app);
    assert_eq!(world.wait_for(destroyed).code, ErrorCode::Ok);
    assert_eq!(world.wait_for(again).code, ErrorCode::Ok);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn an_application_that_joins_while_its_session_ends_keeps_nothing() {
    for turn in 0..40 {
        for what in [client::destroy("s"), client::stop("s")] {
            let mut world = World::new();
            world.shuffle(turn as u64 + 1);
            world.create_session_with_channel("s");
            world.start_application();
            world.must(&client::start("s"));
            let app = world.launch();
            world.turns(turn);
            world.must(&what);
            world.pass(Duration::from_secs(1));
            assert!(world.apps[app].released && !world.apps[app].records());
            if what.header.command == 9 {
                assert_eq!(world.apps[app].objects(), 0, "turn {turn}");
            } else {
                world.must(&client::destroy("s"));
            }
            world.check_applications();
            world.end_of_everything();
        }
    }
}
