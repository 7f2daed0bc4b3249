// SPDX-License-Identifier: GPL-2.0-only
//! What an agent is asked.

use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;
use crate::text::Text;

/// Bytes of the array that holds the name of a logger, at least one NUL among them.
pub const NAME_SIZE: usize = 256;

numbered! {
    /// Number of a request. `enum lttcomm_agent_command`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Number: u32 {
        /// AGENT_CMD_LIST.
        List = 1,
        /// AGENT_CMD_ENABLE.
        Enable = 2,
        /// AGENT_CMD_DISABLE.
        Disable = 3,
        /// AGENT_CMD_REG_DONE.
        RegistrationDone = 4,
        /// AGENT_CMD_APP_CTX_ENABLE.
        EnableContext = 5,
        /// AGENT_CMD_APP_CTX_DISABLE.
        DisableContext = 6,
    }
    /// The request with this number.
    from_number;
}

numbered! {
    /// Which levels a rule is about. `enum lttng_loglevel_type`, as agents know it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum LevelKind: u32 {
        /// All.
        All = 0,
        /// The level that is named and more severe ones, which have higher numbers.
        AtLeast = 1,
        /// The level that is named.
        Exactly = 2,
    }
    /// The kind with this number.
    from_number;
}

/// What an agent is to hand over: what these loggers say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Name or pattern of loggers, at most 255 bytes.
    pub name: Text,
    /// Which levels. The agents of 2.13 hand over all of them all the same: the tracer's filter picks.
    pub levels: LevelKind,
    /// The level that is meant, by the number of the logging library.
    pub level: i32,
    /// The whole filter expression, which the tracer applies.
    pub filter: Option<Text>,
}

/// A context that the program provides, by its names without `$app.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Context {
    /// Who provides it.
    pub provider: Text,
    /// Its name at the provider.
    pub name: Text,
}

/// `struct lttcomm_agent_hdr`, 16 bytes:
///
/// | offset | field |
/// |---|---|
/// | 0 | bytes of payload that follow (u64) |
/// | 8 | number of the request (u32) |
/// | 12 | version of the request, always 0 (u32); ignored when decoded |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of payload that follow, at most [`Header::MAX_DATA`].
    pub data_size: u64,
    /// The request's number, which may be unknown.
    pub number: u32,
}

impl Header {
    /// Size on the wire.
    pub const LEN: usize = 16;
    /// More than the longest payload: a rule with the longest filter that clients can send.
    pub const MAX_DATA: u64 = 128 << 10;

    /// Decodes exactly [`Header::LEN`] bytes. A payload over the limit is an error.
    pub fn decode(bytes: &[u8]) -> Result<Header> {
        let mut reader = Reader::new("agent request header", bytes);
        let data_size = reader.u64_be()?;
        if data_size > Header::MAX_DATA {
            return Err(reader.error(ErrorKind::TooLong(data_size)));
        }
        let number = reader.u32_be()?;
        reader.skip(4)?;
        reader.finish()?;
        Ok(Header { data_size, number })
    }
}

/// A request to an agent.
///
/// | request | payload |
/// |---|---|
/// | list, registration done | none |
/// | enable | level (i32), kind of levels (u32), name (256 bytes), n (u32), filter with its NUL (n bytes) |
/// | disable | name (256 bytes) |
/// | enable or disable a context | n (u32), provider with its NUL (n bytes), m (u32), name with its NUL (m bytes) |
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Which loggers are there?
    List,
    /// Hand over what this rule is about.
    Enable(Rule),
    /// Undo one `Enable` with this name, at most 255 bytes.
    Disable(Text),
    /// The program may go on. The only request that is not answered.
    RegistrationDone,
    /// Provide a context.
    EnableContext(Context),
    /// Undo one `EnableContext`.
    DisableContext(Context),
}

impl Request {
    /// Its number.
    pub fn number(&self) -> u32 {
        let number = match self {
            Request::List => Number::List,
            Request::Enable(_) => Number::Enable,
            Request::Disable(_) => Number::Disable,
            Request::RegistrationDone => Number::RegistrationDone,
            Request::EnableContext(_) => Number::EnableContext,
            Request::DisableContext(_) => Number::DisableContext,
        };
        number.number()
    }

    /// Header and payload. They must be sent together: the Python agent takes what is there for all there is.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Writer::default();
        match self {
            Request::List | Request::RegistrationDone => {}
            Request::Enable(rule) => {
                payload.u32_be(rule.level.cast_unsigned()).u32_be(rule.levels.number());
                payload.fixed_string(&rule.name, NAME_SIZE);
                match &rule.filter {
                    None => {
                        payload.u32_be(0);
                    }
                    Some(filter) => counted_string(&mut payload, filter),
                }
            }
            Request::Disable(name) => {
                payload.fixed_string(name, NAME_SIZE);
            }
            Request::EnableContext(context) | Request::DisableContext(context) => {
                counted_string(&mut payload, &context.provider);
                counted_string(&mut payload, &context.name);
            }
        }
        let mut writer = Writer::with_capacity(Header::LEN.saturating_add(payload.len()));
        writer.u64_be(payload.len() as u64).u32_be(self.number()).u32_be(0);
        writer.bytes(&payload.into_bytes());
        writer.into_bytes()
    }

    /// Decodes a request whose payload is all there and nothing else.
    pub fn decode(header: &Header, payload: &[u8]) -> Result<Request> {
        let mut reader = Reader::new("agent request", payload);
        let unknown = reader.error(ErrorKind::BadValue(header.number.into()));
        let request = match Number::from_number(header.number).ok_or(unknown)? {
            Number::List => Request::List,
            Number::RegistrationDone => Request::RegistrationDone,
            Number::Enable => {
                let level = reader.u32_be()?.cast_signed();
                let kind = reader.u32_be()?;
                let bad = reader.error(ErrorKind::BadValue(kind.into()));
                let levels = LevelKind::from_number(kind).ok_or(bad)?;
                let name = reader.fixed_text(NAME_SIZE)?;
                let filter = match reader.u32_be()? {
                    0 => None,
                    length => Some(text(&mut reader, length)?),
                };
                Request::Enable(Rule { name, levels, level, filter })
            }
            Number::Disable => Request::Disable(reader.fixed_text(NAME_SIZE)?),
            Number::EnableContext => Request::EnableContext(context(&mut reader)?),
            Number::DisableContext => Request::DisableContext(context(&mut reader)?),
        };
        reader.finish()?;
        Ok(request)
    }
}

/// Appends the length of a text with its NUL, and the text with its NUL.
fn counted_string(writer: &mut Writer, text: &Text) {
    writer.u32_be(u32::try_from(text.len().saturating_add(1)).unwrap_or(u32::MAX)).c_string(text);
}

fn context(reader: &mut Reader<'_>) -> Result<Context> {
    let length = reader.u32_be()?;
    let provider = text(reader, length)?;
    let length = reader.u32_be()?;
    let name = text(reader, length)?;
    Ok(Context { provider, name })
}

/// A text of so many bytes, of which the last one, and no other, is NUL.
fn text(reader: &mut Reader<'_>, length: u32) -> Result<Text> {
    let bad = reader.error(ErrorKind::BadString);
    match reader.bytes(usize::try_from(length).unwrap_or(usize::MAX))?.split_last() {
        Some((&0, text)) if !text.contains(&0) => Ok(text.into()),
        _ => Err(bad),
    }
}
