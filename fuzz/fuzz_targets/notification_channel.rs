// SPDX-License-Identifier: GPL-2.0-only
//! What one side says on a notification socket, message after message. The recorded `trigger/channel-*.bin` and
//! `trigger/notification-*.bin` are seeds.
//!
//! Must never panic; what decodes must encode to bytes that decode and stay as they are. Values are not compared: a
//! ratio may be not a number, which equals nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::trigger::channel::{ClientMessage, DaemonMessage, Header};

fn client(header: &Header, payload: &[u8]) {
    let Ok(message) = ClientMessage::decode(header, payload) else { return };
    assert!(message.fd_count() <= header.fd_count);
    let again = message.encode();
    let (head, payload) = again.split_at(Header::LEN);
    // Text that is not UTF-8 grows where it is replaced, beyond what a client may send.
    let header = Header::decode(head).expect("what was encoded decodes");
    let decoded = ClientMessage::decode(&header, payload).expect("what was encoded decodes");
    assert_eq!(decoded.encode(), again);
}

fn daemon(header: &Header, payload: &[u8]) {
    let Ok(message) = DaemonMessage::decode(header, payload) else { return };
    let again = message.encode();
    let (head, payload) = again.split_at(Header::LEN);
    let header = Header::decode(head).expect("what was encoded decodes");
    let decoded = DaemonMessage::decode(&header, payload).expect("what was encoded decodes");
    assert_eq!(decoded.encode(), again);
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes;
    while let Some((head, rest)) = bytes.split_at_checked(Header::LEN) {
        let Ok(header) = Header::decode(head) else { return };
        let from_client = Header::from_client(head);
        assert!(from_client.as_ref().map_or(true, |from_client| *from_client == header));
        let payload = rest.get(..header.length as usize).unwrap_or(rest);
        if from_client.is_ok() {
            client(&header, payload);
        }
        daemon(&header, payload);
        bytes = &rest[payload.len()..];
    }
});
