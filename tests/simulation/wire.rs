// SPDX-License-Identifier: GPL-2.0-only
//! Simulated connections: bytes, and descriptors that belong to one of them.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Duration;

use lttng_sessiond::turn::ids::{ConnId, ConsumerKind};
use lttng_sessiond::turn::output::SharedFd;

use crate::subscriber::SubscriberId;

/// What the daemon sent.
#[derive(Debug)]
pub struct Segment {
    pub bytes: Vec<u8>,
    /// They travel on the first byte.
    pub descriptors: Vec<SharedFd>,
}

/// Who is at the other end of a connection of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Client(usize),
    Subscriber(SubscriberId),
    Command(usize),
    Notify(usize),
    Agent(usize),
    /// The pipe on which an application tells of events.
    Events(usize),
    Consumer(ConsumerKind, Talk),
    /// A connection to the relay daemon, by its number.
    Relay(usize),
    Helper,
    /// The process that makes requests to the kernel's tracer.
    Tracer,
    /// Something of the tracer that is only polled.
    Polled,
}

impl Peer {
    /// Whether its messages stay whole.
    pub fn keeps_messages(self) -> bool {
        matches!(self, Peer::Helper | Peer::Tracer)
    }
}

/// Which connection of a consumer daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    Error,
    Command,
    Metadata,
    Samples,
}

/// A connection of the daemon.
#[derive(Debug)]
pub struct Link {
    pub peer: Peer,
    /// On its way to the peer.
    pub down: VecDeque<Segment>,
    /// On its way to the daemon.
    pub up: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    /// What comes on this connection is read first.
    pub after: Option<ConnId>,
    /// The daemon closes when everything is sent.
    pub closing: bool,
    /// Nothing is read while much waits to be taken.
    pub held_back: bool,
    /// The peer has closed.
    pub left: bool,
    /// The peer did not let it be made.
    pub refused: bool,
}

impl Link {
    pub fn new(peer: Peer) -> Self {
        Link {
            peer,
            down: VecDeque::new(),
            up: VecDeque::new(),
            after: None,
            closing: false,
            held_back: false,
            left: false,
            refused: false,
        }
    }
}

/// What a peer has received and not looked at yet.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: VecDeque<u8>,
    /// Position of the first byte in `bytes`.
    start: u64,
    descriptors: VecDeque<(u64, Vec<SharedFd>)>,
}

impl Inbox {
    pub fn receive(&mut self, segment: Segment) {
        if !segment.descriptors.is_empty() {
            let position = self.start + self.bytes.len() as u64;
            self.descriptors.push_back((position, segment.descriptors));
        }
        self.bytes.extend(segment.bytes);
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether descriptors come with the next byte.
    pub fn has_descriptors(&self) -> bool {
        self.descriptors.front().is_some_and(|(at, _)| *at == self.start)
    }

    pub fn peek(&self, count: usize) -> Vec<u8> {
        self.bytes.iter().take(count).copied().collect()
    }

    /// Plain bytes. A real peer would lose descriptors that come with them.
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        if self.bytes.len() < count {
            return None;
        }
        let end = self.start + count as u64;
        assert!(self.descriptors.front().is_none_or(|(at, _)| *at >= end), "descriptors among plain bytes");
        self.start = end;
        Some(self.bytes.drain(..count).collect())
    }

    /// The zero byte that carries `count` descriptors.
    pub fn take_descriptors(&mut self, count: usize) -> Option<Vec<SharedFd>> {
        let byte = self.bytes.pop_front()?;
        let (at, descriptors) = self.descriptors.pop_front().expect("no descriptors where they must be");
        assert_eq!((byte, at, descriptors.len()), (0, self.start, count), "descriptors in the wrong place");
        self.start += 1;
        Some(descriptors)
    }
}

/// What a peer does in response to something.
#[derive(Debug, Default)]
pub struct Effects {
    /// Messages to the daemon.
    pub sends: Vec<(ConnId, Vec<u8>, Vec<OwnedFd>)>,
    /// How long the messages are on their way.
    pub delay: Duration,
    /// Connections that the peer closes, after what it sent.
    pub closes: Vec<ConnId>,
    /// A child of the daemon that ends.
    pub ended: Option<i32>,
}

impl Effects {
    pub fn send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        self.sends.push((conn, bytes, Vec::new()));
    }
}

/// Numbers that look like chance and are the same in each run (xorshift64*).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(seed | 1)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % limit
    }
}
