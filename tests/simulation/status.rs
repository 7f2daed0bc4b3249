// SPDX-License-Identifier: GPL-2.0-only
//! What the daemon says of itself: true of peers that misbehave, and no burden to it.

use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_sessiond::accounts::{Limit, Limits, Resource};
use lttng_sessiond::report::{Life, Progress, Report};

use crate::client;
use crate::world::{USER, World};

const OTHER: u32 = 1001;

fn report(world: &mut World) -> Report {
    world.status(USER).expect("a report")
}

#[test]
fn of_an_application_that_lags_and_catches_up() {
    let mut world = World::new();
    let app = world.start_application();
    world.create_session("s");
    world.must(&client::start("s"));
    let before = report(&mut world);
    assert_eq!(before.applications[0].progress, Progress::Converged);
    assert_eq!((before.applications[0].owes, before.applications[0].waiting_ms), (0, None));
    assert_eq!(before.sessions[0].life, Life::Active);

    world.suspend(app);
    world.must(&client::stop("s"));
    world.pass(Duration::from_secs(7));
    let lagging = &report(&mut world).applications[0];
    assert_eq!(lagging.progress, Progress::Lagging);
    assert_eq!(lagging.owes_first.as_deref(), Some("the stop of a session"));
    let waiting = lagging.waiting_ms.expect("it owes something");
    assert!((6_000..=8_000).contains(&waiting), "{waiting} ms");

    world.resume(app);
    world.pass(Duration::from_secs(3));
    let after = report(&mut world);
    assert_eq!((after.applications[0].progress, after.applications[0].owes), (Progress::Converged, 0));
    assert_eq!(after.sessions[0].life, Life::Stopped);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn others_do_not_see_what_is_not_theirs() {
    let mut world = World::new();
    world.start_application();
    world.create_session("s");
    world.must(&client::start("s"));
    let theirs = world.status(OTHER).expect("a report");
    assert!(theirs.sessions.is_empty() && theirs.triggers.is_empty(), "{theirs:?}");
    assert!(theirs.users.iter().all(|user| user.uid == OTHER), "{:?}", theirs.users);
    // That it runs is no secret, what it records for whom is.
    assert_eq!(theirs.applications.len(), 1);
    assert!(theirs.applications[0].sessions.is_empty());
    assert_eq!(world.status(0).expect("a report").sessions.len(), 1);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn a_report_is_charged_until_it_was_sent_and_refused_beyond_the_limit() {
    let memory = Limit { user: 100, all: 1 << 20 };
    let limits = Limits::for_applications(100, 100).with(Resource::Memory, memory);
    let mut world = World::with_limits(limits);
    assert_eq!(world.status(OTHER), None, "a report is longer than that");
    world.end_of_everything();

    let mut world = World::new();
    for _ in 0..1000 {
        let report = report(&mut world);
        let held = report.users.iter().flat_map(|user| &user.holds);
        // Only the connection on which it asks.
        assert!(
            held.filter(|held| held.amount > 0)
                .all(|held| held.resource == "connections" && held.amount == 1)
        );
    }
    world.end_of_everything();
}

#[test]
fn commands_are_counted_with_the_time_that_they_took() {
    let mut world = World::new();
    let app = world.start_application();
    world.create_session("s");
    assert_eq!(world.ask(&client::start("none")), ErrorCode::SessNotFound);
    world.slow_down(app, Duration::from_millis(400));
    world.must(&client::start("s"));
    let counters = report(&mut world).counters;
    let start =
        counters.commands.iter().find(|command| command.name == "start_trace").expect("it was asked for");
    assert_eq!((start.served, start.failed), (2, 1));
    assert!(start.total_us > 400_000, "{start:?}");
    let slow: u64 = start.latency.iter().zip(counters.latency_bounds_us.iter().skip(1)).map(|(n, _)| n).sum();
    assert!(slow < 2 && start.latency.iter().sum::<u64>() == 2, "{start:?}");
    assert_eq!(counters.errors.len(), 1);
    assert_eq!((counters.errors[0].name.as_str(), counters.errors[0].count), ("LTTNG_ERR_SESS_NOT_FOUND", 1));
    assert_eq!(counters.applications, 1);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}
