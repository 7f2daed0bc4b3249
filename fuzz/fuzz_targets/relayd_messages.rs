// SPDX-License-Identifier: GPL-2.0-only
//! Requests and replies of a relay daemon's control connection: one byte picks the version, the rest is the message.
//!
//! Must never panic; what decodes must encode to bytes that decode to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::relayd::{
    CloseTraceChunkReply, Code, Configuration, CreateSessionReply, Header, MAX_PATH, Request, SessionLayout,
    TraceChunkExistsReply, Version, decode_path,
};

fuzz_target!(|input: &[u8]| {
    let Some((&minor, bytes)) = input.split_first() else { return };
    replies(bytes);
    let version = Version { major: 2, minor: u32::from(minor % 16) };
    let Some((head, payload)) = bytes.split_at_checked(Header::LEN) else { return };
    let Ok(header) = Header::decode(head) else { return };
    let Ok(request) = Request::decode(&header, payload, version) else { return };
    let again = request.encode();
    let (head, payload) = again.split_at(Header::LEN);
    let header = Header::decode(head).expect("an encoded request is within the limit");
    assert_eq!(Request::decode(&header, payload, version), Ok(request));
});

fn replies(bytes: &[u8]) {
    if let Ok(version) = Version::decode(bytes) {
        assert_eq!(version.encode(), bytes);
        assert!(version.agreed().is_none_or(|agreed| agreed <= Version::LOCAL));
    }
    if let Ok(code) = Code::decode(bytes) {
        assert_eq!(code.encode(), bytes);
    }
    if let Ok(configuration) = Configuration::decode(bytes) {
        assert_eq!(configuration.encode(), bytes);
    }
    for layout in [SessionLayout::Unnamed, SessionLayout::Named, SessionLayout::Full] {
        if let Ok(reply) = CreateSessionReply::decode(bytes, layout) {
            assert_eq!(reply.encode(layout), bytes);
            assert!(reply.path_length <= MAX_PATH);
        }
    }
    if let Ok(reply) = CloseTraceChunkReply::decode(bytes) {
        assert_eq!(reply.encode(), bytes);
        assert!(reply.path_length <= MAX_PATH);
    }
    if let Ok(reply) = TraceChunkExistsReply::decode(bytes) {
        assert_eq!(TraceChunkExistsReply::decode(&reply.encode()), Ok(reply));
    }
    assert!(!decode_path(bytes).contains('\0'));
}
