// SPDX-License-Identifier: GPL-2.0-only
//! How much metadata text a trace holds on disk.
//!
//! A consumer daemon says that text has arrived on disk only after a nap of 200 ms, while it takes a millisecond.
//! The file itself says it at once: its packets tell how much text they hold (CTF 1.8, section 7.1).

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// First word of a packet.
const MAGIC: u32 = 0x75D1_1D57;
/// Bytes of a packet's header: magic, UUID (16), checksum (4), content size in bits (4), packet size in bits (4),
/// three schemes and two version numbers (1 each).
const HEADER: usize = 37;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// Waits until the file holds `length` bytes of text.
///
/// # Errors
/// `TimedOut` after `limit`; what the system says; `InvalidData` if the file is something else.
pub fn wait_for(path: &Path, length: u64, limit: Duration) -> io::Result<()> {
    let deadline = Instant::now().checked_add(limit);
    loop {
        let options =
            OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path);
        let late = || deadline.is_none_or(|deadline| Instant::now() >= deadline);
        if options.and_then(|file| text_length(&file, late))? >= length {
            return Ok(());
        }
        if late() {
            return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
        }
        sleep(PAUSE);
    }
}

/// Bytes of text in all complete packets, or in those that were seen when it was `late`: the file is its user's, who may
/// have filled it with empty packets without end.
fn text_length(file: &File, late: impl Fn() -> bool) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let (mut offset, mut length) = (0_u64, 0_u64);
    loop {
        let mut header = [0; HEADER];
        match file.read_exact_at(&mut header, offset) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(length),
            other => other?,
        }
        let word = |at: usize| {
            let bytes = header.get(at..).and_then(<[u8]>::first_chunk).copied();
            bytes.map_or(0, u32::from_ne_bytes)
        };
        let (content, packet) = (u64::from(word(24)) / 8, u64::from(word(28)) / 8);
        if word(0) != MAGIC || content < HEADER as u64 || packet < content {
            return Err(ErrorKind::InvalidData.into());
        }
        offset = offset.saturating_add(packet);
        if offset > size {
            return Ok(length);
        }
        length = length.saturating_add(content - HEADER as u64);
        if late() {
            return Ok(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packet(text: usize, padding: usize) -> Vec<u8> {
        let bits = |bytes: usize| u32::try_from(8 * bytes).unwrap().to_ne_bytes();
        let mut packet = MAGIC.to_ne_bytes().to_vec();
        packet.extend([0; 20]);
        packet.extend(bits(HEADER + text));
        packet.extend(bits(HEADER + text + padding));
        packet.resize(HEADER + text + padding, 0);
        packet
    }

    fn file(name: &str, content: &[u8]) -> (std::path::PathBuf, File) {
        let path = std::env::temp_dir().join(format!("metadata-{name}-{}", std::process::id()));
        let mut file = File::create(&path).unwrap();
        file.write_all(content).unwrap();
        (path.clone(), File::open(path).unwrap())
    }

    #[test]
    fn the_text_of_all_complete_packets_counts() {
        let whole = [packet(100, 59), packet(7, 0)].concat();
        for (cut, expected) in [(0, 107), (1, 100), (50, 0), (whole.len(), 0)] {
            let (path, file) = file(&format!("count-{cut}"), &whole[..whole.len() - cut]);
            assert_eq!(text_length(&file, || false).unwrap(), expected, "without {cut} bytes");
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn many_empty_packets_are_not_looked_at_longer_than_it_may_take() {
        let (path, file) = file("many", &packet(0, 0).repeat(1000));
        let looks = std::cell::Cell::new(0);
        let late = || looks.replace(looks.get() + 1) == 9;
        assert_eq!((text_length(&file, late).unwrap(), looks.get()), (0, 10));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn anything_else_is_refused() {
        let mut wrong = packet(10, 0);
        wrong[28..32].fill(0);
        for (name, content) in [("magic", vec![b'x'; 100]), ("size", wrong)] {
            let (path, file) = file(name, &content);
            assert_eq!(text_length(&file, || false).unwrap_err().kind(), ErrorKind::InvalidData);
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn it_waits_no_longer_than_it_may() {
        let (path, _) = file("wait", &packet(10, 0));
        assert!(wait_for(&path, 10, Duration::ZERO).is_ok());
        let error = wait_for(&path, 11, Duration::from_millis(3)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
        std::fs::remove_file(path).unwrap();
    }
}
