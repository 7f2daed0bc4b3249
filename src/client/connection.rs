// SPDX-License-Identifier: GPL-2.0-only
//! One client connection, until its request is complete.
//!
//! The request is taken whole before anything is answered, also when it is refused: a stock client that is cut off
//! while it sends dies of SIGPIPE. What is too long is counted and dropped as it comes.

use std::rc::Rc;
use std::time::Instant;

use lttng_protocol::client::{Header, MAX_FDS};

use super::dialect::{Dialect, Tag};
use crate::accounts::{Accounts, Charge, Exhausted, Resource};
use crate::sys::socket::Credentials;
use crate::turn::inbox::Inbox;
use crate::turn::machine::{Attached, Expected};
use crate::turn::output::SharedFd;

/// Most bytes of a variable part that are read, if only to be thrown away.
const MAX_DRAINED: u64 = 4 << 20;

/// A complete request.
#[derive(Debug)]
pub struct Request {
    /// How it is said.
    pub dialect: &'static dyn Dialect,
    /// Who sent it.
    pub credentials: Credentials,
    /// Its fixed part.
    pub header: Box<Header>,
    /// Its variable part.
    pub payload: Vec<u8>,
    /// Its descriptors, which it may have to leave behind.
    pub descriptors: Vec<SharedFd>,
    /// There was no room for some of them.
    pub lost_descriptors: bool,
}

/// Why a connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// The bytes are no request at all.
    Nonsense,
    /// Its user has too much here already.
    Exhausted(Exhausted),
}

impl From<Exhausted> for Unfit {
    fn from(exhausted: Exhausted) -> Self {
        Unfit::Exhausted(exhausted)
    }
}

/// What its user is charged for a connection, as long as it is there.
#[derive(Debug)]
pub struct Charges {
    _connection: Charge,
    /// Bytes of the request, until it is answered.
    pub bytes: Charge,
    /// Descriptors of the request, until it is answered.
    descriptors: Charge,
}

/// What a client has sent so far.
#[derive(Debug)]
enum Stage {
    Header,
    /// The variable part. What is more than `kept` bytes of it is dropped as it comes.
    Payload {
        header: Box<Header>,
        missing: u64,
        kept: usize,
    },
    /// Descriptors, on a byte of their own.
    Descriptors {
        header: Box<Header>,
        payload: Vec<u8>,
    },
    /// Complete; it waits for its turn.
    Waiting(Box<Request>),
    /// It is being served, and is answered under this name.
    Served(Tag),
}

/// One client connection.
#[derive(Debug)]
pub struct ClientConnection {
    /// Who it is, as the kernel says.
    pub credentials: Credentials,
    /// How it speaks.
    pub dialect: &'static dyn Dialect,
    stage: Stage,
    input: Inbox,
    descriptors: Attached,
    charges: Charges,
    /// It has closed the connection: nobody is there to be told.
    pub gone: bool,
    /// When its request was complete.
    pub begun: Option<Instant>,
}

impl ClientConnection {
    /// A client that has sent nothing yet.
    ///
    /// # Errors
    /// Its user has too many connections.
    pub fn new(
        credentials: Credentials,
        dialect: &'static dyn Dialect,
        accounts: &mut Accounts,
    ) -> Result<Self, Exhausted> {
        let mut charge = |resource, amount| accounts.charge(credentials.uid, resource, amount);
        Ok(ClientConnection {
            credentials,
            dialect,
            stage: Stage::Header,
            input: Inbox::default(),
            descriptors: Attached::default(),
            charges: Charges {
                _connection: charge(Resource::Connections, 1)?,
                bytes: charge(Resource::Memory, 0)?,
                descriptors: charge(Resource::Descriptors, 0)?,
            },
            gone: false,
            begun: None,
        })
    }

    /// Whether its request is complete and waits for its turn.
    pub fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_))
    }

    /// What its user is charged, for what goes on without it.
    pub fn into_charges(self) -> Charges {
        self.charges
    }

    /// Whether its request is complete.
    pub fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_) | Stage::Served(_))
    }

    /// The request waits for its turn.
    pub fn wait(&mut self, request: Box<Request>) {
        self.stage = Stage::Waiting(request);
    }

    /// The request that waits for its turn, which comes now.
    pub fn take_waiting(&mut self) -> Option<Box<Request>> {
        let Stage::Waiting(request) = &self.stage else { return None };
        let tag = Tag::of(&request.header);
        match std::mem::replace(&mut self.stage, Stage::Served(tag)) {
            Stage::Waiting(request) => Some(request),
            _ => None,
        }
    }

    /// The name under which its request is answered, once it is being served.
    pub fn tag(&self) -> Option<Tag> {
        match self.stage {
            Stage::Served(tag) => Some(tag),
            _ => None,
        }
    }

    /// Whether it is not known yet what it wants: nothing is lost but a beginning when it is closed.
    pub fn is_incomplete(&self) -> bool {
        matches!(self.stage, Stage::Header | Stage::Payload { .. } | Stage::Descriptors { .. })
    }

    /// What may come now. Descriptors come last and are expected only when the header has announced them, and its user has
    /// been charged for them; until then nothing is read that could have some with it.
    pub fn expected(&self) -> Expected {
        let here = self.input.bytes().len();
        match &self.stage {
            Stage::Header => Expected { bytes: Header::LEN.saturating_sub(here), ..Expected::BYTES },
            Stage::Payload { header, missing, .. } if header.fd_count > 0 => {
                let bytes = usize::try_from(*missing).unwrap_or(usize::MAX).saturating_sub(here);
                Expected { bytes, ..Expected::BYTES }
            }
            Stage::Descriptors { header, .. } => {
                let descriptors = usize::try_from(header.fd_count).unwrap_or(0);
                Expected { descriptors, ..Expected::BYTES }
            }
            Stage::Payload { .. } => Expected::BYTES,
            Stage::Waiting(_) | Stage::Served(_) => Expected::NOTHING,
        }
    }

    /// Takes input; the request once it is complete. `None` for more input.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub fn receive(&mut self, bytes: &[u8], attached: Attached) -> Result<Option<Box<Request>>, Unfit> {
        if self.is_complete() {
            // Nothing more is expected; it is not kept.
            return Ok(None);
        }
        self.input.push(bytes);
        self.descriptors.descriptors.extend(attached.descriptors);
        self.descriptors.lost |= attached.lost;
        loop {
            match self.advance()? {
                Advance::More => {
                    self.charges.bytes.set(self.input.bytes().len() as u64)?;
                    return Ok(None);
                }
                Advance::Further => {}
                Advance::Complete(request) => return Ok(Some(request)),
            }
        }
    }

    fn advance(&mut self) -> Result<Advance, Unfit> {
        match std::mem::replace(&mut self.stage, Stage::Header) {
            Stage::Header => {
                let Some(header) = self.input.take(Header::LEN, Header::decode) else {
                    return Ok(Advance::More);
                };
                let header = header.map_err(|_| Unfit::Nonsense)?;
                let (missing, limit) = self.dialect.payload_lengths(&header);
                if missing > MAX_DRAINED || header.fd_count > MAX_FDS {
                    return Err(Unfit::Nonsense);
                }
                self.charges.descriptors.set(u64::from(header.fd_count))?;
                let kept = usize::try_from(missing.min(limit)).map_err(|_| Unfit::Nonsense)?;
                self.stage = Stage::Payload { header: Box::new(header), missing, kept };
            }
            Stage::Payload { header, missing, kept } => {
                let arrived = self.input.bytes().len();
                // The descriptors' byte, if there is one, must stay for the next stage.
                if (arrived as u64) < missing {
                    let mut missing = missing;
                    if missing > kept as u64 {
                        // Too long to be taken: count it and let it go.
                        missing = missing.saturating_sub(arrived as u64);
                        self.input = Inbox::default();
                    }
                    self.stage = Stage::Payload { header, missing, kept };
                    return Ok(Advance::More);
                }
                let length = usize::try_from(missing).map_err(|_| Unfit::Nonsense)?;
                let payload = self.input.take(length, <[u8]>::to_vec).unwrap_or_default();
                if header.fd_count == 0 {
                    return self.complete(header, payload);
                }
                self.stage = Stage::Descriptors { header, payload };
            }
            Stage::Descriptors { header, payload } => {
                if !self.input.bytes().is_empty() {
                    return self.complete(header, payload);
                }
                self.stage = Stage::Descriptors { header, payload };
                return Ok(Advance::More);
            }
            stage @ (Stage::Waiting(_) | Stage::Served(_)) => {
                self.stage = stage;
                return Ok(Advance::More);
            }
        }
        Ok(Advance::Further)
    }

    fn complete(&mut self, header: Box<Header>, payload: Vec<u8>) -> Result<Advance, Unfit> {
        self.input = Inbox::default();
        self.stage = Stage::Served(Tag::of(&header));
        self.charges.bytes.set(payload.len() as u64)?;
        let Attached { descriptors, lost: lost_descriptors } = std::mem::take(&mut self.descriptors);
        let descriptors = descriptors.into_iter().map(Rc::new).collect();
        let (dialect, credentials) = (self.dialect, self.credentials);
        let request = Request { dialect, credentials, header, payload, descriptors, lost_descriptors };
        Ok(Advance::Complete(Box::new(request)))
    }
}

/// What some input came to.
#[derive(Debug)]
enum Advance {
    More,
    Further,
    Complete(Box<Request>),
}
