// SPDX-License-Identifier: GPL-2.0-only
//! Snapshots: when all is well, and with every peer failing at every step.

use std::time::Duration;

use lttng_protocol::client::{ErrorCode, Reply, SnapshotOutput};
use lttng_protocol::consumer::{ChannelKind, UstRequest};

use crate::client::{self, Request, output};
use crate::consumer::Trouble;
use crate::helper;
use crate::life;
use crate::world::{USER, World};
use lttng_sessiond::turn::ids::ConsumerKind;
use lttng_sessiond::turn::machine::Machine;

/// A session for snapshots that records `app:*` in two channels.
fn commands(per_process: bool) -> Vec<(&'static str, Request)> {
    let kind = |request| if per_process { client::per_process(request) } else { request };
    vec![
        ("create", client::create_for_snapshots("s")),
        ("enable channel", kind(client::enable_channel("s", "c"))),
        ("enable channel", kind(client::enable_channel("s", "d"))),
        ("enable event", kind(client::enable_event("s", "c", client::rule("app:*")))),
        ("enable event", kind(client::enable_event("s", "d", client::rule("app:*")))),
        ("start", client::start("s")),
    ]
}

fn record() -> Request {
    client::record_snapshot("s", output())
}

fn of_size(max_size: u64) -> SnapshotOutput {
    SnapshotOutput { max_size: Some(max_size), ..output() }
}

fn begin(world: &mut World, per_process: bool) {
    for (_, request) in commands(per_process) {
        world.must(&request);
    }
}

/// Names and contents of the snapshots that a consumer daemon wrote: the kinds of the channels.
fn written(world: &World, kind: ConsumerKind) -> Vec<(String, Vec<ChannelKind>)> {
    let consumer = &world.consumers[&kind];
    let kinds = |keys: &[u64]| keys.iter().map(|key| consumer.channels[key].asked.kind).collect();
    consumer.chunks.values().map(|chunk| (chunk.name.clone(), kinds(&chunk.snapshot))).collect()
}

const SET: [ChannelKind; 3] = [ChannelKind::Data, ChannelKind::Data, ChannelKind::Metadata];

#[test]
fn each_set_of_buffers_is_written_data_first() {
    let mut world = World::with_consumers(&ConsumerKind::USER_SPACE);
    for (uid, bits) in [(USER, 64), (USER, 32), (USER + 1, 64), (USER, 64)] {
        world.launch_as(uid, bits);
    }
    begin(&mut world, false);
    for _ in 0..3 {
        world.must(&record());
        world.pass(Duration::from_secs(1));
    }
    for (kind, sets) in [(ConsumerKind::Ust64, 2), (ConsumerKind::Ust32, 1)] {
        for (number, (name, kinds)) in written(&world, kind).into_iter().enumerate() {
            assert!(name.starts_with("snapshot-1-2") && name.ends_with(&format!("-{number}")), "{name}");
            assert_eq!(kinds, SET.repeat(sets));
        }
        let consumer = &world.consumers[&kind];
        assert_eq!(consumer.chunks.len(), 3);
        // Each metadata channel was asked about three times, and nothing was pushed unasked.
        assert_eq!(consumer.told, 3 * sets);
        let pushed = |request: &UstRequest| matches!(request, UstRequest::PushMetadata { .. });
        assert!(!consumer.requests.iter().any(pushed));
        let text = consumer.metadata_of(0);
        assert_eq!(text.matches("name = \"app:one\"").count(), 2 * sets, "once in each channel: {text}");
        assert_eq!(consumer.refused, []);
    }
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn in_pieces_and_disorder() {
    for seed in 1..16 {
        for per_process in [false, true] {
            let mut world = World::new();
            world.shuffle(seed * 104_729);
            if seed % 3 == 0 {
                world.consumer().trouble = Some(Trouble::Curious);
            }
            world.launch();
            begin(&mut world, per_process);
            for turn in 0..5 {
                let app = world.launch();
                world.turns(usize::try_from(seed).unwrap() % 7 * turn);
                let recorded = world.send(&record());
                world.turns(usize::try_from(seed).unwrap() % 5 * turn);
                if turn % 2 == 0 {
                    world.kill_application(app);
                }
                assert_eq!(world.wait_for(recorded).code, ErrorCode::Ok, "seed {seed}");
            }
            world.check_applications();
            world.must(&client::destroy("s"));
            world.end_of_everything();
        }
    }
}

/// Runs a life of a session with snapshots; calls `check` with each code.
fn live(world: &mut World, per_process: bool, mut check: impl FnMut(&mut World, &str, ErrorCode)) {
    let more = [
        ("record", record()),
        ("record", record()),
        ("stop", client::stop("s")),
        ("record", client::record_snapshot("s", of_size(1 << 30))),
        ("start", client::start("s")),
        ("record", record()),
        ("outputs", client::list_outputs("s")),
        ("destroy", client::destroy("s")),
        ("list sessions", client::list_sessions()),
    ];
    for (name, request) in commands(per_process).into_iter().chain(more) {
        let code = world.ask(&request);
        check(world, name, code);
        assert_eq!(world.ask(&client::list_sessions()), ErrorCode::Ok);
    }
}

/// What a command may come to with a consumer daemon in trouble.
fn may_fail(name: &str, code: ErrorCode) -> bool {
    let lost = [ErrorCode::NoUstconsumerd, ErrorCode::UstConsumer64Fail];
    match name {
        "enable channel" | "enable event" => lost.contains(&code),
        "start" => [ErrorCode::NoChannel, ErrorCode::Unk].contains(&code),
        "stop" => code == ErrorCode::TraceAlreadyStopped,
        "record" => [
            ErrorCode::StartSessionOnce,
            ErrorCode::CreateTraceChunkFailConsumer,
            ErrorCode::CloseTraceChunkFailConsumer,
            ErrorCode::SnapshotFail,
            ErrorCode::ChanNotFound,
        ]
        .contains(&code),
        _ => false,
    }
}

/// Lives with a consumer daemon in trouble. Returns how many messages it got.
fn live_with(trouble: Trouble, per_process: bool) -> usize {
    life::with_trouble(trouble, |world| {
        let started = world.age();
        live(world, per_process, |_, name, code| {
            assert!(code == ErrorCode::Ok || may_fail(name, code), "{trouble:?}: {name} gave {code:?}");
        });
        let waited = world.age() - started;
        // Nonsense can look like an answer that is not complete.
        let stuck = matches!(trouble, Trouble::Hang(_) | Trouble::Chatter(_) | Trouble::Babble(_));
        assert!(waited < Duration::from_secs(60) || stuck, "{trouble:?}");
    })
}

fn at_every_step(trouble: impl Fn(usize) -> Trouble) {
    for per_process in [false, true] {
        life::at_every_step(40, |at| live_with(trouble(at), per_process));
    }
}

#[test]
fn the_consumer_daemon_dies_at_any_step() {
    at_every_step(Trouble::Die);
    at_every_step(Trouble::DieSlowly);
}

#[test]
fn the_consumer_daemon_refuses_any_step() {
    for status in [118, 119, -1] {
        at_every_step(|at| Trouble::Refuse(at, status));
    }
}

#[test]
fn the_consumer_daemon_goes_mad_at_any_step() {
    at_every_step(Trouble::Babble);
    at_every_step(Trouble::Chatter);
    at_every_step(Trouble::Report);
}

#[test]
fn the_consumer_daemon_hangs_at_any_step() {
    at_every_step(Trouble::Hang);
}

#[test]
fn the_helper_fails_at_any_request() {
    let troubles: [&dyn Fn(usize) -> helper::Trouble; 3] =
        [&|at| helper::Trouble::Refuse(at, libc::EACCES), &helper::Trouble::Die, &helper::Trouble::Hang];
    for trouble in troubles {
        let mut at = 1;
        loop {
            let trouble = trouble(at);
            let mut world = World::new();
            world.helper.trouble = Some(trouble);
            world.start_application();
            let mut failed = 0;
            live(&mut world, false, |_, name, code| {
                let folder = name == "record" && code == ErrorCode::CreateDirFail;
                assert!(code == ErrorCode::Ok || folder, "{trouble:?}: {name} gave {code:?}");
                failed += usize::from(folder);
            });
            if world.helper.requests.len() < at {
                break;
            }
            assert!(failed > 0 && (matches!(trouble, helper::Trouble::Die(_)) || failed == 1), "{trouble:?}");
            life::end(&mut world, matches!(trouble, helper::Trouble::Hang(_)));
            at += 1;
        }
        assert!(at > 4);
    }
}

/// Records with the next channel of this kind refused.
fn refuse_channel(metadata: bool, per_process: bool, status: i32) -> ErrorCode {
    let mut world = World::new();
    world.start_application();
    begin(&mut world, per_process);
    // Two for the trace chunk, two for data.
    let at = world.consumer().steps + 2 + if metadata { 3 } else { 1 };
    world.consumer().trouble = Some(Trouble::Refuse(at, status));
    let code = world.ask(&record());
    // The failed one does not count.
    world.must(&record());
    let number = if code == ErrorCode::Ok { "-1" } else { "-0" };
    assert!(written(&world, ConsumerKind::Ust64)[1].0.ends_with(number));
    world.must(&client::destroy("s"));
    world.end_of_everything();
    code
}

#[test]
fn codes_for_a_channel_that_is_not_written() {
    for metadata in [false, true] {
        assert_eq!(refuse_channel(metadata, false, 119), ErrorCode::ChanNotFound);
        assert_eq!(refuse_channel(metadata, false, 122), ErrorCode::SnapshotFail);
        // Its application may be gone.
        assert_eq!(refuse_channel(metadata, true, 119), ErrorCode::Ok);
        assert_eq!(refuse_channel(metadata, true, 122), ErrorCode::SnapshotFail);
    }
}

#[test]
fn a_size_that_is_too_small() {
    let mut world = World::new();
    begin(&mut world, false);
    // Without buffers everything fits.
    world.must(&client::record_snapshot("s", of_size(1)));
    world.start_application();
    // Two channels of two streams, each with packets of 4096 bytes.
    let packet = 2 * 2 * 4096;
    assert_eq!(world.ask(&client::record_snapshot("s", of_size(packet - 1))), ErrorCode::MaxSizeInvalid);
    for size in [packet, packet * 3 + 1, 0] {
        world.must(&client::record_snapshot("s", of_size(size)));
    }
    let asked = world.consumer().requests.iter().filter_map(|request| match request {
        UstRequest::SnapshotChannel(snapshot) => Some((snapshot.metadata, snapshot.packets_per_stream)),
        _ => None,
    });
    let want = [1, 3, 0].map(|packets| [(false, packets), (false, packets), (true, 0)]).concat();
    assert_eq!(asked.collect::<Vec<_>>(), want);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn others_go_on_while_a_snapshot_is_written() {
    let mut world = World::new();
    world.start_application();
    begin(&mut world, false);
    world.create_session("other");
    world.consumer().trouble = Some(Trouble::Slow(Duration::from_secs(5)));
    let recorded = world.send(&record());
    world.pass(Duration::from_secs(6));
    let before = world.age();
    world.must(&client::list_sessions());
    world.must(&client::create("third"));
    assert_eq!(world.age(), before);
    // The same session has to wait.
    let stopped = world.send(&client::stop("s"));
    // What needs the consumer daemon, too, goes between two channels.
    world.must(&client::start("other"));
    assert!(!world.clients[recorded.0].ended && !world.clients[stopped.0].ended);
    assert_eq!(world.wait_for(recorded).code, ErrorCode::Ok);
    assert_eq!(world.wait_for(stopped).code, ErrorCode::Ok);
    world.consumer().trouble = None;
    for name in ["s", "other", "third"] {
        world.must(&client::destroy(name));
    }
    world.end_of_everything();
}

#[test]
fn buffers_are_kept_while_they_are_written_or_cleared() {
    for per_process in [false, true] {
        for request in [record(), client::clear("s")] {
            for second in 0..12 {
                let mut world = World::new();
                let mut apps = [0; 3].map(|_| world.start_application());
                apps.rotate_left(second % 3);
                begin(&mut world, per_process);
                world.consumer().trouble = Some(Trouble::Slow(Duration::from_secs(1)));
                let asked = world.send(&request);
                world.pass(Duration::from_millis(500 + 1000 * second as u64));
                world.kill_application(apps[0]);
                assert_eq!(world.wait_for(asked).code, ErrorCode::Ok);
                world.consumer().trouble = None;
                world.pass(Duration::from_secs(5));
                // Not any longer than that.
                let kept =
                    world.consumers[&ConsumerKind::Ust64].channels.values().filter(|c| !c.is_abandoned());
                assert_eq!(kept.count(), if per_process { 2 * SET.len() } else { SET.len() });
                assert_eq!(world.consumer().refused, []);
                world.must(&client::destroy("s"));
                world.end_of_everything();
            }
        }
    }
}

#[test]
fn much_to_write_may_take_long() {
    let mut world = World::new();
    for user in 0..10 {
        world.launch_as(USER + user, 64);
    }
    begin(&mut world, false);
    // Twenty of 15 s each, and ten of metadata with a question and an answer in two steps.
    world.consumer().trouble = Some(Trouble::Slow(Duration::from_secs(15)));
    let recorded = world.send(&record());
    assert!(world.run_until(Duration::from_secs(2000), |world| world.clients[recorded.0].ended));
    assert_eq!(world.wait_for(recorded).code, ErrorCode::Ok);
    assert!(world.age() > Duration::from_secs(600));
    world.consumer().trouble = None;
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn a_client_that_leaves() {
    let mut turn = 0;
    loop {
        let mut world = World::new();
        world.start_application();
        begin(&mut world, false);
        let recorded = world.send(&record());
        world.turns(turn);
        let over = world.clients[recorded.0].ended;
        world.leave(recorded);
        world.must(&record());
        assert_eq!(written(&world, ConsumerKind::Ust64).last().unwrap().1, SET);
        world.must(&client::destroy("s"));
        world.end_of_everything();
        if over {
            break;
        }
        turn += 1;
    }
    assert!(turn > 5);
}

#[test]
fn the_end_of_session_and_daemon_at_any_time() {
    for turn in 0..60 {
        let mut world = World::new();
        world.launch();
        begin(&mut world, false);
        world.launch_as(USER + 1, 64);
        let recorded = world.send(&record());
        world.turns(turn);
        if turn % 2 == 0 {
            world.must(&client::destroy("s"));
            assert_eq!(world.wait_for(recorded).code, ErrorCode::Ok);
            world.end_of_everything();
        } else {
            world.daemon.end();
            world.run_until(Duration::from_secs(31), |world| world.exited);
            assert!(world.exited && world.consumers.values().all(|consumer| !consumer.running));
        }
    }
}

/// Buffers are made while the session ends: the metadata channel is not left behind.
#[test]
fn a_session_that_ends_before_its_metadata_is_there() {
    for turn in 0..60 {
        for seed in 1..4 {
            let mut world = World::new();
            world.shuffle(seed);
            begin(&mut world, turn % 2 == 0);
            world.launch();
            world.turns(turn);
            world.must(&client::destroy("s"));
            world.end_of_everything();
        }
    }
}

#[test]
fn a_session_that_ends_while_its_metadata_channel_is_made() {
    for per_process in [false, true] {
        for delay in 0..20 {
            let mut world = World::new();
            world.start_application();
            begin(&mut world, per_process);
            world.consumer().trouble = Some(Trouble::Slow(Duration::from_millis(100)));
            world.launch_as(USER + 1, 64);
            world.pass(Duration::from_millis(40 * delay));
            world.must(&client::destroy("s"));
            world.consumer().trouble = None;
            world.end_of_everything();
        }
    }
}

fn outputs(reply: &Reply) -> Vec<SnapshotOutput> {
    SnapshotOutput::decode_list(&reply.payload).unwrap()
}

#[test]
fn outputs_and_their_numbers() {
    let at = |url: &str| SnapshotOutput { control_url: url.to_owned(), ..output() };
    let number = |id| SnapshotOutput { id, ..output() };
    let mut world = World::new();
    world.must(&client::create_for_snapshots("s"));
    assert_eq!(world.ask(&record()), ErrorCode::StartSessionOnce);
    let listed = outputs(&world.must(&client::list_outputs("s")));
    let first = SnapshotOutput { id: 1, name: "snapshot-1".into(), max_size: Some(0), ..at("/snapshots/s") };
    assert_eq!(listed, [first]);
    assert_eq!(world.ask(&client::add_output("s", at("/b"))), ErrorCode::SnapshotOutputExist);
    for nothing in [output(), number(2), SnapshotOutput { name: "snapshot-11".into(), ..output() }] {
        assert_eq!(world.ask(&client::remove_output("s", nothing)), ErrorCode::Invalid);
    }
    world.must(&client::remove_output("s", number(1)));
    for (url, code) in [
        ("", ErrorCode::Invalid),
        ("b", ErrorCode::Invalid),
        ("net://host.name", ErrorCode::Invalid),
        // These parse, and use up a number.
        ("net://127.0.0.1:7:7", ErrorCode::Invalid),
        ("tcp://127.0.0.1", ErrorCode::Invalid),
        ("/b", ErrorCode::Ok),
    ] {
        assert_eq!(world.ask(&client::add_output("s", at(url))), code, "{url}");
    }
    let listed = outputs(&world.must(&client::list_outputs("s")));
    assert_eq!((listed[0].id, listed[0].name.as_str()), (4, "snapshot-4"));
    // A number that is wrong is not made good by a name that is right.
    let both = SnapshotOutput { name: "snapshot-4".into(), ..number(1) };
    assert_eq!(world.ask(&client::remove_output("s", both)), ErrorCode::Invalid);
    world.must(&client::remove_output("s", SnapshotOutput { name: "snap".into(), ..output() }));
    assert_eq!(outputs(&world.must(&client::list_outputs("s"))), []);
    world.must(&client::create("regular"));
    for request in [
        client::add_output("regular", at("")),
        client::remove_output("regular", number(1)),
        client::list_outputs("regular"),
        client::record_snapshot("regular", at("")),
    ] {
        assert_eq!(world.ask(&request), ErrorCode::NotSnapshotSession);
    }
    world.must(&client::destroy("s"));
    world.must(&client::destroy("regular"));
    world.end_of_everything();
}

#[test]
fn hosts_are_looked_up_and_keep_only_their_client_waiting() {
    let at = |url: &str| SnapshotOutput { control_url: url.to_owned(), ..output() };
    let known = |scheme: &str| at(&format!("{scheme}://{}:1:2/below", helper::KNOWN_HOST));
    let mut world = World::new();
    world.must(&client::create_for_snapshots("s"));
    world.must(&client::create_for_snapshots("t"));
    for session in ["s", "t"] {
        world.must(&client::remove_output(session, SnapshotOutput { id: 1, ..output() }));
    }
    for (scheme, url) in [("net", "tcp4://127.0.0.1:1/below"), ("net6", "tcp6://[::1]:1/below")] {
        world.must(&client::add_output("s", known(scheme)));
        let listed = outputs(&world.must(&client::list_outputs("s")));
        assert_eq!(listed[0].control_url, url);
        world.must(&client::remove_output("s", SnapshotOutput { id: listed[0].id, ..output() }));
    }
    assert_eq!(world.ask(&client::add_output("s", at("net://elsewhere"))), ErrorCode::Invalid);
    assert_eq!(world.ask(&client::record_snapshot("s", known("net"))), ErrorCode::StartSessionOnce);

    // A name server that says nothing: others go on, and get what they want.
    let asked = world.helper.requests.len();
    world.helper.trouble = Some(helper::Trouble::Hang(asked + 1));
    let waiting = world.send(&client::add_output("s", at("net://slow")));
    world.pass(Duration::from_secs(1));
    world.must(&client::add_output("t", known("net")));
    world.must(&client::list_sessions());
    assert!(!world.clients[waiting.0].ended);
    world.helper.trouble = Some(helper::Trouble::Die(0));
    assert_eq!(world.ask(&client::add_output("s", at("net://other"))), ErrorCode::Invalid);
    assert_eq!(world.wait_for(waiting).code, ErrorCode::Invalid);
    world.must(&client::destroy("s"));
    world.must(&client::destroy("t"));
    world.end_of_everything();
}
