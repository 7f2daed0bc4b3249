// SPDX-License-Identifier: GPL-2.0-only
//! Random lives of one session in a small model of the tracer, which carries out jobs, refuses some requests, and is
//! answered for later. What must not be asked fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use lttng_protocol::kernel::Object;
use proptest::prelude::*;

use super::*;
use crate::kernel::job::{
    Argument, Call, Done, Job, MAX_DESCRIPTORS, MAX_MESSAGE, Outcome, Request as Message, Step,
};
use crate::model::kernel::{KernelContext, ProbePlace, Transfer};
use crate::model::tracker::{Included, Value};
use crate::model::{Attributes, Filter};

/// Something that the tracer has.
#[derive(Debug)]
struct Thing {
    kind: Object,
    /// Its channel, if it is a rule or a stream.
    of: Option<RawFd>,
    enabled: bool,
    /// Contexts of a channel.
    contexts: Vec<wire::Context>,
    /// A rule, and its filter.
    rule: Option<(wire::Event, Option<Vec<u8>>)>,
    /// A part of a rule was refused.
    lame: bool,
}

/// The tracer, with one session.
#[derive(Debug, Default)]
struct Tracer {
    things: BTreeMap<RawFd, Thing>,
    trackers: BTreeMap<u32, BTreeSet<i32>>,
    recording: bool,
    was_started: bool,
    cpus: usize,
    /// Of so many requests that can be refused one is.
    fails: Option<usize>,
    asked: usize,
    names: Vec<String>,
}

impl Tracer {
    fn make(&mut self, kind: Object, of: Option<RawFd>, made: &mut Vec<OwnedFd>) -> RawFd {
        let descriptor: OwnedFd = File::open("/dev/null").unwrap().into();
        let number = descriptor.as_raw_fd();
        let thing = Thing {
            kind,
            of,
            enabled: kind == Object::Channel,
            contexts: Vec::new(),
            rule: None,
            lame: false,
        };
        self.things.insert(number, thing);
        made.push(descriptor);
        number
    }

    /// Takes the steps of a job, which must keep to its limits.
    fn run(&mut self, plan: &Plan) -> (Done, Vec<OwnedFd>) {
        let message = Message { id: u64::MAX, job: Job::Run(plan.steps.clone()) }.encode();
        assert!(message.len() <= MAX_MESSAGE, "{} bytes", message.len());
        assert!(plan.descriptors.len() <= MAX_DESCRIPTORS, "{} descriptors", plan.descriptors.len());
        assert_eq!(plan.aims.len(), plan.steps.len());
        let mut taken: Vec<(Outcome, Option<RawFd>)> = Vec::new();
        let mut made = Vec::new();
        for Step { on, needs, call } in plan.steps.clone() {
            let on = match on {
                On::Attached(place) => Some(plan.descriptors[usize::from(place)].as_raw_fd()),
                On::Made(step) => taken[usize::from(step)].1,
            };
            let well = |(outcome, made): &(Outcome, Option<RawFd>)| match outcome {
                Outcome::Done(_) => true,
                Outcome::Made { .. } => made.is_some(),
                _ => false,
            };
            let (Some(on), true) = (on, needs.is_none_or(|step| well(&taken[usize::from(step)]))) else {
                taken.push((Outcome::Skipped, None));
                continue;
            };
            taken.push(match call {
                Call::Each { most, .. } => self.open_streams(on, most, &mut made),
                Call::Request { number, argument, .. } => {
                    let bytes = match argument {
                        Argument::Nothing => Vec::new(),
                        Argument::Value(value) => value.to_ne_bytes().to_vec(),
                        Argument::Bytes(bytes) | Argument::WithDescriptor { bytes, .. } => bytes,
                    };
                    let request = Request::decode(number, &bytes).expect("a request that exists");
                    self.ask(on, &request, &mut made)
                }
            });
        }
        assert!(made.len() <= MAX_DESCRIPTORS, "{} are made", made.len());
        (Done::Steps(taken.into_iter().map(|(outcome, _)| outcome).collect()), made)
    }

    fn open_streams(&mut self, on: RawFd, most: u16, made: &mut Vec<OwnedFd>) -> (Outcome, Option<RawFd>) {
        let is_of_it = |thing: &&Thing| thing.kind == Object::Stream && thing.of == Some(on);
        let open = self.things.values().filter(is_of_it).count();
        let count = (self.cpus - open).min(usize::from(most));
        for _ in 0..count {
            self.make(Object::Stream, Some(on), made);
        }
        self.names.push(format!("STREAM x{count}"));
        let ended = count < usize::from(most);
        (Outcome::Made { count: u16::try_from(count).unwrap(), ended }, None)
    }

    fn ask(&mut self, on: RawFd, request: &Request, made: &mut Vec<OwnedFd>) -> (Outcome, Option<RawFd>) {
        self.asked += 1;
        self.names.push(request.name().to_owned());
        let kind = self.things[&on].kind;
        assert!(request.objects().contains(&kind), "{request:?} of {kind:?}");
        // What is left over must go, whatever it says.
        let can_fail = !matches!(request, Request::Disable);
        if can_fail && self.fails.is_some_and(|every| self.asked.is_multiple_of(every)) {
            if let Some(thing) = self.things.get_mut(&on)
                && matches!(request, Request::Filter(_))
            {
                thing.lame = true;
            }
            return (Outcome::Failed(libc::EINVAL), None);
        }
        let one = |thing: RawFd| (Outcome::Made { count: 1, ended: false }, Some(thing));
        let thing = self.things.get_mut(&on).unwrap();
        match request {
            Request::Session => return one(self.make(Object::Session, None, made)),
            Request::Channel(_) => {
                assert!(!self.was_started, "a channel after the start");
                return one(self.make(Object::Channel, None, made));
            }
            Request::Metadata(_) => return one(self.make(Object::MetadataChannel, None, made)),
            Request::Stream => return one(self.make(Object::Stream, Some(on), made)),
            Request::Event(event) => {
                let made = self.make(Object::Event, Some(on), made);
                self.things.get_mut(&made).unwrap().rule = Some((event.clone(), None));
                return one(made);
            }
            Request::Context(context) => {
                assert!(!self.was_started, "a context after the start");
                if thing.contexts.contains(context) {
                    // It was added for a change that was given up.
                    return (Outcome::Failed(libc::EEXIST), None);
                }
                thing.contexts.push(context.clone());
            }
            Request::Filter(bytecode) => thing.rule.as_mut().unwrap().1 = Some(bytecode.data.clone()),
            Request::Enable | Request::Disable => {
                assert!(!thing.lame, "a rule without its filter is switched on");
                let on = *request == Request::Enable;
                if std::mem::replace(&mut thing.enabled, on) == on {
                    // A change that was given up was under way.
                    return (Outcome::Failed(libc::EEXIST), None);
                }
            }
            Request::Track { attribute, id: Request::ALL } => drop(self.trackers.remove(&attribute.number())),
            Request::Untrack { attribute, id: Request::ALL } => {
                self.trackers.insert(attribute.number(), BTreeSet::new());
            }
            Request::Track { attribute, id } => {
                let new = self.trackers.get_mut(&attribute.number()).unwrap().insert(*id);
                assert!(new, "followed twice");
            }
            Request::Untrack { attribute, id } => {
                assert!(self.trackers.get_mut(&attribute.number()).unwrap().remove(id), "not followed");
            }
            Request::Start => {
                assert!(!self.recording);
                (self.recording, self.was_started) = (true, true);
            }
            Request::Stop => assert!(std::mem::replace(&mut self.recording, false)),
            Request::Flush => assert!(!self.recording, "flushed while it records"),
            Request::SetName(_) | Request::SetCreationTime(_) | Request::WaitQuiescent => {}
            other => panic!("{other:?}"),
        }
        (Outcome::Done(Vec::new()), None)
    }
}

#[derive(Debug, Clone)]
enum Act {
    AddChannel,
    AddContext {
        channel: usize,
    },
    AddRule {
        channel: usize,
        kind: u8,
        filter: usize,
    },
    SwitchRule {
        channel: usize,
        rule: usize,
    },
    SwitchChannel {
        channel: usize,
    },
    SetPolicy(Policy),
    Track(u32),
    Untrack(u32),
    Record(bool),
    PlugIn,
    Plan,
    /// The job under way is answered, as a whole with a failure if it is lost.
    Answer {
        lost: bool,
    },
    /// Who has changed something looks at what was refused.
    Settle,
    /// Who has changed something has waited long enough.
    GiveUp,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let index = || 0..3usize;
    let policy = prop_oneof![Just(Policy::IncludeAll), Just(Policy::ExcludeAll), Just(Policy::IncludeSet)];
    let act = prop_oneof![
        Just(Act::AddChannel),
        index().prop_map(|channel| Act::AddContext { channel }),
        (index(), 0..4u8, prop_oneof![Just(0usize), Just(9), Just(65_000)])
            .prop_map(|(channel, kind, filter)| Act::AddRule { channel, kind, filter }),
        (index(), index()).prop_map(|(channel, rule)| Act::SwitchRule { channel, rule }),
        index().prop_map(|channel| Act::SwitchChannel { channel }),
        policy.prop_map(Act::SetPolicy),
        (1..200u32).prop_map(Act::Track),
        (1..200u32).prop_map(Act::Untrack),
        any::<bool>().prop_map(Act::Record),
        Just(Act::PlugIn),
        Just(Act::Plan),
        prop::bool::weighted(0.1).prop_map(|lost| Act::Answer { lost }),
        Just(Act::Settle),
        Just(Act::GiveUp),
    ];
    prop::collection::vec(act, 0..80)
}

struct World {
    domain: KernelDomain,
    /// What was wanted when nothing was refused or under way.
    before: KernelDomain,
    active: bool,
    was_started: bool,
    has_output: bool,
    mirror: Mirror,
    host: Host,
    tracer: Tracer,
    under_way: Option<(Done, Vec<OwnedFd>)>,
    keys: u64,
}

impl World {
    fn new(fails: Option<usize>, has_output: bool, cpus: u32) -> Self {
        let control: SharedFd = Rc::new(File::open("/dev/null").unwrap().into());
        let mut tracer = Tracer { fails, cpus: cpus as usize, ..Tracer::default() };
        let thing = Thing {
            kind: Object::Tracer,
            of: None,
            enabled: false,
            contexts: Vec::new(),
            rule: None,
            lame: false,
        };
        tracer.things.insert(control.as_raw_fd(), thing);
        World {
            domain: KernelDomain::default(),
            before: KernelDomain::default(),
            active: false,
            was_started: false,
            has_output,
            mirror: Mirror::default(),
            host: Host { control, page_size: 4096, cpus: cpus + 4 },
            tracer,
            under_way: None,
            keys: 0,
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::AddChannel if !self.was_started && self.domain.channels.len() < 3 => self.add_channel(),
            Act::AddContext { channel } if !self.was_started => {
                let known = [KernelContext::Pid, KernelContext::Prio, KernelContext::Uid];
                if let Some(channel) = self.domain.channels.get_mut(channel)
                    && let Some(context) = known.get(channel.contexts.len())
                {
                    channel.contexts.push(context.clone());
                }
            }
            Act::AddRule { channel, kind, filter } => self.add_rule(channel, kind, filter),
            Act::SwitchRule { channel, rule } => {
                if let Some(rule) =
                    self.domain.channels.get_mut(channel).and_then(|it| it.rules.get_mut(rule))
                {
                    rule.enabled = !rule.enabled;
                }
            }
            Act::SwitchChannel { channel } => {
                if let Some(channel) = self.domain.channels.get_mut(channel) {
                    channel.enabled = !channel.enabled;
                }
            }
            Act::SetPolicy(policy) => self.domain.trackers.pid.set_policy(policy),
            Act::Track(id) if self.domain.trackers.pid.policy() == Policy::IncludeSet => {
                self.domain.trackers.pid.add(Included { value: Value::Pid(id.into()), id });
            }
            Act::Untrack(id) => drop(self.domain.trackers.pid.remove(&Value::Pid(id.into()))),
            // Nobody starts what is empty, or while a change goes on.
            Act::Record(active) if self.finish_change() => {
                self.active = active;
                self.was_started |= active;
            }
            Act::PlugIn if self.tracer.recording && self.tracer.cpus < self.host.cpus as usize => {
                self.tracer.cpus += 1;
                let channels: Vec<ChannelId> = self.mirror.channels.keys().copied().collect();
                channels.into_iter().for_each(|id| self.mirror.has_more_streams(id));
            }
            Act::Plan => drop(self.plan()),
            Act::Answer { lost } => self.answer(lost),
            Act::Settle if !self.mirror.is_busy() => self.settle(),
            Act::GiveUp => {
                self.mirror.give_up_change(&self.before);
                self.domain = self.before.clone();
            }
            _ => {}
        }
    }

    /// Plans and answers until a change is made or given up. Whether there is anything to be recorded.
    fn finish_change(&mut self) -> bool {
        for _ in 0..200 {
            self.answer(false);
            if !self.plan() {
                self.settle();
                if !self.plan() {
                    return !self.domain.channels.is_empty();
                }
            }
        }
        false
    }

    fn settle(&mut self) {
        let refusals = self.mirror.take_refusals();
        if refusals.iter().any(|refusal| refusal.asked.is_of_change()) {
            self.mirror.give_up_change(&self.before);
            self.domain = self.before.clone();
        }
        self.before = self.domain.clone();
    }

    fn add_channel(&mut self) {
        let id = self.domain.channels.iter().map(|it| it.id.0 + 1).max().unwrap_or(0);
        self.domain.channels.push(KernelChannel {
            id: ChannelId(id),
            name: format!("channel{id}"),
            enabled: true,
            listed_enabled: true,
            attributes: Attributes::default_of_kernel(false, 4096),
            live_timer: 0,
            transfer: Transfer::Splice,
            contexts: Vec::new(),
            rules: Vec::new(),
        });
    }

    fn add_rule(&mut self, channel: usize, kind: u8, filter: usize) {
        let Some(channel) = self.domain.channels.get_mut(channel) else { return };
        let id = channel.next_rule();
        let bytecode = vec![1; filter];
        let filter =
            (filter > 0).then(|| Filter { expression: "x".into(), bytecode, reloc_offset: 1, seqnum: 0 });
        let place = ProbePlace { symbol: "s".into(), address: 0, offset: 0 };
        let kind = match kind {
            0 => KernelRuleKind::Tracepoint,
            1 => KernelRuleKind::Syscall,
            2 => KernelRuleKind::Probe(place),
            _ => KernelRuleKind::Function(place),
        };
        let name = format!("rule{}", id.0).as_str().into();
        channel.rules.push(KernelRule { id, name, kind, filter, enabled: true });
    }

    /// Sends the next job, or hands over what there is. Whether there was anything to be done.
    fn plan(&mut self) -> bool {
        if self.mirror.is_busy() {
            return false;
        }
        self.mirror.prune(Some(&self.domain));
        let handed = self.mirror.is_handed(self.has_output);
        let goal = Goal {
            domain: &self.domain,
            name: "s".into(),
            created: "20261122T194002+0000".into(),
            active: self.active,
            has_output: self.has_output,
            programs: &|_, _| None,
        };
        let Some(plan) = plan(&goal, &self.mirror, &self.host, handed) else {
            let hands = self.active && !handed && self.mirror.is_open(self.has_output);
            if hands {
                self.mirror.all_handed();
            }
            return hands;
        };
        // The tracer does it at once, and says so later.
        self.under_way = Some(self.tracer.run(&plan));
        self.mirror.begun(plan.aims);
        true
    }

    fn answer(&mut self, lost: bool) {
        let Some((done, made)) = self.under_way.take() else { return };
        let keys = &mut self.keys;
        let mut key = || {
            *keys += 1;
            *keys
        };
        // One that is lost before it is done is as good as refused. One that is lost afterwards has changed what nobody
        // knows of.
        let undone = lost
            && matches!(&done, Done::Steps(steps) if steps.iter().all(|step| matches!(step, Outcome::Failed(_) | Outcome::Skipped)));
        let result = if undone { Err(libc::EIO) } else { Ok((done, made)) };
        self.mirror.done(result, &mut key);
    }

    /// Plans and answers until there is nothing left to be done, and nothing fails.
    fn run_to_the_end(&mut self) {
        self.tracer.fails = None;
        let rules: usize = self.domain.channels.iter().map(|channel| channel.rules.len()).sum();
        self.answer(false);
        self.mirror.take_refusals();
        for _ in 0..(60 + 2 * rules) {
            if !self.plan() {
                assert_eq!(self.mirror.take_refusals(), []);
                return;
            }
            self.answer(false);
        }
        panic!("it asks without end");
    }

    fn check(&self) {
        let mut on = BTreeSet::new();
        for channel in &self.domain.channels {
            let known = &self.mirror.channels[&channel.id];
            let thing = &self.tracer.things[&known.object.as_raw_fd()];
            assert_eq!(thing.enabled, channel.enabled);
            let contexts: Vec<_> = channel.contexts.iter().map(words::context).collect();
            assert!(thing.contexts.starts_with(&contexts), "{:?}", thing.contexts);
            for rule in &channel.rules {
                let object = known.rules[&rule.id].object.as_raw_fd();
                let thing = &self.tracer.things[&object];
                let filter = rule.filter.as_ref().map(|filter| filter.bytecode.clone());
                assert_eq!(thing.rule, Some((words::rule(rule), filter)));
                assert_eq!(thing.enabled, rule.enabled);
                on.extend((rule.enabled && channel.enabled).then_some(object));
            }
            if self.active {
                assert_eq!(known.streams.len(), self.tracer.cpus);
            }
        }
        let things = &self.tracer.things;
        let records = |thing: &Thing| {
            thing.kind == Object::Event
                && thing.enabled
                && thing.of.is_some_and(|channel| things.get(&channel).is_some_and(|it| it.enabled))
        };
        let recorded: BTreeSet<RawFd> =
            things.iter().filter(|(_, thing)| records(thing)).map(|(&number, _)| number).collect();
        assert_eq!(recorded, on, "something else is recorded, too");
        let tracker = &self.domain.trackers.pid;
        let followed = match tracker.policy() {
            Policy::IncludeAll => None,
            _ => Some(tracker.included().iter().map(|it| it.id.cast_signed()).collect::<BTreeSet<i32>>()),
        };
        assert_eq!(self.tracer.trackers.get(&0), followed.as_ref());
        assert_eq!(self.tracer.recording, self.active);
        assert!(self.mirror.unflushed.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn planned_to_the_end_the_tracer_has_what_is_wanted(
        acts in acts(),
        fails in prop::option::of(2..9usize),
        has_output: bool,
        cpus in prop_oneof![Just(1u32), Just(2), Just(300)],
    ) {
        let mut world = World::new(fails, has_output, cpus);
        for act in &acts {
            world.act(act);
        }
        world.run_to_the_end();
        world.check();
        prop_assert!(!world.plan(), "nothing more is planned");
    }
}

/// The requests for the difference between what is wanted and what there is.
fn asked(world: &mut World) -> Vec<String> {
    world.tracer.names.clear();
    world.run_to_the_end();
    world.check();
    std::mem::take(&mut world.tracer.names)
}

/// As the original was recorded, but for the WAIT_QUIESCENTs after changes, which nobody would notice: only before the
/// last packets are closed something hangs on it.
#[test]
fn requests_come_in_the_order_of_the_original() {
    let mut world = World::new(None, true, 2);
    world.add_channel();
    world.add_rule(0, 0, 0);
    world.add_rule(0, 1, 0);
    let session = ["SESSION", "SESSION_SET_NAME", "SESSION_SET_CREATION_TIME"];
    let made = ["CHANNEL", "EVENT", "ENABLE", "EVENT", "ENABLE"];
    assert_eq!(asked(&mut world), [&session[..], &made].concat());
    world.add_rule(0, 0, 9);
    assert_eq!(asked(&mut world), ["EVENT", "FILTER", "ENABLE"]);
    world.act(&Act::AddContext { channel: 0 });
    assert_eq!(asked(&mut world), ["CONTEXT"]);
    world.act(&Act::Record(true));
    assert_eq!(asked(&mut world), ["METADATA", "STREAM", "STREAM x2", "SESSION_START"]);
    world.act(&Act::SwitchChannel { channel: 0 });
    assert_eq!(asked(&mut world), ["DISABLE"]);
    world.act(&Act::SwitchChannel { channel: 0 });
    assert_eq!(asked(&mut world), ["ENABLE"]);
    world.act(&Act::Record(false));
    assert_eq!(asked(&mut world), ["SESSION_STOP", "WAIT_QUIESCENT", "FLUSH", "FLUSH", "FLUSH"]);
    world.act(&Act::Record(true));
    assert_eq!(asked(&mut world), ["SESSION_START"]);
    // A snapshot's own.
    let plan = metadata(world.mirror.session.as_ref().unwrap(), 4096);
    assert_eq!(plan.aims, [Aim::Metadata, Aim::MetadataStream]);
    // What is given up: the session first.
    assert_eq!(world.mirror.let_go().len(), 1 + 2 + 1 + 2 + 3);
}

#[test]
fn a_session_without_output_has_no_metadata_of_its_own() {
    let mut world = World::new(None, false, 1);
    world.add_channel();
    asked(&mut world);
    world.act(&Act::Record(true));
    assert_eq!(asked(&mut world), ["STREAM x1", "SESSION_START"]);
}

#[test]
fn hundreds_of_processes_are_followed_in_jobs_of_bounded_size() {
    let mut world = World::new(None, true, 1);
    world.act(&Act::SetPolicy(Policy::IncludeSet));
    for pid in 1..1000 {
        world.act(&Act::Track(pid));
    }
    while world.plan() {
        let (Done::Steps(steps), _) = world.under_way.as_ref().unwrap() else { panic!() };
        assert!(steps.len() < 100, "{} steps", steps.len());
        world.answer(false);
    }
    world.check();
}
