// SPDX-License-Identifier: GPL-2.0-only
//! Field descriptors: how an application describes the layout of an event or of a channel's contexts.
//!
//! A list of descriptors is a pre-order walk of the type tree. A descriptor of a compound kind is followed by
//! the descriptors of its parts; this module never looks at that relation, each descriptor stands alone.
//! Layout: `lttng-ust 2.13: include/lttng/ust-ctl.h`.

use super::NAME_SIZE;
use crate::codec::{Error, ErrorKind, Reader, Result, Writer};
use crate::text::Text;

/// Size of the part of a legacy compound descriptor that holds one basic type.
const BASIC_SIZE: usize = 312;

/// Encoding of text: 0 none, 1 UTF-8, any other ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding(pub i32);

impl Encoding {
    /// Not text.
    pub const NONE: Encoding = Encoding(0);
    /// UTF-8.
    pub const UTF8: Encoding = Encoding(1);
    /// ASCII.
    pub const ASCII: Encoding = Encoding(2);
}

/// An integer type; 46 bytes on the wire: size, signedness, reversed byte order, base (u32 each), encoding
/// (i32), alignment (u16), 24 bytes of padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Integer {
    /// Size in bits.
    pub size: u32,
    /// Whether it has a sign.
    pub signed: bool,
    /// Whether its byte order is the opposite of the application's.
    pub reverse_byte_order: bool,
    /// Base to print it in, e.g. 10.
    pub base: u32,
    /// Set if it is one character of a text.
    pub encoding: Encoding,
    /// Alignment in bits.
    pub alignment: u16,
}

/// A floating point type; 38 bytes on the wire: exponent digits, mantissa digits, reversed byte order (u32
/// each), alignment (u16), 24 bytes of padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Float {
    /// Size of the exponent in bits.
    pub exponent: u32,
    /// Size of the mantissa in bits, the implied one included.
    pub mantissa: u32,
    /// Whether its byte order is the opposite of the application's.
    pub reverse_byte_order: bool,
    /// Alignment in bits.
    pub alignment: u16,
}

/// An enumeration with its container in the same descriptor, as applications older than 2.13 send it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LegacyEnum {
    /// Name of the enumeration.
    pub name: Text,
    /// The integer that holds the value.
    pub container: Integer,
    /// Id that the daemon gave when the enumeration was registered.
    pub id: u64,
}

/// The type of an element or a length inside a legacy compound descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Basic {
    /// Kind 0.
    Integer(Integer),
    /// Kind 1.
    Enum(LegacyEnum),
    /// Kind 4.
    String(Encoding),
    /// Kind 5.
    Float(Float),
    /// Any other kind: nothing is known of it, and no event can have it.
    Unknown(u32),
}

/// What a descriptor says about the type of its field. The number is the kind on the wire.
///
/// Two kinds are equal when the reference compares them as equal (`lttng-tools 2.13:
/// src/bin/lttng-sessiond/ust-field-utils.c`): all that is kept here takes part.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// 0.
    Integer(Integer),
    /// 1, from applications older than 2.13.
    LegacyEnum(Box<LegacyEnum>),
    /// 2, from applications older than 2.13.
    LegacyArray {
        /// Type of the elements.
        element: Box<Basic>,
        /// Number of elements.
        length: u32,
    },
    /// 3, from applications older than 2.13.
    LegacySequence {
        /// Type of the number of elements.
        length: Box<Basic>,
        /// Type of the elements.
        element: Box<Basic>,
    },
    /// 4.
    String(Encoding),
    /// 5.
    Float(Float),
    /// 6: followed by `choices` fields. Still sent by 2.13 for application contexts.
    LegacyVariant {
        /// Number of choices.
        choices: u32,
        /// Name of the enumeration field that selects one.
        tag: Text,
    },
    /// 7: followed by `fields` fields.
    LegacyStruct {
        /// Number of fields.
        fields: u32,
    },
    /// 8: followed by the descriptor of the container.
    Enum {
        /// Name of the enumeration.
        name: Text,
        /// Id that the daemon gave when the enumeration was registered.
        id: u64,
    },
    /// 9: followed by the descriptor of the elements.
    Array {
        /// Number of elements.
        length: u32,
        /// Additional alignment in bytes, 0 for none.
        alignment: u32,
    },
    /// 10: followed by the descriptor of the elements.
    Sequence {
        /// Name of the field that holds the number of elements.
        length_name: Text,
        /// Additional alignment in bytes, 0 for none.
        alignment: u32,
    },
    /// 11: followed by `fields` fields.
    Struct {
        /// Number of fields.
        fields: u32,
        /// Additional alignment in bytes, 0 for none.
        alignment: u32,
    },
    /// 12: followed by `choices` fields.
    Variant {
        /// Number of choices.
        choices: u32,
        /// Name of the enumeration field that selects one.
        tag: Text,
        /// Additional alignment in bytes, 0 for none.
        alignment: u32,
    },
    /// Any other kind. It is kept so that one event can be refused without losing the application; what the
    /// descriptor says besides is lost.
    Unknown(u32),
}

/// One field descriptor, 920 bytes: name (256), kind (u32 at 256), a union by kind (632 bytes at 260) and 28
/// bytes of padding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Name of the field; empty for the element or container of the compound descriptor before it.
    pub name: Text,
    /// Type of the field.
    pub kind: FieldKind,
}

impl Field {
    /// Size of a descriptor in bytes.
    pub const LEN: usize = 920;

    /// Decodes one descriptor.
    ///
    /// # Errors
    ///
    /// Another size than [`Field::LEN`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("field descriptor", bytes);
        let name = reader.fixed_text(NAME_SIZE)?;
        let kind = FieldKind::decode(&mut reader)?;
        reader.seek(Self::LEN)?;
        reader.finish()?;
        Ok(Field { name, kind })
    }

    /// Decodes descriptors that stand one after another.
    ///
    /// # Errors
    ///
    /// A size that is not a multiple of [`Field::LEN`].
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Field>> {
        if !bytes.len().is_multiple_of(Self::LEN) {
            let kind = ErrorKind::BadValue(bytes.len() as u64);
            return Err(Error { what: "field descriptors", offset: 0, kind });
        }
        bytes.chunks_exact(Self::LEN).map(Field::decode).collect()
    }

    /// Appends the descriptor.
    pub fn encode(&self, writer: &mut Writer) {
        let end = writer.len().saturating_add(Self::LEN);
        writer.fixed_string(&self.name, NAME_SIZE);
        self.kind.encode(writer);
        writer.pad_to(end);
    }
}

/// Turns the legacy kinds of a context list into those of 2.13, so that applications of both ages can share a
/// channel: array, structure and variant get an alignment of 0, and the element of an array a descriptor of
/// its own. `None` if the list holds what cannot be expressed: a sequence, or an array of other things than
/// integers. (`lttng-tools 2.13: src/bin/lttng-sessiond/ust-app.c`)
pub fn modernize_contexts(fields: &[Field]) -> Option<Vec<Field>> {
    let mut modern = Vec::with_capacity(fields.len());
    for Field { name, kind } in fields {
        let mut element_kind = None;
        let kind = match kind {
            FieldKind::LegacySequence { .. } => return None,
            FieldKind::LegacyArray { element, length } => {
                let Basic::Integer(integer) = **element else { return None };
                element_kind = Some(FieldKind::Integer(integer));
                FieldKind::Array { length: *length, alignment: 0 }
            }
            FieldKind::LegacyStruct { fields } => FieldKind::Struct { fields: *fields, alignment: 0 },
            FieldKind::LegacyVariant { choices, tag } => {
                FieldKind::Variant { choices: *choices, tag: tag.clone(), alignment: 0 }
            }
            other => other.clone(),
        };
        modern.push(Field { name: name.clone(), kind });
        modern.extend(element_kind.map(|kind| Field { name: Text::default(), kind }));
    }
    Some(modern)
}

impl Integer {
    fn decode(reader: &mut Reader) -> Result<Self> {
        let integer = Integer {
            size: reader.u32()?,
            signed: reader.u32()? != 0,
            reverse_byte_order: reader.u32()? != 0,
            base: reader.u32()?,
            encoding: Encoding(reader.i32()?),
            alignment: reader.u16()?,
        };
        reader.skip(24)?;
        Ok(integer)
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u32(self.size).u32(self.signed.into()).u32(self.reverse_byte_order.into()).u32(self.base);
        writer.i32(self.encoding.0).u16(self.alignment).zeros(24);
    }
}

impl Float {
    fn decode(reader: &mut Reader) -> Result<Self> {
        let float = Float {
            exponent: reader.u32()?,
            mantissa: reader.u32()?,
            reverse_byte_order: reader.u32()? != 0,
            alignment: reader.u16()?,
        };
        reader.skip(24)?;
        Ok(float)
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u32(self.exponent).u32(self.mantissa).u32(self.reverse_byte_order.into());
        writer.u16(self.alignment).zeros(24);
    }
}

impl LegacyEnum {
    /// Name, container, 2 bytes that align the id, id.
    fn decode(reader: &mut Reader) -> Result<Self> {
        let name = reader.fixed_text(NAME_SIZE)?;
        let container = Integer::decode(reader)?;
        reader.skip(2)?;
        Ok(LegacyEnum { name, container, id: reader.u64()? })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.fixed_string(&self.name, NAME_SIZE);
        self.container.encode(writer);
        writer.zeros(2).u64(self.id);
    }
}

impl Basic {
    fn decode(reader: &mut Reader) -> Result<Self> {
        let kind = reader.u32()?;
        let start = reader.offset();
        let basic = match kind {
            0 => Basic::Integer(Integer::decode(reader)?),
            1 => Basic::Enum(LegacyEnum::decode(reader)?),
            4 => Basic::String(Encoding(reader.i32()?)),
            5 => Basic::Float(Float::decode(reader)?),
            other => Basic::Unknown(other),
        };
        reader.seek(start.saturating_add(BASIC_SIZE))?;
        Ok(basic)
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u32(match self {
            Basic::Integer(_) => 0,
            Basic::Enum(_) => 1,
            Basic::String(_) => 4,
            Basic::Float(_) => 5,
            Basic::Unknown(kind) => *kind,
        });
        let end = writer.len().saturating_add(BASIC_SIZE);
        match self {
            Basic::Integer(integer) => integer.encode(writer),
            Basic::Enum(enumeration) => enumeration.encode(writer),
            Basic::String(encoding) => {
                writer.i32(encoding.0);
            }
            Basic::Float(float) => float.encode(writer),
            Basic::Unknown(_) => {}
        }
        writer.pad_to(end);
    }
}

impl FieldKind {
    /// The number of this kind on the wire.
    pub fn number(&self) -> u32 {
        match self {
            FieldKind::Integer(_) => 0,
            FieldKind::LegacyEnum(_) => 1,
            FieldKind::LegacyArray { .. } => 2,
            FieldKind::LegacySequence { .. } => 3,
            FieldKind::String(_) => 4,
            FieldKind::Float(_) => 5,
            FieldKind::LegacyVariant { .. } => 6,
            FieldKind::LegacyStruct { .. } => 7,
            FieldKind::Enum { .. } => 8,
            FieldKind::Array { .. } => 9,
            FieldKind::Sequence { .. } => 10,
            FieldKind::Struct { .. } => 11,
            FieldKind::Variant { .. } => 12,
            FieldKind::Unknown(kind) => *kind,
        }
    }

    /// Reads the kind and the part of the union that it uses.
    fn decode(reader: &mut Reader) -> Result<Self> {
        Ok(match reader.u32()? {
            0 => FieldKind::Integer(Integer::decode(reader)?),
            1 => FieldKind::LegacyEnum(Box::new(LegacyEnum::decode(reader)?)),
            2 => FieldKind::LegacyArray { element: Box::new(Basic::decode(reader)?), length: reader.u32()? },
            3 => FieldKind::LegacySequence {
                length: Box::new(Basic::decode(reader)?),
                element: Box::new(Basic::decode(reader)?),
            },
            4 => FieldKind::String(Encoding(reader.i32()?)),
            5 => FieldKind::Float(Float::decode(reader)?),
            6 => FieldKind::LegacyVariant { choices: reader.u32()?, tag: reader.fixed_text(NAME_SIZE)? },
            7 => FieldKind::LegacyStruct { fields: reader.u32()? },
            8 => FieldKind::Enum { name: reader.fixed_text(NAME_SIZE)?, id: reader.u64()? },
            9 => FieldKind::Array { length: reader.u32()?, alignment: reader.u32()? },
            10 => {
                FieldKind::Sequence { length_name: reader.fixed_text(NAME_SIZE)?, alignment: reader.u32()? }
            }
            11 => FieldKind::Struct { fields: reader.u32()?, alignment: reader.u32()? },
            12 => FieldKind::Variant {
                choices: reader.u32()?,
                tag: reader.fixed_text(NAME_SIZE)?,
                alignment: reader.u32()?,
            },
            other => FieldKind::Unknown(other),
        })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u32(self.number());
        match self {
            FieldKind::Integer(integer) => integer.encode(writer),
            FieldKind::LegacyEnum(enumeration) => enumeration.encode(writer),
            FieldKind::LegacyArray { element, length } => {
                element.encode(writer);
                writer.u32(*length);
            }
            FieldKind::LegacySequence { length, element } => {
                length.encode(writer);
                element.encode(writer);
            }
            FieldKind::String(encoding) => {
                writer.i32(encoding.0);
            }
            FieldKind::Float(float) => float.encode(writer),
            FieldKind::LegacyVariant { choices, tag } => {
                writer.u32(*choices).fixed_string(tag, NAME_SIZE);
            }
            FieldKind::LegacyStruct { fields } => {
                writer.u32(*fields);
            }
            FieldKind::Enum { name, id } => {
                writer.fixed_string(name, NAME_SIZE).u64(*id);
            }
            FieldKind::Array { length, alignment } => {
                writer.u32(*length).u32(*alignment);
            }
            FieldKind::Sequence { length_name, alignment } => {
                writer.fixed_string(length_name, NAME_SIZE).u32(*alignment);
            }
            FieldKind::Struct { fields, alignment } => {
                writer.u32(*fields).u32(*alignment);
            }
            FieldKind::Variant { choices, tag, alignment } => {
                writer.u32(*choices).fixed_string(tag, NAME_SIZE).u32(*alignment);
            }
            FieldKind::Unknown(_) => {}
        }
    }
}
