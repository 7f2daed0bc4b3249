// SPDX-License-Identifier: GPL-2.0-only
//! Clients of the notification socket of all kinds: each gets what it asked for and costs nobody else anything.

use std::time::Duration;

use lttng_protocol::client::Domain;
use lttng_protocol::trigger::channel::{ClientMessage, DaemonMessage, Header, Status, Version};
use lttng_protocol::trigger::{Action, Condition, EventRule, RatePolicy, Trigger};
use lttng_sessiond::accounts::{Limit, Limits, Resource};
use lttng_sessiond::turn::facts::Fact;
use lttng_sessiond::turn::ids::TriggerId;
use lttng_sessiond::turn::machine::{Attached, Machine};

use crate::client;
use crate::rotation;
use crate::subscriber::{SubscriberId, handshake, subscribe, unsubscribe, welcome};
use crate::world::{USER, World};

const RECORDED: &[u8] = include_bytes!(
    "../../protocol/tests/vectors/trigger/channel-client-session-with-initial-evaluation.client.bin"
);
const ANSWERED: &[u8] = include_bytes!(
    "../../protocol/tests/vectors/trigger/channel-client-session-with-initial-evaluation.server.bin"
);
const ONGOING: &[u8] =
    include_bytes!("../../protocol/tests/vectors/trigger/notification-session-rotation-ongoing.bin");
const DROPPED: &[u8] = include_bytes!("../../protocol/tests/vectors/trigger/channel-dropped.bin");
/// The trigger that is registered first.
const FIRST: TriggerId = TriggerId(1);
/// What one captured, and how many of those are more than may wait for a client.
const CAPTURED: usize = 4000;
const MANY: usize = 1000;
/// What may wait for a client, and what it may be told beyond that.
const MOST: usize = (1 << 20) + (1 << 10);

fn condition(session: &str) -> Condition {
    Condition::RotationOngoing { session: session.to_owned() }
}

pub fn matches(pattern: &str) -> Condition {
    let pattern = pattern.into();
    let rule = EventRule::UserTracepoint { pattern, filter: None, log_level: None, exclusions: Vec::new() };
    Condition::EventRuleMatches { rule, captures: Vec::new() }
}

pub fn notify() -> Action {
    Action::Notify { rate: RatePolicy::default() }
}

/// A world with a trigger that notifies of events.
fn world() -> World {
    with_trigger(World::new())
}

fn with_trigger(mut world: World) -> World {
    world.must(&client::register(&client::trigger("t", matches("a:*"), notify())));
    world
}

fn memory(world: &mut World, uid: u32) -> u64 {
    world.daemon.state().accounts.usage(uid).of(Resource::Memory)
}

/// Events match, so many at a time.
fn matched(world: &mut World, count: usize) {
    for _ in 0..count {
        world.happens(Fact::Matched(FIRST, vec![7; CAPTURED]));
    }
    world.pump();
}

#[track_caller]
fn notifications(world: &mut World, id: SubscriberId) -> usize {
    let told = world.told(id);
    let notified = told.iter().filter(|message| matches!(message, DaemonMessage::Notification(_))).count();
    assert_eq!(notified, told.len(), "something else than notifications");
    notified
}

fn messages(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut messages) = (bytes, Vec::new());
    while let Some(head) = rest.get(..Header::LEN) {
        let length = Header::decode(head).unwrap().length as usize;
        let (message, after) = rest.split_at(Header::LEN + length);
        messages.push(message);
        rest = after;
    }
    messages
}

/// What stock programs said, and were told: all but the notification of what there is no channel of here.
#[test]
#[cfg_attr(target_endian = "big", ignore = "the byte order of x86-64")]
fn what_was_recorded_is_answered_as_recorded() {
    let expected: Vec<u8> =
        messages(ANSWERED).into_iter().filter(|message| message[0] != 4).flatten().copied().collect();
    for cut in 0..=RECORDED.len() {
        let mut world = World::new();
        let id = world.connect_subscriber(0);
        let (first, second) = RECORDED.split_at(cut);
        world.tell_daemon(id, first);
        if cut % 2 == 0 {
            world.pump();
        }
        world.tell_daemon(id, second);
        world.pump();
        assert_eq!(world.subscribers[id.0].received, expected, "cut at {cut}");
        world.end_of_everything();
    }
}

/// Nobody reads further than one message, but if somebody did, nothing would be left lying.
#[test]
#[cfg_attr(target_endian = "big", ignore = "the byte order of x86-64")]
fn all_that_is_there_is_answered() {
    let mut world = World::new();
    let id = world.connect_subscriber(0);
    world.daemon.received(world.subscribers[id.0].conn, &RECORDED[..RECORDED.len() - 1], Attached::default());
    world.pass(Duration::from_secs(1));
    let statuses = |told: Vec<DaemonMessage>| -> Vec<DaemonMessage> { told.into_iter().skip(2).collect() };
    let expected = [Status::Ok, Status::AlreadySubscribed, Status::Ok].map(DaemonMessage::Reply);
    assert_eq!(statuses(world.told(id)), expected);
    world.daemon.received(world.subscribers[id.0].conn, &RECORDED[RECORDED.len() - 1..], Attached::default());
    world.pass(Duration::from_secs(20));
    assert_eq!(world.told(id), [DaemonMessage::Reply(Status::UnknownCondition)]);
    assert!(!world.subscribers[id.0].ended);
    world.end_of_everything();
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "the byte order of x86-64")]
fn in_disorder() {
    for seed in 1..20 {
        let mut world = World::new();
        world.shuffle(seed);
        let ids: Vec<_> = (0..5).map(|_| world.connect_subscriber(USER)).collect();
        ids.iter().for_each(|id| world.tell_daemon(*id, RECORDED));
        world.pump();
        for id in ids {
            assert_eq!(world.told(id).len(), 6);
        }
        world.end_of_everything();
    }
}

/// A rotation, told of in the bytes of stock programs; who subscribes while it goes on is told before its answer.
#[test]
#[cfg_attr(target_endian = "big", ignore = "the byte order of x86-64")]
fn notifications_are_those_of_the_original() {
    let DaemonMessage::Notification(known) =
        DaemonMessage::decode(&Header::decode(&ONGOING[..Header::LEN]).unwrap(), &ONGOING[Header::LEN..])
            .unwrap()
    else {
        panic!("not a notification")
    };
    let mut world = World::new();
    let Condition::RotationOngoing { session } = &known.trigger.condition else {
        panic!("another condition")
    };
    world.create_session_with_channel(session);
    world.start_application();
    world.must(&client::start(session));
    let request = world.connect(0);
    world.say(world.clients[request.0].conn, &client::register(&known.trigger).bytes());
    world.wait_for(request);
    let before = world.subscribe(0, std::slice::from_ref(&known.trigger.condition));
    let other = world.subscribe(USER, std::slice::from_ref(&known.trigger.condition));
    // The chunk is left, and not archived before its data is written.
    world.helper.trouble = Some(crate::helper::Trouble::Hang(world.helper.requests.len() + 4));
    world.must(&client::rotate(session));
    let after = world.connect_subscriber(0);
    world.tell_daemon(after, &handshake());
    world.tell_daemon(after, &subscribe(&known.trigger.condition));
    world.pump();
    assert_eq!(world.subscribers[before.0].received, ONGOING);
    assert_eq!(world.told(other), [], "the trigger is another user's");
    let answer = DaemonMessage::Reply(Status::Ok).encode();
    let welcome = welcome().map(|message| message.encode()).concat();
    assert_eq!(world.subscribers[after.0].received, [&welcome, ONGOING, &answer].concat());
}

#[test]
fn who_stalls_is_dropped_after_ten_seconds() {
    let mut world = World::new();
    let whole = [handshake(), subscribe(&condition("s")), unsubscribe(&condition("s"))].concat();
    let ends: Vec<usize> = messages(&whole)
        .iter()
        .scan(0, |end, message| {
            *end += message.len();
            Some(*end)
        })
        .collect();
    let ids: Vec<SubscriberId> = (0..=whole.len())
        .map(|length| {
            let id = world.connect_subscriber(USER);
            world.tell_daemon(id, &whole[..length]);
            id
        })
        .collect();
    world.pass(Duration::from_millis(9_900));
    assert!(ids.iter().all(|id| !world.subscribers[id.0].ended));
    world.pass(Duration::from_millis(200));
    for (length, id) in ids.iter().enumerate() {
        assert_eq!(world.subscribers[id.0].ended, !ends.contains(&length), "after {length} bytes");
    }
    // Those that are left are quiet for as long as they like.
    world.pass(Duration::from_secs(100_000));
    for length in ends {
        assert!(!world.subscribers[ids[length].0].ended);
    }
    world.end_of_everything();
}

/// It is the message that has to come in time, not a part of it.
#[test]
fn who_dawdles_is_dropped_all_the_same() {
    for whole in [handshake(), [handshake(), subscribe(&condition("s"))].concat()] {
        let mut world = World::new();
        let id = world.connect_subscriber(USER);
        let dawdled = whole.len() - 10;
        world.tell_daemon(id, &whole[..dawdled]);
        for byte in &whole[dawdled..] {
            world.pass(Duration::from_millis(1_200));
            world.tell_daemon(id, &[*byte]);
        }
        world.pump();
        assert!(world.subscribers[id.0].ended);
        world.end_of_everything();
    }
}

#[test]
fn garbage_is_cut_off() {
    let head = |kind: u8, length: u32, fds: u32| -> Vec<u8> {
        [&[kind][..], &length.to_ne_bytes(), &fds.to_ne_bytes()].concat()
    };
    let mut garbage = vec![
        subscribe(&condition("s")),
        unsubscribe(&condition("s")),
        head(0, 0, 0),
        head(0, 65_537, 0),
        head(0, u32::MAX, 0),
        head(0, 2, u32::MAX),
        head(1, 0, 0),
        DaemonMessage::Reply(Status::Ok).encode(),
        DaemonMessage::NotificationDropped.encode(),
    ];
    garbage.extend([3, 4, 5, 6, 0x7F, 0xFF].map(|kind| head(kind, 2, 0)));
    let greeted: Vec<Vec<u8>> = [
        [head(1, 1, 0), vec![0]].concat(),
        [head(1, 5, 0), vec![0xFF; 5]].concat(),
        [head(2, 4, 0), vec![0; 4]].concat(),
        [&subscribe(&condition("s"))[..5], &[9; 30]].concat(),
        head(1, 70_000, 0),
        vec![0xFF; 100_000],
        client::list_sessions().bytes(),
    ]
    .into_iter()
    .map(|bytes| [handshake(), bytes].concat())
    .collect();
    garbage.extend(greeted);
    let mut world = World::new();
    let quiet = world.subscribe(USER, &[condition("s")]);
    for bytes in garbage {
        let id = world.connect_subscriber(USER);
        world.tell_daemon(id, &bytes);
        world.pump();
        assert!(world.subscribers[id.0].ended, "{:?}", &bytes[..bytes.len().min(40)]);
        world.must(&client::list_sessions());
    }
    assert!(!world.subscribers[quiet.0].ended);
    world.end_of_everything();
}

#[test]
fn what_was_said_before_garbage_is_answered() {
    let mut world = World::new();
    let id = world.connect_subscriber(USER);
    world.tell_daemon(id, &[handshake(), subscribe(&condition("s")), vec![0xFF; 40]].concat());
    world.pump();
    let replies = [Status::Ok, Status::Ok].map(DaemonMessage::Reply);
    let [handshaken, subscribed] = replies;
    assert_eq!(world.told(id), [DaemonMessage::Handshake(Version::CURRENT), handshaken, subscribed]);
    assert!(world.subscribers[id.0].ended);
    world.end_of_everything();
}

/// A wrong version is answered; another handshake may come at any time.
#[test]
fn versions() {
    let mut world = World::new();
    let id = world.connect_subscriber(USER);
    for (major, status) in [(2, Status::UnsupportedVersion), (1, Status::Ok), (1, Status::Ok)] {
        world.tell_daemon(id, &ClientMessage::Handshake(Version { major, minor: 9 }).encode());
        world.pump();
        assert_eq!(
            world.told(id),
            [DaemonMessage::Handshake(Version::CURRENT), DaemonMessage::Reply(status)]
        );
    }
    world.end_of_everything();
}

#[test]
fn a_subscriber_dies_at_any_moment() {
    let whole = [handshake(), subscribe(&matches("a:*")), unsubscribe(&matches("a:*"))].concat();
    for length in 0..=whole.len() {
        for pumped in [false, true] {
            let mut world = world();
            let other = world.subscribe(USER, &[matches("a:*")]);
            let id = world.connect_subscriber(USER);
            world.tell_daemon(id, &whole[..length]);
            if pumped {
                world.pump();
                world.happens(Fact::Matched(FIRST, Vec::new()));
            }
            world.unsubscribe(id);
            matched(&mut world, 2);
            assert_eq!(notifications(&mut world, other), 2 + usize::from(pumped));
            world.end_of_everything();
        }
    }
}

/// Much is told, over time, to somebody who reads it all.
#[test]
fn who_reads_misses_nothing() {
    let mut world = world();
    let id = world.subscribe(USER, &[matches("a:*")]);
    let held = memory(&mut world, USER);
    for _ in 0..MANY {
        matched(&mut world, 1);
        assert_eq!(notifications(&mut world, id), 1);
    }
    assert_eq!(memory(&mut world, USER), held);
    world.end_of_everything();
}

#[test]
fn who_does_not_read_costs_only_itself() {
    let mut world = world();
    let [id, other] = [0; 2].map(|_| world.subscribe(USER, &[matches("a:*")]));
    let held = memory(&mut world, USER);
    for episode in 0..2 {
        world.subscribers[id.0].reads = false;
        for _ in 0..MANY {
            matched(&mut world, 1);
        }
        assert_eq!(notifications(&mut world, other), MANY, "in episode {episode}");
        let unsent = world.unsent(id);
        assert!((MOST / 2..MOST).contains(&unsent), "{unsent} bytes wait");
        assert!(memory(&mut world, USER) >= held + u64::try_from(unsent).unwrap() - 9);
        world.read_again(id);
        let told = world.told(id);
        let (last, before) = told.split_last().unwrap();
        assert_eq!(last.encode(), DROPPED);
        assert!(before.iter().all(|message| matches!(message, DaemonMessage::Notification(_))));
        assert_eq!(memory(&mut world, USER), held);
        matched(&mut world, 1);
        assert_eq!(notifications(&mut world, id), 1, "it is told again");
        world.told(other);
    }
    world.end_of_everything();
}

/// All of its user's memory is in use: it misses something, is told so, and goes on later.
#[test]
fn who_has_no_memory_left_is_told_what_it_misses() {
    let memory = Limit { user: 200_000, all: 300_000 };
    let limits = Limits::for_applications(100, 100).with(Resource::Memory, memory);
    let mut world = with_trigger(World::with_limits(limits));
    let id = world.subscribe(USER, &[matches("a:*")]);
    world.subscribers[id.0].reads = false;
    matched(&mut world, 100);
    assert!(world.unsent(id) <= 200_000);
    world.read_again(id);
    assert_eq!(world.told(id).last(), Some(&DaemonMessage::NotificationDropped));
    matched(&mut world, 1);
    assert_eq!(notifications(&mut world, id), 1);
    world.end_of_everything();
}

/// It asks on and on and takes no answer.
#[test]
fn who_asks_and_does_not_read_is_not_heard_any_more() {
    let mut world = World::new();
    let id = world.subscribe(USER, &[]);
    world.subscribers[id.0].reads = false;
    for _ in 0..100 {
        world.tell_daemon(id, &handshake().repeat(1000));
        world.pump();
    }
    assert!(world.unsent(id) < MOST, "{} bytes wait", world.unsent(id));
    world.must(&client::list_sessions());
    world.read_again(id);
    assert_eq!(world.told(id).len(), 2 * 100 * 1000, "nothing is lost");
    world.end_of_everything();
}

#[test]
fn connections_are_limited_and_the_silent_make_room() {
    let limit = Limit { user: 5, all: 9 };
    let limits = Limits::for_applications(100, 100).with(Resource::Connections, limit);
    let mut world = World::with_limits(limits);
    let silent = [0; 5].map(|_| world.connect_subscriber(USER));
    world.pump();
    let greeted = [0; 5].map(|_| world.subscribe(USER, &[condition("s")]));
    assert!(silent.iter().all(|id| world.subscribers[id.0].ended));
    let refused = world.connect_subscriber(USER);
    world.pump();
    assert!(world.subscribers[refused.0].ended);
    assert!(greeted.iter().all(|id| !world.subscribers[id.0].ended));
    let other = world.subscribe(USER + 1, &[condition("s")]);
    world.unsubscribe(greeted[0]);
    world.pump();
    world.subscribe(USER, &[condition("s")]);
    assert!(!world.subscribers[other.0].ended);
    world.end_of_everything();
}

#[test]
fn subscriptions_are_charged_and_given_back() {
    let memory_limit = Limit { user: 1_000_000, all: 2_000_000 };
    let limits = Limits::for_applications(100, 100).with(Resource::Memory, memory_limit);
    let mut world = with_trigger(World::with_limits(limits));
    let id = world.subscribe(USER, &[]);
    let before = memory(&mut world, USER);
    let mut taken = 0;
    loop {
        world.tell_daemon(id, &subscribe(&condition(&format!("session-{taken}"))));
        world.pump();
        match world.told(id).as_slice() {
            [DaemonMessage::Reply(Status::Ok)] => taken += 1,
            [DaemonMessage::Reply(Status::Error)] => break,
            other => panic!("{other:?}"),
        }
    }
    assert!((1000..10_000).contains(&taken), "{taken}");
    world.subscribe(USER + 1, &[condition("s")]);
    for number in 0..taken {
        world.tell_daemon(id, &unsubscribe(&condition(&format!("session-{number}"))));
    }
    world.pump();
    assert_eq!(world.told(id), vec![DaemonMessage::Reply(Status::Ok); taken]);
    assert_eq!(memory(&mut world, USER), before);
    world.tell_daemon(id, &subscribe(&matches("a:*")));
    world.pump();
    world.told(id);
    matched(&mut world, 1);
    assert_eq!(notifications(&mut world, id), 1);
    world.end_of_everything();
}

/// Descriptors come with conditions that nobody here can meet.
#[test]
fn conditions_with_a_descriptor() {
    use lttng_protocol::client::ProbeLocation;
    use lttng_protocol::trigger::UserspaceLocation;
    let mut world = World::new();
    let place = ProbeLocation::Function { function: "f".to_owned(), binary: "/b".to_owned(), elf: true };
    let location = UserspaceLocation { place, binary: None };
    let rule = EventRule::KernelUprobe { name: "u".into(), location };
    assert_eq!(rule.domain(), Domain::Kernel);
    let condition = Condition::EventRuleMatches { rule, captures: Vec::new() };
    let [whole, without] = [0; 2].map(|_| world.subscribe(USER, &[]));
    for id in [whole, without] {
        world.tell_daemon(id, &subscribe(&condition));
    }
    world.hand_in(world.subscribers[whole.0].conn, vec![std::fs::File::open("/dev/null").unwrap().into()]);
    world.tell_daemon(whole, &unsubscribe(&matches("a:*")));
    world.pump();
    let expected = [Status::Ok, Status::UnknownCondition].map(DaemonMessage::Reply);
    assert_eq!(world.told(whole), expected);
    world.pass(Duration::from_secs(11));
    assert!(world.subscribers[without.0].ended, "its descriptor never came");
    world.end_of_everything();
}

/// The daemon ends while somebody listens and somebody else does not read.
#[test]
fn the_daemon_ends() {
    let mut world = world();
    let ids = [0; 3].map(|_| world.subscribe(USER, &[matches("a:*")]));
    world.subscribers[ids[1].0].reads = false;
    matched(&mut world, 3);
    world.daemon.end();
    assert!(world.run_until(Duration::from_secs(60), |world| world.exited));
    assert!(ids.iter().all(|id| world.subscribers[id.0].ended));
}

/// A rotation is told of to those who may know, whoever else listens.
#[test]
fn who_is_told_of_a_rotation() {
    let mut world = rotation::recording();
    let begun = condition(rotation::SESSION);
    let theirs = Trigger { owner: USER + 1, ..client::trigger("theirs", begun.clone(), notify()) };
    world.must(&client::register(&client::trigger("mine", begun.clone(), notify())));
    let say_theirs = |world: &mut World, request: client::Request| {
        let client = world.connect(USER + 1);
        world.say(world.clients[client.0].conn, &request.bytes());
        world.wait_for(client);
    };
    say_theirs(&mut world, client::register(&theirs));
    let listeners = [USER, USER + 1, 0].map(|uid| world.subscribe(uid, std::slice::from_ref(&begun)));
    world.must(&client::rotate(rotation::SESSION));
    let told = listeners.map(|id| notifications(&mut world, id));
    assert_eq!(told, [1, 0, 2], "root is told of everybody's triggers");
    world.pass(Duration::from_secs(5));
    say_theirs(&mut world, client::unregister(&theirs));
    rotation::goes_on(world);
}
