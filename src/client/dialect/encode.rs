// SPDX-License-Identifier: GPL-2.0-only
//! From what came of a command to what 2.13 says of it.

use std::collections::BTreeSet;
use std::rc::Rc;

use lttng_protocol::Writer;
use lttng_protocol::agent::Names;
use lttng_protocol::client::{
    self, ArchiveLocation, BufferType, ChannelOutput, Destination, DomainEntry, ErrorCode, Event, EventField,
    FieldType, Instrumentation, KernelProbe, NetworkOutput, Overwrite, ProbeLocation, Reply, RotationInfo,
    RotationSchedules, SYMBOL_LEN, SessionDescriptor, SessionOutput, StreamType, Uri,
};

use lttng_protocol::trigger::{ErrorResult, Trigger};

use super::Tag;
use crate::model::tracker::{Policy, Value};
use crate::model::{
    Address, Attributes, BufferingScheme, Domain, Endpoint, EventRule, KernelRule, KernelRuleKind, LogLevels,
    LoggerRule, Output, ProbePlace, ProgramPlace, RotationState, RuleKind, SessionKind, SnapshotOutput,
    Transfer,
};
use crate::operation::answer::{Answer, AnyChannel, CreatedOutput, ListedChannel, ListedSession};
use crate::text::Text;
use crate::turn::output::{SharedFd, Supply};
use crate::ust::listing::Entries;

/// Bytes of a long reply that are made at once.
const PIECE: usize = 32 << 10;

/// What follows the first bytes of a reply.
#[derive(Debug)]
pub enum Follows {
    Nothing,
    /// The rest of its bytes.
    Bytes(Rest),
    /// Descriptors, on a byte of their own.
    Descriptors(Vec<SharedFd>),
}

impl Follows {
    /// Bytes of the reply that it has.
    pub fn length(&self) -> usize {
        match self {
            Follows::Bytes(rest) => rest.length,
            Follows::Nothing | Follows::Descriptors(_) => 0,
        }
    }
}

/// Bytes that follow the first ones.
#[derive(Debug)]
pub struct Rest {
    /// Bytes that it makes in all.
    pub length: usize,
    /// Bytes of memory that it takes.
    pub held: u64,
    /// Where they come from.
    pub supply: Box<dyn Supply>,
}

/// A reply, and what follows it.
pub(super) fn reply(tag: Tag, result: Result<Answer, ErrorCode>) -> (Reply, Follows) {
    let with_code = |code| {
        let (header, payload) = (None, Vec::new());
        Reply { command: tag.command, code, pid: tag.word, header, payload, fd_count: 0 }
    };
    let ok = with_code(ErrorCode::Ok);
    let reply = match result {
        Err(code) => with_code(code),
        Ok(Answer::Done) => ok,
        Ok(Answer::DataPending(pending)) => ok.with_payload(vec![pending.into()]),
        Ok(Answer::Entries(entries)) => return long_listing(ok, entries),
        Ok(Answer::Loggers(listed)) => return loggers(ok, listed),
        Ok(Answer::Channels(channels)) => {
            let channels: Vec<_> = channels.into_iter().map(channel).collect();
            ok.with_list(&channels, client::Channel::encode)
        }
        Ok(Answer::RotationBegun(chunk)) => ok.with_rotation(chunk),
        Ok(Answer::Rotation(state, place)) => {
            let info =
                RotationInfo { state: rotation_state(state), location: place.map(ArchiveLocation::from) };
            ok.with_payload(info.encode())
        }
        Ok(Answer::Cleared) => Reply { pid: Reply::DEFERRED_PID, ..ok },
        Ok(Answer::Destroyed { trouble, rotation, location: place }) => {
            let code = trouble.map_or(ErrorCode::Ok, ErrorCode::from);
            let reply = Reply { pid: Reply::DEFERRED_PID, ..with_code(code) };
            let place = place.map(|place| ArchiveLocation::from(place).encode()).unwrap_or_default();
            reply.with_rotation_state(rotation_state(rotation)).with_payload(place)
        }
        Ok(Answer::Sessions(sessions)) => {
            let sessions: Vec<_> = sessions.into_iter().map(session).collect();
            ok.with_payload(client::Session::encode_list(&sessions))
        }
        Ok(Answer::Domains(domains)) => {
            let domains: Vec<_> = domains.into_iter().map(domain_entry).collect();
            ok.with_payload(DomainEntry::encode_list(&domains))
        }
        Ok(Answer::EventRules(rules)) => {
            let rules: Vec<_> = rules.iter().map(rule).collect();
            ok.with_list(&rules, Event::encode)
        }
        Ok(Answer::LoggerRules(rules)) => {
            let rules: Vec<_> = rules.into_iter().map(logger_rule).collect();
            ok.with_list(&rules, Event::encode)
        }
        Ok(Answer::KernelRules(rules)) => return kernel_rules(ok, rules),
        Ok(Answer::KernelTracepoints(names)) => {
            let tracepoints: Vec<_> =
                names.into_iter().map(|name| Event::tracepoint(fitting(name))).collect();
            ok.with_list(&tracepoints, Event::encode)
        }
        Ok(Answer::Syscalls(syscalls)) => {
            let syscalls: Vec<_> = syscalls.into_iter().map(syscall).collect();
            ok.with_list(&syscalls, Event::encode)
        }
        Ok(Answer::Created { kind, name, output }) => {
            let mut writer = Writer::default();
            descriptor(kind, name, output).encode(&mut writer);
            ok.with_payload(writer.into_bytes())
        }
        Ok(Answer::Schedules(schedules)) => {
            let (periodic, size) = (schedules.periodic, schedules.size);
            ok.with_payload(RotationSchedules { periodic, size }.encode())
        }
        Ok(Answer::SnapshotOutput(number)) => ok.with_snapshot_output(number),
        Ok(Answer::SnapshotOutputs(outputs)) => {
            let outputs: Vec<_> = outputs.into_iter().map(snapshot).collect();
            ok.with_payload(client::SnapshotOutput::encode_list(&outputs))
        }
        Ok(Answer::TrackerPolicy(policy)) => {
            let number: u32 = match policy {
                Policy::IncludeAll => 0,
                Policy::ExcludeAll => 1,
                Policy::IncludeSet => 2,
            };
            ok.with_payload(number.to_ne_bytes().to_vec())
        }
        Ok(Answer::Trigger(trigger, program)) => {
            return with_programs(ok.with_payload(trigger.encode_payload()), program.into_iter().collect());
        }
        Ok(Answer::Triggers(listed)) => {
            let (triggers, programs): (Vec<_>, Vec<_>) = listed.into_iter().unzip();
            let reply = ok.with_payload(Trigger::encode_list(&triggers));
            return with_programs(reply, programs.into_iter().flatten().collect());
        }
        Ok(Answer::Errors(errors)) => ok.with_payload(ErrorResult::encode_list(&errors)),
        Ok(Answer::TrackerValues(values)) => {
            let values: Vec<_> = values.into_iter().map(value).collect();
            ok.with_payload(client::TrackerValue::encode_list(&values))
        }
    };
    (reply, Follows::Nothing)
}

fn session(session: ListedSession) -> client::Session {
    client::Session {
        name: session.name,
        path: session.output,
        active: session.active,
        snapshot_mode: session.snapshot,
        live_timer: session.live_timer,
        created: session.created.max(0).cast_unsigned(),
    }
}

fn domain_entry((domain, scheme): (Domain, Option<BufferingScheme>)) -> DomainEntry {
    let domain = match domain {
        Domain::Kernel => client::Domain::Kernel,
        Domain::UserSpace => client::Domain::Ust,
        Domain::Jul => client::Domain::Jul,
        Domain::Log4j => client::Domain::Log4j,
        Domain::Python => client::Domain::Python,
    };
    let buffer_type = match scheme {
        None => BufferType::Global,
        Some(BufferingScheme::PerUser) => BufferType::PerUid,
        Some(BufferingScheme::PerProcess) => BufferType::PerPid,
    };
    DomainEntry { domain, buffer_type }
}

fn channel(ListedChannel { channel, losses }: ListedChannel) -> client::Channel {
    match channel {
        AnyChannel::UserSpace(channel) => {
            let listed = with_attributes(channel.name, channel.attributes, losses);
            client::Channel { enabled: channel.enabled, ..listed }
        }
        AnyChannel::Kernel(channel) => client::Channel {
            enabled: channel.listed_enabled,
            live_timer: channel.live_timer,
            output: match channel.transfer {
                Transfer::Splice => ChannelOutput::Splice,
                Transfer::Mmap => ChannelOutput::Mmap,
            },
            ..with_attributes(channel.name, channel.attributes, losses)
        },
    }
}

/// What channels of both kinds have; as if it were one of user space that is disabled.
fn with_attributes(name: String, attributes: Attributes, losses: u64) -> client::Channel {
    let (discarded_events, lost_packets) = if attributes.overwrite { (0, losses) } else { (losses, 0) };
    client::Channel {
        name,
        enabled: false,
        overwrite: if attributes.overwrite { Overwrite::Overwrite } else { Overwrite::Discard },
        subbuf_size: attributes.subbuf_size,
        num_subbuf: attributes.num_subbuf,
        switch_timer: attributes.switch_timer,
        read_timer: attributes.read_timer,
        output: ChannelOutput::Mmap,
        tracefile_size: attributes.tracefile_size,
        tracefile_count: attributes.tracefile_count,
        live_timer: 0,
        discarded_events,
        lost_packets,
        monitor_timer: attributes.monitor_timer,
        blocking_timeout: attributes.blocking_timeout,
    }
}

/// The log levels of a rule; `every` is the level of one about all of them.
fn levels(levels: LogLevels, every: i32) -> (i8, i32) {
    match levels {
        LogLevels::All => (0, every),
        LogLevels::AtLeast(level) => (1, level),
        LogLevels::Exactly(level) => (2, level),
    }
}

fn logger_rule(rule: LoggerRule) -> Event {
    let (loglevel_type, loglevel) = levels(rule.levels, rule.level);
    let filter = rule.filter.map(|filter| filter.expression);
    Event { loglevel_type, loglevel, enabled: rule.enabled.into(), filter, ..Event::tracepoint(rule.name) }
}

fn rule(rule: &EventRule) -> Event {
    let (loglevel_type, loglevel) = levels(rule.levels, -1);
    // Where it would be in a kernel was not kept.
    let nowhere = || KernelProbe { address: 0, offset: 0, symbol: String::new() };
    let instrumentation = match rule.kind {
        RuleKind::Tracepoint => Instrumentation::Tracepoint,
        RuleKind::Probe => Instrumentation::Probe(nowhere()),
        RuleKind::Function | RuleKind::FunctionEntry => Instrumentation::Function(nowhere()),
    };
    Event {
        instrumentation,
        loglevel_type,
        loglevel,
        enabled: rule.enabled.into(),
        exclusions: rule.exclusions.clone(),
        filter: rule.filter.as_ref().map(|filter| filter.expression.clone()),
        ..Event::tracepoint(rule.name.clone())
    }
}

/// The rules of a kernel channel. Each probe in a program goes with a descriptor of that, without which there is no way to
/// say where it sits.
fn kernel_rules(ok: Reply, rules: Vec<(KernelRule, Option<SharedFd>)>) -> (Reply, Follows) {
    let events: Vec<_> = rules.iter().map(|(rule, binary)| kernel_rule(rule, binary.is_some())).collect();
    let travels = |(rule, binary): (KernelRule, Option<SharedFd>)| {
        binary.filter(|_| matches!(rule.kind, KernelRuleKind::UserspaceProbe { .. }))
    };
    let descriptors: Vec<SharedFd> = rules.into_iter().filter_map(travels).collect();
    with_programs(ok.with_list(&events, Event::encode), descriptors)
}

/// A reply and the programs that probes in it are in.
fn with_programs(reply: Reply, descriptors: Vec<SharedFd>) -> (Reply, Follows) {
    let fd_count = u32::try_from(descriptors.len()).unwrap_or(u32::MAX);
    let follows = if descriptors.is_empty() { Follows::Nothing } else { Follows::Descriptors(descriptors) };
    (Reply { fd_count, ..reply }, follows)
}

fn kernel_rule(rule: &KernelRule, has_binary: bool) -> Event {
    let instrumentation = match &rule.kind {
        KernelRuleKind::Tracepoint => Instrumentation::Tracepoint,
        KernelRuleKind::Syscall => Instrumentation::Syscall,
        KernelRuleKind::Probe(place) => Instrumentation::Probe(probe(place)),
        KernelRuleKind::Function(place) => Instrumentation::Function(probe(place)),
        KernelRuleKind::UserspaceProbe { place, .. } if has_binary => {
            Instrumentation::UserspaceProbe(location(place.clone()))
        }
        KernelRuleKind::UserspaceProbe { .. } => Instrumentation::Noop,
    };
    Event {
        instrumentation,
        enabled: rule.enabled.into(),
        filter: rule.filter.as_ref().map(|filter| filter.expression.clone()),
        ..Event::tracepoint(rule.name.clone())
    }
}

/// An address is said twice, as stock clients do.
fn probe(place: &ProbePlace) -> KernelProbe {
    let ProbePlace { symbol, address, offset } = place;
    let offset = if symbol.is_empty() && *offset == 0 { *address } else { *offset };
    KernelProbe { address: *address, offset, symbol: symbol.clone() }
}

fn location(place: ProgramPlace) -> ProbeLocation {
    match place {
        ProgramPlace::Function { binary, function } => {
            ProbeLocation::Function { function, binary, elf: true }
        }
        ProgramPlace::Tracepoint { binary, provider, probe } => {
            ProbeLocation::Tracepoint { probe, provider, binary }
        }
    }
}

fn syscall((name, flags): (Text, u32)) -> Event {
    Event { instrumentation: Instrumentation::Syscall, flags, ..Event::tracepoint(fitting(name)) }
}

/// A name of the kernel, cut to what clients take.
fn fitting(name: Text) -> Text {
    match name.as_bytes().get(..SYMBOL_LEN - 1) {
        Some(beginning) => beginning.into(),
        None => name,
    }
}

fn descriptor(kind: SessionKind, name: String, output: CreatedOutput) -> SessionDescriptor {
    let kind = match kind {
        SessionKind::Regular => client::SessionKind::Regular,
        SessionKind::Snapshot => client::SessionKind::Snapshot,
        SessionKind::Live { timer } => client::SessionKind::Live { timer },
    };
    let output = match output {
        CreatedOutput::None => SessionOutput::None,
        CreatedOutput::Local(path) => SessionOutput::Local(Some(path)),
        CreatedOutput::Network(network) => SessionOutput::Network(Some(Box::new(NetworkOutput {
            control: uri(network.control, StreamType::Control),
            data: uri(network.data, StreamType::Data),
        }))),
    };
    SessionDescriptor { kind, name: Some(name), output }
}

fn uri(endpoint: Endpoint, stream: StreamType) -> Uri {
    let Endpoint { address, port, subdir } = endpoint;
    let destination = match address {
        Address::Ipv4(address) => Destination::Ipv4(address),
        Address::Ipv6(address) => Destination::Ipv6(address),
    };
    Uri { destination, stream, port, subdir }
}

fn snapshot(output: SnapshotOutput) -> client::SnapshotOutput {
    let url = |end: &Option<Endpoint>| end.as_ref().map(Endpoint::to_url).unwrap_or_default();
    let (control_url, data_url) = match &output.output {
        Output::None => (String::new(), String::new()),
        Output::Local(path) => (path.clone(), String::new()),
        Output::Network { control, data } => (url(control), url(data)),
    };
    let (id, name, max_size) = (output.id, output.name, Some(output.max_size));
    client::SnapshotOutput { id, max_size, name, control_url, data_url }
}

fn value(value: Value) -> client::TrackerValue {
    match value {
        Value::Pid(pid) => client::TrackerValue::Pid(pid),
        Value::Uid(uid) => client::TrackerValue::Uid(uid),
        Value::UserName(name) => client::TrackerValue::UserName(name),
        Value::Gid(gid) => client::TrackerValue::Gid(gid),
        Value::GroupName(name) => client::TrackerValue::GroupName(name),
    }
}

fn rotation_state(state: RotationState) -> client::RotationState {
    match state {
        RotationState::Error => client::RotationState::Error,
        RotationState::NoRotation => client::RotationState::NoRotation,
        RotationState::Ongoing => client::RotationState::Ongoing,
        RotationState::Completed => client::RotationState::Completed,
        RotationState::Expired => client::RotationState::Expired,
    }
}

/// The tracepoints of many applications, or their fields, are a long list: it is never there as a whole.
fn long_listing(ok: Reply, listed: Vec<(i32, Rc<Entries>)>) -> (Reply, Follows) {
    let (mut count, mut length, mut held) = (0u32, 0usize, 0u64);
    let mut known = BTreeSet::new();
    let mut writer = Writer::default();
    for (pid, entries) in &listed {
        count = count.saturating_add(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        for at in 0..entries.len() {
            encode_entry(entries, at, *pid, &mut writer);
            if writer.len() >= PIECE {
                length = length.saturating_add(std::mem::take(&mut writer).len());
            }
        }
        // What several applications list is there once.
        if known.insert(Rc::as_ptr(entries)) {
            held = held.saturating_add(entries.held());
        }
    }
    length = length.saturating_add(writer.len());
    let supply = Box::new(ListSupply { listed: listed.into_iter(), current: None });
    (ok.with_count(count), Follows::Bytes(Rest { length, held, supply }))
}

/// A long list, made while it is sent.
#[derive(Debug)]
struct ListSupply {
    listed: std::vec::IntoIter<(i32, Rc<Entries>)>,
    /// Whose entries are sent, and the next one.
    current: Option<(i32, Rc<Entries>, usize)>,
}

impl Supply for ListSupply {
    fn next_piece(&mut self) -> Option<Vec<u8>> {
        let mut writer = Writer::default();
        while writer.len() < PIECE {
            let (pid, entries, at) = match self.current.take() {
                Some(current) => current,
                None => match self.listed.next() {
                    Some((pid, entries)) => (pid, entries, 0),
                    None => break,
                },
            };
            if at < entries.len() {
                encode_entry(&entries, at, pid, &mut writer);
                self.current = Some((pid, entries, at.saturating_add(1)));
            }
        }
        Some(writer.into_bytes()).filter(|bytes| !bytes.is_empty())
    }
}

/// The loggers of many programs are a long list, too. Those with names that are too long for it were left out.
fn loggers(ok: Reply, listed: Vec<(i32, Names)>) -> (Reply, Follows) {
    let mut nameless = Writer::default();
    Event::tracepoint("").encode(&mut nameless);
    let (mut count, mut length, mut held) = (0_u32, 0_usize, 0_u64);
    for (_, names) in &listed {
        held = held.saturating_add(names.held() as u64);
        for name in names.iter() {
            count = count.saturating_add(1);
            length = length.saturating_add(nameless.len()).saturating_add(name.len());
        }
    }
    let supply = Box::new(LoggerSupply { listed: listed.into_iter(), current: None });
    (ok.with_count(count), Follows::Bytes(Rest { length, held, supply }))
}

/// A list of loggers, made while it is sent.
#[derive(Debug)]
struct LoggerSupply {
    listed: std::vec::IntoIter<(i32, Names)>,
    /// Whose names are sent, and where the next one is.
    current: Option<(i32, Names, usize)>,
}

impl Supply for LoggerSupply {
    fn next_piece(&mut self) -> Option<Vec<u8>> {
        let mut writer = Writer::default();
        while writer.len() < PIECE {
            let next = || self.listed.next().map(|(pid, names)| (pid, names, 0));
            let Some((pid, names, at)) = self.current.take().or_else(next) else { break };
            if let Some((name, next)) = names.at(at) {
                Event { pid, ..Event::tracepoint(name) }.encode(&mut writer);
                self.current = Some((pid, names, next));
            }
        }
        Some(writer.into_bytes()).filter(|bytes| !bytes.is_empty())
    }
}

fn encode_entry(entries: &Entries, at: usize, pid: i32, writer: &mut Writer) {
    let event = |name: &Text, loglevel| Event { loglevel, pid, ..Event::tracepoint(name.clone()) };
    if let Some(entry) = entries.tracepoints.get(at) {
        event(&entry.name, entry.loglevel).encode(writer);
    }
    if let Some(entry) = entries.fields.get(at) {
        let number = u8::try_from(entry.field_type).ok();
        let field = EventField {
            field_type: number.and_then(FieldType::from_number).unwrap_or(FieldType::Other),
            nowrite: entry.nowrite,
            name: entry.field_name.clone(),
            event: event(&entry.event_name, entry.loglevel),
        };
        field.encode(writer);
    }
}
