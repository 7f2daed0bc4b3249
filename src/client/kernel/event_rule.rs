// SPDX-License-Identifier: GPL-2.0-only
//! Enabling and disabling event rules of kernel channels. Log levels and exclusions mean nothing here, and are passed
//! over. That there is something that a rule matches is not asked for.

use lttng_protocol::client::ErrorCode;

use super::channel::{Surroundings, find, need};
use super::{Trouble, bring, change, part};
use crate::client::action::{DisableEvent, EnableEvent, EventKind};
use crate::client::desk::{Desk, Serving, hold};
use crate::client::event_rule::{filter_fault, say_refused_filter};
use crate::kernel::refusal::{Asked, Refusal};
use crate::model::{Filter, KernelChannel, KernelDomain, KernelRule, KernelRuleKind, ProgramPlace};
use crate::operation::answer::Failure;
use crate::operation::enable_probe::EnableProbe;
use crate::text::{Text, normalise_pattern};
use crate::turn::ids::{ChannelId, SessionId};

/// What enabling an event rule came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Enabled {
    /// It is wanted.
    Wanted(Trouble),
    /// It is a new probe in a program, in which its place is still to be looked for.
    Sought { channel: ChannelId, place: ProgramPlace, name: Text, filter: Option<Filter> },
}

/// Adds event rules, or enables those that exist. Creates the channel if need be.
pub fn enable(desk: &mut Desk<'_>, id: SessionId, wanted: EnableEvent) -> Serving {
    let around = Surroundings::of(desk, id)?;
    let fault = filter_fault(wanted.filter.as_ref());
    let mut kernel = part(desk, id)?;
    let enabled = enable_or_add(&mut kernel, &around, wanted, fault.is_some());
    if let (Err(ErrorCode::FilterInval), Some(fault)) = (&enabled, &fault) {
        say_refused_filter(desk, fault);
    }
    let enabled = enabled?;
    let binary = desk.descriptors.first().cloned();
    if binary.is_none() && matches!(enabled, Enabled::Sought { .. }) {
        return Err(ErrorCode::Fatal.into());
    }
    let before = desk.session_mut(id)?.wanted.kernel.replace(kernel);
    match (enabled, binary) {
        (Enabled::Sought { channel, place, name, filter }, Some(binary)) => {
            hold(id, EnableProbe::new(id, before, channel, place, name, filter, binary))
        }
        (Enabled::Wanted(trouble), _) => bring(id, before, trouble),
        (Enabled::Sought { .. }, None) => Err(ErrorCode::Fatal.into()),
    }
}

/// Disables every rule of this name and kind, or all rules of the kind if there is no name.
pub fn disable(desk: &mut Desk<'_>, id: SessionId, wanted: DisableEvent) -> Serving {
    change(desk, id, |kernel| disable_rules(kernel, &wanted))
}

/// Adds event rules, or enables those that exist.
pub fn enable_or_add(
    kernel: &mut KernelDomain,
    around: &Surroundings,
    wanted: EnableEvent,
    bad_filter: bool,
) -> Result<Enabled, ErrorCode> {
    check_channel_name(kernel, &wanted.channel)?;
    need(kernel, around, &wanted.channel)?;
    let channel = find(kernel, &wanted.channel)?;
    let name = normalise_pattern(&wanted.name);
    let filter = wanted.filter;
    let rule = |kind| (kind, name.clone(), filter.clone(), bad_filter);
    match wanted.kind {
        EventKind::All => {
            enable_one(channel, rule(KernelRuleKind::Tracepoint))?;
            // The first of the two is enabled in any case.
            return Ok(Enabled::Wanted(match enable_one(channel, rule(KernelRuleKind::Syscall)) {
                Ok(()) => None,
                Err(_) => Some(refusal(Asked::Event)),
            }));
        }
        EventKind::Tracepoint => enable_one(channel, rule(KernelRuleKind::Tracepoint))?,
        EventKind::Syscall => enable_one(channel, rule(KernelRuleKind::Syscall))?,
        EventKind::Probe(place) => enable_one(channel, rule(KernelRuleKind::Probe(place)))?,
        EventKind::Function(place) => enable_one(channel, rule(KernelRuleKind::Function(place)))?,
        // The tracer has none of that kind.
        EventKind::FunctionEntry => return Err(ErrorCode::KernEnableFail),
        EventKind::Noop => return Err(ErrorCode::Unk),
        EventKind::UserspaceProbe { place, findable } => {
            let kind = KernelRuleKind::UserspaceProbe { place: place.clone(), offsets: Vec::new() };
            if !enable_known(channel, &new(channel, kind, name.clone(), filter.clone()))? {
                if !findable {
                    return Err(ErrorCode::ProbeLocationInval);
                }
                if bad_filter {
                    return Err(ErrorCode::FilterInval);
                }
                return Ok(Enabled::Sought { channel: channel.id, place, name, filter });
            }
        }
    }
    Ok(Enabled::Wanted(None))
}

/// Disables rules. One that sits in one place can't be disabled twice: that is told in the end.
pub fn disable_rules(kernel: &mut KernelDomain, wanted: &DisableEvent) -> Result<Trouble, ErrorCode> {
    check_channel_name(kernel, &wanted.channel)?;
    let channel = find(kernel, &wanted.channel)?;
    if matches!(wanted.kind, EventKind::UserspaceProbe { .. } | EventKind::Noop) {
        return Err(ErrorCode::Unk);
    }
    let name = normalise_pattern(&wanted.name);
    let meant =
        |rule: &&mut KernelRule| (name.is_empty() || rule.name == name) && means(&wanted.kind, &rule.kind);
    let mut matching = channel.rules.iter_mut().filter(meant).peekable();
    if matching.peek().is_none() && !name.is_empty() {
        return Err(ErrorCode::NoEvent);
    }
    let mut trouble = None;
    for rule in matching {
        if !rule.enabled && rule.kind.is_probe() {
            trouble = Some(refusal(Asked::DisableEvent));
        }
        rule.enabled = false;
    }
    Ok(trouble)
}

/// Whether rules of this kind are meant.
fn means(kind: &EventKind, rule: &KernelRuleKind) -> bool {
    match kind {
        EventKind::All => true,
        EventKind::Tracepoint => matches!(rule, KernelRuleKind::Tracepoint),
        EventKind::Syscall => matches!(rule, KernelRuleKind::Syscall),
        EventKind::Probe(_) => matches!(rule, KernelRuleKind::Probe(_)),
        EventKind::Function(_) => matches!(rule, KernelRuleKind::Function(_)),
        EventKind::UserspaceProbe { .. } => matches!(rule, KernelRuleKind::UserspaceProbe { .. }),
        EventKind::FunctionEntry | EventKind::Noop => false,
    }
}

/// Adds a rule, or enables it if it is known.
fn enable_one(
    channel: &mut KernelChannel,
    (kind, name, filter, bad_filter): (KernelRuleKind, Text, Option<Filter>, bool),
) -> Result<(), ErrorCode> {
    let rule = new(channel, kind, name, filter);
    if enable_known(channel, &rule)? {
        return Ok(());
    }
    if bad_filter {
        return Err(ErrorCode::FilterInval);
    }
    channel.rules.push(rule);
    Ok(())
}

fn new(channel: &KernelChannel, kind: KernelRuleKind, name: Text, filter: Option<Filter>) -> KernelRule {
    KernelRule { id: channel.next_rule(), name, kind, filter, enabled: true }
}

/// Enables the rule that is the same as this one. False if there is none.
fn enable_known(channel: &mut KernelChannel, rule: &KernelRule) -> Result<bool, ErrorCode> {
    match channel.rules.iter_mut().find(|known| known.same_identity(rule)) {
        None => Ok(false),
        Some(known) if known.enabled => Err(ErrorCode::KernEventExist),
        Some(known) => {
            known.enabled = true;
            Ok(true)
        }
    }
}

/// What the tracer says, or would say, of what is so already.
fn refusal(asked: Asked) -> Failure {
    Failure::Kernel(Refusal { asked, errno: libc::EEXIST })
}

/// The default channel can't be meant once a channel was named.
fn check_channel_name(kernel: &KernelDomain, channel: &str) -> Result<(), ErrorCode> {
    if channel.is_empty() && kernel.named_channel { Err(ErrorCode::NeedChannelName) } else { Ok(()) }
}
