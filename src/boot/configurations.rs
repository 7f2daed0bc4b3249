// SPDX-License-Identifier: GPL-2.0-only
//! Recording session configurations that are loaded at the start: which files there are, and what they say.
//!
//! All of them are read before the loop turns, where waiting for a file system does no harm that the rest of the start,
//! which reads its own configuration from the same places, does not do. So every file is known to be whole and right
//! before anything is done; what is done then is the loop's work. Nothing here is waited for that is no regular file.
//!
//! Order, ownership, words: lttng-tools 2.13, `src/bin/lttng-sessiond/load-session-thread.c` and
//! `src/common/config/session-config.c`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::config::document::MAX_FILE;
use crate::config::read::read;
use crate::config::{FaultKind, SessionConfiguration};

/// Configurations of the system.
pub const SYSTEM: &str = "/etc/lttng/sessions/auto";
/// Configurations of a user, below the home directory.
const OF_HOME: &str = ".lttng/sessions/auto";
/// How the names of files in a directory end.
const ENDING: &[u8] = b".lttng";

/// Where configurations are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Places {
    /// A file or a directory (`--load`).
    This(PathBuf),
    /// Two directories that need not be there.
    Usual {
        home: Option<PathBuf>,
        system: PathBuf,
        /// Whose directories are used; `None` for everybody's, which is root's way.
        owner: Option<u32>,
    },
}

/// Why nothing is loaded. `Display` is the word of `lttng_strerror`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// There is no file of this name (`--load`).
    NoSuchPath,
    /// A file can't be read, for want of permission.
    Denied,
    /// A file can't be opened.
    Absent,
    /// What is in a file can't be understood.
    Unreadable,
    /// A file is no configuration.
    Invalid,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Failure::NoSuchPath => "Invalid parameter",
            Failure::Denied => "Permission denied",
            Failure::Absent => "Session file not found",
            Failure::Unreadable => "IO error while reading a session configuration",
            Failure::Invalid => "Invalid session configuration",
        })
    }
}

impl std::error::Error for Failure {}

/// What is to be loaded.
#[derive(Debug, Default)]
pub struct Configurations {
    /// The sessions of all files, in the order in which they are to be made.
    pub sessions: Vec<SessionConfiguration>,
    /// The programs in which the kernel is to place probes, as far as they can be opened.
    pub programs: BTreeMap<String, OwnedFd>,
}

/// Reads all that is to be loaded, and says what is wrong with a file.
///
/// # Errors
/// The first file that can't be used; nothing is to be loaded then.
pub fn find(places: &Places) -> Result<Configurations, Failure> {
    let mut found = Configurations::default();
    match places {
        Places::This(path) => found.add_path(path)?,
        Places::Usual { home, system, owner } => {
            let home = home.as_ref().map(|home| home.join(OF_HOME));
            for directory in home.iter().chain([system]) {
                if is_usable(directory, *owner) {
                    found.add_directory(directory)?;
                }
            }
        }
    }
    let programs: Vec<String> = found.sessions.iter().flat_map(programs).map(str::to_owned).collect();
    for program in programs {
        if let Ok((file, _)) = open(Path::new(&program)) {
            found.programs.insert(program, file.into());
        }
    }
    Ok(found)
}

/// The programs that a session's probes sit in.
fn programs(session: &SessionConfiguration) -> impl Iterator<Item = &str> {
    let channels = session.domains.iter().flat_map(|domain| domain.channels.iter().flatten());
    let events = channels.flat_map(|channel| &channel.events);
    events.filter_map(|event| event.program.as_ref()).map(|probe| probe.binary())
}

/// Whether there is a directory, and it is one of those that count.
fn is_usable(directory: &Path, owner: Option<u32>) -> bool {
    let Ok(metadata) = fs::metadata(directory) else { return false };
    match owner {
        Some(uid) if uid != metadata.uid() => {
            log::debug!("{} is not used: it belongs to user {}", directory.display(), metadata.uid());
            false
        }
        _ => metadata.is_dir(),
    }
}

impl Configurations {
    fn add_path(&mut self, path: &Path) -> Result<(), Failure> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.add_directory(path),
            Ok(_) => self.add_file(path),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Failure::Denied),
            Err(_) => {
                log::warn!("Session configuration path does not exist.");
                Err(Failure::NoSuchPath)
            }
        }
    }

    /// Adds the files of a directory, in the order of their names.
    fn add_directory(&mut self, directory: &Path) -> Result<(), Failure> {
        let entries = fs::read_dir(directory).and_then(|entries| {
            let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
            names.collect::<io::Result<Vec<_>>>()
        });
        let mut names = entries.map_err(|error| cause(directory, &error))?;
        names.retain(|name| is_named_like_one(name));
        names.sort_unstable();
        for name in names {
            match self.add_file(&directory.join(name)) {
                // Gone meanwhile, or a link to nowhere.
                Err(Failure::Absent) => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Failure> {
        let bytes = contents(path)?;
        match read(&bytes) {
            Ok(configuration) => {
                self.sessions.extend(configuration.sessions);
                Ok(())
            }
            Err(fault) => {
                log::error!("{}:{fault}", path.display());
                match fault.kind {
                    FaultKind::Malformed => Err(Failure::Unreadable),
                    FaultKind::Invalid => {
                        log::error!("Session configuration file validation failed");
                        Err(Failure::Invalid)
                    }
                }
            }
        }
    }
}

fn is_named_like_one(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.len() > ENDING.len() && name.ends_with(ENDING)
}

/// What is in a file. One that is too long is read as far as it takes to find that out.
fn contents(path: &Path) -> Result<Vec<u8>, Failure> {
    let (file, length) = open(path).map_err(|error| cause(path, &error))?;
    let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(most)).unwrap_or(0));
    match file.take(most).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(cause(path, &error)),
    }
}

/// Opens a regular file, and says how long it is.
///
/// # Errors
/// What the system says; `InvalidData` for what is no regular file, which is not even opened: some devices do
/// something then, and a pipe is waited for.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let is_file = |metadata: &fs::Metadata| {
        if metadata.is_file() {
            Ok(metadata.len())
        } else {
            Err(io::Error::new(ErrorKind::InvalidData, "no regular file"))
        }
    };
    is_file(&fs::metadata(path)?)?;
    let options = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(options).open(path)?;
    let length = is_file(&file.metadata()?)?;
    Ok((file, length))
}

fn cause(path: &Path, error: &io::Error) -> Failure {
    log::debug!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::PermissionDenied => Failure::Denied,
        ErrorKind::InvalidData | ErrorKind::IsADirectory => Failure::Unreadable,
        _ => Failure::Absent,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use nix::sys::stat::Mode;

    use super::*;

    /// A folder of its own, removed in the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("configurations-{}-{number}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn put(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn session(name: &str) -> String {
        format!("<sessions><session><name>{name}</name></session></sessions>")
    }

    fn names(places: &Places) -> Result<Vec<String>, Failure> {
        let found = find(places)?;
        Ok(found.sessions.into_iter().map(|session| session.name).collect())
    }

    fn load(path: impl Into<PathBuf>) -> Result<Vec<String>, Failure> {
        names(&Places::This(path.into()))
    }

    #[test]
    fn a_file_or_the_files_of_a_directory() {
        let folder = Folder::new();
        let file = folder.put("any name", &session("alone"));
        for name in ["b", "a", "c"] {
            folder.put(&format!("dir/{name}.lttng"), &session(name));
        }
        folder.put("dir/.lttng", "no");
        folder.put("dir/other.txt", "no");
        folder.put("dir/auto/d.lttng", "no");
        symlink("nowhere", folder.0.join("dir/nowhere.lttng")).unwrap();
        symlink("a.lttng", folder.0.join("dir/z.lttng")).unwrap();
        assert_eq!(load(&file).unwrap(), ["alone"]);
        assert_eq!(load(folder.0.join("dir")).unwrap(), ["a", "b", "c", "a"]);
        assert_eq!(load(folder.0.join("nothing")), Err(Failure::NoSuchPath));
    }

    #[test]
    fn what_can_not_be_read() {
        let folder = Folder::new();
        nix::unistd::mkfifo(&folder.0.join("fifo.lttng"), Mode::S_IRWXU).unwrap();
        fs::create_dir_all(folder.0.join("sub/dir.lttng")).unwrap();
        folder.put("half", "<sessions>");
        folder.put("wrong/x.lttng", "<sessions/>");
        folder.put("wrong/y.lttng", &session("y"));
        symlink("loop", folder.0.join("loop")).unwrap();
        for (name, failure) in [
            ("fifo.lttng", Failure::Unreadable),
            ("", Failure::Unreadable),
            ("sub", Failure::Unreadable),
            ("half", Failure::Unreadable),
            ("wrong", Failure::Invalid),
            ("loop", Failure::NoSuchPath),
            ("half/x", Failure::NoSuchPath),
        ] {
            assert_eq!(load(folder.0.join(name)), Err(failure), "{name}");
        }
        assert_eq!(load("/dev/null"), Err(Failure::Unreadable));
        assert_eq!(load("/dev/zero"), Err(Failure::Unreadable));
        assert_eq!(load("/proc/self/environ"), Err(Failure::Unreadable));
    }

    #[test]
    fn the_usual_directories() {
        let folder = Folder::new();
        let (home, system) = (folder.0.join("home"), folder.0.join("system"));
        let usual = |owner| Places::Usual { home: Some(home.clone()), system: system.clone(), owner };
        assert_eq!(names(&usual(None)).unwrap(), [""; 0]);
        folder.put("system/x.lttng", &session("of the system"));
        folder.put("home/.lttng/sessions/auto/y.lttng", &session("mine"));
        assert_eq!(names(&usual(None)).unwrap(), ["mine", "of the system"]);
        let me = nix::unistd::getuid().as_raw();
        assert_eq!(names(&usual(Some(me))).unwrap(), ["mine", "of the system"]);
        assert_eq!(names(&usual(Some(me + 1))).unwrap(), [""; 0]);
        folder.put("home/.lttng/sessions/auto/z.lttng", "");
        assert_eq!(names(&usual(None)), Err(Failure::Unreadable));
    }

    #[test]
    fn programs_are_opened() {
        let vector = "protocol/tests/vectors/session-config/k-events.lttng";
        let found = find(&Places::This(Path::new(env!("CARGO_MANIFEST_DIR")).join(vector))).unwrap();
        let wanted: Vec<&str> = found.sessions.iter().flat_map(programs).collect();
        assert!(!wanted.is_empty());
        for program in wanted {
            assert_eq!(found.programs.contains_key(program), Path::new(program).is_file(), "{program}");
        }
    }
}
