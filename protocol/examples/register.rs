// SPDX-License-Identifier: GPL-2.0-only
//! Registers with a session daemon as an instrumented application with one tracepoint, `example:hello`, which
//! `lttng list --userspace` then shows, and answers what it is asked until the daemon ends.
//!
//! `register [SOCKET]`: without a path, root's daemon is asked. Prints `ready PID` where an application's `main` would
//! begin. It agrees to everything and records nothing: the buffers that it is handed are closed at once, since reading
//! from a socket without asking for descriptors drops them.
use std::error::Error;
use std::io::{Read, Result, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::{net::UnixStream, process::parent_id};

use lttng_protocol::ust::command::{Command, Message, Reply, ReplyBody, Tracepoint, TracepointField, code};
use lttng_protocol::ust::registration::{Registration, SocketKind};

const SYSTEM: &str = "/var/run/lttng/lttng-ust-sock-8";
const EVENT: &str = "example:hello";
/// `TRACE_INFO`
const LEVEL: i32 = 6;

/// Makes one of the two connections of an application.
fn connect(path: &str, socket: SocketKind) -> Result<UnixStream> {
    let mut daemon = UnixStream::connect(path)?;
    let own = std::fs::metadata("/proc/self")?;
    let registration = Registration {
        pid: std::process::id().cast_signed(),
        ppid: parent_id().cast_signed(),
        uid: own.uid(),
        gid: own.gid(),
        ..Registration::native(socket, "register")
    };
    daemon.write_all(&registration.encode())?;
    Ok(daemon)
}

/// Reads so many bytes.
fn read(daemon: &mut UnixStream, length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    daemon.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| SYSTEM.to_owned());
    let mut daemon = connect(&path, SocketKind::Command)?;
    // Events and channels would be described here before they are recorded.
    let _notify = connect(&path, SocketKind::Notify)?;
    // The number of the object that is made next, and what is left of the list that is being read.
    let (mut next, mut listed) = (1, false);
    loop {
        let Ok(mut message) = read(&mut daemon, Message::LEN as u64) else { return Ok(()) };
        if let Some(length) = Message::length(&message)? {
            message.extend(read(&mut daemon, (length - Message::LEN) as u64)?);
        }
        let Message { handle, command } = Message::decode(&message)?;
        let agreed = Reply::ok(handle, &command, next);
        if command.replies_twice() {
            daemon.write_all(&agreed.encode())?;
        }
        read(&mut daemon, command.payload_len())?;
        if command.descriptors() > 0 {
            read(&mut daemon, 1)?;
        }
        next += 1;
        let tracepoint = Tracepoint { name: EVENT.into(), loglevel: LEVEL };
        let field = TracepointField {
            event_name: EVENT.into(),
            field_name: "greeting".into(),
            field_type: 4,
            loglevel: LEVEL,
            nowrite: false,
        };
        let listing = matches!(command, Command::TracepointListGet | Command::TracepointFieldListGet);
        let answer = match command {
            _ if listing && listed => Reply::error(handle, &command, code::NOENT).encode(),
            Command::TracepointListGet => agreed.with_body(ReplyBody::Tracepoint(tracepoint)).encode(),
            Command::TracepointFieldListGet => [agreed.encode(), field.encode()].concat(),
            _ => agreed.encode(),
        };
        listed = listing;
        daemon.write_all(&answer)?;
        if command == Command::RegisterDone {
            println!("ready {}", std::process::id());
        }
    }
}
