// SPDX-License-Identifier: GPL-2.0-only
//! A list of loggers that several agents are asked for: who still owes a part of it, and what has come.

use std::collections::BTreeSet;

use lttng_protocol::agent::Names;

use crate::accounts::Charge;
use crate::turn::ids::AgentId;

/// What one agent has listed.
#[derive(Debug)]
pub struct Listed {
    /// Which agent; the older ones come first.
    pub agent: AgentId,
    /// The process that it says it is in.
    pub pid: i32,
    pub names: Names,
    /// What the names cost the agent's user.
    pub charge: Charge,
}

/// A list that is being made.
#[derive(Debug, Default)]
pub struct Listing {
    /// Agents that have not answered.
    pub owed: BTreeSet<AgentId>,
    pub listed: Vec<Listed>,
    /// Some agent could not be listed, and did not just end.
    pub incomplete: bool,
}
