// SPDX-License-Identifier: GPL-2.0-only
//! Saving sessions when the helper fails, and while sessions are busy.

use std::path::Path;
use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_sessiond::helper::PathJob;

use crate::client;
use crate::helper::Trouble;
use crate::world::World;

/// The names of the files that the helper was asked to save, in order.
fn names(world: &World) -> Vec<String> {
    let saved = world.helper.saved.iter();
    saved.map(|(path, _)| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// Three sessions, of which the third is the newest.
fn sessions() -> World {
    let mut world = World::new();
    ["one", "two", "three"].iter().for_each(|name| world.create_session(name));
    world
}

fn end(mut world: World) {
    for name in ["one", "two", "three"] {
        let code = world.ask(&client::destroy(name));
        assert!(matches!(code, ErrorCode::Ok | ErrorCode::SessNotFound), "{name}: {code:?}");
    }
    world.end_of_everything();
}

#[test]
fn all_sessions_are_saved_newest_first() {
    let mut world = sessions();
    world.must(&client::save(None, false));
    assert_eq!(names(&world), ["three", "two", "one"]);
    for (path, text) in &world.helper.saved {
        assert_eq!(path.parent(), Some(Path::new("/saved")));
        let name = path.file_stem().unwrap().to_string_lossy();
        assert!(text.contains(&format!("<name>{name}</name>")) && text.contains("<name>app:*</name>"));
    }
    assert_eq!(world.ask(&client::save(Some("nothing"), false)), ErrorCode::SessNotFound);
    world.must(&client::save(Some("two"), true));
    let jobs: Vec<&PathJob> = world.helper.requests.iter().map(|request| &request.job).collect();
    assert_eq!(jobs.len(), 8);
    let is_folder = |job: &PathJob| *job == PathJob::MakeDirectories { path: "/saved".into(), mode: 0o770 };
    assert!(jobs.iter().step_by(2).all(|job| is_folder(job)));
    let (path, mode) = ("/saved/two.lttng".into(), 0o660);
    assert_eq!(*jobs[7], PathJob::SaveFile { path, mode, overwrite: true });
    end(world);
}

#[test]
fn what_the_helper_says_becomes_a_code_and_ends_the_saving() {
    for (at, errno, code) in [
        (1, libc::EACCES, ErrorCode::SetUrl),
        (2, libc::EEXIST, ErrorCode::SaveFileExist),
        (2, libc::EACCES, ErrorCode::Eperm),
        (2, libc::ENOSPC, ErrorCode::SaveIoFail),
        (3, libc::ENOTDIR, ErrorCode::SetUrl),
        (4, libc::EISDIR, ErrorCode::SaveIoFail),
    ] {
        let mut world = sessions();
        world.helper.trouble = Some(Trouble::Refuse(at, errno));
        assert_eq!(world.ask(&client::save(None, false)), code, "{at}: {errno}");
        assert_eq!(world.helper.requests.len(), at);
        // Nothing of it lasts.
        world.must(&client::save(None, true));
        end(world);
    }
}

/// A file that must not exist is not written twice: the second time, the first would be in the way.
#[test]
fn a_helper_that_dies() {
    for (at, overwrite, code) in [
        (1, false, ErrorCode::Ok),
        (2, true, ErrorCode::Ok),
        (2, false, ErrorCode::SaveIoFail),
        (6, true, ErrorCode::Ok),
    ] {
        let mut world = sessions();
        world.helper.trouble = Some(Trouble::DieOnce(at));
        assert_eq!(world.ask(&client::save(None, overwrite)), code, "{at}");
        world.must(&client::save(Some("one"), true));
        assert_eq!(world.helper.starts, 2);
        end(world);
    }
}

#[test]
fn a_helper_that_never_answers() {
    let mut world = sessions();
    world.helper.trouble = Some(Trouble::Hang(2));
    let save = world.send(&client::save(None, false));
    world.pump();
    // Nobody else waits, not even for the session that is being saved.
    world.must(&client::start("three"));
    world.must(&client::destroy("three"));
    assert!(!world.clients[save.0].ended);
    assert_eq!(world.wait_for(save).code, ErrorCode::SaveIoFail);
    world.helper.trouble = None;
    world.must(&client::save(None, false));
    assert_eq!(names(&world), ["three", "two", "one"]);
}

/// A busy session is saved when it is not busy any more, and one that was destroyed meanwhile is left out.
#[test]
fn busy_sessions_are_waited_for() {
    let mut world = sessions();
    world.must(&client::start("two"));
    let app = world.start_application();
    world.suspend(app);
    let busy = world.send(&client::enable_event("two", "", client::rule("other:*")));
    world.turns(3);
    let destroyed = world.send(&client::destroy("one"));
    let (all, one) = (world.send(&client::save(None, false)), world.send(&client::save(Some("two"), true)));
    world.pass(Duration::from_secs(20));
    for id in [busy, destroyed, all, one] {
        assert_eq!(world.wait_for(id).code, ErrorCode::Ok);
    }
    world.resume(app);
    let names = names(&world);
    assert_eq!(names.iter().filter(|name| *name == "two").count(), 2);
    assert!(!names.contains(&"one".to_owned()), "{names:?}");
    let twos = world.helper.saved.iter().filter(|(path, _)| path.ends_with("two.lttng"));
    assert!(twos.into_iter().all(|(_, text)| text.contains("<name>other:*</name>")));
    end(world);
}

/// Whoever may not control a session does not save it.
#[test]
fn sessions_of_others() {
    let mut world = sessions();
    let stranger = crate::world::USER + 1;
    for (session, code) in [(None, ErrorCode::Ok), (Some("one"), ErrorCode::Eperm)] {
        let id = world.connect(stranger);
        let conn = world.clients[id.0].conn;
        world.say(conn, &client::save(session, false).bytes());
        assert_eq!(world.wait_for(id).code, code);
    }
    assert!(world.helper.requests.is_empty());
    end(world);
}
