// SPDX-License-Identifier: GPL-2.0-only
//! Applications come, get what they are to have, and go.
//!
//! An application makes two connections and introduces itself on both; they belong together by the process, user and
//! group ids that the kernel vouches for. From then on everything that it is asked follows from the planner.

use std::time::Duration;

use log::Level;

use lttng_protocol::ust::command::{Bytecode, Command, EventRule, TracerVersion, exclusion_payload};
use lttng_protocol::ust::registration::Registration;

use super::{Role, State};
use crate::accounts::{Charge, Resource};
use crate::model::Session;
use crate::sys::socket::Credentials;
use crate::turn::facts::Fact;
use crate::turn::ids::{
    AppId, BuffersKey, ChannelId, ConnId, ConsumerKind, ListingId, Owner, RuleId, SessionId,
};
use crate::turn::messages::Topic;
use crate::turn::output::Output;
use crate::turn::timers::Timer;
use crate::ust::app::{Answer, App, Cause, Outgoing, Place};
use crate::ust::introduction::{Introduced, Introduction};
use crate::ust::listing::{ListingKind, Nonsense};
use crate::ust::mirror::{Request, SessionMirror};
use crate::ust::planner::{BufferState, Desired, plan};
use crate::ust::words;

/// How long an application's `main` is held back while sessions get hold of it. It starts by itself after 3 s
/// (`LTTNG_UST_REGISTER_TIMEOUT`), so this must be less.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(2500);
/// How long a connection may take to introduce itself, and to find its counterpart, when the time that
/// applications are given has no limit.
pub(super) const INTRODUCTION_TIMEOUT: Duration = Duration::from_secs(5);

impl State {
    /// Input: somebody connected to the applications' socket.
    pub fn application_connected(&mut self, conn: ConnId, credentials: Credentials) {
        let Some(charge) = self.room_for(&credentials) else {
            self.turn.outputs.push(Output::Close(conn));
            return;
        };
        let limit = self.settings.application_timeout.unwrap_or(INTRODUCTION_TIMEOUT);
        let deadline = self.turn.after(limit);
        self.turn.timers.set(Timer::Connection(conn), deadline);
        self.applications.unregistered.insert(conn, Introduction::new(credentials, charge));
        self.roles.insert(conn, Role::Unregistered);
    }

    /// Room for another connection of an application of this user, if there is any.
    fn room_for(&mut self, credentials: &Credentials) -> Option<Charge> {
        if credentials.pid == 0 {
            self.turn.say(
                Level::Warn,
                Topic::Registration,
                Some(credentials.uid),
                format_args!("Refused an application whose process is not visible from here"),
            );
            return None;
        }
        let charge = self.accounts.charge(credentials.uid, Resource::Applications, 1);
        if charge.is_err() {
            self.turn.say(
                Level::Error,
                Topic::Limits,
                Some(credentials.uid),
                format_args!(
                    "Exhausted file descriptors allowed for applications of user {}.",
                    credentials.uid
                ),
            );
        }
        charge.ok()
    }

    pub(super) fn introduction_received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(introduction) = self.applications.unregistered.get_mut(&conn) else { return };
        match introduction.received(bytes) {
            Introduced::Partly | Introduced::Command => {}
            Introduced::Notify => self.notify_introduced(conn),
            Introduced::Nonsense => {
                let Credentials { pid, uid, .. } = introduction.credentials;
                self.turn.say(
                    Level::Warn,
                    Topic::Registration,
                    Some(uid),
                    format_args!("Process {pid} did not register as an application does"),
                );
                self.forget_introduction(conn);
                self.close(conn);
            }
        }
    }

    pub(super) fn forget_introduction(&mut self, conn: ConnId) {
        self.take_introduction(conn);
    }

    fn take_introduction(&mut self, conn: ConnId) -> Option<Introduction> {
        self.turn.timers.clear(Timer::Connection(conn));
        self.applications.unregistered.remove(&conn)
    }

    /// A connection has said too little for too long.
    pub(super) fn expire_introduction(&mut self, conn: ConnId) {
        if self.take_introduction(conn).is_some() {
            log::debug!("A connection said too little for too long");
            self.close(conn);
        }
    }

    /// The second connection of a process is there; the first one must have come before.
    fn notify_introduced(&mut self, conn: ConnId) {
        let Some(introduction) = self.take_introduction(conn) else { return };
        let credentials = introduction.credentials;
        let mut candidates = self.applications.unregistered.iter().rev();
        // A process id alone may be another process's by now.
        let partner = candidates
            .find(|(_, other)| other.credentials == credentials && other.registration.is_some())
            .map(|(&partner, _)| partner);
        let Some((command, known)) =
            partner.and_then(|partner| Some((partner, self.take_introduction(partner)?)))
        else {
            let Credentials { pid, uid, .. } = credentials;
            self.turn.say(
                Level::Warn,
                Topic::Registration,
                Some(uid),
                format_args!("Notify connection of process {pid} without a command connection"),
            );
            self.close(conn);
            return;
        };
        if let Some(registration) = known.registration {
            let charges = [known.charge, introduction.charge];
            self.registered([command, conn], known.credentials, registration, charges);
        }
    }

    fn registered(
        &mut self,
        conns: [ConnId; 2],
        credentials: Credentials,
        registration: Registration,
        charges: [Charge; 2],
    ) {
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
        if !self.consumers.all.contains_key(&kind) {
            self.turn.say(
                Level::Warn,
                Topic::Unserved,
                Some(credentials.uid),
                format_args!(
                    "Application {} can't be recorded: there is no {}",
                    credentials.pid,
                    kind.name()
                ),
            );
        }
        // To charge nothing can't fail.
        let Ok(memory) = self.accounts.charge(credentials.uid, Resource::Memory, 0) else { return };
        let release_by = self.turn.after(RELEASE_TIMEOUT);
        let charges = (charges, memory);
        let mut app = App::new(conns, credentials, registration, charges, self.turn.wall, release_by);
        app.send_root(Command::TracerVersion, Cause::TracerVersion, self.turn.now, &mut self.turn.outputs);
        self.applications.all.insert(id, Box::new(app));
        self.watch(id);
        self.turn.timers.set(Timer::Release(id), release_by);
        self.roles.insert(command, Role::Application(id));
        self.roles.insert(notify, Role::Notify(id));
        // Its replies come before the notify requests that refer to them.
        self.turn.outputs.push(Output::ReadFirst { conn: notify, first: command });
        self.turn.outputs.push(Output::ReadWhenSent(notify));
        self.turn.facts.push(Fact::ApplicationCame(id));
        self.touch(id);
    }

    pub(super) fn application_received(&mut self, id: AppId, bytes: &[u8]) {
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        app.received(bytes);
        loop {
            let Some(app) = self.applications.all.get_mut(&id) else { return };
            let step = app.next_answer(self.turn.now).and_then(|answer| match answer {
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
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        if app.lagging {
            self.turn.say(
                Level::Info,
                Topic::Lagging,
                Some(app.credentials.uid),
                format_args!("Application {} answers again", app.credentials.pid),
            );
            app.lagging = false;
        }
        if !app.owes_answers() {
            if app.has_everything() {
                self.turn.facts.push(Fact::ApplicationConverged(id));
            }
            self.unwatch(id);
        }
        self.touch(id);
    }

    fn application_answered(&mut self, id: AppId, answer: &Answer) -> Result<(), Nonsense> {
        self.applications.attention.answered(self.turn.now);
        let Some(app) = self.applications.all.get_mut(&id) else { return Ok(()) };
        let Credentials { pid, uid, .. } = app.credentials;
        let now = self.turn.now;
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
                    self.turn.say(
                        Level::Warn,
                        Topic::Refusal,
                        Some(uid),
                        format_args!("Application {pid} answered {request:?} with error {code}"),
                    );
                }
                if let Some(mirror) = app.mirrors.get_mut(&session) {
                    mirror.answered(request, value);
                }
            }
            Cause::Listing(listing, _, step) => {
                app.list_further(listing, step, answer, now, &mut self.turn.outputs)?;
                if let Some(exhausted) = app.listings.get_mut(&listing).and_then(|listing| listing.cut.take())
                {
                    self.turn.say(
                        Level::Warn,
                        Topic::Limits,
                        Some(uid),
                        format_args!("The list of application {pid} is not taken whole: {exhausted}"),
                    );
                }
            }
        }
        Ok(())
    }

    /// Closes both connections of an application. It may come back at once as a new one.
    pub(super) fn drop_application(&mut self, id: AppId, why: &str) {
        self.remove_application(id, why);
        self.close(id.0);
    }

    /// So many bytes are held for an application. It is dropped when that is too much for its user.
    pub(super) fn hold_for_application(&mut self, id: AppId, place: Place, bytes: usize) {
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        if let Err(exhausted) = app.hold(place, bytes) {
            let Credentials { pid, uid, .. } = app.credentials;
            self.turn.say(
                Level::Warn,
                Topic::Limits,
                Some(uid),
                format_args!("Application {pid} makes the daemon hold too much: {exhausted}"),
            );
            self.drop_application(id, "it does not read what it is sent, or does not end what it sends");
        }
    }

    /// Forgets an application whose command connection is gone.
    pub(super) fn remove_application(&mut self, id: AppId, why: &str) {
        let Some(app) = self.applications.all.remove(&id) else { return };
        log::debug!("Application {} is gone: {why}", app.credentials.pid);
        self.turn.facts.push(Fact::ApplicationLeft(id));
        self.turn.timers.clear(Timer::Connection(app.notify));
        self.close(app.notify);
        self.unwatch(id);
        self.turn.timers.clear(Timer::Release(id));
        self.applications.dirty.remove(&id);
        self.turn.changed = true;
        let private = self.buffers.keys().filter(|key| key.owner == Owner::Application(id));
        for key in private.copied().collect::<Vec<_>>() {
            self.retire_buffers(key);
        }
    }

    /// Starts a listing in an application. Returns whether it is there and can answer.
    pub fn list_application(&mut self, id: AppId, listing: ListingId, kind: ListingKind) -> bool {
        let Some(app) = self.applications.all.get_mut(&id).filter(|app| !app.lagging && !app.is_behind())
        else {
            return false;
        };
        let Ok(charge) = self.accounts.charge(app.credentials.uid, Resource::Memory, 0) else { return false };
        app.list(listing, kind, charge, self.turn.now, &mut self.turn.outputs);
        self.watch(id);
        true
    }

    /// Asks an application for all that the planner finds missing, and lets its `main` run once it has
    /// everything, or has had time enough.
    pub(super) fn synchronise(&mut self, id: AppId) {
        let Some(app) = self.applications.all.get(&id) else { return };
        if app.lagging {
            return;
        }
        let mut sessions: Vec<SessionId> = self.sessions.iter().map(|session| session.id).collect();
        sessions.extend(app.mirrors.keys().filter(|&&id| self.sessions.get(id).is_none()));
        let mut waiting = false;
        for session in sessions {
            waiting |= self.synchronise_session(id, session);
        }
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        if !app.released && (!waiting || self.turn.now >= app.release_by) {
            app.released = true;
            self.turn.timers.clear(Timer::Release(id));
            app.send_root(Command::RegisterDone, Cause::RegisterDone, self.turn.now, &mut self.turn.outputs);
            self.watch(id);
        }
    }

    /// Returns whether something is still to come that a new application should have first.
    fn synchronise_session(&mut self, id: AppId, session: SessionId) -> bool {
        self.make_buffers(id, session);
        let scheme = self.sessions.get(session).map(Session::scheme).unwrap_or_default();
        let Some(app) = self.applications.all.get_mut(&id) else { return false };
        let key = app.buffers_key(session, scheme);
        let buffers = self.buffers.get(&key);
        let changing =
            self.sessions.get(session).is_some_and(|session| session.recording.is_changing_chunk());
        let state = |channel: ChannelId| match buffers {
            // It had buffers of its own before, and will have new ones when those are given up.
            Some(buffers) if buffers.retired => BufferState::GivenUp,
            Some(buffers) => buffers.state(channel),
            // Its tracer's version is needed first, or it can't be served.
            None if app.tracer.is_none() => BufferState::Pending,
            // They are made once the session has its new trace chunk.
            None if changing => BufferState::Pending,
            None => BufferState::Failed,
        };
        let Credentials { pid, uid, gid } = app.credentials;
        let follows = |session: &&Session| !session.is_destroyed() && session.follows(pid, uid, gid);
        let wanted = self.sessions.get(session).filter(follows);
        let desired = match wanted {
            None => Desired::Nothing,
            Some(session) if session.is_active() => {
                Desired::Recording { channels: session.channels(), buffers: &state }
            }
            Some(_) => Desired::Stopped,
        };
        let none = SessionMirror::default();
        let plan = plan(desired, app.mirrors.get(&session).unwrap_or(&none));
        if plan.requests.is_empty() && !plan.waiting && !app.mirrors.contains_key(&session) {
            return false;
        }
        let mut waiting = plan.waiting;
        for request in plan.requests {
            // The rest is planned anew when it has answered.
            let busy = self.applications.all.get(&id).is_some_and(|app| app.has_enough_to_do());
            if busy && request.can_come_later() {
                waiting = true;
                break;
            }
            self.ask_application(id, key, request);
        }
        let Some(app) = self.applications.all.get_mut(&id) else { return false };
        let mirror = app.mirrors.or_default(session);
        mirror.waiting = waiting;
        if *mirror == none {
            app.mirrors.remove(&session);
            self.untraced(id, key);
        }
        waiting
    }

    /// Has every application that records a session record its state again.
    pub fn regenerate_statedump(&mut self, session: SessionId) {
        let scheme = self.sessions.get(session).map(Session::scheme).unwrap_or_default();
        let records = |app: &App| app.mirrors.get(&session).is_some_and(|mirror| mirror.enabled);
        let recording = self.applications.all.iter().filter(|(_, app)| !app.lagging && records(app));
        let keys: Vec<_> = recording.map(|(&id, app)| (id, app.buffers_key(session, scheme))).collect();
        for (id, key) in keys {
            self.ask_application(id, key, Request::RecordState);
        }
    }

    /// What applications refused of a session may be asked for once more.
    pub fn forget_refusals(&mut self, session: SessionId) {
        for app in self.applications.all.values_mut() {
            if let Some(mirror) = app.mirrors.get_mut(&session) {
                mirror.forget_refusals();
            }
        }
    }

    /// Marks every application for a look.
    pub fn touch_all_applications(&mut self) {
        self.applications.dirty.extend(self.applications.all.keys().copied());
        self.turn.changed = true;
    }

    pub(super) fn touch(&mut self, app: AppId) {
        self.applications.dirty.insert(app);
        self.turn.changed = true;
    }

    /// Whether an application has all it is to have of a session, or can't be waited for.
    pub fn is_settled(&self, id: AppId, session: SessionId) -> bool {
        let Some(app) = self.applications.all.get(&id) else { return true };
        if app.lagging || app.is_behind() {
            return true;
        }
        let settled = app.mirrors.get(&session).is_none_or(|mirror| mirror.is_settled());
        settled && !self.applications.dirty.contains(&id)
    }

    /// Somebody has waited long enough for an application. It is not dropped: it may answer yet.
    pub fn give_up_waiting(&mut self, id: AppId) {
        if let Some(app) = self.applications.all.get_mut(&id) {
            app.give_up_waiting();
            let Credentials { pid, uid, .. } = app.credentials;
            self.turn.say(
                Level::Info,
                Topic::Lagging,
                Some(uid),
                format_args!("Application {pid} takes its time: it is not waited for any longer"),
            );
        }
    }

    /// An application has nothing of a session any more: buffers that only it had are given up.
    fn untraced(&mut self, id: AppId, key: BuffersKey) {
        let live = self.buffers.get(&key).is_some_and(|buffers| !buffers.retired);
        if live && key.owner == Owner::Application(id) && self.sessions.get(key.session).is_some() {
            self.retire_buffers(key);
        }
    }

    fn ask_application(&mut self, id: AppId, key: BuffersKey, request: Request) {
        let Some(outgoing) = self.translate(id, key, request) else {
            self.turn.say(
                Level::Error,
                Topic::Internal,
                None,
                format_args!("Internal error: {request:?} can't be sent"),
            );
            return;
        };
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        app.mirrors.or_default(key.session).sent(request);
        app.send(outgoing, Cause::Session(key.session, request), self.turn.now, &mut self.turn.outputs);
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
        let mirror = self.applications.all.get(&id)?.mirrors.get(&key.session).unwrap_or(&none);
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
                let context = self.sessions.get(key.session)?.channel(id)?.contexts.get(at)?;
                (channel_handle(id)?, Command::Context(words::context(context)))
            }
            Request::CreateRule(id, rule) => {
                let rule = rule_of(self.sessions.get(key.session)?, id, rule)?;
                let description =
                    EventRule { name: rule.name.clone(), loglevel: words::log_level(rule.levels), token: 0 };
                (channel_handle(id)?, Command::Event(description))
            }
            Request::SetFilter(id, number) => {
                let filter = rule_of(self.sessions.get(key.session)?, id, number)?.filter.as_ref()?;
                payload.clone_from(&filter.bytecode);
                let data_size = u32::try_from(filter.bytecode.len()).ok()?;
                let (reloc_offset, seqnum) = (filter.reloc_offset, filter.seqnum);
                (rule_handle(id, number)?, Command::Filter(Bytecode { data_size, reloc_offset, seqnum }))
            }
            Request::SetExclusions(id, number) => {
                let names = &rule_of(self.sessions.get(key.session)?, id, number)?.exclusions;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Accounts, Limit, Limits};
    use crate::state::Settings;
    use crate::turn::machine::Attached;
    use lttng_protocol::ust::registration::{Alignments, ByteOrder, SocketKind};
    use std::time::Instant;

    const ALICE: u32 = 1000;
    const BOB: u32 = 1001;

    /// Takes two applications, but one only of each user.
    fn state() -> State {
        let settings = Settings { limits: Limits::for_applications(2, 1), ..Settings::for_tests() };
        State::new(settings, Instant::now(), 0)
    }

    fn registration(socket: SocketKind) -> Vec<u8> {
        let alignments = Alignments { uint8: 8, uint16: 16, uint32: 32, uint64: 64, long: 64 };
        let registration = Registration {
            byte_order: ByteOrder::NATIVE,
            major: 9,
            minor: 0,
            pid: 1,
            ppid: 1,
            uid: 0,
            gid: 0,
            bits_per_long: 64,
            alignments,
            socket,
            name: "app".into(),
        };
        registration.encode()
    }

    /// Connects, and says whether it was let in.
    fn connects(state: &mut State, conn: u64, uid: u32) -> bool {
        let pid = i32::try_from(uid + 1).unwrap();
        state.application_connected(ConnId(conn), Credentials { pid, uid, gid: uid });
        state.roles.contains_key(&ConnId(conn))
    }

    fn charged(state: &State, uid: u32) -> u64 {
        state.accounts.usage(uid).of(Resource::Applications)
    }

    #[test]
    fn each_connection_counts_until_it_or_its_application_is_gone() {
        let mut state = state();
        assert!(connects(&mut state, 1, ALICE) && connects(&mut state, 2, ALICE));
        assert!(!connects(&mut state, 3, ALICE), "one application of each user");
        state.received(ConnId(1), &registration(SocketKind::Command), Attached::default());
        state.received(ConnId(2), &registration(SocketKind::Notify), Attached::default());
        assert_eq!(state.applications.all.len(), 1);
        assert_eq!(charged(&state, ALICE), 2);
        // It has two connections for good, also if it closes the second.
        state.closed(ConnId(2));
        assert!(!connects(&mut state, 4, ALICE));
        assert!(connects(&mut state, 5, BOB) && connects(&mut state, 6, BOB));
        assert!(!connects(&mut state, 7, 0), "two applications of all users");
        state.closed(ConnId(1));
        assert_eq!(charged(&state, ALICE), 0);
        assert!(connects(&mut state, 8, 0));
        // Who talks nonsense, and who says nothing, is not kept either.
        state.received(ConnId(5), &[0; Registration::LEN], Attached::default());
        assert_eq!(charged(&state, BOB), 1);
        state.expired(Timer::Connection(ConnId(6)));
        assert_eq!(charged(&state, BOB), 0);
        state.closed(ConnId(8));
        assert_eq!(state.accounts.users().count(), 0);
    }

    /// An application of this user.
    fn registered(state: &mut State, conns: [u64; 2], uid: u32) -> AppId {
        for (conn, socket) in conns.into_iter().zip([SocketKind::Command, SocketKind::Notify]) {
            assert!(connects(state, conn, uid));
            state.received(ConnId(conn), &registration(socket), Vec::new().into());
        }
        AppId(ConnId(conns[0]))
    }

    fn memory(state: &State, uid: u32) -> u64 {
        state.accounts.usage(uid).of(Resource::Memory)
    }

    #[test]
    fn who_makes_the_daemon_hold_too_much_is_dropped_and_nobody_else() {
        let mut state = state();
        state.accounts = Accounts::new(
            Limits::for_applications(4, 2).with(Resource::Memory, Limit { user: 1000, all: 10_000 }),
        );
        let apps = [[1, 2], [3, 4]].map(|conns| registered(&mut state, conns, ALICE));
        let other = registered(&mut state, [5, 6], BOB);
        // Half a request here, unread answers there.
        let half = [&2u32.to_ne_bytes()[..], &[0; 296]].concat();
        state.received(ConnId(2), &half[..200], Vec::new().into());
        state.unsent(ConnId(4), 700);
        state.unsent(ConnId(3), 100);
        assert_eq!((memory(&state, ALICE), state.applications.all.len()), (1000, 3));
        state.unsent(ConnId(4), 300);
        state.unsent(ConnId(4), 500);
        assert_eq!(memory(&state, ALICE), 800);
        state.unsent(ConnId(5), 900);
        state.unsent(ConnId(3), 301);
        assert!(!state.applications.all.contains_key(&apps[1]), "its user has no more");
        assert!(state.applications.all.contains_key(&apps[0]) && state.applications.all.contains_key(&other));
        assert_eq!((memory(&state, ALICE), memory(&state, BOB)), (200, 900));
        state.closed(ConnId(1));
        state.closed(ConnId(5));
        assert_eq!(state.accounts.total().of(Resource::Memory), 0);
    }

    #[test]
    fn only_connections_of_the_same_user_and_group_make_an_application() {
        let process = |uid, gid| Credentials { pid: 7, uid, gid };
        for other in [process(BOB, ALICE), process(ALICE, BOB)] {
            let mut state = state();
            state.application_connected(ConnId(1), process(ALICE, ALICE));
            state.application_connected(ConnId(2), other);
            state.received(ConnId(1), &registration(SocketKind::Command), Attached::default());
            state.received(ConnId(2), &registration(SocketKind::Notify), Attached::default());
            assert!(state.applications.all.is_empty(), "{other:?} was taken for the same process");
            assert!(!state.roles.contains_key(&ConnId(2)));
            // The one that came first still waits for its counterpart.
            state.application_connected(ConnId(3), process(ALICE, ALICE));
            state.received(ConnId(3), &registration(SocketKind::Notify), Attached::default());
            assert_eq!(state.applications.all.len(), 1);
        }
    }
}
