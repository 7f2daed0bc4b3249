// SPDX-License-Identifier: GPL-2.0-only
//! The consumer daemons: programs that the session daemon starts and that move the trace data.
//!
//! A consumer daemon has three conversations with us. On the error connection it says once that it is ready,
//! and anything after that means that it is lost. On the command connection we ask and it answers, one
//! request at a time, in order ([`job`]). On the metadata connection it asks and we answer, at any time
//! ([`metadata`]): that one must never wait for the command connection, since a command's answer may in turn
//! wait for it. This module does no I/O and knows nothing of sessions: each request carries a tag of its
//! sender, who gets it back with the outcome.

pub mod job;
pub mod metadata;
pub mod program;
pub mod purpose;
pub mod request;
pub mod verb;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use lttng_protocol::consumer::{MonitorSample, READY, Status};

use job::{Answer, Step};
pub use job::{ChannelBuffers, Malformed, Outcome, Tail};
use metadata::MetadataTalk;
use program::ConsumerProgram;
use request::Request;

use crate::sys::clock::after;
use crate::turn::errand::Errand;
use crate::turn::ids::{ConnId, ConsumerId};
use crate::turn::inbox::Inbox;
use crate::turn::machine::Attached;
use crate::turn::output::{Address, Output, Outputs, SharedFd};

/// How long a consumer daemon may take from its start until it has connected.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the process of one that was given up may take to end by itself once another one is wanted, and then to end
/// when it is killed.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes that it may send unasked before it is taken for mad.
const MAX_INPUT: usize = 16 << 20;

/// Where a consumer daemon stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not started: nobody needed it yet, or no program is configured.
    Idle,
    /// Started; it has to connect before the deadline.
    Starting {
        /// When it is given up.
        deadline: Instant,
    },
    /// Connected; the first requests are under way.
    Greeting {
        /// When it is given up.
        deadline: Instant,
    },
    /// In service.
    Ready,
    /// It ended or broke the protocol. If it is needed again, another one is.
    Lost,
    /// Another one is wanted, and this one's process has not ended: it would remove the socket of its successor.
    Leaving {
        /// When it is killed, or given up as one that can't be killed.
        deadline: Instant,
        /// It was killed.
        killed: bool,
    },
}

/// Something that the owner has to act on.
#[derive(Debug)]
pub enum Event<T> {
    /// A request was answered.
    Done(T, Outcome),
    /// The consumer daemon is in service.
    Ready,
}

/// Why a consumer daemon had to be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken(pub &'static str);

impl From<Malformed> for Broken {
    fn from(malformed: Malformed) -> Self {
        Broken(malformed.0)
    }
}

#[derive(Debug)]
enum Sender<T> {
    Greeting { last: bool },
    Owner(T),
}

#[derive(Debug)]
struct Job<T> {
    request: Request,
    tail: Tail,
    sender: Sender<T>,
}

/// One consumer daemon, of which there is one life only: a new one is another value. `T` is what the owner wants back with
/// each outcome.
#[derive(Debug)]
pub struct Consumer<T> {
    id: ConsumerId,
    program: ConsumerProgram,
    state: State,
    pid: Option<i32>,
    error: Option<ConnId>,
    command: Option<ConnId>,
    /// Samples of buffer usage arrive here.
    monitor: Option<ConnId>,
    /// The metadata conversation.
    pub metadata: Option<MetadataTalk>,
    queue: VecDeque<Job<T>>,
    active: Option<(Sender<T>, Answer)>,
    /// When it was asked that, or has last answered a part of it.
    moved: Option<Instant>,
    input: Inbox,
    descriptors: VecDeque<OwnedFd>,
    error_input: Inbox,
    samples: Inbox,
}

impl<T> Consumer<T> {
    /// A consumer daemon that is not started yet.
    pub fn new(id: ConsumerId, program: ConsumerProgram) -> Self {
        Consumer {
            id,
            program,
            state: State::Idle,
            pid: None,
            error: None,
            command: None,
            monitor: None,
            metadata: None,
            queue: VecDeque::new(),
            active: None,
            moved: None,
            input: Inbox::default(),
            descriptors: VecDeque::new(),
            error_input: Inbox::default(),
            samples: Inbox::default(),
        }
    }

    /// The one that comes after it.
    pub fn successor(&self) -> Self {
        Consumer::new(self.id.next(), self.program.clone())
    }

    /// Which one it is.
    pub fn id(&self) -> ConsumerId {
        self.id
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// How it is started.
    pub fn program(&self) -> &ConsumerProgram {
        &self.program
    }

    /// How many requests it has not answered.
    pub fn owes(&self) -> usize {
        self.queue.len().saturating_add(usize::from(self.active.is_some()))
    }

    /// Whether nothing is asked of it at the moment.
    pub fn is_quiet(&self) -> bool {
        self.active.is_none() && self.queue.is_empty()
    }

    /// Since when nothing has come of what it owes.
    pub fn owes_since(&self) -> Option<Instant> {
        self.moved.filter(|_| self.active.is_some())
    }

    /// Starts it.
    pub fn start(&mut self, now: Instant, outputs: &mut Outputs) {
        self.state = State::Starting { deadline: after(now, START_TIMEOUT) };
        let errand = Errand::ConsumerProcess(self.id);
        outputs.push(Output::Spawn { errand, program: self.program.program() });
    }

    /// Another one is wanted as soon as this one, which is lost, has ended. A second time, it was killed meanwhile.
    pub fn leave(&mut self, now: Instant, killed: bool) {
        self.state = State::Leaving { deadline: after(now, LEAVE_TIMEOUT), killed };
    }

    /// It was started as this process.
    pub fn spawned(&mut self, pid: i32) {
        self.pid = Some(pid);
    }

    /// When it is given up, while it is starting or leaving.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Starting { deadline } | State::Greeting { deadline } | State::Leaving { deadline, .. } => {
                Some(deadline)
            }
            _ => None,
        }
    }

    /// A process of the daemon's user connected to the error socket. True if it is taken for the consumer daemon;
    /// its process id may be another than that of the program started, which may be a wrapper.
    pub fn error_connected(&mut self, conn: ConnId) -> bool {
        let ours = matches!(self.state, State::Starting { .. }) && self.error.is_none();
        if ours {
            self.error = Some(conn);
        }
        ours
    }

    /// Input on the error connection.
    ///
    /// # Errors
    /// [`Broken`] for anything but the one word that says that it is ready.
    pub fn error_received(&mut self, bytes: &[u8], outputs: &mut Outputs) -> Result<(), Broken> {
        // The word stays where it is, so that what comes after it is seen to be too much.
        if !matches!(self.state, State::Starting { .. }) || self.error_input.bytes().len() >= Status::LEN {
            return Err(Broken("it reported an error"));
        }
        self.error_input.push(bytes);
        if self.error_input.bytes().len() < Status::LEN {
            return Ok(());
        }
        match Status::decode(self.error_input.bytes()) {
            Ok(Status(READY)) => {
                self.connect(Errand::ConsumerCommand(self.id), outputs);
                Ok(())
            }
            _ => Err(Broken("it reported an error while starting")),
        }
    }

    /// Input on the monitor pipe. Returns the samples that are complete.
    pub fn monitor_received(&mut self, bytes: &[u8]) -> Vec<MonitorSample> {
        self.samples.push(bytes);
        let next = || self.samples.take(MonitorSample::LEN, MonitorSample::decode);
        std::iter::from_fn(next).flatten().collect()
    }

    fn connect(&self, errand: Errand, outputs: &mut Outputs) {
        let to = Address::Unix(self.program.command_socket.clone());
        outputs.push(Output::Connect { errand, to });
    }

    /// One of the two connections is being made. False if it comes too late, or is none of them.
    pub fn connecting(&mut self, errand: Errand, conn: ConnId) -> bool {
        if !matches!(self.state, State::Starting { .. }) {
            return false;
        }
        match errand {
            Errand::ConsumerCommand(id) if id == self.id => self.command = Some(conn),
            Errand::ConsumerMetadata(id) if id == self.id => self.metadata = Some(MetadataTalk::new(conn)),
            _ => return false,
        }
        true
    }

    /// One of the two connections is there. A consumer daemon tells them apart by their order, so the second one is begun
    /// when the first one is there. The pipe comes last.
    pub fn connected(&mut self, conn: ConnId, outputs: &mut Outputs) {
        if self.command == Some(conn) {
            self.connect(Errand::ConsumerMetadata(self.id), outputs);
        } else if self.metadata.as_ref().is_some_and(|talk| talk.conn() == conn) {
            outputs.push(Output::Pipe { errand: Errand::ConsumerSamples(self.id) });
        }
    }

    /// The pipe for its samples was made, the last of what it needs: it is greeted. `samples` is the end that it gets.
    /// False if it comes too late.
    pub fn greet(
        &mut self,
        monitor: ConnId,
        samples: SharedFd,
        daemon: [u8; 16],
        now: Instant,
        outputs: &mut Outputs,
    ) -> bool {
        if !matches!(self.state, State::Starting { .. }) {
            return false;
        }
        self.state = State::Greeting { deadline: after(now, START_TIMEOUT) };
        self.monitor = Some(monitor);
        self.queue.push_back(Job {
            request: Request::init(self.id.kind, daemon),
            tail: Tail::None,
            sender: Sender::Greeting { last: false },
        });
        self.queue.push_back(Job {
            request: Request::monitor_pipe(self.id.kind),
            tail: Tail::Descriptor(samples),
            sender: Sender::Greeting { last: true },
        });
        self.ask_next(now, outputs);
        true
    }

    /// Queues a request. Its outcome comes as an [`Event`], or from [`Consumer::lose`].
    ///
    /// # Errors
    /// Gives the tag back when there is no consumer daemon to ask.
    pub fn ask(
        &mut self,
        request: Request,
        tail: Tail,
        tag: T,
        now: Instant,
        outputs: &mut Outputs,
    ) -> Result<(), T> {
        if self.state != State::Ready {
            return Err(tag);
        }
        self.queue.push_back(Job { request, tail, sender: Sender::Owner(tag) });
        self.ask_next(now, outputs);
        Ok(())
    }

    /// Input on the command connection.
    ///
    /// # Errors
    /// [`Broken`] when it answers what was not asked.
    pub fn command_received(
        &mut self,
        bytes: &[u8],
        attached: Attached,
        now: Instant,
        outputs: &mut Outputs,
    ) -> Result<Vec<Event<T>>, Broken> {
        self.moved = Some(now);
        self.input.push(bytes);
        self.descriptors.extend(attached.descriptors);
        if attached.lost
            && let Some((_, answer)) = &mut self.active
        {
            answer.descriptors_lost();
        }
        if self.input.bytes().len() > MAX_INPUT {
            return Err(Broken("it sends without end"));
        }
        let mut events = Vec::new();
        while let Some((_, answer)) = &mut self.active {
            match answer.advance(&mut self.input, &mut self.descriptors)? {
                Step::More => return Ok(events),
                Step::SendTail(tail) => self.send_tail(tail, outputs),
                Step::Done(outcome) => {
                    if let Some((sender, answer)) = self.active.take() {
                        // What is left of an answer that did not arrive whole is of no use; nothing that is asked later
                        // is answered yet.
                        if answer.is_short() {
                            self.descriptors.clear();
                        }
                        events.extend(self.finished(sender, outcome)?);
                    }
                    self.ask_next(now, outputs);
                }
            }
        }
        if self.input.bytes().is_empty() && self.descriptors.is_empty() {
            Ok(events)
        } else {
            Err(Broken("it answers what was not asked"))
        }
    }

    /// The most descriptors that a message of its answer may bring.
    pub fn expected_descriptors(&self) -> usize {
        self.active.as_ref().map_or(0, |(_, answer)| answer.expected_descriptors())
    }

    /// Gives it up: closes its connections and returns the tags of all requests that will get no answer.
    pub fn lose(&mut self, outputs: &mut Outputs) -> Vec<T> {
        self.state = State::Lost;
        let metadata = self.metadata.take().map(|talk| talk.conn());
        let connections = [self.error.take(), self.command.take(), metadata, self.monitor.take()];
        for conn in connections.into_iter().flatten() {
            outputs.push(Output::Close(conn));
        }
        self.input = Inbox::default();
        self.samples = Inbox::default();
        self.descriptors.clear();
        let active = self.active.take().map(|(sender, _)| sender);
        let queued = self.queue.drain(..).map(|job| job.sender);
        active
            .into_iter()
            .chain(queued)
            .filter_map(|sender| match sender {
                Sender::Owner(tag) => Some(tag),
                Sender::Greeting { .. } => None,
            })
            .collect()
    }

    /// Its process has ended.
    pub fn reaped(&mut self) {
        self.pid = None;
    }

    fn finished(&mut self, sender: Sender<T>, outcome: Outcome) -> Result<Option<Event<T>>, Broken> {
        match (sender, outcome) {
            (Sender::Owner(tag), outcome) => Ok(Some(Event::Done(tag, outcome))),
            (Sender::Greeting { last }, Outcome::Status(0)) => {
                if last {
                    self.state = State::Ready;
                }
                Ok(last.then_some(Event::Ready))
            }
            (Sender::Greeting { .. }, _) => Err(Broken("it refused the first requests")),
        }
    }

    fn ask_next(&mut self, now: Instant, outputs: &mut Outputs) {
        if self.active.is_some() {
            return;
        }
        let (Some(conn), Some(job)) = (self.command, self.queue.pop_front()) else { return };
        outputs.send(conn, job.request.encode());
        self.moved = Some(now);
        self.active = Some((job.sender, Answer::expected(&job.request, job.tail)));
    }

    fn send_tail(&self, tail: Tail, outputs: &mut Outputs) {
        let Some(conn) = self.command else { return };
        match tail {
            Tail::None => {}
            Tail::Descriptor(descriptor) => outputs.send_descriptors(conn, vec![descriptor]),
            Tail::Text(text) => outputs.send(conn, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::ids::ConsumerKind;

    #[test]
    fn a_sample_torn_apart_arrives_whole() {
        let id = ConsumerId::first(ConsumerKind::Ust64);
        let mut consumer: Consumer<()> = Consumer::new(id, ConsumerProgram::default());
        let sample = |key| MonitorSample { key, lowest: 1, highest: 2, total_consumed: 3 };
        let samples = [sample(7), sample(8), sample(9)];
        let bytes: Vec<u8> = samples.iter().flat_map(MonitorSample::encode).collect();
        for piece in 1..=bytes.len() {
            let received = bytes.chunks(piece).flat_map(|piece| consumer.monitor_received(piece));
            assert_eq!(received.collect::<Vec<_>>(), samples, "in pieces of {piece}");
        }
    }
}
