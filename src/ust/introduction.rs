// SPDX-License-Identifier: GPL-2.0-only
//! A connection to the applications' socket that is not part of an application yet.

use lttng_protocol::ust::registration::{ByteOrder, Registration, SocketKind};

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
            Ok(registration) if self.registration.is_none() && is_readable(&registration) => registration,
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

/// Whether a trace that begins with what the application says of its machine can be read. The packets around its events
/// are written by the consumer daemon, in the byte order of this machine.
fn is_readable(registration: &Registration) -> bool {
    registration.byte_order == ByteOrder::NATIVE
        && registration.alignments.are_possible(registration.bits_per_long)
}

#[cfg(test)]
mod tests {
    use lttng_protocol::ust::registration::Alignments;

    use super::*;

    fn registration() -> Registration {
        Registration {
            byte_order: ByteOrder::NATIVE,
            major: 9,
            minor: 0,
            pid: 1,
            ppid: 1,
            uid: 0,
            gid: 0,
            bits_per_long: 64,
            alignments: Alignments { uint8: 8, uint16: 8, uint32: 8, uint64: 8, long: 8 },
            socket: SocketKind::Command,
            name: "a\"b".into(),
        }
    }

    #[test]
    fn machines_that_this_one_is_not() {
        assert!(is_readable(&registration()));
        let alignments = registration().alignments;
        for refused in [
            Alignments { uint8: 0, ..alignments },
            Alignments { uint8: 16, ..alignments },
            Alignments { uint16: 3, ..alignments },
            Alignments { uint32: 0, ..alignments },
            Alignments { uint64: 128, ..alignments },
            Alignments { long: 4, ..alignments },
        ] {
            assert!(!refused.are_possible(64), "{refused:?}");
            assert!(!is_readable(&Registration { alignments: refused, ..registration() }), "{refused:?}");
        }
        let natural = Alignments { uint8: 8, uint16: 16, uint32: 32, uint64: 64, long: 64 };
        assert!(natural.are_possible(64) && !natural.are_possible(32));
        assert!(!is_readable(&Registration { byte_order: ByteOrder::NATIVE.reversed(), ..registration() }));
    }
}
