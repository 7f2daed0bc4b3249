// SPDX-License-Identifier: GPL-2.0-only
//! The clients: each sends one request and gets exactly one reply.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use log::Level;

use lttng_protocol::client::{Command, ErrorCode};

use super::connection::{Charges, ClientConnection, Request, Unfit};
use super::desk::{Served, Unserved};
use super::dialect::{Dialect, Follows, V2_13};
use super::load::Load;
use super::serve::serve;
use crate::operation::answer::{Answer, Failure};
use crate::operation::tasks::Tasks;
use crate::state::State;
use crate::sys::socket::Credentials;
use crate::trigger::Triggers;
use crate::turn::ids::{ConnId, Requester};
use crate::turn::machine::{Attached, Expected};
use crate::turn::messages::Topic;
use crate::turn::output::{Output, Supply};
use crate::turn::refusals::Reason;
use crate::turn::timers::Timer;

/// How long a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client is still owed. It is there until everything was sent, and with it what its user is charged.
#[derive(Debug)]
struct Owed {
    rest: Option<Box<dyn Supply>>,
    _charges: Charges,
}

impl Supply for Owed {
    fn next_piece(&mut self) -> Option<Vec<u8>> {
        self.rest.as_mut()?.next_piece()
    }
}

/// All clients.
#[derive(Debug, Default)]
pub struct Clients {
    all: BTreeMap<ConnId, ClientConnection>,
    /// Those whose request is complete but has to wait, oldest first.
    waiting: VecDeque<ConnId>,
    /// The client that the daemon itself is while it loads sessions.
    pub load: Load,
}

impl Clients {
    /// Whether a connection is a client's.
    pub fn has(&self, conn: ConnId) -> bool {
        self.all.contains_key(&conn)
    }

    /// Input: a client connected. All clients speak the dialect of 2.13: none says which one it speaks.
    pub fn accepted(&mut self, state: &mut State, conn: ConnId, credentials: Credentials) {
        self.accepted_as(&V2_13, state, conn, credentials);
    }

    /// Input: a client connected that speaks this dialect.
    pub fn accepted_as(
        &mut self,
        dialect: &'static dyn Dialect,
        state: &mut State,
        conn: ConnId,
        credentials: Credentials,
    ) {
        match ClientConnection::new(credentials, dialect, &mut state.accounts) {
            Ok(client) => {
                let deadline = state.turn.after(REQUEST_TIMEOUT);
                state.turn.timers.set(Timer::Connection(conn), deadline);
                self.all.insert(conn, client);
            }
            Err(exhausted) => {
                state.say_refused(credentials, exhausted);
                state.turn.outputs.push(Output::Close(conn));
            }
        }
    }

    /// What may come on a client's connection now; `None` if it is not a client's.
    pub fn expected(&self, conn: ConnId) -> Option<Expected> {
        self.all.get(&conn).map(ClientConnection::expected)
    }

    /// The connections on which no request is complete yet, oldest first, and their users.
    pub fn incomplete(&self) -> impl Iterator<Item = (ConnId, u32)> {
        let incomplete = self.all.iter().filter(|(_, client)| client.is_incomplete());
        incomplete.map(|(&conn, client)| (conn, client.credentials.uid))
    }

    /// Input: bytes and descriptors from a client.
    pub fn received(
        &mut self,
        state: &mut State,
        triggers: &mut Triggers,
        tasks: &mut Tasks,
        conn: ConnId,
        bytes: &[u8],
        attached: Attached,
    ) {
        let Some(client) = self.all.get_mut(&conn) else { return };
        match client.receive(bytes, attached) {
            Ok(None) => {}
            Ok(Some(request)) => {
                client.begun = Some(state.turn.now);
                state.turn.timers.clear(Timer::Connection(conn));
                self.handle(state, triggers, tasks, conn, request);
            }
            Err(why) => {
                let credentials = client.credentials;
                match why {
                    Unfit::Nonsense => {
                        state.turn.say(
                            Level::Warn,
                            Topic::Request,
                            Some(credentials.uid),
                            format_args!("Process {} sent a request that can't be one", credentials.pid),
                        );
                        let why = "it sent a request that can't be one".to_owned();
                        state.turn.refuse(credentials, Reason::Nonsense, why);
                    }
                    Unfit::Exhausted(exhausted) => {
                        state.say_refused(credentials, exhausted);
                    }
                }
                self.drop_client(state, conn);
            }
        }
    }

    /// Whether a connection is that of a client whose request is complete and not answered.
    pub fn are_owed(&self, conn: ConnId) -> bool {
        self.all.get(&conn).is_some_and(ClientConnection::is_complete)
    }

    /// Input: a client is gone. What it asked for completely is done all the same.
    pub fn closed(&mut self, state: &mut State, conn: ConnId) {
        match self.all.get_mut(&conn) {
            Some(client) if client.is_waiting() => client.gone = true,
            _ => drop(self.forget(state, conn)),
        }
    }

    /// A client has said too little for too long.
    pub fn expired(&mut self, state: &mut State, conn: ConnId) {
        log::debug!("A connection said too little for too long");
        self.drop_client(state, conn);
    }

    /// Closes a connection. What it asked for is not done if it is not being done already.
    pub fn drop_client(&mut self, state: &mut State, conn: ConnId) {
        if self.forget(state, conn).is_some_and(|client| !client.gone) {
            state.turn.outputs.push(Output::Close(conn));
        }
    }

    fn forget(&mut self, state: &mut State, conn: ConnId) -> Option<ClientConnection> {
        let client = self.all.remove(&conn)?;
        state.turn.timers.clear(Timer::Connection(conn));
        state.forget_asker(Requester::Client(conn));
        Some(client)
    }

    /// Closes all connections. What waits is not served any more.
    pub fn close_all(&mut self, state: &mut State) {
        let connections: Vec<ConnId> = self.all.keys().copied().collect();
        connections.into_iter().for_each(|conn| self.drop_client(state, conn));
    }

    /// Deals with a complete request, now or when it can be.
    fn handle(
        &mut self,
        state: &mut State,
        triggers: &mut Triggers,
        tasks: &mut Tasks,
        conn: ConnId,
        request: Box<Request>,
    ) {
        match serve(state, triggers, conn, &request) {
            Ok(Served::Answer(answer)) => self.reply(state, conn, Ok(answer)),
            Ok(Served::Task(task, session)) => {
                state.forget_asker(Requester::Client(conn));
                tasks.begin(state, task, Some(Requester::Client(conn)), session);
            }
            Err(Unserved::Refused(code)) => self.reply(state, conn, Err(code)),
            Err(Unserved::Wait) => {
                if let Some(client) = self.all.get_mut(&conn) {
                    client.wait(request);
                    self.waiting.push_back(conn);
                }
            }
        }
    }

    /// Tries the requests that had to wait once more, oldest first.
    pub fn retry_waiting(&mut self, state: &mut State, triggers: &mut Triggers, tasks: &mut Tasks) {
        for conn in std::mem::take(&mut self.waiting) {
            if let Some(request) = self.all.get_mut(&conn).and_then(ClientConnection::take_waiting) {
                self.handle(state, triggers, tasks, conn, request);
            }
        }
    }

    /// Tells a client what came of the task that it waited for.
    pub fn tell(&mut self, state: &mut State, conn: ConnId, result: Result<Answer, Failure>) {
        self.reply(state, conn, result.map_err(ErrorCode::from));
    }

    /// Replies and ends the connection. A client that is gone by now gets nothing.
    fn reply(&mut self, state: &mut State, conn: ConnId, result: Result<Answer, ErrorCode>) {
        let Some(client) = self.forget(state, conn) else { return };
        let tag = client.tag();
        if let (Some(tag), Some(begun)) = (tag, client.begun) {
            let command = client.dialect.command(tag.command).map_or(u32::MAX, Command::number);
            let error = result.as_ref().err().map(|code| code.number());
            state.turn.tally.answered(command, begun, error);
        }
        let Some(tag) = tag.filter(|_| !client.gone) else { return };
        if let Err(code) = result {
            log::debug!("Command {} failed with {code:?}", tag.command);
        }
        let dialect = client.dialect;
        let mut charges = client.into_charges();
        let mut reply = dialect.encode(tag, result);
        if let Err(exhausted) = charges.bytes.set(reply.held()) {
            state.turn.say(
                Level::Warn,
                Topic::Limits,
                Some(exhausted.uid),
                format_args!("The reply to command {} is too long: {exhausted}", tag.command),
            );
            reply = dialect.encode(tag, Err(ErrorCode::Nomem));
        }
        state.turn.outputs.send(conn, reply.begin);
        let rest = match reply.follows {
            Follows::Nothing => None,
            Follows::Bytes(rest) => Some(rest.supply),
            Follows::Descriptors(descriptors) => {
                state.turn.outputs.send_descriptors(conn, descriptors);
                None
            }
        };
        let supply = Box::new(Owed { rest, _charges: charges });
        state.turn.outputs.push(Output::Supply { to: conn, supply });
        state.turn.outputs.push(Output::CloseWhenSent(conn));
    }
}

#[cfg(test)]
mod tests;
