// SPDX-License-Identifier: GPL-2.0-only
//! Configurations as they are written, beside those that the stock daemon has written.

use proptest::prelude::*;

use super::save::{Unsavable, save};
use crate::model::kernel::KernelRule;
use crate::model::tracker::{Included, Policy, Tracker, Value};
use crate::model::{
    Address, Attributes, BufferingScheme, Channel, Context, Endpoint, EventRule, Filter, KernelChannel,
    KernelContext, KernelDomain, KernelRuleKind, LogLevels, LoggerDomain, LoggerRule, Output, ProbePlace,
    ProgramPlace, RuleKind, Schedules, SessionKind, SnapshotOutput, Transfer, UstDomain, Wanted,
};
use crate::text::Text;
use crate::turn::ids::{ChannelId, RuleId};

const PAGE: u64 = 4096;

fn vector(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/tests/vectors/session-config");
    std::fs::read_to_string(format!("{folder}/{name}.lttng")).unwrap()
}

fn check(vector_name: &str, wanted: &Wanted, active: bool) {
    assert_eq!(save(wanted, active).as_deref(), Ok(vector(vector_name).as_str()), "{vector_name}");
}

fn wanted(name: &str, output: Output) -> Wanted {
    Wanted { output, ..Wanted::for_tests(name) }
}

fn local(name: &str, path: &str) -> Wanted {
    wanted(name, Output::Local(path.to_owned()))
}

fn filter(expression: &str) -> Option<Filter> {
    Some(Filter { expression: expression.into(), bytecode: vec![1], reloc_offset: 1, seqnum: 0 })
}

fn rule(name: &str) -> EventRule {
    EventRule {
        id: RuleId(0),
        name: name.into(),
        kind: RuleKind::Tracepoint,
        levels: LogLevels::All,
        filter: None,
        exclusions: Vec::new(),
        enabled: true,
    }
}

fn channel(name: &str, rules: Vec<EventRule>) -> Channel {
    Channel {
        id: ChannelId(0),
        name: name.to_owned(),
        enabled: true,
        attributes: Attributes::default_for(BufferingScheme::PerUser, false, PAGE),
        contexts: Vec::new(),
        rules,
    }
}

fn ust(channels: Vec<Channel>) -> Option<UstDomain> {
    Some(UstDomain { channels, ..UstDomain::default() })
}

/// What most of the samples have in user space.
fn usual() -> Option<UstDomain> {
    ust(vec![channel("channel0", vec![rule("tp:x")])])
}

fn network(address: Address, subdir: &str) -> Output {
    let end = |port, subdir: &str| Some(Endpoint { address: address.clone(), port, subdir: subdir.into() });
    Output::Network { control: end(5342, subdir), data: end(5343, "") }
}

fn here(subdir: &str) -> Output {
    network(Address::Ipv4("127.0.0.1".into()), subdir)
}

fn set(values: Vec<Value>) -> Tracker {
    let mut tracker = Tracker::default();
    tracker.set_policy(Policy::IncludeSet);
    for (number, value) in (900..).zip(values) {
        let id = match value {
            Value::Pid(id) => u32::try_from(id).unwrap(),
            Value::Uid(id) | Value::Gid(id) => u32::try_from(id).unwrap(),
            Value::UserName(_) | Value::GroupName(_) => number,
        };
        assert!(tracker.add(Included { value, id }));
    }
    tracker
}

#[test]
fn outputs_and_kinds() {
    check("empty", &local("empty", "/tmp/tr/empty"), false);
    check("special-characters", &local("sp <&>\"\u{e9}", "/tmp/tr/a b&c<d>"), false);
    check("net1", &Wanted { ust: usual(), ..wanted("net1", here("some/path")) }, false);
    check("net3", &wanted("net3", network(Address::Ipv6("::1".into()), "")), false);
    check("noout", &Wanted { ust: usual(), ..wanted("noout", Output::None) }, false);
    check("started", &Wanted { ust: usual(), ..local("started", "/tmp/tr/started") }, true);
    let live = SessionKind::Live { timer: 500_000 };
    check("live1", &Wanted { kind: live, ust: usual(), ..wanted("live1", here("")) }, false);
    let schedules = Schedules { periodic: Some(60_000_000), size: Some(104_857_600) };
    check("rot", &Wanted { schedules, ust: usual(), ..local("rot", "/tmp/tr/rot") }, false);
}

#[test]
fn snapshot_sessions() {
    let session = |name: &str, ust, output: Option<(&str, u64, Output)>| {
        let output = output.map(|(name, max_size, output)| SnapshotOutput {
            id: 1,
            name: name.to_owned(),
            max_size,
            output,
        });
        let snapshot_outputs = output.into_iter().collect();
        Wanted { kind: SessionKind::Snapshot, snapshot_outputs, ust, ..wanted(name, Output::None) }
    };
    let overwriting = || {
        let mut usual = usual();
        usual.as_mut().unwrap().channels[0].attributes.overwrite = true;
        usual
    };
    let place = Output::Local("/tmp/tr/snap-a".to_owned());
    check("snap", &session("snap", overwriting(), Some(("local", 2_097_152, place))), false);
    check("snap-net", &session("snap-net", None, Some(("snapshot-1", 0, here("")))), false);
    check("snap-net-output", &session("snap", overwriting(), Some(("net1", 0, here("sub/dir")))), false);
    check("snap-noout", &session("snap-noout", None, None), false);
}

#[test]
fn rules_and_contexts_of_user_space() {
    let events = vec![
        EventRule { levels: LogLevels::AtLeast(4), ..rule("tp:range*") },
        EventRule { exclusions: vec!["tp:a*".into(), "tp:b".into()], ..rule("tp:*") },
        rule("tp:plain"),
        EventRule { enabled: false, ..rule("tp:off") },
        EventRule { filter: filter("a < 3 && b == \"x\" && $ctx.vpid > 1"), ..rule("tp:filter") },
        EventRule { levels: LogLevels::Exactly(14), ..rule("tp:single") },
        rule("tp:\u{e9}&<x>"),
    ];
    let contexts = vec![
        Context::Vpid,
        Context::Procname,
        Context::Vtid,
        Context::Ip,
        Context::PthreadId,
        Context::Perf { kind: 0, config: 0, name: "perf_thread_cpu_cycles".into() },
        Context::App { provider: "prov".into(), name: "name".into() },
    ];
    let all = Channel { contexts, ..channel("channel0", events) };
    check("ust-events", &Wanted { ust: ust(vec![all]), ..local("ust-events", "/tmp/tr/ust-events") }, false);
    let contexts = vec![
        Context::CgroupNs,
        Context::IpcNs,
        Context::MntNs,
        Context::NetNs,
        Context::PidNs,
        Context::TimeNs,
        Context::UserNs,
        Context::UtsNs,
        Context::Vuid,
        Context::Veuid,
        Context::Vsuid,
        Context::Vgid,
        Context::Vegid,
        Context::Vsgid,
    ];
    let all = Channel { contexts, ..channel("channel0", vec![rule("tp:plain")]) };
    let session = local("ust-contexts", "/tmp/tr/ust-contexts");
    check("ust-contexts", &Wanted { ust: ust(vec![all]), ..session }, false);
}

#[test]
fn channels_and_trackers_of_user_space() {
    let plain = |name, rules| Channel {
        attributes: Attributes::default_for(BufferingScheme::PerProcess, false, PAGE),
        ..channel(name, rules)
    };
    let (mut second, mut third, mut first) =
        (plain("c2", vec![]), plain("c3", vec![]), plain("c1", vec![rule("tp:x")]));
    second.attributes.blocking_timeout = -1;
    second.attributes.monitor_timer = 0;
    third.attributes.blocking_timeout = 100;
    third.enabled = false;
    first.attributes = Attributes {
        overwrite: true,
        subbuf_size: 65_536,
        num_subbuf: 8,
        switch_timer: 1_000_000,
        read_timer: 200_000,
        monitor_timer: 500_000,
        tracefile_size: 1_048_576,
        tracefile_count: 4,
        blocking_timeout: 0,
    };
    let scheme = BufferingScheme::PerProcess;
    let domain = UstDomain { scheme, channels: vec![second, third, first], ..UstDomain::default() };
    let session = Wanted {
        shm_path: Some("/dev/shm/mine/ust-channels-20261122-202314".to_owned()),
        ust: Some(domain),
        ..local("ust-channels", "/tmp/tr/ust-channels")
    };
    check("ust-channels", &session, false);

    let mut domain = ust(vec![channel("channel0", vec![rule("*")])]).unwrap();
    domain.trackers.pid = set(vec![Value::Pid(42), Value::Pid(1)]);
    domain.trackers.uid = set(vec![Value::Uid(0), Value::UserName("nobody".into())]);
    domain.trackers.gid.set_policy(Policy::ExcludeAll);
    let session = Wanted { ust: Some(domain), ..local("ust-trackers", "/tmp/tr/ust-trackers") };
    check("ust-trackers", &session, false);
}

fn logger(name: &str, levels: LogLevels, expression: Option<&str>) -> LoggerRule {
    let filter = expression.and_then(filter);
    LoggerRule { name: name.into(), levels, level: 0, filter, contexts: Vec::new(), enabled: true }
}

#[test]
fn loggers() {
    let context = || Context::App { provider: "prov".into(), name: "ctx".into() };
    let of = |domain: LoggerDomain| Channel {
        contexts: vec![context()],
        // What does the picking is not written.
        ..channel(domain.channel(), vec![rule(domain.tracepoints())])
    };
    let mut domain = ust(LoggerDomain::ALL.map(of).into()).unwrap();
    let rules = [
        (LoggerDomain::Jul, logger("jl", LogLevels::All, Some("logger_name == \"jl\""))),
        (
            LoggerDomain::Log4j,
            logger(
                "ll",
                LogLevels::Exactly(20_000),
                Some("(logger_name == \"ll\") && (int_loglevel == 20000)"),
            ),
        ),
        (
            LoggerDomain::Python,
            logger("lvl", LogLevels::AtLeast(30), Some("(logger_name == \"lvl\") && (int_loglevel >= 30)")),
        ),
        (LoggerDomain::Python, logger("*", LogLevels::All, None)),
        (LoggerDomain::Python, logger("my.logger", LogLevels::All, Some("logger_name == \"my.logger\""))),
    ];
    for (of, rule) in rules {
        domain.loggers.entry(of).or_default().rules.push(rule);
    }
    check("agents", &Wanted { ust: Some(domain), ..local("agents", "/tmp/tr/agents") }, false);
}

fn kernel_rule(name: &str, kind: KernelRuleKind) -> KernelRule {
    KernelRule { id: RuleId(0), name: name.into(), kind, filter: None, enabled: true }
}

fn kernel_channel(name: &str, rules: Vec<KernelRule>) -> KernelChannel {
    KernelChannel {
        id: ChannelId(0),
        name: name.to_owned(),
        enabled: true,
        listed_enabled: true,
        attributes: Attributes::default_of_kernel(false, PAGE),
        live_timer: 0,
        transfer: Transfer::Splice,
        contexts: Vec::new(),
        rules,
    }
}

fn symbol(symbol: &str) -> ProbePlace {
    ProbePlace { symbol: symbol.to_owned(), address: 0, offset: 0 }
}

/// The rules of `k-events`.
fn kernel_rules() -> Vec<KernelRule> {
    use KernelRuleKind::{Function, Probe, Syscall, Tracepoint};
    let program = |binary: &str, function: &str| KernelRuleKind::UserspaceProbe {
        place: ProgramPlace::Function { binary: binary.to_owned(), function: function.to_owned() },
        offsets: vec![1],
    };
    vec![
        kernel_rule("sched_switch", Tracepoint),
        KernelRule { enabled: false, ..kernel_rule("sched_wakeup", Tracepoint) },
        KernelRule { filter: filter("irq > 3 && $ctx.pid != 1"), ..kernel_rule("irq_*", Tracepoint) },
        kernel_rule("openat", Syscall),
        kernel_rule("close", Syscall),
        kernel_rule("*", Syscall),
        kernel_rule("my_kprobe", Probe(symbol("vfs_read"))),
        kernel_rule("my_kprobe_off", Probe(symbol("vfs_read"))),
        kernel_rule("my_kret", Function(symbol("vfs_fsync"))),
        kernel_rule("my_uprobe", program("/usr/bin/bash", "main")),
        kernel_rule("my_uprobe2", program("/usr/lib/x86_64-linux-gnu/libc.so.6", "malloc")),
    ]
}

#[test]
fn the_kernel() {
    use KernelContext as C;
    let mut contexts = vec![
        C::Pid,
        C::Procname,
        C::Prio,
        C::Nice,
        C::Vpid,
        C::Tid,
        C::Vtid,
        C::Ppid,
        C::Vppid,
        C::Hostname,
        C::Interruptible,
        C::NeedReschedule,
        C::CallstackKernel,
        C::CallstackUser,
        C::Perf { kind: 1, config: 2, name: "perf_cpu_page_fault".into() },
    ];
    // Implicitly made channels are said to be off by the original.
    let session = |contexts| {
        let channel =
            KernelChannel { enabled: false, contexts, ..kernel_channel("channel0", kernel_rules()) };
        let kernel = Some(KernelDomain { channels: vec![channel], ..KernelDomain::default() });
        Wanted { kernel, ..local("k-events", "/tmp/tr/k") }
    };
    check("k-events", &session(contexts.clone()), false);
    contexts.extend([C::Uid, C::Vuid, C::CgroupNs, C::UtsNs]);
    check("k-contexts", &session(contexts), false);
    let made = kernel_channel("channel0", vec![kernel_rule("sched_switch", KernelRuleKind::Tracepoint)]);
    let kernel =
        KernelDomain { channels: vec![KernelChannel { enabled: false, ..made }], ..KernelDomain::default() };
    let ust = ust(vec![channel("channel0", vec![rule("a:b")])]);
    check("k-ust", &Wanted { kernel: Some(kernel), ust, ..local("k-ust", "/tmp/tr/k3") }, true);
}

#[test]
fn channels_and_trackers_of_the_kernel() {
    use KernelRuleKind::{Syscall, Tracepoint};
    let rules = vec![
        kernel_rule("sched_switch", Tracepoint),
        kernel_rule("*", Tracepoint),
        kernel_rule("*", Syscall),
    ];
    let attributes = Attributes {
        overwrite: true,
        subbuf_size: 65_536,
        num_subbuf: 8,
        switch_timer: 1_000_000,
        read_timer: 100_000,
        monitor_timer: 300_000,
        tracefile_size: 1_048_576,
        tracefile_count: 3,
        blocking_timeout: 0,
    };
    let first = KernelChannel { attributes, transfer: Transfer::Mmap, ..kernel_channel("kc1", rules) };
    let channels = vec![first, kernel_channel("kc2", Vec::new())];
    let mut kernel = KernelDomain { channels, ..KernelDomain::default() };
    let user = || Value::UserName("user".into());
    kernel.trackers.pid = set(vec![Value::Pid(2), Value::Pid(1)]);
    kernel.trackers.vpid = set(vec![Value::Pid(3)]);
    kernel.trackers.uid = set(vec![user(), Value::Uid(0)]);
    kernel.trackers.vuid = set(vec![user()]);
    kernel.trackers.gid = set(vec![Value::GroupName("tracing".into())]);
    kernel.trackers.vgid.set_policy(Policy::ExcludeAll);
    let session = Wanted { kernel: Some(kernel), ..local("k-channels", "/tmp/tr/k2") };
    // What the original writes for the live timer is what its client happens to say.
    let expected = vector("k-channels").replace("4294967295", "0");
    assert_eq!(save(&session, false), Ok(expected));
}

#[test]
fn places_that_no_sample_has() {
    let place = ProgramPlace::Tracepoint { binary: "/b".into(), provider: "p".into(), probe: "q".into() };
    let rules = vec![
        kernel_rule("address", KernelRuleKind::Probe(ProbePlace { address: 4096, ..symbol("") })),
        kernel_rule("offset", KernelRuleKind::Probe(ProbePlace { offset: 7, ..symbol("s") })),
        kernel_rule("sdt", KernelRuleKind::UserspaceProbe { place, offsets: Vec::new() }),
    ];
    let kernel = KernelDomain { channels: vec![kernel_channel("c", rules)], ..KernelDomain::default() };
    let text = save(&Wanted { kernel: Some(kernel), ..local("s", "/t") }, false).unwrap();
    let text: String = text.chars().filter(|char| !char.is_whitespace()).collect();
    for expected in [
        "<probe_attributes><address>4096</address></probe_attributes>",
        "<probe_attributes><symbol_name>s</symbol_name><offset>7</offset></probe_attributes>",
        "<userspace_probe_tracepoint_attributes><lookup_method>SDT</lookup_method><binary_path>/b</binary_path>\
         <provider_name>p</provider_name><probe_name>q</probe_name></userspace_probe_tracepoint_attributes>",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn what_can_not_be_written_is_said() {
    let half = |control, data| {
        let end = || Some(Endpoint { address: Address::Ipv4("1.2.3.4".into()), port: 1, subdir: "".into() });
        let output = Output::Network { control: end().filter(|_| control), data: end().filter(|_| data) };
        save(&wanted("s", output), false).map(|_| ())
    };
    assert_eq!(half(true, true), Ok(()));
    assert_eq!(half(false, true), Err(Unsavable::NoControl));
    assert_eq!(half(false, false), Err(Unsavable::NoControl));
    assert_eq!(half(true, false), Err(Unsavable::NoData));
    for bad in [&b"a:\xff"[..], b"a:\x01"] {
        let rule = EventRule { name: bad.into(), ..rule("") };
        let session = Wanted { ust: ust(vec![channel("c", vec![rule])]), ..local("s", "/t") };
        assert_eq!(save(&session, false), Err(Unsavable::Text));
    }
}

/// Whether a document has the structure that it must have: elements closed in the order in which they were opened, one
/// root, nothing but text that needs no escape between them, and no reference but those that are written.
fn is_well_formed(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") else {
        return false;
    };
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    while let Some(at) = rest.find('<') {
        let (between, after) = rest.split_at(at);
        let plain = ["&amp;", "&lt;", "&gt;", "&quot;", "&#13;"]
            .iter()
            .fold(between.to_owned(), |text, reference| text.replace(reference, ""));
        if plain.contains(['&', '>', '"', '\r']) || (open.is_empty() && !plain.trim().is_empty()) {
            return false;
        }
        let Some((tag, behind)) = after[1..].split_once('>') else { return false };
        rest = behind;
        match (tag.strip_prefix('/'), tag.strip_suffix('/')) {
            (Some(name), _) if open.pop() != Some(name) => return false,
            (Some(_), _) => {}
            (None, empty) => {
                roots += usize::from(open.is_empty());
                let name = empty.unwrap_or(tag);
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                    return false;
                }
                open.extend((empty.is_none()).then_some(name));
            }
        }
    }
    open.is_empty() && roots == 1 && rest == "\n"
}

#[test]
fn samples_are_well_formed_and_others_are_not() {
    assert!(is_well_formed(&vector("k-ust")) && is_well_formed(&vector("special-characters")));
    for bad in ["<a>", "<a></b>", "<a>&</a>", "<a/><b/>", "x", "<a>\"</a>"] {
        assert!(!is_well_formed(&format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{bad}\n")), "{bad}");
    }
}

fn any_text() -> impl Strategy<Value = Text> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..20).prop_map(Text::from);
    prop_oneof![4 => "\\PC{0,20}".prop_map(Text::from), 1 => "[<>&\"'\r\n\t ]{0,20}".prop_map(Text::from), 1 => bytes]
}

proptest! {
    /// Whatever is wanted: either it is refused for its text, or the text is well-formed.
    #[test]
    fn what_is_written_can_be_read(
        names in proptest::collection::vec(any_text(), 0..6),
        session in "\\PC{0,20}",
        contexts in proptest::collection::vec((any_text(), any_text()), 0..3),
        expression in proptest::option::of(any_text()),
        level in any::<i32>(),
        active in any::<bool>(),
    ) {
        let filter = expression.map(|expression| Filter { expression, ..filter("").unwrap() });
        let readable = |text: &Text| std::str::from_utf8(text.as_bytes()).is_ok_and(|text| {
            text.chars().all(|char| matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..))
        });
        let mut texts: Vec<Text> = names.clone();
        texts.extend(contexts.iter().flat_map(|(provider, name)| [provider.clone(), name.clone()]));
        texts.extend(names.first().and(filter.as_ref()).map(|filter| filter.expression.clone()));
        let rules = names.iter().map(|name| EventRule {
            name: name.clone(),
            levels: LogLevels::AtLeast(level),
            filter: filter.clone(),
            exclusions: names.clone(),
            ..rule("")
        });
        let contexts = contexts.into_iter().map(|(provider, name)| Context::App { provider, name }).collect();
        let channel = Channel { contexts, ..channel("c", rules.collect()) };
        let session = Wanted { ust: ust(vec![channel]), ..local(&session, "/t") };
        // Rules about the tracepoints of loggers are not written.
        let reserved = names.iter().any(crate::model::rule::is_reserved);
        match save(&session, active) {
            Ok(text) => prop_assert!(is_well_formed(&text) && (reserved || texts.iter().all(readable))),
            Err(why) => prop_assert!(why == Unsavable::Text && !texts.iter().all(readable)),
        }
    }
}
