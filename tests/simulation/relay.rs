// SPDX-License-Identifier: GPL-2.0-only
//! A simulated relay daemon, as far as the session daemon talks to it. It fails the test when it is told what a real
//! one would not understand.

use std::net::SocketAddr;

use lttng_protocol::relayd::{
    Code, Configuration, CreateSession, CreateSessionReply, Header, Request, SessionLayout, Version,
};

use crate::wire::{Effects, Inbox, Segment};
use lttng_sessiond::turn::ids::ConnId;

/// What goes wrong. Steps are counted from 1: a connection or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A connection is refused; a request is answered with another code or version than wanted.
    Refuse(usize),
    /// There is no way to it; it closes instead of an answer.
    Die(usize),
    /// It closes in the middle of an answer.
    DieHalfway(usize),
    /// It never answers.
    Stall(usize),
    /// It says more than it was asked.
    Babble(usize),
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connecting {
    Done,
    Refused,
    Impossible,
    Never,
}

#[derive(Debug)]
pub struct Relay {
    /// It speaks 2.x.
    pub minor: u32,
    pub trouble: Option<Trouble>,
    /// Connections and requests so far.
    pub steps: usize,
    /// All sessions that it was told of.
    pub sessions: Vec<CreateSession>,
    /// Where connections went.
    pub addresses: Vec<SocketAddr>,
    /// The daemon's names for the connections.
    pub conns: Vec<ConnId>,
    inboxes: Vec<Inbox>,
}

impl Relay {
    pub fn new() -> Self {
        Relay {
            minor: 13,
            trouble: None,
            steps: 0,
            sessions: Vec::new(),
            addresses: Vec::new(),
            conns: Vec::new(),
            inboxes: Vec::new(),
        }
    }

    /// The number of the next connection.
    pub fn next(&self) -> usize {
        self.conns.len()
    }

    /// Counts a step. What is to go wrong now, if anything.
    fn step(&mut self) -> Option<Trouble> {
        self.steps += 1;
        let now = self.steps;
        self.trouble.filter(|trouble| match *trouble {
            Trouble::Refuse(at)
            | Trouble::Die(at)
            | Trouble::DieHalfway(at)
            | Trouble::Stall(at)
            | Trouble::Babble(at) => at == now,
        })
    }

    pub fn connect(&mut self, address: SocketAddr) -> Connecting {
        self.addresses.push(address);
        match self.step() {
            None | Some(Trouble::Babble(_)) => {}
            Some(Trouble::Refuse(_) | Trouble::DieHalfway(_)) => {
                self.inboxes.push(Inbox::default());
                return Connecting::Refused;
            }
            Some(Trouble::Die(_)) => return Connecting::Impossible,
            Some(Trouble::Stall(_)) => {
                self.inboxes.push(Inbox::default());
                return Connecting::Never;
            }
        }
        self.inboxes.push(Inbox::default());
        Connecting::Done
    }

    pub fn received(&mut self, index: usize, segment: Segment, effects: &mut Effects) {
        self.inboxes[index].receive(segment);
        while let Some(request) = self.request(index) {
            let conn = self.conns[index];
            let trouble = self.step();
            let mut answer = self.answer(request, matches!(trouble, Some(Trouble::Refuse(_))));
            match trouble {
                Some(Trouble::Stall(_)) => continue,
                Some(Trouble::Die(_)) => {
                    effects.closes.push(conn);
                    continue;
                }
                Some(Trouble::DieHalfway(_)) => {
                    answer.truncate(answer.len() / 2);
                    effects.closes.push(conn);
                }
                Some(Trouble::Babble(_)) => answer.extend([0xEE; 7]),
                Some(Trouble::Refuse(_)) | None => {}
            }
            effects.send(conn, answer);
        }
    }

    fn request(&mut self, index: usize) -> Option<Request> {
        let version = Version { major: 2, minor: self.minor.min(13) };
        let inbox = &mut self.inboxes[index];
        let header = Header::decode(&inbox.peek(Header::LEN)).ok()?;
        let length = Header::LEN + usize::try_from(header.data_size).unwrap();
        let message = inbox.take(length)?;
        Some(Request::decode(&header, &message[Header::LEN..], version).expect("a request that exists"))
    }

    fn answer(&mut self, request: Request, refuse: bool) -> Vec<u8> {
        let code = if refuse { Code::REFUSED } else { Code::OK };
        match request {
            Request::Version(version) => {
                assert_eq!(version, Version::LOCAL);
                let major = if refuse { 1 } else { 2 };
                Version { major, minor: self.minor }.encode()
            }
            Request::GetConfiguration => {
                assert!(self.minor >= 12);
                Configuration { code, flags: 1 }.encode()
            }
            Request::CreateSession(session) => {
                let layout = session.layout();
                self.sessions.push(session);
                let path: &[u8] = if layout == SessionLayout::Full && !refuse { b"host/s\0" } else { b"" };
                let path_length = u32::try_from(path.len()).unwrap();
                let reply = CreateSessionReply { session_id: 77, code, path_length };
                [reply.encode(layout), path.to_vec()].concat()
            }
            other => panic!("{other:?} is the consumer daemon's to say"),
        }
    }
}
