// SPDX-License-Identifier: GPL-2.0-only
//! The simulated world: takes the reactor's place, carries bytes between the daemon and its peers, and lets time
//! pass.
//!
//! By default everything travels at once and in order. With [`World::shuffle`] connections are served in random
//! order and messages are torn apart, as far as the kernel could do that too.

mod carry;
mod kernel;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lttng_protocol::client::{ErrorCode, Reply};
use lttng_protocol::health::{self, Component, REQUEST_LEN};
use lttng_protocol::trigger::channel::{DaemonMessage, Status};
use lttng_protocol::trigger::{Condition, Trigger};
use lttng_protocol::ust::registration::SocketKind;
use lttng_sessiond::accounts::{Limits, Resource};
use lttng_sessiond::consumer::program::ConsumerProgram;
use lttng_sessiond::daemon::{Daemon, Settings, Sources, Supervision};
use lttng_sessiond::kernel::modules::Modules;
use lttng_sessiond::report::Report;
use lttng_sessiond::sys::clock::TraceClock;
use lttng_sessiond::sys::shared_memory::{self, Space};
use lttng_sessiond::sys::socket::Credentials;
use lttng_sessiond::sys::usage::Usage;
use lttng_sessiond::turn::errand::{Errand, Listener};
use lttng_sessiond::turn::facts::Fact;
use lttng_sessiond::turn::ids::{ConnId, ConsumerKind, RelayEnd};
use lttng_sessiond::turn::machine::{Attached, Caller, Machine};
use lttng_sessiond::turn::output::{Address, Output, ProcessState, Program, SharedFd, Standing};

use crate::agent::Agent;
use crate::application::Application;
use crate::client::{self, Client, Request};
use crate::consumer::{Consumer, Trouble};
use crate::helper::{self, Helper};
use crate::relay::{Connecting, Relay};
use crate::subscriber::{self, Subscriber, SubscriberId};
use crate::tracer::Tracer;
use crate::wire::{Chance, Effects, Link, Peer, Segment, Talk};

/// Turns without an end of the traffic before something is taken for an endless conversation.
const MAX_TURNS: usize = 200_000;
/// Where consumer daemons listen and report.
const COMMAND_SOCKET: &str = "/run/consumer/command";
const ERROR_SOCKET: &str = "/run/consumer/error";
/// User of clients and sessions.
pub const USER: u32 = 1000;
/// A process that is not there.
pub const NO_PROCESS: i32 = 999_999;
/// Places of error counters, and CPUs.
pub const COUNTERS: u32 = 20;
pub const CPUS: u32 = 3;

thread_local! {
    /// No memory can be shared with applications.
    pub static NO_MEMORY: Cell<bool> = const { Cell::new(false) };
    /// Room for shared memory, if that is known.
    pub static SPACE: Cell<Option<Space>> = const { Cell::new(None) };
}

/// Longest that a client may have to wait for its reply.
pub const PATIENCE: Duration = Duration::from_secs(130);

/// A client of the world, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientId(pub usize);

/// What is on its way to the daemon and takes its time.
type Late = (ConnId, Vec<u8>, Vec<OwnedFd>);

pub struct World {
    pub daemon: Daemon,
    pub now: Instant,
    began: Instant,
    /// The user that the daemon belongs to.
    uid: u32,
    links: BTreeMap<ConnId, Link>,
    /// Connections with something to carry.
    busy: BTreeSet<ConnId>,
    next_conn: u64,
    pub apps: Vec<Application>,
    pub agents: Vec<Agent>,
    pub consumers: BTreeMap<ConsumerKind, Consumer>,
    pub helper: Helper,
    pub tracer: Tracer,
    /// What is polled, and for what.
    polled: BTreeMap<ConnId, (Errand, SharedFd)>,
    pub relay: Relay,
    pub clients: Vec<Client>,
    pub subscribers: Vec<Subscriber>,
    /// Those that were sent something in this turn.
    flushed: BTreeSet<SubscriberId>,
    /// No pipe can be made for an application.
    pub no_pipes: bool,
    late: BTreeMap<(Instant, u64), Late>,
    /// Connections on which each message takes so long after the one before it, and when the last one is due.
    slow: BTreeMap<ConnId, (Duration, Instant)>,
    /// When which process was looked at, since the world began.
    pub inspections: Vec<(Duration, i32)>,
    pub killed: Vec<i32>,
    pub stopped: Vec<Listener>,
    /// What was said of what is loaded at the start.
    pub ready: bool,
    pub failed: bool,
    /// When the daemon gave signs of life.
    pub signs_of_life: Vec<Duration>,
    /// When it told how it is, and what.
    pub standings: Vec<(Duration, Standing)>,
    pub exited: bool,
    /// Messages with descriptors that the daemon was sent so far, and whether there is no room for those of the next one.
    pub deliveries: usize,
    pub is_full: fn(&Peer, usize) -> bool,
    /// Clients in the order in which the daemon replied to them.
    pub replied: Vec<ClientId>,
    chance: Option<Chance>,
    idle_turns: usize,
    /// Turns so far, and the one in which the daemon is asked to end.
    pub turns: usize,
    pub end_at: Option<usize>,
}

impl World {
    /// A daemon with a helper and one consumer daemon that can be started.
    pub fn new() -> Self {
        World::with_consumers(&[ConsumerKind::Ust64])
    }

    pub fn with_consumers(kinds: &[ConsumerKind]) -> Self {
        World::with(kinds, Limits::for_applications(10_000, 10_000))
    }

    pub fn with_limits(limits: Limits) -> Self {
        World::with(&[ConsumerKind::Ust64], limits)
    }

    /// A daemon that is supervised.
    pub fn supervised(supervision: Supervision) -> Self {
        let limits = Limits::for_applications(10_000, 10_000);
        World::of(Settings { supervision, ..World::settings(&[ConsumerKind::Ust64], limits) })
    }

    fn with(kinds: &[ConsumerKind], limits: Limits) -> Self {
        World::of(World::settings(kinds, limits))
    }

    fn settings(kinds: &[ConsumerKind], limits: Limits) -> Settings {
        let program = ConsumerProgram {
            command_socket: PathBuf::from(COMMAND_SOCKET),
            error_socket: PathBuf::from(ERROR_SOCKET),
            ..ConsumerProgram::default()
        };
        Settings {
            version: "0",
            run_directory: "/run/simulated".into(),
            group: "tracing".into(),
            uid: USER,
            no_kernel: false,
            hostname: "host".into(),
            clock: TraceClock::monotonic(None),
            page_size: 4096,
            uuid: [7; 16],
            application_timeout: Some(Duration::from_secs(5)),
            network_timeout: None,
            limits,
            kernel_error_counters: 8,
            error_counters: COUNTERS,
            possible_cpus: CPUS,
            sources: Sources {
                memory_space: || SPACE.get(),
                uuid: || Ok([9; 16]),
                monotonic_offset: || 0,
                shared_memory: |length| {
                    if NO_MEMORY.get() {
                        Err(io::ErrorKind::OutOfMemory.into())
                    } else {
                        shared_memory::create(length)
                    }
                },
                usage: Usage::default,
                has_process: |pid| pid != NO_PROCESS,
            },
            kernel_modules: Modules::new(None, None),
            agents: true,
            consumers: kinds.iter().map(|&kind| (kind, program.clone())).collect(),
            supervision: Supervision::default(),
        }
    }

    fn of(settings: Settings) -> Self {
        let now = Instant::now();
        let kinds: Vec<ConsumerKind> = settings.consumers.iter().map(|(kind, _)| *kind).collect();
        let mut world = World {
            uid: settings.uid,
            daemon: Daemon::new(settings, now, 1_700_000_000),
            now,
            began: now,
            links: BTreeMap::new(),
            busy: BTreeSet::new(),
            next_conn: 0,
            apps: Vec::new(),
            agents: Vec::new(),
            consumers: kinds.iter().map(|&kind| (kind, Consumer::new(kind))).collect(),
            helper: Helper::new(ConnId(0)),
            tracer: Tracer::new(),
            polled: BTreeMap::new(),
            relay: Relay::new(),
            clients: Vec::new(),
            subscribers: Vec::new(),
            no_pipes: false,
            flushed: BTreeSet::new(),
            late: BTreeMap::new(),
            slow: BTreeMap::new(),
            inspections: Vec::new(),
            killed: Vec::new(),
            stopped: Vec::new(),
            ready: false,
            failed: false,
            signs_of_life: Vec::new(),
            standings: Vec::new(),
            exited: false,
            deliveries: 0,
            is_full: |_, _| false,
            replied: Vec::new(),
            chance: None,
            idle_turns: 0,
            turns: 0,
            end_at: None,
        };
        world.start_helper();
        world
    }

    fn start_helper(&mut self) {
        self.helper.starts += 1;
        if self.helper.trouble == Some(helper::Trouble::NoFork) {
            return self.daemon.adopted(Errand::Helper, Err(io::Error::from_raw_os_error(libc::ENOMEM)));
        }
        let conn = self.link(Peer::Helper);
        self.helper.conn = conn;
        self.daemon.spawned(Errand::Helper, Ok(self.helper.pid()));
        self.daemon.adopted(Errand::Helper, Ok(conn));
    }

    /// The helper is killed. As long as a process of its own lives, its connection stays open.
    pub fn kill_helper(&mut self, outlived: bool) {
        if !outlived {
            self.hang_up(self.helper.conn);
        }
        self.daemon.child_ended(self.helper.pid());
    }

    /// From now on the order of things is a matter of chance.
    pub fn shuffle(&mut self, seed: u64) {
        self.chance = Some(Chance::new(seed));
    }

    /// From now on everything travels at once and in order again.
    pub fn calm(&mut self) {
        self.chance = None;
    }

    pub fn consumer(&mut self) -> &mut Consumer {
        self.consumers.get_mut(&ConsumerKind::Ust64).unwrap()
    }

    fn link(&mut self, peer: Peer) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.links.insert(conn, Link::new(peer));
        conn
    }

    // Peers come and act.

    /// An application starts: connects twice and says who it is. Nothing is carried yet.
    pub fn launch(&mut self) -> usize {
        self.launch_as(USER, 64)
    }

    pub fn launch_as(&mut self, uid: u32, bits: u32) -> usize {
        let (index, [command, notify]) = self.connect_application(uid, bits);
        let app = &self.apps[index];
        let (first, second) = (app.registration(SocketKind::Command), app.registration(SocketKind::Notify));
        self.say(command, &first);
        self.say(notify, &second);
        index
    }

    /// The process of an application registers once more, as after an `exec`.
    pub fn launch_again(&mut self, old: usize) -> usize {
        let Application { pid, uid, bits, .. } = self.apps[old];
        let (index, conns) = self.connect_process(pid, uid, bits);
        for (conn, socket) in conns.into_iter().zip([SocketKind::Command, SocketKind::Notify]) {
            let registration = self.apps[index].registration(socket);
            self.say(conn, &registration);
        }
        index
    }

    /// An application connects twice and says nothing.
    pub fn connect_application(&mut self, uid: u32, bits: u32) -> (usize, [ConnId; 2]) {
        let pid = 10_000 + i32::try_from(self.apps.len()).unwrap();
        self.connect_process(pid, uid, bits)
    }

    fn connect_process(&mut self, pid: i32, uid: u32, bits: u32) -> (usize, [ConnId; 2]) {
        let index = self.apps.len();
        let caller = Caller::Process(Credentials { pid, uid, gid: uid });
        let command = self.link(Peer::Command(index));
        self.daemon.accepted(Listener::Applications, command, caller);
        let notify = self.link(Peer::Notify(index));
        self.daemon.accepted(Listener::Applications, notify, caller);
        // An application says nothing there before all else is said on the other one.
        self.links.get_mut(&notify).unwrap().after = Some(command);
        let mut app = Application::new(pid, uid, [command, notify]);
        app.bits = bits;
        self.apps.push(app);
        (index, [command, notify])
    }

    /// An application starts, and everything happens that follows from it.
    pub fn start_application(&mut self) -> usize {
        let index = self.launch();
        self.pump();
        index
    }

    pub fn kill_application(&mut self, index: usize) {
        let mut effects = Effects::default();
        if self.apps[index].alive {
            self.apps[index].die(&mut effects);
        }
        self.apply(effects);
    }

    /// From now on an application takes so long for each answer.
    pub fn slow_down(&mut self, index: usize, pace: Duration) {
        self.slow.insert(self.apps[index].command, (pace, self.now));
    }

    pub fn suspend(&mut self, index: usize) {
        self.apps[index].state = ProcessState::Suspended;
        self.apps[index].was_suspended = true;
    }

    pub fn resume(&mut self, index: usize) {
        let mut effects = Effects::default();
        self.apps[index].state = ProcessState::Running;
        self.apps[index].hung = false;
        self.apps[index].work(&mut effects);
        self.apply(effects);
    }

    /// An agent connects and says nothing yet.
    pub fn connect_agent(&mut self, uid: Option<u32>, domain: u32) -> usize {
        let index = self.agents.len();
        let conn = self.link(Peer::Agent(index));
        let pid = 50_000 + i32::try_from(index).unwrap();
        self.agents.push(Agent::new(conn, pid, domain));
        let caller = Caller::Address(SocketAddr::from(([127, 0, 0, 1], 40_000)), uid);
        self.daemon.accepted(Listener::Agents, conn, caller);
        index
    }

    /// An agent says who it is. Nothing is carried yet.
    pub fn register_agent(&mut self, index: usize) {
        let agent = &self.agents[index];
        let (conn, registration) = (agent.conn, agent.registration());
        self.say(conn, &registration);
    }

    /// An agent comes, and everything happens that follows from it.
    pub fn start_agent(&mut self, domain: u32) -> usize {
        let index = self.connect_agent(Some(USER), domain);
        self.register_agent(index);
        self.pump();
        index
    }

    /// From now on an agent takes so long for each answer.
    pub fn slow_agent(&mut self, index: usize, pace: Duration) {
        self.slow.insert(self.agents[index].conn, (pace, self.now));
    }

    /// An agent answers again.
    pub fn wake_agent(&mut self, index: usize) {
        let mut effects = Effects::default();
        self.agents[index].state = ProcessState::Running;
        self.agents[index].hung = false;
        self.agents[index].work(&mut effects);
        self.apply(effects);
    }

    /// The daemon is asked to end.
    pub fn end(&mut self) {
        self.daemon.end();
    }

    /// A client connects.
    pub fn connect(&mut self, uid: u32) -> ClientId {
        let id = ClientId(self.clients.len());
        let conn = self.link(Peer::Client(id.0));
        self.clients.push(Client::new(conn));
        let caller = Caller::Process(Credentials { pid: 4000, uid, gid: uid });
        self.daemon.accepted(Listener::Clients, conn, caller);
        id
    }

    /// Somebody asks for the daemon's health in pieces of these lengths, and leaves them to be carried.
    pub fn send_query(&mut self, pieces: &[usize]) -> ClientId {
        let id = ClientId(self.clients.len());
        let conn = self.link(Peer::Client(id.0));
        self.clients.push(Client::new(conn));
        let caller = Caller::Process(Credentials { pid: 4500, uid: USER, gid: USER });
        self.daemon.accepted(Listener::Health, conn, caller);
        pieces.iter().for_each(|&length| self.say(conn, &vec![0; length]));
        id
    }

    /// The components that are in bad health, as it says now.
    #[track_caller]
    pub fn health(&mut self) -> Vec<Component> {
        let id = self.send_query(&[REQUEST_LEN]);
        self.pump();
        let client = &mut self.clients[id.0];
        client.left = true;
        health::decode(client.bytes().try_into().expect("the whole reply")).expect("components")
    }

    /// What this user is told of the daemon; none if it is told nothing.
    pub fn status(&mut self, uid: u32) -> Option<Report> {
        let id = ClientId(self.clients.len());
        let conn = self.link(Peer::Client(id.0));
        self.clients.push(Client::new(conn));
        let caller = Caller::Process(Credentials { pid: 4600, uid, gid: uid });
        self.daemon.accepted(Listener::Status, conn, caller);
        self.pump();
        let client = &mut self.clients[id.0];
        client.left = true;
        let said = client.bytes();
        (!said.is_empty()).then(|| serde_json::from_slice(said).expect("a report"))
    }

    /// An event happens in an application; its notifiers tell of it.
    pub fn emit(&mut self, app: usize, event: &str) {
        let mut effects = Effects::default();
        self.apps[app].emit(event, &mut effects);
        self.apply(effects);
    }

    /// A client of the notification socket connects.
    pub fn connect_subscriber(&mut self, uid: u32) -> SubscriberId {
        let id = SubscriberId(self.subscribers.len());
        let conn = self.link(Peer::Subscriber(id));
        self.subscribers.push(Subscriber::new(conn));
        let caller = Caller::Process(Credentials { pid: 5000, uid, gid: uid });
        self.daemon.accepted(Listener::Notifications, conn, caller);
        id
    }

    /// A client of the notification socket says something.
    pub fn tell_daemon(&mut self, id: SubscriberId, bytes: &[u8]) {
        self.say(self.subscribers[id.0].conn, bytes);
    }

    /// One that has subscribed to these conditions, none of which is met.
    pub fn subscribe(&mut self, uid: u32, conditions: &[Condition]) -> SubscriberId {
        let id = self.connect_subscriber(uid);
        self.tell_daemon(id, &subscriber::handshake());
        conditions.iter().for_each(|condition| self.tell_daemon(id, &subscriber::subscribe(condition)));
        self.pump();
        let replies = conditions.iter().map(|_| DaemonMessage::Reply(Status::Ok));
        let expected: Vec<DaemonMessage> = subscriber::welcome().into_iter().chain(replies).collect();
        assert_eq!(self.told(id), expected);
        id
    }

    /// What a client of the notification socket was told since it looked last.
    #[track_caller]
    pub fn told(&mut self, id: SubscriberId) -> Vec<DaemonMessage> {
        self.subscribers[id.0].told()
    }

    /// A client of the notification socket leaves.
    pub fn unsubscribe(&mut self, id: SubscriberId) {
        self.hang_up(self.subscribers[id.0].conn);
    }

    /// A client of the notification socket takes again what it is sent.
    pub fn read_again(&mut self, id: SubscriberId) {
        let subscriber = &mut self.subscribers[id.0];
        subscriber.reads = true;
        let conn = subscriber.conn;
        if let Some(link) = self.links.get_mut(&conn) {
            link.down.drain(..).for_each(|segment| subscriber.take(segment));
            self.daemon.unsent(conn, 0);
            self.busy.insert(conn);
        }
        self.pump();
    }

    /// Bytes that wait in the daemon for a client of the notification socket.
    pub fn unsent(&self, id: SubscriberId) -> usize {
        let link = self.links.get(&self.subscribers[id.0].conn);
        link.map_or(0, |link| link.down.iter().map(|segment| segment.bytes.len()).sum())
    }

    /// Something happened of which no simulated peer knows.
    pub fn happens(&mut self, fact: Fact) {
        self.daemon.state().turn.facts.push(fact);
    }

    /// A peer says something.
    pub fn say(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&conn).filter(|_| !bytes.is_empty()) {
            link.up.push_back((bytes.to_vec(), Vec::new()));
            self.busy.insert(conn);
        }
    }

    /// A peer sends a byte with descriptors.
    pub fn hand_in(&mut self, conn: ConnId, descriptors: Vec<OwnedFd>) {
        self.deliver_later(conn, vec![0], descriptors);
    }

    /// A client connects and sends its request. Nothing is carried yet.
    pub fn send(&mut self, request: &Request) -> ClientId {
        let id = self.connect(USER);
        self.say(self.clients[id.0].conn, &request.bytes());
        id
    }

    /// The client leaves.
    pub fn leave(&mut self, id: ClientId) {
        self.clients[id.0].left = true;
        self.hang_up(self.clients[id.0].conn);
    }

    /// The client will send nothing more, but waits for its reply. Returns whether the daemon keeps the connection.
    pub fn shut_down(&mut self, id: ClientId) -> bool {
        self.daemon.ended(self.clients[id.0].conn)
    }

    /// A peer closes a connection, after what it said.
    pub fn hang_up(&mut self, conn: ConnId) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.left = true;
            self.busy.insert(conn);
        }
    }

    /// Waits for the reply to a client, which must come.
    pub fn wait_for(&mut self, id: ClientId) -> Reply {
        assert!(
            self.run_until(PATIENCE, |world| world.clients[id.0].ended),
            "a client without a reply: {:?}",
            self.daemon
        );
        self.clients[id.0].reply().expect("the connection was closed without a reply")
    }

    /// A whole command: the code of its reply.
    pub fn ask(&mut self, request: &Request) -> ErrorCode {
        self.ask_fully(request).code
    }

    pub fn ask_fully(&mut self, request: &Request) -> Reply {
        let id = self.send(request);
        let reply = self.wait_for(id);
        assert_eq!(reply.command, request.header.command);
        reply
    }

    /// A whole command that must succeed.
    #[track_caller]
    pub fn must(&mut self, request: &Request) -> Reply {
        let reply = self.ask_fully(request);
        assert_eq!(reply.code, ErrorCode::Ok, "command {}", request.header.command);
        reply
    }

    /// A session that is to record `app:*` in the default channel.
    #[track_caller]
    pub fn create_session(&mut self, name: &str) {
        self.must(&client::create(name));
        self.must(&client::enable_event(name, "", client::rule("app:*")));
    }

    /// A session that is to record `app:*` in a channel `c`.
    #[track_caller]
    pub fn create_session_with_channel(&mut self, name: &str) {
        self.must(&client::create(name));
        self.must(&client::enable_channel(name, "c"));
        self.must(&client::enable_event(name, "c", client::rule("app:*")));
    }

    // Time.

    /// Since the world began.
    pub fn age(&self) -> Duration {
        self.now - self.began
    }

    /// Lets everything happen that happens without time.
    pub fn pump(&mut self) {
        self.turns(MAX_TURNS);
        assert!(self.busy.is_empty() || self.exited, "an endless conversation: {:?}", self.busy);
    }

    /// Lets at most so many things happen.
    pub fn turns(&mut self, count: usize) {
        for _ in 0..count {
            if self.exited {
                return;
            }
            self.turn();
            self.turns += 1;
            if self.end_at == Some(self.turns) {
                self.daemon.end();
            } else if !self.carry() {
                return;
            }
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Lets time pass until something is so. Returns whether it is.
    pub fn run_until(&mut self, limit: Duration, is_so: impl Fn(&World) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.pump();
            if is_so(self) {
                return true;
            }
            if self.now >= end || self.exited {
                return false;
            }
            let late = self.late.first_key_value().map(|((at, _), _)| *at);
            let next = late.into_iter().chain(self.daemon.next_deadline()).min().unwrap_or(end).min(end);
            self.idle_turns = if next > self.now { 0 } else { self.idle_turns + 1 };
            assert!(self.idle_turns < 3, "the daemon turns in place: {:?}", self.daemon);
            self.now = self.now.max(next);
            let wall = 1_700_000_000 + i64::try_from(self.age().as_secs()).unwrap();
            self.daemon.time(self.now, wall);
            while let Some(entry) = self.late.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (conn, bytes, descriptors) = entry.remove();
                self.deliver_later(conn, bytes, descriptors);
            }
        }
    }

    // The reactor's work.

    /// What the reactor does after it has read: see `Reactor::carry_out`.
    fn turn(&mut self) {
        self.daemon.settle();
        self.daemon.worked(self.now);
        loop {
            let outputs = self.daemon.take_outputs();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                self.carry_out(output);
            }
            // As for the reactor, what a peer takes is on its way at once.
            for id in std::mem::take(&mut self.flushed) {
                let unsent = if self.subscribers[id.0].reads { 0 } else { self.unsent(id) };
                self.daemon.unsent(self.subscribers[id.0].conn, unsent);
            }
            self.daemon.settle();
        }
    }

    pub fn kill_consumer(&mut self, kind: ConsumerKind) {
        let consumer = self.consumers.get_mut(&kind).unwrap();
        let mut effects = Effects { ended: Some(consumer.pid), ..Effects::default() };
        consumer.die(&mut effects);
        self.apply(effects);
    }

    /// Whether a consumer daemon has a connection that is open.
    pub fn talks_to(&self, kind: ConsumerKind) -> bool {
        self.links.values().any(|link| matches!(link.peer, Peer::Consumer(of, _) if of == kind))
    }

    pub fn ask_metadata(&mut self, kind: ConsumerKind) {
        let mut effects = Effects::default();
        self.consumers.get_mut(&kind).unwrap().ask_metadata(&mut effects);
        self.apply(effects);
    }

    // What must be so.

    /// All clients got exactly one reply, except those who left or sent no request.
    pub fn check_replies(&self) {
        for (index, client) in self.clients.iter().enumerate().filter(|(_, client)| !client.left) {
            assert!(client.ended, "client {index} has no reply");
            assert!(client.reply().is_some(), "client {index} has no reply");
        }
    }

    /// No application refused anything of its own accord.
    pub fn check_applications(&self) {
        for app in &self.apps {
            assert!(app.refused.is_empty(), "application {} refused {:?}", app.pid, app.refused);
        }
    }

    /// With all applications gone and all sessions destroyed, nothing is left in the daemon.
    pub fn check_empty(&self) {
        let state = format!("{:?}", self.daemon);
        let everything = [
            "sessions: Sessions { all: {}",
            "applications: Applications { all: {}, unregistered: {}, dirty: {}, watched: {}",
            "buffers: BufferTable { all: {}, touched: {}, pushes: {}, retries: {} }",
            "agents: Agents { all: {}, newcomers: {}, dirty: {}, watched: {}",
            "touched: false, of_triggers: {}, listings: {} }",
            "relays: {}",
            "askers: {}",
            "tasks: Tasks { under_way: {} }",
            "clients: Clients { all: {}, waiting: [], load: Load { sessions: [], owner: None, stage: Idle } }",
            "under_way: {}, unsent: [], held: []",
            "mirrors: {}, dirty: {}, askers: {}, programs: {}",
            "subscribers: Subscribers { all: {}, about: {} }",
            "queue: Queue { lines: {}, length: 0,",
            "timers: Timers { set: {}, order: {} }",
            "posts: []",
            "facts: Facts { unread: [] }",
        ];
        for part in everything {
            assert!(state.contains(part), "not {part}: {state}");
        }
        // Those of applications, and those of the kernel.
        assert_eq!(state.matches("Notifiers { wanted: {}").count(), 2, "notifiers are wanted: {state}");
        assert!(state.contains("sets: {} }, uncounted"), "error counters are left: {state}");
        assert!(state.contains("sources: {} }"), "pipes of applications are left: {state}");
        for role in ["Application(", "Notify("] {
            assert!(!state.contains(role), "an application's connection is left: {state}");
        }
        for (conn, link) in &self.links {
            assert!(
                matches!(link.peer, Peer::Helper | Peer::Tracer | Peer::Consumer(..))
                    || self.polls_events(*conn),
                "{conn:?} is still open: {link:?}"
            );
        }
        for consumer in self.consumers.values() {
            consumer.check_empty();
        }
        self.check_tracer();
    }

    /// Kills all applications, lets go of all who want to be told of triggers, waits for everything to settle and looks for leftovers.
    pub fn end_of_everything(&mut self) {
        for index in 0..self.apps.len() {
            self.kill_application(index);
        }
        for index in 0..self.subscribers.len() {
            self.unsubscribe(SubscriberId(index));
        }
        for index in 0..self.agents.len() {
            self.agents[index].alive = false;
            self.hang_up(self.agents[index].conn);
        }
        self.pump();
        let triggers = Trigger::decode_list(&self.must(&client::list_triggers()).payload).unwrap();
        triggers.iter().for_each(|trigger| drop(self.must(&client::unregister(trigger))));
        self.pass(Duration::from_secs(6));
        self.check_empty();
        let charged = self.daemon.state().accounts.total();
        for resource in Resource::ALL {
            assert_eq!(charged.of(resource), 0, "{} are still charged", resource.name());
        }
        self.check_replies();
    }
}
