// SPDX-License-Identifier: GPL-2.0-only
//! Applications come, get what they are to have, and go.
//!
//! An application makes two connections and introduces itself on both; they belong together by the process id
//! that the kernel vouches for. From then on everything that it is asked follows from the planner.

use std::time::{Duration, Instant};

use lttng_protocol::ust::command::{Bytecode, Command, EventRule, TracerVersion, exclusion_payload};
use lttng_protocol::ust::registration::{Registration, SocketKind};

use super::{Daemon, Role};
use crate::model::{ChannelId, RuleId, Session, SessionId};
use crate::output::{ConnId, ConsumerKind, Output};
use crate::sys::socket::Credentials;
use crate::ust::app::{Answer, App, AppId, Cause, ListingId, Nonsense, Outgoing};
use crate::ust::buffers::{BuffersKey, Owner};
use crate::ust::listing::ListingKind;
use crate::ust::mirror::{Request, SessionMirror};
use crate::ust::planner::{BufferState, Desired, plan};

/// How long an application's `main` is held back while sessions get hold of it. It starts by itself after 3 s
/// (`LTTNG_UST_REGISTER_TIMEOUT`), so this must be less.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(2500);
/// How long a connection may take to introduce itself, and to find its counterpart, when the time that
/// applications are given has no limit.
const INTRODUCTION_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to the applications' socket that is not part of an application yet.
#[derive(Debug)]
pub struct PendingApplication {
    credentials: Credentials,
    input: Vec<u8>,
    /// What it said, if this is a command connection that waits for its notify connection.
    registration: Option<Registration>,
    pub(super) deadline: Instant,
}

impl Daemon {
    /// Whether there is room for another application of this user.
    pub(super) fn application_accepted(&mut self, conn: ConnId, credentials: Credentials) -> bool {
        if credentials.pid == 0 {
            log::warn!("Refused an application whose process is not visible from here");
            return false;
        }
        let (all, one) = self.settings.application_quota;
        let of_user = |other: &Credentials| other.uid == credentials.uid;
        let registered = self.apps.values().map(|app| &app.credentials);
        let pending = self.unregistered.values().map(|pending| &pending.credentials);
        let known = self.apps.len().saturating_mul(2).saturating_add(self.unregistered.len());
        // Below the smaller limit there is nothing to count.
        let over = known >= all.saturating_mul(2)
            || (known >= one
                && registered.filter(|other| of_user(other)).count().saturating_mul(2)
                    + pending.filter(|other| of_user(other)).count()
                    >= one.saturating_mul(2));
        if over {
            log::error!("Exhausted file descriptors allowed for applications of user {}.", credentials.uid);
            return false;
        }
        let limit = self.settings.application_timeout.unwrap_or(INTRODUCTION_TIMEOUT);
        let deadline = self.after(limit);
        let pending = PendingApplication { credentials, input: Vec::new(), registration: None, deadline };
        self.unregistered.insert(conn, pending);
        true
    }

    pub(super) fn registration_received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(pending) = self.unregistered.get_mut(&conn) else { return };
        pending.input.extend_from_slice(bytes);
        if pending.input.len() < Registration::LEN {
            return;
        }
        // No application says more than this before it is asked.
        match Registration::decode(&pending.input) {
            Ok(registration) if pending.registration.is_none() => self.introduced(conn, registration),
            _ => {
                log::warn!("Process {} did not register as an application does", pending.credentials.pid);
                self.unregistered.remove(&conn);
                self.close(conn);
            }
        }
    }

    fn introduced(&mut self, conn: ConnId, registration: Registration) {
        let Some(pending) = self.unregistered.get_mut(&conn) else { return };
        let pid = pending.credentials.pid;
        if registration.socket == SocketKind::Command {
            pending.input = Vec::new();
            pending.registration = Some(registration);
            return;
        }
        self.unregistered.remove(&conn);
        let mut candidates = self.unregistered.iter().rev();
        let partner = candidates
            .find(|(_, other)| other.credentials.pid == pid && other.registration.is_some())
            .map(|(&partner, _)| partner);
        let Some((command, known)) =
            partner.and_then(|partner| Some((partner, self.unregistered.remove(&partner)?)))
        else {
            log::warn!("Notify connection of process {pid} without a command connection");
            self.close(conn);
            return;
        };
        if let Some(registration) = known.registration {
            self.registered([command, conn], known.credentials, registration);
        }
    }

    fn registered(&mut self, conns: [ConnId; 2], credentials: Credentials, registration: Registration) {
        let [command, notify] = conns;
        let id = AppId(command);
        log::debug!(
            "Application {} ({}, user {}, {} bits) registered",
            credentials.pid,
            registration.name,
            credentials.uid,
            registration.bits_per_long
        );
        // It can be listed. Whoever wonders why it is not recorded finds the reason here.
        let kind = ConsumerKind::for_bits(registration.bits_per_long);
        if !self.consumers.contains_key(&kind) {
            log::warn!("Application {} can't be recorded: there is no {}", credentials.pid, kind.name());
        }
        let release_by = self.after(RELEASE_TIMEOUT);
        let mut app = App::new(conns, credentials, registration, self.wall, release_by);
        app.send_root(Command::TracerVersion, Cause::TracerVersion, self.now, &mut self.outputs);
        self.apps.insert(id, Box::new(app));
        self.watch(id);
        self.held_back.insert(id);
        self.roles.insert(command, Role::Application(id));
        self.roles.insert(notify, Role::Notify(id));
        self.outputs.push(Output::ReadFirst { conn: notify, first: command });
        self.touch(id);
    }

    pub(super) fn application_received(&mut self, id: AppId, bytes: &[u8]) {
        let Some(app) = self.apps.get_mut(&id) else { return };
        app.received(bytes);
        loop {
            let Some(app) = self.apps.get_mut(&id) else { return };
            let step = app.next_answer(self.now).and_then(|answer| match answer {
                Some(answer) => self.application_answered(id, &answer).map(|()| true),
                None => Ok(false),
            });
            match step {
                Ok(true) => {}
                Ok(false) => break,
                Err(Nonsense(what)) => {
                    self.drop_application(id, what);
                    return;
                }
            }
        }
        let Some(app) = self.apps.get_mut(&id) else { return };
        if !app.owes_answers() {
            self.watched.remove(&id);
        }
        if app.lagging {
            log::info!("Application {} answers again", app.credentials.pid);
            app.lagging = false;
        }
        self.touch(id);
    }

    fn application_answered(&mut self, id: AppId, answer: &Answer) -> Result<(), Nonsense> {
        self.attention.answered(self.now);
        let Some(app) = self.apps.get_mut(&id) else { return Ok(()) };
        let (now, pid) = (self.now, app.credentials.pid);
        match answer.cause {
            Cause::TracerVersion => {
                // It can be traced without; only the metadata says less.
                let unknown = TracerVersion { major: 0, minor: 0, patchlevel: 0 };
                app.tracer = Some(answer.reply.tracer_version().unwrap_or(unknown));
            }
            Cause::RegisterDone => {}
            Cause::Session(session, request) => {
                let code = answer.reply.code;
                let value = if code == 0 { Ok(answer.reply.value) } else { Err(code) };
                if code != 0 {
                    log::warn!("Application {pid} answered {request:?} with error {code}");
                }
                if let Some(mirror) = app.mirrors.get_mut(&session) {
                    mirror.answered(request, value);
                }
            }
            Cause::Listing(listing, _, step) => {
                app.list_further(listing, step, answer, now, &mut self.outputs)?;
            }
        }
        Ok(())
    }

    /// Closes both connections of an application. It may come back at once as a new one.
    pub(super) fn drop_application(&mut self, id: AppId, why: &str) {
        self.remove_application(id, why);
        self.close(id.0);
    }

    /// Forgets an application whose command connection is gone.
    pub(super) fn remove_application(&mut self, id: AppId, why: &str) {
        let Some(app) = self.apps.remove(&id) else { return };
        log::debug!("Application {} is gone: {why}", app.credentials.pid);
        self.close(app.notify);
        self.watched.remove(&id);
        self.held_back.remove(&id);
        self.dirty.remove(&id);
        self.changed = true;
        let private = self.buffers.keys().filter(|key| key.owner == Owner::Application(id));
        for key in private.copied().collect::<Vec<_>>() {
            self.retire_buffers(key);
        }
    }

    /// Starts a listing in an application. Returns whether it is there and can answer.
    pub(crate) fn list_application(&mut self, id: AppId, listing: ListingId, kind: ListingKind) -> bool {
        let Some(app) = self.apps.get_mut(&id).filter(|app| !app.lagging) else { return false };
        app.list(listing, kind, self.now, &mut self.outputs);
        self.watch(id);
        true
    }

    /// Asks an application for all that the planner finds missing, and lets its `main` run once it has
    /// everything, or has had time enough.
    pub(super) fn synchronise(&mut self, id: AppId) {
        let Some(app) = self.apps.get(&id) else { return };
        if app.lagging {
            return;
        }
        let mut sessions: Vec<SessionId> = self.model.iter().map(|session| session.id).collect();
        sessions.extend(app.mirrors.keys().filter(|&&id| self.model.get(id).is_none()));
        let mut waiting = false;
        for session in sessions {
            waiting |= self.synchronise_session(id, session);
        }
        let Some(app) = self.apps.get_mut(&id) else { return };
        if !app.released && (!waiting || self.now >= app.release_by) {
            app.released = true;
            self.held_back.remove(&id);
            app.send_root(Command::RegisterDone, Cause::RegisterDone, self.now, &mut self.outputs);
            self.watch(id);
        }
    }

    /// Returns whether something is still to come that a new application should have first.
    fn synchronise_session(&mut self, id: AppId, session: SessionId) -> bool {
        self.make_buffers(id, session);
        let scheme = self.model.get(session).map(Session::scheme).unwrap_or_default();
        let Some(app) = self.apps.get_mut(&id) else { return false };
        let key = app.buffers_key(session, scheme);
        let buffers = self.buffers.get(&key);
        let state = |channel: ChannelId| match buffers {
            // It had buffers of its own before, and will have new ones when those are given up.
            Some(buffers) if buffers.retired => BufferState::Pending,
            Some(buffers) => buffers.state(channel),
            // Its tracer's version is needed first, or it can't be served.
            None if app.tracer.is_none() => BufferState::Pending,
            None => BufferState::Failed,
        };
        let Credentials { pid, uid, gid } = app.credentials;
        let follows = |session: &&Session| !session.destroyed && session.follows(pid, uid, gid);
        let wanted = self.model.get(session).filter(follows);
        let desired = match wanted {
            None => Desired::Nothing,
            Some(session) if session.active => {
                Desired::Recording { channels: session.channels(), buffers: &state }
            }
            Some(_) => Desired::Stopped,
        };
        let none = SessionMirror::default();
        let plan = plan(desired, app.mirrors.get(&session).unwrap_or(&none));
        if plan.requests.is_empty() && !plan.waiting && !app.mirrors.contains_key(&session) {
            return false;
        }
        let waiting = plan.waiting;
        for request in plan.requests {
            self.ask_application(id, key, request);
        }
        let Some(app) = self.apps.get_mut(&id) else { return false };
        let mirror = app.mirrors.or_default(session);
        mirror.waiting = waiting;
        if *mirror == none {
            app.mirrors.remove(&session);
            self.untraced(id, key);
        }
        waiting
    }

    /// Has every application that records a session record its state again.
    pub(crate) fn regenerate_statedump(&mut self, session: SessionId) {
        let scheme = self.model.get(session).map(Session::scheme).unwrap_or_default();
        let records = |app: &App| app.mirrors.get(&session).is_some_and(|mirror| mirror.enabled);
        let recording = self.apps.iter().filter(|(_, app)| !app.lagging && records(app));
        let keys: Vec<_> = recording.map(|(&id, app)| (id, app.buffers_key(session, scheme))).collect();
        for (id, key) in keys {
            self.ask_application(id, key, Request::RecordState);
        }
    }

    /// An application has nothing of a session any more: buffers that only it had are given up.
    fn untraced(&mut self, id: AppId, key: BuffersKey) {
        let live = self.buffers.get(&key).is_some_and(|buffers| !buffers.retired);
        if live && key.owner == Owner::Application(id) && self.model.get(key.session).is_some() {
            self.retire_buffers(key);
        }
    }

    fn ask_application(&mut self, id: AppId, key: BuffersKey, request: Request) {
        let Some(outgoing) = self.translate(id, key, request) else {
            log::error!("Internal error: {request:?} can't be sent");
            return;
        };
        let Some(app) = self.apps.get_mut(&id) else { return };
        app.mirrors.or_default(key.session).sent(request);
        app.send(outgoing, Cause::Session(key.session, request), self.now, &mut self.outputs);
        if let (Request::AddStream(channel, number), Owner::Application(_)) = (request, key.owner)
            && let Some(buffers) = self.buffers.get_mut(&key)
        {
            buffers.stream_given_away(channel, number);
        }
        self.watch(id);
    }

    /// A request about a session as an application takes it.
    fn translate(&self, id: AppId, key: BuffersKey, request: Request) -> Option<Outgoing> {
        let none = SessionMirror::default();
        let mirror = self.apps.get(&id)?.mirrors.get(&key.session).unwrap_or(&none);
        let channel = |id: ChannelId| mirror.channels.get(&id);
        let channel_handle = |id| channel(id)?.slot.handle();
        let rule_handle = |id, rule: RuleId| channel(id)?.rules.get(&rule)?.slot.handle();
        let handed_over = |channel| self.buffers.get(&key)?.handed_over(channel);
        let switch = |on: bool| if on { Command::Enable } else { Command::Disable };
        let mut payload = Vec::new();
        let mut descriptors = Vec::new();
        let (handle, command) = match request {
            Request::CreateSession => (0, Command::Session),
            Request::WaitQuiescent => (0, Command::WaitQuiescent),
            Request::RecordState => (mirror.slot.handle()?, Command::SessionStatedump),
            Request::CreateChannel(id) => {
                let buffers = handed_over(id)?;
                payload.clone_from(&buffers.object);
                descriptors.push(buffers.wake_up.clone());
                (mirror.slot.handle()?, Command::Channel { len: buffers.object.len() as u64 })
            }
            Request::AddStream(id, number) => {
                let stream = handed_over(id)?.streams.get(number as usize)?;
                descriptors.extend(stream.descriptors.iter().cloned());
                (channel_handle(id)?, Command::Stream { len: stream.size, nr: stream.number })
            }
            Request::AddContext(id, at) => {
                let context = self.model.get(key.session)?.channel(id)?.contexts.get(at)?;
                (channel_handle(id)?, Command::Context(context.clone()))
            }
            Request::CreateRule(id, rule) => {
                let rule = rule_of(self.model.get(key.session)?, id, rule)?;
                let description = EventRule { name: rule.name.clone(), loglevel: rule.loglevel, token: 0 };
                (channel_handle(id)?, Command::Event(description))
            }
            Request::SetFilter(id, number) => {
                let filter = rule_of(self.model.get(key.session)?, id, number)?.filter.as_ref()?;
                payload.clone_from(&filter.bytecode);
                let data_size = u32::try_from(filter.bytecode.len()).ok()?;
                let (reloc_offset, seqnum) = (filter.reloc_offset, filter.seqnum);
                (rule_handle(id, number)?, Command::Filter(Bytecode { data_size, reloc_offset, seqnum }))
            }
            Request::SetExclusions(id, number) => {
                let names = &rule_of(self.model.get(key.session)?, id, number)?.exclusions;
                payload = exclusion_payload(names);
                (rule_handle(id, number)?, Command::Exclusion { count: u32::try_from(names.len()).ok()? })
            }
            Request::SwitchRule(id, rule, on) => (rule_handle(id, rule)?, switch(on)),
            Request::SwitchChannel(id, on) => (channel_handle(id)?, switch(on)),
            Request::SwitchSession(on) => (mirror.slot.handle()?, switch(on)),
            Request::ReleaseRule(id, rule) => (rule_handle(id, rule)?, Command::Release),
            Request::ReleaseChannel(id) => (channel_handle(id)?, Command::Release),
            Request::ReleaseSession => (mirror.slot.handle()?, Command::Release),
        };
        Some(Outgoing { handle, command, payload, descriptors })
    }
}

fn rule_of(session: &Session, channel: ChannelId, rule: RuleId) -> Option<&crate::model::EventRule> {
    session.channel(channel)?.rules.iter().find(|candidate| candidate.id == rule)
}
