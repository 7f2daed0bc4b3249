// SPDX-License-Identifier: GPL-2.0-only
//! Enabling and disabling channels. Those of the kernel: `kernel/channel.rs`.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c` and `channel.c`.

use lttng_protocol::client::ErrorCode;

use super::action::{ChannelName, EnableChannel};
use super::desk::{Desk, Serving};
use super::kernel;
use crate::model::wanted::channel_name;
use crate::model::{Attributes, BufferingScheme, Channel, Domain, UstDomain};
use crate::turn::ids::{ChannelId, SessionId};

/// Name of the channel that carries the metadata; users can't have one of that name.
const METADATA: &str = "metadata";

/// Bytes that the name of a file may have, and what it has after the channel's name at least: a CPU, a file's number if
/// there are several, and the ending of its index.
const FILE_NAME: usize = 255;
const ENDING: &str = "_0.idx";
const NUMBERED_ENDING: &str = "_0_0.idx";

/// Creates a channel, or enables one that exists.
pub fn enable(desk: &mut Desk<'_>, id: SessionId, wanted: EnableChannel) -> Serving {
    if desk.domain == Some(Domain::Kernel) {
        return kernel::channel::enable(desk, id, wanted);
    }
    if let Some(domain) = desk.logger_domain() {
        if wanted.name != domain.channel() {
            return Err(ErrorCode::InvalidChannelName.into());
        }
    } else {
        desk.only_in(Domain::UserSpace, ErrorCode::UnknownDomain)?;
    }
    enable_or_make(desk, id, wanted)?;
    desk.changed(id)
}

fn enable_or_make(desk: &mut Desk<'_>, id: SessionId, wanted: EnableChannel) -> Result<(), ErrorCode> {
    let page = desk.state.settings.page_size;
    let session = desk.session_mut(id)?;
    check_name(&wanted.name, wanted.attributes.tracefile_size > 0)?;
    let for_snapshots = session.is_snapshot();
    let live = session.live_timer() > 0;
    let started = session.was_started();
    let next = session.wanted.next_channel();
    let ust = session.wanted.ust.get_or_insert_with(UstDomain::default);
    match ust.find_mut(&wanted.name) {
        Some(channel) if channel.enabled => return Err(ErrorCode::UstChanExist),
        Some(channel) => {
            channel.enabled = true;
            return Ok(());
        }
        None => {}
    }
    if started {
        return Err(ErrorCode::TraceAlreadyStarted);
    }
    ust.named_channel |= !wanted.name.is_empty();
    let mut attributes = check(&wanted, for_snapshots, page)?;
    if live {
        // Readers are served by the live timer.
        attributes.switch_timer = 0;
    }
    fix_scheme(ust, wanted.scheme.ok_or(ErrorCode::BufferNotSupported)?)?;
    if wanted.name != METADATA {
        add(ust, next, &wanted.name, attributes);
    }
    Ok(())
}

/// Disables a channel, which may be disabled already.
pub fn disable(desk: &mut Desk<'_>, id: SessionId, ChannelName(name): ChannelName) -> Serving {
    if desk.domain == Some(Domain::Kernel) {
        return kernel::channel::disable(desk, id, &name);
    }
    desk.only_in(Domain::UserSpace, ErrorCode::UnknownDomain)?;
    find(desk, id, &name)?.enabled = false;
    desk.changed(id)
}

/// Makes sure that a channel exists, as `need` does, and changes something in it. When that is refused, the channel goes
/// again if it was made for that, and with it what its name and its scheme would have fixed for later ones.
pub fn with_channel<T>(
    desk: &mut Desk<'_>,
    id: SessionId,
    scheme: Option<Option<BufferingScheme>>,
    name: &str,
    change: impl FnOnce(&mut Desk<'_>) -> Result<T, ErrorCode>,
) -> Result<T, ErrorCode> {
    let fixed = |ust: &UstDomain| (ust.named_channel, ust.scheme, ust.scheme_fixed);
    let existed = find(desk, id, name).is_ok();
    let before = desk.session(id)?.wanted.ust.as_ref().map_or(fixed(&UstDomain::default()), fixed);
    need(desk, id, scheme, name)?;
    let result = change(desk);
    if result.is_err()
        && !existed
        && let Some(ust) = &mut desk.session_mut(id)?.wanted.ust
    {
        ust.channels.pop();
        (ust.named_channel, ust.scheme, ust.scheme_fixed) = before;
    }
    result
}

/// Makes sure that the channel for an event rule or context exists. Without a `scheme`, a new one is of the session's
/// kind; an inner `None` is a kind that user space does not have.
fn need(
    desk: &mut Desk<'_>,
    id: SessionId,
    scheme: Option<Option<BufferingScheme>>,
    name: &str,
) -> Result<(), ErrorCode> {
    let page = desk.state.settings.page_size;
    let session = desk.session_mut(id)?;
    let for_snapshots = session.is_snapshot();
    let started = session.was_started();
    let next = session.wanted.next_channel();
    let ust = session.wanted.ust.get_or_insert_with(UstDomain::default);
    if ust.find(name).is_some() {
        return Ok(());
    }
    check_name(name, false)?;
    if started {
        return Err(ErrorCode::TraceAlreadyStarted);
    }
    if name == METADATA {
        return Err(ErrorCode::InvalidChannelName);
    }
    ust.named_channel |= !name.is_empty();
    let scheme = scheme.map_or(Ok(ust.scheme), |scheme| scheme.ok_or(ErrorCode::BufferNotSupported))?;
    fix_scheme(ust, scheme)?;
    add(ust, next, name, Attributes::default_for(scheme, for_snapshots, page));
    Ok(())
}

/// A channel by its name.
pub fn find<'a>(desk: &'a mut Desk<'_>, id: SessionId, name: &str) -> Result<&'a mut Channel, ErrorCode> {
    let ust: Option<&mut UstDomain> = desk.session_mut(id)?.wanted.ust.as_mut();
    ust.and_then(|ust| ust.find_mut(name)).ok_or(ErrorCode::UstChanNotFound)
}

/// The name becomes part of file names. One for which no consumer daemon can make files is never recorded.
pub(super) fn check_name(name: &str, numbered: bool) -> Result<(), ErrorCode> {
    let ending = if numbered { NUMBERED_ENDING } else { ENDING };
    let fits = name.len().saturating_add(ending.len()) <= FILE_NAME;
    if name.starts_with('.') || name.contains('/') || !fits {
        return Err(ErrorCode::InvalidChannelName);
    }
    Ok(())
}

fn add(ust: &mut UstDomain, id: ChannelId, name: &str, attributes: Attributes) {
    let name = channel_name(name).to_owned();
    let (contexts, rules) = (Vec::new(), Vec::new());
    ust.channels.push(Channel { id, name, enabled: true, attributes, contexts, rules });
}

/// The first channel decides who shares buffers in a session.
fn fix_scheme(ust: &mut UstDomain, scheme: BufferingScheme) -> Result<(), ErrorCode> {
    if ust.scheme_fixed && ust.scheme != scheme {
        return Err(ErrorCode::BufferTypeMismatch);
    }
    (ust.scheme, ust.scheme_fixed) = (scheme, true);
    Ok(())
}

/// Channels of a session `for_snapshots` keep the newest data, and are never spliced, whatever the client says.
fn check(wanted: &EnableChannel, for_snapshots: bool, page: u64) -> Result<Attributes, ErrorCode> {
    let overwrite = wanted.overwrite.unwrap_or(for_snapshots);
    let attributes = Attributes { overwrite, ..wanted.attributes.clone() };
    if overwrite && attributes.num_subbuf < 2 {
        return Err(ErrorCode::Invalid);
    }
    if !attributes.subbuf_size.is_power_of_two()
        || attributes.subbuf_size < page
        || !attributes.num_subbuf.is_power_of_two()
    {
        return Err(ErrorCode::Invalid);
    }
    if wanted.spliced && !for_snapshots {
        return Err(ErrorCode::NotSupported);
    }
    if attributes.tracefile_size > 0 && attributes.tracefile_size < attributes.subbuf_size {
        return Err(ErrorCode::Invalid);
    }
    Ok(attributes)
}
