// SPDX-License-Identifier: GPL-2.0-only
//! When a session may rotate or be cleared, and when it rotates by itself.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c` and `clear.c`.

use lttng_protocol::client::{ErrorCode, ScheduleKind, SessionKind};

use crate::daemon::Daemon;
use crate::model::{Session, SessionId};

impl Daemon {
    /// Whether a session can be rotated now.
    pub(crate) fn check_rotation(&self, id: SessionId) -> Result<(), ErrorCode> {
        let session = self.model.get(id).ok_or(ErrorCode::SessNotFound)?;
        let rotations = &session.rotations;
        if !session.started {
            Err(ErrorCode::StartSessionOnce)
        } else if !can_rotate(session) {
            Err(ErrorCode::RotationNotAvailable)
        } else if self.relay_of(id).is_some_and(|(_, relay)| !relay.has_chunks()) {
            Err(ErrorCode::RotationNotAvailableRelay)
        } else if rotations.leaving.is_some() {
            Err(ErrorCode::RotationPending)
        } else if !session.active && rotations.rotated_after_stop {
            Err(ErrorCode::RotationMultipleAfterStop)
        } else if !session.active && rotations.cleared_after_stop {
            Err(ErrorCode::RotationAfterStopClear)
        } else {
            Ok(())
        }
    }

    /// Whether the relay daemon of a session, if it has one, lets it be cleared.
    pub(super) fn may_clear(&self, id: SessionId) -> bool {
        let started = self.model.get(id).is_some_and(|session| session.started);
        !started || self.relay_of(id).is_none_or(|(_, relay)| relay.clear_allowed())
    }

    /// Sets or removes a schedule.
    pub(super) fn set_rotation_schedule(
        &mut self,
        id: SessionId,
        kind: u8,
        set: bool,
        value: u64,
    ) -> Result<(), ErrorCode> {
        let session = self.model.get_mut(id).ok_or(ErrorCode::SessNotFound)?;
        if !can_rotate(session) {
            return Err(ErrorCode::RotationNotAvailable);
        }
        let kind = ScheduleKind::from_number(kind).ok_or(ErrorCode::Invalid)?;
        let too_long = kind == ScheduleKind::Periodic && value >= u64::from(u32::MAX);
        if too_long || value == u64::MAX {
            return Err(ErrorCode::Invalid);
        }
        let active = session.active;
        let rotations = &mut session.rotations;
        let schedule = match kind {
            ScheduleKind::Size => &mut rotations.schedules.size,
            ScheduleKind::Periodic => &mut rotations.schedules.periodic,
        };
        if set && schedule.is_some() {
            return Err(ErrorCode::RotationScheduleSet);
        }
        if !set && *schedule != Some(value) {
            return Err(ErrorCode::RotationScheduleNotSet);
        }
        // A schedule of 0 is accepted and is none.
        *schedule = Some(value).filter(|&value| set && value > 0);
        match kind {
            // Counted from the beginning of the session, as there.
            ScheduleKind::Size => rotations.rotate_at = value,
            ScheduleKind::Periodic if set && active => self.begin_rotation_timer(id),
            ScheduleKind::Periodic if !set => self.end_rotation_timer(id),
            ScheduleKind::Periodic => {}
        }
        Ok(())
    }
}

fn can_rotate(session: &Session) -> bool {
    session.has_output() && !matches!(session.kind, SessionKind::Live { .. })
}
