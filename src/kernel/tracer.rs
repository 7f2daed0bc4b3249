// SPDX-License-Identifier: GPL-2.0-only
//! The tracer as a whole: found step by step, used, and given up at the end.
//!
//! That there is none is never final: modules may appear, so it is looked for again whenever somebody needs it. The order
//! of steps is that of lttng-tools 2.13, `src/bin/lttng-sessiond/kernel.c`. Nothing is asked here: each step says which
//! job is next.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use lttng_protocol::kernel::listing::Syscall;
use lttng_protocol::kernel::{AbiVersion, Bitness, CounterConfiguration, Request, TracerVersion, listing};

use super::job::{Done, Job, On, Outcome};
use super::modules::Modules;
use super::plan::{Aim, Order, Plan};
use super::refusal::Unavailable;
use crate::turn::output::SharedFd;

/// What came of a job.
pub type Result = std::result::Result<(Done, Vec<OwnedFd>), i32>;

/// Event notifiers: what all triggers on the kernel's events have in common.
#[derive(Debug, Clone)]
pub struct Group {
    pub object: SharedFd,
    /// What they tell is read here.
    pub notifications: SharedFd,
    /// What they could not tell is counted here.
    pub counter: SharedFd,
}

/// A tracer that can be used.
#[derive(Debug)]
pub struct Found {
    /// `/proc/lttng`.
    pub control: SharedFd,
    pub version: TracerVersion,
    pub abi: AbiVersion,
    /// Not there in old tracers, or without memory for it.
    pub group: Option<Group>,
    /// The system calls that can be traced.
    pub syscalls: Rc<Vec<Syscall>>,
}

/// How far it is.
#[derive(Debug)]
enum Stage {
    /// Nobody has needed it.
    Unknown,
    /// Modules without which there is none are being loaded.
    Loading,
    Opening,
    Versions(SharedFd),
    Probes(Found),
    Group(Found),
    Syscalls(Found),
    Ready(Found),
    /// It can't be used: what was loaded for it is being unloaded.
    GivenUp(Unavailable),
    Missing(Unavailable),
    /// The daemon ends.
    Over,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// This is to be asked.
    Ask(Order),
    /// It can be used.
    Ready,
    /// It can't, for this reason, which is for people. The modules that were loaded for it are of no use.
    Missing(String, Order),
    /// Nothing: there is none, or the daemon ends.
    Nothing,
}

/// The tracer.
#[derive(Debug)]
pub struct Tracer {
    stage: Stage,
    modules: Modules,
    /// Counters of what event notifiers could not tell.
    slots: u32,
    /// Modules were loaded, or may have been.
    loaded: bool,
}

impl Tracer {
    /// One that nobody has looked for yet.
    pub fn new(modules: Modules, slots: u32) -> Self {
        Tracer { stage: Stage::Unknown, modules, slots, loaded: false }
    }

    /// What can be used, if it was found.
    pub fn found(&self) -> Option<&Found> {
        match &self.stage {
            Stage::Ready(found) => Some(found),
            _ => None,
        }
    }

    /// Why there was none when it was last looked for.
    pub fn missing(&self) -> Option<Unavailable> {
        match self.stage {
            Stage::Missing(why) => Some(why),
            _ => None,
        }
    }

    /// Begins to look for it, unless that goes on, or it was found.
    pub fn look(&mut self) -> Option<Order> {
        if !matches!(self.stage, Stage::Unknown | Stage::Missing(_)) {
            return None;
        }
        self.stage = Stage::Loading;
        self.loaded = true;
        Some((Modules::load_control(), Vec::new()))
    }

    /// The job that was asked for last has come to this.
    pub fn answered(&mut self, result: Result) -> Next {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Loading => match result {
                Ok(_) => self.go_on(Stage::Opening, (Job::Open, Vec::new())),
                Err(errno) => self.is_missing(
                    Unavailable::Absent,
                    format!("its modules can't be loaded ({})", name(errno)),
                ),
            },
            Stage::Opening => match result.map(|(_, made)| made.into_iter().next()) {
                Ok(Some(control)) => {
                    let control = Rc::new(control);
                    let mut plan = Plan::default();
                    let on = plan.attach(&control);
                    plan.ask(Aim::Detail, on, None, &Request::TracerVersion);
                    plan.ask(Aim::Detail, on, None, &Request::AbiVersion);
                    self.go_on(Stage::Versions(control), plan.into_job().1)
                }
                Ok(None) => self.is_missing(Unavailable::Absent, "it can't be opened".to_owned()),
                Err(errno) => self.is_missing(
                    Unavailable::Absent,
                    format!("/proc/lttng can't be opened ({})", name(errno)),
                ),
            },
            Stage::Versions(control) => self.is_of_version(control, result),
            // As many as there are; the helper has said what it could not do.
            Stage::Probes(found) => {
                let mut plan = Plan::default();
                let on = plan.attach(&found.control);
                let group = On::Made(plan.ask(Aim::Detail, on, None, &Request::EventNotifierGroup));
                plan.ask(Aim::Detail, group, None, &Request::Notifications);
                let counters = CounterConfiguration { size: self.slots.into(), bitness: Bitness::NATIVE };
                plan.ask(Aim::Detail, group, None, &Request::Counter(counters));
                self.go_on(Stage::Group(found), plan.into_job().1)
            }
            Stage::Group(found) => self.has_group(found, result),
            Stage::Syscalls(mut found) => {
                found.syscalls = Rc::new(
                    result
                        .and_then(|(_, made)| text(made))
                        .map(|text| listing::syscalls(&text))
                        .unwrap_or_default(),
                );
                self.stage = Stage::Ready(found);
                Next::Ready
            }
            Stage::GivenUp(why) => {
                self.stage = Stage::Missing(why);
                Next::Nothing
            }
            // The daemon ends, and what was made meanwhile is closed.
            other => {
                self.stage = other;
                Next::Nothing
            }
        }
    }

    fn is_of_version(&mut self, control: SharedFd, result: Result) -> Next {
        let outcomes = match result {
            Ok((Done::Steps(outcomes), _)) => outcomes,
            _ => Vec::new(),
        };
        let mut bytes = outcomes.iter().map(|outcome| match outcome {
            Outcome::Done(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        let version = bytes.next().flatten().and_then(|bytes| TracerVersion::decode(bytes).ok());
        let abi = bytes.next().flatten().and_then(|bytes| AbiVersion::decode(bytes).ok());
        let (Some(version), Some(abi)) = (version, abi) else {
            let text = "it does not say its version: it is of LTTng 2.5 or older".to_owned();
            return self.is_missing(Unavailable::Version, text);
        };
        if !version.is_supported() || !abi.is_supported() {
            let text = format!(
                "it is version {}.{}.{} with interface {}.{}; 2.x with interface 2.x is needed",
                version.major, version.minor, version.patchlevel, abi.major, abi.minor
            );
            return self.is_missing(Unavailable::Version, text);
        }
        let found = Found { control, version, abi, group: None, syscalls: Rc::default() };
        let job = self.modules.load_probes();
        self.go_on(Stage::Probes(found), (job, Vec::new()))
    }

    /// Old tracers have no group, which is no reason to do without them. One that has a group and no way to be told by it
    /// is of no use.
    fn has_group(&mut self, mut found: Found, result: Result) -> Next {
        let made = result.map(|(_, made)| made).unwrap_or_default();
        let mut made = made.into_iter().map(Rc::new);
        match (made.next(), made.next(), made.next()) {
            (Some(object), Some(notifications), Some(counter)) => {
                found.group = Some(Group { object, notifications, counter });
            }
            (Some(_), ..) => {
                let text = "it can't tell of events that match triggers".to_owned();
                return self.is_missing(Unavailable::Absent, text);
            }
            (None, ..) => {
                log::warn!("The kernel tracer knows no event notifiers: triggers can't be about its events")
            }
        }
        let control = Rc::clone(&found.control);
        let job = Job::List(Request::SyscallList.number());
        self.go_on(Stage::Syscalls(found), (job, vec![control]))
    }

    fn go_on(&mut self, stage: Stage, asked: Order) -> Next {
        self.stage = stage;
        Next::Ask(asked)
    }

    fn is_missing(&mut self, why: Unavailable, text: String) -> Next {
        self.stage = Stage::GivenUp(why);
        Next::Missing(text, (Modules::unload_control(), Vec::new()))
    }

    /// The daemon ends: what is left is to be closed, and then the modules unloaded. Nothing if there is nothing.
    pub fn end(&mut self) -> Vec<Order> {
        let before = std::mem::replace(&mut self.stage, Stage::Over);
        let mut asked = Vec::new();
        match before {
            Stage::Ready(found) | Stage::Probes(found) | Stage::Group(found) | Stage::Syscalls(found) => {
                let mut left = vec![found.control];
                if let Some(group) = found.group {
                    left.extend([group.notifications, group.object, group.counter]);
                }
                asked.push((Job::Close, left));
            }
            Stage::Versions(control) => asked.push((Job::Close, vec![control])),
            Stage::Unknown
            | Stage::Loading
            | Stage::Opening
            | Stage::GivenUp(_)
            | Stage::Missing(_)
            | Stage::Over => {}
        }
        if self.loaded {
            asked.push((self.modules.unload(), Vec::new()));
        }
        asked
    }
}

fn name(errno: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(errno)
}

/// The text that a listing has brought: memory, which is read without waiting.
///
/// # Errors
/// EIO, if there is none, or it can't be read.
pub fn text(made: Vec<OwnedFd>) -> std::result::Result<Vec<u8>, i32> {
    let memory = made.into_iter().next().ok_or(libc::EIO)?;
    let mut text = Vec::new();
    std::fs::File::from(memory).read_to_end(&mut text).map_err(|_| libc::EIO)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn made(count: usize) -> Vec<OwnedFd> {
        (0..count).map(|_| File::open("/dev/null").unwrap().into()).collect()
    }

    fn tracer() -> Tracer {
        Tracer::new(Modules::new(None, None), 8)
    }

    fn well(count: usize) -> Result {
        Ok((Done::Well, made(count)))
    }

    fn group(made_of_it: usize) -> Result {
        Ok((Done::Steps(Vec::new()), made(made_of_it)))
    }

    fn versions(major: u32) -> Result {
        let tracer = TracerVersion { major: 2, minor: 13, patchlevel: 9 }.encode();
        let abi = AbiVersion { major, minor: 6 }.encode();
        Ok((Done::Steps(vec![Outcome::Done(tracer), Outcome::Done(abi)]), Vec::new()))
    }

    /// Answers in this order; what is next after the last.
    fn go(tracer: &mut Tracer, answers: Vec<Result>) -> Next {
        assert!(tracer.look().is_some());
        let mut next = Next::Nothing;
        for answer in answers {
            assert!(tracer.look().is_none(), "it is looked for already");
            next = tracer.answered(answer);
        }
        next
    }

    #[test]
    fn it_is_found_step_by_step() {
        let mut tracer = tracer();
        // That probes can't be loaded is no reason to do without it.
        let answers = vec![well(0), well(1), versions(2), Err(libc::EPERM), group(3)];
        let next = go(&mut tracer, answers);
        assert!(matches!(next, Next::Ask((Job::List(_), ref on)) if on.len() == 1), "{next:?}");
        assert!(tracer.found().is_none());
        assert!(matches!(tracer.answered(Err(libc::ENOSYS)), Next::Ready));
        let found = tracer.found().unwrap();
        assert!(found.group.is_some() && found.syscalls.is_empty());
        assert_eq!(tracer.end().len(), 2);
        assert!(matches!(tracer.answered(well(1)), Next::Nothing));
        assert!(tracer.look().is_none());
    }

    #[test]
    fn what_is_missing_is_looked_for_again() {
        let absent = [
            vec![Err(libc::ENOENT)],
            vec![well(0), Err(libc::ENOENT)],
            vec![well(0), well(0)],
            vec![well(0), well(1), versions(2), well(0), group(1)],
        ];
        let version = [vec![well(0), well(1), versions(3)], vec![well(0), well(1), Err(libc::EIO)]];
        let absent = absent.into_iter().map(|answers| (answers, Unavailable::Absent));
        let version = version.into_iter().map(|answers| (answers, Unavailable::Version));
        let mut tracer = tracer();
        for (answers, why) in absent.chain(version) {
            let next = go(&mut tracer, answers);
            assert!(matches!(next, Next::Missing(_, (Job::Unload(_), _))), "{next:?}");
            // That is told when what was loaded for it is gone.
            assert_eq!((tracer.missing(), tracer.look().is_none()), (None, true));
            assert!(matches!(tracer.answered(well(0)), Next::Nothing));
            assert_eq!(tracer.missing(), Some(why));
        }
    }

    /// Whatever it is at, what it has is closed before modules are unloaded; and if nobody looked for it, nothing is.
    #[test]
    fn it_can_end_at_any_step() {
        assert!(tracer().end().is_empty());
        for (count, expected) in [0, 0, 1, 1, 1, 4, 4].into_iter().enumerate() {
            let mut answers = vec![well(0), well(1), versions(2), well(0), group(3), well(0)];
            answers.truncate(count);
            let mut tracer = tracer();
            go(&mut tracer, answers);
            let left = match &tracer.end()[..] {
                [(Job::Unload(_), _)] => 0,
                [(Job::Close, left), (Job::Unload(_), _)] => left.len(),
                other => panic!("{other:?}"),
            };
            assert_eq!(left, expected, "after {count} answers");
        }
    }
}
