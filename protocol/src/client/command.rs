// SPDX-License-Identifier: GPL-2.0-only
//! The commands of the 2.13 dialect.
//!
//! Only numbers and what every command has in common; what a command means is the daemon's business.
//!
//! Source: `lttng-tools 2.13: src/common/sessiond-comm/sessiond-comm.h` and
//! `src/bin/lttng-sessiond/client.c`.

use crate::numbered::numbered;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $session:literal, $domain:literal;)*) => {
        numbered! {
            /// `enum lttcomm_sessiond_command`.
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub enum Command: u32 {
                $($(#[$doc])* $name = $number,)*
            }
            /// The command with this number. Holes and numbers above 52 have none.
            from_number;
            /// Every command, in the order of the numbers.
            ALL;
        }

        impl Command {
            /// Whether the header must name an existing session that the client may control.
            pub fn needs_session(self) -> bool {
                match self {
                    $(Command::$name => $session,)*
                }
            }

            /// Whether the command acts in the domain named by the header, so that a missing tracer or consumer
            /// daemon of that domain refuses it.
            pub fn is_domain_command(self) -> bool {
                match self {
                    $(Command::$name => $domain,)*
                }
            }
        }
    };
}

commands! {
    /// Adds a context to a channel, or to all channels.
    AddContext = 0, true, true;
    /// Disables a channel.
    DisableChannel = 2, true, true;
    /// Disables event rules.
    DisableEvent = 3, true, true;
    /// Lists the kernel's system calls.
    ListSyscalls = 4, false, true;
    /// Creates a channel, or enables a disabled one.
    EnableChannel = 5, true, true;
    /// Creates an event rule, or enables a disabled one.
    EnableEvent = 6, true, true;
    /// Destroys a session; answered when its data is written.
    DestroySession = 9, true, false;
    /// Lists the channels of a domain.
    ListChannels = 10, true, true;
    /// Lists the domains in which the session has something.
    ListDomains = 11, true, false;
    /// Lists the event rules of a channel.
    ListEvents = 12, true, true;
    /// Lists the sessions that the client may control.
    ListSessions = 13, false, false;
    /// Lists what can be instrumented in a domain.
    ListTracepoints = 14, false, true;
    /// Uses an external kernel consumer daemon. Obsolete.
    RegisterConsumer = 15, true, true;
    /// Starts tracing.
    StartTrace = 16, true, false;
    /// Stops tracing.
    StopTrace = 17, true, false;
    /// Lists the fields of the tracepoints of a domain.
    ListTracepointFields = 18, false, true;
    /// Obsolete, always refused.
    DisableConsumer = 19, true, true;
    /// Obsolete, always refused.
    EnableConsumer = 20, true, true;
    /// Sets where the session's data goes.
    SetConsumerUri = 21, true, true;
    /// Asks whether data is still to be written.
    DataPending = 24, true, false;
    /// Adds a snapshot output.
    SnapshotAddOutput = 25, true, false;
    /// Removes a snapshot output.
    SnapshotDelOutput = 26, true, false;
    /// Lists the snapshot outputs.
    SnapshotListOutput = 27, true, false;
    /// Records a snapshot.
    SnapshotRecord = 28, true, false;
    /// Writes session configurations. The session's name is a parameter, not the header's.
    SaveSession = 31, false, false;
    /// Adds a value to a process attribute tracker.
    TrackerAddValue = 32, true, true;
    /// Removes a value from a process attribute tracker.
    TrackerRemoveValue = 33, true, true;
    /// Reads a tracker's policy.
    TrackerGetPolicy = 34, true, true;
    /// Sets a tracker's policy.
    TrackerSetPolicy = 35, true, true;
    /// Reads a tracker's values.
    TrackerGetInclusionSet = 36, true, true;
    /// Sets where shared memory buffers are kept.
    SetShmPath = 40, true, false;
    /// Writes the metadata again.
    RegenerateMetadata = 41, true, false;
    /// Makes the tracers dump their state again.
    RegenerateStatedump = 42, true, false;
    /// Registers a trigger.
    RegisterTrigger = 43, false, true;
    /// Removes a trigger.
    UnregisterTrigger = 44, false, true;
    /// Rotates a session.
    RotateSession = 45, true, false;
    /// Asks how a rotation went.
    RotationGetInfo = 46, true, false;
    /// Sets or removes a rotation schedule.
    RotationSetSchedule = 47, true, false;
    /// Lists the rotation schedules.
    SessionListRotationSchedules = 48, true, false;
    /// Creates a session.
    CreateSessionExt = 49, false, false;
    /// Throws away what was recorded; may be answered late.
    ClearSession = 50, true, false;
    /// Lists the triggers.
    ListTriggers = 51, false, false;
    /// Asks for the errors of a trigger's parts.
    ExecuteErrorQuery = 52, false, false;
}
