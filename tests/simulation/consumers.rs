// SPDX-License-Identifier: GPL-2.0-only
//! Consumer daemons that fail at every possible moment. Clients get the documented codes, sessions can be
//! destroyed, the rest of the daemon goes on.

use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::UstRequest;

use crate::client;
use crate::consumer::Trouble;
use crate::life;
use crate::script;
use crate::world::World;
use lttng_sessiond::turn::ids::ConsumerKind;

/// Statuses that a consumer daemon can answer, and one that it can't.
const STATUSES: [i32; 5] = [118, 119, 59, 123, -1];

/// What the end of a session comes to when a consumer daemon of it died.
const LOST: ErrorCode = ErrorCode::CloseTraceChunkFailConsumer;

/// Whether a command of the script may fail like this when the consumer daemon is in trouble.
fn may_fail(name: &str, code: ErrorCode) -> bool {
    let lost = [ErrorCode::NoUstconsumerd, ErrorCode::UstConsumer64Fail];
    let without_channel = [ErrorCode::NoChannel, ErrorCode::TraceAlreadyStarted];
    match name {
        "list channels" => lost.contains(&code) || code == ErrorCode::Unk,
        "start" | "start again" => {
            [ErrorCode::CreateTraceChunkFailConsumer, ErrorCode::Unk, ErrorCode::NoChannel].contains(&code)
        }
        "stop" => code == ErrorCode::TraceAlreadyStopped,
        "destroy" => [LOST, ErrorCode::RotationFailConsumer].contains(&code),
        _ if name.contains("channel")
            || ["enable event", "filter", "exclusion", "late event", "disable event"].contains(&name) =>
        {
            lost.contains(&code) || without_channel.contains(&code)
        }
        _ => false,
    }
}

/// Runs the script with a consumer daemon in trouble. Returns how many messages it got.
fn live_with(trouble: Trouble, chunk: bool) -> usize {
    life::with_trouble(trouble, |world| {
        script::run(world, |world, name, code| {
            assert!(code == ErrorCode::Ok || may_fail(name, code), "{trouble:?}: {name} gave {code:?}");
            assert_eq!(world.ask(&client::list_sessions()), ErrorCode::Ok);
            if chunk && name.starts_with("start") {
                let late = world.start_application();
                world.kill_application(late);
            }
        });
    })
}

/// A trouble at every message that there is.
fn at_every_step(trouble: impl Fn(usize) -> Trouble) {
    life::at_every_step(20, |at| live_with(trouble(at), false));
}

#[test]
fn dying_at_any_request() {
    at_every_step(Trouble::Die);
}

#[test]
fn dying_at_any_request_and_reaped_late() {
    at_every_step(Trouble::DieSlowly);
}

#[test]
fn refusing_any_request() {
    for status in STATUSES {
        life::at_every_step(20, |at| live_with(Trouble::Refuse(at, status), true));
    }
}

#[test]
fn answering_nonsense_to_any_request() {
    at_every_step(Trouble::Babble);
}

#[test]
fn talking_unasked() {
    at_every_step(Trouble::Chatter);
}

#[test]
fn reporting_an_error() {
    at_every_step(Trouble::Report);
}

#[test]
fn hanging_at_any_request() {
    at_every_step(Trouble::Hang);
}

/// The answer comes when whoever asked has gone on, or has given up: it is an answer to nothing any more, and nothing
/// that is asked later is taken for answered by it.
#[test]
fn answering_late_at_any_request() {
    at_every_step(Trouble::Late);
}

#[test]
fn answering_slowly() {
    for milliseconds in [1, 30, 700] {
        live_with(Trouble::Slow(Duration::from_millis(milliseconds)), true);
    }
}

#[test]
fn asking_for_metadata_before_every_answer() {
    let mut world = World::new();
    world.consumer().trouble = Some(Trouble::Curious);
    world.start_application();
    script::run_well(&mut world, |world, _| world.check_applications());
    let consumer = world.consumer();
    assert_eq!(consumer.told, consumer.steps, "exactly one answer to each question");
    assert_eq!(consumer.refused, []);
    world.end_of_everything();
}

#[test]
fn asking_for_metadata_when_nothing_else_happens() {
    let mut world = World::new();
    world.start_application();
    world.create_session("s");
    world.ask_metadata(ConsumerKind::Ust64);
    world.pump();
    world.must(&client::start("s"));
    world.pass(Duration::from_secs(2));
    world.must(&client::enable_event("s", "", client::rule("other:*")));
    for _ in 0..3 {
        world.ask_metadata(ConsumerKind::Ust64);
        world.pump();
    }
    assert_eq!(world.consumer().told, 4);
    assert!(world.consumer().metadata_of(0).contains("other:three"));
    world.must(&client::stop("s"));
    world.must(&client::destroy("s"));
    world.ask_metadata(ConsumerKind::Ust64);
    world.pump();
    assert_eq!(world.consumer().told, 5);
    world.end_of_everything();
}

#[test]
fn failing_to_start() {
    let troubles = [
        (Trouble::NoProgram, Duration::ZERO),
        (Trouble::Exit, Duration::ZERO),
        (Trouble::Failed, Duration::ZERO),
        (Trouble::Unreachable, Duration::ZERO),
        (Trouble::HalfReachable, Duration::ZERO),
        (Trouble::NoPipe, Duration::ZERO),
        (Trouble::Refuse(1, 120), Duration::ZERO),
        (Trouble::Silent, Duration::from_secs(10)),
        (Trouble::Hang(1), Duration::from_secs(10)),
        (Trouble::Hang(3), Duration::from_secs(10)),
    ];
    for (trouble, time) in troubles {
        let mut world = World::new();
        world.consumer().trouble = Some(trouble);
        let app = world.start_application();
        world.must(&client::create("s"));
        let before = world.age();
        let first = world.ask(&client::enable_channel("s", "c"));
        assert_eq!(first, ErrorCode::UstConsumer64Fail, "{trouble:?}");
        assert!(!world.talks_to(ConsumerKind::Ust64), "{trouble:?}: something is left open");
        assert!(world.age() - before <= time, "{trouble:?}: {:?}", world.age() - before);
        if time > Duration::ZERO {
            assert_eq!(world.killed, [5000], "{trouble:?}: it would run on for ever");
        }
        // The next command tries again, but one that fails each time is not started without end.
        world.consumer().trouble = Some(Trouble::Exit);
        for _ in 0..10 {
            assert_eq!(world.ask(&client::enable_channel("s", "c")), ErrorCode::UstConsumer64Fail);
        }
        assert!(world.consumer().starts <= 3, "{trouble:?}: {} starts", world.consumer().starts);
        assert_eq!(world.ask(&client::start("s")), ErrorCode::NoChannel);
        world.must(&client::list_tracepoints());
        world.must(&client::destroy("s"));
        assert!(world.apps[app].alive);
        // A while after its cause is gone, so is the failure.
        world.pass(Duration::from_secs(60));
        world.consumer().trouble = None;
        record_once(&mut world, app);
        world.end_of_everything();
    }
}

/// A new session records.
fn record_once(world: &mut World, app: usize) {
    world.create_session("new");
    world.must(&client::start("new"));
    assert!(world.apps[app].records());
    world.must(&client::stop("new"));
    world.must(&client::destroy("new"));
}

#[test]
fn twenty_deaths_in_a_row() {
    for kinds in [&ConsumerKind::USER_SPACE[..], &[ConsumerKind::Ust64]] {
        let mut world = World::with_consumers(kinds);
        let app = world.start_application();
        for turn in 0..20 {
            world.create_session("old");
            if turn % 3 != 0 {
                world.must(&client::start("old"));
                assert!(world.apps[app].records(), "turn {turn}");
            }
            world.kill_consumer(kinds[turn % kinds.len()]);
            if turn % 2 == 0 {
                world.pump();
            }
            record_once(&mut world, app);
            // What was started before has lost something; nothing else has.
            let expected = if turn % 3 == 0 { ErrorCode::Ok } else { LOST };
            assert_eq!(world.ask(&client::destroy("old")), expected, "turn {turn}");
        }
        let starts: usize = world.consumers.values().map(|consumer| consumer.starts).sum();
        assert_eq!(starts, 20 + kinds.len());
        world.end_of_everything();
    }
}

/// The consumer daemon that comes after it knows nothing of the session's trace chunk and buffers.
#[test]
fn a_session_that_has_lost_something_is_not_taken_to_the_next_consumer_daemon() {
    let mut world = World::new();
    let app = world.start_application();
    for name in ["old", "rotated"] {
        world.create_session(name);
        world.must(&client::start(name));
    }
    world.must(&client::create("own"));
    world.must(&client::per_process(client::enable_event("own", "", client::rule("app:*"))));
    world.must(&client::start("own"));
    world.kill_consumer(ConsumerKind::Ust64);
    world.create_session("new");
    world.must(&client::start("new"));
    let late = world.start_application();
    let others = |world: &World| {
        let consumer = &world.consumers[&ConsumerKind::Ust64];
        let channels = consumer.channels.values().map(|channel| channel.asked.session_id);
        channels.chain(consumer.chunks.keys().map(|(session, _)| *session)).filter(|id| *id != 3).count()
    };
    assert!(world.apps[app].records() && world.apps[late].records());
    assert_eq!(world.ask(&client::rotate("rotated")), ErrorCode::CreateTraceChunkFailConsumer);
    assert_eq!(world.ask(&client::clear("old")), ErrorCode::ClearFailConsumer);
    assert_eq!(world.ask(&client::enable_channel("old", "c")), ErrorCode::NoUstconsumerd);
    assert_eq!(others(&world), 0);
    world.must(&client::stop("old"));
    assert_eq!(world.ask(&client::start("old")), ErrorCode::Unk);
    assert_eq!(world.must(&client::data_pending("old")).payload, [0]);
    assert_eq!(others(&world), 0);
    for name in ["old", "own"] {
        assert_eq!(world.ask(&client::destroy(name)), LOST, "{name}");
    }
    // Nobody is told twice.
    world.must(&client::destroy("rotated"));
    assert_eq!(world.consumer().refused, [], "the next one was asked what it can't know");
    assert!(world.apps[app].records() && world.apps[late].records());
    world.must(&client::stop("new"));
    world.must(&client::destroy("new"));
    world.end_of_everything();
}

/// It broke the protocol, and its process takes its time to end: it would remove the socket of its successor.
#[test]
fn the_next_one_waits_for_the_end_of_the_one_before() {
    let mut world = World::new();
    let app = world.start_application();
    world.consumer().trouble = Some(Trouble::DieSlowly(4));
    world.create_session("s");
    assert_eq!(world.ask(&client::start("s")), ErrorCode::CreateTraceChunkFailConsumer);
    let before = world.age();
    let start = world.send(&client::start("s"));
    world.pump();
    assert!(!world.clients[start.0].ended);
    world.must(&client::list_sessions());
    assert_eq!(world.wait_for(start).code, ErrorCode::Ok);
    assert_eq!((world.killed.as_slice(), world.age() - before), (&[5000][..], Duration::from_secs(2)));
    assert!(world.apps[app].records());
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

/// A command ends with the first consumer daemon that it loses: it does not start one after the other.
#[test]
fn one_that_dies_whenever_it_is_needed() {
    let mut world = World::new();
    world.must(&client::create_remote("s", None));
    for turn in 0..5 {
        // It is greeted in three messages, and dies at the first connection to the relay daemon.
        let steps = world.consumer().steps;
        world.consumer().trouble = Some(Trouble::Die(steps + 4));
        let enable = client::enable_event("s", "", client::rule("app:*"));
        assert_eq!(world.ask(&enable), ErrorCode::NoUstconsumerd, "turn {turn}");
    }
    assert_eq!(world.consumer().starts, 5);
    world.consumer().trouble = None;
    world.must(&client::enable_event("s", "", client::rule("app:*")));
    // Those that it gets a pair of connections for before it is started are replaced, too.
    world.kill_consumer(ConsumerKind::Ust64);
    world.must(&client::start("s"));
    world.must(&client::stop("s"));
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn other_clients_are_served_while_it_starts() {
    let mut world = World::new();
    world.consumer().trouble = Some(Trouble::Silent);
    world.must(&client::create("s"));
    let waiting: Vec<_> =
        (0..5).map(|number| world.send(&client::enable_channel("s", &format!("c{number}")))).collect();
    world.pass(Duration::from_secs(1));
    world.must(&client::list_sessions());
    world.must(&client::create("t"));
    assert!(waiting.iter().all(|id| !world.clients[id.0].ended));
    let codes: Vec<ErrorCode> = waiting.into_iter().map(|id| world.wait_for(id).code).collect();
    assert_eq!(codes[0], ErrorCode::UstConsumer64Fail);
    assert!(codes[1..].iter().all(|&code| code == ErrorCode::NoUstconsumerd), "{codes:?}");
    world.must(&client::destroy("s"));
    world.must(&client::destroy("t"));
    world.end_of_everything();
}

#[test]
fn what_is_asked_after_its_death() {
    let mut world = World::new();
    let app = world.start_application();
    for name in ["a", "b", "c"] {
        world.create_session(name);
    }
    world.must(&client::start("a"));
    world.must(&client::start("b"));
    world.must(&client::stop("b"));
    world.kill_consumer(ConsumerKind::Ust64);
    world.pump();
    assert_eq!(world.ask(&client::stop("a")), ErrorCode::Ok);
    assert_eq!(world.ask(&client::start("a")), ErrorCode::Unk);
    assert_eq!(world.ask(&client::start("b")), ErrorCode::Unk);
    // Nothing of the last one was there: it is given the next consumer daemon.
    assert_eq!(world.ask(&client::start("c")), ErrorCode::Ok);
    assert!(world.apps[app].records());
    assert_eq!(world.ask(&client::enable_event("a", "", client::rule("x"))), ErrorCode::NoUstconsumerd);
    assert_eq!(world.ask(&client::list_tracepoints()), ErrorCode::Ok);
    for (name, code) in [("a", LOST), ("b", LOST), ("c", ErrorCode::Ok)] {
        assert_eq!(world.ask(&client::destroy(name)), code);
    }
    assert_eq!(world.apps[app].objects(), 0);
    world.end_of_everything();
}

#[test]
fn an_application_that_comes_after_its_death_runs_at_once() {
    let mut world = World::new();
    world.create_session("s");
    world.must(&client::start("s"));
    world.kill_consumer(ConsumerKind::Ust64);
    world.pump();
    let app = world.start_application();
    assert!(world.apps[app].released);
    assert_eq!(world.ask(&client::destroy("s")), LOST);
    world.end_of_everything();
}

#[test]
fn one_consumer_daemon_of_two_dies() {
    let mut world = World::with_consumers(&ConsumerKind::USER_SPACE);
    for bits in [32, 64] {
        world.launch_as(crate::world::USER, bits);
    }
    world.create_session("s");
    world.must(&client::start("s"));
    world.kill_consumer(ConsumerKind::Ust32);
    world.pump();
    world.must(&client::stop("s"));
    let flushed = |request: &UstRequest| matches!(request, UstRequest::FlushChannel { .. });
    assert!(world.consumer().requests.iter().any(flushed), "the other one goes on");
    assert_eq!(world.ask(&client::destroy("s")), LOST);
    world.end_of_everything();
}

#[test]
fn a_channel_that_is_not_handed_over_is_destroyed() {
    let mut world = World::new();
    world.start_application();
    world.create_session("s");
    // Two to greet it, then the trace chunk in two steps and the channel.
    world.consumer().trouble = Some(Trouble::Refuse(3 + 2 + 2, 117));
    assert_eq!(world.ask(&client::start("s")), ErrorCode::Unk);
    let requests = &world.consumer().requests;
    let asked = |request: &UstRequest| matches!(request, UstRequest::GetChannel { .. });
    assert!(requests.iter().any(asked), "{requests:?}");
    let destroyed = |request: &UstRequest| matches!(request, UstRequest::DestroyChannel { .. });
    assert!(requests.iter().any(destroyed), "nothing else would make it go away");
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

/// Applications with buffers of their own, whose metadata takes a consumer daemon longer than any operation may take.
fn with_much_metadata(count: usize) -> (World, Vec<usize>) {
    let mut world = World::new();
    world.must(&client::create("s"));
    world.must(&client::per_process(client::enable_channel("s", "c")));
    world.must(&client::per_process(client::enable_event("s", "c", client::rule("app:*"))));
    world.must(&client::start("s"));
    let apps = (0..count).map(|_| world.start_application()).collect();
    world.consumer().trouble = Some(Trouble::Nap(Duration::from_secs(1)));
    (world, apps)
}

/// How many of the metadata channels hold what applications registered.
fn described(world: &World) -> usize {
    world.consumers[&ConsumerKind::Ust64].metadata_of(0).matches("\"app:one\"").count()
}

#[test]
fn much_metadata_takes_its_time() {
    const COUNT: usize = 70;
    let limit = Duration::from_secs(500);
    for end in ["exit", "rotate", "destroy", "stop"] {
        let (mut world, apps) = with_much_metadata(COUNT);
        let before = world.age();
        match end {
            "exit" => {
                apps.iter().for_each(|&app| world.kill_application(app));
                let ended = |world: &World| {
                    world.consumers[&ConsumerKind::Ust64]
                        .channels
                        .values()
                        .all(|channel| channel.is_abandoned())
                };
                assert!(world.run_until(limit, ended));
            }
            "rotate" | "destroy" => {
                let request = if end == "rotate" { client::rotate("s") } else { client::destroy("s") };
                let asked = world.send(&request);
                assert!(world.run_until(limit, |world| world.clients[asked.0].ended));
                assert_eq!(world.wait_for(asked).code, ErrorCode::Ok, "{end}");
            }
            _ => {
                world.must(&client::stop("s"));
                while world.must(&client::data_pending("s")).payload != [0] {
                    world.pass(Duration::from_millis(200));
                    assert!(world.age() - before < limit);
                }
            }
        }
        assert_eq!(described(&world), COUNT, "{end}");
        assert!(world.age() - before > Duration::from_secs(60), "{end}: it shows nothing");
        world.consumer().trouble = None;
        if end != "destroy" {
            world.must(&client::destroy("s"));
        }
        world.end_of_everything();
    }
}
