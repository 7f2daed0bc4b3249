// SPDX-License-Identifier: GPL-2.0-only
//! Removing the folders of buffers that were to outlive a crash (`--shm-path`), when the buffers are given up.
//!
//! The consumer daemon removes its files at its own time; the folders go after them.

use std::path::PathBuf;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use crate::helper::PathJob;
use crate::operation::cx::Cx;
use crate::turn::ids::Identity;

/// First pause, after which the folders are tried again, and the longest one: then they are left where they are.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

/// Removing folders.
#[derive(Debug)]
pub struct Removal {
    owner: Identity,
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
    pub fn new(owner: Identity, root: PathBuf, folders: Vec<PathBuf>) -> Self {
        Removal { owner, root, folders, pause: FIRST_PAUSE, phase: Phase::Try }
    }

    /// Ready when there is nothing left to do. What can't be removed is left.
    pub fn step(&mut self, cx: &mut Cx<'_>) -> Poll<()> {
        loop {
            self.phase = match self.phase {
                Phase::Try => {
                    for path in self.folders.iter().cloned() {
                        let root = self.root.clone();
                        cx.ask_helper(self.owner, PathJob::RemoveSharedMemory { root, path }, 0);
                    }
                    Phase::Tried
                }
                Phase::Tried => {
                    let answers = ready!(cx.answers());
                    let full = !answers.late && answers.failures.contains(&libc::ENOTEMPTY);
                    if !full || self.pause > LONGEST_PAUSE {
                        return Poll::Ready(());
                    }
                    let until = cx.look_again_after(self.pause);
                    self.pause = self.pause.saturating_mul(2);
                    Phase::Wait(until)
                }
                Phase::Wait(until) if cx.now() < until && !cx.expired() => return Poll::Pending,
                Phase::Wait(_) => Phase::Try,
            }
        }
    }
}
