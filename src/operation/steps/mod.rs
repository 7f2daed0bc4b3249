// SPDX-License-Identifier: GPL-2.0-only
//! Steps that several tasks have in common. Each is a small state machine like a task, driven by the task it is part of.

pub mod delivery;
pub mod folders;
pub mod kernel_metadata;
pub mod leaving;
pub mod losses;
pub mod recording;
pub mod removal;
pub mod rotation;
