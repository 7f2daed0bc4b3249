// SPDX-License-Identifier: GPL-2.0-only
//! What happens once, before the loop turns: the command line and the configuration ([`options`]), the run directory
//! and its lock ([`instance`]), the way to the background ([`daemonize`]), the word that waiting applications watch
//! ([`wait_shm`]), the clock of the traces ([`clock`]), the port of agents ([`agents`]), the number of CPUs ([`cpus`]),
//! the recording sessions that are to be loaded ([`configurations`]); and what a service manager wants ([`manager`]):
//! sockets that it has passed ([`activation`]), to be told how the daemon is ([`notify`]), messages for its journal
//! ([`journal`]).
//!
//! Nothing here is called once the loop runs, but for taking back what was announced, and for telling the service manager.
//! Neither may wait.

pub mod activation;
pub mod agents;
pub mod clock;
pub mod configurations;
pub mod cpus;
pub mod daemonize;
pub mod instance;
pub mod journal;
pub mod manager;
pub mod notify;
pub mod options;
pub mod wait_shm;
