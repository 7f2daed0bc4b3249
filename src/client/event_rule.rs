// SPDX-License-Identifier: GPL-2.0-only
//! Enabling and disabling event rules of user space channels.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c`, `event.c` and `trace-ust.c`.

use lttng_protocol::client::{Bytecode, ErrorCode, Event, EventType, LogLevelType};
use lttng_protocol::filter;
use lttng_protocol::ust::command::LogLevel;

use crate::daemon::Daemon;
use crate::model::rule::normalise_pattern;
use crate::model::{Channel, EventRule, Filter, SessionId, UstDomain};

/// Names that begin like this belong to agent domains.
const RESERVED: [&str; 3] = ["lttng_jul", "lttng_log4j", "lttng_python"];

impl Daemon {
    /// Adds an event rule, or enables one that exists. Creates the channel if need be.
    pub(super) fn enable_event_rule(
        &mut self,
        id: SessionId,
        buffer_type: u32,
        channel: &str,
        event: Event,
    ) -> Result<(), ErrorCode> {
        self.check_channel_name(id, channel)?;
        let existed = self.channel_mut(id, channel).is_ok();
        self.need_channel(id, Some(buffer_type), channel)?;
        let result = self.channel_mut(id, channel).and_then(|channel| add_or_enable(channel, event));
        if result.is_err() && !existed {
            self.drop_last_channel(id);
        }
        result
    }

    /// Disables every rule of this name, or all rules if there is no name.
    pub(super) fn disable_event_rules(
        &mut self,
        id: SessionId,
        channel: &str,
        event: &Event,
    ) -> Result<(), ErrorCode> {
        if is_reserved(&event.name) {
            return Err(ErrorCode::InvalidEventName);
        }
        self.check_channel_name(id, channel)?;
        let channel = self.channel_mut(id, channel)?;
        if event.event_type() != EventType::All {
            return Err(ErrorCode::Unk);
        }
        let name = normalise_pattern(&event.name);
        let mut matching =
            channel.rules.iter_mut().filter(|rule| name.is_empty() || rule.name == name).peekable();
        if matching.peek().is_none() && !name.is_empty() {
            return Err(ErrorCode::UstEventNotFound);
        }
        matching.for_each(|rule| rule.enabled = false);
        Ok(())
    }

    /// The default channel can't be meant once a channel was named.
    fn check_channel_name(&self, id: SessionId, channel: &str) -> Result<(), ErrorCode> {
        let ust = self.model.get(id).and_then(|session| session.ust.as_ref());
        if channel.is_empty() && ust.is_some_and(|ust| ust.named_channel) {
            return Err(ErrorCode::NeedChannelName);
        }
        Ok(())
    }

    pub(super) fn channel_mut(&mut self, id: SessionId, channel: &str) -> Result<&mut Channel, ErrorCode> {
        let ust: Option<&mut UstDomain> = self.model.get_mut(id).and_then(|session| session.ust.as_mut());
        ust.and_then(|ust| ust.find_mut(channel)).ok_or(ErrorCode::UstChanNotFound)
    }

    pub(super) fn drop_last_channel(&mut self, id: SessionId) {
        if let Some(ust) = self.model.get_mut(id).and_then(|session| session.ust.as_mut()) {
            ust.channels.pop();
        }
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|prefix| name.starts_with(prefix))
}

/// A filter that the tracer would refuse, or worse, is never stored.
fn check_filter((expression, bytecode): (String, Bytecode)) -> Result<Filter, ErrorCode> {
    let Bytecode { reloc_offset, seqnum, data } = bytecode;
    if let Err(error) = filter::validate(&data, reloc_offset) {
        log::warn!("Refused the bytecode of filter `{expression}`: {error}");
        return Err(ErrorCode::FilterInval);
    }
    Ok(Filter { expression, bytecode: data, reloc_offset, seqnum })
}

fn add_or_enable(channel: &mut Channel, event: Event) -> Result<(), ErrorCode> {
    let name = normalise_pattern(&event.name);
    if is_reserved(&name) {
        return Err(ErrorCode::InvalidEventName);
    }
    let loglevel = match LogLevelType::from_number(event.loglevel_type) {
        Some(LogLevelType::All) => Some(LogLevel::All),
        Some(LogLevelType::Range) => Some(LogLevel::Range(event.loglevel)),
        Some(LogLevelType::Single) => Some(LogLevel::Single(event.loglevel)),
        None => None,
    };
    let kind = event.event_type();
    let filter = event.filter.zip(event.bytecode).map(check_filter).transpose()?;
    let exclusions: Vec<String> = event.exclusions.iter().map(|name| normalise_pattern(name)).collect();
    let rule = EventRule {
        id: channel.next_rule(),
        name,
        kind,
        loglevel: loglevel.ok_or(ErrorCode::Invalid)?,
        filter,
        exclusions,
        enabled: true,
    };
    if let Some(known) = channel.rules.iter_mut().find(|known| known.same_identity(&rule)) {
        if known.enabled {
            return Err(ErrorCode::UstEventEnabled);
        }
        known.enabled = true;
        return Ok(());
    }
    let twice = |(at, name): (usize, &String)| rule.exclusions.iter().take(at).any(|other| other == name);
    if rule.exclusions.iter().enumerate().any(twice) {
        return Err(ErrorCode::Invalid);
    }
    let of_probes = [EventType::Tracepoint, EventType::Probe, EventType::Function, EventType::FunctionEntry];
    if !of_probes.contains(&kind) {
        return Err(ErrorCode::Invalid);
    }
    channel.rules.push(rule);
    Ok(())
}
