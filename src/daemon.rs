// SPDX-License-Identifier: GPL-2.0-only
//! The daemon as a whole: the state of sessions and peers, the tasks under way, the clients.
//!
//! Inputs come in here and go to whom they concern; what the state hands up is passed on; what happened is read. After
//! each batch of inputs the caller runs [`Machine::settle`], which lets everything act until nothing has anything to
//! do. Nothing here does I/O or waits, and nothing here knows what a message means.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use log::Level;

use crate::accounts::Resource;
use crate::client::Clients;
use crate::client::health::{self, HealthQueries};
use crate::client::load::Load;
use crate::client::reaction;
use crate::client::room::{self, Peers};
use crate::config::SessionConfiguration;
use crate::operation::destroy::Destroy;
use crate::operation::tasks::Tasks;
use crate::state::State;
pub use crate::state::{Settings, Sources, Supervision};
use crate::status;
use crate::trigger::Triggers;
use crate::turn::Post;
use crate::turn::errand::{Errand, Listener};
use crate::turn::facts::Fact;
use crate::turn::ids::{ConnId, Identity, Requester, SessionId};
use crate::turn::machine::{Attached, Caller, Expected, Machine};
use crate::turn::messages::Topic;
use crate::turn::output::{Output, ProcessState, SharedFd};
use crate::turn::progress::Part;
use crate::turn::refusals::Reason;
use crate::turn::timers::Timer;

/// Rounds after which settling is given up until the next turn: only a mistake in the daemon needs as many.
const MAX_ROUNDS: usize = 10_000;
/// So much memory is given back to the system when it is given up.
const MUCH_MEMORY: u64 = 4 << 20;
/// How long the end may take once the daemon was asked to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the applications may take to notice it: until then the pipes on which they tell of events stay open, since
/// who writes to one that is closed is killed.
const FAREWELL: Duration = Duration::from_secs(1);

/// How far the end of the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Serving,
    /// Sessions are being destroyed.
    Ending {
        deadline: Instant,
    },
    /// Consumer daemons are ending, and applications notice.
    Leaving {
        farewell: Instant,
        deadline: Instant,
    },
    Over,
}

/// The daemon.
#[derive(Debug)]
pub struct Daemon {
    state: State,
    triggers: Triggers,
    tasks: Tasks,
    clients: Clients,
    health: HealthQueries,
    /// The most memory that users have had here since it was given back to the system.
    most_memory: u64,
    life: Life,
}

impl Daemon {
    /// A daemon without sessions or peers.
    pub fn new(settings: Settings, now: Instant, wall: i64) -> Self {
        let triggers = Triggers::new(settings.error_counters, settings.kernel_error_counters);
        let mut state = State::new(settings, now, wall);
        state.live();
        Daemon {
            triggers,
            state,
            tasks: Tasks::default(),
            clients: Clients::default(),
            health: HealthQueries::default(),
            most_memory: 0,
            life: Life::Serving,
        }
    }

    /// Sessions and peers.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// The state, and those who may be asked to make room in it.
    fn with_peers(&mut self) -> (&mut State, Peers<'_>) {
        let (clients, queries) = (&mut self.clients, &mut self.health);
        (&mut self.state, Peers { clients, queries, subscribers: &mut self.triggers.subscribers })
    }

    fn act(&mut self) {
        for _ in 0..MAX_ROUNDS {
            self.state.turn.changed = false;
            self.state.settle();
            self.deal_with_posts();
            let (clients, triggers) = (&mut self.clients, &mut self.triggers);
            self.tasks.run(&mut self.state, |state, requester, result| match requester {
                Requester::Client(conn) => clients.tell(state, conn, result),
                Requester::Trigger(id) => reaction::over(triggers, state, id, result),
                Requester::Configuration => clients.load.over(state, result),
            });
            self.clients.retry_waiting(&mut self.state, &mut self.triggers, &mut self.tasks);
            let ending = self.life != Life::Serving;
            reaction::react(&mut self.triggers, &mut self.state, &mut self.tasks, ending);
            self.clients.load.go_on(&mut self.state, &mut self.triggers, &mut self.tasks);
            if self.clients.load.take_failure() {
                self.state.turn.outputs.push(Output::Failed);
                self.begin_end();
            }
            self.state.names.forget();
            self.go_on_ending();
            self.read_facts();
            if self.state.turn.outputs.are_large() || self.is_at_rest() {
                return;
            }
        }
        log::error!("Internal error: the daemon does not come to rest");
    }

    /// What was held for users and is given up goes back to the system, when it is much.
    fn give_memory_back(&mut self) {
        let memory = self.state.accounts.total().of(Resource::Memory);
        self.most_memory = self.most_memory.max(memory);
        if self.most_memory.saturating_sub(memory) >= MUCH_MEMORY {
            self.most_memory = memory;
            self.state.turn.outputs.push(Output::GiveMemoryBack);
        }
    }

    fn is_at_rest(&mut self) -> bool {
        self.state.turn.posts.is_empty() && self.state.is_at_rest()
    }

    fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::Load => self.clients.load.rested(),
            Timer::Connection(conn) if self.clients.has(conn) => self.clients.expired(&mut self.state, conn),
            Timer::Connection(conn) if self.triggers.subscribers.has(conn) => {
                log::debug!("A connection said too little for too long");
                self.triggers.subscribers.close(&mut self.state, conn);
            }
            Timer::Connection(conn) if self.health.has(conn) => {
                log::debug!("A connection said too little for too long");
                self.health.close(&mut self.state, conn);
            }
            timer => self.state.expired(timer),
        }
    }

    /// Passes on what the state has to say to tasks.
    fn deal_with_posts(&mut self) {
        for post in std::mem::take(&mut self.state.turn.posts) {
            match post {
                Post::Begin(wanted) => self.tasks.begin_wanted(&mut self.state, wanted),
                Post::Answered(ticket, answered) => {
                    self.tasks.answered(ticket, answered, self.state.turn.now);
                }
            }
        }
    }

    /// Reads what happened. This is the only place that does.
    fn read_facts(&mut self) {
        for fact in self.state.turn.facts.take() {
            log::trace!("{fact:?}");
            self.triggers.observe(&fact, &mut self.state);
            match fact {
                Fact::ConsumerLost(kind, why) if self.life == Life::Serving => {
                    self.state.turn.tally.lost_consumer(kind);
                    let text = format_args!("Lost the {}: {why}", kind.name());
                    self.state.turn.say(Level::Error, Topic::Consumer, None, text);
                    self.health.consumer_lost(kind);
                }
                Fact::ApplicationCame(_) => {
                    let came = &mut self.state.turn.tally.applications;
                    *came = came.saturating_add(1);
                }
                Fact::ConsumerReady(kind) => self.health.consumer_ready(kind),
                Fact::Lost(loss) => self.state.say_lost(&loss),
                Fact::Sampled(sample) => self.state.rotate_if_outgrown(sample.session),
                Fact::Created(_) | Fact::Started(_) | Fact::Stopped(_) | Fact::Destroyed(_) => {
                    self.state.standing_changed();
                }
                Fact::ChunkMade(..)
                | Fact::ChunkLeft(..)
                | Fact::Archived(..)
                | Fact::RotationFailed(_)
                | Fact::RotationBegun(..)
                | Fact::RotationCompleted(..)
                | Fact::Matched(..)
                | Fact::NotifierRefused(_)
                | Fact::KernelPlaceFree(_)
                | Fact::Cleared(_)
                | Fact::SnapshotRecorded(_)
                | Fact::ApplicationConverged(_)
                | Fact::ApplicationLeft(_)
                | Fact::ConsumerLost(..)
                | Fact::HelperLost => {}
            }
        }
    }

    /// Makes the sessions of these configurations, for the daemon's own user. When they are there, or at once if there are
    /// none, that is announced ([`Output::Ready`]); if one can't be made, the daemon ends ([`Output::Failed`]).
    ///
    /// # Errors
    /// One can't be made anywhere; what of it, in the words of `lttng_strerror`. Nothing is loaded then.
    pub fn load(
        &mut self,
        sessions: Vec<SessionConfiguration>,
        programs: BTreeMap<String, OwnedFd>,
        owner: Identity,
    ) -> Result<(), &'static str> {
        let programs = programs.into_iter().map(|(path, program)| (path, program.into())).collect();
        self.clients.load = Load::new(sessions, &programs, owner, &mut self.state)?;
        Ok(())
    }

    /// Nobody is listened to any more, and sessions are destroyed.
    fn begin_end(&mut self) {
        self.clients.load.give_up(&mut self.state);
        self.state.turn.outputs.push(Output::StopListening(Listener::Clients));
        self.state.give_up_waiting_for_agents();
        self.state.start_no_more_consumers();
        let deadline = self.state.turn.after(SHUTDOWN_TIMEOUT);
        self.life = Life::Ending { deadline };
        self.state.turn.timers.set(Timer::End, deadline);
        self.state.turn.changed = true;
    }

    /// Ends step by step: sessions first, so that nothing is lost, then applications and consumer daemons.
    fn go_on_ending(&mut self) {
        match self.life {
            Life::Ending { deadline } => {
                let over = self.state.sessions.is_empty() && self.tasks.is_empty();
                if !over && self.state.turn.now < deadline {
                    self.destroy_all_sessions();
                } else {
                    self.leave();
                }
            }
            Life::Leaving { farewell, deadline } => {
                let now = self.state.turn.now;
                let told = self.state.is_told_of_events() && now < farewell;
                // Whatever consumer daemons hold of the tracer keeps its modules in use.
                let held = !self.state.running_consumers().is_empty() || !self.state.end_tracer();
                if !told && !held || now >= deadline {
                    self.leave_at_once();
                } else {
                    self.state.turn.timers.set(Timer::End, if told { farewell } else { deadline });
                }
            }
            Life::Serving | Life::Over => {}
        }
    }

    /// Begins the end of every session that is free.
    fn destroy_all_sessions(&mut self) {
        let sessions: Vec<SessionId> = self.state.sessions.iter().map(|session| session.id).collect();
        for id in sessions {
            if !self.state.is_held(id) {
                self.tasks.begin(&mut self.state, Box::new(Destroy::new(id)), None, Some(id));
            }
        }
    }

    /// Sessions are gone, or have had their time: everybody is let go.
    fn leave(&mut self) {
        self.state.turn.outputs.push(Output::StopListening(Listener::Agents));
        self.state.turn.outputs.push(Output::StopListening(Listener::Applications));
        self.clients.close_all(&mut self.state);
        self.health.close_all(&mut self.state);
        self.triggers.subscribers.close_all(&mut self.state);
        self.state.close_all();
        self.state.lose_all_consumers();
        let (farewell, deadline) = (self.state.turn.after(FAREWELL), self.state.turn.after(SHUTDOWN_TIMEOUT));
        self.life = Life::Leaving { farewell, deadline };
        self.state.turn.changed = true;
    }

    /// Nobody is waited for any more.
    fn leave_at_once(&mut self) {
        for pid in self.state.running_consumers() {
            self.state.turn.outputs.push(Output::Kill(pid));
        }
        self.life = Life::Over;
        self.state.turn.outputs.push(Output::Exit);
    }
}

impl Machine for Daemon {
    fn time(&mut self, now: Instant, wall: i64) {
        self.state.turn.now = now.max(self.state.turn.now);
        self.state.turn.wall = wall;
        let took = self.state.turn.progress.took();
        self.state.turn.tally.turn(took);
        let due = self.state.turn.timers.next();
        self.state.turn.progress.begin(self.state.turn.now, due);
    }

    fn worked(&mut self, until: Instant) {
        self.state.turn.progress.worked(until);
        self.state.turn.tally.worked(until);
    }

    fn complain(&mut self, level: Level, text: fmt::Arguments<'_>) {
        self.state.turn.say(level, Topic::Connections, None, text);
    }

    fn hears(&mut self, listener: Listener, able: bool) {
        let now = self.state.turn.now;
        if !able {
            self.state.turn.refuse_somebody(Reason::TableFull);
        }
        if let Some(part) = health::hearer(listener) {
            self.state.turn.progress.hears(part, able, now);
            self.state.turn.progress.work_on(part);
        }
    }

    fn accepted(&mut self, listener: Listener, conn: ConnId, caller: Caller) {
        self.hears(listener, true);
        let credentials = match caller {
            Caller::Process(credentials) => credentials,
            Caller::Address(_, uid) if listener == Listener::Agents => {
                return self.state.agent_connected(conn, uid);
            }
            // Nobody else is listened to but processes of this host.
            Caller::Address(..) => return self.state.turn.outputs.push(Output::Close(conn)),
        };
        if self.stands_alone(listener) {
            let (state, peers) = self.with_peers();
            room::make_room_for(credentials.uid, state, peers);
        }
        match listener {
            Listener::Clients => self.clients.accepted(&mut self.state, conn, credentials),
            Listener::Applications => self.state.application_connected(conn, credentials),
            Listener::ConsumerError(kind) => self.state.consumer_error_connected(kind, conn, credentials),
            // They have addresses.
            Listener::Agents => self.state.turn.outputs.push(Output::Close(conn)),
            Listener::Health => self.health.accepted(&mut self.state, conn, credentials),
            Listener::Status => status::accepted(&mut self.state, &self.triggers, conn, credentials),
            Listener::Notifications => {
                if let Err(why) = self.triggers.subscribers.accepted(&mut self.state, conn, credentials) {
                    self.state.say_refused(credentials, why);
                    self.state.turn.outputs.push(Output::Close(conn));
                }
            }
        }
    }

    fn stands_alone(&self, listener: Listener) -> bool {
        matches!(listener, Listener::Clients | Listener::Health | Listener::Status | Listener::Notifications)
    }

    fn expected(&self, conn: ConnId) -> Expected {
        let known = self.clients.expected(conn).or_else(|| self.triggers.subscribers.expected(conn));
        known.unwrap_or_else(|| self.state.expected(conn))
    }

    fn make_room(&mut self) -> bool {
        if self.state.give_up_new_agent(None) {
            return true;
        }
        let (state, peers) = self.with_peers();
        room::give_up_one(None, state, peers)
    }

    fn received(&mut self, conn: ConnId, bytes: &[u8], attached: Attached) {
        if self.clients.has(conn) {
            let (triggers, tasks) = (&mut self.triggers, &mut self.tasks);
            self.clients.received(&mut self.state, triggers, tasks, conn, bytes, attached);
        } else if self.triggers.subscribers.has(conn) {
            self.state.turn.progress.work_on(Part::Subscribers);
            self.triggers.heard(&mut self.state, conn, bytes, attached);
        } else if self.health.has(conn) {
            self.health.received(&mut self.state, &self.tasks, conn, bytes);
        } else {
            self.state.received(conn, bytes, attached);
        }
    }

    fn unsent(&mut self, conn: ConnId, bytes: usize) {
        if !self.triggers.subscribers.unsent(conn, bytes) {
            self.state.unsent(conn, bytes);
        }
    }

    fn awaits(&self, conn: ConnId) -> bool {
        self.state.awaits(conn)
    }

    fn ended(&mut self, conn: ConnId) -> bool {
        // Who was answered in this turn is not known any more, but the answer is not on its way yet.
        self.clients.are_owed(conn) || self.state.turn.outputs.are_the_last_for(conn)
    }

    fn closed(&mut self, conn: ConnId) {
        if self.clients.has(conn) {
            self.clients.closed(&mut self.state, conn);
        } else if self.triggers.subscribers.has(conn) {
            self.triggers.subscribers.forget(&mut self.state, conn);
        } else if self.health.has(conn) {
            self.health.forget(&mut self.state, conn);
        } else {
            self.state.closed(conn);
        }
    }

    fn spawned(&mut self, errand: Errand, result: io::Result<i32>) {
        self.state.turn.progress.work_on(health::starter(errand));
        self.state.spawned(errand, result);
    }

    fn child_ended(&mut self, pid: i32) {
        self.state.child_ended(pid);
    }

    fn connecting(&mut self, errand: Errand, result: io::Result<ConnId>) {
        self.state.connecting(errand, result);
    }

    fn connected(&mut self, conn: ConnId, result: io::Result<()>) {
        self.state.connected(conn, result);
    }

    fn pipe_made(&mut self, errand: Errand, result: io::Result<(ConnId, SharedFd)>) {
        self.state.pipe_made(errand, result);
    }

    fn adopted(&mut self, errand: Errand, result: io::Result<ConnId>) {
        self.state.adopted(errand, result);
    }

    fn ready(&mut self, conn: ConnId) {
        self.state.ready(conn);
    }

    fn handed_out(&mut self, errand: Errand, result: io::Result<Vec<OwnedFd>>) {
        self.state.handed_out(errand, result);
    }

    fn inspected(&mut self, conn: ConnId, found: ProcessState) {
        self.state.inspected(conn, found);
    }

    fn end(&mut self) {
        if self.life != Life::Serving {
            log::warn!("Asked to end again: leaving at once");
            return self.leave_at_once();
        }
        self.begin_end();
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.state.turn.timers.next()
    }

    fn take_outputs(&mut self) -> Vec<Output> {
        self.state.turn.outputs.take()
    }

    fn settle(&mut self) {
        for timer in self.state.turn.timers.take_due(self.state.turn.now) {
            self.expired(timer);
        }
        self.act();
        self.give_memory_back();
        self.state.arrange_timers();
    }
}
