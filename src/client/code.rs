// SPDX-License-Identifier: GPL-2.0-only
//! What clients are told of failures: one code each.
//!
//! Codes: lttng-tools 2.13, `include/lttng/lttng-error.h`.

use lttng_protocol::client::ErrorCode;

use crate::kernel::refusal::{self, Asked};
use crate::model::BadOutput;
use crate::operation::answer::{Failure, Unsaved};
use crate::relayd::conversation::Refusal;

impl From<Failure> for ErrorCode {
    fn from(failure: Failure) -> ErrorCode {
        match failure {
            Failure::SessionGone => ErrorCode::SessNotFound,
            Failure::ConsumerLost | Failure::LossesUnknown | Failure::BuffersNotMade => ErrorCode::Unk,
            Failure::NotListed => ErrorCode::UstListFail,
            Failure::FolderNotMade => ErrorCode::CreateDirFail,
            Failure::ChunkRefused => ErrorCode::CreateTraceChunkFailConsumer,
            Failure::ChunkNotClosed => ErrorCode::CloseTraceChunkFailConsumer,
            Failure::ChannelsNotRotated => ErrorCode::RotationFailConsumer,
            Failure::NotCleared => ErrorCode::ClearFailConsumer,
            Failure::ClearDisallowed => ErrorCode::ClearRelayDisallowed,
            Failure::SnapshotFailed => ErrorCode::SnapshotFail,
            Failure::SnapshotTooSmall => ErrorCode::MaxSizeInvalid,
            Failure::ChannelUnknown => ErrorCode::ChanNotFound,
            Failure::NoOutput => ErrorCode::EnableConsumerFail,
            Failure::Relay(refusal) => refusal.into(),
            Failure::ErrorsUnknown => ErrorCode::EventNotifierErrorAccounting,
            Failure::Kernel(refusal) => of_tracer(refusal),
            Failure::NoSuchPlace => ErrorCode::ProbeLocationInval,
            Failure::NotSaved(why) => why.into(),
            Failure::NeverStarted => ErrorCode::StartSessionOnce,
            Failure::CanNotRotate => ErrorCode::RotationNotAvailable,
            Failure::RelayCanNotRotate => ErrorCode::RotationNotAvailableRelay,
            Failure::TracerTooOld => ErrorCode::RotationWrongVersion,
            Failure::TracerCanNotRotate => ErrorCode::RotationNotAvailableKernel,
            Failure::RotationPending => ErrorCode::RotationPending,
            Failure::RotatedSinceStop => ErrorCode::RotationMultipleAfterStop,
            Failure::ClearedSinceStop => ErrorCode::RotationAfterStopClear,
        }
    }
}

impl From<Unsaved> for ErrorCode {
    fn from(why: Unsaved) -> ErrorCode {
        match why {
            Unsaved::NoFolder => ErrorCode::SetUrl,
            Unsaved::Exists => ErrorCode::SaveFileExist,
            Unsaved::Denied => ErrorCode::Eperm,
            Unsaved::NotWritten => ErrorCode::SaveIoFail,
            Unsaved::Inexpressible => ErrorCode::Invalid,
            Unsaved::NoControl => ErrorCode::UrlCtrlMiss,
            Unsaved::NoData => ErrorCode::UrlDataMiss,
        }
    }
}

impl From<Refusal> for ErrorCode {
    fn from(refusal: Refusal) -> ErrorCode {
        match refusal {
            Refusal::Unreachable => ErrorCode::RelaydConnectFail,
            Refusal::Version => ErrorCode::RelaydVersionFail,
            Refusal::Session => ErrorCode::EnableConsumerFail,
            Refusal::Incomplete => ErrorCode::Fatal,
            Refusal::Address => ErrorCode::Invalid,
        }
    }
}

impl From<BadOutput> for ErrorCode {
    fn from(bad: BadOutput) -> ErrorCode {
        match bad {
            BadOutput::Invalid => ErrorCode::Invalid,
            BadOutput::Taken => ErrorCode::UrlExist,
        }
    }
}

/// What is said of a request that the kernel's tracer refused (lttng-tools 2.13: `src/bin/lttng-sessiond/kernel.c`,
/// `cmd.c`).
fn of_tracer(refusal::Refusal { asked, errno }: refusal::Refusal) -> ErrorCode {
    match (asked, errno) {
        (Asked::Session, _) => ErrorCode::KernSessFail,
        (Asked::Channel, _) => ErrorCode::KernChanFail,
        (Asked::EnableChannel, _) => ErrorCode::KernChanEnableFail,
        (Asked::DisableChannel, _) => ErrorCode::KernChanDisableFail,
        (Asked::Event | Asked::EnableNew, libc::EEXIST) => ErrorCode::KernEventExist,
        (Asked::Event, libc::ENOSYS) => ErrorCode::KernEventEnosys,
        (Asked::Filter, libc::ENOMEM) => ErrorCode::FilterNomem,
        (Asked::Filter, _) => ErrorCode::FilterInval,
        (Asked::Event | Asked::Callsite | Asked::Capture | Asked::EnableNew | Asked::EnableEvent, _) => {
            ErrorCode::KernEnableFail
        }
        (Asked::DisableEvent, _) => ErrorCode::KernDisableFail,
        (Asked::Context, libc::ENOSYS) => ErrorCode::KernContextUnavailable,
        (Asked::Context, _) => ErrorCode::KernContextFail,
        (Asked::Track, libc::EINVAL) => ErrorCode::Invalid,
        (Asked::Track, libc::ENOMEM) => ErrorCode::Nomem,
        (Asked::Track, libc::EEXIST) => ErrorCode::ProcessAttrExists,
        (Asked::Track, libc::ENOENT) => ErrorCode::ProcessAttrMissing,
        (Asked::Track | Asked::MetadataAgain | Asked::Change, _) => ErrorCode::Unk,
        (Asked::Metadata, _) => ErrorCode::KernMetaFail,
        (Asked::Stream, _) => ErrorCode::KernStreamFail,
        (Asked::Handover | Asked::Start, _) => ErrorCode::KernStartFail,
        (Asked::Stop, _) => ErrorCode::KernStopFail,
        (Asked::StateDump, libc::ENOMEM) => ErrorCode::RegenStatedumpNomem,
        (Asked::StateDump, _) => ErrorCode::RegenStatedumpFail,
        (Asked::Listing, _) => ErrorCode::KernListFail,
    }
}
