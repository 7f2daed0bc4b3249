// SPDX-License-Identifier: GPL-2.0-only
//! The request header (`struct lttcomm_session_msg`), 13156 bytes before whatever a command adds.
//!
//! Everything that must be known before the variable part is read: how long it is, how long it may be, how
//! many descriptors follow. Nothing here judges the command; a header with an unknown number decodes too,
//! because its sender wants an answer.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h`.

use super::command::Command;
use super::text::{self, NAME_LEN};
use super::uri::Uri;
use crate::codec::{Error, ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;

/// Offset of the parameter union in the header.
const PARAMETERS_AT: usize = 4688;
/// Size of the parameter union.
pub const PARAMETERS_LEN: usize = 8464;
/// `LTTCOMM_MAX_SEND_FDS`: the most descriptors that one message carries.
pub const MAX_FDS: u32 = 253;

numbered! {
    /// A tracing domain. `enum lttng_domain_type` without `NONE`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Domain: u32 {
        /// The Linux kernel.
        Kernel = 1,
        /// Applications with LTTng-UST.
        Ust = 2,
        /// `java.util.logging`.
        Jul = 3,
        /// Apache log4j 1.
        Log4j = 4,
        /// Python's `logging`.
        Python = 5,
    }
    /// The domain with this number; 0 means "none" and has none.
    from_number;
}

numbered! {
    /// How ring buffers are shared. `enum lttng_buffer_type`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum BufferType: u32 {
        /// One set per process.
        PerPid = 0,
        /// One set per user.
        PerUid = 1,
        /// One set for the machine: the kernel's.
        Global = 2,
    }
    /// The buffer type with this number.
    from_number;
}

/// A request header. Fields of the wire structure that no command of 2.13 reads are left out; they are zero
/// when encoded.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 4 | `command` |
/// | 4 | 255 | `session_name` |
/// | 4380 | 4 | `domain_type` |
/// | 4384 | 4 | `buffer_type` |
/// | 4400 | 4 | `domain_word` |
/// | 4688 | 8464 | `parameters` |
/// | 13152 | 4 | `fd_count` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The command's number, which may be unknown.
    pub command: u32,
    /// The session that the command is about; empty when it needs none. At most 254 bytes.
    pub session_name: String,
    /// The domain's number as sent: 0 when the command has none.
    pub domain_type: u32,
    /// The buffer type's number as sent. Means something only when a channel may be created.
    pub buffer_type: u32,
    /// First word of the domain's attributes, without a use except that the reply echoes it as `pid`.
    pub domain_word: u32,
    /// The union of command parameters, [`PARAMETERS_LEN`] bytes.
    pub parameters: Box<[u8]>,
    /// Number of descriptors that follow the variable part.
    pub fd_count: u32,
}

impl Header {
    /// Size on the wire, whatever the command.
    pub const LEN: usize = 13156;

    /// A header without parameters.
    pub fn new(command: Command, session_name: &str) -> Header {
        Header {
            command: command.number(),
            session_name: session_name.to_owned(),
            domain_type: 0,
            buffer_type: 0,
            domain_word: 0,
            parameters: vec![0; PARAMETERS_LEN].into_boxed_slice(),
            fd_count: 0,
        }
    }

    /// Decodes exactly [`Header::LEN`] bytes; any other number is the only error.
    pub fn decode(bytes: &[u8]) -> Result<Header> {
        let mut reader = Reader::new("client request header", bytes);
        let command = reader.u32()?;
        let session_name = text::fixed_name(&mut reader, NAME_LEN)?;
        reader.seek(4380)?;
        let domain_type = reader.u32()?;
        let buffer_type = reader.u32()?;
        reader.seek(4400)?;
        let domain_word = reader.u32()?;
        reader.seek(PARAMETERS_AT)?;
        let parameters = reader.bytes(PARAMETERS_LEN)?.into();
        let fd_count = reader.u32()?;
        reader.finish()?;
        Ok(Header { command, session_name, domain_type, buffer_type, domain_word, parameters, fd_count })
    }

    /// Encodes to [`Header::LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Header::LEN);
        writer.u32(self.command).fixed_string(&self.session_name, NAME_LEN).pad_to(4380);
        writer.u32(self.domain_type).u32(self.buffer_type).pad_to(4400);
        writer.u32(self.domain_word).pad_to(PARAMETERS_AT);
        writer.bytes(self.parameters.get(..PARAMETERS_LEN).unwrap_or(&self.parameters));
        writer.pad_to(PARAMETERS_AT + PARAMETERS_LEN).u32(self.fd_count);
        writer.into_bytes()
    }

    /// The command, unless its number is unknown.
    pub fn command(&self) -> Option<Command> {
        Command::from_number(self.command)
    }

    /// The domain, unless none or an unknown one was named.
    pub fn domain(&self) -> Option<Domain> {
        Domain::from_number(self.domain_type)
    }

    /// The buffer type, unless its number is unknown.
    pub fn buffers(&self) -> Option<BufferType> {
        BufferType::from_number(self.buffer_type)
    }

    /// Length of the variable part that the client sends after the header, as the header declares it. Compare
    /// with [`Header::payload_limit`] before room is made for it.
    pub fn payload_len(&self) -> u64 {
        self.command().map_or(0, |command| self.payload_len_of(command))
    }

    /// [`Header::payload_len`] for this command, whatever its number is in the client's dialect.
    pub fn payload_len_of(&self, command: Command) -> u64 {
        // Offsets below are relative to the union.
        let length = match command {
            Command::AddContext | Command::DisableEvent | Command::EnableEvent => self.parameter_u32(256),
            Command::EnableChannel
            | Command::RegisterTrigger
            | Command::UnregisterTrigger
            | Command::ExecuteErrorQuery => self.parameter_u32(0),
            Command::SetConsumerUri => {
                self.parameter_u32(0).map(|count| count.saturating_mul(Uri::LEN as u64))
            }
            Command::TrackerAddValue | Command::TrackerRemoveValue => self.parameter_u32(16),
            Command::CreateSessionExt => {
                self.create_lengths().map(|(home, descriptor)| u64::from(home).saturating_add(descriptor))
            }
            _ => Ok(0),
        };
        // Only a union that is too short, which no decoded header has, gives an error.
        length.unwrap_or(0)
    }

    /// The longest variable part worth reading. A request that declares more is refused with the code that
    /// [`decode_body`](super::decode_body) gives for it, without its bytes.
    pub fn payload_limit(&self) -> u64 {
        self.command().map_or(0, Command::payload_limit)
    }

    /// Lengths of the home directory and of the session descriptor of a CREATE_SESSION_EXT.
    pub(super) fn create_lengths(&self) -> Result<(u16, u64)> {
        let mut reader = self.parameters();
        Ok((reader.u16()?, reader.u64()?))
    }

    /// Reads the parameter union from its start.
    pub(super) fn parameters(&self) -> Reader<'_> {
        Reader::new("client request parameters", &self.parameters)
    }

    /// Whether a REGISTER_TRIGGER is for a trigger that is to have no name, not even a made-up one.
    pub fn is_trigger_anonymous(&self) -> bool {
        // Behind the payload's length.
        self.parameters.get(4).is_some_and(|&flag| flag != 0)
    }

    fn parameter_u32(&self, offset: usize) -> Result<u64> {
        let mut reader = self.parameters();
        reader.seek(offset)?;
        reader.u32().map(u64::from)
    }
}

impl Command {
    /// The longest variable part worth reading, see [`Header::payload_limit`].
    pub fn payload_limit(self) -> u64 {
        const KIB: u64 = 1024;
        match self {
            Command::EnableChannel => 83 + 255,
            Command::AddContext => 64 * KIB,
            Command::CreateSessionExt => (PATH_LIMIT - 1) + DESCRIPTOR_LIMIT,
            Command::SetConsumerUri => 2 * Uri::LEN as u64,
            Command::TrackerAddValue | Command::TrackerRemoveValue => 256,
            Command::EnableEvent
            | Command::DisableEvent
            | Command::RegisterTrigger
            | Command::UnregisterTrigger
            | Command::ExecuteErrorQuery => KIB * KIB,
            _ => 0,
        }
    }
}

/// First length of a home directory (NUL included) that is refused.
pub(super) const PATH_LIMIT: u64 = 4096;
/// `LTTNG_SESSION_DESCRIPTOR_MAX_LEN`: the longest session descriptor.
pub(super) const DESCRIPTOR_LIMIT: u64 = 65536;

/// The error of a number that an enumeration does not have.
pub(crate) fn bad_value(reader: &Reader<'_>, value: impl Into<i64>) -> Error {
    reader.error(ErrorKind::BadValue(value.into() as u64))
}
