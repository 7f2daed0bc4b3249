// SPDX-License-Identifier: GPL-2.0-only
//! Commands about triggers: registering, removing, listing, and asking what went wrong with them.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/{cmd,client,trigger-error-query}.c`.

use log::Level;

use lttng_protocol::client::{Domain, ErrorCode, ProbeLocation};
use lttng_protocol::trigger::{Action, Condition, ErrorQueryTarget, ErrorResult, EventRule, Trigger};

use super::action::{AskErrors, Nothing, RegisterTrigger, SameTrigger};
use super::desk::{DONE, Desk, Serving, answer, task};
use super::notifier;
use crate::accounts::{Exhausted, Resource};
use crate::helper::request::ProbeLookup;
use crate::operation::answer::Answer;
use crate::operation::count_untold::CountUntold;
use crate::operation::install::Install;
use crate::operation::install_kernel::{InstallKernel, Program};
use crate::sys::socket::Credentials;
use crate::trigger::registry::{Place, Refusal, Tally};
use crate::turn::ids::{Identity, TriggerId};
use crate::turn::messages::Topic;

/// Registers a trigger. The answer is the trigger, which may have got a name.
pub fn register(desk: &mut Desk<'_>, wanted: RegisterTrigger) -> Serving {
    let RegisterTrigger { trigger, anonymous } = wanted;
    check_owner(desk, &trigger)?;
    let compiled = notifier::compile(desk, &trigger.condition)?;
    if needs_kernel(&trigger.condition) && !can_kernel(desk, &trigger.condition) {
        let taken = desk.triggers.registry.has_name(&trigger);
        return Err(if taken { ErrorCode::TriggerExists } else { ErrorCode::NotSupported }.into());
    }
    let has_program = trigger.fd_count() > 0;
    let id = desk.triggers.registry.register(*trigger, anonymous).map_err(|refusal| match refusal {
        Refusal::Exists => ErrorCode::TriggerExists,
        Refusal::NoSlot => ErrorCode::EventNotifierErrorAccountingFull,
    })?;
    if let Err(exhausted) = charge(desk, id) {
        desk.triggers.remove(id, desk.state);
        let text = format_args!("Refused a trigger: {exhausted}");
        desk.state.turn.say(Level::Warn, Topic::Limits, Some(desk.credentials.uid), text);
        return Err(ErrorCode::Nomem.into());
    }
    let program = desk.descriptors.first().filter(|_| has_program).cloned();
    if let Some(registered) = desk.triggers.registry.get_mut(id) {
        registered.program.clone_from(&program);
    }
    let registered = desk.triggers.registry.get(id).ok_or(ErrorCode::Fatal)?;
    let told = Answer::Trigger(Box::new(registered.trigger.clone()), program);
    if let Some(Place::Kernel(place)) = registered.slot {
        return install_in_kernel(desk, id, place, compiled, told);
    }
    if let Some(Place::Applications(place)) = registered.slot {
        let loggers = compiled.loggers(&registered.trigger.condition);
        let notifier = compiled.notifier(&registered.trigger.condition, id, place);
        if notifier.is_none() {
            let text = format_args!("A trigger's names are too long: no application has such events");
            desk.state.turn.say(Level::Warn, Topic::Request, Some(desk.credentials.uid), text);
        }
        let owner = registered.trigger.owner;
        if let Some(notifier) = notifier {
            if desk.state.want_notifier(owner, id, notifier).is_err() {
                desk.triggers.remove(id, desk.state);
                return Err(ErrorCode::EventNotifierErrorAccounting.into());
            }
            loggers.into_iter().for_each(|(domain, rule)| desk.state.want_loggers(id, domain, rule));
        }
        let somebody = desk.state.has_notified() || desk.state.has_agents();
        return if somebody { task(Install::new(told)) } else { answer(told) };
    }
    desk.triggers.evaluate_at_first(id, desk.state);
    answer(told)
}

/// Has the kernel's tracer tell of a trigger's events. The trigger is none if it can't.
fn install_in_kernel(
    desk: &mut Desk<'_>,
    id: TriggerId,
    place: u32,
    compiled: notifier::Compiled,
    told: Answer,
) -> Serving {
    let refused = |desk: &mut Desk<'_>, code: ErrorCode| {
        desk.triggers.remove(id, desk.state);
        Err(code.into())
    };
    let registered = desk.triggers.registry.get(id).ok_or(ErrorCode::Fatal)?;
    let condition = &registered.trigger.condition;
    let place_in_program = place_in_program(condition);
    if !desk.state.has_kernel_notifiers() {
        return refused(desk, ErrorCode::KernEnableFail);
    }
    let Some(notifier) = compiled.kernel_notifier(condition, id, place) else {
        return refused(desk, ErrorCode::KernEnableFail);
    };
    let Credentials { uid, gid, .. } = desk.credentials;
    let program = match (place_in_program, desk.descriptors.first()) {
        (None, _) => None,
        (Some(place), Some(file)) => {
            Some(Program { file: file.clone(), place, owner: Identity { uid, gid } })
        }
        (Some(_), None) => return refused(desk, ErrorCode::KernEnableFail),
    };
    task(InstallKernel::new(id, notifier, program, told))
}

/// The place in a program that a condition is about.
fn place_in_program(condition: &Condition) -> Option<ProbeLookup> {
    let Condition::EventRuleMatches { rule: EventRule::KernelUprobe { location, .. }, .. } = condition else {
        return None;
    };
    Some(match location.place.clone() {
        ProbeLocation::Function { function, .. } => ProbeLookup::Function(function),
        ProbeLocation::Tracepoint { provider, probe, .. } => ProbeLookup::Tracepoint { provider, probe },
    })
}

/// Charges the owner of a trigger for it, as long as it is registered.
fn charge(desk: &mut Desk<'_>, id: TriggerId) -> Result<(), Exhausted> {
    let Some(registered) = desk.triggers.registry.get_mut(id) else { return Ok(()) };
    let (owner, held) = (registered.trigger.owner, registered.held());
    registered.charge = Some(desk.state.accounts.charge(owner, Resource::Memory, held)?);
    Ok(())
}

/// Removes a trigger. What it has asked for and was not begun is not done any more.
pub fn unregister(desk: &mut Desk<'_>, SameTrigger(trigger): SameTrigger) -> Serving {
    check_owner(desk, &trigger)?;
    let id = find(desk, &trigger)?;
    desk.triggers.remove(id, desk.state);
    DONE
}

/// Lists the triggers that the client may see.
pub fn list(desk: &mut Desk<'_>, _: Nothing) -> Serving {
    let uid = desk.credentials.uid;
    let all = desk.triggers.registry.list(Some(uid).filter(|uid| *uid != 0));
    let listed = all.map(|known| (known.trigger.clone(), known.program.clone()));
    answer(Answer::Triggers(listed.collect()))
}

/// Tells what went wrong with a part of a trigger.
pub fn errors(desk: &mut Desk<'_>, AskErrors(query): AskErrors) -> Serving {
    let id = find(desk, &query.trigger)?;
    check_owner(desk, &query.trigger)?;
    let registered = desk.triggers.registry.get(id).ok_or(ErrorCode::TriggerNotFound)?;
    let failures = |tally: &Tally| ErrorResult::execution_failures(tally.failures);
    let errors = match &query.target {
        ErrorQueryTarget::Trigger => Vec::new(),
        ErrorQueryTarget::Condition => match &registered.trigger.condition {
            Condition::EventRuleMatches { .. } => {
                let untold = match registered.slot {
                    Some(Place::Kernel(place)) => return task(CountUntold::new(place)),
                    Some(Place::Applications(place)) => desk.state.untold_events(place),
                    None => Ok(0),
                };
                let untold = untold.map_err(|error| {
                    let text = format_args!("What applications could not tell is not known: {error}");
                    let uid = Some(desk.credentials.uid);
                    desk.state.turn.say(Level::Error, Topic::Limits, uid, text);
                    ErrorCode::EventNotifierErrorAccounting
                })?;
                vec![ErrorResult::discarded_messages(untold)]
            }
            _ => Vec::new(),
        },
        ErrorQueryTarget::Action(path) => match (&registered.trigger.action, path.as_slice()) {
            (Action::List(_), [at]) => {
                let at = usize::try_from(*at).unwrap_or(usize::MAX);
                registered.tallies.get(at).map(failures).into_iter().collect()
            }
            _ => registered.tallies.iter().map(failures).collect(),
        },
    };
    answer(Answer::Errors(errors))
}

/// Only root may deal with what is somebody else's.
fn check_owner(desk: &Desk<'_>, trigger: &Trigger) -> Result<(), ErrorCode> {
    let uid = desk.credentials.uid;
    if uid == 0 || uid == trigger.owner { Ok(()) } else { Err(ErrorCode::InvalidTrigger) }
}

fn find(desk: &Desk<'_>, trigger: &Trigger) -> Result<TriggerId, ErrorCode> {
    desk.triggers.registry.find(trigger).ok_or(ErrorCode::TriggerNotFound)
}

/// Whether the kernel's tracer is there, and can do what a condition needs.
fn can_kernel(desk: &Desk<'_>, condition: &Condition) -> bool {
    let abilities = desk.state.tracer_abilities();
    desk.state.kernel.found().is_some()
        && match condition {
            Condition::EventRuleMatches { .. } => abilities.event_notifiers,
            _ => abilities.positions,
        }
}

fn needs_kernel(condition: &Condition) -> bool {
    match condition {
        Condition::BufferUsageHigh(usage) | Condition::BufferUsageLow(usage) => {
            usage.domain == Domain::Kernel
        }
        Condition::EventRuleMatches { rule, .. } => rule.domain() == Domain::Kernel,
        _ => false,
    }
}
