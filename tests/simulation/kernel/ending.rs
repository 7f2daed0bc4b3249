// SPDX-License-Identifier: GPL-2.0-only
//! The daemon ends: sessions first, then consumer daemons, then what is left of the tracer, and its modules.

use std::time::Duration;

use lttng_sessiond::kernel::job::Job;
use lttng_sessiond::turn::machine::Machine;

use super::life::{self, SESSION};
use crate::client;
use crate::tracer::Trouble;
use crate::world::World;

/// Sessions may take 15 s to end, consumer daemons and the tracer as long.
const LIMIT: Duration = Duration::from_secs(31);

fn check_ended(world: &World, what: &str) {
    assert!(world.exited, "{what}");
    assert!(world.consumers.values().all(|consumer| !consumer.running), "{what}: a consumer daemon runs on");
    let left = world.tracer.objects.left();
    assert!(left.is_empty(), "{what}: {left:?}");
    assert!(world.tracer.objects.closed_by_daemon.is_empty(), "{what}");
    // A consumer daemon that had to be killed kept them in use.
    if !world.tracer.jobs.is_empty() && world.killed.is_empty() {
        world.tracer.objects.check_unused();
        assert!(!world.tracer.loaded, "{what}: modules are left");
        assert!(
            matches!(world.tracer.jobs.last(), Some(Job::Unload(_))),
            "{what}: {:?}",
            world.tracer.jobs.last()
        );
    }
}

#[test]
fn with_sessions_that_record() {
    let mut world = World::with_kernel();
    for name in ["a", "b"] {
        world.create_kernel_session(name);
        world.must(&client::start(name));
    }
    world.daemon.end();
    assert!(world.run_until(Duration::from_secs(5), |world| world.exited));
    check_ended(&world, "two sessions");
}

#[test]
fn without_any_session() {
    let mut world = World::with_kernel();
    world.must(&client::kernel::list_syscalls());
    world.daemon.end();
    assert!(world.run_until(Duration::from_secs(5), |world| world.exited));
    check_ended(&world, "no session");
}

#[test]
fn in_the_middle_of_anything() {
    for turn in 1.. {
        let mut world = World::with_kernel();
        world.end_at = Some(world.turns + turn);
        for (_, request) in life::commands() {
            let id = world.send(&request);
            world.run_until(Duration::from_secs(60), |world| world.clients[id.0].ended);
            if world.exited {
                break;
            }
        }
        let early = world.end_at.is_some_and(|end| world.turns >= end);
        if !early {
            world.daemon.end();
        }
        world.run_until(LIMIT, |world| world.exited);
        check_ended(&world, &format!("turn {turn}"));
        if !early {
            assert!(turn > 50);
            return;
        }
    }
}

#[test]
fn with_a_helper_that_hangs() {
    for at in 1..30 {
        let mut world = World::with_kernel();
        world.tracer.trouble = Some(Trouble::Hang(at));
        for (name, request) in life::commands() {
            let id = world.send(&request);
            if name == "destroy"
                || !world.run_until(Duration::from_secs(1), |world| world.clients[id.0].ended)
            {
                break;
            }
        }
        world.daemon.end();
        let begun = world.age();
        assert!(world.run_until(LIMIT + Duration::from_secs(2), |world| world.exited), "job {at}");
        assert!(world.age() - begun <= LIMIT, "job {at}");
    }
}

#[test]
fn with_a_helper_that_died() {
    let mut world = World::with_kernel();
    world.create_kernel_session(SESSION);
    world.must(&client::start(SESSION));
    world.kill_tracer();
    world.pump();
    world.daemon.end();
    assert!(world.run_until(LIMIT, |world| world.exited));
    check_ended(&world, "a dead helper");
}
