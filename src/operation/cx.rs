// SPDX-License-Identifier: GPL-2.0-only
//! A task's view of the daemon during one look: what it may ask, and what was answered.
//!
//! Requests are asked in batches. [`Cx::answers`] ends a batch: with all its answers, or without those that are still
//! owed when the task has had its time. An answer that comes later belongs to no batch and is dropped, so that it can't
//! be taken for one to the next step's questions.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use lttng_protocol::consumer::{CreateTraceChunk, Status};

use super::answer::Failure;
use super::patience::{Follower, Patience};
use super::task::Task;
use crate::consumer::Tail;
use crate::consumer::purpose::Purpose;
use crate::consumer::request::Request;
use crate::consumer::verb::{ChannelRef, Content, SessionVerb, Tracer, Verb};
use crate::helper::PathJob;
use crate::kernel::plan::Order;
use crate::kernel::refusal::{self, Refusal};
use crate::model::{BufferingScheme, Recorder, Session};
use crate::state::{PathPurpose, State};
use crate::turn::ids::{AppId, BuffersKey, ConsumerId, Identity, SessionId, TaskId};
use crate::turn::output::SharedFd;
use crate::turn::{Answered, JobDone, Ticket};
use crate::ust::obstacle::Obstacle;

/// How long a task may take. Consumer daemons have no deadline of their own.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What each of a crowd adds to the time in which all of it is expected to have answered: they wait for the CPU and for
/// the daemon, not only for themselves.
const TURN: Duration = Duration::from_millis(10);

/// The answers to what was asked together.
#[derive(Debug, Default)]
pub struct Answers {
    /// Some were still owed when the task had had its time.
    pub late: bool,
    /// Who was asked is gone, or was not there.
    pub lost: bool,
    /// A consumer daemon says that data is pending.
    pub data_pending: bool,
    /// The statuses and errors that were not 0.
    pub failures: Vec<i32>,
    /// Counts, each with the item that it was asked for.
    pub counts: Vec<(usize, u64)>,
    /// Open folders, each with the item that it was asked for.
    pub folders: Vec<(usize, OwnedFd)>,
    /// The places of a probe in a program.
    pub offsets: Vec<u64>,
    /// What came of a job of the kernel tracer's helper.
    pub job: Option<Result<JobDone, i32>>,
    /// Where a closed trace chunk is for those who read it.
    pub closed_path: String,
}

impl Answers {
    /// Whether everything was answered, and with success.
    pub fn all_well(&self) -> bool {
        self.failures.is_empty() && !self.lost && !self.late
    }

    /// Whether all channels of a session did as they were asked. Those of a process that exits may be gone.
    pub fn all_did(&self, session: &Session) -> bool {
        match session.scheme() {
            BufferingScheme::PerUser => self.all_well(),
            BufferingScheme::PerProcess => self.all_well_but_for(Status::CHANNEL_NOT_FOUND),
        }
    }

    /// Whether everything was answered, with success or with this status.
    pub fn all_well_but_for(&self, tolerated: Status) -> bool {
        self.failures.iter().all(|&status| status == tolerated.0) && !self.lost && !self.late
    }

    /// Whether somebody answered with this status.
    pub fn contains(&self, status: Status) -> bool {
        self.failures.contains(&status.0)
    }

    fn take(&mut self, item: usize, answered: Answered) {
        let mut note = |status| self.failures.extend(Some(status).filter(|&status| status != 0));
        match answered {
            Answered::Status(status) => note(status),
            Answered::Closed(status, path) => {
                note(status);
                self.closed_path = path;
            }
            Answered::DataPending(pending) => self.data_pending |= pending,
            Answered::Count(count) => self.counts.push((item, count)),
            Answered::Path(Ok(folder)) => self.folders.extend(folder.map(|folder| (item, folder))),
            Answered::Path(Err(errno)) => note(errno),
            Answered::Places(places) => self.offsets = places,
            Answered::Job(result) => self.job = Some(result),
            Answered::Lost => self.lost = true,
        }
    }
}

/// What a task asked and has not looked at yet.
#[derive(Debug, Default)]
pub struct Jobs {
    batch: u32,
    owed: usize,
    answers: Answers,
}

impl Jobs {
    /// A request was answered. Nobody is interested if it was asked in an earlier batch.
    pub fn answered(&mut self, ticket: Ticket, answered: Answered) {
        if ticket.batch == self.batch {
            self.owed = self.owed.saturating_sub(1);
            self.answers.take(ticket.item, answered);
        }
    }

    /// Ends the batch.
    fn end(&mut self) -> Answers {
        self.batch = self.batch.wrapping_add(1);
        self.owed = 0;
        std::mem::take(&mut self.answers)
    }
}

/// When a task is looked at although nothing changed.
#[derive(Debug)]
pub struct Clock {
    /// When it has had its time.
    pub deadline: Instant,
    /// When it wants to be looked at before that.
    pub look: Option<Instant>,
    /// When it got on last: it began, or was given its time anew, or something was answered.
    pub moved: Instant,
    /// How much of its time each follower has taken.
    patience: Patience,
}

impl Clock {
    /// For a task that begins now.
    pub fn begin(state: &State) -> Self {
        let (deadline, moved) = (state.turn.after(TIMEOUT), state.turn.now);
        Clock { deadline, look: None, moved, patience: Patience::default() }
    }

    /// When it is looked at next.
    pub fn next(&self) -> Instant {
        self.look.map_or(self.deadline, |look| look.min(self.deadline))
    }
}

/// A task's view of the daemon.
#[derive(Debug)]
pub struct Cx<'a> {
    /// Sessions and peers.
    pub state: &'a mut State,
    jobs: &'a mut Jobs,
    clock: &'a mut Clock,
    id: TaskId,
    expired: bool,
    begun: Vec<Box<dyn Task>>,
}

impl<'a> Cx<'a> {
    /// What this task may see and do now.
    pub fn new(state: &'a mut State, jobs: &'a mut Jobs, clock: &'a mut Clock, id: TaskId) -> Self {
        let now = state.turn.now;
        if clock.look.is_some_and(|look| now >= look) {
            clock.look = None;
        }
        let expired = now >= clock.deadline;
        Cx { state, jobs, clock, id, expired, begun: Vec::new() }
    }

    /// The tasks that this one began, who go on by themselves.
    pub fn into_begun(self) -> Vec<Box<dyn Task>> {
        self.begun
    }

    /// Begins a task that goes on by itself.
    pub fn begin(&mut self, task: impl Task + 'static) {
        self.begun.push(Box::new(task));
        self.state.turn.changed = true;
    }

    // Time.

    /// The time.
    pub fn now(&self) -> Instant {
        self.state.turn.now
    }

    /// The point in time `duration` from now.
    pub fn after(&self, duration: Duration) -> Instant {
        self.state.turn.after(duration)
    }

    /// Whether the task has had all its time.
    pub fn expired(&self) -> bool {
        self.expired
    }

    /// Gives the task its time anew: it gets on, but has much to do, or asks again and again.
    pub fn renew(&mut self) {
        self.clock.deadline = self.after(TIMEOUT);
        self.clock.moved = self.now();
        self.expired = false;
    }

    /// Has the task looked at again after `delay`; returns when that is.
    pub fn look_again_after(&mut self, delay: Duration) -> Instant {
        *self.clock.look.insert(self.state.turn.after(delay))
    }

    // Sessions.

    /// A session that must be there.
    pub fn session(&self, id: SessionId) -> Result<&Session, Failure> {
        self.state.sessions.get(id).ok_or(Failure::SessionGone)
    }

    /// A session that must be there, to which something happens.
    pub fn record(&mut self, id: SessionId) -> Result<Recorder<'_>, Failure> {
        self.state.record(id).ok_or(Failure::SessionGone)
    }

    /// Whether a task has consumer daemons go through the buffers of a session.
    pub fn buffers_in_use(&self, session: SessionId) -> bool {
        let holder = self.state.sessions.get(session).and_then(|session| session.recording.holder);
        holder.is_some_and(|holder| holder.uses_buffers)
    }

    /// Whether some of a session's buffers are still being made.
    pub fn is_making_buffers(&self, session: SessionId) -> bool {
        self.state.buffers_of(session).any(|(_, buffers)| !buffers.is_complete())
    }

    /// The buffers of a session that applications should have and can't, each with what the client is to be told.
    pub fn failed_buffers(&self, session: SessionId) -> BTreeMap<BuffersKey, Failure> {
        let failed = self.state.failed_buffers(session).into_iter();
        let failure = |why| match why {
            Obstacle::Folder(_) => Failure::FolderNotMade,
            Obstacle::ConsumerLost => Failure::ConsumerLost,
            Obstacle::Refused(_) | Obstacle::NoStreams | Obstacle::NoRoom => Failure::BuffersNotMade,
        };
        failed.map(|(key, why)| (key, failure(why))).collect()
    }

    // Questions.

    fn ticket(&mut self, item: usize) -> Ticket {
        self.jobs.owed = self.jobs.owed.saturating_add(1);
        Ticket { task: self.id, batch: self.jobs.batch, item }
    }

    /// Takes back what [`Cx::ticket`] counted: there was nobody to ask.
    fn nobody_there(&mut self) {
        self.jobs.owed = self.jobs.owed.saturating_sub(1);
        self.jobs.answers.lost = true;
    }

    /// The task can't be done: somebody whom it needs is not there.
    pub fn count_as_lost(&mut self) {
        self.jobs.answers.lost = true;
    }

    /// Asks something of one channel; `item` comes back with a count.
    pub fn ask(&mut self, channel: ChannelRef, verb: Verb, item: usize) {
        let Some(request) = verb.request(channel) else { return };
        let purpose = Purpose::Task(self.ticket(item));
        if !self.state.ask_consumer(channel.consumer, request, Tail::None, purpose) {
            self.nobody_there();
        }
    }

    /// Asks the same of each of a session's channels of this content.
    pub fn each_channel(&mut self, session: SessionId, content: Content, verb: &Verb) {
        for channel in self.state.channels_of(session, content) {
            self.ask(channel, verb.clone(), 0);
        }
    }

    /// Has the same done with each of a session's data channels. What comes of it changes nothing here.
    pub fn tell_each_channel(&mut self, session: SessionId, verb: &Verb) {
        for channel in self.state.channels_of(session, Content::Data) {
            // A consumer daemon that is gone is noticed by other means.
            let _ = self.state.ask_channel(channel, verb.clone(), Purpose::Nothing);
        }
    }

    /// Asks one consumer daemon.
    pub fn ask_consumer(&mut self, consumer: ConsumerId, verb: SessionVerb, tail: Tail) {
        let purpose = Purpose::Task(self.ticket(0));
        if !self.state.ask_consumer(consumer, verb.request(consumer.kind), tail, purpose) {
            self.nobody_there();
        }
    }

    /// Asks one consumer daemon for something that only its kind does.
    pub fn ask_consumer_for(&mut self, consumer: ConsumerId, request: impl Into<Request>, tail: Tail) {
        let purpose = Purpose::Task(self.ticket(0));
        if !self.state.ask_consumer(consumer, request, tail, purpose) {
            self.nobody_there();
        }
    }

    /// Has something done with one channel. What comes of it changes nothing here.
    pub fn tell_channel(&mut self, channel: ChannelRef, verb: Verb) {
        let _ = self.state.ask_channel(channel, verb, Purpose::Nothing);
    }

    /// Asks each consumer daemon that the session records with, as far as they live.
    pub fn each_consumer(&mut self, verb: &SessionVerb) {
        for consumer in self.state.consumers_of(verb.session()) {
            self.ask_consumer(consumer, verb.clone(), Tail::None);
        }
    }

    /// The same, but with none left, it has failed.
    pub fn demand_of_consumers(&mut self, verb: &SessionVerb) {
        self.jobs.answers.lost |= self.state.consumers_of(verb.session()).is_empty();
        self.each_consumer(verb);
    }

    /// Tells each of these consumer daemons something; what comes of it changes nothing here.
    pub fn tell_each_consumer(&mut self, verb: &SessionVerb) {
        for consumer in self.state.consumers_of(verb.session()) {
            let request = verb.clone().request(consumer.kind);
            let _ = self.state.ask_consumer(consumer, request, Tail::None, Purpose::Nothing);
        }
    }

    /// Tells the consumer daemons that the session records with, which are returned, of a trace chunk. Each gets the folder
    /// of its tracer; without folders, the chunk is known to a relay daemon.
    pub fn create_chunk(
        &mut self,
        chunk: &CreateTraceChunk,
        folders: Option<&[(Tracer, SharedFd)]>,
    ) -> Vec<ConsumerId> {
        let consumers = self.state.consumers_of(SessionId(chunk.session_id));
        self.jobs.answers.lost |= consumers.is_empty();
        for &consumer in &consumers {
            let tracer = Tracer::of(consumer.kind);
            let folder = folders.map(|folders| folders.iter().find(|(of, _)| *of == tracer));
            let tail = match folder {
                None => Tail::None,
                Some(Some((_, folder))) => Tail::Descriptor(folder.clone()),
                // The session has nothing of this tracer.
                Some(None) => continue,
            };
            self.ask_consumer(consumer, SessionVerb::CreateChunk(chunk.clone()), tail);
        }
        consumers
    }

    /// Asks the helper, in the name of a session's owner; `item` comes back with an open folder.
    pub fn ask_helper(&mut self, owner: Identity, job: PathJob, item: usize) {
        let purpose = PathPurpose::Task(self.ticket(item));
        self.state.ask_helper(owner, job, purpose);
    }

    /// Asks the helper about an open file.
    pub fn ask_helper_about(&mut self, owner: Identity, job: PathJob, file: SharedFd) {
        let purpose = PathPurpose::Task(self.ticket(0));
        self.state.ask_helper_with(owner, job, vec![file], purpose);
    }

    // Answers.

    /// What all requests since the last call came to, once all are answered, or once the task has had its time.
    pub fn answers(&mut self) -> Poll<Answers> {
        let late = self.jobs.owed > 0;
        if late && !self.expired {
            return Poll::Pending;
        }
        Poll::Ready(Answers { late, ..self.jobs.end() })
    }

    /// What is still owed is of no interest any more.
    pub fn forget_answers(&mut self) {
        self.jobs.end();
    }

    // Followers.

    /// Has all who follow sessions looked at, and names them: those that [`Cx::settled`] is to wait for.
    pub fn touch_followers(&mut self) -> Followers {
        self.state.touch_all_applications();
        self.state.touch_kernel_of_all();
        // The first that is asked is waited for first: what the others take meanwhile is not counted as its time.
        let apps = self.state.applications.all.keys().rev().map(|&app| Follower::Application(app));
        let agents = self.state.agents.ids().rev().map(Follower::Agent);
        let all: Vec<Follower> = agents.chain(apps).collect();
        let turn = TURN.saturating_mul(u32::try_from(all.len()).unwrap_or(u32::MAX));
        let timeout = self.state.settings.application_timeout;
        let until = timeout.map(|timeout| self.after(timeout.saturating_add(turn)));
        Followers { all, until }
    }

    /// Whether `followers` have got hold of a session, as far as they are able to, or have had their time, or the task
    /// has had its own. What one of them has taken of its time before, in this task, it does not get again.
    pub fn settled(&mut self, followers: &mut Followers, session: SessionId) -> Poll<()> {
        ready!(self.all(followers, |state, app| state.is_settled(app, session)));
        self.kernel_settled(session)
    }

    /// Whether the kernel's tracer has what a session wants of it, or has refused it, or the task has had its time.
    pub fn kernel_settled(&self, session: SessionId) -> Poll<()> {
        if self.state.is_kernel_settled(session) || self.expired { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Takes what the kernel's tracer has refused of a session. That it has not answered in time is a refusal of `all`.
    pub fn kernel_refusals(&mut self, session: SessionId, all: refusal::Asked) -> Vec<Refusal> {
        let silent = !self.state.is_kernel_settled(session);
        let late = silent.then_some(Refusal { asked: all, errno: libc::ETIMEDOUT });
        self.state.take_kernel_refusals(session).into_iter().chain(late).collect()
    }

    /// Has the tracer's helper do something.
    pub fn ask_tracer(&mut self, asked: Order) {
        let ticket = self.ticket(0);
        self.state.ask_tracer_for(asked, ticket);
    }

    /// Has the tracer's helper do something whose outcome changes nothing.
    pub fn tell_tracer(&mut self, asked: Order) {
        self.state.tell_tracer(asked);
    }

    /// The same for the event notifiers that triggers want.
    pub fn notified(&mut self, followers: &mut Followers) -> Poll<()> {
        self.all(followers, State::is_notified)
    }

    /// Whether all applications are so, and all agents have what is wanted of them, or have had their time.
    fn all(&mut self, followers: &mut Followers, is_so: impl Fn(&State, AppId) -> bool) -> Poll<()> {
        let now = self.now();
        // Those that have it are taken off the end, so that looking again costs nothing as long as the last one has not.
        while let Some(&follower) = followers.all.last() {
            let has_it = match follower {
                Follower::Application(app) => is_so(self.state, app),
                Follower::Agent(agent) => self.state.is_agent_settled(agent),
            };
            if !has_it {
                match self.patience_with(follower, followers.until) {
                    Some(_) if self.expired => break,
                    Some(until) => {
                        self.look_again_at(until);
                        return Poll::Pending;
                    }
                    None => match follower {
                        Follower::Application(app) => self.state.give_up_waiting(app),
                        Follower::Agent(agent) => self.state.give_up_waiting_for_agent(agent),
                    },
                }
            }
            followers.all.pop();
        }
        self.clock.patience.stop(now);
        Poll::Ready(())
    }

    /// When somebody who is waited for has had its time; nothing if it has had it.
    fn patience_with(&mut self, follower: Follower, until: Option<Instant>) -> Option<Instant> {
        let now = self.now();
        let (Some(until), Some(limit)) = (until, self.state.settings.application_timeout) else {
            return Some(self.clock.deadline);
        };
        let left = self.clock.patience.wait_for(follower, now, limit)?;
        Some(self.after(left).min(until)).filter(|&until| now < until)
    }

    /// Has the task looked at again at this time, if not before.
    pub fn look_again_at(&mut self, at: Instant) {
        let look = self.clock.look.map_or(at, |look| look.min(at));
        self.clock.look = Some(look);
    }
}

/// Who follows a session and has not got hold of it yet.
#[derive(Debug)]
pub struct Followers {
    /// The one that is waited for first comes last.
    all: Vec<Follower>,
    /// Until when they are waited for; none is for ever.
    until: Option<Instant>,
}
