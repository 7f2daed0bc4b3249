// SPDX-License-Identifier: GPL-2.0-only
//! A simulated application, as lttng-ust behaves: one command at a time, answers in order, requests of its own
//! on the notify connection while a command is carried out.
//!
//! It fails the test when it is sent what a real one would answer with silence, with the end of the connection or
//! with an abort: an unknown handle, a channel after the session recorded, a filter of size 0, an exclusion of
//! no names, a command on a channel whose streams are missing.

mod execute;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::os::fd::AsFd;

use lttng_protocol::ust::command::{
    Command, Message, Reply, ReplyBody, Tracepoint, TracepointField, TracerVersion, code,
    decode_exclusion_payload,
};
use lttng_protocol::ust::event_notifier::{CounterConfiguration, EventNotification, EventNotifier};
use lttng_protocol::ust::field::{Encoding, Field, FieldKind, Integer};
use lttng_protocol::ust::notify::{self, RegisterChannel, RegisterEvent};
use lttng_protocol::ust::registration::{Alignments, ByteOrder, Registration, SocketKind};
use lttng_sessiond::sys::shared_memory;
use lttng_sessiond::turn::ids::ConnId;
use lttng_sessiond::turn::output::{ProcessState, SharedFd};

use crate::consumer::Handover;
use crate::wire::{Effects, Inbox, Segment};
use crate::world::{COUNTERS, CPUS};

/// What goes wrong with an application, and when: at this command or notify reply, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It dies without an answer.
    Die,
    /// It dies in the middle of its answer.
    DieHalfway,
    /// It dies right after its answer.
    DieAfter,
    /// It refuses this command with this code.
    Refuse(i32),
    /// It refuses this command and all later ones.
    RefuseAll(i32),
    /// It does nothing any more, without a visible reason.
    Hang,
    /// It is suspended.
    Suspend,
    /// Its answer is nonsense.
    Babble,
    /// It does not take what follows this command, if it is one that is answered twice.
    RefuseToGoOn,
}

/// A rule as an application sees it: pattern, filter, exclusions.
pub type RuleKey = (String, String, Vec<String>);

/// What an application has of a session: whether it records, and its channels with their rules, enabled or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    pub recording: bool,
    pub channels: BTreeMap<String, (bool, BTreeMap<RuleKey, bool>)>,
}

#[derive(Debug)]
enum Object {
    Session(Session),
    Channel(Channel),
    Rule(Rule),
    Group,
    /// The error counter, with the memory of each CPU.
    Counter(BTreeMap<u32, SharedFd>),
    Notifier(Notifier),
    /// Entries that were not fetched yet.
    List {
        fields: bool,
        entries: VecDeque<(String, i32)>,
    },
}

#[derive(Debug, Default)]
struct Session {
    enabled: bool,
    was_enabled: bool,
    released: bool,
}

#[derive(Debug)]
struct Channel {
    session: u32,
    handover: Handover,
    streams: u32,
    enabled: bool,
    registered: bool,
    released: bool,
    /// A stream was refused on purpose.
    spoilt: bool,
    contexts: usize,
    /// Events that have an id.
    events: BTreeSet<String>,
}

#[derive(Debug)]
struct Rule {
    channel: u32,
    key: RuleKey,
    enabled: bool,
    /// A condition was refused on purpose.
    spoilt: bool,
}

/// An event notifier.
#[derive(Debug)]
struct Notifier {
    description: EventNotifier,
    filter: bool,
    exclusions: Vec<String>,
    captures: usize,
    enabled: bool,
    /// A condition or a capture was refused on purpose.
    spoilt: bool,
}

/// A command that is answered once the daemon has answered all requests.
#[derive(Debug)]
struct Asking {
    requests: VecDeque<notify::Request>,
    message: Message,
    reply: Reply,
}

#[derive(Debug)]
pub struct Application {
    pub pid: i32,
    pub uid: u32,
    pub bits: u32,
    pub command: ConnId,
    pub notify: ConnId,
    /// Pipes that were made for it to tell of events. It has the last one.
    pub pipes: Vec<ConnId>,
    /// The protocol's version that it speaks.
    pub abi: u32,
    /// It runs and is connected.
    pub alive: bool,
    /// What a look at the process shows; suspended, it does nothing.
    pub state: ProcessState,
    /// It does nothing, whatever its state.
    pub hung: bool,
    pub fault: Option<Fault>,
    /// Commands and notify replies so far.
    pub steps: usize,
    /// Commands that it refused although nobody told it to.
    pub refused: Vec<Message>,
    /// It was suspended once.
    pub was_suspended: bool,
    /// Its `main` may run.
    pub released: bool,
    /// How often something was sent to it, and the number when its `main` was released.
    pub bursts: usize,
    pub bursts_until_released: usize,
    pub tracepoints: Vec<(String, i32)>,
    input: Inbox,
    notify_input: Vec<u8>,
    objects: BTreeMap<u32, Object>,
    free: Vec<u32>,
    next: u32,
    asking: Option<Asking>,
    refusing: Option<i32>,
}

impl Application {
    pub fn new(pid: i32, uid: u32, [command, notify]: [ConnId; 2]) -> Self {
        let tracepoints = ["app:one", "app:two", "other:three"];
        Application {
            pid,
            uid,
            bits: 64,
            command,
            notify,
            pipes: Vec::new(),
            abi: 9,
            alive: true,
            state: ProcessState::Running,
            hung: false,
            fault: None,
            steps: 0,
            refused: Vec::new(),
            was_suspended: false,
            released: false,
            bursts: 0,
            bursts_until_released: 0,
            tracepoints: tracepoints.map(|name| (name.to_owned(), 13)).to_vec(),
            input: Inbox::default(),
            notify_input: Vec::new(),
            objects: BTreeMap::new(),
            free: Vec::new(),
            // Handles can't be guessed.
            next: 2 + pid.unsigned_abs() % 5,
            asking: None,
            refusing: None,
        }
    }

    pub fn registration(&self, socket: SocketKind) -> Vec<u8> {
        let alignments = Alignments { uint8: 8, uint16: 8, uint32: 8, uint64: 8, long: 8 };
        Registration {
            byte_order: ByteOrder::NATIVE,
            major: self.abi,
            minor: 0,
            pid: self.pid,
            ppid: 1,
            uid: self.uid,
            gid: self.uid,
            bits_per_long: self.bits,
            alignments,
            socket,
            name: "simulated".into(),
        }
        .encode()
    }

    /// What it has of each session, by the daemon's number. A session that got no channel has none.
    pub fn holdings(&self) -> BTreeMap<Option<u64>, Holding> {
        let mut holdings = BTreeMap::new();
        for (&handle, object) in &self.objects {
            let Object::Session(session) = object else { continue };
            let channels = self.channels_of(handle);
            let number = channels.first().map(|(_, channel)| channel.handover.session);
            let mut holding = Holding { recording: session.enabled, channels: BTreeMap::new() };
            for (channel_handle, channel) in channels {
                let rules = self.rules_of(channel_handle);
                let rules = rules.into_iter().map(|rule| (rule.key.clone(), rule.enabled)).collect();
                holding.channels.insert(channel.handover.name.clone(), (channel.enabled, rules));
            }
            let twice = holdings.insert(number, holding).is_some();
            assert!(number.is_none() || !twice, "one session twice in an application");
        }
        holdings
    }

    /// Whether it records anything at all.
    pub fn records(&self) -> bool {
        self.holdings().values().any(|holding| holding.recording)
    }

    /// Objects that the daemon has not released, without those that stay to the end.
    pub fn objects(&self) -> usize {
        let stays = |object: &&Object| matches!(object, Object::Group | Object::Counter(_));
        self.objects.len() - self.objects.values().filter(stays).count()
    }

    pub fn received(&mut self, segment: Segment, effects: &mut Effects) {
        self.input.receive(segment);
        self.work(effects);
    }

    pub fn notified(&mut self, segment: Segment, effects: &mut Effects) {
        assert!(segment.descriptors.is_empty());
        self.notify_input.extend(segment.bytes);
        self.work(effects);
    }

    pub fn can_work(&self) -> bool {
        self.alive && !self.hung && self.state == ProcessState::Running
    }

    /// Does all that it can.
    pub fn work(&mut self, effects: &mut Effects) {
        while self.can_work() {
            let worked =
                if self.asking.is_some() { self.take_answer(effects) } else { self.take_command(effects) };
            if !worked {
                return;
            }
        }
    }

    /// Counts a step. Returns false if there is no more after it.
    fn step(&mut self, effects: &mut Effects) -> bool {
        self.steps += 1;
        match self.fault.filter(|fault| fault.at == self.steps).map(|fault| fault.what) {
            Some(What::Die) => self.die(effects),
            Some(What::Hang) => self.hung = true,
            Some(What::Suspend) => self.state = ProcessState::Suspended,
            Some(What::RefuseAll(code)) => self.refusing = Some(code),
            _ => {}
        }
        self.alive && !self.hung
    }

    pub fn die(&mut self, effects: &mut Effects) {
        self.alive = false;
        // What it was sent and did not read is lost with its sockets.
        self.input = Inbox::default();
        // Either may be noticed first.
        let mut conns = [self.command, self.notify];
        if self.steps.is_multiple_of(2) {
            conns.reverse();
        }
        effects.closes.extend(conns);
        effects.closes.extend(&self.pipes);
    }

    /// Names and filters of the notifiers that tell of events.
    pub fn notifiers(&self) -> Vec<(String, bool)> {
        let notifiers = self.objects.values().filter_map(|object| match object {
            Object::Notifier(notifier) if notifier.enabled => {
                Some((notifier.description.rule.name.to_string(), notifier.filter))
            }
            _ => None,
        });
        notifiers.collect()
    }

    /// Whether it has a group, a counter with the memory of all CPUs, or notifiers, on or off.
    pub fn notifier_objects(&self) -> [usize; 3] {
        let mut objects = [0; 3];
        for object in self.objects.values() {
            match object {
                Object::Group => objects[0] += 1,
                Object::Counter(cpus) => objects[1] += usize::from(cpus.len() == CPUS as usize),
                Object::Notifier(_) => objects[2] += 1,
                _ => {}
            }
        }
        objects
    }

    fn matching(&self, event: &str) -> Vec<&Notifier> {
        let tells = |notifier: &Notifier| {
            let excluded = notifier.exclusions.iter().any(|name| execute::matches(name, event));
            notifier.enabled
                && !excluded
                && execute::matches(&notifier.description.rule.name.to_string(), event)
        };
        let notifiers = self.objects.values().filter_map(|object| match object {
            Object::Notifier(notifier) if tells(notifier) => Some(notifier),
            _ => None,
        });
        notifiers.collect()
    }

    /// An event happens.
    pub fn emit(&self, event: &str, effects: &mut Effects) {
        for notifier in self.matching(event) {
            let mut captures = vec![0xc0; notifier.captures + 1];
            captures[0] = 0x90 + u8::try_from(notifier.captures).unwrap();
            let captures = if notifier.captures == 0 { &[][..] } else { &captures };
            let notification = EventNotification { token: notifier.description.rule.token, captures };
            effects.send(*self.pipes.last().unwrap(), notification.encode());
        }
    }

    /// An event happens that can't be told, on this CPU.
    pub fn lose(&self, event: &str, cpu: u32) {
        let counters = self.objects.values().find_map(|object| match object {
            Object::Counter(cpus) => Some(cpus),
            _ => None,
        });
        let memory = counters.unwrap()[&cpu].as_fd();
        for notifier in self.matching(event) {
            let offset = 4 * notifier.description.error_counter_index;
            let before = shared_memory::read(memory, offset).unwrap();
            shared_memory::write(memory, offset, before + 1).unwrap();
        }
    }

    fn take_command(&mut self, effects: &mut Effects) -> bool {
        let Some((message, payload, descriptors)) = self.next_message() else { return false };
        if !self.step(effects) {
            return false;
        }
        if message.command.replies_twice() {
            if self.fault == Some(Fault { at: self.steps, what: What::RefuseToGoOn }) {
                let refusal = Reply::error(message.handle, &message.command, code::ERR);
                effects.send(self.command, refusal.encode());
                // It takes what follows for the next command, and waits for the rest of it.
                self.hung = true;
                return false;
            }
            effects.send(self.command, Reply::ok(message.handle, &message.command, 0).encode());
        }
        let fault = self.fault.filter(|fault| fault.at == self.steps).map(|fault| fault.what);
        let refusal = match fault {
            Some(What::Refuse(code)) => Some(code),
            _ => self.refusing,
        };
        let Message { handle, ref command } = message;
        if let Some(code) = refusal {
            self.spoil(&message);
            self.answer(&Reply::error(handle, command, code), None, effects);
            return true;
        }
        let (requests, reply, field) = self.execute(&message, &payload, descriptors);
        if requests.is_empty() {
            self.answer(&reply, field, effects);
        } else {
            self.asking = Some(Asking { requests: requests.into(), message, reply });
            self.ask(effects);
        }
        true
    }

    /// A whole command with what follows it.
    fn next_message(&mut self) -> Option<(Message, Vec<u8>, Vec<SharedFd>)> {
        if self.input.len() < Message::LEN {
            return None;
        }
        let length = Message::length(&self.input.peek(Message::LEN)).unwrap().unwrap();
        if self.input.len() < length {
            return None;
        }
        let message = Message::decode(&self.input.peek(length)).expect("a command that exists");
        let payload = usize::try_from(message.command.payload_len()).unwrap();
        let descriptors = message.command.descriptors();
        if self.input.len() < length + payload + usize::from(descriptors > 0) {
            return None;
        }
        self.input.take(length);
        let payload = self.input.take(payload).unwrap();
        let descriptors =
            if descriptors > 0 { self.input.take_descriptors(descriptors).unwrap() } else { Vec::new() };
        Some((message, payload, descriptors))
    }

    fn answer(&mut self, reply: &Reply, field: Option<TracepointField>, effects: &mut Effects) {
        let mut bytes = reply.encode();
        bytes.extend(field.map(|field| field.encode()).unwrap_or_default());
        match self.fault.filter(|fault| fault.at == self.steps).map(|fault| fault.what) {
            Some(What::DieHalfway) => {
                bytes.truncate(Reply::LEN / 2);
                effects.send(self.command, bytes);
                return self.die(effects);
            }
            Some(What::Babble) => bytes[..8].copy_from_slice(&[0xEE; 8]),
            _ => {}
        }
        effects.send(self.command, bytes);
        if self.fault == Some(Fault { at: self.steps, what: What::DieAfter }) {
            self.die(effects);
        }
    }

    fn ask(&mut self, effects: &mut Effects) {
        let request = self.asking.as_ref().and_then(|asking| asking.requests.front()).unwrap();
        // In pieces, as lttng-ust does.
        let bytes = request.encode();
        let (fixed, variable) = bytes.split_at(40);
        effects.send(self.notify, fixed.to_vec());
        effects.send(self.notify, variable.to_vec());
    }

    fn take_answer(&mut self, effects: &mut Effects) -> bool {
        let asking = self.asking.as_mut().unwrap();
        let length = if matches!(asking.requests.front(), Some(notify::Request::Event(_))) { 44 } else { 48 };
        if self.notify_input.len() < length {
            return false;
        }
        if !self.step(effects) {
            return false;
        }
        let bytes: Vec<u8> = self.notify_input.drain(..length).collect();
        let asking = self.asking.as_mut().unwrap();
        let request = asking.requests.pop_front().unwrap();
        let accepted = match (&request, notify::Reply::decode(&bytes).unwrap()) {
            (notify::Request::Event(event), notify::Reply::Event { code: 0, .. }) => {
                if let Some(Object::Channel(channel)) = self.objects.get_mut(&event.channel) {
                    channel.events.insert(event.name.to_string());
                }
                true
            }
            (notify::Request::Channel(request), notify::Reply::Channel { code: 0, id, .. }) => {
                if let Some(Object::Channel(channel)) = self.objects.get_mut(&request.channel) {
                    assert_eq!(id, channel.handover.number, "a channel's number is that of its buffers");
                    channel.registered = true;
                }
                true
            }
            (notify::Request::Event(_), notify::Reply::Event { .. }) => true,
            (notify::Request::Channel(_), notify::Reply::Channel { .. }) => false,
            (_, reply) => panic!("{reply:?} is no answer to {request:?}"),
        };
        let asking = self.asking.as_mut().unwrap();
        if accepted && !asking.requests.is_empty() {
            self.ask(effects);
            return true;
        }
        let Asking { message, mut reply, .. } = self.asking.take().unwrap();
        if !accepted {
            if let Some(Object::Session(session)) = self.objects.get_mut(&message.handle) {
                session.enabled = false;
            }
            reply = Reply::error(message.handle, &message.command, code::INVAL);
            // While it was suspended nobody waited for it: the session may be gone by now.
            if !self.was_suspended {
                self.refused.push(message);
            }
        }
        self.answer(&reply, None, effects);
        true
    }

    /// No rule records that lacks one of its conditions.
    pub fn check_conditions(&self) {
        for object in self.objects.values() {
            if let Object::Rule(rule) = object {
                assert!(!(rule.spoilt && rule.enabled), "a rule without its conditions is enabled: {rule:?}");
            }
            if let Object::Notifier(notifier) = object {
                assert!(!(notifier.spoilt && notifier.enabled), "it tells of too much: {notifier:?}");
            }
        }
    }
}
