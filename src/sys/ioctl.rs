// SPDX-License-Identifier: GPL-2.0-only
//! Requests to drivers by their numbers: the one place where `ioctl(2)` is called.
//!
//! A request's number says how many bytes the driver reads and writes, except for a few. What would have the driver go
//! beyond the bytes that it is given is refused here. What a request means is for the caller to know.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The requests whose number does not say how much they read: a filter, and what is to be captured. A header comes
/// first, which begins with the number of bytes (32 bits) that follow it.
const WITH_HEADER: [u32; 2] = [0x0000_f690, 0x0000_f6b8];
/// Bytes of that header.
const HEADER: usize = 16;
/// A place in a program: its number does not say that it reads eight bytes.
const CALLSITE: (u32, usize) = (0x0000_f691, 8);
/// This one would write as many bits as its first bytes say.
const REFUSED: u32 = 0xc004_f664;

/// What a request takes.
#[derive(Debug)]
pub enum Argument<'a> {
    Nothing,
    /// A number, where others have an address.
    Value(i32),
    /// Bytes, which the driver may change.
    Bytes(&'a mut [u8]),
}

/// Whether the driver writes to the bytes that come with a request, as its number says.
pub fn writes(number: u32) -> bool {
    number >> 31 != 0
}

/// Makes a request that makes no descriptor. Brings the number that the driver returns.
///
/// # Errors
/// What the driver says; EINVAL if there are fewer bytes than it would use.
pub fn request(descriptor: BorrowedFd<'_>, number: u32, argument: Argument<'_>) -> io::Result<i32> {
    let address = match argument {
        Argument::Nothing => 0,
        Argument::Value(value) => libc::c_long::from(value),
        Argument::Bytes(bytes) if covers(bytes, number) => bytes.as_mut_ptr() as libc::c_long,
        Argument::Bytes(_) => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
    };
    // SAFETY: the address is none, or of bytes that are there until the call returns, and as many as the number says
    // that the driver uses.
    let result = unsafe { libc::syscall(libc::SYS_ioctl, descriptor.as_raw_fd(), number, address) };
    match i32::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes a request that makes a descriptor, which it must be known to do. The descriptor is close-on-exec.
///
/// # Errors
/// See [`request`]; EBADF if what it made is none.
pub fn request_descriptor(
    descriptor: BorrowedFd<'_>,
    number: u32,
    argument: Argument<'_>,
) -> io::Result<OwnedFd> {
    let made: RawFd = request(descriptor, number, argument)?;
    if made <= libc::STDERR_FILENO {
        // A driver that says only that all went well.
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the request is one that makes a descriptor, and this is its number; nobody else knows of it.
    let made = unsafe { OwnedFd::from_raw_fd(made) };
    fcntl(made.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(made)
}

/// Whether these bytes are as many as the driver uses.
fn covers(bytes: &[u8], number: u32) -> bool {
    if WITH_HEADER.contains(&number) {
        let follow = bytes.first_chunk().map(|length| u32::from_ne_bytes(*length));
        let needed = follow.and_then(|follow| usize::try_from(follow).ok()?.checked_add(HEADER));
        return needed.is_some_and(|needed| bytes.len() >= needed);
    }
    if number == CALLSITE.0 {
        return bytes.len() >= CALLSITE.1;
    }
    let encoded = usize::try_from(number >> 16 & 0x3fff).unwrap_or(usize::MAX);
    encoded > 0 && bytes.len() >= encoded && number != REFUSED
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// The number of bytes that can be read; its number does not say how many it writes.
    const FIONREAD: u32 = 0x541b;
    /// The number of a terminal (`TIOCGPTN`).
    const TERMINAL: u32 = 0x8004_5430;
    /// Opens the other side of a terminal, with the flags of open(2) (`TIOCGPTPEER`).
    const PEER: u32 = 0x5441;
    /// Locks the other side of a terminal, or unlocks it (`TIOCSPTLCK`).
    const LOCK: u32 = 0x4004_5431;

    fn errno(result: io::Result<i32>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn the_driver_never_goes_beyond_the_bytes() {
        let terminal = File::options().read(true).write(true).open("/dev/ptmx").unwrap();
        let terminal = terminal.as_fd();
        assert_eq!(errno(request(terminal, TERMINAL, Argument::Bytes(&mut [0; 3]))), Some(libc::EINVAL));
        assert_eq!(errno(request(terminal, FIONREAD, Argument::Bytes(&mut [0; 64]))), Some(libc::EINVAL));
        let mut bytes = [0xff; 6];
        request(terminal, TERMINAL, Argument::Bytes(&mut bytes)).unwrap();
        assert_eq!(bytes[2..], [0, 0, 0xff, 0xff]);
        let filter = |length: u32, bytes: usize| {
            let mut filter = vec![0; bytes];
            filter[..4].copy_from_slice(&length.to_ne_bytes());
            WITH_HEADER.map(|number| covers(&filter, number))
        };
        assert_eq!(
            (filter(7, 23), filter(7, 22), filter(u32::MAX, 400)),
            ([true; 2], [false; 2], [false; 2])
        );
        assert!(!covers(&[0; 3], WITH_HEADER[0]) && !covers(&[0; 15], WITH_HEADER[0]));
        assert!(!covers(&[0xff; 64], REFUSED));
        assert!(covers(&[0; 8], CALLSITE.0) && !covers(&[0; 7], CALLSITE.0));
        assert!(covers(&[0; 564], 0x4234_f663) && !covers(&[0; 563], 0x4234_f663));
        assert!(writes(0x8004_0000) && writes(0xc004_0000) && !writes(0x4004_0000) && !writes(0xf690));
    }

    #[test]
    fn what_is_made_is_closed_at_exec() {
        let terminal = File::options().read(true).write(true).open("/dev/ptmx").unwrap();
        let terminal = terminal.as_fd();
        request(terminal, LOCK, Argument::Bytes(&mut [0; 4])).unwrap();
        for argument in [Argument::Nothing, Argument::Value(libc::O_RDWR | libc::O_NOCTTY)] {
            let peer = request_descriptor(terminal, PEER, argument).unwrap();
            let flags = fcntl(peer.as_fd(), FcntlArg::F_GETFD).unwrap();
            assert_eq!(flags, FdFlag::FD_CLOEXEC.bits());
        }
        let nothing_made = request_descriptor(terminal, TERMINAL, Argument::Bytes(&mut [0; 4]));
        assert_eq!(nothing_made.unwrap_err().raw_os_error(), Some(libc::EBADF));
        let no_driver = File::open("/dev/null").unwrap();
        assert_eq!(errno(request(no_driver.as_fd(), PEER, Argument::Nothing)), Some(libc::ENOTTY));
    }
}
