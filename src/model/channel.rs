// SPDX-License-Identifier: GPL-2.0-only
//! Channels: where the events of a session go, and with which buffers.

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::rule::EventRule;
use crate::turn::ids::{ChannelId, RuleId};

/// Who shares buffers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BufferingScheme {
    /// The applications of one user.
    #[default]
    PerUser,
    /// Nobody: each application has its own.
    PerProcess,
}

/// Buffer settings of a channel. Those of user space are always mapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Overwrite the oldest sub-buffer when full (flight recorder), rather than discard new events.
    pub overwrite: bool,
    /// Bytes of one sub-buffer: a power of two, at least a page.
    pub subbuf_size: u64,
    /// Sub-buffers of one CPU's ring buffer: a power of two.
    pub num_subbuf: u64,
    /// Period in microseconds after which a sub-buffer is handed over even if not full; 0 is never.
    pub switch_timer: u32,
    /// Period in microseconds at which readers look for full sub-buffers; 0 is never.
    pub read_timer: u32,
    /// Period in microseconds of the consumer's usage samples; 0 is never.
    pub monitor_timer: u64,
    /// Bytes after which a trace file is followed by a new one; 0 is never.
    pub tracefile_size: u64,
    /// Trace files kept per stream; 0 is all.
    pub tracefile_count: u64,
    /// Microseconds that an application may wait for room; 0 not at all, -1 for ever.
    pub blocking_timeout: i64,
}

impl Attributes {
    /// What a channel gets that an event rule created by the way (lttng-tools 2.13: `src/common/defaults.h`). `page`
    /// is the page size in bytes; `overwrite` is how the session's channels are unless a client says otherwise.
    pub fn default_for(scheme: BufferingScheme, overwrite: bool, page: u64) -> Self {
        let usual = match scheme {
            BufferingScheme::PerUser => 524_288,
            BufferingScheme::PerProcess => 16_384,
        };
        Attributes {
            overwrite,
            subbuf_size: page.max(usual),
            num_subbuf: 4,
            switch_timer: 0,
            read_timer: 0,
            monitor_timer: 1_000_000,
            tracefile_size: 0,
            tracefile_count: 0,
            blocking_timeout: 0,
        }
    }

    /// The same for a kernel channel.
    pub fn default_of_kernel(overwrite: bool, page: u64) -> Self {
        let like = Attributes::default_for(BufferingScheme::PerUser, overwrite, page);
        Attributes { subbuf_size: page.max(1_048_576), read_timer: 200_000, ..like }
    }
}

/// One user space channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its number in the session.
    pub id: ChannelId,
    /// Its name, unique among the session's user space channels.
    pub name: String,
    /// Whether the user wants it on.
    pub enabled: bool,
    /// Buffer settings, fixed at creation.
    pub attributes: Attributes,
    /// Contexts that every event carries, in order; fixed at the first start.
    pub contexts: Vec<Context>,
    /// Its event rules in order of creation; rules are disabled but never removed.
    pub rules: Vec<EventRule>,
}

impl Channel {
    /// The id for the next rule.
    pub fn next_rule(&self) -> RuleId {
        RuleId(u32::try_from(self.rules.len()).unwrap_or(u32::MAX))
    }
}
