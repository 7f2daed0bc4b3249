// SPDX-License-Identifier: GPL-2.0-only
//! Trackers of process attributes.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/tracker.c` and `trace-ust.c`. Unlike there, a
//! value that is refused leaves nothing behind.

use lttng_protocol::client::ErrorCode;

use super::action::{SetPolicy, TrackerOf, TrackerValue};
use super::desk::{Desk, Serving, answer};
use super::kernel;
use crate::model::tracker::{Included, Policy, Tracker, Trackers, Value};
use crate::model::{Domain, KernelDomain, ProcessAttribute, UstDomain};
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
    change(desk, id, wanted.attribute, |tracker| {
        tracker.set_policy(policy);
        Ok(())
    })
}

/// Reads a tracker's values.
pub fn values(desk: &mut Desk<'_>, id: SessionId, TrackerOf(attribute): TrackerOf) -> Serving {
    let tracker = with_set(tracker(desk, id, attribute)?)?;
    answer(Answer::TrackerValues(tracker.included().iter().map(|included| included.value.clone()).collect()))
}

/// Adds a value to a tracker.
pub fn add(desk: &mut Desk<'_>, id: SessionId, wanted: TrackerValue) -> Serving {
    let TrackerValue { attribute, value } = wanted;
    let number = tracked_id(desk, id, attribute, &value)?;
    change(desk, id, attribute, |tracker| {
        let added = with_set(tracker)?.add(Included { value, id: number });
        if added { Ok(()) } else { Err(ErrorCode::ProcessAttrExists) }
    })
}

/// Removes a value from a tracker.
pub fn remove(desk: &mut Desk<'_>, id: SessionId, wanted: TrackerValue) -> Serving {
    tracked_id(desk, id, wanted.attribute, &wanted.value)?;
    change(desk, id, wanted.attribute, |tracker| {
        let removed = with_set(tracker)?.remove(&wanted.value);
        if removed { Ok(()) } else { Err(ErrorCode::ProcessAttrMissing) }
    })
}

/// Changes a tracker, and brings that to those who follow it.
fn change(
    desk: &mut Desk<'_>,
    id: SessionId,
    attribute: Option<ProcessAttribute>,
    edit: impl FnOnce(&mut Tracker) -> Result<(), ErrorCode>,
) -> Serving {
    let before = desk.session(id)?.wanted.kernel.clone();
    edit(tracker(desk, id, attribute)?)?;
    if desk.domain == Some(Domain::Kernel) { kernel::bring(id, before, None) } else { desk.changed(id) }
}

/// The number that a value stands for. The kernel's tracer has signed ones, of which the negative ones mean something else.
fn tracked_id(
    desk: &mut Desk<'_>,
    id: SessionId,
    attribute: Option<ProcessAttribute>,
    value: &Value,
) -> Result<u32, ErrorCode> {
    use ProcessAttribute::{Gid, Pid, Uid, Vgid, Vpid, Vuid};
    let kernel = desk.domain == Some(Domain::Kernel);
    let Some(attribute) = attribute.filter(|&attribute| kernel || tracked_in_user_space(attribute)) else {
        return Err(if kernel { ErrorCode::InvalidProtocol } else { ErrorCode::UnsupportedDomain });
    };
    tracker(desk, id, Some(attribute))?;
    let number = match (attribute, value) {
        (Pid | Vpid, Value::Pid(pid)) => u32::try_from(*pid).map_err(|_| ErrorCode::Invalid),
        (Uid | Vuid, Value::Uid(number)) | (Gid | Vgid, Value::Gid(number)) => {
            u32::try_from(*number).map_err(|_| ErrorCode::Invalid)
        }
        (Uid | Vuid, Value::UserName(name)) => users::system_user_id(name).ok_or(ErrorCode::UserNotFound),
        (Gid | Vgid, Value::GroupName(name)) => users::system_group_id(name).ok_or(ErrorCode::GroupNotFound),
        _ => Err(ErrorCode::Invalid),
    }?;
    if kernel && i32::try_from(number).is_err() { Err(ErrorCode::Invalid) } else { Ok(number) }
}

/// A tracker, which must have an inclusion set.
fn with_set(tracker: &mut Tracker) -> Result<&mut Tracker, ErrorCode> {
    match tracker.policy() {
        Policy::IncludeSet => Ok(tracker),
        Policy::IncludeAll | Policy::ExcludeAll => Err(ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy),
    }
}

/// Whether there is a tracker for an attribute in user space.
fn tracked_in_user_space(attribute: ProcessAttribute) -> bool {
    matches!(attribute, ProcessAttribute::Vpid | ProcessAttribute::Vuid | ProcessAttribute::Vgid)
}

/// The tracker of an attribute in user space, which has those of the namespaces that processes are in.
fn of_user_space(trackers: &mut Trackers, attribute: ProcessAttribute) -> Option<&mut Tracker> {
    match attribute {
        ProcessAttribute::Vpid => Some(&mut trackers.pid),
        ProcessAttribute::Vuid => Some(&mut trackers.uid),
        ProcessAttribute::Vgid => Some(&mut trackers.gid),
        ProcessAttribute::Pid | ProcessAttribute::Uid | ProcessAttribute::Gid => None,
    }
}

fn tracker<'a>(
    desk: &'a mut Desk<'_>,
    id: SessionId,
    attribute: Option<ProcessAttribute>,
) -> Result<&'a mut Tracker, ErrorCode> {
    let domain = desk.domain;
    let wanted = &mut desk.session_mut(id)?.wanted;
    match domain {
        Some(Domain::UserSpace) => {
            let trackers = &mut wanted.ust.get_or_insert_with(UstDomain::default).trackers;
            attribute.and_then(|attribute| of_user_space(trackers, attribute)).ok_or(ErrorCode::Invalid)
        }
        Some(Domain::Kernel) => {
            let trackers = &mut wanted.kernel.get_or_insert_with(KernelDomain::default).trackers;
            attribute.map(|attribute| trackers.of_mut(attribute)).ok_or(ErrorCode::Invalid)
        }
        Some(Domain::Jul | Domain::Log4j | Domain::Python) | None => Err(ErrorCode::UnsupportedDomain),
    }
}
