// SPDX-License-Identifier: GPL-2.0-only
//! Triggers, notifications and error queries as stock programs of 2.13 sent them: each is decoded, compared with what
//! is known of it, and encoded again to the same bytes; and damaged in each way that the reference tells of.
#![cfg(target_endian = "little")]
// Helpers outside of `#[test]` functions: a failure here is the failure of a test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use lttng_protocol::Text;
use lttng_protocol::client::{
    ArchiveLocation, Command as ClientCommand, Domain, ErrorCode, Header as ClientHeader, ProbeLocation,
    Reply, SnapshotOutput,
};
use lttng_protocol::codec::ErrorKind;
use lttng_protocol::consumer::MonitorSample;
use lttng_protocol::expression::EventExpression;
use lttng_protocol::trigger::channel::{
    ClientMessage, DaemonMessage, Header, Status, Version, notification_message,
};
use lttng_protocol::trigger::*;
use lttng_protocol::ust::command::{Command, Message, decode_exclusion_payload};
use lttng_protocol::ust::event_notifier::{CounterConfiguration, EventNotification, EventNotifier};
use std::num::NonZeroU64;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/trigger")
}

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Names of all vectors that start and end like this.
fn names(prefix: &str, suffix: &str) -> Vec<String> {
    let names = std::fs::read_dir(folder()).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix) && name.ends_with(suffix))
        .collect();
    names.sort();
    names
}

/// The bytes with zeros where stock programs send memory that they never set: the padding of log level rules in
/// the recorded replies, and snapshot outputs behind the NUL of each string.
fn without_garbage(mut bytes: Vec<u8>) -> Vec<u8> {
    let found = |bytes: &[u8], what: &[u8]| -> Vec<usize> {
        let places = bytes.windows(what.len()).enumerate();
        places.filter(|(_, window)| *window == what).map(|(at, _)| at).collect()
    };
    for at in found(&bytes, &[0x28, 0xb1, 0xda]) {
        bytes[at..at + 3].fill(0);
    }
    let head = b"\x04\x0b\0\0\0\x0b\x21\0\0\x09\0\0\0my-session\0";
    for at in found(&bytes, head) {
        for (start, size) in [(12, 255), (267, 4096), (4363, 4096)] {
            let field = &mut bytes[at + head.len() + start..][..size];
            let end = field.iter().position(|&byte| byte == 0).unwrap();
            field[end..].fill(0);
        }
    }
    bytes
}

/// The trigger of a registration. Locations came with their descriptor.
fn registered(name: &str) -> Trigger {
    let bytes = vector(&format!("register-{name}.bin"));
    Trigger::decode_payload(&bytes, 1).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn reply(name: &str) -> Reply {
    Reply::decode(&vector(&format!("{name}.reply.bin"))).unwrap()
}

/// Splits what went one way on a notification socket into headers and payloads.
fn messages(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at(Header::LEN);
        let (payload, rest) = rest.split_at(Header::decode(head).unwrap().length as usize);
        messages.push((head, payload));
        bytes = rest;
    }
    messages
}

fn notification(name: &str) -> Notification {
    let bytes = vector(&format!("notification-{name}.bin"));
    match messages(&bytes)[..] {
        [(head, payload)] => match DaemonMessage::decode(&Header::decode(head).unwrap(), payload) {
            Ok(DaemonMessage::Notification(notification)) => *notification,
            other => panic!("{name}: {other:?}"),
        },
        _ => panic!("{name}: not one message"),
    }
}

fn every(number: u64) -> RatePolicy {
    RatePolicy::EveryN(NonZeroU64::new(number).unwrap())
}

fn rule(name: &str) -> EventRule {
    match registered(name).condition {
        Condition::EventRuleMatches { rule, .. } => rule,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn every_vector_is_looked_at() {
    let known = [
        "README.md",
        "channel-",
        "command-register-full-example.",
        "consumer-monitor-sample-",
        "drop-policy-transcript.txt",
        "error-query-",
        "list-triggers.reply.bin",
        "notification-",
        "register-",
        "unregister-not-found.",
        "ust-event-notification-",
        "ust-exchange-",
    ];
    for name in names("", "") {
        assert!(known.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
}

#[test]
fn every_registered_trigger_goes_round() {
    let mut checked = 0;
    for name in names("register-", ".bin") {
        if name.ends_with(".reply.bin") {
            continue;
        }
        let bytes = vector(&name);
        let trigger = Trigger::decode_payload(&bytes, 1).unwrap_or_else(|error| panic!("{name}: {error}"));
        let sent = without_garbage(bytes.clone());
        assert!(trigger.encode_payload() == sent, "{name}: encodes to other bytes");
        assert_eq!(sent != bytes, name.contains("-session-output"), "{name}");
        assert_eq!(trigger.fd_count(), u32::from(name.contains("-uprobe-")), "{name}");
        assert!(trigger.same_as(&trigger.clone()), "{name}");
        let named = format!("register-{}.bin", trigger.name.as_deref().unwrap_or_default());
        assert!(trigger.name.is_none() || named == name, "{name}: {named}");
        assert_eq!((trigger.owner, trigger.hidden), (0, false), "{name}");
        checked += 1;
    }
    assert_eq!(checked, 33);
}

/// No trigger is the same as another one with something else in it, but for the emission site.
#[test]
fn registered_triggers_differ() {
    let mut triggers: Vec<Trigger> = names("register-", ".bin")
        .iter()
        .filter(|name| !name.ends_with(".reply.bin"))
        .map(|name| Trigger::decode_payload(&vector(name), 1).unwrap())
        .collect();
    for trigger in &mut triggers {
        trigger.name = None;
        if let Condition::EventRuleMatches { rule: EventRule::KernelSyscall { site, .. }, .. } =
            &mut trigger.condition
        {
            *site = EmissionSite::EntryExit;
        }
    }
    let mut same = 0;
    for (at, first) in triggers.iter().enumerate() {
        for second in &triggers[at + 1..] {
            assert_eq!(first.same_as(second), first.encode_payload() == second.encode_payload());
            same += u32::from(first.same_as(second));
        }
    }
    // Entry and exit against exit; both registrations without a name.
    assert_eq!(same, 2);
}

#[test]
fn a_registration_reads_as_recorded() {
    let bytes = vector("command-register-full-example.bin");
    let (head, payload) = bytes.split_at(ClientHeader::LEN);
    let header = ClientHeader::decode(head).unwrap();
    assert_eq!(
        (header.command(), header.domain()),
        (Some(ClientCommand::RegisterTrigger), Some(Domain::Ust))
    );
    assert_eq!((header.payload_len(), header.fd_count), (payload.len() as u64, 0));
    assert!(!header.is_trigger_anonymous());
    let field = |name: &str| EventExpression::PayloadField(name.to_owned());
    let condition = Condition::EventRuleMatches {
        rule: EventRule::UserTracepoint {
            pattern: "my_provider:*ev".into(),
            filter: Some("intfield > 10 && $ctx.vpid != 0".into()),
            log_level: Some(LogLevelRule::AtLeast(6)),
            exclusions: vec!["my_provider:ev1".into(), "my_provider:skip*".into()],
        },
        captures: vec![
            field("intfield"),
            EventExpression::ChannelContext("procname".to_owned()),
            EventExpression::AppContext { provider: "prov".to_owned(), kind: "typ".to_owned() },
            EventExpression::ArrayElement { index: 3, parent: Box::new(field("arrfield")) },
        ],
    };
    assert_eq!(condition.domain(), header.domain());
    let trigger = Trigger {
        owner: 0,
        name: Some("er-user-tracepoint-full".to_owned()),
        hidden: false,
        condition,
        action: Action::Notify { rate: every(1) },
    };
    assert_eq!(Trigger::decode_payload(payload, 0).as_ref(), Ok(&trigger));
    assert_eq!(trigger, registered("er-user-tracepoint-full"));
    let answered = reply("command-register-full-example").payload;
    assert_eq!(Trigger::decode_payload(&answered, 0).as_ref(), Ok(&trigger));
    assert_eq!(without_garbage(answered), trigger.encode_payload());
}

#[test]
fn anonymous_registrations_are_flagged() {
    let mut header = ClientHeader::new(ClientCommand::RegisterTrigger, "");
    assert!(!header.is_trigger_anonymous());
    header.parameters[4] = 1;
    assert!(ClientHeader::decode(&header.encode()).unwrap().is_trigger_anonymous());
}

#[test]
fn what_is_registered_is_answered() {
    let anonymous = reply("register-anonymous");
    assert_eq!(anonymous.payload, vector("register-anonymous.bin"));
    assert_eq!(registered("anonymous").name, None);
    let named = Trigger::decode_payload(&reply("register-autoname").payload, 0).unwrap();
    assert_eq!(named, Trigger { name: Some("trigger0".to_owned()), ..registered("autoname") });
    assert_eq!(named.encode_payload(), reply("register-autoname").payload);
    assert_eq!(reply("register-exists").code, ErrorCode::TriggerExists);
    assert_eq!(reply("unregister-not-found").code, ErrorCode::TriggerNotFound);
    let bytes = vector("unregister-not-found.request-payload.bin");
    assert_eq!(Trigger::decode_payload(&bytes, 0).unwrap().encode_payload(), bytes);
}

#[test]
fn conditions_read_as_recorded() {
    let condition = |name: &str| registered(&format!("cond-{name}")).condition;
    let usage = |threshold, domain| BufferUsage {
        threshold,
        domain,
        session: "my-session".to_owned(),
        channel: "chan".to_owned(),
    };
    let session = || "my-session".to_owned();
    assert_eq!(
        condition("buffer-high-bytes"),
        Condition::BufferUsageHigh(usage(Threshold::Bytes(65536), Domain::Ust))
    );
    assert_eq!(
        condition("buffer-high-kernel"),
        Condition::BufferUsageHigh(usage(Threshold::Ratio(0.75), Domain::Kernel))
    );
    assert_eq!(
        condition("buffer-low-ratio"),
        Condition::BufferUsageLow(usage(Threshold::Ratio(0.25), Domain::Ust))
    );
    let size = Condition::SessionConsumedSize { session: session(), bytes: 1 << 20 };
    assert_eq!(condition("consumed-size"), size);
    assert_eq!((size.session(), size.domain()), (Some("my-session"), None));
    assert_eq!(condition("rotation-ongoing"), Condition::RotationOngoing { session: session() });
    assert_eq!(condition("rotation-completed"), Condition::RotationCompleted { session: session() });
}

#[test]
fn rules_of_the_kernel_read_as_recorded() {
    let text = |text: &str| Some(Text::from(text));
    for (name, site, pattern, filter) in [
        ("entry", EmissionSite::Entry, "openat", text("dfd < 0")),
        ("exit", EmissionSite::Exit, "*", None),
        ("entry-exit", EmissionSite::EntryExit, "*", None),
    ] {
        let expected = EventRule::KernelSyscall { site, pattern: pattern.into(), filter };
        assert_eq!(rule(&format!("er-kernel-syscall-{name}")), expected);
    }
    let filter = text("prev_tid == 0");
    let expected = EventRule::KernelTracepoint { pattern: "sched_switch".into(), filter };
    assert_eq!(rule("er-kernel-tracepoint"), expected);
    let symbol = KernelLocation::Symbol { symbol: "do_sys_open".to_owned(), offset: 16 };
    for (name, location) in
        [("symbol", symbol), ("address", KernelLocation::Address(18_446_744_071_578_845_184))]
    {
        let expected = EventRule::KernelKprobe { name: "my_kprobe".into(), location };
        assert_eq!(rule(&format!("er-kernel-kprobe-{name}")), expected);
    }
    let binary = || "/bin/true".to_owned();
    let function = ProbeLocation::Function { function: "main".to_owned(), binary: binary(), elf: true };
    let (probe, provider) = ("probe".to_owned(), "prov".to_owned());
    let sdt = ProbeLocation::Tracepoint { probe, provider, binary: binary() };
    for (name, place) in [("elf", function), ("sdt", sdt)] {
        let location = UserspaceLocation { place, binary: None };
        let uprobe = rule(&format!("er-kernel-uprobe-{name}"));
        assert_eq!(uprobe, EventRule::KernelUprobe { name: "my_uprobe".into(), location });
        assert_eq!(uprobe.domain(), Domain::Kernel);
        let bytes = vector(&format!("register-er-kernel-uprobe-{name}.bin"));
        let missing = Trigger::decode_payload(&bytes, 0).unwrap_err().kind;
        assert_eq!(missing, ErrorKind::MissingDescriptors(1));
    }
}

#[test]
fn rules_of_applications_read_as_recorded() {
    let user = |log_level| EventRule::UserTracepoint {
        pattern: "*".into(),
        filter: None,
        log_level,
        exclusions: Vec::new(),
    };
    assert_eq!(rule("er-user-tracepoint-min"), user(None));
    assert_eq!(rule("er-user-tracepoint-exactly"), user(Some(LogLevelRule::Exactly(3))));
    for (name, domain) in
        [("jul", LoggingDomain::Jul), ("log4j", LoggingDomain::Log4j), ("python", LoggingDomain::Python)]
    {
        let expected = EventRule::Logging {
            domain,
            pattern: "my.logger".into(),
            filter: Some("msg == \"hello*\"".into()),
            log_level: Some(LogLevelRule::AtLeast(800)),
        };
        assert_eq!(rule(&format!("er-{name}-logging")), expected);
    }
    let expected =
        EventRule::Logging { domain: LoggingDomain::Jul, pattern: "*".into(), filter: None, log_level: None };
    assert_eq!(rule("er-jul-logging-min"), expected);
}

#[test]
fn actions_read_as_recorded() {
    let action = |name: &str| registered(&format!("act-{name}")).action;
    let (session, rate) = (|| "my-session".to_owned(), every(1));
    let start = Action::StartSession { session: session(), rate };
    assert_eq!(action("start-session"), start);
    assert_eq!(action("stop-session"), Action::StopSession { session: session(), rate });
    assert_eq!(action("rotate-session"), Action::RotateSession { session: session(), rate });
    assert_eq!(action("notify-every-5"), Action::Notify { rate: every(5) });
    let once = RatePolicy::OnceAfterN(NonZeroU64::new(7).unwrap());
    assert_eq!(action("notify-once-after-7"), Action::Notify { rate: once });
    assert_eq!(action("list"), Action::List(vec![Action::Notify { rate }, start]));
    assert_eq!(action("list-empty"), Action::List(Vec::new()));
    let output = |max_size, name: &str, control_url: &str| SnapshotOutput {
        id: 0,
        max_size,
        name: name.to_owned(),
        control_url: control_url.to_owned(),
        data_url: String::new(),
    };
    for (name, output) in [
        ("", None),
        ("-output", Some(output(Some(1 << 20), "snap-out", "/tmp/snap"))),
        ("-output-net", Some(output(None, "", "net://127.0.0.1"))),
    ] {
        let output = output.map(Box::new);
        let expected = Action::SnapshotSession { session: session(), output, rate };
        assert_eq!(action(&format!("snapshot-session{name}")), expected);
    }
}

#[test]
fn the_list_goes_round() {
    let payload = reply("list-triggers").payload;
    let triggers = Trigger::decode_list(&payload).unwrap();
    assert_eq!(triggers.len(), 24);
    assert!(Trigger::encode_list(&triggers) == without_garbage(payload.clone()));
    assert_eq!(Trigger::encode_list(&[]), [0; 8]);
    let damaged = |at: usize, value: u8| {
        let mut bytes = payload.clone();
        bytes[at] = value;
        Trigger::decode_list(&bytes).unwrap_err().kind
    };
    assert!(matches!(damaged(0, 23), ErrorKind::TooLong(_)));
    assert_eq!(damaged(0, 25), ErrorKind::Truncated);
    assert!(matches!(damaged(4, payload[4] + 1), ErrorKind::TooLong(_)));
    let long = [&payload[..], &[0]].concat();
    assert_eq!(Trigger::decode_list(&long).unwrap_err().kind, ErrorKind::TrailingBytes);
    assert_eq!(Trigger::decode_list(&[0xff; 8]).unwrap_err().kind, ErrorKind::Truncated);
}

#[test]
fn error_queries_go_round() {
    for (name, target) in [
        ("trigger", ErrorQueryTarget::Trigger),
        ("condition", ErrorQueryTarget::Condition),
        ("action", ErrorQueryTarget::Action(vec![0])),
    ] {
        let bytes = vector(&format!("error-query-{name}.request-payload.bin"));
        let query = ErrorQuery::decode(&bytes, 0).unwrap();
        assert_eq!(query.encode(), bytes, "{name}");
        assert_eq!(query.trigger.name.as_deref(), Some("n1"), "{name}");
        assert_eq!(query.target, target, "{name}");
    }
    let results = |name: &str| {
        let payload = reply(&format!("error-query-{name}")).payload;
        let results = ErrorResult::decode_list(&payload).unwrap();
        assert_eq!(ErrorResult::encode_list(&results), payload, "{name}");
        results
    };
    assert_eq!(results("trigger"), []);
    let condition = results("condition");
    assert_eq!(condition, [ErrorResult::discarded_messages(condition[0].value)]);
    let action = results("action");
    assert_eq!(action, [ErrorResult::execution_failures(action[0].value)]);
}

#[test]
fn every_notification_goes_round() {
    let mut checked = 0;
    for name in names("notification-", ".bin") {
        let mut bytes = vector(&name);
        let name = name.trim_start_matches("notification-").trim_end_matches(".bin");
        let Notification { trigger, evaluation } = notification(name);
        if let Evaluation::RotationCompleted { location: Some(ArchiveLocation::Local { path }), .. } =
            &evaluation
        {
            // Memory of the sender that was never set.
            let undefined = bytes.len() - path.len() - 1 - 9;
            bytes[undefined..undefined + 9].fill(0);
        }
        let again = notification_message(&trigger.encode_payload(), trigger.fd_count(), &evaluation);
        assert_eq!(again, bytes, "{name}");
        let message = DaemonMessage::Notification(Box::new(Notification { trigger, evaluation }));
        assert_eq!(message.encode(), bytes, "{name}");
        checked += 1;
    }
    assert_eq!(checked, 9);
}

#[test]
fn evaluations_read_as_recorded() {
    let evaluation = |name: &str| notification(name).evaluation;
    assert_eq!(
        evaluation("buffer-usage-high"),
        Evaluation::BufferUsageHigh { used: 30092, capacity: 131_072 }
    );
    assert_eq!(evaluation("buffer-usage-low"), Evaluation::BufferUsageLow { used: 84, capacity: 32768 });
    assert_eq!(evaluation("session-consumed-size"), Evaluation::SessionConsumedSize { bytes: 12288 });
    assert_eq!(evaluation("session-rotation-ongoing"), Evaluation::RotationOngoing { id: 0 });
    let relay = ArchiveLocation::Relay {
        host: "127.0.0.1".to_owned(),
        control_port: 5342,
        data_port: 5343,
        path: "vm/sess-20261122-194856".to_owned(),
    };
    assert_eq!(
        evaluation("session-rotation-completed-relay"),
        Evaluation::RotationCompleted { id: 0, location: Some(relay) }
    );
    let Evaluation::RotationCompleted { id: 0, location: Some(ArchiveLocation::Local { path }) } =
        evaluation("session-rotation-completed-local")
    else {
        panic!()
    };
    assert!(path.starts_with("/var/tmp/my-trace/archives/20261122T194820+0000-"), "{path}");
    let none = Evaluation::EventRuleMatches { captures: Vec::new() };
    assert_eq!(evaluation("event-rule-nocapture"), none);
}

/// What the applications wrote is what the clients got.
#[test]
fn tracer_notifications_read_as_recorded() {
    for (number, name) in [(1, "captures-1"), (2, "captures-2"), (3, "nocapture")] {
        let bytes = vector(&format!("ust-event-notification-{number}.bin"));
        let told = EventNotification::decode(&bytes).unwrap();
        assert_eq!(EventNotification::length(&bytes), Ok(Some(bytes.len())), "{name}");
        assert_eq!(told.encode(), bytes, "{name}");
        let Notification { trigger, evaluation } = notification(&format!("event-rule-{name}"));
        assert_eq!(evaluation, Evaluation::EventRuleMatches { captures: told.captures.to_vec() }, "{name}");
        let Condition::EventRuleMatches { captures, .. } = trigger.condition else { panic!("{name}") };
        assert_eq!(captures.len(), if told.captures.is_empty() { 0 } else { 25 }, "{name}");
    }
    let pipe = folder().join("../ust/pipe");
    for (token, size) in [(1, 9), (3, 9), (4, 20), (5, 19)] {
        let bytes = std::fs::read(pipe.join(format!("notification-token{token}.bin"))).unwrap();
        let told = EventNotification::decode(&bytes).unwrap();
        assert_eq!((told.token, told.captures.len()), (token, size));
        assert_eq!(told.encode(), bytes);
    }
}

#[test]
fn samples_of_consumer_daemons_read_as_recorded() {
    for (number, highest) in [(1, 84), (2, 30092)] {
        let bytes = vector(&format!("consumer-monitor-sample-{number}.bin"));
        let sample = MonitorSample { key: 1, lowest: 84, highest, total_consumed: 0 };
        assert_eq!(MonitorSample::decode(&bytes), Ok(sample));
        assert_eq!(sample.encode(), bytes);
    }
}

#[test]
fn a_notification_clients_session_reads_as_recorded() {
    let client = vector("channel-client-session-with-initial-evaluation.client.bin");
    let said: Vec<ClientMessage> = messages(&client)
        .into_iter()
        .map(|(head, payload)| ClientMessage::decode(&Header::from_client(head).unwrap(), payload).unwrap())
        .collect();
    let Condition::BufferUsageHigh(_) = notification("buffer-usage-high").trigger.condition else { panic!() };
    let [ClientMessage::Handshake(Version::CURRENT), commands @ ..] = &said[..] else { panic!("{said:?}") };
    let [
        ClientMessage::Subscribe(first),
        ClientMessage::Subscribe(second),
        ClientMessage::Unsubscribe(third),
        ClientMessage::Unsubscribe(fourth),
    ] = commands
    else {
        panic!("{commands:?}")
    };
    assert_eq!(first.kind(), ConditionKind::BufferUsageHigh);
    assert!([second, third, fourth].iter().all(|condition| condition.same_as(first)));
    assert_eq!(said.iter().flat_map(ClientMessage::encode).collect::<Vec<_>>(), client);

    let daemon = vector("channel-client-session-with-initial-evaluation.server.bin");
    let answered: Vec<DaemonMessage> = messages(&daemon)
        .into_iter()
        .map(|(head, payload)| DaemonMessage::decode(&Header::decode(head).unwrap(), payload).unwrap())
        .collect();
    let [
        DaemonMessage::Handshake(Version::CURRENT),
        DaemonMessage::Reply(Status::Ok),
        DaemonMessage::Notification(notification),
        DaemonMessage::Reply(Status::Ok),
        DaemonMessage::Reply(Status::AlreadySubscribed),
        DaemonMessage::Reply(Status::Ok),
        DaemonMessage::Reply(Status::UnknownCondition),
    ] = &answered[..]
    else {
        panic!("{answered:?}")
    };
    assert!(notification.trigger.condition.same_as(first));
    assert_eq!(answered.iter().flat_map(DaemonMessage::encode).collect::<Vec<_>>(), daemon);
    assert_eq!(DaemonMessage::NotificationDropped.encode(), vector("channel-dropped.bin"));
}

/// Bytes of a line of a transcript, in which `[00xN]` stands for N zero bytes.
fn transcribed(line: &str) -> Vec<u8> {
    let hex = |text: &str| -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
            .collect()
    };
    let mut bytes = Vec::new();
    for part in line.split('[') {
        match part.split_once(']') {
            Some((zeros, rest)) => {
                let count: usize = zeros.strip_prefix("00x").unwrap().parse().unwrap();
                bytes.resize(bytes.len() + count, 0);
                bytes.extend(hex(rest));
            }
            None => bytes.extend(hex(part)),
        }
    }
    bytes
}

/// What the stock daemon told an application, as `(message, what followed it)`.
fn told(name: &str) -> Vec<(Command, Vec<u8>)> {
    let text = String::from_utf8(vector(name)).unwrap();
    let mut told: Vec<(Command, Vec<u8>)> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("daemon->app") && !line.contains("+fds=")) {
        let (head, data) = line.rsplit_once(' ').unwrap();
        let bytes = transcribed(data);
        assert!(head.ends_with(&format!("len={}", bytes.len())), "{line}");
        match told.last_mut() {
            Some((command, followed)) if command.payload_len() > followed.len() as u64 => {
                assert_eq!(command.payload_len(), bytes.len() as u64, "{line}");
                *followed = bytes;
            }
            _ => told.push((Message::decode(&bytes).unwrap().command, Vec::new())),
        }
    }
    told
}

/// The rules in the transcript's comments, in the order in which the stock daemon told them.
#[test]
fn applications_are_told_what_the_stock_daemon_told_them() {
    let user = |pattern: &str, log_level, exclusions: &[&str]| EventRule::UserTracepoint {
        pattern: pattern.into(),
        filter: None,
        log_level,
        exclusions: exclusions.iter().map(|&name| name.into()).collect(),
    };
    let logging = |domain| EventRule::Logging {
        domain,
        pattern: "*".into(),
        filter: None,
        log_level: Some(LogLevelRule::Exactly(900)),
    };
    let excluded = ["tprov:ev2", "tprov:z*"];
    let rules = [
        (4, logging(LoggingDomain::Python)),
        (2, logging(LoggingDomain::Jul)),
        (1, logging(LoggingDomain::Jul)),
        (3, logging(LoggingDomain::Jul)),
        (5, user("tprov:ev", Some(LogLevelRule::Exactly(4)), &[])),
        (6, user("tprov:*", Some(LogLevelRule::AtLeast(4)), &excluded)),
        (7, user("*", None, &[])),
    ];
    let told = told("ust-exchange-agent-rules-and-removal.txt");
    let mut notifiers = told.iter().filter(|(command, _)| matches!(command, Command::EventNotifier { .. }));
    for (number, rule) in rules {
        let (_, recorded) = notifiers.next().unwrap();
        let ours = EventNotifier::for_rule(&rule, number, number - 1).unwrap();
        assert_eq!(EventNotifier::decode(recorded).as_ref(), Ok(&ours));
        let mut expected = ours.encode();
        if let EventRule::Logging { .. } = rule {
            // The level that is not used: the stock daemon has 0 here and -1 elsewhere.
            expected[264..268].fill(0);
        }
        assert!(expected == *recorded, "{number}");
    }
    assert!(notifiers.next().is_none());
    let names = told.iter().find(|(command, _)| matches!(command, Command::Exclusion { .. })).unwrap();
    assert_eq!(decode_exclusion_payload(&names.1).unwrap(), excluded);
}

#[test]
fn error_counters_are_announced_as_recorded() {
    for name in names("ust-exchange-", ".txt") {
        let told = told(&name);
        let (command, followed) =
            told.iter().find(|(command, _)| matches!(command, Command::Counter { .. })).unwrap();
        assert_eq!(command, &Command::Counter { len: CounterConfiguration::LEN as u64 }, "{name}");
        let configuration = CounterConfiguration { size: 4096 };
        assert_eq!(CounterConfiguration::decode(followed), Ok(configuration), "{name}");
        assert_eq!(configuration.encode(), *followed, "{name}");
        let shared: Vec<&Command> =
            told.iter().map(|(command, _)| command).filter(|command| command.number() == 0xD1).collect();
        let cpu = |cpu| Command::CounterCpu { len: 17408, cpu };
        assert_eq!(shared, [&cpu(0), &cpu(1)], "{name}");
    }
}

/// Where the parts of `register-anonymous.bin` are.
mod offset {
    pub const OWNER: usize = 0;
    pub const LENGTH: usize = 8;
    pub const NAME_LEN: usize = 12;
    pub const HIDDEN: usize = 16;
    pub const CONDITION: usize = 17;
}

/// `register-anonymous.bin` with other bytes at an offset.
fn damaged(at: usize, with: &[u8]) -> Result<Trigger, ErrorKind> {
    let mut bytes = vector("register-anonymous.bin");
    bytes[at..at + with.len()].copy_from_slice(with);
    Trigger::decode_payload(&bytes, 0).map_err(|error| error.kind)
}

#[test]
fn malformed_triggers() {
    let length = 45;
    assert_eq!(vector("register-anonymous.bin").len(), offset::CONDITION + length as usize);
    let too_large = 1_u64 << 32;
    assert_eq!(damaged(offset::OWNER, &too_large.to_ne_bytes()), Err(ErrorKind::BadValue(too_large)));
    assert_eq!(damaged(offset::LENGTH, &[length - 1]), Err(ErrorKind::TooLong(u64::from(length) - 1)));
    assert_eq!(damaged(offset::LENGTH, &[length + 1]), Err(ErrorKind::TooLong(u64::from(length) + 1)));
    assert_eq!(damaged(offset::LENGTH, &[0xff; 4]), Err(ErrorKind::TooLong(u32::MAX.into())));
    assert_eq!(damaged(offset::NAME_LEN, &[0xff; 4]), Err(ErrorKind::Truncated));
    assert_eq!(damaged(offset::NAME_LEN, &[1]), Err(ErrorKind::BadString));
    assert_eq!(damaged(offset::CONDITION, &[99]), Err(ErrorKind::BadValue(99)));
    assert_eq!(damaged(offset::CONDITION + 1, &[8]), Err(ErrorKind::BadValue(8)));
    let bytes = vector("register-anonymous.bin");
    let long = [&bytes[..], &[0]].concat();
    assert_eq!(Trigger::decode_payload(&long, 0).unwrap_err().kind, ErrorKind::TrailingBytes);
    for end in 0..bytes.len() {
        assert!(Trigger::decode_payload(&bytes[..end], 0).is_err(), "{end}");
    }
}

#[test]
fn odd_triggers_that_are_accepted() {
    let anonymous = registered("anonymous");
    let largest = damaged(offset::OWNER, &u64::from(u32::MAX).to_ne_bytes()).unwrap();
    assert_eq!(largest, Trigger { owner: u32::MAX, ..anonymous.clone() });
    // Any flag but 0 is true, and descriptors that nothing needs do no harm.
    let hidden = damaged(offset::HIDDEN, &[9]).unwrap();
    assert_eq!(hidden, Trigger { hidden: true, ..anonymous.clone() });
    assert_eq!(hidden.encode_payload()[offset::HIDDEN], 1);
    assert!(Trigger::decode_payload(&vector("register-anonymous.bin"), 3).is_ok());
    let named = |name: &str| Trigger { name: Some(name.to_owned()), ..anonymous.clone() };
    for name in ["", &"n".repeat(1000), "é"] {
        assert_eq!(Trigger::decode_payload(&named(name).encode_payload(), 0), Ok(named(name)));
    }
    // What is not UTF-8 is replaced.
    let mut bytes = named("a?b").encode_payload();
    bytes[offset::CONDITION + 1] = 0xff;
    assert_eq!(Trigger::decode_payload(&bytes, 0), Ok(named("a\u{fffd}b")));
    // So are runs of stars, as the original does.
    let mut starry = registered("er-user-tracepoint-full");
    let Condition::EventRuleMatches { rule: EventRule::UserTracepoint { pattern, .. }, .. } =
        &mut starry.condition
    else {
        panic!()
    };
    *pattern = "a**b***".into();
    let again = Trigger::decode_payload(&starry.encode_payload(), 0).unwrap();
    let Condition::EventRuleMatches { rule: EventRule::UserTracepoint { pattern, .. }, .. } = again.condition
    else {
        panic!()
    };
    assert_eq!(pattern, "a*b*");
}

#[test]
fn the_same_trigger() {
    let trigger = registered("act-notify-every-5");
    let other = |change: &dyn Fn(&mut Trigger)| {
        let mut other = trigger.clone();
        change(&mut other);
        trigger.same_as(&other)
    };
    assert!(other(&|_| {}));
    assert!(!other(&|other| other.owner = 1));
    assert!(!other(&|other| other.hidden = true));
    assert!(!other(&|other| other.name = None));
    assert!(!other(&|other| other.name = Some("another".to_owned())));
    assert!(!other(&|other| other.action = Action::Notify { rate: every(6) }));
    assert!(!other(&|other| other.action = Action::List(vec![Action::Notify { rate: every(5) }])));
    assert!(!other(&|other| other.condition = Condition::RotationOngoing { session: "s".to_owned() }));
    // What a system call's rule does not compare.
    let syscall = |site| Trigger {
        condition: Condition::EventRuleMatches {
            rule: EventRule::KernelSyscall { site, pattern: "*".into(), filter: None },
            captures: Vec::new(),
        },
        ..trigger.clone()
    };
    assert!(syscall(EmissionSite::Entry).same_as(&syscall(EmissionSite::Exit)));
}

/// As long as a request may be, and nothing but brackets.
#[test]
fn hostile_nesting_needs_no_stack() {
    let mut bytes = vector("register-anonymous.bin");
    let captures = bytes.len() - 10 - 4;
    bytes.truncate(captures);
    bytes.extend(1_u32.to_ne_bytes());
    bytes.resize(1 << 20, 3);
    assert_eq!(Trigger::decode_payload(&bytes, 0).unwrap_err().kind, ErrorKind::TooLong(33));
}
