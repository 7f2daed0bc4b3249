// SPDX-License-Identifier: GPL-2.0-only
//! Files that appear whole or not at all.
//!
//! The text is written to a file of another name in the same folder, which takes its place in the end. Nobody ever sees
//! half a text under the final name, and what was there before stays if anything fails. A symbolic link at the final name
//! must never be followed: it is replaced itself.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, PermissionsExt, fchown};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::unistd::{AccessFlags, UnlinkatFlags, faccessat, linkat, unlinkat};

use crate::sys::random;
use crate::sys::rename::no_replace;

/// Names tried for the file that is written.
const ATTEMPTS: usize = 4;
/// Bytes copied at once.
const PIECE: usize = 64 * 1024;

/// Writes all of `text` to a file with these permission bits, or only finds out whether that could be done. A file that is
/// replaced hands on its own permission bits, and its owner as far as that is allowed.
///
/// # Errors
/// EEXIST if something is there and is not to be replaced; EACCES if what is there can't be written to; EISDIR for a
/// folder; else what the system says.
pub fn save(path: &Path, text: Option<&File>, mode: u32, overwrite: bool) -> io::Result<()> {
    let place = Place::of(path)?;
    let before = place.before();
    if let Some(before) = &before {
        place.check_replaceable(before, overwrite)?;
    }
    let (beside, file) = place.create_beside()?;
    let before = before.filter(|before| kind(before) == SFlag::S_IFREG);
    let written = match text {
        Some(text) => write(&file, text)
            .and_then(|()| give(&file, mode, before.as_ref()))
            .and_then(|()| place.take(&beside, overwrite)),
        None => place.remove(&beside),
    };
    if written.is_err() {
        // There is nothing more to be done about it, and the first error is the one that tells.
        let _ = place.remove(&beside);
    }
    written
}

/// The place of a file: names are looked up in its folder, so that the other one may be longer than its own.
struct Place<'a> {
    folder: OwnedFd,
    name: &'a Path,
}

impl<'a> Place<'a> {
    fn of(path: &'a Path) -> io::Result<Self> {
        let folder = path.parent().filter(|_| path.is_absolute()).ok_or(ErrorKind::InvalidInput)?;
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Place { folder: open(folder, flags, Mode::empty())?, name: Path::new(name) })
    }

    /// What is there now, be it a symbolic link.
    fn before(&self) -> Option<FileStat> {
        fstatat(&self.folder, self.name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()
    }

    fn check_replaceable(&self, before: &FileStat, overwrite: bool) -> io::Result<()> {
        if !overwrite {
            return Err(Errno::EEXIST.into());
        }
        match kind(before) {
            SFlag::S_IFDIR => Err(Errno::EISDIR.into()),
            // The folder's owner could replace it all the same, but who protects a file wants to keep it.
            SFlag::S_IFREG => Ok(faccessat(&self.folder, self.name, AccessFlags::W_OK, AtFlags::empty())?),
            _ => Ok(()),
        }
    }

    /// A new file, whose name ends with nothing that anybody looks for. Nobody else may read it before it is known who may
    /// read what it replaces.
    fn create_beside(&self) -> io::Result<(String, File)> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut made = Err(Errno::EEXIST);
        for _ in 0..ATTEMPTS {
            let name: String = random::uuid()?.iter().map(|byte| format!("{byte:02x}")).collect();
            let name = format!(".lttng-save-{name}");
            made = openat(&self.folder, name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)
                .map(|file| (name, File::from(file)));
            if !matches!(made, Err(Errno::EEXIST)) {
                break;
            }
        }
        Ok(made?)
    }

    /// Gives a file its name.
    fn take(&self, beside: &str, overwrite: bool) -> io::Result<()> {
        let folder = self.folder.as_fd();
        if overwrite {
            return Ok(renameat(folder, beside, folder, self.name)?);
        }
        match no_replace(folder, Path::new(beside), self.name) {
            // The file system can't, but a second name is not given either if it is taken.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => {
                linkat(folder, beside, folder, self.name, AtFlags::empty())?;
                self.remove(beside)
            }
            other => other,
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.folder, name, UnlinkatFlags::NoRemoveDir)?)
    }
}

/// The kind of a file.
fn kind(file: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(file.st_mode & libc::S_IFMT)
}

/// Writes all of `text`, whose position is shared with others.
fn write(mut file: &File, text: &File) -> io::Result<()> {
    let (mut piece, mut offset) = (vec![0; PIECE], 0u64);
    loop {
        let length = match text.read_at(&mut piece, offset) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        };
        if length == 0 {
            break;
        }
        file.write_all(piece.get(..length).unwrap_or_default())?;
        offset = offset.saturating_add(length as u64);
    }
    Ok(())
}

/// Gives a file its owner and its permission bits, and has it on the disk.
fn give(file: &File, mode: u32, before: Option<&FileStat>) -> io::Result<()> {
    let mode = before.map_or(mode, |before| {
        let mode = before.st_mode & 0o777;
        // Only root can give it away; who else writes to another's file has it as its own from now on. The group may be
        // one of its own all the same.
        let given = fchown(file, Some(before.st_uid), Some(before.st_gid))
            .or_else(|_| fchown(file, None, Some(before.st_gid)));
        if given.is_ok() { mode } else { without_group(mode) }
    });
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Permission bits for a group that is not the one they were made for: it may do what everybody may.
fn without_group(mode: u32) -> u32 {
    mode & 0o707 | (mode & 0o007) << 3
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::PathBuf;

    use super::*;
    use crate::sys::shared_memory;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("save-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    fn text(text: &str) -> File {
        File::from(shared_memory::of_text(text.as_bytes()).unwrap())
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_written_and_replaced_only_if_it_may_be() {
        let folder = folder("replaced");
        let path = folder.join("s.lttng");
        let long = "x".repeat(3 * PIECE + 1);
        let memory = text(&long);
        save(&path, Some(&memory), 0o600, false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), long);
        let error = save(&path, Some(&text("other")), 0o600, false).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
        assert_eq!(fs::read_to_string(&path).unwrap(), long);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        save(&path, Some(&text("other")), 0o600, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "other");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        // The same memory once more, from its beginning.
        save(&folder.join("again"), Some(&memory), 0o600, false).unwrap();
        assert_eq!(fs::read_to_string(folder.join("again")).unwrap(), long);
        assert_eq!(names(&folder).len(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_others_may_do_is_not_more_than_before() {
        assert_eq!(without_group(0o660), 0o600);
        assert_eq!(without_group(0o664), 0o644);
        assert_eq!(without_group(0o606), 0o666);
        let folder = folder("exact");
        let place = folder.join("s.lttng");
        let (name, _file) = Place::of(&place).unwrap().create_beside().unwrap();
        assert_eq!(fs::metadata(folder.join(name)).unwrap().mode() & 0o777, 0o600, "while it is written");
        // The umask of these tests is not 0.
        save(&place, Some(&text("x")), 0o666, false).unwrap();
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o666);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn links_are_replaced_and_folders_are_not() {
        let folder = folder("links");
        let (path, target) = (folder.join("s.lttng"), folder.join("target"));
        fs::write(&target, "untouched").unwrap();
        symlink(&target, &path).unwrap();
        let error = save(&path, Some(&text("new")), 0o660, false).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
        save(&path, Some(&text("new")), 0o660, true).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = save(&path, Some(&text("new")), 0o660, true).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
        let error = save(Path::new("s.lttng"), Some(&text("new")), 0o660, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(names(&folder).len(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_fails_leaves_nothing_and_takes_nothing() {
        let folder = folder("fails");
        let path = folder.join("s.lttng");
        // Nothing is written when there is no text.
        save(&path, None, 0o660, false).unwrap();
        assert!(names(&folder).is_empty());
        fs::write(&path, "before").unwrap();
        // A text that can't be read.
        let unreadable = OpenOptions::new().write(true).open("/dev/null").unwrap();
        assert!(save(&path, Some(&unreadable), 0o660, true).is_err());
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(&folder).len()), ("before", 1));
        // A name that is too long is found out in the end.
        let long = folder.join("n".repeat(300));
        let error = save(&long, Some(&text("new")), 0o660, false).unwrap_err();
        assert_eq!((error.raw_os_error(), names(&folder).len()), (Some(libc::ENAMETOOLONG), 1));
        fs::remove_dir_all(&folder).unwrap();
    }
}
