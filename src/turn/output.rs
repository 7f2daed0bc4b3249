// SPDX-License-Identifier: GPL-2.0-only
//! What the daemon wants done: the seam between its state machines and the reactor.
//!
//! The daemon does no I/O on peers. It leaves these values; the reactor carries them out, in order, and tells
//! the daemon later what came of them (`machine`). Tests take the reactor's place. An output says what is to be done,
//! and must never need to be understood to be carried out: what it is for is in its [`Errand`].

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::errand::{Errand, Listener};
use super::ids::ConnId;

/// A descriptor that several messages may carry; it is closed with its last user.
pub type SharedFd = Rc<OwnedFd>;

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket in the file system.
    Unix(PathBuf),
    /// An address and a port.
    Tcp(SocketAddr),
}

/// A program as it is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    /// What it sees as its own name.
    pub arg0: OsString,
    /// What follows the name.
    pub args: Vec<OsString>,
    /// What is set in its environment, besides what this process has.
    pub env: Vec<(OsString, OsString)>,
}

/// Makes a long message piece by piece while it is sent, so that it is never there as a whole.
pub trait Supply: std::fmt::Debug {
    /// The next bytes, at least one; none at the end.
    fn next_piece(&mut self) -> Option<Vec<u8>>;
}

/// Something for the reactor to do.
#[derive(Debug)]
pub enum Output {
    /// Send bytes, with descriptors on the first one.
    Send {
        to: ConnId,
        /// At least one byte.
        bytes: Vec<u8>,
        /// Usually none. Bytes with descriptors never share a message with what was sent before.
        descriptors: Vec<SharedFd>,
    },
    /// Send bytes that are made when there is room for them.
    Supply {
        to: ConnId,
        /// Where they come from.
        supply: Box<dyn Supply>,
    },
    /// Close at once, dropping what was not sent yet.
    Close(ConnId),
    /// Close once everything was sent.
    CloseWhenSent(ConnId),
    /// From now on, deliver everything that `first` has before what was read from `conn`, whenever something is awaited
    /// there (`Machine::awaits`).
    ReadFirst {
        /// The connection that comes second.
        conn: ConnId,
        /// The one that comes first.
        first: ConnId,
    },
    /// From now on, read from this connection only while little waits to be sent on it: who asks and does not take the
    /// answers is asked for no more questions. Not for connections on which this side asks: both might wait then.
    ReadWhenSent(ConnId),
    /// Give memory back to the system: much was given up.
    GiveMemoryBack,
    /// Start a program.
    Spawn { errand: Errand, program: Program },
    /// Fork a process of this program that lives `life` with one end of a socket for messages, and exits with what that
    /// returns. The other end is looked after like a connection.
    Fork { errand: Errand, life: fn(OwnedFd) -> u8 },
    /// Begin to connect. Whether that is under way is told at once, whether it is done afterwards.
    Connect { errand: Errand, to: Address },
    /// Make a pipe, whose reading end is looked after like a connection.
    Pipe { errand: Errand },
    /// Tell when there is something to be read from a descriptor, and leave the reading to its owner. It is polled until
    /// it is closed here, which does not close it for its owner.
    Poll {
        errand: Errand,
        /// The descriptor, on which reading does not wait.
        descriptor: SharedFd,
    },
    /// Look after connections no more, and give them back as descriptors that wait, as their next owner expects them.
    HandOut {
        errand: Errand,
        /// The connections, on which nothing is left to be sent.
        conns: Vec<ConnId>,
        /// How long their next owner is to wait for the peer; none is for ever.
        timeout: Option<Duration>,
    },
    /// End this process at once: it had its time to end by itself.
    Kill(i32),
    /// Find out why this process does not answer.
    Inspect {
        /// On which connection.
        conn: ConnId,
        pid: i32,
    },
    /// Stop listening and remove the socket file.
    StopListening(Listener),
    /// Everything that is loaded at the start is there: who started the daemon is to be told.
    Ready,
    /// It can't be had, and the daemon is ending because of that.
    Failed,
    /// A sign of life, for whoever supervises the daemon.
    Alive,
    /// How the daemon is, for the same.
    Standing(Standing),
    /// Everything is done: leave the loop.
    Exit,
}

/// How the daemon is, as far as its supervisor shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Recording sessions.
    pub sessions: usize,
    /// Those of them that record now.
    pub recording: usize,
}

/// What the process is told, which knows what that means outside the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// See [`Output::Ready`].
    Ready,
    /// See [`Output::Failed`].
    Failed,
    /// See [`Output::Alive`].
    Alive,
    /// See [`Output::Standing`].
    Standing(Standing),
    /// This is not listened to any more.
    Stopped(Listener),
}

/// What the reactor found of a process that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// Stopped, traced by a debugger, or in a frozen cgroup: it can't answer.
    Suspended,
    /// It could answer.
    Running,
    /// There is no such process.
    Gone,
}

/// Bytes to be sent above which nothing more is planned before they are on their way.
const LARGE: usize = 64 << 10;

/// Outputs not carried out yet.
#[derive(Debug, Default)]
pub struct Outputs {
    queue: Vec<Output>,
    /// Bytes to be sent.
    bytes: usize,
    /// Connections that are closed when everything was sent on them.
    closing: Vec<ConnId>,
}

impl Outputs {
    /// Adds one.
    pub fn push(&mut self, output: Output) {
        if let Output::Send { bytes, .. } = &output {
            self.bytes = self.bytes.saturating_add(bytes.len());
        }
        if let Output::CloseWhenSent(conn) = &output {
            self.closing.push(*conn);
        }
        self.queue.push(output);
    }

    /// Whether they should be carried out before there are more.
    pub fn are_large(&self) -> bool {
        self.bytes >= LARGE
    }

    /// Whether this connection's last bytes are among them.
    pub fn are_the_last_for(&self, conn: ConnId) -> bool {
        self.closing.contains(&conn)
    }

    /// Sends plain bytes. Successive ones for a peer become one message.
    pub fn send(&mut self, to: ConnId, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        if let Some(Output::Send { to: last, bytes: queued, .. }) = self.queue.last_mut()
            && *last == to
        {
            queued.extend_from_slice(&bytes);
            self.bytes = self.bytes.saturating_add(bytes.len());
            return;
        }
        self.push(Output::Send { to, bytes, descriptors: Vec::new() });
    }

    /// Sends descriptors on a zero byte, as all LTTng protocols do.
    pub fn send_descriptors(&mut self, to: ConnId, descriptors: Vec<SharedFd>) {
        self.push(Output::Send { to, bytes: vec![0], descriptors });
    }

    /// Takes all of them.
    pub fn take(&mut self) -> Vec<Output> {
        self.bytes = 0;
        self.closing.clear();
        std::mem::take(&mut self.queue)
    }
}
