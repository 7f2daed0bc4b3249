// SPDX-License-Identifier: GPL-2.0-only
//! How the peers are that are the daemon's own, and whose work its turns are spent on. An application that does not answer
//! is nobody's bad health but its own.

use super::{Role, State};
use crate::turn::ids::ConnId;
use crate::turn::progress::{self, Part};

impl Role {
    /// Whose work it is to deal with what comes from there.
    fn part(self) -> Part {
        match self {
            Role::Unregistered => Part::Registration,
            Role::Application(_) => Part::Applications,
            Role::Notify(_) => Part::Notify,
            Role::Events => Part::Subscribers,
            Role::ConsumerError(_)
            | Role::ConsumerCommand(_)
            | Role::ConsumerMetadata(_)
            | Role::ConsumerMonitor(_) => Part::Consumers,
            // The original has no component for agents.
            Role::Relay(_) | Role::Helper | Role::NewAgent | Role::Agent(_) => Part::Commands,
            Role::Tracer | Role::KernelEvents | Role::NewCpus(..) => Part::Kernel,
        }
    }
}

impl State {
    /// Something comes from a peer.
    pub(super) fn work_for(&mut self, conn: ConnId) {
        if let Some(role) = self.roles.get(&conn) {
            self.turn.progress.work_on(role.part());
        }
    }

    /// The parts of the daemon that wait for one of its own peers in vain: it owes an answer for too long, or is gone and
    /// can't be replaced.
    pub fn stuck(&self) -> impl Iterator<Item = Part> {
        let now = self.turn.now;
        let late = |since| progress::is_late(since, now);
        let consumers = self.consumers.all.values().filter_map(|consumer| consumer.owes_since()).any(late);
        // Commands are what folders are made for, and names looked up.
        [
            (Part::Commands, !self.helper.is_well(now)),
            (Part::Kernel, !self.kernel.helper.is_well(now)),
            (Part::Consumers, consumers),
        ]
        .into_iter()
        .filter_map(|(part, stuck)| stuck.then_some(part))
    }
}
