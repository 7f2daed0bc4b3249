// SPDX-License-Identifier: GPL-2.0-only
//! Recording to relay daemons.

use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::relay::Relay;
use crate::support::trace::{Event, events};
use crate::support::{Sandbox, side_by_side};

fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(Event::line).collect()
}

/// Records what a relay daemon has written, with the events.
fn note_relay(s: &Sandbox, relay: &Relay) -> Vec<Event> {
    s.note("relay", &relay.tree(s), Order::Fixed);
    let events = events(s, &relay.output);
    s.note("events", &lines(&events).join("\n"), Order::Fixed);
    events
}

#[test]
fn a_session_from_its_beginning_to_its_end() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let relay = Relay::start(s);
        s.lttng(&["create", "s", "--set-url", "net://127.0.0.1"]).ok();
        s.lttng(&["list"]).ok();
        s.lttng(&["list", "s"]).ok();
        s.lttng(&["enable-event", "-u", "testapp:*"]).ok();
        s.lttng(&["status"]).ok();
        s.note("before", &relay.tree(s), Order::Fixed);
        s.lttng(&["start"]).ok();
        s.note("started", &relay.tree(s), Order::Fixed);
        let mut app = App::start(s);
        app.tell("tick 0 1000");
        app.tell("full 0 20");
        s.lttng(&["list", "s"]).ok();
        s.lttng_xml(&["list", "s"]).ok();
        s.lttng(&["stop"]).ok();
        assert_eq!(note_relay(s, &relay).len(), 1020);
        s.lttng_xml(&["status"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 1000 100");
        app.exit();
        s.lttng(&["destroy"]).ok();
        assert_eq!(note_relay(s, &relay).len(), 1120);
        daemon.stop();
    });
}
