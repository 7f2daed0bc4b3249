// SPDX-License-Identifier: GPL-2.0-only
//! What an application answers to a command.

use super::super::NAME_SIZE;
use super::Command;
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::text::Text;

/// Result codes of an application; others are not sent. `lttng-ust 2.13: include/lttng/ust-error.h`
pub mod code {
    /// Success.
    pub const OK: i32 = 0;
    /// Any error that has no code of its own; [`Reply::value`](super::Reply::value) holds a negative errno.
    pub const ERR: i32 = -1024;
    /// There is no such thing, or no more of them.
    pub const NOENT: i32 = -1025;
    /// It exists already.
    pub const EXIST: i32 = -1026;
    /// The object does not take the command, or not with these arguments.
    pub const INVAL: i32 = -1027;
    /// It may not be done now: streams are missing, or the session was active.
    pub const PERM: i32 = -1028;
    /// The command is not implemented.
    pub const NOSYS: i32 = -1029;
    /// The application ends.
    pub const EXITING: i32 = -1030;
}

/// Version of lttng-ust in an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TracerVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patchlevel: u32,
}

/// An entry of a tracepoint list, 276 bytes: name (256 bytes), log level (i32), padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracepoint {
    /// `provider:event`.
    pub name: Text,
    /// Log level; 13 if the tracepoint declares none.
    pub loglevel: i32,
}

/// What a reply says besides its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyBody {
    /// Nothing.
    Empty,
    /// To [`Command::TracerVersion`].
    TracerVersion(TracerVersion),
    /// To [`Command::TracepointListGet`].
    Tracepoint(Tracepoint),
}

/// A reply, 324 bytes: handle, command, code, value (u32 each), 32 bytes of padding, body (276 bytes at 48).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Handle of the command.
    pub handle: u32,
    /// Number of the command.
    pub command: u32,
    /// 0, or one of the negative codes of [`code`].
    pub code: i32,
    /// After a success the new object's handle; after an error often the negative errno behind it.
    pub value: u32,
    /// More, after a success.
    pub body: ReplyBody,
}

impl Reply {
    /// Size of a reply in bytes.
    pub const LEN: usize = 324;

    /// A success.
    pub fn ok(handle: u32, command: &Command, value: u32) -> Self {
        Reply { handle, command: command.number(), code: code::OK, value, body: ReplyBody::Empty }
    }

    /// A failure with one of the codes of [`code`].
    pub fn error(handle: u32, command: &Command, code: i32) -> Self {
        Reply { handle, command: command.number(), code, value: 0, body: ReplyBody::Empty }
    }

    /// The same reply with a body.
    #[must_use]
    pub fn with_body(self, body: ReplyBody) -> Self {
        Reply { body, ..self }
    }

    /// Whether this is a reply to `command` on `handle`. If not, the connection is out of step.
    pub fn answers(&self, handle: u32, command: &Command) -> bool {
        self.handle == handle && self.command == command.number()
    }

    /// The version of lttng-ust.
    ///
    /// # Errors
    ///
    /// It is a reply to another command, or a failure.
    pub fn tracer_version(&self) -> Result<TracerVersion> {
        match self.body {
            ReplyBody::TracerVersion(version) => Ok(version),
            _ => Err(self.no_body("tracer version reply")),
        }
    }

    /// The entry of a tracepoint list.
    ///
    /// # Errors
    ///
    /// It is a reply to another command, or a failure.
    pub fn tracepoint(&self) -> Result<&Tracepoint> {
        match &self.body {
            ReplyBody::Tracepoint(tracepoint) => Ok(tracepoint),
            _ => Err(self.no_body("tracepoint list reply")),
        }
    }

    fn no_body(&self, what: &'static str) -> crate::Error {
        crate::Error { what, offset: 4, kind: ErrorKind::BadValue(self.command.into()) }
    }

    /// Decodes a reply.
    ///
    /// # Errors
    ///
    /// Another size than [`Reply::LEN`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("application reply", bytes);
        let (handle, command, code, value) = (reader.u32()?, reader.u32()?, reader.i32()?, reader.u32()?);
        reader.skip(32)?;
        let body = match command {
            0x41 if code == code::OK => ReplyBody::TracerVersion(TracerVersion {
                major: reader.u32()?,
                minor: reader.u32()?,
                patchlevel: reader.u32()?,
            }),
            0x90 if code == code::OK => ReplyBody::Tracepoint(Tracepoint {
                name: reader.fixed_text(NAME_SIZE)?,
                loglevel: reader.i32()?,
            }),
            _ => ReplyBody::Empty,
        };
        reader.seek(Self::LEN)?;
        reader.finish()?;
        Ok(Reply { handle, command, code, value, body })
    }

    /// The reply as an application sends it.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.u32(self.handle).u32(self.command).i32(self.code).u32(self.value).zeros(32);
        match &self.body {
            ReplyBody::Empty => {}
            ReplyBody::TracerVersion(TracerVersion { major, minor, patchlevel }) => {
                writer.u32(*major).u32(*minor).u32(*patchlevel);
            }
            ReplyBody::Tracepoint(Tracepoint { name, loglevel }) => {
                writer.fixed_string(name, NAME_SIZE).i32(*loglevel);
            }
        }
        writer.pad_to(Self::LEN);
        writer.into_bytes()
    }
}

/// An entry of a field list. It follows the reply to [`Command::TracepointFieldListGet`] if that is a
/// success, 808 bytes: event name, field name (256 bytes each), type (u32 at 512), log level (i32), not
/// written (i32 at 520), padding. An event without fields has one entry with an empty field name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracepointField {
    /// `provider:event`.
    pub event_name: Text,
    /// Name of the field.
    pub field_name: Text,
    /// 0 other, 1 integer, 2 enumeration, 3 float, 4 string.
    pub field_type: u32,
    /// Log level of the event.
    pub loglevel: i32,
    /// The field is for filters only, it is not recorded.
    pub nowrite: bool,
}

impl TracepointField {
    /// Size of an entry in bytes.
    pub const LEN: usize = 808;

    /// Decodes an entry.
    ///
    /// # Errors
    ///
    /// Another size than [`TracepointField::LEN`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("tracepoint field", bytes);
        let entry = TracepointField {
            event_name: reader.fixed_text(NAME_SIZE)?,
            field_name: reader.fixed_text(NAME_SIZE)?,
            field_type: reader.u32()?,
            loglevel: reader.i32()?,
            nowrite: reader.i32()? != 0,
        };
        reader.seek(Self::LEN)?;
        reader.finish()?;
        Ok(entry)
    }

    /// The entry as an application sends it.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.fixed_string(&self.event_name, NAME_SIZE).fixed_string(&self.field_name, NAME_SIZE);
        writer.u32(self.field_type).i32(self.loglevel).i32(self.nowrite.into()).pad_to(Self::LEN);
        writer.into_bytes()
    }
}
