// SPDX-License-Identifier: GPL-2.0-only
//! `regenerate metadata` and `regenerate statedump`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::trace::{all_events, events, numbers};
use crate::support::{Sandbox, side_by_side};

/// Creates session `s` with its trace in `trace` and every user space event enabled.
fn session(s: &Sandbox) -> String {
    let trace = s.path("trace");
    s.lttng(&["create", "s", "--output", &trace]).ok();
    s.lttng(&["enable-event", "-u", "--all"]).ok();
    trace
}

/// The metadata files below a directory.
fn metadata_files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(metadata_files(&entry));
        } else if entry.ends_with("metadata") {
            found.push(entry);
        }
    }
    found
}

#[test]
fn metadata_while_recording() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s);
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 5");
        app.tell("full 0 5");
        s.lttng(&["regenerate", "metadata"]).ok();
        s.lttng_xml(&["regenerate", "metadata"]).ok();
        app.tell("tick 5 5");
        let mut late = App::start(s);
        late.tell("tick 10 5");
        late.tell("other 1 1");
        s.lttng(&["regenerate", "metadata", "-s", "s"]).ok();
        s.lttng(&["stop"]).ok();
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(numbers(&all, "testapp:tick"), (0..15).collect::<Vec<i64>>());
        assert_eq!(all.iter().filter(|event| event.name == "testapp:full").count(), 5);
        assert_eq!(metadata_files(Path::new(&trace)).len(), 1);
        daemon.stop();
    });
}

#[test]
fn a_second_state_dump() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = session(s);
        s.lttng(&["start"]).ok();
        let apps = App::start_many(s, 3);
        s.lttng(&["regenerate", "statedump"]).ok();
        s.lttng_xml(&["regenerate", "statedump", "-s", "s"]).ok();
        // The application answers the command after it has dumped its state.
        s.lttng(&["stop"]).ok();
        apps.into_iter().for_each(App::exit);
        s.lttng(&["destroy"]).ok();
        let all = all_events(s, &trace);
        for name in ["start", "end"] {
            let name = format!("lttng_ust_statedump:{name}");
            assert_eq!(all.iter().filter(|event| event.name == name).count(), 9, "{name}");
        }
        daemon.stop();
    });
}

#[test]
fn what_is_refused() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for what in ["metadata", "statedump"] {
            s.lttng(&["regenerate", what]).fails();
        }
        session(s);
        for what in ["metadata", "statedump"] {
            s.lttng(&["regenerate", what]).fails();
            s.lttng_xml(&["regenerate", what]).fails();
            s.lttng(&["regenerate", what, "-s", "none"]).fails();
        }
        s.lttng(&["start"]).ok();
        s.lttng(&["stop"]).ok();
        for what in ["metadata", "statedump"] {
            s.lttng(&["regenerate", what]).fails();
        }
        s.lttng(&["regenerate", "nonsense"]).fails();
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn with_buffers_of_each_process() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "--buffers-pid", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "--all"]).ok();
        s.lttng(&["regenerate", "metadata"]).fails();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 5");
        s.lttng(&["regenerate", "metadata"]).fails();
        s.lttng_xml(&["regenerate", "metadata"]).fails();
        s.lttng(&["regenerate", "statedump"]).ok();
        app.exit();
        s.lttng(&["destroy"]).ok();
        let all = all_events(s, &trace);
        assert_eq!(numbers(&all, "testapp:tick"), [0, 1, 2, 3, 4]);
        assert_eq!(all.iter().filter(|event| event.name == "lttng_ust_statedump:start").count(), 2);
        daemon.stop();
    });
}

#[test]
fn without_user_space_there_is_nothing_to_do() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        for what in ["metadata", "statedump"] {
            s.lttng(&["regenerate", what]).fails();
        }
        s.lttng(&["start"]);
        for what in ["metadata", "statedump"] {
            s.lttng(&["regenerate", what]);
        }
        daemon.stop();
    });
}
