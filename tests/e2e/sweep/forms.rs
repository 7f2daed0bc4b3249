// SPDX-License-Identifier: GPL-2.0-only
//! What is sent: for each command, requests as clients make them, and what is left of those when they are zeroed, cut or
//! made longer.

use std::path::Path;

use lttng_protocol::client::{
    Body, Bytecode, Channel, ChannelOutput, Command, Context, Destination, Event, Header, Instrumentation,
    Overwrite, PARAMETERS_LEN, SessionDescriptor, SessionKind, SessionOutput, SnapshotOutput, StreamType,
    TrackerValue, Uri,
};

use lttng_protocol::trigger::Trigger;

use crate::support::asker::Then;
use crate::support::socket::REQUEST_SIZE;

/// Where the parameters are in the fixed part.
const PARAMETERS: usize = 4688;

/// One way to send a command.
#[derive(Clone)]
pub struct Form {
    /// For tables and messages.
    pub name: String,
    /// The parameters of the fixed part.
    parameters: Vec<u8>,
    /// What follows the fixed part.
    payload: Vec<u8>,
    /// How it ends.
    pub then: Then,
    /// No client sends it.
    pub damaged: bool,
}

impl Form {
    fn new(name: &str, parameters: Vec<u8>, payload: Vec<u8>) -> Self {
        Form { name: name.to_owned(), parameters, payload, then: Then::Wait, damaged: false }
    }

    /// One whose parameters say no more than the length of its payload.
    fn of_length(name: &str, payload: Vec<u8>) -> Self {
        let mut parameters = vec![0; PARAMETERS_LEN];
        parameters[..4].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_ne_bytes());
        Form::new(name, parameters, payload)
    }

    fn of(name: &str, body: Body) -> Self {
        let (header, payload) = body.encode("", 0, 0);
        Form::new(name, header.parameters.into_vec(), payload)
    }

    /// The whole request.
    pub fn request(&self, command: u32, session: &str, domain: u32) -> Vec<u8> {
        let mut bytes = fixed_part(command, session, domain);
        bytes[PARAMETERS..PARAMETERS + PARAMETERS_LEN].copy_from_slice(&self.parameters);
        bytes.extend(&self.payload);
        bytes
    }
}

/// The fixed part of a request without parameters.
pub fn fixed_part(command: u32, session: &str, domain: u32) -> Vec<u8> {
    let header = Header {
        command,
        domain_type: domain,
        // Kernel buffers are global, all others are each user's.
        buffer_type: if domain == 1 { 2 } else { 1 },
        ..Header::new(Command::ListSessions, session)
    };
    let bytes = header.encode();
    assert_eq!(bytes.len(), REQUEST_SIZE);
    bytes
}

/// A request as clients make it.
pub fn request(body: &Body, session: &str, domain: u32) -> Vec<u8> {
    let (header, payload) = body.encode(session, domain, 1);
    [header.encode(), payload].concat()
}

/// A session that records to a folder of this machine, or to none and is for snapshots.
pub fn create(name: &str, output: Option<&str>) -> Body {
    let (kind, output) = match output {
        Some(path) => (SessionKind::Regular, SessionOutput::Local(Some(path.to_owned()))),
        None => (SessionKind::Snapshot, SessionOutput::None),
    };
    Body::CreateSession {
        home: None,
        descriptor: SessionDescriptor { kind, name: Some(name.to_owned()), output },
    }
}

/// A channel for user space.
pub fn channel(name: &str) -> Channel {
    Channel {
        name: name.to_owned(),
        enabled: true,
        overwrite: Overwrite::SessionDefault,
        subbuf_size: 16384,
        num_subbuf: 4,
        switch_timer: 0,
        read_timer: 0,
        live_timer: 0,
        output: ChannelOutput::Mmap,
        tracefile_size: 0,
        tracefile_count: 0,
        monitor_timer: 1_000_000,
        blocking_timeout: 0,
        discarded_events: 0,
        lost_packets: 0,
    }
}

/// A rule for tracepoints or loggers.
pub fn rule(name: &str) -> Event {
    Event {
        instrumentation: Instrumentation::Tracepoint,
        loglevel_type: 0,
        loglevel: -1,
        enabled: 0,
        pid: 0,
        flags: 0,
        name: name.into(),
        exclusions: Vec::new(),
        filter: None,
        bytecode: None,
    }
}

/// Adds rule `name` to `channel`.
pub fn enable_event(channel: &str, event: Event) -> Body {
    Body::EnableEvent { channel: channel.to_owned(), event }
}

/// What requests are about.
#[derive(Clone, Copy, Default)]
pub struct Matter<'a> {
    /// A folder that the client may write to.
    pub dir: &'a str,
    /// The name of a session that does not exist.
    pub fresh: &'a str,
    /// The client's user.
    pub uid: u32,
}

/// All forms of a command.
pub fn all(command: u32, matter: Matter<'_>) -> Vec<Form> {
    let none = Form::new("none", vec![0; PARAMETERS_LEN], Vec::new());
    let ones = Form::new("ones", vec![0xff; PARAMETERS_LEN], Vec::new());
    let right = right(command, matter);
    let mut forms = Vec::new();
    match right.first() {
        Some(first) if !first.payload.is_empty() => forms.extend(damaged(command, first)),
        _ if Command::from_number(command).is_some() && !carries_payload(command) => forms.push(ones),
        _ => {}
    }
    forms.iter_mut().for_each(|form| form.damaged = true);
    forms.extend(right);
    let damaged = carries_payload(command);
    forms.push(Form { damaged, ..none });
    forms
}

fn carries_payload(command: u32) -> bool {
    length_at(command).is_some()
}

/// Where a command says how long its payload is, and in how many bytes.
fn length_at(command: u32) -> Option<(usize, usize)> {
    match command {
        0 | 3 | 6 => Some((256, 4)),
        5 | 21 | 43 | 44 | 52 => Some((0, 4)),
        32 | 33 => Some((16, 4)),
        49 => Some((2, 8)),
        _ => None,
    }
}

/// What is left of a request with a payload.
fn damaged(command: u32, right: &Form) -> Vec<Form> {
    let length = right.payload.len();
    let with_payload = |name: &str, payload: Vec<u8>| {
        let mut form = Form::new(name, right.parameters.clone(), payload);
        let (at, size) = length_at(command).unwrap();
        // URIs are counted, not measured.
        if command != 21 {
            let length = u64::try_from(form.payload.len()).unwrap().to_ne_bytes();
            form.parameters[at..at + size].copy_from_slice(&length[..size]);
        }
        form
    };
    let mut forms = vec![with_payload("zeros", vec![0; length])];
    if command != 21 {
        forms.push(with_payload("short", right.payload[..length / 2].to_vec()));
        forms.push(with_payload("one byte", vec![1]));
        forms.push(with_payload("longer", [&right.payload[..], &[0]].concat()));
    }
    forms.push(Form { then: Then::End, payload: right.payload[..length / 2].to_vec(), ..right.clone() });
    forms.last_mut().unwrap().name = "cut off".to_owned();
    forms
}

fn vector(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/tests/vectors/trigger");
    std::fs::read(folder.join(name)).unwrap()
}

/// A trigger as it was recorded, but for whose it is.
fn trigger(name: &str, file: &str, uid: u32) -> Form {
    let recorded = Trigger::decode_payload(&vector(file), 0).unwrap();
    let payload = Trigger { owner: uid, ..recorded }.encode_payload();
    Form::of_length(name, payload)
}

/// The trigger that is registered when one is removed or asked for its errors.
pub fn known_trigger(uid: u32) -> Form {
    trigger("known", "register-er-user-tracepoint-min.bin", uid)
}

/// A question about a trigger that is not registered.
fn recorded_query(name: &str, file: &str) -> Form {
    Form::of_length(name, vector(file))
}

/// A question about the one that is.
fn error_query(name: &str, target: u8, uid: u32) -> Form {
    Form::of_length(name, [&[target], &known_trigger(uid).payload[..]].concat())
}

fn output(id: u32, name: &str, url: &str) -> SnapshotOutput {
    SnapshotOutput {
        id,
        max_size: None,
        name: name.to_owned(),
        control_url: url.to_owned(),
        data_url: String::new(),
    }
}

fn path_uri(path: &str) -> Uri {
    Uri {
        destination: Destination::Path(path.to_owned()),
        stream: StreamType::Control,
        port: 0,
        subdir: String::new(),
    }
}

/// Requests as clients make them, some of which make no sense.
fn right(command: u32, matter: Matter<'_>) -> Vec<Form> {
    let Matter { dir, fresh, uid } = matter;
    let Some(command) = Command::from_number(command) else { return Vec::new() };
    match command {
        Command::AddContext => {
            let add =
                |channel: &str, context: Context| Body::AddContext { channel: channel.to_owned(), context };
            vec![
                Form::of("in c", add("c", Context::Plain(5))),
                Form::of("in all", add("", Context::Plain(5))),
                Form::of("in an unknown one", add("unknown", Context::Plain(5))),
                Form::of("of the kernel", add("c", Context::Plain(3))),
                Form::of("unknown", add("c", Context::Plain(99))),
            ]
        }
        Command::DisableChannel => ["c", "unknown"]
            .map(|name| Form::of(name, Body::DisableChannel { channel: name.to_owned() }))
            .to_vec(),
        Command::ListEvents => ["c", "unknown"]
            .map(|name| Form::of(name, Body::ListEvents { channel: name.to_owned() }))
            .to_vec(),
        Command::EnableChannel => {
            let of = |name: &str, channel: Channel| Form::of(name, Body::EnableChannel(channel));
            vec![
                of("c", channel("c")),
                of("d", channel("d")),
                of("of metadata", channel("metadata")),
                of("odd size", Channel { subbuf_size: 1000, ..channel("d") }),
                of("no buffers", Channel { num_subbuf: 0, ..channel("d") }),
                of("a live timer", Channel { live_timer: 1000, ..channel("d") }),
                of("spliced", Channel { output: ChannelOutput::Splice, ..channel("d") }),
            ]
        }
        Command::EnableEvent => enable_events(),
        Command::DisableEvent => {
            let of = |name: &str, channel: &str, event: &str| {
                let event = rule(event);
                Form::of(name, Body::DisableEvent { channel: channel.to_owned(), event })
            };
            let all = Event { instrumentation: Instrumentation::All, ..rule("") };
            let odd = Event { loglevel_type: 1, loglevel: 3, ..rule("a:b") };
            let disable = |event: Event| Body::DisableEvent { channel: "c".to_owned(), event };
            vec![
                of("a:b", "c", "a:b"),
                of("unknown", "c", "a:unknown"),
                of("no channel", "", "a:b"),
                of("unknown channel", "unknown", "a:b"),
                Form::of("all", disable(all)),
                Form::of("with a level", disable(odd)),
            ]
        }
        Command::SetConsumerUri => {
            let set = |paths: &[&str]| {
                let uris = paths.iter().map(|path| path_uri(path)).collect();
                Body::SetConsumerUri { uris }
            };
            vec![
                Form::of("a folder", set(&[&format!("{dir}/uri")])),
                Form::of("two folders", set(&[dir, dir])),
            ]
        }
        Command::RegisterConsumer => {
            let mut parameters = vec![0; PARAMETERS_LEN];
            parameters[..8].copy_from_slice(b"/nowhere");
            vec![Form::new("nowhere", parameters, Vec::new())]
        }
        Command::SnapshotAddOutput | Command::SnapshotDelOutput | Command::SnapshotRecord => {
            let of = |name: &str, output: SnapshotOutput| {
                let output = Box::new(output);
                let body = match command {
                    Command::SnapshotAddOutput => Body::SnapshotAddOutput(output),
                    Command::SnapshotDelOutput => Body::SnapshotDelOutput(output),
                    _ => Body::SnapshotRecord(output),
                };
                Form::of(name, body)
            };
            vec![
                of("a folder", output(0, "", &format!("{dir}/snapshot"))),
                of("named", output(0, "named", &format!("{dir}/snapshot"))),
                of("number 1", output(1, "", "")),
                of("an unknown scheme", output(0, "", "gopher://127.0.0.1")),
            ]
        }
        Command::SaveSession => vec![save("all", "", dir), save("an unknown one", "unknown", dir)],
        Command::TrackerAddValue | Command::TrackerRemoveValue => track(command),
        Command::TrackerGetPolicy => trackers(|attribute| Body::TrackerPolicy { attribute }),
        Command::TrackerGetInclusionSet => trackers(|attribute| Body::TrackerSet { attribute }),
        Command::TrackerSetPolicy => [0, 1, 2, 3, -1]
            .iter()
            .flat_map(|&policy| trackers(|attribute| Body::TrackerSetPolicy { attribute, policy }))
            .zip(0..)
            .map(|(form, at)| Form { name: format!("{} to {}", form.name, at / 4), ..form })
            .collect(),
        Command::SetShmPath => {
            vec![Form::of("a folder", Body::SetShmPath { path: format!("{dir}/shm") })]
        }
        Command::RegisterTrigger | Command::UnregisterTrigger => vec![
            known_trigger(uid),
            trigger("about a session", "register-cond-rotation-completed.bin", uid),
            trigger("about buffers", "register-cond-buffer-low-ratio.bin", uid),
            trigger("about the kernel", "register-er-kernel-tracepoint.bin", uid),
            trigger("about loggers", "register-er-jul-logging-min.bin", uid),
        ],
        Command::ExecuteErrorQuery => vec![
            recorded_query("of a trigger", "error-query-trigger.request-payload.bin"),
            recorded_query("of a condition", "error-query-condition.request-payload.bin"),
            recorded_query("of an action", "error-query-action.request-payload.bin"),
            error_query("of the known one", 0, uid),
            error_query("of its condition", 1, uid),
            error_query("of an unknown part", 7, uid),
        ],
        Command::RotationGetInfo => {
            [0, 1].map(|id| Form::of(&format!("number {id}"), Body::RotationInfo { id })).to_vec()
        }
        Command::RotationSetSchedule => {
            let of = |name: &str, kind: u8, set: bool, value: u64| {
                Form::of(name, Body::SetRotationSchedule { kind, set, value })
            };
            vec![
                of("size", 0, true, 1 << 30),
                of("period", 1, true, 3_600_000_000),
                of("no size", 0, false, 1 << 30),
                of("no period", 1, false, 3_600_000_000),
                of("size 0", 0, true, 0),
                of("period 0", 1, true, 0),
                of("unknown", 9, true, 1),
            ]
        }
        Command::CreateSessionExt => creations(dir, fresh),
        _ => Vec::new(),
    }
}

fn enable_events() -> Vec<Form> {
    let levels = |kind: i8, level: i32| Event { loglevel_type: kind, loglevel: level, ..rule("a:level") };
    let of_kind = |instrumentation: Instrumentation| Event { instrumentation, ..rule("a:kind") };
    let bytecode = Bytecode { reloc_offset: 0, seqnum: 0, data: vec![0; 8] };
    let filtered = Event { filter: Some("1 == 1".into()), ..rule("a:filter") };
    let excluding = Event { exclusions: vec!["a:x".into()], ..rule("a:*") };
    vec![
        Form::of("a:b", enable_event("c", rule("a:b"))),
        Form::of("another", enable_event("c", rule("a:c"))),
        Form::of("no channel", enable_event("", rule("a:c"))),
        Form::of("unknown channel", enable_event("unknown", rule("a:c"))),
        Form::of("channel of metadata", enable_event("metadata", rule("a:c"))),
        Form::of("no name", enable_event("c", rule(""))),
        Form::of("reserved", enable_event("c", rule("lttng_jul:tick"))),
        Form::of("level", enable_event("c", levels(1, 4))),
        Form::of("one level", enable_event("c", levels(2, 4))),
        Form::of("unknown kind of level", enable_event("c", levels(3, 4))),
        Form::of("unknown level", enable_event("c", levels(1, 400))),
        Form::of("all", enable_event("c", of_kind(Instrumentation::All))),
        Form::of("system call", enable_event("c", of_kind(Instrumentation::Syscall))),
        Form::of("noop", enable_event("c", of_kind(Instrumentation::Noop))),
        Form::of("excluding", enable_event("c", excluding)),
        Form::of("filter without code", enable_event("c", filtered.clone())),
        Form::of("code that is none", enable_event("c", Event { bytecode: Some(bytecode), ..filtered })),
    ]
}

/// A request to save a session, which nothing here makes.
fn save(name: &str, session: &str, dir: &str) -> Form {
    let mut parameters = vec![0; PARAMETERS_LEN];
    parameters[..session.len()].copy_from_slice(session.as_bytes());
    let path = format!("{dir}/saved");
    parameters[255..255 + path.len()].copy_from_slice(path.as_bytes());
    parameters[4351] = 1;
    Form::new(name, parameters, Vec::new())
}

fn track(command: Command) -> Vec<Form> {
    let of = |name: &str, attribute: i32, value: TrackerValue| match command {
        Command::TrackerAddValue => Form::of(name, Body::TrackerAdd { attribute, value }),
        _ => Form::of(name, Body::TrackerRemove { attribute, value }),
    };
    vec![
        of("a user's name", 3, TrackerValue::UserName("root".to_owned())),
        of("a process", 1, TrackerValue::Pid(7)),
        of("a user", 3, TrackerValue::Uid(0)),
        of("a group", 5, TrackerValue::Gid(0)),
        of("a process of the kernel", 0, TrackerValue::Pid(7)),
        of("a user as process", 1, TrackerValue::Uid(7)),
        of("an unknown user", 3, TrackerValue::UserName("nobody-at-all".to_owned())),
        of("an unknown group", 5, TrackerValue::GroupName("nobody-at-all".to_owned())),
        of("an unknown attribute", 9, TrackerValue::Pid(7)),
    ]
}

fn trackers(body: impl Fn(i32) -> Body) -> Vec<Form> {
    [(1, "processes"), (0, "processes of the kernel"), (3, "users"), (9, "unknown")]
        .map(|(attribute, name)| Form::of(name, body(attribute)))
        .to_vec()
}

fn creations(dir: &str, fresh: &str) -> Vec<Form> {
    let of = |name: &str, home: Option<&str>, descriptor: SessionDescriptor| {
        Form::of(name, Body::CreateSession { home: home.map(str::to_owned), descriptor })
    };
    let named = |kind: SessionKind, output: SessionOutput| SessionDescriptor {
        kind,
        name: Some(fresh.to_owned()),
        output,
    };
    let local = || SessionOutput::Local(Some(format!("{dir}/{fresh}")));
    vec![
        of("a folder", None, named(SessionKind::Regular, local())),
        of("its home", Some(dir), named(SessionKind::Regular, SessionOutput::Local(None))),
        of("a home that is none", Some("home"), named(SessionKind::Regular, SessionOutput::Local(None))),
        of("no home", None, named(SessionKind::Regular, SessionOutput::Local(None))),
        of("no output", None, named(SessionKind::Regular, SessionOutput::None)),
        of("for snapshots", None, named(SessionKind::Snapshot, SessionOutput::None)),
        of("live", None, named(SessionKind::Live { timer: 1_000_000 }, SessionOutput::None)),
        of("live in a folder", None, named(SessionKind::Live { timer: 1_000_000 }, local())),
        of("live without timer", None, named(SessionKind::Live { timer: 0 }, SessionOutput::None)),
        of("to a relay daemon", None, named(SessionKind::Regular, SessionOutput::Network(None))),
        of(
            "with a bad name",
            None,
            SessionDescriptor { name: Some("a/b".to_owned()), ..named(SessionKind::Regular, local()) },
        ),
    ]
}
