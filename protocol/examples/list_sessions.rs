// SPDX-License-Identifier: GPL-2.0-only
//! Lists the recording sessions of a session daemon that runs, as `lttng list` does.
//!
//! `list_sessions [SOCKET]`: without a path, root's daemon is asked, or the user's own one if there is none.
use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use lttng_protocol::client::{Body, Reply, Session};

const SYSTEM: &str = "/var/run/lttng/client-lttng-sessiond";

/// Sends one request and reads its one reply: the daemon closes the connection then.
fn ask(mut daemon: UnixStream, request: &[u8]) -> Result<Reply, Box<dyn Error>> {
    daemon.write_all(request)?;
    let mut reply = vec![0; Reply::LEN];
    daemon.read_exact(&mut reply)?;
    let length = Reply::length(&reply).ok_or("less than a reply")?;
    reply.resize(length, 0);
    daemon.read_exact(reply.get_mut(Reply::LEN..).ok_or("less than a reply")?)?;
    Ok(Reply::decode(&reply)?.into_result()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let daemon = match std::env::args().nth(1) {
        Some(path) => UnixStream::connect(path)?,
        None => UnixStream::connect(SYSTEM).or_else(|_| {
            let home = std::env::var("LTTNG_HOME").or_else(|_| std::env::var("HOME"));
            UnixStream::connect(home.unwrap_or_default() + "/.lttng/client-lttng-sessiond")
        })?,
    };
    let reply = ask(daemon, &Body::ListSessions.request("", None))?;
    for Session { name, path, active, .. } in Session::decode_list(&reply.payload)? {
        println!("{name} [{}] {path}", if active { "active" } else { "inactive" });
    }
    Ok(())
}
