// SPDX-License-Identifier: GPL-2.0-only
//! Creating sessions: their names, and where their data goes.

use lttng_protocol::Writer;
use lttng_protocol::client::{ErrorCode, SessionDescriptor, SessionKind, SessionOutput};

use super::dispatch::Done;
use crate::daemon::Daemon;
use crate::model::{Output, Session, SessionId};
use crate::sys::clock;
use crate::sys::socket::Credentials;

/// Names tried when the daemon makes one up.
const MAX_NAMES: u32 = 10_000;
/// Longest path, the NUL included.
const PATH_MAX: usize = 4096;

impl Daemon {
    /// Creates a session. A recording one with a local output only: the others have no code yet.
    pub(super) fn create_session(
        &mut self,
        credentials: &Credentials,
        home: Option<String>,
        descriptor: SessionDescriptor,
    ) -> Result<Done, ErrorCode> {
        if home.as_deref().is_some_and(|home| !home.starts_with('/')) {
            return Err(ErrorCode::Invalid);
        }
        let generated_name = descriptor.name.is_none();
        let date = clock::name_date(self.wall);
        let name = match descriptor.name {
            Some(name) if self.model.find(&name).is_some() => return Err(ErrorCode::ExistSess),
            Some(name) if name.contains('/') => return Err(ErrorCode::SessionInvalidChar),
            Some(name) => name,
            None => self.free_name(&date).ok_or(ErrorCode::SessionFail)?,
        };
        let SessionKind::Regular = descriptor.kind else { return Err(ErrorCode::Und) };
        let path = match descriptor.output {
            SessionOutput::Local(Some(path)) => path,
            SessionOutput::Local(None) => {
                let home = home.ok_or(ErrorCode::SetUrl)?;
                let suffix = if generated_name { String::new() } else { format!("-{date}") };
                format!("{home}/lttng-traces/{name}{suffix}")
            }
            SessionOutput::None | SessionOutput::Network(_) => return Err(ErrorCode::Und),
        };
        if path.len() >= PATH_MAX {
            return Err(ErrorCode::SetUrl);
        }
        if !path.starts_with('/') || path.contains("../") {
            return Err(ErrorCode::Invalid);
        }
        let answer = SessionDescriptor {
            kind: SessionKind::Regular,
            name: Some(name.clone()),
            output: SessionOutput::Local(Some(path.clone())),
        };
        let &Credentials { uid, gid, .. } = credentials;
        let created = self.wall;
        self.model.add(|id| Session {
            id,
            name,
            generated_name,
            uid,
            gid,
            created,
            output: Output::Local(path),
            shm_path: None,
            ust: None,
            active: false,
            started: false,
            chunk: None,
            destroyed: false,
        });
        let mut writer = Writer::default();
        answer.encode(&mut writer);
        Ok(Done::Payload(writer.into_bytes()))
    }

    /// Says where the session's buffers are to be; the empty path takes that back.
    pub(super) fn set_shm_path(&mut self, id: SessionId, path: String) -> Result<(), ErrorCode> {
        let session = self.model.get_mut(id).ok_or(ErrorCode::SessNotFound)?;
        if session.started {
            return Err(ErrorCode::SessionStarted);
        }
        session.shm_path = (!path.is_empty()).then_some(path);
        Ok(())
    }

    /// `auto-DATE`, then `auto1-DATE` and so on.
    fn free_name(&self, date: &str) -> Option<String> {
        let candidates = (0..MAX_NAMES).map(|number| match number {
            0 => format!("auto-{date}"),
            _ => format!("auto{number}-{date}"),
        });
        let mut free = candidates.filter(|name| self.model.find(name).is_none());
        free.next()
    }
}
