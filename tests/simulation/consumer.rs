// SPDX-License-Identifier: GPL-2.0-only
//! A simulated consumer daemon. It fails the test when it is asked what a real one would not survive or never
//! answer, or what comes in an order that it does not allow.

mod kernel;
mod request;

use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use lttng_protocol::consumer::{
    AskChannel, ChannelHead, ChannelKind, ChannelStatus, CloseReply, END_OF_STREAMS, KernelRequest,
    MetadataRequest, READY, REQUEST_LEN, RelaySocketKind, SnapshotChannel, Status, StreamHead, UstRequest,
};
use lttng_protocol::{Reader, Writer};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use kernel::KernelChannel;
use request::refusal;

use crate::wire::{Effects, Inbox, Segment, Talk};
use lttng_sessiond::turn::ids::{ConnId, ConsumerKind};

/// Streams of each data channel.
const STREAMS: u32 = 2;

/// The channel object of this consumer daemon, which applications get as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    pub session: u64,
    pub number: u32,
    pub streams: u32,
    pub name: String,
}

impl Handover {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.session).u32(self.number).u32(self.streams).c_string(&self.name);
        writer.into_bytes()
    }

    pub fn decode(bytes: &[u8]) -> Self {
        let mut reader = Reader::new("channel object", bytes);
        let (session, number, streams) =
            (reader.u64().unwrap(), reader.u32().unwrap(), reader.u32().unwrap());
        let name = reader.c_string(reader.remaining()).unwrap();
        Handover { session, number, streams, name }
    }
}

/// A kind of requests, to those of user space and to that of the kernel.
pub type Kind = fn(&UstRequest) -> bool;
pub type KernelKind = fn(&KernelRequest) -> bool;

/// What goes wrong with a consumer daemon. Steps are the messages it receives, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It can't be started.
    NoProgram,
    /// It starts and says nothing.
    Silent,
    /// It ends right after its start.
    Exit,
    /// It says that it failed instead of that it is ready.
    Failed,
    /// It is ready but can't be connected to.
    Unreachable,
    /// It can be connected to once, but not twice.
    HalfReachable,
    /// There is no pipe for its samples.
    NoPipe,
    /// It dies at this step.
    Die(usize),
    /// It dies at this step and is not reaped at once.
    DieSlowly(usize),
    /// It refuses this step with this status.
    Refuse(usize, i32),
    /// It answers this step with nonsense.
    Babble(usize),
    /// It sends unasked bytes after this step.
    Chatter(usize),
    /// It reports an error after this step.
    Report(usize),
    /// It never answers from this step on.
    Hang(usize),
    /// Its answer to this step takes longer than any task waits, and comes all the same.
    Late(usize),
    /// Each answer takes this long.
    Slow(Duration),
    /// It answers only so long after it got metadata text.
    Nap(Duration),
    /// It asks for metadata before it answers each step, and waits for that answer first.
    Curious,
}

/// A channel of this consumer daemon.
#[derive(Debug)]
pub struct Channel {
    pub asked: AskChannel,
    pub handed_over: bool,
    pub set_up: bool,
    pub closed: bool,
    /// It was not handed over, on purpose.
    refused: bool,
    /// The trace chunk that its files are in, and the one that they go to when it rotates.
    pub files: Option<u64>,
    next_files: Option<u64>,
    /// How often it was cleared.
    pub cleared: usize,
    /// The metadata text so far, and its generation.
    pub text: Vec<u8>,
    version: u64,
    hang_up: Option<PipeReader>,
}

impl Channel {
    /// Its files are in the new chunk from now on, or in none if there is no new one.
    fn rotate(&mut self) {
        self.files = self.next_files.filter(|next| self.files != Some(*next));
    }

    /// A real one, asked to go through the buffers of a channel without output, must not have to free them
    /// meanwhile: it would crash.
    fn check_kept(&self, what: &str) {
        assert!(
            self.asked.monitor || !self.is_abandoned(),
            "{} was given up while it was {what}",
            self.asked.key
        );
    }

    /// Whether the daemon has closed everything it was given: then the channel ends.
    pub fn is_abandoned(&self) -> bool {
        let Some(pipe) = &self.hang_up else { return self.closed || self.refused };
        let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap();
        fds[0].revents().unwrap().contains(PollFlags::POLLHUP)
    }
}

#[derive(Debug, Default)]
pub struct Chunk {
    pub closed: bool,
    /// The name that it was given; empty if it has an ordinary one.
    pub name: String,
    /// Keys of the channels that were written to it at once, as a snapshot, in this order.
    pub snapshot: Vec<u64>,
    /// How often it is said to be in use after it was closed.
    uses: usize,
}

#[derive(Debug)]
enum Expect {
    Request,
    /// The ring buffer of a stream of this channel.
    Stream {
        key: u64,
        stream_key: u64,
        cpu: i32,
    },
    Descriptor {
        chunk: Option<(u64, u64, String)>,
    },
    Relay {
        id: u64,
        kind: RelaySocketKind,
    },
    Text {
        key: u64,
        offset: u64,
        length: u64,
    },
}

#[derive(Debug)]
enum Metadata {
    Idle,
    Asked { request: MetadataRequest, then: Vec<Message> },
    Text { key: u64, offset: u64, length: u64, then: Vec<Message> },
}

type Message = (Vec<u8>, Vec<OwnedFd>);

#[derive(Debug)]
pub struct Consumer {
    pub kind: ConsumerKind,
    pub pid: i32,
    pub running: bool,
    /// How often one was started.
    pub starts: usize,
    pub trouble: Option<Trouble>,
    pub error: Option<ConnId>,
    pub command: Option<ConnId>,
    pub metadata: Option<ConnId>,
    pub samples: Option<ConnId>,
    pub channels: BTreeMap<u64, Channel>,
    /// Those of the kernel, if it is for the kernel.
    pub kernel: BTreeMap<u64, KernelChannel>,
    pub kernel_requests: Vec<KernelRequest>,
    /// The next request of this kind to one for the kernel is refused with this status.
    pub refuse_kernel: Option<(KernelKind, i32)>,
    pub chunks: BTreeMap<(u64, u64), Chunk>,
    /// Relay daemons that it has connections to, and how many of the two.
    pub relays: BTreeMap<u64, usize>,
    /// All requests.
    pub requests: Vec<UstRequest>,
    /// Messages so far.
    pub steps: usize,
    /// Requests refused although nothing was to go wrong.
    pub refused: Vec<(UstRequest, i32)>,
    /// Answers on the metadata connection.
    pub told: usize,
    /// Further questions about pending data that are answered with yes.
    pub pending: usize,
    /// What each channel is said to have lost.
    pub lost: u64,
    /// How often that was asked.
    pub counted: usize,
    /// The next request of this kind is refused with this status.
    pub refuse_next: Option<(Kind, i32)>,
    /// All requests of this kind are refused with this status.
    pub refuse_all: Option<(Kind, i32)>,
    expect: Expect,
    talk: Metadata,
    /// Key of the metadata channel that is being written to a snapshot: its text is asked for before the answer.
    wants_text: Option<u64>,
    input: Inbox,
    metadata_input: Inbox,
    hung: bool,
}

impl Consumer {
    pub fn new(kind: ConsumerKind) -> Self {
        Consumer {
            kind,
            pid: 5000 + kind as i32,
            running: false,
            starts: 0,
            trouble: None,
            error: None,
            command: None,
            metadata: None,
            samples: None,
            channels: BTreeMap::new(),
            kernel: BTreeMap::new(),
            kernel_requests: Vec::new(),
            refuse_kernel: None,
            chunks: BTreeMap::new(),
            relays: BTreeMap::new(),
            requests: Vec::new(),
            steps: 0,
            refused: Vec::new(),
            told: 0,
            pending: 1,
            lost: 7,
            counted: 0,
            refuse_next: None,
            refuse_all: None,
            expect: Expect::Request,
            talk: Metadata::Idle,
            wants_text: None,
            input: Inbox::default(),
            metadata_input: Inbox::default(),
            hung: false,
        }
    }

    /// Another process starts: nothing of the one before it is left.
    pub fn begin(&mut self) {
        assert!(!self.running, "it is started beside another one");
        self.starts += 1;
        if self.starts > 1 {
            self.pid += 10;
        }
        (self.error, self.command, self.metadata, self.samples) = (None, None, None, None);
        (self.expect, self.talk, self.wants_text) = (Expect::Request, Metadata::Idle, None);
        (self.input, self.metadata_input) = (Inbox::default(), Inbox::default());
        self.hung = false;
    }

    /// The error connection is made: says what there is to say first.
    pub fn started(&mut self, error: ConnId, effects: &mut Effects) {
        self.error = Some(error);
        let word = if self.trouble == Some(Trouble::Failed) { 108 } else { READY };
        effects.send(error, word.to_ne_bytes().to_vec());
    }

    pub fn received(&mut self, talk: Talk, segment: Segment, effects: &mut Effects) {
        if !self.running {
            return;
        }
        match talk {
            Talk::Command => self.input.receive(segment),
            Talk::Metadata => self.metadata_input.receive(segment),
            Talk::Error | Talk::Samples => panic!("nothing is ever sent there"),
        }
        if let Some(Trouble::Slow(delay)) = self.trouble {
            effects.delay = delay;
        }
        while self.running && !self.hung && (self.hear_metadata(effects) || self.hear_command(effects)) {}
    }

    /// The daemon has closed a connection. Without the command connection it leaves.
    pub fn disconnected(&mut self, talk: Talk, effects: &mut Effects) {
        if talk == Talk::Command && self.running && !self.hung {
            self.die(effects);
            effects.ended = Some(self.pid);
        }
    }

    pub fn die(&mut self, effects: &mut Effects) {
        self.running = false;
        let conns = [self.error, self.command, self.metadata, self.samples];
        effects.closes.extend(conns.into_iter().flatten());
        self.channels.clear();
        self.kernel.clear();
        self.chunks.clear();
        self.relays.clear();
    }

    /// Counts a message. What is to go wrong now, if anything.
    fn step(&mut self) -> Option<Trouble> {
        self.steps += 1;
        let now = self.steps;
        self.trouble.filter(|trouble| match *trouble {
            Trouble::Die(at)
            | Trouble::DieSlowly(at)
            | Trouble::Refuse(at, _)
            | Trouble::Babble(at)
            | Trouble::Chatter(at)
            | Trouble::Report(at)
            | Trouble::Late(at)
            | Trouble::Hang(at) => at == now,
            _ => false,
        })
    }

    fn hear_command(&mut self, effects: &mut Effects) -> bool {
        // It does one thing at a time, and its own question comes first.
        if !matches!(self.talk, Metadata::Idle) {
            return false;
        }
        let is_text = matches!(self.expect, Expect::Text { .. });
        let Some(answer) = self.next_answer() else { return false };
        let Some(command) = self.command else { return false };
        let trouble = self.step();
        if let (true, Some(Trouble::Nap(delay))) = (is_text, self.trouble) {
            effects.delay = delay;
        }
        let mut messages = answer(self, trouble);
        match trouble {
            Some(Trouble::Die(_)) => {
                effects.ended = Some(self.pid);
                self.die(effects);
                return false;
            }
            Some(Trouble::DieSlowly(_)) => {
                self.die(effects);
                return false;
            }
            Some(Trouble::Hang(_)) => {
                self.hung = true;
                return false;
            }
            Some(Trouble::Late(_)) => effects.delay = Duration::from_secs(65),
            Some(Trouble::Babble(_)) => {
                effects.send(command, vec![0xEE; 33]);
                return true;
            }
            Some(Trouble::Chatter(_)) => messages.push((vec![0xEE; 5], Vec::new())),
            Some(Trouble::Report(_)) => {
                effects.send(self.error.unwrap(), 109i32.to_ne_bytes().to_vec());
            }
            _ => {}
        }
        let wants_text = self.wants_text.take().and_then(|key| self.question_about(key));
        let curious = self.trouble == Some(Trouble::Curious);
        if let Some(request) = wants_text.or_else(|| self.question().filter(|_| curious)) {
            effects.send(self.metadata.unwrap(), request.encode());
            self.talk = Metadata::Asked { request, then: messages };
            return true;
        }
        effects.sends.extend(messages.into_iter().map(|(bytes, descriptors)| (command, bytes, descriptors)));
        true
    }

    /// A question about the metadata of some channel, or of one that does not exist.
    fn question(&self) -> Option<MetadataRequest> {
        let metadata = self.channels.values().filter(|channel| channel.asked.kind == ChannelKind::Metadata);
        let asked = metadata.map(|channel| &channel.asked).next_back();
        Some(MetadataRequest {
            session_id: asked.map_or(999, |asked| asked.session_id),
            session_id_per_pid: asked.map_or(999, |asked| asked.session_id_per_pid),
            bits_per_long: if self.kind == ConsumerKind::Ust64 { 64 } else { 32 },
            uid: asked.map_or(999, |asked| asked.app_uid),
            key: asked.map_or(999, |asked| asked.key),
        })
    }

    fn question_about(&self, key: u64) -> Option<MetadataRequest> {
        let asked = &self.channels.get(&key)?.asked;
        Some(MetadataRequest {
            session_id: asked.session_id,
            session_id_per_pid: asked.session_id_per_pid,
            uid: asked.app_uid,
            key,
            ..self.question()?
        })
    }

    /// The next whole message on the command connection, as a function that answers it.
    #[allow(clippy::type_complexity)]
    fn next_answer(&mut self) -> Option<Box<dyn FnOnce(&mut Self, Option<Trouble>) -> Vec<Message>>> {
        match std::mem::replace(&mut self.expect, Expect::Request) {
            Expect::Request => {
                let bytes = self.input.take(REQUEST_LEN)?;
                if self.kind == ConsumerKind::Kernel {
                    let request = KernelRequest::decode(&bytes).expect("a request that exists");
                    return Some(Box::new(move |this, trouble| this.requested_of_kernel(request, trouble)));
                }
                let request = UstRequest::decode(&bytes).expect("a request that exists");
                Some(Box::new(move |this, trouble| this.requested(request, trouble)))
            }
            Expect::Descriptor { chunk } => {
                if self.input.take_descriptors(1).is_none() {
                    self.expect = Expect::Descriptor { chunk };
                    return None;
                }
                Some(Box::new(move |this, trouble| {
                    let status = refusal(trouble);
                    if let Some(chunk) = chunk.filter(|_| status == 0) {
                        this.begin_chunk(chunk);
                    }
                    vec![(status.to_ne_bytes().to_vec(), Vec::new())]
                }))
            }
            Expect::Stream { key, stream_key, cpu } => {
                if matches!(self.trouble, Some(Trouble::Babble(_) | Trouble::Chatter(_)))
                    && !self.input.has_descriptors()
                    && self.input.len() > 0
                {
                    // It was misunderstood, and waits for what does not come.
                    self.hung = true;
                    return None;
                }
                let Some(descriptors) = self.input.take_descriptors(1) else {
                    self.expect = Expect::Stream { key, stream_key, cpu };
                    return None;
                };
                Some(Box::new(move |this, trouble| {
                    this.take_stream(key, (stream_key, cpu), &descriptors[0], trouble)
                }))
            }
            Expect::Relay { id, kind } => {
                if self.input.take_descriptors(1).is_none() {
                    self.expect = Expect::Relay { id, kind };
                    return None;
                }
                Some(Box::new(move |this, trouble| {
                    let status = refusal(trouble);
                    if status == 0 {
                        this.take_relay(id, kind);
                    }
                    vec![(status.to_ne_bytes().to_vec(), Vec::new())]
                }))
            }
            Expect::Text { key, offset, length } => {
                let Some(text) = self.input.take(usize::try_from(length).unwrap()) else {
                    self.expect = Expect::Text { key, offset, length };
                    return None;
                };
                Some(Box::new(move |this, trouble| {
                    let status = refusal(trouble);
                    if status == 0 {
                        this.write(key, offset, &text);
                    }
                    vec![(status.to_ne_bytes().to_vec(), Vec::new())]
                }))
            }
        }
    }

    /// Takes what comes on the metadata connection. Every question has exactly one answer.
    fn hear_metadata(&mut self, effects: &mut Effects) -> bool {
        let Some(conn) = self.metadata else { return false };
        match std::mem::replace(&mut self.talk, Metadata::Idle) {
            Metadata::Idle => {
                assert_eq!(self.metadata_input.len(), 0, "an answer without a question");
                false
            }
            Metadata::Asked { request, then } => {
                let Some(bytes) = self.metadata_input.take(REQUEST_LEN) else {
                    self.talk = Metadata::Asked { request, then };
                    return false;
                };
                self.told += 1;
                match UstRequest::decode(&bytes).unwrap() {
                    UstRequest::NoMetadata => {
                        let known = self.channels.get(&request.key).is_some_and(|channel| !channel.closed);
                        assert!(!known, "no answer about a channel that is there: {request:?}");
                        effects.send(conn, 0i32.to_ne_bytes().to_vec());
                        self.resume(then, effects);
                    }
                    UstRequest::PushMetadata { key, target_offset: offset, len: length, version } => {
                        assert_eq!(key, request.key, "the answer to another question");
                        let status = if self.begin_push(key, version) { 0 } else { 118 };
                        effects.send(conn, i32::to_ne_bytes(status).to_vec());
                        if status == 0 && length > 0 {
                            self.talk = Metadata::Text { key, offset, length, then };
                        } else {
                            self.resume(then, effects);
                        }
                    }
                    other => panic!("{other:?} as an answer"),
                }
                true
            }
            Metadata::Text { key, offset, length, then } => {
                let Some(text) = self.metadata_input.take(usize::try_from(length).unwrap()) else {
                    self.talk = Metadata::Text { key, offset, length, then };
                    return false;
                };
                self.write(key, offset, &text);
                effects.send(conn, Status::SUCCESS.encode());
                self.resume(then, effects);
                true
            }
        }
    }

    fn resume(&mut self, messages: Vec<Message>, effects: &mut Effects) {
        let command = self.command.unwrap();
        effects.sends.extend(messages.into_iter().map(|(bytes, descriptors)| (command, bytes, descriptors)));
    }

    /// Asks for the metadata of the newest metadata channel.
    pub fn ask_metadata(&mut self, effects: &mut Effects) {
        let request = self.question().unwrap();
        effects.send(self.metadata.unwrap(), request.encode());
        self.talk = Metadata::Asked { request, then: Vec::new() };
    }

    /// The metadata of a session, for all users together.
    pub fn metadata_of(&self, session: u64) -> String {
        let channels = self.channels.values().filter(|channel| {
            channel.asked.kind == ChannelKind::Metadata && channel.asked.session_id == session
        });
        channels.map(|channel| String::from_utf8(channel.text.clone()).unwrap()).collect()
    }

    /// How many channels there are for events.
    pub fn data_channels(&self) -> usize {
        self.channels.values().filter(|channel| channel.asked.kind == ChannelKind::Data).count()
    }

    /// Everything was given back: channels, chunks.
    pub fn check_empty(&self) {
        let kept: Vec<_> = self.channels.values().filter(|channel| !channel.is_abandoned()).collect();
        assert!(kept.is_empty(), "channels that were never given up: {kept:?}");
        assert!(self.kernel.is_empty(), "channels of the kernel that were never given up: {:?}", self.kernel);
        let open: Vec<_> = self.chunks.iter().filter(|(_, chunk)| !chunk.closed).collect();
        assert!(open.is_empty(), "trace chunks that were never closed: {open:?}");
        assert!(self.relays.is_empty(), "connections to relay daemons are left: {:?}", self.relays);
    }
}
