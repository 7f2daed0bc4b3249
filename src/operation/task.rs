// SPDX-License-Identifier: GPL-2.0-only
//! What every task is.

use std::fmt::Debug;
use std::task::Poll;

use super::answer::{Answer, Failure};
use super::cx::Cx;

/// Something that takes several steps, because peers have to be asked on the way.
///
/// A task is a small state machine. It is looked at whenever something changed that it may depend on, asks for what it
/// needs next, and says in the end what came of it. It never waits: when an answer is not there, its step is over
/// (`ready!`). Each task ends, also when peers die: it has a deadline, after which [`Cx::answers`] and
/// [`Cx::settled`] do not hold it up any more.
pub trait Task: Debug {
    /// Goes on as far as that is possible now.
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>>;

    /// Whether it has consumer daemons go through the buffers of the session that it holds: those must stay meanwhile.
    fn uses_buffers(&self) -> bool {
        false
    }

    /// Whether it is part of a rotation that somebody has asked for.
    fn rotates(&self) -> bool {
        false
    }

    /// Whether it ends the session that it holds: nobody is shown it any more.
    fn ends_session(&self) -> bool {
        false
    }
}
