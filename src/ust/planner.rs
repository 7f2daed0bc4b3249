// SPDX-License-Identifier: GPL-2.0-only
//! From what the users want and what an application has: what to ask of it next.
//!
//! [`plan`] is a pure function. It never asks for something that the application can't take yet, and never
//! for what must not be asked at all: an object by a handle that is not known, a channel after the session
//! has recorded, a filter or exclusion list that is empty. All that can be asked now is returned at once, so
//! that it travels in one burst: a new application has everything after four round trips (the session; the
//! channels; streams, contexts and rules; conditions, switches and the start).

use super::mirror::{ChannelMirror, Request, SessionMirror, Slot};
use crate::model::Channel;
use crate::turn::ids::ChannelId;

/// The buffers of a channel for the applications of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BufferState {
    /// The consumer daemon is making them.
    Pending,
    /// There, with this many streams.
    Ready(u32),
    /// They could not be made: the channel records nothing.
    Failed,
    /// They are being given up; others come after them.
    GivenUp,
}

/// What an application should have of a session.
#[derive(Clone, Copy)]
pub enum Desired<'a> {
    /// Nothing: the session is gone or not for this application.
    Nothing,
    /// What it has, not recording. Changes wait for the next start.
    Stopped,
    /// All of it, recording.
    Recording {
        /// The session's channels.
        channels: &'a [Channel],
        /// Their buffers.
        buffers: &'a dyn Fn(ChannelId) -> BufferState,
    },
}

/// What to ask now.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan<R> {
    /// Requests, in the order in which they must be sent.
    pub requests: Vec<R>,
    /// More will follow when an answer or a buffer has come.
    pub waiting: bool,
}

impl<R> Default for Plan<R> {
    fn default() -> Self {
        Plan { requests: Vec::new(), waiting: false }
    }
}

/// The next requests that bring `mirror` nearer to `desired`.
pub fn plan(desired: Desired<'_>, mirror: &SessionMirror) -> Plan<Request> {
    let mut plan = Plan::default();
    match desired {
        Desired::Nothing => release(mirror, &mut plan),
        Desired::Stopped => stop(mirror, &mut plan),
        Desired::Recording { channels, buffers } => record(channels, buffers, mirror, &mut plan),
    }
    plan
}

fn stop(mirror: &SessionMirror, plan: &mut Plan<Request>) {
    if mirror.slot.handle().is_some() && mirror.enabled {
        plan.requests.extend([Request::SwitchSession(false), Request::WaitQuiescent]);
    }
}

fn release(mirror: &SessionMirror, plan: &mut Plan<Request>) {
    if mirror.slot.handle().is_none() {
        plan.waiting = mirror.slot == Slot::Requested;
        return;
    }
    // An object whose handle is still on its way would stay behind.
    if mirror.awaits_handle() {
        plan.waiting = true;
        return;
    }
    stop(mirror, plan);
    for (&id, channel) in mirror.channels.iter() {
        let held = channel.rules.iter().filter(|(_, rule)| rule.slot.handle().is_some());
        plan.requests.extend(held.map(|(&rule, _)| Request::ReleaseRule(id, rule)));
        if channel.slot.handle().is_some() {
            plan.requests.push(Request::ReleaseChannel(id));
        }
    }
    plan.requests.extend([Request::ReleaseSession, Request::WaitQuiescent]);
}

fn record(
    channels: &[Channel],
    buffers: &dyn Fn(ChannelId) -> BufferState,
    mirror: &SessionMirror,
    plan: &mut Plan<Request>,
) {
    match mirror.slot {
        Slot::Held(_) => {}
        Slot::Absent => {
            plan.requests.push(Request::CreateSession);
            plan.waiting = true;
            return;
        }
        Slot::Requested => {
            plan.waiting = true;
            return;
        }
        Slot::Refused => return,
    }
    let none = ChannelMirror::default();
    // What could not be had when it was started can't be added: it gets the session anew.
    let is_missing = |channel: &Channel| {
        let known = mirror.channels.get(&channel.id).unwrap_or(&none);
        let incomplete = match known.slot {
            Slot::Absent => true,
            Slot::Held(_) => !known.streams_sent && !known.broken,
            Slot::Requested | Slot::Refused => false,
        };
        incomplete && matches!(buffers(channel.id), BufferState::Ready(_) | BufferState::GivenUp)
    };
    if mirror.was_enabled && channels.iter().any(is_missing) {
        release(mirror, plan);
        plan.waiting = true;
        return;
    }
    for channel in channels {
        let known = mirror.channels.get(&channel.id).unwrap_or(&none);
        match (known.slot, buffers(channel.id)) {
            (Slot::Held(_), BufferState::Ready(streams)) if !known.broken => {
                fill(channel, streams, known, plan);
            }
            // The buffers were lost with their consumer daemon, but the rules can still follow.
            (Slot::Held(_), _) if known.streams_sent && !known.broken => fill(channel, 0, known, plan),
            (Slot::Absent, BufferState::Ready(_)) if !mirror.was_enabled => {
                plan.requests.push(Request::CreateChannel(channel.id));
                plan.waiting = true;
            }
            (Slot::Absent, BufferState::Pending | BufferState::GivenUp) if !mirror.was_enabled => {
                plan.waiting = true;
            }
            // It is known soon whether it can be had.
            (Slot::Absent, BufferState::Pending) => plan.waiting = true,
            (Slot::Requested, _) => plan.waiting = true,
            _ => {}
        }
    }
    if !plan.waiting && !mirror.enabled && !mirror.start_refused {
        plan.requests.extend([Request::SwitchSession(true), Request::WaitQuiescent]);
    }
}

/// Streams, rules and switches of a channel that the application has.
fn fill(channel: &Channel, streams: u32, known: &ChannelMirror, plan: &mut Plan<Request>) {
    let id = channel.id;
    if !known.streams_sent {
        plan.requests.extend((0..streams).map(|number| Request::AddStream(id, number)));
        // One that is refused is missing in the events of this application; that is all.
        plan.requests.extend((0..channel.contexts.len()).map(|at| Request::AddContext(id, at)));
    }
    for rule in &channel.rules {
        let Some(has) = known.rules.get(&rule.id) else {
            plan.requests.push(Request::CreateRule(id, rule.id));
            plan.waiting = true;
            continue;
        };
        match has.slot {
            Slot::Held(_) => {}
            Slot::Requested | Slot::Absent => {
                plan.waiting = true;
                continue;
            }
            Slot::Refused => continue,
        }
        if !has.conditions_sent {
            if rule.filter.is_some() {
                plan.requests.push(Request::SetFilter(id, rule.id));
            }
            if !rule.exclusions.is_empty() {
                plan.requests.push(Request::SetExclusions(id, rule.id));
            }
        }
        let wanted = rule.enabled && !has.broken;
        if has.enabled != wanted {
            plan.requests.push(Request::SwitchRule(id, rule.id, wanted));
        }
    }
    if known.enabled != channel.enabled {
        plan.requests.push(Request::SwitchChannel(id, channel.enabled));
    }
}

#[cfg(test)]
mod tests;
