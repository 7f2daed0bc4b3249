// SPDX-License-Identifier: GPL-2.0-only
//! One descriptor of the reactor: reading without waiting, and what is still to be written.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::pace::Pace;
use crate::sys::socket::{self, Received};
use crate::turn::ids::ConnId;
use crate::turn::output::{SharedFd, Supply};

/// Slices given to the kernel in one message.
const MAX_SLICES: usize = 16;
/// Bytes that may wait to be sent to one peer. The largest honest answers are listings of a few megabytes.
const MAX_QUEUED: usize = 64 << 20;

/// Bytes that may wait to be sent to a peer that is to take its answers before it asks more.
const MAX_UNSENT: usize = 64 << 10;

/// How a descriptor is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A stream of bytes.
    Stream,
    /// Messages that stay apart.
    Messages,
    /// The reading end of a pipe.
    Pipe,
}

/// What writing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing is left.
    Everything,
    /// The peer does not take more now.
    Partly,
    /// The peer is gone, or lets far too much pile up.
    Broken,
}

#[derive(Debug)]
struct Segment {
    bytes: Vec<u8>,
    sent: usize,
    descriptors: Vec<SharedFd>,
}

/// A descriptor and its outgoing queue.
#[derive(Debug)]
pub struct Connection {
    descriptor: OwnedFd,
    kind: Kind,
    queue: VecDeque<Segment>,
    queued: usize,
    /// What follows the queue.
    supply: Option<Box<dyn Supply>>,
    /// The peer took only a part the last time, and the kernel is to say when it takes more.
    pub lacks_room: bool,
    /// Everything from this one comes before what is read from here.
    pub read_first: Option<ConnId>,
    /// Nothing is read while much waits to be sent.
    pub hold_back: bool,
    /// Something was left unread for that reason.
    pub unread: bool,
    /// What was told of the bytes that wait to be sent, unless some were queued since.
    told: Option<usize>,
    /// What comes on a pipe.
    pub pace: Pace,
}

impl Connection {
    /// Takes over a non-blocking descriptor.
    pub fn new(descriptor: OwnedFd, kind: Kind) -> Self {
        Connection {
            descriptor,
            kind,
            queue: VecDeque::new(),
            queued: 0,
            supply: None,
            lacks_room: false,
            read_first: None,
            hold_back: false,
            unread: false,
            told: Some(0),
            pace: Pace::default(),
        }
    }

    /// How it is read and written.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether so much waits to be sent that nothing should be read.
    pub fn is_held_back(&self) -> bool {
        self.hold_back && self.queued > MAX_UNSENT
    }

    /// How many bytes wait to be sent, if that has changed since the last call, were it only for a moment: who counts
    /// what it has queued learns that it was taken.
    pub fn unsent_changed(&mut self) -> Option<usize> {
        let changed = self.told != Some(self.queued);
        self.told = Some(self.queued);
        changed.then_some(self.queued)
    }

    /// The descriptor.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// The descriptor for another owner. What was not sent is dropped.
    pub fn into_descriptor(self) -> OwnedFd {
        self.descriptor
    }

    /// Reads once, with no more than `room` descriptors. 0 bytes are the end.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; anything else is the end too.
    pub fn read(
        &self,
        buffer: &mut [u8],
        room: usize,
        descriptors: &mut Vec<OwnedFd>,
    ) -> io::Result<Received> {
        match self.kind {
            Kind::Pipe => {
                let bytes = nix::unistd::read(&self.descriptor, buffer)?;
                Ok(Received { bytes, truncated: false })
            }
            Kind::Stream | Kind::Messages => socket::receive(self.descriptor(), buffer, room, descriptors),
        }
    }

    /// Queues bytes, with descriptors on the first one.
    pub fn queue(&mut self, bytes: Vec<u8>, descriptors: Vec<SharedFd>) {
        self.queued = self.queued.saturating_add(bytes.len());
        self.told = None;
        self.queue.push_back(Segment { bytes, sent: 0, descriptors });
    }

    /// Has what `supply` makes sent after all that is queued. Nothing may be queued afterwards.
    pub fn queue_supply(&mut self, supply: Box<dyn Supply>) {
        self.supply = Some(supply);
    }

    /// Fills the queue with the next piece if there is nothing in it. Returns whether there is.
    fn refill(&mut self) -> bool {
        if self.queue.is_empty() {
            match self.supply.as_mut().and_then(|supply| supply.next_piece()) {
                Some(bytes) => self.queue(bytes, Vec::new()),
                None => self.supply = None,
            }
        }
        !self.queue.is_empty()
    }

    /// Writes as much as the peer takes.
    pub fn flush(&mut self) -> Flushed {
        while self.refill() {
            match self.send_some() {
                Ok(sent) => self.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.queued <= MAX_QUEUED => {
                    return Flushed::Partly;
                }
                Err(_) => return Flushed::Broken,
            }
        }
        // Most peers are sent nothing most of the time.
        self.queue = VecDeque::new();
        Flushed::Everything
    }

    /// Descriptors travel with their own segment only; plain segments travel together, except where each is a
    /// message.
    fn send_some(&self) -> io::Result<usize> {
        let Some(first) = self.queue.front() else { return Ok(0) };
        let alone = self.kind == Kind::Messages || !first.descriptors.is_empty();
        let count = if alone { 1 } else { MAX_SLICES };
        let together = self.queue.iter().take(count).enumerate();
        let together = together
            .take_while(|(at, segment)| *at == 0 || segment.descriptors.is_empty())
            .map(|(_, segment)| IoSlice::new(segment.bytes.get(segment.sent..).unwrap_or_default()));
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let used = slices.iter_mut().zip(together).map(|(slice, bytes)| *slice = bytes).count();
        let slices = slices.get(..used).unwrap_or_default();
        // Once the first byte is gone, the descriptors are too.
        let descriptors: Vec<BorrowedFd<'_>> = match first.sent {
            0 => first.descriptors.iter().map(AsFd::as_fd).collect(),
            _ => Vec::new(),
        };
        socket::send(self.descriptor(), slices, &descriptors)
    }

    fn advance(&mut self, mut sent: usize) {
        self.queued = self.queued.saturating_sub(sent);
        while let Some(first) = self.queue.front_mut() {
            let left = first.bytes.len().saturating_sub(first.sent);
            if sent < left {
                first.sent = first.sent.saturating_add(sent);
                return;
            }
            sent = sent.saturating_sub(left);
            self.queue.pop_front();
            if sent == 0 && self.queue.front().is_none_or(|next| !next.bytes.is_empty()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::rc::Rc;

    fn pair() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Connection::new(ours.into(), Kind::Stream), theirs)
    }

    #[test]
    fn all_is_sent_in_order_also_when_the_peer_is_slow() {
        let (mut connection, mut peer) = pair();
        let pieces: Vec<Vec<u8>> = (0..200u8).map(|number| vec![number; 5000]).collect();
        for piece in &pieces {
            connection.queue(piece.clone(), Vec::new());
        }
        assert_eq!(connection.flush(), Flushed::Partly);
        let mut received = Vec::new();
        let mut buffer = [0; 70_000];
        let expected = pieces.concat();
        while received.len() < expected.len() {
            let count = peer.read(&mut buffer).unwrap();
            received.extend_from_slice(&buffer[..count]);
            assert_ne!(connection.flush(), Flushed::Broken);
        }
        assert!(received == expected);
        assert_eq!(connection.flush(), Flushed::Everything);
    }

    #[test]
    fn descriptors_come_with_their_byte_and_no_other() {
        let (mut connection, peer) = pair();
        let descriptor: SharedFd = Rc::new(std::fs::File::open("/dev/null").unwrap().into());
        connection.queue(b"before".to_vec(), Vec::new());
        connection.queue(vec![0], vec![descriptor.clone()]);
        connection.queue(b"after".to_vec(), Vec::new());
        assert_eq!(connection.flush(), Flushed::Everything);
        let mut buffer = [0; 6];
        let mut descriptors = Vec::new();
        let receive = |buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>| {
            socket::receive(peer.as_fd(), buffer, 9, descriptors).unwrap()
        };
        assert_eq!(receive(&mut buffer, &mut descriptors), Received { bytes: 6, truncated: false });
        assert!(descriptors.is_empty());
        let mut byte = [1; 1];
        assert_eq!(receive(&mut byte, &mut descriptors), Received { bytes: 1, truncated: false });
        assert_eq!((byte, descriptors.len()), ([0], 1));
        assert_eq!(Rc::strong_count(&descriptor), 1);
    }

    #[test]
    fn a_peer_that_is_gone_is_noticed() {
        let (mut connection, peer) = pair();
        drop(peer);
        connection.queue(b"x".to_vec(), Vec::new());
        assert_eq!(connection.flush(), Flushed::Broken);
    }
}
