// SPDX-License-Identifier: GPL-2.0-only
//! Trackers of process attributes.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/tracker.c` and `trace-ust.c`. Unlike there, a
//! value that is refused leaves nothing behind.

use lttng_protocol::client::{Domain, ErrorCode, TrackerValue};

use super::dispatch::Done;
use crate::daemon::Daemon;
use crate::model::tracker::{Included, Policy, Tracker};
use crate::model::{SessionId, UstDomain};
use crate::users;

/// Process attributes of the user space domain (`enum lttng_process_attr`).
const VIRTUAL_PROCESS_ID: i32 = 1;
const VIRTUAL_USER_ID: i32 = 3;
const VIRTUAL_GROUP_ID: i32 = 5;

impl Daemon {
    pub(super) fn tracker_policy(
        &mut self,
        id: SessionId,
        domain: Option<Domain>,
        attribute: i32,
    ) -> Result<Done, ErrorCode> {
        let number: u32 = match self.tracker(id, domain, attribute)?.policy() {
            Policy::IncludeAll => 0,
            Policy::ExcludeAll => 1,
            Policy::IncludeSet => 2,
        };
        Ok(Done::Payload(number.to_ne_bytes().to_vec()))
    }

    pub(super) fn set_tracker_policy(
        &mut self,
        id: SessionId,
        domain: Option<Domain>,
        attribute: i32,
        policy: i32,
    ) -> Result<(), ErrorCode> {
        let policy = match policy {
            0 => Policy::IncludeAll,
            1 => Policy::ExcludeAll,
            2 => Policy::IncludeSet,
            _ => return Err(ErrorCode::Invalid),
        };
        self.tracker(id, domain, attribute)?.set_policy(policy);
        Ok(())
    }

    pub(super) fn inclusion_set(
        &mut self,
        id: SessionId,
        domain: Option<Domain>,
        attribute: i32,
    ) -> Result<Done, ErrorCode> {
        let tracker = self.inclusion_tracker(id, domain, attribute)?;
        let values: Vec<TrackerValue> =
            tracker.included().iter().map(|included| included.value.clone()).collect();
        Ok(Done::Payload(TrackerValue::encode_list(&values)))
    }

    pub(super) fn track(
        &mut self,
        id: SessionId,
        domain: Option<Domain>,
        attribute: i32,
        value: TrackerValue,
    ) -> Result<(), ErrorCode> {
        let number = self.tracked_id(id, domain, attribute, &value)?;
        let tracker = self.inclusion_tracker(id, domain, attribute)?;
        if tracker.add(Included { value, id: number }) { Ok(()) } else { Err(ErrorCode::ProcessAttrExists) }
    }

    pub(super) fn untrack(
        &mut self,
        id: SessionId,
        domain: Option<Domain>,
        attribute: i32,
        value: &TrackerValue,
    ) -> Result<(), ErrorCode> {
        self.tracked_id(id, domain, attribute, value)?;
        let tracker = self.inclusion_tracker(id, domain, attribute)?;
        if tracker.remove(value) { Ok(()) } else { Err(ErrorCode::ProcessAttrMissing) }
    }

    /// The number that a value stands for.
    fn tracked_id(
        &mut self,
        id: SessionId,
        domain: Option<Domain>,
        attribute: i32,
        value: &TrackerValue,
    ) -> Result<u32, ErrorCode> {
        if !matches!(attribute, VIRTUAL_PROCESS_ID | VIRTUAL_USER_ID | VIRTUAL_GROUP_ID) {
            return Err(ErrorCode::UnsupportedDomain);
        }
        self.tracker(id, domain, attribute)?;
        match (attribute, value) {
            (VIRTUAL_PROCESS_ID, TrackerValue::Pid(pid)) => {
                u32::try_from(*pid).map_err(|_| ErrorCode::Invalid)
            }
            (VIRTUAL_USER_ID, TrackerValue::Uid(number)) | (VIRTUAL_GROUP_ID, TrackerValue::Gid(number)) => {
                u32::try_from(*number).map_err(|_| ErrorCode::Invalid)
            }
            (VIRTUAL_USER_ID, TrackerValue::UserName(name)) => {
                users::system_user_id(name).ok_or(ErrorCode::UserNotFound)
            }
            (VIRTUAL_GROUP_ID, TrackerValue::GroupName(name)) => {
                users::system_group_id(name).ok_or(ErrorCode::GroupNotFound)
            }
            _ => Err(ErrorCode::Invalid),
        }
    }

    /// The tracker, which must have an inclusion set.
    fn inclusion_tracker(
        &mut self,
        id: SessionId,
        domain: Option<Domain>,
        attribute: i32,
    ) -> Result<&mut Tracker, ErrorCode> {
        let tracker = self.tracker(id, domain, attribute)?;
        match tracker.policy() {
            Policy::IncludeSet => Ok(tracker),
            Policy::IncludeAll | Policy::ExcludeAll => {
                Err(ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy)
            }
        }
    }

    fn tracker(
        &mut self,
        id: SessionId,
        domain: Option<Domain>,
        attribute: i32,
    ) -> Result<&mut Tracker, ErrorCode> {
        if domain != Some(Domain::Ust) {
            return Err(ErrorCode::UnsupportedDomain);
        }
        let session = self.model.get_mut(id).ok_or(ErrorCode::SessNotFound)?;
        let trackers = &mut session.ust.get_or_insert_with(UstDomain::default).trackers;
        match attribute {
            VIRTUAL_PROCESS_ID => Ok(&mut trackers.pid),
            VIRTUAL_USER_ID => Ok(&mut trackers.uid),
            VIRTUAL_GROUP_ID => Ok(&mut trackers.gid),
            _ => Err(ErrorCode::Invalid),
        }
    }
}
