// SPDX-License-Identifier: GPL-2.0-only
//! CREATE_SESSION in its three forms.
//!
//! One pair of connections is one session at the relay daemon; it never learns of the session daemon's session
//! otherwise. A session that cannot be said in the relay daemon's version is refused here, before anything is sent.
//!
//! Source: `lttng-tools 2.13: src/common/relayd/relayd.c`, `src/common/sessiond-comm/relayd.h`.

use super::version::{SessionLayout, Version};
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// Bytes of a session name, NUL included: `LTTNG_NAME_MAX`.
const NAME_LEN: usize = 255;
/// Bytes of a host name, NUL included, that relay daemons before 2.11 take.
const SHORT_HOSTNAME_LEN: usize = 64;
/// Bytes of a host name, NUL included, that the original keeps. Linux has names of at most 64.
const HOSTNAME_LEN: usize = 256;
/// Bytes of a base path, NUL included: `LTTNG_PATH_MAX`.
const BASE_PATH_LEN: usize = 4096;

/// A session as relay daemons 2.11 and later are told of it.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | length of the name, NUL included |
/// | 4 | u32 | length of the host name, NUL included |
/// | 8 | u32 | length of the base path, NUL included |
/// | 12 | u32 | `live_timer` |
/// | 16 | u8 | `snapshot` |
/// | 17 | u8 | `name_has_date` |
/// | 18 | 16 | `sessiond_uuid` |
/// | 34 | u64 | `session_id` |
/// | 42 | u64 | `created` |
/// | 50 | u8 + u64 | `chunk_id`: set, value |
/// | 59 | | name, host name, base path |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The name. At most 254 bytes.
    pub name: String,
    /// This host. At most 255 bytes.
    pub hostname: String,
    /// Folder below the host's at the relay daemon; empty lets it make one of name and date. At most 4095 bytes.
    pub base_path: String,
    /// Period of the live timer, microseconds; 0 when it is no live session.
    pub live_timer: u32,
    /// Whether the connection serves snapshots.
    pub snapshot: bool,
    /// Whether the name was generated and so ends in the creation date already.
    pub name_has_date: bool,
    /// Random identifier of the session daemon's run, the one that consumer daemons have; all-zero is refused.
    pub sessiond_uuid: [u8; 16],
    /// The session daemon's number of the session.
    pub session_id: u64,
    /// When it was created, seconds since the epoch.
    pub created: u64,
    /// The session's chunk at this moment: a domain that joins late has one.
    pub chunk_id: Option<u64>,
}

impl Session {
    /// The request that says this session in a version. Fails when a name is too long for that version.
    pub fn request(self, version: Version) -> Result<CreateSession> {
        let fits = |text: &str, limit: usize| match text.len() {
            length if length < limit => Ok(()),
            length => Err(too_long(length)),
        };
        match version.session_layout() {
            SessionLayout::Unnamed => Ok(CreateSession::Unnamed),
            SessionLayout::Named => {
                fits(&self.name, NAME_LEN)?;
                fits(&self.hostname, SHORT_HOSTNAME_LEN)?;
                let Session { name, hostname, live_timer, snapshot, .. } = self;
                Ok(CreateSession::Named(NamedSession { name, hostname, live_timer, snapshot }))
            }
            SessionLayout::Full => {
                fits(&self.name, NAME_LEN)?;
                fits(&self.hostname, HOSTNAME_LEN)?;
                fits(&self.base_path, BASE_PATH_LEN)?;
                Ok(CreateSession::Full(Box::new(self)))
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Session> {
        let name_len = length(reader, NAME_LEN)?;
        let hostname_len = length(reader, HOSTNAME_LEN)?;
        let base_path_len = length(reader, BASE_PATH_LEN)?;
        Ok(Session {
            live_timer: reader.u32_be()?,
            snapshot: reader.u8()? != 0,
            name_has_date: reader.u8()? != 0,
            sessiond_uuid: reader.array()?,
            session_id: reader.u64_be()?,
            created: reader.u64_be()?,
            chunk_id: {
                let set = reader.u8()? != 0;
                let id = reader.u64_be()?;
                set.then_some(id)
            },
            name: reader.c_string(name_len)?,
            hostname: reader.c_string(hostname_len)?,
            base_path: reader.c_string(base_path_len)?,
        })
    }

    fn encode(&self, writer: &mut Writer) {
        for text in [&self.name, &self.hostname, &self.base_path] {
            writer.u32_be(u32::try_from(text.len().saturating_add(1)).unwrap_or(u32::MAX));
        }
        writer.u32_be(self.live_timer).u8(self.snapshot.into()).u8(self.name_has_date.into());
        writer.bytes(&self.sessiond_uuid).u64_be(self.session_id).u64_be(self.created);
        writer.u8(self.chunk_id.is_some().into()).u64_be(self.chunk_id.unwrap_or(0));
        writer.c_string(&self.name).c_string(&self.hostname).c_string(&self.base_path);
    }
}

/// A session as relay daemons 2.4 to 2.10 are told of it: 327 bytes.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 255 | `name` |
/// | 255 | 64 | `hostname` |
/// | 319 | 4 | `live_timer` |
/// | 323 | 4 | `snapshot` |
///
/// The original leaves stale memory behind the strings; zeros are sent here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSession {
    /// The name. At most 254 bytes.
    pub name: String,
    /// This host. At most 63 bytes.
    pub hostname: String,
    /// Period of the live timer, microseconds; 0 when it is no live session.
    pub live_timer: u32,
    /// Whether the connection serves snapshots.
    pub snapshot: bool,
}

impl NamedSession {
    fn decode(reader: &mut Reader<'_>) -> Result<NamedSession> {
        Ok(NamedSession {
            name: reader.fixed_string(NAME_LEN)?,
            hostname: reader.fixed_string(SHORT_HOSTNAME_LEN)?,
            live_timer: reader.u32_be()?,
            snapshot: reader.u32_be()? != 0,
        })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.fixed_string(&self.name, NAME_LEN).fixed_string(&self.hostname, SHORT_HOSTNAME_LEN);
        writer.u32_be(self.live_timer).u32_be(self.snapshot.into());
    }
}

/// The payload of CREATE_SESSION; made by [`Session::request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateSession {
    /// 2.1 to 2.3: no payload.
    Unnamed,
    /// 2.4 to 2.10.
    Named(NamedSession),
    /// 2.11 and later.
    Full(Box<Session>),
}

impl CreateSession {
    /// The form.
    pub fn layout(&self) -> SessionLayout {
        match self {
            CreateSession::Unnamed => SessionLayout::Unnamed,
            CreateSession::Named(_) => SessionLayout::Named,
            CreateSession::Full(_) => SessionLayout::Full,
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>, layout: SessionLayout) -> Result<CreateSession> {
        Ok(match layout {
            SessionLayout::Unnamed => CreateSession::Unnamed,
            SessionLayout::Named => CreateSession::Named(NamedSession::decode(reader)?),
            SessionLayout::Full => CreateSession::Full(Box::new(Session::decode(reader)?)),
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match self {
            CreateSession::Unnamed => {}
            CreateSession::Named(session) => session.encode(writer),
            CreateSession::Full(session) => session.encode(writer),
        }
    }
}

/// Reads the length of a name; `limit` counts its NUL.
fn length(reader: &mut Reader<'_>, limit: usize) -> Result<usize> {
    let length = reader.u32_be()? as usize;
    if length > limit { Err(reader.error(ErrorKind::TooLong(length as u64))) } else { Ok(length) }
}

fn too_long(length: usize) -> crate::Error {
    Reader::new("relay daemon session", &[]).error(ErrorKind::TooLong(length as u64))
}
