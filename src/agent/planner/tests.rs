// SPDX-License-Identifier: GPL-2.0-only
//! Random lives of one agent. It counts as the Java and the Python agent do, refuses what it likes, and what is wanted
//! changes at any moment.

use std::collections::BTreeMap;

use lttng_protocol::agent::Request;
use proptest::prelude::*;

use super::*;
use crate::model::Filter;
use crate::text::Text;

#[derive(Debug, Clone)]
enum Step {
    /// This is wanted from now on: rules by name and filter, contexts.
    Want(Vec<(u8, u8)>, Vec<u8>),
    /// So many requests are made and answered.
    Go(usize),
    /// One is made, what is wanted changes, and then it is answered.
    WantMeanwhile(Vec<(u8, u8)>, Vec<u8>),
}

fn wishes() -> impl Strategy<Value = (Vec<(u8, u8)>, Vec<u8>)> {
    (prop::collection::vec((0..3u8, 0..3u8), 0..6), prop::collection::vec(0..3u8, 0..3))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        wishes().prop_map(|(rules, contexts)| Step::Want(rules, contexts)),
        (0..5usize).prop_map(Step::Go),
        wishes().prop_map(|(rules, contexts)| Step::WantMeanwhile(rules, contexts)),
    ];
    prop::collection::vec(step, 0..30)
}

fn rule(name: u8, filter: u8) -> LoggerRule {
    let number = (filter > 0).then_some(filter);
    let filter_of = |number: u8| Filter {
        expression: format!("lineno > {number}").into(),
        bytecode: vec![number],
        reloc_offset: 1,
        seqnum: 0,
    };
    LoggerRule {
        name: format!("logger.{name}").into(),
        levels: LogLevels::All,
        level: 7,
        filter: number.map(filter_of),
        contexts: Vec::new(),
        enabled: true,
    }
}

fn desired(rules: &[(u8, u8)], contexts: &[u8]) -> Desired {
    let mut desired = Desired::default();
    for &(name, filter) in rules {
        desired.add_rule(&rule(name, filter));
    }
    let context = |number: &u8| ProgramContext { provider: "p".into(), name: format!("c{number}").into() };
    desired.add_contexts(LoggerDomain::Jul, contexts.iter().map(context));
    desired
}

/// What an agent knows.
#[derive(Debug, Default)]
struct Agent {
    names: BTreeMap<Text, usize>,
    contexts: BTreeMap<Context, usize>,
    /// What the Python agent counts.
    total: usize,
    /// It refuses each request whose number is one of these modulo 8.
    refuses: Vec<usize>,
    asked: usize,
}

fn take<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) -> bool {
    let Some(count) = counts.get_mut(key) else { return false };
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
    true
}

impl Agent {
    /// Carries out a request. What is taken back must be there.
    fn serve(&mut self, request: Request) -> bool {
        self.asked += 1;
        let refused = self.refuses.contains(&(self.asked % 8));
        match request {
            Request::Enable(_) | Request::EnableContext(_) if refused => return false,
            Request::Enable(rule) => {
                *self.names.entry(rule.name).or_default() += 1;
                self.total += 1;
            }
            Request::Disable(name) => {
                assert!(take(&mut self.names, &name), "{name} is not enabled");
                self.total -= 1;
            }
            Request::EnableContext(context) => {
                let count = self.contexts.entry(context).or_default();
                *count += 1;
                assert_eq!(*count, 1, "a context is enabled twice");
            }
            Request::DisableContext(context) => assert!(take(&mut self.contexts, &context)),
            Request::List | Request::RegistrationDone => panic!("{request:?} is not planned"),
        }
        true
    }
}

struct World {
    desired: Desired,
    mirror: Mirror,
    agent: Agent,
}

impl World {
    /// The next request, if there is one; `meanwhile` happens before it is answered.
    fn go(&mut self, meanwhile: impl FnOnce(&mut Desired)) -> bool {
        self.mirror.forget_unwanted(&self.desired);
        let Some(change) = plan(&self.desired, &self.mirror).pop_front() else { return false };
        let is_done = self.agent.serve(change.request());
        meanwhile(&mut self.desired);
        self.mirror.answered(&change, is_done);
        true
    }

    fn check(&self) {
        let mut names: BTreeMap<Text, usize> = BTreeMap::new();
        for rule in self.desired.rules.iter().filter(|rule| !self.mirror.has_refused_rule(rule)) {
            *names.entry(rule.name.clone()).or_default() += 1;
        }
        assert_eq!(self.agent.names, names);
        assert_eq!(self.agent.total, names.values().sum::<usize>());
        let contexts =
            self.desired.contexts.iter().filter(|context| !self.mirror.has_refused_context(context));
        let contexts: BTreeMap<Context, usize> = contexts.map(|context| ((**context).clone(), 1)).collect();
        assert_eq!(self.agent.contexts, contexts);
    }
}

proptest! {
    #[test]
    fn planned_to_the_end_it_has_what_is_wanted(
        steps in steps(),
        refuses in prop::collection::vec(0..8usize, 0..3),
    ) {
        let agent = Agent { refuses, ..Agent::default() };
        let mut world = World { desired: Desired::default(), mirror: Mirror::default(), agent };
        for step in steps {
            match step {
                Step::Want(rules, contexts) => world.desired = desired(&rules, &contexts),
                Step::Go(count) => (0..count).for_each(|_| {
                    world.go(|_| {});
                }),
                Step::WantMeanwhile(rules, contexts) => {
                    let new = desired(&rules, &contexts);
                    if !world.go(|wanted| wanted.clone_from(&new)) {
                        world.desired = new;
                    }
                }
            }
        }
        let mut rounds = 0;
        while world.go(|_| {}) {
            rounds += 1;
            prop_assert!(rounds < 100, "it never comes to an end");
        }
        world.check();
        prop_assert!(plan(&world.desired, &world.mirror).is_empty());
        world.agent.refuses.clear();
        world.desired = Desired::default();
        while world.go(|_| {}) {}
        prop_assert!(world.agent.names.is_empty() && world.agent.contexts.is_empty());
        prop_assert_eq!(world.agent.total, 0);
    }
}

#[test]
fn contexts_come_first_and_go_last() {
    let mut world =
        World { desired: desired(&[(0, 1)], &[0]), mirror: Mirror::default(), agent: Agent::default() };
    let kinds = |plan: VecDeque<Change>| -> Vec<u32> {
        plan.iter().map(|change| change.request().number()).collect()
    };
    assert_eq!(kinds(plan(&world.desired, &world.mirror)), [5, 2]);
    while world.go(|_| {}) {}
    world.desired = desired(&[(1, 0)], &[]);
    assert_eq!(kinds(plan(&world.desired, &world.mirror)), [2, 3, 6], "what is new before what is old");
}

#[test]
fn what_is_wanted_twice_is_asked_for_once() {
    let mut desired = desired(&[(0, 0), (0, 0), (0, 1)], &[1, 1]);
    desired.add_rule(&rule(0, 1));
    assert_eq!((desired.rules.len(), desired.contexts.len()), (2, 1));
    // A level that limits nothing is told as it was said.
    assert!(desired.rules.iter().all(|rule| rule.level == 7));
}

#[test]
fn the_python_agent_is_never_asked_for_contexts() {
    let mut desired = Desired::default();
    let context = ProgramContext { provider: "p".into(), name: "c".into() };
    desired.add_contexts(LoggerDomain::Python, [context]);
    assert!(desired.contexts.is_empty());
}

#[test]
fn what_stays_wanted_is_in_memory_once() {
    let before = desired(&[(0, 0), (1, 1)], &[0]);
    let mut after = desired(&[(0, 1), (1, 1)], &[0, 1]);
    let same = after.clone();
    after.share(&before);
    assert_eq!(after, same);
    let is_known = |rule| before.rules.get(rule).is_some_and(|known| Rc::ptr_eq(known, rule));
    assert_eq!(after.rules.iter().filter(|rule| is_known(rule)).count(), 1);
    let is_known = |context| before.contexts.get(context).is_some_and(|known| Rc::ptr_eq(known, context));
    assert_eq!(after.contexts.iter().filter(|context| is_known(context)).count(), 1);
}
