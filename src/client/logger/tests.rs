// SPDX-License-Identifier: GPL-2.0-only
//! What commands about loggers change in what is wanted, and with which codes they are refused.

use std::time::Instant;

use lttng_protocol::filter::agent;

use super::*;
use crate::client::action::{AddContext, ChannelName, EnableChannel};
use crate::client::desk::{Served, Unserved};
use crate::client::{channel, context, event_rule, listing};
use crate::model::{Attributes, BufferingScheme, Context, Domain, Wanted};
use crate::operation::answer::Answer;
use crate::state::{Settings, State};
use crate::sys::socket::Credentials;
use crate::trigger::Triggers;
use crate::turn::ids::{ConnId, Requester};

struct World {
    state: State,
    triggers: Triggers,
    session: SessionId,
}

impl World {
    fn new() -> Self {
        let mut state = State::new(Settings::for_tests(), Instant::now(), 0);
        state.create_session(Wanted { ust: Some(UstDomain::default()), ..Wanted::for_tests("s") });
        let session = state.sessions.find("s").unwrap().id;
        World { state, triggers: Triggers::new(1, 1), session }
    }

    fn serve(
        &mut self,
        domain: Domain,
        command: impl FnOnce(&mut Desk<'_>, SessionId) -> Serving,
    ) -> Result<Answer, ErrorCode> {
        let mut desk = Desk {
            state: &mut self.state,
            triggers: &mut self.triggers,
            requester: Requester::Client(ConnId(1)),
            credentials: Credentials { pid: 1, uid: 1000, gid: 1000 },
            domain: Some(domain),
            descriptors: &[],
        };
        match command(&mut desk, self.session) {
            Ok(Served::Answer(answer)) => Ok(answer),
            Ok(Served::Task(..)) => panic!("the session does not record"),
            Err(Unserved::Refused(code)) => Err(code),
            Err(Unserved::Wait) => panic!("it has to wait"),
        }
    }

    fn enable(&mut self, wanted: EnableEvent) -> Result<(), ErrorCode> {
        self.serve(Domain::Jul, |desk, id| event_rule::enable(desk, id, wanted)).map(drop)
    }

    fn disable(&mut self, name: &str) -> Result<(), ErrorCode> {
        let wanted = DisableEvent { channel: String::new(), name: name.into(), kind: EventKind::All };
        self.serve(Domain::Jul, |desk, id| event_rule::disable(desk, id, wanted)).map(drop)
    }

    fn add_context(&mut self, domain: Domain, channel: &str) -> Result<(), ErrorCode> {
        let context = Some(Context::App { provider: "p".into(), name: "c".into() });
        let wanted = AddContext { channel: channel.into(), context, of_kernel: None };
        self.serve(domain, |desk, id| context::add(desk, id, wanted)).map(drop)
    }

    /// Whether rules are on: as they were said, and those that do the picking.
    fn switches(&self) -> (Vec<(String, bool)>, Vec<bool>) {
        let ust = self.ust();
        let said = ust.loggers.get(&LoggerDomain::Jul).map(|loggers| loggers.rules.as_slice());
        let said = said.unwrap_or_default().iter().map(|rule| (rule.name.to_string(), rule.enabled));
        let picking = ust.find(LoggerDomain::Jul.channel()).unwrap().rules.iter();
        (said.collect(), picking.map(|rule| rule.enabled).collect())
    }

    fn ust(&self) -> &UstDomain {
        self.state.sessions.get(self.session).unwrap().wanted.ust.as_ref().unwrap()
    }
}

/// A request of a stock client, which makes the filter that picks the logger.
fn logger(name: &str, level: Option<i32>, filter: Option<&str>) -> EnableEvent {
    let least = level.map(agent::Level::AtLeast);
    let compiled = agent::compile_rule(name.as_bytes(), least, filter.map(str::as_bytes)).unwrap();
    let filter = compiled.map(|compiled| Filter {
        expression: compiled.text,
        bytecode: compiled.bytecode.data,
        reloc_offset: compiled.bytecode.reloc_offset,
        seqnum: 0,
    });
    EnableEvent {
        channel: String::new(),
        scheme: Some(BufferingScheme::PerUser),
        name: name.into(),
        kind: EventKind::Tracepoint,
        levels: Some(level.map_or(LogLevels::All, LogLevels::AtLeast)),
        level: level.unwrap_or(-1),
        filter,
        exclusions: Vec::new(),
    }
}

fn said(rules: &[(&str, bool)]) -> Vec<(String, bool)> {
    rules.iter().map(|&(name, enabled)| (name.to_owned(), enabled)).collect()
}

#[test]
fn a_rule_is_kept_as_it_was_said_and_as_one_that_picks() {
    let mut world = World::new();
    world.enable(logger("a", Some(800), Some("$app.p:c == 1"))).unwrap();
    let channel = world.ust().find(LoggerDomain::Jul.channel()).unwrap();
    let [picking] = channel.rules.as_slice() else { panic!("{channel:?}") };
    assert!(picking.name == "lttng_jul:*" && picking.levels == LogLevels::All && picking.is_of_loggers());
    let loggers = &world.ust().loggers[&LoggerDomain::Jul];
    let [rule] = loggers.rules.as_slice() else { panic!("{loggers:?}") };
    assert_eq!((&rule.filter, rule.levels), (&picking.filter, LogLevels::AtLeast(800)));
    let provided = ProgramContext { provider: "p".into(), name: "c".into() };
    assert_eq!((&rule.contexts, loggers.provided()), (&vec![provided.clone()], vec![provided]));
    world.disable("a").unwrap();
    assert_eq!(world.ust().loggers[&LoggerDomain::Jul].provided(), []);
    // Users are shown the rule in its own domain only.
    let name = || ChannelName(LoggerDomain::Jul.channel().into());
    let list = |desk: &mut Desk<'_>, id| listing::event_rules(desk, id, name());
    let Ok(Answer::EventRules(shown)) = world.serve(Domain::UserSpace, list) else { panic!() };
    assert_eq!(shown, []);
    let Ok(Answer::LoggerRules(shown)) = world.serve(Domain::Jul, list) else { panic!() };
    assert_eq!(shown.len(), 1);
}

#[test]
fn rules_are_switched_off_and_on_again() {
    let mut world = World::new();
    assert_eq!(world.disable(""), Err(ErrorCode::UstEventNotFound));
    world.enable(logger("a", None, None)).unwrap();
    assert_eq!(world.enable(logger("a", None, None)), Err(ErrorCode::UstEventEnabled));
    world.enable(logger("a", Some(3), None)).unwrap();
    world.enable(logger("b", None, None)).unwrap();
    assert_eq!(world.disable("c"), Err(ErrorCode::UstEventNotFound));
    world.disable("a").unwrap();
    assert_eq!(
        world.switches(),
        (said(&[("a", false), ("a", false), ("b", true)]), vec![false, false, true])
    );
    world.enable(logger("a", Some(3), None)).unwrap();
    assert_eq!(world.switches(), (said(&[("a", false), ("a", true), ("b", true)]), vec![false, true, true]));
    // All loggers are those of rules, too.
    world.enable(logger("*", None, None)).unwrap();
    assert!(world.switches().0.iter().all(|(_, enabled)| *enabled));
    assert_eq!(world.switches().1, [false, true, true, true], "one picks for all");
    // The original's loader, and whoever is not sure, may say so of one of them.
    world.enable(logger("a", None, None)).unwrap();
    assert_eq!(world.enable(logger("a", None, None)), Err(ErrorCode::UstEventEnabled));
    world.disable("*").unwrap();
    world.disable("a").unwrap();
    world.enable(logger("*", None, None)).unwrap();
    world.disable("*").unwrap();
    let names = [("a", true), ("a", true), ("b", true), ("*", false)];
    assert_eq!(world.switches(), (said(&names), vec![true, true, true, false]), "each for itself again");
    world.enable(logger("*", None, None)).unwrap();
    world.disable("").unwrap();
    assert_eq!(world.switches().1, [false; 4]);
    assert!(world.switches().0.iter().all(|(_, enabled)| !enabled));
    world.disable("b").unwrap();
}

#[test]
fn what_is_refused_leaves_no_channel_behind() {
    let mut world = World::new();
    let mut bad = logger("a", None, None);
    bad.filter.as_mut().unwrap().bytecode.pop();
    assert_eq!(world.enable(bad), Err(ErrorCode::FilterInval));
    let bad = EnableEvent { levels: None, ..logger("a", None, None) };
    assert_eq!(world.enable(bad), Err(ErrorCode::Invalid));
    assert_eq!(world.ust().channels, []);
}

#[test]
fn channels_of_loggers_have_no_rules_about_tracepoints() {
    let mut world = World::new();
    let make = |name: &str| EnableChannel {
        name: name.into(),
        scheme: Some(BufferingScheme::PerUser),
        overwrite: None,
        spliced: false,
        live_timer: 0,
        attributes: Attributes {
            num_subbuf: 8,
            ..Attributes::default_for(BufferingScheme::PerUser, false, 4096)
        },
    };
    let refused = world.serve(Domain::Jul, |desk, id| channel::enable(desk, id, make("c")));
    assert_eq!(refused.unwrap_err(), ErrorCode::InvalidChannelName);
    let name = LoggerDomain::Jul.channel();
    world.serve(Domain::UserSpace, |desk, id| channel::enable(desk, id, make(name))).unwrap();
    let rule = EnableEvent { channel: name.into(), ..logger("p:a", None, None) };
    let refused = world.serve(Domain::UserSpace, |desk, id| event_rule::enable(desk, id, rule));
    assert_eq!(refused.unwrap_err(), ErrorCode::InvalidChannelDomain);
    world.enable(logger("a", None, None)).unwrap();
    let ust = world.ust();
    assert_eq!((ust.channels.len(), ust.channels[0].attributes.num_subbuf), (1, 8));
    // Whoever disables all that the channel has disables the rules about loggers.
    let all = DisableEvent { channel: name.into(), name: "".into(), kind: EventKind::All };
    world.serve(Domain::UserSpace, |desk, id| event_rule::disable(desk, id, all)).unwrap();
    assert_eq!(world.switches(), (said(&[("a", false)]), vec![false]));
}

#[test]
fn agents_are_asked_for_contexts_once() {
    let mut world = World::new();
    assert_eq!(world.add_context(Domain::Python, ""), Err(ErrorCode::Und));
    assert_eq!(world.add_context(Domain::Jul, "c"), Err(ErrorCode::UstChanNotFound));
    world.add_context(Domain::Jul, "").unwrap();
    assert_eq!(world.ust().channels[0].name, LoggerDomain::Jul.channel());
    assert_eq!(world.add_context(Domain::Jul, ""), Err(ErrorCode::UstContextExist));
    assert_eq!(world.ust().loggers[&LoggerDomain::Jul].contexts.len(), 1);
    world.enable(logger("a", None, Some("$app.p:c == 1"))).unwrap();
    assert_eq!(world.ust().loggers[&LoggerDomain::Jul].provided().len(), 1);
    // In user space, the same context is nothing that agents must know of.
    let mut world = World::new();
    world.add_context(Domain::UserSpace, "").unwrap();
    assert!(world.ust().loggers.is_empty());
}

#[test]
fn contexts_are_split_at_the_first_colon() {
    let of =
        |name: &[u8]| program_context(name).map(|found| (found.provider.to_string(), found.name.to_string()));
    assert_eq!(of(b"$app.p:c:d"), Some(("p".to_owned(), "c:d".to_owned())));
    for name in [&b"$ctx.vpid"[..], b"$app.p", b"$app.:c", b"$app.p:", b"a"] {
        assert_eq!(of(name), None);
    }
}
