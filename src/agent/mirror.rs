// SPDX-License-Identifier: GPL-2.0-only
//! What one agent is known to have.
//!
//! An agent counts what it is asked to hand over: the Java agents for each name, the Python agent in all. Each rule that it
//! has is one count, so that rules of one name with different filters are two, and each is taken back once.

use std::collections::BTreeSet;
use std::rc::Rc;

use lttng_protocol::agent::{Context, Request, Rule};

use super::planner::Desired;

/// Something that brings an agent nearer to what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The program is to provide a context.
    EnableContext(Rc<Context>),
    /// What loggers say is to be handed over.
    Enable(Rc<Rule>),
    /// It is not to be handed over on behalf of this rule any more.
    Disable(Rc<Rule>),
    /// The program need not provide a context any more.
    DisableContext(Rc<Context>),
}

impl Change {
    /// It in the words of agents. What is taken back has nothing but a name there.
    pub fn request(&self) -> Request {
        match self {
            Change::EnableContext(context) => Request::EnableContext((**context).clone()),
            Change::Enable(rule) => Request::Enable((**rule).clone()),
            Change::Disable(rule) => Request::Disable(rule.name.clone()),
            Change::DisableContext(context) => Request::DisableContext((**context).clone()),
        }
    }
}

/// What an agent has.
#[derive(Debug, Default)]
pub struct Mirror {
    rules: BTreeSet<Rc<Rule>>,
    contexts: BTreeSet<Rc<Context>>,
    /// What it would not take, as long as it is wanted: it is not asked for twice.
    refused_rules: BTreeSet<Rc<Rule>>,
    refused_contexts: BTreeSet<Rc<Context>>,
}

impl Mirror {
    /// It has answered. What it would not give back, it does not know: it is gone either way.
    pub fn answered(&mut self, change: &Change, is_done: bool) {
        match change {
            Change::Enable(rule) => {
                let rules = if is_done { &mut self.rules } else { &mut self.refused_rules };
                rules.insert(Rc::clone(rule));
            }
            Change::Disable(rule) => {
                self.rules.remove(rule);
            }
            Change::EnableContext(context) => {
                let contexts = if is_done { &mut self.contexts } else { &mut self.refused_contexts };
                contexts.insert(Rc::clone(context));
            }
            Change::DisableContext(context) => {
                self.contexts.remove(context);
            }
        }
    }

    /// What it has refused and is not wanted any more may be asked for anew when it is wanted again.
    pub fn forget_unwanted(&mut self, desired: &Desired) {
        self.refused_rules.retain(|rule| desired.rules.contains(rule));
        self.refused_contexts.retain(|context| desired.contexts.contains(context));
    }

    /// The rules that it has.
    pub fn rules(&self) -> &BTreeSet<Rc<Rule>> {
        &self.rules
    }

    /// The contexts that it has.
    pub fn contexts(&self) -> &BTreeSet<Rc<Context>> {
        &self.contexts
    }

    /// Whether it has refused a rule that is wanted.
    pub fn has_refused_rule(&self, rule: &Rc<Rule>) -> bool {
        self.refused_rules.contains(rule)
    }

    /// Whether it has refused a context that is wanted.
    pub fn has_refused_context(&self, context: &Rc<Context>) -> bool {
        self.refused_contexts.contains(context)
    }
}
