// SPDX-License-Identifier: GPL-2.0-only
//! The recorded texts begin with exactly the header, and each descriptor gives exactly its declaration.

use std::fs;

use lttng_protocol::Text;
use lttng_protocol::ust::field::{Basic, Encoding, FieldKind, Float, Integer, LegacyEnum};
use lttng_protocol::ust::notify::{EnumValue, RegisterEvent};
use proptest::prelude::*;

use super::*;

/// A file recorded from the daemon of lttng-tools 2.13.9.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let path = format!("{}/protocol/tests/vectors/ust/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A recorded metadata text.
pub(crate) fn recorded(name: &str) -> String {
    String::from_utf8(vector(name)).unwrap()
}

/// The header that `recorded` was made from: what differs between recordings is taken from it.
pub(crate) fn header_of(recorded: &str, trace_name: &str, scheme: Scheme) -> Header {
    let values = |key: &str| {
        let key = format!("\t{key} = ");
        let lines = recorded.lines().filter_map(move |line| line.strip_prefix(&key));
        lines.map(|value| value.trim_matches(['"', ';'])).collect::<Vec<_>>()
    };
    let uuid = values("uuid")[0].replace('-', "");
    let byte = |at: usize| u8::from_str_radix(&uuid[at * 2..at * 2 + 2], 16).unwrap();
    Header {
        uuid: std::array::from_fn(byte),
        byte_order: ByteOrder::Little,
        alignments: Alignments { uint8: 8, uint16: 8, uint32: 8, uint64: 8, long: 8 },
        bits_per_long: 64,
        tracer: TracerVersion { major: 2, minor: 13, patchlevel: 5 },
        scheme,
        trace_name: trace_name.to_owned(),
        created: values("trace_creation_datetime")[0].to_owned(),
        hostname: "vm".into(),
        clock: Clock {
            name: "monotonic".to_owned(),
            uuid: Some("f809b0a8-cd79-4124-a188-92e1b98d3ea6".to_owned()),
            description: "Monotonic Clock".to_owned(),
            freq: 1_000_000_000,
            offset: values("offset")[0].parse().unwrap(),
        },
    }
}

/// The header of `metadata-pid.txt`.
pub(crate) fn per_pid_header() -> Header {
    let registered = "20261122T163647-0330".to_owned();
    let scheme = Scheme::PerPid { pid: 20597, name: "vecapp".into(), registered };
    header_of(&recorded("metadata-pid.txt"), "auto", scheme)
}

#[test]
fn headers_are_those_of_the_reference() {
    let per_uid = Scheme::PerUid { uid: 0 };
    for (name, header) in [
        ("metadata-pid.txt", per_pid_header()),
        ("metadata-uid.txt", header_of(&recorded("metadata-uid.txt"), "my\"s\\ession", per_uid.clone())),
        ("metadata-regen-v1.txt", header_of(&recorded("metadata-regen-v1.txt"), "s2", per_uid)),
    ] {
        let text = recorded(name);
        let header = header.to_string();
        assert!(text.starts_with(&header), "{name}:\n{header}");
        let rest = &text[header.len()..];
        assert!(rest.starts_with("stream {") || rest.starts_with("event {"), "{name}");
    }
}

#[test]
fn headers_of_other_machines() {
    let mut header = per_pid_header();
    header.byte_order = ByteOrder::Big;
    header.bits_per_long = 32;
    header.alignments = Alignments { uint8: 8, uint16: 16, uint32: 32, uint64: 64, long: 33 };
    header.trace_name = "a\nb".to_owned();
    header.clock.uuid = None;
    header.clock.offset = -5;
    let text = header.to_string();
    for line in [
        "typealias integer { size = 64; align = 64; signed = false; } := uint64_t;\n",
        "typealias integer { size = 32; align = 33; signed = false; } := unsigned long;\n",
        "\tbyte_order = be;\n",
        "\tarchitecture_bit_width = 32;\n",
        "\ttrace_name = \"a\\nb\";\n",
        "\tname = \"monotonic\";\n\tdescription = ",
        "\toffset = -5;\n",
        "\tsize = 27; align = 1; signed = false;\n",
        "\tsize = 64; align = 64; signed = false;\n\tmap = clock.monotonic.value;\n",
        "\t\t\tuint27_clock_monotonic_t timestamp;\n",
        "} align(32);\n\nstruct event_header_large {\n",
        "} align(16);\n\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

const U32: Integer = Integer {
    size: 32,
    signed: false,
    reverse_byte_order: false,
    base: 10,
    encoding: Encoding::NONE,
    alignment: 8,
};
const U32_TEXT: &str = "integer { size = 32; align = 8; signed = 0; encoding = none; base = 10; }";

fn field(name: &str, kind: FieldKind) -> Field {
    Field { name: name.into(), kind }
}

fn element() -> Field {
    field("", FieldKind::Integer(U32))
}

fn value(value: i64, signed: bool) -> EnumValue {
    EnumValue { value: value as u64, signed }
}

fn enums() -> Vec<Box<[EnumEntry]>> {
    let entry = |label: &str, start, end, auto| EnumEntry { start, end, label: label.into(), auto };
    vec![Box::new([
        entry("one", value(-1, true), value(-1, true), false),
        entry("same bits", value(-1, true), value(-1, false), false),
        entry("a\"\\\n\"", value(1, false), value(1, false), false),
        entry("auto", value(-1, false), value(-1, false), true),
    ])]
}

/// The declarations of `fields`, without the lines around them.
fn declared(order: ByteOrder, fields: Vec<Field>) -> Result<String, Error> {
    let text = stream(Types { byte_order: order, enums: &enums() }, 3, &fields)?;
    let start = "stream {\n\tid = 3;\n\tevent.header := struct event_header_large;\n\
                 \tpacket.context := struct packet_context;\n\tevent.context := struct {\n";
    let text = text.strip_prefix(start).unwrap().strip_suffix("\t};\n};\n\n").unwrap();
    Ok(text.to_owned())
}

fn check(fields: Vec<Field>, expected: &str) {
    let expected = expected.replace("U32", U32_TEXT);
    assert_eq!(declared(ByteOrder::Little, fields).as_deref(), Ok(expected.as_str()));
}

#[test]
fn integers() {
    check(vec![field("a.b", FieldKind::Integer(U32))], "\t\tU32 _a_b;\n");
    let reversed = Integer { reverse_byte_order: true, signed: true, encoding: Encoding(7), ..U32 };
    for (order, name) in [(ByteOrder::Little, "be"), (ByteOrder::Big, "le")] {
        let expected = format!(
            "\t\tinteger {{ size = 32; align = 8; signed = 1; encoding = ASCII; base = 10; byte_order = {name}; }} _a;\n"
        );
        assert_eq!(declared(order, vec![field("a", FieldKind::Integer(reversed))]), Ok(expected));
    }
}

#[test]
fn floats_and_strings() {
    let float = Float { exponent: 8, mantissa: 24, reverse_byte_order: true, alignment: 32 };
    check(
        vec![field("f", FieldKind::Float(float))],
        "\t\tfloating_point { exp_dig = 8; mant_dig = 24; align = 32; byte_order = be; } _f;\n",
    );
    check(vec![field("s", FieldKind::String(Encoding::UTF8))], "\t\tstring _s;\n");
    check(vec![field("s", FieldKind::String(Encoding::NONE))], "\t\tstring _s;\n");
    check(vec![field("s", FieldKind::String(Encoding::ASCII))], "\t\tstring { encoding = ASCII; } _s;\n");
}

#[test]
fn arrays_and_sequences() {
    let array = |alignment| field("a.b", FieldKind::Array { length: 3, alignment });
    check(vec![array(0), element()], "\t\tU32 _a_b[3];\n");
    check(vec![array(4), element()], "\t\tstruct { } align(32) _a_b_padding;\n\t\tU32 _a_b[3];\n");
    let sequence = |alignment| field("s", FieldKind::Sequence { length_name: "_s_length".into(), alignment });
    check(vec![sequence(0), element()], "\t\tU32 _s[ __s_length ];\n");
    check(
        vec![sequence(u32::MAX), element()],
        "\t\tstruct { } align(34359738360) _s_padding;\n\t\tU32 _s[ __s_length ];\n",
    );
    let basic = || Box::new(Basic::Integer(U32));
    check(vec![field("a", FieldKind::LegacyArray { element: basic(), length: 7 })], "\t\tU32 _a[7];\n");
    check(
        vec![field("s", FieldKind::LegacySequence { length: basic(), element: basic() })],
        "\t\tU32 __s_length;\n\t\tU32 _s[ __s_length ];\n",
    );
}

#[test]
fn enumerations() {
    let labels = "\t\t\t\"one\" = -1,\n\t\t\t\"same bits\" = -1 ... 18446744073709551615,\n\
                  \t\t\t\"a\\\"\\\\\\n\\\"\" = 1,\n\t\t\t\"auto\",\n";
    let expected = format!("\t\tenum : U32 {{\n{labels}\t\t}} __app_p_t;\n");
    let container = Integer { reverse_byte_order: true, ..U32 };
    let name = "not printed".to_owned();
    let modern = field("$app.p:t", FieldKind::Enum { name: name.clone().into(), id: 0 });
    check(vec![modern, field("", FieldKind::Integer(container))], &expected);
    let legacy = LegacyEnum { name: name.into(), container, id: 0 };
    check(vec![field("$app.p:t", FieldKind::LegacyEnum(Box::new(legacy)))], &expected);
}

#[test]
fn variants_and_structures() {
    let variant =
        |choices, alignment| field("v:1", FieldKind::Variant { choices, tag: "t$".into(), alignment });
    let structure = |name: &str, alignment| field(name, FieldKind::Struct { fields: 0, alignment });
    check(
        vec![
            variant(2, 2),
            structure("n.o", 0),
            variant(1, 0),
            structure("x", 1),
            field("y", FieldKind::Integer(U32)),
        ],
        "\t\tstruct { } align(16) _v_1_padding;\n\
         \t\tvariant <_t_> {\n\
         \t\t\tstruct {} _n_o;\n\
         \t\t\tvariant <_t_> {\n\
         \t\t\t\tstruct {} align(8) _x;\n\
         \t\t\t} _v_1;\n\
         \t\t} _v_1;\n\
         \t\tU32 _y;\n",
    );
    let legacy = FieldKind::LegacyVariant { choices: 1, tag: "t".into() };
    check(
        vec![field("v", legacy), field("s", FieldKind::LegacyStruct { fields: 0 })],
        "\t\tvariant <_t> {\n\t\t\tstruct {} _s;\n\t\t} _v;\n",
    );
}

#[test]
fn what_cannot_be_declared() {
    let refused = |fields, error| assert_eq!(declared(ByteOrder::Little, fields), Err(error));
    let string = || field("", FieldKind::String(Encoding::UTF8));
    let array = || field("a", FieldKind::Array { length: 1, alignment: 0 });
    refused(vec![array(), string()], Error::Layout);
    refused(vec![array()], Error::Incomplete);
    let basic = |basic| Box::new(basic);
    let element = basic(Basic::Unknown(9));
    refused(vec![field("a", FieldKind::LegacyArray { element, length: 1 })], Error::Layout);
    let (length, element) = (basic(Basic::String(Encoding::NONE)), basic(Basic::Integer(U32)));
    refused(vec![field("s", FieldKind::LegacySequence { length, element })], Error::Layout);
    refused(vec![field("s", FieldKind::Struct { fields: 1, alignment: 0 }), string()], Error::Layout);
    refused(vec![field("s", FieldKind::LegacyStruct { fields: 1 }), string()], Error::Layout);
    refused(vec![field("u", FieldKind::Unknown(13))], Error::Layout);
    let float = Float { exponent: 8, mantissa: 0, reverse_byte_order: false, alignment: 8 };
    refused(vec![field("f", FieldKind::Float(float))], Error::Layout);
    let enumeration = |id| field("e", FieldKind::Enum { name: "e".into(), id });
    refused(vec![enumeration(1), super::tests::element()], Error::UnknownEnum);
    refused(vec![enumeration(0), string()], Error::Layout);
    let variant = |choices| field("v", FieldKind::Variant { choices, tag: "t".into(), alignment: 0 });
    refused(vec![variant(u32::MAX), string()], Error::Incomplete);
    refused(vec![variant(1); 100_000], Error::Layout);
    assert_eq!(Error::Layout.errno(), -22);
    assert_eq!(Error::TooLarge.errno(), -22);
    assert_eq!(Error::Incomplete.errno(), -75);
    assert_eq!(Error::UnknownEnum.errno(), -2);
}

/// No name may end the string or the declaration that it stands in.
#[test]
fn names_stay_inside_their_places() {
    let types = Types { byte_order: ByteOrder::Little, enums: &enums() };
    let field = |name| field(name, FieldKind::Integer(U32));
    let registered = RegisterEvent {
        session: 0,
        channel: 0,
        name: "p:\"; };\n".into(),
        loglevel: 13,
        signature: Text::default(),
        fields: vec![field("a-b"), field("c d;}"), field("\u{e9}1"), field("$app.p:t")],
        model_emf_uri: Some("x\"\\".into()),
    };
    let text = event(types, 1, 2, &registered).unwrap();
    let expected = "event {\n\tname = \"p:\\\"; };\\n\";\n\tid = 2;\n\tstream_id = 1;\n\tloglevel = 13;\n\
                    \tmodel.emf.uri = \"x\\\"\\\\\";\n\tfields := struct {\n\t\tU32 _a_b;\n\t\tU32 _c_d__;\n\
                    \t\tU32 __1;\n\t\tU32 __app_p_t;\n\t};\n};\n\n";
    assert_eq!(text, expected.replace("U32", U32_TEXT));
}

/// A few descriptors that refer to one large enumeration again and again must not become gigabytes.
#[test]
fn blocks_stay_below_their_limit() {
    let entry = EnumEntry {
        start: value(0, false),
        end: value(0, false),
        label: "x".repeat(200).into(),
        auto: false,
    };
    let enums = [vec![entry; 15_000].into_boxed_slice()];
    let types = Types { byte_order: ByteOrder::Little, enums: &enums };
    let enumeration = field("e", FieldKind::Enum { name: "e".into(), id: 0 });
    let one = vec![enumeration, element()];
    let text = stream(types, 0, &one).unwrap();
    assert!(text.len() > MAX_BLOCK_SIZE / 2 && text.len() < MAX_BLOCK_SIZE);
    assert_eq!(stream(types, 0, &vec![one; 1000].concat()), Err(Error::TooLarge));
}

proptest! {
    /// Whatever the order of the descriptors: a result, and every brace that is opened is closed.
    #[test]
    fn any_list_of_descriptors(kinds in prop::collection::vec((0..13_u32, 0..4_u32), 0..12)) {
        let kind = |(kind, number): (u32, u32)| match kind {
            0..=3 => FieldKind::Integer(U32),
            4 => FieldKind::String(Encoding::UTF8),
            5 => FieldKind::Enum { name: Text::default(), id: number.into() },
            6 => FieldKind::LegacyVariant { choices: number, tag: "t".into() },
            7 => FieldKind::LegacyStruct { fields: number / 3 },
            8 => FieldKind::LegacyArray { element: Box::new(Basic::Integer(U32)), length: number },
            9 => FieldKind::Array { length: number, alignment: number },
            10 => FieldKind::Sequence { length_name: "l".into(), alignment: number },
            11 => FieldKind::Struct { fields: number / 3, alignment: number },
            _ => FieldKind::Variant { choices: number, tag: "t".into(), alignment: number },
        };
        let fields: Vec<Field> = kinds.into_iter().map(kind).map(|kind| field("f", kind)).collect();
        let types = Types { byte_order: ByteOrder::Little, enums: &enums() };
        if let Ok(text) = stream(types, 0, &fields) {
            prop_assert_eq!(text.matches('{').count(), text.matches('}').count());
            let end = "};\n\n";
            prop_assert!(text.ends_with(end));
        }
    }
}

fn readable(fields: &[Field]) -> bool {
    readable::check(Types { byte_order: ByteOrder::Little, enums: &enums() }, fields).is_ok()
}

/// What makes babeltrace2 give up on the whole text, and its neighbours that do not.
#[test]
fn what_readers_do_not_read() {
    let int = |name: &str, integer| field(name, FieldKind::Integer(integer));
    let float = |exponent, mantissa| Float { exponent, mantissa, reverse_byte_order: false, alignment: 8 };
    let sequence = field("s", FieldKind::Sequence { length_name: "l".into(), alignment: 0 });
    let array = |length, alignment| field("a", FieldKind::Array { length, alignment });
    let enumeration = field("t", FieldKind::Enum { name: Text::default(), id: 0 });
    let signed = Integer { signed: true, ..U32 };
    let variant = |tag: &str| field("v", FieldKind::Variant { choices: 1, tag: tag.into(), alignment: 0 });
    for (expected, fields) in [
        (true, vec![int("a", U32), int("b", Integer { size: 1, alignment: 1, ..U32 })]),
        (false, vec![int("a", Integer { size: 0, ..U32 })]),
        (false, vec![int("a", Integer { size: 65, ..U32 })]),
        (false, vec![int("a", Integer { alignment: 0, ..U32 })]),
        (false, vec![int("a", Integer { alignment: 3, ..U32 })]),
        (false, vec![int("a", Integer { base: 99, ..U32 })]),
        (false, vec![int("a", Integer { reverse_byte_order: true, alignment: 4, ..U32 })]),
        (false, vec![int("a.b", U32), int("a_b", U32)]),
        (true, vec![field("f", FieldKind::Float(float(8, 24)))]),
        (false, vec![field("f", FieldKind::Float(float(24, 8)))]),
        (true, vec![int("l", U32), sequence.clone(), element()]),
        (false, vec![int("l", signed), sequence.clone(), element()]),
        (false, vec![sequence, element(), int("l", U32)]),
        (true, vec![array(3, 4), element()]),
        (false, vec![array(3, 3), element()]),
        (false, vec![array(u32::MAX, 0), element()]),
        (false, vec![int("a_padding", U32), array(3, 4), element()]),
        (false, vec![variant("t"), element()]),
        (false, vec![int("t", U32), variant("t"), element()]),
        (false, vec![enumeration.clone(), int("", signed), variant("t"), element()]),
        (true, vec![enumeration, int("", signed)]),
    ] {
        assert_eq!(readable(&fields), expected, "{fields:?}");
    }
}

#[test]
fn enumerations_that_no_reader_reads() {
    let entry = |start, end, auto| EnumEntry { start, end, label: "x".into(), auto };
    let unsigned = |number| value(number, false);
    let descends = entry(value(-1, true), unsigned(5), false);
    assert!(!readable::is_possible_enum(&[]));
    assert!(!readable::is_possible_enum(&[entry(unsigned(5), unsigned(3), false)]));
    assert!(readable::is_possible_enum(&[descends.clone(), entry(unsigned(9), unsigned(0), true)]));
    let enums = [vec![descends].into_boxed_slice()];
    let types = Types { byte_order: ByteOrder::Little, enums: &enums };
    let kind = || FieldKind::Enum { name: Text::default(), id: 0 };
    for signed in [false, true] {
        let container = field("", FieldKind::Integer(Integer { signed, ..U32 }));
        let result = readable::check(types, &[field("e", kind()), container]);
        assert_eq!(result.is_ok(), signed, "only with a sign is -1 before 5");
    }
}

#[test]
fn texts_are_utf8_to_the_reader_of_the_file() {
    let quoted = |text: &[u8]| Quoted(text).to_string();
    assert_eq!(quoted("gr\u{f6}\u{df}er".as_bytes()), "gr\u{f6}\u{df}er");
    assert_eq!(quoted(b"a\xffb\"\\\n\x7f9"), r#"a\377b\"\\\n\1779"#);
    // A character that is cut short does not take the quotation mark with it.
    assert_eq!(quoted(b"\xe5\x90\""), r#"\345\220\""#);
    assert_eq!(fields::Identifier(&b"a\xff\xc3\xa9.b".as_slice().into()).to_string(), "a___b");
}

proptest! {
    /// What C, and a reader, make of the text are the bytes that were given.
    #[test]
    fn no_byte_is_lost(bytes in proptest::collection::vec(1..=u8::MAX, 0..60)) {
        let text = Quoted(&bytes).to_string();
        let (mut read, mut rest) = (Vec::new(), text.as_bytes().iter().copied().peekable());
        while let Some(byte) = rest.next() {
            prop_assert!(byte != b'"' && byte >= b' ');
            if byte != b'\\' {
                read.push(byte);
                continue;
            }
            let mut octal = Vec::new();
            while let Some(digit) = rest.next_if(|byte| octal.len() < 3 && (b'0'..b'8').contains(byte)) {
                octal.push(digit);
            }
            read.push(match octal.is_empty() {
                true => match rest.next().unwrap() {
                    b'n' => b'\n',
                    other => other,
                },
                false => u8::from_str_radix(std::str::from_utf8(&octal).unwrap(), 8).unwrap(),
            });
        }
        prop_assert_eq!(read, bytes);
    }
}
