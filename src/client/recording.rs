// SPDX-License-Identifier: GPL-2.0-only
//! Commands about the life of a session: start, stop, clear, destroy, and what goes on meanwhile.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c` and `clear.c`.

use lttng_protocol::client::ErrorCode;

use super::action::Nothing;
use super::desk::{DONE, Desk, Serving, answer, hold};
use crate::model::{BufferingScheme, Schedules};
use crate::operation::answer::{Answer, Failure};
use crate::operation::clear::Clear;
use crate::operation::data_pending::DataPending;
use crate::operation::destroy::Destroy;
use crate::operation::regenerate::Regenerate;
use crate::operation::start::Start;
use crate::operation::stop::Stop;
use crate::turn::ids::SessionId;

/// Starts recording.
pub fn start(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    let session = desk.session(id)?;
    let (kernel, applications) = (session.wanted.kernel.is_some(), session.wanted.ust.is_some());
    let scheduled = session.wanted.schedules != Schedules::default();
    if kernel && scheduled && !session.was_started() && !desk.state.tracer_abilities().rotation {
        Err(Failure::TracerTooOld.into())
    } else if session.is_active() {
        Err(ErrorCode::TraceAlreadyStarted.into())
    } else if session.recording.leaving().is_some() && session.recording.chunk().is_none() {
        Err(Failure::RotationPending.into())
    } else if !session.wanted.has_channels() {
        Err(ErrorCode::NoChannel.into())
    } else {
        if !session.was_started() {
            // Those that there were when it was created may have died, and the relay daemon's connections with them.
            let had_relay = session.recording.relay.is_some();
            if kernel {
                desk.want_kernel_consumer()?;
            }
            if applications {
                desk.want_consumers()?;
            }
            if had_relay {
                desk.want_relay(id)?;
            }
        }
        hold(id, Start::new(id))
    }
}

/// Stops recording.
pub fn stop(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    must_record(desk, id, ErrorCode::TraceAlreadyStopped)?;
    hold(id, Stop::new(id))
}

/// Ends a session.
pub fn destroy(_: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    hold(id, Destroy::new(id))
}

/// Tells whether data of a stopped session is still to be written.
pub fn data_pending(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    let session = desk.session(id)?;
    if session.is_active() {
        Err(ErrorCode::SessionStarted.into())
    } else if session.was_started() {
        hold(id, DataPending::new(id))
    } else {
        answer(Answer::DataPending(false))
    }
}

/// Throws away what was recorded. There is nothing to throw away before a session was started.
pub fn clear(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    if !desk.session(id)?.was_started() {
        return DONE;
    }
    if desk.state.relay_of(id).is_some_and(|(_, relay)| !relay.clear_allowed()) {
        return Err(ErrorCode::ClearNotAvailableRelay.into());
    }
    hold(id, Clear::new(id))
}

/// Has the metadata of a session start over.
pub fn regenerate_metadata(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    if desk.session(id)?.live_timer() > 0 {
        return Err(ErrorCode::LiveSession.into());
    }
    must_record(desk, id, ErrorCode::SessionNotStarted)?;
    if desk.session(id)?.scheme() == BufferingScheme::PerProcess {
        return Err(ErrorCode::PerPidSession.into());
    }
    desk.state.regenerate_metadata(id);
    if desk.session(id)?.wanted.kernel.is_some() {
        return hold(id, Regenerate::metadata(id));
    }
    DONE
}

/// Has applications record their state again.
pub fn regenerate_statedump(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    must_record(desk, id, ErrorCode::SessionNotStarted)?;
    desk.state.regenerate_statedump(id);
    if desk.session(id)?.wanted.kernel.is_some() {
        return hold(id, Regenerate::statedump(id));
    }
    desk.changed(id)
}

/// The session must record; `otherwise` is what the client is told if it does not.
fn must_record(desk: &Desk<'_>, id: SessionId, otherwise: ErrorCode) -> Result<(), ErrorCode> {
    if desk.session(id)?.is_active() { Ok(()) } else { Err(otherwise) }
}
