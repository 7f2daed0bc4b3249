// SPDX-License-Identifier: GPL-2.0-only
//! What is wanted, in the tracer's words.

use lttng_protocol::client::ChannelOutput;
use lttng_protocol::kernel as wire;
use lttng_protocol::trigger::EmissionSite;
use wire::{Instrumentation, PlainContext};

use crate::model::kernel::{
    KernelChannel, KernelContext, KernelRule, KernelRuleKind, ProbePlace, ProcessAttribute, Transfer,
};

/// A process attribute.
pub fn attribute(attribute: ProcessAttribute) -> wire::ProcessAttribute {
    match attribute {
        ProcessAttribute::Pid => wire::ProcessAttribute::Pid,
        ProcessAttribute::Vpid => wire::ProcessAttribute::Vpid,
        ProcessAttribute::Uid => wire::ProcessAttribute::Uid,
        ProcessAttribute::Vuid => wire::ProcessAttribute::Vuid,
        ProcessAttribute::Gid => wire::ProcessAttribute::Gid,
        ProcessAttribute::Vgid => wire::ProcessAttribute::Vgid,
    }
}

/// A channel. What the consumer daemon does with its data is not the tracer's business.
pub fn channel(channel: &KernelChannel) -> wire::Channel {
    let attributes = &channel.attributes;
    wire::Channel {
        subbuf_size: attributes.subbuf_size,
        num_subbuf: attributes.num_subbuf,
        switch_timer: attributes.switch_timer,
        read_timer: attributes.read_timer,
        output: match channel.transfer {
            Transfer::Splice => ChannelOutput::Splice,
            Transfer::Mmap => ChannelOutput::Mmap,
        },
        overwrite: attributes.overwrite,
    }
}

/// An event rule of a channel.
pub fn rule(rule: &KernelRule) -> wire::Event {
    let instrumentation = match &rule.kind {
        KernelRuleKind::Tracepoint => Instrumentation::Tracepoint,
        KernelRuleKind::Syscall => Instrumentation::Syscall(EmissionSite::EntryExit),
        KernelRuleKind::Probe(place) => Instrumentation::Kprobe(probe(place)),
        KernelRuleKind::Function(place) => Instrumentation::Kretprobe(probe(place)),
        // The helper puts its own number of the descriptor there.
        KernelRuleKind::UserspaceProbe { .. } => Instrumentation::Uprobe { descriptor: -1 },
    };
    wire::Event { name: rule.name.clone(), instrumentation, token: 0 }
}

fn probe(place: &ProbePlace) -> wire::Probe {
    wire::Probe { address: place.address, offset: place.offset, symbol: place.symbol.as_str().into() }
}

/// A context.
pub fn context(context: &KernelContext) -> wire::Context {
    let plain = match context {
        KernelContext::Perf { kind, config, name } => {
            return wire::Context::Perf { kind: *kind, config: *config, name: name.clone() };
        }
        KernelContext::Pid => PlainContext::Pid,
        KernelContext::Procname => PlainContext::Procname,
        KernelContext::Prio => PlainContext::Prio,
        KernelContext::Nice => PlainContext::Nice,
        KernelContext::Vpid => PlainContext::Vpid,
        KernelContext::Tid => PlainContext::Tid,
        KernelContext::Vtid => PlainContext::Vtid,
        KernelContext::Ppid => PlainContext::Ppid,
        KernelContext::Vppid => PlainContext::Vppid,
        KernelContext::Hostname => PlainContext::Hostname,
        KernelContext::Interruptible => PlainContext::Interruptible,
        KernelContext::Preemptible => PlainContext::Preemptible,
        KernelContext::NeedReschedule => PlainContext::NeedReschedule,
        KernelContext::Migratable => PlainContext::Migratable,
        KernelContext::CallstackKernel => PlainContext::CallstackKernel,
        KernelContext::CallstackUser => PlainContext::CallstackUser,
        KernelContext::CgroupNs => PlainContext::CgroupNs,
        KernelContext::IpcNs => PlainContext::IpcNs,
        KernelContext::MntNs => PlainContext::MntNs,
        KernelContext::NetNs => PlainContext::NetNs,
        KernelContext::PidNs => PlainContext::PidNs,
        KernelContext::UserNs => PlainContext::UserNs,
        KernelContext::UtsNs => PlainContext::UtsNs,
        KernelContext::TimeNs => PlainContext::TimeNs,
        KernelContext::Uid => PlainContext::Uid,
        KernelContext::Euid => PlainContext::Euid,
        KernelContext::Suid => PlainContext::Suid,
        KernelContext::Gid => PlainContext::Gid,
        KernelContext::Egid => PlainContext::Egid,
        KernelContext::Sgid => PlainContext::Sgid,
        KernelContext::Vuid => PlainContext::Vuid,
        KernelContext::Veuid => PlainContext::Veuid,
        KernelContext::Vsuid => PlainContext::Vsuid,
        KernelContext::Vgid => PlainContext::Vgid,
        KernelContext::Vegid => PlainContext::Vegid,
        KernelContext::Vsgid => PlainContext::Vsgid,
    };
    wire::Context::Plain(plain)
}
