// SPDX-License-Identifier: GPL-2.0-only
//! What an event rule instruments, and the attributes that probes have.
//!
//! Names only: whether a symbol or a binary exists is not asked here, and the binary's descriptor, which
//! travels beside the bytes, is the caller's.
//!
//! Source: `lttng-tools 2.13.5: src/common/event.c`, `src/common/userspace-probe.c`.

use super::event::EventType;
use super::header::bad_value;
use super::text::{self, PATH_LEN, SYMBOL_LEN};
use crate::codec::{ErrorKind, Reader, Result, Writer};

/// An [`EventType`] with the attributes that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instrumentation {
    /// Everything the domain has.
    All,
    /// Tracepoints, and loggers of the agent domains.
    Tracepoint,
    /// A kprobe.
    Probe(KernelProbe),
    /// A kretprobe.
    Function(KernelProbe),
    /// Entry of the named function. At most 255 bytes.
    FunctionEntry(String),
    /// Nothing.
    Noop,
    /// System calls.
    Syscall,
    /// A probe of the kernel in a user space program.
    UserspaceProbe(ProbeLocation),
}

impl Instrumentation {
    /// The event type.
    pub fn event_type(&self) -> EventType {
        match self {
            Instrumentation::All => EventType::All,
            Instrumentation::Tracepoint => EventType::Tracepoint,
            Instrumentation::Probe(_) => EventType::Probe,
            Instrumentation::Function(_) => EventType::Function,
            Instrumentation::FunctionEntry(_) => EventType::FunctionEntry,
            Instrumentation::Noop => EventType::Noop,
            Instrumentation::Syscall => EventType::Syscall,
            Instrumentation::UserspaceProbe(_) => EventType::UserspaceProbe,
        }
    }

    /// The attribute block alone.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Instrumentation::Probe(probe) | Instrumentation::Function(probe) => probe.encode(&mut writer),
            Instrumentation::FunctionEntry(symbol) => {
                writer.u32(text::wire_len(symbol)).c_string(symbol);
            }
            Instrumentation::UserspaceProbe(location) => location.encode(&mut writer),
            Instrumentation::All
            | Instrumentation::Tracepoint
            | Instrumentation::Noop
            | Instrumentation::Syscall => {}
        }
        writer.into_bytes()
    }

    /// Spreads the block's length over the three length fields of an event: location, probe, function.
    pub(super) fn lengths(&self, block: usize) -> [u32; 3] {
        let block = u32::try_from(block).unwrap_or(u32::MAX);
        match self {
            Instrumentation::UserspaceProbe(_) => [block, 0, 0],
            Instrumentation::FunctionEntry(_) => [0, 0, block],
            // The block is empty where the type has no attributes.
            _ => [0, block, 0],
        }
    }
}

/// Where a kprobe or kretprobe sits: u64 address, u64 offset, u32 length of the symbol, symbol.
///
/// Client libraries since 2.12 copy the address into `offset`, so the offset that the user asked for is lost;
/// for an address probe (empty symbol) ignore `offset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelProbe {
    /// Address, 0 with a symbol.
    pub address: u64,
    /// Offset from the symbol.
    pub offset: u64,
    /// Symbol; empty with an address. At most 255 bytes.
    pub symbol: String,
}

impl KernelProbe {
    pub(super) fn decode(reader: &mut Reader<'_>, length: u32) -> Result<KernelProbe> {
        let start = reader.offset();
        let address = reader.u64()?;
        let offset = reader.u64()?;
        let symbol_len = reader.u32()?;
        let symbol = text::name(reader, symbol_len, SYMBOL_LEN)?;
        check_length(reader, start, length)?;
        Ok(KernelProbe { address, offset, symbol })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u64(self.address).u64(self.offset).u32(text::wire_len(&self.symbol)).c_string(&self.symbol);
    }
}

pub(super) fn decode_function(reader: &mut Reader<'_>, length: u32) -> Result<String> {
    let start = reader.offset();
    let symbol_len = reader.u32()?;
    let symbol = text::name(reader, symbol_len, SYMBOL_LEN)?;
    check_length(reader, start, length)?;
    Ok(symbol)
}

/// Where a user space probe sits: i8 type, u32 lengths, strings, i8 lookup method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeLocation {
    /// Entry of a function.
    Function {
        /// Function. At most 255 bytes.
        function: String,
        /// Path of the binary, for display: the descriptor is what counts. At most 4095 bytes.
        binary: String,
        /// Whether the symbol must be found in the ELF symbol table (1) or wherever the default is (0).
        elf: bool,
    },
    /// An SDT (DTrace style) probe.
    Tracepoint {
        /// Probe. At most 255 bytes.
        probe: String,
        /// Provider. At most 255 bytes.
        provider: String,
        /// Path of the binary, for display: the descriptor is what counts. At most 4095 bytes.
        binary: String,
    },
}

impl ProbeLocation {
    /// Reads a location of `length` bytes.
    pub(crate) fn decode(reader: &mut Reader<'_>, length: u32) -> Result<ProbeLocation> {
        let start = reader.offset();
        let location = match reader.i8()? {
            0 => {
                let function_len = reader.u32()?;
                let binary_len = reader.u32()?;
                let function = text::name(reader, function_len, SYMBOL_LEN)?;
                let binary = text::name(reader, binary_len, PATH_LEN)?;
                let elf = match reader.i8()? {
                    0 => false,
                    1 => true,
                    other => return Err(bad_value(reader, other)),
                };
                ProbeLocation::Function { function, binary, elf }
            }
            1 => {
                let probe_len = reader.u32()?;
                let provider_len = reader.u32()?;
                let binary_len = reader.u32()?;
                let probe = text::name(reader, probe_len, SYMBOL_LEN)?;
                let provider = text::name(reader, provider_len, SYMBOL_LEN)?;
                let binary = text::name(reader, binary_len, PATH_LEN)?;
                match reader.i8()? {
                    2 => ProbeLocation::Tracepoint { probe, provider, binary },
                    other => return Err(bad_value(reader, other)),
                }
            }
            other => return Err(bad_value(reader, other)),
        };
        check_length(reader, start, length)?;
        Ok(location)
    }

    /// Appends the location.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            ProbeLocation::Function { function, binary, elf } => {
                writer.i8(0).u32(text::wire_len(function)).u32(text::wire_len(binary));
                writer.c_string(function).c_string(binary).i8((*elf).into());
            }
            ProbeLocation::Tracepoint { probe, provider, binary } => {
                writer.i8(1).u32(text::wire_len(probe)).u32(text::wire_len(provider));
                writer.u32(text::wire_len(binary));
                writer.c_string(probe).c_string(provider).c_string(binary).i8(2);
            }
        }
    }
}

/// Checks that what was read since `start` is as long as was said.
pub(crate) fn check_length(reader: &Reader<'_>, start: usize, length: u32) -> Result<()> {
    if reader.offset().saturating_sub(start) == length as usize {
        Ok(())
    } else {
        Err(reader.error(ErrorKind::TooLong(length.into())))
    }
}
