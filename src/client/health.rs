// SPDX-License-Identifier: GPL-2.0-only
//! Health queries: whoever asks is told which parts of the daemon are in bad health. They have a socket of their own and no
//! dialect, and their connections are charged like those of other clients.
//!
//! The answer is made of what was measured since the last one ([`crate::turn::progress`]) and of how things are now: who
//! owes an answer for too long, who is gone. Nothing here assumes that something works. That a part of the original is
//! always well (hash tables are not destroyed here) is the only thing said that is not looked at.
//!
//! What the bits mean: `protocol/doc/health-protocol.md`, sections 3 and 6.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lttng_protocol::health::{Component, REQUEST_LEN, encode};

use crate::accounts::{Charge, Resource};
use crate::operation::tasks::Tasks;
use crate::state::State;
use crate::sys::socket::Credentials;
use crate::turn::errand::{Errand, Listener};
use crate::turn::ids::{ConnId, ConsumerKind};
use crate::turn::output::Output;
use crate::turn::progress::Part;
use crate::turn::timers::Timer;

/// How long a health query may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The components of the original that do what a part of the daemon does.
fn components(part: Part) -> &'static [Component] {
    match part {
        Part::Commands => &[Component::Command],
        Part::Applications => &[Component::AppManage],
        Part::Registration => &[Component::AppRegistration, Component::AppRegistrationDispatch],
        Part::Notify => &[Component::AppManageNotify],
        Part::Kernel => &[Component::Kernel],
        Part::Consumers => &[Component::Consumer],
        Part::Subscribers => &[Component::Notification],
        Part::Rotations => &[Component::Rotation],
        Part::Timers => &[Component::Timer],
        Part::Actions => &[Component::ActionExecutor],
    }
}

/// The part of the daemon to which those belong who connect to this socket, if it can be told of them.
pub fn hearer(listener: Listener) -> Option<Part> {
    match listener {
        Listener::Clients => Some(Part::Commands),
        Listener::Applications => Some(Part::Registration),
        Listener::Notifications => Some(Part::Subscribers),
        Listener::ConsumerError(_) => Some(Part::Consumers),
        // Who asks is heard; others have no component of the original's.
        _ => None,
    }
}

/// The part of the daemon that has a process started.
pub fn starter(errand: Errand) -> Part {
    match errand {
        Errand::ConsumerProcess(_) => Part::Consumers,
        Errand::Tracer => Part::Kernel,
        _ => Part::Commands,
    }
}

/// A health query that is not complete.
#[derive(Debug)]
struct Query {
    /// Bytes that came.
    received: usize,
    charge: Charge,
}

/// Health queries, and what they are answered.
#[derive(Debug, Default)]
pub struct HealthQueries {
    /// The consumer daemons that died and were not replaced.
    missing: BTreeSet<ConsumerKind>,
    all: BTreeMap<ConnId, Query>,
}

impl HealthQueries {
    /// A consumer daemon has died.
    pub fn consumer_lost(&mut self, kind: ConsumerKind) {
        self.missing.insert(kind);
    }

    /// A consumer daemon is there, perhaps in place of one that died.
    pub fn consumer_ready(&mut self, kind: ConsumerKind) {
        self.missing.remove(&kind);
    }

    /// Whether a connection is for one.
    pub fn has(&self, conn: ConnId) -> bool {
        self.all.contains_key(&conn)
    }

    /// The connections, oldest first, and their users.
    pub fn incomplete(&self) -> impl Iterator<Item = (ConnId, u32)> {
        self.all.iter().map(|(&conn, query)| (conn, query.charge.uid()))
    }

    /// Input: somebody connected.
    pub fn accepted(&mut self, state: &mut State, conn: ConnId, credentials: Credentials) {
        match state.accounts.charge(credentials.uid, Resource::Connections, 1) {
            Ok(charge) => {
                let deadline = state.turn.after(TIMEOUT);
                state.turn.timers.set(Timer::Connection(conn), deadline);
                self.all.insert(conn, Query { received: 0, charge });
            }
            Err(exhausted) => {
                state.say_refused(credentials, exhausted);
                state.turn.outputs.push(Output::Close(conn));
            }
        }
    }

    /// Input: bytes, of which only the number counts.
    pub fn received(&mut self, state: &mut State, tasks: &Tasks, conn: ConnId, bytes: &[u8]) {
        let Some(query) = self.all.get_mut(&conn) else { return };
        query.received = query.received.saturating_add(bytes.len());
        if query.received >= REQUEST_LEN {
            self.forget(state, conn);
            let reply = self.reply(state, tasks);
            state.turn.outputs.send(conn, reply.to_vec());
            state.turn.outputs.push(Output::CloseWhenSent(conn));
        }
    }

    /// How things are. What was measured is told once, as by the original.
    fn reply(&self, state: &mut State, tasks: &Tasks) -> [u8; 8] {
        let now = state.turn.now;
        let mut bad = state.turn.progress.take_late(now);
        bad.extend(state.stuck().chain(tasks.stuck(now)));
        bad.extend(self.missing.first().map(|_| Part::Consumers));
        if !bad.is_empty() {
            log::debug!("Health: {bad:?} in bad health");
        }
        encode(bad.into_iter().flat_map(components).copied())
    }

    /// Forgets one, whose connection is closed or will be.
    pub fn forget(&mut self, state: &mut State, conn: ConnId) {
        if self.all.remove(&conn).is_some() {
            state.turn.timers.clear(Timer::Connection(conn));
        }
    }

    /// Closes a connection that is not needed, or said too little for too long.
    pub fn close(&mut self, state: &mut State, conn: ConnId) {
        if self.has(conn) {
            self.forget(state, conn);
            state.turn.outputs.push(Output::Close(conn));
        }
    }

    /// Closes all.
    pub fn close_all(&mut self, state: &mut State) {
        let conns: Vec<ConnId> = self.all.keys().copied().collect();
        conns.into_iter().for_each(|conn| self.close(state, conn));
    }
}
