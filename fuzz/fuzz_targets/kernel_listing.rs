// SPDX-License-Identifier: GPL-2.0-only
//! The kernel tracer's lists of tracepoints and of system calls.
//!
//! Must never panic; what is read must be the same when it is listed again.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use lttng_protocol::kernel::listing;

fuzz_target!(|bytes: &[u8]| {
    let tracepoints = listing::tracepoints(bytes);
    let mut list = Vec::new();
    for name in &tracepoints {
        assert!((1..256).contains(&name.len()) && !name.as_bytes().contains(&b';'));
        list.extend([b"event { name = ", name.as_bytes(), b"; };\n"].concat());
    }
    assert_eq!(listing::tracepoints(&list), tracepoints);

    let syscalls = listing::syscalls(bytes);
    let names: HashSet<&[u8]> = syscalls.iter().map(|syscall| syscall.name.as_bytes()).collect();
    assert_eq!(names.len(), syscalls.len());
    let mut list = Vec::new();
    let mut line = |index: usize, name: &[u8], bitness: u32| {
        list.extend(format!("syscall {{ index = {index}; name = ").bytes());
        list.extend(name);
        list.extend(format!("; bitness = {bitness}; }};\n").bytes());
    };
    for (index, syscall) in syscalls.iter().enumerate() {
        let name = syscall.name.as_bytes();
        match (syscall.bits32, syscall.bits64) {
            (true, true) => {
                line(index, name, 64);
                line(index + syscalls.len(), name, 32);
            }
            (true, false) => line(index, name, 32),
            (false, true) => line(index, name, 64),
            (false, false) => panic!("nobody can make it"),
        }
    }
    assert_eq!(listing::syscalls(&list), syscalls);
});
