// SPDX-License-Identifier: GPL-2.0-only
//! Texts of applications that are not UTF-8 are the same bytes in listings and in traces.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::session::BUFFERS;
use crate::support::{Sandbox, side_by_side, succeeds};

/// Texts of the program `values`, and others of the same length: an event, labels, a URI.
const CHANGES: [(&[u8], &[u8]); 5] = [
    (b"one_instance", b"one_inst\xe4nce"),
    (b"minus one", b"minus \xf6ne"),
    (b"first auto", b"\xff\xfe\xc3\"\\ auto"),
    (b"second auto", b"s\xc3\xa9ond aut\x80"),
    (b"example.com/enums", b"ex\xe4mple.com/enum\xff"),
];

/// The program with these texts. No compiler takes them in names, so they are put into the compiled file. Processes are
/// named after their file: this one's name is not UTF-8, either.
fn patched(s: &Sandbox) -> PathBuf {
    let mut bytes = fs::read(s.program("values")).unwrap();
    for (old, new) in CHANGES {
        assert_eq!(old.len(), new.len());
        let mut found = false;
        for at in 0..bytes.len().saturating_sub(old.len()) {
            let place = &mut bytes[at..at + old.len()];
            if place == old {
                place.copy_from_slice(new);
                found = true;
            }
        }
        assert!(found, "{}", new.escape_ascii());
    }
    let from = s.path("patched");
    fs::write(&from, bytes).unwrap();
    let to = Path::new(&s.path("")).join(OsStr::from_bytes(b"v\xe4lues"));
    // (A file that this process wrote may still be open for writing in a child of another test.)
    assert!(succeeds(Command::new("install").args(["-m", "755"]).arg(from).arg(&to)));
    to
}

/// Notes what a command says, byte for byte; names of files may differ.
fn note(s: &Sandbox, command: &str) -> String {
    let output = s.run("sh", &["-c", &format!("{{ {command}; echo status $?; }} | cat -v")]).ok();
    s.note(command, &output.stdout, Order::AnyText);
    output.stdout
}

#[test]
fn bytes_are_kept() {
    for buffers in BUFFERS {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let file = patched(s);
            let trace = s.path("trace");
            s.lttng(&["create", "s", "--output", &trace]).ok();
            s.lttng(&["enable-channel", "-u", buffers, "c"]).ok();
            s.lttng(&["enable-event", "-u", "-c", "c", "valuesapp:enums"]).ok();
            note(s, "lttng enable-event -u -c c \"$(printf 'valuesapp:one_inst\\344nce')\"");
            // Another event, unless one of the bytes were mended.
            note(s, "lttng enable-event -u -c c \"$(printf 'valuesapp:one_inst\\345nce')\"");
            note(s, "lttng list s");
            s.lttng(&["start"]).ok();
            let app = App::start_file(s, &file, &["wait"]);
            assert!(note(s, "lttng list -u").contains("valuesapp:one_instM-dnce"));
            assert!(note(s, "lttng list -u -f").contains("valuesapp:one_instM-dnce"));
            app.close();
            s.lttng(&["destroy"]).ok();
            let events = note(
                s,
                &format!(
                    "babeltrace2 --no-delta {trace} | sed 's/^[^ ]* //; s/cpu_id = [0-9]*//; s/:([0-9]*)//' | sort"
                ),
            );
            assert_eq!(events.matches("valuesapp:one_instM-dnce").count(), 1, "{events}");
            let details = format!("babeltrace2 -c sink.text.details {trace}");
            let wanted = "EMF URI|auto|ne: |procname: |Event class";
            let details = note(s, &format!("{details} | grep -aE '{wanted}' | sed 's/(ID.*//' | sort"));
            assert!(details.contains("EMF URI: http://exM-dmple.com/enumM-^?"), "{details}");
            daemon.stop();
        });
    }
}
