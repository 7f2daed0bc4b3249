// SPDX-License-Identifier: GPL-2.0-only
//! Recording session configurations are loaded while peers misbehave: either everything is there and that is announced,
//! or the daemon ends and leaves nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_sessiond::config::read::read;
use lttng_sessiond::turn::errand::Listener;
use lttng_sessiond::turn::ids::{ConsumerKind, Identity};
use lttng_sessiond::turn::machine::Machine;

use crate::client;
use crate::consumer::Trouble;
use crate::helper;
use crate::life;
use crate::world::{USER, World};

const OWNER: Identity = Identity { uid: USER, gid: USER };
/// A consumer daemon has 10 s to start, a task more.
const LIMIT: Duration = Duration::from_secs(120);

/// A session that records `app:*` in a channel.
fn session(name: &str, started: bool) -> String {
    format!(
        "<session><name>{name}</name><domains><domain><type>UST</type><buffer_type>PER_UID</buffer_type><channels>\
         <channel><name>c</name><read_timer_interval>0</read_timer_interval><output_type>MMAP</output_type>\
         <events><event><name>app:*</name><enabled>true</enabled></event></events></channel></channels></domain>\
         </domains><started>{started}</started><output><consumer_output><enabled>true</enabled><destination>\
         <path>/traces/{name}</path></destination></consumer_output></output></session>"
    )
}

fn load(world: &mut World, sessions: &[String]) {
    let text = format!("<sessions>{}</sessions>", sessions.concat());
    let sessions = read(text.as_bytes()).unwrap().sessions;
    world.daemon.load(sessions, BTreeMap::new(), OWNER).unwrap();
}

/// Lets it load. Returns whether all is there; if not, the daemon has ended and has left nothing.
fn outcome(world: &mut World) -> bool {
    world.run_until(LIMIT, |world| world.ready || world.exited);
    assert!(world.ready != world.failed, "neither, or both: {:?}", world.daemon);
    if world.failed {
        assert!(world.run_until(LIMIT, |world| world.exited));
        assert!(world.stopped.contains(&Listener::Clients));
        world.check_replies();
    }
    world.ready
}

#[test]
fn nothing_to_load_is_ready_at_once() {
    let mut world = World::new();
    world.daemon.load(Vec::new(), BTreeMap::new(), OWNER).unwrap();
    world.pass(Duration::ZERO);
    assert!(world.ready);
    world.end_of_everything();
}

#[test]
fn sessions_are_made_and_record() {
    let mut world = World::new();
    let app = world.start_application();
    load(&mut world, &[session("a", false), session("b", true), session("a", true)]);
    assert!(outcome(&mut world));
    assert!(world.apps[app].records());
    assert_eq!(world.daemon.state().sessions.iter().count(), 2, "the second takes the place of the first");
    let late = world.start_application();
    assert!(world.apps[late].records());
    for name in ["a", "b"] {
        world.must(&client::stop(name));
        world.must(&client::destroy(name));
    }
    world.end_of_everything();
}

/// Whoever enables the rule about all loggers has all others enabled, too; whoever loads it does not.
#[test]
fn rules_about_loggers_are_enabled_as_they_were() {
    let event = |name: &str, enabled: bool, more: &str| {
        format!(
            "<event><name>{name}</name><enabled>{enabled}</enabled><type>TRACEPOINT</type>\
             <loglevel_type>ALL</loglevel_type>{more}</event>"
        )
    };
    let filter = "<filter>lineno == 1</filter>";
    let (all, all_but) = (event("*", true, ""), event("*", false, filter));
    let (on, off) = (event("on", true, ""), event("off", false, ""));
    let off_in_part = event("on", false, "<filter>lineno == 2</filter>");
    for events in [
        [&all, &on, &off].map(String::as_str).concat(),
        [&off, &on, &all].map(String::as_str).concat(),
        [&off_in_part, &all_but, &on, &all].map(String::as_str).concat(),
        [&event("*", false, ""), &on, &off].map(|event| event.as_str()).concat(),
    ] {
        let text = session("a", false)
            .replace("<type>UST<", "<type>JUL<")
            .replace("<name>c<", "<name>lttng_jul_channel<");
        let (before, rest) = text.split_once("<events>").unwrap();
        let after = rest.split_once("</events>").unwrap().1;
        let mut world = World::new();
        load(&mut world, &[format!("{before}<events>{events}</events>{after}")]);
        assert!(outcome(&mut world), "{events}");
        let saved = world.daemon.state().sessions.find("a").unwrap();
        let saved = lttng_sessiond::config::save::save(&saved.wanted, false).unwrap();
        let of = |text: &str| -> Vec<(String, bool)> {
            let loaded = read(text.as_bytes()).unwrap().sessions.remove(0);
            let channels = loaded.domains.into_iter().flat_map(|domain| domain.channels.unwrap_or_default());
            let events = channels.flat_map(|channel| channel.events);
            events.map(|event| (format!("{:?}", event.name), event.enabled.unwrap())).collect()
        };
        let wanted = of(&format!("<sessions>{before}<events>{events}</events>{after}</sessions>"));
        assert_eq!(of(&saved), wanted, "{events}");
        world.must(&client::destroy("a"));
        world.end_of_everything();
    }
}

#[test]
fn clients_are_served_meanwhile() {
    let mut world = World::new();
    world.consumer().trouble = Some(Trouble::Silent);
    load(&mut world, &[session("a", true)]);
    world.pass(Duration::from_secs(1));
    assert!(!world.ready && !world.failed);
    assert_eq!(world.ask(&client::create("b")), ErrorCode::Ok);
    assert_eq!(world.ask(&client::create("a")), ErrorCode::ExistSess);
    assert!(!outcome(&mut world));
}

/// Many commands do not keep others from having their turn.
#[test]
fn large_configurations_are_loaded_in_pieces() {
    let mut world = World::new();
    let event = |number: usize| format!("<event><name>app:{number}</name><enabled>1</enabled></event>");
    let events: String = (0..1000).map(event).collect();
    let large = session("large", false).replace("<events>", &format!("<events>{events}"));
    load(&mut world, &[large]);
    assert_eq!(world.ask(&client::create("other")), ErrorCode::Ok);
    assert!(!world.ready);
    assert!(outcome(&mut world));
}

#[test]
fn a_consumer_daemon_that_can_not_be_had_or_fails() {
    for trouble in [Trouble::NoProgram, Trouble::Silent, Trouble::Exit, Trouble::Failed, Trouble::Unreachable]
    {
        let mut world = World::new();
        world.start_application();
        world.consumer().trouble = Some(trouble);
        load(&mut world, &[session("idle", false), session("a", true)]);
        assert!(!outcome(&mut world), "{trouble:?}");
    }
    // At each step of the start of a session.
    for trouble in [Trouble::Die, Trouble::Babble] {
        let fail_at = |at| {
            let mut world = World::new();
            world.start_application();
            world.consumer().trouble = Some(trouble(at));
            load(&mut world, &[session("a", true), session("b", true)]);
            outcome(&mut world);
            world.consumers[&ConsumerKind::Ust64].steps
        };
        life::at_every_step(10, fail_at);
    }
}

#[test]
fn a_helper_that_dies_is_no_reason() {
    let mut world = World::new();
    world.start_application();
    world.kill_helper(false);
    load(&mut world, &[session("a", true)]);
    assert!(outcome(&mut world));
    world.must(&client::destroy("a"));
    world.end_of_everything();
    let mut world = World::new();
    world.start_application();
    world.helper.trouble = Some(helper::Trouble::NoFork);
    world.kill_helper(false);
    load(&mut world, &[session("a", true)]);
    assert!(!outcome(&mut world));
}

/// The daemon is asked to end in the middle of loading: it is not said to be ready, nor to have failed.
#[test]
fn the_end_comes_first() {
    for turn in 1..60 {
        let mut world = World::new();
        world.start_application();
        load(&mut world, &[session("a", true), session("b", true)]);
        world.end_at = Some(world.turns + turn);
        world.run_until(LIMIT, |world| world.ready || world.exited);
        if world.ready {
            world.daemon.end();
        }
        assert!(world.run_until(LIMIT, |world| world.exited));
        assert!(!world.failed, "{turn}");
    }
}
