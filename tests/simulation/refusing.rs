// SPDX-License-Identifier: GPL-2.0-only
//! Applications that answer with errors: they are left alone with what they refused.

use std::time::Duration;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::ust::command::code;

use crate::application::{Fault, What};
use crate::client;
use crate::dying::live_with;
use crate::script;
use crate::world::World;

const CODES: [i32; 6] = [code::ERR, code::NOENT, code::EXIST, code::INVAL, code::PERM, code::NOSYS];

#[test]
fn one_command_is_refused() {
    for late in [false, true] {
        let healthy = live_with(What::Refuse(code::ERR), usize::MAX, late);
        let mut at = 1;
        loop {
            let steps = live_with(What::Refuse(CODES[at % CODES.len()]), at, late);
            assert!(steps <= healthy + 10, "step {at}: {steps} steps instead of {healthy}");
            if steps < at {
                break;
            }
            at += 1;
        }
        assert!(at > 30);
    }
}

#[test]
fn everything_is_refused_from_some_step_on() {
    for late in [false, true] {
        let healthy = live_with(What::Refuse(code::ERR), usize::MAX, late);
        for at in 1..healthy {
            let steps = live_with(What::RefuseAll(CODES[at % CODES.len()]), at, late);
            assert!(steps <= healthy + 10, "from step {at}: {steps} steps instead of {healthy}");
        }
    }
}

#[test]
fn a_refusal_is_not_asked_again_by_itself() {
    for at in 2..25 {
        let mut world = World::new();
        let app = world.launch();
        world.apps[app].fault = Some(Fault { at, what: What::RefuseAll(code::INVAL) });
        script::run(&mut world, |world, name, code| {
            assert_eq!(code, ErrorCode::Ok, "{name}");
            let steps = world.apps[app].steps;
            world.pass(Duration::from_secs(60));
            assert_eq!(world.apps[app].steps, steps, "asked again after {name}");
        });
        assert!(world.apps[app].alive);
        world.end_of_everything();
    }
}

/// The session and the healthy rules of an application record although one rule is refused.
#[test]
fn a_refused_rule_does_not_keep_the_others_from_recording() {
    let mut world = World::new();
    let app = world.start_application();
    world.must(&client::create("s"));
    world.must(&client::enable_event("s", "", client::rule("app:one")));
    world.must(&client::enable_event("s", "", client::rule("app:two")));
    // Tracer version and release are done; session, channel, two streams, then the first rule.
    world.apps[app].fault = Some(Fault { at: 2 + 1 + 1 + 2 + 1, what: What::Refuse(code::EXIST) });
    world.must(&client::start("s"));
    let holding = &world.apps[app].holdings()[&Some(0)];
    assert!(holding.recording);
    let rules: Vec<_> =
        holding.channels["channel0"].1.iter().map(|(key, on)| (key.0.as_str(), *on)).collect();
    assert_eq!(rules, [("app:two", true)]);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

/// Dropped, it would come back at once, and so on for ever.
#[test]
fn a_refused_version_costs_no_application_its_connection() {
    let mut world = World::new();
    let app = world.launch();
    world.apps[app].fault = Some(Fault { at: 1, what: What::Refuse(code::ERR) });
    script::run_well(&mut world, |_, _| ());
    assert!(world.apps[app].alive && world.apps[app].released);
    world.end_of_everything();
}
