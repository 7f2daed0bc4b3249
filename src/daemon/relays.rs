// SPDX-License-Identifier: GPL-2.0-only
//! Relay daemons: each consumer daemon in service is given a pair of connections, control and data.
//!
//! The daemon makes both connections, says what has to be said on the first, and gives them away; it keeps nothing
//! of them but what was agreed. Nobody waits but the client whose command needs the relay daemon: until it is
//! reached, or not in time, the command is tried again. A session has one [`Relay`]; a snapshot has one for as long
//! as it is recorded.
//!
//! Unlike the original, which connects again and again until a consumer daemon has both, nothing is given away
//! before both connections are there: what failed leaves nothing behind.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lttng_protocol::client::{Destination, ErrorCode, NetworkOutput, StreamType, Uri};
use lttng_protocol::consumer::{RelaySocket, RelaySocketKind, UstRequest};
use lttng_protocol::relayd::{self, Version};

use super::{Daemon, Purpose, Role};
use crate::consumer::Tail;
use crate::model::{Output as SessionOutput, Session, SessionId};
use crate::output::{ConnId, ConsumerKind, Output, RelayEnd, RelayId};
use crate::relayd::{Agreement, Conversation, Refusal, Step};
use crate::sys::clock;

/// How long a relay daemon may take for a connection or a reply if the user does not say
/// (`LTTNG_NETWORK_SOCKET_TIMEOUT`). The original waits as long as the kernel does, or for ever.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a relay daemon can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It can be used.
    Yes,
    /// It is being connected to.
    Pending,
    /// It can't; this is for the client.
    No(ErrorCode),
}

/// How far a pair of connections is.
#[derive(Debug)]
enum Phase {
    /// The first connection is made, and talked on.
    Control { conn: Option<ConnId>, talk: Box<Conversation> },
    /// The second connection is made.
    Data { control: ConnId, conn: Option<ConnId>, agreement: Agreement },
    /// The consumer daemon is given the first; the second comes after it.
    Giving { data: OwnedFd },
    /// It is given the second.
    GivingData,
    /// It has both.
    Given,
}

/// The connections of one consumer daemon.
#[derive(Debug)]
struct Link {
    phase: Phase,
    deadline: Option<Instant>,
}

/// A relay daemon in use.
#[derive(Debug)]
pub struct Relay {
    session: SessionId,
    /// It serves snapshots, not the session's own output.
    snapshot: bool,
    control: Uri,
    data: Option<Uri>,
    links: BTreeMap<ConsumerKind, Link>,
    /// Why it could not be reached, until somebody was told.
    failure: Option<ErrorCode>,
    /// Whose command had it connected.
    client: Option<ConnId>,
    /// It refused the session: it is not asked again.
    disabled: bool,
    version: Option<Version>,
    clear_allowed: bool,
}

impl Relay {
    /// Whether it knows trace chunks: rotation works, and folders are relative to a chunk.
    pub fn has_chunks(&self) -> bool {
        self.version.is_some_and(Version::has_chunks)
    }

    /// Whether it lets the session be cleared.
    pub fn clear_allowed(&self) -> bool {
        self.clear_allowed
    }

    /// When it must be given up, as far as something is under way.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.links.values().filter_map(|link| link.deadline).min()
    }

    fn is_pending(&self) -> bool {
        self.links.values().any(|link| !matches!(link.phase, Phase::Given))
    }
}

impl Daemon {
    /// Whether the relay daemon that a session records to can be used, if it records to one; connects to it. A
    /// failure is told to the client whose command it was found with; the next one tries again.
    pub(crate) fn want_relay(&mut self, client: ConnId, session: SessionId) -> Reached {
        let Some(of_session) = self.model.get(session) else { return Reached::Yes };
        let SessionOutput::Network { control, data } = &of_session.output else { return Reached::Yes };
        // A session that was started stays where it records to, and without user space part it records nothing.
        if of_session.ust.is_none() || (of_session.started && self.relay_of(session).is_none()) {
            return Reached::Yes;
        }
        // As in the original, half an output is found out here, and not before it is half used.
        let Some(control) = control.clone() else { return Reached::No(Refusal::Incomplete.code()) };
        let data = data.clone();
        let id = match self.relay_of(session) {
            Some((id, _)) => id,
            None => self.add_relay(session, control, data, false),
        };
        let Some(relay) = self.relays.get_mut(&id) else { return Reached::Yes };
        if relay.is_pending() {
            return Reached::Pending;
        }
        if let Some(code) = relay.failure {
            let finder = relay.client.filter(|finder| self.clients.contains_key(finder));
            if finder.is_some_and(|finder| finder != client) {
                return Reached::Pending;
            }
            relay.failure = None;
            if finder.is_some() {
                return Reached::No(code);
            }
        }
        relay.client = Some(client);
        self.connect_relay(id);
        match self.relay_reached(id) {
            Reached::Yes => {
                if let Some(session) = self.model.get_mut(session) {
                    session.relayd_id = Some(id.0);
                }
                Reached::Yes
            }
            // Refused for good: the command goes on, and the session can't be started.
            Reached::No(_) => Reached::Yes,
            Reached::Pending => Reached::Pending,
        }
    }

    /// The relay daemon that a session records to, with the number that consumer daemons know it by.
    pub(crate) fn relay_of(&self, session: SessionId) -> Option<(RelayId, &Relay)> {
        let mut relays = self.relays.iter().filter(|(_, relay)| relay.session == session && !relay.snapshot);
        relays.next().map(|(&id, relay)| (id, relay))
    }

    /// Begins to connect to the relay daemon of one snapshot. [`Daemon::relay_reached`] tells what comes of it;
    /// [`Daemon::drop_relay`] has to be called in any case.
    pub fn reach_relay(&mut self, session: SessionId, output: NetworkOutput) -> RelayId {
        let id = self.add_relay(session, output.control, Some(output.data), true);
        self.connect_relay(id);
        id
    }

    /// What came of connecting to a relay daemon. A failure stays one.
    pub fn relay_reached(&self, id: RelayId) -> Reached {
        match self.relays.get(&id) {
            Some(relay) if relay.is_pending() => Reached::Pending,
            Some(Relay { failure: Some(code), .. }) => Reached::No(*code),
            Some(relay) if !relay.disabled => Reached::Yes,
            _ => Reached::No(ErrorCode::EnableConsumerFail),
        }
    }

    /// Forgets a relay daemon. Consumer daemons close their connections once their streams are gone.
    pub fn drop_relay(&mut self, id: RelayId) {
        let Some(relay) = self.relays.remove(&id) else { return };
        for (kind, link) in relay.links {
            self.end_link(id, kind, link);
        }
        self.changed = true;
    }

    /// Forgets all relay daemons of a session.
    pub(crate) fn drop_relays_of(&mut self, session: SessionId) {
        let of_session = self.relays.iter().filter(|(_, relay)| relay.session == session);
        for id in of_session.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.drop_relay(id);
        }
        if let Some(session) = self.model.get_mut(session) {
            session.relayd_id = None;
        }
    }

    /// The folder of streams as the consumer daemon is to be told it: relative to the trace chunk, or the whole one
    /// where the relay daemon knows no chunks. `chunk` is the name of a snapshot, else empty.
    pub(crate) fn stream_folder(
        &self,
        session: &Session,
        relay: Option<u64>,
        chunk: &str,
        path: &str,
    ) -> String {
        let relay = relay.and_then(|id| self.relays.get(&RelayId(id))).filter(|relay| !relay.has_chunks());
        let Some(relay) = relay else { return path.to_owned() };
        let date = clock::name_date(session.created);
        let subdir = &relay.control.subdir;
        let hostname = &self.settings.hostname;
        let base = relayd::legacy_base_folder(hostname, subdir, &session.name, session.generated_name, &date);
        relayd::legacy_stream_folder(&base, chunk, "ust", path)
    }

    fn add_relay(&mut self, session: SessionId, control: Uri, data: Option<Uri>, snapshot: bool) -> RelayId {
        let id = self.counters.relay();
        let relay = Relay {
            session,
            snapshot,
            control,
            data,
            links: BTreeMap::new(),
            failure: None,
            client: None,
            disabled: false,
            version: None,
            clear_allowed: false,
        };
        self.relays.insert(id, relay);
        id
    }

    /// Begins to connect for every consumer daemon in service that has no connections yet.
    fn connect_relay(&mut self, id: RelayId) {
        let Some(relay) = self.relays.get(&id).filter(|relay| !relay.disabled) else { return };
        let address = address(&relay.control);
        let Some(introduction) = self.introduction(relay) else { return };
        let ready = self.ready_consumers();
        let Some(relay) = self.relays.get_mut(&id) else { return };
        for consumer in ready {
            if relay.links.contains_key(&consumer) {
                continue;
            }
            let Some(address) = address else {
                relay.failure = Some(ErrorCode::Invalid);
                continue;
            };
            let talk = Box::new(Conversation::new(introduction.clone()));
            relay.links.insert(consumer, Link { phase: Phase::Control { conn: None, talk }, deadline: None });
            let end = RelayEnd { relay: id, consumer, stream: StreamType::Control };
            self.outputs.push(Output::ConnectRelay { end, address });
        }
        self.await_relay(id);
    }

    /// What a relay daemon is told of the session.
    fn introduction(&self, relay: &Relay) -> Option<relayd::Session> {
        let session = self.model.get(relay.session)?;
        Some(relayd::Session {
            name: session.name.clone(),
            hostname: self.settings.hostname.clone(),
            base_path: relay.control.subdir.clone(),
            live_timer: session.live_timer(),
            snapshot: relay.snapshot,
            name_has_date: session.generated_name,
            sessiond_uuid: self.settings.uuid,
            session_id: session.id.0,
            created: session.created.max(0).cast_unsigned(),
            chunk_id: session.chunk.as_ref().map(|chunk| chunk.id),
        })
    }

    /// Whatever is under way has begun now. Consumer daemons have no deadline.
    fn await_relay(&mut self, id: RelayId) {
        let deadline = self.after(self.settings.network_timeout.unwrap_or(TIMEOUT));
        let Some(relay) = self.relays.get_mut(&id) else { return };
        for link in relay.links.values_mut() {
            let ours = matches!(link.phase, Phase::Control { .. } | Phase::Data { .. });
            link.deadline = ours.then(|| link.deadline.unwrap_or(deadline));
        }
    }

    fn link(&mut self, end: RelayEnd) -> Option<&mut Link> {
        self.relays.get_mut(&end.relay)?.links.get_mut(&end.consumer)
    }

    /// Input: a connection to a relay daemon is being made, or can't be.
    pub fn relay_connecting(&mut self, end: RelayEnd, result: io::Result<ConnId>) {
        let conn = match result {
            Ok(conn) => conn,
            Err(error) => {
                log::error!("Can't connect to a relay daemon: {error}");
                return self.fail_link(end, Refusal::Unreachable);
            }
        };
        let slot = self.link(end).and_then(|link| match (&mut link.phase, end.stream) {
            (Phase::Control { conn, .. }, StreamType::Control)
            | (Phase::Data { conn, .. }, StreamType::Data) => Some(conn),
            _ => None,
        });
        match slot {
            Some(slot) => {
                *slot = Some(conn);
                self.roles.insert(conn, Role::Relay(end));
            }
            // Given up by now.
            None => self.outputs.push(Output::Close(conn)),
        }
    }

    /// Input: a connection that was being made is there.
    pub fn connected(&mut self, conn: ConnId) {
        let Some(Role::Relay(end)) = self.roles.get(&conn).copied() else { return };
        match self.link(end).map(|link| &link.phase) {
            Some(Phase::Control { talk, .. }) => {
                let first = talk.begin();
                self.outputs.send(conn, first);
                self.restart_deadline(end);
            }
            Some(Phase::Data { control, .. }) => {
                let (conns, timeout) = ([*control, conn], self.settings.network_timeout);
                for conn in conns {
                    self.roles.remove(&conn);
                }
                self.outputs.push(Output::HandOver { end, conns, timeout });
            }
            _ => self.close(conn),
        }
    }

    fn restart_deadline(&mut self, end: RelayEnd) {
        if let Some(link) = self.link(end) {
            link.deadline = None;
        }
        self.await_relay(end.relay);
    }

    pub(super) fn relay_received(&mut self, conn: ConnId, end: RelayEnd, bytes: &[u8]) {
        let step = match self.link(end).map(|link| &mut link.phase) {
            Some(Phase::Control { talk, .. }) => talk.received(bytes),
            // Nothing was asked.
            _ => Err(Refusal::Unreachable),
        };
        match step {
            Ok(Step::More) => {}
            Ok(Step::Say(request)) => {
                self.outputs.send(conn, request);
                self.restart_deadline(end);
            }
            Ok(Step::Agreed(agreement)) => self.relay_agreed(conn, end, agreement),
            Err(refusal) => {
                log::error!("A relay daemon refuses: {refusal:?}");
                self.fail_link(end, refusal);
            }
        }
    }

    /// All is said on the first connection: the second one is made.
    fn relay_agreed(&mut self, control: ConnId, end: RelayEnd, agreement: Agreement) {
        let Some(relay) = self.relays.get_mut(&end.relay) else { return };
        relay.version = Some(agreement.version);
        relay.clear_allowed |= agreement.clear_allowed;
        let address = relay.data.as_ref().and_then(address);
        let phase = Phase::Data { control, conn: None, agreement };
        relay.links.insert(end.consumer, Link { phase, deadline: None });
        match address {
            Some(address) => {
                let end = RelayEnd { stream: StreamType::Data, ..end };
                self.outputs.push(Output::ConnectRelay { end, address });
                self.await_relay(end.relay);
            }
            None => self.fail_link(end, Refusal::Incomplete),
        }
    }

    /// Input: both connections are given back as descriptors, or were lost before.
    pub fn handed_over(&mut self, end: RelayEnd, result: io::Result<[OwnedFd; 2]>) {
        let Ok([control, data]) = result else { return self.fail_link(end, Refusal::Unreachable) };
        let Some(link) = self.link(end) else { return };
        let Phase::Data { agreement, .. } = link.phase else { return };
        *link = Link { phase: Phase::Giving { data }, deadline: None };
        let Version { major, minor } = agreement.version;
        self.give(end, RelaySocketKind::Control, (major, minor), agreement.session_id, control);
    }

    /// Has a consumer daemon take a connection.
    fn give(
        &mut self,
        end: RelayEnd,
        kind: RelaySocketKind,
        (major, minor): (u32, u32),
        relayd_session_id: u64,
        descriptor: OwnedFd,
    ) {
        let session_id = self.relays.get(&end.relay).map(|relay| relay.session.0).unwrap_or_default();
        let relayd_id = end.relay.0;
        let socket = RelaySocket { relayd_id, kind, major, minor, session_id, relayd_session_id };
        let request = UstRequest::AddRelaySocket(socket);
        let tail = Tail::Descriptor(Rc::new(descriptor));
        if !self.ask_consumer(end.consumer, request, tail, Purpose::Relay(end)) {
            self.fail_link(end, Refusal::Session);
        }
    }

    /// A consumer daemon has taken a connection, or not.
    pub(super) fn relay_taken(&mut self, end: RelayEnd, succeeded: bool) {
        let Some(link) = self.link(end) else { return };
        if !succeeded {
            return self.fail_link(end, Refusal::Session);
        }
        link.phase = match std::mem::replace(&mut link.phase, Phase::Given) {
            Phase::Giving { data } => {
                link.phase = Phase::GivingData;
                let Version { major, minor } = Version::LOCAL;
                return self.give(end, RelaySocketKind::Data, (major, minor), 0, data);
            }
            Phase::GivingData => Phase::Given,
            phase => phase,
        };
    }

    pub(super) fn relay_closed(&mut self, end: RelayEnd) {
        let refusal = match self.link(end).map(|link| &link.phase) {
            Some(Phase::Control { talk, .. }) => talk.silence(),
            _ => Refusal::Unreachable,
        };
        log::error!("Lost the connection to a relay daemon");
        self.fail_link(end, refusal);
    }

    /// Gives up relay daemons that do not answer.
    pub(super) fn expire_relays(&mut self) {
        let mut late = Vec::new();
        for (&relay, of) in &self.relays {
            let overdue = |link: &Link| link.deadline.is_some_and(|deadline| self.now >= deadline);
            for (&consumer, link) in of.links.iter().filter(|(_, link)| overdue(link)) {
                let refusal = match &link.phase {
                    Phase::Control { talk, .. } => talk.silence(),
                    _ => Refusal::Unreachable,
                };
                late.push((RelayEnd { relay, consumer, stream: StreamType::Control }, refusal));
            }
        }
        for (end, refusal) in late {
            log::error!("A relay daemon did not answer in time");
            self.fail_link(end, refusal);
        }
    }

    fn fail_link(&mut self, end: RelayEnd, refusal: Refusal) {
        let Some(relay) = self.relays.get_mut(&end.relay) else { return };
        let Some(link) = relay.links.remove(&end.consumer) else { return };
        relay.failure = Some(refusal.code());
        // As in the original: a relay daemon that does not want the session is not asked again.
        relay.disabled |= refusal == Refusal::Session;
        self.end_link(end.relay, end.consumer, link);
        self.changed = true;
    }

    fn end_link(&mut self, relay: RelayId, consumer: ConsumerKind, link: Link) {
        let conns = match link.phase {
            Phase::Control { conn, .. } => [conn, None],
            Phase::Data { control, conn, .. } => [Some(control), conn],
            Phase::Giving { .. } | Phase::GivingData | Phase::Given => {
                let request = UstRequest::DestroyRelayd { relayd_id: relay.0 };
                // A consumer daemon that is gone has nothing to give up.
                let _ = self.ask_consumer(consumer, request, Tail::None, Purpose::Nothing);
                return;
            }
        };
        for conn in conns.into_iter().flatten() {
            self.close(conn);
        }
    }
}

/// Where a URI leads to.
fn address(uri: &Uri) -> Option<SocketAddr> {
    let ip: IpAddr = match &uri.destination {
        Destination::Ipv4(text) => IpAddr::V4(text.parse().ok()?),
        Destination::Ipv6(text) => IpAddr::V6(text.parse().ok()?),
        Destination::Path(_) => return None,
    };
    Some(SocketAddr::new(ip, uri.effective_port()))
}
