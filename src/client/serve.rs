// SPDX-License-Identifier: GPL-2.0-only
//! From a request to the function that serves it, through the checks that all commands share, in the order in which the
//! stock daemon makes them (lttng-tools 2.13: `src/bin/lttng-sessiond/client.c`).

use log::Level;
use lttng_protocol::client::{Command, ErrorCode};

use super::connection::Request;
use super::desk::{Desk, Serving, Unserved};
use super::table::row;
use crate::consumer::verb::Tracer;
use crate::kernel::refusal::Unavailable;
use crate::model::{Domain, KernelDomain, UstDomain};
use crate::relayd::relay::Reached;
use crate::state::{Readiness, State, Tracing};
use crate::sys::socket::Credentials;
use crate::trigger::Triggers;
use crate::turn::ids::{ConnId, ConsumerKind, Requester, SessionId};
use crate::turn::messages::Topic;

/// Serves a request that came on this connection, or says why not.
pub fn serve(state: &mut State, triggers: &mut Triggers, conn: ConnId, request: &Request) -> Serving {
    if request.lost_descriptors {
        let Credentials { pid, uid, .. } = request.credentials;
        let text = format_args!("There was no room for the descriptors of a request of process {pid}");
        state.turn.say(Level::Warn, Topic::Limits, Some(uid), text);
        return Err(ErrorCode::Nomem.into());
    }
    let dialect = request.dialect;
    let domain = dialect.domain(&request.header);
    let mut desk = Desk {
        state,
        triggers,
        requester: Requester::Client(conn),
        credentials: request.credentials,
        domain,
        descriptors: &request.descriptors,
    };
    let command = dialect.command(request.header.command).ok_or(ErrorCode::Und)?;
    let session = desk.admit(command, &request.header.session_name)?;
    dialect.decode(command, &request.header, &request.payload)?.serve(&mut desk, session)
}

impl Desk<'_> {
    /// The session that a request is about, once everything is there that the command needs.
    pub(super) fn admit(&mut self, command: Command, name: &str) -> Result<Option<SessionId>, Unserved> {
        let row = row(command);
        // A trigger on what the kernel does needs its tracer, and one on loggers needs that agents can come; for what
        // applications do, nothing has to be there.
        let acts = row.domain || matches!(command, Command::RegisterTrigger | Command::UnregisterTrigger);
        let kernel = acts && self.domain == Some(Domain::Kernel);
        if kernel && self.state.settings.no_kernel {
            return Err(self.no_kernel().into());
        }
        let session = if row.session { Some(self.find(name)?) } else { None };
        session.into_iter().for_each(|id| self.state.touch_session(id));
        if matches!(command, Command::DisableChannel | Command::DisableEvent) {
            self.check_part(session)?;
        }
        if kernel {
            self.want_tracer()?;
        }
        if acts && self.logger_domain().is_some() && !self.state.serves_agents() {
            return Err(ErrorCode::AgentTracingDisabled.into());
        }
        if let Some(id) = session.filter(|id| self.state.is_held(*id)) {
            log::trace!("Session {} is busy: command {command:?} waits", id.0);
            return Err(Unserved::Wait);
        }
        if row.domain {
            self.prepare_domain(session)?;
            // Whatever the domain, the relay daemon is the session's.
            session.map_or(Ok(()), |session| self.want_relay(session))?;
        }
        Ok(session)
    }

    /// Why nothing of the kernel can be had.
    pub(super) fn no_kernel(&self) -> ErrorCode {
        if self.state.settings.uid == 0 { ErrorCode::KernNa } else { ErrorCode::NeedRootSessiond }
    }

    /// The session of this name, if the client may control it.
    pub(super) fn find(&self, name: &str) -> Result<SessionId, Unserved> {
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
        let has_part = session.is_some_and(|session| match domain {
            Domain::Kernel => session.wanted.kernel.is_some(),
            Domain::UserSpace | Domain::Jul | Domain::Log4j | Domain::Python => session.wanted.ust.is_some(),
        });
        if has_part { Ok(()) } else { Err(ErrorCode::NoChannel.into()) }
    }

    /// The domain's part of the session, and its consumer daemons.
    fn prepare_domain(&mut self, session: Option<SessionId>) -> Result<(), Unserved> {
        match self.domain {
            Some(Domain::UserSpace | Domain::Jul | Domain::Log4j | Domain::Python) => {}
            Some(Domain::Kernel) => return self.prepare_kernel(session),
            None => return Ok(()),
        }
        // Without a session nothing is recorded, and no consumer daemon is needed.
        let Some(id) = session else { return Ok(()) };
        if self.state.lost_consumer_of(id, Tracer::UserSpace) {
            return Err(ErrorCode::NoUstconsumerd.into());
        }
        if let Some(session) = self.state.sessions.get_mut(id) {
            session.wanted.ust.get_or_insert_with(UstDomain::default);
        }
        self.want_consumers()
    }

    /// The kernel's part of the session, and its consumer daemon.
    fn prepare_kernel(&mut self, session: Option<SessionId>) -> Result<(), Unserved> {
        let Some(session) = session.and_then(|id| self.state.sessions.get_mut(id)) else { return Ok(()) };
        let id = session.id;
        session.wanted.kernel.get_or_insert_with(KernelDomain::default);
        if self.state.lost_consumer_of(id, Tracer::Kernel) {
            return Err(ErrorCode::NoKernconsumerd.into());
        }
        self.want_kernel_consumer()
    }

    /// The kernel's tracer, whose modules are loaded if they are not.
    fn want_tracer(&mut self) -> Result<(), Unserved> {
        if self.state.settings.uid != 0 {
            return Err(ErrorCode::NeedRootSessiond.into());
        }
        match self.state.want_tracer(self.requester) {
            Tracing::Ready => Ok(()),
            Tracing::Pending => Err(Unserved::Wait),
            Tracing::Failed(Unavailable::Absent) => Err(ErrorCode::KernNa.into()),
            Tracing::Failed(Unavailable::Version) => Err(ErrorCode::KernVersion.into()),
        }
    }

    /// The kernel's consumer daemon, which is started if it is not in service.
    pub fn want_kernel_consumer(&mut self) -> Result<(), Unserved> {
        match self.state.want_kernel_consumer(self.requester) {
            Readiness::Ready => Ok(()),
            Readiness::Pending => Err(Unserved::Wait),
            Readiness::Failed(_) => Err(ErrorCode::KernConsumerFail.into()),
            Readiness::Lost => Err(ErrorCode::NoKernconsumerd.into()),
        }
    }

    /// The consumer daemons of user space, which are started if they are not in service.
    pub fn want_consumers(&mut self) -> Result<(), Unserved> {
        match self.state.want_consumers(self.requester) {
            Readiness::Ready => Ok(()),
            Readiness::Pending => Err(Unserved::Wait),
            Readiness::Failed(ConsumerKind::Ust64) => Err(ErrorCode::UstConsumer64Fail.into()),
            Readiness::Failed(ConsumerKind::Ust32) => Err(ErrorCode::UstConsumer32Fail.into()),
            Readiness::Failed(ConsumerKind::Kernel) => Err(ErrorCode::KernConsumerFail.into()),
            Readiness::Lost => Err(ErrorCode::NoUstconsumerd.into()),
        }
    }

    /// The relay daemon that a session records to, if it records to one.
    pub fn want_relay(&mut self, session: SessionId) -> Result<(), Unserved> {
        match self.state.want_relay(self.requester, session) {
            Reached::Yes => Ok(()),
            Reached::Pending => Err(Unserved::Wait),
            Reached::No(refusal) => Err(refusal.into()),
        }
    }
}

#[cfg(test)]
mod tests;
