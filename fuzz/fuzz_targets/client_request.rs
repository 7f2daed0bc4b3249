// SPDX-License-Identifier: GPL-2.0-only
//! A client's request, 13156 bytes of header and what follows: the recorded `.req.bin` files are seeds.
//!
//! Must never panic; what decodes must encode to bytes that decode to the same, and is an action of its command.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::client::{Header, decode_body};
use lttng_sessiond::client::dialect::{Dialect, V2_13};

fuzz_target!(|bytes: &[u8]| {
    let Some((head, payload)) = bytes.split_at_checked(Header::LEN) else {
        assert!(Header::decode(bytes).is_err());
        return;
    };
    let header = Header::decode(head).expect("any bytes of the right length are a header");
    // Also with a payload that is not as long as the header says.
    let _ = decode_body(&header, payload.get(1..).unwrap_or_default());
    let Ok(body) = decode_body(&header, payload) else { return };
    assert_eq!(Some(body.command()), header.command());
    let action = V2_13.decode(body.command(), &header, payload).expect("what has a body is an action");
    assert_eq!(action.command(), body.command());
    let (header, payload) = body.encode(&header.session_name, header.domain_type, header.buffer_type);
    assert!(header.payload_len() == payload.len() as u64 && header.payload_len() <= header.payload_limit());
    assert_eq!(decode_body(&header, &payload), Ok(body));
});
