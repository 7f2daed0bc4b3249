// SPDX-License-Identifier: GPL-2.0-only
//! The process that makes requests to the kernel's tracer, since they can sleep for seconds.
//!
//! It takes one job at a time, does it, answers, and closes what came with it. It must know nothing of what jobs are for,
//! keep nothing from one job to the next, and not outlive the daemon by more than the request that is being made.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::unistd::chdir;

use super::job::{
    Argument, Call, Done, Job, MAX_DESCRIPTORS, MAX_MESSAGE, On, Outcome, Request, Response, Step, decode_id,
};
use super::loader::{Loader, Modules};
use crate::sys::ioctl;
use crate::sys::socket::{self, Received};
use crate::sys::{shared_memory, signal};

/// The name that `ps` shows.
const PROCESS_NAME: &std::ffi::CStr = c"lttng-kernel";

/// Where the tracer is.
const CONTROL: &str = "/proc/lttng";

/// Reading this once keeps old kernels from a race in which they make the number that names this boot, which the tracer
/// needs.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Bytes of the longest text that is read from the tracer. Those of real kernels have a few hundred kilobytes.
const MAX_TEXT: u64 = 16 << 20;

/// Bytes of such a text, about.
const ABOUT_A_TEXT: usize = 64 << 10;

/// What such a process does, from its fork to its end, and the status with which it exits.
pub fn life(socket: OwnedFd) -> u8 {
    u8::from(serve(socket, CONTROL.into(), &Modules::system()).is_err())
}

/// The process' life, with another file of the tracer, and other programs.
fn serve(socket: OwnedFd, control: PathBuf, modules: &Modules) -> io::Result<()> {
    nix::sys::prctl::set_name(PROCESS_NAME)?;
    signal::prepare_helper()?;
    // Not to keep the folder busy in which the daemon was started.
    chdir("/")?;
    let loader = Loader::new(modules)?;
    let mut worker = Worker { socket, control, loader, booted: false };
    let mut buffer = vec![0; MAX_MESSAGE];
    while worker.turn(&mut buffer)? {}
    Ok(())
}

struct Worker<'a> {
    socket: OwnedFd,
    control: PathBuf,
    loader: Loader<'a>,
    /// The number that names this boot was read.
    booted: bool,
}

impl Worker<'_> {
    /// Waits for a job and does it. False: the daemon is gone.
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let mut attached = Vec::new();
        let received = socket::receive_message(self.socket.as_fd(), buffer, MAX_DESCRIPTORS, &mut attached);
        let received = match received {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) if is_gone(&error) => return Ok(false),
            Ok(Received { bytes: 0, .. }) => return Ok(false),
            other => other?,
        };
        let Some(message) = buffer.get(..received.bytes) else {
            let id = decode_id(buffer).unwrap_or_default();
            return self.answer(id, Err(libc::ENAMETOOLONG), &[]);
        };
        // Only the daemon writes here: what does not decode is a fault in this program.
        let Request { id, job } = Request::decode(message).map_err(io::Error::other)?;
        let done = if received.truncated {
            Err(io::Error::from_raw_os_error(libc::EMFILE))
        } else {
            self.perform(job, attached)
        };
        match done {
            Ok((done, made)) => self.answer(id, Ok(done), &made),
            // Who would be answered is gone.
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => self.answer(id, Err(error.raw_os_error().unwrap_or(libc::EIO)), &[]),
        }
    }

    /// Does a job. All that came with it is closed when it is done.
    fn perform(&mut self, job: Job, attached: Vec<OwnedFd>) -> io::Result<(Done, Vec<OwnedFd>)> {
        let well = |made: Vec<OwnedFd>| Ok((Done::Well, made));
        match job {
            Job::Load { required, optional } => {
                // Without a program that loads modules, somebody else may have done it.
                let loaded = self.loader.load(&required, false, self.socket.as_fd())?;
                if !loaded.unwrap_or_else(|| self.control.exists()) {
                    return Err(io::Error::from_raw_os_error(libc::ENOENT));
                }
                self.loader.load(&optional, true, self.socket.as_fd())?;
                well(Vec::new())
            }
            Job::Unload(modules) => {
                self.loader.unload(&modules, self.socket.as_fd())?;
                well(Vec::new())
            }
            Job::Open => well(vec![self.open()?]),
            Job::Run(steps) => {
                let (outcomes, made) = run(steps, &attached);
                Ok((Done::Steps(outcomes), made))
            }
            Job::List(number) => {
                let of = attached.first().ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
                well(vec![list(of.as_fd(), number)?])
            }
            Job::Close => {
                drop(attached);
                well(Vec::new())
            }
        }
    }

    fn open(&mut self) -> io::Result<OwnedFd> {
        if !std::mem::replace(&mut self.booted, true) {
            // Whether it could be read does not matter.
            let _ = fs::read(BOOT_ID);
        }
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).custom_flags(libc::O_CLOEXEC).open(&self.control)?;
        Ok(opened.into())
    }

    /// Answers; waits while the daemon has not read earlier answers. What can't be sent as it is is answered with the
    /// reason. False: the daemon is gone.
    fn answer(&self, id: u64, result: Result<Done, i32>, made: &[OwnedFd]) -> io::Result<bool> {
        let failed = result.is_err();
        let message = Response { id, result }.encode();
        let made: Vec<BorrowedFd<'_>> = made.iter().map(AsFd::as_fd).collect();
        loop {
            match socket::send(self.socket.as_fd(), &[IoSlice::new(&message)], &made) {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => return Ok(false),
                Err(error) if failed => return Err(error),
                Err(error) => return self.answer(id, Err(error.raw_os_error().unwrap_or(libc::EIO)), &[]),
            }
        }
    }
}

/// Whether something failed because the daemon's end of the socket is closed.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected)
}

/// Steps being taken.
struct Steps<'a> {
    attached: &'a [OwnedFd],
    /// What came of each so far; and where among those made is the first one that it has made.
    taken: Vec<(Outcome, Option<usize>)>,
    made: Vec<OwnedFd>,
}

/// Takes steps. What came of them, and the descriptors that they made.
fn run(steps: Vec<Step>, attached: &[OwnedFd]) -> (Vec<Outcome>, Vec<OwnedFd>) {
    let mut run = Steps { attached, taken: Vec::with_capacity(steps.len()), made: Vec::new() };
    for step in steps {
        let first = run.made.len();
        let outcome = run.take(step);
        let made = (run.made.len() > first).then_some(first);
        run.taken.push((outcome, made));
    }
    (run.taken.into_iter().map(|(outcome, _)| outcome).collect(), run.made)
}

impl Steps<'_> {
    fn take(&mut self, Step { on, needs, call }: Step) -> Outcome {
        if needs.is_some_and(|step| !self.succeeded(step)) {
            return Outcome::Skipped;
        }
        let failed = |error: &io::Error| Outcome::Failed(error.raw_os_error().unwrap_or(libc::EIO));
        let descriptor = match on {
            On::Attached(place) => self.attached.get(usize::from(place)),
            On::Made(step) => {
                let first = self.taken.get(usize::from(step)).and_then(|(_, first)| *first);
                let Some(made) = first.and_then(|first| self.made.get(first)) else {
                    return Outcome::Skipped;
                };
                Some(made)
            }
        };
        let Some(descriptor) = descriptor else { return Outcome::Failed(libc::EBADF) };
        match call {
            Call::Each { number, most } => {
                let mut count = 0;
                let mut new = Vec::new();
                let room = MAX_DESCRIPTORS.saturating_sub(self.made.len());
                let mut ended = false;
                while count < most && new.len() < room && !ended {
                    match ioctl::request_descriptor(descriptor.as_fd(), number, ioctl::Argument::Nothing) {
                        Ok(made) => {
                            new.push(made);
                            count = count.saturating_add(1);
                        }
                        Err(_) => ended = true,
                    }
                }
                self.made.append(&mut new);
                Outcome::Made { count, ended }
            }
            Call::Request { makes: true, .. } if self.made.len() >= MAX_DESCRIPTORS => {
                Outcome::Failed(libc::EMFILE)
            }
            Call::Request { number, alias, argument, makes } => {
                let mut argument = match self.with_descriptor(argument) {
                    Ok(argument) => argument,
                    Err(errno) => return Outcome::Failed(errno),
                };
                let mut done = ask(descriptor.as_fd(), number, &mut argument, makes);
                let mut number = number;
                if let (Err(error), Some(alias)) = (&done, alias)
                    && matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::ENOSYS))
                {
                    number = alias;
                    done = ask(descriptor.as_fd(), number, &mut argument, makes);
                }
                match done {
                    Ok(Some(made)) => {
                        self.made.push(made);
                        Outcome::Made { count: 1, ended: false }
                    }
                    Ok(None) => Outcome::Done(match argument {
                        Argument::Bytes(bytes) if ioctl::writes(number) => bytes,
                        _ => Vec::new(),
                    }),
                    Err(error) => failed(&error),
                }
            }
        }
    }

    fn succeeded(&self, step: u16) -> bool {
        match self.taken.get(usize::from(step)) {
            Some((Outcome::Made { .. }, made)) => made.is_some(),
            Some((Outcome::Done(_), _)) => true,
            Some((Outcome::Failed(_) | Outcome::Skipped, _)) | None => false,
        }
    }

    /// Puts the number of a descriptor into bytes that need one.
    fn with_descriptor(&self, argument: Argument) -> Result<Argument, i32> {
        let Argument::WithDescriptor { mut bytes, at, attached } = argument else { return Ok(argument) };
        let descriptor = self.attached.get(usize::from(attached)).ok_or(libc::EBADF)?;
        let number = descriptor.as_raw_fd().to_ne_bytes();
        let at = usize::try_from(at).map_err(|_| libc::EINVAL)?;
        let place = bytes.get_mut(at..).and_then(|bytes| bytes.get_mut(..number.len()));
        place.ok_or(libc::EINVAL)?.copy_from_slice(&number);
        Ok(Argument::Bytes(bytes))
    }
}

/// Makes a request, and brings the descriptor if it makes one.
fn ask(of: BorrowedFd<'_>, number: u32, argument: &mut Argument, makes: bool) -> io::Result<Option<OwnedFd>> {
    let argument = match argument {
        Argument::Nothing => ioctl::Argument::Nothing,
        Argument::Value(value) => ioctl::Argument::Value(*value),
        Argument::Bytes(bytes) | Argument::WithDescriptor { bytes, .. } => ioctl::Argument::Bytes(bytes),
    };
    if makes {
        ioctl::request_descriptor(of, number, argument).map(Some)
    } else {
        ioctl::request(of, number, argument).map(|_| None)
    }
}

/// Has the tracer make a text, and reads it.
fn list(of: BorrowedFd<'_>, number: u32) -> io::Result<OwnedFd> {
    text_of(ioctl::request_descriptor(of, number, ioctl::Argument::Nothing)?)
}

/// Reads a text to its end, into memory.
fn text_of(listing: OwnedFd) -> io::Result<OwnedFd> {
    // Enough for most, so that it is read with few calls.
    let mut text = Vec::with_capacity(ABOUT_A_TEXT);
    File::from(listing).take(MAX_TEXT.saturating_add(1)).read_to_end(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_TEXT) {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    shared_memory::of_text(&text)
}

#[cfg(test)]
mod tests;
