// SPDX-License-Identifier: GPL-2.0-only
//! What the tracer is told about a session: its name, its begin, and whom it follows.
//!
//! Names of users and groups mean nothing to the tracer; they are numbers by now.

use serde::{Deserialize, Serialize};

use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;
use crate::text::Text;

numbered! {
    /// What a session goes by when it follows some processes only.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum ProcessAttribute: u32 {
        /// Process id.
        Pid = 0,
        /// Process id in its namespace.
        Vpid = 1,
        /// User id.
        Uid = 2,
        /// User id in its namespace.
        Vuid = 3,
        /// Group id.
        Gid = 4,
        /// Group id in its namespace.
        Vgid = 5,
    }
    /// The attribute with this number, which is also its number in the client protocol.
    from_number;
    /// All of them.
    ALL;
}

/// Size of the structure that names an attribute and a value: u32, i32.
pub(super) const TRACKER_LEN: usize = 8;
/// Size of a creation time, its NUL included.
pub(super) const CREATION_TIME_SIZE: usize = 26;

/// Reads an attribute and a value. The process id has requests of its own.
pub(super) fn decode_tracker(reader: &mut Reader<'_>) -> Result<(ProcessAttribute, i32)> {
    let number = reader.u32()?;
    match ProcessAttribute::from_number(number) {
        None | Some(ProcessAttribute::Pid) => Err(reader.error(ErrorKind::BadValue(number.into()))),
        Some(attribute) => Ok((attribute, reader.i32()?)),
    }
}

pub(super) fn encode_tracker(attribute: ProcessAttribute, id: i32, writer: &mut Writer) {
    writer.u32(attribute.number()).i32(id);
}

/// Reads an array of `size` bytes that must hold a NUL, as the tracer demands it.
pub(super) fn terminated(reader: &mut Reader<'_>, size: usize) -> Result<Text> {
    let bad = reader.error(ErrorKind::BadString);
    let field = reader.bytes(size)?;
    let length = field.iter().position(|&byte| byte == 0).ok_or(bad)?;
    Ok(field.get(..length).unwrap_or_default().into())
}
