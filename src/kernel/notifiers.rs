// SPDX-License-Identifier: GPL-2.0-only
//! Event notifiers of the kernel: what triggers want, what the tracer has, and from both the next job. Pure, like the
//! planner of sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::OwnedFd;

use lttng_protocol::kernel::{Bytecode, EventNotifier, Request};

use super::job::{Done, On, Outcome};
use super::plan::{self, Plan};
use super::refusal::{Asked, Refusal};
use super::tracer::Group;
use crate::turn::ids::TriggerId;
use crate::turn::inbox::Inbox;
use crate::turn::output::SharedFd;

/// What a trigger wants of the tracer.
#[derive(Debug)]
pub struct Notifier {
    pub description: EventNotifier,
    pub filter: Option<Bytecode>,
    /// What is told of an event, in order.
    pub captures: Vec<Bytecode>,
    /// Of a probe in a program: the program, and the places in its file.
    pub program: Option<(SharedFd, Vec<u64>)>,
}

/// What triggers want, by the tokens by which the tracer knows them.
pub type Wanted = BTreeMap<TriggerId, Notifier>;

/// What triggers want of the tracer, what it has of that, and what it tells.
#[derive(Debug, Default)]
pub struct Notifiers {
    pub wanted: Wanted,
    pub mirror: Mirror,
    /// Where the tracer tells of events.
    pub events: Option<File>,
    /// What it has told, as far as it is not whole.
    pub input: Inbox,
    /// Something may have to be done.
    pub dirty: bool,
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    Make(TriggerId),
    /// A part without which it is of no use.
    Part(TriggerId, Asked),
    Enable(TriggerId),
    Disable(TriggerId),
    /// This error counter begins anew.
    Clear(u64),
}

/// What the tracer has.
#[derive(Debug, Default)]
pub struct Mirror {
    made: BTreeMap<TriggerId, SharedFd>,
    refused: BTreeMap<TriggerId, Refusal>,
    /// Those that nobody wants any more, and are to be switched off.
    unwanted: BTreeMap<TriggerId, SharedFd>,
    /// Error counters of those, to be cleared once they are off.
    counters: BTreeMap<TriggerId, u64>,
    under_way: Option<Vec<Aim>>,
}

/// What came of a job, as far as others care.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Error counters that begin anew: their places are free.
    pub cleared: Vec<u64>,
    /// Error counters that can't be cleared.
    pub stuck: Vec<(u64, i32)>,
}

impl Mirror {
    /// Whether a job is under way.
    pub fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// A job was sent.
    pub fn begun(&mut self, aims: Vec<Aim>) {
        self.under_way = Some(aims);
    }

    /// Whether the tracer has this one, or has refused it.
    pub fn is_settled(&self, id: TriggerId) -> bool {
        !self.is_busy() && (self.made.contains_key(&id) || self.refused.contains_key(&id))
    }

    /// Takes what the tracer said to this one, if it refused it.
    pub fn take_refusal(&mut self, id: TriggerId) -> Option<Refusal> {
        self.refused.remove(&id)
    }

    /// This one, with this error counter, is not wanted any more.
    pub fn forget(&mut self, id: TriggerId, counter: u64) {
        self.refused.remove(&id);
        self.counters.insert(id, counter);
        if let Some(object) = self.made.remove(&id) {
            self.unwanted.insert(id, object);
        }
    }

    /// What came of the job under way.
    pub fn done(&mut self, wanted: &Wanted, result: Result<(Done, Vec<OwnedFd>), i32>) -> News {
        let mut news = News::default();
        let Some(aims) = self.under_way.take() else { return news };
        for (aim, outcome, made) in plan::came_of(aims, result) {
            match (aim, outcome) {
                (Aim::Make(id), Outcome::Made { .. }) => match made.into_iter().next() {
                    Some(object) => {
                        self.made.insert(id, object);
                    }
                    None => self.refuse(id, Asked::Event, libc::EMFILE),
                },
                (Aim::Make(id), Outcome::Failed(errno)) => self.refuse(id, Asked::Event, errno),
                (Aim::Part(id, asked), Outcome::Failed(errno)) => self.refuse(id, asked, errno),
                (Aim::Enable(id), Outcome::Failed(errno)) => self.refuse(id, Asked::EnableNew, errno),
                (Aim::Disable(id), _) => {
                    self.unwanted.remove(&id);
                }
                (Aim::Clear(counter), Outcome::Failed(errno)) => {
                    self.counters.retain(|_, known| *known != counter);
                    news.stuck.push((counter, errno));
                }
                (Aim::Clear(counter), _) => {
                    self.counters.retain(|_, known| *known != counter);
                    news.cleared.push(counter);
                }
                _ => {}
            }
        }
        // Some may have been given up while they were being made.
        let given_up: BTreeSet<TriggerId> =
            self.made.keys().copied().filter(|id| !wanted.contains_key(id)).collect();
        for id in given_up {
            if let Some(object) = self.made.remove(&id) {
                self.unwanted.insert(id, object);
            }
        }
        news
    }

    /// It is of no use; what there is of it is never switched on.
    fn refuse(&mut self, id: TriggerId, asked: Asked, errno: i32) {
        self.made.remove(&id);
        self.refused.entry(id).or_insert(Refusal { asked, errno });
    }

    /// Gives up everything: the descriptors.
    pub fn let_go(&mut self) -> Vec<SharedFd> {
        let made = std::mem::take(&mut self.made).into_values();
        made.chain(std::mem::take(&mut self.unwanted).into_values()).collect()
    }
}

/// The next job, if there is anything to be done.
pub fn plan(wanted: &Wanted, mirror: &Mirror, group: &Group) -> Option<Plan<Aim>> {
    let mut plan = Plan::default();
    for (&id, object) in &mirror.unwanted {
        if plan.has_room() {
            let on = plan.attach(object);
            plan.ask(Aim::Disable(id), on, None, &Request::Disable);
        }
    }
    // What one that was just switched off has still counted belongs to nobody: it is cleared after that.
    for (id, &index) in &mirror.counters {
        if plan.has_room() && !mirror.made.contains_key(id) {
            let on = plan.attach(&group.counter);
            plan.ask(Aim::Clear(index), on, None, &Request::CounterClear { index });
        }
    }
    let object = |id: &TriggerId| mirror.made.contains_key(id) || mirror.refused.contains_key(id);
    for (&id, notifier) in wanted.iter().filter(|(id, _)| !object(id)) {
        if plan.has_room() {
            make(id, notifier, group, &mut plan);
        }
    }
    Some(plan).filter(|plan| !plan.is_empty())
}

fn make(id: TriggerId, notifier: &Notifier, group: &Group, plan: &mut Plan<Aim>) {
    let group = plan.attach(&group.object);
    let request = Request::EventNotifier(notifier.description.clone());
    let made = match &notifier.program {
        Some((program, _)) => plan.ask_with_program(Aim::Make(id), group, &request, program),
        None => plan.ask(Aim::Make(id), group, None, &request),
    };
    let on = On::Made(made);
    let mut last = None;
    if let Some(filter) = &notifier.filter {
        let request = Request::Filter(filter.clone());
        last = Some(plan.ask(Aim::Part(id, Asked::Filter), on, last, &request));
    }
    for &offset in notifier.program.iter().flat_map(|(_, offsets)| offsets) {
        let request = Request::AddCallsite { offset };
        last = Some(plan.ask(Aim::Part(id, Asked::Callsite), on, last, &request));
    }
    for capture in &notifier.captures {
        let request = Request::Capture(capture.clone());
        last = Some(plan.ask(Aim::Part(id, Asked::Capture), on, last, &request));
    }
    plan.ask(Aim::Enable(id), on, last, &Request::Enable);
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::rc::Rc;

    use lttng_protocol::kernel::{Event, Instrumentation};

    use super::*;
    use crate::kernel::job::Call;

    fn descriptor() -> SharedFd {
        Rc::new(File::open("/dev/null").unwrap().into())
    }

    fn group() -> Group {
        Group { object: descriptor(), notifications: descriptor(), counter: descriptor() }
    }

    fn notifier(id: u64, parts: bool) -> Notifier {
        let event = Event { name: "e".into(), instrumentation: Instrumentation::Tracepoint, token: id };
        let bytecode = || Bytecode { reloc_offset: 0, seqnum: 0, data: vec![1] };
        Notifier {
            description: EventNotifier { event, error_counter_index: id },
            filter: parts.then(bytecode),
            captures: if parts { vec![bytecode(), bytecode()] } else { Vec::new() },
            program: None,
        }
    }

    /// Sends the next job and answers it: `refused` is the place of a step that fails; what needs it is skipped.
    fn go(wanted: &Wanted, mirror: &mut Mirror, refused: Option<usize>) -> (Vec<Aim>, News) {
        let plan = plan(wanted, mirror, &group()).unwrap();
        let mut outcomes = Vec::new();
        let mut made = Vec::new();
        for (at, step) in plan.steps.iter().enumerate() {
            let needed = step.needs.map_or(at, usize::from);
            outcomes.push(match &step.call {
                _ if refused == Some(at) => Outcome::Failed(libc::EINVAL),
                _ if needed < at && !matches!(outcomes[needed], Outcome::Done(_)) => Outcome::Skipped,
                Call::Request { makes: true, .. } => {
                    made.push(File::open("/dev/null").unwrap().into());
                    Outcome::Made { count: 1, ended: false }
                }
                _ => Outcome::Done(Vec::new()),
            });
        }
        mirror.begun(plan.aims.clone());
        assert!(mirror.is_busy());
        (plan.aims, mirror.done(wanted, Ok((Done::Steps(outcomes), made))))
    }

    #[test]
    fn one_is_made_with_its_parts_and_only_then_switched_on() {
        let id = TriggerId(7);
        let (wanted, mut mirror) = (Wanted::from([(id, notifier(7, true))]), Mirror::default());
        let (aims, _) = go(&wanted, &mut mirror, None);
        let capture = Aim::Part(id, Asked::Capture);
        assert_eq!(aims, [Aim::Make(id), Aim::Part(id, Asked::Filter), capture, capture, Aim::Enable(id)]);
        assert!(mirror.is_settled(id) && mirror.take_refusal(id).is_none());
        assert!(plan(&wanted, &mirror, &group()).is_none());
        assert_eq!(mirror.let_go().len(), 1);
    }

    #[test]
    fn one_of_which_a_part_is_refused_is_none() {
        let id = TriggerId(7);
        let asked = [Asked::Event, Asked::Filter, Asked::Capture, Asked::Capture, Asked::EnableNew];
        for (at, asked) in asked.into_iter().enumerate() {
            let (mut wanted, mut mirror) = (Wanted::from([(id, notifier(7, true))]), Mirror::default());
            go(&wanted, &mut mirror, Some(at));
            assert!(mirror.is_settled(id) && plan(&wanted, &mirror, &group()).is_none());
            assert_eq!(mirror.take_refusal(id), Some(Refusal { asked, errno: libc::EINVAL }));
            wanted.clear();
            mirror.forget(id, 7);
            assert_eq!(go(&wanted, &mut mirror, None).1.cleared, [7]);
            assert!(mirror.let_go().is_empty());
        }
    }

    #[test]
    fn a_counter_is_cleared_after_what_counted_there_is_switched_off() {
        let id = TriggerId(7);
        let (mut wanted, mut mirror) = (Wanted::from([(id, notifier(7, false))]), Mirror::default());
        go(&wanted, &mut mirror, None);
        wanted.clear();
        mirror.forget(id, 3);
        let (aims, news) = go(&wanted, &mut mirror, None);
        assert_eq!((aims, news.cleared), (vec![Aim::Disable(id), Aim::Clear(3)], vec![3]));
        assert!(plan(&wanted, &mirror, &group()).is_none());
        // A place that can't be cleared is not given to anybody else.
        mirror.forget(id, 4);
        assert_eq!(go(&wanted, &mut mirror, Some(0)).1.stuck, [(4, libc::EINVAL)]);
        assert!(plan(&wanted, &mirror, &group()).is_none());
    }

    #[test]
    fn one_that_is_given_up_while_it_is_made_is_switched_off() {
        let id = TriggerId(7);
        let (mut wanted, mut mirror) = (Wanted::from([(id, notifier(7, false))]), Mirror::default());
        let plan = plan(&wanted, &mirror, &group()).unwrap();
        mirror.begun(plan.aims);
        wanted.clear();
        mirror.forget(id, 7);
        let made = vec![File::open("/dev/null").unwrap().into()];
        let outcomes = vec![Outcome::Made { count: 1, ended: false }, Outcome::Done(Vec::new())];
        mirror.done(&wanted, Ok((Done::Steps(outcomes), made)));
        assert_eq!(go(&wanted, &mut mirror, None).0, [Aim::Disable(id), Aim::Clear(7)]);
    }

    /// Nobody knows what was done of a job that was lost.
    #[test]
    fn a_lost_job_refuses_what_it_was_to_make() {
        let id = TriggerId(7);
        let (wanted, mut mirror) = (Wanted::from([(id, notifier(7, false))]), Mirror::default());
        let plan = plan(&wanted, &mirror, &group()).unwrap();
        mirror.begun(plan.aims);
        mirror.done(&wanted, Err(libc::EIO));
        assert_eq!(mirror.take_refusal(id), Some(Refusal { asked: Asked::Event, errno: libc::EIO }));
    }
}
