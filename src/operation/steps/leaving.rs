// SPDX-License-Identifier: GPL-2.0-only
//! Trace chunks that a session has left and that are still on their way.

use std::task::Poll;

use crate::operation::cx::Cx;
use crate::turn::ids::SessionId;

/// Whether no chunk that the session has left is on its way any more, or none is waited for.
pub fn settled(cx: &Cx<'_>, session: SessionId) -> Poll<()> {
    if is_leaving(cx, session) && !cx.expired() { Poll::Pending } else { Poll::Ready(()) }
}

/// Whether a chunk that the session has left is still on its way.
pub fn is_leaving(cx: &Cx<'_>, session: SessionId) -> bool {
    cx.session(session).is_ok_and(|session| session.recording.leaving().is_some())
}
