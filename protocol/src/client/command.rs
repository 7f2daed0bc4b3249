// SPDX-License-Identifier: GPL-2.0-only
//! The commands of the 2.13 dialect.
//!
//! Only names and numbers; what a command needs and means is the daemon's business.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h`.

use crate::numbered::numbered;

numbered! {
    /// `enum lttcomm_sessiond_command`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Command: u32 {
        /// Adds a context to a channel, or to all channels.
        AddContext = 0,
        /// Disables a channel.
        DisableChannel = 2,
        /// Disables event rules.
        DisableEvent = 3,
        /// Lists the kernel's system calls.
        ListSyscalls = 4,
        /// Creates a channel, or enables a disabled one.
        EnableChannel = 5,
        /// Creates an event rule, or enables a disabled one.
        EnableEvent = 6,
        /// Destroys a session; answered when its data is written.
        DestroySession = 9,
        /// Lists the channels of a domain.
        ListChannels = 10,
        /// Lists the domains in which the session has something.
        ListDomains = 11,
        /// Lists the event rules of a channel.
        ListEvents = 12,
        /// Lists the sessions that the client may control.
        ListSessions = 13,
        /// Lists what can be instrumented in a domain.
        ListTracepoints = 14,
        /// Uses an external kernel consumer daemon. Obsolete.
        RegisterConsumer = 15,
        /// Starts tracing.
        StartTrace = 16,
        /// Stops tracing.
        StopTrace = 17,
        /// Lists the fields of the tracepoints of a domain.
        ListTracepointFields = 18,
        /// Obsolete, always refused.
        DisableConsumer = 19,
        /// Obsolete, always refused.
        EnableConsumer = 20,
        /// Sets where the session's data goes.
        SetConsumerUri = 21,
        /// Asks whether data is still to be written.
        DataPending = 24,
        /// Adds a snapshot output.
        SnapshotAddOutput = 25,
        /// Removes a snapshot output.
        SnapshotDelOutput = 26,
        /// Lists the snapshot outputs.
        SnapshotListOutput = 27,
        /// Records a snapshot.
        SnapshotRecord = 28,
        /// Writes session configurations. The session's name is a parameter, not the header's.
        SaveSession = 31,
        /// Adds a value to a process attribute tracker.
        TrackerAddValue = 32,
        /// Removes a value from a process attribute tracker.
        TrackerRemoveValue = 33,
        /// Reads a tracker's policy.
        TrackerGetPolicy = 34,
        /// Sets a tracker's policy.
        TrackerSetPolicy = 35,
        /// Reads a tracker's values.
        TrackerGetInclusionSet = 36,
        /// Sets where shared memory buffers are kept.
        SetShmPath = 40,
        /// Writes the metadata again.
        RegenerateMetadata = 41,
        /// Makes the tracers dump their state again.
        RegenerateStatedump = 42,
        /// Registers a trigger.
        RegisterTrigger = 43,
        /// Removes a trigger.
        UnregisterTrigger = 44,
        /// Rotates a session.
        RotateSession = 45,
        /// Asks how a rotation went.
        RotationGetInfo = 46,
        /// Sets or removes a rotation schedule.
        RotationSetSchedule = 47,
        /// Lists the rotation schedules.
        SessionListRotationSchedules = 48,
        /// Creates a session.
        CreateSessionExt = 49,
        /// Throws away what was recorded; may be answered late.
        ClearSession = 50,
        /// Lists the triggers.
        ListTriggers = 51,
        /// Asks for the errors of a trigger's parts.
        ExecuteErrorQuery = 52,
    }
    /// The command with this number. Holes and numbers above 52 have none.
    from_number;
    /// Every command, in the order of the numbers.
    ALL;
}
