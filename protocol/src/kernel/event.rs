// SPDX-License-Identifier: GPL-2.0-only
//! Event rules of a channel, event notifiers, and the bytecode they are given.
//!
//! Whether a symbol exists is for the tracer to say, and where a probe sits in a binary is said by later requests. What
//! a filter does is not looked at.

use serde::{Deserialize, Serialize};

use super::NAME_SIZE;
use crate::client::KernelProbe;
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::text::Text;
use crate::trigger::{self, EmissionSite, KernelLocation};

pub use crate::client::Bytecode;

/// Most bytes of instructions and relocation table that are read. `LTTNG_FILTER_MAX_LEN`.
const MAX_BYTECODE: usize = 65536;

/// Where a kprobe or kretprobe sits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Probe {
    /// Address, 0 with a symbol.
    pub address: u64,
    /// Bytes from the symbol, or else from the address.
    pub offset: u64,
    /// Symbol; empty with an address. At most 255 bytes.
    pub symbol: Text,
}

impl From<&KernelProbe> for Probe {
    /// Clients copy an address into the offset, which the kernel would add to it.
    fn from(probe: &KernelProbe) -> Self {
        let &KernelProbe { address, offset, ref symbol } = probe;
        let copied = symbol.is_empty() && offset == address;
        Probe { address, offset: if copied { 0 } else { offset }, symbol: symbol.as_str().into() }
    }
}

impl From<&KernelLocation> for Probe {
    fn from(location: &KernelLocation) -> Self {
        match location {
            KernelLocation::Symbol { symbol, offset } => {
                Probe { address: 0, offset: *offset, symbol: symbol.as_str().into() }
            }
            KernelLocation::Address(address) => {
                Probe { address: *address, offset: 0, symbol: Text::default() }
            }
        }
    }
}

/// What an event rule instruments. The number stands at 256, the attributes at 276.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Instrumentation {
    /// 0: tracepoints.
    Tracepoint,
    /// 1: a kprobe. Address, offset (u64 each), symbol (256 bytes).
    Kprobe(Probe),
    /// 2: entry of a function. Symbol (256 bytes). The tracer refuses it with EINVAL.
    Function(Text),
    /// 3: a kretprobe. Like a kprobe, then at 548 a byte that must be 0.
    Kretprobe(Probe),
    /// 5: system calls. Site, ABI (0 all), way of matching (0 by name), padding (u8 each), number (u32).
    Syscall(EmissionSite),
    /// 6: a uprobe. Its places come with [`Request::AddCallsite`](super::Request::AddCallsite).
    Uprobe {
        /// Number (i32) that the binary's descriptor has in the process which makes the request.
        descriptor: i32,
    },
}

impl Instrumentation {
    fn number(&self) -> u32 {
        match self {
            Instrumentation::Tracepoint => 0,
            Instrumentation::Kprobe(_) => 1,
            Instrumentation::Function(_) => 2,
            Instrumentation::Kretprobe(_) => 3,
            Instrumentation::Syscall(_) => 5,
            Instrumentation::Uprobe { .. } => 6,
        }
    }

    /// Reads the attributes. What they leave of the union is not looked at.
    fn decode(number: u32, reader: &mut Reader<'_>) -> Result<Self> {
        Ok(match number {
            0 => Instrumentation::Tracepoint,
            1 => Instrumentation::Kprobe(decode_probe(reader)?),
            2 => Instrumentation::Function(reader.fixed_text(NAME_SIZE)?),
            3 => {
                let probe = decode_probe(reader)?;
                must_be_zero(reader)?;
                Instrumentation::Kretprobe(probe)
            }
            5 => {
                let site = reader.u8()?;
                let site = EmissionSite::from_number(site.into())
                    .ok_or_else(|| reader.error(ErrorKind::BadValue(site.into())))?;
                must_be_zero(reader)?;
                must_be_zero(reader)?;
                Instrumentation::Syscall(site)
            }
            6 => Instrumentation::Uprobe { descriptor: reader.i32()? },
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        })
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Instrumentation::Tracepoint => {}
            Instrumentation::Kprobe(Probe { address, offset, symbol })
            | Instrumentation::Kretprobe(Probe { address, offset, symbol }) => {
                writer.u64(*address).u64(*offset).fixed_string(symbol, NAME_SIZE);
            }
            Instrumentation::Function(symbol) => {
                writer.fixed_string(symbol, NAME_SIZE);
            }
            Instrumentation::Syscall(site) => {
                writer.u8(u8::try_from(site.number()).unwrap_or_default());
            }
            Instrumentation::Uprobe { descriptor } => {
                writer.i32(*descriptor);
            }
        }
    }
}

fn decode_probe(reader: &mut Reader<'_>) -> Result<Probe> {
    Ok(Probe { address: reader.u64()?, offset: reader.u64()?, symbol: reader.fixed_text(NAME_SIZE)? })
}

fn must_be_zero(reader: &mut Reader<'_>) -> Result<()> {
    match reader.u8()? {
        0 => Ok(()),
        other => Err(reader.error(ErrorKind::BadValue(other.into()))),
    }
}

/// An event rule, 564 bytes: name (256 bytes), instrumentation (u32), token (u64 at 260), 8 bytes that must be 0,
/// attributes (288 bytes at 276).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Event {
    /// Name or star glob; for probes the name that the event gets. At most 255 bytes.
    pub name: Text,
    /// What is instrumented.
    pub instrumentation: Instrumentation,
    /// Comes back in the notifications of an event notifier; 0 in a channel's rules.
    pub token: u64,
}

impl Event {
    /// Size in bytes.
    pub const LEN: usize = 564;
    /// Offset of the attributes.
    const ATTRIBUTES: usize = 276;

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let name = reader.fixed_text(NAME_SIZE)?;
        let number = reader.u32()?;
        let token = reader.u64()?;
        match reader.u64()? {
            0 => {}
            // Later tracers take it for an address.
            other => return Err(reader.error(ErrorKind::BadValue(other))),
        }
        let instrumentation = Instrumentation::decode(number, reader)?;
        reader.seek(Self::LEN)?;
        Ok(Event { name, instrumentation, token })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.fixed_string(&self.name, NAME_SIZE).u32(self.instrumentation.number()).u64(self.token);
        writer.pad_to(Self::ATTRIBUTES);
        self.instrumentation.encode(writer);
        writer.pad_to(Self::LEN);
    }
}

/// An event notifier, 604 bytes: event rule (564 bytes), index of its error counter (u64), padding.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventNotifier {
    /// When to notify; the token says which notifier it was.
    pub event: Event,
    /// The counter that is incremented when a notification found no room.
    pub error_counter_index: u64,
}

impl EventNotifier {
    /// Size in bytes.
    pub const LEN: usize = 604;

    /// What the tracer is told about the event rule of a trigger. `binary` is the number of a uprobe's descriptor, as
    /// in [`Instrumentation::Uprobe`].
    ///
    /// `None` for rules about user space, and for a name or symbol that the tracer does not take because it has more
    /// than 255 bytes: cut off, it would be another one.
    pub fn for_rule(
        rule: &trigger::EventRule,
        binary: i32,
        token: u64,
        error_counter_index: u64,
    ) -> Option<Self> {
        let (name, instrumentation) = match rule {
            trigger::EventRule::KernelTracepoint { pattern, .. } => (pattern, Instrumentation::Tracepoint),
            trigger::EventRule::KernelSyscall { site, pattern, .. } => {
                (pattern, Instrumentation::Syscall(*site))
            }
            trigger::EventRule::KernelKprobe { name, location } => {
                let probe = Probe::from(location);
                if probe.symbol.len() >= NAME_SIZE {
                    return None;
                }
                (name, Instrumentation::Kprobe(probe))
            }
            trigger::EventRule::KernelUprobe { name, .. } => {
                (name, Instrumentation::Uprobe { descriptor: binary })
            }
            trigger::EventRule::UserTracepoint { .. } | trigger::EventRule::Logging { .. } => return None,
        };
        let event = Event { name: name.clone(), instrumentation, token };
        (name.len() < NAME_SIZE).then_some(EventNotifier { event, error_counter_index })
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let event = Event::decode(reader)?;
        let error_counter_index = reader.u64()?;
        reader.seek(Self::LEN)?;
        Ok(EventNotifier { event, error_counter_index })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        self.event.encode(writer);
        writer.u64(self.error_counter_index).pad_to(Self::LEN);
    }
}

/// Reads a bytecode as the tracer is given it: size of the data, offset of the relocation table (u32 each), sequence
/// number (u64), data. It takes all there is.
pub(super) fn decode_bytecode(reader: &mut Reader<'_>) -> Result<Bytecode> {
    let length = reader.u32()?;
    if length as usize > MAX_BYTECODE {
        return Err(reader.error(ErrorKind::TooLong(length.into())));
    }
    let reloc_offset = reader.u32()?;
    if reloc_offset > length {
        return Err(reader.error(ErrorKind::BadValue(reloc_offset.into())));
    }
    Ok(Bytecode { reloc_offset, seqnum: reader.u64()?, data: reader.bytes(length as usize)?.to_vec() })
}

pub(super) fn encode_bytecode(bytecode: &Bytecode, writer: &mut Writer) {
    let length = u32::try_from(bytecode.data.len()).unwrap_or(u32::MAX);
    writer.u32(length).u32(bytecode.reloc_offset).u64(bytecode.seqnum).bytes(&bytecode.data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_not_added_to_itself() {
        let probe = |address, offset, symbol: &str| {
            let probe = Probe::from(&KernelProbe { address, offset, symbol: symbol.to_owned() });
            (probe.address, probe.offset, probe.symbol.to_string())
        };
        assert_eq!(probe(16, 16, ""), (16, 0, String::new()));
        assert_eq!(probe(16, 4, ""), (16, 4, String::new()));
        assert_eq!(probe(0, 4, "do_exit"), (0, 4, "do_exit".to_owned()));
        assert_eq!(probe(0, 0, "do_exit"), (0, 0, "do_exit".to_owned()));
    }

    fn told(rule: &trigger::EventRule) -> Option<(String, Instrumentation)> {
        let notifier = EventNotifier::for_rule(rule, 5, 7, 9)?;
        assert_eq!((notifier.event.token, notifier.error_counter_index), (7, 9));
        Some((notifier.event.name.to_string(), notifier.event.instrumentation))
    }

    #[test]
    fn the_tracer_is_told_what_a_trigger_is_about() {
        let kprobe = |name: &str, location| trigger::EventRule::KernelKprobe { name: name.into(), location };
        let symbol = |symbol: String| KernelLocation::Symbol { symbol, offset: 3 };
        let at = |address, offset, symbol: &str| {
            Instrumentation::Kprobe(Probe { address, offset, symbol: symbol.into() })
        };
        assert_eq!(told(&kprobe("k", KernelLocation::Address(8))), Some(("k".to_owned(), at(8, 0, ""))));
        assert_eq!(told(&kprobe("k", symbol("f".to_owned()))), Some(("k".to_owned(), at(0, 3, "f"))));
        assert_eq!(told(&kprobe("k", symbol("f".repeat(256)))), None);
        for site in [EmissionSite::EntryExit, EmissionSite::Entry, EmissionSite::Exit] {
            let rule = trigger::EventRule::KernelSyscall { site, pattern: "open*".into(), filter: None };
            assert_eq!(told(&rule), Some(("open*".to_owned(), Instrumentation::Syscall(site))));
        }
        let tracepoint = |pattern: &str| trigger::EventRule::KernelTracepoint {
            pattern: pattern.into(),
            filter: Some("a == 1".into()),
        };
        assert_eq!(told(&tracepoint("sched_*")), Some(("sched_*".to_owned(), Instrumentation::Tracepoint)));
        assert!(told(&tracepoint(&"p".repeat(255))).is_some());
        assert_eq!(told(&tracepoint(&"p".repeat(256))), None);
    }

    #[test]
    fn uprobes_have_the_descriptor_of_their_binary() {
        let place = crate::client::ProbeLocation::Function {
            function: "main".to_owned(),
            binary: "/bin/true".to_owned(),
            elf: true,
        };
        let location = trigger::UserspaceLocation { place, binary: None };
        let rule = trigger::EventRule::KernelUprobe { name: "u".into(), location };
        assert_eq!(told(&rule), Some(("u".to_owned(), Instrumentation::Uprobe { descriptor: 5 })));
    }

    #[test]
    fn the_kernel_is_told_nothing_of_user_space() {
        let pattern = Text::from("a:*");
        let (filter, log_level, exclusions) = (None, None, Vec::new());
        assert_eq!(
            told(&trigger::EventRule::UserTracepoint { pattern, filter, log_level, exclusions }),
            None
        );
    }
}
