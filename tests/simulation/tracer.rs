// SPDX-License-Identifier: GPL-2.0-only
//! A simulated kernel tracer with the process that makes requests to it. What a real one would not be asked in this
//! order, or of this object, fails the test.
//!
//! Each thing that the tracer has is a pipe, whose writing end the daemon gets: it is told from others by its inode, and
//! that nobody has it any more is seen at the reading end.

mod objects;

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use lttng_protocol::kernel::{AbiVersion, Answer, Argument as Words, Request, TracerVersion};
use lttng_sessiond::kernel::job::{
    Argument, Call, Done, Job, MAX_DESCRIPTORS, MAX_MESSAGE, On, Outcome, Request as Message, Response, Step,
};
use lttng_sessiond::turn::ids::ConnId;
use lttng_sessiond::turn::output::SharedFd;

use crate::wire::{Effects, Segment};
pub use objects::{Object, Objects, inode, is_stream};

/// A kind of requests.
pub type Kind = fn(&Request) -> bool;

/// What goes wrong with the process. Jobs are counted from 1, over all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It dies at this job, before it does anything.
    Die(usize),
    /// It has done this job and dies before it says so.
    DieAfter(usize),
    /// It can't be forked.
    NoFork,
    /// It hangs at this job, and does it when it is [resumed](Tracer::resume).
    Hang(usize),
}

#[derive(Debug)]
pub struct Tracer {
    pub conn: ConnId,
    pub trouble: Option<Trouble>,
    /// How often a process was started, and whether one runs.
    pub starts: i32,
    pub running: bool,
    /// All jobs.
    pub jobs: Vec<Job>,
    /// All requests, in order: what was asked of which number of object, and what came of it.
    pub requests: Vec<(usize, Request, Result<(), i32>)>,
    pub objects: Objects,
    /// The modules are not there; /proc/lttng is not there.
    pub no_modules: bool,
    pub no_file: bool,
    pub version: Option<TracerVersion>,
    pub abi: Option<AbiVersion>,
    /// Only the numbers of older tracers are known, where they differ.
    pub is_old: bool,
    /// The modules are loaded.
    pub loaded: bool,
    /// Requests of this kind fail with this errno, so many times.
    pub refuse: Option<(Kind, i32, usize)>,
    /// This request, counted from 1, fails with this errno.
    pub refuse_at: Option<(usize, i32)>,
    /// So do this one and all that follow.
    pub refuse_from: Option<(usize, i32)>,
    pub tracepoints: String,
    pub syscalls: String,
    /// What it does when it is resumed.
    waiting: VecDeque<Segment>,
    hung: bool,
}

impl Tracer {
    pub fn new() -> Self {
        Tracer {
            conn: ConnId(u64::MAX),
            trouble: None,
            starts: 0,
            running: false,
            jobs: Vec::new(),
            requests: Vec::new(),
            objects: Objects::default(),
            no_modules: false,
            no_file: false,
            version: Some(TracerVersion { major: 2, minor: 13, patchlevel: 9 }),
            abi: Some(AbiVersion { major: 2, minor: 6 }),
            is_old: false,
            loaded: false,
            refuse: None,
            refuse_at: None,
            refuse_from: None,
            tracepoints: "event { name = sched_switch; };\nevent { name = lttng_logger; };\n".into(),
            syscalls: "syscall { index = 0; name = read; bitness = 64; };\n\
                       syscall { index = 5; name = read; bitness = 32; };\n"
                .into(),
            waiting: VecDeque::new(),
            hung: false,
        }
    }

    /// The process of the one that was started last.
    pub fn pid(&self) -> i32 {
        7000 + self.starts
    }

    /// A process has begun, on this connection.
    pub fn begin(&mut self, conn: ConnId) {
        assert!(!self.running, "it is started beside another one");
        self.conn = conn;
        self.running = true;
        self.hung = false;
        self.waiting.clear();
    }

    /// It ends, with all that it had in its hands.
    pub fn die(&mut self) {
        self.running = false;
        self.waiting.clear();
        self.objects.scan(true);
    }

    /// It goes on after a hang.
    pub fn resume(&mut self, effects: &mut Effects) {
        self.hung = false;
        self.trouble = None;
        while let Some(segment) = self.waiting.pop_front() {
            self.work(segment, effects);
        }
    }

    /// Whether it has something to do, and does not.
    pub fn is_hung(&self) -> bool {
        self.hung
    }

    pub fn received(&mut self, segment: Segment, effects: &mut Effects) {
        assert!(segment.bytes.len() <= MAX_MESSAGE, "a job of {} bytes", segment.bytes.len());
        assert!(segment.descriptors.len() <= MAX_DESCRIPTORS, "{} descriptors", segment.descriptors.len());
        if !self.running {
            return;
        }
        if self.hung {
            return self.waiting.push_back(segment);
        }
        self.work(segment, effects);
    }

    fn work(&mut self, segment: Segment, effects: &mut Effects) {
        let Message { id, job } = Message::decode(&segment.bytes).expect("one job is one message");
        self.jobs.push(job.clone());
        let number = self.jobs.len();
        match self.trouble {
            Some(Trouble::Die(at)) if at == number => return effects.closes.push(self.conn),
            Some(Trouble::Hang(at)) if at == number => {
                self.hung = true;
                self.jobs.pop();
                return self.waiting.push_back(segment);
            }
            _ => {}
        }
        self.objects.scan(false);
        let mut made = Vec::new();
        let result = self.execute(job, segment.descriptors, &mut made);
        match self.trouble {
            Some(Trouble::DieAfter(at)) if at == number => return effects.closes.push(self.conn),
            _ => {}
        }
        let message = Response { id, result }.encode();
        assert!(message.len() <= MAX_MESSAGE && made.len() <= MAX_DESCRIPTORS);
        effects.sends.push((self.conn, message, made));
    }

    fn execute(&mut self, job: Job, attached: Vec<SharedFd>, made: &mut Vec<OwnedFd>) -> Result<Done, i32> {
        match job {
            Job::Load { required, .. } => {
                if self.no_modules && !required.is_empty() {
                    return Err(libc::ENOENT);
                }
                self.loaded = true;
            }
            Job::Unload(modules) => {
                assert!(!modules.is_empty());
                self.objects.scan(false);
                self.objects.check_unused();
                self.loaded = false;
            }
            Job::Open => {
                if self.no_file {
                    return Err(libc::ENOENT);
                }
                assert!(self.loaded, "it is opened before its modules are there");
                made.push(self.objects.make(Object::Tracer, None));
            }
            Job::Run(steps) => return Ok(self.run(steps, &attached, made)),
            Job::List(number) => {
                let [on] = attached.as_slice() else { panic!("a list of {} objects", attached.len()) };
                let on = self.objects.find(on.as_fd());
                let request = Request::decode(number, &[]).expect("a request that exists");
                self.ask(on, &request)?;
                let text = match request {
                    Request::TracepointList => &self.tracepoints,
                    Request::SyscallList => &self.syscalls,
                    other => panic!("{other:?} is no list"),
                };
                made.push(memory(text));
            }
            Job::Close => {
                for descriptor in &attached {
                    // A ring buffer may be on its way to a consumer daemon.
                    let holders = std::rc::Rc::strong_count(descriptor);
                    let is_kept = holders > 1 && !is_stream(inode(descriptor.as_fd()));
                    assert!(!is_kept, "the daemon keeps what the helper is to close");
                }
                let objects: BTreeSet<usize> =
                    attached.iter().map(|it| self.objects.find(it.as_fd())).collect();
                drop(attached);
                self.objects.closed(&objects);
            }
        }
        Ok(Done::Well)
    }

    fn run(&mut self, steps: Vec<Step>, attached: &[SharedFd], made: &mut Vec<OwnedFd>) -> Done {
        assert!(!steps.is_empty(), "a job without steps");
        let objects: Vec<Option<usize>> = attached.iter().map(|it| self.objects.known(it.as_fd())).collect();
        // Outcome of each step, and the object that it made.
        let mut taken: Vec<(Outcome, Option<usize>)> = Vec::new();
        for Step { on, needs, call } in steps {
            let needed = needs.map(|step| &taken[usize::from(step)]);
            let failed = |(outcome, object): &(Outcome, Option<usize>)| match outcome {
                Outcome::Done(_) => false,
                Outcome::Made { .. } => object.is_none(),
                Outcome::Failed(_) | Outcome::Skipped => true,
            };
            let on = match on {
                On::Attached(place) => Some(objects[usize::from(place)].expect("an object of the tracer")),
                On::Made(step) => taken[usize::from(step)].1,
            };
            let (Some(on), false) = (on, needed.is_some_and(failed)) else {
                taken.push((Outcome::Skipped, None));
                continue;
            };
            taken.push(match call {
                Call::Each { number, most } => self.take_each(on, number, most, made),
                Call::Request { number, alias, argument, makes } => {
                    let request = self.decode(number, argument, attached);
                    assert_eq!(request.alias(), alias, "{request:?}");
                    assert_eq!(matches!(request.answer(), Answer::Descriptor(_)), makes, "{request:?}");
                    if self.is_old && alias.is_some() {
                        // The number of the wrong direction, upon ENOTTY.
                        self.requests.push((on, request.clone(), Err(libc::ENOTTY)));
                    }
                    self.take(on, &request, made)
                }
            });
        }
        Done::Steps(taken.into_iter().map(|(outcome, _)| outcome).collect())
    }

    fn decode(&mut self, number: u32, argument: Argument, attached: &[SharedFd]) -> Request {
        let bytes = match argument {
            Argument::Nothing => Vec::new(),
            Argument::Value(value) => value.to_ne_bytes().to_vec(),
            Argument::Bytes(bytes) => bytes,
            Argument::WithDescriptor { mut bytes, at, attached: place } => {
                let at = usize::try_from(at).unwrap();
                let program = &attached[usize::from(place)];
                assert_eq!(self.objects.known(program.as_fd()), None, "a program, not an object");
                bytes[at..at + 4].copy_from_slice(&program.as_raw_fd().to_ne_bytes());
                self.objects.program = Some(inode(program.as_fd()));
                bytes
            }
        };
        let request = Request::decode(number, &bytes).expect("a request that exists");
        let same = match request.argument() {
            Words::None => bytes.is_empty(),
            Words::Value(value) => bytes == value.to_ne_bytes(),
            Words::Buffer(buffer) => buffer == bytes,
        };
        assert!(same, "more than {request:?} says");
        request
    }

    fn take_each(
        &mut self,
        on: usize,
        number: u32,
        most: u16,
        made: &mut Vec<OwnedFd>,
    ) -> (Outcome, Option<usize>) {
        let request = Request::decode(number, &[]).unwrap();
        assert_eq!(request, Request::Stream, "nothing else comes in numbers");
        let (mut count, mut first) = (0, None);
        while count < most {
            let (outcome, object) = self.take(on, &request, made);
            if !matches!(outcome, Outcome::Made { .. }) {
                return (Outcome::Made { count, ended: true }, first);
            }
            first = first.or(object);
            count += 1;
        }
        (Outcome::Made { count, ended: false }, first)
    }

    fn take(&mut self, on: usize, request: &Request, made: &mut Vec<OwnedFd>) -> (Outcome, Option<usize>) {
        if let Err(errno) = self.ask(on, request) {
            return (Outcome::Failed(errno), None);
        }
        match self.objects.take(on, request) {
            Err(errno) => {
                self.requests.last_mut().unwrap().2 = Err(errno);
                (Outcome::Failed(errno), None)
            }
            Ok(None) => (Outcome::Done(self.words(request)), None),
            Ok(Some(descriptor)) => {
                made.push(descriptor);
                (Outcome::Made { count: 1, ended: false }, Some(self.objects.newest()))
            }
        }
    }

    /// What the tracer writes.
    fn words(&self, request: &Request) -> Vec<u8> {
        match request {
            Request::TracerVersion => self.version.unwrap().encode(),
            Request::AbiVersion => self.abi.unwrap().encode(),
            _ => Vec::new(),
        }
    }

    /// Notes what is asked of an object. What goes wrong on purpose?
    fn ask(&mut self, on: usize, request: &Request) -> Result<(), i32> {
        self.objects.check(on, request);
        let is_known = match request {
            Request::TracerVersion => self.version.is_some(),
            Request::AbiVersion => self.abi.is_some(),
            Request::EventNotifierGroup => self.abi.is_some_and(AbiVersion::has_event_notifiers),
            _ => true,
        };
        let number = self.requests.len() + 1;
        let on_purpose = match &mut self.refuse {
            Some((is_it, errno, times)) if *times > 0 && is_it(request) => {
                *times -= 1;
                Some(*errno)
            }
            _ => {
                let once = self.refuse_at.filter(|(at, _)| *at == number);
                once.or(self.refuse_from.filter(|(at, _)| *at <= number)).map(|(_, errno)| errno)
            }
        };
        let result = match on_purpose {
            Some(errno) => Err(errno),
            None if is_known => Ok(()),
            None => Err(libc::ENOTTY),
        };
        if result.is_err() {
            self.objects.refused(on, request);
        }
        self.requests.push((on, request.clone(), result));
        result
    }

    /// Names of the requests since this one, as a person writes them down: `S.START`.
    pub fn transcript(&self, since: usize) -> Vec<String> {
        let line = |(on, request, result): &(usize, Request, Result<(), i32>)| {
            let kind = self.objects.letter(*on);
            let errno = result.err().map_or(String::new(), |errno| format!("={errno}"));
            format!("{kind}.{}{errno}", request.name())
        };
        self.requests[since..].iter().map(line).collect()
    }
}

/// Memory that holds a text, to be read from its beginning.
fn memory(text: &str) -> OwnedFd {
    let memory = nix::sys::memfd::memfd_create(c"list", nix::sys::memfd::MFdFlags::MFD_CLOEXEC).unwrap();
    let mut file = File::from(memory);
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file.into()
}
