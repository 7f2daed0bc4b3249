// SPDX-License-Identifier: GPL-2.0-only
//! What a service manager tells a service that it starts, in the environment: where it wants to hear of it, how often it
//! wants a sign of life, and which descriptors are listening sockets (`sd_notify(3)`, `sd_watchdog_enabled(3)`,
//! `sd_listen_fds(3)`).
//!
//! The variables are for this one process. They must never reach a program that it starts, which would take the sockets
//! for its own, or be taken for the daemon.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::sys::inherited;

/// All the variables.
const VARIABLES: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
];

/// Signs of life in the time after which a service without one is killed: one may come late, or be lost.
const SIGNS_OF_LIFE: u32 = 3;
/// There is no need for more of them, whatever the manager says.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// What the manager wants.
#[derive(Debug, Default)]
pub struct Manager {
    /// The address of a datagram socket on which it is told how the service is.
    pub notify: Option<OsString>,
    /// How often it is to have a sign of life.
    pub sign_of_life: Option<Duration>,
    /// What it has passed, with the names that it gives.
    pub descriptors: Vec<(String, OwnedFd)>,
    /// What is wrong with it.
    pub messages: Vec<String>,
}

/// The same as far as the variables say it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    notify: Option<OsString>,
    sign_of_life: Option<Duration>,
    descriptors: usize,
    names: Vec<String>,
    messages: Vec<String>,
}

impl Manager {
    /// Takes the variables out of the environment, and over what they say. To be called at the beginning of the process,
    /// before it opens anything.
    pub fn take() -> Manager {
        let variables = VARIABLES.map(|name| (name, inherited::variable(name)));
        let value = |wanted: &str| {
            variables.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| value.clone())
        };
        let mut wanted = read(&value, std::process::id());
        let descriptors = inherited::descriptors(wanted.descriptors).unwrap_or_else(|error| {
            let count = wanted.descriptors;
            wanted
                .messages
                .push(format!("LISTEN_FDS says {count}, but not as many descriptors are there: {error}"));
            Vec::new()
        });
        // What has no name, or what is wrong with names, is found by its address.
        let names = wanted.names.into_iter().chain(std::iter::repeat(String::new()));
        Manager {
            notify: wanted.notify,
            sign_of_life: wanted.sign_of_life,
            descriptors: names.zip(descriptors).collect(),
            messages: wanted.messages,
        }
    }
}

/// Reads the variables for the process `pid`. What is meant for another process is left alone.
fn read(value: &dyn Fn(&str) -> Option<OsString>, pid: u32) -> Wanted {
    let mut wanted =
        Wanted { notify: value("NOTIFY_SOCKET").filter(|at| !at.is_empty()), ..Wanted::default() };
    let mut number = |name: &str| {
        let text = value(name)?;
        let number = text.to_str().and_then(|text| text.parse::<u64>().ok());
        if number.is_none() {
            wanted.messages.push(format!("{name} is no number: {}", text.display()));
        }
        number
    };
    if value("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(pid.into()) {
        let limit = number("WATCHDOG_USEC").filter(|&limit| limit > 0).map(Duration::from_micros);
        wanted.sign_of_life = limit.map(|limit| (limit / SIGNS_OF_LIFE).max(SHORTEST_PAUSE));
    }
    let number = |name: &str| value(name)?.to_str()?.parse::<u64>().ok();
    if number("LISTEN_PID") == Some(pid.into()) {
        wanted.descriptors = number("LISTEN_FDS").and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let names = value("LISTEN_FDNAMES").unwrap_or_default();
        wanted.names = names.to_str().unwrap_or_default().split(':').map(str::to_owned).collect();
    }
    // Without somewhere to send them, there is no point in signs of life.
    wanted.sign_of_life = wanted.sign_of_life.filter(|_| wanted.notify.is_some());
    wanted
}

/// An address of the kind that `NOTIFY_SOCKET` has: a path, or an abstract name behind a `@`.
#[derive(Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// A socket in the file system.
    Path(&'a OsStr),
    /// A name that is only the kernel's.
    Abstract(&'a [u8]),
}

impl<'a> Address<'a> {
    /// Reads one. None: it is of a kind that is not known here.
    pub fn parse(text: &'a OsStr) -> Option<Address<'a>> {
        match text.as_encoded_bytes() {
            [b'/', ..] => Some(Address::Path(text)),
            [b'@', name @ ..] if !name.is_empty() => Some(Address::Abstract(name)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(variables: &[(&str, &str)]) -> Wanted {
        let value = |wanted: &str| {
            variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| OsString::from(value))
        };
        read(&value, 77)
    }

    #[test]
    fn nothing_is_said_to_nobody() {
        assert_eq!(wanted(&[]), Wanted::default());
        assert_eq!(wanted(&[("NOTIFY_SOCKET", ""), ("WATCHDOG_USEC", "9000000")]), Wanted::default());
    }

    #[test]
    fn signs_of_life_come_more_than_twice_as_often_as_they_must() {
        let pause = |more: &[(&str, &str)]| {
            let wanted =
                wanted(&[&[("NOTIFY_SOCKET", "/run/n"), ("WATCHDOG_USEC", "30000000")], more].concat());
            assert_eq!(wanted.notify, Some("/run/n".into()));
            wanted.sign_of_life
        };
        assert_eq!(pause(&[]), Some(Duration::from_secs(10)));
        assert_eq!(pause(&[("WATCHDOG_PID", "77")]), Some(Duration::from_secs(10)));
        assert_eq!(pause(&[("WATCHDOG_PID", "78")]), None);
        let usec = |usec| wanted(&[("NOTIFY_SOCKET", "@n"), ("WATCHDOG_USEC", usec)]);
        assert_eq!(usec("1").sign_of_life, Some(SHORTEST_PAUSE));
        assert_eq!(usec("0").sign_of_life, None);
        assert_eq!((usec("soon").sign_of_life, usec("soon").messages.len()), (None, 1));
        assert!(usec("18446744073709551615").sign_of_life.is_some());
    }

    #[test]
    fn descriptors_are_for_the_process_that_they_name() {
        let listen = |pid, count, names| {
            let wanted = wanted(&[("LISTEN_PID", pid), ("LISTEN_FDS", count), ("LISTEN_FDNAMES", names)]);
            (wanted.descriptors, wanted.names)
        };
        assert_eq!(listen("77", "2", "client:apps"), (2, vec!["client".to_owned(), "apps".to_owned()]));
        assert_eq!(listen("78", "2", "client:apps"), (0, Vec::new()));
        assert_eq!(listen("", "2", "").0, 0);
        assert_eq!(listen("77", "-1", "").0, 0);
        assert_eq!(wanted(&[("LISTEN_FDS", "2")]).descriptors, 0);
        assert_eq!(wanted(&[("LISTEN_PID", "77"), ("LISTEN_FDS", "2")]).descriptors, 2);
    }

    #[test]
    fn addresses() {
        assert_eq!(Address::parse("/run/n".as_ref()), Some(Address::Path("/run/n".as_ref())));
        assert_eq!(Address::parse("@a/b".as_ref()), Some(Address::Abstract(b"a/b")));
        for none in ["", "@", "vsock:2:1234", "relative"] {
            assert_eq!(Address::parse(none.as_ref()), None, "{none}");
        }
    }
}
