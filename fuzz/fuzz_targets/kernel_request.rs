// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel tracer is asked, as a simulated one reads it: number of an ioctl and argument. Then what a tracer
//! answers, as the session daemon reads it.
//!
//! Must never panic; what decodes must encode to the same number, or the one before an older tracer's, and to an
//! argument that decodes to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::kernel::{AbiVersion, Argument, CounterValue, Request, TracerVersion};

fuzz_target!(|bytes: &[u8]| {
    let Some((number, argument)) = bytes.split_first_chunk() else { return };
    let number = u32::from_ne_bytes(*number);
    // Short inputs stand for an argument whose rest is zero, if the number says how long it is.
    let mut argument = argument.to_vec();
    let said = (number >> 16 & 0x3FFF) as usize;
    argument.resize(argument.len().max(said), 0);
    if let Ok(request) = Request::decode(number, &argument) {
        assert!(request.number() == number || request.alias() == Some(number));
        let again = match request.argument() {
            Argument::None => Vec::new(),
            Argument::Value(value) => value.to_ne_bytes().to_vec(),
            Argument::Buffer(bytes) => bytes,
        };
        assert_eq!(again.len(), argument.len());
        assert_eq!(Request::decode(number, &again), Ok(request));
    }
    if let Ok(version) = TracerVersion::decode(&argument) {
        assert_eq!(version.encode(), argument);
    }
    if let Ok(version) = AbiVersion::decode(&argument) {
        assert_eq!(version.encode(), argument);
    }
    if let Ok(value) = CounterValue::decode(&argument) {
        assert_eq!(CounterValue::decode(&value.encode(0)), Ok(value));
    }
});
