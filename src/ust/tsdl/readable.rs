// SPDX-License-Identifier: GPL-2.0-only
//! Whether readers can read what descriptors declare.
//!
//! All applications of a user share one metadata text, and a reader that meets one declaration that it does not
//! allow gives up on the whole trace. So what can be written is not enough: an integer of 65 bits, a field that is
//! there twice or a sequence without a length must not get into the text. babeltrace2 2.0 is the measure; where a
//! declaration is read but the data behind it can never be, it is refused too. Nothing is written here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::slice;

use lttng_protocol::Text;
use lttng_protocol::ust::field::{Basic, Field, FieldKind, Float, Integer};
use lttng_protocol::ust::notify::EnumEntry;

use super::Types;
use super::fields::Identifier;

/// Most elements of all arrays of an event. Readers make an object of each before they see any data.
const MAX_ELEMENTS: u64 = 1 << 22;
/// Most ranges of enumerations that are compared for the variants of an event.
const MAX_RANGES: usize = 1 << 20;
/// Deepest variant; the writer's limit is lower.
const DEEPEST: usize = 32;

/// What a reader would not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    field: Text,
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Size,
    Alignment,
    Base,
    Unaligned,
    Float,
    Elements,
    Twice,
    Length,
    Tag,
    Choice,
    Empty,
    Overlap,
    Ranges,
    Layout,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            Reason::Size => "integers have 1 to 64 bits",
            Reason::Alignment => "an alignment is a power of two",
            Reason::Base => "the base is none of 2, 8, 10 and 16",
            Reason::Unaligned => "in reversed byte order a field consists of whole bytes",
            Reason::Float => "a floating point number is a float or a double",
            Reason::Elements => "too many elements",
            Reason::Twice => "another field has the same name",
            Reason::Length => "no unsigned integer before it is its length",
            Reason::Tag => "no enumeration before it is its tag",
            Reason::Choice => "its variant's tag has no such label",
            Reason::Empty => "a variant without choices",
            Reason::Overlap => "values of the tag select several choices",
            Reason::Ranges => "a range of the enumeration ends before it starts, or there is none",
            Reason::Layout => "it is not described completely",
        };
        write!(f, "field {:?}: {reason}", self.field)
    }
}

/// Checks the fields of an event, or of a channel's contexts.
///
/// # Errors
///
/// The first thing found that would make the text unreadable.
pub fn check(types: Types<'_>, fields: &[Field]) -> Result<(), Unreadable> {
    let mut walk = Walk {
        types,
        fields: fields.iter(),
        scopes: vec![Scope::default()],
        labels: HashMap::new(),
        elements: 0,
        ranges: 0,
    };
    while let Some(field) = walk.fields.next() {
        walk.field(field)?;
    }
    Ok(())
}

/// Whether an enumeration could be declared with some container: with none at all its event can't be read.
pub fn is_possible_enum(entries: &[EnumEntry]) -> bool {
    !entries.is_empty()
        && [false, true].into_iter().any(|signed| ranges(entries).all(|(_, r)| r.rises(signed)))
}

/// What a name stands for to the fields after it.
#[derive(Clone, Copy)]
enum Meaning {
    /// It can be the length of a sequence.
    Length,
    /// An enumeration, which can be the tag of a variant, and a length unless it has a sign.
    Enum { id: u64, signed: bool },
    /// Neither.
    Other,
}

/// Names of one structure, or of the choices of one variant.
#[derive(Default)]
struct Scope {
    names: HashMap<String, Meaning>,
    /// In a variant: the enumeration that selects the choice.
    tag: Option<u64>,
    /// In a variant: the values that select the choices so far.
    selected: Vec<Span>,
}

/// Values of an enumeration, as the bits of a 64 bit integer.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
}

impl Span {
    /// Start and end in the order of integers with or without a sign.
    fn ordered(self, signed: bool) -> (u64, u64) {
        let flip = if signed { 1 << 63 } else { 0 };
        (self.start ^ flip, self.end ^ flip)
    }

    fn rises(self, signed: bool) -> bool {
        let (start, end) = self.ordered(signed);
        start <= end
    }
}

/// The labels with their values: an *auto* entry has the value after that of the one before.
fn ranges(entries: &[EnumEntry]) -> impl Iterator<Item = (&[u8], Span)> {
    let mut next = 0_u64;
    entries.iter().map(move |entry| {
        let span = if entry.auto {
            Span { start: next, end: next }
        } else {
            Span { start: entry.start.value, end: entry.end.value }
        };
        next = span.end.wrapping_add(1);
        (entry.label.as_bytes(), span)
    })
}

/// A walk through descriptors in the order in which they are written.
struct Walk<'a> {
    types: Types<'a>,
    fields: slice::Iter<'a, Field>,
    /// The innermost is the last.
    scopes: Vec<Scope>,
    /// The values of each label, for enumerations that are tags.
    labels: HashMap<u64, HashMap<&'a [u8], Vec<Span>>>,
    elements: u64,
    ranges: usize,
}

impl Walk<'_> {
    /// One field with all its parts.
    fn field(&mut self, field: &Field) -> Result<(), Unreadable> {
        self.kind(field).map_err(|reason| Unreadable { field: field.name.clone(), reason })?;
        let (FieldKind::Variant { choices, tag, .. } | FieldKind::LegacyVariant { choices, tag }) =
            &field.kind
        else {
            return Ok(());
        };
        self.variant(*choices, tag, &field.name)
    }

    /// Everything of a field but the choices of a variant.
    fn kind(&mut self, field: &Field) -> Result<(), Reason> {
        let name = Identifier(&field.name);
        match &field.kind {
            FieldKind::Integer(integer) => {
                self.integer(integer)?;
                return self.declare(format!("_{name}"), meaning(integer));
            }
            FieldKind::Float(float) => check_float(float)?,
            FieldKind::String(_) => {}
            FieldKind::Array { length, alignment } => {
                self.pad(name, *alignment)?;
                let element = self.next_integer()?;
                self.array(&element, *length)?;
            }
            FieldKind::LegacyArray { element, length } => self.array(basic(element)?, *length)?,
            FieldKind::Sequence { length_name, alignment } => {
                self.pad(name, *alignment)?;
                let element = self.next_integer()?;
                self.integer(&element)?;
                self.length(&format!("_{}", Identifier(length_name)))?;
            }
            FieldKind::LegacySequence { length, element } => {
                let length = basic(length)?;
                self.integer(length)?;
                let length_name = format!("__{name}_length");
                self.declare(length_name.clone(), meaning(length))?;
                self.integer(basic(element)?)?;
                self.length(&length_name)?;
            }
            FieldKind::Enum { name: _, id } => {
                let container = self.next_integer()?;
                return self.enumeration(name, *id, &container);
            }
            FieldKind::LegacyEnum(legacy) => return self.enumeration(name, legacy.id, &legacy.container),
            FieldKind::Struct { fields: 0, alignment } => check_padding(*alignment)?,
            FieldKind::LegacyStruct { fields: 0 } => {}
            FieldKind::Variant { alignment, .. } => return self.pad(name, *alignment),
            FieldKind::LegacyVariant { .. } => return Ok(()),
            FieldKind::Struct { .. } | FieldKind::LegacyStruct { .. } | FieldKind::Unknown(_) => {
                return Err(Reason::Layout);
            }
        }
        self.declare(format!("_{name}"), Meaning::Other)
    }

    /// Takes the descriptor of an element or a container.
    fn next_integer(&mut self) -> Result<Integer, Reason> {
        match self.fields.next().map(|field| &field.kind) {
            Some(FieldKind::Integer(integer)) => Ok(*integer),
            _ => Err(Reason::Layout),
        }
    }

    fn integer(&self, integer: &Integer) -> Result<(), Reason> {
        let Integer { size, reverse_byte_order, base, alignment, .. } = *integer;
        if !(1..=64).contains(&size) {
            return Err(Reason::Size);
        }
        if !matches!(base, 2 | 8 | 10 | 16) {
            return Err(Reason::Base);
        }
        check_alignment(alignment)?;
        let whole = size.is_multiple_of(8) && alignment.is_multiple_of(8);
        if reverse_byte_order && !whole { Err(Reason::Unaligned) } else { Ok(()) }
    }

    fn array(&mut self, element: &Integer, length: u32) -> Result<(), Reason> {
        self.integer(element)?;
        self.elements = self.elements.saturating_add(length.into());
        if self.elements > MAX_ELEMENTS { Err(Reason::Elements) } else { Ok(()) }
    }

    /// The structure that is declared for an alignment.
    fn pad(&mut self, name: Identifier<'_>, alignment: u32) -> Result<(), Reason> {
        check_padding(alignment)?;
        if alignment == 0 { Ok(()) } else { self.declare(format!("_{name}_padding"), Meaning::Other) }
    }

    fn enumeration(&mut self, name: Identifier<'_>, id: u64, container: &Integer) -> Result<(), Reason> {
        // The text does not say the byte order of a container.
        self.integer(&Integer { reverse_byte_order: false, ..*container })?;
        let signed = container.signed;
        let entries = self.entries(id)?;
        if entries.is_empty() || !ranges(entries).all(|(_, span)| span.rises(signed)) {
            return Err(Reason::Ranges);
        }
        self.declare(format!("_{name}"), Meaning::Enum { id, signed })
    }

    /// The name of a sequence's length.
    fn length(&self, name: &str) -> Result<(), Reason> {
        match self.resolve(name) {
            Some(Meaning::Length | Meaning::Enum { signed: false, .. }) => Ok(()),
            _ => Err(Reason::Length),
        }
    }

    /// The choices of a variant, and its name.
    fn variant(&mut self, choices: u32, tag: &Text, name: &Text) -> Result<(), Unreadable> {
        let failed = |reason| Unreadable { field: name.clone(), reason };
        let Some(Meaning::Enum { id, signed }) = self.resolve(&format!("_{}", Identifier(tag))) else {
            return Err(failed(Reason::Tag));
        };
        if choices == 0 {
            return Err(failed(Reason::Empty));
        }
        if self.scopes.len() > DEEPEST {
            return Err(failed(Reason::Layout));
        }
        self.scopes.push(Scope { tag: Some(id), ..Scope::default() });
        for _ in 0..choices {
            let choice = self.fields.next().ok_or_else(|| failed(Reason::Layout))?;
            self.field(choice)?;
        }
        let mut selected = self.scopes.pop().unwrap_or_default().selected;
        selected.sort_unstable_by_key(|span| span.ordered(signed));
        let overlap = |pair: &[Span]| match pair {
            [first, second] => second.ordered(signed).0 <= first.ordered(signed).1,
            _ => false,
        };
        if selected.windows(2).any(overlap) {
            return Err(failed(Reason::Overlap));
        }
        self.declare(format!("_{}", Identifier(name)), Meaning::Other).map_err(failed)
    }

    /// Adds a name to the innermost scope. In a variant it is a choice, which a label must select.
    fn declare(&mut self, name: String, meaning: Meaning) -> Result<(), Reason> {
        let tag = self.scopes.last().and_then(|scope| scope.tag);
        let selected = match tag {
            Some(id) => self.values(id, &name)?,
            None => Vec::new(),
        };
        let scope = self.scopes.last_mut().ok_or(Reason::Layout)?;
        scope.selected.extend(selected);
        match scope.names.entry(name) {
            Entry::Occupied(_) => Err(Reason::Twice),
            Entry::Vacant(vacant) => {
                vacant.insert(meaning);
                Ok(())
            }
        }
    }

    /// The values of an enumeration's label.
    fn values(&mut self, id: u64, label: &str) -> Result<Vec<Span>, Reason> {
        if !self.labels.contains_key(&id) {
            let mut labels: HashMap<_, Vec<Span>> = HashMap::new();
            for (label, span) in ranges(self.entries(id)?) {
                labels.entry(label).or_default().push(span);
            }
            self.labels.insert(id, labels);
        }
        let labels = self.labels.get(&id).ok_or(Reason::Choice)?;
        let values = labels.get(label.as_bytes()).ok_or(Reason::Choice)?;
        self.ranges = self.ranges.saturating_add(values.len());
        if self.ranges > MAX_RANGES { Err(Reason::Elements) } else { Ok(values.clone()) }
    }

    /// What a name means here: the innermost field of that name before this place. What another choice of the
    /// same variant holds is not there when this one is, so it means nothing.
    fn resolve(&self, name: &str) -> Option<Meaning> {
        let found = |scope: &Scope| {
            let meaning = scope.names.get(name)?;
            Some(if scope.tag.is_some() { Meaning::Other } else { *meaning })
        };
        self.scopes.iter().rev().find_map(found)
    }
}

impl<'a> Walk<'a> {
    fn entries(&self, id: u64) -> Result<&'a [EnumEntry], Reason> {
        let id = usize::try_from(id).map_err(|_| Reason::Tag)?;
        self.types.enums.get(id).map(AsRef::as_ref).ok_or(Reason::Tag)
    }
}

/// The only basic type that elements and lengths can have.
fn basic(basic: &Basic) -> Result<&Integer, Reason> {
    match basic {
        Basic::Integer(integer) => Ok(integer),
        _ => Err(Reason::Layout),
    }
}

fn meaning(integer: &Integer) -> Meaning {
    if integer.signed { Meaning::Other } else { Meaning::Length }
}

fn check_alignment(alignment: u16) -> Result<(), Reason> {
    if alignment.is_power_of_two() { Ok(()) } else { Err(Reason::Alignment) }
}

/// An additional alignment, 0 for none.
fn check_padding(alignment: u32) -> Result<(), Reason> {
    if alignment == 0 || alignment.is_power_of_two() { Ok(()) } else { Err(Reason::Alignment) }
}

fn check_float(float: &Float) -> Result<(), Reason> {
    let Float { exponent, mantissa, reverse_byte_order, alignment } = *float;
    if !matches!((exponent, mantissa), (8, 24) | (11, 53)) {
        return Err(Reason::Float);
    }
    check_alignment(alignment)?;
    if reverse_byte_order && !alignment.is_multiple_of(8) { Err(Reason::Unaligned) } else { Ok(()) }
}
