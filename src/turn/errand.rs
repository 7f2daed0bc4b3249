// SPDX-License-Identifier: GPL-2.0-only
//! What something is for that the reactor looks after: the names that it carries back with what came of it.
//!
//! They mean something to whoever gave them and nothing to the reactor, which must never look into them.

use super::ids::{AppId, ChannelId, ConsumerId, ConsumerKind, RelayEnd, SessionId};

/// A listening socket of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listener {
    /// Clients: `lttng`, liblttng-ctl.
    Clients,
    /// Applications.
    Applications,
    /// Agents of logging libraries.
    Agents,
    /// Health queries.
    Health,
    /// Those who ask how the daemon is.
    Status,
    /// Those who want to be told of triggers' conditions.
    Notifications,
    /// The error socket of a consumer daemon.
    ConsumerError(ConsumerKind),
}

/// What the reactor was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Errand {
    /// The connection to the helper process.
    Helper,
    /// The connection to the helper process that makes requests to the kernel's tracer.
    Tracer,
    /// What the kernel's event notifiers tell.
    KernelEvents,
    /// A channel of the kernel that tells of new CPUs.
    NewCpus(SessionId, ChannelId),
    /// The process of a consumer daemon.
    ConsumerProcess(ConsumerId),
    /// The connection on which a consumer daemon is asked.
    ConsumerCommand(ConsumerId),
    /// The connection on which a consumer daemon asks.
    ConsumerMetadata(ConsumerId),
    /// The pipe into which a consumer daemon writes its samples.
    ConsumerSamples(ConsumerId),
    /// The pipe into which an application writes that an event matched.
    Notifications(AppId),
    /// A connection to a relay daemon, or both of them when they are handed out.
    Relay(RelayEnd),
}

#[cfg(test)]
impl Errand {
    /// Two that differ, for tests of those who must not care what they are.
    pub const ANY: [Errand; 2] =
        [Errand::Helper, Errand::ConsumerProcess(ConsumerId { kind: ConsumerKind::Ust64, before: 0 })];
}

#[cfg(test)]
impl Listener {
    /// As [`Errand::ANY`].
    pub const ANY: [Listener; 2] = [Listener::Clients, Listener::Health];
}
