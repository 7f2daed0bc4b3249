// SPDX-License-Identifier: GPL-2.0-only
//! Relay daemons: what is said to one before a consumer daemon talks to it ([`conversation`]), and how far the
//! connections to it are ([`relay`]).
//!
//! Nothing here connects, sends or waits.

pub mod conversation;
pub mod relay;
