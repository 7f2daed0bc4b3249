// SPDX-License-Identifier: GPL-2.0-only
//! Requests to the helper process, which works on paths under the identity of a session's owner. One that died is
//! followed by another as soon as something is asked.

use std::io;

use log::Level;

use lttng_protocol::client::Endpoint;

use super::{Role, State};
use crate::helper::link::Found;
use crate::helper::names::Host;
use crate::helper::{PathJob, Request};
use crate::sys::shared_memory::Space;
use crate::turn::ids::{BuffersKey, ConnId, Identity};
use crate::turn::machine::Attached;
use crate::turn::messages::Topic;
use crate::turn::output::SharedFd;
use crate::turn::{Answered, Ticket};

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
    /// Room for buffers that were refused.
    Space(BuffersKey),
}

impl State {
    /// The helper is there, or could not be started.
    pub(super) fn helper_connected(&mut self, result: io::Result<ConnId>) {
        let taken = self.helper.connected(result, &mut self.turn);
        self.roles.extend(taken.map(|conn| (conn, Role::Helper)));
    }

    /// Asks for work on a path in the name of `owner`. The answer comes later, in any case.
    pub fn ask_helper(&mut self, owner: Identity, job: PathJob, purpose: PathPurpose) {
        self.ask_helper_with(owner, job, Vec::new(), purpose);
    }

    /// Asks for work on what is open already.
    pub fn ask_helper_with(
        &mut self,
        owner: Identity,
        job: PathJob,
        descriptors: Vec<SharedFd>,
        purpose: PathPurpose,
    ) {
        let Identity { uid, gid } = owner;
        // The link numbers its requests.
        let request = Request { id: 0, uid, gid, job };
        self.helper.ask(request, descriptors, purpose, &mut self.turn);
    }

    /// Answers the requests that could not be sent.
    pub(super) fn answer_unsent(&mut self) {
        for (purpose, errno) in self.helper.take_unsent() {
            self.path_done(purpose, Err(errno));
        }
    }

    pub(super) fn helper_received(&mut self, bytes: &[u8], attached: Attached) {
        if let Some((purpose, result)) = self.helper.received(bytes, attached) {
            self.path_done(purpose, result);
        }
    }

    /// A child process has ended: was it a helper? Its connection may stay open for as long as a child of its own hangs in
    /// the system.
    pub(super) fn helper_ended(&mut self, pid: i32) {
        let role = match Some(pid) {
            ended if ended == self.helper.pid() => Role::Helper,
            ended if ended == self.kernel.helper.pid() => Role::Tracer,
            _ => return,
        };
        let conns = self.roles.iter().filter(|(_, known)| **known == role);
        for conn in conns.map(|(&conn, _)| conn).collect::<Vec<_>>() {
            self.close(conn);
        }
        match role {
            Role::Tracer => self.kernel.helper.lost(&mut self.turn),
            _ => self.helper.lost(&mut self.turn),
        }
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
                let answered = match result {
                    Ok(Found { offsets, .. }) if !offsets.is_empty() => Answered::Places(offsets),
                    result => Answered::Path(result.map(|found| found.folder)),
                };
                self.turn.answered(ticket, answered);
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
            PathPurpose::Space(key) => {
                let offsets = result.map(|found| found.offsets).unwrap_or_default();
                if let [free, total] = *offsets.as_slice() {
                    self.space_found(key, Space { free, total });
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
