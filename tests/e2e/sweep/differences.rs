// SPDX-License-Identifier: GPL-2.0-only
//! Where the daemons differ, and why.

use super::Situation::{self, Empty, Furnished, Snapshot, Started, Stopped};
use crate::support::version::Version;

/// Requests that are answered differently. What is empty is about all.
pub struct Difference {
    pub commands: &'static [u32],
    pub domains: &'static [u32],
    pub situations: &'static [Situation],
    pub forms: &'static [&'static str],
    /// How the stock daemon's answer begins.
    pub stock: &'static str,
    /// How ours begins.
    pub ours: &'static str,
    /// Why that is right.
    pub why: &'static str,
    /// The first stock daemon that answers like ours.
    pub until: Option<Version>,
}

const ANY: Difference = Difference {
    commands: &[],
    domains: &[],
    situations: &[],
    forms: &[],
    stock: "",
    ours: "",
    why: "",
    until: None,
};

/// The domains of loggers.
const LOGGERS: &[u32] = &[3, 4, 5];

/// Those that are none. 0 is sent when a command has no domain.
const NO_DOMAINS: &[u32] = &[0, 6, 99];

/// All but the kernel's, which is not there.
const SERVED: &[u32] = &[0, 2, 3, 4, 5, 6, 99];

/// The sessions that exist.
const SESSIONS: &[Situation] = &[Empty, Furnished, Started, Stopped, Snapshot];

/// Numbers between those of commands.
const HOLES: &[u32] = &[1, 7, 8, 22, 23, 29, 30, 37, 38, 39];

/// What is meant.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        commands: HOLES,
        ours: "12",
        why: "a number that no command has is refused before its session and domain are looked at, or made",
        ..ANY
    },
    Difference {
        forms: &["cut off"],
        ours: "closed",
        why: "half a request is none, whatever its beginning asks for",
        ..ANY
    },
    Difference {
        commands: &[0, 6],
        domains: SERVED,
        situations: SESSIONS,
        forms: &["none"],
        stock: "died",
        ours: "152",
        why: "a context or rule of no bytes is malformed",
        ..ANY
    },
    Difference {
        commands: &[3],
        domains: &[2, 3, 4, 5],
        situations: &[Furnished, Started, Stopped, Snapshot],
        forms: &["none"],
        stock: "died",
        ours: "152",
        why: "a rule of no bytes is malformed",
        ..ANY
    },
    Difference {
        commands: &[52],
        forms: &["none"],
        stock: "died",
        ours: "152",
        why: "a question of no bytes is malformed",
        ..ANY
    },
    Difference {
        commands: &[5],
        domains: SERVED,
        situations: SESSIONS,
        forms: &["none"],
        stock: "died",
        ours: "97",
        why: "a channel of no bytes is none",
        ..ANY
    },
    Difference {
        commands: &[49],
        forms: &["none"],
        stock: "died",
        ours: "97",
        why: "a session of no bytes is none",
        ..ANY
    },
    Difference {
        commands: &[43, 44],
        domains: SERVED,
        forms: &["none"],
        stock: "died",
        ours: "125",
        why: "no trigger of no bytes",
        ..ANY
    },
    Difference {
        commands: &[12],
        domains: NO_DOMAINS,
        situations: SESSIONS,
        stock: "died",
        ours: "12",
        why: "a domain that has no event rules",
        ..ANY
    },
    Difference {
        commands: &[12],
        domains: &[2],
        situations: SESSIONS,
        forms: &["none", "ones", "unknown"],
        stock: "died",
        ours: "59",
        why: "the rules of an unknown channel",
        ..ANY
    },
    Difference {
        commands: &[12],
        domains: &[2],
        situations: &[Empty],
        forms: &["c"],
        stock: "died",
        ours: "59",
        why: "the rules of a channel that is not there",
        ..ANY
    },
    Difference {
        commands: &[14, 18],
        domains: NO_DOMAINS,
        stock: "died",
        ours: "12",
        why: "a domain that has no tracepoints",
        ..ANY
    },
    Difference {
        commands: &[18],
        domains: LOGGERS,
        stock: "died",
        ours: "12",
        why: "loggers have no fields",
        ..ANY
    },
    Difference {
        commands: &[16, 17],
        domains: &[6, 99],
        stock: "14",
        why: "start and stop are about the whole session: their domain is not looked at",
        ..ANY
    },
    Difference {
        commands: &[16, 17],
        domains: &[1],
        stock: "99",
        why: "the same; no client sends a domain",
        ..ANY
    },
    Difference {
        commands: &[24],
        situations: &[Started, Snapshot],
        stock: "died",
        ours: "13",
        why: "whether data of a session that records is pending",
        until: Some([2, 13, 12]),
        ..ANY
    },
    Difference {
        commands: &[3],
        domains: LOGGERS,
        forms: &["all"],
        stock: "closed",
        ours: "76",
        why: "there never was a rule about loggers",
        ..ANY
    },
    Difference {
        commands: &[6],
        domains: &[2],
        situations: &[Empty],
        stock: "97",
        ours: "97",
        why: "the channel that was made for a rule goes with it",
        ..ANY
    },
    Difference {
        commands: &[6],
        domains: &[2],
        situations: &[Empty],
        stock: "112",
        ours: "112",
        why: "the same for a rule with a reserved name",
        ..ANY
    },
    Difference {
        commands: &[6],
        domains: &[2],
        situations: &[Empty, Furnished],
        forms: &["channel of metadata"],
        stock: "died",
        ours: "113",
        why: "metadata has no rules",
        ..ANY
    },
    Difference {
        commands: &[6],
        forms: &["code that is none"],
        stock: "10",
        ours: "106",
        why: "a filter that applications would refuse",
        ..ANY
    },
    Difference {
        commands: &[6],
        domains: LOGGERS,
        forms: &["unknown kind of level"],
        stock: "10",
        ours: "97",
        why: "levels compare in one of three ways",
        ..ANY
    },
    Difference {
        commands: &[6],
        domains: SERVED,
        situations: SESSIONS,
        forms: &["filter without code"],
        stock: "died",
        ours: "97",
        why: "a filter is an expression with its code",
        until: Some([2, 13, 15]),
    },
    Difference {
        commands: &[21],
        forms: &["zeros"],
        ours: "97",
        why: "an address of no kind leads nowhere",
        ..ANY
    },
    Difference {
        commands: &[25, 26, 28],
        forms: &["ones"],
        stock: "124",
        ours: "97",
        why: "what can't be read is refused before anything is asked of the session",
        ..ANY
    },
    Difference { commands: &[40], forms: &["ones"], ours: "97", why: "a path that is no text", ..ANY },
    Difference {
        commands: &[31],
        forms: &["ones"],
        stock: "23",
        ours: "97",
        why: "a name and a folder that are no texts are those of no session",
        ..ANY
    },
    Difference {
        commands: &[32, 33],
        forms: &["longer", "zeros"],
        ours: "97",
        why: "a name ends where its length says",
        ..ANY
    },
    Difference {
        commands: &[43],
        stock: "125 as 0",
        ours: "125",
        why: "a refusal is of the command that was refused, not of command 0",
        ..ANY
    },
    Difference { commands: &[43], stock: "15 as 0", ours: "15", why: "the same", ..ANY },
    Difference { commands: &[52], stock: "127 as 0", ours: "127", why: "the same", ..ANY },
    Difference { commands: &[52], stock: "152 as 0", ours: "152", why: "the same", ..ANY },
];
