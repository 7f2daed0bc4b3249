// SPDX-License-Identifier: GPL-2.0-only
//! A tracer that refuses: the client is told with the code of the original, nothing has changed, and the next time it
//! works.

use lttng_protocol::client::ErrorCode;
use lttng_protocol::client::ErrorCode::*;
use lttng_protocol::kernel::Request;

use super::life::{self, INCLUDE_SET, SESSION, seen};
use crate::client::{self, kernel};
use crate::life::at_every_step;
use crate::tracer::Kind;
use crate::world::World;

/// A session with a channel and a rule.
fn prepared() -> World {
    let mut world = World::with_kernel();
    world.create_kernel_session(SESSION);
    world
}

/// A command comes to this while such a request fails; what is seen is as before, and once more it works.
#[track_caller]
fn refused(world: &mut World, command: &client::Request, of: Kind, errno: i32, code: ErrorCode) {
    let before = seen(world);
    world.tracer.refuse = Some((of, errno, 1));
    assert_eq!(world.ask(command), code, "errno {errno}");
    assert_eq!(world.tracer.refuse.map(|(.., left)| left), Some(0), "it was not asked for");
    assert_eq!(seen(world), before, "errno {errno}");
    assert_eq!(world.ask(command), Ok, "once more, after errno {errno}");
}

#[test]
fn a_session_or_channel() {
    let session: Kind = |request| *request == Request::Session;
    let channel: Kind = |request| matches!(request, Request::Channel(_));
    for errno in [libc::ENOMEM, libc::EMFILE] {
        let mut world = World::with_kernel();
        world.must(&client::create(SESSION));
        refused(&mut world, &kernel::enable_channel(SESSION, "c"), session, errno, KernSessFail);
        refused(&mut world, &kernel::enable_channel(SESSION, "d"), channel, errno, KernChanFail);
        let implied = kernel::enable_event(SESSION, "e", client::rule("x"));
        refused(&mut world, &implied, channel, errno, KernChanFail);
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

#[test]
fn a_session_again_and_again() {
    let mut world = World::with_kernel();
    world.must(&client::create(SESSION));
    world.tracer.refuse = Some((|request| *request == Request::Session, libc::ENOMEM, usize::MAX));
    for _ in 0..5 {
        assert_eq!(world.ask(&kernel::enable_channel(SESSION, "c")), KernSessFail);
    }
    assert!(world.tracer.requests.len() < 40, "it is not asked again by itself");
    world.tracer.refuse = None;
    world.must(&kernel::enable_channel(SESSION, "c"));
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn an_event_rule_or_a_part_of_it() {
    let event: Kind = |request| matches!(request, Request::Event(_));
    let filter: Kind = |request| matches!(request, Request::Filter(_));
    let enable: Kind = |request| *request == Request::Enable;
    let disable: Kind = |request| *request == Request::Disable;
    let mut world = prepared();
    let mut number = 0;
    for started in [false, true] {
        if started {
            world.must(&client::start(SESSION));
        }
        let cases = [
            (event, libc::EEXIST, KernEventExist),
            (event, libc::ENOSYS, KernEventEnosys),
            (event, libc::EINVAL, KernEnableFail),
            (event, libc::ENOENT, KernEnableFail),
            (filter, libc::ENOMEM, FilterNomem),
            (filter, libc::EINVAL, FilterInval),
            (enable, libc::EEXIST, KernEventExist),
            (enable, libc::EINVAL, KernEnableFail),
        ];
        for (of, errno, code) in cases {
            number += 1;
            let rule = client::filtered(&format!("new{number}"), "number > 3");
            refused(&mut world, &kernel::enable_event(SESSION, "c", rule), of, errno, code);
        }
        let again = kernel::disable_event(SESSION, "c", "sched_*");
        refused(&mut world, &again, disable, libc::EINVAL, KernDisableFail);
        let again = kernel::enable_event(SESSION, "c", client::rule("sched_*"));
        refused(&mut world, &again, enable, libc::EEXIST, KernEnableFail);
    }
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

/// A probe can't be disabled twice; what matches patterns can.
#[test]
fn a_probe_that_is_disabled_already() {
    let mut world = prepared();
    world.must(&kernel::enable_event(SESSION, "c", kernel::probe("p")));
    world.must(&kernel::disable_event(SESSION, "c", "p"));
    assert_eq!(world.ask(&kernel::disable_event(SESSION, "c", "p")), KernDisableFail);
    world.must(&kernel::disable_event(SESSION, "c", "sched_*"));
    world.must(&kernel::disable_event(SESSION, "c", "sched_*"));
    world.must(&kernel::enable_event(SESSION, "c", kernel::probe("p")));
    assert_eq!(world.tracer.objects.recorded(SESSION), ["p"]);
    assert_eq!(world.ask(&kernel::enable_event(SESSION, "c", kernel::probe("p"))), KernEventExist);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

/// A command that was waiting is served at once when another one is refused: what it wants gets the numbers of what the other
/// one wanted, and must not be taken for it.
#[test]
fn what_waits_for_a_refused_command_is_another_thing() {
    let second: Kind = |request| match request {
        Request::Event(event) => {
            matches!(event.instrumentation, lttng_protocol::kernel::Instrumentation::Syscall(_))
        }
        _ => false,
    };
    let mut world = prepared();
    world.tracer.refuse = Some((second, libc::EINVAL, 1));
    let refused = world.send(&kernel::enable_event(SESSION, "c", kernel::all()));
    let next = world.send(&kernel::enable_event(SESSION, "c", client::rule("irq_*")));
    assert_eq!(world.wait_for(refused).code, KernEnableFail);
    assert_eq!(world.wait_for(next).code, Ok);
    // Of the two rules, the one that was taken stays: a kernel may have no system calls to be traced.
    assert_eq!(world.tracer.objects.recorded(SESSION), ["sched_*", "*", "irq_*"]);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn that_a_channel_goes_on_or_pauses() {
    let mut world = prepared();
    let off = kernel::disable_channel(SESSION, "c");
    let on = kernel::enable_channel(SESSION, "c");
    refused(&mut world, &off, |request| *request == Request::Disable, libc::EINVAL, KernChanDisableFail);
    refused(&mut world, &on, |request| *request == Request::Enable, libc::EINVAL, KernChanEnableFail);
    // It is so already.
    for command in [off, on] {
        world.tracer.refuse =
            Some((|request| matches!(request, Request::Enable | Request::Disable), libc::EEXIST, 1));
        world.must(&command);
    }
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn a_context() {
    let context: Kind = |request| matches!(request, Request::Context(_));
    let mut world = prepared();
    for (at, (errno, code)) in [
        (libc::ENOSYS, KernContextUnavailable),
        (libc::EINVAL, KernContextFail),
        (libc::ENOMEM, KernContextFail),
    ]
    .into_iter()
    .enumerate()
    {
        let number = [2, 3, 4][at];
        refused(&mut world, &kernel::add_context(SESSION, "c", number), context, errno, code);
    }
    world.tracer.refuse = Some((context, libc::EEXIST, 1));
    world.must(&kernel::add_context(SESSION, "c", 5));
    world.must(&client::start(SESSION));
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn whom_to_follow() {
    let track: Kind = |request| matches!(request, Request::Track { .. } | Request::Untrack { .. });
    let mut world = prepared();
    let mut pid = 40;
    for (errno, code) in [
        (libc::EINVAL, Invalid),
        (libc::ENOMEM, Nomem),
        (libc::EEXIST, ProcessAttrExists),
        (libc::EPERM, Unk),
    ] {
        refused(&mut world, &kernel::set_policy(SESSION, INCLUDE_SET), track, errno, code);
        for _ in 0..2 {
            pid += 1;
            refused(&mut world, &kernel::track(SESSION, pid), track, errno, code);
        }
        refused(&mut world, &kernel::untrack(SESSION, pid), track, errno, code);
        refused(&mut world, &kernel::untrack(SESSION, pid - 1), track, libc::ENOENT, ProcessAttrMissing);
        assert!(world.tracer.objects.session(SESSION).trackers[&0].is_empty());
        world.must(&kernel::set_policy(SESSION, 0));
    }
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn the_start() {
    let cases: [(Kind, ErrorCode); 3] = [
        (|request| matches!(request, Request::Metadata(_)), KernMetaFail),
        (|request| *request == Request::Stream, KernStreamFail),
        (|request| *request == Request::Start, KernStartFail),
    ];
    for (of, code) in cases {
        let mut world = prepared();
        refused(&mut world, &client::start(SESSION), of, libc::ENOMEM, code);
        assert!(world.tracer.objects.session(SESSION).active);
        world.kernel_consumer().check_kernel();
        assert_eq!(world.kernel_consumer().kernel_channels(), [("c", 3), ("metadata", 1)]);
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

#[test]
fn the_stop() {
    let stop: Kind = |request| *request == Request::Stop;
    for destroyed in [false, true] {
        let mut world = prepared();
        world.must(&client::start(SESSION));
        world.tracer.refuse = Some((stop, libc::EIO, 1));
        if destroyed {
            assert_eq!(world.ask(&client::destroy(SESSION)), KernStopFail);
        } else {
            assert_eq!(world.ask(&client::stop(SESSION)), KernStopFail);
            assert_eq!(world.ask(&client::stop(SESSION)), TraceAlreadyStopped);
            // Commands that have nothing to do with it.
            world.must(&kernel::enable_event(SESSION, "c", client::rule("other")));
            assert!(!world.tracer.objects.session(SESSION).active, "it is stopped with the next chance");
            world.must(&client::start(SESSION));
            world.must(&client::destroy(SESSION));
        }
        world.end_of_everything();
    }
}

#[test]
fn what_is_written_again() {
    let mut world = prepared();
    world.must(&client::start(SESSION));
    let statedump: Kind = |request| *request == Request::Statedump;
    let command = kernel::regenerate_statedump(SESSION);
    refused(&mut world, &command, statedump, libc::ENOMEM, RegenStatedumpNomem);
    refused(&mut world, &command, statedump, libc::EIO, RegenStatedumpFail);
    let metadata: Kind = |request| *request == Request::MetadataRegenerate;
    refused(&mut world, &kernel::regenerate_metadata(SESSION), metadata, libc::EBUSY, Unk);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn what_a_clear_needs() {
    let cases: [(Kind, ErrorCode); 2] = [
        (|request| *request == Request::Stop, KernStopFail),
        (|request| *request == Request::Start, KernStartFail),
    ];
    for (of, code) in cases {
        let mut world = prepared();
        world.must(&client::start(SESSION));
        world.tracer.refuse = Some((of, libc::EIO, 1));
        assert_eq!(world.ask(&client::clear(SESSION)), code);
        world.must(&client::clear(SESSION));
        assert!(world.tracer.objects.session(SESSION).active, "it goes on");
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

#[test]
fn lists() {
    let mut world = World::with_kernel();
    world.tracer.refuse = Some((|request| *request == Request::SyscallList, libc::ENOSYS, 1));
    assert_eq!(world.must(&kernel::list_syscalls()).header, Some(0), "it knows none");
    world.tracer.refuse = Some((|request| *request == Request::TracepointList, libc::ENOMEM, 1));
    assert_eq!(world.ask(&kernel::list_tracepoints()), KernListFail);
    world.must(&kernel::list_tracepoints());
    world.end_of_everything();
}

/// What is nobody's business when it fails.
#[test]
fn details() {
    let details: [Kind; 4] = [
        |request| matches!(request, Request::SetName(_)),
        |request| matches!(request, Request::SetCreationTime(_)),
        |request| *request == Request::WaitQuiescent,
        |request| *request == Request::Flush,
    ];
    for of in details {
        let mut world = World::with_kernel();
        world.tracer.refuse = Some((of, libc::EIO, usize::MAX));
        for (name, request) in life::commands() {
            assert_eq!(world.ask(&request), Ok, "{name}");
        }
        world.end_of_everything();
    }
}

/// Whether a command of the life may come to this when the tracer refuses something.
fn may_fail(name: &str, code: ErrorCode) -> bool {
    let of_session = [KernSessFail, KernNa, KernVersion];
    of_session.contains(&code)
        || match name {
            "enable channel" | "second channel" => code == KernChanFail,
            "re-enable channel" => code == KernChanEnableFail,
            "disable channel" => code == KernChanDisableFail,
            "context" => [KernContextFail, KernContextUnavailable].contains(&code),
            "event" | "filter" | "late event" => {
                [KernEventExist, KernEventEnosys, KernEnableFail, FilterInval, FilterNomem].contains(&code)
            }
            "re-enable event" => code == KernEnableFail,
            "disable event" => code == KernDisableFail,
            "policy" | "track" | "untrack" => {
                [Invalid, Nomem, ProcessAttrExists, ProcessAttrMissing, Unk].contains(&code)
            }
            "tracepoints" => code == KernListFail,
            "start" | "start again" => [KernMetaFail, KernStreamFail, KernStartFail].contains(&code),
            "stop" | "destroy" => code == KernStopFail,
            "clear" => [KernStopFail, KernStartFail].contains(&code),
            "statedump" => [RegenStatedumpFail, RegenStatedumpNomem].contains(&code),
            "metadata" => code == Unk,
            _ => false,
        }
}

#[test]
fn any_request_once() {
    for errno in [libc::EIO, libc::EEXIST, libc::ENOMEM, libc::ENOSYS, libc::EINVAL, libc::ENOENT] {
        at_every_step(40, |at| {
            let mut world = World::with_kernel();
            world.tracer.refuse_at = Some((at, errno));
            life::run_with_failures(&mut world, &format!("request {at} with errno {errno}"), may_fail);
            world.end_of_everything();
            world.tracer.requests.len()
        });
    }
}

/// Nothing is asked again by itself that was refused for good.
#[test]
fn everything_from_some_request_on() {
    let mut healthy = 0;
    at_every_step(1, |at| {
        let mut world = World::with_kernel();
        let begin = at;
        if at > 1 {
            world.tracer.refuse_from = Some((begin, libc::EIO));
        }
        for (name, request) in life::commands() {
            let code = world.ask(&request);
            let asked = world.tracer.requests.len();
            world.pass(std::time::Duration::from_secs(60));
            assert_eq!(world.tracer.requests.len(), asked, "asked again after {name}");
            assert!(at > 1 || code == Ok, "{name}");
            assert_eq!(world.ask(&client::list_sessions()), Ok);
        }
        world.tracer.refuse_from = None;
        world.end_of_everything();
        healthy = healthy.max(world.tracer.requests.len());
        if at == 1 {
            healthy
        } else if at > healthy {
            0
        } else {
            healthy
        }
    });
}
