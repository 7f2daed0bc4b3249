// SPDX-License-Identifier: GPL-2.0-only
//! A thousand applications.

use std::time::Duration;

use crate::client;
use crate::world::World;

const CROWD: usize = 1000;

#[test]
fn a_thousand_applications_before_and_a_thousand_after_the_start() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    for _ in 0..CROWD {
        world.launch();
    }
    world.pump();
    world.must(&client::start("s"));
    assert!(world.apps.iter().all(|app| app.records()), "all record when the reply comes");
    for _ in 0..CROWD {
        world.launch();
    }
    world.pump();
    assert!(world.apps.iter().all(|app| app.records() && app.released));
    assert_eq!(world.age(), Duration::ZERO, "nobody waits for a timer");
    world.check_applications();
    assert_eq!(world.consumer().data_channels(), 1, "all share the buffers of their user");

    world.must(&client::stop("s"));
    assert!(!world.apps.iter().any(|app| app.records()));
    world.must(&client::destroy("s"));
    assert!(world.apps.iter().all(|app| app.objects() == 0));
    assert_eq!(world.inspections, []);
    world.end_of_everything();
}

#[test]
fn a_thousand_applications_that_come_and_go_leave_nothing() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    world.must(&client::start("s"));
    for _ in 0..CROWD {
        let app = world.start_application();
        assert!(world.apps[app].records());
        world.kill_application(app);
        world.pump();
    }
    world.pass(Duration::from_secs(1));
    let text = world.consumer().metadata_of(0);
    assert_eq!(text.matches("app:one").count(), 1, "equal events are described once");
    let state = format!("{:?}", world.daemon);
    for map in ["applications: Applications { all: {}", "unregistered: {}", "watched: {}", "dirty: {}"] {
        assert!(state.contains(map), "{map}");
    }
    assert!(!state.contains("Notify("), "a notify connection is left");
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn each_of_a_crowd_that_competes_for_the_cpu_has_its_time() {
    const WORK: Duration = Duration::from_millis(6);
    let mut world = World::new();
    world.create_session_with_channel("s");
    for _ in 0..CROWD {
        world.start_application();
    }
    for (command, recording) in [(client::start("s"), CROWD), (client::stop("s"), 0)] {
        world.apps.iter_mut().for_each(|app| app.hung = true);
        let client = world.send(&command);
        world.pump();
        // One after the other has the CPU: a round of all takes longer than an application is given.
        let mut busy = true;
        while std::mem::take(&mut busy) {
            for app in 0..CROWD {
                let before = world.apps[app].steps;
                world.resume(app);
                world.apps[app].hung = true;
                if world.apps[app].steps > before {
                    busy = true;
                    world.pass(WORK);
                }
            }
        }
        world.apps.iter_mut().for_each(|app| app.hung = false);
        world.wait_for(client);
        let records = world.apps.iter().filter(|app| app.records()).count();
        let left = world.daemon.state().applications.all.len();
        assert_eq!((records, left), (recording, CROWD), "{:?}", world.age());
    }
    world.must(&client::destroy("s"));
    assert!(world.apps.iter().all(|app| app.objects() == 0), "one was given up");
    world.end_of_everything();
}

#[test]
fn a_crowd_that_hangs_does_not_keep_others_from_being_asked() {
    let mut world = World::new();
    world.create_session_with_channel("s");
    for _ in 0..200 {
        let app = world.start_application();
        world.apps[app].hung = true;
    }
    let well = world.start_application();
    let client = world.send(&client::start("s"));
    let records = |world: &World| world.apps[well].records();
    assert!(world.run_until(Duration::from_millis(2500), records), "{:?}", world.age());
    world.wait_for(client);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}
