// SPDX-License-Identifier: GPL-2.0-only
//! Removing the folders of buffers that were to outlive a crash (`--shm-path`), when the buffers are given up.
//!
//! The consumer daemon removes its files at its own time; the folders go after them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Context;
use crate::helper::Operation as PathOperation;

/// First pause, after which the folders are tried again, and the longest one: then they are left where they are.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

/// Removing folders.
#[derive(Debug)]
pub struct Removal {
    owner: (u32, u32),
    root: PathBuf,
    folders: Vec<PathBuf>,
    pause: Duration,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Try,
    Tried,
    Wait(Instant),
}

impl Removal {
    /// Removes these folders of a user, and those above up to `root`.
    pub fn new(owner: (u32, u32), root: PathBuf, folders: Vec<PathBuf>) -> Self {
        Removal { owner, root, folders, pause: FIRST_PAUSE, phase: Phase::Try }
    }

    /// Whether there is nothing left to do. What can't be removed is left.
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            self.phase = match self.phase {
                Phase::Try => {
                    for path in self.folders.iter().cloned() {
                        let root = self.root.clone();
                        let operation = PathOperation::RemoveSharedMemory { root, path };
                        context.path_operation(self.owner, operation);
                    }
                    Phase::Tried
                }
                Phase::Tried => match context.answered() {
                    None if !context.expired() => return false,
                    Some(jobs) if jobs.failures.contains(&libc::ENOTEMPTY) && self.pause <= LONGEST_PAUSE => {
                        let until = context.look_again_after(self.pause);
                        self.pause = self.pause.saturating_mul(2);
                        Phase::Wait(until)
                    }
                    _ => return true,
                },
                Phase::Wait(until) if context.daemon.now < until && !context.expired() => return false,
                Phase::Wait(_) => Phase::Try,
            }
        }
    }
}
