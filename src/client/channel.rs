// SPDX-License-Identifier: GPL-2.0-only
//! Enabling and disabling user space channels.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c` and `channel.c`.

use lttng_protocol::client::{self, BufferType, ChannelOutput, ErrorCode, Overwrite};

use crate::daemon::Daemon;
use crate::model::session::channel_name;
use crate::model::{Attributes, BufferingScheme, Channel, SessionId, UstDomain};

/// Begins the names of channels that belong to agent domains.
const AGENT_CHANNELS: [&str; 3] = ["lttng_jul_channel", "lttng_log4j_channel", "lttng_python_channel"];
/// Name of the channel that carries the metadata; users can't have one of that name.
const METADATA: &str = "metadata";

impl Daemon {
    /// Creates a channel, or enables one that exists.
    pub(super) fn enable_channel(
        &mut self,
        id: SessionId,
        buffer_type: u32,
        wanted: &client::Channel,
    ) -> Result<(), ErrorCode> {
        let page = self.settings.page_size;
        let session = self.model.get_mut(id).ok_or(ErrorCode::SessNotFound)?;
        check_name(&wanted.name)?;
        let for_snapshots = session.is_snapshot();
        let live = session.live_timer() > 0;
        let ust = session.ust.get_or_insert_with(UstDomain::default);
        match ust.find_mut(&wanted.name) {
            Some(channel) if channel.enabled => return Err(ErrorCode::UstChanExist),
            Some(channel) => {
                channel.enabled = true;
                return Ok(());
            }
            None => {}
        }
        if session.started {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        ust.named_channel |= !wanted.name.is_empty();
        if AGENT_CHANNELS.contains(&wanted.name.as_str()) {
            return Err(ErrorCode::AgentTracingDisabled);
        }
        let mut attributes = check(wanted, for_snapshots, page)?;
        if live {
            // Readers are served by the live timer.
            attributes.switch_timer = 0;
        }
        fix_scheme(ust, scheme(buffer_type)?)?;
        if wanted.name != METADATA {
            add_channel(ust, &wanted.name, attributes);
        }
        Ok(())
    }

    /// Disables a channel, which may be disabled already.
    pub(super) fn disable_channel(&mut self, id: SessionId, name: &str) -> Result<(), ErrorCode> {
        let session = self.model.get_mut(id).ok_or(ErrorCode::SessNotFound)?;
        let channel = session.ust.as_mut().and_then(|ust| ust.find_mut(name));
        channel.ok_or(ErrorCode::UstChanNotFound)?.enabled = false;
        Ok(())
    }

    /// Makes sure that the channel for an event rule or context exists. Without `buffer_type`, a new one is of the
    /// session's kind.
    pub(super) fn need_channel(
        &mut self,
        id: SessionId,
        buffer_type: Option<u32>,
        name: &str,
    ) -> Result<(), ErrorCode> {
        let page = self.settings.page_size;
        let session = self.model.get_mut(id).ok_or(ErrorCode::SessNotFound)?;
        let for_snapshots = session.is_snapshot();
        let ust = session.ust.get_or_insert_with(UstDomain::default);
        if ust.find(name).is_some() {
            return Ok(());
        }
        check_name(name)?;
        if session.started {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        ust.named_channel |= !name.is_empty();
        let scheme = buffer_type.map_or(Ok(ust.scheme), scheme)?;
        fix_scheme(ust, scheme)?;
        add_channel(ust, name, Attributes::default_for(scheme, for_snapshots, page));
        Ok(())
    }
}

/// The name becomes part of file names.
fn check_name(name: &str) -> Result<(), ErrorCode> {
    if name.starts_with('.') || name.contains('/') {
        return Err(ErrorCode::InvalidChannelName);
    }
    Ok(())
}

fn add_channel(ust: &mut UstDomain, name: &str, attributes: Attributes) {
    let id = ust.next_channel();
    let name = channel_name(name).to_owned();
    let (contexts, rules) = (Vec::new(), Vec::new());
    ust.channels.push(Channel { id, name, enabled: true, attributes, contexts, rules });
}

fn scheme(buffer_type: u32) -> Result<BufferingScheme, ErrorCode> {
    match BufferType::from_number(buffer_type) {
        Some(BufferType::PerUid) => Ok(BufferingScheme::PerUser),
        Some(BufferType::PerPid) => Ok(BufferingScheme::PerProcess),
        Some(BufferType::Global) | None => Err(ErrorCode::BufferNotSupported),
    }
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
fn check(wanted: &client::Channel, for_snapshots: bool, page: u64) -> Result<Attributes, ErrorCode> {
    let overwrite = match wanted.overwrite {
        Overwrite::SessionDefault => for_snapshots,
        Overwrite::Discard => false,
        Overwrite::Overwrite => true,
    };
    if overwrite && wanted.num_subbuf < 2 {
        return Err(ErrorCode::Invalid);
    }
    if !wanted.subbuf_size.is_power_of_two()
        || wanted.subbuf_size < page
        || !wanted.num_subbuf.is_power_of_two()
    {
        return Err(ErrorCode::Invalid);
    }
    if wanted.output != ChannelOutput::Mmap && !for_snapshots {
        return Err(ErrorCode::NotSupported);
    }
    if wanted.tracefile_size > 0 && wanted.tracefile_size < wanted.subbuf_size {
        return Err(ErrorCode::Invalid);
    }
    Ok(Attributes {
        overwrite,
        subbuf_size: wanted.subbuf_size,
        num_subbuf: wanted.num_subbuf,
        switch_timer: wanted.switch_timer,
        read_timer: wanted.read_timer,
        monitor_timer: wanted.monitor_timer,
        tracefile_size: wanted.tracefile_size,
        tracefile_count: wanted.tracefile_count,
        blocking_timeout: wanted.blocking_timeout,
    })
}
