// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's metadata for one snapshot: a channel that is made for it, handed to the consumer daemon, and given up in
//! the end. A session that keeps its data in memory has none otherwise.

use std::rc::Rc;
use std::task::{Poll, ready};

use lttng_protocol::consumer::KernelRequest;

use crate::consumer::Tail;
use crate::consumer::verb::{ChannelRef, Content, Verb};
use crate::kernel::job::Job;
use crate::kernel::planner;
use crate::kernel::refusal::{Asked, Refusal};
use crate::operation::answer::Failure;
use crate::operation::cx::{Answers, Cx};
use crate::turn::ids::SessionId;
use crate::turn::output::SharedFd;

/// The metadata of a snapshot.
#[derive(Debug)]
pub struct KernelMetadata {
    session: SessionId,
    /// The trace chunk that it is written to.
    chunk: u64,
    phase: Phase,
    /// What the tracer has made of it: the stream, and the channel.
    made: Vec<SharedFd>,
    /// The consumer daemon was told of it.
    known: Option<ChannelRef>,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// The tracer makes it.
    Make,
    /// The consumer daemon takes it.
    Hand,
}

impl KernelMetadata {
    /// For a snapshot of this session, which is written to this trace chunk.
    pub fn new(session: SessionId, chunk: u64) -> Self {
        KernelMetadata { session, chunk, phase: Phase::Begin, made: Vec::new(), known: None }
    }

    /// The channel once the consumer daemon has it. [`KernelMetadata::give_up`] is to be called in any case.
    pub fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<ChannelRef, Failure>> {
        loop {
            self.phase = match self.phase {
                Phase::Begin => {
                    let object =
                        cx.state.kernel_object(self.session).ok_or_else(|| not_made(libc::ENOENT))?;
                    let plan = planner::metadata(&object, cx.state.settings.page_size);
                    cx.ask_tracer(plan.into_job().1);
                    Phase::Make
                }
                Phase::Make => {
                    let done = ready!(cx.answers()).job.unwrap_or(Err(libc::ETIMEDOUT)).map_err(not_made)?;
                    let failed = done.steps.iter().find_map(|step| step.as_ref().err().copied());
                    self.made = done.made.into_iter().rev().map(Rc::new).collect();
                    if let Some(errno) = failed {
                        return Poll::Ready(Err(not_made(errno)));
                    }
                    self.hand(cx)?;
                    Phase::Hand
                }
                Phase::Hand => {
                    let answers: Answers = ready!(cx.answers());
                    let taken = self.known.filter(|_| answers.all_well());
                    return Poll::Ready(taken.ok_or_else(|| not_made(libc::EIO)));
                }
            };
        }
    }

    fn hand(&mut self, cx: &mut Cx<'_>) -> Result<(), Failure> {
        let [stream, _] = self.made.as_slice() else { return Err(not_made(libc::EMFILE)) };
        let stream = Rc::clone(stream);
        let consumer = cx.state.kernel_consumer(self.session).ok_or(Failure::ConsumerLost)?;
        let key = cx.state.counters.consumer_key();
        let mut channel = cx.state.metadata_channel(cx.session(self.session)?, key);
        channel.chunk_id = Some(self.chunk);
        channel.relayd_id = None;
        self.known = Some(ChannelRef { consumer, key, content: Content::Metadata });
        cx.ask_consumer_for(consumer, KernelRequest::AddChannel(Box::new(channel)), Tail::None);
        let stream_key = cx.state.counters.consumer_key();
        let request = KernelRequest::AddStream { stream_key, key, cpu: 0 };
        cx.ask_consumer_for(consumer, request, Tail::Descriptor(stream));
        Ok(())
    }

    /// It is not needed any more. Nobody waits for that: whatever is asked later is answered later.
    pub fn give_up(&mut self, cx: &mut Cx<'_>) {
        if let Some(ChannelRef { consumer, key, .. }) = self.known.take() {
            // Asked like a data channel: what describes a session all the time ends with it.
            let channel = ChannelRef { consumer, key, content: Content::Data };
            cx.tell_channel(channel, Verb::Close);
        }
        let made = std::mem::take(&mut self.made);
        if !made.is_empty() {
            cx.tell_tracer((Job::Close, made));
        }
    }
}

fn not_made(errno: i32) -> Failure {
    Failure::Kernel(Refusal { asked: Asked::Metadata, errno })
}
