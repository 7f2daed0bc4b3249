// SPDX-License-Identifier: GPL-2.0-only
//! A life of a session that touches all that the daemon does with the tracer, and what is seen of it.

use lttng_protocol::client::{Channel, ErrorCode, Event};

use crate::client::{self, Request, kernel};
use crate::world::World;

/// The session's name.
pub const SESSION: &str = "life";

/// `LTTNG_TRACKING_POLICY_INCLUDE_SET`.
pub const INCLUDE_SET: i32 = 2;

/// The commands, with a name for messages.
pub fn commands() -> Vec<(&'static str, Request)> {
    vec![
        ("create", client::create(SESSION)),
        ("enable channel", kernel::enable_channel(SESSION, "first")),
        ("second channel", kernel::enable_channel(SESSION, "second")),
        ("context", kernel::add_context(SESSION, "second", 0)),
        ("event", kernel::enable_event(SESSION, "first", client::rule("sched_*"))),
        ("filter", kernel::enable_event(SESSION, "second", client::filtered("irq_*", "number > 3"))),
        ("policy", kernel::set_policy(SESSION, INCLUDE_SET)),
        ("track", kernel::track(SESSION, 42)),
        ("tracepoints", kernel::list_tracepoints()),
        ("start", client::start(SESSION)),
        ("list channels", kernel::list_channels(SESSION)),
        ("late event", kernel::enable_event(SESSION, "first", client::rule("net_*"))),
        ("disable event", kernel::disable_event(SESSION, "first", "sched_*")),
        ("re-enable event", kernel::enable_event(SESSION, "first", client::rule("sched_*"))),
        ("disable channel", kernel::disable_channel(SESSION, "second")),
        ("re-enable channel", kernel::enable_channel(SESSION, "second")),
        ("statedump", kernel::regenerate_statedump(SESSION)),
        ("metadata", kernel::regenerate_metadata(SESSION)),
        ("untrack", kernel::untrack(SESSION, 42)),
        ("rotate", client::rotate(SESSION)),
        ("clear", client::clear(SESSION)),
        ("stop", client::stop(SESSION)),
        ("data pending", client::data_pending(SESSION)),
        ("start again", client::start(SESSION)),
        ("destroy", client::destroy(SESSION)),
        ("list sessions", client::list_sessions()),
    ]
}

/// Runs all commands; calls `after` with the name, the request and the code of each.
pub fn run(world: &mut World, mut after: impl FnMut(&mut World, &str, &Request, ErrorCode)) {
    for (name, request) in commands() {
        let code = world.ask(&request);
        after(world, name, &request, code);
        assert_eq!(world.ask(&client::list_sessions()), ErrorCode::Ok);
    }
}

/// Runs all commands. What fails must fail with a code that is allowed, change nothing that is seen, and be done when it
/// is asked for once more.
pub fn run_with_failures(world: &mut World, what: &str, may_fail: impl Fn(&str, ErrorCode) -> bool) {
    for (name, request) in commands() {
        let before = seen(world);
        let code = world.ask(&request);
        if code == ErrorCode::Ok {
            continue;
        }
        assert!(may_fail(name, code), "{what}: {name} gave {code:?}");
        match name {
            // It is over all the same.
            "stop" | "destroy" => {}
            _ => {
                assert_eq!(seen(world), before, "{what}: {name} has changed something");
                assert_eq!(world.ask(&request), ErrorCode::Ok, "{what}: {name} once more");
            }
        }
    }
}

/// What clients see of the session.
pub fn seen(world: &mut World) -> Vec<String> {
    let listed = world.ask_fully(&client::list_sessions());
    let mut seen = vec![format!("{:?}", listed.payload)];
    if world.ask(&client::data_pending(SESSION)) == ErrorCode::SessNotFound {
        return seen;
    }
    let channels = world.ask_fully(&kernel::list_channels(SESSION));
    let channels = channels.elements(Channel::decode).unwrap_or_default();
    seen.extend(channels.iter().map(|channel| format!("{} {}", channel.name, channel.enabled)));
    for channel in &channels {
        let rules = world.ask_fully(&kernel::list_rules(SESSION, &channel.name));
        let rules = rules.elements(Event::decode).unwrap_or_default();
        seen.extend(rules.iter().map(|rule| format!("{} {:?} {}", rule.name, rule.filter, rule.enabled)));
    }
    let tracked = world.ask_fully(&kernel::tracked(SESSION));
    seen.push(format!("{:?} {:?}", tracked.code, tracked.payload));
    seen
}
