// SPDX-License-Identifier: GPL-2.0-only
//! What applications are asked: all that the planner finds missing, in the words of their protocol.
//!
//! Nothing is asked here that the planner did not plan, except to record the state again.

use log::Level;
use lttng_protocol::ust::command::{Bytecode, Command, EventRule, exclusion_payload};

use super::State;
use crate::model::Session;
use crate::sys::socket::Credentials;
use crate::turn::ids::{AppId, BuffersKey, ChannelId, Owner, RuleId, SessionId};
use crate::turn::messages::Topic;
use crate::turn::timers::Timer;
use crate::ust::app::{App, Cause, Outgoing};
use crate::ust::mirror::{Request, SessionMirror};
use crate::ust::planner::{BufferState, Desired, plan};
use crate::ust::words;

impl State {
    /// Asks an application for all that the planner finds missing, and lets its `main` run once it has
    /// everything, or has had time enough.
    pub(super) fn synchronise(&mut self, id: AppId) {
        let Some(app) = self.applications.all.get(&id) else { return };
        if app.lagging {
            return;
        }
        let mut sessions: Vec<SessionId> = self.sessions.iter().map(|session| session.id).collect();
        sessions.extend(app.mirrors.keys().filter(|&&id| self.sessions.get(id).is_none()));
        let mut waiting = self.synchronise_notifiers(id);
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
