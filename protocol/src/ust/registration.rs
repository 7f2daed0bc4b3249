// SPDX-License-Identifier: GPL-2.0-only
//! The first message of an application on each of its two sockets.
//!
//! What it announces about the process (pid, user, group) is only a claim: the daemon takes these from the
//! kernel, and must never trust the values found here.

use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;
use crate::text::Text;

/// `lttng-ust 2.13: src/common/ustcomm.h`, in the byte order of the application.
const MAGIC: u32 = 0xC57C_57C5;
/// Size of the process name, its NUL included.
const NAME_SIZE: usize = 16;
/// Oldest and newest major version of the application interface that are served.
const MAJORS: std::ops::RangeInclusive<u32> = 8..=9;

/// Byte order of an application's trace data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// Byte order of this machine.
    pub const NATIVE: ByteOrder =
        if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };

    /// The other byte order.
    pub fn reversed(self) -> ByteOrder {
        match self {
            ByteOrder::Little => ByteOrder::Big,
            ByteOrder::Big => ByteOrder::Little,
        }
    }
}

numbered! {
    /// What the connection will be used for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum SocketKind: u32 {
        /// The daemon asks, the application answers.
        Command = 0,
        /// The application asks, the daemon answers.
        Notify = 1,
    }
    /// The use with this number.
    from_number;
}

/// Alignment, in bits, of the basic types in an application's trace data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alignments {
    /// Of `uint8_t`.
    pub uint8: u32,
    /// Of `uint16_t`.
    pub uint16: u32,
    /// Of `uint32_t`.
    pub uint32: u32,
    /// Of `uint64_t`.
    pub uint64: u32,
    /// Of `unsigned long`.
    pub long: u32,
}

impl Alignments {
    /// Those of this machine.
    pub const NATIVE: Alignments = Alignments {
        uint8: bits(align_of::<u8>()),
        uint16: bits(align_of::<u16>()),
        uint32: bits(align_of::<u32>()),
        uint64: bits(align_of::<u64>()),
        // `long` has the size of a pointer on all machines that LTTng runs on.
        long: bits(align_of::<usize>()),
    };

    /// Those of the packets that this machine's consumer daemons write for applications that say `self`. On x86 no
    /// tracer aligns anything, whatever an application says.
    #[must_use]
    pub fn of_packets(self) -> Self {
        if cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
            Alignments { uint8: 8, uint16: 8, uint32: 8, uint64: 8, long: 8 }
        } else {
            self
        }
    }

    /// Whether a machine can have these, where `long` has `bits_per_long` bits: bytes stand anywhere, the others are
    /// aligned to a power of two from a byte to their own size.
    pub fn are_possible(&self, bits_per_long: u32) -> bool {
        let Alignments { uint8, uint16, uint32, uint64, long } = *self;
        let sizes = [(uint8, 8), (uint16, 16), (uint32, 32), (uint64, 64), (long, bits_per_long)];
        sizes
            .into_iter()
            .all(|(alignment, size)| alignment.is_power_of_two() && (8..=size).contains(&alignment))
    }
}

/// So many bytes, of which there are few.
const fn bits(bytes: usize) -> u32 {
    8 * bytes as u32
}

/// The registration message, 136 bytes:
///
/// | offset | field |
/// |---|---|
/// | 0 | magic `0xC57C57C5` (u32) |
/// | 4 | major, minor (u32 each) |
/// | 12 | pid, ppid, uid, gid (u32 each) |
/// | 28 | bits per long (u32) |
/// | 32 | alignments: 8, 16, 32, 64 bit integers, long (u32 each, bits) |
/// | 52 | socket type (u32): 0 command, 1 notify |
/// | 56 | process name (16 bytes) |
/// | 72 | padding (64 bytes) |
///
/// `lttng-ust 2.13: src/common/ustcomm.h`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Byte order of the application, known from the way in which its magic number reads.
    pub byte_order: ByteOrder,
    /// Major version of the application interface: 8 (lttng-ust 2.10 to 2.12) or 9 (2.13).
    pub major: u32,
    /// Minor version of the application interface.
    pub minor: u32,
    /// Process id as the application sees it.
    pub pid: i32,
    /// Parent's process id as the application sees it.
    pub ppid: i32,
    /// User id as the application sees it.
    pub uid: u32,
    /// Group id as the application sees it.
    pub gid: u32,
    /// Size of `long` in bits, 32 or 64.
    pub bits_per_long: u32,
    /// Alignment of the basic types.
    pub alignments: Alignments,
    /// What this connection is for.
    pub socket: SocketKind,
    /// Name of the process, at most 15 bytes.
    pub name: Text,
}

impl Registration {
    /// Size of the message in bytes.
    pub const LEN: usize = 136;

    /// What an application of this machine says with LTTng-UST 2.13, whose process is called `name`. All its ids are 0
    /// here: they are claims, for which the daemon asks the kernel.
    pub fn native(socket: SocketKind, name: &str) -> Self {
        Registration {
            byte_order: ByteOrder::NATIVE,
            major: *MAJORS.end(),
            minor: 0,
            pid: 0,
            ppid: 0,
            uid: 0,
            gid: 0,
            bits_per_long: usize::BITS,
            alignments: Alignments::NATIVE,
            socket,
            name: name.into(),
        }
    }

    /// Decodes the message.
    ///
    /// # Errors
    ///
    /// Another size than [`Registration::LEN`], a wrong magic number, a version that is not served, an
    /// unknown kind of socket, or a word size for which no consumer daemon can exist.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("application registration", bytes);
        let magic = reader.u32()?;
        let byte_order = if magic == MAGIC {
            ByteOrder::NATIVE
        } else if magic == MAGIC.swap_bytes() {
            ByteOrder::NATIVE.reversed()
        } else {
            return Err(reader.error(ErrorKind::BadValue(magic.into())));
        };
        let major = reader.u32()?;
        if !MAJORS.contains(&major) {
            return Err(reader.error(ErrorKind::BadValue(major.into())));
        }
        let minor = reader.u32()?;
        let (pid, ppid, uid, gid) = (reader.i32()?, reader.i32()?, reader.u32()?, reader.u32()?);
        let bits_per_long = reader.u32()?;
        if !matches!(bits_per_long, 32 | 64) {
            return Err(reader.error(ErrorKind::BadValue(bits_per_long.into())));
        }
        let alignments = Alignments {
            uint8: reader.u32()?,
            uint16: reader.u32()?,
            uint32: reader.u32()?,
            uint64: reader.u32()?,
            long: reader.u32()?,
        };
        let socket = reader.u32()?;
        let socket = SocketKind::from_number(socket)
            .ok_or_else(|| reader.error(ErrorKind::BadValue(socket.into())))?;
        let name = reader.fixed_text(NAME_SIZE)?;
        reader.skip(64)?;
        reader.finish()?;
        Ok(Registration {
            byte_order,
            major,
            minor,
            pid,
            ppid,
            uid,
            gid,
            bits_per_long,
            alignments,
            socket,
            name,
        })
    }

    /// The message as an application sends it.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.u32(if self.byte_order == ByteOrder::NATIVE { MAGIC } else { MAGIC.swap_bytes() });
        writer.u32(self.major).u32(self.minor);
        writer.i32(self.pid).i32(self.ppid).u32(self.uid).u32(self.gid).u32(self.bits_per_long);
        let Alignments { uint8, uint16, uint32, uint64, long } = self.alignments;
        writer.u32(uint8).u32(uint16).u32(uint32).u32(uint64).u32(long);
        writer.u32(self.socket.number());
        writer.fixed_string(&self.name, NAME_SIZE).pad_to(Self::LEN);
        writer.into_bytes()
    }
}
