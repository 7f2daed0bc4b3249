// SPDX-License-Identifier: GPL-2.0-only
//! Applications that do not answer: those that can't are found out, those that could are given up in the end.

use std::time::Duration;

use log::Level;

use super::{Role, State};
use crate::sys::socket::Credentials;
use crate::turn::ids::{AppId, ConnId};
use crate::turn::messages::Topic;
use crate::turn::output::{Output, ProcessState};
use crate::turn::timers::Timer;
use crate::turn::watch::{Survey, Watched, survey};

/// Applications that may owe answers while another one is asked. All of a crowd at once would compete for the CPU until
/// the last ones had had their time without having had a chance, and each of them would cost more the more there are.
const WINDOW: usize = 64;
/// An application that has been silent for this long keeps nobody from being asked.
const TURN: Duration = Duration::from_millis(500);

impl State {
    /// Whether an application may be asked for something although others owe answers.
    pub(super) fn may_ask_another(&self) -> bool {
        self.applications.watched.len() < WINDOW.saturating_add(self.applications.silent)
    }

    /// Input: what was found of a process that [`Output::Inspect`] asked about.
    pub fn inspected(&mut self, conn: ConnId, state: ProcessState) {
        if let Some(&Role::Notify(id)) = self.roles.get(&conn) {
            return self.half_request_inspected(id, state);
        }
        if let Some(&Role::Agent(id)) = self.roles.get(&conn) {
            return self.agent_inspected(id, state);
        }
        let id = AppId(conn);
        if state == ProcessState::Suspended {
            self.applications.attention.found(self.turn.now);
            self.turn.timers.set(Timer::Watch, self.turn.now);
        }
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        if app.inspected(state, self.turn.now) {
            let Credentials { pid, uid, .. } = app.credentials;
            let what = if app.lagging { "can't answer: nobody waits for it" } else { "could answer again" };
            self.turn.say(Level::Info, Topic::Lagging, Some(uid), format_args!("Application {pid} {what}"));
            self.watch(id);
            self.touch(id);
        }
    }

    /// Looks at applications that owe answers. With many of them, looking at all of them in each turn would cost more than
    /// the turn: they are looked at when the first of them may be overdue.
    pub(super) fn expire_applications(&mut self) {
        let (now, timeout) = (self.turn.now, self.settings.application_timeout);
        let all = &self.applications.all;
        let watched = self.applications.watched.iter().filter_map(|&id| Some((id, &**all.get(&id)?)));
        let silent = watched.clone().filter(|(_, app)| app.lagging || app.is_silent(now, TURN)).count();
        let Survey { inspect, late } = survey(watched, now, self.applications.attention, timeout);
        self.applications.silent = silent;
        if let Some(id) = inspect
            && let Some(app) = self.applications.all.get_mut(&id)
        {
            app.inspecting(now);
            self.applications.attention.look(now);
            self.turn.outputs.push(Output::Inspect { conn: id.0, pid: app.credentials.pid });
        }
        for id in late {
            if let Some(app) = self.applications.all.get(&id) {
                let Credentials { pid, uid, .. } = app.credentials;
                let text = format_args!("Application {pid} did not answer in time");
                self.turn.say(Level::Warn, Topic::Silence, Some(uid), text);
            }
            self.drop_application(id, "it did not answer in time");
        }
        let check = |id| self.applications.all.get(id)?.next_check(self.applications.attention, timeout);
        let next = self.applications.watched.iter().filter_map(check).min();
        self.turn.timers.arrange(Timer::Watch, next);
    }

    /// An application owes nothing any more, or is gone.
    pub(super) fn unwatch(&mut self, id: AppId) {
        self.applications.watched.remove(&id);
        if self.applications.watched.is_empty() {
            self.applications.silent = 0;
            self.turn.timers.clear(Timer::Watch);
        }
    }

    /// An application owes an answer.
    pub(super) fn watch(&mut self, id: AppId) {
        self.applications.watched.insert(id);
        let timeout = self.settings.application_timeout;
        let check = self
            .applications
            .all
            .get(&id)
            .and_then(|app| app.next_check(self.applications.attention, timeout));
        let next = [self.turn.timers.get(Timer::Watch), check].into_iter().flatten().min();
        self.turn.timers.arrange(Timer::Watch, next);
    }
}
