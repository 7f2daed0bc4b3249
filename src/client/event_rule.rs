// SPDX-License-Identifier: GPL-2.0-only
//! Enabling and disabling event rules. Those of the kernel: `kernel/event_rule.rs`.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c`, `event.c` and `trace-ust.c`.

use log::Level;
use lttng_protocol::client::ErrorCode;
use lttng_protocol::filter::{self, Bytecode};

use super::action::{DisableEvent, EnableEvent, EventKind};
use super::channel::{find, with_channel};
use super::desk::{Desk, Serving};
use super::{kernel, logger};
use crate::model::rule::is_reserved;
use crate::model::{Channel, Domain, EventRule, Filter, LoggerDomain, RuleKind};
use crate::text::Text;
use crate::text::normalise_pattern;
use crate::turn::ids::SessionId;
use crate::turn::messages::Topic;

/// Adds an event rule, or enables one that exists. Creates the channel if need be.
pub fn enable(desk: &mut Desk<'_>, id: SessionId, wanted: EnableEvent) -> Serving {
    if desk.domain == Some(Domain::Kernel) {
        return kernel::event_rule::enable(desk, id, wanted);
    }
    if let Some(domain) = desk.logger_domain() {
        return logger::enable(desk, id, domain, wanted);
    }
    desk.only_in(Domain::UserSpace, ErrorCode::Und)?;
    check_channel_name(desk, id, &wanted.channel)?;
    let fault = filter_fault(wanted.filter.as_ref());
    let (scheme, name) = (wanted.scheme, wanted.channel.clone());
    let result = with_channel(desk, id, Some(scheme), &name, |desk| {
        find(desk, id, &name).and_then(|channel| add_or_enable(channel, wanted, fault.is_some()))
    });
    if let (Err(ErrorCode::FilterInval), Some(fault)) = (&result, fault) {
        say_refused_filter(desk, &fault);
    }
    result?;
    desk.changed(id)
}

/// Disables every rule of this name, or all rules if there is no name.
pub fn disable(desk: &mut Desk<'_>, id: SessionId, wanted: DisableEvent) -> Serving {
    if desk.domain == Some(Domain::Kernel) {
        return kernel::event_rule::disable(desk, id, wanted);
    }
    if let Some(domain) = desk.logger_domain() {
        return logger::disable(desk, id, domain, wanted);
    }
    if is_reserved(&wanted.name) {
        return Err(ErrorCode::InvalidEventName.into());
    }
    check_channel_name(desk, id, &wanted.channel)?;
    let channel = find(desk, id, &wanted.channel)?;
    if wanted.kind != EventKind::All {
        return Err(ErrorCode::Unk.into());
    }
    let name = normalise_pattern(&wanted.name);
    let mut matching =
        channel.rules.iter_mut().filter(|rule| name.is_empty() || rule.name == name).peekable();
    if matching.peek().is_none() && !name.is_empty() {
        return Err(ErrorCode::UstEventNotFound.into());
    }
    matching.for_each(|rule| rule.enabled = false);
    if let Some(domain) = LoggerDomain::of_channel(&wanted.channel)
        && let Some(ust) = &mut desk.session_mut(id)?.wanted.ust
        && name.is_empty()
    {
        logger::disable_those(ust, domain, |_| true);
    }
    desk.changed(id)
}

/// The default channel can't be meant once a channel was named.
fn check_channel_name(desk: &Desk<'_>, id: SessionId, channel: &str) -> Result<(), ErrorCode> {
    let ust = desk.session(id)?.wanted.ust.as_ref();
    if channel.is_empty() && ust.is_some_and(|ust| ust.named_channel) {
        return Err(ErrorCode::NeedChannelName);
    }
    Ok(())
}

/// A filter that was compiled here, as it is kept.
pub(super) fn compiled_filter(expression: Text, bytecode: Bytecode) -> Filter {
    let Bytecode { data, reloc_offset } = bytecode;
    Filter { expression, bytecode: data, reloc_offset, seqnum: 0 }
}

/// Why a filter is refused: one that the tracer would refuse, or worse, is never stored.
pub(super) fn filter_fault(filter: Option<&Filter>) -> Option<String> {
    let filter = filter?;
    let error = filter::validate(&filter.bytecode, filter.reloc_offset).err()?;
    Some(format!("Refused the bytecode of filter `{}`: {error}", filter.expression))
}

/// Says that a filter is refused, and why.
pub(super) fn say_refused_filter(desk: &mut Desk<'_>, fault: &str) {
    let user = Some(desk.credentials.uid);
    desk.state.turn.say(Level::Warn, Topic::Filter, user, format_args!("{fault}"));
}

/// What kind of rule of user space it is, if channels there can have one of the kind.
fn rule_kind(kind: &EventKind) -> Option<RuleKind> {
    match kind {
        EventKind::Tracepoint => Some(RuleKind::Tracepoint),
        EventKind::Probe(_) => Some(RuleKind::Probe),
        EventKind::Function(_) => Some(RuleKind::Function),
        EventKind::FunctionEntry => Some(RuleKind::FunctionEntry),
        EventKind::All | EventKind::Noop | EventKind::Syscall | EventKind::UserspaceProbe { .. } => None,
    }
}

fn add_or_enable(channel: &mut Channel, wanted: EnableEvent, bad_filter: bool) -> Result<(), ErrorCode> {
    if LoggerDomain::of_channel(&channel.name).is_some() {
        return Err(ErrorCode::InvalidChannelDomain);
    }
    let name = normalise_pattern(&wanted.name);
    if is_reserved(&name) {
        return Err(ErrorCode::InvalidEventName);
    }
    if bad_filter {
        return Err(ErrorCode::FilterInval);
    }
    let exclusions: Vec<Text> = wanted.exclusions.iter().map(normalise_pattern).collect();
    let kind = rule_kind(&wanted.kind);
    let rule = EventRule {
        id: channel.next_rule(),
        name,
        // What it was called takes no part in finding one that exists.
        kind: kind.unwrap_or(RuleKind::Tracepoint),
        levels: wanted.levels.ok_or(ErrorCode::Invalid)?,
        filter: wanted.filter,
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
    let twice = |(at, name): (usize, &Text)| rule.exclusions.iter().take(at).any(|other| other == name);
    if rule.exclusions.iter().enumerate().any(twice) || kind.is_none() {
        return Err(ErrorCode::Invalid);
    }
    channel.rules.push(rule);
    Ok(())
}
