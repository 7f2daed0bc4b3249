// SPDX-License-Identifier: GPL-2.0-only
//! What is said to a relay daemon before its connections are given to a consumer daemon: version, configuration,
//! session. Bytes in, requests out.
//!
//! Nothing here connects, sends or waits, and nothing is kept after the session is made: from then on the consumer
//! daemon talks. For that reason not one byte more than the replies may be taken; what comes unasked is a mistake of
//! the relay daemon.
//!
//! Reference: `protocol/doc/relayd-protocol.md`.

use lttng_protocol::relayd::{
    Configuration, CreateSessionReply, Request, Session, SessionLayout, Version, decode_path,
};

use crate::turn::inbox::Inbox;

/// What relay daemon and session daemon agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// The version to speak.
    pub version: Version,
    /// The relay daemon lets sessions be cleared.
    pub clear_allowed: bool,
    /// The relay daemon's number of the session.
    pub session_id: u64,
}

/// Why there is no agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It can't be talked to.
    Unreachable,
    /// It speaks another language.
    Version,
    /// It does not want the session, or can't be told of it.
    Session,
    /// Nobody said where its second connection goes.
    Incomplete,
    /// What was said of it is no address.
    Address,
}

/// What to do after some input.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// More input is needed.
    More,
    /// Say this; more input will follow.
    Say(Vec<u8>),
    /// Everything is said.
    Agreed(Agreement),
}

/// Which reply comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Version,
    Configuration,
    Session(SessionLayout),
    Path { length: usize, session_id: u64 },
    Over,
}

/// The conversation on one control connection.
#[derive(Debug)]
pub struct Conversation {
    session: Session,
    version: Version,
    clear_allowed: bool,
    phase: Phase,
    input: Inbox,
}

impl Conversation {
    /// A conversation that is to end in this session.
    pub fn new(session: Session) -> Self {
        Conversation {
            session,
            version: Version::LOCAL,
            clear_allowed: false,
            phase: Phase::Version,
            input: Inbox::default(),
        }
    }

    /// What is said first.
    pub fn begin(&self) -> Vec<u8> {
        Request::Version(Version::LOCAL).encode()
    }

    /// What it means if nothing more comes from the relay daemon.
    pub fn silence(&self) -> Refusal {
        match self.phase {
            Phase::Version | Phase::Configuration | Phase::Over => Refusal::Unreachable,
            Phase::Session(_) | Phase::Path { .. } => Refusal::Session,
        }
    }

    /// Takes input.
    ///
    /// # Errors
    /// Why there will be no agreement: the connection is of no use any more.
    pub fn received(&mut self, bytes: &[u8]) -> Result<Step, Refusal> {
        if self.phase == Phase::Over {
            return Err(Refusal::Unreachable);
        }
        self.input.push(bytes);
        loop {
            let length = self.reply_len();
            let Some(reply) = self.input.take(length, <[u8]>::to_vec) else { return Ok(Step::More) };
            let step = self.replied(&reply)?;
            match step {
                // The path of the session is announced, not asked for.
                Step::More => {}
                _ if self.input.bytes().is_empty() => return Ok(step),
                _ => return Err(self.silence()),
            }
        }
    }

    fn reply_len(&self) -> usize {
        match self.phase {
            Phase::Version => Version::LEN,
            Phase::Configuration => Configuration::LEN,
            Phase::Session(layout) => CreateSessionReply::len(layout),
            Phase::Path { length, .. } => length,
            Phase::Over => 0,
        }
    }

    fn replied(&mut self, reply: &[u8]) -> Result<Step, Refusal> {
        match self.phase {
            Phase::Version => {
                let version = Version::decode(reply).map_err(|_| Refusal::Unreachable)?;
                self.version = version.agreed().ok_or(Refusal::Version)?;
                if self.version.has_configuration() {
                    self.phase = Phase::Configuration;
                    return Ok(Step::Say(Request::GetConfiguration.encode()));
                }
                self.introduce()
            }
            Phase::Configuration => {
                let configuration = Configuration::decode(reply).map_err(|_| Refusal::Unreachable)?;
                if !configuration.code.is_ok() {
                    return Err(Refusal::Unreachable);
                }
                self.clear_allowed = configuration.clear_allowed();
                self.introduce()
            }
            Phase::Session(layout) => {
                let reply = CreateSessionReply::decode(reply, layout).map_err(|_| Refusal::Session)?;
                // The code comes first: nothing follows a refusal.
                if !reply.code.is_ok() {
                    return Err(Refusal::Session);
                }
                let session_id = reply.session_id;
                match reply.path_length {
                    0 => Ok(self.agreed(session_id)),
                    length => {
                        self.phase = Phase::Path { length: length as usize, session_id };
                        Ok(Step::More)
                    }
                }
            }
            Phase::Path { session_id, .. } => {
                log::debug!("The relay daemon writes to {}", decode_path(reply));
                Ok(self.agreed(session_id))
            }
            Phase::Over => Err(Refusal::Unreachable),
        }
    }

    /// Tells of the session, in the words of the version.
    fn introduce(&mut self) -> Result<Step, Refusal> {
        // A name that is too long for the version is refused before anything is sent.
        let session = self.session.clone().request(self.version).map_err(|_| Refusal::Session)?;
        self.phase = Phase::Session(session.layout());
        Ok(Step::Say(Request::CreateSession(session).encode()))
    }

    fn agreed(&mut self, session_id: u64) -> Step {
        self.phase = Phase::Over;
        Step::Agreed(Agreement { version: self.version, clear_allowed: self.clear_allowed, session_id })
    }
}

#[cfg(test)]
mod tests;
