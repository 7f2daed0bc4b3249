// SPDX-License-Identifier: GPL-2.0-only
//! The first message of an application on either socket.
//!
//! Must never panic; what decodes must encode to a registration that decodes to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::ust::Registration;

fuzz_target!(|bytes: &[u8]| {
    let Ok(registration) = Registration::decode(bytes) else { return };
    let encoded = registration.encode();
    assert_eq!(encoded.len(), Registration::LEN);
    assert_eq!(Registration::decode(&encoded), Ok(registration));
});
