// SPDX-License-Identifier: GPL-2.0-only
//! Random lives of one session in one application. The application here carries out what it is asked, in order,
//! answers later, and refuses to be asked what must not be asked.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::model::{Attributes, BufferingScheme, Context, EventRule, Filter, LogLevels, RuleKind};
use crate::turn::ids::RuleId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Nothing,
    Stopped,
    Recording,
}

#[derive(Debug, Clone)]
enum Step {
    AddChannel,
    AddRule {
        channel: usize,
        filter: bool,
        exclusions: bool,
    },
    SwitchRule {
        channel: usize,
        rule: usize,
    },
    SwitchChannel {
        channel: usize,
    },
    Wish(Wish),
    MakeBuffers,
    /// The buffers of this channel can't be had for now.
    FailBuffers {
        channel: usize,
    },
    Plan,
    Answer {
        count: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = 0..4usize;
    let step = prop_oneof![
        Just(Step::AddChannel),
        (index.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(channel, filter, exclusions)| Step::AddRule { channel, filter, exclusions }),
        (index.clone(), index.clone()).prop_map(|(channel, rule)| Step::SwitchRule { channel, rule }),
        index.prop_map(|channel| Step::SwitchChannel { channel }),
        prop_oneof![Just(Wish::Nothing), Just(Wish::Stopped), Just(Wish::Recording)].prop_map(Step::Wish),
        Just(Step::MakeBuffers),
        (0..4usize).prop_map(|channel| Step::FailBuffers { channel }),
        Just(Step::Plan),
        (1..6usize).prop_map(|count| Step::Answer { count }),
    ];
    prop::collection::vec(step, 0..60)
}

/// A rule as the application has it: filter, exclusions, switched on.
type AppRule = (bool, bool, bool);

#[derive(Debug, Default, PartialEq, Eq, Clone)]
struct AppChannel {
    streams: u32,
    /// A stream was refused: nothing works on this channel any more.
    broken: bool,
    contexts: Vec<usize>,
    enabled: bool,
    rules: BTreeMap<RuleId, AppRule>,
}

#[derive(Debug, Default)]
struct AppSession {
    exists: bool,
    enabled: bool,
    was_enabled: bool,
    refused_switch: bool,
    channels: BTreeMap<ChannelId, AppChannel>,
}

const STREAMS: u32 = 2;

struct World {
    channels: Vec<Channel>,
    buffers_made: bool,
    failed: Option<usize>,
    recorded: bool,
    wish: Wish,
    mirror: SessionMirror,
    in_flight: VecDeque<Request>,
    app: AppSession,
    /// Which answers are errors: one in so many, if any.
    fails: Option<usize>,
    answered: usize,
    asked: usize,
}

impl World {
    fn new(fails: Option<usize>) -> Self {
        World {
            channels: Vec::new(),
            buffers_made: false,
            failed: None,
            recorded: false,
            wish: Wish::Stopped,
            mirror: SessionMirror::default(),
            in_flight: VecDeque::new(),
            app: AppSession::default(),
            fails,
            answered: 0,
            asked: 0,
        }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            // Channels can't be added any more once the session was started.
            Step::AddChannel if !self.recorded && self.channels.len() < 4 => self.channels.push(Channel {
                id: ChannelId(self.channels.len() as u64),
                name: format!("channel{}", self.channels.len()),
                enabled: true,
                attributes: Attributes::default_for(BufferingScheme::PerUser, false, 4096),
                contexts: vec![Context::Vpid, Context::Procname],
                rules: Vec::new(),
            }),
            Step::AddRule { channel, filter, exclusions } => {
                if let Some(channel) = self.channels.get_mut(channel) {
                    let id = channel.next_rule();
                    let filter = filter.then(|| Filter {
                        expression: "x".into(),
                        bytecode: vec![1],
                        reloc_offset: 1,
                        seqnum: 0,
                    });
                    let exclusions = if exclusions { vec!["y".into()] } else { Vec::new() };
                    let name = format!("rule{}", id.0);
                    let levels = LogLevels::All;
                    let kind = RuleKind::Tracepoint;
                    channel.rules.push(EventRule {
                        id,
                        name: name.into(),
                        kind,
                        levels,
                        filter,
                        exclusions,
                        enabled: true,
                    });
                }
            }
            Step::SwitchRule { channel, rule } => {
                if let Some(rule) = self.channels.get_mut(channel).and_then(|it| it.rules.get_mut(rule)) {
                    rule.enabled = !rule.enabled;
                }
            }
            Step::SwitchChannel { channel } => {
                if let Some(channel) = self.channels.get_mut(channel) {
                    channel.enabled = !channel.enabled;
                }
            }
            // A session that is gone does not come back.
            Step::Wish(_) if self.wish == Wish::Nothing => {}
            Step::Wish(wish) => {
                self.wish = wish;
                self.recorded |= wish == Wish::Recording;
            }
            Step::MakeBuffers => (self.buffers_made, self.failed) = (true, None),
            Step::FailBuffers { channel } => self.failed = Some(channel),
            Step::Plan => drop(self.plan()),
            Step::Answer { count } => (0..count).for_each(|_| self.answer()),
            Step::AddChannel => {}
        }
    }

    fn plan(&mut self) -> Plan<Request> {
        let (made, failed) = (self.buffers_made, self.failed.map(|at| ChannelId(at as u64)));
        let buffers = move |id| match made {
            _ if failed == Some(id) => BufferState::Failed,
            true => BufferState::Ready(STREAMS),
            false => BufferState::Pending,
        };
        let desired = match self.wish {
            Wish::Nothing => Desired::Nothing,
            Wish::Stopped => Desired::Stopped,
            Wish::Recording => Desired::Recording { channels: &self.channels, buffers: &buffers },
        };
        let plan = plan(desired, &self.mirror);
        for &request in &plan.requests {
            self.mirror.sent(request);
            self.in_flight.push_back(request);
            self.asked += 1;
        }
        plan
    }

    fn answer(&mut self) {
        let Some(request) = self.in_flight.pop_front() else { return };
        self.answered += 1;
        let refused = self.fails.is_some_and(|every| self.answered.is_multiple_of(every));
        let releases = matches!(
            request,
            Request::ReleaseRule(..) | Request::ReleaseChannel(_) | Request::ReleaseSession
        );
        let result =
            if refused && !releases { self.app.refuse(request) } else { self.app.carry_out(request) };
        let handle = u32::try_from(self.answered).unwrap();
        self.mirror.answered(request, result.map(|()| handle));
    }

    /// Plans and answers until there is nothing left to ask. The buffers come, too.
    fn run_to_the_end(&mut self) {
        (self.buffers_made, self.failed) = (true, None);
        let objects: usize = self.channels.iter().map(|channel| 8 + 6 * channel.rules.len()).sum();
        // It may get the session anew.
        let limit = self.asked + 8 * objects + 80;
        loop {
            let plan = self.plan();
            if plan.requests.is_empty() && self.in_flight.is_empty() {
                assert!(!plan.waiting, "it waits for what will never come: {:?}", self.mirror);
                break;
            }
            while !self.in_flight.is_empty() {
                self.answer();
            }
            assert!(self.asked < limit, "it asks without end");
        }
    }

    fn wanted(&self) -> BTreeMap<ChannelId, AppChannel> {
        let rule =
            |rule: &EventRule| (rule.id, (rule.filter.is_some(), !rule.exclusions.is_empty(), rule.enabled));
        let channel = |channel: &Channel| AppChannel {
            streams: STREAMS,
            broken: false,
            contexts: vec![0, 1],
            enabled: channel.enabled,
            rules: channel.rules.iter().map(rule).collect(),
        };
        self.channels.iter().map(|it| (it.id, channel(it))).collect()
    }
}

impl AppSession {
    fn channel(&mut self, id: ChannelId) -> &mut AppChannel {
        self.channels.get_mut(&id).expect("a command on a channel that is not there")
    }

    fn rule(&mut self, channel: ChannelId, rule: RuleId) -> &mut AppRule {
        let channel = self.channel(channel);
        assert_eq!(channel.streams, STREAMS, "a command on a channel without all its streams");
        channel.rules.get_mut(&rule).expect("a command on a rule that is not there")
    }

    /// Only one that refused a switch before is ever asked to switch to where it is, and refuses that too.
    fn refuses_switch(&self, same: bool) -> Result<(), i32> {
        assert!(!same || self.refused_switch, "switched to where it is");
        if same { Err(-1024) } else { Ok(()) }
    }

    fn refuse(&mut self, request: Request) -> Result<(), i32> {
        if let Request::AddStream(id, _) = request {
            self.channel(id).broken = true;
        }
        self.refused_switch |= matches!(request, Request::SwitchChannel(..) | Request::SwitchSession(_));
        Err(-1024)
    }

    fn carry_out(&mut self, request: Request) -> Result<(), i32> {
        match request {
            Request::AddStream(id, _)
            | Request::AddContext(id, _)
            | Request::CreateRule(id, _)
            | Request::SwitchChannel(id, _)
                if self.channel(id).broken =>
            {
                return Err(-1028);
            }
            Request::CreateSession => {
                assert!(!self.exists);
                self.exists = true;
            }
            Request::CreateChannel(id) => {
                assert!(self.exists && !self.was_enabled, "a channel after the session was active");
                let new = AppChannel { enabled: true, ..AppChannel::default() };
                assert_eq!(self.channels.insert(id, new), None);
            }
            Request::AddStream(id, number) => {
                let channel = self.channel(id);
                assert_eq!(channel.streams, number);
                channel.streams += 1;
            }
            Request::AddContext(id, at) => {
                assert!(!self.was_enabled, "a context after the session was active");
                let channel = self.channel(id);
                assert_eq!(channel.streams, STREAMS, "a context before all streams");
                channel.contexts.push(at);
            }
            Request::CreateRule(id, rule) => {
                let channel = self.channel(id);
                assert_eq!(channel.streams, STREAMS, "a rule before all streams");
                assert_eq!(channel.rules.insert(rule, AppRule::default()), None);
            }
            Request::SetFilter(id, rule) => {
                let filter = &mut self.rule(id, rule).0;
                assert!(!*filter, "a second filter");
                *filter = true;
            }
            Request::SetExclusions(id, rule) => self.rule(id, rule).1 = true,
            Request::SwitchRule(id, rule, on) => self.rule(id, rule).2 = on,
            Request::SwitchChannel(id, on) => {
                let same = self.channel(id).enabled == on;
                self.refuses_switch(same)?;
                self.channel(id).enabled = on;
            }
            Request::SwitchSession(on) => {
                self.refuses_switch(self.enabled == on)?;
                self.enabled = on;
                self.was_enabled |= on;
            }
            Request::RecordState | Request::WaitQuiescent => {}
            Request::ReleaseRule(id, rule) => {
                self.channel(id).rules.remove(&rule).expect("a rule released that is not there");
            }
            Request::ReleaseChannel(id) => {
                self.channels.remove(&id).expect("a channel released that is not there");
            }
            Request::ReleaseSession => {
                assert!(self.exists && self.channels.values().all(|channel| channel.rules.is_empty()));
                *self = AppSession::default();
            }
        }
        Ok(())
    }
}

proptest! {
    /// However a session's life goes and whenever answers come: planned to the end, the application has what is
    /// wanted, and nothing more is planned.
    #[test]
    fn planning_to_the_end_gives_what_is_wanted(steps in steps()) {
        let mut world = World::new(None);
        for step in &steps {
            world.apply(step);
        }
        world.run_to_the_end();
        prop_assert!(world.mirror.is_settled());
        match world.wish {
            Wish::Nothing => {
                prop_assert!(!world.app.exists);
                prop_assert_eq!(&world.mirror, &SessionMirror::default());
            }
            Wish::Stopped => prop_assert!(!world.app.enabled),
            Wish::Recording => {
                prop_assert!(world.app.enabled);
                prop_assert_eq!(&world.app.channels, &world.wanted());
            }
        }
        prop_assert_eq!(world.plan(), Plan::default());
    }

    /// An application that refuses this and that is not asked again and again, and what it has can still be
    /// released.
    #[test]
    fn refusals_come_to_an_end(steps in steps(), every in 1..7usize) {
        let mut world = World::new(Some(every));
        for step in &steps {
            world.apply(step);
        }
        world.run_to_the_end();
        prop_assert_eq!(world.plan(), Plan::default());
        world.apply(&Step::Wish(Wish::Nothing));
        world.run_to_the_end();
        prop_assert!(world.mirror.is_settled());
    }
}

#[test]
fn a_channel_whose_buffers_were_lost_before_it_had_them_gets_others_with_the_session_anew() {
    let mut world = World::new(None);
    for step in [
        Step::AddChannel,
        Step::AddChannel,
        Step::Wish(Wish::Recording),
        Step::MakeBuffers,
        Step::Plan,
        Step::Answer { count: 1 },
        Step::Plan,
        Step::Answer { count: 2 },
        Step::FailBuffers { channel: 0 },
        Step::Plan,
    ] {
        world.apply(&step);
    }
    assert!(world.in_flight.contains(&Request::SwitchSession(true)));
    world.run_to_the_end();
    assert_eq!(world.app.channels, world.wanted());
}

#[test]
fn a_new_application_has_everything_after_four_bursts() {
    let mut world = World::new(None);
    for _ in 0..2 {
        world.apply(&Step::AddChannel);
    }
    for channel in 0..2 {
        world.apply(&Step::AddRule { channel, filter: true, exclusions: true });
        world.apply(&Step::AddRule { channel, filter: false, exclusions: false });
    }
    world.apply(&Step::MakeBuffers);
    world.apply(&Step::Wish(Wish::Recording));
    let mut bursts = 0;
    while !world.app.enabled {
        assert!(!world.plan().requests.is_empty());
        while !world.in_flight.is_empty() {
            world.answer();
        }
        bursts += 1;
    }
    assert_eq!(bursts, 4);
}
