// SPDX-License-Identifier: GPL-2.0-only
//! Trackers of process attributes.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/tracker.c` and `trace-ust.c`. Unlike there, a
//! value that is refused leaves nothing behind.

use lttng_protocol::client::ErrorCode;

use super::action::{Attribute, SetPolicy, TrackerOf, TrackerValue};
use super::desk::{Desk, Serving, answer};
use crate::model::tracker::{Included, Policy, Tracker, Value};
use crate::model::{Domain, UstDomain};
use crate::operation::answer::Answer;
use crate::turn::ids::SessionId;
use crate::users;

/// Reads a tracker's policy.
pub fn policy(desk: &mut Desk<'_>, id: SessionId, TrackerOf(attribute): TrackerOf) -> Serving {
    answer(Answer::TrackerPolicy(tracker(desk, id, attribute)?.policy()))
}

/// Sets a tracker's policy.
pub fn set_policy(desk: &mut Desk<'_>, id: SessionId, wanted: SetPolicy) -> Serving {
    let policy = wanted.policy.ok_or(ErrorCode::Invalid)?;
    tracker(desk, id, wanted.attribute)?.set_policy(policy);
    desk.changed(id)
}

/// Reads a tracker's values.
pub fn values(desk: &mut Desk<'_>, id: SessionId, TrackerOf(attribute): TrackerOf) -> Serving {
    let tracker = inclusion_tracker(desk, id, attribute)?;
    answer(Answer::TrackerValues(tracker.included().iter().map(|included| included.value.clone()).collect()))
}

/// Adds a value to a tracker.
pub fn add(desk: &mut Desk<'_>, id: SessionId, wanted: TrackerValue) -> Serving {
    let TrackerValue { attribute, value } = wanted;
    let number = tracked_id(desk, id, attribute, &value)?;
    if !inclusion_tracker(desk, id, attribute)?.add(Included { value, id: number }) {
        return Err(ErrorCode::ProcessAttrExists.into());
    }
    desk.changed(id)
}

/// Removes a value from a tracker.
pub fn remove(desk: &mut Desk<'_>, id: SessionId, wanted: TrackerValue) -> Serving {
    tracked_id(desk, id, wanted.attribute, &wanted.value)?;
    if !inclusion_tracker(desk, id, wanted.attribute)?.remove(&wanted.value) {
        return Err(ErrorCode::ProcessAttrMissing.into());
    }
    desk.changed(id)
}

/// The number that a value stands for.
fn tracked_id(
    desk: &mut Desk<'_>,
    id: SessionId,
    attribute: Option<Attribute>,
    value: &Value,
) -> Result<u32, ErrorCode> {
    if attribute.is_none() {
        return Err(ErrorCode::UnsupportedDomain);
    }
    tracker(desk, id, attribute)?;
    match (attribute, value) {
        (Some(Attribute::Pid), Value::Pid(pid)) => u32::try_from(*pid).map_err(|_| ErrorCode::Invalid),
        (Some(Attribute::Uid), Value::Uid(number)) | (Some(Attribute::Gid), Value::Gid(number)) => {
            u32::try_from(*number).map_err(|_| ErrorCode::Invalid)
        }
        (Some(Attribute::Uid), Value::UserName(name)) => {
            users::system_user_id(name).ok_or(ErrorCode::UserNotFound)
        }
        (Some(Attribute::Gid), Value::GroupName(name)) => {
            users::system_group_id(name).ok_or(ErrorCode::GroupNotFound)
        }
        _ => Err(ErrorCode::Invalid),
    }
}

/// The tracker, which must have an inclusion set.
fn inclusion_tracker<'a>(
    desk: &'a mut Desk<'_>,
    id: SessionId,
    attribute: Option<Attribute>,
) -> Result<&'a mut Tracker, ErrorCode> {
    let tracker = tracker(desk, id, attribute)?;
    match tracker.policy() {
        Policy::IncludeSet => Ok(tracker),
        Policy::IncludeAll | Policy::ExcludeAll => Err(ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy),
    }
}

fn tracker<'a>(
    desk: &'a mut Desk<'_>,
    id: SessionId,
    attribute: Option<Attribute>,
) -> Result<&'a mut Tracker, ErrorCode> {
    desk.only_in(Domain::UserSpace, ErrorCode::UnsupportedDomain)?;
    let trackers = &mut desk.session_mut(id)?.wanted.ust.get_or_insert_with(UstDomain::default).trackers;
    match attribute {
        Some(Attribute::Pid) => Ok(&mut trackers.pid),
        Some(Attribute::Uid) => Ok(&mut trackers.uid),
        Some(Attribute::Gid) => Ok(&mut trackers.gid),
        None => Err(ErrorCode::Invalid),
    }
}
