// SPDX-License-Identifier: GPL-2.0-only
//! Whose process is at the other end of a TCP connection within this host. TCP itself says nothing of that; the kernel's
//! socket diagnostics do (`NETLINK_SOCK_DIAG`, `linux/inet_diag.h`). It answers while it is asked, so that nothing waits.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, socket,
};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// Bytes of `struct nlmsghdr`, of `struct inet_diag_req_v2`, and of the part of `struct inet_diag_msg` that is read.
const HEADER: usize = 16;
const QUESTION: usize = 56;
/// Where in an answer are: the state of the socket, its addresses, the user, the inode.
const STATE: usize = HEADER + 1;
const ADDRESSES: usize = HEADER + 4;
const UID: usize = HEADER + 64;
const INODE: usize = HEADER + 68;
/// Bytes of the addresses: ports (u16 each), source, destination (16 each).
const ADDRESSES_LEN: usize = 36;
/// `TCP_LISTEN`.
const LISTENING: u8 = 10;
/// Answers that belong to earlier questions and are passed over before this one is given up.
const STALE: usize = 8;

/// Where the kernel is asked.
#[derive(Debug)]
pub struct ConnectionOwners {
    socket: OwnedFd,
    /// Number of the last question.
    number: u32,
}

impl ConnectionOwners {
    /// Opens it, and tries it on a socket that listens at an address: the kernel may have to load a module first, which it
    /// does at that moment.
    ///
    /// # Errors
    /// The kernel does not tell such things.
    pub fn open(listening: SocketAddrV4) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkSockDiag;
        let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, protocol)?;
        // From now on only the kernel is heard.
        connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        let mut owners = ConnectionOwners { socket, number: 0 };
        owners.ask(listening, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
        Ok(owners)
    }

    /// The user whose process has the end at `from` of the connection from there to `to`; none if no process has it any
    /// more.
    ///
    /// # Errors
    /// The kernel does not tell, or there is no such connection any more.
    pub fn owner(&mut self, from: SocketAddrV4, to: SocketAddrV4) -> io::Result<Option<u32>> {
        let answer = self.ask(from, to)?;
        // A connection that was closed by its process, or is about to be made, is said to be root's; and the socket that
        // listens at an address is told instead of a connection that is not there.
        let is_connection = answer.get(STATE).is_some_and(|&state| state != LISTENING);
        let told = answer.get(ADDRESSES..ADDRESSES + ADDRESSES_LEN);
        // Java's sockets are of IPv6, whoever they are connected to.
        let is_meant =
            [addresses(from, to), addresses_in_ipv6(from, to)].iter().any(|it| told == Some(&it[..]));
        let number = |at: usize| answer.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
        let has_process = number(INODE).is_some_and(|inode| inode != 0);
        Ok(number(UID).filter(|_| is_connection && is_meant && has_process))
    }

    /// Asks for one socket, and returns what is told of it.
    fn ask(&mut self, from: SocketAddrV4, to: SocketAddrV4) -> io::Result<Vec<u8>> {
        self.number = self.number.wrapping_add(1);
        let question = question(self.number, from, to);
        send(self.socket.as_raw_fd(), &question, MsgFlags::MSG_DONTWAIT)?;
        let mut buffer = [0; 1024];
        for _ in 0..STALE {
            let count = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT)?;
            let answer = buffer.get(..count).unwrap_or_default();
            let number = |at: usize| answer.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
            if number(8) != Some(self.number) {
                continue;
            }
            return match answer.get(4..6) {
                Some(kind) if kind == BY_FAMILY.to_ne_bytes() => Ok(answer.to_vec()),
                // `struct nlmsgerr`: it begins with a negative errno.
                _ => Err(io::Error::from_raw_os_error(
                    number(HEADER).map_or(libc::EPROTO, |error| error.cast_signed().saturating_neg()),
                )),
            };
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// The question for the socket at `from` that is connected to `to`.
fn question(number: u32, from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + QUESTION);
    // struct nlmsghdr: length, type, flags, sequence, port.
    bytes.extend(u32::try_from(HEADER + QUESTION).unwrap_or(0).to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(u16::try_from(libc::NLM_F_REQUEST).unwrap_or(0).to_ne_bytes());
    bytes.extend(number.to_ne_bytes());
    bytes.extend([0; 4]);
    // struct inet_diag_req_v2: family, protocol, extensions, padding, states (all), id.
    bytes.extend([libc::AF_INET, libc::IPPROTO_TCP].map(|number| u8::try_from(number).unwrap_or(0)));
    bytes.extend([0; 2]);
    bytes.extend([0xff; 4]);
    bytes.extend(addresses(from, to));
    // Any interface, no cookie.
    bytes.extend([0; 4]);
    bytes.extend([0xff; 8]);
    bytes
}

/// The beginning of `struct inet_diag_sockid`: ports and addresses, big-endian.
fn addresses(from: SocketAddrV4, to: SocketAddrV4) -> [u8; ADDRESSES_LEN] {
    let long = |address: &Ipv4Addr| {
        let [a, b, c, d] = address.octets();
        [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    };
    sockid([from.port(), to.port()], [long(from.ip()), long(to.ip())])
}

/// The same for a socket of IPv6.
fn addresses_in_ipv6(from: SocketAddrV4, to: SocketAddrV4) -> [u8; ADDRESSES_LEN] {
    let long = |address: &Ipv4Addr| address.to_ipv6_mapped().octets();
    sockid([from.port(), to.port()], [long(from.ip()), long(to.ip())])
}

fn sockid(ports: [u16; 2], addresses: [[u8; 16]; 2]) -> [u8; ADDRESSES_LEN] {
    let mut bytes = [0; ADDRESSES_LEN];
    let parts = ports.into_iter().flat_map(u16::to_be_bytes).chain(addresses.into_iter().flatten());
    bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;

    fn v4(address: SocketAddr) -> SocketAddrV4 {
        match address {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(_) => panic!("{address}"),
        }
    }

    /// A connection as Java programs make it.
    fn ipv6_stream(to: SocketAddrV4) -> OwnedFd {
        let socket = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::empty(), None).unwrap();
        let mut address: libc::sockaddr_in6 = bytes_of_zero();
        address.sin6_family = u16::try_from(libc::AF_INET6).unwrap();
        address.sin6_port = to.port().to_be();
        address.sin6_addr.s6_addr = to.ip().to_ipv6_mapped().octets();
        let length = u32::try_from(size_of_val(&address)).unwrap();
        // SAFETY: the address is there, with its length, until the call returns.
        let result = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        socket
    }

    fn bytes_of_zero() -> libc::sockaddr_in6 {
        // SAFETY: it is plain data for which all-zero is a valid value.
        unsafe { std::mem::zeroed() }
    }

    #[test]
    fn the_user_of_a_connection_is_told_while_a_process_has_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = v4(listener.local_addr().unwrap());
        let mut owners = match ConnectionOwners::open(here) {
            Ok(owners) => owners,
            // A kernel without this may be in use; then nothing can be tested.
            Err(error) => return eprintln!("the kernel does not tell: {error}"),
        };
        let stream = TcpStream::connect(here).unwrap();
        let (taken, peer) = listener.accept().unwrap();
        let peer = v4(peer);
        let me = nix::unistd::getuid().as_raw();
        for _ in 0..3 {
            assert_eq!(owners.owner(peer, here).unwrap(), Some(me));
        }
        let other = ipv6_stream(here);
        let (_taken, from) = listener.accept().unwrap();
        assert_eq!(owners.owner(v4(from), here).unwrap(), Some(me), "a socket of IPv6");
        drop(other);
        // Whoever listens there is not taken for who connected.
        assert_eq!(owners.owner(here, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1)).unwrap(), None);
        drop(stream);
        assert!(!matches!(owners.owner(peer, here), Ok(Some(_))));
        drop(taken);
    }
}
