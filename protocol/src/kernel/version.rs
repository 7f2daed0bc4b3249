// SPDX-License-Identifier: GPL-2.0-only
//! Versions of the kernel tracer, and what can be done with them.
//!
//! The package's version and the interface's are counted separately; almost everything hangs on the second. What a
//! failure to tell one means is not decided here.

use serde::{Deserialize, Serialize};

use crate::codec::{Reader, Result, Writer};

/// Version of LTTng-modules, 12 bytes: u32 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TracerVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patchlevel: u32,
}

impl TracerVersion {
    /// Size in bytes.
    pub const LEN: usize = 12;

    /// Whether such a tracer is served at all.
    pub fn is_supported(self) -> bool {
        self.major == 2
    }

    /// Whether its sessions can be rotated, as far as this version says: see also [`AbiVersion::has_packet_numbers`].
    pub fn can_rotate(self) -> bool {
        self.major == 2 && self.minor >= 11
    }

    /// Decodes what the tracer wrote.
    ///
    /// # Errors
    ///
    /// Another size than [`TracerVersion::LEN`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("kernel tracer version", bytes);
        let version = TracerVersion { major: reader.u32()?, minor: reader.u32()?, patchlevel: reader.u32()? };
        reader.finish()?;
        Ok(version)
    }

    /// What the tracer writes.
    pub fn encode(self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.u32(self.major).u32(self.minor).u32(self.patchlevel);
        writer.into_bytes()
    }
}

/// Version of the interface, 8 bytes: u32 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AbiVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
}

impl AbiVersion {
    /// Size in bytes.
    pub const LEN: usize = 8;

    /// Whether the requests and structures of this module mean to such a tracer what they say. The original takes any
    /// major number, against its intention.
    pub fn is_supported(self) -> bool {
        self.major == 2
    }

    /// From 2.1 on packets have numbers, without which a session can't be rotated.
    pub fn has_packet_numbers(self) -> bool {
        self >= AbiVersion { major: 2, minor: 1 }
    }

    /// From 2.3 on the fill level of buffers can be sampled. Else channels have no monitor timer, and there are no
    /// conditions on how full buffers are.
    pub fn has_buffer_samples(self) -> bool {
        self >= AbiVersion { major: 2, minor: 3 }
    }

    /// From 2.6 on there are event notifiers. Else there are no triggers on events of the kernel.
    pub fn has_event_notifiers(self) -> bool {
        self >= AbiVersion { major: 2, minor: 6 }
    }

    /// Decodes what the tracer wrote.
    ///
    /// # Errors
    ///
    /// Another size than [`AbiVersion::LEN`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("kernel tracer ABI version", bytes);
        let version = AbiVersion { major: reader.u32()?, minor: reader.u32()? };
        reader.finish()?;
        Ok(version)
    }

    /// What the tracer writes.
    pub fn encode(self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.u32(self.major).u32(self.minor);
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tracer_must_be_of_the_second_line() {
        let version = |major, minor| TracerVersion { major, minor, patchlevel: 0 };
        for (version, supported, rotates) in [
            (version(1, 13), false, false),
            (version(2, 0), true, false),
            (version(2, 10), true, false),
            (version(2, 11), true, true),
            (version(3, 11), false, false),
        ] {
            assert_eq!((version.is_supported(), version.can_rotate()), (supported, rotates), "{version:?}");
        }
    }

    #[test]
    fn the_interface_says_what_there_is() {
        let told = |major, minor| {
            let version = AbiVersion { major, minor };
            let features =
                [version.has_packet_numbers(), version.has_buffer_samples(), version.has_event_notifiers()];
            (version.is_supported(), features.into_iter().filter(|&feature| feature).count())
        };
        assert_eq!([told(1, 9), told(2, 0), told(2, 1)], [(false, 0), (true, 0), (true, 1)]);
        assert_eq!([told(2, 2), told(2, 3), told(2, 5)], [(true, 1), (true, 2), (true, 2)]);
        assert_eq!([told(2, 6), told(2, 7), told(3, 0)], [(true, 3), (true, 3), (false, 3)]);
    }
}
