// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's tracer and what sessions want of it: where session, mirror, the tracer's helper and the kernel's consumer
//! daemon meet.
//!
//! One job at a time is under way for each session. What the tracer refuses stays refused until a task has taken the
//! refusal, so that nothing is asked again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use log::Level;
use lttng_protocol::kernel::AbiVersion;

use super::{Role, Settings, State};
use crate::consumer::verb::{ChannelRef, Content};
use crate::helper::companion::Helper;
use crate::kernel::job::{self, Done, Job, Outcome};
use crate::kernel::mirror::{End, Mirror};
use crate::kernel::notifiers::Notifiers;
use crate::kernel::plan::Order;
use crate::kernel::planner::{self, Goal, Host};
use crate::kernel::refusal::{Refusal, Unavailable};
use crate::kernel::tracer::{Found, Next, Tracer};
use crate::kernel::worker;
use crate::model::{KernelDomain, Session};
use crate::sys::{available, clock};
use crate::turn::errand::Errand;
use crate::turn::ids::{ChannelId, ConnId, ConsumerId, ConsumerKind, Requester, RuleId, SessionId};
use crate::turn::machine::Attached;
use crate::turn::messages::Topic;
use crate::turn::output::{Output, SharedFd};
use crate::turn::{Answered, JobDone, Ticket};

pub use crate::kernel::job::MAX_DESCRIPTORS;

mod handover;
mod notifiers;

/// Name of a session in its trace if the daemon made its name up (lttng-tools 2.13:
/// `src/bin/lttng-sessiond/kernel.c`).
const GENERATED_NAME: &str = "auto";

/// Whether the kernel can be traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracing {
    Ready,
    /// It is being found out, or modules are being loaded.
    Pending,
    /// It can't.
    Failed(Unavailable),
}

/// What the tracer at hand can do, beyond what every one can that is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Sessions can be rotated at all: LTTng-modules 2.11 and later.
    pub rotation: bool,
    /// Packets are numbered, without which nothing can be rotated: since version 2.1 of its interface.
    pub packet_numbers: bool,
    /// It can be asked how full buffers are: since version 2.3 of its interface.
    pub positions: bool,
    /// It tells of events that match triggers: since version 2.6 of its interface.
    pub event_notifiers: bool,
}

/// What a job of the tracer's helper was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TracerPurpose {
    /// The tracer is being looked for.
    Look,
    /// What a session wants.
    Session(SessionId),
    /// All that a session had is closed.
    Close(SessionId),
    /// What triggers want.
    Notifiers,
    /// A task's step.
    Task(Ticket),
    /// The daemon ends.
    End,
    /// Something whose outcome changes nothing.
    Nothing,
}

/// The kernel's tracer.
#[derive(Debug)]
pub struct Kernel {
    pub(super) helper: Helper<job::Tracer, TracerPurpose>,
    tracer: Tracer,
    mirrors: BTreeMap<SessionId, Mirror>,
    /// Sessions for which something may have to be done.
    dirty: BTreeSet<SessionId>,
    /// Those who wait for the tracer.
    askers: BTreeSet<Requester>,
    /// The open files of probes in programs, which are listed with them.
    programs: BTreeMap<(SessionId, ChannelId, RuleId), SharedFd>,
    /// What triggers want of it.
    notifiers: Notifiers,
    ending: Ending,
}

/// How far the end of the daemon is here.
#[derive(Debug)]
enum Ending {
    /// It serves.
    Not,
    /// Jobs are under way, which have in their hands what keeps modules in use. These come after them.
    Waiting(Vec<Order>),
    /// So many answers are owed, without which the daemon does not end.
    Owed(usize),
}

impl Kernel {
    /// A tracer that nobody has looked for.
    pub(super) fn new(settings: &Settings) -> Self {
        Kernel {
            helper: Helper::new(Errand::Tracer, worker::life, "The kernel tracer's helper process"),
            tracer: Tracer::new(settings.kernel_modules.clone(), settings.kernel_error_counters),
            mirrors: BTreeMap::new(),
            dirty: BTreeSet::new(),
            notifiers: Notifiers::default(),
            askers: BTreeSet::new(),
            programs: BTreeMap::new(),
            ending: Ending::Not,
        }
    }

    /// The tracer, if it is there.
    pub fn found(&self) -> Option<&Found> {
        self.tracer.found()
    }

    /// Why there was none when it was last looked for.
    pub fn missing(&self) -> Option<Unavailable> {
        self.tracer.missing()
    }
}

impl State {
    /// Whether the kernel's tracer is there, for a command of `asker`. If it was not there the last time, it is looked for
    /// once more: modules may have appeared.
    pub fn want_tracer(&mut self, asker: Requester) -> Tracing {
        if self.kernel.found().is_some() {
            self.kernel.askers.remove(&asker);
            return Tracing::Ready;
        }
        if let Some(why) = self.kernel.tracer.missing()
            && self.kernel.askers.remove(&asker)
        {
            return Tracing::Failed(why);
        }
        self.kernel.askers.insert(asker);
        self.look_for_tracer();
        Tracing::Pending
    }

    /// Begins to look for the tracer, unless that goes on already.
    pub fn look_for_tracer(&mut self) {
        if let Some(asked) = self.kernel.tracer.look() {
            self.ask_tracer(asked, TracerPurpose::Look);
        }
    }

    /// Nobody asks for the tracer by this any more.
    pub(super) fn forget_tracer_asker(&mut self, asker: Requester) {
        self.kernel.askers.remove(&asker);
    }

    /// Asks the tracer's helper. The answer comes later, in any case.
    fn ask_tracer(&mut self, (job, descriptors): Order, purpose: TracerPurpose) {
        self.kernel.helper.ask(job, descriptors, purpose, &mut self.turn);
    }

    /// Has the tracer's helper do something whose outcome changes nothing.
    pub fn tell_tracer(&mut self, asked: Order) {
        self.ask_tracer(asked, TracerPurpose::Nothing);
    }

    /// What the tracer has of a session as a whole.
    pub fn kernel_object(&self, session: SessionId) -> Option<SharedFd> {
        self.kernel.mirrors.get(&session)?.session.clone()
    }

    /// How many streams a channel of the kernel has.
    pub fn kernel_streams(&self, session: SessionId, channel: ChannelId) -> usize {
        let mirror = self.kernel.mirrors.get(&session);
        mirror.and_then(|mirror| mirror.channels.get(&channel)).map_or(0, |channel| channel.streams.len())
    }

    /// Asks the tracer's helper for a step of a task.
    pub fn ask_tracer_for(&mut self, asked: Order, ticket: Ticket) {
        self.ask_tracer(asked, TracerPurpose::Task(ticket));
    }

    /// The tracer's helper is there, or could not be started.
    pub(super) fn tracer_connected(&mut self, result: io::Result<ConnId>) {
        let taken = self.kernel.helper.connected(result, &mut self.turn);
        self.roles.extend(taken.map(|conn| (conn, Role::Tracer)));
    }

    pub(super) fn tracer_received(&mut self, bytes: &[u8], attached: Attached) {
        if let Some((purpose, result)) = self.kernel.helper.received(bytes, attached) {
            self.tracer_answered(purpose, result);
        }
    }

    /// Answers the jobs that could not be sent.
    pub(super) fn answer_unsent_jobs(&mut self) {
        for (purpose, errno) in self.kernel.helper.take_unsent() {
            self.tracer_answered(purpose, Err(errno));
        }
    }

    fn tracer_answered(&mut self, purpose: TracerPurpose, result: crate::kernel::tracer::Result) {
        self.turn.changed = true;
        match purpose {
            TracerPurpose::Nothing => {}
            TracerPurpose::Look => self.looked_for_tracer(result),
            TracerPurpose::Task(ticket) => self.turn.answered(ticket, Answered::Job(result.map(job_done))),
            TracerPurpose::Session(id) => {
                if let Some(mirror) = self.kernel.mirrors.get_mut(&id) {
                    mirror.done(result, || self.counters.consumer_key());
                    self.kernel.dirty.insert(id);
                }
            }
            TracerPurpose::Notifiers => self.kernel_notifiers_answered(result),
            TracerPurpose::Close(id) => {
                if let Some(mirror) = self.kernel.mirrors.get_mut(&id) {
                    mirror.end = End::Over;
                    self.kernel.dirty.insert(id);
                }
            }
            TracerPurpose::End => {
                if let Ending::Owed(left) = &mut self.kernel.ending {
                    *left = left.saturating_sub(1);
                }
            }
        }
    }

    fn looked_for_tracer(&mut self, result: crate::kernel::tracer::Result) {
        match self.kernel.tracer.answered(result) {
            Next::Ask(asked) => self.ask_tracer(asked, TracerPurpose::Look),
            Next::Ready => {
                let Some(found) = self.kernel.found() else { return };
                let version = found.version;
                let (major, minor, patch) = (version.major, version.minor, version.patchlevel);
                let text = format_args!("The kernel tracer is there: LTTng-modules {major}.{minor}.{patch}");
                self.turn.say(Level::Info, Topic::Tracer, None, text);
                self.poll_kernel_events();
                self.kernel.dirty.extend(self.kernel.mirrors.keys());
            }
            Next::Missing(why, unload) => {
                let text = format_args!(
                    "The kernel can't be traced: {why}. Is LTTng-modules installed for this kernel? It is looked \
                     for again when somebody needs it"
                );
                self.turn.say(Level::Warn, Topic::Tracer, None, text);
                self.ask_tracer(unload, TracerPurpose::Look);
            }
            Next::Nothing => {}
        }
    }

    /// What is wanted of the kernel in a session has changed, or may have.
    pub fn touch_kernel(&mut self, session: SessionId) {
        if self.sessions.get(session).is_some_and(|session| session.wanted.kernel.is_some()) {
            self.kernel.dirty.insert(session);
            self.turn.changed = true;
        }
    }

    /// The same for all sessions.
    pub fn touch_kernel_of_all(&mut self) {
        self.kernel.dirty.extend(self.kernel.mirrors.keys());
        self.turn.changed = true;
    }

    /// Brings sessions nearer to what they want of the kernel.
    pub(super) fn serve_kernel(&mut self) {
        while let Some(id) = self.kernel.dirty.pop_first() {
            self.synchronise_kernel(id);
        }
        self.synchronise_kernel_notifiers();
    }

    fn synchronise_kernel(&mut self, id: SessionId) {
        if self.kernel.mirrors.get(&id).is_some_and(Mirror::can_end) {
            // What a job under way has in its hands must not be the last that there is.
            self.close_in_tracer(id);
        }
        let Some(session) = self.sessions.get(id) else {
            if self.kernel.mirrors.get(&id).is_some_and(|mirror| mirror.end == End::Over) {
                self.kernel.mirrors.remove(&id);
            }
            return;
        };
        let (Some(domain), Some(found)) = (&session.wanted.kernel, self.kernel.tracer.found()) else {
            return;
        };
        let host = Host {
            control: Rc::clone(&found.control),
            page_size: self.settings.page_size,
            cpus: self.settings.possible_cpus,
        };
        let mirror = self.kernel.mirrors.entry(id).or_default();
        if mirror.is_busy() || mirror.end != End::Not {
            return;
        }
        mirror.prune(Some(domain));
        let kept = |channel, rule| domain.channel(channel).is_some_and(|channel| channel.has_rule(rule));
        self.kernel.programs.retain(|&(of, channel, rule), _| of != id || kept(channel, rule));
        let handed = mirror.is_handed(session.has_output());
        let programs = |channel, rule| self.kernel.programs.get(&(id, channel, rule)).cloned();
        let goal = Goal {
            domain,
            name: name_in_trace(session),
            created: clock::iso_date(session.wanted.created).into(),
            active: session.is_active(),
            has_output: session.has_output(),
            programs: &programs,
        };
        match planner::plan(&goal, mirror, &host, handed) {
            Some(plan) => {
                let (aims, asked) = plan.into_job();
                mirror.begun(aims);
                self.ask_tracer(asked, TracerPurpose::Session(id));
            }
            None if goal.active && !handed => self.hand_over(id),
            None if goal.active => self.watch_for_cpus(id),
            None => {}
        }
    }

    /// Whether the tracer has what a session wants of it, or has refused it, or can't be asked.
    pub fn is_kernel_settled(&self, session: SessionId) -> bool {
        let Some(mirror) = self.kernel.mirrors.get(&session) else {
            return !self.kernel.dirty.contains(&session);
        };
        match mirror.end {
            End::Over => true,
            End::Wanted | End::UnderWay => false,
            End::Not => !mirror.is_busy() && mirror.owed == 0 && !self.kernel.dirty.contains(&session),
        }
    }

    /// Takes what the tracer has refused of what a session wants.
    pub fn take_kernel_refusals(&mut self, session: SessionId) -> Vec<Refusal> {
        self.kernel.mirrors.get_mut(&session).map(Mirror::take_refusals).unwrap_or_default()
    }

    /// Whether the tracer has this rule, and it was switched on.
    pub fn kernel_has_rule(&self, session: SessionId, channel: ChannelId, rule: RuleId) -> bool {
        let channel = self.kernel.mirrors.get(&session).and_then(|mirror| mirror.channels.get(&channel));
        channel.and_then(|channel| channel.rules.get(&rule)).is_some_and(|rule| rule.enabled)
    }

    /// What was changed in the kernel part of a session can't be had: it is as it was before.
    pub fn restore_kernel(&mut self, id: SessionId, before: Option<KernelDomain>) {
        if let (Some(mirror), Some(before)) = (self.kernel.mirrors.get_mut(&id), &before) {
            mirror.give_up_change(before);
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.wanted.kernel = before;
        }
        self.touch_kernel(id);
    }

    /// The session is at its end: the tracer is to forget all of it.
    pub fn release_kernel(&mut self, session: SessionId) {
        let Some(mirror) = self.kernel.mirrors.get_mut(&session) else { return };
        if mirror.end == End::Not {
            mirror.end = End::Wanted;
        }
        self.kernel.dirty.insert(session);
        self.turn.changed = true;
    }

    /// The last descriptors are closed by the helper, since that takes its time.
    fn close_in_tracer(&mut self, id: SessionId) {
        let of_session = |role: &Role| matches!(role, Role::NewCpus(session, _) if *session == id);
        let polled = self.roles.iter().filter(|(_, role)| of_session(role)).map(|(&conn, _)| conn);
        for conn in polled.collect::<Vec<_>>() {
            self.close(conn);
        }
        self.kernel.programs.retain(|(session, ..), _| *session != id);
        let Some(mirror) = self.kernel.mirrors.get_mut(&id) else { return };
        let mut left = mirror.let_go();
        mirror.end = if left.is_empty() { End::Over } else { End::UnderWay };
        let last = left.split_off(left.len().saturating_sub(MAX_DESCRIPTORS));
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(MAX_DESCRIPTORS));
            self.ask_tracer((Job::Close, std::mem::replace(&mut left, rest)), TracerPurpose::Nothing);
        }
        if !last.is_empty() {
            self.ask_tracer((Job::Close, last), TracerPurpose::Close(id));
        }
        self.turn.changed = true;
    }

    /// Nothing is known of a session any more. What the tracer still has of it, since it took too long, is closed in time.
    pub(super) fn forget_in_kernel(&mut self, session: SessionId) {
        self.release_kernel(session);
        self.kernel.programs.retain(|(of, ..), _| *of != session);
    }

    /// What the tracer can do. Without one, everything.
    pub fn tracer_abilities(&self) -> Abilities {
        let found = self.kernel.found();
        let abi = |has: fn(AbiVersion) -> bool| found.is_none_or(|found| has(found.abi));
        Abilities {
            rotation: found.is_none_or(|found| found.version.can_rotate()),
            packet_numbers: abi(AbiVersion::has_packet_numbers),
            positions: abi(AbiVersion::has_buffer_samples),
            event_notifiers: abi(AbiVersion::has_event_notifiers),
        }
    }

    /// The program in which a rule's probe sits, as the client had it open.
    pub fn probed_program(&self, session: SessionId, channel: ChannelId, rule: RuleId) -> Option<SharedFd> {
        self.kernel.programs.get(&(session, channel, rule)).cloned()
    }

    /// A probe in a program keeps the program's file open.
    pub fn keep_program(&mut self, session: SessionId, channel: ChannelId, rule: RuleId, file: SharedFd) {
        self.kernel.programs.insert((session, channel, rule), file);
    }

    /// The kernel's channels of a session that its consumer daemon has.
    pub(super) fn kernel_channels(&self, session: SessionId, content: Content) -> Vec<ChannelRef> {
        let consumers = self.sessions.get(session).map_or(&[][..], |session| session.recording.consumers());
        let consumer = consumers.iter().find(|consumer| consumer.kind == ConsumerKind::Kernel);
        let (Some(&consumer), Some(mirror)) = (consumer, self.kernel.mirrors.get(&session)) else {
            return Vec::new();
        };
        let channel = |key| ChannelRef { consumer, key, content };
        match content {
            Content::Data => {
                let known = mirror.channels.values().rev().filter(|channel| channel.handed.known);
                known.map(|known| channel(known.key)).collect()
            }
            Content::Metadata => {
                let known = mirror.metadata.iter().filter(|metadata| metadata.handed.known);
                known.map(|metadata| channel(metadata.key)).collect()
            }
        }
    }

    /// The same for data, with the numbers that the session knows them by.
    pub fn kernel_data(&self, session: SessionId) -> Vec<(ChannelId, ChannelRef)> {
        let refs = self.kernel_channels(session, Content::Data);
        let Some(mirror) = self.kernel.mirrors.get(&session) else { return Vec::new() };
        let known = mirror.channels.iter().rev().filter(|(_, channel)| channel.handed.known);
        known.map(|(&id, _)| id).zip(refs).collect()
    }

    /// The consumer daemon of the kernel that a session records with, if it lives.
    pub fn kernel_consumer(&self, session: SessionId) -> Option<ConsumerId> {
        self.consumers_of(session).into_iter().find(|consumer| consumer.kind == ConsumerKind::Kernel)
    }

    /// The daemon ends, and no consumer daemon holds anything of the tracer: it is given up, and its modules are unloaded.
    /// Says whether that is done. To be called again until it is.
    pub fn end_tracer(&mut self) -> bool {
        if matches!(self.kernel.ending, Ending::Not) {
            let polled =
                self.roles.iter().filter(|(_, role)| matches!(role, Role::KernelEvents | Role::NewCpus(..)));
            for conn in polled.map(|(&conn, _)| conn).collect::<Vec<_>>() {
                self.close(conn);
            }
            let sessions: Vec<SessionId> = self.kernel.mirrors.keys().copied().collect();
            for id in sessions {
                self.release_kernel(id);
            }
            self.kernel.notifiers.events = None;
            let notifiers = self.kernel.notifiers.mirror.let_go();
            for piece in notifiers.chunks(MAX_DESCRIPTORS) {
                self.ask_tracer((Job::Close, piece.to_vec()), TracerPurpose::Nothing);
            }
            drop(notifiers);
            self.kernel.ending = Ending::Waiting(self.kernel.tracer.end());
        }
        if let Ending::Waiting(left) = &mut self.kernel.ending
            && self.kernel.helper.is_idle()
            && self.kernel.mirrors.values().all(|mirror| mirror.end == End::Over)
        {
            let left = std::mem::take(left);
            self.kernel.ending = Ending::Owed(left.len());
            for asked in left {
                self.ask_tracer(asked, TracerPurpose::End);
            }
        }
        matches!(self.kernel.ending, Ending::Owed(0))
    }

    /// Has what event notifiers tell looked after, or looked after anew.
    fn poll_kernel_events(&mut self) {
        let polled =
            self.roles.iter().filter(|(_, role)| **role == Role::KernelEvents).map(|(&conn, _)| conn);
        for conn in polled.collect::<Vec<_>>() {
            self.close(conn);
        }
        let group = self.kernel.tracer.found().and_then(|found| found.group.as_ref());
        let Some(descriptor) = group.map(|group| Rc::clone(&group.notifications)) else { return };
        match available::reader(&descriptor) {
            Ok(reader) => {
                self.kernel.notifiers.events = Some(reader);
                self.turn.outputs.push(Output::Poll { errand: Errand::KernelEvents, descriptor });
            }
            Err(error) => self.kernel_events_polled(Err(error)),
        }
    }

    /// Whether event notifiers' descriptor is looked after, or can't be.
    pub(super) fn kernel_events_polled(&mut self, result: io::Result<ConnId>) {
        match result {
            Ok(conn) => {
                self.roles.insert(conn, Role::KernelEvents);
            }
            Err(error) => {
                let text = format_args!("Events of the kernel that match triggers can't be told: {error}");
                self.turn.say(Level::Error, Topic::Tracer, None, text);
            }
        }
    }
}

/// What a task is told.
fn job_done((done, made): (Done, Vec<OwnedFd>)) -> JobDone {
    let step = |outcome| match outcome {
        Outcome::Done(bytes) => Ok(bytes),
        Outcome::Made { .. } => Ok(Vec::new()),
        Outcome::Failed(errno) => Err(errno),
        Outcome::Skipped => Err(libc::ECANCELED),
    };
    let steps = match done {
        Done::Well => Vec::new(),
        Done::Steps(outcomes) => outcomes.into_iter().map(step).collect(),
    };
    JobDone { steps, made }
}

fn name_in_trace(session: &Session) -> crate::text::Text {
    if session.wanted.generated_name { GENERATED_NAME.into() } else { session.wanted.name.as_str().into() }
}
