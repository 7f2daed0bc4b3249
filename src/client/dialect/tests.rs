// SPDX-License-Identifier: GPL-2.0-only
//! A second dialect, which serves what a stock client of LTTng 2.16 was recorded to send: a column of numbers and the
//! layouts that differ from those of 2.13, and not one line in a command.

use std::path::PathBuf;
use std::time::Instant;

use lttng_protocol::client::{Body, Event, SessionDescriptor, SessionKind as WireKind};
use lttng_protocol::{Reader, Writer};

use super::*;
use crate::client::Clients;
use crate::model::{LogLevels, Output as SessionOutput};
use crate::operation::tasks::Tasks;
use crate::state::{Settings, State};
use crate::sys::socket::Credentials;
use crate::trigger::Triggers;
use crate::turn::ids::ConnId;
use crate::turn::machine::Attached;
use crate::turn::output::Output;

/// What clients of 2.16 speak, as far as this test goes. Layouts: each as the recorded bytes have it.
#[derive(Debug)]
struct V2_16;

impl Dialect for V2_16 {
    fn command(&self, number: u32) -> Option<Command> {
        match number {
            6 => Some(Command::EnableEvent),
            11 => Some(Command::ListSessions),
            39 => Some(Command::CreateSessionExt),
            _ => None,
        }
    }

    fn decode(&self, command: Command, header: &Header, payload: &[u8]) -> Result<Action, ErrorCode> {
        let body = match command {
            Command::CreateSessionExt => create(payload),
            Command::EnableEvent => enable_event(header, payload),
            _ => client::decode_body_of(command, header, payload)?,
        };
        decode::action(header, body)
    }

    fn encode(&self, tag: Tag, result: Result<Answer, ErrorCode>) -> Encoded {
        // The replies of two commands have other payloads.
        let (payload, result) = match result {
            Ok(Answer::Sessions(sessions)) => {
                let mut writer = Writer::default();
                let (reply, _) = encode::reply(tag, Ok(Answer::Sessions(sessions.clone())));
                let first = reply.payload.len() / 4385 * 4376;
                writer.bytes(&reply.payload[..first]);
                for session in sessions {
                    writer.u64(session.created.cast_unsigned()).u8(1);
                    writer.fixed_string(session.shm_path.as_deref().unwrap_or_default(), 4096).u8(2);
                }
                (Some(writer.into_bytes()), Ok(Answer::Done))
            }
            Ok(Answer::Created { kind, name, output }) => {
                let (reply, _) = encode::reply(tag, Ok(Answer::Created { kind, name, output }));
                let (kinds, rest) = reply.payload.split_at(2);
                (Some([kinds, &[0], rest].concat()), Ok(Answer::Done))
            }
            result => (None, result),
        };
        let (reply, follows) = encode::reply(tag, result);
        self.encode_reply(&Reply { payload: payload.unwrap_or(reply.payload), ..reply }, follows)
    }

    /// The header has no `pid`.
    fn encode_reply(&self, reply: &Reply, follows: Follows) -> Encoded {
        let mut bytes = reply.encode_begin(follows.length());
        bytes.drain(8..12);
        Encoded { begin: bytes, follows }
    }
}

/// The descriptor has a trace format, at 2. No home directory is sent.
fn create(payload: &[u8]) -> Body {
    let like_2_13 = [&payload[..2], &payload[3..]].concat();
    let descriptor = SessionDescriptor::decode(&mut Reader::new("descriptor", &like_2_13)).unwrap();
    Body::CreateSession { home: None, descriptor }
}

/// The header of the bytecode has 16 bytes more of nothing, and the event is followed by an event rule that says the same.
fn enable_event(header: &Header, payload: &[u8]) -> Body {
    let number = |at: usize| u32::from_ne_bytes(payload[at..at + 4].try_into().unwrap()) as usize;
    let (name, filter, bytecode) = (number(15), number(23), number(27));
    let at = 43 + name + filter;
    let mut like_2_13 = [&payload[..at + 48], &payload[at + 64..at + bytecode]].concat();
    like_2_13[27..31].copy_from_slice(&u32::try_from(bytecode - 16).unwrap().to_ne_bytes());
    let event = Event::decode(&mut Reader::new("event", &like_2_13)).unwrap();
    let channel =
        String::from_utf8(header.parameters.iter().copied().take_while(|&byte| byte != 0).collect());
    Body::EnableEvent { channel: channel.unwrap(), event }
}

fn recorded(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("protocol/tests/vectors/dialect-2.16");
    std::fs::read(folder.join(name)).unwrap()
}

/// Clients that speak 2.16, one after the other, at a daemon.
struct Desk {
    state: State,
    triggers: Triggers,
    tasks: Tasks,
    clients: Clients,
    next: u64,
}

impl Desk {
    /// A daemon at the time at which the replies were recorded.
    fn new(wall: i64) -> Self {
        let settings = Settings::for_tests();
        let state = State::new(settings, Instant::now(), wall);
        let triggers = Triggers::new(1, 1);
        Desk { state, triggers, tasks: Tasks::default(), clients: Clients::default(), next: 0 }
    }

    fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        let conn = ConnId(self.next);
        self.next += 1;
        let credentials = Credentials { pid: 1, uid: 1000, gid: 1000 };
        self.clients.accepted_as(&V2_16, &mut self.state, conn, credentials);
        let Desk { state, triggers, tasks, clients, .. } = self;
        clients.received(state, triggers, tasks, conn, request, Attached::default());
        let outputs = self.state.turn.outputs.take();
        let sent = outputs.iter().find_map(|output| match output {
            Output::Send { to, bytes, .. } if *to == conn => Some(bytes.clone()),
            _ => None,
        });
        sent.expect("a reply")
    }
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "the byte order of x86-64")]
fn recorded_requests_of_2_16_are_answered_as_recorded() {
    let list = recorded("list.reply");
    let created = u64::from_ne_bytes(list[20 + 4376..20 + 4384].try_into().unwrap());
    let mut desk = Desk::new(i64::try_from(created).unwrap());

    assert_eq!(desk.ask(&recorded("create.request")), recorded("create.reply"));
    assert_eq!(desk.ask(&recorded("enable-event.request")), recorded("enable-event.reply"));
    // The session had been started when it was listed.
    let session = desk.state.sessions.find("demo").unwrap().id;
    desk.state.record(session).unwrap().start(std::time::Instant::now());
    assert_eq!(desk.ask(&recorded("list.request")), list);

    let session = desk.state.sessions.get(session).unwrap();
    assert_eq!(session.wanted.output, SessionOutput::Local("/home/user/lttng-trace".to_owned()));
    let rule = &session.channels()[0].rules[0];
    assert_eq!((session.channels()[0].name.as_str(), &rule.name), ("ch1", &"lttng_ust_libc:*".into()));
    assert_eq!(rule.levels, LogLevels::AtLeast(6));
    assert_eq!(rule.filter.as_ref().unwrap().expression, "size > 0");
    assert_eq!(rule.filter.as_ref().unwrap().bytecode.len(), 21);
}

/// Numbers of 2.13 mean something else in 2.16, or nothing, and the other way round.
#[test]
fn a_number_means_what_it_means_in_the_dialect_of_its_client() {
    let mut desk = Desk::new(0);
    let unknown = Header { command: 13, ..Header::new(Command::ListSessions, "") }.encode();
    let reply = desk.ask(&unknown);
    assert_eq!(reply.len(), 20);
    assert_eq!(reply[4..8], ErrorCode::Und.number().to_ne_bytes());
    assert_eq!(V2_13.command(13), Some(Command::ListSessions));
    assert_eq!(V2_13.command(39), None);
}

/// What is asked for is not lost on its way: each command becomes the action that is named after it.
#[test]
fn each_command_of_2_13_becomes_its_action() {
    for &command in Command::ALL {
        let header = Header::new(command, "");
        let bytes = match command {
            Command::CreateSessionExt => {
                let (name, output) = (None, lttng_protocol::client::SessionOutput::None);
                let descriptor = SessionDescriptor { kind: WireKind::Regular, name, output };
                let (_, payload) = Body::CreateSession { home: None, descriptor }.encode("", 0, 0);
                payload
            }
            // These carry what all zeros can't be.
            Command::AddContext
            | Command::EnableChannel
            | Command::EnableEvent
            | Command::DisableEvent
            | Command::SetConsumerUri
            | Command::TrackerAddValue
            | Command::TrackerRemoveValue
            | Command::RegisterTrigger
            | Command::UnregisterTrigger
            | Command::ExecuteErrorQuery => continue,
            _ => Vec::new(),
        };
        let header = match command {
            Command::CreateSessionExt => {
                let mut header = header;
                header.parameters[2..10].copy_from_slice(&(bytes.len() as u64).to_ne_bytes());
                header
            }
            _ => header,
        };
        let action = V2_13.decode(command, &header, &bytes);
        assert_eq!(action.map(|action| action.command()), Ok(command));
    }
}
