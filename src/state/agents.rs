// SPDX-License-Identifier: GPL-2.0-only
//! The agents of logging libraries: how they come and go, what is wanted of them, and who waits for that.
//!
//! All agents of a domain are to have the same, what all sessions and triggers want of it. Each is driven on its own
//! (`agent/conversation`), so that one that is slow, silent or mad costs itself and nobody else. None of them is told from
//! another by the process that it says it is in, which it may make up.

mod answers;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::{Duration, Instant};

use log::Level;
use lttng_protocol::agent::{Registration, Version};

use super::{Role, State, reason_of};
use crate::accounts::{Charge, Exhausted, Resource, Whose};
use crate::agent::conversation::{Agent, Newcomer, Nonsense};
use crate::agent::listing::Listing;
use crate::agent::planner::Desired;
use crate::model::{LoggerDomain, LoggerRule};
use crate::sys::socket::Credentials;
use crate::turn::ids::{AgentId, ConnId, ListingId, TriggerId};
use crate::turn::messages::Topic;
use crate::turn::output::Output;
use crate::turn::timers::Timer;
use crate::turn::watch::Attention;

/// Who is charged for those of whom the kernel does not say whose they are: the user that nobody should be.
pub const UNKNOWN_USER: u32 = 65_534;
/// How long a connection may take to say who it is. Agents say so at once.
const INTRODUCTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a program is held back while its agent gets what is wanted. It goes on by itself after 3 s (Java) or 5 s
/// (Python), so this must be less.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(2500);

/// The agents, and what is wanted of them.
#[derive(Debug)]
pub struct Agents {
    /// Those that have introduced themselves.
    pub(super) all: BTreeMap<AgentId, Agent>,
    newcomers: BTreeMap<ConnId, Newcomer>,
    /// Those of which something may have to be asked.
    dirty: BTreeSet<AgentId>,
    /// Those that owe answers.
    watched: BTreeSet<AgentId>,
    /// Who had its turn last.
    last: Option<AgentId>,
    attention: Attention,
    /// What is wanted, and in which edition.
    wanted: BTreeMap<LoggerDomain, (Desired, u64)>,
    /// Something else may be wanted than that.
    touched: bool,
    of_triggers: BTreeMap<TriggerId, (LoggerDomain, LoggerRule)>,
    listings: BTreeMap<ListingId, Listing>,
}

impl Agents {
    /// None yet.
    pub(super) fn new(now: Instant) -> Self {
        // Agents come with edition 0, which is never wanted.
        let wanted = LoggerDomain::ALL.into_iter().map(|domain| (domain, (Desired::default(), 1)));
        Agents {
            all: BTreeMap::new(),
            newcomers: BTreeMap::new(),
            dirty: BTreeSet::new(),
            watched: BTreeSet::new(),
            last: None,
            attention: Attention::new(now),
            wanted: wanted.collect(),
            touched: false,
            of_triggers: BTreeMap::new(),
            listings: BTreeMap::new(),
        }
    }

    /// Takes out the next one of which something may have to be asked. They have their turns one after the other: those
    /// that answer at once have something to be asked again, and would keep the others from ever having theirs.
    fn next_dirty(&mut self) -> Option<AgentId> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.dirty.range((after, Bound::Unbounded)).next().or_else(|| self.dirty.first()).copied();
        self.last = next;
        next.filter(|id| self.dirty.remove(id))
    }

    /// Agents, oldest first.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = AgentId> {
        self.all.keys().copied()
    }
}

impl State {
    /// Whether agents can connect: without that, nothing can be done in their domains.
    pub fn serves_agents(&self) -> bool {
        self.settings.agents
    }

    /// Whether there is any agent, so that there is somebody to wait for.
    pub fn has_agents(&self) -> bool {
        !self.agents.all.is_empty()
    }

    /// Something else may be wanted of agents: they are looked at when the state settles. Commands about loggers, triggers and
    /// ends of sessions say so. While there is no agent, nobody cares; the first one that comes says so, too.
    pub fn touch_agents(&mut self) {
        self.agents.touched = true;
        self.turn.changed = true;
    }

    /// From now on a trigger wants this of agents.
    pub fn want_loggers(&mut self, id: TriggerId, domain: LoggerDomain, rule: LoggerRule) {
        self.agents.of_triggers.insert(id, (domain, rule));
        self.touch_agents();
    }

    /// A trigger wants nothing of agents any more.
    pub fn forget_loggers(&mut self, id: TriggerId) {
        if self.agents.of_triggers.remove(&id).is_some() {
            self.touch_agents();
        }
    }

    // They come.

    /// Input: somebody connected to the port of agents; `uid` is whose process it is, if that is known.
    pub fn agent_connected(&mut self, conn: ConnId, uid: Option<u32>) {
        let uid = uid.unwrap_or(UNKNOWN_USER);
        let charge = match self.room_for_agent(uid) {
            Ok(charge) => charge,
            Err(exhausted) => {
                let text = format_args!("Refused an agent: {exhausted}");
                self.turn.say(Level::Warn, Topic::Limits, Some(uid), text);
                // TCP tells whose process it is, and not which.
                let who = Credentials { pid: 0, uid, gid: u32::MAX };
                self.turn.refuse(who, reason_of(exhausted), exhausted.to_string());
                self.turn.outputs.push(Output::Close(conn));
                return;
            }
        };
        let deadline = self.turn.after(INTRODUCTION_TIMEOUT);
        self.turn.timers.set(Timer::Connection(conn), deadline);
        self.agents.newcomers.insert(conn, Newcomer::new(uid, charge));
        self.roles.insert(conn, Role::NewAgent);
    }

    /// Room for another connection of this user. Of those who have not introduced themselves, the oldest makes room.
    fn room_for_agent(&mut self, uid: u32) -> Result<Charge, Exhausted> {
        let charge = self.accounts.charge(uid, Resource::Agents, 1);
        let Err(Exhausted { whose, .. }) = charge else { return charge };
        let only = match whose {
            Whose::User => Some(uid),
            Whose::Daemon => None,
        };
        self.give_up_new_agent(only);
        self.accounts.charge(uid, Resource::Agents, 1)
    }

    /// Closes the oldest connection on the port of agents on which nobody has introduced himself: one of this user, or of
    /// the one who holds most. False if there is none.
    pub fn give_up_new_agent(&mut self, only: Option<u32>) -> bool {
        let held = |uid| self.accounts.usage(uid).of(Resource::Agents);
        let newcomers = self.agents.newcomers.iter().map(|(&conn, newcomer)| (conn, newcomer.uid));
        let candidates = newcomers.filter(|(_, uid)| only.is_none_or(|only| *uid == only));
        let victim = candidates.max_by_key(|(conn, uid)| (held(*uid), std::cmp::Reverse(*conn)));
        let Some((conn, uid)) = victim else { return false };
        log::debug!(
            "Somebody of user {uid} who connected as an agent and said nothing yet makes room for others"
        );
        self.forget_new_agent(conn);
        self.close(conn);
        true
    }

    pub(super) fn forget_new_agent(&mut self, conn: ConnId) -> Option<Newcomer> {
        self.turn.timers.clear(Timer::Connection(conn));
        self.agents.newcomers.remove(&conn)
    }

    /// The time of a connection has come: it must have introduced itself, or the program is let run.
    pub(super) fn expire_agent(&mut self, conn: ConnId) {
        if self.forget_new_agent(conn).is_some() {
            log::debug!("A connection said too little for too long");
            self.close(conn);
        } else {
            self.touch_agent(AgentId(conn));
        }
    }

    pub(super) fn new_agent_received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(newcomer) = self.agents.newcomers.get_mut(&conn) else { return };
        let uid = newcomer.uid;
        match newcomer.received(bytes) {
            Ok(None) => {}
            Ok(Some(registration)) => {
                let Some(newcomer) = self.forget_new_agent(conn) else { return };
                self.agent_registered(conn, registration, newcomer);
            }
            Err(Nonsense(why)) => {
                let text = format_args!("Somebody who connected as an agent is none: {why}");
                self.turn.say(Level::Warn, Topic::Registration, Some(uid), text);
                self.forget_new_agent(conn);
                self.close(conn);
            }
        }
    }

    fn agent_registered(&mut self, conn: ConnId, registration: Registration, newcomer: Newcomer) {
        let Registration { domain, pid, version } = registration;
        let Newcomer { uid, charge, .. } = newcomer;
        if version != Version::OURS {
            let Version { major, minor } = version;
            let Version { major: our_major, minor: our_minor } = Version::OURS;
            let text = format_args!(
                "Refusing agent connection: unsupported protocol version {major}.{minor}, expected \
                 {our_major}.{our_minor}"
            );
            self.turn.say(Level::Warn, Topic::Registration, Some(uid), text);
            return self.close(conn);
        }
        let domain = LoggerDomain::of_number(domain);
        self.turn.tally.agents = self.turn.tally.agents.saturating_add(1);
        log::debug!("Agent in process {pid} (user {uid}) registered for {domain:?}");
        // To charge nothing can't fail.
        let Ok(memory) = self.accounts.charge(uid, Resource::Memory, 0) else { return self.close(conn) };
        let release_by = self.turn.after(RELEASE_TIMEOUT);
        let id = AgentId(conn);
        if !self.has_agents() {
            self.touch_agents();
        }
        self.agents.all.insert(id, Agent::new(domain, pid, uid, release_by, (charge, memory)));
        self.roles.insert(conn, Role::Agent(id));
        self.turn.timers.set(Timer::Connection(conn), release_by);
        self.touch_agent(id);
    }

    // They are brought to what is wanted.

    pub(super) fn touch_agent(&mut self, id: AgentId) {
        if self.agents.all.contains_key(&id) {
            self.agents.dirty.insert(id);
            self.turn.changed = true;
        }
    }

    /// Puts together what sessions and triggers want. Those of whom something else is wanted than before are looked at.
    fn gather_wanted(&mut self) {
        for (&domain, (known, edition)) in &mut self.agents.wanted {
            let mut desired = Desired::default();
            let sessions = self.sessions.iter().filter(|session| !session.is_destroyed());
            for loggers in sessions.filter_map(|session| session.wanted.ust.as_ref()?.loggers.get(&domain)) {
                for rule in loggers.rules.iter().filter(|rule| rule.enabled) {
                    desired.add_rule(rule);
                }
                desired.add_contexts(domain, loggers.provided());
            }
            for (_, rule) in self.agents.of_triggers.values().filter(|(of, _)| *of == domain) {
                desired.add_rule(rule);
                desired.add_contexts(domain, rule.contexts.iter().cloned());
            }
            if *known != desired {
                desired.share(known);
                *known = desired;
                *edition = edition.saturating_add(1);
                let all = self.agents.all.iter_mut();
                for (&id, agent) in all.filter(|(_, agent)| agent.domain == Some(domain)) {
                    agent.forget_unwanted(known);
                    self.agents.dirty.insert(id);
                }
                self.turn.changed = true;
            }
        }
    }

    /// Asks agents for what is to be asked now, or of as many as can be sent something now.
    pub(super) fn serve_agents(&mut self) {
        if std::mem::take(&mut self.agents.touched) && self.has_agents() {
            self.gather_wanted();
        }
        while !self.turn.outputs.are_large()
            && let Some(id) = self.agents.next_dirty()
        {
            self.drive_agent(id);
        }
    }

    /// Whether no agent is left of which something may have to be asked.
    pub(super) fn are_agents_served(&self) -> bool {
        !self.agents.touched && self.agents.dirty.is_empty()
    }

    fn drive_agent(&mut self, id: AgentId) {
        let none = (Desired::default(), 0);
        let Some(agent) = self.agents.all.get_mut(&id) else { return };
        let wanted = agent.domain.and_then(|domain| self.agents.wanted.get(&domain));
        let (desired, edition) = wanted.unwrap_or(&none);
        let was_released = agent.is_released();
        while let Some(request) = agent.next_request(desired, *edition, self.turn.now) {
            self.turn.outputs.send(id.0, request.encode());
        }
        if agent.is_released() && !was_released {
            self.turn.timers.clear(Timer::Connection(id.0));
        }
        if agent.owes_answer() {
            self.watch_agent(id);
        }
        // It may have all that somebody waits for.
        self.turn.changed = true;
    }

    /// Whether an agent has what is wanted of it, or need not or can't be waited for: the program of one that gets what
    /// is wanted at first does not run before it has that.
    pub fn is_agent_settled(&self, id: AgentId) -> bool {
        let Some(agent) = self.agents.all.get(&id) else { return true };
        let edition = agent.domain.and_then(|domain| self.agents.wanted.get(&domain));
        agent.lagging
            || agent.is_behind()
            || !agent.is_released()
            || !self.agents.touched && edition.is_none_or(|(_, edition)| agent.has(*edition))
    }

    /// The daemon is about to end: it does not wait for agents that are silent now.
    pub fn give_up_waiting_for_agents(&mut self) {
        self.agents.all.values_mut().for_each(Agent::give_up_waiting);
    }

    /// Somebody has waited long enough for an agent. It is not dropped: it may answer yet.
    pub fn give_up_waiting_for_agent(&mut self, id: AgentId) {
        if let Some(agent) = self.agents.all.get_mut(&id) {
            agent.give_up_waiting();
            let text = format_args!(
                "The agent in process {} takes its time: it is not waited for any longer",
                agent.pid
            );
            self.turn.say(Level::Info, Topic::Lagging, Some(agent.uid), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_at_once_keeps_nobody_from_having_a_turn() {
        let mut agents = Agents::new(Instant::now());
        let id = |number| AgentId(ConnId(number));
        agents.dirty.extend([1, 2, 3].map(id));
        for number in [1, 2, 3, 1, 2, 3] {
            let next = agents.next_dirty();
            assert_eq!(next, Some(id(number)));
            agents.dirty.extend(next);
        }
        agents.dirty.clear();
        assert_eq!(agents.next_dirty(), None);
        agents.dirty.insert(id(2));
        assert_eq!((agents.next_dirty(), agents.next_dirty()), (Some(id(2)), None));
    }
}
