// SPDX-License-Identifier: GPL-2.0-only
//! Where trace data goes: `struct lttng_uri`.
//!
//! Addresses are text; the client library has resolved host names already. Nothing here looks one up.
//!
//! Source: `lttng-tools 2.13: src/common/uri.h`.

use super::header::bad_value;
use super::text::PATH_LEN;
use crate::codec::{Reader, Result, Writer};
use crate::numbered::numbered;

/// What a URI points at. The number on the wire is `enum lttng_dst_type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An IPv4 address, dotted. At most 15 bytes.
    Ipv4(String),
    /// An IPv6 address without brackets. At most 45 bytes.
    Ipv6(String),
    /// A path of this machine. At most 4095 bytes.
    Path(String),
}

numbered! {
    /// Which of the two connections to a relay daemon. `enum lttng_stream_type`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum StreamType: u32 {
        /// Commands and metadata. Also what a path has.
        Control = 0,
        /// Trace data.
        Data = 1,
    }
    /// The connection with this number.
    from_number;
}

impl StreamType {
    /// The port of a relay daemon when none is given.
    pub fn default_port(self) -> u16 {
        match self {
            StreamType::Control => 5342,
            StreamType::Data => 5343,
        }
    }
}

/// `struct lttng_uri`, 8210 bytes.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 4 | destination type: 1 IPv4, 2 IPv6, 3 path |
/// | 4 | 4 | 0 |
/// | 8 | 4 | stream type: 0 control, 1 data |
/// | 12 | 4 | protocol: 1 (TCP) for addresses, 0 for paths; ignored when decoded |
/// | 16 | 2 | port, in the machine's byte order |
/// | 18 | 4096 | sub-directory |
/// | 4114 | 4096 | address or path |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    /// Address or path.
    pub destination: Destination,
    /// Which connection the URI is for.
    pub stream: StreamType,
    /// TCP port; 0 means the default of the stream type.
    pub port: u16,
    /// Directory below the relay daemon's output, without leading `/`. At most 4095 bytes.
    pub subdir: String,
}

impl Uri {
    /// Size on the wire.
    pub const LEN: usize = 8210;

    /// The URI of a local path, as the client library makes it.
    pub fn path(path: &str) -> Uri {
        Uri {
            destination: Destination::Path(path.to_owned()),
            stream: StreamType::Control,
            port: 0,
            subdir: String::new(),
        }
    }

    /// The URL that listings show: `tcp4://ADDRESS:PORT/SUBDIR`, `tcp6://[ADDRESS]:PORT/SUBDIR`, or a bare path.
    pub fn to_url(&self) -> String {
        match &self.destination {
            Destination::Ipv4(address) => format!("tcp4://{address}:{}/{}", self.port, self.subdir),
            Destination::Ipv6(address) => format!("tcp6://[{address}]:{}/{}", self.port, self.subdir),
            Destination::Path(path) => path.clone(),
        }
    }

    /// Reads one URI. Fails on an unknown destination or stream type and on text that is not UTF-8.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Uri> {
        let kind = reader.u32()?;
        reader.skip(4)?;
        let stream = reader.u32()?;
        let stream = StreamType::from_number(stream).ok_or_else(|| bad_value(reader, stream))?;
        reader.skip(4)?;
        let port = reader.u16()?;
        let subdir = reader.fixed_string(PATH_LEN)?;
        let end = reader.offset().saturating_add(PATH_LEN);
        let destination = match kind {
            1 => Destination::Ipv4(reader.fixed_string(16)?),
            2 => Destination::Ipv6(reader.fixed_string(46)?),
            3 => Destination::Path(reader.fixed_string(PATH_LEN)?),
            other => return Err(bad_value(reader, other)),
        };
        reader.seek(end)?;
        Ok(Uri { destination, stream, port, subdir })
    }

    /// Appends [`Uri::LEN`] bytes.
    pub fn encode(&self, writer: &mut Writer) {
        let (kind, protocol) = match self.destination {
            Destination::Ipv4(_) => (1, 1),
            Destination::Ipv6(_) => (2, 1),
            Destination::Path(_) => (3, 0),
        };
        writer.u32(kind).u32(0).u32(self.stream.number()).u32(protocol).u16(self.port);
        writer.fixed_string(&self.subdir, PATH_LEN);
        let (text, size) = match &self.destination {
            Destination::Ipv4(address) => (address, 16),
            Destination::Ipv6(address) => (address, 46),
            Destination::Path(path) => (path, PATH_LEN),
        };
        writer.fixed_string(text, size).zeros(PATH_LEN - size);
    }
}
