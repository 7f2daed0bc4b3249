// SPDX-License-Identifier: GPL-2.0-only
//! A tracer that is missing, of another kind, or not to be used.

use lttng_protocol::client::ErrorCode::{self, *};
use lttng_protocol::kernel::{AbiVersion, Request, TracerVersion};

use super::life;
use crate::client::{self, kernel};
use crate::tracer::Tracer;
use crate::world::{USER, World};

#[test]
fn it_is_missing_and_appears_later() {
    type Break = fn(&mut Tracer);
    let troubles: [(Break, ErrorCode); 7] = [
        (|tracer| tracer.no_modules = true, KernNa),
        (|tracer| tracer.no_file = true, KernNa),
        (|tracer| tracer.version = None, KernVersion),
        (|tracer| tracer.abi = None, KernVersion),
        (|tracer| tracer.version = Some(TracerVersion { major: 3, minor: 0, patchlevel: 0 }), KernVersion),
        (|tracer| tracer.abi = Some(AbiVersion { major: 3, minor: 0 }), KernVersion),
        (
            |tracer| {
                tracer.refuse = Some((|request| *request == Request::Notifications, libc::ENOMEM, usize::MAX))
            },
            KernNa,
        ),
    ];
    for (at, (trouble, code)) in troubles.into_iter().enumerate() {
        let mut world = World::with_kernel();
        trouble(&mut world.tracer);
        world.must(&client::create(life::SESSION));
        for _ in 0..3 {
            assert_eq!(world.ask(&kernel::enable_channel(life::SESSION, "c")), code, "{at}");
            assert_eq!(world.ask(&kernel::list_tracepoints()), code, "{at}");
            assert_eq!(world.ask(&kernel::disable_channel(life::SESSION, "c")), NoChannel, "{at}");
        }
        assert!(!world.tracer.loaded || world.tracer.no_modules, "{at}: modules are left");
        assert_eq!(world.ask(&kernel::enable_channel("none", "c")), SessNotFound);
        let before = std::mem::replace(&mut world.tracer, Tracer::new());
        world.tracer.begin(before.conn);
        world.tracer.starts = before.starts;
        world.must(&client::destroy(life::SESSION));
        life::run(&mut world, |_, name, _, code| assert_eq!(code, Ok, "{at}: {name}"));
        world.end_of_everything();
    }
}

#[test]
fn without_event_notifiers_it_is_used_all_the_same() {
    for refused in [false, true] {
        let mut world = World::with_kernel();
        if refused {
            world.tracer.refuse = Some((|request| *request == Request::EventNotifierGroup, libc::ENOMEM, 1));
        } else {
            world.tracer.abi = Some(AbiVersion { major: 2, minor: 5 });
        }
        life::run(&mut world, |_, name, _, code| assert_eq!(code, Ok, "{name}"));
        world.end_of_everything();
    }
}

#[test]
fn an_old_one_can_not_be_rotated() {
    for (version, abi, code) in [
        ((2, 10), (2, 6), RotationWrongVersion),
        ((2, 11), (2, 0), RotationNotAvailableKernel),
        ((2, 11), (2, 1), Ok),
    ] {
        let mut world = World::with_kernel();
        world.tracer.version = Some(TracerVersion { major: version.0, minor: version.1, patchlevel: 0 });
        world.tracer.abi = Some(AbiVersion { major: abi.0, minor: abi.1 });
        world.create_kernel_session("s");
        world.must(&client::start("s"));
        assert_eq!(world.ask(&client::rotate("s")), code);
        // Nor can its buffers be looked into.
        let monitored =
            world.kernel_consumer().kernel.values().any(|channel| channel.asked.monitor_timer > 0);
        assert_eq!(monitored, abi >= (2, 3));
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

#[test]
fn it_is_not_to_be_used() {
    for (uid, no_kernel, code) in
        [(0, true, KernNa), (USER, true, NeedRootSessiond), (USER, false, NeedRootSessiond)]
    {
        let mut world = World::for_kernel(|settings| (settings.uid, settings.no_kernel) = (uid, no_kernel));
        world.must(&client::create("s"));
        for request in [
            kernel::enable_channel("s", "c"),
            kernel::enable_event("s", "c", client::rule("x")),
            kernel::add_context("s", "c", 0),
            kernel::list_channels("s"),
            kernel::list_rules("s", "c"),
            kernel::list_tracepoints(),
            kernel::list_syscalls(),
            kernel::track("s", 4),
        ] {
            assert_eq!(world.ask(&request), code, "{uid} {no_kernel}: {}", request.header.command);
        }
        let (missing, disabled) = if no_kernel { (code, code) } else { (SessNotFound, NoChannel) };
        assert_eq!(world.ask(&kernel::enable_channel("none", "c")), missing);
        assert_eq!(world.ask(&kernel::disable_channel("s", "c")), disabled);
        assert_eq!(world.tracer.starts, 0, "nobody asks it for anything");
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

/// Several commands need it at once.
#[test]
fn it_is_looked_for_once_for_all() {
    for missing in [false, true] {
        let mut world = World::with_kernel();
        world.tracer.no_modules = missing;
        let clients: Vec<_> = (0..10).map(|_| world.send(&kernel::list_tracepoints())).collect();
        for id in clients {
            assert_eq!(world.wait_for(id).code, if missing { KernNa } else { Ok });
        }
        let loads = world.tracer.jobs.iter().filter(|job| {
            matches!(job, lttng_sessiond::kernel::job::Job::Load { required, .. } if !required.is_empty())
        });
        assert_eq!(loads.count(), 1);
        world.end_of_everything();
    }
}
