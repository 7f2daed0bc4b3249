// SPDX-License-Identifier: GPL-2.0-only
//! Bringing a trigger on the kernel's events to the tracer. What the tracer refuses is no trigger: whoever keeps them is
//! told so by [`Fact::NotifierRefused`].

use std::task::{Poll, ready};

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::task::Task;
use crate::helper::PathJob;
use crate::helper::request::ProbeLookup;
use crate::kernel::notifiers::Notifier;
use crate::kernel::refusal::{Asked, Refusal};
use crate::turn::facts::Fact;
use crate::turn::ids::{Identity, TriggerId};
use crate::turn::output::SharedFd;

/// A program in which the event is looked for, and who has asked for it.
#[derive(Debug)]
pub struct Program {
    pub file: SharedFd,
    pub place: ProbeLookup,
    pub owner: Identity,
}

/// Bringing a trigger to the kernel's tracer.
#[derive(Debug)]
pub struct InstallKernel {
    trigger: TriggerId,
    notifier: Option<Notifier>,
    program: Option<Program>,
    /// What is told in the end.
    answer: Option<Answer>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Begin,
    /// The place in the program is looked for.
    Look,
    /// The tracer is told.
    Install,
}

impl InstallKernel {
    /// Has the tracer have this, and then tells `answer`. `program` is that of a probe in one.
    pub fn new(trigger: TriggerId, notifier: Notifier, program: Option<Program>, answer: Answer) -> Self {
        InstallKernel {
            trigger,
            notifier: Some(notifier),
            program,
            answer: Some(answer),
            phase: Phase::Begin,
        }
    }

    fn go(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Refusal>> {
        loop {
            self.phase = match self.phase {
                Phase::Begin => match &self.program {
                    Some(Program { file, place, owner }) => {
                        let job = PathJob::FindProbe { place: place.clone() };
                        cx.ask_helper_about(*owner, job, file.clone());
                        Phase::Look
                    }
                    None => self.install(cx, Vec::new()),
                },
                Phase::Look => {
                    let answers = ready!(cx.answers());
                    if !answers.all_well() || answers.offsets.is_empty() {
                        // Clients are told no more (lttng-tools 2.13: `src/bin/lttng-sessiond/kernel.c`).
                        let refusal = Refusal { asked: Asked::Callsite, errno: libc::ENOENT };
                        return Poll::Ready(Err(refusal));
                    }
                    self.install(cx, answers.offsets)
                }
                Phase::Install => {
                    let settled = cx.state.is_kernel_notifier_settled(self.trigger);
                    if !settled && !cx.expired() {
                        return Poll::Pending;
                    }
                    let late = Refusal { asked: Asked::Event, errno: libc::ETIMEDOUT };
                    let refusal = cx.state.take_notifier_refusal(self.trigger);
                    let refusal = refusal.or_else(|| Some(late).filter(|_| !settled));
                    return Poll::Ready(refusal.map_or(Ok(()), Err));
                }
            };
        }
    }

    fn install(&mut self, cx: &mut Cx<'_>, offsets: Vec<u64>) -> Phase {
        if let Some(mut notifier) = self.notifier.take() {
            notifier.program = self.program.take().map(|program| (program.file, offsets));
            cx.state.want_kernel_notifier(self.trigger, notifier);
        }
        Phase::Install
    }
}

impl Task for InstallKernel {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        match ready!(self.go(cx)) {
            Ok(()) => Poll::Ready(Ok(self.answer.take().unwrap_or(Answer::Done))),
            Err(refusal) => {
                cx.state.turn.facts.push(Fact::NotifierRefused(self.trigger));
                Poll::Ready(Err(Failure::Kernel(refusal)))
            }
        }
    }
}
