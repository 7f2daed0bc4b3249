// SPDX-License-Identifier: GPL-2.0-only
//! The wire formats of LTTng 2.13: bytes to typed messages and back.
//!
//! LTTng is a tracer for Linux. Its *session daemon* is asked by clients (the `lttng` command) to record events, and has
//! instrumented applications, the kernel's tracer, consumer daemons and relay daemons do it. This crate has what is said on
//! each of these connections, as types that say what a message means and functions that read and write its bytes. It serves
//! either side: a session daemon, and whoever speaks with one.
//!
//! # What it is not
//!
//! * **No I/O.** It opens no socket and no file, and has no loop. You bring the bytes, and send those that you get.
//! * **No state.** Which message may be said when, which handle exists and which reply is owed is up to you; the module's
//!   documentation says what a stock peer does when it is not kept to.
//! * **No reader of traces**, and no tracer: events and the CTF metadata that describes them are not here.
//! * **One version.** What LTTng-tools 2.13.5 and later and LTTng-UST 2.13 say, and what they understand of older peers. The
//!   client socket of 2.14 has other numbers and layouts.
//!
//! Every decoder is total: whatever the bytes, it returns a value or an [`Error`] that says what was being read and where; it
//! never panics and never allocates more than the input's size warrants. There is no `unsafe`. Each decoder is fuzzed, and
//! compared with bytes recorded from the stock programs.
//!
//! Integers are in the byte order of the machine, since both ends of a socket are on the same host. A relay daemon need not
//! be, and agents are not written in C, so [`relayd`] and [`agent`] are big-endian.
//!
//! # The modules
//!
//! | Module | Who speaks with the session daemon | Where |
//! |---|---|---|
//! | [`client`] | the client library (`liblttng-ctl`) and `lttng` | `client-lttng-sessiond` in the run directory |
//! | [`ust`] | applications with LTTng-UST | `lttng-ust-sock-8` |
//! | [`trigger`] | what clients say of triggers; [`trigger::channel`] is the notification socket | `sessiond-notification` |
//! | [`health`] | whoever wants to know whether it is well | `sessiond-health` |
//! | [`agent`] | Java's and Python's logging | TCP on this host; the port is in `agent.port` |
//! | [`consumer`] | consumer daemons, which write the data | sockets in `ustconsumerd64` and the like |
//! | [`relayd`] | relay daemons, which receive it | TCP, ports 5342 and 5343 |
//! | [`kernel`] | the kernel's tracer | requests (`ioctl`) on `/proc/lttng` |
//!
//! Beside them, [`filter`] compiles filter and capture expressions to the tracers' bytecode, [`expression`] has the values
//! that they capture, [`elf`] finds places in programs for the kernel's probes, [`codec`] is what all decoders are written
//! with, and [`Text`] is text that somebody else chose.
//!
//! The run directory is `/var/run/lttng` for root's daemon, `$LTTNG_HOME/.lttng` or `$HOME/.lttng` for a user's.
//!
//! # Clients
//!
//! One request, one reply, and the daemon closes the connection. A [`Body`](client::Body) is what a command says:
//!
//! ```
//! use lttng_protocol::client::{Body, ErrorCode, Header, Reply, Session, decode_body};
//!
//! // What a client sends …
//! let request = Body::ListSessions.request("", None);
//! assert_eq!(request.len(), Header::LEN);
//!
//! // … is read by the daemon, and answered.
//! let header = Header::decode(&request)?;
//! assert_eq!(decode_body(&header, &[]), Ok(Body::ListSessions));
//! let session = Session {
//!     name: "auto".to_owned(),
//!     path: "/tmp/auto".to_owned(),
//!     active: true,
//!     snapshot_mode: false,
//!     live_timer: 0,
//!     created: 1_700_000_000,
//! };
//! let reply = Reply::ok(&header).with_payload(Session::encode_list(&[session.clone()])).encode();
//!
//! // The client knows from the first bytes how many there are.
//! assert_eq!(Reply::length(&reply[..Reply::LEN]), Some(reply.len()));
//! let listed = Reply::decode(&reply)?.into_result()?;
//! assert_eq!(Session::decode_list(&listed.payload)?, [session]);
//!
//! // A failure is a code, whose words are those that `lttng` prints.
//! let refusal = Reply::decode(&Reply::error(&header, ErrorCode::Eperm).encode())?;
//! assert_eq!(refusal.into_result().unwrap_err().to_string(), "Permission denied (32)");
//!
//! // Bytes that are no message say why.
//! let error = Reply::decode(&reply[..30]).unwrap_err();
//! assert_eq!(error.to_string(), "client reply at byte 24: truncated");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/list_sessions.rs` is a whole client.
//!
//! # Applications
//!
//! An application registers on two connections, and answers what it is asked on the first one:
//!
//! ```
//! use lttng_protocol::ust::command::{Command, Message, ROOT, Reply};
//! use lttng_protocol::ust::registration::{Registration, SocketKind};
//!
//! let hello = Registration::native(SocketKind::Command, "program");
//! assert_eq!(Registration::decode(&hello.encode())?, hello);
//!
//! // The daemon asks for a session …
//! let mut asked = Vec::new();
//! Message { handle: ROOT, command: Command::Session }.encode_into(&mut asked);
//! // … and the application, which reads the whole message, answers with the handle of the new one.
//! assert_eq!(Message::length(&asked)?, Some(asked.len()));
//! let Message { handle, command } = Message::decode(&asked)?;
//! let answer = Reply::ok(handle, &command, 1).encode();
//!
//! let reply = Reply::decode(&answer)?;
//! assert!(reply.answers(ROOT, &Command::Session));
//! assert_eq!(reply.value, 1);
//! # Ok::<(), lttng_protocol::Error>(())
//! ```
//!
//! `examples/register.rs` is a whole application, but for the events.
//!
//! # Triggers and notifications
//!
//! A client of the notification socket says its version, subscribes to a condition, and is told when it is met:
//!
//! ```
//! use lttng_protocol::trigger::channel::{ClientMessage, DaemonMessage, Header, Version};
//! use lttng_protocol::trigger::{Action, Condition, Evaluation, Notification, RatePolicy, Trigger};
//!
//! let condition = Condition::SessionConsumedSize { session: "auto".to_owned(), bytes: 1 << 20 };
//! let said = [
//!     ClientMessage::Handshake(Version::CURRENT).encode(),
//!     ClientMessage::Subscribe(condition.clone()).encode(),
//! ];
//! for message in &said {
//!     let (header, payload) = message.split_at(Header::LEN);
//!     ClientMessage::decode(&Header::from_client(header)?, payload)?;
//! }
//!
//! let trigger = Trigger {
//!     owner: 1000,
//!     name: Some("a lot".to_owned()),
//!     hidden: false,
//!     condition,
//!     action: Action::Notify { rate: RatePolicy::default() },
//! };
//! let evaluation = Evaluation::SessionConsumedSize { bytes: 1_100_000 };
//! let told = DaemonMessage::Notification(Box::new(Notification { trigger, evaluation }));
//! let bytes = told.encode();
//! let (header, payload) = bytes.split_at(Header::LEN);
//! let header = Header::decode(header)?;
//! assert_eq!(header.length as usize, payload.len());
//! assert_eq!(DaemonMessage::decode(&header, payload)?, told);
//! # Ok::<(), lttng_protocol::Error>(())
//! ```
//!
//! # Health
//!
//! Four bytes, whatever they are, are answered with a mask of what is in bad health:
//!
//! ```
//! use lttng_protocol::health::{self, Component};
//!
//! let reply = health::encode([Component::Consumer]);
//! assert_eq!(reply, 16_u64.to_ne_bytes());
//! assert_eq!(health::decode(reply), Some(vec![Component::Consumer]));
//! assert_eq!(health::decode([0; 8]), Some(vec![]), "all is well");
//! ```
//!
//! # Relay daemons
//!
//! Replies have no header, so that the request says how long its reply is:
//!
//! ```
//! use lttng_protocol::relayd::{Header, Request, Version};
//!
//! let request = Request::Version(Version::LOCAL);
//! let bytes = request.encode();
//! let (header, payload) = bytes.split_at(Header::LEN);
//! assert_eq!(Request::decode(&Header::decode(header)?, payload, Version::LOCAL)?, request);
//!
//! let reply = Version { major: 2, minor: 11 }.encode();
//! assert_eq!(reply.len(), request.reply_len());
//! let agreed = Version::decode(&reply)?.agreed().expect("the same major version");
//! assert!(agreed.has_chunks() && !agreed.has_configuration());
//! # Ok::<(), lttng_protocol::Error>(())
//! ```
//!
//! # Filters
//!
//! ```
//! use lttng_protocol::filter;
//!
//! let bytecode = filter::compile("value > 3 && $ctx.procname == \"sh*\"").expect("an expression");
//! assert!(!bytecode.data.is_empty());
//! let error = filter::compile("value >").expect_err("a part is missing");
//! println!("{error}");
//! ```
//!
//! # References
//!
//! Each module implements the document of the same name in
//! `protocol/doc/` of the sources, which says every offset and what the stock daemon does with it. The layouts are also in
//! the documentation of the types, with the stock source that they come from.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod agent;
pub mod client;
pub mod codec;
pub mod consumer;
pub mod elf;
pub mod expression;
pub mod filter;
pub mod health;
pub mod kernel;
mod numbered;
pub mod relayd;
pub mod text;
pub mod trigger;
pub mod ust;

pub use codec::{Error, Reader, Writer};
pub use text::Text;

/// What the README shows is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
