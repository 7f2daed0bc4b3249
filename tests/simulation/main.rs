// SPDX-License-Identifier: GPL-2.0-only
//! The whole daemon without the system: applications, consumer daemons, the helper and clients are simulated in
//! this process, and time is a number.
//!
//! `world` takes the reactor's place. Simulated peers keep to the protocols more strictly than real ones: what a
//! real one would not survive, or would answer with silence, fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod agent;
mod application;
mod client;
mod consumer;
mod helper;
mod relay;
mod subscriber;
mod tracer;
mod wire;
mod world;

mod agents;
mod clients;
mod consumers;
mod crowd;
mod dying;
mod ending;
mod health;
mod helpers;
mod kernel;
mod lagging;
mod left_over;
mod life;
mod loading;
mod losses;
mod memory;
mod notifiers;
mod random;
mod record;
mod refusing;
mod relays;
mod rotation;
mod saving;
mod schedules;
mod script;
mod shortage;
mod snapshot;
mod status;
mod subscribers;
mod supervision;
mod triggers;
mod unmade;
