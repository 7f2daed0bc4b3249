// SPDX-License-Identifier: GPL-2.0-only
//! How a registered application itself behaves: it may stand still, be slow, have refused something, or have nobody who
//! writes its trace.

use super::super::finding::{About, Finding, Weight, count};
use super::record::Subject;
use super::{program, registration};
use crate::report::Progress;

/// Milliseconds that an answer may take without being worth a word.
const SHORT: u64 = 2000;

impl Subject<'_> {
    /// How the application itself behaves.
    pub fn conduct(&self, recorded: bool) -> Vec<Finding> {
        let mut found = Vec::new();
        let stopped = registration::stopped(self.process);
        let is_stopped = stopped.is_some();
        found.extend(stopped);
        found.extend(self.consumer());
        let partly = if recorded { Weight::Partial } else { Weight::Likely };
        let (pid, waits) = (self.app.pid, self.app.waiting_ms.unwrap_or(0));
        match self.app.progress {
            Progress::Lagging if !is_stopped && waits >= SHORT => {
                let what = format!(
                    "The program does not answer the session daemon: its process was found suspended {} s ago.",
                    waits / 1000
                );
                found.push(
                    Finding::new(About::Lagging, partly, what)
                        .seen(self.owed())
                        .todo("See what the process does. When it goes on, it gets what it has missed.")
                        .run(format!("cat /proc/{pid}/status /proc/{pid}/wchan")),
                );
            }
            Progress::Behind if waits >= SHORT => {
                let what = format!(
                    "The program has not yet taken over what the sessions want of it, for {} s.",
                    waits / 1000
                );
                found.push(
                    Finding::new(About::Behind, partly, what)
                        .seen(self.owed())
                        .todo("Ask again in a moment. If it stays so, see whether LTTng-UST's threads in it get to run.")
                        .run(format!("top -H -p {pid}")),
                );
            }
            _ => {}
        }
        for session in self.app.sessions.iter().filter(|session| !session.refused.is_empty()) {
            let what = format!(
                "The program would not take, or could not be given, {} of session {}: {}.",
                count(session.refused.len(), "thing", "things"),
                session.name,
                session.refused.join("; ")
            );
            found.push(
                Finding::new(About::RuleRefused, partly, what)
                    .seen("The rest of the session is not touched by that.")
                    .todo("Mend what is named there, as a filter on a field that the event does not have, or a context that its version of LTTng-UST does not know, and make the rule anew."),
            );
        }
        if !recorded {
            found.extend(registration::shared_memory(self.scene));
            found.extend(program::library(self.process).into_iter().filter(|finding| {
                // What it offers is known better from the daemon.
                finding.about != About::NoProvider || self.own_names().is_empty()
            }));
        }
        found
    }

    fn owed(&self) -> String {
        match &self.app.owes_first {
            Some(first) => format!(
                "It owes {}; the oldest is about: {first}.",
                count(usize::try_from(self.app.owes).unwrap_or(usize::MAX), "answer", "answers")
            ),
            None => String::new(),
        }
    }

    /// The program that writes the trace.
    pub fn consumer(&self) -> Option<Finding> {
        let bits = if self.app.bits == 32 { 32 } else { 64 };
        let kind = format!("user_space_{bits}");
        let consumer = self.report.consumers.iter().find(|consumer| consumer.kind == kind);
        match consumer {
            Some(consumer) if consumer.state == "lost" => {
                let what = format!(
                    "The {bits}-bit consumer daemon, which writes the trace, was lost ({} so far).",
                    count(usize::try_from(consumer.deaths).unwrap_or(0), "time", "times")
                );
                Some(
                    Finding::new(About::Consumer, Weight::Decisive, what)
                        .seen(format!("The program is {}. Sessions that it served record nothing more.", consumer.path))
                        .todo("See the daemon's messages for the reason; then destroy the sessions and make them anew: the next command starts another one.")
                        .run("lttng destroy --all"),
                )
            }
            Some(consumer) if !consumer.path.is_empty() || consumer.pid.is_some() => None,
            _ if self.report.consumers.is_empty() && bits == 64 => None,
            _ => {
                let what = format!(
                    "The program is a {bits}-bit one, and the session daemon has no {bits}-bit consumer daemon to record it with."
                );
                Some(
                    Finding::new(About::Consumer, Weight::Decisive, what)
                        .seen("It registers and is listed all the same. Programs of each word size have a consumer daemon of their own.")
                        .todo(format!("Install lttng-consumerd for {bits}-bit programs, and start the session daemon with its path."))
                        .run(format!("lttng-sessiond --daemonize --consumerd{bits}-path=PATH --consumerd{bits}-libdir=DIRECTORY")),
                )
            }
        }
    }
}
