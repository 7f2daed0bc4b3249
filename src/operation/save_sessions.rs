// SPDX-License-Identifier: GPL-2.0-only
//! Saving the configurations of sessions, one after the other: the folder is made, then the file, by the helper and in the
//! name of the client.
//!
//! The text of a configuration may be longer than a message to the helper can be, so it goes there as memory. It is made
//! when its turn comes, so that there is one at a time.

use std::io;
use std::rc::Rc;
use std::task::{Poll, ready};

use log::Level;

use super::answer::{Answer, Failure, Unsaved};
use super::cx::{Answers, Cx};
use super::task::Task;
use crate::config::save::{Unsavable, save};
use crate::helper::PathJob;
use crate::sys::shared_memory;
use crate::turn::ids::{Identity, SessionId};
use crate::turn::messages::Topic;
use crate::turn::output::SharedFd;

/// Longest path, the NUL included.
const PATH_MAX: usize = 4096;
/// What the name of a file ends with.
const EXTENSION: &str = ".lttng";
/// Permission bits of folders that are made.
const FOLDER_MODE: u32 = 0o770;
/// Permission bits of files.
const FILE_MODE: u32 = 0o660;

/// Saving sessions.
#[derive(Debug)]
pub struct SaveSessions {
    /// In whose name files are written.
    client: Identity,
    directory: String,
    /// Files that exist are replaced.
    overwrite: bool,
    /// Those still to be saved, the last one first.
    left: Vec<SessionId>,
    /// The client named the only session: it is missed if it is gone.
    named: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The next session's turn has come.
    Next,
    /// The folder is being made.
    Folder(File),
    /// The file is being written, or it is being found out whether it could be: why it is not.
    File(Option<Failure>),
}

/// A file that is to be written.
#[derive(Debug)]
struct File {
    path: String,
    /// What is in it.
    text: Result<SharedFd, Failure>,
}

impl SaveSessions {
    /// Saves sessions in this order, each in a file of its name. The client `named` the only one.
    pub fn new(
        client: Identity,
        directory: String,
        overwrite: bool,
        mut sessions: Vec<SessionId>,
        named: bool,
    ) -> Self {
        sessions.reverse();
        SaveSessions { client, directory, overwrite, left: sessions, named, phase: Phase::Next }
    }

    /// The file of the next session, once no task holds that, or nothing if there is none left.
    fn next_file(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Option<File>, Failure>> {
        while let Some(&id) = self.left.last() {
            match cx.state.sessions.get(id).filter(|session| !session.is_going()) {
                Some(session) => {
                    if session.recording.holder.is_none() {
                        self.left.pop();
                        return Poll::Ready(self.file_of(cx, id).map(Some));
                    }
                    if cx.expired() {
                        return Poll::Ready(Err(Failure::NotSaved(Unsaved::NotWritten)));
                    }
                    return Poll::Pending;
                }
                _ if self.named => return Poll::Ready(Err(Failure::SessionGone)),
                _ => self.left.pop(),
            };
        }
        Poll::Ready(Ok(None))
    }

    fn file_of(&self, cx: &mut Cx<'_>, id: SessionId) -> Result<File, Failure> {
        let session = cx.session(id)?;
        let name = &session.wanted.name;
        // The original counts both a NUL and one more byte.
        let length = self.directory.len().saturating_add(name.len()).saturating_add(EXTENSION.len());
        if length.saturating_add(3) > PATH_MAX {
            return Err(Failure::NotSaved(Unsaved::NoFolder));
        }
        let path = format!("{}/{name}{EXTENSION}", self.directory);
        let text = save(&session.wanted, session.is_active()).map_err(|why| {
            Failure::NotSaved(match why {
                Unsavable::Text => Unsaved::Inexpressible,
                Unsavable::NoControl => Unsaved::NoControl,
                Unsavable::NoData => Unsaved::NoData,
            })
        });
        let text = text.and_then(|text| {
            shared_memory::of_text(text.as_bytes()).map(Rc::new).map_err(|error| {
                self.say(cx, &error);
                Failure::NotSaved(Unsaved::NotWritten)
            })
        });
        Ok(File { path, text })
    }

    /// Has the file written. If there is no text for it, what the client is told depends on whether the file could have
    /// been made, as with the original.
    fn write(&self, cx: &mut Cx<'_>, File { path, text }: File) -> Option<Failure> {
        let job = PathJob::SaveFile { path: path.into(), mode: FILE_MODE, overwrite: self.overwrite };
        match text {
            Ok(text) => {
                cx.ask_helper_about(self.client, job, text);
                None
            }
            Err(why) => {
                cx.ask_helper(self.client, job, 0);
                Some(why)
            }
        }
    }

    /// Why what the helper was asked for was not done, if it was not.
    fn trouble(&self, cx: &mut Cx<'_>, answers: &Answers) -> Option<i32> {
        if answers.all_well() {
            return None;
        }
        let late = if answers.late { libc::ETIMEDOUT } else { libc::EIO };
        let errno = answers.failures.first().copied().unwrap_or(late);
        self.say(cx, &io::Error::from_raw_os_error(errno));
        Some(errno)
    }

    fn say(&self, cx: &mut Cx<'_>, error: &io::Error) {
        let text = format_args!("A session can't be saved in {}: {error}", self.directory);
        cx.state.turn.say(Level::Warn, Topic::Folders, Some(self.client.uid), text);
    }
}

impl Task for SaveSessions {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        loop {
            self.phase = match std::mem::replace(&mut self.phase, Phase::Next) {
                Phase::Next => match ready!(self.next_file(cx))? {
                    None => return Poll::Ready(Ok(Answer::Done)),
                    Some(file) => {
                        cx.renew();
                        let path = self.directory.clone().into();
                        cx.ask_helper(self.client, PathJob::MakeDirectories { path, mode: FOLDER_MODE }, 0);
                        Phase::Folder(file)
                    }
                },
                Phase::Folder(file) => {
                    let Poll::Ready(answers) = cx.answers() else {
                        self.phase = Phase::Folder(file);
                        return Poll::Pending;
                    };
                    if self.trouble(cx, &answers).is_some() {
                        return Poll::Ready(Err(Failure::NotSaved(Unsaved::NoFolder)));
                    }
                    Phase::File(self.write(cx, file))
                }
                Phase::File(missing) => {
                    let Poll::Ready(answers) = cx.answers() else {
                        self.phase = Phase::File(missing);
                        return Poll::Pending;
                    };
                    let unsaved = self.trouble(cx, &answers).map(|errno| match errno {
                        libc::EEXIST => Unsaved::Exists,
                        libc::EACCES => Unsaved::Denied,
                        _ => Unsaved::NotWritten,
                    });
                    if let Some(why) = unsaved.map(Failure::NotSaved).or(missing) {
                        return Poll::Ready(Err(why));
                    }
                    Phase::Next
                }
            };
        }
    }
}
