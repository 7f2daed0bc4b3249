// SPDX-License-Identifier: GPL-2.0-only
//! What applications and the kernel's tracer are told of a trigger's event rule: its filter and its captures are compiled.
//!
//! Codes: lttng-tools 2.13, `src/common/conditions/event-rule-matches.c`, `src/bin/lttng-sessiond/cmd.c`.

use log::Level;

use lttng_protocol::Text;
use lttng_protocol::client::ErrorCode;
use lttng_protocol::filter::{self, Bytecode, agent, capture};
use lttng_protocol::kernel as wire;
use lttng_protocol::trigger::{Condition, EventRule, LogLevelRule};
use lttng_protocol::ust::event_notifier::EventNotifier;

use super::desk::Desk;
use super::event_rule::compiled_filter;
use super::logger::contexts_of;
use crate::kernel::notifiers as kernel;
use crate::model::{LogLevels, LoggerDomain, LoggerRule};
use crate::turn::ids::TriggerId;
use crate::turn::messages::Topic;
use crate::ust::notifiers::Notifier;

/// Number of a probe's program before the helper has put its own there.
const NO_PROGRAM: i32 = -1;

/// What an event rule and its captures compile to.
#[derive(Debug, Default)]
pub struct Compiled {
    /// With its text, which in a domain of loggers says more than the rule's filter.
    filter: Option<(Text, Bytecode)>,
    captures: Vec<Bytecode>,
}

/// Compiles what a condition says of events. One that is about something else has nothing to be compiled.
///
/// # Errors
/// The filter, or something that is to be captured, can't be compiled.
pub fn compile(desk: &mut Desk<'_>, condition: &Condition) -> Result<Compiled, ErrorCode> {
    let Condition::EventRuleMatches { rule, captures } = condition else { return Ok(Compiled::default()) };
    let uid = desk.credentials.uid;
    let mut refuse = |code, why: &dyn std::fmt::Display| {
        let text = format_args!("Refused a trigger: {why}");
        desk.state.turn.say(Level::Warn, Topic::Filter, Some(uid), text);
        code
    };
    let filter = compile_filter(rule).map_err(|error| refuse(error.code(), &error))?;
    let captures = captures.iter().map(capture::compile).collect::<Result<_, _>>();
    let captures = captures.map_err(|error| refuse(error.code(), &error))?;
    Ok(Compiled { filter, captures })
}

fn compile_filter(rule: &EventRule) -> Result<Option<(Text, Bytecode)>, filter::CompileError> {
    match rule {
        EventRule::Logging { pattern, filter, log_level, .. } => {
            let (pattern, filter) = (pattern.as_bytes(), filter.as_ref().map(Text::as_bytes));
            let whole = agent::compile_rule(pattern, log_level.map(level), filter)?;
            Ok(whole.map(|filter| (filter.text, filter.bytecode)))
        }
        rule => rule.filter().map(|text| Ok((text.clone(), filter::compile(text)?))).transpose(),
    }
}

fn level(level: LogLevelRule) -> agent::Level {
    match level {
        LogLevelRule::Exactly(level) => agent::Level::Exactly(level),
        LogLevelRule::AtLeast(level) => agent::Level::AtLeast(level),
    }
}

impl Compiled {
    /// What the kernel's tracer is told of this rule; nothing if it is none of its, or if a name is too long for it.
    pub fn kernel_notifier(
        self,
        condition: &Condition,
        id: TriggerId,
        place: u32,
    ) -> Option<kernel::Notifier> {
        let Condition::EventRuleMatches { rule, .. } = condition else { return None };
        let description = wire::EventNotifier::for_rule(rule, NO_PROGRAM, id.0, place.into())?;
        let words = |bytecode: Bytecode| wire::Bytecode {
            reloc_offset: bytecode.reloc_offset,
            seqnum: 0,
            data: bytecode.data,
        };
        let captures = self.captures.into_iter().map(words).collect();
        let filter = self.filter.map(|(_, bytecode)| words(bytecode));
        Some(kernel::Notifier { description, filter, captures, program: None })
    }

    /// What agents are told of this rule; nothing if it is not about loggers.
    pub fn loggers(&self, condition: &Condition) -> Option<(LoggerDomain, LoggerRule)> {
        let Condition::EventRuleMatches {
            rule: EventRule::Logging { domain, pattern, log_level, .. }, ..
        } = condition
        else {
            return None;
        };
        let domain = LoggerDomain::of_number(domain.domain().number())?;
        let filter = self.filter.clone().map(|(text, bytecode)| compiled_filter(text, bytecode));
        let contexts = filter.iter().flat_map(|filter| contexts_of(&filter.bytecode, filter.reloc_offset));
        let contexts = contexts.collect();
        let levels = match log_level {
            None => LogLevels::All,
            Some(LogLevelRule::Exactly(level)) => LogLevels::Exactly(*level),
            Some(LogLevelRule::AtLeast(level)) => LogLevels::AtLeast(*level),
        };
        let level = domain.every_level();
        Some((domain, LoggerRule { name: pattern.clone(), levels, level, filter, contexts, enabled: true }))
    }

    /// What applications are told of this rule; nothing if it is none of theirs, or if its name is too long for them.
    pub fn notifier(self, condition: &Condition, id: TriggerId, place: u32) -> Option<Notifier> {
        let Condition::EventRuleMatches { rule, .. } = condition else { return None };
        let description = EventNotifier::for_rule(rule, id.0, place.into())?;
        let exclusions = match rule {
            EventRule::UserTracepoint { exclusions, .. } => exclusions.clone(),
            _ => Vec::new(),
        };
        Some(Notifier {
            description,
            filter: self.filter.map(|(_, bytecode)| bytecode),
            exclusions,
            captures: self.captures,
        })
    }
}
