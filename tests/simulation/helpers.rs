// SPDX-License-Identifier: GPL-2.0-only
//! A helper that fails: folders can't be made, the rest goes on.

use lttng_protocol::client::ErrorCode;

use crate::client;
use crate::helper::Trouble;
use crate::life::{self, at_every_step};
use crate::script;
use crate::world::World;

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
        world.say(helper, &Response { id, error: None, address: None }.encode());
        world.pump();
    }
    world.say(helper, &[0xEE; 30]);
    script::run_well(&mut world, |_, _| ());
    world.end_of_everything();
}
