// SPDX-License-Identifier: GPL-2.0-only
//! What an application sends on its command socket.
//!
//! Must never panic; what decodes must encode to bytes that decode. Names are not compared: what is not UTF-8
//! in them was replaced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::ust::command::{Reply, TracepointField};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(reply) = Reply::decode(bytes) {
        let again = Reply::decode(&reply.encode()).expect("what was encoded decodes");
        assert_eq!(
            (again.handle, again.command, again.code, again.value),
            (reply.handle, reply.command, reply.code, reply.value)
        );
        let _ = (reply.tracer_version(), reply.tracepoint());
    }
    if let Ok(field) = TracepointField::decode(bytes) {
        let again = TracepointField::decode(&field.encode()).expect("what was encoded decodes");
        assert_eq!((again.field_type, again.loglevel), (field.field_type, field.loglevel));
    }
});
