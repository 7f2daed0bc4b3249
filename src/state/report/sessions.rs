// SPDX-License-Identifier: GPL-2.0-only
//! Recording sessions, as they are told of in a report.

use super::peers::name_of_loggers;
use crate::model::tracker::{Policy, Tracker};
use crate::model::{
    Attributes, BufferingScheme, EventRule, KernelRule, KernelRuleKind, LogLevels, LoggerRule,
    ProcessAttribute, RotationState, Session, SessionKind,
};
use crate::report::{self, Life, Rotation};
use crate::state::State;
use crate::turn::ids::ChannelId;

const USER_SPACE: &str = "user_space";
const KERNEL: &str = "kernel";

fn life(session: &Session) -> Life {
    if session.is_going() {
        Life::Ending
    } else if session.is_active() {
        Life::Active
    } else if session.was_started() {
        Life::Stopped
    } else {
        Life::New
    }
}

fn rotation(state: RotationState) -> Rotation {
    match state {
        RotationState::NoRotation => Rotation::None,
        RotationState::Ongoing => Rotation::Ongoing,
        RotationState::Completed => Rotation::Completed,
        RotationState::Expired => Rotation::Expired,
        RotationState::Error => Rotation::Error,
    }
}

fn levels(levels: LogLevels) -> (Option<i32>, Option<i32>) {
    match levels {
        LogLevels::All => (None, None),
        LogLevels::AtLeast(level) => (Some(level), None),
        LogLevels::Exactly(level) => (None, Some(level)),
    }
}

fn rule(rule: &EventRule) -> report::Rule {
    let (level_at_least, level_exactly) = levels(rule.levels);
    report::Rule {
        name: rule.name.to_string(),
        kind: "tracepoint".to_owned(),
        enabled: rule.enabled,
        level_at_least,
        level_exactly,
        filter: rule.filter.as_ref().map(|filter| filter.expression.to_string()),
        exclusions: rule.exclusions.iter().map(ToString::to_string).collect(),
    }
}

fn logger_rule(kind: &str, rule: &LoggerRule) -> report::Rule {
    let (level_at_least, level_exactly) = levels(rule.levels);
    report::Rule {
        name: rule.name.to_string(),
        kind: kind.to_owned(),
        enabled: rule.enabled,
        level_at_least,
        level_exactly,
        filter: rule.filter.as_ref().map(|filter| filter.expression.to_string()),
        exclusions: Vec::new(),
    }
}

fn kernel_rule(rule: &KernelRule) -> report::Rule {
    let kind = match rule.kind {
        KernelRuleKind::Tracepoint => "tracepoint",
        KernelRuleKind::Syscall => "syscall",
        KernelRuleKind::Probe(_) => "kprobe",
        KernelRuleKind::Function(_) => "kretprobe",
        KernelRuleKind::UserspaceProbe { .. } => "uprobe",
    };
    report::Rule {
        name: rule.name.to_string(),
        kind: kind.to_owned(),
        enabled: rule.enabled,
        filter: rule.filter.as_ref().map(|filter| filter.expression.to_string()),
        ..report::Rule::default()
    }
}

/// A tracker, unless it follows every process.
fn tracker(domain: &str, attribute: &str, tracker: &Tracker) -> Option<report::Tracker> {
    let values = match tracker.policy() {
        Policy::IncludeAll => return None,
        Policy::ExcludeAll => Vec::new(),
        Policy::IncludeSet => tracker.included().iter().map(|included| included.id).collect(),
    };
    Some(report::Tracker { domain: domain.to_owned(), attribute: attribute.to_owned(), values })
}

fn trackers(session: &Session) -> Vec<report::Tracker> {
    let ust = session.wanted.ust.iter().flat_map(|ust| {
        let of = &ust.trackers;
        [("vpid", &of.pid), ("vuid", &of.uid), ("vgid", &of.gid)]
            .into_iter()
            .filter_map(|(attribute, of)| tracker(USER_SPACE, attribute, of))
    });
    let kernel = session.wanted.kernel.iter().flat_map(|kernel| {
        ProcessAttribute::ALL.into_iter().filter_map(|attribute| {
            let name = match attribute {
                ProcessAttribute::Pid => "pid",
                ProcessAttribute::Vpid => "vpid",
                ProcessAttribute::Uid => "uid",
                ProcessAttribute::Vuid => "vuid",
                ProcessAttribute::Gid => "gid",
                ProcessAttribute::Vgid => "vgid",
            };
            tracker(KERNEL, name, kernel.trackers.of(attribute))
        })
    });
    ust.chain(kernel).collect()
}

impl State {
    pub(super) fn report_session(&self, session: &Session) -> report::Session {
        let (wanted, recording) = (&session.wanted, &session.recording);
        let with = self.applications.all.values().filter(|app| app.mirrors.get(&session.id).is_some());
        report::Session {
            name: wanted.name.clone(),
            uid: wanted.owner.uid,
            created: wanted.created,
            life: life(session),
            kind: match wanted.kind {
                SessionKind::Regular => report::SessionKind::Regular,
                SessionKind::Snapshot => report::SessionKind::Snapshot,
                SessionKind::Live { .. } => report::SessionKind::Live,
            },
            live_timer_us: session.live_timer().into(),
            output: wanted.output.listed(),
            shm_path: wanted.shm_path.clone(),
            chunk: recording.chunk().map(|chunk| chunk.id),
            rotation: rotation(recording.rotation()),
            archived: recording.archived().map(|archived| archived.path.clone()),
            rotates_every_us: wanted.schedules.periodic,
            rotates_at_bytes: wanted.schedules.size,
            snapshots: recording.snapshots(),
            written: recording.consumed(),
            busy: recording.holder.is_some(),
            lost: recording.losses.total(),
            idle: recording.activity.idle(self.turn.now).as_secs(),
            left_over: session.seems_left_over(self.turn.now),
            trackers: trackers(session),
            channels: self.report_channels(session),
            applications: with.count() as u64,
        }
    }

    fn report_channels(&self, session: &Session) -> Vec<report::Channel> {
        let losses = &session.recording.losses;
        let channel = |domain: &str, id: ChannelId, name: &str, attributes: &Attributes| report::Channel {
            name: name.to_owned(),
            domain: domain.to_owned(),
            overwrite: attributes.overwrite,
            subbuf_size: attributes.subbuf_size,
            num_subbuf: attributes.num_subbuf,
            used: self.used(session.id, id).into_iter().max(),
            lost: losses.of(id),
            suggested_subbuf_size: losses.suggested(id),
            ..report::Channel::default()
        };
        let ust = session.channels().iter().map(|wanted| report::Channel {
            enabled: wanted.enabled,
            per_process: session.scheme() == BufferingScheme::PerProcess,
            contexts: wanted.contexts.len() as u64,
            rules: {
                let loggers = session.wanted.ust.iter().flat_map(|ust| &ust.loggers);
                let of_loggers = loggers.filter(|(domain, _)| domain.channel() == wanted.name).flat_map(
                    |(domain, loggers)| {
                        loggers.rules.iter().map(|rule| logger_rule(name_of_loggers(*domain), rule))
                    },
                );
                wanted
                    .rules
                    .iter()
                    .filter(|known| !known.is_of_loggers())
                    .map(rule)
                    .chain(of_loggers)
                    .collect()
            },
            ..channel(USER_SPACE, wanted.id, &wanted.name, &wanted.attributes)
        });
        let kernel = session.wanted.kernel.iter().flat_map(|kernel| &kernel.channels);
        let kernel = kernel.map(|wanted| report::Channel {
            enabled: wanted.enabled,
            contexts: wanted.contexts.len() as u64,
            rules: wanted.rules.iter().map(kernel_rule).collect(),
            ..channel(KERNEL, wanted.id, &wanted.name, &wanted.attributes)
        });
        kernel.chain(ust).collect()
    }
}
