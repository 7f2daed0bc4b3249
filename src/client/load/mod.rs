// SPDX-License-Identifier: GPL-2.0-only
//! Recording session configurations are loaded: what makes each session is served, one command after the other, like the
//! commands of a client who is the daemon itself. Clients are served meanwhile.
//!
//! All configurations are planned before the first command is served. The first command that fails ends the daemon, which
//! takes with it what was loaded before, as in the original (lttng-tools 2.13: `src/bin/lttng-sessiond/main.c`).

pub mod plan;

use std::collections::VecDeque;
use std::time::Duration;

use log::Level;
use lttng_protocol::client::{self, ErrorCode, OutputUrl};

use self::plan::{Command, Part, Plan, Programs, Step, Unmakeable, plan, targets};
use super::desk::{Desk, Served, Serving, Unserved};
use super::logger;
use super::table::Action;
use crate::config::SessionConfiguration;
use crate::operation::answer::{Answer, Failure};
use crate::operation::tasks::Tasks;
use crate::state::State;
use crate::sys::socket::Credentials;
use crate::trigger::Triggers;
use crate::turn::ids::{Identity, Requester};
use crate::turn::messages::Topic;
use crate::turn::output::Output;
use crate::turn::timers::Timer;

/// Commands that are served before others have their turn, and how long that is.
const AT_A_TIME: usize = 64;
const REST: Duration = Duration::from_millis(1);

/// How far loading is.
#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing is to be loaded, and nobody waits for that.
    #[default]
    Idle,
    /// The next command is to be served.
    Serving,
    /// So many were served that others come first.
    Resting,
    /// A task goes on.
    Waiting,
    /// Loading has failed.
    Failed,
}

/// What is to be loaded.
#[derive(Debug, Default)]
pub struct Load {
    /// The session that is being made is the first.
    sessions: VecDeque<Plan>,
    owner: Option<Identity>,
    stage: Stage,
}

impl Load {
    /// Plans everything. When all of it is done, that is announced ([`Output::Ready`]).
    ///
    /// # Errors
    /// What of the first session that can't be made, in the words of `lttng_strerror`; all else is said here.
    pub fn new(
        sessions: Vec<SessionConfiguration>,
        programs: &Programs,
        owner: Identity,
        state: &mut State,
    ) -> Result<Load, &'static str> {
        let page = state.settings.page_size;
        let mut plans = VecDeque::new();
        for session in sessions {
            let name = session.name.clone();
            match plan(session, programs, page) {
                Ok(plan) => plans.push_back(plan),
                Err(Unmakeable { code, part, why }) => {
                    if let Some(why) = why {
                        state.turn.say(Level::Error, Topic::Load, None, format_args!("{why}"));
                    }
                    say_failed(state, &name, &part, code);
                    return Err(code.text());
                }
            }
        }
        state.turn.timers.set(Timer::Load, state.turn.now);
        Ok(Load { sessions: plans, owner: Some(owner), stage: Stage::Resting })
    }

    /// Others had their turn.
    pub fn rested(&mut self) {
        if self.stage == Stage::Resting {
            self.stage = Stage::Serving;
        }
    }

    /// Whether loading has failed. That is told once.
    pub fn take_failure(&mut self) -> bool {
        let failed = self.stage == Stage::Failed;
        if failed {
            *self = Load::default();
        }
        failed
    }

    /// The daemon is about to end: nothing more is loaded.
    pub fn give_up(&mut self, state: &mut State) {
        *self = Load::default();
        state.turn.timers.clear(Timer::Load);
        state.forget_asker(Requester::Configuration);
    }

    /// Does what can be done now.
    pub fn go_on(&mut self, state: &mut State, triggers: &mut Triggers, tasks: &mut Tasks) {
        for _ in 0..AT_A_TIME {
            if self.stage != Stage::Serving {
                return;
            }
            while self.sessions.front().is_some_and(|plan| plan.steps.is_empty()) {
                self.sessions.pop_front();
            }
            let Some((step, session)) = self.next() else {
                *self = Load::default();
                return state.turn.outputs.push(Output::Ready);
            };
            match serve(state, triggers, &step, &session, self.owner) {
                Err(Unserved::Wait) => return,
                Err(Unserved::Refused(code)) => self.conclude(state, Err(code)),
                Ok(Served::Answer(_)) => self.conclude(state, Ok(())),
                Ok(Served::Task(task, held)) => {
                    state.forget_asker(Requester::Configuration);
                    self.stage = Stage::Waiting;
                    tasks.begin(state, task, Some(Requester::Configuration), held);
                }
            }
        }
        self.stage = Stage::Resting;
        state.turn.timers.set(Timer::Load, state.turn.after(REST));
    }

    /// The task that was waited for is over.
    pub fn over(&mut self, state: &mut State, result: Result<Answer, Failure>) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Serving;
            self.conclude(state, result.map(drop).map_err(ErrorCode::from));
            state.turn.changed = true;
        }
    }

    fn next(&self) -> Option<(Step, String)> {
        let plan = self.sessions.front()?;
        Some((plan.steps.front()?.clone(), plan.session.clone()))
    }

    /// A command was served.
    fn conclude(&mut self, state: &mut State, result: Result<(), ErrorCode>) {
        state.forget_asker(Requester::Configuration);
        let Some(plan) = self.sessions.front_mut() else { return };
        let Some(step) = plan.steps.pop_front() else { return };
        match result {
            Ok(()) => {}
            Err(ErrorCode::SessNotFound) if step.part == Part::Old => {}
            Err(code) => {
                let code = match step.part {
                    // As in the original, whatever the reason.
                    Part::Event(_) => {
                        log::debug!("Event rule of session {}: {}", plan.session, code.text());
                        ErrorCode::LoadInvalidConfig
                    }
                    Part::Old | Part::Frame | Part::Content => code,
                };
                let session = plan.session.clone();
                say_failed(state, &session, &step.part, code);
                let text = format_args!("Session load failed: {}", code.text());
                state.turn.say(Level::Error, Topic::Load, None, text);
                self.stage = Stage::Failed;
                state.turn.changed = true;
            }
        }
    }
}

/// Says which session can't be made, in the words of the original, which says nothing about some parts.
fn say_failed(state: &mut State, session: &str, part: &Part, code: ErrorCode) {
    if let Part::Event(name) = part {
        let text = format_args!("Enabling event (name:{name}) on load failed.");
        state.turn.say(Level::Warn, Topic::Load, None, text);
    }
    if matches!(part, Part::Event(_) | Part::Content) {
        let text = format_args!("Failed to load session {session}: {}", code.text());
        state.turn.say(Level::Error, Topic::Load, None, text);
    }
}

fn serve(
    state: &mut State,
    triggers: &mut Triggers,
    step: &Step,
    session: &str,
    owner: Option<Identity>,
) -> Serving {
    let Some(owner) = owner else { return Err(ErrorCode::Unk.into()) };
    let mut desk = Desk {
        state,
        triggers,
        requester: Requester::Configuration,
        credentials: Credentials { pid: 0, uid: owner.uid, gid: owner.gid },
        domain: step.domain,
        descriptors: step.program.as_slice(),
    };
    let action = match &step.command {
        Command::Serve(action) => action.clone(),
        Command::Connect(url) => connect(desk.state, url, owner)?,
        Command::SwitchOff(rule) => {
            let id = desk.admit(client::Command::DisableEvent, session)?.ok_or(ErrorCode::SessNotFound)?;
            return logger::switch_off(&mut desk, id, rule);
        }
    };
    let id = desk.admit(action.command(), session)?;
    action.serve(&mut desk, id)
}

/// The command that has the session record to a relay daemon; its hosts are looked up first.
fn connect(state: &mut State, url: &OutputUrl, owner: Identity) -> Result<Action, Unserved> {
    let OutputUrl::Network { control, data } = url else { return Err(ErrorCode::Invalid.into()) };
    let both = [control, data].map(|endpoint| state.knows_address(owner, endpoint));
    if both != [true, true] {
        return Err(Unserved::Wait);
    }
    let addresses = state.names.address(control).zip(state.names.address(data));
    let network = addresses.and_then(|(control, data)| url.network_at(&control, &data));
    let network = network.ok_or(ErrorCode::Invalid)?;
    Ok(Action::SetConsumerUri(targets(network)))
}
