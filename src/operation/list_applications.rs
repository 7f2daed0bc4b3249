// SPDX-License-Identifier: GPL-2.0-only
//! Listing the tracepoints of all applications, or their fields. All are asked at once; who can't answer is
//! left out.

use std::rc::Rc;

use lttng_protocol::Writer;
use lttng_protocol::client::{Event, EventField, FieldType};

use super::{Context, Progress};
use crate::output::Supply;
use crate::ust::app::{AppId, ListingId};
use crate::ust::listing::{Entries, ListingKind};

/// Applications asked at the same time: what they have listed so far takes room.
const WINDOW: usize = 64;
/// Different lists that a new one is compared with.
const COMPARED: usize = 16;
/// Bytes of the reply that are made at once.
const PIECE: usize = 32 << 10;

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
    /// Number of entries in all of it, and bytes that they make.
    count: u32,
    bytes: usize,
}

impl ListApplications {
    /// Lists this.
    pub fn new(kind: ListingKind) -> Self {
        let (next, asked, listed) = (Vec::new(), Vec::new(), Vec::new());
        ListApplications { kind, id: None, next, asked, listed, count: 0, bytes: 0 }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        let id = *self.id.get_or_insert_with(|| {
            self.next = context.daemon.apps.keys().rev().copied().collect();
            context.daemon.counters.listing()
        });
        let done = |app: &AppId| {
            let listings = context.daemon.apps.get(app).map(|app| &app.listings);
            listings.and_then(|listings| listings.get(&id)).is_none_or(|listing| listing.done)
        };
        let (finished, unfinished) = std::mem::take(&mut self.asked).into_iter().partition(done);
        self.asked = unfinished;
        self.take(id, finished, context);
        if self.ask(id, context) && !context.expired() {
            return Progress::Pending;
        }
        // These listed a part of it, or nothing.
        let rest = std::mem::take(&mut self.asked);
        self.take(id, rest, context);
        self.listed.sort_unstable_by_key(|(app, ..)| *app);
        let supply = ListSupply { listed: std::mem::take(&mut self.listed).into_iter() };
        Progress::DoneInPieces(context.success().with_count(self.count), self.bytes, Box::new(supply))
    }

    /// Asks the next ones. Returns whether there is somebody to wait for.
    fn ask(&mut self, id: ListingId, context: &mut Context<'_>) -> bool {
        let able = |app: &&AppId| context.daemon.apps.get(app).is_some_and(|app| !app.lagging);
        let mut answering = self.asked.iter().filter(able).count();
        // Where one is suspended many may be: they are all found out in the time of one.
        let window = if answering < self.asked.len() { usize::MAX } else { WINDOW };
        while answering < window
            && let Some(app) = self.next.pop()
        {
            if context.daemon.list_application(app, id, self.kind) {
                self.asked.push(app);
                answering = answering.saturating_add(1);
            }
        }
        answering > 0
    }

    fn take(&mut self, id: ListingId, apps: Vec<AppId>, context: &mut Context<'_>) {
        for app_id in apps {
            let Some(app) = context.daemon.apps.get_mut(&app_id) else { continue };
            let pid = app.credentials.pid;
            let Some(entries) = app.take_listing(id) else { continue };
            let listed = entries.tracepoints.len().max(entries.fields.len());
            self.count = self.count.saturating_add(u32::try_from(listed).unwrap_or(u32::MAX));
            let mut writer = Writer::default();
            encode(&entries, pid, &mut writer);
            self.bytes = self.bytes.saturating_add(writer.into_bytes().len());
            self.listed.push((app_id, pid, self.shared(entries)));
        }
    }

    /// Applications that run the same program list the same.
    fn shared(&self, entries: Entries) -> Rc<Entries> {
        let mut same = self.listed.iter().rev().take(COMPARED).map(|(.., known)| known);
        same.find(|known| ***known == entries).cloned().unwrap_or_else(|| Rc::new(entries))
    }
}

/// The reply, made while it is sent: the list of many applications is long.
#[derive(Debug)]
struct ListSupply {
    listed: std::vec::IntoIter<(AppId, i32, Rc<Entries>)>,
}

impl Supply for ListSupply {
    fn next_piece(&mut self) -> Option<Vec<u8>> {
        let mut writer = Writer::default();
        while writer.len() < PIECE
            && let Some((_, pid, entries)) = self.listed.next()
        {
            encode(&entries, pid, &mut writer);
        }
        Some(writer.into_bytes()).filter(|bytes| !bytes.is_empty())
    }
}

fn encode(entries: &Entries, pid: i32, writer: &mut Writer) {
    let event = |name: &str, loglevel| Event { loglevel, pid, ..Event::tracepoint(name) };
    for entry in &entries.tracepoints {
        event(&entry.name, entry.loglevel).encode(writer);
    }
    for entry in &entries.fields {
        let field = EventField {
            field_type: field_type(entry.field_type),
            nowrite: entry.nowrite,
            name: entry.field_name.clone(),
            event: event(&entry.event_name, entry.loglevel),
        };
        field.encode(writer);
    }
}

fn field_type(number: u32) -> FieldType {
    u8::try_from(number).ok().and_then(FieldType::from_number).unwrap_or(FieldType::Other)
}
