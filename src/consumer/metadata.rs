// SPDX-License-Identifier: GPL-2.0-only
//! The conversation in which a consumer daemon asks for metadata.
//!
//! It asks at any time, also while a command is unanswered, and gets exactly one answer: the text that it
//! does not have yet, or that there is no such registry. It asks one thing at a time.

use lttng_protocol::consumer::{MetadataRequest, Status, UstRequest};

use super::Broken;
use crate::turn::ids::ConnId;
use crate::turn::inbox::Inbox;
use crate::turn::output::Outputs;

#[derive(Debug)]
enum Phase {
    Idle,
    /// A push was announced; `text` follows if the consumer daemon wants it.
    Announced {
        of: u64,
        end: usize,
        version: u64,
        text: Vec<u8>,
    },
    Sent {
        of: u64,
        end: usize,
        version: u64,
    },
    /// It was told that there is no such registry.
    Unknown,
}

/// Text for a consumer daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Key of the metadata channel.
    pub key: u64,
    /// Where the text starts in the whole metadata.
    pub offset: usize,
    pub text: Vec<u8>,
    /// Which generation of the metadata it belongs to.
    pub version: u64,
}

/// What the owner has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// Answer this request with [`MetadataTalk::answer`].
    Request(MetadataRequest),
    /// The registry of this metadata channel has brought its text this far.
    Delivered {
        /// Key of the metadata channel.
        key: u64,
        /// Bytes of the whole metadata that the consumer daemon has now.
        end: usize,
        /// Generation of the metadata.
        version: u64,
    },
}

/// The state of the conversation.
#[derive(Debug)]
pub struct MetadataTalk {
    conn: ConnId,
    phase: Phase,
    input: Inbox,
}

impl MetadataTalk {
    /// A conversation on this connection.
    pub fn new(conn: ConnId) -> Self {
        MetadataTalk { conn, phase: Phase::Idle, input: Inbox::default() }
    }

    /// Its connection.
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// Input. Returns what has to be done about it, if a message is complete; call again with no bytes until
    /// nothing is left to do.
    ///
    /// # Errors
    /// [`Broken`] when the bytes are no message.
    pub fn received(&mut self, bytes: &[u8], outputs: &mut Outputs) -> Result<Option<Asked>, Broken> {
        self.input.push(bytes);
        if self.input.bytes().len() > 2 * MetadataRequest::LEN {
            return Err(Broken("it asks for metadata without waiting for the answer"));
        }
        loop {
            let needed = if matches!(self.phase, Phase::Idle) { MetadataRequest::LEN } else { Status::LEN };
            let Some(message) = self.input.take(needed, <[u8]>::to_vec) else { return Ok(None) };
            if let Some(asked) = self.take(&message, outputs)? {
                return Ok(Some(asked));
            }
        }
    }

    /// Answers the request that is open: with text, possibly none, or with `None` for a registry that does
    /// not exist.
    pub fn answer(&mut self, piece: Option<Piece>, outputs: &mut Outputs) {
        let Some(piece) = piece else {
            outputs.send(self.conn, UstRequest::NoMetadata.encode());
            self.phase = Phase::Unknown;
            return;
        };
        let push = UstRequest::PushMetadata {
            key: piece.key,
            target_offset: piece.offset as u64,
            len: piece.text.len() as u64,
            version: piece.version,
        };
        outputs.send(self.conn, push.encode());
        self.phase = Phase::Announced {
            of: piece.key,
            end: piece.offset.saturating_add(piece.text.len()),
            version: piece.version,
            text: piece.text,
        };
    }

    fn take(&mut self, message: &[u8], outputs: &mut Outputs) -> Result<Option<Asked>, Broken> {
        let status = || Status::decode(message).map_err(|_| Broken("malformed status"));
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle => {
                let request =
                    MetadataRequest::decode(message).map_err(|_| Broken("malformed metadata request"))?;
                Ok(Some(Asked::Request(request)))
            }
            Phase::Announced { of, end, version, text } => {
                if status()? == Status::SUCCESS && !text.is_empty() {
                    outputs.send(self.conn, text);
                    self.phase = Phase::Sent { of, end, version };
                }
                Ok(None)
            }
            Phase::Sent { of, end, version } => {
                Ok((status()? == Status::SUCCESS).then_some(Asked::Delivered { key: of, end, version }))
            }
            Phase::Unknown => status().map(|_| None),
        }
    }
}
