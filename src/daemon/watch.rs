// SPDX-License-Identifier: GPL-2.0-only
//! Deadlines: applications that do not answer, connections that do not introduce themselves, clients that do
//! not finish their request, everything that has to be looked at later.

use std::time::Instant;

use super::{Daemon, Life};
use crate::consumer::Consumer;
use crate::output::{ConnId, Output, ProcessState};
use crate::ust::app::{AppId, Overdue};

impl Daemon {
    /// When [`Daemon::settle`] must be called again even if nothing happens.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        let held_back = self.held_back.iter().filter_map(|id| self.apps.get(id)).filter(|app| !app.lagging);
        let health = self.health_queries.values().map(|query| query.deadline);
        let life = match self.life {
            Life::Ending { deadline } | Life::Leaving { deadline } => Some(deadline),
            Life::Serving | Life::Over => None,
        };
        held_back
            .map(|app| app.release_by)
            .chain(self.watch_at.filter(|_| !self.watched.is_empty()))
            .chain(self.unregistered.values().map(|pending| pending.deadline))
            .chain(self.clients.values().filter_map(|client| client.deadline()))
            .chain(self.consumers.values().filter_map(|consumer| consumer.deadline()))
            .chain(self.relays.values().filter_map(|relay| relay.deadline()))
            .chain(self.operations.values().map(|operation| operation.next_look()))
            .chain(health)
            .chain(self.next_push())
            .chain(self.next_rotation())
            .chain(life)
            .min()
    }

    /// Input: what was found of a process that [`Output::Inspect`] asked about.
    pub fn inspected(&mut self, conn: ConnId, state: ProcessState) {
        let id = AppId(conn);
        if state == ProcessState::Suspended {
            self.attention.found(self.now);
            self.watch_at = Some(self.now);
        }
        let Some(app) = self.apps.get_mut(&id) else { return };
        if app.inspected(state, self.now) {
            let pid = app.credentials.pid;
            let what = if app.lagging { "can't answer: nobody waits for it" } else { "could answer again" };
            log::info!("Application {pid} {what}");
            self.watch(id);
            self.touch(id);
        }
    }

    /// Acts on everything whose time has come.
    pub(super) fn expire(&mut self) {
        self.expire_applications();
        self.expire_connections();
        self.expire_relays();
        self.rotate_in_time();
        let now = self.now;
        let late = |deadline: Option<Instant>| deadline.is_some_and(|deadline| now >= deadline);
        let consumers = self.consumers.iter().filter(|(_, consumer)| late(consumer.deadline()));
        for kind in consumers.map(|(&kind, _)| kind).collect::<Vec<_>>() {
            let pid = self.consumers.get(&kind).and_then(Consumer::pid);
            self.consumer_lost(kind, "it did not start in time");
            pid.into_iter().for_each(|pid| self.outputs.push(Output::Kill(pid)));
        }
    }

    fn expire_applications(&mut self) {
        let timeout = self.settings.application_timeout;
        let late = |id: &&AppId| self.apps.get(id).is_some_and(|app| self.now >= app.release_by);
        let held_back: Vec<AppId> = self.held_back.iter().filter(late).copied().collect();
        self.dirty.extend(held_back);
        // With many of them, looking at all of them in each turn would cost more than the turn.
        if self.watch_at.is_none_or(|at| self.now < at) {
            return;
        }
        let mut late = Vec::new();
        let mut silent: Option<(Instant, AppId)> = None;
        for &id in &self.watched {
            let Some(app) = self.apps.get(&id) else { continue };
            match app.overdue(self.now, self.attention, timeout) {
                None => {}
                Some(Overdue::Inspect(since)) => {
                    silent = Some(silent.map_or((since, id), |longest| longest.min((since, id))));
                }
                Some(Overdue::GiveUp) => {
                    log::warn!("Application {} did not answer in time", app.credentials.pid);
                    late.push(id);
                }
            }
        }
        if let Some((_, id)) = silent
            && let Some(app) = self.apps.get_mut(&id)
        {
            app.inspecting(self.now);
            self.attention.look(self.now);
            self.outputs.push(Output::Inspect { conn: id.0, pid: app.credentials.pid });
        }
        for id in late {
            self.drop_application(id, "it did not answer in time");
        }
        let check = |id| self.apps.get(id)?.next_check(self.attention, timeout);
        self.watch_at = self.watched.iter().filter_map(check).min();
    }

    /// An application owes an answer.
    pub(super) fn watch(&mut self, id: AppId) {
        self.watched.insert(id);
        let timeout = self.settings.application_timeout;
        let check = self.apps.get(&id).and_then(|app| app.next_check(self.attention, timeout));
        self.watch_at = [self.watch_at, check].into_iter().flatten().min();
    }

    fn expire_connections(&mut self) {
        let now = self.now;
        let silent = self.unregistered.iter().filter(|(_, pending)| now >= pending.deadline);
        let unfinished = self
            .clients
            .iter()
            .filter(|(_, client)| client.deadline().is_some_and(|deadline| now >= deadline));
        let health = self.health_queries.iter().filter(|(_, query)| now >= query.deadline);
        let late: Vec<ConnId> = silent
            .map(|(&conn, _)| conn)
            .chain(unfinished.map(|(&conn, _)| conn))
            .chain(health.map(|(&conn, _)| conn))
            .collect();
        for conn in late {
            log::debug!("A connection said too little for too long");
            self.unregistered.remove(&conn);
            self.clients.remove(&conn);
            self.health_queries.remove(&conn);
            self.close(conn);
        }
    }
}
