// SPDX-License-Identifier: GPL-2.0-only
//! The notify socket: an application asks for the ids of events, channels and enumerations.
//!
//! The application holds a process-wide lock from its request to the daemon's reply, so every request that
//! was decoded must get a reply, a negative code where nothing better is known. Layouts:
//! `lttng-ust 2.13: src/common/ustcomm.h`.

use super::NAME_SIZE;
use super::field::Field;
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;
use crate::text::Text;

const EVENT: u32 = 0;
const CHANNEL: u32 = 1;
const ENUM: u32 = 2;

/// Largest list of field descriptors or enumeration entries that is taken, in bytes.
pub const MAX_LIST_SIZE: u32 = 16 << 20;
/// Largest signature or model URI that is taken, in bytes.
pub const MAX_TEXT_SIZE: u32 = 64 << 10;

/// What an application asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// An id for an event of a channel.
    Event(RegisterEvent),
    /// The channel's context fields become known, the header type is asked for.
    Channel(RegisterChannel),
    /// An id for an enumeration.
    Enum(RegisterEnum),
}

/// Request 0, 316 bytes, then signature, fields and URI:
///
/// | offset | field |
/// |---|---|
/// | 0 | command 0, session, channel (u32 each) |
/// | 12 | name (256 bytes) |
/// | 268 | log level (i32) |
/// | 272 | sizes of signature, fields and URI (u32 each) |
/// | 284 | padding (32 bytes) |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterEvent {
    /// Handle of the session in the application.
    pub session: u32,
    /// Handle of the channel in the application.
    pub channel: u32,
    /// `provider:event`.
    pub name: Text,
    /// Log level; 13 if the event declares none.
    pub loglevel: i32,
    /// Text of the tracepoint's arguments.
    pub signature: Text,
    /// Layout of the event's payload.
    pub fields: Vec<Field>,
    /// Where a model of the event is described.
    pub model_emf_uri: Option<Text>,
}

/// Request 1, 48 bytes, then the fields: command 1, session, channel, size of the fields (u32 each), 32
/// bytes of padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterChannel {
    /// Handle of the session in the application.
    pub session: u32,
    /// Handle of the channel in the application.
    pub channel: u32,
    /// Layout of the channel's contexts.
    pub fields: Vec<Field>,
}

/// Request 2, 300 bytes, then the entries: command 2, session (u32 each), name (256 bytes), size of the
/// entries (u32), 32 bytes of padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterEnum {
    /// Handle of the session in the application.
    pub session: u32,
    /// Name of the enumeration.
    pub name: Text,
    /// Its entries, in order.
    pub entries: Vec<EnumEntry>,
}

/// One end of an enumeration entry's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnumValue {
    /// The value; the bits of an `i64` if it has a sign.
    pub value: u64,
    /// Whether it has a sign.
    pub signed: bool,
}

/// An entry of an enumeration, 336 bytes: start and end (u64, signedness u8, 15 bytes of padding each), label
/// (256 bytes at 48), options (u32 at 304, bit 0 *auto*), 28 bytes of padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumEntry {
    /// First value.
    pub start: EnumValue,
    /// Last value.
    pub end: EnumValue,
    /// Label of the values.
    pub label: Text,
    /// The value is the one after the entry before; `start` and `end` mean nothing.
    pub auto: bool,
}

impl EnumEntry {
    /// Size of an entry in bytes.
    pub const LEN: usize = 336;

    fn decode(reader: &mut Reader) -> Result<Self> {
        let start = EnumValue::decode(reader)?;
        let end = EnumValue::decode(reader)?;
        let label = reader.fixed_text(NAME_SIZE)?;
        let auto = reader.u32()? & 1 != 0;
        reader.skip(28)?;
        Ok(EnumEntry { start, end, label, auto })
    }

    fn encode(&self, writer: &mut Writer) {
        self.start.encode(writer);
        self.end.encode(writer);
        writer.fixed_string(&self.label, NAME_SIZE).u32(self.auto.into()).zeros(28);
    }
}

impl EnumValue {
    fn decode(reader: &mut Reader) -> Result<Self> {
        let value = EnumValue { value: reader.u64()?, signed: reader.u8()? != 0 };
        reader.skip(15)?;
        Ok(value)
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u64(self.value).u8(self.signed.into()).zeros(15);
    }
}

impl Request {
    /// Size of the request at the beginning of `buffered`, its variable parts included; `None` if more bytes
    /// are needed to know it.
    ///
    /// # Errors
    ///
    /// An unknown command, or a part that is too large or not a whole number of descriptors or entries. What
    /// follows on the stream can then no longer be told apart.
    pub fn length(buffered: &[u8]) -> Result<Option<usize>> {
        let mut reader = Reader::new("notify request", buffered);
        let Ok(command) = reader.u32() else { return Ok(None) };
        let (fixed, sizes_at) = match command {
            EVENT => (316, 272),
            CHANNEL => (48, 12),
            ENUM => (300, 264),
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        };
        if buffered.len() < fixed {
            return Ok(None);
        }
        reader.seek(sizes_at)?;
        let variable = match command {
            EVENT => {
                let signature = text_size(&mut reader)?;
                let fields = list_size(&mut reader, Field::LEN)?;
                signature.saturating_add(fields).saturating_add(text_size(&mut reader)?)
            }
            CHANNEL => list_size(&mut reader, Field::LEN)?,
            _ => list_size(&mut reader, EnumEntry::LEN)?,
        };
        Ok(Some(fixed.saturating_add(variable)))
    }

    /// Decodes one whole request.
    ///
    /// # Errors
    ///
    /// Those of [`Request::length`], and bytes that are missing or left over.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("notify request", bytes);
        let command = reader.u32()?;
        let session = reader.u32()?;
        let request = match command {
            EVENT => Request::Event(RegisterEvent::decode(&mut reader, session)?),
            CHANNEL => {
                let channel = reader.u32()?;
                let fields = list_size(&mut reader, Field::LEN)?;
                reader.skip(32)?;
                let fields = Field::decode_all(reader.bytes(fields)?)?;
                Request::Channel(RegisterChannel { session, channel, fields })
            }
            ENUM => {
                let name = reader.fixed_text(NAME_SIZE)?;
                let size = list_size(&mut reader, EnumEntry::LEN)?;
                reader.skip(32)?;
                let mut list = Reader::new("enumeration entries", reader.bytes(size)?);
                let mut entries = Vec::with_capacity(size / EnumEntry::LEN);
                while list.remaining() > 0 {
                    entries.push(EnumEntry::decode(&mut list)?);
                }
                Request::Enum(RegisterEnum { session, name, entries })
            }
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        };
        reader.finish()?;
        Ok(request)
    }

    /// The request as an application sends it.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Request::Event(event) => event.encode(&mut writer),
            Request::Channel(RegisterChannel { session, channel, fields }) => {
                writer.u32(CHANNEL).u32(*session).u32(*channel).u32(size(fields.len(), Field::LEN)).zeros(32);
                fields.iter().for_each(|field| field.encode(&mut writer));
            }
            Request::Enum(RegisterEnum { session, name, entries }) => {
                writer.u32(ENUM).u32(*session).fixed_string(name, NAME_SIZE);
                writer.u32(size(entries.len(), EnumEntry::LEN)).zeros(32);
                entries.iter().for_each(|entry| entry.encode(&mut writer));
            }
        }
        writer.into_bytes()
    }
}

/// A request for an event's id as it came. Equal descriptions describe the same event, so that one that is known need not
/// be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// Handle of the session in the application.
    pub session: u32,
    /// Handle of the channel in the application.
    pub channel: u32,
    /// All that follows.
    pub description: &'a [u8],
}

impl<'a> RawEvent<'a> {
    /// What a whole request holds, if it is about an event.
    pub fn of(request: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new("notify request", request);
        let (command, session, channel) = (reader.u32().ok()?, reader.u32().ok()?, reader.u32().ok()?);
        let description = request.get(reader.offset()..)?;
        (command == EVENT).then_some(RawEvent { session, channel, description })
    }
}

impl RegisterEvent {
    /// Reads what follows the session.
    fn decode(reader: &mut Reader, session: u32) -> Result<Self> {
        let channel = reader.u32()?;
        let name = reader.fixed_text(NAME_SIZE)?;
        let loglevel = reader.i32()?;
        let signature = text_size(reader)?;
        let fields = list_size(reader, Field::LEN)?;
        let uri = text_size(reader)?;
        reader.skip(32)?;
        let signature = text(reader.bytes(signature)?).unwrap_or_default();
        let fields = Field::decode_all(reader.bytes(fields)?)?;
        let model_emf_uri = text(reader.bytes(uri)?);
        Ok(RegisterEvent { session, channel, name, loglevel, signature, fields, model_emf_uri })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u32(EVENT).u32(self.session).u32(self.channel).fixed_string(&self.name, NAME_SIZE);
        writer.i32(self.loglevel).u32(size(self.signature.len().saturating_add(1), 1));
        writer.u32(size(self.fields.len(), Field::LEN));
        let uri = self.model_emf_uri.as_ref();
        writer.u32(uri.map_or(0, |uri| size(uri.len().saturating_add(1), 1))).zeros(32);
        writer.c_string(&self.signature);
        self.fields.iter().for_each(|field| field.encode(writer));
        if let Some(uri) = uri {
            writer.c_string(uri);
        }
    }
}

/// Size in bytes of `count` things of `each` bytes.
fn size(count: usize, each: usize) -> u32 {
    u32::try_from(count.saturating_mul(each)).unwrap_or(u32::MAX)
}

/// Reads the size of a list of things of `each` bytes.
fn list_size(reader: &mut Reader, each: usize) -> Result<usize> {
    let size = reader.u32()?;
    if size > MAX_LIST_SIZE {
        return Err(reader.error(ErrorKind::TooLong(size.into())));
    }
    if !(size as usize).is_multiple_of(each) {
        return Err(reader.error(ErrorKind::BadValue(size.into())));
    }
    Ok(size as usize)
}

/// Reads the size of a text.
fn text_size(reader: &mut Reader) -> Result<usize> {
    let size = reader.u32()?;
    if size > MAX_TEXT_SIZE { Err(reader.error(ErrorKind::TooLong(size.into()))) } else { Ok(size as usize) }
}

/// The text up to its NUL, or up to the last byte, which is taken for one; `None` if there are no bytes.
fn text(bytes: &[u8]) -> Option<Text> {
    let (_, text) = bytes.split_last()?;
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    Some(text.into())
}

numbered! {
    /// Layout of the event headers in a channel.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum HeaderType: u32 {
        /// No answer; only together with an error code.
        Unknown = 0,
        /// 5 bits of id, 27 bits of time stamp where these are enough.
        Compact = 1,
        /// 16 bits of id, 32 bits of time stamp where these are enough.
        Large = 2,
    }
    /// The layout with this number.
    from_number;
}

/// The daemon's reply. Each begins with the number of the request (u32) and the code (i32), and ends with 32
/// bytes of padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// 44 bytes.
    Event {
        /// 0, or a negative errno: the event is not recorded.
        code: i32,
        /// Id of the event in its channel (u32 at 8).
        id: u32,
    },
    /// 48 bytes.
    Channel {
        /// 0, or a negative errno: the session is not started.
        code: i32,
        /// Id of the channel (u32 at 8): the one that the consumer daemon was given for it.
        id: u32,
        /// Layout of the event headers (u32 at 12).
        header: HeaderType,
    },
    /// 48 bytes.
    Enum {
        /// 0, or a negative errno: events that use the enumeration are not recorded.
        code: i32,
        /// Id of the enumeration (u64 at 8).
        id: u64,
    },
}

impl Reply {
    /// The reply as the daemon sends it.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(48);
        match *self {
            Reply::Event { code, id } => writer.u32(EVENT).i32(code).u32(id),
            Reply::Channel { code, id, header } => writer.u32(CHANNEL).i32(code).u32(id).u32(header.number()),
            Reply::Enum { code, id } => writer.u32(ENUM).i32(code).u64(id),
        };
        writer.zeros(32);
        writer.into_bytes()
    }

    /// Decodes one whole reply.
    ///
    /// # Errors
    ///
    /// An unknown command, an unknown header type, or a wrong size.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("notify reply", bytes);
        let command = reader.u32()?;
        let code = reader.i32()?;
        let reply = match command {
            EVENT => Reply::Event { code, id: reader.u32()? },
            CHANNEL => {
                let id = reader.u32()?;
                let header = reader.u32()?;
                let header = HeaderType::from_number(header)
                    .ok_or_else(|| reader.error(ErrorKind::BadValue(header.into())))?;
                Reply::Channel { code, id, header }
            }
            ENUM => Reply::Enum { code, id: reader.u64()? },
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        };
        reader.skip(32)?;
        reader.finish()?;
        Ok(reply)
    }
}
