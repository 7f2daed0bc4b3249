// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's domain: requests as clients of 2.13 were recorded to send them, and what they are told, read back as they
//! read it. What was recorded is in the byte order of x86-64.
#![cfg(target_endian = "little")]

use std::path::PathBuf;
use std::rc::Rc;

use lttng_protocol::client::{
    Body, Channel, ChannelOutput, Context as Wire, DomainEntry, Event, EventType, Instrumentation,
    KernelProbe, Overwrite, ProbeLocation,
};

use super::*;
use crate::client::action::{AddContext, DisableEvent, EnableChannel, EnableEvent, EventKind};
use crate::model::{
    Attributes, BufferingScheme, Filter, KernelChannel, KernelContext, KernelRule, KernelRuleKind,
    ProbePlace, ProgramPlace, Transfer,
};
use crate::operation::answer::{AnyChannel, ListedChannel};
use crate::text::Text;
use crate::turn::ids::{ChannelId, RuleId};
use crate::turn::output::SharedFd;

fn request(name: &str) -> (Header, Vec<u8>) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("protocol/tests/vectors/client");
    let bytes = std::fs::read(folder.join(format!("kernel-{name}.req.bin"))).unwrap();
    let (head, payload) = bytes.split_at(Header::LEN);
    (Header::decode(head).unwrap(), payload.to_vec())
}

fn action(name: &str) -> Action {
    let (header, payload) = request(name);
    assert_eq!(V2_13.domain(&header), Some(Domain::Kernel));
    V2_13.decode(V2_13.command(header.command).unwrap(), &header, &payload).unwrap()
}

fn enabled(name: &str) -> EnableEvent {
    match action(name) {
        Action::EnableEvent(wanted) => wanted,
        other => panic!("{other:?}"),
    }
}

fn channel(name: &str) -> EnableChannel {
    match action(name) {
        Action::EnableChannel(wanted) => wanted,
        other => panic!("{other:?}"),
    }
}

fn place(symbol: &str, address: u64) -> ProbePlace {
    ProbePlace { symbol: symbol.into(), address, offset: 0 }
}

#[test]
fn channels_are_asked_for_as_recorded() {
    let usual = channel("enable-channel-default");
    assert_eq!((usual.name.as_str(), usual.overwrite, usual.spliced), ("kd", None, true));
    assert_eq!((usual.live_timer, usual.scheme), (u32::MAX, None));
    assert_eq!(usual.attributes, Attributes::default_of_kernel(false, 4096));
    let other = channel("enable-channel");
    assert_eq!((other.name.as_str(), other.overwrite, other.spliced), ("kc", Some(true), false));
    let Attributes { subbuf_size, num_subbuf, switch_timer, read_timer, .. } = other.attributes;
    assert_eq!((subbuf_size, num_subbuf, switch_timer, read_timer), (1 << 20, 8, 5000, 200_000));
    let Attributes { monitor_timer, tracefile_size, tracefile_count, .. } = other.attributes;
    assert_eq!((monitor_timer, tracefile_size, tracefile_count), (0, 2 << 20, 3));
}

#[test]
fn event_rules_are_asked_for_as_recorded() {
    let about = |name| {
        let EnableEvent { name, kind, filter, .. } = enabled(name);
        (name, kind, filter.is_some())
    };
    assert_eq!(about("enable-event-all"), ("*".into(), EventKind::All, false));
    assert_eq!(about("enable-event-syscall"), ("openat".into(), EventKind::Syscall, false));
    let (name, kind, filtered) = about("enable-event-tracepoint");
    assert!((kind, filtered) == (EventKind::Tracepoint, false) && !name.is_empty());
    let (_, kind, filtered) = about("enable-event-filter");
    assert_eq!((kind, filtered), (EventKind::Tracepoint, true));
    // The client has lost the offset.
    let symbol = EventKind::Probe(place("do_sys_open", 0));
    assert_eq!(about("enable-event-kprobe-symbol"), ("kp1".into(), symbol, false));
    // It says the address twice, and it counts once.
    let address = EventKind::Probe(place("", 0xffff_ffff_8100_0000));
    assert_eq!(about("enable-event-kprobe-address"), ("kp2".into(), address, false));
    let function = EventKind::Function(place("do_sys_open", 0));
    assert_eq!(about("enable-event-kretprobe"), ("fn1".into(), function, false));
    let main = ProgramPlace::Function { binary: "/tmp/demo/hello".into(), function: "main".into() };
    let in_program = EventKind::UserspaceProbe { place: main, findable: true };
    assert_eq!(about("enable-event-uprobe-elf"), ("myprobe".into(), in_program, false));
    assert_eq!(request("enable-event-uprobe-elf").0.fd_count, 1);
    let all = DisableEvent { channel: String::new(), name: Text::default(), kind: EventKind::All };
    assert_eq!(action("disable-event-all"), Action::DisableEvent(all));
}

#[test]
fn contexts_are_those_that_the_kernel_has() {
    let context = |context: Wire| {
        let (header, payload) = Body::AddContext { channel: "c".into(), context }.encode("s", 1, 0);
        match V2_13.decode(Command::AddContext, &header, &payload).unwrap() {
            Action::AddContext(AddContext { of_kernel, .. }) => of_kernel,
            other => panic!("{other:?}"),
        }
    };
    let named = Text::from("perf_cpu_cycles");
    let perf = |context_type| {
        let (perf_type, config, name) = (3, 4, named.clone());
        context(Wire::Perf { context_type, perf_type, config, name })
    };
    let counter = KernelContext::Perf { kind: 3, config: 4, name: named.clone() };
    assert_eq!(perf(Wire::PERF_CPU_COUNTER), Some(counter.clone()));
    assert_eq!(perf(Wire::PERF_COUNTER), Some(counter));
    assert_eq!(perf(Wire::PERF_THREAD_COUNTER), None);
    assert_eq!(context(Wire::Application { provider: "p".into(), name: "n".into() }), None);
    let known: Vec<u32> = (0..60)
        .filter(|&number| !matches!(number, 1 | 13 | 14 | 15) && context(Wire::Plain(number)).is_some())
        .collect();
    let expected: Vec<u32> = [0].into_iter().chain(2..10).chain([11]).chain(16..42).collect();
    assert_eq!(known, expected);
    let ends = [11, 21, 28, 29, 34, 41].map(|number| context(Wire::Plain(number)).unwrap());
    use KernelContext::{CallstackUser, Hostname, Sgid, TimeNs, Uid, UtsNs};
    assert_eq!(ends, [Hostname, CallstackUser, UtsNs, Uid, Sgid, TimeNs]);
    let Action::AddContext(recorded) = action("add-context-perf-cpu") else { panic!() };
    assert_eq!(recorded.of_kernel, Some(KernelContext::Perf { kind: 0, config: 0, name: named }));
    assert_eq!(recorded.context, None);
}

/// What a client is told: the reply, and the descriptors that come with it.
fn told(answer: Answer) -> (Reply, Vec<SharedFd>) {
    let Encoded { begin, follows } = V2_13.encode(Tag { command: 0, word: 0 }, Ok(answer));
    match follows {
        Follows::Nothing => (Reply::decode(&begin).unwrap(), Vec::new()),
        Follows::Descriptors(descriptors) => (Reply::decode(&begin).unwrap(), descriptors),
        Follows::Bytes(_) => panic!("a long list"),
    }
}

#[test]
fn event_rules_are_listed() {
    let filter = Filter { expression: "a == 1".into(), bytecode: vec![1], reloc_offset: 1, seqnum: 0 };
    let rule = |name: &str, kind, enabled, filter| KernelRule {
        id: RuleId(0),
        name: name.into(),
        kind,
        filter,
        enabled,
    };
    let sdt = ProgramPlace::Tracepoint { binary: "/b".into(), provider: "p".into(), probe: "q".into() };
    let in_program = KernelRuleKind::UserspaceProbe { place: sdt, offsets: vec![1, 2] };
    let beyond = ProbePlace { symbol: "f".into(), address: 0, offset: 16 };
    let binary: SharedFd = Rc::new(std::fs::File::open("/dev/null").unwrap().into());
    let rules = vec![
        (rule("t*", KernelRuleKind::Tracepoint, false, Some(filter)), None),
        (rule("s", KernelRuleKind::Syscall, true, None), None),
        (rule("p", KernelRuleKind::Probe(place("", 0xff00)), true, None), None),
        (rule("f", KernelRuleKind::Function(beyond), true, None), None),
        (rule("u", in_program.clone(), true, None), Some(Rc::clone(&binary))),
        (rule("v", in_program, true, None), None),
    ];
    let (reply, descriptors) = told(Answer::KernelRules(rules));
    assert_eq!((reply.header, reply.fd_count), (Some(6), 1));
    assert!(matches!(descriptors.as_slice(), [sent] if Rc::ptr_eq(sent, &binary)));
    let events = reply.elements(Event::decode).unwrap();
    let types: Vec<_> = events.iter().map(Event::event_type).collect();
    use EventType::{Function, Noop, Probe, Syscall, Tracepoint, UserspaceProbe};
    assert_eq!(types, [Tracepoint, Syscall, Probe, Function, UserspaceProbe, Noop]);
    let first = Event { enabled: 0, filter: Some("a == 1".into()), ..Event::tracepoint("t*") };
    assert_eq!(events[0], first);
    let probe = KernelProbe { address: 0xff00, offset: 0xff00, symbol: String::new() };
    assert_eq!(events[2].instrumentation, Instrumentation::Probe(probe));
    let probe = KernelProbe { address: 0, offset: 16, symbol: "f".into() };
    assert_eq!(events[3].instrumentation, Instrumentation::Function(probe));
    let location = ProbeLocation::Tracepoint { probe: "q".into(), provider: "p".into(), binary: "/b".into() };
    assert_eq!(events[4].instrumentation, Instrumentation::UserspaceProbe(location));
    assert!(events[1..].iter().all(|event| event.enabled == 1 && event.filter.is_none()));
}

#[test]
fn channels_are_listed() {
    let channel = KernelChannel {
        id: ChannelId(0),
        name: "kd".into(),
        enabled: false,
        listed_enabled: true,
        attributes: Attributes::default_of_kernel(false, 4096),
        live_timer: u32::MAX,
        transfer: Transfer::Splice,
        contexts: Vec::new(),
        rules: Vec::new(),
    };
    let mut overwriting =
        KernelChannel { listed_enabled: false, transfer: Transfer::Mmap, ..channel.clone() };
    overwriting.attributes.overwrite = true;
    let listed = [(channel, 5), (overwriting, 6)]
        .map(|(channel, losses)| ListedChannel { channel: AnyChannel::Kernel(channel), losses });
    let (reply, _) = told(Answer::Channels(listed.into()));
    let channels = reply.elements(Channel::decode).unwrap();
    // The first one as its client has asked for it.
    let (header, payload) = request("enable-channel-default");
    let Ok(Body::EnableChannel(asked)) = client::decode_body(&header, &payload) else { panic!() };
    assert_eq!(channels[0], Channel { overwrite: Overwrite::Discard, discarded_events: 5, ..asked });
    let Channel { enabled, output, lost_packets, discarded_events, .. } = channels[1];
    assert_eq!((enabled, output), (false, ChannelOutput::Mmap));
    assert_eq!((lost_packets, discarded_events), (6, 0));
}

#[test]
fn what_there_is_is_listed() {
    let long = Text::from("l".repeat(300).as_str());
    let (reply, _) = told(Answer::KernelTracepoints(vec!["sched_switch".into(), long]));
    let tracepoints = reply.elements(Event::decode).unwrap();
    let cut = "l".repeat(255);
    assert_eq!(tracepoints, [Event::tracepoint("sched_switch"), Event::tracepoint(cut.as_str())]);
    let (reply, _) = told(Answer::Syscalls(vec![("read".into(), 3), ("send".into(), 1)]));
    let syscalls = reply.elements(Event::decode).unwrap();
    let syscall = |name: &str, flags| Event {
        instrumentation: Instrumentation::Syscall,
        flags,
        ..Event::tracepoint(name)
    };
    let flags = [Event::SYSCALL_32 | Event::SYSCALL_64, Event::SYSCALL_32];
    assert_eq!(syscalls, [syscall("read", flags[0]), syscall("send", flags[1])]);
    let domains = vec![(Domain::Kernel, None), (Domain::UserSpace, Some(BufferingScheme::PerProcess))];
    let (reply, _) = told(Answer::Domains(domains));
    let listed = DomainEntry::decode_list(&reply.payload).unwrap();
    let kinds: Vec<_> = listed.iter().map(|entry| (entry.domain, entry.buffer_type)).collect();
    let kernel = (client::Domain::Kernel, client::BufferType::Global);
    assert_eq!(kinds, [kernel, (client::Domain::Ust, client::BufferType::PerPid)]);
}
