// SPDX-License-Identifier: GPL-2.0-only
//! Questions for the errors of a trigger's parts, and the answers.
//!
//! Nothing here counts; whether the trigger is registered is not asked.
//!
//! Source: `lttng-tools 2.13: src/common/error-query.c`.

use super::{Action, Trigger, check_fds, text};
use crate::client::{bad_value, wire_len};
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// The payload of EXECUTE_ERROR_QUERY: i8 target, trigger, and for an action the path to it (u32 number of
/// indexes, u64 each).
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorQuery {
    /// Which part's errors.
    pub target: ErrorQueryTarget,
    /// The trigger, as it was registered.
    pub trigger: Trigger,
}

/// A part of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorQueryTarget {
    /// 0: the trigger itself.
    Trigger,
    /// 1: its condition.
    Condition,
    /// 2: the action that this path leads to, see [`Action::at`].
    Action(Vec<u64>),
}

impl ErrorQuery {
    /// Decodes the payload, which `fds` descriptors came with.
    ///
    /// # Errors
    ///
    /// An unknown target, a malformed trigger, a path that leads nowhere, bytes left over, a missing descriptor.
    pub fn decode(bytes: &[u8], fds: u32) -> Result<ErrorQuery> {
        let mut reader = Reader::new("error query", bytes);
        let target = reader.u8()?;
        if target > 2 {
            return Err(bad_value(&reader, target));
        }
        let trigger = Trigger::decode(&mut reader)?;
        let target = match target {
            0 => ErrorQueryTarget::Trigger,
            1 => ErrorQueryTarget::Condition,
            _ => ErrorQueryTarget::Action(decode_path(&mut reader, &trigger.action)?),
        };
        reader.finish()?;
        check_fds(&reader, trigger.fd_count(), fds)?;
        Ok(ErrorQuery { target, trigger })
    }

    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let (target, path) = match &self.target {
            ErrorQueryTarget::Trigger => (0, None),
            ErrorQueryTarget::Condition => (1, None),
            ErrorQueryTarget::Action(path) => (2, Some(path)),
        };
        writer.u8(target);
        self.trigger.encode(&mut writer);
        if let Some(path) = path {
            writer.u32(text::count(path.len()));
            for &index in path {
                writer.u64(index);
            }
        }
        writer.into_bytes()
    }
}

fn decode_path(reader: &mut Reader<'_>, action: &Action) -> Result<Vec<u64>> {
    let (count, mut path) = (reader.u32()?, Vec::new());
    for _ in 0..count {
        let index = reader.u64()?;
        path.push(index);
        // At once, so that a path is never longer than the actions are deep.
        if action.at(&path).is_none() {
            return Err(reader.error(ErrorKind::BadValue(index)));
        }
    }
    Ok(path)
}

/// One number that answers a query: u8 type 0, a counter; u32 lengths of name and description; name, description,
/// u64 value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResult {
    /// What is counted.
    pub name: String,
    /// What that means.
    pub description: String,
    /// How many.
    pub value: u64,
}

impl ErrorResult {
    /// The answer about a condition on events: notifications that a tracer could not send.
    pub fn discarded_messages(value: u64) -> ErrorResult {
        ErrorResult {
            name: "discarded tracer messages".to_owned(),
            description: "Count of messages discarded by the tracer due to a communication error with the session daemon"
                .to_owned(),
            value,
        }
    }

    /// The answer about an action that is not a list; about a list there is one for each of its actions.
    pub fn execution_failures(value: u64) -> ErrorResult {
        ErrorResult {
            name: "total execution failures".to_owned(),
            description: "Aggregated count of errors encountered when executing the action".to_owned(),
            value,
        }
    }

    /// The payload of EXECUTE_ERROR_QUERY's reply: u32 number of results, results.
    pub fn encode_list(results: &[ErrorResult]) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u32(text::count(results.len()));
        for ErrorResult { name, description, value } in results {
            writer.u8(0).u32(wire_len(name)).u32(wire_len(description));
            writer.c_string(name).c_string(description).u64(*value);
        }
        writer.into_bytes()
    }

    /// Decodes the payload of EXECUTE_ERROR_QUERY's reply.
    ///
    /// # Errors
    ///
    /// An unknown type, a malformed string, missing bytes or bytes left over.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<ErrorResult>> {
        let mut reader = Reader::new("error query results", bytes);
        let (count, mut results) = (reader.u32()?, Vec::new());
        for _ in 0..count {
            let kind = reader.u8()?;
            if kind != 0 {
                return Err(bad_value(&reader, kind));
            }
            let (name_len, description_len) = (reader.u32()?, reader.u32()?);
            let name = text::any(&mut reader, name_len)?;
            let description = text::any(&mut reader, description_len)?;
            results.push(ErrorResult { name, description, value: reader.u64()? });
        }
        reader.finish()?;
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::{Condition, RatePolicy};

    fn query(target: ErrorQueryTarget, action: Action) -> ErrorQuery {
        let condition = Condition::RotationOngoing { session: "s".to_owned() };
        ErrorQuery { target, trigger: Trigger { owner: 0, name: None, hidden: false, condition, action } }
    }

    fn kind(query: &ErrorQuery) -> Option<ErrorKind> {
        ErrorQuery::decode(&query.encode(), 0)
            .map(|again| assert_eq!(again, *query))
            .err()
            .map(|error| error.kind)
    }

    #[test]
    fn paths_lead_somewhere() {
        let notify = || Action::Notify { rate: RatePolicy::default() };
        let at = |path: &[u64], action| kind(&query(ErrorQueryTarget::Action(path.to_vec()), action));
        assert_eq!((at(&[], notify()), at(&[], Action::List(Vec::new()))), (None, None));
        assert_eq!(at(&[1], Action::List(vec![notify(), notify()])), None);
        assert_eq!(at(&[0], notify()), Some(ErrorKind::BadValue(0)));
        assert_eq!(at(&[0], Action::List(Vec::new())), Some(ErrorKind::BadValue(0)));
        assert_eq!(at(&[2], Action::List(vec![notify(), notify()])), Some(ErrorKind::BadValue(2)));
        assert_eq!(at(&[0, 7], Action::List(vec![notify()])), Some(ErrorKind::BadValue(7)));
        let mut bytes = query(ErrorQueryTarget::Action(Vec::new()), notify()).encode();
        let count = bytes.len() - 4;
        bytes[count..].fill(0xff);
        assert_eq!(ErrorQuery::decode(&bytes, 0).map_err(|error| error.kind), Err(ErrorKind::Truncated));
    }

    #[test]
    fn malformed_queries() {
        let bytes = query(ErrorQueryTarget::Condition, Action::List(Vec::new())).encode();
        let kind = |bytes: &[u8]| ErrorQuery::decode(bytes, 0).unwrap_err().kind;
        assert_eq!(kind(&[&[7], &bytes[1..]].concat()), ErrorKind::BadValue(7));
        assert_eq!(kind(&[&[0xff], &bytes[1..]].concat()), ErrorKind::BadValue(255));
        assert_eq!(kind(&[&bytes[..], &[0]].concat()), ErrorKind::TrailingBytes);
        assert_eq!(kind(&bytes[..bytes.len() - 1]), ErrorKind::Truncated);
        assert_eq!(kind(&[]), ErrorKind::Truncated);
    }

    #[test]
    fn results_go_round() {
        let results = [ErrorResult::discarded_messages(u64::MAX), ErrorResult::execution_failures(0)];
        let bytes = ErrorResult::encode_list(&results);
        assert_eq!(ErrorResult::decode_list(&bytes).as_deref(), Ok(&results[..]));
        assert_eq!(ErrorResult::decode_list(&[0; 4]), Ok(Vec::new()));
        let kind = |bytes: &[u8]| ErrorResult::decode_list(bytes).unwrap_err().kind;
        assert_eq!(kind(&[0; 5]), ErrorKind::TrailingBytes);
        assert_eq!(kind(&[0xff; 4]), ErrorKind::Truncated);
        assert_eq!(kind(b"\x01\0\0\0\x01"), ErrorKind::BadValue(1));
        assert_eq!(kind(&bytes[..bytes.len() - 1]), ErrorKind::Truncated);
    }
}
