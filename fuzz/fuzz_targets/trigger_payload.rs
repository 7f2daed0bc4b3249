// SPDX-License-Identifier: GPL-2.0-only
//! A trigger, a list of them, an error query or its results, as they follow a request or a reply. The recorded
//! `trigger/register-*.bin` and `trigger/*.request-payload.bin` are seeds.
//!
//! Must never panic; what decodes must encode to bytes that decode, are the same trigger and stay as they are.
//! Values are not compared: a ratio may be not a number, which equals nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::trigger::{Condition, ErrorQuery, ErrorQueryTarget, ErrorResult, Trigger};
use lttng_protocol::ust::event_notifier::EventNotifier;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(trigger) = Trigger::decode_payload(bytes, 1) {
        let again = trigger.encode_payload();
        let decoded = Trigger::decode_payload(&again, trigger.fd_count()).expect("what was encoded decodes");
        assert!(decoded.same_as(&trigger) && trigger.same_as(&decoded));
        assert_eq!(decoded.encode_payload(), again);
        assert_eq!(Trigger::decode_payload(bytes, 0).is_err(), trigger.fd_count() > 0);
        if let Condition::EventRuleMatches { rule, captures } = &trigger.condition {
            assert!(captures.iter().all(|capture| capture.root_and_indexes().is_some()));
            if let Some(notifier) = EventNotifier::for_rule(rule, 1, 2) {
                assert_eq!(EventNotifier::decode(&notifier.encode()), Ok(notifier));
            }
        }
    }
    if let Ok(triggers) = Trigger::decode_list(bytes) {
        let again = Trigger::encode_list(&triggers);
        let decoded = Trigger::decode_list(&again).expect("what was encoded decodes");
        assert_eq!(Trigger::encode_list(&decoded), again);
    }
    if let Ok(query) = ErrorQuery::decode(bytes, 1) {
        if let ErrorQueryTarget::Action(path) = &query.target {
            assert!(query.trigger.action.at(path).is_some());
        }
        let again = query.encode();
        let decoded = ErrorQuery::decode(&again, 1).expect("what was encoded decodes");
        assert_eq!((&decoded.target, decoded.encode()), (&query.target, again));
    }
    if let Ok(results) = ErrorResult::decode_list(bytes) {
        assert_eq!(ErrorResult::decode_list(&ErrorResult::encode_list(&results)), Ok(results));
    }
});
