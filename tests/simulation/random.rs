// SPDX-License-Identifier: GPL-2.0-only
//! Random lives: clients, applications and the order of things by chance. In the end every client has its reply
//! and every application has exactly what the sessions say.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use lttng_protocol::client::{Channel, ErrorCode, Event, ScheduleKind, Session};
use lttng_protocol::trigger::Trigger;
use lttng_sessiond::turn::ids::ConsumerKind;
use lttng_sessiond::turn::output::ProcessState;
use proptest::prelude::*;

use crate::application::{Holding, RuleKey};
use crate::client;
use crate::rotation::in_use;
use crate::world::{ClientId, PATIENCE, World};

#[derive(Debug, Clone)]
enum Step {
    Create(usize),
    EnableChannel(usize, usize),
    DisableChannel(usize, usize),
    EnableRule(usize, usize, usize),
    DisableRule(usize, usize, usize),
    Start(usize),
    Stop(usize),
    Destroy(usize),
    Rotate(usize),
    Clear(usize),
    /// Sets a schedule, or takes it back.
    Schedule(usize, bool),
    ListChannels(usize),
    ListTracepoints,
    Register(usize),
    Unregister(usize),
    Launch,
    Kill(usize),
    Suspend(usize),
    Resume(usize),
    Turns(usize),
    Pass(u64),
    /// Everything comes to rest.
    Rest,
}

/// Lives that are tried.
const CASES: u32 = 300;
const SESSIONS: [&str; 2] = ["a", "b"];
const CHANNELS: [&str; 2] = ["x", "y"];

fn rule(index: usize) -> Event {
    match index {
        0 => client::rule("app:*"),
        1 => client::rule("app:one"),
        2 => client::filtered("app:*", "number > 1"),
        _ => client::excluding("app:*", "app:two"),
    }
}

fn trigger(index: usize) -> Trigger {
    let (pattern, all) = [("app:*", true), ("app:one", false), ("other:*", true)][index];
    client::notifying(pattern, client::matching(pattern, all))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (session, channel, rule) = (0..2usize, 0..2usize, 0..4usize);
    let one = prop_oneof![
        4 => session.clone().prop_map(Step::Create),
        4 => (session.clone(), channel.clone()).prop_map(|(s, c)| Step::EnableChannel(s, c)),
        2 => (session.clone(), channel.clone()).prop_map(|(s, c)| Step::DisableChannel(s, c)),
        6 => (session.clone(), channel.clone(), rule.clone()).prop_map(|(s, c, r)| Step::EnableRule(s, c, r)),
        3 => (session.clone(), channel, rule).prop_map(|(s, c, r)| Step::DisableRule(s, c, r)),
        6 => session.clone().prop_map(Step::Start),
        3 => session.clone().prop_map(Step::Stop),
        2 => session.clone().prop_map(Step::Destroy),
        4 => session.clone().prop_map(Step::Rotate),
        3 => session.clone().prop_map(Step::Clear),
        1 => (session.clone(), any::<bool>()).prop_map(|(s, set)| Step::Schedule(s, set)),
        1 => session.prop_map(Step::ListChannels),
        1 => Just(Step::ListTracepoints),
        2 => (0..3usize).prop_map(Step::Register),
        1 => (0..3usize).prop_map(Step::Unregister),
        4 => Just(Step::Launch),
        2 => (0..8usize).prop_map(Step::Kill),
        2 => (0..8usize).prop_map(Step::Suspend),
        2 => (0..8usize).prop_map(Step::Resume),
        8 => (1..60usize).prop_map(Step::Turns),
        2 => (1..400u64).prop_map(Step::Pass),
        2 => Just(Step::Rest),
    ];
    proptest::collection::vec(one, 1..60)
}

fn carry_out(world: &mut World, step: &Step, creates: &mut Vec<(ClientId, &'static str)>) {
    let app = |world: &World, index: usize| {
        let alive: Vec<usize> = (0..world.apps.len()).filter(|&index| world.apps[index].alive).collect();
        (!alive.is_empty()).then(|| alive[index % alive.len()])
    };
    let request = match *step {
        Step::Create(session) => {
            let id = world.send(&client::create(SESSIONS[session]));
            return creates.push((id, SESSIONS[session]));
        }
        Step::EnableChannel(session, channel) => client::enable_channel(SESSIONS[session], CHANNELS[channel]),
        Step::DisableChannel(session, channel) => {
            client::disable_channel(SESSIONS[session], CHANNELS[channel])
        }
        Step::EnableRule(session, channel, index) => {
            client::enable_event(SESSIONS[session], CHANNELS[channel], rule(index))
        }
        Step::DisableRule(session, channel, index) => {
            client::disable_event(SESSIONS[session], CHANNELS[channel], &rule(index).name.to_string())
        }
        Step::Start(session) => client::start(SESSIONS[session]),
        Step::Stop(session) => client::stop(SESSIONS[session]),
        Step::Destroy(session) => client::destroy(SESSIONS[session]),
        Step::Rotate(session) => client::rotate(SESSIONS[session]),
        Step::Clear(session) => client::clear(SESSIONS[session]),
        Step::Schedule(session, set) => {
            client::schedule(SESSIONS[session], ScheduleKind::Periodic, set, 300_000)
        }
        Step::ListChannels(session) => client::list_channels(SESSIONS[session]),
        Step::ListTracepoints => client::list_tracepoints(),
        Step::Register(index) => client::register(&trigger(index)),
        Step::Unregister(index) => client::unregister(&trigger(index)),
        Step::Launch => {
            world.launch();
            return;
        }
        Step::Kill(index) => {
            return app(world, index).into_iter().for_each(|app| world.kill_application(app));
        }
        Step::Suspend(index) => return app(world, index).into_iter().for_each(|app| world.suspend(app)),
        Step::Resume(index) => return app(world, index).into_iter().for_each(|app| world.resume(app)),
        Step::Turns(count) => return world.turns(count),
        Step::Pass(milliseconds) => return world.pass(Duration::from_millis(milliseconds)),
        Step::Rest => return world.pump(),
    };
    world.send(&request);
}

/// What the daemon says the sessions are: by their numbers, the one that records and what it has.
fn model(world: &mut World, numbers: &BTreeMap<&'static str, u64>) -> BTreeMap<u64, Holding> {
    let listed = world.must(&client::list_sessions());
    let mut model = BTreeMap::new();
    for session in Session::decode_list(&listed.payload).unwrap() {
        let mut holding = Holding { recording: session.active, channels: BTreeMap::new() };
        let channels = world.must(&client::list_channels(&session.name)).elements(Channel::decode).unwrap();
        for channel in channels {
            let rules = world.must(&client::list_rules(&session.name, &channel.name));
            let rules = rules.elements(Event::decode).unwrap().into_iter().map(|rule| {
                let key: RuleKey = (
                    rule.name.to_string(),
                    rule.filter.unwrap_or_default().to_string(),
                    rule.exclusions.iter().map(|name| name.to_string()).collect(),
                );
                (key, rule.enabled == 1)
            });
            holding.channels.insert(channel.name, (channel.enabled, rules.collect()));
        }
        model.insert(numbers[session.name.as_str()], holding);
    }
    model
}

fn live(steps: &[Step], seed: u64) {
    let mut world = World::new();
    world.shuffle(seed);
    let mut creates = Vec::new();
    for step in steps {
        carry_out(&mut world, step, &mut creates);
    }
    world.calm();
    for index in 0..world.apps.len() {
        if world.apps[index].alive {
            world.resume(index);
        }
    }
    assert!(world.run_until(PATIENCE, |world| world.clients.iter().all(|client| client.ended)), "no reply");
    world.pass(Duration::from_secs(4));
    world.check_replies();
    world.check_applications();

    // Sessions are numbered in the order in which they were made.
    let made = |world: &World, id: &ClientId| world.clients[id.0].reply().unwrap().code == ErrorCode::Ok;
    let mut in_order: VecDeque<ClientId> = world.replied.clone().into();
    in_order.retain(|id| creates.iter().any(|(create, _)| create == id) && made(&world, id));
    let name = |id: ClientId| creates.iter().find(|(create, _)| *create == id).unwrap().1;
    let numbers = in_order.iter().zip(0..).map(|(&id, number)| (name(id), number)).collect();

    let model = model(&mut world, &numbers);
    for app in world.apps.iter().filter(|app| app.alive) {
        assert_eq!(app.state, ProcessState::Running);
        assert!(app.released, "application {} was never released", app.pid);
        let holdings = app.holdings();
        for (number, holding) in &model {
            let has = holdings.get(&Some(*number));
            if holding.recording {
                assert_eq!(has, Some(holding), "application {} and session {number}", app.pid);
            } else {
                assert!(has.is_none_or(|has| !has.recording), "application {} records on", app.pid);
            }
        }
        // A session that was stopped before it had its channels there has none, and can't be told from others.
        let known = |number: &Option<u64>| number.is_none_or(|number| model.contains_key(&number));
        let unknown =
            holdings.iter().find(|(number, holding)| !known(number) || number.is_none() && holding.recording);
        assert_eq!(unknown, None, "application {} keeps what was destroyed", app.pid);
    }
    let triggers = Trigger::decode_list(&world.must(&client::list_triggers()).payload).unwrap();
    let mut wanted: Vec<String> = triggers.iter().map(|trigger| trigger.name.clone().unwrap()).collect();
    wanted.sort();
    for app in world.apps.iter().filter(|app| app.alive) {
        let mut has: Vec<String> = app.notifiers().into_iter().map(|(name, _)| name).collect();
        has.sort();
        assert_eq!(has, wanted, "event notifiers of application {}", app.pid);
        assert_eq!(app.notifier_objects()[2], wanted.len());
    }
    for trigger in &triggers {
        world.must(&client::unregister(trigger));
    }
    // What is in use is in the chunk that its session has now.
    for channel in in_use(&world) {
        let chunk = channel.files.map(|chunk| (channel.asked.session_id, chunk));
        let consumer = &world.consumers[&ConsumerKind::Ust64];
        assert!(chunk.is_none_or(|chunk| !consumer.chunks[&chunk].closed), "{channel:?}");
    }
    for session in SESSIONS {
        world.ask(&client::destroy(session));
    }
    assert!(world.apps.iter().all(|app| !app.alive || app.objects() == 0));
    world.end_of_everything();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_application_ends_up_with_what_was_asked_for(steps in steps(), seed in 1..u64::MAX) {
        live(&steps, seed);
    }
}
