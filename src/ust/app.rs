// SPDX-License-Identifier: GPL-2.0-only
//! One application: its connections, the commands it has not answered, and what is known of it.
//!
//! Commands are written as soon as they are known and answered in order, so the queue of unanswered ones is
//! all that is needed to understand a reply. Whether the application is slow or unable to answer is decided
//! by looking at its process, never by guessing from the time alone ([`App::overdue`]).

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lttng_protocol::ust::Registration;
use lttng_protocol::ust::command::{Command, Message, ROOT, Reply, TracepointField, TracerVersion, code};

use super::error_counters::CounterSet;
use super::listing::{self, Listed, Listing, ListingKind, Nonsense};
use super::mirror::{Request, SessionMirror};
use super::notifiers::{self, NotifiersMirror, PipeState};
use crate::accounts::{Charge, Exhausted};
use crate::model::BufferingScheme;
use crate::small_map::SmallMap;
use crate::sys::socket::Credentials;
use crate::turn::ids::{AppId, BuffersKey, ConnId, ListingId, Owner, SessionId};
use crate::turn::inbox::Inbox;
use crate::turn::output::{Outputs, SharedFd};
use crate::turn::watch::{Watch, Watched};

/// Bytes of commands that an application should have to answer at once. Its socket takes about as many, so that few of
/// them pile up here, however many there are to come and however slow it is.
const MAX_UNANSWERED: usize = 128 << 10;

/// Where memory is held for an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A notify request that is not complete.
    NotifyInput,
    /// Commands that it has not read.
    CommandQueue,
    /// Answers to notify requests that it has not read.
    NotifyQueue,
}

/// What an unanswered command was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The version of its tracer.
    TracerVersion,
    /// Its `main` may run.
    RegisterDone,
    /// A session's mirror.
    Session(SessionId, Request),
    /// The mirror of its event notifiers.
    Notifiers(notifiers::Request),
    /// A listing.
    Listing(ListingId, ListingKind, listing::Step),
}

/// A command with all that goes with it.
#[derive(Debug)]
pub struct Outgoing {
    /// The object that the command is for.
    pub handle: u32,
    pub command: Command,
    /// Bytes that follow it.
    pub payload: Vec<u8>,
    /// Descriptors that follow, on a byte of their own.
    pub descriptors: Vec<SharedFd>,
}

impl Outgoing {
    /// A command that is complete by itself.
    pub fn plain(handle: u32, command: Command) -> Self {
        Outgoing { handle, command, payload: Vec::new(), descriptors: Vec::new() }
    }
}

#[derive(Debug)]
struct Expected {
    handle: u32,
    command: u32,
    cause: Cause,
    /// Bytes that it took.
    length: usize,
    /// Before the answer, it says that it will take what follows the command.
    goes_ahead: bool,
}

/// The pipe on which an application tells of events.
#[derive(Debug, Default)]
pub enum Pipe {
    /// None was asked for.
    #[default]
    None,
    /// It is being made; what it costs is paid.
    Requested(Charge),
    /// It is there, and the end for the application has still to be handed over.
    Made(ConnId, SharedFd),
    /// The application has its end of it.
    Given(ConnId),
    /// It can't be had. It is tried again, unless the application does not want it.
    Failed,
}

impl Pipe {
    /// What the planner has to know of it.
    pub fn state(&self) -> PipeState {
        match self {
            Pipe::None | Pipe::Requested(_) => PipeState::Pending,
            Pipe::Made(..) | Pipe::Given(_) => PipeState::Ready,
            Pipe::Failed => PipeState::Failed,
        }
    }

    /// The end that is handed over. From now on only the application has it.
    pub fn give(&mut self) -> Option<SharedFd> {
        match std::mem::take(self) {
            Pipe::Made(conn, writing) => {
                *self = Pipe::Given(conn);
                Some(writing)
            }
            other => {
                *self = other;
                None
            }
        }
    }
}

/// An answer, understood.
#[derive(Debug)]
pub struct Answer {
    /// What it answers.
    pub cause: Cause,
    pub reply: Reply,
    /// The field that follows an entry of a field list.
    pub field: Option<TracepointField>,
}

/// One application.
#[derive(Debug)]
pub struct App {
    pub command: ConnId,
    pub notify: ConnId,
    /// Who it is, as the kernel says.
    pub credentials: Credentials,
    /// Who it is, as it says.
    pub registration: Registration,
    /// Seconds since the Epoch when both its connections were there.
    pub registered: i64,
    /// Version of its tracer, once known.
    pub tracer: Option<TracerVersion>,
    /// What it has of the sessions.
    pub mirrors: SmallMap<SessionId, SessionMirror>,
    /// What it has of event notifiers.
    pub notifiers: NotifiersMirror,
    /// The pipe on which it tells of events.
    pub pipe: Pipe,
    /// Where it counts what it could not tell.
    pub error_counters: Option<Rc<CounterSet>>,
    /// How often buffers of its own were made for it, for each session.
    pub buffer_sets: SmallMap<SessionId, u32>,
    /// Its `main` was allowed to run.
    pub released: bool,
    /// When its `main` is allowed to run at the latest.
    pub release_by: Instant,
    /// It can't answer at the moment: nobody waits for it, nothing new is asked of it.
    pub lagging: bool,
    /// Listings under way.
    pub listings: SmallMap<ListingId, Listing>,
    /// Bytes of an incomplete notify request.
    pub notify_input: Inbox,
    /// What its two connections cost those who made them.
    pub charges: [Charge; 2],
    expected: VecDeque<Expected>,
    input: Inbox,
    reply: Option<Reply>,
    watch: Option<Watch>,
    /// How many of the unanswered commands somebody has given up waiting for.
    given_up: usize,
    /// Bytes of the unanswered commands.
    unanswered: usize,
    /// What is held here for it, for which its user is charged.
    held: [usize; 3],
    memory: Charge,
}

impl App {
    /// An application whose two connections are there.
    pub fn new(
        [command, notify]: [ConnId; 2],
        credentials: Credentials,
        registration: Registration,
        (charges, memory): ([Charge; 2], Charge),
        registered: i64,
        release_by: Instant,
    ) -> Self {
        App {
            command,
            notify,
            credentials,
            registration,
            registered,
            tracer: None,
            mirrors: SmallMap::default(),
            notifiers: NotifiersMirror::default(),
            pipe: Pipe::None,
            error_counters: None,
            buffer_sets: SmallMap::default(),
            released: false,
            release_by,
            lagging: false,
            listings: SmallMap::default(),
            notify_input: Inbox::default(),
            charges,
            expected: VecDeque::new(),
            input: Inbox::default(),
            reply: None,
            watch: None,
            given_up: 0,
            unanswered: 0,
            held: [0; 3],
            memory,
        }
    }

    /// The buffers that it uses in a session.
    pub fn buffers_key(&self, session: SessionId, scheme: BufferingScheme) -> BuffersKey {
        let owner = match scheme {
            BufferingScheme::PerUser => Owner::User(self.credentials.uid),
            BufferingScheme::PerProcess => Owner::Application(AppId(self.command)),
        };
        BuffersKey { session, bits: self.registration.bits_per_long, owner }
    }

    /// Writes a command.
    pub fn send(&mut self, outgoing: Outgoing, cause: Cause, now: Instant, outputs: &mut Outputs) {
        let Outgoing { handle, command, payload, descriptors } = outgoing;
        let length = Message::LEN.saturating_add(payload.len());
        let (number, goes_ahead) = (command.number(), command.replies_twice());
        self.expected.push_back(Expected { handle, command: number, cause, length, goes_ahead });
        self.unanswered = self.unanswered.saturating_add(length);
        let mut bytes = Vec::with_capacity(length);
        Message { handle, command }.encode_into(&mut bytes);
        bytes.extend_from_slice(&payload);
        outputs.send(self.command, bytes);
        if !descriptors.is_empty() {
            outputs.send_descriptors(self.command, descriptors);
        }
        self.watch.get_or_insert(Watch::new(now));
    }

    /// Writes a command about the connection itself.
    pub fn send_root(&mut self, command: Command, cause: Cause, now: Instant, outputs: &mut Outputs) {
        self.send(Outgoing::plain(ROOT, command), cause, now, outputs);
    }

    /// Starts a listing.
    pub fn list(
        &mut self,
        id: ListingId,
        kind: ListingKind,
        charge: Charge,
        now: Instant,
        outputs: &mut Outputs,
    ) {
        self.listings.insert(id, Listing::new(kind, charge));
        self.send_root(kind.create(), Cause::Listing(id, kind, listing::Step::Create), now, outputs);
    }

    /// Takes bytes from the command connection; call [`App::next_answer`] afterwards.
    pub fn received(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    /// It said something that is no answer.
    pub fn shows_life(&mut self, now: Instant) {
        if let Some(watch) = &mut self.watch {
            watch.shows_life(now);
        }
    }

    /// The next complete answer among the bytes received.
    ///
    /// # Errors
    /// [`Nonsense`] when it does not answer the oldest command.
    pub fn next_answer(&mut self, now: Instant) -> Result<Option<Answer>, Nonsense> {
        let Some(reply) = self.next_reply(now)? else { return Ok(None) };
        let Some(oldest) = self.expected.front() else { return Err(Nonsense("reply to no command")) };
        let (cause, length) = (oldest.cause, oldest.length);
        let has_field = matches!(cause, Cause::Listing(_, ListingKind::Fields, listing::Step::Entry));
        let field = if has_field && reply.code == code::OK {
            let Some(field) = self.input.take(TracepointField::LEN, TracepointField::decode) else {
                self.reply = Some(reply);
                return Ok(None);
            };
            Some(field.map_err(|_| Nonsense("malformed field"))?)
        } else {
            None
        };
        self.expected.pop_front();
        self.given_up = self.given_up.saturating_sub(1);
        self.unanswered = self.unanswered.saturating_sub(length);
        if self.expected.is_empty() {
            // Most applications owe nothing most of the time.
            self.expected = VecDeque::new();
        }
        self.watch = (!self.expected.is_empty()).then(|| Watch::new(now));
        Ok(Some(Answer { cause, reply, field }))
    }

    /// The next reply that answers the oldest command.
    fn next_reply(&mut self, now: Instant) -> Result<Option<Reply>, Nonsense> {
        if let Some(reply) = self.reply.take() {
            return Ok(Some(reply));
        }
        loop {
            let Some(reply) = self.input.take(Reply::LEN, Reply::decode) else { return Ok(None) };
            let reply = reply.map_err(|_| Nonsense("malformed reply"))?;
            let Some(oldest) = self.expected.front_mut() else {
                return Err(Nonsense("reply to no command"));
            };
            if (reply.handle, reply.command) != (oldest.handle, oldest.command) {
                return Err(Nonsense("reply to another command"));
            }
            if !std::mem::take(&mut oldest.goes_ahead) {
                return Ok(Some(reply));
            }
            // It has what follows the command already, and would take that for the next one.
            if reply.code != code::OK {
                return Err(Nonsense("it does not take what follows a command"));
            }
            self.watch = Some(Watch::new(now));
        }
    }

    /// Goes on with a listing after an answer.
    pub fn list_further(
        &mut self,
        id: ListingId,
        step: listing::Step,
        answer: &Answer,
        now: Instant,
        outputs: &mut Outputs,
    ) -> Result<(), Nonsense> {
        let Some(listing) = self.listings.get_mut(&id) else { return Ok(()) };
        let commands = listing.answered(step, &answer.reply, answer.field.as_ref())?;
        let kind = listing.kind;
        if listing.is_over() {
            self.listings.remove(&id);
        }
        for (handle, step) in commands {
            let command = Outgoing::plain(handle, kind.command(step));
            self.send(command, Cause::Listing(id, kind, step), now, outputs);
        }
        Ok(())
    }

    /// Takes the entries of a listing, complete or not; it ends by itself.
    pub fn take_listing(&mut self, id: ListingId) -> Option<Listed> {
        let listing = self.listings.get_mut(&id)?;
        let complete = listing.done;
        let listed = listing.take();
        if listing.is_over() {
            self.listings.remove(&id);
        }
        if !complete {
            self.give_up_waiting();
        }
        Some(listed)
    }

    /// Whether it has all that sessions and triggers want of it.
    pub fn has_everything(&self) -> bool {
        self.mirrors.values().all(SessionMirror::is_settled) && self.notifiers.is_settled()
    }

    /// Somebody has waited long enough for what it owes now.
    pub fn give_up_waiting(&mut self) {
        self.given_up = self.expected.len();
    }

    /// Whether it still owes what somebody has waited for long enough: what it is asked now comes after that, and is
    /// not waited for, either.
    pub fn is_behind(&self) -> bool {
        self.given_up > 0
    }

    /// Whether it has as much to do as it should have at once: what follows must not pile up here.
    pub fn has_enough_to_do(&self) -> bool {
        self.unanswered >= MAX_UNANSWERED
    }

    /// So many bytes are held for it there now.
    ///
    /// # Errors
    /// Its user has too many.
    pub fn hold(&mut self, place: Place, bytes: usize) -> Result<(), Exhausted> {
        let [input, command, notify] = &mut self.held;
        match place {
            Place::NotifyInput => *input = bytes,
            Place::CommandQueue => *command = bytes,
            Place::NotifyQueue => *notify = bytes,
        }
        self.memory.set(self.held.iter().fold(0, |sum, &bytes| sum.saturating_add(bytes as u64)))
    }

    /// Whether it was asked for an object whose handle is not known yet.
    pub fn awaits_handle(&self) -> bool {
        self.owes_answers() && self.mirrors.values().any(SessionMirror::awaits_handle)
    }

    /// How many commands are unanswered.
    pub fn owes(&self) -> usize {
        self.expected.len()
    }

    /// What the oldest unanswered command was for.
    pub fn first_owed(&self) -> Option<Cause> {
        self.expected.front().map(|oldest| oldest.cause)
    }

    /// Whether any command is unanswered.
    pub fn owes_answers(&self) -> bool {
        !self.expected.is_empty()
    }

    /// Whether it owes an answer, and has given no sign of life for so long.
    pub fn is_silent(&self, now: Instant, duration: Duration) -> bool {
        self.watch.is_some_and(|watch| watch.is_silent(now, duration))
    }
}

impl Watched for App {
    fn watch(&self) -> (Option<&Watch>, bool) {
        (self.watch.as_ref(), self.lagging)
    }

    fn watch_mut(&mut self) -> (Option<&mut Watch>, &mut bool) {
        (self.watch.as_mut(), &mut self.lagging)
    }
}
