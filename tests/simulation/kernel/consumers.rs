// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's consumer daemon fails at every possible moment.

use std::time::Duration;

use lttng_protocol::client::ErrorCode::{self, *};
use lttng_protocol::consumer::KernelRequest;

use super::life::{self, SESSION};
use crate::client::{self, kernel};
use crate::consumer::Trouble;
use crate::life::at_every_step;
use crate::world::World;

fn may_fail(name: &str, code: ErrorCode) -> bool {
    let lost = [NoKernconsumerd, KernConsumerFail];
    match name {
        "start" | "start again" => {
            [CreateTraceChunkFailConsumer, Unk, NoChannel, KernStartFail].contains(&code)
        }
        "stop" => code == TraceAlreadyStopped,
        "statedump" | "metadata" => [SessionNotStarted, Unk].contains(&code),
        "rotate" => [
            RotationFailConsumer,
            StartSessionOnce,
            RotationNotAvailable,
            Unk,
            CreateTraceChunkFailConsumer,
            CloseTraceChunkFailConsumer,
        ]
        .contains(&code),
        "clear" => [
            ClearFailConsumer,
            StartSessionOnce,
            CreateTraceChunkFailConsumer,
            CloseTraceChunkFailConsumer,
            RotationFailConsumer,
            KernStartFail,
            KernStopFail,
        ]
        .contains(&code),
        "destroy" => [CloseTraceChunkFailConsumer, RotationFailConsumer].contains(&code),
        "list channels" => lost.contains(&code) || code == Unk,
        "enable channel" | "second channel" | "context" | "event" | "filter" | "policy" | "track"
        | "late event" | "disable event" | "re-enable event" | "disable channel" | "re-enable channel"
        | "untrack" => {
            lost.contains(&code)
                || [
                    Unk,
                    KernEventExist,
                    NoChannel,
                    KernChanNotFound,
                    NoEvent,
                    NeedChannelName,
                    TraceAlreadyStarted,
                    ProcessAttrTrackerInvalidTrackingPolicy,
                    KernChanExist,
                    ProcessAttrMissing,
                ]
                .contains(&code)
        }
        _ => false,
    }
}

/// Runs the life with a consumer daemon in trouble. Returns how many messages it got.
fn live_with(trouble: Trouble) -> usize {
    let mut world = World::with_kernel();
    world.kernel_consumer().trouble = Some(trouble);
    life::run(&mut world, |_, name, _, code| {
        assert!(code == Ok || may_fail(name, code), "{trouble:?}: {name} gave {code:?}");
    });
    let steps = world.kernel_consumer().steps;
    crate::life::end(
        &mut world,
        matches!(trouble, Trouble::Hang(_) | Trouble::Chatter(_) | Trouble::Babble(_)),
    );
    steps
}

#[test]
fn it_dies_at_any_request() {
    at_every_step(20, |at| live_with(Trouble::Die(at)));
    at_every_step(20, |at| live_with(Trouble::DieSlowly(at)));
}

#[test]
fn it_refuses_any_request() {
    for status in [118, 119, -1] {
        at_every_step(20, |at| live_with(Trouble::Refuse(at, status)));
    }
}

#[test]
fn it_talks_nonsense_at_any_request() {
    at_every_step(20, |at| live_with(Trouble::Babble(at)));
    at_every_step(20, |at| live_with(Trouble::Chatter(at)));
    at_every_step(20, |at| live_with(Trouble::Report(at)));
}

#[test]
fn it_hangs_at_any_request() {
    at_every_step(20, |at| live_with(Trouble::Hang(at)));
}

/// What it would not take once is handed to it with the next start, and only that.
#[test]
fn a_refused_handover_is_made_up_for_by_the_next_start() {
    let refusals: [fn(&KernelRequest) -> bool; 4] = [
        |request| matches!(request, KernelRequest::AddChannel(asked) if asked.name == "metadata"),
        |request| matches!(request, KernelRequest::AddChannel(asked) if asked.name == "c"),
        |request| matches!(request, KernelRequest::AddStream { cpu: 1, .. }),
        |request| matches!(request, KernelRequest::StreamsSent { .. }),
    ];
    for (at, of) in refusals.into_iter().enumerate() {
        let mut world = World::with_kernel();
        world.create_kernel_session(SESSION);
        world.kernel_consumer().refuse_kernel = Some((of, 118));
        assert_eq!(world.ask(&client::start(SESSION)), KernStartFail, "{at}");
        assert!(!world.tracer.objects.session(SESSION).active, "{at}");
        world.must(&client::start(SESSION));
        world.kernel_consumer().check_kernel();
        assert_eq!(world.kernel_consumer().kernel_channels().len(), 2, "{at}");
        let streams =
            world.kernel_consumer().kernel.values().map(|channel| channel.streams.len()).sum::<usize>();
        assert_eq!(streams, 4, "{at}");
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

#[test]
fn a_session_that_has_lost_it_says_so_and_can_be_ended() {
    let mut world = World::with_kernel();
    world.create_kernel_session(SESSION);
    world.must(&client::start(SESSION));
    world.kill_consumer(lttng_sessiond::turn::ids::ConsumerKind::Kernel);
    world.pump();
    let rule = kernel::enable_event(SESSION, "c", client::rule("irq_*"));
    assert_eq!(world.ask(&rule), NoKernconsumerd);
    // Another session has another one.
    world.create_kernel_session("other");
    world.must(&client::start("other"));
    world.must(&client::stop(SESSION));
    assert!(!world.tracer.objects.session(SESSION).active);
    assert_eq!(world.ask(&client::start(SESSION)), Unk);
    assert_eq!(world.ask(&client::destroy(SESSION)), CloseTraceChunkFailConsumer);
    world.must(&client::destroy("other"));
    world.pass(Duration::from_secs(1));
    world.end_of_everything();
}

#[test]
fn it_does_not_start() {
    for trouble in
        [Trouble::NoProgram, Trouble::Exit, Trouble::Failed, Trouble::Unreachable, Trouble::HalfReachable]
    {
        let mut world = World::with_kernel();
        world.must(&client::create(SESSION));
        world.kernel_consumer().trouble = Some(trouble);
        assert_eq!(world.ask(&kernel::enable_channel(SESSION, "c")), KernConsumerFail, "{trouble:?}");
        world.kernel_consumer().trouble = None;
        world.must(&kernel::enable_channel(SESSION, "c"));
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}
