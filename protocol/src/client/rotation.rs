// SPDX-License-Identifier: GPL-2.0-only
//! Rotations: schedules, and where an archived chunk is.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h`,
//! `include/lttng/location-internal.h`, `src/common/location.c`.

use super::header::bad_value;
use super::text::{self, PATH_LEN, SYMBOL_LEN};
use crate::codec::{Reader, Result, Writer};
use crate::numbered::numbered;

/// The rotation schedules of a session: 18 bytes.
///
/// u8 set and u64 value of the periodic schedule, then the same of the size schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RotationSchedules {
    /// Period, microseconds.
    pub periodic: Option<u64>,
    /// Bytes recorded since the last rotation.
    pub size: Option<u64>,
}

impl RotationSchedules {
    /// Size on the wire.
    pub const LEN: usize = 18;

    /// Encodes to [`RotationSchedules::LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(RotationSchedules::LEN);
        for schedule in [self.periodic, self.size] {
            writer.u8(schedule.is_some().into()).u64(schedule.unwrap_or(0));
        }
        writer.into_bytes()
    }

    /// Decodes exactly [`RotationSchedules::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<RotationSchedules> {
        let mut reader = Reader::new("rotation schedules", bytes);
        let mut schedule = || -> Result<Option<u64>> {
            let set = reader.u8()? == 1;
            let value = reader.u64()?;
            Ok(set.then_some(value))
        };
        let schedules = RotationSchedules { periodic: schedule()?, size: schedule()? };
        reader.finish()?;
        Ok(schedules)
    }
}

numbered! {
    /// What makes a session rotate by itself. `enum lttng_rotation_schedule_type`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum ScheduleKind: u8 {
        /// The bytes recorded.
        Size = 0,
        /// The time, in microseconds.
        Periodic = 1,
    }
    /// The kind with this number.
    from_number;
}

numbered! {
    /// State of a rotation. `enum lttng_rotation_state`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum RotationState: i32 {
        /// It failed.
        Error = -1,
        /// There was none.
        NoRotation = 0,
        /// It goes on.
        Ongoing = 1,
        /// It is done.
        Completed = 2,
        /// A later one made this one's result unavailable.
        Expired = 3,
    }
    /// The state with this number.
    from_number;
}

/// Where an archived chunk is. Serialized: a head of 14 bytes, then strings.
///
/// | Offset | Type | Local (1) | Relay (2) |
/// |---|---|---|---|
/// | 0 | i8 | 1 | 2 |
/// | 1 | u32 | length of the path | length of the host |
/// | 5 | i8 | 0 | protocol: 0, TCP |
/// | 6 | u16 | 0 | control port |
/// | 8 | u16 | 0 | data port |
/// | 10 | u32 | 0 | length of the relative path |
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveLocation {
    /// In a directory of this machine.
    Local {
        /// Absolute path. At most 4095 bytes.
        path: String,
    },
    /// At a relay daemon.
    Relay {
        /// Its host. At most 255 bytes.
        host: String,
        /// Its control port.
        control_port: u16,
        /// Its data port.
        data_port: u16,
        /// Path below its output directory. At most 4095 bytes.
        path: String,
    },
}

impl ArchiveLocation {
    const LOCAL: i8 = 1;
    const RELAY: i8 = 2;

    /// The serialized form, payload of a destruction's reply.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.into_bytes()
    }

    /// Appends the serialized form.
    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            ArchiveLocation::Local { path } => {
                writer.i8(ArchiveLocation::LOCAL).u32(text::wire_len(path)).zeros(9).c_string(path);
            }
            ArchiveLocation::Relay { host, control_port, data_port, path } => {
                writer.i8(ArchiveLocation::RELAY).u32(text::wire_len(host)).i8(0).u16(*control_port);
                writer.u16(*data_port).u32(text::wire_len(path)).c_string(host).c_string(path);
            }
        }
    }

    /// Decodes the serialized form. Fields that a local location does not use are ignored: the original leaves
    /// stale memory in them.
    pub fn decode(bytes: &[u8]) -> Result<ArchiveLocation> {
        let mut reader = Reader::new("archive location", bytes);
        let location = ArchiveLocation::read(&mut reader)?;
        reader.finish()?;
        Ok(location)
    }

    /// Reads the serialized form, with something behind it.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<ArchiveLocation> {
        let kind = reader.i8()?;
        let first_len = reader.u32()?;
        reader.skip(1)?;
        let control_port = reader.u16()?;
        let data_port = reader.u16()?;
        let path_len = reader.u32()?;
        Ok(match kind {
            ArchiveLocation::LOCAL => {
                ArchiveLocation::Local { path: text::name(reader, first_len, PATH_LEN)? }
            }
            ArchiveLocation::RELAY => ArchiveLocation::Relay {
                host: text::name(reader, first_len, SYMBOL_LEN)?,
                control_port,
                data_port,
                path: text::name(reader, path_len, PATH_LEN)?,
            },
            other => return Err(bad_value(reader, other)),
        })
    }
}

/// What ROTATION_GET_INFO answers: 4362 bytes, whatever they hold.
///
/// i32 state, i8 location type (0 none, 1 local, 2 relay), then at 5 either path\[4096\], or host\[256\], i8
/// protocol, u16 control port, u16 data port and path\[4096\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationInfo {
    /// How the rotation went.
    pub state: RotationState,
    /// Where the chunk is, when the rotation is completed.
    pub location: Option<ArchiveLocation>,
}

impl RotationInfo {
    /// Size on the wire.
    pub const LEN: usize = 4362;

    /// Encodes to [`RotationInfo::LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(RotationInfo::LEN);
        writer.i32(self.state.number());
        match &self.location {
            None => {}
            Some(ArchiveLocation::Local { path }) => {
                writer.i8(ArchiveLocation::LOCAL).fixed_string(path, PATH_LEN);
            }
            Some(ArchiveLocation::Relay { host, control_port, data_port, path }) => {
                writer.i8(ArchiveLocation::RELAY).fixed_string(host, SYMBOL_LEN).i8(0);
                writer.u16(*control_port).u16(*data_port).fixed_string(path, PATH_LEN);
            }
        }
        writer.pad_to(RotationInfo::LEN);
        writer.into_bytes()
    }

    /// Decodes exactly [`RotationInfo::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<RotationInfo> {
        let mut reader = Reader::new("rotation information", bytes);
        let state = reader.i32()?;
        let state = RotationState::from_number(state).ok_or_else(|| bad_value(&reader, state))?;
        let location = match reader.i8()? {
            0 => None,
            ArchiveLocation::LOCAL => {
                Some(ArchiveLocation::Local { path: text::fixed_name(&mut reader, PATH_LEN)? })
            }
            ArchiveLocation::RELAY => {
                let host = text::fixed_name(&mut reader, SYMBOL_LEN)?;
                reader.skip(1)?;
                let control_port = reader.u16()?;
                let data_port = reader.u16()?;
                let path = text::fixed_name(&mut reader, PATH_LEN)?;
                Some(ArchiveLocation::Relay { host, control_port, data_port, path })
            }
            other => return Err(bad_value(&reader, other)),
        };
        reader.seek(RotationInfo::LEN)?;
        reader.finish()?;
        Ok(RotationInfo { state, location })
    }
}
