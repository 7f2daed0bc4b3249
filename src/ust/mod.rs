// SPDX-License-Identifier: GPL-2.0-only
//! Applications: what each of them has ([`mirror`]), what it gets next ([`planner`]), the conversation with it
//! ([`app`]), the buffers it shares with its user's other applications ([`buffers`]) and what its events look
//! like in the trace ([`registry`], [`tsdl`]).
//!
//! Nothing here does I/O, and nothing here knows of clients.

pub mod app;
pub mod buffer_table;
pub mod buffers;
pub mod error_counters;
pub mod introduction;
pub mod listing;
pub mod mirror;
pub mod notifiers;
pub mod obstacle;
pub mod planner;
pub mod registry;
mod size;
pub mod tsdl;
pub mod words;
