// SPDX-License-Identifier: GPL-2.0-only
//! Delivery of metadata: consumer daemons get the text that they do not have yet.
//!
//! A push keeps the 2.13 consumer daemon from answering for 200 ms, and a session may have hundreds of metadata
//! channels. So one is pushed after the other, each when nothing else is asked of the consumer daemon; nothing here
//! may queue many of them.

use crate::operation::cx::Cx;
use crate::turn::ids::{BuffersKey, SessionId};
use crate::ust::buffers::Buffers;

/// Pushes what can be pushed now of a session's metadata. Returns of how many buffers something is left, or on its way:
/// as long as it is of any, this is to be called again when the consumer daemon has answered.
pub fn push_next(cx: &mut Cx<'_>, session: SessionId) -> usize {
    let behind = keys(cx, session, Buffers::is_behind);
    for &key in &behind {
        cx.state.push_when_quiet(key);
    }
    behind.len()
}

/// Pushes all at once, where hardly anything can be left. Nobody waits for the outcome: whatever is asked of a consumer
/// daemon afterwards is answered after it.
pub fn push_all(cx: &mut Cx<'_>, session: SessionId) {
    for key in keys(cx, session, |_| true) {
        cx.state.push_metadata(key);
    }
}

/// What a consumer daemon refused before is pushed once more.
pub fn forget_refusals(cx: &mut Cx<'_>, session: SessionId) {
    for key in keys(cx, session, Buffers::has_undelivered) {
        if let Some(buffers) = cx.state.buffers.get_mut(&key) {
            buffers.forget_refusal();
        }
    }
}

fn keys(cx: &Cx<'_>, session: SessionId, which: impl Fn(&Buffers) -> bool) -> Vec<BuffersKey> {
    let chosen = cx.state.buffers_of(session).filter(|(_, buffers)| which(buffers));
    chosen.map(|(&key, _)| key).collect()
}
