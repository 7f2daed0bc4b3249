// SPDX-License-Identifier: GPL-2.0-only
//! Rules about loggers of Java and Python: enabling, disabling and listing them.
//!
//! A rule is kept twice: as it was said, which is what agents are told and users are shown, and as a rule about the domain's
//! tracepoint in the domain's channel, which does the picking. Neither is ever there without the other.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/{cmd,event,agent}.c`.

use std::collections::BTreeSet;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::filter;

use super::action::{DisableEvent, EnableEvent, EventKind};
use super::channel::with_channel;
use super::desk::{Desk, Serving, answer};
use super::event_rule::{filter_fault, say_refused_filter};
use crate::model::logger::ALL_LOGGERS;
use crate::model::{
    Channel, EventRule, Filter, LogLevels, LoggerDomain, LoggerRule, ProgramContext, RuleKind, UstDomain,
};
use crate::operation::answer::Answer;
use crate::turn::ids::SessionId;

/// Adds a rule about loggers, or enables one that exists. The channel is always the domain's.
pub fn enable(desk: &mut Desk<'_>, id: SessionId, domain: LoggerDomain, wanted: EnableEvent) -> Serving {
    let fault = filter_fault(wanted.filter.as_ref());
    with_channel(desk, id, None, domain.channel(), |desk| match &fault {
        Some(fault) => {
            say_refused_filter(desk, fault);
            Err(ErrorCode::FilterInval)
        }
        None => add_or_enable(desk, id, domain, wanted),
    })?;
    desk.changed(id)
}

fn add_or_enable(
    desk: &mut Desk<'_>,
    id: SessionId,
    domain: LoggerDomain,
    wanted: EnableEvent,
) -> Result<(), ErrorCode> {
    let levels = wanted.levels.ok_or(ErrorCode::Invalid)?;
    let contexts = wanted.filter.as_ref().map(|filter| contexts_of(&filter.bytecode, filter.reloc_offset));
    let contexts = contexts.unwrap_or_default();
    let rule = LoggerRule {
        name: wanted.name,
        levels,
        level: wanted.level,
        filter: wanted.filter,
        contexts,
        enabled: true,
    };
    let ust = desk.session_mut(id)?.wanted.ust.as_mut().ok_or(ErrorCode::UstChanNotFound)?;
    let channel = ust.find_mut(domain.channel()).ok_or(ErrorCode::UstChanNotFound)?;
    switch_on(channel, domain, rule.filter.clone())?;
    let all = rule.name == *ALL_LOGGERS && rule.levels == LogLevels::All && rule.filter.is_none();
    let loggers = ust.loggers.entry(domain).or_default();
    match loggers.rules.iter_mut().find(|known| known.same_identity(&rule)) {
        Some(known) => known.enabled = true,
        None => loggers.rules.push(rule),
    }
    if all {
        // Whoever wants all loggers has all rules about some of them enabled, too. What they pick is picked by the one about
        // all as long as that is enabled, so nothing else is switched on here, and whoever enables one of them by its name,
        // as the original's loader does, is not refused.
        loggers.rules.iter_mut().for_each(|rule| rule.enabled = true);
    }
    Ok(())
}

/// Switches the rule about the tracepoint on that has this filter.
fn switch_on(channel: &mut Channel, domain: LoggerDomain, filter: Option<Filter>) -> Result<(), ErrorCode> {
    let rule = EventRule {
        id: channel.next_rule(),
        name: domain.tracepoints().into(),
        kind: RuleKind::Tracepoint,
        levels: LogLevels::All,
        filter,
        exclusions: Vec::new(),
        enabled: true,
    };
    match channel.rules.iter_mut().find(|known| known.same_identity(&rule)) {
        Some(known) if known.enabled => return Err(ErrorCode::UstEventEnabled),
        Some(known) => known.enabled = true,
        None => channel.rules.push(rule),
    }
    Ok(())
}

/// Disables every rule of this name, or all rules if there is no name.
pub fn disable(desk: &mut Desk<'_>, id: SessionId, domain: LoggerDomain, wanted: DisableEvent) -> Serving {
    if wanted.kind != EventKind::All {
        return Err(ErrorCode::Unk.into());
    }
    let ust = desk.session_mut(id)?.wanted.ust.as_mut().ok_or(ErrorCode::UstEventNotFound)?;
    let loggers = ust.loggers.get_mut(&domain).ok_or(ErrorCode::UstEventNotFound)?;
    let matches = |rule: &LoggerRule| wanted.name.is_empty() || rule.name == wanted.name;
    if !wanted.name.is_empty() && !loggers.rules.iter().any(matches) {
        return Err(ErrorCode::UstEventNotFound.into());
    }
    disable_those(ust, domain, matches);
    desk.changed(id)
}

/// Disables one rule, which is there, and none of the same name.
pub fn switch_off(desk: &mut Desk<'_>, id: SessionId, rule: &EnableEvent) -> Serving {
    let domain = desk.logger_domain().ok_or(ErrorCode::UnknownDomain)?;
    let ust = desk.session_mut(id)?.wanted.ust.as_mut().ok_or(ErrorCode::UstEventNotFound)?;
    let expression = |filter: &Option<Filter>| filter.as_ref().map(|filter| filter.expression.clone());
    disable_those(ust, domain, |known| {
        known.name == rule.name
            && Some(known.levels) == rule.levels
            && expression(&known.filter) == expression(&rule.filter)
    });
    desk.changed(id)
}

/// Disables the rules that are so. What the others pick is picked from now on, be it that the one about all loggers has picked
/// it until now; nothing else is.
pub fn disable_those(ust: &mut UstDomain, domain: LoggerDomain, are: impl Fn(&LoggerRule) -> bool) {
    let Some(loggers) = ust.loggers.get_mut(&domain) else { return };
    loggers.rules.iter_mut().filter(|rule| are(rule)).for_each(|rule| rule.enabled = false);
    let left: BTreeSet<_> =
        loggers.rules.iter().filter(|rule| rule.enabled).map(|rule| bytecode(&rule.filter)).collect();
    let channel = ust.channels.iter_mut().find(|channel| channel.name == domain.channel());
    let picking = channel.into_iter().flat_map(|channel| &mut channel.rules);
    for rule in picking.filter(|rule| rule.is_of_loggers()) {
        rule.enabled = left.contains(&bytecode(&rule.filter));
    }
}

/// What picks, by which a rule is found that does so.
fn bytecode(filter: &Option<Filter>) -> Option<&[u8]> {
    filter.as_ref().map(|filter| filter.bytecode.as_slice())
}

/// Lists the rules about loggers, in order of creation.
pub fn rules(desk: &Desk<'_>, id: SessionId, domain: LoggerDomain) -> Serving {
    let ust = desk.session(id)?.wanted.ust.as_ref();
    let rules = ust.and_then(|ust| ust.loggers.get(&domain)).map(|loggers| loggers.rules.clone());
    answer(Answer::LoggerRules(rules.unwrap_or_default()))
}

/// The contexts of programs by which a filter decides.
pub fn contexts_of(bytecode: &[u8], reloc_offset: u32) -> Vec<ProgramContext> {
    filter::names(bytecode, reloc_offset).filter_map(program_context).collect()
}

/// A context as filters name it: `$app.PROVIDER:NAME`.
fn program_context(symbol: &[u8]) -> Option<ProgramContext> {
    let names = symbol.strip_prefix(b"$app.")?;
    let colon = names.iter().position(|&byte| byte == b':')?;
    let (provider, name) = names.split_at_checked(colon)?;
    let name = name.get(1..)?;
    let complete = !provider.is_empty() && !name.is_empty();
    complete.then(|| ProgramContext { provider: provider.into(), name: name.into() })
}

#[cfg(test)]
mod tests;
