// SPDX-License-Identifier: GPL-2.0-only
//! Event notifiers of applications: what triggers want of them, the pipes on which applications tell of events, and the
//! counters of what they could not tell.
//!
//! The reading end of a pipe is never closed while somebody has the other one, whatever became of the application: who
//! writes to a pipe that nobody reads is killed. So what was written before an application ended is read, too.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use log::Level;

use lttng_protocol::filter;
use lttng_protocol::ust::command::{Bytecode, Command, ROOT, Reply, code, exclusion_payload};
use lttng_protocol::ust::event_notifier::{CounterConfiguration, EventNotification, EventNotifier};

use super::{Role, State};
use crate::accounts::{Charge, Exhausted, Resource};
use crate::sys::socket::Credentials;
use crate::turn::Turn;
use crate::turn::errand::Errand;
use crate::turn::facts::Fact;
use crate::turn::ids::{AppId, ConnId, TriggerId};
use crate::turn::inbox::Inbox;
use crate::turn::messages::Topic;
use crate::turn::output::{Output, SharedFd};
use crate::turn::timers::Timer;
use crate::ust::app::{App, Cause, Outgoing, Pipe};
use crate::ust::error_counters::ErrorCounters;
use crate::ust::mirror::Slot;
use crate::ust::notifiers::{ABI, Desired, Notifier, Request, Wanted, plan};

/// After so long, what could not be had is asked for again.
const PAUSE: Duration = Duration::from_secs(2);

/// What comes of an application's event notifiers.
#[derive(Debug)]
struct Source {
    app: AppId,
    /// Who the application is or was.
    credentials: Credentials,
    input: Inbox,
    /// What it said can't be understood, so that nothing that follows can.
    garbled: bool,
    memory: Charge,
    _descriptor: Charge,
}

/// What triggers want of applications, and what comes of it.
#[derive(Debug)]
pub(super) struct Notifiers {
    wanted: Wanted,
    counters: ErrorCounters,
    /// Users for whom there could be no counters; that was said.
    uncounted: BTreeSet<u32>,
    sources: BTreeMap<ConnId, Source>,
}

impl Notifiers {
    /// None yet.
    pub(super) fn new(places: u32, cpus: u32) -> Self {
        Notifiers {
            wanted: Wanted::new(),
            counters: ErrorCounters::new(places, cpus),
            uncounted: BTreeSet::new(),
            sources: BTreeMap::new(),
        }
    }
}

impl State {
    /// From now on applications are to have this, which `owner` wants. Those that are there are asked when the state
    /// settles.
    ///
    /// # Errors
    /// What applications can't tell could not be counted; then nothing is changed. That somebody else has used up what he
    /// may have is no error: what his applications can't tell is not counted before he has given something back.
    pub fn want_notifier(&mut self, owner: u32, id: TriggerId, notifier: Notifier) -> io::Result<()> {
        let apps = self.applications.all.values().filter(|app| has_notifiers(app));
        let users: BTreeSet<u32> = apps.map(|app| app.credentials.uid).collect();
        self.notifiers.uncounted.clear();
        for uid in users {
            if let Err(error) = self.make_counters(uid) {
                if uid != owner && error.get_ref().is_some_and(|inner| inner.is::<Exhausted>()) {
                    self.notifiers.uncounted.insert(uid);
                    self.retry_later();
                    continue;
                }
                self.give_up_counters();
                return Err(error);
            }
        }
        self.notifiers.wanted.insert(id, Rc::new(notifier));
        for app in self.applications.all.values_mut() {
            app.notifiers.forget_refusals();
            if lacks_pipe(app) {
                app.pipe = Pipe::None;
            }
        }
        self.touch_all_applications();
        Ok(())
    }

    /// Something could not be had: it is asked for again after a while.
    fn retry_later(&mut self) {
        if self.turn.timers.get(Timer::Notifiers).is_none() {
            let at = self.turn.after(PAUSE);
            self.turn.timers.set(Timer::Notifiers, at);
        }
    }

    /// Applications that lack a pipe, or counters, get them if they can be had by now.
    pub(super) fn retry_notifiers(&mut self) {
        if self.notifiers.wanted.is_empty() {
            return;
        }
        self.notifiers.uncounted.clear();
        let mut ids = Vec::new();
        for (&id, app) in self.applications.all.iter_mut().filter(|(_, app)| has_notifiers(app)) {
            if lacks_pipe(app) {
                app.pipe = Pipe::None;
                ids.push(id);
            } else if app.error_counters.is_none() && app.notifiers.counter == Slot::Absent {
                ids.push(id);
            }
        }
        ids.into_iter().for_each(|id| self.touch(id));
    }

    /// Applications are not to have this any more.
    pub fn forget_notifier(&mut self, id: TriggerId) {
        self.forget_loggers(id);
        if self.notifiers.wanted.remove(&id).is_some() {
            for app in self.applications.all.values_mut() {
                app.notifiers.look_again(id);
            }
            self.give_up_counters();
            self.touch_all_applications();
        }
    }

    /// Whether any application may have event notifiers.
    pub fn has_notified(&self) -> bool {
        self.applications.all.values().any(|app| has_notifiers(app))
    }

    /// Whether an application has the notifiers that are wanted, or can't be waited for.
    pub fn is_notified(&self, id: AppId) -> bool {
        let Some(app) = self.applications.all.get(&id) else { return true };
        app.lagging || app.is_behind() || app.notifiers.is_settled() && !self.applications.dirty.contains(&id)
    }

    /// How many events with this place of an error counter applications could not tell.
    ///
    /// # Errors
    /// It can't be read.
    pub fn untold_events(&self, place: u32) -> io::Result<u64> {
        self.notifiers.counters.sum(place)
    }

    /// Begins to count anew.
    ///
    /// # Errors
    /// It can't be written.
    pub fn clear_untold_events(&mut self, place: u32) -> io::Result<()> {
        self.notifiers.counters.clear(place)
    }

    /// Brings an application nearer to the notifiers that it is to have. Returns whether something is still to come that
    /// a new application should have first.
    pub(super) fn synchronise_notifiers(&mut self, id: AppId) -> bool {
        let Some(app) = self.applications.all.get_mut(&id).filter(|app| has_notifiers(app)) else {
            return false;
        };
        app.notifiers.forget_unwanted(&self.notifiers.wanted);
        app.notifiers.pass_over_done(&self.notifiers.wanted);
        if self.notifiers.wanted.is_empty() && app.notifiers.group == Slot::Absent {
            app.notifiers.waiting = false;
            return false;
        }
        self.make_pipe(id);
        self.get_counters(id);
        let Some(app) = self.applications.all.get(&id) else { return false };
        let desired = Desired {
            notifiers: &self.notifiers.wanted,
            pipe: app.pipe.state(),
            counters: app.error_counters.as_ref().map(|_| self.notifiers.counters.cpus()),
        };
        let plan = plan(desired, &app.notifiers);
        let mut waiting = plan.waiting;
        for request in plan.requests {
            // The rest is planned anew when it has answered.
            if self.applications.all.get(&id).is_some_and(|app| app.has_enough_to_do()) {
                waiting = true;
                break;
            }
            self.ask_for_notifiers(id, request);
        }
        if let Some(app) = self.applications.all.get_mut(&id) {
            app.notifiers.waiting = waiting;
        }
        waiting
    }

    /// Has the pipe made for an application that is to have its first notifier.
    fn make_pipe(&mut self, id: AppId) {
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        if !matches!(app.pipe, Pipe::None) || app.notifiers.group != Slot::Absent {
            return;
        }
        let Credentials { pid, uid, .. } = app.credentials;
        match self.accounts.charge(uid, Resource::Applications, 1) {
            Ok(charge) => {
                app.pipe = Pipe::Requested(charge);
                self.turn.outputs.push(Output::Pipe { errand: Errand::Notifications(id) });
            }
            Err(exhausted) => {
                app.pipe = Pipe::Failed;
                let text = format_args!("Application {pid} can't tell of events yet: {exhausted}");
                self.turn.say(Level::Warn, Topic::Limits, Some(uid), text);
                self.retry_later();
            }
        }
    }

    /// The pipe of an application was made, or can't be.
    pub(super) fn notifications_piped(&mut self, id: AppId, result: io::Result<(ConnId, SharedFd)>) {
        let app = self.applications.all.get_mut(&id).filter(|app| matches!(app.pipe, Pipe::Requested(_)));
        let Some(app) = app else {
            // It is gone by now.
            let conn = result.ok().map(|(conn, _)| conn);
            conn.into_iter().for_each(|conn| self.turn.outputs.push(Output::Close(conn)));
            return;
        };
        let Credentials { pid, uid, .. } = app.credentials;
        match (result, std::mem::replace(&mut app.pipe, Pipe::Failed)) {
            (Ok((conn, writing)), Pipe::Requested(descriptor)) => {
                // To charge nothing can't fail.
                let Ok(memory) = self.accounts.charge(uid, Resource::Memory, 0) else { return };
                app.pipe = Pipe::Made(conn, writing);
                let source = Source {
                    app: id,
                    credentials: app.credentials,
                    input: Inbox::default(),
                    garbled: false,
                    memory,
                    _descriptor: descriptor,
                };
                self.notifiers.sources.insert(conn, source);
                self.roles.insert(conn, Role::Events);
            }
            (Err(error), _) => {
                let text =
                    format_args!("Application {pid} can't tell of events yet, for want of a pipe: {error}");
                self.turn.say(Level::Error, Topic::Connections, Some(uid), text);
                self.retry_later();
            }
            (Ok(_), _) => {}
        }
        self.touch(id);
    }

    /// An application is no more. Its pipe goes when nobody can write to it any more.
    pub(super) fn leave_pipe(&mut self, app: App) {
        if let Pipe::Made(conn, _) = app.pipe {
            self.notifiers.sources.remove(&conn);
            self.close(conn);
        }
        drop(app);
        self.give_up_counters();
    }

    /// Nothing is wanted of applications any more, which are about to be let go. What they tell is not listened to.
    pub(super) fn let_go_of_notifiers(&mut self) {
        self.notifiers.wanted.clear();
        for app in self.applications.all.values_mut() {
            app.notifiers.look_again(TriggerId::default());
            if let Pipe::Made(conn, _) = std::mem::take(&mut app.pipe) {
                self.notifiers.sources.remove(&conn);
                self.roles.remove(&conn);
                self.turn.outputs.push(Output::Close(conn));
            }
        }
    }

    /// Whether some application, or what has become of it, can write to a pipe that is read here.
    pub fn is_told_of_events(&self) -> bool {
        !self.notifiers.sources.is_empty()
    }

    /// Counters that no application has are of no use once there is nothing to be counted.
    fn give_up_counters(&mut self) {
        if self.notifiers.wanted.is_empty() {
            self.notifiers.counters.give_up_unused();
        }
    }

    /// Takes the counters of its user for an application that is to have notifiers.
    fn get_counters(&mut self, id: AppId) {
        let Some(app) = self.applications.all.get(&id).filter(|app| app.error_counters.is_none()) else {
            return;
        };
        let uid = app.credentials.uid;
        if !self.notifiers.uncounted.contains(&uid) && self.make_counters(uid).is_err() {
            self.notifiers.uncounted.insert(uid);
            self.retry_later();
        }
        let counters = self.notifiers.counters.get(uid).cloned();
        if let Some(app) = self.applications.all.get_mut(&id) {
            app.error_counters = counters;
        }
    }

    /// Makes the counters of a user if there are none.
    fn make_counters(&mut self, uid: u32) -> io::Result<()> {
        let counters = &mut self.notifiers.counters;
        if counters.get(uid).is_some() {
            return Ok(());
        }
        let (length, cpus) = (counters.length_of_set(), counters.cpus().into());
        let memory = self.accounts.charge(uid, Resource::Memory, length);
        let paid = memory.and_then(|memory| {
            let descriptors = self.accounts.charge(uid, Resource::Applications, cpus)?;
            Ok([memory, descriptors])
        });
        let made = paid
            .map_err(io::Error::other)
            .and_then(|paid| counters.make(uid, paid, self.settings.sources.shared_memory));
        made.map(drop).inspect_err(|error| {
            let text = format_args!("What applications of user {uid} can't tell is not counted: {error}");
            self.turn.say(Level::Error, Topic::Limits, Some(uid), text);
        })
    }

    fn ask_for_notifiers(&mut self, id: AppId, request: Request) {
        let Some(outgoing) = self.translate_for_notifiers(id, request) else {
            let text = format_args!("Internal error: {request:?} can't be sent");
            self.turn.say(Level::Error, Topic::Internal, None, text);
            return;
        };
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        app.notifiers.sent(request);
        app.send(outgoing, Cause::Notifiers(request), self.turn.now, &mut self.turn.outputs);
        self.watch(id);
    }

    /// A request about notifiers as an application takes it.
    fn translate_for_notifiers(&mut self, id: AppId, request: Request) -> Option<Outgoing> {
        let app = self.applications.all.get_mut(&id)?;
        let counters = &self.notifiers.counters;
        let wanted = |id| self.notifiers.wanted.get(&id);
        let mut payload = Vec::new();
        let mut descriptors = Vec::new();
        let (handle, command) = match request {
            Request::CreateGroup => {
                descriptors.push(app.pipe.give()?);
                (ROOT, Command::EventNotifierGroup)
            }
            Request::CreateCounter => {
                payload = CounterConfiguration { size: counters.places().into() }.encode();
                (app.notifiers.group.handle()?, Command::Counter { len: payload.len() as u64 })
            }
            Request::AddCounter(cpu) => {
                descriptors.push(Rc::clone(app.error_counters.as_ref()?.cpu(cpu)?));
                (app.notifiers.counter.handle()?, Command::CounterCpu { len: counters.length(), cpu })
            }
            Request::Create(id) => {
                payload = wanted(id)?.description.encode();
                let command = Command::EventNotifier { len: u32::try_from(EventNotifier::LEN).ok()? };
                (app.notifiers.group.handle()?, command)
            }
            Request::SetFilter(id) => {
                let filter = wanted(id)?.filter.as_ref()?;
                payload.clone_from(&filter.data);
                (app.notifiers.handle(id)?, Command::Filter(announced(filter, 0)?))
            }
            Request::SetExclusions(id) => {
                let names = &wanted(id)?.exclusions;
                payload = exclusion_payload(names);
                (app.notifiers.handle(id)?, Command::Exclusion { count: u32::try_from(names.len()).ok()? })
            }
            Request::AddCapture(id, at) => {
                let capture = wanted(id)?.captures.get(at)?;
                payload.clone_from(&capture.data);
                (app.notifiers.handle(id)?, Command::Capture(announced(capture, at)?))
            }
            Request::Switch(id, true) => (app.notifiers.handle(id)?, Command::Enable),
            Request::Switch(id, false) => (app.notifiers.handle(id)?, Command::Disable),
            Request::Release(id) => (app.notifiers.handle(id)?, Command::Release),
        };
        Some(Outgoing { handle, command, payload, descriptors })
    }

    pub(super) fn notifiers_answered(&mut self, id: AppId, request: Request, reply: &Reply) {
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        let refused = reply.code != code::OK;
        app.notifiers.answered(request, if refused { Err(reply.code) } else { Ok(reply.value) });
        if !refused {
            return;
        }
        if request == Request::CreateGroup {
            // It has closed its end.
            app.pipe = Pipe::Failed;
        }
        let Credentials { pid, uid, .. } = app.credentials;
        let text = format_args!("Application {pid} answered {request:?} with error {}", reply.code);
        self.turn.say(Level::Warn, Topic::Refusal, Some(uid), text);
    }

    /// Input on a pipe: events.
    pub(super) fn events_received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(source) = self.notifiers.sources.get_mut(&conn).filter(|source| !source.garbled) else {
            return;
        };
        source.input.push(bytes);
        let wanted = &self.notifiers.wanted;
        let read = take_events(&mut source.input, |id| wanted.contains_key(&id), &mut self.turn);
        let Credentials { pid, uid, .. } = source.credentials;
        let why = match read {
            Err(error) => error.to_string(),
            Ok(()) => match source.memory.set(source.input.held() as u64) {
                Ok(()) => return,
                Err(exhausted) => exhausted.to_string(),
            },
        };
        source.garbled = true;
        source.input = Inbox::default();
        // It can only be less than it was.
        let _ = source.memory.set(0);
        let text = format_args!("What application {pid} tells of events is not listened to any more: {why}");
        self.turn.say(Level::Warn, Topic::Registration, Some(uid), text);
    }

    /// Nobody can write to a pipe any more, and all was read.
    pub(super) fn events_ended(&mut self, conn: ConnId) {
        let Some(source) = self.notifiers.sources.remove(&conn) else { return };
        if !source.input.bytes().is_empty() {
            log::debug!("Application {} did not end what it told of an event", source.credentials.pid);
        }
        if let Some(app) = self.applications.all.get(&source.app) {
            log::debug!("Application {} tells of events no more", app.credentials.pid);
        }
    }
}

/// Whether an application has no pipe although it could take one.
fn lacks_pipe(app: &App) -> bool {
    matches!((&app.pipe, app.notifiers.group), (Pipe::Failed, Slot::Absent))
}

/// Takes the events that are whole, which tracers tell of in the same form. What they are about may have been removed
/// meanwhile.
///
/// # Errors
/// Something is no event: what follows can't be understood either.
pub(super) fn take_events(
    input: &mut Inbox,
    is_wanted: impl Fn(TriggerId) -> bool,
    turn: &mut Turn,
) -> Result<(), lttng_protocol::Error> {
    while let Some(length) = EventNotification::length(input.bytes())? {
        let event = input.take(length, |bytes| {
            EventNotification::decode(bytes).map(|event| (TriggerId(event.token), event.captures.to_vec()))
        });
        let Some(event) = event else { break };
        let (id, captures) = event?;
        if is_wanted(id) {
            turn.facts.push(Fact::Matched(id, captures));
            turn.changed = true;
        }
    }
    Ok(())
}

/// Whether an application knows what event notifiers are.
fn has_notifiers(app: &App) -> bool {
    app.registration.major >= ABI
}

fn announced(bytecode: &filter::Bytecode, number: usize) -> Option<Bytecode> {
    let data_size = u32::try_from(bytecode.data.len()).ok()?;
    Some(Bytecode { data_size, reloc_offset: bytecode.reloc_offset, seqnum: number as u64 })
}
