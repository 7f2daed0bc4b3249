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
