// SPDX-License-Identifier: GPL-2.0-only
//! What an agent says of itself when it has connected.

use crate::codec::{Reader, Result, Writer};

/// Version of the protocol that an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

impl Version {
    /// The only one that is understood.
    pub const OURS: Version = Version { major: 2, minor: 0 };
}

/// `struct agent_register_msg`, 16 bytes:
///
/// | offset | field |
/// |---|---|
/// | 0 | domain (u32) |
/// | 4 | process id (u32) |
/// | 8 | major version, minor version (u32 each) |
///
/// None of it can be relied on: nobody vouches for who is at the other end of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// Number of a domain, which may be none of agents.
    pub domain: u32,
    /// The process that it says it is in.
    pub pid: i32,
    /// The protocol that it speaks.
    pub version: Version,
}

impl Registration {
    /// Size on the wire.
    pub const LEN: usize = 16;

    /// Decodes exactly [`Registration::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Registration> {
        let mut reader = Reader::new("agent registration", bytes);
        let (domain, pid) = (reader.u32_be()?, reader.u32_be()?.cast_signed());
        let version = Version { major: reader.u32_be()?, minor: reader.u32_be()? };
        reader.finish()?;
        Ok(Registration { domain, pid, version })
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Registration::LEN);
        writer.u32_be(self.domain).u32_be(self.pid.cast_unsigned());
        writer.u32_be(self.version.major).u32_be(self.version.minor);
        writer.into_bytes()
    }
}
