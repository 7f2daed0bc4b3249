// SPDX-License-Identifier: GPL-2.0-only
//! A filter bytecode of a client: 48 bytes of header, then code and relocation table. The recorded
//! `filter/*.bin` is a seed.
//!
//! Must never panic. What is accepted has no byte too many or too few, and runs to its return in the stack
//! of a tracer, whatever the logical operators find.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::filter::{MAX_STACK, validate};

/// Runs code as a tracer does, without the values; each logical operator takes its turn from `skips`.
fn run(code: &[u8], skips: u64) {
    let u16_at = |at: usize| usize::from(u16::from_ne_bytes([code[at], code[at + 1]]));
    let (mut at, mut depth, mut turn) = (0, 0_usize, 0);
    loop {
        let opcode = code[at];
        at += 1;
        match opcode {
            1 => break,
            7..=17 => {
                assert!(depth >= 2);
                depth -= 1;
            }
            57 | 58 => {
                assert!(depth >= 1);
                turn += 1;
                if skips.rotate_right(turn) & 1 == 1 {
                    at = u16_at(at);
                } else {
                    (at, depth) = (at + 2, depth - 1);
                }
            }
            59 | 70 => (at, depth) = (at + 2, depth + 1),
            64 | 76 => {
                let length =
                    code[at..].iter().position(|&byte| byte == 0).expect("texts end inside the code");
                (at, depth) = (at + length + 1, depth + 1);
            }
            65 | 66 => (at, depth) = (at + 8, depth + 1),
            79..=81 => depth += 1,
            _ => {
                assert!(depth >= 1);
                at += match opcode {
                    82 => 2,
                    85 => 8,
                    _ => 0,
                };
            }
        }
        assert!(depth <= MAX_STACK);
    }
    assert_eq!((at, depth), (code.len(), 1));
}

fuzz_target!(|bytes: &[u8]| {
    let Some((header, data)) = bytes.split_at_checked(48) else { return };
    let word = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let reloc_offset = word(4);
    if validate(data, reloc_offset).is_err() {
        return;
    }
    assert!(validate(&data[..data.len() - 1], reloc_offset).is_err());
    assert!(validate(&[data, &[0]].concat(), reloc_offset).is_err());
    let code = &data[..reloc_offset as usize];
    for skips in [0, u64::MAX, u64::from(word(8)) | u64::from(word(12)) << 32] {
        run(code, skips);
    }
});
