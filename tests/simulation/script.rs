// SPDX-License-Identifier: GPL-2.0-only
//! A life of a session that touches all that the daemon does with applications and consumer daemons.

use lttng_protocol::client::ErrorCode;

use crate::client::{self, Request};
use crate::world::World;

/// The session of the script. It is the first of its world, so its number is 0.
pub const SESSION: &str = "life";

/// The commands, with a name for messages.
pub fn commands() -> Vec<(&'static str, Request)> {
    vec![
        ("create", client::create(SESSION)),
        ("enable channel", client::enable_channel(SESSION, "first")),
        ("second channel", client::enable_channel(SESSION, "second")),
        ("channel context", client::add_context(SESSION, "second")),
        ("enable event", client::enable_event(SESSION, "first", client::rule("app:*"))),
        ("filter", client::enable_event(SESSION, "second", client::filtered("app:one", "number > 3"))),
        ("exclusion", client::enable_event(SESSION, "second", client::excluding("app:*", "app:two"))),
        ("tracepoints", client::list_tracepoints()),
        ("start", client::start(SESSION)),
        ("list channels", client::list_channels(SESSION)),
        ("late event", client::enable_event(SESSION, "first", client::rule("other:*"))),
        ("disable event", client::disable_event(SESSION, "first", "app:*")),
        ("disable channel", client::disable_channel(SESSION, "second")),
        ("re-enable channel", client::enable_channel(SESSION, "second")),
        ("stop", client::stop(SESSION)),
        ("data pending", client::data_pending(SESSION)),
        ("start again", client::start(SESSION)),
        ("fields", client::list_fields()),
        ("destroy", client::destroy(SESSION)),
        ("list sessions", client::list_sessions()),
    ]
}

/// Runs all commands; calls `after` with the name and the code of each.
pub fn run(world: &mut World, mut after: impl FnMut(&mut World, &str, ErrorCode)) {
    for (name, request) in commands() {
        let code = world.ask(&request);
        after(world, name, code);
    }
}

/// Runs all commands, which must all succeed.
pub fn run_well(world: &mut World, mut after: impl FnMut(&mut World, &str)) {
    run(world, |world, name, code| {
        assert_eq!(code, ErrorCode::Ok, "{name}");
        after(world, name);
    });
}
