// SPDX-License-Identifier: GPL-2.0-only
//! The version of a relay daemon, and what follows from it.
//!
//! Source: `lttng-tools 2.13: src/common/relayd/relayd.c`, `src/bin/lttng-sessiond/cmd.c`.

use crate::codec::{Reader, Result, Writer};

/// A version of the relay daemon protocol; payload and reply of VERSION, the first request.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | u32 | `major` |
/// | 4 | u32 | `minor` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    /// 2; another one cannot be spoken to.
    pub major: u32,
    /// Grows with each change that a newer peer can do without.
    pub minor: u32,
}

/// Which of its three forms CREATE_SESSION takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionLayout {
    /// 2.1 to 2.3: nothing is said of the session.
    Unnamed,
    /// 2.4 to 2.10: names of fixed size.
    Named,
    /// 2.11 and later: identifiers, base path, current chunk.
    Full,
}

impl Version {
    /// What this session daemon says.
    pub const LOCAL: Version = Version { major: 2, minor: 13 };
    /// Size on the wire.
    pub const LEN: usize = 8;

    /// The version to speak to a relay daemon that answered `self`: the older one of both. None when the relay
    /// daemon is of another major version.
    pub fn agreed(self) -> Option<Version> {
        let minor = self.minor.min(Version::LOCAL.minor);
        (self.major == Version::LOCAL.major).then_some(Version { minor, ..self })
    }

    /// How CREATE_SESSION is said in this version.
    pub fn session_layout(self) -> SessionLayout {
        match self.minor {
            ..4 => SessionLayout::Unnamed,
            4..11 => SessionLayout::Named,
            _ => SessionLayout::Full,
        }
    }

    /// Whether GET_CONFIGURATION is known; without it, clears are not allowed.
    pub fn has_configuration(self) -> bool {
        self.minor >= 12
    }

    /// Whether chunks are known: rotation works, and streams are placed relative to a chunk.
    pub fn has_chunks(self) -> bool {
        self.minor >= 11
    }

    /// Decodes exactly [`Version::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Version> {
        let mut reader = Reader::new("relay daemon version", bytes);
        let version = Version { major: reader.u32_be()?, minor: reader.u32_be()? };
        reader.finish()?;
        Ok(version)
    }

    /// Encodes to [`Version::LEN`] bytes.
    pub fn encode(self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Version::LEN);
        writer.u32_be(self.major).u32_be(self.minor);
        writer.into_bytes()
    }
}
