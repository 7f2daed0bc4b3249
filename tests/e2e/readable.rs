// SPDX-License-Identifier: GPL-2.0-only
//! Whatever applications register, babeltrace2 reads the metadata that comes of it.
//!
//! The registry is used directly, since a hostile application is only bytes; the reader is the real one. It is given
//! the text and a packet without events for each channel.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lttng_protocol::Text;
use lttng_protocol::ust::command::TracerVersion;
use lttng_protocol::ust::field::{Basic, Encoding, Field, FieldKind, Float, Integer, LegacyEnum};
use lttng_protocol::ust::notify::{EnumEntry, EnumValue, RegisterEnum, RegisterEvent};
use lttng_protocol::ust::registration::{Alignments, ByteOrder};
use lttng_sessiond::accounts::{Accounts, Charge, Limits, Resource};
use lttng_sessiond::ust::registry::Registry;
use lttng_sessiond::ust::tsdl::{Clock, Header, Scheme};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::is_missing;

const UUID: [u8; 16] = *b"0123456789abcdef";
/// Magic number, UUID, stream, instance; begin, end, content and packet size, number, lost events, CPU.
const PACKET_HEADER: u64 = 32 + 52;

fn header(name: impl Into<Text>) -> Header {
    let name = name.into();
    Header {
        uuid: UUID,
        byte_order: ByteOrder::Little,
        alignments: Alignments { uint8: 8, uint16: 8, uint32: 8, uint64: 8, long: 8 },
        bits_per_long: 64,
        tracer: TracerVersion { major: 2, minor: 13, patchlevel: 5 },
        scheme: Scheme::PerPid { pid: 1, name: name.clone(), registered: "20260101T000000+0000".to_owned() },
        trace_name: name.to_string(),
        created: "20260101T000000+0000".to_owned(),
        hostname: name,
        clock: Clock {
            name: "monotonic".to_owned(),
            uuid: None,
            description: "Monotonic Clock".to_owned(),
            freq: 1_000_000_000,
            offset: 0,
        },
    }
}

/// Enough memory for everything.
fn charge() -> Charge {
    Accounts::new(Limits::for_applications(1, 1)).charge(0, Resource::Memory, 0).unwrap()
}

/// A directory for one trace at a time.
struct Reader {
    directory: PathBuf,
}

impl Reader {
    fn new(name: &str) -> Self {
        let directory = env::temp_dir().join(format!("lttng-readable-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Reader { directory }
    }

    /// What babeltrace2 says of a trace with this text and these streams; an error if it can't read it.
    fn read(&self, text: &str, streams: u32, arguments: &[&str]) -> Result<Vec<u8>, String> {
        fs::write(self.directory.join("metadata"), text).unwrap();
        for stream in 0..streams {
            fs::write(self.directory.join(format!("stream_{stream}")), packet(stream)).unwrap();
        }
        let output = Command::new("babeltrace2").args(arguments).arg(&self.directory).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        // It warns of log levels that it does not know.
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(format!("{}\n{errors}\n{text}", output.status))
        }
    }

    fn path(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.path());
    }
}

/// A packet without events.
fn packet(stream: u32) -> Vec<u8> {
    let mut bytes = 0xC1FC_1FC1_u32.to_le_bytes().to_vec();
    bytes.extend(UUID);
    bytes.extend(stream.to_le_bytes());
    for word in [0, 1000, 2000, PACKET_HEADER * 8, 4096 * 8, 0, 0] {
        bytes.extend(u64::to_le_bytes(word));
    }
    bytes.resize(4096, 0);
    bytes
}

/// What an application registers.
#[derive(Debug, Clone)]
enum Step {
    Enum(RegisterEnum),
    Contexts(u32, Vec<Field>),
    Event(u32, RegisterEvent),
}

/// Few names, so that they clash and refer to one another.
fn name() -> impl Strategy<Value = Text> {
    let text = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c", "t", "l", "_a_length", "a_padding", "a.b", "a_b", "", "struct"])
            .prop_map(str::to_owned),
        1 => "\\PC{0,8}",
        1 => "[\\x00-\\x7f]{0,8}",
    ]
    .prop_map(Text::from);
    prop_oneof![8 => text, 1 => vec(1..=u8::MAX, 0..8).prop_map(Text::from)]
}

fn alignment() -> impl Strategy<Value = u16> {
    prop_oneof![12 => Just(8_u16), 1 => prop::sample::select(vec![0, 1, 2, 3, 4, 16, 64, 1 << 15, u16::MAX])]
}

fn integer() -> impl Strategy<Value = Integer> {
    (
        prop_oneof![
            16 => prop::sample::select(vec![8_u32, 16, 32, 64]),
            1 => prop::sample::select(vec![0, 1, 5, 63, 65, u32::MAX])
        ],
        any::<bool>(),
        any::<bool>(),
        prop_oneof![16 => prop::sample::select(vec![2_u32, 8, 10, 16]), 1 => prop::sample::select(vec![0, 1, 3, 99, u32::MAX])],
        prop_oneof![9 => 0..3_i32, 1 => any::<i32>()],
        alignment(),
    )
        .prop_map(|(size, signed, reverse_byte_order, base, encoding, alignment)| Integer {
            size,
            signed,
            reverse_byte_order,
            base,
            encoding: Encoding(encoding),
            alignment,
        })
}

fn float() -> impl Strategy<Value = Float> {
    let digits = prop_oneof![
        10 => prop::sample::select(vec![(8_u32, 24_u32), (11, 53)]),
        1 => prop::sample::select(vec![(0, 24), (99, 99), (8, 0), (15, 113), (64, 64), (5, 11), (u32::MAX - 7, 40)]),
    ];
    (digits, any::<bool>(), alignment()).prop_map(|((exponent, mantissa), reverse_byte_order, alignment)| {
        Float { exponent, mantissa, reverse_byte_order, alignment }
    })
}

fn padding() -> impl Strategy<Value = u32> {
    prop_oneof![12 => Just(0_u32), 2 => prop::sample::select(vec![1, 4, 8]), 1 => prop::sample::select(vec![3, 1 << 31, u32::MAX])]
}

fn length() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..9_u32, 1 => prop::sample::select(vec![1 << 20, u32::MAX])]
}

fn basic() -> impl Strategy<Value = Box<Basic>> {
    prop_oneof![
        8 => integer().prop_map(Basic::Integer),
        1 => float().prop_map(Basic::Float),
        1 => Just(Basic::String(Encoding::UTF8)),
        1 => Just(Basic::Unknown(9)),
    ]
    .prop_map(Box::new)
}

fn named(name: impl Into<Text>, kind: FieldKind) -> Field {
    Field { name: name.into(), kind }
}

fn unnamed(kind: FieldKind) -> Field {
    Field { name: Text::default(), kind }
}

/// One field with its parts.
fn declaration() -> impl Strategy<Value = Vec<Field>> {
    let with_element = |head: BoxedStrategy<FieldKind>| {
        (name(), head, integer())
            .prop_map(|(name, kind, element)| vec![named(name, kind), unnamed(FieldKind::Integer(element))])
    };
    let one =
        |kind: BoxedStrategy<FieldKind>| (name(), kind).prop_map(|(name, kind)| vec![named(name, kind)]);
    let leaf = prop_oneof![
        4 => one(integer().prop_map(FieldKind::Integer).boxed()),
        2 => one(float().prop_map(FieldKind::Float).boxed()),
        2 => one((0..3_i32).prop_map(|encoding| FieldKind::String(Encoding(encoding))).boxed()),
        2 => with_element((length(), padding()).prop_map(|(length, alignment)| FieldKind::Array { length, alignment }).boxed()),
        2 => with_element((name(), padding()).prop_map(|(length_name, alignment)| FieldKind::Sequence { length_name, alignment }).boxed()),
        2 => with_element((name(), 0..4_u64).prop_map(|(name, id)| FieldKind::Enum { name, id }).boxed()),
        1 => one((basic(), length()).prop_map(|(element, length)| FieldKind::LegacyArray { element, length }).boxed()),
        1 => one((basic(), basic()).prop_map(|(length, element)| FieldKind::LegacySequence { length, element }).boxed()),
        1 => one((0..4_u64, integer()).prop_map(|(id, container)| {
            FieldKind::LegacyEnum(Box::new(LegacyEnum { name: Text::default(), container, id }))
        }).boxed()),
        1 => one(padding().prop_map(|alignment| FieldKind::Struct { fields: 0, alignment }).boxed()),
        1 => one(prop::sample::select(vec![
            FieldKind::LegacyStruct { fields: 0 },
            FieldKind::Struct { fields: 1, alignment: 0 },
            FieldKind::Unknown(13),
        ]).boxed()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let choices = vec(inner, 0..4);
        prop_oneof![
            (name(), name(), padding(), choices.clone()).prop_map(|(name, tag, alignment, parts)| {
                let kind = FieldKind::Variant { choices: parts.len() as u32, tag, alignment };
                [vec![named(name, kind)], parts.concat()].concat()
            }),
            (name(), name(), choices).prop_map(|(name, tag, parts)| {
                let kind = FieldKind::LegacyVariant { choices: parts.len() as u32, tag };
                [vec![named(name, kind)], parts.concat()].concat()
            }),
        ]
    })
}

/// An enumeration, and a variant that it selects: seldom does chance make one.
fn tagged() -> impl Strategy<Value = Vec<Field>> {
    (0..4_u64, integer(), vec(declaration(), 0..4)).prop_map(|(id, container, parts)| {
        let mut fields = vec![
            named("t", FieldKind::Enum { name: Text::default(), id }),
            unnamed(FieldKind::Integer(container)),
        ];
        let kind = FieldKind::Variant { choices: parts.len() as u32, tag: "t".into(), alignment: 0 };
        fields.push(named("v", kind));
        fields.extend(parts.concat());
        fields
    })
}

/// A length and its sequence.
fn measured() -> impl Strategy<Value = Vec<Field>> {
    (integer(), integer(), padding()).prop_map(|(length, element, alignment)| {
        vec![
            named("l", FieldKind::Integer(length)),
            named("s", FieldKind::Sequence { length_name: "l".into(), alignment }),
            unnamed(FieldKind::Integer(element)),
        ]
    })
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    let part = prop_oneof![4 => declaration(), 1 => tagged(), 1 => measured()];
    vec(part, 0..4).prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = EnumValue> {
    let value = prop_oneof![6 => 0..9_u64, 1 => prop::sample::select(vec![u64::MAX, 1 << 63, (1 << 63) - 1, u64::MAX - 4])];
    (value, any::<bool>()).prop_map(|(value, signed)| EnumValue { value, signed })
}

fn registered_enum() -> impl Strategy<Value = RegisterEnum> {
    let label = prop_oneof![
        4 => prop::sample::select(vec!["_a", "_b", "_c", "_a_b", "_l"]).prop_map(Text::from),
        1 => name(),
        1 => Just(Text::from("\"\\\n};\u{1b}")),
    ];
    let end = prop_oneof![3 => Just(None), 1 => value().prop_map(Some)];
    let entry = (value(), end, label, any::<bool>()).prop_map(|(start, end, label, auto)| EnumEntry {
        start,
        end: end.unwrap_or(start),
        label,
        auto,
    });
    (name(), vec(entry, 0..6)).prop_map(|(name, entries)| RegisterEnum { session: 0, name, entries })
}

fn event() -> impl Strategy<Value = RegisterEvent> {
    let text = prop_oneof![name(), Just("p:\"; };\n\\".into()), "\\PC{0,255}".prop_map(Text::from)];
    let level = prop_oneof![4 => 0..15_i32, 1 => any::<i32>()];
    (text.clone(), level, fields(), prop::option::of(text)).prop_map(
        |(name, loglevel, fields, model_emf_uri)| RegisterEvent {
            session: 0,
            channel: 0,
            name,
            loglevel,
            signature: Text::default(),
            fields,
            model_emf_uri,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => registered_enum().prop_map(Step::Enum),
        1 => (0..CHANNELS, fields()).prop_map(|(channel, fields)| Step::Contexts(channel, fields)),
        8 => (0..CHANNELS, event()).prop_map(|(channel, event)| Step::Event(channel, event)),
    ]
}

const CHANNELS: u32 = 3;
const CASES: u32 = 400;

#[test]
fn whatever_is_registered() {
    if is_missing("babeltrace2", "babeltrace2") {
        return;
    }
    let reader = Reader::new("any");
    let counts = RefCell::new([0_usize; 2]);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let strategy = (vec(1..=u8::MAX, 0..16), vec(step(), 0..24));
    runner
        .run(&strategy, |(name, steps)| {
            let mut registry = Registry::new(&header(name), charge());
            (0..CHANNELS).for_each(|_| {
                registry.add_channel();
            });
            for step in &steps {
                let accepted = match step {
                    Step::Enum(description) => registry.register_enum(description).is_ok(),
                    Step::Contexts(channel, fields) => registry.register_channel(*channel, fields).is_ok(),
                    Step::Event(channel, event) => registry.register_event(*channel, event).is_ok(),
                };
                counts.borrow_mut()[usize::from(accepted)] += 1;
            }
            registry.complete();
            reader.read(registry.text(), CHANNELS, &[]).map(drop).map_err(TestCaseError::fail)
        })
        .unwrap();
    // A registry that refuses everything is readable, too.
    let [refused, accepted] = counts.into_inner();
    assert!(accepted > refused / 2, "{accepted} accepted, {refused} refused");
}

/// What tracers do send is accepted, in any combination.
#[test]
fn whatever_is_sane() {
    if is_missing("babeltrace2", "babeltrace2") {
        return;
    }
    let reader = Reader::new("sane");
    let sane = |size: u32, signed| Integer {
        size,
        signed,
        reverse_byte_order: false,
        base: 10,
        encoding: Encoding::NONE,
        alignment: 8,
    };
    let kinds = move |index: usize, kind: u8, size: u32, signed: bool| {
        let name = format!("f{index}");
        let integer = Integer { reverse_byte_order: kind == 1, ..sane(size, signed) };
        let element = unnamed(FieldKind::Integer(integer));
        match kind {
            0 | 1 => vec![named(name, FieldKind::Integer(integer))],
            2 => {
                let (exponent, mantissa) = if signed { (8, 24) } else { (11, 53) };
                let float = Float { exponent, mantissa, reverse_byte_order: size == 8, alignment: 8 };
                vec![named(name, FieldKind::Float(float))]
            }
            3 => vec![named(name, FieldKind::String(Encoding::UTF8))],
            4 => vec![named(name, FieldKind::Array { length: size, alignment: 1 }), element],
            5 => {
                let length_name = format!("_{name}_length");
                let length = named(length_name.clone(), FieldKind::Integer(sane(size, false)));
                vec![
                    length,
                    named(name, FieldKind::Sequence { length_name: length_name.into(), alignment: 0 }),
                    element,
                ]
            }
            6 => vec![named(name, FieldKind::Enum { name: "e".into(), id: 0 }), element],
            _ => {
                let tag = format!("$app.p:{name}_tag");
                vec![
                    named(tag.clone(), FieldKind::Enum { name: "e".into(), id: 0 }),
                    element.clone(),
                    named(
                        format!("$app.p:{name}"),
                        FieldKind::Variant { choices: 2, tag: tag.into(), alignment: 0 },
                    ),
                    named("none", FieldKind::Struct { fields: 0, alignment: 0 }),
                    named("int", element.kind),
                ]
            }
        }
    };
    let mut runner = TestRunner::new(Config { cases: 50, failure_persistence: None, ..Config::default() });
    let field = (0..8_u8, prop::sample::select(vec![8_u32, 16, 32, 64]), any::<bool>());
    let value = |value| EnumValue { value, signed: false };
    let entry =
        |label: &str, at, auto| EnumEntry { start: value(at), end: value(at), label: label.into(), auto };
    let enumeration = RegisterEnum {
        session: 0,
        name: "e".into(),
        entries: vec![
            entry("_none", 0, false),
            entry("_int", 0, true),
            entry("gr\u{f6}\u{df}er \"\\", 9, false),
        ],
    };
    runner
        .run(&vec(vec(field, 0..12), 0..30), |events| {
            let mut registry = Registry::new(&header("sane"), charge());
            let channel = registry.add_channel();
            prop_assert_eq!(registry.register_enum(&enumeration), Ok(0));
            prop_assert_eq!(registry.register_channel(channel, &[]), Ok(()));
            for (number, fields) in events.into_iter().enumerate() {
                let fields = fields.into_iter().enumerate();
                let fields =
                    fields.flat_map(|(index, (kind, size, signed))| kinds(index, kind, size, signed));
                let event = RegisterEvent {
                    session: 0,
                    channel: 0,
                    name: format!("p:e{number}").into(),
                    loglevel: 13,
                    signature: Text::default(),
                    fields: fields.collect(),
                    model_emf_uri: None,
                };
                prop_assert_eq!(registry.register_event(channel, &event), Ok(number as u32));
            }
            reader.read(registry.text(), 1, &[]).map(drop).map_err(TestCaseError::fail)
        })
        .unwrap();
}

/// The reader's own output has the texts as they were.
#[test]
fn texts_come_back() {
    if is_missing("babeltrace2", "babeltrace2") {
        return;
    }
    let reader = Reader::new("texts");
    let names: [&[u8]; 9] = [
        b"a\"b\\c",
        b"\" };\nINJECTED {",
        b"\x1b[31m\t\r\x7f1",
        b"\\n\\x41\\101",
        "\u{e9}\u{540d}".as_bytes(),
        b"%s//*",
        b"gr\xf6\xdfer\xff1",
        b"\xc3\"\xe5\x90\\",
        b"\x80\xbf\xfe\xff",
    ];
    for name in names {
        let mut registry = Registry::new(&header(name), charge());
        let channel = registry.add_channel();
        let label = name.into();
        let value = EnumValue { value: 1, signed: false };
        let entries = vec![EnumEntry { start: value, end: value, label, auto: false }];
        let enumeration = RegisterEnum { session: 0, name: name.into(), entries };
        assert_eq!(registry.register_enum(&enumeration), Ok(0));
        let integer = Integer {
            size: 8,
            signed: false,
            reverse_byte_order: false,
            base: 10,
            encoding: Encoding::NONE,
            alignment: 8,
        };
        let event = RegisterEvent {
            session: 0,
            channel: 0,
            name: name.into(),
            loglevel: 13,
            signature: Text::default(),
            fields: vec![
                named(name, FieldKind::Enum { name: name.into(), id: 0 }),
                unnamed(FieldKind::Integer(integer)),
            ],
            model_emf_uri: Some(name.into()),
        };
        assert_eq!(registry.register_event(channel, &event), Ok(0));
        registry.complete();
        let details = reader.read(registry.text(), 1, &["-c", "sink.text.details"]);
        let details = details.unwrap_or_else(|error| panic!("{error}"));
        let contains =
            |parts: [&[u8]; 3]| details.windows(parts.concat().len()).any(|part| part == parts.concat());
        let shown = String::from_utf8_lossy(&details);
        for key in ["procname: ", "hostname: "] {
            assert!(contains([key.as_bytes(), name, b"\n"]), "{key}{name:?}: {shown}");
        }
        assert!(contains([b"Event class `", name, b"` (ID 0)"]), "{name:?}: {shown}");
        assert!(contains([b"EMF URI: ", name, b"\n"]), "{name:?}: {shown}");
        assert!(contains([b"          ", name, b": [1]\n"]), "{name:?}: {shown}");
        let session = String::from_utf8_lossy(name);
        assert!(contains([b"trace_name: ", session.as_bytes(), b"\n"]), "{name:?}: {shown}");
        assert!(!registry.text().contains("\nINJECTED"));
    }
}
