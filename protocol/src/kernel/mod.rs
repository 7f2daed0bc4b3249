// SPDX-License-Identifier: GPL-2.0-only
//! What the session daemon says to the kernel tracer (LTTng-modules, ABI 2.6), and what that says to it.
//!
//! Everything is an ioctl on a descriptor that an earlier one opened, beginning with `/proc/lttng`: [`Request`] says
//! number, argument and what the answer is. Besides there are two texts ([`listing`]) and the stream of notifications,
//! whose records have the same form as an application's ([`EventNotification`]).
//!
//! Nothing here makes a system call, and nothing knows which request may follow which: that is up to the planner. The
//! structures are packed and the same for 32 and 64 bit programs.
//!
//! Reference: `protocol/doc/kernel-tracer.md`; `lttng-modules 2.13: include/lttng/abi.h`.

mod channel;
mod context;
mod counter;
mod event;
pub mod listing;
mod request;
mod session;
mod version;

pub use channel::Channel;
pub use context::{Context, PlainContext};
pub use counter::{Bitness, CounterConfiguration, CounterValue};
pub use event::{Bytecode, Event, EventNotifier, Instrumentation, Probe};
pub use request::{Answer, Argument, Object, Request};
pub use session::ProcessAttribute;
pub use version::{AbiVersion, TracerVersion};

pub use crate::ust::event_notifier::EventNotification;

/// Size of every name, its NUL included. `LTTNG_KERNEL_ABI_SYM_NAME_LEN`.
pub const NAME_SIZE: usize = 256;
