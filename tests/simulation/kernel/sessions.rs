// SPDX-License-Identifier: GPL-2.0-only
//! Several sessions, and sessions with both domains.

use lttng_protocol::client::ErrorCode;

use crate::client::{self, kernel};
use crate::world::World;

#[test]
fn sessions_do_not_touch_one_another() {
    let mut world = World::with_kernel();
    for name in ["a", "b"] {
        world.create_kernel_session(name);
        world.must(&client::start(name));
    }
    world.must(&client::stop("a"));
    assert!(!world.tracer.objects.session("a").active && world.tracer.objects.session("b").active);
    let since = world.tracer.requests.len();
    world.must(&kernel::enable_event("a", "c", client::rule("irq_*")));
    assert_eq!(world.tracer.transcript(since), ["C.EVENT", "E.ENABLE"]);
    world.must(&client::destroy("a"));
    assert_eq!(world.tracer.objects.sessions().len(), 1);
    world.kernel_consumer().check_kernel();
    assert_eq!(world.kernel_consumer().kernel_channels().len(), 2);
    world.must(&client::destroy("b"));
    world.end_of_everything();
}

#[test]
fn both_domains_record_in_one_session() {
    for seed in 0..20 {
        let mut world = World::with_kernel();
        if seed > 0 {
            world.shuffle(seed * 7919);
        }
        let app = world.launch();
        world.create_session_with_channel("s");
        world.must(&kernel::enable_channel("s", "k"));
        world.must(&kernel::enable_event("s", "k", client::rule("sched_*")));
        world.must(&client::start("s"));
        assert!(world.apps[app].records() && world.tracer.objects.session("s").active);
        for request in [client::rotate("s"), client::clear("s"), client::stop("s"), client::start("s")] {
            world.must(&request);
        }
        assert!(world.apps[app].records() && world.tracer.objects.session("s").active);
        world.kernel_consumer().check_kernel();
        world.must(&client::destroy("s"));
        assert_eq!(world.kernel_consumer().refused, []);
        assert_eq!(world.consumer().refused, []);
        world.end_of_everything();
    }
}

/// When the kernel's part can't start, nothing does; and the other way round it can be tried again.
#[test]
fn a_start_that_the_tracer_refuses_starts_nothing() {
    let mut world = World::with_kernel();
    let app = world.start_application();
    world.create_session_with_channel("s");
    world.must(&kernel::enable_channel("s", "k"));
    world.tracer.refuse =
        Some((|request| *request == lttng_protocol::kernel::Request::Start, libc::ENOMEM, 1));
    assert_eq!(world.ask(&client::start("s")), ErrorCode::KernStartFail);
    assert!(!world.apps[app].records());
    world.must(&client::start("s"));
    assert!(world.apps[app].records());
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

/// A session that once asked for the kernel and has nothing there.
#[test]
fn a_part_without_anything_is_no_hindrance() {
    let mut world = World::with_kernel();
    let app = world.start_application();
    world.create_session_with_channel("s");
    world.must(&kernel::list_channels("s"));
    for request in [client::start("s"), client::rotate("s"), client::clear("s"), client::stop("s")] {
        world.must(&request);
    }
    world.must(&client::destroy("s"));
    assert!(!world.apps[app].records());
    world.end_of_everything();
}
