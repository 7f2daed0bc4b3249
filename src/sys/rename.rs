// SPDX-License-Identifier: GPL-2.0-only
//! Giving a file its name, if nothing else has it.
//!
//! The C library need not know this system call.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

/// Renames `from` to `to`, both in `folder`. What is called `to` already stays.
///
/// # Errors
/// What `renameat2(2)` says: EEXIST if there is such a file, EINVAL if the file system can't tell.
pub fn no_replace(folder: BorrowedFd<'_>, from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (CString::new(from.as_os_str().as_bytes())?, CString::new(to.as_os_str().as_bytes())?);
    let folder = folder.as_raw_fd();
    // SAFETY: both names end with a zero, and live until the call returns.
    let result = unsafe {
        libc::syscall(libc::SYS_renameat2, folder, from.as_ptr(), folder, to.as_ptr(), libc::RENAME_NOREPLACE)
    };
    Errno::result(result)?;
    Ok(())
}
