// SPDX-License-Identifier: GPL-2.0-only
//! The tracer's helper as the daemon sees it: a real process behind a real socket. The tracer is a terminal, which has
//! requests of all kinds: with and without an argument, some that write, and one that makes descriptors.

use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};

use super::*;
use crate::sys::emulation::unknown_ioctl;
use crate::sys::fork::{Companion, companion};

/// The number of a terminal (`TIOCGPTN`).
const TERMINAL: u32 = 0x8004_5430;
/// Opens the other side of a terminal, with the flags of open(2) (`TIOCGPTPEER`).
const PEER: u32 = 0x5441;
/// Locks the other side of a terminal, or unlocks it (`TIOCSPTLCK`).
const LOCK: u32 = 0x4004_5431;
/// No request of anybody.
const UNKNOWN: u32 = 0x8004_ee77;

struct Setting {
    folder: PathBuf,
    helper: Option<Companion>,
}

impl Setting {
    /// A helper with a tracer that is not there, and a program that loads modules, if any.
    fn with(name: &str, program: Option<&str>, limit: Duration) -> Setting {
        let folder = std::env::temp_dir().join(format!("lttng-kernel-{}-{name}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("modprobe");
        if let Some(script) = program {
            let script = format!("#!/bin/sh\necho \"$@\" >>{}\n{script}\n", folder.join("calls").display());
            // A file that is still open for writing somewhere, in a process that another test has just forked, can't be
            // run.
            let mut copy = std::process::Command::new("cp");
            copy.arg("/dev/stdin").arg(&path).stdin(std::process::Stdio::piped());
            let mut written = copy.spawn().unwrap();
            written.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(written.wait().unwrap().success());
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let modules = Modules { programs: vec![folder.join("missing"), path], limit };
        let control = folder.join("control");
        let helper = companion(move |socket| u8::from(serve(socket, control, &modules).is_err())).unwrap();
        Setting { folder, helper: Some(helper) }
    }

    fn new(name: &str) -> Setting {
        Setting::with(name, None, Duration::from_secs(30))
    }

    fn send(&self, message: &[u8], attached: &[&OwnedFd]) {
        let socket = &self.helper.as_ref().unwrap().socket;
        let attached: Vec<_> = attached.iter().map(AsFd::as_fd).collect();
        assert_eq!(socket::send(socket.as_fd(), &[IoSlice::new(message)], &attached).unwrap(), message.len());
    }

    fn receive(&self) -> (Response, Vec<OwnedFd>) {
        let socket = &self.helper.as_ref().unwrap().socket;
        let mut watched = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut watched, 30_000u16), Ok(1), "the helper does not answer");
        let (mut buffer, mut made) = (vec![0; MAX_MESSAGE], Vec::new());
        let received =
            socket::receive_message(socket.as_fd(), &mut buffer, MAX_DESCRIPTORS, &mut made).unwrap();
        assert!(!received.truncated);
        (Response::decode(&buffer[..received.bytes]).unwrap(), made)
    }

    /// One job from request to answer.
    fn ask(&self, job: Job, attached: &[&OwnedFd]) -> (Result<Done, i32>, Vec<OwnedFd>) {
        self.send(&Request { id: 9, job }.encode(), attached);
        let (response, made) = self.receive();
        assert_eq!(response.id, 9);
        (response.result, made)
    }

    fn run(&self, steps: Vec<Step>, attached: &[&OwnedFd]) -> (Vec<Outcome>, Vec<OwnedFd>) {
        match self.ask(Job::Run(steps), attached) {
            (Ok(Done::Steps(outcomes)), made) => (outcomes, made),
            other => panic!("{other:?}"),
        }
    }

    fn load(&self, required: &[&str], optional: &[&str]) -> Result<Done, i32> {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        self.ask(Job::Load { required: names(required), optional: names(optional) }, &[]).0
    }

    /// How the program was run since the last time.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.folder.join("calls"));
        calls.lines().map(str::to_owned).collect()
    }

    /// How many descriptors the helper has.
    fn descriptors(&self) -> usize {
        let pid = self.helper.as_ref().unwrap().pid;
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Some(Companion { socket, pid }) = self.helper.take() {
            drop(socket);
            assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("in vain: {what}");
}

fn terminal() -> OwnedFd {
    let mut options = File::options();
    options.read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/ptmx").unwrap().into()
}

fn unlocked() -> OwnedFd {
    let terminal = terminal();
    ioctl::request(terminal.as_fd(), LOCK, ioctl::Argument::Bytes(&mut [0; 4])).unwrap();
    terminal
}

fn number_of(terminal: &OwnedFd) -> Vec<u8> {
    let mut number = [0; 4];
    ioctl::request(terminal.as_fd(), TERMINAL, ioctl::Argument::Bytes(&mut number)).unwrap();
    number.to_vec()
}

fn step(on: On, needs: Option<u16>, number: u32, argument: Argument) -> Step {
    let makes = number == PEER;
    Step { on, needs, call: Call::Request { number, alias: None, argument, makes } }
}

fn each(on: On, needs: Option<u16>, most: u16) -> Step {
    Step { on, needs, call: Call::Each { number: PEER, most } }
}

fn made(count: u16, ended: bool) -> Outcome {
    Outcome::Made { count, ended }
}

const FIRST: On = On::Attached(0);

#[test]
fn steps_are_taken_in_order_and_what_they_make_comes_back() {
    let setting = Setting::new("steps");
    let terminal = terminal();
    let number = number_of(&terminal);
    let buffer = || Argument::Bytes(vec![0xff; 4]);
    let (outcomes, came) = setting.run(
        vec![
            // Still locked.
            step(FIRST, None, PEER, Argument::Value(libc::O_RDWR | libc::O_NOCTTY)),
            step(On::Made(0), None, TERMINAL, buffer()),
            step(FIRST, None, LOCK, Argument::Bytes(vec![0; 4])),
            step(FIRST, Some(2), PEER, Argument::Value(libc::O_RDWR | libc::O_NOCTTY)),
            step(FIRST, Some(0), TERMINAL, buffer()),
            step(FIRST, Some(3), TERMINAL, buffer()),
            each(FIRST, None, 3),
            // Of what was made: it is a terminal too, but not one that tells its number.
            step(On::Made(3), None, TERMINAL, buffer()),
            step(On::Made(6), Some(6), 0x8010_0000, Argument::Bytes(vec![0; 16])),
        ],
        &[&terminal],
    );
    let failed = Outcome::Failed;
    let expected = [
        failed(libc::EIO),
        Outcome::Skipped,
        Outcome::Done(Vec::new()),
        made(1, false),
        Outcome::Skipped,
        Outcome::Done(number),
        made(3, false),
        failed(libc::ENOTTY),
        failed(unknown_ioctl()),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(came.len(), 4);
    for descriptor in &came {
        assert_eq!(fcntl(descriptor.as_fd(), FcntlArg::F_GETFD).unwrap(), FdFlag::FD_CLOEXEC.bits());
    }
    // The first is the one that can be written to.
    assert!(File::from(came[0].try_clone().unwrap()).write_all(b"x").is_ok());
    assert!(File::from(came[1].try_clone().unwrap()).write_all(b"x").is_err());
}

#[test]
fn a_step_that_can_not_be_taken_harms_no_other() {
    let setting = Setting::new("wrong");
    let (terminal, (pipe, _end)) = (unlocked(), nix::unistd::pipe().unwrap());
    let bytes = |count| Argument::Bytes(vec![0; count]);
    let with = |at, attached| Argument::WithDescriptor { bytes: vec![0; 4], at, attached };
    let (outcomes, came) = setting.run(
        vec![
            step(On::Attached(2), None, TERMINAL, bytes(4)),
            step(On::Made(0), None, TERMINAL, bytes(4)),
            // What comes later, and itself.
            step(On::Made(40), None, TERMINAL, bytes(4)),
            step(FIRST, Some(3), TERMINAL, bytes(4)),
            step(FIRST, Some(u16::MAX), TERMINAL, bytes(4)),
            // Too few bytes.
            step(FIRST, None, TERMINAL, bytes(3)),
            step(FIRST, None, TERMINAL, with(1, 0)),
            step(FIRST, None, TERMINAL, with(u32::MAX, 0)),
            step(FIRST, None, TERMINAL, with(0, 7)),
            step(FIRST, None, TERMINAL, with(0, 1)),
            each(On::Attached(1), None, 5),
            // It made nothing.
            step(FIRST, Some(10), TERMINAL, bytes(4)),
            step(On::Made(10), None, TERMINAL, bytes(4)),
        ],
        &[&terminal, &pipe],
    );
    let failed = Outcome::Failed;
    assert_eq!(outcomes[..2], [failed(libc::EBADF), Outcome::Skipped]);
    assert_eq!(outcomes[2..5], [Outcome::Skipped, Outcome::Skipped, Outcome::Skipped]);
    assert_eq!(outcomes[5..8], [failed(libc::EINVAL), failed(libc::EINVAL), failed(libc::EINVAL)]);
    assert_eq!(outcomes[8..10], [failed(libc::EBADF), Outcome::Done(number_of(&terminal))]);
    assert_eq!(outcomes[10..], [made(0, true), Outcome::Skipped, Outcome::Skipped]);
    assert!(came.is_empty());
    assert_eq!(setting.run(Vec::new(), &[]).0, []);
}

#[test]
fn another_number_is_tried_where_the_first_is_not_known() {
    let setting = Setting::new("alias");
    let terminal = terminal();
    let call = |number, alias| Step {
        on: FIRST,
        needs: None,
        call: Call::Request { number, alias, argument: Argument::Bytes(vec![0; 4]), makes: false },
    };
    let steps = vec![
        call(UNKNOWN, None),
        call(UNKNOWN, Some(TERMINAL)),
        call(TERMINAL, Some(UNKNOWN)),
        call(UNKNOWN, Some(UNKNOWN + 1)),
        // Another failure is one.
        Step {
            call: Call::Request {
                number: PEER,
                alias: Some(TERMINAL),
                argument: Argument::Bytes(vec![0; 4]),
                makes: true,
            },
            ..call(0, None)
        },
    ];
    let number = || Outcome::Done(number_of(&terminal));
    let unknown = || Outcome::Failed(unknown_ioctl());
    let (outcomes, _) = setting.run(steps, &[&terminal]);
    assert_eq!(outcomes, [unknown(), number(), number(), unknown(), Outcome::Failed(libc::EINVAL)]);
}

#[test]
fn a_descriptor_s_number_is_put_where_it_is_wanted() {
    let (first, second) = (terminal(), terminal());
    let attached = [first, second];
    let steps = Steps { attached: &attached, taken: Vec::new(), made: Vec::new() };
    let put = |at| {
        let argument = Argument::WithDescriptor { bytes: vec![0xaa; 12], at, attached: 1 };
        steps.with_descriptor(argument)
    };
    let number = attached[1].as_raw_fd().to_ne_bytes();
    let expected = [&[0xaa; 5][..], &number, &[0xaa; 3]].concat();
    assert_eq!(put(5), Ok(Argument::Bytes(expected)));
    assert_eq!((put(9), put(13)), (Err(libc::EINVAL), Err(libc::EINVAL)));
    assert!(put(8).is_ok());
}

#[test]
fn no_more_is_made_than_one_answer_carries_and_nothing_is_kept() {
    let setting = Setting::new("most");
    let terminal = unlocked();
    assert_eq!(setting.run(Vec::new(), &[]).0, []);
    let before = setting.descriptors();
    let most = u16::try_from(MAX_DESCRIPTORS).unwrap();
    let (outcomes, came) = setting.run(
        vec![each(FIRST, None, most - 1), each(FIRST, None, 9), step(FIRST, None, PEER, Argument::Nothing)],
        &[&terminal],
    );
    assert_eq!(outcomes, [made(most - 1, false), made(1, false), Outcome::Failed(libc::EMFILE)]);
    assert_eq!(came.len(), MAX_DESCRIPTORS);
    drop(came);
    // As many come with a job; they are closed when it is answered.
    let attached = vec![&terminal; MAX_DESCRIPTORS];
    let last = step(On::Attached(most - 1), None, TERMINAL, Argument::Bytes(vec![0; 4]));
    assert_eq!(setting.run(vec![last], &attached).0, [Outcome::Done(number_of(&terminal))]);
    assert_eq!(setting.ask(Job::Open, &attached).0, Err(libc::ENOENT));
    assert_eq!(setting.descriptors(), before);
}

#[test]
fn what_is_given_away_is_closed_before_the_answer() {
    let setting = Setting::new("close");
    let (reading, writing) = nix::unistd::pipe().unwrap();
    setting.send(&Request { id: 3, job: Job::Close }.encode(), &[&writing]);
    drop(writing);
    let (answer, _) = setting.receive();
    assert_eq!(answer, Response { id: 3, result: Ok(Done::Well) });
    assert_eq!(File::from(reading).read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_text_is_read_to_its_end() {
    let setting = Setting::new("list");
    let terminal = unlocked();
    // What is typed, and that nothing more is.
    let mut keyboard = File::from(terminal.try_clone().unwrap());
    keyboard.write_all(b"one\ntwo\n\x04").unwrap();
    let (done, mut memory) = setting.ask(Job::List(PEER), &[&terminal]);
    assert_eq!((done, memory.len()), (Ok(Done::Well), 1));
    let mut memory = File::from(memory.pop().unwrap());
    let mut text = String::new();
    memory.read_to_string(&mut text).unwrap();
    assert_eq!(text, "one\ntwo\n");
    assert!(memory.rewind().and_then(|()| memory.write_all(b"x")).is_err());
    assert_eq!(setting.ask(Job::List(PEER), &[]).0, Err(libc::EBADF));
    assert_eq!(setting.ask(Job::List(UNKNOWN), &[&terminal]).0, Err(unknown_ioctl()));
}

#[test]
fn a_text_without_end_is_refused() {
    let endless = || File::open("/dev/zero").map(OwnedFd::from);
    assert_eq!(text_of(endless().unwrap()).unwrap_err().raw_os_error(), Some(libc::EFBIG));
    let long = shared_memory::of_text(&vec![b'x'; usize::try_from(MAX_TEXT).unwrap()]).unwrap();
    let copy = File::from(text_of(long).unwrap());
    assert_eq!(copy.metadata().unwrap().len(), MAX_TEXT);
}

#[test]
fn the_tracer_is_opened_if_it_is_there() {
    let setting = Setting::new("open");
    assert_eq!(setting.ask(Job::Open, &[]).0, Err(libc::ENOENT));
    fs::create_dir(setting.folder.join("control")).unwrap();
    assert_eq!(setting.ask(Job::Open, &[]).0, Err(libc::EISDIR));
    fs::remove_dir(setting.folder.join("control")).unwrap();
    fs::write(setting.folder.join("control"), "").unwrap();
    let (done, opened) = setting.ask(Job::Open, &[]);
    assert_eq!((done, opened.len()), (Ok(Done::Well), 1));
    let mut opened = File::from(opened.into_iter().next().unwrap());
    assert!(opened.write_all(b"x").is_ok());
}

#[test]
fn modules_are_loaded_and_unloaded_by_a_program() {
    let setting = Setting::with(
        "modules",
        Some("for name; do test $name = bad && exit 1; done; test \"$(env | sed /^PWD=/d)\" = PATH=$PATH"),
        Duration::from_secs(30),
    );
    assert_eq!(setting.load(&["a", "b"], &["c", "bad"]), Ok(Done::Well));
    assert_eq!(setting.calls(), ["-a a b", "-a -q c bad"]);
    // The optional ones are of no use then.
    assert_eq!(setting.load(&["a", "bad"], &["c"]), Err(libc::ENOENT));
    assert_eq!(setting.calls(), ["-a a bad"]);
    // Names are never options, files, or code.
    assert_eq!(setting.load(&[], &["-r", "/x", "", "a;b", "$(id)", "b ", &"n".repeat(65)]), Ok(Done::Well));
    assert_eq!(setting.calls(), ["-a -q a;b $(id) b "]);
    assert_eq!(setting.load(&["a", "--all"], &[]), Err(libc::ENOENT));
    assert_eq!(setting.calls(), ["-a a"]);
    let unload = Job::Unload(vec!["c".to_owned(), "bad".to_owned(), "a".to_owned()]);
    assert_eq!(setting.ask(unload, &[]).0, Ok(Done::Well));
    assert_eq!(setting.calls(), ["-r -q c bad a"]);
    assert_eq!(setting.load(&[], &[]), Ok(Done::Well));
    assert_eq!(setting.ask(Job::Unload(Vec::new()), &[]).0, Ok(Done::Well));
    assert_eq!(setting.calls(), [""; 0]);
}

#[test]
fn a_tracer_that_is_there_needs_no_program() {
    let setting = Setting::new("preloaded");
    assert_eq!(setting.load(&["a"], &["b"]), Err(libc::ENOENT));
    fs::write(setting.folder.join("control"), "").unwrap();
    assert_eq!(setting.load(&["a"], &["b"]), Ok(Done::Well));
    assert_eq!(setting.ask(Job::Unload(vec!["a".to_owned()]), &[]).0, Ok(Done::Well));
}

#[test]
fn a_program_that_takes_too_long_is_killed_with_all_that_it_started() {
    // What it started holds the writing end of a pipe with a name, which ends when it does.
    let script = "(echo begun; exec sleep 1000) >$0.pipe & wait";
    let setting = Setting::with("hangs", Some(script), Duration::from_secs(2));
    let path = setting.folder.join("modprobe.pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut pipe = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap();
    assert_eq!(setting.load(&["a"], &[]), Err(libc::ENOENT));
    assert_eq!(setting.calls(), ["-a a"]);
    let mut text = String::new();
    wait_until("what it started ends", || pipe.read_to_string(&mut text).is_ok());
    assert_eq!(text, "begun\n");
}

#[test]
fn a_message_that_is_too_long_is_answered() {
    let setting = Setting::new("long");
    let job = Job::Unload(vec!["x".repeat(MAX_MESSAGE)]);
    let message = Request { id: 77, job }.encode();
    setting.send(&message, &[]);
    assert_eq!(setting.receive().0, Response { id: 77, result: Err(libc::ENAMETOOLONG) });
    assert_eq!(setting.run(Vec::new(), &[]).0, []);
}

#[test]
fn the_process_has_its_name_and_ends_with_the_daemon_only() {
    let mut setting = Setting::with("name", Some("sleep 1000"), Duration::from_secs(1000));
    assert_eq!(setting.run(Vec::new(), &[]).0, []);
    let pid = setting.helper.as_ref().unwrap().pid;
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/comm")).unwrap(), "lttng-kernel\n");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        kill(pid, signal).unwrap();
    }
    assert_eq!(setting.run(Vec::new(), &[]).0, []);
    // Also while it waits for a program.
    let load = Job::Load { required: vec!["a".to_owned()], optional: Vec::new() };
    setting.send(&Request { id: 1, job: load }.encode(), &[]);
    let called = || fs::read_to_string(setting.folder.join("calls")).is_ok_and(|calls| calls.ends_with('\n'));
    wait_until("the program is run", called);
    drop(setting.helper.take().unwrap().socket);
    assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));
}

/// The tracer itself. It has to be there, and nobody else may use it meanwhile.
mod real {
    use std::time::Instant;

    use super::*;
    use crate::kernel::modules::Modules;

    const VERSION: u32 = 0x800c_f646;
    const TRACEPOINTS: u32 = 0x0000_f647;
    const SYSCALLS: u32 = 0x0000_f64a;
    const SESSION: u32 = 0x0000_f645;
    const QUIESCENT: u32 = 0x0000_f648;
    const SET_NAME: u32 = 0x4100_f65d;
    const CHANNEL: u32 = 0x4140_f655;
    const METADATA: u32 = 0x4140_f654;
    const STREAM: u32 = 0x0000_f662;
    const EVENT: u32 = 0x4234_f663;
    const FILTER: u32 = 0x0000_f690;
    const ENABLE: u32 = 0x0000_f682;
    const TRACK_PID: u32 = 0x4004_f658;
    const START: u32 = 0x0000_f656;
    const STOP: u32 = 0x0000_f657;
    const FLUSH: u32 = 0x0000_f60c;
    const POSITION: u32 = 0x8008_f602;
    const SNAPSHOT: u32 = 0x0000_f600;

    fn system() -> Setting {
        let helper = companion(life).unwrap();
        Setting { folder: "/nonexistent".into(), helper: Some(helper) }
    }

    fn call(on: On, number: u32, argument: Argument, makes: bool) -> Step {
        Step { on, needs: None, call: Call::Request { number, alias: None, argument, makes } }
    }

    fn plain(on: On, number: u32) -> Step {
        call(on, number, Argument::Nothing, false)
    }

    fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
        bytes[at..at + value.len()].copy_from_slice(value);
    }

    fn channel(size: u64, count: u64) -> Vec<u8> {
        let mut bytes = vec![0; 320];
        put(&mut bytes, 0, &size.to_ne_bytes());
        put(&mut bytes, 8, &count.to_ne_bytes());
        // To be mapped.
        put(&mut bytes, 24, &1_u32.to_ne_bytes());
        bytes
    }

    fn event(name: &str, instrumentation: u32) -> Vec<u8> {
        let mut bytes = vec![0; 564];
        put(&mut bytes, 0, name.as_bytes());
        put(&mut bytes, 256, &instrumentation.to_ne_bytes());
        bytes
    }

    fn loaded() -> Vec<String> {
        let modules = fs::read_to_string("/proc/modules").unwrap();
        let names = modules.lines().filter_map(|line| line.split(' ').next());
        let mut names: Vec<String> =
            names.filter(|name| name.starts_with("lttng")).map(str::to_owned).collect();
        names.sort();
        names
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    #[ignore = "needs root, and a kernel with the tracer's modules"]
    fn the_tracer_does_what_it_is_asked() {
        let setting = system();
        assert_eq!(loaded(), [""; 0], "somebody uses the tracer");
        let absent = setting.ask(Job::Load { required: names(&["lttng-nothing"]), optional: vec![] }, &[]);
        assert_eq!((absent.0, setting.ask(Job::Open, &[]).0), (Err(libc::ENOENT), Err(libc::ENOENT)));
        let required = ["lttng-ring-buffer-client-mmap-discard", "lttng-ring-buffer-metadata-mmap-client"];
        // A missing one does not keep the others from being loaded.
        let optional = ["lttng-probe-nothing", "lttng-probe-sched", "lttng-probe-statedump", "lttng-test"];
        let load = Job::Load { required: names(&required), optional: names(&optional) };
        let begun = Instant::now();
        assert_eq!(setting.ask(load.clone(), &[]).0, Ok(Done::Well));
        println!("loaded in {:?}: {:?}", begun.elapsed(), loaded());
        assert!(loaded().contains(&"lttng_probe_statedump".to_owned()));
        assert_eq!(setting.ask(load, &[]).0, Ok(Done::Well));

        let (done, tracer) = setting.ask(Job::Open, &[]);
        assert_eq!((done, tracer.len()), (Ok(Done::Well), 1));
        let tracer = &tracer[0];
        let (outcomes, _) =
            setting.run(vec![call(FIRST, VERSION, Argument::Bytes(vec![0; 12]), false)], &[tracer]);
        let [Outcome::Done(version)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(version[..4], 2_u32.to_ne_bytes());
        for number in [TRACEPOINTS, SYSCALLS] {
            let (done, mut memory) = setting.ask(Job::List(number), &[tracer]);
            assert_eq!(done, Ok(Done::Well));
            let mut text = String::new();
            File::from(memory.pop().unwrap()).read_to_string(&mut text).unwrap();
            println!(
                "{number:#x}: {} lines, {} bytes, {:?}",
                text.lines().count(),
                text.len(),
                text.lines().next()
            );
            assert!(text.contains(if number == SYSCALLS { "openat" } else { "sched_switch" }));
        }

        let mut name = vec![0; 256];
        put(&mut name, 0, b"real");
        let track = Argument::Value(std::process::id().cast_signed());
        let steps = vec![
            call(FIRST, SESSION, Argument::Nothing, true),
            // A tracer of 2.12 knows only the other number.
            Step {
                on: On::Made(0),
                needs: None,
                call: Call::Request {
                    number: UNKNOWN,
                    alias: Some(SET_NAME),
                    argument: Argument::Bytes(name),
                    makes: false,
                },
            },
            call(On::Made(0), CHANNEL, Argument::Bytes(channel(65536, 4)), true),
            call(On::Made(2), EVENT, Argument::Bytes(event("sched_*", 0)), true),
            plain(On::Made(3), ENABLE),
            call(On::Made(2), EVENT, Argument::Bytes(event("no\0", 2)), true),
            call(On::Made(0), METADATA, Argument::Bytes(channel(4096, 2)), true),
            Step { on: On::Made(6), needs: None, call: Call::Each { number: STREAM, most: 100 } },
            Step { on: On::Made(2), needs: Some(4), call: Call::Each { number: STREAM, most: 100 } },
            call(On::Made(0), TRACK_PID, track, false),
            plain(FIRST, QUIESCENT),
        ];
        let (outcomes, made) = setting.run(steps, &[tracer]);
        println!("{outcomes:?}");
        let nothing = || Outcome::Done(Vec::new());
        let one = || super::made(1, false);
        let expected = [one(), nothing(), one(), one(), nothing(), Outcome::Failed(libc::EINVAL), one()];
        assert_eq!(outcomes[..7], expected);
        assert_eq!((&outcomes[7], &outcomes[9..]), (&super::made(1, true), &[nothing(), nothing()][..]));
        let Outcome::Made { count: streams @ 1.., ended: true } = outcomes[8] else { panic!("{outcomes:?}") };
        assert_eq!(made.len(), 5 + usize::from(streams));
        for descriptor in &made {
            assert_eq!(fcntl(descriptor.as_fd(), FcntlArg::F_GETFD).unwrap(), FdFlag::FD_CLOEXEC.bits());
            let target = fs::read_link(format!("/proc/self/fd/{}", descriptor.as_raw_fd())).unwrap();
            println!("{} {}", descriptor.as_raw_fd(), target.display());
        }

        // The longest filter there is; its code is not looked at before an event comes.
        let mut filter = vec![0; 16 + 65535];
        put(&mut filter, 0, &65535_u32.to_ne_bytes());
        let steps = vec![
            call(On::Attached(1), EVENT, Argument::Bytes(event("timer_*", 0)), true),
            call(On::Made(0), FILTER, Argument::Bytes(filter), false),
        ];
        let (outcomes, filtered) = setting.run(steps, &[tracer, &made[1]]);
        assert_eq!((outcomes, filtered.len()), (vec![one(), nothing()], 1));

        // A place in a program, which the tracer takes by the number of a descriptor.
        let program = OwnedFd::from(File::open("/bin/sh").unwrap());
        let bytes = event("place", 6);
        let place = Argument::WithDescriptor { bytes, at: 276, attached: 1 };
        let (outcomes, _) = setting.run(vec![call(FIRST, EVENT, place, true)], &[&made[1], &program]);
        assert_eq!(outcomes, [one()]);

        let begun = Instant::now();
        assert_eq!(setting.run(vec![plain(FIRST, START)], &[&made[0]]).0, [nothing()]);
        println!("started in {:?}", begun.elapsed());
        assert_eq!(setting.run(vec![plain(FIRST, START)], &[&made[0]]).0, [Outcome::Failed(libc::EBUSY)]);
        std::thread::sleep(Duration::from_millis(50));
        let stream = &made[5];
        let (outcomes, _) = setting.run(
            vec![
                plain(FIRST, STOP),
                plain(On::Attached(1), QUIESCENT),
                plain(On::Attached(2), FLUSH),
                plain(On::Attached(2), SNAPSHOT),
                call(On::Attached(2), POSITION, Argument::Bytes(vec![0; 8]), false),
            ],
            &[&made[0], tracer, stream],
        );
        println!("{outcomes:?}");
        assert_eq!(outcomes[..2], [nothing(), nothing()]);

        // While the daemon has something open, the modules stay; the helper that it is given to closes it.
        let all: Vec<&str> = optional.iter().chain(&required).copied().collect();
        setting.ask(Job::Unload(names(&all)), &[]).0.unwrap();
        let before = loaded();
        println!("in use: {before:?}");
        assert!(before.contains(&"lttng_tracer".to_owned()) && !before.contains(&"lttng_test".to_owned()));
        let given: Vec<&OwnedFd> = made.iter().chain(&filtered).chain([tracer]).collect();
        setting.send(&Request { id: 5, job: Job::Close }.encode(), &given);
        drop(given);
        drop((made, filtered));
        let (closed, _) = setting.receive();
        assert_eq!(closed.result, Ok(Done::Well));
    }

    #[test]
    #[ignore = "needs root, and a kernel with the tracer's modules"]
    fn all_is_loaded_and_unloaded() {
        let setting = system();
        let modules = Modules::new(None, Some("nothing"));
        for (what, job) in [("control", Modules::load_control()), ("probes", modules.load_probes())] {
            let begun = Instant::now();
            assert_eq!(setting.ask(job, &[]).0, Ok(Done::Well));
            println!("{what}: {} modules after {:?}", loaded().len(), begun.elapsed());
        }
        // The tracer is in use, and some of those to be unloaded are not there: the others go all the same. An open file of
        // the tracer keeps nothing.
        let (_, tracer) = setting.ask(Job::Open, &[]);
        let (_, session) = setting.run(vec![call(FIRST, SESSION, Argument::Nothing, true)], &[&tracer[0]]);
        assert_eq!(setting.ask(modules.unload(), &[]).0, Ok(Done::Well));
        println!("in use: {:?}", loaded());
        assert!(loaded().contains(&"lttng_tracer".to_owned()));
        assert!(!loaded().contains(&"lttng_probe_sched".to_owned()));
        drop(session);
        let begun = Instant::now();
        assert_eq!(setting.ask(modules.unload(), &[]).0, Ok(Done::Well));
        println!("unloaded in {:?}", begun.elapsed());
        assert_eq!(loaded(), [""; 0]);
    }
}
