// SPDX-License-Identifier: GPL-2.0-only
//! Daemons, asked: how they are, on the status socket, and what their applications offer, as any client does.
//!
//! It must not wait for a daemon that is stopped: everything has a time.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use lttng_protocol::client::{Body, Domain, Event, Instrumentation, Reply};

use super::super::evidence::{Offer, Reach};
use crate::inquiry::connection::{Unanswered, reach, read, understand};
use crate::report::Report;

/// How long a daemon may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take to list tracepoints: it gives its applications five seconds.
const PATIENCE_WITH_LISTS: Duration = Duration::from_secs(8);
impl From<Unanswered> for Reach {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Absent => Reach::Absent,
            Unanswered::Abandoned => Reach::Abandoned,
            Unanswered::Forbidden => Reach::Denied,
            Unanswered::Silent => Reach::Silent,
            Unanswered::Lost(why) | Unanswered::Nonsense(why) => Reach::Failed(why),
        }
    }
}

/// What a daemon says on its status socket, and its pid.
pub fn ask_status(path: &Path) -> (Reach, Option<Report>, Option<i32>) {
    let deadline = Instant::now() + PATIENCE;
    let (mut stream, pid) = match reach(path, deadline) {
        Ok(reached) => reached,
        Err(why) => return (why.into(), None, None),
    };
    let pid = (pid > 0).then_some(pid);
    match read(&mut stream, deadline).and_then(|said| understand(&said)) {
        Ok(report) => (Reach::Answered, Some(report), pid),
        Err(why) => (why.into(), None, pid),
    }
}

/// Whether somebody answers at a client socket, and who. Nothing is asked: who gives no report may be slow.
pub fn try_clients(path: &Path) -> (Reach, Option<i32>) {
    match reach(path, Instant::now() + PATIENCE) {
        Ok((_, pid)) => (Reach::Answered, (pid > 0).then_some(pid)),
        Err(why) => (why.into(), None),
    }
}

/// The tracepoints of all applications.
///
/// # Errors
/// Why they are not known.
pub fn list_tracepoints(path: &Path) -> Result<Vec<Offer>, String> {
    let deadline = Instant::now() + PATIENCE_WITH_LISTS;
    let failed = |why: Unanswered| match why {
        Unanswered::Silent => {
            "The daemon did not list them in time; an application may be keeping it waiting.".to_owned()
        }
        Unanswered::Forbidden => "You may not ask the daemon for them.".to_owned(),
        other => format!("The daemon can't be asked: {other}."),
    };
    let (mut stream, _) = reach(path, deadline).map_err(failed)?;
    let (header, body) = Body::ListTracepoints.encode("", Domain::Ust as u32, 0);
    stream.set_write_timeout(Some(PATIENCE)).map_err(|error| failed(error.into()))?;
    stream.write_all(&[header.encode(), body].concat()).map_err(|error| failed(error.into()))?;
    let bytes = read(&mut stream, deadline).map_err(failed)?;
    let strange = |why: &dyn std::fmt::Display| format!("The daemon's list can't be understood: {why}.");
    let reply = Reply::decode(&bytes).map_err(|error| strange(&error))?;
    if reply.header.is_none() {
        return Err(format!("The daemon lists none: {}.", reply.code.text()));
    }
    let events = reply.elements(Event::decode).map_err(|error| strange(&error))?;
    let offer = |event: &Event| Offer { pid: event.pid, name: event.name.to_string(), level: event.loglevel };
    let is_tracepoint = |event: &&Event| matches!(event.instrumentation, Instrumentation::Tracepoint);
    Ok(events.iter().filter(is_tracepoint).map(offer).collect())
}
