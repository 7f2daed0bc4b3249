// SPDX-License-Identifier: GPL-2.0-only
//! The ring buffers of a channel.
//!
//! The tracer knows neither a channel's name nor the timers of the consumer daemon. Whether sizes fit is for it to
//! say.

use serde::{Deserialize, Serialize};

use crate::client::ChannelOutput;
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// A channel, of events or of metadata, 320 bytes:
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 8 | `subbuf_size` |
/// | 8 | 8 | `num_subbuf` |
/// | 16 | 4 | `switch_timer` |
/// | 20 | 4 | `read_timer` |
/// | 24 | 4 | `output` |
/// | 28 | 4 | `overwrite` |
/// | 32 | 288 | padding |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Channel {
    /// Bytes of a sub-buffer.
    pub subbuf_size: u64,
    /// Sub-buffers of each CPU's ring buffer.
    pub num_subbuf: u64,
    /// Microseconds; 0 is off.
    pub switch_timer: u32,
    /// Microseconds; 0 is off.
    pub read_timer: u32,
    /// How the consumer daemon takes data out.
    pub output: ChannelOutput,
    /// Whether the oldest sub-buffer makes room for new events.
    pub overwrite: bool,
}

impl Channel {
    /// Size in bytes.
    pub const LEN: usize = 320;

    /// The metadata channel: two sub-buffers of 4096 bytes, or of a page where that is more.
    pub fn metadata(page_size: u64) -> Self {
        Channel {
            subbuf_size: page_size.max(4096),
            num_subbuf: 2,
            switch_timer: 0,
            read_timer: 0,
            output: ChannelOutput::Mmap,
            overwrite: false,
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let (subbuf_size, num_subbuf) = (reader.u64()?, reader.u64()?);
        let (switch_timer, read_timer) = (reader.u32()?, reader.u32()?);
        let bad = |reader: &Reader<'_>, value: u32| reader.error(ErrorKind::BadValue(value.into()));
        let output = reader.u32()?;
        let output = u8::try_from(output)
            .ok()
            .and_then(ChannelOutput::from_number)
            .ok_or_else(|| bad(reader, output))?;
        let overwrite = match reader.u32()? {
            0 => false,
            1 => true,
            other => return Err(bad(reader, other)),
        };
        reader.seek(Self::LEN)?;
        Ok(Channel { subbuf_size, num_subbuf, switch_timer, read_timer, output, overwrite })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u64(self.subbuf_size).u64(self.num_subbuf).u32(self.switch_timer).u32(self.read_timer);
        writer.u32(self.output.number().into()).u32(self.overwrite.into()).pad_to(Self::LEN);
    }
}
