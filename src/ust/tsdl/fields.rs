// SPDX-License-Identifier: GPL-2.0-only
//! Field descriptors as TSDL declarations.
//!
//! Every name gets one `_` in front. Nothing may be reordered or padded here except where a descriptor says
//! so: the application has fixed the layout already.

use std::fmt::{self, Write};
use std::slice;

use lttng_protocol::Text;
use lttng_protocol::ust::field::{Basic, Encoding, Field, FieldKind, Float, Integer, LegacyEnum};
use lttng_protocol::ust::notify::EnumValue;
use lttng_protocol::ust::registration::ByteOrder;

use super::{Block, Error, Quoted, Types, byte_order};

/// Indentation of the outermost declarations.
const TOP: usize = 2;
/// Deepest indentation: a variant inside a variant calls this code again, and the stack is finite.
const DEEPEST: usize = 16;

/// Appends the declarations of all `fields`.
pub(super) fn write(types: Types<'_>, fields: &[Field], block: &mut Block) -> Result<(), Error> {
    let mut declarations = Declarations { types, fields: fields.iter(), block };
    while let Some(field) = declarations.fields.next() {
        declarations.declare(field, TOP)?;
    }
    Ok(())
}

/// A walk through descriptors: each declaration takes those of its parts from `fields`.
struct Declarations<'a> {
    types: Types<'a>,
    fields: slice::Iter<'a, Field>,
    block: &'a mut Block,
}

impl Declarations<'_> {
    /// Declares one field with all its parts.
    fn declare(&mut self, field: &Field, depth: usize) -> Result<(), Error> {
        let Field { name, kind } = field;
        let name = Identifier(name);
        let tabs = Tabs(depth);
        let order = self.types.byte_order;
        match kind {
            FieldKind::Integer(integer) => writeln!(self.block, "{tabs}{} _{name};", Int(integer, order))?,
            FieldKind::Float(float) => {
                // No such type exists, and a reader that divides by it would fail on the whole trace.
                if float.mantissa == 0 {
                    return Err(Error::Layout);
                }
                writeln!(self.block, "{tabs}{} _{name};", Floating(float, order))?;
            }
            FieldKind::String(Encoding::ASCII) => {
                writeln!(self.block, "{tabs}string {{ encoding = ASCII; }} _{name};")?;
            }
            FieldKind::String(_) => writeln!(self.block, "{tabs}string _{name};")?,
            FieldKind::Array { length, alignment } => {
                self.pad(name, *alignment, depth)?;
                let element = self.next_integer()?;
                writeln!(self.block, "{tabs}{} _{name}[{length}];", Int(&element, order))?;
            }
            FieldKind::Sequence { length_name, alignment } => {
                self.pad(name, *alignment, depth)?;
                let element = self.next_integer()?;
                writeln!(
                    self.block,
                    "{tabs}{} _{name}[ _{} ];",
                    Int(&element, order),
                    Identifier(length_name)
                )?;
            }
            FieldKind::LegacyArray { element, length } => {
                writeln!(self.block, "{tabs}{} _{name}[{length}];", Int(integer(element)?, order))?;
            }
            FieldKind::LegacySequence { length, element } => {
                writeln!(self.block, "{tabs}{} __{name}_length;", Int(integer(length)?, order))?;
                let element = Int(integer(element)?, order);
                writeln!(self.block, "{tabs}{element} _{name}[ __{name}_length ];")?;
            }
            FieldKind::Enum { name: _, id } => {
                let container = self.next_integer()?;
                self.declare_enum(name, *id, &container, depth)?;
            }
            FieldKind::LegacyEnum(legacy) => {
                let LegacyEnum { id, container, .. } = legacy.as_ref();
                self.declare_enum(name, *id, container, depth)?;
            }
            FieldKind::Variant { choices, tag, alignment } => {
                self.pad(name, *alignment, depth)?;
                self.declare_variant(name, tag, *choices, depth)?;
            }
            FieldKind::LegacyVariant { choices, tag } => self.declare_variant(name, tag, *choices, depth)?,
            FieldKind::Struct { fields: 0, alignment: 0 } | FieldKind::LegacyStruct { fields: 0 } => {
                writeln!(self.block, "{tabs}struct {{}} _{name};")?;
            }
            FieldKind::Struct { fields: 0, alignment } => {
                writeln!(self.block, "{tabs}struct {{}} align({}) _{name};", bits(*alignment))?;
            }
            FieldKind::Struct { .. } | FieldKind::LegacyStruct { .. } | FieldKind::Unknown(_) => {
                return Err(Error::Layout);
            }
        }
        Ok(())
    }

    /// Takes the descriptor of an element or a container.
    fn next_integer(&mut self) -> Result<Integer, Error> {
        match self.fields.next().ok_or(Error::Incomplete)?.kind {
            FieldKind::Integer(integer) => Ok(integer),
            _ => Err(Error::Layout),
        }
    }

    /// Declares an empty structure that has the alignment which the next declaration cannot express.
    fn pad(&mut self, name: Identifier<'_>, alignment: u32, depth: usize) -> Result<(), Error> {
        if alignment != 0 {
            writeln!(self.block, "{}struct {{ }} align({}) _{name}_padding;", Tabs(depth), bits(alignment))?;
        }
        Ok(())
    }

    /// Declares an enumeration. Its container never says its byte order, as in the reference.
    fn declare_enum(
        &mut self,
        name: Identifier<'_>,
        id: u64,
        container: &Integer,
        depth: usize,
    ) -> Result<(), Error> {
        let tabs = Tabs(depth);
        let id = usize::try_from(id).map_err(|_| Error::UnknownEnum)?;
        let entries = self.types.enums.get(id).ok_or(Error::UnknownEnum)?;
        let container = Integer { reverse_byte_order: false, ..*container };
        writeln!(self.block, "{tabs}enum : {} {{", Int(&container, self.types.byte_order))?;
        for entry in entries {
            write!(self.block, "{tabs}\t\"{}\"", Quoted(entry.label.as_bytes()))?;
            if !entry.auto {
                write!(self.block, " = {}", Value(entry.start))?;
                if entry.start != entry.end {
                    write!(self.block, " ... {}", Value(entry.end))?;
                }
            }
            self.block.write_str(",\n")?;
        }
        writeln!(self.block, "{tabs}}} _{name};")?;
        Ok(())
    }

    fn declare_variant(
        &mut self,
        name: Identifier<'_>,
        tag: &Text,
        choices: u32,
        depth: usize,
    ) -> Result<(), Error> {
        if depth >= DEEPEST {
            return Err(Error::Layout);
        }
        let tabs = Tabs(depth);
        writeln!(self.block, "{tabs}variant <_{}> {{", Identifier(tag))?;
        for _ in 0..choices {
            let choice = self.fields.next().ok_or(Error::Incomplete)?;
            self.declare(choice, depth.saturating_add(1))?;
        }
        writeln!(self.block, "{tabs}}} _{name};")?;
        Ok(())
    }
}

/// The only basic type that elements and lengths can have.
fn integer(basic: &Basic) -> Result<&Integer, Error> {
    match basic {
        Basic::Integer(integer) => Ok(integer),
        _ => Err(Error::Layout),
    }
}

/// Additional alignments are in bytes, TSDL wants bits.
fn bits(alignment: u32) -> u64 {
    u64::from(alignment).saturating_mul(8)
}

/// Indentation.
#[derive(Clone, Copy)]
struct Tabs(usize);

impl fmt::Display for Tabs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.0).try_for_each(|_| f.write_char('\t'))
    }
}

/// A name with `_` for what TSDL does not allow: application contexts have `$`, `.` and `:` in theirs and whatever
/// their user chose. One bad name would make the whole trace unreadable.
#[derive(Clone, Copy)]
pub(super) struct Identifier<'a>(pub &'a Text);

impl fmt::Display for Identifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_bytes().utf8_chunks().try_for_each(|chunk| {
            f.write_str(&chunk.valid().replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_"))?;
            chunk.invalid().iter().try_for_each(|_| f.write_char('_'))
        })
    }
}

/// An integer type in a registry of the given byte order.
struct Int<'a>(&'a Integer, ByteOrder);

impl fmt::Display for Int<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Integer { size, signed, reverse_byte_order, base, encoding, alignment } = *self.0;
        let signed = u8::from(signed);
        let encoding = match encoding {
            Encoding::NONE => "none",
            Encoding::UTF8 => "UTF8",
            _ => "ASCII",
        };
        write!(f, "integer {{ size = {size}; align = {alignment}; signed = {signed};")?;
        write!(f, " encoding = {encoding}; base = {base};{} }}", Reversed(reverse_byte_order, self.1))
    }
}

/// A floating point type in a registry of the given byte order.
struct Floating<'a>(&'a Float, ByteOrder);

impl fmt::Display for Floating<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Float { exponent, mantissa, reverse_byte_order, alignment } = *self.0;
        write!(f, "floating_point {{ exp_dig = {exponent}; mant_dig = {mantissa};")?;
        write!(f, " align = {alignment};{} }}", Reversed(reverse_byte_order, self.1))
    }
}

/// The byte order attribute, if it is not the registry's.
struct Reversed(bool, ByteOrder);

impl fmt::Display for Reversed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 { write!(f, " byte_order = {};", byte_order(self.1.reversed())) } else { Ok(()) }
    }
}

/// A value of an enumeration.
struct Value(EnumValue);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EnumValue { value, signed } = self.0;
        if signed { write!(f, "{}", i64::from_ne_bytes(value.to_ne_bytes())) } else { write!(f, "{value}") }
    }
}
