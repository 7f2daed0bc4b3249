// SPDX-License-Identifier: GPL-2.0-only
//! What commands change in what is wanted of the kernel, and with which codes they are refused.

use lttng_protocol::client::ErrorCode;

use super::channel::{Surroundings, enable_or_make, need};
use super::context::add_to_channels;
use super::event_rule::{Enabled, disable_rules, enable_or_add};
use crate::client::action::{AddContext, DisableEvent, EnableChannel, EnableEvent, EventKind};
use crate::kernel::refusal::{Asked, Refusal};
use crate::model::{
    Attributes, Filter, KernelContext, KernelDomain, KernelRuleKind, ProbePlace, ProgramPlace, Transfer,
};
use crate::operation::answer::Failure;
use crate::turn::ids::{ChannelId, RuleId};

const AROUND: Surroundings = Surroundings {
    next: ChannelId(7),
    started: false,
    overwrites: false,
    mapped: false,
    live_timer: 0,
    positions: true,
    page: 4096,
};

fn channel(name: &str) -> EnableChannel {
    let attributes = Attributes { switch_timer: 5000, ..Attributes::default_of_kernel(false, 4096) };
    let (scheme, overwrite, live_timer) = (None, None, u32::MAX);
    EnableChannel { name: name.into(), scheme, overwrite, spliced: true, live_timer, attributes }
}

fn rule(channel: &str, name: &str, kind: EventKind) -> EnableEvent {
    let (levels, level, filter) = (None, 0, None);
    let exclusions = vec!["left out".into(), "left out".into()];
    EnableEvent {
        channel: channel.into(),
        scheme: None,
        name: name.into(),
        kind,
        levels,
        level,
        filter,
        exclusions,
    }
}

fn filter(bytecode: &[u8]) -> Option<Filter> {
    let bytecode = bytecode.to_vec();
    Some(Filter { expression: "a == 1".into(), bytecode, reloc_offset: 1, seqnum: 0 })
}

fn place(symbol: &str) -> ProbePlace {
    ProbePlace { symbol: symbol.into(), address: 0, offset: 0 }
}

fn program() -> ProgramPlace {
    ProgramPlace::Function { binary: "/bin/p".into(), function: "main".into() }
}

fn enable(kernel: &mut KernelDomain, wanted: EnableEvent) -> Result<Enabled, ErrorCode> {
    enable_or_add(kernel, &AROUND, wanted, false)
}

fn names(kernel: &KernelDomain) -> Vec<&str> {
    kernel.channels.iter().map(|channel| channel.name.as_str()).collect()
}

fn refused(asked: Asked) -> Enabled {
    Enabled::Wanted(Some(Failure::Kernel(Refusal { asked, errno: libc::EEXIST })))
}

const WANTED: Result<Enabled, ErrorCode> = Ok(Enabled::Wanted(None));

#[test]
fn channels_are_refused_in_the_order_of_the_original() {
    let mut kernel = KernelDomain::default();
    let mut make = |around: Surroundings, wanted: EnableChannel| enable_or_make(&mut kernel, &around, wanted);
    let started = Surroundings { started: true, ..AROUND };
    let bad = |attributes| EnableChannel { attributes, ..channel("c") };
    let waiting = bad(Attributes { blocking_timeout: -1, ..channel("").attributes });
    let one = bad(Attributes { num_subbuf: 1, ..channel("").attributes });
    assert_eq!(make(started, channel(".c")), Err(ErrorCode::InvalidChannelName));
    assert_eq!(make(started, channel("a/b")), Err(ErrorCode::InvalidChannelName));
    assert_eq!(make(started, channel(&"c".repeat(250))), Err(ErrorCode::InvalidChannelName));
    assert_eq!(make(started, waiting.clone()), Err(ErrorCode::TraceAlreadyStarted));
    assert_eq!(make(AROUND, waiting), Err(ErrorCode::Invalid));
    let overwriting = EnableChannel { overwrite: Some(true), ..one.clone() };
    assert_eq!(make(AROUND, overwriting), Err(ErrorCode::Invalid));
    let for_snapshots = Surroundings { overwrites: true, ..AROUND };
    assert_eq!(make(for_snapshots, one.clone()), Err(ErrorCode::Invalid));
    // Sizes are for the tracer to judge, other than those of user space.
    let odd = Attributes { subbuf_size: 5000, num_subbuf: 1, tracefile_size: 1, ..channel("").attributes };
    assert_eq!(make(AROUND, bad(odd)), Ok(()));
    assert_eq!(make(started, one), Err(ErrorCode::KernChanExist));
    assert_eq!(names(&kernel), ["c"]);
    kernel.channels[0].enabled = false;
    let again = EnableChannel { overwrite: Some(true), ..channel("c") };
    assert_eq!(enable_or_make(&mut kernel, &started, again), Ok(()));
    assert!(kernel.channels[0].enabled && !kernel.channels[0].attributes.overwrite);
}

#[test]
fn channels_are_made_as_their_session_has_them() {
    let made = |around: Surroundings, wanted: Option<EnableChannel>| {
        let mut kernel = KernelDomain::default();
        match wanted {
            Some(wanted) => enable_or_make(&mut kernel, &around, wanted).unwrap(),
            None => need(&mut kernel, &around, "").unwrap(),
        }
        (kernel.named_channel, kernel.channels.remove(0))
    };
    let (named, plain) = made(AROUND, Some(channel("")));
    assert_eq!((named, plain.name.as_str(), plain.id), (false, "channel0", ChannelId(7)));
    assert_eq!((plain.live_timer, plain.attributes.switch_timer), (u32::MAX, 5000));
    assert_eq!((plain.transfer, plain.enabled, plain.listed_enabled), (Transfer::Splice, true, true));
    // One that is called like the default one is named all the same.
    assert!(made(AROUND, Some(channel("channel0"))).0);

    let (_, implicit) = made(AROUND, None);
    let usual = Attributes {
        overwrite: false,
        subbuf_size: 1_048_576,
        num_subbuf: 4,
        switch_timer: 0,
        read_timer: 200_000,
        monitor_timer: 1_000_000,
        tracefile_size: 0,
        tracefile_count: 0,
        blocking_timeout: 0,
    };
    assert_eq!(implicit.attributes, usual);
    assert_eq!((implicit.transfer, implicit.live_timer), (Transfer::Splice, 0));
    assert_eq!((implicit.enabled, implicit.listed_enabled), (true, false));

    let live = Surroundings { live_timer: 70_000, ..AROUND };
    let (_, live) = made(live, Some(channel("c")));
    assert_eq!((live.live_timer, live.attributes.switch_timer), (70_000, 0));
    let snapshots = Surroundings { overwrites: true, mapped: true, ..AROUND };
    let (_, snapshots) = made(snapshots, Some(channel("c")));
    assert_eq!((snapshots.attributes.overwrite, snapshots.transfer), (true, Transfer::Mmap));
    let old = Surroundings { positions: false, page: 1 << 21, ..AROUND };
    let (_, old) = made(old, None);
    assert_eq!((old.attributes.monitor_timer, old.attributes.subbuf_size), (0, 1 << 21));
}

#[test]
fn a_rule_is_enabled_once_by_kind_name_and_filter() {
    let mut kernel = KernelDomain::default();
    let tracepoint = rule("", "sched_**switch", EventKind::Tracepoint);
    assert_eq!(enable(&mut kernel, tracepoint.clone()), WANTED);
    assert_eq!(enable(&mut kernel, tracepoint.clone()), Err(ErrorCode::KernEventExist));
    assert_eq!(enable(&mut kernel, rule("", "sched_*switch", EventKind::Syscall)), WANTED);
    let filtered = EnableEvent { filter: filter(&[1]), ..tracepoint.clone() };
    assert_eq!(enable(&mut kernel, filtered.clone()), WANTED);
    assert_eq!(enable(&mut kernel, filtered), Err(ErrorCode::KernEventExist));
    assert_eq!(enable(&mut kernel, rule("", "p", EventKind::Probe(place("a")))), WANTED);
    // Where it sits takes no part.
    let elsewhere = rule("", "p", EventKind::Probe(place("b")));
    assert_eq!(enable(&mut kernel, elsewhere), Err(ErrorCode::KernEventExist));
    assert_eq!(enable(&mut kernel, rule("", "p", EventKind::Function(place("b")))), WANTED);
    let rules = &mut kernel.channels[0].rules;
    assert_eq!(rules.iter().map(|rule| rule.id.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(rules[0].name, "sched_*switch");
    assert_eq!(rules[3].kind, KernelRuleKind::Probe(place("a")));
    rules[0].enabled = false;
    assert_eq!(enable(&mut kernel, tracepoint), WANTED);
    assert!(kernel.channels[0].rules[0].enabled);
    assert_eq!(kernel.channels[0].rules.len(), 5);
}

#[test]
fn everything_is_tracepoints_and_system_calls() {
    let mut kernel = KernelDomain::default();
    assert_eq!(enable(&mut kernel, rule("", "*", EventKind::All)), WANTED);
    let kinds: Vec<_> = kernel.channels[0].rules.iter().map(|rule| rule.kind.clone()).collect();
    assert_eq!(kinds, [KernelRuleKind::Tracepoint, KernelRuleKind::Syscall]);
    assert_eq!(enable(&mut kernel, rule("", "*", EventKind::All)), Err(ErrorCode::KernEventExist));
    // The first one decides whether anything is done, and is done whatever comes of the second one.
    kernel.channels[0].rules[1].enabled = false;
    assert_eq!(enable(&mut kernel, rule("", "*", EventKind::All)), Err(ErrorCode::KernEventExist));
    let rules = &mut kernel.channels[0].rules;
    (rules[0].enabled, rules[1].enabled) = (false, true);
    assert_eq!(enable(&mut kernel, rule("", "*", EventKind::All)), Ok(refused(Asked::Event)));
    assert!(kernel.channels[0].rules[0].enabled);
    let failure = Failure::Kernel(Refusal { asked: Asked::Event, errno: libc::EEXIST });
    assert_eq!(ErrorCode::from(failure), ErrorCode::KernEventExist);
}

#[test]
fn rules_are_refused_in_the_order_of_the_original() {
    let mut kernel = KernelDomain { named_channel: true, ..KernelDomain::default() };
    let bad = |kernel: &mut _, wanted| enable_or_add(kernel, &AROUND, wanted, true);
    let tracepoint = |channel: &str| rule(channel, "a", EventKind::Tracepoint);
    assert_eq!(bad(&mut kernel, tracepoint("")), Err(ErrorCode::NeedChannelName));
    assert_eq!(bad(&mut kernel, tracepoint(".c")), Err(ErrorCode::InvalidChannelName));
    let started = Surroundings { started: true, ..AROUND };
    let late = enable_or_add(&mut kernel, &started, tracepoint("c"), true);
    assert_eq!(late, Err(ErrorCode::TraceAlreadyStarted));
    assert_eq!(bad(&mut kernel, rule("c", "a", EventKind::Noop)), Err(ErrorCode::Unk));
    assert_eq!(bad(&mut kernel, rule("c", "a", EventKind::FunctionEntry)), Err(ErrorCode::KernEnableFail));
    assert_eq!(bad(&mut kernel, tracepoint("c")), Err(ErrorCode::FilterInval));
    assert_eq!(bad(&mut kernel, rule("c", "a", EventKind::All)), Err(ErrorCode::FilterInval));
    assert_eq!(enable(&mut kernel, tracepoint("c")), WANTED);
    // What is there is looked for first; its filter was good.
    assert_eq!(bad(&mut kernel, tracepoint("c")), Err(ErrorCode::KernEventExist));
    // A session that was started gets rules, if no channel.
    assert_eq!(enable_or_add(&mut kernel, &started, rule("c", "b", EventKind::Tracepoint), false), WANTED);
}

#[test]
fn a_probe_in_a_program_is_looked_for_when_it_is_new() {
    let mut kernel = KernelDomain::default();
    let probe = |findable| rule("", "u", EventKind::UserspaceProbe { place: program(), findable });
    let filtered = EnableEvent { filter: filter(&[1]), ..probe(true) };
    assert_eq!(enable(&mut kernel, probe(false)), Err(ErrorCode::ProbeLocationInval));
    assert_eq!(enable_or_add(&mut kernel, &AROUND, filtered.clone(), true), Err(ErrorCode::FilterInval));
    let sought = Enabled::Sought {
        channel: ChannelId(7),
        place: program(),
        name: "u".into(),
        filter: filtered.filter.clone(),
    };
    assert_eq!(enable(&mut kernel, filtered), Ok(sought));
    assert_eq!(kernel.channels[0].rules, [], "it is not known yet where it is");
    let kind = KernelRuleKind::UserspaceProbe { place: program(), offsets: vec![64] };
    let known =
        crate::model::KernelRule { id: RuleId(0), name: "u".into(), kind, filter: None, enabled: true };
    kernel.channels[0].rules.push(known);
    assert_eq!(enable(&mut kernel, probe(false)), Err(ErrorCode::KernEventExist));
    kernel.channels[0].rules[0].enabled = false;
    assert_eq!(enable(&mut kernel, probe(false)), WANTED);
    assert!(kernel.channels[0].rules[0].enabled);
}

#[test]
fn rules_are_disabled_by_name_and_kind() {
    let mut kernel = KernelDomain::default();
    for (name, kind) in [
        ("a", EventKind::Tracepoint),
        ("a", EventKind::Syscall),
        ("b", EventKind::Tracepoint),
        ("p", EventKind::Probe(place("s"))),
    ] {
        assert_eq!(enable(&mut kernel, rule("", name, kind)), WANTED);
    }
    let mut disable = |channel: &str, name: &str, kind: EventKind| {
        let wanted = DisableEvent { channel: channel.into(), name: name.into(), kind };
        let result = disable_rules(&mut kernel, &wanted);
        let enabled = kernel.channels[0].rules.iter().map(|rule| rule.enabled).collect::<Vec<_>>();
        (result, <[bool; 4]>::try_from(enabled).unwrap())
    };
    let all = [true; 4];
    assert_eq!(disable("c", "a", EventKind::All), (Err(ErrorCode::KernChanNotFound), all));
    let in_program = EventKind::UserspaceProbe { place: program(), findable: true };
    assert_eq!(disable("", "a", in_program), (Err(ErrorCode::Unk), all));
    assert_eq!(disable("", "a", EventKind::Noop), (Err(ErrorCode::Unk), all));
    assert_eq!(disable("", "c", EventKind::All), (Err(ErrorCode::NoEvent), all));
    assert_eq!(disable("", "b", EventKind::Syscall), (Err(ErrorCode::NoEvent), all));
    // No pattern, but a name.
    assert_eq!(disable("", "*", EventKind::All), (Err(ErrorCode::NoEvent), all));
    assert_eq!(disable("", "", EventKind::FunctionEntry), (Ok(None), all));
    assert_eq!(disable("", "", EventKind::Syscall), (Ok(None), [true, false, true, true]));
    assert_eq!(disable("", "a", EventKind::All), (Ok(None), [false, false, true, true]));
    assert_eq!(disable("", "a", EventKind::All), (Ok(None), [false, false, true, true]));
    assert_eq!(disable("", "", EventKind::All), (Ok(None), [false; 4]));
    // The tracer would say so of a probe.
    let (result, _) = disable("", "", EventKind::All);
    let failure = result.unwrap().unwrap();
    assert_eq!(ErrorCode::from(failure), ErrorCode::KernDisableFail);
    kernel.named_channel = true;
    let unnamed = DisableEvent { channel: String::new(), name: "a".into(), kind: EventKind::All };
    assert_eq!(disable_rules(&mut kernel, &unnamed), Err(ErrorCode::NeedChannelName));
}

#[test]
fn contexts_are_added_to_one_channel_or_to_all() {
    let mut kernel = KernelDomain::default();
    let wanted = |channel: &str, of_kernel| AddContext { channel: channel.into(), context: None, of_kernel };
    let started = Surroundings { started: true, ..AROUND };
    let result = add_to_channels(&mut kernel, &started, wanted("", None));
    assert_eq!(result, Err(ErrorCode::TraceAlreadyStarted));
    let mut add = |channel: &str, context| add_to_channels(&mut kernel, &AROUND, wanted(channel, context));
    assert_eq!(add("c", None), Err(ErrorCode::KernContextFail));
    assert_eq!(add("c", Some(KernelContext::Pid)), Err(ErrorCode::KernChanNotFound));
    assert_eq!(add("", Some(KernelContext::Pid)), Ok(()));
    assert_eq!(names(&kernel), ["channel0"]);
    assert!(!kernel.channels[0].listed_enabled && !kernel.named_channel);
    need(&mut kernel, &AROUND, "c").unwrap();
    let mut add = |channel: &str, context| add_to_channels(&mut kernel, &AROUND, wanted(channel, context));
    assert_eq!(add("", Some(KernelContext::Pid)), Ok(()), "that it is there is no error");
    let perf = |config| Some(KernelContext::Perf { kind: 0, config, name: "perf_cpu_cycles".into() });
    assert_eq!(add("c", perf(1)), Ok(()));
    assert_eq!(add("c", perf(2)), Ok(()), "nor is a field of the same name");
    assert_eq!(kernel.channels[0].contexts, [KernelContext::Pid]);
    assert_eq!(kernel.channels[1].contexts, [KernelContext::Pid, perf(1).unwrap()]);
}
