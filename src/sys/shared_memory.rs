// SPDX-License-Identifier: GPL-2.0-only
//! Memory that is shared with other processes, which may write to it, and is never mapped here.
//!
//! What is made here has no name, so that nothing is left behind, and its size is sealed: nobody can take away what others
//! have mapped. Consumer daemons make theirs where it has names; here it is seen how much room there is.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{FcntlArg, SealFlag, fcntl, posix_fallocate};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use nix::sys::uio::{pread, pwrite};

/// Where shared memory with names is.
const FOLDER: &str = "/dev/shm";

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that anybody can still take.
    pub free: u64,
    /// Bytes that there are in all.
    pub total: u64,
}

impl Space {
    /// The room on the file system of this path. It takes as long as the way there.
    ///
    /// # Errors
    /// What `statvfs(3)` says.
    pub fn at(path: &Path) -> io::Result<Space> {
        let found = statvfs(path)?;
        let unit = wide(found.fragment_size());
        let bytes = |blocks: u64| blocks.saturating_mul(unit);
        Ok(Space { free: bytes(wide(found.blocks_available())), total: bytes(wide(found.blocks())) })
    }
}

/// A number whose type depends on the machine.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

/// Whether shared memory with names is on a file system that answers at once.
pub fn is_quick() -> bool {
    statfs(FOLDER).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC)
}

/// Room for shared memory with names. To be asked if that [is quick](is_quick). Nothing if it has no limit.
pub fn space() -> Option<Space> {
    Space::at(Path::new(FOLDER)).ok().filter(|space| space.total > 0)
}

/// Makes memory of `length` bytes, all zero. It is there: who maps it can't run out of it.
///
/// # Errors
/// There is no descriptor or no memory for it.
pub fn create(length: u64) -> io::Result<OwnedFd> {
    let memory = memfd_create(c"lttng-sessiond", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let length = i64::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    posix_fallocate(&memory, 0, length)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(memory.as_fd(), FcntlArg::F_ADD_SEALS(seals))?;
    Ok(memory)
}

/// Makes memory that holds this text and that nobody can change. What is read from it begins at its beginning.
///
/// # Errors
/// There is no descriptor or no memory for it.
pub fn of_text(text: &[u8]) -> io::Result<OwnedFd> {
    let memory = memfd_create(c"lttng-sessiond", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = File::from(memory);
    file.write_all(text)?;
    file.rewind()?;
    let seals =
        SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(file.as_fd(), FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// The number in the 32 bits at `offset`.
///
/// # Errors
/// What `pread(2)` says; `UnexpectedEof` beyond the end.
pub fn read(memory: BorrowedFd<'_>, offset: u64) -> io::Result<i32> {
    let mut bytes = [0; 4];
    let count = pread(memory, &mut bytes, at(offset)?)?;
    if count == bytes.len() {
        Ok(i32::from_ne_bytes(bytes))
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Sets the 32 bits at `offset`.
///
/// # Errors
/// What `pwrite(2)` says; `WriteZero` beyond the end.
pub fn write(memory: BorrowedFd<'_>, offset: u64, value: i32) -> io::Result<()> {
    let bytes = value.to_ne_bytes();
    let count = pwrite(memory, &bytes, at(offset)?)?;
    if count == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

fn at(offset: u64) -> io::Result<i64> {
    i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn text_is_read_from_its_beginning_and_stays_as_it_is() {
        let mut memory = File::from(of_text(b"some text").unwrap());
        let mut text = String::new();
        memory.read_to_string(&mut text).unwrap();
        assert_eq!(text, "some text");
        assert!(memory.rewind().and_then(|()| memory.write_all(b"x")).is_err());
        assert!(memory.set_len(1).is_err());
        assert_eq!(File::from(of_text(b"").unwrap()).read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn it_is_zero_and_keeps_its_size() {
        let memory = create(426).unwrap();
        assert_eq!(read(memory.as_fd(), 400).unwrap(), 0);
        write(memory.as_fd(), 400, -7).unwrap();
        assert_eq!(read(memory.as_fd(), 400).unwrap(), -7);
        assert_eq!(read(memory.as_fd(), 424).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let file = File::from(memory.try_clone().unwrap());
        assert_eq!(file.metadata().unwrap().len(), 426);
        assert!(file.set_len(4).is_err() && file.set_len(5000).is_err());
        // A tracer may set the size to what it is.
        file.set_len(426).unwrap();
        assert!(write(memory.as_fd(), 426, 1).is_err());
    }
}
