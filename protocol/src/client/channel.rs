// SPDX-License-Identifier: GPL-2.0-only
//! Channels as clients send and list them.
//!
//! The attributes are what the client asks for; whether they make sense together is not decided here.
//!
//! Source: `lttng-tools 2.13.5: include/lttng/channel-internal.h` and `src/common/channel.c`.

use serde::{Deserialize, Serialize};

use super::header::bad_value;
use super::text;
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;

numbered! {
    /// How a consumer daemon takes data out of a ring buffer. `enum lttng_event_output`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum ChannelOutput: u8 {
        /// `splice()`; kernel only.
        Splice = 0,
        /// `mmap()`.
        Mmap = 1,
    }
    /// The way with this number.
    from_number;
}

numbered! {
    /// What happens when a ring buffer is full.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Overwrite: i8 {
        /// Overwrite in a snapshot session, else discard. Clients only.
        SessionDefault = -1,
        /// New events are dropped.
        Discard = 0,
        /// The oldest sub-buffer is overwritten.
        Overwrite = 1,
    }
    /// The behaviour with this number.
    from_number;
}

/// A serialized channel: 83 bytes, then the name.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | length of the name, NUL included |
/// | 4 | u8 | `enabled` |
/// | 5 | i8 | `overwrite` |
/// | 6 | u64 | `subbuf_size` |
/// | 14 | u64 | `num_subbuf` |
/// | 22 | u32 | `switch_timer` |
/// | 26 | u32 | `read_timer` |
/// | 30 | u8 | `output` |
/// | 31 | u64 | `tracefile_size` |
/// | 39 | u64 | `tracefile_count` |
/// | 47 | u32 | `live_timer` |
/// | 51 | u64 | `discarded_events` |
/// | 59 | u64 | `lost_packets` |
/// | 67 | u64 | `monitor_timer` |
/// | 75 | i64 | `blocking_timeout` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The name; empty means the default channel. At most 254 bytes.
    pub name: String,
    /// Whether the channel is enabled. Clients send what the caller's structure held.
    pub enabled: bool,
    /// What happens when a ring buffer is full.
    pub overwrite: Overwrite,
    /// Bytes of a sub-buffer.
    pub subbuf_size: u64,
    /// Sub-buffers per ring buffer.
    pub num_subbuf: u64,
    /// Period of the switch timer, microseconds; 0 is off.
    pub switch_timer: u32,
    /// Period of the read timer, microseconds; 0 is off.
    pub read_timer: u32,
    /// How data is taken out.
    pub output: ChannelOutput,
    /// Bytes after which a new trace file is begun; 0 is never.
    pub tracefile_size: u64,
    /// Trace files that are kept; 0 is all.
    pub tracefile_count: u64,
    /// Period of the live timer, microseconds. The stock command sends `u32::MAX` outside live sessions.
    pub live_timer: u32,
    /// Events dropped so far (listings only).
    pub discarded_events: u64,
    /// Packets overwritten so far (listings only).
    pub lost_packets: u64,
    /// Period of the monitor timer, microseconds; 0 is off.
    pub monitor_timer: u64,
    /// How long a tracepoint may wait for room, microseconds; 0 is not at all, -1 for ever.
    pub blocking_timeout: i64,
}

impl Channel {
    /// Longest name, its NUL included.
    pub const NAME_LEN: usize = 255;

    /// Reads one channel.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Channel> {
        let name_len = reader.u32()?;
        if name_len as usize > Channel::NAME_LEN {
            return Err(reader.error(ErrorKind::TooLong(name_len.into())));
        }
        let enabled = reader.u8()? != 0;
        let overwrite = reader.i8()?;
        let overwrite = Overwrite::from_number(overwrite).ok_or_else(|| bad_value(reader, overwrite))?;
        let subbuf_size = reader.u64()?;
        let num_subbuf = reader.u64()?;
        let switch_timer = reader.u32()?;
        let read_timer = reader.u32()?;
        let output = reader.u8()?;
        let output = ChannelOutput::from_number(output).ok_or_else(|| bad_value(reader, output))?;
        Ok(Channel {
            enabled,
            overwrite,
            subbuf_size,
            num_subbuf,
            switch_timer,
            read_timer,
            output,
            tracefile_size: reader.u64()?,
            tracefile_count: reader.u64()?,
            live_timer: reader.u32()?,
            discarded_events: reader.u64()?,
            lost_packets: reader.u64()?,
            monitor_timer: reader.u64()?,
            blocking_timeout: reader.i64()?,
            name: text::name(reader, name_len, Channel::NAME_LEN)?,
        })
    }

    /// Appends the channel. A list is channels back to back.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u32(text::wire_len(&self.name)).u8(self.enabled.into()).i8(self.overwrite.number());
        writer.u64(self.subbuf_size).u64(self.num_subbuf);
        writer.u32(self.switch_timer).u32(self.read_timer).u8(self.output.number());
        writer.u64(self.tracefile_size).u64(self.tracefile_count).u32(self.live_timer);
        writer.u64(self.discarded_events).u64(self.lost_packets);
        writer.u64(self.monitor_timer).i64(self.blocking_timeout).c_string(&self.name);
    }
}
