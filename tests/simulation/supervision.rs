// SPDX-License-Identifier: GPL-2.0-only
//! What whoever supervises the daemon is told.

use std::time::Duration;

use lttng_sessiond::daemon::Supervision;
use lttng_sessiond::turn::output::Standing;

use crate::client;
use crate::world::World;

const SESSION: &str = "s";

#[test]
fn signs_of_life_come_in_time_and_to_the_end() {
    let pause = Duration::from_secs(10);
    let mut world = World::supervised(Supervision { sign_of_life: Some(pause), standing: false });
    world.pass(Duration::from_secs(95));
    let signs = &world.signs_of_life;
    assert_eq!(signs.len(), 10, "{signs:?}");
    assert!(signs.windows(2).all(|two| two[1] - two[0] <= pause + Duration::from_secs(1)), "{signs:?}");
    world.create_session_with_channel(SESSION);
    assert!(world.standings.is_empty());
}

#[test]
fn who_has_not_asked_is_told_nothing() {
    let mut world = World::new();
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    world.pass(Duration::from_secs(95));
    assert!(world.signs_of_life.is_empty() && world.standings.is_empty());
}

#[test]
fn how_the_daemon_is_is_told_a_moment_after_it_has_changed() {
    let mut world = World::supervised(Supervision { sign_of_life: None, standing: true });
    world.pass(Duration::from_secs(5));
    assert!(world.standings.is_empty());
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    world.pass(Duration::from_secs(2));
    let told = |world: &mut World| {
        world
            .standings
            .drain(..)
            .map(|(_, Standing { sessions, recording })| (sessions, recording))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&mut world), [(1, 1)], "several changes are one");
    world.must(&client::stop(SESSION));
    world.pass(Duration::from_secs(2));
    assert_eq!(told(&mut world), [(1, 0)]);
    world.must(&client::destroy(SESSION));
    world.pass(Duration::from_secs(60));
    assert_eq!(told(&mut world), [(0, 0)]);
}
