// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's domain, with a simulated tracer.

mod consumers;
mod dying;
mod ending;
mod finding;
mod hotplug;
mod life;
mod limits;
mod programs;
mod record;
mod refusing;
mod sessions;
mod snapshot;
mod trackers;
mod waiting;
