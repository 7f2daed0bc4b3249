// SPDX-License-Identifier: GPL-2.0-only
//! Requests to the daemon's client socket, byte by byte, from any user.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use super::sandbox::{Sandbox, User};

/// What a client does when it has sent its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It waits for the answer.
    Wait,
    /// It waits for the answer, and says that nothing more will be sent.
    End,
    /// It goes away.
    Leave,
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    /// Nobody listens.
    Nobody,
    /// The daemon sent this and closed the connection.
    Closed(Vec<u8>),
    /// The daemon sent this and fell silent.
    Silent(Vec<u8>),
}

/// A running `asker`.
pub struct Asker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Asker {
    /// Starts one, as root without a `user`. It waits `patience` for each piece of an answer.
    pub fn start(sandbox: &Sandbox, user: Option<User>, socket: &str, patience: Duration) -> Self {
        let program = sandbox.program("asker");
        let mut command = match user {
            Some(user) => sandbox.command_as(user, program),
            None => sandbox.command(program),
        };
        command.arg(socket).arg(patience.as_millis().to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("ready "), "{line}");
        Asker { input: child.stdin.take().unwrap(), output, child }
    }

    /// Sends a request on a connection of its own.
    pub fn ask(&mut self, request: &[u8], then: Then) -> Came {
        let end = match then {
            Then::Wait => 0,
            Then::End => 1,
            Then::Leave => 2,
        };
        let length = u32::try_from(request.len()).unwrap().to_ne_bytes();
        self.input.write_all(&[&[end], &length[..], request].concat()).unwrap();
        let mut head = [0; 5];
        self.output.read_exact(&mut head).unwrap();
        let length = u32::from_ne_bytes([head[1], head[2], head[3], head[4]]);
        let mut answer = vec![0; length as usize];
        self.output.read_exact(&mut answer).unwrap();
        match head[0] {
            0 => Came::Nobody,
            1 => Came::Closed(answer),
            _ => Came::Silent(answer),
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
