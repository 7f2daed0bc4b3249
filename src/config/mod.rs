// SPDX-License-Identifier: GPL-2.0-only
//! Recording session configurations: the XML files that `lttng save` makes and `lttng load` takes.
//!
//! [`save`](save::save) makes the text of such a file of what is wanted of a session. Nothing here opens a file.
//!
//! Reference: `protocol/doc/session-config.md`, sections 3 to 5.

pub mod save;
mod save_kernel;
mod save_text;

#[cfg(test)]
mod save_tests;
