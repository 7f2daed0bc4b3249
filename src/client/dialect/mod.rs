// SPDX-License-Identifier: GPL-2.0-only
//! How clients speak. Each version of liblttng-ctl has numbers and layouts of its own, and says nothing of its version:
//! which one a client speaks is a property of its connection.
//!
//! A dialect is a column of numbers and a codec: it turns a request into an [`Action`], and an [`Answer`] into bytes.
//! Nothing here decides anything. What a dialect has in common with 2.13 it takes from there: all of them have the
//! request header of 2.13, and most requests and replies.

mod decode;
mod encode;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use lttng_protocol::client::{self, Command, ErrorCode, Header, Reply};

pub use encode::Follows;

use super::table::Action;
use crate::model::Domain;
use crate::operation::answer::Answer;

/// What of a request is needed to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// The command's number, which may be unknown.
    pub command: u32,
    /// First word of the domain's attributes, which replies echo up to 2.14.
    pub word: u32,
}

impl Tag {
    /// The tag of a request.
    pub fn of(header: &Header) -> Self {
        Tag { command: header.command, word: header.domain_word }
    }
}

/// A reply on its way.
#[derive(Debug)]
pub struct Encoded {
    /// Its first bytes.
    pub begin: Vec<u8>,
    /// What comes after them.
    pub follows: Follows,
}

impl Encoded {
    /// Bytes of memory that it takes until it is sent.
    pub fn held(&self) -> u64 {
        let rest = match &self.follows {
            Follows::Bytes(rest) => rest.held,
            // Others hold the descriptors as well.
            Follows::Descriptors(_) | Follows::Nothing => 0,
        };
        rest.saturating_add(self.begin.capacity() as u64)
    }
}

/// How some clients speak.
pub trait Dialect: Debug + Sync {
    /// The command with this number.
    fn command(&self, number: u32) -> Option<Command>;

    /// The domain that a request names.
    fn domain(&self, header: &Header) -> Option<Domain> {
        decode::domain(header.domain()?)
    }

    /// Bytes of a request's variable part, and how many of them are worth keeping.
    fn payload_lengths(&self, header: &Header) -> (u64, u64) {
        let command = self.command(header.command);
        command.map_or((0, 0), |command| (header.payload_len_of(command), command.payload_limit()))
    }

    /// What a request asks for.
    ///
    /// # Errors
    /// What its sender is told when it makes no sense.
    fn decode(&self, command: Command, header: &Header, payload: &[u8]) -> Result<Action, ErrorCode> {
        decode::action(header, client::decode_body_of(command, header, payload)?)
    }

    /// What a client is told.
    fn encode(&self, tag: Tag, result: Result<Answer, ErrorCode>) -> Encoded {
        let (reply, follows) = encode::reply(tag, result);
        self.encode_reply(&reply, follows)
    }

    /// The bytes of a reply.
    fn encode_reply(&self, reply: &Reply, follows: Follows) -> Encoded {
        Encoded { begin: reply.encode_begin(follows.length()), follows }
    }
}

/// What stock clients of LTTng 2.13.5 and later speak.
#[derive(Debug, Clone, Copy)]
pub struct V2_13;

impl Dialect for V2_13 {
    fn command(&self, number: u32) -> Option<Command> {
        Command::from_number(number)
    }
}
