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

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use log::Level;

use lttng_protocol::consumer::{RelaySocket, RelaySocketKind};
use lttng_protocol::relayd::{self, Version};

use super::{Role, State};
use crate::consumer::Tail;
use crate::consumer::purpose::Purpose;
use crate::consumer::request::Request;
use crate::model::{Endpoint, NetworkOutput, Output as SessionOutput, Session};
use crate::relayd::conversation::{Agreement, Conversation, Refusal, Step};
use crate::relayd::relay::{Link, Phase, Reached, Relay, address};
use crate::sys::clock;
use crate::turn::errand::Errand;
use crate::turn::ids::{ConnId, ConsumerId, ConsumerKind, RelayEnd, RelayId, Requester, SessionId, Stream};
use crate::turn::messages::Topic;
use crate::turn::output::{Address, Output};
use crate::turn::timers::Timer;

/// How long a relay daemon may take for a connection or a reply if the user does not say
/// (`LTTNG_NETWORK_SOCKET_TIMEOUT`). The original waits as long as the kernel does, or for ever.
const TIMEOUT: Duration = Duration::from_secs(10);

impl State {
    /// Whether the relay daemon that a session records to can be used, if it records to one; connects to it. A
    /// failure is told to who asked first, by the connection it asked on; the next one tries again.
    pub fn want_relay(&mut self, asker: Requester, session: SessionId) -> Reached {
        let Some(of_session) = self.sessions.get(session) else { return Reached::Yes };
        let SessionOutput::Network { control, data } = &of_session.wanted.output else { return Reached::Yes };
        // A session that was started stays where it records to, and without any part it records nothing.
        let has_domain = of_session.wanted.ust.is_some() || of_session.wanted.kernel.is_some();
        if !has_domain || (of_session.was_started() && self.relay_of(session).is_none()) {
            return Reached::Yes;
        }
        // As in the original, half an output is found out here, and not before it is half used.
        let Some(control) = control.clone() else { return Reached::No(Refusal::Incomplete) };
        let data = data.clone();
        let id = match self.relay_of(session) {
            Some((id, _)) => id,
            None => self.add_relay(session, control, data, false),
        };
        let Some(relay) = self.relays.get_mut(&id) else { return Reached::Yes };
        if relay.is_pending() {
            return Reached::Pending;
        }
        if let Some(refusal) = relay.failure {
            if relay.asker.is_some_and(|first| first != asker) {
                return Reached::Pending;
            }
            relay.failure = None;
            if relay.asker.is_some() {
                return Reached::No(refusal);
            }
        }
        relay.asker = Some(asker);
        self.connect_relay(id);
        match self.relay_reached(id) {
            Reached::Yes => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.recording.relay = Some(id);
                }
                Reached::Yes
            }
            // Refused for good: the command goes on, and the session can't be started.
            Reached::No(_) => Reached::Yes,
            Reached::Pending => Reached::Pending,
        }
    }

    /// Nobody asks on this connection any more.
    pub fn forget_asker(&mut self, asker: Requester) {
        self.consumers.forget_asker(asker);
        self.forget_tracer_asker(asker);
        for relay in self.relays.values_mut().filter(|relay| relay.asker == Some(asker)) {
            relay.asker = None;
        }
    }

    /// The relay daemon that a session records to, with the number that consumer daemons know it by.
    pub fn relay_of(&self, session: SessionId) -> Option<(RelayId, &Relay)> {
        let mut relays = self.relays.iter().filter(|(_, relay)| relay.session == session && !relay.snapshot);
        relays.next().map(|(&id, relay)| (id, relay))
    }

    /// Begins to connect to the relay daemon of one snapshot. [`State::relay_reached`] tells what comes of it;
    /// [`State::drop_relay`] has to be called in any case.
    pub fn reach_relay(&mut self, session: SessionId, output: NetworkOutput) -> RelayId {
        let id = self.add_relay(session, output.control, Some(output.data), true);
        self.connect_relay(id);
        id
    }

    /// What came of connecting to a relay daemon. A failure stays one.
    pub fn relay_reached(&self, id: RelayId) -> Reached {
        match self.relays.get(&id) {
            Some(relay) if relay.is_pending() => Reached::Pending,
            Some(Relay { failure: Some(refusal), .. }) => Reached::No(*refusal),
            Some(relay) if !relay.disabled => Reached::Yes,
            _ => Reached::No(Refusal::Session),
        }
    }

    /// Forgets a relay daemon. Consumer daemons close their connections once their streams are gone.
    pub fn drop_relay(&mut self, id: RelayId) {
        let Some(relay) = self.relays.remove(&id) else { return };
        self.turn.timers.clear(Timer::Relay(id));
        for (kind, link) in relay.links {
            self.end_link(id, kind, link);
        }
        self.turn.changed = true;
    }

    /// Forgets all relay daemons of a session.
    pub fn drop_relays_of(&mut self, session: SessionId) {
        let of_session = self.relays.iter().filter(|(_, relay)| relay.session == session);
        for id in of_session.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.drop_relay(id);
        }
        if let Some(session) = self.sessions.get_mut(session) {
            session.recording.relay = None;
        }
    }

    /// A consumer daemon is gone, and the connections that it had or was to have. The relay daemon is not to blame: the
    /// next consumer daemon gets its own. Only a snapshot under way is lost with it.
    pub(super) fn forget_links_of(&mut self, kind: ConsumerKind) {
        for id in self.relays.keys().copied().collect::<Vec<_>>() {
            let Some(relay) = self.relays.get_mut(&id) else { continue };
            let Some(link) = relay.links.remove(&kind) else { continue };
            if relay.snapshot && !matches!(link.phase, Phase::Given) {
                relay.failure = Some(Refusal::Session);
            }
            self.end_link(id, kind, link);
            self.arrange_relay(id);
        }
    }

    /// The folder of an application's streams as the consumer daemon is to be told it: relative to the trace chunk, or the
    /// whole one where the relay daemon knows no chunks. `chunk` is the name of a snapshot, else empty.
    pub fn stream_folder(
        &self,
        session: &Session,
        relay: Option<RelayId>,
        chunk: &str,
        path: &str,
    ) -> String {
        match self.legacy_folder(session, relay) {
            Some(base) => relayd::legacy_stream_folder(&base, chunk, "ust", path),
            None => path.to_owned(),
        }
    }

    /// The same for the kernel's channels.
    pub fn kernel_folder(&self, session: &Session, relay: Option<RelayId>, chunk: &str) -> String {
        let base = self.legacy_folder(session, relay);
        let separator = if chunk.is_empty() { "" } else { "/" };
        base.map_or_else(String::new, |base| format!("{base}{chunk}{separator}kernel"))
    }

    /// The session's folder at a relay daemon that knows no chunks.
    fn legacy_folder(&self, session: &Session, relay: Option<RelayId>) -> Option<String> {
        let relay = relay.and_then(|id| self.relays.get(&id)).filter(|relay| !relay.has_chunks())?;
        let date = clock::name_date(session.wanted.created);
        let hostname = self.settings.hostname.to_string();
        Some(relayd::legacy_base_folder(
            &hostname,
            &relay.control.subdir,
            &session.wanted.name,
            session.wanted.generated_name,
            &date,
        ))
    }

    fn add_relay(
        &mut self,
        session: SessionId,
        control: Endpoint,
        data: Option<Endpoint>,
        snapshot: bool,
    ) -> RelayId {
        let id = self.counters.relay();
        let relay = Relay::new(session, control, data, snapshot);
        self.relays.insert(id, relay);
        id
    }

    /// Begins to connect for every consumer daemon in service that has no connections yet.
    fn connect_relay(&mut self, id: RelayId) {
        let Some(relay) = self.relays.get(&id).filter(|relay| !relay.disabled) else { return };
        let address = address(&relay.control);
        let Some(introduction) = self.introduction(relay) else { return };
        let ready = self.consumers_for(relay.session);
        let Some(relay) = self.relays.get_mut(&id) else { return };
        for ConsumerId { kind: consumer, .. } in ready {
            if relay.links.contains_key(&consumer) {
                continue;
            }
            let Some(address) = address else {
                relay.failure = Some(Refusal::Address);
                continue;
            };
            let talk = Box::new(Conversation::new(introduction.clone()));
            relay.links.insert(consumer, Link { phase: Phase::Control { conn: None, talk }, deadline: None });
            let end = RelayEnd { relay: id, consumer, stream: Stream::Control };
            self.turn.outputs.push(connect(end, address));
        }
        self.await_relay(id);
    }

    /// What a relay daemon is told of the session.
    fn introduction(&self, relay: &Relay) -> Option<relayd::Session> {
        let session = self.sessions.get(relay.session)?;
        Some(relayd::Session {
            name: session.wanted.name.clone(),
            hostname: self.settings.hostname.to_string(),
            base_path: relay.control.subdir.clone(),
            live_timer: session.live_timer(),
            snapshot: relay.snapshot,
            name_has_date: session.wanted.generated_name,
            sessiond_uuid: self.settings.uuid,
            session_id: session.id.0,
            created: session.wanted.created.max(0).cast_unsigned(),
            chunk_id: session.recording.chunk().map(|chunk| chunk.id),
        })
    }

    /// Whatever is under way has begun now. Consumer daemons have no deadline.
    fn await_relay(&mut self, id: RelayId) {
        let deadline = self.turn.after(self.settings.network_timeout.unwrap_or(TIMEOUT));
        let Some(relay) = self.relays.get_mut(&id) else { return };
        for link in relay.links.values_mut() {
            let ours = matches!(link.phase, Phase::Control { .. } | Phase::Data { .. });
            link.deadline = ours.then(|| link.deadline.unwrap_or(deadline));
        }
        self.arrange_relay(id);
    }

    fn arrange_relay(&mut self, id: RelayId) {
        let deadline = self.relays.get(&id).and_then(Relay::deadline);
        self.turn.timers.arrange(Timer::Relay(id), deadline);
    }

    /// Says something of a relay daemon, on account of the owner of the session that needs it.
    fn say_of_relay(&mut self, relay: RelayId, text: fmt::Arguments<'_>) {
        let session = self.relays.get(&relay).and_then(|relay| self.sessions.get(relay.session));
        let owner = session.map(|session| session.wanted.owner.uid);
        self.turn.say(Level::Error, Topic::Relay, owner, text);
    }

    fn link(&mut self, end: RelayEnd) -> Option<&mut Link> {
        self.relays.get_mut(&end.relay)?.links.get_mut(&end.consumer)
    }

    /// A connection to a relay daemon is being made, or can't be.
    pub(super) fn relay_connecting(&mut self, end: RelayEnd, result: io::Result<ConnId>) {
        let conn = match result {
            Ok(conn) => conn,
            Err(error) => {
                self.say_of_relay(end.relay, format_args!("Can't connect to a relay daemon: {error}"));
                return self.fail_link(end, Refusal::Unreachable);
            }
        };
        let slot = self.link(end).and_then(|link| match (&mut link.phase, end.stream) {
            (Phase::Control { conn, .. }, Stream::Control) | (Phase::Data { conn, .. }, Stream::Data) => {
                Some(conn)
            }
            _ => None,
        });
        match slot {
            Some(slot) => {
                *slot = Some(conn);
                self.roles.insert(conn, Role::Relay(end));
            }
            // Given up by now.
            None => self.turn.outputs.push(Output::Close(conn)),
        }
    }

    /// A connection to a relay daemon is there, or could not be made and is closed.
    pub(super) fn relay_connected(&mut self, conn: ConnId, end: RelayEnd, result: io::Result<()>) {
        if let Err(error) = result {
            self.say_of_relay(end.relay, format_args!("Can't connect to a relay daemon: {error}"));
            return self.closed(conn);
        }
        match self.link(end).map(|link| &link.phase) {
            Some(Phase::Control { talk, .. }) => {
                let first = talk.begin();
                self.turn.outputs.send(conn, first);
                self.restart_deadline(end);
            }
            Some(Phase::Data { control, .. }) => {
                let (conns, timeout) = ([*control, conn], self.settings.network_timeout);
                for conn in conns {
                    self.roles.remove(&conn);
                }
                let (errand, conns) = (Errand::Relay(end), conns.into());
                self.turn.outputs.push(Output::HandOut { errand, conns, timeout });
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
                self.turn.outputs.send(conn, request);
                self.restart_deadline(end);
            }
            Ok(Step::Agreed(agreement)) => self.relay_agreed(conn, end, agreement),
            Err(refusal) => {
                self.say_of_relay(end.relay, format_args!("A relay daemon refuses: {refusal:?}"));
                self.fail_link(end, refusal);
            }
        }
    }

    /// All is said on the first connection: the second one is made.
    fn relay_agreed(&mut self, control: ConnId, end: RelayEnd, agreement: Agreement) {
        let Some(relay) = self.relays.get_mut(&end.relay) else { return };
        relay.agreed(agreement);
        let address = relay.data.as_ref().and_then(address);
        let phase = Phase::Data { control, conn: None, agreement };
        relay.links.insert(end.consumer, Link { phase, deadline: None });
        match address {
            Some(address) => {
                let end = RelayEnd { stream: Stream::Data, ..end };
                self.turn.outputs.push(connect(end, address));
                self.await_relay(end.relay);
            }
            None => self.fail_link(end, Refusal::Incomplete),
        }
    }

    /// Both connections are handed out as descriptors, or were lost before.
    pub(super) fn relay_handed_out(&mut self, end: RelayEnd, result: io::Result<Vec<OwnedFd>>) {
        let both = result.ok().and_then(|descriptors| <[OwnedFd; 2]>::try_from(descriptors).ok());
        let Some([control, data]) = both else { return self.fail_link(end, Refusal::Unreachable) };
        let Some(link) = self.link(end) else { return };
        let Phase::Data { agreement, .. } = link.phase else { return };
        *link = Link { phase: Phase::Giving { data }, deadline: None };
        self.arrange_relay(end.relay);
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
        let request = Request::relay_socket(end.consumer, socket);
        let tail = Tail::Descriptor(Rc::new(descriptor));
        if !self.ask_current(end.consumer, request, tail, Purpose::Relay(end)) {
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
        self.say_of_relay(end.relay, format_args!("Lost the connection to a relay daemon"));
        self.fail_link(end, refusal);
    }

    /// Gives up connections to a relay daemon that does not answer.
    pub(super) fn expire_relay(&mut self, relay: RelayId) {
        let Some(of) = self.relays.get(&relay) else { return };
        let overdue = |link: &Link| link.deadline.is_some_and(|deadline| self.turn.now >= deadline);
        let late = of.links.iter().filter(|(_, link)| overdue(link)).map(|(&consumer, link)| {
            let refusal = match &link.phase {
                Phase::Control { talk, .. } => talk.silence(),
                _ => Refusal::Unreachable,
            };
            (RelayEnd { relay, consumer, stream: Stream::Control }, refusal)
        });
        for (end, refusal) in late.collect::<Vec<_>>() {
            self.say_of_relay(end.relay, format_args!("A relay daemon did not answer in time"));
            self.fail_link(end, refusal);
        }
        self.arrange_relay(relay);
    }

    fn fail_link(&mut self, end: RelayEnd, refusal: Refusal) {
        let Some(relay) = self.relays.get_mut(&end.relay) else { return };
        let Some(link) = relay.links.remove(&end.consumer) else { return };
        relay.failure = Some(refusal);
        // As in the original: a relay daemon that does not want the session is not asked again.
        relay.disabled |= refusal == Refusal::Session;
        self.end_link(end.relay, end.consumer, link);
        self.arrange_relay(end.relay);
        self.turn.changed = true;
    }

    fn end_link(&mut self, relay: RelayId, consumer: ConsumerKind, link: Link) {
        let conns = match link.phase {
            Phase::Control { conn, .. } => [conn, None],
            Phase::Data { control, conn, .. } => [Some(control), conn],
            Phase::Giving { .. } | Phase::GivingData | Phase::Given => {
                let request = Request::forget_relay(consumer, relay.0);
                // A consumer daemon that is gone has nothing to give up.
                let _ = self.ask_current(consumer, request, Tail::None, Purpose::Nothing);
                return;
            }
        };
        for conn in conns.into_iter().flatten() {
            self.close(conn);
        }
    }
}

fn connect(end: RelayEnd, address: SocketAddr) -> Output {
    Output::Connect { errand: Errand::Relay(end), to: Address::Tcp(address) }
}
