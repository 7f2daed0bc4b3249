// SPDX-License-Identifier: GPL-2.0-only
//! Where in a program's file a probe sits: the place of a function, or those of an SDT probe.
//!
//! The file is a user's and may hold anything. It is read in pieces through [`Source`], each part once and from front to
//! back, so that neither memory nor time grow beyond its size; and whatever it holds, there is an answer or an
//! [`Error`]. Nothing here opens a file, follows a link to debug information, or looks at machine code.
//!
//! Which symbol or note counts is as with the original: the first function of that name, in `.symtab` or else in
//! `.dynsym`, sections known by their names; only what lies in `.text`; no probe with a semaphore, for the kernel tracer
//! does not count it up. Unlike the original this honours the size of addresses in notes and the byte order of the file.
//!
//! A library would only take over the reading of the structures, a third of this. `object`, the best kept one, wants to
//! lend out whole sections, so that a symbol table of half a gigabyte would have to be in memory.
//!
//! Reference: `protocol/doc/kernel-tracer.md`, 12.

use std::fmt;

use crate::codec::{self, Reader};
use crate::ust::registration::ByteOrder;

/// The most places of one SDT probe.
pub const MAX_OFFSETS: usize = 32;
/// Bytes of the largest section that is read.
const MAX_SECTION: u64 = 512 << 20;
/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// The most symbols of one name that are told apart, of whatever type. Some linkers store a name once for each.
const MAX_NAMESAKES: usize = 1 << 20;

/// A file.
pub trait Source {
    /// Why it can't be read.
    type Error;

    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Fills `buffer` with what stands from byte `offset` on. Never asked for more than there is.
    ///
    /// # Errors
    ///
    /// It can't be read, or has become shorter.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Self::Error>;
}

/// Why there is no place for a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error<E> {
    /// The file can't be read.
    Read(E),
    /// It is no ELF file, or not a sound one; what is wrong with it.
    Malformed(&'static str),
    /// There is no such function, or no such SDT probe.
    NotFound,
    /// It does not lie in `.text`, or is only named there and lies in another file.
    OutsideText,
    /// The SDT probe is guarded by a semaphore.
    Semaphore,
    /// The SDT probe has more than [`MAX_OFFSETS`] places.
    TooMany,
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Read(error) => write!(f, "the file can't be read: {error}"),
            Error::Malformed(what) => write!(f, "not a sound ELF file: {what}"),
            Error::NotFound => f.write_str("there is no such function or probe"),
            Error::OutsideText => f.write_str("it does not lie in the text section"),
            Error::Semaphore => f.write_str("the probe has a semaphore"),
            Error::TooMany => write!(f, "the probe has more than {MAX_OFFSETS} places"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Error<E> {}

impl<E> From<codec::Error> for Error<E> {
    fn from(error: codec::Error) -> Self {
        Error::Malformed(error.what)
    }
}

/// Offset in the file of the function `name`.
///
/// # Errors
///
/// See [`Error`].
pub fn function_offset<S: Source>(source: S, name: &[u8]) -> Result<u64, Error<S::Error>> {
    let mut elf = Elf::open(source)?;
    let (symbols, names) = match elf.sections.symtab {
        Some(symbols) => (symbols, elf.sections.strtab),
        None => (elf.sections.dynsym.ok_or(Error::NotFound)?, elf.sections.dynstr),
    };
    let names = names.ok_or(Error::Malformed("symbols without a string table"))?;
    let value = elf.function_value(symbols, names, name)?;
    elf.file_offset(value)
}

/// Offsets in the file of the SDT probe `provider:probe`, in the order of the notes about it; at least one, and no more
/// than [`MAX_OFFSETS`].
///
/// # Errors
///
/// See [`Error`].
pub fn probe_offsets<S: Source>(
    source: S,
    provider: &[u8],
    probe: &[u8],
) -> Result<Vec<u64>, Error<S::Error>> {
    let mut elf = Elf::open(source)?;
    let notes = elf.sections.notes.ok_or(Error::NotFound)?;
    let addresses = elf.probe_addresses(notes, provider, probe)?;
    if addresses.is_empty() {
        return Err(Error::NotFound);
    }
    addresses.into_iter().map(|address| elf.file_offset(address)).collect()
}

/// How numbers are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    order: ByteOrder,
    /// Addresses have 64 bits, not 32.
    wide: bool,
}

impl Format {
    fn u16(self, reader: &mut Reader<'_>) -> codec::Result<u16> {
        let bytes = reader.array()?;
        Ok(if self.order == ByteOrder::Big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(self, reader: &mut Reader<'_>) -> codec::Result<u32> {
        let bytes = reader.array()?;
        Ok(if self.order == ByteOrder::Big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// An address, or a number as large.
    fn word(self, reader: &mut Reader<'_>) -> codec::Result<u64> {
        if !self.wide {
            return self.u32(reader).map(u64::from);
        }
        let bytes = reader.array()?;
        Ok(if self.order == ByteOrder::Big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// Size of the file's header, of a section's, of a symbol.
    fn sizes(self) -> (usize, usize, usize) {
        if self.wide { (64, 64, 24) } else { (52, 40, 16) }
    }
}

/// What the file's header says.
#[derive(Debug, Clone, Copy)]
struct Header {
    machine: u16,
    /// Offset of the section headers.
    table: u64,
    /// Size of a section header.
    stride: u16,
    /// Number of section headers.
    count: u16,
    /// Which of them is that of the names.
    names: u16,
}

impl Header {
    fn decode(format: Format, bytes: &[u8]) -> codec::Result<Header> {
        let mut reader = Reader::new("file header", bytes);
        reader.skip(IDENTITY + 2)?; // type
        let machine = format.u16(&mut reader)?;
        reader.skip(4)?; // version
        format.word(&mut reader)?; // entry
        format.word(&mut reader)?; // program headers
        let table = format.word(&mut reader)?;
        reader.skip(10)?; // flags, size of the header, size and number of program headers
        let stride = format.u16(&mut reader)?;
        Ok(Header {
            machine,
            table,
            stride,
            count: format.u16(&mut reader)?,
            names: format.u16(&mut reader)?,
        })
    }
}

/// What a section's header says.
#[derive(Debug, Clone, Copy)]
struct Section {
    name: u32,
    address: u64,
    offset: u64,
    size: u64,
    entry_size: u64,
}

impl Section {
    fn decode(format: Format, bytes: &[u8]) -> codec::Result<Section> {
        let mut reader = Reader::new("section header", bytes);
        let name = format.u32(&mut reader)?;
        format.u32(&mut reader)?; // type
        format.word(&mut reader)?; // flags
        let address = format.word(&mut reader)?;
        let offset = format.word(&mut reader)?;
        let size = format.word(&mut reader)?;
        format.u32(&mut reader)?; // link
        format.u32(&mut reader)?; // information
        format.word(&mut reader)?; // alignment
        let entry_size = format.word(&mut reader)?;
        Ok(Section { name, address, offset, size, entry_size })
    }
}

/// The sections that count: the first of each name.
#[derive(Debug, Default)]
struct Sections {
    text: Option<Section>,
    symtab: Option<Section>,
    strtab: Option<Section>,
    dynsym: Option<Section>,
    dynstr: Option<Section>,
    notes: Option<Section>,
}

impl Sections {
    /// Longest name with its NUL.
    const NAME_LEN: usize = 14;

    /// The place of a section whose name `bytes` begins with.
    fn place(&mut self, bytes: &[u8]) -> Option<&mut Option<Section>> {
        let length = bytes.iter().position(|&byte| byte == 0)?;
        match bytes.get(..length)? {
            b".text" => Some(&mut self.text),
            b".symtab" => Some(&mut self.symtab),
            b".strtab" => Some(&mut self.strtab),
            b".dynsym" => Some(&mut self.dynsym),
            b".dynstr" => Some(&mut self.dynstr),
            b".note.stapsdt" => Some(&mut self.notes),
            _ => None,
        }
    }
}

/// A file of which one piece is held.
struct Pieces<S> {
    source: S,
    start: u64,
    bytes: Vec<u8>,
}

impl<S: Source> Pieces<S> {
    /// The bytes from `offset` on, `length` of them, no more than a [`PIECE`].
    fn get(&mut self, offset: u64, length: usize) -> Result<&[u8], Error<S::Error>> {
        let held = |start: u64| {
            let from = usize::try_from(offset.checked_sub(start)?).ok()?;
            Some(from..from.checked_add(length)?)
        };
        if held(self.start).is_none_or(|range| range.end > self.bytes.len()) {
            let left = self.source.size().saturating_sub(offset);
            if left < length as u64 {
                return Err(Error::Malformed("it ends early"));
            }
            let piece = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            self.bytes.clear();
            self.bytes.resize(piece, 0);
            if let Err(error) = self.source.read(offset, &mut self.bytes) {
                self.bytes.clear();
                return Err(Error::Read(error));
            }
            self.start = offset;
        }
        held(self.start).and_then(|range| self.bytes.get(range)).ok_or(Error::Malformed("it ends early"))
    }
}

/// An opened file.
struct Elf<S> {
    pieces: Pieces<S>,
    format: Format,
    /// Lowest bit of a function's address says which instruction set it is in.
    tagged_addresses: bool,
    sections: Sections,
}

impl<S: Source> Elf<S> {
    fn open(source: S) -> Result<Self, Error<S::Error>> {
        let mut pieces = Pieces { source, start: 0, bytes: Vec::new() };
        let format = match pieces.get(0, IDENTITY) {
            Ok([0x7F, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), 1, ..]) => Format {
                order: if *order == 2 { ByteOrder::Big } else { ByteOrder::Little },
                wide: *class == 2,
            },
            Ok(_) | Err(Error::Malformed(_)) => return Err(Error::Malformed("it does not begin like one")),
            Err(error) => return Err(error),
        };
        let (header_size, section_size, _) = format.sizes();
        let header = Header::decode(format, pieces.get(0, header_size)?)?;
        if usize::from(header.stride) != section_size {
            return Err(Error::Malformed("section headers of another size"));
        }
        if header.names >= header.count {
            return Err(Error::Malformed("sections without names"));
        }
        let tagged_addresses = header.machine == ARM;
        let mut elf = Elf { pieces, format, tagged_addresses, sections: Sections::default() };
        let names = elf.section(&header, header.names)?;
        for index in 0..header.count {
            let section = elf.section(&header, index)?;
            let mut name = [b'?'; Sections::NAME_LEN];
            elf.name(names, section, &mut name)?;
            if let Some(place @ None) = elf.sections.place(&name) {
                *place = Some(section);
            }
        }
        Ok(elf)
    }

    fn section(&mut self, header: &Header, index: u16) -> Result<Section, Error<S::Error>> {
        // Both factors have 16 bits.
        let distance = u64::from(index) * u64::from(header.stride);
        let offset = header.table.checked_add(distance).ok_or(Error::Malformed("no section headers"))?;
        Ok(Section::decode(self.format, self.pieces.get(offset, header.stride.into())?)?)
    }

    /// Reads the beginning of a section's name, as far as there is one. Not by the piece, which goes on through the
    /// headers.
    fn name(
        &mut self,
        names: Section,
        section: Section,
        name: &mut [u8; Sections::NAME_LEN],
    ) -> Result<(), Error<S::Error>> {
        let end = names.offset.saturating_add(names.size).min(self.pieces.source.size());
        let offset = names.offset.saturating_add(section.name.into());
        let left = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        match name.get_mut(..left.min(Sections::NAME_LEN)) {
            Some(readable @ [_, ..]) => self.pieces.source.read(offset, readable).map_err(Error::Read),
            _ => Ok(()),
        }
    }

    /// Where a section ends, after a check that all of it is there and may be read.
    fn end(&self, section: Section) -> Result<u64, Error<S::Error>> {
        let size = self.pieces.source.size();
        match section.offset.checked_add(section.size) {
            Some(end) if section.size <= MAX_SECTION && end <= size => Ok(end),
            _ => Err(Error::Malformed("section too large")),
        }
    }

    /// The value of the first function of that name.
    fn function_value(
        &mut self,
        symbols: Section,
        names: Section,
        name: &[u8],
    ) -> Result<u64, Error<S::Error>> {
        let (_, _, symbol_size) = self.format.sizes();
        if symbols.entry_size != symbol_size as u64 {
            return Err(Error::Malformed("symbols of another size"));
        }
        let namesakes = self.places_of(names, name)?;
        if namesakes.is_empty() {
            return Err(Error::NotFound);
        }
        let end = self.end(symbols)?;
        let (format, mut offset) = (self.format, symbols.offset);
        while end.saturating_sub(offset) >= symbol_size as u64 {
            let mut reader = Reader::new("symbol", self.pieces.get(offset, symbol_size)?);
            let name = format.u32(&mut reader)?;
            let (info, value);
            if format.wide {
                info = reader.u8()?;
                reader.skip(3)?; // visibility, section
                value = format.word(&mut reader)?;
            } else {
                value = format.word(&mut reader)?;
                reader.skip(4)?; // size
                info = reader.u8()?;
            }
            if info & 0xF == FUNCTION && namesakes.binary_search(&name).is_ok() {
                return Ok(value);
            }
            offset = offset.saturating_add(symbol_size as u64);
        }
        Err(Error::NotFound)
    }

    /// Where in a string table `name` stands, ascending: also as the end of another. The string at 0 is nobody's name.
    fn places_of(&mut self, table: Section, name: &[u8]) -> Result<Vec<u32>, Error<S::Error>> {
        let end = self.end(table)?;
        // The bytes before the one that is looked at, as many as a name has.
        let mut before: Vec<u8> = Vec::with_capacity(PIECE.saturating_add(name.len()));
        let (mut places, mut offset) = (Vec::new(), table.offset);
        if name.is_empty() || name.contains(&0) {
            return Ok(places);
        }
        while offset < end {
            let length = usize::try_from(end.saturating_sub(offset)).unwrap_or(PIECE).min(PIECE);
            let kept = before.len();
            before.extend_from_slice(self.pieces.get(offset, length)?);
            for (at, _) in before.iter().enumerate().skip(kept).filter(|(_, byte)| **byte == 0) {
                if !before.get(..at).unwrap_or_default().ends_with(name) {
                    continue;
                }
                let position = offset.saturating_sub(table.offset).saturating_add(at as u64);
                let place = position.saturating_sub(kept as u64).saturating_sub(name.len() as u64);
                match u32::try_from(place) {
                    Ok(0) => {}
                    Ok(place) if places.len() < MAX_NAMESAKES => places.push(place),
                    _ => return Err(Error::Malformed("too many equal names")),
                }
            }
            offset = offset.saturating_add(length as u64);
            before.drain(..before.len().saturating_sub(name.len()));
        }
        Ok(places)
    }

    /// The addresses in the notes about an SDT probe.
    fn probe_addresses(
        &mut self,
        notes: Section,
        provider: &[u8],
        probe: &[u8],
    ) -> Result<Vec<u64>, Error<S::Error>> {
        let (end, format) = (self.end(notes)?, self.format);
        let wanted = [provider, b"\0", probe, b"\0"].concat();
        let word = if format.wide { 8 } else { 4 };
        let description = wanted.len().saturating_add(3 * word);
        let (mut addresses, mut offset) = (Vec::new(), notes.offset);
        if [provider, probe].iter().any(|name| name.is_empty() || name.contains(&0)) {
            return Ok(addresses);
        }
        while offset < end {
            let left = end.saturating_sub(offset);
            if left < NOTE_HEADER {
                return Err(Error::Malformed("note cut off"));
            }
            let mut reader = Reader::new("note", self.pieces.get(offset, NOTE_HEADER as usize)?);
            let (name_size, description_size) = (format.u32(&mut reader)?, format.u32(&mut reader)?);
            let kind = format.u32(&mut reader)?;
            let padded = |size: u32| u64::from(size).next_multiple_of(4);
            let description_at = NOTE_HEADER + padded(name_size);
            if name_size == 0 || description_at + u64::from(description_size) > left {
                return Err(Error::Malformed("note cut off"));
            }
            let needed = usize::try_from(description_size).unwrap_or(usize::MAX);
            // Text after the two names is about arguments.
            if kind == SDT_NOTE && name_size as usize == SDT_NAME.len() && needed >= description {
                let name = offset.saturating_add(NOTE_HEADER);
                let mut reader =
                    Reader::new("note", self.pieces.get(name, SDT_NAME.len().saturating_add(description))?);
                let is_sdt = reader.bytes(SDT_NAME.len())? == SDT_NAME;
                let address = format.word(&mut reader)?;
                format.word(&mut reader)?; // base
                let semaphore = format.word(&mut reader)?;
                if is_sdt && reader.bytes(wanted.len())? == wanted {
                    match semaphore {
                        0 if addresses.len() < MAX_OFFSETS => addresses.push(address),
                        0 => return Err(Error::TooMany),
                        _ => return Err(Error::Semaphore),
                    }
                }
            }
            offset = offset.saturating_add(description_at + padded(description_size));
        }
        Ok(addresses)
    }

    /// Where an address of `.text` is in the file. Its end still counts.
    fn file_offset(&self, address: u64) -> Result<u64, Error<S::Error>> {
        let text = self.sections.text.ok_or(Error::OutsideText)?;
        let inside = address.checked_sub(text.address).filter(|&inside| inside <= text.size);
        let offset = inside.and_then(|inside| text.offset.checked_add(inside)).ok_or(Error::OutsideText)?;
        Ok(if self.tagged_addresses { offset & !1 } else { offset })
    }
}

/// Bytes that say how the others are to be read.
const IDENTITY: usize = 16;
/// `EM_ARM`.
const ARM: u16 = 40;
/// `STT_FUNC`.
const FUNCTION: u8 = 2;
/// Bytes before the name of a note: size of the name, of the description, type (u32 each).
const NOTE_HEADER: u64 = 12;
/// Type of the notes about SDT probes.
const SDT_NOTE: u32 = 3;
/// Their name. Its size needs no padding.
const SDT_NAME: &[u8] = b"stapsdt\0";
