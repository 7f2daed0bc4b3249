// SPDX-License-Identifier: GPL-2.0-only
//! The protocol between the session daemon and applications that are linked with `liblttng-ust` 2.13.
//!
//! An application opens two stream sockets to the daemon. The first message on each is a
//! [`registration::Registration`]. On the command socket the daemon then sends [`command::Message`]s and the
//! application answers each with a [`command::Reply`]. On the notify socket the application sends
//! [`notify::Request`]s and the daemon answers each with a [`notify::Reply`].
//!
//! Nothing here may depend on state: which handle exists, which reply is owed and what an identifier means
//! is known to the daemon only. Text that an application chose (names, labels) is never a reason to refuse a
//! message: bytes that are not UTF-8 are replaced.

pub mod command;
pub mod event_notifier;
pub mod field;
pub mod notify;
pub mod registration;

pub use registration::Registration;

/// Size of every symbol name on the wire, its NUL included.
/// `lttng-ust 2.13: include/lttng/ust-abi.h`
pub const NAME_SIZE: usize = 256;
