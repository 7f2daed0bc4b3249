// SPDX-License-Identifier: GPL-2.0-only
//! What is wanted of the agents of a domain, and from that and what one of them has to what it is asked: a pure function.
//!
//! Two things hold whatever happens: planned to the end, the agent has what is wanted, but for what it refuses; then nothing
//! more is planned.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use lttng_protocol::agent::{Context, LevelKind, Rule};

use super::mirror::{Change, Mirror};
use crate::model::LogLevels;
use crate::model::logger::{LoggerDomain, LoggerRule, ProgramContext};

/// What is wanted of every agent of a domain, each thing once, however many want it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    pub rules: BTreeSet<Rc<Rule>>,
    pub contexts: BTreeSet<Rc<Context>>,
}

impl Desired {
    /// Has what a rule is about handed over.
    pub fn add_rule(&mut self, rule: &LoggerRule) {
        let (levels, level) = match rule.levels {
            LogLevels::All => (LevelKind::All, rule.level),
            LogLevels::AtLeast(level) => (LevelKind::AtLeast, level),
            LogLevels::Exactly(level) => (LevelKind::Exactly, level),
        };
        let filter = rule.filter.as_ref().map(|filter| filter.expression.clone());
        self.rules.insert(Rc::new(Rule { name: rule.name.clone(), levels, level, filter }));
    }

    /// Has contexts provided. Where there are none, agents do not know the request, and would leave at once and again.
    pub fn add_contexts(&mut self, domain: LoggerDomain, contexts: impl IntoIterator<Item = ProgramContext>) {
        if domain.has_contexts() {
            let contexts = contexts.into_iter();
            let contexts = contexts.map(|ProgramContext { provider, name }| Context { provider, name });
            self.contexts.extend(contexts.map(Rc::new));
        }
    }

    /// Takes what was wanted before from there. Agents that come at different times keep what they were asked for, which
    /// is to be in memory once and not once for each of them.
    pub fn share(&mut self, before: &Desired) {
        share(&mut self.rules, &before.rules);
        share(&mut self.contexts, &before.contexts);
    }
}

/// Puts the ones that are known in the place of equal ones.
fn share<T: Ord>(ones: &mut BTreeSet<Rc<T>>, known: &BTreeSet<Rc<T>>) {
    let shared = std::mem::take(ones).into_iter().map(|one| known.get(&one).map_or(one, Rc::clone));
    *ones = shared.collect();
}

/// What is left to be asked, in order: contexts are there before what is filtered by them, and nothing that is wanted
/// is missing for a moment while something else is taken back.
pub fn plan(desired: &Desired, mirror: &Mirror) -> VecDeque<Change> {
    let contexts = desired.contexts.difference(mirror.contexts());
    let contexts = contexts.filter(|context| !mirror.has_refused_context(context));
    let rules = desired.rules.difference(mirror.rules());
    let rules = rules.filter(|rule| !mirror.has_refused_rule(rule));
    let old_rules = mirror.rules().difference(&desired.rules);
    let old_contexts = mirror.contexts().difference(&desired.contexts);
    contexts
        .map(|context| Change::EnableContext(Rc::clone(context)))
        .chain(rules.map(|rule| Change::Enable(Rc::clone(rule))))
        .chain(old_rules.map(|rule| Change::Disable(Rc::clone(rule))))
        .chain(old_contexts.map(|context| Change::DisableContext(Rc::clone(context))))
        .collect()
}

#[cfg(test)]
mod tests;
