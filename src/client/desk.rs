// SPDX-License-Identifier: GPL-2.0-only
//! Where a command is served: what its function may see and change, and what it may say.

use lttng_protocol::client::ErrorCode;

use crate::model::{BadOutput, Domain, LoggerDomain, Session};
use crate::operation::answer::{Answer, Failure};
use crate::operation::synchronise::Synchronise;
use crate::operation::task::Task;
use crate::relayd::conversation::Refusal;
use crate::state::State;
use crate::sys::socket::Credentials;
use crate::trigger::Triggers;
use crate::turn::ids::{Requester, SessionId};
use crate::turn::output::SharedFd;

/// What a command came to.
#[derive(Debug)]
pub enum Served {
    /// This.
    Answer(Answer),
    /// A task goes on and will tell; it has the session to itself, if one is given.
    Task(Box<dyn Task>, Option<SessionId>),
}

/// Why a request is not served now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unserved {
    /// It is refused.
    Refused(ErrorCode),
    /// It can't be dealt with yet.
    Wait,
}

impl From<ErrorCode> for Unserved {
    fn from(code: ErrorCode) -> Self {
        Unserved::Refused(code)
    }
}

impl From<Failure> for Unserved {
    fn from(failure: Failure) -> Self {
        Unserved::Refused(failure.into())
    }
}

impl From<Refusal> for Unserved {
    fn from(refusal: Refusal) -> Self {
        Unserved::Refused(refusal.into())
    }
}

impl From<BadOutput> for Unserved {
    fn from(bad: BadOutput) -> Self {
        Unserved::Refused(bad.into())
    }
}

/// What comes of serving a request.
pub type Serving = Result<Served, Unserved>;

/// It is done, and there is nothing to tell.
pub const DONE: Serving = Ok(Served::Answer(Answer::Done));

/// It is done, and this is to be told.
pub fn answer(answer: Answer) -> Serving {
    Ok(Served::Answer(answer))
}

/// A task goes on, with nobody kept waiting but the client.
pub fn task(task: impl Task + 'static) -> Serving {
    Ok(Served::Task(Box::new(task), None))
}

/// A task goes on that has a session to itself.
pub fn hold(session: SessionId, task: impl Task + 'static) -> Serving {
    Ok(Served::Task(Box::new(task), Some(session)))
}

/// Where one request is served.
#[derive(Debug)]
pub struct Desk<'a> {
    /// Sessions and peers.
    pub state: &'a mut State,
    /// Triggers.
    pub triggers: &'a mut Triggers,
    /// Who is told what comes of it.
    pub requester: Requester,
    /// Who asks.
    pub credentials: Credentials,
    /// The domain that the request names.
    pub domain: Option<Domain>,
    /// The descriptors that came with the request.
    pub descriptors: &'a [SharedFd],
}

impl Desk<'_> {
    /// A session.
    pub fn session(&self, id: SessionId) -> Result<&Session, Failure> {
        self.state.sessions.get(id).ok_or(Failure::SessionGone)
    }

    /// A session, to be changed.
    pub fn session_mut(&mut self, id: SessionId) -> Result<&mut Session, Failure> {
        self.state.sessions.get_mut(id).ok_or(Failure::SessionGone)
    }

    /// The request must name this domain; `otherwise` is what the client is told if it does not.
    pub fn only_in(&self, domain: Domain, otherwise: ErrorCode) -> Result<(), ErrorCode> {
        if self.domain == Some(domain) { Ok(()) } else { Err(otherwise) }
    }

    /// The domain that the request names, if it is one of loggers.
    pub fn logger_domain(&self) -> Option<LoggerDomain> {
        self.domain.and_then(LoggerDomain::of)
    }

    /// A session was changed. That is done when its followers have it. Applications follow a session that records; agents
    /// follow any that wants something of loggers.
    pub fn changed(&mut self, id: SessionId) -> Serving {
        let session = self.session(id)?;
        let (is_active, has_loggers) = (session.is_active(), session.has_loggers());
        if has_loggers {
            self.state.touch_agents();
        }
        let is_followed = is_active || has_loggers && self.state.has_agents();
        if is_followed { hold(id, Synchronise::new(id)) } else { DONE }
    }
}
