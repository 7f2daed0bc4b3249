// SPDX-License-Identifier: GPL-2.0-only
//! What agents say, registrations and lists, and what they are asked.
//!
//! Must never panic; what decodes must encode to the same bytes, or to bytes that decode to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::agent::{Code, Header, ListHead, Names, Registration, Request};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(registration) = Registration::decode(bytes) {
        assert_eq!(registration.encode(), bytes);
    }
    if let Ok(code) = Code::decode(bytes) {
        assert_eq!(code.encode(), bytes);
    }
    list(bytes);
    let Some((head, payload)) = bytes.split_at_checked(Header::LEN) else { return };
    let Ok(header) = Header::decode(head) else { return };
    let Ok(request) = Request::decode(&header, payload) else { return };
    let again = request.encode();
    let (head, payload) = again.split_at(Header::LEN);
    let header = Header::decode(head).expect("an encoded request is within the limit");
    assert_eq!(Request::decode(&header, payload), Ok(request));
});

fn list(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_at_checked(ListHead::LEN) else { return };
    let Ok(head) = ListHead::decode(head) else { return };
    assert!(head.following() <= (1 << 20) + 4);
    let Ok(names) = Names::decode(rest) else { return };
    assert!(names.held() <= rest.len());
    let slices: Vec<&[u8]> = names.iter().collect();
    assert_eq!(&Names::answer(&slices)[ListHead::LEN..], rest);
}
