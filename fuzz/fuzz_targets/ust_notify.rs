// SPDX-License-Identifier: GPL-2.0-only
//! What an application sends on its notify socket, and the field descriptors in it.
//!
//! Must never panic, and must say the length of a request from its head as the decoder sees it. Text is not
//! compared: what is not UTF-8 in it was replaced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::ust::notify::{Reply, Request};

fuzz_target!(|bytes: &[u8]| {
    let length = Request::length(bytes);
    if let Ok(request) = Request::decode(bytes) {
        assert_eq!(length, Ok(Some(bytes.len())));
        let encoded = request.encode();
        assert_eq!(Request::length(&encoded), Ok(Some(encoded.len())));
        Request::decode(&encoded).expect("what was encoded decodes");
    }
    if let Ok(reply) = Reply::decode(bytes) {
        assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }
});
