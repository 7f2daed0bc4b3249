// SPDX-License-Identifier: GPL-2.0-only
//! A task whose questions are answered late, wrongly, or not at all.

use std::task::ready;
use std::time::{Duration, Instant};

use super::*;
use crate::helper::{PathJob, Response};
use crate::model::Wanted;
use crate::operation::steps::leaving;
use crate::state::Settings;
use crate::turn::Post;
use crate::turn::errand::Errand;
use crate::turn::ids::{ConnId, Identity};
use crate::turn::machine::Attached;

const HELPER: ConnId = ConnId(1);
const CLIENT: Requester = Requester::Client(ConnId(2));
const OWNER: Identity = Identity { uid: 1000, gid: 1000 };

/// Asks twice two things of the helper. When the first answers take too long, it asks the next all the same, and has time
/// again.
#[derive(Debug, Default)]
struct Patient {
    step: usize,
    late: bool,
}

impl Task for Patient {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        loop {
            if self.step > 0 {
                let answers = ready!(cx.answers());
                self.late |= answers.late;
                if !answers.late && !answers.all_well() {
                    return Poll::Ready(Err(Failure::FolderNotMade));
                }
            }
            if self.step == 2 {
                return Poll::Ready(Ok(Answer::DataPending(self.late)));
            }
            self.step += 1;
            cx.renew();
            for _ in 0..2 {
                let job = PathJob::MakeDirectories { path: "/folder".into(), mode: 0 };
                cx.ask_helper(OWNER, job, 0);
            }
        }
    }
}

struct World {
    state: State,
    tasks: Tasks,
    told: Vec<(Requester, Result<Answer, Failure>)>,
}

impl World {
    fn new() -> Self {
        let settings = Settings::for_tests();
        let mut state = State::new(settings, Instant::now(), 0);
        state.adopted(Errand::Helper, Ok(HELPER));
        World { state, tasks: Tasks::default(), told: Vec::new() }
    }

    fn begin(&mut self, task: impl Task + 'static) {
        self.tasks.begin(&mut self.state, Box::new(task), Some(CLIENT), None);
        self.look();
    }

    fn look(&mut self) {
        for post in std::mem::take(&mut self.state.turn.posts) {
            match post {
                Post::Begin(wanted) => self.tasks.begin_wanted(&mut self.state, wanted),
                Post::Answered(ticket, answered) => {
                    self.tasks.answered(ticket, answered, self.state.turn.now);
                }
            }
        }
        let told = &mut self.told;
        self.tasks.run(&mut self.state, |_, conn, result| told.push((conn, result)));
    }

    fn pass(&mut self, duration: Duration) {
        self.state.turn.now += duration;
        self.look();
    }

    /// The helper answers the request of this number.
    fn answer(&mut self, id: u64, error: Option<i32>) {
        self.state.received(
            HELPER,
            &Response { id, error, address: None, offsets: Vec::new() }.encode(),
            Attached::default(),
        );
        self.look();
    }

    fn outcome(&self) -> Option<bool> {
        match self.told.as_slice() {
            [] => None,
            [(CLIENT, Ok(Answer::DataPending(late)))] => Some(*late),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_task_goes_on_when_all_is_answered() {
    let mut world = World::new();
    world.begin(Patient::default());
    for id in 1..=4 {
        assert_eq!(world.outcome(), None);
        world.answer(id, None);
    }
    assert_eq!(world.outcome(), Some(false));
    assert!(world.tasks.is_empty());
    assert_eq!(world.state.turn.timers.next(), None);
}

#[test]
fn a_late_answer_never_completes_a_later_step() {
    let mut world = World::new();
    world.begin(Patient::default());
    world.answer(1, None);
    world.pass(Duration::from_secs(61));
    // The second question of the first step is answered now, and fails: it is an answer to nothing any more. So are
    // those that nobody waits for.
    for _ in 0..3 {
        world.answer(2, Some(libc::EIO));
        world.answer(77, Some(libc::EIO));
        assert_eq!(world.outcome(), None);
    }
    world.answer(4, None);
    assert_eq!(world.outcome(), None, "one answer is still owed");
    world.answer(3, None);
    assert_eq!(world.outcome(), Some(true));
}

#[test]
fn a_helper_that_dies_has_answered_everything() {
    let mut world = World::new();
    world.begin(Patient::default());
    world.state.closed(HELPER);
    world.look();
    // The next one would be asked; there is none.
    assert_eq!(world.outcome(), None);
    world.state.adopted(Errand::Helper, Err(std::io::ErrorKind::OutOfMemory.into()));
    world.state.settle();
    world.look();
    assert!(matches!(world.told.as_slice(), [(CLIENT, Err(Failure::FolderNotMade))]));
    assert!(world.tasks.is_empty());
}

/// Works on a session that may not be there.
#[derive(Debug)]
struct OnSession(SessionId);

impl Task for OnSession {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        cx.record(self.0)?.rotated();
        ready!(leaving::settled(cx, self.0));
        Poll::Ready(Ok(Answer::Done))
    }
}

#[test]
fn a_task_whose_session_is_gone_says_so() {
    let mut world = World::new();
    world.begin(OnSession(SessionId(5)));
    assert!(matches!(world.told.as_slice(), [(CLIENT, Err(Failure::SessionGone))]));
}

#[test]
fn a_session_is_held_by_one_task_until_that_is_over() {
    let mut world = World::new();
    let wanted = Wanted { owner: OWNER, ..Wanted::for_tests("s") };
    world.state.create_session(wanted);
    let session = SessionId(0);
    world.tasks.begin(&mut world.state, Box::new(Patient::default()), None, Some(session));
    assert!(world.state.is_held(session));
    world.look();
    (1..=4).for_each(|id| world.answer(id, None));
    assert!(!world.state.is_held(session) && world.tasks.is_empty());
}
