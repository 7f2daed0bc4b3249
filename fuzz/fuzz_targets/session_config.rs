// SPDX-License-Identifier: GPL-2.0-only
//! Recording session configurations, and the commands that make their sessions.
//!
//! Must never panic, nor take memory or time that is out of proportion to the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_sessiond::client::load::plan::{Programs, plan};
use lttng_sessiond::config::read::read;

fuzz_target!(|bytes: &[u8]| {
    let Ok(configuration) = read(bytes) else { return };
    for session in configuration.sessions {
        let _ = plan(session, &Programs::new(), 4096);
    }
});
