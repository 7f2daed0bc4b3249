// SPDX-License-Identifier: GPL-2.0-only
//! Waking those who wait on a futex word in a shared memory object.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::{null, null_mut};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// Wakes every process that waits on the 32-bit word at offset 0 of the object. Returns how many.
///
/// The word itself is not touched here, neither read nor written: whoever may write to the object could
/// shorten it, and an access to the missing page would be a SIGBUS. The kernel says EFAULT instead.
///
/// # Errors
/// What `mmap(2)` and `futex(2)` say.
pub fn wake_all(object: BorrowedFd<'_>) -> io::Result<usize> {
    let length = NonZeroUsize::MIN;
    // SAFETY: a new mapping at an address of the kernel's choice; nothing refers to it after `munmap`.
    let word = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, object, 0) }?;
    // SAFETY: FUTEX_WAKE uses the address only to find the waiters; the unused arguments are null.
    let woken = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE,
            libc::c_int::MAX,
            null::<libc::timespec>(),
            null_mut::<u32>(),
            0,
        )
    };
    let result = usize::try_from(woken).map_err(|_| io::Error::last_os_error());
    // SAFETY: exactly the mapping made above.
    unsafe { munmap(word, length.get()) }?;
    result
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::thread::JoinHandle;

    use super::*;

    /// A thread that does what an application does: waits through a mapping of its own while the word
    /// is 0. It ends only when the kernel wakes it.
    pub(crate) fn spawn_waiter(object: &File) -> JoinHandle<bool> {
        let object = object.try_clone().unwrap();
        std::thread::spawn(move || {
            let length = NonZeroUsize::new(4096).unwrap();
            // SAFETY: a new mapping, used only below.
            let word =
                unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, object.as_fd(), 0) }
                    .unwrap();
            let mut woken = false;
            while !woken {
                // SAFETY: waits on the word mapped above while it is 0; no time limit.
                let done = unsafe {
                    libc::syscall(
                        libc::SYS_futex,
                        word.as_ptr(),
                        libc::FUTEX_WAIT,
                        0u32,
                        null::<libc::timespec>(),
                        null_mut::<u32>(),
                        0,
                    )
                };
                woken = done == 0;
            }
            // SAFETY: exactly the mapping made above.
            unsafe { munmap(word, length.get()) }.unwrap();
            woken
        })
    }
}
