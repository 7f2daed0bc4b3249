// SPDX-License-Identifier: GPL-2.0-only
//! Moving and removing the folders of trace chunks.
//!
//! Only what the daemon made itself is touched: a session's directory may hold other things of its user.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// The folders that a chunk may have, one for each domain.
const DOMAINS: [&str; 2] = ["ust", "kernel"];

/// Moves a chunk to `to`, whose parent must be there. If `whole`, the folder itself is the chunk's; else only the
/// domains' folders in it are, and it goes when nothing else is in it.
///
/// # Errors
/// What the system says; EEXIST or ENOTEMPTY when there is something at the new place.
pub fn shift(from: &Path, to: &Path, whole: bool) -> io::Result<()> {
    if whole {
        return match fs::rename(from, to) {
            // It was moved by a helper that did not live to say so.
            Err(error) if error.kind() == ErrorKind::NotFound && to.is_dir() => Ok(()),
            other => other,
        };
    }
    for domain in DOMAINS {
        match fs::rename(from.join(domain), to.join(domain)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => other?,
        }
    }
    // If it was the chunk's only, it is not needed any more.
    let _ = fs::remove_dir(from);
    Ok(())
}

/// Removes what is empty of a chunk's folders. If `whole`, the folder itself is the chunk's, too.
///
/// # Errors
/// What the system says; never that something is not empty, or not there.
pub fn remove_empty(folder: &Path, whole: bool) -> io::Result<()> {
    for domain in DOMAINS {
        remove_tree(&folder.join(domain))?;
    }
    if whole { gone(fs::remove_dir(folder)) } else { Ok(()) }
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        // Not what a link points at.
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    gone(fs::remove_dir(folder))
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn base(name: &str) -> PathBuf {
        let base = std::env::temp_dir().join(format!("chunk-{name}-{}", std::process::id()));
        fs::create_dir_all(base.join("session/ust/uid/0")).unwrap();
        base
    }

    #[test]
    fn a_chunk_is_moved_and_nothing_else() {
        let base = base("moved");
        let session = base.join("session");
        fs::write(session.join("ust/uid/0/file"), "data").unwrap();
        fs::write(session.join("notes"), "mine").unwrap();
        fs::create_dir_all(session.join("archives/one")).unwrap();
        shift(&session, &session.join("archives/one"), false).unwrap();
        assert!(session.join("archives/one/ust/uid/0/file").exists());
        assert!(!session.join("ust").exists() && session.join("notes").exists());
        shift(&session.join("archives/one"), &session.join("two"), true).unwrap();
        // Asked again, it is done already.
        shift(&session.join("archives/one"), &session.join("two"), true).unwrap();
        shift(&session.join("archives/one"), &session.join("three"), true).unwrap_err();
        assert!(session.join("two/ust/uid/0/file").exists() && !session.join("archives/one").exists());
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn what_is_not_empty_stays() {
        let base = base("removed");
        let session = base.join("session");
        fs::write(session.join("ust/file"), "mine").unwrap();
        remove_empty(&session, true).unwrap();
        assert!(session.join("ust/file").exists() && !session.join("ust/uid").exists());
        fs::remove_file(session.join("ust/file")).unwrap();
        remove_empty(&session, false).unwrap();
        assert!(session.exists() && !session.join("ust").exists());
        remove_empty(&session, true).unwrap();
        assert!(!session.exists());
        fs::remove_dir_all(&base).unwrap();
    }
}
