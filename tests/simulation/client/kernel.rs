// SPDX-License-Identifier: GPL-2.0-only
//! Requests about the kernel.

use lttng_protocol::client::{KernelProbe, ProbeLocation};

use super::*;

fn kernel(session: &str, body: &Body) -> Request {
    let (header, payload) = body.encode(session, Domain::Kernel.number(), BufferType::Global.number());
    Request { header, payload }
}

pub fn channel(name: &str) -> Channel {
    Channel { read_timer: 200_000, output: ChannelOutput::Splice, ..super::channel(name) }
}

pub fn enable_channel(session: &str, name: &str) -> Request {
    enable_this_channel(session, channel(name))
}

pub fn enable_this_channel(session: &str, channel: Channel) -> Request {
    kernel(session, &Body::EnableChannel(channel))
}

pub fn disable_channel(session: &str, name: &str) -> Request {
    kernel(session, &Body::DisableChannel { channel: name.to_owned() })
}

pub fn add_context(session: &str, channel: &str, context: u32) -> Request {
    kernel(session, &Body::AddContext { channel: channel.to_owned(), context: Context::Plain(context) })
}

pub fn enable_event(session: &str, channel: &str, event: Event) -> Request {
    kernel(session, &Body::EnableEvent { channel: channel.to_owned(), event })
}

pub fn disable_event(session: &str, channel: &str, name: &str) -> Request {
    let event = Event { instrumentation: Instrumentation::All, loglevel: -1, ..rule(name) };
    kernel(session, &Body::DisableEvent { channel: channel.to_owned(), event })
}

/// A kprobe.
pub fn probe(name: &str) -> Event {
    let probe = KernelProbe { address: 0, offset: 0, symbol: "schedule".into() };
    Event { instrumentation: Instrumentation::Probe(probe), ..rule(name) }
}

/// A probe in a program, whose descriptor follows.
pub fn uprobe(name: &str) -> Event {
    let location =
        ProbeLocation::Function { function: "main".into(), binary: "/bin/program".into(), elf: true };
    Event { instrumentation: Instrumentation::UserspaceProbe(location), ..rule(name) }
}

/// Everything: tracepoints and system calls.
pub fn all() -> Event {
    Event { instrumentation: Instrumentation::All, ..rule("*") }
}

pub fn list_channels(session: &str) -> Request {
    kernel(session, &Body::ListChannels)
}

pub fn list_rules(session: &str, channel: &str) -> Request {
    kernel(session, &Body::ListEvents { channel: channel.to_owned() })
}

pub fn list_tracepoints() -> Request {
    kernel("", &Body::ListTracepoints)
}

pub fn list_syscalls() -> Request {
    bare(Command::ListSyscalls.number(), "", Domain::Kernel.number())
}

pub fn regenerate_metadata(session: &str) -> Request {
    super::request(session, None, &Body::RegenerateMetadata)
}

pub fn regenerate_statedump(session: &str) -> Request {
    super::request(session, None, &Body::RegenerateStatedump)
}

/// `LTTNG_PROCESS_ATTR_PROCESS_ID`.
const PROCESS_ID: i32 = 0;

pub fn set_policy(session: &str, policy: i32) -> Request {
    kernel(session, &Body::TrackerSetPolicy { attribute: PROCESS_ID, policy })
}

pub fn track(session: &str, pid: i32) -> Request {
    kernel(session, &Body::TrackerAdd { attribute: PROCESS_ID, value: TrackerValue::Pid(pid.into()) })
}

pub fn untrack(session: &str, pid: i32) -> Request {
    kernel(session, &Body::TrackerRemove { attribute: PROCESS_ID, value: TrackerValue::Pid(pid.into()) })
}

pub fn tracked(session: &str) -> Request {
    kernel(session, &Body::TrackerSet { attribute: PROCESS_ID })
}
