// SPDX-License-Identifier: GPL-2.0-only
//! A helper that fails: folders can't be made, the rest goes on.

use std::time::Duration;

use lttng_protocol::client::ErrorCode;

use crate::client;
use crate::helper::Trouble;
use crate::life::{self, at_every_step};
use crate::script;
use crate::world::World;
use lttng_sessiond::turn::machine::Machine;

/// Runs the script. Returns how many requests the helper got.
fn live_with(trouble: Trouble) -> usize {
    let mut world = World::new();
    world.helper.trouble = Some(trouble);
    let app = world.start_application();
    let mut started = true;
    script::run(&mut world, |world, name, code| {
        match name {
            "start" | "start again" => {
                assert!(matches!(code, ErrorCode::Ok | ErrorCode::CreateDirFail), "{trouble:?}: {code:?}");
                started = code == ErrorCode::Ok;
            }
            "stop" if !started => assert_eq!(code, ErrorCode::TraceAlreadyStopped),
            _ => assert_eq!(code, ErrorCode::Ok, "{trouble:?}: {name}"),
        }
        assert_eq!(world.ask(&client::list_sessions()), ErrorCode::Ok);
    });
    assert_eq!(world.apps[app].objects(), 0);
    let requests = world.helper.requests.len();
    life::end(&mut world, matches!(trouble, Trouble::Hang(_)));
    requests
}

#[test]
fn any_request_is_refused() {
    at_every_step(2, |at| live_with(Trouble::Refuse(at, libc::EACCES)));
}

#[test]
fn the_helper_dies_at_any_request() {
    at_every_step(2, |at| live_with(Trouble::Die(at)));
}

/// What it owed is asked of the next one, and nobody notices.
#[test]
fn the_helper_dies_once_at_any_request() {
    at_every_step(2, |at| {
        let mut world = World::new();
        world.helper.trouble = Some(Trouble::DieOnce(at));
        world.start_application();
        script::run_well(&mut world, |world, _| world.check_applications());
        assert_eq!(world.helper.starts, if world.helper.requests.len() >= at { 2 } else { 1 });
        let requests = world.helper.requests.len();
        world.end_of_everything();
        requests
    });
}

/// Its end is noticed by its connection or, if that is held open by a process of its own, by its process.
#[test]
fn the_helper_is_killed_again_and_again() {
    let mut world = World::new();
    world.start_application();
    for turn in 0..20 {
        world.kill_helper(turn % 2 == 0);
        world.pump();
        world.create_session("s");
        world.must(&client::start("s"));
        world.kill_helper(turn % 2 == 1);
        world.must(&client::rotate("s"));
        world.must(&client::stop("s"));
        world.must(&client::destroy("s"));
    }
    assert_eq!(world.helper.starts, 41);
    world.end_of_everything();
}

/// At whatever point of a session's end it is killed: the session ends well, and so does the life of the next one, for
/// applications that were there before and for those that come later.
#[test]
fn the_helper_is_killed_at_any_point_of_a_destroy() {
    let (mut first, mut last) = (false, false);
    let points = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512].into_iter();
    for (time, turns, outlived) in
        points.flat_map(|time| (0..20).flat_map(move |turns| [(time, turns, false), (time, turns, true)]))
    {
        let mut world = World::new();
        let before = world.start_application();
        world.create_session("s");
        world.must(&client::start("s"));
        world.must(&client::rotate("s"));
        let destroyed = world.send(&client::destroy("s"));
        world.turns(turns);
        // What is asked again and again is asked after some milliseconds.
        world.pass(Duration::from_millis(time));
        let over = world.clients[destroyed.0].ended;
        (first, last) = (first | !over, last | over);
        world.kill_helper(outlived);
        assert_eq!(world.wait_for(destroyed).code, ErrorCode::Ok);
        world.create_session("next");
        world.must(&client::start("next"));
        let after = world.start_application();
        assert!(world.apps[before].records() && world.apps[after].records(), "{time} ms, {turns} turns");
        world.must(&client::destroy("next"));
        world.end_of_everything();
    }
    assert!(first && last, "killed before the end and after it");
}

#[test]
fn a_helper_that_is_killed_while_it_works() {
    for outlived in [false, true] {
        let mut world = World::new();
        world.start_application();
        world.create_session("s");
        world.helper.trouble = Some(Trouble::Hang(1));
        let start = world.send(&client::start("s"));
        world.pump();
        assert!(!world.clients[start.0].ended);
        world.kill_helper(outlived);
        assert_eq!(world.wait_for(start).code, ErrorCode::Ok);
        // Its end is told once more, and its number may be another process's by then.
        world.daemon.child_ended(6001);
        world.must(&client::destroy("s"));
        assert_eq!(world.helper.starts, 2);
        world.end_of_everything();
    }
}

#[test]
fn a_helper_that_dies_at_once_is_not_started_without_end() {
    for trouble in [Trouble::Die(1), Trouble::NoFork] {
        let mut world = World::new();
        world.helper.trouble = Some(trouble);
        world.kill_helper(false);
        world.pump();
        world.create_session("s");
        for _ in 0..20 {
            assert_eq!(world.ask(&client::start("s")), ErrorCode::CreateDirFail, "{trouble:?}");
        }
        assert!(world.helper.starts <= 6, "{trouble:?}: {} starts", world.helper.starts);
        world.helper.trouble = None;
        world.pass(Duration::from_secs(10));
        world.must(&client::start("s"));
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

#[test]
fn the_helper_is_not_started_for_a_daemon_that_ends() {
    let mut world = World::new();
    world.helper.trouble = Some(Trouble::Hang(1));
    world.create_session("s");
    world.send(&client::start("s"));
    world.pump();
    world.daemon.end();
    world.pass(Duration::from_secs(16));
    world.kill_helper(false);
    world.pass(Duration::from_secs(16));
    assert_eq!((world.exited, world.helper.starts), (true, 1));
}

#[test]
fn the_helper_never_answers_some_request() {
    at_every_step(2, |at| live_with(Trouble::Hang(at)));
}

#[test]
fn a_folder_that_cant_be_made_fails_the_start_and_only_that() {
    let mut world = World::new();
    world.helper.trouble = Some(Trouble::Refuse(1, libc::EACCES));
    let app = world.start_application();
    world.create_session("s");
    assert_eq!(world.ask(&client::start("s")), ErrorCode::CreateDirFail);
    assert!(!world.apps[app].records());
    // The next attempt is made anew.
    world.must(&client::start("s"));
    assert!(world.apps[app].records());
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn answers_that_nobody_waits_for() {
    use lttng_sessiond::helper::Response;
    let mut world = World::new();
    let helper = world.helper.conn;
    for id in [0, 1, u64::MAX] {
        world.say(helper, &Response { id, error: None, address: None, offsets: Vec::new() }.encode());
        world.pump();
    }
    world.say(helper, &[0xEE; 30]);
    script::run_well(&mut world, |_, _| ());
    world.end_of_everything();
}
