// SPDX-License-Identifier: GPL-2.0-only
//! Connections of applications until they are an application.
//!
//! An application makes two connections and introduces itself on both; they belong together by the process, user and
//! group ids that the kernel vouches for. Nobody is believed who it says it is.

use std::time::Duration;

use log::Level;
use lttng_protocol::ust::command::Command;
use lttng_protocol::ust::registration::Registration;

use super::{Role, State, reason_of};
use crate::accounts::{Charge, Resource};
use crate::sys::socket::Credentials;
use crate::turn::facts::Fact;
use crate::turn::ids::{AppId, ConnId, ConsumerKind};
use crate::turn::messages::Topic;
use crate::turn::output::Output;
use crate::turn::refusals::Reason;
use crate::turn::timers::Timer;
use crate::ust::app::{App, Cause};
use crate::ust::introduction::{Introduced, Introduction};

/// How long an application's `main` is held back while sessions get hold of it. It starts by itself after 3 s
/// (`LTTNG_UST_REGISTER_TIMEOUT`), so this must be less.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(2500);
/// How long a connection may take to introduce itself, and to find its counterpart, when the time that
/// applications are given has no limit.
pub(super) const INTRODUCTION_TIMEOUT: Duration = Duration::from_secs(5);

impl State {
    /// Input: somebody connected to the applications' socket.
    pub fn application_connected(&mut self, conn: ConnId, credentials: Credentials) {
        let Some(charge) = self.room_for(&credentials) else {
            self.turn.outputs.push(Output::Close(conn));
            return;
        };
        let limit = self.settings.application_timeout.unwrap_or(INTRODUCTION_TIMEOUT);
        let deadline = self.turn.after(limit);
        self.turn.timers.set(Timer::Connection(conn), deadline);
        self.applications.unregistered.insert(conn, Introduction::new(credentials, charge));
        self.roles.insert(conn, Role::Unregistered);
    }

    /// Room for another connection of an application of this user, if there is any.
    fn room_for(&mut self, credentials: &Credentials) -> Option<Charge> {
        if credentials.pid == 0 {
            self.turn.say(
                Level::Warn,
                Topic::Registration,
                Some(credentials.uid),
                format_args!("Refused an application whose process is not visible from here"),
            );
            let why = "its process is not visible from here".to_owned();
            self.turn.refuse(*credentials, Reason::Invisible, why);
            return None;
        }
        let charge = self.accounts.charge(credentials.uid, Resource::Applications, 1);
        if let Err(exhausted) = charge {
            let Credentials { pid, uid, .. } = *credentials;
            self.turn.say(
                Level::Error,
                Topic::Limits,
                Some(uid),
                format_args!(
                    "Exhausted file descriptors allowed for applications of user {uid}: process {pid} is not \
                     recorded. {exhausted}"
                ),
            );
            self.turn.refuse(*credentials, reason_of(exhausted), exhausted.to_string());
        }
        charge.ok()
    }

    pub(super) fn introduction_received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(introduction) = self.applications.unregistered.get_mut(&conn) else { return };
        match introduction.received(bytes) {
            Introduced::Partly | Introduced::Command => {}
            Introduced::Notify => self.notify_introduced(conn),
            Introduced::Nonsense => {
                let Credentials { pid, uid, .. } = introduction.credentials;
                self.turn.say(
                    Level::Warn,
                    Topic::Registration,
                    Some(uid),
                    format_args!("Process {pid} did not register as an application does"),
                );
                let (who, why) = (introduction.credentials, "it did not register as an application does");
                self.turn.refuse(who, Reason::Nonsense, why.to_owned());
                self.forget_introduction(conn);
                self.close(conn);
            }
        }
    }

    pub(super) fn forget_introduction(&mut self, conn: ConnId) {
        self.take_introduction(conn);
    }

    fn take_introduction(&mut self, conn: ConnId) -> Option<Introduction> {
        self.turn.timers.clear(Timer::Connection(conn));
        self.applications.unregistered.remove(&conn)
    }

    /// A connection has said too little for too long.
    pub(super) fn expire_introduction(&mut self, conn: ConnId) {
        if self.take_introduction(conn).is_some() {
            log::debug!("A connection said too little for too long");
            self.close(conn);
        }
    }

    /// The second connection of a process is there; the first one must have come before.
    fn notify_introduced(&mut self, conn: ConnId) {
        let Some(introduction) = self.take_introduction(conn) else { return };
        let credentials = introduction.credentials;
        let mut candidates = self.applications.unregistered.iter().rev();
        // A process id alone may be another process's by now.
        let partner = candidates
            .find(|(_, other)| other.credentials == credentials && other.registration.is_some())
            .map(|(&partner, _)| partner);
        let Some((command, known)) =
            partner.and_then(|partner| Some((partner, self.take_introduction(partner)?)))
        else {
            let Credentials { pid, uid, .. } = credentials;
            self.turn.say(
                Level::Warn,
                Topic::Registration,
                Some(uid),
                format_args!("Notify connection of process {pid} without a command connection"),
            );
            let why = "it has a notify connection without a command connection".to_owned();
            self.turn.refuse(credentials, Reason::Nonsense, why);
            self.close(conn);
            return;
        };
        if let Some(registration) = known.registration {
            let charges = [known.charge, introduction.charge];
            self.registered([command, conn], known.credentials, registration, charges);
        }
    }

    fn registered(
        &mut self,
        conns: [ConnId; 2],
        credentials: Credentials,
        registration: Registration,
        charges: [Charge; 2],
    ) {
        let [command, notify] = conns;
        let id = AppId(command);
        log::debug!(
            "Application {} ({}, user {}, {} bits) registered",
            credentials.pid,
            registration.name,
            credentials.uid,
            registration.bits_per_long
        );
        // It can be listed. Whoever wonders why it is not recorded finds the reason here.
        let kind = ConsumerKind::for_bits(registration.bits_per_long);
        if !self.consumers.all.contains_key(&kind) {
            self.turn.say(
                Level::Warn,
                Topic::Unserved,
                Some(credentials.uid),
                format_args!(
                    "Application {} can't be recorded: there is no {}",
                    credentials.pid,
                    kind.name()
                ),
            );
        }
        // To charge nothing can't fail.
        let Ok(memory) = self.accounts.charge(credentials.uid, Resource::Memory, 0) else { return };
        let release_by = self.turn.after(RELEASE_TIMEOUT);
        let charges = (charges, memory);
        let mut app = App::new(conns, credentials, registration, charges, self.turn.wall, release_by);
        app.send_root(Command::TracerVersion, Cause::TracerVersion, self.turn.now, &mut self.turn.outputs);
        self.applications.all.insert(id, Box::new(app));
        self.watch(id);
        self.turn.timers.set(Timer::Release(id), release_by);
        self.roles.insert(command, Role::Application(id));
        self.roles.insert(notify, Role::Notify(id));
        // Its replies come before the notify requests that refer to them.
        self.turn.outputs.push(Output::ReadFirst { conn: notify, first: command });
        self.turn.outputs.push(Output::ReadWhenSent(notify));
        self.turn.facts.push(Fact::ApplicationCame(id));
        self.touch(id);
    }
}
