// SPDX-License-Identifier: GPL-2.0-only
//! Asking what a session that records has lost. Nobody waits for it, and it waits for nobody: it never holds the session, and
//! is over as soon as a task holds it.
//!
//! Consumer daemons answer one request at a time, each in less than 0.1 ms. So only those channels are asked about that have
//! written something since the last time, a few at once, and not all of hundreds.

use std::collections::BTreeSet;
use std::task::{Poll, ready};

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::steps::losses::{self, Asked};
use super::task::Task;
use crate::model::{Occasion, Place};
use crate::turn::ids::SessionId;

/// Channels that are asked about together: others' requests wait no longer than that takes.
const AT_ONCE: usize = 16;
/// Channels that are asked about in all. The rest comes with the next sample.
const MOST: usize = 128;

/// Asking what a session has lost.
#[derive(Debug)]
pub struct CountLosses {
    session: SessionId,
    asked: Option<Asked>,
    /// How many may still be asked about.
    left: usize,
}

impl CountLosses {
    /// Of this session, which records.
    pub fn new(session: SessionId) -> Self {
        CountLosses { session, asked: None, left: MOST }
    }

    fn go(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Failure>> {
        loop {
            if let Some(asked) = &self.asked {
                let answers = ready!(cx.answers());
                losses::take(cx, self.session, asked, &answers);
                if answers.late || answers.lost {
                    return Poll::Ready(Err(Failure::LossesUnknown));
                }
            }
            let places = self.next(cx);
            if places.is_empty() {
                cx.state.tell_losses(self.session, Occasion::Counted);
                return Poll::Ready(Ok(()));
            }
            self.left = self.left.saturating_sub(places.len());
            self.asked = Some(losses::ask(cx, self.session, |place, _| places.contains(&place)));
        }
    }

    /// Whom to ask about next; nobody if a task has the session now.
    fn next(&self, cx: &mut Cx<'_>) -> BTreeSet<Place> {
        let free = cx.state.may_count_losses(self.session);
        let session = cx.state.sessions.get_mut(self.session).filter(|_| free);
        session.map_or_else(BTreeSet::new, |session| {
            session.recording.losses.take_written(AT_ONCE.min(self.left))
        })
    }
}

impl Task for CountLosses {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let result = ready!(self.go(cx));
        if let Some(session) = cx.state.sessions.get_mut(self.session) {
            session.recording.losses.end_asking();
        }
        Poll::Ready(result.map(|()| Answer::Done))
    }
}
