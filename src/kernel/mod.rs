// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's tracer, LTTng-modules: what it was given, what it is to be given next, and the process that asks it.
//!
//! Requests to the tracer can sleep for seconds, and loading its modules does. So all of them are made by a helper
//! process of their own ([`worker`]), which runs [`job`]s on the descriptors that it is handed; the descriptors stay
//! with the daemon. The [`mirror`] is what the tracer is known to have, and the [`planner`] is a pure function from
//! what is wanted and the mirror to the next job. Nothing here knows of clients, tasks or consumer daemons.

pub mod job;
mod loader;
pub mod mirror;
pub mod modules;
pub mod notifiers;
pub mod plan;
pub mod planner;
pub mod refusal;
pub mod tracer;
pub mod words;
pub mod worker;
