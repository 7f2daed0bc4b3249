// SPDX-License-Identifier: GPL-2.0-only
//! Raw connections to the daemon's sockets, for peers that do not behave.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::sandbox::Sandbox;

/// Size of the fixed part of a client's request (`lttng-tools 2.13: struct lttcomm_session_msg`).
pub const REQUEST_SIZE: usize = 13156;

/// Size of the fixed part of a reply (`lttng-tools 2.13: struct lttcomm_lttng_msg`).
pub const REPLY_SIZE: usize = 24;

/// A connection to `path`, an absolute path of the sandbox.
pub fn connect(sandbox: &Sandbox, path: &str) -> UnixStream {
    // A path through /proc/PID/root is as good as the one inside: sockets are found by their inode.
    let stream = UnixStream::connect(sandbox.outside(path)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// A request of the command `number` with nothing else set.
pub fn request(number: u32) -> Vec<u8> {
    let mut bytes = vec![0; REQUEST_SIZE];
    bytes[..4].copy_from_slice(&number.to_ne_bytes());
    bytes
}

/// Sets a text at `offset`, padded by the zeros that are there.
pub fn set_text(request: &mut [u8], offset: usize, text: &str) {
    request[offset..offset + text.len()].copy_from_slice(text.as_bytes());
}

/// Sends a request and returns the code of the reply (10 is success).
pub fn ask(sandbox: &Sandbox, path: &str, request: &[u8]) -> u32 {
    let mut stream = connect(sandbox, path);
    stream.write_all(request).unwrap();
    let mut reply = [0; REPLY_SIZE];
    stream.read_exact(&mut reply).unwrap_or_else(|error| panic!("no reply: {error}"));
    u32::from_ne_bytes([reply[4], reply[5], reply[6], reply[7]])
}
