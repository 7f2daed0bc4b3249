// SPDX-License-Identifier: GPL-2.0-only
//! Buffers that can't be had, wholly or in part: whoever asked is told at once, and the next command tries again. While
//! the session records, what is missing is asked for by itself, too.

use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::{ChannelKind, UstRequest};
use lttng_protocol::ust::command::code;
use lttng_sessiond::helper::PathJob;
use lttng_sessiond::turn::ids::ConsumerKind;

use crate::application::{Fault, What};
use crate::client;
use crate::consumer::Kind;
use crate::helper;
use crate::wire::Peer;
use crate::world::{USER, World};

const SESSION: &str = "s";

fn asks_for(request: &UstRequest, kind: ChannelKind) -> bool {
    matches!(request, UstRequest::AskChannelCreation(ask) if ask.kind == kind)
}

const DATA: Kind = |request| asks_for(request, ChannelKind::Data);
const METADATA: Kind = |request| asks_for(request, ChannelKind::Metadata);

/// A session with two channels, not started.
fn with_two_channels(world: &mut World, per_process: bool) {
    let scheme = |request| if per_process { client::per_process(request) } else { request };
    world.must(&client::create(SESSION));
    for channel in ["one", "two"] {
        world.must(&scheme(client::enable_channel(SESSION, channel)));
        world.must(&scheme(client::enable_event(SESSION, channel, client::rule("app:*"))));
    }
}

/// How many channels an application records to.
fn recorded_channels(world: &World, app: usize) -> usize {
    let holdings = world.apps[app].holdings();
    holdings.values().filter(|held| held.recording).map(|held| held.channels.len()).sum()
}

/// How often metadata channels were asked for.
fn metadata_asked(world: &World) -> usize {
    world.consumers[&ConsumerKind::Ust64].requests.iter().filter(|request| METADATA(request)).count()
}

#[test]
fn a_folder_that_cant_be_made_is_told_at_once() {
    // At once, or when the applications have answered long ago.
    for delay in [Duration::ZERO, Duration::from_millis(300)] {
        for per_process in [false, true] {
            let mut world = World::new();
            let app = world.start_application();
            with_two_channels(&mut world, per_process);
            // The second is for the application.
            world.helper.trouble = Some(helper::Trouble::RefuseLate(2, libc::EACCES, delay));
            let before = world.age();
            assert_eq!(world.ask(&client::start(SESSION)), ErrorCode::CreateDirFail);
            assert_eq!(world.age() - before, delay);
            assert_eq!(recorded_channels(&world, app), 0);
            world.must(&client::start(SESSION));
            assert_eq!(recorded_channels(&world, app), 2);
            world.must(&client::destroy(SESSION));
            world.check_applications();
            world.end_of_everything();
        }
    }
}

#[test]
fn a_channel_that_is_refused_fails_the_start_and_only_that() {
    let handover: Kind = |request| matches!(request, UstRequest::GetChannel { .. });
    for kind in [DATA, handover] {
        for per_process in [false, true] {
            let mut world = World::new();
            let app = world.start_application();
            with_two_channels(&mut world, per_process);
            world.consumer().refuse_next = Some((kind, 114));
            let before = world.age();
            assert_eq!(world.ask(&client::start(SESSION)), ErrorCode::Unk);
            assert!(!world.apps[app].records());
            world.must(&client::start(SESSION));
            assert_eq!(recorded_channels(&world, app), 2, "per process: {per_process}");
            assert!(world.age() - before < Duration::from_secs(1));
            world.must(&client::stop(SESSION));
            world.must(&client::start(SESSION));
            assert_eq!(recorded_channels(&world, app), 2);
            world.must(&client::destroy(SESSION));
            world.check_applications();
            world.end_of_everything();
        }
    }
}

/// Applications of one user do not fail because buffers of another one can't be had any more: that user has none left.
#[test]
fn buffers_that_nobody_needs_any_more_fail_no_start() {
    let mut world = World::new();
    world.start_application();
    with_two_channels(&mut world, false);
    world.must(&client::start(SESSION));
    world.consumer().refuse_next = Some((DATA, 114));
    let other = world.launch_as(USER + 1, 64);
    world.pump();
    assert_eq!(recorded_channels(&world, other), 1);
    world.must(&client::stop(SESSION));
    world.kill_application(other);
    world.consumer().refuse_next = Some((DATA, 114));
    world.must(&client::start(SESSION));
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

/// There is no client to be told of it; what could be had is recorded, and the rest when the session goes on.
#[test]
fn what_a_later_application_could_not_have_it_gets_when_the_session_goes_on() {
    for command in [client::rotate(SESSION), client::clear(SESSION)] {
        let mut world = World::new();
        world.start_application();
        with_two_channels(&mut world, false);
        world.must(&client::start(SESSION));
        world.consumer().refuse_next = Some((DATA, 114));
        let late = world.launch_as(USER + 1, 64);
        world.pump();
        assert!(world.apps[late].released);
        assert_eq!(recorded_channels(&world, late), 1);
        let before = world.age();
        world.must(&command);
        assert!(world.age() - before < Duration::from_secs(1));
        world.pump();
        assert_eq!(recorded_channels(&world, late), 2);
        world.must(&client::destroy(SESSION));
        world.check_applications();
        world.end_of_everything();
    }
}

/// How often data channels were asked for.
fn data_asked(world: &World) -> usize {
    world.consumers[&ConsumerKind::Ust64].requests.iter().filter(|request| DATA(request)).count()
}

#[test]
fn what_is_missing_is_asked_for_less_and_less_often_until_it_is_there() {
    for per_process in [false, true] {
        let mut world = World::new();
        world.start_application();
        with_two_channels(&mut world, per_process);
        world.must(&client::start(SESSION));
        world.consumer().refuse_all = Some((DATA, 114));
        let late = world.launch_as(USER + 1, 64);
        world.pump();
        assert!(world.apps[late].released);
        let asked = data_asked(&world);
        world.pass(Duration::from_secs(2));
        assert_eq!(data_asked(&world) - asked, 2, "two channels, after a second");
        world.pass(Duration::from_secs(600));
        let asked = (data_asked(&world) - asked) / 2;
        assert!((10..20).contains(&asked), "{asked} times in ten minutes");
        // It is nobody's fault who asks for something else meanwhile.
        world.must(&client::enable_event(SESSION, "one", client::rule("more:*")));
        world.consumer().refuse_all = None;
        world.pass(Duration::from_secs(61));
        assert_eq!(recorded_channels(&world, late), 2);
        assert_eq!(recorded_channels(&world, 0), 2);
        // Nothing is missing: nothing is asked.
        let asked = world.consumer().requests.len();
        world.pass(Duration::from_secs(600));
        assert!(!world.consumer().requests[asked..].iter().any(DATA));
        world.must(&client::rotate(SESSION));
        world.must(&client::destroy(SESSION));
        world.check_applications();
        world.end_of_everything();
    }
}

/// One of two channels, or a folder, or the room for descriptors of ours.
#[test]
fn what_is_missing_in_part_comes_by_itself() {
    let refuse_channel = |world: &mut World| world.consumer().refuse_next = Some((DATA, 114));
    let refuse_folder = |world: &mut World| {
        let next = world.helper.requests.len() + 1;
        world.helper.trouble = Some(helper::Trouble::Refuse(next, libc::ENOSPC));
    };
    let fill = |world: &mut World| world.is_full = |peer, _| !matches!(peer, Peer::Helper);
    for (number, spoil) in [refuse_channel, refuse_folder, fill].into_iter().enumerate() {
        let mut world = World::new();
        world.start_application();
        with_two_channels(&mut world, false);
        world.must(&client::start(SESSION));
        spoil(&mut world);
        let late = world.launch_as(USER + 1, 64);
        world.pump();
        assert!(world.apps[late].released && recorded_channels(&world, late) < 2, "{number}");
        world.is_full = |_, _| false;
        world.pass(Duration::from_secs(2));
        assert_eq!(recorded_channels(&world, late), 2, "{number}");
        world.must(&client::destroy(SESSION));
        world.check_applications();
        world.end_of_everything();
    }
}

/// What is there is kept when what is missing can't be had again.
#[test]
fn a_vain_attempt_costs_nothing() {
    let mut world = World::new();
    world.start_application();
    with_two_channels(&mut world, false);
    world.must(&client::start(SESSION));
    world.consumer().refuse_next = Some((DATA, 114));
    let late = world.launch_as(USER + 1, 64);
    world.pump();
    let next = world.helper.requests.len() + 1;
    world.helper.trouble = Some(helper::Trouble::Refuse(next, libc::ENOSPC));
    world.pass(Duration::from_millis(1500));
    assert_eq!(world.helper.requests.len(), next, "the attempt");
    assert_eq!(recorded_channels(&world, late), 1);
    world.pass(Duration::from_secs(3));
    assert_eq!(recorded_channels(&world, late), 2);
    world.must(&client::destroy(SESSION));
    world.check_applications();
    world.end_of_everything();
}

/// A session that is not active has time until it is.
#[test]
fn nothing_is_asked_for_a_session_that_stands_still() {
    for per_process in [false, true] {
        let mut world = World::new();
        world.start_application();
        with_two_channels(&mut world, per_process);
        world.consumer().refuse_all = Some((DATA, 114));
        assert_eq!(world.ask(&client::start(SESSION)), ErrorCode::Unk);
        let asked = data_asked(&world);
        world.pass(Duration::from_secs(600));
        assert_eq!(data_asked(&world), asked);
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

#[test]
fn a_command_whose_buffers_fail_is_told_once() {
    let mut world = World::new();
    world.start_application();
    let other = world.launch_as(USER + 1, 64);
    with_two_channels(&mut world, false);
    let [policy, user] = client::track(SESSION, USER);
    world.must(&policy);
    world.must(&user);
    world.must(&client::start(SESSION));
    assert!(!world.apps[other].records());
    world.consumer().refuse_next = Some((DATA, 114));
    let [_, other_user] = client::track(SESSION, USER + 1);
    assert_eq!(world.ask(&other_user), ErrorCode::Unk);
    assert!(world.apps[other].records());
    world.must(&client::enable_event(SESSION, "one", client::rule("more:*")));
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn a_metadata_channel_that_is_refused_is_asked_for_again() {
    let set_up: Kind = |request| matches!(request, UstRequest::SetupMetadata { .. });
    for kind in [METADATA, set_up] {
        let mut world = World::new();
        world.start_application();
        with_two_channels(&mut world, false);
        world.must(&client::start(SESSION));
        world.consumer().refuse_next = Some((kind, 118));
        world.pass(Duration::from_secs(1));
        assert_eq!(metadata_asked(&world), 1);
        world.pass(Duration::from_secs(2));
        assert_eq!(metadata_asked(&world), 2);
        assert!(world.consumer().metadata_of(0).contains("app:one"));
        world.pass(Duration::from_secs(100));
        assert_eq!(metadata_asked(&world), 2);
        world.must(&client::rotate(SESSION));
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

/// It is asked for less and less often, and at once by each command that needs it.
#[test]
fn without_metadata_nothing_is_archived_in_silence() {
    let mut world = World::new();
    world.start_application();
    with_two_channels(&mut world, false);
    world.must(&client::start(SESSION));
    world.consumer().refuse_all = Some((METADATA, 118));
    world.pass(Duration::from_secs(600));
    let asked = metadata_asked(&world);
    assert!((5..20).contains(&asked), "{asked} times in ten minutes");
    assert_eq!(world.ask(&client::rotate(SESSION)), ErrorCode::RotationFailConsumer);
    assert!(metadata_asked(&world) > asked);
    world.must(&client::clear(SESSION));
    world.consumer().refuse_all = None;
    world.must(&client::rotate(SESSION));
    assert!(world.consumer().metadata_of(0).contains("app:one"));
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn a_snapshot_asks_for_the_metadata_channel_again() {
    let mut world = World::new();
    world.must(&client::create_for_snapshots(SESSION));
    world.must(&client::enable_channel(SESSION, "c"));
    world.must(&client::enable_event(SESSION, "c", client::rule("app:*")));
    world.must(&client::start(SESSION));
    world.consumer().refuse_all = Some((METADATA, 118));
    world.start_application();
    assert_eq!(world.ask(&client::record_snapshot(SESSION, client::output())), ErrorCode::SnapshotFail);
    world.consumer().refuse_all = None;
    world.must(&client::record_snapshot(SESSION, client::output()));
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn a_chunk_that_was_removed_is_not_archived_in_silence() {
    let mut world = World::new();
    world.start_application();
    with_two_channels(&mut world, false);
    world.must(&client::start(SESSION));
    world.pass(Duration::from_secs(1));
    world.helper.trouble = Some(helper::Trouble::Refuse(world.helper.requests.len() + 1, libc::ENOENT));
    assert_eq!(world.ask(&client::rotate(SESSION)), ErrorCode::CreateDirFail);
    let moved = |world: &World| {
        let jobs = world.helper.requests.iter().map(|request| &request.job);
        jobs.filter(|job| matches!(job, PathJob::MoveChunk { .. })).count()
    };
    assert_eq!(moved(&world), 0);
    // It goes on in a folder that is there.
    assert!(world.apps[0].records());
    world.must(&client::rotate(SESSION));
    world.pass(Duration::from_secs(1));
    assert_eq!(moved(&world), 1);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

/// What an application refused is asked for once more when the session is started again.
#[test]
fn refusals_end_with_the_next_start() {
    for at in [3, 3 + 1 + 1 + 2, 3 + 1 + 1 + 2 + 1 + 1] {
        let mut world = World::new();
        let app = world.start_application();
        world.create_session("s");
        world.apps[app].fault = Some(Fault { at, what: What::Refuse(code::ERR) });
        world.must(&client::start("s"));
        let whole = |world: &World| {
            let holdings = world.apps[app].holdings();
            let channels =
                holdings.values().filter(|held| held.recording).flat_map(|held| held.channels.values());
            channels.map(|(_, rules)| rules.len()).sum::<usize>() == 1
        };
        assert!(!whole(&world), "step {at} changes nothing");
        world.must(&client::stop("s"));
        world.must(&client::start("s"));
        assert!(whole(&world), "step {at}");
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}
