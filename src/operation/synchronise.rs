// SPDX-License-Identifier: GPL-2.0-only
//! Waiting until the running applications have what a command changed in a recording session.

use lttng_protocol::client::ErrorCode;

use super::{Context, Progress};
use crate::model::SessionId;
use crate::ust::app::AppId;

/// Bringing a change to the applications.
#[derive(Debug)]
pub struct Synchronise {
    session: SessionId,
    apps: Option<Vec<AppId>>,
}

impl Synchronise {
    /// Waits for the applications as far as this session goes.
    pub fn new(session: SessionId) -> Self {
        Synchronise { session, apps: None }
    }

    /// One application's failure is logged where it happens; it does not fail the command of a client.
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        let apps = match &mut self.apps {
            Some(apps) => apps,
            None => self.apps.insert(context.touch_all_applications()),
        };
        if context.unsettled(apps, self.session) && !context.expired() {
            return Progress::Pending;
        }
        context.reply(ErrorCode::Ok)
    }
}
