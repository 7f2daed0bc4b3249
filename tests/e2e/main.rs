// SPDX-License-Identifier: GPL-2.0-only
//! End-to-end tests: the real `lttng` command, real applications, the real consumer daemon and `babeltrace2`,
//! each test in namespaces of its own. `support` says how a test is written and which variables steer it.
//!
//! One program, not one per file: the tests share the machine through one lock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod agents_channels;
mod agents_contexts;
mod agents_hostile;
mod agents_lifecycle;
mod agents_lists;
mod agents_rules;
mod agents_triggers;
mod appcontexts;
mod channels;
mod clear;
mod clock;
mod commands;
mod contexts;
mod errors;
mod evaluations;
mod examples;
mod explain;
mod filters;
mod footprint;
mod foreign;
mod future;
mod health;
mod helpers;
mod hostile;
mod identity;
mod library;
mod lifecycle;
mod live;
mod load;
mod metadata;
mod misbehaving;
mod network;
mod notifications;
mod options;
mod processes;
mod readable;
mod readme;
mod reckless;
mod record;
mod regenerate;
mod rotation;
mod rules;
mod saving;
mod schedules;
mod seclusion;
mod services;
mod shm;
mod signals;
mod snapshot;
mod snapshot_outputs;
mod status;
mod successors;
mod support;
mod sweep;
mod texts;
mod told;
mod trackers;
mod trigger_commands;
mod triggers;
mod unchanged;
mod unmade;
