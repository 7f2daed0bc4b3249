// SPDX-License-Identifier: GPL-2.0-only
//! Agents of logging libraries: they come before and after what is wanted of them, and misbehave in every way.

use std::time::Duration;

use lttng_protocol::agent::{Registration, Request, Version};
use lttng_protocol::client::{Domain, ErrorCode, Event};
use lttng_protocol::expression::EventExpression;
use lttng_protocol::trigger::{Condition, EventRule, LoggingDomain};
use lttng_sessiond::accounts::{Limit, Limits, Resource};
use lttng_sessiond::turn::output::ProcessState;

use crate::agent::{Fault, JUL, LOG4J, PYTHON};
use crate::client::{self, filtered, rule};
use crate::world::{NO_PROCESS, USER, World};

const MILLISECOND: Duration = Duration::from_millis(1);
const OTHER: u32 = 1001;

/// A session that is to record `my.logger` of Java programs and everything of Python ones.
fn create(world: &mut World) {
    world.must(&client::create("s"));
    world.must(&client::enable_logger("s", Domain::Jul, rule("my.logger")));
    world.must(&client::enable_logger("s", Domain::Python, rule("*")));
}

/// Runs a command and returns how long it took.
fn time(world: &mut World, request: &client::Request) -> Duration {
    let before = world.age();
    world.must(request);
    world.age() - before
}

/// The loggers that are listed, each with the process.
fn list(world: &mut World, domain: Domain) -> Vec<(i32, String)> {
    let events = world.must(&client::list_loggers(domain)).elements(Event::decode).unwrap();
    assert!(events.iter().all(|event| event.enabled == -1 && event.loglevel == 0));
    events.into_iter().map(|event| (event.pid, event.name.to_string())).collect()
}

fn one(name: &str) -> Vec<(String, usize)> {
    vec![(name.to_owned(), 1)]
}

#[test]
fn they_have_what_is_wanted_whether_they_come_before_or_after() {
    let mut world = World::new();
    let early = world.start_agent(JUL);
    assert!(world.agents[early].released && world.agents[early].requests.is_empty());
    create(&mut world);
    world.pump();
    assert_eq!(world.agents[early].handed_over(), one("my.logger"));
    let (late, python, log4j) = (world.start_agent(JUL), world.start_agent(PYTHON), world.start_agent(LOG4J));
    assert_eq!(world.agents[late].handed_over(), one("my.logger"));
    assert_eq!(world.agents[late].before_release, 1, "it has it before its program runs");
    assert_eq!(world.agents[python].handed_over(), one("*"));
    assert!(world.agents[log4j].handed_over().is_empty() && world.agents[log4j].released);

    world.must(&client::start("s"));
    world.must(&client::disable_logger("s", Domain::Jul, "my.logger"));
    assert!(world.agents[early].handed_over().is_empty() && world.agents[late].handed_over().is_empty());
    world.must(&client::destroy("s"));
    assert!(world.agents[python].handed_over().is_empty());
    world.end_of_everything();
}

#[test]
fn what_two_sessions_want_is_asked_for_once_and_stays_as_long_as_one_wants_it() {
    let mut world = World::new();
    let agent = world.start_agent(JUL);
    for session in ["s", "t"] {
        world.must(&client::create(session));
        world.must(&client::enable_logger(session, Domain::Jul, rule("my.logger")));
        world.must(&client::start(session));
    }
    world.must(&client::enable_logger("t", Domain::Jul, filtered("my.logger", "lineno")));
    assert_eq!(world.agents[agent].handed_over(), [("my.logger".to_owned(), 2)], "one for each filter");
    world.must(&client::destroy("t"));
    assert_eq!(world.agents[agent].handed_over(), one("my.logger"));
    world.must(&client::destroy("s"));
    assert!(world.agents[agent].handed_over().is_empty());
    world.end_of_everything();
}

#[test]
fn contexts_of_filters_are_provided_by_java_programs_and_not_asked_of_python() {
    let mut world = World::new();
    world.must(&client::create("s"));
    for domain in [Domain::Jul, Domain::Python] {
        world.must(&client::enable_logger("s", domain, filtered("x", "$app.prov:ctx")));
    }
    let (java, python) = (world.start_agent(JUL), world.start_agent(PYTHON));
    assert!(matches!(world.agents[java].requests[..], [Request::EnableContext(_), Request::Enable(_)]));
    assert_eq!(world.agents[java].contexts.len(), 1);
    assert!(matches!(world.agents[python].requests[..], [Request::Enable(_)]));
    world.must(&client::destroy("s"));
    assert!(world.agents[java].contexts.is_empty());
    world.end_of_everything();
}

#[test]
fn triggers_want_loggers_as_long_as_they_are_there() {
    let mut world = World::new();
    let agent = world.start_agent(PYTHON);
    let rule = EventRule::Logging {
        domain: LoggingDomain::Python,
        pattern: "my.logger".into(),
        filter: None,
        log_level: None,
    };
    let captures = vec![EventExpression::PayloadField("msg".to_owned())];
    let trigger = client::notifying("t", Condition::EventRuleMatches { rule, captures });
    world.must(&client::register(&trigger));
    assert_eq!(world.agents[agent].handed_over(), one("my.logger"), "it has it when the trigger is there");
    let late = world.start_agent(PYTHON);
    assert_eq!((world.agents[late].handed_over(), world.agents[late].before_release), (one("my.logger"), 1));
    world.must(&client::unregister(&trigger));
    world.pump();
    assert!(world.agents[agent].handed_over().is_empty() && world.agents[late].handed_over().is_empty());
    world.end_of_everything();
}

#[test]
fn one_that_dies_at_any_step_costs_nobody_anything() {
    for step in 0..4 {
        let mut world = World::new();
        create(&mut world);
        world.must(&client::enable_logger("s", Domain::Jul, rule("other")));
        let (well, dying) = (world.start_agent(JUL), world.connect_agent(Some(USER), JUL));
        world.agents[dying].fault = Some((step, Fault::Die));
        world.register_agent(dying);
        world.pump();
        assert_eq!(time(&mut world, &client::start("s")), Duration::ZERO);
        world.must(&client::disable_logger("s", Domain::Jul, "other"));
        assert_eq!(list(&mut world, Domain::Jul).len(), if step > 3 { 4 } else { 2 }, "{step}");
        assert_eq!(world.agents[well].handed_over(), one("my.logger"));
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

#[test]
fn one_that_falls_silent_has_its_time_and_comes_back() {
    for step in 0..3 {
        let mut world = World::new();
        create(&mut world);
        let (well, silent) = (world.start_agent(JUL), world.connect_agent(Some(USER), JUL));
        world.agents[silent].fault = Some((step, Fault::Hang));
        world.register_agent(silent);
        world.pump();
        world.must(&client::start("s"));
        let disabled = time(&mut world, &client::disable_logger("s", Domain::Jul, "my.logger"));
        assert!(disabled <= 6 * Duration::from_secs(1), "{disabled:?}");
        let listed = list(&mut world, Domain::Jul);
        assert_eq!(listed.len(), 2, "{step}: of the other one");
        world.pass(Duration::from_secs(6));
        assert!(!world.agents[silent].alive, "{step}: dropped");
        assert!(world.agents[well].alive && world.agents[well].handed_over().is_empty());
        // It does as agents do, and connects again.
        let again = world.start_agent(JUL);
        assert!(world.agents[again].released);
        assert_eq!(list(&mut world, Domain::Jul).len(), 4);
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

#[test]
fn one_that_is_stopped_is_waited_for_by_nobody_and_catches_up() {
    let mut world = World::new();
    create(&mut world);
    let (well, asleep) = (world.start_agent(JUL), world.start_agent(JUL));
    world.must(&client::start("s"));
    world.agents[asleep].state = ProcessState::Suspended;
    let taken = time(&mut world, &client::enable_logger("s", Domain::Jul, rule("other")));
    assert!(taken >= 15 * MILLISECOND && taken <= 40 * MILLISECOND, "{taken:?}");
    assert_eq!(world.inspections.len(), 1);
    assert_eq!(world.agents[well].enabled.len(), 2);
    assert_eq!(time(&mut world, &client::disable_logger("s", Domain::Jul, "my.logger")), Duration::ZERO);
    assert_eq!(list(&mut world, Domain::Jul).len(), 2, "of the one that answers");
    world.pass(Duration::from_secs(3600));
    assert!(world.agents[asleep].alive, "nobody gives it up");
    world.wake_agent(asleep);
    world.pump();
    assert_eq!(world.agents[asleep].handed_over(), one("other"));
    assert_eq!(list(&mut world, Domain::Jul).len(), 4);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn a_crowd_that_is_stopped_holds_nobody_up() {
    let mut world = World::new();
    create(&mut world);
    let all: Vec<usize> = (0..20).map(|_| world.start_agent(JUL)).collect();
    world.must(&client::start("s"));
    all.iter().for_each(|&agent| world.agents[agent].state = ProcessState::Suspended);
    let taken = time(&mut world, &client::enable_logger("s", Domain::Jul, rule("other")));
    assert!(taken <= 100 * MILLISECOND, "{taken:?}");
    assert_eq!(world.ask(&client::list_loggers(Domain::Jul)), ErrorCode::UstListFail, "of nobody");
    all.iter().for_each(|&agent| world.wake_agent(agent));
    world.must(&client::destroy("s"));
    assert!(all.iter().all(|&agent| world.agents[agent].handed_over().is_empty()));
    world.end_of_everything();
}

#[test]
fn one_that_refuses_is_not_asked_again_and_fails_no_command() {
    for code in [2, 3, 77] {
        let mut world = World::new();
        let agent = world.start_agent(JUL);
        world.agents[agent].fault = Some((0, Fault::Refuse(code)));
        create(&mut world);
        assert_eq!(time(&mut world, &client::start("s")), Duration::ZERO);
        world.must(&client::enable_logger("s", Domain::Jul, rule("other")));
        assert_eq!(world.agents[agent].handed_over(), one("other"));
        assert_eq!(world.agents[agent].requests.len(), 2);
        // It may take it once it is wanted anew.
        world.must(&client::disable_logger("s", Domain::Jul, "my.logger"));
        world.must(&client::enable_logger("s", Domain::Jul, rule("my.logger")));
        assert_eq!(world.agents[agent].enabled.len(), 2);
        world.must(&client::destroy("s"));
        assert!(world.agents[agent].handed_over().is_empty());
        world.end_of_everything();
    }
}

#[test]
fn one_that_takes_its_time_is_waited_for_only_so_long() {
    let mut world = World::new();
    world.must(&client::create("s"));
    for number in 0..10 {
        world.must(&client::enable_logger("s", Domain::Jul, rule(&format!("logger{number}"))));
    }
    let agent = world.connect_agent(Some(USER), JUL);
    world.slow_agent(agent, Duration::from_secs(2));
    world.register_agent(agent);
    world.pass(Duration::from_secs(1));
    assert!(!world.agents[agent].released);
    assert_eq!(list(&mut world, Domain::Jul), [], "its program does not run yet");
    world.pass(Duration::from_secs(4));
    let taken = time(&mut world, &client::start("s"));
    assert!(taken >= Duration::from_secs(4) && taken <= Duration::from_secs(6), "{taken:?}");
    assert!(world.agents[agent].released, "its program is not held back for that");
    assert!(world.agents[agent].before_release <= 3);
    world.pass(Duration::from_secs(30));
    assert_eq!(world.agents[agent].enabled.len(), 10);
    world.must(&client::destroy("s"));
    world.pass(Duration::from_secs(60));
    assert!(world.agents[agent].enabled.is_empty());
    world.end_of_everything();
}

#[test]
fn nonsense_costs_its_sender_the_connection_and_nothing_else() {
    let list = |size: u32, count: u32, names: &[u8]| {
        [&1_u32.to_be_bytes()[..], &size.to_be_bytes(), &count.to_be_bytes(), names].concat()
    };
    let answers = [
        // To the first request, which is to enable something.
        (0, vec![0, 0, 0, 1, 0]),
        (0, vec![0xff; 4096]),
        // To a list.
        (1, list(u32::MAX, 1, b"")),
        (1, list(2, 2, b"a\0")),
        (1, list(2, 1, b"ab")),
        (1, list(2, 1, b"a\0more")),
        (1, list(70_000, 70_000, &[0; 70_000])),
    ];
    for (step, answer) in answers {
        let mut world = World::new();
        create(&mut world);
        let well = world.start_agent(JUL);
        let mad = world.connect_agent(Some(USER), JUL);
        world.agents[mad].fault = Some((step, Fault::Say(answer.clone())));
        world.register_agent(mad);
        world.pump();
        assert_eq!(list_of(&mut world), 2, "{answer:?}");
        assert!(!world.agents[mad].alive && world.agents[well].alive, "{answer:?}");
        world.must(&client::destroy("s"));
        world.end_of_everything();
    }
}

fn list_of(world: &mut World) -> usize {
    list(world, Domain::Jul).len()
}

#[test]
fn who_does_not_introduce_himself_is_let_go() {
    let registration = |domain, version| Registration { domain, pid: 1, version }.encode();
    let ours = registration(JUL, Version::OURS);
    let bad = [
        [&ours[..], &[0]].concat(),
        registration(JUL, Version { major: 2, minor: 1 }),
        registration(JUL, Version { major: 1, minor: 0 }),
        vec![0xff; 100],
    ];
    for bytes in bad {
        let mut world = World::new();
        let agent = world.connect_agent(None, JUL);
        world.say(world.agents[agent].conn, &bytes);
        world.pump();
        assert!(!world.agents[agent].alive && !world.agents[agent].released, "{bytes:?}");
        world.end_of_everything();
    }
    for length in 0..16 {
        let mut world = World::new();
        let agent = world.connect_agent(Some(USER), JUL);
        world.say(world.agents[agent].conn, &ours[..length]);
        world.pass(Duration::from_millis(4900));
        assert!(world.agents[agent].alive);
        world.pass(Duration::from_millis(200));
        assert!(!world.agents[agent].alive, "{length} bytes");
        world.end_of_everything();
    }
}

#[test]
fn what_comes_before_anything_was_asked_ends_it() {
    let mut world = World::new();
    let agent = world.start_agent(JUL);
    world.say(world.agents[agent].conn, &[0, 0, 0, 1]);
    world.pump();
    assert!(!world.agents[agent].alive);
    world.end_of_everything();
}

#[test]
fn one_of_no_known_domain_may_run_and_is_asked_for_nothing() {
    let mut world = World::new();
    create(&mut world);
    for domain in [0, 1, 2, 6, 99] {
        let agent = world.start_agent(domain);
        assert!(world.agents[agent].released && world.agents[agent].requests.is_empty());
    }
    assert_eq!(time(&mut world, &client::start("s")), Duration::ZERO);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn loggers_are_listed_in_the_order_in_which_the_agents_came() {
    let mut world = World::new();
    assert_eq!(list(&mut world, Domain::Jul), []);
    let (one, other) = (world.start_agent(JUL), world.start_agent(JUL));
    let python = world.start_agent(PYTHON);
    world.agents[one].loggers = vec![b"last".to_vec(), vec![b'x'; 256], vec![b'y'; 255]];
    world.agents[other].loggers = vec![b"first".to_vec()];
    world.agents[python].loggers = Vec::new();
    let (first, second) = (world.agents[one].pid, world.agents[other].pid);
    let expected = [(first, "last".to_owned()), (first, "y".repeat(255)), (second, "first".to_owned())];
    assert_eq!(list(&mut world, Domain::Jul), expected, "but for a name that is too long");
    assert_eq!(list(&mut world, Domain::Python), []);
    world.end_of_everything();
}

#[test]
fn a_list_without_anybody_who_can_be_told_of_fails() {
    let mut world = World::new();
    let agent = world.connect_agent(Some(USER), JUL);
    world.agents[agent].pid = NO_PROCESS;
    world.register_agent(agent);
    assert_eq!(world.ask(&client::list_loggers(Domain::Jul)), ErrorCode::UstListFail);
    let there = world.start_agent(JUL);
    assert_eq!(list(&mut world, Domain::Jul).len(), 2, "of the one in a process");
    // One refuses, and is asked again by the next list.
    world.agents[there].fault = Some((1, Fault::Refuse(2)));
    assert_eq!(world.ask(&client::list_loggers(Domain::Jul)), ErrorCode::UstListFail);
    assert_eq!(list(&mut world, Domain::Jul).len(), 2);
    world.end_of_everything();
}

#[test]
fn a_long_list_is_charged_and_what_is_too_much_is_left_out() {
    let memory = Limit { user: 3 << 20, all: 8 << 20 };
    let limits = Limits::for_applications(100, 100).with(Resource::Memory, memory);
    let mut world = World::with_limits(limits);
    let names: Vec<Vec<u8>> = (0..5_000).map(|number| format!("{number:0>200}").into_bytes()).collect();
    for uid in [OTHER; 4] {
        let agent = world.connect_agent(Some(uid), JUL);
        world.agents[agent].loggers.clone_from(&names);
        world.register_agent(agent);
    }
    let mine = world.start_agent(JUL);
    let listed = list(&mut world, Domain::Jul);
    let own = listed.iter().filter(|(pid, _)| *pid == world.agents[mine].pid).count();
    assert_eq!(own, 2, "what others have does not keep mine from being listed");
    assert!(listed.len() >= 5_002 && listed.len() < 20_002, "{}", listed.len());
    world.end_of_everything();
}

#[test]
fn idle_connections_of_one_user_lock_nobody_out() {
    let limits = Limits::for_applications(100, 100).with(Resource::Agents, Limit { user: 50, all: 60 });
    let mut world = World::with_limits(limits);
    create(&mut world);
    // Those that say nothing make room for others, of the same user too.
    for _ in 0..1000 {
        world.connect_agent(Some(OTHER), JUL);
    }
    assert_eq!(world.daemon.state().accounts.usage(OTHER).of(Resource::Agents), 50);
    let (mine, theirs) = (world.start_agent(JUL), world.connect_agent(Some(OTHER), JUL));
    world.register_agent(theirs);
    world.pump();
    assert!(world.agents[mine].released && world.agents[theirs].released);
    // Those that have introduced themselves stay.
    for _ in 0..1000 {
        let agent = world.connect_agent(Some(OTHER), JUL);
        world.register_agent(agent);
        world.pump();
    }
    assert_eq!(world.daemon.state().accounts.usage(OTHER).of(Resource::Agents), 50);
    assert!(world.agents[mine].alive && world.agents[theirs].alive);
    let late = world.start_agent(JUL);
    assert!(world.agents[late].released);
    world.must(&client::start("s"));
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn a_thousand_have_what_is_wanted_and_are_listed() {
    let mut world = World::new();
    create(&mut world);
    let all: Vec<usize> = (0..1000).map(|_| world.start_agent(JUL)).collect();
    world.must(&client::start("s"));
    world.must(&client::enable_logger("s", Domain::Jul, rule("other")));
    assert!(all.iter().all(|&agent| world.agents[agent].enabled.len() == 2));
    assert_eq!(list(&mut world, Domain::Jul).len(), 2000);
    world.must(&client::destroy("s"));
    assert!(all.iter().all(|&agent| world.agents[agent].enabled.is_empty()));
    world.end_of_everything();
}

#[test]
fn one_that_gets_what_is_wanted_at_first_is_waited_for_by_nobody() {
    let mut world = World::new();
    create(&mut world);
    world.must(&client::start("s"));
    let agent = world.connect_agent(Some(USER), JUL);
    world.agents[agent].hung = true;
    world.register_agent(agent);
    world.pump();
    assert_eq!(time(&mut world, &client::enable_logger("s", Domain::Jul, rule("other"))), Duration::ZERO);
    assert_eq!(list(&mut world, Domain::Jul), []);
    world.wake_agent(agent);
    world.pump();
    assert_eq!((world.agents[agent].enabled.len(), world.agents[agent].before_release), (2, 2));
    assert!(world.agents[agent].released);
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn what_is_wanted_changes_while_one_gets_it() {
    let mut world = World::new();
    world.must(&client::create("s"));
    for number in 0..5 {
        world.must(&client::enable_logger("s", Domain::Jul, rule(&format!("logger{number}"))));
    }
    let agent = world.connect_agent(Some(USER), JUL);
    world.agents[agent].fault = Some((2, Fault::Hang));
    world.register_agent(agent);
    world.pump();
    assert!(!world.agents[agent].released);
    world.must(&client::disable_logger("s", Domain::Jul, "logger4"));
    world.must(&client::disable_logger("s", Domain::Jul, "logger0"));
    world.wake_agent(agent);
    world.pump();
    let names: Vec<String> = world.agents[agent].handed_over().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["logger1", "logger2", "logger3"]);
    assert!(world.agents[agent].released);
    assert_eq!(world.agents[agent].before_release, 5, "three, logger3, and one taken back");
    world.must(&client::destroy("s"));
    world.end_of_everything();
}

#[test]
fn the_end_of_the_daemon_takes_back_what_was_wanted_and_lets_them_go() {
    let mut world = World::new();
    create(&mut world);
    let agent = world.start_agent(JUL);
    let silent = world.start_agent(JUL);
    world.connect_agent(Some(USER), JUL);
    world.must(&client::start("s"));
    world.agents[silent].hung = true;
    world.end();
    world.pass(Duration::from_secs(30));
    assert!(world.exited);
    assert!(world.agents[agent].handed_over().is_empty());
    assert!(world.agents.iter().all(|agent| !agent.alive));
}

#[test]
fn the_end_of_the_daemon_does_not_wait_for_an_agent_that_is_silent() {
    let mut world = World::new();
    let silent = world.start_agent(JUL);
    world.must(&client::create("s"));
    world.agents[silent].hung = true;
    world.must(&client::enable_logger("s", Domain::Jul, rule("my.logger")));
    world.pump();
    let before = world.age();
    world.end();
    world.run_until(Duration::from_secs(30), |world| world.exited);
    assert!(world.exited && world.age() - before < Duration::from_secs(1));
}
