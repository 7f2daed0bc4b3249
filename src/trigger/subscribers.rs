// SPDX-License-Identifier: GPL-2.0-only
//! The clients of the notification socket: what each has subscribed to, and what it is told.
//!
//! A client that does not read costs only itself: what waits for it is charged to its user and bounded, and what it misses
//! beyond that is told to it in one message, once it reads again. Who may be told what: lttng-tools 2.13.15,
//! `src/bin/lttng-sessiond/notification-thread-events.c`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use log::Level;

use lttng_protocol::trigger::channel::{
    ClientMessage, DaemonMessage, Header, Status, Version, notification_message,
};
use lttng_protocol::trigger::{Condition, Evaluation};

use super::registry::{Registered, Subject};
use crate::accounts::{Charge, Exhausted, Resource};
use crate::state::State;
use crate::sys::socket::Credentials;
use crate::turn::ids::{ConnId, Identity};
use crate::turn::inbox::Inbox;
use crate::turn::machine::{Attached, Expected};
use crate::turn::messages::Topic;
use crate::turn::output::Output;
use crate::turn::timers::Timer;

/// How long half a message may be all that is there, and a connection on which nothing was said.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that may wait for a client. What stock programs keep for later is a hundred notifications.
const MOST_UNSENT: usize = 1 << 20;
/// What a subscription takes beside its condition.
const SUBSCRIPTION: u64 = 256;

/// What comes next on a connection.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Header,
    Payload(Header),
    /// Descriptors, on a byte of their own.
    Descriptors(Header, Vec<u8>),
}

/// A client of the notification socket.
#[derive(Debug)]
struct Subscriber {
    credentials: Credentials,
    stage: Stage,
    input: Inbox,
    /// It has said its version.
    greeted: bool,
    subscriptions: Vec<Condition>,
    /// What these take. It is not added up each time: there may be very many.
    subscribed: u64,
    /// Bytes that wait for it.
    unsent: usize,
    /// It misses something, and was told so.
    misses: bool,
    _connection: Charge,
    /// What waits for it, what it has said by half, and what it has subscribed to.
    memory: Charge,
}

impl Subscriber {
    /// Charges for what is held now, and for so much more.
    fn hold(&mut self, more: usize) -> Result<(), Exhausted> {
        let rest = [self.input.held(), self.unsent, more].map(|size| size as u64);
        self.memory.set(rest.into_iter().fold(self.subscribed, u64::saturating_add))
    }

    fn position(&self, condition: &Condition) -> Option<usize> {
        self.subscriptions.iter().position(|known| known.same_as(condition))
    }

    /// Whether it may be told of a trigger's action.
    fn may_know(&self, registered: &Registered, object: Option<Identity>) -> bool {
        let Credentials { uid, gid, .. } = self.credentials;
        let object_is_its_own = object.is_none_or(|owner| uid == 0 || uid == owner.uid || gid == owner.gid);
        // Root as well, which 2.13.9 tells of its own triggers only: later releases tell it of everybody's.
        let trigger_is_its_own = uid == 0 || uid == registered.trigger.owner;
        // Hidden ones are for the daemon itself, which needs no connection to know.
        !registered.trigger.hidden && object_is_its_own && trigger_is_its_own
    }
}

fn size_of_subscription(condition: &Condition) -> u64 {
    let mut writer = lttng_protocol::Writer::default();
    condition.encode(&mut writer);
    (writer.len() as u64).saturating_add(SUBSCRIPTION)
}

/// All clients of the notification socket.
#[derive(Debug, Default)]
pub struct Subscribers {
    all: BTreeMap<ConnId, Subscriber>,
    about: BTreeMap<Subject, BTreeSet<ConnId>>,
}

impl Subscribers {
    /// Whether a connection is that of one.
    pub fn has(&self, conn: ConnId) -> bool {
        self.all.contains_key(&conn)
    }

    /// The connections on which nothing was said yet, oldest first, and their users.
    pub fn incomplete(&self) -> impl Iterator<Item = (ConnId, u32)> {
        let silent = self.all.iter().filter(|(_, subscriber)| !subscriber.greeted);
        silent.map(|(&conn, subscriber)| (conn, subscriber.credentials.uid))
    }

    /// Input: somebody connected.
    ///
    /// # Errors
    /// Its user has too many connections.
    pub fn accepted(
        &mut self,
        state: &mut State,
        conn: ConnId,
        credentials: Credentials,
    ) -> Result<(), Exhausted> {
        let uid = credentials.uid;
        let connection = state.accounts.charge(uid, Resource::Connections, 1)?;
        let memory = state.accounts.charge(uid, Resource::Memory, 0)?;
        let subscriber = Subscriber {
            credentials,
            stage: Stage::Header,
            input: Inbox::default(),
            greeted: false,
            subscriptions: Vec::new(),
            subscribed: 0,
            unsent: 0,
            misses: false,
            _connection: connection,
            memory,
        };
        self.all.insert(conn, subscriber);
        // Who does not take its answers is not read from: they are never left out, as notifications are.
        state.turn.outputs.push(Output::ReadWhenSent(conn));
        let deadline = state.turn.after(PATIENCE);
        state.turn.timers.set(Timer::Connection(conn), deadline);
        Ok(())
    }

    /// What may come on a connection now; `None` if it is not one of these.
    pub fn expected(&self, conn: ConnId) -> Option<Expected> {
        let subscriber = self.all.get(&conn)?;
        let here = subscriber.input.bytes().len();
        let bytes = |whole: usize| Expected { bytes: whole.saturating_sub(here).max(1), ..Expected::BYTES };
        Some(match &subscriber.stage {
            Stage::Header => bytes(Header::LEN),
            Stage::Payload(header) => bytes(usize::try_from(header.length).unwrap_or(usize::MAX)),
            Stage::Descriptors(header, _) => {
                let descriptors = usize::try_from(header.fd_count).unwrap_or(0);
                Expected { bytes: 1, descriptors, ..Expected::BYTES }
            }
        })
    }

    /// Input: bytes. The first message that is complete, if one is: the next one is asked for with no bytes, once this one
    /// is answered.
    pub fn received(
        &mut self,
        state: &mut State,
        conn: ConnId,
        bytes: &[u8],
        attached: Attached,
    ) -> Option<ClientMessage> {
        let subscriber = self.all.get_mut(&conn)?;
        subscriber.input.push(bytes);
        // A condition's descriptors only tell one file from another; conditions that have some are never met here.
        drop(attached);
        let message = match subscriber.advance() {
            Ok(message) => message,
            Err(()) => {
                let Credentials { pid, uid, .. } = subscriber.credentials;
                let text = format_args!("Process {pid} said what can't be meant for the notification socket");
                state.turn.say(Level::Warn, Topic::Request, Some(uid), text);
                // What it had said before is answered.
                if self.forget(state, conn) {
                    state.turn.outputs.push(Output::CloseWhenSent(conn));
                }
                return None;
            }
        };
        let half = !subscriber.input.bytes().is_empty() || !matches!(subscriber.stage, Stage::Header);
        let deadline = Some(state.turn.after(PATIENCE)).filter(|_| half || !subscriber.greeted);
        if deadline.is_none() || state.turn.timers.get(Timer::Connection(conn)).is_none() {
            state.turn.timers.arrange(Timer::Connection(conn), deadline);
        }
        if let Err(exhausted) = subscriber.hold(0) {
            state.say_refused(subscriber.credentials, exhausted);
            self.close(state, conn);
            return None;
        }
        message
    }

    /// Carries out what a client said. What it is to be answered ([`Self::answer`]), after it was told what a condition that
    /// it has subscribed to is at first; `None` if its connection was closed.
    pub fn obey(&mut self, state: &mut State, conn: ConnId, message: ClientMessage) -> Option<Status> {
        let subscriber = self.all.get_mut(&conn)?;
        match message {
            ClientMessage::Handshake(version) => {
                subscriber.greeted = true;
                state.turn.timers.clear(Timer::Connection(conn));
                let known = version.major == Version::CURRENT.major;
                self.send(state, conn, &DaemonMessage::Handshake(Version::CURRENT).encode());
                Some(if known { Status::Ok } else { Status::UnsupportedVersion })
            }
            _ if !subscriber.greeted => {
                self.close(state, conn);
                None
            }
            ClientMessage::Subscribe(condition) if subscriber.position(&condition).is_some() => {
                Some(Status::AlreadySubscribed)
            }
            ClientMessage::Subscribe(condition) => {
                let (subject, size) = (Subject::of(&condition), size_of_subscription(&condition));
                subscriber.subscriptions.push(condition);
                subscriber.subscribed = subscriber.subscribed.saturating_add(size);
                if let Err(exhausted) = subscriber.hold(0) {
                    subscriber.subscriptions.pop();
                    subscriber.subscribed = subscriber.subscribed.saturating_sub(size);
                    state.say_refused(subscriber.credentials, exhausted);
                    return Some(Status::Error);
                }
                self.about.entry(subject).or_default().insert(conn);
                Some(Status::Ok)
            }
            ClientMessage::Unsubscribe(condition) => {
                let Some(at) = subscriber.position(&condition) else { return Some(Status::UnknownCondition) };
                let removed = size_of_subscription(&subscriber.subscriptions.remove(at));
                subscriber.subscribed = subscriber.subscribed.saturating_sub(removed);
                let subject = Subject::of(&condition);
                let others = subscriber.subscriptions.iter().any(|other| Subject::of(other) == subject);
                // It can only be less than it was.
                let _ = subscriber.hold(0);
                if !others {
                    self.forget_subject(&subject, conn);
                }
                Some(Status::Ok)
            }
        }
    }

    /// What a client has subscribed to last.
    pub fn newest(&self, conn: ConnId) -> Option<&Condition> {
        self.all.get(&conn)?.subscriptions.last()
    }

    /// Answers what a client said.
    pub fn answer(&mut self, state: &mut State, conn: ConnId, status: Status) {
        self.send(state, conn, &DaemonMessage::Reply(status).encode());
    }

    /// Tells all who have subscribed to a trigger's condition, and may know, that it is met.
    pub fn tell(
        &mut self,
        registered: &Registered,
        evaluation: &Evaluation,
        object: Option<Identity>,
        state: &mut State,
    ) {
        let conns = self.subscribed(&registered.trigger.condition);
        if conns.is_empty() {
            return;
        }
        let message = notification_message(&registered.encoded, registered.trigger.fd_count(), evaluation);
        for conn in conns {
            self.tell_if_allowed(conn, registered, &message, object, state);
        }
    }

    /// Tells one client that a trigger's condition is met, if it may know.
    pub fn tell_one(
        &mut self,
        conn: ConnId,
        registered: &Registered,
        evaluation: &Evaluation,
        object: Option<Identity>,
        state: &mut State,
    ) {
        let message = notification_message(&registered.encoded, registered.trigger.fd_count(), evaluation);
        self.tell_if_allowed(conn, registered, &message, object, state);
    }

    fn tell_if_allowed(
        &mut self,
        conn: ConnId,
        registered: &Registered,
        message: &[u8],
        object: Option<Identity>,
        state: &mut State,
    ) {
        let Some(subscriber) = self.all.get_mut(&conn) else { return };
        if !subscriber.may_know(registered, object) {
            return;
        }
        let room = subscriber.unsent.saturating_add(message.len()) <= MOST_UNSENT;
        // What it misses is told before what comes after it.
        if room && subscriber.hold(message.len()).is_ok() {
            self.send(state, conn, message);
            if let Some(program) = &registered.program {
                state.turn.outputs.send_descriptors(conn, vec![program.clone()]);
            }
        } else {
            self.miss(state, conn);
        }
    }

    /// Something that was to be told of this condition is lost.
    pub fn missed(&mut self, condition: &Condition, state: &mut State) {
        for conn in self.subscribed(condition) {
            self.miss(state, conn);
        }
    }

    fn miss(&mut self, state: &mut State, conn: ConnId) {
        let Some(subscriber) = self.all.get_mut(&conn) else { return };
        if !std::mem::replace(&mut subscriber.misses, true) {
            self.send(state, conn, &DaemonMessage::NotificationDropped.encode());
        }
    }

    /// The clients that have subscribed to a condition.
    fn subscribed(&self, condition: &Condition) -> Vec<ConnId> {
        let about = self.about.get(&Subject::of(condition)).into_iter().flatten().copied();
        let subscribed =
            |conn: &ConnId| self.all.get(conn).is_some_and(|known| known.position(condition).is_some());
        about.filter(subscribed).collect()
    }

    fn send(&mut self, state: &mut State, conn: ConnId, message: &[u8]) {
        let Some(subscriber) = self.all.get_mut(&conn) else { return };
        subscriber.unsent = subscriber.unsent.saturating_add(message.len());
        state.turn.outputs.send(conn, message.to_vec());
    }

    /// So many bytes wait for a client. True if it is one of these.
    pub fn unsent(&mut self, conn: ConnId, bytes: usize) -> bool {
        let Some(subscriber) = self.all.get_mut(&conn) else { return false };
        subscriber.unsent = bytes;
        if bytes == 0 {
            subscriber.misses = false;
        }
        // It can only be less than it was.
        let _ = subscriber.hold(0);
        true
    }

    /// Closes a connection.
    pub fn close(&mut self, state: &mut State, conn: ConnId) {
        if self.forget(state, conn) {
            state.turn.outputs.push(Output::Close(conn));
        }
    }

    /// Forgets one, whose connection is closed. Returns whether it was there.
    pub fn forget(&mut self, state: &mut State, conn: ConnId) -> bool {
        let Some(subscriber) = self.all.remove(&conn) else { return false };
        state.turn.timers.clear(Timer::Connection(conn));
        for condition in &subscriber.subscriptions {
            self.forget_subject(&Subject::of(condition), conn);
        }
        true
    }

    fn forget_subject(&mut self, subject: &Subject, conn: ConnId) {
        if let Some(conns) = self.about.get_mut(subject) {
            conns.remove(&conn);
            if conns.is_empty() {
                self.about.remove(subject);
            }
        }
    }

    /// Closes all.
    pub fn close_all(&mut self, state: &mut State) {
        let conns: Vec<ConnId> = self.all.keys().copied().collect();
        conns.into_iter().for_each(|conn| self.close(state, conn));
    }
}

impl Subscriber {
    /// Goes on with what is there, up to the end of one message.
    fn advance(&mut self) -> Result<Option<ClientMessage>, ()> {
        loop {
            let (header, payload) = match std::mem::take(&mut self.stage) {
                Stage::Header => {
                    let Some(header) = self.input.take(Header::LEN, Header::from_client) else {
                        return Ok(None);
                    };
                    self.stage = Stage::Payload(header.map_err(drop)?);
                    continue;
                }
                Stage::Payload(header) => {
                    let length = usize::try_from(header.length).map_err(drop)?;
                    self.input.expect(length);
                    let Some(payload) = self.input.take(length, <[u8]>::to_vec) else {
                        self.stage = Stage::Payload(header);
                        return Ok(None);
                    };
                    if header.fd_count > 0 {
                        self.stage = Stage::Descriptors(header, payload);
                        continue;
                    }
                    (header, payload)
                }
                Stage::Descriptors(header, payload) => {
                    if self.input.take(1, |_| ()).is_none() {
                        self.stage = Stage::Descriptors(header, payload);
                        return Ok(None);
                    }
                    (header, payload)
                }
            };
            return ClientMessage::decode(&header, &payload).map(Some).map_err(drop);
        }
    }
}
