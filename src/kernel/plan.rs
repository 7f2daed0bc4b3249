// SPDX-License-Identifier: GPL-2.0-only
//! Jobs in the making: steps on descriptors, each with what it is for.
//!
//! A job is bounded, so that it fits into a message and the helper comes back before long; what finds no room in one is
//! planned again after it.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use lttng_protocol::kernel::{Answer, Argument as Bytes, Request};

use super::job::{Argument, Call, Done, Job, MAX_DESCRIPTORS, On, Outcome, Step};
use super::refusal::Asked;
use crate::model::kernel::ProcessAttribute;
use crate::model::tracker::Tracker;
use crate::turn::ids::{ChannelId, RuleId};
use crate::turn::output::SharedFd;

/// Steps of one job, about.
const MAX_STEPS: usize = 64;
/// Bytes of arguments in one job, about: one more may come on top, and that of a filter is 64 KiB.
const MAX_BYTES: usize = 64 << 10;
/// Where in an event rule's structure the number of a program's descriptor is (lttng-modules 2.13:
/// `include/lttng/abi.h`).
const DESCRIPTOR_AT: u32 = 276;

/// What a step is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    Session,
    /// Something whose failure changes nothing.
    Detail,
    Channel(ChannelId),
    ChannelSwitch(ChannelId, bool),
    /// The next context of a channel.
    Context(ChannelId),
    Rule(ChannelId, RuleId),
    /// A part without which a rule is of no use.
    RulePart(ChannelId, RuleId, Asked),
    RuleSwitch {
        channel: ChannelId,
        rule: RuleId,
        on: bool,
        /// It was just made.
        new: bool,
    },
    /// A step towards a tracker's state, and with the last one that state.
    Track(ProcessAttribute, Option<Box<Tracker>>),
    Metadata,
    MetadataStream,
    /// All further streams of a channel.
    Streams(ChannelId),
    Start,
    /// So many streams are flushed by the same job.
    Stop {
        flushed: usize,
    },
    FlushWithStop,
    /// The first stream of those that wait for it.
    Flush,
    /// The first thing that is left over and not switched off.
    Leftover,
}

/// A job, and the descriptors that go with it.
pub type Order = (Job, Vec<SharedFd>);

/// A job in the making. `A` says what steps are for.
#[derive(Debug)]
pub struct Plan<A = Aim> {
    pub aims: Vec<A>,
    pub steps: Vec<Step>,
    pub descriptors: Vec<SharedFd>,
    bytes: usize,
    makes: usize,
}

impl<A> Default for Plan<A> {
    fn default() -> Self {
        Plan { aims: Vec::new(), steps: Vec::new(), descriptors: Vec::new(), bytes: 0, makes: 0 }
    }
}

impl<A> Plan<A> {
    /// The job, and what each of its steps is for.
    pub fn into_job(self) -> (Vec<A>, Order) {
        (self.aims, (Job::Run(self.steps), self.descriptors))
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a few more steps fit in.
    pub fn has_room(&self) -> bool {
        self.has_room_for(MAX_STEPS / 4)
    }

    /// Whether descriptors for so many steps, or from them, fit in.
    pub fn has_room_for(&self, descriptors: usize) -> bool {
        let fits = |used: usize| used.saturating_add(descriptors) <= MAX_DESCRIPTORS;
        self.bytes < MAX_BYTES
            && self.steps.len() < MAX_STEPS
            && fits(self.descriptors.len())
            && fits(self.makes)
    }

    /// Has a descriptor come along.
    pub fn attach(&mut self, descriptor: &SharedFd) -> On {
        let known = self.descriptors.iter().position(|known| Rc::ptr_eq(known, descriptor));
        let at = known.unwrap_or_else(|| {
            self.descriptors.push(Rc::clone(descriptor));
            self.descriptors.len().saturating_sub(1)
        });
        On::Attached(number(at))
    }

    /// Has a request made. `needs` is the number of a step that must have succeeded. Returns the step's number.
    pub fn ask(&mut self, aim: A, on: On, needs: Option<u16>, request: &Request) -> u16 {
        let argument = match request.argument() {
            Bytes::None => Argument::Nothing,
            Bytes::Value(value) => Argument::Value(value),
            Bytes::Buffer(bytes) => Argument::Bytes(bytes),
        };
        self.push(aim, on, needs, request, argument)
    }

    /// The same for a probe in a program, whose descriptor comes along.
    pub fn ask_with_program(&mut self, aim: A, on: On, request: &Request, program: &SharedFd) -> u16 {
        let Bytes::Buffer(bytes) = request.argument() else { return self.ask(aim, on, None, request) };
        let On::Attached(attached) = self.attach(program) else { return self.ask(aim, on, None, request) };
        let argument = Argument::WithDescriptor { bytes, at: DESCRIPTOR_AT, attached };
        self.push(aim, on, None, request, argument)
    }

    /// Has all further streams of a channel opened, so many at most.
    pub fn open_streams(&mut self, aim: A, on: On, most: u16) {
        self.makes = self.makes.saturating_add(most.into());
        let call = Call::Each { number: Request::Stream.number(), most };
        self.steps.push(Step { on, needs: None, call });
        self.aims.push(aim);
    }

    fn push(&mut self, aim: A, on: On, needs: Option<u16>, request: &Request, argument: Argument) -> u16 {
        if let Argument::Bytes(bytes) | Argument::WithDescriptor { bytes, .. } = &argument {
            self.bytes = self.bytes.saturating_add(bytes.len());
        }
        let makes = matches!(request.answer(), Answer::Descriptor(_));
        self.makes = self.makes.saturating_add(makes.into());
        let call = Call::Request { number: request.number(), alias: request.alias(), argument, makes };
        self.steps.push(Step { on, needs, call });
        self.aims.push(aim);
        number(self.steps.len().saturating_sub(1))
    }
}

/// What came of each step of a job, with the descriptors that it made. A job that failed as a whole, or came to something
/// else than its steps, is a failure of all of them.
pub fn came_of<A>(
    aims: Vec<A>,
    result: Result<(Done, Vec<OwnedFd>), i32>,
) -> impl Iterator<Item = (A, Outcome, Vec<SharedFd>)> {
    let (outcomes, descriptors) = match result {
        Ok((Done::Steps(outcomes), descriptors)) if outcomes.len() == aims.len() => (outcomes, descriptors),
        Ok(_) => (vec![Outcome::Failed(libc::EIO); aims.len()], Vec::new()),
        Err(errno) => (vec![Outcome::Failed(errno); aims.len()], Vec::new()),
    };
    let mut descriptors = descriptors.into_iter().map(Rc::new);
    aims.into_iter().zip(outcomes).map(move |(aim, outcome)| {
        let count = match &outcome {
            Outcome::Made { count, .. } => usize::from(*count),
            Outcome::Done(_) | Outcome::Failed(_) | Outcome::Skipped => 0,
        };
        let made = descriptors.by_ref().take(count).collect();
        (aim, outcome, made)
    })
}

fn number(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}
