// SPDX-License-Identifier: GPL-2.0-only
//! What agents answer or do not, how they go, and the lists of loggers that they are asked for.

use log::Level;
use lttng_protocol::agent::{Code, NAME_SIZE};

use super::{Agent, Listing, Nonsense};
use crate::accounts::Resource;
use crate::agent::conversation::Answer;
use crate::agent::listing::Listed;
use crate::agent::mirror::Change;
use crate::model::LoggerDomain;
use crate::state::State;
use crate::turn::ids::{AgentId, ListingId};
use crate::turn::messages::Topic;
use crate::turn::output::{Output, ProcessState};
use crate::turn::timers::Timer;
use crate::turn::watch::{Survey, Watched, survey};

/// What a listed name takes beside its bytes in the reply, until that is sent.
const BESIDE_NAME: u64 = 16;

impl State {
    pub(in crate::state) fn agent_received(&mut self, id: AgentId, bytes: &[u8]) {
        let now = self.turn.now;
        let Some(agent) = self.agents.all.get_mut(&id) else { return };
        agent.received(bytes, now);
        match agent.next_answer() {
            Err(Nonsense(why)) => return self.drop_agent(id, why),
            Ok(None) => {}
            Ok(Some(answer)) => {
                self.agents.attention.answered(now);
                if std::mem::take(&mut agent.lagging) {
                    let text = format_args!("The agent in process {} answers again", agent.pid);
                    self.turn.say(Level::Info, Topic::Lagging, Some(agent.uid), text);
                }
                self.unwatch_agent(id);
                self.agent_answered(id, answer);
                self.touch_agent(id);
            }
        }
        self.hold_for_agent(id);
    }

    fn agent_answered(&mut self, id: AgentId, answer: Answer) {
        let Some(agent) = self.agents.all.get(&id) else { return };
        let (pid, uid) = (agent.pid, agent.uid);
        match answer {
            Answer::Changed(_, Code::SUCCESS) => {}
            // It does not know what it is not to hand over: that comes to the same.
            Answer::Changed(Change::Disable(_) | Change::DisableContext(_), Code::UNKNOWN_NAME) => {
                log::debug!("The agent in process {pid} did not know what was taken back");
            }
            Answer::Changed(change, Code(code)) => {
                let request = change.request();
                let text = format_args!("The agent in process {pid} answered {request:?} with code {code}");
                self.turn.say(Level::Warn, Topic::Refusal, Some(uid), text);
            }
            Answer::NotListed(listing, Code(code)) => {
                self.not_listed(listing, id, format_args!("it answers with code {code}"));
            }
            Answer::Listed(listing, names) => {
                let Some(list) = self.agents.listings.get_mut(&listing) else { return };
                let count = names.iter().count() as u64;
                let held = (names.held() as u64).saturating_add(count.saturating_mul(BESIDE_NAME));
                match self.accounts.charge(uid, Resource::Memory, held) {
                    Ok(charge) => {
                        list.owed.remove(&id);
                        list.listed.push(Listed { agent: id, pid, names, charge });
                    }
                    Err(exhausted) => self.not_listed(listing, id, format_args!("{exhausted}")),
                }
            }
        }
    }

    /// Charges what is held for an agent, which is dropped when that is too much for its user.
    fn hold_for_agent(&mut self, id: AgentId) {
        let Some(agent) = self.agents.all.get_mut(&id) else { return };
        if let Err(exhausted) = agent.charge() {
            let text = format_args!(
                "The agent in process {} makes the daemon hold too much: {exhausted}",
                agent.pid
            );
            self.turn.say(Level::Warn, Topic::Limits, Some(agent.uid), text);
            self.drop_agent(id, "it does not read what it is sent, or does not end what it sends");
        }
    }

    /// So many bytes wait to be sent to an agent.
    pub(in crate::state) fn agent_unsent(&mut self, id: AgentId, bytes: usize) {
        if let Some(agent) = self.agents.all.get_mut(&id) {
            agent.unsent(bytes);
            self.hold_for_agent(id);
        }
    }

    // They go.

    /// Closes the connection of an agent that does not do as it should. It may come back at once as a new one.
    fn drop_agent(&mut self, id: AgentId, why: &str) {
        let Some(agent) = self.agents.all.get(&id) else { return };
        let text = format_args!("The agent in process {} is let go: {why}", agent.pid);
        self.turn.say(Level::Warn, Topic::Silence, Some(agent.uid), text);
        for listing in self.agents.listings.values_mut() {
            listing.incomplete |= listing.owed.contains(&id);
        }
        self.remove_agent(id);
        self.close(id.0);
    }

    /// Forgets an agent whose connection is gone. Sessions want of the others what they wanted before.
    pub(in crate::state) fn remove_agent(&mut self, id: AgentId) {
        let Some(agent) = self.agents.all.remove(&id) else { return };
        log::debug!("The agent in process {} is gone", agent.pid);
        self.turn.timers.clear(Timer::Connection(id.0));
        self.agents.dirty.remove(&id);
        self.unwatch_agent(id);
        for listing in self.agents.listings.values_mut() {
            listing.owed.remove(&id);
        }
        self.turn.changed = true;
    }

    /// All of them are let go.
    pub(in crate::state) fn forget_all_agents(&mut self) {
        let agents: Vec<AgentId> = self.agents.ids().collect();
        agents.into_iter().for_each(|id| self.remove_agent(id));
        self.agents.newcomers.clear();
    }

    // They do not answer.

    fn agent_timeout(&self) -> Option<std::time::Duration> {
        self.settings.network_timeout.or(self.settings.application_timeout)
    }

    /// An agent owes an answer.
    pub(super) fn watch_agent(&mut self, id: AgentId) {
        self.agents.watched.insert(id);
        let timeout = self.agent_timeout();
        let check =
            self.agents.all.get(&id).and_then(|agent| agent.next_check(self.agents.attention, timeout));
        let next = [self.turn.timers.get(Timer::Agents), check].into_iter().flatten().min();
        self.turn.timers.arrange(Timer::Agents, next);
    }

    fn unwatch_agent(&mut self, id: AgentId) {
        self.agents.watched.remove(&id);
        if self.agents.watched.is_empty() {
            self.turn.timers.clear(Timer::Agents);
        }
    }

    /// Looks at agents that owe answers, when the first of them may be overdue.
    pub(in crate::state) fn expire_agents(&mut self) {
        let (now, timeout) = (self.turn.now, self.agent_timeout());
        let all = &self.agents.all;
        let watched = self.agents.watched.iter().filter_map(|&id| Some((id, all.get(&id)?)));
        let Survey { inspect, late } = survey(watched, now, self.agents.attention, timeout);
        if let Some(id) = inspect
            && let Some(agent) = self.agents.all.get_mut(&id)
        {
            agent.inspecting(now);
            self.agents.attention.look(now);
            self.turn.outputs.push(Output::Inspect { conn: id.0, pid: agent.pid });
        }
        late.into_iter().for_each(|id| self.drop_agent(id, "it did not answer in time"));
        let check = |id| self.agents.all.get(id)?.next_check(self.agents.attention, timeout);
        let next = self.agents.watched.iter().filter_map(check).min();
        self.turn.timers.arrange(Timer::Agents, next);
    }

    /// The process that an agent says it is in was looked at.
    pub(in crate::state) fn agent_inspected(&mut self, id: AgentId, state: ProcessState) {
        let now = self.turn.now;
        if state == ProcessState::Suspended {
            self.agents.attention.found(now);
            self.turn.timers.set(Timer::Agents, now);
        }
        let Some(agent) = self.agents.all.get_mut(&id) else { return };
        if agent.inspected(state, now) {
            let what = if agent.lagging { "can't answer: nobody waits for it" } else { "could answer again" };
            let text = format_args!("The agent in process {} {what}", agent.pid);
            self.turn.say(Level::Info, Topic::Lagging, Some(agent.uid), text);
            self.watch_agent(id);
            self.touch_agent(id);
        }
    }

    // They are listed.

    /// Asks the agents of a domain for their loggers, but for those whose programs do not run yet. Those that can't answer
    /// are left out.
    pub fn list_loggers(&mut self, domain: LoggerDomain) -> ListingId {
        let id = self.counters.listing();
        let mut listing = Listing::default();
        // Those that are still to be told to go on take no part yet.
        let all = self.agents.all.iter_mut();
        let running = all.filter(|(_, agent)| agent.domain == Some(domain) && agent.is_released());
        for (&agent_id, agent) in running {
            if agent.lagging || agent.is_behind() {
                listing.incomplete = true;
                let text = format_args!("{}", LeftOut { pid: agent.pid, why: "it can't answer" });
                self.turn.say(Level::Warn, Topic::Limits, Some(agent.uid), text);
                continue;
            }
            agent.list(id);
            listing.owed.insert(agent_id);
            self.agents.dirty.insert(agent_id);
        }
        self.agents.listings.insert(id, listing);
        self.turn.changed = true;
        id
    }

    /// Whether all agents that were asked for a list have answered or are gone.
    pub fn are_loggers_listed(&self, id: ListingId) -> bool {
        self.agents.listings.get(&id).is_none_or(|listing| listing.owed.is_empty())
    }

    /// Takes a list, whole or not, the oldest agents first. Those that have not answered are left out, and so are those
    /// that say they are in a process that is not there: the stock client would take nothing then.
    pub fn take_loggers(&mut self, id: ListingId) -> Listing {
        let owing = self.agents.listings.get(&id).map(|listing| listing.owed.clone()).unwrap_or_default();
        for agent in owing {
            self.not_listed(id, agent, format_args!("it takes too long"));
            if let Some(agent) = self.agents.all.get_mut(&agent) {
                agent.forget_list(id);
                agent.give_up_waiting();
            }
        }
        let mut listing = self.agents.listings.remove(&id).unwrap_or_default();
        let has_process = self.settings.sources.has_process;
        let (there, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut listing.listed).into_iter().partition(|listed| has_process(listed.pid));
        for Listed { pid, charge, .. } in gone {
            listing.incomplete = true;
            let text = format_args!("{}", LeftOut { pid, why: "there is no such process" });
            self.turn.say(Level::Warn, Topic::Limits, Some(charge.uid()), text);
        }
        listing.listed = there;
        for Listed { pid, names, charge, .. } in &mut listing.listed {
            let left_out = names.leave_out_longer(NAME_SIZE);
            if left_out > 0 {
                let text = format_args!(
                    "{left_out} loggers of process {pid} have names that are too long to be listed"
                );
                self.turn.say(Level::Warn, Topic::Limits, Some(charge.uid()), text);
            }
        }
        listing.listed.sort_unstable_by_key(|listed| listed.agent);
        listing
    }

    fn not_listed(&mut self, listing: ListingId, id: AgentId, why: std::fmt::Arguments<'_>) {
        if let Some(listing) = self.agents.listings.get_mut(&listing) {
            listing.incomplete |= listing.owed.remove(&id);
        }
        if let Some(Agent { pid, uid, .. }) = self.agents.all.get(&id) {
            let text = format_args!("{}", LeftOut { pid: *pid, why });
            self.turn.say(Level::Warn, Topic::Limits, Some(*uid), text);
        }
    }
}

/// Whose loggers are left out, and why.
struct LeftOut<W> {
    pid: i32,
    why: W,
}

impl<W: std::fmt::Display> std::fmt::Display for LeftOut<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "The loggers of the agent in process {} are not listed: {}", self.pid, self.why)
    }
}
