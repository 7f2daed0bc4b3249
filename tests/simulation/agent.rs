// SPDX-License-Identifier: GPL-2.0-only
//! Simulated agents of logging libraries.
//!
//! They count as real ones do, and take it as hard as the Python agent: a second request before the first one is answered,
//! one that is torn apart, or one that they do not know fails the test.

use std::collections::BTreeMap;

use lttng_protocol::Text;
use lttng_protocol::agent::{Code, Context, Header, Names, Registration, Request, Version};
use lttng_sessiond::turn::ids::ConnId;
use lttng_sessiond::turn::output::ProcessState;

use crate::wire::{Effects, Segment};

pub const JUL: u32 = 3;
pub const LOG4J: u32 = 4;
pub const PYTHON: u32 = 5;

/// What an agent does instead of what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It ends.
    Die,
    /// It says nothing any more.
    Hang,
    /// It says this, and then goes on.
    Say(Vec<u8>),
    /// It answers with another code, and has done nothing.
    Refuse(u32),
}

#[derive(Debug)]
pub struct Agent {
    pub conn: ConnId,
    pub pid: i32,
    pub domain: u32,
    pub alive: bool,
    pub state: ProcessState,
    /// It takes requests and answers none.
    pub hung: bool,
    /// What it does at the request of this number, counted from 0, lists and all.
    pub fault: Option<(usize, Fault)>,
    /// Its program may run.
    pub released: bool,
    /// What it was asked for so far, in order, and how much of it it had been asked for when it was released.
    pub requests: Vec<Request>,
    pub before_release: usize,
    /// Names of its loggers.
    pub loggers: Vec<Vec<u8>>,
    /// What it hands over, and how often it was asked for it.
    pub enabled: BTreeMap<Text, usize>,
    pub contexts: BTreeMap<Context, usize>,
    /// What it has not answered.
    owed: Option<Request>,
}

impl Agent {
    pub fn new(conn: ConnId, pid: i32, domain: u32) -> Self {
        Agent {
            conn,
            pid,
            domain,
            alive: true,
            state: ProcessState::Running,
            hung: false,
            fault: None,
            released: false,
            requests: Vec::new(),
            before_release: 0,
            loggers: vec![b"my.logger".to_vec(), b"other".to_vec()],
            enabled: BTreeMap::new(),
            contexts: BTreeMap::new(),
            owed: None,
        }
    }

    pub fn registration(&self) -> Vec<u8> {
        Registration { domain: self.domain, pid: self.pid, version: Version::OURS }.encode()
    }

    /// Takes what was sent at once: whole requests, and only one that is to be answered.
    pub fn received(&mut self, segment: Segment, effects: &mut Effects) {
        assert!(segment.descriptors.is_empty());
        let mut rest = segment.bytes.as_slice();
        while !rest.is_empty() {
            let (head, after) = rest.split_at_checked(Header::LEN).expect("a header is torn apart");
            let header = Header::decode(head).unwrap();
            let length = usize::try_from(header.data_size).unwrap();
            let (payload, after) = after.split_at_checked(length).expect("a request is torn apart");
            rest = after;
            let request = Request::decode(&header, payload).unwrap();
            assert!(self.owed.is_none(), "{request:?} comes before the answer to {:?}", self.owed);
            if request == Request::RegistrationDone {
                assert!(!self.released, "released twice");
                self.released = true;
                self.before_release = self.requests.len();
                continue;
            }
            self.requests.push(request.clone());
            self.owed = Some(request);
        }
        self.work(effects);
    }

    /// Answers what it owes, if it can.
    pub fn work(&mut self, effects: &mut Effects) {
        if self.hung || self.state == ProcessState::Suspended || !self.alive {
            return;
        }
        let Some(request) = self.owed.take() else { return };
        let number = self.requests.len() - 1;
        match self.fault.take_if(|(at, _)| *at == number).map(|(_, fault)| fault) {
            Some(Fault::Die) => return self.die(effects),
            Some(Fault::Hang) => {
                self.hung = true;
                self.owed = Some(request);
                return;
            }
            Some(Fault::Say(bytes)) => return effects.send(self.conn, bytes),
            Some(Fault::Refuse(code)) => {
                let size = if request == Request::List { vec![0; 4] } else { Vec::new() };
                return effects.send(self.conn, [Code(code).encode(), size].concat());
            }
            None => {}
        }
        let answer = self.serve(request);
        effects.send(self.conn, answer);
    }

    fn serve(&mut self, request: Request) -> Vec<u8> {
        fn take<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) -> Code {
            let Some(count) = counts.get_mut(key) else { return Code::UNKNOWN_NAME };
            *count -= 1;
            counts.retain(|_, count| *count > 0);
            Code::SUCCESS
        }
        let code = match request {
            Request::List => {
                let names: Vec<&[u8]> = self.loggers.iter().map(Vec::as_slice).collect();
                return Names::answer(&names);
            }
            Request::Enable(rule) => {
                *self.enabled.entry(rule.name).or_default() += 1;
                Code::SUCCESS
            }
            Request::Disable(name) => take(&mut self.enabled, &name),
            Request::EnableContext(context) => {
                assert_ne!(self.domain, PYTHON, "the Python agent knows no contexts");
                *self.contexts.entry(context).or_default() += 1;
                Code::SUCCESS
            }
            Request::DisableContext(context) => take(&mut self.contexts, &context),
            Request::RegistrationDone => panic!("nobody answers that"),
        };
        assert_eq!(code, Code::SUCCESS, "what is taken back was not there");
        code.encode()
    }

    pub fn die(&mut self, effects: &mut Effects) {
        self.alive = false;
        effects.closes.push(self.conn);
    }

    /// What it hands over, by name.
    pub fn handed_over(&self) -> Vec<(String, usize)> {
        self.enabled.iter().map(|(name, &count)| (name.to_string(), count)).collect()
    }
}
