// SPDX-License-Identifier: GPL-2.0-only
//! Triggers, and what is said about them: on the client socket, and on the notification socket ([`channel`]).
//!
//! A trigger is a [`Condition`] and an [`Action`]. Clients register and remove them, ask for their list and for
//! their errors ([`ErrorQuery`]); a [`Notification`] tells that a condition was met, with the [`Evaluation`].
//!
//! Nothing here names a trigger, compiles a filter or decides that a condition is met. Descriptors never are
//! in the bytes: `fd_count` says how many of them belong to a value, in the order of the bytes. A decoder takes
//! what a client may send and no more, and accepts what the original accepts; what it normalises is said at the
//! field. Two values are the same to the daemon when `same_as` says so; where a type has no such method, when
//! they are equal.
//!
//! Reference: `protocol/doc/trigger-payloads.md`.

mod action;
pub mod channel;
mod condition;
mod error_query;
mod evaluation;
mod event_rule;
mod expression;
mod text;

pub use action::{Action, RatePolicy};
pub use condition::{BufferUsage, Condition, ConditionKind, Threshold};
pub use error_query::{ErrorQuery, ErrorQueryTarget, ErrorResult};
pub use evaluation::{Evaluation, Notification};
pub use event_rule::{
    EmissionSite, EventRule, FileId, KernelLocation, LogLevelRule, LoggingDomain, UserspaceLocation,
};
pub use text::normalise_pattern;

use crate::client::check_length;
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// A trigger.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u64 | `owner` |
/// | 8 | u32 | length of name, condition and action |
/// | 12 | u32 | length of the name, 0 without |
/// | 16 | u8 | `hidden` |
/// | 17 | | name, condition, action |
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// The user whose trigger it is, not checked against its sender.
    pub owner: u32,
    /// The name, which may be empty. Unique among those of its owner. An anonymous trigger has none, and the
    /// daemon makes one up for others without.
    pub name: Option<String>,
    /// Whether it is left out of listings, and notifies the daemon itself only.
    pub hidden: bool,
    /// When to act.
    pub condition: Condition,
    /// What to do.
    pub action: Action,
}

impl Trigger {
    /// Size of the fixed part.
    const HEADER_LEN: usize = 17;

    /// Reads one trigger.
    ///
    /// # Errors
    ///
    /// What the reference calls malformed.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Trigger> {
        let owner = reader.u64()?;
        let owner = u32::try_from(owner).map_err(|_| reader.error(ErrorKind::BadValue(owner)))?;
        let length = reader.u32()?;
        let name_len = reader.u32()?;
        let hidden = reader.u8()? != 0;
        let start = reader.offset();
        let name = match name_len {
            0 => None,
            length => Some(text::any(reader, length)?),
        };
        let condition = Condition::decode(reader)?;
        let action = Action::decode(reader)?;
        check_length(reader, start, length)?;
        Ok(Trigger { owner, name, hidden, condition, action })
    }

    /// Appends the trigger.
    pub fn encode(&self, writer: &mut Writer) {
        let mut body = Writer::default();
        if let Some(name) = &self.name {
            body.c_string(name);
        }
        self.condition.encode(&mut body);
        self.action.encode(&mut body);
        let body = body.into_bytes();
        writer.u64(self.owner.into()).u32(text::count(body.len()));
        writer.u32(text::optional_len(self.name.as_deref())).u8(self.hidden.into()).bytes(&body);
    }

    /// Decodes the payload of REGISTER_TRIGGER or UNREGISTER_TRIGGER, which `fds` descriptors came with. More of
    /// them than it needs are no error.
    ///
    /// # Errors
    ///
    /// What the reference calls malformed: bytes left over and a missing descriptor among them.
    pub fn decode_payload(bytes: &[u8], fds: u32) -> Result<Trigger> {
        let mut reader = Reader::new("trigger", bytes);
        let trigger = Trigger::decode(&mut reader)?;
        reader.finish()?;
        check_fds(&reader, trigger.fd_count(), fds)?;
        Ok(trigger)
    }

    /// The payload of REGISTER_TRIGGER, of its reply, and of UNREGISTER_TRIGGER.
    pub fn encode_payload(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Trigger::HEADER_LEN);
        self.encode(&mut writer);
        writer.into_bytes()
    }

    /// The payload of LIST_TRIGGERS' reply: u32 number of triggers, u32 length of them all, then they.
    ///
    /// The descriptors of the listing are those of the triggers, in order.
    pub fn encode_list<'a>(triggers: impl IntoIterator<Item = &'a Trigger>) -> Vec<u8> {
        let (mut count, mut body) = (0, Writer::default());
        for trigger in triggers {
            trigger.encode(&mut body);
            count += 1;
        }
        let body = body.into_bytes();
        let mut writer = Writer::with_capacity(body.len().saturating_add(8));
        writer.u32(text::count(count)).u32(text::count(body.len())).bytes(&body);
        writer.into_bytes()
    }

    /// Decodes the payload of LIST_TRIGGERS' reply.
    ///
    /// # Errors
    ///
    /// A wrong number or length, or a malformed trigger.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<Trigger>> {
        let mut reader = Reader::new("trigger list", bytes);
        let count = reader.u32()?;
        let length = reader.u32()?;
        let start = reader.offset();
        let mut triggers = Vec::new();
        // Not reserved ahead: the count is the sender's claim, the bytes are the proof.
        for _ in 0..count {
            triggers.push(Trigger::decode(&mut reader)?);
        }
        check_length(&reader, start, length)?;
        reader.finish()?;
        Ok(triggers)
    }

    /// How many descriptors travel with it: one when its condition has a location in a user space program, whose
    /// binary it is.
    pub fn fd_count(&self) -> u32 {
        self.condition.fd_count()
    }

    /// Whether both are the same trigger, so that the second one can't be registered, or removes the first.
    pub fn same_as(&self, other: &Trigger) -> bool {
        self.owner == other.owner
            && self.name == other.name
            && self.hidden == other.hidden
            && self.condition.same_as(&other.condition)
            && self.action == other.action
    }
}

/// Checks that `needed` descriptors came.
fn check_fds(reader: &Reader<'_>, needed: u32, fds: u32) -> Result<()> {
    if fds < needed { Err(reader.error(ErrorKind::MissingDescriptors(needed))) } else { Ok(()) }
}
