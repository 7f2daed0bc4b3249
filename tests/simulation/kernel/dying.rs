// SPDX-License-Identifier: GPL-2.0-only
//! The tracer's helper dies: whoever waits is told, and the next command has another one.

use lttng_protocol::client::ErrorCode::{self, *};

use super::life::{self, SESSION};
use crate::client::{self, kernel};
use crate::life::at_every_step;
use crate::tracer::Trouble;
use crate::world::World;

fn may_fail(name: &str, code: ErrorCode) -> bool {
    let lists = [KernListFail, KernNa, KernVersion];
    match name {
        "enable channel" | "second channel" => {
            [KernSessFail, KernChanFail, KernNa, KernVersion].contains(&code)
        }
        "re-enable channel" => code == KernChanEnableFail,
        "disable channel" => code == KernChanDisableFail,
        "context" => code == KernContextFail,
        "event" | "filter" | "late event" | "re-enable event" => code == KernEnableFail,
        "disable event" => code == KernDisableFail,
        "policy" | "track" | "untrack" => code == Unk,
        "tracepoints" => lists.contains(&code),
        "start" | "start again" => [KernMetaFail, KernStreamFail, KernStartFail].contains(&code),
        "stop" | "destroy" => code == KernStopFail,
        "clear" => [KernStopFail, KernStartFail].contains(&code),
        "statedump" => code == RegenStatedumpFail,
        "metadata" => code == Unk,
        _ => false,
    }
}

#[test]
fn at_any_job() {
    for after in [false, true] {
        at_every_step(20, |at| {
            let mut world = World::with_kernel();
            world.tracer.trouble = Some(if after { Trouble::DieAfter(at) } else { Trouble::Die(at) });
            let what = format!("{:?}", world.tracer.trouble);
            life::run_with_failures(&mut world, &what, may_fail);
            world.end_of_everything();
            assert!(world.tracer.starts <= 2);
            world.tracer.jobs.len()
        });
    }
}

#[test]
fn it_is_killed_between_commands() {
    let mut world = World::with_kernel();
    life::run(&mut world, |world, name, _, code| {
        assert_eq!(code, Ok, "{name}");
        world.kill_tracer();
        world.pump();
    });
    assert!(world.tracer.starts > 10, "another one whenever it is needed");
    world.end_of_everything();
}

#[test]
fn what_was_recorded_goes_on() {
    let mut world = World::with_kernel();
    world.create_kernel_session(SESSION);
    world.must(&client::start(SESSION));
    world.kill_tracer();
    world.pump();
    assert!(world.tracer.objects.session(SESSION).active);
    assert_eq!(world.tracer.objects.recorded(SESSION), ["sched_*"]);
    world.must(&kernel::enable_event(SESSION, "c", client::rule("irq_*")));
    assert_eq!(world.tracer.objects.recorded(SESSION), ["sched_*", "irq_*"]);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn it_can_not_be_forked() {
    let mut world = World::with_kernel();
    world.must(&client::create(SESSION));
    world.tracer.trouble = Some(Trouble::NoFork);
    assert_eq!(world.ask(&kernel::enable_channel(SESSION, "c")), KernNa);
    world.tracer.trouble = None;
    world.must(&kernel::enable_channel(SESSION, "c"));
    world.kill_tracer();
    world.pump();
    world.tracer.trouble = Some(Trouble::NoFork);
    assert_eq!(world.ask(&kernel::enable_channel(SESSION, "d")), KernChanFail);
    world.tracer.trouble = None;
    world.must(&kernel::enable_channel(SESSION, "d"));
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

/// Answers that lose their descriptors for want of room are failures of that job.
#[test]
fn there_is_no_room_for_what_it_made() {
    thread_local!(static AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
    at_every_step(8, |at| {
        AT.set(at - 1);
        let mut world = World::with_kernel();
        world.is_full = |peer, deliveries| *peer == crate::wire::Peer::Tracer && deliveries == AT.get();
        life::run_with_failures(&mut world, &format!("delivery {at}"), may_fail);
        // What is lost on the way is closed by the system.
        world.tracer.objects.closed_by_daemon.clear();
        world.end_of_everything();
        world.deliveries
    });
}
