// SPDX-License-Identifier: GPL-2.0-only
//! Rotate: a session goes on in a new trace chunk, and what it recorded so far is archived. And the question how
//! that goes.

use std::time::{Duration, Instant};

use lttng_protocol::client::{ArchiveLocation, Destination, Output, RotationInfo, RotationState};

use super::rotation::{Leave, Rotation};
use super::{Context, Progress};
use crate::model::{Session, SessionId};

/// How long the answer that a rotation goes on is held back: clients ask again after 100 ms or more, and by then it
/// is over for long.
const PATIENCE: Duration = Duration::from_millis(250);

/// Rotating a session.
#[derive(Debug)]
pub struct Rotate {
    session: SessionId,
    rotation: Option<Rotation>,
}

impl Rotate {
    /// Rotates this session, which must have a chunk.
    pub fn new(session: SessionId) -> Self {
        Rotate { session, rotation: None }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        let id = self.session;
        let rotation = self.rotation.get_or_insert_with(|| {
            let active = context.daemon.model.get(id).is_some_and(|session| session.active);
            Rotation::new(id, Leave::Archive, active)
        });
        let Some(result) = rotation.step(context) else { return Progress::Pending };
        if let Some(session) = context.daemon.model.get_mut(id) {
            // Also after a failure: a session that does not record has left its chunk in any case.
            session.rotations.rotated_after_stop |= !session.active;
        }
        match result {
            Ok(left) => Progress::Done(context.success().with_rotation(left.unwrap_or(0))),
            Err(code) => context.reply(code),
        }
    }
}

/// Finding out how a rotation went.
#[derive(Debug)]
pub struct RotationQuery {
    session: SessionId,
    chunk: u64,
    until: Option<Instant>,
}

impl RotationQuery {
    /// Asks about the rotation that left this chunk.
    pub fn new(session: SessionId, chunk: u64) -> Self {
        RotationQuery { session, chunk, until: None }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        let until = *self.until.get_or_insert_with(|| context.look_again_after(PATIENCE));
        let now = context.daemon.now;
        let Some(session) = context.daemon.model.get(self.session) else {
            return Progress::Done(context.success());
        };
        if session.rotations.leaving == Some(self.chunk) && now < until {
            return Progress::Pending;
        }
        let info = self.info(session).encode();
        Progress::Done(context.success().with_payload(info))
    }

    fn info(&self, session: &Session) -> RotationInfo {
        let rotations = &session.rotations;
        let archived = rotations.archived.as_ref();
        let state = match rotations.leaving {
            Some(chunk) if chunk == self.chunk => RotationState::Ongoing,
            Some(_) => RotationState::Expired,
            None if archived.is_some_and(|archived| archived.id != self.chunk) => RotationState::Expired,
            None => rotations.state,
        };
        let location = Some(session).filter(|_| state == RotationState::Completed).and_then(archive_location);
        RotationInfo { state, location }
    }
}

/// Where the chunk is that was archived last.
pub(super) fn archive_location(session: &Session) -> Option<ArchiveLocation> {
    let path = session.rotations.archived.as_ref()?.path.clone();
    let Output::Network { control: Some(control), data: Some(data) } = &session.output else {
        return Some(ArchiveLocation::Local { path });
    };
    let (Destination::Ipv4(host) | Destination::Ipv6(host) | Destination::Path(host)) = &control.destination;
    let (control_port, data_port) = (control.port, data.port);
    Some(ArchiveLocation::Relay { host: host.clone(), control_port, data_port, path })
}
