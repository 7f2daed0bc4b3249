// SPDX-License-Identifier: GPL-2.0-only
//! Simulated clients, and the requests that they make.

pub mod kernel;

use lttng_protocol::client::{
    Body, BufferType, Bytecode, Channel, ChannelOutput, Command, Context, Domain, Event, Header,
    Instrumentation, NetworkOutput, Overwrite, Reply, ScheduleKind, SessionDescriptor, SessionKind,
    SessionOutput, SnapshotOutput, TrackerValue,
};

use lttng_protocol::expression::EventExpression;
use lttng_protocol::trigger::{
    Action, Condition, ErrorQuery, ErrorQueryTarget, EventRule, RatePolicy, Trigger,
};

use crate::wire::Segment;
use crate::world::USER;
use lttng_sessiond::turn::ids::ConnId;
use lttng_sessiond::turn::output::SharedFd;

/// `LTTNG_PROCESS_ATTR_VIRTUAL_USER_ID` and `LTTNG_TRACKING_POLICY_INCLUDE_SET`.
const VIRTUAL_USER_ID: i32 = 3;
const INCLUDE_SET: i32 = 2;

#[derive(Debug)]
pub struct Client {
    pub conn: ConnId,
    received: Vec<u8>,
    /// The daemon has closed the connection.
    pub ended: bool,
    /// It left without waiting for a reply.
    pub left: bool,
    /// What it was handed.
    pub descriptors: Vec<SharedFd>,
}

impl Client {
    pub fn new(conn: ConnId) -> Self {
        Client { conn, received: Vec::new(), ended: false, left: false, descriptors: Vec::new() }
    }

    pub fn received(&mut self, segment: Segment) {
        if segment.descriptors.is_empty() {
            return self.received.extend(segment.bytes);
        }
        assert_eq!(segment.bytes, [0], "one byte with all descriptors");
        assert!(self.descriptors.is_empty());
        self.descriptors = segment.descriptors;
    }

    /// All that it was sent, once the daemon has closed the connection. What is none of commands is no [`Reply`].
    pub fn bytes(&self) -> &[u8] {
        assert!(self.ended, "the connection is still there");
        &self.received
    }

    /// The one reply, once the daemon has closed the connection. `None` if it closed without one.
    pub fn reply(&self) -> Option<Reply> {
        assert!(self.ended, "no reply, and the connection is still there");
        (!self.received.is_empty()).then(|| Reply::decode(&self.received).expect("exactly one reply"))
    }
}

/// A request: what travels first, and what follows.
#[derive(Debug, Clone)]
pub struct Request {
    pub header: Header,
    pub payload: Vec<u8>,
}

impl Request {
    pub fn bytes(&self) -> Vec<u8> {
        [self.header.encode(), self.payload.clone()].concat()
    }
}

fn request(session: &str, domain: Option<Domain>, body: &Body) -> Request {
    let domain = domain.map_or(0, Domain::number);
    let (header, payload) = body.encode(session, domain, BufferType::PerUid.number());
    Request { header, payload }
}

pub fn create(session: &str) -> Request {
    let descriptor = SessionDescriptor {
        kind: SessionKind::Regular,
        name: Some(session.to_owned()),
        output: SessionOutput::Local(Some(format!("/traces/{session}"))),
    };
    request("", None, &Body::CreateSession { home: None, descriptor })
}

/// A session that records to a relay daemon, live if a timer is given.
pub fn create_remote(session: &str, live: Option<u64>) -> Request {
    let descriptor = SessionDescriptor {
        kind: live.map_or(SessionKind::Regular, |timer| SessionKind::Live { timer }),
        name: Some(session.to_owned()),
        output: SessionOutput::Network(Some(Box::new(NetworkOutput::local()))),
    };
    request("", None, &Body::CreateSession { home: None, descriptor })
}

/// A session that keeps its data for snapshots, which go to a folder of its name.
pub fn create_for_snapshots(session: &str) -> Request {
    let descriptor = SessionDescriptor {
        kind: SessionKind::Snapshot,
        name: Some(session.to_owned()),
        output: SessionOutput::Local(Some(format!("/snapshots/{session}"))),
    };
    request("", None, &Body::CreateSession { home: None, descriptor })
}

/// An output for snapshots, or what a request says of one, without a URL.
pub fn output() -> SnapshotOutput {
    SnapshotOutput {
        id: 0,
        max_size: None,
        name: String::new(),
        control_url: String::new(),
        data_url: String::new(),
    }
}

pub fn add_output(session: &str, output: SnapshotOutput) -> Request {
    request(session, None, &Body::SnapshotAddOutput(Box::new(output)))
}

pub fn remove_output(session: &str, output: SnapshotOutput) -> Request {
    request(session, None, &Body::SnapshotDelOutput(Box::new(output)))
}

pub fn list_outputs(session: &str) -> Request {
    request(session, None, &Body::SnapshotListOutput)
}

pub fn record_snapshot(session: &str, output: SnapshotOutput) -> Request {
    request(session, None, &Body::SnapshotRecord(Box::new(output)))
}

/// Has the session keep its buffers in this folder.
pub fn set_shm_path(session: &str, path: &str) -> Request {
    request(session, None, &Body::SetShmPath { path: path.to_owned() })
}

/// The same with buffers of each process.
pub fn per_process(request: Request) -> Request {
    let header = Header { buffer_type: BufferType::PerPid.number(), ..request.header };
    Request { header, ..request }
}

pub fn channel(name: &str) -> Channel {
    Channel {
        name: name.to_owned(),
        enabled: true,
        overwrite: Overwrite::Discard,
        subbuf_size: 4096,
        num_subbuf: 4,
        switch_timer: 0,
        read_timer: 0,
        output: ChannelOutput::Mmap,
        tracefile_size: 0,
        tracefile_count: 0,
        live_timer: u32::MAX,
        discarded_events: 0,
        lost_packets: 0,
        monitor_timer: 1_000_000,
        blocking_timeout: 0,
    }
}

/// A channel whose buffers each process has for itself.
pub fn enable_channel_per_process(session: &str, name: &str) -> Request {
    let domain = Domain::Ust.number();
    let body = Body::EnableChannel(channel(name));
    let (header, payload) = body.encode(session, domain, BufferType::PerPid.number());
    Request { header, payload }
}

pub fn enable_channel(session: &str, name: &str) -> Request {
    request(session, Some(Domain::Ust), &Body::EnableChannel(channel(name)))
}

pub fn disable_channel(session: &str, name: &str) -> Request {
    request(session, Some(Domain::Ust), &Body::DisableChannel { channel: name.to_owned() })
}

/// Adds the process id to each event.
pub fn add_context(session: &str, channel: &str) -> Request {
    let context = Context::Plain(5);
    request(session, Some(Domain::Ust), &Body::AddContext { channel: channel.to_owned(), context })
}

pub fn rule(name: &str) -> Event {
    Event { enabled: 0, ..Event::tracepoint(name) }
}

/// A rule with a filter. Its bytecode compares a field of the filter's name with a number: another filter has another.
pub fn filtered(name: &str, filter: &str) -> Event {
    // Load the field, load the number, greater than, return; then the field's name for the linker.
    let mut data = vec![0x3b, 0xff, 0xff, 0x41];
    data.extend(i64::try_from(filter.len()).unwrap().to_ne_bytes());
    data.extend([0x0e, 0x01, 0, 0]);
    data.extend(filter.as_bytes());
    data.push(0);
    let bytecode = Bytecode { reloc_offset: 14, seqnum: 0, data };
    Event { filter: Some(filter.into()), bytecode: Some(bytecode), ..rule(name) }
}

/// A rule with hardly a longer filter: a field is compared, and what comes of it, again and again.
pub fn filtered_at_length(name: &str) -> Event {
    let comparison = [&[0x41][..], &7_i64.to_ne_bytes(), &[0x0e]].concat();
    let mut data = [&[0x3b, 0xff, 0xff][..], &comparison.repeat(6_550), &[0x01]].concat();
    let reloc_offset = u32::try_from(data.len()).unwrap();
    data.extend([&[0, 0][..], b"number\0"].concat());
    let bytecode = Bytecode { reloc_offset, seqnum: 0, data };
    Event { filter: Some("number > 7 > 7".into()), bytecode: Some(bytecode), ..rule(name) }
}

pub fn excluding(name: &str, exclusion: &str) -> Event {
    Event { exclusions: vec![exclusion.into()], ..rule(name) }
}

pub fn enable_event(session: &str, channel: &str, event: Event) -> Request {
    request(session, Some(Domain::Ust), &Body::EnableEvent { channel: channel.to_owned(), event })
}

/// Disables the rules of this name, or all of them.
pub fn disable_event(session: &str, channel: &str, name: &str) -> Request {
    let event = Event { instrumentation: Instrumentation::All, loglevel: -1, ..rule(name) };
    request(session, Some(Domain::Ust), &Body::DisableEvent { channel: channel.to_owned(), event })
}

/// A rule about loggers. As clients do it, the filter of one about some of them picks these.
pub fn enable_logger(session: &str, domain: Domain, event: Event) -> Request {
    let name = event.name.to_string();
    let event = if name == "*" || event.filter.is_some() { event } else { filtered(&name, &name) };
    let event = Event { loglevel_type: 0, loglevel: i32::MIN, ..event };
    request(session, Some(domain), &Body::EnableEvent { channel: String::new(), event })
}

/// Disables the rules about the loggers of this name, or all of them.
pub fn disable_logger(session: &str, domain: Domain, name: &str) -> Request {
    let event = Event { instrumentation: Instrumentation::All, loglevel: -1, ..rule(name) };
    request(session, Some(domain), &Body::DisableEvent { channel: String::new(), event })
}

pub fn list_loggers(domain: Domain) -> Request {
    request("", Some(domain), &Body::ListTracepoints)
}

pub fn start(session: &str) -> Request {
    request(session, None, &Body::StartTrace)
}

pub fn stop(session: &str) -> Request {
    request(session, None, &Body::StopTrace)
}

pub fn destroy(session: &str) -> Request {
    request(session, None, &Body::DestroySession)
}

pub fn data_pending(session: &str) -> Request {
    request(session, None, &Body::DataPending)
}

pub fn rotate(session: &str) -> Request {
    request(session, None, &Body::RotateSession)
}

pub fn rotation_info(session: &str, id: u64) -> Request {
    request(session, None, &Body::RotationInfo { id })
}

pub fn schedule(session: &str, kind: ScheduleKind, set: bool, value: u64) -> Request {
    request(session, None, &Body::SetRotationSchedule { kind: kind.number(), set, value })
}

pub fn clear(session: &str) -> Request {
    request(session, None, &Body::ClearSession)
}

/// Saves one session, or all.
pub fn save(session: Option<&str>, overwrite: bool) -> Request {
    let session = session.map(str::to_owned);
    let body = Body::SaveSession { session, directory: Some("/saved".to_owned()), overwrite };
    request("", None, &body)
}

pub fn list_sessions() -> Request {
    request("", None, &Body::ListSessions)
}

pub fn list_channels(session: &str) -> Request {
    request(session, Some(Domain::Ust), &Body::ListChannels)
}

pub fn list_rules(session: &str, channel: &str) -> Request {
    request(session, Some(Domain::Ust), &Body::ListEvents { channel: channel.to_owned() })
}

pub fn list_tracepoints() -> Request {
    request("", Some(Domain::Ust), &Body::ListTracepoints)
}

pub fn list_fields() -> Request {
    request("", Some(Domain::Ust), &Body::ListTracepointFields)
}

/// Has a session follow a user, and nobody that it is not told of.
pub fn track(session: &str, uid: u32) -> [Request; 2] {
    let (attribute, ust) = (VIRTUAL_USER_ID, Some(Domain::Ust));
    [
        request(session, ust, &Body::TrackerSetPolicy { attribute, policy: INCLUDE_SET }),
        request(session, ust, &Body::TrackerAdd { attribute, value: TrackerValue::Uid(uid.into()) }),
    ]
}

/// A command by its number, with nothing in it.
pub fn bare(number: u32, session: &str, domain: u32) -> Request {
    let header = Header {
        command: number,
        domain_type: domain,
        buffer_type: BufferType::PerUid.number(),
        ..Header::new(Command::ListSessions, session)
    };
    Request { header, payload: Vec::new() }
}

/// A trigger of the user that the others in these tests are of, too.
pub fn trigger(name: &str, condition: Condition, action: Action) -> Trigger {
    Trigger { owner: USER, name: Some(name.to_owned()), hidden: false, condition, action }
}

pub fn register(trigger: &Trigger) -> Request {
    let trigger = Box::new(trigger.clone());
    request("", None, &Body::RegisterTrigger { trigger, anonymous: false })
}

pub fn unregister(trigger: &Trigger) -> Request {
    request("", None, &Body::UnregisterTrigger(Box::new(trigger.clone())))
}

/// Asks how often each of a trigger's actions has failed.
pub fn failures(trigger: &Trigger) -> Request {
    let query = ErrorQuery { target: ErrorQueryTarget::Action(Vec::new()), trigger: trigger.clone() };
    request("", None, &Body::ErrorQuery(Box::new(query)))
}

/// A trigger that tells those who have subscribed.
pub fn notifying(name: &str, condition: Condition) -> Trigger {
    trigger(name, condition, Action::Notify { rate: RatePolicy::default() })
}

/// A condition on events: with a filter, an exclusion and two captures, or without anything.
pub fn matching(pattern: &str, all: bool) -> Condition {
    let field = |name: &str| EventExpression::PayloadField(name.to_owned());
    let rule = EventRule::UserTracepoint {
        pattern: pattern.into(),
        filter: all.then(|| "number > 3".into()),
        log_level: None,
        exclusions: if all { vec!["app:two".into()] } else { Vec::new() },
    };
    let captures = if all { vec![field("number"), field("text")] } else { Vec::new() };
    Condition::EventRuleMatches { rule, captures }
}

pub fn list_triggers() -> Request {
    request("", None, &Body::ListTriggers)
}

/// Asks how many events applications could not tell.
pub fn untold(trigger: &Trigger) -> Request {
    let query = ErrorQuery { target: ErrorQueryTarget::Condition, trigger: trigger.clone() };
    request("", None, &Body::ErrorQuery(Box::new(query)))
}
