// SPDX-License-Identifier: GPL-2.0-only
//! What a simulated application makes of each command.

use lttng_protocol::Text;

use super::*;

impl Application {
    /// Remembers what a refusal on purpose leaves undone.
    pub(super) fn spoil(&mut self, message: &Message) {
        match (self.objects.get_mut(&message.handle), &message.command) {
            (Some(Object::Channel(channel)), Command::Stream { .. }) => channel.spoilt = true,
            (Some(Object::Rule(rule)), Command::Filter(_) | Command::Exclusion { .. }) => rule.spoilt = true,
            (
                Some(Object::Notifier(notifier)),
                Command::Filter(_) | Command::Exclusion { .. } | Command::Capture(_),
            ) => notifier.spoilt = true,
            _ => {}
        }
    }

    pub(super) fn execute(
        &mut self,
        message: &Message,
        payload: &[u8],
        mut descriptors: Vec<SharedFd>,
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
            Command::CounterCpu { len, cpu } => {
                assert_eq!(*len, u64::from(4 * COUNTERS + 2 * COUNTERS.div_ceil(8)));
                let memory = File::from(descriptors[0].try_clone().unwrap());
                assert_eq!(memory.metadata().unwrap().len(), *len, "tracers map as much");
                let Some(Object::Counter(cpus)) = self.objects.get_mut(&handle) else {
                    panic!("{command:?} on what is no counter")
                };
                assert!(cpus.insert(*cpu, descriptors.remove(0)).is_none(), "a CPU's memory twice");
                Ok(0)
            }
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
            Command::EventNotifierGroup => {
                assert!(self.abi >= 9, "an old application has no event notifiers");
                Ok(self.add(Object::Group))
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
            (Object::Group, Command::Counter { .. }) => {
                assert_eq!(CounterConfiguration::decode(payload).unwrap().size, u64::from(COUNTERS));
                assert!(!self.objects.values().any(|object| matches!(object, Object::Counter(_))));
                Ok(self.add(Object::Counter(BTreeMap::new())))
            }
            (Object::Group, Command::EventNotifier { .. }) => {
                let description = EventNotifier::decode(payload).unwrap();
                Ok(self.add(Object::Notifier(Notifier {
                    description,
                    filter: false,
                    exclusions: Vec::new(),
                    captures: 0,
                    enabled: false,
                    spoilt: false,
                })))
            }
            (Object::Notifier(notifier), command) => {
                match command {
                    Command::Filter(bytecode) => {
                        assert!(bytecode.data_size > 0 && bytecode.seqnum == 0);
                        assert!(!std::mem::replace(&mut notifier.filter, true), "a second filter");
                    }
                    Command::Exclusion { count } => {
                        assert!(*count > 0, "an exclusion of nothing is never answered");
                        let names = decode_exclusion_payload(payload).unwrap();
                        notifier.exclusions = names.iter().map(ToString::to_string).collect();
                    }
                    Command::Capture(bytecode) => {
                        assert!(notifier.spoilt || bytecode.seqnum == notifier.captures as u64);
                        notifier.captures += 1;
                    }
                    Command::Enable => notifier.enabled = true,
                    Command::Disable => notifier.enabled = false,
                    other => panic!("{other:?} on an event notifier"),
                }
                Ok(0)
            }
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
                        let key = (rule.name.to_string(), String::new(), Vec::new());
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
                        rule.key.2 =
                            decode_exclusion_payload(payload).unwrap().iter().map(Text::to_string).collect();
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
                        name: name.clone().into(),
                        loglevel: *loglevel,
                        signature: "int, number".into(),
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
            let body = ReplyBody::Tracepoint(Tracepoint { name: name.into(), loglevel });
            return (Reply::ok(handle, command, 0).with_body(body), None);
        }
        let field_name = "number".to_owned();
        let field = TracepointField {
            event_name: name.into(),
            field_name: field_name.into(),
            field_type: 1,
            loglevel,
            nowrite: false,
        };
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
            Object::Notifier(notifier) => {
                assert!(!notifier.enabled || self.fault.is_some(), "released while it tells of events");
                self.remove(handle);
            }
            Object::Rule(_) | Object::List { .. } => self.remove(handle),
            Object::Group | Object::Counter(_) => panic!("they stay to the end"),
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

    pub(super) fn channels_of(&self, session: u32) -> Vec<(u32, &Channel)> {
        let channels = self.objects.iter().filter_map(|(&handle, object)| match object {
            Object::Channel(channel) if channel.session == session => Some((handle, channel)),
            _ => None,
        });
        channels.collect()
    }

    pub(super) fn rules_of(&self, channel: u32) -> Vec<&Rule> {
        let rules = self.objects.values().filter_map(|object| match object {
            Object::Rule(rule) if rule.channel == channel => Some(rule),
            _ => None,
        });
        rules.collect()
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
    Field { name: "number".into(), kind: FieldKind::Integer(integer) }
}

/// Patterns here have a star at their end or none.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}
