// SPDX-License-Identifier: GPL-2.0-only
//! Memory that was given up, given back to the system.

/// Gives back what the C library keeps for later. It looks at all that it has: not for every turn.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number and no pointer, and leaves alone what is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
