// SPDX-License-Identifier: GPL-2.0-only
//! What triggers ask for, in turn.
//!
//! Each trigger has a line of its own: its actions run one after the other, and when its condition is met again that waits
//! until all of them are over. One that waits for a busy session holds up nobody but itself. Lines that can go on take
//! turns: the one that has waited longest comes first, and goes behind the others when its condition is met the next
//! time, so that no trigger keeps a session from another one. All lines together are bounded, as in the original (lttng-tools 2.13: `src/bin/lttng-sessiond/action-executor.c`), which has one for all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use lttng_protocol::trigger::{Action, Evaluation, RatePolicy};

use crate::model::Sessions;
use crate::turn::ids::{Identity, SessionId, TriggerId};

/// Firings that may wait in all lines together.
pub const MOST: usize = 8192;

/// A condition was met once.
#[derive(Debug, Clone)]
pub struct Firing {
    /// What was found.
    pub evaluation: Rc<Evaluation>,
    /// Who owns the session that the condition is about.
    pub object: Option<Identity>,
    /// For each action the session that it named then. Another one of the same name is not meant.
    pub sessions: Rc<[Option<SessionId>]>,
}

impl Firing {
    /// A trigger with this action fires.
    pub fn new(
        evaluation: Evaluation,
        object: Option<Identity>,
        action: &Action,
        sessions: &Sessions,
    ) -> Self {
        let named =
            |action| session_of(action).and_then(|name| sessions.find(name)).map(|session| session.id);
        let sessions = action.each().iter().map(named).collect();
        Firing { evaluation: Rc::new(evaluation), object, sessions }
    }
}

/// The name of the session that an action is about.
pub fn session_of(action: &Action) -> Option<&str> {
    match action {
        Action::StartSession { session, .. }
        | Action::StopSession { session, .. }
        | Action::RotateSession { session, .. }
        | Action::SnapshotSession { session, .. } => Some(session),
        Action::Notify { .. } | Action::List(_) => None,
    }
}

/// Whether an action runs when it is asked for the `requests`-th time.
pub fn runs(action: &Action, requests: u64) -> bool {
    match action {
        Action::Notify { rate }
        | Action::StartSession { rate, .. }
        | Action::StopSession { rate, .. }
        | Action::RotateSession { rate, .. }
        | Action::SnapshotSession { rate, .. } => match rate {
            RatePolicy::EveryN(number) => requests.is_multiple_of(number.get()),
            RatePolicy::OnceAfterN(number) => requests == number.get(),
        },
        Action::List(_) => false,
    }
}

/// The firings of one trigger.
#[derive(Debug, Default)]
struct Line {
    /// With the places that they have got as they came.
    firings: VecDeque<(u64, Firing)>,
    /// How many actions of the first one are over.
    done: usize,
    /// The next one was asked for already, and has to wait.
    asked: bool,
    /// Lower ones come first. The first firing keeps its own until it is over.
    place: u64,
    /// The first firing took time: those of others that have come meanwhile have their turn before the next one.
    slow: bool,
}

/// What is to be done next.
#[derive(Debug)]
pub struct Next {
    pub trigger: TriggerId,
    pub firing: Firing,
    /// Which of the trigger's actions.
    pub action: usize,
    /// It was asked for before, and had to wait.
    pub again: bool,
}

/// All lines.
#[derive(Debug, Default)]
pub struct Queue {
    lines: BTreeMap<TriggerId, Line>,
    length: usize,
    /// Lines that can go on, by their places.
    ready: BTreeSet<(u64, TriggerId)>,
    /// Lines that wait for a session, or for a peer.
    blocked: BTreeSet<(u64, TriggerId)>,
    next_place: u64,
}

impl Queue {
    /// A trigger fires. False if there is no room.
    pub fn push(&mut self, trigger: TriggerId, firing: Firing) -> bool {
        if self.length >= MOST {
            return false;
        }
        self.length = self.length.saturating_add(1);
        let place = self.make_place();
        let line = self.lines.entry(trigger).or_default();
        if line.firings.is_empty() {
            line.place = place;
            self.ready.insert((line.place, trigger));
        }
        line.firings.push_back((place, firing));
        true
    }

    fn make_place(&mut self) -> u64 {
        let place = self.next_place;
        self.next_place = place.saturating_add(1);
        place
    }

    /// What had to wait is tried again.
    pub fn retry(&mut self) {
        self.ready.append(&mut self.blocked);
    }

    /// What is to be done next, if anything can be. Then one of [`Self::done`], [`Self::wait`] and [`Self::forget`] has to
    /// be called, at once or when it is over.
    pub fn go_on(&mut self) -> Option<Next> {
        let (_, trigger) = self.ready.pop_first()?;
        let line = self.lines.get_mut(&trigger)?;
        let (_, firing) = line.firings.front()?.clone();
        let again = std::mem::replace(&mut line.asked, true);
        Some(Next { trigger, firing, action: line.done, again })
    }

    /// An action is over; `all` is how many the trigger has.
    pub fn done(&mut self, trigger: TriggerId, all: usize) {
        let last = self.next_place;
        let Some(line) = self.lines.get_mut(&trigger) else { return };
        line.asked = false;
        line.done = line.done.saturating_add(1);
        if line.done >= all {
            line.done = 0;
            line.firings.pop_front();
            // What is only told keeps the order in which it happened.
            let next = line.firings.front().map_or(last, |(place, _)| *place);
            line.place = if std::mem::take(&mut line.slow) { last } else { next };
            self.next_place = self.next_place.saturating_add(1);
            self.length = self.length.saturating_sub(1);
        }
        if line.firings.is_empty() {
            self.lines.remove(&trigger);
        } else {
            self.ready.insert((line.place, trigger));
        }
    }

    /// Which action of a trigger is being done by a task.
    pub fn under_way(&self, trigger: TriggerId) -> Option<usize> {
        let line = self.lines.get(&trigger).filter(|line| line.asked)?;
        let at = (line.place, trigger);
        let waits = self.ready.contains(&at) || self.blocked.contains(&at);
        Some(line.done).filter(|_| !waits)
    }

    /// An action was begun and goes on.
    pub fn begun(&mut self, trigger: TriggerId) {
        if let Some(line) = self.lines.get_mut(&trigger) {
            line.slow = true;
        }
    }

    /// An action has to wait.
    pub fn wait(&mut self, trigger: TriggerId) {
        if let Some(line) = self.lines.get_mut(&trigger) {
            line.slow = true;
            self.blocked.insert((line.place, trigger));
        }
    }

    /// A trigger is no more, and nothing of what it asked for is done.
    pub fn forget(&mut self, trigger: TriggerId) {
        if let Some(line) = self.lines.remove(&trigger) {
            self.length = self.length.saturating_sub(line.firings.len());
            self.ready.remove(&(line.place, trigger));
            self.blocked.remove(&(line.place, trigger));
        }
    }

    /// How many firings wait.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU64;

    const A: TriggerId = TriggerId(1);
    const B: TriggerId = TriggerId(2);

    fn firing(id: u64) -> Firing {
        let evaluation = Rc::new(Evaluation::RotationOngoing { id });
        Firing { evaluation, object: None, sessions: Rc::new([]) }
    }

    fn next(queue: &mut Queue) -> Option<(TriggerId, usize, bool)> {
        queue.go_on().map(|next| (next.trigger, next.action, next.again))
    }

    #[test]
    fn a_line_is_one_after_the_other_and_holds_up_no_other() {
        let mut queue = Queue::default();
        assert!(queue.push(A, firing(0)) && queue.push(A, firing(1)) && queue.push(B, firing(0)));
        assert_eq!(next(&mut queue), Some((A, 0, false)));
        queue.wait(A);
        assert_eq!(next(&mut queue), Some((B, 0, false)));
        queue.done(B, 1);
        assert_eq!(next(&mut queue), None);
        queue.retry();
        assert_eq!(next(&mut queue), Some((A, 0, true)));
        queue.done(A, 2);
        assert_eq!(next(&mut queue), Some((A, 1, false)));
        assert_eq!(queue.len(), 2);
        queue.done(A, 2);
        assert_eq!(next(&mut queue), Some((A, 0, false)));
        queue.forget(A);
        assert!(queue.is_empty() && next(&mut queue).is_none());
    }

    /// A session that both want is free when an action is over: whose turn it is.
    #[test]
    fn lines_take_turns() {
        let mut queue = Queue::default();
        (0..3).for_each(|id| assert!(queue.push(A, firing(id))));
        assert!(queue.push(B, firing(0)));
        let mut order = Vec::new();
        while !queue.is_empty() {
            let Some((trigger, ..)) = next(&mut queue) else { break };
            // The others find the session taken.
            while let Some((other, ..)) = next(&mut queue) {
                queue.wait(other);
            }
            order.push(trigger);
            queue.begun(trigger);
            queue.done(trigger, 2);
            queue.retry();
        }
        assert_eq!(order, [A, A, B, B, A, A, A, A]);
    }

    #[test]
    fn what_takes_no_time_keeps_its_order() {
        let mut queue = Queue::default();
        for trigger in [A, B, A, A, B] {
            assert!(queue.push(trigger, firing(0)));
        }
        let order = std::iter::from_fn(|| {
            let (trigger, ..) = next(&mut queue)?;
            queue.done(trigger, 1);
            Some(trigger)
        });
        assert_eq!(order.collect::<Vec<_>>(), [A, B, A, A, B]);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut queue = Queue::default();
        for _ in 0..MOST {
            assert!(queue.push(A, firing(0)));
        }
        assert!(!queue.push(A, firing(0)) && !queue.push(B, firing(0)));
        assert!(next(&mut queue).is_some());
        queue.done(A, 1);
        assert!(queue.push(B, firing(0)));
    }

    #[test]
    fn rates() {
        let rated = |rate, requests| runs(&Action::Notify { rate }, requests);
        let number = |number| NonZeroU64::new(number).unwrap();
        let every: Vec<u64> = (1..8).filter(|n| rated(RatePolicy::EveryN(number(3)), *n)).collect();
        let once: Vec<u64> = (1..8).filter(|n| rated(RatePolicy::OnceAfterN(number(4)), *n)).collect();
        assert_eq!((every, once), (vec![3, 6], vec![4]));
    }
}
