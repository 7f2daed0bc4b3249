// SPDX-License-Identifier: GPL-2.0-only
//! Recording goes on: what starting a session and going on after a clear have in common.

use crate::consumer::verb::Verb;
use crate::operation::answer::Failure;
use crate::operation::cx::{Cx, Followers};
use crate::turn::ids::SessionId;

/// From here on the session records, and who follows it gets hold of it. Returns those that are there.
///
/// # Errors
/// The session is gone.
pub fn resume(cx: &mut Cx<'_>, id: SessionId) -> Result<Followers, Failure> {
    // Flushed channels are made to hand over packets again. Nobody waits for it: whatever flushes them next is asked
    // later.
    cx.tell_each_channel(id, &Verb::ClearQuiescent);
    let now = cx.now();
    cx.record(id)?.start(now);
    cx.state.watch_for_left_over();
    Ok(cx.touch_followers())
}

/// Has the beginning of the trace known.
pub fn open_packets(cx: &mut Cx<'_>, id: SessionId) {
    cx.tell_each_channel(id, &Verb::OpenPackets);
}
