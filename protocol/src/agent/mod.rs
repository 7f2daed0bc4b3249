// SPDX-License-Identifier: GPL-2.0-only
//! Logging agents: `protocol/doc/agent-protocol.md`, `lttng-tools 2.13: src/common/sessiond-comm/agent.h`.
//!
//! An agent introduces itself, and from then on answers what the daemon asks, one request after the other. All integers
//! are big-endian.

mod registration;
mod reply;
mod request;

pub use registration::{Registration, Version};
pub use reply::{Code, ListHead, Names};
pub use request::{Context, Header, LevelKind, NAME_SIZE, Request, Rule};
