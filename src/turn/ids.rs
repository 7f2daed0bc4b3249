// SPDX-License-Identifier: GPL-2.0-only
//! The names by which the parts of the daemon speak of one another's things. Plain numbers, never reused.

use serde::{Deserialize, Serialize};

/// A connection or other descriptor that the reactor looks after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A user and a group, as the system knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
}

/// Number of a session for the daemon's life; consumer daemons know sessions by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Number of a channel in its session, in order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelId(pub u64);

/// Number of an event rule in its channel, in order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleId(pub u32);

/// An application, by its command connection: a process id may be registered twice for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(pub ConnId);

/// An agent of a logging library, by its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(pub ConnId);

/// Which listing of an application, or of agents, is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListingId(pub u64);

/// A task under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// A trigger, by the token by which tracers know it: never the same for two registrations, and
/// never zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TriggerId(pub u64);

/// Who wants a command done, and is told what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requester {
    /// A client, on this connection.
    Client(ConnId),
    /// A trigger whose condition was met.
    Trigger(TriggerId),
    /// A recording session configuration that is loaded. One command at a time is served for them.
    Configuration,
}

/// Which consumer daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsumerKind {
    /// For applications with 64-bit longs.
    Ust64,
    /// For applications with 32-bit longs.
    Ust32,
    /// For the kernel.
    Kernel,
}

impl ConsumerKind {
    /// Those for applications.
    pub const USER_SPACE: [ConsumerKind; 2] = [ConsumerKind::Ust64, ConsumerKind::Ust32];

    /// The one that serves applications with longs of this many bits.
    pub fn for_bits(bits: u32) -> Self {
        if bits == 32 { ConsumerKind::Ust32 } else { ConsumerKind::Ust64 }
    }

    /// Its name in messages to people.
    pub fn name(self) -> &'static str {
        match self {
            ConsumerKind::Ust64 => "64-bit user space consumer daemon",
            ConsumerKind::Ust32 => "32-bit user space consumer daemon",
            ConsumerKind::Kernel => "kernel consumer daemon",
        }
    }
}

/// One consumer daemon, from its start to its death. Another one of its kind that comes after it is not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId {
    pub kind: ConsumerKind,
    /// How many of its kind there were before.
    pub before: u32,
}

impl ConsumerId {
    /// The first of its kind.
    pub fn first(kind: ConsumerKind) -> Self {
        ConsumerId { kind, before: 0 }
    }

    /// The one that comes after it.
    pub fn next(self) -> Self {
        ConsumerId { before: self.before.saturating_add(1), ..self }
    }
}

/// Whose buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuffersKey {
    pub session: SessionId,
    /// Bits of a long in the applications: 32 or 64.
    pub bits: u32,
    /// Who uses them.
    pub owner: Owner,
}

/// Who uses a set of buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// All applications of this user.
    User(u32),
    /// This application.
    Application(AppId),
}

/// A pair of connections to a relay daemon for each consumer daemon, by the number that these know it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId(pub u64);

/// Which of the two connections to a relay daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stream {
    /// Commands and metadata.
    Control,
    /// Trace data.
    Data,
}

impl Stream {
    /// The port of a relay daemon when none is given.
    pub fn default_port(self) -> u16 {
        match self {
            Stream::Control => 5342,
            Stream::Data => 5343,
        }
    }
}

/// One connection to a relay daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelayEnd {
    /// Which relay daemon, for which session or snapshot.
    pub relay: RelayId,
    /// The consumer daemon that it is made for.
    pub consumer: ConsumerKind,
    /// Which of the two.
    pub stream: Stream,
}

/// Numbers that are never given twice.
#[derive(Debug, Default)]
pub struct Counters {
    consumer_key: u64,
    application_session: u64,
    task: u64,
    listing: u64,
    relay: u64,
}

fn next(counter: &mut u64) -> u64 {
    *counter = counter.saturating_add(1);
    *counter
}

impl Counters {
    /// A number for a channel at its consumer daemon.
    pub fn consumer_key(&mut self) -> u64 {
        next(&mut self.consumer_key)
    }

    /// A number for a set of buffers in requests for metadata.
    pub fn application_session(&mut self) -> u64 {
        next(&mut self.application_session)
    }

    /// A task's.
    pub fn task(&mut self) -> TaskId {
        TaskId(next(&mut self.task))
    }

    /// A listing's.
    pub fn listing(&mut self) -> ListingId {
        ListingId(next(&mut self.listing))
    }

    /// A relay daemon's.
    pub fn relay(&mut self) -> RelayId {
        RelayId(next(&mut self.relay))
    }
}
