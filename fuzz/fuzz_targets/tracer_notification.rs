// SPDX-License-Identifier: GPL-2.0-only
//! What applications write to an event notifier pipe and the kernel tracer tells, one after another. The recorded
//! `trigger/ust-event-notification-*.bin` and `ust/pipe/*.bin` are seeds.
//!
//! Must never panic; where one notification ends is known from its first bytes, and what decodes must encode to the
//! same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::ust::event_notifier::EventNotification;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes;
    while let Ok(Some(length)) = EventNotification::length(bytes) {
        let head = &bytes[..EventNotification::HEADER_LEN];
        assert_eq!(EventNotification::length(head), Ok(Some(length)));
        let Some((whole, rest)) = bytes.split_at_checked(length) else {
            assert!(EventNotification::decode(bytes).is_err());
            return;
        };
        let told = EventNotification::decode(whole).expect("a whole notification decodes");
        assert!(told.captures.len() <= EventNotification::MAX_CAPTURES.into());
        assert_eq!(EventNotification::decode(&told.encode()), Ok(told));
        bytes = rest;
    }
});
