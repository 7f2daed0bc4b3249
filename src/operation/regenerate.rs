// SPDX-License-Identifier: GPL-2.0-only
//! Having the kernel's tracer write again what it has written before: the metadata of a session, or the state of the
//! system.

use std::task::{Poll, ready};

use lttng_protocol::kernel::Request;

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::synchronise::Synchronise;
use super::task::Task;
use crate::kernel::plan::{Aim, Plan};
use crate::kernel::refusal::{Asked, Refusal};
use crate::turn::ids::SessionId;

/// Writing something again.
#[derive(Debug)]
pub struct Regenerate {
    session: SessionId,
    /// The state of the system, not the metadata.
    statedump: bool,
    asked: bool,
    /// What the tracer said; then applications are waited for.
    done: Option<(Result<(), Failure>, Synchronise)>,
}

impl Regenerate {
    /// The metadata of this session.
    pub fn metadata(session: SessionId) -> Self {
        Regenerate { session, statedump: false, asked: false, done: None }
    }

    /// The state of the system, in this session.
    pub fn statedump(session: SessionId) -> Self {
        Regenerate { session, statedump: true, asked: false, done: None }
    }

    fn ask(&self, cx: &mut Cx<'_>) {
        let Some(object) = cx.state.kernel_object(self.session) else { return };
        let request = if self.statedump { Request::Statedump } else { Request::MetadataRegenerate };
        let mut plan = Plan::default();
        let on = plan.attach(&object);
        plan.ask(Aim::Detail, on, None, &request);
        cx.ask_tracer(plan.into_job().1);
    }
}

impl Task for Regenerate {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        if !std::mem::replace(&mut self.asked, true) {
            self.ask(cx);
        }
        let (result, applications) = match &mut self.done {
            Some(done) => done,
            None => {
                let answers = ready!(cx.answers());
                let asked = if self.statedump { Asked::StateDump } else { Asked::MetadataAgain };
                let refused = |errno| Err(Failure::Kernel(Refusal { asked, errno }));
                let result = match answers.job {
                    _ if answers.late => refused(libc::ETIMEDOUT),
                    None => Ok(()),
                    Some(Err(errno)) => refused(errno),
                    Some(Ok(done)) => done.steps.into_iter().find_map(Result::err).map_or(Ok(()), refused),
                };
                self.done.insert((result, Synchronise::new(self.session)))
            }
        };
        let applications = ready!(applications.step(cx));
        Poll::Ready(result.and(applications))
    }
}
