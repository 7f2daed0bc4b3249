// SPDX-License-Identifier: GPL-2.0-only
//! Messages with descriptors over Unix sockets. Nothing here waits, unless the socket is one on which its owner wants to
//! wait, as helper processes do.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::sockopt::{PeerCredentials, SndBuf, SndBufForce};
use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, setsockopt};

/// Most descriptors that the kernel takes in one message (`SCM_MAX_FD`).
pub const MAX_DESCRIPTORS: usize = 253;

/// Bytes of the longest message on a socket that keeps messages apart. A longer one arrives without its end.
pub const MAX_MESSAGE: usize = 160 << 10;

/// What the kernel keeps of a socket's room for itself.
const OVERHEAD: usize = 4096;

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

/// Has a socket take messages of [`MAX_MESSAGE`] bytes, if it does not yet: how much it takes without being told is for
/// the host's administrator to say.
///
/// # Errors
/// It can't be told.
pub fn make_room_for_messages(socket: BorrowedFd<'_>) -> io::Result<()> {
    if getsockopt(&socket, SndBuf)? < MAX_MESSAGE.saturating_add(OVERHEAD) {
        // The kernel doubles it. Only root can go over the host's limit.
        setsockopt(&socket, SndBufForce, &MAX_MESSAGE)
            .or_else(|_| setsockopt(&socket, SndBuf, &MAX_MESSAGE))?;
    }
    Ok(())
}

/// What one message, or a piece of a stream, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The number of bytes; 0 is the end of the stream.
    pub bytes: usize,
    /// More descriptors came than there was room for, here or in this process: they are gone.
    pub truncated: bool,
}

/// Receives into `buffer` and appends at most `room` descriptors that came along to `descriptors`, close-on-exec. The
/// kernel drops the others: they never take a place in this process.
///
/// # Errors
/// What `recvmsg` gives.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    room: usize,
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    receive_with(0, socket, buffer, room, descriptors)
}

/// [`receive`] for a message, on a socket that keeps messages apart: the number of bytes is that of the whole message,
/// also if the buffer is too short for it. Waits for one if the socket does.
///
/// # Errors
/// What `recvmsg` gives.
pub fn receive_message(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    room: usize,
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    receive_with(libc::MSG_TRUNC, socket, buffer, room, descriptors)
}

fn receive_with(
    flags: libc::c_int,
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    room: usize,
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    let flags = flags | libc::MSG_CMSG_CLOEXEC;
    let mut control = vec![0_u8; if room > 0 { control_length(room) } else { 0 }];
    let mut slice = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is plain data for which all-zero is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut slice;
    message.msg_iovlen = 1;
    if room > 0 {
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = number(control.len());
    }
    // SAFETY: the message refers to `buffer` and `control`, which are there until it returns, with their lengths.
    let bytes = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let bytes = usize::try_from(bytes).map_err(|_| io::Error::last_os_error())?;
    // What could be delivered of a truncated list is here, and has to be closed by somebody.
    let arrived = take_descriptors(&message, descriptors);
    let surplus = arrived.saturating_sub(room);
    descriptors.truncate(descriptors.len().saturating_sub(surplus));
    Ok(Received { bytes, truncated: surplus > 0 || message.msg_flags & libc::MSG_CTRUNC != 0 })
}

/// Appends the descriptors that the kernel has put into the control data of `message`, as much of it as it says.
/// Returns how many.
fn take_descriptors(message: &libc::msghdr, descriptors: &mut Vec<OwnedFd>) -> usize {
    let mut count = 0_usize;
    // SAFETY: the kernel has just filled in the message; its control data is still there.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: these macros return null or a header that is wholly inside the control data.
    while let Some(item) = unsafe { header.as_ref() } {
        if (item.cmsg_level, item.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: this only adds up numbers.
            let head = number(unsafe { libc::CMSG_LEN(0) });
            let here = number::<_, usize>(item.cmsg_len).saturating_sub(head) / size_of::<RawFd>();
            // SAFETY: the data follows the header.
            let data = unsafe { libc::CMSG_DATA(item) }.cast::<RawFd>();
            for at in 0..here {
                // SAFETY: the kernel wrote so many numbers there, not necessarily aligned; each is that of a descriptor
                // that it has just made for us.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(data.add(at).read_unaligned()) });
            }
            count = count.saturating_add(here);
        }
        // SAFETY: as for the first one.
        header = unsafe { libc::CMSG_NXTHDR(message, item) };
    }
    count
}

/// Bytes of control data with which the kernel delivers so many descriptors and no more: without the padding, which it
/// would use.
fn control_length(descriptors: usize) -> usize {
    let bytes = descriptors.min(MAX_DESCRIPTORS).saturating_mul(size_of::<RawFd>());
    // SAFETY: this only adds up numbers.
    let length = unsafe { libc::CMSG_LEN(u32::try_from(bytes).unwrap_or(0)) };
    number(length)
}

/// A length in the type that a C library has for it, of which there are two; 0 if it is too long for that.
fn number<T, U: TryFrom<T> + Default>(length: T) -> U {
    U::try_from(length).unwrap_or_default()
}

/// Whether something failed because this process, or the whole system, can't have more descriptors.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    use super::*;

    #[test]
    fn a_socket_takes_the_longest_message_whatever_the_host_says() {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_NONBLOCK).unwrap();
        let message = vec![7; MAX_MESSAGE];
        let send = || send(ours.as_fd(), &[IoSlice::new(&message)], &[]);
        setsockopt(&ours, SndBuf, &4096).unwrap();
        assert_eq!(send().unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
        make_room_for_messages(ours.as_fd()).unwrap();
        assert_eq!(send().unwrap(), MAX_MESSAGE);
        // What there was room for is not changed.
        setsockopt(&ours, SndBuf, &(MAX_MESSAGE + 4096)).unwrap();
        let room = getsockopt(&ours, SndBuf).unwrap();
        make_room_for_messages(ours.as_fd()).unwrap();
        assert_eq!(getsockopt(&ours, SndBuf).unwrap(), room);
        // A message is as long as it was, also if only its beginning has room.
        let (mut buffer, mut none) = ([0; 9], Vec::new());
        let received = receive_message(theirs.as_fd(), &mut buffer, 0, &mut none).unwrap();
        assert_eq!((received.bytes, buffer), (MAX_MESSAGE, [7; 9]));
    }
}
