// SPDX-License-Identifier: GPL-2.0-only
//! Output URLs as a client sends them for snapshots: the control URL, a tabulator, the data URL.
//!
//! Must never panic; an output that needs no look-up must be the same again when its URLs are parsed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::client::OutputUrl;
use lttng_sessiond::client::uri::target;
use lttng_sessiond::model::{NetworkOutput, Output, Target};

fuzz_target!(|text: &str| {
    let (control, data) = text.split_once('\t').unwrap_or((text, ""));
    let Ok(url) = OutputUrl::parse(control, data) else { return };
    let Some(output) = url.network() else { return };
    let again =
        OutputUrl::parse(&output.control.to_url(), &output.data.to_url()).expect("a printed URL parses");
    assert_eq!(again.network().as_ref(), Some(&output));
    let targets = [output.control, output.data].map(target);
    if let Ok(set) = Output::None.with(&targets) {
        let Some(NetworkOutput { control, data }) = set.network() else { panic!("both connections are set") };
        let ends = targets.map(|target| match target {
            Target::Connection(_, end) => end,
            Target::Path(path) => panic!("{path} is no connection"),
        });
        assert_eq!([control, data], ends);
    }
});
