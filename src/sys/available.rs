// SPDX-License-Identifier: GPL-2.0-only
//! Reading what is there, from a descriptor that somebody else has opened.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// A descriptor on which reading never waits, for a descriptor: both have one position.
///
/// # Errors
/// What the system says about a duplicate, or about its flags.
pub fn reader(descriptor: &OwnedFd) -> io::Result<File> {
    let own = descriptor.try_clone()?;
    let flags = OFlag::from_bits_retain(fcntl(own.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(own.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(own.into())
}

/// Reads what is there, as much as fits. Nothing is 0 bytes, as is the end.
///
/// # Errors
/// What the system says about reading.
pub fn read(mut reader: &File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_there_is_read_and_nothing_is_waited_for() {
        let (read_end, write_end) = io::pipe().unwrap();
        let reader = reader(&read_end.into()).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(read(&reader, &mut buffer).unwrap(), 0);
        (&write_end).write_all(b"abcdef").unwrap();
        assert_eq!((read(&reader, &mut buffer).unwrap(), buffer), (4, *b"abcd"));
        drop(write_end);
        assert_eq!((read(&reader, &mut buffer).unwrap(), &buffer[..2]), (2, &b"ef"[..]));
        assert_eq!(read(&reader, &mut buffer).unwrap(), 0);
    }
}
