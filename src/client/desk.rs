// SPDX-License-Identifier: GPL-2.0-only
//! Where requests are served: the checks that all commands share, in the order in which the stock daemon makes them
//! (lttng-tools 2.13: `src/bin/lttng-sessiond/client.c`), then the command's own function.

use lttng_protocol::client::{Command, ErrorCode};

use super::connection::Request;
use super::table::row;
use crate::model::{BadOutput, Domain, Session, UstDomain};
use crate::operation::answer::{Answer, Failure};
use crate::operation::synchronise::Synchronise;
use crate::operation::task::Task;
use crate::relayd::conversation::Refusal;
use crate::relayd::relay::Reached;
use crate::state::{Readiness, State};
use crate::sys::socket::Credentials;
use crate::turn::ids::{ConnId, ConsumerKind, SessionId};

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
    /// Who asks.
    pub credentials: Credentials,
    /// The domain that the request names.
    pub domain: Option<Domain>,
    conn: ConnId,
}

/// Serves a request that came on this connection, or says why not.
pub fn serve(state: &mut State, conn: ConnId, request: &Request) -> Serving {
    let dialect = request.dialect;
    let domain = dialect.domain(&request.header);
    let mut desk = Desk { state, credentials: request.credentials, domain, conn };
    let command = dialect.command(request.header.command).ok_or(ErrorCode::Und)?;
    let session = desk.admit(command, &request.header.session_name)?;
    dialect.decode(command, &request.header, &request.payload)?.serve(&mut desk, session)
}

impl Desk<'_> {
    /// The session that a request is about, once everything is there that the command needs.
    fn admit(&mut self, command: Command, name: &str) -> Result<Option<SessionId>, Unserved> {
        let row = row(command);
        let kernel = row.domain && self.domain == Some(Domain::Kernel);
        let no_kernel =
            if self.state.settings.uid == 0 { ErrorCode::KernNa } else { ErrorCode::NeedRootSessiond };
        if kernel && self.state.settings.no_kernel {
            return Err(no_kernel.into());
        }
        let session = if row.session { Some(self.find(name)?) } else { None };
        if matches!(command, Command::DisableChannel | Command::DisableEvent) {
            self.check_part(session)?;
        }
        if kernel {
            return Err(no_kernel.into());
        }
        if let Some(id) = session.filter(|id| self.state.is_held(*id)) {
            log::trace!("Session {} is busy: command {command:?} waits", id.0);
            return Err(Unserved::Wait);
        }
        if row.domain {
            self.prepare_domain(session)?;
            // Whatever the domain, the relay daemon is the session's.
            match session.map_or(Reached::Yes, |session| self.state.want_relay(self.conn, session)) {
                Reached::Yes => {}
                Reached::Pending => return Err(Unserved::Wait),
                Reached::No(refusal) => return Err(refusal.into()),
            }
        }
        Ok(session)
    }

    fn find(&self, name: &str) -> Result<SessionId, Unserved> {
        let session = self.state.sessions.find(name).ok_or(ErrorCode::SessNotFound)?;
        // Unlike the stock daemon, nothing is done for a client that may not do it.
        if session.accessible_to(self.credentials.uid) {
            Ok(session.id)
        } else {
            Err(ErrorCode::Eperm.into())
        }
    }

    /// What is to be disabled must be in a domain of which the session has something.
    fn check_part(&self, session: Option<SessionId>) -> Result<(), Unserved> {
        let domain = self.domain.ok_or(ErrorCode::UnknownDomain)?;
        let session = session.and_then(|id| self.state.sessions.get(id));
        let has_part = session.is_some_and(|session| session.wanted.ust.is_some());
        if domain != Domain::Kernel && has_part { Ok(()) } else { Err(ErrorCode::NoChannel.into()) }
    }

    /// The domain's part of the session, and its consumer daemons.
    fn prepare_domain(&mut self, session: Option<SessionId>) -> Result<(), Unserved> {
        match self.domain {
            Some(Domain::UserSpace) => {}
            Some(Domain::Jul | Domain::Log4j | Domain::Python) => {
                return Err(ErrorCode::AgentTracingDisabled.into());
            }
            Some(Domain::Kernel) | None => return Ok(()),
        }
        // Without a session nothing is recorded, and no consumer daemon is needed.
        let Some(id) = session else { return Ok(()) };
        match self.state.take_failed_start() {
            Some(ConsumerKind::Ust64) => return Err(ErrorCode::UstConsumer64Fail.into()),
            Some(ConsumerKind::Ust32) => return Err(ErrorCode::UstConsumer32Fail.into()),
            None => {}
        }
        if self.state.lost_consumer() {
            return Err(ErrorCode::NoUstconsumerd.into());
        }
        if let Some(session) = self.state.sessions.get_mut(id) {
            session.wanted.ust.get_or_insert_with(UstDomain::default);
        }
        match self.state.want_consumers() {
            Readiness::Ready => Ok(()),
            Readiness::Pending => Err(Unserved::Wait),
            Readiness::Lost => Err(ErrorCode::NoUstconsumerd.into()),
        }
    }

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

    /// A session was changed. That is done at once in one that does not record; else when its followers have it.
    pub fn changed(&self, id: SessionId) -> Serving {
        if self.session(id)?.is_active() { hold(id, Synchronise::new(id)) } else { DONE }
    }
}
