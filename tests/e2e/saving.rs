// SPDX-License-Identifier: GPL-2.0-only
//! Saving sessions: the files, whose they are, and what is said when it can't be done.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::identity::{FIRST, SECOND};
use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::sandbox::User;
use crate::support::{Sandbox, Which, is_root, ours_only, side_by_side, skip};

/// Everything below a folder: kind, permission bits and owner, with the texts of files.
fn saved(s: &Sandbox, title: &str, folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut left = vec![Path::new(folder).to_owned()];
    let mut layout = Vec::new();
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let name = path.to_string_lossy().into_owned();
        layout.push(format!("{name} {:o} {} {}", metadata.mode(), metadata.uid(), metadata.gid()));
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if metadata.is_file() {
            names.push(name);
        }
    }
    layout.sort();
    names.sort();
    s.note(title, &layout.join("\n"), Order::Fixed);
    for name in &names {
        s.note(name, &sorted(&fs::read_to_string(name).unwrap()), Order::Fixed);
    }
    names
}

/// A configuration with channels, rules and values of trackers in one order: the original's are in that of its tables.
fn sorted(text: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    sort_blocks(&lines)
}

fn sort_blocks(lines: &[&str]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let depth = line.len() - line.trim_start_matches('\t').len();
        let tag = line.trim();
        let sorts = ["<channels>", "<events>", "<exclusions>", "<process_attr_values>"].contains(&tag);
        text.push_str(line);
        at += 1;
        if !sorts {
            continue;
        }
        // Its elements begin one level deeper.
        let begins = |line: &str| {
            line.len() - line.trim_start_matches('\t').len() == depth + 1 && !line.trim().starts_with("</")
        };
        let closing = format!("{}</{}", "\t".repeat(depth), &tag[1..]);
        let end = at + lines[at..].iter().position(|line| line.trim_end() == closing).unwrap();
        let mut blocks: Vec<Vec<&str>> = Vec::new();
        for line in &lines[at..end] {
            if begins(line) {
                blocks.push(Vec::new());
            }
            blocks.last_mut().unwrap().push(line);
        }
        let mut blocks: Vec<String> = blocks.iter().map(|block| sort_blocks(block)).collect();
        blocks.sort();
        text.push_str(&blocks.concat());
        at = end;
    }
    text
}

/// Sessions with everything that user space can have, made by root.
fn make_sessions(s: &Sandbox) {
    let lttng = |args: &[&str]| drop(s.lttng(args).ok());
    lttng(&["create", "empty", "--output", &s.path("empty")]);
    lttng(&["create", "noout", "--no-output"]);
    lttng(&["enable-event", "-u", "tp:x"]);
    lttng(&["create", "sp <&>\"\u{e9}'", "--output", &s.path("a b&c<d>")]);
    lttng(&["create", "events", "--output", &s.path("events")]);
    for rule in [
        &["tp:plain"][..],
        &["tp:off"],
        &["tp:range*", "--loglevel=WARNING"],
        &["tp:single", "--loglevel-only=DEBUG"],
        &["tp:filter", "--filter=a < 3 && b == \"x\" && $ctx.vpid > 1"],
        &["tp:*", "--exclude=tp:a*,tp:b"],
        &["tp:\u{e9}&<x>"],
    ] {
        lttng(&[&["enable-event", "-u"], rule].concat());
    }
    lttng(&["disable-event", "-u", "tp:off"]);
    for context in ["vpid", "procname", "vtid", "ip", "pthread_id", "$app.prov:name", "perf:thread:cycles"] {
        lttng(&["add-context", "-u", "-t", context]);
    }
    lttng(&["create", "contexts", "--output", &s.path("contexts")]);
    lttng(&["enable-event", "-u", "tp:plain"]);
    for context in [
        "cgroup_ns",
        "ipc_ns",
        "mnt_ns",
        "net_ns",
        "pid_ns",
        "time_ns",
        "user_ns",
        "uts_ns",
        "vuid",
        "veuid",
        "vsuid",
        "vgid",
        "vegid",
        "vsgid",
    ] {
        lttng(&["add-context", "-u", "-t", context]);
    }
    lttng(&["create", "channels", "--output", &s.path("channels"), "--shm-path", &s.path("shm")]);
    lttng(&[
        "enable-channel",
        "-u",
        "--buffers-pid",
        "c1",
        "--overwrite",
        "--subbuf-size=64k",
        "--num-subbuf=8",
        "--switch-timer=1000000",
        "--read-timer=200000",
        "--monitor-timer=500000",
        "--tracefile-size=1M",
        "--tracefile-count=4",
    ]);
    lttng(&["enable-channel", "-u", "--buffers-pid", "c2", "--blocking-timeout=inf", "--monitor-timer=0"]);
    lttng(&["enable-channel", "-u", "--buffers-pid", "c3", "--blocking-timeout=100"]);
    lttng(&["disable-channel", "-u", "c3"]);
    lttng(&["enable-event", "-u", "-c", "c1", "tp:x"]);
    lttng(&["create", "trackers", "--output", &s.path("trackers")]);
    lttng(&["enable-event", "-u", "--all"]);
    lttng(&["track", "-u", "--vpid=1,42"]);
    lttng(&["track", "-u", "--vuid=0,nobody"]);
    lttng(&["untrack", "-u", "--vgid", "--all"]);
    lttng(&["create", "schedules", "--output", &s.path("schedules")]);
    lttng(&["enable-channel", "-u", "c"]);
    lttng(&["enable-rotation", "--timer=60000000", "--size=100M"]);
    lttng(&["create", "snapshots", "--snapshot", "--output", &s.path("snapshots")]);
    lttng(&["enable-event", "-u", "tp:x"]);
    lttng(&["create", "snapshots2", "--snapshot", "--set-url=net://127.0.0.1"]);
    lttng(&["create", "snapshots3", "--no-output", "--snapshot"]);
    lttng(&["snapshot", "add-output", "-n", "mine", "-m", "2M", &s.path("elsewhere")]);
    lttng(&["create", "net", "--set-url=net://127.0.0.1/some/path"]);
    lttng(&["create", "net6", "--set-url=net6://[::1]"]);
    lttng(&["create", "live", "--live=500000", "--set-url=net://127.0.0.1:1:2"]);
    lttng(&["create", "started", "--output", &s.path("started")]);
    lttng(&["enable-event", "-u", "testapp:tick"]);
    lttng(&["start"]);
}

#[test]
fn sessions_of_every_kind() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let _app = App::start(s);
        make_sessions(s);
        let (one, all) = (s.path("deep/down/one"), s.path("all"));
        s.lttng(&["save", "events", "--output-path", &one]).ok();
        s.lttng(&["save", "events", "--output-path", &one]).fails();
        s.lttng_xml(&["save", "events", "--output-path", &one]).fails();
        s.lttng(&["save", "started", "--output-path", &format!("file://{one}")]).ok();
        s.lttng(&["save", "--all", "--output-path", &all]).ok();
        s.lttng(&["save", "--all", "--output-path", &all]).fails();
        s.lttng(&["save", "--all", "--force", "--output-path", &all]).ok();
        s.lttng_xml(&["save", "--force", "--output-path", &all]).ok();
        assert_eq!(saved(s, "one", &one).len(), 2);
        assert_eq!(saved(s, "all", &all).len(), 15);
        s.lttng(&["destroy", "--all"]).ok();
        s.lttng(&["save", "--all", "--output-path", &s.path("none")]).ok();
        assert!(!Path::new(&s.path("none")).exists());
        daemon.stop();
    });
}

/// What was saved is loaded by the stock client, and saved again: that changes nothing.
#[test]
fn what_was_saved_is_loaded_again() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        make_sessions(s);
        let (first, second) = (s.path("first"), s.path("second"));
        s.lttng(&["save", "--all", "--output-path", &first]).ok();
        s.lttng(&["destroy", "--all"]).ok();
        for name in [
            "empty",
            "sp <&>\"\u{e9}'",
            "events",
            "trackers",
            "schedules",
            "snapshots",
            "snapshots2",
            "net",
            "net6",
        ] {
            s.lttng(&["load", name, "--input-path", &format!("{first}/{name}.lttng")]).ok();
            s.lttng(&["save", name, "--output-path", &second]).ok();
            let text = |folder| sorted(&fs::read_to_string(format!("{folder}/{name}.lttng")).unwrap());
            assert_eq!(text(&first), text(&second), "{name}");
        }
        s.lttng(&["destroy", "--all"]).ok();
        daemon.stop();
    });
}

#[test]
fn what_can_not_be_saved() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["save", "nothing"]).fails();
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["save", "nothing"]).fails();
        for path in
            ["/proc/nowhere", "/dev/null", "/dev/null/below", "relative", "net://127.0.0.1", "http://x", ""]
        {
            s.lttng(&["save", "s", "--output-path", path]);
        }
        s.lttng(&["save", "s", "--output-path", &s.path("up/../other")]);
        // As long as a path can be, and beyond.
        for length in [4060, 4070, 4080, 4084, 4085, 4086, 4087, 4090, 4094, 4095, 4096] {
            let begin = s.path("");
            let mut path = begin.trim_end_matches('/').to_owned();
            while path.len() + 101 < length {
                path.push_str(&format!("/{}", "d".repeat(100)));
            }
            while path.len() < length {
                path.push(if path.len() % 101 == 0 { '/' } else { 'e' });
            }
            let output = s.run("lttng", &["save", "s", "-f", "--output-path", &path]);
            s.note(
                &format!("a path of {length}"),
                &format!("{} {}", output.code, output.stderr),
                Order::Fixed,
            );
        }
        // A folder in the place of the file.
        let place = s.path("place");
        fs::create_dir_all(format!("{place}/s.lttng")).unwrap();
        s.lttng(&["save", "s", "--output-path", &place]).fails();
        s.lttng(&["save", "s", "-f", "--output-path", &place]).fails();
        // A file in the place of the folder.
        let file = s.path("file");
        fs::write(&file, "").unwrap();
        s.lttng(&["save", "s", "--output-path", &file]).fails();
        s.lttng(&["save", "s", "--output-path", &format!("{file}/below")]).fails();
        // A name that no file can have.
        let long = "n".repeat(254);
        s.lttng(&["create", &long, "--output", &s.path("trace2")]).ok();
        s.lttng(&["save", &long, "--output-path", &s.path("long")]).fails();
        saved(s, "place", &place);
        saved(s, "long", &s.path("long"));
        s.lttng(&["destroy", "--all"]).ok();
        daemon.stop();
    });
}

/// The home of root, or of a user: that of the passwd entry.
fn with_homes(s: &Sandbox) {
    let passwd = s.path("passwd");
    let line =
        |user: User| format!("u{0}:x:{0}:{1}::{2}:/bin/sh\n", user.uid, user.gid, s.home_of(user).display());
    let root = format!("root:x:0:0::{}:/bin/sh\n", s.path("root's home"));
    fs::create_dir(s.path("root's home")).unwrap();
    fs::write(&passwd, format!("{root}{}", line(FIRST))).unwrap();
    s.run("mount", &["--bind", &passwd, "/etc/passwd"]).ok();
}

#[test]
fn whose_files_they_are() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        with_homes(s);
        let daemon = Daemon::start(s);
        // Clients of users reach root's daemon if they are in the tracing group.
        let tracing = crate::lifecycle::tracing_group();
        let Some(tracing) = tracing else { return skip("there is no tracing group") };
        let groups: &'static [u32] = Vec::leak(vec![tracing]);
        let (first, second) = (User { groups, ..FIRST }, User { groups, ..SECOND });
        s.lttng_as(first, &["create", "firsts", "--output", &s.path("f")]).ok();
        s.lttng(&["create", "roots", "--output", &s.path("r")]).ok();
        // To the home of the passwd entry.
        s.lttng(&["save"]).ok();
        s.lttng_as(first, &["save"]).ok();
        s.lttng_as(first, &["save", "firsts"]).fails();
        s.lttng_as(first, &["save", "roots"]).fails();
        s.lttng_as(first, &["save", "firsts", "--force"]).ok();
        // Who has no entry has no home. The original's helper dies of such a user.
        s.lttng_as(second, &["create", "seconds", "--output", &s.path("s2")]).ok();
        s.lttng_as(second, &["save"]).fails();
        s.lttng_as(second, &["save", "seconds"]).fails();
        let homes = [s.home_of(first), s.home_of(second)].map(|home| home.to_string_lossy().into_owned());
        // Root may save all, anywhere; a user only where it may write.
        s.lttng(&["save", "--output-path", &format!("{}/all", homes[0])]).ok();
        s.lttng_as(first, &["save", "--output-path", &s.path("root's home/x")]).fails();
        // The original says that all is well.
        let roots = s.run_as(first, "lttng", &["save", "-f", "--output-path", &format!("{}/all", homes[0])]);
        assert!(s.which() == Which::Stock || roots.code == 32, "{}", roots.stderr);
        s.lttng_as(first, &["save", "firsts", "--output-path", &format!("{}/all", homes[0])]);
        let shut = s.path("shut");
        fs::create_dir(&shut).unwrap();
        fs::set_permissions(&shut, fs::Permissions::from_mode(0o755)).unwrap();
        s.lttng_as(first, &["save", "firsts", "--output-path", &shut]).fails();
        // A file that another one keeps for itself.
        let open = s.path("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(format!("{open}/firsts.lttng"), "root's").unwrap();
        s.lttng_as(first, &["save", "firsts", "-f", "--output-path", &open]).fails();
        assert_eq!(fs::read(format!("{open}/firsts.lttng")).unwrap(), b"root's");
        // The owner of a file that root replaces keeps it.
        let owned = format!("{}/.lttng/sessions", homes[0]);
        s.lttng(&["save", "firsts", "-f", "--output-path", &owned]).ok();
        for folder in [&homes[0], &homes[1]] {
            let sessions = [".lttng/sessions", "all", "saved"].map(|below| format!("{folder}/{below}"));
            for sessions in sessions.iter().filter(|path| Path::new(path).exists()) {
                saved(s, sessions, sessions);
            }
        }
        saved(s, "root", &s.path("root's home"));
        saved(s, "open", &open);
        s.lttng(&["destroy", "--all"]).ok();
        daemon.stop();
    });
}

#[test]
fn links_and_texts_that_the_format_has_not() {
    ours_only("it follows the link, and writes what it can't read", |s| {
        let daemon = Daemon::start(s);
        let place = s.path("place");
        fs::create_dir(&place).unwrap();
        let (target, file) = (format!("{place}/target"), format!("{place}/s.lttng"));
        fs::write(&target, "untouched").unwrap();
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        symlink(&target, &file).unwrap();
        s.lttng(&["save", "s", "--output-path", &place]).fails();
        s.lttng(&["save", "s", "-f", "--output-path", &place]).ok();
        assert_eq!(fs::read(&target).unwrap(), b"untouched");
        assert!(fs::symlink_metadata(&file).unwrap().is_file());
        let before = fs::read(&file).unwrap();
        for bad in ["bad:\u{1}", "bad:\u{7}x"] {
            s.lttng(&["enable-event", "-u", bad]).ok();
            let output = s.lttng(&["save", "s", "-f", "--output-path", &place]).fails();
            assert!(output.stderr.contains("Invalid parameter"), "{}", output.stderr);
            assert_eq!(fs::read(&file).unwrap(), before);
        }
        // Whether it exists is said first.
        let output = s.lttng(&["save", "s", "--output-path", &place]).fails();
        assert!(output.stderr.contains("already exists"), "{}", output.stderr);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 2);
        s.lttng(&["destroy", "--all"]).ok();
        daemon.stop();
    });
}

/// More than a message to the helper holds, and a disk that is full.
#[test]
fn long_ones_and_no_room() {
    ours_only("a file that could not be written whole is lost", |s| {
        let daemon = Daemon::start(s);
        let disk = s.path("disk");
        fs::create_dir(&disk).unwrap();
        s.run("mount", &["-t", "tmpfs", "-o", "size=64k", "none", &disk]).ok();
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["save", "s", "--output-path", &disk]).ok();
        for block in 0..10 {
            let names: Vec<String> =
                (0..100).map(|number| format!("provider:event_{block}_{number}")).collect();
            s.lttng(&["enable-event", "-u", &names.join(",")]).ok();
        }
        let place = s.path("place");
        s.lttng(&["save", "s", "--output-path", &place]).ok();
        let text = fs::read_to_string(format!("{place}/s.lttng")).unwrap();
        assert!(text.len() > 150_000 && text.ends_with("</sessions>\n"));
        assert_eq!(text.matches("<name>provider:event_").count(), 1000);
        let seen = |what: &str| s.run("sh", &["-c", &format!("{what} {disk}/*")]).ok().stdout;
        let before = seen("cat");
        let output = s.lttng(&["save", "s", "-f", "--output-path", &disk]).fails();
        assert!(output.stderr.contains("IO error"), "{}", output.stderr);
        assert_eq!((seen("cat"), seen("echo")), (before, format!("{disk}/s.lttng\n")));
        s.lttng(&["destroy", "--all"]).ok();
        daemon.stop();
    });
}
