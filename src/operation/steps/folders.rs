// SPDX-License-Identifier: GPL-2.0-only
//! Making the folders of a trace chunk: one for each set of buffers, and one for each tracer above them. There may be
//! hundreds, and the helper does not take any number at once.

use std::path::PathBuf;
use std::rc::Rc;
use std::task::{Poll, ready};

use crate::consumer::verb::Tracer;
use crate::helper::PathJob;
use crate::operation::answer::Failure;
use crate::operation::cx::Cx;
use crate::state::FOLDER_MODE;
use crate::turn::ids::{BuffersKey, Identity, SessionId};
use crate::turn::output::SharedFd;

/// Folders that the helper is asked for at once.
const AT_ONCE: usize = 64;

/// The opened folder of each tracer in a chunk: its consumer daemons write below it.
pub type TracerFolders = Vec<(Tracer, SharedFd)>;

/// The folders of a chunk.
#[derive(Debug)]
pub struct Folders {
    owner: Identity,
    folder: String,
    /// Those still to be asked for, the last one first.
    left: Vec<PathBuf>,
    /// The tracers whose folders are opened, once all others are made.
    tracers: Vec<Tracer>,
    open: TracerFolders,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Folders are being made.
    Make,
    /// Those of the tracers are being opened.
    Open,
}

impl Folders {
    /// Has the folders of a session's chunk in `folder` made. `buffers` are those that record to it.
    ///
    /// # Errors
    /// The session is gone.
    pub fn make(
        cx: &mut Cx<'_>,
        session: SessionId,
        folder: String,
        buffers: &[BuffersKey],
    ) -> Result<Self, Failure> {
        let owner = cx.session(session)?.wanted.owner;
        let existing = buffers.iter().filter_map(|key| cx.state.buffers.get(key));
        // Nothing is written to `index`, but the stock daemon makes it.
        let mut left: Vec<PathBuf> =
            existing.map(|buffers| format!("{folder}/{}/index", buffers.folder()).into()).collect();
        let tracers = cx.state.tracers_of(session);
        if tracers.contains(&Tracer::Kernel) {
            left.push(format!("{folder}/{}/index", Tracer::Kernel.folder()).into());
        }
        let mut folders = Folders { owner, folder, left, tracers, open: Vec::new(), phase: Phase::Make };
        folders.ask(cx);
        Ok(folders)
    }

    /// The opened folders once all are there.
    pub fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<TracerFolders, Failure>> {
        loop {
            let answers = ready!(cx.answers());
            if !answers.all_well() {
                return Poll::Ready(Err(Failure::FolderNotMade));
            }
            for (item, folder) in answers.folders {
                if let Some(&tracer) = self.tracers.get(item) {
                    self.open.push((tracer, Rc::new(folder)));
                }
            }
            if self.phase == Phase::Open {
                let all = self.open.len() == self.tracers.len();
                return Poll::Ready(
                    Some(std::mem::take(&mut self.open)).filter(|_| all).ok_or(Failure::FolderNotMade),
                );
            }
            self.ask(cx);
        }
    }

    fn ask(&mut self, cx: &mut Cx<'_>) {
        cx.renew();
        let mode = FOLDER_MODE;
        for _ in 0..AT_ONCE {
            let Some(path) = self.left.pop() else {
                self.phase = Phase::Open;
                for (item, tracer) in self.tracers.iter().enumerate() {
                    let path = format!("{}/{}", self.folder, tracer.folder()).into();
                    cx.ask_helper(self.owner, PathJob::MakeAndOpenDirectory { path, mode }, item);
                }
                break;
            };
            cx.ask_helper(self.owner, PathJob::MakeDirectories { path, mode }, 0);
        }
    }
}
