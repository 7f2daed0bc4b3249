// SPDX-License-Identifier: GPL-2.0-only
//! Listings that need nothing but the model.

use lttng_protocol::client::{
    BufferType, Domain, DomainEntry, ErrorCode, Event, EventType, Instrumentation, KernelProbe,
    Session as ListedSession,
};
use lttng_protocol::ust::command::LogLevel;

use crate::daemon::Daemon;
use crate::model::{BufferingScheme, EventRule, SessionId, UstDomain};

impl Daemon {
    /// The sessions that user `uid` may see, newest first.
    pub(super) fn list_sessions(&self, uid: u32) -> Vec<u8> {
        let visible =
            self.model.iter().rev().filter(|session| !session.destroyed && session.accessible_to(uid));
        let listed: Vec<ListedSession> = visible
            .map(|session| ListedSession {
                name: session.name.clone(),
                path: session.output.listed(),
                active: session.active,
                snapshot_mode: session.is_snapshot(),
                live_timer: session.live_timer(),
                created: session.created.max(0).cast_unsigned(),
            })
            .collect();
        ListedSession::encode_list(&listed)
    }

    pub(super) fn list_domains(&self, id: SessionId) -> Vec<u8> {
        let ust = self.model.get(id).and_then(|session| session.ust.as_ref());
        let buffer_type = |ust: &UstDomain| match ust.scheme {
            BufferingScheme::PerUser => BufferType::PerUid,
            BufferingScheme::PerProcess => BufferType::PerPid,
        };
        let entry = ust.map(|ust| DomainEntry { domain: Domain::Ust, buffer_type: buffer_type(ust) });
        DomainEntry::encode_list(entry.as_slice())
    }

    pub(super) fn list_rotation_schedules(&self, id: SessionId) -> Vec<u8> {
        let session = self.model.get(id);
        session.map(|session| session.rotations.schedules).unwrap_or_default().encode()
    }

    /// The rules of a channel in order of creation. The channel must be named.
    pub(super) fn list_event_rules(&self, id: SessionId, channel: &str) -> Result<Vec<Event>, ErrorCode> {
        let session = self.model.get(id).ok_or(ErrorCode::SessNotFound)?;
        let channel = session.channels().iter().find(|known| known.name == channel);
        Ok(channel.ok_or(ErrorCode::UstChanNotFound)?.rules.iter().map(list_rule).collect())
    }
}

fn list_rule(rule: &EventRule) -> Event {
    let (loglevel_type, loglevel) = match rule.loglevel {
        LogLevel::All => (0, -1),
        LogLevel::Range(level) => (1, level),
        LogLevel::Single(level) => (2, level),
    };
    // Where it would be in a kernel was not kept.
    let nowhere = || KernelProbe { address: 0, offset: 0, symbol: String::new() };
    let instrumentation = match rule.kind {
        EventType::Probe => Instrumentation::Probe(nowhere()),
        EventType::Function | EventType::FunctionEntry => Instrumentation::Function(nowhere()),
        _ => Instrumentation::Tracepoint,
    };
    Event {
        instrumentation,
        loglevel_type,
        loglevel,
        enabled: rule.enabled.into(),
        exclusions: rule.exclusions.clone(),
        filter: rule.filter.as_ref().map(|filter| filter.expression.clone()),
        ..Event::tracepoint(&rule.name)
    }
}
