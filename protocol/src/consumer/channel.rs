// SPDX-License-Identifier: GPL-2.0-only
//! The larger requests about channels and relay connections.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h`.

use super::{CHANNEL_NAME_LEN, PATH_LEN, optional_u64, put_optional_u64, put_relayd_id, relayd_id};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;

numbered! {
    /// What a channel carries. The numbers are those of the application's ABI, not the consumer daemon's own.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum ChannelKind: i32 {
        /// Events, one stream per CPU.
        Data = 0,
        /// The text that describes them.
        Metadata = 1,
    }
    /// The kind with this number.
    from_number;
}

/// Creates a UST channel in the consumer daemon. Answered with a [`ChannelStatus`](super::ChannelStatus).
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 4 | 8 | `subbuf_size` |
/// | 12 | 8 | `num_subbuf` |
/// | 20 | 4 | `overwrite` |
/// | 24 | 4 | `switch_timer` |
/// | 28 | 4 | `read_timer` |
/// | 32 | 4 | `live_timer` |
/// | 36 | 1 | `is_live` |
/// | 37 | 4 | `monitor_timer` |
/// | 41 | 4 | 1: output by mmap |
/// | 45 | 4 | `kind` |
/// | 49 | 8 | `session_id` |
/// | 57 | 4096 | `pathname` |
/// | 4153 | 256 | `name` |
/// | 4409 | 4 + 4 | `uid`, `gid` |
/// | 4417 | 8 | `relayd_id` |
/// | 4425 | 8 | `key` |
/// | 4433 | 1 + 8 | `chunk_id` |
/// | 4442 | 16 | `uuid` |
/// | 4458 | 4 | `channel_id` |
/// | 4462 | 8 | `tracefile_size` |
/// | 4470 | 4 | `tracefile_count` |
/// | 4474 | 8 | `session_id_per_pid` |
/// | 4482 | 4 | `monitor` |
/// | 4486 | 4 | `app_uid` |
/// | 4490 | 8 | `blocking_timeout` |
/// | 4498 | 4096 | `root_shm_path` |
/// | 8594 | 4096 | `shm_path` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskChannel {
    /// Bytes of a sub-buffer, a power of two.
    pub subbuf_size: u64,
    /// Sub-buffers per stream.
    pub num_subbuf: u64,
    /// 0 discard, 1 overwrite; -1 for metadata.
    pub overwrite: i32,
    /// Microseconds; 0 is off.
    pub switch_timer: u32,
    /// Microseconds; 0 is off.
    pub read_timer: u32,
    /// The session's live timer, microseconds; 0 is off.
    pub live_timer: u32,
    /// Whether the session is live.
    pub is_live: bool,
    /// Microseconds; 0 is off, as for metadata.
    pub monitor_timer: u32,
    /// Data or metadata.
    pub kind: ChannelKind,
    /// The session daemon's number of the session.
    pub session_id: u64,
    /// Folder of the stream files, relative to the chunk's `ust` folder; for a relay daemon before 2.11 the whole one,
    /// see [`legacy_stream_folder`](crate::relayd::legacy_stream_folder).
    pub pathname: String,
    /// Name of the channel, `metadata` for metadata.
    pub name: String,
    /// Owner of the session.
    pub uid: u32,
    /// Group of the session.
    pub gid: u32,
    /// The relay daemon; without, the output is local.
    pub relayd_id: Option<u64>,
    /// Key of the channel, never used before and never 0.
    pub key: u64,
    /// Current chunk; without, the channel is written nowhere until a snapshot names one.
    pub chunk_id: Option<u64>,
    /// CTF identifier of the trace: the same for all channels of a registry.
    pub uuid: [u8; 16],
    /// Number of the channel in the CTF metadata; `u32::MAX` for metadata.
    pub channel_id: u32,
    /// Bytes after which a new trace file is begun; 0 is never.
    pub tracefile_size: u64,
    /// Trace files that are kept; 0 is all.
    pub tracefile_count: u32,
    /// Number of the application's session, echoed in metadata requests.
    pub session_id_per_pid: u64,
    /// Whether the consumer daemon writes what it consumes (not in a snapshot session).
    pub monitor: bool,
    /// User of the application that caused the registry, echoed in metadata requests.
    pub app_uid: u32,
    /// Microseconds; 0 is not at all, -1 for ever.
    pub blocking_timeout: i64,
    /// The session's shared memory folder, or empty.
    pub root_shm_path: String,
    /// Prefix of the stream's shared memory files below it, or empty.
    pub shm_path: String,
}

/// `LTTNG_EVENT_MMAP`, the only output of UST channels.
const OUTPUT_MMAP: i32 = 1;

impl AskChannel {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<AskChannel> {
        Ok(AskChannel {
            subbuf_size: reader.u64()?,
            num_subbuf: reader.u64()?,
            overwrite: reader.i32()?,
            switch_timer: reader.u32()?,
            read_timer: reader.u32()?,
            live_timer: reader.u32()?,
            is_live: reader.u8()? != 0,
            monitor_timer: reader.u32()?,
            kind: decode_output_and_kind(reader)?,
            session_id: reader.u64()?,
            pathname: reader.fixed_string(PATH_LEN)?,
            name: reader.fixed_string(CHANNEL_NAME_LEN)?,
            uid: reader.u32()?,
            gid: reader.u32()?,
            relayd_id: relayd_id(reader)?,
            key: reader.u64()?,
            chunk_id: optional_u64(reader)?,
            uuid: reader.array()?,
            channel_id: reader.u32()?,
            tracefile_size: reader.u64()?,
            tracefile_count: reader.u32()?,
            session_id_per_pid: reader.u64()?,
            monitor: reader.u32()? != 0,
            app_uid: reader.u32()?,
            blocking_timeout: reader.i64()?,
            root_shm_path: reader.fixed_string(PATH_LEN)?,
            shm_path: reader.fixed_string(PATH_LEN)?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u64(self.subbuf_size).u64(self.num_subbuf).i32(self.overwrite);
        writer.u32(self.switch_timer).u32(self.read_timer).u32(self.live_timer).u8(self.is_live.into());
        writer.u32(self.monitor_timer).i32(OUTPUT_MMAP).i32(self.kind.number()).u64(self.session_id);
        writer.fixed_string(&self.pathname, PATH_LEN).fixed_string(&self.name, CHANNEL_NAME_LEN);
        writer.u32(self.uid).u32(self.gid);
        put_relayd_id(writer, self.relayd_id);
        writer.u64(self.key);
        put_optional_u64(writer, self.chunk_id);
        writer.bytes(&self.uuid).u32(self.channel_id).u64(self.tracefile_size).u32(self.tracefile_count);
        writer.u64(self.session_id_per_pid).u32(self.monitor.into()).u32(self.app_uid);
        writer.i64(self.blocking_timeout);
        writer.fixed_string(&self.root_shm_path, PATH_LEN).fixed_string(&self.shm_path, PATH_LEN);
    }
}

fn decode_output_and_kind(reader: &mut Reader<'_>) -> Result<ChannelKind> {
    let bad = |reader: &Reader<'_>, value: i32| reader.error(ErrorKind::BadValue(value as u64));
    match reader.i32()? {
        OUTPUT_MMAP => {}
        other => return Err(bad(reader, other)),
    }
    let kind = reader.i32()?;
    ChannelKind::from_number(kind).ok_or_else(|| bad(reader, kind))
}

numbered! {
    /// Which of the two connections to a relay daemon.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum RelaySocketKind: u32 {
        /// Commands and metadata.
        Control = 0,
        /// Trace data.
        Data = 1,
    }
    /// The connection with this number.
    from_number;
}

/// Hands a connected relay daemon socket over; control first, then data. The descriptor follows the first
/// status and must be blocking. The protocol is always TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySocket {
    /// The `relayd_id` by which later requests name the pair.
    pub relayd_id: u64,
    /// Which of the two.
    pub kind: RelaySocketKind,
    /// Version agreed with the relay daemon; for the data connection, on which none is said, the session daemon's own.
    pub major: u32,
    /// Like `major`.
    pub minor: u32,
    /// The session daemon's number of the session.
    pub session_id: u64,
    /// The relay daemon's number of the session; 0 for the data connection.
    pub relayd_session_id: u64,
}

/// `LTTCOMM_SOCK_TCP`.
const PROTOCOL_TCP: u8 = 1;

impl RelaySocket {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<RelaySocket> {
        let relayd_id = reader.u64()?;
        let kind = reader.u32()?;
        let kind = RelaySocketKind::from_number(kind)
            .ok_or_else(|| reader.error(ErrorKind::BadValue(kind.into())))?;
        let major = reader.u32()?;
        let minor = reader.u32()?;
        match reader.u8()? {
            PROTOCOL_TCP => {}
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        }
        let session_id = reader.u64()?;
        let relayd_session_id = reader.u64()?;
        Ok(RelaySocket { relayd_id, kind, major, minor, session_id, relayd_session_id })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u64(self.relayd_id).u32(self.kind.number()).u32(self.major).u32(self.minor).u8(PROTOCOL_TCP);
        writer.u64(self.session_id).u64(self.relayd_session_id);
    }
}

/// Writes what a channel holds into the current chunk. Answered when all is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotChannel {
    /// Folder of the stream files, relative to the chunk's domain folder; for a relay daemon before 2.11 the whole
    /// one, see [`legacy_stream_folder`](crate::relayd::legacy_stream_folder).
    pub pathname: String,
    /// Whether it is the metadata channel, for which the consumer daemon then asks for text.
    pub metadata: bool,
    /// The relay daemon; without, the output is local.
    pub relayd_id: Option<u64>,
    /// Key of the channel.
    pub key: u64,
    /// How many packets of each stream; 0 is all.
    pub packets_per_stream: u64,
}

impl SnapshotChannel {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<SnapshotChannel> {
        let pathname = reader.fixed_string(PATH_LEN)?;
        let remote = reader.u32()? != 0;
        let metadata = reader.u32()? != 0;
        let relayd_id = relayd_id(reader)?;
        if remote != relayd_id.is_some() {
            return Err(reader.error(ErrorKind::BadValue(remote.into())));
        }
        let key = reader.u64()?;
        let packets_per_stream = reader.u64()?;
        Ok(SnapshotChannel { pathname, metadata, relayd_id, key, packets_per_stream })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.fixed_string(&self.pathname, PATH_LEN);
        writer.u32(self.relayd_id.is_some().into()).u32(self.metadata.into());
        put_relayd_id(writer, self.relayd_id);
        writer.u64(self.key).u64(self.packets_per_stream);
    }
}
