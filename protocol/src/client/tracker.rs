// SPDX-License-Identifier: GPL-2.0-only
//! Values of process attributes: which processes a session follows.
//!
//! A value is a number or a name; which of them an attribute takes is not decided here.
//!
//! Source: `lttng-tools 2.13: src/common/tracker.c`, `include/lttng/tracker.h`.

use crate::codec::{ErrorKind, Reader, Result, Writer};

/// A value of a process attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TrackerValue {
    /// 0: process id.
    Pid(i64),
    /// 1: user id.
    Uid(u64),
    /// 2: user name.
    UserName(String),
    /// 3: group id.
    Gid(u64),
    /// 4: group name.
    GroupName(String),
}

impl TrackerValue {
    /// Longest name, its NUL included.
    pub const NAME_LEN: usize = 256;

    /// Reads a value from a request: type and number are among the parameters (i32, then 8 bytes, then u32 length of
    /// the name), the name is the variable part.
    pub(super) fn decode(parameters: &mut Reader<'_>, payload: &[u8]) -> Result<TrackerValue> {
        let kind = parameters.i32()?;
        let number = parameters.u64()?;
        let name_len = parameters.u32()? as usize;
        let mut payload = Reader::new("tracker value", payload);
        let value = Self::make(kind, number, name_len, &mut payload)?;
        payload.finish()?;
        Ok(value)
    }

    pub(super) fn encode(&self, parameters: &mut Writer, payload: &mut Writer) {
        let (kind, number, name) = self.parts();
        let name_len = name.map_or(0, |name| name.len().saturating_add(1));
        parameters.i32(kind).u64(number).u32(u32::try_from(name_len).unwrap_or(u32::MAX));
        if let Some(name) = name {
            payload.c_string(name);
        }
    }

    /// The inclusion set as PROCESS_ATTR_TRACKER_GET_INCLUSION_SET answers it: u32 count; for each value its type
    /// (i32), then its number (8 bytes), or the length of its name (u32, then 4 bytes of 0) and the name.
    pub fn encode_list(values: &[TrackerValue]) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
        for value in values {
            let (kind, number, name) = value.parts();
            writer.i32(kind);
            match name {
                None => writer.u64(number),
                Some(name) => {
                    let length = name.len().saturating_add(1);
                    writer.u32(u32::try_from(length).unwrap_or(u32::MAX)).u32(0).c_string(name)
                }
            };
        }
        writer.into_bytes()
    }

    /// Reads an inclusion set.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<TrackerValue>> {
        let mut reader = Reader::new("inclusion set", bytes);
        let mut values = Vec::new();
        for _ in 0..reader.u32()? {
            let kind = reader.i32()?;
            let number = reader.u64()?;
            // The length of a name lies in the first half of the number's place.
            let mut raw = [0; 4];
            raw.copy_from_slice(number.to_ne_bytes().first_chunk::<4>().unwrap_or(&[0; 4]));
            let name_len = if matches!(kind, 2 | 4) { u32::from_ne_bytes(raw) as usize } else { 0 };
            values.push(Self::make(kind, number, name_len, &mut reader)?);
        }
        reader.finish()?;
        Ok(values)
    }

    fn make(kind: i32, number: u64, name_len: usize, payload: &mut Reader<'_>) -> Result<TrackerValue> {
        let named = name_len > 0;
        if name_len > Self::NAME_LEN || named != matches!(kind, 2 | 4) {
            return Err(payload.error(ErrorKind::TooLong(name_len as u64)));
        }
        Ok(match kind {
            0 => TrackerValue::Pid(number.cast_signed()),
            1 => TrackerValue::Uid(number),
            2 => TrackerValue::UserName(payload.c_string(name_len)?),
            3 => TrackerValue::Gid(number),
            4 => TrackerValue::GroupName(payload.c_string(name_len)?),
            other => return Err(payload.error(ErrorKind::BadValue(other.unsigned_abs().into()))),
        })
    }

    fn parts(&self) -> (i32, u64, Option<&str>) {
        match self {
            TrackerValue::Pid(pid) => (0, pid.cast_unsigned(), None),
            TrackerValue::Uid(uid) => (1, *uid, None),
            TrackerValue::UserName(name) => (2, 0, Some(name)),
            TrackerValue::Gid(gid) => (3, *gid, None),
            TrackerValue::GroupName(name) => (4, 0, Some(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = TrackerValue> {
        let name = "[a-z]{1,20}";
        prop_oneof![
            any::<i64>().prop_map(TrackerValue::Pid),
            any::<u64>().prop_map(TrackerValue::Uid),
            name.prop_map(TrackerValue::UserName),
            any::<u64>().prop_map(TrackerValue::Gid),
            name.prop_map(TrackerValue::GroupName),
        ]
    }

    proptest! {
        #[test]
        fn sets_go_round(values in prop::collection::vec(value(), 0..8)) {
            let bytes = TrackerValue::encode_list(&values);
            prop_assert_eq!(TrackerValue::decode_list(&bytes), Ok(values));
        }

        #[test]
        fn requests_go_round(value in value()) {
            let (mut parameters, mut payload) = (Writer::default(), Writer::default());
            value.encode(&mut parameters, &mut payload);
            let (parameters, payload) = (parameters.into_bytes(), payload.into_bytes());
            let mut reader = Reader::new("test", &parameters);
            prop_assert_eq!(TrackerValue::decode(&mut reader, &payload), Ok(value));
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = TrackerValue::decode_list(&bytes);
            let _ = TrackerValue::decode(&mut Reader::new("test", &bytes), &bytes);
        }
    }
}
