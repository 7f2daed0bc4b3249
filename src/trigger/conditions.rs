// SPDX-License-Identifier: GPL-2.0-only
//! When conditions are met. Pure: a fact, what there is, and the triggers that are about it.
//!
//! Conditions on samples hold for the channel as it is in the buffers of one user or of one application, and are met when
//! they were not at the sample before (lttng-tools 2.13: `src/bin/lttng-sessiond/notification-thread-events.c`).

use lttng_protocol::client::{ArchiveLocation, Domain};
use lttng_protocol::trigger::{Condition, Evaluation, Threshold};

use super::registry::{Registered, Registry, Subject};
use crate::model::Session;
use crate::operation::rotate::archive_location;
use crate::state::State;
use crate::turn::facts::{Fact, Sample};
use crate::turn::ids::{ChannelId, Identity, SessionId, TriggerId};

/// A condition that is met.
#[derive(Debug)]
pub struct Met {
    /// Whose condition it is.
    pub trigger: TriggerId,
    /// What was found.
    pub evaluation: Evaluation,
    /// Who owns the session that it is about.
    pub object: Option<Identity>,
}

/// What a fact meets.
pub fn met_by(fact: &Fact, state: &State, registry: &Registry) -> Vec<Met> {
    if registry.is_empty() {
        return Vec::new();
    }
    match fact {
        Fact::RotationBegun(session, chunk) => {
            about_session(*session, state, registry, |condition| match condition {
                Condition::RotationOngoing { .. } => Some(Evaluation::RotationOngoing { id: *chunk }),
                _ => None,
            })
        }
        Fact::RotationCompleted(id, chunk) => {
            let location = state.sessions.get(*id).and_then(archive_location);
            let location = location.map(ArchiveLocation::from);
            about_session(*id, state, registry, |condition| match condition {
                Condition::RotationCompleted { .. } => {
                    Some(Evaluation::RotationCompleted { id: *chunk, location: location.clone() })
                }
                _ => None,
            })
        }
        Fact::Sampled(sample) => {
            let mut met = about_session(sample.session, state, registry, |condition| match condition {
                Condition::SessionConsumedSize { bytes, .. } => {
                    let known = sample.used_before.is_some() && sample.consumed_before >= *bytes;
                    let evaluation = Evaluation::SessionConsumedSize { bytes: sample.consumed };
                    (sample.consumed >= *bytes && !known).then_some(evaluation)
                }
                _ => None,
            });
            met.extend(about_channel(sample, state, registry));
            met
        }
        Fact::Matched(trigger, captures) => {
            let evaluation = Evaluation::EventRuleMatches { captures: captures.clone() };
            let known = registry.get(*trigger).filter(|known| takes(known, captures));
            known.map(|_| Met { trigger: *trigger, evaluation, object: None }).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a trigger that captures something was told what.
fn takes(registered: &Registered, captured: &[u8]) -> bool {
    match &registered.trigger.condition {
        Condition::EventRuleMatches { captures, .. } => captures.is_empty() || !captured.is_empty(),
        _ => false,
    }
}

fn about_session(
    id: SessionId,
    state: &State,
    registry: &Registry,
    evaluate: impl Fn(&Condition) -> Option<Evaluation>,
) -> Vec<Met> {
    let Some(session) = state.sessions.get(id) else { return Vec::new() };
    let subject = Subject::Session(session.wanted.name.clone());
    of(session, registry, &subject, evaluate)
}

fn about_channel(sample: &Sample, state: &State, registry: &Registry) -> Vec<Met> {
    let Some(session) = state.sessions.get(sample.session) else { return Vec::new() };
    let Some((domain, name)) = name_of(session, sample.channel) else { return Vec::new() };
    let subject = Subject::Channel(session.wanted.name.clone(), name.to_owned());
    of(session, registry, &subject, |condition| {
        if domain_of(condition) != Some(domain) {
            return None;
        }
        let before = sample.used_before.is_some_and(|used| is_so(condition, used, sample.capacity));
        (!before && is_so(condition, sample.used, sample.capacity))
            .then(|| usage(condition, sample.used, sample.capacity))
            .flatten()
    })
}

fn of(
    session: &Session,
    registry: &Registry,
    subject: &Subject,
    evaluate: impl Fn(&Condition) -> Option<Evaluation>,
) -> Vec<Met> {
    let object = Some(session.wanted.owner);
    let met = |(trigger, registered): (TriggerId, &Registered)| {
        Some(Met { trigger, evaluation: evaluate(&registered.trigger.condition)?, object })
    };
    registry.about(subject).filter_map(met).collect()
}

/// The domain and the name of a channel.
fn name_of(session: &Session, id: ChannelId) -> Option<(Domain, &str)> {
    let user_space = session.channel(id).map(|channel| (Domain::Ust, channel.name.as_str()));
    user_space.or_else(|| Some((Domain::Kernel, session.kernel_channel(id)?.name.as_str())))
}

/// The channel of this name in this domain.
fn channel_named(session: &Session, domain: Domain, name: &str) -> Option<ChannelId> {
    match domain {
        Domain::Ust => {
            session.channels().iter().find(|channel| channel.name == name).map(|channel| channel.id)
        }
        Domain::Kernel => {
            let mut channels = session.wanted.kernel.iter().flat_map(|kernel| &kernel.channels);
            channels.find(|channel| channel.name == name).map(|channel| channel.id)
        }
        _ => None,
    }
}

/// The domain of the channel that a condition is about.
fn domain_of(condition: &Condition) -> Option<Domain> {
    match condition {
        Condition::BufferUsageHigh(usage) | Condition::BufferUsageLow(usage) => Some(usage.domain),
        _ => None,
    }
}

/// Whether a condition on a channel's buffers holds when so much of the fullest one is in use.
fn is_so(condition: &Condition, used: u64, capacity: u64) -> bool {
    match condition {
        Condition::BufferUsageHigh(usage) => {
            bytes(usage.threshold, capacity).is_some_and(|threshold| used >= threshold)
        }
        Condition::BufferUsageLow(usage) => {
            bytes(usage.threshold, capacity).is_some_and(|threshold| used <= threshold)
        }
        _ => false,
    }
}

fn usage(condition: &Condition, used: u64, capacity: u64) -> Option<Evaluation> {
    match condition {
        Condition::BufferUsageHigh(_) => Some(Evaluation::BufferUsageHigh { used, capacity }),
        Condition::BufferUsageLow(_) => Some(Evaluation::BufferUsageLow { used, capacity }),
        _ => None,
    }
}

/// A threshold in bytes; a ratio is cut off, as the original does. A ratio that is not a number is never reached.
fn bytes(threshold: Threshold, capacity: u64) -> Option<u64> {
    match threshold {
        Threshold::Bytes(bytes) => Some(bytes),
        Threshold::Ratio(ratio) if ratio.is_nan() => None,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a ratio is from 0 to 1, and a capacity is far from what a float can't tell apart"
        )]
        Threshold::Ratio(ratio) => Some((ratio * capacity as f64) as u64),
    }
}

/// Whether a condition is met by what there is now, when nothing happens. Those of events and of rotations that are over
/// never are.
pub fn is_met_now(condition: &Condition, state: &State) -> Option<(Evaluation, Identity)> {
    let named = |name: &str| state.sessions.find(name);
    let (session, evaluation) = match condition {
        Condition::RotationOngoing { session } => {
            let session = named(session)?;
            (session, Evaluation::RotationOngoing { id: session.recording.rotating()? })
        }
        Condition::SessionConsumedSize { session, bytes } => {
            let session = named(session)?;
            let consumed = session.recording.consumed();
            (consumed >= *bytes && consumed > 0).then_some(())?;
            (session, Evaluation::SessionConsumedSize { bytes: consumed })
        }
        Condition::BufferUsageHigh(usage) | Condition::BufferUsageLow(usage) => {
            let session = named(&usage.session)?;
            let channel = channel_named(session, usage.domain, &usage.channel)?;
            let capacity = session.capacity(channel)?;
            let used = state.used(session.id, channel);
            let used = used.into_iter().find(|used| is_so(condition, *used, capacity))?;
            (session, self::usage(condition, used, capacity)?)
        }
        Condition::RotationCompleted { .. } | Condition::EventRuleMatches { .. } => return None,
    };
    Some((evaluation, session.wanted.owner))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::state::Settings;
    use lttng_protocol::trigger::{Action, EventRule, RatePolicy, Trigger};

    fn trigger(condition: Condition) -> Trigger {
        let action = Action::Notify { rate: RatePolicy::default() };
        Trigger { owner: 0, name: None, hidden: false, condition, action }
    }

    fn matching(pattern: &str) -> Condition {
        let pattern = pattern.into();
        let rule =
            EventRule::UserTracepoint { pattern, filter: None, log_level: None, exclusions: Vec::new() };
        Condition::EventRuleMatches { rule, captures: Vec::new() }
    }

    /// However many there are: only the one that is meant is looked at.
    #[test]
    fn a_fact_costs_what_it_is_about() {
        let mut registry = Registry::new(1000, 4);
        for number in 0..500 {
            let session = format!("s{number}");
            registry.register(trigger(Condition::RotationOngoing { session }), false).unwrap();
            registry.register(trigger(matching(&format!("a:{number}"))), false).unwrap();
        }
        let state = State::new(Settings::for_tests(), Instant::now(), 0);
        registry.looks();
        for (id, met) in [(2, 1), (1000, 1), (1, 0), (5000, 0)] {
            let fact = Fact::Matched(TriggerId(id), Vec::new());
            assert_eq!(met_by(&fact, &state, &registry).len(), met, "trigger {id}");
            assert_eq!(registry.looks(), 1);
        }
        for fact in [Fact::RotationBegun(SessionId(0), 0), Fact::HelperLost] {
            assert!(met_by(&fact, &state, &registry).is_empty());
            assert_eq!(registry.looks(), 0);
        }
    }
}
