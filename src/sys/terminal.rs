// SPDX-License-Identifier: GPL-2.0-only
//! What is known of the terminal that this process writes to.

use std::os::fd::{AsFd, AsRawFd};

/// Lines and columns of the terminal behind a descriptor; none if there is no terminal, or if it does not say.
pub fn size(of: impl AsFd) -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open, and the kernel writes one `winsize` at most, to where there is one.
    let result = unsafe { libc::ioctl(of.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    let known = result == 0 && size.ws_row > 0 && size.ws_col > 0;
    known.then_some((size.ws_row.into(), size.ws_col.into()))
}
