// SPDX-License-Identifier: GPL-2.0-only
//! What happens once, before the loop turns: the command line and the configuration ([`options`]), the run directory
//! and its lock ([`instance`]), the way to the background ([`daemonize`]), the word that waiting applications watch
//! ([`wait_shm`]), the clock of the traces ([`clock`]), the port of agents ([`agents`]), the number of CPUs ([`cpus`]),
//! the recording sessions that are to be loaded ([`configurations`]).
//!
//! Nothing here is called once the loop runs, but for taking back what was announced.

pub mod agents;
pub mod clock;
pub mod configurations;
pub mod cpus;
pub mod daemonize;
pub mod instance;
pub mod options;
pub mod wait_shm;
