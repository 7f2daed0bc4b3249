// SPDX-License-Identifier: GPL-2.0-only
//! A simulated application, as lttng-ust behaves: one command at a time, answers in order, requests of its own
//! on the notify connection while a command is carried out.
//!
//! It fails the test when it is sent what a real one would answer with silence, with the end of the connection or
//! with an abort: an unknown handle, a channel after the session recorded, a filter of size 0, an exclusion of
//! no names, a command on a channel whose streams are missing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lttng_protocol::ust::command::{
    Command, Message, Reply, ReplyBody, Tracepoint, TracepointField, TracerVersion, code,
    decode_exclusion_payload,
};
use lttng_protocol::ust::field::{Encoding, Field, FieldKind, Integer};
use lttng_protocol::ust::notify::{self, RegisterChannel, RegisterEvent};
use lttng_protocol::ust::registration::{Alignments, ByteOrder, Registration, SocketKind};
use lttng_sessiond::output::{ConnId, ProcessState};

use crate::consumer::Handover;
use crate::wire::{Effects, Inbox, Segment};

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
            major: 9,
            minor: 0,
            pid: self.pid,
            ppid: 1,
            uid: self.uid,
            gid: self.uid,
            bits_per_long: self.bits,
            alignments,
            socket,
            name: "simulated".to_owned(),
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

    /// Objects that the daemon has not released.
    pub fn objects(&self) -> usize {
        self.objects.len()
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
    }

    fn take_command(&mut self, effects: &mut Effects) -> bool {
        let Some((message, payload)) = self.next_message() else { return false };
        if !self.step(effects) {
            return false;
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
        let (requests, reply, field) = self.execute(&message, &payload);
        if requests.is_empty() {
            self.answer(&reply, field, effects);
        } else {
            self.asking = Some(Asking { requests: requests.into(), message, reply });
            self.ask(effects);
        }
        true
    }

    /// A whole command with what follows it.
    fn next_message(&mut self) -> Option<(Message, Vec<u8>)> {
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
        if descriptors > 0 {
            self.input.take_descriptors(descriptors);
        }
        Some((message, payload))
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
                    channel.events.insert(event.name.clone());
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

    /// Remembers what a refusal on purpose leaves undone.
    fn spoil(&mut self, message: &Message) {
        match (self.objects.get_mut(&message.handle), &message.command) {
            (Some(Object::Channel(channel)), Command::Stream { .. }) => channel.spoilt = true,
            (Some(Object::Rule(rule)), Command::Filter(_) | Command::Exclusion { .. }) => rule.spoilt = true,
            _ => {}
        }
    }

    fn execute(
        &mut self,
        message: &Message,
        payload: &[u8],
    ) -> (Vec<notify::Request>, Reply, Option<TracepointField>) {
        let Message { handle, command } = message;
        let handle = *handle;
        let mut requests = Vec::new();
        let mut field = None;
        let result = match command {
            Command::TracepointListGet | Command::TracepointFieldListGet => {
                let (reply, entry) = self.list_entry(handle, command);
                return (requests, reply, entry);
            }
            _ if handle == 0 => self.execute_root(command),
            Command::Release => self.release(handle),
            _ => self.execute_on(handle, command, payload, &mut requests),
        };
        if command == &Command::TracerVersion {
            let version = TracerVersion { major: 2, minor: 13, patchlevel: 5 };
            let reply = Reply::ok(0, command, 0).with_body(ReplyBody::TracerVersion(version));
            return (requests, reply, field.take());
        }
        let reply = match result {
            Ok(value) => Reply::ok(handle, command, value),
            Err(code) => {
                self.refused.push(message.clone());
                Reply::error(handle, command, code)
            }
        };
        (requests, reply, field)
    }

    fn execute_root(&mut self, command: &Command) -> Result<u32, i32> {
        match command {
            Command::Session => Ok(self.add(Object::Session(Session::default()))),
            Command::TracepointList | Command::TracepointFieldList => {
                let fields = command == &Command::TracepointFieldList;
                let entries = self.tracepoints.clone().into();
                Ok(self.add(Object::List { fields, entries }))
            }
            Command::RegisterDone => {
                assert!(!self.released, "released twice");
                self.released = true;
                self.bursts_until_released = self.bursts;
                Ok(0)
            }
            Command::TracerVersion | Command::WaitQuiescent => Ok(0),
            other => panic!("{other:?} on the root object"),
        }
    }

    fn execute_on(
        &mut self,
        handle: u32,
        command: &Command,
        payload: &[u8],
        requests: &mut Vec<notify::Request>,
    ) -> Result<u32, i32> {
        let object =
            self.objects.get_mut(&handle).unwrap_or_else(|| panic!("{command:?} on an unknown handle"));
        match (object, command) {
            (Object::Session(session), Command::Channel { .. }) => {
                assert!(!session.was_enabled, "a channel after the session was active");
                let channel = Channel {
                    session: handle,
                    handover: Handover::decode(payload),
                    streams: 0,
                    enabled: true,
                    registered: false,
                    released: false,
                    spoilt: false,
                    contexts: 0,
                    events: BTreeSet::new(),
                };
                Ok(self.add(Object::Channel(channel)))
            }
            (Object::Session(session), Command::Enable | Command::Disable) => {
                let on = command == &Command::Enable;
                if session.enabled == on {
                    return Err(code::ERR);
                }
                session.enabled = on;
                session.was_enabled |= on;
                self.resolve(handle, requests);
                Ok(0)
            }
            (Object::Session(_), Command::SessionStatedump) => Ok(0),
            (Object::Channel(channel), Command::Stream { nr, .. }) => {
                if channel.spoilt {
                    return Err(code::PERM);
                }
                assert_eq!(*nr, channel.streams, "streams come in order");
                channel.streams += 1;
                Ok(0)
            }
            (Object::Channel(channel), command) => {
                if channel.streams != channel.handover.streams {
                    assert!(channel.spoilt, "{command:?} before all streams");
                    return Err(code::PERM);
                }
                let session = channel.session;
                match command {
                    Command::Context(_) => {
                        channel.contexts += 1;
                        let was_enabled = self.was_recording(session);
                        assert!(!was_enabled, "a context after the session was active");
                        Ok(0)
                    }
                    Command::Event(rule) => {
                        let key = (rule.name.clone(), String::new(), Vec::new());
                        Ok(self.add(Object::Rule(Rule {
                            channel: handle,
                            key,
                            enabled: false,
                            spoilt: false,
                        })))
                    }
                    Command::Enable | Command::Disable => {
                        let on = command == &Command::Enable;
                        if channel.enabled == on {
                            return Err(code::ERR);
                        }
                        channel.enabled = on;
                        self.resolve(session, requests);
                        Ok(0)
                    }
                    other => panic!("{other:?} on a channel"),
                }
            }
            (Object::Rule(rule), command) => {
                match command {
                    Command::Filter(bytecode) => {
                        assert!(bytecode.data_size > 0, "a filter of size 0 is never answered");
                        assert!(rule.key.1.is_empty(), "a second filter");
                        // Code and offset of the relocation, then the field's name: the filter's text.
                        let name = payload[16..].strip_suffix(&[0]).expect("a name without its end");
                        rule.key.1 = String::from_utf8(name.to_vec()).unwrap();
                    }
                    Command::Exclusion { count } => {
                        assert!(*count > 0, "an exclusion of nothing is never answered");
                        rule.key.2 = decode_exclusion_payload(payload).unwrap();
                    }
                    Command::Enable => rule.enabled = true,
                    Command::Disable => rule.enabled = false,
                    other => panic!("{other:?} on a rule"),
                }
                let channel = rule.channel;
                let Some(Object::Channel(channel)) = self.objects.get(&channel) else {
                    panic!("rule without channel")
                };
                let session = channel.session;
                if self.is_recording(session) {
                    self.resolve(session, requests);
                }
                Ok(0)
            }
            (object, command) => panic!("{command:?} on {object:?}"),
        }
    }

    fn was_recording(&self, session: u32) -> bool {
        matches!(self.objects.get(&session), Some(Object::Session(session)) if session.was_enabled)
    }

    fn is_recording(&self, session: u32) -> bool {
        matches!(self.objects.get(&session), Some(Object::Session(session)) if session.enabled)
    }

    /// What the application has to ask the daemon because the rules of a session changed, or its state.
    fn resolve(&self, session: u32, requests: &mut Vec<notify::Request>) {
        let mut channels = self.channels_of(session);
        channels.reverse();
        for (handle, channel) in &channels {
            let mut asked = BTreeSet::new();
            for rule in self.rules_of(*handle).iter().filter(|rule| rule.enabled) {
                for (name, loglevel) in &self.tracepoints {
                    if !matches(&rule.key.0, name) || channel.events.contains(name) || !asked.insert(name) {
                        continue;
                    }
                    requests.push(notify::Request::Event(RegisterEvent {
                        session,
                        channel: *handle,
                        name: name.clone(),
                        loglevel: *loglevel,
                        signature: "int, number".to_owned(),
                        fields: vec![number_field()],
                        model_emf_uri: None,
                    }));
                }
            }
        }
        if self.is_recording(session) {
            for (channel, _) in channels.iter().filter(|(_, channel)| !channel.registered) {
                let fields = Vec::new();
                requests.push(notify::Request::Channel(RegisterChannel {
                    session,
                    channel: *channel,
                    fields,
                }));
            }
        }
    }

    fn list_entry(&mut self, handle: u32, command: &Command) -> (Reply, Option<TracepointField>) {
        let Some(Object::List { fields, entries }) = self.objects.get_mut(&handle) else {
            panic!("{command:?} on what is no list")
        };
        assert_eq!(*fields, command == &Command::TracepointFieldListGet);
        let Some((name, loglevel)) = entries.pop_front() else {
            return (Reply::error(handle, command, code::NOENT), None);
        };
        if !*fields {
            let body = ReplyBody::Tracepoint(Tracepoint { name, loglevel });
            return (Reply::ok(handle, command, 0).with_body(body), None);
        }
        let field_name = "number".to_owned();
        let field = TracepointField { event_name: name, field_name, field_type: 1, loglevel, nowrite: false };
        (Reply::ok(handle, command, 0), Some(field))
    }

    fn add(&mut self, object: Object) -> u32 {
        let handle = self.free.pop().unwrap_or(self.next);
        if handle == self.next {
            self.next += 1;
        }
        self.objects.insert(handle, object);
        handle
    }

    /// An object lives on as long as others refer to it.
    fn release(&mut self, handle: u32) -> Result<u32, i32> {
        match self.objects.get_mut(&handle).expect("released what is not there") {
            Object::Session(session) => {
                assert!(!session.released, "a session released twice");
                session.released = true;
            }
            Object::Channel(channel) => {
                assert!(!channel.released, "a channel released twice");
                channel.released = true;
            }
            Object::Rule(_) | Object::List { .. } => self.remove(handle),
        }
        let unused: Vec<u32> = self.objects.keys().copied().filter(|&id| self.is_unused(id)).collect();
        unused.into_iter().for_each(|id| self.remove(id));
        let unused: Vec<u32> = self.objects.keys().copied().filter(|&id| self.is_unused(id)).collect();
        unused.into_iter().for_each(|id| self.remove(id));
        Ok(0)
    }

    fn is_unused(&self, handle: u32) -> bool {
        match &self.objects[&handle] {
            Object::Session(session) => session.released && self.channels_of(handle).is_empty(),
            Object::Channel(channel) => channel.released && self.rules_of(handle).is_empty(),
            _ => false,
        }
    }

    fn remove(&mut self, handle: u32) {
        self.objects.remove(&handle);
        self.free.push(handle);
    }

    fn channels_of(&self, session: u32) -> Vec<(u32, &Channel)> {
        let channels = self.objects.iter().filter_map(|(&handle, object)| match object {
            Object::Channel(channel) if channel.session == session => Some((handle, channel)),
            _ => None,
        });
        channels.collect()
    }

    fn rules_of(&self, channel: u32) -> Vec<&Rule> {
        let rules = self.objects.values().filter_map(|object| match object {
            Object::Rule(rule) if rule.channel == channel => Some(rule),
            _ => None,
        });
        rules.collect()
    }

    /// No rule records that lacks one of its conditions.
    pub fn check_conditions(&self) {
        for object in self.objects.values() {
            if let Object::Rule(rule) = object {
                assert!(!(rule.spoilt && rule.enabled), "a rule without its conditions is enabled: {rule:?}");
            }
        }
    }
}

fn number_field() -> Field {
    let integer = Integer {
        size: 32,
        signed: true,
        reverse_byte_order: false,
        base: 10,
        encoding: Encoding::NONE,
        alignment: 8,
    };
    Field { name: "number".to_owned(), kind: FieldKind::Integer(integer) }
}

/// Patterns here have a star at their end or none.
fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}
