// SPDX-License-Identifier: GPL-2.0-only
//! Requests to the helper process, which works on paths under the identity of a session's owner. One that died is
//! followed by another as soon as something is asked.

use std::io;
use std::time::Duration;

use log::Level;

use lttng_protocol::client::Endpoint;

use super::{Role, State};
use crate::helper::link::{Found, Link, Paths};
use crate::helper::names::Host;
use crate::helper::{self, PathJob, Request};
use crate::turn::attempts::Attempts;
use crate::turn::errand::Errand;
use crate::turn::facts::Fact;
use crate::turn::ids::{BuffersKey, ConnId, Identity};
use crate::turn::machine::Attached;
use crate::turn::messages::Topic;
use crate::turn::output::Output;
use crate::turn::{Answered, Ticket};

/// How many helpers may die without having answered anything, and in which time, before no more are started for as
/// long.
const ATTEMPTS: (usize, Duration) = (5, Duration::from_secs(10));

/// The helper process.
#[derive(Debug)]
pub struct Helper {
    link: Link<Paths, PathPurpose>,
    pid: Option<i32>,
    stage: Stage,
    attempts: Attempts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is none: the next request has one started.
    Gone,
    /// It is being started.
    Starting,
    /// It is there; whether it has answered anything.
    Working { proven: bool },
    /// The daemon ends.
    Over,
}

impl Default for Helper {
    fn default() -> Self {
        let (limit, period) = ATTEMPTS;
        Helper {
            link: Link::default(),
            pid: None,
            stage: Stage::Gone,
            attempts: Attempts::new(limit, period),
        }
    }
}

/// What work on a path was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPurpose {
    /// The address of a host.
    Name(Host),
    /// A task's step.
    Task(Ticket),
    /// Folders for buffers.
    Buffers(BuffersKey),
    /// The copy of metadata beside buffers that outlive a crash.
    Copy(BuffersKey),
}

impl State {
    /// A helper was forked as this process. Its connection is there next.
    pub(super) fn helper_forked(&mut self, result: io::Result<i32>) {
        self.helper.pid = result.ok();
    }

    /// A helper is there, or could not be started.
    pub(super) fn helper_connected(&mut self, result: io::Result<ConnId>) {
        match result {
            Ok(conn) if matches!(self.helper.stage, Stage::Gone | Stage::Starting) => {
                self.roles.insert(conn, Role::Helper);
                self.helper.stage = Stage::Working { proven: false };
                self.helper.link.connect(conn, &mut self.turn.outputs);
            }
            Ok(conn) => self.turn.outputs.push(Output::Close(conn)),
            Err(error) if self.helper.stage == Stage::Starting => {
                let text = format_args!("Can't start a helper process: {error}");
                self.turn.say(Level::Error, Topic::Helper, None, text);
                self.helper.stage = Stage::Gone;
                self.helper.attempts.failed(self.turn.now);
                self.helper.link.give_up(error.raw_os_error().unwrap_or(libc::EIO));
                self.turn.changed = true;
            }
            Err(_) => {}
        }
    }

    /// Asks for work on a path in the name of `owner`. The answer comes later, in any case.
    pub fn ask_helper(&mut self, owner: Identity, job: PathJob, purpose: PathPurpose) {
        let Identity { uid, gid } = owner;
        // The link numbers its requests.
        let request = Request { id: 0, uid, gid, job };
        self.helper.link.ask(request, purpose, &mut self.turn.outputs);
        self.need_helper();
        self.turn.changed = true;
    }

    /// Has a helper started if something waits for one.
    fn need_helper(&mut self) {
        if !self.helper.link.needs_helper() || self.helper.stage == Stage::Starting {
            return;
        }
        if self.helper.stage == Stage::Gone && self.helper.attempts.may_try(self.turn.now) {
            self.helper.stage = Stage::Starting;
            self.turn.outputs.push(Output::Fork { errand: Errand::Helper, life: helper::life });
        } else {
            self.helper.link.give_up(libc::EIO);
        }
    }

    /// Answers the requests that could not be sent.
    pub(super) fn answer_unsent(&mut self) {
        for (purpose, errno) in self.helper.link.take_unsent() {
            self.path_done(purpose, Err(errno));
        }
    }

    pub(super) fn helper_received(&mut self, bytes: &[u8], attached: Attached) {
        if let Some((purpose, result)) = self.helper.link.received(bytes, attached) {
            self.helper.stage = Stage::Working { proven: true };
            self.path_done(purpose, result);
        }
    }

    /// A child process has ended: was it the helper? Its connection may stay open for as long as a child of its own
    /// hangs in the system.
    pub(super) fn helper_ended(&mut self, pid: i32) {
        if self.helper.pid == Some(pid) {
            let conns = self.roles.iter().filter(|(_, role)| **role == Role::Helper);
            for conn in conns.map(|(&conn, _)| conn).collect::<Vec<_>>() {
                self.close(conn);
            }
            self.helper_lost();
        }
    }

    /// The helper is gone. What it owed is asked of the next one.
    pub(super) fn helper_lost(&mut self) {
        let Stage::Working { proven } = self.helper.stage else { return };
        let text = format_args!("The helper process is gone: another one is started when it is needed");
        self.turn.say(Level::Warn, Topic::Helper, None, text);
        self.turn.facts.push(Fact::HelperLost);
        self.helper.pid = None;
        self.helper.stage = Stage::Gone;
        if !proven {
            self.helper.attempts.failed(self.turn.now);
        }
        self.helper.link.lost();
        self.need_helper();
        self.turn.changed = true;
    }

    /// No helper is needed any more.
    pub(super) fn end_helper(&mut self) {
        self.helper.stage = Stage::Over;
    }

    fn path_done(&mut self, purpose: PathPurpose, result: Result<Found, i32>) {
        self.turn.changed = true;
        match purpose {
            PathPurpose::Name(host) => {
                let address = result.ok().and_then(|found| found.address);
                if address.is_none() {
                    let text = format_args!("The host {} is not known", host.name);
                    self.turn.say(Level::Error, Topic::Host, None, text);
                }
                self.names.looked_up(host, address);
            }
            PathPurpose::Task(ticket) => {
                self.turn.answered(ticket, Answered::Path(result.map(|found| found.folder)));
            }
            PathPurpose::Copy(key) => {
                let result = result.map(|_| ());
                let ended = self.buffers.get_mut(&key).is_some_and(|buffers| buffers.copied(result));
                if let Some(errno) = result.err().filter(|_| ended) {
                    let error = std::io::Error::from_raw_os_error(errno);
                    let (of, user) = (self.owner_name(key), self.owner_of(key));
                    let text = format_args!("Metadata of {of} can't be kept beside its buffers: {error}");
                    self.turn.say(Level::Error, Topic::Buffers, user, text);
                }
            }
            PathPurpose::Buffers(key) => {
                if let Some(buffers) = self.buffers.get_mut(&key) {
                    buffers.directory_made(result.map(|_| ()));
                }
            }
        }
    }

    /// Whether the address of a host is known, or known not to be found; has it looked up, as `owner`. Only the client
    /// whose command needs it waits.
    pub fn knows_address(&mut self, owner: Identity, endpoint: &Endpoint) -> bool {
        if self.names.knows(endpoint) {
            return true;
        }
        let host = Host::of(endpoint);
        if self.names.begin(host.clone()) {
            let Host { name, ipv6 } = host.clone();
            self.ask_helper(owner, PathJob::LookUp { name, ipv6 }, PathPurpose::Name(host));
        }
        false
    }
}
