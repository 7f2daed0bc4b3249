// SPDX-License-Identifier: GPL-2.0-only
//! Enabling and disabling kernel channels. Whether buffers of that size can be had is for the tracer to say.

use lttng_protocol::client::ErrorCode;

use super::change;
use crate::client::action::EnableChannel;
use crate::client::channel::check_name;
use crate::client::desk::{Desk, Serving};
use crate::model::wanted::channel_name;
use crate::model::{Attributes, KernelChannel, KernelDomain, Transfer};
use crate::operation::answer::Failure;
use crate::turn::ids::{ChannelId, SessionId};

/// What decides how a channel of a session is made.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// The number that it gets.
    pub next: ChannelId,
    /// The session was started: it gets no more channels.
    pub started: bool,
    /// Whether its channels overwrite old data unless a client says otherwise.
    pub overwrites: bool,
    /// Snapshots may be recorded: data that is spliced can't be had twice.
    pub mapped: bool,
    /// Period of the session's live timer, microseconds; 0 when it is no live session.
    pub live_timer: u32,
    /// Whether the tracer can be asked how full buffers are.
    pub positions: bool,
    /// Bytes of a page.
    pub page: u64,
}

impl Surroundings {
    /// How it is in this session.
    pub fn of(desk: &Desk<'_>, id: SessionId) -> Result<Self, Failure> {
        let session = desk.session(id)?;
        Ok(Surroundings {
            next: session.wanted.next_channel(),
            started: session.was_started(),
            overwrites: session.is_snapshot(),
            mapped: session.is_snapshot() || !session.wanted.snapshot_outputs.is_empty(),
            live_timer: session.live_timer(),
            positions: desk.state.tracer_abilities().positions,
            page: desk.state.settings.page_size,
        })
    }
}

/// Creates a channel, or enables one that exists.
pub fn enable(desk: &mut Desk<'_>, id: SessionId, wanted: EnableChannel) -> Serving {
    let around = Surroundings::of(desk, id)?;
    change(desk, id, |kernel| enable_or_make(kernel, &around, wanted).map(|()| None))
}

/// Disables a channel, which may be disabled already.
pub fn disable(desk: &mut Desk<'_>, id: SessionId, name: &str) -> Serving {
    change(desk, id, |kernel| {
        find(kernel, name)?.enabled = false;
        Ok(None)
    })
}

/// A channel by its name.
pub fn find<'a>(kernel: &'a mut KernelDomain, name: &str) -> Result<&'a mut KernelChannel, ErrorCode> {
    kernel.find_mut(name).ok_or(ErrorCode::KernChanNotFound)
}

/// Creates a channel of which a client says how it is to be, or enables one that exists, however that is.
pub fn enable_or_make(
    kernel: &mut KernelDomain,
    around: &Surroundings,
    wanted: EnableChannel,
) -> Result<(), ErrorCode> {
    check_name(&wanted.name, wanted.attributes.tracefile_size > 0)?;
    match kernel.find_mut(&wanted.name) {
        Some(channel) if channel.enabled => Err(ErrorCode::KernChanExist),
        Some(channel) => {
            channel.enabled = true;
            Ok(())
        }
        None => make(kernel, around, wanted, true),
    }
}

/// Makes sure that the channel for an event rule or context exists.
pub fn need(kernel: &mut KernelDomain, around: &Surroundings, name: &str) -> Result<(), ErrorCode> {
    check_name(name, false)?;
    if kernel.find(name).is_some() {
        return Ok(());
    }
    let usual = EnableChannel {
        name: name.to_owned(),
        scheme: None,
        overwrite: None,
        spliced: true,
        live_timer: 0,
        attributes: Attributes::default_of_kernel(around.overwrites, around.page),
    };
    make(kernel, around, usual, false)
}

/// Adds a channel, which is listed as disabled for good unless it was `asked` for.
fn make(
    kernel: &mut KernelDomain,
    around: &Surroundings,
    wanted: EnableChannel,
    asked: bool,
) -> Result<(), ErrorCode> {
    if around.started {
        return Err(ErrorCode::TraceAlreadyStarted);
    }
    let EnableChannel { name, overwrite, spliced, live_timer, attributes, .. } = wanted;
    let overwrite = overwrite.unwrap_or(around.overwrites);
    if (overwrite && attributes.num_subbuf < 2) || attributes.blocking_timeout != 0 {
        return Err(ErrorCode::Invalid);
    }
    let live = around.live_timer > 0;
    let attributes = Attributes {
        overwrite,
        // Readers of a live session are served by the live timer.
        switch_timer: if live { 0 } else { attributes.switch_timer },
        monitor_timer: if around.positions { attributes.monitor_timer } else { 0 },
        ..attributes
    };
    kernel.named_channel |= !name.is_empty();
    kernel.channels.push(KernelChannel {
        id: around.next,
        name: channel_name(&name).to_owned(),
        enabled: true,
        listed_enabled: asked,
        attributes,
        live_timer: if live { around.live_timer } else { live_timer },
        transfer: if spliced && !around.mapped { Transfer::Splice } else { Transfer::Mmap },
        contexts: Vec::new(),
        rules: Vec::new(),
    });
    Ok(())
}
