// SPDX-License-Identifier: GPL-2.0-only
//! The first message of an application on either socket.
//!
//! Must never panic; what decodes must encode to a registration that decodes too. Names are not compared: what
//! is not UTF-8 in them was replaced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::ust::Registration;

fuzz_target!(|bytes: &[u8]| {
    let Ok(registration) = Registration::decode(bytes) else { return };
    let encoded = registration.encode();
    assert_eq!(encoded.len(), Registration::LEN);
    let again = Registration::decode(&encoded).expect("what was encoded decodes");
    assert_eq!(
        Registration { name: String::new(), ..again },
        Registration { name: String::new(), ..registration }
    );
});
