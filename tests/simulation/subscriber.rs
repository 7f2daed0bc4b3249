// SPDX-License-Identifier: GPL-2.0-only
//! Simulated clients of the notification socket.

use lttng_protocol::trigger::Condition;
use lttng_protocol::trigger::channel::{ClientMessage, DaemonMessage, Header, Status, Version};
use lttng_sessiond::turn::ids::ConnId;

use crate::wire::Segment;

/// A subscriber of the world, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriberId(pub usize);

#[derive(Debug)]
pub struct Subscriber {
    pub conn: ConnId,
    /// All that it has got and not looked at.
    pub received: Vec<u8>,
    /// The daemon has closed the connection.
    pub ended: bool,
    /// It takes what it is sent.
    pub reads: bool,
}

impl Subscriber {
    pub fn new(conn: ConnId) -> Self {
        Subscriber { conn, received: Vec::new(), ended: false, reads: true }
    }

    pub fn take(&mut self, segment: Segment) {
        assert!(segment.descriptors.is_empty());
        self.received.extend(segment.bytes);
    }

    /// What it was told since it looked last: whole messages and nothing else.
    #[track_caller]
    pub fn told(&mut self) -> Vec<DaemonMessage> {
        let bytes = std::mem::take(&mut self.received);
        let (mut rest, mut messages) = (bytes.as_slice(), Vec::new());
        while let Some((head, after)) = rest.split_at_checked(Header::LEN) {
            let header = Header::decode(head).unwrap();
            let (payload, after) = after.split_at(header.length as usize);
            messages.push(DaemonMessage::decode(&header, payload).unwrap());
            rest = after;
        }
        assert!(rest.is_empty(), "half a message");
        messages
    }
}

pub fn handshake() -> Vec<u8> {
    ClientMessage::Handshake(Version::CURRENT).encode()
}

pub fn subscribe(condition: &Condition) -> Vec<u8> {
    ClientMessage::Subscribe(condition.clone()).encode()
}

pub fn unsubscribe(condition: &Condition) -> Vec<u8> {
    ClientMessage::Unsubscribe(condition.clone()).encode()
}

/// The answer to a handshake.
pub fn welcome() -> [DaemonMessage; 2] {
    [DaemonMessage::Handshake(Version::CURRENT), DaemonMessage::Reply(Status::Ok)]
}
