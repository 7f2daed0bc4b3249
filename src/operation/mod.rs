// SPDX-License-Identifier: GPL-2.0-only
//! What takes several steps because peers have to be asked on the way: clients' commands, and work of the daemon's
//! own. Replies are owed, not awaited.
//!
//! A [`Task`](task::Task) is a small state machine. It speaks of sessions, channels and trace chunks; which tracer
//! fills a channel, and which client asked, is not known here. While a task has a session to itself, commands about
//! that session wait. Each task has a deadline, so that each client gets exactly one reply, also when peers die.

pub mod although;
pub mod answer;
pub mod archive;
pub mod change_kernel;
pub mod clear;
pub mod count_losses;
pub mod count_untold;
pub mod cx;
pub mod data_pending;
pub mod destroy;
pub mod enable_probe;
pub mod install;
pub mod install_kernel;
pub mod list_applications;
pub mod list_channels;
pub mod list_kernel;
pub mod list_loggers;
mod patience;
pub mod record_snapshot;
pub mod regenerate;
pub mod retire;
pub mod rotate;
pub mod save_sessions;
pub mod start;
pub mod steps;
pub mod stop;
pub mod synchronise;
pub mod task;
pub mod tasks;
