// SPDX-License-Identifier: GPL-2.0-only
//! The shared memory word on which applications wait for a session daemon.
//!
//! An application that found no daemon sleeps in `futex(FUTEX_WAIT, 0)` on the 32-bit word at offset 0 of
//! `/lttng-ust-wait-8` (daemon of root) or `/lttng-ust-wait-8-UID` (daemon of that user). The daemon
//! stores 1 and wakes them once its application socket listens, and stores 0 when it leaves. The object
//! is never unlinked: applications keep it mapped. (`lttng-ust 2.13: src/lib/lttng-ust/lttng-ust-comm.c`,
//! `lttng-tools 2.13: src/common/shm.c`)
//!
//! The word must never be written through a mapping: applications made the object in a folder where
//! everybody may write, and one that shortens it would kill the daemon with SIGBUS.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::sys::shm;

/// Where the C library keeps POSIX shared memory objects.
pub const SHM_DIRECTORY: &str = "/dev/shm";

/// The word: no daemon.
const ABSENT: u32 = 0;
/// The word: the daemon listens.
const LISTENING: u32 = 1;

/// The wait word of one daemon.
#[derive(Debug)]
pub struct WaitWord {
    object: File,
    path: PathBuf,
}

impl WaitWord {
    /// Opens or makes the object of the daemon of `uid` in `directory` (normally [`SHM_DIRECTORY`]).
    /// Root's is 0:0 with mode 0664; a user's belongs to that user, and is 0660 when it is made here.
    ///
    /// # Errors
    /// What the system says; the daemon can go on without, but waiting applications will not connect.
    pub fn open(directory: &Path, uid: u32, gid: u32) -> io::Result<WaitWord> {
        let root = uid == 0;
        let path = directory.join(object_name(uid));
        let object = open_or_make(&path, if root { 0o664 } else { 0o660 })?;
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?.unwrap_or(4096);
        object.set_len(u64::try_from(page).unwrap_or(4096))?;
        if root {
            fchown(&object, Some(0), Some(0))?;
            object.set_permissions(Permissions::from_mode(0o664))?;
        } else {
            fchown(&object, Some(uid), Some(gid))?;
        }
        Ok(WaitWord { object, path })
    }

    /// Where the object is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that the daemon listens and wakes the applications that wait. Returns how many were woken.
    ///
    /// # Errors
    /// What the system says.
    pub fn publish(&self) -> io::Result<usize> {
        self.store(LISTENING)?;
        shm::wake_all(self.object.as_fd())
    }

    /// Says that the daemon is gone. Nobody is woken: there is nothing to connect to.
    ///
    /// # Errors
    /// What the system says.
    pub fn withdraw(&self) -> io::Result<()> {
        self.store(ABSENT)
    }

    /// A write cannot be seen half done: 0 and 1 differ in one byte.
    fn store(&self, value: u32) -> io::Result<()> {
        self.object.write_all_at(&value.to_ne_bytes(), 0)
    }
}

/// The name of the object, without the leading slash that `shm_open` wants.
fn object_name(uid: u32) -> String {
    if uid == 0 { "lttng-ust-wait-8".to_owned() } else { format!("lttng-ust-wait-8-{uid}") }
}

/// Opens the object, or makes it with exactly `mode`.
///
/// An existing one is opened without `O_CREAT`: with it, the sysctl `fs.protected_regular` refuses an
/// object that an application of another user made.
fn open_or_make(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(mode).custom_flags(libc::O_NOFOLLOW);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    match options.create_new(true).open(path) {
        Ok(object) => {
            // What the umask took away is given back; changing the umask would change it for all.
            object.set_permissions(Permissions::from_mode(mode))?;
            Ok(object)
        }
        // An application was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.create_new(false).open(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use nix::unistd::{getgid, getuid};

    use super::*;

    /// A folder on a file system in memory, where waiting on a file's page works like on an object.
    fn folder(name: &str) -> PathBuf {
        let path = Path::new(SHM_DIRECTORY).join(format!("lttng-wait-test-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        path
    }

    fn word(path: &Path) -> u32 {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(bytes.len(), 4096);
        u32::from_ne_bytes(bytes[..4].try_into().unwrap())
    }

    #[test]
    fn the_word_says_whether_a_daemon_listens() {
        let folder = folder("word");
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        let object = WaitWord::open(&folder, uid, gid).unwrap();
        let path = object.path().to_owned();
        assert_eq!(word(&path), 0);
        assert_eq!(object.publish().unwrap(), 0);
        assert_eq!(word(&path), 1);
        object.withdraw().unwrap();
        assert_eq!(word(&path), 0);
        drop(object);
        assert!(path.exists());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn owners_modes_and_names() {
        let folder = folder("owner");
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        let object = WaitWord::open(&folder, uid, gid).unwrap();
        let metadata = object.object.metadata().unwrap();
        let mode = if uid == 0 { 0o664 } else { 0o660 };
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (uid, gid, mode));
        assert_eq!(object_name(0), "lttng-ust-wait-8");
        assert_eq!(object_name(1000), "lttng-ust-wait-8-1000");
        if uid == 0 {
            let object = WaitWord::open(&folder, 1234, 77).unwrap();
            let metadata = object.object.metadata().unwrap();
            assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (1234, 77, 0o660));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn one_made_by_an_application_is_used_and_a_short_one_does_no_harm() {
        let folder = folder("found");
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        let path = folder.join(object_name(uid));
        std::fs::write(&path, []).unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        let object = WaitWord::open(&folder, uid, gid).unwrap();
        assert_eq!(object.object.metadata().unwrap().ino(), inode);
        // Somebody shortens it: no signal, and the word is there again.
        object.object.set_len(0).unwrap();
        object.publish().unwrap();
        assert_eq!(object.object.metadata().unwrap().len(), 4);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let folder = folder("link");
        let uid = getuid().as_raw();
        std::fs::write(folder.join("target"), b"precious").unwrap();
        std::os::unix::fs::symlink("target", folder.join(object_name(uid))).unwrap();
        assert!(WaitWord::open(&folder, uid, getgid().as_raw()).is_err());
        assert_eq!(std::fs::read(folder.join("target")).unwrap(), b"precious");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_waiting_process_is_woken() {
        let folder = folder("wake");
        let object = WaitWord::open(&folder, getuid().as_raw(), getgid().as_raw()).unwrap();
        let waiter = shm::tests::spawn_waiter(&object.object);
        let mut woken = 0;
        // The waiter may not sleep yet when the word changes.
        for _ in 0..500 {
            woken += object.publish().unwrap();
            if woken > 0 {
                break;
            }
            object.withdraw().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert_eq!(woken, 1);
        assert!(waiter.join().unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
