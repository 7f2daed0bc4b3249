// SPDX-License-Identifier: GPL-2.0-only
//! Random bytes from the kernel.

use std::io;

/// A random (version 4) UUID.
///
/// # Errors
/// What `getrandom` gives.
pub fn uuid() -> io::Result<[u8; 16]> {
    let mut uuid = [0; 16];
    // SAFETY: the pointer and the length describe the array.
    let got = unsafe { libc::getrandom(uuid.as_mut_ptr().cast(), uuid.len(), 0) };
    if got != 16 {
        return Err(io::Error::last_os_error());
    }
    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    Ok(uuid)
}

#[cfg(test)]
mod tests {
    #[test]
    fn uuids_are_version_4_and_differ() {
        let (one, other) = (super::uuid().unwrap(), super::uuid().unwrap());
        assert_ne!(one, other);
        assert_eq!((one[6] >> 4, one[8] >> 6), (4, 2));
    }
}
