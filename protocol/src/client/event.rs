// SPDX-License-Identifier: GPL-2.0-only
//! Event rules, listed events and the fields of events.
//!
//! One serialized form serves requests and listings. Filter bytecode is carried, compared and handed to the
//! tracers as it is; nothing here looks at its instructions.
//!
//! Source: `lttng-tools 2.13.5: include/lttng/event-internal.h` and `src/common/event.c`.

use serde::{Deserialize, Serialize};

use super::header::bad_value;
use super::probe::{Instrumentation, KernelProbe, ProbeLocation};
use super::text::{self, FILTER_LEN, SYMBOL_LEN};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;
use crate::text::Text;

numbered! {
    /// What kind of instrumentation a rule is about. `enum lttng_event_type`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum EventType: i8 {
        /// Everything the domain has.
        All = -1,
        /// Tracepoints, and loggers of the agent domains.
        Tracepoint = 0,
        /// A kprobe.
        Probe = 1,
        /// A kretprobe.
        Function = 2,
        /// Entry of a function; no stock client sends it.
        FunctionEntry = 3,
        /// Nothing.
        Noop = 4,
        /// System calls.
        Syscall = 5,
        /// A probe of the kernel in a user space program.
        UserspaceProbe = 6,
    }
    /// The type with this number.
    from_number;
}

numbered! {
    /// How a rule's log level is compared. `enum lttng_loglevel_type`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum LogLevelType: i8 {
        /// Any level.
        All = 0,
        /// The level and everything more severe.
        Range = 1,
        /// The level only.
        Single = 2,
    }
    /// The type with this number.
    from_number;
}

/// A compiled filter: 48 bytes of header, then the data.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 4 | length of the data |
/// | 4 | 4 | `reloc_offset` |
/// | 8 | 8 | `seqnum` |
/// | 16 | 32 | 0 |
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bytecode {
    /// Offset, in the data, of the relocation table; the instructions end there.
    pub reloc_offset: u32,
    /// 0 from clients.
    pub seqnum: u64,
    /// Instructions, then relocation table. At most 65536 bytes.
    pub data: Vec<u8>,
}

impl Bytecode {
    /// Size of the header.
    const HEADER_LEN: usize = 48;

    /// Reads the `length` bytes of a bytecode, header included.
    fn decode(reader: &mut Reader<'_>, length: u32) -> Result<Bytecode> {
        let data_len = reader.u32()?;
        if data_len as usize > FILTER_LEN
            || u64::from(data_len) + Bytecode::HEADER_LEN as u64 != length.into()
        {
            return Err(reader.error(ErrorKind::TooLong(length.into())));
        }
        let reloc_offset = reader.u32()?;
        if reloc_offset > data_len {
            return Err(reader.error(ErrorKind::BadValue(reloc_offset.into())));
        }
        let seqnum = reader.u64()?;
        reader.skip(32)?;
        Ok(Bytecode { reloc_offset, seqnum, data: reader.bytes(data_len as usize)?.to_vec() })
    }

    fn encode(&self, writer: &mut Writer) {
        let data_len = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        writer.u32(data_len).u32(self.reloc_offset).u64(self.seqnum).zeros(32).bytes(&self.data);
    }
}

/// A serialized event: 43 bytes, then name, exclusions, filter, bytecode and the attributes of its type.
///
/// | Offset | Type | Field |
/// |---|---|---|
/// | 0 | i8 | event type |
/// | 1 | i8 | `loglevel_type` |
/// | 2 | i32 | `loglevel` |
/// | 6 | i8 | `enabled` |
/// | 7 | i32 | `pid` |
/// | 11 | u32 | `flags` |
/// | 15 | u32 | length of the name |
/// | 19 | u32 | number of exclusions |
/// | 23 | u32 | length of the filter expression, 0 without |
/// | 27 | u32 | length of the bytecode, 0 without |
/// | 31 | u32 | length of the user space probe location |
/// | 35 | u32 | length of the probe attributes |
/// | 39 | u32 | length of the function attributes |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What is instrumented, with the attributes that this kind has.
    pub instrumentation: Instrumentation,
    /// How `loglevel` is compared, as sent: see [`LogLevelType`]. Domains without log levels ignore it.
    pub loglevel_type: i8,
    /// A log level of the domain.
    pub loglevel: i32,
    /// Listings: 1 enabled, 0 disabled, -1 not applicable. 0 in a request of the stock command.
    pub enabled: i8,
    /// Listings of applications: the process.
    pub pid: i32,
    /// Listings of system calls: bit 0 for 32-bit, bit 1 for 64-bit.
    pub flags: u32,
    /// Name or pattern. At most 255 bytes.
    pub name: Text,
    /// Names and patterns that do not match after all. At most 255 bytes each.
    pub exclusions: Vec<Text>,
    /// The filter as the user wrote it. At most 65535 bytes.
    pub filter: Option<Text>,
    /// The filter as the client library compiled it; never without `filter`.
    pub bytecode: Option<Bytecode>,
}

impl Event {
    /// `flags` bit: the system call exists for 32-bit programs.
    pub const SYSCALL_32: u32 = 1 << 0;
    /// `flags` bit: the system call exists for 64-bit programs.
    pub const SYSCALL_64: u32 = 1 << 1;

    /// A listed tracepoint: only what every listing fills in.
    pub fn tracepoint(name: impl Into<Text>) -> Event {
        Event {
            instrumentation: Instrumentation::Tracepoint,
            loglevel_type: 0,
            loglevel: 0,
            enabled: -1,
            pid: 0,
            flags: 0,
            name: name.into(),
            exclusions: Vec::new(),
            filter: None,
            bytecode: None,
        }
    }

    /// The event type.
    pub fn event_type(&self) -> EventType {
        self.instrumentation.event_type()
    }

    /// How many descriptors travel with this event: a user space probe has that of its binary.
    pub fn fd_count(&self) -> u32 {
        u32::from(matches!(self.instrumentation, Instrumentation::UserspaceProbe(_)))
    }

    /// Reads one event.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Event> {
        let kind = reader.i8()?;
        let kind = EventType::from_number(kind).ok_or_else(|| bad_value(reader, kind))?;
        let loglevel_type = reader.i8()?;
        let loglevel = reader.i32()?;
        let enabled = reader.i8()?;
        let pid = reader.i32()?;
        let flags = reader.u32()?;
        let name_len = reader.u32()?;
        let exclusion_count = reader.u32()?;
        let filter_len = reader.u32()?;
        let bytecode_len = reader.u32()?;
        let location_len = reader.u32()?;
        let probe_len = reader.u32()?;
        let function_len = reader.u32()?;
        let name = text::text(reader, name_len, SYMBOL_LEN)?;
        let mut exclusions = Vec::new();
        // Not reserved ahead: the count is the sender's claim, the bytes are the proof.
        for _ in 0..exclusion_count {
            let length = reader.u32()?;
            exclusions.push(text::text(reader, length, SYMBOL_LEN)?);
        }
        let filter = match filter_len {
            0 => None,
            length => Some(text::text(reader, length, FILTER_LEN)?),
        };
        let bytecode = match bytecode_len {
            0 => None,
            length if filter.is_none() => return Err(reader.error(ErrorKind::BadValue(length.into()))),
            length => Some(Bytecode::decode(reader, length)?),
        };
        let instrumentation = match kind {
            EventType::All => Instrumentation::All,
            EventType::Tracepoint => Instrumentation::Tracepoint,
            EventType::Noop => Instrumentation::Noop,
            EventType::Syscall => Instrumentation::Syscall,
            EventType::Probe => Instrumentation::Probe(KernelProbe::decode(reader, probe_len)?),
            EventType::Function => Instrumentation::Function(KernelProbe::decode(reader, probe_len)?),
            EventType::FunctionEntry => {
                Instrumentation::FunctionEntry(super::probe::decode_function(reader, function_len)?)
            }
            EventType::UserspaceProbe => {
                Instrumentation::UserspaceProbe(ProbeLocation::decode(reader, location_len)?)
            }
        };
        Ok(Event {
            instrumentation,
            loglevel_type,
            loglevel,
            enabled,
            pid,
            flags,
            name,
            exclusions,
            filter,
            bytecode,
        })
    }

    /// Appends the event. A list is events back to back.
    pub fn encode(&self, writer: &mut Writer) {
        let attributes = self.instrumentation.encode();
        let [location_len, probe_len, function_len] = self.instrumentation.lengths(attributes.len());
        let bytecode_len = self.bytecode.as_ref().map_or(0, |code| code.data.len() + Bytecode::HEADER_LEN);
        writer.i8(self.event_type().number()).i8(self.loglevel_type).i32(self.loglevel);
        writer.i8(self.enabled).i32(self.pid).u32(self.flags).u32(text::wire_len(&self.name));
        writer.u32(u32::try_from(self.exclusions.len()).unwrap_or(u32::MAX));
        writer.u32(self.filter.as_ref().map_or(0, text::wire_len));
        writer.u32(u32::try_from(bytecode_len).unwrap_or(u32::MAX));
        writer.u32(location_len).u32(probe_len).u32(function_len);
        writer.c_string(&self.name);
        for exclusion in &self.exclusions {
            writer.u32(text::wire_len(exclusion)).c_string(exclusion);
        }
        if let Some(filter) = &self.filter {
            writer.c_string(filter);
        }
        if let Some(bytecode) = &self.bytecode {
            bytecode.encode(writer);
        }
        writer.bytes(&attributes);
    }
}

numbered! {
    /// Type of an event's field. `enum lttng_event_field_type`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum FieldType: u8 {
        /// Anything that has no name of its own here.
        Other = 0,
        /// An integer.
        Integer = 1,
        /// An enumeration.
        Enum = 2,
        /// A floating point number.
        Float = 3,
        /// A string.
        String = 4,
    }
    /// The type with this number.
    from_number;
}

/// One field of one event, as listed.
///
/// u8 type, u8 `nowrite`, u32 length of the name, u32 length of the event, name, event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventField {
    /// Type of the field.
    pub field_type: FieldType,
    /// Whether the field is for filters only and never written to the trace.
    pub nowrite: bool,
    /// Name of the field. At most 254 bytes.
    pub name: Text,
    /// The event that owns the field.
    pub event: Event,
}

impl EventField {
    /// Longest name, its NUL included.
    pub const NAME_LEN: usize = 255;

    /// Reads one field.
    pub fn decode(reader: &mut Reader<'_>) -> Result<EventField> {
        let field_type = reader.u8()?;
        let field_type = FieldType::from_number(field_type).ok_or_else(|| bad_value(reader, field_type))?;
        let nowrite = reader.u8()? != 0;
        let name_len = reader.u32()?;
        let event_len = reader.u32()?;
        let name = text::text(reader, name_len, EventField::NAME_LEN)?;
        let start = reader.offset();
        let event = Event::decode(reader)?;
        if reader.offset().saturating_sub(start) != event_len as usize {
            return Err(reader.error(ErrorKind::TooLong(event_len.into())));
        }
        Ok(EventField { field_type, nowrite, name, event })
    }

    /// Appends the field. A list is fields back to back.
    pub fn encode(&self, writer: &mut Writer) {
        let mut event = Writer::default();
        self.event.encode(&mut event);
        let event = event.into_bytes();
        writer.u8(self.field_type.number()).u8(self.nowrite.into()).u32(text::wire_len(&self.name));
        writer.u32(u32::try_from(event.len()).unwrap_or(u32::MAX)).c_string(&self.name).bytes(&event);
    }
}
