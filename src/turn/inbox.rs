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
