// SPDX-License-Identifier: GPL-2.0-only
//! Commands about the kernel part of a session: what they change in what is wanted, and with which codes they are
//! refused. The commands' own functions, beside this folder, hand over what names the kernel's domain.
//!
//! What a command changes is a pure function of the [`KernelDomain`], and a task brings the change to the tracer. What
//! either refuses leaves nothing behind: neither a channel that was made on the way, nor one rule of two.
//!
//! Codes and their order: `protocol/doc/kernel-tracer.md`, sections 6 and 7.

pub mod channel;
pub mod context;
pub mod event_rule;
pub mod listing;

use lttng_protocol::client::ErrorCode;

use super::desk::{Desk, Serving, hold};
use crate::model::KernelDomain;
use crate::operation::although::Although;
use crate::operation::answer::Failure;
use crate::operation::change_kernel::ChangeKernel;
use crate::turn::ids::SessionId;

/// What is to be told of a change that was made: that a part of what was asked for could not be done.
type Trouble = Option<Failure>;

/// Changes the kernel part of a session, and brings that to the tracer. If the change is refused, nothing is changed.
fn change(
    desk: &mut Desk<'_>,
    id: SessionId,
    edit: impl FnOnce(&mut KernelDomain) -> Result<Trouble, ErrorCode>,
) -> Serving {
    let mut kernel = part(desk, id)?;
    let trouble = edit(&mut kernel)?;
    let before = desk.session_mut(id)?.wanted.kernel.replace(kernel);
    bring(id, before, trouble)
}

/// Brings what was changed since `before` to the tracer.
pub(super) fn bring(id: SessionId, before: Option<KernelDomain>, trouble: Trouble) -> Serving {
    let task = ChangeKernel::new(id, before);
    match trouble {
        None => hold(id, task),
        Some(failure) => hold(id, Although::new(task, failure)),
    }
}

/// What is wanted in the kernel so far.
fn part(desk: &Desk<'_>, id: SessionId) -> Result<KernelDomain, Failure> {
    Ok(desk.session(id)?.wanted.kernel.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests;
