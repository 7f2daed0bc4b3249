// SPDX-License-Identifier: GPL-2.0-only
//! What a trigger does when its condition is met.
//!
//! Session names are carried: whether there is such a session is not asked before the action runs.
//!
//! Source: `lttng-tools 2.13: src/common/actions/`, `src/common/snapshot.c`.

use super::text;
use crate::client::{NAME_LEN, PATH_LEN, SnapshotOutput, bad_value, wire_len};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use std::num::NonZeroU64;

/// How many times of those that an action is asked for it runs: i8 type, u64 number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RatePolicy {
    /// 0: each time that the number of requests is a multiple of this.
    EveryN(NonZeroU64),
    /// 1: once, at this request.
    OnceAfterN(NonZeroU64),
}

impl RatePolicy {
    /// Size on the wire.
    const LEN: usize = 9;

    fn decode(reader: &mut Reader<'_>) -> Result<RatePolicy> {
        let kind = reader.u8()?;
        let number = reader.u64()?;
        let number = NonZeroU64::new(number).ok_or_else(|| reader.error(ErrorKind::BadValue(number)))?;
        match kind {
            0 => Ok(RatePolicy::EveryN(number)),
            1 => Ok(RatePolicy::OnceAfterN(number)),
            other => Err(bad_value(reader, other)),
        }
    }

    fn encode(self, writer: &mut Writer) {
        match self {
            RatePolicy::EveryN(number) => writer.u8(0).u64(number.get()),
            RatePolicy::OnceAfterN(number) => writer.u8(1).u64(number.get()),
        };
    }
}

/// Every time.
impl Default for RatePolicy {
    fn default() -> Self {
        RatePolicy::EveryN(NonZeroU64::MIN)
    }
}

/// An action: i8 type, then its body. Two actions are the same when they are equal.
///
/// Names of sessions have at least one byte, and no limit of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// 0: tells the clients that subscribed to the condition. Body: rate policy.
    Notify {
        /// When it runs.
        rate: RatePolicy,
    },
    /// 1: starts a session. Body: u32 length of the name, name, rate policy.
    StartSession {
        /// The session.
        session: String,
        /// When it runs.
        rate: RatePolicy,
    },
    /// 2: stops a session. Body as that of a start.
    StopSession {
        /// The session.
        session: String,
        /// When it runs.
        rate: RatePolicy,
    },
    /// 3: rotates a session. Body as that of a start.
    RotateSession {
        /// The session.
        session: String,
        /// When it runs.
        rate: RatePolicy,
    },
    /// 4: records a snapshot. Body: u32 lengths of name, output (0 without) and rate policy; name, output, rate
    /// policy.
    SnapshotSession {
        /// The session.
        session: String,
        /// Where the snapshot goes; without, or with an empty control URL, to the session's own outputs.
        output: Option<Box<SnapshotOutput>>,
        /// When it runs.
        rate: RatePolicy,
    },
    /// 5: several, none of which is a list, one after another. May be empty. Body: u32 number, actions.
    List(Vec<Action>),
}

impl Action {
    const LIST: u8 = 5;

    /// Reads one action, which may be a list.
    ///
    /// # Errors
    ///
    /// What the reference calls malformed.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Action> {
        match reader.u8()? {
            Action::LIST => {
                let count = reader.u32()?;
                let mut actions = Vec::new();
                // Not reserved ahead: the count is the sender's claim, the bytes are the proof.
                for _ in 0..count {
                    let kind = reader.u8()?;
                    actions.push(Action::decode_one(reader, kind)?);
                }
                Ok(Action::List(actions))
            }
            kind => Action::decode_one(reader, kind),
        }
    }

    /// Reads the body of an action that is not a list.
    fn decode_one(reader: &mut Reader<'_>, kind: u8) -> Result<Action> {
        match kind {
            0 => Ok(Action::Notify { rate: RatePolicy::decode(reader)? }),
            1..=3 => {
                let name_len = reader.u32()?;
                let session = text::non_empty(reader, name_len)?;
                let rate = RatePolicy::decode(reader)?;
                Ok(match kind {
                    1 => Action::StartSession { session, rate },
                    2 => Action::StopSession { session, rate },
                    _ => Action::RotateSession { session, rate },
                })
            }
            4 => {
                let name_len = reader.u32()?;
                let output_len = reader.u32()?;
                let rate_len = reader.u32()?;
                text::exact_length(reader, rate_len, RatePolicy::LEN)?;
                let session = text::non_empty(reader, name_len)?;
                let output = match output_len {
                    0 => None,
                    length => Some(Box::new(decode_output(reader, length)?)),
                };
                Ok(Action::SnapshotSession { session, output, rate: RatePolicy::decode(reader)? })
            }
            other => Err(bad_value(reader, other)),
        }
    }

    /// Appends the action.
    pub fn encode(&self, writer: &mut Writer) {
        match self {
            Action::Notify { rate } => {
                writer.u8(0);
                rate.encode(writer);
            }
            Action::StartSession { session, rate } => encode_named(writer, 1, session, *rate),
            Action::StopSession { session, rate } => encode_named(writer, 2, session, *rate),
            Action::RotateSession { session, rate } => encode_named(writer, 3, session, *rate),
            Action::SnapshotSession { session, output, rate } => {
                let output_len = if output.is_some() { SnapshotOutput::LEN } else { 0 };
                writer.u8(4).u32(wire_len(session)).u32(text::count(output_len));
                writer.u32(text::count(RatePolicy::LEN)).c_string(session);
                if let Some(output) = output {
                    output.encode(writer);
                }
                rate.encode(writer);
            }
            Action::List(actions) => {
                writer.u8(Action::LIST).u32(text::count(actions.len()));
                for action in actions {
                    action.encode(writer);
                }
            }
        }
    }

    /// What runs: the actions of a list in order, or the action itself.
    pub fn each(&self) -> &[Action] {
        match self {
            Action::List(actions) => actions,
            action => std::slice::from_ref(action),
        }
    }

    /// The action that a path leads to: the path's numbers choose from lists, each from that which the one before
    /// chose. An empty path leads to the action itself.
    pub fn at(&self, path: &[u64]) -> Option<&Action> {
        path.iter().try_fold(self, |action, &index| match action {
            Action::List(actions) => actions.get(usize::try_from(index).ok()?),
            _ => None,
        })
    }
}

fn encode_named(writer: &mut Writer, kind: u8, session: &str, rate: RatePolicy) {
    writer.u8(kind).u32(wire_len(session)).c_string(session);
    rate.encode(writer);
}

/// Reads an output. Each of its strings must end inside its array, which is not asked of other outputs.
fn decode_output(reader: &mut Reader<'_>, length: u32) -> Result<SnapshotOutput> {
    text::exact_length(reader, length, SnapshotOutput::LEN)?;
    let mut ahead = reader.clone();
    ahead.skip(4 + 8)?;
    for size in [NAME_LEN, PATH_LEN, PATH_LEN] {
        let unterminated = ahead.error(ErrorKind::BadString);
        if !ahead.bytes(size)?.contains(&0) {
            return Err(unterminated);
        }
    }
    SnapshotOutput::decode(reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(bytes: &[u8]) -> std::result::Result<Action, ErrorKind> {
        let mut reader = Reader::new("test", bytes);
        let action = Action::decode(&mut reader).map_err(|error| error.kind)?;
        assert_eq!(reader.finish(), Ok(()));
        let mut writer = Writer::default();
        action.encode(&mut writer);
        assert_eq!(writer.into_bytes(), bytes);
        Ok(action)
    }

    /// A policy by its type and number.
    fn rate(kind: u8, number: u64) -> Vec<u8> {
        [&[kind][..], &number.to_ne_bytes()].concat()
    }

    fn every_time() -> Vec<u8> {
        rate(0, 1)
    }

    fn notify() -> Vec<u8> {
        [b"\0", &every_time()[..]].concat()
    }

    fn list(count: u32, actions: &[u8]) -> Vec<u8> {
        [b"\x05", &count.to_ne_bytes()[..], actions].concat()
    }

    fn start(name: &[u8]) -> Vec<u8> {
        [b"\x01", &(name.len() as u32).to_ne_bytes()[..], name, &every_time()].concat()
    }

    fn snapshot(lengths: [u32; 3], output: &[u8]) -> Vec<u8> {
        let lengths = lengths.map(u32::to_ne_bytes).concat();
        [b"\x04", &lengths[..], b"s\0", output, &every_time()].concat()
    }

    #[test]
    fn kinds_that_there_are_not() {
        assert_eq!(action(&[b"\x06", &every_time()[..]].concat()), Err(ErrorKind::BadValue(6)));
        assert_eq!(action(&[b"\xff", &every_time()[..]].concat()), Err(ErrorKind::BadValue(255)));
        assert_eq!(action(b""), Err(ErrorKind::Truncated));
    }

    #[test]
    fn rates_have_a_type_and_a_number() {
        let notify_at = |rate: Vec<u8>| action(&[b"\0", &rate[..]].concat());
        assert_eq!(notify_at(rate(0, 0)), Err(ErrorKind::BadValue(0)));
        assert_eq!(notify_at(rate(2, 1)), Err(ErrorKind::BadValue(2)));
        assert_eq!(notify_at(rate(0, 1)[..8].to_vec()), Err(ErrorKind::Truncated));
        let once = RatePolicy::OnceAfterN(NonZeroU64::MAX);
        assert_eq!(notify_at(rate(1, u64::MAX)), Ok(Action::Notify { rate: once }));
        assert_eq!(action(&notify()), Ok(Action::Notify { rate: RatePolicy::default() }));
    }

    #[test]
    fn sessions_have_a_name() {
        let long = "s".repeat(400);
        let named =
            |session: &str| Action::StartSession { session: session.to_owned(), rate: RatePolicy::default() };
        assert_eq!(action(&start(b"s\0")), Ok(named("s")));
        assert_eq!(action(&start(format!("{long}\0").as_bytes())), Ok(named(&long)));
        for name in [&b""[..], b"\0", b"s", b"s\0t\0"] {
            assert_eq!(action(&start(name)), Err(ErrorKind::BadString), "{name:?}");
        }
    }

    #[test]
    fn lists_hold_no_lists() {
        assert_eq!(action(&list(0, b"")), Ok(Action::List(Vec::new())));
        assert_eq!(action(&list(1, &list(0, b""))), Err(ErrorKind::BadValue(5)));
        assert_eq!(action(&list(2, &notify())), Err(ErrorKind::Truncated));
        assert_eq!(action(&list(u32::MAX, b"")), Err(ErrorKind::Truncated));
        let two = action(&list(2, &[notify(), start(b"s\0")].concat())).unwrap();
        assert_eq!(two.each().len(), 2);
        assert_eq!(two.at(&[1]), two.each().get(1));
        assert_eq!((two.at(&[]), two.at(&[2]), two.at(&[u64::MAX])), (Some(&two), None, None));
        assert_eq!(two.at(&[0, 0]), None);
        let one = action(&notify()).unwrap();
        assert_eq!((one.each(), one.at(&[]), one.at(&[0])), (std::slice::from_ref(&one), Some(&one), None));
    }

    #[test]
    fn snapshots_have_exact_lengths() {
        let rate = RatePolicy::default();
        let none = Action::SnapshotSession { session: "s".to_owned(), output: None, rate };
        assert_eq!(action(&snapshot([2, 0, 9], b"")), Ok(none));
        assert_eq!(action(&snapshot([2, 0, 8], b"")), Err(ErrorKind::BadValue(8)));
        assert_eq!(action(&snapshot([2, 8458, 9], &[0; 8458])), Err(ErrorKind::BadValue(8458)));
        assert_eq!(action(&snapshot([0, 0, 9], b"")), Err(ErrorKind::BadString));
        assert_eq!(action(&snapshot([2, 8459, 9], &[0; 100])), Err(ErrorKind::Truncated));
        let empty = action(&snapshot([2, 8459, 9], &[0; 8459])).unwrap();
        let Action::SnapshotSession { output: Some(output), .. } = empty else { panic!("{empty:?}") };
        assert_eq!((output.max_size, output.control_url.as_str()), (Some(0), ""));
    }

    #[test]
    fn outputs_hold_whole_strings() {
        for (at, size) in [(12, NAME_LEN), (267, PATH_LEN), (4363, PATH_LEN)] {
            let mut output = vec![0; SnapshotOutput::LEN];
            output[at..at + size].fill(b'a');
            assert_eq!(action(&snapshot([2, 8459, 9], &output)), Err(ErrorKind::BadString), "{at}");
            output[at + size - 1] = 0;
            assert!(action(&snapshot([2, 8459, 9], &output)).is_ok(), "{at}");
        }
    }
}
