// SPDX-License-Identifier: GPL-2.0-only
//! Messages with descriptors over Unix sockets. Never blocks: the sockets given to it are non-blocking.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, getsockopt, recvmsg, sendmsg, sockopt::PeerCredentials,
};

/// Most descriptors that the kernel takes in one message (`SCM_MAX_FD`).
pub const MAX_DESCRIPTORS: usize = 253;

/// Who is at the other end of a Unix socket, as the kernel saw it when the peer connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Process id in this daemon's PID namespace; 0 when it is not visible from there.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// The credentials of the peer of `socket`.
///
/// # Errors
/// What `getsockopt` gives.
pub fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<Credentials> {
    let raw = getsockopt(&socket, PeerCredentials)?;
    Ok(Credentials { pid: raw.pid(), uid: raw.uid(), gid: raw.gid() })
}

/// Receives into `buffer` and appends the descriptors that came along to `descriptors`, close-on-exec.
/// Returns the number of bytes; 0 is the end of the stream.
///
/// # Errors
/// What `recvmsg` gives; `InvalidData` when the kernel had to drop control data.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut control = nix::cmsg_space!([std::os::fd::RawFd; MAX_DESCRIPTORS], libc::ucred);
    let mut slices = [IoSliceMut::new(buffer)];
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)?;
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = item {
            for fd in raw {
                // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    if message.flags.contains(MsgFlags::MSG_CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "descriptors lost"));
    }
    Ok(message.bytes)
}

/// Sends `slices` with `descriptors` attached to their first byte. Returns the number of bytes taken; the
/// descriptors went along if it is not 0.
///
/// # Errors
/// What `sendmsg` gives; never raises SIGPIPE.
pub fn send(
    socket: BorrowedFd<'_>,
    slices: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    Ok(sendmsg::<()>(socket.as_raw_fd(), slices, control, MsgFlags::MSG_NOSIGNAL, None)?)
}
