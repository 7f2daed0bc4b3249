// SPDX-License-Identifier: GPL-2.0-only
//! Listing what there is to be traced in the kernel: its tracepoints as they are now, and its system calls.

use std::rc::Rc;
use std::task::{Poll, ready};

use lttng_protocol::kernel::{Request, listing};

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::task::Task;
use crate::kernel::job::Job;
use crate::kernel::refusal::{Asked, Refusal};
use crate::kernel::tracer;

/// Listing what the kernel has.
#[derive(Debug)]
pub struct ListKernel {
    /// System calls, not tracepoints.
    syscalls: bool,
    asked: bool,
}

impl ListKernel {
    /// Lists tracepoints: [`Answer::KernelTracepoints`].
    pub fn tracepoints() -> Self {
        ListKernel { syscalls: false, asked: false }
    }

    /// Lists system calls: [`Answer::Syscalls`]. A tracer that knows none has an empty list.
    pub fn syscalls() -> Self {
        ListKernel { syscalls: true, asked: false }
    }
}

impl Task for ListKernel {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let found = cx.state.kernel.found();
        if self.syscalls {
            // They do not change while the tracer is there.
            let syscalls = found.map(|found| Rc::clone(&found.syscalls)).unwrap_or_default();
            let listed = syscalls.iter().map(|syscall| (syscall.name.clone(), syscall.flags()));
            return Poll::Ready(Ok(Answer::Syscalls(listed.collect())));
        }
        if !std::mem::replace(&mut self.asked, true) {
            let Some(control) = found.map(|found| Rc::clone(&found.control)) else {
                return Poll::Ready(Err(not_listed(libc::ENOENT)));
            };
            cx.ask_tracer((Job::List(Request::TracepointList.number()), vec![control]));
        }
        let result = ready!(cx.answers()).job.unwrap_or(Err(libc::ETIMEDOUT));
        let text = result.and_then(|done| tracer::text(done.made)).map_err(not_listed)?;
        Poll::Ready(Ok(Answer::KernelTracepoints(listing::tracepoints(&text))))
    }
}

fn not_listed(errno: i32) -> Failure {
    Failure::Kernel(Refusal { asked: Asked::Listing, errno })
}
