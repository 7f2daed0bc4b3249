// SPDX-License-Identifier: GPL-2.0-only
//! Delivery of metadata: consumer daemons get the text that they do not have yet.
//!
//! A push keeps the 2.13 consumer daemon from answering for 200 ms, and a session may have hundreds of metadata
//! channels. So one is pushed after the other, each when nothing else is asked of the consumer daemon; nothing here
//! may queue many of them.

use super::Context;
use crate::model::SessionId;
use crate::ust::buffers::{Buffers, BuffersKey};

/// Pushes what can be pushed now of a session's metadata. Returns of how many buffers something is left, or on its way:
/// as long as it is of any, this is to be called again when the consumer daemon has answered.
pub(super) fn push_next(context: &mut Context<'_>, session: SessionId) -> usize {
    let behind = keys(context, session, Buffers::is_behind);
    for &key in &behind {
        context.daemon.push_when_quiet(key);
    }
    behind.len()
}

/// Pushes all at once, where hardly anything can be left. Nobody waits for the outcome: whatever is asked of a consumer
/// daemon afterwards is answered after it.
pub(super) fn push_all(context: &mut Context<'_>, session: SessionId) {
    for key in keys(context, session, |_| true) {
        context.daemon.push_metadata(key);
    }
}

/// What a consumer daemon refused before is pushed once more.
pub(super) fn forget_refusals(context: &mut Context<'_>, session: SessionId) {
    for key in keys(context, session, Buffers::has_undelivered) {
        if let Some(buffers) = context.daemon.buffers.get_mut(&key) {
            buffers.forget_refusal();
        }
    }
}

fn keys(context: &Context<'_>, session: SessionId, which: impl Fn(&Buffers) -> bool) -> Vec<BuffersKey> {
    let chosen = context.daemon.buffers_of(session).filter(|(_, buffers)| which(buffers));
    chosen.map(|(&key, _)| key).collect()
}
