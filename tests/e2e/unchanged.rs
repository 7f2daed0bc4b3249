// SPDX-License-Identifier: GPL-2.0-only
//! What the original has saved is loaded at the start, and saved again: byte for byte the same.

use std::fs;
use std::path::Path;

use crate::support::daemon::Daemon;
use crate::support::relay::Relay;
use crate::support::{Sandbox, ours};

/// Files without a kernel's part.
const FILES: [&str; 18] = [
    "agents",
    "empty",
    "jul-log4j",
    "live1",
    "net1",
    "net3",
    "noout",
    "rot",
    "snap",
    "snap-net",
    "snap-net-output",
    "snap-noout",
    "special-characters",
    "started",
    "ust-channels",
    "ust-contexts",
    "ust-events",
    "ust-trackers",
];

/// The name of the session in a file: that of the first element that has one.
fn session_in(text: &str) -> String {
    let name = text.split_once("<name>").unwrap().1.split_once("</name>").unwrap().0;
    let name = name.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    name.replace("&amp;", "&")
}

fn load_and_save(s: &Sandbox, name: &str) {
    let vector = format!("protocol/tests/vectors/session-config/{name}.lttng");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(vector)).unwrap();
    let text = text.replace("/tmp/tr/", &s.path("tr/")).replace("/tmp/shm", &s.path("shm"));
    let session = session_in(&text);
    let file = s.path(&format!("{name}.lttng"));
    fs::write(&file, &text).unwrap();
    let daemon = Daemon::start_with(s, &["--no-kernel", "--load", &file]);
    let folder = s.path(&format!("saved/{name}"));
    s.run("lttng", &["save", "--output-path", &folder, &session]).ok();
    let saved = fs::read_to_string(format!("{folder}/{session}.lttng")).unwrap();
    assert_eq!(saved, text, "{name}");
    daemon.stop();
}

#[test]
fn files_of_the_original() {
    ours(|s| {
        let _relay = Relay::start(s);
        for name in FILES {
            load_and_save(s, name);
        }
    });
}
