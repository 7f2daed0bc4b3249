// SPDX-License-Identifier: GPL-2.0-only
//! A probe of the kernel in a program: where it sits in the program's file is found out, and the tracer is told.

use std::task::{Poll, ready};

use super::answer::{Answer, Failure};
use super::change_kernel::ChangeKernel;
use super::cx::Cx;
use super::task::Task;
use crate::helper::PathJob;
use crate::helper::request::ProbeLookup;
use crate::model::kernel::KernelRule;
use crate::model::{Filter, KernelDomain, KernelRuleKind, ProgramPlace};
use crate::text::Text;
use crate::turn::ids::{ChannelId, SessionId};
use crate::turn::output::SharedFd;

/// Enabling a new rule about a place in a program.
#[derive(Debug)]
pub struct EnableProbe {
    session: SessionId,
    /// What was wanted before the command.
    before: Option<KernelDomain>,
    /// The channel, which is wanted already, and was perhaps not before.
    channel: ChannelId,
    place: ProgramPlace,
    /// Name of the rule.
    name: Text,
    filter: Option<Filter>,
    /// The program, as the client has it open. Its place in the file is shared with the client.
    binary: SharedFd,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// The place is being looked for.
    Look,
    /// The tracer is being told.
    Change(Box<ChangeKernel>),
}

impl EnableProbe {
    /// Looks for a place in a program, and has this channel, in which there is no such rule, trace it.
    pub fn new(
        session: SessionId,
        before: Option<KernelDomain>,
        channel: ChannelId,
        place: ProgramPlace,
        name: Text,
        filter: Option<Filter>,
        binary: SharedFd,
    ) -> Self {
        EnableProbe { session, before, channel, place, name, filter, binary, phase: Phase::Begin }
    }

    fn look(&self, cx: &mut Cx<'_>) -> Result<(), Failure> {
        let owner = cx.session(self.session)?.wanted.owner;
        let place = match &self.place {
            ProgramPlace::Function { function, .. } => ProbeLookup::Function(function.clone()),
            ProgramPlace::Tracepoint { provider, probe, .. } => {
                ProbeLookup::Tracepoint { provider: provider.clone(), probe: probe.clone() }
            }
        };
        cx.ask_helper_about(owner, PathJob::FindProbe { place }, self.binary.clone());
        Ok(())
    }

    /// The rule is wanted from here on.
    fn want(&mut self, cx: &mut Cx<'_>, offsets: Vec<u64>) -> Result<ChangeKernel, Failure> {
        let session = cx.state.sessions.get_mut(self.session).ok_or(Failure::SessionGone)?;
        let kernel = session.wanted.kernel.as_mut();
        let channel = kernel.and_then(|kernel| kernel.channel_mut(self.channel));
        let channel = channel.ok_or(Failure::SessionGone)?;
        let id = channel.next_rule();
        channel.rules.push(KernelRule {
            id,
            name: self.name.clone(),
            kind: KernelRuleKind::UserspaceProbe { place: self.place.clone(), offsets },
            filter: self.filter.take(),
            enabled: true,
        });
        cx.state.keep_program(self.session, self.channel, id, self.binary.clone());
        Ok(ChangeKernel::new(self.session, self.before.take()))
    }
}

impl Task for EnableProbe {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Begin => {
                    self.look(cx)?;
                    Phase::Look
                }
                Phase::Look => {
                    let answers = ready!(cx.answers());
                    if !answers.all_well() || answers.offsets.is_empty() {
                        cx.state.restore_kernel(self.session, self.before.take());
                        return Poll::Ready(Err(Failure::NoSuchPlace));
                    }
                    Phase::Change(Box::new(self.want(cx, answers.offsets)?))
                }
                Phase::Change(change) => return change.step(cx),
            };
        }
    }
}
