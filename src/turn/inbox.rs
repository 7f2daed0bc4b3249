// SPDX-License-Identifier: GPL-2.0-only
//! Bytes from a peer that are not a whole message yet.
//!
//! What was taken is not moved out of the way each time, and an inbox without bytes holds no memory: most peers are
//! silent most of the time.

/// Bytes received and not taken.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Inbox {
    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Makes room for a message of so many bytes, that is not all there yet: growing again and again would take the room
    /// of several.
    pub fn expect(&mut self, length: usize) {
        self.bytes.reserve_exact(length.saturating_sub(self.bytes().len()));
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// The bytes that are there.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// Has `read` read the next `length` bytes, if they are there, and takes them away.
    pub fn take<T>(&mut self, length: usize, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let value = read(self.bytes().get(..length)?);
        self.taken = self.taken.saturating_add(length);
        if self.taken >= self.bytes.len() {
            *self = Inbox::default();
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_takes_no_more_room_than_its_own() {
        const LENGTH: usize = 1_000_000;
        let mut inbox = Inbox::default();
        inbox.push(&[1; 1000]);
        for _ in 1..LENGTH / 1000 {
            inbox.expect(LENGTH);
            inbox.push(&[1; 1000]);
            assert_eq!(inbox.held(), LENGTH);
        }
        assert_eq!(inbox.take(LENGTH, <[u8]>::len), Some(LENGTH));
        assert_eq!(inbox.held(), 0);
    }

    #[test]
    fn messages_come_out_whole_and_in_order() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.take(1, <[u8]>::to_vec), None);
        inbox.push(b"abcde");
        assert_eq!(inbox.take(2, <[u8]>::to_vec).as_deref(), Some(&b"ab"[..]));
        assert_eq!(inbox.take(4, <[u8]>::to_vec), None);
        inbox.push(b"f");
        assert_eq!(inbox.bytes(), b"cdef");
        assert_eq!(inbox.take(4, <[u8]>::to_vec).as_deref(), Some(&b"cdef"[..]));
        assert_eq!((inbox.bytes.capacity(), inbox.taken), (0, 0));
    }
}
