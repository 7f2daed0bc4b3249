// SPDX-License-Identifier: GPL-2.0-only
//! Less shared memory than a session's buffers need: it is told before applications are asked, and where buffers are refused.

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::{ChannelKind, UstRequest};
use lttng_sessiond::helper::{PathJob, Request};
use lttng_sessiond::sys::shared_memory::Space;

use crate::client;
use crate::consumer::Kind;
use crate::helper;
use crate::world::{SPACE, USER, World};

const SESSION: &str = "s";
const DATA: Kind =
    |request| matches!(request, UstRequest::AskChannelCreation(ask) if ask.kind == ChannelKind::Data);

/// There is so much room from now on, of 64 KiB.
fn leave(free: u64) {
    SPACE.set(Some(Space { free, total: 64 << 10 }));
}

/// What was said of shared memory.
fn told(world: &mut World) -> Vec<String> {
    let messages = world.daemon.state().turn.messages().kept();
    let texts = messages.map(|message| message.text.clone());
    texts.filter(|text| text.contains("of shared memory")).collect()
}

#[test]
fn a_start_that_needs_more_memory_than_there_is_is_warned_of_and_goes_on() {
    let mut world = World::new();
    leave(60 << 10);
    world.start_application();
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    let said = told(&mut world);
    let [text] = said.as_slice() else { panic!("{said:?}") };
    for part in [
        "The start of session \"s\" will take up to ",
        "\"c\" 4 x 4 KiB",
        "3 CPUs and 1 user",
        "60.0 KiB left",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // What is there needs no more.
    world.must(&client::stop(SESSION));
    leave(0);
    world.must(&client::start(SESSION));
    assert_eq!(told(&mut world).len(), 1);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn a_start_with_enough_memory_or_without_applications_is_not_warned_of() {
    let mut world = World::new();
    leave(0);
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    world.must(&client::destroy(SESSION));
    leave(1 << 20);
    world.start_application();
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    assert_eq!(told(&mut world), [""; 0]);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn buffers_that_are_refused_for_want_of_memory_are_told_with_both_numbers() {
    let mut world = World::new();
    leave(1 << 20);
    world.create_session_with_channel(SESSION);
    world.must(&client::start(SESSION));
    leave(4 << 10);
    world.consumer().refuse_all = Some((DATA, 118));
    world.launch();
    world.pass(std::time::Duration::from_millis(500));
    let said = told(&mut world);
    let [text] = said.as_slice() else { panic!("{said:?}") };
    assert!(text.contains("/dev/shm has 4.0 KiB left of 64.0 KiB"), "{text}");
    // A refusal with enough memory has other reasons.
    world.must(&client::stop(SESSION));
    leave(1 << 20);
    assert_ne!(world.ask(&client::start(SESSION)), ErrorCode::Ok);
    assert_eq!(told(&mut world).len(), 1);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn the_room_of_a_folder_of_ones_own_is_asked_of_the_helper() {
    for trouble in [false, true] {
        let mut world = World::new();
        leave(0);
        world.start_application();
        world.create_session_with_channel(SESSION);
        world.must(&client::set_shm_path(SESSION, "/buffers"));
        world.helper.space = [8 << 10, 1 << 20];
        if trouble {
            let next = world.helper.requests.len() + 2;
            world.helper.trouble = Some(helper::Trouble::Refuse(next, libc::EIO));
        }
        world.must(&client::start(SESSION));
        let asked = |request: &&Request| matches!(&request.job, PathJob::FreeSpace { .. });
        let asked: Vec<&Request> = world.helper.requests.iter().filter(asked).collect();
        let [request] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!((request.job.path().to_str(), request.uid), (Some("/buffers"), USER));
        let said = told(&mut world);
        assert_eq!(said.len(), usize::from(!trouble), "{said:?}");
        assert!(said.iter().all(|text| text.contains("/buffers has 8.0 KiB left of 1.0 MiB")), "{said:?}");
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}
