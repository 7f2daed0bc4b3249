// SPDX-License-Identifier: GPL-2.0-only
//! What the daemon knows of sessions and peers, and how peers are brought to what sessions want.
//!
//! [`State`] does no I/O on peers and never waits. It takes what peers say, changes, and leaves outputs, facts and
//! posts on its [`Turn`]. It knows no client and no task: what takes several steps is begun above it, and what comes
//! of a task's request is handed up. The `impl` is split by subject: one file for each kind of peer, with `introductions`,
//! `requests` and `notify` beside `applications`, and `buffers`, where session, application, consumer daemon and buffers
//! meet.

mod agents;
mod applications;
mod buffers;
mod consumers;
mod errands;
mod health;
mod helper;
mod introductions;
mod kernel;
mod left_over;
mod losses;
mod notifiers;
mod notify;
mod relays;
mod report;
mod requests;
mod schedule;
mod shared_memory;
mod supervision;
mod verbs;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use log::Level;

use crate::accounts::{Accounts, Exhausted, Limits, Resource};
use crate::consumer::Consumer;
use crate::consumer::program::ConsumerProgram;
use crate::helper::companion::Helper;
use crate::helper::link::Paths;
use crate::helper::names::Names;
use crate::kernel::modules::Modules;
use crate::model::{Recorder, Session, Sessions, Wanted};
use crate::relayd::relay::Relay;
use crate::sys::clock::TraceClock;
use crate::sys::shared_memory::Space;
use crate::sys::socket::Credentials;
use crate::sys::usage::Usage;
use crate::text::Text;
use crate::turn::Turn;
use crate::turn::errand::Errand;
use crate::turn::ids::Counters;
use crate::turn::ids::{
    AgentId, AppId, BuffersKey, ChannelId, ConnId, ConsumerId, ConsumerKind, RelayEnd, RelayId, SessionId,
};
use crate::turn::machine::{Attached, Expected};
use crate::turn::messages::Topic;
use crate::turn::output::Output;
use crate::turn::refusals::Reason;
use crate::turn::timers::Timer;
use crate::turn::watch::Attention;
use crate::ust::app::{App, Place};
use crate::ust::buffer_table::BufferTable;
use crate::ust::buffers::Buffers;
use crate::ust::introduction::Introduction;

pub use agents::Agents;
pub use buffers::{FOLDER_MODE, shared_memory_folder};
use consumers::Consumers;
pub use consumers::Readiness;
pub use helper::PathPurpose;
pub use kernel::{Abilities, Tracing};
pub use supervision::Supervision;
pub use verbs::channels_in;

/// What the daemon is told about itself and its host when it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What `--version` prints.
    pub version: &'static str,
    /// Folder of its sockets, for people.
    pub run_directory: String,
    /// Name of the tracing group.
    pub group: String,
    /// User that the daemon runs as; 0 is the root daemon.
    pub uid: u32,
    /// The kernel tracer is not to be used.
    pub no_kernel: bool,
    /// This host's name, for the metadata.
    pub hostname: Text,
    /// The clock of the traces.
    pub clock: TraceClock,
    /// Bytes of a page.
    pub page_size: u64,
    /// Random id of this run.
    pub uuid: [u8; 16],
    /// How long an application that could answer is given; none is for ever.
    pub application_timeout: Option<Duration>,
    /// How long a relay daemon is waited for, if the user says so; consumer daemons wait as long.
    pub network_timeout: Option<Duration>,
    /// How much users may make the daemon hold.
    pub limits: Limits,
    /// Triggers whose events the kernel's tracer can tell of: for each there is a counter of what was lost.
    pub kernel_error_counters: u32,
    /// What the kernel's tracer consists of.
    pub kernel_modules: Modules,
    /// Triggers whose events applications can tell of: for each there is a counter of what was lost.
    pub error_counters: u32,
    /// How many CPUs there may be, by the numbers that they may have.
    pub possible_cpus: u32,
    /// Where random ids, the clock's offset and memory that is shared come from: the state asks the system for nothing.
    pub sources: Sources,
    /// There is a port to which agents can connect.
    pub agents: bool,
    /// The consumer daemons that can be started.
    pub consumers: Vec<(ConsumerKind, ConsumerProgram)>,
    /// What whoever supervises the daemon wants of it.
    pub supervision: Supervision,
}

/// What differs each time it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Sources {
    /// A random UUID.
    pub uuid: fn() -> std::io::Result<[u8; 16]>,
    /// Nanoseconds to add to `CLOCK_MONOTONIC` to get the time since the Epoch.
    pub monotonic_offset: fn() -> i64,
    /// Memory of so many bytes that can be shared with applications.
    pub shared_memory: fn(u64) -> std::io::Result<std::os::fd::OwnedFd>,
    /// What this process takes of the system.
    pub usage: fn() -> Usage,
    /// Room for shared memory where it usually is, unless finding out might take long.
    pub memory_space: fn() -> Option<Space>,
    /// Whether there is a process with this id.
    pub has_process: fn(i32) -> bool,
}

#[cfg(test)]
impl Settings {
    /// For tests of parts that don't care: a user's daemon without consumer daemons, on a host that has no name, whose
    /// random ids are all the same.
    pub fn for_tests() -> Self {
        Settings {
            version: "0",
            run_directory: String::new(),
            group: String::new(),
            uid: 1000,
            no_kernel: true,
            hostname: Text::default(),
            clock: TraceClock::monotonic(None),
            page_size: 4096,
            uuid: [7; 16],
            application_timeout: None,
            network_timeout: None,
            limits: Limits::for_applications(10, 10),
            error_counters: 8,
            kernel_error_counters: 8,
            possible_cpus: 2,
            sources: Sources {
                uuid: || Ok([9; 16]),
                monotonic_offset: || 0,
                shared_memory: crate::sys::shared_memory::create,
                usage: Usage::default,
                memory_space: || None,
                has_process: |_| true,
            },
            kernel_modules: Modules::new(None, None),
            agents: true,
            consumers: Vec::new(),
            supervision: Supervision::default(),
        }
    }
}

/// Which peer's a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Connected to the applications' socket; has not said yet which of its two connections this is.
    Unregistered,
    Application(AppId),
    Notify(AppId),
    /// Connected to the port of agents; has not said yet who it is.
    NewAgent,
    Agent(AgentId),
    /// The pipe of an application's event notifiers. It outlives the application.
    Events,
    ConsumerError(ConsumerKind),
    ConsumerCommand(ConsumerKind),
    ConsumerMetadata(ConsumerKind),
    ConsumerMonitor(ConsumerKind),
    Relay(RelayEnd),
    Helper,
    /// The helper that makes requests to the kernel's tracer.
    Tracer,
    /// What the kernel's event notifiers tell. It is polled only.
    KernelEvents,
    /// A channel of the kernel, which has streams to be opened when a CPU comes up. It is polled only.
    NewCpus(SessionId, ChannelId),
}

impl Role {
    /// The consumer daemon whose connection it is.
    fn consumer(self) -> Option<ConsumerKind> {
        match self {
            Role::ConsumerError(kind)
            | Role::ConsumerCommand(kind)
            | Role::ConsumerMetadata(kind)
            | Role::ConsumerMonitor(kind) => Some(kind),
            Role::Unregistered
            | Role::Application(_)
            | Role::Notify(_)
            | Role::NewAgent
            | Role::Agent(_)
            | Role::Events
            | Role::Relay(_)
            | Role::Helper
            | Role::Tracer
            | Role::KernelEvents
            | Role::NewCpus(..) => None,
        }
    }
}

/// Why a process is refused for which there is no more of something.
fn reason_of(exhausted: Exhausted) -> Reason {
    match exhausted.resource {
        Resource::Applications => Reason::Applications,
        Resource::Agents => Reason::Agents,
        Resource::Connections => Reason::Connections,
        Resource::Descriptors => Reason::Descriptors,
        Resource::Memory => Reason::Memory,
    }
}

/// The applications.
#[derive(Debug)]
pub struct Applications {
    /// Those that have registered.
    // In boxes: the leaves of a map that only grows at its end are half empty.
    pub all: BTreeMap<AppId, Box<App>>,
    unregistered: BTreeMap<ConnId, Introduction>,
    /// Those for which something may have to be done.
    dirty: BTreeSet<AppId>,
    /// Those that owe answers.
    watched: BTreeSet<AppId>,
    /// How many of these have kept silent for so long that the others do not wait for them, when they were last counted.
    silent: usize,
    /// When processes of silent ones are looked at.
    attention: Attention,
}

/// Metadata to be pushed to consumer daemons.
#[derive(Debug)]
struct Pushes {
    /// When metadata of a single application may be pushed next without being asked for.
    next_private: Instant,
    /// Buffers whose metadata a task wants to be pushed, when it is its turn.
    wanted: BTreeSet<BuffersKey>,
}

/// All that is known of sessions and peers.
#[derive(Debug)]
pub struct State {
    /// What the daemon was told at its start.
    pub settings: Settings,
    /// The turn of the loop that goes on.
    pub turn: Turn,
    /// What is held for each user.
    pub accounts: Accounts,
    /// The sessions.
    pub sessions: Sessions,
    /// The applications.
    pub applications: Applications,
    notifiers: notifiers::Notifiers,
    /// The agents of logging libraries.
    pub agents: Agents,
    /// What the applications record to.
    pub buffers: BufferTable,
    pushes: Pushes,
    consumers: Consumers,
    /// Relay daemons of sessions and of snapshots under way.
    relays: BTreeMap<RelayId, Relay>,
    helper: Helper<Paths, PathPurpose>,
    /// The kernel's tracer.
    pub kernel: kernel::Kernel,
    /// Names of hosts, and their addresses.
    pub names: Names,
    /// Numbers for what comes.
    pub counters: Counters,
    roles: BTreeMap<ConnId, Role>,
}

impl State {
    /// No sessions and no peers.
    pub fn new(settings: Settings, now: Instant, wall: i64) -> Self {
        let make = |(kind, program): &(ConsumerKind, ConsumerProgram)| {
            Consumer::new(ConsumerId::first(*kind), program.clone())
        };
        let consumers = Consumers::new(settings.consumers.iter().map(make));
        State {
            accounts: Accounts::new(settings.limits),
            notifiers: notifiers::Notifiers::new(settings.error_counters, settings.possible_cpus),
            kernel: kernel::Kernel::new(&settings),
            settings,
            turn: Turn::new(now, wall),
            sessions: Sessions::default(),
            applications: Applications {
                all: BTreeMap::new(),
                unregistered: BTreeMap::new(),
                dirty: BTreeSet::new(),
                watched: BTreeSet::new(),
                silent: 0,
                attention: Attention::new(now),
            },
            agents: Agents::new(now),
            buffers: BufferTable::default(),
            pushes: Pushes { next_private: now, wanted: BTreeSet::new() },
            consumers,
            relays: BTreeMap::new(),
            helper: Helper::new(Errand::Helper, crate::helper::life, "The helper process"),
            names: Names::default(),
            counters: Counters::default(),
            roles: BTreeMap::new(),
        }
    }

    /// What may come on a peer's connection now.
    pub fn expected(&self, conn: ConnId) -> Expected {
        let descriptors = match self.roles.get(&conn) {
            Some(Role::ConsumerCommand(kind)) => {
                self.consumers.all.get(kind).map_or(0, Consumer::expected_descriptors)
            }
            // A folder that it opened.
            Some(Role::Helper) => crate::helper::request::MAX_DESCRIPTORS,
            Some(Role::Tracer) => self.kernel.helper.expected_descriptors(),
            _ => return Expected::BYTES,
        };
        Expected { descriptors, irreplaceable: true, ..Expected::BYTES }
    }

    /// Input: bytes and descriptors on a connection, if it is a peer's. Descriptors that the peer had no reason to send
    /// are closed.
    pub fn received(&mut self, conn: ConnId, bytes: &[u8], attached: Attached) {
        self.work_for(conn);
        match self.roles.get(&conn).copied() {
            None => {}
            Some(Role::ConsumerMonitor(kind)) => self.samples_received(kind, bytes),
            Some(Role::Unregistered) => self.introduction_received(conn, bytes),
            Some(Role::Application(app)) => self.application_received(app, bytes),
            Some(Role::Notify(app)) => self.notify_received(app, bytes),
            Some(Role::NewAgent) => self.new_agent_received(conn, bytes),
            Some(Role::Agent(agent)) => self.agent_received(agent, bytes),
            Some(Role::Events) => self.events_received(conn, bytes),
            Some(Role::ConsumerError(kind)) => self.consumer_error_received(kind, bytes),
            Some(Role::ConsumerCommand(kind)) => self.consumer_command_received(kind, bytes, attached),
            Some(Role::ConsumerMetadata(kind)) => self.consumer_metadata_received(kind, bytes),
            Some(Role::Relay(end)) => self.relay_received(conn, end, bytes),
            Some(Role::Helper) => self.helper_received(bytes, attached),
            Some(Role::Tracer) => self.tracer_received(bytes, attached),
            Some(Role::KernelEvents | Role::NewCpus(..)) => {}
        }
    }

    /// Says why a process is not served any further.
    pub fn say_refused(&mut self, who: Credentials, exhausted: Exhausted) {
        let Credentials { pid, uid, .. } = who;
        let text = format_args!("Refused process {pid}: {exhausted}");
        self.turn.say(Level::Warn, Topic::Limits, Some(uid), text);
        self.turn.refuse(who, reason_of(exhausted), exhausted.to_string());
    }

    /// Whether something is to come on this connection that an application's other one may refer to: who it is, or the
    /// handle of an object.
    pub fn awaits(&self, conn: ConnId) -> bool {
        match self.roles.get(&conn) {
            Some(Role::Unregistered) => true,
            Some(Role::Application(app)) => {
                self.applications.all.get(app).is_some_and(|app| app.awaits_handle())
            }
            _ => false,
        }
    }

    /// Input: a connection is gone; the reactor has closed it.
    pub fn closed(&mut self, conn: ConnId) {
        match self.roles.remove(&conn) {
            // The command connection stays in use, as the application will not make another.
            None | Some(Role::ConsumerMonitor(_)) => {}
            Some(Role::Notify(app)) => self.notify_closed(conn, app),
            Some(Role::Events) => self.events_ended(conn),
            Some(Role::Unregistered) => self.forget_introduction(conn),
            Some(Role::NewAgent) => drop(self.forget_new_agent(conn)),
            Some(Role::Agent(agent)) => self.remove_agent(agent),
            Some(Role::Application(app)) => self.remove_application(app, "it closed its connection"),
            Some(Role::ConsumerError(kind) | Role::ConsumerCommand(kind) | Role::ConsumerMetadata(kind)) => {
                self.consumer_lost(kind, "it closed a connection")
            }
            Some(Role::Relay(end)) => self.relay_closed(end),
            Some(Role::Helper) => self.helper.lost(&mut self.turn),
            Some(Role::Tracer) => self.kernel.helper.lost(&mut self.turn),
            Some(Role::KernelEvents | Role::NewCpus(..)) => {}
        }
    }

    /// Input: so many bytes wait to be sent to a peer. Only applications and agents are charged: consumer daemons and the helper are
    /// this daemon's own, and each is sent one request at a time; relay daemons are sent a few lines.
    pub fn unsent(&mut self, conn: ConnId, bytes: usize) {
        match self.roles.get(&conn).copied() {
            Some(Role::Application(app)) => self.hold_for_application(app, Place::CommandQueue, bytes),
            Some(Role::Notify(app)) => self.hold_for_application(app, Place::NotifyQueue, bytes),
            Some(Role::Agent(agent)) => self.agent_unsent(agent, bytes),
            _ => {}
        }
    }

    /// Lets everything act below clients and tasks that has something to do, or as much of it as can be sent now.
    pub fn settle(&mut self) {
        while !self.turn.outputs.are_large()
            && self.may_ask_another()
            && let Some(app) = self.applications.dirty.pop_first()
        {
            self.synchronise(app);
        }
        self.serve_agents();
        self.serve_buffers();
        self.serve_kernel();
        self.answer_unsent();
        self.answer_unsent_jobs();
    }

    /// Whether nothing is left to be done before something happens. To be asked when everybody has acted.
    pub fn is_at_rest(&mut self) -> bool {
        let all_asked = self.applications.dirty.is_empty() || !self.may_ask_another();
        !self.turn.changed && all_asked && self.are_agents_served() && !self.push_in_turn()
    }

    /// A time has come.
    pub fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::Connection(conn) => match self.roles.get(&conn) {
                Some(&Role::Notify(app)) => self.expire_request(app),
                Some(Role::NewAgent | Role::Agent(_)) => self.expire_agent(conn),
                _ => self.expire_introduction(conn),
            },
            // It has waited long enough, also for those that were asked before it.
            Timer::Release(app) => self.synchronise(app),
            Timer::Watch => self.expire_applications(),
            Timer::Agents => self.expire_agents(),
            Timer::Consumer(kind) => self.expire_consumer(kind),
            Timer::Relay(relay) => self.expire_relay(relay),
            Timer::Rotation(session) => self.rotate_in_time(session),
            Timer::LeftOver => self.look_for_left_over(),
            Timer::Notifiers => self.retry_notifiers(),
            Timer::SignOfLife => self.live(),
            Timer::Standing => self.tell_standing(),
            // It is enough that everything is looked at.
            Timer::Push | Timer::Retry | Timer::Task(_) | Timer::Load | Timer::End => {}
        }
    }

    /// Sets the timers of what can't be said to have begun at a moment.
    pub fn arrange_timers(&mut self) {
        let push = self.next_push();
        self.turn.timers.arrange(Timer::Push, push);
        let retry = self.next_retry();
        self.turn.timers.arrange(Timer::Retry, retry);
    }

    /// Closes a peer's connection and forgets it.
    fn close(&mut self, conn: ConnId) {
        if self.roles.remove(&conn).is_some() {
            self.turn.outputs.push(Output::Close(conn));
        }
    }

    /// Closes all peers' connections and forgets what they have. Pipes that applications write to stay until the
    /// applications have noticed: see [`State::is_told_of_events`].
    pub fn close_all(&mut self) {
        self.helper.end();
        self.let_go_of_notifiers();
        // The tracer's helper has the last word: see [`State::end_tracer`].
        let stays = |role: &Role| {
            matches!(role, Role::Events | Role::Tracer | Role::KernelEvents | Role::NewCpus(..))
        };
        let peers = self.roles.iter().filter(|(_, role)| !stays(role));
        let connections: Vec<ConnId> = peers.map(|(&conn, _)| conn).collect();
        for conn in connections {
            self.close(conn);
            self.turn.timers.clear(Timer::Connection(conn));
        }
        self.applications.all.clear();
        self.forget_all_agents();
        self.buffers = BufferTable::default();
    }

    /// A session, to which something happens.
    pub fn record(&mut self, session: SessionId) -> Option<Recorder<'_>> {
        self.sessions.record(session, &mut self.turn.facts)
    }

    /// A new session for which this is wanted.
    pub fn create_session(&mut self, wanted: Wanted) {
        let id = self.sessions.add(wanted, &mut self.turn.facts);
        self.touch_session(id);
    }

    /// Forgets a session.
    pub fn forget_session(&mut self, session: SessionId) -> Option<Session> {
        self.end_rotation_timer(session);
        self.forget_in_kernel(session);
        let removed = self.sessions.remove(session, &mut self.turn.facts);
        self.end_watch_for_left_over();
        removed
    }

    /// The buffers of a session, for each user that has applications.
    pub fn buffers_of(&self, session: SessionId) -> impl Iterator<Item = (&BuffersKey, &Buffers)> {
        self.buffers.iter().filter(move |(key, _)| key.session == session)
    }
}
