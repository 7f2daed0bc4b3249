// SPDX-License-Identifier: GPL-2.0-only
//! CTF metadata (TSDL) of user space traces: the header, stream blocks and event blocks.
//!
//! The text is byte-identical to that of lttng-tools 2.13 (`src/bin/lttng-sessiond/ust-metadata.c`), tabs and
//! blanks included, because readers other than babeltrace2 were written against it. An application chooses
//! the field descriptors, so a block has a maximum size and a maximum depth, and a block that cannot be
//! written is an error, never half a block.

mod fields;
pub mod readable;

use std::fmt::{self, Write};

use lttng_protocol::Text;
use lttng_protocol::ust::command::TracerVersion;
use lttng_protocol::ust::field::Field;
use lttng_protocol::ust::notify::{EnumEntry, RegisterEvent};
use lttng_protocol::ust::registration::{Alignments, ByteOrder};

/// Largest block, in bytes. Every use of an enumeration repeats its labels, so a small message of an
/// application can ask for a block of any size.
const MAX_BLOCK_SIZE: usize = 4 << 20;

/// All that the header of the text depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Identity of the registry, also in every packet of the trace.
    pub uuid: [u8; 16],
    /// Byte order of the applications.
    pub byte_order: ByteOrder,
    /// Alignment of the basic types in the applications.
    pub alignments: Alignments,
    /// Size of `long` in the applications, 32 or 64.
    pub bits_per_long: u32,
    /// Version of lttng-ust in the application that came first.
    pub tracer: TracerVersion,
    /// Who shares the buffers.
    pub scheme: Scheme,
    /// Name of the session, `auto` if the daemon chose it.
    pub trace_name: String,
    /// When the session was created: local time as `%Y%m%dT%H%M%S%z`.
    pub created: String,
    /// Name of the host when the session was created.
    pub hostname: Text,
    /// The clock of the time stamps.
    pub clock: Clock,
}

/// Who shares the buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// All applications of one user.
    PerUid { uid: u32 },
    /// Nobody: they belong to one application.
    PerPid {
        pid: i32,
        /// Its process name.
        name: Text,
        /// When it registered: local time as `%Y%m%dT%H%M%S%z`.
        registered: String,
    },
}

/// The clock of the time stamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Name, usually `monotonic`.
    pub name: String,
    /// What tells this clock from those of other hosts and boots, if that is known.
    pub uuid: Option<String>,
    /// One line for people.
    pub description: String,
    /// Ticks per second.
    pub freq: u64,
    /// Value of the real time clock, in ticks since the epoch, when this clock is 0.
    pub offset: i64,
}

/// Why a block cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// A descriptor of a kind, or in a place, that TSDL text of 2.13 has no form for.
    Layout,
    /// The descriptors end inside a compound type.
    Incomplete,
    /// An enumeration that is not registered.
    UnknownEnum,
    /// The block would be too large.
    TooLarge,
}

impl Error {
    /// The negative errno that the application is answered with.
    pub fn errno(self) -> i32 {
        match self {
            Error::Layout | Error::TooLarge => -libc::EINVAL,
            Error::Incomplete => -libc::EOVERFLOW,
            Error::UnknownEnum => -libc::ENOENT,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Layout => "a field type that cannot be described",
            Error::Incomplete => "field descriptors end too early",
            Error::UnknownEnum => "an enumeration that is not registered",
            Error::TooLarge => "metadata block too large",
        })
    }
}

impl std::error::Error for Error {}

/// Blocks are the only text here that can fail to be written, and for one reason: their limit.
impl From<fmt::Error> for Error {
    fn from(_: fmt::Error) -> Self {
        Error::TooLarge
    }
}

/// What descriptors mean beyond themselves: the registry's byte order, and its enumerations by id.
#[derive(Debug, Clone, Copy)]
pub struct Types<'a> {
    /// Byte order of the registry.
    pub byte_order: ByteOrder,
    /// Entries of each enumeration.
    pub enums: &'a [Box<[EnumEntry]>],
}

/// Text that refuses to grow beyond [`MAX_BLOCK_SIZE`].
#[derive(Default)]
struct Block(String);

impl Write for Block {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > MAX_BLOCK_SIZE.saturating_sub(self.0.len()) {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// The stream block of a channel with large event headers.
///
/// # Errors
///
/// The contexts cannot be described.
pub fn stream(types: Types<'_>, chan_id: u32, contexts: &[Field]) -> Result<String, Error> {
    let mut block = Block::default();
    write!(
        block,
        "stream {{\n\tid = {chan_id};\n\tevent.header := struct event_header_large;\n\
         \tpacket.context := struct packet_context;\n"
    )?;
    if !contexts.is_empty() {
        block.write_str("\tevent.context := struct {\n")?;
        fields::write(types, contexts, &mut block)?;
        block.write_str("\t};\n")?;
    }
    block.write_str("};\n\n")?;
    Ok(block.0)
}

/// The event block of event `id` in channel `chan_id`.
///
/// # Errors
///
/// The fields cannot be described.
pub fn event(types: Types<'_>, chan_id: u32, id: u32, event: &RegisterEvent) -> Result<String, Error> {
    let RegisterEvent { loglevel, .. } = event;
    let name = Quoted(event.name.as_bytes());
    let mut block = Block::default();
    writeln!(block, "event {{\n\tname = \"{name}\";\n\tid = {id};\n\tstream_id = {chan_id};")?;
    // Readers give up on a negative one. It says nothing that LTTng defines.
    if *loglevel >= 0 {
        writeln!(block, "\tloglevel = {loglevel};")?;
    }
    if let Some(uri) = &event.model_emf_uri {
        writeln!(block, "\tmodel.emf.uri = \"{}\";", Quoted(uri.as_bytes()))?;
    }
    block.write_str("\tfields := struct {\n")?;
    fields::write(types, &event.fields, &mut block)?;
    block.write_str("\t};\n};\n\n")?;
    Ok(block.0)
}

/// The event block of an event that never occurs, with an id that no event gets. babeltrace2 aborts on contexts with a
/// sequence or a variant if their channel has no event at all.
pub fn placeholder(chan_id: u32) -> String {
    let id = u32::MAX;
    format!(
        "event {{\n\tname = \"lttng_sessiond:none\";\n\tid = {id};\n\tstream_id = {chan_id};\n\
         \tfields := struct {{\n\t}};\n}};\n\n"
    )
}

/// The inside of a string: `\` and `"` with a `\` in front, no end of a line, control characters and bytes that are not
/// UTF-8 as octal numbers (babeltrace2 takes one digit only of a hexadecimal one). So the text as a whole is UTF-8, and
/// what a reader makes of it are the bytes that were given.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.utf8_chunks().try_for_each(|chunk| {
            chunk.valid().chars().try_for_each(|c| match c {
                '\\' | '"' => write!(f, "\\{c}"),
                '\n' => f.write_str("\\n"),
                '\0'..='\x1f' | '\x7f' => write!(f, "\\{:03o}", u32::from(c)),
                other => f.write_char(other),
            })?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\{byte:03o}"))
        })
    }
}

/// A UUID in its usual form.
struct Uuid<'a>(&'a [u8; 16]);

impl fmt::Display for Uuid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_char('-')?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Header {
    /// The whole header text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_trace(f)?;
        self.write_env(f)?;
        self.clock.write(f)?;
        self.write_types(f)
    }
}

impl Header {
    /// The basic types and the trace block.
    fn write_trace(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Alignments { uint8, uint16, uint32, uint64, long } = self.alignments;
        f.write_str("/* CTF 1.8 */\n\n")?;
        let named = |bits| format!("uint{bits}_t");
        let types = [
            (8, uint8, named(8)),
            (16, uint16, named(16)),
            (32, uint32, named(32)),
            (64, uint64, named(64)),
            (self.bits_per_long, long, "unsigned long".to_owned()),
            (5, 1, named(5)),
            (27, 1, named(27)),
        ];
        for (size, align, name) in types {
            writeln!(
                f,
                "typealias integer {{ size = {size}; align = {align}; signed = false; }} := {name};"
            )?;
        }
        let byte_order = byte_order(self.byte_order);
        let uuid = Uuid(&self.uuid);
        write!(
            f,
            "
trace {{
	major = 1;
	minor = 8;
	uuid = \"{uuid}\";
	byte_order = {byte_order};
	packet.header := struct {{
		uint32_t magic;
		uint8_t  uuid[16];
		uint32_t stream_id;
		uint64_t stream_instance_id;
	}};
}};

"
        )
    }

    /// The environment block.
    fn write_env(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TracerVersion { major, minor, patchlevel } = self.tracer;
        let (scheme, id) = match &self.scheme {
            Scheme::PerUid { uid } => ("uid", i64::from(*uid)),
            Scheme::PerPid { pid, .. } => ("pid", i64::from(*pid)),
        };
        writeln!(f, "env {{\n\tdomain = \"ust\";\n\ttracer_name = \"lttng-ust\";")?;
        writeln!(f, "\ttracer_major = {major};\n\ttracer_minor = {minor};")?;
        writeln!(f, "\ttracer_buffering_scheme = \"{scheme}\";\n\ttracer_buffering_id = {id};")?;
        writeln!(f, "\tarchitecture_bit_width = {};", self.bits_per_long)?;
        writeln!(f, "\ttrace_name = \"{}\";", Quoted(self.trace_name.as_bytes()))?;
        writeln!(f, "\ttrace_creation_datetime = \"{}\";", self.created)?;
        writeln!(f, "\thostname = \"{}\";", Quoted(self.hostname.as_bytes()))?;
        if let Scheme::PerPid { pid, name, registered } = &self.scheme {
            writeln!(f, "\ttracer_patchlevel = {patchlevel};\n\tvpid = {pid};")?;
            writeln!(
                f,
                "\tprocname = \"{}\";\n\tvpid_datetime = \"{registered}\";",
                Quoted(name.as_bytes())
            )?;
        }
        f.write_str("};\n\n")
    }

    /// The types of time stamps, and the structures of packets and event headers.
    fn write_types(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Alignments { uint16, uint32, uint64, .. } = self.alignments;
        for (size, align) in [(27, 1), (32, uint32), (64, uint64)] {
            write!(
                f,
                "typealias integer {{
	size = {size}; align = {align}; signed = false;
	map = clock.{}.value;
}} := uint{size}_clock_monotonic_t;

",
                self.clock.name
            )?;
        }
        f.write_str(
            "struct packet_context {
	uint64_clock_monotonic_t timestamp_begin;
	uint64_clock_monotonic_t timestamp_end;
	uint64_t content_size;
	uint64_t packet_size;
	uint64_t packet_seq_num;
	unsigned long events_discarded;
	uint32_t cpu_id;
};

",
        )?;
        write_event_header(f, "compact", ("uint5_t", 31), "uint27", uint32)?;
        write_event_header(f, "large", ("uint16_t", 65535), "uint32", uint16)
    }
}

/// One of the two event headers: `extended` is the id that says that the full id follows.
fn write_event_header(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    (id_type, extended): (&str, u32),
    time_type: &str,
    align: u32,
) -> fmt::Result {
    let last = extended.saturating_sub(1);
    write!(
        f,
        "struct event_header_{name} {{
	enum : {id_type} {{ compact = 0 ... {last}, extended = {extended} }} id;
	variant <id> {{
		struct {{
			{time_type}_clock_monotonic_t timestamp;
		}} compact;
		struct {{
			uint32_t id;
			uint64_clock_monotonic_t timestamp;
		}} extended;
	}} v;
}} align({align});

"
    )
}

impl Clock {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "clock {{\n\tname = \"{}\";", self.name)?;
        if let Some(uuid) = &self.uuid {
            writeln!(f, "\tuuid = \"{uuid}\";")?;
        }
        writeln!(f, "\tdescription = \"{}\";", Quoted(self.description.as_bytes()))?;
        writeln!(f, "\tfreq = {}; /* Frequency, in Hz */", self.freq)?;
        writeln!(f, "\t/* clock value offset from Epoch is: offset * (1/freq) */")?;
        writeln!(f, "\toffset = {};\n}};\n", self.offset)
    }
}

/// The name of a byte order.
fn byte_order(order: ByteOrder) -> &'static str {
    match order {
        ByteOrder::Little => "le",
        ByteOrder::Big => "be",
    }
}

#[cfg(test)]
pub(crate) mod tests;
