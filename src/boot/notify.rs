// SPDX-License-Identifier: GPL-2.0-only
//! Telling a service manager how the daemon is, as `sd_notify(3)` describes it: datagrams of lines `NAME=value`.
//!
//! It is told from inside the loop, so nothing here may wait. A manager that can't be told is no reason to end: what did
//! not reach it is said again with what comes next, in its newest version.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::manager::Address;

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Notifier {
    way: Option<(UnixDatagram, SocketAddr)>,
    /// What it was not told yet.
    unsaid: BTreeMap<&'static str, String>,
    /// The last attempt has failed, which was reported.
    fails: bool,
}

impl Notifier {
    /// The notifier of the manager that listens at this address (`NOTIFY_SOCKET`); without one, nobody is told anything.
    pub fn new(address: Option<&OsStr>) -> Notifier {
        let way = address.and_then(|address| {
            open(address)
                .inspect_err(|error| {
                    log::warn!("Can't tell the service manager anything at {}: {error}", address.display());
                })
                .ok()
        });
        Notifier { way, ..Notifier::default() }
    }

    /// Whether anybody wants to be told.
    pub fn has_listener(&self) -> bool {
        self.way.is_some()
    }

    /// The daemon is ready. `pid` is its process, if it is not the one that the manager has started.
    pub fn ready(&mut self, status: String, pid: Option<u32>) {
        let pid = pid.map(|pid| ("MAINPID", pid.to_string()));
        self.tell([("READY", "1".to_owned()), ("STATUS", status)].into_iter().chain(pid));
    }

    /// The daemon works.
    pub fn alive(&mut self) {
        self.tell([("WATCHDOG", "1".to_owned())]);
    }

    /// How the daemon is, in one line.
    pub fn status(&mut self, status: String) {
        self.tell([("STATUS", status)]);
    }

    /// The daemon begins to end.
    pub fn stopping(&mut self) {
        self.tell([("STOPPING", "1".to_owned()), ("STATUS", "Ending: sessions are destroyed".to_owned())]);
    }

    fn tell(&mut self, what: impl IntoIterator<Item = (&'static str, String)>) {
        let Some((socket, to)) = &self.way else { return };
        self.unsaid.extend(what);
        let text: String = self
            .unsaid
            .iter()
            .map(|(name, value)| format!("{name}={}\n", value.replace('\n', " ")))
            .collect();
        match socket.send_to_addr(text.as_bytes(), to) {
            Ok(_) => {
                self.unsaid.clear();
                self.fails = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.fails, true) {
                    log::warn!("Can't tell the service manager how the daemon is: {error}");
                }
            }
        }
    }
}

fn open(address: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let to = match Address::parse(address) {
        Some(Address::Path(path)) => SocketAddr::from_pathname(path)?,
        Some(Address::Abstract(name)) => SocketAddr::from_abstract_name(name)?,
        None => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name"));
        }
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, to))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn said(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn folder(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("lst-notify-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn it_is_said_in_lines() {
        let name = format!("lst-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut notifier = Notifier::new(Some(format!("@{name}").as_ref()));
        assert!(notifier.has_listener());
        notifier.ready("two\nlines".into(), None);
        assert_eq!(said(&manager), "READY=1\nSTATUS=two lines\n");
        notifier.alive();
        assert_eq!(said(&manager), "WATCHDOG=1\n");
        notifier.status("well".into());
        assert_eq!(said(&manager), "STATUS=well\n");
        notifier.stopping();
        assert!(said(&manager).contains("STOPPING=1\n"));
        Notifier::new(Some(format!("@{name}").as_ref())).ready("ready".into(), Some(7));
        assert_eq!(said(&manager), "MAINPID=7\nREADY=1\nSTATUS=ready\n");
    }

    #[test]
    fn what_was_not_heard_is_said_again() {
        let folder = folder("again");
        let path = folder.join("notify");
        let mut notifier = Notifier::new(Some(path.as_ref()));
        // Nobody is there; then there is somebody; then there is no room; then there is.
        notifier.ready("one".into(), None);
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        notifier.status("two".into());
        assert_eq!(said(&manager), "READY=1\nSTATUS=two\n");
        while notifier.unsaid.is_empty() {
            notifier.alive();
        }
        notifier.stopping();
        assert_eq!(said(&manager), "WATCHDOG=1\n");
        notifier.status("three".into());
        assert!(notifier.unsaid.is_empty());
        let last = std::iter::from_fn(|| Some(said(&manager))).find(|text| text != "WATCHDOG=1\n");
        assert_eq!(last.unwrap(), "STATUS=three\nSTOPPING=1\nWATCHDOG=1\n");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_address_that_means_nothing_is_no_listener() {
        assert!(!Notifier::new(Some("vsock:2:1".as_ref())).has_listener());
        let mut nobody = Notifier::new(None);
        nobody.ready("ready".into(), None);
        assert!(!nobody.has_listener() && nobody.unsaid.is_empty());
    }
}
