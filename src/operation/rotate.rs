// SPDX-License-Identifier: GPL-2.0-only
//! Rotate: a session goes on in a new trace chunk, and what it recorded so far is archived. And the question how
//! that goes.

use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use super::answer::{Answer, Failure, Location};
use super::archive::Leave;
use super::cx::Cx;
use super::steps::rotation::Rotation;
use super::task::Task;
use crate::model::{Output, RotationState, Session, SessionKind};
use crate::state::State;
use crate::turn::ids::SessionId;

/// How long the answer that a rotation goes on is held back: clients ask again after 100 ms or more, and by then it
/// is over for long.
const PATIENCE: Duration = Duration::from_millis(250);

/// Rotating a session.
#[derive(Debug)]
pub struct Rotate {
    session: SessionId,
    rotation: Option<Rotation>,
}

impl Task for Rotate {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let rotation = match &mut self.rotation {
            Some(rotation) => rotation,
            None => {
                let active = cx.session(self.session)?.is_active();
                self.rotation.insert(Rotation::new(self.session, Leave::Archive, active))
            }
        };
        let result = ready!(rotation.step(cx));
        // Also after a failure: a session that does not record has left its chunk in any case.
        cx.record(self.session)?.rotated();
        if cx.session(self.session)?.is_active() {
            cx.state.retry_buffers(self.session);
        }
        Poll::Ready(result.map(|left| Answer::RotationBegun(left.unwrap_or(0))))
    }

    fn rotates(&self) -> bool {
        true
    }
}

impl Rotate {
    /// Rotates this session, which must have a chunk.
    pub fn new(session: SessionId) -> Self {
        Rotate { session, rotation: None }
    }

    /// Whether a session can be rotated now. The order of the checks: lttng-tools 2.13,
    /// `src/bin/lttng-sessiond/cmd.c`.
    ///
    /// # Errors
    /// Why not.
    pub fn check(state: &State, id: SessionId) -> Result<(), Failure> {
        let session = state.sessions.get(id).ok_or(Failure::SessionGone)?;
        let recording = &session.recording;
        // What is wanted of the tracer is wanted of no other one, be it there or not.
        let kernel = session.wanted.kernel.as_ref().map(|_| state.tracer_abilities());
        if kernel.is_some_and(|tracer| !tracer.rotation) {
            Err(Failure::TracerTooOld)
        } else if !session.was_started() {
            Err(Failure::NeverStarted)
        } else if !can_rotate(session) {
            Err(Failure::CanNotRotate)
        } else if state.relay_of(id).is_some_and(|(_, relay)| !relay.has_chunks()) {
            Err(Failure::RelayCanNotRotate)
        } else if kernel.is_some_and(|tracer| !tracer.packet_numbers) {
            Err(Failure::TracerCanNotRotate)
        } else if recording.leaving().is_some() {
            Err(Failure::RotationPending)
        } else if !session.is_active() && recording.rotated_since_stop() {
            Err(Failure::RotatedSinceStop)
        } else if !session.is_active() && recording.cleared_since_stop() {
            Err(Failure::ClearedSinceStop)
        } else {
            Ok(())
        }
    }
}

/// Whether sessions like this one rotate at all.
pub fn can_rotate(session: &Session) -> bool {
    session.has_output() && !matches!(session.wanted.kind, SessionKind::Live { .. })
}

/// Finding out how a rotation went.
#[derive(Debug)]
pub struct RotationQuery {
    session: SessionId,
    chunk: u64,
    until: Option<Instant>,
}

impl Task for RotationQuery {
    fn step(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Answer, Failure>> {
        let until = *self.until.get_or_insert_with(|| cx.look_again_after(PATIENCE));
        let session = cx.session(self.session)?;
        if session.recording.leaving() == Some(self.chunk) && cx.now() < until {
            return Poll::Pending;
        }
        let state = self.state(session);
        let location = if state == RotationState::Completed { archive_location(session) } else { None };
        Poll::Ready(Ok(Answer::Rotation(state, location)))
    }
}

impl RotationQuery {
    /// Asks about the rotation that left this chunk.
    pub fn new(session: SessionId, chunk: u64) -> Self {
        RotationQuery { session, chunk, until: None }
    }

    fn state(&self, session: &Session) -> RotationState {
        let archived = session.recording.archived();
        match session.recording.leaving() {
            Some(chunk) if chunk == self.chunk => RotationState::Ongoing,
            Some(_) => RotationState::Expired,
            None if archived.is_some_and(|archived| archived.id != self.chunk) => RotationState::Expired,
            None => session.recording.rotation(),
        }
    }
}

/// Where the chunk is that was archived last.
pub fn archive_location(session: &Session) -> Option<Location> {
    let path = session.recording.archived()?.path.clone();
    let Output::Network { control: Some(control), data: Some(data) } = &session.wanted.output else {
        return Some(Location::Local { path });
    };
    let host = control.address.as_str().to_owned();
    let (control_port, data_port) = (control.port, data.port);
    Some(Location::Relay { host, control_port, data_port, path })
}
