// SPDX-License-Identifier: GPL-2.0-only
//! A user's program, in which the functions `main` and `f` and the SDT probe `p:a` are looked for.
//!
//! Must never panic; must only read what there is, and no part of a small file again and again.
#![no_main]

use std::cell::Cell;

use libfuzzer_sys::fuzz_target;
use lttng_protocol::elf::{Error, MAX_OFFSETS, Source, function_offset, probe_offsets};

struct Bytes<'a> {
    bytes: &'a [u8],
    read: &'a Cell<usize>,
}

impl Source for Bytes<'_> {
    type Error = ();

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ()> {
        let offset = usize::try_from(offset).map_err(drop)?;
        buffer.copy_from_slice(self.bytes.get(offset..offset + buffer.len()).ok_or(())?);
        self.read.set(self.read.get() + buffer.len());
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let read = Cell::new(0);
    let source = || Bytes { bytes, read: &read };
    for name in [&b"main"[..], b"f"] {
        assert_ne!(function_offset(source(), name), Err(Error::Read(())));
    }
    let probes = probe_offsets(source(), b"p", b"a");
    assert_ne!(probes, Err(Error::Read(())));
    assert!(probes.is_err() || probes.is_ok_and(|offsets| (1..=MAX_OFFSETS).contains(&offsets.len())));
    assert!(bytes.len() > 1 << 16 || read.get() <= 6 * bytes.len());
});
