// SPDX-License-Identifier: GPL-2.0-only
//! Listing the tracepoints of all applications, or their fields. All are asked at once; who can't answer is
//! left out, and so is who takes longer than an application is given for all that it is asked here.
//!
//! The reply of 2.13 has no place for a word about what is missing, and one bad application must not keep everybody from
//! listing: what there is is told to the client, what is missing to the log. If nothing is left to tell, the client is told
//! that; it must never take a list that was cut to nothing for one of no applications.

use std::task::Poll;
use std::time::Instant;

use log::Level;

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::task::Task;
use crate::turn::ids::{AppId, ListingId};
use crate::turn::messages::Topic;
use crate::ust::listing::{Listed, ListingKind};

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
    /// Who was asked and has not listed everything yet, and until when each is waited for.
    asked: Vec<(AppId, Option<Instant>)>,
    /// One did not list everything in its time: others may not, either.
    late: bool,
    /// One had more to list than was taken.
    cut: bool,
    /// What the others listed.
    listed: Vec<(AppId, i32, Listed)>,
}

impl Task for ListApplications {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let id = *self.id.get_or_insert_with(|| {
            self.next = cx.state.applications.all.keys().rev().copied().collect();
            cx.state.counters.listing()
        });
        let now = cx.now();
        let has_listed = |app: &AppId| {
            let listings = cx.state.applications.all.get(app).map(|app| &app.listings);
            listings.and_then(|listings| listings.get(&id)).is_none_or(|listing| listing.done)
        };
        let (mut finished, mut unfinished) = (Vec::new(), Vec::new());
        for (app, until) in std::mem::take(&mut self.asked) {
            let late = until.is_some_and(|until| now >= until);
            if has_listed(&app) {
                finished.push(app);
            } else if late {
                // It listed a part of it, or nothing.
                self.late = true;
                finished.push(app);
            } else {
                unfinished.push((app, until));
            }
        }
        self.asked = unfinished;
        self.take(id, finished, cx);
        if self.ask(id, cx) && !cx.expired() {
            if let Some(first) = self.asked.iter().filter_map(|(_, until)| *until).min() {
                cx.look_again_at(first);
            }
            return Poll::Pending;
        }
        let rest = std::mem::take(&mut self.asked).into_iter().map(|(app, _)| app).collect();
        self.take(id, rest, cx);
        self.listed.sort_unstable_by_key(|(app, ..)| *app);
        let listed = std::mem::take(&mut self.listed);
        if self.cut && listed.iter().all(|(_, _, listed)| listed.entries.is_empty()) {
            return Poll::Ready(Err(Failure::NotListed));
        }
        Poll::Ready(Ok(Answer::Entries(
            listed.into_iter().map(|(_, pid, listed)| (pid, listed.entries)).collect(),
        )))
    }
}

impl ListApplications {
    /// Lists this.
    pub fn new(kind: ListingKind) -> Self {
        ListApplications {
            kind,
            id: None,
            next: Vec::new(),
            asked: Vec::new(),
            late: false,
            cut: false,
            listed: Vec::new(),
        }
    }

    /// Asks the next ones. Returns whether there is somebody to wait for.
    fn ask(&mut self, id: ListingId, cx: &mut Cx<'_>) -> bool {
        let timeout = cx.state.settings.application_timeout;
        let until = timeout.map(|timeout| cx.after(timeout));
        let able = |(app, _): &&(AppId, Option<Instant>)| {
            cx.state.applications.all.get(app).is_some_and(|app| !app.lagging)
        };
        let mut answering = self.asked.iter().filter(able).count();
        // Where one is suspended or slow many may be: they are all found out in the time of one.
        let window = if self.late || answering < self.asked.len() { usize::MAX } else { WINDOW };
        while answering < window
            && let Some(app) = self.next.pop()
        {
            if cx.state.list_application(app, id, self.kind) {
                self.asked.push((app, until));
                answering = answering.saturating_add(1);
            }
        }
        answering > 0
    }

    fn take(&mut self, id: ListingId, apps: Vec<AppId>, cx: &mut Cx<'_>) {
        for app_id in apps {
            let Some(app) = cx.state.applications.all.get_mut(&app_id) else { continue };
            let (pid, uid) = (app.credentials.pid, app.credentials.uid);
            let late = app.listings.get(&id).is_some_and(|listing| !listing.done);
            let Some(listed) = app.take_listing(id) else { continue };
            self.cut |= listed.cut;
            if late && listed.cut {
                let text =
                    format_args!("The list of application {pid} is not taken whole: it takes too long");
                cx.state.turn.say(Level::Warn, Topic::Limits, Some(uid), text);
            }
            self.listed.push((app_id, pid, self.shared(listed)));
        }
    }

    /// Applications that run the same program list the same.
    fn shared(&self, mut listed: Listed) -> Listed {
        let mut others = self.listed.iter().rev().take(COMPARED).map(|(.., known)| known);
        if let Some(same) = others.find(|known| known.entries == listed.entries) {
            listed.share(same);
        }
        listed
    }
}
