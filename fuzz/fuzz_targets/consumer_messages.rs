// SPDX-License-Identifier: GPL-2.0-only
//! Everything between session and consumer daemon; the length tells the messages apart. The recorded consumer
//! `.bin` files are seeds.
//!
//! Must never panic; what decodes must encode to the same message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::consumer::{
    ChannelHead, ChannelStatus, CloseReply, KernelRequest, MetadataRequest, MonitorSample, REQUEST_LEN,
    Status, StreamHead, UstRequest, decode_count,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(status) = Status::decode(bytes) {
        assert_eq!(status.encode(), bytes);
        assert!(!status.name().is_empty());
    }
    if let Ok(status) = ChannelStatus::decode(bytes) {
        assert_eq!(status.encode(), bytes);
    }
    if let Ok(head) = ChannelHead::decode(bytes) {
        assert_eq!(head.encode(), bytes);
    }
    if let Ok(head) = StreamHead::decode(bytes) {
        assert_eq!(head.encode(), bytes);
    }
    if let Ok(reply) = CloseReply::decode(bytes) {
        assert_eq!(reply.encode(), bytes);
        assert!(reply.path_length <= CloseReply::MAX_PATH);
    }
    if let Ok(request) = MetadataRequest::decode(bytes) {
        assert_eq!(request.encode(), bytes);
    }
    if let Ok(sample) = MonitorSample::decode(bytes) {
        assert_eq!(sample.encode(), bytes);
    }
    if let Ok(count) = decode_count(bytes) {
        assert_eq!(count.to_ne_bytes(), bytes);
    }
    // Short inputs stand for a request whose rest is zero, so that the fuzzer needs no 12690 bytes.
    let mut request = bytes.to_vec();
    if request.len() < REQUEST_LEN {
        assert!(UstRequest::decode(&request).is_err());
        request.resize(REQUEST_LEN, 0);
    }
    if let Ok(ust) = UstRequest::decode(&request) {
        let again = ust.encode();
        assert_eq!(again.len(), REQUEST_LEN);
        assert_eq!(UstRequest::decode(&again), Ok(ust));
    }
    if let Ok(kernel) = KernelRequest::decode(&request) {
        let again = kernel.encode();
        assert_eq!(again.len(), REQUEST_LEN);
        assert_eq!(KernelRequest::decode(&again), Ok(kernel));
    }
});
