// SPDX-License-Identifier: GPL-2.0-only
//! What the simulated tracer has, and what may be asked of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{PipeReader, pipe};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use lttng_protocol::kernel::{
    Answer, Bytecode, Channel, Context, Instrumentation, Object as Kind, ProcessAttribute, Request,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

thread_local! {
    /// Streams of the simulated tracers, by inode: what a consumer daemon must be given.
    static STREAMS: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

/// By which a pipe is known, at either end.
pub fn inode(descriptor: BorrowedFd<'_>) -> u64 {
    nix::sys::stat::fstat(descriptor).unwrap().st_ino
}

/// Whether this is a ring buffer of a tracer.
pub fn is_stream(inode: u64) -> bool {
    STREAMS.with_borrow(|streams| streams.contains(&inode))
}

#[derive(Debug, Default)]
pub struct Session {
    pub name: String,
    pub created: String,
    pub active: bool,
    pub was_started: bool,
    /// What is followed, where that is not everything.
    pub trackers: BTreeMap<u32, BTreeSet<i32>>,
    /// Nothing was waited for since it was stopped.
    unquiet: bool,
    /// How often metadata and the state of the system were written anew.
    pub regenerated: usize,
    pub statedumps: usize,
}

#[derive(Debug)]
pub struct Event {
    pub event: lttng_protocol::kernel::Event,
    pub filter: Option<Bytecode>,
    pub callsites: Vec<u64>,
    pub enabled: bool,
    /// Of the program in which it sits.
    pub program: Option<u64>,
    /// A part of it was refused.
    lame: bool,
}

#[derive(Debug)]
pub enum Object {
    Tracer,
    Session(Session),
    Channel { asked: Channel, enabled: bool, contexts: Vec<Context> },
    Metadata,
    Stream { flushed: usize },
    Event(Box<Event>),
    Group { notifications: bool, counter: bool },
    Notifications,
    Counter,
}

/// One of them.
#[derive(Debug)]
struct Entry {
    object: Object,
    /// What it belongs to, which lives as long as it is open.
    parent: Option<usize>,
    inode: u64,
    /// Everybody has closed it when this hangs up.
    reader: Option<PipeReader>,
}

#[derive(Debug)]
pub struct Objects {
    all: Vec<Entry>,
    pub cpus: u32,
    /// The program that comes with the next event.
    pub program: Option<u64>,
    /// Sessions of which the last thing was closed by the daemon itself.
    pub closed_by_daemon: Vec<usize>,
}

impl Default for Objects {
    fn default() -> Self {
        Objects { all: Vec::new(), cpus: 3, program: None, closed_by_daemon: Vec::new() }
    }
}

impl Objects {
    pub fn make(&mut self, object: Object, parent: Option<usize>) -> OwnedFd {
        let (reader, writer) = pipe().unwrap();
        let inode = inode(reader.as_fd());
        STREAMS.with_borrow_mut(|streams| match object {
            Object::Stream { .. } => streams.insert(inode),
            _ => streams.remove(&inode),
        });
        self.all.push(Entry { object, parent, inode, reader: Some(reader) });
        writer.into()
    }

    pub fn newest(&self) -> usize {
        self.all.len() - 1
    }

    /// The open object that a descriptor stands for.
    pub fn known(&self, descriptor: BorrowedFd<'_>) -> Option<usize> {
        let inode = inode(descriptor);
        self.all.iter().rposition(|entry| entry.inode == inode && entry.reader.is_some())
    }

    pub fn find(&self, descriptor: BorrowedFd<'_>) -> usize {
        self.known(descriptor).expect("an open object of the tracer")
    }

    fn is_open(&self, at: usize) -> bool {
        self.all[at].reader.is_some()
    }

    /// The session that an object belongs to.
    fn session_of(&self, at: usize) -> Option<usize> {
        match (&self.all[at].object, self.all[at].parent) {
            (Object::Session(_), _) => Some(at),
            (_, Some(parent)) => self.session_of(parent),
            (_, None) => None,
        }
    }

    /// Whether a session is there: it, a channel or an event rule of it is open. Ring buffers don't count.
    fn lives(&self, session: usize) -> bool {
        let holds = |at: &usize| {
            self.is_open(*at)
                && !matches!(self.all[*at].object, Object::Stream { .. })
                && self.session_of(*at) == Some(session)
        };
        (session..self.all.len()).any(|at| holds(&at))
    }

    /// Looks for what nobody has any more. What was the last of a session must be closed by the helper, except by its
    /// death.
    pub fn scan(&mut self, by_death: bool) {
        let lived = self.living();
        self.forget_closed();
        if !by_death {
            let gone = lived.into_iter().filter(|&session| !self.lives(session)).collect::<Vec<_>>();
            self.closed_by_daemon.extend(gone);
        }
    }

    /// The helper has closed these, which may have been the last.
    pub fn closed(&mut self, objects: &BTreeSet<usize>) {
        self.forget_closed();
        for &at in objects {
            let is_stream = matches!(self.all[at].object, Object::Stream { .. });
            assert!(is_stream || !self.is_open(at), "{at} is open somewhere: {:?}", self.all[at].object);
        }
    }

    fn forget_closed(&mut self) {
        self.all.iter_mut().filter(|entry| has_hung_up(entry)).for_each(|entry| entry.reader = None);
    }

    fn living(&self) -> Vec<usize> {
        let sessions = self.all.iter().enumerate().filter(|(_, it)| matches!(it.object, Object::Session(_)));
        sessions.map(|(at, _)| at).filter(|&at| self.lives(at)).collect()
    }

    /// Sessions that are there, by name.
    pub fn sessions(&self) -> Vec<&Session> {
        let session = |at: usize| match &self.all[at].object {
            Object::Session(session) => session,
            _ => unreachable!(),
        };
        self.living().into_iter().map(session).collect()
    }

    pub fn session(&self, name: &str) -> &Session {
        let mut named = self.sessions().into_iter().filter(|session| session.name == name);
        named.next().expect("a session of that name")
    }

    fn number_of(&self, name: &str) -> usize {
        let is_it = |at: &usize| matches!(&self.all[*at].object, Object::Session(it) if it.name == name);
        self.living().into_iter().find(is_it).expect("a session of that name")
    }

    /// The oldest channel of a session as it was asked for.
    pub fn channel(&self, session: &str) -> &Channel {
        let session = self.number_of(session);
        let asked = self.all.iter().find_map(|entry| match &entry.object {
            Object::Channel { asked, .. } if entry.parent == Some(session) => Some(asked),
            _ => None,
        });
        asked.expect("a channel")
    }

    /// The event rules of a session that are on, in channels that are, oldest first.
    pub fn recorded(&self, session: &str) -> Vec<String> {
        let number = self.number_of(session);
        let is_on = |parent: Option<usize>| {
            parent.is_some_and(|at| matches!(self.all[at].object, Object::Channel { enabled: true, .. }))
        };
        let events = self.all.iter().enumerate().filter_map(|(at, entry)| match &entry.object {
            Object::Event(event) if event.enabled && is_on(entry.parent) => Some((at, event)),
            _ => None,
        });
        let of_it = events.filter(|(at, _)| self.session_of(*at) == Some(number));
        of_it.map(|(_, event)| event.event.name.to_string()).collect()
    }

    /// All event rules that were made.
    pub fn events(&self) -> Vec<&Event> {
        let event = |entry: &'_ Entry| matches!(entry.object, Object::Event(_));
        let events = self.all.iter().filter(|entry| event(entry));
        events
            .map(|entry| match &entry.object {
                Object::Event(event) => &**event,
                _ => unreachable!(),
            })
            .collect()
    }

    /// Ring buffers of sessions that are gone, by inode: who reads them sees their end.
    pub fn finalised(&self) -> BTreeSet<u64> {
        let gone = |at: usize| self.session_of(at).is_some_and(|session| !self.lives(session));
        let streams =
            self.all.iter().enumerate().filter(|(_, it)| matches!(it.object, Object::Stream { .. }));
        streams.filter(|(at, entry)| entry.reader.is_some() && gone(*at)).map(|(_, it)| it.inode).collect()
    }

    /// How many things are open, those of the tracer as a whole apart.
    pub fn left(&self) -> Vec<String> {
        let left = self.all.iter().enumerate().filter(|(_, entry)| !has_hung_up(entry));
        let whole = |object: &Object| {
            matches!(object, Object::Tracer | Object::Group { .. } | Object::Notifications | Object::Counter)
        };
        left.filter(|(_, it)| !whole(&it.object)).map(|(at, it)| format!("{at}: {:?}", it.object)).collect()
    }

    /// Nothing is open at all.
    pub fn check_unused(&self) {
        let open: Vec<_> = self.all.iter().filter(|entry| entry.reader.is_some()).collect();
        assert!(open.is_empty(), "modules are unloaded while they are in use: {open:?}");
    }

    pub fn letter(&self, at: usize) -> &'static str {
        match self.all[at].object {
            Object::Tracer => "T",
            Object::Session(_) => "S",
            Object::Channel { .. } => "C",
            Object::Metadata => "MC",
            Object::Stream { .. } => "R",
            Object::Event(_) => "E",
            Object::Group { .. } => "G",
            Object::Notifications => "F",
            Object::Counter => "K",
        }
    }

    fn kind(&self, at: usize) -> Kind {
        match self.all[at].object {
            Object::Tracer => Kind::Tracer,
            Object::Session(_) => Kind::Session,
            Object::Channel { .. } => Kind::Channel,
            Object::Metadata => Kind::MetadataChannel,
            Object::Stream { .. } => Kind::Stream,
            Object::Event(_) => Kind::Event,
            Object::Group { .. } => Kind::EventNotifierGroup,
            Object::Notifications => Kind::Notifications,
            Object::Counter => Kind::Counter,
        }
    }

    fn session_mut(&mut self, of: usize) -> &mut Session {
        let at = self.session_of(of).expect("an object of a session");
        match &mut self.all[at].object {
            Object::Session(session) => session,
            _ => unreachable!(),
        }
    }

    /// What must not be asked.
    pub fn check(&mut self, on: usize, request: &Request) {
        assert!(self.is_open(on), "{request:?} of what was closed");
        assert!(request.objects().contains(&self.kind(on)), "{request:?} of {:?}", self.all[on].object);
        match (request, &self.all[on].object) {
            (Request::Channel(_), Object::Session(session)) => {
                assert!(!session.was_started, "a channel after the start");
            }
            (Request::Context(_), Object::Channel { .. }) => {
                assert!(!self.session_mut(on).was_started, "a context after the start");
            }
            (Request::Enable, Object::Event(event)) => assert!(!event.lame, "a rule without a part goes on"),
            (Request::Flush, Object::Stream { .. }) => {
                let session = self.session_mut(on);
                assert!(!session.active && !session.unquiet, "flushed before it is quiet");
            }
            (Request::SetName(name), _) => assert!(!name.is_empty()),
            (Request::SetCreationTime(time), _) => assert_eq!(time.len(), 20, "{time}"),
            _ => {}
        }
    }

    /// It is refused on purpose.
    pub fn refused(&mut self, on: usize, request: &Request) {
        if let (Request::Filter(_) | Request::AddCallsite { .. }, Object::Event(event)) =
            (request, &mut self.all[on].object)
        {
            event.lame = true;
        }
        if *request == Request::WaitQuiescent {
            self.quiet();
        }
    }

    fn quiet(&mut self) {
        for entry in &mut self.all {
            if let Object::Session(session) = &mut entry.object {
                session.unquiet = false;
            }
        }
    }

    /// Does what is asked: what it makes, or an errno value.
    pub fn take(&mut self, on: usize, request: &Request) -> Result<Option<OwnedFd>, i32> {
        if matches!(request.answer(), Answer::Descriptor(_)) {
            return self.make_what(on, request).map(Some);
        }
        let cleared = |changed: bool| if changed { Ok(()) } else { Err(libc::EEXIST) };
        match (request, &mut self.all[on].object) {
            (Request::WaitQuiescent, _) => self.quiet(),
            (Request::SetName(name), Object::Session(session)) => session.name = name.to_string(),
            (Request::SetCreationTime(time), Object::Session(session)) => session.created = time.to_string(),
            (Request::Start, Object::Session(session)) => {
                if session.active {
                    return Err(libc::EBUSY);
                }
                (session.active, session.was_started) = (true, true);
            }
            (Request::Stop, Object::Session(session)) => {
                if !std::mem::replace(&mut session.active, false) {
                    return Err(libc::EBUSY);
                }
                session.unquiet = true;
            }
            (Request::Track { attribute, id }, Object::Session(session)) => {
                track(session, *attribute, *id)?;
            }
            (Request::Untrack { attribute, id }, Object::Session(session)) => {
                untrack(session, *attribute, *id)?;
            }
            (Request::MetadataRegenerate, Object::Session(session)) => {
                if !session.active {
                    return Err(libc::EBUSY);
                }
                session.regenerated += 1;
            }
            (Request::Statedump, Object::Session(session)) => session.statedumps += 1,
            (Request::Context(context), Object::Channel { contexts, .. }) => {
                if contexts.contains(context) {
                    return Err(libc::EEXIST);
                }
                contexts.push(context.clone());
            }
            (Request::Enable | Request::Disable, Object::Channel { enabled, .. }) => {
                let on = *request == Request::Enable;
                cleared(std::mem::replace(enabled, on) != on)?;
            }
            (Request::Enable | Request::Disable, Object::Event(event)) => {
                let on = *request == Request::Enable;
                let changed = std::mem::replace(&mut event.enabled, on) != on;
                cleared(changed || !is_probe(&event.event.instrumentation))?;
            }
            (Request::Filter(bytecode), Object::Event(event)) => {
                if is_probe(&event.event.instrumentation) {
                    event.lame = true;
                    return Err(libc::EINVAL);
                }
                assert_eq!(event.filter.replace(bytecode.clone()), None, "one filter for each rule");
            }
            (Request::AddCallsite { offset }, Object::Event(event)) => {
                assert!(matches!(event.event.instrumentation, Instrumentation::Uprobe { .. }));
                event.callsites.push(*offset);
            }
            (Request::Flush, Object::Stream { flushed }) => *flushed += 1,
            (Request::TracerVersion | Request::AbiVersion, _) => {}
            (request, object) => panic!("{request:?} of {object:?}"),
        }
        Ok(None)
    }

    /// Ring buffers of a channel that somebody has open. One that was closed can be had again.
    fn open_streams(&self, channel: usize) -> u32 {
        let of_it = self.all.iter().filter(|entry| entry.parent == Some(channel));
        let open = of_it.filter(|entry| matches!(entry.object, Object::Stream { .. }) && !has_hung_up(entry));
        u32::try_from(open.count()).unwrap()
    }

    fn make_what(&mut self, on: usize, request: &Request) -> Result<OwnedFd, i32> {
        let (cpus, opened) = (self.cpus, self.open_streams(on));
        let object = match (request, &mut self.all[on].object) {
            (Request::Session, _) => return Ok(self.make(Object::Session(Session::default()), None)),
            (Request::Channel(asked), _) => {
                if asked.subbuf_size < 4096 || !asked.subbuf_size.is_power_of_two() {
                    return Err(libc::EINVAL);
                }
                Object::Channel { asked: *asked, enabled: true, contexts: Vec::new() }
            }
            (Request::Metadata(asked), _) => {
                assert_eq!(*asked, Channel::metadata(4096));
                Object::Metadata
            }
            (Request::Stream, Object::Metadata) if opened == 1 => return Err(libc::ENOENT),
            (Request::Stream, Object::Channel { .. }) if opened == cpus => return Err(libc::ENOENT),
            (Request::Stream, _) => Object::Stream { flushed: 0 },
            (Request::Event(event), _) => return self.make_event(on, event),
            (Request::EventNotifierGroup, _) => Object::Group { notifications: false, counter: false },
            (Request::Notifications, Object::Group { notifications, .. }) => {
                assert!(!std::mem::replace(notifications, true));
                Object::Notifications
            }
            (Request::Counter(_), Object::Group { counter, .. }) => {
                assert!(!std::mem::replace(counter, true));
                Object::Counter
            }
            (request, object) => panic!("{request:?} of {object:?}"),
        };
        Ok(self.make(object, Some(on)))
    }

    fn make_event(&mut self, on: usize, asked: &lttng_protocol::kernel::Event) -> Result<OwnedFd, i32> {
        assert_eq!(asked.token, 0, "rules of channels have no token");
        let mut program = None;
        if let Instrumentation::Uprobe { descriptor } = asked.instrumentation {
            program = self.program.take();
            assert!(program.is_some() && descriptor >= 0, "a uprobe without a program");
        }
        let is_taken = |entry: &Entry| match &entry.object {
            Object::Event(event) => {
                entry.parent == Some(on)
                    && event.event.name == asked.name
                    && is_probe(&event.event.instrumentation)
            }
            _ => false,
        };
        if is_probe(&asked.instrumentation) && self.all.iter().any(is_taken) {
            return Err(libc::EEXIST);
        }
        let event = Event {
            event: asked.clone(),
            filter: None,
            callsites: Vec::new(),
            enabled: false,
            program,
            lame: false,
        };
        Ok(self.make(Object::Event(Box::new(event)), Some(on)))
    }
}

/// Whether nobody has it any more.
fn has_hung_up(entry: &Entry) -> bool {
    let Some(reader) = &entry.reader else { return true };
    let mut fds = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap();
    fds[0].revents().unwrap().contains(PollFlags::POLLHUP)
}

fn is_probe(instrumentation: &Instrumentation) -> bool {
    !matches!(instrumentation, Instrumentation::Tracepoint | Instrumentation::Syscall(_))
}

fn track(session: &mut Session, attribute: ProcessAttribute, id: i32) -> Result<(), i32> {
    if id == Request::ALL {
        session.trackers.remove(&attribute.number());
        return Ok(());
    }
    let set = session.trackers.entry(attribute.number()).or_default();
    if set.insert(id) { Ok(()) } else { Err(libc::EEXIST) }
}

fn untrack(session: &mut Session, attribute: ProcessAttribute, id: i32) -> Result<(), i32> {
    if id == Request::ALL {
        session.trackers.insert(attribute.number(), BTreeSet::new());
        return Ok(());
    }
    let set = session.trackers.get_mut(&attribute.number()).ok_or(libc::ENOENT)?;
    if set.remove(&id) { Ok(()) } else { Err(libc::ENOENT) }
}
