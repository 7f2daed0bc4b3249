// SPDX-License-Identifier: GPL-2.0-only
//! The LTTng session daemon: one thread, one poll loop, hand-written state machines.
//!
//! `ARCHITECTURE.md` says how it is put together and why.
#![deny(unsafe_code)]

pub mod accounts;
pub mod agent;
pub mod boot;
pub mod client;
pub mod config;
pub mod consumer;
pub mod daemon;
pub mod explain;
pub mod helper;
pub mod inquiry;
pub mod kernel;
pub mod model;
pub mod operation;
pub mod reactor;
pub mod relayd;
pub mod report;
pub mod small_map;
pub mod state;
pub mod status;
pub mod sys;
pub mod text;
pub mod trigger;
pub mod turn;
pub mod users;
pub mod ust;
