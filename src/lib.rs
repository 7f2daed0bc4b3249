// SPDX-License-Identifier: GPL-2.0-only
//! The LTTng session daemon: one thread, one poll loop, hand-written state machines.
//!
//! `ARCHITECTURE.md` says how it is put together and why.
#![deny(unsafe_code)]

pub mod client;
pub mod consumer;
pub mod daemon;
pub mod daemonize;
pub mod helper;
pub mod inbox;
pub mod instance;
pub mod model;
pub mod operation;
pub mod options;
pub mod output;
pub mod reactor;
pub mod relayd;
pub mod small_map;
pub mod sys;
pub mod users;
pub mod ust;
pub mod wait_shm;
