// SPDX-License-Identifier: GPL-2.0-only
//! Requests to the helper process, which works on paths under the identity of a session's owner.

use log::Level;

use lttng_protocol::client::Endpoint;

use super::{Role, State};
use crate::helper::link::Found;
use crate::helper::names::Host;
use crate::helper::{PathJob, Request};
use crate::turn::facts::Fact;
use crate::turn::ids::{BuffersKey, ConnId, Identity};
use crate::turn::machine::Attached;
use crate::turn::messages::Topic;
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
}

impl State {
    /// The helper process is there.
    pub(super) fn helper_connected(&mut self, conn: ConnId) {
        self.roles.insert(conn, Role::Helper);
        self.helper.connect(conn);
    }

    /// Asks for work on a path in the name of `owner`. The answer comes later, in any case.
    pub fn ask_helper(&mut self, owner: Identity, job: PathJob, purpose: PathPurpose) {
        let Identity { uid, gid } = owner;
        // The link numbers its requests.
        let request = Request { id: 0, uid, gid, job };
        self.helper.ask(request, purpose, &mut self.turn.outputs);
        self.turn.changed = true;
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

    pub(super) fn helper_lost(&mut self) {
        self.turn.say(
            Level::Error,
            Topic::Helper,
            None,
            format_args!("The helper process is gone: no directory can be made any more"),
        );
        self.turn.facts.push(Fact::HelperLost);
        for purpose in self.helper.lost() {
            self.path_done(purpose, Err(libc::EIO));
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
