// SPDX-License-Identifier: GPL-2.0-only
//! The health exchanges recorded from the stock daemon.
#![allow(clippy::unwrap_used)]

use lttng_protocol::health::{Component, REQUEST_LEN, decode, encode};

const REQUEST: &[u8] = include_bytes!("vectors/health/check.request.bin");
const GOOD: [u8; 8] = *include_bytes!("vectors/health/check-all-good.reply.bin");
const STALLED: [u8; 8] = *include_bytes!("vectors/health/check-command-stalled.reply.bin");

#[test]
fn recorded_exchanges() {
    assert_eq!(REQUEST.len(), REQUEST_LEN);
    assert_eq!((encode([]), decode(GOOD)), (GOOD, Some(vec![])));
    let bad = [Component::Command];
    // Recorded on a little-endian machine; replies are in the byte order of the host.
    if cfg!(target_endian = "little") {
        assert_eq!((encode(bad), decode(STALLED)), (STALLED, Some(bad.to_vec())));
    }
}

#[test]
fn every_mask_of_components_and_no_other() {
    for mask in 0..1_u64 << Component::ALL.len() {
        let bad = decode(mask.to_ne_bytes()).unwrap();
        assert_eq!((bad.len(), encode(bad)), (mask.count_ones() as usize, mask.to_ne_bytes()));
    }
    for bit in Component::ALL.len()..64 {
        assert_eq!(decode((1_u64 << bit).to_ne_bytes()), None, "bit {bit}");
    }
}
