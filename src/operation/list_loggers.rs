// SPDX-License-Identifier: GPL-2.0-only
//! Listing the loggers of the programs that have an agent of a domain. All agents are asked at once.
//!
//! As with the tracepoints of applications, what there is is told to the client, and what is missing to the log; only if
//! nothing is left although there were agents, the client is told that listing failed.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::answer::{Answer, Failure};
use super::cx::Cx;
use super::task::Task;
use crate::model::LoggerDomain;
use crate::turn::ids::ListingId;

/// What each agent of a crowd adds to the time in which all are expected to have answered.
const TURN: Duration = Duration::from_millis(10);

/// Listing loggers.
#[derive(Debug)]
pub struct ListLoggers {
    domain: LoggerDomain,
    /// The list that was asked for, and until when it is waited for.
    begun: Option<(ListingId, Option<Instant>)>,
}

impl ListLoggers {
    /// Lists those of this domain.
    pub fn new(domain: LoggerDomain) -> Self {
        ListLoggers { domain, begun: None }
    }
}

impl Task for ListLoggers {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let (id, until) = match self.begun {
            Some(begun) => begun,
            None => {
                let count = u32::try_from(cx.state.agents.ids().count()).unwrap_or(u32::MAX);
                let all = TURN.saturating_mul(count);
                let timeout = cx.state.settings.application_timeout;
                let until = timeout.map(|timeout| cx.after(timeout.saturating_add(all)));
                *self.begun.insert((cx.state.list_loggers(self.domain), until))
            }
        };
        let late = cx.expired() || until.is_some_and(|until| cx.now() >= until);
        if !cx.state.are_loggers_listed(id) && !late {
            until.into_iter().for_each(|until| cx.look_again_at(until));
            return Poll::Pending;
        }
        let listing = cx.state.take_loggers(id);
        if listing.incomplete && listing.listed.is_empty() {
            return Poll::Ready(Err(Failure::NotListed));
        }
        let listed = listing.listed.into_iter().map(|listed| (listed.pid, listed.names)).collect();
        Poll::Ready(Ok(Answer::Loggers(listed)))
    }
}
