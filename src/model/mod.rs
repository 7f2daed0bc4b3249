// SPDX-License-Identifier: GPL-2.0-only
//! What the users asked for: sessions, channels, event rules. Plain data, edited by client commands only.
//!
//! Nothing here knows of peers, sockets or time; what a peer was actually given is in the mirrors.

pub mod channel;
pub mod rotation;
pub mod rule;
pub mod session;
pub mod snapshot;
pub mod tracker;

pub use channel::{Attributes, Channel, ChannelId};
pub use lttng_protocol::client::{Output, SessionKind};
pub use rotation::{Archived, Rotations};
pub use rule::{EventRule, Filter, RuleId};
pub use session::{BufferingScheme, Chunk, Session, SessionId, UstDomain};
pub use snapshot::{Room, SnapshotOutput, packets_per_stream};
pub use tracker::Trackers;

use std::collections::BTreeMap;

/// All sessions, in order of creation.
#[derive(Debug, Default)]
pub struct Model {
    sessions: BTreeMap<SessionId, Session>,
    next: u64,
}

impl Model {
    /// Adds a session under the next id (0, 1, 2… for the life of the daemon, never reused).
    pub fn add(&mut self, make: impl FnOnce(SessionId) -> Session) -> SessionId {
        let id = SessionId(self.next);
        self.next = self.next.saturating_add(1);
        self.sessions.insert(id, make(id));
        id
    }

    /// Forgets a session.
    pub fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.sessions.remove(&id)
    }

    /// The session with this id, destroyed or not.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The session with this id, to be changed.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// The session that clients know by this name: names are unique among sessions not destroyed.
    pub fn find(&self, name: &str) -> Option<&Session> {
        self.sessions.values().find(|session| session.name == name && !session.destroyed)
    }

    /// All sessions, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Session> {
        self.sessions.values()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}
