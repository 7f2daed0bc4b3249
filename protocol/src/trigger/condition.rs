// SPDX-License-Identifier: GPL-2.0-only
//! When a trigger acts.
//!
//! Sessions and channels are names: they need not exist. Nothing here knows whether a condition is met.
//!
//! Source: `lttng-tools 2.13: src/common/conditions/`.

use super::event_rule::{EventRule, UserspaceLocation};
use super::{expression, text};
use crate::client::{Domain, NAME_LEN, bad_value, wire_len};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::expression::EventExpression;
use crate::numbered::numbered;

numbered! {
    /// What a condition or an evaluation is about. `enum lttng_condition_type`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum ConditionKind: i8 {
        /// The bytes that a session recorded.
        SessionConsumedSize = 100,
        /// A channel's buffers got full.
        BufferUsageHigh = 101,
        /// A channel's buffers got empty.
        BufferUsageLow = 102,
        /// A rotation began.
        RotationOngoing = 103,
        /// A rotation ended.
        RotationCompleted = 104,
        /// There was an event.
        EventRuleMatches = 105,
    }
    /// The kind with this number.
    from_number;
    /// Every kind.
    ALL;
}

/// A condition: i8 type, then its body. Names of sessions and channels have 1 to 254 bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The channels of a session wrote out so many bytes. Body: u64 bytes, u32 length of the name, name.
    SessionConsumedSize {
        /// The session.
        session: String,
        /// From how many bytes on it is met.
        bytes: u64,
    },
    /// At least so much of a channel's buffers is in use.
    BufferUsageHigh(BufferUsage),
    /// At most so much of a channel's buffers is in use.
    BufferUsageLow(BufferUsage),
    /// A rotation of a session began. Body: u32 length of the name, name.
    RotationOngoing {
        /// The session.
        session: String,
    },
    /// A rotation of a session ended. Body: u32 length of the name, name.
    RotationCompleted {
        /// The session.
        session: String,
    },
    /// An event matched. Body: rule, u32 number of captures, captures.
    EventRuleMatches {
        /// Which events.
        rule: EventRule,
        /// What is captured of them, in this order. Rules of probes have none.
        captures: Vec<EventExpression>,
    },
}

/// The body of a condition on the use of a channel's buffers.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u8 | whether the threshold is in bytes |
/// | 1 | u64 | bytes; 0 with a ratio, and then ignored |
/// | 9 | f64 | ratio; 0 with bytes, and then ignored |
/// | 17 | u32 | length of the session's name |
/// | 21 | u32 | length of the channel's name |
/// | 25 | i8 | domain |
/// | 26 | | session, channel |
#[derive(Debug, Clone, PartialEq)]
pub struct BufferUsage {
    /// From where on it is met.
    pub threshold: Threshold,
    /// Domain of the channel.
    pub domain: Domain,
    /// The session.
    pub session: String,
    /// The channel.
    pub channel: String,
}

/// How much of a channel's buffers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// So many bytes.
    Bytes(u64),
    /// This part of all, from 0 to 1. Not a number is accepted too, as the original does; no use of buffers
    /// reaches it.
    Ratio(f64),
}

impl Threshold {
    /// Whether both are the same: ratios may differ by a rounding error.
    pub fn same_as(self, other: Threshold) -> bool {
        match (self, other) {
            (Threshold::Bytes(bytes), Threshold::Bytes(other)) => bytes == other,
            // The second test is for not a number: what was registered must be found again to be removed.
            (Threshold::Ratio(ratio), Threshold::Ratio(other)) => {
                (ratio - other).abs() <= f64::EPSILON || ratio.to_bits() == other.to_bits()
            }
            _ => false,
        }
    }
}

impl BufferUsage {
    fn decode(reader: &mut Reader<'_>) -> Result<BufferUsage> {
        let in_bytes = reader.u8()? != 0;
        let bytes = reader.u64()?;
        let ratio = reader.u64()?;
        let threshold =
            if in_bytes { Threshold::Bytes(bytes) } else { Threshold::Ratio(f64::from_bits(ratio)) };
        if let Threshold::Ratio(value) = threshold
            && !value.is_nan()
            && !(0.0..=1.0).contains(&value)
        {
            return Err(reader.error(ErrorKind::BadValue(ratio)));
        }
        let session_len = reader.u32()?;
        let channel_len = reader.u32()?;
        let domain = reader.i8()?;
        let domain = u32::try_from(domain)
            .ok()
            .and_then(Domain::from_number)
            .ok_or_else(|| bad_value(reader, domain))?;
        let session = text::non_empty_limited(reader, session_len, NAME_LEN)?;
        let channel = text::non_empty_limited(reader, channel_len, NAME_LEN)?;
        Ok(BufferUsage { threshold, domain, session, channel })
    }

    fn encode(&self, writer: &mut Writer) {
        match self.threshold {
            Threshold::Bytes(bytes) => writer.u8(1).u64(bytes).u64(0),
            Threshold::Ratio(ratio) => writer.u8(0).u64(0).u64(ratio.to_bits()),
        };
        writer.u32(wire_len(&self.session)).u32(wire_len(&self.channel)).u8(self.domain.number() as u8);
        writer.c_string(&self.session).c_string(&self.channel);
    }

    fn same_as(&self, other: &BufferUsage) -> bool {
        self.threshold.same_as(other.threshold)
            && self.domain == other.domain
            && self.session == other.session
            && self.channel == other.channel
    }
}

impl Condition {
    /// Reads one condition.
    ///
    /// # Errors
    ///
    /// What the reference calls malformed.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Condition> {
        let kind = reader.i8()?;
        let kind = ConditionKind::from_number(kind).ok_or_else(|| bad_value(reader, kind))?;
        Ok(match kind {
            ConditionKind::SessionConsumedSize => {
                let bytes = reader.u64()?;
                Condition::SessionConsumedSize { session: session(reader)?, bytes }
            }
            ConditionKind::BufferUsageHigh => Condition::BufferUsageHigh(BufferUsage::decode(reader)?),
            ConditionKind::BufferUsageLow => Condition::BufferUsageLow(BufferUsage::decode(reader)?),
            ConditionKind::RotationOngoing => Condition::RotationOngoing { session: session(reader)? },
            ConditionKind::RotationCompleted => Condition::RotationCompleted { session: session(reader)? },
            ConditionKind::EventRuleMatches => {
                let rule = EventRule::decode(reader)?;
                let captures = captures(reader, &rule)?;
                Condition::EventRuleMatches { rule, captures }
            }
        })
    }

    /// Appends the condition.
    pub fn encode(&self, writer: &mut Writer) {
        writer.i8(self.kind().number());
        match self {
            Condition::SessionConsumedSize { session, bytes } => {
                writer.u64(*bytes).u32(wire_len(session)).c_string(session);
            }
            Condition::BufferUsageHigh(usage) | Condition::BufferUsageLow(usage) => usage.encode(writer),
            Condition::RotationOngoing { session } | Condition::RotationCompleted { session } => {
                writer.u32(wire_len(session)).c_string(session);
            }
            Condition::EventRuleMatches { rule, captures } => {
                rule.encode(writer);
                writer.u32(text::count(captures.len()));
                for capture in captures {
                    expression::encode(capture, writer);
                }
            }
        }
    }

    /// What the condition is about.
    pub fn kind(&self) -> ConditionKind {
        match self {
            Condition::SessionConsumedSize { .. } => ConditionKind::SessionConsumedSize,
            Condition::BufferUsageHigh(_) => ConditionKind::BufferUsageHigh,
            Condition::BufferUsageLow(_) => ConditionKind::BufferUsageLow,
            Condition::RotationOngoing { .. } => ConditionKind::RotationOngoing,
            Condition::RotationCompleted { .. } => ConditionKind::RotationCompleted,
            Condition::EventRuleMatches { .. } => ConditionKind::EventRuleMatches,
        }
    }

    /// The only domain that the condition is about; conditions on sessions have none.
    pub fn domain(&self) -> Option<Domain> {
        match self {
            Condition::BufferUsageHigh(usage) | Condition::BufferUsageLow(usage) => Some(usage.domain),
            Condition::EventRuleMatches { rule, .. } => Some(rule.domain()),
            _ => None,
        }
    }

    /// The session that the condition is about.
    pub fn session(&self) -> Option<&str> {
        match self {
            Condition::SessionConsumedSize { session, .. }
            | Condition::RotationOngoing { session }
            | Condition::RotationCompleted { session } => Some(session),
            Condition::BufferUsageHigh(usage) | Condition::BufferUsageLow(usage) => Some(&usage.session),
            Condition::EventRuleMatches { .. } => None,
        }
    }

    /// The location in a user space program, to set its [`binary`](UserspaceLocation::binary).
    pub fn userspace_location_mut(&mut self) -> Option<&mut UserspaceLocation> {
        match self {
            Condition::EventRuleMatches { rule, .. } => rule.userspace_location_mut(),
            _ => None,
        }
    }

    /// How many descriptors travel with it: one when it has a location in a user space program.
    pub fn fd_count(&self) -> u32 {
        match self {
            Condition::EventRuleMatches { rule, .. } => rule.fd_count(),
            _ => 0,
        }
    }

    /// Whether both are the same condition, so that a subscription to one is one to the other.
    pub fn same_as(&self, other: &Condition) -> bool {
        match (self, other) {
            (Condition::BufferUsageHigh(usage), Condition::BufferUsageHigh(other))
            | (Condition::BufferUsageLow(usage), Condition::BufferUsageLow(other)) => usage.same_as(other),
            (
                Condition::EventRuleMatches { rule, captures },
                Condition::EventRuleMatches { rule: other_rule, captures: other_captures },
            ) => rule.same_as(other_rule) && captures == other_captures,
            _ => self == other,
        }
    }
}

fn session(reader: &mut Reader<'_>) -> Result<String> {
    let length = reader.u32()?;
    text::non_empty_limited(reader, length, NAME_LEN)
}

fn captures(reader: &mut Reader<'_>, rule: &EventRule) -> Result<Vec<EventExpression>> {
    let count = reader.u32()?;
    if count == u32::MAX || (count > 0 && !rule.can_capture()) {
        return Err(bad_value(reader, count));
    }
    let mut captures = Vec::new();
    // Not reserved ahead: the count is the sender's claim, the bytes are the proof.
    for _ in 0..count {
        captures.push(expression::decode(reader)?);
    }
    Ok(captures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(bytes: &[u8]) -> std::result::Result<Condition, ErrorKind> {
        let mut reader = Reader::new("test", bytes);
        let condition = Condition::decode(&mut reader).map_err(|error| error.kind)?;
        assert_eq!(reader.finish(), Ok(()));
        let mut writer = Writer::default();
        condition.encode(&mut writer);
        assert_eq!(writer.into_bytes(), bytes);
        Ok(condition)
    }

    /// A name with its length before it, as sessions' conditions have it.
    fn named(kind: u8, before: &[u8], name: &str) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u8(kind).bytes(before).u32(wire_len(name)).c_string(name);
        writer.into_bytes()
    }

    fn usage(in_bytes: u8, bytes: u64, ratio: f64, domain: i8, session: &str, channel: &str) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u8(101).u8(in_bytes).u64(bytes).u64(ratio.to_bits());
        writer.u32(wire_len(session)).u32(wire_len(channel)).i8(domain).c_string(session).c_string(channel);
        writer.into_bytes()
    }

    fn rule_with_captures(rule: &EventRule, count: u32, captures: &[u8]) -> Vec<u8> {
        let mut writer = Writer::default();
        rule.encode(writer.u8(105));
        writer.u32(count).bytes(captures);
        writer.into_bytes()
    }

    fn tracepoint() -> EventRule {
        EventRule::KernelTracepoint { pattern: "*".into(), filter: None }
    }

    #[test]
    fn kinds_that_there_are_not() {
        for kind in [0, 99, 106, 255] {
            assert!(matches!(condition(&named(kind, b"", "s")), Err(ErrorKind::BadValue(_))), "{kind}");
        }
        assert_eq!(condition(b""), Err(ErrorKind::Truncated));
    }

    #[test]
    fn names_have_1_to_254_bytes() {
        let (longest, too_long) = ("n".repeat(254), "n".repeat(255));
        for (kind, before) in [(100, &[0; 8][..]), (103, &[]), (104, &[])] {
            assert!(condition(&named(kind, before, "n")).is_ok());
            assert!(condition(&named(kind, before, &longest)).is_ok());
            assert_eq!(condition(&named(kind, before, "")), Err(ErrorKind::BadString));
            assert_eq!(condition(&named(kind, before, &too_long)), Err(ErrorKind::TooLong(256)));
            assert_eq!(condition(&named(kind, before, "n\0n")), Err(ErrorKind::BadString));
            let mut unterminated = named(kind, before, "n");
            *unterminated.last_mut().unwrap() = b'n';
            assert_eq!(condition(&unterminated), Err(ErrorKind::BadString));
            let mut without = [&[kind], before].concat();
            without.extend([0; 4]);
            assert_eq!(condition(&without), Err(ErrorKind::BadString));
        }
        for (session, channel) in [(longest.as_str(), "c"), ("s", &longest)] {
            assert!(condition(&usage(0, 0, 0.5, 2, session, channel)).is_ok());
        }
        for (session, channel) in [("", "c"), ("s", ""), ("a\0b", "c"), ("s", "a\0b")] {
            assert_eq!(condition(&usage(0, 0, 0.5, 2, session, channel)), Err(ErrorKind::BadString));
        }
        for (session, channel) in [(too_long.as_str(), "c"), ("s", &too_long)] {
            assert_eq!(condition(&usage(0, 0, 0.5, 2, session, channel)), Err(ErrorKind::TooLong(256)));
        }
    }

    #[test]
    fn thresholds() {
        let threshold = |bytes: &[u8]| match condition(bytes).unwrap() {
            Condition::BufferUsageHigh(usage) => usage.threshold,
            other => panic!("{other:?}"),
        };
        assert_eq!(threshold(&usage(1, 0, 0.0, 3, "s", "c")), Threshold::Bytes(0));
        for ratio in [0.0, 1.0, 0.25] {
            assert_eq!(threshold(&usage(0, 0, ratio, 2, "s", "c")), Threshold::Ratio(ratio));
        }
        let Threshold::Ratio(ratio) = threshold(&usage(0, 0, f64::NAN, 2, "s", "c")) else { panic!() };
        assert!(ratio.is_nan());
        for ratio in [1.5, -1.0, f64::INFINITY, f64::NEG_INFINITY, 1.0 + f64::EPSILON, -f64::MIN_POSITIVE] {
            let kind = ErrorKind::BadValue(ratio.to_bits());
            assert_eq!(condition(&usage(0, 0, ratio, 2, "s", "c")), Err(kind), "{ratio}");
        }
    }

    /// Any flag but 0 means bytes, and what is not used is not looked at.
    #[test]
    fn what_a_threshold_does_not_use_is_dropped() {
        let decoded = |bytes: &[u8]| Condition::decode(&mut Reader::new("test", bytes)).unwrap();
        assert_eq!(decoded(&usage(7, 5, 1.5, 2, "s", "c")), decoded(&usage(1, 5, 0.0, 2, "s", "c")));
        assert_eq!(decoded(&usage(0, 5, 0.5, 2, "s", "c")), decoded(&usage(0, 0, 0.5, 2, "s", "c")));
    }

    #[test]
    fn domains_of_channels() {
        for domain in 1..=5 {
            let decoded = condition(&usage(1, 1, 0.0, domain, "s", "c")).unwrap();
            assert_eq!(decoded.domain().map(Domain::number), Some(domain as u32));
        }
        for domain in [0, 6, -1, i8::MIN] {
            let refused = condition(&usage(1, 1, 0.0, domain, "s", "c"));
            assert!(matches!(refused, Err(ErrorKind::BadValue(_))), "{domain}");
        }
    }

    #[test]
    fn captures_are_as_many_as_announced() {
        let capture = [b"\0", &2_u32.to_ne_bytes()[..], b"a\0"].concat();
        let three = capture.repeat(3);
        let with = |count| condition(&rule_with_captures(&tracepoint(), count, &three));
        assert!(matches!(with(3), Ok(Condition::EventRuleMatches { captures, .. }) if captures.len() == 3));
        assert_eq!(with(4), Err(ErrorKind::Truncated));
        assert_eq!(with(u32::MAX - 1), Err(ErrorKind::Truncated));
        assert_eq!(with(u32::MAX), Err(ErrorKind::BadValue(u32::MAX.into())));
        let unknown = rule_with_captures(&tracepoint(), 1, b"\x09");
        assert_eq!(condition(&unknown), Err(ErrorKind::BadValue(9)));
    }

    #[test]
    fn probes_capture_nothing() {
        let location = super::super::KernelLocation::Address(1);
        let kprobe = EventRule::KernelKprobe { name: "k".into(), location };
        assert!(condition(&rule_with_captures(&kprobe, 0, b"")).is_ok());
        let captured = rule_with_captures(&kprobe, 1, b"\0\x02\0\0\0a\0");
        assert_eq!(condition(&captured), Err(ErrorKind::BadValue(1)));
    }

    #[test]
    fn the_same_condition() {
        let usage = |threshold, channel: &str| BufferUsage {
            threshold,
            domain: Domain::Ust,
            session: "s".to_owned(),
            channel: channel.to_owned(),
        };
        let high = |threshold| Condition::BufferUsageHigh(usage(threshold, "c"));
        assert!(high(Threshold::Ratio(0.1 + 0.2)).same_as(&high(Threshold::Ratio(0.3))));
        assert!(!high(Threshold::Ratio(0.3)).same_as(&high(Threshold::Ratio(0.300_000_1))));
        assert!(high(Threshold::Ratio(f64::NAN)).same_as(&high(Threshold::Ratio(f64::NAN))));
        assert!(!high(Threshold::Ratio(f64::NAN)).same_as(&high(Threshold::Ratio(0.5))));
        assert!(!high(Threshold::Ratio(1.0)).same_as(&high(Threshold::Bytes(1))));
        assert!(!high(Threshold::Bytes(2)).same_as(&high(Threshold::Bytes(1))));
        let low = Condition::BufferUsageLow(usage(Threshold::Bytes(1), "c"));
        assert!(!high(Threshold::Bytes(1)).same_as(&low));
        assert!(!low.same_as(&Condition::BufferUsageLow(usage(Threshold::Bytes(1), "d"))));
        let session = || "s".to_owned();
        let ongoing = Condition::RotationOngoing { session: session() };
        assert!(ongoing.same_as(&ongoing.clone()));
        assert!(!ongoing.same_as(&Condition::RotationCompleted { session: session() }));
        let size = |bytes| Condition::SessionConsumedSize { session: session(), bytes };
        assert!(size(1).same_as(&size(1)) && !size(1).same_as(&size(2)));
        let captures = |names: &[&str]| Condition::EventRuleMatches {
            rule: tracepoint(),
            captures: names.iter().map(|&name| EventExpression::PayloadField(name.to_owned())).collect(),
        };
        assert!(captures(&["a", "b"]).same_as(&captures(&["a", "b"])));
        assert!(!captures(&["a", "b"]).same_as(&captures(&["b", "a"])));
        assert!(!captures(&["a"]).same_as(&captures(&["a", "a"])));
    }
}
