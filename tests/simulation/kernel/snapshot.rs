// SPDX-License-Identifier: GPL-2.0-only
//! Snapshots of the kernel: metadata is made for each of them.

use lttng_protocol::client::ErrorCode;
use lttng_protocol::kernel::Request;

use crate::client::{self, kernel, output};
use crate::consumer::Trouble;
use crate::life::at_every_step;
use crate::tracer;
use crate::world::World;

fn commands() -> Vec<(&'static str, client::Request)> {
    let record = || client::record_snapshot("s", output());
    vec![
        ("create", client::create_for_snapshots("s")),
        ("channel", kernel::enable_channel("s", "c")),
        ("channel", kernel::enable_channel("s", "d")),
        ("event", kernel::enable_event("s", "c", client::rule("sched_*"))),
        ("start", client::start("s")),
        ("record", record()),
        ("record", record()),
        ("stop", client::stop("s")),
        ("record", record()),
        ("start", client::start("s")),
        ("record", record()),
        ("destroy", client::destroy("s")),
    ]
}

#[test]
fn each_has_metadata_of_its_own() {
    let mut world = World::with_kernel();
    for (name, request) in commands() {
        let since = world.tracer.requests.len();
        world.must(&request);
        let asked = world.tracer.transcript(since);
        match name {
            "record" => {
                assert_eq!(asked, ["S.METADATA", "MC.STREAM"]);
                assert_eq!(world.kernel_consumer().kernel_channels(), [("c", 3), ("d", 3)], "it is given up");
                let left = world.tracer.objects.left();
                assert!(!left.iter().any(|object| object.contains("Metadata")), "{left:?}");
            }
            "start" => assert!(!asked.contains(&"S.METADATA".to_owned())),
            _ => {}
        }
    }
    let names: Vec<_> = world.kernel_consumer().chunks.values().map(|chunk| chunk.name.clone()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    world.end_of_everything();
}

fn may_fail(name: &str, code: ErrorCode) -> bool {
    use ErrorCode::*;
    match name {
        "channel" => [KernSessFail, KernChanFail, KernNa, KernVersion, KernConsumerFail, NoKernconsumerd]
            .contains(&code),
        "event" => {
            [KernSessFail, KernChanFail, KernEnableFail, KernEventExist, KernConsumerFail, NoKernconsumerd]
                .contains(&code)
        }
        "start" => [KernStartFail, KernStreamFail, NoChannel, Unk].contains(&code),
        "stop" => [KernStopFail, TraceAlreadyStopped].contains(&code),
        "record" => [
            KernMetaFail,
            KernStreamFail,
            SnapshotFail,
            StartSessionOnce,
            CreateTraceChunkFailConsumer,
            CloseTraceChunkFailConsumer,
            ChanNotFound,
            SnapshotNodata,
        ]
        .contains(&code),
        "destroy" => code == KernStopFail,
        _ => false,
    }
}

fn live(world: &mut World, what: &str) {
    for (name, request) in commands() {
        let code = world.ask(&request);
        assert!(code == ErrorCode::Ok || may_fail(name, code), "{what}: {name} gave {code:?}");
    }
}

#[test]
fn the_tracer_refuses_any_request() {
    at_every_step(20, |at| {
        let mut world = World::with_kernel();
        world.tracer.refuse_at = Some((at, libc::ENOMEM));
        live(&mut world, &format!("request {at}"));
        world.end_of_everything();
        world.tracer.requests.len()
    });
}

#[test]
fn the_helper_dies_at_any_job() {
    for trouble in [tracer::Trouble::Die as fn(usize) -> _, tracer::Trouble::DieAfter] {
        at_every_step(10, |at| {
            let mut world = World::with_kernel();
            world.tracer.trouble = Some(trouble(at));
            live(&mut world, &format!("job {at}"));
            world.end_of_everything();
            world.tracer.jobs.len()
        });
    }
}

#[test]
fn the_consumer_daemon_fails_at_any_request() {
    let troubles: [fn(usize) -> Trouble; 4] =
        [Trouble::Die, Trouble::DieSlowly, Trouble::Babble, |at| Trouble::Refuse(at, 119)];
    for trouble in troubles {
        at_every_step(20, |at| {
            let mut world = World::with_kernel();
            world.kernel_consumer().trouble = Some(trouble(at));
            live(&mut world, &format!("{:?}", trouble(at)));
            let steps = world.kernel_consumer().steps;
            world.end_of_everything();
            steps
        });
    }
}

#[test]
fn metadata_that_is_refused_fails_that_snapshot_only() {
    let mut world = World::with_kernel();
    for (_, request) in &commands()[..5] {
        world.must(request);
    }
    let record = client::record_snapshot("s", output());
    world.tracer.refuse = Some((|request| matches!(request, Request::Metadata(_)), libc::ENOMEM, 1));
    assert_eq!(world.ask(&record), ErrorCode::KernMetaFail);
    world.tracer.refuse = Some((|request| *request == Request::Stream, libc::ENOMEM, 1));
    assert_eq!(world.ask(&record), ErrorCode::KernMetaFail);
    world.must(&record);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}
