// SPDX-License-Identifier: GPL-2.0-only
//! What is known of the daemon, of sessions and of peers, told to somebody who asks. It is only looked at: who asks changes
//! nothing, and nobody else is asked.

mod peers;
mod sessions;

use log::Level;

use super::State;
use crate::accounts::Resource;
use crate::report;
use crate::turn::messages::Topic;

/// As a resource is called in the report.
fn name_of(resource: Resource) -> &'static str {
    match resource {
        Resource::Applications => "applications",
        Resource::Agents => "agents",
        Resource::Connections => "connections",
        Resource::Descriptors => "descriptors",
        Resource::Memory => "memory",
    }
}

impl State {
    /// Whether a user may know of what belongs to others: root, and the user that the daemon belongs to.
    pub fn may_see_all(&self, asker: u32) -> bool {
        asker == 0 || asker == self.settings.uid
    }

    /// How everything is, as far as `asker` may know it. Triggers and clients are not known here.
    pub fn report(&self, asker: u32) -> report::Report {
        let sessions = self.sessions.iter().filter(|session| session.accessible_to(asker));
        report::Report {
            schema: report::SCHEMA,
            daemon: self.report_daemon(asker),
            sessions: sessions.map(|session| self.report_session(session)).collect(),
            applications: self
                .applications
                .all
                .values()
                .map(|app| self.report_application(app, asker))
                .collect(),
            agents: self.agents.all.values().map(|agent| self.report_agent(agent)).collect(),
            consumers: self.report_consumers(),
            relays: self.report_relays(asker),
            kernel: self.report_kernel(),
            users: self.report_users(asker),
            counters: self.report_counters(),
            messages: self.report_messages(asker),
            refused: self.report_refused(asker),
            ..report::Report::default()
        }
    }

    fn report_daemon(&self, asker: u32) -> report::Daemon {
        let (settings, tally) = (&self.settings, &self.turn.tally);
        let usage = (settings.sources.usage)();
        let timeout = settings.application_timeout;
        report::Daemon {
            version: settings.version.to_owned(),
            pid: i32::try_from(std::process::id()).unwrap_or(0),
            uid: settings.uid,
            run_directory: settings.run_directory.clone(),
            started: tally.started,
            uptime: self.turn.now.saturating_duration_since(tally.began).as_secs(),
            now: self.turn.wall,
            memory_resident: usage.resident,
            memory_anonymous: usage.anonymous,
            descriptors: usage.descriptors,
            descriptors_limit: usage.descriptors_limit,
            possible_cpus: settings.possible_cpus,
            application_timeout_ms: timeout.and_then(|timeout| u64::try_from(timeout.as_millis()).ok()),
            group: settings.group.clone(),
            asker,
            ..report::Daemon::default()
        }
    }

    fn report_users(&self, asker: u32) -> Vec<report::User> {
        let all = self.may_see_all(asker);
        let limit = |uid, resource| self.accounts.limits().for_user(uid, resource);
        let users = self.accounts.users().filter(|(uid, _)| all || *uid == asker);
        users
            .map(|(uid, usage)| report::User {
                uid,
                holds: Resource::ALL
                    .into_iter()
                    .map(|resource| report::Held {
                        resource: name_of(resource).to_owned(),
                        amount: usage.of(resource),
                        limit: limit(uid, resource),
                    })
                    .collect(),
            })
            .collect()
    }

    /// What was said last, as far as it is the asker's doing, or of the daemon as a whole.
    fn report_messages(&self, asker: u32) -> Vec<report::Message> {
        let all = self.may_see_all(asker);
        let messages = self.turn.messages().kept();
        // What is nobody's doing may name somebody's hosts or folders, but for these.
        let common =
            |topic| matches!(topic, Topic::Consumer | Topic::Tracer | Topic::Helper | Topic::Connections);
        let seen = messages.filter(|message| {
            all || message.user.map_or_else(|| common(message.topic), |user| user == asker)
        });
        seen.map(|message| report::Message {
            at: message.at,
            level: if message.level == Level::Error { "error" } else { "warning" }.to_owned(),
            topic: message.topic.name().to_owned(),
            uid: message.user,
            text: message.text.clone(),
        })
        .collect()
    }

    fn report_refused(&self, asker: u32) -> Vec<report::Refused> {
        let all = self.may_see_all(asker);
        let seen = self.turn.refusals().last().filter(|refusal| all || refusal.uid == asker);
        seen.map(|refusal| report::Refused {
            at: refusal.at,
            pid: refusal.pid,
            uid: refusal.uid,
            why: refusal.why.clone(),
        })
        .collect()
    }

    fn report_counters(&self) -> report::Counters {
        let tally = &self.turn.tally;
        report::Counters {
            turns: tally.turns,
            longest_turn_us: u64::try_from(tally.longest_turn.as_micros()).unwrap_or(u64::MAX),
            applications: tally.applications,
            events: tally.events,
            agents: tally.agents,
            refused: self
                .turn
                .refusals()
                .counts()
                .map(|(reason, count)| report::Count { name: reason.name().to_owned(), count })
                .collect(),
            messages_left_out: self.turn.messages().left_out(),
            ..report::Counters::default()
        }
    }
}
