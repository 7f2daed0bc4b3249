// SPDX-License-Identifier: GPL-2.0-only
//! Recording session configurations: what the original has saved is loaded by both daemons and comes out the same, and
//! what can't be loaded ends both alike.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::sandbox::User;
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, Which, is_root, ours, ours_only, side_by_side};

/// Files that both load, with the sessions in them. Agents' domains and the kernel's have tests of their own.
const LOADED: [(&str, &str); 14] = [
    ("empty", "empty"),
    ("ust-events", "ust-events"),
    ("ust-channels", "ust-channels"),
    ("ust-trackers", "ust-trackers"),
    ("snap", "snap"),
    ("snap-net-output", "snap"),
    ("snap-net", "snap-net"),
    ("snap-noout", "snap-noout"),
    ("live1", "live1"),
    ("net1", "net1"),
    ("net3", "net3"),
    ("rot", "rot"),
    ("started", "started"),
    ("special-characters", "sp <&>\"é"),
];

/// Those that record to a relay daemon need one when something is in their domains.
const NETWORK: [&str; 2] = ["live1", "net1"];

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("protocol/tests/vectors/session-config/{name}.lttng"))
}

/// A file of the original in the sandbox, its traces below the sandbox's directory.
fn put(s: &Sandbox, name: &str, to: &str) -> String {
    let mut text = fs::read_to_string(vector(name)).unwrap();
    if let Some(exclusions) = text.find("<exclusions>") {
        // The original dies when a rule with exclusions is listed that was loaded.
        let event = text[..exclusions].rfind("<event>").unwrap()..exclusions;
        let end = event.end + text[event.end..].find("</event>").unwrap() + "</event>".len();
        text.replace_range(event.start..end, "");
    }
    // It brings all channels back enabled.
    let lines = text.split("\n\t\t\t\t\t\t<enabled>false</enabled>");
    text = lines.collect::<Vec<_>>().join("\n\t\t\t\t\t\t<enabled>true</enabled>");
    write(s, to, &text.replace("/tmp/tr/", &s.path("tr/")))
}

/// A file with this text.
fn write(s: &Sandbox, to: &str, text: &str) -> String {
    let path = s.path(to);
    fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// What the daemon said, without times, and without what the original says of its descriptors.
fn log(s: &Sandbox) -> String {
    let text = fs::read(s.path("daemon.log")).unwrap();
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().filter(|line| line.starts_with("Error: ") || line.starts_with("Warning: "));
    let known = |line: &&str| {
        [
            "Session load failed",
            "Failed to load session",
            "Enabling event",
            "validation failed",
            "path does not",
        ]
        .iter()
        .any(|words| line.contains(words))
    };
    lines.filter(known).collect::<Vec<_>>().join("\n")
}

/// The daemon ends with status 1 without having been ready, and this is what it says.
fn fails_to_load(s: &Sandbox, path: &str) -> String {
    let _ = fs::remove_file(s.path("daemon.log"));
    let mut daemon = Daemon::launch(s, &[], &["--no-kernel", "--load", path]);
    daemon.expect("exit 1");
    eventually("all of its processes end", || s.processes("lttng-").is_empty());
    log(s)
}

fn start_loading(s: &Sandbox, path: &str) -> Daemon {
    Daemon::start_with(s, &["--no-kernel", "--load", path])
}

/// The sessions, in whatever order.
fn list(s: &Sandbox) {
    let listed = s.run("lttng", &["list"]).ok().stdout;
    let without_number = |line: &str| line.trim().trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
    let mut lines: Vec<String> = listed.lines().map(without_number).collect();
    lines.sort();
    s.note("lttng list", &lines.join("\n"), Order::Fixed);
}

/// The values of trackers in one order.
fn with_sorted_sets(listed: &str) -> String {
    let sorted = |line: &str| match line.split_once("IDs:") {
        Some((what, values)) => {
            let mut values: Vec<&str> = values.split(',').map(str::trim).collect();
            values.sort_unstable();
            format!("{what}IDs: {}", values.join(", "))
        }
        None => line.to_owned(),
    };
    listed.lines().map(sorted).collect::<Vec<_>>().join("\n")
}

fn show(s: &Sandbox, session: &str) {
    list(s);
    let listed = s.run("lttng", &["list", session]);
    let text = format!("status {}\n{}\n{}", listed.code, with_sorted_sets(&listed.stdout), listed.stderr);
    s.note("lttng list SESSION", &text, Order::AnyText);
    s.lttng_xml(&["list", session]);
}

#[test]
fn what_the_original_has_saved_is_loaded_at_the_start() {
    side_by_side(|s| {
        for (name, session) in LOADED.iter().filter(|(name, _)| !NETWORK.contains(name)) {
            let daemon = start_loading(s, &put(s, name, &format!("{name}.lttng")));
            show(s, session);
            s.lttng(&["snapshot", "list-output", "--session", session]);
            for tracker in ["--vpid", "--vuid", "--vgid"] {
                s.lttng_unordered(&["track", "--userspace", "--session", session, tracker, "4711"]);
            }
            daemon.stop();
        }
    });
}

#[test]
fn sessions_of_relay_daemons_are_loaded_at_the_start() {
    side_by_side(|s| {
        let relay = crate::support::relay::Relay::start(s);
        for name in NETWORK {
            let daemon = start_loading(s, &put(s, name, &format!("{name}.lttng")));
            show(s, name);
            daemon.stop();
        }
        relay.kill();
    });
}

#[test]
fn the_library_loads_what_the_original_has_saved() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for (name, session) in LOADED.iter().filter(|(name, _)| !NETWORK.contains(name)) {
            let path = put(s, name, &format!("{name}.lttng"));
            s.lttng(&["load", "--input-path", &path]);
            show(s, session);
            s.lttng(&["load", "--input-path", &path]);
            s.lttng(&["load", "--input-path", &path, "--force"]);
            show(s, session);
            s.lttng(&["destroy", session]);
        }
        let path = put(s, "ust-events", "events.lttng");
        s.lttng(&["load", "--input-path", &path, "ust-events", "--override-name", "other"]);
        s.lttng(&["load", "--input-path", &path, "--override-url", &s.path("elsewhere"), "ust-events"]);
        show(s, "other");
        show(s, "ust-events");
        s.lttng(&["load", "--input-path", &path, "nobody"]);
        daemon.stop();
    });
}

#[test]
fn a_session_that_was_recording_records() {
    side_by_side(|s| {
        let text = fs::read_to_string(vector("started")).unwrap();
        let text = text.replace("/tmp/tr/", &s.path("tr/")).replace("tp:x", "testapp:tick");
        let daemon = start_loading(s, &write(s, "started.lttng", &text));
        let mut app = App::start(s);
        app.tell("tick 0 10");
        s.lttng(&["list"]);
        s.run("lttng", &["stop", "started"]).ok();
        assert_eq!(numbers(&events(s, &s.path("tr/started")), "testapp:tick").len(), 10);
        daemon.stop();
    });
}

#[test]
fn the_usual_directories() {
    side_by_side(|s| {
        // Those of the system must not be this machine's.
        s.run("mount", &["-t", "tmpfs", "none", "/etc/lttng"]);
        let home = ".lttng/sessions";
        put(s, "empty", &format!("home/{home}/auto/empty.lttng"));
        put(s, "snap-noout", &format!("home/{home}/auto/snap.lttng"));
        put(s, "rot", &format!("home/{home}/not.lttng"));
        put(s, "rot", &format!("home/{home}/auto/not.txt"));
        let daemon = Daemon::start(s);
        list(s);
        daemon.stop();
        // One that was named takes their place.
        let daemon = start_loading(s, &put(s, "started", "started"));
        s.lttng(&["list"]);
        daemon.stop();
        let directory = PathBuf::from(s.path("many"));
        // Of two with one name, the one stays that is read last, in whatever order.
        let one_of_each = LOADED.iter().filter(|(name, _)| *name != "snap-net-output");
        for (name, _) in one_of_each.filter(|(name, _)| !NETWORK.contains(name)) {
            put(s, name, &format!("many/{name}.lttng"));
        }
        let daemon = start_loading(s, directory.to_str().unwrap());
        list(s);
        daemon.stop();
        // Broken ones end it.
        write(s, &format!("home/{home}/auto/broken.lttng"), "<sessions>");
        let mut daemon = Daemon::launch(s, &[], &["--no-kernel"]);
        daemon.expect("exit 1");
        s.note("what it said", &log(s), Order::Fixed);
    });
}

#[test]
fn another_user_uses_only_own_directories() {
    if !is_root() {
        return;
    }
    side_by_side(|s| {
        let user = User { uid: 54_321, gid: 54_321, groups: &[] };
        let home = s.home_of(user).file_name().unwrap().to_str().unwrap().to_owned();
        put(s, "empty", &format!("{home}/.lttng/sessions/auto/empty.lttng"));
        // Whose the files are does not matter, and the folders around them neither.
        let auto = s.home_of(user).join(".lttng/sessions/auto");
        let run = s.home_of(user).join(".lttng");
        nix::unistd::chown(&run, Some(user.uid.into()), Some(user.gid.into())).unwrap();
        let daemon = Daemon::start_as(s, user, &[]);
        s.lttng_as(user, &["list"]);
        daemon.stop();
        nix::unistd::chown(&auto, Some(user.uid.into()), Some(user.gid.into())).unwrap();
        let daemon = Daemon::start_as(s, user, &[]);
        s.lttng_as(user, &["list"]);
        daemon.stop();
    });
}

/// A session with one channel of user space that has this in it.
fn with_channel(name: &str, inside: &str) -> String {
    format!(
        "<sessions><session><name>{name}</name><domains><domain><type>UST</type><buffer_type>PER_UID</buffer_type>\
         <channels><channel><name>c</name><read_timer_interval>0</read_timer_interval>\
         <output_type>MMAP</output_type>{inside}</channel></channels></domain></domains><started>0</started>\
         </session></sessions>"
    )
}

#[test]
fn what_can_not_be_loaded_ends_it() {
    side_by_side(|s| {
        let event = |inside: &str| with_channel("s", &format!("<events><event>{inside}</event></events>"));
        let session = |inside: &str| format!("<sessions><session>{inside}</session></sessions>");
        let attributes = |inside: &str| session(&format!("<name>s</name><attributes>{inside}</attributes>"));
        let texts = [
            ("nothing", String::new()),
            ("no xml", "hello".to_owned()),
            ("half", "<sessions><session><name>x</name>".to_owned()),
            ("unknown element", session("<name>x</name><bogus/>")),
            ("twice the same element", session("<name>x</name><name>x</name>")),
            ("attribute", "<sessions><session a='b'><name>x</name></session></sessions>".to_owned()),
            (
                "namespace",
                "<sessions xmlns='http://x'><session><name>x</name></session></sessions>".to_owned(),
            ),
            ("no name", session("<started>0</started>")),
            ("empty name", session("<name></name>")),
            ("name with a slash", session("<name>a/b</name><started>0</started>")),
            ("started without a channel", session("<name>min</name>")),
            ("live without a relay daemon", attributes("<live_timer_interval>9</live_timer_interval>")),
            ("number too large", attributes("<live_timer_interval>4294967296</live_timer_interval>")),
            ("no number", attributes("<live_timer_interval>x</live_timer_interval>")),
            ("empty schedule", attributes("<rotation_schedules><periodic/></rotation_schedules>")),
            ("bad filter", event("<name>a:b</name><enabled>true</enabled><filter>a =</filter>")),
            ("bad type", event("<name>a:b</name><enabled>true</enabled><type>NOOP</type>")),
            ("odd sub-buffers", with_channel("odd", "<subbuffer_size>1000</subbuffer_size><events/>")),
            (
                "same rule twice",
                with_channel(
                    "twice",
                    "<events><event><name>a</name></event><event><name>a</name></event></events>",
                ),
            ),
        ];
        for (what, text) in texts {
            let path = write(s, "wrong.lttng", &text);
            s.note(what, &fails_to_load(s, &path), Order::Fixed);
        }
        s.note("nowhere", &fails_to_load(s, &s.path("nowhere.lttng")), Order::Fixed);
        let shut = write(s, "shut/x.lttng", &session("<name>x</name>"));
        s.run("chmod", &["000", &s.path("shut")]).ok();
        if !is_root() {
            s.note("no permission", &fails_to_load(s, &shut), Order::Fixed);
        }
        assert_eq!(s.files(&["/run/lttng"]).iter().filter(|line| line.contains(" s ")).count(), 0);
    });
}

#[test]
fn the_command_in_the_foreground_tells_whether_loading_has_failed() {
    side_by_side(|s| {
        let daemon = s.which().path();
        let daemon = daemon.to_str().unwrap();
        let started = put(s, "started", "started.lttng");
        let wrong =
            write(s, "wrong.lttng", &with_channel("odd", "<subbuffer_size>1</subbuffer_size><events/>"));
        for option in ["--daemonize", "--background"] {
            let run = s.run(daemon, &["--no-kernel", option, "--load", &wrong]);
            assert_eq!(run.code, 1, "{}", run.stderr);
            eventually("all of its processes end", || s.processes("lttng-").is_empty());
            s.run("sh", &["-c", &format!("{daemon} --no-kernel {option} --load {started} >/dev/null 2>&1")])
                .ok();
            s.lttng(&["list"]);
            s.run("sh", &["-c", "kill $(cat /run/lttng/lttng-sessiond.pid)"]).ok();
            eventually("all of its processes end", || s.processes("lttng-").is_empty());
        }
    });
}

#[test]
fn in_the_background_a_wrong_file_is_named_as_well() {
    ours_only("nobody is told", |s| {
        let daemon = s.which().path();
        let wrong = write(s, "wrong.lttng", "<sessions>\n\t<nonsense/>\n</sessions>\n");
        for option in ["--daemonize", "--background"] {
            let run = s.run(daemon.to_str().unwrap(), &["--no-kernel", option, "--load", &wrong]);
            assert_eq!(run.code, 1);
            assert!(run.stderr.contains("wrong.lttng"), "{}", run.stderr);
            assert!(run.stderr.contains("Error: Session load failed: "), "{}", run.stderr);
            assert!(s.processes("lttng-").is_empty());
        }
    });
}

#[test]
fn options_of_a_configuration_file() {
    side_by_side(|s| {
        let path = put(s, "empty", "some/file");
        let config = write(s, "my.conf", &format!("[sessiond]\nload = {path}\n"));
        let daemon = Daemon::start_with(s, &["--no-kernel", "--config", &config]);
        s.lttng(&["list"]);
        daemon.stop();
    });
}

#[test]
fn what_the_original_can_not_load() {
    let why = "it refuses, blocks, or takes the rules from a file";
    ours_only(why, |s| {
        for name in ["noout", "ust-contexts"] {
            let daemon = start_loading(s, &put(s, name, &format!("{name}.lttng")));
            s.run("lttng", &["list", name]).ok();
            daemon.stop();
        }
        let daemon = start_loading(s, vector("ust-events").to_str().unwrap());
        let listed = s.run("lttng", &["list", "ust-events"]).ok().stdout;
        assert!(listed.contains("[exclusions: tp:a*,tp:b]"), "{listed}");
        daemon.stop();
        let bare = write(s, "a.lttng", &with_channel("bare", ""));
        let daemon = start_loading(s, Path::new(&bare).parent().unwrap().to_str().unwrap());
        assert!(s.run("lttng", &["list", "bare"]).ok().stdout.contains("- c:"));
        daemon.stop();
        // Channels as they were.
        let daemon = start_loading(s, vector("ust-channels").to_str().unwrap());
        let listed = s.run("lttng", &["list", "ust-channels"]).ok().stdout;
        assert!(listed.contains("- c3: [disabled]") && listed.contains("- c1: [enabled]"), "{listed}");
        daemon.stop();
        // What would be waited for.
        s.run("mkfifo", &[&s.path("pipe.lttng")]).ok();
        let said = fails_to_load(s, &s.path("pipe.lttng"));
        assert_eq!(said, "Error: Session load failed: IO error while reading a session configuration");
        let said = fails_to_load(s, "/dev/zero");
        assert_eq!(said, "Error: Session load failed: IO error while reading a session configuration");
        let doctype =
            "<!DOCTYPE s [<!ENTITY a 'x'>]><sessions><session><name>&a;</name></session></sessions>";
        let said = fails_to_load(s, &write(s, "doctype.lttng", doctype));
        assert!(said.ends_with("Error: Session load failed: Invalid session configuration"), "{said}");
    });
}

/// Clients are served while a session waits for a consumer daemon that does not come, and the daemon is not ready.
#[test]
fn clients_are_served_while_sessions_are_loaded() {
    ours(|s| {
        if s.which() == Which::Stock {
            return;
        }
        let path = put(s, "ust-events", "events.lttng");
        let silent = s.script("silent", "exec sleep 1000");
        let mut daemon =
            Daemon::launch(s, &[], &["--no-kernel", "--load", &path, "--consumerd64-path", &silent]);
        eventually("the session is there", || {
            s.run("lttng", &["--no-sessiond", "list"]).stdout.contains("ust-events")
        });
        // 10 s later.
        daemon.expect("exit 1");
        let said = log(s);
        assert!(said.contains("Error: Failed to load session ust-events: "), "{said}");
        assert!(said.contains("Error: Session load failed: 64-bit UST consumer start failed"), "{said}");
    });
}
