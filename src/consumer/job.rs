// SPDX-License-Identifier: GPL-2.0-only
//! One request to a consumer daemon, and the parser of its answer.
//!
//! A consumer daemon answers strictly in order and never says to which request. Each request therefore
//! knows the shape of its answer; a byte too many or too few loses the connection for good.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use lttng_protocol::consumer::{ChannelStatus, UstRequest};

use crate::turn::output::SharedFd;

/// Largest channel object taken from a consumer daemon: applications refuse larger ones.
const MAX_CHANNEL_OBJECT: u64 = 1 << 20;
/// Most streams taken for a channel; the consumer daemon makes one per possible CPU.
const MAX_STREAMS: usize = 8192;
/// Longest path taken from a closed trace chunk.
const MAX_PATH: u32 = 4096;

/// What follows a request once its first status is 0.
#[derive(Debug)]
pub enum Tail {
    /// Nothing.
    None,
    /// A descriptor on a zero byte.
    Descriptor(SharedFd),
    /// Text, as many bytes as the request announced.
    Text(Vec<u8>),
}

/// One stream of a channel's buffers.
#[derive(Debug)]
pub struct Stream {
    /// Its number: the CPU.
    pub number: u32,
    /// Bytes of its shared memory.
    pub size: u64,
    /// The shared memory, and the pipe that wakes the consumer daemon.
    pub descriptors: [SharedFd; 2],
}

/// The buffers of a channel, to be handed to applications. Dropping the last copy is what destroys the channel
/// in the consumer daemon.
#[derive(Debug)]
pub struct ChannelBuffers {
    /// Opaque bytes for the application.
    pub object: Vec<u8>,
    /// The pipe that tells the consumer daemon that the last user is gone.
    pub wake_up: SharedFd,
    /// Its streams.
    pub streams: Vec<Stream>,
}

/// What a request came to.
#[derive(Debug)]
pub enum Outcome {
    /// The status of the last step; 0 is success.
    Status(i32),
    /// A channel was made, or not.
    Channel(ChannelStatus),
    /// The buffers of a channel, or the status that refused them.
    Buffers(Result<ChannelBuffers, i32>),
    /// A trace chunk was closed: the status, and where it is for those who read it.
    Closed(i32, String),
    /// Whether data is pending.
    DataPending(bool),
    /// A count of events or packets.
    Count(u64),
    /// The consumer daemon is gone.
    Lost,
}

/// The answer is not what the protocol allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// What to do after some input.
#[derive(Debug)]
pub enum Step {
    /// More input is needed.
    More,
    /// Send this now; more input will follow.
    SendTail(Tail),
    /// The request is answered.
    Done(Outcome),
}

#[derive(Debug)]
enum Phase {
    FirstStatus,
    LastStatus,
    ChannelStatus,
    DataPending,
    Count,
    CloseHead,
    ClosePath { status: i32, length: usize },
    GetStatus,
    ObjectHead,
    Object { size: usize },
    WakeUp,
    StreamSize,
    StreamNumber { size: u64 },
    StreamDescriptors { size: u64, number: u32 },
    GetLastStatus,
}

/// A request under way.
#[derive(Debug)]
pub struct Answer {
    phase: Phase,
    tail: Tail,
    object: Vec<u8>,
    wake_up: Option<SharedFd>,
    streams: Vec<Stream>,
}

impl Answer {
    /// The answer that `request` will get.
    pub fn expected(request: &UstRequest, tail: Tail) -> Self {
        let phase = match request {
            UstRequest::AskChannelCreation(_) => Phase::ChannelStatus,
            UstRequest::GetChannel { .. } => Phase::GetStatus,
            UstRequest::DataPending { .. } => Phase::DataPending,
            UstRequest::DiscardedEvents { .. } | UstRequest::LostPackets { .. } => Phase::Count,
            UstRequest::CloseTraceChunk { .. } => Phase::CloseHead,
            _ => Phase::FirstStatus,
        };
        Answer { phase, tail, object: Vec::new(), wake_up: None, streams: Vec::new() }
    }

    /// Takes what it needs from the input, as far as that goes.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes can't be an answer to the request.
    pub fn advance(
        &mut self,
        input: &mut VecDeque<u8>,
        descriptors: &mut VecDeque<OwnedFd>,
    ) -> Result<Step, Malformed> {
        loop {
            let Some(piece) = self.next_piece(input) else { return Ok(Step::More) };
            if let Some(step) = self.take(&piece, descriptors)? {
                return Ok(step);
            }
        }
    }

    fn next_piece(&self, input: &mut VecDeque<u8>) -> Option<Vec<u8>> {
        let length = match self.phase {
            Phase::FirstStatus
            | Phase::LastStatus
            | Phase::DataPending
            | Phase::GetStatus
            | Phase::StreamNumber { .. }
            | Phase::GetLastStatus => 4,
            Phase::Count | Phase::CloseHead | Phase::StreamSize => 8,
            Phase::ObjectHead => 12,
            Phase::ChannelStatus => ChannelStatus::LEN,
            Phase::ClosePath { length, .. } => length,
            Phase::Object { size } => size,
            Phase::WakeUp | Phase::StreamDescriptors { .. } => 1,
        };
        (input.len() >= length).then(|| input.drain(..length).collect())
    }

    fn take(&mut self, piece: &[u8], descriptors: &mut VecDeque<OwnedFd>) -> Result<Option<Step>, Malformed> {
        let done = |outcome| Ok(Some(Step::Done(outcome)));
        let mut descriptor = |what| descriptors.pop_front().map(Rc::new).ok_or(Malformed(what));
        let phase = match self.phase {
            Phase::FirstStatus => match (status(piece), std::mem::replace(&mut self.tail, Tail::None)) {
                (0, Tail::Text(text)) if text.is_empty() => return done(Outcome::Status(0)),
                (status, Tail::None) => return done(Outcome::Status(status)),
                (0, tail) => {
                    self.phase = Phase::LastStatus;
                    return Ok(Some(Step::SendTail(tail)));
                }
                (status, _) => return done(Outcome::Status(status)),
            },
            Phase::LastStatus => return done(Outcome::Status(status(piece))),
            Phase::DataPending => return done(Outcome::DataPending(status(piece) == 1)),
            Phase::Count => return done(Outcome::Count(number(piece))),
            Phase::ChannelStatus => {
                let status = ChannelStatus::decode(piece).map_err(|_| Malformed("channel status"))?;
                return done(Outcome::Channel(status));
            }
            Phase::CloseHead => {
                let (head, tail) = piece.split_at_checked(4).unwrap_or_default();
                let length = status(tail).cast_unsigned();
                if length > MAX_PATH {
                    return Err(Malformed("path of a closed trace chunk"));
                }
                Phase::ClosePath { status: status(head), length: length as usize }
            }
            Phase::ClosePath { status, .. } => {
                let path = String::from_utf8_lossy(piece).trim_end_matches('\0').to_owned();
                return done(Outcome::Closed(status, path));
            }
            Phase::GetStatus if status(piece) != 0 => {
                return done(Outcome::Buffers(Err(status(piece))));
            }
            Phase::GetStatus => Phase::ObjectHead,
            Phase::ObjectHead => match usize::try_from(number(piece)) {
                Ok(size) if number(piece) <= MAX_CHANNEL_OBJECT => Phase::Object { size },
                _ => return Err(Malformed("size of a channel object")),
            },
            Phase::Object { .. } => {
                self.object = piece.to_vec();
                Phase::WakeUp
            }
            Phase::WakeUp => {
                self.wake_up = Some(descriptor("wake-up descriptor of a channel")?);
                Phase::StreamSize
            }
            Phase::StreamSize if number(piece) == u64::MAX => Phase::GetLastStatus,
            Phase::StreamSize if self.streams.len() >= MAX_STREAMS => {
                return Err(Malformed("number of streams"));
            }
            Phase::StreamSize => Phase::StreamNumber { size: number(piece) },
            Phase::StreamNumber { size } => {
                Phase::StreamDescriptors { size, number: status(piece).cast_unsigned() }
            }
            Phase::StreamDescriptors { size, number } => {
                let what = "descriptors of a stream";
                let pair = [descriptor(what)?, descriptor(what)?];
                self.streams.push(Stream { number, size, descriptors: pair });
                Phase::StreamSize
            }
            Phase::GetLastStatus => return done(Outcome::Buffers(self.buffers(status(piece)))),
        };
        self.phase = phase;
        Ok(None)
    }

    fn buffers(&mut self, status: i32) -> Result<ChannelBuffers, i32> {
        match self.wake_up.take() {
            Some(wake_up) if status == 0 => Ok(ChannelBuffers {
                object: std::mem::take(&mut self.object),
                wake_up,
                streams: std::mem::take(&mut self.streams),
            }),
            _ => Err(status),
        }
    }
}

fn status(piece: &[u8]) -> i32 {
    piece.first_chunk().copied().map_or(0, i32::from_ne_bytes)
}

fn number(piece: &[u8]) -> u64 {
    piece.first_chunk().copied().map_or(0, u64::from_ne_bytes)
}
