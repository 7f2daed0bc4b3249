// SPDX-License-Identifier: GPL-2.0-only
//! About how many bytes an event takes in a buffer, by its description: for advice to people, and for nothing else. Nothing is
//! checked here: what can't be described has no event.

use lttng_protocol::ust::field::{Basic, Field, FieldKind};

/// Bytes of an event's header: its id and a 32-bit time, aligned.
pub const HEADER: u64 = 8;
/// Bytes that a text is taken to have.
const TEXT: u64 = 16;
/// Elements that a sequence is taken to have.
const ELEMENTS: u64 = 16;
/// Types in types that are looked into.
const DEPTH: u32 = 16;

/// Bytes of the values of these fields, about.
pub fn of_fields(fields: &[Field]) -> u64 {
    let mut rest = fields;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        sum = sum.saturating_add(next(&mut rest, DEPTH));
    }
    sum
}

/// Bytes of the value of the next field, which is taken with all of its parts.
fn next(fields: &mut &[Field], depth: u32) -> u64 {
    let Some((field, rest)) = fields.split_first() else { return 0 };
    *fields = rest;
    let Some(depth) = depth.checked_sub(1) else { return 0 };
    match &field.kind {
        FieldKind::Integer(integer) => bytes(integer.size),
        FieldKind::Float(float) => bytes(float.exponent.saturating_add(float.mantissa)),
        FieldKind::String(_) => TEXT,
        FieldKind::LegacyEnum(legacy) => bytes(legacy.container.size),
        FieldKind::Enum { .. } => next(fields, depth),
        FieldKind::LegacyArray { element, length } => basic(element).saturating_mul((*length).into()),
        FieldKind::Array { length, .. } => next(fields, depth).saturating_mul((*length).into()),
        FieldKind::LegacySequence { length, element } => {
            basic(element).saturating_mul(ELEMENTS).saturating_add(basic(length))
        }
        FieldKind::Sequence { .. } => next(fields, depth).saturating_mul(ELEMENTS),
        FieldKind::LegacyStruct { fields: count } | FieldKind::Struct { fields: count, .. } => {
            parts(fields, *count, depth).fold(0, u64::saturating_add)
        }
        FieldKind::LegacyVariant { choices, .. } | FieldKind::Variant { choices, .. } => {
            parts(fields, *choices, depth).max().unwrap_or(0)
        }
        FieldKind::Unknown(_) => 0,
    }
}

/// Bytes of each of the parts that follow.
fn parts<'a>(fields: &'a mut &[Field], count: u32, depth: u32) -> impl Iterator<Item = u64> + 'a {
    (0..count).map_while(move |_| if fields.is_empty() { None } else { Some(next(fields, depth)) })
}

fn basic(basic: &Basic) -> u64 {
    match basic {
        Basic::Integer(integer) => bytes(integer.size),
        Basic::Enum(legacy) => bytes(legacy.container.size),
        Basic::String(_) => TEXT,
        Basic::Float(float) => bytes(float.exponent.saturating_add(float.mantissa)),
        Basic::Unknown(_) => 0,
    }
}

fn bytes(bits: u32) -> u64 {
    u64::from(bits).div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lttng_protocol::ust::field::{Encoding, Integer};

    fn integer(size: u32) -> Field {
        let (signed, reverse_byte_order, base, encoding) = (false, false, 10, Encoding::NONE);
        field(FieldKind::Integer(Integer { size, signed, reverse_byte_order, base, encoding, alignment: 8 }))
    }

    fn field(kind: FieldKind) -> Field {
        Field { name: Default::default(), kind }
    }

    #[test]
    fn values_are_added_up_with_a_guess_for_what_varies() {
        let array = |length| field(FieldKind::Array { length, alignment: 0 });
        let sequence = field(FieldKind::Sequence { length_name: Default::default(), alignment: 0 });
        let variant = field(FieldKind::Variant { choices: 2, tag: Default::default(), alignment: 0 });
        let structure = field(FieldKind::Struct { fields: 2, alignment: 0 });
        let text = field(FieldKind::String(Encoding::UTF8));
        assert_eq!(of_fields(&[integer(32), integer(64), text]), 4 + 8 + TEXT);
        assert_eq!(of_fields(&[array(10), integer(8), sequence, integer(16)]), 10 + 2 * ELEMENTS);
        assert_eq!(
            of_fields(&[variant, integer(8), structure, integer(32), integer(64), integer(8)]),
            12 + 1
        );
    }

    #[test]
    fn what_makes_no_sense_costs_nothing() {
        let nested = vec![field(FieldKind::Array { length: u32::MAX, alignment: 0 }); 1 << 16];
        of_fields(&nested);
        assert_eq!(of_fields(&[field(FieldKind::Struct { fields: u32::MAX, alignment: 0 })]), 0);
        assert_eq!(of_fields(&[field(FieldKind::Unknown(77))]), 0);
    }
}
