// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's part of a session's configuration. Its channels and rules are written newest first, as the original does,
//! and must be loaded in any order: none depends on another.

use super::context::name_in_kernel;
use super::save::{begin_channel, begin_rule, contexts, filter, perf, plain_context, trackers};
use super::save_text::Document;
use crate::model::kernel::{KernelRule, KernelTrackers};
use crate::model::{
    KernelChannel, KernelContext, KernelDomain, KernelRuleKind, ProbePlace, ProgramPlace, Transfer,
};

/// What is in the element of the domain.
pub fn domain(document: &mut Document, kernel: &KernelDomain, live_timer: u64) {
    document.text("type", "KERNEL");
    document.text("buffer_type", "GLOBAL");
    document.element("channels", |document| {
        kernel.channels.iter().rev().for_each(|channel| self::channel(document, channel, live_timer));
    });
    let KernelTrackers { pid, vpid, uid, vuid, gid, vgid } = &kernel.trackers;
    let all = [("pid", pid), ("vpid", vpid), ("uid", uid), ("vuid", vuid), ("gid", gid), ("vgid", vgid)];
    trackers(document, &all);
}

fn channel(document: &mut Document, channel: &KernelChannel, live_timer: u64) {
    document.element("channel", |document| {
        let attributes = &channel.attributes;
        let transfer = match channel.transfer {
            Transfer::Splice => "SPLICE",
            Transfer::Mmap => "MMAP",
        };
        begin_channel(document, &channel.name, channel.enabled, attributes, transfer);
        document.value("tracefile_size", attributes.tracefile_size);
        document.value("tracefile_count", attributes.tracefile_count);
        document.value("live_timer_interval", live_timer);
        document.value("monitor_timer_interval", attributes.monitor_timer);
        document.value("blocking_timeout", attributes.blocking_timeout);
        document.element("events", |document| {
            channel.rules.iter().rev().for_each(|rule| event_rule(document, rule));
        });
        if !channel.contexts.is_empty() {
            contexts(document, &channel.contexts, context);
        }
    });
}

fn event_rule(document: &mut Document, rule: &KernelRule) {
    let kind = match &rule.kind {
        KernelRuleKind::Tracepoint => "TRACEPOINT",
        KernelRuleKind::Syscall => "SYSCALL",
        KernelRuleKind::Probe(_) => "PROBE",
        KernelRuleKind::Function(_) => "FUNCTION",
        KernelRuleKind::UserspaceProbe { .. } => "USERSPACE_PROBE",
    };
    document.element("event", |document| {
        begin_rule(document, &rule.name, rule.enabled, kind);
        filter(document, rule.filter.as_ref());
        if rule.kind.is_probe() {
            document.element("attributes", |document| place(document, &rule.kind));
        }
    });
}

/// Where a probe sits.
fn place(document: &mut Document, kind: &KernelRuleKind) {
    match kind {
        KernelRuleKind::Tracepoint | KernelRuleKind::Syscall => {}
        KernelRuleKind::Probe(place) | KernelRuleKind::Function(place) => {
            document.element("probe_attributes", |document| probe(document, place));
        }
        KernelRuleKind::UserspaceProbe { place: ProgramPlace::Function { binary, function }, .. } => {
            document.element("userspace_probe_function_attributes", |document| {
                document.text("lookup_method", "ELF");
                document.text("binary_path", binary);
                document.text("function_name", function);
            });
        }
        KernelRuleKind::UserspaceProbe {
            place: ProgramPlace::Tracepoint { binary, provider, probe },
            ..
        } => {
            document.element("userspace_probe_tracepoint_attributes", |document| {
                document.text("lookup_method", "SDT");
                document.text("binary_path", binary);
                document.text("provider_name", provider);
                document.text("probe_name", probe);
            });
        }
    }
}

fn probe(document: &mut Document, place: &ProbePlace) {
    if place.address != 0 {
        return document.value("address", place.address);
    }
    if !place.symbol.is_empty() {
        document.text("symbol_name", &place.symbol);
    }
    if place.offset != 0 {
        document.value("offset", place.offset);
    }
}

fn context(document: &mut Document, context: &KernelContext) {
    match context {
        KernelContext::Perf { kind, config, name } => perf(document, *kind, *config, name),
        plain => plain_context(document, name_in_kernel(plain)),
    }
}
