// SPDX-License-Identifier: GPL-2.0-only
//! Creating sessions: their names, and where their data goes.

use lttng_protocol::Writer;
use lttng_protocol::client::{ErrorCode, NetworkOutput, SessionDescriptor, SessionOutput, Uri};

use super::dispatch::Done;
use crate::daemon::Daemon;
use crate::model::{Output, Rotations, Session, SessionId, SessionKind, SnapshotOutput};
use crate::sys::clock;
use crate::sys::socket::Credentials;

/// Names tried when the daemon makes one up.
const MAX_NAMES: u32 = 10_000;
/// Longest path, the NUL included.
const PATH_MAX: usize = 4096;

impl Daemon {
    /// Creates a session.
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
        let suffix = if generated_name { String::new() } else { format!("-{date}") };
        let (output, answered) = match descriptor.output {
            SessionOutput::None => (Output::None, SessionOutput::None),
            SessionOutput::Local(path) => {
                let path = match path {
                    Some(path) => path,
                    None => default_path(home, &format!("{name}{suffix}"))?,
                };
                let answered = SessionOutput::Local(Some(path.clone()));
                (Output::None.with(&[Uri::path(&path)])?, answered)
            }
            SessionOutput::Network(given) => {
                let given = given.map_or_else(NetworkOutput::local, |given| *given);
                let output = Output::None.with(&[given.control, given.data])?;
                let network = output.network().map(Box::new);
                (output, SessionOutput::Network(network))
            }
        };
        let answer = SessionDescriptor { kind: descriptor.kind, name: Some(name.clone()), output: answered };
        let new = NewSession { name, generated_name, kind: descriptor.kind, output };
        let created = self.wall;
        self.model.add(|id| new.session(id, credentials, created));
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

    /// Says where the session records to. What was recorded before stays where it is.
    pub(super) fn set_output(&mut self, id: SessionId, uris: &[Uri]) -> Result<(), ErrorCode> {
        let session = self.model.get_mut(id).ok_or(ErrorCode::SessNotFound)?;
        if session.active {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        session.output = session.output.with(uris)?;
        if !session.started {
            // Another relay daemon is connected to when the next command needs one.
            self.drop_relays_of(id);
        }
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

/// What a client's request says of a session.
struct NewSession {
    name: String,
    generated_name: bool,
    kind: SessionKind,
    output: Output,
}

impl NewSession {
    fn session(self, id: SessionId, credentials: &Credentials, created: i64) -> Session {
        let NewSession { name, generated_name, kind, output } = self;
        let &Credentials { uid, gid, .. } = credentials;
        // The output of a snapshot session is its first output for snapshots.
        let (output, snapshot) =
            if kind == SessionKind::Snapshot { (Output::None, output) } else { (output, Output::None) };
        let first =
            |output| SnapshotOutput { id: 1, name: SnapshotOutput::default_name(1), max_size: 0, output };
        let last_snapshot_output = u32::from(snapshot != Output::None);
        let snapshot_outputs = Some(snapshot).filter(|output| *output != Output::None).map(first);
        Session {
            id,
            name,
            generated_name,
            uid,
            gid,
            created,
            kind,
            output,
            relayd_id: None,
            snapshot_outputs: snapshot_outputs.into_iter().collect(),
            last_snapshot_output,
            snapshots: 0,
            shm_path: None,
            ust: None,
            active: false,
            started: false,
            chunk: None,
            next_chunk: 0,
            rotations: Rotations::default(),
            destroyed: false,
        }
    }
}

/// Where a session records to when its client does not say.
fn default_path(home: Option<String>, name: &str) -> Result<String, ErrorCode> {
    let path = format!("{}/lttng-traces/{name}", home.ok_or(ErrorCode::SetUrl)?);
    if path.len() < PATH_MAX { Ok(path) } else { Err(ErrorCode::SetUrl) }
}
