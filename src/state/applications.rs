// SPDX-License-Identifier: GPL-2.0-only
//! Applications that have registered: what they answer, who waits for them, and how they go.
//!
//! What they are asked follows from the planner (`requests.rs`). An application that fails costs itself, and nobody else.

use log::Level;
use lttng_protocol::ust::command::TracerVersion;

use super::State;
use crate::accounts::Resource;
use crate::sys::socket::Credentials;
use crate::turn::facts::Fact;
use crate::turn::ids::{AppId, ListingId, Owner, SessionId};
use crate::turn::messages::Topic;
use crate::turn::timers::Timer;
use crate::ust::app::{Answer, Cause, Place};
use crate::ust::listing::{Listing, ListingKind, Nonsense};

impl State {
    pub(super) fn application_received(&mut self, id: AppId, bytes: &[u8]) {
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        app.received(bytes);
        loop {
            let Some(app) = self.applications.all.get_mut(&id) else { return };
            let step = app.next_answer(self.turn.now).and_then(|answer| match answer {
                Some(answer) => self.application_answered(id, &answer).map(|()| true),
                None => Ok(false),
            });
            match step {
                Ok(true) => {}
                Ok(false) => break,
                Err(Nonsense(what)) => {
                    self.drop_application(id, what);
                    return;
                }
            }
        }
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        if app.lagging {
            self.turn.say(
                Level::Info,
                Topic::Lagging,
                Some(app.credentials.uid),
                format_args!("Application {} answers again", app.credentials.pid),
            );
            app.lagging = false;
        }
        if !app.owes_answers() {
            if app.has_everything() {
                self.turn.facts.push(Fact::ApplicationConverged(id));
            }
            self.unwatch(id);
        }
        self.touch(id);
    }

    fn application_answered(&mut self, id: AppId, answer: &Answer) -> Result<(), Nonsense> {
        self.applications.attention.answered(self.turn.now);
        let Some(app) = self.applications.all.get_mut(&id) else { return Ok(()) };
        let Credentials { pid, uid, .. } = app.credentials;
        let now = self.turn.now;
        match answer.cause {
            Cause::TracerVersion => {
                // It can be traced without; only the metadata says less.
                let unknown = TracerVersion { major: 0, minor: 0, patchlevel: 0 };
                app.tracer = Some(answer.reply.tracer_version().unwrap_or(unknown));
            }
            Cause::RegisterDone => {}
            Cause::Session(session, request) => {
                let code = answer.reply.code;
                let value = if code == 0 { Ok(answer.reply.value) } else { Err(code) };
                if code != 0 {
                    self.turn.say(
                        Level::Warn,
                        Topic::Refusal,
                        Some(uid),
                        format_args!("Application {pid} answered {request:?} with error {code}"),
                    );
                }
                if let Some(mirror) = app.mirrors.get_mut(&session) {
                    mirror.answered(request, value);
                }
            }
            Cause::Notifiers(request) => self.notifiers_answered(id, request, &answer.reply),
            Cause::Listing(listing, _, step) => {
                app.list_further(listing, step, answer, now, &mut self.turn.outputs)?;
                if let Some(cut) = app.listings.get_mut(&listing).and_then(Listing::unsaid_cut) {
                    self.turn.say(
                        Level::Warn,
                        Topic::Limits,
                        Some(uid),
                        format_args!("The list of application {pid} is not taken whole: {cut}"),
                    );
                }
            }
        }
        Ok(())
    }

    /// Closes both connections of an application. It may come back at once as a new one.
    pub(super) fn drop_application(&mut self, id: AppId, why: &str) {
        self.remove_application(id, why);
        self.close(id.0);
    }

    /// So many bytes are held for an application. It is dropped when that is too much for its user.
    pub(super) fn hold_for_application(&mut self, id: AppId, place: Place, bytes: usize) {
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        if let Err(exhausted) = app.hold(place, bytes) {
            let Credentials { pid, uid, .. } = app.credentials;
            self.turn.say(
                Level::Warn,
                Topic::Limits,
                Some(uid),
                format_args!("Application {pid} makes the daemon hold too much: {exhausted}"),
            );
            self.drop_application(id, "it does not read what it is sent, or does not end what it sends");
        }
    }

    /// Forgets an application whose command connection is gone.
    pub(super) fn remove_application(&mut self, id: AppId, why: &str) {
        let Some(app) = self.applications.all.remove(&id) else { return };
        log::debug!("Application {} is gone: {why}", app.credentials.pid);
        self.turn.facts.push(Fact::ApplicationLeft(id));
        self.turn.timers.clear(Timer::Connection(app.notify));
        self.close(app.notify);
        self.leave_pipe(*app);
        self.unwatch(id);
        self.turn.timers.clear(Timer::Release(id));
        self.applications.dirty.remove(&id);
        self.turn.changed = true;
        let private = self.buffers.keys().filter(|key| key.owner == Owner::Application(id));
        for key in private.copied().collect::<Vec<_>>() {
            self.retire_buffers(key);
        }
    }

    /// Starts a listing in an application. Returns whether it is there and can answer.
    pub fn list_application(&mut self, id: AppId, listing: ListingId, kind: ListingKind) -> bool {
        let Some(app) = self.applications.all.get_mut(&id).filter(|app| !app.lagging && !app.is_behind())
        else {
            return false;
        };
        let Ok(charge) = self.accounts.charge(app.credentials.uid, Resource::Memory, 0) else { return false };
        app.list(listing, kind, charge, self.turn.now, &mut self.turn.outputs);
        self.watch(id);
        true
    }

    /// What applications refused of a session may be asked for once more.
    pub fn forget_refusals(&mut self, session: SessionId) {
        for app in self.applications.all.values_mut() {
            if let Some(mirror) = app.mirrors.get_mut(&session) {
                mirror.forget_refusals();
            }
        }
    }

    /// Marks every application for a look.
    pub fn touch_all_applications(&mut self) {
        self.applications.dirty.extend(self.applications.all.keys().copied());
        self.turn.changed = true;
    }

    pub(super) fn touch(&mut self, app: AppId) {
        self.applications.dirty.insert(app);
        self.turn.changed = true;
    }

    /// Whether an application has all it is to have of a session, or can't be waited for.
    pub fn is_settled(&self, id: AppId, session: SessionId) -> bool {
        let Some(app) = self.applications.all.get(&id) else { return true };
        if app.lagging || app.is_behind() {
            return true;
        }
        let settled = app.mirrors.get(&session).is_none_or(|mirror| mirror.is_settled());
        settled && !self.applications.dirty.contains(&id)
    }

    /// Somebody has waited long enough for an application. It is not dropped: it may answer yet.
    pub fn give_up_waiting(&mut self, id: AppId) {
        if let Some(app) = self.applications.all.get_mut(&id) {
            app.give_up_waiting();
            let Credentials { pid, uid, .. } = app.credentials;
            self.turn.say(
                Level::Info,
                Topic::Lagging,
                Some(uid),
                format_args!("Application {pid} takes its time: it is not waited for any longer"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
