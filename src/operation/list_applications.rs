// SPDX-License-Identifier: GPL-2.0-only
//! Listing the tracepoints of all applications, or their fields. All are asked at once; who can't answer is
//! left out.

use lttng_protocol::Writer;
use lttng_protocol::client::{Event, EventField, FieldType};

use super::{Context, Progress};
use crate::ust::app::{AppId, ListingId};
use crate::ust::listing::ListingKind;

/// Listing what applications have.
#[derive(Debug)]
pub struct ListApplications {
    kind: ListingKind,
    begun: Option<(ListingId, Vec<AppId>)>,
}

impl ListApplications {
    /// Lists this.
    pub fn new(kind: ListingKind) -> Self {
        ListApplications { kind, begun: None }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        let kind = self.kind;
        let (id, apps) = self.begun.get_or_insert_with(|| context.daemon.list_applications(kind));
        let unfinished = |app: &AppId| {
            let app = context.daemon.apps.get(app).filter(|app| !app.lagging);
            app.and_then(|app| app.listings.get(id)).is_some_and(|listing| !listing.done)
        };
        if apps.iter().any(unfinished) && !context.expired() {
            return Progress::Pending;
        }
        // Encoded at once: with many applications the list is long.
        let mut writer = Writer::default();
        let mut count: u32 = 0;
        for app in apps.iter() {
            let Some(app) = context.daemon.apps.get_mut(app) else { continue };
            let pid = app.credentials.pid;
            let Some(entries) = app.take_listing(*id) else { continue };
            let event = |name: &str, loglevel| Event { loglevel, pid, ..Event::tracepoint(name) };
            for entry in &entries.tracepoints {
                event(&entry.name, entry.loglevel).encode(&mut writer);
            }
            for entry in &entries.fields {
                let field = EventField {
                    field_type: field_type(entry.field_type),
                    nowrite: entry.nowrite,
                    name: entry.field_name.clone(),
                    event: event(&entry.event_name, entry.loglevel),
                };
                field.encode(&mut writer);
            }
            let listed = entries.tracepoints.len().max(entries.fields.len());
            count = count.saturating_add(u32::try_from(listed).unwrap_or(u32::MAX));
        }
        Progress::Done(context.success().with_count(count).with_payload(writer.into_bytes()))
    }
}

fn field_type(number: u32) -> FieldType {
    u8::try_from(number).ok().and_then(FieldType::from_number).unwrap_or(FieldType::Other)
}
