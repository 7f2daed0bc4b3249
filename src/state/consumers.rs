// SPDX-License-Identifier: GPL-2.0-only
//! The consumer daemons as the rest of the daemon sees them: started when needed, asked, and missed when they die. Then
//! what sessions had there is lost, and the next session that needs one has another one started. The two must never be
//! taken for one another: whatever refers to one says which ([`ConsumerId`]), or is forgotten when it dies.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use log::Level;

use lttng_protocol::consumer::{Status, UstRequest};

use super::{Role, State};
use crate::consumer::metadata::{Asked, MetadataTalk, Piece};
use crate::consumer::purpose::Purpose;
use crate::consumer::request::Request;
use crate::consumer::verb::Tracer;
use crate::consumer::{Broken, Consumer, Event, Outcome, State as ConsumerState, Tail};
use crate::sys::socket::Credentials;
use crate::turn::Answered;
use crate::turn::attempts::Attempts;
use crate::turn::errand::{Errand, Listener};
use crate::turn::facts::Fact;
use crate::turn::ids::{BuffersKey, ConnId, ConsumerId, ConsumerKind, Requester, SessionId};
use crate::turn::machine::Attached;
use crate::turn::messages::Topic;
use crate::turn::output::{Output, SharedFd};
use crate::turn::timers::Timer;
use crate::ust::obstacle::Obstacle;

/// How many starts may fail, and in which time, before no more are tried for as long.
const ATTEMPTS: (usize, Duration) = (3, Duration::from_secs(60));

/// Whether user space can be traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// A consumer daemon is on its way.
    Pending,
    /// This one can't be started.
    Failed(ConsumerKind),
    /// One died while the command waited.
    Lost,
}

/// The consumer daemons.
#[derive(Debug)]
pub struct Consumers {
    pub(super) all: BTreeMap<ConsumerKind, Consumer<Purpose>>,
    attempts: BTreeMap<ConsumerKind, Attempts>,
    /// The clients whose commands wait, and what is to be told them. A command ends with the first consumer daemon that
    /// it loses, or it would start one after the other.
    askers: BTreeMap<Requester, Option<Readiness>>,
    /// The daemon ends: no more are started.
    over: bool,
}

impl Consumers {
    /// These, of which none is started.
    pub(super) fn new(consumers: impl Iterator<Item = Consumer<Purpose>>) -> Self {
        let all: BTreeMap<ConsumerKind, _> =
            consumers.map(|consumer| (consumer.id().kind, consumer)).collect();
        let (limit, period) = ATTEMPTS;
        let attempts = all.keys().map(|&kind| (kind, Attempts::new(limit, period))).collect();
        Consumers { all, attempts, askers: BTreeMap::new(), over: false }
    }

    pub(super) fn forget_asker(&mut self, asker: Requester) {
        self.askers.remove(&asker);
    }

    /// Those who wait have lost one. The first is told that it could not be started, if that is what happened.
    fn tell_askers(&mut self, failed_start: Option<ConsumerKind>) {
        let mut first = failed_start.map(Readiness::Failed);
        for told in self.askers.values_mut().filter(|told| told.is_none()) {
            *told = Some(first.take().unwrap_or(Readiness::Lost));
        }
    }

    fn is_ready(&self, id: ConsumerId) -> bool {
        let current = self.all.get(&id.kind).filter(|consumer| consumer.id() == id);
        current.is_some_and(|consumer| consumer.state() == ConsumerState::Ready)
    }

    /// What is said with one of this kind about metadata.
    fn metadata_talk(&mut self, kind: ConsumerKind) -> Option<&mut MetadataTalk> {
        self.all.get_mut(&kind)?.metadata.as_mut()
    }

    /// The one of this kind, if it is the one that is meant.
    fn current(&mut self, id: ConsumerId) -> Option<&mut Consumer<Purpose>> {
        self.all.get_mut(&id.kind).filter(|consumer| consumer.id() == id)
    }
}

impl State {
    /// Whether every configured consumer daemon of applications is in service, for a command that is asked by `asker`.
    /// Starts those that are not; what comes of that is told when it asks again.
    pub fn want_consumers(&mut self, asker: Requester) -> Readiness {
        let configured = |kind: &ConsumerKind| self.consumers.all.contains_key(kind);
        let kinds: Vec<ConsumerKind> = ConsumerKind::USER_SPACE.into_iter().filter(configured).collect();
        self.want(asker, &kinds)
    }

    /// The same for the one of the kernel.
    pub fn want_kernel_consumer(&mut self, asker: Requester) -> Readiness {
        self.want(asker, &[ConsumerKind::Kernel])
    }

    fn want(&mut self, asker: Requester, kinds: &[ConsumerKind]) -> Readiness {
        let told = self.consumers.askers.entry(asker).or_default();
        if let Some(told) = told.take() {
            self.consumers.askers.remove(&asker);
            return told;
        }
        let mut readiness = Readiness::Ready;
        for &kind in kinds {
            match self.want_consumer(kind) {
                Readiness::Ready => {}
                Readiness::Pending => readiness = Readiness::Pending,
                failed => {
                    self.consumers.askers.remove(&asker);
                    return failed;
                }
            }
        }
        readiness
    }

    fn want_consumer(&mut self, kind: ConsumerKind) -> Readiness {
        let now = self.turn.now;
        let Some(consumer) = self.consumers.all.get_mut(&kind) else { return Readiness::Failed(kind) };
        match consumer.state() {
            ConsumerState::Ready => return Readiness::Ready,
            ConsumerState::Idle | ConsumerState::Lost => {}
            ConsumerState::Starting { .. }
            | ConsumerState::Greeting { .. }
            | ConsumerState::Leaving { .. } => return Readiness::Pending,
        }
        if self.consumers.over {
            return Readiness::Lost;
        }
        if !self.consumers.attempts.get_mut(&kind).is_some_and(|attempts| attempts.may_try(now)) {
            let text = format_args!(
                "The {} has failed to start too often: it is left alone for a while",
                kind.name()
            );
            self.turn.say(Level::Error, Topic::Consumer, None, text);
            return Readiness::Failed(kind);
        }
        if consumer.pid().is_some() {
            consumer.leave(now, false);
            self.turn.timers.arrange(Timer::Consumer(kind), consumer.deadline());
        } else {
            self.start_consumer(kind);
        }
        Readiness::Pending
    }

    fn start_consumer(&mut self, kind: ConsumerKind) {
        let Some(consumer) = self.consumers.all.get_mut(&kind) else { return };
        if consumer.state() != ConsumerState::Idle {
            *consumer = consumer.successor();
        }
        consumer.start(self.turn.now, &mut self.turn.outputs);
        self.turn.timers.arrange(Timer::Consumer(kind), consumer.deadline());
    }

    /// Whether a consumer daemon died that a session records with: what it had there is lost, and it records no more.
    pub fn lost_consumer(&self, session: SessionId) -> bool {
        let session = self.sessions.get(session);
        session.is_some_and(|session| {
            session.recording.consumers().iter().any(|&consumer| !self.consumers.is_ready(consumer))
        })
    }

    /// The same for the consumer daemons of one tracer.
    pub fn lost_consumer_of(&self, session: SessionId, tracer: Tracer) -> bool {
        let consumers = self.sessions.get(session).map_or(&[][..], |session| session.recording.consumers());
        let mut consumers = consumers.iter().filter(|consumer| Tracer::of(consumer.kind) == tracer);
        consumers.any(|&consumer| !self.consumers.is_ready(consumer))
    }

    /// The consumer daemons that a session records with, as far as they live.
    pub fn consumers_of(&self, session: SessionId) -> Vec<ConsumerId> {
        let consumers = self.sessions.get(session).map_or(&[][..], |session| session.recording.consumers());
        consumers.iter().copied().filter(|&consumer| self.consumers.is_ready(consumer)).collect()
    }

    /// The consumer daemons in service that a session needs, for its domains.
    pub fn consumers_for(&self, session: SessionId) -> Vec<ConsumerId> {
        let Some(session) = self.sessions.get(session) else { return Vec::new() };
        let needed = |kind| match Tracer::of(kind) {
            Tracer::UserSpace => session.wanted.ust.is_some(),
            Tracer::Kernel => session.wanted.kernel.is_some(),
        };
        self.ready_consumers().into_iter().filter(|consumer| needed(consumer.kind)).collect()
    }

    /// The consumer daemons in service.
    pub fn ready_consumers(&self) -> Vec<ConsumerId> {
        let all = self.consumers.all.values().map(Consumer::id);
        all.filter(|&consumer| self.consumers.is_ready(consumer)).collect()
    }

    /// Asks a consumer daemon. False if there is none; otherwise the outcome comes later, in any case.
    #[must_use]
    pub fn ask_consumer(
        &mut self,
        consumer: ConsumerId,
        request: impl Into<Request>,
        tail: Tail,
        purpose: Purpose,
    ) -> bool {
        let Some(consumer) = self.consumers.current(consumer) else { return false };
        consumer.ask(request.into(), tail, purpose, self.turn.now, &mut self.turn.outputs).is_ok()
    }

    /// Asks the consumer daemon of this kind that there is now, about what it has told us itself.
    #[must_use]
    pub(super) fn ask_current(
        &mut self,
        kind: ConsumerKind,
        request: impl Into<Request>,
        tail: Tail,
        purpose: Purpose,
    ) -> bool {
        let current = self.consumers.all.get(&kind).map(Consumer::id);
        current.is_some_and(|consumer| self.ask_consumer(consumer, request, tail, purpose))
    }

    /// A consumer daemon was started as this process, or could not be.
    pub(super) fn consumer_spawned(&mut self, id: ConsumerId, result: io::Result<i32>) {
        match (result, self.consumers.current(id)) {
            (Ok(pid), Some(consumer)) => consumer.spawned(pid),
            (Ok(pid), None) => self.turn.outputs.push(Output::Kill(pid)),
            (Err(error), Some(_)) => {
                self.turn.say(
                    Level::Error,
                    Topic::Consumer,
                    None,
                    format_args!("Can't start the {}: {error}", id.kind.name()),
                );
                self.consumer_lost(id.kind, "it can't be started");
            }
            (Err(_), None) => {}
        }
    }

    /// One of the connections to a consumer daemon is being made, or can't be.
    pub(super) fn consumer_connecting(
        &mut self,
        errand: Errand,
        (id, role): (ConsumerId, Role),
        result: io::Result<ConnId>,
    ) {
        let consumer = self.consumers.current(id);
        match result {
            Ok(conn) => {
                if consumer.is_some_and(|consumer| consumer.connecting(errand, conn)) {
                    self.roles.insert(conn, role);
                } else {
                    self.turn.outputs.push(Output::Close(conn));
                }
            }
            Err(error) if consumer.is_some() => self.consumer_unreachable(id.kind, &error),
            Err(_) => {}
        }
    }

    /// One of the connections to a consumer daemon is there, or could not be made.
    pub(super) fn consumer_connected(&mut self, kind: ConsumerKind, conn: ConnId, result: io::Result<()>) {
        match (result, self.consumers.all.get_mut(&kind)) {
            (Ok(()), Some(consumer)) => consumer.connected(conn, &mut self.turn.outputs),
            (Ok(()), None) => {}
            (Err(error), _) => self.consumer_unreachable(kind, &error),
        }
    }

    /// The pipe for a consumer daemon's samples was made, or can't be.
    pub(super) fn samples_piped(&mut self, id: ConsumerId, result: io::Result<(ConnId, SharedFd)>) {
        let kind = id.kind;
        let (monitor, samples) = match result {
            Ok(pipe) => pipe,
            Err(_) if self.consumers.current(id).is_none() => return,
            Err(error) => return self.consumer_unreachable(kind, &error),
        };
        let (uuid, now) = (self.settings.uuid, self.turn.now);
        if let Some(consumer) = self.consumers.current(id)
            && consumer.greet(monitor, samples, uuid, now, &mut self.turn.outputs)
        {
            self.turn.timers.arrange(Timer::Consumer(kind), consumer.deadline());
            self.roles.insert(monitor, Role::ConsumerMonitor(kind));
        } else {
            self.turn.outputs.push(Output::Close(monitor));
        }
    }

    /// What is still missing can't be made. What there is already is closed.
    fn consumer_unreachable(&mut self, kind: ConsumerKind, error: &io::Error) {
        self.turn.say(
            Level::Error,
            Topic::Consumer,
            None,
            format_args!("Can't connect to the {}: {error}", kind.name()),
        );
        self.consumer_lost(kind, "it can't be connected to");
    }

    /// Input: a child process has ended.
    pub fn child_ended(&mut self, pid: i32) {
        self.helper_ended(pid);
        let mut consumers = self.consumers.all.iter_mut();
        let Some((&kind, consumer)) = consumers.find(|(_, consumer)| consumer.pid() == Some(pid)) else {
            return;
        };
        consumer.reaped();
        self.turn.changed = true;
        if matches!(consumer.state(), ConsumerState::Leaving { .. }) && !self.consumers.over {
            self.start_consumer(kind);
        } else {
            self.consumer_lost(kind, "its process ended");
        }
    }

    /// Input: somebody connected to the error socket of a consumer daemon.
    pub fn consumer_error_connected(&mut self, kind: ConsumerKind, conn: ConnId, credentials: Credentials) {
        let consumer = self.consumers.all.get_mut(&kind).filter(|_| credentials.uid == self.settings.uid);
        if consumer.is_some_and(|consumer| consumer.error_connected(conn)) {
            self.roles.insert(conn, Role::ConsumerError(kind));
        } else {
            self.turn.outputs.push(Output::Close(conn));
        }
    }

    /// A consumer daemon did not start in time, or did not end in time.
    pub(super) fn expire_consumer(&mut self, kind: ConsumerKind) {
        let now = self.turn.now;
        let Some(consumer) = self.consumers.all.get_mut(&kind) else { return };
        let pid = consumer.pid();
        match consumer.state() {
            ConsumerState::Leaving { killed: false, .. } => {
                consumer.leave(now, true);
                self.turn.timers.arrange(Timer::Consumer(kind), consumer.deadline());
            }
            ConsumerState::Leaving { .. } => self.consumer_lost(kind, "the one before it can't be ended"),
            _ => self.consumer_lost(kind, "it did not start in time"),
        }
        pid.into_iter().for_each(|pid| self.turn.outputs.push(Output::Kill(pid)));
    }

    /// The processes of consumer daemons that run.
    pub fn running_consumers(&self) -> Vec<i32> {
        self.consumers.all.values().filter_map(Consumer::pid).collect()
    }

    pub(super) fn consumer_error_received(&mut self, kind: ConsumerKind, bytes: &[u8]) {
        let Some(consumer) = self.consumers.all.get_mut(&kind) else { return };
        if let Err(Broken(why)) = consumer.error_received(bytes, &mut self.turn.outputs) {
            self.consumer_lost(kind, why);
        }
    }

    pub(super) fn consumer_command_received(&mut self, kind: ConsumerKind, bytes: &[u8], attached: Attached) {
        let Some(consumer) = self.consumers.all.get_mut(&kind) else { return };
        match consumer.command_received(bytes, attached, self.turn.now, &mut self.turn.outputs) {
            Ok(events) => {
                for event in events {
                    match event {
                        Event::Ready => {
                            log::debug!("The {} is in service", kind.name());
                            self.turn.timers.clear(Timer::Consumer(kind));
                            self.turn.facts.push(Fact::ConsumerReady(kind));
                        }
                        Event::Done(purpose, outcome) => self.consumer_answered(purpose, outcome),
                    }
                }
                self.turn.changed = true;
            }
            Err(Broken(why)) => self.consumer_lost(kind, why),
        }
    }

    pub(super) fn consumer_metadata_received(&mut self, kind: ConsumerKind, bytes: &[u8]) {
        let mut bytes = bytes;
        loop {
            let Some(talk) = self.consumers.metadata_talk(kind) else { return };
            let asked = talk.received(bytes, &mut self.turn.outputs);
            bytes = &[];
            match asked {
                Ok(None) => return,
                Ok(Some(Asked::Request(request))) => {
                    let piece = self.metadata_wanted(request.key);
                    if let Some(talk) = self.consumers.metadata_talk(kind) {
                        talk.answer(piece, &mut self.turn.outputs);
                    }
                }
                Ok(Some(Asked::Delivered { key, end, version })) => {
                    let key = self.buffers.with_metadata_key(key);
                    if let Some(buffers) = key.and_then(|key| self.buffers.get_mut(&key)) {
                        buffers.delivered_up_to(end, version);
                    }
                }
                Err(Broken(why)) => {
                    self.consumer_lost(kind, why);
                    return;
                }
            }
        }
    }

    /// A consumer daemon is gone: whoever waits for it gets told, what it held is given up.
    pub(super) fn consumer_lost(&mut self, kind: ConsumerKind, why: &'static str) {
        let Some(consumer) = self.consumers.all.get_mut(&kind) else { return };
        if matches!(consumer.state(), ConsumerState::Lost | ConsumerState::Idle) {
            return;
        }
        let started = consumer.state() == ConsumerState::Ready;
        let id = consumer.id();
        let orphans = consumer.lose(&mut self.turn.outputs);
        if !started && let Some(attempts) = self.consumers.attempts.get_mut(&kind) {
            attempts.failed(self.turn.now);
        }
        self.consumers.tell_askers((!started).then_some(kind));
        self.forget_links_of(kind);
        self.turn.timers.clear(Timer::Consumer(kind));
        self.turn.facts.push(Fact::ConsumerLost(kind, why));
        self.roles.retain(|_, role| role.consumer() != Some(kind));
        for purpose in orphans {
            self.consumer_answered(purpose, Outcome::Lost);
        }
        for key in self.buffers.keys().copied().collect::<Vec<_>>() {
            if let Some(buffers) = self.buffers.get_mut(&key).filter(|buffers| buffers.consumer == id) {
                buffers.fail(Obstacle::ConsumerLost);
            }
        }
        if kind == ConsumerKind::Kernel {
            self.forget_handovers();
        }
        self.touch_all_applications();
    }

    /// The daemon begins to end. Those that run are needed for what is left to be done; who misses one misses it.
    pub fn start_no_more_consumers(&mut self) {
        self.consumers.over = true;
    }

    /// Ends all consumer daemons: they leave when their connections close.
    pub fn lose_all_consumers(&mut self) {
        let kinds: Vec<ConsumerKind> = self.consumers.all.keys().copied().collect();
        for kind in kinds {
            self.consumer_lost(kind, "the session daemon ends");
            self.turn.outputs.push(Output::StopListening(Listener::ConsumerError(kind)));
        }
    }

    fn metadata_wanted(&mut self, key: u64) -> Option<Piece> {
        // No two metadata channels have the same key, whichever consumer daemon has them.
        let buffers = self.buffers.with_metadata_key(key)?;
        let buffers = self.buffers.get_mut(&buffers)?;
        let version = buffers.version();
        let (offset, text) = buffers.undelivered();
        Some(Piece { key, offset, text: text.to_vec(), version })
    }

    fn consumer_answered(&mut self, purpose: Purpose, outcome: Outcome) {
        self.turn.changed = true;
        let now = self.turn.now;
        let succeeded = matches!(outcome, Outcome::Status(0));
        match purpose {
            Purpose::Nothing => {}
            Purpose::Relay(end) => self.relay_taken(end, succeeded),
            Purpose::Task(ticket) => self.turn.answered(ticket, answered(outcome)),
            Purpose::KernelHandover(session, part) => self.handed_over(session, part, &outcome),
            Purpose::Channel(key, channel) => {
                let made = channel_made(&outcome);
                match (self.buffers.get_mut(&key), made) {
                    (Some(buffers), made) => buffers.channel_made(channel, made.map(|_| ())),
                    (None, Ok(made)) => self.forget_channel(key, made),
                    (None, Err(_)) => {}
                }
            }
            Purpose::Handover(key, channel) => {
                let buffers = match outcome {
                    Outcome::Buffers(Ok(buffers)) => Ok(buffers),
                    outcome => {
                        let made = self.buffers.get(&key).and_then(|buffers| buffers.channel(channel));
                        if let Some(made) = made.map(|made| made.key) {
                            self.forget_channel(key, made);
                        }
                        Err(obstacle(&outcome))
                    }
                };
                if let Some(of) = self.buffers.get_mut(&key) {
                    of.channel_handed_over(channel, buffers);
                }
            }
            Purpose::Push(key) => {
                let buffers = self.buffers.get_mut(&key);
                if buffers.is_some_and(|buffers| buffers.pushed(succeeded, now)) {
                    self.tell_undescribed(key, obstacle(&outcome));
                }
            }
            Purpose::Metadata(key) => match (self.buffers.get_mut(&key), channel_made(&outcome)) {
                (Some(buffers), Ok(_)) => buffers.metadata_made(),
                (Some(_), Err(why)) => self.metadata_refused(key, why),
                (None, Ok(made)) => self.forget_channel(key, made),
                (None, Err(_)) => {}
            },
            Purpose::SetUpMetadata(key, channel) => match self.buffers.get_mut(&key) {
                Some(buffers) if succeeded => buffers.metadata_set_up(),
                Some(_) => self.metadata_refused(key, obstacle(&outcome)),
                None if succeeded => self.end_metadata(key, channel),
                None => {}
            },
        }
    }

    /// A channel was made that nobody will take: its session is gone by now, or it could not be handed over.
    fn forget_channel(&mut self, key: BuffersKey, channel: u64) {
        let kind = ConsumerKind::for_bits(key.bits);
        // If there is no consumer daemon any more, the channel is gone too.
        let _ =
            self.ask_current(kind, UstRequest::DestroyChannel { key: channel }, Tail::None, Purpose::Nothing);
    }

    /// A metadata channel was put to use for buffers that are gone by now.
    fn end_metadata(&mut self, key: BuffersKey, channel: u64) {
        let kind = ConsumerKind::for_bits(key.bits);
        let request = UstRequest::CloseMetadata { key: channel };
        let _ = self.ask_current(kind, request, Tail::None, Purpose::Nothing);
    }

    /// A consumer daemon would not make a metadata channel. It is asked again later, for another one.
    fn metadata_refused(&mut self, key: BuffersKey, why: Obstacle) {
        let (next, now) = (self.counters.consumer_key(), self.turn.now);
        if self.buffers.get_mut(&key).is_some_and(|buffers| buffers.metadata_refused(next, now)) {
            self.tell_undescribed(key, why);
        }
    }

    fn tell_undescribed(&mut self, key: BuffersKey, why: Obstacle) {
        let Some(session) = self.sessions.get(key.session).filter(|_| why != Obstacle::ConsumerLost) else {
            return;
        };
        let (of, session) = (self.owner_name(key), &session.wanted);
        self.turn.say(
            Level::Error,
            Topic::Buffers,
            Some(session.owner.uid),
            format_args!("Metadata of {of} in session {} can't be written for now: {why}", session.name),
        );
    }
}

/// The consumer daemon's number of a channel that it has made, or why it has not.
fn channel_made(outcome: &Outcome) -> Result<u64, Obstacle> {
    match outcome {
        Outcome::Channel(status) if status.code == 0 => Ok(status.key),
        outcome => Err(obstacle(outcome)),
    }
}

/// Why a consumer daemon did not do what it was asked for.
fn obstacle(outcome: &Outcome) -> Obstacle {
    match *outcome {
        Outcome::Lost => Obstacle::ConsumerLost,
        Outcome::Channel(status) => Obstacle::Refused(status.code),
        Outcome::Buffers(Err(status)) if Status(status) == Status::ERROR_RECV_FD => Obstacle::NoRoom,
        Outcome::Status(status) | Outcome::Buffers(Err(status)) | Outcome::Closed(status, _) => {
            Obstacle::Refused(status)
        }
        // No answers to what this is asked of.
        Outcome::Buffers(Ok(_)) | Outcome::DataPending(_) | Outcome::Count(_) => Obstacle::NoStreams,
    }
}

/// What a task is told.
fn answered(outcome: Outcome) -> Answered {
    match outcome {
        Outcome::Status(status) => Answered::Status(status),
        Outcome::Closed(status, path) => Answered::Closed(status, path),
        Outcome::DataPending(pending) => Answered::DataPending(pending),
        Outcome::Count(count) => Answered::Count(count),
        // No task makes channels.
        Outcome::Channel(_) | Outcome::Buffers(_) => Answered::Status(0),
        Outcome::Lost => Answered::Lost,
    }
}
