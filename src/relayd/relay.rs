// SPDX-License-Identifier: GPL-2.0-only
//! One relay daemon in use: a pair of connections for each consumer daemon in service, control and data, on their way
//! from being made to being given away.
//!
//! Plain state. Who connects, asks and gives away is not known here.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Instant;

use lttng_protocol::relayd::Version;

use super::conversation::{Agreement, Conversation, Refusal};
use crate::model::{Address, Endpoint};
use crate::turn::ids::{ConnId, ConsumerKind, Requester, SessionId};

/// Whether a relay daemon can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It can be used.
    Yes,
    /// It is being connected to.
    Pending,
    /// It can't.
    No(Refusal),
}

/// How far a pair of connections is.
#[derive(Debug)]
pub enum Phase {
    /// The first connection is made, and talked on.
    Control {
        /// The connection, once it is being made.
        conn: Option<ConnId>,
        /// What is said on it.
        talk: Box<Conversation>,
    },
    /// The second connection is made.
    Data {
        /// The first connection.
        control: ConnId,
        /// The second one, once it is being made.
        conn: Option<ConnId>,
        /// What was agreed on.
        agreement: Agreement,
    },
    /// The consumer daemon is given the first; the second comes after it.
    Giving {
        /// The second connection.
        data: OwnedFd,
    },
    /// It is given the second.
    GivingData,
    /// It has both.
    Given,
}

/// The connections of one consumer daemon.
#[derive(Debug)]
pub struct Link {
    /// How far they are.
    pub phase: Phase,
    /// When they are given up, if something is under way.
    pub deadline: Option<Instant>,
}

/// A relay daemon in use.
#[derive(Debug)]
pub struct Relay {
    pub session: SessionId,
    /// It serves snapshots, not the session's own output.
    pub snapshot: bool,
    /// Where the control connection goes.
    pub control: Endpoint,
    /// Where the data connection goes.
    pub data: Option<Endpoint>,
    /// The connections of each consumer daemon.
    pub links: BTreeMap<ConsumerKind, Link>,
    /// Why it could not be reached, until somebody was told.
    pub failure: Option<Refusal>,
    /// Who had it connected, while it asks.
    pub asker: Option<Requester>,
    /// It refused the session: it is not asked again.
    pub disabled: bool,
    version: Option<Version>,
    clear_allowed: bool,
}

impl Relay {
    /// A relay daemon that is not connected to yet.
    pub fn new(session: SessionId, control: Endpoint, data: Option<Endpoint>, snapshot: bool) -> Self {
        Relay {
            session,
            snapshot,
            control,
            data,
            links: BTreeMap::new(),
            failure: None,
            asker: None,
            disabled: false,
            version: None,
            clear_allowed: false,
        }
    }

    /// All is said on one control connection.
    pub fn agreed(&mut self, agreement: Agreement) {
        self.version = Some(agreement.version);
        self.clear_allowed |= agreement.clear_allowed;
    }

    /// Its version, once it was told.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether it knows trace chunks: rotation works, and folders are relative to a chunk.
    pub fn has_chunks(&self) -> bool {
        self.version.is_some_and(Version::has_chunks)
    }

    /// Whether it lets the session be cleared.
    pub fn clear_allowed(&self) -> bool {
        self.clear_allowed
    }

    /// When it must be given up, as far as something is under way.
    pub fn deadline(&self) -> Option<Instant> {
        self.links.values().filter_map(|link| link.deadline).min()
    }

    /// Whether something is under way.
    pub fn is_pending(&self) -> bool {
        self.links.values().any(|link| !matches!(link.phase, Phase::Given))
    }
}

/// Where an endpoint is.
pub fn address(endpoint: &Endpoint) -> Option<SocketAddr> {
    let ip: IpAddr = match &endpoint.address {
        Address::Ipv4(text) => IpAddr::V4(text.parse().ok()?),
        Address::Ipv6(text) => IpAddr::V6(text.parse().ok()?),
    };
    Some(SocketAddr::new(ip, endpoint.port))
}
