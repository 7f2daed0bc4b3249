// SPDX-License-Identifier: GPL-2.0-only
//! From what is wanted of a session in the kernel, and what the tracer has, to the next job. Pure: nothing is sent here.
//!
//! What exists comes before what records: channels, contexts, rules and trackers first, then streams, which the consumer
//! daemon is given by others (`state/kernel.rs`), then the start. Planned to its end, the tracer has what is wanted, and
//! nothing more is planned.

use std::collections::BTreeSet;

use lttng_protocol::kernel::{self as wire, Request};

use super::job::On;
use super::mirror::{ChannelMirror, Mirror, Thing};
use super::plan::{Aim, Plan};
use super::refusal::Asked;
use super::words;
use crate::model::kernel::{KernelChannel, KernelDomain, KernelRule, KernelRuleKind, ProcessAttribute};
use crate::model::tracker::{Policy, Tracker};
use crate::text::Text;
use crate::turn::ids::{ChannelId, RuleId};
use crate::turn::output::SharedFd;

/// Streams that are opened by one step at most.
const STREAMS_AT_ONCE: u32 = 128;
/// Requests to one tracker in one job at most, about.
const TRACKED_AT_ONCE: usize = 64;
/// Streams that are flushed by the job that stops; those that are left follow.
const FLUSHED_WITH_STOP: usize = 48;

/// What a session is to be in the kernel.
pub struct Goal<'a> {
    pub domain: &'a KernelDomain,
    /// Its name in the trace.
    pub name: Text,
    /// When it was created, as the trace has it.
    pub created: Text,
    /// It is to record.
    pub active: bool,
    /// It has an output, so that metadata is taken all the time.
    pub has_output: bool,
    /// The open files of its probes in programs.
    pub programs: &'a dyn Fn(ChannelId, RuleId) -> Option<SharedFd>,
}

/// What is known of the tracer as a whole.
#[derive(Debug, Clone)]
pub struct Host {
    /// The tracer itself.
    pub control: SharedFd,
    /// Bytes of a page.
    pub page_size: u64,
    /// CPUs that there may be.
    pub cpus: u32,
}

/// The next job, if there is anything to be done. `handed` says whether the consumer daemon has what there is.
pub fn plan(goal: &Goal<'_>, mirror: &Mirror, host: &Host, handed: bool) -> Option<Plan> {
    let mut plan = Plan::default();
    let session = match &mirror.session {
        Some(session) => plan.attach(session),
        None if mirror.is_refused(Thing::Session) => return None,
        None => make_session(goal, &mut plan, host),
    };
    for leftover in mirror.leftovers.iter().filter(|leftover| leftover.enabled) {
        if plan.has_room() {
            let on = plan.attach(&leftover.object);
            plan.ask(Aim::Leftover, on, None, &Request::Disable);
        }
    }
    for attribute in ProcessAttribute::ALL {
        if plan.has_room() && !mirror.is_refused(Thing::Tracker(attribute)) {
            track(goal.domain.trackers.of(attribute), attribute, mirror, session, &mut plan);
        }
    }
    for channel in &goal.domain.channels {
        if plan.has_room() {
            plan_channel(goal, channel, mirror, session, &mut plan);
        }
    }
    if plan.is_empty() {
        record(goal, mirror, session, host, handed, &mut plan);
    }
    Some(plan).filter(|plan| !plan.is_empty())
}

fn make_session(goal: &Goal<'_>, plan: &mut Plan, host: &Host) -> On {
    let control = plan.attach(&host.control);
    let session = On::Made(plan.ask(Aim::Session, control, None, &Request::Session));
    plan.ask(Aim::Detail, session, None, &Request::SetName(goal.name.clone()));
    plan.ask(Aim::Detail, session, None, &Request::SetCreationTime(goal.created.clone()));
    session
}

/// Brings one tracker to its state: with requests for the difference, or all anew when it is not known or another policy.
fn track(wanted: &Tracker, attribute: ProcessAttribute, mirror: &Mirror, session: On, plan: &mut Plan) {
    let unknown = None;
    let never_told = Some(Tracker::default());
    let known = match mirror.trackers.get(&attribute) {
        None => &never_told,
        Some(None) => &unknown,
        Some(known) => known,
    };
    if known.as_ref() == Some(wanted) {
        return;
    }
    let name = words::attribute(attribute);
    let all = Request::ALL;
    let mut requests = Vec::new();
    // What the tracer has when these are done, which may be a part of the way only.
    let mut then = match known {
        Some(known) if known.policy() == wanted.policy() => known.clone(),
        _ => {
            requests.push(match wanted.policy() {
                Policy::IncludeAll => Request::Track { attribute: name, id: all },
                Policy::ExcludeAll | Policy::IncludeSet => Request::Untrack { attribute: name, id: all },
            });
            let mut empty = Tracker::default();
            empty.set_policy(wanted.policy());
            empty
        }
    };
    let ids = |tracker: &Tracker| tracker.included().iter().map(|it| it.id).collect::<BTreeSet<u32>>();
    let (before, after) = (ids(&then), ids(wanted));
    let gone = then.included().iter().filter(|it| !after.contains(&it.id)).cloned().collect::<Vec<_>>();
    for included in gone.into_iter().take(TRACKED_AT_ONCE) {
        requests.push(Request::Untrack { attribute: name, id: included.id.cast_signed() });
        then.remove(&included.value);
    }
    let new = wanted.included().iter().filter(|it| !before.contains(&it.id));
    for included in new.take(TRACKED_AT_ONCE.saturating_sub(requests.len())) {
        requests.push(Request::Track { attribute: name, id: included.id.cast_signed() });
        then.add(included.clone());
    }
    if ids(&then) == after {
        // Also if a value is said in another way.
        then = wanted.clone();
    }
    if requests.is_empty() {
        return;
    }
    let mut last = None;
    let (count, mut then) = (requests.len(), Some(Box::new(then)));
    for (at, request) in requests.into_iter().enumerate() {
        let state = then.take_if(|_| at.saturating_add(1) == count);
        last = Some(plan.ask(Aim::Track(attribute, state), session, last, &request));
    }
}

fn plan_channel(goal: &Goal<'_>, channel: &KernelChannel, mirror: &Mirror, session: On, plan: &mut Plan) {
    let id = channel.id;
    let known = mirror.channels.get(&id);
    let object = match known {
        Some(known) => plan.attach(&known.object),
        None if mirror.is_refused(Thing::Channel(id)) => return,
        None => {
            let request = Request::Channel(words::channel(channel));
            On::Made(plan.ask(Aim::Channel(id), session, None, &request))
        }
    };
    let added = known.map_or(0, |known| known.contexts);
    if !mirror.is_refused(Thing::Context(id)) {
        // The tracer is asked for no further one after one that it refused.
        let mut last = None;
        for context in channel.contexts.iter().skip(added) {
            let request = Request::Context(words::context(context));
            last = Some(plan.ask(Aim::Context(id), object, last, &request));
        }
    }
    for rule in &channel.rules {
        if !mirror.is_refused(Thing::Rule(id, rule.id)) && plan.has_room() {
            plan_rule(goal, (channel, known), rule, object, plan);
        }
    }
    let enabled = known.is_none_or(|known| known.enabled);
    if enabled != channel.enabled && !mirror.is_refused(Thing::ChannelSwitch(id)) {
        switch(Aim::ChannelSwitch(id, channel.enabled), object, None, channel.enabled, plan);
    }
}

fn switch(aim: Aim, object: On, needs: Option<u16>, on: bool, plan: &mut Plan) {
    let request = if on { Request::Enable } else { Request::Disable };
    plan.ask(aim, object, needs, &request);
}

fn plan_rule(
    goal: &Goal<'_>,
    (channel, known): (&KernelChannel, Option<&ChannelMirror>),
    rule: &KernelRule,
    object: On,
    plan: &mut Plan,
) {
    let (id, number) = (channel.id, rule.id);
    if let Some(known) = known.and_then(|known| known.rules.get(&number)) {
        if known.enabled != rule.enabled {
            let on = plan.attach(&known.object);
            let aim = Aim::RuleSwitch { channel: id, rule: number, on: rule.enabled, new: false };
            switch(aim, on, None, rule.enabled, plan);
        }
        return;
    }
    let aim = Aim::Rule(id, number);
    let request = Request::Event(words::rule(rule));
    let made = match &rule.kind {
        KernelRuleKind::UserspaceProbe { .. } => match (goal.programs)(id, number) {
            Some(program) => plan.ask_with_program(aim, object, &request, &program),
            // The tracer says that there is none.
            None => plan.ask(aim, object, None, &request),
        },
        _ => plan.ask(aim, object, None, &request),
    };
    let event = On::Made(made);
    let mut last = None;
    if let Some(filter) = &rule.filter {
        let bytecode = wire::Bytecode {
            reloc_offset: filter.reloc_offset,
            seqnum: filter.seqnum,
            data: filter.bytecode.clone(),
        };
        let aim = Aim::RulePart(id, number, Asked::Filter);
        last = Some(plan.ask(aim, event, last, &Request::Filter(bytecode)));
    }
    if let KernelRuleKind::UserspaceProbe { offsets, .. } = &rule.kind {
        for &offset in offsets {
            let aim = Aim::RulePart(id, number, Asked::Callsite);
            last = Some(plan.ask(aim, event, last, &Request::AddCallsite { offset }));
        }
    }
    if rule.enabled {
        let aim = Aim::RuleSwitch { channel: id, rule: number, on: true, new: true };
        switch(aim, event, last, true, plan);
    }
}

/// Everything is there: it begins to record, goes on with new CPUs, or stops.
fn record(goal: &Goal<'_>, mirror: &Mirror, session: On, host: &Host, handed: bool, plan: &mut Plan) {
    match (goal.active, mirror.recording) {
        (true, recording) => {
            if !recording && goal.has_output && mirror.metadata.is_none() {
                return make_metadata(mirror, session, host, plan);
            }
            open_streams(mirror, host, plan);
            let ready = handed && mirror.is_open(goal.has_output);
            if plan.is_empty() && !recording && ready && !mirror.is_refused(Thing::Start) {
                plan.ask(Aim::Start, session, None, &Request::Start);
            }
        }
        (false, true) if !mirror.is_refused(Thing::Stop) => stop(mirror, session, host, plan),
        (false, _) => flush(mirror, plan),
    }
}

fn make_metadata(mirror: &Mirror, session: On, host: &Host, plan: &mut Plan) {
    if !mirror.is_refused(Thing::Metadata) {
        ask_metadata(session, host.page_size, plan);
    }
}

/// What makes a metadata channel and its stream of this session in the tracer, beside the one that it may have.
pub fn metadata(session: &SharedFd, page_size: u64) -> Plan {
    let mut plan = Plan::default();
    let on = plan.attach(session);
    ask_metadata(on, page_size, &mut plan);
    plan
}

fn ask_metadata(session: On, page_size: u64, plan: &mut Plan) {
    let request = Request::Metadata(wire::Channel::metadata(page_size));
    let channel = On::Made(plan.ask(Aim::Metadata, session, None, &request));
    plan.ask(Aim::MetadataStream, channel, None, &Request::Stream);
}

fn open_streams(mirror: &Mirror, host: &Host, plan: &mut Plan) {
    // One more than there are CPUs, to see that there is no other.
    let most = host.cpus.saturating_add(1).min(STREAMS_AT_ONCE);
    let closed = mirror.channels.iter().rev().filter(|(_, channel)| !channel.all_open);
    for (&id, channel) in closed.filter(|(id, _)| !mirror.is_refused(Thing::Streams(**id))) {
        if plan.has_room_for(most as usize) {
            let on = plan.attach(&channel.object);
            plan.open_streams(Aim::Streams(id), on, u16::try_from(most).unwrap_or(u16::MAX));
        }
    }
}

/// What was being recorded is to be there before the last packets are closed: hence the wait.
fn stop(mirror: &Mirror, session: On, host: &Host, plan: &mut Plan) {
    let control = plan.attach(&host.control);
    let fits: Vec<&SharedFd> = mirror.streams().take(FLUSHED_WITH_STOP).collect();
    let stopped = plan.ask(Aim::Stop { flushed: fits.len() }, session, None, &Request::Stop);
    plan.ask(Aim::Detail, control, Some(stopped), &Request::WaitQuiescent);
    for stream in fits {
        let on = plan.attach(stream);
        plan.ask(Aim::FlushWithStop, on, Some(stopped), &Request::Flush);
    }
}

fn flush(mirror: &Mirror, plan: &mut Plan) {
    for stream in &mirror.unflushed {
        if !plan.has_room_for(1) {
            break;
        }
        let on = plan.attach(stream);
        plan.ask(Aim::Flush, on, None, &Request::Flush);
    }
}

#[cfg(test)]
mod tests;
