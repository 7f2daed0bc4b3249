// SPDX-License-Identifier: GPL-2.0-only
//! Peers, as they are told of in a report.

use std::time::Instant;

use crate::agent::conversation::Agent;
use crate::consumer::State as Stage;
use crate::kernel::refusal::Unavailable;
use crate::model::{LoggerDomain, Session};
use crate::relayd::relay::{Phase, Relay};
use crate::report::{self, Progress};
use crate::state::State;
use crate::turn::ids::ConsumerKind;
use crate::turn::watch::Watched;
use crate::ust::app::{App, Cause};
use crate::ust::mirror::{Request, SessionMirror, Slot};
use crate::ust::planner::BufferState;

/// As a domain of loggers is called in the report, and in its rules.
pub(super) fn name_of_loggers(domain: LoggerDomain) -> &'static str {
    match domain {
        LoggerDomain::Jul => "jul",
        LoggerDomain::Log4j => "log4j",
        LoggerDomain::Python => "python",
    }
}

fn name_of_consumer(kind: ConsumerKind) -> &'static str {
    match kind {
        ConsumerKind::Ust64 => "user_space_64",
        ConsumerKind::Ust32 => "user_space_32",
        ConsumerKind::Kernel => "kernel",
    }
}

/// What an unanswered command is about, in a few words.
fn words(cause: Cause) -> &'static str {
    match cause {
        Cause::TracerVersion => "the version of its tracer",
        Cause::RegisterDone => "the end of its registration",
        Cause::Listing(..) => "a list of its tracepoints",
        Cause::Notifiers(_) => "what triggers wait for",
        Cause::Session(_, request) => match request {
            Request::CreateSession => "a new session",
            Request::CreateChannel(_) | Request::AddStream(..) => "the buffers of a channel",
            Request::AddContext(..) => "a context",
            Request::CreateRule(..) | Request::SetFilter(..) | Request::SetExclusions(..) => "an event rule",
            Request::SwitchRule(..) => "an event rule to be switched",
            Request::SwitchChannel(..) => "a channel to be switched",
            Request::SwitchSession(true) => "the start of a session",
            Request::SwitchSession(false) => "the stop of a session",
            Request::RecordState => "the state of its process",
            Request::WaitQuiescent => "the end of its running probes",
            Request::ReleaseRule(..) | Request::ReleaseChannel(_) | Request::ReleaseSession => {
                "the end of a session"
            }
        },
    }
}

/// What an application would not take of a session.
fn refused(mirror: &SessionMirror, session: &Session) -> Vec<String> {
    let mut refused = Vec::new();
    if mirror.slot == Slot::Refused {
        refused.push("the session".to_owned());
    }
    if mirror.start_refused {
        refused.push("to record".to_owned());
    }
    for (id, channel) in mirror.channels.iter() {
        let wanted = session.channel(*id);
        let name = wanted.map_or("", |wanted| wanted.name.as_str());
        if channel.slot == Slot::Refused || channel.broken {
            refused.push(format!("channel {name}"));
        }
        for (rule, mirror) in
            channel.rules.iter().filter(|(_, rule)| rule.broken || rule.slot == Slot::Refused)
        {
            let wanted = wanted.and_then(|wanted| wanted.rules.iter().find(|wanted| wanted.id == *rule));
            let rule = wanted.map(|wanted| wanted.name.to_string()).unwrap_or_default();
            let what = if mirror.broken { " (its filter or exclusions)" } else { "" };
            refused.push(format!("event rule {rule} of channel {name}{what}"));
        }
    }
    refused
}

impl State {
    /// Milliseconds since a peer owes something.
    fn waiting(&self, since: Option<Instant>) -> Option<u64> {
        let passed = self.turn.now.saturating_duration_since(since?);
        u64::try_from(passed.as_millis()).ok()
    }

    pub(super) fn report_application(&self, app: &App, asker: u32) -> report::Application {
        let seen = |session: &Session| session.accessible_to(asker);
        let mirrors = app.mirrors.iter().filter_map(|(id, mirror)| Some((self.sessions.get(*id)?, mirror)));
        let sessions: Vec<_> = mirrors
            .filter(|(session, _)| seen(session))
            .map(|(session, mirror)| {
                let mut refused = refused(mirror, session);
                refused.extend(self.without_buffers(app, session));
                let converged = mirror.is_settled() && refused.is_empty();
                report::ApplicationSession { name: session.wanted.name.clone(), converged, refused }
            })
            .collect();
        let progress = if app.lagging {
            Progress::Lagging
        } else if app.owes_answers() || !app.has_everything() {
            Progress::Behind
        } else if sessions.iter().any(|session| !session.refused.is_empty()) {
            Progress::Refused
        } else {
            Progress::Converged
        };
        let registration = &app.registration;
        report::Application {
            pid: app.credentials.pid,
            uid: app.credentials.uid,
            gid: app.credentials.gid,
            name: registration.name.to_string(),
            registered: app.registered,
            abi: format!("{}.{}", registration.major, registration.minor),
            tracer: app.tracer.map(|it| format!("{}.{}.{}", it.major, it.minor, it.patchlevel)),
            bits: registration.bits_per_long,
            progress,
            waiting_ms: self.waiting(app.watch().0.map(crate::turn::watch::Watch::asked)),
            owes: app.owes() as u64,
            owes_first: app.first_owed().map(|cause| words(cause).to_owned()),
            sessions,
        }
    }

    /// The channels of a session that the application can't have, since there are no buffers for it.
    fn without_buffers(&self, app: &App, session: &Session) -> Vec<String> {
        let key = app.buffers_key(session.id, session.scheme());
        let Some(buffers) = self.buffers.get(&key) else { return Vec::new() };
        let known = session.channels().iter().filter(|channel| buffers.channel(channel.id).is_some());
        let failed = known.filter(|channel| buffers.state(channel.id) == BufferState::Failed);
        failed.map(|channel| format!("channel {}: there are no buffers for it", channel.name)).collect()
    }

    pub(super) fn report_agent(&self, agent: &Agent) -> report::Agent {
        let (watch, lagging) = agent.watch();
        report::Agent {
            pid: agent.pid,
            uid: agent.uid,
            domain: agent.domain.map(|domain| name_of_loggers(domain).to_owned()),
            progress: match (lagging, watch) {
                (true, _) => Progress::Lagging,
                (false, Some(_)) => Progress::Behind,
                (false, None) => Progress::Converged,
            },
            waiting_ms: self.waiting(watch.map(crate::turn::watch::Watch::asked)),
        }
    }

    pub(super) fn report_consumers(&self) -> Vec<report::Consumer> {
        let consumers = self.consumers.all.iter();
        consumers
            .map(|(kind, consumer)| report::Consumer {
                kind: name_of_consumer(*kind).to_owned(),
                state: match consumer.state() {
                    Stage::Idle => "idle",
                    Stage::Starting { .. } | Stage::Greeting { .. } => "starting",
                    Stage::Ready => "ready",
                    Stage::Lost => "lost",
                    Stage::Leaving { .. } => "leaving",
                }
                .to_owned(),
                pid: consumer.pid(),
                path: consumer.program().path.to_string_lossy().into_owned(),
                deaths: self.turn.tally.consumers_lost.get(kind).copied().unwrap_or(0),
                owes: consumer.owes() as u64,
                waiting_ms: self.waiting(consumer.owes_since()),
            })
            .collect()
    }

    pub(super) fn report_relays(&self, asker: u32) -> Vec<report::Relay> {
        let of_session =
            |relay: &Relay| self.sessions.get(relay.session).filter(|session| session.accessible_to(asker));
        let relays = self.relays.values().filter_map(|relay| Some((relay, of_session(relay)?)));
        relays
            .map(|(relay, session)| {
                let given = relay.links.values().all(|link| matches!(link.phase, Phase::Given));
                let failed = relay.disabled || relay.failure.is_some();
                report::Relay {
                    session: session.wanted.name.clone(),
                    url: relay.control.to_url(),
                    snapshot: relay.snapshot,
                    state: if failed {
                        "failed"
                    } else if given {
                        "connected"
                    } else {
                        "connecting"
                    }
                    .to_owned(),
                    version: relay.version().map(|version| format!("{}.{}", version.major, version.minor)),
                }
            })
            .collect()
    }

    pub(super) fn report_kernel(&self) -> report::Kernel {
        let found = self.kernel.found();
        let state = match (found, self.kernel.missing()) {
            _ if self.settings.uid != 0 => "not_root",
            _ if self.settings.no_kernel => "off",
            (Some(_), _) => "ready",
            (None, Some(Unavailable::Absent)) => "absent",
            (None, Some(Unavailable::Version)) => "unfit",
            (None, None) => "looking",
        };
        report::Kernel {
            state: state.to_owned(),
            version: found
                .map(|it| format!("{}.{}.{}", it.version.major, it.version.minor, it.version.patchlevel)),
            abi: found.map(|it| format!("{}.{}", it.abi.major, it.abi.minor)),
        }
    }
}
