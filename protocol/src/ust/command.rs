// SPDX-License-Identifier: GPL-2.0-only
//! The command socket: what the daemon asks an application to do, and the application's replies.
//!
//! This module says what a message looks like, not when it may be sent. An application drops the connection
//! at an unknown handle, at a filter of size 0 it waits for ever, and an exclusion of 0 names is never
//! answered: keeping to that is up to the planner. Layouts: `lttng-ust 2.13: src/common/ustcomm.h` and
//! `include/lttng/ust-abi.h`.

mod context;
mod reply;

pub use context::Context;
pub use reply::{Reply, ReplyBody, Tracepoint, TracepointField, TracerVersion, code};

use super::NAME_SIZE;
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::text::Text;

/// Handle of the object that every connection begins with.
pub const ROOT: u32 = 0;

/// Instrumentation type of an event rule that is about tracepoints, the only one an application knows.
const TRACEPOINT: i32 = 0;
/// Type of a channel that holds events.
const PER_CPU_CHANNEL: i32 = 0;
/// What the log level field holds when all levels are wanted.
const NO_LOGLEVEL: i32 = -1;
/// Padding between command and arguments.
const HEADER_PADDING: usize = 32;
/// Offset of the arguments.
const ARGUMENTS: usize = 40;

/// What to do with the object that a message's handle denotes. Offsets are those of the arguments in the
/// message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// 0x01, any object but root: the daemon needs it no more.
    Release,
    /// 0x40, root: makes a session.
    Session,
    /// 0x41, root: version of lttng-ust.
    TracerVersion,
    /// 0x42, root: makes a list of the tracepoints.
    TracepointList,
    /// 0x43, root: returns when probes that were running have ended.
    WaitQuiescent,
    /// 0x44, root: lets the application's `main` start.
    RegisterDone,
    /// 0x45, root: makes a list of the fields of all tracepoints.
    TracepointFieldList,
    /// 0x46, root: makes an event notifier group. One descriptor follows: the pipe's end for writing.
    EventNotifierGroup,
    /// 0x51, session: makes a channel. Its object follows, then one descriptor.
    Channel {
        /// Size in bytes of the object that the consumer daemon made (u64 at 40).
        len: u64,
    },
    /// 0x54, session: records the state of the application again.
    SessionStatedump,
    /// 0x60, channel: adds a stream. Two descriptors follow: shared memory and wake-up.
    Stream {
        /// Size in bytes of the shared memory (u64 at 40).
        len: u64,
        /// Index of the stream (u32 at 48).
        nr: u32,
    },
    /// 0x61, channel: makes an event rule, disabled.
    Event(EventRule),
    /// 0x70, channel: adds a context.
    Context(Context),
    /// 0x80, session, channel, event rule or event notifier.
    Enable,
    /// 0x81, session, channel, event rule or event notifier.
    Disable,
    /// 0x90, tracepoint list: next entry.
    TracepointListGet,
    /// 0x91, field list: next entry.
    TracepointFieldListGet,
    /// 0xA0, event rule or event notifier: adds a filter. The bytecode follows.
    Filter(Bytecode),
    /// 0xA1, event rule or event notifier: adds names that it does not match. The names follow.
    Exclusion {
        /// Number of names (u32 at 40).
        count: u32,
    },
    /// 0xB0, event notifier group: makes an event notifier. Its description follows.
    EventNotifier {
        /// Size in bytes of the description (u32 at 40).
        len: u32,
    },
    /// 0xB6, event notifier: adds a value to capture. The bytecode follows.
    Capture(Bytecode),
    /// 0xC0, event notifier group: makes the error counter. Its configuration follows.
    Counter {
        /// Size in bytes of the configuration (u64 at 40).
        len: u64,
    },
    /// 0xD1, counter: adds the counters of one CPU. One descriptor follows: shared memory.
    CounterCpu {
        /// Size in bytes of the shared memory (u64 at 40).
        len: u64,
        /// Number of the CPU (u32 at 48).
        cpu: u32,
    },
}

/// What is said about a bytecode in the message that it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytecode {
    /// Size of instructions and relocation table in bytes (u32 at 40).
    pub data_size: u32,
    /// Where the relocation table begins (u32 at 44).
    pub reloc_offset: u32,
    /// 0 for a filter, the position among the captures for a capture (u64 at 48).
    pub seqnum: u64,
}

/// Which log levels an event rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// All.
    All,
    /// This and all that are more severe.
    Range(i32),
    /// Only this.
    Single(i32),
}

/// An event rule, 572 bytes: instrumentation (i32), name (256 bytes at 4), log level type and log level (i32
/// each, at 260), token (u64 at 268), padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// Name or star glob of the tracepoints.
    pub name: Text,
    /// Log levels.
    pub loglevel: LogLevel,
    /// Comes back in the notifications of an event notifier; 0 in other rules.
    pub token: u64,
}

impl EventRule {
    /// Size of the description in bytes.
    pub(super) const LEN: usize = 572;

    pub(super) fn decode(reader: &mut Reader) -> Result<Self> {
        let instrumentation = reader.i32()?;
        if instrumentation != TRACEPOINT {
            return Err(reader.error(ErrorKind::BadValue(instrumentation.unsigned_abs().into())));
        }
        let name = reader.fixed_text(NAME_SIZE)?;
        let loglevel_type = reader.i32()?;
        let loglevel = reader.i32()?;
        let loglevel = match loglevel_type {
            0 => LogLevel::All,
            1 => LogLevel::Range(loglevel),
            2 => LogLevel::Single(loglevel),
            other => return Err(reader.error(ErrorKind::BadValue(other.unsigned_abs().into()))),
        };
        let token = reader.u64()?;
        reader.skip(Self::LEN - 276)?;
        Ok(EventRule { name, loglevel, token })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let (loglevel_type, loglevel) = match self.loglevel {
            LogLevel::All => (0, NO_LOGLEVEL),
            LogLevel::Range(loglevel) => (1, loglevel),
            LogLevel::Single(loglevel) => (2, loglevel),
        };
        writer.i32(TRACEPOINT).fixed_string(&self.name, NAME_SIZE).i32(loglevel_type).i32(loglevel);
        writer.u64(self.token).zeros(Self::LEN - 276);
    }
}

impl Bytecode {
    fn decode(reader: &mut Reader) -> Result<Self> {
        Ok(Bytecode { data_size: reader.u32()?, reloc_offset: reader.u32()?, seqnum: reader.u64()? })
    }
}

impl Command {
    /// The number of the command on the wire.
    pub fn number(&self) -> u32 {
        match self {
            Command::Release => 0x01,
            Command::Session => 0x40,
            Command::TracerVersion => 0x41,
            Command::TracepointList => 0x42,
            Command::WaitQuiescent => 0x43,
            Command::RegisterDone => 0x44,
            Command::TracepointFieldList => 0x45,
            Command::EventNotifierGroup => 0x46,
            Command::Channel { .. } => 0x51,
            Command::SessionStatedump => 0x54,
            Command::Stream { .. } => 0x60,
            Command::Event(_) => 0x61,
            Command::Context(_) => 0x70,
            Command::Enable => 0x80,
            Command::Disable => 0x81,
            Command::TracepointListGet => 0x90,
            Command::TracepointFieldListGet => 0x91,
            Command::Filter(_) => 0xA0,
            Command::Exclusion { .. } => 0xA1,
            Command::EventNotifier { .. } => 0xB0,
            Command::Capture(_) => 0xB6,
            Command::Counter { .. } => 0xC0,
            Command::CounterCpu { .. } => 0xD1,
        }
    }

    /// Size in bytes of the data that follows the whole message: channel object, bytecode, names,
    /// description. The single byte that carries descriptors comes after it and is not counted.
    pub fn payload_len(&self) -> u64 {
        match self {
            Command::Channel { len } | Command::Counter { len } => *len,
            Command::Filter(bytecode) | Command::Capture(bytecode) => bytecode.data_size.into(),
            Command::Exclusion { count } => u64::from(*count).saturating_mul(NAME_SIZE as u64),
            Command::EventNotifier { len } => (*len).into(),
            _ => 0,
        }
    }

    /// Number of descriptors that follow the message and its data.
    pub fn descriptors(&self) -> usize {
        match self {
            Command::Stream { .. } => 2,
            Command::Channel { .. } | Command::EventNotifierGroup | Command::CounterCpu { .. } => 1,
            _ => 0,
        }
    }

    /// Whether the application replies twice: once before it reads what follows the message, once after. Both
    /// replies come in any case, and what follows may be sent without waiting for the first.
    pub fn replies_twice(&self) -> bool {
        matches!(
            self,
            Command::EventNotifierGroup
                | Command::EventNotifier { .. }
                | Command::Capture(_)
                | Command::Counter { .. }
                | Command::CounterCpu { .. }
        )
    }

    fn decode(number: u32, reader: &mut Reader) -> Result<Self> {
        Ok(match number {
            0x01 => Command::Release,
            0x40 => Command::Session,
            0x41 => Command::TracerVersion,
            0x42 => Command::TracepointList,
            0x43 => Command::WaitQuiescent,
            0x44 => Command::RegisterDone,
            0x45 => Command::TracepointFieldList,
            0x46 => Command::EventNotifierGroup,
            0x51 => {
                let len = reader.u64()?;
                let kind = reader.i32()?;
                if kind != PER_CPU_CHANNEL {
                    return Err(reader.error(ErrorKind::BadValue(kind.unsigned_abs().into())));
                }
                Command::Channel { len }
            }
            0x54 => Command::SessionStatedump,
            0x60 => Command::Stream { len: reader.u64()?, nr: reader.u32()? },
            0x61 => Command::Event(EventRule::decode(reader)?),
            0x70 => Command::Context(Context::decode(reader, Message::LEN)?),
            0x80 => Command::Enable,
            0x81 => Command::Disable,
            0x90 => Command::TracepointListGet,
            0x91 => Command::TracepointFieldListGet,
            0xA0 => Command::Filter(Bytecode::decode(reader)?),
            0xA1 => Command::Exclusion { count: reader.u32()? },
            0xB0 => Command::EventNotifier { len: reader.u32()? },
            0xB6 => Command::Capture(Bytecode::decode(reader)?),
            0xC0 => Command::Counter { len: reader.u64()? },
            0xD1 => Command::CounterCpu { len: reader.u64()?, cpu: reader.u32()? },
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        })
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Command::Channel { len } => {
                writer.u64(*len).i32(PER_CPU_CHANNEL);
            }
            Command::Stream { len, nr } => {
                writer.u64(*len).u32(*nr);
            }
            Command::Event(rule) => rule.encode(writer),
            Command::Context(context) => context.encode(writer),
            Command::Filter(Bytecode { data_size, reloc_offset, seqnum })
            | Command::Capture(Bytecode { data_size, reloc_offset, seqnum }) => {
                writer.u32(*data_size).u32(*reloc_offset).u64(*seqnum);
            }
            Command::Exclusion { count } => {
                writer.u32(*count);
            }
            Command::EventNotifier { len } => {
                writer.u32(*len);
            }
            Command::Counter { len } => {
                writer.u64(*len);
            }
            Command::CounterCpu { len, cpu } => {
                writer.u64(*len).u32(*cpu);
            }
            _ => {}
        }
    }
}

/// A command message, 612 bytes: handle, command (u32 each), 32 bytes of padding, arguments (572 bytes at
/// 40). The two names of an application context follow it directly and are taken for a part of it here;
/// other data that follows is the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Object that the command is for, [`ROOT`] or one from an earlier reply.
    pub handle: u32,
    /// What to do with it.
    pub command: Command,
}

impl Message {
    /// Size of the message in bytes, without the names of an application context.
    pub const LEN: usize = 612;

    /// Appends the message.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.u32(self.handle).u32(self.command.number()).zeros(HEADER_PADDING);
        self.command.encode(&mut writer);
        writer.pad_to(Self::LEN);
        if let Command::Context(context) = &self.command {
            context.encode_names(&mut writer);
        }
        bytes.extend_from_slice(&writer.into_bytes());
    }

    /// Size of the message at the beginning of `buffered`, the names of an application context included;
    /// `None` if more bytes are needed to know it.
    ///
    /// # Errors
    ///
    /// Names that are longer than a symbol name can be.
    pub fn length(buffered: &[u8]) -> Result<Option<usize>> {
        if buffered.len() < Self::LEN {
            return Ok(None);
        }
        let mut reader = Reader::new("application command", buffered);
        reader.seek(4)?;
        if reader.u32()? != 0x70 {
            return Ok(Some(Self::LEN));
        }
        reader.seek(ARGUMENTS)?;
        Ok(Some(Self::LEN.saturating_add(Context::names_len(&mut reader)?)))
    }

    /// Decodes one whole message, as an application (or a simulated one) receives it.
    ///
    /// # Errors
    ///
    /// An unknown command, an argument that no application accepts, a wrong size.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("application command", bytes);
        let handle = reader.u32()?;
        let number = reader.u32()?;
        reader.seek(ARGUMENTS)?;
        let command = Command::decode(number, &mut reader)?;
        if !matches!(command, Command::Context(_)) {
            reader.seek(Self::LEN)?;
        }
        reader.finish()?;
        Ok(Message { handle, command })
    }
}

/// The names that follow an exclusion, 256 bytes each.
pub fn exclusion_payload(names: &[Text]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(names.len().saturating_mul(NAME_SIZE));
    for name in names {
        writer.fixed_string(name, NAME_SIZE);
    }
    writer.into_bytes()
}

/// Decodes the names that follow an exclusion.
///
/// # Errors
///
/// A size that is not a multiple of 256.
pub fn decode_exclusion_payload(bytes: &[u8]) -> Result<Vec<Text>> {
    let mut reader = Reader::new("exclusion names", bytes);
    let mut names = Vec::with_capacity(bytes.len() / NAME_SIZE);
    while reader.remaining() > 0 {
        names.push(reader.fixed_text(NAME_SIZE)?);
    }
    Ok(names)
}
