// SPDX-License-Identifier: GPL-2.0-only
//! Recording the kernel when nothing goes wrong.

use std::time::Duration;

use lttng_protocol::client::{ChannelOutput, ErrorCode, Event, Reply};
use lttng_protocol::kernel::AbiVersion;

use super::life::{self, SESSION};
use crate::client::{self, kernel};
use crate::world::World;

fn requests(world: &World, since: usize) -> Vec<String> {
    world.tracer.transcript(since)
}

#[test]
fn the_tracer_is_asked_for_what_is_wanted_in_the_order_of_the_original() {
    let mut world = World::with_kernel();
    world.tracer.objects.cpus = 2;
    world.must(&client::create("s"));
    let begin = world.tracer.requests.len();
    assert_eq!(begin, 0, "nobody has needed it");
    world.must(&kernel::enable_event("s", "", kernel::all()));
    let since = world.tracer.requests.iter().position(|(_, request, _)| request.name() == "SESSION").unwrap();
    // That nothing under way was recorded by the old rules any more is waited for by nobody here.
    let made = ["T.SESSION", "S.SESSION_SET_NAME", "S.SESSION_SET_CREATION_TIME", "S.CHANNEL"];
    let rules = ["C.EVENT", "E.ENABLE", "C.EVENT", "E.ENABLE"];
    assert_eq!(requests(&world, since), [&made[..], &rules].concat());
    let mut since = world.tracer.requests.len();
    let asked_for = world.tracer.objects.channel("s");
    assert_eq!((asked_for.subbuf_size, asked_for.num_subbuf, asked_for.read_timer), (1 << 20, 4, 200_000));
    assert_eq!((asked_for.overwrite, asked_for.output), (false, ChannelOutput::Splice));
    let mut asked = |world: &mut World, request| {
        world.must(&request);
        let asked = requests(world, std::mem::replace(&mut since, world.tracer.requests.len()));
        since = world.tracer.requests.len();
        asked
    };
    let filtered = kernel::enable_event("s", "", client::filtered("sched_switch", "prev_tid > 3"));
    assert_eq!(asked(&mut world, filtered), ["C.EVENT", "E.FILTER", "E.ENABLE"]);
    assert_eq!(asked(&mut world, kernel::add_context("s", "", 0)), ["C.CONTEXT"]);
    let streams = ["S.METADATA", "MC.STREAM", "C.STREAM", "C.STREAM", "C.STREAM=2", "S.SESSION_START"];
    assert_eq!(asked(&mut world, client::start("s")), streams);
    assert_eq!(asked(&mut world, kernel::disable_channel("s", "channel0")), ["C.DISABLE"]);
    assert_eq!(asked(&mut world, kernel::enable_channel("s", "channel0")), ["C.ENABLE"]);
    let flushed = ["S.SESSION_STOP", "T.WAIT_QUIESCENT", "R.FLUSH", "R.FLUSH", "R.FLUSH"];
    assert_eq!(asked(&mut world, client::stop("s")), flushed);
    assert_eq!(asked(&mut world, client::start("s")), ["S.SESSION_START"]);
    world.kernel_consumer().check_kernel();
    assert_eq!(world.kernel_consumer().kernel_channels(), [("channel0", 2), ("metadata", 1)]);
    assert_eq!(asked(&mut world, client::destroy("s")), flushed);
    world.end_of_everything();
}

#[test]
fn a_whole_life_of_a_session() {
    let mut world = World::with_kernel();
    life::run(&mut world, |world, name, _, code| {
        assert_eq!(code, ErrorCode::Ok, "{name}");
        world.kernel_consumer().check_kernel();
        let objects = &world.tracer.objects;
        match name {
            "start" => assert_eq!(objects.recorded(SESSION), ["sched_*", "irq_*"]),
            "late event" => assert_eq!(objects.recorded(SESSION), ["sched_*", "irq_*", "net_*"]),
            "disable event" => assert_eq!(objects.recorded(SESSION), ["irq_*", "net_*"]),
            "disable channel" => assert_eq!(objects.recorded(SESSION), ["sched_*", "net_*"]),
            "metadata" => {
                assert_eq!(
                    (objects.session(SESSION).regenerated, objects.session(SESSION).statedumps),
                    (1, 1)
                );
            }
            "clear" => {
                assert!(objects.session(SESSION).active, "it goes on");
                assert!(world.kernel_consumer().kernel.values().all(|channel| channel.cleared == 1));
            }
            _ => {}
        }
    });
    assert_eq!(world.kernel_consumer().refused, []);
    world.end_of_everything();
}

#[test]
fn a_whole_life_of_a_session_in_pieces_and_disorder() {
    for seed in 1..40 {
        let mut world = World::with_kernel();
        world.shuffle(seed * 7919);
        life::run(&mut world, |_, name, _, code| assert_eq!(code, ErrorCode::Ok, "{seed}: {name}"));
        assert_eq!(world.kernel_consumer().refused, []);
        world.end_of_everything();
    }
}

#[test]
fn a_tracer_that_knows_only_older_numbers_is_asked_by_those() {
    let mut world = World::with_kernel();
    world.tracer.is_old = true;
    world.tracer.abi = Some(AbiVersion { major: 2, minor: 5 });
    life::run(&mut world, |_, name, _, code| assert_eq!(code, ErrorCode::Ok, "{name}"));
    world.end_of_everything();
}

#[test]
fn what_there_is_is_listed() {
    let mut world = World::with_kernel();
    let names = |reply: Reply| -> Vec<String> {
        reply.elements(Event::decode).unwrap().iter().map(|event| event.name.to_string()).collect()
    };
    assert_eq!(names(world.must(&kernel::list_tracepoints())), ["sched_switch", "lttng_logger"]);
    assert_eq!(names(world.must(&kernel::list_syscalls())), ["read"]);
    // Modules that were loaded meanwhile bring more.
    world.tracer.tracepoints.push_str("event { name = more; };\n");
    assert_eq!(names(world.must(&kernel::list_tracepoints())), ["sched_switch", "lttng_logger", "more"]);
    world.end_of_everything();
}

#[test]
fn a_session_goes_to_a_relay_daemon() {
    for live in [None, Some(1_000_000)] {
        let mut world = World::with_kernel();
        world.must(&client::create_remote("s", live));
        world.must(&kernel::enable_channel("s", "c"));
        world.must(&kernel::enable_event("s", "c", client::rule("sched_*")));
        world.must(&client::start("s"));
        world.kernel_consumer().check_kernel();
        let channels = world.kernel_consumer().kernel.values();
        assert!(channels.clone().all(|channel| channel.asked.relayd_id.is_some()));
        assert!(channels.clone().all(|channel| channel.asked.is_live == live.is_some()));
        let rotated = if live.is_some() { ErrorCode::RotationNotAvailable } else { ErrorCode::Ok };
        assert_eq!(world.ask(&client::rotate("s")), rotated);
        world.must(&client::stop("s"));
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

#[test]
fn what_the_kernel_has_lost_is_not_counted_again_for_each_process_that_exits() {
    let mut world = World::with_kernel();
    world.must(&client::create("s"));
    world.must(&kernel::enable_event("s", "", kernel::all()));
    world.must(&client::per_process(client::enable_event("s", "", client::rule("app:*"))));
    let app = world.start_application();
    world.must(&client::start("s"));
    world.kill_application(app);
    world.pass(Duration::from_secs(6));
    let session = world.daemon.state().sessions.find("s").unwrap();
    let of_exited: Vec<u64> = session.recording.losses_of_exited.values().copied().collect();
    assert_eq!(of_exited, [7]);
    world.must(&client::stop("s"));
    let report = world.daemon.state().report(0);
    assert!(report.sessions[0].channels.iter().all(|channel| channel.lost == 7), "{:?}", report.sessions[0]);
    let said = report.messages.iter().filter(|message| message.text.contains(": 7 events discarded"));
    assert_eq!(said.count(), 2, "{:?}", report.messages);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}
