// SPDX-License-Identifier: GPL-2.0-only
//! The result codes that a client reads.
//!
//! A number here is part of the ABI of `liblttng-ctl`: the library turns it into the text that it prints, and
//! programs compare against it. Never renumber, never reuse.
//!
//! Source: `lttng-tools 2.13: include/lttng/lttng-error.h`.

use crate::numbered::numbered;

numbered! {
    /// `enum lttng_error_code`. The variant is the C name without `LTTNG_ERR_`, in camel case.
    ///
    /// Codes that the original only makes inside the client library are listed too, so that every number
    /// of 2.13 has a name. On the wire they are positive.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum ErrorCode: u32 {
        /// `LTTNG_OK`: Success.
        Ok = 10,
        /// `LTTNG_ERR_UNK`: Unspecified failure.
        Unk = 11,
        /// `LTTNG_ERR_UND`: Unknown or unsupported command, or a domain that the command does not serve.
        Und = 12,
        /// `LTTNG_ERR_SESSION_STARTED`: Not while (or after being) started.
        SessionStarted = 13,
        /// `LTTNG_ERR_UNKNOWN_DOMAIN`: Domain not usable here.
        UnknownDomain = 14,
        /// `LTTNG_ERR_NOT_SUPPORTED`: Operation not supported.
        NotSupported = 15,
        /// `LTTNG_ERR_NO_SESSION`: No session.
        NoSession = 16,
        /// `LTTNG_ERR_CREATE_DIR_FAIL`: Directory creation failed.
        CreateDirFail = 17,
        /// `LTTNG_ERR_SESSION_FAIL`: Session creation failed.
        SessionFail = 18,
        /// `LTTNG_ERR_NO_SESSIOND`: Client side: cannot reach the daemon.
        NoSessiond = 19,
        /// `LTTNG_ERR_SET_URL`: Bad output URL / path.
        SetUrl = 20,
        /// `LTTNG_ERR_URL_EXIST`: URL already set.
        UrlExist = 21,
        /// `LTTNG_ERR_BUFFER_NOT_SUPPORTED`: Buffer type not supported.
        BufferNotSupported = 22,
        /// `LTTNG_ERR_SESS_NOT_FOUND`: No session with this name.
        SessNotFound = 23,
        /// `LTTNG_ERR_BUFFER_TYPE_MISMATCH`: Buffer type differs from the session's.
        BufferTypeMismatch = 24,
        /// `LTTNG_ERR_FATAL`: Fatal error.
        Fatal = 25,
        /// `LTTNG_ERR_NOMEM`: Out of memory.
        Nomem = 26,
        /// `LTTNG_ERR_SELECT_SESS`: A session must be named.
        SelectSess = 27,
        /// `LTTNG_ERR_EXIST_SESS`: Session name in use.
        ExistSess = 28,
        /// `LTTNG_ERR_NO_EVENT`: No such event (kernel disable).
        NoEvent = 29,
        /// `LTTNG_ERR_CONNECT_FAIL`: Cannot connect to the given socket.
        ConnectFail = 30,
        /// `LTTNG_ERR_SNAPSHOT_OUTPUT_EXIST`: A snapshot output exists.
        SnapshotOutputExist = 31,
        /// `LTTNG_ERR_EPERM`: Not allowed.
        Eperm = 32,
        /// `LTTNG_ERR_KERN_NA`: Kernel tracer not available.
        KernNa = 33,
        /// `LTTNG_ERR_KERN_VERSION`: Kernel tracer version not compatible.
        KernVersion = 34,
        /// `LTTNG_ERR_KERN_EVENT_EXIST`: Kernel event rule exists and is enabled.
        KernEventExist = 35,
        /// `LTTNG_ERR_KERN_SESS_FAIL`: Kernel session creation failed.
        KernSessFail = 36,
        /// `LTTNG_ERR_KERN_CHAN_EXIST`: Kernel channel exists and is enabled.
        KernChanExist = 37,
        /// `LTTNG_ERR_KERN_CHAN_FAIL`: Kernel channel creation failed.
        KernChanFail = 38,
        /// `LTTNG_ERR_KERN_CHAN_NOT_FOUND`: No such kernel channel.
        KernChanNotFound = 39,
        /// `LTTNG_ERR_KERN_CHAN_DISABLE_FAIL`: A kernel channel could not be disabled.
        KernChanDisableFail = 40,
        /// `LTTNG_ERR_KERN_CHAN_ENABLE_FAIL`: A kernel channel could not be enabled.
        KernChanEnableFail = 41,
        /// `LTTNG_ERR_KERN_CONTEXT_FAIL`: Kernel context not added.
        KernContextFail = 42,
        /// `LTTNG_ERR_KERN_ENABLE_FAIL`: Kernel event enabling failed.
        KernEnableFail = 43,
        /// `LTTNG_ERR_KERN_DISABLE_FAIL`: Kernel event disabling failed.
        KernDisableFail = 44,
        /// `LTTNG_ERR_KERN_META_FAIL`: Kernel metadata stream failed.
        KernMetaFail = 45,
        /// `LTTNG_ERR_KERN_START_FAIL`: The kernel tracer could not be started.
        KernStartFail = 46,
        /// `LTTNG_ERR_KERN_STOP_FAIL`: The kernel tracer could not be stopped.
        KernStopFail = 47,
        /// `LTTNG_ERR_KERN_CONSUMER_FAIL`: Kernel consumer daemon not started.
        KernConsumerFail = 48,
        /// `LTTNG_ERR_KERN_STREAM_FAIL`: A kernel stream could not be opened.
        KernStreamFail = 49,
        /// `LTTNG_ERR_START_SESSION_ONCE`: The session must have been started once.
        StartSessionOnce = 50,
        /// `LTTNG_ERR_SNAPSHOT_FAIL`: Snapshot failed / no output.
        SnapshotFail = 51,
        /// `LTTNG_ERR_NO_STREAM`: Relay: index without stream.
        NoStream = 52,
        /// `LTTNG_ERR_KERN_LIST_FAIL`: Kernel listing failed.
        KernListFail = 53,
        /// `LTTNG_ERR_UST_CALIBRATE_FAIL`: Obsolete.
        UstCalibrateFail = 54,
        /// `LTTNG_ERR_UST_EVENT_ENABLED`: UST rule already enabled.
        UstEventEnabled = 55,
        /// `LTTNG_ERR_UST_SESS_FAIL`: UST session creation failed.
        UstSessFail = 56,
        /// `LTTNG_ERR_UST_CHAN_EXIST`: UST channel exists and is enabled.
        UstChanExist = 57,
        /// `LTTNG_ERR_UST_CHAN_FAIL`: UST channel creation failed.
        UstChanFail = 58,
        /// `LTTNG_ERR_UST_CHAN_NOT_FOUND`: No such UST channel.
        UstChanNotFound = 59,
        /// `LTTNG_ERR_UST_CHAN_DISABLE_FAIL`: A UST channel could not be disabled.
        UstChanDisableFail = 60,
        /// `LTTNG_ERR_UST_CHAN_ENABLE_FAIL`: A UST channel could not be enabled.
        UstChanEnableFail = 61,
        /// `LTTNG_ERR_CHAN_EXIST`: Channel exists.
        ChanExist = 62,
        /// `LTTNG_ERR_UST_ENABLE_FAIL`: UST rule enabling failed.
        UstEnableFail = 63,
        /// `LTTNG_ERR_UST_DISABLE_FAIL`: UST rule disabling failed.
        UstDisableFail = 64,
        /// `LTTNG_ERR_UST_META_FAIL`: UST metadata failed.
        UstMetaFail = 65,
        /// `LTTNG_ERR_UST_START_FAIL`: UST tracing could not be started.
        UstStartFail = 66,
        /// `LTTNG_ERR_UST_STOP_FAIL`: UST tracing could not be stopped.
        UstStopFail = 67,
        /// `LTTNG_ERR_UST_CONSUMER64_FAIL`: 64-bit UST consumer daemon not started.
        UstConsumer64Fail = 68,
        /// `LTTNG_ERR_UST_CONSUMER32_FAIL`: 32-bit UST consumer daemon not started.
        UstConsumer32Fail = 69,
        /// `LTTNG_ERR_UST_STREAM_FAIL`: UST stream failed.
        UstStreamFail = 70,
        /// `LTTNG_ERR_SNAPSHOT_NODATA`: Snapshot contains nothing.
        SnapshotNodata = 71,
        /// `LTTNG_ERR_NO_CHANNEL`: The session has no channel.
        NoChannel = 72,
        /// `LTTNG_ERR_SESSION_INVALID_CHAR`: Bad character in session name.
        SessionInvalidChar = 73,
        /// `LTTNG_ERR_UST_LIST_FAIL`: UST listing failed.
        UstListFail = 74,
        /// `LTTNG_ERR_UST_EVENT_EXIST`: The rule exists in an application.
        UstEventExist = 75,
        /// `LTTNG_ERR_UST_EVENT_NOT_FOUND`: No such UST rule.
        UstEventNotFound = 76,
        /// `LTTNG_ERR_UST_CONTEXT_EXIST`: UST context already present.
        UstContextExist = 77,
        /// `LTTNG_ERR_UST_CONTEXT_INVAL`: UST context not supported.
        UstContextInval = 78,
        /// `LTTNG_ERR_NEED_ROOT_SESSIOND`: Needs a root session daemon.
        NeedRootSessiond = 79,
        /// `LTTNG_ERR_TRACE_ALREADY_STARTED`: Already active, or refused because started once.
        TraceAlreadyStarted = 80,
        /// `LTTNG_ERR_TRACE_ALREADY_STOPPED`: Not active.
        TraceAlreadyStopped = 81,
        /// `LTTNG_ERR_KERN_EVENT_ENOSYS`: Event type not supported by the kernel.
        KernEventEnosys = 82,
        /// `LTTNG_ERR_NEED_CHANNEL_NAME`: A channel name is needed.
        NeedChannelName = 83,
        /// `LTTNG_ERR_NO_UST`: Built without UST.
        NoUst = 84,
        /// `LTTNG_ERR_SAVE_FILE_EXIST`: Configuration file exists.
        SaveFileExist = 85,
        /// `LTTNG_ERR_SAVE_IO_FAIL`: Writing the configuration failed.
        SaveIoFail = 86,
        /// `LTTNG_ERR_LOAD_INVALID_CONFIG`: Client side: invalid session configuration.
        LoadInvalidConfig = 87,
        /// `LTTNG_ERR_LOAD_IO_FAIL`: Client side: session configuration not readable.
        LoadIoFail = 88,
        /// `LTTNG_ERR_LOAD_SESSION_NOENT`: Client side: no session configuration found.
        LoadSessionNoent = 89,
        /// `LTTNG_ERR_MAX_SIZE_INVALID`: Snapshot maximum size too small.
        MaxSizeInvalid = 90,
        /// `LTTNG_ERR_MI_OUTPUT_TYPE`: Client side: machine interface output type.
        MiOutputType = 91,
        /// `LTTNG_ERR_MI_IO_FAIL`: Client side: machine interface output failed.
        MiIoFail = 92,
        /// `LTTNG_ERR_MI_NOT_IMPLEMENTED`: Client side: machine interface not implemented for this command.
        MiNotImplemented = 93,
        /// `LTTNG_ERR_INVALID`: Invalid parameter.
        Invalid = 97,
        /// `LTTNG_ERR_NO_USTCONSUMERD`: No UST consumer daemon.
        NoUstconsumerd = 98,
        /// `LTTNG_ERR_NO_KERNCONSUMERD`: No kernel consumer daemon.
        NoKernconsumerd = 99,
        /// `LTTNG_ERR_EVENT_EXIST_LOGLEVEL`: An event rule with another log level exists.
        EventExistLoglevel = 100,
        /// `LTTNG_ERR_URL_DATA_MISS`: Data URL missing.
        UrlDataMiss = 101,
        /// `LTTNG_ERR_URL_CTRL_MISS`: Control URL missing.
        UrlCtrlMiss = 102,
        /// `LTTNG_ERR_ENABLE_CONSUMER_FAIL`: A consumer daemon could not be enabled.
        EnableConsumerFail = 103,
        /// `LTTNG_ERR_RELAYD_CONNECT_FAIL`: Relay daemon not reachable / session refused.
        RelaydConnectFail = 104,
        /// `LTTNG_ERR_RELAYD_VERSION_FAIL`: Relay daemon not compatible.
        RelaydVersionFail = 105,
        /// `LTTNG_ERR_FILTER_INVAL`: Bad filter.
        FilterInval = 106,
        /// `LTTNG_ERR_FILTER_NOMEM`: No memory for a filter.
        FilterNomem = 107,
        /// `LTTNG_ERR_FILTER_EXIST`: The filter exists.
        FilterExist = 108,
        /// `LTTNG_ERR_NO_CONSUMER`: No consumer daemon.
        NoConsumer = 109,
        /// `LTTNG_ERR_EXCLUSION_INVAL`: Bad exclusion data.
        ExclusionInval = 110,
        /// `LTTNG_ERR_EXCLUSION_NOMEM`: No memory for the exclusions.
        ExclusionNomem = 111,
        /// `LTTNG_ERR_INVALID_EVENT_NAME`: Reserved or bad event name.
        InvalidEventName = 112,
        /// `LTTNG_ERR_INVALID_CHANNEL_NAME`: Bad channel name.
        InvalidChannelName = 113,
        /// `LTTNG_ERR_PROCESS_ATTR_EXISTS`: Value already tracked.
        ProcessAttrExists = 114,
        /// `LTTNG_ERR_PROCESS_ATTR_MISSING`: Value not tracked.
        ProcessAttrMissing = 115,
        /// `LTTNG_ERR_INVALID_CHANNEL_DOMAIN`: Channel belongs to another domain.
        InvalidChannelDomain = 116,
        /// `LTTNG_ERR_OVERFLOW`: Client side.
        Overflow = 117,
        /// `LTTNG_ERR_SESSION_NOT_STARTED`: Not active.
        SessionNotStarted = 118,
        /// `LTTNG_ERR_LIVE_SESSION`: Not for live sessions.
        LiveSession = 119,
        /// `LTTNG_ERR_PER_PID_SESSION`: Not for per-PID buffers.
        PerPidSession = 120,
        /// `LTTNG_ERR_KERN_CONTEXT_UNAVAILABLE`: Context absent in this kernel.
        KernContextUnavailable = 121,
        /// `LTTNG_ERR_REGEN_STATEDUMP_FAIL`: State dump regeneration failed.
        RegenStatedumpFail = 122,
        /// `LTTNG_ERR_REGEN_STATEDUMP_NOMEM`: No memory for a state dump regeneration.
        RegenStatedumpNomem = 123,
        /// `LTTNG_ERR_NOT_SNAPSHOT_SESSION`: Session has a trace output.
        NotSnapshotSession = 124,
        /// `LTTNG_ERR_INVALID_TRIGGER`: Malformed trigger, or the trigger of another user.
        InvalidTrigger = 125,
        /// `LTTNG_ERR_TRIGGER_EXISTS`: The trigger exists.
        TriggerExists = 126,
        /// `LTTNG_ERR_TRIGGER_NOT_FOUND`: No such trigger.
        TriggerNotFound = 127,
        /// `LTTNG_ERR_COMMAND_CANCELLED`: The command was cancelled.
        CommandCancelled = 128,
        /// `LTTNG_ERR_ROTATION_PENDING`: A rotation is ongoing.
        RotationPending = 129,
        /// `LTTNG_ERR_ROTATION_NOT_AVAILABLE`: Not for this kind of session.
        RotationNotAvailable = 130,
        /// `LTTNG_ERR_ROTATION_SCHEDULE_SET`: A rotation schedule of this type is set.
        RotationScheduleSet = 131,
        /// `LTTNG_ERR_ROTATION_SCHEDULE_NOT_SET`: No such rotation schedule is set.
        RotationScheduleNotSet = 132,
        /// `LTTNG_ERR_ROTATION_MULTIPLE_AFTER_STOP`: Already rotated since the stop.
        RotationMultipleAfterStop = 133,
        /// `LTTNG_ERR_ROTATION_WRONG_VERSION`: Kernel tracer too old.
        RotationWrongVersion = 134,
        /// `LTTNG_ERR_NO_SESSION_OUTPUT`: The session has no output.
        NoSessionOutput = 135,
        /// `LTTNG_ERR_ROTATION_NOT_AVAILABLE_RELAY`: Relay daemon too old.
        RotationNotAvailableRelay = 136,
        /// `LTTNG_ERR_AGENT_TRACING_DISABLED`: Agent thread not available.
        AgentTracingDisabled = 137,
        /// `LTTNG_ERR_PROBE_LOCATION_INVAL`: Unusable user space probe location.
        ProbeLocationInval = 138,
        /// `LTTNG_ERR_ELF_PARSING`: Client side: ELF file not readable.
        ElfParsing = 139,
        /// `LTTNG_ERR_SDT_PROBE_SEMAPHORE`: Client side: SDT probe with a semaphore.
        SdtProbeSemaphore = 140,
        /// `LTTNG_ERR_ROTATION_FAIL_CONSUMER`: A consumer daemon failed to rotate.
        RotationFailConsumer = 141,
        /// `LTTNG_ERR_ROTATE_RENAME_FAIL_CONSUMER`: A consumer daemon failed to rename after a rotation.
        RotateRenameFailConsumer = 142,
        /// `LTTNG_ERR_ROTATION_PENDING_LOCAL_FAIL_CONSUMER`: A consumer daemon could not tell whether a rotation is pending.
        RotationPendingLocalFailConsumer = 143,
        /// `LTTNG_ERR_ROTATION_PENDING_RELAY_FAIL_CONSUMER`: A consumer daemon could not tell whether a rotation is pending on the relay daemon.
        RotationPendingRelayFailConsumer = 144,
        /// `LTTNG_ERR_MKDIR_FAIL_CONSUMER`: A consumer daemon failed to make a directory.
        MkdirFailConsumer = 145,
        /// `LTTNG_ERR_CHAN_NOT_FOUND`: A consumer daemon does not know the channel.
        ChanNotFound = 146,
        /// `LTTNG_ERR_SNAPSHOT_UNSUPPORTED`: A channel is not MMAP.
        SnapshotUnsupported = 147,
        /// `LTTNG_ERR_SESSION_NOT_EXIST`: The session does not exist.
        SessionNotExist = 148,
        /// `LTTNG_ERR_CREATE_TRACE_CHUNK_FAIL_CONSUMER`: A consumer daemon refused a trace chunk.
        CreateTraceChunkFailConsumer = 149,
        /// `LTTNG_ERR_CLOSE_TRACE_CHUNK_FAIL_CONSUMER`: A consumer daemon failed to close a trace chunk.
        CloseTraceChunkFailConsumer = 150,
        /// `LTTNG_ERR_TRACE_CHUNK_EXISTS_FAIL_CONSUMER`: A consumer daemon failed to say whether a trace chunk exists.
        TraceChunkExistsFailConsumer = 151,
        /// `LTTNG_ERR_INVALID_PROTOCOL`: Malformed payload.
        InvalidProtocol = 152,
        /// `LTTNG_ERR_FILE_CREATION_ERROR`: A file could not be created.
        FileCreationError = 153,
        /// `LTTNG_ERR_TIMER_STOP_ERROR`: A timer could not be stopped.
        TimerStopError = 154,
        /// `LTTNG_ERR_ROTATION_NOT_AVAILABLE_KERNEL`: The kernel tracer has no packet sequence numbers.
        RotationNotAvailableKernel = 155,
        /// `LTTNG_ERR_CLEAR_RELAY_DISALLOWED`: The relay daemon does not allow clears.
        ClearRelayDisallowed = 156,
        /// `LTTNG_ERR_CLEAR_NOT_AVAILABLE_RELAY`: The relay daemon is too old to clear.
        ClearNotAvailableRelay = 157,
        /// `LTTNG_ERR_CLEAR_FAIL_CONSUMER`: A consumer daemon failed to clear.
        ClearFailConsumer = 158,
        /// `LTTNG_ERR_ROTATION_AFTER_STOP_CLEAR`: Already cleared since the stop, so there is nothing to rotate.
        RotationAfterStopClear = 159,
        /// `LTTNG_ERR_USER_NOT_FOUND`: No such user.
        UserNotFound = 160,
        /// `LTTNG_ERR_GROUP_NOT_FOUND`: No such group.
        GroupNotFound = 161,
        /// `LTTNG_ERR_UNSUPPORTED_DOMAIN`: Tracker domain.
        UnsupportedDomain = 162,
        /// `LTTNG_ERR_PROCESS_ATTR_TRACKER_INVALID_TRACKING_POLICY`: The tracking policy is not an inclusion set.
        ProcessAttrTrackerInvalidTrackingPolicy = 163,
        /// `LTTNG_ERR_EVENT_NOTIFIER_GROUP_NOTIFICATION_FD`: No notification descriptor for the event notifier group.
        EventNotifierGroupNotificationFd = 164,
        /// `LTTNG_ERR_INVALID_CAPTURE_EXPRESSION`: Bad capture expression.
        InvalidCaptureExpression = 165,
        /// `LTTNG_ERR_EVENT_NOTIFIER_REGISTRATION`: Event notifier registration failed.
        EventNotifierRegistration = 166,
        /// `LTTNG_ERR_EVENT_NOTIFIER_ERROR_ACCOUNTING`: Event notifier error accounting failed.
        EventNotifierErrorAccounting = 167,
        /// `LTTNG_ERR_EVENT_NOTIFIER_ERROR_ACCOUNTING_FULL`: Event notifier error accounting is full.
        EventNotifierErrorAccountingFull = 168,
        /// `LTTNG_ERR_INVALID_ERROR_QUERY_TARGET`: The error query's target is not valid.
        InvalidErrorQueryTarget = 169,
        /// `LTTNG_ERR_BUFFER_FLUSH_FAILED`: A buffer flush failed.
        BufferFlushFailed = 170,
    }
    /// The code with this number. 94 to 96 and everything outside 10..=170 have none.
    from_number;
    /// Every code, in the order of the numbers.
    ALL;
}
