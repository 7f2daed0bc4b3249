// SPDX-License-Identifier: GPL-2.0-only
//! Triggers and all that is said about them, with arbitrary contents: encoded and decoded it is the same again. And
//! no bytes whatever make a decoder panic; what it takes of damaged bytes goes round too.

// Strategies stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[allow(dead_code, reason = "only what turns recordings round is needed")]
#[path = "layouts/messages.rs"]
mod messages;
#[allow(dead_code, reason = "only what turns recordings round is needed")]
#[path = "layouts/table.rs"]
mod table;
#[path = "layouts/turn.rs"]
mod turn;

use lttng_protocol::client::{ArchiveLocation, Domain, ProbeLocation, SnapshotOutput};
use lttng_protocol::expression::{EventExpression, MAX_DEPTH};
use lttng_protocol::trigger::channel::{ClientMessage, DaemonMessage, Header, Status, Version};
use lttng_protocol::trigger::*;
use lttng_protocol::ust::event_notifier::EventNotification;
use lttng_protocol::{Reader, Text};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::num::NonZeroU64;
use std::path::PathBuf;

fn text() -> impl Strategy<Value = String> {
    "[a-z*$é]{0,12}"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z*$é]{1,12}"
}

/// Text that is kept byte for byte, UTF-8 or not.
fn bytes(sizes: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Text> {
    vec(1..=u8::MAX, sizes).prop_map(Text::from)
}

fn pattern() -> impl Strategy<Value = Text> {
    let byte = prop_oneof![2 => Just(b'*'), 1 => Just(b'\\'), 4 => 1..=u8::MAX];
    vec(byte, 1..=300).prop_map(|pattern| normalise_pattern(&pattern))
}

fn expression() -> impl Strategy<Value = EventExpression> {
    let root = prop_oneof![
        text().prop_map(EventExpression::PayloadField),
        text().prop_map(EventExpression::ChannelContext),
        (text(), text()).prop_map(|(provider, kind)| EventExpression::AppContext { provider, kind }),
    ];
    (root, vec(any::<u32>(), 0..=MAX_DEPTH)).prop_map(|(root, indexes)| {
        let element = |parent, index| EventExpression::ArrayElement { index, parent: Box::new(parent) };
        indexes.into_iter().fold(root, element)
    })
}

fn log_level(levels: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = Option<LogLevelRule>> {
    let rule = (any::<bool>(), levels).prop_map(|(exactly, level)| match exactly {
        true => LogLevelRule::Exactly(level),
        false => LogLevelRule::AtLeast(level),
    });
    option::of(rule)
}

fn place() -> impl Strategy<Value = ProbeLocation> {
    prop_oneof![
        (text(), text()).prop_map(|(function, binary)| ProbeLocation::Function {
            function,
            binary,
            elf: true
        }),
        (text(), text(), text()).prop_map(|(probe, provider, binary)| ProbeLocation::Tracepoint {
            probe,
            provider,
            binary
        }),
    ]
}

fn rule() -> impl Strategy<Value = EventRule> {
    let sites = vec![EmissionSite::EntryExit, EmissionSite::Entry, EmissionSite::Exit];
    let kernel_location = prop_oneof![
        (text(), any::<u64>()).prop_map(|(symbol, offset)| KernelLocation::Symbol { symbol, offset }),
        any::<u64>().prop_map(KernelLocation::Address),
    ];
    let syscall = (prop::sample::select(sites), pattern(), option::of(bytes(1..=20)));
    let user = (pattern(), option::of(bytes(1..=20)), log_level(0..=14), vec(bytes(0..=255), 0..4));
    let logging = (
        prop::sample::select(LoggingDomain::ALL),
        pattern(),
        option::of(bytes(1..=20)),
        log_level(i32::MIN..=i32::MAX),
    );
    prop_oneof![
        syscall.prop_map(|(site, pattern, filter)| EventRule::KernelSyscall { site, pattern, filter }),
        (bytes(1..=20), kernel_location)
            .prop_map(|(name, location)| EventRule::KernelKprobe { name, location }),
        (pattern(), option::of(bytes(1..=20)))
            .prop_map(|(pattern, filter)| EventRule::KernelTracepoint { pattern, filter }),
        (bytes(1..=20), place()).prop_map(|(name, place)| EventRule::KernelUprobe {
            name,
            location: UserspaceLocation { place, binary: None }
        }),
        user.prop_map(|(pattern, filter, log_level, exclusions)| EventRule::UserTracepoint {
            pattern,
            filter,
            log_level,
            exclusions
        }),
        logging.prop_map(|(domain, pattern, filter, log_level)| EventRule::Logging {
            domain,
            pattern,
            filter,
            log_level
        }),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let threshold =
        prop_oneof![any::<u64>().prop_map(Threshold::Bytes), (0.0..=1.0_f64).prop_map(Threshold::Ratio)];
    let domains = vec![Domain::Kernel, Domain::Ust, Domain::Jul, Domain::Log4j, Domain::Python];
    let names = || "[a-z]{1,254}";
    let usage = (any::<bool>(), threshold, prop::sample::select(domains), names(), names());
    let matches = (rule(), vec(expression(), 0..4));
    prop_oneof![
        1 => (names(), any::<u64>())
            .prop_map(|(session, bytes)| Condition::SessionConsumedSize { session, bytes }),
        2 => usage.prop_map(|(high, threshold, domain, session, channel)| {
            let usage = BufferUsage { threshold, domain, session, channel };
            if high { Condition::BufferUsageHigh(usage) } else { Condition::BufferUsageLow(usage) }
        }),
        1 => names().prop_map(|session| Condition::RotationOngoing { session }),
        1 => names().prop_map(|session| Condition::RotationCompleted { session }),
        4 => matches.prop_map(|(rule, captures)| {
            let captures = if rule.can_capture() { captures } else { Vec::new() };
            Condition::EventRuleMatches { rule, captures }
        }),
    ]
}

prop_compose! {
    fn output()(
        (id, max_size) in (any::<u32>(), option::of(0..u64::MAX)),
        (name, control_url, data_url) in (text(), text(), text()),
    ) -> SnapshotOutput {
        SnapshotOutput { id, max_size, name, control_url, data_url }
    }
}

fn one_action() -> impl Strategy<Value = Action> {
    let rate = || {
        (any::<bool>(), 1..=u64::MAX).prop_map(|(every, number)| {
            match (every, NonZeroU64::new(number).unwrap()) {
                (true, number) => RatePolicy::EveryN(number),
                (false, number) => RatePolicy::OnceAfterN(number),
            }
        })
    };
    prop_oneof![
        rate().prop_map(|rate| Action::Notify { rate }),
        (name(), rate()).prop_map(|(session, rate)| Action::StartSession { session, rate }),
        (name(), rate()).prop_map(|(session, rate)| Action::StopSession { session, rate }),
        (name(), rate()).prop_map(|(session, rate)| Action::RotateSession { session, rate }),
        (name(), option::of(output()), rate()).prop_map(|(session, output, rate)| {
            Action::SnapshotSession { session, output: output.map(Box::new), rate }
        }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![one_action(), vec(one_action(), 0..5).prop_map(Action::List)]
}

prop_compose! {
    fn trigger()(
        (owner, hidden) in any::<(u32, bool)>(),
        name in option::of(text()),
        condition in condition(),
        action in action(),
    ) -> Trigger {
        Trigger { owner, name, hidden, condition, action }
    }
}

/// An evaluation that fits the condition.
fn evaluation(kind: ConditionKind) -> BoxedStrategy<Evaluation> {
    let location = prop_oneof![
        text().prop_map(|path| ArchiveLocation::Local { path }),
        (text(), any::<(u16, u16)>(), text()).prop_map(|(host, (control_port, data_port), path)| {
            ArchiveLocation::Relay { host, control_port, data_port, path }
        }),
    ];
    let two = any::<(u64, u64)>();
    match kind {
        ConditionKind::SessionConsumedSize => {
            any::<u64>().prop_map(|bytes| Evaluation::SessionConsumedSize { bytes }).boxed()
        }
        ConditionKind::BufferUsageHigh => {
            two.prop_map(|(used, capacity)| Evaluation::BufferUsageHigh { used, capacity }).boxed()
        }
        ConditionKind::BufferUsageLow => {
            two.prop_map(|(used, capacity)| Evaluation::BufferUsageLow { used, capacity }).boxed()
        }
        ConditionKind::RotationOngoing => {
            any::<u64>().prop_map(|id| Evaluation::RotationOngoing { id }).boxed()
        }
        ConditionKind::RotationCompleted => (any::<u64>(), option::of(location))
            .prop_map(|(id, location)| Evaluation::RotationCompleted { id, location })
            .boxed(),
        ConditionKind::EventRuleMatches => {
            vec(any::<u8>(), 0..64).prop_map(|captures| Evaluation::EventRuleMatches { captures }).boxed()
        }
    }
}

fn notification() -> impl Strategy<Value = Notification> {
    trigger().prop_flat_map(|trigger| {
        evaluation(trigger.condition.kind())
            .prop_map(move |evaluation| Notification { trigger: trigger.clone(), evaluation })
    })
}

/// Recorded bytes of everything that a client or an application sends.
fn recorded() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/trigger");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "bin"));
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Feeds bytes to every decoder. What one takes must encode to bytes that it takes again, and that then stay as
/// they are. Values are not compared: a ratio may be not a number, which equals nothing.
fn decode_everything(bytes: &[u8]) {
    if let Ok(trigger) = Trigger::decode_payload(bytes, 1) {
        let again = trigger.encode_payload();
        let decoded = Trigger::decode_payload(&again, 1).unwrap();
        assert!(decoded.encode_payload() == again && decoded.same_as(&trigger));
    }
    if let Ok(triggers) = Trigger::decode_list(bytes) {
        let again = Trigger::encode_list(&triggers);
        assert!(Trigger::encode_list(&Trigger::decode_list(&again).unwrap()) == again);
    }
    if let Ok(query) = ErrorQuery::decode(bytes, 1) {
        let again = query.encode();
        assert!(ErrorQuery::decode(&again, 1).unwrap().encode() == again);
    }
    if let Ok(results) = ErrorResult::decode_list(bytes) {
        let again = ErrorResult::encode_list(&results);
        assert_eq!(ErrorResult::decode_list(&again), Ok(results));
    }
    let Some((head, payload)) = bytes.split_at_checked(Header::LEN) else { return };
    if let Ok(message) = Header::from_client(head).and_then(|header| ClientMessage::decode(&header, payload))
    {
        let again = message.encode();
        let header = Header::from_client(&again[..Header::LEN]);
        // A name that was not UTF-8 may have grown beyond what a client may send.
        if let Ok(header) = header {
            let decoded = ClientMessage::decode(&header, &again[Header::LEN..]).unwrap();
            assert_eq!(decoded.encode(), again);
        }
    }
    if let Ok(message) = Header::decode(head).and_then(|header| DaemonMessage::decode(&header, payload)) {
        let again = message.encode();
        let header = Header::decode(&again[..Header::LEN]).unwrap();
        assert_eq!(DaemonMessage::decode(&header, &again[Header::LEN..]).unwrap().encode(), again);
    }
    if let Ok(told) = EventNotification::decode(bytes) {
        assert_eq!(EventNotification::length(bytes), Ok(Some(bytes.len())));
        assert_eq!(EventNotification::decode(&told.encode()), Ok(told));
    }
}

/// What was recorded on a little-endian machine, in the order of this one.
#[test]
fn recorded_triggers_go_round_on_every_machine() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/trigger");
    let mut checked = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // In outputs there is what was on the original's stack.
        if !name.starts_with("register-") || name.contains(".reply.") || name.contains("-session-output") {
            continue;
        }
        let bytes = messages::trigger(&std::fs::read(folder.join(&name)).unwrap());
        let trigger = Trigger::decode_payload(&bytes, 1).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(trigger.encode_payload(), bytes, "{name}");
        checked += 1;
    }
    assert_eq!(checked, 31);
}

proptest! {
    #[test]
    fn triggers_go_round(trigger in trigger()) {
        prop_assert!(trigger.same_as(&trigger.clone()));
        let bytes = trigger.encode_payload();
        prop_assert_eq!(Trigger::decode_payload(&bytes, trigger.fd_count()), Ok(trigger));
    }

    #[test]
    fn lists_go_round(triggers in vec(trigger(), 0..4)) {
        prop_assert_eq!(Trigger::decode_list(&Trigger::encode_list(&triggers)), Ok(triggers));
    }

    #[test]
    fn sameness_has_no_direction(first in trigger(), second in trigger()) {
        prop_assert_eq!(first.same_as(&second), second.same_as(&first));
        prop_assert_eq!(first.condition.same_as(&second.condition), second.condition.same_as(&first.condition));
    }

    #[test]
    fn error_queries_go_round(trigger in trigger(), kind in 0..3, index in any::<prop::sample::Index>()) {
        let target = match (kind, &trigger.action) {
            (0, _) => ErrorQueryTarget::Trigger,
            (1, _) => ErrorQueryTarget::Condition,
            (_, Action::List(actions)) if !actions.is_empty() => {
                ErrorQueryTarget::Action(vec![index.index(actions.len()) as u64])
            }
            _ => ErrorQueryTarget::Action(Vec::new()),
        };
        let query = ErrorQuery { target, trigger };
        prop_assert_eq!(ErrorQuery::decode(&query.encode(), 1), Ok(query));
    }

    #[test]
    fn notifications_go_round(notification in notification()) {
        let message = DaemonMessage::Notification(Box::new(notification));
        let bytes = message.encode();
        let (head, payload) = bytes.split_at(Header::LEN);
        prop_assert_eq!(DaemonMessage::decode(&Header::decode(head).unwrap(), payload), Ok(message));
    }

    #[test]
    fn clients_messages_go_round(
        condition in condition(),
        subscribe in any::<bool>(),
        (major, minor) in any::<(u8, u8)>(),
    ) {
        let message = if subscribe { ClientMessage::Subscribe(condition) } else { ClientMessage::Unsubscribe(condition) };
        for message in [message, ClientMessage::Handshake(Version { major, minor })] {
            let bytes = message.encode();
            let (head, payload) = bytes.split_at(Header::LEN);
            prop_assert_eq!(ClientMessage::decode(&Header::from_client(head).unwrap(), payload), Ok(message));
        }
        for &status in Status::ALL {
            prop_assert_eq!(Status::from_number(status.number()), Some(status));
        }
    }

    #[test]
    fn evaluations_leave_what_follows(notification in notification(), rest in vec(any::<u8>(), 0..8)) {
        let mut writer = lttng_protocol::Writer::default();
        notification.evaluation.encode(&mut writer);
        writer.bytes(&rest);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new("test", &bytes);
        prop_assert_eq!(Evaluation::decode(&mut reader), Ok(notification.evaluation));
        prop_assert_eq!(reader.remaining(), rest.len());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        decode_everything(&bytes);
    }

    #[test]
    fn damaged_bytes_never_panic(
        choice in any::<prop::sample::Index>(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in option::of(any::<prop::sample::Index>()),
    ) {
        let recorded = recorded();
        let mut bytes = choice.get(&recorded).clone();
        for (at, value) in damage {
            *at.get_mut(&mut bytes) = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        decode_everything(&bytes);
        // Without the header of a reply, or of a message on a socket.
        for header in [24, 9, 1] {
            decode_everything(bytes.get(header..).unwrap_or_default());
        }
    }
}
