// SPDX-License-Identifier: GPL-2.0-only
//! Sessions: the descriptor that creates one, and what listings say about one.
//!
//! A descriptor's paths and addresses are carried, never opened or resolved.
//!
//! Source: `lttng-tools 2.13: include/lttng/session-descriptor-internal.h`, `src/common/session-descriptor.c`,
//! `include/lttng/session.h`, `include/lttng/domain.h`.

use super::header::{BufferType, Domain, bad_value};
use super::text::{self, NAME_LEN, PATH_LEN};
use super::uri::{Destination, StreamType, Uri};
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// What a session is for. `enum lttng_session_descriptor_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// Records while it is active.
    Regular,
    /// Keeps data in memory until a snapshot is asked for.
    Snapshot,
    /// Can be read while it records.
    Live {
        /// Period of the live timer, microseconds; never 0.
        timer: u64,
    },
}

/// Where a session's data goes. `enum lttng_session_descriptor_output_type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOutput {
    /// Nowhere.
    None,
    /// A directory of this machine; without path, the daemon chooses.
    Local(Option<String>),
    /// A relay daemon; without addresses, the default one of this machine.
    Network(Option<Box<NetworkOutput>>),
}

/// The two connections to a relay daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkOutput {
    /// Commands and metadata.
    pub control: Uri,
    /// Trace data.
    pub data: Uri,
}

impl NetworkOutput {
    /// The relay daemon of this machine, which a descriptor without addresses means.
    pub fn local() -> NetworkOutput {
        let uri = |stream: StreamType| Uri {
            destination: Destination::Ipv4("127.0.0.1".to_owned()),
            stream,
            port: stream.default_port(),
            subdir: String::new(),
        };
        NetworkOutput { control: uri(StreamType::Control), data: uri(StreamType::Data) }
    }
}

/// A serialized session descriptor, as CREATE_SESSION_EXT sends and answers it.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | i8 | type: 1 regular, 2 snapshot, 3 live |
/// | 1 | i8 | output: 0 none, 1 local, 2 network |
/// | 2 | u32 | length of the name, NUL included; 0 without |
/// | 6 | u8 | number of URIs |
/// | 7 | u64 | live only: timer |
/// | 7 or 15 | | name, URIs |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescriptor {
    /// What the session is for.
    pub kind: SessionKind,
    /// The name, 1 to 254 bytes; without, the daemon makes one.
    pub name: Option<String>,
    /// Where the data goes. A live session has no local output.
    pub output: SessionOutput,
}

impl SessionDescriptor {
    /// Reads a descriptor. Bytes that follow are left to the caller.
    pub fn decode(reader: &mut Reader<'_>) -> Result<SessionDescriptor> {
        let kind = reader.i8()?;
        let output = reader.i8()?;
        let name_len = reader.u32()?;
        let uri_count = reader.u8()?;
        let kind = match kind {
            1 => SessionKind::Regular,
            2 => SessionKind::Snapshot,
            3 => SessionKind::Live { timer: reader.u64()? },
            other => return Err(bad_value(reader, other)),
        };
        let live = matches!(kind, SessionKind::Live { .. });
        if kind == (SessionKind::Live { timer: 0 }) || (live && output == 1) {
            return Err(reader.error(ErrorKind::BadValue(0)));
        }
        let name = match name_len {
            0 => None,
            1 => return Err(reader.error(ErrorKind::BadString)),
            length => Some(text::name(reader, length, NAME_LEN)?),
        };
        let output = match (output, uri_count) {
            (0, 0) => SessionOutput::None,
            (1, 0) => SessionOutput::Local(None),
            (1, 1) => match Uri::decode(reader)?.destination {
                Destination::Path(path) => SessionOutput::Local(Some(path)),
                Destination::Ipv4(_) | Destination::Ipv6(_) => {
                    return Err(reader.error(ErrorKind::BadValue(1)));
                }
            },
            (2, 0) => SessionOutput::Network(None),
            (2, 2) => {
                let control = Uri::decode(reader)?;
                let data = Uri::decode(reader)?;
                if control.stream != StreamType::Control || data.stream != StreamType::Data {
                    return Err(reader.error(ErrorKind::BadValue(2)));
                }
                SessionOutput::Network(Some(Box::new(NetworkOutput { control, data })))
            }
            (_, count) => return Err(bad_value(reader, count)),
        };
        Ok(SessionDescriptor { kind, name, output })
    }

    /// Appends the descriptor.
    pub fn encode(&self, writer: &mut Writer) {
        let kind = match self.kind {
            SessionKind::Regular => 1,
            SessionKind::Snapshot => 2,
            SessionKind::Live { .. } => 3,
        };
        let (output, uri_count) = match &self.output {
            SessionOutput::None => (0, 0),
            SessionOutput::Local(path) => (1, u8::from(path.is_some())),
            SessionOutput::Network(None) => (2, 0),
            SessionOutput::Network(Some(_)) => (2, 2),
        };
        writer.i8(kind).i8(output).u32(self.name.as_deref().map_or(0, text::wire_len)).u8(uri_count);
        if let SessionKind::Live { timer } = self.kind {
            writer.u64(timer);
        }
        if let Some(name) = &self.name {
            writer.c_string(name);
        }
        match &self.output {
            SessionOutput::Local(Some(path)) => Uri::path(path).encode(writer),
            SessionOutput::Network(Some(uris)) => {
                uris.control.encode(writer);
                uris.data.encode(writer);
            }
            SessionOutput::None | SessionOutput::Local(None) | SessionOutput::Network(None) => {}
        }
    }
}

/// One session of LIST_SESSIONS: `struct lttng_session` (4376 bytes) and `struct lttng_session_extended` (9).
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 255 | `name` |
/// | 255 | 4096 | `path` |
/// | 4352 | 4 | `active` |
/// | 4356 | 4 | `snapshot_mode` |
/// | 4360 | 4 | `live_timer` |
/// | 4368 | 8 | 0; a pointer in the client's memory |
///
/// The second structure, u64 `created` and u8 1, comes after the first structures of *all* sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The name. At most 254 bytes.
    pub name: String,
    /// Output directory, or the relay daemon's URL with its data port; empty without output.
    pub path: String,
    /// Whether it records.
    pub active: bool,
    /// Whether it was created as a snapshot session.
    pub snapshot_mode: bool,
    /// Period of the live timer, microseconds; 0 when it is no live session.
    pub live_timer: u32,
    /// When it was created, seconds since the epoch.
    pub created: u64,
}

impl Session {
    /// Size of the first structure.
    const HEAD_LEN: usize = 4376;
    /// Size of the second structure.
    const EXTENDED_LEN: usize = 9;

    /// The payload of LIST_SESSIONS: all first structures, then all second ones.
    pub fn encode_list(sessions: &[Session]) -> Vec<u8> {
        let size = sessions.len().saturating_mul(Session::HEAD_LEN + Session::EXTENDED_LEN);
        let mut writer = Writer::with_capacity(size);
        for session in sessions {
            writer.fixed_string(&session.name, NAME_LEN).fixed_string(&session.path, PATH_LEN).zeros(1);
            writer.u32(session.active.into()).u32(session.snapshot_mode.into());
            writer.u32(session.live_timer).zeros(12);
        }
        for session in sessions {
            writer.u64(session.created).u8(1);
        }
        writer.into_bytes()
    }

    /// Reads the payload of LIST_SESSIONS.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<Session>> {
        let mut reader = Reader::new("session list", bytes);
        let count = bytes.len() / (Session::HEAD_LEN + Session::EXTENDED_LEN);
        let mut sessions = Vec::with_capacity(count);
        for _ in 0..count {
            let name = text::fixed_name(&mut reader, NAME_LEN)?;
            let path = text::fixed_name(&mut reader, PATH_LEN)?;
            reader.skip(1)?;
            let active = reader.u32()? != 0;
            let snapshot_mode = reader.u32()? != 0;
            let live_timer = reader.u32()?;
            reader.skip(12)?;
            sessions.push(Session { name, path, active, snapshot_mode, live_timer, created: 0 });
        }
        for session in &mut sessions {
            session.created = reader.u64()?;
            reader.skip(1)?;
        }
        reader.finish()?;
        Ok(sessions)
    }
}

/// One domain of LIST_DOMAINS: `struct lttng_domain`, 308 bytes of which 8 are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainEntry {
    /// The domain.
    pub domain: Domain,
    /// How its buffers are shared; an agent domain has UST's.
    pub buffer_type: BufferType,
}

impl DomainEntry {
    /// Size on the wire.
    pub const LEN: usize = 308;

    /// The payload of LIST_DOMAINS.
    pub fn encode_list(domains: &[DomainEntry]) -> Vec<u8> {
        let mut writer = Writer::with_capacity(domains.len().saturating_mul(DomainEntry::LEN));
        for entry in domains {
            writer.u32(entry.domain.number()).u32(entry.buffer_type.number()).zeros(DomainEntry::LEN - 8);
        }
        writer.into_bytes()
    }

    /// Reads the payload of LIST_DOMAINS.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<DomainEntry>> {
        let mut reader = Reader::new("domain list", bytes);
        let mut domains = Vec::new();
        while reader.remaining() > 0 {
            let domain = reader.u32()?;
            let domain = Domain::from_number(domain).ok_or_else(|| bad_value(&reader, domain))?;
            let buffer_type = reader.u32()?;
            let buffer_type =
                BufferType::from_number(buffer_type).ok_or_else(|| bad_value(&reader, buffer_type))?;
            reader.skip(DomainEntry::LEN - 8)?;
            domains.push(DomainEntry { domain, buffer_type });
        }
        Ok(domains)
    }
}
