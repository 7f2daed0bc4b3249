// SPDX-License-Identifier: GPL-2.0-only
//! Random lives of the notifiers in one application. The application here carries out what it is asked, in order,
//! answers later, and refuses to be asked what must not be asked.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use lttng_protocol::ust::command::{EventRule, LogLevel};

const CPUS: u32 = 3;

#[derive(Debug, Clone)]
enum Step {
    Want { filter: bool, exclusions: bool, captures: usize },
    Forget { at: usize },
    MakePipe,
    LosePipe,
    Plan { limit: usize },
    Answer { count: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (any::<bool>(), any::<bool>(), 0..3usize).prop_map(|(filter, exclusions, captures)| Step::Want {
            filter,
            exclusions,
            captures
        }),
        (0..4usize).prop_map(|at| Step::Forget { at }),
        Just(Step::MakePipe),
        Just(Step::LosePipe),
        // Now and then, not all that is planned is asked.
        prop_oneof![Just(usize::MAX), 0..6usize].prop_map(|limit| Step::Plan { limit }),
        (1..6usize).prop_map(|count| Step::Answer { count }),
    ];
    prop::collection::vec(step, 0..60)
}

/// A notifier as an application has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct AppNotifier {
    filter: bool,
    exclusions: bool,
    captures: usize,
    enabled: bool,
    /// Something was refused on purpose.
    spoilt: bool,
}

#[derive(Debug, Default)]
struct App {
    group: bool,
    counter: bool,
    counter_refused: bool,
    cpus: u32,
    notifiers: BTreeMap<TriggerId, AppNotifier>,
}

struct World {
    wanted: Wanted,
    next: u64,
    pipe: PipeState,
    counters: Option<u32>,
    mirror: NotifiersMirror,
    in_flight: VecDeque<Request>,
    app: App,
    fails: Option<usize>,
    answered: usize,
    asked: usize,
}

impl World {
    fn new(fails: Option<usize>) -> Self {
        World {
            wanted: Wanted::new(),
            next: 1,
            pipe: PipeState::Pending,
            counters: Some(CPUS),
            mirror: NotifiersMirror::default(),
            in_flight: VecDeque::new(),
            app: App::default(),
            fails,
            answered: 0,
            asked: 0,
        }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Want { filter, exclusions, captures } if self.wanted.len() < 4 => {
                let id = TriggerId(self.next);
                self.next += 1;
                let bytecode = || Bytecode { data: vec![1], reloc_offset: 1 };
                let rule = EventRule { name: "a:*".into(), loglevel: LogLevel::All, token: id.0 };
                let notifier = Notifier {
                    description: EventNotifier { rule, error_counter_index: id.0 },
                    filter: filter.then(bytecode),
                    exclusions: if exclusions { vec!["a:b".into()] } else { Vec::new() },
                    captures: (0..captures).map(|_| bytecode()).collect(),
                };
                self.wanted.insert(id, Rc::new(notifier));
            }
            Step::Want { .. } => {}
            Step::Forget { at } => {
                if let Some(id) = self.wanted.keys().nth(at).copied() {
                    self.wanted.remove(&id);
                    self.mirror.look_again(id);
                }
            }
            Step::MakePipe => self.pipe = PipeState::Ready,
            // Once it was handed over, it is there for good.
            Step::LosePipe if self.mirror.group == Slot::Absent => self.pipe = PipeState::Failed,
            Step::LosePipe => {}
            Step::Plan { limit } => drop(self.plan(limit)),
            Step::Answer { count } => (0..count).for_each(|_| self.answer()),
        }
    }

    fn plan(&mut self, limit: usize) -> Plan<Request> {
        self.mirror.forget_unwanted(&self.wanted);
        let desired = Desired { notifiers: &self.wanted, pipe: self.pipe, counters: self.counters };
        // What is done is not looked at, which makes no difference.
        let all = plan(desired, &NotifiersMirror { done_below: TriggerId(0), ..self.mirror.clone() });
        self.mirror.pass_over_done(&self.wanted);
        let plan = plan(desired, &self.mirror);
        assert_eq!(plan, all);
        for &request in plan.requests.iter().take(limit) {
            self.mirror.sent(request);
            self.in_flight.push_back(request);
            self.asked += 1;
        }
        self.mirror.waiting = plan.waiting || plan.requests.len() > limit;
        plan
    }

    fn answer(&mut self) {
        let Some(request) = self.in_flight.pop_front() else { return };
        self.answered += 1;
        let refused = self.fails.is_some_and(|every| self.answered.is_multiple_of(every));
        let refused = refused && !matches!(request, Request::Release(_) | Request::Switch(_, false));
        if refused {
            self.app.refuse(request)
        } else {
            self.app.carry_out(request)
        }
        let answer = if refused { Err(-1024) } else { Ok(u32::try_from(self.answered).unwrap()) };
        self.mirror.answered(request, answer);
    }

    fn run_to_the_end(&mut self) {
        self.pipe = PipeState::Ready;
        let limit = self.asked + 20 * self.wanted.len() + 60;
        loop {
            let plan = self.plan(usize::MAX);
            if plan.requests.is_empty() && self.in_flight.is_empty() {
                assert!(!plan.waiting, "it waits for what will never come: {:?}", self.mirror);
                return;
            }
            while !self.in_flight.is_empty() {
                self.answer();
            }
            assert!(self.asked < limit, "it asks without end");
        }
    }

    fn expected(&self) -> BTreeMap<TriggerId, AppNotifier> {
        let notifier = |wanted: &Notifier| AppNotifier {
            filter: wanted.filter.is_some(),
            exclusions: !wanted.exclusions.is_empty(),
            captures: wanted.captures.len(),
            enabled: true,
            spoilt: false,
        };
        self.wanted.iter().map(|(&id, wanted)| (id, notifier(wanted))).collect()
    }
}

impl App {
    fn notifier(&mut self, id: TriggerId) -> &mut AppNotifier {
        self.notifiers.get_mut(&id).expect("a command on a notifier that is not there")
    }

    fn refuse(&mut self, request: Request) {
        match request {
            Request::CreateCounter => self.counter_refused = true,
            Request::AddCounter(_) => self.cpus += 1,
            Request::SetFilter(id) | Request::SetExclusions(id) | Request::AddCapture(id, _) => {
                self.notifier(id).spoilt = true;
            }
            Request::Switch(id, true) => self.notifier(id).spoilt = true,
            _ => {}
        }
    }

    fn carry_out(&mut self, request: Request) {
        match request {
            Request::CreateGroup => assert!(!std::mem::replace(&mut self.group, true), "a second group"),
            Request::CreateCounter => {
                assert!(self.group && !std::mem::replace(&mut self.counter, true), "a second counter");
            }
            Request::AddCounter(cpu) => {
                assert!(self.counter && cpu == self.cpus && cpu < CPUS);
                self.cpus += 1;
            }
            Request::Create(id) => {
                assert!(self.group);
                assert_eq!(self.notifiers.insert(id, AppNotifier::default()), None);
            }
            Request::SetFilter(id) => {
                assert!(!std::mem::replace(&mut self.notifier(id).filter, true), "a second filter");
            }
            Request::SetExclusions(id) => {
                assert!(!std::mem::replace(&mut self.notifier(id).exclusions, true), "excluded twice");
            }
            Request::AddCapture(id, at) => {
                let notifier = self.notifier(id);
                assert!(notifier.spoilt || notifier.captures == at, "captures come in order");
                notifier.captures = at + 1;
            }
            Request::Switch(id, on) => {
                let counted = !self.counter || self.cpus == CPUS;
                assert!(!on || counted, "losses can't be counted");
                let notifier = self.notifier(id);
                // One that would not be switched on may be switched off all the same.
                assert!(notifier.enabled != on || notifier.spoilt && !on, "switched to where it is");
                notifier.enabled = on;
            }
            Request::Release(id) => {
                let released = self.notifiers.remove(&id).expect("released what is not there");
                assert!(!released.enabled, "released while it tells of events");
            }
        }
    }
}

proptest! {
    /// However triggers come and go and whenever answers come: planned to the end, the application has what is wanted,
    /// and nothing more is planned.
    #[test]
    fn planning_to_the_end_gives_what_is_wanted(steps in steps(), counters: bool) {
        let mut world = World::new(None);
        world.counters = world.counters.filter(|_| counters);
        for step in &steps {
            world.apply(step);
        }
        world.run_to_the_end();
        prop_assert!(world.mirror.is_settled());
        prop_assert_eq!(&world.app.notifiers, &world.expected());
        prop_assert!(world.wanted.is_empty() || world.app.group && world.app.counter == counters);
        prop_assert_eq!(world.plan(usize::MAX), Plan::default());
    }

    /// An application that refuses this and that is not asked again and again, none of its notifiers tells of what it
    /// should not, and what it has can still be released.
    #[test]
    fn refusals_come_to_an_end(steps in steps(), every in 1..7usize) {
        let mut world = World::new(Some(every));
        for step in &steps {
            world.apply(step);
        }
        world.run_to_the_end();
        prop_assert_eq!(world.plan(usize::MAX), Plan::default());
        for notifier in world.app.notifiers.values() {
            prop_assert!(!(notifier.spoilt && notifier.enabled), "{:?}", notifier);
        }
        world.wanted.clear();
        world.mirror.look_again(TriggerId(0));
        world.run_to_the_end();
        prop_assert!(world.app.notifiers.is_empty() && world.mirror.notifiers.is_empty());
        prop_assert!(world.mirror.is_settled());
    }
}

#[test]
fn an_application_has_everything_after_three_round_trips() {
    let mut world = World::new(None);
    for _ in 0..2 {
        world.apply(&Step::Want { filter: true, exclusions: true, captures: 2 });
    }
    world.apply(&Step::MakePipe);
    let mut bursts = Vec::new();
    loop {
        world.plan(usize::MAX);
        if world.in_flight.is_empty() {
            break;
        }
        bursts.push(world.in_flight.len());
        while !world.in_flight.is_empty() {
            world.answer();
        }
    }
    assert_eq!(bursts, [1, 3, 3 + 2 * 5]);
    assert_eq!(world.app.notifiers, world.expected());
}

#[test]
fn what_is_done_is_passed_over() {
    let mut world = World::new(None);
    for _ in 0..4 {
        world.apply(&Step::Want { filter: true, exclusions: false, captures: 1 });
    }
    world.run_to_the_end();
    world.plan(usize::MAX);
    assert_eq!(world.mirror.done_below, TriggerId(world.next));
    world.apply(&Step::Forget { at: 2 });
    assert_eq!(world.mirror.done_below, TriggerId(3));
    world.run_to_the_end();
    world.plan(usize::MAX);
    assert_eq!(world.mirror.done_below, TriggerId(world.next));
    assert_eq!(world.app.notifiers, world.expected());
}

#[test]
fn nothing_is_asked_when_nothing_is_wanted_and_when_there_is_no_pipe() {
    let mut world = World::new(None);
    world.apply(&Step::MakePipe);
    assert_eq!(world.plan(usize::MAX), Plan::default());
    world.apply(&Step::LosePipe);
    world.apply(&Step::Want { filter: false, exclusions: false, captures: 0 });
    assert_eq!(world.plan(usize::MAX), Plan::default());
}
