// SPDX-License-Identifier: GPL-2.0-only
//! Bytes of structures, made by the table alone.

use std::collections::BTreeSet;

use lttng_protocol::Writer;

use crate::table::Table;

/// What the crate writes.
pub fn encoded(encode: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    encode(&mut writer);
    writer.into_bytes()
}

/// What is put into a member.
pub enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

macro_rules! from_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Value::Number(number as u64)
            }
        }
    )*};
}

from_numbers!(u8, i8, u16, u32, i32, u64, i64, usize);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Bytes(text.into())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value::Bytes(bytes.into())
    }
}

/// The bytes of a structure by the table, with these members; all others are zero.
macro_rules! made {
    ($maker:expr, $structure:literal, { $($way:literal: $value:expr),* $(,)? }) => {
        $maker.made($structure, &[$(($way, $crate::maker::Value::from($value))),*])
    };
}
pub(crate) use made;

/// Makes structures, and remembers what was put into them.
pub struct Maker {
    pub table: Table,
    /// Members that were given values, with the names of their structures.
    pub used: BTreeSet<(String, String)>,
}

impl Maker {
    pub fn size(&self, structure: &str) -> usize {
        self.table.structure(structure).size
    }

    /// The bytes of a structure with these members, each by its way from the structure (`a.b[2].c`); all others are zero.
    pub fn made(&mut self, structure: &str, values: &[(&str, Value)]) -> Vec<u8> {
        let mut bytes = vec![0; self.table.structure(structure).size];
        for (way, value) in values {
            let (offset, kind, room) = self.find(structure, way);
            let field = &mut bytes[offset..offset + room];
            match value {
                Value::Bytes(text) => {
                    assert_eq!(kind, "char", "{structure} {way}");
                    field[..text.len()].copy_from_slice(text);
                }
                Value::Number(number) => {
                    assert_eq!(Table::width(&kind), Some(room), "{structure} {way}");
                    field.copy_from_slice(&ordered(*number, room));
                }
            }
        }
        bytes
    }

    /// Where the member at the end of a way is, its type, and its bytes. It counts as used.
    pub fn find(&mut self, structure: &str, way: &str) -> (usize, String, usize) {
        let (mut owner, mut rest, mut offset) = (structure.to_owned(), way, 0);
        loop {
            let (name, kind, at, room, after) = {
                let found = self.table.structure(&owner).members.iter().find_map(|member| {
                    let after = rest.strip_prefix(&member.name)?;
                    let (index, after) = match after.strip_prefix('[').and_then(|after| after.split_once(']'))
                    {
                        Some((index, after)) => (Some(index.parse::<usize>().ok()?), after),
                        None => (None, after),
                    };
                    let after = if after.is_empty() { after } else { after.strip_prefix('.')? };
                    Some((member, index, after))
                });
                let (member, index, after) = found.unwrap_or_else(|| panic!("{structure} has no {way}"));
                let element = self.table.element(&member.kind);
                let room = if index.is_some() { element } else { element * member.count.unwrap_or(1) };
                let at = member.offset + element * index.unwrap_or(0);
                (member.name.clone(), member.kind.clone(), at, room, after)
            };
            self.used.insert((owner, name));
            offset += at;
            if after.is_empty() {
                return (offset, kind, room);
            }
            (owner, rest) = (kind, after);
        }
    }
}

/// A number in so many bytes, in the order of this machine.
pub fn ordered(number: u64, width: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes()[..width].to_vec();
    if cfg!(target_endian = "big") {
        bytes.reverse();
    }
    bytes
}
