// SPDX-License-Identifier: GPL-2.0-only
//! From what is wanted of a session to the text of its configuration: element for element what the original writes, in the
//! same order (lttng-tools 2.13: `src/bin/lttng-sessiond/save.c`).
//!
//! Channels and rules of user space are in order of creation, which the original's have none of. Whether a kernel channel
//! is on, and the period of its live timer, are what is so; the original writes what a client once said.
//!
//! It must never write what can't be read back.

use super::context::name_in_user_space;
use super::save_kernel;
use super::save_text::Document;
pub use super::save_text::Unsavable;
use crate::model::tracker::{Policy, Tracker, Value};
use crate::model::{
    Attributes, BufferingScheme, Channel, Context, Domain, EventRule, Filter, LogLevels, LoggerDomain,
    LoggerRule, Output, SessionKind, UstDomain, Wanted,
};
use crate::text::Text;

/// The text of a session's configuration. `active` is whether it records.
///
/// # Errors
/// See [`Unsavable`].
pub fn save(wanted: &Wanted, active: bool) -> Result<String, Unsavable> {
    let mut document = Document::new();
    document
        .element("sessions", |document| document.element("session", |inner| session(inner, wanted, active)));
    document.finish()
}

fn session(document: &mut Document, wanted: &Wanted, active: bool) {
    document.text("name", &wanted.name);
    if let Some(path) = &wanted.shm_path {
        document.text("shared_memory_path", path);
    }
    if wanted.kernel.is_some() || wanted.ust.is_some() {
        document.element("domains", |document| domains(document, wanted));
    }
    document.value("started", active);
    attributes(document, wanted);
    output(document, wanted);
}

/// The kernel's, and all those that go with user space, as soon as there is one of them.
fn domains(document: &mut Document, wanted: &Wanted) {
    let live_timer = live_timer(wanted.kind);
    if let Some(kernel) = &wanted.kernel {
        document.element("domain", |document| save_kernel::domain(document, kernel, live_timer));
    }
    let Some(ust) = &wanted.ust else { return };
    document.element("domain", |document| {
        let of = |channel: &&Channel| LoggerDomain::of_channel(&channel.name).is_none();
        user_space(document, Domain::UserSpace, ust, |document| {
            for channel in ust.channels.iter().filter(of) {
                let rules = channel.rules.iter().filter(|rule| !rule.is_of_loggers());
                self::channel(document, channel, live_timer, |document| {
                    rules.for_each(|rule| event_rule(document, rule));
                });
            }
        });
        let trackers =
            [("vpid", &ust.trackers.pid), ("vuid", &ust.trackers.uid), ("vgid", &ust.trackers.gid)];
        self::trackers(document, &trackers);
    });
    for domain in LoggerDomain::ALL {
        document.element("domain", |document| {
            user_space(document, domain.domain(), ust, |document| {
                for channel in ust.channels.iter().filter(|channel| channel.name == domain.channel()) {
                    let rules = ust.loggers.get(&domain).into_iter().flat_map(|loggers| &loggers.rules);
                    self::channel(document, channel, live_timer, |document| {
                        rules.for_each(|rule| logger_rule(document, rule));
                    });
                }
            });
        });
    }
}

fn user_space(
    document: &mut Document,
    domain: Domain,
    ust: &UstDomain,
    channels: impl FnOnce(&mut Document),
) {
    let name = match domain {
        Domain::Kernel => "KERNEL",
        Domain::UserSpace => "UST",
        Domain::Jul => "JUL",
        Domain::Log4j => "LOG4J",
        Domain::Python => "PYTHON",
    };
    let scheme = match ust.scheme {
        BufferingScheme::PerUser => "PER_UID",
        BufferingScheme::PerProcess => "PER_PID",
    };
    document.text("type", name);
    document.text("buffer_type", scheme);
    document.element("channels", channels);
}

/// What every channel begins with.
pub fn begin_channel(
    document: &mut Document,
    name: &str,
    enabled: bool,
    attributes: &Attributes,
    output_type: &str,
) {
    document.text("name", name);
    document.value("enabled", enabled);
    document.text("overwrite_mode", if attributes.overwrite { "OVERWRITE" } else { "DISCARD" });
    document.value("subbuffer_size", attributes.subbuf_size);
    document.value("subbuffer_count", attributes.num_subbuf);
    document.value("switch_timer_interval", attributes.switch_timer);
    document.value("read_timer_interval", attributes.read_timer);
    document.text("output_type", output_type);
}

/// The contexts of a channel.
pub fn contexts<Context>(
    document: &mut Document,
    contexts: &[Context],
    context: impl Fn(&mut Document, &Context),
) {
    document.element("contexts", |document| {
        for one in contexts {
            document.element("context", |document| context(document, one));
        }
    });
}

fn channel(document: &mut Document, channel: &Channel, live_timer: u64, rules: impl FnOnce(&mut Document)) {
    document.element("channel", |document| {
        let attributes = &channel.attributes;
        begin_channel(document, &channel.name, channel.enabled, attributes, "MMAP");
        document.value("blocking_timeout", attributes.blocking_timeout);
        document.value("monitor_timer_interval", attributes.monitor_timer);
        document.value("tracefile_size", attributes.tracefile_size);
        document.value("tracefile_count", attributes.tracefile_count);
        document.value("live_timer_interval", live_timer);
        document.element("events", rules);
        contexts(document, &channel.contexts, context);
    });
}

fn event_rule(document: &mut Document, rule: &EventRule) {
    document.element("event", |document| {
        named_rule(document, &rule.name, rule.enabled, rule.levels, rule.filter.as_ref());
        if !rule.exclusions.is_empty() {
            document.element("exclusions", |document| {
                rule.exclusions.iter().for_each(|pattern| document.text("exclusion", pattern));
            });
        }
    });
}

fn logger_rule(document: &mut Document, rule: &LoggerRule) {
    document.element("event", |document| {
        named_rule(document, &rule.name, rule.enabled, rule.levels, rule.filter.as_ref());
    });
}

/// What rules about tracepoints and rules about loggers have in common.
fn named_rule(
    document: &mut Document,
    name: &Text,
    enabled: bool,
    levels: LogLevels,
    filter: Option<&Filter>,
) {
    begin_rule(document, name, enabled, "TRACEPOINT");
    let (kind, level) = match levels {
        LogLevels::All => ("ALL", None),
        LogLevels::AtLeast(level) => ("RANGE", Some(level)),
        LogLevels::Exactly(level) => ("SINGLE", Some(level)),
    };
    document.text("loglevel_type", kind);
    if let Some(level) = level {
        document.value("loglevel", level);
    }
    self::filter(document, filter);
}

/// What every rule begins with.
pub fn begin_rule(document: &mut Document, name: &Text, enabled: bool, kind: &str) {
    if !name.is_empty() {
        document.text("name", name);
    }
    document.value("enabled", enabled);
    document.text("type", kind);
}

/// The filter of a rule, if it has one.
pub fn filter(document: &mut Document, filter: Option<&Filter>) {
    if let Some(filter) = filter {
        document.text("filter", &filter.expression);
    }
}

fn context(document: &mut Document, context: &Context) {
    match context {
        Context::Perf { kind, config, name } => perf(document, *kind, *config, name),
        Context::App { provider, name } => document.element("app", |document| {
            document.text("provider_name", provider);
            document.text("ctx_name", name);
        }),
        plain => plain_context(document, name_in_user_space(plain)),
    }
}

/// A context that consists of its name.
pub fn plain_context(document: &mut Document, name: Option<&str>) {
    match name {
        Some(name) => document.text("type", name),
        None => document.fail(Unsavable::Text),
    }
}

/// A perf counter.
pub fn perf(document: &mut Document, kind: u32, config: u64, name: &Text) {
    document.element("perf", |document| {
        document.value("type", kind);
        document.value("config", config);
        document.text("name", name);
    });
}

/// Trackers by the names of their attributes, those that follow everything left out.
pub fn trackers(document: &mut Document, trackers: &[(&str, &Tracker)]) {
    document.element("process_attr_trackers", |document| {
        for (name, tracker) in trackers {
            if tracker.policy() == Policy::IncludeAll {
                continue;
            }
            document.element(&format!("{name}_process_attr_tracker"), |document| {
                document.element("process_attr_values", |document| {
                    for included in tracker.included() {
                        document.element(name, |document| match &included.value {
                            Value::UserName(name) | Value::GroupName(name) => document.text("name", name),
                            Value::Pid(_) | Value::Uid(_) | Value::Gid(_) => {
                                document.value("id", included.id);
                            }
                        });
                    }
                });
            });
        }
    });
}

fn live_timer(kind: SessionKind) -> u64 {
    match kind {
        SessionKind::Live { timer } => timer,
        SessionKind::Regular | SessionKind::Snapshot => 0,
    }
}

fn attributes(document: &mut Document, wanted: &Wanted) {
    let schedules = wanted.schedules;
    let scheduled = schedules.periodic.is_some() || schedules.size.is_some();
    if wanted.kind == SessionKind::Regular && !scheduled {
        return;
    }
    document.element("attributes", |document| {
        match wanted.kind {
            SessionKind::Regular => {}
            SessionKind::Snapshot => document.value("snapshot_mode", true),
            SessionKind::Live { timer } => document.value("live_timer_interval", timer),
        }
        if !scheduled {
            return;
        }
        document.element("rotation_schedules", |document| {
            if let Some(period) = schedules.periodic {
                document.element("periodic", |document| document.value("time_us", period));
            }
            if let Some(size) = schedules.size {
                document.element("size_threshold", |document| document.value("bytes", size));
            }
        });
    });
}

fn output(document: &mut Document, wanted: &Wanted) {
    if wanted.kind != SessionKind::Snapshot {
        return document.element("output", |document| destination(document, &wanted.output));
    }
    if wanted.snapshot_outputs.is_empty() {
        return;
    }
    document.element("output", |document| {
        document.element("snapshot_outputs", |document| {
            for output in &wanted.snapshot_outputs {
                document.element("output", |document| {
                    document.text("name", &output.name);
                    document.value("max_size", output.max_size);
                    destination(document, &output.output);
                });
            }
        });
    });
}

fn destination(document: &mut Document, output: &Output) {
    document.element("consumer_output", |document| {
        document.value("enabled", true);
        document.element("destination", |document| match output {
            Output::None => document.text("path", ""),
            Output::Local(path) => document.text("path", path),
            Output::Network { control: Some(control), data: Some(data) } => {
                document.element("net_output", |document| {
                    document.text("control_uri", &control.to_url());
                    document.text("data_uri", &data.to_url());
                });
            }
            Output::Network { control: None, .. } => document.fail(Unsavable::NoControl),
            Output::Network { data: None, .. } => document.fail(Unsavable::NoData),
        });
    });
}
