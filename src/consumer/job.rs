// SPDX-License-Identifier: GPL-2.0-only
//! One request to a consumer daemon, and the parser of its answer.
//!
//! A consumer daemon answers strictly in order and never says to which request. Each request therefore
//! knows the shape of its answer; a byte too many or too few loses the connection for good.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use lttng_protocol::consumer::{
    ChannelHead, ChannelStatus, CloseReply, END_OF_STREAMS, Status, StreamHead, decode_count,
};

use super::request::{Request, Shape};
use crate::turn::inbox::Inbox;
use crate::turn::output::SharedFd;

/// Most streams taken for a channel; the consumer daemon makes one per possible CPU.
const MAX_STREAMS: usize = 8192;
/// Bytes of a count, and of the mark that ends a list of streams.
const COUNT_LEN: usize = size_of::<u64>();

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
    ClosePath {
        status: i32,
        length: usize,
    },
    GetStatus,
    ObjectHead,
    Object {
        size: usize,
    },
    WakeUp,
    /// A stream, or the end of the list.
    Stream,
    StreamDescriptors {
        size: u64,
        number: u32,
    },
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
    /// Descriptors that belong to it were lost on their way: it is read to its end, and comes to nothing.
    short: bool,
}

impl Answer {
    /// The answer that `request` will get.
    pub fn expected(request: &Request, tail: Tail) -> Self {
        let phase = match request.shape() {
            Shape::Channel => Phase::ChannelStatus,
            Shape::Buffers => Phase::GetStatus,
            Shape::Pending => Phase::DataPending,
            Shape::Count => Phase::Count,
            Shape::Path => Phase::CloseHead,
            Shape::Status => Phase::FirstStatus,
        };
        Answer { phase, tail, object: Vec::new(), wake_up: None, streams: Vec::new(), short: false }
    }

    /// The most descriptors that one of its messages may bring: those of a stream.
    pub fn expected_descriptors(&self) -> usize {
        match self.phase {
            Phase::GetStatus
            | Phase::ObjectHead
            | Phase::Object { .. }
            | Phase::WakeUp
            | Phase::Stream
            | Phase::StreamDescriptors { .. }
            | Phase::GetLastStatus => 2,
            Phase::FirstStatus
            | Phase::LastStatus
            | Phase::ChannelStatus
            | Phase::DataPending
            | Phase::Count
            | Phase::CloseHead
            | Phase::ClosePath { .. } => 0,
        }
    }

    /// There was no room for descriptors that came with the last bytes.
    pub fn descriptors_lost(&mut self) {
        self.short = true;
        self.wake_up = None;
        self.streams.clear();
    }

    /// Whether descriptors were lost.
    pub fn is_short(&self) -> bool {
        self.short
    }

    /// Takes what it needs from the input, as far as that goes.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes can't be an answer to the request.
    pub fn advance(
        &mut self,
        input: &mut Inbox,
        descriptors: &mut VecDeque<OwnedFd>,
    ) -> Result<Step, Malformed> {
        loop {
            let length = self.next_length(input.bytes());
            match input.take(length, |piece| self.take(piece, descriptors)) {
                None => return Ok(Step::More),
                Some(taken) => {
                    if let Some(step) = taken? {
                        return Ok(step);
                    }
                }
            }
        }
    }

    /// Bytes of what comes next, which begins with `input`.
    fn next_length(&self, input: &[u8]) -> usize {
        match self.phase {
            Phase::FirstStatus
            | Phase::LastStatus
            | Phase::DataPending
            | Phase::GetStatus
            | Phase::GetLastStatus => Status::LEN,
            Phase::Count => COUNT_LEN,
            Phase::CloseHead => CloseReply::LEN,
            Phase::ObjectHead => ChannelHead::LEN,
            Phase::ChannelStatus => ChannelStatus::LEN,
            Phase::ClosePath { length, .. } => length,
            Phase::Object { size } => size,
            Phase::Stream if is_end_of_streams(input) => COUNT_LEN,
            Phase::Stream => StreamHead::LEN,
            Phase::WakeUp | Phase::StreamDescriptors { .. } => 1,
        }
    }

    fn take(&mut self, piece: &[u8], descriptors: &mut VecDeque<OwnedFd>) -> Result<Option<Step>, Malformed> {
        let done = |outcome| Ok(Some(Step::Done(outcome)));
        let status = || Status::decode(piece).map_err(|_| Malformed("status"));
        let mut descriptor = |what| descriptors.pop_front().map(Rc::new).ok_or(Malformed(what));
        let phase = match self.phase {
            Phase::FirstStatus => {
                let status = status()?;
                match std::mem::replace(&mut self.tail, Tail::None) {
                    Tail::None => return done(Outcome::Status(status.0)),
                    Tail::Text(text) if text.is_empty() => return done(Outcome::Status(status.0)),
                    tail if status.is_success() => {
                        self.phase = Phase::LastStatus;
                        return Ok(Some(Step::SendTail(tail)));
                    }
                    _ => return done(Outcome::Status(status.0)),
                }
            }
            Phase::LastStatus => return done(Outcome::Status(status()?.0)),
            Phase::DataPending => return done(Outcome::DataPending(status()?.0 == 1)),
            Phase::Count => {
                return done(Outcome::Count(decode_count(piece).map_err(|_| Malformed("count"))?));
            }
            Phase::ChannelStatus => {
                let status = ChannelStatus::decode(piece).map_err(|_| Malformed("channel status"))?;
                return done(Outcome::Channel(status));
            }
            Phase::CloseHead => {
                let head =
                    CloseReply::decode(piece).map_err(|_| Malformed("path of a closed trace chunk"))?;
                Phase::ClosePath { status: head.code, length: head.path_length as usize }
            }
            Phase::ClosePath { status, .. } => {
                let path = String::from_utf8_lossy(piece).trim_end_matches('\0').to_owned();
                return done(Outcome::Closed(status, path));
            }
            Phase::GetStatus => match status()? {
                Status::SUCCESS => Phase::ObjectHead,
                refusal => return done(Outcome::Buffers(Err(refusal.0))),
            },
            Phase::ObjectHead => {
                let what = "size of a channel object";
                let head = ChannelHead::decode(piece).map_err(|_| Malformed(what))?;
                match usize::try_from(head.size) {
                    Ok(size) if head.size <= ChannelHead::MAX_SIZE => Phase::Object { size },
                    _ => return Err(Malformed(what)),
                }
            }
            Phase::Object { .. } => {
                self.object = piece.to_vec();
                Phase::WakeUp
            }
            Phase::WakeUp if self.short => Phase::Stream,
            Phase::StreamDescriptors { .. } if self.short => Phase::Stream,
            Phase::WakeUp => {
                self.wake_up = Some(descriptor("wake-up descriptor of a channel")?);
                Phase::Stream
            }
            Phase::Stream if is_end_of_streams(piece) => Phase::GetLastStatus,
            Phase::Stream if self.streams.len() >= MAX_STREAMS => {
                return Err(Malformed("number of streams"));
            }
            Phase::Stream => {
                let StreamHead { size, number } =
                    StreamHead::decode(piece).map_err(|_| Malformed("head of a stream"))?;
                Phase::StreamDescriptors { size, number }
            }
            Phase::StreamDescriptors { size, number } => {
                let what = "descriptors of a stream";
                let pair = [descriptor(what)?, descriptor(what)?];
                self.streams.push(Stream { number, size, descriptors: pair });
                Phase::Stream
            }
            Phase::GetLastStatus => return done(Outcome::Buffers(self.buffers(status()?))),
        };
        self.phase = phase;
        Ok(None)
    }

    fn buffers(&mut self, status: Status) -> Result<ChannelBuffers, i32> {
        match self.wake_up.take() {
            Some(wake_up) if status.is_success() => Ok(ChannelBuffers {
                object: std::mem::take(&mut self.object),
                wake_up,
                streams: std::mem::take(&mut self.streams),
            }),
            _ if self.short && status.is_success() => Err(Status::ERROR_RECV_FD.0),
            _ => Err(status.0),
        }
    }
}

/// Whether this begins with the mark that stands in place of a stream.
fn is_end_of_streams(input: &[u8]) -> bool {
    input.get(..COUNT_LEN).and_then(|mark| decode_count(mark).ok()) == Some(END_OF_STREAMS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lttng_protocol::consumer::UstRequest;

    fn descriptors(count: usize) -> VecDeque<OwnedFd> {
        let null = || std::fs::File::open("/dev/null").unwrap().into();
        (0..count).map(|_| null()).collect()
    }

    /// Feeds an answer in pieces of one size until it is complete.
    fn answered(request: &UstRequest, answer: &[u8], piece: usize) -> Result<Outcome, Malformed> {
        let mut expected = Answer::expected(&request.clone().into(), Tail::None);
        let (mut input, mut descriptors) = (Inbox::default(), descriptors(3));
        let mut pieces = answer.chunks(piece);
        loop {
            match expected.advance(&mut input, &mut descriptors)? {
                Step::More => input.push(pieces.next().expect("the answer is complete")),
                Step::SendTail(_) => panic!("nothing to send"),
                Step::Done(outcome) => {
                    assert_eq!((input.bytes(), pieces.next()), (&[][..], None), "bytes left");
                    return Ok(outcome);
                }
            }
        }
    }

    fn channel(streams: &[u8], end: &[u8]) -> Vec<u8> {
        let head = ChannelHead { size: 5, kind: 0 }.encode();
        [&Status::SUCCESS.encode(), &head[..], b"bytes", &[0], streams, end].concat()
    }

    #[test]
    fn buffers_arrive_in_whatever_pieces() {
        let request = UstRequest::GetChannel { key: 7 };
        let stream = [StreamHead { size: 4096, number: 3 }.encode(), vec![0]].concat();
        let end = |status: Status| [END_OF_STREAMS.to_ne_bytes().to_vec(), status.encode()].concat();
        let whole = channel(&stream, &end(Status::SUCCESS));
        for piece in 1..=whole.len() {
            let Ok(Outcome::Buffers(Ok(buffers))) = answered(&request, &whole, piece) else {
                panic!("{piece}")
            };
            assert_eq!(buffers.object, b"bytes");
            let streams: Vec<_> = buffers.streams.iter().map(|stream| (stream.number, stream.size)).collect();
            assert_eq!(streams, [(3, 4096)]);
        }
        let failed = channel(&[], &end(Status::FATAL));
        assert!(matches!(answered(&request, &failed, 1), Ok(Outcome::Buffers(Err(116)))));
        let refused = Status::CHANNEL_NOT_FOUND.encode();
        assert!(matches!(answered(&request, &refused, 3), Ok(Outcome::Buffers(Err(119)))));
    }

    #[test]
    fn what_is_announced_too_large_is_refused() {
        let head = ChannelHead { size: ChannelHead::MAX_SIZE + 1, kind: 0 }.encode();
        let object = [Status::SUCCESS.encode(), head].concat();
        let get = UstRequest::GetChannel { key: 7 };
        assert_eq!(answered(&get, &object, 64).unwrap_err(), Malformed("size of a channel object"));
        // A third descriptor pair is missing.
        let stream = [StreamHead { size: 1, number: 0 }.encode(), vec![0]].concat();
        let starved = channel(&[stream.clone(), stream].concat(), &[]);
        assert_eq!(answered(&get, &starved, 64).unwrap_err(), Malformed("descriptors of a stream"));
    }

    #[test]
    fn a_closed_chunk_says_where_it_is() {
        let path = b"/a/b\0";
        let head = |path_length| CloseReply { code: 0, path_length }.encode();
        let close = UstRequest::CloseTraceChunk(lttng_protocol::consumer::CloseTraceChunk {
            session_id: 1,
            chunk_id: 2,
            closed: 3,
            command: None,
            relayd_id: None,
        });
        let whole = [&head(5)[..], path].concat();
        for piece in 1..=whole.len() {
            let Ok(Outcome::Closed(0, path)) = answered(&close, &whole, piece) else { panic!("{piece}") };
            assert_eq!(path, "/a/b");
        }
        assert!(matches!(answered(&close, &head(0), 8), Ok(Outcome::Closed(0, path)) if path.is_empty()));
        let long = head(CloseReply::MAX_PATH + 1);
        assert_eq!(answered(&close, &long, 8).unwrap_err(), Malformed("path of a closed trace chunk"));
    }
}
