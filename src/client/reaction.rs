// SPDX-License-Identifier: GPL-2.0-only
//! What triggers ask for is done: those who have subscribed are told, and what is to be done to a session is served like
//! the command of a client who is the trigger's owner.
//!
//! What counts as a failure: lttng-tools 2.13, `src/bin/lttng-sessiond/action-executor.c`.

use log::Level;

use lttng_protocol::client::{Command, ErrorCode};
use lttng_protocol::trigger::Action;

use super::action::{Nothing, SnapshotTarget};
use super::desk::{Desk, Served, Serving, Unserved};
use super::table;
use crate::operation::answer::{Answer, Failure};
use crate::operation::tasks::Tasks;
use crate::state::State;
use crate::sys::socket::Credentials;
use crate::trigger::Triggers;
use crate::trigger::queue::{Next, runs, session_of};
use crate::turn::ids::{Requester, SessionId, TriggerId};
use crate::turn::messages::Topic;

/// What an action came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is over, and did not fail.
    Done,
    /// It is over, and counts as a failure.
    Failed,
    /// A task goes on, and will tell.
    UnderWay,
    /// It has to wait.
    Wait,
}

/// Does all that can be done now. When the daemon is `ending`, who has subscribed is told as ever, but nothing more is done
/// to sessions: they are about to be destroyed, and must be free for that.
pub fn react(triggers: &mut Triggers, state: &mut State, tasks: &mut Tasks, ending: bool) {
    triggers.queue.retry();
    while let Some(next) = triggers.queue.go_on() {
        let outcome = go_on(triggers, state, tasks, &next, ending);
        match outcome {
            Some(outcome) => conclude(triggers, next.trigger, next.action, outcome),
            None => triggers.queue.forget(next.trigger),
        }
    }
}

/// A task of a trigger is over.
pub fn over(triggers: &mut Triggers, state: &mut State, id: TriggerId, result: Result<Answer, Failure>) {
    let Some(at) = triggers.queue.under_way(id) else { return };
    let Some(registered) = triggers.registry.get(id) else { return };
    let Some(action) = registered.trigger.action.each().get(at) else { return };
    let owner = registered.trigger.owner;
    let outcome = judge(state, action, owner, result.map(drop).map_err(ErrorCode::from));
    conclude(triggers, id, at, outcome);
    state.turn.changed = true;
}

fn conclude(triggers: &mut Triggers, id: TriggerId, at: usize, outcome: Outcome) {
    let Some(registered) = triggers.registry.get_mut(id) else { return triggers.queue.forget(id) };
    let all = registered.tallies.len();
    match outcome {
        Outcome::Done => triggers.queue.done(id, all),
        Outcome::Failed => {
            if let Some(tally) = registered.tallies.get_mut(at) {
                tally.failures = tally.failures.saturating_add(1);
            }
            triggers.queue.done(id, all);
        }
        Outcome::UnderWay => triggers.queue.begun(id),
        Outcome::Wait => triggers.queue.wait(id),
    }
}

/// Goes on with a trigger's line; `None` if there is no such trigger any more.
fn go_on(
    triggers: &mut Triggers,
    state: &mut State,
    tasks: &mut Tasks,
    next: &Next,
    ending: bool,
) -> Option<Outcome> {
    let registered = triggers.registry.get_mut(next.trigger)?;
    let Some(action) = registered.trigger.action.each().get(next.action) else { return Some(Outcome::Done) };
    let Some(tally) = registered.tallies.get_mut(next.action) else { return Some(Outcome::Done) };
    if !next.again {
        tally.requests = tally.requests.saturating_add(1);
        if !runs(action, tally.requests) {
            return Some(Outcome::Done);
        }
    }
    if matches!(action, Action::Notify { .. }) {
        let firing = &next.firing;
        triggers.subscribers.tell(registered, &firing.evaluation, firing.object, state);
        return Some(Outcome::Done);
    }
    let (action, owner) = (action.clone(), registered.trigger.owner);
    let session = next.firing.sessions.get(next.action).copied().flatten();
    let outcome = if ending {
        Outcome::Done
    } else {
        act(triggers, state, tasks, next.trigger, &action, owner, session)
    };
    if outcome != Outcome::Wait {
        // Whatever it had to wait for before, and whatever it came to.
        state.forget_asker(Requester::Trigger(next.trigger));
    }
    Some(outcome)
}

/// Does something to the session that was meant when the condition was met.
fn act(
    triggers: &mut Triggers,
    state: &mut State,
    tasks: &mut Tasks,
    trigger: TriggerId,
    action: &Action,
    owner: u32,
    meant: Option<SessionId>,
) -> Outcome {
    let Some(name) = session_of(action) else { return Outcome::Done };
    let Some(meant) = meant else { return Outcome::Failed };
    let Some(session) = state.sessions.find(name) else {
        return if matches!(action, Action::StartSession { .. }) { Outcome::Done } else { Outcome::Failed };
    };
    if session.id != meant {
        return Outcome::Done;
    }
    if owner != 0 && owner != session.wanted.owner.uid {
        let text =
            format_args!("A trigger of user {owner} is about session {name}, which is somebody else's");
        state.turn.say(Level::Warn, Topic::Request, Some(owner), text);
        return Outcome::Done;
    }
    let requester = Requester::Trigger(trigger);
    match serve(triggers, state, requester, action, owner, name) {
        Ok(Served::Answer(_)) => Outcome::Done,
        Ok(Served::Task(task, session)) => {
            tasks.begin(state, task, Some(requester), session);
            Outcome::UnderWay
        }
        Err(Unserved::Wait) => Outcome::Wait,
        Err(Unserved::Refused(code)) => judge(state, action, owner, Err(code)),
    }
}

fn serve(
    triggers: &mut Triggers,
    state: &mut State,
    requester: Requester,
    action: &Action,
    owner: u32,
    name: &str,
) -> Serving {
    // Its group is of no importance: what is done to a session is done with the session's.
    let credentials = Credentials { pid: 0, uid: owner, gid: owner };
    let mut desk = Desk { state, triggers, requester, credentials, domain: None, descriptors: &[] };
    let (command, wanted) = match action {
        Action::StartSession { .. } => (Command::StartTrace, table::Action::StartTrace(Nothing)),
        Action::StopSession { .. } => (Command::StopTrace, table::Action::StopTrace(Nothing)),
        Action::RotateSession { .. } => (Command::RotateSession, table::Action::RotateSession(Nothing)),
        Action::SnapshotSession { output, .. } => {
            let output = output.as_deref().cloned();
            let target = output.map_or_else(SnapshotTarget::any, SnapshotTarget::from);
            (Command::SnapshotRecord, table::Action::SnapshotRecord(target))
        }
        Action::Notify { .. } | Action::List(_) => return Ok(Served::Answer(Answer::Done)),
    };
    let session = desk.admit(command, name)?;
    wanted.serve(&mut desk, session)
}

/// What the end of an action counts as: that a session is already as it is to be is no failure. That there is nothing
/// to rotate is one, as the original counts it.
fn judge(state: &mut State, action: &Action, owner: u32, result: Result<(), ErrorCode>) -> Outcome {
    let Err(code) = result else { return Outcome::Done };
    let as_wanted = match action {
        Action::StartSession { .. } => code == ErrorCode::TraceAlreadyStarted,
        Action::StopSession { .. } => code == ErrorCode::TraceAlreadyStopped,
        _ => false,
    };
    if as_wanted {
        return Outcome::Done;
    }
    let name = session_of(action).unwrap_or_default();
    let text = format_args!("What a trigger wants of session {name} failed: {code:?}");
    state.turn.say(Level::Warn, Topic::Request, Some(owner), text);
    Outcome::Failed
}
