// SPDX-License-Identifier: GPL-2.0-only
//! The thin layer over the operating system: the only place with `unsafe`.
//!
//! Each module wraps a few system calls in safe functions and decides nothing.
#![allow(unsafe_code)]

pub mod available;
pub mod clock;
pub mod connection_owner;
#[cfg(test)]
pub mod emulation;
pub mod fork;
pub mod inherited;
pub mod ioctl;
pub mod lock;
pub mod memory;
pub mod random;
pub mod rename;
pub mod shared_memory;
pub mod shm;
pub mod signal;
pub mod socket;
pub mod terminal;
pub mod usage;
