// SPDX-License-Identifier: GPL-2.0-only
//! Listing the tracepoints of all applications, or their fields. All are asked at once; who can't answer is
//! left out.

use std::rc::Rc;
use std::task::Poll;

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::task::Task;
use crate::turn::ids::{AppId, ListingId};
use crate::ust::listing::{Entries, ListingKind};

/// Applications asked at the same time: what they have listed so far takes room.
const WINDOW: usize = 64;
/// Different lists that a new one is compared with.
const COMPARED: usize = 16;

/// Listing what applications have.
#[derive(Debug)]
pub struct ListApplications {
    kind: ListingKind,
    id: Option<ListingId>,
    /// Who will be asked, the last one first.
    next: Vec<AppId>,
    /// Who was asked and has not listed everything yet.
    asked: Vec<AppId>,
    /// What the others listed.
    listed: Vec<(AppId, i32, Rc<Entries>)>,
}

impl Task for ListApplications {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let id = *self.id.get_or_insert_with(|| {
            self.next = cx.state.applications.all.keys().rev().copied().collect();
            cx.state.counters.listing()
        });
        let done = |app: &AppId| {
            let listings = cx.state.applications.all.get(app).map(|app| &app.listings);
            listings.and_then(|listings| listings.get(&id)).is_none_or(|listing| listing.done)
        };
        let (finished, unfinished) = std::mem::take(&mut self.asked).into_iter().partition(done);
        self.asked = unfinished;
        self.take(id, finished, cx);
        if self.ask(id, cx) && !cx.expired() {
            return Poll::Pending;
        }
        // These listed a part of it, or nothing.
        let rest = std::mem::take(&mut self.asked);
        self.take(id, rest, cx);
        self.listed.sort_unstable_by_key(|(app, ..)| *app);
        let listed = std::mem::take(&mut self.listed);
        Poll::Ready(Ok(Answer::Entries(listed.into_iter().map(|(_, pid, entries)| (pid, entries)).collect())))
    }
}

impl ListApplications {
    /// Lists this.
    pub fn new(kind: ListingKind) -> Self {
        ListApplications { kind, id: None, next: Vec::new(), asked: Vec::new(), listed: Vec::new() }
    }

    /// Asks the next ones. Returns whether there is somebody to wait for.
    fn ask(&mut self, id: ListingId, cx: &mut Cx<'_>) -> bool {
        let able = |app: &&AppId| cx.state.applications.all.get(app).is_some_and(|app| !app.lagging);
        let mut answering = self.asked.iter().filter(able).count();
        // Where one is suspended many may be: they are all found out in the time of one.
        let window = if answering < self.asked.len() { usize::MAX } else { WINDOW };
        while answering < window
            && let Some(app) = self.next.pop()
        {
            if cx.state.list_application(app, id, self.kind) {
                self.asked.push(app);
                answering = answering.saturating_add(1);
            }
        }
        answering > 0
    }

    fn take(&mut self, id: ListingId, apps: Vec<AppId>, cx: &mut Cx<'_>) {
        for app_id in apps {
            let Some(app) = cx.state.applications.all.get_mut(&app_id) else { continue };
            let pid = app.credentials.pid;
            let Some(entries) = app.take_listing(id) else { continue };
            self.listed.push((app_id, pid, self.shared(entries)));
        }
    }

    /// Applications that run the same program list the same.
    fn shared(&self, entries: Entries) -> Rc<Entries> {
        let mut same = self.listed.iter().rev().take(COMPARED).map(|(.., known)| known);
        same.find(|known| ***known == entries).cloned().unwrap_or_else(|| Rc::new(entries))
    }
}
