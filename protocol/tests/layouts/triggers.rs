// SPDX-License-Identifier: GPL-2.0-only
//! Triggers, notifications and queries of errors.

use std::num::NonZeroU64;

use lttng_protocol::Reader;
use lttng_protocol::client::{ArchiveLocation, Domain, ProbeLocation, SnapshotOutput};
use lttng_protocol::trigger::channel::{ClientMessage, DaemonMessage, Header, Status, Version};
use lttng_protocol::trigger::*;

use crate::maker::{Maker, encoded, made};
use crate::{WIDE, WORD};

pub fn check(maker: &mut Maker) {
    conditions(maker);
    evaluations(maker);
    rules(maker);
    actions(maker);
    triggers(maker);
    messages(maker);
}

fn condition(condition: Condition, bytes: &[u8]) {
    assert_eq!(encoded(|w| condition.encode(w)), bytes, "{condition:?}");
    assert_eq!(Condition::decode(&mut Reader::new("condition", bytes)), Ok(condition));
}

fn conditions(maker: &mut Maker) {
    let kind =
        |maker: &mut Maker, kind: i32| made!(maker, "lttng_condition_comm", { "condition_type": kind });
    let body = made!(maker, "lttng_condition_session_consumed_size_comm", {
        "consumed_threshold_bytes": WIDE, "session_name_len": 2,
    });
    let bytes = [kind(maker, 100), body, b"s\0".to_vec()].concat();
    condition(Condition::SessionConsumedSize { session: "s".into(), bytes: WIDE }, &bytes);
    let usage = |threshold| BufferUsage {
        threshold,
        domain: Domain::Python,
        session: "s".into(),
        channel: "ch".into(),
    };
    let body = made!(maker, "lttng_condition_buffer_usage_comm", {
        "threshold_set_in_bytes": 1, "threshold_bytes": WIDE, "session_name_len": 2, "channel_name_len": 3,
        "domain_type": 5,
    });
    let bytes = [kind(maker, 101), body, b"s\0ch\0".to_vec()].concat();
    condition(Condition::BufferUsageHigh(usage(Threshold::Bytes(WIDE))), &bytes);
    // 0.3, which has not the same bytes from either end.
    let body = made!(maker, "lttng_condition_buffer_usage_comm", {
        "threshold_ratio": 0x3fd3_3333_3333_3333_u64, "session_name_len": 2, "channel_name_len": 3, "domain_type": 5,
    });
    let bytes = [kind(maker, 102), body, b"s\0ch\0".to_vec()].concat();
    condition(Condition::BufferUsageLow(usage(Threshold::Ratio(0.3))), &bytes);
    let body = made!(maker, "lttng_condition_session_rotation_comm", { "session_name_len": 2 });
    let bytes = [kind(maker, 103), body, b"s\0".to_vec()].concat();
    condition(Condition::RotationOngoing { session: "s".into() }, &bytes);
}

fn evaluation(maker: &mut Maker, number: i32, evaluation: Evaluation, body: &[u8]) {
    let bytes = [&made!(maker, "lttng_evaluation_comm", { "type": number })[..], body].concat();
    assert_eq!(encoded(|w| evaluation.encode(w)), bytes, "{evaluation:?}");
    assert_eq!(Evaluation::decode(&mut Reader::new("evaluation", &bytes)), Ok(evaluation));
}

fn evaluations(maker: &mut Maker) {
    let body = made!(maker, "lttng_evaluation_session_consumed_size_comm", { "session_consumed": WIDE });
    evaluation(maker, 100, Evaluation::SessionConsumedSize { bytes: WIDE }, &body);
    let body = made!(maker, "lttng_evaluation_buffer_usage_comm", { "buffer_use": WIDE, "buffer_capacity": WIDE + 1 });
    evaluation(maker, 101, Evaluation::BufferUsageHigh { used: WIDE, capacity: WIDE + 1 }, &body);
    let body = made!(maker, "lttng_evaluation_session_rotation_comm", { "id": WIDE });
    evaluation(maker, 103, Evaluation::RotationOngoing { id: WIDE }, &body);
    let body = [
        made!(maker, "lttng_evaluation_session_rotation_comm", { "id": WIDE, "has_location": 1 }),
        made!(maker, "lttng_trace_archive_location_comm", { "type": 1, "types.local.absolute_path_len": 3 }),
        b"/a\0".to_vec(),
    ]
    .concat();
    let location = Some(ArchiveLocation::Local { path: "/a".into() });
    evaluation(maker, 104, Evaluation::RotationCompleted { id: WIDE, location }, &body);
}

fn rule(maker: &mut Maker, number: i32, rule: EventRule, body: &[u8]) {
    let bytes = [&made!(maker, "lttng_event_rule_comm", { "event_rule_type": number })[..], body].concat();
    assert_eq!(encoded(|w| rule.encode(w)), bytes, "{rule:?}");
    assert_eq!(EventRule::decode(&mut Reader::new("rule", &bytes)), Ok(rule));
}

fn rules(maker: &mut Maker) {
    let (pattern, filter) = (|| "pat".into(), || Some("fi".into()));
    let body = made!(maker, "lttng_event_rule_kernel_syscall_comm", {
        "emission_site": 2, "pattern_len": 4, "filter_expression_len": 3,
    });
    let syscall = EventRule::KernelSyscall { site: EmissionSite::Exit, pattern: pattern(), filter: filter() };
    rule(maker, 0, syscall, &[&body[..], b"pat\0fi\0"].concat());
    let body = made!(maker, "lttng_event_rule_kernel_tracepoint_comm", { "pattern_len": 4, "filter_expression_len": 3 });
    let tracepoint = EventRule::KernelTracepoint { pattern: pattern(), filter: filter() };
    rule(maker, 2, tracepoint, &[&body[..], b"pat\0fi\0"].concat());

    let level = made!(maker, "lttng_log_level_rule_comm", { "type": 1, "level": 0x0d });
    let body = made!(maker, "lttng_event_rule_user_tracepoint_comm", {
        "pattern_len": 4, "filter_expression_len": 3, "log_level_rule_len": level.len(), "exclusions_count": 1,
        "exclusions_len": 7,
    });
    let exclusion = made!(maker, "lttng_event_exclusion_comm", { "len": 3 });
    let user = EventRule::UserTracepoint {
        pattern: pattern(),
        filter: filter(),
        log_level: Some(LogLevelRule::AtLeast(0x0d)),
        exclusions: vec!["ex".into()],
    };
    rule(maker, 4, user, &[&body[..], b"pat\0fi\0", &level, &exclusion, b"ex\0"].concat());
    let level = made!(maker, "lttng_log_level_rule_comm", { "type": 0, "level": WORD });
    let body = made!(maker, "lttng_event_rule_jul_logging_comm", {
        "pattern_len": 4, "filter_expression_len": 3, "log_level_rule_len": level.len(),
    });
    let log_level = Some(LogLevelRule::Exactly(WORD as i32));
    let logging =
        EventRule::Logging { domain: LoggingDomain::Jul, pattern: pattern(), filter: filter(), log_level };
    rule(maker, 5, logging, &[&body[..], b"pat\0fi\0", &level].concat());

    for (location, bytes) in [
        (
            KernelLocation::Symbol { symbol: "sy".into(), offset: WIDE },
            [
                made!(maker, "lttng_kernel_probe_location_comm", { "type": 0 }),
                made!(maker, "lttng_kernel_probe_location_symbol_comm", { "symbol_len": 3, "offset": WIDE }),
                b"sy\0".to_vec(),
            ]
            .concat(),
        ),
        (
            KernelLocation::Address(WIDE),
            [
                made!(maker, "lttng_kernel_probe_location_comm", { "type": 1 }),
                made!(maker, "lttng_kernel_probe_location_address_comm", { "address": WIDE }),
            ]
            .concat(),
        ),
    ] {
        let body = made!(maker, "lttng_event_rule_kernel_kprobe_comm", { "name_len": 2, "location_len": bytes.len() });
        let kprobe = EventRule::KernelKprobe { name: "k".into(), location };
        rule(maker, 1, kprobe, &[&body[..], b"k\0", &bytes].concat());
    }
    let place = ProbeLocation::Function { function: "f".into(), binary: "/b".into(), elf: true };
    let location = [
        made!(maker, "lttng_userspace_probe_location_comm", { "type": 0 }),
        made!(maker, "lttng_userspace_probe_location_function_comm", { "function_name_len": 2, "binary_path_len": 3 }),
        b"f\0/b\0\x01".to_vec(),
    ]
    .concat();
    let body = made!(maker, "lttng_event_rule_kernel_uprobe_comm", { "name_len": 2, "location_len": location.len() });
    let uprobe =
        EventRule::KernelUprobe { name: "u".into(), location: UserspaceLocation { place, binary: None } };
    rule(maker, 3, uprobe, &[&body[..], b"u\0", &location].concat());
}

fn rate(maker: &mut Maker, number: u64) -> Vec<u8> {
    [
        made!(maker, "lttng_rate_policy_comm", { "rate_policy_type": 1 }),
        made!(maker, "lttng_rate_policy_once_after_n_comm", { "threshold": number }),
    ]
    .concat()
}

fn actions(maker: &mut Maker) {
    let policy = RatePolicy::OnceAfterN(NonZeroU64::new(WIDE).unwrap());
    let rate = rate(maker, WIDE);
    let kind = |maker: &mut Maker, kind: i32| made!(maker, "lttng_action_comm", { "action_type": kind });
    let name = made!(maker, "lttng_action_start_session_comm", { "session_name_len": 2 });
    let start = [&kind(maker, 1)[..], &name, b"s\0", &rate].concat();
    let output = made!(maker, "lttng_snapshot_output", { "id": WORD, "max_size": WIDE, "name": "n" });
    let lengths = made!(maker, "lttng_action_snapshot_session_comm", {
        "session_name_len": 2, "snapshot_output_len": output.len(), "rate_policy_len": rate.len(),
    });
    let snapshot = [&kind(maker, 4)[..], &lengths, b"s\0", &output, &rate].concat();
    let count = made!(maker, "lttng_action_list_comm", { "action_count": 2 });
    let list = [&kind(maker, 5)[..], &count, &start, &snapshot].concat();
    let (control_url, data_url) = (String::new(), String::new());
    let output = SnapshotOutput { id: WORD, max_size: Some(WIDE), name: "n".into(), control_url, data_url };
    let action = Action::List(vec![
        Action::StartSession { session: "s".into(), rate: policy },
        Action::SnapshotSession { session: "s".into(), output: Some(Box::new(output)), rate: policy },
    ]);
    assert!(encoded(|w| action.encode(w)) == list);
    assert_eq!(Action::decode(&mut Reader::new("action", &list)), Ok(action));
}

/// A trigger of [`WORD`] with a name, and its bytes.
fn trigger(maker: &mut Maker) -> (Trigger, Vec<u8>) {
    let condition = made!(maker, "lttng_condition_comm", { "condition_type": 104 });
    let session = made!(maker, "lttng_condition_session_rotation_comm", { "session_name_len": 2 });
    let action = [made!(maker, "lttng_action_comm", { "action_type": 0 }), rate(maker, WIDE)].concat();
    let count = made!(maker, "lttng_action_list_comm", { "action_count": 1 });
    let list = made!(maker, "lttng_action_comm", { "action_type": 5 });
    let body = [b"t\0", &condition[..], &session, b"s\0", &list, &count, &action].concat();
    let head = made!(maker, "lttng_trigger_comm", {
        "uid": WORD, "length": body.len(), "name_length": 2, "is_hidden": 1,
    });
    let rate = RatePolicy::OnceAfterN(NonZeroU64::new(WIDE).unwrap());
    let trigger = Trigger {
        owner: WORD,
        name: Some("t".into()),
        hidden: true,
        condition: Condition::RotationCompleted { session: "s".into() },
        action: Action::List(vec![Action::Notify { rate }]),
    };
    (trigger, [head, body].concat())
}

fn triggers(maker: &mut Maker) {
    let (trigger, bytes) = trigger(maker);
    assert_eq!(trigger.encode_payload(), bytes);
    assert_eq!(Trigger::decode_payload(&bytes, 0).as_ref(), Ok(&trigger));
    for (command, anonymous) in [(43, 1), (44, 0)] {
        let boxed = Box::new(trigger.clone());
        let body = match command {
            43 => lttng_protocol::client::Body::RegisterTrigger { trigger: boxed, anonymous: true },
            _ => lttng_protocol::client::Body::UnregisterTrigger(boxed),
        };
        let head = made!(maker, "lttcomm_session_msg", {
            "cmd_type": command, "u.trigger.length": bytes.len(), "u.trigger.is_trigger_anonymous": anonymous,
        });
        assert!(body.request("", None) == [&head[..], &bytes].concat());
    }
    let lists = made!(maker, "lttng_triggers_comm", { "count": 2, "length": 2 * bytes.len() });
    assert_eq!(Trigger::encode_list([&trigger, &trigger]), [&lists[..], &bytes, &bytes].concat());

    let query = ErrorQuery { target: ErrorQueryTarget::Action(vec![0]), trigger };
    let target = made!(maker, "lttng_error_query_comm", { "target_type": 2 });
    let path = made!(maker, "lttng_action_path_comm", { "index_count": 1 });
    let query_bytes = [&target[..], &bytes, &path, &[0; 8]].concat();
    assert_eq!(query.encode(), query_bytes);
    assert_eq!(ErrorQuery::decode(&query_bytes, 0).as_ref(), Ok(&query));
    let head =
        made!(maker, "lttcomm_session_msg", { "cmd_type": 52, "u.error_query.length": query_bytes.len() });
    let body = lttng_protocol::client::Body::ErrorQuery(Box::new(query));
    assert!(body.request("", None) == [&head[..], &query_bytes].concat());
    let results = [ErrorResult { name: "n".into(), description: "de".into(), value: WIDE }];
    let bytes = [
        made!(maker, "lttng_error_query_results_comm", { "count": 1 }),
        made!(maker, "lttng_error_query_result_comm", { "type": 0, "name_len": 2, "description_len": 3 }),
        b"n\0de\0".to_vec(),
        made!(maker, "lttng_error_query_result_counter_comm", { "value": WIDE }),
    ]
    .concat();
    assert_eq!(ErrorResult::encode_list(&results), bytes);
    assert_eq!(ErrorResult::decode_list(&bytes).as_deref(), Ok(&results[..]));
}

fn messages(maker: &mut Maker) {
    let head = |maker: &mut Maker, kind: i32, size: usize| made!(maker, "lttng_notification_channel_message", { "type": kind, "size": size });
    let version = made!(maker, "lttng_notification_channel_command_handshake", { "major": 1, "minor": 1 });
    let bytes = [head(maker, 0, 2), version].concat();
    assert_eq!(ClientMessage::Handshake(Version::CURRENT).encode(), bytes);
    let status = made!(maker, "lttng_notification_channel_command_reply", { "status": Status::Ok.number() });
    assert_eq!(DaemonMessage::Reply(Status::Ok).encode(), [head(maker, 3, 1), status].concat());
    let bytes =
        made!(maker, "lttng_notification_channel_message", { "type": 1, "size": WORD, "fds": WORD + 1 });
    let header = Header::decode(&bytes).unwrap();
    assert_eq!((header.length, header.fd_count), (WORD, WORD + 1));

    let (trigger, bytes) = trigger(maker);
    let evaluation = Evaluation::RotationCompleted { id: WIDE, location: None };
    let completed = [
        made!(maker, "lttng_evaluation_comm", { "type": 104 }),
        made!(maker, "lttng_evaluation_session_rotation_comm", { "id": WIDE }),
    ]
    .concat();
    let length = made!(maker, "lttng_notification_comm", { "length": bytes.len() + completed.len() });
    let payload = [length, bytes, completed].concat();
    let whole = [head(maker, 4, payload.len()), payload].concat();
    let notification = Notification { trigger, evaluation };
    assert_eq!(DaemonMessage::Notification(Box::new(notification)).encode(), whole);
}
