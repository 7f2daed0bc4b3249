// SPDX-License-Identifier: GPL-2.0-only
//! A connection to the applications' socket that is not part of an application yet.

use lttng_protocol::ust::registration::{Registration, SocketKind};

use crate::accounts::Charge;
use crate::sys::socket::Credentials;
use crate::turn::inbox::Inbox;

/// A connection that introduces itself.
#[derive(Debug)]
pub struct Introduction {
    /// Whose, as the kernel says.
    pub credentials: Credentials,
    /// What the connection costs its user; the application takes it over.
    pub charge: Charge,
    input: Inbox,
    /// What it said, if this is a command connection that waits for its notify connection.
    pub registration: Option<Registration>,
}

/// What a connection has said of itself.
#[derive(Debug)]
pub enum Introduced {
    /// Not all yet.
    Partly,
    /// This is a command connection: it waits for the other one.
    Command,
    /// This is the notify connection of the same process.
    Notify,
    /// Something that no application says.
    Nonsense,
}

impl Introduction {
    /// A connection that has said nothing yet.
    pub fn new(credentials: Credentials, charge: Charge) -> Self {
        Introduction { credentials, charge, input: Inbox::default(), registration: None }
    }

    /// Takes what it says.
    pub fn received(&mut self, bytes: &[u8]) -> Introduced {
        self.input.push(bytes);
        if self.input.bytes().len() < Registration::LEN {
            return Introduced::Partly;
        }
        // No application says more than this before it is asked.
        let registration = match Registration::decode(self.input.bytes()) {
            Ok(registration) if self.registration.is_none() => registration,
            _ => return Introduced::Nonsense,
        };
        self.input = Inbox::default();
        if registration.socket == SocketKind::Command {
            self.registration = Some(registration);
            Introduced::Command
        } else {
            Introduced::Notify
        }
    }
}
