// SPDX-License-Identifier: GPL-2.0-only
//! Names of hosts in URLs that reach the daemon as text: what is being looked up, and what was found.
//!
//! An address is kept only until the commands that waited for it were tried again: names may mean something else
//! later.

use std::collections::{BTreeMap, BTreeSet};

use lttng_protocol::client::{Endpoint, Family};

/// A name, and which kind of address is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// The name.
    pub name: String,
    /// An IPv6 address is wanted, not an IPv4 one.
    pub ipv6: bool,
}

impl Host {
    /// The host of an endpoint.
    pub fn of(endpoint: &Endpoint) -> Self {
        Host { name: endpoint.host.clone(), ipv6: endpoint.family == Family::Ipv6 }
    }
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
            None => self.found.get(&Host::of(endpoint)).cloned().flatten(),
        }
    }

    /// Whether the address of a host is known, or known not to be found.
    pub fn knows(&self, endpoint: &Endpoint) -> bool {
        endpoint.address().is_some() || self.found.contains_key(&Host::of(endpoint))
    }

    /// A host is to be looked up. False if it is being looked up already.
    pub fn begin(&mut self, host: Host) -> bool {
        self.pending.insert(host)
    }

    /// A host was looked up.
    pub fn looked_up(&mut self, host: Host, address: Option<String>) {
        self.pending.remove(&host);
        self.found.insert(host, address);
    }

    /// Those that waited for what was found have been told.
    pub fn forget(&mut self) {
        self.found.clear();
    }
}
