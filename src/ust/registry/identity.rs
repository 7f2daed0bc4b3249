// SPDX-License-Identifier: GPL-2.0-only
//! What makes two registrations the same thing, in few bytes.
//!
//! A session can have thousands of events, and a field descriptor is 920 bytes that are nearly all zero. An
//! identity is the wire form of all that takes part in the comparison with its runs of zeros counted instead
//! of kept: exact like a comparison of the whole, and about as long as the names in it. Which parts take
//! part: `lttng-tools 2.13: src/bin/lttng-sessiond/ust-registry.c`.

use std::borrow::Borrow;

use lttng_protocol::ust::field::Field;
use lttng_protocol::ust::notify::{EnumEntry, RegisterEnum, RegisterEvent};
use lttng_protocol::{Text, Writer};

/// Equal for equal registrations and for no others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity(Box<[u8]>);

impl Borrow<[u8]> for Identity {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Identity {
    /// An event as its application described it, byte for byte: what [`squeeze_into`] made of it.
    pub fn of_squeezed(squeezed: &[u8]) -> Self {
        Identity(squeezed.into())
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Name, log level, fields and model URI of an event. The signature does not take part.
    pub fn of_event(event: &RegisterEvent) -> Self {
        let mut writer = Writer::default();
        text(&mut writer, Some(&event.name));
        text(&mut writer, event.model_emf_uri.as_ref());
        writer.i32(event.loglevel);
        event.fields.iter().for_each(|field| field.encode(&mut writer));
        Identity(squeeze(&writer.into_bytes()))
    }

    /// Name and entries of an enumeration. Whether a value was chosen automatically does not take part.
    pub fn of_enum(request: &RegisterEnum) -> Self {
        let mut writer = Writer::default();
        text(&mut writer, Some(&request.name));
        for EnumEntry { start, end, label, auto: _ } in &request.entries {
            for value in [start, end] {
                writer.u64(value.value).u8(value.signed.into());
            }
            text(&mut writer, Some(label));
        }
        Identity(squeeze(&writer.into_bytes()))
    }

    /// The contexts of a channel.
    pub fn of_fields(fields: &[Field]) -> Self {
        let mut writer = Writer::default();
        fields.iter().for_each(|field| field.encode(&mut writer));
        Identity(squeeze(&writer.into_bytes()))
    }
}

/// Appends a text that ends where it says, so that no two sequences of texts have the same bytes.
fn text(writer: &mut Writer, text: Option<&Text>) {
    writer.u8(text.is_some().into());
    let text = text.map(Text::as_bytes).unwrap_or_default();
    writer.u64(text.len() as u64).bytes(text);
}

fn squeeze(bytes: &[u8]) -> Box<[u8]> {
    let mut squeezed = Vec::with_capacity(bytes.len() / 16);
    squeeze_into(&mut squeezed, bytes);
    squeezed.into_boxed_slice()
}

/// Appends `bytes` with each run of up to 255 zeros replaced by a zero and the length of the run.
pub(super) fn squeeze_into(squeezed: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (text, zeros) = rest.split_at(rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len()));
        squeezed.extend_from_slice(text);
        let (run, more) = zeros.split_at(leading_zeros(zeros));
        for part in run.chunks(usize::from(u8::MAX)) {
            squeezed.push(0);
            squeezed.extend(u8::try_from(part.len()));
        }
        rest = more;
    }
}

/// How many zeros there are at the beginning. Runs of hundreds are usual: they are counted in large steps.
fn leading_zeros(bytes: &[u8]) -> usize {
    let (chunks, _) = bytes.as_chunks();
    let whole = chunks.iter().take_while(|chunk| u128::from_ne_bytes(**chunk) == 0).count();
    let counted = whole.saturating_mul(size_of::<u128>());
    let rest = bytes.get(counted..).unwrap_or_default();
    counted.saturating_add(rest.iter().take_while(|&&byte| byte == 0).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`squeeze`] does, backwards.
    fn expand(squeezed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = squeezed.iter();
        while let Some(&byte) = rest.next() {
            match byte {
                0 => bytes.resize(bytes.len() + usize::from(*rest.next().unwrap()), 0),
                byte => bytes.push(byte),
            }
        }
        bytes
    }

    proptest::proptest! {
        #[test]
        fn squeezing_loses_nothing(runs in proptest::collection::vec((0..3_u8, 0..600_usize), 0..20)) {
            let bytes: Vec<u8> = runs.iter().flat_map(|&(byte, length)| vec![byte; length]).collect();
            assert_eq!(expand(&squeeze(&bytes)), bytes);
        }
    }

    #[test]
    fn a_descriptor_shrinks_to_about_its_name() {
        let kind = lttng_protocol::ust::field::FieldKind::LegacyStruct { fields: 0 };
        let identity = Identity::of_fields(&vec![Field { name: "field_name".into(), kind }; 10]);
        assert!(identity.len() < 10 * 24, "{}", identity.len());
    }
}
