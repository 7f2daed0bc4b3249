// SPDX-License-Identifier: GPL-2.0-only
//! Commands that need peers: their replies are owed, not awaited.
//!
//! An operation is a small state machine. It is looked at whenever something changed that it may depend on,
//! asks for what it needs next, and says in the end what its client is to be told. Each client gets exactly one
//! reply, also when peers die: every operation has a deadline. While an operation on a session is under way,
//! other commands about that session wait.

mod archive;
mod clear;
mod data_pending;
mod delivery;
mod destroy;
mod folders;
mod list_applications;
mod list_channels;
mod record_snapshot;
mod removal;
mod retire;
mod rotate;
mod rotation;
mod start;
mod stop;
mod synchronise;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use lttng_protocol::client::{Command, ErrorCode, Header, Reply};
use lttng_protocol::consumer::{CreateTraceChunk, Status, UstRequest};

pub use archive::Archive;
pub use clear::Clear;
pub use data_pending::DataPending;
pub use destroy::Destroy;
pub use list_applications::ListApplications;
pub use list_channels::ListChannels;
pub use record_snapshot::RecordSnapshot;
pub use retire::Retire;
pub use rotate::{Rotate, RotationQuery};
pub use start::Start;
pub use stop::{AtRest, Stop};
pub use synchronise::Synchronise;

use crate::consumer::{Outcome, Tail};
use crate::daemon::{Daemon, Purpose};
use crate::helper::Operation as PathOperation;
use crate::model::SessionId;
use crate::output::{ConnId, ConsumerKind, SharedFd, Supply};
use crate::ust::app::AppId;

/// How long an operation may take. Consumer daemons have no deadline of their own.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// What an operation asked of helper and consumer daemons and has not looked at yet.
#[derive(Debug, Default)]
pub struct Jobs {
    outstanding: usize,
    /// The statuses and errors that were not 0.
    failures: Vec<i32>,
    /// A consumer daemon or the helper is gone.
    lost: bool,
    data_pending: bool,
    counts: Vec<(usize, u64)>,
    descriptor: Option<OwnedFd>,
    /// Where a closed trace chunk is for those who read it.
    closed_path: String,
}

impl Jobs {
    /// A consumer daemon has answered.
    pub fn consumer_answered(&mut self, item: usize, outcome: &Outcome) {
        self.outstanding = self.outstanding.saturating_sub(1);
        match outcome {
            Outcome::Status(0) | Outcome::Channel(_) | Outcome::Buffers(_) => {}
            Outcome::Status(status) => self.failures.push(*status),
            Outcome::Closed(status, path) => {
                self.closed_path.clone_from(path);
                self.failures.extend(Some(*status).filter(|status| *status != 0));
            }
            Outcome::DataPending(pending) => self.data_pending |= pending,
            Outcome::Count(count) => self.counts.push((item, *count)),
            Outcome::Lost => self.lost = true,
        }
    }

    /// The helper has answered.
    pub fn path_done(&mut self, result: Result<(), i32>, descriptor: Option<OwnedFd>) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.descriptor = descriptor.or(self.descriptor.take());
        if let Err(errno) = result {
            self.failures.push(errno);
        }
    }

    fn failed(&self) -> bool {
        !self.failures.is_empty() || self.lost
    }

    /// Whether something went wrong besides requests that ended in this status.
    fn failed_but_for(&self, tolerated: Status) -> bool {
        self.lost || self.failures.iter().any(|&status| status != tolerated.0)
    }
}

/// What an operation does.
#[derive(Debug)]
pub enum Work {
    /// Start recording.
    Start(Start),
    /// Stop recording.
    Stop(Stop),
    /// End a session.
    Destroy(Destroy),
    /// Tell whether data is still to be written.
    DataPending(DataPending),
    /// List the tracepoints of applications, or their fields.
    ListApplications(ListApplications),
    /// List channels with their losses.
    ListChannels(ListChannels),
    /// Give up the buffers of an application that is gone.
    Retire(Retire),
    /// Write what the buffers of a session hold.
    RecordSnapshot(Box<RecordSnapshot>),
    /// Wait until applications have what a command changed.
    Synchronise(Synchronise),
    /// Go on in a new trace chunk.
    Rotate(Rotate),
    /// Tell how a rotation went.
    RotationQuery(RotationQuery),
    /// See a trace chunk to its end.
    Archive(Archive),
    /// Throw away what was recorded.
    Clear(Clear),
}

/// Whether an operation is over.
#[derive(Debug)]
pub enum Progress {
    /// It goes on.
    Pending,
    /// It is over; this is for the client.
    Done(Reply),
    /// It is over; this is for the client, with a payload of so many bytes that is made while it is sent.
    DoneInPieces(Reply, usize, Box<dyn Supply>),
}

/// Who is told what came of an operation. The header of the reply is made when the request arrives.
#[derive(Debug, Clone)]
pub struct ReplyTo {
    /// The client, while it is there.
    pub conn: Option<ConnId>,
    /// A reply to it that says success.
    pub reply: Reply,
}

impl ReplyTo {
    /// The daemon itself wants it done.
    pub fn nobody() -> Self {
        ReplyTo { conn: None, reply: Reply::ok(&Header::new(Command::DataPending, "")) }
    }
}

/// An operation under way.
#[derive(Debug)]
pub struct Operation {
    work: Work,
    /// Requests under way.
    pub jobs: Jobs,
    to: ReplyTo,
    session: Option<SessionId>,
    deadline: Instant,
    look: Option<Instant>,
}

impl Operation {
    /// When it must be looked at even if nothing changes.
    pub fn next_look(&self) -> Instant {
        self.look.map_or(self.deadline, |look| look.min(self.deadline))
    }
}

/// An operation's view of the daemon during one look.
#[derive(Debug)]
pub struct Context<'a> {
    /// The daemon.
    pub daemon: &'a mut Daemon,
    jobs: &'a mut Jobs,
    to: &'a ReplyTo,
    id: OperationId,
    expired: bool,
    deadline: &'a mut Instant,
    look: &'a mut Option<Instant>,
}

impl Context<'_> {
    /// Whether the operation has had all its time.
    pub fn expired(&self) -> bool {
        self.expired
    }

    /// Gives the operation its time anew: it gets on, but has much to do, or asks again and again.
    fn renew(&mut self) {
        *self.deadline = self.daemon.after(TIMEOUT);
        self.expired = false;
    }

    /// Asks a consumer daemon; `item` comes back with a count.
    pub fn ask_consumer(&mut self, kind: ConsumerKind, request: UstRequest, tail: Tail, item: usize) {
        let purpose = Purpose::Operation(self.id, item);
        if self.daemon.ask_consumer(kind, request, tail, purpose) {
            self.jobs.outstanding = self.jobs.outstanding.saturating_add(1);
        } else {
            self.jobs.lost = true;
        }
    }

    /// Asks every consumer daemon in service.
    fn ask_consumers(&mut self, request: &UstRequest) {
        for kind in self.daemon.ready_consumers() {
            self.ask_consumer(kind, request.clone(), Tail::None, 0);
        }
    }

    /// Asks every consumer daemon in service. With none left, it has failed.
    fn demand_of_consumers(&mut self, request: &UstRequest) {
        self.jobs.lost |= self.daemon.ready_consumers().is_empty();
        self.ask_consumers(request);
    }

    /// Asks about every data channel of a session.
    fn ask_data_channels(&mut self, session: SessionId, request: impl Fn(u64) -> UstRequest) {
        for (kind, _, key) in self.daemon.data_keys(session) {
            self.ask_consumer(kind, request(key), Tail::None, 0);
        }
    }

    /// The metadata channels that consumer daemons have of a session.
    fn metadata_keys(&self, session: SessionId) -> Vec<(ConsumerKind, u64)> {
        let ready = self.daemon.buffers_of(session).filter(|(_, buffers)| buffers.metadata_ready());
        ready.map(|(_, buffers)| (buffers.consumer, buffers.metadata_key)).collect()
    }

    /// Asks about every metadata channel of a session.
    fn ask_metadata_channels(&mut self, session: SessionId, request: impl Fn(u64) -> UstRequest) {
        for (kind, key) in self.metadata_keys(session) {
            self.ask_consumer(kind, request(key), Tail::None, 0);
        }
    }

    /// Tells the consumer daemons in service, which are returned, of a trace chunk: its folder is on this machine, or
    /// known to a relay daemon.
    fn create_chunk(&mut self, chunk: &CreateTraceChunk, folder: Option<&SharedFd>) -> Vec<ConsumerKind> {
        let consumers = self.daemon.ready_consumers();
        self.jobs.lost |= consumers.is_empty();
        for &kind in &consumers {
            let tail = folder.map_or(Tail::None, |folder| Tail::Descriptor(folder.clone()));
            self.ask_consumer(kind, UstRequest::CreateTraceChunk(chunk.clone()), tail, 0);
        }
        consumers
    }

    /// Asks the helper, in the name of the session's owner.
    pub fn path_operation(&mut self, owner: (u32, u32), operation: PathOperation) {
        let purpose = crate::daemon::PathPurpose::Operation(self.id);
        self.jobs.outstanding = self.jobs.outstanding.saturating_add(1);
        self.daemon.path_operation(owner, operation, purpose);
    }

    /// What all requests since the last call came to, once all are answered.
    pub fn answered(&mut self) -> Option<Jobs> {
        (self.jobs.outstanding == 0).then(|| std::mem::take(self.jobs))
    }

    /// Has the operation looked at again after `delay`; returns when that is.
    pub fn look_again_after(&mut self, delay: Duration) -> Instant {
        *self.look.insert(self.daemon.after(delay))
    }

    /// Has every application looked at, and names them: those that [`Context::unsettled`] is to wait for.
    fn touch_all_applications(&mut self) -> Vec<AppId> {
        self.daemon.touch_all_applications();
        self.daemon.apps.keys().copied().collect()
    }

    /// A reply with this code.
    pub fn reply(&self, code: ErrorCode) -> Progress {
        Progress::Done(Reply { code, ..self.to.reply.clone() })
    }

    /// A reply that says success and carries this.
    pub fn success(&self) -> Reply {
        self.to.reply.clone()
    }

    /// Whether some of a session's buffers are still being made.
    fn is_making_buffers(&self, session: SessionId) -> bool {
        self.daemon.buffers_of(session).any(|(_, buffers)| !buffers.is_complete())
    }

    /// Whether an operation is under way that has consumer daemons go through the buffers of a session.
    fn buffers_in_use(&self, session: SessionId) -> bool {
        let holder = self.daemon.held.get(&session).and_then(|id| self.daemon.operations.get(id));
        holder.is_some_and(|holder| matches!(holder.work, Work::RecordSnapshot(_) | Work::Clear(_)))
    }

    /// Whether some of `apps` have still to get hold of a session. Those that have it are taken off the end, so that
    /// looking again costs nothing as long as the last one has not.
    fn unsettled(&self, apps: &mut Vec<AppId>, session: SessionId) -> bool {
        while apps.pop_if(|app| self.daemon.is_settled(*app, session)).is_some() {}
        !apps.is_empty()
    }
}

impl Work {
    fn step(&mut self, context: &mut Context<'_>) -> Progress {
        match self {
            Work::Start(work) => work.step(context),
            Work::Stop(work) => work.step(context).map_or(Progress::Pending, |code| context.reply(code)),
            Work::Destroy(work) => work.step(context),
            Work::DataPending(work) => work.step(context),
            Work::ListApplications(work) => work.step(context),
            Work::ListChannels(work) => work.step(context),
            Work::Retire(work) => work.step(context),
            Work::RecordSnapshot(work) => work.step(context),
            Work::Synchronise(work) => work.step(context),
            Work::Rotate(work) => work.step(context),
            Work::RotationQuery(work) => work.step(context),
            Work::Archive(work) => work.step(context),
            Work::Clear(work) => work.step(context),
        }
    }
}

impl Daemon {
    /// Begins an operation. While it is under way, it holds `session`.
    pub(crate) fn begin(&mut self, work: Work, to: ReplyTo, session: Option<SessionId>) {
        let id = self.counters.operation();
        let deadline = self.after(TIMEOUT);
        if let Some(session) = session {
            self.held.insert(session, id);
        }
        let jobs = Jobs::default();
        self.operations.insert(id, Operation { work, jobs, to, session, deadline, look: None });
        self.changed = true;
    }

    /// Lets every operation look at what has changed.
    pub(crate) fn run_operations(&mut self) {
        let ids: Vec<OperationId> = self.operations.keys().copied().collect();
        for id in ids {
            // While an operation looks, it is not in the table; nothing that it asks is answered meanwhile.
            let Some(mut operation) = self.operations.remove(&id) else { continue };
            let expired = self.now >= operation.deadline;
            if operation.look.is_some_and(|look| self.now >= look) {
                operation.look = None;
            }
            let mut context = Context {
                daemon: self,
                jobs: &mut operation.jobs,
                to: &operation.to,
                id,
                expired,
                deadline: &mut operation.deadline,
                look: &mut operation.look,
            };
            let (reply, pieces) = match operation.work.step(&mut context) {
                Progress::Pending => {
                    self.operations.insert(id, operation);
                    continue;
                }
                Progress::Done(reply) => (reply, None),
                Progress::DoneInPieces(reply, length, supply) => (reply, Some((length, supply))),
            };
            self.changed = true;
            if let Some(session) = operation.session {
                self.held.remove(&session);
            }
            if let Some(conn) = operation.to.conn {
                self.reply_in_pieces(conn, &reply, pieces);
            }
        }
    }
}
