// SPDX-License-Identifier: GPL-2.0-only
//! Commands about snapshots and their outputs: listings, options, refusals.

use crate::snapshot::{layout, recorded};
use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::{Sandbox, side_by_side};

/// The number of the only output.
fn number(s: &Sandbox) -> String {
    let listed = s.run("lttng", &["snapshot", "list-output"]).ok().stdout;
    listed.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap().to_owned()
}

#[test]
fn listings_of_a_snapshot_session() {
    for kind in [&["--snapshot"][..], &["--no-output"]] {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            s.lttng(&[&["create", "s"], kind].concat()).ok();
            s.lttng(&["enable-channel", "-u", "c"]).ok();
            s.lttng(&["enable-channel", "-u", "d", "--discard", "--num-subbuf=2"]).ok();
            s.lttng(&["enable-channel", "-u", "o", "--overwrite", "--output=mmap"]).ok();
            s.lttng(&["enable-channel", "-u", "one", "--num-subbuf=1"]);
            s.lttng(&["enable-channel", "-u", "spliced", "--output=splice"]);
            s.lttng(&["enable-event", "-u", "-c", "implicit", "testapp:tick"]).ok();
            s.lttng_unordered(&["list", "s"]).ok();
            s.lttng_xml(&["list", "s"]).ok();
            s.lttng(&["list"]).ok();
            s.lttng_xml(&["list"]).ok();
            s.lttng(&["start"]).ok();
            let mut app = App::start(s);
            app.tell("tick 0 5");
            s.lttng_unordered(&["list", "s"]).ok();
            s.lttng_unordered(&["status"]).ok();
            s.lttng(&["stop"]).ok();
            s.lttng_unordered(&["list", "s"]).ok();
            s.lttng(&["snapshot", "list-output"]).ok();
            s.lttng(&["destroy"]).ok();
            s.note("home", &layout(s, &s.home().to_string_lossy()), Order::Fixed);
            daemon.stop();
        });
    }
}

#[test]
fn outputs_are_added_listed_and_removed() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let place = s.path("place");
        s.lttng(&["create", "s", "--snapshot", "--output", &place]).ok();
        let list = || {
            s.lttng(&["snapshot", "list-output"]);
            s.lttng_xml(&["snapshot", "list-output"]);
        };
        list();
        // One is enough.
        s.lttng(&["snapshot", "add-output", &s.path("second")]).fails();
        s.lttng(&["snapshot", "del-output", "2"]).fails();
        s.lttng(&["snapshot", "del-output", "nonsense"]).fails();
        s.lttng(&["snapshot", "del-output", "1"]).ok();
        s.lttng(&["snapshot", "del-output", "1"]).fails();
        list();
        for add in [
            &["relative/path"][..],
            &["nonsense://host"],
            &["file://relative"],
            &["net://"],
            &["net://127.0.0.1:70000"],
            &["net://127.0.0.1:1:1"],
            &["net://127.0.0.1/../x"],
            &["net://no.such.host.invalid"],
            &[],
            &["--ctrl-url=tcp://127.0.0.1"],
            &["--data-url=tcp://127.0.0.1"],
            &["--ctrl-url=tcp://127.0.0.1", "--data-url=tcp://127.0.0.2"],
        ] {
            s.lttng(&[&["snapshot", "add-output"], add].concat()).fails();
            // Which ones use up a number?
            s.lttng(&["snapshot", "add-output", &place]).ok();
            s.lttng(&["snapshot", "del-output", "snapshot-"]).ok();
        }
        let url = format!("file://{place}");
        for add in [
            &[url.as_str()][..],
            &[&place, "--name=named"],
            &[&place, "--max-size=3M"],
            &[&place, "--max-size=0"],
            &[&place, "--name=with.dot", "-m", "1"],
            &["net://127.0.0.1"],
            &["net://localhost:1234:1235/below/it", "-n", "remote"],
            &["net6://[::1]"],
            &["--ctrl-url=tcp://127.0.0.1:1", "--data-url=tcp://127.0.0.1:2"],
            &["-C", "tcp://127.0.0.1", "-D", "tcp://127.0.0.1"],
            &["-C", "net://127.0.0.1", "-D", "net://127.0.0.1"],
            &["/some/../where"],
        ] {
            s.lttng(&[&["snapshot", "add-output"], add].concat()).ok();
            list();
            s.lttng_xml(&["snapshot", "add-output", &place]);
            let number = number(s);
            s.lttng_xml(&["snapshot", "del-output", &number]).ok();
        }
        // By name, and the beginning of a name is enough.
        for (name, of) in [("whole", "whole"), ("wh", "whole"), ("wholesale", "whole"), ("whole", "hole")] {
            s.lttng(&["snapshot", "add-output", &place, "-n", of]);
            s.lttng(&["snapshot", "del-output", name]);
            list();
        }
        s.lttng(&["destroy"]).ok();
        list();
        daemon.stop();
    });
}

#[test]
fn refusals() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let place = s.path("place");
        let every = |name: &str| {
            let place = format!("{place}/{name}");
            s.lttng(&["snapshot", "record", "-s", name]);
            s.lttng_xml(&["snapshot", "record", "-s", name]);
            s.lttng(&["snapshot", "record", "-s", name, "relative"]);
            s.lttng(&["snapshot", "record", "-s", name, "net://127.0.0.1:1:2"]);
            s.lttng(&["snapshot", "record", "-s", name, "-n", "with.dot", &place]);
            s.lttng(&["snapshot", "record", "-s", name, "-n", "with/slash", &place]);
            s.lttng(&["snapshot", "record", "-s", name, "-n", &"n".repeat(240), &place]);
            s.lttng(&["snapshot", "record", "-s", name, "-n", &"n".repeat(236), &place]);
            s.lttng(&["snapshot", "record", "-s", name, "-n", &"n".repeat(238), &place]);
            s.lttng(&["snapshot", "record", "-s", name, "-m", "1", &place]);
            s.lttng(&["snapshot", "record", "-s", name, "--max-size=nonsense", &place]);
            s.lttng(&["snapshot", "record", "-s", name, "/proc/nowhere"]);
            s.lttng(&["snapshot", "record", "-s", name, &format!("{place}/../elsewhere")]);
            s.lttng(&["snapshot", "record", "-s", name, "net://127.0.0.1"]);
            s.lttng(&["snapshot", "list-output", "-s", name]);
        };
        s.lttng(&["snapshot", "record"]).fails();
        every("unknown");
        s.lttng(&["create", "regular", "--output", &s.path("regular")]).ok();
        s.lttng(&["snapshot", "add-output", &place]).fails();
        s.lttng(&["snapshot", "add-output", "nonsense://"]).fails();
        s.lttng(&["snapshot", "del-output", "1"]).fails();
        every("regular");
        for kind in ["--snapshot", "--no-output"] {
            let name = &kind[2..];
            s.lttng(&["create", name, kind]).ok();
            every(name);
            s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
            every(name);
            s.lttng(&["start", name]).ok();
            // There is no buffer yet: everything fits.
            every(name);
            let app = App::start(s);
            every(name);
            app.exit();
        }
        s.note("layout", &layout(s, &place), Order::Fixed);
        s.lttng(&["destroy", "--all"]).ok();
        daemon.stop();
    });
}

#[test]
fn outputs_named_for_once() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--no-output"]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut app = App::start(s);
        app.tell("tick 0 2");
        let (once, own) = (s.path("once"), s.path("own/deep/down"));
        s.lttng(&["snapshot", "record", &once]).ok();
        s.lttng(&["snapshot", "record", "--name=named", &format!("file://{once}")]).ok();
        s.lttng(&["snapshot", "record"]).fails();
        s.lttng(&["snapshot", "add-output", &own, "--name", "mine"]).ok();
        s.lttng(&["snapshot", "record"]).ok();
        s.lttng(&["snapshot", "record", "--name", "yours"]).ok();
        s.lttng(&["snapshot", "record", &once, "--max-size=1G"]).ok();
        s.lttng(&["snapshot", "list-output"]).ok();
        s.note("once", &layout(s, &once), Order::Fixed);
        s.note("own", &layout(s, &own), Order::Fixed);
        assert_eq!(recorded(s, &once), vec![vec![0, 1]; 3]);
        assert_eq!(recorded(s, &own), vec![vec![0, 1]; 2]);
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

#[test]
fn hosts_by_name() {
    side_by_side(|s| {
        let hosts = s.path("hosts");
        std::fs::write(&hosts, "127.0.0.1 localhost relay.test\nfd00::1 relay.test relay6.test\n").unwrap();
        s.run("mount", &["--bind", &hosts, "/etc/hosts"]).ok();
        let daemon = Daemon::start(s);
        s.run("lttng", &["create", "s", "--snapshot", "--output", &s.path("own")]).ok();
        s.lttng(&["snapshot", "del-output", "1"]).ok();
        for add in [
            &["net://relay.test"][..],
            &["net6://relay6.test:7:8/below"],
            &["net6://relay.test"],
            &["-C", "tcp://relay.test", "-D", "tcp://127.0.0.1"],
        ] {
            s.lttng(&[&["snapshot", "add-output"], add].concat()).ok();
            s.lttng(&["snapshot", "list-output"]).ok();
            let number = number(s);
            s.lttng(&["snapshot", "del-output", &number]).ok();
        }
        for add in [
            &["net://relay6.test"][..],
            &["net://nobody.test"],
            &["-C", "tcp://relay.test", "-D", "tcp://127.0.0.2"],
        ] {
            s.lttng(&[&["snapshot", "add-output"], add].concat()).fails();
        }
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}
