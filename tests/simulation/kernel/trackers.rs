// SPDX-License-Identifier: GPL-2.0-only
//! Whom a session follows in the kernel.

use lttng_protocol::kernel::Request;

use super::life::{INCLUDE_SET, SESSION};
use crate::client::{self, kernel};
use crate::world::World;

fn requests(world: &World, since: usize) -> Vec<Request> {
    world.tracer.requests[since..].iter().map(|(_, request, _)| request.clone()).collect()
}

#[test]
fn only_what_differs_is_asked_for() {
    use lttng_protocol::kernel::ProcessAttribute::Pid as attribute;
    let mut world = World::with_kernel();
    world.create_kernel_session(SESSION);
    let asked = |world: &mut World, request: client::Request| {
        let since = world.tracer.requests.len();
        world.must(&request);
        requests(world, since)
    };
    let nobody = [Request::Untrack { attribute, id: Request::ALL }];
    assert_eq!(asked(&mut world, kernel::set_policy(SESSION, INCLUDE_SET)), nobody);
    assert_eq!(asked(&mut world, kernel::set_policy(SESSION, INCLUDE_SET)), []);
    assert_eq!(asked(&mut world, kernel::track(SESSION, 42)), [Request::Track { attribute, id: 42 }]);
    assert_eq!(asked(&mut world, kernel::track(SESSION, 43)), [Request::Track { attribute, id: 43 }]);
    assert_eq!(asked(&mut world, kernel::untrack(SESSION, 42)), [Request::Untrack { attribute, id: 42 }]);
    let all = [Request::Track { attribute, id: Request::ALL }];
    assert_eq!(asked(&mut world, kernel::set_policy(SESSION, 0)), all);
    assert!(world.tracer.objects.session(SESSION).trackers.is_empty());
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

/// One that was refused may have been half done. It is brought to its former state all anew, however much that is.
#[test]
fn a_refusal_resets_a_large_tracker() {
    let mut world = World::with_kernel();
    world.create_kernel_session(SESSION);
    world.must(&kernel::set_policy(SESSION, INCLUDE_SET));
    let pids = 1..1500;
    for pid in pids.clone() {
        world.must(&kernel::track(SESSION, pid));
    }
    world.tracer.refuse = Some((|request| matches!(request, Request::Track { .. }), libc::ENOMEM, 1));
    assert_eq!(world.ask(&kernel::track(SESSION, 5000)), lttng_protocol::client::ErrorCode::Nomem);
    world.pump();
    let tracked = |world: &World| world.tracer.objects.session(SESSION).trackers[&0].clone();
    assert_eq!(tracked(&world), pids.clone().collect());
    let steps = world.tracer.jobs.iter().map(|job| match job {
        lttng_sessiond::kernel::job::Job::Run(steps) => steps.len(),
        _ => 0,
    });
    let most = steps.max().unwrap();
    assert!(most < 200, "{most} steps in a job, which others wait for");
    world.must(&kernel::untrack(SESSION, 3));
    assert_eq!(tracked(&world).len(), pids.len() - 1);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}
