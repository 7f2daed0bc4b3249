// SPDX-License-Identifier: GPL-2.0-only
//! Bringing what a command changed in the kernel part of a session to the tracer. What the tracer refuses was never
//! wanted: the session is as it was before, but for rules that were taken, and the client is told why.

use std::task::{Poll, ready};

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::task::Task;
use crate::kernel::refusal::Asked;
use crate::model::{KernelChannel, KernelDomain, KernelRule};
use crate::turn::ids::SessionId;

/// Bringing a change to the kernel's tracer.
#[derive(Debug)]
pub struct ChangeKernel {
    session: SessionId,
    /// What was wanted before.
    before: Option<KernelDomain>,
    begun: bool,
}

impl ChangeKernel {
    /// Brings what was changed in this session since `before`.
    pub fn new(session: SessionId, before: Option<KernelDomain>) -> Self {
        ChangeKernel { session, before, begun: false }
    }
}

impl ChangeKernel {
    /// What is wanted is what it was before, and new rules that the tracer took all the same: a kernel without traceable
    /// system calls still records the tracepoints of `enable-event --all`.
    fn undo(&mut self, cx: &mut Cx<'_>) -> Result<(), Failure> {
        let mut before = self.before.take().unwrap_or_default();
        let now = cx.session(self.session)?.wanted.kernel.clone().unwrap_or_default();
        for channel in now.channels {
            let known = before.channel(channel.id).map_or(0, |known| known.rules.len());
            let taken = |rule: &KernelRule| cx.state.kernel_has_rule(self.session, channel.id, rule.id);
            let kept: Vec<KernelRule> =
                channel.rules.iter().skip(known).filter(|rule| taken(rule)).cloned().collect();
            match before.channel_mut(channel.id) {
                _ if kept.is_empty() => {}
                Some(known) => known.rules.extend(kept),
                None => before.channels.push(KernelChannel { rules: kept, ..channel }),
            }
        }
        cx.state.restore_kernel(self.session, Some(before));
        Ok(())
    }
}

impl Task for ChangeKernel {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        if !std::mem::replace(&mut self.begun, true) {
            // What was refused before is no business of this command.
            cx.state.take_kernel_refusals(self.session);
            cx.state.touch_kernel(self.session);
        }
        ready!(cx.kernel_settled(self.session));
        let refusals = cx.kernel_refusals(self.session, Asked::Change);
        let Some(refusal) = refusals.into_iter().find(|refusal| refusal.asked.is_of_change()) else {
            return Poll::Ready(Ok(Answer::Done));
        };
        self.undo(cx)?;
        Poll::Ready(Err(Failure::Kernel(refusal)))
    }
}
