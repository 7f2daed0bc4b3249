// SPDX-License-Identifier: GPL-2.0-only
//! Event notifiers: what applications are to have for triggers on events, what one application is known to have of that,
//! and what to ask of it next.
//!
//! Desired against actual, as with sessions: [`plan`] is a pure function, and [`NotifiersMirror`] changes when a request is
//! sent and when it is answered, and at no other moment. A new application has everything after three round trips: the
//! group; counter and notifiers; the counter's memory, conditions, captures and switches.
//!
//! A notifier never tells of events before all that narrows them down was sent, nor before losses can be counted.

use std::collections::BTreeMap;
use std::rc::Rc;

use lttng_protocol::Text;
use lttng_protocol::filter::Bytecode;
use lttng_protocol::ust::event_notifier::EventNotifier;

use super::mirror::Slot;
use super::planner::Plan;
use crate::small_map::SmallMap;
use crate::turn::ids::TriggerId;

/// The first version of the protocol in which applications have event notifiers.
pub const ABI: u32 = 9;

/// An event notifier as every application is to have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notifier {
    /// Names and log levels, the trigger's token, and the place of its error counter.
    pub description: EventNotifier,
    pub filter: Option<Bytecode>,
    /// Names that it does not match.
    pub exclusions: Vec<Text>,
    /// What is told of an event, in this order.
    pub captures: Vec<Bytecode>,
}

/// All that are wanted.
pub type Wanted = BTreeMap<TriggerId, Rc<Notifier>>;

/// One request to an application about its notifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Make the group, and take the pipe.
    CreateGroup,
    /// Make the error counter.
    CreateCounter,
    /// Take the memory of the error counter for this CPU.
    AddCounter(u32),
    /// Make a notifier, disabled.
    Create(TriggerId),
    SetFilter(TriggerId),
    SetExclusions(TriggerId),
    /// Capture what has this place among the captures.
    AddCapture(TriggerId, usize),
    Switch(TriggerId, bool),
    Release(TriggerId),
}

/// The pipe on which an application is to tell of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipeState {
    /// It is being made.
    Pending,
    /// It can be handed over, or was.
    Ready,
    /// It can't be had.
    Failed,
}

/// What an application should have.
#[derive(Debug, Clone, Copy)]
pub struct Desired<'a> {
    pub notifiers: &'a Wanted,
    pub pipe: PipeState,
    /// For how many CPUs there is memory for the error counter; nothing if there can't be any.
    pub counters: Option<u32>,
}

/// A notifier in the application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotifierMirror {
    pub slot: Slot,
    pub filter_sent: bool,
    pub exclusions_sent: bool,
    pub captures_sent: usize,
    pub enabled: bool,
    /// Some part of it failed: it must not tell of events, since it would tell of too many, or too little of them.
    pub broken: bool,
}

/// What an application has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotifiersMirror {
    /// The group of all notifiers. It stays to the application's end: nobody could say when the pipe is used no more.
    pub group: Slot,
    /// The error counter.
    pub counter: Slot,
    /// For so many CPUs it has the counter's memory, or has refused it.
    pub counters_sent: u32,
    pub notifiers: SmallMap<TriggerId, NotifierMirror>,
    /// Requests sent whose answer is outstanding.
    pub outstanding: usize,
    /// The last plan was not the whole way.
    pub waiting: bool,
    /// Those before this one are as they are wanted: there may be very many, and they are not looked at each time. This
    /// never changes what is planned.
    done_below: TriggerId,
}

impl NotifiersMirror {
    /// Passes over those that are as they are wanted.
    pub fn pass_over_done(&mut self, wanted: &Wanted) {
        let known = self.notifiers.iter_from(&self.done_below);
        let both = wanted.range(self.done_below..).zip(known);
        let is_done = |known: &NotifierMirror, wanted: &Notifier| match known.slot {
            Slot::Held(_) => {
                let mut rest = Plan::default();
                complete(TriggerId::default(), wanted, known, &mut rest);
                rest.requests.is_empty()
            }
            Slot::Refused => true,
            Slot::Requested | Slot::Absent => false,
        };
        let done =
            both.take_while(|((wanted_id, wanted), (id, known))| wanted_id == id && is_done(known, wanted));
        if let Some(((id, _), _)) = done.last() {
            self.done_below = TriggerId(id.0.saturating_add(1));
        }
    }

    /// Something about this one has changed.
    pub fn look_again(&mut self, id: TriggerId) {
        self.done_below = self.done_below.min(id);
    }

    /// Notes that `request` was put into the application's queue.
    pub fn sent(&mut self, request: Request) {
        self.outstanding = self.outstanding.saturating_add(1);
        match request {
            Request::CreateGroup => self.group = Slot::Requested,
            Request::CreateCounter => self.counter = Slot::Requested,
            Request::AddCounter(cpu) => self.counters_sent = cpu.saturating_add(1),
            Request::Create(id) => self.notifiers.or_default(id).slot = Slot::Requested,
            Request::Release(id) => drop(self.notifiers.remove(&id)),
            Request::SetFilter(id)
            | Request::SetExclusions(id)
            | Request::AddCapture(id, _)
            | Request::Switch(id, _) => {
                let Some(notifier) = self.notifiers.get_mut(&id) else { return };
                match request {
                    Request::SetFilter(_) => notifier.filter_sent = true,
                    Request::SetExclusions(_) => notifier.exclusions_sent = true,
                    Request::AddCapture(_, at) => notifier.captures_sent = at.saturating_add(1),
                    Request::Switch(_, on) => notifier.enabled = on,
                    _ => {}
                }
            }
        }
    }

    /// Notes the answer to `request`: the value on success (a handle, for what creates), else the code.
    pub fn answered(&mut self, request: Request, answer: Result<u32, i32>) {
        self.outstanding = self.outstanding.saturating_sub(1);
        match request {
            Request::CreateGroup => self.group.settle(answer),
            Request::CreateCounter => self.counter.settle(answer),
            // What is lost on that CPU is not counted.
            Request::AddCounter(_) | Request::Release(_) | Request::Switch(_, false) => {}
            Request::Create(id) => {
                if let Some(notifier) = self.notifiers.get_mut(&id) {
                    notifier.slot.settle(answer);
                }
            }
            Request::SetFilter(id)
            | Request::SetExclusions(id)
            | Request::AddCapture(id, _)
            | Request::Switch(id, true) => {
                if let Some(notifier) = self.notifiers.get_mut(&id).filter(|_| answer.is_err()) {
                    notifier.broken = true;
                    notifier.enabled &= !matches!(request, Request::Switch(..));
                    self.look_again(id);
                }
            }
        }
    }

    /// Forgets what the application refused to make and nobody wants any more.
    pub fn forget_unwanted(&mut self, wanted: &Wanted) {
        let refused = |(id, notifier): (&TriggerId, &NotifierMirror)| {
            (notifier.slot == Slot::Refused && !wanted.contains_key(id)).then_some(*id)
        };
        for id in self.notifiers.iter_from(&self.done_below).filter_map(refused).collect::<Vec<_>>() {
            self.notifiers.remove(&id);
        }
    }

    /// What the application refused may be asked for once more.
    pub fn forget_refusals(&mut self) {
        for slot in [&mut self.group, &mut self.counter] {
            if *slot == Slot::Refused {
                *slot = Slot::Absent;
            }
        }
        let first = self.notifiers.iter().find(|(_, notifier)| notifier.slot == Slot::Refused);
        if let Some(id) = first.map(|(id, _)| *id) {
            self.look_again(id);
            self.notifiers.retain(|notifier| notifier.slot != Slot::Refused);
        }
    }

    /// Whether the application has all that was planned for it.
    pub fn is_settled(&self) -> bool {
        self.outstanding == 0 && !self.waiting
    }

    /// The handle of a notifier.
    pub fn handle(&self, id: TriggerId) -> Option<u32> {
        self.notifiers.get(&id)?.slot.handle()
    }
}

/// The next requests that bring `mirror` nearer to `desired`. Each of them, with all that follow, can be planned anew when
/// those before it were sent.
pub fn plan(desired: Desired<'_>, mirror: &NotifiersMirror) -> Plan<Request> {
    let mut plan = Plan::default();
    match mirror.group {
        Slot::Held(_) => {}
        Slot::Absent if desired.notifiers.is_empty() => return plan,
        Slot::Absent => {
            plan.requests.extend((desired.pipe == PipeState::Ready).then_some(Request::CreateGroup));
            plan.waiting = desired.pipe != PipeState::Failed;
            return plan;
        }
        Slot::Requested => {
            plan.waiting = true;
            return plan;
        }
        Slot::Refused => return plan,
    }
    let counted = count(desired, mirror, &mut plan);
    let mut all_known = mirror.notifiers.iter_from(&mirror.done_below).peekable();
    for (&id, wanted) in desired.notifiers.range(mirror.done_below..) {
        while let Some((&unwanted, known)) = all_known.next_if(|(known, _)| **known < id) {
            give_up(unwanted, known, &mut plan);
        }
        let Some((_, known)) = all_known.next_if(|(known, _)| **known == id) else {
            plan.requests.push(Request::Create(id));
            plan.waiting = true;
            continue;
        };
        match known.slot {
            Slot::Held(_) if counted => complete(id, wanted, known, &mut plan),
            Slot::Held(_) | Slot::Requested | Slot::Absent => plan.waiting = true,
            Slot::Refused => {}
        }
    }
    for (&unwanted, known) in all_known {
        give_up(unwanted, known, &mut plan);
    }
    plan
}

/// A notifier that nobody wants.
fn give_up(id: TriggerId, known: &NotifierMirror, plan: &mut Plan<Request>) {
    if known.slot.handle().is_some() {
        plan.requests.extend(known.enabled.then_some(Request::Switch(id, false)));
        plan.requests.push(Request::Release(id));
    } else {
        plan.waiting |= known.slot == Slot::Requested;
    }
}

/// The error counter. Returns whether what is sent next comes after all of it.
fn count(desired: Desired<'_>, mirror: &NotifiersMirror, plan: &mut Plan<Request>) -> bool {
    match (mirror.counter, desired.counters) {
        (Slot::Absent, Some(_)) if !desired.notifiers.is_empty() => {
            plan.requests.push(Request::CreateCounter);
            plan.waiting = true;
            false
        }
        (Slot::Requested, _) => {
            plan.waiting = true;
            false
        }
        (Slot::Held(_), Some(cpus)) => {
            plan.requests.extend((mirror.counters_sent..cpus).map(Request::AddCounter));
            true
        }
        _ => true,
    }
}

/// Conditions, captures and the switch of a notifier that the application has made.
fn complete(id: TriggerId, wanted: &Notifier, known: &NotifierMirror, plan: &mut Plan<Request>) {
    if wanted.filter.is_some() && !known.filter_sent {
        plan.requests.push(Request::SetFilter(id));
    }
    if !wanted.exclusions.is_empty() && !known.exclusions_sent {
        plan.requests.push(Request::SetExclusions(id));
    }
    plan.requests.extend((known.captures_sent..wanted.captures.len()).map(|at| Request::AddCapture(id, at)));
    if known.enabled == known.broken {
        plan.requests.push(Request::Switch(id, !known.broken));
    }
}

#[cfg(test)]
mod tests;
