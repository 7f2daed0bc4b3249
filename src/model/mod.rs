// SPDX-License-Identifier: GPL-2.0-only
//! Sessions: what their users asked for ([`wanted`]) and what goes on in them ([`recording`]).
//!
//! Nothing here knows of peers, sockets or time; what a peer was actually given is in the mirrors.

pub mod channel;
pub mod context;
pub mod idle;
pub mod kernel;
pub mod logger;
pub mod losses;
pub mod output;
pub mod recording;
pub mod rule;
pub mod session;
pub mod snapshot;
pub mod tracker;
pub mod wanted;

pub use channel::{Attributes, BufferingScheme, Channel};
pub use context::Context;
pub use kernel::{
    KernelChannel, KernelContext, KernelDomain, KernelRule, KernelRuleKind, ProbePlace, ProcessAttribute,
    ProgramPlace, Transfer,
};
pub use logger::{LoggerDomain, LoggerRule, Loggers, ProgramContext};
pub use losses::{Losses, Occasion, Place};
pub use output::{Address, BadOutput, Endpoint, NetworkOutput, Output, Target};
pub use recording::{Archived, AtRest, Chunk, Holder, Recorder, Recording, RotationState, Sampled};
pub use rule::{EventRule, Filter, LogLevels, RuleKind};
pub use session::Session;
pub use snapshot::{Room, SnapshotOutput, packets_per_stream};
pub use tracker::Trackers;
pub use wanted::{Domain, Schedules, SessionKind, UstDomain, Wanted};

use std::collections::BTreeMap;

use crate::turn::facts::{Fact, Facts};
use crate::turn::ids::SessionId;

/// All sessions, in order of creation.
#[derive(Debug, Default)]
pub struct Sessions {
    all: BTreeMap<SessionId, Session>,
    next: u64,
}

impl Sessions {
    /// Adds a session under the next id (0, 1, 2… for the life of the daemon, never reused).
    pub fn add(&mut self, wanted: Wanted, facts: &mut Facts) -> SessionId {
        let id = SessionId(self.next);
        self.next = self.next.saturating_add(1);
        self.all.insert(id, Session::new(id, wanted));
        facts.push(Fact::Created(id));
        id
    }

    /// Forgets a session.
    pub fn remove(&mut self, id: SessionId, facts: &mut Facts) -> Option<Session> {
        let session = self.all.remove(&id)?;
        facts.push(Fact::Destroyed(id));
        Some(session)
    }

    /// The session with this id, destroyed or not.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.all.get(&id)
    }

    /// The session with this id, to be changed.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.all.get_mut(&id)
    }

    /// The session with this id, to which something happens.
    pub fn record<'a>(&'a mut self, id: SessionId, facts: &'a mut Facts) -> Option<Recorder<'a>> {
        self.all.get_mut(&id).map(|session| Recorder::new(session, facts))
    }

    /// The session that clients know by this name: names are unique among sessions not destroyed.
    pub fn find(&self, name: &str) -> Option<&Session> {
        self.all.values().find(|session| session.wanted.name == name && !session.is_destroyed())
    }

    /// All sessions, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Session> {
        self.all.values()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
