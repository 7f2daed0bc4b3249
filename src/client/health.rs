// SPDX-License-Identifier: GPL-2.0-only
//! Health queries: whoever asks is told which parts of the daemon have failed. They have a socket of their own and no
//! dialect, and their connections are charged like those of other clients.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::accounts::{Charge, Resource};
use crate::state::State;
use crate::sys::socket::Credentials;
use crate::turn::ids::{ConnId, ConsumerKind};
use crate::turn::output::Output;
use crate::turn::timers::Timer;

/// How long a health query may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a health query, whatever they are.
const QUERY_LEN: usize = 4;
/// Bit of the consumer daemons in the answer.
const CONSUMER: u64 = 1 << 4;

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
    pub fn received(&mut self, state: &mut State, conn: ConnId, bytes: &[u8]) {
        let Some(query) = self.all.get_mut(&conn) else { return };
        query.received = query.received.saturating_add(bytes.len());
        if query.received >= QUERY_LEN {
            self.forget(state, conn);
            let health = if self.missing.is_empty() { 0 } else { CONSUMER };
            state.turn.outputs.send(conn, health.to_ne_bytes().to_vec());
            state.turn.outputs.push(Output::CloseWhenSent(conn));
        }
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
