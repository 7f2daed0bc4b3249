// SPDX-License-Identifier: GPL-2.0-only
//! The port to which agents connect: IPv4, on this host only.
//!
//! That there is none is no reason not to start: the daemon goes on without agents, and says so in the words of the
//! original (lttng-tools 2.13: `src/bin/lttng-sessiond/agent-thread.c`).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::ops::RangeInclusive;

use nix::sys::socket::{Backlog, listen};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// Listens on the first port of these that nobody else has. Returns the socket, which does not wait, and the port; nothing
/// if there is none.
pub fn open(ports: &RangeInclusive<u16>) -> Option<(TcpListener, SocketAddrV4)> {
    for port in ports.clone() {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        match listen_at(address) {
            Ok(listener) => return Some((listener, address)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => {
                log::warn!("Can't listen on port {port}: {error}. Agent support will be deactivated.");
                return None;
            }
        }
    }
    let (first, last) = (ports.start(), ports.end());
    if first == last {
        log::warn!(
            "Another process is already using the agent port {first}. Agent support will be deactivated."
        );
    } else {
        log::warn!(
            "All ports in the range [{first}, {last}] are already in use. Agent support will be deactivated."
        );
    }
    None
}

fn listen_at(address: SocketAddrV4) -> io::Result<TcpListener> {
    // This also lets the port be taken again while connections of the daemon before are still being forgotten.
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    listen(&listener, Backlog::new(BACKLOG)?)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_port_is_taken() {
        // Somebody else may have any of them, and may take it at any moment.
        let both = |first: u16| {
            let range = first..=first.checked_add(1)?;
            let (one, other) = (open(&range)?, open(&range)?);
            (one.1.port() == first && other.1.port() == first + 1).then_some((range, one, other))
        };
        let (range, one, _other) = (20_000..30_000).step_by(2).find_map(both).unwrap();
        assert!(open(&range).is_none());
        assert!(open(&(*range.start()..=*range.start())).is_none());
        assert_eq!(*one.1.ip(), Ipv4Addr::LOCALHOST);
    }
}
