// SPDX-License-Identifier: GPL-2.0-only
//! Making the folders of a trace chunk: one for each set of buffers. There may be hundreds, and the helper does not
//! take any number at once.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::Context;
use crate::daemon::FOLDER_MODE;
use crate::helper::Operation as PathOperation;

/// Folders that the helper is asked for at once.
const AT_ONCE: usize = 64;

/// Folders that could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotMade;

/// The folders of a chunk.
#[derive(Debug)]
pub struct Folders {
    owner: (u32, u32),
    /// Those still to be asked for. The first one, made last, is opened: consumer daemons write below it.
    left: Vec<PathBuf>,
}

impl Folders {
    /// Has the folders of a chunk in `folder` made, as `owner`. `paths` are those of its buffers.
    pub fn make(
        owner: (u32, u32),
        folder: &str,
        paths: impl Iterator<Item = String>,
        context: &mut Context<'_>,
    ) -> Self {
        let below = paths.map(|path| format!("{folder}/ust/{path}/index").into());
        let left = std::iter::once(PathBuf::from(format!("{folder}/ust"))).chain(below).collect();
        let mut folders = Folders { owner, left };
        folders.ask(context);
        folders
    }

    /// The opened folder once all are there.
    pub fn step(&mut self, context: &mut Context<'_>) -> Option<Result<OwnedFd, NotMade>> {
        match context.answered() {
            None => context.expired().then_some(Err(NotMade)),
            Some(jobs) if jobs.failed() => Some(Err(NotMade)),
            Some(jobs) if self.left.is_empty() => Some(jobs.descriptor.ok_or(NotMade)),
            Some(_) => {
                self.ask(context);
                None
            }
        }
    }

    fn ask(&mut self, context: &mut Context<'_>) {
        context.renew();
        for _ in 0..AT_ONCE {
            let Some(path) = self.left.pop() else { break };
            let operation = if self.left.is_empty() {
                PathOperation::MakeAndOpenDirectory { path, mode: FOLDER_MODE }
            } else {
                PathOperation::MakeDirectories { path, mode: FOLDER_MODE }
            };
            context.path_operation(self.owner, operation);
        }
    }
}
