// SPDX-License-Identifier: GPL-2.0-only
//! Those who ask how the daemon is: whoever connects to the status socket is sent a report as JSON, and nothing else. Nothing
//! is read from them, so there is nothing to be understood, or to be waited for.
//!
//! A connection, and the report until all of it was sent, is charged to who asks, like what other clients have. Who asks
//! changes nothing, and is told of what it may see only.

mod words;

use crate::accounts::{Charge, Exhausted, Resource};
use crate::report::{self, Report};
use crate::state::State;
use crate::sys::socket::Credentials;
use crate::trigger::Triggers;
use crate::trigger::registry::{Place, Registered};
use crate::turn::ids::ConnId;
use crate::turn::output::{Output, Supply};
use crate::turn::tally;

/// A report on its way.
#[derive(Debug)]
struct Told {
    /// What is still to be sent.
    text: Option<Vec<u8>>,
    _charges: [Charge; 2],
}

impl Supply for Told {
    fn next_piece(&mut self) -> Option<Vec<u8>> {
        self.text.take()
    }
}

/// Input: somebody connected, and is told.
pub fn accepted(state: &mut State, triggers: &Triggers, conn: ConnId, credentials: Credentials) {
    match told(state, triggers, credentials.uid) {
        Ok(told) => {
            state.turn.outputs.push(Output::Supply { to: conn, supply: Box::new(told) });
            state.turn.outputs.push(Output::CloseWhenSent(conn));
        }
        Err(exhausted) => {
            state.say_refused(credentials, exhausted);
            state.turn.outputs.push(Output::Close(conn));
        }
    }
}

fn told(state: &mut State, triggers: &Triggers, asker: u32) -> Result<Told, Exhausted> {
    let connection = state.accounts.charge(asker, Resource::Connections, 1)?;
    let mut memory = state.accounts.charge(asker, Resource::Memory, 0)?;
    // There is nothing in a report that can't be written.
    let mut text = serde_json::to_vec(&whole(state, triggers, asker)).unwrap_or_default();
    text.push(b'\n');
    memory.grow(text.len() as u64)?;
    Ok(Told { text: Some(text), _charges: [connection, memory] })
}

/// The whole report, as far as `asker` may know it.
fn whole(state: &State, triggers: &Triggers, asker: u32) -> Report {
    let mut report = state.report(asker);
    report.daemon.dialects = words::dialects();
    let owner = if state.may_see_all(asker) { None } else { Some(asker) };
    report.triggers = triggers.registry.list(owner).map(|registered| trigger(state, registered)).collect();
    let tally = &state.turn.tally;
    report.counters.latency_bounds_us = tally::BOUNDS_US.to_vec();
    let commands = tally.commands().map(|(number, served)| report::Command {
        name: words::command(number),
        served: served.count,
        failed: served.failed,
        total_us: served.total_us,
        latency: served.latency.to_vec(),
    });
    report.counters.commands = commands.collect();
    let errors = tally.errors().map(|(code, count)| report::Count { name: words::error(code), count });
    report.counters.errors = errors.collect();
    report
}

fn trigger(state: &State, registered: &Registered) -> report::Trigger {
    let Registered { trigger, tallies, slot, fired, dropped, .. } = registered;
    let actions = trigger.action.each().iter().zip(tallies);
    report::Trigger {
        name: trigger.name.clone(),
        uid: trigger.owner,
        condition: words::condition(&trigger.condition),
        fired: *fired,
        dropped: *dropped,
        actions: actions
            .map(|(action, tally)| report::Action {
                kind: words::action(action).to_owned(),
                requests: tally.requests,
                failures: tally.failures,
            })
            .collect(),
        discarded: match slot {
            Some(Place::Applications(place)) => state.untold_events(*place).ok(),
            Some(Place::Kernel(_)) | None => None,
        },
    }
}
