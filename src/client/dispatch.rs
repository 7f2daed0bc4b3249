// SPDX-License-Identifier: GPL-2.0-only
//! From a request to the command that serves it, through the checks that all commands share, in the order in
//! which the stock daemon makes them (lttng-tools 2.13: `src/bin/lttng-sessiond/client.c`).

use std::os::fd::OwnedFd;

use lttng_protocol::client::{Body, Command, Domain, ErrorCode, Event, Header, Reply, decode_body};

use super::Verdict;
use crate::daemon::{Daemon, Reached, Readiness};
use crate::model::{BufferingScheme, Session, SessionId, UstDomain};
use crate::operation::{
    Clear, DataPending, Destroy, ListApplications, ListChannels, ReplyTo, Rotate, RotationQuery, Start, Stop,
    Synchronise, Work,
};
use crate::output::{ConnId, ConsumerKind};
use crate::sys::socket::Credentials;
use crate::ust::listing::ListingKind;

/// A complete request.
#[derive(Debug)]
pub struct Request {
    /// Who sent it.
    pub credentials: Credentials,
    /// Its fixed part.
    pub header: Box<Header>,
    /// Its variable part.
    pub payload: Vec<u8>,
    /// Its descriptors.
    pub descriptors: Vec<OwnedFd>,
}

/// What a command came to: a reply, or something longer.
pub(super) enum Done {
    /// Success, with nothing to tell.
    Nothing,
    /// Success, with this to tell.
    Payload(Vec<u8>),
    /// Success, with this reply.
    Reply(Reply),
    /// An operation goes on; it holds the session, if one is given.
    Work(Work, Option<SessionId>),
}

/// Why a request is not served now.
enum Unserved {
    Refused(ErrorCode),
    Wait,
}

impl From<ErrorCode> for Unserved {
    fn from(code: ErrorCode) -> Self {
        Unserved::Refused(code)
    }
}

impl Daemon {
    /// Serves a request, or says why not.
    pub(super) fn dispatch(&mut self, conn: ConnId, request: &Request) -> Verdict {
        let header = &request.header;
        let refused = |code| Verdict::Reply(Reply::error(header, code));
        match self.serve(conn, request) {
            Ok(Done::Nothing) => Verdict::Reply(Reply::ok(header)),
            Ok(Done::Payload(payload)) => Verdict::Reply(Reply::ok(header).with_payload(payload)),
            Ok(Done::Reply(reply)) => Verdict::Reply(reply),
            Ok(Done::Work(work, session)) => {
                let to = ReplyTo { conn: Some(conn), reply: Reply::ok(header) };
                self.begin(work, to, session);
                Verdict::Owed
            }
            Err(Unserved::Refused(code)) => refused(code),
            Err(Unserved::Wait) => Verdict::Wait,
        }
    }

    fn serve(&mut self, conn: ConnId, request: &Request) -> Result<Done, Unserved> {
        let header = &request.header;
        let command = header.command().ok_or(ErrorCode::Und)?;
        let kernel = command.is_domain_command() && header.domain() == Some(Domain::Kernel);
        let no_kernel = if self.settings.uid == 0 { ErrorCode::KernNa } else { ErrorCode::NeedRootSessiond };
        if kernel && self.settings.no_kernel {
            return Err(no_kernel.into());
        }
        let session = if command.needs_session() {
            let session = self.model.find(&header.session_name).ok_or(ErrorCode::SessNotFound)?;
            // Unlike the stock daemon, nothing is done for a client that may not do it.
            if !session.accessible_to(request.credentials.uid) {
                return Err(ErrorCode::Eperm.into());
            }
            Some(session.id)
        } else {
            None
        };
        if matches!(command, Command::DisableChannel | Command::DisableEvent) {
            let domain = header.domain().ok_or(ErrorCode::UnknownDomain)?;
            let has_part = session
                .and_then(|id| self.model.get(id))
                .is_some_and(|session| domain != Domain::Kernel && session.ust.is_some());
            if !has_part {
                return Err(ErrorCode::NoChannel.into());
            }
        }
        if kernel {
            return Err(no_kernel.into());
        }
        if let Some(id) = session.filter(|id| self.held.contains_key(id)) {
            log::trace!("Session {} is busy: command {command:?} waits", id.0);
            return Err(Unserved::Wait);
        }
        if command.is_domain_command() {
            self.prepare_domain(header, session)?;
            // Whatever the domain, the relay daemon is the session's.
            match session.map_or(Reached::Yes, |session| self.want_relay(conn, session)) {
                Reached::Yes => {}
                Reached::Pending => return Err(Unserved::Wait),
                Reached::No(code) => return Err(code.into()),
            }
        }
        let body = decode_body(header, &request.payload)?;
        match session {
            Some(session) if !self.knows_hosts(session, &body) => Err(Unserved::Wait),
            Some(session) => Ok(self.serve_session(session, header, body)?),
            None => Ok(self.serve_global(&request.credentials, header, body)?),
        }
    }

    /// The domain's part of the session, and its consumer daemons.
    fn prepare_domain(&mut self, header: &Header, session: Option<SessionId>) -> Result<(), Unserved> {
        match header.domain() {
            Some(Domain::Ust) => {}
            Some(Domain::Jul | Domain::Log4j | Domain::Python) => {
                return Err(ErrorCode::AgentTracingDisabled.into());
            }
            Some(Domain::Kernel) | None => return Ok(()),
        }
        // Without a session nothing is recorded, and no consumer daemon is needed.
        let Some(id) = session else { return Ok(()) };
        match self.take_failed_start() {
            Some(ConsumerKind::Ust64) => return Err(ErrorCode::UstConsumer64Fail.into()),
            Some(ConsumerKind::Ust32) => return Err(ErrorCode::UstConsumer32Fail.into()),
            None => {}
        }
        if self.lost_consumer() {
            return Err(ErrorCode::NoUstconsumerd.into());
        }
        if let Some(session) = self.model.get_mut(id) {
            session.ust.get_or_insert_with(UstDomain::default);
        }
        match self.want_consumers() {
            Readiness::Ready => Ok(()),
            Readiness::Pending => Err(Unserved::Wait),
            Readiness::Lost => Err(ErrorCode::NoUstconsumerd.into()),
        }
    }

    fn serve_global(
        &mut self,
        credentials: &Credentials,
        header: &Header,
        body: Body,
    ) -> Result<Done, ErrorCode> {
        match body {
            Body::CreateSession { home, descriptor } => self.create_session(credentials, home, descriptor),
            Body::ListSessions => Ok(Done::Payload(self.list_sessions(credentials.uid))),
            Body::ListTracepoints if header.domain() == Some(Domain::Ust) => {
                Ok(Done::Work(Work::ListApplications(ListApplications::new(ListingKind::Tracepoints)), None))
            }
            Body::ListTracepointFields if header.domain() == Some(Domain::Ust) => {
                Ok(Done::Work(Work::ListApplications(ListApplications::new(ListingKind::Fields)), None))
            }
            _ => Err(ErrorCode::Und),
        }
    }

    /// Commands about the life of a session.
    fn serve_session(&mut self, id: SessionId, header: &Header, body: Body) -> Result<Done, ErrorCode> {
        let hold = |work| Ok(Done::Work(work, Some(id)));
        match body {
            Body::StartTrace => {
                self.check_start(id)?;
                hold(Work::Start(Start::new(id)))
            }
            Body::StopTrace => {
                self.check_active(id, ErrorCode::TraceAlreadyStopped)?;
                hold(Work::Stop(Stop::new(id)))
            }
            Body::DestroySession => hold(Work::Destroy(Destroy::new(id))),
            Body::DataPending => match self.model.get(id) {
                Some(session) if session.active => Err(ErrorCode::SessionStarted),
                Some(session) if session.started => hold(Work::DataPending(DataPending::new(id))),
                _ => Ok(Done::Payload(vec![0])),
            },
            Body::RotateSession => {
                self.check_rotation(id)?;
                hold(Work::Rotate(Rotate::new(id)))
            }
            Body::RotationInfo { id: chunk } => {
                Ok(Done::Work(Work::RotationQuery(RotationQuery::new(id, chunk)), None))
            }
            Body::SetRotationSchedule { kind, set, value } => {
                self.set_rotation_schedule(id, kind, set, value)?;
                Ok(Done::Nothing)
            }
            Body::ClearSession if !self.may_clear(id) => Err(ErrorCode::ClearNotAvailableRelay),
            Body::ClearSession => match self.model.get(id) {
                Some(session) if session.started => hold(Work::Clear(Clear::new(id))),
                _ => Ok(Done::Nothing),
            },
            Body::SetShmPath { path } => {
                self.set_shm_path(id, path)?;
                Ok(Done::Nothing)
            }
            Body::SetConsumerUri { uris } => {
                self.set_output(id, &uris)?;
                Ok(Done::Nothing)
            }
            Body::RegenerateMetadata => {
                if self.model.get(id).is_some_and(|session| session.live_timer() > 0) {
                    return Err(ErrorCode::LiveSession);
                }
                self.check_active(id, ErrorCode::SessionNotStarted)?;
                if self.model.get(id).map(Session::scheme) == Some(BufferingScheme::PerProcess) {
                    return Err(ErrorCode::PerPidSession);
                }
                self.regenerate_metadata(id);
                Ok(Done::Nothing)
            }
            Body::RegenerateStatedump => {
                self.check_active(id, ErrorCode::SessionNotStarted)?;
                self.regenerate_statedump(id);
                Ok(self.brought_to_applications(id))
            }
            Body::ListDomains => Ok(Done::Payload(self.list_domains(id))),
            Body::SnapshotAddOutput(_)
            | Body::SnapshotDelOutput(_)
            | Body::SnapshotListOutput
            | Body::SnapshotRecord(_) => self.serve_snapshot(id, header, body),
            Body::ListRotationSchedules => Ok(Done::Payload(self.list_rotation_schedules(id))),
            Body::ListChannels
            | Body::ListEvents { .. }
            | Body::TrackerPolicy { .. }
            | Body::TrackerSet { .. } => self.serve_listing(id, header, &body),
            _ => {
                self.change_domain(id, header, body)?;
                Ok(self.brought_to_applications(id))
            }
        }
    }

    /// Listings of the domain that the request names, and what can be asked of its trackers.
    fn serve_listing(&mut self, id: SessionId, header: &Header, body: &Body) -> Result<Done, ErrorCode> {
        match (body, header.domain()) {
            (Body::ListChannels, Some(Domain::Ust)) => {
                Ok(Done::Work(Work::ListChannels(ListChannels::new(id)), Some(id)))
            }
            (Body::ListChannels, _) => Ok(Done::Reply(Reply::ok(header).with_count(0))),
            (Body::ListEvents { channel }, Some(Domain::Ust)) => {
                let rules = self.list_event_rules(id, channel)?;
                Ok(Done::Reply(Reply::ok(header).with_list(&rules, Event::encode)))
            }
            (Body::TrackerPolicy { attribute }, domain) => self.tracker_policy(id, domain, *attribute),
            (Body::TrackerSet { attribute }, domain) => self.inclusion_set(id, domain, *attribute),
            _ => Err(ErrorCode::Und),
        }
    }

    /// Changes to the domain that the request names.
    fn change_domain(&mut self, id: SessionId, header: &Header, body: Body) -> Result<(), ErrorCode> {
        let (domain, buffer_type) = (header.domain(), header.buffer_type);
        let user_space = domain == Some(Domain::Ust);
        match body {
            Body::EnableChannel(channel) if user_space => self.enable_channel(id, buffer_type, &channel),
            Body::EnableChannel(_) => Err(ErrorCode::UnknownDomain),
            Body::DisableChannel { channel } => self.disable_channel(id, &channel),
            Body::AddContext { channel, context } if user_space => self.add_context(id, &channel, &context),
            Body::EnableEvent { channel, event } if user_space => {
                self.enable_event_rule(id, buffer_type, &channel, event)
            }
            Body::DisableEvent { channel, event } => self.disable_event_rules(id, &channel, &event),
            Body::TrackerSetPolicy { attribute, policy } => {
                self.set_tracker_policy(id, domain, attribute, policy)
            }
            Body::TrackerAdd { attribute, value } => self.track(id, domain, attribute, value),
            Body::TrackerRemove { attribute, value } => self.untrack(id, domain, attribute, &value),
            _ => Err(ErrorCode::Und),
        }
    }

    /// A change is done at once in a session that does not record; else when the applications have it.
    fn brought_to_applications(&self, id: SessionId) -> Done {
        match self.model.get(id) {
            Some(session) if session.active => Done::Work(Work::Synchronise(Synchronise::new(id)), Some(id)),
            _ => Done::Nothing,
        }
    }

    fn check_start(&self, id: SessionId) -> Result<(), ErrorCode> {
        let session = self.model.get(id).ok_or(ErrorCode::SessNotFound)?;
        if session.active {
            Err(ErrorCode::TraceAlreadyStarted)
        } else if session.rotations.leaving.is_some() && session.chunk.is_none() {
            Err(ErrorCode::RotationPending)
        } else if session.channels().is_empty() {
            Err(ErrorCode::NoChannel)
        } else {
            Ok(())
        }
    }

    /// The session must record; `otherwise` is what the client is told if it does not.
    fn check_active(&self, id: SessionId, otherwise: ErrorCode) -> Result<(), ErrorCode> {
        match self.model.get(id) {
            Some(session) if session.active => Ok(()),
            _ => Err(otherwise),
        }
    }

    /// Begins the end of every session, when the daemon itself is to end.
    pub(crate) fn destroy_all_sessions(&mut self) {
        let free = |id: &SessionId| !self.held.contains_key(id);
        let sessions: Vec<SessionId> = self.model.iter().map(|session| session.id).filter(free).collect();
        for id in sessions {
            self.begin(Work::Destroy(Destroy::new(id)), ReplyTo::nobody(), Some(id));
        }
    }
}
