// SPDX-License-Identifier: GPL-2.0-only
//! Keeps the architecture: who may import whom, and where which things may be done.
//!
//! It reads the sources under `src/` as text and runs nothing. When it fails, the code is to change, or the picture of
//! the house below together with `ARCHITECTURE.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/tree.rs"]
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use source::room;
use tree::{Target, Tree};

/// A room, which is a folder of `src/` or a file beside them, and the rooms that it may import.
type Room = (&'static str, &'static str);

/// The house, floor by floor from the top. Imports go down; on one floor, only as far as it is written here.
const HOUSE: &[&[Room]] = &[
    &[(
        "main",
        "explain inquiry boot reactor daemon config state kernel consumer helper accounts turn users sys",
    )],
    &[("explain", "inquiry boot report users sys lttng_protocol")],
    &[("inquiry", "boot report users sys")],
    &[("boot", "config turn users sys")],
    &[("reactor", "turn sys")],
    &[("daemon", "status client config trigger operation state accounts turn sys")],
    &[(
        "client",
        "config trigger operation state ust kernel consumer relayd helper accounts model turn small_map text users sys lttng_protocol",
    )],
    &[("status", "trigger state accounts report turn sys lttng_protocol")],
    &[("trigger", "operation state accounts model turn text sys lttng_protocol")],
    &[("operation", "state config ust kernel consumer relayd helper model turn text sys lttng_protocol")],
    &[(
        "state",
        "ust agent kernel consumer relayd helper accounts model report turn text sys lttng_protocol",
    )],
    &[
        ("config", "model text"),
        ("ust", "consumer helper accounts model turn small_map text sys lttng_protocol"),
        ("agent", "accounts model turn lttng_protocol"),
        ("kernel", "helper model turn text sys lttng_protocol"),
        ("consumer", "turn sys lttng_protocol"),
        ("relayd", "model turn lttng_protocol"),
        ("helper", "turn users sys lttng_protocol"),
    ],
    &[("accounts", ""), ("config", "model turn text")],
    &[("model", "turn text")],
    &[("turn", "sys")],
    &[("text", "lttng_protocol")],
    &[("report", ""), ("small_map", ""), ("users", ""), ("sys", ""), ("lttng_protocol", "")],
];

/// What talks to another process, or waits for one.
const PEER_IO: &[&str] = &[
    "mio",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "nix::poll",
    "nix::sys::epoll",
    "nix::sys::select",
    "nix::sys::socket",
    "nix::unistd::read",
    "nix::unistd::write",
    "libc::accept",
    "libc::accept4",
    "libc::bind",
    "libc::connect",
    "libc::epoll_wait",
    "libc::listen",
    "libc::poll",
    "libc::ppoll",
    "libc::read",
    "libc::readv",
    "libc::recv",
    "libc::recvfrom",
    "libc::recvmsg",
    "libc::select",
    "libc::send",
    "libc::sendmsg",
    "libc::sendto",
    "libc::socket",
    "libc::socketpair",
    "libc::write",
    "libc::writev",
];

/// Where that is done, and why.
const PEER_IO_PLACES: &[(&str, &str)] = &[
    ("reactor/", "the loop: the only place of the running daemon that waits"),
    ("sys/", "the system calls themselves, wrapped"),
    ("helper/mod.rs", "the helper process's own loop: nobody but its worker processes depends on it"),
    ("helper/worker.rs", "a worker of the helper process: it is there to be blocked"),
    ("kernel/loader.rs", "in the tracer's helper process: it is there to wait"),
    (
        "explain/gather/",
        "a command of its own, beside the daemon: nobody waits for it but who has started it",
    ),
    ("inquiry/", "another process than the daemon, which may wait for it"),
    (
        "boot/",
        "before the loop turns: sockets to listen on, and whether another daemon listens already; and what a service manager is told, without waiting",
    ),
];

/// Words that belong to a few places, and why.
const KEPT_TO: &[(&str, &[&str], &str)] = &[
    ("unsafe", &["sys/"], "system calls are wrapped there"),
    (
        "ErrorCode",
        &["client/", "status/words.rs"],
        "what a client is told is decided there, and named here; others have reasons of their own",
    ),
];

/// Words that must not stand in a place, and why. Literals count.
const BANNED: &[(&str, &str, &str)] = &[
    ("operation/", "UstRequest", "tasks say what is to be done, not to which tracer's consumer daemon"),
    ("operation/", "/ust/", "which folder a tracer writes to is known below"),
    ("operation/", "ConsumerKind::Ust", "tasks do not tell consumer daemons apart"),
];

/// Where everything that is logged above the level of debugging may be what a peer causes at will.
const BESIEGED: &[&str] =
    &["reactor/", "client/", "operation/", "state/", "ust/", "consumer/", "relayd/", "trigger/"];

/// What such places must not use.
const UNLIMITED: &[&str] = &["log::error!", "log::warn!", "log::info!"];

#[test]
fn the_picture_is_of_a_house() {
    let floor_of: BTreeMap<&str, usize> = HOUSE
        .iter()
        .enumerate()
        .flat_map(|(floor, rooms)| rooms.iter().map(move |room| (room.0, floor)))
        .collect();
    for (floor, rooms) in HOUSE.iter().enumerate() {
        for (at, (name, imports)) in rooms.iter().enumerate() {
            for import in imports.split_whitespace() {
                let beside = rooms[at..].iter().skip(1).any(|room| room.0 == import);
                assert!(floor_of[import] > floor || beside, "{name} imports {import}, which is not below it");
            }
        }
    }
}

#[test]
fn the_sources_keep_the_architecture() {
    let tree = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(tree.sources.len() > 50, "the sources are not where they are looked for");
    let violations = violations(&tree);
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

fn violations(tree: &Tree) -> Vec<String> {
    let mut found = wrong_imports(tree);
    found.extend(tree.circles());
    found.extend(peer_io(tree));
    found.extend(misplaced_words(tree));
    found.sort();
    found.dedup();
    found
}

/// Imports that the picture of the house does not have.
fn wrong_imports(tree: &Tree) -> Vec<String> {
    let rooms: BTreeMap<&str, &str> = HOUSE.iter().copied().flatten().copied().collect();
    let mut found = Vec::new();
    for source in tree.sources.iter().filter(|source| source.file != "lib.rs") {
        if !rooms.contains_key(room(&source.file)) {
            found.push(format!("src/{}:1: not in the picture of the house", source.file));
        }
    }
    for reference in tree.references() {
        let file = &tree.sources[reference.from].file;
        let from = room(file);
        let to = match &reference.to {
            Target::File(file) => room(&tree.sources[*file].file),
            Target::Crate(path) => path[0].as_str(),
        };
        let allowed =
            rooms.get(from).is_some_and(|imports| imports.split_whitespace().any(|import| import == to));
        if file != "lib.rs" && from != to && rooms.contains_key(to) && !allowed {
            found.push(format!("src/{file}:{}: {from} must not import {to}", reference.line));
        }
    }
    found
}

/// Talk with other processes where nobody should wait for any.
fn peer_io(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for reference in tree.references() {
        let file = &tree.sources[reference.from].file;
        let Target::Crate(path) = &reference.to else { continue };
        let path = path.join("::");
        let names = |io: &&&str| {
            path == **io
                || path.strip_prefix(**io).is_some_and(|rest| rest.starts_with("::"))
                || path.strip_suffix('*').is_some_and(|all| io.starts_with(all))
        };
        if PEER_IO.iter().any(|io| names(&io))
            && !PEER_IO_PLACES.iter().any(|(place, _)| file.starts_with(place))
        {
            found.push(format!("src/{file}:{}: {path} is not for this place", reference.line));
        }
    }
    found
}

fn misplaced_words(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for source in &tree.sources {
        let file = &source.file;
        for (word, places, why) in KEPT_TO {
            if !places.iter().any(|place| file.starts_with(place)) {
                let lines = lines_with(&source.code, word);
                found.extend(
                    lines.map(|line| format!("src/{file}:{line}: {word} is not for this place: {why}")),
                );
            }
        }
        for text in UNLIMITED.iter().filter(|_| BESIEGED.iter().any(|place| file.starts_with(place))) {
            let lines = source.text.lines().enumerate().filter(|(_, line)| line.contains(text));
            found.extend(lines.map(|(at, _)| format!("src/{file}:{}: {text}: use Turn::say", at + 1)));
        }
        for (place, text, why) in BANNED {
            if file.starts_with(place) {
                let lines = source.text.lines().enumerate().filter(|(_, line)| line.contains(text));
                found.extend(lines.map(|(at, _)| format!("src/{file}:{}: {text}: {why}", at + 1)));
            }
        }
    }
    found
}

/// The lines in which a whole word stands.
fn lines_with(code: &str, word: &str) -> impl Iterator<Item = usize> {
    let in_word = |letter: char| letter == '_' || letter.is_alphanumeric();
    let has = move |line: &str| line.split(|letter| !in_word(letter)).any(|part| part == word);
    code.lines().enumerate().filter(move |(_, line)| has(line)).map(|(at, _)| at + 1)
}

/// The architecture's keeper itself, on trees of a few lines.
mod keeper {
    use super::*;

    fn found(files: &[(&'static str, &'static str)]) -> Vec<String> {
        violations(&Tree::new(files.iter().copied()))
    }

    #[test]
    fn an_upward_import_is_found_however_it_is_written() {
        let upward = [
            "use crate::state::State;",
            "use crate::{turn::ids::Id, state::{self, State}};",
            "fn f(_: &crate::state::State) {}",
            "use super::super::state::State;",
            "pub use crate::state as other;",
            "fn f() {\n use crate::state::*;\n}",
            "mod inner {\n use super::super::super::state::State;\n}",
        ];
        for text in upward {
            let found = found(&[("model/session.rs", text), ("state/mod.rs", ""), ("turn/ids.rs", "")]);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with("src/model/session.rs:"), "{found:?}");
            assert!(found[0].ends_with("model must not import state"), "{found:?}");
        }
        let second_line = found(&[("turn/mod.rs", "\nuse crate::model::Session;"), ("model/mod.rs", "")]);
        assert_eq!(second_line, ["src/turn/mod.rs:2: turn must not import model"]);
    }

    #[test]
    fn what_only_looks_like_an_import_is_none() {
        let harmless = "
            // use crate::state::State;
            /* use crate::state::State; /* */ use crate::state::State; */
            const A: &str = \"use crate::state::State; \\\" crate::state::State\";
            const B: &str = r#\"\" crate::state::State\"#;
            const C: (char, char) = ('\"', '\\'');
            fn f<'a>(_: &'a str) -> impl Sized + use<'a> {}
            #[cfg(test)]
            mod tests { use crate::state::State; }
            #[cfg(test)]
            fn g(_: [u8; 2]) { crate::state::h(); }
        ";
        assert_eq!(found(&[("model/mod.rs", harmless), ("state/mod.rs", "")]), [""; 0]);
        let in_tests =
            [("model/mod.rs", ""), ("model/tests.rs", "use crate::state::State;"), ("state/mod.rs", "")];
        assert_eq!(found(&in_tests), [""; 0]);
        let behind = "const A: &str = \"é\"; #[cfg(test)] mod tests {} use crate::state::State;";
        assert_eq!(found(&[("model/mod.rs", behind), ("state/mod.rs", "")]).len(), 1);
    }

    #[test]
    fn a_circle_of_three_files_is_found_and_one_of_two_is_not() {
        let two = [("model/a.rs", "use super::b::B;"), ("model/b.rs", "use crate::model::a::A;")];
        assert_eq!(found(&two), [""; 0]);
        // A file and its two children make pairs, no circle.
        let star = [
            ("model/mod.rs", "mod a;\nmod b;\nuse a::A;\nfn f() { b::g() }"),
            ("model/a.rs", "use super::M;"),
            ("model/b.rs", "use super::M;"),
        ];
        assert_eq!(found(&star), [""; 0]);
        let three = [
            ("model/a.rs", "use super::b::B;"),
            ("model/b.rs", "\nuse super::c::C;"),
            ("model/c.rs", "fn f() {\n\n super::a::g() }"),
        ];
        let found = found(&three);
        assert_eq!(found.len(), 1, "{found:?}");
        for step in [
            "src/model/a.rs:1 imports src/model/b.rs",
            "src/model/b.rs:2 imports src/model/c.rs",
            "src/model/c.rs:3 imports src/model/a.rs",
        ] {
            assert!(found[0].contains(step), "{found:?}");
        }
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_defines_the_name() {
        let children = [
            ("model/a.rs", "use super::B;"),
            ("model/b.rs", "use super::C;"),
            ("model/c.rs", "use super::a::A;"),
        ];
        let through = |parent| {
            let files = children.iter().copied().chain([("model/mod.rs", parent)]);
            found(&files.collect::<Vec<_>>())
        };
        // Without the re-exports, the names are the parent's own.
        assert_eq!(through(""), [""; 0]);
        let found = through("pub use b::B;\npub use self::c::{C, D as E};");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("src/model/a.rs:1 imports src/model/b.rs"), "{found:?}");
        // A parent that uses what it passes on imports it.
        let used = [
            ("model/mod.rs", "pub use a::A;\nstruct M(A);"),
            ("model/a.rs", "use super::b::B;"),
            ("model/b.rs", "use super::M;"),
        ];
        assert_eq!(violations(&Tree::new(used)).len(), 1);
        let passed_on = [("model/mod.rs", "pub use a::A;\nstruct M;"), used[1], used[2]];
        assert_eq!(violations(&Tree::new(passed_on)), [""; 0]);
        // A room above is found behind one that may be imported.
        let hidden = [
            ("ust/a.rs", "use crate::model::X;"),
            ("model/mod.rs", "pub use crate::state::X;"),
            ("state/mod.rs", ""),
        ];
        let hidden = violations(&Tree::new(hidden));
        assert!(hidden.contains(&"src/ust/a.rs:1: ust must not import state".to_owned()), "{hidden:?}");
    }

    #[test]
    fn talk_with_peers_out_of_place_is_found() {
        for text in [
            "use std::os::unix::net::{UnixListener, UnixStream};",
            "use std::net::{SocketAddr, TcpStream};",
            "use std::net::*;",
            "use nix::sys::{signal, socket::recv};",
            "use nix::sys;\nfn f() { sys::socket::recv() }",
            "fn f() { libc::poll() }",
            "use mio::Poll;",
        ] {
            assert!(!found(&[("state/mod.rs", text)]).is_empty(), "{text}");
            assert_eq!(found(&[("reactor/mod.rs", text)]), [""; 0]);
        }
        assert_eq!(found(&[("state/mod.rs", "use std::net::SocketAddr;\nuse libc::polled;")]), [""; 0]);
    }

    #[test]
    fn words_out_of_place_are_found() {
        let text = "\nfn f() { unsafe {} }\n// unsafe\nfn unsafely() { \"unsafe\" }";
        let found_in = |file| found(&[(file, text)]);
        assert_eq!(found_in("state/mod.rs").len(), 1);
        assert!(found_in("state/mod.rs")[0].starts_with("src/state/mod.rs:2:"));
        assert_eq!(found_in("sys/fork.rs"), [""; 0]);
        let folder = "fn f() -> &str { \"/ust/uid\" } // \"/ust/\"\n";
        assert_eq!(found(&[("operation/stop.rs", folder)]).len(), 1);
        assert_eq!(found(&[("state/mod.rs", folder)]), [""; 0]);
        assert_eq!(found(&[("state/mod.rs", "fn f() { log::warn!(\"x\") }")]).len(), 1);
        assert_eq!(found(&[("boot/mod.rs", "fn f() { log::warn!(\"x\") }")]), [""; 0]);
        assert_eq!(found(&[("operation/stop.rs", "const K: ConsumerKind = ConsumerKind::Ust64;")]).len(), 1);
    }

    #[test]
    fn a_room_that_nobody_planned_is_found() {
        assert_eq!(found(&[("annex/mod.rs", "")]), ["src/annex/mod.rs:1: not in the picture of the house"]);
    }
}
