// SPDX-License-Identifier: GPL-2.0-only
//! What was found when a condition was met, and the notification that tells it.
//!
//! Captured values are MessagePack from a tracer; nothing here looks inside.
//!
//! Source: `lttng-tools 2.13: src/common/evaluation.c`, `src/common/conditions/`, `src/common/notification.c`.

use super::{ConditionKind, Trigger, text};
use crate::client::{ArchiveLocation, bad_value, check_length};
use crate::codec::{Reader, Result, Writer};

/// An evaluation: i8 type, that of the condition, then its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluation {
    /// Body: u64.
    SessionConsumedSize {
        /// Bytes that the channels of the session wrote out.
        bytes: u64,
    },
    /// Body: u64 used, u64 capacity.
    BufferUsageHigh {
        /// Bytes in use of the fullest buffer.
        used: u64,
        /// Bytes of a buffer.
        capacity: u64,
    },
    /// Body: u64 used, u64 capacity.
    BufferUsageLow {
        /// Bytes in use of the fullest buffer.
        used: u64,
        /// Bytes of a buffer.
        capacity: u64,
    },
    /// Body: u64 number, u8 0.
    RotationOngoing {
        /// Number of the rotation in its session, from 0.
        id: u64,
    },
    /// Body: u64 number, u8 whether there is a location, location.
    RotationCompleted {
        /// Number of the rotation in its session, from 0.
        id: u64,
        /// Where the archived chunk is, if it still exists.
        location: Option<ArchiveLocation>,
    },
    /// Body: u32 length, captures.
    EventRuleMatches {
        /// The captured values as the tracer sent them, a MessagePack array; empty when the condition captures
        /// nothing.
        captures: Vec<u8>,
    },
}

impl Evaluation {
    /// Reads one evaluation.
    ///
    /// # Errors
    ///
    /// An unknown type, a location of a rotation that goes on, a malformed location, missing bytes.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Evaluation> {
        let kind = reader.i8()?;
        let kind = ConditionKind::from_number(kind).ok_or_else(|| bad_value(reader, kind))?;
        Ok(match kind {
            ConditionKind::SessionConsumedSize => Evaluation::SessionConsumedSize { bytes: reader.u64()? },
            ConditionKind::BufferUsageHigh => {
                Evaluation::BufferUsageHigh { used: reader.u64()?, capacity: reader.u64()? }
            }
            ConditionKind::BufferUsageLow => {
                Evaluation::BufferUsageLow { used: reader.u64()?, capacity: reader.u64()? }
            }
            ConditionKind::RotationOngoing => {
                let id = reader.u64()?;
                match reader.u8()? {
                    0 => Evaluation::RotationOngoing { id },
                    other => return Err(bad_value(reader, other)),
                }
            }
            ConditionKind::RotationCompleted => {
                let id = reader.u64()?;
                let location = match reader.u8()? {
                    0 => None,
                    _ => Some(ArchiveLocation::read(reader)?),
                };
                Evaluation::RotationCompleted { id, location }
            }
            ConditionKind::EventRuleMatches => {
                let length = reader.u32()?;
                Evaluation::EventRuleMatches { captures: reader.bytes(length as usize)?.to_vec() }
            }
        })
    }

    /// Appends the evaluation.
    pub fn encode(&self, writer: &mut Writer) {
        writer.i8(self.kind().number());
        match self {
            Evaluation::SessionConsumedSize { bytes } => {
                writer.u64(*bytes);
            }
            Evaluation::BufferUsageHigh { used, capacity }
            | Evaluation::BufferUsageLow { used, capacity } => {
                writer.u64(*used).u64(*capacity);
            }
            Evaluation::RotationOngoing { id } => {
                writer.u64(*id).u8(0);
            }
            Evaluation::RotationCompleted { id, location } => {
                writer.u64(*id).u8(location.is_some().into());
                if let Some(location) = location {
                    location.write(writer);
                }
            }
            Evaluation::EventRuleMatches { captures } => {
                writer.u32(text::count(captures.len())).bytes(captures);
            }
        }
    }

    /// What the evaluated condition is about.
    pub fn kind(&self) -> ConditionKind {
        match self {
            Evaluation::SessionConsumedSize { .. } => ConditionKind::SessionConsumedSize,
            Evaluation::BufferUsageHigh { .. } => ConditionKind::BufferUsageHigh,
            Evaluation::BufferUsageLow { .. } => ConditionKind::BufferUsageLow,
            Evaluation::RotationOngoing { .. } => ConditionKind::RotationOngoing,
            Evaluation::RotationCompleted { .. } => ConditionKind::RotationCompleted,
            Evaluation::EventRuleMatches { .. } => ConditionKind::EventRuleMatches,
        }
    }
}

/// A notification: u32 length of the rest, the trigger as it was registered, the evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// The trigger that acts. The descriptors of its locations travel with the notification.
    pub trigger: Trigger,
    /// What was found.
    pub evaluation: Evaluation,
}

impl Notification {
    /// Decodes a whole notification.
    ///
    /// # Errors
    ///
    /// A wrong length, a malformed trigger or evaluation, an evaluation of another type than the condition's.
    pub fn decode(bytes: &[u8]) -> Result<Notification> {
        let mut reader = Reader::new("notification", bytes);
        let length = reader.u32()?;
        let start = reader.offset();
        let trigger = Trigger::decode(&mut reader)?;
        let evaluation = Evaluation::decode(&mut reader)?;
        if evaluation.kind() != trigger.condition.kind() {
            return Err(bad_value(&reader, evaluation.kind().number()));
        }
        check_length(&reader, start, length)?;
        reader.finish()?;
        Ok(Notification { trigger, evaluation })
    }

    /// The notification.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        Notification::write(&mut writer, &self.trigger.encode_payload(), &self.evaluation);
        writer.into_bytes()
    }

    /// Appends the notification of a trigger that is encoded already, as many of them have the same trigger.
    pub fn write(writer: &mut Writer, trigger: &[u8], evaluation: &Evaluation) {
        let mut body = Writer::default();
        evaluation.encode(&mut body);
        let body = body.into_bytes();
        writer.u32(text::count(trigger.len().saturating_add(body.len()))).bytes(trigger).bytes(&body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::ErrorKind;
    use crate::trigger::{Action, Condition, RatePolicy};

    fn evaluation(bytes: &[u8]) -> std::result::Result<Evaluation, ErrorKind> {
        let mut reader = Reader::new("test", bytes);
        let evaluation = Evaluation::decode(&mut reader).map_err(|error| error.kind)?;
        reader.finish().map_err(|error| error.kind)?;
        let mut writer = Writer::default();
        evaluation.encode(&mut writer);
        assert_eq!(writer.into_bytes(), bytes);
        Ok(evaluation)
    }

    #[test]
    fn malformed_evaluations() {
        assert_eq!(evaluation(&[99; 9]), Err(ErrorKind::BadValue(99)));
        assert_eq!(evaluation(&[100; 8]), Err(ErrorKind::Truncated));
        assert_eq!(evaluation(&[101; 16]), Err(ErrorKind::Truncated));
        assert_eq!(evaluation(&[103; 10]), Err(ErrorKind::BadValue(103)));
        assert_eq!(evaluation(&[&[104; 9][..], &[1], &[3; 14]].concat()), Err(ErrorKind::BadValue(3)));
        let captures = |length: u32| evaluation(&[b"\x69", &length.to_ne_bytes()[..], b"\x90"].concat());
        assert_eq!(captures(2), Err(ErrorKind::Truncated));
        assert_eq!(captures(u32::MAX), Err(ErrorKind::Truncated));
        assert_eq!(captures(0), Err(ErrorKind::TrailingBytes));
        assert_eq!(evaluation(b"\x69\0\0\0\0"), Ok(Evaluation::EventRuleMatches { captures: Vec::new() }));
    }

    #[test]
    fn a_rotation_whose_chunk_is_gone_has_no_location() {
        let completed = evaluation(&[b"\x68", &5_u64.to_ne_bytes()[..], b"\0"].concat());
        assert_eq!(completed, Ok(Evaluation::RotationCompleted { id: 5, location: None }));
    }

    #[test]
    fn notifications_are_as_long_as_they_say() {
        let trigger = Trigger {
            owner: 1,
            name: None,
            hidden: false,
            condition: Condition::RotationOngoing { session: "s".to_owned() },
            action: Action::Notify { rate: RatePolicy::default() },
        };
        let notification = Notification { trigger, evaluation: Evaluation::RotationOngoing { id: 3 } };
        let bytes = notification.encode();
        assert_eq!(Notification::decode(&bytes).as_ref(), Ok(&notification));
        let kind = |bytes: &[u8]| Notification::decode(bytes).unwrap_err().kind;
        let with_length = |length: u32| [&length.to_ne_bytes(), &bytes[4..]].concat();
        let length = bytes.len() as u32 - 4;
        assert_eq!(kind(&with_length(length - 1)), ErrorKind::TooLong(u64::from(length) - 1));
        assert_eq!(kind(&with_length(length + 1)), ErrorKind::TooLong(u64::from(length) + 1));
        assert_eq!(kind(&[&bytes[..], &[0]].concat()), ErrorKind::TrailingBytes);
        let other = Notification { evaluation: Evaluation::SessionConsumedSize { bytes: 0 }, ..notification };
        assert_eq!(kind(&other.encode()), ErrorKind::BadValue(100));
    }
}
