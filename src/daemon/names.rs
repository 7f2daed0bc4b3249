// SPDX-License-Identifier: GPL-2.0-only
//! Names of hosts in URLs that reach the daemon as text: the helper looks them up, and the client whose command needs
//! one waits. Nobody else does.
//!
//! An address is kept only until the commands that waited for it were tried again: names may mean something else
//! later.

use std::collections::{BTreeMap, BTreeSet};

use lttng_protocol::client::{Endpoint, Family};

use super::Daemon;
use super::helper::PathPurpose;
use crate::helper::Operation;

/// A name, and which kind of address is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Host {
    name: String,
    ipv6: bool,
}

/// Names being looked up, and those just found.
#[derive(Debug, Default)]
pub struct Names {
    pending: BTreeSet<Host>,
    found: BTreeMap<Host, Option<String>>,
}

impl Names {
    /// The address of a host: as it was given, or as it was found.
    pub fn address(&self, endpoint: &Endpoint) -> Option<String> {
        match endpoint.address() {
            Some(address) => Some(address.to_owned()),
            None => self.found.get(&host(endpoint)).cloned().flatten(),
        }
    }

    /// Those that waited for what was found have been told.
    pub(super) fn forget(&mut self) {
        self.found.clear();
    }
}

fn host(endpoint: &Endpoint) -> Host {
    Host { name: endpoint.host.clone(), ipv6: endpoint.family == Family::Ipv6 }
}

impl Daemon {
    /// Whether the address of a host is known, or known not to be found; has it looked up, as `owner`.
    pub(crate) fn knows_address(&mut self, owner: (u32, u32), endpoint: &Endpoint) -> bool {
        let host = host(endpoint);
        if endpoint.address().is_some() || self.names.found.contains_key(&host) {
            return true;
        }
        if self.names.pending.insert(host.clone()) {
            let Host { name, ipv6 } = host.clone();
            self.path_operation(owner, Operation::LookUp { name, ipv6 }, PathPurpose::Name(host));
        }
        false
    }

    pub(super) fn looked_up(&mut self, host: Host, address: Option<String>) {
        if address.is_none() {
            log::error!("The host {} is not known", host.name);
        }
        self.names.pending.remove(&host);
        self.names.found.insert(host, address);
    }
}
