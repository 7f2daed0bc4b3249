// SPDX-License-Identifier: GPL-2.0-only
//! All state of the daemon, and one entry for each kind of input.
//!
//! [`Daemon`] does no I/O on peers and never waits. It takes what has happened, changes its state, and leaves
//! [`Output`](crate::output::Output)s. After each batch of inputs the caller runs [`Daemon::settle`], which
//! lets planners and operations act until nothing changes any more. The rest of the `impl` is split by
//! subject: the modules beside this one, `client` and `operation`.

mod applications;
mod buffers;
mod consumers;
mod helper;
mod names;
mod notify;
mod relays;
mod schedule;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::client::ClientConnection;
use crate::consumer::Consumer;
use crate::model::{ChannelId, Model, SessionId};
use crate::operation::{AtRest, Operation, OperationId};
use crate::output::{ConnId, ConsumerKind, Listener, Output, Outputs, RelayEnd, RelayId};
use crate::sys::clock;
use crate::sys::socket::Credentials;
use crate::ust::app::{App, AppId, Attention, ListingId};
use crate::ust::buffer_table::BufferTable;
use crate::ust::buffers::{Buffers, BuffersKey};
pub use applications::PendingApplication;
pub(crate) use buffers::{FOLDER_MODE, shared_memory_folder};
pub use consumers::Purpose;
pub(crate) use consumers::Readiness;
pub use helper::HelperLink;
pub(crate) use helper::PathPurpose;
pub(crate) use names::Names;
pub use relays::{Reached, Relay};

/// Rounds after which settling is given up until the next turn: only a mistake in the daemon needs as many.
const MAX_ROUNDS: usize = 10_000;
/// How long a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a health query may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a health query, whatever they are.
const HEALTH_QUERY_LEN: usize = 4;
/// How long the end may take once the daemon was asked to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);

/// What the daemon is told about itself and its host when it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// User that the daemon runs as; 0 is the root daemon.
    pub uid: u32,
    /// The kernel tracer is not to be used.
    pub no_kernel: bool,
    /// This host's name, for the metadata.
    pub hostname: String,
    /// The kernel's id of this boot, which names the trace clock.
    pub boot_id: Option<String>,
    /// Bytes of a page.
    pub page_size: u64,
    /// Random id of this run.
    pub uuid: [u8; 16],
    /// How long an application that could answer is given; none is for ever.
    pub application_timeout: Option<Duration>,
    /// How long a relay daemon is waited for, if the user says so; consumer daemons wait as long.
    pub network_timeout: Option<Duration>,
    /// Applications taken at most, by all users together and by one of them.
    pub application_quota: (usize, usize),
    /// The consumer daemons that can be started, and the command sockets that they will make.
    pub consumers: Vec<(ConsumerKind, PathBuf)>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Client,
    Health,
    /// Connected to the applications' socket; has not said yet which of its two connections this is.
    Unregistered,
    Application(AppId),
    Notify(AppId),
    ConsumerError(ConsumerKind),
    ConsumerCommand(ConsumerKind),
    ConsumerMetadata(ConsumerKind),
    ConsumerMonitor(ConsumerKind),
    Relay(RelayEnd),
    Helper,
}

/// A health query that is not complete.
#[derive(Debug)]
struct HealthQuery {
    received: usize,
    deadline: Instant,
}

/// How far the end of the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Serving,
    /// Sessions are being destroyed.
    Ending {
        deadline: Instant,
    },
    /// Consumer daemons are ending.
    Leaving {
        deadline: Instant,
    },
    Over,
}

/// Numbers that are never given twice.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    consumer_key: u64,
    application_session: u64,
    operation: u64,
    listing: u64,
    relay: u64,
}

fn next(counter: &mut u64) -> u64 {
    *counter = counter.saturating_add(1);
    *counter
}

impl Counters {
    pub(crate) fn operation(&mut self) -> OperationId {
        OperationId(next(&mut self.operation))
    }

    pub(crate) fn relay(&mut self) -> RelayId {
        RelayId(next(&mut self.relay))
    }

    pub(crate) fn listing(&mut self) -> ListingId {
        ListingId(next(&mut self.listing))
    }
}

/// The daemon.
#[derive(Debug)]
pub struct Daemon {
    pub(crate) settings: Settings,
    pub(crate) now: Instant,
    /// Seconds since the Epoch.
    pub(crate) wall: i64,
    pub(crate) outputs: Outputs,
    pub(crate) model: Model,
    // In boxes: the leaves of a map that only grows at its end are half empty.
    pub(crate) apps: BTreeMap<AppId, Box<App>>,
    pub(crate) buffers: BufferTable,
    /// When metadata of a single application may be pushed next.
    private_push: Instant,
    /// Buffers whose metadata an operation wants to be pushed, when it is its turn.
    pushes_wanted: BTreeSet<BuffersKey>,
    pub(crate) consumers: BTreeMap<ConsumerKind, Consumer<Purpose>>,
    /// Relay daemons of sessions and of snapshots under way.
    pub(crate) relays: BTreeMap<RelayId, Relay>,
    pub(crate) operations: BTreeMap<OperationId, Operation>,
    /// Sessions with an operation under way: commands about them wait.
    pub(crate) held: BTreeMap<SessionId, OperationId>,
    /// What is known of sessions since they were stopped.
    pub(crate) at_rest: BTreeMap<SessionId, AtRest>,
    /// What applications with buffers of their own had lost when they ended.
    pub(crate) losses_of_the_gone: BTreeMap<SessionId, BTreeMap<ChannelId, u64>>,
    pub(crate) clients: BTreeMap<ConnId, ClientConnection>,
    /// Clients whose request is complete but has to wait, oldest first.
    pub(crate) waiting: VecDeque<ConnId>,
    pub(crate) helper: HelperLink,
    pub(crate) names: Names,
    pub(crate) counters: Counters,
    roles: BTreeMap<ConnId, Role>,
    unregistered: BTreeMap<ConnId, PendingApplication>,
    /// Applications for which something may have to be done.
    dirty: BTreeSet<AppId>,
    /// Applications that owe answers.
    watched: BTreeSet<AppId>,
    /// When they are looked at: no check of any of them comes before.
    watch_at: Option<Instant>,
    /// When processes of silent applications are looked at.
    attention: Attention,
    /// Applications whose `main` is held back.
    held_back: BTreeSet<AppId>,
    /// Something happened that operations or waiting clients may have been waiting for.
    pub(crate) changed: bool,
    /// A consumer daemon could not be started, and no client was told.
    failed_start: Option<ConsumerKind>,
    /// When sessions rotate because of the time.
    rotation_timers: BTreeMap<SessionId, Instant>,
    /// Sessions that rotate by themselves as soon as they are free.
    rotations_due: BTreeSet<SessionId>,
    health: u64,
    health_queries: BTreeMap<ConnId, HealthQuery>,
    life: Life,
}

impl Daemon {
    /// A daemon without sessions or peers.
    pub fn new(settings: Settings, now: Instant, wall: i64) -> Self {
        let make = |(kind, socket): &(ConsumerKind, PathBuf)| (*kind, Consumer::new(*kind, socket.clone()));
        let consumers = settings.consumers.iter().map(make).collect();
        Daemon {
            settings,
            now,
            wall,
            outputs: Outputs::default(),
            model: Model::default(),
            apps: BTreeMap::new(),
            buffers: BufferTable::default(),
            private_push: now,
            pushes_wanted: BTreeSet::new(),
            consumers,
            relays: BTreeMap::new(),
            operations: BTreeMap::new(),
            held: BTreeMap::new(),
            at_rest: BTreeMap::new(),
            losses_of_the_gone: BTreeMap::new(),
            clients: BTreeMap::new(),
            waiting: VecDeque::new(),
            helper: HelperLink::default(),
            names: Names::default(),
            counters: Counters::default(),
            roles: BTreeMap::new(),
            unregistered: BTreeMap::new(),
            dirty: BTreeSet::new(),
            watched: BTreeSet::new(),
            watch_at: None,
            attention: Attention::new(now),
            held_back: BTreeSet::new(),
            changed: false,
            failed_start: None,
            rotation_timers: BTreeMap::new(),
            rotations_due: BTreeSet::new(),
            health: 0,
            health_queries: BTreeMap::new(),
            life: Life::Serving,
        }
    }

    /// Input: time goes on. To be called before the inputs of a turn.
    pub fn time(&mut self, now: Instant, wall: i64) {
        self.now = now.max(self.now);
        self.wall = wall;
    }

    /// Input: the helper process is there.
    pub fn helper_connected(&mut self, conn: ConnId) {
        self.roles.insert(conn, Role::Helper);
        self.helper.connect(conn);
    }

    /// Input: a peer connected to one of the daemon's sockets.
    pub fn accepted(&mut self, listener: Listener, conn: ConnId, credentials: Credentials) {
        let role = match listener {
            Listener::Clients => {
                let deadline = self.after(REQUEST_TIMEOUT);
                self.clients.insert(conn, ClientConnection::new(credentials, deadline));
                Role::Client
            }
            Listener::Health => {
                let deadline = self.after(HEALTH_TIMEOUT);
                self.health_queries.insert(conn, HealthQuery { received: 0, deadline });
                Role::Health
            }
            Listener::Applications => {
                if !self.application_accepted(conn, credentials) {
                    self.outputs.push(Output::Close(conn));
                    return;
                }
                Role::Unregistered
            }
            Listener::ConsumerError(kind) => {
                let consumer = self.consumers.get_mut(&kind);
                if !consumer.is_some_and(|consumer| {
                    credentials.uid == self.settings.uid && consumer.error_connected(conn)
                }) {
                    self.outputs.push(Output::Close(conn));
                    return;
                }
                Role::ConsumerError(kind)
            }
        };
        self.roles.insert(conn, role);
    }

    /// Input: bytes and descriptors from a peer.
    pub fn received(&mut self, conn: ConnId, bytes: &[u8], descriptors: Vec<OwnedFd>) {
        // Descriptors that the peer had no reason to send are closed on return.
        match self.roles.get(&conn).copied() {
            None => {}
            Some(Role::ConsumerMonitor(kind)) => self.samples_received(kind, bytes),
            Some(Role::Client) => self.client_received(conn, bytes, descriptors),
            Some(Role::Health) => self.health_received(conn, bytes),
            Some(Role::Unregistered) => self.registration_received(conn, bytes),
            Some(Role::Application(app)) => self.application_received(app, bytes),
            Some(Role::Notify(app)) => self.notify_received(app, bytes),
            Some(Role::ConsumerError(kind)) => self.consumer_error_received(kind, bytes),
            Some(Role::ConsumerCommand(kind)) => self.consumer_command_received(kind, bytes, descriptors),
            Some(Role::ConsumerMetadata(kind)) => self.consumer_metadata_received(kind, bytes),
            Some(Role::Relay(end)) => self.relay_received(conn, end, bytes),
            Some(Role::Helper) => self.helper_received(bytes, descriptors),
        }
    }

    /// Input: a peer is gone, or can't be talked to. The reactor has closed the connection.
    pub fn closed(&mut self, conn: ConnId) {
        match self.roles.remove(&conn) {
            // The command connection stays in use, as the application will not make another.
            None | Some(Role::ConsumerMonitor(_) | Role::Notify(_)) => {}
            Some(Role::Health) => drop(self.health_queries.remove(&conn)),
            Some(Role::Client) => self.client_closed(conn),
            Some(Role::Unregistered) => drop(self.unregistered.remove(&conn)),
            Some(Role::Application(app)) => self.remove_application(app, "it closed its connection"),
            Some(Role::ConsumerError(kind) | Role::ConsumerCommand(kind) | Role::ConsumerMetadata(kind)) => {
                self.consumer_lost(kind, "it closed a connection")
            }
            Some(Role::Relay(end)) => self.relay_closed(end),
            Some(Role::Helper) => self.helper_lost(),
        }
    }

    /// Input: the daemon is asked to end. A second time, it ends at once.
    pub fn end(&mut self) {
        if self.life != Life::Serving {
            log::warn!("Asked to end again: leaving at once");
            let running = self.consumers.values().filter_map(Consumer::pid);
            running.for_each(|pid| self.outputs.push(Output::Kill(pid)));
            self.life = Life::Over;
            self.outputs.push(Output::Exit);
            return;
        }
        self.outputs.push(Output::StopListening(Listener::Clients));
        self.life = Life::Ending { deadline: self.after(SHUTDOWN_TIMEOUT) };
        self.changed = true;
    }

    /// Lets everything act that has something to do, until nothing has, or until there is much to be sent: then it
    /// must be called again once the outputs were taken, as always after outputs.
    pub fn settle(&mut self) {
        self.expire();
        for _ in 0..MAX_ROUNDS {
            self.changed = false;
            while !self.outputs.are_large()
                && let Some(app) = self.dirty.pop_first()
            {
                self.synchronise(app);
            }
            self.serve_buffers();
            self.answer_stillborn();
            self.begin_due_rotations();
            self.run_operations();
            self.retry_waiting_clients();
            self.names.forget();
            self.go_on_ending();
            if self.outputs.are_large() {
                return;
            }
            if !self.changed && self.dirty.is_empty() && !self.push_in_turn() {
                return;
            }
        }
        log::error!("Internal error: the daemon does not come to rest");
    }

    /// Takes what is to be done.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        self.outputs.take()
    }

    /// The point in time `duration` from now.
    pub(crate) fn after(&self, duration: Duration) -> Instant {
        clock::after(self.now, duration)
    }

    /// Closes a connection and forgets it.
    pub(crate) fn close(&mut self, conn: ConnId) {
        if self.roles.remove(&conn).is_some() {
            self.outputs.push(Output::Close(conn));
        }
    }

    /// Closes a connection once all was sent, and forgets it.
    pub(crate) fn close_when_sent(&mut self, conn: ConnId) {
        if self.roles.remove(&conn).is_some() {
            self.outputs.push(Output::CloseWhenSent(conn));
        }
    }

    /// Marks every application for a look.
    pub(crate) fn touch_all_applications(&mut self) {
        self.dirty.extend(self.apps.keys().copied());
        self.changed = true;
    }

    pub(crate) fn touch(&mut self, app: AppId) {
        self.dirty.insert(app);
        self.changed = true;
    }

    /// Whether an application has all it is to have of a session, or can't be waited for.
    pub(crate) fn is_settled(&self, id: AppId, session: SessionId) -> bool {
        let Some(app) = self.apps.get(&id) else { return true };
        if app.lagging {
            return true;
        }
        let settled = app.mirrors.get(&session).is_none_or(|mirror| mirror.is_settled());
        settled && !self.dirty.contains(&id)
    }

    /// The buffers of a session, for each user that has applications.
    pub(crate) fn buffers_of(&self, session: SessionId) -> impl Iterator<Item = (&BuffersKey, &Buffers)> {
        self.buffers.iter().filter(move |(key, _)| key.session == session)
    }

    /// The numbers by which consumer daemons know the data channels of a session.
    pub(crate) fn data_keys(&self, session: SessionId) -> Vec<(ConsumerKind, ChannelId, u64)> {
        self.data_keys_if(session, |_| true)
    }

    /// Those of [`Daemon::data_keys`] whose buffers are such.
    pub(crate) fn data_keys_if(
        &self,
        session: SessionId,
        such: impl Fn(&Buffers) -> bool,
    ) -> Vec<(ConsumerKind, ChannelId, u64)> {
        let chosen = self.buffers_of(session).filter(|(_, buffers)| such(buffers));
        chosen.flat_map(|(_, buffers)| keys_of(buffers)).collect()
    }

    fn health_received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(query) = self.health_queries.get_mut(&conn) else { return };
        query.received = query.received.saturating_add(bytes.len());
        if query.received >= HEALTH_QUERY_LEN {
            self.health_queries.remove(&conn);
            self.outputs.send(conn, self.health.to_ne_bytes().to_vec());
            self.close_when_sent(conn);
        }
    }

    /// Ends step by step: sessions first, so that nothing is lost, then applications and consumer daemons.
    fn go_on_ending(&mut self) {
        match self.life {
            Life::Ending { deadline } => {
                let over = self.model.is_empty() && self.operations.is_empty();
                if !over && self.now < deadline {
                    self.destroy_all_sessions();
                    return;
                }
                self.outputs.push(Output::StopListening(Listener::Applications));
                let connections: Vec<ConnId> = self.roles.keys().copied().collect();
                for conn in connections {
                    self.close(conn);
                }
                self.apps.clear();
                self.buffers = BufferTable::default();
                self.lose_all_consumers();
                self.life = Life::Leaving { deadline: self.after(SHUTDOWN_TIMEOUT) };
                self.changed = true;
            }
            Life::Leaving { deadline } => {
                let running: Vec<i32> = self.consumers.values().filter_map(Consumer::pid).collect();
                if running.is_empty() || self.now >= deadline {
                    running.into_iter().for_each(|pid| self.outputs.push(Output::Kill(pid)));
                    self.life = Life::Over;
                    self.outputs.push(Output::Exit);
                }
            }
            Life::Serving | Life::Over => {}
        }
    }
}

fn keys_of(buffers: &Buffers) -> impl Iterator<Item = (ConsumerKind, ChannelId, u64)> {
    buffers.data_keys().map(|(channel, key)| (buffers.consumer, channel, key))
}
