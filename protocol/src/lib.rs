// SPDX-License-Identifier: GPL-2.0-only
//! The wire formats of LTTng 2.13: bytes to typed messages and back.
//!
//! Each interface of the session daemon has a module; the reference it implements is the document of the
//! same name in `protocol/doc/`. Besides, [`elf`] reads programs in which the kernel is to probe. This crate does no I/O, holds no state between messages and has no
//! `unsafe`. Every decoder is total: whatever the bytes, it returns a value or an [`Error`] that says what
//! was being read and where; it never panics and never allocates more than the input's size warrants.
//!
//! Integers are in the byte order of the machine, since both ends of a socket are on the same host; a relay
//! daemon need not be, and agents are not written in C, so these protocols are big-endian.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod agent;
pub mod client;
pub mod codec;
pub mod consumer;
pub mod elf;
pub mod expression;
pub mod filter;
pub mod health;
pub mod kernel;
mod numbered;
pub mod relayd;
pub mod text;
pub mod trigger;
pub mod ust;

pub use codec::{Error, Reader, Writer};
pub use text::Text;
