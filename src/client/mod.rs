// SPDX-License-Identifier: GPL-2.0-only
//! Clients: `lttng` and everything else that uses liblttng-ctl.
//!
//! A client sends one request and gets one reply. The request is taken whole before anything is answered, also
//! when it is refused: a stock client that is cut off while it sends dies of SIGPIPE. What a command does is in
//! the modules below, one for each family; what needs peers goes on as an operation.

mod channel;
mod context;
mod dispatch;
mod event_rule;
mod listing;
mod rotation;
mod session;
mod snapshot;
mod tracker;

use std::os::fd::OwnedFd;
use std::time::Instant;

use lttng_protocol::client::{ErrorCode, Header, MAX_FDS, Reply};

pub use dispatch::Request;

use crate::daemon::Daemon;
use crate::output::{ConnId, Output, Supply};
use crate::sys::socket::Credentials;

/// Most bytes of a variable part that are read, if only to be thrown away.
const MAX_DRAINED: u64 = 4 << 20;

/// What a client has sent so far.
#[derive(Debug)]
enum Stage {
    Header,
    /// The variable part. What is more than `kept` bytes of it is dropped as it comes.
    Payload {
        header: Box<Header>,
        missing: u64,
        kept: usize,
    },
    /// Descriptors, on a byte of their own.
    Descriptors {
        header: Box<Header>,
        payload: Vec<u8>,
    },
    /// Complete; it waits for its turn.
    Waiting(Box<Request>),
    /// An operation will reply.
    Served,
}

/// One client connection.
#[derive(Debug)]
pub struct ClientConnection {
    credentials: Credentials,
    stage: Stage,
    input: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    deadline: Instant,
}

impl ClientConnection {
    /// A client that has sent nothing yet and must have sent its request by `deadline`.
    pub fn new(credentials: Credentials, deadline: Instant) -> Self {
        ClientConnection {
            credentials,
            stage: Stage::Header,
            input: Vec::new(),
            descriptors: Vec::new(),
            deadline,
        }
    }

    /// When its request must be complete, if it is not.
    pub fn deadline(&self) -> Option<Instant> {
        (!matches!(self.stage, Stage::Waiting(_) | Stage::Served)).then_some(self.deadline)
    }

    /// Takes input; the request once it is complete. `None` for more input, an error for a request that makes no
    /// sense at all.
    fn receive(&mut self, bytes: &[u8], descriptors: Vec<OwnedFd>) -> Result<Option<Request>, ()> {
        if matches!(self.stage, Stage::Waiting(_) | Stage::Served) {
            // Nothing more is expected; it is not kept.
            return Ok(None);
        }
        self.input.extend_from_slice(bytes);
        self.descriptors.extend(descriptors);
        loop {
            self.stage = match std::mem::replace(&mut self.stage, Stage::Served) {
                Stage::Header if self.input.len() < Header::LEN => {
                    self.stage = Stage::Header;
                    return Ok(None);
                }
                Stage::Header => {
                    let bytes: Vec<u8> = self.input.drain(..Header::LEN).collect();
                    let header = Header::decode(&bytes).map_err(drop)?;
                    let missing = header.payload_len();
                    if missing > MAX_DRAINED || header.fd_count > MAX_FDS {
                        return Err(());
                    }
                    let kept = usize::try_from(missing.min(header.payload_limit())).map_err(drop)?;
                    Stage::Payload { header: Box::new(header), missing, kept }
                }
                Stage::Payload { header, missing, kept } => {
                    let arrived = self.input.len() as u64;
                    // The descriptors' byte, if there is one, must stay for the next stage.
                    if arrived < missing {
                        if missing > kept as u64 {
                            // Too long to be taken: count it and let it go.
                            self.input.clear();
                            self.stage = Stage::Payload { header, missing: missing - arrived, kept };
                        } else {
                            self.stage = Stage::Payload { header, missing, kept };
                        }
                        return Ok(None);
                    }
                    let payload = self.input.drain(..usize::try_from(missing).map_err(drop)?).collect();
                    if header.fd_count == 0 {
                        return Ok(Some(self.complete(header, payload)));
                    }
                    Stage::Descriptors { header, payload }
                }
                Stage::Descriptors { header, payload } => {
                    if self.input.is_empty() {
                        self.stage = Stage::Descriptors { header, payload };
                        return Ok(None);
                    }
                    return Ok(Some(self.complete(header, payload)));
                }
                stage @ (Stage::Waiting(_) | Stage::Served) => {
                    self.stage = stage;
                    return Ok(None);
                }
            };
        }
    }

    fn complete(&mut self, header: Box<Header>, payload: Vec<u8>) -> Request {
        self.input = Vec::new();
        Request {
            credentials: self.credentials,
            header,
            payload,
            descriptors: std::mem::take(&mut self.descriptors),
        }
    }
}

/// What becomes of a request.
pub(crate) enum Verdict {
    /// It is answered.
    Reply(Reply),
    /// An operation answers it.
    Owed,
    /// It can't be dealt with yet.
    Wait,
}

impl Daemon {
    pub(crate) fn client_received(&mut self, conn: ConnId, bytes: &[u8], descriptors: Vec<OwnedFd>) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        match client.receive(bytes, descriptors) {
            Ok(None) => {}
            Ok(Some(request)) => self.handle(conn, Box::new(request)),
            Err(()) => {
                log::warn!("Process {} sent a request that can't be one", client.credentials.pid);
                self.clients.remove(&conn);
                self.close(conn);
            }
        }
    }

    /// A client is gone. What it asked for completely is done all the same.
    pub(crate) fn client_closed(&mut self, conn: ConnId) {
        let waits = |client: &ClientConnection| matches!(client.stage, Stage::Waiting(_));
        if !self.clients.get(&conn).is_some_and(waits) {
            self.clients.remove(&conn);
        }
    }

    /// Deals with a complete request, now or when it can be.
    fn handle(&mut self, conn: ConnId, request: Box<Request>) {
        let (stage, reply) = match self.dispatch(conn, &request) {
            Verdict::Reply(reply) => (Stage::Served, Some(reply)),
            Verdict::Owed => (Stage::Served, None),
            Verdict::Wait => {
                self.waiting.push_back(conn);
                (Stage::Waiting(request), None)
            }
        };
        if let Some(client) = self.clients.get_mut(&conn) {
            client.stage = stage;
        }
        if let Some(reply) = reply {
            self.reply(conn, &reply);
        }
    }

    /// Tries the requests that had to wait once more, oldest first.
    pub(crate) fn retry_waiting_clients(&mut self) {
        for conn in std::mem::take(&mut self.waiting) {
            let Some(client) = self.clients.get_mut(&conn) else { continue };
            if let Stage::Waiting(request) = std::mem::replace(&mut client.stage, Stage::Served) {
                self.handle(conn, request);
            }
        }
    }

    /// Replies and ends the connection. A client that is gone by now gets nothing.
    pub(crate) fn reply(&mut self, conn: ConnId, reply: &Reply) {
        self.reply_in_pieces(conn, reply, None);
    }

    /// Replies with a payload that goes on for so many bytes, which are made while they are sent.
    pub(crate) fn reply_in_pieces(
        &mut self,
        conn: ConnId,
        reply: &Reply,
        pieces: Option<(usize, Box<dyn Supply>)>,
    ) {
        if self.clients.remove(&conn).is_none() {
            return;
        }
        if reply.code != ErrorCode::Ok {
            log::debug!("Command {} failed with {:?}", reply.command, reply.code);
        }
        let more = pieces.as_ref().map_or(0, |(length, _)| *length);
        self.outputs.send(conn, reply.encode_begin(more));
        if let Some((_, supply)) = pieces {
            self.outputs.push(Output::Supply { to: conn, supply });
        }
        self.close_when_sent(conn);
    }
}
