// SPDX-License-Identifier: GPL-2.0-only
//! What clients are told of failures: one code each.
//!
//! Codes: lttng-tools 2.13, `include/lttng/lttng-error.h`.

use lttng_protocol::client::ErrorCode;

use crate::model::BadOutput;
use crate::operation::answer::Failure;
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
            Failure::NeverStarted => ErrorCode::StartSessionOnce,
            Failure::CanNotRotate => ErrorCode::RotationNotAvailable,
            Failure::RelayCanNotRotate => ErrorCode::RotationNotAvailableRelay,
            Failure::RotationPending => ErrorCode::RotationPending,
            Failure::RotatedSinceStop => ErrorCode::RotationMultipleAfterStop,
            Failure::ClearedSinceStop => ErrorCode::RotationAfterStopClear,
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
