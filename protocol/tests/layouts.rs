// SPDX-License-Identifier: GPL-2.0-only
//! Where numbers stand on the wire, and in which order of bytes: C compilers and the encoders of this crate against the
//! table in `protocol/doc/layouts.md`.
//!
//! This holds on machines of either byte order, unlike most recordings, which are of a little-endian one.

// Helpers outside of `#[test]` functions: a failure here is the failure of a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "layouts/applications.rs"]
mod applications;
#[path = "layouts/clients.rs"]
mod clients;
#[path = "layouts/compilers.rs"]
mod compilers;
#[path = "layouts/consumers.rs"]
mod consumers;
#[path = "layouts/maker.rs"]
mod maker;
#[path = "layouts/table.rs"]
mod table;
#[path = "layouts/tracer.rs"]
mod tracer;
#[path = "layouts/triggers.rs"]
mod triggers;

use std::collections::BTreeSet;

use maker::Maker;
use table::Table;

/// Numbers whose bytes all differ, also when a few are added.
const WIDE: u64 = 0x0102_0304_0506_0708;
const WORD: u32 = 0x1112_1314;
const SHORT: u16 = 0x0122;

/// Members that this crate never gives a value: 0 when it writes, not looked at when it reads.
const UNUSED: [&str; 24] = [
    "health_comm_msg cmd",
    "lttcomm_consumer_msg.u.stream no_monitor",
    "lttcomm_session_msg.u session_live",
    "lttcomm_session_msg.u calibrate",
    "lttcomm_session_msg.u.session_live nb_uri",
    "lttcomm_session_msg.u.session_live timer_interval",
    "lttcomm_session_msg.u.snapshot_record wait",
    "lttng_calibrate type",
    "lttng_domain.attr exec_name",
    "lttng_kernel_abi_counter_conf coalesce_hits",
    "lttng_kernel_abi_counter_dimension underflow_index",
    "lttng_kernel_abi_counter_dimension overflow_index",
    "lttng_kernel_abi_counter_dimension has_underflow",
    "lttng_kernel_abi_counter_dimension has_overflow",
    "lttng_save_session_attr omit_name",
    "lttng_save_session_attr omit_output",
    "lttng_session extended",
    "lttng_ust_abi_counter_conf coalesce_hits",
    "lttng_ust_abi_counter_dimension underflow_index",
    "lttng_ust_abi_counter_dimension overflow_index",
    "lttng_ust_abi_counter_dimension has_underflow",
    "lttng_ust_abi_counter_dimension has_overflow",
    "ustcomm_ust_msg.u version",
    "ustcomm_ust_msg.u tracepoint",
];

#[test]
fn every_number_is_where_the_table_has_it() {
    let mut maker = Maker { table: Table::read(), used: BTreeSet::new() };
    clients::check(&mut maker);
    triggers::check(&mut maker);
    consumers::check(&mut maker);
    applications::check(&mut maker);
    tracer::check(&mut maker);
    let mut left = Vec::new();
    for (name, structure) in &maker.table.structures {
        for member in &structure.members {
            let is_used = maker.used.contains(&(name.clone(), member.name.clone()));
            let way = format!("{name} {}", member.name);
            if !is_used && !["pad", "pointer"].contains(&&*member.kind) {
                left.push(way);
            }
        }
    }
    assert_eq!(left, UNUSED);
}
