// SPDX-License-Identifier: GPL-2.0-only
//! From what 2.13 carries on the wire to what is asked for.
//!
//! Nothing is refused here that the command's own function refuses: the order of refusals is part of the interface. A
//! number without a meaning becomes `None`.

use lttng_protocol::client::{
    self, Body, BufferType, ChannelOutput, ErrorCode, Event, Header, Instrumentation, KernelProbe,
    LogLevelType, Overwrite, ProbeLocation, SessionDescriptor, SessionOutput,
};

use crate::client::action::{
    AddContext, AskErrors, ChannelName, CreateSession, DisableEvent, EnableChannel, EnableEvent, EventKind,
    RegisterTrigger, RequestedOutput, RotationInfo, SameTrigger, SaveSession, ScheduleKind, SetOutput,
    SetPolicy, SetSchedule, SetShmPath, TrackerOf, TrackerValue,
};
use crate::client::table::Action;
use crate::client::uri::{endpoint, target};
use crate::model::tracker::{Policy, Value};
use crate::model::{
    Attributes, BufferingScheme, Context, Domain, Filter, KernelContext, LogLevels, NetworkOutput,
    ProbePlace, ProcessAttribute, ProgramPlace, SessionKind,
};

/// What a request asks for.
pub(super) fn action(header: &Header, body: Body) -> Result<Action, ErrorCode> {
    let (command, scheme) = (body.command(), scheme(header.buffers()));
    Ok(match body {
        Body::AddContext { channel, context } => {
            let of_kernel = kernel_context(&context);
            Action::AddContext(AddContext { channel, context: self::context(context), of_kernel })
        }
        Body::CreateSession { home, descriptor } => Action::CreateSessionExt(create(home, descriptor)),
        Body::DisableChannel { channel } => Action::DisableChannel(ChannelName(channel)),
        Body::DisableEvent { channel, event } => {
            let kind = kind(event.instrumentation);
            Action::DisableEvent(DisableEvent { channel, name: event.name, kind })
        }
        Body::EnableChannel(channel) => Action::EnableChannel(enable_channel(channel, scheme)),
        Body::EnableEvent { channel, event } => Action::EnableEvent(enable_event(channel, scheme, event)),
        Body::ListEvents { channel } => Action::ListEvents(ChannelName(channel)),
        Body::RotationInfo { id } => Action::RotationGetInfo(RotationInfo(id)),
        Body::SetRotationSchedule { kind, set, value } => {
            let kind = client::ScheduleKind::from_number(kind).map(schedule_kind);
            Action::RotationSetSchedule(SetSchedule { kind, set, value })
        }
        Body::SetConsumerUri { uris } => {
            Action::SetConsumerUri(SetOutput(uris.into_iter().map(target).collect()))
        }
        Body::SnapshotAddOutput(output) => Action::SnapshotAddOutput((*output).into()),
        Body::SnapshotDelOutput(output) => Action::SnapshotDelOutput((*output).into()),
        Body::SnapshotRecord(output) => Action::SnapshotRecord((*output).into()),
        Body::RegisterTrigger { trigger, anonymous } => {
            Action::RegisterTrigger(RegisterTrigger { trigger, anonymous })
        }
        Body::UnregisterTrigger(trigger) => Action::UnregisterTrigger(SameTrigger(trigger)),
        Body::ErrorQuery(query) => Action::ExecuteErrorQuery(AskErrors(query)),
        Body::SaveSession { session, directory, overwrite } => {
            Action::SaveSession(SaveSession { session, directory, overwrite })
        }
        Body::SetShmPath { path } => Action::SetShmPath(SetShmPath(path)),
        Body::TrackerAdd { attribute, value } => Action::TrackerAddValue(tracked(attribute, value)),
        Body::TrackerRemove { attribute, value } => Action::TrackerRemoveValue(tracked(attribute, value)),
        Body::TrackerSet { attribute } => {
            Action::TrackerGetInclusionSet(TrackerOf(self::attribute(attribute)))
        }
        Body::TrackerPolicy { attribute } => Action::TrackerGetPolicy(TrackerOf(self::attribute(attribute))),
        Body::TrackerSetPolicy { attribute, policy } => {
            let attribute = self::attribute(attribute);
            Action::TrackerSetPolicy(SetPolicy { attribute, policy: self::policy(policy) })
        }
        Body::ClearSession
        | Body::DataPending
        | Body::DestroySession
        | Body::ListChannels
        | Body::ListDomains
        | Body::ListSessions
        | Body::ListTracepointFields
        | Body::ListTracepoints
        | Body::ListTriggers
        | Body::ListRotationSchedules
        | Body::RotateSession
        | Body::SnapshotListOutput
        | Body::StartTrace
        | Body::StopTrace
        | Body::RegenerateMetadata
        | Body::RegenerateStatedump
        | Body::Other(_) => Action::plain(command).ok_or(ErrorCode::Und)?,
    })
}

/// The domain.
pub(super) fn domain(domain: client::Domain) -> Option<Domain> {
    Some(match domain {
        client::Domain::Kernel => Domain::Kernel,
        client::Domain::Ust => Domain::UserSpace,
        client::Domain::Jul => Domain::Jul,
        client::Domain::Log4j => Domain::Log4j,
        client::Domain::Python => Domain::Python,
    })
}

fn scheme(buffers: Option<BufferType>) -> Option<BufferingScheme> {
    match buffers? {
        BufferType::PerUid => Some(BufferingScheme::PerUser),
        BufferType::PerPid => Some(BufferingScheme::PerProcess),
        BufferType::Global => None,
    }
}

fn create(home: Option<String>, descriptor: SessionDescriptor) -> CreateSession {
    let SessionDescriptor { kind, name, output } = descriptor;
    let kind = match kind {
        client::SessionKind::Regular => SessionKind::Regular,
        client::SessionKind::Snapshot => SessionKind::Snapshot,
        client::SessionKind::Live { timer } => SessionKind::Live { timer },
    };
    let output = match output {
        SessionOutput::None => RequestedOutput::None,
        SessionOutput::Local(path) => RequestedOutput::Local(path),
        SessionOutput::Network(None) => RequestedOutput::Network(None),
        SessionOutput::Network(Some(network)) => {
            let ends = endpoint(network.control).zip(endpoint(network.data));
            RequestedOutput::Network(ends.map(|(control, data)| Box::new(NetworkOutput { control, data })))
        }
    };
    CreateSession { home, kind, name, output }
}

fn enable_channel(channel: client::Channel, scheme: Option<BufferingScheme>) -> EnableChannel {
    EnableChannel {
        name: channel.name,
        scheme,
        overwrite: match channel.overwrite {
            Overwrite::SessionDefault => None,
            Overwrite::Discard => Some(false),
            Overwrite::Overwrite => Some(true),
        },
        spliced: channel.output != ChannelOutput::Mmap,
        live_timer: channel.live_timer,
        attributes: Attributes {
            overwrite: false,
            subbuf_size: channel.subbuf_size,
            num_subbuf: channel.num_subbuf,
            switch_timer: channel.switch_timer,
            read_timer: channel.read_timer,
            monitor_timer: channel.monitor_timer,
            tracefile_size: channel.tracefile_size,
            tracefile_count: channel.tracefile_count,
            blocking_timeout: channel.blocking_timeout,
        },
    }
}

fn enable_event(channel: String, scheme: Option<BufferingScheme>, event: Event) -> EnableEvent {
    let levels = LogLevelType::from_number(event.loglevel_type).map(|comparison| match comparison {
        LogLevelType::All => LogLevels::All,
        LogLevelType::Range => LogLevels::AtLeast(event.loglevel),
        LogLevelType::Single => LogLevels::Exactly(event.loglevel),
    });
    let filter = event.filter.zip(event.bytecode).map(|(expression, bytecode)| Filter {
        expression,
        bytecode: bytecode.data,
        reloc_offset: bytecode.reloc_offset,
        seqnum: bytecode.seqnum,
    });
    let kind = kind(event.instrumentation);
    let Event { name, loglevel: level, exclusions, .. } = event;
    EnableEvent { channel, scheme, name, kind, levels, level, filter, exclusions }
}

fn kind(instrumentation: Instrumentation) -> EventKind {
    match instrumentation {
        Instrumentation::All => EventKind::All,
        Instrumentation::Tracepoint => EventKind::Tracepoint,
        Instrumentation::Syscall => EventKind::Syscall,
        Instrumentation::Noop => EventKind::Noop,
        Instrumentation::Probe(probe) => EventKind::Probe(probe_place(probe)),
        Instrumentation::Function(probe) => EventKind::Function(probe_place(probe)),
        Instrumentation::FunctionEntry(_) => EventKind::FunctionEntry,
        Instrumentation::UserspaceProbe(location) => match location {
            ProbeLocation::Function { function, binary, elf } => EventKind::UserspaceProbe {
                place: ProgramPlace::Function { binary, function },
                findable: elf,
            },
            ProbeLocation::Tracepoint { probe, provider, binary } => {
                let place = ProgramPlace::Tracepoint { binary, provider, probe };
                EventKind::UserspaceProbe { place, findable: true }
            }
        },
    }
}

/// Stock clients say an address twice, the second time where the offset should be.
fn probe_place(probe: KernelProbe) -> ProbePlace {
    let KernelProbe { address, offset, symbol } = probe;
    let offset = if symbol.is_empty() && offset == address { 0 } else { offset };
    ProbePlace { symbol, address, offset }
}

fn schedule_kind(kind: client::ScheduleKind) -> ScheduleKind {
    match kind {
        client::ScheduleKind::Size => ScheduleKind::Size,
        client::ScheduleKind::Periodic => ScheduleKind::Periodic,
    }
}

/// The process attributes of `enum lttng_process_attr`.
fn attribute(number: i32) -> Option<ProcessAttribute> {
    match number {
        0 => Some(ProcessAttribute::Pid),
        1 => Some(ProcessAttribute::Vpid),
        2 => Some(ProcessAttribute::Uid),
        3 => Some(ProcessAttribute::Vuid),
        4 => Some(ProcessAttribute::Gid),
        5 => Some(ProcessAttribute::Vgid),
        _ => None,
    }
}

fn policy(number: i32) -> Option<Policy> {
    match number {
        0 => Some(Policy::IncludeAll),
        1 => Some(Policy::ExcludeAll),
        2 => Some(Policy::IncludeSet),
        _ => None,
    }
}

fn tracked(attribute: i32, value: client::TrackerValue) -> TrackerValue {
    let value = match value {
        client::TrackerValue::Pid(pid) => Value::Pid(pid),
        client::TrackerValue::Uid(uid) => Value::Uid(uid),
        client::TrackerValue::UserName(name) => Value::UserName(name),
        client::TrackerValue::Gid(gid) => Value::Gid(gid),
        client::TrackerValue::GroupName(name) => Value::GroupName(name),
    };
    TrackerValue { attribute: self::attribute(attribute), value }
}

fn context(wanted: client::Context) -> Option<Context> {
    use client::Context as Wire;
    match wanted {
        Wire::Perf { context_type: Wire::PERF_THREAD_COUNTER, perf_type, config, name } => {
            Some(Context::Perf { kind: perf_type, config, name })
        }
        Wire::Application { provider, name } => Some(Context::App { provider, name }),
        Wire::Plain(number) => plain_context(number),
        Wire::Perf { .. } => None,
    }
}

/// The contexts of `enum lttng_event_context_type` that user space has.
fn plain_context(number: u32) -> Option<Context> {
    Some(match number {
        2 => Context::Procname,
        5 => Context::Vpid,
        7 => Context::Vtid,
        10 => Context::PthreadId,
        12 => Context::Ip,
        22 => Context::CgroupNs,
        23 => Context::IpcNs,
        24 => Context::MntNs,
        25 => Context::NetNs,
        26 => Context::PidNs,
        27 => Context::UserNs,
        28 => Context::UtsNs,
        35 => Context::Vuid,
        36 => Context::Veuid,
        37 => Context::Vsuid,
        38 => Context::Vgid,
        39 => Context::Vegid,
        40 => Context::Vsgid,
        41 => Context::TimeNs,
        _ => return None,
    })
}

fn kernel_context(wanted: &client::Context) -> Option<KernelContext> {
    use client::Context as Wire;
    match wanted {
        Wire::Perf { context_type, perf_type, config, name } => {
            let of_cpu = matches!(*context_type, Wire::PERF_COUNTER | Wire::PERF_CPU_COUNTER);
            let (kind, config) = (*perf_type, *config);
            of_cpu.then(|| KernelContext::Perf { kind, config, name: name.clone() })
        }
        Wire::Application { .. } => None,
        Wire::Plain(number) => plain_kernel_context(*number),
    }
}

/// The contexts of `enum lttng_event_context_type` that the kernel has.
fn plain_kernel_context(number: u32) -> Option<KernelContext> {
    Some(match number {
        0 => KernelContext::Pid,
        2 => KernelContext::Procname,
        3 => KernelContext::Prio,
        4 => KernelContext::Nice,
        5 => KernelContext::Vpid,
        6 => KernelContext::Tid,
        7 => KernelContext::Vtid,
        8 => KernelContext::Ppid,
        9 => KernelContext::Vppid,
        11 => KernelContext::Hostname,
        16 => KernelContext::Interruptible,
        17 => KernelContext::Preemptible,
        18 => KernelContext::NeedReschedule,
        19 => KernelContext::Migratable,
        20 => KernelContext::CallstackKernel,
        21 => KernelContext::CallstackUser,
        22 => KernelContext::CgroupNs,
        23 => KernelContext::IpcNs,
        24 => KernelContext::MntNs,
        25 => KernelContext::NetNs,
        26 => KernelContext::PidNs,
        27 => KernelContext::UserNs,
        28 => KernelContext::UtsNs,
        29 => KernelContext::Uid,
        30 => KernelContext::Euid,
        31 => KernelContext::Suid,
        32 => KernelContext::Gid,
        33 => KernelContext::Egid,
        34 => KernelContext::Sgid,
        35 => KernelContext::Vuid,
        36 => KernelContext::Veuid,
        37 => KernelContext::Vsuid,
        38 => KernelContext::Vgid,
        39 => KernelContext::Vegid,
        40 => KernelContext::Vsgid,
        41 => KernelContext::TimeNs,
        _ => return None,
    })
}
