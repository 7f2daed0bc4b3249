// SPDX-License-Identifier: GPL-2.0-only
//! The report as Prometheus takes it: text exposition format 0.0.4, in base units, each family once.
//!
//! Applications are only counted: one time series for each process would be a new one whenever a program starts. Sessions,
//! channels and triggers have series of their own, whose names their owners choose.

use std::fmt::Write;

use super::{Life, Progress, Report};

/// The report as metrics.
pub fn metrics(report: &Report) -> String {
    let mut metrics = Metrics::default();
    daemon(&mut metrics, report);
    sessions(&mut metrics, report);
    channels(&mut metrics, report);
    peers(&mut metrics, report);
    triggers(&mut metrics, report);
    users(&mut metrics, report);
    counters(&mut metrics, report);
    commands(&mut metrics, report);
    metrics.text
}

type Labels<'a> = &'a [(&'a str, &'a str)];

#[derive(Debug, Default)]
struct Metrics {
    text: String,
    family: String,
}

impl Metrics {
    /// The samples that follow are of this family.
    fn family(&mut self, name: &str, kind: &str, help: &str) -> &mut Self {
        self.family = format!("lttng_sessiond_{name}");
        let family = &self.family;
        // Writing to a string can't fail.
        let _ = write!(self.text, "# HELP {family} {help}\n# TYPE {family} {kind}\n");
        self
    }

    fn gauge(&mut self, name: &str, help: &str) -> &mut Self {
        self.family(name, "gauge", help)
    }

    fn counter(&mut self, name: &str, help: &str) -> &mut Self {
        self.family(name, "counter", help)
    }

    /// One sample of the family, or of this part of it.
    fn sample(&mut self, part: &str, labels: Labels<'_>, value: impl std::fmt::Display) -> &mut Self {
        self.text.push_str(&self.family);
        self.text.push_str(part);
        for (at, (name, value)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{name}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
        self
    }

    fn is(&mut self, labels: Labels<'_>, value: impl std::fmt::Display) -> &mut Self {
        self.sample("", labels, value)
    }
}

/// A label's value between its quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Microseconds in seconds, with all their digits and no more.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn daemon(metrics: &mut Metrics, report: &Report) {
    let daemon = &report.daemon;
    let labels = [
        ("version", daemon.version.as_str()),
        ("uid", &daemon.uid.to_string()),
        ("run_directory", &daemon.run_directory),
    ];
    metrics.gauge("info", "The daemon that was asked.").is(&labels, 1);
    metrics.gauge("start_time_seconds", "When the daemon began, since the Epoch.").is(&[], daemon.started);
    metrics.gauge("memory_resident_bytes", "Resident memory.").is(&[], daemon.memory_resident);
    metrics
        .gauge("memory_anonymous_bytes", "Resident memory that is the daemon's own.")
        .is(&[], daemon.memory_anonymous);
    metrics.gauge("open_descriptors", "Open descriptors.").is(&[], daemon.descriptors);
    metrics.gauge("max_descriptors", "Descriptors that there may be.").is(&[], daemon.descriptors_limit);
}

fn sessions(metrics: &mut Metrics, report: &Report) {
    let sessions = &report.sessions;
    metrics.gauge("sessions", "Recording sessions by state.");
    for (life, name) in
        [(Life::New, "new"), (Life::Active, "active"), (Life::Stopped, "stopped"), (Life::Ending, "ending")]
    {
        let count = sessions.iter().filter(|session| session.life == life).count();
        metrics.is(&[("state", name)], count);
    }
    metrics.gauge("session_active", "Whether a session records.");
    for session in sessions {
        let labels = [("session", session.name.as_str()), ("uid", &session.uid.to_string())];
        metrics.is(&labels, u8::from(session.life == Life::Active));
    }
    metrics.counter("session_written_bytes_total", "What a session's channels wrote, as far as is known.");
    for session in sessions {
        metrics.is(&[("session", &session.name)], session.written);
    }
    metrics.gauge("session_applications", "Applications that have something of a session.");
    for session in sessions {
        metrics.is(&[("session", &session.name)], session.applications);
    }
    metrics.gauge("session_idle_seconds", "Time since something happened to a session.");
    for session in sessions {
        metrics.is(&[("session", &session.name)], session.idle);
    }
    metrics.gauge("session_left_over", "Whether a session seems to be left over.");
    for session in sessions {
        metrics.is(&[("session", &session.name)], u8::from(session.left_over));
    }
    metrics.counter("session_snapshots_total", "Snapshots recorded.");
    for session in sessions {
        metrics.is(&[("session", &session.name)], session.snapshots);
    }
}

fn channels(metrics: &mut Metrics, report: &Report) {
    let all = || {
        let sessions = report.sessions.iter();
        sessions.flat_map(|session| session.channels.iter().map(move |channel| (session, channel)))
    };
    fn labels<'a>((session, channel): (&'a super::Session, &'a super::Channel)) -> [(&'a str, &'a str); 3] {
        [("session", &session.name), ("domain", &channel.domain), ("channel", &channel.name)]
    }
    metrics.counter("channel_discarded_events_total", "Events discarded, since there was no room for them.");
    for each in all().filter(|(_, channel)| !channel.overwrite) {
        metrics.is(&labels(each), each.1.lost);
    }
    metrics.counter("channel_overwritten_packets_total", "Packets overwritten before they were read.");
    for each in all().filter(|(_, channel)| channel.overwrite) {
        metrics.is(&labels(each), each.1.lost);
    }
    metrics.gauge("channel_used_bytes", "What is in use in the fullest buffer, when that was told last.");
    for each in all() {
        if let Some(used) = each.1.used {
            metrics.is(&labels(each), used);
        }
    }
    metrics.gauge("channel_buffer_bytes", "What one buffer has.");
    for each in all() {
        metrics.is(&labels(each), each.1.subbuf_size.saturating_mul(each.1.num_subbuf));
    }
}

fn peers(metrics: &mut Metrics, report: &Report) {
    const STATES: [(Progress, &str); 4] = [
        (Progress::Converged, "converged"),
        (Progress::Behind, "behind"),
        (Progress::Lagging, "lagging"),
        (Progress::Refused, "refused"),
    ];
    metrics.gauge("applications", "Registered applications by state.");
    for (progress, name) in STATES {
        let count = report.applications.iter().filter(|application| application.progress == progress).count();
        metrics.is(&[("state", name)], count);
    }
    metrics.gauge("agents", "Registered agents by domain.");
    for domain in ["jul", "log4j", "python"] {
        let count = report.agents.iter().filter(|agent| agent.domain.as_deref() == Some(domain)).count();
        metrics.is(&[("domain", domain)], count);
    }
    metrics.gauge("consumer_up", "Whether a consumer daemon is in service.");
    for consumer in &report.consumers {
        metrics.is(&[("kind", &consumer.kind)], u8::from(consumer.state == "ready"));
    }
    metrics.counter("consumer_deaths_total", "Consumer daemons that were lost.");
    for consumer in &report.consumers {
        metrics.is(&[("kind", &consumer.kind)], consumer.deaths);
    }
    metrics.gauge("relay_up", "Whether the relay daemon of a session can be used.");
    for relay in report.relays.iter().filter(|relay| !relay.snapshot) {
        let labels = [("session", relay.session.as_str()), ("url", &relay.url)];
        metrics.is(&labels, u8::from(relay.state == "connected"));
    }
    metrics
        .gauge("kernel_tracer_up", "Whether the kernel can be traced.")
        .is(&[], u8::from(report.kernel.state == "ready"));
}

fn triggers(metrics: &mut Metrics, report: &Report) {
    // Those without a name can't be told apart.
    let named = || {
        let triggers = report.triggers.iter();
        triggers.filter_map(|trigger| Some((trigger.name.as_deref()?, trigger.uid.to_string(), trigger)))
    };
    metrics.counter("trigger_fired_total", "How often a trigger's condition was met.");
    for (name, uid, trigger) in named() {
        metrics.is(&[("trigger", name), ("uid", &uid)], trigger.fired);
    }
    metrics.counter("trigger_dropped_total", "How often that came to nothing.");
    for (name, uid, trigger) in named() {
        metrics.is(&[("trigger", name), ("uid", &uid)], trigger.dropped);
    }
    metrics.counter("trigger_action_failures_total", "Failures of a trigger's actions.");
    for (name, uid, trigger) in named() {
        let failures = trigger.actions.iter().fold(0u64, |sum, action| sum.saturating_add(action.failures));
        metrics.is(&[("trigger", name), ("uid", &uid)], failures);
    }
    metrics.counter("trigger_discarded_messages_total", "Events that tracers could not tell of.");
    for (name, uid, trigger) in named() {
        if let Some(discarded) = trigger.discarded {
            metrics.is(&[("trigger", name), ("uid", &uid)], discarded);
        }
    }
}

fn users(metrics: &mut Metrics, report: &Report) {
    let held = || {
        let users = report.users.iter();
        users.flat_map(|user| user.holds.iter().map(move |held| (user.uid.to_string(), held)))
    };
    metrics.gauge("user_held", "What is held for a user; memory in bytes.");
    for (uid, held) in held() {
        metrics.is(&[("uid", &uid), ("resource", &held.resource)], held.amount);
    }
    metrics.gauge("user_limit", "How much of it there may be.");
    for (uid, held) in held() {
        metrics.is(&[("uid", &uid), ("resource", &held.resource)], held.limit);
    }
}

fn counters(metrics: &mut Metrics, report: &Report) {
    let counters = &report.counters;
    metrics.counter("turns_total", "Turns of the loop.").is(&[], counters.turns);
    metrics
        .gauge("longest_turn_seconds", "The longest turn since the daemon began.")
        .is(&[], seconds(counters.longest_turn_us));
    metrics
        .counter("applications_registered_total", "Applications that have registered.")
        .is(&[], counters.applications);
    metrics.counter("agents_registered_total", "Agents that have registered.").is(&[], counters.agents);
    metrics
        .counter("events_registered_total", "Kinds of events that applications have registered.")
        .is(&[], counters.events);
    metrics
        .counter("messages_left_out_total", "Messages that were not written, since there were too many.")
        .is(&[], counters.messages_left_out);
    metrics.counter("refused_total", "Processes that were refused.");
    for refused in &counters.refused {
        metrics.is(&[("reason", &refused.name)], refused.count);
    }
    metrics.counter("errors_total", "Commands that were refused or failed, by code.");
    for error in &counters.errors {
        metrics.is(&[("code", &error.name)], error.count);
    }
}

fn commands(metrics: &mut Metrics, report: &Report) {
    let commands = &report.counters.commands;
    metrics.counter("commands_failed_total", "Commands that were refused or failed.");
    for command in commands {
        metrics.is(&[("command", &command.name)], command.failed);
    }
    metrics.family(
        "command_duration_seconds",
        "histogram",
        "Time from the last byte of a command to its reply.",
    );
    for command in commands {
        let mut sum = 0u64;
        for (bound, count) in report.counters.latency_bounds_us.iter().zip(&command.latency) {
            sum = sum.saturating_add(*count);
            metrics.sample("_bucket", &[("command", &command.name), ("le", &seconds(*bound))], sum);
        }
        metrics.sample("_bucket", &[("command", &command.name), ("le", "+Inf")], command.served);
        metrics.sample("_sum", &[("command", &command.name)], seconds(command.total_us));
        metrics.sample("_count", &[("command", &command.name)], command.served);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_digits() {
        let texts: Vec<String> = [0, 1, 300, 1_000_000, 1_500_000, 10_000_000].map(seconds).into();
        assert_eq!(texts, ["0", "0.000001", "0.0003", "1", "1.5", "10"]);
    }

    #[test]
    fn names_are_escaped_and_places_add_up() {
        let report = Report {
            sessions: vec![super::super::Session { name: "a\"\\\n".into(), ..Default::default() }],
            counters: super::super::Counters {
                latency_bounds_us: vec![100, 1000],
                commands: vec![super::super::Command {
                    name: "start_trace".into(),
                    served: 6,
                    latency: vec![1, 2, 3],
                    total_us: 2_500_000,
                    failed: 1,
                }],
                ..Default::default()
            },
            ..Report::default()
        };
        let text = metrics(&report);
        assert!(text.contains("session_active{session=\"a\\\"\\\\\\n\",uid=\"0\"} 0\n"), "{text}");
        let begin = text.find("lttng_sessiond_command_duration_seconds_bucket").unwrap();
        assert_eq!(
            &text[begin..],
            "lttng_sessiond_command_duration_seconds_bucket{command=\"start_trace\",le=\"0.0001\"} 1\n\
             lttng_sessiond_command_duration_seconds_bucket{command=\"start_trace\",le=\"0.001\"} 3\n\
             lttng_sessiond_command_duration_seconds_bucket{command=\"start_trace\",le=\"+Inf\"} 6\n\
             lttng_sessiond_command_duration_seconds_sum{command=\"start_trace\"} 2.5\n\
             lttng_sessiond_command_duration_seconds_count{command=\"start_trace\"} 6\n"
        );
    }
}
