// SPDX-License-Identifier: GPL-2.0-only
//! Commands about rotations: rotating a session, asking how that goes, and when it happens by itself.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c`.

use lttng_protocol::client::ErrorCode;

use super::action::{Nothing, RotationInfo, ScheduleKind, SetSchedule};
use super::desk::{DONE, Desk, Serving, answer, hold, task};
use crate::operation::answer::{Answer, Failure};
use crate::operation::rotate::{Rotate, RotationQuery, can_rotate};
use crate::turn::ids::SessionId;

/// Rotates a session.
pub fn rotate(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    Rotate::check(desk.state, id)?;
    hold(id, Rotate::new(id))
}

/// Tells how a rotation went.
pub fn info(_: &mut Desk<'_>, id: SessionId, RotationInfo(chunk): RotationInfo) -> Serving {
    task(RotationQuery::new(id, chunk))
}

/// Lists when a session rotates by itself.
pub fn list_schedules(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    answer(Answer::Schedules(desk.session(id)?.wanted.schedules))
}

/// Sets or removes a schedule.
pub fn set_schedule(desk: &mut Desk<'_>, id: SessionId, wanted: SetSchedule) -> Serving {
    let SetSchedule { kind, set, value } = wanted;
    if desk.session(id)?.wanted.kernel.is_some() && !desk.state.tracer_abilities().rotation {
        return Err(Failure::TracerTooOld.into());
    }
    let session = desk.session_mut(id)?;
    if !can_rotate(session) {
        return Err(Failure::CanNotRotate.into());
    }
    let kind = kind.ok_or(ErrorCode::Invalid)?;
    let too_long = kind == ScheduleKind::Periodic && value >= u64::from(u32::MAX);
    if too_long || value == u64::MAX {
        return Err(ErrorCode::Invalid.into());
    }
    let active = session.is_active();
    let schedule = match kind {
        ScheduleKind::Size => &mut session.wanted.schedules.size,
        ScheduleKind::Periodic => &mut session.wanted.schedules.periodic,
    };
    if set && schedule.is_some() {
        return Err(ErrorCode::RotationScheduleSet.into());
    }
    if !set && *schedule != Some(value) {
        return Err(ErrorCode::RotationScheduleNotSet.into());
    }
    // A schedule of 0 is accepted and is none.
    *schedule = Some(value).filter(|&value| set && value > 0);
    match kind {
        // Counted from the beginning of the session, as in the original.
        ScheduleKind::Size => session.recording.rotate_at(value),
        ScheduleKind::Periodic if set && active => desk.state.begin_rotation_timer(id),
        ScheduleKind::Periodic if !set => desk.state.end_rotation_timer(id),
        ScheduleKind::Periodic => {}
    }
    DONE
}
